/* initrace compare: is a changed runtime fixed? From arms and cases to a campaign in rounds, and its verdicts. What is run next
 * and what it means is compare.h's. */
#include "framework/commands.h"

#include "framework/arm.h"
#include "framework/compare_cells.h"
#include "framework/folder.h"
#include "framework/golib.h"
#include "framework/report_compare.h"
#include "framework/run_options.h"
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct comparing {
    struct itr_options *options;
    const struct itr_layout *layout;
    size_t arm_count;
    struct itr_arm_spec specs[ITR_COMPARE_ARMS_MAX];
    char go[ITR_COMPARE_ARMS_MAX][ITR_GOLIB_NAME_MAX]; /* the libraries' folder; "": a library of its own */
    char *libraries[ITR_COMPARE_ARMS_MAX];
    struct itr_compare_arm arms[ITR_COMPARE_ARMS_MAX];
    struct itr_cells cells;
    struct itr_compare compare;
    struct itr_campaign *campaign;
    struct itr_summary summary;
    struct itr_campaign_rounds *parts;
};

/* ---- arms ---- */

/* An arm is one Go: its own, or else that of the baseline. */
static enum itr_status find_root(const struct comparing *comparing, size_t arm, char **root, struct itr_error *err) {
    const struct itr_arm_spec *spec = &comparing->specs[arm];
    const char *wanted = spec->go != NULL ? spec->go : comparing->specs[0].go;
    struct itr_strings roots = {0};
    enum itr_status status = itr_golib_roots(comparing->layout, wanted, &roots, err);
    if (status == ITR_OK && roots.count != 1) {
        status = itr_fail(err, ITR_E_USAGE, 0, "%s: an arm is one Go, and %s%s means %zu: say which, as in --baseline 1.26", spec->label,
                          wanted != NULL ? wanted : "none", wanted != NULL ? "" : " named", roots.count);
    }
    if (status == ITR_OK) {
        *root = roots.items[0];
        roots.items[0] = NULL;
    }
    itr_layout_release(&roots);
    return status;
}

/* Makes sure that an arm's libraries are there. */
static enum itr_status provide(struct comparing *comparing, size_t arm, struct itr_error *err) {
    const struct itr_arm_spec *spec = &comparing->specs[arm];
    struct itr_golib golib;
    char *root = NULL;
    if (spec->library != NULL) {
        return itr_path_real_copy(spec->library, &comparing->libraries[arm], err);
    }
    enum itr_status status = find_root(comparing, arm, &root, err);
    if (status == ITR_OK) {
        struct itr_golib_request request = {.root = root, .arm = spec};
        status = itr_golib_provide(comparing->layout, &request, &golib, err);
    }
    if (status == ITR_OK) {
        snprintf(comparing->go[arm], sizeof comparing->go[arm], "%s", golib.name);
    }
    free(root);
    return status;
}

static enum itr_status read_arm(struct comparing *comparing, const char *option, const char *text, struct itr_error *err) {
    size_t arm = comparing->arm_count;
    struct itr_arm_spec *spec = &comparing->specs[arm];
    enum itr_status status = itr_arm_parse(option, text, spec, err);
    if (status != ITR_OK) {
        return status;
    }
    comparing->arm_count++; /* from here on it is released */
    for (size_t i = 0; i < arm; i++) {
        if (strcmp(comparing->specs[i].label, spec->label) == 0) {
            return itr_fail(err, ITR_E_USAGE, 0, "%s %s: another arm is called \"%s\" too: give it a name with ,name=LABEL", option,
                            text, spec->label);
        }
    }
    memcpy(comparing->compare.labels[arm], spec->label, sizeof spec->label);
    status = provide(comparing, arm, err);
    comparing->arms[arm] = (struct itr_compare_arm){.name = spec->label,
                                                    .label = itr_arm_is_plain(spec) ? NULL : spec->label,
                                                    .go = comparing->go[arm][0] != '\0' ? comparing->go[arm] : NULL,
                                                    .library = comparing->libraries[arm],
                                                    .environment = &spec->environment};
    return status;
}

