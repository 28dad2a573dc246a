/* Hosts that hang and are left to a person: they outlive the program with their tree, also when it is killed, and their
 * output is read on; all others end as always. */
#include "framework/tests/program.h"
#include "framework/tests/sanitized.h"
#include "platform/platform.h"
#include "platform/tests/family.h"

#ifndef INITRACE_HANGING_HOST
#error "INITRACE_HANGING_HOST names the host made from hanging_host.c"
#endif

enum { LISTED_MAX = 1024, WAIT_MS = 30000, NAP_MS = 20, KEPT_BYTES = 16 << 20 };

static char host_path[SCRATCH_PATH_MAX];
static char scratch[SCRATCH_PATH_MAX];
static char output[SCRATCH_PATH_MAX + 32];
static char list_variable[SCRATCH_PATH_MAX + 64];

static int set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    snprintf(output, sizeof output, "%s/out", scratch);
    snprintf(list_variable, sizeof list_variable, "INITRACE_TEST_HOSTS=%s/hosts", scratch);
    return 0;
}

/* All processes that hosts wrote down: of each host its child, then itself; once, where an id came again. */
static size_t listed(long ids[LISTED_MAX]) {
    size_t count = 0;
    char *text = scratch_read(scratch, "hosts");
    char *at = text;
    while (at != NULL && *at != '\0' && count < LISTED_MAX) {
        long id = strtol(at, &at, 10);
        at += *at == '\n' ? 1 : 0;
        size_t others = 0;
        for (size_t i = 0; i < count; i++) {
            ids[others] = ids[i];
            others += ids[i] != id ? 1 : 0;
        }
        ids[others] = id;
        count = others + 1;
    }
    free(text);
    return count;
}

static size_t living(long *last) {
    long ids[LISTED_MAX];
    size_t count = listed(ids);
    size_t alive = 0;
    for (size_t i = 0; i < count; i++) {
        if (family_lives(ids[i], host_path)) {
            alive++;
            *last = ids[i];
        }
    }
    return alive;
}

/* Also what is left by a test that fails. */
static int tear_down(void **state) {
    (void)state;
    bool ended = family_end_all(WAIT_MS);
    scratch_remove(scratch);
    return ended ? 0 : -1;
}

static void wait_for(bool (*holds)(void), const char *what) {
    for (int i = 0; i < WAIT_MS / NAP_MS; i++) {
        if (holds()) {
            return;
        }
        uv_sleep(NAP_MS);
    }
    fail_msg("it never came: %s", what);
}

/* Each host is waited for so long. By then it has to stand in the list with its child: it takes some milliseconds, or tenths of a second
 * under Wine and where the runner is sanitized. */
static const char *deadline(void) {
    return itrp_capabilities()->signals && !IS_SANITIZED ? "1s" : "2s";
}

#define HOST_WORDS "--host", host_path, "--env", list_variable, "--deadline", deadline(), "--quiet", "--output", output

static json_t *trial_of(uint64_t number) {
    char name[64];
    json_error_t why;
    snprintf(name, sizeof name, "failures/%llu/trial.json", (unsigned long long)number);
    char *text = scratch_read(output, name);
    assert_non_null(text);
    json_t *json = json_loads(text, 0, &why);
    free(text);
    assert_non_null(json);
    return json;
}

static const char *word_of(const json_t *kept, size_t index) {
    return json_string_value(json_array_get(json_object_get(kept, "attach"), index));
}

static int64_t bytes_of(const char *name) {
    char path[SCRATCH_PATH_MAX + 128];
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/failures/0/%s", output, name);
    int64_t bytes = uv_fs_stat(NULL, &request, path, NULL) == 0 ? (int64_t)request.statbuf.st_size : -1;
    uv_fs_req_cleanup(&request);
    return bytes;
}

static bool has_answered(void) {
    return bytes_of("kept.stderr") == 6;
}

