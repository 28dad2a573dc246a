/* initrace run: from the command line to a campaign and its result. */
#include "framework/commands.h"

#include "framework/campaign.h"
#include "framework/folder.h"
#include "framework/golib.h"
#include "framework/report.h"
#include "framework/run_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Cells, seed and rest of a campaign that is to go on. */
static enum itr_status read_resumed(const struct itr_options *options, const struct itr_layout *layout,
                                    struct itr_cells *cells, struct itr_campaign_options *campaign, struct itr_error *err) {
    json_t *json = NULL;
    if (options->output == NULL || options->words.count > 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--resume goes with --output DIR alone: the cases come from that folder");
    }
    enum itr_status status = itr_folder_read_campaign(options->output, &json, err);
    if (status != ITR_OK) {
        return status;
    }
    const json_t *list = json_object_get(json, "cells");
    cells->items = calloc(json_array_size(list) + 1, sizeof *cells->items);
    if (cells->items == NULL) {
        json_decref(json);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory reading %s", options->output);
    }
    for (size_t i = 0; i < json_array_size(list) && status == ITR_OK; i++) {
        status = itr_cell_from_json(json_array_get(list, i), &cells->items[i], err);
        cells->count++;
        if (status == ITR_OK && cells->items[i].go[0] != '\0') {
            status = itr_golib_use(layout, cells->items[i].go, err);
        }
    }
    if (status == ITR_OK && json_integer_value(json_object_get(json, "duration_ns")) != 0) {
        status = itr_fail(err, ITR_E_USAGE, 0, "%s ran by --duration: only campaigns with --count can be resumed",
                          options->output);
    }
    if (status == ITR_OK && (cells->count == 0 || !itr_json_from_hex(json_object_get(json, "seed"), &campaign->seed))) {
        status = itr_fail(err, ITR_E_FORMAT, 0, "%s/campaign.json has no cells or no seed", options->output);
    }
    if (status == ITR_OK) {
        status = itr_run_check_recorder(cells->items, cells->count, err);
    }
    campaign->until_fail = json_is_true(json_object_get(json, "until_fail"));
    campaign->resume = true;
    json_decref(json);
    return status;
}

static enum itr_status check(const struct itr_options *options, struct itr_error *err) {
    if (options->duration_ns > 0 && options->has_count) {
        return itr_fail(err, ITR_E_USAGE, 0, "--count and --duration do not go together");
    }
    if (options->only_controls && !options->all_controls && options->controls.count == 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--only-controls needs --controls or --control NAME");
    }
    if (options->sweep != NULL && (options->at.count > 0 || options->duration_ns > 0)) {
        return itr_fail(err, ITR_E_USAGE, 0, "--sweep goes with --count, not with --at or --duration");
    }
    return itr_run_check(options, err);
}

static int show(const struct itr_options *options, const struct itr_summary *summary) {
    int code = itr_summary_exit_code(summary);
    if (options->json) {
        return itr_print_json(itr_summary_to_json(summary), code);
    }
    struct itr_text text = {.ceiling = 64u << 20};
    itr_report_text(&text, summary, itr_use_colour());
    fputs(itr_text_string(&text), stdout);
    itr_text_release(&text);
    return code;
}

int itr_command_run(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv) {
    struct itr_cells cells = {0};
    struct itr_error error = {0};
    struct itr_summary summary = {0};
    char output[256];
    struct itr_campaign_options campaign;
    struct itr_selection selection;
    char arm[ITR_ARM_LABEL_MAX];
    itr_run_campaign_options(options, argc, argv, &campaign);
    enum itr_status status = check(options, &error);
    if (status == ITR_OK) {
        status = itr_run_provide_go(options, layout, arm, &error);
    }
    itr_run_selection(options, &selection);
    selection.arm = arm;
    if (status == ITR_OK && options->resume) {
        status = read_resumed(options, layout, &cells, &campaign, &error);
    } else if (status == ITR_OK) {
        status = itr_run_cells(options, layout, &selection, &cells, &error);
    }
    if (status == ITR_OK) {
        status = itr_run_check_keep(options, cells.items, cells.count, &error);
    }
    int code = ITR_EXIT_EXPECTED;
    if (status == ITR_OK) {
        snprintf(output, sizeof output, "initrace-%.100s-%" PRIx64, cells.items[0].case_name, campaign.seed);
        campaign.output = options->output != NULL ? options->output : output;
        status = itr_campaign_run(&campaign, layout, cells.items, cells.count, &summary, &error);
    }
    if (status == ITR_OK) {
        code = show(options, &summary);
        itr_summary_release(&summary);
    } else {
        code = itr_complain(&error);
    }
    free(cells.items);
    return code;
}
