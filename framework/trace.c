/* Builds the axis: a hash table of the first trace's instructions, a pass over each other trace, the
 * longest common order. Names are looked up when they are asked for. */
#include "framework/trace.h"
#include "framework/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NEVER UINT32_MAX

/* What the building needs; all of it is freed at its end. */
struct builder {
    void *(*reallocate)(void *, size_t);
    struct itr_axis_point *points;
    size_t count;
    size_t room;
    uint32_t *slots; /* index + 1 of a point, by a hash of its rva; 0: free */
    size_t slot_mask;
    uint32_t *met;  /* per point: first execution in the trace under way */
    bool *lacking;  /* per point: a trace does not have it */
    bool *disorder; /* per point: a trace has it elsewhere */
};

static void *make(const struct builder *builder, size_t count, size_t bytes) {
    return builder->reallocate(NULL, count > 0 ? count * bytes : bytes);
}

static size_t slot_of(const struct builder *builder, uint32_t rva) {
    size_t slot = (size_t)((rva * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & builder->slot_mask;
    while (builder->slots[slot] != 0 && builder->points[builder->slots[slot] - 1].rva != rva) {
        slot = (slot + 1) & builder->slot_mask;
    }
    return slot;
}

/* Doubles the points' room and the table, which stays at most half full. */
static bool grow(struct builder *builder) {
    size_t room = builder->room == 0 ? 1024 : builder->room * 2;
    struct itr_axis_point *points =
        builder->reallocate(builder->points, room * sizeof *builder->points);
    uint32_t *slots;
    if (points == NULL) {
        return false;
    }
    builder->points = points;
    slots = make(builder, room * 2, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    memset(slots, 0, room * 2 * sizeof *slots);
    free(builder->slots);
    builder->slots = slots;
    builder->slot_mask = room * 2 - 1;
    builder->room = room;
    for (size_t i = 0; i < builder->count; i++) {
        slots[slot_of(builder, points[i].rva)] = (uint32_t)i + 1;
    }
    return true;
}

static enum itr_status read_first(struct builder *builder, const struct itr_trace *trace,
                                  struct itr_error *err) {
    if (!grow(builder)) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "the axis of a trace: out of memory");
    }
    for (size_t i = 0; i < trace->count; i++) {
        size_t slot = slot_of(builder, trace->rvas[i]);
        if (builder->slots[slot] != 0) {
            builder->points[builder->slots[slot] - 1].times++;
            continue;
        }
        if (builder->count == ITR_AXIS_POINTS_MAX) {
            return itr_fail(err, ITR_E_LIMIT, 0, "a trace has more than %d distinct instructions",
                            ITR_AXIS_POINTS_MAX);
        }
        if (builder->count == builder->room) {
            if (!grow(builder)) {
                return itr_fail(err, ITR_E_NO_MEMORY, 0, "the axis of a trace: out of memory");
            }
            slot = slot_of(builder, trace->rvas[i]);
        }
        builder->points[builder->count] = (struct itr_axis_point){
            .rva = trace->rvas[i],
            .next = i + 1 < trace->count ? trace->rvas[i + 1] : 0,
            .first = (uint32_t)i,
            .times = 1,
        };
        builder->slots[slot] = (uint32_t)++builder->count;
    }
    return ITR_OK;
}

/* Marks what `trace` lacks of the points. */
static void read_another(struct builder *builder, const struct itr_trace *trace) {
    for (size_t i = 0; i < builder->count; i++) {
        builder->met[i] = NEVER;
    }
    for (size_t i = 0; i < trace->count; i++) {
        uint32_t point = builder->slots[slot_of(builder, trace->rvas[i])];
        if (point != 0 && builder->met[point - 1] == NEVER) {
            builder->met[point - 1] = (uint32_t)i;
        }
    }
    for (size_t i = 0; i < builder->count; i++) {
        builder->lacking[i] = builder->lacking[i] || builder->met[i] == NEVER;
    }
}

/* Marks the points outside one longest run of points (not of neighbours) whose first executions rise in
 * the trace under way: patience sorting, `tails` and `before` have room for all points. */
static void mark_disorder(struct builder *builder, uint32_t *tails, uint32_t *before) {
    size_t length = 0;
    for (size_t i = 0; i < builder->count; i++) {
        size_t low = 0;
        size_t high = length;
        if (builder->met[i] == NEVER || builder->lacking[i]) {
            continue;
        }
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            if (builder->met[tails[middle]] < builder->met[i]) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        before[i] = low > 0 ? tails[low - 1] : NEVER;
        tails[low] = (uint32_t)i;
        length += low == length;
    }
    /* `met` is done with: NEVER now means "in order". */
    for (uint32_t i = length > 0 ? tails[length - 1] : NEVER; i != NEVER; i = before[i]) {
        builder->met[i] = NEVER;
    }
    for (size_t i = 0; i < builder->count; i++) {
        builder->disorder[i] = builder->disorder[i] || builder->met[i] != NEVER;
    }
}

static bool compare_traces(struct builder *builder, const struct itr_trace *traces, size_t count) {
    uint32_t *tails = make(builder, builder->count, sizeof *tails);
    uint32_t *before = make(builder, builder->count, sizeof *before);
    builder->met = make(builder, builder->count, sizeof *builder->met);
    builder->lacking = make(builder, builder->count, sizeof *builder->lacking);
    builder->disorder = make(builder, builder->count, sizeof *builder->disorder);
    if (tails == NULL || before == NULL || builder->met == NULL || builder->lacking == NULL ||
        builder->disorder == NULL) {
        free(tails);
        free(before);
        return false;
    }
    for (size_t i = 0; i < builder->count; i++) {
        builder->lacking[i] = false;
        builder->disorder[i] = false;
    }
    /* Twice: the order is asked of those points only that all traces have. */
    for (size_t i = 1; i < count; i++) {
        read_another(builder, &traces[i]);
    }
    for (size_t i = 1; i < count; i++) {
        if (count > 2) {
            read_another(builder, &traces[i]);
        }
        mark_disorder(builder, tails, before);
    }
    free(tails);
    free(before);
    return true;
}

static bool begins_function(const struct itr_image *image, uint32_t rva) {
    const struct itr_symbol *symbol = itr_image_symbol(image, rva);
    return symbol != NULL && symbol->rva == rva && symbol->kind == ITR_SYMBOL_FUNCTION;
}

/* The arrays that the axis keeps, of the points that all traces have. */
static bool keep(struct builder *builder, const struct itr_image *image, struct itr_axis *axis) {
    axis->points = make(builder, builder->count, sizeof *axis->points);
    axis->entries = make(builder, builder->count, sizeof *axis->entries);
    if (axis->points == NULL || axis->entries == NULL) {
        itr_axis_release(axis);
        return false;
    }
    for (size_t i = 0; i < builder->count; i++) {
        const struct itr_axis_point *point = &builder->points[i];
        if (builder->lacking[i]) {
            axis->left_out++;
            continue;
        }
        axis->out_of_order += builder->disorder[i];
        if (image != NULL && begins_function(image, point->rva)) {
            axis->entries[axis->entry_count++] = (uint32_t)axis->count;
        }
        axis->points[axis->count++] = *point;
    }
    return true;
}

static void end(struct builder *builder) {
    free(builder->points);
    free(builder->slots);
    free(builder->met);
    free(builder->lacking);
    free(builder->disorder);
}

enum itr_status itr_axis_build(struct itr_axis *axis, const struct itr_trace *traces, size_t count,
                               const struct itr_image *image, void *(*reallocate)(void *, size_t),
                               struct itr_error *err) {
    struct builder builder = {.reallocate = reallocate != NULL ? reallocate : realloc};
    struct itr_axis made = {0};
    enum itr_status status;

    if (count == 0 || count > ITR_TRACES_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "%zu traces: expected 1 to %d", count, ITR_TRACES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (traces[i].count > ITR_TRACE_STEPS_MAX) {
            return itr_fail(err, ITR_E_LIMIT, 0, "a trace of %zu instructions: at most %d are read",
                            traces[i].count, ITR_TRACE_STEPS_MAX);
        }
    }
    status = read_first(&builder, &traces[0], err);
    if (status == ITR_OK &&
        (!compare_traces(&builder, traces, count) || !keep(&builder, image, &made))) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "the axis of %zu traces: out of memory", count);
    }
    end(&builder);
    if (status == ITR_OK && made.count == 0) {
        itr_axis_release(&made);
        return itr_fail(err, ITR_E_NOT_FOUND, 0,
                        "%zu traces have no instruction in common (the first has %zu)", count,
                        traces[0].count);
    }
    if (status == ITR_OK) {
        made.steps = traces[0].count;
        *axis = made;
    }
    return status;
}

