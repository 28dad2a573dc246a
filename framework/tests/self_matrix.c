/* Tests of initrace matrix, from outside: real campaigns, small ones, over cases of the test's own: with a Go library, without one,
 * with planted failures, with a control that cannot pass; cut, killed and resumed. */
#include "framework/commands.h"
#include "framework/tests/self.h"

static char cases[SCRATCH_PATH_MAX + 32];
static bool signals;

static int set_up(void **state) {
    int result = self_set_up(state);
    signals = itrp_capabilities()->signals;
    snprintf(cases, sizeof cases, "%s/cases", scratch);
    scratch_folder(scratch, "cases");
    return result;
}

/* ---- cases ---- */

static void write_case(const char *name, const char *body) {
    char folder[sizeof cases + 64];
    char text[2048];
    scratch_folder(cases, name);
    snprintf(folder, sizeof folder, "%s/%s", cases, name);
    snprintf(text, sizeof text, "{\"format\": 1, \"summary\": \"s\", \"os\": [\"%s\"], %s}", signals ? "linux" : "windows", body);
    scratch_write(folder, "case.json", text, strlen(text));
}

/* An event after the start of the library, which nothing disturbs. */
static void write_heard(const char *name, const char *library) {
    char body[1024];
    snprintf(body, sizeof body,
             "\"host\": \"library_host\", \"library\": \"%s\", \"function\": \"InitraceProbe\", \"event\": \"%s\", \"delivery\": \"%s\", "
             "\"at\": \"init-done\", \"expect\": \"delivered\", \"points\": {\"waits\": \"waiting+1ms\"}, "
             "\"controls\": {\"no-event\": {\"event\": null, \"expect\": \"not-fired\"}}",
             library, signals ? "SIGUSR1" : "CTRL_C", signals ? "kill" : "ctrl-routine");
    write_case(name, body);
}

/* A host that misbehaves or not, without a library; so may the one of its control. */
static void write_misdeed(const char *name, const char *misdeed, const char *of_control) {
    char body[512];
    snprintf(body, sizeof body,
             "\"host\": \"misbehave\", \"event\": null, \"env\": {\"INITRACE_MISDEED\": \"%s\"}, \"expect\": \"not-fired\", "
             "\"controls\": {\"tame\": {\"env\": {\"INITRACE_MISDEED\": \"%s\"}}}",
             misdeed, of_control);
    write_case(name, body);
}

#define MATRIX(code, ...) RUN(code, "matrix", __VA_ARGS__, "--cases", cases, "--output", output, "--quiet")

/* ---- answers ---- */

static const json_t *table_at(const json_t *json, size_t index) {
    const json_t *table = json_array_get(json_object_get(json, "tables"), index);
    assert_non_null(table);
    return table;
}

static const json_t *cell_at(const json_t *table, size_t row, size_t column) {
    const json_t *cells = json_object_get(json_array_get(json_object_get(table, "rows"), row), "cells");
    assert_non_null(json_array_get(cells, column));
    return json_array_get(cells, column);
}

static void assert_word(const json_t *json, const char *key, const char *word) {
    assert_non_null(json_string_value(json_object_get(json, key)));
    assert_string_equal(json_string_value(json_object_get(json, key)), word);
}

/* The lines of trials.jsonl, the last unfinished one left out; each trial's number once. */
static size_t count_trials(void) {
    json_t *numbers = json_object();
    size_t lines = 0;
    char *text = scratch_exists(output, "trials.jsonl") ? scratch_read(output, "trials.jsonl") : NULL;
    for (char *line = text; line != NULL && strchr(line, '\n') != NULL; line = strchr(line, '\n') + 1) {
        char key[32];
        json_t *trial = json_loadb(line, (size_t)(strchr(line, '\n') - line), 0, NULL);
        assert_non_null(trial);
        snprintf(key, sizeof key, "%d", (int)json_integer_value(json_object_get(trial, "trial")));
        json_object_set_new(numbers, key, json_true());
        json_decref(trial);
        lines++;
    }
    assert_int_equal(json_object_size(numbers), lines);
    json_decref(numbers);
    free(text);
    return lines;
}

/* ---- tables ---- */

