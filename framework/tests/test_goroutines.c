/* Unit tests of goroutines*.c: lists of a made-up runtime whose version is in the table, versions that are not, lists
 * that are damaged or cannot be found. The layout by DWARF is tested in test_dwarf.c and on real libraries. */
#include "framework/goroutines.h"
#include "framework/tests/tiny_process.h"

enum {
    DATA = TP_BASE + TP_DATA,
    VERSION = 0x20,   /* in the data */
    ALLGPTR = 0x100,
    ALLGLEN = 0x108,
    ALLM = 0x110,
    REASONS = 0x120,  /* three of them */
    STRINGS = 0x180,
    POINTERS = 0x200,
    FIRST_G = 0x300,  /* and one every 0x140 */
    G_STEP = 0x140,
    FIRST_M = 0xb00,  /* and one every 0x180 */
    M_STEP = 0x180,
};

static uint32_t goexit, body;
static uint64_t body_calls;
static struct itr_target_thread threads[2];

static uint64_t g_at(unsigned i) {
    return DATA + FIRST_G + i * G_STEP;
}

static uint64_t m_at(unsigned i) {
    return DATA + FIRST_M + i * M_STEP;
}

/* The offsets of go1.26, as Go's own sources have them. */
static void make_g(unsigned i, uint64_t id, uint32_t status, uint8_t reason, uint64_t m) {
    uint64_t g = g_at(i);
    uint64_t sp = TP_OTHER + 0x100 + i * 0x200;
    tp_word(g, TP_OTHER + i * 0x200);
    tp_word(g + 8, TP_OTHER + (i + 1) * 0x200);
    tp_word(g + 48, m);
    tp_word(g + 56, sp);
    tp_word(g + 64, body_calls);
    tp_word(g + 144, status);
    tp_word(g + 152, id);
    *tp_at(g + 176, 1) = reason;
    tp_word(sp + 0x10, TP_BASE + goexit + 1);
}

static void begin(const char *version, bool symbols) {
    tp_begin();
    goexit = tp_go("runtime.goexit", 1, 0, 0);
    body = tp_go("main.body", 0, 4, 0x10);
    body_calls = tp_call(body + 0x10, body);
    memcpy(tp_file + TP_DATA + VERSION, "\xff Go buildinf:\x08\x02", 16);
    tp_file[TP_DATA + VERSION + 32] = (uint8_t)strlen(version);
    memcpy(tp_file + TP_DATA + VERSION + 33, version, strlen(version));
    if (symbols) {
        tp_symbol("runtime.allgptr", TP_DATA + ALLGPTR, 8);
        tp_symbol("runtime.allglen", TP_DATA + ALLGLEN, 8);
        tp_symbol("runtime.allm", TP_DATA + ALLM, 8);
        tp_symbol("runtime.waitReasonStrings", TP_DATA + REASONS, 3 * 16);
    }
    tp_finish();
    memcpy(tp_data + STRINGS, "chan receive\x1b", 13);
    tp_word(DATA + REASONS + 32, DATA + STRINGS);
    tp_word(DATA + REASONS + 40, 13);
    tp_word(DATA + ALLGPTR, DATA + POINTERS);
    tp_word(DATA + ALLGLEN, 5);
    for (unsigned i = 0; i < 5; i++) {
        tp_word(DATA + POINTERS + i * 8, g_at(i));
    }
    tp_word(DATA + ALLM, m_at(0));
    for (unsigned i = 0; i < 2; i++) {
        tp_word(m_at(i) + 64, 100 + i);
        tp_word(m_at(i) + 232, 7 + i);
    }
    tp_word(m_at(0) + 352, m_at(1));
    make_g(0, 1, ITR_GOROUTINE_WAITING, 2, 0);
    make_g(1, 2, ITR_GOROUTINE_RUNNING, 0, m_at(0));
    make_g(2, 3, ITR_GOROUTINE_DEAD, 0, 0);
    make_g(3, 4, 0x1000 | ITR_GOROUTINE_SYSCALL, 2, m_at(1));
    make_g(4, 5, ITR_GOROUTINE_WAITING, 9, 0);
    tp_process.threads = threads;
    tp_process.thread_count = 2;
    threads[0] = (struct itr_target_thread){.id = 100, .has_registers = true};
    threads[0].registers[ITR_REGISTER_RIP] = TP_BASE + body + 8;
    threads[0].registers[ITR_REGISTER_RSP] = TP_OTHER + 0x340;
    tp_word(TP_OTHER + 0x350, body_calls);
    tp_word(TP_OTHER + 0x368, TP_BASE + goexit + 1);
    threads[1] = (struct itr_target_thread){.id = 101};
}

