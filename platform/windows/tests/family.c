/* The family on Windows: a job that all of it is in, and that ends it with this process at the latest. */
#include "platform/tests/family.h"

#include <wchar.h>
#include <windows.h>

enum { MEMBERS_MAX = 1024, NAP_MS = 10 };

static HANDLE job;

bool family_open(void) {
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {0};
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
    job = CreateJobObjectW(NULL, NULL);
    return job != NULL && SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits) &&
           AssignProcessToJobObject(job, GetCurrentProcess());
}

static const wchar_t *last_part(const wchar_t *path) {
    const wchar_t *part = path;
    for (; *path != L'\0'; path++) {
        part = *path == L'/' || *path == L'\\' ? path + 1 : part;
    }
    return part;
}

/* An id is soon another process's. */
static bool runs(HANDLE process, const char *program) {
    wchar_t path[4 * MAX_PATH];
    wchar_t wanted[4 * MAX_PATH];
    DWORD length = 4 * MAX_PATH;
    return QueryFullProcessImageNameW(process, 0, path, &length) &&
           MultiByteToWideChar(CP_UTF8, 0, program, -1, wanted, 4 * MAX_PATH) > 0 &&
           _wcsicmp(last_part(path), last_part(wanted)) == 0;
}

bool family_lives(long id, const char *program) {
    HANDLE process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, (DWORD)id);
    bool lives = process != NULL && WaitForSingleObject(process, 0) == WAIT_TIMEOUT && runs(process, program);
    if (process != NULL) {
        CloseHandle(process);
    }
    return lives;
}

/* The members' ids; how many there are. */
static DWORD members(ULONG_PTR *ids) {
    union {
        JOBOBJECT_BASIC_PROCESS_ID_LIST list;
        char room[sizeof(JOBOBJECT_BASIC_PROCESS_ID_LIST) + MEMBERS_MAX * sizeof(ULONG_PTR)];
    } found = {0};
    QueryInformationJobObject(job, JobObjectBasicProcessIdList, &found, sizeof found, NULL);
    const ULONG_PTR *listed = found.list.ProcessIdList;
    for (DWORD i = 0; i < found.list.NumberOfProcessIdsInList && i < MEMBERS_MAX; i++) {
        ids[i] = listed[i];
    }
    return found.list.NumberOfProcessIdsInList;
}

bool family_is_gone(void) {
    ULONG_PTR ids[MEMBERS_MAX];
    return members(ids) == 1;
}

bool family_end_all(unsigned timeout_ms) {
    ULONG_PTR ids[MEMBERS_MAX];
    ULONGLONG deadline_ms = GetTickCount64() + timeout_ms;
    for (DWORD count = members(ids); count > 1 && GetTickCount64() < deadline_ms; count = members(ids)) {
        for (DWORD i = 0; i < count && i < MEMBERS_MAX; i++) {
            HANDLE process = ids[i] != GetCurrentProcessId() ? OpenProcess(PROCESS_TERMINATE, FALSE, (DWORD)ids[i]) : NULL;
            if (process != NULL) {
                TerminateProcess(process, 9);
                CloseHandle(process);
            }
        }
        Sleep(NAP_MS);
    }
    return family_is_gone();
}
