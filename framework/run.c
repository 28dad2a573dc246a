/* Runs a trial on a loop of the slot's own: start, exit, a timer that looks at the ledger, the end of all that is left. It
 * draws no conclusion but when to stop waiting (settle.c); what the host prints is output.c's, a host that is left to a
 * person run_held.c's. */
#include "framework/run_parts.h"

#include "framework/look.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_LOOK_MS = 3,
    LOOKS_OFTEN = 20, /* after so many looks at a waiting host, the next ones come more seldom */
    LOOK_SELDOM_MS = 10,
    END_TREE_MS = 3000,
    RECORDER_END_MS = 10000, /* a recorder has to write its recording when its host was ended */
    DRAIN_MS = 2000, /* after the tree's end a pipe can only still hold what was written before */
    STOP_MS = 2000, /* to stop a host that hangs */
};

const char *itr_end_name(uint32_t end) {
    static const char *const names[] = {
#define ITR_END_NAME(id, name) name,
        ITR_END_MAP(ITR_END_NAME)
#undef ITR_END_NAME
    };
    return end < ITR_END_COUNT ? names[end] : "unknown";
}

/* ---- the end ---- */

/* Nanoseconds since the timer was started or last ran in which this program stood still, itself. */
static uint64_t missed_ns(struct itr_slot *slot, uint64_t due_ms) {
    uint64_t now_ns = uv_hrtime();
    uint64_t since_ns = now_ns - slot->looked_ns;
    slot->looked_ns = now_ns;
    return itr_look_missed_ns(since_ns, due_ms * 1000000);
}

static void set_timer(struct itr_slot *slot, uv_timer_cb callback, uint64_t after_ms, uint64_t every_ms) {
    slot->looked_ns = uv_hrtime();
    uv_timer_start(&slot->timer, callback, after_ms, every_ms);
}

static void on_drain_over(uv_timer_t *timer) {
    struct itr_slot *slot = timer->data;
    if (missed_ns(slot, DRAIN_MS) > 0) { /* the loop asks its timers first: what is in the pipes was not read yet */
        set_timer(slot, on_drain_over, DRAIN_MS, 0);
        return;
    }
    slot->observation->output_cut_off = true;
    for (int i = 0; i < 2; i++) {
        itr_output_close(&slot->streams[i]);
    }
}

void itr_run_end_left(struct itr_slot *slot) {
    struct itr_observation *seen = slot->observation;
    if (itrp_process_end_tree(slot->process, END_TREE_MS, &seen->strays, &seen->tool) != ITR_OK) {
        seen->output_cut_off = true; /* what still lives may hold the pipes for ever */
        itr_output_close(&slot->streams[0]);
        itr_output_close(&slot->streams[1]);
    }
    set_timer(slot, on_drain_over, DRAIN_MS, 0);
}

static void on_host_exit(struct itrp_process *process, void *context) {
    struct itr_slot *slot = context;
    slot->observation->exit = *itrp_process_exit(process);
    slot->observation->end_ns = uv_hrtime();
    slot->exited = true;
    if (!slot->held) {
        itr_run_end_left(slot);
    }
}

static void on_recorder_late(uv_timer_t *timer) {
    struct itr_slot *slot = timer->data;
    if (missed_ns(slot, RECORDER_END_MS) > 0) {
        set_timer(slot, on_recorder_late, RECORDER_END_MS, 0);
        return;
    }
    itrp_process_kill(slot->process);
}

/* The loop comes back to its caller with the host as it stands. */
static void stand(struct itr_slot *slot) {
    slot->standing = true;
    slot->stands_since_ns = uv_hrtime();
    uv_timer_stop(&slot->timer);
    uv_stop(&slot->loop); /* or this turn of the loop, which may be before its poll, waits there for nothing */
}

static bool wants_evidence(const struct itr_slot *slot, enum itr_end end) {
    const struct itr_setup *setup = slot->setup;
    return setup->evidence && (end != ITR_END_LOST || setup->debug != NULL);
}

