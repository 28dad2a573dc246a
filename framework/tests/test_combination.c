/* Unit tests of combination.c: which combinations a case's axes have, in what order, what each is called and
 * what it changes. */
#include "framework/combination.h"
#include "framework/ledger.h"
#include "framework/tests/scratch.h"

static struct itr_error error;

#define BEFORE "{\"format\": 1, \"summary\": \"s\", \"os\": [\"linux\", \"windows\"], \"host\": \"h\", \"event\": \"SIGURG\", "

static void read_case(struct itr_case *c, const char *more) {
    char text[4096];
    snprintf(text, sizeof text, BEFORE "%s}", more);
    if (itr_case_parse("cases/planted", text, strlen(text), c, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
}

/* Names of all combinations, " | " between two. */
static const char *names_of(const struct itr_case *c, const struct itr_axes_choice *choice, const char *family) {
    static char text[16384];
    struct itr_combinations list = {0};
    text[0] = '\0';
    assert_int_equal(itr_combinations(c, choice, family, &list, &error), ITR_OK);
    for (size_t i = 0; i < list.count; i++) {
        char name[ITR_COMBINATION_TEXT_MAX];
        itr_combination_name(c, &list.items[i], ' ', name);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i > 0 ? " | " : "", name);
    }
    free(list.items);
    return text;
}

static void assert_names(const char *more, enum itr_axes_form form, const char *family, const char *expected) {
    struct itr_case c;
    struct itr_axes_choice choice = {.form = form};
    read_case(&c, more);
    assert_string_equal(names_of(&c, &choice, family), expected);
    if (form == ITR_AXES_BASE) {
        struct itr_combination base;
        char name[ITR_COMBINATION_TEXT_MAX];
        assert_true(itr_combination_base(&c, family, &base));
        itr_combination_name(&c, &base, ' ', name);
        assert_string_equal(name, expected);
    }
    itr_case_release(&c);
}

static const char two_axes[] = "\"axes\": {\"handler\": {\"own\": {}, \"late\": {\"flags\": [\"handlers-after-load\"]}, "
                               "\"none\": {\"flags\": [\"no-handlers\"]}}, \"delivery\": [\"kill\", \"tgkill\"]}";

/* ---- which there are ---- */

static void a_case_without_axes_has_one_combination(void **state) {
    struct itr_case c;
    struct itr_axes_choice choice = {.form = ITR_AXES_ALL};
    struct itr_combinations list = {0};
    (void)state;
    read_case(&c, "\"labels\": []");
    assert_int_equal(itr_combinations(&c, &choice, "linux", &list, &error), ITR_OK);
    assert_int_equal(list.count, 1);
    assert_string_equal(names_of(&c, &choice, "linux"), "");
    free(list.items);
    itr_case_release(&c);
}

static void all_is_the_product_the_last_axis_fastest(void **state) {
    (void)state;
    assert_names(two_axes, ITR_AXES_ALL, "linux",
                 "handler=own delivery=kill | handler=own delivery=tgkill | handler=late delivery=kill | "
                 "handler=late delivery=tgkill | handler=none delivery=kill | handler=none delivery=tgkill");
}

static void quick_varies_one_axis_at_a_time(void **state) {
    (void)state;
    assert_names(two_axes, ITR_AXES_QUICK, "linux",
                 "handler=own delivery=kill | handler=late delivery=kill | handler=none delivery=kill | handler=own delivery=tgkill");
}

static void base_is_the_first_value_of_each(void **state) {
    (void)state;
    assert_names(two_axes, ITR_AXES_BASE, "linux", "handler=own delivery=kill");
}

static void what_is_excluded_is_left_out(void **state) {
    static const char excluding[] = "\"axes\": {\"a\": {\"1\": {}, \"2\": {}}, \"b\": {\"x\": {}, \"y\": {}, \"z\": {}}}, "
                                    "\"exclude\": [{\"a\": \"2\", \"b\": [\"x\", \"z\"]}]";
    (void)state;
    assert_names(excluding, ITR_AXES_ALL, "linux", "a=1 b=x | a=1 b=y | a=1 b=z | a=2 b=y");
    /* a=2 cannot be had with b=x: the nearest that can is taken, so that no value goes untried. */
    assert_names(excluding, ITR_AXES_QUICK, "linux", "a=1 b=x | a=2 b=y | a=1 b=y | a=1 b=z");
}

static void the_base_is_the_first_that_is_not_excluded(void **state) {
    (void)state;
    assert_names("\"axes\": {\"a\": {\"1\": {}, \"2\": {}}, \"b\": {\"x\": {}, \"y\": {}}}, \"exclude\": [{\"a\": \"1\", \"b\": \"x\"}]",
                 ITR_AXES_BASE, "linux", "a=1 b=y");
}

/* Each value shows in the quick form if it shows in any combination, and no combination comes twice. */
static void quick_tries_every_value_once_at_least(void **state) {
    struct itr_case c;
    struct itr_axes_choice quick = {.form = ITR_AXES_QUICK};
    struct itr_axes_choice all = {.form = ITR_AXES_ALL};
    struct itr_combinations some = {0};
    struct itr_combinations every = {0};
    (void)state;
    read_case(&c, "\"axes\": {\"a\": {\"1\": {}, \"2\": {}, \"3\": {}}, \"b\": {\"x\": {}, \"y\": {}, \"z\": {}}, \"c\": {\"p\": {}, "
                  "\"q\": {}}}, \"exclude\": [{\"a\": [\"2\", \"3\"], \"c\": \"p\"}, {\"b\": \"z\", \"a\": \"1\"}, {\"b\": \"y\", \"c\": \"q\"}]");
    assert_int_equal(itr_combinations(&c, &quick, "linux", &some, &error), ITR_OK);
    assert_int_equal(itr_combinations(&c, &all, "linux", &every, &error), ITR_OK);
    for (size_t i = 0; i < every.count; i++) {
        for (size_t a = 0; a < 3; a++) {
            size_t found = 0;
            for (size_t k = 0; k < some.count; k++) {
                found += some.items[k].value[a] == every.items[i].value[a] ? 1 : 0;
            }
            assert_true(found > 0);
        }
    }
    for (size_t i = 0; i < some.count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(&some.items[i], &some.items[k], sizeof some.items[0]);
        }
    }
    assert_true(some.count < every.count);
    free(some.items);
    free(every.items);
    itr_case_release(&c);
}

