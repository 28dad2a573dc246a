/* The bounded record of one output stream: keeps both ends, has all that goes by scanned, and says
 * what the whole looks like. It reads no descriptor and judges no trial.
 *
 * Bytes go into a window; whole blocks of it are scanned as soon as the bytes that may belong to a
 * match beginning in them are there too. What is left is scanned on a copy of the state when an
 * answer is asked for. So the answer depends on the bytes and not on how they came. */
#include "framework/capture.h"
#include "framework/capture_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_BYTES = 256 * 1024, /* the tail, and room for new bytes between two moves of the tail */
    BLOCK_BYTES = ITR_CAPTURE_BLOCK_BYTES,
};

_Static_assert(WINDOW_BYTES > ITR_CAPTURE_TAIL_BYTES + BLOCK_BYTES + ITR_SCAN_AHEAD_BYTES,
               "room for new bytes");
_Static_assert(ITR_CAPTURE_TAIL_BYTES > BLOCK_BYTES + ITR_SCAN_AHEAD_BYTES,
               "bytes that are not scanned yet stay");

static uint8_t *window_of(const struct itr_capture *capture) {
    return capture->memory + ITR_CAPTURE_HEAD_BYTES + ITR_SCAN_BEFORE_BYTES;
}

/* Scans what is in the window: whole blocks with enough behind them, or, at the `end`, all. */
static void scan_window(const struct itr_capture *capture, struct itr_scan *scan, bool end) {
    const uint8_t *stop = window_of(capture) + capture->window_bytes;
    size_t left = (size_t)(capture->total_bytes - scan->done);

    while (left >= BLOCK_BYTES + ITR_SCAN_AHEAD_BYTES || (end && left > 0)) {
        size_t count = left < BLOCK_BYTES ? left : BLOCK_BYTES;
        itr_scan_block(scan, stop - left, count, left);
        left -= count;
    }
}

/* The state after the last byte. */
static struct itr_scan finished(const struct itr_capture *capture) {
    struct itr_scan scan = capture->scan;

    itr_scan_begin(&scan);
    if (capture->memory != NULL && !capture->no_memory) {
        scan_window(capture, &scan, true);
    }
    return scan;
}

/* ---- the capture ---- */

static bool has_memory(struct itr_capture *capture) {
    const size_t bytes = (size_t)ITR_CAPTURE_HEAD_BYTES + ITR_SCAN_BEFORE_BYTES + WINDOW_BYTES;

    if (capture->memory == NULL && !capture->no_memory) {
        capture->memory =
            capture->reallocate != NULL ? capture->reallocate(NULL, bytes) : malloc(bytes);
        capture->no_memory = capture->memory == NULL;
        if (!capture->no_memory) {
            memset(capture->memory + ITR_CAPTURE_HEAD_BYTES, 0, ITR_SCAN_BEFORE_BYTES);
        }
    }
    return !capture->no_memory;
}

void itr_capture_feed(struct itr_capture *capture, const void *bytes, size_t count) {
    const uint8_t *p = bytes;

    if (count == 0) {
        return;
    }
    if (!has_memory(capture)) {
        capture->total_bytes += count;
        return;
    }
    if (capture->total_bytes < ITR_CAPTURE_HEAD_BYTES) {
        size_t room = ITR_CAPTURE_HEAD_BYTES - (size_t)capture->total_bytes;
        memcpy(capture->memory + capture->total_bytes, p, count < room ? count : room);
    }
    while (count > 0) {
        size_t take = WINDOW_BYTES - capture->window_bytes;
        if (take == 0) {
            memmove(window_of(capture), window_of(capture) + WINDOW_BYTES - ITR_CAPTURE_TAIL_BYTES,
                    ITR_CAPTURE_TAIL_BYTES);
            capture->window_bytes = ITR_CAPTURE_TAIL_BYTES;
            continue;
        }
        take = take < count ? take : count;
        memcpy(window_of(capture) + capture->window_bytes, p, take);
        capture->window_bytes += take;
        capture->total_bytes += take;
        p += take;
        count -= take;
        scan_window(capture, &capture->scan, false);
    }
}

const uint8_t *itr_capture_head(const struct itr_capture *capture, size_t *count) {
    *count = 0;
    if (capture->memory == NULL || capture->total_bytes == 0) {
        return NULL;
    }
    *count = capture->total_bytes < ITR_CAPTURE_HEAD_BYTES ? (size_t)capture->total_bytes
                                                           : (size_t)ITR_CAPTURE_HEAD_BYTES;
    return capture->memory;
}

const uint8_t *itr_capture_tail(const struct itr_capture *capture, size_t *count) {
    uint64_t behind_head;

    *count = 0;
    if (capture->memory == NULL || capture->total_bytes <= ITR_CAPTURE_HEAD_BYTES) {
        return NULL;
    }
    behind_head = capture->total_bytes - ITR_CAPTURE_HEAD_BYTES;
    *count =
        behind_head < ITR_CAPTURE_TAIL_BYTES ? (size_t)behind_head : (size_t)ITR_CAPTURE_TAIL_BYTES;
    return window_of(capture) + capture->window_bytes - *count;
}

