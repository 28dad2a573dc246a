/* CreateProcess and WaitForSingleObject, nothing more. */
#include "platform/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <windows.h>

/* Longest life of the program that is measured; it takes milliseconds. */
enum { RUN_MS = 60000 };

/* The variable names an inheritable handle, the same number in every host: one thread, one ledger. */
static HANDLE inheritable(const struct itrp_memory *ledger) {
    HANDLE copy = NULL;
    DuplicateHandle(GetCurrentProcess(), (HANDLE)ledger->handle, GetCurrentProcess(), &copy, 0, TRUE,
                    DUPLICATE_SAME_ACCESS);
    return copy;
}

/* The runner's environment with INITRACE_LEDGER in front, as a block. */
static wchar_t *environment_with(HANDLE ledger) {
    wchar_t *own = GetEnvironmentStringsW();
    size_t length = 0;
    while (own[length] != L'\0' || own[length + 1] != L'\0') {
        length++;
    }
    wchar_t *block = calloc(length + 66, sizeof *block);
    int first = block != NULL ? _snwprintf(block, 60, L"INITRACE_LEDGER=handle:0x%llx",
                                           (unsigned long long)(uintptr_t)ledger)
                              : 0;
    if (block != NULL) {
        memcpy(block + first + 1, own, (length + 2) * sizeof *block);
    }
    FreeEnvironmentStringsW(own);
    return block;
}

int64_t itrp_bare_inject(const char *program, const struct itrp_memory *ledger) {
    (void)program;
    (void)ledger;
    return -1;
}

int64_t itrp_bare_run(const char *program, const struct itrp_memory *ledger) {
    wchar_t path[1024];
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    DWORD code = 0;
    HANDLE handle = inheritable(ledger);
    wchar_t *environment = environment_with(handle);
    int64_t result = -1;

    if (environment != NULL && MultiByteToWideChar(CP_UTF8, 0, program, -1, path, 1024) > 0 &&
        CreateProcessW(path, NULL, NULL, NULL, TRUE, CREATE_UNICODE_ENVIRONMENT, environment, NULL, &start, &process)) {
        if (WaitForSingleObject(process.hProcess, RUN_MS) == WAIT_OBJECT_0 &&
            GetExitCodeProcess(process.hProcess, &code)) {
            result = (int64_t)code;
        } else {
            TerminateProcess(process.hProcess, 1);
        }
        CloseHandle(process.hThread);
        CloseHandle(process.hProcess);
    }
    free(environment);
    CloseHandle(handle);
    return result;
}
