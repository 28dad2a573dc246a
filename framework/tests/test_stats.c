/* Unit tests of stats.c against exact values.
 *
 * "exact" below: computed with Python's `fractions` and `math.comb`, no rounding before the last
 * step. A rate such as 0.3 is the double nearest to it: Fraction(0.3). Tails are
 * sum(C(n,i) x^i (1-x)^(n-i)); interval ends are found by bisection of that sum to 2^-120; Fisher's
 * chances are sums of C(n1,i) C(n2,K-i) / C(n1+n2,K). "mpmath" below: the same quantities with 50
 * digits, where they are not rational or too large for that. */
#include "framework/stats.h"

#include "framework/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* isnan() of some C libraries narrows its argument. */
static bool is_nan(double value) {
    return value != value;
}

static void near_to(double actual, double expected, double relative) {
    if (!(fabs(actual - expected) <= relative * fabs(expected))) {
        fail_msg("%.17g is not %.17g", actual, expected);
    }
}

static void incomplete_beta_is_exact_for_whole_parameters(void **state) {
    static const struct {
        double a, b, x, expected; /* exact: P(X >= a) of a+b-1 trials */
    } samples[] = {
        {1, 1, 0.3, 0.3},
        {2, 3, 0.5, 0.6875},
        {5, 6, 0.25, 0.07812690734863281},
        {20, 3, 0.9, 0.6200409384119036},
        {50, 60, 0.4, 0.12470685834310036},
        {3, 200, 0.001, 0.0011665631531165756},
        {200, 3, 0.999, 0.9988334368468834},
        {100, 100, 0.5, 0.5},
        {30, 70, 0.05, 6.292719054110793e-16},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        near_to(itr_incomplete_beta(samples[i].a, samples[i].b, samples[i].x), samples[i].expected,
                1e-12);
    }
}

static void incomplete_beta_is_exact_for_other_parameters(void **state) {
    static const struct {
        double a, b, x, expected; /* I_x(1/2, 1/2) = 2/pi asin(sqrt(x)); the others by mpmath */
    } samples[] = {
        {0.5, 0.5, 0.25, 0.3333333333333333},        {0.5, 0.5, 1e-10, 6.366197723781917e-06},
        {2.5, 7.25, 0.1, 0.10841578583098449},       {0.1, 30.5, 0.001, 0.7383939962692417},
        {1234.5, 2345.5, 0.33, 0.03028320949417675},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        near_to(itr_incomplete_beta(samples[i].a, samples[i].b, samples[i].x), samples[i].expected,
                1e-12);
    }
}

static void incomplete_beta_has_its_symmetry_and_ends(void **state) {
    (void)state;
    for (int i = 0; i < 10; i++) {
        double a = 0.25 * pow(5.3, i);
        for (int j = 1; j < 16; j++) {
            double x = j / 16.0;
            double sum = itr_incomplete_beta(a, 3.5, x) + itr_incomplete_beta(3.5, a, 1 - x);
            near_to(sum, 1, 1e-14);
        }
        assert_true(itr_incomplete_beta(a, 2, 0) == 0);
        assert_true(itr_incomplete_beta(a, 2, 1) == 1);
        near_to(itr_incomplete_beta(a, a, 0.5), 0.5, 1e-12);
    }
}

/* I_x(a, 1) = x^a and I_x(1, b) = 1-(1-x)^b, as large as they come. */
static void incomplete_beta_holds_for_huge_parameters(void **state) {
    (void)state;
    for (int i = 0; i <= 7; i++) {
        double a = pow(10, i);
        double x = 1 - 1 / (a + 1);
        near_to(itr_incomplete_beta(a, 1, x), exp(a * log1p(x - 1)), 1e-12);
        near_to(itr_incomplete_beta(1, a, 0.5 / a), -expm1(a * log1p(-0.5 / a)), 1e-12);
    }
}

