/* The host side on Windows: ledger, exception record, console handler, firing thread, load, call
 * and wait. It counts no calls (host_hooks.c does) and decides nothing: the runner reads the
 * ledger. */
#include "platform/host.h"
#include "platform/windows/host_windows.h"

#include <windows.h>
#include <winternl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

typedef NTSTATUS(NTAPI *delay_fn)(BOOLEAN alertable, LARGE_INTEGER *interval);

/* What handlers and the firing thread must reach without an argument. One host a process. */
static struct {
    struct itrh_host *host;
    LPTHREAD_START_ROUTINE ctrl_routine;
    volatile LONG shot_taken[ITR_SHOTS_MAX];     /* set by the one that fires it */
    HANDLE volatile event_thread[ITR_SHOTS_MAX]; /* set once the event's own thread exists */
    bool event_thread_watched[ITR_SHOTS_MAX];    /* of the firing thread only */
    HANDLE wake_firing;      /* auto-reset: a phase was marked or a shot was sent */
    HANDLE firing_ready;     /* the firing thread runs */
    HANDLE handled_for_wait; /* auto-reset: the host's handler was entered */
    HANDLE handled_for_hold;
    PVOID exception_record;
    delay_fn delay; /* NULL: use `sleep_timer` */
    uintptr_t library_begin;
    uintptr_t library_end;
} state;

/* ---- time ---- */

uint64_t itrh_now_ns(void) {
    static LARGE_INTEGER frequency;
    LARGE_INTEGER counter;
    if (frequency.QuadPart == 0) {
        QueryPerformanceFrequency(&frequency);
    }
    QueryPerformanceCounter(&counter);
    uint64_t ticks = (uint64_t)counter.QuadPart;
    uint64_t ticks_per_s = (uint64_t)frequency.QuadPart;
    return ticks / ticks_per_s * 1000000000u + ticks % ticks_per_s * 1000000000u / ticks_per_s;
}

uint32_t itrh_thread_id(void) {
    return (uint32_t)GetCurrentThreadId();
}

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

static void find_delay(void) {
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    if (GetProcAddress(ntdll, "wine_get_version") != NULL) {
        state.delay = (delay_fn)(uintptr_t)GetProcAddress(ntdll, "NtDelayExecution");
    }
}

/* ---- ledger ---- */

int itrh_fail(struct itrh_host *host, int64_t os_code, const char *text) {
    struct itr_ledger_reply *reply = &host->ledger->reply;
    if (!host->attached) {
        fprintf(stderr, "host: %s (error %lld)\n", text, (long long)os_code);
    }
    snprintf(reply->host_error, sizeof reply->host_error, "%s", text);
    reply->host_error_code = os_code;
    __atomic_store_n(&reply->host_failed, 1, __ATOMIC_RELEASE);
    return ITRH_EXIT_SETUP;
}

static bool fail_here(const char *text) {
    itrh_fail(state.host, GetLastError(), text);
    return false;
}

static bool attach(struct itrh_host *host, const char *name) {
    char *end = NULL;
    bool prefixed = strncmp(name, "handle:0x", 9) == 0;
    unsigned long long number = prefixed ? strtoull(name + 9, &end, 16) : 0;
    if (number == 0 || *end != '\0') {
        fprintf(stderr, "host: %s=%s: expected handle:0xNUMBER\n", ITR_LEDGER_VARIABLE, name);
        return false;
    }
    HANDLE section = (HANDLE)(uintptr_t)number;
    struct itr_ledger *block =
        MapViewOfFile(section, FILE_MAP_READ | FILE_MAP_WRITE, 0, 0, ITR_LEDGER_BYTES);
    if (block == NULL) {
        fprintf(stderr, "host: %s=%s: cannot map it: error %lu\n", ITR_LEDGER_VARIABLE, name,
                GetLastError());
        return false;
    }
    CloseHandle(section);
    if (block->magic != ITR_LEDGER_MAGIC || block->version != ITR_LEDGER_VERSION) {
        fprintf(stderr,
                "host: the ledger is of another version (%u, this host has %u): rebuild the host\n",
                block->version, ITR_LEDGER_VERSION);
        UnmapViewOfFile(block);
        return false;
    }
    host->ledger = block;
    host->attached = true;
    return true;
}