static void all_cases_with_a_go_library_are_run_at_all_their_points(void **state) {
    (void)state;
    write_heard("with-go", "minimal");
    write_heard("without-go", "plain");
    MATRIX(0, "--count", "3", "--control-count", "2", "--format", "json");
    json_t *json = json_of_output();
    assert_int_equal(json_array_size(json_object_get(json, "tables")), 1);
    const json_t *table = table_at(json, 0);
    size_t versions = json_array_size(json_object_get(table, "versions"));
    assert_word(table, "case", "with-go");
    assert_true(versions > 0);
    assert_int_equal(json_array_size(json_object_get(table, "rows")), 2);
    assert_int_equal(json_array_size(json_object_get(table, "controls")), versions);
    for (size_t i = 0; i < 2 * versions; i++) {
        const json_t *cell = cell_at(table, i / versions, i % versions);
        assert_word(cell, "state", "tested");
        assert_true(json_is_true(json_object_get(cell, "sound")));
        assert_int_equal(number_of(cell, "trials"), 3);
        assert_int_equal(number_of(cell, "failed"), 0);
        assert_int_equal(strncmp(json_string_value(json_object_get(cell, "go")), "go1.", 4), 0);
    }
    assert_int_equal(number_of(json, "trials"), 2 * 3 * versions + 2 * versions);
    assert_int_equal(count_trials(), 8 * versions);
    char *file = scratch_read(output, "matrix.json");
    assert_non_null(file);
    json_t *same = json_loads(file, 0, NULL);
    assert_true(json_equal(json, same));
    free(file);
    json_decref(same);
    json_decref(json);
}

static void a_named_case_may_do_without_go_and_a_finding_is_told(void **state) {
    (void)state;
    write_heard("without-go", "plain");
    write_misdeed("crashes", "crash", "none");
    MATRIX(1, "without-go", "crashes", "--count", "3", "--control-count", "2");
    assert_contains(out_text(), "without-go (");
    assert_contains(out_text(), "  at         trials  -\n");
    assert_contains(out_text(), "  init-done       3  0 [0, 56]\n");
    assert_contains(out_text(), "  no event       3  100 [44, 100] a !\n");
    assert_contains(out_text(), "  a: crash ");
    assert_contains(out_text(), "  ! - at ");
    assert_contains(out_text(), ": finding: crash ");
}

static void a_point_that_the_library_lacks_is_skipped_and_no_pass(void **state) {
    (void)state;
    if (self_lacks_debugger()) {
        skip();
    }
    write_heard("with-go", "minimal");
    MATRIX(0, "with-go", "--at", "no.such.function", "--at", "init-done", "--count", "2", "--control-count", "2", "--format", "json");
    json_t *json = json_of_output();
    const json_t *cell = cell_at(table_at(json, 0), 0, 0);
    assert_word(cell, "state", "skipped");
    assert_true(json_is_null(json_object_get(cell, "rate")));
    assert_word(cell_at(table_at(json, 0), 1, 0), "state", "tested");
    json_decref(json);
    MATRIX(3, "with-go", "--at", "no.such.function", "--count", "2", "--control-count", "2");
    assert_contains(out_text(), "skipped");
    assert_contains(out_text(), "no verdict: nothing was tested at any point");
}

static void a_control_that_fails_leaves_no_verdict(void **state) {
    (void)state;
    write_misdeed("broken", "none", "crash");
    MATRIX(3, "broken", "--count", "3", "--control-count", "2");
    assert_contains(out_text(), "FAILED: 1 of 1");
    assert_contains(out_text(), "(0 [0, 56])");
    assert_contains(out_text(), "  control tame: finding: crash ");
    assert_contains(out_text(), "no verdict: a control failed");
}

static void markdown_is_for_an_issue(void **state) {
    (void)state;
    write_heard("without-go", "plain");
    MATRIX(0, "without-go", "--count", "2", "--control-count", "2", "--format", "markdown");
    assert_int_equal(strncmp(out_text(), "### without-go (", 16), 0);
    assert_contains(out_text(), "\n| at | trials | - |\n|---|--:|---|\n| `init-done` | 2 | 0 [0, 66] |\n");
    assert_null(strstr(out_text(), scratch)); /* no path of this machine */
}

