/* initrace replay: the same shot again, from a campaign's folder and a trial's number. */
#include "framework/commands.h"

#include "framework/folder.h"
#include "framework/golib.h"
#include "framework/hold.h"
#include "framework/match.h"
#include "framework/record_parts.h"
#include "framework/run_options.h"
#include "framework/work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct replay {
    struct itr_cell cell;
    uint64_t trial;
    uint64_t seed;
    uint64_t planned_ns;
    bool has_rva; /* a sweep's: the instruction of that trial */
    uint64_t rva;
    struct itr_row then; /* what the record says */
    char then_signature[ITR_SIGNATURE_MAX];
};

static enum itr_status find_trial(const char *folder, uint64_t wanted, json_t **found, struct itr_error *err) {
    struct itr_trials trials;
    json_t *json = NULL;
    enum itr_status status = itr_trials_open(&trials, folder, err);
    *found = NULL;
    while (status == ITR_OK && *found == NULL && (status = itr_trials_next(&trials, &json, err)) == ITR_OK &&
           json != NULL) {
        if ((uint64_t)json_integer_value(json_object_get(json, "trial")) == wanted) {
            *found = json;
        } else {
            json_decref(json);
        }
    }
    itr_trials_close(&trials);
    if (status == ITR_OK && *found == NULL) {
        status = itr_fail(err, ITR_E_NOT_FOUND, 0, "%s has no trial %" PRIu64, folder, wanted);
    }
    return status;
}

static enum itr_status read_replay(const struct itr_options *options, struct replay *replay, struct itr_error *err) {
    json_t *campaign = NULL;
    json_t *trial = NULL;
    uint64_t cell = 0;
    char *end = NULL;
    if (options->words.count != 2) {
        return itr_fail(err, ITR_E_USAGE, 0, "initrace replay DIR TRIAL: expected a campaign's folder and a trial's number");
    }
    const char *folder = options->words.items[0];
    const char *number = options->words.items[1];
    replay->trial = strtoull(number, &end, 10);
    if (*number < '0' || *number > '9' || *end != '\0') {
        return itr_fail(err, ITR_E_USAGE, 0, "\"%s\": expected a trial's number", number);
    }
    enum itr_status status = itr_folder_read_campaign(folder, &campaign, err);
    if (status == ITR_OK) {
        status = find_trial(folder, replay->trial, &trial, err);
    }
    if (status == ITR_OK) {
        status = itr_record_read(trial, &cell, &replay->then, err);
    }
    if (status == ITR_OK) {
        status = itr_record_read_plan(trial, &replay->planned_ns, &replay->seed, err);
        replay->has_rva = itr_record_read_point(trial, &replay->rva);
    }
    if (status == ITR_OK) {
        snprintf(replay->then_signature, sizeof replay->then_signature, "%s", replay->then.signature);
        replay->then.signature = replay->then_signature;
        status = itr_cell_from_json(json_array_get(json_object_get(campaign, "cells"), cell), &replay->cell, err);
    }
    json_decref(trial);
    json_decref(campaign);
    return status;
}

/* The libraries of the trial: there, or made again by the options that made them. They never take the place of others. */
static enum itr_status find_libraries(struct itr_options *options, const struct replay *replay, const struct itr_layout *layout,
                                      struct itr_error *err) {
    char arm[ITR_ARM_LABEL_MAX];
    const char *wanted = replay->cell.go;
    if (wanted[0] == '\0') {
        return ITR_OK;
    }
    bool asked = options->go.count > 0;
    enum itr_status status = itr_run_provide_go(options, layout, arm, err);
    bool made = !asked && options->go.count == 0; /* nothing was asked for */
    for (size_t i = 0; i < options->go.count && status == ITR_OK; i++) {
        made = made || itr_go_means(options->go.items[i], wanted);
    }
    if (status == ITR_OK && !made) {
        status = itr_fail(err, ITR_E_USAGE, 0, "the trial's libraries are %s; these options give %s%s", wanted, options->go.items[0],
                          options->go.count > 1 ? " and others" : "");
    }
    return status == ITR_OK ? itr_golib_use(layout, wanted, err) : status;
}

