/* Unit tests of point.c: every spelling of a fire point and of a length of time, and what is none. */
#include "framework/point.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void lengths_of_time_have_a_unit(void **state) {
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"0ns", 0},
        {"80ns", 80},
        {"200us", 200000},
        {"1.5ms", 1500000},
        {"0.25us", 250},
        {"10s", UINT64_C(10000000000)},
        {"5m", UINT64_C(300000000000)},
        {"2h", UINT64_C(7200000000000)},
        {"1e3us", 1000000},
        {"0.4ns", 0},
        {"0.6ns", 1},
    };
    static const char *const bad[] = {"",      "1",      "ms",     "1 ms",  " 1ms",  "+1ms",
                                      "-1ms",  "1msx",   "1ms ",   "1,5ms", "0x1ms", "inf",
                                      "infms", "nan",    "1d",     "1MS",   "1e",    ".5ms",
                                      "9e18s", "1e400s", "1.5.5s", "1µs"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t ns = 99;
        if (!itr_duration_parse(good[i].text, &ns) || ns != good[i].ns) {
            fail_msg("\"%s\" gave %.0f", good[i].text, (double)ns);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t ns = 99;
        if (itr_duration_parse(bad[i], &ns) || ns != 99) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void time_is_uniform_after_load_begin(void **state) {
    struct itr_point point = {0};
    (void)state;
    assert_int_equal(itr_point_parse("time", &point, NULL), ITR_OK);
    assert_int_equal(point.kind, ITR_POINT_TIME);
    assert_int_equal(point.phase, ITR_PHASE_LOAD_BEGIN);
    assert_int_equal(point.offset_ns, 0);
}

/* Before load-begin no shot is armed, after waiting nobody is there to hear it. */
static void phases_from_the_load_to_the_wait_are_points(void **state) {
    (void)state;
    for (uint32_t phase = 0; phase < ITR_PHASE_COUNT; phase++) {
        char text[64];
        struct itr_error err = {0};
        struct itr_point point = {0};
        bool is_point = phase >= ITR_PHASE_LOAD_BEGIN && phase <= ITR_PHASE_WAITING;
        enum itr_status expected = is_point ? ITR_OK : ITR_E_USAGE;
        assert_int_equal(itr_point_parse(itr_phase_name(phase), &point, &err), expected);
        snprintf(text, sizeof text, "%s+1.5ms", itr_phase_name(phase));
        assert_int_equal(itr_point_parse(text, &point, &err), expected);
        if (is_point) {
            assert_int_equal(point.kind, ITR_POINT_PHASE);
            assert_int_equal(point.phase, phase);
            assert_int_equal(point.offset_ns, 1500000);
            assert_int_equal(err.status, ITR_OK);
        }
    }
}

static void calls_are_counted_from_one(void **state) {
    (void)state;
    for (uint32_t call = ITR_CALL_NONE + 1; call < ITR_CALL_COUNT; call++) {
        char text[64];
        struct itr_point point = {0};
        snprintf(text, sizeof text, "%s#17", itr_call_name(call));
        assert_int_equal(itr_point_parse(text, &point, NULL), ITR_OK);
        assert_int_equal(point.kind, ITR_POINT_CALL);
        assert_int_equal(point.call, call);
        assert_int_equal(point.nth, 17);
    }
}

static void the_bounds_of_a_call_s_number_are_points(void **state) {
    static const uint32_t numbers[] = {1, 9, 10, 1000000};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char text[64];
        struct itr_point point = {0};
        snprintf(text, sizeof text, "CreateThread#%u", (unsigned)numbers[i]);
        assert_int_equal(itr_point_parse(text, &point, NULL), ITR_OK);
        assert_int_equal(point.nth, numbers[i]);
    }
}

static void symbols_have_offset_occurrence_and_thread(void **state) {
    static const struct {
        const char *text;
        const char *symbol;
        uint64_t offset;
        uint32_t nth;
        enum itr_role role;
    } good[] = {
        {"runtime.main", "runtime.main", 0, 1, ITR_ROLE_ANY},
        {"runtime.initsig+0x1c", "runtime.initsig", 0x1c, 1, ITR_ROLE_ANY},
        {"runtime.initsig+28#2@init", "runtime.initsig", 28, 2, ITR_ROLE_INIT},
        {"runtime.doInit1|runtime.doInit*@main", "runtime.doInit1|runtime.doInit*", 0, 1, ITR_ROLE_MAIN},
        {"runtime.(*mheap).alloc#3@any", "runtime.(*mheap).alloc", 0, 3, ITR_ROLE_ANY},
        {"memcpy@GLIBC_2.2.5", "memcpy@GLIBC_2.2.5", 0, 1, ITR_ROLE_ANY},
        {"+0x5a3f0", "", 0x5a3f0, 1, ITR_ROLE_ANY},
        {"pthread_create#2@init", "", 0, 0, ITR_ROLE_ANY}, /* a hooked call knows no threads: refused */
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct itr_point point = {0};
        enum itr_status status = itr_point_parse(good[i].text, &point, NULL);
        if (good[i].nth == 0) {
            assert_int_equal(status, ITR_E_USAGE);
            continue;
        }
        assert_int_equal(status, ITR_OK);
        assert_int_equal(point.kind, ITR_POINT_SYMBOL);
        assert_string_equal(point.symbol, good[i].symbol);
        assert_int_equal(point.offset, good[i].offset);
        assert_int_equal(point.nth, good[i].nth);
        assert_int_equal(point.role, good[i].role);
    }
}

static void what_is_no_point_is_told_with_what_was_expected(void **state) {
    static const char *const bad[] = {
        "",
        "time+1ms",
        "load-begin+",
        "load-begin+1",
        "load-begin+-1ms",
        "load-begin +1ms",
        "+1ms",
        "none#1",
        "pthread_create",
        "pthread_create#",
        "pthread_create#0",
        "pthread_create#-1",
        "pthread_create#+1",
        "pthread_create# 1",
        "pthread_create#1x",
        "pthread_create#1000001",
        "pthread_create#99999999999999999999",
        "pthread_create#1#2",
        "#1",
        "a b",
        "Time",
        "W1",
        "load-begin-1ms",
        "runtime.main+",
        "runtime.main+0x",
        "runtime.main+1ms",
        "runtime.main+-1",
        "runtime.main#0@init",
        "runtime.main#x",
        "runtime.main+0x100000000",
        "@init",
        "+0x10#",
        "a-very-long-name-that-is-longer-than-any-buffer-in-the-parser-could-be-expected-to-hold-"
        "a-very-long-name-that-is-longer-than-any-buffer-in-the-parser-could-be-expected-to-hold",
        "a-very-long-name-that-is-longer-than-any-buffer-in-the-parser-could-be-expected-to-hold-"
        "a-very-long-name-that-is-longer-than-any-buffer-in-the-parser-could-be-expected-to-hold#1",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct itr_error err = {0};
        struct itr_point point = {.nth = 7};
        if (itr_point_parse(bad[i], &point, &err) != ITR_E_USAGE) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_int_equal(err.status, ITR_E_USAGE);
        assert_non_null(strstr(err.text, bad[i]));
        assert_non_null(strstr(err.text, "expected time, PHASE[+TIME]"));
        assert_int_equal(point.nth, 7); /* untouched */
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_of_time_have_a_unit),
        cmocka_unit_test(time_is_uniform_after_load_begin),
        cmocka_unit_test(phases_from_the_load_to_the_wait_are_points),
        cmocka_unit_test(calls_are_counted_from_one),
        cmocka_unit_test(the_bounds_of_a_call_s_number_are_points),
        cmocka_unit_test(symbols_have_offset_occurrence_and_thread),
        cmocka_unit_test(what_is_no_point_is_told_with_what_was_expected),
    };
    return cmocka_run_group_tests_name("point", tests, NULL, NULL);
}
