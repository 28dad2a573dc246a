/* Unit tests of compare.c and compare_judge.c: whole comparisons over a simulated campaign. */
#include "framework/compare.h"
#include "framework/match.h"
#include "framework/report_compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARMS = 3, GROUPS = 4, KINDS = 3, CELLS = ARMS * GROUPS, OTHERS = 1 << 20 };

/* A control, two points, a guard's case: how often each arm fails there, by kind of failure. */
enum { CONTROL, FIRST, SECOND, OTHER };

static const char *const failures[KINDS] = {"crash AV somewhere", "hang CTRL_C", "fatal new"};
static const enum itr_outcome outcomes[KINDS] = {ITR_OUTCOME_CRASH, ITR_OUTCOME_HANG, ITR_OUTCOME_FATAL};

struct world {
    double rate[GROUPS][ARMS][KINDS];
    double missed[GROUPS][ARMS];
    uint64_t stop_after; /* trials; 0: never */
    uint64_t ran;
    uint64_t announced; /* trials of the points at most */
    uint64_t pointed;   /* trials of the points that were run */
    struct itr_summary summary;
    struct itr_compare compare;
};

static void make(struct world *world, uint64_t seed) {
    struct itr_compare *compare = &world->compare;
    world->summary.cells = calloc(CELLS, sizeof *world->summary.cells);
    world->summary.tallies = calloc(CELLS, sizeof *world->summary.tallies);
    world->summary.count = CELLS;
    *compare = (struct itr_compare){.options = {.test = {.alpha = 0.01, .beta = 0.01}, .jobs = 4, .seed = seed},
                                    .candidates = ARMS - 1};
    compare->groups = calloc(GROUPS, sizeof *compare->groups);
    compare->group_count = GROUPS;
    for (size_t g = 0; g < GROUPS; g++) {
        compare->groups[g].kind = g == CONTROL ? ITR_COMPARE_CONTROL : g == OTHER ? ITR_COMPARE_GUARD : ITR_COMPARE_POINT;
        for (size_t a = 0; a < ARMS; a++) {
            struct itr_cell *cell = &world->summary.cells[g * ARMS + a];
            cell->expect = ITR_OUTCOME_DELIVERED;
            snprintf(cell->control, sizeof cell->control, "%s", g == CONTROL ? "after-init" : "");
            snprintf(cell->case_name, sizeof cell->case_name, "case-%zu", g);
            itr_tally_begin(&world->summary.tallies[g * ARMS + a], cell->expect, 0, 0);
            compare->groups[g].cells[a] = g * ARMS + a;
        }
    }
}

static void destroy(struct world *world) {
    itr_compare_release(&world->compare);
    for (size_t i = 0; i < CELLS; i++) {
        itr_tally_release(&world->summary.tallies[i]);
    }
    free(world->summary.cells);
    free(world->summary.tallies);
}

/* One trial, by its number; counted as a campaign does. Returns what the rounds are told. */
static int fire(struct world *world, const struct itr_campaign_rounds *part, const struct itr_rounds_trial *trial) {
    size_t cell = part->cells[trial->arm];
    struct itr_random random = itr_random_of("trial", world->compare.options.seed, trial->trial);
    double unit = itr_random_unit(&random);
    struct itr_row row = {.trial = trial->trial,
                          .outcome = ITR_OUTCOME_DELIVERED,
                          .signature = "",
                          .fired_after_load_ns = INT64_MIN,
                          .sweep_index = -1};
    int what = ITR_ROUNDS_PASS;
    if (itr_random_unit(&random) < world->missed[cell / ARMS][cell % ARMS]) {
        row.outcome = ITR_OUTCOME_NOT_FIRED;
        what = ITR_ROUNDS_VOID;
    }
    for (size_t k = 0; k < KINDS && what == ITR_ROUNDS_PASS; k++) {
        double rate = world->rate[cell / ARMS][cell % ARMS][k];
        if (unit < rate) {
            row.outcome = outcomes[k];
            row.signature = failures[k];
            what = OTHERS;
        }
        unit -= rate;
    }
    for (uint32_t s = 0; what == OTHERS && s < part->rounds->design.signatures; s++) {
        what = itr_matches(part->signatures[s], row.signature) ? (int)s : what;
    }
    itr_tally_add(&world->summary.tallies[cell], &row);
    what = what == OTHERS ? (int)(part->rounds->design.signatures + itr_tally_place_of(&world->summary.tallies[cell], row.signature))
                          : what;
    world->ran++;
    return what;
}

