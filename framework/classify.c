/* The rules that turn facts into an outcome, gravest first, and the words of signatures. Each outcome has
 * one function that says whether it holds and describes it. */
#include "framework/classify.h"

#include "framework/message.h"
#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct facts {
    const struct itr_plan *plan;
    const struct itr_observation *seen;
    const struct itr_ledger_reply *ledger;
    const struct itr_modules *modules;
    struct itr_message message; /* first runtime message on standard error, else on standard output */
    const struct itr_exception *exception;
    uint32_t sent; /* shots that were really sent */
    struct itr_classification *out;
};

static void ITR_PRINTF(2, 3) sign(struct facts *facts, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(facts->out->signature, sizeof facts->out->signature, format, args);
    va_end(args);
    itr_end_cleanly(facts->out->signature, sizeof facts->out->signature);
}

static void ITR_PRINTF(2, 3) describe(struct facts *facts, const char *format, ...) {
    size_t used = strlen(facts->out->detail);
    va_list args;
    if (used > 0 && used + 3 < sizeof facts->out->detail) {
        memcpy(facts->out->detail + used, "; ", 3);
        used += 2;
    }
    va_start(args, format);
    vsnprintf(facts->out->detail + used, sizeof facts->out->detail - used, format, args);
    va_end(args);
    itr_end_cleanly(facts->out->detail, sizeof facts->out->detail);
}

static const char *planned_event(const struct facts *facts) {
    return facts->plan->request.shot_count > 0 ? itr_event_name(facts->plan->request.shots[0].event) : "none";
}

static const char *last_phase(const struct facts *facts) {
    const char *name = "before host-started";
    for (uint32_t i = 0; i < ITR_PHASE_COUNT; i++) {
        if (facts->ledger->phase_ns[i] != 0) {
            name = itr_phase_name(i);
        }
    }
    return name;
}

static bool reached(const struct facts *facts, enum itr_phase phase) {
    return facts->ledger->phase_ns[phase] != 0;
}

/* ---- outcomes, gravest first ---- */

static bool is_tool_error(struct facts *facts) {
    if (facts->seen->tool.status != ITR_OK) {
        char clean[ITR_DETAIL_MAX];
        itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, facts->seen->tool.text, strlen(facts->seen->tool.text));
        sign(facts, "tool-error %s", itr_status_name(facts->seen->tool.status));
        describe(facts, "%s", clean);
        return true;
    }
    if (facts->seen->output->no_memory || facts->seen->error_output->no_memory) {
        sign(facts, "tool-error %s", itr_status_name(ITR_E_NO_MEMORY));
        describe(facts, "out of memory for what the host printed: nothing is known of it");
        return true;
    }
    if (!facts->seen->ledger_sound) {
        return false;
    }
    if (facts->ledger->host_failed != 0) {
        char clean[ITR_DETAIL_MAX];
        itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, facts->ledger->host_error,
                        strlen(facts->ledger->host_error));
        sign(facts, "tool-error host-set-up");
        describe(facts, "the host could not do what was asked: %s (error %" PRId64 ")", clean,
                 facts->ledger->host_error_code);
        return true;
    }
    if (facts->message.kind == ITR_MESSAGE_SETUP) {
        sign(facts, "tool-error set-up \"%s\"", facts->message.text);
        describe(facts, "the machine's set-up is at fault; initrace doctor helps");
        return true;
    }
    if (!reached(facts, ITR_PHASE_HOST_STARTED)) {
        sign(facts, "tool-error no-ledger");
        describe(facts, "the program never opened the ledger: a host must be built with platform/host.h");
        return true;
    }
    return false;
}

static bool is_ledger_damaged(struct facts *facts) {
    if (facts->seen->ledger_sound) {
        return false;
    }
    sign(facts, "ledger-damaged");
    describe(facts, "%s", facts->seen->ledger_damage);
    return true;
}

static void trace_garbage(struct facts *facts, const struct itr_capture *capture, const struct itr_shape *shape) {
    const struct itr_module *modules[ITR_PROVENANCE_IMAGES] = {&facts->modules->library, &facts->modules->host};
    const struct itr_image *images[ITR_PROVENANCE_IMAGES] = {modules[0]->image, modules[1]->image};
    struct itr_provenance *provenance = &facts->out->provenance;
    itr_provenance_find(capture, shape, images, ITR_PROVENANCE_IMAGES, provenance);
    if (provenance->run_count > 0) {
        unsigned first = provenance->runs[0].image;
        char text[ITR_LOCATION_MAX + 80];
        itr_provenance_describe(provenance, images[first], modules[first]->name, text, sizeof text);
        describe(facts, "%s", text);
    }
}

