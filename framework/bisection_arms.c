/* From an arm's words to its libraries and cells, when a bisection first asks for them. It runs no trials. */
#include "framework/bisection.h"

#include "framework/commands.h"
#include "framework/compare_cells.h"
#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- words ---- */

static enum itr_status read_arm(struct itr_bisection *b, const char *text, struct itr_error *err) {
    struct itr_bisection_arm *arm = &b->arms[b->arm_count];
    *arm = (struct itr_bisection_arm){.text = text, .cell = ITR_BISECTION_NO_CELL};
    enum itr_status status = itr_arm_parse("arm", text, &arm->spec, err);
    if (status != ITR_OK) {
        return status;
    }
    b->arm_count++; /* from here on it is released */
    for (size_t i = 0; i + 1 < b->arm_count; i++) {
        if (strcmp(b->arms[i].spec.label, arm->spec.label) == 0) {
            return itr_fail(err, ITR_E_USAGE, 0, "%s: another arm is called \"%s\" too: give it a name with ,name=LABEL", text,
                            arm->spec.label);
        }
    }
    return ITR_OK;
}

enum itr_status itr_bisection_read(struct itr_bisection *b, struct itr_error *err) {
    const struct itr_strings *words = &b->options->words;
    if (words->count < 2) {
        return itr_fail(err, ITR_E_USAGE, 0, "a bisection needs a case (initrace list shows them) and arms, the oldest first");
    }
    if (words->count - 1 > ITR_BISECTION_ARMS_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "up to %d arms at a time", (int)ITR_BISECTION_ARMS_MAX);
    }
    b->arms = calloc(words->count, sizeof *b->arms);
    if (b->arms == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for %zu arms", words->count - 1);
    }
    b->found = b->before = ITR_BISECTION_NO_CELL;
    enum itr_status status = itr_find_case(b->options, b->layout, words->items[0], &b->c, err);
    for (size_t i = 1; i < words->count && status == ITR_OK; i++) {
        status = read_arm(b, words->items[i], err);
    }
    return status;
}

void itr_bisection_release(struct itr_bisection *b) {
    for (size_t i = 0; i < b->arm_count; i++) {
        itr_arm_release(&b->arms[i].spec);
        free(b->arms[i].library);
        free(b->arms[i].controls);
    }
    free(b->arms);
    itr_case_release(&b->c);
    b->arms = NULL;
    b->arm_count = 0;
}

/* ---- libraries ---- */

static void skip(struct itr_bisection *b, size_t index, const char *why) {
    struct itr_bisection_arm *arm = &b->arms[index];
    char clean[2 * ITR_BISECTION_WHY_MAX];
    arm->state = ITR_BISECTION_SKIPPED;
    snprintf(arm->why, sizeof arm->why, "%s", why);
    itr_escape_into(clean, sizeof clean, ITR_ESCAPE_TERMINAL, arm->why, strlen(arm->why));
    fprintf(stderr, "initrace: skipped: %s: %s\n", arm->spec.label, clean);
}

/* An arm is one Go: its own, or else that of the first arm. */
static enum itr_status build(const struct itr_bisection *b, struct itr_bisection_arm *arm, struct itr_error *err) {
    const char *wanted = arm->spec.go != NULL ? arm->spec.go : b->arms[0].spec.go;
    struct itr_strings roots = {0};
    struct itr_golib golib;
    enum itr_status status = itr_golib_roots(b->layout, wanted, &roots, err);
    if (status == ITR_OK && roots.count != 1) {
        status = itr_fail(err, ITR_E_USAGE, 0, "an arm is one Go, and %s%s means %zu: say which, as in 1.26",
                          wanted != NULL ? wanted : "none", wanted != NULL ? "" : " named", roots.count);
    }
    if (status == ITR_OK) {
        struct itr_golib_request request = {.root = roots.items[0], .arm = &arm->spec};
        status = itr_golib_provide(b->layout, &request, &golib, err);
    }
    if (status == ITR_OK) {
        snprintf(arm->go, sizeof arm->go, "%s", golib.name);
    }
    itr_layout_release(&roots);
    return status;
}

