/* The loop of a search: ask where to fire, fire, add what was seen, ask again. All judgement is in probe.c and
 * window.c, all firing in the campaign. */
#include "framework/locate.h"

#include "framework/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROBES_MAX = 4096, /* shots of a round */
    ROUNDS_MAX = 60,
};

/* ---- samples ---- */

/* Adds what one round's sweep counted. */
static enum itr_status add_round(struct itr_located *located, const struct itr_sweep *sweep, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (uint32_t i = 0; i < sweep->count && status == ITR_OK; i++) {
        const struct itr_sweep_place *place = &sweep->places[i];
        located->shots += place->trials;
        located->missed += place->missed;
        for (uint32_t s = 0; s < sweep->signature_count && status == ITR_OK; s++) {
            uint32_t number = 0;
            if (s > 0) {
                number = itr_signature_number(located->signatures, &located->signature_count, sweep->signatures[s]);
            }
            if (number == UINT32_MAX) {
                status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory locating");
            } else if (place->counts[s] > 0) {
                status = itr_samples_add(&located->samples, place->position, number, place->counts[s], err);
            }
        }
        if (place->missed > 0 && status == ITR_OK) {
            status = itr_samples_miss(&located->samples, place->position, place->missed, err);
        }
    }
    located->rounds++;
    return status;
}

/* ---- rounds ---- */

/* The probes as a list of places, each as often as it is to be fired at, one time after the other, so that the
 * shots at one place are spread over the round. */
static uint32_t list_places(const struct itr_probe *probes, size_t count, uint32_t *places) {
    uint32_t listed = 0;
    bool more = true;
    for (uint32_t turn = 0; more; turn++) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            if (probes[i].shots > turn && listed < PROBES_MAX) {
                places[listed++] = probes[i].position;
                more = true;
            }
        }
    }
    return listed;
}

static const char *stage_name(enum itr_probe_stage stage) {
    return stage == ITR_PROBE_SEEDS ? "seeds" : stage == ITR_PROBE_ODD ? "odd" : "edges";
}

static enum itr_status run_round(struct itr_located *located, struct itr_campaign *campaign,
                                 const struct itr_summary *summary, const struct itr_probe *probes,
                                 const struct itr_probe_plan *plan, uint32_t *places, struct itr_error *err) {
    char at[64];
    uint32_t count = list_places(probes, plan->count, places);
    snprintf(at, sizeof at, "locate:%s:%u", stage_name(plan->stage), (unsigned)located->rounds);
    enum itr_status status = itr_campaign_add_sweep(campaign, located->cell, at, places, count, 1, err);
    if (status == ITR_OK) {
        status = itr_campaign_work(campaign, err);
    }
    return status == ITR_OK ? add_round(located, itr_campaign_sweep(campaign, summary->count - 1), err) : status;
}

static enum itr_status search(struct itr_located *located, struct itr_campaign *campaign,
                              const struct itr_summary *summary, const uint32_t *seeds, struct itr_error *err) {
    static const struct itr_window_rules rules; /* the defaults */
    struct itr_probe *probes = calloc(PROBES_MAX, sizeof *probes);
    uint32_t *places = calloc(PROBES_MAX, sizeof *places);
    enum itr_status status = ITR_OK;
    if (probes == NULL || places == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory locating");
    }
    while (status == ITR_OK && !located->complete && located->rounds < ROUNDS_MAX &&
           !itr_campaign_is_interrupted(campaign)) {
        struct itr_probe_plan plan;
        status = itr_probes_next(&plan, probes, PROBES_MAX, &located->samples, located->sweep->axis->count, seeds,
                                 located->sweep->count, &rules, err);
        if (status == ITR_OK && plan.stage == ITR_PROBE_DONE) {
            located->complete = true;
        } else if (status == ITR_OK) {
            status = run_round(located, campaign, summary, probes, &plan, places, err);
        }
    }
    if (status == ITR_OK) {
        status = itr_windows_find(&located->windows, &located->samples, located->sweep->axis->count, &rules, err);
    }
    free(probes);
    free(places);
    return status;
}

/* ---- watched variables ---- */

