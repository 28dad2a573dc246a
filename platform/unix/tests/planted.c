/* The signal handler of libraries with a planted window. */
#include "platform/tests/planted.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

static struct {
    const volatile uint8_t *flag;
    enum planted_misdeed misdeed;
    struct sigaction before;
    pthread_mutex_t mutex;
} planted = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void hand_on(int number, siginfo_t *info, void *context) {
    if ((planted.before.sa_flags & SA_SIGINFO) != 0) {
        planted.before.sa_sigaction(number, info, context);
    } else if (planted.before.sa_handler != SIG_DFL && planted.before.sa_handler != SIG_IGN) {
        planted.before.sa_handler(number);
    }
}

static void on_signal(int number, siginfo_t *info, void *context) {
    enum planted_misdeed misdeed = *planted.flag != 0 ? planted.misdeed : PLANTED_NOTHING;
    switch (misdeed) {
    case PLANTED_NOTHING:
        hand_on(number, info, context);
        return;
    case PLANTED_LOSS:
        return;
    case PLANTED_HANG:
        pthread_mutex_lock(&planted.mutex);
        pthread_mutex_lock(&planted.mutex);
        return;
    case PLANTED_CRASH:
        ((void (*)(void))(uintptr_t)PLANTED_NOWHERE)();
        return;
    }
}

void planted_listen(const volatile uint8_t *flag, enum planted_misdeed misdeed) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    planted.flag = flag;
    planted.misdeed = misdeed;
    sigemptyset(&action.sa_mask);
    sigaction(SIGUSR1, NULL, &planted.before); /* known before the first signal comes here */
    sigaction(SIGUSR1, &action, NULL);
}
