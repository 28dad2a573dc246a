/* Leaves the host stopped as a whole, with nobody attached. It decides neither where nor when. */
#include "platform/unix/debug_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#define STOP_TIMEOUT_NS UINT64_C(2000000000)

void itrp_debug_pause_begin(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    debugger->pauser = tracee->id;
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        if (!debugger->tracees[i].stopped) {
            itrp_debug_interrupt(&debugger->tracees[i]);
        }
    }
}

/* Letter of the thread's state in /proc, 0 if it is gone. */
static char state_of(const struct itrp_debugger *debugger, pid_t thread) {
    char text[512];
    snprintf(text, sizeof text, "/proc/%ld/task/%ld/stat", (long)debugger->host, (long)thread);
    int file = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t got = file >= 0 ? read(file, text, sizeof text - 1) : -1;
    if (file >= 0) {
        close(file);
    }
    text[got > 0 ? got : 0] = '\0';
    const char *after_name = strrchr(text, ')');
    return after_name != NULL && after_name[1] == ' ' ? after_name[2] : '\0';
}

static void wait_until_stopped(struct itrp_debugger *debugger, pid_t thread) {
    uint64_t deadline_ns = itrp_debug_now_ns() + STOP_TIMEOUT_NS;
    char state = state_of(debugger, thread);
    while (state != 'T' && state != 'Z' && state != 'X' && state != '\0') {
        if (itrp_debug_now_ns() >= deadline_ns) {
            itrp_debug_fail(debugger, ITR_E_TIMEOUT, 0, "the host does not stop (state %c)", state);
            return;
        }
        usleep(20);
        state = state_of(debugger, thread);
    }
}

static void leave(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, int signal) {
    itrp_debug_registers_clear(debugger, tracee);
    if (itrp_debug_ptrace(debugger, PTRACE_DETACH, tracee, 0, (uint64_t)signal)) {
        wait_until_stopped(debugger, tracee->id);
    }
}

void itrp_debug_pause_look(struct itrp_debugger *debugger) {
    if (debugger->pauser == 0 || __atomic_load_n(&debugger->paused, __ATOMIC_ACQUIRE)) {
        return;
    }
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        if (!debugger->tracees[i].stopped) {
            return;
        }
    }
    struct itrp_debug_tracee *first = itrp_debug_tracee(debugger, debugger->pauser);
    if (first == NULL) {
        return; /* killed meanwhile */
    }
    itrp_debug_wake_at(debugger, 0);
    /* It takes SIGSTOP before it runs one more instruction of its own, and stops the whole group. */
    leave(debugger, first, SIGSTOP);
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        struct itrp_debug_tracee *other = &debugger->tracees[i];
        if (other->id != debugger->pauser) {
            leave(debugger, other, other->signal);
        }
    }
    debugger->report.paused = true;
    __atomic_store_n(&debugger->paused, true, __ATOMIC_RELEASE);
}
