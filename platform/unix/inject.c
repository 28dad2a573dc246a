/* Has a stopped thread of another process make one system call, and puts all of it back. The one place where code runs in
 * a host because the runner wants it; only what is not measured any more is asked for that. */
#include "platform/unix/snapshot_unix.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { CODE_BYTES = 16 * 1024 };

/* The instruction `syscall` is in every [vdso]: nothing of the host's own code is touched. */
static bool find_instruction(const struct itrp_unix_snapshot *snapshot, uint64_t *address) {
    uint8_t code[CODE_BYTES];
    const struct itrp_snapshot *shown = &snapshot->shown;
    for (size_t i = 0; i < shown->mapping_count; i++) {
        const struct itrp_snapshot_mapping *mapping = &shown->mappings[i];
        size_t bytes = mapping->end - mapping->begin < sizeof code ? (size_t)(mapping->end - mapping->begin) : sizeof code;
        if (!mapping->executable || strcmp(mapping->path, "[vdso]") != 0 ||
            !itr_target_read(&shown->target, mapping->begin, code, bytes)) {
            continue;
        }
        for (size_t at = 0; at + 1 < bytes; at++) {
            if (code[at] == 0x0f && code[at + 1] == 0x05) {
                *address = mapping->begin + at;
                return true;
            }
        }
    }
    return false;
}

/* One step over the instruction. False: something else came first, or the thread has ended. */
static bool step(pid_t thread) {
    int status = 0;
    pid_t got = 0;
    if (ptrace(PTRACE_SINGLESTEP, thread, NULL, NULL) != 0) {
        return false;
    }
    do {
        got = waitpid(thread, &status, __WALL);
    } while (got < 0 && errno == EINTR);
    return got == thread && WIFSTOPPED(status) && status >> 8 == SIGTRAP;
}

enum itr_status itrp_unix_inject(const struct itrp_unix_snapshot *snapshot, pid_t thread, int64_t number,
                                 const uint64_t arguments[5], int64_t *result, struct itr_error *err) {
    struct user_regs_struct before;
    uint64_t mask = 0;
    /* No signal may come between; but the step's own, if it were blocked, would lose its handler. */
    uint64_t all = ~(UINT64_C(1) << (SIGTRAP - 1));
    uint64_t instruction = 0;
    if (!find_instruction(snapshot, &instruction)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "the host has no vdso");
    }
    if (ptrace(PTRACE_GETREGS, thread, NULL, &before) != 0 ||
        ptrace(PTRACE_GETSIGMASK, thread, (void *)sizeof mask, &mask) != 0 ||
        ptrace(PTRACE_SETSIGMASK, thread, (void *)sizeof all, &all) != 0) {
        return itr_fail(err, ITR_E_SYSTEM, errno, "thread %ld of the host: %s", (long)thread, strerror(errno));
    }
    struct user_regs_struct call = before;
    call.rip = instruction;
    call.rax = (unsigned long long)number;
    call.orig_rax = (unsigned long long)-1; /* or the kernel begins the interrupted call anew, in place of this one */
    call.rdi = arguments[0];
    call.rsi = arguments[1];
    call.rdx = arguments[2];
    call.r10 = arguments[3];
    call.r8 = arguments[4];
    bool done = ptrace(PTRACE_SETREGS, thread, NULL, &call) == 0 && step(thread) &&
                ptrace(PTRACE_GETREGS, thread, NULL, &call) == 0;
    bool undone = ptrace(PTRACE_SETREGS, thread, NULL, &before) == 0;
    undone = ptrace(PTRACE_SETSIGMASK, thread, (void *)sizeof mask, &mask) == 0 && undone;
    if (!done || !undone || call.rip != instruction + 2) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "thread %ld of the host made no system call %" PRId64, (long)thread, number);
    }
    *result = (int64_t)call.rax;
    return ITR_OK;
}
