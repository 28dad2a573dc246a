/* A host that loads the library in other ways than one dlopen() in one thread: whichever it is, its calls must return.
 *
 *   INITRACE_LOAD_WAY    threads (several threads dlopen() it at the same moment, each calls at once), cycle (it is
 *                        opened, called and closed again and again), constructor (a shared object's constructor
 *                        loads it, and calls it, within the dlopen() of that object), preload (LD_PRELOAD: it is in
 *                        the process before main())
 *   INITRACE_LOAD_ROUNDS of cycle: 30
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

enum { LOADERS = 4, AFTERWARDS_US = 50000 };

/* Set for the program that this one becomes; LD_PRELOAD itself may be there for reasons of its own. */
#define PRELOADED "INITRACE_LOAD_PRELOADED"

enum way { WAY_THREADS, WAY_CYCLE, WAY_CONSTRUCTOR, WAY_PRELOAD };

static const char *const way_words[] = {"threads", "cycle", "constructor", "preload", NULL};

static struct {
    struct itrh_host host;
    pthread_barrier_t together;
    uint32_t opened;
    uint32_t right;
} loads;

/* ---- several threads ---- */

static void *load_and_call(void *argument) {
    const char *path = loads.host.ledger->request.library;
    struct life life = {0};
    struct itrh_host nobody = {.ledger = &(struct itr_ledger){0}, .attached = true};
    (void)argument;
    pthread_barrier_wait(&loads.together);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    __atomic_fetch_add(&loads.opened, library != NULL ? 1u : 0u, __ATOMIC_ACQ_REL);
    if (library != NULL && life_find(&nobody, library, &life) && life.probe() == 42 && life.work(60) == 60) {
        __atomic_fetch_add(&loads.right, 1, __ATOMIC_ACQ_REL);
    }
    return NULL;
}

static bool load_by_threads(void) {
    struct itrh_host *host = &loads.host;
    pthread_t threads[LOADERS];
    pthread_barrier_init(&loads.together, NULL, LOADERS);
    itrh_mark(host, ITR_PHASE_LOAD_BEGIN);
    for (int i = 0; i < LOADERS; i++) {
        if (!life_start(host, &threads[i], load_and_call, NULL)) {
            return false;
        }
    }
    for (int i = 0; i < LOADERS; i++) {
        pthread_join(threads[i], NULL);
    }
    itrh_mark(host, ITR_PHASE_LOAD_RETURNED);
    itrh_check(host, loads.opened == LOADERS, "every-dlopen-succeeds", "%u of %d did", loads.opened, LOADERS);
    itrh_check(host, loads.right == LOADERS, "every-call-returns-its-value", "%u of %d threads' calls did", loads.right,
               LOADERS);
    return itrh_call(host);
}

/* ---- again and again ---- */

static bool cycle(void) {
    struct itrh_host *host = &loads.host;
    uint32_t rounds = life_number("INITRACE_LOAD_ROUNDS", 30);
    uint32_t right = 0;
    uint32_t closed = 0;
    if (!itrh_load(host) || !itrh_call(host)) {
        return false;
    }
    closed += dlclose(host->library) == 0 ? 1u : 0u;
    for (uint32_t i = 0; i < rounds; i++) {
        struct life life = {0};
        void *library = dlopen(host->ledger->request.library, RTLD_NOW | RTLD_LOCAL);
        if (!life_find(host, library, &life)) {
            return false;
        }
        right += life.work(60) == 60 && life.churn(2) == 2 ? 1u : 0u;
        closed += dlclose(library) == 0 ? 1u : 0u;
    }
    usleep(AFTERWARDS_US); /* a thread that runs on in a library that is gone comes by meanwhile */
    itrh_check(host, closed == rounds + 1, "dlclose-succeeds", "%u of %u did", closed, rounds + 1);
    itrh_check(host, right == rounds, "calls-after-dlclose-return", "%u of %u did", right, rounds);
    return true;
}

/* ---- in a constructor ---- */

