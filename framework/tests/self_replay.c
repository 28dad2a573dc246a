/* Tests of replay --debug: the host of a recorded trial stands stopped at its exact point for as long as a person
 * wants, and never longer than the program. Also what --record says where nothing can be recorded. */
#include "framework/commands.h"
#include "framework/tests/self.h"

#ifndef INITRACE_LIBRARY
#error "INITRACE_LIBRARY names the plain library, whose function InitraceProbe is fired at"
#endif

static char library[SCRATCH_PATH_MAX];
static const char *event_here;
static uv_pipe_t input;
static int held; /* process id of the host */

static int set_up_group(void **state) {
    self_set_up_group(state);
    real_path(INITRACE_LIBRARY, library, sizeof library);
    event_here = itrp_capabilities()->signals ? "SIGUSR1" : "CTRL_C";
    return 0;
}

static bool input_is_closed(void) {
    return program_input == NULL;
}

static void on_input_closed(uv_handle_t *handle) {
    (void)handle;
    program_input = NULL;
}

static void close_input(void) {
    uv_close((uv_handle_t *)&input, on_input_closed);
    wait_until(input_is_closed, "the end of the program's input");
}

static int tear_down(void **state) {
    if (program_input != NULL) {
        close_input();
    }
    return self_tear_down(state);
}

/* Records one trial at a point of the plain library. */
static void record(int code, const char *at) {
    START("run", "--library", library, "--function", "InitraceProbe", "--event", event_here, "--at",
          at, "--count", "1", "--deadline", "3s", "--seed", "1", "--quiet", "--output", output);
    finish(code);
}

static bool host_is_gone(void) {
    return uv_kill(held, 0) != 0;
}

static bool host_is_told(void) {
    return strstr(out_text(), "\n  attach with: ") != NULL &&
           strchr(strstr(out_text(), "\n  attach with: ") + 1, '\n') != NULL;
}

/* Starts a replay that waits for its input's end, up to where the host is held. */
static void start_held(void) {
    program_input = &input;
    START("replay", output, "0", "--debug");
    wait_until(host_is_told, "the line that says where the host stands");
    assert_int_equal(sscanf(out_text(), "process %d stands stopped at ", &held), 1);
    assert_false(host_is_gone());
}

/* ---- what is said ---- */

static void a_host_is_left_stopped_at_its_point(void **state) {
    char sent[64];
    (void)state;
    record(0, "InitraceProbe#1");
    RUN(0, "replay", output, "0", "--debug");
    assert_int_equal(sscanf(out_text(), "process %d stands stopped at ", &held), 1);
    snprintf(sent, sizeof sent, "(main), %s sent\n", event_here);
    assert_contains(out_text(), "stands stopped at plain!InitraceProbe, thread ");
    assert_contains(out_text(), sent);
    assert_contains(out_text(), "attach with: ");
    assert_contains(err_text(), "held until Enter");
    assert_true(host_is_gone());
}

static void json_says_where_it_stands(void **state) {
    (void)state;
    record(0, "InitraceProbe#1");
    RUN(0, "replay", output, "0", "--debug=before", "--format", "json");
    json_t *json = json_of_output();
    const json_t *host = json_object_get(json, "held");
    assert_string_equal(json_string_value(json_object_get(host, "place")), "plain!InitraceProbe");
    assert_string_equal(json_string_value(json_object_get(host, "event")), "not sent");
    assert_string_equal(json_string_value(json_object_get(host, "thread_role")), "main");
    assert_true(json_array_size(json_object_get(host, "attach")) > 0);
    held = (int)json_integer_value(json_object_get(host, "process"));
    assert_true(held > 0);
    assert_true(host_is_gone());
    json_decref(json);
}

/* ---- how long ---- */

static void a_held_host_outlives_the_trials_deadline_and_ends_with_the_input(void **state) {
    (void)state;
    record(0, "InitraceProbe#1");
    start_held();
    let_pass(3500);
    assert_false(host_is_gone());
    assert_false(run.exited);
    close_input();
    finish(0);
    assert_true(host_is_gone());
}

static void on_written(uv_write_t *request, int status) {
    (void)request;
    (void)status;
}

static void enter_ends_it(void **state) {
    static uv_write_t request;
    uv_buf_t line = uv_buf_init((char *)(uintptr_t) "\n", 1);
    (void)state;
    record(0, "InitraceProbe#1");
    start_held();
    assert_int_equal(uv_write(&request, (uv_stream_t *)&input, &line, 1, on_written), 0);
    finish(0);
    assert_true(host_is_gone());
}

static void a_killed_program_leaves_no_held_host(void **state) {
    (void)state;
    record(0, "InitraceProbe#1");
    start_held();
    assert_int_equal(uv_process_kill(&run.process, SIGKILL), 0);
    wait_until(program_is_over, "the end of the program");
    for (int i = 0; i < 100 && !host_is_gone(); i++) {
        let_pass(50);
    }
    assert_true(host_is_gone());
}

/* ---- what cannot be ---- */

static void a_trial_without_an_exact_point_is_refused(void **state) {
    (void)state;
    record(0, "init-done");
    RUN(ITR_EXIT_USAGE, "replay", output, "0", "--debug");
    assert_contains(err_text(), "--debug needs a trial at an exact point, this one was fired at "
                                "init-done: run --at SYMBOL");
    assert_string_equal(out_text(), "");
    RUN(ITR_EXIT_USAGE, "replay", output, "0", "--no-gdb");
    assert_contains(err_text(), "--no-gdb goes with --debug");
}

static void a_point_that_does_not_come_holds_nothing(void **state) {
    (void)state;
    record(ITR_EXIT_INCONCLUSIVE, "InitraceProbe#2");
    RUN(ITR_EXIT_INCONCLUSIVE, "replay", output, "0", "--debug");
    assert_contains(err_text(), "no host is held: the trial ended before its point");
    assert_string_equal(out_text(), "");
}

static void recording_is_refused_with_a_reason(void **state) {
    char why[256] = "";
    (void)state;
    if (!itrp_can_record(why, sizeof why)) {
        RUN(ITR_EXIT_UNSUPPORTED, "run", "--library", library, "--record", "rr", "--output", output);
        assert_contains(err_text(), why);
        assert_string_equal(out_text(), "");
        assert_false(scratch_exists(output, "campaign.json"));
    }
    RUN(ITR_EXIT_USAGE, "run", "--library", library, "--record", "tape", "--output", output);
    assert_contains(err_text(), "--record tape: expected rr");
    START("doctor", "--format", "json"); /* its exit code speaks of other things too */
    wait_until(program_is_over, "the end of the program");
    assert_contains(out_text(), "\"run --record rr\"");
}

int main(void) {
    if (self_lacks_debugger()) {
        return 77;
    }
#define REPLAY_TEST(test) cmocka_unit_test_setup_teardown(test, self_set_up, tear_down)
    const struct CMUnitTest tests[] = {
        REPLAY_TEST(a_host_is_left_stopped_at_its_point),
        REPLAY_TEST(json_says_where_it_stands),
        REPLAY_TEST(a_held_host_outlives_the_trials_deadline_and_ends_with_the_input),
        REPLAY_TEST(enter_ends_it),
        REPLAY_TEST(a_killed_program_leaves_no_held_host),
        REPLAY_TEST(a_trial_without_an_exact_point_is_refused),
        REPLAY_TEST(a_point_that_does_not_come_holds_nothing),
        REPLAY_TEST(recording_is_refused_with_a_reason),
    };
    return cmocka_run_group_tests_name("replay", tests, set_up_group, self_tear_down_group);
}
