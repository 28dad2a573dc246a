/* Firing on a Windows host: timers, the firing thread, delivery, and holding the caller. It decides
 * nothing: the ledger says what is sent and when. */
#include "platform/host.h"
#include "platform/windows/host_windows.h"

#include <windows.h>
#include <winternl.h>

/* Since Windows 10 1803; mingw-w64 10 does not name it. */
#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

/* The last stretch before a shot is slept alone, without listening for anything else; the very
 * last one is spun. Under Wine 8, NtDelayExecution is late by 80 us (median), a waitable timer by
 * 600 us, so the spin must be longer than the first and the stretch longer than the second. */
#define ALONE_NS           UINT64_C(3000000)
#define SPIN_NS            UINT64_C(120000)
#define FIRING_STACK_BYTES (256 * 1024)
/* Longest wait of a held thread between two looks at what became of the event. */
#define LOOK_NS UINT64_C(10000000)
/* Longest time that a thread is held for the event's thread to begin. */
#define BEGIN_NS UINT64_C(500000000)

typedef NTSTATUS(NTAPI *delay_fn)(BOOLEAN alertable, LARGE_INTEGER *interval);

/* What the marks, the hooks and the firing thread share. One host a process. */
static struct {
    LPTHREAD_START_ROUTINE ctrl_routine;
    volatile LONG shot_taken[ITR_SHOTS_MAX];     /* set by the one that fires it */
    HANDLE volatile event_thread[ITR_SHOTS_MAX]; /* set once the event's own thread exists */
    HANDLE wake_firing;                          /* auto-reset: a phase was marked or a shot was sent */
    HANDLE firing_ready;                         /* the firing thread runs */
    delay_fn delay;                              /* NULL: sleep on a timer */
} state;

/* ---- timers ---- */

static HANDLE make_timer(void) {
    HANDLE timer =
        CreateWaitableTimerExW(NULL, NULL, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_ALL_ACCESS);
    return timer != NULL ? timer : CreateWaitableTimerW(NULL, FALSE, NULL);
}

static void set_timer(HANDLE timer, uint64_t ns) {
    LARGE_INTEGER due = {.QuadPart = -(LONGLONG)(ns / 100u + 1u)};
    SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE);
}

/* The more precise way: NtDelayExecution under Wine, where it is a plain select(); elsewhere a
 * high-resolution timer, since NtDelayExecution follows the system's tick. */
static void sleep_once(uint64_t ns) {
    if (state.delay != NULL) {
        LARGE_INTEGER interval = {.QuadPart = -(LONGLONG)(ns / 100u + 1u)};
        state.delay(FALSE, &interval);
        return;
    }
    HANDLE timer = make_timer();
    set_timer(timer, ns);
    WaitForSingleObject(timer, INFINITE);
    CloseHandle(timer);
}

void itrh_sleep_ns(uint64_t ns) {
    uint64_t until_ns = itrh_now_ns() + ns;
    for (uint64_t now_ns = itrh_now_ns(); now_ns < until_ns; now_ns = itrh_now_ns()) {
        sleep_once(until_ns - now_ns);
    }
}

void itrh_windows_choose_sleep(void) {
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    if (GetProcAddress(ntdll, "wine_get_version") != NULL) {
        state.delay = (delay_fn)(uintptr_t)GetProcAddress(ntdll, "NtDelayExecution");
    }
}

/* ---- delivery ---- */

static bool find_ctrl_routine(const struct itrh_host *host) {
    uint64_t given = host->ledger->request.ctrl_routine;
    if (given != 0) {
        state.ctrl_routine = (LPTHREAD_START_ROUTINE)(uintptr_t)given;
        return true;
    }
    HMODULE kernelbase = GetModuleHandleW(L"kernelbase.dll");
    state.ctrl_routine =
        (LPTHREAD_START_ROUTINE)(uintptr_t)GetProcAddress(kernelbase, "CtrlRoutine");
    return state.ctrl_routine != NULL;
}

/* The event's thread starts right at CtrlRoutine, as the console would start it. CreateThread may
 * be hooked; this is what it calls. */
