/* Cascades of faults: runs, their counts, ceilings, and the shape in words. */
#include "framework/cascade.h"
#include "framework/classify.h"
#include "framework/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
/* after the above */
#include <cmocka.h>

static uint64_t clock_ns;

/* Codes that both systems have a name for, or neither: the names are asked for, not known. */
enum { ONE = 11, OTHER = 5 };

static void add(struct itrp_debug_report *report, uint32_t code, uint64_t pc, uint32_t thread) {
    const struct itrp_debug_fault fault = {.time_ns = ++clock_ns, .code = code, .pc = pc, .thread = thread, .module_base = 7};
    itr_cascade_add(report, &fault);
}

static const char *name(uint32_t code, char *out, size_t room) {
    const struct itrp_debug_fault fault = {.code = code};
    snprintf(out, room, "%s", itr_fault_name(&fault));
    return out;
}

static void a_recursion_is_one_run_with_its_count(void **state) {
    struct itrp_debug_report report = {0};
    char expected[200];
    char shape[200];
    char a[64];
    char b[64];
    (void)state;
    add(&report, ONE, 0x1000, 3);
    for (int i = 0; i < 850; i++) {
        add(&report, OTHER, 0x2000, 3);
    }
    assert_int_equal(report.fault_count, 851);
    assert_int_equal(report.run_count, 2);
    assert_int_equal(report.runs[0].count, 1);
    assert_int_equal(report.runs[1].count, 850);
    assert_int_equal(report.runs[1].pc, 0x2000);
    assert_int_equal(report.runs[1].thread, 3);
    assert_int_equal(report.runs[1].module_base, 7);
    assert_int_equal(report.runs[1].last_ns - report.runs[1].first_ns, 849);
    assert_int_equal(report.last_fault.code, OTHER);
    assert_int_equal(report.faults[0].code, ONE);
    itr_cascade_shape(&report, shape, sizeof shape);
    snprintf(expected, sizeof expected, "%s+%s*", name(ONE, a, sizeof a), name(OTHER, b, sizeof b));
    assert_string_equal(shape, expected);
}

static void another_place_or_thread_is_another_run_but_not_another_shape(void **state) {
    struct itrp_debug_report report = {0};
    char expected[80];
    char shape[80];
    (void)state;
    add(&report, ONE, 0x1000, 3);
    add(&report, ONE, 0x1001, 3);
    add(&report, ONE, 0x1001, 4);
    assert_int_equal(report.run_count, 3);
    itr_cascade_shape(&report, shape, sizeof shape);
    name(ONE, expected, sizeof expected - 1);
    strcat(expected, "*");
    assert_string_equal(shape, expected);
}

static void what_has_no_room_is_counted_and_said(void **state) {
    struct itrp_debug_report report = {0};
    char shape[2000];
    (void)state;
    for (uint32_t i = 0; i < 10 * ITRP_DEBUG_RUNS_MAX; i++) {
        add(&report, i % 2 == 0 ? ONE : OTHER, 0x1000, 3);
    }
    assert_int_equal(report.fault_count, 10 * ITRP_DEBUG_RUNS_MAX);
    assert_int_equal(report.run_count, 10 * ITRP_DEBUG_RUNS_MAX);
    for (uint32_t i = 0; i < ITRP_DEBUG_RUNS_MAX; i++) {
        assert_int_equal(report.runs[i].count, 1);
    }
    itr_cascade_shape(&report, shape, sizeof shape);
    assert_string_equal(shape + strlen(shape) - 4, "+...");
    char little[8];
    itr_cascade_shape(&report, little, sizeof little);
    assert_int_equal(strlen(little), sizeof little - 1);
}

static void nothing_has_no_shape(void **state) {
    struct itrp_debug_report report = {0};
    char shape[8] = "x";
    (void)state;
    itr_cascade_shape(&report, shape, sizeof shape);
    assert_string_equal(shape, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_recursion_is_one_run_with_its_count),
        cmocka_unit_test(another_place_or_thread_is_another_run_but_not_another_shape),
        cmocka_unit_test(what_has_no_room_is_counted_and_said),
        cmocka_unit_test(nothing_has_no_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
