/* Comparisons from outside, with answers that are known: hosts load INITRACE_RATE_LIBRARY (cases/selftest/planted/rate.c), which
 * fails as often as an arm's environment says. By chance, so a test may err: where it can, by less than once in ten thousand. */
#include "framework/tests/self.h"
#include "platform/tests/family.h"

#ifndef INITRACE_RATE_LIBRARY
#error "INITRACE_RATE_LIBRARY names the library made from rate.c"
#endif

enum { ARM_MAX = 2 * SCRATCH_PATH_MAX, WAIT_MS = 30000, NAP_MS = 20 };

static char library_path[SCRATCH_PATH_MAX];
static char cases[SCRATCH_PATH_MAX + 32];
static bool is_linux;
/* Of a baseline, few trials where they are slow: */
static const char *often;
static const char *guards; /* --guard-count, where nothing is to be found elsewhere */
/* A word with which the same comparison is shown in another form: run anew, or, where that is slow, from its folder. */
static const char *shown_again;

/* ---- arms and cases ---- */

static void add_case(const char *name, const char *more) {
    char file[64];
    char text[2048];
    int length = snprintf(text, sizeof text,
                          "{\"format\": 1, \"summary\": \"An event that dice may take.\", \"os\": [\"%s\"], \"host\": \"library_host\", "
                          "\"library\": \"minimal\", \"function\": \"InitraceProbe\", %s, \"expect\": \"delivered\", \"deadline\": "
                          "\"%s\"%s}",
                          itrp_system_family(),
                          is_linux ? "\"event\": \"SIGUSR1\"" : "\"event\": \"CTRL_C\", \"delivery\": \"ctrl-routine\"",
                          "20s", more);
    scratch_folder(cases, name);
    snprintf(file, sizeof file, "%s/case.json", name);
    scratch_write(cases, file, text, (size_t)length);
}

static int set_up(void **state) {
    self_set_up(state);
    scratch_folder(scratch, "cases");
    snprintf(cases, sizeof cases, "%s/cases", scratch);
    add_case("planted-here", ", \"controls\": {\"no-event\": {\"event\": null, \"expect\": \"not-fired\"}}");
    add_case("planted-elsewhere", ", \"env\": {\"PLANTED_VARIABLE\": \"PLANTED_ELSEWHERE\"}");
    return 0;
}

static bool nobody_is_left(void) {
    for (int i = 0; i < WAIT_MS / NAP_MS && !family_is_gone(); i++) {
        uv_sleep(NAP_MS);
    }
    return family_is_gone();
}

static int tear_down(void **state) {
    self_end_program();
    bool clean = nobody_is_left();
    if (!clean) {
        print_error("processes were left behind\n");
        family_end_all(WAIT_MS);
    }
    self_tear_down(state);
    return clean ? 0 : -1;
}

/* An arm with these rates; the text stays until the same place is used again. */
static const char *arm(size_t place, const char *name, const char *rates, const char *more) {
    static char arms[4][ARM_MAX];
    snprintf(arms[place], ARM_MAX, "library=%s,name=%s,env=PLANTED_RATES=%s%s", library_path, name, rates, more);
    return arms[place];
}

#define COMPARE_WORDS "compare", "planted-here", "--cases", cases, "--output", output, "--quiet", "--seed", "5", "--control-count", "5"
#define COMPARE(code, ...) RUN(code, COMPARE_WORDS, "--guard-count", guards, __VA_ARGS__)

/* ---- answers ---- */

static const json_t *candidate_of(const json_t *json, size_t index) {
    const json_t *candidate = json_array_get(json_object_get(json, "candidates"), index);
    assert_non_null(candidate);
    return candidate;
}

static const char *word_of(const json_t *json, const char *key) {
    const char *word = json_string_value(json_object_get(json, key));
    assert_non_null(word);
    return word;
}

static const json_t *first_comparison(const json_t *json, size_t candidate) {
    const json_t *point = json_array_get(json_object_get(candidate_of(json, candidate), "points"), 0);
    const json_t *comparison = json_array_get(json_object_get(point, "comparisons"), 0);
    assert_non_null(comparison);
    return comparison;
}