/* The axis' instruction that ends at `rva` or lies nearest before it; UINT32_MAX: none within 15 bytes. */
static uint32_t position_before(const struct itr_axis *axis, uint64_t rva) {
    uint32_t found = UINT32_MAX;
    uint64_t nearest = 16;
    for (size_t i = 0; i < axis->count; i++) {
        uint64_t distance = rva - axis->points[i].rva;
        if (axis->points[i].rva < rva && distance < nearest) {
            nearest = distance;
            found = (uint32_t)i;
        }
    }
    return found;
}

static void keep_writes(struct itr_located *located, const struct itr_observation *seen) {
    const struct itrp_debug_report *debug = seen->debug;
    uint64_t load_ns = seen->ledger.phase_ns[ITR_PHASE_LOAD_BEGIN];
    for (uint32_t i = 0; i < debug->write_count && i < ITRP_DEBUG_WRITES_MAX &&
                         located->write_count < ITR_LOCATE_WRITES_MAX;
         i++) {
        const struct itrp_debug_write *write = &debug->writes[i];
        uint64_t rva = write->pc - debug->library_base;
        uint32_t position = position_before(located->sweep->axis, rva);
        located->writes[located->write_count++] = (struct itr_located_write){
            .position = position,
            .watch = write->watch,
            .old_value = write->old_value,
            .new_value = write->new_value,
            .time_ns = load_ns != 0 && write->time_ns > load_ns ? write->time_ns - load_ns : 0,
            .rva = position != UINT32_MAX ? located->sweep->axis->points[position].rva : rva,
            .role = write->role,
        };
    }
}

/* One trial without a shot, to see the variables turn. */
static enum itr_status watch(struct itr_located *located, const struct itr_campaign *campaign,
                             const struct itr_cell *cell, struct itr_error *err) {
    char directory[1200];
    struct itr_slot *slot = NULL;
    struct itr_plan plan;
    struct itr_observation seen;
    struct itr_aim none = {.event = ITR_EVENT_NONE};
    if (located->work->debug.watch_count == 0) {
        return ITR_OK;
    }
    snprintf(directory, sizeof directory, "%s/hosts/watch", itr_campaign_folder(campaign));
    enum itr_status status = itr_folder_make(directory, err);
    if (status == ITR_OK) {
        status = itr_slot_open(&slot, directory, err);
    }
    if (status == ITR_OK) {
        itr_plan_make(&plan, &located->work->request, &none, cell->case_name, 0, 0);
        itr_slot_run(slot, &located->work->setup, &plan, UINT64_C(0x3a7c400000000000), &seen);
        if (seen.tool.status != ITR_OK) {
            *err = seen.tool;
            status = err->status;
        } else if (seen.debug != NULL) {
            keep_writes(located, &seen);
        }
    }
    itr_slot_close(slot);
    itr_folder_remove(directory);
    return status;
}

/* ---- all of it ---- */

enum itr_status itr_locate(struct itr_located *located, struct itr_campaign *campaign, const struct itr_summary *summary,
                           size_t cell, struct itr_error *err) {
    uint64_t begin_ns = uv_hrtime();
    const struct itr_sweep *sweep = itr_campaign_sweep(campaign, cell);
    *located = (struct itr_located){
        .cell = cell, .sweep = sweep, .work = itr_campaign_cell_work(campaign, cell), .signature_count = 1};
    if (sweep == NULL) {
        return ITR_OK;
    }
    located->signatures[0] = strdup("as expected");
    uint32_t *seeds = calloc(sweep->count, sizeof *seeds);
    enum itr_status status = seeds != NULL && located->signatures[0] != NULL
                                 ? watch(located, campaign, &summary->cells[cell], err)
                                 : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory locating");
    for (uint32_t i = 0; i < sweep->count && status == ITR_OK; i++) {
        seeds[i] = sweep->places[i].position;
    }
    if (status == ITR_OK) {
        status = add_round(located, sweep, err);
    }
    if (status == ITR_OK) {
        status = search(located, campaign, summary, seeds, err);
    }
    free(seeds);
    located->elapsed_ns = uv_hrtime() - begin_ns;
    return status;
}

void itr_located_release(struct itr_located *located) {
    for (uint32_t i = 0; i < located->signature_count; i++) {
        free(located->signatures[i]);
    }
    itr_samples_release(&located->samples);
    *located = (struct itr_located){0};
}
