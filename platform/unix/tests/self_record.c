/* Tests of run --record rr, with the stand-in of rr.c: real trials, real processes, and folders in place of recordings.
 * What rr itself makes of a host is not tested. */
#include "framework/commands.h"
#include "framework/tests/self.h"

#ifndef INITRACE_STAND_IN
#error "INITRACE_STAND_IN names the folder with a program rr"
#endif

static char library[SCRATCH_PATH_MAX];
static char path_with_rr[8 * SCRATCH_PATH_MAX];
static char path_without_rr[2 * SCRATCH_PATH_MAX];

static int set_up_group(void **state) {
    char stand_in[SCRATCH_PATH_MAX];
    self_set_up_group(state);
    real_path(INITRACE_STAND_IN, stand_in, sizeof stand_in);
    real_path(INITRACE_LIBRARY, library, sizeof library);
    snprintf(path_with_rr, sizeof path_with_rr, "PATH=%s:%s", stand_in, getenv("PATH"));
    return 0;
}

static int set_up(void **state) {
    self_set_up(state);
    snprintf(path_without_rr, sizeof path_without_rr, "PATH=%s", scratch);
    return 0;
}

/* Runs initrace with the stand-in, which does wrong what `misdeed` names. */
#define RECORD(code, misdeed, ...)                                              \
    do {                                                                        \
        start_with(LIST(path_with_rr, "RR_STAND_IN=" misdeed), LIST(__VA_ARGS__)); \
        finish(code);                                                           \
    } while (0)

#define FINDING(misdeed) \
    "run", "--host", "misbehave", "--env", "INITRACE_MISDEED=" misdeed, "--quiet", "--seed", "1", "--output", output

/* ---- what lives ---- */

static bool works_here(const char *process) {
    char path[300];
    uv_fs_t request;
    snprintf(path, sizeof path, "/proc/%.200s/cwd", process);
    bool here = uv_fs_readlink(NULL, &request, path, NULL) == 0 &&
                strncmp(request.ptr, scratch, strlen(scratch)) == 0;
    uv_fs_req_cleanup(&request);
    return here;
}

/* Recorders and hosts: what has a working folder in the campaign's. */
static unsigned living(void) {
    unsigned count = 0;
    uv_fs_t request;
    uv_dirent_t entry;
    assert_true(uv_fs_scandir(NULL, &request, "/proc", 0, NULL) > 0);
    while (uv_fs_scandir_next(&request, &entry) == 0) {
        count += entry.name[0] >= '1' && entry.name[0] <= '9' && works_here(entry.name) ? 1 : 0;
    }
    uv_fs_req_cleanup(&request);
    return count;
}

static void wait_for_living(unsigned count) {
    for (int i = 0; i < 400 && living() != count; i++) {
        let_pass(50);
    }
    assert_int_equal(living(), count);
}

/* ---- what was written ---- */

static json_t *file_as_json(const char *name) {
    char *text = scratch_read(output, name);
    json_error_t why;
    assert_non_null(text);
    json_t *json = json_loads(text, 0, &why);
    assert_non_null(json);
    free(text);
    return json;
}

static const char *text_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

static const json_t *first_cell(const json_t *summary) {
    return json_array_get(json_object_get(summary, "cells"), 0);
}

static void assert_no_recording_left(void) {
    assert_false(scratch_exists(output, "hosts"));
    assert_int_equal(living(), 0);
}

/* Trial 0 failed in the same way without a recorder: its outcome, its signature. */
static void assert_same_as_unrecorded(const json_t *trial, int code, const char *misdeed, const char *event) {
    char variable[64];
    char elsewhere[SCRATCH_PATH_MAX + 32];
    json_error_t why;
    snprintf(variable, sizeof variable, "INITRACE_MISDEED=%s", misdeed);
    snprintf(elsewhere, sizeof elsewhere, "%s/unrecorded", scratch);
    if (event != NULL) {
        START("run", "--host", "misbehave", "--env", variable, "--quiet", "--seed", "1", "--output", elsewhere, "--event",
              event, "--at", "init-done+2ms", "--count", "1");
    } else {
        START("run", "--host", "misbehave", "--env", variable, "--quiet", "--seed", "1", "--output", elsewhere, "--count", "1");
    }
    finish(code);
    char *text = scratch_read(elsewhere, "trials.jsonl");
    json_t *other = json_loads(text, 0, &why);
    assert_non_null(other);
    assert_string_equal(text_of(trial, "outcome"), text_of(other, "outcome"));
    assert_string_equal(text_of(trial, "signature"), text_of(other, "signature"));
    assert_null(json_object_get(other, "record"));
    json_decref(other);
    free(text);
}

