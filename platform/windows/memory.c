/* Shared memory on Windows: a section of the paging file without a name. It is inherited only by
 * the process it is given to (process.c); what is in it is the ledger's business. */
#include "platform/platform.h"
#include "platform/windows/runner_windows.h"

enum itr_status itrp_memory_create(struct itrp_memory *memory, size_t bytes,
                                   struct itr_error *err) {
    ULARGE_INTEGER size = {.QuadPart = bytes};
    HANDLE section = CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, size.HighPart,
                                        size.LowPart, NULL);
    if (section == NULL) {
        return itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(),
                                 "cannot make %llu bytes of shared memory",
                                 (unsigned long long)bytes);
    }
    void *base = MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, bytes);
    if (base == NULL) {
        DWORD error = GetLastError();
        CloseHandle(section);
        return itrp_windows_fail(err, ITR_E_SYSTEM, error, "cannot map %llu bytes of shared memory",
                                 (unsigned long long)bytes);
    }
    *memory = (struct itrp_memory){.base = base, .bytes = bytes, .handle = (intptr_t)section};
    return ITR_OK;
}

void itrp_memory_close(struct itrp_memory *memory) {
    if (memory == NULL || memory->base == NULL) {
        return;
    }
    UnmapViewOfFile(memory->base);
    CloseHandle((HANDLE)memory->handle);
    *memory = (struct itrp_memory){0};
}
