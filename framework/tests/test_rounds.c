/* Unit tests of rounds.c: a campaign of several slots is simulated, whose trials end out of order. */
#include "framework/rounds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SLOTS = 4, TRIALS_MAX = 200000 };

/* An arm fails with signature s at rate[s]; a shot is not fired at rate `missed`. */
struct arm {
    double rate[2];
    double missed;
};

struct machine {
    struct arm arms[1 + ITR_ROUNDS_CANDIDATES_MAX];
    uint64_t seed;          /* of what trials come to: by their number, whoever runs them when */
    struct itr_random luck; /* which of the slots is done next */
    uint64_t stop_after;    /* trials; 0: never */
};

static int fire(const struct machine *machine, const struct itr_rounds_trial *trial) {
    struct itr_random random = itr_random_of("trial", machine->seed, trial->trial);
    const struct arm *arm = &machine->arms[trial->arm];
    double unit = itr_random_unit(&random);
    if (itr_random_unit(&random) < arm->missed) {
        return ITR_ROUNDS_VOID;
    }
    return unit < arm->rate[0] ? 0 : unit < arm->rate[0] + arm->rate[1] ? 1 : ITR_ROUNDS_PASS;
}

/* Runs all slots until the rounds are over; every trial's number is taken once. Returns the trials that were run. */
static uint64_t work(struct machine *machine, struct itr_rounds *rounds, uint32_t slots) {
    struct itr_rounds_trial under_way[SLOTS];
    uint32_t busy = 0;
    uint64_t ran = 0;
    static bool seen[TRIALS_MAX];
    memset(seen, 0, sizeof seen);
    for (;;) {
        bool goes_on = machine->stop_after == 0 || ran < machine->stop_after;
        while (busy < slots && goes_on && itr_rounds_take(rounds, &under_way[busy])) {
            uint64_t number = under_way[busy].trial - rounds->design.first_trial;
            assert_true(number < itr_rounds_numbers(rounds));
            if (number < TRIALS_MAX) {
                assert_false(seen[number]);
                seen[number] = true;
            }
            busy++;
        }
        if (busy == 0) {
            return ran;
        }
        uint32_t done = (uint32_t)itr_random_below(&machine->luck, busy);
        itr_rounds_note(rounds, &under_way[done], fire(machine, &under_way[done]));
        under_way[done] = under_way[--busy];
        ran++;
    }
}

static void begin(struct itr_rounds *rounds, uint32_t baselines, uint32_t candidates, uint32_t signatures,
                  uint64_t rounds_max, uint64_t seed) {
    struct itr_rounds_design design = {
        .test = {.alpha = 0.01, .beta = 0.01, .baselines = baselines, .rounds_max = rounds_max},
        .candidates = candidates,
        .signatures = signatures,
        .ahead = 8,
        .seed = seed,
        .first_trial = 1000,
    };
    assert_int_equal(itr_rounds_begin(rounds, &design, NULL), ITR_OK);
}

static void a_drop_is_fixed_and_the_same_is_not(void **state) {
    (void)state;
    struct itr_rounds rounds = {0};
    struct machine machine = {.arms = {{{0.5, 0}, 0}, {{0, 0}, 0}, {{0.5, 0}, 0}}, .seed = 7};
    begin(&rounds, 2, 2, 1, 1000, 1);
    uint64_t ran = work(&machine, &rounds, SLOTS);
    assert_true(rounds.over);
    assert_int_equal(rounds.comparisons[0][0].verdict, ITR_COMPARISON_FIXED);
    assert_int_equal(rounds.comparisons[1][0].verdict, ITR_COMPARISON_NOT_FIXED);
    assert_int_equal(rounds.arms[1], ITR_ROUNDS_DECIDED);
    assert_int_equal(ran, rounds.taken);
    assert_int_equal(ran, rounds.ended);
    assert_int_equal(ran, rounds.counted + itr_rounds_beyond(&rounds));
    /* Two trials of the baseline in each round judged, one of each candidate until its decision. */
    assert_int_equal(rounds.counted, 2 * rounds.judged + rounds.arm_rounds[1] + rounds.arm_rounds[2]);
    assert_int_equal(rounds.comparisons[0][0].rounds, rounds.arm_rounds[1]);
    itr_rounds_release(&rounds);
}

