/* What each stop and end of a host's thread means, and which file is told of it. It waits for nothing and keeps
 * nothing itself. */
#include "platform/unix/debug_unix.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

static void on_birth_or_interrupt(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, int signal) {
    bool was_born = tracee->born;
    tracee->born = true;
    if (signal != SIGTRAP) {
        /* Stopped by the host's own SIGSTOP and the like: it stays so until SIGCONT. */
        tracee->in_group_stop = debugger->gathering;
        if (debugger->pauser == 0 && !debugger->gathering) {
            itrp_debug_registers_sync(debugger, tracee);
            tracee->stopped = false;
            itrp_debug_ptrace(debugger, PTRACE_LISTEN, tracee, 0, 0);
        }
        return;
    }
    bool held = was_born ? itrp_debug_chaos_stopped(debugger, tracee) : itrp_debug_chaos_birth(debugger, tracee, false);
    if (!held) {
        itrp_debug_resume(debugger, tracee, 0);
    }
}

/* A process that the host made runs free. */
static void let_child_go(struct itrp_debugger *debugger, pid_t child) {
    itrp_debug_code_child(debugger, child);
    ptrace(PTRACE_DETACH, child, NULL, NULL);
}

/* The host may end before the child's first stop is heard, and what is attached then ends with the debugger: so it
 * is waited for, which is not for long, as every process is born stopped. It may have been let go before. */
static void on_child(struct itrp_debugger *debugger, pid_t child) {
    int status = 0;
    if (waitpid(child, &status, __WALL) == child && WIFSTOPPED(status)) {
        let_child_go(debugger, child);
    }
}

static void on_fork(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    unsigned long born = 0;
    if (itrp_debug_ptrace(debugger, PTRACE_GETEVENTMSG, tracee, 0, (uint64_t)(uintptr_t)&born)) {
        on_child(debugger, (pid_t)born);
    }
    itrp_debug_resume(debugger, tracee, 0);
}

static void on_clone(struct itrp_debugger *debugger, pid_t creator) {
    unsigned long born = 0;
    struct itrp_debug_tracee *tracee = itrp_debug_tracee(debugger, creator);
    if (itrp_debug_ptrace(debugger, PTRACE_GETEVENTMSG, tracee, 0, (uint64_t)(uintptr_t)&born)) {
        if (itrp_debug_tracee_add(debugger, (pid_t)born) == NULL) {
            on_child(debugger, (pid_t)born);
        }
        tracee = itrp_debug_tracee(debugger, creator); /* the table may have moved */
    }
    if (!itrp_debug_chaos_birth(debugger, tracee, true)) {
        itrp_debug_resume(debugger, tracee, 0);
    }
}

/* The host has become another program: nothing of what was looked for is there any more. */
static void on_exec(struct itrp_debugger *debugger, pid_t id) {
    while (debugger->tracee_count > 0) {
        itrp_debug_tracee_remove(debugger, debugger->tracees[0].id);
    }
    itrp_debug_code_close(debugger);
    debugger->stage = ITRP_DEBUG_STAGE_IDLE;
    debugger->generation++;
    debugger->mapper = 0;
    debugger->held = 0;
    debugger->taker = 0;
    debugger->tracing = false;
    struct itrp_debug_tracee *tracee = itrp_debug_tracee_add(debugger, id);
    if (tracee != NULL) {
        tracee->born = true;
        tracee->stopped = true;
        itrp_debug_resume(debugger, tracee, 0);
    }
}

static void on_signal(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, int signal, siginfo_t *info) {
    if (itrp_debug_shot_taken(debugger, tracee, info)) {
        bool through = !tracee->entering && debugger->held != 0;
        debugger->last_signal.code = 0;
        itrp_debug_resume(debugger, tracee, signal);
        if (through) {
            itrp_debug_release(debugger, false); /* no handler: there is nothing to wait for */
        }
        return;
    }
    itrp_debug_fault_seen(debugger, tracee, info);
    if (!itrp_debug_evidence_signal(debugger, tracee, info)) {
        itrp_debug_resume(debugger, tracee, signal);
    }
}

