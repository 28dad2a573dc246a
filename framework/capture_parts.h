/* What the parts of the capture share: words and vectors of bytes, needles, the scan of a block.
 * For capture*.c only. */
#ifndef INITRACE_FRAMEWORK_CAPTURE_PARTS_H
#define INITRACE_FRAMEWORK_CAPTURE_PARTS_H

#include "framework/capture.h"

#include <string.h>

enum {
    ITR_SCAN_BEFORE_BYTES = 64, /* readable before a block: the stream, or zeros before it */
    ITR_SCAN_AHEAD_BYTES = 256, /* more than a message's pattern, its kept line or a needle */
};

/* Sixteen bytes at a time, in the compilers' portable vectors; comparisons give 0xff or 0. */
typedef uint8_t itr_bytes16 __attribute__((vector_size(16)));

static inline itr_bytes16 itr_each(uint8_t byte) {
    return (itr_bytes16){byte, byte, byte, byte, byte, byte, byte, byte,
                         byte, byte, byte, byte, byte, byte, byte, byte};
}

static inline itr_bytes16 itr_load16(const uint8_t *p) {
    itr_bytes16 vector;

    memcpy(&vector, p, sizeof vector);
    return vector;
}

static inline uint64_t itr_load(const uint8_t *p) {
    uint64_t word;

    memcpy(&word, p, sizeof word);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* A bit for each byte of a comparison's result, the first byte's lowest. */
static inline unsigned itr_marks_of(itr_bytes16 result) {
    uint8_t memory[16];
    uint64_t halves[2];
    unsigned marks = 0;

    memcpy(memory, &result, sizeof memory);
    memcpy(halves, &result, sizeof halves);
    if ((halves[0] | halves[1]) == 0) {
        return 0;
    }
    for (unsigned i = 0; i < 2; i++) {
        uint64_t ones = itr_load(memory + 8 * i) & UINT64_C(0x0101010101010101);
        marks |= (unsigned)(ones * UINT64_C(0x0102040810204080) >> 56) << 8 * i;
    }
    return marks;
}

/* ---- needles: capture_repeat.c ---- */

/* Takes the needle from `p`, which is at `offset` of the stream; `around` is what its bytes are
 * compared with to find the rarest. */
void itr_needle_arm(struct itr_needle *needle, const uint8_t *p, uint64_t offset,
                    const uint8_t *around, size_t around_bytes);

/* Looks for copies that begin in the block of `count` bytes at `p`, `offset` of the stream; up to
 * `ahead` bytes from `p` may be read. Returns whether there were any. */
bool itr_needle_search(struct itr_needle *needle, const uint8_t *p, uint64_t offset, size_t count,
                       size_t ahead);

/* What the needle's copies amount to; all zero when they have no period. */
struct itr_repeat itr_repeat_of(const struct itr_needle *needle);

/* Of two repeats the one that says more. */
struct itr_repeat itr_repeat_better(struct itr_repeat one, struct itr_repeat two);

/* The place in the block with a needle that is least likely to come again by chance. */
size_t itr_distinct_place(const uint8_t *p, size_t count);

/* ---- scanning: capture_scan.c ---- */

/* Makes a zeroed state the one before the first byte; does nothing to another. */
void itr_scan_begin(struct itr_scan *scan);

/* Scans `count` bytes (a whole block, or the stream's last) at `p`, which is at `done` of the
 * stream; `ahead` bytes from `p`, and ITR_SCAN_BEFORE_BYTES before it, are readable. */
void itr_scan_block(struct itr_scan *scan, const uint8_t *p, size_t count, size_t ahead);

/* The stream's hash, once all of its `total_bytes` are scanned. */
uint64_t itr_scan_hash(const struct itr_scan *scan, uint64_t total_bytes);

#endif
