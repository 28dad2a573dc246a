/* Unit tests of unwind_pdata.c on a small PE file made here: frames by the exception table, in a function's beginning,
 * middle and end. */
#include "framework/unwind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    FILE_BYTES = 0x2000,
    BASE = 0x400000,
    TEXT = 0x1000, /* rva, and offset in the file; code, tables and all */
    CALLER = TEXT,
    PUSHER = TEXT + 0x40, /* pushes RBX and RSI, takes 0x28 bytes */
    FRAMED = TEXT + 0x80, /* RBP is its frame pointer */
    LEAF = TEXT + 0xc0,   /* has no entry */
    CHAINED = TEXT + 0xe0, /* goes on where PUSHER has begun */
    MACHINE = TEXT + 0x110,
    TABLE = TEXT + 0x400,
    INFO = TEXT + 0x500,
    STACK = 0x10000,
    STACK_BYTES = 0x1000,
};

static uint8_t file[FILE_BYTES];
static uint8_t memory[STACK_BYTES];
static struct itr_target_module module;
static struct itr_target_process process;
static struct itr_stack stack;
static struct itr_target_thread thread;

static void put(size_t at, unsigned width, uint64_t value) {
    for (unsigned i = 0; i < width; i++) {
        file[at + i] = (uint8_t)(value >> (8 * i));
    }
}

static void word(uint64_t address, uint64_t value) {
    for (unsigned i = 0; i < 8; i++) {
        memory[address - STACK + i] = (uint8_t)(value >> (8 * i));
    }
}

static size_t read_memory(void *context, uint64_t address, void *into, size_t bytes) {
    (void)context;
    if (address < STACK || address >= STACK + STACK_BYTES) {
        return 0;
    }
    size_t left = (size_t)(STACK + STACK_BYTES - address);
    memcpy(into, memory + (address - STACK), left < bytes ? left : bytes);
    return left < bytes ? left : bytes;
}

static void entry(unsigned index, uint32_t begin, uint32_t end, uint32_t info) {
    put(TABLE + index * 12, 4, begin);
    put(TABLE + index * 12 + 4, 4, end);
    put(TABLE + index * 12 + 8, 4, info);
}

static uint64_t call(uint32_t at, uint32_t target) {
    file[at] = 0xe8;
    put(at + 1, 4, (uint64_t)target - (at + 5));
    return BASE + at + 5;
}

static uint64_t caller_pusher, caller_leaf, caller_framed, caller_chained, pusher_framed, caller_machine;

static void make_code(void) {
    static const uint8_t pusher_end[] = {0x48, 0x83, 0xc4, 0x28, 0x5e, 0x5b, 0xc3}; /* add $0x28, %rsp; pop %rsi, %rbx; ret */
    static const uint8_t caller_info[] = {1, 0, 0, 0};
    static const uint8_t pusher_info[] = {1, 6, 3, 0, 6, 0x42, 2, 0x60, 1, 0x30, 0, 0};
    /* push %rbp; sub $0x30, %rsp; lea 0x20(%rsp), %rbp; RBX is saved at 0x10 */
    static const uint8_t framed_info[] = {1, 14, 5, 0x25, 14, 0x34, 2, 0, 9, 0x03, 5, 0x52, 1, 0x50, 0, 0};
    static const uint8_t chained_info[] = {0x21, 0, 0, 0};
    static const uint8_t machine_info[] = {1, 0, 1, 0, 0, 0x0a, 0, 0};
    memset(file + TEXT, 0x90, 0x400);
    memcpy(file + PUSHER + 0x30, pusher_end, sizeof pusher_end);
    memcpy(file + INFO, caller_info, sizeof caller_info);
    memcpy(file + INFO + 0x10, pusher_info, sizeof pusher_info);
    memcpy(file + INFO + 0x20, framed_info, sizeof framed_info);
    memcpy(file + INFO + 0x40, chained_info, sizeof chained_info);
    put(INFO + 0x44, 4, PUSHER);
    put(INFO + 0x48, 4, PUSHER + 0x40);
    put(INFO + 0x4c, 4, INFO + 0x10);
    memcpy(file + INFO + 0x60, machine_info, sizeof machine_info);
    entry(0, CALLER, CALLER + 0x40, INFO);
    entry(1, PUSHER, PUSHER + 0x40, INFO + 0x10);
    entry(2, FRAMED, FRAMED + 0x40, INFO + 0x20);
    entry(3, CHAINED, CHAINED + 0x20, INFO + 0x40);
    entry(4, MACHINE, MACHINE + 0x20, INFO + 0x60);
    caller_pusher = call(CALLER + 4, PUSHER);
    caller_leaf = call(CALLER + 12, LEAF);
    caller_framed = call(CALLER + 20, FRAMED);
    caller_chained = call(CALLER + 28, CHAINED);
    caller_machine = call(CALLER + 36, MACHINE);
    pusher_framed = call(PUSHER + 0x10, FRAMED);
}