static DWORD send_by_ctrl_routine(struct itrh_host *host, uint32_t index, DWORD control) {
    struct itr_shot_reply *reply = &host->ledger->reply.shots[index];
    DWORD thread_id = 0;
    HANDLE thread = CreateRemoteThreadEx(GetCurrentProcess(), NULL, 0, state.ctrl_routine,
                                         (LPVOID)(uintptr_t)control, 0, NULL, &thread_id);
    if (thread == NULL) {
        return GetLastError();
    }
    reply->event_thread = thread_id;
    __atomic_store_n(&reply->thread_started_ns, itrh_now_ns(), __ATOMIC_RELEASE);
    __atomic_store_n(&state.event_thread[index], thread, __ATOMIC_RELEASE);
    return 0;
}

static DWORD send_event(struct itrh_host *host, uint32_t index) {
    const struct itr_shot_request *shot = &host->ledger->request.shots[index];
    DWORD control = itrh_windows_control_of(shot->event);
    if (shot->delivery == ITR_DELIVERY_CTRL_ROUTINE) {
        return send_by_ctrl_routine(host, index, control);
    }
    if (shot->delivery == ITR_DELIVERY_CONSOLE) {
        return GenerateConsoleCtrlEvent(control, 0) ? 0 : GetLastError();
    }
    return ERROR_NOT_SUPPORTED;
}

bool itrh_send(struct itrh_host *host, uint32_t event) {
    DWORD control = itrh_windows_control_of(event);
    HANDLE thread = NULL;
    if (control != MAXDWORD && find_ctrl_routine(host)) {
        thread = CreateRemoteThreadEx(GetCurrentProcess(), NULL, 0, state.ctrl_routine, (LPVOID)(uintptr_t)control, 0,
                                      NULL, NULL);
    }
    if (thread == NULL) {
        return itrh_windows_fail("cannot send one more event");
    }
    CloseHandle(thread);
    return true;
}

/* When the event's own thread came to the handlers: Wine raises DBG_CONTROL_C or _BREAK there, which is recorded, Windows
 * does so for a debugger only. 0: not yet. UINT64_MAX: it cannot be seen. */
static uint64_t began_ns(const struct itrh_host *host, uint32_t index) {
    const struct itr_ledger_reply *reply = &host->ledger->reply;
    uint32_t thread = reply->shots[index].event_thread;
    bool recorded = (host->ledger->request.flags & ITR_HOST_RECORD_EXCEPTIONS) != 0;
    if (state.delay == NULL || !recorded || thread == 0) {
        return UINT64_MAX;
    }
    uint32_t count = __atomic_load_n(&reply->exception_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count && i < ITR_EXCEPTIONS_MAX; i++) {
        if (reply->exceptions[i].thread == thread) {
            return reply->exceptions[i].time_ns;
        }
    }
    return count > ITR_EXCEPTIONS_MAX ? UINT64_MAX : 0;
}

/* Until when a thread is held that was stopped at `from_ns`. As under a debugger, `hold_ns` counts from the moment at
 * which the event's thread comes to the handlers: on a busy machine the way there alone can take longer, and the event
 * would then meet a runtime that has gone on. */
static uint64_t hold_until_ns(const struct itrh_host *host, uint32_t index, uint64_t from_ns) {
    const struct itr_shot_request *shot = &host->ledger->request.shots[index];
    uint64_t began = began_ns(host, index);
    uint64_t longest_ns = shot->hold_ns > BEGIN_NS ? shot->hold_ns : BEGIN_NS;
    return began == UINT64_MAX ? from_ns + shot->hold_ns : began != 0 ? began + shot->hold_ns : from_ns + longest_ns;
}

/* Keeps the calling thread where it is until the event's thread ended, a handler entry more than
 * `before` was made, or its time is up. */
static void hold(const struct itrh_host *host, uint32_t index, uint32_t before) {
    const struct itr_ledger_reply *reply = &host->ledger->reply;
    uint64_t from_ns = itrh_now_ns();
    HANDLE handles[2] = {itrh_windows_handled_for_hold(), state.event_thread[index]};
    DWORD count = handles[1] != NULL ? 2 : 1;
    for (;;) {
        uint64_t now_ns = itrh_now_ns();
        uint64_t until_ns = hold_until_ns(host, index, from_ns);
        if (__atomic_load_n(&reply->handled_count, __ATOMIC_ACQUIRE) != before ||
            now_ns >= until_ns) {
            return;
        }
        uint64_t left_ns = until_ns - now_ns;
        left_ns = left_ns > LOOK_NS ? LOOK_NS : left_ns;
        DWORD left_ms = (DWORD)(left_ns / 1000000u + 1u);
        if (WaitForMultipleObjects(count, handles, FALSE, left_ms) == WAIT_OBJECT_0 + 1) {
            return;
        }
    }
}

