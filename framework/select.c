/* Multiplies cases out into cells. Every choice of names is made here, once. */
#include "framework/select.h"

#include "framework/match.h"
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest time a thread is held at an exact point where neither case nor option say. An event that is not
 * taken by then is blocked in the thread it is aimed at. On a machine with a load of 20 it took more than 20 ms. */
#define EXACT_HOLD_NS UINT64_C(200000000)

/* rr's chaos holds threads back for up to two seconds: what stands still for less may yet go on. And it makes a start
 * slower than the case's deadline allows for. */
#define RECORDED_QUIET_NS UINT64_C(5000000000)
#define RECORDED_DEADLINE_NS UINT64_C(60000000000)

struct choice {
    const struct itr_case *c;
    const struct itr_variant *variant;
    const struct itr_selection *selection;
    const struct itr_layout *layout;
    const char *at; /* as asked for */
    const char *go; /* NULL: none */
    struct itr_error *err;
};

bool itr_case_runs_here(const struct itr_case *c, char *why, size_t room) {
    bool here = strcmp(itrp_system_family(), "linux") == 0 ? c->on_linux : c->on_windows;
    enum itr_event event = (enum itr_event)c->base.event;
    enum itr_delivery delivery = (enum itr_delivery)c->base.delivery;
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

static enum itr_status copy_text(const struct choice *choice, char *out, size_t room, const char *text) {
    if (snprintf(out, room, "%s", text != NULL ? text : "") >= (int)room) {
        return itr_fail(choice->err, ITR_E_LIMIT, 0, "%s: \"%.60s…\" is too long", choice->c->name, text);
    }
    return ITR_OK;
}

static enum itr_status word(const struct choice *choice, const char *option, const char *text,
                            int (*of)(const char *), int *out) {
    if (text == NULL) {
        return ITR_OK;
    }
    int value = of(text);
    if (value < 0) {
        return itr_fail(choice->err, ITR_E_USAGE, 0, "%s %s: no such word; initrace run --help lists them", option, text);
    }
    *out = value;
    return ITR_OK;
}

/* A control has its own point: it is what the case is held against, not another place to fire. */
static bool is_sweep(const struct choice *choice) {
    return choice->selection->sweep != ITR_SWEEP_NONE && choice->variant->name == NULL;
}

/* Whether the cell fires by the host's gate, and if so, that it can. A control is asked for none, but may have one. */
static enum itr_status choose_gate(const struct choice *choice, bool own, struct itr_cell *cell) {
    const struct itr_selection *s = choice->selection;
    const struct itr_point *point = &cell->aim.point;
    bool asked = s->gate && choice->variant->name == NULL;
    if (!own && !(s->gate && (asked || point->kind == ITR_POINT_SYMBOL))) {
        return ITR_OK;
    }
    if (s->chaos || s->watch.count > 0 || is_sweep(choice)) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "%s at %s: a gate fires without a debugger, and %s needs one: leave one of the two out", choice->c->name,
                        choice->at, s->chaos ? "--chaos" : is_sweep(choice) ? "--sweep" : "--watch");
    }
    if (point->kind != ITR_POINT_SYMBOL) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "--gate: expected --at SYMBOL[+OFFSET][@THREAD]; at %s no debugger is needed anyway", choice->at);
    }
    if (point->nth != 1) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "%s: a gate fires the first time only, not at #%" PRIu32 ": leave --gate out, the debugger counts",
                        choice->at, point->nth);
    }
    if (!itrp_capabilities()->gates) {
        return itr_fail(choice->err, ITR_E_UNSUPPORTED, 0,
                        "%s at %s: hosts have no gates on %s; without --gate the debugger fires there", choice->c->name,
                        choice->at, itrp_system_name());
    }
    cell->aim.gate = cell->aim.event != ITR_EVENT_NONE;
    return ITR_OK;
}

