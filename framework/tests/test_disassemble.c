/* Unit tests of disassemble.c: what stands around a PC, marked, with the address that its operand names. */
#include "framework/disassemble.h"
#include "framework/tests/tiny_process.h"

enum { FUNCTION = TP_C_TEXT };

static const uint8_t code[] = {0x55,                         /* push %rbp */
                               0x48, 0x89, 0xe5,             /* mov %rsp, %rbp */
                               0x48, 0x8b, 0x58, 0x30,       /* mov 0x30(%rax), %rbx */
                               0xe8, 0xf3, 0xff, 0xff, 0xff, /* call its own beginning */
                               0x64, 0x48, 0x89, 0x04, 0xcf, /* mov %rax, %fs:(%rdi,%rcx,8) */
                               0xc3};

static uint8_t changed_code[sizeof code];
static bool readable;

/* The code is in memory too, and may differ there. */
static size_t read_code(void *context, uint64_t address, void *into, size_t bytes) {
    (void)context;
    uint64_t begin = TP_BASE + FUNCTION;
    if (!readable || address < begin || address >= begin + sizeof code) {
        return 0;
    }
    size_t left = sizeof code - (size_t)(address - begin);
    memcpy(into, changed_code + (address - begin), left < bytes ? left : bytes);
    return left < bytes ? left : bytes;
}

static int set_up(void **state) {
    (void)state;
    tp_begin();
    tp_code(FUNCTION, code, sizeof code);
    tp_symbol("function", FUNCTION, sizeof code);
    tp_finish();
    memcpy(changed_code, code, sizeof code);
    readable = true;
    tp_process.read = read_code;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tp_end();
    return 0;
}

static void lines_stand_around_the_pc(void **state) {
    struct itr_text text = {0};
    uint64_t registers[ITR_REGISTER_COUNT] = {0};
    (void)state;
    assert_true(itr_disassemble(&tp_process, TP_BASE + FUNCTION + 4, registers, 1, 2, &text));
    assert_string_equal(itr_text_string(&text),
                        "    0x11801 tiny.so!function+0x1: 48 89 e5                          works on registers and the stack only\n"
                        "=>  0x11804 tiny.so!function+0x4: 48 8b 58 30                       reads 0x30(AX) [0x30]\n"
                        "    0x11808 tiny.so!function+0x8: e8 f3 ff ff ff                    calls function\n");
    itr_text_reset(&text);
    registers[ITR_REGISTER_FS_BASE] = 0x1000;
    registers[ITR_REGISTER_RDI] = 0x200;
    registers[ITR_REGISTER_RCX] = 3;
    assert_true(itr_disassemble(&tp_process, TP_BASE + FUNCTION + 13, registers, 0, 1, &text));
    assert_non_null(strstr(itr_text_string(&text), "[0x1218]"));
    itr_text_reset(&text);
    assert_true(itr_disassemble(&tp_process, TP_BASE + FUNCTION, NULL, 8, 64, &text)); /* nothing before the beginning */
    assert_memory_equal(itr_text_string(&text), "=>  0x11800 tiny.so!function:", 29);
    itr_text_release(&text);
}

static void inside_an_instruction_nothing_comes_before(void **state) {
    struct itr_text text = {0};
    (void)state;
    assert_true(itr_disassemble(&tp_process, TP_BASE + FUNCTION + 2, NULL, 4, 1, &text));
    assert_memory_equal(itr_text_string(&text), "=>  0x11802 ", 12);
    itr_text_release(&text);
}

static void changed_bytes_are_marked(void **state) {
    struct itr_text text = {0};
    (void)state;
    changed_code[4] = 0xcc;
    assert_true(itr_disassemble(&tp_process, TP_BASE + FUNCTION + 4, NULL, 0, 1, &text));
    assert_string_equal(itr_text_string(&text),
                        "=>! 0x11804 tiny.so!function+0x4: cc                                traps\n");
    itr_text_release(&text);
}

static void the_files_bytes_stand_in_for_memory(void **state) {
    struct itr_text text = {0};
    (void)state;
    readable = false;
    assert_true(itr_disassemble(&tp_process, TP_BASE + FUNCTION + 4, NULL, 0, 1, &text));
    assert_non_null(strstr(itr_text_string(&text), "reads 0x30(AX)"));
    itr_text_reset(&text);
    assert_false(itr_disassemble(&tp_process, 0x10, NULL, 1, 1, &text));
    assert_string_equal(itr_text_string(&text), "");
    itr_text_release(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_stand_around_the_pc, set_up, tear_down),
        cmocka_unit_test_setup_teardown(inside_an_instruction_nothing_comes_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_bytes_are_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_files_bytes_stand_in_for_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("disassemble", tests, NULL, NULL);
}
