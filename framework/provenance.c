/* Finds the memory that an output repeats: a distinct stretch of bytes is looked up in the images' files, and the place
 * is grown to both sides, over the words that a running program changed. Bounded by what a capture keeps. */
#include "framework/provenance.h"

#include "framework/capture_parts.h"
#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    GRAIN_BYTES = 64, /* compared at once; equal enough when half of it is */
    /* From one place that is looked up to the next: doubled where nothing is found. */
    STEP_BYTES_MIN = 64,
    STEP_BYTES_MAX = 512,
    /* Of grains that differ, one after the other: variables of a program, further on the image may agree again. */
    GAP_GRAINS_MAX = 256,
    CANDIDATES_MAX = 8, /* places of one needle: constants repeat */
};

/* A part of the stream that was kept in one piece. */
struct piece {
    const uint8_t *bytes;
    size_t count;
    uint64_t offset; /* in the stream */
};

struct growth {
    size_t from, to; /* in the piece */
    uint64_t equal;  /* bytes that are the same … */
    uint64_t telling; /* … and are not NUL: zeros are equal everywhere */
};

/* Compares one grain of the piece with the image's memory at `rva`; adds to `growth` when it is equal enough. */
static bool compare(const struct piece *piece, size_t at, size_t count, const struct itr_image *image, uint64_t rva,
                    struct growth *growth) {
    uint8_t memory[GRAIN_BYTES];
    unsigned equal = 0;
    unsigned telling = 0;
    if (itr_image_memory(image, rva, memory, count) < count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        equal += memory[i] == piece->bytes[at + i];
        telling += memory[i] == piece->bytes[at + i] && memory[i] != 0;
    }
    if (2 * equal < count) {
        return false;
    }
    growth->equal += equal;
    growth->telling += telling;
    return true;
}

/* Grows the place `at` of the piece, which is `rva` of the image, to both sides, not before `least`. */
static struct growth grow(const struct piece *piece, size_t least, size_t at, const struct itr_image *image,
                          uint64_t rva) {
    struct growth growth = {.from = at, .to = at};
    unsigned gap = 0;
    for (size_t i = at; i < piece->count && gap < GAP_GRAINS_MAX;) {
        size_t count = piece->count - i < GRAIN_BYTES ? piece->count - i : GRAIN_BYTES;
        bool same = compare(piece, i, count, image, rva + (i - at), &growth);
        i += count;
        gap = same ? 0 : gap + 1;
        growth.to = same ? i : growth.to;
    }
    gap = 0;
    for (size_t i = at; i > least && gap < GAP_GRAINS_MAX;) {
        size_t count = i - least < GRAIN_BYTES ? i - least : GRAIN_BYTES;
        i -= count;
        if (at - i > rva) {
            break;
        }
        bool same = compare(piece, i, count, image, rva - (at - i), &growth);
        gap = same ? 0 : gap + 1;
        growth.from = same ? i : growth.from;
    }
    return growth;
}

static bool is_equal(const struct piece *piece, size_t i, size_t at, const struct itr_image *image, uint64_t rva) {
    uint8_t byte;
    return (i >= at || at - i <= rva) && itr_image_memory(image, rva + i - at, &byte, 1) == 1 && byte == piece->bytes[i];
}

/* Where the equal bytes really begin and end: a grain at either end is equal in part. */
static void settle_ends(const struct piece *piece, size_t least, struct growth *growth, size_t at,
                        const struct itr_image *image, uint64_t rva) {
    while (growth->from < at && !is_equal(piece, growth->from, at, image, rva)) {
        growth->from++;
    }
    while (growth->from > least && is_equal(piece, growth->from - 1, at, image, rva)) {
        growth->from--;
        growth->equal++;
    }
    while (growth->to > at && !is_equal(piece, growth->to - 1, at, image, rva)) {
        growth->to--;
    }
    while (growth->to < piece->count && is_equal(piece, growth->to, at, image, rva)) {
        growth->to++;
        growth->equal++;
    }
}

/* The best place for the needle at `at` of the piece, in all images. False: none that is long enough. */
static bool find_run(const struct piece *piece, size_t least, size_t at, const struct itr_image *const *images,
                     unsigned count, struct itr_provenance_run *run, size_t *end) {
    uint64_t best = 0;
    for (unsigned i = 0; i < count; i++) {
        uint64_t rva = 0;
        unsigned candidates = 0;
        while (images[i] != NULL && candidates++ < CANDIDATES_MAX &&
               itr_image_find(images[i], piece->bytes + at, ITR_CAPTURE_NEEDLE_BYTES, rva, &rva)) {
            struct growth growth = grow(piece, least, at, images[i], rva);
            settle_ends(piece, least, &growth, at, images[i], rva);
            if (growth.telling > best && growth.to - growth.from >= ITR_PROVENANCE_BYTES_MIN) {
                best = growth.telling;
                *end = growth.to;
                *run = (struct itr_provenance_run){.offset = piece->offset + growth.from,
                                                   .bytes = growth.to - growth.from,
                                                   .equal_bytes = growth.equal,
                                                   .rva = rva - (at - growth.from),
                                                   .image = i};
            }
            rva++;
        }
    }
    return best > 0;
}