static int tear_down(void **state) {
    (void)state;
    tp_end();
    return 0;
}

static struct itr_goroutines list;
static struct itr_error err;

static enum itr_status read_list(void) {
    err = (struct itr_error){0};
    return itr_goroutines_read(&list, &tp_process, &err);
}

static void the_lists_are_read(void **state) {
    const struct itr_goroutine *one;
    char name[32];
    (void)state;
    begin("go1.26.10", true);
    tp_word(g_at(0) + 208, m_at(1));           /* locked */
    tp_word(g_at(0) + 280, 77);                /* parent */
    tp_word(g_at(0) + 288, body_calls);        /* created at */
    tp_word(g_at(0) + 304, TP_BASE + body);    /* begins with */
    tp_word(g_at(3) + 104, TP_OTHER + 0x7a0);  /* in a system call: that state counts */
    tp_word(g_at(3) + 112, body_calls);
    tp_word(TP_OTHER + 0x7b0, TP_BASE + goexit + 1);
    assert_int_equal(read_list(), ITR_OK);
    assert_int_equal(list.count, 4);
    assert_int_equal(list.dead, 1);
    assert_int_equal(list.unread, 0);
    assert_int_equal(list.libraries, 1);
    assert_true(list.from_table);
    assert_int_equal(list.stacks.goroutine_count, 5);
    assert_int_equal(list.stacks.thread_count, 2);
    one = &list.items[0];
    assert_int_equal(one->id, 1);
    assert_string_equal(itr_goroutine_status_name(one->status, name, sizeof name), "waiting");
    assert_string_equal(one->wait_reason, "chan receive\\x1b");
    assert_true(one->locked);
    assert_int_equal(one->locked_m, 8);
    assert_false(one->has_thread);
    assert_int_equal(one->parent, 77);
    assert_int_equal(one->created_at, body_calls);
    assert_int_equal(one->entry, TP_BASE + body);
    assert_non_null(one->stack);
    assert_int_equal(one->stack->count, 2);
    assert_int_equal(one->stack->frames[0].pc, body_calls);
    assert_int_equal(one->stack->end, ITR_STACK_END_BOTTOM);
    one = &list.items[1]; /* its thread runs on its stack: the registers count, not the saved state */
    assert_int_equal(one->m, 7);
    assert_int_equal(one->thread, 100);
    assert_int_equal(one->stack->count, 3);
    assert_int_equal(one->stack->frames[0].pc, TP_BASE + body + 8);
    one = &list.items[2];
    assert_int_equal(one->status, ITR_GOROUTINE_SYSCALL);
    assert_true(one->scanned);
    assert_string_equal(one->wait_reason, "");
    assert_int_equal(one->stack->frames[0].sp, TP_OTHER + 0x7a0);
    assert_string_equal(list.items[3].wait_reason, "wait reason 9"); /* beyond the table of names */
    itr_goroutines_release(&list);
}

static void a_goroutine_that_runs_elsewhere_has_no_stack(void **state) {
    (void)state;
    begin("go1.26.10", true);
    threads[0].registers[ITR_REGISTER_RSP] = TP_STACK + 0x100;
    assert_int_equal(read_list(), ITR_OK);
    assert_null(list.items[1].stack);
    itr_goroutines_release(&list);
}

