/* Drives trials: slots (threads) take the next trial of the cell list, until there is none. What becomes of one is in
 * campaign_trial.c, what comes before the first in campaign_prepare.c, what the main thread does meanwhile in campaign_watch.c. */
#include "framework/campaign.h"
#include "framework/campaign_keep.h"
#include "framework/campaign_parts.h"

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

void itr_campaign_next_cell(struct itr_campaign *campaign) {
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
            itr_campaign_next_cell(campaign);
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

void itr_campaign_give_up(struct itr_campaign *campaign, const struct itr_error *error) {
    if (!campaign->failed) {
        campaign->error = *error;
    }
    campaign->failed = true;
    campaign->stop = true;
}

/* ---- a slot ---- */

static void be_a_slot(void *argument) {
    struct worker *worker = argument;
    struct itr_campaign *campaign = worker->campaign;
    struct itr_slot *slot = NULL;
    struct itr_error error = {0};
    struct itr_campaign_job job;

    if (itr_slot_open(&slot, worker->directory, &error) != ITR_OK) {
        uv_mutex_lock(&campaign->lock);
        itr_campaign_give_up(campaign, &error);
        uv_mutex_unlock(&campaign->lock);
    }
    while (slot != NULL) {
        uv_mutex_lock(&campaign->lock);
        bool more = take(campaign, &job);
        uv_mutex_unlock(&campaign->lock);
        if (!more) {
            break;
        }
        itr_campaign_run_trial(campaign, slot, worker->directory, &job);
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
        itr_campaign_give_up(campaign, &error);
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
    itr_images_release(&campaign->images);
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
