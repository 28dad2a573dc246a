/* Takes and keeps the evidence of failing trials: examines hosts that stand still, fires a trial again under a debugger
 * until its failure shows once more, and writes FOLDER/failures/TRIAL/evidence. What is said of a host is examine.c's. */
#include "framework/campaign_evidence.h"

#include "framework/cascade.h"
#include "framework/dispositions.h"
#include "framework/evidence.h"
#include "framework/examine.h"
#include "framework/random.h"
#include "framework/record_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A failure of some percent seldom comes again at once, and a debugger shifts it. */
enum { TRIES_MAX = 10 };
#define TRYING_NS UINT64_C(30000000000)
/* Hanging hosts of a cell that are examined, whether kept or not. */
enum { EXAMINED_MAX = 32 };

bool itr_campaign_wants_hang_evidence(struct itr_campaign *campaign, size_t cell) {
    const struct itr_setup *setup = &campaign->parts[cell].work->setup;
    if (campaign->options->evidence == 0 || setup->debug != NULL || setup->recorded || !itrp_capabilities()->snapshots) {
        return false;
    }
    uv_mutex_lock(&campaign->lock);
    bool wants = campaign->parts[cell].examined < EXAMINED_MAX;
    uv_mutex_unlock(&campaign->lock);
    return wants;
}

void itr_campaign_examine(struct itr_campaign *campaign, const char *slot_directory, const struct itrp_snapshot *snapshot,
                          struct itr_trial_evidence *evidence) {
    struct itr_error error = {0};
    struct itr_examine_request request = {.folder = evidence->directory,
                                          .core_limit_bytes = campaign->options->evidence_core_bytes};
    if (evidence->json != NULL) {
        return; /* the first look is the one that counts */
    }
    snprintf(evidence->directory, sizeof evidence->directory, "%s.evidence", slot_directory);
    itr_folder_remove(evidence->directory);
    if (itr_folder_make(evidence->directory, &error) == ITR_OK) {
        evidence->json = itr_examine(snapshot, &request);
    }
}

void itr_campaign_drop_evidence(struct itr_trial_evidence *evidence) {
    json_decref(evidence->json);
    if (evidence->directory[0] != '\0') {
        itr_folder_remove(evidence->directory);
    }
    *evidence = (struct itr_trial_evidence){0};
}

/* ---- the folder ---- */

struct keeping {
    struct itr_campaign *campaign;
    size_t cell;
    uint64_t trial;
    const char *signature; /* of the trial itself */
    char name[64];         /* below the campaign's folder */
    char path[1200];
};

/* Moves the files of a look to the trial's failure, in place of an earlier look's. */
static bool move_files(const struct keeping *keeping, const struct itr_trial_evidence *evidence) {
    char above[1200];
    struct itr_error error = {0};
    uv_fs_t request;
    snprintf(above, sizeof above, "%s/failures/%" PRIu64, keeping->campaign->folder.path, keeping->trial);
    if (itr_folder_make(above, &error) != ITR_OK) {
        return false;
    }
    itr_folder_remove(keeping->path);
    int result = uv_fs_rename(NULL, &request, evidence->directory, keeping->path, NULL);
    uv_fs_req_cleanup(&request);
    return result == 0;
}

static void remove_core(const struct itr_campaign *campaign, uint64_t trial) {
    char path[1300];
    uv_fs_t request;
    char note[] = "The core file was removed: newer ones of this campaign took its room (--core-total).\n";
    snprintf(path, sizeof path, "%s/failures/%" PRIu64 "/evidence/%s", campaign->folder.path, trial, itrp_core_file_name());
    if (uv_fs_unlink(NULL, &request, path, NULL) == 0) {
        snprintf(path, sizeof path, "failures/%" PRIu64 "/evidence/core.removed", trial);
        if (itr_folder_write(campaign->folder.path, path, note, sizeof note - 1, NULL) != ITR_OK) {
            fprintf(stderr, "initrace: cannot write %s\n", path);
        }
    }
    uv_fs_req_cleanup(&request);
}

