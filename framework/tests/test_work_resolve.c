/* Unit tests of work_resolve.c: symbols of fire points and watched variables in a small library, and what is said
 * where they cannot be found. Nothing is run. */
#include "framework/work.h"

#include "framework/tests/tiny_image.h"

#include <stdio.h>

static const uint8_t text[0x80];
static const struct tiny_symbol symbols[] = {
    {"main.start", 0x1000, 0x20}, {"main.stop", 0x1020, 0x60}, {"main.byte", 0x1400, 1},
    {"main.word", 0x1404, 4},     {"main.many", 0x1410, 40},   {"main.odd", 0x1446, 8},
};

static struct itr_image *image; /* the work's */
static struct itr_work work;
static struct itr_cell cell;
static struct itr_error err;

static int set_up(void **state) {
    (void)state;
    memset(&work, 0, sizeof work);
    memset(&cell, 0, sizeof cell);
    memset(&err, 0, sizeof err);
    work.library_image = image = tiny_image(text, sizeof text, symbols, sizeof symbols / sizeof symbols[0]);
    snprintf(work.library_name, sizeof work.library_name, "tiny");
    cell.debugged = true;
    cell.aim.event = ITR_EVENT_SIGUSR1;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_image_close(image);
    return 0;
}

static enum itr_status resolve_point(const char *point) {
    assert_int_equal(itr_point_parse(point, &cell.aim.point, NULL), ITR_OK);
    snprintf(cell.at, sizeof cell.at, "%s", point);
    return itr_work_resolve(&work, &cell, &err);
}

static void assert_point(const char *point, uint64_t rva) {
    assert_int_equal(resolve_point(point), ITR_OK);
    assert_string_equal(cell.skip, "");
    assert_int_equal(cell.aim.point.rva, rva);
}

static void assert_skip(const char *point, const char *why) {
    assert_int_equal(resolve_point(point), ITR_OK); /* no error: another library may have it */
    assert_string_equal(cell.skip, why);
}

/* ---- points ---- */

static void a_point_is_a_symbol_and_an_offset(void **state) {
    (void)state;
    assert_point("main.start", 0x1000);
    assert_point("main.start+0x1f", 0x101f);
    assert_point("main.none|main.stop+4", 0x1024);
    assert_point("main.st*", 0x1000);
    assert_point("+0x1024", 0x1024); /* from the library's base */
    assert_point("main.stop#3@init", 0x1020);
    assert_int_equal(cell.aim.point.nth, 3);
    assert_int_equal(cell.aim.point.role, ITR_ROLE_INIT);
}

static void what_the_library_does_not_have_is_skipped(void **state) {
    (void)state;
    assert_skip("main.none", "no symbol main.none in tiny (points are also time, PHASE[+TIME] and CALL#N)");
    assert_skip("main.start+0x20", "main.start+0x20 lies behind the end of that function in tiny");
    assert_skip("main.word", "main.word is no code of tiny");
    assert_skip("+0x1404", "+0x1404 is no code of tiny");
    assert_skip("+0x99999", "+0x99999 is no code of tiny");
    assert_point("main.start", 0x1000); /* and the text goes again */
}

static void no_symbols_are_no_error_either(void **state) {
    (void)state;
    work.library_image = NULL;
    assert_skip("main.start", "main.start needs a library with symbols");
    work.library_image = image;
}

static void nothing_is_asked_for_where_nothing_is_debugged(void **state) {
    (void)state;
    cell.debugged = false;
    snprintf(cell.watch, sizeof cell.watch, "main.none");
    assert_int_equal(resolve_point("main.none"), ITR_OK);
    assert_string_equal(cell.skip, "");
    cell.debugged = true;
    cell.watch[0] = '\0';
    cell.aim.event = ITR_EVENT_NONE; /* a point without a shot is not armed */
    assert_int_equal(resolve_point("main.none"), ITR_OK);
    assert_string_equal(cell.skip, "");
}

/* ---- gates ---- */

