/* A search as picture.c wants it: positions, functions, labels. It draws nothing itself. */
#include "framework/report_locate.h"

#include "framework/picture.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 240 };

struct labels {
    char rate[LABEL_MAX];
    char opening[LABEL_MAX];
    char closing[LABEL_MAX];
};

static bool is_edge(const struct itr_located *located, uint32_t from, uint32_t to) {
    for (size_t i = 0; i < located->windows.count; i++) {
        const struct itr_window *window = &located->windows.items[i];
        if ((window->opening.inside >= from && window->opening.inside < to) ||
            (window->closing.inside >= from && window->closing.inside < to)) {
            return true;
        }
    }
    return false;
}

static size_t list_functions(const struct itr_located *located, struct itr_picture_function *functions) {
    const struct itr_axis *axis = located->sweep->axis;
    const struct itr_image *image = located->work->library_image;
    size_t count = 0;
    for (size_t i = 0; i < axis->count;) {
        const char *name = NULL;
        uint64_t offset = 0;
        size_t end = itr_axis_run_end(axis, image, i);
        (void)itr_axis_symbol(axis, image, i, &name, &offset);
        functions[count++] = (struct itr_picture_function){.name = name,
                                                           .from = (uint32_t)i,
                                                           .to = (uint32_t)end,
                                                           .important = is_edge(located, (uint32_t)i, (uint32_t)end)};
        i = end;
    }
    return count;
}

static void name_edge(const struct itr_located *located, const char *verb, uint32_t position, char *out) {
    char place[LABEL_MAX - 16];
    (void)itr_axis_describe(located->sweep->axis, located->work->library_image, position, place, sizeof place);
    snprintf(out, LABEL_MAX, "%s %s", verb, place);
}

static size_t list_windows(const struct itr_located *located, struct itr_picture_window *windows, struct labels *labels) {
    for (size_t i = 0; i < located->windows.count; i++) {
        const struct itr_window *window = &located->windows.items[i];
        struct labels *label = &labels[i];
        snprintf(label->rate, LABEL_MAX, "%.120s: %.4g %% [%.4g, %.4g] inside, %.4g %% outside",
                 located->signatures[window->signature], 100 * window->rate, 100 * window->ci95.low,
                 100 * window->ci95.high, window->outside_trials > 0 ? 100 * window->outside_rate : 0);
        if (!window->opening.open) {
            name_edge(located, "opened by", window->opening.outside, label->opening);
        }
        if (!window->closing.open) {
            name_edge(located, "closed by", window->closing.inside, label->closing);
        }
        windows[i] = (struct itr_picture_window){
            .signature = window->signature,
            .from = window->opening.inside,
            .to = window->closing.inside,
            .open_before = window->opening.open,
            .open_after = window->closing.open,
            .label = label->rate,
            .opening = window->opening.open ? NULL : label->opening,
            .closing = window->closing.open ? NULL : label->closing,
        };
    }
    return located->windows.count;
}

static size_t list_writes(const struct itr_located *located, struct itr_picture_write *writes) {
    size_t count = 0;
    for (uint32_t i = 0; i < located->write_count; i++) {
        const struct itr_located_write *write = &located->writes[i];
        if (write->position != UINT32_MAX) {
            writes[count++] = (struct itr_picture_write){
                .position = write->position,
                .variable = located->work->watch_names[write->watch],
                .old_value = write->old_value,
                .new_value = write->new_value,
                .time_ns = write->time_ns,
            };
        }
    }
    return count;
}

void itr_located_picture(struct itr_text *out, const struct itr_located *located, const struct itr_summary *summary) {
    const struct itr_cell *cell = &summary->cells[located->cell];
    struct itr_picture_function *functions = calloc(located->sweep->axis->count + 1, sizeof *functions);
    struct itr_picture_window windows[ITR_WINDOWS_MAX];
    static _Thread_local struct labels labels[ITR_WINDOWS_MAX];
    struct itr_picture_write writes[ITR_LOCATE_WRITES_MAX];
    char title[ITR_TITLE_MAX];
    char subtitle[256];
    char axis[128];
    itr_cell_title(cell, title, sizeof title);
    snprintf(subtitle, sizeof subtitle, "%s by %s to %s; %" PRIu64 " shots, %" PRIu64 " at instructions that were not reached",
             itr_event_name((uint32_t)cell->aim.event), itr_delivery_name((uint32_t)cell->aim.delivery),
             itr_target_name((uint32_t)cell->aim.target), located->shots, located->missed);
    snprintf(axis, sizeof axis, "instructions of the %s thread, by their first execution",
             itr_role_name((uint32_t)cell->aim.point.role));
    memset(labels, 0, sizeof labels);
    struct itr_picture picture = {
        .title = title,
        .subtitle = subtitle,
        .axis = axis,
        .length = (uint32_t)located->sweep->axis->count,
        .functions = functions,
        .function_count = functions != NULL ? list_functions(located, functions) : 0,
        .samples = located->samples.items,
        .sample_count = located->samples.count,
        .signatures = (const char *const *)located->signatures,
        .signature_count = located->signature_count,
        .windows = windows,
        .window_count = list_windows(located, windows, labels),
        .writes = writes,
        .write_count = list_writes(located, writes),
    };
    itr_picture_svg(out, &picture);
    free(functions);
}