static void inverse_beta_undoes_incomplete_beta(void **state) {
    static const double parameters[] = {0.25, 1, 2, 17.5, 300, 12345, 1e6, 1e7};
    static const double chances[] = {1e-250, 1e-20, 1e-4, 0.025, 0.3, 0.5, 0.8, 0.975, 1 - 1e-9};

    (void)state;
    for (size_t i = 0; i < COUNT(parameters); i++) {
        for (size_t j = 0; j < COUNT(parameters); j++) {
            for (size_t k = 0; k < COUNT(chances); k++) {
                double a = parameters[i];
                double b = parameters[j];
                double x = itr_incomplete_beta_inverse(a, b, chances[k]);
                double below;
                double above;
                assert_true(x >= 0 && x <= 1);
                /* p is between the values a few units of the last place to either side */
                below = itr_incomplete_beta(a, b, x * (1 - 1e-12));
                above = itr_incomplete_beta(a, b, fmin(1, x * (1 + 1e-12)));
                if (x > 1e-300) {
                    assert_true(below <= chances[k] * (1 + 1e-9));
                    assert_true(above >= chances[k] * (1 - 1e-9));
                }
            }
        }
    }
    assert_true(itr_incomplete_beta_inverse(3, 4, 0) == 0);
    assert_true(itr_incomplete_beta_inverse(3, 4, 1) == 1);
    /* x^a and 1-(1-x)^b can be undone by hand */
    near_to(itr_incomplete_beta_inverse(7, 1, 1e-200), pow(1e-200, 1.0 / 7), 1e-12);
    near_to(itr_incomplete_beta_inverse(1, 9e6, 0.01), -expm1(log1p(-0.01) / 9e6), 1e-12);
}

static void binomial_tails_are_exact(void **state) {
    static const struct {
        uint64_t hits, trials;
        double rate, at_least, at_most; /* exact */
    } samples[] = {
        {0, 10, 0.3, 1.0, 0.028247524900000005},
        {1, 10, 0.3, 0.9717524751, 0.14930834590000003},
        {3, 10, 0.3, 0.6172172135999999, 0.6496107184000001},
        {10, 10, 0.3, 5.9048999999999975e-06, 1.0},
        {17, 300, 0.02, 0.00014357523695954777, 0.9999550277259297},
        {300, 300, 0.999, 0.7407070321560992, 1.0},
        {1, 3000, 1e-06, 0.002995505992134763, 0.9999955104809053},
        {250, 1000, 0.3, 0.999801452673767, 0.00025980303652893143},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        near_to(itr_binomial_at_least(samples[i].hits, samples[i].trials, samples[i].rate),
                samples[i].at_least, 1e-12);
        near_to(itr_binomial_at_most(samples[i].hits, samples[i].trials, samples[i].rate),
                samples[i].at_most, 1e-12);
    }
    assert_true(itr_binomial_at_least(11, 10, 0.5) == 0);
    assert_true(itr_binomial_at_least(3, 10, 0) == 0);
    assert_true(itr_binomial_at_most(3, 10, 0) == 1);
    assert_true(itr_binomial_at_least(10, 10, 1) == 1);
    assert_true(itr_binomial_at_most(9, 10, 1) == 0);
    assert_true(itr_binomial_at_least(0, 0, 0.5) == 1);
    assert_true(itr_binomial_at_most(0, 0, 0.5) == 1);
}

static void clopper_pearson_is_exact(void **state) {
    static const struct {
        uint64_t hits, trials;
        double confidence, low, high; /* exact; the first three are in many textbooks */
    } samples[] = {
        {0, 10, 0.95, 0.0, 0.3084971078187608},
        {5, 10, 0.95, 0.18708602844739858, 0.8129139715526015},
        {10, 10, 0.95, 0.6915028921812393, 1.0},
        {1, 30, 0.95, 0.0008435709266304795, 0.17216945563341265},
        {3, 100, 0.99, 0.0034070701031797585, 0.10548125372507824},
        {97, 100, 0.9, 0.92428920625017, 0.9917741708923473},
        {12, 12, 0.999, 0.5307795318065535, 1.0},
        {2, 300, 0.95, 0.0008083864127997916, 0.02387349757217365},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct itr_interval interval =
            itr_clopper_pearson(samples[i].hits, samples[i].trials, samples[i].confidence);
        near_to(interval.low, samples[i].low, 1e-12);
        near_to(interval.high, samples[i].high, 1e-12);
    }
}

