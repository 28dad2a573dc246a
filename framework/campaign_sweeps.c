/* The sweeps of a campaign: their axes are traced before the first trial, or read from the folder of a resumed one; what is fired
 * along them is counted by place. */
#include "framework/campaign.h"
#include "framework/campaign_parts.h"

#include "framework/tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void itr_campaign_number_trials(struct itr_summary *summary) {
    uint64_t next = 0;
    for (size_t i = 0; i < summary->count; i++) {
        summary->cells[i].first_trial = next;
        next += summary->cells[i].count;
    }
}

bool itr_campaign_is_sweep(const struct itr_cell *cell) {
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

/* Which code a runtime's start comes to depends on the handlers that it finds. */
static bool same_handlers(const struct itr_cell *a, const struct itr_cell *b) {
    return a->host_flags == b->host_flags && a->handler_flags == b->handler_flags && a->handles == b->handles;
}

/* An earlier sweep whose axis this one can have; `index` itself if there is none. */
static size_t sweep_like(const struct itr_campaign *campaign, size_t index) {
    const struct itr_cell *cells = campaign->summary->cells;
    for (size_t k = 0; k < index; k++) {
        if (campaign->parts[k].sweep != NULL && campaign->parts[k].axis_of == k && itr_campaign_same_host(&cells[k], &cells[index]) &&
            same_handlers(&cells[k], &cells[index]) &&
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

enum itr_status itr_campaign_trace_sweeps(struct itr_campaign *campaign, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < campaign->summary->count && status == ITR_OK; i++) {
        size_t like = sweep_like(campaign, i);
        if (itr_campaign_is_sweep(&campaign->summary->cells[i])) {
            status = like != i ? sweep_again(campaign, like, i, err) : trace_sweep(campaign, i, err);
        }
    }
    itr_campaign_number_trials(campaign->summary);
    return status;
}

enum itr_status itr_campaign_read_sweeps(struct itr_campaign *campaign, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < campaign->summary->count && status == ITR_OK; i++) {
        struct itr_cell *cell = &campaign->summary->cells[i];
        char name[64];
        json_t *json = NULL;
        if (!itr_campaign_is_sweep(cell)) {
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
    status = itr_campaign_grow(campaign, err);
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
    itr_campaign_number_trials(summary);
    itr_tally_begin(&summary->tallies[index], cell->expect, 0, 0);
    status = write_sweep(campaign, index, err);
    return status == ITR_OK ? itr_campaign_write(campaign, err) : status;
}

void itr_campaign_count_place(struct itr_campaign *campaign, size_t cell, const struct itr_row *row) {
    if (campaign->parts[cell].sweep != NULL && row->sweep_index >= 0) {
        itr_sweep_count(campaign->parts[cell].sweep, (uint32_t)row->sweep_index, row->outcome,
                        campaign->summary->cells[cell].expect, row->signature);
    }
}