/* The library anew, with some bytes of its text changed. */
static void patch(uint64_t rva, const char *bytes, size_t count) {
    static uint8_t patched[sizeof text];
    memcpy(patched, text, sizeof text);
    memcpy(patched + (rva - 0x1000), bytes, count);
    itr_image_close(image);
    work.library_image = image = tiny_image(patched, sizeof patched, symbols, sizeof symbols / sizeof symbols[0]);
}

static void be_gate(void) {
    cell.debugged = false;
    cell.aim.gate = true;
}

/* The text is zeros: instructions of 2 bytes. */
static void a_gate_may_be_at_an_instruction_that_has_room(void **state) {
    (void)state;
    be_gate();
    assert_point("main.start", 0x1000);
    assert_point("main.start+0xa", 0x100a); /* the last one of an aligned word */
    assert_point("main.start+0x1a@init", 0x101a);
    assert_point("main.stop+0x1a", 0x103a);
    assert_point("+0x1024", 0x1024); /* its function is known */
}

static void a_gate_lies_within_one_function_and_one_word(void **state) {
    (void)state;
    be_gate();
    assert_skip("main.start+0x1c", "no gate at main.start+0x1c: its 5 bytes do not fit into one function of tiny; leave --gate out");
    assert_skip("main.start+0xc",
                "no gate at main.start+0xc: its 5 bytes lie across two aligned words of 16 in tiny; leave --gate out");
    assert_skip("main.start+3", "no gate at main.start+3: no instruction of tiny begins there; expected another OFFSET");
    assert_skip("main.none", "no symbol main.none in tiny (points are also time, PHASE[+TIME] and CALL#N)");
    patch(0x1010, "\x06", 1); /* no instruction in 64-bit mode */
    assert_skip("main.start",
                "no gate at main.start: its function in tiny cannot be read as instructions; leave --gate out");
    assert_point("main.stop", 0x1020); /* which is another function */
}

static void a_gate_is_entered_at_its_first_byte_only(void **state) {
    static const char why[] = "no gate at main.start: its function in tiny may jump into the midst of it; leave --gate out";
    (void)state;
    be_gate();
    patch(0x1010, "\xeb\xee", 2); /* jmp 0x1000: a loop over the gate itself is none of its concern */
    assert_point("main.start", 0x1000);
    patch(0x1010, "\xeb\xf0", 2); /* jmp 0x1002 */
    assert_skip("main.start", why);
    patch(0x1010, "\x75\xf2", 2); /* jne 0x1004 */
    assert_skip("main.start", why);
    patch(0x1010, "\x75\xf3", 2); /* jne 0x1005: behind it */
    assert_point("main.start", 0x1000);
    patch(0x1010, "\xe8\xef\xff\xff\xff\x90", 6); /* call 0x1004 */
    assert_skip("main.start", why);
    patch(0x1010, "\xff\xe0", 2); /* jmp *%rax: not into its own function's beginning */
    assert_point("main.start", 0x1000);
    assert_skip("main.start+4", "no gate at main.start+4: its function in tiny may jump into the midst of it; leave --gate out");
    cell.debugged = true; /* and the debugger does not mind */
    cell.aim.gate = false;
    assert_point("main.start+4", 0x1004);
}

/* ---- watches ---- */

static enum itr_status resolve_watch(const char *watch) {
    cell.aim.point = (struct itr_point){.kind = ITR_POINT_TIME};
    snprintf(cell.watch, sizeof cell.watch, "%s", watch);
    return itr_work_resolve(&work, &cell, &err);
}

static void assert_watch(const char *watch, uint64_t address, unsigned bytes, bool absolute, const char *name) {
    if (resolve_watch(watch) != ITR_OK) {
        fail_msg("%s: %s", watch, err.text);
    }
    assert_string_equal(cell.skip, "");
    assert_int_equal(work.debug.watch_count, 1);
    assert_int_equal(work.debug.watches[0].address, address);
    assert_int_equal(work.debug.watches[0].bytes, bytes);
    assert_int_equal(work.debug.watches[0].absolute, absolute);
    assert_string_equal(work.watch_names[0], name);
}

