/* The trace: steps one thread of a debugged host with its trap flag and keeps the addresses of the library's
 * instructions that it comes to.
 *
 * A step costs several switches between host and debugger, so what the library calls elsewhere is not stepped: the
 * thread is stopped again where the call returns to. Library code that such a call calls back is not in the trace.
 *
 * While a thread is stepped in the library all others are frozen: Go's monitor would else preempt it every 10 ms,
 * which is a few dozen steps, and never let it come through. Whatever waits for another thread leaves the library
 * to do so. */
#include "platform/windows/debug_windows.h"

#include <stdlib.h>

enum { LET_RUN_STEPS = 4096 }; /* now and then the others run beside one step */

/* Longest time that a function or loop that showed nothing new before may take. */
#define RUN_OVER_NS UINT64_C(3000000000)

static uint64_t steps_max(const struct itrp_windows_debugger *debugger) {
    uint64_t wanted = debugger->plan->trace_steps_max;
    return wanted != 0 && wanted < ITRP_DEBUG_STEPS_MAX ? wanted : ITRP_DEBUG_STEPS_MAX;
}

static bool init_is_done(const struct itrp_windows_debugger *debugger) {
    return debugger->ledger != NULL &&
           __atomic_load_n(&debugger->ledger->reply.phase_ns[ITR_PHASE_INIT_DONE],
                           __ATOMIC_ACQUIRE) != 0;
}

static bool is_over(struct itrp_windows_debugger *debugger) {
    if (!debugger->trace_done && init_is_done(debugger)) {
        debugger->trace_done = true;
    }
    if (!debugger->trace_done && debugger->report.trace_steps >= steps_max(debugger)) {
        debugger->trace_done = true;
        debugger->report.trace_cut = true;
    }
    return debugger->trace_done;
}

/* ---- the others ---- */

static void freeze(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    if (!thread->frozen && thread->id != debugger->stepped_alone) {
        thread->frozen = SuspendThread(thread->handle) != (DWORD)-1;
    }
}

static void freeze_others(struct itrp_windows_debugger *debugger, DWORD stepped) {
    if (debugger->stepped_alone != 0) {
        return;
    }
    debugger->stepped_alone = stepped;
    for (size_t i = 0; i < debugger->thread_count; i++) {
        freeze(debugger, &debugger->threads[i]);
    }
}

void itrp_windows_trace_thaw(struct itrp_windows_debugger *debugger) {
    if (debugger->stepped_alone == 0) {
        return;
    }
    debugger->stepped_alone = 0;
    for (size_t i = 0; i < debugger->thread_count; i++) {
        struct itrp_windows_thread *thread = &debugger->threads[i];
        if (thread->frozen) {
            ResumeThread(thread->handle);
        }
        thread->frozen = false;
    }
}

void itrp_windows_trace_birth(struct itrp_windows_debugger *debugger,
                              struct itrp_windows_thread *thread) {
    if (debugger->stepped_alone != 0) {
        freeze(debugger, thread);
    }
}

/* ---- the thread ---- */

static void keep(struct itrp_windows_debugger *debugger, uint64_t pc) {
    struct itrp_debug_report *report = &debugger->report;
    if (report->trace_count == debugger->trace_room) {
        size_t room = debugger->trace_room == 0 ? 64u * 1024 : 2 * debugger->trace_room;
        uint32_t *trace = realloc(debugger->trace, room * sizeof *trace);
        if (trace == NULL) {
            itrp_windows_debug_refuse(debugger, ITR_E_NO_MEMORY, "out of memory for a trace");
            return;
        }
        debugger->trace = trace;
        debugger->trace_room = room;
    }
    debugger->trace[report->trace_count++] = (uint32_t)(pc - report->library_base);
}

/* The thread just left the library. If that was a call, or a jump in the place of one, the library's address
 * that it returns to is on top of the stack. */
static bool run_to_return(struct itrp_windows_debugger *debugger,
                          struct itrp_windows_thread *thread, CONTEXT *context) {
    uint64_t address = 0;
    if (!itrp_windows_peek(debugger, context->Rsp, &address, sizeof address) ||
        !itrp_windows_in_debugged_library(debugger, address) ||
        !itrp_windows_is_code(debugger, address)) {
        return false;
    }
    thread->return_to = address;
    thread->return_stack = context->Rsp;
    itrp_windows_fill_traps(debugger, thread, context);
    return true;
}

static bool begin_walk(struct itrp_windows_debugger *debugger) {
    if (debugger->walk.seen != NULL) {
        return true;
    }
    if (!itr_walk_begin(&debugger->walk, debugger->library_bytes)) {
        itrp_windows_debug_refuse(debugger, ITR_E_NO_MEMORY, "out of memory for a trace");
        return false;
    }
    /* Page by page: not every one of an image's is there. What cannot be read holds no loop that could be left. */
    for (uint64_t at = 0; at < debugger->library_bytes; at += 4096) {
        uint64_t left = debugger->library_bytes - at;
        (void)itrp_windows_peek(debugger, debugger->report.library_base + at, debugger->walk.code + at,
                                left < 4096 ? left : 4096);
    }
    return true;
}

/* Calls and loops within the library that show nothing new any more are not stepped again. The others must run
 * then, the thread may wait for them. */
