/* Unit tests of report_bisect.c and report_bisect_json.c: what is said of each end of a bisection, and nothing of an arm's
 * name that could be markup or harm a terminal. */
#include "framework/report_bisect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ARMS = 5 };

static struct itr_bisection_arm arms[ARMS];
static struct itr_bisection bisection;
static struct itr_text out;
static char case_name[] = "sigurg-during-init";

/* Five arms of which the second cannot be tested and the last was not needed; the rate rises at the third. */
static int set_up(void **state) {
    (void)state;
    memset(arms, 0, sizeof arms);
    for (size_t i = 0; i < ARMS; i++) {
        snprintf(arms[i].spec.label, sizeof arms[i].spec.label, "a%u", (unsigned)i + 1);
        arms[i].text = "1.26";
        arms[i].state = ITR_BISECTION_READY;
        arms[i].cell = i;
        arms[i].trials = 40;
        arms[i].hits = i < 2 ? 0 : 10;
    }
    arms[1].state = ITR_BISECTION_SKIPPED;
    snprintf(arms[1].why, sizeof arms[1].why, "it does not build");
    arms[1].trials = 7; /* of before it became one: they count no more */
    arms[1].hits = 7;
    arms[2].chance = 0.993;
    arms[3].chance = 0.007;
    arms[4] = (struct itr_bisection_arm){.text = "1.27", .cell = ITR_BISECTION_NO_CELL};
    snprintf(arms[4].spec.label, sizeof arms[4].spec.label, "a5");
    bisection = (struct itr_bisection){.rules = {.change = ITR_BISECT_EITHER, .sure = 0.99, .trials_max = 100},
                                       .signature = "*",
                                       .c = {.name = case_name, .base = {.event = ITR_EVENT_SIGURG}},
                                       .at = "pthread_create#3",
                                       .arms = arms,
                                       .arm_count = ARMS,
                                       .state = ITR_BISECTION_FOUND,
                                       .found = 2,
                                       .before = 0,
                                       .rate_before = 0.01,
                                       .rate_after = 0.25};
    out = (struct itr_text){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_text_release(&out);
    return 0;
}

static void sentence_has(const char *part) {
    itr_text_reset(&out);
    itr_bisection_sentence(&bisection, &out);
    if (strstr(itr_text_string(&out), part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, itr_text_string(&out));
    }
}

static void each_end_has_its_sentence(void **state) {
    (void)state;
    sentence_has("the failure rate rises at a3 (chance 99.3 %); or at one of those before it that cannot be tested: a2; up to a1 "
                 "it fails in 0 of 40: at most 7.22 %, from there on in 20 of 80: 25 % [");
    bisection.rate_before = 0.5;
    sentence_has("the failure rate drops at a3");
    arms[2].chance = 0.99999;
    sentence_has("(chance over 99.99 %)");
    bisection.state = ITR_BISECTION_UNDECIDED;
    sentence_has("undecided: the trials are used up; likeliest so far: a3 ");
    bisection.found = bisection.before = ITR_BISECTION_NO_CELL;
    bisection.no_change = 0.75;
    sentence_has("undecided: the trials are used up; likeliest so far: no change (chance 75 %)");
    bisection.state = ITR_BISECTION_UNFINISHED;
    sentence_has("cut short; likeliest so far: no change");
    bisection.state = ITR_BISECTION_NO_CHANGE;
    bisection.no_change = 0.992;
    sentence_has("no change: all arms fail as often (chance 99.2 %): 20 of 120: ");
    bisection.rules.change = ITR_BISECT_UP;
    sentence_has("no rise: all arms");
    bisection.state = ITR_BISECTION_BROKEN;
    snprintf(bisection.why, sizeof bisection.why, "a1, control no-library: \033[2J");
    sentence_has("no verdict: a control failed: a1, control no-library: \\x1b[2J");
    bisection.state = ITR_BISECTION_TOO_FEW;
    sentence_has("fewer than two arms can be tested");
}

static void text_has_a_line_for_each_arm(void **state) {
    (void)state;
    arms[3].others = 3;
    itr_report_bisect(&out, &bisection);
    const char *text = itr_text_string(&out);
    assert_non_null(strstr(text, "\nsigurg-during-init at pthread_create#3, failures *:\n"));
    assert_non_null(strstr(text, "\n  a1  0 of 40: at most 7.22 %\n"));
    assert_non_null(strstr(text, "\n  a2  cannot be tested: it does not build\n"));
    assert_non_null(strstr(text, "\n> a3  10 of 40: 25 % ["));
    assert_non_null(strstr(text, ", 3 other failures; changes here: 0.7 %\n"));
    assert_non_null(strstr(text, "\n  a5  not needed\n"));
}

static void markdown_escapes_names(void **state) {
    (void)state;
    snprintf(arms[2].spec.label, sizeof arms[2].spec.label, "a|b<i>\n");
    itr_report_bisect_markdown(&out, &bisection);
    const char *text = itr_text_string(&out);
    assert_non_null(strstr(text, "\n| **a\\|b\\<i\\>\\\\x0a** | 10 of 40: "));
    assert_null(strstr(text, "<i>"));
    assert_non_null(strstr(text, "\n| a2 | it does not build |  |\n"));
    assert_non_null(strstr(text, "has a chance of 99 %."));
}

static void json_is_whole(void **state) {
    json_t *json = itr_bisection_to_json(&bisection);
    (void)state;
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "state")), "found");
    assert_string_equal(json_string_value(json_object_get(json, "found")), "a3");
    assert_string_equal(json_string_value(json_object_get(json, "before")), "a1");
    assert_string_equal(json_string_value(json_object_get(json, "change")), "either");
    assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 0);
    const json_t *list = json_object_get(json, "arms");
    assert_int_equal(json_array_size(list), ARMS);
    const json_t *skipped = json_array_get(list, 1);
    const json_t *waiting = json_array_get(list, 4);
    assert_string_equal(json_string_value(json_object_get(skipped, "state")), "skipped");
    assert_string_equal(json_string_value(json_object_get(skipped, "why")), "it does not build");
    assert_string_equal(json_string_value(json_object_get(waiting, "state")), "waiting");
    assert_true(json_is_null(json_object_get(waiting, "cell")));
    assert_true(json_is_null(json_object_get(waiting, "rate")));
    json_decref(json);
    static const struct {
        enum itr_bisection_state state;
        int code;
    } codes[] = {{ITR_BISECTION_FOUND, 0},  {ITR_BISECTION_NO_CHANGE, 0}, {ITR_BISECTION_UNDECIDED, 3},
                 {ITR_BISECTION_BROKEN, 3}, {ITR_BISECTION_TOO_FEW, 3},   {ITR_BISECTION_UNFINISHED, 3}};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        bisection.state = codes[i].state;
        assert_int_equal(itr_bisection_exit_code(&bisection), codes[i].code);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_end_has_its_sentence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_has_a_line_for_each_arm, set_up, tear_down),
        cmocka_unit_test_setup_teardown(markdown_escapes_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_is_whole, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("report_bisect", tests, NULL, NULL);
}
