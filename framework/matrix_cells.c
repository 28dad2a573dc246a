/* Multiplies cases out by controls, points and versions. */
#include "framework/matrix_cells.h"

#include "framework/commands.h"
#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS_MAX = 4 * ITR_CASE_STRINGS_MAX };

struct making {
    const struct itr_options *options;
    const struct itr_layout *layout;
    const struct itr_selection *base;
    struct itr_cells *cells;
    struct itr_error *err;
};

static void tell_of(const char *what, const char *text) {
    char clean[1100];
    (void)itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, text, strlen(text));
    fprintf(stderr, "initrace: %s: %s\n", what, clean);
}

/* ---- points ---- */

static void add_point(const char **list, size_t *count, size_t most, const char *at) {
    bool is_new = *count < most;
    for (size_t i = 0; i < *count && is_new; i++) {
        is_new = strcmp(list[i], at) != 0;
    }
    if (is_new) {
        list[(*count)++] = at;
    }
}

static bool is_known_here(const struct itr_known *known) {
    return known->system == NULL || strcmp(known->system, itrp_system_name()) == 0 ||
           strcmp(known->system, itrp_system_family()) == 0;
}

size_t itr_matrix_points(const struct itr_case *c, const char **list, size_t most) {
    size_t count = 0;
    add_point(list, &count, most, c->base.at);
    for (size_t i = 0; i < c->known_count; i++) {
        for (size_t k = 0; k < c->known[i].at.count && is_known_here(&c->known[i]) && c->base.event != ITR_EVENT_NONE; k++) {
            add_point(list, &count, most, c->known[i].at.items[k]);
        }
    }
    for (size_t i = 0; i < c->point_count; i++) {
        add_point(list, &count, most, c->points[i].name);
    }
    return count;
}

/* Is a cell's debugger needed and not to be had? */
static bool lacks_debugger(const struct itr_cells *cells, size_t from, char *why, size_t room) {
    bool needed = false;
    for (size_t i = from; i < cells->count; i++) {
        needed = needed || cells->items[i].debugged;
    }
    return needed && !itrp_can_debug(why, room);
}

/* Adds the cells at one point (NULL: where an axis says), in all combinations; none where that fails. */
static enum itr_status select_at(const struct making *making, const struct itr_case *c, const char *at, struct itr_error *err) {
    struct itr_selection selection = *making->base;
    size_t before = making->cells->count;
    char why[256] = "";
    char *one[] = {(char *)(uintptr_t)at};
    selection.at = (struct itr_strings){one, at != NULL ? 1 : 0};
    selection.controls = (struct itr_strings){0};
    selection.all_controls = false;
    selection.only_controls = false;
    enum itr_status status = itr_select(making->cells, c, &selection, making->layout, err);
    if (status == ITR_OK && lacks_debugger(making->cells, before, why, sizeof why)) {
        status = itr_fail(err, ITR_E_UNSUPPORTED, 0, "%s%s%s: exact points need a debugger: %s", c->name, at != NULL ? " at " : "",
                          at != NULL ? at : "", why);
    }
    if (status != ITR_OK) {
        making->cells->count = before;
    }
    return status;
}

/* Those of --at must be had, of the case's own those that can. */
static enum itr_status add_points(const struct making *making, const struct itr_case *c) {
    const char *own[POINTS_MAX] = {NULL};
    bool is_asked = making->options->at.count > 0;
    bool is_axis = itr_case_axis_of(c, ITR_SETS_AT) != NULL;
    size_t count = is_asked ? making->options->at.count : is_axis ? 1 : itr_matrix_points(c, own, POINTS_MAX);
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < count && status == ITR_OK; i++) {
        struct itr_error why = {0};
        status = select_at(making, c, is_asked ? making->options->at.items[i] : own[i], &why);
        if (status == ITR_E_UNSUPPORTED && !is_asked) {
            tell_of("not in the matrix", why.text);
            status = ITR_OK;
        } else if (status != ITR_OK) {
            *making->err = why;
        }
    }
    return status;
}

static enum itr_status add_controls(const struct making *making, const struct itr_case *c) {
    struct itr_selection selection = *making->base;
    selection.at = (struct itr_strings){0};
    selection.controls = (struct itr_strings){0};
    selection.all_controls = true;
    selection.only_controls = true;
    return itr_select(making->cells, c, &selection, making->layout, making->err);
}

/* ---- cases ---- */