static void unknown_versions_are_refused(void **state) {
    static const char *const versions[] = {"go1.18.10", "go1.20", "go1.28.1", "go1.27rc1", "devel go1.27-abc", "go1.26.1 X:nodwarf5",
                                           "go2.26", "gibberish"};
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        begin(versions[i], true);
        assert_int_equal(read_list(), ITR_E_UNSUPPORTED);
        assert_non_null(strstr(err.text, versions[i]));
        assert_non_null(strstr(err.text, "tiny.so"));
        assert_int_equal(list.count, 0);
        itr_goroutines_release(&list);
        tp_end();
    }
    begin("go1.26.10 distribution's", true);
    assert_int_equal(read_list(), ITR_OK);
    itr_goroutines_release(&list);
}

static void versions_differ_in_layout(void **state) {
    (void)state;
    begin("go1.24.4", true); /* 8 bytes more before the status */
    for (unsigned i = 0; i < 5; i++) {
        tp_word(g_at(i) + 144, 0);
        tp_word(g_at(i) + 152, ITR_GOROUTINE_WAITING);
        tp_word(g_at(i) + 160, 40 + i);
    }
    assert_int_equal(read_list(), ITR_OK);
    assert_int_equal(list.count, 5);
    assert_int_equal(list.items[4].id, 44);
    itr_goroutines_release(&list);
}

static void a_stripped_library_is_refused(void **state) {
    (void)state;
    begin("go1.26.10", false);
    assert_int_equal(read_list(), ITR_E_UNSUPPORTED);
    assert_non_null(strstr(err.text, "stripped"));
    itr_goroutines_release(&list);
}

static void damaged_lists_are_bounded(void **state) {
    (void)state;
    begin("go1.26.10", true);
    tp_word(DATA + POINTERS, 0);       /* being appended to */
    tp_word(DATA + POINTERS + 8, 0x10); /* nowhere */
    assert_int_equal(read_list(), ITR_OK);
    assert_int_equal(list.unread, 2);
    assert_int_equal(list.count, 2);
    itr_goroutines_release(&list);
    tp_word(DATA + ALLGPTR, 0x10);
    assert_int_equal(read_list(), ITR_E_FORMAT);
    itr_goroutines_release(&list);
    tp_word(DATA + ALLGPTR, DATA + POINTERS);
    tp_word(DATA + ALLGLEN, UINT64_MAX);
    assert_int_equal(read_list(), ITR_E_FORMAT); /* the memory ends before the list does */
    itr_goroutines_release(&list);
    tp_word(DATA + ALLGLEN, 0); /* before the runtime has any */
    tp_word(DATA + ALLM, 0);
    assert_int_equal(read_list(), ITR_OK);
    assert_int_equal(list.count, 0);
    itr_goroutines_release(&list);
    tp_word(DATA + ALLM, m_at(0));
    tp_word(m_at(1) + 352, m_at(0)); /* in a circle */
    assert_int_equal(read_list(), ITR_OK);
    assert_int_equal(list.stacks.thread_count, ITR_GO_THREADS_MAX);
    itr_goroutines_release(&list);
}

static void stacks_outside_their_bounds_are_left_out(void **state) {
    (void)state;
    begin("go1.26.10", true);
    tp_word(g_at(0) + 56, TP_STACK + 0x100);
    assert_int_equal(read_list(), ITR_OK);
    assert_null(list.items[0].stack);
    itr_goroutines_release(&list);
}

static void a_process_without_go_has_none(void **state) {
    (void)state;
    tp_begin();
    tp_finish();
    assert_int_equal(read_list(), ITR_OK);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.libraries, 0);
    itr_goroutines_release(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_lists_are_read, tear_down),
        cmocka_unit_test_teardown(a_goroutine_that_runs_elsewhere_has_no_stack, tear_down),
        cmocka_unit_test_teardown(unknown_versions_are_refused, tear_down),
        cmocka_unit_test_teardown(versions_differ_in_layout, tear_down),
        cmocka_unit_test_teardown(a_stripped_library_is_refused, tear_down),
        cmocka_unit_test_teardown(damaged_lists_are_bounded, tear_down),
        cmocka_unit_test_teardown(stacks_outside_their_bounds_are_left_out, tear_down),
        cmocka_unit_test_teardown(a_process_without_go_has_none, tear_down),
    };
    return cmocka_run_group_tests_name("goroutines", tests, NULL, NULL);
}
