/* What a campaign does before its first trial: opens each cell's work, calibrates windows, makes the folder, or reads back what a
 * resumed one has done. It runs no trial that counts. */
#include "framework/campaign.h"
#include "framework/campaign_evidence.h"
#include "framework/campaign_parts.h"

#include "framework/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CALIBRATION_TRIALS = 25,
};

bool itr_campaign_same_host(const struct itr_cell *a, const struct itr_cell *b) {
    return strcmp(a->host, b->host) == 0 && strcmp(a->library, b->library) == 0 && strcmp(a->go, b->go) == 0 &&
           strcmp(a->environment, b->environment) == 0 && strcmp(a->function, b->function) == 0 &&
           strcmp(a->record, b->record) == 0;
}

/* ---- calibration ---- */

static bool needs_calibration(const struct itr_cell *cell) {
    return cell->aim.event != ITR_EVENT_NONE && cell->aim.point.kind == ITR_POINT_TIME && cell->skip[0] == '\0' &&
           cell->aim.window_to_ns == 0;
}

static enum itr_status calibrate(struct itr_campaign *campaign, struct itr_slot *slot, struct itr_error *err) {
    struct itr_summary *summary = campaign->summary;
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < summary->count && status == ITR_OK; i++) {
        struct itr_cell *cell = &summary->cells[i];
        const struct itr_cell *like = NULL;
        if (!needs_calibration(cell)) {
            continue;
        }
        for (size_t k = 0; k < i && like == NULL; k++) {
            like = summary->cells[k].init_p95_ns != 0 && itr_campaign_same_host(&summary->cells[k], cell) ? &summary->cells[k] : NULL;
        }
        if (like != NULL) {
            cell->init_p50_ns = like->init_p50_ns;
            cell->init_p95_ns = like->init_p95_ns;
        } else {
            struct itr_error why = {0};
            status = itr_work_calibrate(campaign->parts[i].work, cell, slot, CALIBRATION_TRIALS, &why);
            if (status == ITR_E_SYSTEM && campaign->options->in_rounds) { /* the other arms go on; this one's controls say more */
                snprintf(cell->skip, sizeof cell->skip, "%s", why.text);
                status = ITR_OK;
            } else if (status != ITR_OK) {
                *err = why;
            }
        }
        cell->aim.window_to_ns = cell->init_p95_ns;
    }
    return status;
}

/* Calibrates in a slot of its own. */
static enum itr_status calibrate_all(struct itr_campaign *campaign, struct itr_error *err) {
    struct itr_slot *slot = NULL;
    char directory[1200];
    snprintf(directory, sizeof directory, "%s/hosts/0", campaign->folder.path);
    enum itr_status status = itr_folder_make(directory, err);
    if (status == ITR_OK) {
        status = itr_slot_open(&slot, directory, err);
    }
    if (status == ITR_OK) {
        status = calibrate(campaign, slot, err);
    }
    itr_slot_close(slot);
    return status;
}

/* All that must be measured before the first trial. */
static enum itr_status measure(struct itr_campaign *campaign, struct itr_error *err) {
    bool any = false;
    for (size_t i = 0; i < campaign->summary->count; i++) {
        any = any || needs_calibration(&campaign->summary->cells[i]) || itr_campaign_is_sweep(&campaign->summary->cells[i]);
    }
    if (!any) {
        return ITR_OK;
    }
    enum itr_status status = calibrate_all(campaign, err);
    if (status == ITR_OK) {
        status = itr_campaign_trace_sweeps(campaign, err);
    }
    return status;
}

/* ---- a new campaign, or an old one resumed ---- */

static enum itr_status prepare_new(struct itr_campaign *campaign, struct itr_error *err) {
    char moved[1100];
    enum itr_status status = itr_folder_create(&campaign->folder, campaign->options->output, moved, err);
    if (status == ITR_OK && moved[0] != '\0') {
        fprintf(stderr, "initrace: the campaign that was in %s is now in %s\n", campaign->folder.path, moved);
    }
    if (status == ITR_OK) {
        status = measure(campaign, err);
    }
    return status == ITR_OK ? itr_campaign_write(campaign, err) : status;
}

/* Counts the trials that the folder has, and marks them as done. */
static enum itr_status prepare_resumed(struct itr_campaign *campaign, struct itr_error *err) {
    struct itr_summary *summary = campaign->summary;
    struct itr_trials trials;
    json_t *json = NULL;
    enum itr_status status = itr_folder_continue(&campaign->folder, campaign->options->output, err);
    if (status != ITR_OK) {
        return status;
    }
    const struct itr_cell *last = summary->count > 0 ? &summary->cells[summary->count - 1] : NULL;
    campaign->done_room = last != NULL ? last->first_trial + last->count : 0;
    campaign->done = calloc(campaign->done_room / 8 + 1, 1);
    if (campaign->done == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory resuming");
    }
    status = itr_campaign_read_sweeps(campaign, err);
    if (status != ITR_OK) {
        return status;
    }
    status = itr_trials_open(&trials, campaign->folder.path, err);
    while (status == ITR_OK && (status = itr_trials_next(&trials, &json, err)) == ITR_OK && json != NULL) {
        uint64_t cell = 0;
        struct itr_row row;
        status = itr_record_read(json, &cell, &row, err);
        bool in_rounds = campaign->options->in_rounds;
        if (status == ITR_OK && cell < summary->count && (in_rounds || row.trial < campaign->done_room)) {
            itr_tally_add(&summary->tallies[cell], &row);
            if (in_rounds) {
                status = itr_campaign_remember(campaign, cell, &row, err);
            } else {
                campaign->done[row.trial / 8] |= (unsigned char)(1u << (row.trial % 8));
            }
            itr_campaign_count_place(campaign, cell, &row);
            campaign->finished++;
            campaign->failures += row.outcome != summary->cells[cell].expect ? 1 : 0;
        }
        json_decref(json);
    }
    itr_trials_close(&trials);
    itr_campaign_remembered(campaign);
    itr_campaign_find_cores(campaign);
    return status;
}