/* The JSON that is on standard output, and in the folder; what holds of each of them is checked. */
static json_t *answer(int code) {
    json_error_t why;
    json_t *json = json_of_output();
    char *text = scratch_read(output, "compare.json");
    assert_non_null(text);
    json_t *kept = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    assert_true(json_equal(json, kept));
    json_decref(kept);
    free(text);
    assert_int_equal(number_of(json, "exit_code"), code);
    int64_t announced = number_of(json, "announced_trials");
    int64_t used = number_of(json, "used_trials");
    assert_true(used <= announced);
    assert_true(used <= number_of(json, "trials"));
    return json;
}

static uint64_t lines_of_trials(void) {
    uint64_t lines = 0;
    char *text = scratch_exists(output, "trials.jsonl") ? scratch_read(output, "trials.jsonl") : NULL;
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    free(text);
    return lines;
}

/* ---- verdicts ---- */

static void a_fix_and_what_is_none(void **state) {
    (void)state;
    COMPARE(1, "--baseline", arm(0, "old", often, ""), "--candidate", arm(1, "mended", "loss=0", ""), "--candidate",
            arm(2, "same", often, ""), "--candidate", arm(3, "replaced", is_linux ? "crash=0.5" : "crash=1", ""), "--format", "json",
            "--alpha", "0.0001", "--beta", "0.0001");
    json_t *json = answer(1);
    assert_true(json_is_true(json_object_get(json, "finished")));
    assert_string_equal(word_of(candidate_of(json, 0), "verdict"), "fixed");
    assert_int_equal(number_of(candidate_of(json, 0), "worse_elsewhere"), 0);
    assert_string_equal(word_of(first_comparison(json, 0), "verdict"), "fixed");
    assert_int_equal(number_of(json_object_get(first_comparison(json, 0), "candidate"), "hits"), 0);
    assert_true(json_is_real(json_object_get(json_object_get(first_comparison(json, 0), "candidate"), "none_bound")));
    assert_string_equal(word_of(candidate_of(json, 1), "verdict"), "not fixed");
    assert_null(strstr(word_of(candidate_of(json, 1), "sentence"), "came in its place"));
    /* The one that is compared is gone, and the candidate still fails. */
    assert_string_equal(word_of(candidate_of(json, 2), "verdict"), "not fixed");
    assert_string_equal(word_of(first_comparison(json, 2), "verdict"), "fixed");
    assert_non_null(strstr(word_of(candidate_of(json, 2), "sentence"), "others came in its place"));
    json_decref(json);
}

static void a_fix_alone_is_a_success(void **state) {
    (void)state;
    COMPARE(0, "--baseline", arm(0, "old", is_linux ? "crash=1" : "hang=1", ""), "--candidate", arm(1, "mended", "", ""), "--format", "json");
    json_t *json = answer(0);
    assert_non_null(strstr(word_of(first_comparison(json, 0), "signature"), is_linux ? "crash" : "hang"));
    assert_string_equal(word_of(candidate_of(json, 0), "verdict"), "fixed");
    json_decref(json);
}

static void a_failure_elsewhere_is_a_finding(void **state) {
    (void)state;
    /* Shots at random times come before the library's handler now and then: not all of them fail. */
    COMPARE(1, "--baseline", arm(0, "old", often, ""), "--candidate", arm(1, "mended", "", ",env=PLANTED_ELSEWHERE=crash=1"),
            "--at", "init-done", "--format", "json", "--guard-count", "40");
    json_t *json = answer(1);
    assert_string_equal(word_of(candidate_of(json, 0), "verdict"), "fixed");
    assert_true(number_of(candidate_of(json, 0), "worse_elsewhere") > 0);
    assert_non_null(strstr(word_of(candidate_of(json, 0), "sentence"), "worse elsewhere"));
    json_decref(json);
}

static void without_the_guard_it_is_not_seen_and_said(void **state) {
    (void)state;
    COMPARE(0, "--baseline", arm(0, "old", often, ""), "--candidate", arm(1, "mended", "", ",env=PLANTED_ELSEWHERE=crash=1"), "--at",
            "init-done", "--no-guard");
    assert_contains(out_text(), "other cases were not tested");
}

