/* Tries whether hosts can be debugged here, and whether debug registers work: traces a child of its own. It debugs
 * nothing.
 *
 * That a register was written, and reads as it was written, says nothing: guests of paravirtual hypervisors have
 * registers that never trip (seen under PVM, Linux 6.18). */
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

static char failure[160]; /* "": hosts can be debugged */
static bool registers_work;

static void failed(const char *what) {
    snprintf(failure, sizeof failure, "%s: %s", what, strerror(errno));
}

/* What the child does: it comes by here, for ever. */
__attribute__((noinline)) static void come_by(void) {
    __asm__ volatile("" ::: "memory");
}

/* True if the child is stopped next by `signal`; in time, since it makes a system call at every turn. */
static bool stops_by(pid_t child, int signal) {
    int status = 0;
    return waitpid(child, &status, __WALL) == child && WIFSTOPPED(status) &&
           WSTOPSIG(status) == signal;
}

/* The child goes on from one system call to the end of the next: in between it comes by, and a register that works
 * stops it there first. */
static bool trips(pid_t child) {
    static const size_t registers = offsetof(struct user, u_debugreg);
    for (int stop = 0; stop < 3; stop++) {
        if (ptrace(PTRACE_SYSCALL, child, NULL, NULL) != 0) {
            return false;
        }
        if (stops_by(child, SIGTRAP)) {
            return true;
        }
        if (stop == 0 &&
            (ptrace(PTRACE_POKEUSER, child, (void *)(uintptr_t)registers,
                    (void *)(uintptr_t)come_by) != 0 ||
             ptrace(PTRACE_POKEUSER, child, (void *)(uintptr_t)(registers + 7 * sizeof(long)),
                    (void *)1) != 0)) {
            return false;
        }
    }
    return false;
}

/* On a thread of its own: a child of the main thread would be taken for what a host has left behind. */
static void *try_with_a_child(void *unused) {
    static const uintptr_t options = PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD;
    int status = 0;
    (void)unused;
    pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    if (child == 0) {
        for (;;) {
            syscall(SYS_sched_yield);
            come_by();
        }
    }
    if (child < 0) {
        failed("no process can be started");
        return NULL;
    }
    if (ptrace(PTRACE_SEIZE, child, NULL, (void *)options) != 0) {
        failed("processes cannot be traced (PTRACE_SEIZE)");
    } else if (ptrace(PTRACE_INTERRUPT, child, NULL, NULL) != 0 || !stops_by(child, SIGTRAP)) {
        failed("a traced process cannot be stopped");
    } else {
        registers_work = trips(child);
    }
    kill(child, SIGKILL);
    while (waitpid(child, &status, __WALL) < 0 && errno == EINTR) {
    }
    return NULL;
}

static void try_on_a_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, try_with_a_child, NULL) != 0 ||
        pthread_join(thread, NULL) != 0) {
        failed("no thread can be started");
    }
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

bool itrp_has_debug_registers(void) {
    pthread_once(&once, try_on_a_thread);
    return registers_work;
}

bool itrp_can_debug(char *why, size_t room) {
    pthread_once(&once, try_on_a_thread);
    if (failure[0] != '\0' && why != NULL) {
        snprintf(why, room, "%s", failure);
    }
    return failure[0] == '\0';
}