static bool work(struct world *world, struct itr_campaign_rounds *parts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct itr_rounds_trial trial;
        while (itr_rounds_take(parts[i].rounds, &trial)) {
            if (world->stop_after > 0 && world->ran >= world->stop_after) {
                return false;
            }
            itr_rounds_note(parts[i].rounds, &trial, fire(world, &parts[i], &trial));
        }
        assert_true(parts[i].rounds->over);
    }
    return true;
}

static void run(struct world *world) {
    struct itr_campaign_rounds parts[GROUPS];
    size_t count = 0;
    bool goes_on = true;
    do {
        assert_int_equal(itr_compare_next(&world->compare, &world->summary, parts, &count, NULL), ITR_OK);
        uint64_t before = world->ran;
        uint64_t most = itr_compare_stage_trials(parts, count);
        goes_on = work(world, parts, count);
        if (world->compare.stage == ITR_COMPARE_STAGE_POINTS) {
            world->announced = most;
            world->pointed = world->ran - before;
        }
    } while (goes_on && count > 0);
    assert_int_equal(itr_compare_judge(&world->compare, &world->summary, NULL), ITR_OK);
}

static enum itr_compare_verdict verdict_of(const struct world *world, uint32_t candidate) {
    return world->compare.results[candidate].verdict;
}

/* The baseline fails at both points; what the two candidates do there is the test's. */
static const struct world base = {
    .rate = {[FIRST] = {{1, 0, 0}, {0, 0, 0}, {0, 0, 0}}, [SECOND] = {{0, 0.1, 0}, {0, 0, 0}, {0, 0, 0}}}};

static void a_fix_is_fixed_within_the_budget(void **state) {
    (void)state;
    struct world world = base;
    make(&world, 1);
    run(&world);
    assert_int_equal(world.compare.stage, ITR_COMPARE_STAGE_END);
    for (uint32_t c = 0; c < 2; c++) {
        assert_int_equal(verdict_of(&world, c), ITR_COMPARE_IS_FIXED);
        assert_int_equal(world.compare.results[c].worse, 0);
        assert_int_equal(itr_compare_at(&world.compare, FIRST, c), ITR_COMPARE_IS_FIXED);
        assert_int_equal(itr_compare_at(&world.compare, SECOND, c), ITR_COMPARE_IS_FIXED);
        const struct itr_comparison *second = itr_compare_comparisons(&world.compare.groups[SECOND], c);
        assert_in_range(second->trials[ITR_ARM_CANDIDATE], 1, 200); /* 80 on average, one a round */
    }
    assert_true(world.pointed <= world.announced);
    assert_int_equal(world.summary.tallies[OTHER * ARMS].trials, 100);
    assert_int_equal(itr_compare_exit_code(&world.compare), 0);
    destroy(&world);
}

static void what_is_left_at_one_point_is_a_part(void **state) {
    (void)state;
    struct world world = base;
    world.rate[SECOND][1][1] = 0.1;
    make(&world, 2);
    run(&world);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_PART);
    assert_int_equal(itr_compare_at(&world.compare, SECOND, 0), ITR_COMPARE_IS_NOT_FIXED);
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
    assert_int_equal(itr_compare_exit_code(&world.compare), 1);
    destroy(&world);
}

/* The window has moved: not at the located point any more, but as often as before over all times. */
static void a_window_that_moved_is_not_fixed(void **state) {
    (void)state;
    struct world world = base;
    memcpy(world.rate[SECOND], (double[ARMS][KINDS]){{0.2, 0, 0}, {0.2, 0, 0}, {0, 0, 0}}, sizeof world.rate[SECOND]);
    make(&world, 3);
    run(&world);
    assert_int_equal(itr_compare_at(&world.compare, FIRST, 0), ITR_COMPARE_IS_FIXED);
    assert_int_equal(itr_compare_at(&world.compare, SECOND, 0), ITR_COMPARE_IS_NOT_FIXED);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_PART);
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
    destroy(&world);
}

