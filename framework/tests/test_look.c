/* Unit tests of look.c: looks come at a part of a host's age, and only a gap far longer than asked for is not the host's. */
#include "framework/look.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void looks_come_after_a_part_of_the_age(void **state) {
    (void)state;
    assert_int_equal(itr_look_after_ms(0), 1);
    assert_int_equal(itr_look_after_ms(15 * MS), 1);
    assert_int_equal(itr_look_after_ms(16 * MS), 2);
    assert_int_equal(itr_look_after_ms(80 * MS), 10);
    assert_int_equal(itr_look_after_ms(128 * MS), 16);
    assert_int_equal(itr_look_after_ms(UINT64_MAX), 16);
}

static void a_late_look_is_the_hosts_time(void **state) {
    (void)state;
    assert_int_equal(itr_look_missed_ns(0, 16 * MS), 0);
    assert_int_equal(itr_look_missed_ns(16 * MS, 16 * MS), 0);
    assert_int_equal(itr_look_missed_ns(1016 * MS, 16 * MS), 0);
    assert_int_equal(itr_look_missed_ns(2900 * MS, 2000 * MS), 0);
}

static void a_gap_is_not(void **state) {
    (void)state;
    assert_int_equal(itr_look_missed_ns(1016 * MS + 1, 16 * MS), 1000 * MS + 1);
    assert_int_equal(itr_look_missed_ns(UINT64_MAX, 1), UINT64_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_come_after_a_part_of_the_age),
        cmocka_unit_test(a_late_look_is_the_hosts_time),
        cmocka_unit_test(a_gap_is_not),
    };
    return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