static void an_arm_that_fails_its_controls_has_no_verdict(void **state) {
    (void)state;
    COMPARE(3, "--baseline", arm(0, "old", often, ""), "--candidate", arm(1, "mended", "", ""), "--candidate",
            arm(2, "broken", "die=1", ""), "--no-guard", "--format", "json");
    json_t *json = answer(3);
    assert_string_equal(word_of(candidate_of(json, 0), "verdict"), "fixed");
    assert_string_equal(word_of(candidate_of(json, 1), "verdict"), "undecided");
    assert_non_null(strstr(word_of(candidate_of(json, 1), "sentence"), "control of the candidate failed: planted-here, control no-event"));
    json_decref(json);
    COMPARE(3, "--baseline", arm(0, "old", "die=1", ""), "--candidate", arm(1, "mended", "", ""));
    assert_contains(out_text(), "undecided: a control of the baseline failed: planted-here, control no-event");
}

static void a_baseline_that_does_not_fail_says_nothing(void **state) {
    (void)state;
    if (!is_linux) {
        print_message("skipped: 512 trials that tell nothing of the system take too long here\n");
        return;
    }
    COMPARE(3, "--baseline", arm(0, "old", "", ""), "--candidate", arm(1, "new", "", ""), "--at",
            "init-done"); /* while it sets its handler the planted library loses an event now and then */
    assert_contains(out_text(), "new: undecided");
    assert_contains(out_text(), "the baseline does not show a failure here (0 of 512: at most 0.583 % at 95 %)");
}

/* The call that is fired in is made by the baseline alone. */
static void a_candidate_that_does_not_come_to_the_point_is_not_fixed(void **state) {
    (void)state;
    if (!is_linux) {
        print_message("skipped: the planted library makes no call here that a host can fire in\n");
        return;
    }
    COMPARE(3, "--baseline", arm(0, "old", "loss=1", ""), "--candidate", arm(1, "alone", "", ",env=PLANTED_ALONE=1"), "--at",
            "pthread_create#1", "--format", "json", "--no-guard");
    json_t *json = answer(3);
    assert_string_equal(word_of(candidate_of(json, 0), "verdict"), "undecided");
    assert_non_null(strstr(word_of(candidate_of(json, 0), "sentence"), "no shot landed"));
    assert_true(number_of(json, "repeated_trials") > 0);
    json_decref(json);
}

static void a_budget_that_is_too_small_is_told(void **state) {
    (void)state;
    COMPARE(3, "--baseline", arm(0, "old", "loss=1", ""), "--candidate", arm(1, "mended", "", ""), "--budget", "3", "--at", "init-done",
            "--no-guard");
    assert_contains(out_text(), "mended: undecided");
    assert_contains(out_text(), "still needed");
    COMPARE(3, "--baseline", arm(0, "old", "loss=1", ""), "--candidate", arm(1, "mended", "", ""), "--budget", "3", "--at", "init-done",
            "--no-guard", "--format", "json", shown_again);
    json_t *json = answer(3);
    assert_int_equal(number_of(first_comparison(json, 0), "rounds"), 3);
    json_decref(json);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    COMPARE(2, "--candidate", arm(1, "mended", "", ""));
    assert_contains(err_text(), "--baseline ARM");
    COMPARE(2, "--baseline", arm(0, "one", "", ""), "--candidate", arm(1, "one", "", ""));
    assert_contains(err_text(), "another arm is called \"one\" too");
    COMPARE(2, "--baseline", arm(0, "old", "", ""), "--candidate", arm(1, "new", "", ""), "--factor", "1");
    COMPARE(2, "--baseline", arm(0, "old", "", ""), "--candidate", arm(1, "new", "", ""), "--alpha", "0.9");
    COMPARE(2, "--baseline", arm(0, "old", "", ""), "--candidate", arm(1, "new", "", ""), "--resume");
    COMPARE(2, "--baseline", "library=/nonexistent/it", "--candidate", arm(1, "new", "", ""));
    assert_contains(err_text(), "/nonexistent/it");
}

/* ---- forms ---- */

static void nothing_but_text_is_printed(void) {
    for (const char *at = out_text(); *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 && *at != '\n') {
            fail_msg("byte %d is on standard output:\n%s", *at, out_text());
        }
    }
}