static void values_of_another_system_are_not_there(void **state) {
    static const char systems[] = "\"axes\": {\"way\": {\"signal\": {\"os\": [\"linux\"]}, \"console\": {\"os\": [\"windows\"]}, \"both\": {}}}";
    (void)state;
    assert_names(systems, ITR_AXES_ALL, "linux", "way=signal | way=both");
    assert_names(systems, ITR_AXES_ALL, "windows", "way=console | way=both");
    assert_names(systems, ITR_AXES_BASE, "windows", "way=console");
}

static void the_product_may_be_as_large_as_the_ceiling(void **state) {
    struct itr_case c;
    struct itr_axes_choice choice = {.form = ITR_AXES_ALL};
    struct itr_combinations list = {0};
    char text[4096] = "\"axes\": {";
    (void)state;
    for (int axis = 0; axis < 2; axis++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"x%d\": {", axis > 0 ? ", " : "", axis);
        for (int i = 0; i < ITR_AXIS_VALUES_MAX; i++) {
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s\"v%d\": {}", i > 0 ? ", " : "", i);
        }
        snprintf(text + strlen(text), sizeof text - strlen(text), "}");
    }
    snprintf(text + strlen(text), sizeof text - strlen(text), "}");
    read_case(&c, text);
    assert_int_equal(itr_combinations(&c, &choice, "linux", &list, &error), ITR_OK);
    assert_int_equal(list.count, ITR_COMBINATIONS_MAX);
    assert_int_equal(list.items[ITR_COMBINATIONS_MAX - 1].value[0], 63);
    assert_int_equal(list.items[ITR_COMBINATIONS_MAX - 1].value[1], 63);
    free(list.items);
    choice.form = ITR_AXES_QUICK;
    assert_int_equal(itr_combinations(&c, &choice, "linux", &list, &error), ITR_OK);
    assert_int_equal(list.count, 1 + 63 + 63);
    free(list.items);
    itr_case_release(&c);
}

/* ---- choosing values ---- */

static void chosen_values_are_kept_and_the_base_follows(void **state) {
    struct itr_case c;
    struct itr_axes_choice choice = {.form = ITR_AXES_QUICK};
    (void)state;
    read_case(&c, two_axes);
    assert_int_equal(itr_axes_choose(&choice.only, &c, "handler=none,late", &error), ITR_OK);
    assert_string_equal(names_of(&c, &choice, "linux"),
                        "handler=late delivery=kill | handler=none delivery=kill | handler=late delivery=tgkill");
    choice.form = ITR_AXES_ALL;
    assert_int_equal(itr_axes_choose(&choice.only, &c, "delivery=tgkill", &error), ITR_OK);
    assert_int_equal(itr_axes_choose(&choice.only, &c, "handler=own", &error), ITR_OK); /* one more */
    assert_string_equal(names_of(&c, &choice, "linux"),
                        "handler=own delivery=tgkill | handler=late delivery=tgkill | handler=none delivery=tgkill");
    itr_case_release(&c);
}

static void assert_no_choice(const struct itr_case *c, const char *text, const char *part) {
    struct itr_axes_where only = {{0}};
    struct itr_error err = {0};
    assert_int_equal(itr_axes_choose(&only, c, text, &err), ITR_E_USAGE);
    assert_int_equal(err.status, ITR_E_USAGE);
    assert_contains(err.text, part);
}