static void a_variable_is_watched_as_large_as_it_is(void **state) {
    (void)state;
    assert_watch("main.byte", 0x1400, 1, false, "main.byte");
    assert_watch("main.word", 0x1404, 4, false, "main.word");
    assert_watch("main.many", 0x1410, 8, false, "main.many"); /* the first 8 */
    assert_watch("main.many+8", 0x1418, 8, false, "main.many+8");
}

static void a_size_may_be_given(void **state) {
    (void)state;
    assert_watch("main.word:2", 0x1404, 2, false, "main.word");
    assert_watch("main.many+2:2", 0x1412, 2, false, "main.many+2");
    assert_watch("main.odd:2", 0x1446, 2, false, "main.odd");
    assert_watch("+0x1408:8", 0x1408, 8, false, "+0x1408");
}

static void an_address_may_be_absolute(void **state) {
    (void)state;
    assert_watch("0x7f0000001000", UINT64_C(0x7f0000001000), 8, true, "0x7f0000001000");
    assert_watch("0x601001:1", 0x601001, 1, true, "0x601001");
}

static void assert_refused(const char *watch, const char *why) {
    if (resolve_watch(watch) != ITR_E_USAGE) {
        fail_msg("%s was taken", watch);
    }
    assert_non_null(strstr(err.text, why));
}

static void what_cannot_be_watched_is_refused(void **state) {
    (void)state;
    assert_refused("main.odd", "no multiple of 8");
    assert_refused("main.word:8", "no multiple of 8");
    assert_refused("0x601001:2", "no multiple of 2");
    assert_refused("main.many+1:4", "no multiple of 4");
    assert_refused("0xzz", "0xADDRESS");
    assert_refused("time", "expected SYMBOL");
}

static void a_variable_that_is_not_there_is_skipped(void **state) {
    (void)state;
    assert_int_equal(resolve_watch("main.none:4"), ITR_OK);
    assert_string_equal(cell.skip, "no variable main.none in tiny");
    assert_int_equal(resolve_watch("main.word:3"), ITR_OK); /* names may have colons: this is one */
    assert_string_equal(cell.skip, "no variable main.word:3 in tiny");
}

static void two_variables_are_watched_and_no_more(void **state) {
    (void)state;
    assert_int_equal(resolve_watch("main.word\nmain.byte"), ITR_OK);
    assert_int_equal(work.debug.watch_count, 2);
    assert_int_equal(work.debug.watches[1].address, 0x1400);
    assert_string_equal(work.watch_names[1], "main.byte");
    assert_int_equal(resolve_watch("main.word\nmain.byte\nmain.many"), ITR_E_LIMIT);
}

int main(void) {
#define RESOLVE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        RESOLVE_TEST(a_point_is_a_symbol_and_an_offset),
        RESOLVE_TEST(what_the_library_does_not_have_is_skipped),
        RESOLVE_TEST(no_symbols_are_no_error_either),
        RESOLVE_TEST(nothing_is_asked_for_where_nothing_is_debugged),
        RESOLVE_TEST(a_gate_may_be_at_an_instruction_that_has_room),
        RESOLVE_TEST(a_gate_lies_within_one_function_and_one_word),
        RESOLVE_TEST(a_gate_is_entered_at_its_first_byte_only),
        RESOLVE_TEST(a_variable_is_watched_as_large_as_it_is),
        RESOLVE_TEST(a_size_may_be_given),
        RESOLVE_TEST(an_address_may_be_absolute),
        RESOLVE_TEST(what_cannot_be_watched_is_refused),
        RESOLVE_TEST(a_variable_that_is_not_there_is_skipped),
        RESOLVE_TEST(two_variables_are_watched_and_no_more),
    };
    return cmocka_run_group_tests_name("work_resolve", tests, NULL, NULL);
}
