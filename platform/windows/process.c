/* Processes on Windows: each in a job of its own that ends with its handle, with exactly four
 * handles inherited, its end told to the loop. It reads neither output nor ledger; command_line.c
 * makes the texts that CreateProcess wants, launch.c calls it. */
#include "platform/platform.h"
#include "platform/windows/debug_windows.h"
#include "platform/windows/runner_windows.h"

#include <stdlib.h>
#include <winternl.h>

enum {
    INHERITED = 4, /* standard input, output, error, ledger */
    STRAYS_MAX = 256,
    /* From the kill of a host to its debugger's end: more than that one itself waits for the host (20 s). */
    DEBUGGER_MS = 25000,
};

/* What a process ended by itrp_process_kill() has as its exit code. */
#define KILLED_CODE 0xE0000001u

struct itrp_process {
    HANDLE process;
    HANDLE job;
    HANDLE wait;
    struct itrp_windows_debugger *debugger; /* NULL: it runs free, or its debugger is lost */
    struct itrp_debug_report *lost;         /* the report of one that is lost; NULL: it is not */
    struct itrp_debug_report *spare;        /* for that */
    HANDLE late;                            /* waits for the debugger's thread, since the kill */
    const struct itr_ledger *ledger;        /* the caller's, where it has one */
    struct itrp_windows_snapshot *standing; /* of a host that ran free; NULL: it is not stopped */
    uv_async_t ended;
    itrp_exit_fn on_exit;
    void *context;
    struct itrp_exit exit;
    uint32_t id;
    bool exited;
    bool kept; /* given up: it is not ended any more */
};

/* ---- start ---- */

static HANDLE open_null(void) {
    SECURITY_ATTRIBUTES inherited = {.nLength = sizeof inherited, .bInheritHandle = TRUE};
    HANDLE null = CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited,
                              OPEN_EXISTING, 0, NULL);
    return null != INVALID_HANDLE_VALUE ? null : NULL;
}

static void close_handles(HANDLE *handles, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (handles[i] != NULL) {
            CloseHandle(handles[i]);
        }
    }
}

/* Inheritable copies that live only around one CreateProcess: a process started at the same time by
 * another thread names its own list and gets none of these. */
static enum itr_status open_inherited(HANDLE *handles, const struct itrp_process_spec *spec,
                                      struct itr_error *err) {
    handles[0] = open_null();
    handles[1] = itrp_windows_inheritable_copy(uv_get_osfhandle(spec->output));
    handles[2] = itrp_windows_inheritable_copy(uv_get_osfhandle(spec->error));
    handles[3] = spec->ledger != NULL ? itrp_windows_inheritable_copy((HANDLE)spec->ledger->handle) : NULL;
    if (handles[0] == NULL || handles[1] == NULL || handles[2] == NULL ||
        (spec->ledger != NULL && handles[3] == NULL)) {
        return itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(),
                                 "%s: cannot hand over its streams and ledger", spec->program);
    }
    return ITR_OK;
}

static enum itr_status status_of(DWORD error) {
    return error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND ? ITR_E_NOT_FOUND
                                                                          : ITR_E_SYSTEM;
}

/* Starts the process into `process->job`; fills process->process and process->id. */
static enum itr_status start_in_job(struct itrp_process *process,
                                    const struct itrp_process_spec *spec, HANDLE *inherited,
                                    struct itr_error *err) {
    PROCESS_INFORMATION created = {0};
    struct itrp_windows_launch launch = {
        .program = itrp_windows_wide(spec->program),
        .directory = spec->directory != NULL ? itrp_windows_wide(spec->directory) : NULL,
        .streams = inherited,
        .inherited = inherited,
        .inherited_count = inherited[3] != NULL ? INHERITED : INHERITED - 1,
        .job = &process->job,
        .own_console = spec->own_console,
        .debugged = spec->debug != NULL,
    };
    enum itr_status status = ITR_OK;
    if (launch.program == NULL || (spec->directory != NULL && launch.directory == NULL)) {
        status = itr_fail(err, ITR_E_USAGE, 0, "a path is not UTF-8, or memory is out");
    }
    status =
        status != ITR_OK ? status : itrp_windows_make_command_line(&launch.command_line, spec, err);
    status = status != ITR_OK
                 ? status
                 : itrp_windows_make_environment(&launch.environment, spec, inherited[3], err);
    if (status == ITR_OK) {
        DWORD error = itrp_windows_launch(&launch, &created);
        if (error != 0) {
            status =
                itrp_windows_fail(err, status_of(error), error, "cannot start %s", spec->program);
        } else {
            CloseHandle(created.hThread);
            process->process = created.hProcess;
            process->id = created.dwProcessId;
        }
    }
    free(launch.program);
    free(launch.directory);
    free(launch.command_line);
    free(launch.environment);
    return status;
}