/* The answers decide, not which of the trials ended first, nor how many slots there were. */
static void the_order_in_which_trials_end_changes_nothing(void **state) {
    (void)state;
    struct itr_rounds first = {0};
    begin(&first, 4, 2, 2, 2000, 5);
    struct machine machine = {.arms = {{{0.2, 0.1}, 0.05}, {{0.01, 0.1}, 0.05}, {{0.1, 0.02}, 0.05}}, .seed = 9};
    work(&machine, &first, 1);
    for (uint64_t luck = 0; luck < 20; luck++) {
        struct itr_rounds again = {0};
        begin(&again, 4, 2, 2, 2000, 5);
        machine.luck = itr_random_seed(luck);
        work(&machine, &again, SLOTS);
        assert_int_equal(again.judged, first.judged);
        assert_int_equal(again.counted, first.counted);
        for (uint32_t c = 0; c < 2; c++) {
            for (uint32_t s = 0; s < 2; s++) {
                assert_memory_equal(&again.comparisons[c][s], &first.comparisons[c][s], sizeof again.comparisons[c][s]);
            }
        }
        itr_rounds_release(&again);
    }
    itr_rounds_release(&first);
}

/* A campaign that was cut short: what it had is told again, by number, and the rest is run. */
static void an_interrupted_campaign_comes_to_the_same(void **state) {
    (void)state;
    struct machine machine = {.arms = {{{0.1, 0}, 0.1}, {{0.005, 0}, 0.1}}, .seed = 3};
    struct itr_rounds whole = {0};
    begin(&whole, 8, 1, 1, 2000, 2);
    work(&machine, &whole, SLOTS);
    for (uint64_t stop = 1; stop < whole.taken; stop += 37) {
        struct itr_rounds cut = {0};
        struct itr_rounds resumed = {0};
        begin(&cut, 8, 1, 1, 2000, 2);
        machine.stop_after = stop;
        work(&machine, &cut, SLOTS);
        assert_true(cut.judged <= whole.judged);
        assert_true(cut.ended >= stop);
        machine.stop_after = 0;
        begin(&resumed, 8, 1, 1, 2000, 2);
        work(&machine, &resumed, SLOTS);
        assert_memory_equal(&resumed.comparisons[0][0], &whole.comparisons[0][0], sizeof whole.comparisons[0][0]);
        itr_rounds_release(&cut);
        itr_rounds_release(&resumed);
    }
    itr_rounds_release(&whole);
}

static void a_trial_without_an_answer_is_taken_again_under_another_number(void **state) {
    (void)state;
    struct itr_rounds rounds = {0};
    struct itr_rounds_trial trial;
    struct itr_rounds_trial again;
    begin(&rounds, 1, 0, 0, 1, 1);
    assert_true(itr_rounds_take(&rounds, &trial));
    assert_false(itr_rounds_take(&rounds, &again));
    assert_false(rounds.over);
    itr_rounds_note(&rounds, &trial, ITR_ROUNDS_VOID);
    assert_true(itr_rounds_take(&rounds, &again));
    assert_int_equal(again.round, trial.round);
    assert_int_equal(again.arm, trial.arm);
    assert_int_not_equal(again.trial, trial.trial);
    itr_rounds_note(&rounds, &again, ITR_ROUNDS_PASS);
    assert_true(rounds.over);
    assert_int_equal(rounds.voids, 1);
    assert_int_equal(rounds.counted, 1);
    assert_int_equal(itr_rounds_beyond(&rounds), 0);
    itr_rounds_release(&rounds);
}

/* Where a candidate's shots never land it is left out, and the others go on. */
static void an_arm_that_does_not_reach_the_point_holds_up_nothing(void **state) {
    (void)state;
    struct itr_rounds rounds = {0};
    struct machine machine = {.arms = {{{1, 0}, 0}, {{0, 0}, 1}, {{0, 0}, 0}}, .seed = 4};
    begin(&rounds, 1, 2, 1, 100, 1);
    uint64_t ran = work(&machine, &rounds, SLOTS);
    assert_true(rounds.over);
    assert_int_equal(rounds.arms[1], ITR_ROUNDS_NOT_REACHED);
    assert_int_equal(rounds.arm_rounds[1], 0);
    assert_int_equal(rounds.comparisons[0][0].rounds, 0);
    assert_int_equal(rounds.comparisons[1][0].verdict, ITR_COMPARISON_FIXED);
    assert_in_range(ran, 16, 200);
    itr_rounds_release(&rounds);

    machine = (struct machine){.arms = {{{0, 0}, 1}, {{0, 0}, 0}}};
    begin(&rounds, 2, 1, 1, 100, 1);
    work(&machine, &rounds, SLOTS);
    assert_true(rounds.over);
    assert_int_equal(rounds.arms[0], ITR_ROUNDS_NOT_REACHED);
    assert_int_equal(rounds.judged, 0);
    itr_rounds_release(&rounds);
}

