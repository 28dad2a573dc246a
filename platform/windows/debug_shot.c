/* What happens at the hit: the event's own thread is started in the host, the hit thread is held until that
 * one has ended, or the whole host is left stopped for a person's debugger. Times go into the ledger as the
 * host's own firing would put them. */
#include "platform/windows/debug_windows.h"
#include "platform/windows/runner_windows.h"

#include <stdlib.h>

/* Longest wait for the start of the event's thread; it takes some milliseconds on a busy machine. */
enum { START_MS = 10000 };

/* On a busy machine the event's thread may need longer to come to the handlers than it is held for there; a
 * thread that was let go before would meet the event at another place. Longest wait for that; it is not reached by
 * threads that wait for the held one from their birth on (for the loader's lock). */
#define BEGIN_NS UINT64_C(500000000)

/* ---- before the host runs ---- */

static DWORD control_of(uint32_t event) {
    switch (event) {
    case ITR_EVENT_CTRL_C: return CTRL_C_EVENT;
    case ITR_EVENT_CTRL_BREAK: return CTRL_BREAK_EVENT;
    case ITR_EVENT_CTRL_CLOSE: return CTRL_CLOSE_EVENT;
    case ITR_EVENT_CTRL_LOGOFF: return CTRL_LOGOFF_EVENT;
    case ITR_EVENT_CTRL_SHUTDOWN: return CTRL_SHUTDOWN_EVENT;
    default: return MAXDWORD;
    }
}

/* The ledger's entry for the shot: that of the request's first one at a point, else the first. */
static struct itr_shot_reply *find_reply(struct itr_ledger *ledger) {
    uint32_t count = ledger->request.shot_count;
    for (uint32_t i = 0; i < count && i < ITR_SHOTS_MAX; i++) {
        if (ledger->request.shots[i].where == ITR_WHERE_POINT) {
            return &ledger->reply.shots[i];
        }
    }
    return &ledger->reply.shots[0];
}

void itrp_windows_prepare_shot(struct itrp_windows_debugger *debugger) {
    const struct itr_shot_request *shot = debugger->plan->shot;
    if (shot == NULL) {
        return;
    }
    if (shot->delivery != ITR_DELIVERY_CTRL_ROUTINE) {
        itrp_windows_debug_refuse(debugger, ITR_E_UNSUPPORTED,
                                  "at an exact point the event's delivery must be ctrl-routine");
        return;
    }
    debugger->control = control_of(shot->event);
    if (debugger->control == MAXDWORD) {
        itrp_windows_debug_refuse(debugger, ITR_E_UNSUPPORTED,
                                  "the event has no console control event on this system");
        return;
    }
    uintptr_t routine = (uintptr_t)debugger->plan->ctrl_routine;
    if (routine == 0) {
        routine = (uintptr_t)GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
    }
    if (routine == 0) {
        itrp_windows_debug_refuse(debugger, ITR_E_UNSUPPORTED,
                                  "CtrlRoutine is not exported here and the plan does not name it");
        return;
    }
    debugger->ctrl_routine = (LPTHREAD_START_ROUTINE)routine;
    debugger->reply = debugger->ledger != NULL ? find_reply(debugger->ledger) : NULL;
}

/* ---- firing ---- */

static void put(uint64_t *to, uint64_t value) {
    __atomic_store_n(to, value, __ATOMIC_RELEASE);
}

/* The call that starts the event's thread. Under Wine the host does that itself, on a thread that stands: where the host is
 * ended meanwhile, the call may never return. */
struct start {
    HANDLE process;
    LPTHREAD_START_ROUTINE routine;
    DWORD control;
    DWORD flags;
    HANDLE thread; /* NULL: `error` */
    DWORD id;
    DWORD error;
    uint64_t started_ns;
};

static void start_thread(void *argument) {
    struct start *start = argument;
    start->thread = CreateRemoteThread(start->process, NULL, 0, start->routine,
                                       (LPVOID)(uintptr_t)start->control, start->flags, &start->id);
    start->error = start->thread == NULL ? GetLastError() : 0;
    start->started_ns = uv_hrtime();
}

static void discard_start(void *argument) {
    struct start *start = argument;
    if (start->thread != NULL) {
        CloseHandle(start->thread);
    }
    CloseHandle(start->process);
    free(start);
}

