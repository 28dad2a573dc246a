/* Unit tests of judge.c: a cell's counts against what its case expects and knows, and the exit code of many. */
#include "framework/judge.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct itr_cell cell;
static struct itr_tally tally;
static uint64_t next_trial;

static int set_up(void **state) {
    (void)state;
    memset(&cell, 0, sizeof cell);
    snprintf(cell.case_name, sizeof cell.case_name, "planted");
    cell.expect = ITR_OUTCOME_DELIVERED;
    itr_tally_begin(&tally, cell.expect, 0, 0);
    next_trial = 0;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_tally_release(&tally);
    return 0;
}

static void expect(enum itr_outcome outcome) {
    itr_tally_release(&tally);
    cell.expect = outcome;
    itr_tally_begin(&tally, outcome, 0, 0);
}

static void know(enum itr_outcome outcome, const char *signature, double rate_min,
                 double rate_max) {
    struct itr_cell_known *known = &cell.known[cell.known_count++];
    *known =
        (struct itr_cell_known){.outcome = outcome, .rate_min = rate_min, .rate_max = rate_max};
    snprintf(known->signature, sizeof known->signature, "%s", signature);
    snprintf(known->thread, sizeof known->thread, "https://x/%zu", cell.known_count);
}

static void see(uint64_t count, enum itr_outcome outcome, const char *signature) {
    while (count-- > 0) {
        struct itr_row row = {.trial = next_trial++,
                              .outcome = outcome,
                              .signature = signature,
                              .fired_after_load_ns = INT64_MIN};
        itr_tally_add(&tally, &row);
    }
}

static void assert_judged(enum itr_judgement judgement, const char *part) {
    struct itr_verdict verdict;
    memset(&verdict, 0xa5, sizeof verdict);
    itr_judge(&cell, &tally, &verdict);
    if (verdict.judgement != judgement || strstr(verdict.sentence, part) == NULL) {
        fail_msg("%s: %s", itr_judgement_name(verdict.judgement), verdict.sentence);
    }
    assert_null(strchr(verdict.sentence, '\n'));
}

/* ---- one cell ---- */

static void all_as_expected(void **state) {
    (void)state;
    see(100, ITR_OUTCOME_DELIVERED, "");
    assert_judged(ITR_JUDGEMENT_EXPECTED, "100 of 100 trials ended delivered");
}

static void a_known_failure_at_its_place_is_known(void **state) {
    (void)state;
    know(ITR_OUTCOME_LOST, "lost SIGURG", 0.95, 1);
    see(98, ITR_OUTCOME_LOST, "lost SIGURG");
    see(2, ITR_OUTCOME_DELIVERED, "");
    assert_judged(ITR_JUDGEMENT_KNOWN, "98 of 100 (https://x/1)");
}

/* 0.05^4 is 6e-6, 0.05^5 is 3e-7: only the latter does not come by chance. */
static void a_known_failure_is_gone_only_beyond_chance(void **state) {
    (void)state;
    know(ITR_OUTCOME_LOST, "lost SIGURG", 0.95, 1);
    see(4, ITR_OUTCOME_DELIVERED, "");
    assert_judged(ITR_JUDGEMENT_EXPECTED, "4 of 4");
    see(1, ITR_OUTCOME_DELIVERED, "");
    assert_judged(ITR_JUDGEMENT_RATE,
                  "\"lost SIGURG\" (https://x/1) came in 0 of 5 trials, expected at least 95 %");
    assert_judged(ITR_JUDGEMENT_RATE, "fixed, or this set-up has lost its power");
}

/* 0.5^19 is 1.9e-6, 0.5^20 is 9.5e-7. */
static void a_known_failure_is_more_frequent_only_beyond_chance(void **state) {
    (void)state;
    know(ITR_OUTCOME_LOST, "lost *", 0, 0.5);
    see(19, ITR_OUTCOME_LOST, "lost SIGURG");
    assert_judged(ITR_JUDGEMENT_KNOWN, "19 of 19");
    see(1, ITR_OUTCOME_LOST, "lost SIGURG");
    assert_judged(ITR_JUDGEMENT_RATE,
                  "came in 20 of 20 trials, expected at most 50 %: it has become worse");
}

static void a_known_failure_that_may_be_absent_may_be_absent(void **state) {
    (void)state;
    know(ITR_OUTCOME_LOST, "lost SIGURG", 0, 1);
    see(10000, ITR_OUTCOME_DELIVERED, "");
    assert_judged(ITR_JUDGEMENT_EXPECTED, "10000 of 10000");
}

static void a_new_signature_is_a_finding(void **state) {
    (void)state;
    see(99, ITR_OUTCOME_DELIVERED, "");
    see(1, ITR_OUTCOME_CRASH, "crash SIGSEGV");
    assert_judged(ITR_JUDGEMENT_NEW,
                  "crash SIGSEGV: 1 of 100 trials, first in trial 99; delivered was expected");
}