/* "…/lib/initrace/go1.22.12/life.so" → "…/lib/initrace/c/load_in_constructor.so" */
static bool find_loader(char *path, size_t room) {
    snprintf(path, room, "%s", loads.host.ledger->request.library);
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
    }
    size_t used = strlen(path);
    return (size_t)snprintf(path + used, room - used, "/c/load_in_constructor.so") < room - used;
}

static bool load_in_constructor(void) {
    struct itrh_host *host = &loads.host;
    char path[PATH_MAX];
    if (!find_loader(path, sizeof path) || setenv("INITRACE_LOAD_INNER", host->ledger->request.library, 1) != 0) {
        itrh_fail(host, errno, "no place of the object with the constructor");
        return false;
    }
    itrh_mark(host, ITR_PHASE_LOAD_BEGIN);
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const int *result = object != NULL ? dlsym(object, "load_in_constructor_result") : NULL;
    if (result == NULL) {
        itrh_fail(host, 0, dlerror());
        return false;
    }
    itrh_mark(host, ITR_PHASE_LOAD_RETURNED);
    itrh_check(host, *result == 42, "call-in-a-constructor-returns", "it returned %d", *result);
    host->library = dlopen(host->ledger->request.library, RTLD_NOW | RTLD_LOCAL);
    return itrh_call(host);
}

/* ---- before main ---- */

/* The ledger's descriptor is closed once it is mapped: one more for the program that we become. */
static int keep_ledger(char *value, size_t room) {
    const char *name = getenv(ITR_LEDGER_VARIABLE);
    int number = -1;
    if (name == NULL || sscanf(name, "fd:%d", &number) != 1) {
        return -1;
    }
    int kept = dup(number);
    snprintf(value, room, "fd:%d", kept);
    return kept;
}

static bool become_preloaded(const char *ledger, char **argv) {
    if (ledger[0] == '\0' || setenv(ITR_LEDGER_VARIABLE, ledger, 1) != 0 ||
        setenv("LD_PRELOAD", loads.host.ledger->request.library, 1) != 0 || setenv(PRELOADED, "1", 1) != 0) {
        itrh_fail(&loads.host, errno, "cannot preload");
        return false;
    }
    execv("/proc/self/exe", argv);
    itrh_fail(&loads.host, errno, "cannot execute itself");
    return false;
}

static int32_t call_preloaded(void) {
    int32_t (*probe)(void) = NULL;
    void *address = dlsym(RTLD_DEFAULT, "InitraceProbe");
    memcpy(&probe, &address, sizeof probe);
    return probe != NULL ? probe() : -1;
}

static bool run_preloaded(void) {
    struct itrh_host *host = &loads.host;
    int32_t result = call_preloaded();
    itrh_check(host, result == 42, "call-of-a-preloaded-library-returns", "it returned %d", (int)result);
    unsetenv("LD_PRELOAD");
    return itrh_load(host) && itrh_call(host); /* the same one again */
}

static bool run(enum way way) {
    switch (way) {
    case WAY_THREADS:
        return load_by_threads();
    case WAY_CYCLE:
        return cycle();
    case WAY_CONSTRUCTOR:
        return load_in_constructor();
    case WAY_PRELOAD:
        return run_preloaded();
    }
    return false;
}

int main(int argc, char **argv) {
    struct itrh_host *host = &loads.host;
    char ledger[32] = "";
    int kept = keep_ledger(ledger, sizeof ledger);
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, "InitraceProbe")) {
        return ITRH_EXIT_SETUP;
    }
    int way = life_word(host, "INITRACE_LOAD_WAY", way_words);
    if (way < 0 || (way == WAY_PRELOAD && getenv(PRELOADED) == NULL && !become_preloaded(ledger, argv))) {
        return ITRH_EXIT_SETUP;
    }
    if (kept >= 0) {
        close(kept);
    }
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    if (!itrh_arm(host) || !run((enum way)way)) {
        return ITRH_EXIT_SETUP;
    }
    itrh_wait(host);
    return itrh_finish(host);
}