static enum itr_status read_arms(struct comparing *comparing, struct itr_error *err) {
    const struct itr_options *options = comparing->options;
    if (options->baseline == NULL || options->candidates.count == 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "a comparison needs --baseline ARM and --candidate ARM");
    }
    if (options->candidates.count > ITR_ROUNDS_CANDIDATES_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "--candidate: up to %d at a time", (int)ITR_ROUNDS_CANDIDATES_MAX);
    }
    enum itr_status status = read_arm(comparing, "--baseline", options->baseline, err);
    for (size_t i = 0; i < options->candidates.count && status == ITR_OK; i++) {
        status = read_arm(comparing, "--candidate", options->candidates.items[i], err);
    }
    comparing->compare.candidates = (uint32_t)options->candidates.count;
    return status;
}

/* ---- cells ---- */

static bool is_asked_for(const struct itr_options *options, const struct itr_case *c) {
    for (size_t i = 0; i < options->words.count; i++) {
        const char *word = options->words.items[i];
        const char *slash = strpbrk(word, "/\\") != NULL ? word + strlen(word) : NULL;
        while (slash != NULL && slash > word && slash[-1] != '/' && slash[-1] != '\\') {
            slash--;
        }
        if (strcmp(slash != NULL ? slash : word, c->name) == 0) {
            return true;
        }
    }
    return false;
}

/* One of the other cases. What this machine or this build cannot run is left out, and said. */
static enum itr_status add_guard_case(struct comparing *comparing, const char *name, struct itr_error *err) {
    struct itr_case c;
    struct itr_error why = {0};
    char ignored[160];
    enum itr_status status = itr_find_case(comparing->options, comparing->layout, name, &c, err);
    if (status != ITR_OK) {
        return status;
    }
    if (!is_asked_for(comparing->options, &c) && itr_case_runs_here(&c, ignored, sizeof ignored)) {
        status = itr_compare_add_guard(comparing->options, comparing->layout, &c, comparing->arms, comparing->arm_count,
                                       &comparing->cells, &comparing->compare, &why);
    }
    itr_case_release(&c);
    if (status == ITR_E_UNSUPPORTED || status == ITR_E_NOT_FOUND) {
        char clean[2 * sizeof why.text];
        itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, why.text, strlen(why.text));
        fprintf(stderr, "initrace: not in the guard: %s\n", clean);
        return ITR_OK;
    }
    if (status != ITR_OK) {
        *err = why;
    }
    return status;
}

static enum itr_status add_guard(struct comparing *comparing, struct itr_error *err) {
    struct itr_strings names = {0};
    const char *folder = comparing->options->cases != NULL ? comparing->options->cases : comparing->layout->cases;
    enum itr_status status = itr_layout_folders(folder, &names, err);
    for (size_t i = 0; i < names.count && status == ITR_OK; i++) {
        char file[2400];
        snprintf(file, sizeof file, "%s/%s/case.json", folder, names.items[i]);
        if (itr_path_exists(file)) {
            status = add_guard_case(comparing, names.items[i], err);
        }
    }
    itr_layout_release(&names);
    return status;
}

/* Each trial would be the tool's error otherwise. */
static enum itr_status check_debugger(const struct itr_cells *cells, struct itr_error *err) {
    char why[256] = "";
    for (size_t i = 0; i < cells->count; i++) {
        if (cells->items[i].debugged && !itrp_can_debug(why, sizeof why)) {
            return itr_fail(err, ITR_E_UNSUPPORTED, 0, "%s at %s: exact points need a debugger: %s", cells->items[i].case_name,
                            cells->items[i].at, why);
        }
    }
    return ITR_OK;
}

static enum itr_status make_cells(struct comparing *comparing, struct itr_error *err) {
    const struct itr_options *options = comparing->options;
    enum itr_status status = ITR_OK;
    if (options->words.count == 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "a case is missing; initrace list shows them");
    }
    for (size_t i = 0; i < options->words.count && status == ITR_OK; i++) {
        struct itr_case c;
        status = itr_find_case(options, comparing->layout, options->words.items[i], &c, err);
        if (status == ITR_OK) {
            status = itr_compare_add_case(options, comparing->layout, &c, comparing->arms, comparing->arm_count, &comparing->cells,
                                          &comparing->compare, err);
            itr_case_release(&c);
        }
    }
    if (status == ITR_OK && !options->no_guard) {
        status = add_guard(comparing, err);
    }
    itr_compare_sort(&comparing->compare);
    return status == ITR_OK ? check_debugger(&comparing->cells, err) : status;
}

