/* Tries whether hosts can be debugged here: traces a child of its own and sets a debug register in it. It debugs
 * nothing. */
#include "platform/platform.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static char failure[160]; /* "": it works */

static void failed(const char *what) {
    snprintf(failure, sizeof failure, "%s: %s", what, strerror(errno));
}

static void poke(pid_t child) {
    static const size_t registers = offsetof(struct user, u_debugreg);
    if (ptrace(PTRACE_POKEUSER, child, (void *)(uintptr_t)registers, (void *)(uintptr_t)&failure) != 0 ||
        ptrace(PTRACE_POKEUSER, child, (void *)(uintptr_t)(registers + 7 * sizeof(long)), (void *)1) != 0) {
        failed("debug registers cannot be set");
    }
}

/* On a thread of its own: a child of the main thread would be taken for what a host has left behind. */
static void *try_with_a_child(void *unused) {
    int status = 0;
    (void)unused;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        for (;;) {
            syscall(SYS_pause);
        }
    }
    if (child < 0) {
        failed("no process can be started");
        return NULL;
    }
    if (ptrace(PTRACE_SEIZE, child, NULL, (void *)(uintptr_t)PTRACE_O_EXITKILL) != 0) {
        failed("processes cannot be traced (PTRACE_SEIZE)");
    } else if (ptrace(PTRACE_INTERRUPT, child, NULL, NULL) != 0 || waitpid(child, &status, __WALL) != child) {
        failed("a traced process cannot be stopped");
    } else {
        poke(child);
    }
    kill(child, SIGKILL);
    while (waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
    }
    return NULL;
}

static void try_on_a_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, try_with_a_child, NULL) != 0 || pthread_join(thread, NULL) != 0) {
        failed("no thread can be started");
    }
}

bool itrp_can_debug(char *why, size_t room) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, try_on_a_thread);
    if (failure[0] != '\0' && why != NULL) {
        snprintf(why, room, "%s", failure);
    }
    return failure[0] == '\0';
}