static void one_is_left_running_and_can_be_ended(void **state) {
    long host = 0;
    char words[64];
    (void)state;
    RUN(1, "run", HOST_WORDS, "--count", "2", "--jobs", "1", "--keep-hung");
    assert_int_equal(living(&host), 2); /* with its child */
    json_t *trial = trial_of(0);
    const json_t *kept = json_object_get(trial, "kept");
    assert_int_equal(json_integer_value(json_object_get(kept, "process")), host);
    assert_true(json_is_null(json_object_get(trial, "exit")));
    assert_string_equal(json_string_value(json_object_get(trial, "outcome")), "hang");
    snprintf(words, sizeof words, "%s %ld", itrp_attach_commands()[0], host);
    assert_string_equal(word_of(kept, 0), words);
    assert_non_null(strstr(err_text(), words));
    char *text = scratch_read(output, "failures/0/kept.txt");
    assert_non_null(text);
    assert_non_null(strstr(text, words));
    free(text);
    snprintf(words, sizeof words, "%s %ld", itrp_attach_commands()[1], host);
    assert_string_equal(word_of(kept, 1), words);
    /* It writes more than any pipe holds, and than is kept, and goes on. */
    scratch_write(scratch, "hosts.poke", "", 0);
    wait_for(has_answered, "the output of the kept host");
    assert_int_equal(living(&host), 2);
    assert_true(bytes_of("kept.stdout") == KEPT_BYTES);
    assert_int_equal(system(json_string_value(json_object_get(kept, "end_with"))), 0);
    wait_for(family_is_gone, "the end of the kept host, its child and the reader of its output");
    json_decref(trial);
    trial = trial_of(1);
    assert_null(json_object_get(trial, "kept"));
    assert_false(json_is_null(json_object_get(trial, "exit")));
    json_decref(trial);
}

static void none_is_left_unasked(void **state) {
    long last = 0;
    (void)state;
    RUN(1, "run", HOST_WORDS, "--count", "2", "--jobs", "2");
    assert_int_equal(living(&last), 0);
    assert_null(strstr(err_text(), "left running"));
    assert_true(family_is_gone());
}

static void as_many_as_are_asked_for(void **state) {
    long last = 0;
    (void)state;
    /* Without evidence too: a host is stopped for being kept alone. */
    RUN(1, "run", HOST_WORDS, "--count", "4", "--jobs", "2", "--keep-hung=2", "--evidence", "0", "--keep", "0");
    assert_int_equal(living(&last), 4);
    assert_true(scratch_exists(output, "failures"));
}

static bool is_told(void) {
    return run.exited || strstr(err_text(), "left running") != NULL;
}

static bool only_the_kept_live(void) {
    long last = 0;
    return living(&last) == 2;
}

static void it_outlives_a_program_that_is_killed(void **state) {
    long host = 0;
    (void)state;
    START("run", HOST_WORDS, "--count", "1000", "--jobs", "2", "--keep-hung");
    wait_until(is_told, "a kept host");
    assert_int_equal(uv_process_kill(&run.process, SIGKILL), 0); /* TerminateProcess on Windows */
    wait_until(program_is_over, "the end of the program");
    wait_for(only_the_kept_live, "the end of all others");
    uv_sleep(1000);
    assert_int_equal(living(&host), 2);
    json_error_t why;
    json_t *line = NULL;
    char *text = scratch_read(output, "trials.jsonl");
    assert_non_null(text);
    for (const char *at = text; *at != '\0' && line == NULL; at = strchr(at, '\n') != NULL ? strchr(at, '\n') + 1 : "") {
        line = json_loads(at, JSON_DISABLE_EOF_CHECK, &why);
        if (json_object_get(line, "kept") == NULL) {
            json_decref(line);
            line = NULL;
        }
    }
    free(text);
    if (line != NULL) { /* or it was killed before it wrote that */
        assert_int_equal(json_integer_value(json_object_get(json_object_get(line, "kept"), "process")), host);
    }
    json_decref(line);
}

static void it_is_refused_where_it_cannot_be(void **state) {
    (void)state;
    RUN(2, "run", HOST_WORDS, "--count", "1", "--keep-hung=65");
    RUN(2, "run", HOST_WORDS, "--count", "1", "--keep-hung", "--chaos");
}

static int set_up_group(void **state) {
    (void)state;
    program_open();
    real_path(INITRACE_HANGING_HOST, host_path, sizeof host_path);
    return family_open() ? 0 : -1;
}

static int tear_down_group(void **state) {
    (void)state;
    program_close();
    return 0;
}

int main(void) {
#define SELF_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SELF_TEST(one_is_left_running_and_can_be_ended), SELF_TEST(none_is_left_unasked),
        SELF_TEST(as_many_as_are_asked_for),             SELF_TEST(it_outlives_a_program_that_is_killed),
        SELF_TEST(it_is_refused_where_it_cannot_be),
    };
    return cmocka_run_group_tests_name("keep_hung", tests, set_up_group, tear_down_group);
}
