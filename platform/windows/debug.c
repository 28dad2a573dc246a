/* Debugs one host: a thread that starts it, serves its debug events one after the other until the host has
 * ended, and keeps the times of holds. What a trap means is debug_trap.c's. */
#include "platform/windows/debug_windows.h"
#include "platform/windows/runner_windows.h"

#include <stdlib.h>
#include <string.h>
#include <winternl.h>

enum {
    SLICE_MS = 1000, /* longest wait for one event; then it is seen whether the host still lives */
    ASKED_MS = 20,   /* and how soon one that is asked for evidence is looked at */
    POLLS = 200,     /* for the next step of a thread */
    END_MS = 10000,  /* from the last event, or the host's own end, to a process that is gone */
};

/* Of a host that the debugger had to end. */
#define FAILED_CODE 0xE0000002u

/* ---- failure ---- */

static bool is_gone(const struct itrp_windows_debugger *debugger) {
    return debugger->exited || WaitForSingleObject(debugger->process, 0) == WAIT_OBJECT_0;
}

static void end_failed(struct itrp_windows_debugger *debugger) {
    debugger->failed = true;
    TerminateProcess(debugger->process, FAILED_CODE);
}

/* What a process that is on its way out refuses. */
static bool means_gone(DWORD os_code) {
    return os_code == ERROR_ACCESS_DENIED || os_code == ERROR_INVALID_HANDLE ||
           os_code == ERROR_INVALID_PARAMETER || os_code == ERROR_PROCESS_ABORTED;
}

void itrp_windows_debug_fail(struct itrp_windows_debugger *debugger, DWORD os_code,
                             const char *what) {
    DWORD code = STILL_ACTIVE;
    GetExitCodeProcess(debugger->process, &code);
    bool dying = code != STILL_ACTIVE && means_gone(os_code);
    if (!debugger->failed && !dying && !is_gone(debugger)) {
        itrp_windows_fail(&debugger->report.error, ITR_E_SYSTEM, os_code, "debugger: cannot %s",
                          what);
        end_failed(debugger);
    }
}

void itrp_windows_debug_refuse(struct itrp_windows_debugger *debugger, enum itr_status status,
                               const char *what) {
    if (!debugger->failed) {
        itr_fail(&debugger->report.error, status, 0, "debugger: %s", what);
        end_failed(debugger);
    }
}

/* ---- events ---- */

static void on_process(struct itrp_windows_debugger *debugger, DWORD thread,
                       const CREATE_PROCESS_DEBUG_INFO *info) {
    debugger->event_process = info->hProcess;
    itrp_windows_module_mapped(debugger, info->lpBaseOfImage, info->hFile);
    itrp_windows_thread_born(debugger, thread, info->hThread,
                             (const void *)(uintptr_t)info->lpStartAddress);
}

/* Returns how the event is to be continued. */
static DWORD on_event(struct itrp_windows_debugger *debugger, const DEBUG_EVENT *event) {
    switch (event->dwDebugEventCode) {
    case CREATE_PROCESS_DEBUG_EVENT:
        on_process(debugger, event->dwThreadId, &event->u.CreateProcessInfo);
        return DBG_CONTINUE;
    case CREATE_THREAD_DEBUG_EVENT:
        itrp_windows_thread_born(debugger, event->dwThreadId, event->u.CreateThread.hThread,
                                 (const void *)(uintptr_t)event->u.CreateThread.lpStartAddress);
        return DBG_CONTINUE;
    case EXIT_THREAD_DEBUG_EVENT:
        itrp_windows_event_ended(debugger, event->dwThreadId, event->u.ExitThread.dwExitCode);
        itrp_windows_thread_ended(debugger, event->dwThreadId);
        return DBG_CONTINUE;
    case EXIT_PROCESS_DEBUG_EVENT: debugger->exited = true; return DBG_CONTINUE;
    case LOAD_DLL_DEBUG_EVENT:
        itrp_windows_module_mapped(debugger, event->u.LoadDll.lpBaseOfDll, event->u.LoadDll.hFile);
        return DBG_CONTINUE;
    case UNLOAD_DLL_DEBUG_EVENT:
        itrp_windows_module_unmapped(debugger, event->u.UnloadDll.lpBaseOfDll);
        return DBG_CONTINUE;
    case EXCEPTION_DEBUG_EVENT:
        return itrp_windows_on_exception(debugger, event->dwThreadId, &event->u.Exception);
    default: return DBG_CONTINUE;
    }
}

/* Milliseconds until the next moment at which something is due without an event. */
static DWORD time_left_ms(struct itrp_windows_debugger *debugger) {
    uint64_t now_ns = uv_hrtime();
    uint64_t due_ns = itrp_windows_chaos_turn(debugger, now_ns);
    itrp_windows_check_hold(debugger, now_ns);
    uint64_t look_ns = debugger->held_thread != 0 ? itr_patience_look_ns(&debugger->hold) : UINT64_MAX;
    due_ns = look_ns < due_ns ? look_ns : due_ns;
    look_ns = itrp_windows_trace_look(debugger, now_ns);
    due_ns = look_ns < due_ns ? look_ns : due_ns;
    look_ns = itrp_windows_code_look(debugger, now_ns);
    due_ns = look_ns < due_ns ? look_ns : due_ns;
    if (due_ns <= now_ns) {
        return 0;
    }
    uint64_t left_ms = (due_ns - now_ns + 999999u) / 1000000u;
    DWORD slice_ms = debugger->plan->evidence ? ASKED_MS : SLICE_MS;
    return left_ms < slice_ms ? (DWORD)left_ms : slice_ms;
}