static enum itr_status check_library(const struct replay *replay, const struct itr_work *work, struct itr_error *err) {
    if (strcmp(work->library_hash, replay->cell.library_hash) != 0) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "%s is not the library of that trial (hash %s, recorded %s)",
                        work->library, work->library_hash, replay->cell.library_hash);
    }
    if (strcmp(replay->cell.system, itrp_system_name()) != 0) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "the trial was run on %s, this is %s", replay->cell.system,
                        itrp_system_name());
    }
    return ITR_OK;
}

/* The shot as it was planned then. */
static void make_plan(const struct replay *replay, const struct itr_work *work, struct itr_plan *plan) {
    itr_plan_make(plan, &work->request, &replay->cell.aim, replay->cell.case_name, replay->seed, replay->trial);
    if (plan->request.shot_count > 0) {
        plan->request.shots[0].offset_ns = replay->planned_ns;
    }
    if (replay->has_rva) {
        plan->point.rva = replay->rva;
        plan->request.shots[0].rva = replay->cell.aim.gate ? replay->rva : 0;
    }
}

/* A trial that was recorded is recorded again: what rr makes of the scheduling is a part of it. Its kept trace shows the
 * failure itself. */
static enum itr_status check_recorder(const struct itr_options *options, const struct replay *replay,
                                      struct itr_error *err) {
    char path[1200];
    char why[256] = "";
    snprintf(path, sizeof path, "%s/failures/%" PRIu64 "/rr", options->words.items[0], replay->trial);
    bool kept = itr_path_exists(path);
    if (replay->cell.record[0] == '\0') {
        return ITR_OK;
    }
    if (!itrp_can_record(why, sizeof why)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "the trial was recorded with %s, which cannot be done here: %s%s%s",
                        replay->cell.record, why, kept ? "; its trace is " : "", kept ? path : "");
    }
    if (kept && !options->json) {
        printf("its trace: %s replay \"%s\"\n", replay->cell.record, path);
    }
    return ITR_OK;
}

struct counts {
    uint64_t same;
    uint64_t failed;
    uint64_t trials;
};

static json_t *run_again(const struct replay *replay, struct itr_work *work, struct itr_slot *slot, uint64_t count,
                         bool print, struct counts *counts) {
    json_t *list = json_array();
    for (uint64_t i = 0; i < count; i++) {
        struct itr_plan plan;
        struct itr_observation seen;
        struct itr_classification result;
        struct itr_record record = {.trial = replay->trial,
                                    .seed = replay->seed,
                                    .case_name = replay->cell.case_name,
                                    .at = replay->cell.at,
                                    .recorder = replay->cell.record,
                                    .plan = &plan,
                                    .seen = &seen,
                                    .modules = &work->modules,
                                    .classification = &result};
        make_plan(replay, work, &plan);
        itr_slot_run(slot, &work->setup, &plan, uv_hrtime(), &seen);
        itr_classify(&plan, &seen, &work->modules, &result);
        counts->trials++;
        counts->same += result.outcome == replay->then.outcome &&
                                strcmp(result.signature, replay->then.signature) == 0
                            ? 1
                            : 0;
        counts->failed += result.outcome != replay->cell.expect ? 1 : 0;
        if (print) {
            printf("%s%s%s%s%s\n", itr_outcome_name((uint32_t)result.outcome), result.signature[0] ? ": " : "",
                   result.signature, result.detail[0] ? ": " : "", result.detail);
        }
        if (json_array_size(list) < 1000) {
            itr_record_append(&list, itr_record_to_json(&record));
        }
    }
    return list;
}

/* ---- --debug ---- */