/* The arm's fault, and not this program's or the machine's. */
static bool is_the_arms(enum itr_status status) {
    return status == ITR_E_USAGE || status == ITR_E_FORMAT || status == ITR_E_NOT_FOUND || status == ITR_E_UNSUPPORTED;
}

enum itr_status itr_bisection_provide(struct itr_bisection *b, size_t index, struct itr_error *err) {
    struct itr_bisection_arm *arm = &b->arms[index];
    struct itr_error why = {0};
    if (arm->provided || arm->state == ITR_BISECTION_SKIPPED) {
        return ITR_OK;
    }
    enum itr_status status =
        arm->spec.library != NULL ? itr_path_real_copy(arm->spec.library, &arm->library, &why) : build(b, arm, &why);
    arm->provided = status == ITR_OK;
    if (is_the_arms(status)) {
        skip(b, index, why.text);
        return ITR_OK;
    }
    if (status != ITR_OK) {
        *err = why;
    }
    return status;
}

/* The outermost arm that is not skipped, provided. */
static enum itr_status provide_end(struct itr_bisection *b, bool last, size_t *end, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    *end = ITR_BISECTION_NO_CELL;
    for (size_t i = 0; i < b->arm_count && status == ITR_OK && *end == ITR_BISECTION_NO_CELL; i++) {
        size_t arm = last ? b->arm_count - 1 - i : i;
        status = itr_bisection_provide(b, arm, err);
        if (status == ITR_OK && b->arms[arm].state != ITR_BISECTION_SKIPPED) {
            *end = arm;
        }
    }
    return status;
}

enum itr_status itr_bisection_provide_ends(struct itr_bisection *b, size_t *first, size_t *last, struct itr_error *err) {
    enum itr_status status = provide_end(b, false, first, err);
    return status == ITR_OK ? provide_end(b, true, last, err) : status;
}

/* ---- cells ---- */

/* The arm's controls and then its points, as a comparison would have them. The caller frees both lists. */
static enum itr_status select_cells(const struct itr_bisection *b, size_t index, const struct itr_options *options,
                                    struct itr_cells *cells, struct itr_compare *groups, struct itr_error *err) {
    const struct itr_bisection_arm *arm = &b->arms[index];
    struct itr_compare_arm one = {.name = arm->spec.label,
                                  .label = itr_arm_is_plain(&arm->spec) ? NULL : arm->spec.label,
                                  .go = arm->go[0] != '\0' ? arm->go : NULL,
                                  .library = arm->library,
                                  .environment = &arm->spec.environment};
    return itr_compare_add_case(options, b->layout, &b->c, &one, 1, cells, groups, err);
}

static const struct itr_cell *first_point(const struct itr_cells *cells, const struct itr_compare *groups) {
    for (size_t i = 0; i < groups->group_count; i++) {
        if (groups->groups[i].kind == ITR_COMPARE_POINT) {
            return &cells->items[groups->groups[i].cells[0]];
        }
    }
    return NULL;
}

/* `*located`: it is more than a random time. */
static enum itr_status point_of(struct itr_bisection *b, size_t arm, bool *located, struct itr_error *err) {
    struct itr_cells cells = {0};
    struct itr_compare groups = {0};
    char why[256];
    enum itr_status status = select_cells(b, arm, b->options, &cells, &groups, err);
    const struct itr_cell *point = status == ITR_OK ? first_point(&cells, &groups) : NULL;
    if (status == ITR_OK && point == NULL) {
        status = itr_fail(err, ITR_E_USAGE, 0, "%s has no point to fire at: say one with --at", b->c.name);
    } else if (status == ITR_OK && point->debugged && !itrp_can_debug(why, sizeof why)) {
        status = itr_fail(err, ITR_E_UNSUPPORTED, 0, "%s at %s: exact points need a debugger: %s", b->c.name, point->at, why);
    }
    if (status == ITR_OK) {
        *located = point->aim.point.kind != ITR_POINT_TIME;
        snprintf(b->at, sizeof b->at, "%s", point->at);
    }
    itr_compare_release(&groups);
    free(cells.items);
    return status;
}

