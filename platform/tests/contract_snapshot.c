/* Contract of platform/snapshot.h, the same on every system: hosts that run free and debugged ones are stopped, shown as
 * they are, and go on; the first fault and the exit are waited for; core files keep to their limit. Where a system has no
 * snapshots, it says so. */
#include "framework/ledger.h"
#include "platform/platform.h"
#include "platform/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef INITRACE_CONTRACT_CHILD
#error "the program built from child.c must be named"
#endif

enum { DEADLINE_MS = 20000, STOP_MS = 10000, LOOK_MS = 2 };

#define LIMIT_BYTES (UINT64_C(64) << 20)

static struct {
    uv_loop_t loop;
    uv_timer_t timer;
    uv_timer_t deadline;
    struct itrp_process *process;
    struct itrp_memory memory;
    struct itrp_debug_plan plan;
    uv_file output;
    bool timed_out;
    unsigned exits;
} run;

static char program[4096];
static char directory[4096];

static void on_exit_of(struct itrp_process *process, void *context) {
    (void)process;
    (void)context;
    run.exits++;
    uv_stop(&run.loop);
}

static void on_deadline(uv_timer_t *timer) {
    (void)timer;
    run.timed_out = true;
    uv_stop(&run.loop);
}

static void on_look(uv_timer_t *timer) {
    (void)timer;
    uv_stop(&run.loop);
}

static const struct itr_ledger_reply *reply(void) {
    return &((const struct itr_ledger *)run.memory.base)->reply;
}

