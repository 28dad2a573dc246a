/* The bounded record of one output stream: keeps both ends, and hashes, counts and looks for
 * messages and repeats in all that goes by. It reads no descriptor and judges no trial.
 *
 * Bytes go into a window; whole blocks of it are scanned as soon as the bytes that may belong to a
 * match beginning in them are there too. What is left is scanned on a copy of the state when an
 * answer is asked for. So the answer depends on the bytes and not on how they came. */
#include "framework/capture.h"

#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_BYTES = 256 * 1024, /* the tail, and room for new bytes between two moves of the tail */
    BLOCK_BYTES = ITR_CAPTURE_BLOCK_BYTES,
    BEFORE_BYTES = 64,         /* zeros, as if they stood before the stream */
    AHEAD_BYTES = 256,         /* more than a message's pattern, its kept line or a needle */
    NEEDLE_BYTES = ITR_CAPTURE_NEEDLE_BYTES,
    CYCLE_MAX = 16,            /* copies of a needle within one period */
    FIRST_CHECKPOINT = 4 * BLOCK_BYTES,
};

_Static_assert(WINDOW_BYTES > ITR_CAPTURE_TAIL_BYTES + BLOCK_BYTES + AHEAD_BYTES, "window");
_Static_assert(ITR_CAPTURE_TAIL_BYTES > BLOCK_BYTES + AHEAD_BYTES, "unscanned bytes stay");
_Static_assert(AHEAD_BYTES > (int)ITR_CAPTURE_ANCHOR_MAX, "a kept line is seen whole");

/* Sixteen bytes at a time, in the compilers' portable vectors; comparisons give 0xff or 0. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static bytes16 each(uint8_t byte) {
    return (bytes16){byte, byte, byte, byte, byte, byte, byte, byte,
                     byte, byte, byte, byte, byte, byte, byte, byte};
}

static bytes16 load16(const uint8_t *p) {
    bytes16 vector;

    memcpy(&vector, p, sizeof vector);
    return vector;
}

static uint64_t load(const uint8_t *p) {
    uint64_t word;

    memcpy(&word, p, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* A bit for each byte of a comparison's result, the first byte's lowest. */
static unsigned marks_of(bytes16 result) {
    uint8_t memory[16];
    uint64_t halves[2];
    unsigned marks = 0;

    memcpy(memory, &result, sizeof memory);
    memcpy(halves, &result, sizeof halves);
    if ((halves[0] | halves[1]) == 0) {
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t ones = load(memory + 8 * i) & UINT64_C(0x0101010101010101);
        marks |= (unsigned)(ones * UINT64_C(0x0102040810204080) >> 56) << 8 * i;
    }
    return marks;
}

/* ---- hash, format 1 ----
 * Four lanes begin as 1, 2, 3, 4 times K. The stream, filled up with spaces to a multiple of 32
 * bytes, is taken in stripes of four little-endian words: lane = (lane ^ word) * K, then
 * lane ^= lane >> 32. At the end each lane, then the stream's length, goes into the result in the
 * same way, which begins as 0. */

#define K UINT64_C(0x9e3779b97f4a7c15)

static uint64_t mixed(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * K;
    return hash ^ hash >> 32;
}

static void begin(struct itr_scan *scan) {
    if (!scan->begun) {
        scan->begun = true;
        for (unsigned i = 0; i < 4; i++) {
            scan->lanes[i] = (i + 1) * K;
        }
    }
}

static uint64_t hash_of(const struct itr_scan *scan, uint64_t total_bytes) {
    uint64_t hash = 0;

    for (unsigned i = 0; i < 4; i++) {
        hash = mixed(hash, scan->lanes[i]);
    }
    return mixed(hash, total_bytes);
}

/* ---- needles ---- */

/* Takes the needle from `p`, which is at `offset` of the stream. */
static void needle_arm(struct itr_needle *needle, const uint8_t *p, uint64_t offset,
                       const uint8_t *around, size_t around_bytes) {
    uint16_t counts[256] = {0};

    memset(needle, 0, sizeof *needle);
    memcpy(needle->bytes, p, NEEDLE_BYTES);
    needle->armed = true;
    needle->first = offset;
    needle->last = offset;
    needle->copies = 1;
    for (size_t i = 0; i < around_bytes; i++) {
        counts[around[i]]++;
    }
    for (unsigned i = 1; i < NEEDLE_BYTES; i++) {
        if (counts[needle->bytes[i]] < counts[needle->bytes[needle->rare]]) {
            needle->rare = i;
        }
    }
}