static bool stand_alone(struct itrh_host *host, const char *library, const char *function) {
    static struct itr_ledger alone;
    host->ledger = &alone;
    snprintf(alone.request.library, sizeof alone.request.library, "%s", library ? library : "");
    snprintf(alone.request.function, sizeof alone.request.function, "%s", function ? function : "");
    return true;
}

/* Leaves the standard streams as they are: AllocConsole() would point them at the new console. */
static bool make_own_console(void) {
    static const DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    HANDLE before[3];
    for (int i = 0; i < 3; i++) {
        before[i] = GetStdHandle(streams[i]);
    }
    FreeConsole();
    BOOL made = AllocConsole();
    DWORD error = GetLastError();
    for (int i = 0; i < 3; i++) {
        SetStdHandle(streams[i], before[i]);
    }
    SetLastError(error);
    return made;
}

bool itrh_open(struct itrh_host *host, const char *library, const char *function) {
    const char *name = getenv(ITR_LEDGER_VARIABLE);
    bool opened = name != NULL ? attach(host, name) : stand_alone(host, library, function);
    if (!opened) {
        return false;
    }
    state.host = host;
    find_delay();
    if ((host->ledger->request.flags & ITR_HOST_OWN_CONSOLE) != 0 && !make_own_console()) {
        return fail_here("cannot make a console of the host's own");
    }
    host->ledger->reply.process = GetCurrentProcessId();
    host->ledger->reply.main_thread = itrh_thread_id();
    itrh_mark(host, ITR_PHASE_HOST_STARTED);
    return true;
}

static uint32_t shot_count(const struct itrh_host *host) {
    uint32_t count = host->ledger->request.shot_count;
    return count < ITR_SHOTS_MAX ? count : ITR_SHOTS_MAX;
}

void itrh_mark(struct itrh_host *host, enum itr_phase phase) {
    struct itr_ledger *ledger = host->ledger;
    uint64_t now_ns = itrh_now_ns();
    bool due = false;
    for (uint32_t i = 0; i < shot_count(host); i++) {
        const struct itr_shot_request *shot = &ledger->request.shots[i];
        if (shot->where == ITR_WHERE_PHASE && shot->phase == (uint32_t)phase) {
            ledger->reply.shots[i].requested_ns = now_ns + shot->offset_ns;
            due = true;
        }
    }
    __atomic_store_n(&ledger->reply.phase_ns[phase], now_ns, __ATOMIC_RELEASE);
    if (due && state.wake_firing != NULL) {
        SetEvent(state.wake_firing);
    }
}

/* Takes an entry of the ledger for the caller alone, by its time; false if somebody else has it. */
static bool claim(uint64_t *entry_ns, uint64_t now_ns) {
    uint64_t free_ns = 0;
    return __atomic_compare_exchange_n(entry_ns, &free_ns, now_ns, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_RELAXED);
}

/* ---- exceptions ---- */

static uint64_t module_of(const void *pc) {
    MEMORY_BASIC_INFORMATION page;
    if (VirtualQuery(pc, &page, sizeof page) == 0 || page.Type != MEM_IMAGE) {
        return 0;
    }
    return (uint64_t)(uintptr_t)page.AllocationBase;
}

/* Runs first in every exception dispatch, also 850 deep on one stack (Go 1.19): small, no lock, no
 * allocation, and never the one that handles it. */
static LONG CALLBACK record_exception(EXCEPTION_POINTERS *pointers) {
    const EXCEPTION_RECORD *from = pointers->ExceptionRecord;
    struct itr_ledger_reply *reply = &state.host->ledger->reply;
    bool access = from->ExceptionCode == EXCEPTION_ACCESS_VIOLATION && from->NumberParameters >= 2;
    struct itr_exception record = {
        .time_ns = itrh_now_ns(),
        .pc = (uint64_t)(uintptr_t)from->ExceptionAddress,
        .address = access ? from->ExceptionInformation[1] : 0,
        .module_base = module_of(from->ExceptionAddress),
        .code = from->ExceptionCode,
        .flags = from->ExceptionFlags,
        .thread = itrh_thread_id(),
        .access = access ? (uint32_t)from->ExceptionInformation[0] : 0,
    };
    uint32_t index = __atomic_load_n(&reply->exception_count, __ATOMIC_RELAXED);
    while (index < ITR_EXCEPTIONS_MAX &&
           !claim(&reply->exceptions[index].time_ns, record.time_ns)) {
        index++;
    }
    if (index < ITR_EXCEPTIONS_MAX) {
        reply->exceptions[index] = record;
    }
    reply->last_exception = record;
    __atomic_add_fetch(&reply->exception_count, 1, __ATOMIC_ACQ_REL);
    return EXCEPTION_CONTINUE_SEARCH;
}

