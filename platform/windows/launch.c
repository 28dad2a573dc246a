/* Calls CreateProcess with just the handles and the job that are named. What is started is process.c's and keep.c's. */
#include "platform/windows/runner_windows.h"

#include <stdlib.h>

enum { ATTRIBUTES = 2, START_TRIES = 5 };

HANDLE itrp_windows_inheritable_copy(HANDLE handle) {
    HANDLE copy = NULL;
    HANDLE self = GetCurrentProcess();
    if (!DuplicateHandle(self, handle, self, &copy, 0, TRUE, DUPLICATE_SAME_ACCESS)) {
        return NULL;
    }
    return copy;
}

/* Under Wine 8 CreateProcess fails with ERROR_INTERNAL_ERROR (1359) now and then: once more, a
 * moment later, it works. */
static DWORD create_process(const struct itrp_windows_launch *launch, STARTUPINFOEXW *start,
                            PROCESS_INFORMATION *created) {
    /* What has no console hears no Ctrl-C meant for the runner. CREATE_NO_WINDOW would start a
     * conhost for each and halve the rate. */
    DWORD flags = CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT |
                  (launch->own_console ? CREATE_NEW_CONSOLE : DETACHED_PROCESS) |
                  (launch->debugged ? DEBUG_ONLY_THIS_PROCESS : 0);
    DWORD error = 0;
    for (DWORD i = 0; i < START_TRIES; i++) {
        if (CreateProcessW(launch->program, launch->command_line, NULL, NULL, TRUE, flags,
                           launch->environment, launch->directory, &start->StartupInfo, created)) {
            return 0;
        }
        error = GetLastError();
        if (error != ERROR_INTERNAL_ERROR) {
            break;
        }
        Sleep(1u << i);
    }
    return error;
}

DWORD itrp_windows_launch(const struct itrp_windows_launch *launch, PROCESS_INFORMATION *created) {
    STARTUPINFOEXW start = {.StartupInfo = {.cb = sizeof start,
                                            .dwFlags = STARTF_USESTDHANDLES | STARTF_USESHOWWINDOW,
                                            .wShowWindow = SW_HIDE}};
    SIZE_T bytes = 0;
    if (launch->streams != NULL) {
        start.StartupInfo.hStdInput = launch->streams[0];
        start.StartupInfo.hStdOutput = launch->streams[1];
        start.StartupInfo.hStdError = launch->streams[2];
    }
    InitializeProcThreadAttributeList(NULL, ATTRIBUTES, 0, &bytes);
    start.lpAttributeList = malloc(bytes);
    if (start.lpAttributeList == NULL ||
        !InitializeProcThreadAttributeList(start.lpAttributeList, ATTRIBUTES, 0, &bytes)) {
        free(start.lpAttributeList);
        return ERROR_NOT_ENOUGH_MEMORY;
    }
    DWORD error = 0;
    if (!UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                   launch->inherited, launch->inherited_count * sizeof(HANDLE),
                                   NULL, NULL) ||
        (launch->job != NULL &&
         !UpdateProcThreadAttribute(start.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST,
                                    launch->job, sizeof *launch->job, NULL, NULL))) {
        error = GetLastError();
    } else {
        error = create_process(launch, &start, created);
    }
    DeleteProcThreadAttributeList(start.lpAttributeList);
    free(start.lpAttributeList);
    return error;
}