static bool is_garbage_stream(struct facts *facts, const struct itr_capture *capture, const char *stream) {
    struct itr_shape shape = itr_capture_shape(capture);
    char anchor[ITR_MESSAGE_TEXT_MAX];
    if (!shape.garbage) {
        return false;
    }
    itr_message_normalise(anchor, sizeof anchor, shape.anchor, strlen(shape.anchor));
    sign(facts, "garbage %s %s%s%s%s%s", stream, itr_shape_kind_name(shape.kind),
         shape.period_bytes != 0 ? " periodic" : "", shape.anchor[0] != '\0' ? " after \"" : "", anchor,
         shape.anchor[0] != '\0' ? "\"" : "");
    describe(facts, "%" PRIu64 " bytes on %s, garbage from byte %" PRIu64, capture->total_bytes, stream,
             shape.garbage_offset);
    if (shape.period_bytes != 0) {
        describe(facts, "period %" PRIu64 " bytes, %" PRIu64 " times%s", shape.period_bytes, shape.repeats,
                 shape.reasons & ITR_GARBAGE_MULTIPLE ? ", the size is a multiple of it" : "");
    }
    trace_garbage(facts, capture, &shape);
    return true;
}

static bool is_garbage(struct facts *facts) {
    return is_garbage_stream(facts, facts->seen->error_output, "stderr") ||
           is_garbage_stream(facts, facts->seen->output, "stdout");
}

static bool heard_and_finished(const struct facts *facts) {
    return reached(facts, ITR_PHASE_FINISHED) && facts->ledger->handled_count >= facts->sent;
}

static const char *quoted_message(const struct facts *facts) {
    static _Thread_local char text[ITR_MESSAGE_TEXT_MAX + 4];
    text[0] = '\0';
    if (facts->message.kind != ITR_MESSAGE_NONE && facts->message.kind != ITR_MESSAGE_NOTICE) {
        snprintf(text, sizeof text, " \"%s\"", facts->message.text);
    }
    return text;
}

static bool crash_by_exception(struct facts *facts) {
    const struct itr_exception *first = facts->exception;
    char shape[64];
    char location[ITR_LOCATION_MAX];
    bool quiet_end = facts->seen->end == ITR_END_EXIT && heard_and_finished(facts) && facts->seen->exit.code == 0;

    if (first == NULL || quiet_end) {
        return false;
    }
    itr_exception_shape(facts->ledger, shape, sizeof shape);
    itr_locate_pc(facts->modules, facts->ledger, first, false, location, sizeof location);
    sign(facts, "crash %s %s%s%s%s", shape, location, first->code == 0xC0000005 ? " " : "",
         first->code == 0xC0000005 ? itr_address_class(first->address) : "", quoted_message(facts));
    itr_locate_pc(facts->modules, facts->ledger, first, true, location, sizeof location);
    describe(facts, "%s at pc 0x%" PRIx64 " (%s)", shape, first->pc, location);
    if (first->code == 0xC0000005) {
        describe(facts, "%s address 0x%" PRIx64,
                 first->access == 1 ? "writing" : first->access == 8 ? "executing" : "reading", first->address);
    }
    describe(facts, "thread %" PRIu32 "%s, %" PRIu32 " exceptions", first->thread,
             facts->ledger->shots[0].event_thread == first->thread && first->thread != 0 ? " (event thread)" : "",
             facts->ledger->exception_count);
    return true;
}

/* The first fault that a debugger saw, where signals end programs; NULL: none, or no debugger. What the
 * process ends by may be another one: a nil dereference in Go code ends as SIGABRT. */
static const struct itrp_debug_fault *first_fault(const struct facts *facts) {
    const struct itrp_debug_report *debug = facts->seen->debug;
    return debug != NULL && debug->fault_count > 0 && itrp_capabilities()->signals ? &debug->faults[0] : NULL;
}

