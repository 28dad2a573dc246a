/* Unit tests of event.c, outcome.c and error.c: every spelling round trips, numbers that are part of formats
 * stay, errors are filled as promised. */
#include "framework/error.h"
#include "framework/event.h"
#include "framework/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct set {
    const char *what;
    uint32_t count;
    const char *(*name)(uint32_t value);
    int (*of)(const char *name);
};

static const struct set sets[] = {
    {"event", ITR_EVENT_COUNT, itr_event_name, itr_event_of},
    {"delivery", ITR_DELIVERY_COUNT, itr_delivery_name, itr_delivery_of},
    {"target", ITR_TARGET_COUNT, itr_target_name, itr_target_of},
    {"phase", ITR_PHASE_COUNT, itr_phase_name, itr_phase_of},
    {"call", ITR_CALL_COUNT, itr_call_name, itr_call_of},
    {"outcome", ITR_OUTCOME_COUNT, itr_outcome_name, itr_outcome_of},
};

static void spellings_round_trip(void **state) {
    (void)state;
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        for (uint32_t i = 0; i < sets[s].count; i++) {
            const char *name = sets[s].name(i);
            if (sets[s].of(name) != (int)i || strcmp(name, "unknown") == 0) {
                fail_msg("%s %u is spelled \"%s\", which is read as %d", sets[s].what, i, name,
                         sets[s].of(name));
            }
        }
    }
}

static void what_is_outside_a_set_is_unknown(void **state) {
    static const char *const words[] = {"",        "unknown", "sigint",   "SIGINT ",
                                        " SIGINT", "SIGKILL", "DELIVERED"};
    (void)state;
    for (size_t s = 0; s < sizeof sets / sizeof sets[0]; s++) {
        assert_string_equal(sets[s].name(sets[s].count), "unknown");
        assert_string_equal(sets[s].name(UINT32_MAX), "unknown");
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            assert_int_equal(sets[s].of(words[i]), -1);
        }
    }
}

/* They stand in ledgers and records: never reordered. */
static void numbers_of_formats_stay(void **state) {
    (void)state;
    assert_int_equal(itr_event_of("none"), 0);
    assert_int_equal(itr_event_of("SIGHUP"), 1);
    assert_int_equal(itr_event_of("SIGPIPE"), 12);
    assert_int_equal(itr_event_of("SIGURG"), 20);
    assert_int_equal(itr_event_of("SIGSYS"), 28);
    assert_int_equal(itr_event_of("CTRL_C"), 29);
    assert_int_equal(itr_event_of("CTRL_SHUTDOWN"), 33);
    assert_int_equal(itr_delivery_of("kill"), 1);
    assert_int_equal(itr_delivery_of("ctrl-routine"), 6);
    assert_int_equal(itr_target_of("process"), 0);
    assert_int_equal(itr_target_of("init"), 3);
    assert_int_equal(itr_phase_of("host-started"), 0);
    assert_int_equal(itr_phase_of("init-done"), 5);
    assert_int_equal(itr_phase_of("finished"), 7);
    assert_int_equal(itr_call_of("pthread_create"), 1);
    assert_int_equal(itr_call_of("CreateThread"), 3);
}

static void outcomes_stand_gravest_first(void **state) {
    static const char *const order[] = {"tool-error", "ledger-damaged", "garbage",    "crash",
                                        "fatal",      "hang",           "check-failed", "wrong-exit",
                                        "lost",       "not-fired",      "passed",       "delivered"};
    (void)state;
    assert_int_equal(sizeof order / sizeof order[0], ITR_OUTCOME_COUNT);
    for (uint32_t i = 0; i < ITR_OUTCOME_COUNT; i++) {
        assert_string_equal(itr_outcome_name(i), order[i]);
    }
}

static void exception_codes_have_their_names(void **state) {
    (void)state;
    assert_string_equal(itr_exception_name(0xC0000005), "ACCESS_VIOLATION");
    assert_string_equal(itr_exception_name(0x80000003), "BREAKPOINT");
    assert_string_equal(itr_exception_name(0xC00000FD), "STACK_OVERFLOW");
    assert_string_equal(itr_exception_name(0x40010005), "DBG_CONTROL_C");
    assert_null(itr_exception_name(0));
    assert_null(itr_exception_name(0xC0000006 + 1));
}

static void every_status_has_its_name(void **state) {
    (void)state;
    assert_string_equal(itr_status_name(ITR_OK), "ok");
    assert_string_equal(itr_status_name(ITR_E_USAGE), "usage");
    assert_string_equal(itr_status_name(ITR_E_NO_MEMORY), "no-memory");
    assert_string_equal(itr_status_name((enum itr_status)999), "unknown");
}

static void a_failure_fills_the_error_and_returns_its_status(void **state) {
    struct itr_error err = {0};
    (void)state;
    assert_int_equal(itr_fail(&err, ITR_E_SYSTEM, 13, "cannot open %s: %d", "x", 42), ITR_E_SYSTEM);
    assert_int_equal(err.status, ITR_E_SYSTEM);
    assert_int_equal(err.os_code, 13);
    assert_string_equal(err.text, "cannot open x: 42");
    assert_int_equal(itr_fail(NULL, ITR_E_LIMIT, 0, "nobody listens"), ITR_E_LIMIT);
}

static void long_texts_are_cut_and_end(void **state) {
    struct itr_error err = {0};
    char text[2000];
    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    (void)itr_fail(&err, ITR_E_LIMIT, 0, "%s", text);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(itr_fail_context(&err, "%s", text), ITR_E_LIMIT);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

static void context_goes_in_front(void **state) {
    struct itr_error err = {0};
    (void)state;
    (void)itr_fail(&err, ITR_E_FORMAT, 5, "line 3");
    assert_int_equal(itr_fail_context(&err, "reading %s", "a.json"), ITR_E_FORMAT);
    assert_string_equal(err.text, "reading a.json: line 3");
    assert_int_equal(err.os_code, 5);
    assert_int_not_equal(itr_fail_context(NULL, "no error to add to"), ITR_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_round_trip),
        cmocka_unit_test(what_is_outside_a_set_is_unknown),
        cmocka_unit_test(numbers_of_formats_stay),
        cmocka_unit_test(outcomes_stand_gravest_first),
        cmocka_unit_test(exception_codes_have_their_names),
        cmocka_unit_test(every_status_has_its_name),
        cmocka_unit_test(a_failure_fills_the_error_and_returns_its_status),
        cmocka_unit_test(long_texts_are_cut_and_end),
        cmocka_unit_test(context_goes_in_front),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
