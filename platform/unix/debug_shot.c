/* What happens at the point: counting, firing, holding the thread that is there until the event's taker is
 * through. It does not find the point. */
#include "platform/unix/debug_unix.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <unistd.h>

/* Marks the signal as the shot's on its way to the host, who never sees it. */
#define SHOT_VALUE UINT64_C(0x696e697472616365)
/* On a busy machine the event's taker may not run for longer than the hit thread is held for its sake; one that was let go
 * before would meet the event at another place. Longest wait for that. */
#define BEGIN_NS UINT64_C(500000000)

#if defined(__SANITIZE_THREAD__) || defined(__clang__)
#define LIKE_A_HOST __attribute__((no_sanitize("thread")))
#else
#define LIKE_A_HOST
#endif

/* The ledger's words are read while they are written, by copying: that is how ledgers are. */
LIKE_A_HOST static void put64(uint64_t *word, uint64_t value) {
    *(volatile uint64_t *)word = value;
}

LIKE_A_HOST static void put32(uint32_t *word, uint32_t value) {
    *(volatile uint32_t *)word = value;
}

static int signal_of(uint32_t event) {
    static const int signals[ITR_EVENT_COUNT] = {
#define ITR_SIGNAL(name) [ITR_EVENT_##name] = name
        ITR_SIGNAL(SIGHUP),  ITR_SIGNAL(SIGINT),  ITR_SIGNAL(SIGQUIT), ITR_SIGNAL(SIGILL),    ITR_SIGNAL(SIGTRAP),
        ITR_SIGNAL(SIGABRT), ITR_SIGNAL(SIGBUS),  ITR_SIGNAL(SIGFPE),  ITR_SIGNAL(SIGUSR1),   ITR_SIGNAL(SIGSEGV),
        ITR_SIGNAL(SIGUSR2), ITR_SIGNAL(SIGPIPE), ITR_SIGNAL(SIGALRM), ITR_SIGNAL(SIGTERM),   ITR_SIGNAL(SIGCHLD),
        ITR_SIGNAL(SIGCONT), ITR_SIGNAL(SIGTSTP), ITR_SIGNAL(SIGTTIN), ITR_SIGNAL(SIGTTOU),   ITR_SIGNAL(SIGURG),
        ITR_SIGNAL(SIGXCPU), ITR_SIGNAL(SIGXFSZ), ITR_SIGNAL(SIGPROF), ITR_SIGNAL(SIGVTALRM), ITR_SIGNAL(SIGWINCH),
        ITR_SIGNAL(SIGIO),   ITR_SIGNAL(SIGPWR),  ITR_SIGNAL(SIGSYS),
#undef ITR_SIGNAL
    };
    return event < ITR_EVENT_COUNT ? signals[event] : 0;
}

static bool is_blocked(const struct itrp_debugger *debugger, pid_t thread, int signal) {
    uint64_t mask = 0;
    return itrp_debug_signal_mask(debugger, thread, "SigBlk", &mask) && (mask >> (signal - 1) & 1) != 0;
}

/* ---- firing ---- */

static bool others_can_take(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, int signal) {
    for (size_t i = 0; i < debugger->tracee_count && i < ITRP_DEBUG_THREADS_MAX; i++) {
        const struct itrp_debug_tracee *other = &debugger->tracees[i];
        if (other->id != tracee->id && !is_blocked(debugger, other->id, signal)) {
            return true;
        }
    }
    return false;
}

/* Whom kill() would choose if no thread were stopped by a debugger, which it passes over: the main thread unless
 * that has the signal blocked, else one of the others. 0: the kernel itself chooses among those, or it stays
 * pending until somebody unblocks it. */
static pid_t choose(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, int signal) {
    if (!is_blocked(debugger, debugger->host, signal)) {
        return debugger->host;
    }
    bool own = !others_can_take(debugger, tracee, signal) && !is_blocked(debugger, tracee->id, signal);
    return own ? tracee->id : 0;
}

/* The thread the event is for; 0: the process; -1: there is none. */
static pid_t target_of(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee, int signal) {
    switch (debugger->plan->shot->target) {
    case ITR_TARGET_CALLER:
        return tracee->id;
    case ITR_TARGET_INIT:
        return debugger->init != 0 ? debugger->init : -1;
    case ITR_TARGET_MAIN:
        return debugger->host;
    default:
        return choose(debugger, tracee, signal);
    }
}

static int send_to(const struct itrp_debugger *debugger, pid_t target, int signal) {
    siginfo_t info;
    if (target < 0) {
        errno = ESRCH;
        return -1;
    }
    if (target == 0) {
        return kill(debugger->host, signal);
    }
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void *)(uintptr_t)SHOT_VALUE;
    return (int)syscall(SYS_rt_tgsigqueueinfo, debugger->host, target, signal, &info);
}

/* Fires. Returns how long the thread that is here may be held until the event has come to its taker; 0: it is for
 * nobody else. */
static uint64_t fire(struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    const struct itr_shot_request *shot = debugger->plan->shot;
    struct itr_shot_reply unread = {0};
    struct itr_shot_reply *reply = debugger->reply != NULL ? &debugger->reply->shots[0] : &unread;
    int signal = signal_of(shot->event);
    if (signal == 0) {
        itrp_debug_fail(debugger, ITR_E_UNSUPPORTED, 0, "%s cannot be sent here", itr_event_name(shot->event));
        return 0;
    }
    pid_t target = target_of(debugger, tracee, signal);
    put32(&reply->sender_thread, (uint32_t)debugger->self);
    put32(&reply->target_thread, target > 0 && shot->target != ITR_TARGET_PROCESS ? (uint32_t)target : 0);
    put64(&reply->requested_ns, debugger->report.hit_ns);
    put64(&reply->fired_ns, itrp_debug_now_ns());
    int result = send_to(debugger, target, signal);
    put32((uint32_t *)&reply->send_error, result == 0 ? 0 : (uint32_t)errno);
    put64(&reply->sent_ns, itrp_debug_now_ns());
    if (result != 0) {
        return 0;
    }
    debugger->shot_signal = signal;
    bool comes = target > 0 && shot->hold_ns < BEGIN_NS && !is_blocked(debugger, target, signal);
    return target == tracee->id ? 0 : comes && shot->hold_ns > 0 ? BEGIN_NS : shot->hold_ns;
}