/* Counts and remembers a copy at `p` (`offset` of the stream) if there is one. */
static bool needle_check(struct itr_needle *needle, const uint8_t *p, uint64_t offset) {
    if (load(p) != load(needle->bytes) || memcmp(p, needle->bytes, NEEDLE_BYTES) != 0) {
        return false;
    }
    if (needle->gap_count < ITR_CAPTURE_GAPS_MAX) {
        needle->gaps[needle->gap_count++] = offset - needle->last;
    }
    needle->copies++;
    needle->last = offset;
    return true;
}

/* Looks for copies that begin in the block of `count` bytes at `p`, `offset` of the stream; up to
 * `ahead` bytes from `p` may be read. */
static void needle_search(struct itr_needle *needle, const uint8_t *p, uint64_t offset,
                          size_t count, size_t ahead) {
    uint64_t next = needle->last + NEEDLE_BYTES;
    bytes16 wanted;
    size_t i;

    if (!needle->armed || ahead < NEEDLE_BYTES || next >= offset + count) {
        return;
    }
    i = next > offset ? (size_t)(next - offset) : 0;
    if (count > ahead - NEEDLE_BYTES + 1) {
        count = ahead - NEEDLE_BYTES + 1;
    }
    wanted = each(needle->bytes[needle->rare]);
    while (i + 16 <= count) {
        size_t step = 0;
        for (unsigned marks = marks_of((bytes16)(load16(p + i + needle->rare) == wanted));
             marks != 0 && step == 0; marks &= marks - 1) {
            size_t at = i + (size_t)__builtin_ctz(marks);
            if (needle_check(needle, p + at, offset + at)) {
                step = at + NEEDLE_BYTES - i;
            }
        }
        i += step > 0 ? step : 16;
    }
    while (i < count) {
        i += needle_check(needle, p + i, offset + i) ? (size_t)NEEDLE_BYTES : 1;
    }
}

/* Smallest number of gaps after which they come again; at most one comparison of ten may fail. 0:
 * there is none. */
static unsigned cycle_of(const struct itr_needle *needle) {
    for (unsigned cycle = 1; cycle <= CYCLE_MAX && cycle <= needle->gap_count; cycle++) {
        unsigned compared = needle->gap_count - cycle;
        unsigned failed = 0;
        for (unsigned i = 0; i < compared; i++) {
            failed += needle->gaps[i] != needle->gaps[i + cycle];
        }
        if (failed * 10 <= compared && (compared >= cycle || needle->gap_count == 1)) {
            return cycle;
        }
    }
    return 0;
}

/* Where copies follow so closely that they cover nearly all, the period may be a fraction of their
 * distance, as in "abababab". */
static uint64_t period_within(const struct itr_needle *needle, uint64_t distance) {
    for (unsigned period = 1; period < NEEDLE_BYTES && distance < 2 * NEEDLE_BYTES; period++) {
        if (distance % period == 0 &&
            memcmp(needle->bytes, needle->bytes + period, NEEDLE_BYTES - period) == 0) {
            return period;
        }
    }
    return distance;
}

static struct itr_repeat repeat_of(const struct itr_needle *needle) {
    struct itr_repeat repeat = {0};
    unsigned cycle = needle->armed ? cycle_of(needle) : 0;
    uint64_t distance = 0;

    for (unsigned i = 0; i < cycle; i++) {
        distance += needle->gaps[i];
    }
    if (cycle > 0) {
        repeat.period = period_within(needle, distance);
        repeat.first = needle->first;
        repeat.last = needle->last;
        repeat.copies = repeat.period == distance
                            ? (needle->copies - 1) / cycle + 1
                            : (needle->last + NEEDLE_BYTES - needle->first) / repeat.period;
    }
    return repeat;
}

static uint64_t covered(const struct itr_repeat *repeat) {
    return repeat->copies > 0 ? repeat->last - repeat->first + repeat->period : 0;
}

/* Of two repeats the one that says more: three copies before two, then the longer stretch. */
static struct itr_repeat better(struct itr_repeat one, struct itr_repeat two) {
    if ((one.copies >= 3) != (two.copies >= 3)) {
        return one.copies >= 3 ? one : two;
    }
    return covered(&two) > covered(&one) ? two : one;
}

