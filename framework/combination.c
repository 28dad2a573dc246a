/* Multiplies axes out, names combinations and lays their changes over the case. */
#include "framework/combination.h"

#include "framework/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By enum itr_axes_form. */
static const char *const forms[ITR_AXES_FORM_COUNT] = {"quick", "all", "base"};

int itr_axes_form_of(const char *word) {
    for (int i = 0; i < ITR_AXES_FORM_COUNT; i++) {
        if (strcmp(forms[i], word) == 0) {
            return i;
        }
    }
    return -1;
}

int itr_case_axis_named(const struct itr_case *c, const char *name) {
    for (size_t i = 0; i < c->axis_count; i++) {
        if (strcmp(c->axes[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

int itr_case_axis_value_named(const struct itr_case_axis *axis, const char *name) {
    for (size_t i = 0; i < axis->count; i++) {
        if (strcmp(axis->values[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

const struct itr_case_axis *itr_case_axis_of(const struct itr_case *c, uint32_t sets) {
    for (size_t i = 0; i < c->axis_count; i++) {
        if ((c->axes[i].sets & sets) != 0) {
            return &c->axes[i];
        }
    }
    return NULL;
}

/* ---- choosing ---- */

/* "before, after, none", as far as it fits. */
static void list_values(const struct itr_case_axis *axis, char *out, size_t room) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < axis->count && used < room; i++) {
        int wrote = snprintf(out + used, room - used, "%s%s", i > 0 ? ", " : "", axis->values[i].name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

static void list_axes(const struct itr_case *c, char *out, size_t room) {
    size_t used = 0;
    snprintf(out, room, "none");
    for (size_t i = 0; i < c->axis_count && used < room; i++) {
        int wrote = snprintf(out + used, room - used, "%s%s", i > 0 ? ", " : "", c->axes[i].name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

enum itr_status itr_axes_choose(struct itr_axes_where *only, const struct itr_case *c, const char *text, struct itr_error *err) {
    char word[ITR_AXIS_VALUE_NAME_MAX + 1];
    char there[240];
    size_t length = strcspn(text, "=");
    snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : 0), text);
    int axis = itr_case_axis_named(c, word);
    if (text[length] != '=' || text[length + 1] == '\0') {
        return itr_fail(err, ITR_E_USAGE, 0, "--axis %.80s: expected NAME=VALUE or NAME=VALUE,VALUE", text);
    }
    if (axis < 0) {
        list_axes(c, there, sizeof there);
        return itr_fail(err, ITR_E_USAGE, 0, "--axis %.80s: case %s has no such axis, but %s", text, c->name, there);
    }
    for (const char *at = text + length + 1; *at != '\0';) {
        length = strcspn(at, ",");
        snprintf(word, sizeof word, "%.*s", (int)(length < sizeof word ? length : 0), at);
        int value = itr_case_axis_value_named(&c->axes[axis], word);
        if (value < 0) {
            list_values(&c->axes[axis], there, sizeof there);
            return itr_fail(err, ITR_E_USAGE, 0, "--axis %.80s: the axis %s of case %s has no value \"%s\", but %s", text,
                            c->axes[axis].name, c->name, word, there);
        }
        only->values[axis] |= UINT64_C(1) << value;
        at += length + (at[length] == ',' ? 1 : 0);
    }
    return ITR_OK;
}

/* ---- multiplying out ---- */

bool itr_where_holds(const struct itr_axes_where *where, const struct itr_combination *combination) {
    bool holds = true;
    for (size_t i = 0; i < ITR_AXES_MAX; i++) {
        holds = holds && (where->values[i] == 0 || (where->values[i] >> combination->value[i] & 1) != 0);
    }
    return holds;
}

static bool is_left_out(const struct itr_case *c, const struct itr_combination *combination) {
    bool out = false;
    for (size_t i = 0; i < c->exclude_count && !out; i++) {
        out = itr_where_holds(&c->excludes[i], combination);
    }
    return out;
}

/* The values that a system has, as a mask for each axis; `*room` how many combinations of them there are. */
static void values_of(const struct itr_case *c, const struct itr_axes_where *only, const char *family, struct itr_axes_where *have,
                      size_t *room) {
    bool linux_here = strcmp(family, "linux") == 0;
    *room = 1;
    for (size_t a = 0; a < c->axis_count; a++) {
        size_t count = 0;
        have->values[a] = 0;
        for (size_t v = 0; v < c->axes[a].count; v++) {
            const struct itr_case_axis_value *value = &c->axes[a].values[v];
            bool taken = (linux_here ? value->on_linux : value->on_windows) &&
                         (only->values[a] == 0 || (only->values[a] >> v & 1) != 0);
            have->values[a] |= taken ? UINT64_C(1) << v : 0;
            count += taken ? 1 : 0;
        }
        *room *= count;
    }
}

/* The next value of that axis which is in the mask, from `from` on; the axis's count: none. */
static size_t next_value(const struct itr_case *c, const struct itr_axes_where *have, size_t axis, size_t from) {
    while (from < c->axes[axis].count && (have->values[axis] >> from & 1) == 0) {
        from++;
    }
    return from;
}

/* To the next combination, as a number whose last digit is the last axis; false: that was the last one. */
static bool step(const struct itr_case *c, const struct itr_axes_where *have, struct itr_combination *at) {
    for (size_t a = c->axis_count; a > 0; a--) {
        size_t next = next_value(c, have, a - 1, at->value[a - 1] + 1u);
        if (next < c->axes[a - 1].count) {
            at->value[a - 1] = (uint8_t)next;
            return true;
        }
        at->value[a - 1] = (uint8_t)next_value(c, have, a - 1, 0);
    }
    return false;
}

static struct itr_combination first_of(const struct itr_case *c, const struct itr_axes_where *have) {
    struct itr_combination at = {{0}};
    for (size_t a = 0; a < c->axis_count; a++) {
        at.value[a] = (uint8_t)next_value(c, have, a, 0);
    }
    return at;
}

/* All that are not left out, in order; `list` has room for them. */
static void multiply(const struct itr_case *c, const struct itr_axes_where *have, struct itr_combinations *list) {
    struct itr_combination at = first_of(c, have);
    do {
        if (!is_left_out(c, &at)) {
            list->items[list->count++] = at;
        }
    } while (step(c, have, &at));
}

bool itr_combination_base(const struct itr_case *c, const char *family, struct itr_combination *base) {
    const struct itr_axes_where all = {{0}};
    struct itr_axes_where have = {{0}};
    size_t room = 0;
    values_of(c, &all, family, &have, &room);
    struct itr_combination at = first_of(c, &have);
    bool there = room > 0;
    while (there && is_left_out(c, &at)) {
        there = step(c, &have, &at);
    }
    *base = at;
    return there;
}

static unsigned difference(const struct itr_combination *a, const struct itr_combination *b) {
    unsigned count = 0;
    for (size_t i = 0; i < ITR_AXES_MAX; i++) {
        count += a->value[i] != b->value[i] ? 1 : 0;
    }
    return count;
}

/* Of those with that value, the first of those that differ least from the base; the list's count: there is none. */
static size_t nearest(const struct itr_combinations *all, size_t axis, size_t value) {
    size_t best = all->count;
    unsigned least = ITR_AXES_MAX + 1;
    for (size_t i = 0; i < all->count; i++) {
        unsigned differs = all->items[i].value[axis] == value ? difference(&all->items[i], &all->items[0]) : least;
        if (differs < least) {
            best = i;
            least = differs;
        }
    }
    return best;
}

/* The quick form of all, in the order of axes and values. `taken`: a false for each of all. */
static void keep_quick(const struct itr_case *c, const struct itr_combinations *all, bool *taken, struct itr_combinations *list) {
    list->items[list->count++] = all->items[0];
    taken[0] = true;
    for (size_t a = 0; a < c->axis_count; a++) {
        for (size_t v = 0; v < c->axes[a].count; v++) {
            size_t at = v != all->items[0].value[a] ? nearest(all, a, v) : all->count;
            if (at < all->count && !taken[at]) {
                taken[at] = true;
                list->items[list->count++] = all->items[at];
            }
        }
    }
}

static enum itr_status make_quick(const struct itr_case *c, struct itr_combinations *list, struct itr_error *err) {
    struct itr_combinations quick = {.items = calloc(list->count, sizeof *quick.items)};
    bool *taken = calloc(list->count, sizeof *taken);
    if (quick.items == NULL || taken == NULL) {
        free(quick.items);
        free(taken);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for combinations");
    }
    keep_quick(c, list, taken, &quick);
    free(taken);
    free(list->items);
    *list = quick;
    return ITR_OK;
}

enum itr_status itr_combinations(const struct itr_case *c, const struct itr_axes_choice *choice, const char *family,
                                 struct itr_combinations *list, struct itr_error *err) {
    struct itr_axes_where have = {{0}};
    size_t room = 0;
    enum itr_status status = ITR_OK;
    values_of(c, &choice->only, family, &have, &room);
    *list = (struct itr_combinations){.items = calloc(room + 1, sizeof *list->items)};
    if (list->items == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for combinations");
    }
    if (room > 0) {
        multiply(c, &have, list);
    }
    if (choice->form == ITR_AXES_BASE && list->count > 1) {
        list->count = 1;
    } else if (choice->form == ITR_AXES_QUICK && list->count > 1) {
        status = make_quick(c, list, err);
    }
    if (status != ITR_OK) {
        free(list->items);
        *list = (struct itr_combinations){0};
    }
    return status;
}

/* ---- names and changes ---- */

bool itr_combination_has_go(const struct itr_case *c, const struct itr_combination *combination, const char *go) {
    bool has = true;
    for (size_t a = 0; a < c->axis_count && has && go != NULL; a++) {
        const char *range = c->axes[a].values[combination->value[a]].go;
        has = range == NULL || itr_go_in_range(go, range);
    }
    return has;
}

void itr_combination_name(const struct itr_case *c, const struct itr_combination *combination, char between,
                          char out[ITR_COMBINATION_TEXT_MAX]) {
    size_t used = 0;
    out[0] = '\0';
    for (size_t a = 0; a < c->axis_count && used < ITR_COMBINATION_TEXT_MAX; a++) {
        char space[2] = {a > 0 ? between : '\0', '\0'};
        int wrote = snprintf(out + used, ITR_COMBINATION_TEXT_MAX - used, "%s%s=%s", space, c->axes[a].name,
                             c->axes[a].values[combination->value[a]].name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

static bool is_same_variable(const char *a, const char *b) {
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

/* Lays variables over those that are there, by their names. */
static void add_variables(struct itr_combined *out, const struct itr_strings *more) {
    struct itr_strings *to = &out->variant.environment;
    for (size_t i = 0; i < more->count; i++) {
        size_t at = 0;
        while (at < to->count && !is_same_variable(to->items[at], more->items[i])) {
            at++;
        }
        if (at < ITR_COMBINED_ENVIRONMENT_MAX) {
            to->items[at] = more->items[i];
            to->count += at == to->count ? 1 : 0;
        }
    }
}

/* All keys but env. */
static void lay_over(struct itr_variant *to, const struct itr_variant *changes) {
    uint32_t sets = changes->sets;
    to->host = sets & ITR_SETS_HOST ? changes->host : to->host;
    to->library = sets & ITR_SETS_LIBRARY ? changes->library : to->library;
    to->function = sets & ITR_SETS_FUNCTION ? changes->function : to->function;
    to->event = sets & ITR_SETS_EVENT ? changes->event : to->event;
    to->delivery = sets & ITR_SETS_DELIVERY ? changes->delivery : to->delivery;
    to->target = sets & ITR_SETS_TARGET ? changes->target : to->target;
    to->at = sets & ITR_SETS_AT ? changes->at : to->at;
    to->hold_ns = sets & ITR_SETS_HOLD ? changes->hold_ns : to->hold_ns;
    to->handler_flags = sets & ITR_SETS_HANDLER ? changes->handler_flags : to->handler_flags;
    to->host_flags = sets & ITR_SETS_FLAGS ? changes->host_flags : to->host_flags;
    to->expect = sets & ITR_SETS_EXPECT ? changes->expect : to->expect;
}

void itr_combine(const struct itr_case *c, const struct itr_combination *combination, const struct itr_variant *control,
                 struct itr_combined *out) {
    out->variant = c->base;
    out->variant.environment = (struct itr_strings){out->environment, 0};
    out->by_axes = 0;
    add_variables(out, &c->base.environment);
    for (size_t a = 0; a < c->axis_count; a++) {
        const struct itr_variant *changes = &c->axes[a].values[combination->value[a]].changes;
        lay_over(&out->variant, changes);
        add_variables(out, &changes->environment);
        out->by_axes |= changes->sets;
    }
    for (size_t i = 0; i < c->expectation_count; i++) {
        bool holds = itr_where_holds(&c->expectations[i].where, combination);
        out->variant.expect = holds ? c->expectations[i].expect : out->variant.expect;
    }
    if (control == NULL) {
        return;
    }
    lay_over(&out->variant, control);
    out->variant.name = control->name;
    out->by_axes &= ~control->sets;
    if ((control->sets & ITR_SETS_ENVIRONMENT) != 0) {
        out->variant.environment.count = 0;
        add_variables(out, &control->environment);
    }
}
