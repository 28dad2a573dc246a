/* What an address points into, over mappings made up for it. */
#include "framework/pointee.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define STACK_TOP UINT64_C(0x7f0000800000)
#define STACK_END (STACK_TOP - 0x100000)

static const struct itrp_snapshot_mapping mappings[] = {
    {0x22000, 0x30000, 0, true, true, false, false, false, "[stack]"},
    {0x400000, 0x401000, 0, true, false, false, false, true, "/x/program"},
    {0x401000, 0x402000, 0x1000, true, false, true, false, true, "/x/program"},
    {0x402000, 0x403000, 0x2000, true, true, false, false, true, "/x/program"},
    {0x500000, 0x520000, 0, true, true, false, false, false, "[heap]"},
    {0xc000000000, 0xc000400000, 0, true, true, false, false, false, ""},
    {0x7e0000000000, 0x7e0000001000, 0, true, false, true, false, false, ""},
    {0x7e0000010000, 0x7e0000020000, 0, false, false, false, false, false, ""},
    {0x7e0000030000, 0x7e0000040000, 0, true, true, false, false, false, ""},
    {STACK_END - 0x1000, STACK_END, 0, false, false, false, false, false, ""},
    {STACK_END, STACK_TOP, 0, true, true, false, false, false, ""},
    {0x7ffff0000000, 0x7ffff0020000, 0, true, true, false, false, false, "[stack]"},
};

static struct itr_target_module module = {.path = "/x/program", .base = 0x400000, .bytes = 0x3000};
static struct itr_target_thread threads[2];
static struct itrp_snapshot snapshot;

static int set_up(void **state) {
    (void)state;
    threads[0] = (struct itr_target_thread){.id = 1, .has_registers = true};
    threads[0].registers[ITR_REGISTER_RSP] = 0x7ffff001f000;
    threads[1] = (struct itr_target_thread){.id = 2, .has_registers = true};
    threads[1].registers[ITR_REGISTER_RSP] = STACK_END + 0x100;
    snapshot = (struct itrp_snapshot){.mappings = mappings, .mapping_count = sizeof mappings / sizeof mappings[0]};
    snapshot.target.modules = &module;
    snapshot.target.module_count = 1;
    snapshot.target.threads = threads;
    snapshot.target.thread_count = 2;
    return 0;
}

/* As Windows has it. */
static void a_stack_above_the_null_page_has_no_guard_in_it(void **state) {
    (void)state;
    threads[0].registers[ITR_REGISTER_RSP] = 0x22100;
    assert_int_equal(itr_pointee_thread(&snapshot, 0x21ff0), 0);
    assert_int_equal(itr_pointee_thread(&snapshot, 0x30), 2);
    assert_int_equal(itr_pointee_of(&snapshot, 0x30), ITR_POINTEE_NULL_PAGE);
}

static void each_kind_of_address_has_its_name(void **state) {
    static const struct {
        uint64_t address;
        enum itr_pointee pointee;
    } rows[] = {
        {0, ITR_POINTEE_NULL_PAGE},
        {0xffff, ITR_POINTEE_NULL_PAGE},
        {0x10000, ITR_POINTEE_UNMAPPED},
        {0x400010, ITR_POINTEE_READ_ONLY},
        {0x401010, ITR_POINTEE_TEXT},
        {0x402fff, ITR_POINTEE_DATA},
        {0x403000, ITR_POINTEE_UNMAPPED},
        {0x51ffff, ITR_POINTEE_HEAP},
        {0xc000000008, ITR_POINTEE_GO_HEAP},
        {0x7e0000000010, ITR_POINTEE_CODE},
        {0x7e0000010010, ITR_POINTEE_NO_ACCESS},
        {0x7e0000030010, ITR_POINTEE_ANONYMOUS},
        {STACK_END, ITR_POINTEE_STACK},
        {STACK_END - 1, ITR_POINTEE_STACK_GUARD},
        {STACK_END - 0x1000, ITR_POINTEE_STACK_GUARD},
        {STACK_END - 0x80000, ITR_POINTEE_STACK_GUARD},
        {STACK_END - 0x200000, ITR_POINTEE_UNMAPPED},
        {0x7ffff0000010, ITR_POINTEE_STACK},
        {0x7fffefffffff, ITR_POINTEE_STACK_GUARD},
        {UINT64_C(0x800000000000), ITR_POINTEE_NON_CANONICAL},
        {UINT64_MAX, ITR_POINTEE_NON_CANONICAL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(itr_pointee_name(itr_pointee_of(&snapshot, rows[i].address)), itr_pointee_name(rows[i].pointee));
    }
}

/* The stack pointer itself has left the stack: so it is when a frame's room overflows it. */
static void an_overflow_is_known_by_the_stack_above(void **state) {
    (void)state;
    threads[1].registers[ITR_REGISTER_RSP] = STACK_END - 0x20;
    assert_int_equal(itr_pointee_of(&snapshot, STACK_END - 0x18), ITR_POINTEE_STACK_GUARD);
    assert_int_equal(itr_pointee_thread(&snapshot, STACK_END - 0x18), 1);
    assert_int_equal(itr_pointee_thread(&snapshot, 0x401010), 2);
}

static void threads_without_registers_have_no_stack(void **state) {
    (void)state;
    threads[1].has_registers = false;
    assert_int_equal(itr_pointee_of(&snapshot, STACK_END - 1), ITR_POINTEE_NO_ACCESS);
    assert_int_equal(itr_pointee_of(&snapshot, STACK_END), ITR_POINTEE_ANONYMOUS);
    snapshot = (struct itrp_snapshot){0};
    assert_int_equal(itr_pointee_of(&snapshot, 0x401010), ITR_POINTEE_UNMAPPED);
    assert_null(itr_mapping_at(&snapshot, 0x401010));
}

int main(void) {
#define POINTEE_TEST(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        POINTEE_TEST(each_kind_of_address_has_its_name),
        POINTEE_TEST(a_stack_above_the_null_page_has_no_guard_in_it),
        POINTEE_TEST(an_overflow_is_known_by_the_stack_above),
        POINTEE_TEST(threads_without_registers_have_no_stack),
    };
    return cmocka_run_group_tests_name("pointee", tests, NULL, NULL);
}