void itrh_fire(struct itrh_host *host, uint32_t index) {
    const struct itr_shot_request *shot = &host->ledger->request.shots[index];
    struct itr_shot_reply *reply = &host->ledger->reply.shots[index];
    DWORD saved_error = GetLastError();

    if (InterlockedExchange(&state.shot_taken[index], 1) != 0) {
        return;
    }
    itrh_windows_record_exceptions_first();
    uint32_t before = __atomic_load_n(&host->ledger->reply.handled_count, __ATOMIC_ACQUIRE);
    reply->sender_thread = itrh_thread_id();
    uint64_t now_ns = itrh_now_ns();
    if (reply->requested_ns == 0) {
        reply->requested_ns = now_ns;
    }
    __atomic_store_n(&reply->fired_ns, now_ns, __ATOMIC_RELEASE);
    reply->send_error = (int32_t)send_event(host, index);
    __atomic_store_n(&reply->sent_ns, itrh_now_ns(), __ATOMIC_RELEASE);
    SetEvent(state.wake_firing);
    bool holds = shot->where == ITR_WHERE_CALL || shot->where == ITR_WHERE_GATE;
    if (holds && shot->hold_ns > 0 && reply->send_error == 0) {
        hold(host, index, before);
        reply->released_ns = itrh_now_ns();
    }
    SetLastError(saved_error);
}

/* ---- marks ---- */

bool itrh_windows_request_shots(struct itrh_host *host, enum itr_phase phase, uint64_t now_ns) {
    struct itr_ledger *ledger = host->ledger;
    bool due = false;
    for (uint32_t i = 0; i < itrh_windows_shot_count(host); i++) {
        const struct itr_shot_request *shot = &ledger->request.shots[i];
        if (shot->where == ITR_WHERE_PHASE && shot->phase == (uint32_t)phase) {
            ledger->reply.shots[i].requested_ns = now_ns + shot->offset_ns;
            due = true;
        }
    }
    return due;
}

void itrh_windows_wake_firing(void) {
    if (state.wake_firing != NULL) {
        SetEvent(state.wake_firing);
    }
}

/* ---- the firing thread ---- */

/* Index of the unfired shot whose moment comes first, among those whose phase was reached;
 * ITR_SHOTS_MAX if there is none. */
static uint32_t next_shot(const struct itrh_host *host, uint64_t *due_ns) {
    const struct itr_ledger *ledger = host->ledger;
    uint32_t next = ITR_SHOTS_MAX;
    for (uint32_t i = 0; i < itrh_windows_shot_count(host); i++) {
        const struct itr_shot_request *shot = &ledger->request.shots[i];
        if (shot->where != ITR_WHERE_PHASE || shot->phase >= ITR_PHASE_COUNT ||
            state.shot_taken[i]) {
            continue;
        }
        uint64_t phase_ns = __atomic_load_n(&ledger->reply.phase_ns[shot->phase], __ATOMIC_ACQUIRE);
        if (phase_ns != 0 && (next == ITR_SHOTS_MAX || phase_ns + shot->offset_ns < *due_ns)) {
            next = i;
            *due_ns = phase_ns + shot->offset_ns;
        }
    }
    return next;
}

static void sleep_then_spin(uint64_t due_ns) {
    uint64_t now_ns = itrh_now_ns();
    if (now_ns + SPIN_NS < due_ns) {
        sleep_once(due_ns - SPIN_NS - now_ns);
    }
    while (itrh_now_ns() < due_ns) {
        YieldProcessor();
    }
}

/* Notes in the ledger every event thread that has ended; fills `handles` with those that still
 * run. */