static void start(const char *word, const char *argument, bool debugged) {
    const char *arguments[] = {word, argument, NULL};
    struct itr_ledger_request request = {0};
    struct itr_error error = {0};
    struct itrp_process_spec spec = {.program = program,
                                     .arguments = arguments,
                                     .directory = directory,
                                     .output = run.output,
                                     .error = run.output,
                                     .ledger = &run.memory,
                                     .nonce = 77};
    run.plan = (struct itrp_debug_plan){.evidence = true};
    spec.debug = debugged ? &run.plan : NULL;
    itr_ledger_prepare(run.memory.base, &request, 77);
    run.exits = 0;
    run.timed_out = false;
    if (itrp_process_start(&run.process, &run.loop, &spec, on_exit_of, NULL, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    uv_timer_start(&run.deadline, on_deadline, DEADLINE_MS, 0);
    uv_timer_start(&run.timer, on_look, LOOK_MS, LOOK_MS);
}

/* Until the child has said that it is ready. */
static void wait_until_ready(void) {
    while (__atomic_load_n(&reply()->phase_ns[ITR_PHASE_HANDLERS_READY], __ATOMIC_ACQUIRE) == 0) {
        assert_false(run.timed_out);
        assert_int_equal(run.exits, 0);
        uv_run(&run.loop, UV_RUN_ONCE);
    }
}

static const struct itrp_snapshot *wait_until_standing(void) {
    const struct itrp_snapshot *snapshot = NULL;
    while ((snapshot = itrp_process_snapshot(run.process)) == NULL) {
        assert_false(run.timed_out);
        assert_int_equal(run.exits, 0);
        uv_run(&run.loop, UV_RUN_ONCE);
    }
    return snapshot;
}

static void wait_for_exit(void) {
    while (run.exits == 0) {
        assert_false(run.timed_out);
        uv_run(&run.loop, UV_RUN_ONCE);
    }
}

static const struct itrp_snapshot *stop(void) {
    struct itr_error error = {0};
    if (itrp_process_stop(run.process, STOP_MS, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    const struct itrp_snapshot *snapshot = itrp_process_snapshot(run.process);
    assert_non_null(snapshot);
    return snapshot;
}

static void finish(void) {
    uint32_t strays = 0;
    itrp_process_kill(run.process);
    wait_for_exit();
    assert_int_equal(itrp_process_end_tree(run.process, DEADLINE_MS, &strays, NULL), ITR_OK);
    itrp_process_close(run.process);
    run.process = NULL;
    uv_timer_stop(&run.timer);
    uv_timer_stop(&run.deadline);
    uv_run(&run.loop, UV_RUN_DEFAULT);
}

/* ---- what every snapshot has ---- */

static const struct itrp_snapshot_mapping *mapping_of(const struct itrp_snapshot *snapshot, uint64_t address) {
    for (size_t i = 0; i < snapshot->mapping_count; i++) {
        if (address >= snapshot->mappings[i].begin && address < snapshot->mappings[i].end) {
            return &snapshot->mappings[i];
        }
    }
    return NULL;
}

static const struct itr_target_thread *main_thread(const struct itrp_snapshot *snapshot) {
    for (size_t i = 0; i < snapshot->target.thread_count; i++) {
        if (snapshot->target.threads[i].id == reply()->main_thread) {
            return &snapshot->target.threads[i];
        }
    }
    fail_msg("the main thread is not there");
    return NULL;
}

static void assert_whole(const struct itrp_snapshot *snapshot, enum itrp_snapshot_reason reason) {
    uint8_t code[16];
    uint64_t word = 0;
    assert_int_equal(snapshot->reason, reason);
    assert_int_equal(snapshot->target.id, itrp_process_id(run.process));
    assert_int_equal(snapshot->not_stopped, 0);
    assert_false(snapshot->mappings_cut || snapshot->threads_cut || snapshot->descriptors_cut);
    const struct itr_target_thread *thread = main_thread(snapshot);
    assert_int_equal(thread->role, ITR_ROLE_MAIN);
    assert_true(thread->has_registers);
    uint64_t pc = thread->registers[ITR_REGISTER_RIP];
    uint64_t sp = thread->registers[ITR_REGISTER_RSP];
    const struct itrp_snapshot_mapping *stack = mapping_of(snapshot, sp);
    assert_true(itr_target_is_code(&snapshot->target, pc));
    assert_true(itr_target_read(&snapshot->target, pc, code, sizeof code));
    assert_true(itr_target_read_u64(&snapshot->target, sp, &word));
    assert_non_null(stack);
    assert_true(stack->readable && stack->writable && !stack->executable);
    assert_false(itr_target_read_u64(&snapshot->target, 8, &word));
    for (size_t i = 1; i < snapshot->mapping_count; i++) {
        assert_true(snapshot->mappings[i - 1].end <= snapshot->mappings[i].begin);
    }
    for (size_t i = 1; i < snapshot->target.module_count; i++) {
        const struct itr_target_module *before = &snapshot->target.modules[i - 1];
        assert_true(before->base + before->bytes <= snapshot->target.modules[i].base);
    }
    const struct itr_target_module *own = itr_target_module_at(&snapshot->target, reply()->host_base);
    assert_non_null(own);
    assert_int_equal(own->base, reply()->host_base);
    assert_string_equal(own->path, program);
    assert_true(snapshot->descriptor_count >= 3);
}

/* ---- hosts that run free ---- */

static void a_sleeping_host_is_stopped_and_goes_on(void **state) {
    (void)state;
    start("sleep", NULL, false);
    wait_until_ready();
    for (int i = 0; i < 3; i++) {
        const struct itrp_snapshot *snapshot = stop();
        assert_whole(snapshot, ITRP_SNAPSHOT_ASKED);
        const struct itrp_snapshot_thread *thread = &snapshot->threads[main_thread(snapshot) - snapshot->target.threads];
        if (itrp_capabilities()->signals) { /* elsewhere threads' states and calls are not told */
            assert_int_equal(thread->state, 'S');
            assert_true(thread->in_system_call);
            const char *call = itrp_system_call_name(thread->system_call);
            assert_non_null(call);
            assert_true(strstr(call, "nanosleep") != NULL || (i > 0 && strcmp(call, "restart_syscall") == 0));
        }
        assert_false(thread->has_signal);
        itrp_process_go_on(run.process);
        assert_null(itrp_process_snapshot(run.process));
        for (int k = 0; k < 5; k++) {
            uv_run(&run.loop, UV_RUN_ONCE);
        }
        assert_int_equal(run.exits, 0);
    }
    finish();
}

static void a_spinning_host_stands_while_it_is_looked_at(void **state) {
    struct itrp_activity before;
    struct itrp_activity after;
    (void)state;
    start("spin", NULL, false);
    wait_until_ready();
    const struct itrp_snapshot *snapshot = stop();
    assert_whole(snapshot, ITRP_SNAPSHOT_ASKED);
    assert_int_equal(itrp_process_activity(run.process, false, &before, NULL), ITR_OK);
    uv_sleep(100);
    assert_int_equal(itrp_process_activity(run.process, false, &after, NULL), ITR_OK);
    assert_int_equal(after.cpu_ns, before.cpu_ns);
    itrp_process_go_on(run.process);
    uint64_t deadline_ns = uv_hrtime() + (uint64_t)DEADLINE_MS * 1000000u;
    while (after.cpu_ns == before.cpu_ns && uv_hrtime() < deadline_ns) {
        uv_sleep(10);
        assert_int_equal(itrp_process_activity(run.process, false, &after, NULL), ITR_OK);
    }
    assert_true(after.cpu_ns > before.cpu_ns);
    finish();
}

static void a_standing_host_can_be_ended(void **state) {
    (void)state;
    for (int debugged = 0; debugged < 2; debugged++) {
        start("sleep", NULL, debugged != 0);
        wait_until_ready();
        stop();
        finish();
        assert_int_equal(run.exits, 1);
    }
}

static void a_host_that_has_ended_is_not_found(void **state) {
    struct itr_error error = {0};
    (void)state;
    start("exit", "0", false);
    wait_for_exit();
    assert_int_equal(itrp_process_stop(run.process, STOP_MS, &error), ITR_E_NOT_FOUND);
    assert_true(error.text[0] != '\0');
    assert_null(itrp_process_snapshot(run.process));
    itrp_process_go_on(run.process);
    finish();
}

/* ---- debugged ones ---- */

static void a_debugged_host_is_stopped_and_goes_on(void **state) {
    (void)state;
    start("sleep", NULL, true);
    wait_until_ready();
    for (int i = 0; i < 3; i++) {
        assert_whole(stop(), ITRP_SNAPSHOT_ASKED);
        itrp_process_go_on(run.process);
    }
    finish();
}

static void the_first_fault_is_seen_before_the_host_sees_it(void **state) {
    (void)state;
    start("crash", NULL, true);
    const struct itrp_snapshot *snapshot = wait_until_standing();
    assert_whole(snapshot, ITRP_SNAPSHOT_FAULT);
    const struct itr_target_thread *target = main_thread(snapshot);
    const struct itrp_snapshot_thread *thread = &snapshot->threads[target - snapshot->target.threads];
    assert_true(target->at_fault);
    if (itrp_capabilities()->signals) {
        assert_true(thread->has_signal);
        assert_int_equal(thread->signal_address, 8);
        assert_string_equal(itrp_signal_code_name(thread->signal, thread->signal_code), "SEGV_MAPERR");
    } else {
        assert_true(thread->has_exception && thread->exception.first_chance);
        assert_int_equal(thread->exception.code, 0xC0000005);
        assert_int_equal(thread->exception.address, 8);
    }
    const struct itr_target_module *module = itr_target_module_at(&snapshot->target, target->registers[ITR_REGISTER_RIP]);
    assert_non_null(module);
    assert_string_equal(module->path, program);
    itrp_process_go_on(run.process);
    wait_for_exit();
    assert_int_equal(itrp_process_exit(run.process)->signaled, itrp_capabilities()->signals);
    assert_int_equal(itrp_process_debug_report(run.process)->fault_count, 1);
    finish();
}

static void an_exit_is_waited_for(void **state) {
    (void)state;
    start("exit", "23", true);
    const struct itrp_snapshot *snapshot = wait_until_standing();
    assert_whole(snapshot, ITRP_SNAPSHOT_EXIT);
    assert_int_equal(snapshot->exit_status, 23);
    itrp_process_go_on(run.process);
    wait_for_exit();
    assert_false(itrp_process_exit(run.process)->signaled);
    assert_int_equal(itrp_process_exit(run.process)->code, 23);
    finish();
}

/* ---- core files ---- */

static long file_bytes(const char *path, char *head, size_t count) {
    FILE *file = fopen(path, "rb");
    long bytes = -1;
    if (file != NULL) {
        assert_int_equal(fread(head, 1, count, file), count);
        fseek(file, 0, SEEK_END);
        bytes = ftell(file);
        fclose(file);
    }
    return bytes;
}

static void a_core_file_keeps_to_its_limit(void **state) {
    static const char path[] = "contract_snapshot.core";
    const char *magic = itrp_capabilities()->signals ? "\177ELF" : "MDMP";
    struct itrp_core_result whole;
    struct itrp_core_result part;
    struct itr_error error = {0};
    char head[4];
    (void)state;
    start("sleep", NULL, false);
    wait_until_ready();
    const struct itrp_snapshot *snapshot = stop();
    assert_int_equal(itrp_snapshot_write_core(snapshot, path, LIMIT_BYTES, &whole, &error), ITR_OK);
    assert_true(file_bytes(path, head, sizeof head) > 0);
    assert_memory_equal(head, magic, 4);
    assert_int_equal(whole.left_out_bytes, 0);
    assert_true(whole.bytes > 0 && whole.bytes <= LIMIT_BYTES);
    uint64_t limit = whole.bytes / 2;
    assert_int_equal(itrp_snapshot_write_core(snapshot, path, limit, &part, &error), ITR_OK);
    assert_true(part.bytes <= limit);
    assert_true(part.left_out_bytes > 0);
    assert_true(part.left_out_ranges > 0);
    assert_int_equal(itrp_snapshot_write_core(snapshot, path, 100, &part, &error), ITR_E_LIMIT);
    assert_int_equal(file_bytes(path, head, sizeof head), -1);
    assert_int_equal(itrp_snapshot_write_core(snapshot, "not-there/core", LIMIT_BYTES, &part, &error), ITR_E_SYSTEM);
    finish();
}

/* ---- where there are none ---- */

static void a_system_without_snapshots_says_so(void **state) {
    struct itr_error error = {0};
    (void)state;
    start("sleep", NULL, false);
    wait_until_ready();
    assert_int_equal(itrp_process_stop(run.process, STOP_MS, &error), ITR_E_UNSUPPORTED);
    assert_true(error.text[0] != '\0');
    assert_null(itrp_process_snapshot(run.process));
    finish();
}

static void names_are_known(void **state) {
    (void)state;
    assert_string_equal(itrp_snapshot_reason_name(ITRP_SNAPSHOT_FAULT), "fault");
    assert_null(itrp_system_call_name(-5));
    assert_null(itrp_signal_code_name(1, 12345));
}

static int set_up_group(void **state) {
    uv_fs_t request;
    size_t length = sizeof directory;
    (void)state;
    assert_int_equal(uv_fs_realpath(NULL, &request, INITRACE_CONTRACT_CHILD, NULL), 0);
    snprintf(program, sizeof program, "%s", (const char *)request.ptr);
    uv_fs_req_cleanup(&request);
    assert_int_equal(uv_cwd(directory, &length), 0);
    run.output = uv_fs_open(NULL, &request, "contract_snapshot.out", UV_FS_O_CREAT | UV_FS_O_APPEND | UV_FS_O_WRONLY, 0600,
                            NULL);
    uv_fs_req_cleanup(&request);
    assert_true(run.output >= 0);
    assert_int_equal(uv_loop_init(&run.loop), 0);
    assert_int_equal(uv_timer_init(&run.loop, &run.timer), 0);
    assert_int_equal(uv_timer_init(&run.loop, &run.deadline), 0);
    return itrp_memory_create(&run.memory, ITR_LEDGER_BYTES, NULL) == ITR_OK ? 0 : -1;
}

static int tear_down_group(void **state) {
    uv_fs_t request;
    (void)state;
    itrp_memory_close(&run.memory);
    uv_close((uv_handle_t *)&run.timer, NULL);
    uv_close((uv_handle_t *)&run.deadline, NULL);
    uv_run(&run.loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&run.loop), 0);
    uv_fs_close(NULL, &request, run.output, NULL);
    uv_fs_req_cleanup(&request);
    return 0;
}

int main(void) {
    const struct CMUnitTest without[] = {
        cmocka_unit_test(a_system_without_snapshots_says_so),
        cmocka_unit_test(names_are_known),
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sleeping_host_is_stopped_and_goes_on),
        cmocka_unit_test(a_spinning_host_stands_while_it_is_looked_at),
        cmocka_unit_test(a_standing_host_can_be_ended),
        cmocka_unit_test(a_host_that_has_ended_is_not_found),
        cmocka_unit_test(a_debugged_host_is_stopped_and_goes_on),
        cmocka_unit_test(the_first_fault_is_seen_before_the_host_sees_it),
        cmocka_unit_test(an_exit_is_waited_for),
        cmocka_unit_test(a_core_file_keeps_to_its_limit),
        cmocka_unit_test(names_are_known),
    };
    char why[256];
    if (itrp_guard_enter(NULL) != ITR_OK) {
        return 1;
    }
    if (!itrp_capabilities()->snapshots) {
        return cmocka_run_group_tests_name("snapshot", without, set_up_group, tear_down_group);
    }
    if (!itrp_can_debug(why, sizeof why)) {
        print_message("skipped: no debugger here: %s\n", why);
        return 77;
    }
    return cmocka_run_group_tests_name("snapshot", tests, set_up_group, tear_down_group);
}
