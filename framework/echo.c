/* Finds marked lines in captures and remembers which were passed on, by hash. */
#include "framework/echo.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 2 * ITR_ECHO_LINES_MAX }; /* a power of two */

_Static_assert((SLOTS & (SLOTS - 1)) == 0, "slots are found by a mask");

/* True if the line was not seen before, and is noted now. */
static bool is_new(struct itr_echo *echo, const char *line, size_t length) {
    uint64_t hash = itr_hash64(ITR_HASH64_START, line, length);
    hash = hash != 0 ? hash : 1;
    if (echo->seen == NULL) {
        echo->seen = calloc(SLOTS, sizeof *echo->seen);
    }
    if (echo->seen == NULL) {
        return false;
    }
    size_t at = hash & (SLOTS - 1);
    while (echo->seen[at] != 0 && echo->seen[at] != hash) {
        at = (at + 1) & (SLOTS - 1);
    }
    if (echo->seen[at] == hash || echo->count == ITR_ECHO_LINES_MAX) { /* SLOTS are twice as many: one is free */
        return false;
    }
    echo->seen[at] = hash;
    echo->count++;
    return true;
}

static bool has(const char *line, size_t length, const char *marker) {
    size_t size = strlen(marker);
    for (size_t i = 0; i + size <= length; i++) {
        const char *next = memchr(line + i, marker[0], length - size + 1 - i);
        if (next == NULL) {
            return false;
        }
        i = (size_t)(next - line);
        if (memcmp(next, marker, size) == 0) {
            return true;
        }
    }
    return false;
}

static void take_line(struct itr_echo *echo, const char *line, size_t length, struct itr_text *out) {
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    length = length < ITR_ECHO_LINE_BYTES_MAX ? length : ITR_ECHO_LINE_BYTES_MAX;
    if (!has(line, length, echo->marker)) {
        return;
    }
    if (is_new(echo, line, length)) {
        itr_text_escape(out, ITR_ESCAPE_TERMINAL, line, length);
        itr_text_add(out, "\n");
    } else if (echo->count == ITR_ECHO_LINES_MAX && !echo->full) {
        echo->full = true;
        itr_text_printf(out, "initrace: there may be more than %d different lines with %s: no further ones are passed on\n",
                        (int)ITR_ECHO_LINES_MAX, echo->marker);
    }
}

/* A stretch of the stream. The first or the last line may be none. */
static void take_bytes(struct itr_echo *echo, const char *bytes, size_t count, bool begins, bool ends, struct itr_text *out) {
    size_t at = 0;
    while (at < count) {
        const char *end = memchr(bytes + at, '\n', count - at);
        size_t length = end != NULL ? (size_t)(end - bytes) - at : count - at;
        if ((at > 0 || begins) && (end != NULL || ends)) {
            take_line(echo, bytes + at, length, out);
        }
        at += length + 1;
    }
}

void itr_echo_take(struct itr_echo *echo, const struct itr_capture *capture, struct itr_text *out) {
    size_t head = 0;
    size_t tail = 0;
    const uint8_t *first = itr_capture_head(capture, &head);
    const uint8_t *last = itr_capture_tail(capture, &tail);
    if (tail == 0 || itr_capture_cut_bytes(capture) > 0) {
        take_bytes(echo, (const char *)first, head, true, tail == 0, out);
        take_bytes(echo, (const char *)last, tail, false, true, out);
        return;
    }
    struct itr_text whole = {0};
    if (itr_text_append(&whole, first, head) && itr_text_append(&whole, last, tail)) {
        take_bytes(echo, whole.data, whole.length, true, true, out);
    }
    itr_text_release(&whole);
}

void itr_echo_release(struct itr_echo *echo) {
    free(echo->seen);
    echo->seen = NULL;
    echo->count = 0;
}
