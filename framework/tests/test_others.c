/* Unit tests of others.c: Fisher's chances and Holm's correction over many cells. "exact": Python's `fractions` and
 * `math.comb`, Holm's rule by hand. */
#include "framework/others.h"

#include "framework/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void near_to(double actual, double expected) {
    if (!(fabs(actual - expected) <= 1e-12 * fabs(expected))) {
        fail_msg("%.17g is not %.17g", actual, expected);
    }
}

static struct itr_other cell(uint64_t baseline_hits, uint64_t baseline_trials,
                             uint64_t candidate_hits, uint64_t candidate_trials) {
    return (struct itr_other){.baseline_hits = baseline_hits,
                              .baseline_trials = baseline_trials,
                              .candidate_hits = candidate_hits,
                              .candidate_trials = candidate_trials};
}

static void chances_are_adjusted_over_all_cells(void **state) {
    struct itr_other cells[] = {cell(0, 400, 3, 50),  cell(2, 400, 0, 50), cell(5, 400, 6, 50),
                                cell(40, 400, 5, 50), cell(0, 400, 0, 50), cell(1, 400, 2, 50)};
    static const struct {
        double chance, adjusted;
        bool is_worse, is_new; /* at 0.01 */
    } exact[] = {
        {0.0012991833704528583, 0.006495916852264291, true, true},
        {1, 1, false, false},
        {0.0004223143353634886, 0.0025338860121809316, true, false},
        {0.5786815842106077, 1, false, false},
        {1, 1, false, false},
        {0.033778767631774315, 0.13511507052709726, false, false},
    };
    size_t worse = 0;

    (void)state;
    assert_int_equal(itr_others_judge(cells, COUNT(cells), 0.01, &worse, NULL), ITR_OK);
    assert_int_equal(worse, 2);
    for (size_t i = 0; i < COUNT(cells); i++) {
        near_to(cells[i].chance, exact[i].chance);
        near_to(cells[i].adjusted, exact[i].adjusted);
        assert_int_equal(cells[i].is_worse, exact[i].is_worse);
        assert_int_equal(cells[i].is_new, exact[i].is_new);
    }
    assert_int_equal(itr_others_judge(cells, COUNT(cells), 0.003, &worse, NULL), ITR_OK);
    assert_int_equal(worse, 1);
    assert_false(cells[0].is_worse);
}

/* What stands first does not stop what is worse behind it, and a higher chance is never adjusted below a lower one. */
static void adjusted_chances_keep_their_order(void **state) {
    struct itr_random random = itr_random_seed(3);
    struct itr_other cells[60];

    (void)state;
    for (int round = 0; round < 50; round++) {
        size_t worse = 0;
        size_t counted = 0;
        for (size_t i = 0; i < COUNT(cells); i++) {
            cells[i] = cell(itr_random_below(&random, 10), 100, itr_random_below(&random, 40), 100);
        }
        assert_int_equal(itr_others_judge(cells, COUNT(cells), 0.05, &worse, NULL), ITR_OK);
        for (size_t i = 0; i < COUNT(cells); i++) {
            counted += cells[i].is_worse;
            assert_true(cells[i].adjusted >= cells[i].chance && cells[i].adjusted <= 1);
            assert_true(cells[i].adjusted <= fmin(1, cells[i].chance * 60) * (1 + 1e-12));
            for (size_t j = 0; j < COUNT(cells); j++) {
                assert_true(cells[i].chance > cells[j].chance ||
                            cells[i].adjusted <= cells[j].adjusted);
            }
        }
        assert_int_equal(counted, worse);
    }
}

/* Many cells of identical arms: any worse one at all, in at most alpha of the campaigns (+ 4 sigma). */
static void identical_arms_are_seldom_worse_anywhere(void **state) {
    enum { CAMPAIGNS = 2000, CELLS = 20 };
    size_t wrong = 0;

    (void)state;
    for (uint64_t i = 0; i < CAMPAIGNS; i++) {
        struct itr_random random = itr_random_of("others", 1, i);
        struct itr_other cells[CELLS];
        size_t worse = 0;
        for (size_t j = 0; j < CELLS; j++) {
            cells[j] = cell(0, 100, 0, 50);
            for (int k = 0; k < 150; k++) {
                bool hit = itr_random_unit(&random) < 0.05 * (double)j;
                cells[j].baseline_hits += k < 100 && hit;
                cells[j].candidate_hits += k >= 100 && hit;
            }
        }
        assert_int_equal(itr_others_judge(cells, CELLS, 0.05, &worse, NULL), ITR_OK);
        wrong += worse > 0;
    }
    assert_true(wrong > 0 && wrong <= CAMPAIGNS * 0.05 + 4 * sqrt(CAMPAIGNS * 0.05 * 0.95));
}

static void a_cell_with_too_few_trials_has_no_power(void **state) {
    struct itr_other few = cell(0, 400, 0, 1);
    struct itr_other more = cell(0, 400, 0, 2);
    struct itr_other full = cell(400, 400, 0, 50);

    (void)state;
    /* 1 of 401; times 10 that is above 0.01 */
    assert_true(itr_other_has_power(&few, 1, 0.01));
    assert_false(itr_other_has_power(&few, 10, 0.01));
    assert_true(itr_other_has_power(&more, 10, 0.01));
    assert_false(itr_other_has_power(&full, 1, 0.01)); /* it cannot become worse */
    assert_false(itr_other_has_power(&more, 1, 0));
    more.baseline_hits = 401;
    assert_false(itr_other_has_power(&more, 1, 0.01));
}

static void what_cannot_be_is_refused(void **state) {
    struct itr_other cells[] = {cell(0, 10, 0, 10), cell(1, 10, 11, 10)};
    struct itr_error err = {0};
    size_t worse = 7;

    (void)state;
    assert_int_equal(itr_others_judge(cells, 2, 0.01, &worse, &err), ITR_E_USAGE);
    assert_non_null(strstr(err.text, "cell 1"));
    assert_int_equal(itr_others_judge(cells, 1, 0, &worse, NULL), ITR_E_USAGE);
    assert_int_equal(itr_others_judge(cells, 1, 1, &worse, NULL), ITR_E_USAGE);
    assert_int_equal(itr_others_judge(cells, 1, NAN, &worse, NULL), ITR_E_USAGE);
    assert_int_equal(itr_others_judge(cells, (size_t)ITR_OTHERS_MAX + 1, 0.1, &worse, NULL),
                     ITR_E_LIMIT);
    assert_int_equal(worse, 7);
    assert_int_equal(itr_others_judge(NULL, 0, 0.01, &worse, NULL), ITR_OK);
    assert_int_equal(worse, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chances_are_adjusted_over_all_cells),
        cmocka_unit_test(adjusted_chances_keep_their_order),
        cmocka_unit_test(identical_arms_are_seldom_worse_anywhere),
        cmocka_unit_test(a_cell_with_too_few_trials_has_no_power),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("others", tests, NULL, NULL);
}