static void another_failure_in_its_place_is_not_fixed(void **state) {
    (void)state;
    struct world world = base;
    world.rate[FIRST][1][2] = 1;
    world.rate[SECOND][1][2] = 0.5;
    make(&world, 4);
    run(&world);
    assert_int_equal(itr_compare_at(&world.compare, FIRST, 0), ITR_COMPARE_IS_REPLACED);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_REPLACED);
    assert_string_equal(itr_compare_verdict_name(verdict_of(&world, 0)), "not fixed");
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
    assert_int_equal(itr_compare_exit_code(&world.compare), 1);
    destroy(&world);
}

/* Not as often as the one before, and at a point that is decided in a few rounds. */
static void a_new_failure_is_found_though_the_old_one_is_soon_gone(void **state) {
    (void)state;
    uint32_t fixed = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct world world = base;
        world.rate[FIRST][1][2] = 0.4;
        world.missed[SECOND][0] = 0;
        world.rate[SECOND][0][1] = 0;
        make(&world, 5000 + seed);
        run(&world);
        assert_int_equal(world.compare.groups[SECOND].state, ITR_COMPARE_NOT_SHOWN);
        fixed += verdict_of(&world, 0) == ITR_COMPARE_IS_FIXED ? 1 : 0;
        assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
        assert_int_equal(world.compare.results[1].worse, 0);
        assert_true(world.pointed <= world.announced);
        destroy(&world);
    }
    assert_in_range(fixed, 0, 4);
}

static void a_failure_elsewhere_is_found(void **state) {
    (void)state;
    struct world world = base;
    world.rate[OTHER][2][2] = 0.3;
    make(&world, 5);
    run(&world);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_FIXED);
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
    assert_int_equal(world.compare.results[0].worse, 0);
    assert_in_range(world.compare.results[1].worse, 1, 2); /* the signature, and failures of any kind */
    assert_int_equal(itr_compare_exit_code(&world.compare), 1);
    destroy(&world);
}

/* A baseline that fails 1 time in 20, a candidate that always does. */
static void more_failures_are_worse(void **state) {
    (void)state;
    struct world world = base;
    world.rate[SECOND][0][1] = 0.05;
    world.rate[SECOND][1][1] = 0.9;
    make(&world, 6);
    run(&world);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_WORSE);
    destroy(&world);
}

static void a_broken_control_gives_no_verdict(void **state) {
    (void)state;
    struct world world = base;
    world.rate[CONTROL][0][0] = 1;
    make(&world, 7);
    run(&world);
    assert_int_equal(world.ran, 3 * 15);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_BROKEN);
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_BROKEN);
    assert_non_null(strstr(world.compare.why[0], "case-0, control after-init"));
    assert_int_equal(itr_compare_exit_code(&world.compare), 3);
    destroy(&world);

    world = base;
    world.rate[CONTROL][1][0] = 1; /* a candidate's: the other one goes on */
    make(&world, 7);
    run(&world);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_BROKEN);
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
    assert_int_equal(world.summary.tallies[FIRST * ARMS + 1].trials, 0);
    assert_int_equal(itr_compare_exit_code(&world.compare), 3);
    destroy(&world);
}

static void a_baseline_that_does_not_fail_says_nothing(void **state) {
    (void)state;
    struct world world = base;
    memset(world.rate, 0, sizeof world.rate);
    make(&world, 8);
    run(&world);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_UNDECIDED);
    assert_int_equal(world.compare.groups[FIRST].state, ITR_COMPARE_NOT_SHOWN);
    assert_int_equal(world.compare.groups[FIRST].pilot_trials, ITR_COMPARE_PILOT + ITR_COMPARE_PILOT_MORE);
    assert_int_equal(itr_compare_exit_code(&world.compare), 3);
    destroy(&world);
}

/* 11.5 % against none: 60 trials of a candidate are enough, whatever the pilot took the rate for. By the exact walk 16 baseline
 * trials a round take more than 60 in 0.15 % of comparisons, and 8, where one pilot of ten shows too high a rate, in 5 %: 2 of
 * 300 in all, more than 8 with a chance of 0.03 %. */
