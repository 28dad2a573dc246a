/* initrace run: from the command line to a campaign and its result. */
#include "framework/commands.h"

#include "framework/campaign.h"
#include "framework/folder.h"
#include "framework/golib.h"
#include "framework/random.h"
#include "framework/report.h"
#include "framework/select.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_COUNT = 1000 };

static struct itr_selection selection_of(const struct itr_options *options) {
    return (struct itr_selection){
        .at = options->at,
        .go = options->go,
        .controls = options->controls,
        .all_controls = options->all_controls,
        .only_controls = options->only_controls,
        .environment = options->environment,
        .event = options->event,
        .delivery = options->delivery,
        .target = options->target,
        .count = options->duration_ns > 0 ? 0 : options->has_count ? options->count : DEFAULT_COUNT,
        .control_count = options->duration_ns > 0 ? 0 : options->control_count,
        .has_window = options->has_window,
        .window_from_ns = options->window_from_ns,
        .window_to_ns = options->window_to_ns,
        .deadline_ns = options->deadline_ns,
        .hold_ns = options->hold_ns,
        .has_hold = options->has_hold,
        .no_exception_record = options->no_exception_record,
    };
}

/* Adds the cells of the named cases. One that is not for this system is a skip that is told; if all are,
 * that is the answer. */
/* Replaces each GOROOT in --go by the name of its libraries, which are built if need be. */
static enum itr_status provide_go(struct itr_options *options, const struct itr_layout *layout, struct itr_error *err) {
    for (size_t i = 0; i < options->go.count; i++) {
        char name[128];
        if (strpbrk(options->go.items[i], "/\\") == NULL) {
            continue;
        }
        enum itr_status status = itr_golib_provide(layout, options->go.items[i], name, sizeof name, err);
        char *copy = status == ITR_OK ? strdup(name) : NULL;
        if (copy == NULL) {
            return status != ITR_OK ? status : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        }
        free(options->go.items[i]);
        options->go.items[i] = copy;
    }
    return ITR_OK;
}

static enum itr_status select_cases(const struct itr_options *options, const struct itr_layout *layout,
                                    struct itr_cells *cells, struct itr_error *err) {
    struct itr_selection selection = selection_of(options);
    for (size_t i = 0; i < options->words.count; i++) {
        struct itr_case c;
        struct itr_error why = {0};
        enum itr_status status = itr_find_case(options, layout, options->words.items[i], &c, err);
        if (status != ITR_OK) {
            return status;
        }
        status = itr_select(cells, &c, &selection, layout, &why);
        itr_case_release(&c);
        if (status == ITR_E_UNSUPPORTED && options->words.count > 1) {
            fprintf(stderr, "initrace: skipped: %s\n", why.text);
        } else if (status != ITR_OK) {
            *err = why;
            return status;
        }
    }
    return cells->count > 0
               ? ITR_OK
               : itr_fail(err, ITR_E_UNSUPPORTED, 0, "nothing to run: no case or control for this system was chosen");
}

static enum itr_status absolute(const char *path, char *out, size_t room, struct itr_error *err) {
    uv_fs_t request;
    int result = uv_fs_realpath(NULL, &request, path, NULL);
    if (result == 0) {
        snprintf(out, room, "%s", (const char *)request.ptr);
    }
    uv_fs_req_cleanup(&request);
    return result == 0 ? ITR_OK : itr_fail(err, ITR_E_NOT_FOUND, result, "%s: %s", path, uv_strerror(result));
}