void itr_axis_release(struct itr_axis *axis) {
    free(axis->points);
    free(axis->entries);
    *axis = (struct itr_axis){0};
}

bool itr_axis_symbol(const struct itr_axis *axis, const struct itr_image *image, size_t index,
                     const char **name, uint64_t *offset) {
    return index < axis->count && image != NULL &&
           itr_image_symbol_at(image, axis->points[index].rva, name, offset);
}

bool itr_axis_describe(const struct itr_axis *axis, const struct itr_image *image, size_t index,
                       char *out, size_t room) {
    struct itr_text text = {.ceiling = 4096};
    const char *word;
    uint64_t offset;
    uint32_t line;
    bool fits;
    if (index >= axis->count) {
        itr_text_add(&text, "(not on the axis)");
    } else if (itr_axis_symbol(axis, image, index, &word, &offset)) {
        itr_text_add(&text, word);
        if (offset != 0) {
            itr_text_printf(&text, "+0x%" PRIx64, offset);
        }
    } else {
        itr_text_printf(&text, "0x%" PRIx32, axis->points[index].rva);
    }
    if (index < axis->count && image != NULL && itr_image_line_at(image, axis->points[index].rva, &word, &line)) {
        itr_text_printf(&text, " (%s:%" PRIu32 ")", word, line);
    }
    fits = !text.truncated && !text.no_memory;
    fits = itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, itr_text_string(&text), text.length) &&
           fits;
    itr_text_release(&text);
    return fits;
}

size_t itr_axis_run_end(const struct itr_axis *axis, const struct itr_image *image, size_t index) {
    const struct itr_symbol *symbol =
        image != NULL ? itr_image_symbol(image, axis->points[index].rva) : NULL;
    size_t last = index + 1;
    while (last < axis->count &&
           (image != NULL ? itr_image_symbol(image, axis->points[last].rva) : NULL) == symbol) {
        last++;
    }
    return last;
}