static void sixty_trials_of_a_candidate_are_enough(void **state) {
    (void)state;
    uint32_t more = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct world world = base;
        memset(world.rate[FIRST], 0, sizeof world.rate[FIRST]);
        world.rate[SECOND][0][1] = 0.115;
        make(&world, 9000 + seed);
        run(&world);
        const struct itr_comparison *comparison = itr_compare_comparisons(&world.compare.groups[SECOND], 0);
        assert_non_null(comparison);
        assert_int_equal(comparison->verdict, ITR_COMPARISON_FIXED);
        more += comparison->trials[ITR_ARM_CANDIDATE] > 60 ? 1 : 0;
        destroy(&world);
    }
    assert_in_range(more, 0, 8);
}

/* A chance failure at one point holds up no other; with a budget it is compared. */
static void a_failure_that_is_too_rare_to_plan_with_needs_a_budget(void **state) {
    (void)state;
    uint32_t rare = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct world world = base;
        world.rate[SECOND][0][1] = 0.002;
        make(&world, 700 + seed);
        run(&world);
        const struct itr_compare_group *second = &world.compare.groups[SECOND];
        assert_true(second->pilot_hits >= 3 || second->state == ITR_COMPARE_NOT_SHOWN);
        if (second->pilot_hits == 1 || second->pilot_hits == 2) {
            struct itr_text text = {.ceiling = 1u << 20};
            rare++;
            assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_FIXED);
            itr_report_compare(&text, &world.compare, &world.summary);
            assert_non_null(strstr(itr_text_string(&text), "too seldom"));
            itr_text_release(&text);
        }
        destroy(&world);
    }
    assert_in_range(rare, 20, 60);

    struct world world = base;
    world.rate[SECOND][0][1] = 0.002;
    make(&world, 1);
    world.compare.options.test.rounds_max = 20000;
    run(&world);
    assert_int_equal(world.compare.groups[SECOND].pilot_trials, 10000);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_FIXED);
    assert_int_equal(itr_compare_at(&world.compare, SECOND, 0), ITR_COMPARE_IS_FIXED);
    destroy(&world);

    world = base; /* what the usual pilot shows well takes no longer one, however large the budget */
    world.rate[SECOND][0][1] = 0.03;
    make(&world, 1);
    world.compare.options.test.rounds_max = 1000000;
    run(&world);
    assert_in_range(world.compare.groups[SECOND].pilot_trials, ITR_COMPARE_PILOT, ITR_COMPARE_PILOT + ITR_COMPARE_PILOT_MORE);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_FIXED);
    destroy(&world);
}

static void a_point_that_is_not_reached_is_not_fixed(void **state) {
    (void)state;
    struct world world = base;
    world.missed[FIRST][1] = 1;
    world.missed[SECOND][1] = 1;
    make(&world, 9);
    run(&world);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_NOT_REACHED);
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
    assert_int_equal(itr_compare_exit_code(&world.compare), 3);
    destroy(&world);

    world = base;
    make(&world, 9);
    snprintf(world.summary.cells[FIRST * ARMS + 1].skip, 64, "the library has no such function");
    run(&world);
    assert_int_equal(itr_compare_at(&world.compare, FIRST, 0), ITR_COMPARE_IS_NOT_REACHED);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_UNDECIDED);
    assert_int_equal(verdict_of(&world, 1), ITR_COMPARE_IS_FIXED);
    destroy(&world);
}

/* Wherever it is cut short, nothing is called fixed that was not decided, and it is never a success. */
static void a_comparison_that_is_cut_short_is_no_success(void **state) {
    (void)state;
    for (uint64_t stop = 1; stop < 400; stop += 13) {
        struct world world = base;
        world.stop_after = stop;
        make(&world, 10);
        run(&world);
        assert_int_equal(itr_compare_exit_code(&world.compare), 3);
        for (uint32_t c = 0; c < 2 && world.compare.stage < ITR_COMPARE_STAGE_POINTS; c++) {
            assert_int_equal(verdict_of(&world, c), ITR_COMPARE_IS_UNDECIDED);
        }
        destroy(&world);
    }
}

static void has(const struct itr_text *text, const char *expected) {
    if (strstr(itr_text_string(text), expected) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", expected, itr_text_string(text));
    }
}

