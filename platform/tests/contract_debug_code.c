/* Contract of breakpoints in the code of a debugged host, the same on every system: each arrival of each thread counts once, however many come
 * at the same time, and the host does what it does without them, whatever instruction they are at. */
#include "framework/image.h"
#include "framework/ledger.h"
#include "platform/platform.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#if !defined(INITRACE_CONTRACT_CHILD) || !defined(INITRACE_CODE_LIBRARY)
#error "the program built from child.c and the library built from code_library.c must be named"
#endif

enum { DEADLINE_MS = 120000, CROWD = 160, CROWD_EACH = 40, TIMES = 3, ROOM = 16, RUNS = 3 };

static bool ended;

static void on_exit_of(struct itrp_process *process, void *context) {
    (void)process;
    ended = true;
    uv_stop(context);
}

static void on_deadline(uv_timer_t *timer) {
    uv_stop(timer->loop);
}

static struct itrp_debug_plan plan_of(const char *symbol, enum itr_role role, uint32_t occurrence) {
    struct itrp_debug_plan plan = {.library = INITRACE_CODE_LIBRARY, .code_breakpoints = true};
    struct itr_image *image = NULL;
    struct itr_symbol found;
    struct itr_error err = {0};
    if (symbol != NULL) {
        assert_int_equal(itr_image_open(&image, INITRACE_CODE_LIBRARY, &err), ITR_OK);
        assert_true(itr_image_lookup(image, symbol, &found));
        itr_image_close(image);
        plan.has_point = true;
        plan.point =
            (struct itrp_debug_point){.rva = found.rva, .role = role, .occurrence = occurrence};
    }
    return plan;
}

/* Runs a host that calls `function`, which must return `result`, and gives the report in `report`. */
static void run(const struct itrp_debug_plan *plan, const char *function, int result,
                struct itrp_debug_report *report) {
    static const char *const words[] = {"hear", NULL};
    struct itr_ledger_request request = {0};
    struct itrp_memory memory = {0};
    struct itrp_process *process = NULL;
    struct itr_error err = {0};
    uv_loop_t loop;
    uv_timer_t timer;
    uv_fs_t opened;

    snprintf(request.library, sizeof request.library, "%s", INITRACE_CODE_LIBRARY);
    snprintf(request.function, sizeof request.function, "%s", function);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    assert_int_equal(itrp_memory_create(&memory, ITR_LEDGER_BYTES, &err), ITR_OK);
    itr_ledger_prepare(memory.base, &request, 1);
    uv_file output = uv_fs_open(NULL, &opened, "contract_debug_code.out",
                                UV_FS_O_CREAT | UV_FS_O_APPEND | UV_FS_O_WRONLY, 0600, NULL);
    assert_true(output >= 0);
    struct itrp_process_spec spec = {.program = INITRACE_CONTRACT_CHILD,
                                     .arguments = words,
                                     .output = output,
                                     .error = output,
                                     .ledger = &memory,
                                     .nonce = 1,
                                     .debug = plan};
    ended = false;
    assert_int_equal(itrp_process_start(&process, &loop, &spec, on_exit_of, &loop, &err), ITR_OK);
    uv_timer_start(&timer, on_deadline, DEADLINE_MS, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_true(ended);
    *report = *itrp_process_debug_report(process);
    assert_string_equal(report->error.text, "");
    assert_true(report->code_breakpoints);
    assert_int_equal(itrp_process_exit(process)->code, 0);
    assert_int_equal(((struct itr_ledger *)memory.base)->reply.call_result, result);
    itrp_process_close(process);
    uv_close((uv_handle_t *)&timer, NULL);
    while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    itrp_memory_close(&memory);
    uv_fs_close(NULL, &opened, output, NULL);
}

static void check_crowd(enum itr_role role, uint32_t occurrence, uint32_t hits, bool chaos) {
    struct itrp_debug_plan plan = plan_of("code_step", role, occurrence);
    struct itrp_debug_report report;
    for (uint64_t i = 0; i < RUNS; i++) {
        plan.chaos = chaos;
        plan.chaos_seed = i;
        run(&plan, "code_call_crowd", CROWD, &report);
        assert_true(report.armed);
        assert_int_equal(report.hits, hits);
        assert_int_equal(report.hit_ns != 0, hits == occurrence);
        assert_int_equal(report.fault_count, 0);
    }
}

/* The point stays in to the end: each thread is stepped over it each time. */
static void test_each_arrival_counts_once(void **context) {
    (void)context;
    check_crowd(ITR_ROLE_ANY, CROWD + 1, CROWD, false);
    check_crowd(ITR_ROLE_INIT, CROWD_EACH + 1, CROWD_EACH, false);
}

/* It is taken out while others are on their way into it. */
static void test_hit_amid_a_crowd(void **context) {
    (void)context;
    check_crowd(ITR_ROLE_ANY, 1, 1, false);
    check_crowd(ITR_ROLE_ANY, CROWD / 2, CROWD / 2, false);
}

static void test_crowd_while_perturbed(void **context) {
    (void)context;
    check_crowd(ITR_ROLE_ANY, CROWD + 1, CROWD, true);
    check_crowd(ITR_ROLE_ANY, CROWD / 2, CROWD / 2, true);
}

/* Where the traced thread is stopped again the others pass, too. */
static void test_trace_amid_a_crowd(void **context) {
    struct itrp_debug_plan plan = plan_of(NULL, ITR_ROLE_ANY, 0);
    struct itrp_debug_report report;
    (void)context;
    plan.trace = true;
    plan.trace_role = ITR_ROLE_INIT;
    for (int i = 0; i < RUNS; i++) {
        run(&plan, "code_call_crowd", CROWD, &report);
        assert_true(report.trace_count > 0);
        assert_int_equal(report.fault_count, 0);
    }
}

/* At the last time the breakpoint is taken out, at the others the thread is stepped over it. */
static void check_instruction(const char *function, const char *symbol, int result,
                              uint32_t faults) {
    struct itrp_debug_report report;
    for (uint32_t occurrence = 1; occurrence <= TIMES + 1; occurrence++) {
        struct itrp_debug_plan plan = plan_of(symbol, ITR_ROLE_MAIN, occurrence);
        run(&plan, function, result, &report);
        assert_int_equal(report.hits, occurrence < TIMES ? occurrence : TIMES);
        assert_int_equal(report.hit_ns != 0, occurrence <= TIMES);
        assert_int_equal(report.fault_count, faults);
    }
}

static void test_repeated_instruction(void **context) {
    (void)context;
    check_instruction("code_call_repeat", "code_repeat_here", TIMES * ROOM, 0);
}

static void test_pushed_flags(void **context) {
    (void)context;
    check_instruction("code_call_flags", "code_flags_here", TIMES, 0);
}

static void test_instruction_that_faults(void **context) {
    (void)context;
    check_instruction("code_call_fault", "code_fault_here", TIMES, TIMES);
}

/* The host's handler gets each of them. */
static void test_breakpoint_of_the_hosts_own(void **context) {
    (void)context;
    check_instruction("code_call_own", "code_own_here", TIMES, TIMES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_arrival_counts_once),
        cmocka_unit_test(test_hit_amid_a_crowd),
        cmocka_unit_test(test_crowd_while_perturbed),
        cmocka_unit_test(test_trace_amid_a_crowd),
        cmocka_unit_test(test_repeated_instruction),
        cmocka_unit_test(test_pushed_flags),
        cmocka_unit_test(test_instruction_that_faults),
        cmocka_unit_test(test_breakpoint_of_the_hosts_own),
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