bool itrp_debug_point_reached(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    const struct itrp_debug_plan *plan = debugger->plan;
    struct itrp_debug_report *report = &debugger->report;
    if (++report->hits < plan->point.occurrence) {
        return false;
    }
    debugger->point_done = true;
    itrp_debug_break_changed(debugger);
    report->hit_ns = itrp_debug_now_ns();
    report->hit_thread = (uint32_t)tracee->id;
    report->hit_role = tracee->role;
    bool fires = plan->shot != NULL && plan->pause != ITRP_DEBUG_PAUSE_BEFORE;
    uint64_t hold_ns = fires ? fire(debugger, tracee) : 0;
    if (plan->pause != ITRP_DEBUG_NO_PAUSE) {
        itrp_debug_pause_begin(debugger, tracee);
        return true;
    }
    if (hold_ns > 0) {
        debugger->held = tracee->id;
        debugger->late_stops = 0;
        debugger->held_until_ns = report->hit_ns + hold_ns;
        return true;
    }
    report->released_ns = itrp_debug_now_ns();
    return false;
}

/* ---- taking ---- */

static int si_code_of(uint32_t delivery) {
    switch (delivery) {
    case ITR_DELIVERY_TGKILL:
        return SI_TKILL;
    case ITR_DELIVERY_SIGQUEUE:
        return SI_QUEUE;
    case ITR_DELIVERY_TIMER:
        return SI_TIMER;
    default:
        return SI_USER;
    }
}

static bool is_the_shot(const struct itrp_debugger *debugger, const siginfo_t *info) {
    if (debugger->shot_signal != info->si_signo || info->si_pid != getpid()) {
        return false;
    }
    return info->si_code == SI_USER ||
           (info->si_code == SI_QUEUE && info->si_value.sival_ptr == (void *)(uintptr_t)SHOT_VALUE);
}

bool itrp_debug_shot_taken(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, siginfo_t *info) {
    struct itrp_debug_report *report = &debugger->report;
    siginfo_t seen;
    uint64_t caught = 0;
    if (!is_the_shot(debugger, info)) {
        return false;
    }
    memset(&seen, 0, sizeof seen);
    seen.si_signo = info->si_signo;
    seen.si_code = si_code_of(debugger->plan->shot->delivery);
    if (seen.si_code != SI_TIMER) {
        seen.si_pid = debugger->host;
        seen.si_uid = getuid();
    }
    itrp_debug_ptrace(debugger, PTRACE_SETSIGINFO, tracee, 0, (uint64_t)(uintptr_t)&seen);
    report->taken_ns = itrp_debug_now_ns();
    report->taken_thread = (uint32_t)tracee->id;
    report->taken_role = tracee->role;
    debugger->shot_signal = 0;
    if (debugger->held != 0) {
        debugger->held_until_ns = report->taken_ns + debugger->plan->shot->hold_ns;
        tracee->entering = itrp_debug_signal_mask(debugger, debugger->host, "SigCgt", &caught) &&
                           (caught >> (info->si_signo - 1) & 1) != 0;
    }
    return true;
}

void itrp_debug_shot_entered(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    uint64_t stack = 0;
    tracee->entering = false;
    if (debugger->held != 0 && itrp_debug_peek_user(debugger, tracee, offsetof(struct user_regs_struct, rsp), &stack)) {
        debugger->taker = tracee->id;
        debugger->taker_stack = stack + sizeof stack; /* the handler's return takes the address off it */
    }
}

void itrp_debug_shot_syscall(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    struct user_regs_struct regs;
    if (debugger->taker != tracee->id ||
        !itrp_debug_ptrace(debugger, PTRACE_GETREGS, tracee, 0, (uint64_t)(uintptr_t)&regs)) {
        return;
    }
    /* Stepping sees the number in rax, before the call; the stop of a call sees it in orig_rax. */
    if ((regs.orig_rax == SYS_rt_sigreturn || regs.rax == SYS_rt_sigreturn) && regs.rsp == debugger->taker_stack) {
        itrp_debug_release(debugger, false);
    }
}

/* ---- the held thread ---- */

void itrp_debug_release(struct itrp_debugger *debugger, bool expired) {
    struct itrp_debug_tracee *tracee = itrp_debug_tracee(debugger, debugger->held);
    debugger->held = 0;
    debugger->held_until_ns = 0;
    debugger->taker = 0;
    debugger->report.hold_expired = expired;
    debugger->report.released_ns = itrp_debug_now_ns();
    if (debugger->reply != NULL) {
        put64(&debugger->reply->shots[0].released_ns, debugger->report.released_ns);
    }
    if (tracee != NULL) {
        itrp_debug_resume(debugger, tracee, 0);
    }
}

void itrp_debug_shot_forget(struct itrp_debugger *debugger, pid_t thread) {
    if (debugger->held == thread) {
        debugger->held = 0;
        debugger->held_until_ns = 0;
        debugger->taker = 0;
    } else if (debugger->taker == thread) {
        itrp_debug_release(debugger, false);
    }
}
