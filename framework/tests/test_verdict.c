/* Unit tests of the sequential comparison: its rules, what it takes, its facts. Simulations are in
 * test_verdict_simulated.c.
 *
 * "round by round" below: computed with Python, independently of the lattice walk here: the chance of every state after
 * 0, 1, 2, … rounds, rounds without failures included, the log-likelihood ratios from the failures' shares, sums by
 * math.fsum, until less than 1e-15 is undecided; the mean is the sum of the chances to be undecided after n rounds. */
#include "framework/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void near_to(double actual, double expected, double relative) {
    if (!(fabs(actual - expected) <= relative * fabs(expected) + 1e-13)) {
        fail_msg("%.17g is not %.17g", actual, expected);
    }
}

static struct itr_comparison begin(double factor, uint32_t baselines, uint64_t rounds_max) {
    struct itr_comparison_design design = {.alpha = 0.01,
                                           .beta = 0.01,
                                           .factor = factor,
                                           .baselines = baselines,
                                           .rounds_max = rounds_max};
    struct itr_comparison comparison;

    assert_int_equal(itr_comparison_begin(&comparison, &design, NULL), ITR_OK);
    return comparison;
}

static void expected_trials_are_exact(void **state) {
    static const struct {
        uint32_t baselines;
        double factor, worse_factor, alpha, beta, baseline_rate, candidate_rate;
        double fixed, not_fixed, worse, rounds; /* round by round */
    } samples[] = {
        {1, 10, 10, 0.01, 0.01, 0.5, 0.5, 0.000244050654200972, 0.999511898691558,
         0.000244050654200972, 12.9578774913793},
        {1, 10, 10, 0.01, 0.01, 0.5, 0.05, 0.99838533688802, 0.00161466308548329,
         2.64826029983964e-11, 22.6698921572049},
        {2, 10, 10, 0.01, 0.01, 1, 0.25, 0.943792050445444, 0.0562079495545546, 0,
         19.3813187182628},
        {1, 10, 10, 0.01, 0.01, 0.25, 0.25, 0.00211846481653133, 0.995763070366795,
         0.00211846481653133, 27.2798439669949},
        {4, 10, 10, 0.01, 0.01, 0.115, 0.115, 0.00568152772016721, 0.992238745499938,
         0.00207972677890509, 39.2156496208465},
        {1, 2, 2, 0.05, 0.05, 0.5, 0.25, 0.992694999394822, 0.00730472167517458,
         2.78929807365467e-07, 72.6252957531398},
        {2, 2, 3, 0.05, 0.1, 0.5, 0.5, 0.003124657180461, 0.995749385271775, 0.00112595754736559,
         35.715768086108},
        {16, 10, 10, 0.01, 0.01, 0.115, 0, 1, 0, 0, 46.6644021739133},
        {3, 4, 2, 0.02, 0.05, 0.3, 0.6, 3.12483219730156e-07, 0.00281623334190228,
         0.997183454174592, 50.0709359042619},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++) {
        struct itr_comparison_design design = {.alpha = samples[i].alpha,
                                               .beta = samples[i].beta,
                                               .factor = samples[i].factor,
                                               .worse_factor = samples[i].worse_factor,
                                               .baselines = samples[i].baselines};
        struct itr_comparison comparison;
        struct itr_comparison_expected expected;
        assert_int_equal(itr_comparison_begin(&comparison, &design, NULL), ITR_OK);
        assert_int_equal(itr_comparison_expect(&comparison, samples[i].baseline_rate,
                                               samples[i].candidate_rate, &expected, NULL),
                         ITR_OK);
        near_to(expected.fixed, samples[i].fixed, 1e-9);
        near_to(expected.not_fixed, samples[i].not_fixed, 1e-9);
        near_to(expected.worse, samples[i].worse, 1e-9);
        near_to(expected.rounds, samples[i].rounds, 1e-9);
        near_to(expected.baseline_trials, samples[i].rounds * samples[i].baselines, 1e-9);
        near_to(expected.candidate_trials, samples[i].rounds, 1e-9);
    }
}

