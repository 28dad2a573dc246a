/* Shared memory for the ledger on Linux: a memfd. It knows nothing of what is in it. */
#include "platform/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum itr_status itrp_memory_create(struct itrp_memory *memory, size_t bytes, struct itr_error *err) {
    int descriptor = memfd_create("initrace-ledger", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    void *base = MAP_FAILED;
    /* Sealed against shrinking: a host that truncated it would kill the runner with SIGBUS. */
    if (descriptor >= 0 && ftruncate(descriptor, (off_t)bytes) == 0 &&
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
        base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    }
    if (base == MAP_FAILED) {
        int code = errno;
        if (descriptor >= 0) {
            close(descriptor);
        }
        return itr_fail(err, ITR_E_SYSTEM, code, "cannot make %zu bytes of shared memory: %s", bytes,
                        strerror(code));
    }
    memory->base = base;
    memory->bytes = bytes;
    memory->handle = descriptor;
    return ITR_OK;
}

void itrp_memory_close(struct itrp_memory *memory) {
    if (memory == NULL || memory->base == NULL) {
        return;
    }
    munmap(memory->base, memory->bytes);
    close((int)memory->handle);
    *memory = (struct itrp_memory){0};
}
