/* Tests of initrace bisect from outside, with INITRACE_FLAKY (cases/selftest/planted/flaky.c), a library that fails at the
 * rate that each arm's environment says. The rates are real chances: what is asked of single runs is asked at odds of
 * 10,000 to 1. */
#include "framework/commands.h"
#include "framework/tests/self.h"

#include <inttypes.h>

#ifndef INITRACE_FLAKY
#error "INITRACE_FLAKY names the library that fails at random"
#endif

enum { ARMS = 16, ARM_ROOM = 3 * SCRATCH_PATH_MAX };

static char flaky[SCRATCH_PATH_MAX];
static char arms[ARMS][ARM_ROOM];

static int set_up_group(void **state) {
    (void)self_set_up_group(state);
    real_path(INITRACE_FLAKY, flaky, sizeof flaky);
    return 0;
}

/* A case in which nothing is fired; the library is each arm's. */
static void write_case(char *path, size_t room, const char *name, const char *more) {
    char text[1024];
    char file[2 * SCRATCH_PATH_MAX];
    uv_fs_t request;
    snprintf(path, room, "%s/%s", scratch, name);
    assert_int_equal(uv_fs_mkdir(NULL, &request, path, 0777, NULL), 0);
    uv_fs_req_cleanup(&request);
    snprintf(text, sizeof text,
             "{\"format\": 1, \"summary\": \"Fails at random.\", \"os\": [\"linux\", \"windows\"], \"host\": \"library_host\", "
             "\"library\": \"/planted\", \"function\": \"InitraceProbe\", \"event\": null, \"expect\": \"not-fired\"%s}",
             more);
    snprintf(file, sizeof file, "%s/case.json", path);
    FILE *out = fopen(file, "wb");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void make_arm(size_t index, const char *library, unsigned rate) {
    snprintf(arms[index], sizeof arms[index], "library=%s,env=INITRACE_PLANTED_RATE=%u,name=a%u", library, rate,
             (unsigned)index + 1);
}

/* Arms that fail in `before` of 10,000 trials, from arm `first` (1 is the first) on in `after`. */
static void make_arms(size_t first, unsigned before, unsigned after) {
    for (size_t i = 0; i < ARMS; i++) {
        make_arm(i, flaky, i + 1 < first ? before : after);
    }
}

/* Starts initrace bisect with all arms and these words more, and waits for it. */
static void bisect(int code, const char *path, size_t count, const char *const *more) {
    const char *words[WORDS_MAX] = {"bisect", path};
    size_t used = 2;
    for (size_t i = 0; i < count; i++) {
        words[used++] = arms[i];
    }
    for (size_t i = 0; more[i] != NULL; i++) {
        assert_in_range(used, 0, WORDS_MAX - 2);
        words[used++] = more[i];
    }
    start_with(NOTHING, words);
    finish(code);
}

static const char *string_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

/* ---- a list of arms ---- */

static void the_arm_at_which_the_rate_changes_is_found(void **state) {
    static const struct {
        size_t first;
        unsigned before;
        unsigned after;
        const char *words;
    } samples[] = {{5, 1000, 9000, "rises"}, {12, 9000, 1000, "drops"}, {12, 7000, 3000, "drops"},
                   {3, 3000, 7000, "rises"}, {9, 50, 1000, "rises"},    {14, 1000, 50, "drops"}};
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        char wanted[8];
        char seed[16];
        size_t built = 0;
        make_arms(samples[i].first, samples[i].before, samples[i].after);
        snprintf(seed, sizeof seed, "%u", (unsigned)i + 1);
        bisect(ITR_EXIT_EXPECTED, path, ARMS,
               LIST("--sure", "0.9999", "--format", "json", "--seed", seed, "--output", output, "--quiet"));
        json_t *json = json_of_output();
        snprintf(wanted, sizeof wanted, "a%u", (unsigned)samples[i].first);
        assert_string_equal(string_of(json, "state"), "found");
        assert_string_equal(string_of(json, "found"), wanted);
        assert_non_null(strstr(string_of(json, "sentence"), samples[i].words));
        const json_t *list = json_object_get(json, "arms");
        assert_int_equal(json_array_size(list), ARMS);
        int64_t trials = 0;
        for (size_t k = 0; k < ARMS; k++) {
            const json_t *arm = json_array_get(list, k);
            bool ready = strcmp(string_of(arm, "state"), "ready") == 0;
            assert_true(ready == json_is_integer(json_object_get(arm, "cell")));
            built += ready ? 1 : 0;
            trials += number_of(arm, "trials");
        }
        if (samples[i].before + samples[i].after == 10000 && samples[i].before % 8000 == 1000) {
            assert_true(built < ARMS); /* only those that trials were asked of: a few where the rates are far apart */
        }
        assert_int_equal(number_of(json, "trials"), trials);
        print_message("%u to %u: %u trials of %u arms\n", samples[i].before, samples[i].after, (unsigned)trials, (unsigned)built);
        json_decref(json);
    }
}