/* One new one among a thousand known ones. */
static void a_known_failure_does_not_hide_a_new_one(void **state) {
    (void)state;
    know(ITR_OUTCOME_CRASH, "crash AV *null-page", 0.9, 1);
    see(1000, ITR_OUTCOME_CRASH, "crash AV minimal!runtime.stdcall null-page");
    assert_judged(ITR_JUDGEMENT_KNOWN, "1000 of 1000");
    see(1, ITR_OUTCOME_CRASH, "crash AV minimal!runtime.stdcall elsewhere");
    assert_judged(ITR_JUDGEMENT_NEW, "elsewhere: 1 of 1001");
}

static void outcome_and_pattern_must_both_fit(void **state) {
    (void)state;
    know(ITR_OUTCOME_HANG, "*", 0, 1);
    see(1, ITR_OUTCOME_HANG, "hang SIGURG after waiting");
    assert_judged(ITR_JUDGEMENT_KNOWN, "1 of 1");
    see(1, ITR_OUTCOME_LOST, "lost SIGURG");
    assert_judged(ITR_JUDGEMENT_NEW, "lost SIGURG");
}

static void each_known_failure_has_its_own_rate(void **state) {
    (void)state;
    know(ITR_OUTCOME_LOST, "lost *", 0.1, 0.9);
    know(ITR_OUTCOME_CRASH, "crash *", 0.1, 0.9);
    see(250, ITR_OUTCOME_LOST, "lost SIGURG");
    see(250, ITR_OUTCOME_DELIVERED, "");
    assert_judged(ITR_JUDGEMENT_RATE, "\"crash *\" (https://x/2) came in 0 of 500");
    see(250, ITR_OUTCOME_CRASH, "crash SIGSEGV");
    assert_judged(ITR_JUDGEMENT_KNOWN, "250 of 750");
}

static void one_pattern_may_cover_several_signatures(void **state) {
    (void)state;
    know(ITR_OUTCOME_CRASH, "crash AV*", 0.9, 1);
    see(50, ITR_OUTCOME_CRASH, "crash AV+INT3* minimal");
    see(50, ITR_OUTCOME_CRASH, "crash AV minimal");
    assert_judged(ITR_JUDGEMENT_KNOWN, "100 of 100");
}

