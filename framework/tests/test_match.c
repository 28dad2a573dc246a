/* Unit tests of match.c: Go version ranges, patterns. */
#include "framework/match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void versions_lie_in_ranges_or_not(void **state) {
    static const struct {
        const char *version;
        const char *range;
        bool inside;
    } rows[] = {
        {"go1.22.12", ">=1.20 <1.23", true},
        {"go1.23", ">=1.20 <1.23", false},
        {"go1.23.0", ">=1.20 <1.23", false},
        {"go1.20", ">=1.20 <1.23", true},
        {"go1.19.8", ">=1.20 <1.23", false},
        {"1.22.12", ">=1.20 <1.23", true},
        {"go1.9.7", ">=1.19", false}, /* as numbers, not as text */
        {"go1.19.8", ">=1.9", true},
        {"go2.0", ">=1.26", true},
        /* a bound without a patch number means the whole minor version */
        {"go1.19.8", "1.19", true},
        {"go1.19", "1.19", true},
        {"go1.19.8", "=1.19", true},
        {"go1.19.8", ">1.19", false},
        {"go1.20", ">1.19", true},
        {"go1.19.8", "<=1.19", true},
        {"go1.20", "<=1.19", false},
        /* with one, that patch */
        {"go1.19.8", ">=1.19.8", true},
        {"go1.19.7", ">=1.19.8", false},
        {"go1.19", "<1.19.1", true},
        {"go1.19.8", "1.19.8", true},
        {"go1.19.9", "1.19.8", false},
        {"go1.22rc1", ">=1.22", true},
        {"go1.27rc2", ">=1.26 <1.28", true},
        {"go1.22.1", ">=1.20 <1.22", false},
        {"go1.22.1", ">=1.20<1.23", true},
        /* what cannot be read is in no range */
        {"", ">=1.20", false},
        {"go", ">=1.20", false},
        {"devel", ">=1.20", false},
        {"go1", ">=1.20", false},
        {"go1.", ">=1.0", false},
        {"go1.x", ">=1.0", false},
        {"go1.22.1", ">=1.x", false},
        {"go1.22.1", "new", false},
        {"go1.22.1", ">=1.20, <1.23", false},
        {"go1.22.1", ">", false},
        {"go1.22.1", "<>1.20", false},
        {"go1.22.1", ">=-1.20", false},
        {"go1.22.1", ">=1.20 or so", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (itr_go_in_range(rows[i].version, rows[i].range) != rows[i].inside) {
            fail_msg("%s in %s: expected %d", rows[i].version, rows[i].range, rows[i].inside);
        }
    }
}

static void ranges_can_be_checked_without_a_version(void **state) {
    static const char *const good[] = {">=1.20 <1.23", "1.19",  "<1.19.8",
                                       ">=1.20<1.23",  "=1.20", "> 1.20"};
    static const char *const bad[] = {"",       "new",   "1",        ">=1,20", ">=1.20, <1.23",
                                      "go1.20", "<>1.2", ">=1.20 ?", ">=1.",   "1.x",
                                      "1.20.",  "-1.20", "=<1.20",   "==1.20"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!itr_go_range_is_sound(good[i])) {
            fail_msg("\"%s\" was refused", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (itr_go_range_is_sound(bad[i])) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void patterns_match_whole_texts(void **state) {
    static const struct {
        const char *pattern;
        const char *text;
        bool matches;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"*", "anything at all", true},
        {"**", "x", true},
        {"lost SIGURG", "lost SIGURG", true},
        {"lost SIGURG", "lost SIGURG ", false},
        {"lost", "lost SIGURG", false},
        {"SIGURG", "lost SIGURG", false},
        {"lost *", "lost SIGURG", true},
        {"lost *", "lost ", true},
        {"lost *", "lost", false},
        {"*URG", "lost SIGURG", true},
        {"crash AV *runtime.stdcall* null-page*", "crash AV minimal!runtime.stdcall.abi0 null-page",
         true},
        {"crash AV *runtime.stdcall* null-page*", "crash AV minimal!runtime.stdcall.abi0 elsewhere",
         false},
        {"crash AV *", "crash AV+INT3* minimal", false},
        {"a*b*c", "a-b-b-c", true},
        {"a*b*c", "a-c-b", false},
        {"a*ab", "aaab", true},
        {"*aab", "aaaaaab", true},
        {"?", "x", false}, /* no other sign has a meaning */
        {"[x]", "x", false},
        {"A", "a", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (itr_matches(rows[i].pattern, rows[i].text) != rows[i].matches) {
            fail_msg("\"%s\" against \"%s\": expected %d", rows[i].pattern, rows[i].text,
                     rows[i].matches);
        }
    }
}

/* Many stars and a text that almost matches must not take for ever. */
static void patterns_do_not_explode(void **state) {
    char pattern[201];
    char text[2001];
    (void)state;
    for (size_t i = 0; i < 200; i += 2) {
        memcpy(pattern + i, "*a", 2);
    }
    pattern[200] = '\0';
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_true(itr_matches(pattern, text));
    text[sizeof text - 2] = 'b';
    assert_false(itr_matches(pattern, text));
}

/* Each is older than the next. */
static void versions_are_ordered_by_number(void **state) {
    static const char *const sorted[] = {"go1.9",       "go1.19beta1", "go1.19rc2", "go1.19",         "go1.19.8",
                                         "go1.19.8-00", "go1.22.12",   "go1.27-0a", "go1.27beta1",    "go1.27rc1",
                                         "go1.27rc10",  "go1.27.0",    "go1.27.3",  "go1.27.10",      "go2.0.0",
                                         "",            "go",          "go1.x",     "something else", "~"};
    enum { COUNT = sizeof sorted / sizeof sorted[0] };
    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < COUNT; k++) {
            int order = itr_go_order(sorted[i], sorted[k]);
            if ((order > 0) - (order < 0) != (i > k) - (i < k)) {
                fail_msg("\"%s\" against \"%s\": %d", sorted[i], sorted[k], order);
            }
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_lie_in_ranges_or_not),
        cmocka_unit_test(ranges_can_be_checked_without_a_version),
        cmocka_unit_test(versions_are_ordered_by_number),
        cmocka_unit_test(patterns_match_whole_texts),
        cmocka_unit_test(patterns_do_not_explode),
    };
    return cmocka_run_group_tests_name("match", tests, NULL, NULL);
}
