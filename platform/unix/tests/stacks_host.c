/* A host whose threads stop at known places: in C under Go under C, twice over; in a signal's handler; in Go called
 * from C. For self.stacks; no part of the tool. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEPT __attribute__((noinline))
#define NO_TAIL_CALL() __asm__ volatile("" ::: "memory")

static void (*call_back)(void (*)(void));
static void (*receive)(void);
static void (*spin)(void);
static atomic_int arrived;

KEPT void stacks_block(void);
KEPT void stacks_inner(void);
KEPT void stacks_outer(void);
KEPT void stacks_victim(void);
KEPT void stacks_handler(int signal);
KEPT void stacks_receiver(void);
KEPT void stacks_spinner(void);
KEPT void stacks_wait(void);

void stacks_block(void) {
    atomic_fetch_add(&arrived, 1);
    for (;;) {
        pause();
    }
}

void stacks_inner(void) {
    call_back(stacks_block);
    NO_TAIL_CALL();
}

void stacks_outer(void) {
    call_back(stacks_inner);
    NO_TAIL_CALL();
}

void stacks_handler(int signal) {
    (void)signal;
    stacks_block();
    NO_TAIL_CALL();
}

void stacks_victim(void) {
    volatile int *nowhere = NULL;
    *nowhere = 1;
    NO_TAIL_CALL();
}

void stacks_receiver(void) {
    atomic_fetch_add(&arrived, 1);
    receive();
    NO_TAIL_CALL();
}

void stacks_spinner(void) {
    atomic_fetch_add(&arrived, 1);
    spin();
    NO_TAIL_CALL();
}

void stacks_wait(void) {
    while (atomic_load(&arrived) < 4) {
        usleep(1000);
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        pause();
    }
}

static void (*const bodies[])(void) = {stacks_outer, stacks_victim, stacks_receiver, stacks_spinner};

static void *run(void *index) {
    bodies[(uintptr_t)index]();
    return NULL;
}

/* A function's address, which dlsym() gives as an object's. */
static void find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address);
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = stacks_handler};
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
    if (library == NULL) {
        fprintf(stderr, "stacks_host: %s\n", argc > 1 ? dlerror() : "which library?");
        return 1;
    }
    int (*probe)(void) = NULL;
    find(library, "InitraceProbe", &probe);
    find(library, "StacksCall", &call_back);
    find(library, "StacksReceive", &receive);
    find(library, "StacksSpin", &spin);
    if (probe == NULL || call_back == NULL || receive == NULL || spin == NULL || probe() != 42) {
        return 1;
    }
    sigaction(SIGSEGV, &action, NULL);
    for (uintptr_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, (void *)i) != 0) {
            return 1;
        }
    }
    stacks_wait();
    NO_TAIL_CALL();
    return 0;
}