static enum itr_status choose_aim(const struct choice *choice, struct itr_cell *cell) {
    const struct itr_selection *s = choice->selection;
    const struct itr_variant *v = choice->variant;
    const struct itr_case_point *named = itr_case_point_named(choice->c, choice->at);
    int event = v->event;
    int delivery = named != NULL && named->delivery >= 0 ? named->delivery : v->delivery;
    int target = named != NULL && named->target >= 0 ? named->target : v->target;
    bool sweep = is_sweep(choice);
    enum itr_status status = sweep ? ITR_OK
                                   : itr_point_parse(named != NULL ? named->at : choice->at, &cell->aim.point, choice->err);
    if (sweep) {
        cell->aim.point = (struct itr_point){
            .kind = ITR_POINT_SWEEP, .nth = 1, .role = s->sweep_thread, .sweep = s->sweep};
    }
    /* A control that fires nothing goes on firing nothing. */
    if (status == ITR_OK && v->event != ITR_EVENT_NONE) {
        status = word(choice, "--event", s->event, itr_event_of, &event);
    }
    if (status == ITR_OK) {
        status = word(choice, "--delivery", s->delivery, itr_delivery_of, &delivery);
    }
    if (status == ITR_OK) {
        status = word(choice, "--target", s->target, itr_target_of, &target);
    }
    if (status != ITR_OK) {
        return status;
    }
    cell->aim.event = (enum itr_event)event;
    cell->handles = cell->aim.event != ITR_EVENT_NONE ? cell->aim.event : (enum itr_event)choice->c->base.event;
    cell->aim.delivery = delivery != ITR_DELIVERY_NONE ? (enum itr_delivery)delivery
                                                       : itrp_default_delivery((enum itr_event)event);
    cell->aim.target = (enum itr_target)target;
    bool exact = cell->aim.point.kind == ITR_POINT_SYMBOL || cell->aim.point.kind == ITR_POINT_SWEEP;
    uint64_t hold_ns = named != NULL && named->hold_ns != 0 ? named->hold_ns : v->hold_ns;
    cell->aim.hold_ns = s->has_hold ? s->hold_ns : hold_ns != 0 ? hold_ns : exact ? EXACT_HOLD_NS : 0;
    status = choose_gate(choice, named != NULL && named->gate, cell);
    if (status != ITR_OK) {
        return status;
    }
    cell->debugged = (exact && event != ITR_EVENT_NONE && !cell->aim.gate) || s->chaos || s->watch.count > 0;
    cell->chaos = s->chaos;
    if (cell->debugged && s->record != NULL) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "%s: --record %s goes with --at time, a phase or a call, not with exact points, --sweep, --watch or "
                        "--chaos: they need a debugger, and a host has one tracer at a time",
                        choice->c->name, s->record);
    }
    if (cell->debugged && !itrp_capabilities()->exact_points) {
        return itr_fail(choice->err, ITR_E_UNSUPPORTED, 0,
                        "%s: a debugger is needed at %s and there is none here: initrace doctor says why", choice->c->name,
                        choice->at);
    }
    if (s->has_window && cell->aim.point.kind == ITR_POINT_TIME) {
        cell->aim.window_from_ns = s->window_from_ns;
        cell->aim.window_to_ns = s->window_to_ns;
    }
    if (event != ITR_EVENT_NONE && !itrp_can_send(cell->aim.event, cell->aim.delivery)) {
        return itr_fail(choice->err, ITR_E_UNSUPPORTED, 0, "%s: %s cannot be sent by %s on this system",
                        choice->c->name, itr_event_name((uint32_t)event),
                        itr_delivery_name((uint32_t)cell->aim.delivery));
    }
    if (cell->aim.delivery == ITR_DELIVERY_TIMER && cell->aim.point.kind == ITR_POINT_CALL) {
        return itr_fail(choice->err, ITR_E_USAGE, 0, "%s: delivery timer needs a fire point in time or at a phase, not %s",
                        choice->c->name, choice->at);
    }
    bool needs_call = cell->aim.target == ITR_TARGET_CALLER || cell->aim.target == ITR_TARGET_INIT;
    if (event != ITR_EVENT_NONE && needs_call && cell->aim.point.kind != ITR_POINT_CALL && !exact) {
        return itr_fail(choice->err, ITR_E_USAGE, 0, "%s: target %s needs a fire point at a call (CALL#N) or a symbol, not %s",
                        choice->c->name, itr_target_name((uint32_t)cell->aim.target), choice->at);
    }
    return ITR_OK;
}

static bool same_variable(const char *a, const char *b) {
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length) == 0 && b[length] == '=';
}

static enum itr_status choose_environment(const struct choice *choice, struct itr_cell *cell) {
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

static enum itr_status choose_watches(const struct choice *choice, struct itr_cell *cell) {
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
static const char *arm_of(const struct choice *choice) {
    const char *arm = choice->selection->arm;
    return choice->go != NULL && arm != NULL && arm[0] != '\0' ? arm : NULL;
}

/* What people call that Go, where its name does not tell; NULL: nothing. */
static const char *label_of(const struct choice *choice) {
    const struct itr_selection *s = choice->selection;
    for (size_t i = 0; choice->go != NULL && arm_of(choice) == NULL && i < s->go.count && i < s->go_labels.count; i++) {
        if (strcmp(s->go.items[i], choice->go) == 0) {
            return s->go_labels.items[i];
        }
    }
    return NULL;
}

/* Known failures hold for the case as its file says it: not with another event, environment, target or runtime. */
static bool is_as_filed(const struct choice *choice) {
    const struct itr_selection *s = choice->selection;
    return s->event == NULL && s->delivery == NULL && s->target == NULL && s->environment.count == 0 && arm_of(choice) == NULL;
}

static enum itr_status choose_known(const struct choice *choice, struct itr_cell *cell) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < choice->c->known_count && is_as_filed(choice) && status == ITR_OK; i++) {
        const struct itr_known *known = &choice->c->known[i];
        bool here = known->system == NULL || strcmp(known->system, itrp_system_name()) == 0 ||
                    strcmp(known->system, itrp_system_family()) == 0;
        bool version = known->go == NULL || (choice->go != NULL && itr_go_in_range(choice->go, known->go));
        bool point = known->at.count == 0 || is_sweep(choice) || lists(&known->at, choice->at);
        bool kind = known->gate == ITR_KNOWN_ALL || cell->aim.gate == (known->gate == ITR_KNOWN_AT_GATES);
        bool arm = cell->control[0] == '\0' ? known->controls.count == 0 : lists(&known->controls, cell->control);
        if (!here || !version || !point || !kind || !arm) {
            continue;
        }
        if (cell->known_count == ITR_CELL_KNOWN_MAX) {
            return itr_fail(choice->err, ITR_E_LIMIT, 0, "%s: more than %d known failures apply at %s",
                            choice->c->name, ITR_CELL_KNOWN_MAX, choice->at);
        }
        struct itr_cell_known *to = &cell->known[cell->known_count++];
        to->outcome = known->outcome;
        to->rate_min = is_sweep(choice) ? 0 : known->rate_min; /* the share of failing points says nothing */
        to->rate_max = is_sweep(choice) ? 1 : known->rate_max;
        status = copy_text(choice, to->signature, sizeof to->signature,
                           known->signature != NULL ? known->signature : "*");
        if (status == ITR_OK) {
            status = copy_text(choice, to->thread, sizeof to->thread, known->thread);
        }
    }
    return status;
}