/* Ends a host, with a stop for evidence where that is wanted. */
static void end_host(struct itr_slot *slot, enum itr_end end) {
    struct itr_observation *seen = slot->observation;
    struct itr_error why = {0};
    if (wants_evidence(slot, end) && !slot->ends) {
        slot->ends = true;
        slot->end = end;
        if (itrp_process_stop(slot->process, STOP_MS, &why) == ITR_OK) {
            stand(slot);
            return;
        }
        snprintf(seen->no_evidence, sizeof seen->no_evidence, "%.*s", (int)sizeof seen->no_evidence - 1, why.text);
    }
    seen->end = end;
    seen->ended_by_runner = true;
    uv_timer_stop(&slot->timer);
    if (!slot->setup->recorded) {
        itrp_process_kill(slot->process);
        return;
    }
    set_timer(slot, on_recorder_late, RECORDER_END_MS, 0);
    if (!itrp_process_end_recorded(slot->process) && seen->tool.status == ITR_OK) {
        itr_fail(&seen->tool, ITR_E_TIMEOUT, 0, "the recorder did not end, and had no host any more, or none yet");
    }
}

/* ---- looking ---- */

static void on_look(uv_timer_t *timer);

static void look_again_after(struct itr_slot *slot, uint64_t after_ms) {
    if (uv_timer_get_repeat(&slot->timer) != after_ms) {
        set_timer(slot, on_look, after_ms, after_ms);
    }
}

static void on_look(uv_timer_t *timer) {
    struct itr_slot *slot = timer->data;
    struct itr_ledger_reply reply;
    struct itrp_activity activity;
    uint64_t missed = missed_ns(slot, ITR_LOOK_UNASKED_MAX_MS);
    uint64_t now_ns = uv_hrtime();

    slot->stood_ns += missed;
    if (slot->setup->debug != NULL && itrp_process_is_paused(slot->process)) {
        slot->held = true;
        uv_timer_stop(timer);
        uv_stop(&slot->loop);
        return;
    }
    if (slot->setup->evidence && itrp_process_snapshot(slot->process) != NULL) {
        stand(slot);
        return;
    }
    if (missed > 0) {
        return; /* how the host is now, the next look sees */
    }
    uint64_t age_ns = now_ns - slot->observation->begin_ns - slot->stood_ns;
    if (age_ns >= slot->setup->deadline_ns) {
        end_host(slot, ITR_END_DEADLINE);
        return;
    }
    memcpy(&reply, &((const struct itr_ledger *)slot->ledger.base)->reply, sizeof reply);
    if (reply.host_failed != 0 || !itr_settle_wants_look(&slot->plan->request, &reply, now_ns)) {
        look_again_after(slot, reply.phase_ns[ITR_PHASE_WAITING] != 0 ? ITR_LOOK_EVERY_MS : itr_look_after_ms(age_ns));
        return;
    }
    look_again_after(slot, slot->looks >= LOOKS_OFTEN ? LOOK_SELDOM_MS : ITR_LOOK_EVERY_MS);
    if (itrp_process_activity(slot->process, itr_settle_wants_thorough(&slot->settle), &activity, NULL) != ITR_OK) {
        return;
    }
    slot->looks++;
    enum itr_settled settled =
        itr_settle_look(&slot->settle, &slot->plan->request, &reply, &activity, now_ns, slot->setup->quiet_ns);
    if (settled != ITR_SETTLED_NOT_YET) {
        slot->observation->event_pending = activity.pending;
        end_host(slot, settled == ITR_SETTLED_LOST ? ITR_END_LOST : ITR_END_STUCK);
    }
}

/* ---- one trial ---- */

static void close_file(uv_file file) {
    uv_fs_t request;
    if (file >= 0) {
        uv_fs_close(NULL, &request, file, NULL);
        uv_fs_req_cleanup(&request);
    }
}

