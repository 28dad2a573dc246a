/* The guard on Windows: this program joins a job that ends with its last handle, so that whatever
 * it starts, or is just starting, ends with it. The jobs of single processes are process.c's, and all
 * that guards them once a host is kept. */
#include "platform/platform.h"
#include "platform/windows/runner_windows.h"

static HANDLE guard;

HANDLE itrp_windows_make_job(void) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    HANDLE job = CreateJobObjectW(NULL, NULL);
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    if (job != NULL &&
        !SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits)) {
        DWORD error = GetLastError();
        CloseHandle(job);
        SetLastError(error);
        return NULL;
    }
    return job;
}

enum itr_status itrp_guard_enter(struct itr_error *err) {
    itrp_windows_answer_ctrl_routine();
    /* Inherited by every host: a crash must end it, not open a message box or start a debugger. */
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    HANDLE job = itrp_windows_make_job();
    if (job == NULL || !AssignProcessToJobObject(job, GetCurrentProcess())) {
        DWORD error = GetLastError();
        if (job != NULL) {
            CloseHandle(job);
        }
        return itrp_windows_fail(err, ITR_E_SYSTEM, error, "cannot guard what this program starts");
    }
    guard = job; /* it stays open until the process ends: closing it would end the process */
    return ITR_OK;
}

bool itrp_windows_guard_let_go(void) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION none = {0};
    return guard == NULL ||
           SetInformationJobObject(guard, JobObjectExtendedLimitInformation, &none, sizeof none);
}