static struct start *plan_start(const struct itrp_windows_debugger *debugger, DWORD flags) {
    HANDLE self = GetCurrentProcess();
    struct start *start = malloc(sizeof *start);
    if (start == NULL) {
        return NULL;
    }
    *start = (struct start){
        .routine = debugger->ctrl_routine, .control = debugger->control, .flags = flags};
    if (!DuplicateHandle(self, debugger->process, self, &start->process, 0, FALSE,
                         DUPLICATE_SAME_ACCESS)) {
        free(start);
        return NULL;
    }
    return start;
}

/* NULL, and the debugger's failure, if the call cannot be made or does not return. A host that ended by itself meanwhile
 * is no failure. */
static struct start *start_in_time(struct itrp_windows_debugger *debugger, DWORD flags) {
    struct start *start = plan_start(debugger, flags);
    struct itrp_windows_call *call =
        start != NULL ? itrp_windows_call_begin(start_thread, discard_start, start) : NULL;
    if (call == NULL) {
        if (start != NULL) {
            discard_start(start);
        }
        itrp_windows_debug_refuse(debugger, ITR_E_LIMIT,
                                  "the event's thread cannot be started: memory is out, or too many calls about "
                                  "earlier hosts have not returned");
        return NULL;
    }
    if (itrp_windows_call_end(call, debugger->process, START_MS)) {
        return start;
    }
    if (WaitForSingleObject(debugger->process, 0) != WAIT_OBJECT_0 ||
        __atomic_load_n(&debugger->killed, __ATOMIC_ACQUIRE)) {
        itrp_windows_debug_refuse(debugger, ITR_E_TIMEOUT,
                                  "the call that starts the event's thread in the host does not return");
    }
    return NULL;
}

/* The host stands still: the new thread runs, with all others, once the event is continued. */
static bool fire(struct itrp_windows_debugger *debugger, DWORD flags) {
    struct itr_shot_reply unseen = {0};
    struct itr_shot_reply *reply = debugger->reply != NULL ? debugger->reply : &unseen;
    reply->requested_ns = debugger->report.hit_ns;
    reply->sender_thread = GetCurrentThreadId();
    put(&reply->fired_ns, uv_hrtime());
    struct start *start = start_in_time(debugger, flags);
    bool started = start != NULL && start->thread != NULL;
    if (started) {
        debugger->event_thread = start->id;
        reply->event_thread = start->id;
        put(&reply->thread_started_ns, start->started_ns);
    } else {
        reply->send_error = (int32_t)(start != NULL ? start->error : ERROR_TIMEOUT);
    }
    if (start != NULL) {
        discard_start(start);
    }
    put(&reply->sent_ns, uv_hrtime());
    return started;
}

/* ---- the hold ---- */

static void hold(struct itrp_windows_debugger *debugger, const struct itrp_windows_thread *thread) {
    if (SuspendThread(thread->handle) == (DWORD)-1) {
        itrp_windows_debug_fail(debugger, GetLastError(), "hold the thread at the point");
        return;
    }
    debugger->held_thread = thread->id;
    uint64_t hold_ns = debugger->plan->shot->hold_ns;
    itr_patience_begin(&debugger->hold, uv_hrtime(), hold_ns > BEGIN_NS ? hold_ns : BEGIN_NS);
}

void itrp_windows_event_begun(struct itrp_windows_debugger *debugger, DWORD id) {
    if (debugger->held_thread != 0 && id == debugger->event_thread && id != 0) {
        itr_patience_begin(&debugger->hold, uv_hrtime(), debugger->plan->shot->hold_ns);
    }
}

static void release(struct itrp_windows_debugger *debugger) {
    const struct itrp_windows_thread *thread =
        itrp_windows_thread_of(debugger, debugger->held_thread);
    debugger->held_thread = 0;
    if (thread == NULL) {
        return;
    }
    debugger->report.released_ns = uv_hrtime();
    if (debugger->reply != NULL) {
        put(&debugger->reply->released_ns, debugger->report.released_ns);
    }
    ResumeThread(thread->handle);
}