/* ---- going on with one that was cut short ---- */

/* What decides, with the cells, which trials are taken and what they are called: another plan would give a trial's number to
 * another trial. The keys are the options' names. */
static json_t *plan_of(const struct itr_compare_options *options) {
    const struct itr_comparison_design *test = &options->test;
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "alpha", test->alpha, "beta", test->beta, "factor", test->factor,
                     "p0", test->rate_0, "p1", test->rate_1, "baselines", (json_int_t)test->baselines, "budget",
                     (json_int_t)test->rounds_max, "control-count", (json_int_t)options->control_count, "guard-count",
                     (json_int_t)options->guard_count);
}

static enum itr_status check_plan(const json_t *then, const json_t *now, const char *output, struct itr_error *err) {
    const char *key = NULL;
    json_t *value = NULL;
    json_object_foreach((json_t *)now, key, value) {
        const json_t *before = json_object_get(then, key);
        if (!json_is_number(before)) {
            return itr_fail(err, ITR_E_FORMAT, 0, "%s: campaign.json has no \"plan\" with \"%s\": no comparison, or of another initrace", output,
                            key);
        }
        if (json_number_value(before) != json_number_value(value)) {
            return itr_fail(err, ITR_E_USAGE, 0, "--resume goes with the same options as before: --%s was %g in %s, and is %g now (0: not given)",
                            key, json_number_value(before), output, json_number_value(value));
        }
    }
    return ITR_OK;
}

/* The cells as they were measured then; they must be those of this command line. */
static enum itr_status read_resumed(struct comparing *comparing, struct itr_campaign_options *campaign, struct itr_error *err) {
    json_t *json = NULL;
    const char *output = comparing->options->output;
    if (output == NULL) {
        return itr_fail(err, ITR_E_USAGE, 0, "--resume goes with --output DIR and the same arms and options as before");
    }
    enum itr_status status = itr_folder_read_campaign(output, &json, err);
    if (status != ITR_OK) {
        return status;
    }
    const json_t *list = json_object_get(json, "cells");
    bool same = json_array_size(list) == comparing->cells.count &&
                itr_json_from_hex(json_object_get(json, "seed"), &campaign->seed);
    for (size_t i = 0; same && i < comparing->cells.count && status == ITR_OK; i++) {
        struct itr_cell cell;
        status = itr_cell_from_json(json_array_get(list, i), &cell, err);
        same = status == ITR_OK && itr_cell_is_same(&cell, &comparing->cells.items[i]);
        if (same) {
            comparing->cells.items[i] = cell;
        }
    }
    if (status == ITR_OK && !same) {
        status = itr_fail(err, ITR_E_USAGE, 0, "%s is another comparison: --resume goes with the same cases, arms and points as before",
                          output);
    }
    if (status == ITR_OK) {
        status = check_plan(json_object_get(json, "plan"), campaign->plan, output, err);
    }
    json_decref(json);
    campaign->resume = true;
    return status;
}

/* ---- the campaign ---- */

static uint64_t count_trials(const struct itr_summary *summary) {
    uint64_t trials = 0;
    for (size_t i = 0; i < summary->count; i++) {
        trials += summary->tallies[i].trials;
    }
    return trials;
}

/* What it may take, by the pace so far. */
static void announce(const struct comparing *comparing, double per_second) {
    uint64_t guard = itr_compare_guard_trials(&comparing->compare);
    fprintf(stderr, "initrace: at most %" PRIu64 " trials: %" PRIu64 " at the points, %" PRIu64 " of other cases",
            comparing->compare.announced, comparing->compare.announced - guard, guard);
    if (per_second > 0) {
        fprintf(stderr, "; at most %.0f s at %.3g trials a second", (double)comparing->compare.announced / per_second, per_second);
    }
    fputs("\n", stderr);
}

