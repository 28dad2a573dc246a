/* Scans a stream block by block: hash, counts of kinds of bytes, lines that begin a runtime's
 * message, needles for repeats. It keeps no bytes of the stream and draws no conclusion. */
#include "framework/capture_parts.h"

enum {
    FIRST_CHECKPOINT = 4 * ITR_CAPTURE_BLOCK_BYTES,
};

_Static_assert(ITR_SCAN_AHEAD_BYTES > (int)ITR_CAPTURE_ANCHOR_MAX, "a kept line is seen whole");

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

void itr_scan_begin(struct itr_scan *scan) {
    if (!scan->begun) {
        scan->begun = true;
        for (unsigned i = 0; i < 4; i++) {
            scan->lanes[i] = (i + 1) * K;
        }
    }
}

uint64_t itr_scan_hash(const struct itr_scan *scan, uint64_t total_bytes) {
    uint64_t hash = 0;

    for (unsigned i = 0; i < 4; i++) {
        hash = mixed(hash, scan->lanes[i]);
    }
    return mixed(hash, total_bytes);
}

uint64_t itr_capture_hash_of(const void *bytes, size_t count) {
    const uint8_t *p = bytes;
    struct itr_scan scan = {0};
    size_t done = 0;

    itr_scan_begin(&scan);
    while (done < count) {
        uint8_t stripe[32];
        size_t take = count - done < sizeof stripe ? count - done : sizeof stripe;
        memset(stripe, ' ', sizeof stripe);
        memcpy(stripe, p + done, take);
        for (size_t i = 0; i < 4; i++) {
            scan.lanes[i] = mixed(scan.lanes[i], itr_load(stripe + 8 * i));
        }
        done += take;
    }
    return itr_scan_hash(&scan, count);
}

/* ---- needles ---- */

/* Arms a needle with the bytes at `p`, `offset` of the stream. */
static void arm(const struct itr_scan *scan, struct itr_needle *needle, const uint8_t *p,
                uint64_t offset, const uint8_t *around, size_t around_bytes) {
    itr_needle_arm(needle, p, offset, around, around_bytes);
    needle->binary_blocks_first = scan->binary_blocks;
    needle->binary_blocks_last = scan->binary_blocks;
}

static void search(const struct itr_scan *scan, struct itr_needle *needle, const uint8_t *p,
                   size_t count, size_t ahead) {
    if (itr_needle_search(needle, p, scan->done, count, ahead)) {
        needle->binary_blocks_last = scan->binary_blocks;
    }
}

/* Finds a repeat wherever it begins: a needle taken at offsets that double is, from some time on,
 * inside the repeating part and has long enough to come again. A needle that repeats is kept. */
static void free_needle_step(struct itr_scan *scan, const uint8_t *p, size_t count, size_t ahead) {
    struct itr_repeat repeat;
    size_t place;

    if (scan->done < scan->checkpoint || ahead < ITR_CAPTURE_NEEDLE_BYTES) {
        return;
    }
    scan->checkpoint = scan->checkpoint == 0 ? FIRST_CHECKPOINT : 2 * scan->checkpoint;
    repeat = itr_repeat_of(&scan->free);
    if (repeat.copies >= 2 && scan->done - repeat.last <= 2 * repeat.period) {
        return;
    }
    scan->best = itr_repeat_better(scan->best, repeat);
    place = itr_distinct_place(p, count);
    arm(scan, &scan->free, p + place, scan->done + place, p, count);
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
    ahead = ahead < ITR_SCAN_AHEAD_BYTES ? ahead : ITR_SCAN_AHEAD_BYTES;
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
    if (ahead >= ITR_CAPTURE_NEEDLE_BYTES && scan->origin.first != offset) {
        scan->best = itr_repeat_better(scan->best, itr_repeat_of(&scan->origin));
        arm(scan, &scan->origin, p, offset, p, ahead);
    }
}

/* ---- blocks ---- */

