/* Unit tests of pace.c: the window follows the last starts, and only those, within limits. */
#include "framework/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CALIBRATED = 1000 };

static void the_calibrated_window_stands_until_enough_is_seen(void **state) {
    struct itr_pace pace = {0};
    (void)state;
    for (int i = 0; i < ITR_PACE_LEAST; i++) {
        assert_int_equal(itr_pace_window_ns(&pace, CALIBRATED), CALIBRATED);
        itr_pace_note(&pace, 0); /* starts that did not end say nothing */
        itr_pace_note(&pace, 2000);
    }
    assert_int_equal(itr_pace_window_ns(&pace, CALIBRATED), 2000);
}

static void ninety_five_of_a_hundred_starts_are_within(void **state) {
    struct itr_pace pace = {0};
    (void)state;
    for (uint64_t i = ITR_PACE_KEPT; i > 0; i--) {
        itr_pace_note(&pace, 1000 + i);
    }
    assert_int_equal(itr_pace_window_ns(&pace, CALIBRATED), 1000 + ITR_PACE_KEPT * 95 / 100 + 1);
}

static void what_is_long_past_counts_no_more(void **state) {
    struct itr_pace pace = {0};
    (void)state;
    for (int i = 0; i < 1000; i++) {
        itr_pace_note(&pace, 5000);
    }
    assert_int_equal(itr_pace_window_ns(&pace, CALIBRATED), 5000);
    for (int i = 0; i < ITR_PACE_KEPT; i++) {
        itr_pace_note(&pace, 700);
    }
    assert_int_equal(itr_pace_window_ns(&pace, CALIBRATED), 700);
}

static void a_host_that_lies_moves_it_only_so_far(void **state) {
    struct itr_pace pace = {0};
    (void)state;
    for (int i = 0; i < ITR_PACE_KEPT; i++) {
        itr_pace_note(&pace, UINT64_MAX);
    }
    assert_int_equal(itr_pace_window_ns(&pace, CALIBRATED), CALIBRATED * ITR_PACE_FACTOR);
    assert_true(itr_pace_window_ns(&pace, UINT64_MAX / 2) == UINT64_MAX);
    for (int i = 0; i < ITR_PACE_KEPT; i++) {
        itr_pace_note(&pace, 1);
    }
    assert_int_equal(itr_pace_window_ns(&pace, 1600), 1600 / ITR_PACE_FACTOR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_calibrated_window_stands_until_enough_is_seen),
        cmocka_unit_test(ninety_five_of_a_hundred_starts_are_within),
        cmocka_unit_test(what_is_long_past_counts_no_more),
        cmocka_unit_test(a_host_that_lies_moves_it_only_so_far),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
