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

/* Looks at it as it asks to be, each so much late. Returns how long it took. */
static uint64_t wait_out(uint64_t wait_ns, uint64_t late_ns) {
    struct itr_patience patience;
    uint64_t begin_ns = 77 * MS;
    uint64_t now_ns = begin_ns;
    itr_patience_begin(&patience, now_ns, wait_ns);
    while (!itr_patience_is_over(&patience, now_ns)) {
        assert_true(itr_patience_look_ns(&patience) > now_ns);
        now_ns = itr_patience_look_ns(&patience) + late_ns;
    }
    return now_ns - begin_ns;
}

static void patience_ends_on_time(void **state) {
    (void)state;
    assert_int_equal(wait_out(0, 0), 0);
    assert_int_equal(wait_out(3 * MS, 0), 3 * MS);
    assert_int_equal(wait_out(200 * MS, 0), 200 * MS);
    assert_true(wait_out(200 * MS, 10 * MS) <= 220 * MS);
}

static void late_looks_do_not_count(void **state) {
    struct itr_patience patience;
    (void)state;
    uint64_t took_ns = wait_out(200 * MS, 11 * MS);
    assert_true(took_ns >= 2000 * MS && took_ns <= 2021 * MS); /* not one of them counts */
    itr_patience_begin(&patience, 0, 200 * MS);
    assert_false(itr_patience_is_over(&patience, 190 * MS)); /* stopped for 190 ms: then all is to come still */
    for (uint64_t at_ms = 200; at_ms < 390; at_ms += 10) {
        assert_false(itr_patience_is_over(&patience, at_ms * MS));
    }
    assert_true(itr_patience_is_over(&patience, 390 * MS));
}

static void patience_has_an_end(void **state) {
    struct itr_patience patience;
    (void)state;
    itr_patience_begin(&patience, 0, 200 * MS);
    assert_false(itr_patience_is_over(&patience, 1999 * MS));
    assert_true(itr_patience_is_over(&patience, 2000 * MS));
    itr_patience_begin(&patience, UINT64_MAX - 1, UINT64_MAX);
    assert_false(itr_patience_is_over(&patience, UINT64_MAX - 1));
    assert_true(itr_patience_is_over(&patience, UINT64_MAX));
}

static void what_stood_still_is_put_off(void **state) {
    struct itr_patience patience;
    (void)state;
    itr_patience_begin(&patience, 0, 20 * MS);
    assert_false(itr_patience_is_over(&patience, 10 * MS));
    itr_patience_put_off(&patience, 5000 * MS);
    assert_int_equal(itr_patience_look_ns(&patience), 5020 * MS);
    assert_false(itr_patience_is_over(&patience, 5019 * MS));
    assert_true(itr_patience_is_over(&patience, 5020 * MS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_come_after_a_part_of_the_age),
        cmocka_unit_test(a_late_look_is_the_hosts_time),
        cmocka_unit_test(a_gap_is_not),
        cmocka_unit_test(patience_ends_on_time),
        cmocka_unit_test(late_looks_do_not_count),
        cmocka_unit_test(patience_has_an_end),
        cmocka_unit_test(what_stood_still_is_put_off),
    };
    return cmocka_run_group_tests_name("look", tests, NULL, NULL);
}
