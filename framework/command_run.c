/* initrace run: from the command line to a campaign and its result. */
#include "framework/commands.h"

#include "framework/campaign.h"
#include "framework/report.h"
#include "framework/run_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        status = itr_run_resume(options, layout, &cells, &campaign, &error);
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
