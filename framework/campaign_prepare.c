/* What a campaign does before its first trial: opens each cell's work, calibrates windows, makes the folder
 * with campaign.json, or reads back what a resumed one has done. It runs no trial that counts. */
#include "framework/campaign.h"
#include "framework/campaign_parts.h"

#include "framework/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CALIBRATION_TRIALS = 25,
};

/* ---- calibration ---- */

static bool needs_calibration(const struct itr_cell *cell) {
    return cell->aim.event != ITR_EVENT_NONE && cell->aim.point.kind == ITR_POINT_TIME &&
           cell->aim.window_to_ns == 0;
}

/* Cells that differ only in what is fired share a calibration. */
static bool same_host(const struct itr_cell *a, const struct itr_cell *b) {
    return strcmp(a->host, b->host) == 0 && strcmp(a->library, b->library) == 0 && strcmp(a->go, b->go) == 0 &&
           strcmp(a->environment, b->environment) == 0 && strcmp(a->function, b->function) == 0;
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
            like = summary->cells[k].init_p95_ns != 0 && same_host(&summary->cells[k], cell) ? &summary->cells[k] : NULL;
        }
        if (like != NULL) {
            cell->init_p50_ns = like->init_p50_ns;
            cell->init_p95_ns = like->init_p95_ns;
        } else {
            status = itr_work_calibrate(&campaign->works[i], cell, slot, CALIBRATION_TRIALS, err);
        }
        cell->aim.window_to_ns = cell->init_p95_ns;
    }
    return status;
}

static enum itr_status calibrate_all(struct itr_campaign *campaign, struct itr_error *err) {
    struct itr_slot *slot = NULL;
    char directory[1200];
    bool any = false;
    for (size_t i = 0; i < campaign->summary->count; i++) {
        any = any || needs_calibration(&campaign->summary->cells[i]);
    }
    if (!any) {
        return ITR_OK;
    }
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

/* ---- campaign.json ---- */

static json_t *machine_to_json(void) {
    uv_utsname_t system;
    uv_cpu_info_t *processors = NULL;
    int processor_count = 0;
    char model[128] = "";
    if (uv_os_uname(&system) != 0) {
        memset(&system, 0, sizeof system);
    }
    if (uv_cpu_info(&processors, &processor_count) == 0) {
        snprintf(model, sizeof model, "%s", processor_count > 0 && processors[0].model ? processors[0].model : "");
        uv_free_cpu_info(processors, processor_count);
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:I}", "system", itrp_system_name(), "kernel", system.release,
                     "kernel_version", system.version, "processor", model, "processors", processor_count, "c_library",
                     itrp_c_library(), "memory_bytes", (json_int_t)uv_get_total_memory());
}

static enum itr_status write_campaign(struct itr_campaign *campaign, struct itr_error *err) {
    const struct itr_campaign_options *options = campaign->options;
    json_t *cells = json_array();
    json_t *command = json_array();
    char when[32];
    time_t now = time(NULL);
    struct tm utc = {0};
    for (size_t i = 0; i < campaign->summary->count; i++) {
        if (json_array_append_new(cells, itr_cell_to_json(&campaign->summary->cells[i])) != 0) {
            json_decref(cells);
            json_decref(command);
            return itr_fail(err, ITR_E_FORMAT, 0, "%s: a name or path is not UTF-8, or memory is out",
                            campaign->summary->cells[i].case_name);
        }
    }
    for (int i = 0; i < options->argument_count; i++) {
        json_array_append_new(command, json_string(options->arguments[i]));
    }
    const struct tm *broken = gmtime(&now);
    utc = broken != NULL ? *broken : utc;
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_t *json = json_pack(
        "{s:i, s:s, s:s, s:o, s:o, s:i, s:I, s:b, s:o, s:{s:s, s:s, s:s}, s:o}", "format", ITR_CAMPAIGN_FORMAT,
        "initrace", ITR_VERSION, "started", when, "command", command, "seed", itr_json_hex(options->seed), "jobs",
        (int)options->jobs, "duration_ns", (json_int_t)options->duration_ns, "until_fail", (int)options->until_fail,
        "machine", machine_to_json(), "versions", "c_compiler", __VERSION__, "libuv", uv_version_string(), "jansson",
        JANSSON_VERSION, "cells", cells);
    enum itr_status status = itr_folder_write_json(campaign->folder.path, "campaign.json", json, err);
    json_decref(json);
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
        status = calibrate_all(campaign, err);
    }
    return status == ITR_OK ? write_campaign(campaign, err) : status;
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
    const struct itr_cell *last = &summary->cells[summary->count - 1];
    campaign->done_room = last->first_trial + last->count;
    campaign->done = calloc(campaign->done_room / 8 + 1, 1);
    if (campaign->done == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory resuming");
    }
    status = itr_trials_open(&trials, campaign->folder.path, err);
    while (status == ITR_OK && (status = itr_trials_next(&trials, &json, err)) == ITR_OK && json != NULL) {
        uint64_t cell = 0;
        struct itr_row row;
        status = itr_record_read(json, &cell, &row, err);
        if (status == ITR_OK && cell < summary->count && row.trial < campaign->done_room) {
            campaign->done[row.trial / 8] |= (unsigned char)(1u << (row.trial % 8));
            itr_tally_add(&summary->tallies[cell], &row);
            campaign->finished++;
            campaign->failures += row.outcome != summary->cells[cell].expect ? 1 : 0;
        }
        json_decref(json);
    }
    itr_trials_close(&trials);
    return status;
}

enum itr_status itr_campaign_prepare(struct itr_campaign *campaign, struct itr_error *err) {
    struct itr_summary *summary = campaign->summary;
    enum itr_status status = ITR_OK;
    campaign->works = calloc(summary->count + 1, sizeof *campaign->works);
    if (campaign->works == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < summary->count && status == ITR_OK; i++) {
        status = itr_work_open(&campaign->works[i], &summary->cells[i], campaign->layout, err);
        campaign->works[i].setup.core_limit_bytes = campaign->options->core_limit_bytes;
        if (status == ITR_OK && campaign->works[i].library[0] != '\0') {
            char hash[20];
            itr_hash_file(campaign->works[i].library, hash, sizeof hash);
            if (campaign->options->resume && strcmp(hash, summary->cells[i].library_hash) != 0) {
                return itr_fail(err, ITR_E_USAGE, 0,
                                "%s is not the library that this campaign began with: start a new one",
                                campaign->works[i].library);
            }
            memcpy(summary->cells[i].library_hash, hash, sizeof hash);
        }
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
