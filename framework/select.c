/* Multiplies cases out into cells. Every choice of names is made here, once. */
#include "framework/select.h"
#include "framework/select_parts.h"

#include "framework/match.h"
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* rr's chaos holds threads back for up to two seconds: what stands still for less may yet go on. And it makes a start
 * slower than the case's deadline allows for. */
#define RECORDED_QUIET_NS UINT64_C(5000000000)
#define RECORDED_DEADLINE_NS UINT64_C(60000000000)

/* The base combination here; false: there is none. */
static bool combine_base(const struct itr_case *c, struct itr_combined *combined) {
    struct itr_combination base;
    bool any = itr_combination_base(c, itrp_system_family(), &base);
    if (any) {
        itr_combine(c, &base, NULL, combined);
    }
    return any;
}

size_t itr_case_combinations_here(const struct itr_case *c, enum itr_axes_form form) {
    struct itr_axes_choice choice = {.form = form};
    struct itr_combinations list = {0};
    size_t count = itr_combinations(c, &choice, itrp_system_family(), &list, NULL) == ITR_OK ? list.count : 0;
    free(list.items);
    return count;
}

bool itr_case_runs_here(const struct itr_case *c, char *why, size_t room) {
    bool here = strcmp(itrp_system_family(), "linux") == 0 ? c->on_linux : c->on_windows;
    struct itr_combined base = {.variant = c->base};
    here = here && combine_base(c, &base);
    enum itr_event event = (enum itr_event)base.variant.event;
    enum itr_delivery delivery = (enum itr_delivery)base.variant.delivery;
    if (!here) {
        snprintf(why, room, "is for %s, this is %s", c->on_linux ? "linux" : "windows", itrp_system_name());
        return false;
    }
    if (event != ITR_EVENT_NONE && delivery != ITR_DELIVERY_NONE && !itrp_can_send(event, delivery)) {
        snprintf(why, room, "%s cannot be sent by %s here", itr_event_name((uint32_t)event),
                 itr_delivery_name((uint32_t)delivery));
        return false;
    }
    return true;
}

static enum itr_status copy_text(const struct itr_choice *choice, char *out, size_t room, const char *text) {
    if (snprintf(out, room, "%s", text != NULL ? text : "") >= (int)room) {
        return itr_fail(choice->err, ITR_E_LIMIT, 0, "%s: \"%.60s…\" is too long", choice->c->name, text);
    }
    return ITR_OK;
}

