/* Linux only: processes that a debugged host makes are not hurt by the breakpoint that is in its code, in whatever
 * way they were made, and the host's own threads still come to it. */
#include "framework/image.h"
#include "framework/ledger.h"
#include "platform/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#if !defined(INITRACE_CONTRACT_CHILD) || !defined(INITRACE_CHILDREN_LIBRARY)
#error "the program built from child.c and the library built from children_library.c must be named"
#endif

enum { DEADLINE_MS = 20000, GOOD_CHILDREN = 9, RUNS = 10 };

static bool ended;

static void on_exit_of(struct itrp_process *process, void *context) {
    (void)process;
    ended = true;
    uv_stop(context);
}

static void on_deadline(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

/* Runs a host that makes its children, with a point at what they execute, which counts for threads of `role`. */
static void run_with_point(enum itr_role role, bool in_code) {
    static const char *const words[] = {"hear", NULL};
    struct itr_ledger_request request = {0};
    struct itrp_debug_plan plan = {.library = INITRACE_CHILDREN_LIBRARY, .has_point = true, .code_breakpoints = in_code};
    struct itr_image *image = NULL;
    struct itr_symbol step;
    struct itrp_memory memory = {0};
    struct itrp_process *process = NULL;
    struct itr_error err = {0};
    uv_loop_t loop;
    uv_timer_t timer;
    uv_fs_t opened;

    assert_int_equal(itr_image_open(&image, INITRACE_CHILDREN_LIBRARY, &err), ITR_OK);
    assert_true(itr_image_lookup(image, "children_step", &step));
    itr_image_close(image);
    plan.point = (struct itrp_debug_point){.rva = step.rva, .role = role, .occurrence = 1};
    snprintf(request.library, sizeof request.library, "%s", INITRACE_CHILDREN_LIBRARY);
    snprintf(request.function, sizeof request.function, "children_call");
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    assert_int_equal(itrp_memory_create(&memory, ITR_LEDGER_BYTES, &err), ITR_OK);
    itr_ledger_prepare(memory.base, &request, 1);
    uv_file output = uv_fs_open(NULL, &opened, "contract_debug_children.out",
                                UV_FS_O_CREAT | UV_FS_O_APPEND | UV_FS_O_WRONLY, 0600, NULL);
    assert_true(output >= 0);
    struct itrp_process_spec spec = {.program = INITRACE_CONTRACT_CHILD,
                                     .arguments = words,
                                     .output = output,
                                     .error = output,
                                     .ledger = &memory,
                                     .nonce = 1,
                                     .debug = &plan};
    ended = false;
    assert_int_equal(itrp_process_start(&process, &loop, &spec, on_exit_of, &loop, &err), ITR_OK);
    uv_timer_start(&timer, on_deadline, DEADLINE_MS, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(ended);
    const struct itrp_debug_report *report = itrp_process_debug_report(process);
    assert_string_equal(report->error.text, "");
    assert_int_equal(report->code_breakpoints, in_code);
    assert_int_equal(report->hits, 1);
    assert_int_equal(report->hit_role, role);
    assert_int_equal(report->fault_count, 0);
    assert_int_equal(((struct itr_ledger *)memory.base)->reply.call_result, GOOD_CHILDREN);
    itrp_process_close(process);
    uv_close((uv_handle_t *)&timer, NULL);
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    itrp_memory_close(&memory);
    uv_fs_close(NULL, &opened, output, NULL);
}

static void test_children_are_not_hurt(void **context) {
    (void)context;
    for (int i = 0; i < RUNS; i++) {
        run_with_point(ITR_ROLE_MAIN, true);
        run_with_point(ITR_ROLE_INIT, true);
    }
}

static void test_children_with_registers(void **context) {
    (void)context;
    if (!itrp_has_debug_registers()) {
        print_message("no debug registers here\n");
        skip();
    }
    run_with_point(ITR_ROLE_MAIN, false);
    run_with_point(ITR_ROLE_INIT, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_children_are_not_hurt),
        cmocka_unit_test(test_children_with_registers),
    };
    struct itr_error err = {0};
    if (itrp_guard_enter(&err) != ITR_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (!itrp_can_debug(err.text, sizeof err.text)) {
        fprintf(stderr, "skipped: %s\n", err.text);
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
