/* From the options that run and locate share to cells and to a campaign's options. It runs nothing. */
#include "framework/run_options.h"

#include "framework/commands.h"
#include "framework/folder.h"
#include "framework/golib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_COUNT = 1000 };

void itr_run_selection(const struct itr_options *options, struct itr_selection *selection) {
    *selection = (struct itr_selection){
        .at = options->at,
        .go = options->go,
        .go_labels = options->go_labels,
        .controls = options->controls,
        .all_controls = options->all_controls,
        .only_controls = options->only_controls,
        .axes = options->command != ITR_COMMAND_RUN && options->command != ITR_COMMAND_MATRIX ? ITR_AXES_BASE
                : options->axes != NULL ? (enum itr_axes_form)itr_axes_form_of(options->axes)
                                        : ITR_AXES_QUICK,
        .axis = options->axis,
        .environment = options->environment,
        .event = options->event,
        .delivery = options->delivery,
        .target = options->target,
        .count = options->duration_ns > 0 ? 0 : options->has_count ? options->count : options->sweep != NULL ? 1 : DEFAULT_COUNT,
        .control_count = options->duration_ns > 0 ? 0 : options->control_count,
        .has_window = options->has_window,
        .window_from_ns = options->window_from_ns,
        .window_to_ns = options->window_to_ns,
        .deadline_ns = options->deadline_ns,
        .hold_ns = options->hold_ns,
        .has_hold = options->has_hold,
        .no_exception_record = options->no_exception_record,
        .sweep = options->sweep == NULL                       ? ITR_SWEEP_NONE
                 : strcmp(options->sweep, "functions") == 0 ? ITR_SWEEP_FUNCTIONS
                                                              : ITR_SWEEP_INSTRUCTIONS,
        .sweep_thread = options->thread != NULL ? (enum itr_role)itr_role_of(options->thread) : ITR_ROLE_INIT,
        .chaos = options->chaos,
        .gate = options->gate,
        .record = options->record,
        .watch = options->watch,
    };
}

static enum itr_status add_string(struct itr_strings *list, const char *name, struct itr_error *err) {
    char **grown = realloc(list->items, (list->count + 1) * sizeof *grown);
    if (grown != NULL) {
        list->items = grown;
        grown[list->count] = strdup(name);
    }
    if (grown == NULL || grown[list->count] == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    list->count++;
    return ITR_OK;
}

/* The names of libraries, and of each what people call it; both take the place of what was asked for. */
struct provided {
    struct itr_strings names;
    struct itr_strings labels;
};

static enum itr_status add_go(struct provided *provided, const char *name, const char *label, struct itr_error *err) {
    enum itr_status status = add_string(&provided->names, name, err);
    return status == ITR_OK ? add_string(&provided->labels, label, err) : status;
}

static enum itr_status provide_one(const struct itr_layout *layout, const struct itr_arm_spec *arm, const char *root,
                                   struct provided *provided, struct itr_error *err) {
    struct itr_golib golib;
    struct itr_golib_request request = {.root = root, .arm = arm};
    enum itr_status status = itr_golib_provide(layout, &request, &golib, err);
    return status == ITR_OK ? add_go(provided, golib.name, golib.label, err) : status;
}

/* Those of one --go. A recipe that does not hold for a version is a skip that is told where nobody named the version. */
static enum itr_status provide_changed(const struct itr_layout *layout, const struct itr_arm_spec *arm, const char *wanted,
                                       struct provided *provided, struct itr_error *err) {
    struct itr_strings roots = {0};
    struct itr_error why = {0};
    size_t before = provided->names.count;
    enum itr_status status = itr_golib_roots(layout, wanted, &roots, err);
    for (size_t i = 0; i < roots.count && status == ITR_OK; i++) {
        struct itr_error error = {0};
        status = provide_one(layout, arm, roots.items[i], provided, &error);
        if (status == ITR_E_UNSUPPORTED && wanted == NULL) {
            char clean[sizeof error.text];
            (void)itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, error.text, strlen(error.text));
            fprintf(stderr, "initrace: skipped: %s\n", clean);
            why = error;
            status = ITR_OK;
        } else if (status != ITR_OK) {
            *err = error;
        }
    }
    if (status == ITR_OK && provided->names.count == before) {
        *err = why;
        status = why.status;
    }
    itr_layout_release(&roots);
    return status;
}

