/* Stacks and goroutines of a real process: stacks_host.c with a Go library, stopped as for evidence, each thread at a
 * place that is known. */
#include "platform/unix/tests/stacks_process.h"

#ifndef INITRACE_STACKS_LIBRARIES
#error "INITRACE_STACKS_LIBRARIES names the libraries, separated by ':'"
#endif

/* ---- what is said of it ---- */

static const char *function_of(const struct itr_frame *frame) {
    const struct itr_target_module *module = itr_target_module_at(&host.process, itr_frame_code(frame));
    const char *name = "?";
    uint64_t offset;
    if (module != NULL && module->image != NULL) {
        (void)itr_image_symbol_at(module->image, itr_frame_code(frame) - module->base, &name, &offset);
    }
    return name;
}

static void print_stack(const struct itr_stack *stack) {
    for (uint32_t i = 0; i < stack->count; i++) {
        char text[256];
        const struct itr_frame *frame = &stack->frames[i];
        itr_target_describe(&host.process, frame->pc, itr_frame_code(frame), text, sizeof text);
        print_message("  %2u %s %-8s sp=%llx %s\n", i, frame->guessed ? "?" : " ", itr_frame_way_name(frame->way),
                      (unsigned long long)frame->sp, text);
    }
    print_message("  end: %s\n", itr_stack_end_name(stack->end));
}

/* Whether the functions are on the stack in that order, innermost first; others may be between. */
static bool has_frames(const struct itr_stack *stack, const char *const *functions) {
    for (uint32_t i = 0; i < stack->count && *functions != NULL; i++) {
        const char *name = function_of(&stack->frames[i]);
        size_t count = strlen(*functions);
        if (strncmp(name, *functions, count) == 0 && (name[count] == '\0' || strcmp(name + count, ".abi0") == 0)) {
            functions++;
        }
    }
    return *functions == NULL;
}

#define FRAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool is_certain(const struct itr_stack *stack) {
    for (uint32_t i = 0; i < stack->count; i++) {
        if (stack->frames[i].guessed) {
            return false;
        }
    }
    return stack->end == ITR_STACK_END_BOTTOM;
}

/* One thread's stack must have these frames, all of it certain down to the bottom. */
static void expect_thread(const struct itr_goroutines *list, const char *const *functions) {
    struct itr_stack stack;
    for (size_t i = 0; i < host.process.thread_count; i++) {
        itr_unwind_thread(&host.process, &list->stacks, &host.process.threads[i], &stack);
        if (has_frames(&stack, functions)) {
            if (!is_certain(&stack)) {
                print_stack(&stack);
                fail_msg("the stack with %s is not certain", functions[0]);
            }
            return;
        }
    }
    for (size_t i = 0; i < host.process.thread_count; i++) {
        itr_unwind_thread(&host.process, &list->stacks, &host.process.threads[i], &stack);
        print_message("thread %llu\n", (unsigned long long)host.process.threads[i].id);
        print_stack(&stack);
    }
    fail_msg("no thread has %s … %s on its stack", functions[0], functions[1]);
}

static const struct itr_goroutine *find_goroutine(const struct itr_goroutines *list, uint32_t status,
                                                  const char *reason, const char *const *functions) {
    for (size_t i = 0; i < list->count; i++) {
        const struct itr_goroutine *one = &list->items[i];
        if (one->status == status && strcmp(one->wait_reason, reason) == 0 && one->stack != NULL &&
            has_frames(one->stack, functions)) {
            return one;
        }
    }
    return NULL;
}

static const struct itr_goroutine *expect_goroutine(const struct itr_goroutines *list, uint32_t status,
                                                    const char *reason, const char *const *functions) {
    const struct itr_goroutine *one = find_goroutine(list, status, reason, functions);
    if (one == NULL || !is_certain(one->stack)) {
        for (size_t i = 0; i < list->count; i++) {
            char name[64];
            print_message("goroutine %llu [%s, %s]\n", (unsigned long long)list->items[i].id,
                          itr_goroutine_status_name(list->items[i].status, name, sizeof name),
                          list->items[i].wait_reason);
            if (list->items[i].stack != NULL) {
                print_stack(list->items[i].stack);
            }
        }
        fail_msg("no goroutine [%s] with %s, certain down to the bottom", reason, functions[0]);
    }
    return one;
}