/* What a person, a review and a program are told: rates, intervals, trials, the bound, what is worse elsewhere. */
static void reports_say_what_was_found(void **state) {
    (void)state;
    struct itr_text text = {0};
    struct world world = base;
    world.rate[SECOND][1][1] = 0.1;
    world.rate[OTHER][2][2] = 0.5;
    make(&world, 2);
    snprintf(world.compare.labels[0], ITR_ARM_LABEL_MAX, "go1.26");
    snprintf(world.compare.labels[1], ITR_ARM_LABEL_MAX, "half|done\x1b");
    snprintf(world.compare.labels[2], ITR_ARM_LABEL_MAX, "mine");
    for (size_t i = 0; i < CELLS; i++) {
        world.summary.cells[i].aim.event = ITR_EVENT_CTRL_C;
        snprintf(world.summary.cells[i].at, sizeof world.summary.cells[i].at, "W1");
    }
    run(&world);

    itr_report_compare(&text, &world.compare, &world.summary);
    has(&text, "half|done\\x1b: fixed in part: at 1 of 2 points; not worse elsewhere (other cases: 1)");
    has(&text, "mine: fixed; worse elsewhere");
    has(&text, "case-2 at W1: not fixed");
    has(&text, "hang CTRL_C: not fixed");
    has(&text, "\n      mine    0 of 8 (at most ");
    has(&text, "\n      go1.26  8 of 8: 100 % [63.1, 100]\n");
    has(&text, "other failures: 0 of 40 before, 0 of 40 now (at most 7.22 % at 95 %)");
    has(&text, " that were announced (");
    has(&text, "worse at case-3 at W1: fatal new: baseline 0 of 100, candidate ");
    has(&text, "Fisher's p ");

    itr_text_reset(&text);
    itr_report_compare_markdown(&text, &world.compare, &world.summary);
    has(&text, "**half\\|done\\\\x1b**: fixed in part");
    has(&text, "| case-1 at W1 | `crash AV somewhere` | 8 of 8: 100 % [63.1, 100] | 0 of 8 (at most ");
    has(&text, "| case-3 at W1 | `fatal new` | 0 of 100 | ");

    json_t *json = itr_compare_to_json(&world.compare, &world.summary);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 1);
    json_t *mine = json_array_get(json_object_get(json, "candidates"), 1);
    assert_string_equal(json_string_value(json_object_get(mine, "verdict")), "fixed");
    assert_int_equal(json_integer_value(json_object_get(mine, "worse_elsewhere")), 2);
    json_t *point = json_array_get(json_object_get(mine, "points"), 0);
    json_t *comparison = json_array_get(json_object_get(point, "comparisons"), 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(comparison, "candidate"), "hits")), 0);
    assert_true(json_integer_value(json_object_get(json, "trials")) > 0);
    json_decref(json);
    itr_text_release(&text);
    destroy(&world);
}

