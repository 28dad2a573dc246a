/* Drives trials: slots (threads) take the next trial of the cell list, run, classify, record and count it. What comes
 * before the first trial is in campaign_prepare.c, what the main thread does meanwhile in campaign_watch.c. */
#include "framework/campaign.h"
#include "framework/campaign_evidence.h"
#include "framework/campaign_keep.h"
#include "framework/campaign_parts.h"

#include "framework/evidence.h"
#include "framework/random.h"
#include "framework/record.h"
#include "framework/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS_MAX = 64 };

/* How long a slot without a trial sleeps at a time: an interrupt wakes nobody. */
#define ROUND_WAIT_NS UINT64_C(100000000)

struct worker {
    struct itr_campaign *campaign;
    uint32_t index;
    uv_thread_t thread;
    char directory[1200];
};

static uint64_t nonce_of(const struct itr_campaign *campaign, uint64_t trial) {
    uint64_t state = campaign->options->seed ^ (trial * UINT64_C(0x9e3779b97f4a7c15)) ^ uv_hrtime();
    return itr_splitmix64(&state);
}

/* ---- taking trials ---- */

static bool is_done(const struct itr_campaign *campaign, uint64_t trial) {
    return trial < campaign->done_room && (campaign->done[trial / 8] & (1u << (trial % 8))) != 0;
}

static bool cell_is_over(const struct itr_campaign *campaign, const struct itr_cell *cell) {
    if (cell->skip[0] != '\0') {
        return true;
    }
    if (campaign->options->duration_ns > 0) {
        return uv_hrtime() - campaign->cell_begin_ns >= campaign->options->duration_ns;
    }
    return campaign->taken >= cell->count;
}

static void next_cell(struct itr_campaign *campaign) {
    campaign->by_time_trials += campaign->taken;
    campaign->cell++;
    campaign->taken = 0;
    campaign->cell_begin_ns = uv_hrtime();
    if (campaign->options->duration_ns > 0 && campaign->cell < campaign->summary->count) {
        campaign->summary->cells[campaign->cell].first_trial = campaign->by_time_trials;
    }
}

/* The next trial of the rounds; waits while all that may be under way are. */
static bool take_in_rounds(struct itr_campaign *campaign, struct itr_campaign_job *job) {
    while (!itr_campaign_take_round(campaign, job)) {
        if (campaign->stop || itr_campaign_rounds_are_over(campaign)) {
            uv_cond_broadcast(&campaign->round_noted);
            return false;
        }
        uv_cond_timedwait(&campaign->round_noted, &campaign->lock, ROUND_WAIT_NS);
    }
    return true;
}

/* Call with the lock held. */
static bool take(struct itr_campaign *campaign, struct itr_campaign_job *job) {
    if (campaign->round_count > 0) {
        return take_in_rounds(campaign, job);
    }
    while (!campaign->stop && campaign->cell < campaign->summary->count) {
        const struct itr_cell *cell = &campaign->summary->cells[campaign->cell];
        if (cell_is_over(campaign, cell)) {
            next_cell(campaign);
            continue;
        }
        job->cell = campaign->cell;
        job->trial = cell->first_trial + campaign->taken++;
        if (!is_done(campaign, job->trial)) {
            return true;
        }
    }
    return false;
}

static void give_up(struct itr_campaign *campaign, const struct itr_error *error) {
    if (!campaign->failed) {
        campaign->error = *error;
    }
    campaign->failed = true;
    campaign->stop = true;
}

/* ---- one trial ---- */

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
            next_cell(campaign);
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
        give_up(campaign, &error);
    }
    uv_mutex_unlock(&campaign->lock);
    json_decref(json);
    return wants_evidence && status == ITR_OK;
}

static void run_trial(struct itr_campaign *campaign, const struct worker *worker, struct itr_slot *slot,
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
            itr_campaign_examine(campaign, worker->directory, snapshot, &evidence);
            uv_mutex_lock(&campaign->lock);
            campaign->parts[job->cell].examined++;
            uv_mutex_unlock(&campaign->lock);
        }
        bool kept = itr_campaign_keep_host(campaign, slot, job->cell, job->trial, &seen);
        snapshot = kept ? NULL : itr_slot_go_on(slot);
    }
    itr_classify(&plan, &seen, &work->modules, &result);
    if (finish_trial(campaign, job, &record, worker->directory)) {
        itr_campaign_keep_evidence(campaign, slot, worker->directory, job->cell, job->trial, &plan, result.signature,
                                   &evidence);
    }
    itr_campaign_drop_evidence(&evidence);
}