/* What makes it Clopper and Pearson's: at each end the tail has exactly half the error. */
static void clopper_pearson_leaves_half_the_error_on_each_side_of_millions(void **state) {
    (void)state;
    for (uint64_t trials = 1000; trials <= 10000000; trials *= 10) {
        for (uint64_t hits = 1; hits < trials; hits = hits * 7 + 1) {
            struct itr_interval interval = itr_clopper_pearson(hits, trials, 0.99);
            near_to(itr_binomial_at_least(hits, trials, interval.low), 0.005, 1e-7);
            near_to(itr_binomial_at_most(hits, trials, interval.high), 0.005, 1e-7);
        }
    }
}

static void wilson_is_exact(void **state) {
    static const struct {
        uint64_t hits, trials;
        double low, high; /* the formula by mpmath, confidence 0.95 */
    } samples[] = {
        {5, 10, 0.23659309051256402, 0.763406909487436},       {0, 300, 0.0, 0.012642971224546034},
        {1, 300, 0.0005886577218511581, 0.018636693694531234}, {300, 300, 0.987357028775454, 1.0},
        {2850, 3000, 0.9416093729117658, 0.9572396632354409},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct itr_interval interval = itr_wilson(samples[i].hits, samples[i].trials, 0.95);
        near_to(interval.low, samples[i].low, 1e-12);
        near_to(interval.high, samples[i].high, 1e-12);
    }
}

static void intervals_of_impossible_counts_say_nothing(void **state) {
    const struct itr_interval intervals[] = {
        itr_wilson(0, 0, 0.95),
        itr_clopper_pearson(0, 0, 0.95),
        itr_wilson(3, 2, 0.95),
        itr_clopper_pearson(3, 2, 0.95),
        itr_wilson(1, 2, 0),
        itr_wilson(1, 2, 1),
        itr_clopper_pearson(1, 2, 1),
        itr_clopper_pearson(1, 2, -0.5),
        itr_clopper_pearson(1, 2, NAN),
        itr_wilson(1, 2, NAN),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(intervals); i++) {
        assert_true(intervals[i].low == 0 && intervals[i].high == 1);
    }
}

static void intervals_hold_the_rate_and_shrink(void **state) {
    (void)state;
    for (uint64_t trials = 1; trials < 5000000; trials = trials * 3 + 1) {
        for (uint64_t tenth = 0; tenth <= 10; tenth++) {
            uint64_t hits = trials * tenth / 10;
            double rate = (double)hits / (double)trials;
            struct itr_interval wilson = itr_wilson(hits, trials, 0.95);
            struct itr_interval exact = itr_clopper_pearson(hits, trials, 0.95);
            struct itr_interval wider = itr_clopper_pearson(hits, trials, 0.999);
            assert_true(0 <= wilson.low && wilson.low <= rate);
            assert_true(rate <= wilson.high && wilson.high <= 1);
            assert_true(0 <= wider.low && wider.low <= exact.low && exact.low <= rate);
            assert_true(rate <= exact.high && exact.high <= wider.high && wider.high <= 1);
        }
    }
}

static void the_rule_of_three_is_exact(void **state) {
    static const struct {
        uint64_t trials;
        double bound; /* mpmath */
    } samples[] = {
        {1, 0.95},
        {3, 0.6315968501359612},
        {100, 0.029513049607039925},
        {300, 0.00993608194445771},
        {3000, 0.0009980790119965867},
        {10000000, 2.9957318248334424e-07},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        near_to(itr_none_upper_bound(samples[i].trials, 0.95), samples[i].bound, 1e-12);
    }
    assert_true(itr_none_upper_bound(0, 0.95) == 1);
    assert_true(is_nan(itr_none_upper_bound(10, 1)));
    assert_true(is_nan(itr_none_upper_bound(10, NAN)));
}

