/* Contract of itrp_memory_*, the same on every system. That a host sees the block is in
 * contract_process.c. */
#include "platform/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_is_zeroed_and_writable(void **context) {
    struct itr_error err = {0};
    struct itrp_memory memory = {0};
    (void)context;
    assert_int_equal(itrp_memory_create(&memory, 8192, &err), ITR_OK);
    assert_non_null(memory.base);
    assert_int_equal(memory.bytes, 8192);
    assert_int_equal(err.status, ITR_OK);
    const unsigned char *bytes = memory.base;
    for (size_t i = 0; i < memory.bytes; i++) {
        assert_int_equal(bytes[i], 0);
    }
    memset(memory.base, 0xa5, memory.bytes);
    assert_int_equal(bytes[8191], 0xa5);
    itrp_memory_close(&memory);
}

static void test_blocks_are_apart(void **context) {
    struct itr_error err = {0};
    struct itrp_memory blocks[8] = {{0}};
    (void)context;
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(itrp_memory_create(&blocks[i], 4096, &err), ITR_OK);
        memset(blocks[i].base, (int)i + 1, 4096);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(((unsigned char *)blocks[i].base)[4095], i + 1);
        itrp_memory_close(&blocks[i]);
    }
}

static void test_close_is_harmless_twice(void **context) {
    struct itr_error err = {0};
    struct itrp_memory memory = {0};
    (void)context;
    itrp_memory_close(&memory);
    assert_int_equal(itrp_memory_create(&memory, 4096, &err), ITR_OK);
    itrp_memory_close(&memory);
    assert_null(memory.base);
    itrp_memory_close(&memory);
}

static void test_too_much_is_refused(void **context) {
    struct itr_error err = {0};
    struct itrp_memory memory = {0};
    (void)context;
    enum itr_status status = itrp_memory_create(&memory, SIZE_MAX / 4, &err);
    assert_int_not_equal(status, ITR_OK);
    assert_int_equal(err.status, status);
    assert_int_not_equal(err.text[0], '\0');
    assert_null(memory.base);
}

/* Thousands of trials must not use up handles. */
static void test_many_in_turn(void **context) {
    struct itr_error err = {0};
    (void)context;
    for (int i = 0; i < 5000; i++) {
        struct itrp_memory memory = {0};
        assert_int_equal(itrp_memory_create(&memory, 8192, &err), ITR_OK);
        itrp_memory_close(&memory);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_zeroed_and_writable),
        cmocka_unit_test(test_blocks_are_apart),
        cmocka_unit_test(test_close_is_harmless_twice),
        cmocka_unit_test(test_too_much_is_refused),
        cmocka_unit_test(test_many_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
