/* The host side on Windows: ledger, marks, exception record, console handler, load, call and wait. It
 * fires nothing (host_fire.c does), counts no calls (host_hooks.c does) and decides nothing: the
 * runner reads the ledger. */
#include "platform/host.h"
#include "platform/windows/host_windows.h"

#include <windows.h>
#include <winternl.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What handlers must reach without an argument. One host a process. */
static struct {
    struct itrh_host *host;
    HANDLE handled_for_wait; /* auto-reset: the host's handler was entered */
    HANDLE handled_for_hold;
    PVOID exception_record;
    uintptr_t library_begin;
    uintptr_t library_end;
} state;

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

bool itrh_windows_fail(const char *text) {
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
    itrh_windows_choose_sleep();
    if ((host->ledger->request.flags & ITR_HOST_OWN_CONSOLE) != 0 && !make_own_console()) {
        return itrh_windows_fail("cannot make a console of the host's own");
    }
    host->ledger->reply.process = GetCurrentProcessId();
    host->ledger->reply.main_thread = itrh_thread_id();
    host->ledger->reply.host_base = (uint64_t)(uintptr_t)GetModuleHandleW(NULL);
    itrh_mark(host, ITR_PHASE_HOST_STARTED);
    return true;
}

uint32_t itrh_windows_shot_count(const struct itrh_host *host) {
    uint32_t count = host->ledger->request.shot_count;
    return count < ITR_SHOTS_MAX ? count : ITR_SHOTS_MAX;
}

void itrh_mark(struct itrh_host *host, enum itr_phase phase) {
    uint64_t now_ns = itrh_now_ns();
    bool due = itrh_windows_request_shots(host, phase, now_ns);
    __atomic_store_n(&host->ledger->reply.phase_ns[phase], now_ns, __ATOMIC_RELEASE);
    if (due) {
        itrh_windows_wake_firing();
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

void itrh_windows_record_exceptions_first(void) {
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

DWORD itrh_windows_control_of(uint32_t event) {
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
        if (itrh_windows_control_of(event) == control) {
            return event;
        }
    }
    return ITR_EVENT_NONE;
}

static bool is_handled(DWORD control) {
    const struct itr_ledger_request *request = &state.host->ledger->request;
    for (uint32_t i = 0; i < request->handler_count && i < ITR_SHOTS_MAX; i++) {
        if (itrh_windows_control_of(request->handlers[i]) == control) {
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

HANDLE itrh_windows_handled_for_hold(void) {
    return state.handled_for_hold;
}

bool itrh_install_handlers(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    state.handled_for_wait = CreateEventW(NULL, FALSE, FALSE, NULL);
    state.handled_for_hold = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (state.handled_for_wait == NULL || state.handled_for_hold == NULL) {
        return itrh_windows_fail("CreateEvent failed");
    }
    for (uint32_t i = 0; i < request->handler_count && i < ITR_SHOTS_MAX; i++) {
        if (itrh_windows_control_of(request->handlers[i]) == MAXDWORD) {
            itrh_fail(host, 0, "the event has no console control event on this system");
            return false;
        }
    }
    /* A process started with CREATE_NEW_PROCESS_GROUP, or by a parent that ignored Ctrl-C, would
     * never hear CTRL_C. */
    SetConsoleCtrlHandler(NULL, FALSE);
    bool wanted = (request->flags & ITR_HOST_NO_HANDLERS) == 0 && request->handler_count > 0;
    if (wanted && !SetConsoleCtrlHandler(on_control, TRUE)) {
        return itrh_windows_fail("SetConsoleCtrlHandler failed");
    }
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    return true;
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
    itrh_windows_gate_write(state.library_begin, state.library_end);
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
        return itrh_windows_fail("LoadLibrary failed");
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
        return itrh_windows_fail("the library's path is not UTF-8");
    }
    return load_library(host, path);
}

bool itrh_call(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    int (*function)(void) = NULL;
    if (host->library != NULL && request->function[0] != '\0') {
        FARPROC address = GetProcAddress(host->library, request->function);
        if (address == NULL) {
            return itrh_windows_fail("the library does not export the function");
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
    for (uint32_t i = 0; i < itrh_windows_shot_count(host); i++) {
        if (__atomic_load_n(&reply->shots[i].sent_ns, __ATOMIC_ACQUIRE) == 0) {
            return false;
        }
    }
    return __atomic_load_n(&reply->handled_count, __ATOMIC_ACQUIRE) >= itrh_windows_shot_count(host);
}

/* An event's own thread that is still on its way out of CtrlRoutine when the process ends can stall the
 * exit (seen under Wine: 1 of 300 after CTRL_CLOSE). It gets a moment to end first. */
static void let_event_threads_end(struct itrh_host *host) {
    uint64_t until_ns = itrh_now_ns() + 100000000u;
    for (uint32_t i = 0; i < host->ledger->request.shot_count && i < ITR_SHOTS_MAX; i++) {
        volatile struct itr_shot_reply *shot = &host->ledger->reply.shots[i];
        while (shot->thread_started_ns != 0 && shot->thread_ended_ns == 0 && itrh_now_ns() < until_ns) {
            Sleep(1);
        }
    }
}

void itrh_wait(struct itrh_host *host) {
    itrh_mark(host, ITR_PHASE_WAITING);
    while (!all_heard(host)) {
        /* A shot's sent_ns may follow its handler's entry: look again now and then. */
        WaitForSingleObject(state.handled_for_wait, 10);
    }
    let_event_threads_end(host);
}

int itrh_finish(struct itrh_host *host) {
    itrh_mark(host, ITR_PHASE_FINISHED);
    return 0;
}
