/* initrace bisect: at which of an ordered list of arms does the failure rate change? From the command line to a bisection
 * (bisection.h) in a campaign, and its report. One arm alone, for other bisections, is command_bisect_step.c's. */
#include "framework/commands.h"

#include "framework/bisection.h"
#include "framework/folder.h"
#include "framework/report_bisect.h"
#include "framework/run_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTROL_COUNT = 15, BUDGET = 10000 };

static enum itr_status read_change(const char *word, enum itr_bisect_change *change, struct itr_error *err) {
    bool known = word == NULL || strcmp(word, "either") == 0 || strcmp(word, "rise") == 0 || strcmp(word, "drop") == 0;
    *change = word == NULL || strcmp(word, "either") == 0 ? ITR_BISECT_EITHER
              : strcmp(word, "rise") == 0                 ? ITR_BISECT_UP
                                                          : ITR_BISECT_DOWN;
    return known ? ITR_OK : itr_fail(err, ITR_E_USAGE, 0, "--change %s: expected rise, drop or either", word);
}

/* What cannot be is said before anything is built or run. */
static enum itr_status choose_options(struct itr_bisection *b, struct itr_error *err) {
    const struct itr_options *options = b->options;
    enum itr_status status = itr_run_check(options, err);
    if (status == ITR_OK) {
        status = read_change(options->change, &b->rules.change, err);
    }
    if (status == ITR_OK && options->sure != 0 && !(options->sure > 0.5 && options->sure < 1)) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--sure %g: expected a chance between 0.5 and 1", options->sure);
    }
    if (status == ITR_OK && options->budget > UINT32_MAX) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--budget: up to 4294967295");
    }
    if (status == ITR_OK && (options->rate_old != 0 || options->rate_new != 0 || options->match_lines)) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--old-rate, --new-rate and --match-lines go with --step, which judges one arm");
    }
    b->rules.sure = options->sure != 0 ? options->sure : 0.99;
    b->rules.trials_max = options->budget != 0 ? options->budget : BUDGET;
    b->signature = options->signature != NULL ? options->signature : "*";
    b->control_count = options->control_count > 0 ? options->control_count : CONTROL_COUNT;
    return status;
}

/* The cells and the seed of the folder: trials of arms that are asked for again count. */
static enum itr_status read_resumed(struct itr_bisection *b, struct itr_cells *cells, struct itr_campaign_options *campaign,
                                    struct itr_error *err) {
    json_t *json = NULL;
    const char *output = b->options->output;
    if (output == NULL) {
        return itr_fail(err, ITR_E_USAGE, 0, "--resume goes with --output DIR and the same case and arms as before");
    }
    enum itr_status status = itr_folder_read_campaign(output, &json, err);
    if (status != ITR_OK) {
        return status;
    }
    const json_t *list = json_object_get(json, "cells");
    cells->items = calloc(json_array_size(list) + 1, sizeof *cells->items);
    if (cells->items == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory resuming");
    } else if (!itr_json_from_hex(json_object_get(json, "seed"), &campaign->seed)) {
        status = itr_fail(err, ITR_E_FORMAT, 0, "%s: campaign.json has no seed", output);
    }
    for (size_t i = 0; status == ITR_OK && i < json_array_size(list); i++) {
        status = itr_cell_from_json(json_array_get(list, i), &cells->items[i], err);
        cells->count++;
    }
    json_decref(json);
    b->seed = campaign->seed;
    campaign->resume = true;
    return status;
}

static int show(const struct itr_bisection *b) {
    struct itr_text text = {.ceiling = 16u << 20};
    int code = itr_bisection_exit_code(b);
    uint64_t tool_errors = 0;
    (void)itr_bisection_trials(b, &tool_errors);
    if (tool_errors > 0) {
        fprintf(stderr, "initrace: the tool failed in %" PRIu64 " trials, which were repeated: see \"tool_error\" in trials.jsonl\n",
                tool_errors);
        code = code == ITR_EXIT_INCONCLUSIVE ? ITR_EXIT_TOOL : code;
    }
    if (b->options->json) {
        json_t *json = itr_bisection_to_json(b);
        if (json != NULL) {
            (void)json_object_set_new(json, "exit_code", json_integer(code));
        }
        return itr_print_json(json, code);
    }
    if (b->options->markdown) {
        itr_report_bisect_markdown(&text, b);
    } else {
        itr_report_bisect(&text, b);
    }
    fputs(itr_text_string(&text), stdout);
    itr_text_release(&text);
    return code;
}

static int run(struct itr_bisection *b, const struct itr_campaign_options *campaign, const struct itr_cells *cells) {
    struct itr_error error = {0};
    struct itr_error why = {0};
    enum itr_status status =
        itr_campaign_open(&b->campaign, campaign, b->layout, cells->items, cells->count, &b->summary, &error);
    if (status != ITR_OK) {
        return itr_complain(&error);
    }
    status = itr_bisection_search(b, &error);
    if (itr_campaign_close(b->campaign, &why) != ITR_OK && status == ITR_OK) {
        error = why;
        status = why.status;
    }
    int code = status == ITR_OK ? show(b) : itr_complain(&error);
    itr_summary_release(&b->summary);
    return code;
}

int itr_command_bisect(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv) {
    struct itr_bisection b = {.options = options, .layout = layout};
    struct itr_campaign_options campaign;
    struct itr_cells cells = {0};
    struct itr_error error = {0};
    size_t first = 0;
    size_t last = 0;
    char output[256];
    int code = ITR_EXIT_EXPECTED;
    if (options->step) {
        return itr_command_bisect_step(options, layout, argc, argv);
    }
    itr_run_campaign_options(options, argc, argv, &campaign);
    campaign.in_rounds = true;
    b.jobs = campaign.jobs;
    b.seed = campaign.seed;
    enum itr_status status = choose_options(&b, &error);
    if (status == ITR_OK) {
        status = itr_bisection_read(&b, &error);
    }
    if (status == ITR_OK && b.arm_count < 2) {
        status = itr_fail(&error, ITR_E_USAGE, 0, "a bisection needs two arms or more; one alone is judged with --step");
    }
    if (status == ITR_OK && options->resume) {
        status = read_resumed(&b, &cells, &campaign, &error);
    }
    if (status == ITR_OK) {
        status = itr_bisection_provide_ends(&b, &first, &last, &error);
    }
    bool any = status == ITR_OK && first != last;
    if (any) {
        status = itr_bisection_choose_point(&b, first, last, &error);
    }
    if (status != ITR_OK) {
        code = itr_complain(&error);
    } else if (!any) {
        b.state = ITR_BISECTION_TOO_FEW; /* nothing is run, and no folder made */
        code = show(&b);
    } else {
        snprintf(output, sizeof output, "initrace-bisect-%.100s-%" PRIx64, b.c.name, campaign.seed);
        campaign.output = options->output != NULL ? options->output : output;
        code = run(&b, &campaign, &cells);
    }
    itr_bisection_release(&b);
    free(cells.items);
    return code;
}
