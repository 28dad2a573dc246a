/* The core file of a Go program as Delve reads it: threads, goroutines, stacks, variables. Delve reads none of a program in
 * C with a Go library, as it looks for Go in the program alone. */
#include "platform/unix/tests/run_debugger.h"
#include "platform/unix/tests/stacks_process.h"

enum { WORKERS = 3, CORE_BYTES_MAX = 64 << 20 }; /* as in gohost/main.go */

static const char commands[] = "goroutines\nthreads\ngoroutine 1 bt\nprint main.answer\nexit\n";

static bool have_settled(const struct itr_goroutines *list) {
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++) {
        const char *reason = list->items[i].wait_reason;
        count += strcmp(reason, "chan send") == 0 || strcmp(reason, "sleep") == 0 ? 1 : 0;
    }
    return count == WORKERS + 1;
}

static void write_core(const char *path) {
    struct itrp_core_result result;
    struct itr_error err = {0};
    if (itrp_snapshot_write_core(&host.snapshot->shown, path, CORE_BYTES_MAX, &result, &err) != ITR_OK) {
        fail_msg("%s", err.text);
    }
}

static void a_go_program_is_seen_whole(void **state) {
    struct itr_goroutines list = {0};
    char path[SCRATCH_PATH_MAX + 32];
    char words[3 * SCRATCH_PATH_MAX];
    (void)state;
    start_host("");
    hold_settled_host(&list, have_settled);
    itr_goroutines_release(&list);
    snprintf(path, sizeof path, "%s/core", scratch);
    write_core(path);
    snprintf(words, sizeof words,
             "dlv core --check-go-version=false --allow-non-terminal-interactive=true --init commands '%s' '%s'",
             INITRACE_STACKS_HOST, path);
    run_debugger(words, commands);
    assert_true(host.process.thread_count > 1);
    for (size_t i = 0; i < host.process.thread_count; i++) {
        const struct itr_target_thread *thread = &host.process.threads[i];
        char word[64];
        snprintf(word, sizeof word, " Thread %llu at 0x%llx ", (unsigned long long)thread->id,
                 (unsigned long long)thread->registers[ITR_REGISTER_RIP]);
        assert_told_times(1, word);
    }
    assert_told_times(host.process.thread_count, " Thread ");
    assert_told_times(WORKERS, "main.work (0x");
    assert_told_times(WORKERS, "[chan send");
    assert_told(" in time.Sleep\n");
    assert_told(" in main.main\n");
    assert_told(" in runtime.main\n");
    assert_told("4711\n");
    end_host();
}

static int tear_down(void **state) {
    (void)end_host_of_test(state);
    return self_tear_down(state);
}

int main(void) {
    if (!can_run("dlv version")) {
        print_message("skipped: no Delve here\n");
        return 77;
    }
    if (self_lacks_debugger()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_go_program_is_seen_whole, self_set_up, tear_down),
    };
    return cmocka_run_group_tests_name("core_delve", tests, NULL, NULL);
}
