/* A host that sends itself a storm of signals while its threads call the library, each signal only when the one before
 * it was heard, so that none can merge with another: what was sent must have been heard, and every call must have
 * returned what it should.
 *
 *   INITRACE_STORM_THREADS  stay (the threads call in a loop, and are sent signals one by one), churn (threads are
 *                           started, call three times and end; signals go to the process, and only these threads take them)
 *   INITRACE_STORM_CALLS    add (shortest call), work (Go code that grows its stack), c (C called by Go), back (Go
 *                           called by C called by Go)
 *   INITRACE_STORM_SIGNAL   without "SIG": USR1
 *   INITRACE_STORM_SHOTS    2000 at most; 0: none is sent, the calls are made nevertheless
 *   INITRACE_STORM_MS       500: the storm is over then, however few were sent: a busy machine must not make it long
 *   INITRACE_STORM_SILENCE_MS  3000: what was not heard by then is lost; long, as a machine may be busy
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum {
    CALLERS = 3,
    SPAWNERS = 2,
    CALLS_OF_A_NEWBORN = 3,
    LEAST_ROUNDS = 50, /* of each thread or spawner, however soon the storm is over */
    DEPTH = 60,
};

enum threads { THREADS_STAY, THREADS_CHURN };
enum calls { CALLS_ADD, CALLS_WORK, CALLS_C, CALLS_BACK };

static const char *const threads_words[] = {"stay", "churn", NULL};
static const char *const calls_words[] = {"add", "work", "c", "back", NULL};

struct caller {
    pthread_t thread;
    uint32_t sent;
    uint32_t heard; /* by this thread */
    uint32_t ready;
};

/* One storm a process: the signal's handler has no argument. */
static struct {
    struct itrh_host host;
    struct life life;
    enum threads threads;
    enum calls calls;
    uint64_t longest_ns;
    uint64_t silence_ns;
    int number;   /* the signal's */
    sigset_t set; /* that signal, and nothing else */
    uint32_t over;
    uint32_t heard;    /* in all */
    uint32_t astray;   /* heard by a thread that it was not sent to */
    uint32_t made;     /* calls */
    uint32_t wrong;    /* calls that returned something else */
    uint32_t started;  /* threads, by spawners */
    uint32_t refused;  /* threads that could not be started */
    struct caller callers[CALLERS];
} storm;

static _Thread_local struct caller *self;

/* ---- the signal ---- */

static void on_signal(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    (void)number;
    (void)info;
    (void)context;
    __atomic_fetch_add(&storm.heard, 1, __ATOMIC_ACQ_REL);
    if (self != NULL) {
        __atomic_fetch_add(&self->heard, 1, __ATOMIC_ACQ_REL);
    } else if (storm.threads == THREADS_STAY) {
        __atomic_fetch_add(&storm.astray, 1, __ATOMIC_ACQ_REL);
    }
    errno = saved_errno;
}

static bool find_signal(void) {
    const char *name = getenv("INITRACE_STORM_SIGNAL");
    for (int number = 1; number < 32; number++) {
        const char *known = sigabbrev_np(number);
        if (known != NULL && strcmp(known, name != NULL ? name : "USR1") == 0) {
            storm.number = number;
            sigemptyset(&storm.set);
            sigaddset(&storm.set, number);
            return true;
        }
    }
    itrh_fail(&storm.host, 0, "INITRACE_STORM_SIGNAL");
    return false;
}

static bool install(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(storm.number, &action, NULL) != 0) {
        itrh_fail(&storm.host, errno, "sigaction");
        return false;
    }
    itrh_mark(&storm.host, ITR_PHASE_HANDLERS_READY);
    return true;
}

/* ---- calls ---- */

static int from_go(void *argument) {
    volatile uint32_t turns = 0;
    while (turns < 200) {
        turns = turns + 1;
    }
    return storm.calls == CALLS_BACK ? storm.life.add(DEPTH - 7, 7) : (*(int *)argument);
}

static void call_once(void) {
    int depth = DEPTH;
    int32_t result = 0;
    switch (storm.calls) {
    case CALLS_ADD:
        result = storm.life.add(DEPTH - 1, 1);
        break;
    case CALLS_WORK:
        result = storm.life.work(DEPTH);
        break;
    case CALLS_C:
    case CALLS_BACK:
        result = storm.life.call(from_go, &depth);
        break;
    }
    __atomic_fetch_add(&storm.made, 1, __ATOMIC_RELAXED);
    if (result != DEPTH) {
        __atomic_fetch_add(&storm.wrong, 1, __ATOMIC_RELAXED);
    }
}

static bool is_over(void) {
    return __atomic_load_n(&storm.over, __ATOMIC_ACQUIRE) != 0;
}

static void *call_in_a_loop(void *argument) {
    self = argument;
    pthread_sigmask(SIG_UNBLOCK, &storm.set, NULL);
    __atomic_store_n(&self->ready, 1, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < LEAST_ROUNDS || !is_over(); i++) {
        call_once();
    }
    return NULL;
}

static void *call_and_end(void *argument) {
    (void)argument;
    pthread_sigmask(SIG_UNBLOCK, &storm.set, NULL);
    for (int i = 0; i < CALLS_OF_A_NEWBORN; i++) {
        call_once();
    }
    return NULL;
}