/* Counts a core file, and removes the oldest ones until all have room. */
static void rotate_cores(const struct keeping *keeping, const json_t *evidence) {
    struct itr_campaign *campaign = keeping->campaign;
    uint64_t bytes = (uint64_t)json_integer_value(json_object_get(json_object_get(evidence, "core"), "bytes"));
    if (bytes == 0) {
        return;
    }
    uv_mutex_lock(&campaign->lock);
    itr_campaign_forget_core(campaign, keeping->trial);
    while (campaign->core_count > 0 && (campaign->core_count == ITR_CAMPAIGN_CORES_MAX ||
                                        campaign->core_bytes + bytes > campaign->options->evidence_total_bytes)) {
        remove_core(campaign, campaign->cores[0].trial);
        campaign->core_bytes -= campaign->cores[0].bytes;
        campaign->core_count--;
        memmove(campaign->cores, campaign->cores + 1, campaign->core_count * sizeof campaign->cores[0]);
    }
    campaign->cores[campaign->core_count++] = (struct itr_campaign_core){.trial = keeping->trial, .bytes = bytes};
    campaign->core_bytes += bytes;
    uv_mutex_unlock(&campaign->lock);
}

static void write_summary(const struct keeping *keeping, const json_t *evidence, const char *headline, struct itr_error *err) {
    char name[96];
    struct itr_text text = {.ceiling = 64 * 1024};
    const json_t *trial = json_object_get(evidence, "trial");
    const json_t *end = json_object_get(trial, "exit");
    const char *signal = json_string_value(json_object_get(end, "signal"));
    const char *code = json_string_value(json_object_get(end, "code"));
    bool in_place = json_is_false(json_object_get(evidence, "debugged"));
    itr_text_printf(&text, "failure: %s\n", keeping->signature);
    if (headline[0] != '\0') {
        itr_text_printf(&text, "first:   %s\n", headline);
    }
    if (!in_place) {
        itr_text_printf(&text, "end:     %s%s%s\n", signal != NULL ? "by " : "exit code ",
                        signal != NULL ? signal : code != NULL ? code : "?",
                        json_is_true(json_object_get(end, "by_runner")) ? ", ended by the runner" : "");
    }
    itr_text_printf(&text, "taken:   %s%s\n",
                    in_place ? "from the trial itself, before it was ended" : "from the same shot again, under a debugger; ",
                    in_place                                                  ? ""
                    : json_is_true(json_object_get(evidence, "same_failure")) ? "the same failure showed"
                                                                              : "the failure did NOT show again");
    const char *hang = json_string_value(json_object_get(json_object_get(evidence, "stacks"), "hang"));
    if (hang != NULL && hang[0] != '\0') {
        itr_text_printf(&text, "waits:   %s\n", hang);
    }
    const json_t *dispositions = json_object_get(evidence, "dispositions");
    if (json_array_size(json_object_get(dispositions, "changed")) > 0) {
        itr_text_add(&text, "\nsignals that changed hands:\n");
        itr_dispositions_describe(dispositions, &text);
    }
    snprintf(name, sizeof name, "%s/summary.txt", keeping->name);
    if (itr_folder_write(keeping->campaign->folder.path, name, itr_text_string(&text), text.length, err) != ITR_OK) {
        fprintf(stderr, "initrace: %s\n", err->text);
    }
    itr_text_release(&text);
}

static void write_evidence(const struct keeping *keeping, json_t **evidence) {
    char name[96];
    char headline[600];
    struct itr_error error = {0};
    itr_examine_headline(*evidence, headline, sizeof headline);
    itr_record_put(evidence, "headline", itr_record_string(headline, strlen(headline)));
    write_summary(keeping, *evidence, headline, &error);
    snprintf(name, sizeof name, "%s/evidence.json", keeping->name);
    if (itr_folder_write_json(keeping->campaign->folder.path, name, *evidence, &error) != ITR_OK) {
        fprintf(stderr, "initrace: evidence of trial %" PRIu64 ": %s\n", keeping->trial, error.text);
    }
}