static enum itr_status work(struct comparing *comparing, struct itr_error *err) {
    struct itr_compare *compare = &comparing->compare;
    double per_second = 0;
    size_t count = 0;
    enum itr_status status = ITR_OK;
    while (status == ITR_OK && !itr_campaign_is_interrupted(comparing->campaign)) {
        bool announced = compare->announced > 0;
        status = itr_compare_next(compare, &comparing->summary, comparing->parts, &count, err);
        if (status != ITR_OK || count == 0) {
            break;
        }
        if (compare->announced > 0 && !announced) {
            announce(comparing, per_second);
        }
        uint64_t before = count_trials(&comparing->summary);
        uint64_t begin_ns = uv_hrtime();
        status = itr_campaign_work_rounds(comparing->campaign, comparing->parts, count, err);
        double seconds = (double)(uv_hrtime() - begin_ns) / 1e9;
        uint64_t ran = count_trials(&comparing->summary) - before;
        per_second = ran > 0 && seconds > 0 ? (double)ran / seconds : per_second;
    }
    return status == ITR_OK ? itr_compare_judge(compare, &comparing->summary, err) : status;
}

/* Such trials were repeated; a point that only they came to was not missed by the runtime. */
static uint64_t count_tool_errors(const struct itr_summary *summary) {
    uint64_t count = 0;
    for (size_t i = 0; i < summary->count; i++) {
        bool wanted = summary->cells[i].expect == ITR_OUTCOME_TOOL_ERROR;
        count += wanted ? 0 : summary->tallies[i].outcomes[ITR_OUTCOME_TOOL_ERROR];
    }
    return count;
}

static int show(struct comparing *comparing) {
    struct itr_text text = {.ceiling = 16u << 20};
    struct itr_error error = {0};
    int code = itr_compare_exit_code(&comparing->compare);
    uint64_t tool_errors = count_tool_errors(&comparing->summary);
    if (tool_errors > 0) {
        fprintf(stderr, "initrace: the tool failed in %" PRIu64 " trials, which were repeated: see \"tool_error\" in trials.jsonl\n",
                tool_errors);
        code = code == ITR_EXIT_INCONCLUSIVE ? ITR_EXIT_TOOL : code;
    }
    json_t *json = itr_compare_to_json(&comparing->compare, &comparing->summary);
    if (json != NULL && json_object_set_new(json, "exit_code", json_integer(code)) != 0) {
        json_decref(json);
        json = NULL;
    }
    if (json == NULL || itr_folder_write_json(comparing->summary.folder, "compare.json", json, &error) != ITR_OK) {
        if (json == NULL) {
            itr_fail(&error, ITR_E_NO_MEMORY, 0, "out of memory for compare.json");
        }
        code = itr_complain(&error);
    }
    if (comparing->options->json) {
        return itr_print_json(json, code);
    }
    json_decref(json);
    if (comparing->options->markdown) {
        itr_report_compare_markdown(&text, &comparing->compare, &comparing->summary);
    } else {
        itr_report_compare(&text, &comparing->compare, &comparing->summary);
        itr_text_add(&text, "campaign: ");
        itr_text_escape(&text, ITR_ESCAPE_TERMINAL, comparing->summary.folder, strlen(comparing->summary.folder));
        itr_text_printf(&text, " (seed 0x%" PRIx64 "), %" PRIu64 " trials, %.1f s%s\n", comparing->summary.seed,
                        count_trials(&comparing->summary), comparing->summary.elapsed_s,
                        comparing->compare.stage == ITR_COMPARE_STAGE_END ? "" : ": cut short, --resume goes on");
    }
    fputs(itr_text_string(&text), stdout);
    itr_text_release(&text);
    return code;
}

