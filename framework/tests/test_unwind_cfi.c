/* Unit tests of unwind_table.c and unwind_cfi.c: every instruction of a program of rules, every operation of an expression,
 * cut off and damaged ones. What a walk makes of them is in test_unwind.c. */
#include "framework/unwind_cfi.h"
#include "framework/unwind_parts.h"

#include "framework/random.h"
#include "framework/tests/tiny_process.h"

enum { BYTES = 0x400, SP = TP_STACK + 0x1000, RETURN = TP_BASE + TP_C_TEXT + 0x80, PROGRAM_MAX = 256 };
enum { RAX = 0, RBX = 3, RBP = 6, RSP = 7, R12 = 12, R13 = 13, R14 = 14, R15 = 15, RIP = 16 }; /* DWARF's numbers */

static void make(const void *program, size_t count) {
    tp_begin();
    tp_cfi(TP_C_TEXT, BYTES, program, count);
    tp_finish();
}

static int tear_down(void **state) {
    (void)state;
    tp_end();
    return 0;
}

/* ---- rows ---- */

static const uint8_t whole_program[] = {
    0x41, 0x0e, 16,  0x80 | RBP, 2,                                 /* 1: CFA RSP+16, RBP at -16 */
    0x02, 9,    0x0d, RBP, 0x0a,                                    /* 10: CFA RBP+16; remembered */
    0x41, 0x0c, RSP, 8,   0xc0 | RBP,                               /* 11: CFA RSP+8, RBP as in the beginning */
    0x41, 0x0b,                                                     /* 12: as remembered */
    0x03, 100,  0,   0x05, RBX,  3,   0x07, R12, 0x08, R13, 0x09, R14, R15, /* 112 */
    0x04, 100,  0,   0,   0,    0x11, RBX, 0x7d, 0x14, R12, 2,   0x15, R13, 0x7e, 0x06, R14, 0x12, RBP, 0x7c, /* 212 */
    0x41, 0x13, 0x7b, 0x2e, 5,                                      /* 213: CFA RBP+40 */
    0x41, 0x10, RBX, 2,   0x30,  0x31, 0x16, R12, 1,   0x32, 0x05, 33, 1, /* 214: expressions; a column that is none of ours */
    0x41, 0x0f, 1,   0x77,                                          /* 215: the CFA itself, cut: no expression that works */
};

static struct itr_cfi_row row_at(uint64_t offset) {
    struct itr_cfi_row row;
    assert_true(itr_cfi_row_at(tp_module.image, TP_C_TEXT + offset, &row));
    return row;
}

static void expect_cfa(const struct itr_cfi_row *row, int64_t column, int64_t offset) {
    assert_int_equal(row->cfa.kind, ITR_CFI_REGISTER);
    assert_int_equal(row->cfa.value, column);
    assert_int_equal(row->offset, offset);
}

static void expect_rule(const struct itr_cfi_row *row, unsigned column, enum itr_cfi_kind kind, int64_t value) {
    assert_int_equal(row->columns[column].kind, kind);
    assert_int_equal(row->columns[column].value, value);
}