static void trials_needed_is_the_least_number_that_does(void **state) {
    static const double rates[] = {0.9,       0.5,        0.25,        0.1, 0.01,
                                   1.0 / 300, 1.0 / 2000, 1.0 / 30000, 1e-9};

    (void)state;
    for (size_t i = 0; i < COUNT(rates); i++) {
        uint64_t trials = itr_none_trials_needed(rates[i], 0.95);
        assert_true(itr_none_upper_bound(trials, 0.95) <= rates[i]);
        assert_true(trials == 1 || itr_none_upper_bound(trials - 1, 0.95) > rates[i]);
    }
    assert_true(itr_none_trials_needed(0.5, 0.75) == 2);
    assert_true(itr_none_trials_needed(1, 0.95) == 1);
    assert_true(itr_none_trials_needed(0.01, 0.95) == 299);
    assert_true(itr_none_trials_needed(0, 0.95) == UINT64_MAX);
    assert_true(itr_none_trials_needed(NAN, 0.95) == UINT64_MAX);
    assert_true(itr_none_trials_needed(1e-300, 0.95) == UINT64_MAX);
}

static void normal_quantiles_are_exact(void **state) {
    static const double samples[][2] = {
        /* mpmath */
        {0.6, 0.2533471031357997},   {0.9, 1.2815515655446006},   {0.975, 1.9599639845400538},
        {0.995, 2.5758293035489004}, {1e-10, -6.361340902404057}, {1e-300, -37.0470962993612},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        near_to(itr_normal_quantile(samples[i][0]), samples[i][1], 1e-13);
    }
    assert_true(fabs(itr_normal_quantile(0.5)) < 1e-15);
    assert_true(itr_normal_quantile(1) == INFINITY);
    assert_true(itr_normal_quantile(0) == -INFINITY);
    assert_true(is_nan(itr_normal_quantile(1.5)));
    assert_true(is_nan(itr_normal_quantile(NAN)));
}

static void fisher_is_exact(void **state) {
    static const struct {
        uint64_t hits_1, trials_1, hits_2, trials_2;
        double less, greater, two_sided; /* exact */
    } samples[] = {
        /* Fisher's tea (The Design of Experiments, 1935): 17/70 one-sided, 34/70 two-sided */
        {3, 4, 1, 4, 0.9857142857142858, 0.24285714285714285, 0.4857142857142857},
        /* convictions of twins, in the documentation of R's fisher.test: 0.0004652, 0.0005367 */
        {2, 12, 15, 18, 0.00046518094336290503, 0.9999845190186861, 0.0005367241191434358},
        {0, 300, 300, 300, 7.401489395998409e-180, 1.0, 1.4802978791996818e-179},
        {285, 300, 0, 300, 1.0, 1.2034809337746435e-154, 2.406961867549287e-154},
        {1, 300, 5, 300, 0.10819920790524078, 0.9847643120133431, 0.21639841581048155},
        {7, 7, 0, 3, 1.0, 0.008333333333333333, 0.008333333333333333},
        {0, 0, 3, 10, 1.0, 1.0, 1.0},
        {0, 5, 0, 9, 1.0, 1.0, 1.0},
        {10, 10, 20, 20, 1.0, 1.0, 1.0},
        {4, 50, 9, 61, 0.21200732144221915, 0.9209754409555231, 0.3767373928377512},
        {150, 300, 151, 300, 0.5, 0.5648501698290336, 1.0},
        {5, 2000, 19, 3000, 0.03961827458802939, 0.9867229091688295, 0.06102195063176228},
        {8, 14, 1, 11, 0.9990200565351999, 0.017149010634001885, 0.03300578812760802},
        /* mpmath */
        {5000, 10000000, 5200, 10000000, 0.0243652176507449, 0.976745942614999, 0.0487304353014899},
        {5000000, 10000000, 5003000, 10000000, 0.0899287957564479, 0.91021627839095510,
         0.179857591512896},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct itr_fisher fisher = itr_fisher_exact(samples[i].hits_1, samples[i].trials_1,
                                                    samples[i].hits_2, samples[i].trials_2);
        struct itr_fisher swapped = itr_fisher_exact(samples[i].hits_2, samples[i].trials_2,
                                                     samples[i].hits_1, samples[i].trials_1);
        near_to(fisher.less, samples[i].less, 1e-12);
        near_to(fisher.greater, samples[i].greater, 1e-12);
        near_to(fisher.two_sided, samples[i].two_sided, 1e-12);
        near_to(swapped.less, fisher.greater, 1e-12);
        near_to(swapped.greater, fisher.less, 1e-12);
        near_to(swapped.two_sided, fisher.two_sided, 1e-12);
    }
}