static void search_piece(const struct piece *piece, const struct itr_image *const *images, unsigned count,
                         struct itr_provenance *result) {
    size_t least = 0;
    size_t step = STEP_BYTES_MIN;
    unsigned needles = 0;
    result->compared_bytes += piece->count;
    for (size_t from = 0; from + ITR_CAPTURE_NEEDLE_BYTES <= piece->count && needles++ < ITR_PROVENANCE_NEEDLES_MAX &&
                          result->run_count < ITR_PROVENANCE_RUNS_MAX;) {
        size_t room = piece->count - from < step ? piece->count - from : step;
        size_t at = from + itr_distinct_place(piece->bytes + from, room);
        size_t end = 0;
        struct itr_provenance_run run;
        from += step;
        step = step < STEP_BYTES_MAX ? 2 * step : step;
        if (find_run(piece, least, at, images, count, &run, &end)) {
            result->runs[result->run_count++] = run;
            result->found_bytes += run.bytes;
            least = end;
            from = end;
            step = STEP_BYTES_MIN;
        }
    }
}

/* The part of a kept piece that begins at or after `least` of the stream. */
static struct piece piece_of(const uint8_t *bytes, size_t count, uint64_t offset, uint64_t least) {
    uint64_t skip = least > offset ? least - offset : 0;
    if (skip >= count) {
        return (struct piece){.count = 0};
    }
    return (struct piece){.bytes = bytes + skip, .count = count - (size_t)skip, .offset = offset + skip};
}

void itr_provenance_find(const struct itr_capture *capture, const struct itr_shape *shape,
                         const struct itr_image *const *images, unsigned count, struct itr_provenance *result) {
    size_t head_bytes = 0;
    size_t tail_bytes = 0;
    *result = (struct itr_provenance){0};
    if (!shape->garbage) {
        return;
    }
    /* The message itself may be the beginning of what was dumped. */
    bool after_message = shape->anchor[0] != '\0' && shape->anchor_offset < shape->garbage_offset;
    uint64_t least = after_message ? shape->anchor_offset : shape->garbage_offset;
    const uint8_t *head = itr_capture_head(capture, &head_bytes);
    const uint8_t *tail = itr_capture_tail(capture, &tail_bytes);
    struct piece pieces[2] = {piece_of(head, head_bytes, 0, least),
                              piece_of(tail, tail_bytes, capture->total_bytes - tail_bytes, least)};
    for (unsigned i = 0; i < 2; i++) {
        search_piece(&pieces[i], images, count, result);
    }
}

bool itr_provenance_symbol(const struct itr_provenance_run *run, const struct itr_image *image, const char **name,
                           uint64_t *offset) {
    const struct itr_section *section = itr_image_section_at(image, run->rva);
    const char *found = NULL;
    uint64_t after = 0;
    if (section == NULL || !itr_image_symbol_at(image, run->rva, &found, &after) || run->rva - after < section->rva) {
        return false;
    }
    *name = found;
    *offset = after;
    return true;
}

void itr_provenance_describe(const struct itr_provenance *provenance, const struct itr_image *image, const char *module,
                             char *out, size_t room) {
    const struct itr_provenance_run *run = &provenance->runs[0];
    const struct itr_section *section = itr_image_section_at(image, run->rva);
    struct itr_text text = {.ceiling = 1024};
    const char *symbol = NULL;
    uint64_t offset = 0;
    itr_text_printf(&text, "%" PRIu64 " of the %" PRIu64 " bytes kept of it are memory of %s ", provenance->found_bytes,
                    provenance->compared_bytes, module);
    if (section != NULL) {
        itr_text_printf(&text, "%s+0x%" PRIx64, section->name, run->rva - section->rva);
    } else {
        itr_text_printf(&text, "+0x%" PRIx64, run->rva);
    }
    if (itr_provenance_symbol(run, image, &symbol, &offset)) {
        itr_text_printf(&text, offset == 0 ? ", from %s on" : ", from %s+0x%" PRIx64 " on", symbol, offset);
    }
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, itr_text_string(&text), text.length);
    itr_text_release(&text);
}
