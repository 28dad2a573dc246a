/* Unit tests of tally.c: counts, rates, ceilings, places in the window; missed shots say nothing. */
#include "framework/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct itr_tally tally;

static int set_up(void **state) {
    (void)state;
    itr_tally_begin(&tally, ITR_OUTCOME_DELIVERED, 1000, 3000);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_tally_release(&tally);
    return 0;
}

static void add(uint64_t trial, enum itr_outcome outcome, const char *signature, int64_t fired_ns) {
    struct itr_row row = {.trial = trial,
                          .outcome = outcome,
                          .signature = signature,
                          .fired_after_load_ns = fired_ns};
    itr_tally_add(&tally, &row);
}

static void outcomes_and_signatures_are_counted(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 10; i++) {
        add(i, ITR_OUTCOME_DELIVERED, "", INT64_MIN);
    }
    add(12, ITR_OUTCOME_LOST, "lost SIGURG", INT64_MIN);
    add(11, ITR_OUTCOME_LOST, "lost SIGURG", INT64_MIN); /* slots finish in any order */
    add(13, ITR_OUTCOME_CRASH, "crash SIGSEGV", INT64_MIN);
    assert_int_equal(tally.trials, 13);
    assert_int_equal(tally.outcomes[ITR_OUTCOME_DELIVERED], 10);
    assert_int_equal(tally.outcomes[ITR_OUTCOME_LOST], 2);
    assert_int_equal(tally.outcomes[ITR_OUTCOME_CRASH], 1);
    assert_int_equal(tally.signature_count, 2); /* "" is none */
    assert_string_equal(tally.signatures[0].text, "lost SIGURG");
    assert_int_equal(tally.signatures[0].outcome, ITR_OUTCOME_LOST);
    assert_int_equal(tally.signatures[0].count, 2);
    assert_int_equal(tally.signatures[0].first_trial, 11);
    assert_int_equal(itr_tally_count_of(&tally, "crash SIGSEGV"), 1);
    assert_int_equal(itr_tally_count_of(&tally, "crash"), 0);
    assert_int_equal(itr_tally_count_of(&tally, ""), 0);
}

