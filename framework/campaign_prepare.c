/* What a campaign does before its first trial: opens each cell's work, calibrates windows, makes the folder
 * with campaign.json, or reads back what a resumed one has done. It runs no trial that counts. */
#include "framework/campaign.h"
#include "framework/campaign_evidence.h"
#include "framework/campaign_parts.h"

#include "framework/record.h"
#include "framework/tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CALIBRATION_TRIALS = 25,
};

/* Gives each cell its trial numbers, one after the other. */
static void number_trials(struct itr_summary *summary) {
    uint64_t next = 0;
    for (size_t i = 0; i < summary->count; i++) {
        summary->cells[i].first_trial = next;
        next += summary->cells[i].count;
    }
}

/* ---- calibration ---- */

static bool needs_calibration(const struct itr_cell *cell) {
    return cell->aim.event != ITR_EVENT_NONE && cell->aim.point.kind == ITR_POINT_TIME && cell->skip[0] == '\0' &&
           cell->aim.window_to_ns == 0;
}

/* Cells that differ only in what is fired share a calibration. */
static bool same_host(const struct itr_cell *a, const struct itr_cell *b) {
    return strcmp(a->host, b->host) == 0 && strcmp(a->library, b->library) == 0 && strcmp(a->go, b->go) == 0 &&
           strcmp(a->environment, b->environment) == 0 && strcmp(a->function, b->function) == 0 &&
           strcmp(a->record, b->record) == 0;
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

/* ---- sweeps ---- */

static bool is_sweep(const struct itr_cell *cell) {
    return cell->aim.point.kind == ITR_POINT_SWEEP && cell->skip[0] == '\0';
}

/* What the plans of a sweep's trials take from it, and how many trials it has. `shots` at each place. */
static void aim_sweep(struct itr_cell *cell, const struct itr_sweep *sweep, uint64_t shots) {
    cell->aim.sweep = sweep->rvas;
    cell->aim.sweep_count = sweep->count;
    cell->count = shots * sweep->count;
}

static void sweep_name(char *name, size_t room, size_t cell) {
    snprintf(name, room, "sweep-%zu.json", cell);
}

static enum itr_status write_sweep(const struct itr_campaign *campaign, size_t cell, struct itr_error *err) {
    char name[64];
    const struct itr_campaign_cell *part = &campaign->parts[cell];
    json_t *json = itr_sweep_to_json(part->sweep, part->work->library_image);
    if (json_object_set_new(json, "axis_of", json_integer((json_int_t)part->axis_of)) != 0) {
        json_decref(json);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory writing a sweep");
    }
    sweep_name(name, sizeof name, cell);
    enum itr_status status = itr_folder_write_json(campaign->folder.path, name, json, err);
    json_decref(json);
    return status;
}

/* An earlier sweep whose axis this one can have; `index` itself if there is none. */
static size_t sweep_like(const struct itr_campaign *campaign, size_t index) {
    const struct itr_cell *cells = campaign->summary->cells;
    for (size_t k = 0; k < index; k++) {
        if (campaign->parts[k].sweep != NULL && campaign->parts[k].axis_of == k && same_host(&cells[k], &cells[index]) &&
            cells[k].aim.point.role == cells[index].aim.point.role &&
            cells[k].aim.point.sweep == cells[index].aim.point.sweep) {
            return k;
        }
    }
    return index;
}

static enum itr_status sweep_again(struct itr_campaign *campaign, size_t like, size_t index, struct itr_error *err) {
    const struct itr_sweep *model = campaign->parts[like].sweep;
    struct itr_campaign_cell *part = &campaign->parts[index];
    uint32_t *positions = calloc(model->count, sizeof *positions);
    if (positions == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a sweep");
    }
    for (uint32_t i = 0; i < model->count; i++) {
        positions[i] = model->places[i].position;
    }
    part->axis_of = like;
    enum itr_status status = itr_sweep_some(&part->sweep, model, positions, model->count, err);
    free(positions);
    if (status != ITR_OK) {
        return status;
    }
    aim_sweep(&campaign->summary->cells[index], part->sweep, campaign->summary->cells[index].count);
    return write_sweep(campaign, index, err);
}

/* A thread that the library does not have is a skip of this cell, with the reason. */
static enum itr_status trace_sweep(struct itr_campaign *campaign, size_t index, struct itr_error *err) {
    char directory[1200];
    struct itr_cell *cell = &campaign->summary->cells[index];
    struct itr_campaign_cell *part = &campaign->parts[index];
    part->axis_of = index;
    struct itr_axis *axis = NULL;
    struct itr_error why = {0};
    if (campaign->options->progress) {
        char name[2 * ITR_NAME_MAX];
        itr_escape_into(name, sizeof name, ITR_ESCAPE_TERMINAL, cell->case_name, strlen(cell->case_name));
        fprintf(stderr, "initrace: tracing the %s thread of %s\n", itr_role_name((uint32_t)cell->aim.point.role), name);
    }
    snprintf(directory, sizeof directory, "%s/hosts", campaign->folder.path);
    enum itr_status status = itr_trace_cell(&axis, part->work, cell, cell->aim.point.role, directory, &why);
    if (status == ITR_OK) {
        status = itr_sweep_make(&part->sweep, axis, cell->aim.point.sweep, &why);
    }
    if (status == ITR_E_NOT_FOUND) {
        snprintf(cell->skip, sizeof cell->skip, "%s", why.text);
        cell->count = 0;
        return ITR_OK;
    }
    if (status != ITR_OK) {
        *err = why;
        return status;
    }
    aim_sweep(cell, part->sweep, cell->count);
    return write_sweep(campaign, index, err);
}

static enum itr_status trace_sweeps(struct itr_campaign *campaign, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < campaign->summary->count && status == ITR_OK; i++) {
        size_t like = sweep_like(campaign, i);
        if (is_sweep(&campaign->summary->cells[i])) {
            status = like != i ? sweep_again(campaign, like, i, err) : trace_sweep(campaign, i, err);
        }
    }
    number_trials(campaign->summary);
    return status;
}

