/* Which kinds of bytes a piece of a stream has, eight at a time: most input is gigabytes of nothing. It finds no
 * lines. */
#include "framework/triage_parts.h"

#include <string.h>

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

bool itr_is_hard(unsigned char byte) {
    return (byte < 0x20 && (byte < '\a' || byte > '\r') && byte != 0x1b) || byte == 0x7f;
}

/* The high bit of each byte of `word` that is 0. */
static uint64_t zero_bytes(uint64_t word) {
    return ~(((word & EACH(0x7f)) + EACH(0x7f)) | word | EACH(0x7f));
}

static uint64_t eight(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static unsigned kind_of(unsigned char c) {
    return c >= 0x80 ? ITR_BYTES_HIGH : c == 0x1b ? ITR_BYTES_ESCAPE : itr_is_hard(c) ? ITR_BYTES_HARD : 0;
}

unsigned itr_kinds_of_bytes(const char *bytes, size_t count) {
    unsigned kinds = 0;
    size_t i = 0;
    while (i < count && bytes[i] == '\t') {
        i++;
    }
    while (i < count) {
        size_t most = count - i < 8 ? count - i : 8;
        uint64_t word = most == 8 ? eight(bytes + i) : 0;
        /* Nearly always: eight printable characters at a time. */
        if (most < 8 || (word & EACH(0x80)) != 0 || zero_bytes(word & EACH(0xe0)) != 0 ||
            zero_bytes(word ^ EACH(0x7f)) != 0) {
            for (size_t k = 0; k < most; k++) {
                kinds |= kind_of((unsigned char)bytes[i + k]);
            }
        }
        i += most;
    }
    return kinds;
}

/* The high bit of each of eight bytes that is hard. */
static uint64_t hard_in(uint64_t word) {
    uint64_t low = zero_bytes(word & EACH(0xe0));
    uint64_t seven = word & EACH(0x7f);
    uint64_t from_7 = seven + EACH(0x80 - 7);
    uint64_t from_14 = seven + EACH(0x80 - 14);
    return (low & ~(from_7 & ~from_14) & ~zero_bytes(word ^ EACH(0x1b))) | zero_bytes(word ^ EACH(0x7f));
}

/* Of 31 words at most: the sum is below 256. */
static uint64_t count_in(const char *bytes, size_t words) {
    uint64_t counts = 0;
    for (size_t i = 0; i < words; i++) {
        counts += hard_in(eight(bytes + 8 * i)) >> 7;
    }
    return counts * EACH(1) >> 56;
}

size_t itr_count_hard(const char *bytes, size_t count) {
    enum { WORDS = 16, BLOCK = 8 * WORDS };
    size_t hard = 0;
    size_t i = 0;
    for (; count - i >= BLOCK; i += BLOCK) {
        hard += count_in(bytes + i, WORDS);
    }
    for (; i < count; i++) {
        hard += itr_is_hard((unsigned char)bytes[i]) ? 1 : 0;
    }
    return hard;
}

size_t itr_first_hard(const char *bytes, size_t count) {
    size_t first = 0;
    while (first < count && !itr_is_hard((unsigned char)bytes[first])) {
        first++;
    }
    return first;
}
