/* initrace locate: from a failing case to the window it fails in. */
#include "framework/commands.h"

#include "framework/folder.h"
#include "framework/picture.h"
#include "framework/record_parts.h"
#include "framework/report_locate.h"
#include "framework/run_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct locating {
    const struct itr_options *options;
    struct itr_campaign *campaign;
    struct itr_summary summary;
    struct itr_text text;
    json_t *json;
    size_t windows;
    bool conclusive; /* every cell that was not skipped was searched to its end, with shots that landed */
    size_t searched;
};

/* The picture's file in the campaign's folder; "" where it could not be written. */
static void write_picture(const struct locating *locating, const struct itr_located *located, char *path, size_t room) {
    char name[64];
    struct itr_text svg = {.ceiling = ITR_PICTURE_BYTES_MAX};
    struct itr_error error = {0};
    const char *folder = itr_campaign_folder(locating->campaign);
    snprintf(name, sizeof name, "locate-%zu.svg", located->cell);
    itr_located_picture(&svg, located, &locating->summary);
    if (itr_folder_write(folder, name, itr_text_string(&svg), svg.length, &error) == ITR_OK) {
        snprintf(path, room, "%s/%s", folder, name);
    } else {
        (void)itr_complain(&error);
        path[0] = '\0';
    }
    itr_text_release(&svg);
}

static enum itr_status locate_cell(struct locating *locating, size_t cell, struct itr_error *err) {
    struct itr_located located;
    char picture[1200] = "";
    enum itr_status status = itr_locate(&located, locating->campaign, &locating->summary, cell, err);
    if (status == ITR_OK) {
        if (located.sweep != NULL) {
            write_picture(locating, &located, picture, sizeof picture);
            locating->searched++;
            locating->windows += located.windows.count;
            locating->conclusive = locating->conclusive && located.complete && located.windows.trials > 0;
        }
        const char *path = picture[0] != '\0' ? picture : NULL;
        itr_report_located(&locating->text, &located, &locating->summary, path);
        itr_text_add(&locating->text, "\n");
        itr_record_append(&locating->json, itr_located_to_json(&located, &locating->summary, path));
    }
    itr_located_release(&located);
    return status;
}

/* Two cells that differ in the thread the event is sent to only: does the window depend on it? */
static void compare_targets(struct locating *locating, size_t cells) {
    size_t with = 0;
    size_t without = 0;
    for (size_t i = 0; i < cells; i++) {
        const json_t *windows = json_object_get(json_array_get(locating->json, i), "windows");
        with += json_array_size(windows) > 0 ? 1 : 0;
        without += json_is_array(windows) && json_array_size(windows) == 0 ? 1 : 0;
    }
    if (with > 0 && without > 0) {
        itr_text_add(&locating->text, "the window depends on the thread that the event is sent to: it is there for some targets "
                                      "and not for others\n");
    }
}

static enum itr_status locate_all(struct locating *locating, size_t cells, struct itr_error *err) {
    enum itr_status status = itr_campaign_work(locating->campaign, err);
    locating->json = json_array();
    locating->conclusive = true;
    for (size_t i = 0; i < cells && status == ITR_OK; i++) {
        status = locate_cell(locating, i, err);
    }
    if (status == ITR_OK && cells > 1 && locating->options->target == NULL) {
        compare_targets(locating, cells);
    }
    return status;
}

/* Trials in which the tool itself failed: to the search they look like places that are not reached. */
static uint64_t count_tool_errors(const struct itr_summary *summary) {
    uint64_t count = 0;
    for (size_t i = 0; i < summary->count; i++) {
        count += summary->tallies[i].outcomes[ITR_OUTCOME_TOOL_ERROR];
    }
    return count;
}