static void missed_shots_are_no_failures_and_no_passes(void **state) {
    (void)state;
    know(ITR_OUTCOME_LOST, "lost SIGURG", 0.95, 1);
    see(50, ITR_OUTCOME_LOST, "lost SIGURG");
    see(5000, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG pthread_create#3");
    assert_judged(ITR_JUDGEMENT_KNOWN, "50 of 50");
}

static void without_a_shot_nothing_is_known(void **state) {
    (void)state;
    know(ITR_OUTCOME_LOST, "lost SIGURG", 0.95, 1);
    assert_judged(ITR_JUDGEMENT_INCONCLUSIVE, "no trial was run");
    see(50, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG pthread_create#3");
    assert_judged(ITR_JUDGEMENT_INCONCLUSIVE, "not reached: no shot landed in 50 trials, so nothing was tested");
}

static void a_tool_error_is_no_finding_and_no_pass(void **state) {
    (void)state;
    see(99, ITR_OUTCOME_DELIVERED, "");
    see(1, ITR_OUTCOME_TOOL_ERROR, "tool-error system");
    assert_judged(ITR_JUDGEMENT_TOOL_ERROR, "the tool failed in 1 of 100 trials");
    see(50, ITR_OUTCOME_CRASH, "crash SIGSEGV");
    assert_judged(ITR_JUDGEMENT_TOOL_ERROR, "the tool failed in 1 of 150 trials");
}

static void any_outcome_may_be_what_is_expected(void **state) {
    (void)state;
    for (uint32_t outcome = 0; outcome < ITR_OUTCOME_COUNT; outcome++) {
        expect((enum itr_outcome)outcome);
        see(10, (enum itr_outcome)outcome, itr_outcome_name(outcome));
        assert_judged(ITR_JUDGEMENT_EXPECTED, "10 of 10 trials ended");
    }
}

static void what_is_expected_and_does_not_come_is_a_finding(void **state) {
    (void)state;
    expect(ITR_OUTCOME_NOT_FIRED);
    see(9, ITR_OUTCOME_NOT_FIRED, "not-fired");
    see(1, ITR_OUTCOME_WRONG_EXIT, "wrong-exit 0x2 after waiting");
    assert_judged(ITR_JUDGEMENT_NEW, "wrong-exit 0x2 after waiting: 1 of 10 trials");
}

static void judgements_have_names(void **state) {
    (void)state;
    assert_string_equal(itr_judgement_name(ITR_JUDGEMENT_EXPECTED), "as-expected");
    assert_string_equal(itr_judgement_name(ITR_JUDGEMENT_KNOWN), "known");
    assert_string_equal(itr_judgement_name(ITR_JUDGEMENT_NEW), "finding");
    assert_string_equal(itr_judgement_name(ITR_JUDGEMENT_RATE), "rate-changed");
    assert_string_equal(itr_judgement_name(ITR_JUDGEMENT_INCONCLUSIVE), "no-shot");
    assert_string_equal(itr_judgement_name(ITR_JUDGEMENT_TOOL_ERROR), "tool-error");
}

/* ---- many ---- */

/* "EKNRITS" stand for the judgements; small letters are controls. `why` becomes "" where there is a verdict. */
static int exit_code_of(const char *letters, char *why, size_t room) {
    static const char order[] = "EKNRITS";
    struct itr_cell cells[8];
    struct itr_verdict verdicts[8];
    size_t count = strlen(letters);
    memset(cells, 0, sizeof cells);
    memset(verdicts, 0, sizeof verdicts);
    assert_in_range(count, 0, 8);
    for (size_t i = 0; i < count; i++) {
        bool control = letters[i] >= 'a';
        const char *at = strchr(order, control ? letters[i] - 'a' + 'A' : letters[i]);
        assert_non_null(at);
        verdicts[i].judgement = (enum itr_judgement)(at - order);
        snprintf(cells[i].control, sizeof cells[i].control, "%s", control ? "after-init" : "");
    }
    int code = itr_judge_exit_code(cells, verdicts, count);
    why[0] = '\0';
    assert_true(itr_judge_no_verdict(cells, verdicts, count, why, room) == (code == 3));
    return code;
}

static void exit_codes_are_those_of_the_manual(void **state) {
    static const struct {
        const char *letters;
        int code;
    } rows[] = {
        {"E", 0},  {"K", 0},  {"EK", 0}, {"Ee", 0}, {"Kek", 0},            /* as expected, known */
        {"N", 1},  {"R", 1},  {"EN", 1}, {"NE", 1}, {"KeR", 1}, {"NI", 1}, /* findings */
        {"En", 3}, {"Er", 3}, {"Nn", 3}, {"nN", 3}, {"Kr", 3}, /* a control failed: no verdict */
        {"I", 3},  {"II", 3}, {"Ii", 3}, {"", 3},              /* nothing landed at all */
        {"EI", 3}, {"IE", 3}, {"KI", 3}, {"Ei", 3}, {"ESI", 3}, {"RI", 1}, /* nor in one of several cells */
        {"S", 3},  {"SS", 3}, {"SI", 3}, {"ES", 0}, {"SN", 1}, /* a skip is no pass, nor a failure beside others */
        {"T", 4},  {"ET", 4}, {"NT", 4}, {"nT", 4}, {"IT", 4},  {"Et", 4}, /* the tool failed */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[128];
        int code = exit_code_of(rows[i].letters, why, sizeof why);
        if (code != rows[i].code) {
            fail_msg("\"%s\" gave %d", rows[i].letters, code);
        }
    }
}

static void a_campaign_without_a_verdict_says_why(void **state) {
    static const struct {
        const char *letters;
        const char *why;
    } rows[] = {
        {"En", "a control failed"},
        {"nI", "a control failed"},
        {"EIE", "nothing was tested in 1 of 3 cells: see no-shot above"},
        {"SI", "nothing was tested in 1 of 2 cells: see no-shot above"},
        {"S", "everything was skipped"},
        {"ES", ""},
        {"NI", ""},
        {"T", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char why[128];
        (void)exit_code_of(rows[i].letters, why, sizeof why);
        assert_string_equal(why, rows[i].why);
    }
}

int main(void) {
#define JUDGE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        JUDGE_TEST(all_as_expected),
        JUDGE_TEST(a_known_failure_at_its_place_is_known),
        JUDGE_TEST(a_known_failure_is_gone_only_beyond_chance),
        JUDGE_TEST(a_known_failure_is_more_frequent_only_beyond_chance),
        JUDGE_TEST(a_known_failure_that_may_be_absent_may_be_absent),
        JUDGE_TEST(a_new_signature_is_a_finding),
        JUDGE_TEST(a_known_failure_does_not_hide_a_new_one),
        JUDGE_TEST(outcome_and_pattern_must_both_fit),
        JUDGE_TEST(each_known_failure_has_its_own_rate),
        JUDGE_TEST(one_pattern_may_cover_several_signatures),
        JUDGE_TEST(missed_shots_are_no_failures_and_no_passes),
        JUDGE_TEST(without_a_shot_nothing_is_known),
        JUDGE_TEST(a_tool_error_is_no_finding_and_no_pass),
        JUDGE_TEST(any_outcome_may_be_what_is_expected),
        JUDGE_TEST(what_is_expected_and_does_not_come_is_a_finding),
        cmocka_unit_test(judgements_have_names),
        cmocka_unit_test(exit_codes_are_those_of_the_manual),
        cmocka_unit_test(a_campaign_without_a_verdict_says_why),
    };
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
