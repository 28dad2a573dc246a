/* The library of contract_debug_children.c: makes children in three ways, forked and vforked ones of which execute
 * the function that the debugger has its breakpoint in. It checks nothing but how they ended. */
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 3, OTHER_STEPS = 40, FORKED_CODE = 7, VFORKED_CODE = 9 };

extern char **environ;

volatile unsigned children_steps;

void children_step(void);
int children_call(void);

__attribute__((noinline)) void children_step(void) {
    children_steps = children_steps + 1;
}

/* Comes by all the while. */
static void *step_on(void *unused) {
    for (int i = 0; i < OTHER_STEPS; i++) {
        children_step();
        usleep(50);
    }
    return unused;
}

static bool ended_with(pid_t child, int code) {
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == code;
}

static bool make_forked(void) {
    pid_t child = fork();
    if (child == 0) {
        children_step();
        children_step();
        _exit(FORKED_CODE);
    }
    return ended_with(child, FORKED_CODE);
}

static bool make_vforked(void) {
    pid_t child = vfork();
    if (child == 0) {
        children_step();
        _exit(VFORKED_CODE);
    }
    return ended_with(child, VFORKED_CODE);
}

static bool make_spawned(void) {
    char *words[] = {"true", NULL};
    pid_t child = 0;
    return posix_spawnp(&child, words[0], NULL, NULL, words, environ) == 0 && ended_with(child, 0);
}

/* How many children ended as they should, of 3 * CHILDREN. */
int children_call(void) {
    pthread_t other;
    int good = 0;
    if (pthread_create(&other, NULL, step_on, NULL) != 0) {
        return -1;
    }
    for (int i = 0; i < CHILDREN; i++) {
        good += make_forked();
        good += make_vforked();
        good += make_spawned();
    }
    children_step();
    pthread_join(other, NULL);
    return good;
}
