/* initrace matrix: which Go version fails where. From cases and versions to one campaign, and its tables. */
#include "framework/commands.h"

#include "framework/campaign.h"
#include "framework/folder.h"
#include "framework/matrix_cells.h"
#include "framework/report_matrix.h"
#include "framework/run_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* Where no terminal says how wide it is. */
enum { WIDTH = 120 };

#define DEFAULT_ALPHA 0.01

static int terminal_width(void) {
    uv_tty_t terminal;
    uv_loop_t loop;
    int width = WIDTH;
    int height = 0;
    int found = 0;
    if (uv_guess_handle(1) != UV_TTY || uv_loop_init(&loop) != 0) {
        return WIDTH;
    }
    if (uv_tty_init(&loop, &terminal, 1, 0) == 0) {
        width = uv_tty_get_winsize(&terminal, &found, &height) == 0 && found > 0 ? found : WIDTH;
        uv_close((uv_handle_t *)&terminal, NULL);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    return width;
}

static enum itr_status check(const struct itr_options *options, struct itr_error *err) {
    if (options->alpha >= 1) {
        return itr_fail(err, ITR_E_USAGE, 0, "--alpha: expected a chance between 0 and 1");
    }
    if (options->resume && (options->axes != NULL || options->axis.count > 0 || options->at.count > 0 || options->go.count > 0 || options->has_count || options->control_count > 0)) {
        return itr_fail(err, ITR_E_USAGE, 0, "--resume goes on with the campaign's own points, versions and counts: no --at, --axes, --axis, --go, --count or --control-count goes with it");
    }
    return itr_run_check(options, err);
}

/* Writes matrix.json; the answer for --format json is the caller's. */
static enum itr_status write_json(const struct itr_matrix *matrix, const struct itr_summary *summary, json_t **json, struct itr_error *err) {
    *json = itr_matrix_to_json(matrix, summary);
    return *json != NULL ? itr_folder_write_json(summary->folder, "matrix.json", *json, err)
                         : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for matrix.json");
}

static int print(const struct itr_options *options, const struct itr_matrix *matrix, const struct itr_summary *summary, int code) {
    struct itr_text text = {.ceiling = 64u << 20};
    if (options->markdown) {
        itr_report_matrix_markdown(&text, matrix, summary);
    } else {
        itr_report_matrix(&text, matrix, summary, terminal_width());
    }
    fputs(itr_text_string(&text), stdout);
    bool whole = !text.truncated && !text.no_memory;
    itr_text_release(&text);
    if (!whole) {
        struct itr_error error = {0};
        itr_fail(&error, ITR_E_LIMIT, 0, "the table was cut: it is too long, or memory was refused; matrix.json is whole");
        return itr_complain(&error);
    }
    return code;
}

static int show(const struct itr_options *options, const struct itr_summary *summary) {
    struct itr_matrix matrix = {0};
    struct itr_error error = {0};
    json_t *json = NULL;
    int code = ITR_EXIT_EXPECTED;
    enum itr_status status = itr_matrix_make(&matrix, summary, options->alpha > 0 ? options->alpha : DEFAULT_ALPHA, &error);
    if (status == ITR_OK) {
        code = itr_matrix_exit_code(&matrix, summary);
        status = write_json(&matrix, summary, &json, &error);
    }
    if (status != ITR_OK) {
        code = itr_complain(&error);
    } else if (options->json) {
        code = itr_print_json(json_incref(json), code);
    } else {
        code = print(options, &matrix, summary, code);
    }
    json_decref(json);
    itr_matrix_release(&matrix);
    return code;
}

static enum itr_status make_cells(struct itr_options *options, const struct itr_layout *layout, struct itr_cells *cells,
                                  struct itr_campaign_options *campaign, struct itr_error *err) {
    char arm[ITR_ARM_LABEL_MAX];
    struct itr_selection selection;
    enum itr_status status = itr_run_provide_go(options, layout, arm, err);
    if (status != ITR_OK) {
        return status;
    }
    if (options->resume) {
        return itr_run_resume(options, layout, cells, campaign, err);
    }
    itr_run_selection(options, &selection);
    selection.arm = arm;
    return itr_matrix_cells(options, layout, &selection, cells, err);
}

int itr_command_matrix(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv) {
    struct itr_cells cells = {0};
    struct itr_error error = {0};
    struct itr_summary summary = {0};
    struct itr_campaign_options campaign;
    char output[256];
    itr_run_campaign_options(options, argc, argv, &campaign);
    enum itr_status status = check(options, &error);
    if (status == ITR_OK) {
        status = make_cells(options, layout, &cells, &campaign, &error);
    }
    if (status == ITR_OK) {
        snprintf(output, sizeof output, "initrace-matrix-%" PRIx64, campaign.seed);
        campaign.output = options->output != NULL ? options->output : output;
        status = itr_campaign_run(&campaign, layout, cells.items, cells.count, &summary, &error);
    }
    if (options->resume) {
        summary.elapsed_s = 0; /* of the last part alone: it says nothing of all trials */
    }
    int code = status == ITR_OK ? show(options, &summary) : itr_complain(&error);
    itr_summary_release(&summary);
    free(cells.items);
    return code;
}
