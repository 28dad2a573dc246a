/* The host side on Linux: ledger, signal handler, firing thread, load, call and wait. It counts no
 * calls (host_hooks.c does) and decides nothing: the runner reads the ledger. */
#include "platform/host.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

extern char __executable_start[];

/* Wakes the firing thread; queued, so that the expiries of several timers stay apart. */
#define FIRE_SIGNAL (SIGRTMIN + 3)
#define FIRE_STACK_BYTES (64 * 1024)

/* What a signal handler and the firing thread must reach without an argument. One host a process. */
static struct {
    struct itrh_host *host;
    uint32_t shot_done[ITR_SHOTS_MAX]; /* set by the one that fires it */
    timer_t timers[ITR_SHOTS_MAX];
    uint32_t timer_armed[ITR_SHOTS_MAX];
    uint32_t firing_thread_ready; /* futex: 0 starting, 1 ready, 2 failed */
    uint32_t event_of_signal[NSIG];
    int main_thread;
} state;

static long futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout) {
    return syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, timeout, NULL, 0);
}

static struct timespec timespec_of(uint64_t ns) {
    struct timespec result = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    return result;
}

uint64_t itrh_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t itrh_thread_id(void) {
    return (uint32_t)syscall(SYS_gettid);
}

void itrh_sleep_ns(uint64_t ns) {
    struct timespec until = timespec_of(itrh_now_ns() + ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

static int signal_of(uint32_t event) {
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
    state.main_thread = (int)itrh_thread_id();
    host->ledger->reply.process = (uint32_t)getpid();
    host->ledger->reply.main_thread = (uint32_t)state.main_thread;
    host->ledger->reply.host_base = (uint64_t)(uintptr_t)__executable_start;
    itrh_mark(host, ITR_PHASE_HOST_STARTED);
    return true;
}

void itrh_mark(struct itrh_host *host, enum itr_phase phase) {
    struct itr_ledger *ledger = host->ledger;
    uint64_t now_ns = itrh_now_ns();
    __atomic_store_n(&ledger->reply.phase_ns[phase], now_ns, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < ledger->request.shot_count; i++) {
        const struct itr_shot_request *shot = &ledger->request.shots[i];
        if (shot->where == ITR_WHERE_PHASE && shot->phase == (uint32_t)phase && state.timer_armed[i]) {
            uint64_t at_ns = now_ns + shot->offset_ns;
            struct itimerspec when = {.it_value = timespec_of(at_ns)};
            ledger->reply.shots[i].requested_ns = at_ns;
            timer_settime(state.timers[i], TIMER_ABSTIME, &when, NULL);
        }
    }
}

/* ---- the host's own handler ---- */

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
    futex(&reply->handled_count, FUTEX_WAKE, INT_MAX, NULL);
    errno = saved_errno;
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
    if ((request->flags & ITR_HOST_NO_HANDLERS) == 0) {
        for (uint32_t i = 0; i < request->handler_count && i < ITR_SHOTS_MAX; i++) {
            struct sigaction action = {.sa_sigaction = on_event,
                                       .sa_flags = action_flags(request->handler_flags)};
            int number = signal_of(request->handlers[i]);
            if (number == 0) {
                itrh_fail(host, 0, "the event has no signal on this system");
                return false;
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

/* ---- firing ---- */

static int thread_of(uint32_t target) {
    switch (target) {
    case ITR_TARGET_CALLER:
        return (int)itrh_thread_id();
    case ITR_TARGET_INIT:
        return (int)state.host->ledger->reply.init_thread;
    default:
        return state.main_thread;
    }
}

static int queue_to(int thread, int number) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = number;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    return (int)syscall(SYS_rt_tgsigqueueinfo, getpid(), thread, number, &info);
}

static int send_event(const struct itr_shot_request *shot, struct itr_shot_reply *reply) {
    int number = signal_of(shot->event);
    if (shot->delivery == ITR_DELIVERY_KILL) {
        return kill(getpid(), number);
    }
    int thread = thread_of(shot->target);
    reply->target_thread = (uint32_t)thread;
    if (shot->delivery == ITR_DELIVERY_TGKILL) {
        return (int)syscall(SYS_tgkill, getpid(), thread, number);
    }
    if (shot->delivery == ITR_DELIVERY_SIGQUEUE) {
        return queue_to(thread, number);
    }
    errno = EINVAL;
    return -1;
}

/* Keeps the calling thread where it is until a handler entry more than `before` was made. */
static void hold(struct itr_ledger_reply *reply, uint32_t before, uint64_t hold_ns) {
    uint64_t until_ns = itrh_now_ns() + hold_ns;
    for (;;) {
        uint64_t now_ns = itrh_now_ns();
        uint32_t count = __atomic_load_n(&reply->handled_count, __ATOMIC_ACQUIRE);
        if (count != before || now_ns >= until_ns) {
            return;
        }
        struct timespec left = timespec_of(until_ns - now_ns);
        futex(&reply->handled_count, FUTEX_WAIT, count, &left);
    }
}

void itrh_fire(struct itrh_host *host, uint32_t index) {
    const struct itr_shot_request *shot = &host->ledger->request.shots[index];
    struct itr_shot_reply *reply = &host->ledger->reply.shots[index];
    int saved_errno = errno;

    if (__atomic_exchange_n(&state.shot_done[index], 1, __ATOMIC_ACQ_REL) != 0) {
        return;
    }
    uint32_t before = __atomic_load_n(&host->ledger->reply.handled_count, __ATOMIC_ACQUIRE);
    reply->sender_thread = itrh_thread_id();
    uint64_t now_ns = itrh_now_ns();
    if (reply->requested_ns == 0) {
        reply->requested_ns = now_ns;
    }
    __atomic_store_n(&reply->fired_ns, now_ns, __ATOMIC_RELEASE);
    if (send_event(shot, reply) != 0) {
        reply->send_error = errno;
    }
    __atomic_store_n(&reply->sent_ns, itrh_now_ns(), __ATOMIC_RELEASE);
    if (shot->where == ITR_WHERE_CALL && shot->hold_ns > 0 && reply->send_error == 0) {
        hold(&host->ledger->reply, before, shot->hold_ns);
        reply->released_ns = itrh_now_ns();
    }
    errno = saved_errno;
}

/* A timer whose expiry wakes `thread` with FIRE_SIGNAL, or is the event itself; `thread` 0 means the
 * process. */
static bool make_timer(struct itrh_host *host, uint32_t index, int number, int thread) {
    struct sigevent expiry = {.sigev_notify = thread != 0 ? SIGEV_THREAD_ID : SIGEV_SIGNAL, .sigev_signo = number};
    expiry.sigev_value.sival_int = (int)index;
    if (thread != 0) {
        expiry._sigev_un._tid = thread;
    }
    if (timer_create(CLOCK_MONOTONIC, &expiry, &state.timers[index]) != 0) {
        itrh_fail(host, errno, "timer_create failed");
        return false;
    }
    __atomic_store_n(&state.timer_armed[index], 1, __ATOMIC_RELEASE);
    return true;
}

static bool fired_by_thread(const struct itr_shot_request *shot) {
    return shot->where == ITR_WHERE_PHASE && shot->delivery != ITR_DELIVERY_TIMER;
}

static void *firing_thread(void *argument) {
    struct itrh_host *host = argument;
    uint32_t left = 0;
    uint32_t ready = 1;
    sigset_t wake;

    for (uint32_t i = 0; i < host->ledger->request.shot_count; i++) {
        if (fired_by_thread(&host->ledger->request.shots[i])) {
            left++;
            if (!make_timer(host, i, FIRE_SIGNAL, (int)itrh_thread_id())) {
                ready = 2;
            }
        }
    }
    __atomic_store_n(&state.firing_thread_ready, ready, __ATOMIC_RELEASE);
    futex(&state.firing_thread_ready, FUTEX_WAKE, INT_MAX, NULL);
    sigemptyset(&wake);
    sigaddset(&wake, FIRE_SIGNAL);
    while (left > 0) {
        siginfo_t info;
        if (sigwaitinfo(&wake, &info) == FIRE_SIGNAL && info.si_code == SI_TIMER &&
            (uint32_t)info.si_value.sival_int < ITR_SHOTS_MAX) {
            itrh_fire(host, (uint32_t)info.si_value.sival_int);
            left--;
        }
    }
    return NULL;
}

static bool start_firing_thread(struct itrh_host *host) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, FIRE_STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = pthread_create(&thread, &attributes, firing_thread, host);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result != 0) {
        itrh_fail(host, result, "cannot start the firing thread");
        return false;
    }
    return true;
}

bool itrh_arm(struct itrh_host *host) {
    const struct itr_ledger_request *request = &host->ledger->request;
    bool needs_thread = false;
    for (uint32_t i = 0; i < request->shot_count && i < ITR_SHOTS_MAX; i++) {
        const struct itr_shot_request *shot = &request->shots[i];
        if (shot->where == ITR_WHERE_POINT) {
            continue;
        }
        if (signal_of(shot->event) == 0) {
            itrh_fail(host, 0, "the event has no signal on this system");
            return false;
        }
        if (shot->where == ITR_WHERE_CALL && !itrh_hooks_install(host, (enum itr_call)shot->call)) {
            itrh_fail(host, 0, "this host was linked without hooks for that call");
            return false;
        }
        if (fired_by_thread(shot)) {
            needs_thread = true;
        } else if (shot->delivery == ITR_DELIVERY_TIMER &&
                   !make_timer(host, i, signal_of(shot->event),
                               shot->target == ITR_TARGET_MAIN ? state.main_thread : 0)) {
            return false;
        }
    }
    if (!needs_thread) {
        __atomic_store_n(&state.firing_thread_ready, 1, __ATOMIC_RELEASE);
        return true;
    }
    return start_firing_thread(host);
}

static bool firing_thread_is_ready(void) {
    uint32_t ready = 0;
    while ((ready = __atomic_load_n(&state.firing_thread_ready, __ATOMIC_ACQUIRE)) == 0) {
        futex(&state.firing_thread_ready, FUTEX_WAIT, 0, NULL);
    }
    return ready == 1;
}

/* ---- scenario ---- */

bool itrh_load(struct itrh_host *host) {
    struct itr_ledger *ledger = host->ledger;
    if (!firing_thread_is_ready()) {
        return false;
    }
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
    return true;
}

/* A timer's own signal is sent by the kernel: the host learns of it by asking the timer. False while one is
 * still running. */
static bool note_expired_timers(struct itrh_host *host) {
    bool all = true;
    for (uint32_t i = 0; i < host->ledger->request.shot_count && i < ITR_SHOTS_MAX; i++) {
        struct itr_shot_reply *reply = &host->ledger->reply.shots[i];
        struct itimerspec left;
        if (host->ledger->request.shots[i].delivery != ITR_DELIVERY_TIMER || reply->fired_ns != 0 ||
            reply->requested_ns == 0) {
            continue;
        }
        if (timer_gettime(state.timers[i], &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0) {
            __atomic_store_n(&reply->fired_ns, reply->requested_ns, __ATOMIC_RELEASE);
            __atomic_store_n(&reply->sent_ns, reply->requested_ns, __ATOMIC_RELEASE);
        } else {
            all = false;
        }
    }
    return all;
}

void itrh_wait(struct itrh_host *host) {
    static const struct timespec soon = {.tv_nsec = 1000000};
    struct itr_ledger_reply *reply = &host->ledger->reply;
    uint32_t count = 0;
    itrh_mark(host, ITR_PHASE_WAITING);
    for (;;) {
        bool expired = note_expired_timers(host);
        count = __atomic_load_n(&reply->handled_count, __ATOMIC_ACQUIRE);
        if (expired && count >= host->ledger->request.shot_count) {
            return;
        }
        futex(&reply->handled_count, FUTEX_WAIT, count, expired ? NULL : &soon);
    }
}

int itrh_finish(struct itrh_host *host) {
    itrh_mark(host, ITR_PHASE_FINISHED);
    return 0;
}

/* ---- misbehaviour on purpose ---- */

uint32_t itrh_spawn_child(bool detach) {
    pid_t child = fork();
    if (child == 0) {
        if (detach) {
            setsid();
            close(STDIN_FILENO);
            close(STDOUT_FILENO);
            close(STDERR_FILENO);
        }
        for (;;) {
            pause();
        }
    }
    return child > 0 ? (uint32_t)child : 0;
}

void itrh_ignore_everything(void) {
    sigset_t all;
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_IGN);
    }
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
}

void itrh_close_descriptors(void) {
    for (int descriptor = 0; descriptor < 1024; descriptor++) {
        close(descriptor);
    }
}

_Noreturn void itrh_exit_now(uint32_t code) {
    _exit((int)code);
}

_Noreturn void itrh_crash(void) {
    volatile uintptr_t nowhere = 8; /* volatile, so that the compiler does not see through it */
    *(volatile int *)nowhere = 1;
    abort();
}

bool itrh_write_error_stream(const void *data, uint64_t bytes) {
    const char *at = data;
    while (bytes > 0) {
        ssize_t written = write(STDERR_FILENO, at, bytes);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written > 0 ? written : 0;
        bytes -= written > 0 ? (uint64_t)written : 0;
    }
    return true;
}
