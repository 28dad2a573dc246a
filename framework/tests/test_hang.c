/* Unit tests of hang.c and of the text and JSON of stacks: sentences for what is certain, silence for what is not. */
#include "framework/stacks.h"
#include "framework/tests/tiny_process.h"

#include <stdio.h>
#include <stdlib.h>

/* Functions are names only here: stacks are given, not walked. */
static const char *const names[] = {"runtime.gopark",        "runtime.chanrecv",     "runtime.chanrecv1",
                                    "runtime.cgocallbackg1", "runtime.cgocallback",  "CtrlRoutine",
                                    "SetConsoleCtrlHandler", "RtlEnterCriticalSection", "_cgo_wait_runtime_init_done",
                                    "runtime.schedinit",     "WaitForSingleObject",  "main.user"};
enum { PARK, CHANRECV, CHANRECV1, CALLBACKG1, CALLBACK, CTRL, SET_CTRL, ENTER, WAIT_INIT, SCHEDINIT, WAIT, USER, NAME_COUNT, STEP = 0x20 };

static struct itr_stacks stacks;
static struct itr_stack thread_stacks[3];
static struct itr_stack goroutine_stack;
static struct itr_goroutine goroutine;
static struct itr_target_thread threads[3];
static struct itr_go_thread m;
static char text[ITR_HANG_TEXT_MAX];

static int set_up(void **state) {
    (void)state;
    tp_begin();
    for (unsigned i = 0; i < NAME_COUNT; i++) {
        tp_symbol(names[i], TP_C_TEXT + i * STEP, STEP);
    }
    tp_finish();
    memset(&stacks, 0, sizeof stacks);
    memset(thread_stacks, 0, sizeof thread_stacks);
    memset(&goroutine_stack, 0, sizeof goroutine_stack);
    memset(threads, 0, sizeof threads);
    for (unsigned i = 0; i < 3; i++) {
        threads[i].id = 100 + i;
    }
    m = (struct itr_go_thread){.m = 0x1000, .id = 4, .thread = 101};
    tp_process.threads = threads;
    tp_process.thread_count = 3;
    stacks.threads = thread_stacks;
    stacks.thread_count = 3;
    goroutine = (struct itr_goroutine){.id = 17, .status = ITR_GOROUTINE_WAITING, .locked = true, .locked_m = 4, .stack = &goroutine_stack};
    snprintf(goroutine.wait_reason, sizeof goroutine.wait_reason, "chan receive (nil chan)");
    stacks.goroutines = (struct itr_goroutines){.items = &goroutine, .count = 1};
    stacks.goroutines.stacks = (struct itr_go_stacks){.threads = &m, .thread_count = 1};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tp_end();
    return 0;
}

static void add(struct itr_stack *stack, unsigned function) {
    stack->frames[stack->count++] = (struct itr_frame){.pc = TP_BASE + TP_C_TEXT + function * STEP + 8, .sp = 0x1000 + stack->count * 16u};
    stack->head = stack->count;
    stack->end = ITR_STACK_END_BOTTOM;
}

static void make_parked_callback(void) {
    add(&goroutine_stack, PARK);
    add(&goroutine_stack, CHANRECV);
    add(&goroutine_stack, CHANRECV1);
    add(&goroutine_stack, CALLBACKG1);
    add(&goroutine_stack, CALLBACK);
}

