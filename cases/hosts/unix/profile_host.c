/* A host whose library switches its processor profile on and off again and again while the host computes and calls: no
 * signal of a profile that is over may end the host or be lost to its own handler.
 *
 *   INITRACE_PROFILE_HANDLER  none (SIGPROF would end the host), own (the host handles SIGPROF; after each profile it
 *                             sends itself one, which must be heard, and in the end it must be installed as it was)
 *   INITRACE_PROFILE_ROUNDS   6; 0: no profile is made. Stopping one takes up to 100 ms
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

enum { BURNERS = 3 };

/* The profile's signal comes each 10 ms of processor time. */
static const uint64_t profile_ns = UINT64_C(12000000);

enum handler { HANDLER_NONE, HANDLER_OWN };

static const char *const handler_words[] = {"none", "own", NULL};

static struct {
    struct itrh_host host;
    struct life life;
    enum handler handler;
    uint32_t over;
    uint32_t wrong;
    uint32_t heard; /* SIGPROF sent by this process */
} profile;

static void on_signal(int number, siginfo_t *info, void *context) {
    int saved_errno = errno;
    (void)number;
    (void)context;
    if (info->si_code == SI_TKILL || info->si_code == SI_USER) {
        __atomic_fetch_add(&profile.heard, 1, __ATOMIC_ACQ_REL);
    }
    errno = saved_errno;
}

static bool install(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (profile.handler == HANDLER_OWN && sigaction(SIGPROF, &action, NULL) != 0) {
        itrh_fail(&profile.host, errno, "sigaction");
        return false;
    }
    itrh_mark(&profile.host, ITR_PHASE_HANDLERS_READY);
    return true;
}

static void *burn(void *argument) {
    volatile uint32_t turns = 0;
    while (__atomic_load_n(&profile.over, __ATOMIC_ACQUIRE) == 0) {
        if (profile.life.work(60) != 60) {
            __atomic_fetch_add(&profile.wrong, 1, __ATOMIC_RELAXED);
        }
        for (int i = 0; i < 20000; i++) {
            turns = turns + 1;
        }
    }
    return argument;
}

/* Sends one to this thread, and says whether the host's handler had it by the time that raise() was back, as it must. */
static bool hears_itself(void) {
    uint32_t before = __atomic_load_n(&profile.heard, __ATOMIC_ACQUIRE);
    raise(SIGPROF);
    return __atomic_load_n(&profile.heard, __ATOMIC_ACQUIRE) == before + 1;
}

/* How SIGPROF is handled, in what a program can ask for; SA_ONSTACK is the library's to turn on. */
static void look(struct sigaction *action) {
    memset(action, 0, sizeof *action);
    sigaction(SIGPROF, NULL, action);
    action->sa_flags |= SA_ONSTACK;
}

static uint32_t count_blocked(const struct sigaction *action) {
    uint32_t blocked = 0;
    for (int number = 1; number < 32; number++) {
        blocked += sigismember(&action->sa_mask, number) == 1 ? 1u : 0u;
    }
    return blocked;
}

/* What the profiles changed for good. */
static void check_action(const struct sigaction *before) {
    struct itrh_host *host = &profile.host;
    struct sigaction after;
    look(&after);
    itrh_check(host, after.sa_sigaction == before->sa_sigaction, "handler-is-what-it-was", "it is another one");
    itrh_check(host, after.sa_flags == before->sa_flags, "flags-are-what-they-were", "0x%x, before 0x%x",
               (unsigned)after.sa_flags, (unsigned)before->sa_flags);
    itrh_check(host, count_blocked(&after) == count_blocked(before), "mask-is-what-it-was",
               "the handler blocks %u signals, before %u", count_blocked(&after), count_blocked(before));
}

static void run(uint32_t rounds) {
    struct itrh_host *host = &profile.host;
    uint32_t failed = 0;
    uint32_t deaf = 0;
    struct sigaction before;
    look(&before);
    for (uint32_t i = 0; i < rounds; i++) {
        failed += profile.life.profile(1) != 0 ? 1u : 0u;
        itrh_sleep_ns(profile_ns);
        failed += profile.life.profile(0) != 0 ? 1u : 0u;
        deaf += profile.handler == HANDLER_OWN && !hears_itself() ? 1u : 0u;
    }
    itrh_check(host, failed == 0, "profiles-start-and-stop", "%u of %u did not", failed, 2 * rounds);
    itrh_check(host, deaf == 0, "host-has-its-handler-back", "after %u of %u profiles it was not called", deaf, rounds);
    if (profile.handler == HANDLER_OWN) {
        check_action(&before);
    }
}

int main(int argc, char **argv) {
    struct itrh_host *host = &profile.host;
    pthread_t burners[BURNERS];
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, "InitraceProbe")) {
        return ITRH_EXIT_SETUP;
    }
    int handler = life_word(host, "INITRACE_PROFILE_HANDLER", handler_words);
    if (handler < 0) {
        return ITRH_EXIT_SETUP;
    }
    profile.handler = (enum handler)handler;
    if (!install() || !itrh_arm(host) || !itrh_load(host) || !itrh_call(host) ||
        !life_find(host, host->library, &profile.life)) {
        return ITRH_EXIT_SETUP;
    }
    for (int i = 0; i < BURNERS; i++) {
        if (!life_start(host, &burners[i], burn, NULL)) {
            return ITRH_EXIT_SETUP;
        }
    }
    run(life_number("INITRACE_PROFILE_ROUNDS", 6));
    __atomic_store_n(&profile.over, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < BURNERS; i++) {
        pthread_join(burners[i], NULL);
    }
    itrh_check(host, profile.wrong == 0, "calls-return-their-value", "%u did not", profile.wrong);
    itrh_wait(host);
    return itrh_finish(host);
}
