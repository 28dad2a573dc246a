/* A host that calls the library from coroutines, on stacks of its own making, as programs with a scheduler of their own
 * do: every call must return what it should, from whatever stack and thread it is made.
 *
 *   INITRACE_COROUTINE_WAY    threads (as a control: no coroutine, ordinary stacks), turns (several coroutines of one
 *                             thread call in turn), nested (C called by Go switches to a coroutine, which calls Go),
 *                             migrate (coroutines go on on another thread than they began on)
 *   INITRACE_COROUTINE_STACK  bytes of each stack: 262144
 *   INITRACE_COROUTINE_ROUNDS 50; 0: no call is made from a coroutine
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <sys/mman.h>
#include <ucontext.h>

enum {
    COROUTINES = 8,
    DEPTH = 60,
};

enum way { WAY_THREADS, WAY_TURNS, WAY_NESTED, WAY_MIGRATE };

static const char *const way_words[] = {"threads", "turns", "nested", "migrate", NULL};

struct coroutine {
    ucontext_t own;
    ucontext_t caller; /* who resumed it */
    bool ended;
};

static struct {
    struct itrh_host host;
    struct life life;
    uint32_t rounds;
    uint32_t made;
    uint32_t wrong;
    struct coroutine coroutines[COROUTINES];
} routines;

static void call_once(void) {
    int32_t sum = routines.life.add(DEPTH - 1, 1);
    int32_t depth = routines.life.work(DEPTH);
    routines.made += 2;
    routines.wrong += (sum != DEPTH ? 1u : 0u) + (depth != DEPTH ? 1u : 0u);
}

/* ---- coroutines ---- */

static void yield_back(struct coroutine *coroutine) {
    swapcontext(&coroutine->own, &coroutine->caller);
}

static void resume(struct coroutine *coroutine) {
    swapcontext(&coroutine->caller, &coroutine->own);
}

/* makecontext passes int only. */
static void run(int index) {
    struct coroutine *coroutine = &routines.coroutines[index];
    for (uint32_t i = 0; i < routines.rounds; i++) {
        call_once();
        yield_back(coroutine);
    }
    coroutine->ended = true;
    yield_back(coroutine);
}

static bool make_coroutines(void) {
    size_t bytes = life_number("INITRACE_COROUTINE_STACK", 256 * 1024);
    for (int i = 0; i < COROUTINES; i++) {
        struct coroutine *coroutine = &routines.coroutines[i];
        void *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (stack == MAP_FAILED || getcontext(&coroutine->own) != 0) {
            itrh_fail(&routines.host, errno, "cannot make a coroutine");
            return false;
        }
        coroutine->own.uc_stack.ss_sp = stack;
        coroutine->own.uc_stack.ss_size = bytes;
        coroutine->own.uc_link = NULL;
        makecontext(&coroutine->own, (void (*)(void))run, 1, i);
    }
    return true;
}

/* Between two coroutines' turns the thread calls from its own stack, too. */
static void take_turns(void) {
    for (uint32_t i = 0; i <= routines.rounds; i++) {
        for (int k = 0; k < COROUTINES; k++) {
            resume(&routines.coroutines[k]);
        }
        call_once();
    }
}

static int resume_from_go(void *argument) {
    resume(argument);
    return 1;
}

static void nest(void) {
    for (uint32_t i = 0; i <= routines.rounds; i++) {
        for (int k = 0; k < COROUTINES; k++) {
            int32_t returned = routines.life.call(resume_from_go, &routines.coroutines[k]);
            routines.wrong += returned != 1 ? 1u : 0u;
        }
        call_once();
    }
}

/* One step of every coroutine, on a thread that lives no longer. */
static void *step_all(void *argument) {
    (void)argument;
    for (int k = 0; k < COROUTINES; k++) {
        resume(&routines.coroutines[k]);
    }
    return NULL;
}

static void *call_on_thread(void *argument) {
    (void)argument;
    for (int k = 0; k < COROUTINES; k++) {
        call_once();
    }
    return NULL;
}

static bool on_threads(void *(*start)(void *)) {
    for (uint32_t i = 0; i <= routines.rounds; i++) {
        pthread_t thread;
        if (!life_start(&routines.host, &thread, start, NULL)) {
            return false;
        }
        pthread_join(thread, NULL);
        call_once();
    }
    return true;
}

static bool run_all(enum way way) {
    switch (way) {
    case WAY_THREADS:
        return on_threads(call_on_thread);
    case WAY_MIGRATE:
        return on_threads(step_all);
    case WAY_TURNS:
        take_turns();
        return true;
    case WAY_NESTED:
        nest();
        return true;
    }
    return false;
}

static void check(enum way way) {
    struct itrh_host *host = &routines.host;
    uint32_t ended = 0;
    for (int k = 0; k < COROUTINES; k++) {
        ended += routines.coroutines[k].ended ? 1u : 0u;
    }
    itrh_check(host, routines.wrong == 0, "calls-return-their-value", "%u of %u calls returned something else",
               routines.wrong, routines.made);
    itrh_check(host, way == WAY_THREADS || ended == COROUTINES, "coroutines-end", "%u of %d came to their end", ended,
               COROUTINES);
}

int main(int argc, char **argv) {
    struct itrh_host *host = &routines.host;
    routines.rounds = life_number("INITRACE_COROUTINE_ROUNDS", 50);
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, "InitraceProbe")) {
        return ITRH_EXIT_SETUP;
    }
    int way = life_word(host, "INITRACE_COROUTINE_WAY", way_words);
    if (way < 0 || !make_coroutines()) {
        return ITRH_EXIT_SETUP;
    }
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    if (!itrh_arm(host) || !itrh_load(host) || !itrh_call(host) || !life_find(host, host->library, &routines.life) ||
        !run_all((enum way)way)) {
        return ITRH_EXIT_SETUP;
    }
    check((enum way)way);
    itrh_wait(host);
    return itrh_finish(host);
}