static void a_callback_before_the_channel_is_explained(void **state) {
    (void)state;
    make_parked_callback();
    threads[1].role_name = "event thread";
    assert_true(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    assert_string_equal(text, "thread 101 (event thread) has called into Go (goroutine 17) and waits on main_init_done, which does "
                              "not exist yet: a receive from a nil channel never ends");
    snprintf(goroutine.wait_reason, sizeof goroutine.wait_reason, "chan receive");
    assert_true(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    assert_non_null(strstr(text, "waits on main_init_done: the library's initialisation has not ended"));
    m.thread = 0; /* found by its stack then */
    m.g0.low = 0x8000;
    m.g0.high = 0x9000;
    threads[2].has_registers = true;
    threads[2].registers[ITR_REGISTER_RSP] = 0x8800;
    assert_true(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    assert_memory_equal(text, "thread 102 has called", 21);
}

static void a_users_own_receive_is_not(void **state) {
    (void)state;
    add(&goroutine_stack, PARK);
    add(&goroutine_stack, CHANRECV1);
    add(&goroutine_stack, USER);
    add(&goroutine_stack, CALLBACKG1);
    assert_true(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    assert_string_equal(text, "thread 101 has called into Go (goroutine 17), which waits (chan receive (nil chan)) in main.user");
    goroutine_stack.frames[2].guessed = true; /* where is not known */
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    assert_string_equal(text, "");
    goroutine_stack.frames[2].guessed = false;
    goroutine_stack.frames[3].guessed = true; /* that C has called is not known */
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    goroutine_stack.frames[3].guessed = false;
    goroutine.status = ITR_GOROUTINE_RUNNABLE;
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    goroutine.status = ITR_GOROUTINE_WAITING;
    stacks.goroutines.libraries = 2; /* whose thread is it? */
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    stacks.goroutines.libraries = 0;
    goroutine_stack.count = 0;
    make_parked_callback();
    goroutine_stack.frames[3].guessed = true;
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    goroutine_stack.frames[3].guessed = false;
    goroutine.status = ITR_GOROUTINE_RUNNABLE;
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
}

static void the_consoles_lock_is_explained(void **state) {
    (void)state;
    add(&thread_stacks[0], ENTER);
    add(&thread_stacks[0], SET_CTRL);
    add(&thread_stacks[0], USER);
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text)); /* nobody holds it */
    add(&thread_stacks[1], WAIT);
    add(&thread_stacks[1], CTRL);
    threads[0].role = ITR_ROLE_MAIN;
    assert_true(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    assert_string_equal(text, "thread 100 (main) waits in SetConsoleCtrlHandler for the console's lock, which thread 101 holds while "
                              "its handler runs");
    thread_stacks[0].frames[0].pc = TP_BASE + TP_C_TEXT + USER * STEP + 8; /* it works, it does not wait */
    assert_false(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
}

static void a_first_call_that_waits_is_explained(void **state) {
    (void)state;
    add(&thread_stacks[0], WAIT);
    add(&thread_stacks[0], WAIT_INIT);
    add(&thread_stacks[2], SCHEDINIT);
    threads[2].role = ITR_ROLE_INIT;
    assert_true(itr_hang_explain(&stacks, &tp_process, text, sizeof text));
    assert_string_equal(text, "thread 100 waits in _cgo_wait_runtime_init_done for the runtime to be ready, whose first thread (102) is "
                              "in tiny.so!runtime.schedinit+0x8");
    char small[20];
    assert_true(itr_hang_explain(&stacks, &tp_process, small, sizeof small));
    assert_string_equal(small, "thread 100 waits in");
}

static void a_threads_goroutine_is_found(void **state) {
    (void)state;
    assert_ptr_equal(itr_stacks_goroutine_of(&stacks, &threads[1]), &goroutine); /* locked to it */
    assert_null(itr_stacks_goroutine_of(&stacks, &threads[0]));
    goroutine.locked = false;
    assert_null(itr_stacks_goroutine_of(&stacks, &threads[1]));
    goroutine.has_thread = true;
    goroutine.m = 4;
    assert_ptr_equal(itr_stacks_goroutine_of(&stacks, &threads[1]), &goroutine);
    m.thread = 0;
    assert_null(itr_stacks_goroutine_of(&stacks, &threads[1]));
    m.g0.low = 0x8000;
    m.g0.high = 0x9000;
    threads[1].has_registers = true;
    threads[1].registers[ITR_REGISTER_RSP] = 0x8ff8;
    assert_ptr_equal(itr_stacks_goroutine_of(&stacks, &threads[1]), &goroutine);
    stacks.goroutines.libraries = 2; /* whose m 4? */
    assert_null(itr_stacks_goroutine_of(&stacks, &threads[1]));
}

static void text_says_what_is_known(void **state) {
    struct itr_text out = {.ceiling = 4096};
    (void)state;
    make_parked_callback();
    goroutine_stack.frames[4].guessed = true;
    goroutine_stack.frames[4].way = ITR_FRAME_SCAN;
    goroutine_stack.end = ITR_STACK_END_LOST;
    goroutine_stack.head = 2;
    goroutine_stack.omitted = 9;
    goroutine.created_at = TP_BASE + TP_C_TEXT + USER * STEP + 4;
    goroutine.parent = 3;
    add(&thread_stacks[1], USER);
    threads[1].name = "na\x1bme";
    threads[1].at_fault = true;
    threads[1].role = ITR_ROLE_INIT;
    stacks.thread_count = 2;
    stacks.threads_left_out = 1;
    stacks.goroutines.more = 5;
    itr_stacks_add_text(&stacks, &tp_process, &out);
    assert_string_equal(itr_text_string(&out), "thread 100:\n"
                                               "     (ends here: no registers)\n"
                                               "\n"
                                               "thread 101 \"na\\x1bme\" (init), at the fault:\n"
                                               "   0  tiny.so!main.user+0x8\n"
                                               "     for goroutine 17 [chan receive (nil chan)]\n"
                                               "\n"
                                               "1 more threads left out\n");
    itr_text_reset(&out);
    itr_stacks_add_goroutines(&stacks, &tp_process, &out);
    assert_string_equal(itr_text_string(&out), "goroutine 17 [chan receive (nil chan), locked to m=4]:\n"
                                               "   0  tiny.so!runtime.gopark+0x8\n"
                                               "   1  tiny.so!runtime.chanrecv+0x8\n"
                                               "      \xe2\x80\xa6 9 frames left out\n"
                                               "  11  tiny.so!runtime.chanrecv1+0x8\n"
                                               "  12  tiny.so!runtime.cgocallbackg1+0x8\n"
                                               "? 13  tiny.so!runtime.cgocallback+0x8 (guessed: scan)\n"
                                               "     (ends here: lost)\n"
                                               "     created at tiny.so!main.user+0x4 in goroutine 3\n"
                                               "\n"
                                               "5 more goroutines left out\n");
    itr_text_release(&out);
    struct itr_text cut = {.ceiling = 100};
    itr_stacks_add_text(&stacks, &tp_process, &cut);
    assert_true(cut.truncated);
    assert_true(cut.length <= 100);
    itr_text_reset(&cut);
    itr_stacks_add_goroutines(&stacks, &tp_process, &cut);
    assert_true(cut.truncated);
    itr_text_release(&cut);
}

static void no_goroutines_are_told_of_where_there_is_no_go(void **state) {
    struct itr_text out = {.ceiling = 4096};
    (void)state;
    itr_stacks_add_goroutines(&stacks, &tp_process, &out);
    assert_true(out.length > 0);
    itr_text_reset(&out);
    stacks.goroutines.count = 0;
    itr_stacks_add_goroutines(&stacks, &tp_process, &out);
    assert_int_equal(out.length, 0);
    stacks.goroutines.libraries = 1;
    itr_stacks_add_goroutines(&stacks, &tp_process, &out);
    assert_string_equal(itr_text_string(&out), "no goroutines: the runtime had made none yet\n");
    itr_text_release(&out);
}

static void json_says_the_same(void **state) {
    (void)state;
    make_parked_callback();
    goroutine_stack.frames[4].guessed = true;
    threads[1].name = "na\"\x1bme";
    threads[1].has_registers = true;
    threads[1].registers[ITR_REGISTER_RIP] = 0x1234;
    add(&thread_stacks[1], USER);
    snprintf(stacks.hang, sizeof stacks.hang, "why");
    json_t *json = itr_stacks_to_json(&stacks, &tp_process);
    assert_non_null(json);
    const char *hang, *location, *name, *rip, *reason, *end;
    json_t *first;
    int certain, locked;
    json_int_t id;
    assert_int_equal(json_unpack(json, "{s:s, s:[o,{s:s, s:{s:s}, s:[{s:s}], s:s}]}", "hang", &hang, "threads", &first, "name",
                                 &name, "registers", "rip", &rip, "frames", "location", &location, "end", &end),
                     0);
    assert_string_equal(hang, "why");
    assert_string_equal(name, "na\"\\x1bme");
    assert_string_equal(rip, "0x1234");
    assert_string_equal(location, "tiny.so!main.user+0x8");
    assert_string_equal(end, "bottom");
    assert_true(json_is_null(json_object_get(first, "goroutine")));
    assert_int_equal(json_integer_value(json_object_get(json_array_get(json_object_get(json, "threads"), 1), "goroutine")), 17);
    json_t *one = json_array_get(json_object_get(json_object_get(json, "goroutines"), "living"), 0);
    assert_int_equal(json_unpack(one, "{s:I, s:s, s:i}", "id", &id, "wait_reason", &reason, "locked_m", &locked), 0);
    assert_int_equal(id, 17);
    assert_string_equal(reason, "chan receive (nil chan)");
    assert_int_equal(locked, 4);
    assert_int_equal(json_unpack(json_array_get(json_object_get(one, "frames"), 4), "{s:b}", "certain", &certain), 0);
    assert_false(certain);
    json_decref(json);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_callback_before_the_channel_is_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_users_own_receive_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_consoles_lock_is_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_first_call_that_waits_is_explained, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_threads_goroutine_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_says_what_is_known, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_goroutines_are_told_of_where_there_is_no_go, set_up, tear_down),
        cmocka_unit_test_setup_teardown(json_says_the_same, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("hang", tests, NULL, NULL);
}
