/* The host side on Linux: ledger, marks, signal handler, load, call and wait. It fires nothing
 * (host_fire.c does), counts no calls (host_hooks.c does) and decides nothing: the runner reads the
 * ledger. */
#include "platform/host.h"
#include "platform/unix/host_unix.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern char __executable_start[];

/* What the signal handler must reach without an argument. One host a process. */
static struct {
    struct itrh_host *host;
    uint32_t event_of_signal[NSIG];
    uint32_t off_stack; /* the main thread's handler ran on another stack than this */
    char signal_stack[64 * 1024];
} state;

long itrh_unix_futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout) {
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

uint64_t itrh_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t itrh_thread_id(void) {
    return (uint32_t)syscall(SYS_gettid);
}

int itrh_unix_signal_of(uint32_t event) {
    switch (event) {
#define ITR_SIGNAL_CASE(name)                                                                      \
    case ITR_EVENT_##name:                                                                         \
        return name;
        ITR_SIGNAL_CASE(SIGHUP)
        ITR_SIGNAL_CASE(SIGINT)
        ITR_SIGNAL_CASE(SIGQUIT)
        ITR_SIGNAL_CASE(SIGILL)
        ITR_SIGNAL_CASE(SIGTRAP)
        ITR_SIGNAL_CASE(SIGABRT)
        ITR_SIGNAL_CASE(SIGBUS)
        ITR_SIGNAL_CASE(SIGFPE)
        ITR_SIGNAL_CASE(SIGUSR1)
        ITR_SIGNAL_CASE(SIGSEGV)
        ITR_SIGNAL_CASE(SIGUSR2)
        ITR_SIGNAL_CASE(SIGPIPE)
        ITR_SIGNAL_CASE(SIGALRM)
        ITR_SIGNAL_CASE(SIGTERM)
        ITR_SIGNAL_CASE(SIGCHLD)
        ITR_SIGNAL_CASE(SIGCONT)
        ITR_SIGNAL_CASE(SIGTSTP)
        ITR_SIGNAL_CASE(SIGTTIN)
        ITR_SIGNAL_CASE(SIGTTOU)
        ITR_SIGNAL_CASE(SIGURG)
        ITR_SIGNAL_CASE(SIGXCPU)
        ITR_SIGNAL_CASE(SIGXFSZ)
        ITR_SIGNAL_CASE(SIGVTALRM)
        ITR_SIGNAL_CASE(SIGPROF)
        ITR_SIGNAL_CASE(SIGWINCH)
        ITR_SIGNAL_CASE(SIGIO)
        ITR_SIGNAL_CASE(SIGPWR)
        ITR_SIGNAL_CASE(SIGSYS)
#undef ITR_SIGNAL_CASE
    default:
        return 0;
    }
}

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

/* ---- ledger ---- */

static bool attach(struct itrh_host *host, const char *name) {
    char *end = NULL;
    long descriptor = strncmp(name, "fd:", 3) == 0 ? strtol(name + 3, &end, 10) : -1;
    if (descriptor < 0 || descriptor > INT_MAX || end == name + 3 || *end != '\0') {
        fprintf(stderr, "host: %s=%s: expected fd:NUMBER\n", ITR_LEDGER_VARIABLE, name);
        return false;
    }
    void *block = mmap(NULL, ITR_LEDGER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, (int)descriptor, 0);
    if (block == MAP_FAILED) {
        fprintf(stderr, "host: %s=%s: cannot map it: %s\n", ITR_LEDGER_VARIABLE, name, strerror(errno));
        return false;
    }
    close((int)descriptor);
    host->ledger = block;
    if (host->ledger->magic != ITR_LEDGER_MAGIC || host->ledger->version != ITR_LEDGER_VERSION) {
        fprintf(stderr, "host: the ledger is of another version (%u, this host has %u): rebuild the host\n",
                host->ledger->version, ITR_LEDGER_VERSION);
        return false;
    }
    host->attached = true;
    /* The runner asked for this too, for its own child. Of a recorded host that is the recorder. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return true;
}

static bool stand_alone(struct itrh_host *host, const char *library, const char *function) {
    static struct itr_ledger alone;
    host->ledger = &alone;
    snprintf(alone.request.library, sizeof alone.request.library, "%s", library ? library : "");
    snprintf(alone.request.function, sizeof alone.request.function, "%s", function ? function : "");
    return true;
}

bool itrh_open(struct itrh_host *host, const char *library, const char *function) {
    const char *name = getenv(ITR_LEDGER_VARIABLE);
    bool opened = name != NULL ? attach(host, name) : stand_alone(host, library, function);
    if (!opened) {
        return false;
    }
    state.host = host;
    host->ledger->reply.process = (uint32_t)getpid();
    host->ledger->reply.main_thread = itrh_thread_id();
    host->ledger->reply.host_base = (uint64_t)(uintptr_t)__executable_start;
    itrh_mark(host, ITR_PHASE_HOST_STARTED);
    return true;
}

void itrh_mark(struct itrh_host *host, enum itr_phase phase) {
    uint64_t now_ns = itrh_now_ns();
    __atomic_store_n(&host->ledger->reply.phase_ns[phase], now_ns, __ATOMIC_RELEASE);
    itrh_unix_start_timers(host, phase, now_ns);
}

/* ---- the host's own handler ---- */

/* Async-signal-safe: from the handler. */
static bool is_on_signal_stack(const void *address) {
    uintptr_t place = (uintptr_t)address - (uintptr_t)state.signal_stack;
    return place < sizeof state.signal_stack;
}

static void on_event(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    struct itr_ledger_reply *reply = &state.host->ledger->reply;
    uint64_t now_ns = itrh_now_ns();
    (void)context;
    uint32_t index = __atomic_load_n(&reply->handled_count, __ATOMIC_RELAXED);
    while (index < ITR_HANDLED_MAX &&
           !__atomic_compare_exchange_n(&reply->handled[index].entered_ns, &(uint64_t){0}, now_ns, false,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        index++;
    }
    if (index < ITR_HANDLED_MAX) {
        struct itr_handled *entry = &reply->handled[index];
        entry->event = state.event_of_signal[number];
        entry->thread = itrh_thread_id();
        entry->si_code = info->si_code;
    }
    __atomic_fetch_add(&reply->handled_count, 1, __ATOMIC_ACQ_REL);
    itrh_unix_futex(&reply->handled_count, FUTEX_WAKE, INT_MAX, NULL);
    if ((state.host->ledger->request.handler_flags & ITR_HANDLER_ALTSTACK) != 0 && itrh_thread_id() == reply->main_thread &&
        !is_on_signal_stack(__builtin_frame_address(0))) {
        __atomic_store_n(&state.off_stack, 1, __ATOMIC_RELEASE);
    }
    errno = saved_errno;
}

/* ---- the main thread's mask and signal stack ---- */

/* The events of the handlers. */
static void events_set(const struct itrh_host *host, sigset_t *set) {
    const struct itr_ledger_request *request = &host->ledger->request;
    sigemptyset(set);
    for (uint32_t i = 0; i < request->handler_count && i < ITR_SHOTS_MAX; i++) {
        int number = itrh_unix_signal_of(request->handlers[i]);
        if (number != 0) {
            sigaddset(set, number);
        }
    }
}

static bool set_up_thread(struct itrh_host *host) {
    uint32_t flags = host->ledger->request.handler_flags;
    if ((flags & ITR_HANDLER_ALTSTACK) != 0) {
        stack_t stack = {.ss_sp = state.signal_stack, .ss_size = sizeof state.signal_stack};
        if (sigaltstack(&stack, NULL) != 0) {
            itrh_fail(host, errno, "sigaltstack failed");
            return false;
        }
    }
    if ((flags & ITR_HANDLER_BLOCK) != 0) {
        sigset_t set;
        events_set(host, &set);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    }
    return true;
}

static void unblock_events(struct itrh_host *host) {
    sigset_t set;
    if ((host->ledger->request.handler_flags & ITR_HANDLER_BLOCK) != 0) {
        events_set(host, &set);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    }
}

static int action_flags(uint32_t handler_flags) {
    int flags = SA_SIGINFO;
    flags |= handler_flags & ITR_HANDLER_ONSTACK ? SA_ONSTACK : 0;
    flags |= handler_flags & ITR_HANDLER_RESTART ? SA_RESTART : 0;
    flags |= handler_flags & ITR_HANDLER_NODEFER ? SA_NODEFER : 0;
    flags |= handler_flags & ITR_HANDLER_RESETHAND ? (int)SA_RESETHAND : 0;
    return flags;
}

bool itrh_install_handlers(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    if (!set_up_thread(host)) {
        return false;
    }
    if ((request->flags & ITR_HOST_NO_HANDLERS) == 0) {
        for (uint32_t i = 0; i < request->handler_count && i < ITR_SHOTS_MAX; i++) {
            struct sigaction action = {.sa_sigaction = on_event,
                                       .sa_flags = action_flags(request->handler_flags)};
            int number = itrh_unix_signal_of(request->handlers[i]);
            if (number == 0) {
                itrh_fail(host, 0, "the event has no signal on this system");
                return false;
            }
            if ((request->handler_flags & ITR_HANDLER_IGNORE) != 0) {
                action.sa_flags = 0;
                action.sa_handler = SIG_IGN;
            }
            sigemptyset(&action.sa_mask);
            state.event_of_signal[number] = request->handlers[i];
            if (sigaction(number, &action, NULL) != 0) {
                itrh_fail(host, errno, "sigaction failed for the event's signal");
                return false;
            }
        }
    }
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    return true;
}

/* Notes what is done on each signal, where the request asks for it: a hundred system calls, so never in a trial whose
 * timing counts. The C library's own signals are asked for past it, too. */
static void note_actions(struct itrh_host *host, enum itr_actions_moment moment) {
    struct {
        uint64_t handler;
        uint64_t flags;
        uint64_t restorer;
        uint64_t mask;
    } action;
    struct itr_ledger_reply *reply = &host->ledger->reply;
    if ((host->ledger->request.flags & ITR_HOST_RECORD_ACTIONS) == 0) {
        return;
    }
    for (int number = 1; number < ITR_SIGNALS_MAX; number++) {
        memset(&action, 0, sizeof action);
        if (syscall(SYS_rt_sigaction, number, NULL, &action, sizeof action.mask) == 0) {
            reply->actions[moment][number] = (struct itr_action){.handler = action.handler, .flags = action.flags};
        }
    }
    __atomic_store_n(&reply->actions_ns[moment], itrh_now_ns(), __ATOMIC_RELEASE);
}

/* ---- scenario ---- */

bool itrh_load(struct itrh_host *host) {
    struct itr_ledger *ledger = host->ledger;
    if (!itrh_unix_firing_is_ready()) {
        return false;
    }
    note_actions(host, ITR_ACTIONS_BEFORE_LOAD);
    itrh_mark(host, ITR_PHASE_LOAD_BEGIN);
    if (ledger->request.library[0] != '\0') {
        host->library = dlopen(ledger->request.library, RTLD_NOW | RTLD_LOCAL);
        if (host->library == NULL) {
            itrh_fail(host, 0, dlerror());
            return false;
        }
    }
    itrh_mark(host, ITR_PHASE_LOAD_RETURNED);
    if (host->library != NULL) {
        struct link_map *map = NULL;
        if (dlinfo(host->library, RTLD_DI_LINKMAP, &map) == 0) {
            ledger->reply.library_base = map->l_addr;
        }
    }
    note_actions(host, ITR_ACTIONS_AFTER_LOAD);
    return true;
}

bool itrh_call(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    int (*function)(void) = NULL;
    if (host->library != NULL && request->function[0] != '\0') {
        void *address = dlsym(host->library, request->function);
        if (address == NULL) {
            itrh_fail(host, 0, dlerror());
            return false;
        }
        memcpy(&function, &address, sizeof function);
    }
    itrh_mark(host, ITR_PHASE_CALL_BEGIN);
    if (function != NULL) {
        host->ledger->reply.call_result = (uint64_t)(int64_t)function();
    }
    itrh_mark(host, ITR_PHASE_INIT_DONE);
    note_actions(host, ITR_ACTIONS_AFTER_INIT);
    unblock_events(host);
    return true;
}

void itrh_wait(struct itrh_host *host) {
    static const struct timespec soon = {.tv_nsec = 1000000};
    struct itr_ledger_reply *reply = &host->ledger->reply;
    uint32_t count = 0;
    itrh_mark(host, ITR_PHASE_WAITING);
    for (;;) {
        bool expired = itrh_unix_note_expired_timers(host);
        count = __atomic_load_n(&reply->handled_count, __ATOMIC_ACQUIRE);
        if (expired && count >= host->ledger->request.shot_count) {
            return;
        }
        itrh_unix_futex(&reply->handled_count, FUTEX_WAIT, count, expired ? NULL : &soon);
    }
}

int itrh_finish(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    /* Without a shot nothing was looked at: such a trial is not-fired, not passed. */
    if ((request->handler_flags & ITR_HANDLER_ALTSTACK) != 0 && request->shot_count > 0) {
        itrh_check(host, __atomic_load_n(&state.off_stack, __ATOMIC_ACQUIRE) == 0, "handler-on-the-hosts-stack",
                   "on the main thread the handler ran on another stack than the one that the host had set");
    }
    itrh_mark(host, ITR_PHASE_FINISHED);
    return 0;
}