static void every_instruction_does_its_part(void **state) {
    (void)state;
    make(whole_program, sizeof whole_program);
    struct itr_cfi_row row = row_at(0);
    expect_cfa(&row, RSP, 8);
    expect_rule(&row, RIP, ITR_CFI_OFFSET, -8);
    expect_rule(&row, RBP, ITR_CFI_UNSPECIFIED, 0);
    assert_int_equal(row.return_column, RIP);
    assert_false(row.signal);
    row = row_at(1);
    expect_cfa(&row, RSP, 16);
    expect_rule(&row, RBP, ITR_CFI_OFFSET, -16);
    row = row_at(9);
    expect_cfa(&row, RSP, 16);
    row = row_at(10);
    expect_cfa(&row, RBP, 16);
    row = row_at(11);
    expect_cfa(&row, RSP, 8);
    expect_rule(&row, RBP, ITR_CFI_UNSPECIFIED, 0);
    row = row_at(111);
    expect_cfa(&row, RBP, 16);
    expect_rule(&row, RBP, ITR_CFI_OFFSET, -16);
    row = row_at(112);
    expect_rule(&row, RBX, ITR_CFI_OFFSET, -24);
    expect_rule(&row, R12, ITR_CFI_UNDEFINED, 0);
    expect_rule(&row, R13, ITR_CFI_SAME, 0);
    expect_rule(&row, R14, ITR_CFI_REGISTER, R15);
    row = row_at(212);
    expect_cfa(&row, RBP, 32);
    expect_rule(&row, RBX, ITR_CFI_OFFSET, 24);
    expect_rule(&row, R12, ITR_CFI_VALUE_OFFSET, -16);
    expect_rule(&row, R13, ITR_CFI_VALUE_OFFSET, 16);
    expect_rule(&row, R14, ITR_CFI_UNSPECIFIED, 0);
    row = row_at(213);
    expect_cfa(&row, RBP, 40);
    row = row_at(214);
    assert_int_equal(row.columns[RBX].kind, ITR_CFI_EXPRESSION);
    assert_int_equal(row.columns[RBX].bytes, 2);
    assert_int_equal(row.columns[RBX].expression[1], 0x31);
    assert_int_equal(row.columns[R12].kind, ITR_CFI_VALUE_EXPRESSION);
    row = row_at(BYTES - 1);
    assert_int_equal(row.cfa.kind, ITR_CFI_EXPRESSION);
    assert_false(itr_cfi_row_at(tp_module.image, TP_C_TEXT + BYTES, &row));
    assert_false(itr_cfi_row_at(tp_module.image, TP_C_TEXT - 1, &row));
}

static void programs_that_do_not_hold_together_give_no_row(void **state) {
    static const uint8_t too_many_restores[] = {0x0b};
    static const uint8_t not_known[] = {0x3f};
    static const uint8_t of_another_processor[] = {0x1d, 1, 1};
    static const uint8_t no_such_register[] = {0x0c, 16, 8};
    static const uint8_t longer_than_it_is[] = {0x0f, 0xff, 0x7f};
    static const struct {
        const uint8_t *program;
        size_t count;
    } rows[] = {
        {too_many_restores, 1}, {not_known, 1}, {of_another_processor, 3}, {no_such_register, 3}, {longer_than_it_is, 3},
    };
    struct itr_cfi_row row;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        make(rows[i].program, rows[i].count);
        assert_false(itr_cfi_row_at(tp_module.image, TP_C_TEXT, &row));
        tp_end();
    }
    make("", 0);
}

static void rows_can_be_remembered_up_to_a_ceiling(void **state) {
    uint8_t program[PROGRAM_MAX];
    struct itr_cfi_row row;
    (void)state;
    memset(program, 0x0a, sizeof program);
    make(program, sizeof program);
    assert_false(itr_cfi_row_at(tp_module.image, TP_C_TEXT, &row));
    tp_end();
    make(program, 4);
    assert_true(itr_cfi_row_at(tp_module.image, TP_C_TEXT, &row));
}

/* ---- expressions ---- */

static struct itr_unwind_cursor cursor;

/* Steps from a frame in which RBX is what the expression says; false: that is not known then. The CFA is on the stack
 * first; RAX is 0x1122334455667788, and at the CFA stands the word 0x8877665544332211. */
static bool value_of(const uint8_t *expression, size_t count, uint64_t *value) {
    uint8_t program[PROGRAM_MAX] = {0x16, RBX, (uint8_t)count};
    struct itr_unwinder unwinder = {.process = &tp_process};
    assert_true(count < 0x80);
    memcpy(program + 3, expression, count);
    make(program, count + 3);
    tp_word(SP, RETURN);
    tp_word(SP + 8, 0x8877665544332211);
    memset(&cursor, 0, sizeof cursor);
    cursor.exact = true;
    itr_unwind_set(&cursor, ITR_REGISTER_RIP, TP_BASE + TP_C_TEXT + 4);
    itr_unwind_set(&cursor, ITR_REGISTER_RSP, SP);
    itr_unwind_set(&cursor, ITR_REGISTER_RAX, 0x1122334455667788);
    assert_int_equal(itr_unwind_cfi(&unwinder, &cursor), ITR_UNWIND_STEPPED);
    assert_int_equal(cursor.registers[ITR_REGISTER_RIP], RETURN);
    assert_int_equal(cursor.registers[ITR_REGISTER_RSP], SP + 8);
    *value = cursor.registers[ITR_REGISTER_RBX];
    bool known = itr_unwind_knows(&cursor, ITR_REGISTER_RBX);
    tp_end();
    return known;
}