static int run(struct comparing *comparing, const struct itr_campaign_options *campaign) {
    struct itr_error error = {0};
    struct itr_error why = {0};
    enum itr_status status = ITR_OK;
    comparing->parts = calloc(comparing->compare.group_count + 1, sizeof *comparing->parts);
    if (comparing->parts == NULL) {
        status = itr_fail(&error, ITR_E_NO_MEMORY, 0, "out of memory for a comparison");
    }
    if (status == ITR_OK) {
        status = itr_campaign_open(&comparing->campaign, campaign, comparing->layout, comparing->cells.items, comparing->cells.count,
                                   &comparing->summary, &error);
    }
    if (status != ITR_OK) {
        return itr_complain(&error);
    }
    status = work(comparing, &error);
    if (itr_campaign_close(comparing->campaign, &why) != ITR_OK && status == ITR_OK) {
        error = why;
        status = why.status;
    }
    int code = status == ITR_OK ? show(comparing) : itr_complain(&error);
    itr_summary_release(&comparing->summary);
    return code;
}

static void choose_options(struct comparing *comparing, const struct itr_campaign_options *campaign) {
    const struct itr_options *options = comparing->options;
    comparing->compare.options = (struct itr_compare_options){
        .test = {.alpha = options->alpha > 0 ? options->alpha : 0.01,
                 .beta = options->beta > 0 ? options->beta : 0.01,
                 .rate_0 = options->rate_0,
                 .rate_1 = options->rate_1,
                 .factor = options->factor,
                 .baselines = (uint32_t)options->baselines,
                 .rounds_max = options->budget},
        .control_count = options->control_count,
        .guard_count = options->guard_count,
        .jobs = campaign->jobs,
        .seed = campaign->seed};
}

/* What cannot be is said before anything is built or run. */
static enum itr_status check(const struct comparing *comparing, struct itr_error *err) {
    struct itr_comparison settled;
    enum itr_status status = itr_run_check(comparing->options, err);
    if (status == ITR_OK && comparing->options->baselines > ITR_BASELINES_MAX) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--baselines: from 1 to %d", (int)ITR_BASELINES_MAX);
    }
    if (status == ITR_OK) {
        status = itr_comparison_begin(&settled, &comparing->compare.options.test, err);
    }
    if (status == ITR_OK && (comparing->options->budget > UINT32_MAX || comparing->options->guard_count > UINT32_MAX)) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--budget, --guard-count: up to 4294967295");
    }
    return status;
}

int itr_command_compare(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv) {
    struct comparing *comparing = calloc(1, sizeof *comparing);
    struct itr_campaign_options campaign;
    struct itr_error error = {0};
    char output[256];
    if (comparing == NULL) {
        itr_fail(&error, ITR_E_NO_MEMORY, 0, "out of memory");
        return itr_complain(&error);
    }
    comparing->options = options;
    comparing->layout = layout;
    itr_run_campaign_options(options, argc, argv, &campaign);
    campaign.in_rounds = true;
    choose_options(comparing, &campaign);
    json_t *plan = plan_of(&comparing->compare.options);
    campaign.plan = plan;
    enum itr_status status = plan != NULL ? check(comparing, &error) : itr_fail(&error, ITR_E_NO_MEMORY, 0, "out of memory");
    if (status == ITR_OK) {
        status = read_arms(comparing, &error);
    }
    if (status == ITR_OK) {
        status = make_cells(comparing, &error);
    }
    if (status == ITR_OK && options->resume) {
        status = read_resumed(comparing, &campaign, &error);
        comparing->compare.options.seed = campaign.seed;
    }
    int code = ITR_EXIT_EXPECTED;
    if (status == ITR_OK) {
        snprintf(output, sizeof output, "initrace-compare-%.100s-%" PRIx64, comparing->cells.items[0].case_name, campaign.seed);
        campaign.output = options->output != NULL ? options->output : output;
        code = run(comparing, &campaign);
    } else {
        code = itr_complain(&error);
    }
    json_decref(plan);
    itr_compare_release(&comparing->compare);
    for (size_t i = 0; i < comparing->arm_count; i++) {
        itr_arm_release(&comparing->specs[i]);
        free(comparing->libraries[i]);
    }
    free(comparing->parts);
    free(comparing->cells.items);
    free(comparing);
    return code;
}