/* ---- the test ---- */

static void check_goroutines(const struct itr_goroutines *list) {
    const struct itr_goroutine *one;
    const char *nil = "chan receive (nil chan)";
    assert_int_equal(list->libraries, 1);
    assert_false(list->from_table);
    assert_int_equal(list->unread, 0);
    expect_goroutine(list, ITR_GOROUTINE_WAITING, nil, FRAMES("runtime.gopark", "main.receiveFromNil", "runtime.goexit"));
    one = expect_goroutine(list, ITR_GOROUTINE_WAITING, "chan receive", FRAMES("runtime.chanrecv1", "main.receive", "runtime.goexit"));
    assert_false(one->locked); /* the other one's may be: a callback waits in the same way */
    assert_true(one->created_at != 0);
    expect_goroutine(list, ITR_GOROUTINE_WAITING, nil,
                     FRAMES("main.receiveFromNil", "runtime.cgocallbackg1", "runtime.cgocallback",
                            "runtime.goexit"));
    one = expect_goroutine(list, ITR_GOROUTINE_SYSCALL, "",
                           FRAMES("runtime.cgocall", "main.bridge", "main.goLeaf", "runtime.cgocallbackg",
                                  "runtime.cgocallback", "runtime.cgocall", "main.goLeaf", "runtime.cgocallback",
                                  "runtime.goexit"));
    assert_true(one->has_thread && one->thread != 0 && one->locked);
    expect_goroutine(list, ITR_GOROUTINE_RUNNING, "", FRAMES("main.spin", "runtime.cgocallback"));
}

static void check_threads(const struct itr_goroutines *list) {
    /* C under Go under C under Go under C */
    expect_thread(list, FRAMES("stacks_block", "runtime.asmcgocall", "runtime.cgocall", "main.bridge",
                               "main.goLeaf", "runtime.cgocallback", "crosscall2", "stacks_inner", "runtime.asmcgocall", "main.goLeaf", "runtime.cgocallback", "crosscall2", "stacks_outer",
                               "run"));
    /* a signal's handler, and what it interrupted */
    expect_thread(list, FRAMES("stacks_block", "stacks_handler", "stacks_victim", "run"));
    /* a callback whose goroutine is parked */
    expect_thread(list, FRAMES("runtime.stoplockedm", "runtime.mcall", "crosscall2", "stacks_receiver", "run"));
    /* Go code called from C */
    expect_thread(list, FRAMES("main.spin", "runtime.cgocallback", "crosscall2", "stacks_spinner", "run"));
    /* the main thread, in C alone; a thread of Go's own, down to C's beginning */
    expect_thread(list, FRAMES("stacks_wait", "main"));
    expect_thread(list, FRAMES("runtime.mcall", "runtime.mstart"));
}

/* The goroutine that is to be parked has no way to say that it is. */
static bool has_settled(const struct itr_goroutines *list) {
    return find_goroutine(list, ITR_GOROUTINE_WAITING, "chan receive (nil chan)", FRAMES("main.receiveFromNil", "runtime.cgocallbackg1")) != NULL &&
           find_goroutine(list, ITR_GOROUTINE_RUNNING, "", FRAMES("main.spin")) != NULL;
}

static void check_library(const char *library) {
    struct itr_goroutines list = {0};
    start_host(library);
    hold_settled_host(&list, has_settled);
    check_goroutines(&list);
    check_threads(&list);
    itr_goroutines_release(&list);
    end_host();
}

static void every_stack_is_found_whole(void **state) {
    (void)state;
    for_each_library(INITRACE_STACKS_LIBRARIES, check_library);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_stack_is_found_whole, end_host_of_test),
    };
    return cmocka_run_group_tests_name("stacks", tests, NULL, NULL);
}