#define MINUS(n) ((uint64_t)0 - (n))

static void every_operation_computes(void **state) {
    static const struct {
        uint8_t bytes[16];
        size_t count;
        uint64_t value;
    } rows[] = {
        {{0x30}, 1, 0},
        {{0x4f}, 1, 31},
        {{0x03, 8, 7, 6, 5, 4, 3, 2, 1}, 9, 0x0102030405060708},
        {{0x08, 0xff}, 2, 255},
        {{0x09, 0xff}, 2, MINUS(1)},
        {{0x0a, 0xfe, 0xff}, 3, 0xfffe},
        {{0x0b, 0xfe, 0xff}, 3, MINUS(2)},
        {{0x0c, 0xfd, 0xff, 0xff, 0xff}, 5, 0xfffffffd},
        {{0x0d, 0xfd, 0xff, 0xff, 0xff}, 5, MINUS(3)},
        {{0x0e, 1, 0, 0, 0, 0, 0, 0, 0x80}, 9, 0x8000000000000001},
        {{0x0f, 1, 0, 0, 0, 0, 0, 0, 0x80}, 9, 0x8000000000000001},
        {{0x10, 0x80, 0x01}, 3, 128},
        {{0x11, 0x7f}, 2, MINUS(1)},
        {{0x36, 0x33, 0x1a}, 3, 2},
        {{0x33, 0x36, 0x1c}, 3, MINUS(3)},
        {{0x36, 0x33, 0x1e}, 3, 18},
        {{0x36, 0x33, 0x21}, 3, 7},
        {{0x36, 0x33, 0x22}, 3, 9},
        {{0x36, 0x33, 0x27}, 3, 5},
        {{0x36, 0x33, 0x24}, 3, 48},
        {{0x36, 0x31, 0x25}, 3, 3},
        {{0x09, 0x80, 0x31, 0x25}, 4, 0x7fffffffffffffc0},
        {{0x09, 0x80, 0x31, 0x26}, 4, MINUS(64)},
        {{0x09, 0x80, 0x08, 64, 0x26}, 5, MINUS(1)},
        {{0x09, 0x80, 0x08, 64, 0x25}, 5, 0},
        {{0x31, 0x08, 200, 0x24}, 4, 0},
        {{0x36, 0x36, 0x29}, 3, 1},
        {{0x36, 0x33, 0x29}, 3, 0},
        {{0x09, 0xff, 0x33, 0x2a}, 4, 0},
        {{0x33, 0x33, 0x2a}, 3, 1},
        {{0x33, 0x09, 0xff, 0x2b}, 4, 1},
        {{0x33, 0x33, 0x2b}, 3, 0},
        {{0x33, 0x33, 0x2c}, 3, 1},
        {{0x09, 0xff, 0x33, 0x2d}, 4, 1},
        {{0x36, 0x33, 0x2e}, 3, 1},
        {{0x36, 0x12, 0x22}, 3, 12},               /* dup */
        {{0x36, 0x33, 0x13}, 3, 6},                /* drop */
        {{0x36, 0x33, 0x14, 0x22}, 4, 9},          /* over */
        {{0x36, 0x33, 0x31, 0x15, 2}, 5, 6},       /* pick */
        {{0x36, 0x1f}, 2, MINUS(6)},
        {{0x36, 0x20}, 2, ~(uint64_t)6},
        {{0x36, 0x23, 0x80, 0x01}, 4, 134},
        {{0x31, 0x28, 1, 0, 0x35, 0x37}, 6, 7},    /* a jump that is taken: the CFA, then 7 */
        {{0x30, 0x28, 1, 0, 0x35}, 5, 5},          /* one that is not */
        {{0x34, 0x2f, 1, 0, 0x35}, 5, 4},          /* to the end */
        {{0x33, 0x31, 0x1c, 0x12, 0x28, 0xfa, 0xff}, 7, 0}, /* a loop: three times one less */
        {{0x96, 0x36}, 2, 6},
        {{0x70, 0x7f}, 2, 0x1122334455667787},     /* RAX - 1 */
        {{0x92, 0x00, 0x01}, 3, 0x1122334455667789},
        {{0x06}, 1, 0x8877665544332211},           /* what is at the CFA */
        {{0x94, 2}, 2, 0x2211},
        {{0x94, 8}, 2, 0x8877665544332211},
        {{0x23, 8}, 2, SP + 16},                   /* the CFA itself is there */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t value = 0x55;
        if (!value_of(rows[i].bytes, rows[i].count, &value) || value != rows[i].value) {
            fail_msg("expression %zu: %llx, expected %llx", i, (unsigned long long)value, (unsigned long long)rows[i].value);
        }
    }
    make("", 0);
}