static void *spawn_in_a_loop(void *argument) {
    struct caller *caller = argument;
    __atomic_store_n(&caller->ready, 1, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < LEAST_ROUNDS || !is_over(); i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, call_and_end, NULL) != 0) {
            __atomic_fetch_add(&storm.refused, 1, __ATOMIC_RELAXED);
            continue;
        }
        __atomic_fetch_add(&storm.started, 1, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
    }
    return NULL;
}

static uint32_t count_of_threads(void) {
    return storm.threads == THREADS_STAY ? CALLERS : SPAWNERS;
}

/* ---- the storm ---- */

static bool start_threads(void) {
    for (uint32_t i = 0; i < count_of_threads(); i++) {
        struct caller *caller = &storm.callers[i];
        if (!life_start(&storm.host, &caller->thread,
                        storm.threads == THREADS_STAY ? call_in_a_loop : spawn_in_a_loop, caller)) {
            return false;
        }
        while (__atomic_load_n(&caller->ready, __ATOMIC_ACQUIRE) == 0) {
            sched_yield();
        }
    }
    return true;
}

static void end_threads(void) {
    __atomic_store_n(&storm.over, 1, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < count_of_threads(); i++) {
        pthread_join(storm.callers[i].thread, NULL);
    }
}

/* Sends one more to whoever has heard all of its own so far; false if nobody has. */
static bool send_one(uint32_t sent) {
    if (storm.threads == THREADS_CHURN) {
        return __atomic_load_n(&storm.heard, __ATOMIC_ACQUIRE) == sent && kill(getpid(), storm.number) == 0;
    }
    for (uint32_t i = 0; i < CALLERS; i++) {
        struct caller *caller = &storm.callers[(sent + i) % CALLERS];
        if (__atomic_load_n(&caller->heard, __ATOMIC_ACQUIRE) == caller->sent) {
            caller->sent++;
            return pthread_kill(caller->thread, storm.number) == 0;
        }
    }
    return false;
}

/* Sends up to `shots` and notes in `*silent` whether it gave up because nothing was heard any more. How many were sent. */
static uint32_t rage(uint32_t shots, bool *silent) {
    uint32_t sent = 0;
    uint64_t begin_ns = itrh_now_ns();
    uint64_t last_ns = begin_ns;
    while (sent < shots && !*silent && last_ns - begin_ns < storm.longest_ns) {
        if (send_one(sent)) {
            sent++;
            last_ns = itrh_now_ns();
        } else {
            *silent = itrh_now_ns() - last_ns > storm.silence_ns;
            sched_yield();
        }
    }
    return sent;
}

/* The last ones may be on their way still. */
static void listen_to_the_end(uint32_t sent) {
    uint64_t until_ns = itrh_now_ns() + storm.silence_ns;
    while (__atomic_load_n(&storm.heard, __ATOMIC_ACQUIRE) < sent && itrh_now_ns() < until_ns) {
        sched_yield();
    }
}

static void check(uint32_t sent, bool silent) {
    struct itrh_host *host = &storm.host;
    itrh_check(host, storm.heard == sent, "every-signal-heard", "%u of %u signals were heard", storm.heard, sent);
    itrh_check(host, !silent, "signals-do-not-dry-up", "%u signals were sent, then nothing was heard any more", sent);
    itrh_check(host, storm.astray == 0, "signals-reach-their-thread", "%u signals were handled by other threads",
               storm.astray);
    itrh_check(host, storm.wrong == 0, "calls-return-their-value", "%u of %u calls returned something else", storm.wrong,
               storm.made);
    itrh_check(host, storm.refused == 0, "threads-start", "%u threads could not be started", storm.refused);
}

static bool set_up(void) {
    int threads = life_word(&storm.host, "INITRACE_STORM_THREADS", threads_words);
    int calls = life_word(&storm.host, "INITRACE_STORM_CALLS", calls_words);
    if (threads < 0 || calls < 0 || !find_signal()) {
        return false;
    }
    storm.threads = (enum threads)threads;
    storm.calls = (enum calls)calls;
    storm.longest_ns = life_number("INITRACE_STORM_MS", 500) * UINT64_C(1000000);
    storm.silence_ns = life_number("INITRACE_STORM_SILENCE_MS", 3000) * UINT64_C(1000000);
    /* Whatever this thread and the runtime start later inherits it: only the threads that call take the signal. */
    pthread_sigmask(SIG_BLOCK, &storm.set, NULL);
    return install();
}

int main(int argc, char **argv) {
    uint32_t shots = life_number("INITRACE_STORM_SHOTS", 2000);
    if (!itrh_open(&storm.host, argc > 1 ? argv[1] : NULL, "InitraceProbe") || !set_up() || !itrh_arm(&storm.host) ||
        !itrh_load(&storm.host) || !itrh_call(&storm.host) ||
        !life_find(&storm.host, storm.host.library, &storm.life) || !start_threads()) {
        return ITRH_EXIT_SETUP;
    }
    bool silent = false;
    uint32_t sent = rage(shots, &silent);
    end_threads();
    pthread_sigmask(SIG_UNBLOCK, &storm.set, NULL);
    listen_to_the_end(sent);
    check(sent, silent);
    itrh_wait(&storm.host);
    return itrh_finish(&storm.host);
}