static enum itr_status start(struct itr_slot *slot, const uv_file *write_ends) {
    struct itrp_process_spec spec = {
        .program = slot->setup->program,
        .environment = slot->setup->environment,
        .directory = slot->directory,
        .output = write_ends[0],
        .error = write_ends[1],
        .ledger = &slot->ledger,
        .nonce = slot->nonce,
        .own_console = slot->setup->own_console,
        .core_limit_bytes = slot->setup->core_limit_bytes,
        .debug = slot->setup->debug != NULL ? &slot->debug_plan : NULL,
        .record_to = slot->setup->recorded ? slot->recording : NULL,
    };
    return itrp_process_start(&slot->process, &slot->loop, &spec, on_host_exit, slot, &slot->observation->tool);
}

/* The cell's plan for the debugger with what is this trial's own. */
static void plan_debugger(struct itr_slot *slot) {
    const struct itr_plan *plan = slot->plan;
    if (slot->setup->debug == NULL) {
        return;
    }
    slot->debug_plan = *slot->setup->debug;
    slot->debug_plan.library = plan->request.library;
    slot->debug_plan.ctrl_routine = plan->request.ctrl_routine;
    slot->debug_plan.chaos_seed = plan->chaos_seed;
    slot->debug_plan.has_point = plan->point.nth > 0;
    slot->debug_plan.point = (struct itrp_debug_point){
        .rva = plan->point.rva, .occurrence = plan->point.nth, .role = plan->point.role};
    if (plan->request.shot_count > 0 && plan->request.shots[0].where == ITR_WHERE_POINT) {
        slot->debug_plan.shot = &plan->request.shots[0];
    }
}

/* Keeps the debugger's report, whose trace ends with the process. */
static void keep_report(struct itr_slot *slot) {
    const struct itrp_debug_report *report = itrp_process_debug_report(slot->process);
    struct itr_observation *seen = slot->observation;
    if (report == NULL) {
        return;
    }
    slot->debug_report = *report;
    slot->debug_report.trace = NULL;
    seen->debug = &slot->debug_report;
    if (report->error.status != ITR_OK && seen->tool.status == ITR_OK) {
        seen->tool = report->error;
    }
    if (report->trace_count > slot->trace_room) {
        uint32_t *grown = realloc(slot->trace, report->trace_count * sizeof *grown);
        if (grown == NULL) {
            itr_fail(&seen->tool, ITR_E_NO_MEMORY, 0, "out of memory keeping a trace");
            return;
        }
        slot->trace = grown;
        slot->trace_room = report->trace_count;
    }
    if (report->trace_count > 0) {
        memcpy(slot->trace, report->trace, report->trace_count * sizeof *slot->trace);
        slot->debug_report.trace = slot->trace;
    }
}

/* A recorder that came to no end of its own ended in its own way, not in its host's. */
static void keep_recording(struct itr_slot *slot) {
    struct itr_observation *seen = slot->observation;
    seen->recording = slot->recording;
    if (seen->tool.status == ITR_OK && !itrp_recording_is_complete(slot->recording)) {
        char how[32];
        snprintf(how, sizeof how, "exit code %" PRIu32, seen->exit.code);
        itr_fail(&seen->tool, ITR_E_SYSTEM, 0,
                 "the recorder ended (%s) before its recording was complete: what became of the host is not known, and "
                 "standard error may say why",
                 seen->exit.signaled ? itrp_signal_name(seen->exit.signal) : how);
    }
}

static void begin(struct itr_slot *slot) {
    uv_file write_ends[2] = {-1, -1};
    struct itr_observation *seen = slot->observation;
    int result = itr_output_open(&slot->streams[0], &slot->loop, &write_ends[0]);
    if (result == 0) {
        result = itr_output_open(&slot->streams[1], &slot->loop, &write_ends[1]);
    }
    if (result != 0) {
        itr_fail(&seen->tool, ITR_E_SYSTEM, result, "cannot make a pipe for the host: %s", uv_strerror(result));
    } else if (start(slot, write_ends) == ITR_OK) {
        seen->end = ITR_END_EXIT;
        set_timer(slot, on_look, FIRST_LOOK_MS, ITR_LOOK_EVERY_MS);
    }
    close_file(write_ends[0]);
    close_file(write_ends[1]);
    if (seen->tool.status != ITR_OK) {
        itr_output_close(&slot->streams[0]);
        itr_output_close(&slot->streams[1]);
    }
}

