/* A host that makes child processes while the library starts, and after: each child must do its little work and end,
 * and the host's own call must return.
 *
 *   INITRACE_FORK_WAY    exit (fork, the child ends at once), exec (fork and exec), spawn (posix_spawn), all three from
 *                        before the load until after the call; load (each child, forked before the host's own load,
 *                        loads the library itself and calls it), call (children forked after the call use Go, which
 *                        nobody promises)
 *   INITRACE_FORK_COUNT  40; 0: no child is made
 *   INITRACE_FORK_PATIENCE_MS  5000: a child that has not ended by then hangs
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a child ends with that did its work. */
#define CHILD_CODE 7
#define CHILD_WORD "--child"

extern char **environ;

enum way { WAY_EXIT, WAY_EXEC, WAY_SPAWN, WAY_LOAD, WAY_CALL };

static const char *const way_words[] = {"exit", "exec", "spawn", "load", "call", NULL};

static struct {
    struct itrh_host host;
    struct life life;
    enum way way;
    uint32_t count;
    uint64_t patience_ns;
    uint32_t init_done; /* set by the main thread */
    uint32_t begun;     /* set by the forking thread with its first child */
    uint32_t made;
    uint32_t hung;
    uint32_t wrong;   /* ended, but not with CHILD_CODE */
    int last_wrong;   /* its wait status */
    uint32_t refused; /* could not be made */
} forks;

/* ---- children ---- */

static int use_library(void *library) {
    struct life life = {0};
    struct itrh_host nobody = {.ledger = &(struct itr_ledger){0}, .attached = true};
    if (!life_find(&nobody, library, &life)) {
        return 1;
    }
    bool right = life.probe() == 42 && life.work(60) == 60 && life.collect() == 0 && life.churn(4) == 4;
    return right ? CHILD_CODE : 2;
}

static _Noreturn void be_child(void) {
    switch (forks.way) {
    case WAY_EXEC:
        execl("/proc/self/exe", "fork_host", CHILD_WORD, (char *)NULL);
        _exit(3);
    case WAY_LOAD:
        _exit(use_library(dlopen(forks.host.ledger->request.library, RTLD_NOW | RTLD_LOCAL)));
    case WAY_CALL:
        _exit(use_library(forks.host.library));
    default:
        _exit(CHILD_CODE);
    }
}

static pid_t make_child(void) {
    static char name[] = "fork_host";
    static char word[] = CHILD_WORD;
    char *arguments[] = {name, word, NULL};
    pid_t child = -1;
    if (forks.way == WAY_SPAWN) {
        return posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ) == 0 ? child : -1;
    }
    child = fork();
    if (child == 0) {
        be_child();
    }
    return child;
}

static void await_child(pid_t child) {
    uint64_t until_ns = itrh_now_ns() + forks.patience_ns;
    int status = 0;
    pid_t ended = 0;
    while ((ended = waitpid(child, &status, WNOHANG)) == 0 && itrh_now_ns() < until_ns) {
        itrh_sleep_ns(100000);
    }
    if (ended == 0) {
        forks.hung++;
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    } else if (ended != child || !WIFEXITED(status) || WEXITSTATUS(status) != CHILD_CODE) {
        forks.wrong++;
        forks.last_wrong = status;
    }
}

static void make_and_await(void) {
    pid_t child = make_child();
    __atomic_store_n(&forks.begun, 1, __ATOMIC_RELEASE);
    if (child < 0) {
        forks.refused++;
        return;
    }
    forks.made++;
    await_child(child);
}

/* ---- when they are made ---- */

static void *fork_in_a_loop(void *argument) {
    (void)argument;
    while (forks.count > 0 && (forks.made + forks.refused < forks.count || __atomic_load_n(&forks.init_done, __ATOMIC_ACQUIRE) == 0)) {
        make_and_await();
    }
    __atomic_store_n(&forks.begun, 1, __ATOMIC_RELEASE);
    return NULL;
}

static bool make_all(void) {
    for (uint32_t i = 0; i < forks.count; i++) {
        make_and_await();
    }
    return true;
}

static bool load_and_call(void) {
    struct itrh_host *host = &forks.host;
    return itrh_load(host) && itrh_call(host) && life_find(host, host->library, &forks.life);
}

static bool run(void) {
    pthread_t thread;
    if (forks.way == WAY_LOAD) {
        return make_all() && load_and_call();
    }
    if (forks.way == WAY_CALL) {
        return load_and_call() && make_all();
    }
    if (!life_start(&forks.host, &thread, fork_in_a_loop, NULL)) {
        return false;
    }
    while (__atomic_load_n(&forks.begun, __ATOMIC_ACQUIRE) == 0) {
        itrh_sleep_ns(10000);
    }
    bool done = load_and_call();
    __atomic_store_n(&forks.init_done, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    return done;
}

static void check(void) {
    struct itrh_host *host = &forks.host;
    itrh_check(host, host->ledger->reply.call_result == 42, "first-call-returns", "it returned something else");
    itrh_check(host, forks.life.work(60) == 60, "later-call-returns", "it returned something else");
    itrh_check(host, forks.refused == 0, "children-are-made", "%u could not be made", forks.refused);
    itrh_check(host, forks.hung == 0, "children-end", "%u of %u children hung", forks.hung, forks.made);
    itrh_check(host, forks.wrong == 0, "children-do-their-work", "%u of %u children ended otherwise, last with status 0x%x",
               forks.wrong, forks.made, (unsigned)forks.last_wrong);
}

int main(int argc, char **argv) {
    struct itrh_host *host = &forks.host;
    if (argc > 1 && strcmp(argv[1], CHILD_WORD) == 0) {
        return CHILD_CODE;
    }
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, "InitraceProbe")) {
        return ITRH_EXIT_SETUP;
    }
    int way = life_word(host, "INITRACE_FORK_WAY", way_words);
    if (way < 0) {
        return ITRH_EXIT_SETUP;
    }
    forks.way = (enum way)way;
    forks.count = life_number("INITRACE_FORK_COUNT", 40);
    forks.patience_ns = life_number("INITRACE_FORK_PATIENCE_MS", 5000) * UINT64_C(1000000);
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    if (!itrh_arm(host) || !run()) {
        return ITRH_EXIT_SETUP;
    }
    check();
    itrh_wait(host);
    return itrh_finish(host);
}
