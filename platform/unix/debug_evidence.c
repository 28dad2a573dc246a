/* Stops the whole host before the first signal that means a fault is delivered, when it ends by itself, or when the
 * loop asks for it; takes the snapshot, and waits until the loop has looked. It does not say what is in it. */
#include "platform/unix/debug_unix.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>

/* A thread in an uninterruptible wait does not stop: it is shown without registers. */
#define GATHER_NS UINT64_C(2000000000)
/* Longest look at a standing host: long stacks and a core file of gigabytes. */
#define LOOK_NS UINT64_C(120000000000)
/* A wake-up that came just before the wait is lost: so it is sent again. */
#define ASK_AGAIN_NS UINT64_C(5000000)

/* ---- when ---- */

static bool is_raised(const siginfo_t *info) {
    switch (info->si_signo) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
        return info->si_code > 0;
    default:
        return false;
    }
}

static bool is_harmless(int signal) {
    return signal == SIGCHLD || signal == SIGCONT || signal == SIGURG || signal == SIGWINCH || signal == SIGSTOP ||
           signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/* Nobody handles it, and its default is the end. */
static bool will_end(const struct itrp_debugger *debugger, int signal) {
    struct itrp_snapshot whole = {0};
    return !is_harmless(signal) && itrp_unix_read_signals(debugger->host, debugger->host, NULL, &whole) &&
           whole.has_signals && ((whole.caught | whole.ignored) >> (signal - 1) & 1) == 0;
}

static bool may_begin(const struct itrp_debugger *debugger) {
    return debugger->plan->evidence && !debugger->gathering && !debugger->gathered && debugger->pauser == 0;
}

static void begin(struct itrp_debugger *debugger, enum itrp_snapshot_reason reason, pid_t thread) {
    struct itr_error error = {0};
    struct itrp_unix_snapshot *snapshot = itrp_unix_snapshot_begin(debugger->host, &error);
    uv_mutex_lock(&debugger->evidence.lock);
    if (snapshot == NULL) {
        debugger->evidence.error = error;
        debugger->evidence.refused = true;
        uv_cond_broadcast(&debugger->evidence.changed);
    }
    debugger->evidence.wanted = debugger->evidence.wanted && snapshot != NULL;
    uv_mutex_unlock(&debugger->evidence.lock);
    if (snapshot == NULL) {
        return; /* it goes on without; whoever asked is told */
    }
    debugger->gathering = true;
    debugger->gathered = reason != ITRP_SNAPSHOT_ASKED;
    debugger->gathering_reason = reason;
    debugger->gathered_for = thread;
    debugger->gathering_snapshot = snapshot;
    debugger->gather_until_ns = itrp_debug_now_ns() + GATHER_NS;
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        if (!debugger->tracees[i].stopped) {
            itrp_debug_interrupt(&debugger->tracees[i]);
        }
    }
}

bool itrp_debug_evidence_signal(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, const siginfo_t *info) {
    if (!may_begin(debugger) || !(is_raised(info) || will_end(debugger, info->si_signo))) {
        return false;
    }
    begin(debugger, ITRP_SNAPSHOT_FAULT, tracee->id);
    tracee->signal = info->si_signo;
    return debugger->gathering;
}

bool itrp_debug_evidence_exit(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    uint64_t call = 0;
    unsigned long status = 0;
    if (!may_begin(debugger) ||
        !itrp_debug_peek_user(debugger, tracee, offsetof(struct user_regs_struct, orig_rax), &call) ||
        call != SYS_exit_group ||
        !itrp_debug_ptrace(debugger, PTRACE_GETEVENTMSG, tracee, 0, (uint64_t)(uintptr_t)&status)) {
        return false;
    }
    debugger->exit_status = (uint32_t)(status >> 8) & 0xff;
    begin(debugger, ITRP_SNAPSHOT_EXIT, tracee->id);
    return debugger->gathering;
}

/* ---- standing ---- */

static bool all_stand(const struct itrp_debugger *debugger) {
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        if (!debugger->tracees[i].stopped) {
            return false;
        }
    }
    return debugger->over == 0;
}

static enum itr_status fill(struct itrp_debugger *debugger, struct itrp_unix_snapshot *snapshot, struct itr_error *err) {
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        const struct itrp_debug_tracee *tracee = &debugger->tracees[i];
        if (tracee->stopped) {
            itrp_unix_snapshot_add(snapshot, tracee->id, tracee->role, tracee->id == debugger->gathered_for);
        }
    }
    snapshot->shown.exit_status = debugger->exit_status;
    return itrp_unix_snapshot_finish(snapshot, debugger->gathering_reason, err);
}

/* Shows the snapshot to the loop and waits until that is done with it. */
static void show(struct itrp_debugger *debugger, struct itrp_unix_snapshot *snapshot, const struct itr_error *error) {
    struct itrp_debug_evidence *evidence = &debugger->evidence;
    uint64_t deadline_ns = itrp_debug_now_ns() + LOOK_NS;
    uv_mutex_lock(&evidence->lock);
    evidence->snapshot = snapshot;
    evidence->refused = snapshot == NULL;
    evidence->error = *error;
    evidence->wanted = false;
    evidence->released = snapshot == NULL;
    uv_cond_broadcast(&evidence->changed);
    for (uint64_t now_ns = itrp_debug_now_ns(); !evidence->released && now_ns < deadline_ns;
         now_ns = itrp_debug_now_ns()) {
        uv_cond_timedwait(&evidence->changed, &evidence->lock, deadline_ns - now_ns);
    }
    uv_mutex_unlock(&evidence->lock);
}