void itr_run_begin(struct itr_slot *slot, const struct itr_setup *setup, const struct itr_plan *plan, uint64_t nonce,
                        struct itr_observation *observation) {
    *observation = (struct itr_observation){.output = &slot->streams[0].capture,
                                            .error_output = &slot->streams[1].capture};
    slot->setup = setup;
    slot->plan = plan;
    slot->observation = observation;
    slot->nonce = nonce;
    slot->process = NULL;
    slot->settle = (struct itr_settle){0};
    slot->looks = 0;
    slot->exited = false;
    slot->held = false;
    slot->standing = false;
    slot->ends = false;
    slot->stood_ns = 0;
    itr_capture_reset(&slot->streams[0].capture);
    itr_capture_reset(&slot->streams[1].capture);
    itr_ledger_prepare(slot->ledger.base, &plan->request, nonce);
    plan_debugger(slot);
    slot->has_recorded = slot->has_recorded || setup->recorded; /* a killed runner may have left one */
    itr_run_remove_recording(slot);
    slot->has_recorded = setup->recorded;
    observation->begin_ns = uv_hrtime();
    uv_update_time(&slot->loop);
    begin(slot);
}

bool itr_run_is_on(const struct itr_slot *slot) {
    return (slot->process != NULL && !slot->exited) || slot->streams[0].open || slot->streams[1].open;
}

void itr_run_finish(struct itr_slot *slot) {
    struct itr_observation *seen = slot->observation;
    uv_timer_stop(&slot->timer);
    if (slot->process != NULL) {
        if (slot->setup->recorded) {
            keep_recording(slot);
        }
        keep_report(slot);
        itrp_process_close(slot->process);
        slot->process = NULL;
        uv_run(&slot->loop, UV_RUN_DEFAULT);
    }
    if (seen->end_ns == 0) {
        seen->end_ns = uv_hrtime();
    }
    seen->ledger_sound =
        itr_ledger_read(slot->ledger.base, &slot->plan->request, slot->nonce, seen->begin_ns, seen->end_ns,
                        &seen->ledger, seen->ledger_damage, sizeof seen->ledger_damage);
    if (seen->debug != NULL && seen->ledger.library_base == 0) {
        seen->ledger.library_base = seen->debug->library_base; /* known before the load returned */
    }
}

/* ---- a host that stands still ---- */

static const struct itrp_snapshot *run_on(struct itr_slot *slot) {
    while (itr_run_is_on(slot) && !slot->standing) {
        uv_run(&slot->loop, UV_RUN_ONCE);
    }
    if (slot->standing) {
        return itrp_process_snapshot(slot->process);
    }
    itr_run_finish(slot);
    return NULL;
}

const struct itrp_snapshot *itr_slot_run_to_stop(struct itr_slot *slot, const struct itr_setup *setup,
                                                 const struct itr_plan *plan, uint64_t nonce,
                                                 struct itr_observation *observation) {
    itr_run_begin(slot, setup, plan, nonce, observation);
    return run_on(slot);
}

const struct itrp_snapshot *itr_slot_go_on(struct itr_slot *slot) {
    slot->standing = false;
    slot->stood_ns += uv_hrtime() - slot->stands_since_ns;
    if (slot->ends) {
        end_host(slot, slot->end);
    } else {
        itrp_process_go_on(slot->process);
        set_timer(slot, on_look, ITR_LOOK_EVERY_MS, ITR_LOOK_EVERY_MS);
    }
    return run_on(slot);
}

void itr_slot_run(struct itr_slot *slot, const struct itr_setup *setup, const struct itr_plan *plan,
                  uint64_t nonce, struct itr_observation *observation) {
    const struct itrp_snapshot *snapshot = itr_slot_run_to_stop(slot, setup, plan, nonce, observation);
    while (snapshot != NULL) {
        snapshot = itr_slot_go_on(slot); /* nobody looks */
    }
}