/* ---- cut and resumed ---- */

enum { MANY = 300, CONTROLS = 20, SOME = 40, FEW_MS = 20 };

static void start_many(void) {
    write_misdeed("many", "none", "none");
    START("matrix", "many", "--count", "300", "--control-count", "20", "--jobs", "2", "--cases", cases, "--output", output, "--quiet", "--format",
          "json");
    while (count_trials() < SOME && !run.exited) {
        let_pass(FEW_MS);
    }
    assert_false(run.exited);
}

static void resume(void) {
    RUN(0, "matrix", "--resume", "--output", output, "--quiet", "--format", "json");
    json_t *json = json_of_output();
    assert_true(json_is_true(json_object_get(json, "finished")));
    assert_int_equal(number_of(cell_at(table_at(json, 0), 0, 0), "trials"), MANY);
    assert_int_equal(number_of(json_array_get(json_object_get(table_at(json, 0), "versions"), 0), "controls"), 1);
    json_decref(json);
    assert_int_equal(count_trials(), MANY + CONTROLS);
}

static void a_killed_matrix_is_resumed(void **state) {
    (void)state;
    start_many();
    assert_int_equal(uv_process_kill(&run.process, SIGKILL), 0);
    wait_until(program_is_over, "the end of the program");
    assert_in_range(count_trials(), SOME, MANY + CONTROLS - 1);
    assert_false(scratch_exists(output, "matrix.json"));
    resume();
    resume(); /* nothing is left to do */
}

static void an_interrupted_matrix_says_how_to_go_on(void **state) {
    (void)state;
    if (!signals) {
        print_message("skipped: this system cannot send an interrupt to one process from outside\n");
        skip();
    }
    start_many();
    assert_int_equal(uv_process_kill(&run.process, SIGINT), 0);
    finish(ITR_EXIT_INCONCLUSIVE);
    json_t *json = json_of_output();
    assert_false(json_is_true(json_object_get(json, "finished")));
    assert_int_equal(number_of(json, "exit_code"), ITR_EXIT_INCONCLUSIVE);
    json_decref(json);
    resume();
}

/* ---- what cannot be ---- */

static void what_cannot_be_is_a_sentence(void **state) {
    (void)state;
    write_heard("without-go", "plain");
    MATRIX(ITR_EXIT_USAGE, "without-go", "without-go");
    assert_contains(err_text(), "two cases are called without-go");
    MATRIX(ITR_EXIT_USAGE, "without-go", "--alpha", "1");
    assert_contains(err_text(), "--alpha: expected a chance between 0 and 1");
    MATRIX(ITR_EXIT_USAGE, "nobody");
    assert_contains(err_text(), "nobody: no such case");
    MATRIX(ITR_EXIT_USAGE, "without-go", "--go", scratch);
    assert_contains(err_text(), "is no GOROOT");
    MATRIX(ITR_EXIT_USAGE, "--resume", "--count", "3");
    assert_contains(err_text(), "--resume goes on with the campaign's own points, versions and counts");
    MATRIX(ITR_EXIT_UNSUPPORTED, "--count", "3"); /* no case here has a Go library */
    assert_contains(err_text(), "nothing to run");
    assert_string_equal(out_text(), "");
    assert_false(scratch_exists(output, "campaign.json"));
}

#define MATRIX_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, self_tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        MATRIX_TEST(all_cases_with_a_go_library_are_run_at_all_their_points),
        MATRIX_TEST(a_named_case_may_do_without_go_and_a_finding_is_told),
        MATRIX_TEST(a_point_that_the_library_lacks_is_skipped_and_no_pass),
        MATRIX_TEST(a_control_that_fails_leaves_no_verdict),
        MATRIX_TEST(markdown_is_for_an_issue),
        MATRIX_TEST(a_killed_matrix_is_resumed),
        MATRIX_TEST(an_interrupted_matrix_says_how_to_go_on),
        MATRIX_TEST(what_cannot_be_is_a_sentence),
    };
    return cmocka_run_group_tests_name("matrix", tests, self_set_up_group, self_tear_down_group);
}