/* The runtime puts its own handler first while it starts; this puts ours before it again. */
static void record_exceptions_first(void) {
    if ((state.host->ledger->request.flags & ITR_HOST_RECORD_EXCEPTIONS) == 0) {
        return;
    }
    PVOID before = __atomic_exchange_n(&state.exception_record, NULL, __ATOMIC_ACQ_REL);
    PVOID now = AddVectoredExceptionHandler(1, record_exception);
    if (before != NULL) {
        RemoveVectoredExceptionHandler(before);
    }
    __atomic_store_n(&state.exception_record, now, __ATOMIC_RELEASE);
}

/* ---- the host's own handler ---- */

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

static uint32_t event_of(DWORD control) {
    for (uint32_t event = 0; event < ITR_EVENT_COUNT; event++) {
        if (control_of(event) == control) {
            return event;
        }
    }
    return ITR_EVENT_NONE;
}

static bool is_handled(DWORD control) {
    const struct itr_ledger_request *request = &state.host->ledger->request;
    for (uint32_t i = 0; i < request->handler_count && i < ITR_SHOTS_MAX; i++) {
        if (control_of(request->handlers[i]) == control) {
            return true;
        }
    }
    return false;
}

static BOOL WINAPI on_control(DWORD control) {
    struct itr_ledger_reply *reply = &state.host->ledger->reply;
    uint64_t now_ns = itrh_now_ns();
    if (!is_handled(control)) {
        return FALSE;
    }
    uint32_t index = __atomic_load_n(&reply->handled_count, __ATOMIC_RELAXED);
    while (index < ITR_HANDLED_MAX && !claim(&reply->handled[index].entered_ns, now_ns)) {
        index++;
    }
    if (index < ITR_HANDLED_MAX) {
        reply->handled[index].event = event_of(control);
        reply->handled[index].thread = itrh_thread_id();
    }
    __atomic_add_fetch(&reply->handled_count, 1, __ATOMIC_ACQ_REL);
    SetEvent(state.handled_for_wait);
    SetEvent(state.handled_for_hold);
    return TRUE;
}

bool itrh_install_handlers(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    state.handled_for_wait = CreateEventW(NULL, FALSE, FALSE, NULL);
    state.handled_for_hold = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (state.handled_for_wait == NULL || state.handled_for_hold == NULL) {
        return fail_here("CreateEvent failed");
    }
    for (uint32_t i = 0; i < request->handler_count && i < ITR_SHOTS_MAX; i++) {
        if (control_of(request->handlers[i]) == MAXDWORD) {
            itrh_fail(host, 0, "the event has no console control event on this system");
            return false;
        }
    }
    /* A process started with CREATE_NEW_PROCESS_GROUP, or by a parent that ignored Ctrl-C, would
     * never hear CTRL_C. */
    SetConsoleCtrlHandler(NULL, FALSE);
    bool wanted = (request->flags & ITR_HOST_NO_HANDLERS) == 0 && request->handler_count > 0;
    if (wanted && !SetConsoleCtrlHandler(on_control, TRUE)) {
        return fail_here("SetConsoleCtrlHandler failed");
    }
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    return true;
}

/* ---- firing ---- */

/* The event's thread starts right at CtrlRoutine, as the console would start it. CreateThread may
 * be hooked; this is what it calls. */
