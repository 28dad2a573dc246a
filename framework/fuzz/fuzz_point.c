/* Fuzzes the small languages of options and case files: fire points, lengths of time, ranges of Go versions, patterns.
 * Input: a text, a newline, a second text. */
#include "framework/fuzz/fuzz.h"

#include "framework/match.h"
#include "framework/point.h"

/* The plain definition of a pattern; for short ones, since it takes exponential time. */
static bool matches_plainly(const char *pattern, const char *text) {
    if (*pattern == '*') {
        return matches_plainly(pattern + 1, text) || (*text != '\0' && matches_plainly(pattern, text + 1));
    }
    return *pattern == *text && (*text == '\0' || matches_plainly(pattern + 1, text + 1));
}

static void check_pattern(const char *pattern, const char *text) {
    bool matches = itr_matches(pattern, text);
    size_t stars = 0;
    for (const char *at = pattern; *at != '\0'; at++) {
        stars += *at == '*';
    }
    if (stars <= 3 && strlen(text) <= 64) {
        FUZZ_CHECK(matches == matches_plainly(pattern, text));
    }
    FUZZ_CHECK(itr_matches("*", text));
    FUZZ_CHECK(itr_matches(text, text));
}

static void check_point(const char *text) {
    struct itr_point point = {.nth = 77};
    struct itr_error err = {0};
    if (itr_point_parse(text, &point, &err) != ITR_OK) {
        FUZZ_CHECK(err.status == ITR_E_USAGE && strncmp(err.text, "fire point", 10) == 0);
        FUZZ_CHECK(strlen(text) == 0 || strcmp(text, "time") != 0);
        return;
    }
    FUZZ_CHECK(err.status == ITR_OK);
    FUZZ_CHECK(point.kind <= ITR_POINT_SYMBOL && point.role < ITR_ROLE_COUNT && point.phase < ITR_PHASE_COUNT);
    if (point.kind == ITR_POINT_SYMBOL) {
        FUZZ_CHECK(point.nth >= 1 && point.nth <= 1000000 && point.offset <= UINT32_MAX);
        FUZZ_CHECK(memchr(point.symbol, '\0', sizeof point.symbol) != NULL);
        FUZZ_CHECK(point.symbol[0] != '\0' || strchr(text, '+') != NULL);
    }
    if (point.kind == ITR_POINT_CALL) {
        FUZZ_CHECK(point.nth >= 1 && point.call > ITR_CALL_NONE && point.call < ITR_CALL_COUNT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    char *one = fuzz_string(&in, '\n');
    char *two = fuzz_string(&in, '\0');
    uint64_t ns = UINT64_MAX;
    check_point(one);
    if (itr_duration_parse(one, &ns)) {
        FUZZ_CHECK(ns <= (uint64_t)INT64_MAX);
    } else {
        FUZZ_CHECK(ns == UINT64_MAX);
    }
    FUZZ_CHECK(!itr_go_in_range(one, two) || itr_go_range_is_sound(two));
    check_pattern(two, one);
    free(one);
    free(two);
    return 0;
}
