/* Wakes the tracing thread from waitpid() at a time: a POSIX timer whose signal interrupts the call. It decides
 * nothing about what is due then. */
#include "platform/unix/debug_unix.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Sent to a tracing thread only; every other thread has it blocked or never gets it. */
#define WAKE_SIGNAL (SIGRTMIN + 4)
/* A wake-up between the look at the clock and the wait is lost; the next one is not. */
#define WAKE_AGAIN_NS 250000

static void on_wake(int number) {
    (void)number;
}

static void install_handler(void) {
    struct sigaction action = {.sa_handler = on_wake};
    sigemptyset(&action.sa_mask);
    sigaction(WAKE_SIGNAL, &action, NULL); /* without SA_RESTART: the wait must end */
}

void itrp_debug_clock_open(struct itrp_debugger *debugger) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = WAKE_SIGNAL};
    sigset_t but_wake;
    pthread_once(&once, install_handler);
    event._sigev_un._tid = debugger->self;
    if (timer_create(CLOCK_MONOTONIC, &event, &debugger->timer) != 0) {
        itrp_debug_fail(debugger, ITR_E_SYSTEM, errno, "timer_create: %s", strerror(errno));
        return;
    }
    debugger->has_timer = true;
    sigfillset(&but_wake);
    sigdelset(&but_wake, WAKE_SIGNAL);
    pthread_sigmask(SIG_SETMASK, &but_wake, NULL);
}

void itrp_debug_clock_close(struct itrp_debugger *debugger) {
    if (debugger->has_timer) {
        timer_delete(debugger->timer);
        debugger->has_timer = false;
    }
}

void itrp_debug_wake_at(struct itrp_debugger *debugger, uint64_t time_ns) {
    struct itimerspec when = {0};
    if (time_ns == debugger->timer_ns) {
        return;
    }
    if (!debugger->has_timer) {
        itrp_debug_clock_open(debugger);
    }
    debugger->timer_ns = time_ns;
    if (time_ns != 0) {
        when.it_value.tv_sec = (time_t)(time_ns / 1000000000u);
        when.it_value.tv_nsec = (long)(time_ns % 1000000000u);
        when.it_interval.tv_nsec = WAKE_AGAIN_NS;
    }
    if (debugger->has_timer && timer_settime(debugger->timer, TIMER_ABSTIME, &when, NULL) != 0) {
        itrp_debug_fail(debugger, ITR_E_SYSTEM, errno, "timer_settime: %s", strerror(errno));
    }
}

void itrp_debug_clock_wake(const struct itrp_debugger *debugger) {
    syscall(SYS_tgkill, getpid(), debugger->self, WAKE_SIGNAL);
}