static DWORD send_by_ctrl_routine(uint32_t index, DWORD control) {
    struct itr_shot_reply *reply = &state.host->ledger->reply.shots[index];
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

static DWORD send_event(uint32_t index) {
    const struct itr_shot_request *shot = &state.host->ledger->request.shots[index];
    DWORD control = control_of(shot->event);
    if (shot->delivery == ITR_DELIVERY_CTRL_ROUTINE) {
        return send_by_ctrl_routine(index, control);
    }
    if (shot->delivery == ITR_DELIVERY_CONSOLE) {
        return GenerateConsoleCtrlEvent(control, 0) ? 0 : GetLastError();
    }
    return ERROR_NOT_SUPPORTED;
}

/* Keeps the calling thread where it is until the event's thread ended, a handler entry more than
 * `before` was made, or `hold_ns` passed. */
static void hold(uint32_t index, uint32_t before, uint64_t hold_ns) {
    const struct itr_ledger_reply *reply = &state.host->ledger->reply;
    uint64_t until_ns = itrh_now_ns() + hold_ns;
    HANDLE handles[2] = {state.handled_for_hold, state.event_thread[index]};
    DWORD count = handles[1] != NULL ? 2 : 1;
    for (;;) {
        uint64_t now_ns = itrh_now_ns();
        if (__atomic_load_n(&reply->handled_count, __ATOMIC_ACQUIRE) != before ||
            now_ns >= until_ns) {
            return;
        }
        DWORD left_ms = (DWORD)((until_ns - now_ns) / 1000000u + 1u);
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
    record_exceptions_first();
    uint32_t before = __atomic_load_n(&host->ledger->reply.handled_count, __ATOMIC_ACQUIRE);
    reply->sender_thread = itrh_thread_id();
    uint64_t now_ns = itrh_now_ns();
    if (reply->requested_ns == 0) {
        reply->requested_ns = now_ns;
    }
    __atomic_store_n(&reply->fired_ns, now_ns, __ATOMIC_RELEASE);
    reply->send_error = (int32_t)send_event(index);
    __atomic_store_n(&reply->sent_ns, itrh_now_ns(), __ATOMIC_RELEASE);
    SetEvent(state.wake_firing);
    if (shot->where == ITR_WHERE_CALL && shot->hold_ns > 0 && reply->send_error == 0) {
        hold(index, before, shot->hold_ns);
        reply->released_ns = itrh_now_ns();
    }
    SetLastError(saved_error);
}

/* Index of the unfired shot whose moment comes first, among those whose phase was reached;
 * ITR_SHOTS_MAX if there is none. */
static uint32_t next_shot(uint64_t *due_ns) {
    const struct itr_ledger *ledger = state.host->ledger;
    uint32_t next = ITR_SHOTS_MAX;
    for (uint32_t i = 0; i < shot_count(state.host); i++) {
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
static DWORD watch_event_threads(HANDLE *handles) {
    DWORD count = 0;
    for (uint32_t i = 0; i < shot_count(state.host); i++) {
        struct itr_shot_reply *reply = &state.host->ledger->reply.shots[i];
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
    uint32_t next = next_shot(&due_ns);
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
        running = watch_event_threads(handles + 2);
    } while (WaitForMultipleObjects(2 + running, handles, FALSE, INFINITE) != WAIT_FAILED);
    return 0;
}

static bool find_ctrl_routine(void) {
    uint64_t given = state.host->ledger->request.ctrl_routine;
    if (given != 0) {
        state.ctrl_routine = (LPTHREAD_START_ROUTINE)(uintptr_t)given;
        return true;
    }
    HMODULE kernelbase = GetModuleHandleW(L"kernelbase.dll");
    state.ctrl_routine =
        (LPTHREAD_START_ROUTINE)(uintptr_t)GetProcAddress(kernelbase, "CtrlRoutine");
    return state.ctrl_routine != NULL;
}

static bool arm_shot(struct itrh_host *host, const struct itr_shot_request *shot) {
    if (control_of(shot->event) == MAXDWORD) {
        itrh_fail(host, 0, "the event has no console control event on this system");
        return false;
    }
    if (shot->delivery == ITR_DELIVERY_CTRL_ROUTINE && !find_ctrl_routine()) {
        return fail_here("CtrlRoutine is not exported here and the request does not name it");
    }
    if (shot->where == ITR_WHERE_CALL && !itrh_hooks_install(host, (enum itr_call)shot->call)) {
        itrh_fail(host, 0, "this host was linked without hooks for that call, or cannot hook it");
        return false;
    }
    return true;
}

/* Returns once the thread runs: under Wine its start takes longer than many an offset. */
static bool start_firing_thread(struct itrh_host *host) {
    state.wake_firing = CreateEventW(NULL, FALSE, FALSE, NULL);
    state.firing_ready = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (state.wake_firing == NULL || state.firing_ready == NULL) {
        return fail_here("CreateEvent failed");
    }
    HANDLE thread = CreateThread(NULL, FIRING_STACK_BYTES, firing_thread, host,
                                 STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (thread == NULL) {
        return fail_here("cannot start the firing thread");
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
    record_exceptions_first();
    for (uint32_t i = 0; i < shot_count(host); i++) {
        const struct itr_shot_request *shot = &host->ledger->request.shots[i];
        if (shot->where == ITR_WHERE_POINT) {
            continue;
        }
        if (!arm_shot(host, shot)) {
            return false;
        }
        needs_thread = true;
    }
    if (!needs_thread) {
        return true;
    }
    return start_firing_thread(host);
}

/* ---- scenario ---- */

/* What LdrRegisterDllNotification's callback is given; documented by Microsoft, in no header. */
struct dll_notification {
    ULONG flags;
    const UNICODE_STRING *full_name;
    const UNICODE_STRING *base_name;
    PVOID base;
    ULONG bytes;
};
#define DLL_LOADED 1
typedef VOID(CALLBACK *dll_notification_fn)(ULONG reason, const struct dll_notification *data,
                                            PVOID context);
typedef NTSTATUS(NTAPI *register_dll_notification_fn)(ULONG flags, dll_notification_fn callback,
                                                      PVOID context, PVOID *cookie);

bool itrh_windows_in_library(uintptr_t address) {
    return address >= state.library_begin && address < state.library_end;
}

/* Called under the loader lock, before any code of the module runs. `context` is the file name of
 * the library. */
static VOID CALLBACK on_dll(ULONG reason, const struct dll_notification *data, PVOID context) {
    const wchar_t *name = context;
    size_t length = data->base_name->Length / sizeof(wchar_t);
    if (reason != DLL_LOADED || state.library_end != 0 || wcslen(name) != length ||
        _wcsnicmp(name, data->base_name->Buffer, length) != 0) {
        return;
    }
    state.library_begin = (uintptr_t)data->base;
    state.library_end = state.library_begin + data->bytes;
    state.host->ledger->reply.library_base = state.library_begin;
}

static void watch_library(wchar_t *path) {
    static PVOID cookie;
    register_dll_notification_fn watch = (register_dll_notification_fn)(uintptr_t)GetProcAddress(
        GetModuleHandleW(L"ntdll.dll"), "LdrRegisterDllNotification");
    wchar_t *name = path;
    for (wchar_t *at = path; *at != L'\0'; at++) {
        if (*at == L'\\' || *at == L'/') {
            name = at + 1;
        }
    }
    if (watch != NULL) {
        watch(0, on_dll, name, &cookie);
    }
}

static bool load_library(struct itrh_host *host, wchar_t *path) {
    struct itr_ledger *ledger = host->ledger;
    watch_library(path);
    itrh_mark(host, ITR_PHASE_LOAD_BEGIN);
    host->library = LoadLibraryW(path);
    if (host->library == NULL) {
        return fail_here("LoadLibrary failed");
    }
    itrh_mark(host, ITR_PHASE_LOAD_RETURNED);
    ledger->reply.library_base = (uint64_t)(uintptr_t)host->library;
    return true;
}

bool itrh_load(struct itrh_host *host) {
    static wchar_t path[ITR_LIBRARY_MAX]; /* the loader's notification refers to it from now on */
    const char *library = host->ledger->request.library;
    if (library[0] == '\0') {
        itrh_mark(host, ITR_PHASE_LOAD_BEGIN);
        itrh_mark(host, ITR_PHASE_LOAD_RETURNED);
        return true;
    }
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, library, -1, path, ITR_LIBRARY_MAX) ==
        0) {
        return fail_here("the library's path is not UTF-8");
    }
    return load_library(host, path);
}

bool itrh_call(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    int (*function)(void) = NULL;
    if (host->library != NULL && request->function[0] != '\0') {
        FARPROC address = GetProcAddress(host->library, request->function);
        if (address == NULL) {
            return fail_here("the library does not export the function");
        }
        memcpy(&function, &address, sizeof function);
    }
    itrh_mark(host, ITR_PHASE_CALL_BEGIN);
    if (function != NULL) {
        host->ledger->reply.call_result = (uint64_t)(int64_t)function();
    }
    itrh_mark(host, ITR_PHASE_INIT_DONE);
    return true;
}

static bool all_heard(const struct itrh_host *host) {
    const struct itr_ledger_reply *reply = &host->ledger->reply;
    for (uint32_t i = 0; i < shot_count(host); i++) {
        if (__atomic_load_n(&reply->shots[i].sent_ns, __ATOMIC_ACQUIRE) == 0) {
            return false;
        }
    }
    return __atomic_load_n(&reply->handled_count, __ATOMIC_ACQUIRE) >= shot_count(host);
}

void itrh_wait(struct itrh_host *host) {
    itrh_mark(host, ITR_PHASE_WAITING);
    while (!all_heard(host)) {
        /* A shot's sent_ns may follow its handler's entry: look again now and then. */
        WaitForSingleObject(state.handled_for_wait, 10);
    }
}

int itrh_finish(struct itrh_host *host) {
    itrh_mark(host, ITR_PHASE_FINISHED);
    return 0;
}

/* ---- misbehaviour on purpose ---- */

/* The child is this program, never let run: it lives for ever, does nothing, and cannot start
 * children of its own. Without `detach` it has this process's standard streams. */
uint32_t itrh_spawn_child(bool detach) {
    wchar_t program[MAX_PATH * 4];
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION child = {0};
    DWORD flags = CREATE_SUSPENDED | (detach ? DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP : 0u);

    if (GetModuleFileNameW(NULL, program, sizeof program / sizeof program[0]) == 0 ||
        !CreateProcessW(program, NULL, NULL, NULL, !detach, flags, NULL, NULL, &start, &child)) {
        return 0;
    }
    CloseHandle(child.hThread);
    CloseHandle(child.hProcess);
    return child.dwProcessId;
}

static BOOL WINAPI on_control_stay(DWORD control) {
    (void)control;
    Sleep(INFINITE);
    return TRUE;
}

void itrh_ignore_everything(void) {
    SetConsoleCtrlHandler(NULL, TRUE);
    SetConsoleCtrlHandler(on_control_stay, TRUE);
}

void itrh_close_descriptors(void) {
    static const DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (int i = 0; i < 3; i++) {
        HANDLE stream = GetStdHandle(streams[i]);
        SetStdHandle(streams[i], NULL);
        if (stream != NULL && stream != INVALID_HANDLE_VALUE) {
            CloseHandle(stream);
        }
    }
    FreeConsole();
}

_Noreturn void itrh_exit_now(uint32_t code) {
    TerminateProcess(GetCurrentProcess(), code);
    for (;;) {
        Sleep(INFINITE);
    }
}

/* movl $1, 8 with an absolute address, at a place that has a name. */
__asm__(".text\n"
        ".globl itrh_crash_site\n"
        "itrh_crash_site:\n"
        "    movl $1, 8\n"
        "    ud2\n");
_Noreturn extern void itrh_crash_site(void);

const void *itrh_crash_pc(void) {
    return (const void *)(uintptr_t)itrh_crash_site;
}

_Noreturn void itrh_crash(void) {
    itrh_crash_site();
}

bool itrh_write_error_stream(const void *data, uint64_t bytes) {
    const char *at = data;
    HANDLE stream = GetStdHandle(STD_ERROR_HANDLE);
    while (bytes > 0) {
        DWORD chunk = bytes < (1u << 20) ? (DWORD)bytes : 1u << 20;
        DWORD written = 0;
        if (!WriteFile(stream, at, chunk, &written, NULL)) {
            return false;
        }
        at += written;
        bytes -= written;
    }
    return true;
}
