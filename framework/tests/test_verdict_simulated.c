/* The sequential comparison on simulated arms, with fixed seeds: false answers, true drops found, trials used against the
 * exact expectation, coverage of the intervals. */
#include "framework/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { COMPARISONS = 3000 };

/* One row: two arms, compared many times. */
struct row {
    double factor, baseline_rate, candidate_rate;
    uint32_t baselines;
};

struct seen {
    double verdicts[ITR_COMPARISON_NOT_SHOWN + 1];
    double rounds;     /* mean */
    double within_60;  /* share decided after 60 rounds or fewer */
    double covered[2]; /* by arm: the rate is in its interval */
    double ratio_covered;
};

static bool is_in(struct itr_interval interval, double value) {
    return interval.low <= value && value <= interval.high;
}

static struct itr_comparison begin(const struct row *row) {
    struct itr_comparison_design design = {
        .alpha = 0.01, .beta = 0.01, .factor = row->factor, .baselines = row->baselines};
    struct itr_comparison comparison;

    assert_int_equal(itr_comparison_begin(&comparison, &design, NULL), ITR_OK);
    return comparison;
}

static void run(const struct row *row, struct itr_comparison *comparison,
                struct itr_random *random) {
    while (comparison->verdict == ITR_COMPARISON_CONTINUE) {
        uint32_t hits = 0;
        for (uint32_t i = 0; i < row->baselines; i++) {
            hits += itr_random_unit(random) < row->baseline_rate;
        }
        (void)itr_comparison_round(comparison, hits, itr_random_unit(random) < row->candidate_rate);
    }
}

static void simulate(const struct row *row, size_t count, uint64_t seed, struct seen *seen) {
    const struct itr_comparison fresh = begin(row);

    *seen = (struct seen){0};
    for (size_t i = 0; i < count; i++) {
        struct itr_random random = itr_random_of("compare", seed, i);
        struct itr_comparison c = fresh;
        struct itr_interval share;
        struct itr_interval ratio;
        run(row, &c, &random);
        seen->verdicts[c.verdict] += 1 / (double)count;
        seen->rounds += (double)c.rounds / (double)count;
        seen->within_60 += (c.rounds <= 60) / (double)count;
        seen->covered[0] +=
            is_in(itr_clopper_pearson(c.hits[0], c.trials[0], 0.95), row->baseline_rate) /
            (double)count;
        seen->covered[1] +=
            is_in(itr_clopper_pearson(c.hits[1], c.trials[1], 0.95), row->candidate_rate) /
            (double)count;
        share = itr_clopper_pearson(c.hits[1], c.hits[0] + c.hits[1], 0.95);
        ratio.low = row->baselines * share.low / (1 - share.low);
        ratio.high = share.high < 1 ? row->baselines * share.high / (1 - share.high) : INFINITY;
        seen->ratio_covered +=
            is_in(ratio, row->candidate_rate / row->baseline_rate) / (double)count;
    }
}

/* Four standard deviations of a share that is `chance`. */
static double slack(double chance, size_t count) {
    return 4 * sqrt(fmax(0, chance * (1 - chance)) / (double)count) + 1e-9;
}

/* The simulation against the exact chances and, within 3 %, the exact mean. The intervals cover no less than they say, though
 * the comparison chose when to end. */
static void agrees(const struct row *row, const struct seen *seen, size_t count) {
    struct itr_comparison comparison = begin(row);
    struct itr_comparison_expected expected;

    assert_int_equal(itr_comparison_expect(&comparison, row->baseline_rate, row->candidate_rate,
                                           &expected, NULL),
                     ITR_OK);
    assert_true(fabs(seen->rounds / expected.rounds - 1) < 0.03);
    assert_true(seen->covered[0] >= 0.95 - 0.01 && seen->covered[1] >= 0.95 - 0.01);
    assert_true(seen->ratio_covered >= 0.95 - 0.01);
    assert_true(fabs(seen->verdicts[ITR_COMPARISON_FIXED] - expected.fixed) <=
                slack(expected.fixed, count));
    assert_true(fabs(seen->verdicts[ITR_COMPARISON_WORSE] - expected.worse) <=
                slack(expected.worse, count));
}