static void an_arm_that_cannot_be_had_is_a_skip(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    char nowhere[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", scratch);
    for (size_t i = 0; i < 4; i++) { /* one inside, next to the change; and the last */
        make_arm(i, flaky, i < 2 ? 0 : 10000);
    }
    make_arm(1, nowhere, 0);
    make_arm(4, nowhere, 0);
    bisect(ITR_EXIT_EXPECTED, path, 5, LIST("--format", "json", "--output", output, "--quiet"));
    json_t *json = json_of_output();
    assert_string_equal(string_of(json, "found"), "a3");
    assert_string_equal(string_of(json, "before"), "a1");
    assert_non_null(strstr(string_of(json, "sentence"), "or at one of those before it that cannot be tested: a2;"));
    assert_string_equal(string_of(json_array_get(json_object_get(json, "arms"), 1), "state"), "skipped");
    assert_string_equal(string_of(json_array_get(json_object_get(json, "arms"), 4), "state"), "skipped");
    assert_non_null(strstr(err_text(), "skipped: a2: "));
    assert_non_null(strstr(err_text(), "skipped: a5: "));
    json_decref(json);

    for (size_t i = 0; i < 3; i++) {
        make_arm(i, i == 1 ? flaky : nowhere, 0);
    }
    bisect(ITR_EXIT_INCONCLUSIVE, path, 3, LIST("--output", output, "--quiet"));
    assert_non_null(strstr(out_text(), "no verdict: fewer than two arms can be tested\n"));
    assert_non_null(strstr(err_text(), "skipped: a1: "));
}

static void a_budget_leaves_it_open_and_it_goes_on(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    make_arms(7, 0, 10000);
    bisect(ITR_EXIT_INCONCLUSIVE, path, ARMS, LIST("--budget", "2", "--output", output, "--format", "json", "--quiet", "--jobs", "1"));
    json_t *json = json_of_output();
    assert_string_equal(string_of(json, "state"), "undecided");
    assert_int_equal(number_of(json, "trials"), 2);
    json_decref(json);
    bisect(ITR_EXIT_EXPECTED, path, ARMS, LIST("--resume", "--output", output, "--format", "json", "--quiet", "--jobs", "1"));
    json = json_of_output();
    assert_string_equal(string_of(json, "found"), "a7");
    int64_t trials = number_of(json, "trials");
    json_decref(json);
    char *text = scratch_read(output, "trials.jsonl");
    assert_non_null(text);
    int64_t lines = 0;
    for (const char *at = text; *at != '\0'; at++) {
        lines += *at == '\n' ? 1 : 0;
    }
    free(text);
    assert_int_equal(lines, trials); /* the first two among them */
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], arms[1], "--resume");
}

static void a_control_that_fails_is_no_verdict(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "broken", ", \"controls\": {\"sound\": {}, \"unsound\": {\"expect\": \"wrong-exit\"}}");
    make_arms(9, 0, 10000);
    bisect(ITR_EXIT_INCONCLUSIVE, path, ARMS, LIST("--format", "json", "--control-count", "3", "--output", output, "--quiet"));
    json_t *json = json_of_output();
    assert_string_equal(string_of(json, "state"), "broken");
    assert_non_null(strstr(string_of(json, "sentence"), "a1, control unsound"));
    json_decref(json);
    bisect(ITR_EXIT_STEP_SKIP, path, 1,
           LIST("--step", "--old-rate", "0.1", "--new-rate", "0.9", "--control-count", "3", "--output", output, "--quiet"));
    assert_non_null(strstr(out_text(), "untestable: a control failed: a1, control unsound"));
}

static void markdown_and_text_name_the_arm(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    make_arms(2, 0, 10000);
    bisect(ITR_EXIT_EXPECTED, path, 3, LIST("--output", output, "--quiet", "--format", "markdown"));
    assert_non_null(strstr(out_text(), "**the failure rate rises at a2 "));
    assert_non_null(strstr(out_text(), "| **a2** | "));
    bisect(ITR_EXIT_EXPECTED, path, 3, LIST("--output", output, "--quiet", "--signature", "wrong-exit*", "--change", "rise"));
    assert_non_null(strstr(out_text(), "> a2  "));
    bisect(ITR_EXIT_INCONCLUSIVE, path, 3, LIST("--output", output, "--quiet", "--signature", "hang*", "--budget", "60"));
    assert_non_null(strstr(out_text(), " other failures"));
}

static void what_cannot_be_is_refused(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    make_arms(2, 0, 10000);
    RUN(ITR_EXIT_USAGE, "bisect");
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0]);
    assert_non_null(strstr(err_text(), "--step"));
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], arms[0]);
    assert_non_null(strstr(err_text(), "another arm is called \"a1\" too"));
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], arms[1], "--change", "sideways");
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], arms[1], "--sure", "0.4");
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], arms[1], "--old-rate", "0.4");
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], arms[1], "--match-lines");
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], arms[1], "--at", "time", "--at", "load-begin");
    RUN(ITR_EXIT_USAGE, "bisect", path, arms[0], "no-such=arm,name=x");
}