static void be_a_slot(void *argument) {
    struct worker *worker = argument;
    struct itr_campaign *campaign = worker->campaign;
    struct itr_slot *slot = NULL;
    struct itr_error error = {0};
    struct itr_campaign_job job;

    if (itr_slot_open(&slot, worker->directory, &error) != ITR_OK) {
        uv_mutex_lock(&campaign->lock);
        give_up(campaign, &error);
        uv_mutex_unlock(&campaign->lock);
    }
    while (slot != NULL) {
        uv_mutex_lock(&campaign->lock);
        bool more = take(campaign, &job);
        uv_mutex_unlock(&campaign->lock);
        if (!more) {
            break;
        }
        run_trial(campaign, worker, slot, &job);
    }
    itr_slot_close(slot);
    uv_mutex_lock(&campaign->lock);
    campaign->slots_running--;
    uv_mutex_unlock(&campaign->lock);
    uv_async_send(&campaign->slot_ended);
}

/* ---- all slots ---- */

static void run_slots(struct itr_campaign *campaign) {
    struct worker workers[JOBS_MAX];
    struct itr_error error = {0};
    uint32_t started = 0;
    uint32_t jobs = campaign->options->jobs < JOBS_MAX ? campaign->options->jobs : JOBS_MAX;
    itr_campaign_watch_open(campaign);
    campaign->slots_running = jobs;
    campaign->cell_begin_ns = uv_hrtime();
    for (; started < jobs; started++) {
        struct worker *worker = &workers[started];
        *worker = (struct worker){.campaign = campaign, .index = started};
        snprintf(worker->directory, sizeof worker->directory, "%s/hosts/%" PRIu32, campaign->folder.path, started);
        if (itr_folder_make(worker->directory, &error) != ITR_OK ||
            uv_thread_create(&worker->thread, be_a_slot, worker) != 0) {
            break;
        }
    }
    uv_mutex_lock(&campaign->lock);
    campaign->slots_running -= jobs - started;
    if (started < jobs) {
        if (error.status == ITR_OK) {
            itr_fail(&error, ITR_E_SYSTEM, 0, "cannot start a thread for a slot");
        }
        give_up(campaign, &error);
    }
    bool any = campaign->slots_running > 0;
    uv_mutex_unlock(&campaign->lock);
    if (any) {
        itr_campaign_watch(campaign);
    }
    for (uint32_t i = 0; i < started; i++) {
        char hosts[1200];
        uv_thread_join(&workers[i].thread);
        itr_folder_remove(workers[i].directory);
        snprintf(hosts, sizeof hosts, "%s/hosts", campaign->folder.path);
        if (i + 1 == started) {
            itr_folder_remove(hosts);
        }
    }
    itr_campaign_watch_close(campaign);
}

/* ---- after the last ---- */

static enum itr_status finish(struct itr_campaign *campaign, struct itr_error *err) {
    struct itr_summary *summary = campaign->summary;
    uint64_t planned = 0;
    for (size_t i = 0; i < summary->count; i++) {
        planned += summary->cells[i].count;
    }
    summary->seed = campaign->options->seed;
    summary->elapsed_s = (double)(uv_hrtime() - campaign->begin_ns) / 1e9;
    bool unplanned = planned == 0 || campaign->options->in_rounds; /* then each cell's count is what it came to */
    summary->interrupted = campaign->interrupt_count > 0 && (unplanned || campaign->finished < planned);
    snprintf(summary->folder, sizeof summary->folder, "%s", campaign->folder.path);
    itr_summary_judge(summary);
    return itr_campaign_write_reports(summary, err);
}