/* ---- trials ---- */

static void delivered_trials_leave_no_trace(void **state) {
    (void)state;
    RECORD(0, "", "run", "--library", library, "--event", "SIGUSR1", "--at", "init-done", "--at", "time", "--count", "4",
           "--record", "rr", "--quiet", "--output", output);
    assert_contains(out_text(), "linux rr ");
    assert_no_recording_left();
    assert_false(scratch_exists(output, "failures"));
    json_t *summary = file_as_json("summary.json");
    const json_t *cell = first_cell(summary);
    assert_string_equal(text_of(cell, "record"), "rr");
    assert_true(json_is_false(json_object_get(cell, "debugged")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(cell, "outcomes"), "delivered")), 4);
    assert_true(json_integer_value(json_object_get(cell, "quiet_ns")) >= 5000000000);
    json_decref(summary);
    char *lines = scratch_read(output, "trials.jsonl");
    assert_contains(lines, "\"record\":\"rr\"");
    assert_null(strstr(lines, "\"recording\""));
    free(lines);
}

static void a_crash_keeps_its_packed_trace(void **state) {
    char line[2 * SCRATCH_PATH_MAX];
    (void)state;
    RECORD(1, "", FINDING("crash"), "--count", "4", "--jobs", "1", "--keep", "2", "--record", "rr");
    assert_no_recording_left();
    snprintf(line, sizeof line, "rr replay \"%s/failures/0/rr\"\n", output);
    assert_contains(out_text(), line);
    assert_true(scratch_exists(output, "failures/0/rr/packed"));
    assert_true(scratch_exists(output, "failures/1/rr/packed"));
    assert_false(scratch_exists(output, "failures/2"));
    char *replay = scratch_read(output, "failures/0/replay.txt");
    assert_contains(replay, line);
    free(replay);
    json_t *trial = file_as_json("failures/0/trial.json");
    const json_t *recording = json_object_get(trial, "recording");
    assert_string_equal(text_of(trial, "outcome"), "crash");
    assert_string_equal(text_of(trial, "record"), "rr");
    assert_string_equal(text_of(recording, "folder"), "failures/0/rr");
    assert_true(json_is_true(json_object_get(recording, "packed")));
    assert_null(json_object_get(recording, "trouble"));
    assert_same_as_unrecorded(trial, 1, "crash", NULL);
    json_decref(trial);
    char *page = scratch_read(output, "report.html");
    assert_contains(page, "rr replay DIR/failures/0/rr");
    free(page);
}

/* The host waits for ever, and its recorder with it: the recorder must be left to complete the trace. */
static void a_loss_keeps_a_complete_trace(void **state) {
    (void)state;
    RECORD(1, "", FINDING("turn-deaf"), "--event", "SIGTERM", "--at", "init-done+2ms", "--count", "2", "--record", "rr");
    assert_no_recording_left();
    assert_true(scratch_exists(output, "failures/0/rr/packed"));
    json_t *trial = file_as_json("failures/0/trial.json");
    assert_string_equal(text_of(trial, "outcome"), "lost");
    assert_string_equal(text_of(trial, "end"), "lost");
    assert_true(json_is_true(json_object_get(json_object_get(trial, "exit"), "by_runner")));
    /* Not by what the recorder's threads did: nothing moved for the quiet time. */
    assert_true(json_integer_value(json_object_get(trial, "duration_ns")) >= 5000000000);
    assert_same_as_unrecorded(trial, 1, "turn-deaf", "SIGTERM");
    json_decref(trial);
}

/* A recorder sleeps while its host computes: that is no quiet. */
static void a_host_that_computes_is_not_quiet(void **state) {
    (void)state;
    RECORD(1, "", FINDING("spin-deaf"), "--event", "SIGTERM", "--at", "init-done+2ms", "--deadline", "8s", "--count", "1",
           "--record", "rr");
    json_t *trial = file_as_json("failures/0/trial.json");
    assert_string_equal(text_of(trial, "outcome"), "hang");
    assert_string_equal(text_of(trial, "end"), "deadline");
    assert_true(scratch_exists(output, "failures/0/rr/packed"));
    json_decref(trial);
    assert_no_recording_left();
}

