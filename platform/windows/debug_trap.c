/* Exceptions of a debugged host: tells the debugger's own traps (point, watches, steps) from the host's, counts
 * and records them, and passes the host's on. */
#include "framework/cascade.h"
#include "platform/windows/debug_windows.h"

#include <string.h>

/* In EFLAGS: the next instruction trips no debug register on itself. */
#define RESUME_FLAG 0x10000u

#define THREAD_NAMED      0x406D1388u /* what debuggers are told a thread's name with */
#define TEXT_PRINTED      0x40010006u
#define WIDE_TEXT_PRINTED 0x4001000Au

/* ---- faults ---- */

static bool is_notice(DWORD code) {
    return code == DBG_CONTROL_C || code == DBG_CONTROL_BREAK || code == THREAD_NAMED ||
           code == TEXT_PRINTED || code == WIDE_TEXT_PRINTED;
}

/* A second chance without a first one is a fail-fast exit; else the first was recorded. */
static bool is_repeated(const struct itrp_windows_debugger *debugger, DWORD thread,
                        const EXCEPTION_DEBUG_INFO *info) {
    const struct itrp_debug_fault *last = &debugger->report.last_fault;
    return info->dwFirstChance == 0 && last->thread == thread &&
           last->code == info->ExceptionRecord.ExceptionCode;
}

static void record_fault(struct itrp_windows_debugger *debugger, DWORD thread_id,
                         const EXCEPTION_RECORD *from) {
    const struct itrp_windows_thread *thread = itrp_windows_thread_of(debugger, thread_id);
    bool access = from->ExceptionCode == EXCEPTION_ACCESS_VIOLATION && from->NumberParameters >= 2;
    const struct itrp_debug_fault fault = {
        .time_ns = uv_hrtime(),
        .pc = (uint64_t)(uintptr_t)from->ExceptionAddress,
        .address = access ? from->ExceptionInformation[1] : 0,
        .module_base =
            itrp_windows_module_of(debugger, (uint64_t)(uintptr_t)from->ExceptionAddress),
        .code = from->ExceptionCode,
        .access = access ? (uint32_t)from->ExceptionInformation[0] : 0,
        .thread = thread_id,
        .role = thread != NULL ? thread->role : ITR_ROLE_ANY,
    };
    itr_cascade_add(&debugger->report, &fault);
}

/* ---- watches ---- */

static void record_write(struct itrp_windows_debugger *debugger,
                         const struct itrp_windows_thread *thread, uint32_t watch, uint64_t pc) {
    struct itrp_debug_report *report = &debugger->report;
    uint64_t value = 0;
    itrp_windows_peek(debugger, debugger->watched[watch], &value,
                      debugger->plan->watches[watch].bytes);
    if (report->write_count < ITRP_DEBUG_WRITES_MAX) {
        report->writes[report->write_count] = (struct itrp_debug_write){
            .time_ns = uv_hrtime(),
            .pc = pc,
            .old_value = debugger->values[watch],
            .new_value = value,
            .watch = watch,
            .thread = thread->id,
            .role = thread->role,
        };
    }
    report->write_count++;
    debugger->values[watch] = value;
}

/* Debug register 6 tells which of the registers were tripped; it is cleared by nobody else. */
static bool record_writes(struct itrp_windows_debugger *debugger,
                          const struct itrp_windows_thread *thread, CONTEXT *context) {
    bool any = false;
    for (uint32_t i = 0; thread->has_watches && i < debugger->plan->watch_count; i++) {
        if ((context->Dr6 & UINT64_C(2) << i) != 0) {
            record_write(debugger, thread, i, context->Rip);
            any = true;
        }
    }
    return any;
}

/* ---- traps ---- */

/* True if this is the time that counts. Where a trapped instruction is told by its address alone, a step
 * and a breakpoint on it count once: the resume flag is set for both. */
static bool reach(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread) {
    const struct itrp_debug_point *point = &debugger->plan->point;
    struct itrp_debug_report *report = &debugger->report;
    if (debugger->point_done || (point->role != ITR_ROLE_ANY && point->role != thread->role)) {
        return false;
    }
    report->hits++;
    if (report->hits < point->occurrence) {
        return false;
    }
    debugger->point_done = true;
    report->hit_ns = uv_hrtime();
    report->hit_thread = thread->id;
    report->hit_role = thread->role;
    return true;
}

