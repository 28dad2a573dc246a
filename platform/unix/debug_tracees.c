/* The host's threads as the debugger knows them: the table, reading registers, memory and masks, stopping and
 * going on. It does not say why a thread stops. */
#include "platform/unix/debug_unix.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <unistd.h>

/* More threads at a time than any host has; a host that makes threads for ever ends here. */
#define TRACEES_MAX 16384

uint64_t itrp_debug_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- one thread ---- */

static bool succeeded(struct itrp_debugger *debugger, long result, const char *what) {
    if (result >= 0) {
        return true;
    }
    if (errno != ESRCH) {
        itrp_debug_fail(debugger, ITR_E_SYSTEM, errno, "%s: %s", what, strerror(errno));
    }
    return false;
}

bool itrp_debug_ptrace(struct itrp_debugger *debugger, int request, const struct itrp_debug_tracee *tracee,
                       uint64_t address, uint64_t data) {
    char what[48];
    long result = ptrace((enum __ptrace_request)request, tracee->id, (void *)(uintptr_t)address,
                         (void *)(uintptr_t)data);
    if (result >= 0) {
        return true;
    }
    int code = errno;
    snprintf(what, sizeof what, "ptrace request %#x", (unsigned)request);
    errno = code;
    return succeeded(debugger, result, what);
}

bool itrp_debug_peek_user(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, size_t offset,
                          uint64_t *value) {
    errno = 0;
    long word = ptrace(PTRACE_PEEKUSER, tracee->id, (void *)(uintptr_t)offset, NULL);
    *value = (uint64_t)word;
    return succeeded(debugger, errno == 0 ? 0 : -1, "reading a register");
}

bool itrp_debug_peek_pc(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, uint64_t *pc) {
    return itrp_debug_peek_user(debugger, tracee, offsetof(struct user_regs_struct, rip), pc);
}

bool itrp_debug_signal_info(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, siginfo_t *info) {
    return succeeded(debugger, ptrace(PTRACE_GETSIGINFO, tracee->id, NULL, info), "PTRACE_GETSIGINFO");
}

bool itrp_debug_read(const struct itrp_debugger *debugger, uint64_t address, void *bytes, size_t count) {
    struct iovec here = {.iov_base = bytes, .iov_len = count};
    struct iovec there = {.iov_base = (void *)(uintptr_t)address, .iov_len = count};
    return process_vm_readv(debugger->host, &here, 1, &there, 1, 0) == (ssize_t)count;
}

bool itrp_debug_signal_mask(const struct itrp_debugger *debugger, pid_t thread, const char *name, uint64_t *mask) {
    char text[4096];
    snprintf(text, sizeof text, "/proc/%ld/task/%ld/status", (long)debugger->host, (long)thread);
    int file = open(text, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t got = read(file, text, sizeof text - 1);
    close(file);
    text[got > 0 ? got : 0] = '\0';
    const char *line = strstr(text, name);
    return line != NULL && sscanf(line + strlen(name), ":\t%" SCNx64, mask) == 1;
}

/* ---- the table ---- */

struct itrp_debug_tracee *itrp_debug_tracee(struct itrp_debugger *debugger, pid_t id) {
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        if (debugger->tracees[i].id == id) {
            return &debugger->tracees[i];
        }
    }
    return NULL;
}

static bool make_room(struct itrp_debugger *debugger) {
    if (debugger->tracee_count < debugger->tracee_room) {
        return true;
    }
    size_t room = debugger->tracee_room == 0 ? 16 : debugger->tracee_room * 2;
    if (room > TRACEES_MAX) {
        itrp_debug_fail(debugger, ITR_E_LIMIT, 0, "the host has more than %d threads", TRACEES_MAX);
        return false;
    }
    struct itrp_debug_tracee *tracees = realloc(debugger->tracees, room * sizeof *tracees);
    if (tracees == NULL) {
        itrp_debug_fail(debugger, ITR_E_NO_MEMORY, 0, "out of memory for the host's threads");
        return false;
    }
    debugger->tracees = tracees;
    debugger->tracee_room = room;
    return true;
}

static enum itr_role role_of(struct itrp_debugger *debugger, pid_t id) {
    if (id == debugger->host) {
        return ITR_ROLE_MAIN;
    }
    if (debugger->init == 0 && (debugger->stage == ITRP_DEBUG_STAGE_MAPPED || itrp_debug_library_seen(debugger))) {
        debugger->init = id;
        return ITR_ROLE_INIT;
    }
    return ITR_ROLE_ANY;
}

struct itrp_debug_tracee *itrp_debug_tracee_add(struct itrp_debugger *debugger, pid_t id) {
    struct itrp_debug_report *report = &debugger->report;
    struct itrp_debug_tracee *tracee = itrp_debug_tracee(debugger, id);
    if (tracee != NULL || !make_room(debugger)) {
        return tracee;
    }
    /* A process made by a clone() that looks like a thread's: it runs free, like every other child. */
    if (syscall(SYS_tgkill, debugger->host, id, 0) != 0 && errno == ESRCH) {
        return NULL;
    }
    tracee = &debugger->tracees[debugger->tracee_count++];
    *tracee = (struct itrp_debug_tracee){.id = id, .role = role_of(debugger, id), .record = report->thread_count++};
    if (tracee->record < ITRP_DEBUG_THREADS_MAX) {
        report->threads[tracee->record] = (struct itrp_debug_thread){
            .born_ns = itrp_debug_now_ns(), .id = (uint32_t)id, .role = tracee->role};
    }
    return tracee;
}

void itrp_debug_tracee_remove(struct itrp_debugger *debugger, pid_t id) {
    struct itrp_debug_tracee *tracee = itrp_debug_tracee(debugger, id);
    if (tracee == NULL) {
        return;
    }
    if (tracee->record < ITRP_DEBUG_THREADS_MAX) {
        debugger->report.threads[tracee->record].ended_ns = itrp_debug_now_ns();
    }
    *tracee = debugger->tracees[--debugger->tracee_count];
}

/* ---- going on ---- */

static int request_for(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    if (tracee->entering || itrp_debug_is_traced(debugger, tracee)) {
        return PTRACE_SINGLESTEP;
    }
    return debugger->taker == tracee->id ? PTRACE_SYSCALL : PTRACE_CONT;
}

void itrp_debug_resume(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, int signal) {
    if (debugger->pauser != 0 || debugger->over != 0 || debugger->gathering) {
        /* It goes on when the debugger leaves, another thread has made its step, or the evidence was taken. */
        tracee->signal = signal;
        return;
    }
    if (tracee->generation != debugger->generation) {
        itrp_debug_registers_sync(debugger, tracee);
    }
    tracee->stopped = false;
    tracee->signal = 0;
    itrp_debug_ptrace(debugger, request_for(debugger, tracee), tracee, 0, (uint64_t)signal);
}

void itrp_debug_interrupt(const struct itrp_debug_tracee *tracee) {
    /* A thread that is ending refuses with EIO or ESRCH: its end is reported soon. */
    (void)ptrace(PTRACE_INTERRUPT, tracee->id, NULL, NULL);
}
