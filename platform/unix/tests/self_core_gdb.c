/* Core files of hosts with a Go library as gdb reads them: each thread once and with its registers, the signal, memory,
 * the libraries. */
#include "platform/unix/tests/run_debugger.h"

#if !defined(INITRACE_FAULTY) || !defined(INITRACE_LIBRARY_HOST)
#error "INITRACE_FAULTY names the library that fails, INITRACE_LIBRARY_HOST the host"
#endif

#define EACH "thread apply all printf \"at %#lx sp %#lx word 0x%lx\\n\", (long)$pc, (long)$sp, *(long *)$sp"

static char core_path[SCRATCH_PATH_MAX + 64];
static json_t *evidence; /* of the trial */

/* Runs one trial that fails so, and opens the core file in its evidence. */
static void open_core(const char *fault) {
    char variable[64];
    char path[SCRATCH_PATH_MAX + 128];
    char words[3 * SCRATCH_PATH_MAX];
    json_error_t why;
    snprintf(variable, sizeof variable, "INITRACE_FAULT=%s", fault);
    RUN(1, "run", "--library", INITRACE_FAULTY, "--function", "InitraceProbe", "--env", variable, "--count", "1",
        "--deadline", "3s", "--seed", "1", "--quiet", "--evidence", "1", "--output", output);
    snprintf(path, sizeof path, "%s/failures/0/evidence/evidence.json", output);
    snprintf(core_path, sizeof core_path, "%s/failures/0/evidence/core", output);
    evidence = json_load_file(path, 0, &why);
    assert_non_null(evidence);
    snprintf(words, sizeof words,
             "gdb -nx -batch -iex 'set auto-load no' -iex 'set language c' -iex 'set width 0' -x commands '%s' '%s'",
             INITRACE_LIBRARY_HOST, core_path);
    run_debugger(words, EACH "\nbt\ninfo sharedlibrary\n");
}

/* What gdb says of the thread behind its heading, "Thread 2 (Thread 0x7f… (LWP 12)):". */
static void check_thread(const json_t *thread) {
    char word[64];
    int64_t id = number_of(thread, "id");
    const char *pc = json_string_value(json_object_get(thread, "pc"));
    snprintf(word, sizeof word, "[New LWP %lld]", (long long)id);
    assert_told_times(1, word);
    snprintf(word, sizeof word, "(LWP %lld))", (long long)id);
    const char *heading = debugger_text;
    while ((heading = strstr(heading, word)) != NULL && strncmp(heading + strlen(word), ":\nat ", 5) != 0) {
        heading += strlen(word);
    }
    if (heading == NULL || pc == NULL) {
        fail_msg("nothing of thread %lld:\n%s", (long long)id, debugger_text);
        return;
    }
    snprintf(word, sizeof word, "at %s sp 0x", pc);
    if (strncmp(heading + strcspn(heading, "\n") + 1, word, strlen(word)) != 0) {
        fail_msg("thread %lld is not at %s:\n%s", (long long)id, pc, debugger_text);
    }
}

static void check_threads(void) {
    size_t i = 0;
    const json_t *thread = NULL;
    const json_t *threads = json_object_get(evidence, "threads");
    assert_true(json_array_size(threads) > 1);
    json_array_foreach(threads, i, thread) {
        check_thread(thread);
    }
    assert_told_times(json_array_size(threads), " word 0x");
    assert_told("\nThread 1 (");
    assert_told_times(0, "Cannot access memory");
}

static void a_fault_is_where_it_was(void **state) {
    (void)state;
    open_core("go");
    check_threads();
    assert_told("Program terminated with signal SIGSEGV");
    assert_told("#0  main.touch (");
    assert_told(" in runtime.main (");
    assert_told(INITRACE_FAULTY "\n");
}

static void a_host_that_hangs_has_no_signal(void **state) {
    (void)state;
    open_core("hang");
    check_threads();
    assert_told_times(0, "Program terminated");
    assert_told(INITRACE_FAULTY "\n");
}

static int tear_down(void **state) {
    json_decref(evidence);
    evidence = NULL;
    return self_tear_down(state);
}

int main(void) {
    if (!can_run("gdb --version")) {
        print_message("skipped: no gdb here\n");
        return 77;
    }
    if (self_lacks_debugger()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_fault_is_where_it_was, self_set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_host_that_hangs_has_no_signal, self_set_up, tear_down),
    };
    return cmocka_run_group_tests_name("core_gdb", tests, self_set_up_group, self_tear_down_group);
}
