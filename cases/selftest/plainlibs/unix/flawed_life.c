/* A library with the exports of "life" that does one thing wrong on purpose, to show that the hosts of a library's later
 * life find it: INITRACE_FLAW names it, and without that variable the library behaves. It has no runtime.
 *
 *   swallow     now and then a call takes a signal that was for the host
 *   grab        a SIGSEGV handler of its own, which mends the host's pages itself and tells nobody
 *   miscount    now and then a call returns another value
 *   one-stack   gives up when a thread calls from another stack than it did first
 *   deaf-child  a forked child never comes back
 *   stay-behind a thread of the library's runs on when the library is unloaded
 *   take        SIGUSR2 is handled by the library
 *   block       the thread that loads has SIGUSR2 blocked afterwards
 *   stack       ... and a signal stack of the library's
 *   deaf-thread a thread that never takes the signal by which setuid() reaches all threads
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* How often a flaw shows that does not always. */
enum { NOW_AND_THEN = 100, STACK_BYTES = 64 * 1024 };

typedef int (*life_function)(void *argument);

EXPORT int32_t InitraceProbe(void);
EXPORT int32_t LifeAdd(int32_t a, int32_t b);
EXPORT int32_t LifeWork(int32_t depth);
EXPORT int32_t LifeCall(life_function f, void *argument);
EXPORT int32_t LifeCallElsewhere(life_function f, void *argument);
EXPORT int32_t LifeFault(void);
EXPORT int32_t LifeProfile(int32_t on);
EXPORT int32_t LifeChurn(int32_t count);
EXPORT int32_t LifeCollect(void);

static uint32_t calls;
static volatile uint32_t beats;

static int is(const char *flaw) {
    const char *wanted = getenv("INITRACE_FLAW");
    return wanted != NULL && strcmp(wanted, flaw) == 0;
}

/* ---- flaws from the load on ---- */

static void mend_page(int number, siginfo_t *info, void *context) {
    uintptr_t page = (uintptr_t)info->si_addr & ~(uintptr_t)4095;
    (void)context;
    if (mprotect((void *)page, 4096, PROT_READ | PROT_WRITE) != 0) {
        signal(number, SIG_DFL);
    }
}

static void never_return(void) {
    for (;;) {
        pause();
    }
}

static void *run_on(void *argument) {
    for (;;) {
        beats = beats + 1;
        sched_yield();
    }
    return argument;
}

static void *turn_deaf(void *argument) {
    uint64_t all = UINT64_MAX; /* the C library's own signals too: its functions would leave them out */
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof all);
    for (;;) {
        const struct timespec hour = {.tv_sec = 3600};
        beats = beats + 1;
        clock_nanosleep(CLOCK_MONOTONIC, 0, &hour, NULL);
    }
    return argument;
}

static void start(void *(*function)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, function, NULL) != 0) {
        abort();
    }
    while (beats == 0) {
        sched_yield();
    }
}

__attribute__((constructor)) static void load(void) {
    if (is("grab")) {
        struct sigaction action = {.sa_sigaction = mend_page, .sa_flags = SA_SIGINFO | SA_ONSTACK};
        sigemptyset(&action.sa_mask);
        sigaction(SIGSEGV, &action, NULL);
    } else if (is("take")) {
        signal(SIGUSR2, SIG_IGN);
    } else if (is("block")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
    } else if (is("stack")) {
        static char room[STACK_BYTES];
        sigaltstack(&(stack_t){.ss_sp = room, .ss_size = sizeof room}, NULL);
    } else if (is("deaf-child")) {
        pthread_atfork(NULL, NULL, never_return);
    } else if (is("stay-behind")) {
        start(run_on);
    } else if (is("deaf-thread")) {
        start(turn_deaf);
    }
}

/* ---- flaws of calls ---- */

static void swallow(void) {
    const struct timespec soon = {.tv_nsec = 2000000};
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    sigtimedwait(&all, NULL, &soon);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void know_one_stack(void) {
    static _Thread_local uintptr_t first;
    char here;
    uintptr_t now = (uintptr_t)&here;
    uintptr_t apart = now > first ? now - first : first - now;
    if (first == 0) {
        first = now;
    } else if (apart > STACK_BYTES) {
        static const char text[] = "fatal error: planted: called from another stack\n";
        _exit(write(STDERR_FILENO, text, sizeof text - 1) > 0 ? 2 : 3);
    }
}

/* 1 for a call that is to return another value. */
static int32_t misbehave(void) {
    uint32_t call = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (is("one-stack")) {
        know_one_stack();
    } else if (is("swallow") && call % NOW_AND_THEN == 0) {
        swallow();
    }
    return is("miscount") && call % NOW_AND_THEN == 0 ? 1 : 0;
}

int32_t InitraceProbe(void) {
    return 42;
}

int32_t LifeAdd(int32_t a, int32_t b) {
    return a + b + misbehave();
}

int32_t LifeWork(int32_t depth) {
    return depth + misbehave();
}

int32_t LifeCall(life_function f, void *argument) {
    return f(argument) + misbehave();
}

int32_t LifeCallElsewhere(life_function f, void *argument) {
    return f(argument) + misbehave();
}

int32_t LifeFault(void) {
    return 1;
}

int32_t LifeProfile(int32_t on) {
    (void)on;
    return 0;
}

int32_t LifeChurn(int32_t count) {
    return count;
}

int32_t LifeCollect(void) {
    return 0;
}