/* Counts in one block, for each of a vector's sixteen places by itself; a block has 64 vectors. */
struct places {
    itr_bytes16 nul;
    itr_bytes16 hard;
    itr_bytes16 high;
    itr_bytes16 invalid;
};

static uint64_t sum_even(uint64_t counts) {
    return (counts & UINT64_C(0x00ff00ff00ff00ff)) * UINT64_C(0x0001000100010001) >> 48;
}

/* All of the counts, and those of the bytes at even offsets. */
static uint64_t sum(itr_bytes16 counts, uint64_t *even_places) {
    uint8_t memory[16];
    uint64_t even;
    uint64_t odd;

    memcpy(memory, &counts, sizeof memory);
    even = sum_even(itr_load(memory)) + sum_even(itr_load(memory + 8));
    odd = sum_even(itr_load(memory) >> 8) + sum_even(itr_load(memory + 8) >> 8);
    if (even_places != NULL) {
        *even_places = even;
    }
    return even + odd;
}

/* Which of the sixteen bytes are lead bytes of UTF-8 from `first` on. */
static itr_bytes16 leads(const uint8_t *p, uint8_t first) {
    return (itr_bytes16)(itr_load16(p) - itr_each(first) < itr_each((uint8_t)(0xf8 - first)));
}

/* Counts the sixteen bytes at `p`; the three before them must be readable. */
static void count_vector(struct places *places, const uint8_t *p) {
    itr_bytes16 bytes = itr_load16(p);
    itr_bytes16 high = (itr_bytes16)(bytes >= itr_each(0x80));
    itr_bytes16 text = (itr_bytes16)(bytes - itr_each('\a') <= itr_each('\r' - '\a')) |
                       (itr_bytes16)(bytes == itr_each(0x1b));

    /* Taking away 0xff is adding one. */
    places->nul -= (itr_bytes16)(bytes == itr_each(0));
    places->hard -=
        ((itr_bytes16)(bytes < itr_each(0x20)) & ~text) | (itr_bytes16)(bytes == itr_each(0x7f));
    places->high -= high;
    /* A byte is 10xxxxxx if and only if a lead byte one, two or three places before asks for it. */
    places->invalid -= ((high & (itr_bytes16)(bytes < itr_each(0xc0))) ^
                        (leads(p - 1, 0xc0) | leads(p - 2, 0xe0) | leads(p - 3, 0xf0))) |
                       (itr_bytes16)(bytes >= itr_each(0xf8));
}

/* Hashes and counts a block and looks at the lines that begin behind its newlines. The block is at
 * `p`, where `ahead` bytes may be read; `stripes` are its bytes filled up with spaces to a multiple
 * of 32, with the three bytes of the stream before them. */
static void read_stripes(struct itr_scan *scan, struct places *places, const uint8_t *stripes,
                         size_t count, const uint8_t *p, size_t ahead) {
    uint64_t lanes[4] = {scan->lanes[0], scan->lanes[1], scan->lanes[2], scan->lanes[3]};

    for (size_t i = 0; i < count; i += 32) {
        for (size_t j = 0; j < 4; j++) {
            lanes[j] = mixed(lanes[j], itr_load(stripes + i + 8 * j));
        }
        for (size_t j = i; j < i + 32; j += 16) {
            unsigned newlines =
                itr_marks_of((itr_bytes16)(itr_load16(stripes + j) == itr_each('\n')));
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

void itr_scan_block(struct itr_scan *scan, const uint8_t *p, size_t count, size_t ahead) {
    uint8_t filled[3 + ITR_CAPTURE_BLOCK_BYTES];
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
        itr_scan_begin(scan);
        line_begins(scan, p, 0, ahead);
    }
    read_stripes(scan, &places, stripes, stripes_bytes, p, ahead);
    search(scan, &scan->origin, p, count, ahead);
    search(scan, &scan->free, p, count, ahead);
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
