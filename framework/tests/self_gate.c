/* Self test: fires at gates of a small library, which sees for itself that the event came there and nowhere else, once, and
 * that no register and no other thread noticed (platform/windows/tests/gate_library.c: it ends the host otherwise). Where
 * hosts have no gates, that this is said. */
#include "framework/tests/self.h"

static char library[SCRATCH_PATH_MAX];

static int set_up_group(void **state) {
    self_set_up_group(state);
    real_path(INITRACE_GATE_LIBRARY, library, sizeof library);
    return 0;
}

static const char *event(void) {
    return itrp_capabilities()->signals ? "SIGUSR1" : "CTRL_BREAK";
}

/* All trials of the one cell ended so. */
static void assert_all(const char *at, const char *outcome, const char *signature) {
    json_t *json = json_of_output();
    const json_t *cell = json_array_get(json_object_get(json, "cells"), 0);
    const json_t *first = json_array_get(json_object_get(cell, "signatures"), 0);
    int64_t trials = json_integer_value(json_object_get(cell, "trials"));
    int64_t count = json_integer_value(json_object_get(json_object_get(cell, "outcomes"), outcome));
    if (trials == 0 || count != trials) {
        fail_msg("%s: %d of %d trials ended as %s:\n%.3000s", at, (int)count, (int)trials, outcome, out_text());
    }
    assert_true(json_is_true(json_object_get(cell, "gate")));
    assert_true(json_is_false(json_object_get(cell, "debugged")));
    if (signature != NULL) {
        assert_string_equal(json_string_value(json_object_get(first, "signature")), signature);
    }
    json_decref(json);
}

static void fire_at(const char *at, const char *count) {
    START("run", "--library", library, "--function", "InitraceProbe", "--event", event(), "--at", at, "--gate", "--count", count,
          "--seed", "1", "--quiet", "--output", output, "--format", "json");
}

/* ---- where there are none ---- */

static void a_system_without_gates_says_so_in_one_line(void **state) {
    (void)state;
    if (itrp_capabilities()->gates) {
        skip();
    }
    fire_at("gate_sum@any", "1");
    finish(77);
    assert_non_null(strstr(err_text(), "hosts have no gates on"));
    assert_ptr_equal(strchr(err_text(), '\n'), err_text() + strlen(err_text()) - 1);
}

static void locate_has_no_gates_and_says_why(void **state) {
    (void)state;
    RUN(2, "locate", "--library", library, "--gate");
    assert_non_null(strstr(err_text(), "locate needs the debugger"));
}

/* ---- where there are ---- */

static void the_event_comes_at_the_gate_once_and_nothing_else_changes(void **state) {
    static const char *const places[] = {"gate_sum@any", "gate_sum@main", "gate_registers@any"};
    (void)state;
    if (!itrp_capabilities()->gates) {
        skip();
    }
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        fire_at(places[i], "10");
        finish(0);
        assert_all(places[i], "delivered", NULL);
    }
}

static void the_librarys_first_thread_is_known(void **state) {
    (void)state;
    if (!itrp_capabilities()->gates) {
        skip();
    }
    fire_at("gate_in_thread@init", "10");
    wait_until(program_is_over, "the end of the program");
    /* Of four threads any may come first: a shot at another one than the first is not fired. */
    json_t *json = json_of_output();
    const json_t *outcomes = json_object_get(json_array_get(json_object_get(json, "cells"), 0), "outcomes");
    int64_t delivered = json_integer_value(json_object_get(outcomes, "delivered"));
    assert_true(delivered > 0);
    assert_int_equal(delivered + json_integer_value(json_object_get(outcomes, "not-fired")), 10);
    json_decref(json);
}

static void threads_that_come_at_the_same_time_pass(void **state) {
    (void)state;
    if (!itrp_capabilities()->gates) {
        skip();
    }
    fire_at("gate_busy@any", "30");
    finish(0);
    assert_all("gate_busy@any", "delivered", NULL);
}

static void what_nobody_comes_to_is_not_fired(void **state) {
    (void)state;
    if (!itrp_capabilities()->gates) {
        skip();
    }
    fire_at("gate_never@any", "3");
    finish(3);
    assert_all("gate_never@any", "not-fired", "not-fired CTRL_BREAK point-not-reached");
    fire_at("gate_sum@init", "3"); /* the main thread comes */
    finish(3);
    assert_all("gate_sum@init", "not-fired", "not-fired CTRL_BREAK point-not-reached");
}

static void a_trial_is_replayed_at_its_gate(void **state) {
    (void)state;
    if (!itrp_capabilities()->gates) {
        skip();
    }
    fire_at("gate_sum@any", "2");
    finish(0);
    RUN(0, "replay", output, "1", "--count", "3", "--format", "json");
    json_t *json = json_of_output();
    assert_int_equal(json_integer_value(json_object_get(json, "same")), 3);
    const json_t *again = json_array_get(json_object_get(json, "replayed"), 0);
    assert_true(json_is_true(json_object_get(again, "gate")));
    assert_int_equal(json_integer_value(json_object_get(json_object_get(again, "point"), "hits")), 1);
    json_decref(json);
    RUN(0, "run", "--resume", "--output", output, "--format", "json", "--quiet");
    assert_all("resumed", "delivered", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SELF_TEST(a_system_without_gates_says_so_in_one_line),
        SELF_TEST(locate_has_no_gates_and_says_why),
        SELF_TEST(the_event_comes_at_the_gate_once_and_nothing_else_changes),
        SELF_TEST(the_librarys_first_thread_is_known),
        SELF_TEST(threads_that_come_at_the_same_time_pass),
        SELF_TEST(what_nobody_comes_to_is_not_fired),
        SELF_TEST(a_trial_is_replayed_at_its_gate),
    };
    return cmocka_run_group_tests_name("gate", tests, set_up_group, self_tear_down_group);
}