/* The next step of a thread that is traced, or stepped over a breakpoint, comes within microseconds: asking again and again gets 3,100 steps a second
 * where sleeping gets 1,750 (Wine 8, 2 processors that would else fall asleep each time). */
static bool is_there(const struct itrp_windows_debugger *debugger, DEBUG_EVENT *event) {
    bool soon = debugger->stepped_alone != 0 || debugger->code.over_thread != 0;
    for (int i = 0; i < POLLS && soon; i++) {
        if (WaitForDebugEvent(event, 0)) {
            return true;
        }
    }
    return false;
}

/* False once there will be no more events. */
static bool serve_one(struct itrp_windows_debugger *debugger) {
    DEBUG_EVENT event;
    itrp_windows_evidence_look(debugger);
    if (!is_there(debugger, &event) && !WaitForDebugEvent(&event, time_left_ms(debugger))) {
        DWORD error = GetLastError();
        if (error != ERROR_SEM_TIMEOUT && error != WAIT_TIMEOUT) {
            itrp_windows_debug_fail(debugger, error, "wait for the host's events");
            return false;
        }
        return !is_gone(debugger);
    }
    if (event.dwProcessId != debugger->id) {
        ContinueDebugEvent(event.dwProcessId, event.dwThreadId, DBG_EXCEPTION_NOT_HANDLED);
        return true;
    }
    DWORD status = on_event(debugger, &event);
    if (debugger->detached) {
        return false;
    }
    itrp_windows_note_release(debugger);
    if (!ContinueDebugEvent(event.dwProcessId, event.dwThreadId, status)) {
        itrp_windows_debug_fail(debugger, GetLastError(), "let the host go on after an event");
        return !is_gone(debugger);
    }
    return !debugger->exited;
}

/* ---- the thread ---- */

static void refuse_watches(struct itrp_windows_debugger *debugger) {
    if (debugger->report.code_breakpoints && debugger->plan->watch_count > 0) {
        itrp_windows_debug_refuse(debugger, ITR_E_UNSUPPORTED,
                                  "variables can be watched by debug registers only, and points "
                                  "are breakpoints in the code here");
    }
}

static void wait_for_end(struct itrp_windows_debugger *debugger) {
    /* A person looks at a paused host for as long as the caller lets it be. */
    DWORD timeout_ms = debugger->detached ? INFINITE : END_MS;
    if (WaitForSingleObject(debugger->process, timeout_ms) != WAIT_OBJECT_0) {
        itrp_windows_debug_refuse(debugger, ITR_E_TIMEOUT, "the host did not end in 10 s");
        WaitForSingleObject(debugger->process, END_MS);
    }
}

static void close_event_handles(struct itrp_windows_debugger *debugger) {
    debugger->exited = true;
    while (debugger->thread_count > 0) {
        itrp_windows_thread_ended(debugger, debugger->threads[debugger->thread_count - 1].id);
    }
    if (debugger->is_wine && debugger->event_process != NULL) {
        CloseHandle(debugger->event_process);
    }
}

/* Keeps a handle of the host of its own: that of whoever launched it may be closed while a call is under way. */
static enum itr_status launch(struct itrp_windows_debugger *debugger) {
    HANDLE self = GetCurrentProcess();
    HANDLE process = NULL;
    enum itr_status status = debugger->launch(debugger->launch_context, &process, &debugger->id,
                                              debugger->launch_error);
    if (status == ITR_OK && !DuplicateHandle(self, process, self, &debugger->process, 0, FALSE,
                                             DUPLICATE_SAME_ACCESS)) {
        status = itrp_windows_fail(debugger->launch_error, ITR_E_SYSTEM, GetLastError(),
                                   "cannot keep a handle of the host");
        TerminateProcess(process, FAILED_CODE);
    }
    return status;
}

static void debug_host(void *argument) {
    struct itrp_windows_debugger *debugger = argument;
    enum itr_status status = launch(debugger);
    debugger->launch_status = status;
    SetEvent(debugger->launched);
    if (status != ITR_OK) {
        return;
    }
    itrp_windows_prepare_shot(debugger);
    refuse_watches(debugger);
    while (serve_one(debugger)) {
    }
    itrp_windows_evidence_end(debugger);
    wait_for_end(debugger);
    close_event_handles(debugger);
    debugger->report.trace = debugger->trace;
}

/* ---- the whole ---- */