static bool same_variable(const char *a, const char *b) {
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

static enum itr_status choose_environment(const struct itr_choice *choice, struct itr_cell *cell) {
    const struct itr_strings *own = &choice->variant->environment;
    const struct itr_strings *more = &choice->selection->environment;
    size_t used = 0;
    for (size_t i = 0; i < own->count + more->count; i++) {
        const char *variable = i < own->count ? own->items[i] : more->items[i - own->count];
        bool replaced = false;
        for (size_t k = 0; i < own->count && k < more->count; k++) {
            replaced = replaced || same_variable(variable, more->items[k]);
        }
        if (replaced) {
            continue;
        }
        if (strchr(variable, '=') == NULL || strchr(variable, '\n') != NULL) {
            return itr_fail(choice->err, ITR_E_USAGE, 0, "--env %s: expected NAME=VALUE on one line", variable);
        }
        int wrote = snprintf(cell->environment + used, sizeof cell->environment - used, "%s%s", used > 0 ? "\n" : "",
                             variable);
        if (wrote < 0 || (size_t)wrote >= sizeof cell->environment - used) {
            return itr_fail(choice->err, ITR_E_LIMIT, 0, "%s: more than %d bytes of environment", choice->c->name,
                            ITR_ENVIRONMENT_MAX);
        }
        used += (size_t)wrote;
    }
    return ITR_OK;
}

static enum itr_status choose_watches(const struct itr_choice *choice, struct itr_cell *cell) {
    const struct itr_strings *watch = &choice->selection->watch;
    size_t used = 0;
    if (watch->count > ITRP_DEBUG_WATCHES_MAX) {
        return itr_fail(choice->err, ITR_E_USAGE, 0, "--watch: at most %d variables at a time: the processor has four debug registers",
                        (int)ITRP_DEBUG_WATCHES_MAX);
    }
    for (size_t i = 0; i < watch->count; i++) {
        int wrote = snprintf(cell->watch + used, sizeof cell->watch - used, "%s%s", i > 0 ? "\n" : "", watch->items[i]);
        if (wrote < 0 || (size_t)wrote >= sizeof cell->watch - used) {
            return itr_fail(choice->err, ITR_E_LIMIT, 0, "--watch %s: too long", watch->items[i]);
        }
        used += (size_t)wrote;
    }
    return ITR_OK;
}

static bool lists(const struct itr_strings *strings, const char *text) {
    for (size_t i = 0; i < strings->count; i++) {
        if (strcmp(strings->items[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* The arm whose libraries the cell loads; NULL: none changes them. */
static const char *arm_of(const struct itr_choice *choice) {
    const char *arm = choice->selection->arm;
    return choice->go != NULL && arm != NULL && arm[0] != '\0' ? arm : NULL;
}

/* What people call that Go, where its name does not tell; NULL: nothing. */
static const char *label_of(const struct itr_choice *choice) {
    const struct itr_selection *s = choice->selection;
    for (size_t i = 0; choice->go != NULL && arm_of(choice) == NULL && i < s->go.count && i < s->go_labels.count; i++) {
        if (strcmp(s->go.items[i], choice->go) == 0) {
            return s->go_labels.items[i];
        }
    }
    return NULL;
}

/* Known failures hold for the case as its file says it: not with another event, environment, target or runtime. */
static bool is_as_filed(const struct itr_choice *choice) {
    const struct itr_selection *s = choice->selection;
    return s->event == NULL && s->delivery == NULL && s->target == NULL && s->environment.count == 0 && arm_of(choice) == NULL;
}

static enum itr_status choose_known(const struct itr_choice *choice, struct itr_cell *cell) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < choice->c->known_count && is_as_filed(choice) && status == ITR_OK; i++) {
        const struct itr_known *known = &choice->c->known[i];
        bool here = known->system == NULL || strcmp(known->system, itrp_system_name()) == 0 ||
                    strcmp(known->system, itrp_system_family()) == 0;
        bool version = known->go == NULL || (choice->go != NULL && itr_go_in_range(choice->go, known->go));
        bool point = known->at.count == 0 || itr_choice_is_sweep(choice) || lists(&known->at, choice->at);
        bool kind = known->gate == ITR_KNOWN_ALL || cell->aim.gate == (known->gate == ITR_KNOWN_AT_GATES);
        bool arm = cell->control[0] == '\0' ? known->controls.count == 0 : lists(&known->controls, cell->control);
        bool combination = itr_where_holds(&known->where, choice->combination);
        if (!here || !version || !point || !kind || !arm || !combination) {
            continue;
        }
        if (cell->known_count == ITR_CELL_KNOWN_MAX) {
            return itr_fail(choice->err, ITR_E_LIMIT, 0, "%s: more than %d known failures apply at %s",
                            choice->c->name, ITR_CELL_KNOWN_MAX, choice->at);
        }
        struct itr_cell_known *to = &cell->known[cell->known_count++];
        to->outcome = known->outcome;
        to->rate_min = itr_choice_is_sweep(choice) ? 0 : known->rate_min; /* the share of failing points says nothing */
        to->rate_max = itr_choice_is_sweep(choice) ? 1 : known->rate_max;
        status = copy_text(choice, to->signature, sizeof to->signature,
                           known->signature != NULL ? known->signature : "*");
        if (status == ITR_OK) {
            status = copy_text(choice, to->thread, sizeof to->thread, known->thread);
        }
    }
    return status;
}

static enum itr_status add_cell(struct itr_cells *cells, const struct itr_choice *choice) {
    struct itr_cell *grown = realloc(cells->items, (cells->count + 1) * sizeof *grown);
    const struct itr_selection *s = choice->selection;
    const struct itr_variant *v = choice->variant;
    enum itr_status status = ITR_OK;
    if (grown == NULL) {
        return itr_fail(choice->err, ITR_E_NO_MEMORY, 0, "out of memory for cells");
    }
    cells->items = grown;
    if (cells->count == ITR_CELLS_MAX) {
        return itr_fail(choice->err, ITR_E_LIMIT, 0, "%s: more than %d cells: choose by --axis, --go or --at, or run cases one by one",
                        choice->c->name, (int)ITR_CELLS_MAX);
    }
    struct itr_cell *cell = &cells->items[cells->count];
    *cell = (struct itr_cell){.host_flags = v->host_flags,
                              .handler_flags = v->handler_flags,
                              .expect = v->expect,
                              .deadline_ns = s->deadline_ns != 0 ? s->deadline_ns : choice->c->deadline_ns,
                              .quiet_ns = choice->c->quiet_ns,
                              .count = v->name != NULL && s->control_count > 0 ? s->control_count : s->count};
    if (s->record != NULL) {
        cell->quiet_ns = cell->quiet_ns > RECORDED_QUIET_NS ? cell->quiet_ns : RECORDED_QUIET_NS;
        cell->deadline_ns = s->deadline_ns != 0 || cell->deadline_ns > RECORDED_DEADLINE_NS ? cell->deadline_ns
                                                                                           : RECORDED_DEADLINE_NS;
    }
    if (s->no_exception_record) {
        cell->host_flags &= ~(uint32_t)ITR_HOST_RECORD_EXCEPTIONS;
    }
#define ITR_COPY(field, text)                                                                      \
    if (status == ITR_OK) {                                                                        \
        status = copy_text(choice, cell->field, sizeof cell->field, text);                         \
    }
    ITR_COPY(case_name, choice->c->name)
    ITR_COPY(control, v->name)
    ITR_COPY(go, choice->go)
    ITR_COPY(go_label, label_of(choice))
    ITR_COPY(arm, arm_of(choice))
    ITR_COPY(system, itrp_system_name())
    itr_combination_name(choice->c, choice->combination, '\n', cell->axes);
    ITR_COPY(at, choice->at)
    ITR_COPY(record, s->record)
    ITR_COPY(host, v->host)
    ITR_COPY(library, v->library)
    ITR_COPY(function, v->function)
#undef ITR_COPY
    if (status == ITR_OK) {
        status = itr_choice_aim(choice, cell);
    }
    if (status == ITR_OK) {
        status = choose_environment(choice, cell);
    }
    if (status == ITR_OK) {
        status = choose_watches(choice, cell);
    }
    if (status == ITR_OK) {
        status = choose_known(choice, cell);
    }
    if (status != ITR_OK) {
        return status;
    }
    if (cells->count > 0) {
        const struct itr_cell *before = &cells->items[cells->count - 1];
        cell->first_trial = before->first_trial + before->count;
    }
    cells->count++;
    return ITR_OK;
}

static enum itr_status choose_versions(const struct itr_choice *choice, struct itr_strings *versions) {
    const struct itr_strings *wanted = &choice->selection->go;
    struct itr_strings all = {0};
    enum itr_status status = itr_layout_go_versions(choice->layout, &all, choice->err);
    for (size_t w = 0; w < wanted->count && status == ITR_OK; w++) {
        bool found = false;
        for (size_t i = 0; i < all.count && !found; i++) {
            found = itr_go_means(wanted->items[w], all.items[i]);
        }
        if (!found) {
            status = itr_fail(choice->err, ITR_E_NOT_FOUND, 0,
                              "--go %s: no library was built with it; add its GOROOT to INITRACE_GO_ROOTS and build",
                              wanted->items[w]);
        }
    }
    if (status != ITR_OK) {
        itr_layout_release(&all);
        return status;
    }
    size_t kept = 0;
    for (size_t i = 0; i < all.count; i++) {
        bool keep = wanted->count == 0 && strchr(all.items[i], '-') == NULL; /* not those of --go ROOT */
        for (size_t w = 0; w < wanted->count && !keep; w++) {
            keep = itr_go_means(wanted->items[w], all.items[i]);
        }
        if (keep) {
            all.items[kept++] = all.items[i];
        } else {
            free(all.items[i]);
        }
    }
    all.count = kept;
    *versions = all;
    return ITR_OK;
}

static bool needs_go(const struct itr_choice *choice) {
    const char *library = choice->variant->library;
    return library != NULL && strpbrk(library, "/\\") == NULL && !itr_layout_is_plain(choice->layout, library);
}

/* Those that the selection means, looked up once, when the first cell needs one. */
static enum itr_status have_versions(struct itr_choice *choice) {
    enum itr_status status = choice->has_versions ? ITR_OK : choose_versions(choice, &choice->versions);
    choice->has_versions = choice->has_versions || status == ITR_OK;
    return status;
}

static enum itr_status add_versions(struct itr_cells *cells, struct itr_choice *choice) {
    if (!needs_go(choice)) {
        choice->go = NULL;
        return add_cell(cells, choice);
    }
    enum itr_status status = have_versions(choice);
    for (size_t i = 0; i < choice->versions.count && status == ITR_OK; i++) {
        choice->go = choice->versions.items[i];
        if (itr_combination_has_go(choice->c, choice->combination, choice->go)) {
            status = add_cell(cells, choice);
        }
    }
    if (status == ITR_OK && choice->versions.count == 0) {
        status = itr_fail(choice->err, ITR_E_NOT_FOUND, 0,
                          "%s needs a Go library and none was built: set INITRACE_GO_ROOTS and build", choice->c->name);
    }
    return status;
}

/* At one point, or where the variant says (NULL). */
static enum itr_status add_combinations(struct itr_cells *cells, struct itr_choice *choice, const char *at,
                                        const struct itr_combinations *list) {
    enum itr_status status = ITR_OK;
    bool all = choice->control == NULL || choice->control->on_axes;
    for (size_t i = 0; i < list->count && (all || i == 0) && status == ITR_OK; i++) {
        struct itr_combined combined;
        itr_combine(choice->c, &list->items[i], NULL, &combined);
        choice->handles = (enum itr_event)combined.variant.event;
        if (choice->control != NULL) {
            itr_combine(choice->c, &list->items[i], choice->control, &combined);
        }
        choice->combination = &list->items[i];
        choice->combined = &combined;
        choice->variant = &combined.variant;
        choice->may_skip = i > 0;
        choice->at = at != NULL ? at : combined.variant.at;
        status = add_versions(cells, choice);
    }
    choice->combined = NULL;
    choice->variant = NULL;
    return status;
}

static enum itr_status add_points(struct itr_cells *cells, struct itr_choice *choice, const struct itr_combinations *list) {
    const struct itr_strings *at = &choice->selection->at;
    enum itr_status status = ITR_OK;
    if (choice->selection->sweep != ITR_SWEEP_NONE && choice->control == NULL) {
        return add_combinations(cells, choice, choice->selection->sweep == ITR_SWEEP_FUNCTIONS ? "sweep:functions" : "sweep:instructions",
                                list);
    }
    if (choice->control != NULL || at->count == 0) {
        return add_combinations(cells, choice, NULL, list);
    }
    for (size_t i = 0; i < at->count && status == ITR_OK; i++) {
        status = add_combinations(cells, choice, at->items[i], list);
    }
    return status;
}

/* ---- combinations ---- */

/* An option that would take from an axis what its values differ in. */
static enum itr_status check_options(const struct itr_choice *choice) {
    const struct itr_selection *s = choice->selection;
    const struct {
        const char *option;
        bool given;
        uint32_t sets;
    } options[] = {
        {"event", s->event != NULL, ITR_SETS_EVENT},
        {"delivery", s->delivery != NULL, ITR_SETS_DELIVERY},
        {"target", s->target != NULL, ITR_SETS_TARGET},
        {"hold", s->has_hold, ITR_SETS_HOLD},
        {"at", s->at.count > 0, ITR_SETS_AT},
        {"sweep", s->sweep != ITR_SWEEP_NONE && s->axes != ITR_AXES_BASE, ITR_SETS_AT},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const struct itr_case_axis *axis = options[i].given ? itr_case_axis_of(choice->c, options[i].sets) : NULL;
        if (axis != NULL) {
            return itr_fail(choice->err, ITR_E_USAGE, 0, "--%s: that is what the axis %s of case %s is about: choose by --axis %s=VALUE%s",
                            options[i].option, axis->name, choice->c->name, axis->name,
                            options[i].sets == ITR_SETS_AT && s->sweep != ITR_SWEEP_NONE ? " and --axes base" : "");
        }
    }
    return ITR_OK;
}

/* The combinations that are wanted, at least one. */
static enum itr_status choose_combinations(const struct itr_choice *choice, struct itr_combinations *list) {
    const struct itr_selection *s = choice->selection;
    struct itr_axes_choice wanted = {.form = s->axes};
    enum itr_status status = check_options(choice);
    for (size_t i = 0; i < s->axis.count && status == ITR_OK; i++) {
        status = itr_axes_choose(&wanted.only, choice->c, s->axis.items[i], choice->err);
    }
    for (size_t a = 0; a < choice->c->axis_count && s->axes == ITR_AXES_BASE && status == ITR_OK; a++) {
        if ((wanted.only.values[a] & (wanted.only.values[a] - 1)) != 0) {
            status = itr_fail(choice->err, ITR_E_USAGE, 0, "--axis %s=…: one value of it, since one combination is run",
                              choice->c->axes[a].name);
        }
    }
    if (status == ITR_OK) {
        status = itr_combinations(choice->c, &wanted, itrp_system_family(), list, choice->err);
    }
    if (status == ITR_OK && list->count == 0) {
        status = itr_fail(choice->err, ITR_E_UNSUPPORTED, 0,
                          "%s: what --axis chose does not go together, or not on %s (initrace list %s shows the axes)", choice->c->name,
                          itrp_system_name(), choice->c->name);
    }
    return status;
}

static enum itr_status add_all(struct itr_cells *cells, struct itr_choice *choice, const struct itr_combinations *list) {
    const struct itr_selection *s = choice->selection;
    const struct itr_case *c = choice->c;
    size_t before = cells->count;
    enum itr_status status = s->only_controls ? ITR_OK : add_points(cells, choice, list);
    if (status == ITR_OK && !s->only_controls && cells->count == before) {
        status = itr_fail(choice->err, ITR_E_UNSUPPORTED, 0, "%s: none of the chosen Go versions has what --axis chose", c->name);
    }
    for (size_t i = 0; i < c->control_count && status == ITR_OK; i++) {
        if (s->all_controls || lists(&s->controls, c->controls[i].name)) {
            choice->control = &c->controls[i];
            status = add_points(cells, choice, list);
        }
    }
    return status;
}

enum itr_status itr_select(struct itr_cells *cells, const struct itr_case *c, const struct itr_selection *selection,
                           const struct itr_layout *layout, struct itr_error *err) {
    char why[160];
    struct itr_choice choice = {.c = c, .selection = selection, .layout = layout, .err = err};
    struct itr_combinations list = {0};
    if (!itr_case_runs_here(c, why, sizeof why)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "%s %s", c->name, why);
    }
    for (size_t i = 0; i < selection->controls.count; i++) {
        if (itr_case_control(c, selection->controls.items[i]) == NULL) {
            return itr_fail(err, ITR_E_USAGE, 0, "--control %s: case %s has no such control (initrace list %s shows them)",
                            selection->controls.items[i], c->name, c->name);
        }
    }
    enum itr_status status = choose_combinations(&choice, &list);
    if (status == ITR_OK) {
        status = add_all(cells, &choice, &list);
    }
    itr_layout_release(&choice.versions);
    free(list.items);
    return status;
}