/* What the debugger's thread starts its host with. */
struct debugged_launch {
    struct itrp_process *process;
    const struct itrp_process_spec *spec;
    HANDLE *inherited;
};

static enum itr_status launch_debugged(void *context, HANDLE *process, DWORD *id,
                                       struct itr_error *err) {
    const struct debugged_launch *launch = context;
    enum itr_status status = start_in_job(launch->process, launch->spec, launch->inherited, err);
    *process = launch->process->process;
    *id = launch->process->id;
    return status;
}

static enum itr_status start_debugged(struct itrp_process *process,
                                      const struct itrp_process_spec *spec, HANDLE *inherited,
                                      struct itr_error *err) {
    struct debugged_launch launch = {process, spec, inherited};
    process->spare = calloc(1, sizeof *process->spare);
    if (process->spare == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    return itrp_windows_debugger_start(&process->debugger, spec, launch_debugged, &launch, err);
}

/* On a thread of the system's pool. */
static VOID CALLBACK on_process_end(PVOID context, BOOLEAN timed_out) {
    struct itrp_process *process = context;
    (void)timed_out;
    uv_async_send(&process->ended);
}

static void stop_one_wait(HANDLE *wait) {
    if (*wait != NULL) {
        UnregisterWaitEx(*wait, INVALID_HANDLE_VALUE); /* on_process_end() at most is waited for */
        *wait = NULL;
    }
}

static void stop_waiting(struct itrp_process *process) {
    stop_one_wait(&process->wait);
    stop_one_wait(&process->late);
}

/* A debugger whose thread does not end, although its host was ended, is left to itself: what it has seen is not known. */
static void join_debugger(struct itrp_process *process, uint32_t timeout_ms) {
    if (process->debugger == NULL || itrp_windows_debugger_join(process->debugger, timeout_ms)) {
        return;
    }
    process->debugger = NULL;
    process->lost = process->spare;
    process->spare = NULL;
    itr_fail(&process->lost->error, ITR_E_TIMEOUT, 0,
             "debugger: a call about the host has not returned since the host was ended; its thread is left behind");
}

/* Since a killed host has a debugger that should end soon; called again it changes nothing. */
static void watch_debugger(struct itrp_process *process) {
    if (process->late == NULL && !process->exited &&
        !RegisterWaitForSingleObject(&process->late, itrp_windows_debugger_thread(process->debugger),
                                     on_process_end, process, DEBUGGER_MS,
                                     WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)) {
        process->late = NULL;
        stop_waiting(process);
        join_debugger(process, DEBUGGER_MS); /* here and now, then */
        uv_async_send(&process->ended);
    }
}

static void on_ended(uv_async_t *async) {
    struct itrp_process *process = async->data;
    DWORD code = 0;
    if (process->exited) {
        return;
    }
    stop_waiting(process);
    join_debugger(process, 0);
    GetExitCodeProcess(process->process, &code);
    process->exit = (struct itrp_exit){.code = code};
    process->exited = true;
    process->on_exit(process, process->context);
}

/* Closing the job ends what is still in it, unless a kept host has it open itself; a debugger's thread ends with its
 * host, and before its handles. */
static void free_process(struct itrp_process *process) {
    HANDLE handles[] = {process->process, process->job};
    if (process->debugger != NULL) {
        TerminateJobObject(process->job, KILLED_CODE);
        join_debugger(process, DEBUGGER_MS);
        itrp_windows_debugger_free(process->debugger);
    }
    close_handles(handles, sizeof handles / sizeof handles[0]);
    free(process->lost);
    free(process->spare);
    free(process);
}

static void on_closed(uv_handle_t *handle) {
    free_process(handle->data);
}

enum itr_status itrp_process_start(struct itrp_process **out, uv_loop_t *loop,
                                   const struct itrp_process_spec *spec, itrp_exit_fn on_exit,
                                   void *context, struct itr_error *err) {
    HANDLE inherited[INHERITED] = {0};
    if (spec->record_to != NULL) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "hosts cannot be recorded on this system");
    }
    struct itrp_process *process = calloc(1, sizeof *process);
    if (process == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    process->on_exit = on_exit;
    process->context = context;
    process->ledger = spec->ledger != NULL ? spec->ledger->base : NULL;
    process->job = itrp_windows_make_job();
    enum itr_status status = ITR_OK;
    if (process->job == NULL) {
        status = itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "cannot make a job object");
    }
    status = status != ITR_OK ? status : open_inherited(inherited, spec, err);
    if (status == ITR_OK && spec->debug != NULL) {
        status = start_debugged(process, spec, inherited, err);
    } else if (status == ITR_OK) {
        status = start_in_job(process, spec, inherited, err);
    }
    close_handles(inherited, INHERITED);
    if (status != ITR_OK) {
        free_process(process);
        return status;
    }
    int result = uv_async_init(loop, &process->ended, on_ended);
    if (result != 0) {
        free_process(process);
        return itr_fail(err, ITR_E_SYSTEM, result, "uv_async_init: %s", uv_strerror(result));
    }
    process->ended.data = process;
    /* The debugger's thread outlives the process and has the report ready then. After a kill watch_debugger() bounds that. */
    HANDLE until = process->debugger != NULL ? itrp_windows_debugger_thread(process->debugger)
                                             : process->process;
    if (!RegisterWaitForSingleObject(&process->wait, until, on_process_end, process, INFINITE,
                                     WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD)) {
        status = itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "cannot wait for %s",
                                   spec->program);
        process->wait = NULL;
        itrp_process_close(process);
        return status;
    }
    *out = process;
    return ITR_OK;
}