/* A case made from options alone: any library, no case file. */
static enum itr_status select_ad_hoc(const struct itr_options *options, const struct itr_layout *layout,
                                     struct itr_cells *cells, struct itr_error *err) {
    char host[1024] = "library_host";
    char library[1024] = "";
    char name[] = "ad-hoc";
    char at[] = "time";
    struct itr_selection selection = selection_of(options);
    struct itr_case c = {.name = name, .on_linux = true, .on_windows = true};
    enum itr_status status = ITR_OK;
    if (options->host != NULL && strpbrk(options->host, "/\\") != NULL) {
        status = absolute(options->host, host, sizeof host, err);
    } else if (options->host != NULL) {
        snprintf(host, sizeof host, "%s", options->host);
    }
    if (status == ITR_OK && options->library != NULL) {
        status = absolute(options->library, library, sizeof library, err);
    }
    if (status != ITR_OK) {
        return status;
    }
    c.base = (struct itr_variant){
        .host = host,
        .library = library[0] != '\0' ? library : NULL,
        .function = (char *)(uintptr_t)options->function,
        .at = at,
        .event = options->event != NULL ? itr_event_of(options->event) : ITR_EVENT_NONE,
        .handler_flags = ITR_HANDLER_ONSTACK | ITR_HANDLER_RESTART,
        .host_flags = ITR_HOST_RECORD_EXCEPTIONS,
        .expect = options->event != NULL ? ITR_OUTCOME_DELIVERED : ITR_OUTCOME_NOT_FIRED,
    };
    if (c.base.event < 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--event %s: no such event", options->event);
    }
    c.deadline_ns = UINT64_C(10000000000);
    c.quiet_ns = UINT64_C(300000000);
    return itr_select(cells, &c, &selection, layout, err);
}

/* Cells, seed and rest of a campaign that is to go on. */
static enum itr_status read_resumed(const struct itr_options *options, struct itr_cells *cells,
                                    struct itr_campaign_options *campaign, struct itr_error *err) {
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
    for (size_t i = 0; i < json_array_size(list) && status == ITR_OK && cells->items != NULL; i++) {
        status = itr_cell_from_json(json_array_get(list, i), &cells->items[i], err);
        cells->count++;
    }
    if (status == ITR_OK && json_integer_value(json_object_get(json, "duration_ns")) != 0) {
        status = itr_fail(err, ITR_E_USAGE, 0, "%s ran by --duration: only campaigns with --count can be resumed",
                          options->output);
    }
    if (status == ITR_OK && (cells->count == 0 || !itr_json_from_hex(json_object_get(json, "seed"), &campaign->seed))) {
        status = itr_fail(err, ITR_E_FORMAT, 0, "%s/campaign.json has no cells or no seed", options->output);
    }
    campaign->until_fail = json_is_true(json_object_get(json, "until_fail"));
    campaign->resume = true;
    json_decref(json);
    return status;
}

static uint64_t random_seed(void) {
    uint64_t seed = 0;
    if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0) {
        seed = uv_hrtime();
    }
    return seed & UINT64_C(0xffffffff); /* short enough to be typed again */
}

static enum itr_status check(const struct itr_options *options, struct itr_error *err) {
    bool ad_hoc = options->library != NULL || options->host != NULL || options->function != NULL;
    if (ad_hoc == (options->words.count > 0) && !options->resume) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        ad_hoc ? "cases and --host or --library do not go together"
                               : "a case is missing (initrace list shows them), or --library FILE");
    }
    if (options->duration_ns > 0 && options->has_count) {
        return itr_fail(err, ITR_E_USAGE, 0, "--count and --duration do not go together");
    }
    if (options->only_controls && !options->all_controls && options->controls.count == 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--only-controls needs --controls or --control NAME");
    }
    if ((options->has_count && (options->count == 0 || options->count > UINT32_MAX)) ||
        options->control_count > UINT32_MAX || options->jobs > 64) {
        return itr_fail(err, ITR_E_USAGE, 0, "--count: from 1 to 4294967295; --jobs: up to 64");
    }
    return ITR_OK;
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
    struct itr_campaign_options campaign = {
        .seed = options->has_seed ? options->seed : random_seed(),
        .duration_ns = options->duration_ns,
        .until_fail = options->until_fail,
        .jobs = options->jobs > 0 ? (uint32_t)options->jobs : uv_available_parallelism(),
        .keep = (uint32_t)options->keep,
        .core_limit_bytes = options->core_mib << 20,
        .progress = !options->quiet,
        .output = output,
        .argument_count = argc,
        .arguments = argv,
    };
    enum itr_status status = check(options, &error);
    if (status == ITR_OK) {
        status = provide_go(options, layout, &error);
    }
    if (status == ITR_OK && options->resume) {
        status = read_resumed(options, &cells, &campaign, &error);
    } else if (status == ITR_OK && options->words.count > 0) {
        status = select_cases(options, layout, &cells, &error);
    } else if (status == ITR_OK) {
        status = select_ad_hoc(options, layout, &cells, &error);
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