static int show(struct locating *locating) {
    uint64_t tool_errors = count_tool_errors(&locating->summary);
    bool answered = locating->searched > 0 && locating->conclusive && tool_errors == 0;
    int code = tool_errors > 0 ? ITR_EXIT_TOOL : answered ? ITR_EXIT_EXPECTED : ITR_EXIT_INCONCLUSIVE;
    if (tool_errors > 0) {
        itr_text_printf(&locating->text, "the tool failed in %" PRIu64 " trials: see \"tool_error\" in trials.jsonl\n",
                        tool_errors);
    }
    json_t *json = json_pack("{s:i, s:s, s:o, s:I, s:b, s:I, s:o}", "format", 1, "folder", locating->summary.folder, "seed",
                             itr_json_hex(locating->summary.seed), "windows", (json_int_t)locating->windows, "answered",
                             (int)answered, "tool_errors", (json_int_t)tool_errors, "cells", locating->json);
    struct itr_error error = {0};
    if (json == NULL || itr_folder_write_json(locating->summary.folder, "locate.json", json, &error) != ITR_OK) {
        (void)itr_complain(&error);
        code = ITR_EXIT_TOOL;
    }
    if (locating->options->json) {
        return itr_print_json(json, code);
    }
    json_decref(json);
    fputs(itr_text_string(&locating->text), stdout);
    printf("campaign: %s (seed 0x%" PRIx64 ")%s\n", locating->summary.folder, locating->summary.seed,
           answered ? "" : ": no firm answer, see above");
    return code;
}

/* Does the case itself say, by an axis, how or to which thread its event is sent? */
static bool aims_by_axis(const struct itr_options *options, const struct itr_layout *layout) {
    struct itr_case c;
    struct itr_error ignored = {0};
    bool aims = false;
    for (size_t i = 0; i < options->words.count && !aims; i++) {
        if (itr_find_case(options, layout, options->words.items[i], &c, &ignored) == ITR_OK) {
            aims = itr_case_axis_of(&c, ITR_SETS_DELIVERY | ITR_SETS_TARGET) != NULL;
            itr_case_release(&c);
        }
    }
    return aims;
}

/* Where neither case nor command line aims at a thread, both that matter are tried: the one that loads the
 * library, and the library's first own. */
static enum itr_status select_cells(const struct itr_options *options, const struct itr_layout *layout, const char *arm,
                                    struct itr_cells *cells, struct itr_error *err) {
    struct itr_selection selection;
    itr_run_selection(options, &selection);
    selection.arm = arm;
    selection.sweep = selection.sweep == ITR_SWEEP_NONE ? ITR_SWEEP_FUNCTIONS : selection.sweep;
    selection.count = options->has_count ? options->count : 2;
    enum itr_status status = itr_run_cells(options, layout, &selection, cells, err);
    bool free_choice = status == ITR_OK && cells->count > 0 && options->target == NULL && options->delivery == NULL &&
                       itrp_capabilities()->signals && cells->items[0].aim.target == ITR_TARGET_PROCESS &&
                       !aims_by_axis(options, layout);
    if (!free_choice) {
        return status;
    }
    cells->count = 0;
    selection.delivery = "tgkill";
    static const char *const targets[] = {"main", "init"};
    for (size_t i = 0; i < 2 && status == ITR_OK; i++) {
        selection.target = targets[i];
        status = itr_run_cells(options, layout, &selection, cells, err);
    }
    return status;
}

int itr_command_locate(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv) {
    struct locating locating = {.options = options, .text = {.ceiling = 16u << 20}};
    struct itr_cells cells = {0};
    struct itr_error error = {0};
    char output[256];
    char arm[ITR_ARM_LABEL_MAX];
    struct itr_campaign_options campaign;
    itr_run_campaign_options(options, argc, argv, &campaign);
    enum itr_status status = itr_run_check(options, &error);
    if (status == ITR_OK) {
        status = itr_run_provide_go(options, layout, arm, &error);
    }
    if (status == ITR_OK) {
        status = select_cells(options, layout, arm, &cells, &error);
    }
    if (status == ITR_OK) {
        snprintf(output, sizeof output, "initrace-locate-%.100s-%" PRIx64, cells.items[0].case_name, campaign.seed);
        campaign.output = options->output != NULL ? options->output : output;
        status = itr_campaign_open(&locating.campaign, &campaign, layout, cells.items, cells.count, &locating.summary, &error);
    }
    int code = ITR_EXIT_EXPECTED;
    if (status == ITR_OK) {
        struct itr_error why = {0};
        status = locate_all(&locating, cells.count, &error);
        if (itr_campaign_close(locating.campaign, &why) != ITR_OK && status == ITR_OK) {
            error = why;
            status = why.status;
        }
        code = status == ITR_OK ? show(&locating) : ITR_EXIT_TOOL;
        itr_summary_release(&locating.summary);
    }
    if (status != ITR_OK) {
        code = itr_complain(&error);
    }
    itr_text_release(&locating.text);
    free(cells.items);
    return code;
}
