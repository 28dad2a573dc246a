/* Multiplies controls, points and other cases out by arms. */
#include "framework/compare_cells.h"

#include "framework/commands.h"
#include "framework/run_options.h"
#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct making {
    const struct itr_options *options;
    const struct itr_layout *layout;
    const struct itr_case *c;
    const struct itr_compare_arm *arms;
    size_t arm_count;
    struct itr_cells *cells;
    struct itr_compare *compare;
    struct itr_error *err;
};

/* Where a group fires. */
struct spot {
    enum itr_compare_kind kind;
    char *control; /* NULL: the case itself */
    char *at;      /* NULL: as the case says */
};

/* The one cell of an arm at a spot, added to `cells`. */
static enum itr_status select_one(const struct making *making, const struct spot *spot, const struct itr_compare_arm *arm,
                                  bool with_environment, struct itr_cells *cells) {
    struct itr_selection selection;
    char *at[] = {spot->at};
    char *control[] = {spot->control};
    char *go[] = {(char *)(uintptr_t)arm->go};
    size_t before = cells->count;
    bool guard = spot->kind == ITR_COMPARE_GUARD;
    itr_run_selection(making->options, &selection);
    selection.at = (struct itr_strings){at, spot->at != NULL ? 1 : 0};
    selection.go = (struct itr_strings){go, arm->go != NULL ? 1 : 0};
    selection.controls = (struct itr_strings){control, spot->control != NULL ? 1 : 0};
    selection.only_controls = spot->control != NULL;
    selection.environment = with_environment ? *arm->environment : (struct itr_strings){0};
    selection.count = 0; /* the rounds say how many */
    selection.control_count = 0;
    selection.axis = guard ? (struct itr_strings){0} : selection.axis;
    selection.event = guard ? NULL : selection.event;
    selection.delivery = guard ? NULL : selection.delivery;
    selection.target = guard ? NULL : selection.target;
    enum itr_status status = itr_select(cells, making->c, &selection, making->layout, making->err);
    if (status == ITR_OK && arm->library == NULL && cells->count != before + 1) {
        return itr_fail(making->err, ITR_E_USAGE, 0, "%s: an arm is one Go: \"%s\" means %zu of those that libraries were built with",
                        making->c->name, arm->go != NULL ? arm->go : "", cells->count - before);
    }
    return status;
}

/* Any Go will do to select by: the library is another one. */
static void use_library(const struct making *making, const struct itr_compare_arm *arm, struct itr_cells *cells, size_t before) {
    struct itr_cell *cell = &cells->items[before];
    cells->count = before + 1;
    if (cell->library[0] != '\0' && !itr_layout_is_plain(making->layout, cell->library)) {
        snprintf(cell->library, sizeof cell->library, "%s", arm->library);
        cell->go[0] = '\0';
    }
}

/* Known failures of the case as it is: they name signatures here, and are allowed; none is required of an arm. */
static void lend_known(const struct itr_cell *from, struct itr_cell *to) {
    memcpy(to->known, from->known, sizeof to->known);
    to->known_count = from->known_count;
    for (size_t i = 0; i < to->known_count; i++) {
        to->known[i].rate_min = 0;
        to->known[i].rate_max = to->control[0] != '\0' ? to->known[i].rate_max : 1;
    }
}

