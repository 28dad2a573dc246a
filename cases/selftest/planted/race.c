/* A library with a race between its threads. Each worker says first of all that it is there. The thread that
 * starts the workers gives each a hundred times the time it needs for that, from when it got a processor on, and
 * then takes it for granted: the process aborts where it is too early.
 *
 * A busy machine does not make it fail. Until a worker gets a processor it is waited for, and the two share one, so
 * that whatever keeps one of them from running keeps the other one too. Only a worker that is held between its
 * birth and its first instructions is so late, while the others go on. */
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

enum { WORKERS = 8, NAPS = 12, NAP_NS = 50000 }; /* a nap takes twice as long as it says */

int InitraceProbe(void);

static volatile uint32_t there; /* workers that said so */
static pthread_t chief;

static void *work(void *nothing) {
    there = there + 1;
    return nothing;
}

/* Until the thread has used a processor, or has ended. */
static void wait_for_processor(pthread_t thread) {
    clockid_t clock;
    struct timespec used = {0};
    while (pthread_getcpuclockid(thread, &clock) == 0 && clock_gettime(clock, &used) == 0 && used.tv_sec == 0 &&
           used.tv_nsec == 0) {
        sched_yield();
    }
}

static void *lead(void *nothing) {
    static const struct timespec nap = {.tv_nsec = NAP_NS};
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    sched_setaffinity(0, sizeof one, &one); /* of this thread, and of those that it starts */
    for (uint32_t i = 0; i < WORKERS; i++) {
        pthread_t worker;
        if (pthread_create(&worker, NULL, work, NULL) != 0) {
            return nothing;
        }
        wait_for_processor(worker);
        for (int k = 0; k < NAPS; k++) {
            nanosleep(&nap, NULL);
        }
        if (there != i + 1) {
            abort();
        }
        pthread_join(worker, NULL);
    }
    return nothing;
}

__attribute__((constructor)) static void on_load(void) {
    pthread_create(&chief, NULL, lead, NULL);
}

__attribute__((visibility("default"))) int InitraceProbe(void) {
    return pthread_join(chief, NULL) == 0 ? 42 : -1;
}