static enum itr_status add_cell(struct itr_cells *cells, const struct choice *choice) {
    struct itr_cell *grown = realloc(cells->items, (cells->count + 1) * sizeof *grown);
    const struct itr_selection *s = choice->selection;
    const struct itr_variant *v = choice->variant;
    enum itr_status status = ITR_OK;
    if (grown == NULL) {
        return itr_fail(choice->err, ITR_E_NO_MEMORY, 0, "out of memory for cells");
    }
    cells->items = grown;
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
    ITR_COPY(at, choice->at)
    ITR_COPY(record, s->record)
    ITR_COPY(host, v->host)
    ITR_COPY(library, v->library)
    ITR_COPY(function, v->function)
#undef ITR_COPY
    if (status == ITR_OK) {
        status = choose_aim(choice, cell);
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

static enum itr_status choose_versions(const struct choice *choice, struct itr_strings *versions) {
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

static bool needs_go(const struct choice *choice) {
    const char *library = choice->variant->library;
    return library != NULL && strpbrk(library, "/\\") == NULL && !itr_layout_is_plain(choice->layout, library);
}

static enum itr_status add_versions(struct itr_cells *cells, struct choice *choice) {
    struct itr_strings versions = {0};
    enum itr_status status = ITR_OK;
    if (!needs_go(choice)) {
        choice->go = NULL;
        return add_cell(cells, choice);
    }
    status = choose_versions(choice, &versions);
    for (size_t i = 0; i < versions.count && status == ITR_OK; i++) {
        choice->go = versions.items[i];
        status = add_cell(cells, choice);
    }
    if (status == ITR_OK && versions.count == 0) {
        status = itr_fail(choice->err, ITR_E_NOT_FOUND, 0,
                          "%s needs a Go library and none was built: set INITRACE_GO_ROOTS and build", choice->c->name);
    }
    itr_layout_release(&versions);
    return status;
}

static enum itr_status add_points(struct itr_cells *cells, struct choice *choice) {
    const struct itr_strings *at = &choice->selection->at;
    enum itr_status status = ITR_OK;
    if (is_sweep(choice)) {
        choice->at = choice->selection->sweep == ITR_SWEEP_FUNCTIONS ? "sweep:functions" : "sweep:instructions";
        return add_versions(cells, choice);
    }
    if (choice->variant->name != NULL || at->count == 0) {
        choice->at = choice->variant->at;
        return add_versions(cells, choice);
    }
    for (size_t i = 0; i < at->count && status == ITR_OK; i++) {
        choice->at = at->items[i];
        status = add_versions(cells, choice);
    }
    return status;
}

enum itr_status itr_select(struct itr_cells *cells, const struct itr_case *c, const struct itr_selection *selection,
                           const struct itr_layout *layout, struct itr_error *err) {
    char why[160];
    struct choice choice = {.c = c, .variant = &c->base, .selection = selection, .layout = layout, .err = err};
    enum itr_status status = ITR_OK;
    if (!itr_case_runs_here(c, why, sizeof why)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "%s %s", c->name, why);
    }
    for (size_t i = 0; i < selection->controls.count; i++) {
        if (itr_case_control(c, selection->controls.items[i]) == NULL) {
            return itr_fail(err, ITR_E_USAGE, 0, "--control %s: case %s has no such control (initrace list %s shows them)",
                            selection->controls.items[i], c->name, c->name);
        }
    }
    if (!selection->only_controls) {
        status = add_points(cells, &choice);
    }
    for (size_t i = 0; i < c->control_count && status == ITR_OK; i++) {
        if (selection->all_controls || lists(&selection->controls, c->controls[i].name)) {
            choice.variant = &c->controls[i];
            status = add_points(cells, &choice);
        }
    }
    return status;
}