static void what_the_case_has_not_is_refused_with_what_it_has(void **state) {
    struct itr_case c;
    (void)state;
    read_case(&c, two_axes);
    assert_no_choice(&c, "colour=red", "no such axis, but handler, delivery");
    assert_no_choice(&c, "handler=early", "no value \"early\", but own, late, none");
    assert_no_choice(&c, "handler=own,,none", "no value \"\"");
    assert_no_choice(&c, "handler", "expected NAME=VALUE");
    assert_no_choice(&c, "handler=", "expected NAME=VALUE");
    assert_no_choice(&c, "=own", "no such axis");
    assert_no_choice(&c, "handlerhandlerhandlerhandlerhandlerhandlerhandlerhandlerhandler=own", "no such axis");
    assert_no_choice(&c, "handler=ownownownownownownownownownownownownownownownownownownown", "no value");
    itr_case_release(&c);
}

static void values_that_do_not_go_together_leave_none(void **state) {
    struct itr_case c;
    struct itr_axes_choice choice = {.form = ITR_AXES_QUICK};
    (void)state;
    read_case(&c, "\"axes\": {\"a\": {\"1\": {}, \"2\": {}}, \"b\": {\"x\": {}, \"y\": {}}}, \"exclude\": [{\"a\": \"2\", \"b\": \"y\"}]");
    assert_int_equal(itr_axes_choose(&choice.only, &c, "a=2", &error), ITR_OK);
    assert_int_equal(itr_axes_choose(&choice.only, &c, "b=y", &error), ITR_OK);
    assert_string_equal(names_of(&c, &choice, "linux"), "");
    itr_case_release(&c);
}

static void a_value_may_be_of_some_versions_only(void **state) {
    struct itr_case c;
    struct itr_combination first = {{0, 0}};
    struct itr_combination second = {{1, 0}};
    (void)state;
    read_case(&c, "\"axes\": {\"a\": {\"1\": {}, \"2\": {\"go\": \">=1.23\"}}, \"b\": {\"x\": {}}}");
    assert_true(itr_combination_has_go(&c, &first, "go1.19.8"));
    assert_false(itr_combination_has_go(&c, &second, "go1.19.8"));
    assert_true(itr_combination_has_go(&c, &second, "go1.23.5"));
    assert_true(itr_combination_has_go(&c, &second, NULL));
    itr_case_release(&c);
}

/* ---- what they change ---- */

static void changes_are_laid_over_the_case(void **state) {
    struct itr_case c;
    struct itr_combined combined;
    struct itr_combination at = {{1, 1}};
    (void)state;
    read_case(&c, "\"library\": \"minimal\", \"env\": {\"A\": \"1\", \"B\": \"2\"}, \"hold\": \"5ms\", "
                  "\"axes\": {\"one\": {\"base\": {}, \"x\": {\"library\": null, \"handler\": [], \"env\": {\"B\": \"3\", \"C\": \"4\"}}},"
                  "           \"two\": {\"base\": {}, \"y\": {\"event\": \"SIGHUP\", \"hold\": \"0ns\", \"env\": {\"A\": \"5\"}}}}");
    itr_combine(&c, &at, NULL, &combined);
    assert_null(combined.variant.library);
    assert_string_equal(combined.variant.host, "h");
    assert_int_equal(combined.variant.handler_flags, 0);
    assert_int_equal(combined.variant.event, itr_event_of("SIGHUP"));
    assert_int_equal(combined.variant.hold_ns, 0);
    assert_int_equal(combined.variant.environment.count, 3);
    assert_string_equal(combined.variant.environment.items[0], "A=5");
    assert_string_equal(combined.variant.environment.items[1], "B=3");
    assert_string_equal(combined.variant.environment.items[2], "C=4");
    assert_int_equal(combined.by_axes, ITR_SETS_LIBRARY | ITR_SETS_HANDLER | ITR_SETS_EVENT | ITR_SETS_HOLD | ITR_SETS_ENVIRONMENT);
    at = (struct itr_combination){{0, 0}};
    itr_combine(&c, &at, NULL, &combined);
    assert_string_equal(combined.variant.library, "minimal");
    assert_int_equal(combined.variant.handler_flags, ITR_HANDLER_ONSTACK | ITR_HANDLER_RESTART);
    assert_int_equal(combined.variant.environment.count, 2);
    assert_int_equal(combined.by_axes, 0);
    itr_case_release(&c);
}