void itrp_windows_event_ended(struct itrp_windows_debugger *debugger, DWORD id, DWORD exit_code) {
    if (id != debugger->event_thread || id == 0) {
        return;
    }
    debugger->event_thread = 0;
    if (debugger->reply != NULL && !itrp_windows_ends_with_all(debugger, id)) {
        debugger->reply->event_thread_exit = exit_code;
        put(&debugger->reply->thread_ended_ns, uv_hrtime());
    }
    if (debugger->held_thread != 0) {
        release(debugger);
    }
}

void itrp_windows_check_hold(struct itrp_windows_debugger *debugger, uint64_t now_ns) {
    if (debugger->held_thread != 0 && itr_patience_is_over(&debugger->hold, now_ns)) {
        debugger->report.hold_expired = true;
        release(debugger);
    }
}

void itrp_windows_note_release(struct itrp_windows_debugger *debugger) {
    struct itrp_debug_report *report = &debugger->report;
    if (report->hit_ns != 0 && report->released_ns == 0 && debugger->held_thread == 0) {
        report->released_ns = uv_hrtime();
    }
}

/* ---- the pause ---- */

/* All registers, and all breakpoints, that a person's debugger does not expect are emptied, or their traps would kill
 * the host. */
static void stop_thread(struct itrp_windows_debugger *debugger,
                        struct itrp_windows_thread *thread) {
    thread->has_point = thread->has_watches = false;
    thread->return_to = 0;
    thread->place_count = 0;
    itrp_windows_set_traps(debugger, thread);
    if (thread->id != debugger->event_thread) {
        SuspendThread(thread->handle); /* the event's own was started so */
    }
}

/* Threads whose birth, or trap, was not told yet: their events come at once after the one that is continued. */
static void drain(struct itrp_windows_debugger *debugger) {
    DEBUG_EVENT event;
    while (WaitForDebugEvent(&event, 20)) {
        DWORD status = DBG_CONTINUE;
        if (event.dwProcessId != debugger->id) {
            status = DBG_EXCEPTION_NOT_HANDLED;
        } else if (event.dwDebugEventCode == CREATE_THREAD_DEBUG_EVENT) {
            struct itrp_windows_thread *thread = itrp_windows_thread_born(
                debugger, event.dwThreadId, event.u.CreateThread.hThread, NULL);
            if (thread != NULL) {
                stop_thread(debugger, thread);
            }
        } else if (event.dwDebugEventCode == EXIT_PROCESS_DEBUG_EVENT) {
            debugger->exited = true;
        } else if (event.dwDebugEventCode == EXCEPTION_DEBUG_EVENT) {
            status = itrp_windows_on_exception(debugger, event.dwThreadId, &event.u.Exception);
        }
        ContinueDebugEvent(event.dwProcessId, event.dwThreadId, status);
    }
}

static void pause_host(struct itrp_windows_debugger *debugger, DWORD hit_thread) {
    for (size_t i = 0; i < debugger->thread_count; i++) {
        stop_thread(debugger, &debugger->threads[i]);
    }
    DebugSetProcessKillOnExit(FALSE);
    ContinueDebugEvent(debugger->id, hit_thread, DBG_CONTINUE);
    drain(debugger);
    itrp_windows_births_lift(debugger, true);
    if (!DebugActiveProcessStop(debugger->id)) {
        itrp_windows_debug_fail(debugger, GetLastError(), "leave the host to another debugger");
    }
    debugger->detached = true;
    if (!debugger->failed) {
        __atomic_store_n(&debugger->report.paused, true, __ATOMIC_RELEASE);
    }
}

/* ---- the hit ---- */

void itrp_windows_hit(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    const struct itrp_debug_plan *plan = debugger->plan;
    bool pause = plan->pause != ITRP_DEBUG_NO_PAUSE;
    bool sent = false;
    itrp_windows_trace_thaw(debugger);
    if (plan->shot != NULL && plan->pause != ITRP_DEBUG_PAUSE_BEFORE) {
        sent = fire(debugger, pause ? CREATE_SUSPENDED : 0);
    }
    if (debugger->failed) {
        return;
    }
    if (pause) {
        pause_host(debugger, thread->id);
    } else if (sent && plan->shot->hold_ns > 0) {
        hold(debugger, thread);
    }
}
