/* The list of a sweep and its counts. Where the axis comes from is for tracer.c to say, what the counts mean
 * for window.c. */
#include "framework/sweep.h"

#include "framework/cell.h"
#include "framework/image.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT 1

static enum itr_status no_memory(struct itr_sweep *sweep, struct itr_error *err) {
    itr_sweep_free(sweep);
    return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a sweep");
}

static void free_axis(struct itr_axis *axis) {
    if (axis != NULL) {
        itr_axis_release(axis);
        free(axis);
    }
}

/* A sweep with room for `count` places and one signature, the expected one. NULL: out of memory. */
static struct itr_sweep *allocate(size_t count) {
    struct itr_sweep *sweep = calloc(1, sizeof *sweep);
    if (sweep == NULL) {
        return NULL;
    }
    sweep->places = calloc(count + 1, sizeof *sweep->places);
    sweep->rvas = calloc(count + 1, sizeof *sweep->rvas);
    sweep->signatures[0] = strdup("");
    sweep->signature_count = 1;
    if (sweep->places == NULL || sweep->rvas == NULL || sweep->signatures[0] == NULL) {
        itr_sweep_free(sweep);
        return NULL;
    }
    return sweep;
}

static void add_place(struct itr_sweep *sweep, uint32_t position) {
    sweep->places[sweep->count].position = position;
    sweep->rvas[sweep->count] = sweep->axis->points[position].rva;
    sweep->count++;
}

enum itr_status itr_sweep_make(struct itr_sweep **out, struct itr_axis *axis, enum itr_sweep_kind kind,
                               struct itr_error *err) {
    struct itr_sweep *sweep = allocate(axis->count);
    if (sweep == NULL) {
        free_axis(axis);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a sweep");
    }
    sweep->axis = axis;
    size_t count = kind == ITR_SWEEP_INSTRUCTIONS ? axis->count : axis->entry_count;
    for (size_t i = 0; i < count; i++) {
        add_place(sweep, kind == ITR_SWEEP_INSTRUCTIONS ? (uint32_t)i : axis->entries[i]);
    }
    if (sweep->count == 0) {
        itr_sweep_free(sweep);
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "the traced thread ran nothing that could be fired at");
    }
    *out = sweep;
    return ITR_OK;
}

enum itr_status itr_sweep_some(struct itr_sweep **out, const struct itr_sweep *like, const uint32_t *positions,
                               uint32_t count, struct itr_error *err) {
    struct itr_sweep *sweep = allocate(count);
    if (sweep == NULL) {
        return no_memory(NULL, err);
    }
    sweep->axis = like->axis;
    sweep->borrows_axis = true;
    for (uint32_t i = 0; i < count; i++) {
        if (positions[i] >= like->axis->count) {
            ITR_BUG("position %u of an axis of %zu", positions[i], like->axis->count);
        }
        add_place(sweep, positions[i]);
    }
    *out = sweep;
    return ITR_OK;
}

void itr_sweep_free(struct itr_sweep *sweep) {
    if (sweep == NULL) {
        return;
    }
    if (!sweep->borrows_axis) {
        free_axis(sweep->axis);
    }
    for (uint32_t i = 0; i < sweep->signature_count; i++) {
        free(sweep->signatures[i]);
    }
    free(sweep->places);
    free(sweep->rvas);
    free(sweep);
}

uint32_t itr_signature_number(char **signatures, uint32_t *count, const char *signature) {
    for (uint32_t i = 1; i < *count; i++) {
        if (strcmp(signatures[i], signature) == 0) {
            return i;
        }
    }
    if (*count == ITR_SWEEP_SIGNATURES_MAX) {
        return ITR_SWEEP_SIGNATURES_MAX - 1;
    }
    bool last = *count == ITR_SWEEP_SIGNATURES_MAX - 1;
    char *copy = strdup(last ? "(other signatures)" : signature);
    if (copy == NULL) {
        return UINT32_MAX;
    }
    signatures[*count] = copy;
    return (*count)++;
}

void itr_sweep_count(struct itr_sweep *sweep, uint32_t index, enum itr_outcome outcome, enum itr_outcome expect,
                     const char *signature) {
    if (index >= sweep->count) {
        return; /* a record that was tampered with */
    }
    struct itr_sweep_place *place = &sweep->places[index];
    bool missed = (outcome == ITR_OUTCOME_NOT_FIRED || outcome == ITR_OUTCOME_TOOL_ERROR) && outcome != expect;
    uint32_t number = 0;
    if (!missed && outcome != expect) {
        number = itr_signature_number(sweep->signatures, &sweep->signature_count, signature);
    }
    if (missed || number == UINT32_MAX) {
        place->missed++;
        return;
    }
    place->trials++;
    place->counts[number]++;
}