static void a_control_comes_after_the_axes(void **state) {
    struct itr_case c;
    struct itr_combined combined;
    struct itr_combination at = {{1}};
    (void)state;
    read_case(&c, "\"axes\": {\"event\": [\"SIGUSR1\", \"SIGUSR2\"]}, \"env\": {\"A\": \"1\"}, "
                  "\"controls\": {\"late\": {\"at\": \"init-done\"}, \"silent\": {\"event\": null, \"expect\": \"not-fired\", \"env\": {}, "
                  "\"axes\": true}}");
    itr_combine(&c, &at, itr_case_control(&c, "late"), &combined);
    assert_string_equal(combined.variant.name, "late");
    assert_string_equal(combined.variant.at, "init-done");
    assert_int_equal(combined.variant.event, itr_event_of("SIGUSR2"));
    assert_int_equal(combined.variant.environment.count, 1);
    assert_false(itr_case_control(&c, "late")->on_axes);
    itr_combine(&c, &at, itr_case_control(&c, "silent"), &combined);
    assert_int_equal(combined.variant.event, ITR_EVENT_NONE);
    assert_int_equal(combined.variant.expect, ITR_OUTCOME_NOT_FIRED);
    assert_int_equal(combined.variant.environment.count, 0);
    assert_int_equal(combined.by_axes, 0);
    assert_true(itr_case_control(&c, "silent")->on_axes);
    itr_case_release(&c);
}

static void the_last_expectation_that_holds_counts(void **state) {
    struct itr_case c;
    struct itr_combined combined;
    struct itr_combination at = {{0, 0}};
    (void)state;
    read_case(&c, "\"axes\": {\"a\": {\"1\": {}, \"2\": {}}, \"b\": {\"x\": {}, \"y\": {}}}, \"expectations\": ["
                  "{\"where\": {\"a\": \"2\"}, \"expect\": \"lost\"}, {\"where\": {\"a\": \"2\", \"b\": [\"y\"]}, \"expect\": \"hang\", "
                  "\"note\": \"n\"}], \"controls\": {\"k\": {}, \"none\": {\"expect\": \"not-fired\"}}");
    itr_combine(&c, &at, NULL, &combined);
    assert_int_equal(combined.variant.expect, ITR_OUTCOME_DELIVERED);
    at = (struct itr_combination){{1, 0}};
    itr_combine(&c, &at, NULL, &combined);
    assert_int_equal(combined.variant.expect, ITR_OUTCOME_LOST);
    at = (struct itr_combination){{1, 1}};
    itr_combine(&c, &at, NULL, &combined);
    assert_int_equal(combined.variant.expect, ITR_OUTCOME_HANG);
    itr_combine(&c, &at, itr_case_control(&c, "k"), &combined);
    assert_int_equal(combined.variant.expect, ITR_OUTCOME_HANG);
    itr_combine(&c, &at, itr_case_control(&c, "none"), &combined);
    assert_int_equal(combined.variant.expect, ITR_OUTCOME_NOT_FIRED);
    itr_case_release(&c);
}

static void forms_and_groups_have_names(void **state) {
    (void)state;
    assert_int_equal(itr_axes_form_of("quick"), ITR_AXES_QUICK);
    assert_int_equal(itr_axes_form_of("all"), ITR_AXES_ALL);
    assert_int_equal(itr_axes_form_of("base"), ITR_AXES_BASE);
    assert_int_equal(itr_axes_form_of("every"), -1);
    for (int group = ITR_GROUP_NONE + 1; group < ITR_GROUP_COUNT; group++) {
        assert_int_equal(itr_group_of(itr_group_name(group)), group);
        assert_true(strlen(itr_group_title(group)) > 0);
    }
    assert_int_equal(itr_group_of("none"), -1);
    assert_string_equal(itr_group_title(ITR_GROUP_COUNT), "Other cases");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_without_axes_has_one_combination),
        cmocka_unit_test(all_is_the_product_the_last_axis_fastest),
        cmocka_unit_test(quick_varies_one_axis_at_a_time),
        cmocka_unit_test(base_is_the_first_value_of_each),
        cmocka_unit_test(what_is_excluded_is_left_out),
        cmocka_unit_test(the_base_is_the_first_that_is_not_excluded),
        cmocka_unit_test(quick_tries_every_value_once_at_least),
        cmocka_unit_test(values_of_another_system_are_not_there),
        cmocka_unit_test(the_product_may_be_as_large_as_the_ceiling),
        cmocka_unit_test(chosen_values_are_kept_and_the_base_follows),
        cmocka_unit_test(what_the_case_has_not_is_refused_with_what_it_has),
        cmocka_unit_test(values_that_do_not_go_together_leave_none),
        cmocka_unit_test(a_value_may_be_of_some_versions_only),
        cmocka_unit_test(changes_are_laid_over_the_case),
        cmocka_unit_test(a_control_comes_after_the_axes),
        cmocka_unit_test(the_last_expectation_that_holds_counts),
        cmocka_unit_test(forms_and_groups_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