static void fisher_of_impossible_counts_is_no_number(void **state) {
    struct itr_fisher fisher = itr_fisher_exact(3, 2, 0, 5);

    (void)state;
    assert_true(is_nan(fisher.less) && is_nan(fisher.greater) && is_nan(fisher.two_sided));
    fisher = itr_fisher_exact(0, 2, 6, 5);
    assert_true(is_nan(fisher.two_sided));
}

static void fisher_is_a_probability_for_any_counts(void **state) {
    static const uint64_t counts[] = {0, 1, 2, 50, 9999, 10000000};

    (void)state;
    for (size_t i = 0; i < COUNT(counts) * COUNT(counts) * COUNT(counts) * COUNT(counts); i++) {
        uint64_t trials_1 = counts[i % 6];
        uint64_t trials_2 = counts[i / 6 % 6];
        uint64_t hits_1 = counts[i / 36 % 6];
        uint64_t hits_2 = counts[i / 216];
        struct itr_fisher fisher;
        if (hits_1 > trials_1 || hits_2 > trials_2) {
            continue;
        }
        fisher = itr_fisher_exact(hits_1, trials_1, hits_2, trials_2);
        assert_true(fisher.less >= 0 && fisher.less <= 1);
        assert_true(fisher.greater >= 0 && fisher.greater <= 1);
        assert_true(fisher.two_sided >= 0 && fisher.two_sided <= 1);
        assert_true(fisher.two_sided >= fmin(fisher.less, fisher.greater) * (1 - 1e-9));
        assert_true(fisher.less + fisher.greater >= 1 - 1e-9);
    }
}

static void nonsense_gives_no_number(void **state) {
    (void)state;
    assert_true(is_nan(itr_incomplete_beta(0, 1, 0.5)));
    assert_true(is_nan(itr_incomplete_beta(1, -1, 0.5)));
    assert_true(is_nan(itr_incomplete_beta(1, 1, 1.5)));
    assert_true(is_nan(itr_incomplete_beta(NAN, 1, 0.5)));
    assert_true(is_nan(itr_incomplete_beta(1, INFINITY, 0.5)));
    assert_true(is_nan(itr_incomplete_beta_inverse(1, 1, -0.1)));
    assert_true(is_nan(itr_incomplete_beta_inverse(1, 1, NAN)));
    assert_true(is_nan(itr_binomial_at_least(1, 2, 1.5)));
    assert_true(is_nan(itr_binomial_at_most(1, 2, NAN)));
}

/* Wald, Sequential Analysis (1947), 5.3: rates 0.1 and 0.3, alpha 0.02, beta 0.03. A is
 * 0.97/0.02, B is 0.03/0.98; a hit adds log 3, a miss log(7/9). */
static void sprt_has_walds_numbers(void **state) {
    struct itr_sprt sprt;

    (void)state;
    assert_int_equal(itr_sprt_begin(&sprt, 0.1, 0.3, 0.02, 0.03, NULL), ITR_OK);
    near_to(sprt.upper, log(48.5), 1e-14);
    near_to(sprt.lower, log(3.0 / 98), 1e-14);
    near_to(sprt.step_hit, log(3.0), 1e-14);
    near_to(sprt.step_miss, log(7.0 / 9), 1e-14);
    /* 3^3 = 27 < 48.5 < 81 = 3^4 */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(itr_sprt_step(&sprt, true), ITR_SPRT_CONTINUE);
    }
    assert_int_equal(itr_sprt_step(&sprt, true), ITR_SPRT_RATE_1);
    assert_int_equal(sprt.trials, 4);
    assert_int_equal(sprt.hits, 4);
}

