/* Unit tests of campaign_rounds.c: which trial a slot gets, what the rounds are told, and what of that a resumed campaign
 * knows already. No host is started: the test is the slot. */
#include "framework/campaign_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { CELLS = 3, TRIALS_MAX = 4096 };

struct fixture {
    struct itr_campaign campaign;
    struct itr_summary summary;
    struct itr_cell *cells;
    struct itr_tally tallies[CELLS];
    struct itr_rounds rounds[2];
    struct itr_campaign_rounds parts[2];
};

static const char *const patterns[] = {"crash *"};

static void begin(struct fixture *f, size_t parts) {
    *f = (struct fixture){0};
    f->cells = calloc(CELLS, sizeof *f->cells);
    f->summary = (struct itr_summary){.cells = f->cells, .tallies = f->tallies, .count = CELLS};
    f->campaign.summary = &f->summary;
    uv_cond_init(&f->campaign.round_noted);
    uint64_t first = 0;
    for (size_t i = 0; i < CELLS; i++) {
        f->cells[i].expect = i == 2 ? ITR_OUTCOME_NOT_FIRED : ITR_OUTCOME_DELIVERED;
        itr_tally_begin(&f->tallies[i], f->cells[i].expect, 0, 0);
    }
    for (size_t i = 0; i < parts; i++) {
        struct itr_rounds_design design = {
            .test = {.alpha = 0.01, .beta = 0.01, .baselines = 2, .rounds_max = 60},
            .candidates = 1, .signatures = 1, .ahead = 3, .seed = 5, .first_trial = first};
        assert_int_equal(itr_rounds_begin(&f->rounds[i], &design, NULL), ITR_OK);
        first += itr_rounds_numbers(&f->rounds[i]);
        f->parts[i] = (struct itr_campaign_rounds){.rounds = &f->rounds[i], .cells = {0, 1}, .signatures = patterns};
    }
    f->campaign.rounds = f->parts;
    f->campaign.round_count = parts;
}

static void end(struct fixture *f) {
    for (size_t i = 0; i < CELLS; i++) {
        itr_tally_release(&f->tallies[i]);
    }
    itr_rounds_release(&f->rounds[0]);
    itr_rounds_release(&f->rounds[1]);
    uv_cond_destroy(&f->campaign.round_noted);
    free(f->campaign.past);
    free(f->cells);
}

/* The baseline crashes in every third trial, and now and then no shot is fired. */
static struct itr_row outcome_of(const struct itr_campaign_job *job) {
    bool crash = job->cell == 0 && job->trial % 3 == 0;
    bool missed = job->trial % 11 == 10;
    return (struct itr_row){.trial = job->trial,
                            .outcome = missed ? ITR_OUTCOME_NOT_FIRED : crash ? ITR_OUTCOME_CRASH : ITR_OUTCOME_DELIVERED,
                            .signature = crash && !missed ? "crash AV" : "",
                            .fired_after_load_ns = INT64_MIN,
                            .sweep_index = -1};
}

/* Runs up to `most` trials; notes them in `log`, which is what the folder would have. */
static size_t run(struct fixture *f, size_t most, struct itr_campaign_job *log) {
    size_t count = 0;
    while (count < most && itr_campaign_take_round(&f->campaign, &log[count])) {
        struct itr_row row = outcome_of(&log[count]);
        itr_tally_add(&f->tallies[log[count].cell], &row);
        itr_campaign_note_round(&f->campaign, &log[count], row.outcome, row.signature);
        assert_true(++count < TRIALS_MAX);
    }
    return count;
}

static struct itr_campaign_job first_log[TRIALS_MAX];
static struct itr_campaign_job second_log[TRIALS_MAX];

static void slots_are_told_what_the_rounds_need(void **state) {
    (void)state;
    struct fixture f;
    begin(&f, 1);
    size_t ran = run(&f, TRIALS_MAX, first_log);
    assert_true(itr_campaign_rounds_are_over(&f.campaign));
    assert_int_equal(f.rounds[0].comparisons[0][0].verdict, ITR_COMPARISON_FIXED);
    assert_int_equal(ran, f.rounds[0].ended);
    assert_int_equal(f.rounds[0].voids, f.tallies[0].outcomes[ITR_OUTCOME_NOT_FIRED] + f.tallies[1].outcomes[ITR_OUTCOME_NOT_FIRED]);
    assert_true(f.rounds[0].voids > 0);
    end(&f);
}

/* Wherever it was cut, the trials that the folder has are not run again, and the rest are the same as without the cut. */
static void what_the_folder_has_is_not_run_again(void **state) {
    (void)state;
    struct fixture whole;
    begin(&whole, 2);
    size_t all = run(&whole, TRIALS_MAX, first_log);
    for (size_t cut = 0; cut <= all; cut += 7) {
        struct fixture f;
        begin(&f, 2);
        for (size_t i = cut; i-- > 0;) { /* slots end out of order: so does the log */
            struct itr_row row = outcome_of(&first_log[i]);
            itr_tally_add(&f.tallies[first_log[i].cell], &row);
            assert_int_equal(itr_campaign_remember(&f.campaign, first_log[i].cell, &row, NULL), ITR_OK);
        }
        itr_campaign_remembered(&f.campaign);
        size_t more = run(&f, TRIALS_MAX, second_log);
        assert_int_equal(cut + more, all);
        for (size_t i = 0; i < more; i++) {
            assert_int_equal(second_log[i].trial, first_log[cut + i].trial);
        }
        for (size_t i = 0; i < 2; i++) {
            assert_true(f.rounds[i].over);
            assert_memory_equal(&f.rounds[i].comparisons[0][0], &whole.rounds[i].comparisons[0][0], sizeof f.rounds[i].comparisons[0][0]);
        }
        assert_int_equal(f.tallies[0].trials, whole.tallies[0].trials);
        end(&f);
    }
    end(&whole);
}

/* While the first part waits for a trial under way, slots get those of the second. */
static void a_later_part_fills_the_slots(void **state) {
    (void)state;
    struct fixture f;
    struct itr_campaign_job job;
    begin(&f, 2);
    for (int i = 0; i < 3 * 3; i++) { /* three rounds ahead of three trials */
        assert_true(itr_campaign_take_round(&f.campaign, &job));
        assert_int_equal(job.part, 0);
    }
    assert_true(itr_campaign_take_round(&f.campaign, &job));
    assert_int_equal(job.part, 1);
    assert_false(itr_campaign_rounds_are_over(&f.campaign));
    f.campaign.stop = true;
    assert_false(itr_campaign_take_round(&f.campaign, &job));
    end(&f);
}

/* A control that fires nothing is to end "not-fired": that is an answer, not a shot that was missed. */
static void unfired_as_expected_is_an_answer(void **state) {
    (void)state;
    struct fixture f;
    struct itr_campaign_job job;
    begin(&f, 1);
    f.parts[0].cells[0] = 2;
    f.parts[0].cells[1] = 2;
    assert_true(itr_campaign_take_round(&f.campaign, &job));
    itr_campaign_note_round(&f.campaign, &job, ITR_OUTCOME_NOT_FIRED, "");
    assert_int_equal(f.rounds[0].voids, 0);
    assert_true(itr_campaign_take_round(&f.campaign, &job));
    itr_campaign_note_round(&f.campaign, &job, ITR_OUTCOME_TOOL_ERROR, "tool-error");
    assert_int_equal(f.rounds[0].voids, 1);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_told_what_the_rounds_need),
        cmocka_unit_test(what_the_folder_has_is_not_run_again),
        cmocka_unit_test(a_later_part_fills_the_slots),
        cmocka_unit_test(unfired_as_expected_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