/* A true chance of 1 % gives more than 20 of 1,000 in 1 of 700 cases; the exact one is lower. */
static void a_thousand_identical_arms_give_few_false_answers(void **state) {
    static const struct row rows[] = {
        {10, 0.115, 0.115, 16}, {10, 0.115, 0.115, 1}, {2, 0.115, 0.115, 1}, {2, 0.5, 0.5, 4},
        {10, 1, 1, 1},          {10, 0.9, 0.9, 8},     {10, 0.02, 0.02, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen;
        simulate(&rows[i], 1000, i, &seen);
        assert_true(seen.verdicts[ITR_COMPARISON_FIXED] <= 0.020);
        assert_true(seen.verdicts[ITR_COMPARISON_WORSE] <= 0.020);
        simulate(&rows[i], COMPARISONS, 100 + i, &seen);
        assert_true(seen.verdicts[ITR_COMPARISON_FIXED] <= 0.01 + slack(0.01, COMPARISONS));
        agrees(&rows[i], &seen, COMPARISONS);
    }
}

/* Both arms drift together, between 1 and 60 %, within a comparison and from one to the next: no more false answers. */
static void drift_makes_no_false_answers(void **state) {
    static const struct row rows[] = {{10, 0, 0, 16}, {10, 0, 0, 1}, {2, 0, 0, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct itr_comparison fresh = begin(&rows[i]);
        size_t fixed = 0;
        size_t worse = 0;
        for (size_t j = 0; j < COMPARISONS; j++) {
            struct itr_random random = itr_random_of("drift", i, j);
            struct itr_comparison c = fresh;
            struct row now = rows[i];
            double phase = 6.28 * itr_random_unit(&random);
            while (c.verdict == ITR_COMPARISON_CONTINUE) {
                uint32_t hits = 0;
                now.baseline_rate = 0.305 + 0.295 * sin(phase + (double)c.rounds / 15);
                for (uint32_t k = 0; k < now.baselines; k++) {
                    hits += itr_random_unit(&random) < now.baseline_rate;
                }
                (void)itr_comparison_round(&c, hits, itr_random_unit(&random) < now.baseline_rate);
            }
            fixed += c.verdict == ITR_COMPARISON_FIXED;
            worse += c.verdict == ITR_COMPARISON_WORSE;
        }
        assert_true((double)fixed / COMPARISONS <= 0.01 + slack(0.01, COMPARISONS));
        assert_true((double)worse / COMPARISONS <= 0.01 + slack(0.01, COMPARISONS));
    }
}

static void true_drops_are_found(void **state) {
    static const struct row rows[] = {
        {10, 0.115, 0.0115, 16}, {10, 0.115, 0.0115, 1}, {2, 0.115, 0.0575, 1}, {2, 0.5, 0.25, 4},
        {10, 1, 0.1, 1},         {2, 1, 0.5, 1},         {10, 0.03, 0.003, 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct seen seen;
        simulate(&rows[i], COMPARISONS, 200 + i, &seen);
        assert_true(seen.verdicts[ITR_COMPARISON_FIXED] >= 0.99);
        assert_true(seen.verdicts[ITR_COMPARISON_WORSE] == 0);
        agrees(&rows[i], &seen, COMPARISONS);
    }
}

static void a_candidate_that_never_fails_takes_sixty_trials(void **state) {
    static const struct row row = {10, 0.115, 0, 16};
    struct seen seen;

    (void)state;
    simulate(&row, COMPARISONS, 300, &seen);
    assert_true(seen.within_60 >= 0.99);
    assert_true(seen.verdicts[ITR_COMPARISON_FIXED] > 1 - 1e-9);
    agrees(&row, &seen, COMPARISONS);
}

/* 0.05 %: few comparisons, since each takes some 32,000 trials. */
static void a_very_small_rate_works(void **state) {
    static const struct row row = {10, 0.0005, 0, 1};
    struct seen seen;
    struct itr_comparison comparison = begin(&row);
    struct itr_comparison_expected expected;

    (void)state;
    simulate(&row, 100, 301, &seen);
    assert_true(seen.verdicts[ITR_COMPARISON_FIXED] > 1 - 1e-9);
    assert_int_equal(itr_comparison_expect(&comparison, 0.0005, 0, &expected, NULL), ITR_OK);
    assert_true(fabs(expected.rounds / 16000 - 1) < 1e-9); /* 8 failures at 0.0005 */
    assert_true(fabs(seen.rounds / expected.rounds - 1) < 4 / sqrt(8 * 100.0));
}

/* The announced budget ends one comparison in a hundred undecided at most, of candidates that are fixed or the same. */
static void the_announced_budget_is_enough(void **state) {
    static const struct row rows[] = {
        {10, 0.115, 0.115, 16}, {10, 0.115, 0.0115, 16}, {2, 0.5, 0.25, 1}, {10, 0.9, 0.9, 1}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct itr_comparison fresh = begin(&rows[i]);
        size_t late = 0;
        assert_int_equal(itr_comparison_budget(&fresh, rows[i].baseline_rate,
                                               &fresh.design.rounds_max, NULL),
                         ITR_OK);
        for (size_t j = 0; j < COMPARISONS; j++) {
            struct itr_random random = itr_random_of("budget", i, j);
            struct itr_comparison c = fresh;
            run(&rows[i], &c, &random);
            late += c.verdict > ITR_COMPARISON_WORSE;
        }
        assert_true((double)late / COMPARISONS <= 0.01 + slack(0.01, COMPARISONS));
    }
}

/* With a number of trials fixed beforehand: all of them, exactly. Wilson's interval covers 95 +- 1 % on average over the
 * rates, Clopper and Pearson's 95 % everywhere, less than 1 % more where hits are many. */
static void intervals_cover_what_they_say(void **state) {
    double wilson_mean = 0;
    double exact_mean = 0;
    struct itr_random random = itr_random_seed(9);

    (void)state;
    for (int i = 0; i < 20; i++) {
        double rate = 0.025 + 0.05 * i;
        double wilson = 0;
        double exact = 0;
        for (int j = 0; j < 1000; j++) {
            uint64_t hits = 0;
            for (int k = 0; k < 800; k++) {
                hits += itr_random_unit(&random) < rate;
            }
            wilson += is_in(itr_wilson(hits, 800, 0.95), rate) / 1000.0;
            exact += is_in(itr_clopper_pearson(hits, 800, 0.95), rate) / 1000.0;
        }
        assert_true(exact >= 0.95 - slack(0.05, 1000));
        wilson_mean += wilson / 20;
        exact_mean += exact / 20;
    }
    assert_true(fabs(wilson_mean - 0.95) < 0.01);
    assert_true(fabs(exact_mean - 0.95) < 0.01);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_identical_arms_give_few_false_answers),
        cmocka_unit_test(drift_makes_no_false_answers),
        cmocka_unit_test(true_drops_are_found),
        cmocka_unit_test(a_candidate_that_never_fails_takes_sixty_trials),
        cmocka_unit_test(a_very_small_rate_works),
        cmocka_unit_test(the_announced_budget_is_enough),
        cmocka_unit_test(intervals_cover_what_they_say),
    };
    return cmocka_run_group_tests_name("verdict_simulated", tests, NULL, NULL);
}