/* ---- one arm ---- */

static void step(int code, const char *path, const char *const *more) {
    bisect(code, path, 1, more);
}

static void a_step_exits_as_git_bisect_run_expects(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    const char *const *rates = LIST("--step", "--old-rate", "0.1", "--new-rate", "0.9", "--output", output, "--quiet");
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    make_arm(0, flaky, 0);
    step(ITR_EXIT_EXPECTED, path, rates);
    assert_non_null(strstr(out_text(), "old: a1 fails in 0 of "));
    step(ITR_EXIT_FINDING, path, LIST("--step", "--old-rate", "0.9", "--new-rate", "0.1", "--output", output, "--quiet"));
    make_arm(0, flaky, 10000);
    step(ITR_EXIT_FINDING, path, rates);
    assert_non_null(strstr(out_text(), "new: a1 fails in "));
    step(ITR_EXIT_EXPECTED, path, LIST("--step", "--old-rate", "0.1", "--new-rate", "0.9", "--signature", "hang*", "--output",
                                       output, "--quiet", "--format", "json"));
    json_t *json = json_of_output();
    assert_string_equal(string_of(json, "state"), "old");
    assert_int_equal(number_of(json, "exit_code"), 0);
    json_decref(json);
    step(ITR_EXIT_STEP_SKIP, path, LIST("--step", "--old-rate", "0.4", "--new-rate", "0.39", "--budget", "5", "--output", output,
                                        "--quiet"));
    assert_non_null(strstr(out_text(), "undecided: "));
    snprintf(arms[0], sizeof arms[0], "library=%s/nowhere,name=a1", scratch);
    step(ITR_EXIT_STEP_SKIP, path, rates);
    assert_non_null(strstr(out_text(), "untestable: "));
}

/* What Go's bisect needs of a target: the hosts have this program's environment, and their match lines come out, once. */
static void match_lines_of_hosts_are_passed_on(void **state) {
    const char *line = "x.go:3 [bisect-match 0x8d2f]";
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    make_arm(0, flaky, 10000);
    start_with(LIST("INITRACE_PLANTED_LINE=x.go:3 [bisect-match 0x8d2f]"),
               LIST("bisect", "--step", path, arms[0], "--old-rate", "0.1", "--new-rate", "0.9", "--output", output, "--quiet",
                    "--match-lines"));
    finish(ITR_EXIT_FINDING);
    const char *found = strstr(err_text(), line);
    assert_non_null(found);
    assert_null(strstr(found + 1, line));
    start_with(LIST("INITRACE_PLANTED_LINE=x.go:3 [bisect-match 0x8d2f]"),
               LIST("bisect", "--step", path, arms[0], "--old-rate", "0.1", "--new-rate", "0.9", "--output", output, "--quiet"));
    finish(ITR_EXIT_FINDING);
    assert_null(strstr(err_text(), line));
}

/* Any of 1 to 127 would be an answer. */
static void a_mistaken_step_aborts_the_bisection(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    write_case(path, sizeof path, "flaky", "");
    make_arms(2, 0, 10000);
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step");
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step", path, arms[0]);
    assert_non_null(strstr(err_text(), "--step needs --old-rate and --new-rate"));
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step", path, arms[0], "--old-rate", "0.1", "--new-rate", "0.1");
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step", path, arms[0], "--old-rate", "0.1", "--new-rate", "2");
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step", path, arms[0], "--old-rate", "0.1", "--new-rate", "0.9", "--no-such-option");
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--no-such-option", "--step", path, arms[0]);
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step", path, arms[0], arms[1], "--old-rate", "0.1", "--new-rate", "0.9");
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step", path, "recipe=x,rceipe=y", "--old-rate", "0.1", "--new-rate", "0.9");
    RUN(ITR_EXIT_STEP_ABORT, "bisect", "--step", "no-such-case", arms[0], "--old-rate", "0.1", "--new-rate", "0.9");
    start_with(LIST("INITRACE_STEP=1"), LIST("bisect", path, arms[0], arms[1]));
    finish(ITR_EXIT_STEP_ABORT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SELF_TEST(the_arm_at_which_the_rate_changes_is_found),
        SELF_TEST(an_arm_that_cannot_be_had_is_a_skip),
        SELF_TEST(a_budget_leaves_it_open_and_it_goes_on),
        SELF_TEST(a_control_that_fails_is_no_verdict),
        SELF_TEST(markdown_and_text_name_the_arm),
        SELF_TEST(what_cannot_be_is_refused),
        SELF_TEST(a_step_exits_as_git_bisect_run_expects),
        SELF_TEST(match_lines_of_hosts_are_passed_on),
        SELF_TEST(a_mistaken_step_aborts_the_bisection),
    };
    return cmocka_run_group_tests_name("bisect", tests, set_up_group, self_tear_down_group);
}
