/* A host that is sent more than one console control event, is loading from several threads, has the loader lock taken, or
 * goes on using its console handlers, while the library starts. The runner's shot is the first event; the others are this
 * host's own, sent when that one was. Whatever it is, each event must be heard. It does not decide what a trial was.
 *
 *   INITRACE_CONSOLE_WAY     once (the main thread loads the library), threads (three more load it at the same moment, all
 *                            call it), attach (another library's DllMain follows at once and holds the loader lock
 *                            for INITRACE_ATTACH_MS)
 *   INITRACE_CONSOLE_FURTHER number of further events, 0 to 14
 *   INITRACE_CONSOLE_KIND    of them: same (as the shot), CTRL_C, CTRL_BREAK, CTRL_CLOSE, CTRL_LOGOFF, CTRL_SHUTDOWN
 *   INITRACE_CONSOLE_GAP_US  between two of them: 0
 *   INITRACE_CONSOLE_AGAIN   1: once the event had its time, the host adds one more handler, and takes it away
 */
#include "platform/host.h"

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOADERS = 3, FURTHER_MAX = 14 };

#define LOOK_NS UINT64_C(100000) /* between two looks at whether the shot was sent */
/* Patience is counted in short sleeps, not in time: on a starved machine it lasts as much longer as they do. All of it is less
 * than what the runner takes for a hang. */
#define ROUND_MS     10u
#define EVENT_ROUNDS 60u
#define ADD_ROUNDS   100u

enum way { WAY_ONCE, WAY_THREADS, WAY_ATTACH };

static const char *const way_words[] = {"once", "threads", "attach", NULL};
static const char *const kind_words[] = {"same",        "CTRL_C",        "CTRL_BREAK", "CTRL_CLOSE",
                                         "CTRL_LOGOFF", "CTRL_SHUTDOWN", NULL};
static const uint32_t kind_events[] = {ITR_EVENT_NONE,       ITR_EVENT_CTRL_C,      ITR_EVENT_CTRL_BREAK,
                                       ITR_EVENT_CTRL_CLOSE, ITR_EVENT_CTRL_LOGOFF, ITR_EVENT_CTRL_SHUTDOWN};
static const DWORD kind_controls[] = {MAXDWORD,         CTRL_C_EVENT,      CTRL_BREAK_EVENT,
                                      CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT};

static struct {
    struct itrh_host host;
    int kind;
    uint32_t further;
    uint64_t gap_ns;
    LONG volatile heard_of_kind; /* by the handler of this file */
    LONG volatile loaded;
    LONG volatile called;
} events;

/* ---- settings ---- */

static int word_of(const char *variable, const char *const *words) {
    const char *value = getenv(variable);
    int found = value == NULL ? 0 : -1;
    for (int i = 0; found < 0 && words[i] != NULL; i++) {
        found = strcmp(value, words[i]) == 0 ? i : -1;
    }
    if (found < 0) {
        itrh_fail(&events.host, 0, variable);
    }
    return found;
}

/* `*number` is left as it is when the variable is not set. */
static bool number_of(const char *variable, uint32_t most, uint32_t *number) {
    const char *value = getenv(variable);
    char *end = NULL;
    unsigned long read = value != NULL ? strtoul(value, &end, 10) : 0;
    if (value == NULL) {
        return true;
    }
    if (end == value || *end != '\0' || read > most) {
        itrh_fail(&events.host, 0, variable);
        return false;
    }
    *number = (uint32_t)read;
    return true;
}

/* ---- the further events ---- */

static bool is_shot(void) {
    return events.host.ledger->request.shot_count > 0;
}

static bool was_sent(void) {
    return __atomic_load_n(&events.host.ledger->reply.shots[0].sent_ns, __ATOMIC_ACQUIRE) != 0;
}

static uint32_t heard(void) {
    return __atomic_load_n(&events.host.ledger->reply.handled_count, __ATOMIC_ACQUIRE) + (uint32_t)events.heard_of_kind;
}