/* The place in the block with a stretch that is least likely to come again by chance. */
static size_t distinct_place(const uint8_t *p, size_t count) {
    size_t best = 0;
    unsigned most = 0;

    for (size_t i = 0; i + NEEDLE_BYTES <= count && most < NEEDLE_BYTES / 2; i += 16) {
        uint64_t seen[4] = {0};
        unsigned distinct = 0;
        for (size_t j = i; j < i + NEEDLE_BYTES; j++) {
            uint64_t bit = UINT64_C(1) << (p[j] & 63);
            distinct += (seen[p[j] >> 6] & bit) == 0;
            seen[p[j] >> 6] |= bit;
        }
        if (distinct > most) {
            most = distinct;
            best = i;
        }
    }
    return best;
}

/* Finds a repeat wherever it begins: a needle taken at offsets that double is, from some time on,
 * inside the repeating part and has long enough to come again. A needle that repeats is kept. */
static void free_needle_step(struct itr_scan *scan, const uint8_t *p, size_t count, size_t ahead) {
    struct itr_repeat repeat;
    size_t place;

    if (scan->done < scan->checkpoint || ahead < NEEDLE_BYTES) {
        return;
    }
    scan->checkpoint = scan->checkpoint == 0 ? FIRST_CHECKPOINT : 2 * scan->checkpoint;
    repeat = repeat_of(&scan->free);
    if (repeat.copies >= 2 && scan->done - repeat.last <= 2 * repeat.period) {
        return;
    }
    scan->best = better(scan->best, repeat);
    place = distinct_place(p, count);
    needle_arm(&scan->free, p + place, scan->done + place, p, count);
    if (scan->done == 0) {
        scan->origin = scan->free;
    }
}

/* ---- messages ---- */

/* Looks at the line that begins at `p`, `offset` of the stream. */
static void line_begins(struct itr_scan *scan, const uint8_t *p, uint64_t offset, size_t ahead) {
    size_t length = 0;
    enum itr_message_kind kind;

    if (scan->anchor_bytes > 0 && ahead >= scan->anchor_bytes &&
        memcmp(p, scan->anchor, scan->anchor_bytes) == 0) {
        scan->anchors++; /* the same again: floods are made of it */
        return;
    }
    ahead = ahead < AHEAD_BYTES ? ahead : AHEAD_BYTES;
    kind = itr_message_kind_of(p, ahead, NULL);
    if (kind == ITR_MESSAGE_NONE || kind == ITR_MESSAGE_NOISE) {
        return;
    }
    if (scan->anchors++ > 0) {
        return;
    }
    while (length < ahead && length < ITR_CAPTURE_ANCHOR_MAX && p[length] != '\n' &&
           (p[length] >= 0x20 || p[length] == '\t' || p[length] == 0x1b) && p[length] != 0x7f) {
        length++;
    }
    memcpy(scan->anchor, p, length);
    scan->anchor[length] = '\0';
    scan->anchor_bytes = length;
    scan->anchor_kind = kind;
    scan->anchor_offset = offset;
    if (ahead >= NEEDLE_BYTES && scan->origin.first != offset) {
        scan->best = better(scan->best, repeat_of(&scan->origin));
        needle_arm(&scan->origin, p, offset, p, ahead);
    }
}

/* ---- blocks ---- */

/* Counts in one block, for each of a vector's sixteen places by itself; a block has 64 vectors. */
struct places {
    bytes16 nul;
    bytes16 hard;
    bytes16 high;
    bytes16 invalid;
};

static uint64_t sum_even(uint64_t counts) {
    return (counts & UINT64_C(0x00ff00ff00ff00ff)) * UINT64_C(0x0001000100010001) >> 48;
}

/* All of the counts, and those of the bytes at even offsets. */
static uint64_t sum(bytes16 counts, uint64_t *even_places) {
    uint8_t memory[16];
    uint64_t even;
    uint64_t odd;

    memcpy(memory, &counts, sizeof memory);
    even = sum_even(load(memory)) + sum_even(load(memory + 8));
    odd = sum_even(load(memory) >> 8) + sum_even(load(memory + 8) >> 8);
    if (even_places != NULL) {
        *even_places = even;
    }
    return even + odd;
}

/* Which of the sixteen bytes are lead bytes of UTF-8 from `first` on. */
static bytes16 leads(const uint8_t *p, uint8_t first) {
    return (bytes16)(load16(p) - each(first) < each((uint8_t)(0xf8 - first)));
}