/* A SIGTRAP may be a breakpoint's or a watch's, a step's, the beginning of a handler that was stepped into, or
 * the host's own. */
static void on_trap(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    siginfo_t info;
    bool stays = false;
    if (!itrp_debug_signal_info(debugger, tracee, &info)) {
        return;
    }
    if (info.si_code == SI_KERNEL && itrp_debug_code_trapped(debugger, tracee)) {
        return;
    }
    bool traced = itrp_debug_is_traced(debugger, tracee);
    bool notified = info.si_code == SIGTRAP; /* not a signal at all: the kernel has set a handler up */
    /* After a step that made a system call the kernel says TRAP_BRKPT. */
    bool stepped = info.si_code == TRAP_TRACE || (info.si_code == TRAP_BRKPT && (traced || tracee->entering));
    if (info.si_code != TRAP_HWBKPT && !stepped && !notified) {
        on_signal(debugger, tracee, SIGTRAP, &info);
        return;
    }
    if (traced && (notified || stepped)) {
        uint64_t pc = (uint64_t)(uintptr_t)info.si_addr;
        if (!notified || itrp_debug_peek_pc(debugger, tracee, &pc)) {
            itrp_debug_trace_step(debugger, pc);
        }
        itrp_debug_shot_syscall(debugger, tracee);
    }
    if (tracee->entering && notified) {
        itrp_debug_shot_entered(debugger, tracee);
    }
    if (!notified && tracee->control != 0) {
        stays = itrp_debug_registers_hit(debugger, tracee);
    }
    if (!stays) {
        itrp_debug_resume(debugger, tracee, 0);
    }
}

void itrp_debug_stopped(struct itrp_debugger *debugger, pid_t id, int status) {
    siginfo_t info;
    int event = status >> 16;
    int signal = WSTOPSIG(status);
    struct itrp_debug_tracee *tracee = itrp_debug_tracee_add(debugger, id);
    if (tracee == NULL) {
        let_child_go(debugger, id);
        return;
    }
    tracee->stopped = true;
    itrp_debug_code_stopped(debugger, tracee, event == 0 ? signal : 0);
    if (event == PTRACE_EVENT_STOP) {
        on_birth_or_interrupt(debugger, tracee, signal);
    } else if (event == PTRACE_EVENT_CLONE) {
        on_clone(debugger, id);
    } else if (event == PTRACE_EVENT_EXEC) {
        on_exec(debugger, id);
    } else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK) {
        on_fork(debugger, tracee);
    } else if (event == PTRACE_EVENT_VFORK_DONE) {
        itrp_debug_code_vfork_done(debugger);
        itrp_debug_resume(debugger, tracee, 0);
    } else if (event == 0 && signal == ITRP_DEBUG_SYSCALL_STOP) {
        itrp_debug_shot_syscall(debugger, tracee);
        itrp_debug_resume(debugger, tracee, 0);
    } else if (event == 0 && signal == SIGTRAP) {
        on_trap(debugger, tracee);
    } else if (event == PTRACE_EVENT_EXIT) {
        if (!itrp_debug_evidence_exit(debugger, tracee)) {
            itrp_debug_resume(debugger, tracee, 0);
        }
    } else if (event != 0) {
        itrp_debug_resume(debugger, tracee, 0);
    } else if (itrp_debug_signal_info(debugger, tracee, &info)) {
        on_signal(debugger, tracee, signal, &info);
    }
}

void itrp_debug_ended(struct itrp_debugger *debugger, pid_t id, int status) {
    itrp_debug_shot_forget(debugger, id);
    if (debugger->mapper == id) {
        debugger->mapper = 0;
    }
    itrp_debug_tracee_remove(debugger, id);
    if (id == debugger->host) {
        debugger->status = status;
        debugger->reaped = true;
        if (WIFSIGNALED(status)) {
            itrp_debug_fault_ended(debugger, WTERMSIG(status));
        }
    }
}
