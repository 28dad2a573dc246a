/* Firing on a Linux host: timers, the firing thread, delivery, and holding the caller. It decides
 * nothing: the ledger says what is sent, when and to whom. */
#include "platform/host.h"
#include "platform/unix/host_unix.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Wakes the firing thread; queued, so that the expiries of several timers stay apart. */
#define FIRE_SIGNAL (SIGRTMIN + 3)
#define FIRE_STACK_BYTES (64 * 1024)

/* What the marks and the firing thread share. One host a process. */
static struct {
    uint32_t shot_done[ITR_SHOTS_MAX]; /* set by the one that fires it */
    timer_t timers[ITR_SHOTS_MAX];
    uint32_t timer_armed[ITR_SHOTS_MAX];
    uint32_t firing_thread_ready; /* futex: 0 starting, 1 ready, 2 failed */
} state;

static struct timespec timespec_of(uint64_t ns) {
    struct timespec result = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};
    return result;
}

void itrh_sleep_ns(uint64_t ns) {
    struct timespec until = timespec_of(itrh_now_ns() + ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) {
    }
}

/* ---- delivery ---- */

static int thread_of(const struct itrh_host *host, uint32_t target) {
    switch (target) {
    case ITR_TARGET_CALLER:
        return (int)itrh_thread_id();
    case ITR_TARGET_INIT:
        return (int)host->ledger->reply.init_thread;
    default:
        return (int)host->ledger->reply.main_thread;
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

static int send_event(const struct itrh_host *host, const struct itr_shot_request *shot,
                      struct itr_shot_reply *reply) {
    int number = itrh_unix_signal_of(shot->event);
    if (shot->delivery == ITR_DELIVERY_KILL) {
        return kill(getpid(), number);
    }
    int thread = thread_of(host, shot->target);
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

bool itrh_send(struct itrh_host *host, uint32_t event) {
    int number = itrh_unix_signal_of(event);
    if (number > 0 && kill(getpid(), number) == 0) {
        return true;
    }
    itrh_fail(host, number > 0 ? errno : 0, "cannot send one more event");
    return false;
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
        itrh_unix_futex(&reply->handled_count, FUTEX_WAIT, count, &left);
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
    if (send_event(host, shot, reply) != 0) {
        reply->send_error = errno;
    }
    __atomic_store_n(&reply->sent_ns, itrh_now_ns(), __ATOMIC_RELEASE);
    if (shot->where == ITR_WHERE_CALL && shot->hold_ns > 0 && reply->send_error == 0) {
        hold(&host->ledger->reply, before, shot->hold_ns);
        reply->released_ns = itrh_now_ns();
    }
    errno = saved_errno;
}

/* ---- timers ---- */

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

void itrh_unix_start_timers(struct itrh_host *host, enum itr_phase phase, uint64_t now_ns) {
    struct itr_ledger *ledger = host->ledger;
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

bool itrh_unix_note_expired_timers(struct itrh_host *host) {
    bool all = true;
    for (uint32_t i = 0; i < host->ledger->request.shot_count && i < ITR_SHOTS_MAX; i++) {
        struct itr_shot_reply *reply = &host->ledger->reply.shots[i];
        struct itimerspec left;
        const struct itr_shot_request *shot = &host->ledger->request.shots[i];
        if (shot->delivery != ITR_DELIVERY_TIMER || shot->where == ITR_WHERE_POINT || reply->fired_ns != 0 ||
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

/* ---- the firing thread ---- */

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
    itrh_unix_futex(&state.firing_thread_ready, FUTEX_WAKE, INT_MAX, NULL);
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
        if (itrh_unix_signal_of(shot->event) == 0) {
            itrh_fail(host, 0, "the event has no signal on this system");
            return false;
        }
        if (shot->where == ITR_WHERE_CALL && !itrh_hooks_install(host, (enum itr_call)shot->call)) {
            itrh_fail(host, 0, "this host was linked without hooks for that call");
            return false;
        }
        if (shot->where == ITR_WHERE_GATE) {
            itrh_fail(host, 0, "hosts have no gates on this system");
            return false;
        }
        if (fired_by_thread(shot)) {
            needs_thread = true;
        } else if (shot->delivery == ITR_DELIVERY_TIMER &&
                   !make_timer(host, i, itrh_unix_signal_of(shot->event),
                               shot->target == ITR_TARGET_MAIN ? (int)host->ledger->reply.main_thread : 0)) {
            return false;
        }
    }
    if (!needs_thread) {
        __atomic_store_n(&state.firing_thread_ready, 1, __ATOMIC_RELEASE);
        return true;
    }
    return start_firing_thread(host);
}

bool itrh_unix_firing_is_ready(void) {
    uint32_t ready = 0;
    while ((ready = __atomic_load_n(&state.firing_thread_ready, __ATOMIC_ACQUIRE)) == 0) {
        itrh_unix_futex(&state.firing_thread_ready, FUTEX_WAIT, 0, NULL);
    }
    return ready == 1;
}