enum itr_status itr_run_provide_go(struct itr_options *options, const struct itr_layout *layout, char *label,
                                   struct itr_error *err) {
    struct itr_arm_spec arm = {.recipes = options->recipes, /* borrowed */
                               .patches = options->patches,
                               .flags = options->build_flags,
                               .overlay = (char *)(uintptr_t)options->overlay};
    struct provided provided = {0};
    bool plain = itr_arm_is_plain(&arm);
    label[0] = '\0';
    enum itr_status status = itr_arm_check("--recipe, --patch, --overlay, --build-flag", &arm, err);
    if (status == ITR_OK && !plain && (options->library != NULL || options->resume)) {
        status = itr_fail(err, ITR_E_USAGE, 0, options->resume
                                                   ? "--resume goes on with the libraries of the campaign: no --recipe, --patch, --overlay or --build-flag goes with it"
                                                   : "--library FILE is there already: no --recipe, --patch, --overlay or --build-flag goes with it");
    }
    if (!plain) {
        itr_arm_name(&arm);
    }
    for (size_t i = 0; i < options->go.count && status == ITR_OK; i++) {
        const char *wanted = options->go.items[i];
        status = !plain                              ? provide_changed(layout, &arm, wanted, &provided, err)
                 : strpbrk(wanted, "/\\") != NULL ? provide_one(layout, &arm, wanted, &provided, err)
                                                     : add_go(&provided, wanted, "", err);
    }
    if (status == ITR_OK && !plain && options->go.count == 0) {
        status = provide_changed(layout, &arm, NULL, &provided, err);
    }
    if (status != ITR_OK) {
        itr_layout_release(&provided.names);
        itr_layout_release(&provided.labels);
        return status;
    }
    itr_layout_release(&options->go);
    itr_layout_release(&options->go_labels);
    options->go = provided.names;
    options->go_labels = provided.labels;
    snprintf(label, ITR_ARM_LABEL_MAX, "%s", plain ? "" : arm.label);
    return ITR_OK;
}

/* Adds the cells of the named cases. One that is not for this system is a skip that is told; if all are,
 * that is the answer. */
static enum itr_status select_cases(const struct itr_options *options, const struct itr_layout *layout,
                                    const struct itr_selection *selection, struct itr_cells *cells,
                                    struct itr_error *err) {
    for (size_t i = 0; i < options->words.count; i++) {
        struct itr_case c;
        struct itr_error why = {0};
        enum itr_status status = itr_find_case(options, layout, options->words.items[i], &c, err);
        if (status != ITR_OK) {
            return status;
        }
        status = itr_select(cells, &c, selection, layout, &why);
        itr_case_release(&c);
        if (status == ITR_E_UNSUPPORTED && options->words.count > 1) {
            char clean[sizeof why.text];
            itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, why.text, strlen(why.text));
            fprintf(stderr, "initrace: skipped: %s\n", clean);
        } else if (status != ITR_OK) {
            *err = why;
            return status;
        }
    }
    return cells->count > 0
               ? ITR_OK
               : itr_fail(err, ITR_E_UNSUPPORTED, 0, "nothing to run: no case or control for this system was chosen");
}

/* A case made from options alone: any library, no case file. */
static enum itr_status select_ad_hoc(const struct itr_options *options, const struct itr_layout *layout,
                                     const struct itr_selection *selection, struct itr_cells *cells,
                                     struct itr_error *err) {
    char host[1024] = "library_host";
    char library[1024] = "";
    char name[] = "ad-hoc";
    char at[] = "time";
    struct itr_case c = {.name = name, .on_linux = true, .on_windows = true};
    enum itr_status status = ITR_OK;
    if (options->host != NULL && strpbrk(options->host, "/\\") != NULL) {
        status = itr_path_real(options->host, host, sizeof host, err);
    } else if (options->host != NULL) {
        snprintf(host, sizeof host, "%s", options->host);
    }
    if (status == ITR_OK && options->library != NULL) {
        status = itr_path_real(options->library, library, sizeof library, err);
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
    return itr_select(cells, &c, selection, layout, err);
}

/* Asked before the first trial: each would be a tool's error otherwise. */
static enum itr_status check_debugger(const struct itr_cells *cells, struct itr_error *err) {
    char why[256] = "";
    bool needed = false;
    bool watches = false;
    for (size_t i = 0; i < cells->count; i++) {
        needed = needed || cells->items[i].debugged;
        watches = watches || cells->items[i].watch[0] != '\0';
    }
    if (needed && !itrp_can_debug(why, sizeof why)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "exact points, --watch and --chaos need a debugger: %s", why);
    }
    if (watches && !itrp_has_debug_registers()) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0,
                        "--watch needs debug registers, and those of this machine do not work (virtual ones often do not); "
                        "exact points and locate do without them");
    }
    return ITR_OK;
}