static enum itrp_windows_whose whose(struct itrp_windows_debugger *debugger,
                                     struct itrp_windows_thread *thread, DWORD exception,
                                     uint64_t address) {
    if (debugger->report.code_breakpoints) {
        return itrp_windows_code_whose(debugger, thread, exception, address);
    }
    return exception == EXCEPTION_SINGLE_STEP ? ITRP_WINDOWS_TRAP_STANDS : ITRP_WINDOWS_TRAP_HOSTS;
}

/* A trap of a thread that stands before the instruction at `address`; false if it is the host's own. */
static bool on_trap(struct itrp_windows_debugger *debugger, struct itrp_windows_thread *thread,
                    uint64_t address) {
    bool at_point = debugger->plan->has_point && address == itrp_windows_point_address(debugger);
    bool traced = itrp_windows_is_traced(thread, address);
    bool in_code = itrp_windows_code_is_in(debugger, address);
    if (!at_point && !traced && !in_code && !thread->has_watches) {
        return false;
    }
    CONTEXT context;
    context.ContextFlags = CONTEXT_CONTROL | (thread->has_watches ? CONTEXT_DEBUG_REGISTERS : 0);
    if (!itrp_windows_get_context(debugger, thread, &context)) {
        return true;
    }
    bool wrote = record_writes(debugger, thread, &context);
    if (!at_point && !traced && !in_code && !wrote) {
        return false;
    }
    context.Rip = address; /* after a breakpoint in the code it is behind it */
    context.EFlags &= ~ITRP_WINDOWS_TRAP_FLAG; /* a breakpoint that a step ended at leaves it; the trace sets it again */
    bool hit = at_point && reach(debugger, thread);
    /* Other threads lose the point when they come to it next. */
    bool disarm = thread->has_point && debugger->point_done;
    thread->has_point = thread->has_point && !disarm;
    context.EFlags |= RESUME_FLAG;
    if (traced) {
        itrp_windows_trace_step(debugger, thread, &context);
    }
    if (wrote || disarm || hit) {
        itrp_windows_fill_traps(debugger, thread, &context);
    }
    /* The hit thread may be held: should something be in there still, it comes to that when it goes on. */
    if (!hit && itrp_windows_code_is_in(debugger, address) &&
        !itrp_windows_code_step_over(debugger, thread, &context)) {
        return false;
    }
    if (itrp_windows_set_context(debugger, thread, &context) && hit) {
        itrp_windows_hit(debugger, thread);
    }
    return true;
}

DWORD itrp_windows_on_exception(struct itrp_windows_debugger *debugger, DWORD thread_id,
                                const EXCEPTION_DEBUG_INFO *info) {
    const EXCEPTION_RECORD *from = &info->ExceptionRecord;
    struct itrp_windows_thread *thread = itrp_windows_thread_of(debugger, thread_id);
    uint64_t address = (uint64_t)(uintptr_t)from->ExceptionAddress;
    if (itrp_windows_births_trap(debugger, thread_id, from) ||
        itrp_windows_evidence_trap(debugger, thread_id, from)) {
        return DBG_CONTINUE;
    }
    enum itrp_windows_whose owner =
        thread != NULL ? whose(debugger, thread, from->ExceptionCode, address)
                       : ITRP_WINDOWS_TRAP_HOSTS;
    if (owner == ITRP_WINDOWS_TRAP_DONE ||
        (owner == ITRP_WINDOWS_TRAP_STANDS && on_trap(debugger, thread, address))) {
        return DBG_CONTINUE;
    }
    if (thread_id == debugger->stepped_alone) {
        itrp_windows_trace_thaw(debugger); /* what handles it may need the others */
    }
    if (from->ExceptionCode == EXCEPTION_BREAKPOINT && !debugger->seen_breakpoint) {
        debugger->seen_breakpoint = true; /* the loader's, before any code of the host's */
        itrp_windows_evidence_begin(debugger);
        return DBG_CONTINUE;
    }
    if (from->ExceptionCode == DBG_CONTROL_C || from->ExceptionCode == DBG_CONTROL_BREAK) {
        itrp_windows_event_begun(debugger, thread_id);
    }
    if (!is_notice(from->ExceptionCode)) {
        if (!is_repeated(debugger, thread_id, info)) {
            record_fault(debugger, thread_id, from);
        }
        itrp_windows_evidence_exception(debugger, thread_id, info);
    }
    return DBG_EXCEPTION_NOT_HANDLED;
}
