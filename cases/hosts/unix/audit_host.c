/* A host that looks whether the load and the start of a library leave alone what is the host's about signals: what is done
 * on each of them, and the signal mask and the alternate stack of the thread that loads.
 *
 *   INITRACE_AUDIT_SIGNALS  others (all but those that os/signal gives to a library, and but SIGURG), urgent (SIGURG)
 *   INITRACE_AUDIT_BEFORE   what the host sets for each of them before the load: handler (without SA_ONSTACK), onstack,
 *                           ignore, default
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SIGNALS = 65, STACK_BYTES = 64 * 1024 };

enum before { BEFORE_HANDLER, BEFORE_ONSTACK, BEFORE_IGNORE, BEFORE_DEFAULT };

static const char *const signals_words[] = {"others", "urgent", NULL};
static const char *const before_words[] = {"handler", "onstack", "ignore", "default", NULL};

/* As the kernel has it: the C library's own signals are asked for past it. */
struct action {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct state {
    struct action actions[SIGNALS];
    sigset_t mask;
    stack_t stack;
};

static bool urgent;

static void on_signal(int number) {
    (void)number;
}

static bool is_looked_at(int number) {
    /* os/signal, "Non-Go programs that call Go code": a c-shared library takes the synchronous signals and SIGPIPE. */
    bool given = number == SIGBUS || number == SIGFPE || number == SIGSEGV || number == SIGPIPE;
    bool nobodys = number == SIGKILL || number == SIGSTOP;
    return urgent ? number == SIGURG : !given && !nobodys && number != SIGURG;
}

/* Signals 32 and 33 are the C library's: they stay as they are. */
static bool set_all(struct itrh_host *host, enum before before) {
    struct sigaction action = {.sa_handler = before == BEFORE_IGNORE ? SIG_IGN : before == BEFORE_DEFAULT ? SIG_DFL : on_signal,
                               .sa_flags = SA_RESTART | (before == BEFORE_ONSTACK ? SA_ONSTACK : 0)};
    sigemptyset(&action.sa_mask);
    sigaddset(&action.sa_mask, SIGUSR2);
    for (int number = 1; number < SIGNALS; number++) {
        if (is_looked_at(number) && (number < 32 || number >= SIGRTMIN) && sigaction(number, &action, NULL) != 0) {
            itrh_fail(host, errno, "sigaction");
            return false;
        }
    }
    return true;
}

static bool set_thread(struct itrh_host *host) {
    sigset_t set;
    stack_t stack = {.ss_size = STACK_BYTES};
    stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGWINCH);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, NULL) != 0 || pthread_sigmask(SIG_BLOCK, &set, NULL) != 0) {
        itrh_fail(host, errno, "cannot set the thread's signal stack and mask");
        return false;
    }
    return true;
}

static void *end_at_once(void *argument) {
    return argument;
}

/* With its first thread the C library handles signals of its own. */
static bool start_a_thread(struct itrh_host *host) {
    pthread_t thread;
    return life_start(host, &thread, end_at_once, NULL) && pthread_join(thread, NULL) == 0;
}

static void look(struct state *state) {
    memset(state, 0, sizeof *state);
    for (int number = 1; number < SIGNALS; number++) {
        syscall(SYS_rt_sigaction, number, NULL, &state->actions[number], sizeof state->actions[number].mask);
    }
    sigemptyset(&state->mask);
    pthread_sigmask(SIG_BLOCK, NULL, &state->mask);
    sigaltstack(NULL, &state->stack);
}

static void check_actions(struct itrh_host *host, const struct state *before, const struct state *after, const char *when) {
    for (int number = 1; number < SIGNALS; number++) {
        const struct action *a = &before->actions[number];
        const struct action *b = &after->actions[number];
        if (!is_looked_at(number)) {
            continue;
        }
        itrh_check(host, a->handler == b->handler, "dispositions-stay", "signal %d, %s: handler %#llx, before %#llx", number, when,
                   (unsigned long long)b->handler, (unsigned long long)a->handler);
        /* SA_ONSTACK may be turned on: os/signal asks handlers for it, and runtime.setsigstack sees to it. */
        itrh_check(host, (a->flags | SA_ONSTACK) == (b->flags | SA_ONSTACK) && (a->flags & ~b->flags) == 0, "flags-stay",
                   "signal %d, %s: flags %#llx, before %#llx", number, when, (unsigned long long)b->flags, (unsigned long long)a->flags);
        itrh_check(host, a->mask == b->mask, "handlers-masks-stay", "signal %d, %s: mask %#llx, before %#llx", number, when,
                   (unsigned long long)b->mask, (unsigned long long)a->mask);
    }
}

static void check_thread(struct itrh_host *host, const struct state *before, const struct state *after, const char *when) {
    for (int number = 1; number < SIGNALS; number++) {
        itrh_check(host, sigismember(&before->mask, number) == sigismember(&after->mask, number), "mask-stays",
                   "signal %d, %s: blocked %d, before %d", number, when, sigismember(&after->mask, number),
                   sigismember(&before->mask, number));
    }
    itrh_check(host, before->stack.ss_sp == after->stack.ss_sp && before->stack.ss_size == after->stack.ss_size &&
                   before->stack.ss_flags == after->stack.ss_flags,
               "signal-stack-stays", "%s: another one is set", when);
}

int main(int argc, char **argv) {
    static struct itrh_host host;
    static struct state states[3];
    if (!itrh_open(&host, argc > 1 ? argv[1] : NULL, "InitraceProbe")) {
        return ITRH_EXIT_SETUP;
    }
    int signals = life_word(&host, "INITRACE_AUDIT_SIGNALS", signals_words);
    int before = life_word(&host, "INITRACE_AUDIT_BEFORE", before_words);
    urgent = signals == 1;
    if (signals < 0 || before < 0 || !set_all(&host, (enum before)before) || !set_thread(&host) ||
        !start_a_thread(&host)) {
        return ITRH_EXIT_SETUP;
    }
    itrh_mark(&host, ITR_PHASE_HANDLERS_READY);
    if (!itrh_arm(&host)) {
        return ITRH_EXIT_SETUP;
    }
    look(&states[0]);
    if (!itrh_load(&host)) {
        return ITRH_EXIT_SETUP;
    }
    look(&states[1]);
    if (!itrh_call(&host)) {
        return ITRH_EXIT_SETUP;
    }
    look(&states[2]);
    /* The load returns while the runtime starts on a thread of its own: what was set then is the last word only after a call. */
    check_actions(&host, &states[0], &states[2], "after the first call");
    check_thread(&host, &states[0], &states[1], "after the load");
    check_thread(&host, &states[0], &states[2], "after the first call");
    itrh_wait(&host);
    return itrh_finish(&host);
}