static bool has_go(const struct making *making, const struct itr_case *c) {
    return c->base.library != NULL && strpbrk(c->base.library, "/\\") == NULL &&
           !itr_layout_is_plain(making->layout, c->base.library);
}

/* Is this case one of the matrix? One that was named and is not for this system is told. */
static bool takes_part(const struct making *making, const struct itr_case *c, bool is_named) {
    char why[200] = "";
    char line[400];
    bool runs = itr_case_runs_here(c, why, sizeof why);
    if (!runs && is_named) {
        snprintf(line, sizeof line, "%.150s %s", c->name, why);
        tell_of("skipped", line);
    }
    return runs && (is_named || has_go(making, c));
}

/* A table is known by its case's name. */
static enum itr_status check_name(const struct itr_case *list, size_t count, struct itr_error *err) {
    for (size_t i = 0; i + 1 < count; i++) {
        if (strcmp(list[i].name, list[count - 1].name) == 0) {
            return itr_fail(err, ITR_E_USAGE, 0, "two cases are called %s: a matrix has one table for each name", list[i].name);
        }
    }
    return ITR_OK;
}

static enum itr_status read_cases(const struct making *making, struct itr_case *list, size_t *count, const struct itr_strings *names) {
    bool is_named = making->options->words.count > 0;
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < names->count && status == ITR_OK; i++) {
        char file[2400];
        struct itr_case *c = &list[*count];
        snprintf(file, sizeof file, "%s/%s/case.json", making->options->cases != NULL ? making->options->cases : making->layout->cases,
                 names->items[i]);
        if (!is_named && !itr_path_exists(file)) {
            continue;
        }
        status = itr_find_case(making->options, making->layout, names->items[i], c, making->err);
        if (status == ITR_OK && takes_part(making, c, is_named)) {
            (*count)++;
            status = check_name(list, *count, making->err);
        } else if (status == ITR_OK) {
            itr_case_release(c);
        }
    }
    return status;
}

/* Counts by kind, and the trial numbers that follow from them. */
static void set_counts(const struct making *making) {
    uint64_t next = 0;
    for (size_t i = 0; i < making->cells->count; i++) {
        struct itr_cell *cell = &making->cells->items[i];
        bool spread = cell->aim.event != ITR_EVENT_NONE && cell->aim.point.kind == ITR_POINT_TIME;
        uint64_t control = making->options->control_count > 0 ? making->options->control_count : ITR_MATRIX_CONTROL_COUNT;
        uint64_t own = making->options->has_count ? making->options->count : spread ? ITR_MATRIX_TIME_COUNT : ITR_MATRIX_COUNT;
        cell->count = cell->skip[0] != '\0' ? 0 : cell->control[0] != '\0' ? control : own;
        cell->first_trial = next;
        next += cell->count;
    }
}

static enum itr_status add_cases(const struct making *making, const struct itr_case *list, size_t count) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < count && status == ITR_OK; i++) {
        status = add_controls(making, &list[i]);
    }
    size_t controls = making->cells->count;
    for (size_t i = 0; i < count && status == ITR_OK; i++) {
        status = add_points(making, &list[i]);
    }
    if (status == ITR_OK && making->cells->count == controls) {
        status = itr_fail(making->err, ITR_E_UNSUPPORTED, 0, "nothing to run: no case for this system has a point that can be fired at here");
    }
    return status;
}

enum itr_status itr_matrix_cells(const struct itr_options *options, const struct itr_layout *layout, const struct itr_selection *base,
                                 struct itr_cells *cells, struct itr_error *err) {
    struct making making = {options, layout, base, cells, err};
    struct itr_strings all = {0};
    const struct itr_strings *names = options->words.count > 0 ? &options->words : &all;
    enum itr_status status =
        options->words.count > 0 ? ITR_OK : itr_layout_folders(options->cases != NULL ? options->cases : layout->cases, &all, err);
    struct itr_case *list = status == ITR_OK ? calloc(names->count + 1, sizeof *list) : NULL;
    size_t count = 0;
    if (status == ITR_OK && list == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a matrix");
    }
    if (status == ITR_OK) {
        status = read_cases(&making, list, &count, names);
    }
    if (status == ITR_OK) {
        status = add_cases(&making, list, count);
    }
    set_counts(&making);
    for (size_t i = 0; i < count; i++) {
        itr_case_release(&list[i]);
    }
    free(list);
    itr_layout_release(&all);
    return status;
}