/* ---- firing again ---- */

/* What came after what, and each run of the same with its count. */
static json_t *cascade_to_json(const struct itr_observation *seen, const struct itr_modules *modules, const json_t *found) {
    const struct itrp_debug_report *report = seen->debug;
    char shape[400];
    char place[ITR_LOCATION_MAX];
    json_t *runs = json_array();
    itr_cascade_shape(report, shape, sizeof shape);
    for (uint32_t i = 0; i < report->run_count && i < ITRP_DEBUG_RUNS_MAX; i++) {
        const struct itrp_debug_fault_run *run = &report->runs[i];
        const struct itrp_debug_fault named = {.code = run->code};
        const struct itr_exception at = {.pc = run->pc, .module_base = run->module_base};
        itr_locate_pc(modules, &seen->ledger, &at, true, place, sizeof place);
        if (strcmp(place, "other-module") == 0) {
            (void)itr_describe_found(found, run->pc, place, sizeof place);
        }
        itr_record_append(&runs, json_pack("{s:s, s:o, s:o, s:I, s:I}", "name", itr_fault_name(&named), "pc",
                                           itr_json_hex(run->pc), "location", itr_record_string(place, strlen(place)),
                                           "thread", (json_int_t)run->thread, "count", (json_int_t)run->count));
    }
    return json_pack("{s:s, s:I, s:I, s:o}", "shape", shape, "count", (json_int_t)report->fault_count, "run_count",
                     (json_int_t)report->run_count, "runs", runs);
}

struct again {
    struct itr_slot *slot;
    const char *slot_directory;
    struct itr_setup setup;
    struct itrp_debug_plan debug;
    struct itr_plan plan;
};

/* One more shot; its evidence, complete but for the number of tries, with whether the failure was the same. */
static void fire_again(const struct keeping *keeping, struct again *again, struct itr_trial_evidence *evidence, bool *same) {
    struct itr_work *work = keeping->campaign->parts[keeping->cell].work;
    const struct itr_cell *cell = &keeping->campaign->summary->cells[keeping->cell];
    struct itr_observation seen;
    struct itr_observation bare;
    struct itr_classification result;
    struct itr_classification comparable;
    const struct itrp_snapshot *snapshot =
        itr_slot_run_to_stop(again->slot, &again->setup, &again->plan, uv_hrtime() ^ keeping->trial, &seen);
    while (snapshot != NULL) {
        itr_campaign_examine(keeping->campaign, again->slot_directory, snapshot, evidence);
        snapshot = itr_slot_go_on(again->slot);
    }
    bare = seen;
    bare.debug = cell->debugged ? seen.debug : NULL; /* as it would be called without the debugger */
    itr_classify(&again->plan, &seen, &work->modules, &result);
    itr_classify(&again->plan, &bare, &work->modules, &comparable);
    *same = strcmp(comparable.signature, keeping->signature) == 0;
    if (evidence->json == NULL) {
        return;
    }
    struct itr_record record = {.cell = keeping->cell,
                                .trial = keeping->trial,
                                .seed = keeping->campaign->options->seed,
                                .case_name = cell->case_name,
                                .at = cell->at,
                                .plan = &again->plan,
                                .seen = &seen,
                                .modules = &work->modules,
                                .classification = &result};
    const json_t *modules = json_object_get(evidence->json, "modules");
    itr_record_put(&evidence->json, "trial", itr_record_to_json(&record));
    if (seen.debug != NULL) {
        itr_record_put(&evidence->json, "cascade", cascade_to_json(&seen, &work->modules, modules));
    }
    json_t *dispositions =
        seen.ledger_sound ? itr_dispositions_to_json(&seen.ledger, &work->modules, modules) : NULL;
    if (dispositions != NULL) {
        itr_record_put(&evidence->json, "dispositions", dispositions);
    }
}