/* " SIGSEGV at minimal!runtime.x null-page" for a signature; "" where no debugger saw a fault. */
static const char *fault_place(struct facts *facts) {
    static _Thread_local char text[ITR_LOCATION_MAX + 64];
    const struct itrp_debug_fault *fault = first_fault(facts);
    char location[ITR_LOCATION_MAX];
    text[0] = '\0';
    if (fault != NULL) {
        struct itr_exception exception = {.pc = fault->pc, .module_base = fault->module_base};
        bool access = strcmp(itr_fault_name(fault), "SIGSEGV") == 0;
        itr_locate_pc(facts->modules, facts->ledger, &exception, false, location, sizeof location);
        snprintf(text, sizeof text, " %s at %s%s%s", itr_fault_name(fault), location, access ? " " : "",
                 access ? itr_address_class(fault->address) : "");
        itr_locate_pc(facts->modules, facts->ledger, &exception, true, location, sizeof location);
        describe(facts, "first %s at pc 0x%" PRIx64 " (%s), address 0x%" PRIx64 ", si_code %" PRId32 ", %s thread",
                 itr_fault_name(fault), fault->pc, location, fault->address, fault->si_code,
                 itr_role_name((uint32_t)fault->role));
    }
    return text;
}

static bool crash_by_signal(struct facts *facts) {
    const struct itr_observation *seen = facts->seen;
    if (seen->ended_by_runner || !seen->exit.signaled) {
        return false;
    }
    const char *place = fault_place(facts); /* names a signal too, of which there is one name at a time */
    sign(facts, "crash %s%s%s", itrp_signal_name(seen->exit.signal), place, quoted_message(facts));
    describe(facts, "ended by %s after %s%s", itrp_signal_name(seen->exit.signal), last_phase(facts),
             seen->exit.core_dumped ? ", core written" : "");
    return true;
}

/* The runtime itself reports a signal or exception that killed the program, and exits. */
static bool crash_by_report(struct facts *facts) {
    bool reports = facts->message.kind == ITR_MESSAGE_SIGNAL || facts->message.kind == ITR_MESSAGE_EXCEPTION;
    bool well = facts->seen->end == ITR_END_EXIT && heard_and_finished(facts) && facts->seen->exit.code == 0;
    if (!reports || well) {
        return false;
    }
    sign(facts, "crash%s%s", fault_place(facts), quoted_message(facts));
    describe(facts, "exit code 0x%" PRIx32 " after %s", facts->seen->exit.code, last_phase(facts));
    return true;
}

/* Windows: a fail-fast never reaches a vectored handler, so its status is all there is to see
 * (RaiseFailFastException, __fastfail). Other error statuses count only where exceptions were not
 * recorded: a program may return any number. */
static bool crash_by_status(struct facts *facts) {
    uint32_t code = facts->seen->exit.code;
    bool fail_fast = code == 0xC0000602 || code == 0xC0000409;
    bool recorded = (facts->plan->request.flags & ITR_HOST_RECORD_EXCEPTIONS) != 0;
    char name[32];
    if (facts->seen->ended_by_runner || facts->seen->exit.signaled || code >> 30 != 3 || (!fail_fast && recorded) ||
        facts->message.kind == ITR_MESSAGE_FATAL || facts->message.kind == ITR_MESSAGE_PANIC) {
        return false;
    }
    itr_exception_short_name(code, name, sizeof name);
    sign(facts, "crash %s%s", name, quoted_message(facts));
    describe(facts, "exit status 0x%" PRIx32 " after %s, no exception was recorded", code, last_phase(facts));
    return true;
}

static bool is_crash(struct facts *facts) {
    return crash_by_exception(facts) || crash_by_signal(facts) || crash_by_report(facts) || crash_by_status(facts);
}

static bool is_fatal(struct facts *facts) {
    bool gives_up = facts->message.kind == ITR_MESSAGE_FATAL || facts->message.kind == ITR_MESSAGE_PANIC;
    bool well = facts->seen->end == ITR_END_EXIT && heard_and_finished(facts) && facts->seen->exit.code == 0;
    if (!gives_up || well) {
        return false;
    }
    sign(facts, "fatal%s", quoted_message(facts));
    describe(facts, "exit code 0x%" PRIx32 " after %s", facts->seen->exit.code, last_phase(facts));
    return true;
}

/* What the host itself saw of a promise that was broken. */
static void describe_check(struct facts *facts) {
    const struct itr_checks *checks = &facts->ledger->checks;
    char clean[ITR_DETAIL_MAX];
    itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, checks->text, strlen(checks->text));
    describe(facts, "%" PRIu32 " of %" PRIu32 " checks failed, first %s: %s", checks->broken, checks->made,
             checks->name[0] != '\0' ? checks->name : "one without a name", clean);
}

/* No event was there yet: whatever made the host hang (under Wine 8 the debugger's own breakpoint can, see
 * platform/windows/debug_trace.c), it says nothing of the event. */
static bool hung_before_point(const struct facts *facts) {
    const struct itr_ledger_request *request = &facts->plan->request;
    uint32_t where = request->shots[0].where;
    return request->shot_count > 0 && (where == ITR_WHERE_POINT || where == ITR_WHERE_GATE) &&
           facts->ledger->shots[0].fired_ns == 0;
}

