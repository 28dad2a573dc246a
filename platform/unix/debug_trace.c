/* Records which instructions of the library one thread executes, step by step. It takes no steps itself: a
 * traced thread goes on by single steps (debug_tracees.c). */
#include "platform/unix/debug_unix.h"

#include <stdlib.h>

enum {
    FIRST_ROOM = 64 * 1024,
    LOOK_EVERY = 256, /* steps between two looks at the ledger */
};

bool itrp_debug_is_traced(const struct itrp_debugger *debugger, const struct itrp_debug_tracee *tracee) {
    return debugger->tracing && tracee->role == debugger->plan->trace_role && tracee->role != ITR_ROLE_ANY;
}

static void end_trace(struct itrp_debugger *debugger, bool cut) {
    debugger->tracing = false;
    debugger->report.trace_cut = cut;
}

static bool make_room(struct itrp_debugger *debugger) {
    uint64_t room = debugger->trace_room == 0 ? FIRST_ROOM : debugger->trace_room * 2;
    uint32_t *trace = NULL;
    if (debugger->report.trace_count < debugger->trace_room) {
        return true;
    }
    trace = realloc(debugger->trace, room * sizeof *trace);
    if (trace == NULL) {
        itrp_debug_fail(debugger, ITR_E_NO_MEMORY, 0, "out of memory for the trace");
        return false;
    }
    debugger->trace = trace;
    debugger->trace_room = room;
    debugger->report.trace = trace;
    return true;
}

static bool init_is_done(const struct itrp_debugger *debugger) {
    return debugger->reply != NULL &&
           __atomic_load_n(&debugger->reply->phase_ns[ITR_PHASE_INIT_DONE], __ATOMIC_ACQUIRE) != 0;
}

void itrp_debug_trace_step(struct itrp_debugger *debugger, uint64_t pc) {
    struct itrp_debug_report *report = &debugger->report;
    uint64_t steps_max = debugger->plan->trace_steps_max;
    if (steps_max == 0 || steps_max > ITRP_DEBUG_STEPS_MAX) {
        steps_max = ITRP_DEBUG_STEPS_MAX;
    }
    report->trace_steps++;
    if (pc - report->library_base < debugger->library_bytes) {
        if (!make_room(debugger)) {
            end_trace(debugger, true);
            return;
        }
        debugger->trace[report->trace_count++] = (uint32_t)(pc - report->library_base);
    }
    if (report->trace_steps >= steps_max) {
        end_trace(debugger, true);
    } else if (report->trace_steps % LOOK_EVERY == 0 && init_is_done(debugger)) {
        end_trace(debugger, false);
    }
}
