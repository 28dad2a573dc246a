/* One trial of a campaign: planned, run, classified, counted, recorded, and its evidence kept. Which trial is next is campaign.c's. */
#include "framework/campaign_evidence.h"
#include "framework/campaign_keep.h"
#include "framework/campaign_parts.h"

#include "framework/evidence.h"
#include "framework/random.h"
#include "framework/record.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t nonce_of(const struct itr_campaign *campaign, uint64_t trial) {
    uint64_t state = campaign->options->seed ^ (trial * UINT64_C(0x9e3779b97f4a7c15)) ^ uv_hrtime();
    return itr_splitmix64(&state);
}

/* From load-begin to init-done; 0: it did not come to that, or nobody can say. */
static uint64_t init_ns(const struct itr_observation *seen) {
    uint64_t begin_ns = seen->ledger.phase_ns[ITR_PHASE_LOAD_BEGIN];
    uint64_t done_ns = seen->ledger.phase_ns[ITR_PHASE_INIT_DONE];
    return seen->ledger_sound && begin_ns != 0 && done_ns > begin_ns ? done_ns - begin_ns : 0;
}

/* What is fired where, now: the window of a calibrated cell follows the pace of its hosts. */
static struct itr_aim aim_now(struct itr_campaign *campaign, size_t index) {
    const struct itr_cell *cell = &campaign->summary->cells[index];
    struct itr_aim aim = cell->aim;
    if (aim.point.kind == ITR_POINT_TIME && cell->init_p95_ns != 0) {
        uv_mutex_lock(&campaign->lock);
        aim.window_to_ns = itr_pace_window_ns(&campaign->parts[index].pace, aim.window_to_ns);
        uv_mutex_unlock(&campaign->lock);
    }
    return aim;
}

/* Under the lock: counts and records a trial. */
static void count(struct itr_campaign *campaign, const struct itr_campaign_job *job, const struct itr_record *record) {
    struct itr_tally *tally = &campaign->summary->tallies[job->cell];
    const struct itr_classification *result = record->classification;
    struct itr_row row = {
        .trial = job->trial,
        .outcome = result->outcome,
        .signature = result->signature,
        .detail = result->detail,
        .fired_after_load_ns = itr_record_fired_after_load(record->seen),
        .window_to_ns = record->plan->window_to_ns,
        .strays = record->seen->strays,
        .sweep_index = record->plan->sweep_index,
    };
    itr_tally_add(tally, &row);
    itr_pace_note(&campaign->parts[job->cell].pace, init_ns(record->seen));
    itr_campaign_count_place(campaign, job->cell, &row);
    itr_campaign_note_round(campaign, job, row.outcome, row.signature);
    campaign->finished++;
    if (result->outcome != tally->expect) {
        campaign->failures++;
        if (campaign->options->until_fail && campaign->cell == job->cell) {
            itr_campaign_next_cell(campaign);
        }
    }
}

/* A failure of the runtime: of the tool's own there is nothing to see in a host, and a shot that was not fired did nothing to it. */
static bool is_worth_a_look(enum itr_outcome outcome) {
    return outcome != ITR_OUTCOME_TOOL_ERROR && outcome != ITR_OUTCOME_NOT_FIRED;
}

/* Under the lock. */
static void pass_on(struct itr_echo *echo, const struct itr_observation *seen) {
    struct itr_text lines = {0};
    const struct itr_capture *streams[] = {seen->output, seen->error_output};
    for (size_t i = 0; i < 2; i++) {
        if (streams[i] != NULL) {
            itr_echo_take(echo, streams[i], &lines);
        }
    }
    fputs(itr_text_string(&lines), stderr);
    itr_text_release(&lines);
}

/* True if the trial's evidence is to be kept. */
static bool finish_trial(struct itr_campaign *campaign, const struct itr_campaign_job *job, struct itr_record *record,
                         const char *directory) {
    struct itr_error error = {0};
    char evidence[64];
    struct itr_kept_recording recording;
    enum itr_status status = ITR_OK;
    const char *signature = record->classification->signature;
    bool unexpected = record->classification->outcome != campaign->summary->cells[job->cell].expect;

    uv_mutex_lock(&campaign->lock);
    uint64_t before = itr_tally_count_of(&campaign->summary->tallies[job->cell], signature);
    bool keep = (unexpected && before < campaign->options->keep) || record->seen->kept_process != 0;
    bool wants_evidence = unexpected && before < campaign->options->evidence && campaign->options->keep > 0 &&
                          is_worth_a_look(record->classification->outcome);
    count(campaign, job, record);
    if (campaign->options->echo != NULL) {
        pass_on(campaign->options->echo, record->seen);
    }
    uv_mutex_unlock(&campaign->lock);

    snprintf(evidence, sizeof evidence, "failures/%" PRIu64, job->trial);
    record->evidence = keep ? evidence : NULL;
    if (keep && record->seen->recording != NULL) {
        itr_evidence_keep_recording(campaign->folder.path, record, &recording);
        record->recording = &recording;
    }
    json_t *json = itr_record_to_json(record);
    if (keep) {
        status = itr_evidence_write(campaign->folder.path, directory, record, json, &error);
    }
    uv_mutex_lock(&campaign->lock);
    if (status == ITR_OK) {
        status = itr_folder_append(&campaign->folder, json, &error);
    }
    if (status != ITR_OK) {
        itr_campaign_give_up(campaign, &error);
    }
    uv_mutex_unlock(&campaign->lock);
    json_decref(json);
    return wants_evidence && status == ITR_OK;
}

void itr_campaign_run_trial(struct itr_campaign *campaign, struct itr_slot *slot, const char *directory,
                            const struct itr_campaign_job *job) {
    struct itr_plan plan;
    struct itr_observation seen;
    struct itr_classification result;
    struct itr_work *work = campaign->parts[job->cell].work;
    const struct itr_cell *cell = &campaign->summary->cells[job->cell];
    struct itr_record record = {
        .cell = job->cell,
        .trial = job->trial,
        .seed = campaign->options->seed,
        .case_name = cell->case_name,
        .at = cell->at,
        .recorder = cell->record,
        .plan = &plan,
        .seen = &seen,
        .modules = &work->modules,
        .classification = &result,
    };
    struct itr_setup setup = work->setup;
    struct itr_trial_evidence evidence = {0};
    bool looks = itr_campaign_wants_hang_evidence(campaign, job->cell);
    setup.evidence = looks || itr_campaign_may_keep(campaign, job->cell);
    struct itr_aim aim = aim_now(campaign, job->cell);
    itr_plan_make(&plan, &work->request, &aim, cell->case_name, campaign->options->seed, job->trial);
    const struct itrp_snapshot *snapshot =
        itr_slot_run_to_stop(slot, &setup, &plan, nonce_of(campaign, job->trial), &seen);
    while (snapshot != NULL) {
        if (looks) {
            itr_campaign_examine(campaign, directory, snapshot, &evidence);
            uv_mutex_lock(&campaign->lock);
            campaign->parts[job->cell].examined++;
            uv_mutex_unlock(&campaign->lock);
        }
        bool kept = itr_campaign_keep_host(campaign, slot, job->cell, job->trial, &seen);
        snapshot = kept ? NULL : itr_slot_go_on(slot);
    }
    itr_classify(&plan, &seen, &work->modules, &result);
    if (finish_trial(campaign, job, &record, directory)) {
        itr_campaign_keep_evidence(campaign, slot, directory, job->cell, job->trial, &plan, result.signature,
                                   &evidence);
    }
    itr_campaign_drop_evidence(&evidence);
}