/* Counts the sixteen bytes at `p`; the three before them must be readable. */
static void count_vector(struct places *places, const uint8_t *p) {
    bytes16 bytes = load16(p);
    bytes16 high = (bytes16)(bytes >= each(0x80));
    bytes16 text = (bytes16)(bytes - each('\a') <= each('\r' - '\a')) |
                   (bytes16)(bytes == each(0x1b));

    /* Taking away 0xff is adding one. */
    places->nul -= (bytes16)(bytes == each(0));
    places->hard -= ((bytes16)(bytes < each(0x20)) & ~text) | (bytes16)(bytes == each(0x7f));
    places->high -= high;
    /* A byte is 10xxxxxx if and only if a lead byte one, two or three places before asks for it. */
    places->invalid -= ((high & (bytes16)(bytes < each(0xc0))) ^
                        (leads(p - 1, 0xc0) | leads(p - 2, 0xe0) | leads(p - 3, 0xf0))) |
                       (bytes16)(bytes >= each(0xf8));
}

/* Hashes and counts a block and looks at the lines that begin behind its newlines. The block is at
 * `p`, where `ahead` bytes may be read; `stripes` are its bytes filled up with spaces to a multiple
 * of 32, with the three bytes of the stream before them. */
static void read_stripes(struct itr_scan *scan, struct places *places, const uint8_t *stripes,
                         size_t count, const uint8_t *p, size_t ahead) {
    uint64_t lanes[4] = {scan->lanes[0], scan->lanes[1], scan->lanes[2], scan->lanes[3]};

    for (size_t i = 0; i < count; i += 32) {
        for (size_t j = 0; j < 4; j++) {
            lanes[j] = mixed(lanes[j], load(stripes + i + 8 * j));
        }
        for (size_t j = i; j < i + 32; j += 16) {
            unsigned newlines = marks_of((bytes16)(load16(stripes + j) == each('\n')));
            count_vector(places, stripes + j);
            for (; newlines != 0; newlines &= newlines - 1) {
                size_t at = j + (size_t)__builtin_ctz(newlines) + 1;
                if (at < ahead && p[at] > ' ') {
                    line_begins(scan, p + at, scan->done + at, ahead - at);
                }
            }
        }
    }
    memcpy(scan->lanes, lanes, sizeof lanes);
}

static bool is_hard(uint8_t byte) {
    return (byte < 0x20 && (byte < '\a' || byte > '\r') && byte != 0x1b) || byte == 0x7f;
}

static bool is_binary(uint64_t hard, uint64_t hard_even, size_t count) {
    bool wide = (hard_even == 0 || hard_even == hard) && hard * 4 >= count;

    return hard >= 8 && hard * 32 >= count && !wide;
}

static void binary_block(struct itr_scan *scan, const uint8_t *p, size_t count) {
    for (size_t i = 0; scan->binary_blocks == 0 && i < count; i++) {
        if (is_hard(p[i])) {
            scan->first_hard = scan->done + i;
            break;
        }
    }
    scan->binary_blocks++;
    scan->binary_since_anchor += scan->anchors > 0;
}

/* Scans `count` bytes (a whole block, or the stream's last) at `p`, which is at `done`; the three
 * bytes before `p` are readable. */
static void scan_block(struct itr_scan *scan, const uint8_t *p, size_t count, size_t ahead) {
    uint8_t filled[3 + BLOCK_BYTES];
    struct places places = {0};
    const uint8_t *stripes = p;
    size_t stripes_bytes = (count + 31) / 32 * 32;
    uint64_t hard;
    uint64_t hard_even;

    if (stripes_bytes != count) {
        memset(filled, ' ', sizeof filled);
        memcpy(filled, p - 3, 3 + count);
        stripes = filled + 3;
    }
    free_needle_step(scan, p, count, ahead);
    if (scan->done == 0) {
        begin(scan);
        line_begins(scan, p, 0, ahead);
    }
    read_stripes(scan, &places, stripes, stripes_bytes, p, ahead);
    needle_search(&scan->origin, p, scan->done, count, ahead);
    needle_search(&scan->free, p, scan->done, count, ahead);
    hard = sum(places.hard, &hard_even);
    scan->nul += sum(places.nul, NULL);
    scan->hard += hard;
    scan->high += sum(places.high, NULL);
    scan->invalid += sum(places.invalid, NULL);
    scan->blocks++;
    if (is_binary(hard, hard_even, count)) {
        binary_block(scan, p, count);
    }
    scan->done += count;
}

