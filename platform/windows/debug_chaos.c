/* Perturbed scheduling of a debugged host: holds, priorities, one processor for all. Every choice is drawn from
 * the plan's seed; when it is made follows the host's own events and the clock. */
#include "platform/windows/debug_windows.h"

enum {
    ONE_IN_BIRTHS = 2,     /* births at which the newborn is held */
    ONE_IN_CREATORS = 3,   /* births whose creator is, as it comes back from that */
    ONE_IN_PRIORITIES = 2, /* births at which a priority is changed */
    ONE_IN_PROCESSORS = 8, /* random moments at which the number of processors changes */
    HOLD_SIZES = 8,        /* the longest one, half of it, and so on */
};
/* The longest one, when the plan names none. How long a newborn needs until it can be first differs by an order of magnitude
 * (under Wine 2 ms, on a busy machine more than 8 ms): holds of all lengths up to the longest are as likely. */
#define HOLD_NS UINT64_C(64000000)
/* Longest time between two random moments. */
#define MOMENT_NS UINT64_C(16000000)

static uint64_t longest_ns(const struct itrp_windows_debugger *debugger) {
    return debugger->plan->chaos_hold_ns != 0 ? debugger->plan->chaos_hold_ns : HOLD_NS;
}

static bool is_drawn(struct itrp_windows_debugger *debugger, uint64_t one_in) {
    return itr_random_below(&debugger->random, one_in) == 0;
}

static void hold(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    uint64_t size_ns = longest_ns(debugger) >> itr_random_below(&debugger->random, HOLD_SIZES);
    uint64_t ns = itr_random_between(&debugger->random, size_ns / 2, size_ns);
    if (thread->held_until_ns != 0 || thread->id == debugger->code.over_thread ||
        SuspendThread(thread->handle) == (DWORD)-1) {
        return; /* held already, or all others stand until it has made a step, or gone */
    }
    thread->held_until_ns = uv_hrtime() + ns;
    debugger->report.chaos_holds++;
}

static struct itrp_windows_thread *draw_thread(struct itrp_windows_debugger *debugger) {
    return &debugger->threads[itr_random_below(&debugger->random, debugger->thread_count)];
}

static void draw_priority(struct itrp_windows_debugger *debugger,
                          const struct itrp_windows_thread *thread) {
    static const int priorities[] = {THREAD_PRIORITY_LOWEST, THREAD_PRIORITY_BELOW_NORMAL,
                                     THREAD_PRIORITY_NORMAL, THREAD_PRIORITY_ABOVE_NORMAL,
                                     THREAD_PRIORITY_HIGHEST};
    SetThreadPriority(thread->handle, priorities[itr_random_below(&debugger->random, 5)]);
}

static void draw_processors(struct itrp_windows_debugger *debugger) {
    DWORD_PTR first = debugger->processors & (~debugger->processors + 1);
    debugger->one_processor = !debugger->one_processor;
    SetProcessAffinityMask(debugger->process,
                           debugger->one_processor ? first : debugger->processors);
}

static void draw_moment(struct itrp_windows_debugger *debugger, uint64_t now_ns) {
    debugger->chaos_next_ns = now_ns + itr_random_between(&debugger->random, 1, MOMENT_NS);
}

void itrp_windows_chaos_begin(struct itrp_windows_debugger *debugger) {
    DWORD_PTR of_system = 0;
    if (!debugger->plan->chaos) {
        return;
    }
    debugger->random = itr_random_seed(debugger->plan->chaos_seed);
    GetProcessAffinityMask(GetCurrentProcess(), &debugger->processors, &of_system);
    draw_moment(debugger, uv_hrtime());
    itrp_windows_births_watch(debugger);
}

void itrp_windows_chaos_birth(struct itrp_windows_debugger *debugger,
                              struct itrp_windows_thread *thread) {
    if (!debugger->plan->chaos) {
        return;
    }
    if (is_drawn(debugger, ONE_IN_BIRTHS)) {
        hold(debugger, thread);
    }
    if (is_drawn(debugger, ONE_IN_PRIORITIES)) {
        draw_priority(debugger, draw_thread(debugger));
    }
}

void itrp_windows_chaos_made(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    if (is_drawn(debugger, ONE_IN_CREATORS)) {
        hold(debugger, thread);
    }
}

static void release(struct itrp_windows_thread *thread) {
    thread->held_until_ns = 0;
    ResumeThread(thread->handle);
}

uint64_t itrp_windows_chaos_turn(struct itrp_windows_debugger *debugger, uint64_t now_ns) {
    uint64_t next_ns = UINT64_MAX;
    if (debugger->chaos_next_ns == 0) {
        return next_ns;
    }
    if (now_ns >= debugger->chaos_next_ns && debugger->thread_count > 0) {
        hold(debugger, draw_thread(debugger));
        if (is_drawn(debugger, ONE_IN_PROCESSORS)) {
            draw_processors(debugger);
        }
        draw_moment(debugger, now_ns);
    }
    for (size_t i = 0; i < debugger->thread_count; i++) {
        struct itrp_windows_thread *thread = &debugger->threads[i];
        if (thread->held_until_ns != 0 && thread->held_until_ns <= now_ns) {
            release(thread);
        } else if (thread->held_until_ns != 0 && thread->held_until_ns < next_ns) {
            next_ns = thread->held_until_ns;
        }
    }
    return debugger->chaos_next_ns < next_ns ? debugger->chaos_next_ns : next_ns;
}