static enum itr_status add_group(const struct making *making, const struct spot *spot) {
    struct itr_compare *compare = making->compare;
    struct itr_cells plain = {0};
    if (compare->group_count == ITR_COMPARE_GROUPS_MAX) {
        return itr_fail(making->err, ITR_E_LIMIT, 0, "more than %d controls, points and other cases: compare fewer at a time",
                        (int)ITR_COMPARE_GROUPS_MAX);
    }
    struct itr_compare_group *grown = realloc(compare->groups, (compare->group_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return itr_fail(making->err, ITR_E_NO_MEMORY, 0, "out of memory for a comparison");
    }
    compare->groups = grown;
    struct itr_compare_group *group = &grown[compare->group_count];
    *group = (struct itr_compare_group){.kind = spot->kind};
    enum itr_status status = select_one(making, spot, &making->arms[0], false, &plain);
    size_t first = making->cells->count;
    for (size_t a = 0; a < making->arm_count && status == ITR_OK; a++) {
        size_t before = making->cells->count;
        status = select_one(making, spot, &making->arms[a], true, making->cells);
        if (status == ITR_OK && making->arms[a].library != NULL) {
            use_library(making, &making->arms[a], making->cells, before);
        }
        if (status == ITR_OK) {
            struct itr_cell *cell = &making->cells->items[before];
            snprintf(cell->arm, sizeof cell->arm, "%s", making->arms[a].label != NULL ? making->arms[a].label : "");
            bool own = strchr(cell->go, '-') != NULL && cell->arm[0] == '\0' && making->arms[a].name != NULL;
            snprintf(cell->go_label, sizeof cell->go_label, "%s", own ? making->arms[a].name : "");
            lend_known(&plain.items[0], cell);
            group->cells[a] = before;
        }
    }
    free(plain.items);
    if (status != ITR_OK) {
        making->cells->count = first; /* not half a group: a guard's case may be left out */
        return status;
    }
    compare->group_count++;
    return ITR_OK;
}

/* ---- points ---- */

enum { SPOTS_MAX = ITR_CASE_STRINGS_MAX + 2 };

/* How soon a point is tried: none of them costs more than the one before, and the debugger most. */
static int rank_of(const struct itr_cell *cell) {
    return cell->debugged ? 2 : cell->aim.gate ? 1 : 0;
}

struct located {
    char *at;
    struct itr_cell cell;
};

static bool is_new(const struct itr_cell *cell, const struct located *chosen, size_t count) {
    for (size_t k = 0; k < cell->known_count; k++) {
        bool seen = false;
        for (size_t i = 0; i < count && !seen; i++) {
            for (size_t m = 0; m < chosen[i].cell.known_count && !seen; m++) {
                seen = strcmp(cell->known[k].signature, chosen[i].cell.known[m].signature) == 0;
            }
        }
        if (!seen) {
            return true;
        }
    }
    return false;
}

/* The baseline's cell at a point of the case; false: it is not to be had here, which is no error for a point not asked for. */
static bool look_at(const struct making *making, char *at, struct itr_cell *cell) {
    struct itr_error ignored = {0};
    char why[256];
    struct itr_cells cells = {0};
    struct making quiet = *making;
    struct spot spot = {.kind = ITR_COMPARE_POINT, .at = at};
    quiet.err = &ignored;
    bool good = select_one(&quiet, &spot, &making->arms[0], false, &cells) == ITR_OK;
    if (good) {
        *cell = cells.items[0];
        good = !cell->debugged || itrp_can_debug(why, sizeof why);
    }
    free(cells.items);
    return good;
}

/* Of the case's own points, for each known failure one at which it shows. */
static size_t choose_located(const struct making *making, struct located *chosen, size_t room) {
    size_t count = 0;
    for (int rank = 0; rank <= 2; rank++) {
        for (size_t i = 0; i <= making->c->point_count && count < room; i++) {
            char *at = i < making->c->point_count ? making->c->points[i].name : making->c->base.at;
            struct itr_cell *cell = &chosen[count].cell;
            if (look_at(making, at, cell) && cell->aim.point.kind != ITR_POINT_TIME && rank_of(cell) == rank &&
                is_new(cell, chosen, count)) {
                chosen[count++].at = at;
            }
        }
    }
    return count;
}

static enum itr_status add_points(const struct making *making) {
    static char time[] = "time";
    const struct itr_strings *asked = &making->options->at;
    struct spot spot = {.kind = ITR_COMPARE_POINT};
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < asked->count && status == ITR_OK; i++) {
        spot.at = asked->items[i];
        status = add_group(making, &spot);
    }
    if (asked->count > 0) {
        return status;
    }
    if (itr_case_axis_of(making->c, ITR_SETS_AT) != NULL) { /* the combination says where */
        return add_group(making, &spot);
    }
    struct located *located = calloc(SPOTS_MAX, sizeof *located);
    if (located == NULL) {
        return itr_fail(making->err, ITR_E_NO_MEMORY, 0, "out of memory for a comparison's points");
    }
    size_t count = choose_located(making, located, SPOTS_MAX - 1);
    for (size_t i = 0; i < count && status == ITR_OK; i++) {
        spot.at = located[i].at;
        status = add_group(making, &spot);
    }
    /* A patch can move a window: uniform time sees it wherever it is. */
    spot.at = look_at(making, time, &located[SPOTS_MAX - 1].cell) ? time : making->c->base.at;
    if (status == ITR_OK && (spot.at == time || count == 0)) {
        status = add_group(making, &spot);
    }
    free(located);
    return status;
}

enum itr_status itr_compare_add_case(const struct itr_options *options, const struct itr_layout *layout, const struct itr_case *c,
                                     const struct itr_compare_arm *arms, size_t arm_count, struct itr_cells *cells,
                                     struct itr_compare *compare, struct itr_error *err) {
    struct making making = {options, layout, c, arms, arm_count, cells, compare, err};
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < c->control_count && status == ITR_OK; i++) {
        struct spot spot = {.kind = ITR_COMPARE_CONTROL, .control = c->controls[i].name};
        status = add_group(&making, &spot);
    }
    return status == ITR_OK ? add_points(&making) : status;
}

enum itr_status itr_compare_add_guard(const struct itr_options *options, const struct itr_layout *layout, const struct itr_case *c,
                                      const struct itr_compare_arm *arms, size_t arm_count, struct itr_cells *cells,
                                      struct itr_compare *compare, struct itr_error *err) {
    struct making making = {options, layout, c, arms, arm_count, cells, compare, err};
    struct spot spot = {.kind = ITR_COMPARE_GUARD};
    if (c->base.library == NULL || itr_layout_is_plain(layout, c->base.library)) {
        return ITR_OK; /* no Go in it: all arms are one */
    }
    return add_group(&making, &spot);
}

void itr_compare_sort(struct itr_compare *compare) {
    for (size_t i = 1; i < compare->group_count; i++) { /* stable; ITR_COMPARE_GROUPS_MAX of them at most */
        struct itr_compare_group moved = compare->groups[i];
        size_t k = i;
        for (; k > 0 && compare->groups[k - 1].kind > moved.kind; k--) {
            compare->groups[k] = compare->groups[k - 1];
        }
        compare->groups[k] = moved;
    }
}