static uint8_t *window_of(const struct itr_capture *capture) {
    return capture->memory + ITR_CAPTURE_HEAD_BYTES + BEFORE_BYTES;
}

/* Scans what is in the window: whole blocks with enough behind them, or, at the `end`, all. */
static void scan_window(const struct itr_capture *capture, struct itr_scan *scan, bool end) {
    const uint8_t *stop = window_of(capture) + capture->window_bytes;
    size_t left = (size_t)(capture->total_bytes - scan->done);

    while (left >= BLOCK_BYTES + AHEAD_BYTES || (end && left > 0)) {
        size_t count = left < BLOCK_BYTES ? left : BLOCK_BYTES;
        scan_block(scan, stop - left, count, left);
        left -= count;
    }
}

/* The state after the last byte. */
static struct itr_scan finished(const struct itr_capture *capture) {
    struct itr_scan scan = capture->scan;

    begin(&scan);
    if (capture->memory != NULL && !capture->no_memory) {
        scan_window(capture, &scan, true);
    }
    return scan;
}

/* ---- the capture ---- */

static bool has_memory(struct itr_capture *capture) {
    const size_t bytes = (size_t)ITR_CAPTURE_HEAD_BYTES + BEFORE_BYTES + WINDOW_BYTES;

    if (capture->memory == NULL && !capture->no_memory) {
        capture->memory =
            capture->reallocate != NULL ? capture->reallocate(NULL, bytes) : malloc(bytes);
        capture->no_memory = capture->memory == NULL;
        if (!capture->no_memory) {
            memset(capture->memory + ITR_CAPTURE_HEAD_BYTES, 0, BEFORE_BYTES);
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
            memmove(window_of(capture),
                    window_of(capture) + WINDOW_BYTES - ITR_CAPTURE_TAIL_BYTES,
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
    *count = behind_head < ITR_CAPTURE_TAIL_BYTES ? (size_t)behind_head
                                                  : (size_t)ITR_CAPTURE_TAIL_BYTES;
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

    return hash_of(&scan, capture->total_bytes);
}

uint64_t itr_capture_hash_of(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    struct itr_scan scan = {0};
    size_t done = 0;

    begin(&scan);
    while (done < count) {
        uint8_t stripe[32];
        size_t take = count - done < sizeof stripe ? count - done : sizeof stripe;
        memset(stripe, ' ', sizeof stripe);
        memcpy(stripe, p + done, take);
        for (size_t i = 0; i < 4; i++) {
            scan.lanes[i] = mixed(scan.lanes[i], load(stripe + 8 * i));
        }
        done += take;
    }
    return hash_of(&scan, count);
}

/* ---- shape ---- */

const char *itr_shape_kind_name(enum itr_shape_kind kind) {
    switch (kind) {
    case ITR_SHAPE_EMPTY:
        return "empty";
    case ITR_SHAPE_TEXT:
        return "text";
    case ITR_SHAPE_MIXED:
        return "mixed";
    case ITR_SHAPE_BINARY:
        return "binary";
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

static uint32_t reasons_of(const struct itr_scan *scan, const struct itr_shape *shape,
                           uint64_t total_bytes) {
    uint64_t blocks_since = scan->blocks - scan->anchor_offset / BLOCK_BYTES;
    uint64_t bytes_since = total_bytes - scan->anchor_offset;
    bool binary = scan->binary_blocks > 0 && scan->binary_blocks * 4 >= scan->blocks;
    uint32_t reasons = 0;

    if (scan->anchors > 0 && scan->binary_since_anchor > 0 &&
        scan->binary_since_anchor * 4 >= blocks_since) {
        reasons |= ITR_GARBAGE_AFTER_MESSAGE;
    }
    if (binary && shape->repeats >= 3) {
        reasons |= ITR_GARBAGE_REPEATS;
        if (total_bytes % shape->period_bytes == 0 || bytes_since % shape->period_bytes == 0) {
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
    struct itr_repeat repeat = repeat_of(&scan.origin);
    struct itr_shape shape = {0};

    if (repeat.copies < 3) {
        repeat = better(better(repeat, repeat_of(&scan.free)), scan.best);
    }
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
        shape.reasons = reasons_of(&scan, &shape, capture->total_bytes);
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