/* The promise of the header, for rates from 0.01 % to 1 and all sorts of designs, by the exact chances: identical arms,
 * and a drop of just the factor. A rise of the factor where there is room for one. */
static void error_chances_are_at_most_alpha_and_beta(void **state) {
    static const double rates[] = {0.0001, 0.02, 0.115, 0.3, 0.5, 0.7, 0.9, 1};
    static const struct itr_comparison_design designs[] = {
        {.alpha = 0.01, .beta = 0.01, .factor = 10, .baselines = 16},
        {.alpha = 0.01, .beta = 0.01, .factor = 10, .baselines = 1},
        {.alpha = 0.01, .beta = 0.01, .factor = 2, .baselines = 1},
        {.alpha = 0.01, .beta = 0.01, .factor = 2, .baselines = 4},
        {.alpha = 0.01, .beta = 0.01, .factor = 10, .worse_factor = 2, .baselines = 4},
        {.alpha = 0.05, .beta = 0.002, .factor = 3, .baselines = 3},
        {.alpha = 0.2, .beta = 0.1, .factor = 1.5, .baselines = 1},
        {.alpha = 0.001, .beta = 0.05, .factor = 100, .baselines = 64},
        {.alpha = 0.25, .beta = 0.25, .factor = 1000, .baselines = 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(designs) * COUNT(rates); i++) {
        const struct itr_comparison_design *design = &designs[i / COUNT(rates)];
        double rate = rates[i % COUNT(rates)];
        struct itr_comparison comparison;
        struct itr_comparison_expected expected;
        assert_int_equal(itr_comparison_begin(&comparison, design, NULL), ITR_OK);
        assert_int_equal(itr_comparison_expect(&comparison, rate, rate, &expected, NULL), ITR_OK);
        assert_true(expected.fixed <= design->alpha && expected.worse <= design->alpha);
        near_to(expected.fixed + expected.worse + expected.not_fixed, 1, 1e-9);
        assert_int_equal(itr_comparison_expect(&comparison, rate, rate / design->factor, &expected,
                                               NULL),
                         ITR_OK);
        assert_true(expected.fixed >= 1 - design->beta);
        rate *= comparison.design.worse_factor;
        if (rate <= 1) {
            assert_int_equal(itr_comparison_expect(&comparison, rates[i % COUNT(rates)], rate,
                                                   &expected, NULL),
                             ITR_OK);
            assert_true(expected.worse >= 1 - design->beta);
        }
    }
}

static void a_deterministic_baseline_is_decided_at_once(void **state) {
    struct itr_comparison comparison = begin(10, 1, 0);

    (void)state;
    /* Each failure of the baseline is 20/11 as likely: (20/11)^7 < 100 <= (20/11)^8. */
    for (int i = 0; i < 7; i++) {
        assert_int_equal(itr_comparison_round(&comparison, 1, false), ITR_COMPARISON_CONTINUE);
    }
    assert_int_equal(itr_comparison_round(&comparison, 1, false), ITR_COMPARISON_FIXED);
    /* Nothing changes after the end. */
    for (int i = 0; i < 50; i++) {
        assert_int_equal(itr_comparison_round(&comparison, 0, true), ITR_COMPARISON_FIXED);
    }
    assert_int_equal(comparison.trials[ITR_ARM_CANDIDATE], 8);
    comparison = begin(10, 1, 0);
    /* Both fail always: (20/11)(2/11) = 40/121 a round, (40/121)^4 > 1/100 >= (40/121)^5. */
    for (int i = 0; i < 4; i++) {
        assert_int_equal(itr_comparison_round(&comparison, 1, true), ITR_COMPARISON_CONTINUE);
    }
    assert_int_equal(itr_comparison_round(&comparison, 1, true), ITR_COMPARISON_NOT_FIXED);
    comparison = begin(10, 1, 0);
    for (int i = 0; i < 7; i++) {
        assert_int_equal(itr_comparison_round(&comparison, 0, true), ITR_COMPARISON_CONTINUE);
    }
    assert_int_equal(itr_comparison_round(&comparison, 0, true), ITR_COMPARISON_WORSE);
}

static void the_candidate_that_never_fails_takes_sixty_trials(void **state) {
    struct itr_comparison_design design = {.alpha = 0.01, .beta = 0.01};
    struct itr_comparison comparison;
    struct itr_comparison_expected expected;
    uint32_t baselines = 0;

    (void)state;
    assert_int_equal(itr_comparison_baselines(&design, 0.115, 0.115, &baselines, NULL), ITR_OK);
    assert_int_equal(baselines, 16);
    assert_int_equal(itr_comparison_baselines(&design, 0.05, 0.115, &baselines, NULL), ITR_OK); /* as a short pilot knows it */
    assert_int_equal(baselines, 16);
    comparison = begin(0, baselines, 0);
    assert_int_equal(itr_comparison_expect(&comparison, 0.115, 0, &expected, NULL), ITR_OK);
    assert_true(expected.candidate_trials < 47 && expected.baseline_trials < 750);
    assert_true(expected.rounds_enough <= 60);
    /* It is decided at the 85th failure: P(X >= 85) of 16 n trials is what rounds_enough promises. */
    assert_true(itr_binomial_at_least(85, 16 * expected.rounds_enough, 0.115) >=
                0.99 * (1 - 0.002));
    assert_true(itr_binomial_at_least(85, 16 * (expected.rounds_enough - 2), 0.115) < 0.99);
    /* Where it fails always one is enough; where it is too rare one takes the fewest in all. */
    assert_int_equal(itr_comparison_baselines(&design, 1, 1, &baselines, NULL), ITR_OK);
    assert_int_equal(baselines, 1);
    assert_int_equal(itr_comparison_baselines(&design, 0.0005, 0.0005, &baselines, NULL), ITR_OK);
    assert_int_equal(baselines, 1);
}

static void what_is_left_follows_the_walk(void **state) {
    struct itr_comparison comparison = begin(10, 1, 0);
    struct itr_comparison_expected expected;

    (void)state;
    /* Candidate never, baseline always: what is left is 8 minus what was. */
    for (int i = 0; i < 8; i++) {
        assert_int_equal(itr_comparison_expect(&comparison, 1, 0, &expected, NULL), ITR_OK);
        near_to(expected.rounds, 8 - i, 1e-12);
        (void)itr_comparison_round(&comparison, 1, false);
    }
    assert_int_equal(itr_comparison_expect(&comparison, 1, 0, &expected, NULL), ITR_OK);
    assert_true(expected.rounds == 0 && expected.fixed == 1);
    /* The mean is that of what comes after the next round, and one more. */
    comparison = begin(3, 2, 0);
    for (int i = 0; i < 9; i++) {
        double sum = 1;
        struct itr_comparison_expected now;
        assert_int_equal(itr_comparison_expect(&comparison, 0.3, 0.2, &now, NULL), ITR_OK);
        for (uint32_t hits = 0; hits <= 2; hits++) {
            for (int hit = 0; hit <= 1; hit++) {
                struct itr_comparison after = comparison;
                double chance = (hits == 0 ? 0.49 : hits == 1 ? 0.42 : 0.09) * (hit ? 0.2 : 0.8);
                (void)itr_comparison_round(&after, hits, hit);
                assert_int_equal(itr_comparison_expect(&after, 0.3, 0.2, &expected, NULL), ITR_OK);
                sum += chance * expected.rounds;
            }
        }
        near_to(now.rounds, sum, 1e-9);
        (void)itr_comparison_round(&comparison, 1, i % 3 == 0);
        assert_int_equal(comparison.verdict, ITR_COMPARISON_CONTINUE);
    }
}

static void trials_in_any_order_make_a_round(void **state) {
    struct itr_comparison one = begin(10, 4, 0);
    struct itr_comparison other = begin(10, 4, 0);
    struct itr_random random = itr_random_seed(5);
    uint32_t place[5] = {0};

    (void)state;
    for (int i = 0; i < 5000 && one.verdict == ITR_COMPARISON_CONTINUE; i++) {
        uint8_t order[5];
        uint32_t hits = 0;
        bool hit = false;
        itr_round_order(&random, 4, 1, order);
        for (uint32_t j = 0; j < 5; j++) {
            bool fails = itr_random_below(&random, 100) < 3;
            place[j] += order[j] == 1;
            hits += order[j] == 0 && fails;
            hit = hit || (order[j] == 1 && fails);
            (void)itr_comparison_note(&one, order[j] == 1 ? ITR_ARM_CANDIDATE : ITR_ARM_BASELINE,
                                      fails);
        }
        assert_int_equal(itr_comparison_round(&other, hits, hit), one.verdict);
        assert_int_equal(one.hits[0], other.hits[0]);
        assert_int_equal(one.hits[1], other.hits[1]);
    }
    assert_int_not_equal(one.verdict, ITR_COMPARISON_CONTINUE);
    for (uint32_t i = 0; i < 5000; i++) {
        uint8_t order[5];
        itr_round_order(&random, 4, 1, order);
        for (uint32_t j = 0; j < 5; j++) {
            place[j] += order[j] == 1;
        }
    }
    for (uint32_t j = 0; j < 5;
         j++) { /* the candidate comes at each place as often: 1/5, 5 sigma */
        double rounds = 5000 + (double)one.rounds;
        assert_true(fabs(place[j] - rounds / 5) < 5 * sqrt(rounds * 0.16));
    }
}

static void a_budget_ends_it_undecided(void **state) {
    struct itr_comparison comparison = begin(10, 1, 40);

    (void)state;
    for (int i = 0; i < 39; i++) {
        enum itr_comparison_verdict verdict = itr_comparison_round(&comparison, i % 4 == 0, i == 9);
        assert_int_equal(verdict, ITR_COMPARISON_CONTINUE);
    }
    assert_int_equal(itr_comparison_round(&comparison, 0, false), ITR_COMPARISON_BUDGET);
    assert_string_equal(itr_comparison_name(comparison.verdict), "undecided");
    comparison = begin(10, 1, 3); /* too few rounds for looks at its power */
    assert_int_equal(itr_comparison_round(&comparison, 0, false), ITR_COMPARISON_CONTINUE);
    assert_int_equal(itr_comparison_round(&comparison, 0, false), ITR_COMPARISON_CONTINUE);
    assert_int_equal(itr_comparison_round(&comparison, 0, false), ITR_COMPARISON_NOT_SHOWN);
}

static void a_baseline_without_failures_decides_nothing(void **state) {
    struct itr_comparison comparison = begin(10, 1, 1000);
    struct itr_comparison_expected expected;
    uint64_t rounds;

    (void)state;
    while (itr_comparison_round(&comparison, 0, false) == ITR_COMPARISON_CONTINUE) {
    }
    assert_int_equal(comparison.verdict, ITR_COMPARISON_NOT_SHOWN);
    /* "fixed" takes 8 failures of the baseline, "worse" 8 of the candidate, "not fixed" 3 of each. The bound of the
     * rates after 750 is 1 - 0.01^(1/750) = 0.61 %, and in 250 more P(X >= 3)^2 = 0.2^2; after 875 it is 0.52 %, and
     * in 125 more P(X >= 3)^2 = 0.03^2: less than one in a hundred. */
    assert_int_equal(comparison.rounds, 875);
    assert_true(strstr(itr_comparison_text(comparison.verdict), "does not show it") != NULL);
    comparison = begin(10, 1, 0);
    assert_int_equal(itr_comparison_expect(&comparison, 0, 0, &expected, NULL), ITR_OK);
    assert_true(expected.rounds == INFINITY && expected.rounds_enough == UINT64_MAX);
    assert_int_equal(itr_comparison_budget(&comparison, 0, &rounds, NULL), ITR_E_USAGE);
    /* A baseline that fails, but far too seldom. */
    comparison = begin(10, 1, 1000);
    (void)itr_comparison_round(&comparison, 1, false);
    while (itr_comparison_round(&comparison, 0, false) == ITR_COMPARISON_CONTINUE) {
    }
    assert_int_equal(comparison.verdict, ITR_COMPARISON_POWER);
    assert_true(comparison.rounds < 1000);
    /* What is new in the candidate is worse, not undecided. */
    comparison = begin(10, 1, 1000);
    while (itr_comparison_round(&comparison, 0, comparison.rounds % 10 == 0) ==
           ITR_COMPARISON_CONTINUE) {
    }
    assert_int_equal(comparison.verdict, ITR_COMPARISON_WORSE);
}

static void rates_stand_for_their_factor(void **state) {
    struct itr_comparison_design design = {
        .alpha = 0.01, .beta = 0.02, .rate_0 = 0.2, .rate_1 = 0.05, .baselines = 3};
    struct itr_comparison comparison;

    (void)state;
    assert_int_equal(itr_comparison_begin(&comparison, &design, NULL), ITR_OK);
    near_to(comparison.design.factor, 4, 1e-15);
    near_to(comparison.design.worse_factor, 4, 1e-15);
    /* 1/4 of the baseline's: the candidate has 1/13 of the failures; the same: 1/4 of them. */
    near_to(comparison.lattice.fixed_up, log(12.0 / 13 / 0.75), 1e-14);
    near_to(comparison.lattice.fixed_down, -log(1.0 / 13 / 0.25), 1e-14);
    /* 4 times: 4/7 of them. */
    near_to(comparison.lattice.worse_up, log(4.0 / 7 / 0.25), 1e-14);
    near_to(comparison.lattice.worse_down, -log(3.0 / 7 / 0.75), 1e-14);
    near_to(comparison.lattice.upper, log(100.0), 1e-15);
    near_to(comparison.lattice.lower, log(50.0), 1e-15);
}

static void facts_have_the_numbers(void **state) {
    struct itr_comparison comparison = begin(10, 2, 0);
    struct itr_comparison_facts facts;
    struct itr_interval share;

    (void)state;
    itr_comparison_facts(&comparison, 0.95, &facts);
    assert_true(facts.baseline.rate != facts.baseline.rate && facts.baseline.interval.high == 1);
    assert_true(facts.rounds_left_if_fixed == INFINITY);
    for (int i = 0; i < 20; i++) {
        (void)itr_comparison_round(&comparison, i % 4 == 0, false);
    }
    itr_comparison_facts(&comparison, 0.95, &facts);
    assert_int_equal(facts.baseline.hits, 5);
    assert_int_equal(facts.baseline.trials, 40);
    near_to(facts.baseline.rate, 0.125, 1e-15);
    near_to(facts.baseline.interval.low, itr_clopper_pearson(5, 40, 0.95).low, 1e-15);
    assert_true(facts.baseline.none_bound != facts.baseline.none_bound);
    assert_int_equal(facts.candidate.trials, 20);
    near_to(facts.candidate.none_bound, 1 - pow(0.05, 1.0 / 20), 1e-12);
    /* C(40,5) / C(60,5) */
    near_to(facts.fisher.less, 0.1204818, 1e-5);
    share = itr_clopper_pearson(0, 5, 0.95);
    assert_true(facts.ratio.low == 0);
    near_to(facts.ratio.high, 2 * share.high / (1 - share.high), 1e-12);
    assert_true(facts.rounds_left_if_fixed > 30 && facts.rounds_left_if_fixed < 70);
    assert_true(facts.rounds_left_if_same > 0);
    while (itr_comparison_round(&comparison, 2, false) == ITR_COMPARISON_CONTINUE) {
    }
    itr_comparison_facts(&comparison, 0.95, &facts);
    assert_true(facts.rounds_left_if_fixed == 0 && facts.rounds_left_if_same == 0);
}

/* "<= 0.038 % at 95 % after 10,000" needs 0 of about 7,882 trials: 1 - 0.05^(1/n). After 10,000 it is 0.030 %. */
static void none_seen_has_a_bound(void **state) {
    struct itr_comparison comparison = begin(10, 1, 0);
    struct itr_comparison_facts facts;

    (void)state;
    comparison.trials[ITR_ARM_CANDIDATE] = 10000;
    itr_comparison_facts(&comparison, 0.95, &facts);
    near_to(facts.candidate.none_bound, 0.000299528, 1e-5);
}

static void what_cannot_be_is_refused(void **state) {
    static const struct itr_comparison_design bad[] = {
        {.alpha = 0, .beta = 0.01},
        {.alpha = 0.01, .beta = 0},
        {.alpha = 0.5, .beta = 0.01},
        {.alpha = 0.01, .beta = 1},
        {.alpha = NAN, .beta = 0.01},
        {.alpha = 0.01, .beta = NAN},
        {.alpha = 0.01, .beta = 0.01, .factor = 1},
        {.alpha = 0.01, .beta = 0.01, .factor = 1001},
        {.alpha = 0.01, .beta = 0.01, .factor = NAN},
        {.alpha = 0.01, .beta = 0.01, .worse_factor = 0.5},
        {.alpha = 0.01, .beta = 0.01, .rate_0 = 0.1},
        {.alpha = 0.01, .beta = 0.01, .rate_0 = 0.1, .rate_1 = 0.1},
        {.alpha = 0.01, .beta = 0.01, .rate_0 = 1.1, .rate_1 = 0.1},
        {.alpha = 0.01, .beta = 0.01, .rate_0 = 0.1, .rate_1 = -0.1},
        {.alpha = 0.01, .beta = 0.01, .rate_0 = NAN, .rate_1 = 0.1},
        {.alpha = 0.01, .beta = 0.01, .rate_0 = 0.1, .rate_1 = NAN},
        {.alpha = 0.01, .beta = 0.01, .rate_0 = 0.1, .rate_1 = 0.01, .factor = 10},
        {.alpha = 0.01, .beta = 0.01, .baselines = ITR_BASELINES_MAX + 1},
    };
    struct itr_comparison comparison = begin(10, 1, 0);
    struct itr_comparison_expected expected = {.rounds = 7};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct itr_error err = {0};
        struct itr_comparison refused;
        assert_int_equal(itr_comparison_begin(&refused, &bad[i], &err), ITR_E_USAGE);
        assert_non_null(strstr(err.text, "comparison"));
    }
    assert_int_equal(itr_comparison_expect(&comparison, -0.1, 0.1, &expected, NULL), ITR_E_USAGE);
    assert_int_equal(itr_comparison_expect(&comparison, 0.1, NAN, &expected, NULL), ITR_E_USAGE);
    assert_int_equal(itr_comparison_expect(&comparison, 0.1, 1.1, &expected, NULL), ITR_E_USAGE);
    assert_true(expected.rounds == 7);
}