/* ---- standing still ---- */

const struct itrp_snapshot *itrp_process_snapshot(struct itrp_process *process) {
    if (process->debugger != NULL) {
        return itrp_windows_debugger_snapshot(process->debugger);
    }
    return process->standing != NULL ? &process->standing->shown : NULL;
}

enum itr_status itrp_process_stop(struct itrp_process *process, uint32_t timeout_ms,
                                  struct itr_error *err) {
    if (process->exited || WaitForSingleObject(process->process, 0) == WAIT_OBJECT_0) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "the host has ended");
    }
    if (process->debugger != NULL) {
        return itrp_windows_debugger_stop(process->debugger, timeout_ms, err);
    }
    if (process->standing != NULL) {
        return ITR_OK;
    }
    struct itrp_windows_snapshot_request request = {
        .process = process->process,
        .id = process->id,
        .reason = ITRP_SNAPSHOT_ASKED,
        .ledger = process->ledger,
        .deadline_ns = uv_hrtime() + timeout_ms * UINT64_C(1000000),
    };
    struct itr_error error = {0};
    process->standing = itrp_windows_snapshot_take(&request, &error);
    if (process->standing == NULL) {
        return itr_fail(err, error.status, error.os_code, "%s", error.text);
    }
    return ITR_OK;
}

void itrp_process_go_on(struct itrp_process *process) {
    if (process->debugger != NULL) {
        itrp_windows_debugger_go_on(process->debugger);
    }
    itrp_windows_snapshot_free(process->standing);
    process->standing = NULL;
}

enum itr_status itrp_process_keep(struct itrp_process *process, const struct itrp_keep *keep,
                                  struct itr_error *err) {
    if (process->debugger != NULL || process->standing == NULL || process->exited ||
        WaitForSingleObject(process->process, 0) == WAIT_OBJECT_0) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0,
                        "a host that is debugged, or does not stand, cannot be kept");
    }
    enum itr_status status = itrp_windows_keep(process->process, process->job, keep, err);
    if (status != ITR_OK) {
        return status;
    }
    stop_waiting(process);
    process->kept = true;
    process->exited = true; /* no on_exit */
    itrp_process_go_on(process);
    return ITR_OK;
}

/* ---- end ---- */

uint32_t itrp_process_id(const struct itrp_process *process) {
    return process->id;
}

const struct itrp_exit *itrp_process_exit(const struct itrp_process *process) {
    return &process->exit;
}

void itrp_process_kill(struct itrp_process *process) {
    if (process->kept) {
        return;
    }
    if (process->debugger != NULL) {
        itrp_windows_debugger_killed(process->debugger);
    }
    TerminateJobObject(process->job, KILLED_CODE);
    if (process->debugger != NULL) {
        watch_debugger(process);
    }
    itrp_process_go_on(process); /* what stands in a debug event ends when that is over */
}

bool itrp_process_end_recorded(struct itrp_process *process) {
    itrp_process_kill(process);
    return true;
}

void itrp_process_close(struct itrp_process *process) {
    if (process == NULL) {
        return;
    }
    if (!process->exited) {
        itrp_process_kill(process);
        stop_waiting(process);
        process->exited = true; /* no more on_exit */
    }
    itrp_process_go_on(process);
    join_debugger(process, DEBUGGER_MS);
    uv_close((uv_handle_t *)&process->ended, on_closed);
}

const struct itrp_debug_report *itrp_process_debug_report(const struct itrp_process *process) {
    return process->debugger != NULL ? itrp_windows_debugger_report(process->debugger) : process->lost;
}

bool itrp_process_is_paused(const struct itrp_process *process) {
    const struct itrp_debug_report *report = itrp_process_debug_report(process);
    return report != NULL && __atomic_load_n(&report->paused, __ATOMIC_ACQUIRE);
}

