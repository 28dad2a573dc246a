/* Finds out whether a stretch of a stream comes again, and at which distance: a needle is looked
 * for, and the gaps between its copies are judged. It knows nothing of what the bytes mean. */
#include "framework/capture_parts.h"

enum {
    CYCLE_MAX = ITR_CAPTURE_GAPS_MAX / 2, /* copies of a needle within one period */
};

void itr_needle_arm(struct itr_needle *needle, const uint8_t *p, uint64_t offset,
                    const uint8_t *around, size_t around_bytes) {
    uint16_t counts[256] = {0};

    memset(needle, 0, sizeof *needle);
    memcpy(needle->bytes, p, ITR_CAPTURE_NEEDLE_BYTES);
    needle->armed = true;
    needle->first = offset;
    needle->last = offset;
    needle->copies = 1;
    for (size_t i = 0; i < around_bytes; i++) {
        counts[around[i]]++;
    }
    for (unsigned i = 1; i < ITR_CAPTURE_NEEDLE_BYTES; i++) {
        if (counts[needle->bytes[i]] < counts[needle->bytes[needle->rare]]) {
            needle->rare = i;
        }
    }
}

/* Counts and remembers a copy at `p` (`offset` of the stream) if there is one. */
static bool needle_check(struct itr_needle *needle, const uint8_t *p, uint64_t offset) {
    if (itr_load(p) != itr_load(needle->bytes) ||
        memcmp(p, needle->bytes, ITR_CAPTURE_NEEDLE_BYTES) != 0) {
        return false;
    }
    if (needle->gap_count < ITR_CAPTURE_GAPS_MAX) {
        needle->gaps[needle->gap_count++] = offset - needle->last;
    }
    needle->copies++;
    needle->last = offset;
    return true;
}

bool itr_needle_search(struct itr_needle *needle, const uint8_t *p, uint64_t offset, size_t count,
                       size_t ahead) {
    uint64_t next = needle->last + ITR_CAPTURE_NEEDLE_BYTES;
    uint64_t copies = needle->copies;
    itr_bytes16 wanted;
    size_t i;

    if (!needle->armed || ahead < ITR_CAPTURE_NEEDLE_BYTES || next >= offset + count) {
        return false;
    }
    i = next > offset ? (size_t)(next - offset) : 0;
    if (count > ahead - ITR_CAPTURE_NEEDLE_BYTES + 1) {
        count = ahead - ITR_CAPTURE_NEEDLE_BYTES + 1;
    }
    wanted = itr_each(needle->bytes[needle->rare]);
    while (i + 16 <= count) {
        size_t step = 0;
        for (unsigned marks =
                 itr_marks_of((itr_bytes16)(itr_load16(p + i + needle->rare) == wanted));
             marks != 0 && step == 0; marks &= marks - 1) {
            size_t at = i + (size_t)__builtin_ctz(marks);
            if (needle_check(needle, p + at, offset + at)) {
                step = at + ITR_CAPTURE_NEEDLE_BYTES - i;
            }
        }
        i += step > 0 ? step : 16;
    }
    while (i < count) {
        i += needle_check(needle, p + i, offset + i) ? (size_t)ITR_CAPTURE_NEEDLE_BYTES : 1;
    }
    return needle->copies > copies;
}

/* Smallest number of gaps after which they come again; at most one comparison of 24 may fail. 0:
 * there is none. */
static unsigned cycle_of(const struct itr_needle *needle) {
    for (unsigned cycle = 1; cycle <= CYCLE_MAX && cycle <= needle->gap_count; cycle++) {
        unsigned compared = needle->gap_count - cycle;
        unsigned failed = 0;
        for (unsigned i = 0; i < compared; i++) {
            failed += needle->gaps[i] != needle->gaps[i + cycle];
        }
        if (failed * 24 <= compared && (compared >= cycle || needle->gap_count == 1)) {
            return cycle;
        }
    }
    return 0;
}

/* Where copies follow so closely that they cover nearly all, the period may be a fraction of their
 * distance, as in "abababab". */
static uint64_t period_within(const struct itr_needle *needle, uint64_t distance) {
    for (unsigned period = 1;
         period < ITR_CAPTURE_NEEDLE_BYTES && distance < 2 * ITR_CAPTURE_NEEDLE_BYTES; period++) {
        if (distance % period == 0 &&
            memcmp(needle->bytes, needle->bytes + period, ITR_CAPTURE_NEEDLE_BYTES - period) == 0) {
            return period;
        }
    }
    return distance;
}

/* Copies of the whole stretch. Those of the needle may come closer once the stream's period has changed. */
static uint64_t copies_of(const struct itr_needle *needle, const struct itr_repeat *repeat, unsigned cycle,
                          uint64_t distance) {
    uint64_t copies = (needle->copies - 1) / cycle + 1;
    uint64_t most = (needle->last - needle->first) / repeat->period + 1;

    if (repeat->period != distance) {
        return (needle->last + ITR_CAPTURE_NEEDLE_BYTES - needle->first) / repeat->period;
    }
    return copies < most ? copies : most;
}

struct itr_repeat itr_repeat_of(const struct itr_needle *needle) {
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
        repeat.binary_blocks = needle->binary_blocks_last - needle->binary_blocks_first;
        repeat.copies = copies_of(needle, &repeat, cycle, distance);
    }
    return repeat;
}

static uint64_t covered(const struct itr_repeat *repeat) {
    return repeat->copies > 0 ? repeat->last - repeat->first + repeat->period : 0;
}

/* Three copies before two, then the longer stretch. */
struct itr_repeat itr_repeat_better(struct itr_repeat one, struct itr_repeat two) {
    if ((one.copies >= 3) != (two.copies >= 3)) {
        return one.copies >= 3 ? one : two;
    }
    return covered(&two) > covered(&one) ? two : one;
}

size_t itr_distinct_place(const uint8_t *p, size_t count) {
    size_t best = 0;
    unsigned most = 0;

    for (size_t i = 0; i + ITR_CAPTURE_NEEDLE_BYTES <= count && most < ITR_CAPTURE_NEEDLE_BYTES / 2;
         i += 16) {
        uint64_t seen[4] = {0};
        unsigned distinct = 0;
        for (size_t j = i; j < i + ITR_CAPTURE_NEEDLE_BYTES; j++) {
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
