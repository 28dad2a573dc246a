/* Writes cells to JSON and reads them back. It does not decide what a campaign runs. */
#include "framework/cell.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void itr_cell_go(const struct itr_cell *cell, char *out, size_t room) {
    const char *label = cell->arm[0] != '\0' ? cell->arm : cell->go_label;
    int length = (int)(label[0] != '\0' ? strcspn(cell->go, "-") : strlen(cell->go));
    snprintf(out, room, "%.*s%s%s", length, cell->go, label[0] != '\0' ? " " : "", label);
}

void itr_cell_axes(const struct itr_cell *cell, char out[ITR_COMBINATION_TEXT_MAX]) {
    memcpy(out, cell->axes, sizeof cell->axes);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == '\n' ? ' ' : *at;
    }
}

void itr_cell_name(const struct itr_cell *cell, char *out, size_t room) {
    char axes[ITR_COMBINATION_TEXT_MAX];
    itr_cell_axes(cell, axes);
    snprintf(out, room, "%s%s%s%s%s", cell->case_name, axes[0] ? " " : "", axes, cell->control[0] ? " / " : "", cell->control);
}

void itr_cell_place(const struct itr_cell *cell, char *out, size_t room) {
    char axes[ITR_COMBINATION_TEXT_MAX];
    itr_cell_axes(cell, axes);
    snprintf(out, room, "%s%s%s", cell->aim.event == ITR_EVENT_NONE ? "no event" : cell->at, axes[0] ? " " : "", axes);
}

void itr_cell_title(const struct itr_cell *cell, char *out, size_t room) {
    char go[sizeof cell->go + sizeof cell->arm];
    char axes[ITR_COMBINATION_TEXT_MAX];
    itr_cell_go(cell, go, sizeof go);
    itr_cell_axes(cell, axes);
    snprintf(out, room, "%s%s%s%s%s at %s%s%s, %s%s%s", cell->case_name, axes[0] ? " " : "", axes,
             cell->control[0] ? " control " : "", cell->control, cell->aim.event == ITR_EVENT_NONE ? "no point" : cell->at,
             go[0] ? ", " : "", go, cell->system, cell->debugged ? ", debugged" : cell->aim.gate ? ", gate" : "",
             cell->record[0] ? ", recorded" : "");
}

bool itr_cell_is_same(const struct itr_cell *a, const struct itr_cell *b) {
    return strcmp(a->case_name, b->case_name) == 0 && strcmp(a->control, b->control) == 0 && strcmp(a->axes, b->axes) == 0 &&
           strcmp(a->at, b->at) == 0 && strcmp(a->go, b->go) == 0 && strcmp(a->arm, b->arm) == 0 &&
           strcmp(a->library, b->library) == 0 && strcmp(a->environment, b->environment) == 0 && strcmp(a->system, b->system) == 0;
}

void itr_cell_system(const struct itr_cell *cell, char *out, size_t room) {
    const char *way = cell->debugged ? " dbg" : cell->aim.gate ? " gate" : "";
    snprintf(out, room, "%s%s%s%s", cell->system, way, cell->record[0] ? " " : "", cell->record);
}