enum itr_status itr_bisection_choose_point(struct itr_bisection *b, size_t first, size_t last, struct itr_error *err) {
    bool falls = b->rules.change == ITR_BISECT_DOWN;
    bool located = false;
    if (b->options->at.count > 1) {
        return itr_fail(err, ITR_E_USAGE, 0, "--at: a bisection follows the failure at one point");
    }
    enum itr_status status = point_of(b, falls ? first : last, &located, err);
    if (status == ITR_OK && !located && first != last && b->rules.change == ITR_BISECT_EITHER) {
        status = point_of(b, first, &located, err);
    }
    return status;
}

static bool is_taken(const struct itr_bisection *b, size_t cell) {
    bool taken = false;
    for (size_t i = 0; i < b->arm_count; i++) {
        taken = taken || b->arms[i].cell == cell;
        for (size_t k = 0; k < b->arms[i].control_count; k++) {
            taken = taken || b->arms[i].controls[k] == cell;
        }
    }
    return taken;
}

/* The campaign's cell for this: one that a resumed folder has, or a new one. */
static enum itr_status claim_cell(struct itr_bisection *b, const struct itr_cell *wanted, size_t *cell, struct itr_error *err) {
    for (size_t i = 0; i < b->summary.count; i++) {
        if (itr_cell_is_same(&b->summary.cells[i], wanted) && !is_taken(b, i)) {
            *cell = i;
            return ITR_OK;
        }
    }
    enum itr_status status = itr_campaign_add_cell(b->campaign, wanted, err);
    if (status == ITR_OK) {
        *cell = b->summary.count - 1;
    }
    return status;
}

static enum itr_status claim_controls(struct itr_bisection *b, struct itr_bisection_arm *arm, const struct itr_cells *cells,
                                      const struct itr_compare *groups, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    arm->controls = calloc(groups->group_count + 1, sizeof *arm->controls);
    if (arm->controls == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for controls");
    }
    for (size_t i = 0; i < groups->group_count && status == ITR_OK; i++) {
        if (groups->groups[i].kind == ITR_COMPARE_CONTROL) {
            status = claim_cell(b, &cells->items[groups->groups[i].cells[0]], &arm->controls[arm->control_count], err);
            arm->control_count += status == ITR_OK ? 1 : 0;
        }
    }
    return status;
}

enum itr_status itr_bisection_prepare(struct itr_bisection *b, size_t index, bool with_controls, struct itr_error *err) {
    struct itr_bisection_arm *arm = &b->arms[index];
    struct itr_options options = *b->options; /* shallow: all but the point is the command line's */
    char *at[] = {b->at};
    struct itr_cells cells = {0};
    struct itr_compare groups = {0};
    enum itr_status status = itr_bisection_provide(b, index, err);
    if (status != ITR_OK || arm->state == ITR_BISECTION_SKIPPED) {
        return status;
    }
    options.at = (struct itr_strings){at, itr_case_axis_of(&b->c, ITR_SETS_AT) == NULL ? 1 : 0}; /* or the combination says where */
    status = select_cells(b, index, &options, &cells, &groups, err);
    const struct itr_cell *point = status == ITR_OK ? first_point(&cells, &groups) : NULL;
    if (point != NULL && arm->cell == ITR_BISECTION_NO_CELL) {
        status = claim_cell(b, point, &arm->cell, err);
    }
    if (status == ITR_OK && with_controls && arm->controls == NULL) {
        status = claim_controls(b, arm, &cells, &groups, err);
    }
    itr_compare_release(&groups);
    free(cells.items);
    if (status == ITR_OK && arm->cell != ITR_BISECTION_NO_CELL) {
        const char *none = b->summary.cells[arm->cell].skip;
        arm->state = ITR_BISECTION_READY;
        if (none[0] != '\0') {
            skip(b, index, none);
        }
    }
    return status;
}
