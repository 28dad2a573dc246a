/* What fuzz targets share: the entry point that libFuzzer, AFL++ and replay.c call, an input that is taken apart from
 * its beginning, and checks that hold for every input. For framework/fuzz/ only.
 *
 * A target must not keep state from one input to the next, and gives back all that it takes. */
#ifndef INITRACE_FRAMEWORK_FUZZ_FUZZ_H
#define INITRACE_FRAMEWORK_FUZZ_FUZZ_H

#include "framework/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FUZZ_UNUSED __attribute__((unused))

/* Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* In every build: a check that fails is a finding. */
#define FUZZ_CHECK(holds) ((holds) ? (void)0 : fuzz_fail(__FILE__, __LINE__, #holds))

FUZZ_UNUSED static void fuzz_fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

/* What is left of an input. At its end numbers are 0 and strings empty. */
struct fuzz_input {
    const uint8_t *bytes;
    size_t count;
};

FUZZ_UNUSED static uint64_t fuzz_number(struct fuzz_input *in, size_t width) {
    uint64_t value = 0;
    for (size_t i = 0; i < width && in->count > 0; i++) {
        value |= (uint64_t)*in->bytes << 8 * i;
        in->bytes++;
        in->count--;
    }
    return value;
}

/* The bytes up to `end`, which is taken too, or all that is left; as a string of its own, for free(). */
FUZZ_UNUSED static char *fuzz_string(struct fuzz_input *in, char end) {
    const uint8_t *stop = in->count > 0 ? memchr(in->bytes, end, in->count) : NULL;
    size_t length = stop != NULL ? (size_t)(stop - in->bytes) : in->count;
    char *text = malloc(length + 1);
    FUZZ_CHECK(text != NULL);
    if (length > 0) {
        memcpy(text, in->bytes, length);
    }
    text[length] = '\0';
    in->bytes += length + (stop != NULL ? 1 : 0);
    in->count -= length + (stop != NULL ? 1 : 0);
    return text;
}

/* Bytes in memory of their own, which ends where they end: what reads beyond is seen. For free(). */
FUZZ_UNUSED static uint8_t *fuzz_copy(const void *bytes, size_t count) {
    uint8_t *copy = malloc(count > 0 ? count : 1);
    FUZZ_CHECK(copy != NULL);
    if (count > 0) {
        memcpy(copy, bytes, count);
    }
    return copy;
}

/* Fit for a terminal: whole characters of UTF-8, no controls but those in `allowed`. */
FUZZ_UNUSED static void fuzz_check_clean(const char *text, size_t count, const char *allowed) {
    for (size_t i = 0; i < count;) {
        uint32_t code = 0;
        size_t step = itr_utf8_length(text + i, count - i, &code);
        FUZZ_CHECK(step > 0);
        FUZZ_CHECK((code >= 0x20 && code < 0x7f) || code > 0x9f || (code != 0 && code < 0x80 && strchr(allowed, (int)code)));
        i += step;
    }
}

#endif