static bool run_over(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread,
                          CONTEXT *context) {
    uint64_t address = 0;
    uint32_t rva = (uint32_t)(context->Rip - debugger->report.library_base);
    struct itr_walk_exits exits;
    if (!begin_walk(debugger)) {
        return false;
    }
    uint32_t room = thread->has_watches ? ITR_WALK_EXITS_MAX - debugger->plan->watch_count : ITR_WALK_EXITS_MAX;
    bool called = itr_walk_step(&debugger->walk, rva, context->Rip, context->Rsp);
    if (itr_walk_leaves_loop(&debugger->walk, &exits) && exits.count <= room) {
        for (uint32_t i = 0; i < exits.count; i++) {
            thread->places[thread->place_count++] = debugger->report.library_base + exits.rvas[i];
        }
    } else if (called && itrp_windows_peek(debugger, context->Rsp, &address, sizeof address) &&
               itr_walk_skips(&debugger->walk, address)) {
        thread->return_to = address;
        thread->return_stack = context->Rsp;
    } else {
        return false;
    }
    itrp_windows_trace_thaw(debugger);
    itrp_windows_fill_traps(debugger, thread, context);
    debugger->run_over_thread = thread->id;
    debugger->run_over_until_ns = uv_hrtime() + RUN_OVER_NS;
    return true;
}

/* A call may have ended in another way than by returning. With debug registers a thread can also lock itself up for
 * good under Wine 8: its trap's handler asks the server for its registers, which waits for the thread to stop, where
 * another thread's debug event has just begun to stop all. Nothing but a new host helps then. */
uint64_t itrp_windows_trace_look(struct itrp_windows_debugger *debugger, uint64_t now_ns) {
    if (debugger->run_over_thread == 0) {
        return UINT64_MAX;
    }
    if (now_ns < debugger->run_over_until_ns) {
        return debugger->run_over_until_ns;
    }
    itrp_windows_debug_refuse(debugger, ITR_E_TIMEOUT, "the traced thread did not come back from a call or loop");
    return UINT64_MAX;
}

/* Before its own beginning, and before the library's, a thread runs long in the system's loader: there it runs
 * free until it comes to either. */
static void expect_beginning(const struct itrp_windows_debugger *debugger,
                             struct itrp_windows_thread *thread) {
    const uint64_t places[ITRP_WINDOWS_PLACES_MAX] = {thread->start, debugger->library_entry,
                                                      debugger->library_callback};
    for (uint32_t i = 0; i < ITRP_WINDOWS_PLACES_MAX; i++) {
        if (places[i] != 0) {
            thread->places[thread->place_count++] = places[i];
        }
    }
}

/* The thread left the library for the loader and has not begun yet. */
static bool run_to_beginning(struct itrp_windows_debugger *debugger,
                             struct itrp_windows_thread *thread, CONTEXT *context) {
    if (thread->start == 0) {
        return false;
    }
    expect_beginning(debugger, thread);
    itrp_windows_fill_traps(debugger, thread, context);
    return true;
}

void itrp_windows_trace_begin(struct itrp_windows_debugger *debugger,
                              struct itrp_windows_thread *thread) {
    if (!debugger->report.code_breakpoints) {
        /* On one processor a new thread does not run beside its creator, which most often comes to its debug register
         * first: see itrp_windows_trace_look(). */
        SetProcessAffinityMask(debugger->process, 1);
    }
    expect_beginning(debugger, thread);
    itrp_windows_set_traps(debugger, thread);
}

bool itrp_windows_is_traced(const struct itrp_windows_thread *thread, uint64_t address) {
    for (uint32_t i = 0; i < thread->place_count; i++) {
        if (thread->places[i] == address) {
            return true;
        }
    }
    return thread->stepping || (thread->return_to != 0 && thread->return_to == address);
}

void itrp_windows_trace_step(struct itrp_windows_debugger *debugger,
                             struct itrp_windows_thread *thread, CONTEXT *context) {
    if (thread->place_count > 0) {
        thread->place_count = 0;
        thread->start = context->Rip == thread->start ? 0 : thread->start;
        itrp_windows_fill_traps(debugger, thread, context);
    } else if (thread->return_to != 0) {
        if (context->Rsp <= thread->return_stack) {
            return; /* the same place in a call further in */
        }
        thread->return_to = 0;
        itrp_windows_fill_traps(debugger, thread, context);
    }
    debugger->report.trace_steps++;
    debugger->run_over_thread = 0;
    thread->stepping = false;
    if (is_over(debugger)) {
        itrp_windows_trace_thaw(debugger);
        return;
    }
    bool left = thread->inside;
    thread->inside = itrp_windows_in_debugged_library(debugger, context->Rip);
    if (thread->inside) {
        if (debugger->report.trace_steps % LET_RUN_STEPS == 0) {
            itrp_windows_trace_thaw(debugger); /* for a library that waits without a call */
        } else {
            freeze_others(debugger, thread->id);
        }
        keep(debugger, context->Rip);
        if (run_over(debugger, thread, context)) {
            return;
        }
    } else {
        itrp_windows_trace_thaw(debugger);
        if (left && (run_to_return(debugger, thread, context) ||
                     run_to_beginning(debugger, thread, context))) {
            return;
        }
    }
    context->EFlags |= ITRP_WINDOWS_TRAP_FLAG;
    thread->stepping = true;
}