static void the_rate_is_that_of_shots_that_landed(void **state) {
    struct itr_interval ci95;
    (void)state;
    for (uint64_t i = 0; i < 60; i++) {
        add(i, ITR_OUTCOME_DELIVERED, "", INT64_MIN);
        add(100 + i, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG", INT64_MIN);
    }
    for (uint64_t i = 0; i < 20; i++) {
        add(200 + i, ITR_OUTCOME_LOST, "lost SIGURG", INT64_MIN);
        add(300 + i, ITR_OUTCOME_TOOL_ERROR, "tool-error system", INT64_MIN);
    }
    assert_int_equal(tally.trials, 160);
    assert_int_equal(itr_tally_valid(&tally), 80);
    assert_int_equal(itr_tally_unexpected(&tally), 20);
    assert_true(itr_tally_rate(&tally, &ci95) == 0.25);
    struct itr_interval wilson = itr_wilson(20, 80, 0.95);
    assert_true(ci95.low == wilson.low && ci95.high == wilson.high);
}

static void without_shots_that_landed_nothing_is_known(void **state) {
    struct itr_interval ci95;
    (void)state;
    assert_true(itr_tally_rate(&tally, &ci95) == 0);
    assert_true(ci95.low == 0 && ci95.high == 1);
    add(0, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG", INT64_MIN);
    assert_int_equal(itr_tally_valid(&tally), 0);
    assert_int_equal(itr_tally_unexpected(&tally), 0);
    (void)itr_tally_rate(&tally, &ci95);
    assert_true(ci95.low == 0 && ci95.high == 1);
}

/* A control that fires nothing expects just that; a case of the self-test expects that the tool fails. */
static void what_is_expected_is_valid(void **state) {
    static const enum itr_outcome expected[] = {ITR_OUTCOME_NOT_FIRED, ITR_OUTCOME_TOOL_ERROR};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        itr_tally_release(&tally);
        itr_tally_begin(&tally, expected[i], 0, 0);
        add(0, expected[i], "x", INT64_MIN);
        add(1, expected[1 - i], "y", INT64_MIN);
        add(2, ITR_OUTCOME_CRASH, "z", INT64_MIN);
        assert_int_equal(itr_tally_valid(&tally), 2);
        assert_int_equal(itr_tally_unexpected(&tally), 1);
    }
}

static void the_number_of_signatures_has_a_ceiling(void **state) {
    uint64_t sum = 0;
    (void)state;
    for (uint64_t i = 0; i < 3000; i++) {
        char text[64];
        snprintf(text, sizeof text, "fatal \"number %d\"", (int)i);
        add(i, ITR_OUTCOME_FATAL, text, INT64_MIN);
    }
    assert_in_range(tally.signature_count, ITR_TALLY_SIGNATURES_MAX / 2, ITR_TALLY_SIGNATURES_MAX);
    for (size_t i = 0; i < tally.signature_count; i++) {
        sum += tally.signatures[i].count;
    }
    assert_int_equal(sum, 3000);
    uint64_t others = itr_tally_count_of(&tally, "(other fatal signatures)");
    assert_int_equal(others, 3000 - (tally.signature_count - 1));
    add(3000, ITR_OUTCOME_FATAL, "fatal \"number 0\"",
        INT64_MIN); /* what has its place goes on being counted */
    assert_int_equal(itr_tally_count_of(&tally, "fatal \"number 0\""), 2);
    assert_int_equal(itr_tally_count_of(&tally, "(other fatal signatures)"), others);
}

/* A crash among a thousand other things must not be counted as one of them. */
static void beyond_the_ceiling_outcomes_stay_apart(void **state) {
    (void)state;
    for (uint64_t i = 0; i < 2000; i++) {
        char text[64];
        snprintf(text, sizeof text, "fatal \"number %d\"", (int)i);
        add(i, ITR_OUTCOME_FATAL, text, INT64_MIN);
    }
    for (uint32_t outcome = 0; outcome < ITR_OUTCOME_COUNT; outcome++) {
        char text[64];
        add(2000 + outcome, (enum itr_outcome)outcome, "one more", INT64_MIN);
        snprintf(text, sizeof text, "(other %s signatures)", itr_outcome_name(outcome));
        for (size_t i = 0; i < tally.signature_count; i++) {
            if (strcmp(tally.signatures[i].text, text) == 0) {
                assert_int_equal(tally.signatures[i].outcome, outcome);
                text[0] = '\0';
                break;
            }
        }
        assert_int_equal(text[0], '\0');
    }
    assert_in_range(tally.signature_count, 1, ITR_TALLY_SIGNATURES_MAX);
}

static void shots_are_counted_by_their_place_in_the_window(void **state) {
    static const struct {
        int64_t fired_ns;
        int bucket; /* -1: none */
    } rows[] = {
        {INT64_MIN, -1}, {-5, 0},    {0, 0},     {1000, 0},  {1099, 0},   {1100, 1},
        {1999, 9},       {2000, 10}, {2999, 19}, {3000, 20}, {99999, 20}, {INT64_MAX, 20},
    };
    uint64_t expected[ITR_TALLY_BUCKETS + 1] = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add(i, ITR_OUTCOME_DELIVERED, "", rows[i].fired_ns);
        if (rows[i].bucket >= 0) {
            expected[rows[i].bucket]++;
        }
        assert_memory_equal(tally.bucket_trials, expected, sizeof expected);
    }
    for (int i = 0; i <= ITR_TALLY_BUCKETS; i++) {
        assert_int_equal(tally.bucket_failures[i], 0);
    }
    assert_true(tally.first_failure_ns == UINT64_MAX);
}

static void windows_that_differ_are_laid_over_each_other(void **state) {
    struct itr_row row = {.outcome = ITR_OUTCOME_LOST, .signature = "lost", .fired_after_load_ns = 3000, .sweep_index = -1};
    (void)state; /* the tally's begins at 1000 */
    row.window_to_ns = 5000;
    itr_tally_add(&tally, &row);
    assert_int_equal(tally.window_to_ns, 5000);
    row.window_to_ns = 3400;
    itr_tally_add(&tally, &row);
    row.window_to_ns = 3000;
    itr_tally_add(&tally, &row);
    assert_int_equal(tally.bucket_failures[10], 1);
    assert_int_equal(tally.bucket_failures[16], 1);
    assert_int_equal(tally.bucket_failures[ITR_TALLY_BUCKETS], 1);
    assert_int_equal(tally.window_from_ns, 1000);
    assert_int_equal(tally.window_to_ns, 3800);
}