/* The sweeps of a campaign that is resumed, from its folder. */
static enum itr_status read_sweeps(struct itr_campaign *campaign, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < campaign->summary->count && status == ITR_OK; i++) {
        struct itr_cell *cell = &campaign->summary->cells[i];
        char name[64];
        json_t *json = NULL;
        if (!is_sweep(cell)) {
            continue;
        }
        sweep_name(name, sizeof name, i);
        status = itr_folder_read_json(campaign->folder.path, name, &json, err);
        if (status == ITR_OK) {
            size_t like = (size_t)json_integer_value(json_object_get(json, "axis_of"));
            campaign->parts[i].axis_of = like < i ? like : i;
            status = itr_sweep_from_json(&campaign->parts[i].sweep, json, like < i ? campaign->parts[like].sweep : NULL, err);
        }
        if (status == ITR_OK) {
            aim_sweep(cell, campaign->parts[i].sweep, cell->count / campaign->parts[i].sweep->count);
        }
        json_decref(json);
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
        any = any || needs_calibration(&campaign->summary->cells[i]) || is_sweep(&campaign->summary->cells[i]);
    }
    if (!any) {
        return ITR_OK;
    }
    enum itr_status status = calibrate_all(campaign, err);
    if (status == ITR_OK) {
        status = trace_sweeps(campaign, err);
    }
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

/* Writes campaign.json, anew where it is there. */
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
        status = measure(campaign, err);
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
    const struct itr_cell *last = summary->count > 0 ? &summary->cells[summary->count - 1] : NULL;
    campaign->done_room = last != NULL ? last->first_trial + last->count : 0;
    campaign->done = calloc(campaign->done_room / 8 + 1, 1);
    if (campaign->done == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory resuming");
    }
    status = read_sweeps(campaign, err);
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
    char hash[20];
    if (work == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    campaign->parts[index].work = work;
    enum itr_status status = itr_work_open(work, cell, campaign->layout, err);
    work->setup.core_limit_bytes = campaign->options->core_limit_bytes;
    if (status == ITR_OK) {
        tell_trouble(campaign, index);
        status = itr_work_resolve(work, cell, err);
        cell->count = cell->skip[0] == '\0' ? cell->count : 0;
    }
    if (status != ITR_OK || work->library[0] == '\0') {
        return status;
    }
    itr_hash_file(work->library, hash, sizeof hash);
    if (known && strcmp(hash, cell->library_hash) != 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s is not the library that this campaign began with: start a new one",
                        work->library);
    }
    memcpy(cell->library_hash, hash, sizeof hash);
    return ITR_OK;
}

/* Room for one cell more, which is empty. */
static enum itr_status grow(struct itr_campaign *campaign, struct itr_error *err) {
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
    enum itr_status status = grow(campaign, err);
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
        status = write_campaign(campaign, err);
    }
    if (status != ITR_OK) {
        drop_last(campaign);
    }
    return status;
}

enum itr_status itr_campaign_add_sweep(struct itr_campaign *campaign, size_t like, const char *at,
                                       const uint32_t *positions, uint32_t count, uint32_t shots,
                                       struct itr_error *err) {
    struct itr_summary *summary = campaign->summary;
    struct itr_sweep *sweep = NULL;
    size_t index = summary->count;
    enum itr_status status = itr_sweep_some(&sweep, campaign->parts[like].sweep, positions, count, err);
    if (status != ITR_OK) {
        return status;
    }
    status = grow(campaign, err);
    if (status != ITR_OK) {
        itr_sweep_free(sweep);
        return status;
    }
    struct itr_cell *cell = &summary->cells[index];
    *cell = summary->cells[like];
    campaign->parts[index] =
        (struct itr_campaign_cell){.work = campaign->parts[like].work, .borrows_work = true, .sweep = sweep,
                                   .axis_of = campaign->parts[like].axis_of};
    snprintf(cell->at, sizeof cell->at, "%s", at);
    aim_sweep(cell, sweep, shots);
    number_trials(summary);
    itr_tally_begin(&summary->tallies[index], cell->expect, 0, 0);
    status = write_sweep(campaign, index, err);
    return status == ITR_OK ? write_campaign(campaign, err) : status;
}

void itr_campaign_count_place(struct itr_campaign *campaign, size_t cell, const struct itr_row *row) {
    if (campaign->parts[cell].sweep != NULL && row->sweep_index >= 0) {
        itr_sweep_count(campaign->parts[cell].sweep, (uint32_t)row->sweep_index, row->outcome,
                        campaign->summary->cells[cell].expect, row->signature);
    }
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
