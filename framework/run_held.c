/* Hosts that are left to a person: a hang that is kept beyond the runner, and a host held at its exact point. How they came
 * to stand still is run.c's. */
#include "framework/run_parts.h"

#include <stdio.h>

enum { KEPT_OUTPUT_BYTES = 16 * 1024 * 1024 /* of each stream of a kept host */ };

bool itr_slot_keep(struct itr_slot *slot, const char *folder, struct itr_error *err) {
    struct itr_observation *seen = slot->observation;
    struct itrp_keep keep = {.limit_bytes = KEPT_OUTPUT_BYTES};
    struct itrp_memory fresh = {0}; /* a kept host goes on writing to the ledger that it has */
    char paths[2][1300];
    uv_os_fd_t ends[2];
    if (!slot->standing || !slot->ends || slot->end == ITR_END_LOST) {
        itr_fail(err, ITR_E_UNSUPPORTED, 0, "the host does not hang");
        return false;
    }
    for (int i = 0; i < 2; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/kept.%s", folder, i == 0 ? "stdout" : "stderr");
        int result = uv_fileno((const uv_handle_t *)&slot->streams[i].pipe, &ends[i]);
        if (result != 0 || !slot->streams[i].open) {
            itr_fail(err, ITR_E_UNSUPPORTED, result, "the host has closed its output");
            return false;
        }
    }
    keep.output = ends[0];
    keep.error = ends[1];
    keep.output_path = paths[0];
    keep.error_path = paths[1];
    if (itrp_memory_create(&fresh, ITR_LEDGER_BYTES, err) != ITR_OK) {
        return false;
    }
    if (itrp_process_keep(slot->process, &keep, err) != ITR_OK) {
        itrp_memory_close(&fresh);
        return false;
    }
    seen->end = slot->end;
    seen->kept_process = itrp_process_id(slot->process);
    slot->standing = false;
    itr_output_close(&slot->streams[0]);
    itr_output_close(&slot->streams[1]);
    itr_run_finish(slot);
    itrp_memory_close(&slot->ledger);
    slot->ledger = fresh;
    return true;
}

/* ---- a held host ---- */

bool itr_slot_hold(struct itr_slot *slot, const struct itr_setup *setup, const struct itr_plan *plan, uint64_t nonce,
                   struct itr_observation *observation, struct itr_held *held) {
    itr_run_begin(slot, setup, plan, nonce, observation);
    while (itr_run_is_on(slot) && !slot->held) {
        uv_run(&slot->loop, UV_RUN_ONCE);
    }
    if (!slot->held) {
        itr_run_finish(slot);
        return false;
    }
    /* Only what the debugger has done with: the rest of its report goes on until the host's end. */
    const struct itrp_debug_report *report = itrp_process_debug_report(slot->process);
    *held = (struct itr_held){.process = itrp_process_id(slot->process),
                              .thread = report->hit_thread,
                              .role = report->hit_role,
                              .library_base = report->library_base};
    return true;
}

bool itr_slot_turn(struct itr_slot *slot) {
    if (!slot->exited) {
        uv_run(&slot->loop, UV_RUN_ONCE);
    }
    return !slot->exited;
}

void itr_slot_release(struct itr_slot *slot) {
    slot->observation->ended_by_runner = !slot->exited;
    itrp_process_kill(slot->process);
    while (!slot->exited) {
        uv_run(&slot->loop, UV_RUN_ONCE);
    }
    itr_run_end_left(slot);
    while (itr_run_is_on(slot)) {
        uv_run(&slot->loop, UV_RUN_ONCE);
    }
    itr_run_finish(slot);
}