static enum itr_status check_debug(const struct itr_options *options, const struct replay *replay, struct itr_error *err) {
    enum itr_point_kind kind = replay->cell.aim.point.kind;
    char why[256] = "";
    if (options->debug == NULL) {
        return options->no_gdb ? itr_fail(err, ITR_E_USAGE, 0, "--no-gdb goes with --debug") : ITR_OK;
    }
    if (options->has_count && options->count != 1) {
        return itr_fail(err, ITR_E_USAGE, 0, "--debug and --count do not go together: one host is held");
    }
    if (kind != ITR_POINT_SYMBOL && kind != ITR_POINT_SWEEP) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "--debug needs a trial at an exact point, this one was fired at %s: run --at SYMBOL or --sweep makes such",
                        replay->cell.at);
    }
    if (!itrp_can_debug(why, sizeof why)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "--debug cannot be done here: %s", why);
    }
    return ITR_OK;
}

/* Only a debugger leaves a host standing: it takes the place of the gate that fired the trial. */
static void debug_instead_of_gate(struct itr_cell *cell) {
    cell->debugged = true;
    cell->aim.gate = false;
}

/* The trial did not come as far as its point. */
static int show_missed(const struct itr_plan *plan, const struct itr_observation *seen, const struct itr_work *work) {
    struct itr_classification result;
    itr_classify(plan, seen, &work->modules, &result);
    fprintf(stderr, "initrace: no host is held: the trial ended before its point (%s%s%s%s%s)\n",
            itr_outcome_name((uint32_t)result.outcome), result.signature[0] ? ": " : "", result.signature,
            result.detail[0] ? ": " : "", result.detail);
    return result.outcome == ITR_OUTCOME_TOOL_ERROR ? ITR_EXIT_TOOL : ITR_EXIT_INCONCLUSIVE;
}

static enum itr_status let_look(const struct itr_options *options, const struct itr_hold *hold, struct itr_error *err) {
    char text[300];
    bool terminal = uv_guess_handle(0) == UV_TTY && uv_guess_handle(1) == UV_TTY && !options->json && !options->no_gdb;
    if (terminal && itrp_can_attach_gdb(text, sizeof text)) {
        return itr_hold_open_gdb(hold, err);
    }
    fprintf(stderr, "initrace: the host is held until Enter, the end of standard input or Ctrl-C%s%s\n",
            terminal ? "; no gdb: " : "", terminal ? text : "");
    return itr_hold_wait(hold, err);
}

static int hold_host(const struct itr_options *options, const struct replay *replay, struct itr_work *work,
                     struct itr_slot *slot) {
    struct itr_plan plan;
    struct itr_observation seen;
    struct itr_held held;
    struct itr_error error = {0};
    bool before = strcmp(options->debug, "before") == 0;
    make_plan(replay, work, &plan);
    work->debug.pause = before ? ITRP_DEBUG_PAUSE_BEFORE : ITRP_DEBUG_PAUSE_AFTER;
    if (!itr_slot_hold(slot, &work->setup, &plan, uv_hrtime(), &seen, &held)) {
        return show_missed(&plan, &seen, work);
    }
    struct itr_hold hold = {.slot = slot,
                            .plan = &plan,
                            .held = &held,
                            .modules = &work->modules,
                            .at = replay->cell.at,
                            .sent = !before && plan.request.shot_count > 0};
    int code = ITR_EXIT_EXPECTED;
    if (options->json) {
        code = itr_print_json(json_pack("{s:i, s:I, s:o}", "format", 1, "trial", (json_int_t)replay->trial, "held",
                                        itr_hold_to_json(&hold)), code);
    } else {
        struct itr_text text = {.ceiling = 64 * 1024};
        itr_hold_describe(&hold, &text);
        fputs(itr_text_string(&text), stdout);
        fflush(stdout);
        itr_text_release(&text);
    }
    if (let_look(options, &hold, &error) != ITR_OK) {
        code = itr_complain(&error);
    }
    itr_slot_release(slot);
    return code;
}