/* Every row of a table has as many cells as its head. */
static void tables_are_whole(void) {
    size_t wanted = 0;
    size_t rows = 0;
    for (const char *line = out_text(); *line != '\0';) {
        const char *end = strchr(line, '\n');
        size_t bars = 0;
        assert_non_null(end);
        for (const char *at = line; at < end && *line == '|'; at++) {
            bars += *at == '|' ? 1 : 0;
            at += *at == '\\' ? 1 : 0;
        }
        wanted = wanted == 0 || *line != '|' ? bars : wanted;
        assert_int_equal(bars, wanted);
        rows += bars > 0 ? 1 : 0;
        line = end + 1;
    }
    assert_true(rows >= 3);
}

static void hostile_words_are_escaped(void **state) {
    (void)state;
    static const char saying[] = "say=1:a\x1b[31m|`<b>*_[x](y)|";
    static const char label[] = "x|<i>`*_[a](b)\\";
    add_case("planted-here", ""); /* it dies in every trial: no control would pass */
    const char *old = arm(0, label, saying, "");
    const char *mended = arm(1, "mended|", "", "");
    COMPARE(0, "--baseline", old, "--candidate", mended, "--no-guard", "--control-count", "1", "--at", "init-done");
    nothing_but_text_is_printed();
    COMPARE(0, "--baseline", old, "--candidate", mended, "--no-guard", "--control-count", "1", "--at", "init-done", "--format", "markdown",
            shown_again);
    nothing_but_text_is_printed();
    tables_are_whole();
    assert_null(strstr(out_text(), " <"));
    COMPARE(0, "--baseline", old, "--candidate", mended, "--no-guard", "--control-count", "1", "--at", "init-done", "--format", "json",
            shown_again);
    nothing_but_text_is_printed();
    json_decref(answer(0));
}

/* ---- cut short ---- */

static uint64_t wanted_lines;

static bool enough_lines(void) {
    return run.exited || lines_of_trials() >= wanted_lines;
}

/* The loop of wait_until() turns on events; trials are none. */
static void wait_for_lines(uint64_t lines) {
    wanted_lines = lines;
    while (!enough_lines()) {
        let_pass(5);
    }
    assert_false(run.exited);
}

#define CUT_WORDS \
    COMPARE_WORDS, "--guard-count", "10", "--at", "init-done", "--baseline", arm(0, "old", "loss=1", ""), "--candidate", arm(1, "mended", "", ""), \
        "--candidate", arm(2, "same", "loss=1", "")

/* What decides where arms fail always or never, and no chance is in it: the same whenever and however it is run. */
static json_t *essence(void) {
    json_t *json = answer(1);
    json_t *list = json_array();
    for (size_t i = 0; i < 2; i++) {
        json_array_append_new(list, json_deep_copy(json_object_get(candidate_of(json, i), "points")));
        json_array_append_new(list, json_deep_copy(json_object_get(candidate_of(json, i), "others")));
        json_array_append_new(list, json_string(word_of(candidate_of(json, i), "sentence")));
        /* How many were under way is the slots' affair. */
        json_object_del(json_array_get(json_array_get(list, 3 * i), 0), "trials_beyond");
    }
    json_decref(json);
    return list;
}

static void one_that_is_killed_or_interrupted_goes_on_to_the_same_answer(void **state) {
    (void)state;
    RUN(1, CUT_WORDS, "--format", "json");
    json_t *whole = essence();
    uint64_t all = lines_of_trials();
    static const uint64_t cuts[] = {7, 60, 85, 105};
    for (size_t i = 0; i < (is_linux ? 4 : 2); i++) {
        scratch_remove(output);
        START(CUT_WORDS, "--format", "json");
        wait_for_lines(cuts[i]);
        assert_int_equal(uv_process_kill(&run.process, i % 2 == 0 || !is_linux ? SIGKILL : SIGINT), 0);
        wait_until(program_is_over, "the end of the program");
        assert_true(nobody_is_left());
        if (i % 2 == 1 && is_linux) { /* interrupted: all is recorded, and it is no success */
            assert_true(run.code == 1 || run.code == 3);
            json_t *json = answer((int)run.code);
            /* What is decided stays so, whatever is left to run. */
            bool decided = strcmp(word_of(candidate_of(json, 1), "verdict"), "not fixed") == 0;
            assert_int_equal(run.code, decided ? 1 : 3);
            assert_true(json_is_false(json_object_get(json, "finished")));
            assert_int_equal(number_of(json, "trials"), lines_of_trials());
            json_decref(json);
        }
        uint64_t before = lines_of_trials();
        assert_true(before >= cuts[i] && before < all);
        RUN(1, CUT_WORDS, "--format", "json", "--resume", "--jobs", "1");
        json_t *again = essence();
        if (!json_equal(whole, again)) {
            char *one = json_dumps(whole, JSON_COMPACT | JSON_SORT_KEYS);
            char *other = json_dumps(again, JSON_COMPACT | JSON_SORT_KEYS);
            size_t at = 0;
            while (one[at] != '\0' && one[at] == other[at]) {
                at++;
            }
            size_t from = at > 200 ? at - 200 : 0;
            fail_msg("cut after %d of %d trials, and then at byte %d: %.300s\ninstead of: %.300s", (int)before, (int)all, (int)at, other + from, one + from);
        }
        json_decref(again);
    }
    json_decref(whole);
}