static int set_up(void **state) {
    struct itr_image *image = NULL;
    struct itr_error err = {0};
    (void)state;
    memset(file, 0, sizeof file);
    memset(memory, 0, sizeof memory);
    memcpy(file, "MZ", 2);
    put(60, 4, 0x80);
    memcpy(file + 0x80, "PE\0\0", 4);
    put(0x84, 2, 0x8664);
    put(0x86, 2, 1);
    put(0x94, 2, 112 + 16 * 8);
    put(0x98, 2, 0x20b);
    put(0x98 + 24, 8, BASE);
    put(0x98 + 108, 4, 16);
    put(0x98 + 112 + 3 * 8, 4, TABLE);
    put(0x98 + 112 + 3 * 8 + 4, 4, 5 * 12);
    size_t section = 0x98 + 112 + 16 * 8;
    memcpy(file + section, ".text", 5);
    put(section + 8, 4, 0x1000);
    put(section + 12, 4, TEXT);
    put(section + 16, 4, 0x1000);
    put(section + 20, 4, TEXT);
    put(section + 36, 4, 0x60000020);
    make_code();
    assert_int_equal(itr_image_open_bytes(&image, file, sizeof file, NULL, &err), ITR_OK);
    module = (struct itr_target_module){.path = "C:\\tiny.dll", .base = BASE, .bytes = 0x2000, .image = image};
    process = (struct itr_target_process){.system = ITR_TARGET_WINDOWS, .read = read_memory, .modules = &module, .module_count = 1};
    thread = (struct itr_target_thread){.id = 1, .has_registers = true};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_image_close((struct itr_image *)(uintptr_t)module.image);
    return 0;
}

static void unwind(uint64_t pc, uint64_t sp) {
    thread.registers[ITR_REGISTER_RIP] = pc;
    thread.registers[ITR_REGISTER_RSP] = sp;
    itr_unwind_thread(&process, NULL, &thread, &stack);
}

/* All frames certain; CALLER's own return address is 0, which is the bottom. */
static void expect(uint64_t second, uint64_t third) {
    assert_int_equal(stack.frames[1].pc, second);
    assert_int_equal(stack.count, third != 0 ? 3 : 2);
    if (third != 0) {
        assert_int_equal(stack.frames[2].pc, third);
    }
    for (uint32_t i = 0; i < stack.count; i++) {
        assert_false(stack.frames[i].guessed);
    }
    assert_int_equal(stack.frames[1].way, ITR_FRAME_PDATA);
    assert_int_equal(stack.end, ITR_STACK_END_BOTTOM);
}

static void a_function_is_undone_as_far_as_it_has_come(void **state) {
    uint64_t sp = STACK + 0x100;
    (void)state;
    word(sp + 0x38, caller_pusher);
    unwind(BASE + PUSHER + 0x20, sp);
    expect(caller_pusher, 0);
    word(sp + 0x10, caller_pusher); /* both pushes are done, the rest is not */
    unwind(BASE + PUSHER + 2, sp);
    expect(caller_pusher, 0);
    word(sp, caller_pusher);
    unwind(BASE + PUSHER, sp);
    expect(caller_pusher, 0);
}