static enum itr_status work_folder(char *path, size_t room, struct itr_error *err) {
    char temporary[900];
    size_t length = sizeof temporary;
    uv_fs_t request;
    if (uv_os_tmpdir(temporary, &length) != 0) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "this system names no folder for temporary files");
    }
    snprintf(path, room, "%s/initrace-XXXXXX", temporary);
    int result = uv_fs_mkdtemp(NULL, &request, path, NULL);
    if (result == 0) {
        snprintf(path, room, "%s", request.path);
    }
    uv_fs_req_cleanup(&request);
    return result == 0 ? ITR_OK : itr_fail(err, ITR_E_SYSTEM, result, "cannot make a folder in %s: %s", temporary,
                                           uv_strerror(result));
}

static int show(const struct itr_options *options, const struct replay *replay, json_t *trials,
                const struct counts *counts) {
    int code = counts->failed > 0 ? ITR_EXIT_FINDING : ITR_EXIT_EXPECTED;
    if (options->json) {
        return itr_print_json(json_pack("{s:i, s:I, s:s, s:s, s:I, s:I, s:I, s:o}", "format", 1, "trial",
                                        (json_int_t)replay->trial, "recorded_outcome",
                                        itr_outcome_name((uint32_t)replay->then.outcome), "recorded_signature",
                                        replay->then.signature, "trials", (json_int_t)counts->trials, "same",
                                        (json_int_t)counts->same, "not_as_expected", (json_int_t)counts->failed,
                                        "replayed", trials),
                              code);
    }
    char signature[2 * ITR_SIGNATURE_MAX]; /* from a file that anybody may have written */
    itr_escape_into(signature, sizeof signature, ITR_ESCAPE_TERMINAL, replay->then.signature, strlen(replay->then.signature));
    json_decref(trials);
    printf("recorded: %s%s%s; the same again in %" PRIu64 " of %" PRIu64 "\n",
           itr_outcome_name((uint32_t)replay->then.outcome), signature[0] ? ": " : "", signature, counts->same,
           counts->trials);
    return code;
}

int itr_command_replay(struct itr_options *options, const struct itr_layout *layout) {
    struct replay replay = {0};
    struct itr_work work = {0};
    struct itr_slot *slot = NULL;
    struct itr_error error = {0};
    struct counts counts = {0};
    char folder[1024] = "";
    enum itr_status status = read_replay(options, &replay, &error);
    if (status == ITR_OK) {
        status = check_debug(options, &replay, &error);
    }
    if (status == ITR_OK && options->debug != NULL && replay.cell.aim.gate) {
        debug_instead_of_gate(&replay.cell);
    }
    if (status == ITR_OK) {
        status = check_recorder(options, &replay, &error);
    }
    if (status == ITR_OK) {
        status = find_libraries(options, &replay, layout, &error);
    }
    if (status == ITR_OK) {
        status = itr_work_open(&work, &replay.cell, layout, NULL, &error);
    }
    if (status == ITR_OK) {
        status = check_library(&replay, &work, &error);
    }
    if (status == ITR_OK) {
        status = itr_work_resolve(&work, &replay.cell, &error);
    }
    if (status == ITR_OK) {
        status = work_folder(folder, sizeof folder, &error);
    }
    if (status == ITR_OK) {
        status = itr_slot_open(&slot, folder, &error);
    }
    int code = ITR_EXIT_EXPECTED;
    if (status == ITR_OK && options->debug != NULL) {
        code = hold_host(options, &replay, &work, slot);
    } else if (status == ITR_OK) {
        json_t *trials = run_again(&replay, &work, slot, options->has_count ? options->count : 1, !options->json, &counts);
        code = show(options, &replay, trials, &counts);
    } else {
        code = itr_complain(&error);
    }
    itr_slot_close(slot);
    itr_work_close(&work);
    if (folder[0] != '\0') {
        itr_folder_remove(folder);
    }
    return code;
}