/* With dice, the trials that are in the folder decide: told again, all of them, they say the same. */
static void what_is_recorded_gives_the_same_answer_again(void **state) {
    (void)state;
    const char *old = arm(0, "old", is_linux ? "loss=0.3 crash=0.1" : "loss=1", "");
    const char *new = arm(1, "new", is_linux ? "loss=0.1 crash=0.05 hang=0.01" : "", "");
    START(COMPARE_WORDS, "--guard-count", "10", "--baseline", old, "--candidate", new, "--format", "json");
    wait_until(program_is_over, "the end of the program");
    int code = (int)run.code;
    json_t *first = answer(code);
    uint64_t lines = lines_of_trials();
    RUN(code, COMPARE_WORDS, "--guard-count", "10", "--baseline", old, "--candidate", new, "--format", "json", "--resume", "--jobs", "1");
    json_t *again = answer(code);
    assert_int_equal(lines_of_trials(), lines);
    assert_true(json_equal(json_object_get(first, "candidates"), json_object_get(again, "candidates")));
    assert_int_equal(number_of(first, "announced_trials"), number_of(again, "announced_trials"));
    json_decref(first);
    json_decref(again);
    RUN(2, COMPARE_WORDS, "--guard-count", "10", "--baseline", new, "--candidate", old, "--resume");
    assert_contains(err_text(), "is another comparison");
    RUN(2, COMPARE_WORDS, "--guard-count", "11", "--baseline", old, "--candidate", new, "--resume");
    assert_contains(err_text(), "--guard-count was 10 in");
    assert_int_equal(lines_of_trials(), lines);
}

static int set_up_group(void **state) {
    self_set_up_group(state);
    real_path(INITRACE_RATE_LIBRARY, library_path, sizeof library_path);
    for (char *at = library_path; *at != '\0'; at++) {
        *at = *at == '\\' ? '/' : *at;
    }
    is_linux = strcmp(itrp_system_family(), "linux") == 0;
    often = is_linux ? "loss=0.5" : "loss=1";
    guards = is_linux ? "20" : "5";
    shown_again = is_linux ? "--quiet" : "--resume";
    return family_open() ? 0 : -1;
}

int main(void) {
#define COMPARE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        COMPARE_TEST(a_fix_and_what_is_none),
        COMPARE_TEST(a_fix_alone_is_a_success),
        COMPARE_TEST(a_failure_elsewhere_is_a_finding),
        COMPARE_TEST(without_the_guard_it_is_not_seen_and_said),
        COMPARE_TEST(an_arm_that_fails_its_controls_has_no_verdict),
        COMPARE_TEST(a_baseline_that_does_not_fail_says_nothing),
        COMPARE_TEST(a_candidate_that_does_not_come_to_the_point_is_not_fixed),
        COMPARE_TEST(a_budget_that_is_too_small_is_told),
        COMPARE_TEST(what_cannot_be_is_refused),
        COMPARE_TEST(hostile_words_are_escaped),
        COMPARE_TEST(one_that_is_killed_or_interrupted_goes_on_to_the_same_answer),
        COMPARE_TEST(what_is_recorded_gives_the_same_answer_again),
    };
    return cmocka_run_group_tests_name("compare", tests, set_up_group, self_tear_down_group);
}