json_t *itr_json_hex(uint64_t value) {
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

bool itr_json_from_hex(const json_t *json, uint64_t *value) {
    const char *text = json_string_value(json);
    if (text == NULL || strncmp(text, "0x", 2) != 0 || strlen(text) > 18 || text[2] == '\0' ||
        text[2 + strspn(text + 2, "0123456789abcdef")] != '\0') {
        return false;
    }
    *value = strtoull(text + 2, NULL, 16);
    return true;
}

static json_t *string_or_null(const char *text) {
    return text[0] != '\0' ? json_string(text) : json_null();
}

/* By enum itr_point_kind. */
static const char *const kinds[] = {"time", "phase", "call", "symbol", "sweep"};
/* By enum itr_sweep_kind. */
static const char *const sweeps[] = {"none", "functions", "instructions"};

static json_t *point_to_json(const struct itr_aim *aim) {
    return json_pack("{s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:I, s:s, s:s}", "kind", kinds[aim->point.kind], "phase",
                     itr_phase_name((uint32_t)aim->point.phase), "offset_ns", (json_int_t)aim->point.offset_ns,
                     "call", itr_call_name((uint32_t)aim->point.call), "nth", (json_int_t)aim->point.nth, "hold_ns",
                     (json_int_t)aim->hold_ns, "window_from_ns", (json_int_t)aim->window_from_ns, "window_to_ns",
                     (json_int_t)aim->window_to_ns, "symbol", aim->point.symbol, "offset",
                     (json_int_t)aim->point.offset, "thread", itr_role_name((uint32_t)aim->point.role), "sweep",
                     sweeps[aim->point.sweep]);
}

/* Lines separated by newlines as a list. */
static json_t *lines_to_json(const char *lines) {
    json_t *list = json_array();
    for (const char *at = lines; *at != '\0';) {
        size_t length = strcspn(at, "\n");
        if (json_array_append_new(list, json_stringn(at, length)) != 0) {
            json_decref(list);
            return NULL;
        }
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    return list;
}

json_t *itr_cell_axes_to_json(const struct itr_cell *cell) {
    json_t *object = json_object();
    for (const char *at = cell->axes; *at != '\0';) {
        char name[ITR_COMBINATION_TEXT_MAX];
        size_t length = strcspn(at, "\n");
        size_t split = strcspn(at, "=\n");
        snprintf(name, sizeof name, "%.*s", (int)split, at);
        if (split == length || json_object_set_new(object, name, json_stringn(at + split + 1, length - split - 1)) != 0) {
            json_decref(object);
            return NULL;
        }
        at += length + (at[length] == '\n' ? 1 : 0);
    }
    return object;
}

static json_t *known_to_json(const struct itr_cell *cell) {
    json_t *list = json_array();
    for (size_t i = 0; i < cell->known_count; i++) {
        const struct itr_cell_known *known = &cell->known[i];
        json_t *one = json_pack("{s:s, s:s, s:f, s:f, s:s}", "outcome", itr_outcome_name((uint32_t)known->outcome),
                                "signature", known->signature, "rate_min", known->rate_min, "rate_max",
                                known->rate_max, "thread", known->thread);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

json_t *itr_cell_to_json(const struct itr_cell *cell) {
    return json_pack(
        "{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:o, s:s, s:o, s:o, s:o, s:o, s:I, s:I, s:s, s:o, s:I, s:I, "
        "s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:b, s:o, s:o, s:o, s:o}",
        "case", cell->case_name, "control", string_or_null(cell->control), "go", string_or_null(cell->go), "system",
        cell->system, "event", itr_event_name((uint32_t)cell->aim.event), "handles", itr_event_name((uint32_t)cell->handles), "delivery",
        itr_delivery_name((uint32_t)cell->aim.delivery), "target", itr_target_name((uint32_t)cell->aim.target), "at",
        cell->at, "debugged", (int)cell->debugged, "env", lines_to_json(cell->environment), "host", cell->host, "library",
        string_or_null(cell->library), "function", string_or_null(cell->function), "library_hash",
        string_or_null(cell->library_hash), "point", point_to_json(&cell->aim), "host_flags",
        (json_int_t)cell->host_flags, "handler_flags", (json_int_t)cell->handler_flags, "expect",
        itr_outcome_name((uint32_t)cell->expect), "known", known_to_json(cell), "deadline_ns",
        (json_int_t)cell->deadline_ns, "quiet_ns", (json_int_t)cell->quiet_ns, "first_trial",
        (json_int_t)cell->first_trial, "count", (json_int_t)cell->count, "init_p50_ns", (json_int_t)cell->init_p50_ns,
        "init_p95_ns", (json_int_t)cell->init_p95_ns, "chaos", (int)cell->chaos, "watch", lines_to_json(cell->watch),
        "skipped", string_or_null(cell->skip), "gate", (int)cell->aim.gate, "record", string_or_null(cell->record), "arm",
        string_or_null(cell->arm), "go_label", string_or_null(cell->go_label), "axes", itr_cell_axes_to_json(cell));
}

/* ---- back ---- */

static bool get_string(const json_t *object, const char *key, char *out, size_t room) {
    const json_t *value = json_object_get(object, key);
    if (json_is_null(value)) {
        out[0] = '\0';
        return true;
    }
    return json_is_string(value) && snprintf(out, room, "%s", json_string_value(value)) < (int)room;
}

static bool get_number(const json_t *object, const char *key, uint64_t *out) {
    const json_t *value = json_object_get(object, key);
    *out = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool get_number32(const json_t *object, const char *key, uint32_t *out) {
    uint64_t number = 0;
    bool good = get_number(object, key, &number) && number <= UINT32_MAX;
    *out = good ? (uint32_t)number : 0;
    return good;
}

static bool get_share(const json_t *object, const char *key, double *out) {
    const json_t *value = json_object_get(object, key);
    *out = json_number_value(value);
    return json_is_number(value) && *out >= 0 && *out <= 1;
}

static bool get_word(const json_t *object, const char *key, int (*of)(const char *), int *out) {
    const char *text = json_string_value(json_object_get(object, key));
    *out = text != NULL ? of(text) : -1;
    return *out >= 0;
}

static int index_in(const char *const *names, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static int kind_of(const char *name) {
    return index_in(kinds, sizeof kinds / sizeof kinds[0], name);
}

static int sweep_of(const char *name) {
    return index_in(sweeps, sizeof sweeps / sizeof sweeps[0], name);
}

/* What exact points have beside the others. */
static bool get_exact(const json_t *point, struct itr_point *out) {
    int role = 0;
    int sweep = 0;
    bool good = get_string(point, "symbol", out->symbol, sizeof out->symbol) &&
                get_number(point, "offset", &out->offset) && get_word(point, "thread", itr_role_of, &role) &&
                get_word(point, "sweep", sweep_of, &sweep);
    out->role = (enum itr_role)role;
    out->sweep = (enum itr_sweep_kind)sweep;
    return good;
}

static bool get_point(const json_t *object, struct itr_aim *aim) {
    int kind = 0;
    int phase = 0;
    int call = 0;
    const json_t *point = json_object_get(object, "point");
    bool good = get_word(point, "kind", kind_of, &kind) && get_word(point, "phase", itr_phase_of, &phase) &&
                get_word(point, "call", itr_call_of, &call) && get_number32(point, "nth", &aim->point.nth) &&
                get_number(point, "offset_ns", &aim->point.offset_ns) &&
                get_number(point, "hold_ns", &aim->hold_ns) &&
                get_number(point, "window_from_ns", &aim->window_from_ns) &&
                get_number(point, "window_to_ns", &aim->window_to_ns);
    if (good) {
        aim->point.kind = (enum itr_point_kind)kind;
        aim->point.phase = (enum itr_phase)phase;
        aim->point.call = (enum itr_call)call;
    }
    return good && get_exact(point, &aim->point);
}

static bool get_aim(const json_t *object, struct itr_aim *aim) {
    int event = 0;
    int delivery = 0;
    int target = 0;
    bool good = get_word(object, "event", itr_event_of, &event) &&
                get_word(object, "delivery", itr_delivery_of, &delivery) &&
                get_word(object, "target", itr_target_of, &target) && get_point(object, aim);
    aim->event = (enum itr_event)event;
    aim->delivery = (enum itr_delivery)delivery;
    aim->target = (enum itr_target)target;
    return good;
}

/* A list of strings, each a line and not empty, as lines separated by newlines. */
static bool get_lines(const json_t *list, char *lines, size_t bytes) {
    size_t used = 0;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *variable = json_string_value(json_array_get(list, i));
        size_t room = bytes - used;
        bool is_line = variable != NULL && variable[0] != '\0' && strchr(variable, '\n') == NULL;
        int wrote = is_line ? snprintf(lines + used, room, "%s%s", i > 0 ? "\n" : "", variable) : -1;
        if (wrote < 0 || (size_t)wrote >= room) {
            return false;
        }
        used += (size_t)wrote;
    }
    return json_is_array(list);
}

static bool get_known(const json_t *object, struct itr_cell *cell) {
    const json_t *list = json_object_get(object, "known");
    if (!json_is_array(list) || json_array_size(list) > ITR_CELL_KNOWN_MAX) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        struct itr_cell_known *known = &cell->known[i];
        int outcome = 0;
        if (!get_word(one, "outcome", itr_outcome_of, &outcome) ||
            !get_string(one, "signature", known->signature, sizeof known->signature) ||
            !get_share(one, "rate_min", &known->rate_min) || !get_share(one, "rate_max", &known->rate_max) ||
            !get_string(one, "thread", known->thread, sizeof known->thread)) {
            return false;
        }
        known->outcome = (enum itr_outcome)outcome;
        cell->known_count++;
    }
    return true;
}

/* Cells of earlier versions have no such fields. */
static bool get_arm(const json_t *object, struct itr_cell *cell) {
    return (json_object_get(object, "arm") == NULL || get_string(object, "arm", cell->arm, sizeof cell->arm)) &&
           (json_object_get(object, "go_label") == NULL || get_string(object, "go_label", cell->go_label, sizeof cell->go_label));
}

static bool get_axes(const json_t *object, struct itr_cell *cell) {
    json_t *axes = json_object_get(object, "axes");
    const char *name = NULL;
    json_t *value = NULL;
    size_t used = 0;
    json_object_foreach(axes, name, value) {
        const char *text = json_string_value(value);
        size_t room = sizeof cell->axes - used;
        bool is_line = text != NULL && name[0] != '\0' && strpbrk(name, "=\n") == NULL && strchr(text, '\n') == NULL;
        int wrote = is_line ? snprintf(cell->axes + used, room, "%s%s=%s", used > 0 ? "\n" : "", name, text) : -1;
        if (wrote < 0 || (size_t)wrote >= room) {
            return false;
        }
        used += (size_t)wrote;
    }
    return axes == NULL || json_is_object(axes);
}

static bool get_recorder(const json_t *object, struct itr_cell *cell) {
    return json_object_get(object, "record") == NULL ||
           (get_string(object, "record", cell->record, sizeof cell->record) &&
            (cell->record[0] == '\0' || strcmp(cell->record, "rr") == 0));
}

enum itr_status itr_cell_from_json(const json_t *json, struct itr_cell *cell, struct itr_error *err) {
    int expect = 0;
    int handles = 0;
    const json_t *debugged = json_object_get(json, "debugged");
    const json_t *chaos = json_object_get(json, "chaos");
    const json_t *gate = json_object_get(json, "gate");
    *cell = (struct itr_cell){0};
    bool good = get_string(json, "case", cell->case_name, sizeof cell->case_name) &&
                get_string(json, "control", cell->control, sizeof cell->control) &&
                get_string(json, "go", cell->go, sizeof cell->go) &&
                get_string(json, "system", cell->system, sizeof cell->system) &&
                get_string(json, "at", cell->at, sizeof cell->at) &&
                get_lines(json_object_get(json, "env"), cell->environment, sizeof cell->environment) &&
                get_string(json, "host", cell->host, sizeof cell->host) &&
                get_string(json, "library", cell->library, sizeof cell->library) &&
                get_string(json, "function", cell->function, sizeof cell->function) &&
                get_string(json, "library_hash", cell->library_hash, sizeof cell->library_hash) &&
                get_aim(json, &cell->aim) && get_word(json, "expect", itr_outcome_of, &expect) &&
                get_word(json, "handles", itr_event_of, &handles) &&
                get_number32(json, "host_flags", &cell->host_flags) &&
                get_number32(json, "handler_flags", &cell->handler_flags) && json_is_boolean(debugged) &&
                json_is_boolean(chaos) && json_is_boolean(gate) && get_lines(json_object_get(json, "watch"), cell->watch, sizeof cell->watch) &&
                get_string(json, "skipped", cell->skip, sizeof cell->skip) &&
                get_recorder(json, cell) && get_arm(json, cell) && get_axes(json, cell) &&
                get_number(json, "deadline_ns", &cell->deadline_ns) && get_number(json, "quiet_ns", &cell->quiet_ns) &&
                get_number(json, "first_trial", &cell->first_trial) && get_number(json, "count", &cell->count) &&
                get_number(json, "init_p50_ns", &cell->init_p50_ns) &&
                get_number(json, "init_p95_ns", &cell->init_p95_ns) && get_known(json, cell);
    cell->expect = (enum itr_outcome)expect;
    cell->handles = (enum itr_event)handles;
    cell->debugged = json_is_true(debugged);
    cell->chaos = json_is_true(chaos);
    cell->aim.gate = json_is_true(gate);
    return good ? ITR_OK : itr_fail(err, ITR_E_FORMAT, 0, "a cell of campaign.json cannot be read");
}