static bool is_hang(struct facts *facts) {
    const struct itr_shot_reply *shot = &facts->ledger->shots[0];
    if ((facts->seen->end != ITR_END_STUCK && facts->seen->end != ITR_END_DEADLINE) || hung_before_point(facts)) {
        return false;
    }
    sign(facts, "hang %s after %s%s", planned_event(facts), last_phase(facts),
         shot->thread_started_ns != 0 && shot->thread_ended_ns == 0 ? ", event thread stuck" : "");
    describe(facts, "%s after %.1f ms", facts->seen->end == ITR_END_DEADLINE ? "deadline" : "nothing moved",
             (double)(facts->seen->end_ns - facts->seen->begin_ns) / 1e6);
    if (facts->ledger->handled_count == 0) {
        describe(facts, "the host's handler was never entered");
    }
    if (facts->ledger->checks.broken > 0) {
        describe_check(facts);
    }
    return true;
}

static bool is_check_failed(struct facts *facts) {
    const struct itr_checks *checks = &facts->ledger->checks;
    if (checks->broken == 0) {
        return false;
    }
    sign(facts, "check-failed%s%s", checks->name[0] != '\0' ? " " : "", checks->name);
    describe_check(facts);
    return true;
}

static bool is_wrong_exit(struct facts *facts) {
    const struct itr_observation *seen = facts->seen;
    bool finished = reached(facts, ITR_PHASE_FINISHED);
    if (seen->end != ITR_END_EXIT || (finished && seen->exit.code == 0)) {
        return false;
    }
    sign(facts, "wrong-exit 0x%" PRIx32 " after %s", seen->exit.code, last_phase(facts));
    describe(facts, "the host ended by itself with code %" PRIu32 "%s", seen->exit.code,
             finished ? "" : " before it had finished");
    return true;
}

static void describe_gate(struct facts *facts) {
    const struct itr_shot_reply *shot = &facts->ledger->shots[0];
    const char *wanted = itr_role_name(facts->plan->request.shots[0].role);
    if (shot->gate_ns != 0) {
        describe(facts, "another thread came to the gate before the %s thread: thread %" PRIu32 " (%s)", wanted,
                 shot->gate_thread, itr_role_name(shot->gate_role));
    } else {
        describe(facts, shot->gate_written != 0 ? "no thread came to the gate" : "the gate was not written: the library was never mapped");
    }
}

/* No event was to come: the host looked for itself whether all was well, and came to its end. */
static bool is_passed(const struct facts *facts) {
    return facts->plan->request.shot_count == 0 && facts->ledger->checks.made > 0 && facts->seen->end == ITR_END_EXIT;
}

static bool is_not_fired(struct facts *facts) {
    if (facts->sent == facts->plan->request.shot_count && facts->sent > 0) {
        return false;
    }
    if (facts->plan->request.shot_count == 0) {
        if (is_passed(facts)) {
            return false;
        }
        sign(facts, "not-fired");
        return true;
    }
    const struct itr_shot_request *planned = &facts->plan->request.shots[0];
    const struct itr_shot_reply *shot = &facts->ledger->shots[0];
    if (shot->send_error != 0) {
        sign(facts, "not-fired %s send-error", planned_event(facts));
        describe(facts, "sending failed with error %" PRId32, shot->send_error);
    } else if (planned->where == ITR_WHERE_CALL) {
        sign(facts, "not-fired %s %s#%" PRIu32, planned_event(facts), itr_call_name(planned->call), planned->nth);
        describe(facts, "the library made %" PRIu32 " calls of %s", facts->ledger->calls_counted,
                 itr_call_name(planned->call));
        if (facts->ledger->scheduling == ITR_SCHEDULING_REFUSED) {
            describe(facts, "the system refused the host the scheduling that steadies that count");
        }
    } else if (planned->where == ITR_WHERE_POINT) {
        sign(facts, "not-fired %s point-not-reached", planned_event(facts));
        if (facts->seen->end == ITR_END_STUCK || facts->seen->end == ITR_END_DEADLINE) {
            describe(facts, "the host hung after %s, before the point", last_phase(facts));
        }
        describe(facts, "reached %" PRIu32 " times of %" PRIu32 "%s",
                 facts->seen->debug != NULL ? facts->seen->debug->hits : 0, facts->plan->point.nth,
                 facts->seen->debug != NULL && !facts->seen->debug->library_mapped ? ": the library was never mapped" : "");
    } else if (planned->where == ITR_WHERE_GATE) {
        sign(facts, "not-fired %s point-not-reached", planned_event(facts));
        if (facts->seen->end == ITR_END_STUCK || facts->seen->end == ITR_END_DEADLINE) {
            describe(facts, "the host hung after %s, before the point", last_phase(facts));
        }
        describe_gate(facts);
    } else {
        sign(facts, "not-fired %s", planned_event(facts));
        describe(facts, "the host ended after %s, before the shot was sent", last_phase(facts));
    }
    return true;
}