static void failures_are_counted_by_their_place_too(void **state) {
    (void)state;
    add(0, ITR_OUTCOME_LOST, "lost", 2500);
    add(1, ITR_OUTCOME_LOST, "lost", 1200);
    add(2, ITR_OUTCOME_LOST, "lost", 4000);
    add(3, ITR_OUTCOME_LOST, "lost", INT64_MIN);
    add(4, ITR_OUTCOME_DELIVERED, "", 1001);
    add(5, ITR_OUTCOME_TOOL_ERROR, "tool-error", 1002); /* not the runtime's failure */
    assert_int_equal(tally.bucket_failures[15], 1);
    assert_int_equal(tally.bucket_failures[2], 1);
    assert_int_equal(tally.bucket_failures[ITR_TALLY_BUCKETS], 1);
    assert_int_equal(tally.bucket_failures[0], 0);
    assert_int_equal(tally.bucket_trials[0], 2);
    assert_int_equal(tally.first_failure_ns, 1200);
    assert_int_equal(tally.last_failure_ns, 4000);
}

static void without_a_window_all_is_after_it(void **state) {
    (void)state;
    itr_tally_release(&tally);
    itr_tally_begin(&tally, ITR_OUTCOME_DELIVERED, 0, 0);
    add(0, ITR_OUTCOME_LOST, "lost", 0);
    add(1, ITR_OUTCOME_LOST, "lost", 500);
    assert_int_equal(tally.bucket_trials[ITR_TALLY_BUCKETS], 2);
    assert_int_equal(tally.bucket_failures[ITR_TALLY_BUCKETS], 2);
}

static void strays_are_added_up(void **state) {
    struct itr_row row = {.outcome = ITR_OUTCOME_DELIVERED, .signature = "", .strays = 3};
    (void)state;
    itr_tally_add(&tally, &row);
    itr_tally_add(&tally, &row);
    assert_int_equal(tally.strays, 6);
}

static void the_detail_is_that_of_the_first_trial(void **state) {
    struct itr_tally own;
    struct itr_row one = {.outcome = ITR_OUTCOME_CRASH, .signature = "crash X", .fired_after_load_ns = INT64_MIN};
    (void)state;
    itr_tally_begin(&own, ITR_OUTCOME_DELIVERED, 0, 0);
    one.trial = 7;
    one.detail = "seventh";
    itr_tally_add(&own, &one);
    one.trial = 3; /* slots finish out of order */
    one.detail = "third";
    itr_tally_add(&own, &one);
    one.trial = 9;
    one.detail = "ninth";
    itr_tally_add(&own, &one);
    assert_int_equal(own.signatures[0].first_trial, 3);
    assert_string_equal(own.signatures[0].detail, "third");
    one.trial = 1;
    one.detail = NULL;
    itr_tally_add(&own, &one);
    assert_null(own.signatures[0].detail);
    itr_tally_release(&own);
}

int main(void) {
#define TALLY_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_detail_is_that_of_the_first_trial),
        TALLY_TEST(outcomes_and_signatures_are_counted),
        TALLY_TEST(the_rate_is_that_of_shots_that_landed),
        TALLY_TEST(without_shots_that_landed_nothing_is_known),
        TALLY_TEST(what_is_expected_is_valid),
        TALLY_TEST(the_number_of_signatures_has_a_ceiling),
        TALLY_TEST(beyond_the_ceiling_outcomes_stay_apart),
        TALLY_TEST(shots_are_counted_by_their_place_in_the_window),
        TALLY_TEST(windows_that_differ_are_laid_over_each_other),
        TALLY_TEST(failures_are_counted_by_their_place_too),
        TALLY_TEST(without_a_window_all_is_after_it),
        TALLY_TEST(strays_are_added_up),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