static void what_a_host_leaves_behind_is_ended_and_counted(void **state) {
    (void)state;
    RECORD(0, "", FINDING("keep-child"), "--count", "3", "--record", "rr");
    json_t *summary = file_as_json("summary.json");
    assert_int_equal(json_integer_value(json_object_get(first_cell(summary), "strays")), 3);
    json_decref(summary);
    assert_no_recording_left();
}

static void a_killed_runner_leaves_neither_recorder_nor_host(void **state) {
    (void)state;
    start_with(LIST(path_with_rr), LIST(FINDING("sleep-deaf"), "--count", "4", "--jobs", "2", "--record", "rr"));
    wait_for_living(4);
    assert_int_equal(uv_process_kill(&run.process, SIGKILL), 0);
    wait_for_living(0);
    wait_until(program_is_over, "the end of the program");
    /* It can go on only where there is a recorder. */
    start_with(LIST(path_without_rr), LIST("run", "--resume", "--output", output, "--quiet"));
    finish(ITR_EXIT_UNSUPPORTED);
    assert_contains(err_text(), "rr is not installed");
}

/* ---- the recorder's own failures ---- */

static void a_recorder_that_dies_is_no_finding(void **state) {
    (void)state;
    RECORD(ITR_EXIT_TOOL, "dies", FINDING("sleep-deaf"), "--count", "1", "--record", "rr");
    json_t *trial = file_as_json("failures/0/trial.json");
    assert_string_equal(text_of(trial, "outcome"), "tool-error");
    assert_contains(text_of(trial, "tool_error"), "the recorder ended (SIGABRT) before its recording was complete");
    assert_contains(text_of(json_object_get(trial, "recording"), "trouble"), "not complete");
    json_decref(trial);
    assert_true(scratch_exists(output, "failures/0/rr/incomplete"));
    assert_null(strstr(out_text(), "rr replay"));
    assert_no_recording_left();
}

static void a_recorder_that_does_not_end_is_no_hang(void **state) {
    (void)state;
    RECORD(ITR_EXIT_TOOL, "lingers", FINDING("none"), "--deadline", "1s", "--count", "1", "--record", "rr");
    json_t *trial = file_as_json("failures/0/trial.json");
    assert_string_equal(text_of(trial, "outcome"), "tool-error");
    assert_contains(text_of(trial, "tool_error"), "the recorder did not end");
    json_decref(trial);
    assert_no_recording_left();
}

static void a_trace_that_cannot_be_packed_is_kept_as_it_is(void **state) {
    (void)state;
    RECORD(1, "pack-fails", FINDING("crash"), "--count", "1", "--record", "rr");
    assert_true(scratch_exists(output, "failures/0/rr/version"));
    assert_false(scratch_exists(output, "failures/0/rr/packed"));
    json_t *trial = file_as_json("failures/0/trial.json");
    const json_t *recording = json_object_get(trial, "recording");
    assert_string_equal(text_of(trial, "outcome"), "crash");
    assert_true(json_is_false(json_object_get(recording, "packed")));
    assert_contains(text_of(recording, "trouble"), "rr pack failed: exit code 3: ");
    assert_contains(text_of(recording, "trouble"), "No space left on device");
    json_decref(trial);
    char *replay = scratch_read(output, "failures/0/replay.txt");
    assert_contains(replay, "rr pack failed");
    free(replay);
}

/* ---- what cannot be ---- */

static void a_recorder_that_fails_is_refused_with_a_reason(void **state) {
    (void)state;
    RECORD(ITR_EXIT_UNSUPPORTED, "record-fails", FINDING("crash"), "--count", "1", "--record", "rr");
    assert_contains(err_text(), "--record rr cannot be done here: ");
    if (strstr(err_text(), "counters") == NULL && strstr(err_text(), "perf_event_paranoid") == NULL) {
        assert_contains(err_text(), "rr record failed: exit code 1: ");
        assert_contains(err_text(), "told to record nothing");
    }
    assert_false(scratch_exists(output, "campaign.json"));
    start_with(LIST(path_without_rr), LIST(FINDING("crash"), "--count", "1", "--record", "rr"));
    finish(ITR_EXIT_UNSUPPORTED);
    assert_contains(err_text(), "rr is not installed: no program rr in PATH");
}

