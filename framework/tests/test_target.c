/* Unit tests of target.c: reads at the edges of memory, look-ups among modules, names that are untrusted. */
#include "framework/target.h"
#include "framework/tests/tiny_process.h"

#include <stdio.h>

static int set_up(void **state) {
    (void)state;
    tp_begin();
    tp_symbol("first", TP_C_TEXT, 0x20);
    tp_symbol("sec\x1bond", TP_C_TEXT + 0x20, 0x20);
    tp_finish();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tp_end();
    return 0;
}

static void reads_are_whole_or_none(void **state) {
    uint64_t end = TP_STACK + TP_STACK_BYTES;
    uint64_t word = 5;
    uint32_t half = 5;
    uint8_t byte = 5;
    (void)state;
    tp_word(end - 8, 0x1122334455667788);
    assert_true(itr_target_read_u64(&tp_process, end - 8, &word));
    assert_true(word == 0x1122334455667788);
    assert_false(itr_target_read_u64(&tp_process, end - 4, &word));
    assert_true(word == 0x1122334455667788);
    assert_true(itr_target_read_u32(&tp_process, end - 4, &half));
    assert_int_equal(half, 0x11223344);
    assert_true(itr_target_read_u8(&tp_process, end - 1, &byte));
    assert_int_equal(byte, 0x11);
    assert_false(itr_target_read_u8(&tp_process, end, &byte));
    assert_false(itr_target_read_u64(&tp_process, UINT64_MAX - 3, &word)); /* around the end of everything */
    struct itr_target_process none = {0};
    assert_false(itr_target_read_u8(&none, end - 1, &byte));
}

static void strings_end_with_their_memory(void **state) {
    char out[16];
    uint64_t end = TP_STACK + TP_STACK_BYTES;
    (void)state;
    memcpy(tp_stack, "hello", 6);
    assert_true(itr_target_read_string(&tp_process, TP_STACK, out, sizeof out));
    assert_string_equal(out, "hello");
    assert_false(itr_target_read_string(&tp_process, TP_STACK, out, 4));
    assert_string_equal(out, "hel");
    memcpy(tp_stack + TP_STACK_BYTES - 3, "abc", 3);
    assert_false(itr_target_read_string(&tp_process, end - 3, out, sizeof out));
    assert_string_equal(out, "abc");
    assert_false(itr_target_read_string(&tp_process, 0x10, out, sizeof out));
    assert_string_equal(out, "");
}

static void modules_are_found_by_address(void **state) {
    struct itr_target_module modules[] = {{.path = "/a", .base = 0x1000, .bytes = 0x1000},
                                          {.path = "C:\\b.dll", .base = 0x3000, .bytes = 0x1000}};
    struct itr_target_process process = {.modules = modules, .module_count = 2};
    (void)state;
    assert_null(itr_target_module_at(&process, 0xfff));
    assert_ptr_equal(itr_target_module_at(&process, 0x1000), &modules[0]);
    assert_ptr_equal(itr_target_module_at(&process, 0x1fff), &modules[0]);
    assert_null(itr_target_module_at(&process, 0x2000));
    assert_ptr_equal(itr_target_module_at(&process, 0x3fff), &modules[1]);
    assert_null(itr_target_module_at(&process, 0x4000));
    assert_string_equal(itr_target_module_name(&modules[0]), "a");
    assert_string_equal(itr_target_module_name(&modules[1]), "b.dll");
}

static void code_is_where_the_ranges_say(void **state) {
    struct itr_target_range ranges[] = {{.begin = TP_BASE, .end = TP_BASE + 0x1000, .readable = true},
                                        {.begin = TP_BASE + 0x1000, .end = TP_BASE + 0x1900, .executable = true}};
    (void)state;
    assert_true(itr_target_is_code(&tp_process, TP_BASE + TP_C_TEXT + 0x200)); /* by the image's sections */
    assert_false(itr_target_is_code(&tp_process, TP_BASE + TP_DATA));
    tp_module.ranges = ranges;
    tp_module.range_count = 2;
    assert_false(itr_target_is_code(&tp_process, TP_BASE + 0xfff));
    assert_true(itr_target_is_code(&tp_process, TP_BASE + 0x1000));
    assert_false(itr_target_is_code(&tp_process, TP_BASE + TP_C_TEXT + 0x200));
}

static void places_are_described_harmlessly(void **state) {
    char out[64];
    char small[12];
    uint64_t at = TP_BASE + TP_C_TEXT;
    (void)state;
    itr_target_describe(&tp_process, at, at, out, sizeof out);
    assert_string_equal(out, "tiny.so!first");
    itr_target_describe(&tp_process, at + 0x20, at + 0x1f, out, sizeof out); /* behind a call at its end */
    assert_string_equal(out, "tiny.so!first+0x20");
    itr_target_describe(&tp_process, at + 0x24, at + 0x24, out, sizeof out);
    assert_string_equal(out, "tiny.so!sec\\x1bond+0x4");
    itr_target_describe(&tp_process, at + 0x24, at + 0x24, small, sizeof small);
    assert_string_equal(small, "tiny.so!sec");
    itr_target_describe(&tp_process, at + 0x200, at + 0x200, out, sizeof out);
    assert_string_equal(out, "tiny.so+0x1a00");
    itr_target_describe(&tp_process, 0x123, 0x123, out, sizeof out);
    assert_string_equal(out, "0x123");
    itr_target_describe(&tp_process, 0x123, 0x123, out, 1);
    assert_string_equal(out, "");
}

static void registers_have_their_names(void **state) {
    (void)state;
    assert_string_equal(itr_register_name(ITR_REGISTER_RAX), "rax");
    assert_string_equal(itr_register_name(ITR_REGISTER_GS_BASE), "gs_base");
    assert_string_equal(itr_register_name(ITR_REGISTER_COUNT), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_are_whole_or_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(strings_end_with_their_memory, set_up, tear_down),
        cmocka_unit_test(modules_are_found_by_address),
        cmocka_unit_test_setup_teardown(code_is_where_the_ranges_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(places_are_described_harmlessly, set_up, tear_down),
        cmocka_unit_test(registers_have_their_names),
    };
    return cmocka_run_group_tests_name("target", tests, NULL, NULL);
}
