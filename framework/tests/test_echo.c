/* Unit tests of echo.c: which lines are passed on, once, whole and escaped. */
#include "framework/echo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct itr_capture capture;
static struct itr_echo echo;
static struct itr_text out;

static int set_up(void **state) {
    (void)state;
    capture = (struct itr_capture){0};
    echo = (struct itr_echo){.marker = ITR_ECHO_BISECT_MATCH};
    out = (struct itr_text){.ceiling = 16u << 20};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_capture_release(&capture);
    itr_echo_release(&echo);
    itr_text_release(&out);
    return 0;
}

static void feed(const char *text) {
    itr_capture_feed(&capture, text, strlen(text));
}

static void take(const char *text, const char *expected) {
    itr_capture_reset(&capture);
    itr_text_reset(&out);
    feed(text);
    itr_echo_take(&echo, &capture, &out);
    assert_string_equal(itr_text_string(&out), expected);
}

static void marked_lines_are_passed_on_once(void **state) {
    (void)state;
    take("", "");
    take("one\n[bisect-match 0x12] a.go:3\nthree\n\tb.go:4 [bisect-match 0x13]\n",
         "[bisect-match 0x12] a.go:3\n\tb.go:4 [bisect-match 0x13]\n");
    take("[bisect-match 0x12] a.go:3\n[bisect-match 0x14] c.go:1", "[bisect-match 0x14] c.go:1\n");
    take("[bisect-match 0x15]\r\n[bisect-match 0", "[bisect-match 0x15]\n");
    take("[bisect-[bisect-match 0x16]", "[bisect-[bisect-match 0x16]\n");
}

static void what_could_harm_a_terminal_is_escaped(void **state) {
    (void)state;
    take("\033[2J[bisect-match 0x12]\n", "\\x1b[2J[bisect-match 0x12]\n");
}

static void a_long_line_is_cut(void **state) {
    static char line[3 * ITR_ECHO_LINE_BYTES_MAX];
    (void)state;
    memset(line, 'x', sizeof line - 1);
    memcpy(line, "[bisect-match 0x12]", 19);
    feed(line);
    itr_echo_take(&echo, &capture, &out);
    assert_int_equal(out.length, ITR_ECHO_LINE_BYTES_MAX + 1);
}

/* A line that lies across head and tail is one; where the middle was not kept there is none at its edges. */
static void the_kept_ends_are_one_stream_or_two(void **state) {
    static char filler[ITR_CAPTURE_HEAD_BYTES - 8];
    static char flood[4 * ITR_CAPTURE_TAIL_BYTES];
    (void)state;
    memset(filler, '\n', sizeof filler);
    itr_capture_feed(&capture, filler, sizeof filler);
    feed("[bisect-match 0x12]\nend\n");
    itr_echo_take(&echo, &capture, &out);
    assert_string_equal(itr_text_string(&out), "[bisect-match 0x12]\n");

    itr_capture_reset(&capture);
    itr_text_reset(&out);
    memset(flood, 'y', sizeof flood);
    feed("[bisect-match 0x13] whole\n[bisect-match 0x14] cut ");
    itr_capture_feed(&capture, flood, sizeof flood);
    feed(" of [bisect-match 0x15]\n[bisect-match 0x16] last");
    itr_echo_take(&echo, &capture, &out);
    assert_string_equal(itr_text_string(&out), "[bisect-match 0x13] whole\n[bisect-match 0x16] last\n");
}

static void there_is_a_ceiling_and_it_is_said(void **state) {
    char line[64];
    (void)state;
    for (unsigned i = 0; i < ITR_ECHO_LINES_MAX + 10u; i++) {
        itr_capture_reset(&capture);
        snprintf(line, sizeof line, "[bisect-match 0x%x]\n", i);
        feed(line);
        itr_echo_take(&echo, &capture, &out);
    }
    size_t lines = 0;
    for (size_t i = 0; i < out.length; i++) {
        lines += out.data[i] == '\n' ? 1 : 0;
    }
    assert_int_equal(lines, ITR_ECHO_LINES_MAX + 1);
    assert_non_null(strstr(itr_text_string(&out), "initrace: there may be more than 16384 different lines"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(marked_lines_are_passed_on_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_could_harm_a_terminal_is_escaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_long_line_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kept_ends_are_one_stream_or_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(there_is_a_ceiling_and_it_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("echo", tests, NULL, NULL);
}