enum itr_status itr_run_check_recorder(const struct itr_cell *cells, size_t count, struct itr_error *err) {
    char why[256] = "";
    bool needed = false;
    for (size_t i = 0; i < count; i++) {
        needed = needed || cells[i].record[0] != '\0';
    }
    return !needed || itrp_can_record(why, sizeof why)
               ? ITR_OK
               : itr_fail(err, ITR_E_UNSUPPORTED, 0,
                          "--record rr cannot be done here: %s; --chaos perturbs the scheduling without it", why);
}

enum itr_status itr_run_check_keep(const struct itr_options *options, const struct itr_cell *cells, size_t count,
                                   struct itr_error *err) {
    bool any = options->keep_hung == 0 || count == 0;
    for (size_t i = 0; i < count && !any; i++) {
        any = !cells[i].debugged && cells[i].record[0] == '\0';
    }
    if (options->keep_hung > 0 && !itrp_capabilities()->keeps) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "--keep-hung cannot be done on this system");
    }
    return any ? ITR_OK
               : itr_fail(err, ITR_E_USAGE, 0,
                          "--keep-hung: hosts that run under a debugger or a recorder (exact points, --watch, --chaos, --record) end "
                          "with it; replay --debug holds one at its point");
}

enum itr_status itr_run_cells(const struct itr_options *options, const struct itr_layout *layout,
                              const struct itr_selection *selection, struct itr_cells *cells, struct itr_error *err) {
    bool ad_hoc = options->library != NULL || options->host != NULL || options->function != NULL;
    if (ad_hoc == (options->words.count > 0)) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        ad_hoc ? "cases and --host or --library do not go together"
                               : "a case is missing (initrace list shows them), or --library FILE");
    }
    enum itr_status status = ad_hoc ? select_ad_hoc(options, layout, selection, cells, err)
                                    : select_cases(options, layout, selection, cells, err);
    if (status == ITR_OK) {
        status = check_debugger(cells, err);
    }
    return status == ITR_OK ? itr_run_check_recorder(cells->items, cells->count, err) : status;
}

enum itr_status itr_run_resume(const struct itr_options *options, const struct itr_layout *layout,
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

static uint64_t random_seed(void) {
    uint64_t seed = 0;
    if (uv_random(NULL, NULL, &seed, sizeof seed, 0, NULL) != 0) {
        seed = uv_hrtime();
    }
    return seed & UINT64_C(0xffffffff); /* short enough to be typed again */
}

void itr_run_campaign_options(const struct itr_options *options, int argc, char **argv,
                              struct itr_campaign_options *campaign) {
    *campaign = (struct itr_campaign_options){
        .seed = options->has_seed ? options->seed : random_seed(),
        .duration_ns = options->duration_ns,
        .until_fail = options->until_fail,
        .jobs = options->jobs > 0 ? (uint32_t)options->jobs : uv_available_parallelism(),
        .keep = (uint32_t)options->keep,
        .core_limit_bytes = options->core_mib << 20,
        .evidence = options->command == ITR_COMMAND_RUN && options->evidence < UINT32_MAX ? (uint32_t)options->evidence : 0,
        .evidence_core_bytes = options->core_limit_mib << 20,
        .keep_hung = (uint32_t)options->keep_hung,
        .evidence_total_bytes = options->core_total_mib << 20,
        .progress = !options->quiet,
        .argument_count = argc,
        .arguments = argv,
    };
}

enum itr_status itr_run_check(const struct itr_options *options, struct itr_error *err) {
    if (options->axes != NULL && itr_axes_form_of(options->axes) < 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--axes %s: expected quick, all or base", options->axes);
    }
    if (options->sweep != NULL &&
        (strcmp(options->sweep, "functions") != 0 && strcmp(options->sweep, "instructions") != 0)) {
        return itr_fail(err, ITR_E_USAGE, 0, "--sweep %s: expected functions or instructions", options->sweep);
    }
    if (options->thread != NULL && itr_role_of(options->thread) <= (int)ITR_ROLE_ANY) {
        return itr_fail(err, ITR_E_USAGE, 0, "--thread %s: expected main or init", options->thread);
    }
    if (options->record != NULL && strcmp(options->record, "rr") != 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--record %s: expected rr", options->record);
    }
    if (options->record != NULL && options->keep == 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "--record and --keep 0 do not go together: traces are kept in failure folders");
    }
    if (options->keep_hung > ITR_KEEP_HUNG_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "--keep-hung: up to %d", ITR_KEEP_HUNG_MAX);
    }
    if ((options->has_count && (options->count == 0 || options->count > UINT32_MAX)) ||
        options->control_count > UINT32_MAX || options->jobs > 64) {
        return itr_fail(err, ITR_E_USAGE, 0, "--count: from 1 to 4294967295; --jobs: up to 64");
    }
    return ITR_OK;
}