uint64_t itr_capture_cut_bytes(const struct itr_capture *capture) {
    size_t head;
    size_t tail;

    itr_capture_head(capture, &head);
    itr_capture_tail(capture, &tail);
    return capture->total_bytes - head - tail;
}

uint64_t itr_capture_hash(const struct itr_capture *capture) {
    struct itr_scan scan = finished(capture);

    return itr_scan_hash(&scan, capture->total_bytes);
}

/* ---- shape ---- */

const char *itr_shape_kind_name(enum itr_shape_kind kind) {
    switch (kind) {
    case ITR_SHAPE_EMPTY: return "empty";
    case ITR_SHAPE_TEXT: return "text";
    case ITR_SHAPE_MIXED: return "mixed";
    case ITR_SHAPE_BINARY: return "binary";
    }
    return "unknown";
}

static enum itr_shape_kind kind_of(const struct itr_scan *scan) {
    if (scan->blocks == 0) {
        return ITR_SHAPE_EMPTY;
    }
    if (scan->binary_blocks == 0) {
        return ITR_SHAPE_TEXT;
    }
    return scan->binary_blocks * 10 >= scan->blocks * 9 ? ITR_SHAPE_BINARY : ITR_SHAPE_MIXED;
}

/* Whether what repeats is binary, not a line of a log before or behind it. */
static bool is_binary_repeat(const struct itr_repeat *repeat) {
    uint64_t blocks = (repeat->last - repeat->first) / BLOCK_BYTES;

    return repeat->copies >= 3 && (blocks < 2 || repeat->binary_blocks * 4 >= blocks);
}

static uint32_t reasons_of(const struct itr_scan *scan, const struct itr_repeat *repeat,
                           uint64_t total_bytes) {
    uint64_t blocks_since = scan->blocks - scan->anchor_offset / BLOCK_BYTES;
    uint64_t bytes_since = total_bytes - scan->anchor_offset;
    bool binary = scan->binary_blocks > 0 && scan->binary_blocks * 4 >= scan->blocks;
    uint32_t reasons = 0;

    if (scan->anchors > 0 && scan->binary_since_anchor > 0 &&
        scan->binary_since_anchor * 4 >= blocks_since) {
        reasons |= ITR_GARBAGE_AFTER_MESSAGE;
    }
    if (binary && is_binary_repeat(repeat)) {
        reasons |= ITR_GARBAGE_REPEATS;
        if (bytes_since % repeat->period == 0) {
            reasons |= ITR_GARBAGE_MULTIPLE;
        }
    }
    if (binary && scan->binary_blocks >= 4) {
        reasons |= ITR_GARBAGE_BINARY;
    }
    return reasons;
}

static void set_shares(struct itr_shape *shape, const struct itr_scan *scan, double total) {
    shape->nul_share = (double)scan->nul / total;
    shape->control_share = (double)(scan->hard - scan->nul) / total;
    shape->high_share = (double)scan->high / total;
    shape->invalid_share = (double)scan->invalid / total;
    shape->printable_share = (total - (double)scan->hard - (double)scan->high) / total;
}

struct itr_shape itr_capture_shape(const struct itr_capture *capture) {
    struct itr_scan scan = finished(capture);
    struct itr_repeat repeat = itr_repeat_of(&scan.origin);
    struct itr_shape shape = {0};

    repeat = itr_repeat_better(itr_repeat_better(repeat, itr_repeat_of(&scan.free)), scan.best);
    shape.kind = kind_of(&scan);
    shape.period_bytes = repeat.period;
    shape.repeats = repeat.copies;
    shape.repeat_offset = repeat.first;
    shape.anchors = scan.anchors;
    shape.anchor_offset = scan.anchor_offset;
    shape.anchor_kind = scan.anchor_kind;
    memcpy(shape.anchor, scan.anchor, sizeof shape.anchor);
    if (scan.anchors > 0) {
        bool armed = scan.origin.armed && scan.origin.first == scan.anchor_offset;
        shape.anchor_copies = armed ? scan.origin.copies : 1;
    }
    shape.blocks = scan.blocks;
    shape.binary_blocks = scan.binary_blocks;
    if (scan.blocks > 0) {
        set_shares(&shape, &scan, (double)capture->total_bytes);
        shape.reasons = reasons_of(&scan, &repeat, capture->total_bytes);
        shape.garbage = shape.reasons != 0;
    }
    if (shape.garbage) {
        uint64_t behind_line = scan.anchor_offset + scan.anchor_bytes + 1;
        bool repeated = shape.anchor_copies > 1 && scan.first_hard > behind_line;
        shape.garbage_offset = repeated ? behind_line : scan.first_hard;
    }
    return shape;
}

bool itr_capture_message(const struct itr_capture *capture, struct itr_message *message) {
    struct itr_scan scan = finished(capture);
    bool found = itr_message_of(scan.anchor, scan.anchor_bytes, message);

    if (found) {
        message->offset = scan.anchor_offset;
    }
    return found;
}

void itr_capture_reset(struct itr_capture *capture) {
    capture->total_bytes = 0;
    capture->window_bytes = 0;
    capture->no_memory = false;
    capture->scan = (struct itr_scan){0};
}

void itr_capture_release(struct itr_capture *capture) {
    free(capture->memory);
    capture->memory = NULL;
    itr_capture_reset(capture);
}