static const char *doctors_word(json_t *json, const char *key) {
    const json_t *findings = json_object_get(json, "findings");
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *one = json_array_get(findings, i);
        if (strcmp(text_of(one, "what"), "run --record rr") == 0) {
            return strcmp(key, "ok") != 0 ? text_of(one, key) : json_is_true(json_object_get(one, "ok")) ? "yes" : "no";
        }
    }
    fail_msg("doctor says nothing of --record rr");
    return "";
}

static void doctor_says_what_was_tried(void **state) {
    (void)state;
    start_with(LIST(path_with_rr), LIST("doctor", "--format", "json")); /* its exit code speaks of other things too */
    wait_until(program_is_over, "the end of the program");
    json_t *json = json_of_output();
    assert_string_equal(doctors_word(json, "ok"), "yes");
    assert_contains(doctors_word(json, "text"), "was recorded");
    json_decref(json);
    start_with(LIST(path_without_rr), LIST("doctor", "--format", "json"));
    wait_until(program_is_over, "the end of the program");
    json = json_of_output();
    assert_string_equal(doctors_word(json, "ok"), "no");
    assert_contains(doctors_word(json, "text"), "rr is not installed");
    json_decref(json);
}

static void recorded_and_debugged_do_not_mix(void **state) {
    static const char said[] = "--record rr goes with --at time, a phase or a call";
    (void)state;
    RECORD(ITR_EXIT_USAGE, "", FINDING("none"), "--record", "rr", "--chaos");
    assert_contains(err_text(), said);
    RECORD(ITR_EXIT_USAGE, "", FINDING("none"), "--record", "rr", "--watch", "x");
    assert_contains(err_text(), said);
    RECORD(ITR_EXIT_USAGE, "", FINDING("none"), "--record", "rr", "--event", "SIGUSR1", "--at", "InitraceProbe#1");
    assert_contains(err_text(), said);
    RECORD(ITR_EXIT_USAGE, "", FINDING("none"), "--record", "rr", "--event", "SIGUSR1", "--sweep", "functions");
    assert_contains(err_text(), said);
    RECORD(ITR_EXIT_USAGE, "", FINDING("none"), "--record", "rr", "--keep", "0");
    assert_contains(err_text(), "--record and --keep 0 do not go together");
    assert_false(scratch_exists(output, "campaign.json"));
}

static void a_replay_records_again_and_names_the_trace(void **state) {
    (void)state;
    RECORD(1, "", FINDING("crash"), "--count", "1", "--record", "rr");
    RECORD(1, "", "replay", output, "0");
    assert_contains(out_text(), "its trace: rr replay \"");
    assert_contains(out_text(), "the same again in 1 of 1");
    RECORD(1, "", "replay", output, "0", "--format", "json");
    json_t *json = json_of_output();
    assert_string_equal(text_of(json_array_get(json_object_get(json, "replayed"), 0), "record"), "rr");
    json_decref(json);
    start_with(LIST(path_without_rr), LIST("replay", output, "0"));
    finish(ITR_EXIT_UNSUPPORTED);
    assert_contains(err_text(), "was recorded with rr, which cannot be done here: rr is not installed");
    assert_contains(err_text(), "failures/0/rr");
}

int main(void) {
#define RECORD_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, self_tear_down)
    const struct CMUnitTest tests[] = {
        RECORD_TEST(delivered_trials_leave_no_trace),
        RECORD_TEST(a_crash_keeps_its_packed_trace),
        RECORD_TEST(a_loss_keeps_a_complete_trace),
        RECORD_TEST(a_host_that_computes_is_not_quiet),
        RECORD_TEST(what_a_host_leaves_behind_is_ended_and_counted),
        RECORD_TEST(a_killed_runner_leaves_neither_recorder_nor_host),
        RECORD_TEST(a_recorder_that_dies_is_no_finding),
        RECORD_TEST(a_recorder_that_does_not_end_is_no_hang),
        RECORD_TEST(a_trace_that_cannot_be_packed_is_kept_as_it_is),
        RECORD_TEST(a_recorder_that_fails_is_refused_with_a_reason),
        RECORD_TEST(doctor_says_what_was_tried),
        RECORD_TEST(recorded_and_debugged_do_not_mix),
        RECORD_TEST(a_replay_records_again_and_names_the_trace),
    };
    return cmocka_run_group_tests_name("record", tests, set_up_group, self_tear_down_group);
}