static void sprt_accepts_the_lower_rate_after_enough_misses(void **state) {
    struct itr_sprt sprt;
    int steps = 1;

    (void)state;
    assert_int_equal(itr_sprt_begin(&sprt, 0.1, 0.3, 0.02, 0.03, NULL), ITR_OK);
    while (itr_sprt_step(&sprt, false) == ITR_SPRT_CONTINUE) {
        steps++;
    }
    /* the least m with (7/9)^m <= 3/98 */
    assert_int_equal(steps, (int)ceil(log(3.0 / 98) / log(7.0 / 9)));
    assert_int_equal(sprt.decision, ITR_SPRT_RATE_0);
}

static void sprt_takes_all_trials_at_once(void **state) {
    struct itr_sprt sprt;

    (void)state;
    assert_int_equal(itr_sprt_begin(&sprt, 0.1, 0.3, 0.02, 0.03, NULL), ITR_OK);
    assert_int_equal(itr_sprt_set(&sprt, 3, 2), ITR_SPRT_CONTINUE); /* cannot be */
    assert_int_equal(sprt.trials, 0);
    assert_int_equal(itr_sprt_set(&sprt, 5, 12), ITR_SPRT_CONTINUE);
    near_to(sprt.ratio, 5 * log(3.0) + 7 * log(7.0 / 9), 1e-14);
    assert_int_equal(itr_sprt_set(&sprt, 6, 12), ITR_SPRT_RATE_1);
    assert_int_equal(itr_sprt_set(&sprt, 0, 900), ITR_SPRT_RATE_1);
    assert_int_equal(sprt.trials, 12);
    assert_int_equal(itr_sprt_begin(&sprt, 0, 1, 0.1, 0.1, NULL), ITR_OK);
    assert_int_equal(itr_sprt_set(&sprt, 1, 2), ITR_SPRT_CONTINUE); /* neither of the two */
    assert_int_equal(itr_sprt_set(&sprt, 0, 1), ITR_SPRT_RATE_0);
}

/* Looked at after batches that grow, at bounds that hold whenever one looks. */
static void sprt_holds_its_errors_in_batches(void **state) {
    enum { RUNS = 2000 };
    static const double rates[] = {0.02, 0.1};
    const double accepted = 0.05;

    (void)state;
    for (size_t truth = 0; truth < 2; truth++) {
        int wrong = 0;
        int open = 0;
        for (uint64_t run = 0; run < RUNS; run++) {
            struct itr_random random = itr_random_of("sprt batches", truth, run);
            struct itr_sprt sprt;
            uint64_t hits = 0;
            uint64_t trials = 0;
            assert_int_equal(itr_sprt_begin(&sprt, rates[0], rates[1], accepted, accepted, NULL), ITR_OK);
            itr_sprt_hold(&sprt, accepted, accepted);
            while (sprt.decision == ITR_SPRT_CONTINUE && trials < 100000) {
                for (uint64_t i = trials / 8 > 4 ? trials / 8 : 4; i > 0; i--) {
                    hits += itr_random_unit(&random) < rates[truth] ? 1 : 0;
                    trials++;
                }
                (void)itr_sprt_set(&sprt, hits, trials);
            }
            open += sprt.decision == ITR_SPRT_CONTINUE ? 1 : 0;
            wrong += sprt.decision == (truth == 0 ? ITR_SPRT_RATE_1 : ITR_SPRT_RATE_0) ? 1 : 0;
        }
        assert_int_equal(open, 0);
        assert_true(wrong <= RUNS * accepted);
        assert_true(wrong > 0);
    }
}

static void sprt_keeps_its_decision(void **state) {
    struct itr_sprt sprt;

    (void)state;
    assert_int_equal(itr_sprt_begin(&sprt, 0.1, 0.9, 0.1, 0.1, NULL), ITR_OK);
    assert_int_equal(itr_sprt_step(&sprt, true), ITR_SPRT_RATE_1);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(itr_sprt_step(&sprt, false), ITR_SPRT_RATE_1);
    }
    assert_int_equal(sprt.trials, 1);
}