static void free_debugger(void *argument) {
    struct itrp_windows_debugger *debugger = argument;
    uv_cond_destroy(&debugger->evidence.changed);
    uv_mutex_destroy(&debugger->evidence.lock);
    if (debugger->process != NULL) {
        CloseHandle(debugger->process);
    }
    if (debugger->launched != NULL) {
        CloseHandle(debugger->launched);
    }
    if (debugger->ledger != NULL) {
        UnmapViewOfFile(debugger->ledger);
    }
    free(debugger->own_library);
    free(debugger->threads);
    free(debugger->trace);
    itr_walk_release(&debugger->walk);
    free(debugger);
}

/* Copies of what is the caller's: the debugger's thread may be left to itself, and go on when that is gone. */
static enum itr_status copy_plan(struct itrp_windows_debugger *debugger,
                                 const struct itrp_process_spec *spec, struct itr_error *err) {
    struct itrp_debug_plan *plan = &debugger->own_plan;
    *plan = *spec->debug;
    debugger->plan = plan;
    if (plan->shot != NULL) {
        debugger->own_shot = *plan->shot;
        plan->shot = &debugger->own_shot;
    }
    if (plan->library != NULL) {
        plan->library = debugger->own_library = _strdup(plan->library);
        if (plan->library == NULL) {
            return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        }
    }
    if (spec->ledger != NULL) {
        debugger->ledger = MapViewOfFile((HANDLE)spec->ledger->handle, FILE_MAP_READ | FILE_MAP_WRITE,
                                         0, 0, spec->ledger->bytes);
        if (debugger->ledger == NULL) {
            return itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(),
                                     "cannot map the ledger for the debugger");
        }
    }
    return ITR_OK;
}

static enum itr_status make(struct itrp_windows_debugger **out, const struct itrp_process_spec *spec,
                            struct itr_error *err) {
    struct itrp_windows_debugger *debugger = calloc(1, sizeof *debugger);
    if (debugger == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    if (uv_mutex_init(&debugger->evidence.lock) != 0 ||
        uv_cond_init(&debugger->evidence.changed) != 0) {
        ITR_BUG("no lock for a debugger");
    }
    debugger->is_wine = itrp_windows_is_wine();
    debugger->report.code_breakpoints = spec->debug->code_breakpoints || !itrp_has_debug_registers();
    debugger->launch_error = err;
    enum itr_status status = copy_plan(debugger, spec, err);
    if (status == ITR_OK) {
        itrp_windows_identify_library(debugger);
        debugger->launched = CreateEventW(NULL, TRUE, FALSE, NULL);
        if (debugger->launched == NULL) {
            status = itrp_windows_fail(err, ITR_E_SYSTEM, GetLastError(), "cannot make an event");
        }
    }
    if (status != ITR_OK) {
        free_debugger(debugger);
        return status;
    }
    *out = debugger;
    return ITR_OK;
}

enum itr_status itrp_windows_debugger_start(struct itrp_windows_debugger **out,
                                            const struct itrp_process_spec *spec,
                                            itrp_windows_launch_fn launch_host, void *context,
                                            struct itr_error *err) {
    struct itrp_windows_debugger *debugger = NULL;
    enum itr_status status = make(&debugger, spec, err);
    if (status != ITR_OK) {
        return status;
    }
    debugger->launch = launch_host;
    debugger->launch_context = context;
    debugger->call = itrp_windows_call_begin(debug_host, free_debugger, debugger);
    if (debugger->call == NULL) {
        free_debugger(debugger);
        return itr_fail(err, ITR_E_LIMIT, 0,
                        "cannot start a debugger's thread: memory is out, or too many calls about earlier hosts "
                        "have not returned");
    }
    WaitForSingleObject(debugger->launched, INFINITE); /* as long as CreateProcess takes: bounded_call.h */
    status = debugger->launch_status;
    if (status != ITR_OK) {
        if (itrp_windows_debugger_join(debugger, END_MS)) { /* it is at its end */
            itrp_windows_debugger_free(debugger);
        }
        return status;
    }
    *out = debugger;
    return ITR_OK;
}

HANDLE itrp_windows_debugger_thread(const struct itrp_windows_debugger *debugger) {
    return itrp_windows_call_thread(debugger->call);
}

const struct itrp_debug_report *itrp_windows_debugger_report(
    const struct itrp_windows_debugger *debugger) {
    return &debugger->report;
}

void itrp_windows_debugger_killed(struct itrp_windows_debugger *debugger) {
    __atomic_store_n(&debugger->killed, true, __ATOMIC_RELEASE);
}

bool itrp_windows_debugger_join(struct itrp_windows_debugger *debugger, uint32_t timeout_ms) {
    struct itrp_windows_call *call = debugger->call;
    if (call == NULL) {
        return true;
    }
    itrp_windows_debugger_killed(debugger);
    itrp_windows_debugger_go_on(debugger); /* whoever looks has gone */
    debugger->call = NULL;
    return itrp_windows_call_end(call, NULL, timeout_ms);
}

void itrp_windows_debugger_free(struct itrp_windows_debugger *debugger) {
    if (debugger != NULL) {
        free_debugger(debugger);
    }
}
