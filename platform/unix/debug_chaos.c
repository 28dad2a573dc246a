/* Perturbs the host's scheduling: holds at births and at random moments, priorities, one processor for all. Every
 * choice is drawn from the plan's seed. It holds nobody longer than the plan says. */
#include "platform/unix/debug_unix.h"

#include <sched.h>
#include <sys/resource.h>

#define DEFAULT_HOLD_NS  UINT64_C(2000000)
#define SHORTEST_HOLD_NS UINT64_C(5000)
/* Between two interrupts: many while the host is young, few in one that lives on. */
#define GAP_SHORTEST_NS UINT64_C(20000)
#define GAP_LONGEST_NS  UINT64_C(1000000)
#define GAP_SELDOM_NS   UINT64_C(20000000)
#define OFTEN           2000

enum { LOWEST_PRIORITY = 19 };

static uint64_t below(struct itrp_debugger *debugger, uint64_t limit) {
    return itr_random_below(&debugger->random, limit);
}

static uint64_t draw_hold_ns(struct itrp_debugger *debugger) {
    uint64_t longest = debugger->plan->chaos_hold_ns != 0 ? debugger->plan->chaos_hold_ns : DEFAULT_HOLD_NS;
    /* As many short ones as long ones: the longest is halved a random number of times. */
    longest >>= below(debugger, 7);
    return longest <= SHORTEST_HOLD_NS ? longest : itr_random_between(&debugger->random, SHORTEST_HOLD_NS, longest);
}

static void draw_next_interrupt(struct itrp_debugger *debugger, uint64_t now_ns) {
    uint64_t longest = debugger->interrupts < OFTEN ? GAP_LONGEST_NS : GAP_SELDOM_NS;
    debugger->next_interrupt_ns = now_ns + itr_random_between(&debugger->random, GAP_SHORTEST_NS, longest);
}

void itrp_debug_chaos_begin(struct itrp_debugger *debugger) {
    cpu_set_t allowed;
    cpu_set_t one;
    if (!debugger->plan->chaos) {
        return;
    }
    debugger->random = itr_random_seed(debugger->plan->chaos_seed);
    bool together = below(debugger, 4) == 0;
    if (together && sched_getaffinity(debugger->host, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 1) {
        uint64_t wanted = below(debugger, (uint64_t)CPU_COUNT(&allowed));
        size_t cpu = 0;
        while (!CPU_ISSET(cpu, &allowed) || wanted-- > 0) {
            cpu++;
        }
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        sched_setaffinity(debugger->host, sizeof one, &one); /* threads inherit it */
    }
    draw_next_interrupt(debugger, itrp_debug_now_ns());
}

static void hold(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    tracee->held_until_ns = itrp_debug_now_ns() + draw_hold_ns(debugger);
    debugger->report.chaos_holds++;
}

bool itrp_debug_chaos_birth(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee, bool creator) {
    if (!debugger->plan->chaos || debugger->pauser != 0) {
        return false;
    }
    if (!creator && below(debugger, 2) == 0) {
        setpriority(PRIO_PROCESS, (id_t)tracee->id, (int)below(debugger, LOWEST_PRIORITY + 1));
    }
    if (below(debugger, 2) == 0) {
        return false;
    }
    hold(debugger, tracee);
    return true;
}

bool itrp_debug_chaos_stopped(struct itrp_debugger *debugger, struct itrp_debug_tracee *tracee) {
    if (!tracee->hold_wanted || debugger->pauser != 0) {
        return false;
    }
    tracee->hold_wanted = false;
    hold(debugger, tracee);
    return true;
}

static void interrupt_somebody(struct itrp_debugger *debugger, uint64_t now_ns) {
    if (debugger->tracee_count > 0) {
        struct itrp_debug_tracee *tracee = &debugger->tracees[below(debugger, debugger->tracee_count)];
        if (!tracee->stopped && tracee->born && !itrp_debug_is_traced(debugger, tracee)) {
            tracee->hold_wanted = true;
            itrp_debug_interrupt(tracee);
        }
    }
    debugger->interrupts++;
    draw_next_interrupt(debugger, now_ns);
}

void itrp_debug_chaos_look(struct itrp_debugger *debugger, uint64_t now_ns) {
    if (!debugger->plan->chaos || debugger->pauser != 0) {
        return;
    }
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        struct itrp_debug_tracee *tracee = &debugger->tracees[i];
        if (tracee->held_until_ns != 0 && tracee->held_until_ns <= now_ns) {
            tracee->held_until_ns = 0;
            itrp_debug_resume(debugger, tracee, tracee->signal);
        }
    }
    if (debugger->next_interrupt_ns != 0 && debugger->next_interrupt_ns <= now_ns) {
        interrupt_somebody(debugger, now_ns);
    }
}

uint64_t itrp_debug_chaos_next_ns(const struct itrp_debugger *debugger) {
    uint64_t next_ns = debugger->next_interrupt_ns;
    if (!debugger->plan->chaos || debugger->pauser != 0) {
        return 0;
    }
    for (size_t i = 0; i < debugger->tracee_count; i++) {
        uint64_t until_ns = debugger->tracees[i].held_until_ns;
        if (until_ns != 0 && (next_ns == 0 || until_ns < next_ns)) {
            next_ns = until_ns;
        }
    }
    return next_ns;
}