/* Lets everybody go on who stands for no other reason. */
static void let_go(struct itrp_debugger *debugger) {
    debugger->gathering = false;
    debugger->gather_until_ns = 0;
    debugger->gathered_for = 0;
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        struct itrp_debug_tracee *tracee = &debugger->tracees[i];
        if (!tracee->stopped || tracee->id == debugger->held || tracee->id == debugger->mapper ||
            tracee->held_until_ns != 0) {
            continue;
        }
        if (tracee->in_group_stop) {
            tracee->in_group_stop = false;
            tracee->stopped = false;
            itrp_debug_ptrace(debugger, PTRACE_LISTEN, tracee, 0, 0);
        } else {
            itrp_debug_resume(debugger, tracee, tracee->signal);
        }
    }
}

void itrp_debug_evidence_look(struct itrp_debugger *debugger) {
    struct itr_error error = {0};
    if (!debugger->plan->evidence || debugger->reaped) {
        return;
    }
    if (!debugger->gathering) {
        uv_mutex_lock(&debugger->evidence.lock);
        bool wanted = debugger->evidence.wanted;
        uv_mutex_unlock(&debugger->evidence.lock);
        if (!wanted || debugger->pauser != 0) {
            return;
        }
        begin(debugger, ITRP_SNAPSHOT_ASKED, 0);
    }
    if (!debugger->gathering || (!all_stand(debugger) && itrp_debug_now_ns() < debugger->gather_until_ns)) {
        return;
    }
    struct itrp_unix_snapshot *snapshot = debugger->gathering_snapshot;
    debugger->gathering_snapshot = NULL;
    itrp_debug_code_hide(debugger, true);
    if (fill(debugger, snapshot, &error) != ITR_OK) {
        snapshot = NULL; /* freed */
    }
    show(debugger, snapshot, &error);
    itrp_debug_code_hide(debugger, false);
    let_go(debugger);
}

uint64_t itrp_debug_evidence_next_ns(const struct itrp_debugger *debugger) {
    return debugger->gather_until_ns;
}

void itrp_debug_evidence_end(struct itrp_debugger *debugger) {
    itrp_unix_snapshot_free(debugger->gathering_snapshot);
    debugger->gathering_snapshot = NULL;
    uv_mutex_lock(&debugger->evidence.lock);
    debugger->evidence.refused = true;
    uv_cond_broadcast(&debugger->evidence.changed);
    uv_mutex_unlock(&debugger->evidence.lock);
}

/* ---- the loop's side ---- */

const struct itrp_snapshot *itrp_debugger_snapshot(struct itrp_debugger *debugger) {
    const struct itrp_snapshot *shown = NULL;
    uv_mutex_lock(&debugger->evidence.lock);
    if (debugger->evidence.snapshot != NULL) {
        shown = &debugger->evidence.snapshot->shown;
    }
    uv_mutex_unlock(&debugger->evidence.lock);
    return shown;
}

enum itr_status itrp_debugger_stop(struct itrp_debugger *debugger, uint32_t timeout_ms, struct itr_error *err) {
    struct itrp_debug_evidence *evidence = &debugger->evidence;
    uint64_t deadline_ns = itrp_debug_now_ns() + (uint64_t)timeout_ms * 1000000u;
    enum itr_status status = ITR_OK;
    if (!debugger->plan->evidence) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "the host's debugger was not asked for evidence");
    }
    uv_mutex_lock(&evidence->lock);
    evidence->wanted = evidence->snapshot == NULL;
    while (evidence->snapshot == NULL && !evidence->refused && itrp_debug_now_ns() < deadline_ns) {
        itrp_debug_clock_wake(debugger);
        uv_cond_timedwait(&evidence->changed, &evidence->lock, ASK_AGAIN_NS);
    }
    evidence->wanted = false;
    if (evidence->snapshot == NULL && evidence->error.status != ITR_OK) {
        status = itr_fail(err, evidence->error.status, evidence->error.os_code, "%s", evidence->error.text);
    } else if (evidence->snapshot == NULL) {
        status = evidence->refused ? itr_fail(err, ITR_E_NOT_FOUND, 0, "the host has ended")
                                   : itr_fail(err, ITR_E_TIMEOUT, 0, "the host does not stop in %" PRIu32 " ms", timeout_ms);
    }
    uv_mutex_unlock(&evidence->lock);
    return status;
}

void itrp_debugger_go_on(struct itrp_debugger *debugger) {
    uv_mutex_lock(&debugger->evidence.lock);
    struct itrp_unix_snapshot *snapshot = debugger->evidence.snapshot;
    debugger->evidence.snapshot = NULL;
    debugger->evidence.released = true;
    uv_cond_broadcast(&debugger->evidence.changed);
    uv_mutex_unlock(&debugger->evidence.lock);
    itrp_unix_snapshot_free(snapshot);
}