static DWORD watch_event_threads(struct itrh_host *host, HANDLE *handles) {
    DWORD count = 0;
    for (uint32_t i = 0; i < itrh_windows_shot_count(host); i++) {
        struct itr_shot_reply *reply = &host->ledger->reply.shots[i];
        HANDLE thread = __atomic_load_n(&state.event_thread[i], __ATOMIC_ACQUIRE);
        if (thread == NULL || reply->thread_ended_ns != 0) {
            continue;
        }
        if (WaitForSingleObject(thread, 0) != WAIT_OBJECT_0) {
            handles[count++] = thread;
            continue;
        }
        DWORD code = 0;
        GetExitCodeThread(thread, &code);
        reply->event_thread_exit = code;
        __atomic_store_n(&reply->thread_ended_ns, itrh_now_ns(), __ATOMIC_RELEASE);
    }
    return count;
}

/* Fires what is due and returns true, or sets `timer` for what is due later. */
static bool fire_next(struct itrh_host *host, HANDLE timer) {
    uint64_t due_ns = 0;
    uint32_t next = next_shot(host, &due_ns);
    uint64_t now_ns = itrh_now_ns();
    if (next == ITR_SHOTS_MAX) {
        return false;
    }
    if (due_ns > now_ns + ALONE_NS) {
        set_timer(timer, due_ns - ALONE_NS - now_ns);
        return false;
    }
    sleep_then_spin(due_ns);
    itrh_fire(host, next);
    return true;
}

static DWORD WINAPI firing_thread(void *argument) {
    HANDLE timer = make_timer();
    HANDLE handles[2 + ITR_SHOTS_MAX] = {state.wake_firing, timer};
    DWORD running = 0;
    SetEvent(state.firing_ready);
    do {
        while (fire_next(argument, timer)) {
        }
        running = watch_event_threads(argument, handles + 2);
    } while (WaitForMultipleObjects(2 + running, handles, FALSE, INFINITE) != WAIT_FAILED);
    return 0;
}

static bool arm_shot(struct itrh_host *host, uint32_t index) {
    const struct itr_shot_request *shot = &host->ledger->request.shots[index];
    if (itrh_windows_control_of(shot->event) == MAXDWORD) {
        itrh_fail(host, 0, "the event has no console control event on this system");
        return false;
    }
    if (shot->delivery == ITR_DELIVERY_CTRL_ROUTINE && !find_ctrl_routine(host)) {
        return itrh_windows_fail("CtrlRoutine is not exported here and the request does not name it");
    }
    if (shot->where == ITR_WHERE_CALL && !itrh_hooks_install(host, (enum itr_call)shot->call)) {
        itrh_fail(host, 0, "this host was linked without hooks for that call, or cannot hook it");
        return false;
    }
    return shot->where != ITR_WHERE_GATE || itrh_windows_gate_arm(host, index);
}

/* Returns once the thread runs: under Wine its start takes longer than many an offset. */
static bool start_firing_thread(struct itrh_host *host) {
    state.wake_firing = CreateEventW(NULL, FALSE, FALSE, NULL);
    state.firing_ready = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (state.wake_firing == NULL || state.firing_ready == NULL) {
        return itrh_windows_fail("CreateEvent failed");
    }
    HANDLE thread = CreateThread(NULL, FIRING_STACK_BYTES, firing_thread, host,
                                 STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == NULL) {
        return itrh_windows_fail("cannot start the firing thread");
    }
    HANDLE handles[2] = {state.firing_ready, thread};
    DWORD woken = WaitForMultipleObjects(2, handles, FALSE, INFINITE);
    CloseHandle(thread);
    if (woken != WAIT_OBJECT_0) {
        itrh_fail(host, 0, "the firing thread ended at once");
        return false;
    }
    return true;
}

bool itrh_arm(struct itrh_host *host) {
    bool needs_thread = false;
    itrh_windows_record_exceptions_first();
    for (uint32_t i = 0; i < itrh_windows_shot_count(host); i++) {
        const struct itr_shot_request *shot = &host->ledger->request.shots[i];
        if (shot->where == ITR_WHERE_POINT) {
            continue;
        }
        if (!arm_shot(host, i)) {
            return false;
        }
        needs_thread = true;
    }
    if (!needs_thread) {
        return true;
    }
    return start_firing_thread(host);
}