/* One trial hangs; the slots go on for `ahead` rounds, and no longer. */
static void rounds_are_fed_ahead_and_bounded(void **state) {
    (void)state;
    struct itr_rounds rounds = {0};
    struct itr_rounds_trial slow;
    struct itr_rounds_trial trial;
    begin(&rounds, 1, 1, 1, 100, 1);
    assert_true(itr_rounds_take(&rounds, &slow));
    uint64_t taken = 0;
    while (itr_rounds_take(&rounds, &trial)) {
        itr_rounds_note(&rounds, &trial, ITR_ROUNDS_PASS);
        taken++;
    }
    assert_int_equal(taken, 2 * 8 - 1);
    assert_int_equal(rounds.judged, 0);
    itr_rounds_note(&rounds, &slow, ITR_ROUNDS_PASS);
    assert_int_equal(rounds.judged, 8);
    assert_true(itr_rounds_take(&rounds, &trial));
    itr_rounds_release(&rounds);
}

/* All m + 1 places of a candidate come about as often as each other, and differ between rounds. */
static void the_order_is_drawn_from_the_seed(void **state) {
    (void)state;
    enum { ROUNDS = 4000 };
    struct itr_rounds rounds = {0};
    struct itr_rounds_trial trial;
    uint32_t places[4] = {0};
    begin(&rounds, 3, 1, 0, ROUNDS, 11);
    while (itr_rounds_take(&rounds, &trial)) {
        places[trial.place] += trial.arm == 1 ? 1 : 0;
        itr_rounds_note(&rounds, &trial, ITR_ROUNDS_PASS);
    }
    for (int i = 0; i < 4; i++) {
        assert_in_range(places[i], ROUNDS / 4 - 150, ROUNDS / 4 + 150); /* 5.5 standard deviations */
    }
    itr_rounds_release(&rounds);
}

static void identical_arms_are_not_called_fixed(void **state) {
    (void)state;
    uint32_t fixed = 0;
    uint32_t worse = 0;
    for (uint64_t i = 0; i < 500; i++) {
        struct machine machine = {.arms = {{{0.3, 0}, 0.02}, {{0.3, 0}, 0.02}}, .seed = i, .luck = itr_random_seed(i)};
        struct itr_rounds rounds = {0};
        begin(&rounds, 4, 1, 1, 500, i);
        work(&machine, &rounds, SLOTS);
        fixed += rounds.comparisons[0][0].verdict == ITR_COMPARISON_FIXED ? 1 : 0;
        worse += rounds.comparisons[0][0].verdict == ITR_COMPARISON_WORSE ? 1 : 0;
        itr_rounds_release(&rounds);
    }
    /* At most 1 % each: more than 14 of 500 come by a chance below 0.001. */
    assert_in_range(fixed, 0, 14);
    assert_in_range(worse, 0, 14);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    struct itr_rounds rounds = {0};
    struct itr_rounds_design good = {
        .test = {.alpha = 0.01, .beta = 0.01, .rounds_max = 10}, .candidates = 1, .signatures = 1, .ahead = 1};
    struct itr_rounds_design bad = good;
    bad.test.rounds_max = 0;
    assert_int_equal(itr_rounds_begin(&rounds, &bad, NULL), ITR_E_USAGE);
    bad = good;
    bad.candidates = ITR_ROUNDS_CANDIDATES_MAX + 1;
    assert_int_equal(itr_rounds_begin(&rounds, &bad, NULL), ITR_E_USAGE);
    bad = good;
    bad.signatures = ITR_ROUNDS_SIGNATURES_MAX + 1;
    assert_int_equal(itr_rounds_begin(&rounds, &bad, NULL), ITR_E_USAGE);
    bad = good;
    bad.ahead = 0;
    assert_int_equal(itr_rounds_begin(&rounds, &bad, NULL), ITR_E_USAGE);
    bad = good;
    bad.test.alpha = 0;
    assert_int_equal(itr_rounds_begin(&rounds, &bad, NULL), ITR_E_USAGE);
    bad = good;
    bad.test.rounds_max = UINT64_MAX;
    assert_int_equal(itr_rounds_begin(&rounds, &bad, NULL), ITR_E_LIMIT);
    assert_null(rounds.slots);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drop_is_fixed_and_the_same_is_not),
        cmocka_unit_test(the_order_in_which_trials_end_changes_nothing),
        cmocka_unit_test(an_interrupted_campaign_comes_to_the_same),
        cmocka_unit_test(a_trial_without_an_answer_is_taken_again_under_another_number),
        cmocka_unit_test(an_arm_that_does_not_reach_the_point_holds_up_nothing),
        cmocka_unit_test(rounds_are_fed_ahead_and_bounded),
        cmocka_unit_test(the_order_is_drawn_from_the_seed),
        cmocka_unit_test(identical_arms_are_not_called_fixed),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