static void sprt_decides_at_once_on_what_a_rate_rules_out(void **state) {
    struct itr_sprt sprt;

    (void)state;
    assert_int_equal(itr_sprt_begin(&sprt, 0, 0.01, 0.001, 0.001, NULL), ITR_OK);
    assert_int_equal(itr_sprt_step(&sprt, false), ITR_SPRT_CONTINUE);
    assert_int_equal(itr_sprt_step(&sprt, true), ITR_SPRT_RATE_1);
    assert_int_equal(itr_sprt_begin(&sprt, 0.5, 1, 0.001, 0.001, NULL), ITR_OK);
    assert_int_equal(itr_sprt_step(&sprt, true), ITR_SPRT_CONTINUE);
    assert_int_equal(itr_sprt_step(&sprt, false), ITR_SPRT_RATE_0);
    assert_int_equal(itr_sprt_begin(&sprt, 1, 0, 0.1, 0.1, NULL), ITR_OK);
    assert_int_equal(itr_sprt_step(&sprt, true), ITR_SPRT_RATE_0);
}

static void sprt_refuses_what_cannot_be(void **state) {
    static const double bad[][4] = {
        {0.1, 0.1, 0.05, 0.05}, {-0.1, 0.1, 0.05, 0.05}, {0.1, 1.1, 0.05, 0.05},
        {0.1, 0.2, 0, 0.05},    {0.1, 0.2, 0.05, 0},     {0.1, 0.2, 0.5, 0.5},
        {NAN, 0.2, 0.05, 0.05}, {0.1, NAN, 0.05, 0.05},  {0.1, 0.2, NAN, 0.05},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct itr_sprt sprt;
        struct itr_error err = {0};
        assert_int_equal(itr_sprt_begin(&sprt, bad[i][0], bad[i][1], bad[i][2], bad[i][3], &err),
                         ITR_E_USAGE);
        assert_int_equal(err.status, ITR_E_USAGE);
        assert_non_null(strstr(err.text, "sequential test"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(incomplete_beta_is_exact_for_whole_parameters),
        cmocka_unit_test(incomplete_beta_is_exact_for_other_parameters),
        cmocka_unit_test(incomplete_beta_has_its_symmetry_and_ends),
        cmocka_unit_test(incomplete_beta_holds_for_huge_parameters),
        cmocka_unit_test(inverse_beta_undoes_incomplete_beta),
        cmocka_unit_test(binomial_tails_are_exact),
        cmocka_unit_test(clopper_pearson_is_exact),
        cmocka_unit_test(clopper_pearson_leaves_half_the_error_on_each_side_of_millions),
        cmocka_unit_test(wilson_is_exact),
        cmocka_unit_test(intervals_of_impossible_counts_say_nothing),
        cmocka_unit_test(intervals_hold_the_rate_and_shrink),
        cmocka_unit_test(the_rule_of_three_is_exact),
        cmocka_unit_test(trials_needed_is_the_least_number_that_does),
        cmocka_unit_test(normal_quantiles_are_exact),
        cmocka_unit_test(fisher_is_exact),
        cmocka_unit_test(fisher_of_impossible_counts_is_no_number),
        cmocka_unit_test(fisher_is_a_probability_for_any_counts),
        cmocka_unit_test(nonsense_gives_no_number),
        cmocka_unit_test(sprt_has_walds_numbers),
        cmocka_unit_test(sprt_accepts_the_lower_rate_after_enough_misses),
        cmocka_unit_test(sprt_takes_all_trials_at_once),
        cmocka_unit_test(sprt_holds_its_errors_in_batches),
        cmocka_unit_test(sprt_keeps_its_decision),
        cmocka_unit_test(sprt_decides_at_once_on_what_a_rate_rules_out),
        cmocka_unit_test(sprt_refuses_what_cannot_be),
    };
    return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