/* Once for each library. */
static void tell_trouble(const struct itr_campaign *campaign, size_t index) {
    const struct itr_work *work = campaign->parts[index].work;
    char line[2 * sizeof work->symbols_trouble];
    for (size_t i = 0; i < index; i++) {
        if (strcmp(campaign->parts[i].work->library, work->library) == 0) {
            return;
        }
    }
    if (work->symbols_trouble[0] != '\0') {
        itr_escape_into(line, sizeof line, ITR_ESCAPE_TERMINAL, work->symbols_trouble, strlen(work->symbols_trouble));
        fprintf(stderr, "initrace: %s\n", line);
    }
}

/* `known`: the cell was measured before, with the library whose hash it has. */
static enum itr_status open_work(struct itr_campaign *campaign, size_t index, bool known, struct itr_error *err) {
    struct itr_cell *cell = &campaign->summary->cells[index];
    struct itr_work *work = calloc(1, sizeof *work);
    if (work == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    campaign->parts[index].work = work;
    enum itr_status status = itr_work_open(work, cell, campaign->layout, &campaign->images, err);
    work->setup.core_limit_bytes = campaign->options->core_limit_bytes;
    if (status == ITR_OK) {
        tell_trouble(campaign, index);
        status = itr_work_resolve(work, cell, err);
        cell->count = cell->skip[0] == '\0' ? cell->count : 0;
    }
    if (status != ITR_OK || work->library[0] == '\0') {
        return status;
    }
    if (known && strcmp(work->library_hash, cell->library_hash) != 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s is not the library that this campaign began with: start a new one",
                        work->library);
    }
    memcpy(cell->library_hash, work->library_hash, sizeof work->library_hash);
    return ITR_OK;
}

enum itr_status itr_campaign_grow(struct itr_campaign *campaign, struct itr_error *err) {
    size_t index = campaign->summary->count;
    struct itr_campaign_cell *grown = realloc(campaign->parts, (index + 2) * sizeof *grown);
    if (grown == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    campaign->parts = grown;
    grown[index] = (struct itr_campaign_cell){0};
    return itr_summary_grow(campaign->summary, err);
}

static void drop_last(struct itr_campaign *campaign) {
    struct itr_campaign_cell *part = &campaign->parts[--campaign->summary->count];
    if (part->work != NULL) {
        itr_work_close(part->work);
        free(part->work);
    }
    *part = (struct itr_campaign_cell){0};
}

enum itr_status itr_campaign_add_cell(struct itr_campaign *campaign, const struct itr_cell *wanted, struct itr_error *err) {
    struct itr_summary *summary = campaign->summary;
    struct itr_error why = {0};
    size_t index = summary->count;
    enum itr_status status = itr_campaign_grow(campaign, err);
    if (status != ITR_OK) {
        return status;
    }
    struct itr_cell *cell = &summary->cells[index];
    *cell = *wanted;
    status = open_work(campaign, index, false, err);
    if (status == ITR_OK && needs_calibration(cell) && calibrate_all(campaign, &why) != ITR_OK) {
        if (why.status == ITR_E_NO_MEMORY) {
            *err = why;
            status = why.status;
        }
        snprintf(cell->skip, sizeof cell->skip, "%s", why.text);
    }
    if (status == ITR_OK) {
        itr_tally_begin(&summary->tallies[index], cell->expect, cell->aim.window_from_ns, cell->aim.window_to_ns);
        status = itr_campaign_write(campaign, err);
    }
    if (status != ITR_OK) {
        drop_last(campaign);
    }
    return status;
}

enum itr_status itr_campaign_prepare(struct itr_campaign *campaign, struct itr_error *err) {
    struct itr_summary *summary = campaign->summary;
    enum itr_status status = ITR_OK;
    campaign->parts = calloc(summary->count + 1, sizeof *campaign->parts);
    if (campaign->parts == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < summary->count && status == ITR_OK; i++) {
        status = open_work(campaign, i, campaign->options->resume, err);
    }
    for (size_t i = 0; i < summary->count && status == ITR_OK; i++) {
        summary->tallies[i].expect = summary->cells[i].expect;
    }
    if (status == ITR_OK && !campaign->options->resume) {
        status = prepare_new(campaign, err);
    }
    for (size_t i = 0; i < summary->count && status == ITR_OK; i++) {
        const struct itr_cell *cell = &summary->cells[i];
        itr_tally_begin(&summary->tallies[i], cell->expect, cell->aim.window_from_ns, cell->aim.window_to_ns);
    }
    if (status == ITR_OK && campaign->options->resume) {
        status = prepare_resumed(campaign, err);
    }
    return status;
}