static void a_walk_that_is_too_long_is_a_limit(void **state) {
    struct itr_comparison_design design = {
        .alpha = 1e-6, .beta = 1e-6, .factor = ITR_FACTOR_LEAST, .baselines = ITR_BASELINES_MAX};
    struct itr_comparison comparison;
    struct itr_comparison_expected expected = {.rounds = 7};

    (void)state;
    assert_int_equal(itr_comparison_begin(&comparison, &design, NULL), ITR_OK);
    assert_int_equal(itr_comparison_expect(&comparison, 0.3, 0.27, &expected, NULL), ITR_E_LIMIT);
    assert_true(expected.rounds == 7);
    /* With ordinary error chances and one baseline trial a round the least factor is followed. */
    comparison = begin(ITR_FACTOR_LEAST, 1, 0);
    assert_int_equal(itr_comparison_expect(&comparison, 0.3, 0.27, &expected, NULL), ITR_OK);
    near_to(expected.fixed + expected.not_fixed + expected.worse, 1, 1e-9);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expected_trials_are_exact),
        cmocka_unit_test(error_chances_are_at_most_alpha_and_beta),
        cmocka_unit_test(a_deterministic_baseline_is_decided_at_once),
        cmocka_unit_test(the_candidate_that_never_fails_takes_sixty_trials),
        cmocka_unit_test(what_is_left_follows_the_walk),
        cmocka_unit_test(trials_in_any_order_make_a_round),
        cmocka_unit_test(a_budget_ends_it_undecided),
        cmocka_unit_test(a_baseline_without_failures_decides_nothing),
        cmocka_unit_test(rates_stand_for_their_factor),
        cmocka_unit_test(facts_have_the_numbers),
        cmocka_unit_test(none_seen_has_a_bound),
        cmocka_unit_test(a_walk_that_is_too_long_is_a_limit),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