static void at_its_end_what_is_left_is_carried_out(void **state) {
    uint64_t sp = STACK + 0x100;
    (void)state;
    word(sp + 0x38, caller_pusher);
    unwind(BASE + PUSHER + 0x30, sp); /* all of it is left */
    expect(caller_pusher, 0);
    memset(memory, 0, sizeof memory);
    word(sp + 8, caller_pusher);
    unwind(BASE + PUSHER + 0x35, sp); /* one pop */
    expect(caller_pusher, 0);
    memset(memory, 0, sizeof memory);
    word(sp, caller_pusher);
    unwind(BASE + PUSHER + 0x36, sp);
    expect(caller_pusher, 0);
}

static void a_frame_pointer_is_used_where_the_table_says_so(void **state) {
    uint64_t sp = STACK + 0x100;
    (void)state;
    thread.registers[ITR_REGISTER_RBP] = sp + 0x80 + 0x20; /* the stack pointer has moved on by 0x80 */
    word(sp + 0x80 + 0x38, pusher_framed);
    word(sp + 0x80 + 0x40 + 0x38, caller_pusher);
    unwind(BASE + FRAMED + 0x20, sp);
    expect(pusher_framed, caller_pusher);
}

static void a_leaf_has_no_entry(void **state) {
    uint64_t sp = STACK + 0x100;
    (void)state;
    word(sp, caller_leaf);
    unwind(BASE + LEAF + 2, sp);
    expect(caller_leaf, 0);
    word(sp, BASE + CALLER + 1); /* behind no call */
    word(sp + 8, caller_leaf);
    unwind(BASE + LEAF + 2, sp);
    assert_int_equal(stack.frames[1].pc, caller_leaf);
    assert_true(stack.frames[1].guessed);
}

static void an_entry_can_go_on_in_another(void **state) {
    uint64_t sp = STACK + 0x100;
    (void)state;
    word(sp + 0x38, caller_chained);
    unwind(BASE + CHAINED + 4, sp);
    expect(caller_chained, 0);
}

static void an_exceptions_frame_gives_the_place_itself(void **state) {
    uint64_t sp = STACK + 0x100;
    (void)state;
    word(sp, BASE + PUSHER + 0x20); /* RIP, CS, RFLAGS, RSP, SS */
    word(sp + 24, sp + 0x200);
    word(sp + 0x238, caller_pusher);
    unwind(BASE + MACHINE + 4, sp);
    assert_int_equal(stack.frames[1].pc, BASE + PUSHER + 0x20);
    assert_int_equal(stack.frames[1].way, ITR_FRAME_SIGNAL);
    assert_true(stack.frames[1].exact);
    assert_int_equal(stack.frames[2].pc, caller_pusher);
}

static void damaged_tables_are_survived(void **state) {
    uint64_t sp = STACK + 0x100;
    (void)state;
    word(sp + 0x38, caller_pusher);
    for (unsigned at = INFO + 0x10; at < INFO + 0x1c; at++) {
        for (unsigned value = 0; value < 256; value++) {
            uint8_t before = file[at];
            file[at] = (uint8_t)value;
            unwind(BASE + PUSHER + 0x20, sp);
            assert_true(stack.count >= 1);
            file[at] = before;
        }
    }
    put(INFO + 0x4c, 4, INFO + 0x40); /* a chain in a circle */
    unwind(BASE + CHAINED + 4, sp);
    assert_true(stack.count == 1 || stack.frames[1].guessed);
    put(TABLE + 3 * 12 + 8, 4, (TABLE + 3 * 12) | 1);
    unwind(BASE + CHAINED + 4, sp);
    assert_true(stack.count == 1 || stack.frames[1].guessed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_function_is_undone_as_far_as_it_has_come, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_its_end_what_is_left_is_carried_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_frame_pointer_is_used_where_the_table_says_so, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leaf_has_no_entry, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entry_can_go_on_in_another, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_exceptions_frame_gives_the_place_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damaged_tables_are_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("unwind_pdata", tests, NULL, NULL);
}