enum itr_status itr_campaign_write_reports(const struct itr_summary *summary, struct itr_error *err) {
    json_t *json = itr_summary_to_json(summary);
    enum itr_status status = itr_folder_write_json(summary->folder, "summary.json", json, err);
    json_decref(json);
    struct itr_text text = {.ceiling = 64u << 20};
    itr_report_junit(&text, summary);
    if (status == ITR_OK) {
        status = itr_folder_write(summary->folder, "junit.xml", itr_text_string(&text), text.length, err);
    }
    itr_text_reset(&text);
    itr_report_html(&text, summary);
    if (status == ITR_OK) {
        status = itr_folder_write(summary->folder, "report.html", itr_text_string(&text), text.length, err);
    }
    itr_text_release(&text);
    return status;
}

enum itr_status itr_campaign_open(struct itr_campaign **out, const struct itr_campaign_options *options,
                                  const struct itr_layout *layout, const struct itr_cell *cells, size_t count,
                                  struct itr_summary *summary, struct itr_error *err) {
    struct itr_campaign *campaign = calloc(1, sizeof *campaign);
    *summary = (struct itr_summary){0};
    if (campaign == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    *campaign = (struct itr_campaign){
        .options = options, .layout = layout, .summary = summary, .begin_ns = uv_hrtime()};
    uv_mutex_init(&campaign->lock);
    uv_cond_init(&campaign->round_noted);
    enum itr_status status = itr_summary_allocate(summary, count, err);
    if (status == ITR_OK) {
        if (count > 0) {
            memcpy(summary->cells, cells, count * sizeof *cells);
        }
        status = itr_campaign_prepare(campaign, err);
    }
    if (status != ITR_OK) {
        itr_campaign_release(campaign);
        itr_summary_release(summary);
        return status;
    }
    *out = campaign;
    return ITR_OK;
}

enum itr_status itr_campaign_work(struct itr_campaign *campaign, struct itr_error *err) {
    if (campaign->stop) { /* interrupted, or failed */
        return ITR_OK;
    }
    itr_progress_begin(&campaign->progress, campaign->options->progress);
    run_slots(campaign);
    itr_campaign_tell_kept(campaign);
    if (campaign->failed) {
        *err = campaign->error;
        return campaign->error.status;
    }
    return ITR_OK;
}

bool itr_campaign_is_interrupted(const struct itr_campaign *campaign) {
    return campaign->interrupt_count > 0;
}

const char *itr_campaign_folder(const struct itr_campaign *campaign) {
    return campaign->folder.path;
}

const struct itr_sweep *itr_campaign_sweep(const struct itr_campaign *campaign, size_t cell) {
    return campaign->parts[cell].sweep;
}

const struct itr_work *itr_campaign_cell_work(const struct itr_campaign *campaign, size_t cell) {
    return campaign->parts[cell].work;
}

enum itr_status itr_campaign_close(struct itr_campaign *campaign, struct itr_error *err) {
    enum itr_status status = finish(campaign, err);
    itr_campaign_release(campaign);
    return status;
}

void itr_campaign_release(struct itr_campaign *campaign) {
    for (size_t i = 0; campaign->parts != NULL && i < campaign->summary->count; i++) {
        struct itr_campaign_cell *part = &campaign->parts[i];
        itr_sweep_free(part->sweep);
        if (part->work != NULL && !part->borrows_work) {
            itr_work_close(part->work);
            free(part->work);
        }
    }
    itr_folder_close(&campaign->folder);
    uv_cond_destroy(&campaign->round_noted);
    uv_mutex_destroy(&campaign->lock);
    free(campaign->parts);
    free(campaign->done);
    free(campaign->past);
    free(campaign);
}

enum itr_status itr_campaign_run(const struct itr_campaign_options *options, const struct itr_layout *layout,
                                 const struct itr_cell *cells, size_t count, struct itr_summary *summary,
                                 struct itr_error *err) {
    struct itr_campaign *campaign = NULL;
    enum itr_status status = itr_campaign_open(&campaign, options, layout, cells, count, summary, err);
    if (status != ITR_OK) {
        return status;
    }
    struct itr_error why = {0};
    status = itr_campaign_work(campaign, err);
    if (itr_campaign_close(campaign, &why) != ITR_OK && status == ITR_OK) {
        *err = why;
        status = why.status;
    }
    if (status != ITR_OK) {
        itr_summary_release(summary);
    }
    return status;
}