/* The host's usual handler takes the shot's kind only. */
static BOOL WINAPI hear_kind(DWORD control) {
    if (control != kind_controls[events.kind]) {
        return FALSE;
    }
    InterlockedIncrement(&events.heard_of_kind);
    return TRUE;
}

static DWORD WINAPI send_further(void *nothing) {
    struct itrh_host *host = &events.host;
    uint32_t event = events.kind == 0 ? host->ledger->request.shots[0].event : kind_events[events.kind];
    (void)nothing;
    while (!was_sent()) {
        itrh_sleep_ns(LOOK_NS);
    }
    for (uint32_t i = 0; i < events.further; i++) {
        if (i > 0 && events.gap_ns > 0) {
            itrh_sleep_ns(events.gap_ns);
        }
        if (!itrh_send(host, event)) {
            return 1;
        }
    }
    return 0;
}

static bool start_thread(LPTHREAD_START_ROUTINE start, void *argument, HANDLE *thread) {
    *thread = CreateThread(NULL, 0, start, argument, 0, NULL);
    if (*thread == NULL) {
        itrh_fail(&events.host, GetLastError(), "cannot start a thread");
    }
    return *thread != NULL;
}

static bool prepare_further(void) {
    HANDLE thread = NULL;
    if (events.further == 0 || !is_shot()) {
        return true;
    }
    if (events.kind != 0 && !SetConsoleCtrlHandler(hear_kind, TRUE)) {
        itrh_fail(&events.host, GetLastError(), "SetConsoleCtrlHandler failed");
        return false;
    }
    if (!start_thread(send_further, NULL, &thread)) {
        return false;
    }
    CloseHandle(thread);
    return true;
}

/* Gives every event its time, once the shot was sent. */
static void let_events_come(void) {
    uint32_t rounds = 0;
    while (is_shot() && rounds < EVENT_ROUNDS && heard() < 1 + events.further) {
        itrh_sleep_ns(ROUND_MS * UINT64_C(1000000));
        rounds += was_sent() ? 1u : 0u;
    }
}

/* ---- ways to load ---- */

/* Begins when the main thread does, not before: from then on the host knows the library as it is mapped, whoever does it. */
static DWORD WINAPI load_and_call(void *path) {
    while (__atomic_load_n(&events.host.ledger->reply.phase_ns[ITR_PHASE_LOAD_BEGIN], __ATOMIC_ACQUIRE) == 0) {
        SwitchToThread();
    }
    HMODULE library = LoadLibraryW(path);
    FARPROC address = library != NULL ? GetProcAddress(library, events.host.ledger->request.function) : NULL;
    int (*function)(void) = NULL;
    memcpy(&function, &address, sizeof function);
    InterlockedExchangeAdd(&events.loaded, library != NULL);
    InterlockedExchangeAdd(&events.called, function != NULL && function() == 42);
    return 0;
}

static bool load_by_threads(void) {
    struct itrh_host *host = &events.host;
    static wchar_t path[ITR_LIBRARY_MAX]; /* the threads may outlive this function */
    HANDLE threads[LOADERS];
    if (MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, host->ledger->request.library, -1, path, ITR_LIBRARY_MAX) == 0) {
        itrh_fail(host, GetLastError(), "the library's path is not UTF-8");
        return false;
    }
    for (int i = 0; i < LOADERS; i++) {
        if (!start_thread(load_and_call, path, &threads[i])) {
            return false;
        }
    }
    if (!itrh_load(host) || !itrh_call(host)) {
        return false;
    }
    WaitForMultipleObjects(LOADERS, threads, TRUE, INFINITE);
    itrh_check(host, events.loaded == LOADERS, "every-load-succeeds", "%ld of %d did", events.loaded, LOADERS);
    itrh_check(host, events.called == LOADERS, "every-call-returns-its-value", "%ld of %d did", events.called, LOADERS);
    return true;
}