/* Under Wine the console's own helper is a child of the process whose console it is. */
static bool is_console_helper(DWORD id) {
    static const wchar_t helper[] = L"\\conhost.exe";
    wchar_t path[4 * MAX_PATH];
    DWORD length = 4 * MAX_PATH;
    DWORD helper_length = sizeof helper / sizeof helper[0] - 1;
    HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, id);
    if (process == NULL) {
        return false;
    }
    BOOL named = QueryFullProcessImageNameW(process, 0, path, &length);
    CloseHandle(process);
    return named && length >= helper_length && _wcsicmp(path + length - helper_length, helper) == 0;
}

static uint32_t active_processes(HANDLE job) {
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION accounting = {0};
    QueryInformationJobObject(job, JobObjectBasicAccountingInformation, &accounting,
                              sizeof accounting, NULL);
    return accounting.ActiveProcesses;
}

static uint32_t count_strays(const struct itrp_process *process) {
    union {
        JOBOBJECT_BASIC_PROCESS_ID_LIST list;
        char room[sizeof(JOBOBJECT_BASIC_PROCESS_ID_LIST) + STRAYS_MAX * sizeof(ULONG_PTR)];
    } ids = {0};
    uint32_t strays = 0;
    QueryInformationJobObject(process->job, JobObjectBasicProcessIdList, &ids, sizeof ids, NULL);
    const ULONG_PTR *id = ids.list.ProcessIdList;
    for (DWORD i = 0; i < ids.list.NumberOfProcessIdsInList; i++) {
        if ((DWORD)id[i] != process->id && !is_console_helper((DWORD)id[i])) {
            strays++;
        }
    }
    return strays + ids.list.NumberOfAssignedProcesses - ids.list.NumberOfProcessIdsInList;
}

enum itr_status itrp_process_end_tree(struct itrp_process *process, uint32_t timeout_ms,
                                      uint32_t *strays, struct itr_error *err) {
    ULONGLONG deadline_ms = GetTickCount64() + timeout_ms;
    uint32_t active = process->kept ? 0 : active_processes(process->job);
    *strays = active > 0 ? count_strays(process) : 0;
    while (active > 0) {
        TerminateJobObject(process->job, KILLED_CODE);
        active = active_processes(process->job);
        if (active > 0 && GetTickCount64() >= deadline_ms) {
            return itr_fail(err, ITR_E_TIMEOUT, 0, "%u processes of a host did not end in %u ms",
                            active, timeout_ms);
        }
        Sleep(active > 0 ? 1 : 0);
    }
    return ITR_OK;
}

/* ---- activity ---- */

/* The head of SYSTEM_PROCESS_INFORMATION, as 64-bit systems give it. */
struct process_information {
    ULONG next_bytes;
    ULONG threads;
    LARGE_INTEGER reserved[3];
    LARGE_INTEGER created;
    LARGE_INTEGER user_100ns;
    LARGE_INTEGER kernel_100ns;
    UNICODE_STRING name;
    LONG priority;
    HANDLE id;
};

/* GetProcessTimes() would do on Windows; Wine 8's knows the caller's own times only. */
static const struct process_information *find_process(const void *list, uint32_t id) {
    const char *at = list;
    for (;;) {
        const struct process_information *process = (const void *)at;
        if ((uint32_t)(uintptr_t)process->id == id) {
            return process;
        }
        if (process->next_bytes == 0) {
            return NULL;
        }
        at += process->next_bytes;
    }
}

typedef NTSTATUS(NTAPI *query_system_fn)(ULONG information_class, PVOID information, ULONG bytes,
                                         PULONG returned);

/* All processes of the system; the caller frees. */
static void *list_processes(void) {
    query_system_fn query = (query_system_fn)(uintptr_t)GetProcAddress(
        GetModuleHandleW(L"ntdll.dll"), "NtQuerySystemInformation");
    ULONG bytes = 64 * 1024;
    for (int i = 0; i < 10; i++) {
        void *list = malloc(bytes);
        ULONG needed = 0;
        if (list == NULL) {
            return NULL;
        }
        if (query(SystemProcessInformation, list, bytes, &needed) == 0) {
            return list;
        }
        free(list);
        bytes = (needed > bytes ? needed : bytes) + 64 * 1024;
    }
    return NULL;
}

enum itr_status itrp_process_activity(const struct itrp_process *process, bool thorough,
                                      struct itrp_activity *activity, struct itr_error *err) {
    void *list = list_processes();
    if (list == NULL) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "cannot list the system's processes");
    }
    const struct process_information *found = find_process(list, process->id);
    if (found == NULL || process->exited) {
        free(list);
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "process %u has ended", process->id);
    }
    *activity = (struct itrp_activity){
        .cpu_ns = (uint64_t)(found->user_100ns.QuadPart + found->kernel_100ns.QuadPart) * 100u,
        .thorough = thorough,
    };
    free(list);
    return ITR_OK;
}
