/* Tests of the program as a whole at triage: files and standard input, all forms of the answer, exit codes, and the
 * list of known failures. */
#include "framework/commands.h"
#include "framework/tests/program.h"

#ifndef INITRACE_CRASHES
#error "INITRACE_CRASHES names the folder of recorded texts"
#endif

static char scratch[SCRATCH_PATH_MAX];
static uv_pipe_t input;

static const char *crash_file(const char *name) {
    static char path[2][SCRATCH_PATH_MAX];
    static int turn;
    turn = 1 - turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s.txt", INITRACE_CRASHES, name);
    return path[turn];
}

static int set_up_group(void **state) {
    (void)state;
    program_open();
    scratch_make(scratch);
    return 0;
}

static int tear_down_group(void **state) {
    (void)state;
    program_close();
    scratch_remove(scratch);
    return 0;
}

static void a_file_is_told_in_words(void **state) {
    (void)state;
    RUN(ITR_EXIT_EXPECTED, "triage", crash_file("byhand-windows-winthrow"));
    assert_contains(out_text(), "signature: crash AV runtime.stdcall1 null-page \"Exception 0xc0000005 # # #\"\n");
    assert_contains(out_text(), "https://github.com/golang/go/issues/46354\n");
    assert_contains(out_text(), "needm-without-g");
    assert_null(strchr(out_text(), '\x1b')); /* no terminal, no colours */
    assert_string_equal(err_text(), "");
}

static void several_files_are_told_one_by_one(void **state) {
    (void)state;
    scratch_write(scratch, "nothing", "hello\n", 6);
    char nothing[SCRATCH_PATH_MAX + 16];
    snprintf(nothing, sizeof nothing, "%s/nothing", scratch);
    RUN(ITR_EXIT_INCONCLUSIVE, "triage", "--format", "json", crash_file("byhand-two-reports"), nothing);
    json_t *json = json_of_output();
    json_t *answers = json_object_get(json, "answers");
    assert_int_equal(json_integer_value(json_object_get(json, "format")), 1);
    assert_int_equal(json_array_size(answers), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(answers, 0), "signature")),
                        "fatal \"panic: first\" at main.one");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(answers, 0), "reports")), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(answers, 1), "kind")), "none");
    assert_string_equal(json_string_value(json_object_get(json_array_get(answers, 1), "file")), nothing);
    json_decref(json);
}

static bool input_is_closed(void) {
    return program_input == NULL;
}

static void on_input_closed(uv_handle_t *handle) {
    (void)handle;
    program_input = NULL;
}

static void on_written(uv_write_t *request, int status) {
    assert_int_equal(status, 0);
    uv_close((uv_handle_t *)request->handle, on_input_closed);
}

static void standard_input_makes_a_rule(void **state) {
    static char text[] = "x\r\npanic: runtime error: index out of range [5] with length 3\r\n\r\ngoroutine 1 [running]:\r\n"
                         "main.(*T).pick(...)\r\n\t/src/x.go:3\r\n\x1a more\r\n";
    uv_buf_t buffer = uv_buf_init(text, sizeof text - 1);
    uv_write_t request;
    (void)state;
    program_input = &input;
    START("triage", "--format", "watchflakes", "-");
    assert_int_equal(uv_write(&request, (uv_stream_t *)&input, &buffer, 1, on_written), 0);
    wait_until(input_is_closed, "the end of the program's input");
    finish(ITR_EXIT_EXPECTED);
    assert_string_equal(out_text(), "#!watchflakes\npost <- `panic: runtime error: index out of range \\[[0-9a-fA-Fx#]+\\] with "
                                    "length [0-9a-fA-Fx#]+` && `main\\.\\(\\*T\\)\\.pick`\n");
}

static void known_failures_are_listed(void **state) {
    (void)state;
    RUN(ITR_EXIT_EXPECTED, "list", "--known");
    assert_contains(out_text(), "needm-without-g ");
    assert_contains(out_text(), "https://github.com/golang/go/issues/45638");
    RUN(ITR_EXIT_EXPECTED, "list", "--known", "--format", "json");
    json_t *json = json_of_output();
    assert_true(json_array_size(json_object_get(json, "known")) >= 20);
    json_decref(json);
}

static void a_database_of_ones_own_is_used_and_checked(void **state) {
    static const char mine[] = "{\"format\": 1, \"summary\": \"mine\", \"match\": [{\"message\": \"panic: first\"}]}";
    char folder[SCRATCH_PATH_MAX + 16];
    (void)state;
    scratch_folder(scratch, "own");
    snprintf(folder, sizeof folder, "%s/own", scratch);
    scratch_write(folder, "own.json", mine, sizeof mine - 1);
    RUN(ITR_EXIT_EXPECTED, "triage", "--database", folder, crash_file("byhand-two-reports"));
    assert_contains(out_text(), "known: mine (own)");
    scratch_write(folder, "bad.json", "{\"formt\": 1}", 12);
    RUN(ITR_EXIT_USAGE, "list", "--known", "--database", folder);
    assert_contains(err_text(), "bad.json");
    assert_contains(err_text(), "\"formt\"");
}

static void what_cannot_be_read_is_told(void **state) {
    (void)state;
    RUN(ITR_EXIT_USAGE, "triage");
    assert_contains(err_text(), "which text?");
    RUN(ITR_EXIT_USAGE, "triage", "no/such/file");
    assert_contains(err_text(), "no/such/file");
    RUN(ITR_EXIT_USAGE, "list", "--format", "watchflakes");
    assert_contains(err_text(), "expected text or json");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_told_in_words),
        cmocka_unit_test(several_files_are_told_one_by_one),
        cmocka_unit_test(standard_input_makes_a_rule),
        cmocka_unit_test(known_failures_are_listed),
        cmocka_unit_test(a_database_of_ones_own_is_used_and_checked),
        cmocka_unit_test(what_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests_name("triage", tests, set_up_group, tear_down_group);
}