/* "…\lib\initrace\go1.22.12\minimal.dll" → "…\lib\initrace\c\slow_attach.dll" */
static bool find_slow_library(char *path, size_t room) {
    snprintf(path, room, "%s", events.host.ledger->request.library);
    for (int i = 0; i < 2; i++) {
        char *end = path + strlen(path);
        while (end > path && *end != '\\' && *end != '/') {
            end--;
        }
        *end = '\0';
    }
    size_t used = strlen(path);
    return used > 0 && (size_t)snprintf(path + used, room - used, "\\c\\slow_attach.dll") < room - used;
}

static bool load_before_slow_library(void) {
    struct itrh_host *host = &events.host;
    char path[ITR_LIBRARY_MAX];
    wchar_t wide[ITR_LIBRARY_MAX];
    if (!find_slow_library(path, sizeof path) ||
        MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, path, -1, wide, ITR_LIBRARY_MAX) == 0) {
        itrh_fail(host, GetLastError(), "no place of the slow library");
        return false;
    }
    if (!itrh_load(host)) {
        return false;
    }
    if (LoadLibraryW(wide) == NULL) {
        itrh_fail(host, GetLastError(), "cannot load the slow library");
        return false;
    }
    return itrh_call(host);
}

static bool load(enum way way) {
    switch (way) {
    case WAY_ONCE: return itrh_load(&events.host) && itrh_call(&events.host);
    case WAY_THREADS: return load_by_threads();
    case WAY_ATTACH: return load_before_slow_library();
    }
    return false;
}

/* ---- after the event ---- */

static BOOL WINAPI hear_nothing(DWORD control) {
    (void)control;
    return FALSE;
}

static DWORD WINAPI add_and_remove(void *nothing) {
    (void)nothing;
    return SetConsoleCtrlHandler(hear_nothing, TRUE) && SetConsoleCtrlHandler(hear_nothing, FALSE) ? 0 : 1;
}

static bool add_handler_again(void) {
    HANDLE thread = NULL;
    DWORD code = STILL_ACTIVE;
    if (!start_thread(add_and_remove, NULL, &thread)) {
        return false;
    }
    for (uint32_t rounds = 0; rounds < ADD_ROUNDS; rounds++) {
        if (WaitForSingleObject(thread, ROUND_MS) == WAIT_OBJECT_0) {
            break;
        }
    }
    GetExitCodeThread(thread, &code);
    CloseHandle(thread);
    itrh_check(&events.host, code == 0, "handler-can-be-added-afterwards", "%s",
               code == STILL_ACTIVE ? "SetConsoleCtrlHandler did not return" : "SetConsoleCtrlHandler failed");
    return true;
}

static bool read_settings(enum way *way, bool *again) {
    uint32_t gap_us = 0;
    uint32_t flag = 0;
    int word = word_of("INITRACE_CONSOLE_WAY", way_words);
    events.kind = word_of("INITRACE_CONSOLE_KIND", kind_words);
    if (word < 0 || events.kind < 0 || !number_of("INITRACE_CONSOLE_FURTHER", FURTHER_MAX, &events.further) ||
        !number_of("INITRACE_CONSOLE_GAP_US", 1000000, &gap_us) || !number_of("INITRACE_CONSOLE_AGAIN", 1, &flag)) {
        return false;
    }
    if (is_shot() && kind_events[events.kind] == events.host.ledger->request.shots[0].event) {
        events.kind = 0;
    }
    *way = (enum way)word;
    *again = flag != 0;
    events.gap_ns = gap_us * UINT64_C(1000);
    return true;
}

int main(int argc, char **argv) {
    struct itrh_host *host = &events.host;
    enum way way = WAY_ONCE;
    bool again = false;
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL) || !read_settings(&way, &again) ||
        !itrh_install_handlers(host) || !itrh_arm(host) || !prepare_further() || !load(way)) {
        return ITRH_EXIT_SETUP;
    }
    if (events.further > 0 || again) {
        let_events_come();
    }
    if (events.further > 0 && is_shot()) {
        uint32_t count = heard();
        itrh_check(host, count >= 1 + events.further, "every-event-is-heard", "%u of %u were", count, 1 + events.further);
    }
    if (again && !add_handler_again()) {
        return ITRH_EXIT_SETUP;
    }
    itrh_wait(host);
    return itrh_finish(host);
}