static bool is_lost(struct facts *facts) {
    if (facts->ledger->handled_count >= facts->sent) {
        return false;
    }
    sign(facts, "lost %s", planned_event(facts));
    if (facts->seen->event_pending) {
        describe(facts, "still pending when the host was ended");
    }
    const struct itrp_debug_report *debug = facts->seen->debug;
    if (debug != NULL && debug->fault_count > 0) {
        const struct itrp_debug_fault *fault = &debug->faults[0];
        struct itr_exception exception = {.pc = fault->pc, .module_base = fault->module_base};
        char location[ITR_LOCATION_MAX];
        itr_locate_pc(facts->modules, facts->ledger, &exception, true, location, sizeof location);
        describe(facts, "the debugger saw %" PRIu32 " faults, first %s at %s, address 0x%" PRIx64, debug->fault_count,
                 itr_fault_name(fault), location, fault->address);
    }
    if (facts->ledger->shots[0].thread_ended_ns != 0) {
        describe(facts, "the event thread ended with code 0x%" PRIx32, facts->ledger->shots[0].event_thread_exit);
    }
    return true;
}

/* The first message of a stream that is more than a remark, of the head's when the first of all is one. */
static bool find_message_in(const struct itr_capture *capture, struct itr_message *message) {
    struct itr_message later;
    size_t count = 0;
    const uint8_t *head = itr_capture_head(capture, &count);
    bool found = itr_capture_message(capture, message);
    size_t at = 0;
    while (found && message->kind == ITR_MESSAGE_NOTICE && at < count &&
           itr_message_of(head + at, count - at, &later)) {
        at += (size_t)later.offset + later.line_bytes + 1;
        if (later.kind != ITR_MESSAGE_NOTICE) {
            *message = later;
        }
    }
    return found;
}

static struct itr_message find_message(const struct itr_observation *seen) {
    struct itr_message message;
    if (!find_message_in(seen->error_output, &message)) {
        (void)find_message_in(seen->output, &message);
    }
    return message;
}

/* A host may hear the event and end before the sending thread has written that its call returned. */
static bool was_sent(const struct itr_ledger_reply *ledger, uint32_t index) {
    const struct itr_shot_reply *shot = &ledger->shots[index];
    return shot->fired_ns != 0 && shot->send_error == 0 && (shot->sent_ns != 0 || ledger->handled_count > index);
}

void itr_classify(const struct itr_plan *plan, const struct itr_observation *seen,
                  const struct itr_modules *modules, struct itr_classification *result) {
    static const struct {
        enum itr_outcome outcome;
        bool (*holds)(struct facts *facts);
    } rules[] = {
        {ITR_OUTCOME_TOOL_ERROR, is_tool_error}, {ITR_OUTCOME_LEDGER_DAMAGED, is_ledger_damaged},
        {ITR_OUTCOME_GARBAGE, is_garbage},       {ITR_OUTCOME_CRASH, is_crash},
        {ITR_OUTCOME_FATAL, is_fatal},           {ITR_OUTCOME_HANG, is_hang},
        {ITR_OUTCOME_CHECK_FAILED, is_check_failed},
        {ITR_OUTCOME_WRONG_EXIT, is_wrong_exit}, {ITR_OUTCOME_NOT_FIRED, is_not_fired},
        {ITR_OUTCOME_LOST, is_lost},
    };
    struct facts facts = {
        .plan = plan, .seen = seen, .ledger = &seen->ledger, .modules = modules, .out = result};

    *result = (struct itr_classification){0};
    facts.message = find_message(seen);
    if (seen->ledger_sound) {
        facts.exception = itr_first_exception(&seen->ledger);
        for (uint32_t i = 0; i < plan->request.shot_count; i++) {
            facts.sent += was_sent(&seen->ledger, i) ? 1u : 0u;
        }
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].holds(&facts)) {
            result->outcome = rules[i].outcome;
            return;
        }
    }
    result->outcome = is_passed(&facts) ? ITR_OUTCOME_PASSED : ITR_OUTCOME_DELIVERED;
}