static void expressions_that_do_not_hold_together_say_nothing(void **state) {
    static const struct {
        uint8_t bytes[64];
        size_t count;
    } rows[] = {
        {{0x13, 0x22}, 2},                /* more taken than there is */
        {{0x13}, 1},                      /* nothing is left */
        {{0xff}, 1},                      /* not known */
        {{0x08}, 1},                      /* cut off */
        {{0x03, 1, 2}, 3},
        {{0x2f, 0xfd, 0xff}, 3},          /* round and round */
        {{0x2f, 0x70, 0xff}, 3},          /* before the beginning */
        {{0x2f, 0x01, 0x00}, 3},          /* behind the end */
        {{0x15, 7}, 2},                   /* below the bottom */
        {{0x73, 0}, 2},                   /* a register whose value is not known */
        {{0x92, 0x90, 0x01, 0}, 4},       /* one that is none of ours */
        {{0x30, 0x06}, 2},                /* memory that is not there */
        {{0x94, 9}, 2},
        {{0x94, 0}, 2},
        {{0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12,
          0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12, 0x12}, 32}, /* too deep */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t value = 0;
        if (value_of(rows[i].bytes, rows[i].count, &value)) {
            fail_msg("expression %zu says %llx", i, (unsigned long long)value);
        }
    }
    make("", 0);
}

/* ---- damage ---- */

static void a_cut_program_is_survived(void **state) {
    (void)state;
    for (size_t count = 0; count <= sizeof whole_program; count++) {
        make(whole_program, count);
        for (uint64_t at = 0; at < BYTES; at++) {
            struct itr_cfi_row row;
            (void)itr_cfi_row_at(tp_module.image, TP_C_TEXT + at, &row);
        }
        struct itr_cfi_row row = {0};
        /* The beginning needs nothing of what is cut. */
        assert_true(itr_cfi_row_at(tp_module.image, TP_C_TEXT, &row));
        expect_cfa(&row, RSP, 8);
        tp_end();
    }
    make("", 0);
}

static void damage_is_survived(void **state) {
    struct itr_random random = itr_random_seed(3);
    unsigned rows = 0;
    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        struct itr_unwinder unwinder = {.process = &tp_process};
        struct itr_unwind_cursor at = {.exact = true};
        make(whole_program, sizeof whole_program);
        for (unsigned i = 0; i < 1 + round % 4; i++) {
            size_t where = round % 5 == 0 ? TP_EH_HEADER + itr_random_below(&random, 20)
                                          : TP_EH + itr_random_below(&random, tp_frames - TP_EH);
            tp_file[where] = (uint8_t)itr_random_next(&random);
        }
        itr_unwind_set(&at, ITR_REGISTER_RIP, TP_BASE + TP_C_TEXT + itr_random_below(&random, BYTES));
        itr_unwind_set(&at, ITR_REGISTER_RSP, SP);
        itr_unwind_set(&at, ITR_REGISTER_RBP, SP + 64);
        tp_word(SP, RETURN);
        rows += itr_unwind_cfi(&unwinder, &at) != ITR_UNWIND_UNKNOWN ? 1 : 0;
        tp_end();
    }
    assert_true(rows > 500 && rows < 20000);
    make("", 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_instruction_does_its_part, tear_down),
        cmocka_unit_test_teardown(programs_that_do_not_hold_together_give_no_row, tear_down),
        cmocka_unit_test_teardown(rows_can_be_remembered_up_to_a_ceiling, tear_down),
        cmocka_unit_test_teardown(every_operation_computes, tear_down),
        cmocka_unit_test_teardown(expressions_that_do_not_hold_together_say_nothing, tear_down),
        cmocka_unit_test_teardown(a_cut_program_is_survived, tear_down),
        cmocka_unit_test_teardown(damage_is_survived, tear_down),
    };
    return cmocka_run_group_tests_name("unwind_cfi", tests, NULL, NULL);
}