static unsigned count_of(const struct itr_text *text, const char *part) {
    unsigned count = 0;
    for (const char *at = strstr(itr_text_string(text), part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    return count;
}

/* All failures together are told where that says more than the signature does. */
static void the_same_figures_are_told_once(void **state) {
    (void)state;
    struct itr_text text = {0};
    for (int other = 0; other < 2; other++) {
        struct world world = base;
        world.rate[FIRST][1][0] = 0;
        if (other != 0) {
            world.rate[FIRST][1][2] = 0.6;
        }
        make(&world, 2);
        run(&world);
        assert_int_equal(world.compare.groups[FIRST].signature_count, 1);
        itr_text_reset(&text);
        itr_report_compare(&text, &world.compare, &world.summary);
        assert_int_equal(count_of(&text, "all failures together"), other);
        itr_text_reset(&text);
        itr_report_compare_markdown(&text, &world.compare, &world.summary);
        assert_int_equal(count_of(&text, "| all failures together |"), other);
        json_t *json = itr_compare_to_json(&world.compare, &world.summary);
        json_t *point = json_array_get(json_object_get(json_array_get(json_object_get(json, "candidates"), 0), "points"), 0);
        assert_true(json_is_object(json_object_get(point, "any")));
        json_decref(json);
        destroy(&world);
    }
    itr_text_release(&text);
}

/* A budget that is too small: what is still needed is told. */
static void an_undecided_comparison_says_what_is_needed(void **state) {
    (void)state;
    struct itr_text text = {0};
    struct world world = base;
    make(&world, 12);
    world.compare.options.test.rounds_max = 4;
    world.compare.options.test.baselines = 4;
    world.summary.elapsed_s = 10;
    run(&world);
    assert_int_equal(verdict_of(&world, 0), ITR_COMPARE_IS_UNDECIDED);
    assert_int_equal(itr_compare_exit_code(&world.compare), 3);
    itr_report_compare(&text, &world.compare, &world.summary);
    has(&text, "still needed: some ");
    assert_null(strstr(itr_text_string(&text), "still needed: some 0 "));
    has(&text, "in round 4 of at most 4, each of 4 baseline trials");
    itr_text_release(&text);
    destroy(&world);
}

/* A comparison that did not begin has reports too. */
static void reports_of_nothing_are_sound(void **state) {
    (void)state;
    struct itr_text text = {0};
    struct world world = base;
    world.rate[CONTROL][0][0] = 1;
    make(&world, 1);
    run(&world);
    itr_report_compare(&text, &world.compare, &world.summary);
    has(&text, "undecided: a control of the baseline failed: case-0, control after-init: ");
    itr_report_compare_markdown(&text, &world.compare, &world.summary);
    json_t *json = itr_compare_to_json(&world.compare, &world.summary);
    assert_non_null(json);
    json_decref(json);
    destroy(&world);

    world = base;
    memset(world.rate, 0, sizeof world.rate);
    make(&world, 8);
    run(&world);
    itr_text_reset(&text);
    itr_report_compare(&text, &world.compare, &world.summary);
    has(&text, "not compared: the baseline does not show a failure here (0 of 512: at most 0.583 % at 95 %)");
    json = itr_compare_to_json(&world.compare, &world.summary);
    assert_non_null(json);
    json_decref(json);
    destroy(&world);
    itr_text_release(&text);
}

static void identical_arms_are_not_fixed(void **state) {
    (void)state;
    uint32_t fixed = 0;
    uint32_t worse = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct world world = {0};
        for (size_t a = 0; a < ARMS; a++) {
            world.rate[FIRST][a][0] = 0.3;
            world.rate[SECOND][a][1] = 0.1;
            world.rate[SECOND][a][2] = 0.01;
            world.rate[OTHER][a][2] = 0.05;
        }
        make(&world, 1000 + seed);
        run(&world);
        for (uint32_t c = 0; c < 2; c++) {
            fixed += verdict_of(&world, c) == ITR_COMPARE_IS_FIXED ? 1 : 0;
            worse += verdict_of(&world, c) == ITR_COMPARE_IS_WORSE || world.compare.results[c].worse > 0 ? 1 : 0;
        }
        destroy(&world);
    }
    assert_int_equal(fixed, 0);       /* both points would have to err */
    assert_in_range(worse, 0, 200 * 4 / 100 + 10); /* two or three comparisons and the guard, 1 % each */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fix_is_fixed_within_the_budget),
        cmocka_unit_test(what_is_left_at_one_point_is_a_part),
        cmocka_unit_test(a_window_that_moved_is_not_fixed),
        cmocka_unit_test(another_failure_in_its_place_is_not_fixed),
        cmocka_unit_test(a_new_failure_is_found_though_the_old_one_is_soon_gone),
        cmocka_unit_test(a_failure_elsewhere_is_found),
        cmocka_unit_test(more_failures_are_worse),
        cmocka_unit_test(a_broken_control_gives_no_verdict),
        cmocka_unit_test(a_baseline_that_does_not_fail_says_nothing),
        cmocka_unit_test(sixty_trials_of_a_candidate_are_enough),
        cmocka_unit_test(a_failure_that_is_too_rare_to_plan_with_needs_a_budget),
        cmocka_unit_test(a_point_that_is_not_reached_is_not_fixed),
        cmocka_unit_test(a_comparison_that_is_cut_short_is_no_success),
        cmocka_unit_test(the_same_figures_are_told_once),
        cmocka_unit_test(reports_say_what_was_found),
        cmocka_unit_test(an_undecided_comparison_says_what_is_needed),
        cmocka_unit_test(reports_of_nothing_are_sound),
        cmocka_unit_test(identical_arms_are_not_fixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