static bool is_stopped(struct itr_campaign *campaign) {
    uv_mutex_lock(&campaign->lock);
    bool stop = campaign->stop;
    uv_mutex_unlock(&campaign->lock);
    return stop;
}

static void prepare_again(const struct keeping *keeping, const struct itr_plan *plan, struct again *again) {
    const struct itr_work *work = keeping->campaign->parts[keeping->cell].work;
    again->plan = *plan;
    again->plan.request.flags |= ITR_HOST_RECORD_ACTIONS;
    again->debug = work->debug;
    again->debug.evidence = true;
    again->setup = work->setup;
    again->setup.debug = &again->debug;
    again->setup.evidence = true;
    again->setup.recorded = false;
}

/* Until the failure is the same: the first look is kept until then. */
static json_t *take_again(const struct keeping *keeping, struct again *again, int *tries) {
    json_t *kept = NULL;
    bool same = false;
    uint64_t begin_ns = uv_hrtime();
    for (*tries = 1; !same; (*tries)++) {
        struct itr_trial_evidence evidence = {0};
        fire_again(keeping, again, &evidence, &same);
        if (evidence.json != NULL && (same || kept == NULL) && move_files(keeping, &evidence)) {
            json_decref(kept);
            kept = evidence.json;
            evidence.json = NULL;
            itr_record_put(&kept, "same_failure", json_boolean(same));
        }
        itr_campaign_drop_evidence(&evidence);
        if (same || *tries == TRIES_MAX || uv_hrtime() - begin_ns > TRYING_NS || is_stopped(keeping->campaign)) {
            break;
        }
    }
    return kept;
}

/* ---- both ---- */

static bool can_fire_again(struct itr_campaign *campaign, const struct itr_work *work) {
    return !is_stopped(campaign) && !work->setup.recorded && itrp_capabilities()->snapshots && itrp_can_debug(NULL, 0);
}

void itr_campaign_keep_evidence(struct itr_campaign *campaign, struct itr_slot *slot, const char *slot_directory,
                                size_t cell, uint64_t trial, const struct itr_plan *plan, const char *signature,
                                struct itr_trial_evidence *evidence) {
    struct keeping keeping = {.campaign = campaign, .cell = cell, .trial = trial, .signature = signature};
    json_t *kept = NULL;
    int tries = 0;
    snprintf(keeping.name, sizeof keeping.name, "failures/%" PRIu64 "/evidence", trial);
    snprintf(keeping.path, sizeof keeping.path, "%s/%s", campaign->folder.path, keeping.name);
    if (evidence->json != NULL && move_files(&keeping, evidence)) {
        kept = evidence->json;
        evidence->json = NULL;
        itr_record_put(&kept, "taken", json_string("in-place"));
        itr_record_put(&kept, "debugged", json_false());
    } else if (can_fire_again(campaign, campaign->parts[cell].work)) {
        struct again *again = calloc(1, sizeof *again);
        if (again != NULL) {
            again->slot = slot;
            again->slot_directory = slot_directory;
            prepare_again(&keeping, plan, again);
            kept = take_again(&keeping, again, &tries);
            free(again);
        }
        itr_record_put(&kept, "taken", json_string("fired-again"));
        itr_record_put(&kept, "debugged", json_true());
        itr_record_put(&kept, "tries", json_integer(tries));
    }
    if (kept != NULL) {
        itr_record_put(&kept, "cell", json_integer((json_int_t)cell));
        itr_record_put(&kept, "failure", itr_record_string(signature, strlen(signature)));
        write_evidence(&keeping, &kept);
        rotate_cores(&keeping, kept);
    }
    json_decref(kept);
}