/* ---- JSON ---- */

static json_t *point_to_json(const struct itr_axis_point *point, const struct itr_image *image) {
    const char *symbol = NULL;
    const char *file = NULL;
    uint64_t offset = 0;
    uint32_t line = 0;
    json_t *json = json_pack("{s:o, s:I, s:I, s:o}", "rva", itr_json_hex(point->rva), "first", (json_int_t)point->first,
                             "times", (json_int_t)point->times, "next", itr_json_hex(point->next));
    if (json != NULL && image != NULL && itr_image_symbol_at(image, point->rva, &symbol, &offset)) {
        json_object_set_new(json, "symbol", json_string(symbol));
        json_object_set_new(json, "offset", json_integer((json_int_t)offset));
    }
    if (json != NULL && image != NULL && itr_image_line_at(image, point->rva, &file, &line)) {
        json_object_set_new(json, "file", json_string(file));
        json_object_set_new(json, "line", json_integer((json_int_t)line));
    }
    return json;
}

json_t *itr_sweep_to_json(const struct itr_sweep *sweep, const struct itr_image *image) {
    json_t *axis = json_array();
    json_t *places = json_array();
    bool good = true;
    for (size_t i = 0; i < sweep->axis->count && !sweep->borrows_axis; i++) {
        good = json_array_append_new(axis, point_to_json(&sweep->axis->points[i], image)) == 0 && good;
    }
    for (uint32_t i = 0; i < sweep->count; i++) {
        good = json_array_append_new(places, json_integer((json_int_t)sweep->places[i].position)) == 0 && good;
    }
    json_t *json = good ? json_pack("{s:i, s:O, s:O}", "format", FORMAT, "axis", axis, "places", places) : NULL;
    json_decref(axis);
    json_decref(places);
    return json;
}

static bool read_point(const json_t *json, struct itr_axis_point *point) {
    uint64_t rva = 0;
    uint64_t next = 0;
    json_int_t first = json_integer_value(json_object_get(json, "first"));
    json_int_t times = json_integer_value(json_object_get(json, "times"));
    if (!itr_json_from_hex(json_object_get(json, "rva"), &rva) || !itr_json_from_hex(json_object_get(json, "next"), &next) ||
        rva > UINT32_MAX || next > UINT32_MAX || first < 0 || first > UINT32_MAX || times < 0 || times > UINT32_MAX) {
        return false;
    }
    *point = (struct itr_axis_point){
        .rva = (uint32_t)rva, .next = (uint32_t)next, .first = (uint32_t)first, .times = (uint32_t)times};
    return true;
}

/* The list of positions, each checked against the axis. */
static bool read_places(struct itr_sweep *sweep, const json_t *places) {
    for (size_t i = 0; i < json_array_size(places); i++) {
        const json_t *place = json_array_get(places, i);
        json_int_t position = json_integer_value(place);
        if (!json_is_integer(place) || position < 0 || position >= (json_int_t)sweep->axis->count) {
            return false;
        }
        add_place(sweep, (uint32_t)position);
    }
    return sweep->count > 0;
}

static bool read_axis(struct itr_axis *axis, const json_t *points) {
    for (size_t i = 0; i < json_array_size(points); i++) {
        if (!read_point(json_array_get(points, i), &axis->points[axis->count++])) {
            return false;
        }
    }
    return axis->count > 0;
}

enum itr_status itr_sweep_from_json(struct itr_sweep **out, const json_t *json, const struct itr_sweep *like,
                                    struct itr_error *err) {
    const json_t *axis = json_object_get(json, "axis");
    const json_t *places = json_object_get(json, "places");
    struct itr_sweep *sweep = allocate(json_array_size(places));
    if (sweep == NULL) {
        return no_memory(sweep, err);
    }
    bool good = json_integer_value(json_object_get(json, "format")) == FORMAT;
    if (like != NULL) {
        sweep->axis = like->axis;
        sweep->borrows_axis = true;
    } else {
        sweep->axis = calloc(1, sizeof *sweep->axis);
        if (sweep->axis == NULL ||
            (sweep->axis->points = calloc(json_array_size(axis) + 1, sizeof *sweep->axis->points)) == NULL) {
            return no_memory(sweep, err);
        }
        good = good && read_axis(sweep->axis, axis);
    }
    if (!good || !read_places(sweep, places)) {
        itr_sweep_free(sweep);
        return itr_fail(err, ITR_E_FORMAT, 0, "a sweep's file cannot be read: expected format %d with axis and places", FORMAT);
    }
    *out = sweep;
    return ITR_OK;
}
