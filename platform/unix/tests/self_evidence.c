/* What a campaign finds out about trials that fail by themselves: a Go library (cases/selftest/golibs/faulty) that dies in
 * its initialisation in ways that are known to the line. The end of such a process lies, its evidence must not. */
#include "framework/tests/self.h"

#ifndef INITRACE_FAULTIES
#error "INITRACE_FAULTIES and INITRACE_FAULTY_SOURCE name the libraries that die, separated by ':', and their source"
#endif

static char faulties[] = INITRACE_FAULTIES;
static const char *faulty; /* the one that is loaded */

static int set_up_group(void **state) {
    faulty = strtok(faulties, ":");
    return self_set_up_group(state);
}

/* The line of the source that ends with this remark. */
static int64_t line_of(const char *remark) {
    char line[400];
    FILE *file = fopen(INITRACE_FAULTY_SOURCE, "r");
    assert_non_null(file);
    int64_t number = 0;
    int64_t found = 0;
    while (found == 0 && fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, remark);
        number++;
        found = at != NULL && strstr(line, "// faulty: ") != NULL && at[strcspn(at, "\r\n")] != '\0' &&
                        strcspn(at, "\r\n") == strlen(remark)
                    ? number
                    : 0;
    }
    fclose(file);
    assert_true(found > 0);
    return found;
}

/* Runs one trial that dies so, and reads its evidence; the caller releases it. */
static json_t *evidence_of(const char *fault, const char *option, const char *value) {
    char variable[64];
    char path[SCRATCH_PATH_MAX + 128];
    json_error_t why;
    snprintf(variable, sizeof variable, "INITRACE_FAULT=%s", fault);
    START("run", "--library", faulty, "--function", "InitraceProbe", "--env", variable, "--count", "1", "--deadline",
          "5s", "--seed", "1", "--quiet", "--output", output, option, value);
    wait_until(program_is_over, "the end of the program");
    assert_int_equal(run.code, 1);
    snprintf(path, sizeof path, "%s/failures/0/evidence/evidence.json", output);
    return json_load_file(path, 0, &why);
}

static const char *text_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    if (text == NULL) {
        fail_msg("no \"%s\"", key);
    }
    return text;
}

/* Whether a frame's place, "module!function+0x1c", has the word. */
static bool has_frame(const json_t *stack, const char *word) {
    size_t i = 0;
    const json_t *frame = NULL;
    json_array_foreach(json_object_get(stack, "frames"), i, frame) {
        if (strstr(text_of(frame, "location"), word) != NULL) {
            return true;
        }
    }
    return false;
}

/* All threads have a stack, that of the fault the function on it, and the goroutine that initialises the library too. */
static void check_stacks(const json_t *evidence, const char *on_stack) {
    const json_t *stacks = json_object_get(evidence, "stacks");
    const json_t *goroutines = json_object_get(stacks, "goroutines");
    const json_t *one = NULL;
    bool found = false;
    size_t i = 0;
    assert_int_equal(json_array_size(json_object_get(stacks, "threads")), json_array_size(json_object_get(evidence, "threads")));
    json_array_foreach(json_object_get(stacks, "threads"), i, one) {
        assert_true(json_array_size(json_object_get(one, "frames")) > 0);
        if (json_is_true(json_object_get(one, "at_fault"))) {
            assert_true(has_frame(one, on_stack));
            found = true;
        }
    }
    assert_true(found);
    assert_true(json_is_null(json_object_get(goroutines, "error")));
    found = false;
    json_array_foreach(json_object_get(goroutines, "living"), i, one) {
        found = found || (json_integer_value(json_object_get(one, "id")) == 1 && has_frame(one, "!main.init") &&
                          has_frame(one, "!runtime.main"));
    }
    assert_true(found);
}

/* The same as texts: threads in one file, goroutines in the other. */
static void check_texts(const char *on_stack) {
    char *stacks = scratch_read(output, "failures/0/evidence/stacks.txt");
    char *goroutines = scratch_read(output, "failures/0/evidence/goroutines.txt");
    assert_non_null(stacks);
    assert_non_null(goroutines);
    assert_non_null(strstr(stacks, "at the fault:"));
    assert_non_null(strstr(stacks, on_stack));
    assert_null(strstr(stacks, "\ngoroutine "));
    assert_non_null(strstr(goroutines, "goroutine 1 ["));
    assert_null(strstr(goroutines, "\nthread "));
    free(stacks);
    free(goroutines);
}

struct row {
    const char *fault;
    const char *signal;
    const char *code; /* NULL: not looked at */
    const char *end;
    const char *function; /* NULL: not the library's own */
    const char *remark;   /* NULL: not the library's own line */
    const char *pointee;  /* NULL: no address */
    const char *role;
    const char *shape;
    const char *on_stack; /* a function on the stack of the fault */
};

static void check(const struct row *row, const json_t *evidence) {
    const json_t *first = json_object_get(evidence, "first");
    const json_t *trial = json_object_get(evidence, "trial");
    print_message("%s: %s\n", row->fault, text_of(evidence, "headline"));
    assert_true(json_is_true(json_object_get(evidence, "debugged")));
    assert_true(json_is_true(json_object_get(evidence, "same_failure")));
    assert_string_equal(text_of(evidence, "stopped_for"), "fault");
    assert_string_equal(text_of(first, "signal"), row->signal);
    assert_string_equal(text_of(first, "thread_role"), row->role);
    assert_string_equal(text_of(json_object_get(trial, "exit"), "signal"), row->end);
    assert_string_equal(text_of(json_object_get(evidence, "cascade"), "shape"), row->shape);
    if (row->code != NULL) {
        assert_string_equal(text_of(first, "code_name"), row->code);
    }
    if (row->function != NULL) {
        assert_non_null(strstr(text_of(first, "location"), row->function));
    }
    if (row->remark != NULL) {
        const char *file = text_of(first, "file");
        assert_true(strlen(file) >= strlen("faulty.go"));
        assert_string_equal(file + strlen(file) - strlen("faulty.go"), "faulty.go");
        assert_int_equal(json_integer_value(json_object_get(first, "line")), line_of(row->remark));
    }
    if (row->pointee != NULL) {
        assert_string_equal(text_of(first, "points_into"), row->pointee);
    } else {
        assert_null(json_object_get(first, "points_into"));
    }
    assert_true(json_object_size(json_object_get(first, "registers")) >= 18);
    assert_true(strlen(text_of(first, "code")) > 0);
    assert_true(json_array_size(json_object_get(evidence, "threads")) >= 2);
    check_stacks(evidence, row->on_stack);
    check_texts(row->on_stack);
}

/* Before the load nobody has SIGURG, after it Go has: that is said. */
static void check_dispositions(const json_t *evidence) {
    size_t i = 0;
    const json_t *one = NULL;
    bool found = false;
    json_array_foreach(json_object_get(json_object_get(evidence, "dispositions"), "changed"), i, one) {
        if (strcmp(text_of(one, "signal"), "SIGURG") == 0) {
            found = true;
            assert_string_equal(text_of(json_object_get(one, "before-load"), "owner"), "default");
            assert_non_null(strstr(text_of(json_object_get(one, "after-load"), "owner"), "faulty!runtime."));
        }
    }
    assert_true(found);
}

static void check_row(const struct row *expected) {
    struct row row = *expected;
    json_t *evidence = evidence_of(row.fault, "--jobs", "1");
    assert_non_null(evidence);
    /* Versions of Go differ in what they end by. */
    const json_t *trial = json_object_get(evidence, "trial");
    row.end = row.end != NULL ? row.end : text_of(json_object_get(trial, "exit"), "signal");
    row.shape = row.shape != NULL ? row.shape : text_of(json_object_get(evidence, "cascade"), "shape");
    assert_true(strncmp(row.shape, row.signal, strlen(row.signal)) == 0);
    check(&row, evidence);
    check_dispositions(evidence);
    json_decref(evidence);
}

static void the_first_signal_is_told_not_the_last(void **state) {
    static const struct row rows[] = {
        {"go", "SIGSEGV", "SEGV_MAPERR", "SIGABRT", "main.touch", "the Go fault", "null-page", "init", "SIGSEGV+SIGABRT", "!main.touch"},
        {"c", "SIGSEGV", "SEGV_MAPERR", NULL, "faulty_write", "the C fault", "null-page", "init", NULL, "!faulty_write"},
        {"thread", "SIGSEGV", "SEGV_MAPERR", "SIGSEGV", "faulty_thread", "the C thread's fault", "null-page", "any", NULL, "!faulty_thread"},
        {"overflow", "SIGSEGV", "SEGV_ACCERR", NULL, "faulty_deeper", NULL, "stack-guard", "init", NULL, "!faulty_deeper"},
        {"abort", "SIGABRT", "SI_TKILL", "SIGABRT", NULL, NULL, NULL, "init", "SIGABRT", "!faulty_abort"},
    };
    const char *first = faulty;
    (void)state;
    for (; faulty != NULL; faulty = strtok(NULL, ":")) {
        print_message("%s\n", faulty);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            check_row(&rows[i]);
            scratch_remove(scratch);
            scratch_make(scratch);
            snprintf(output, sizeof output, "%s/out", scratch);
        }
    }
    faulty = first;
}

static void a_hang_is_looked_at_before_its_end(void **state) {
    bool waits = false;
    size_t i = 0;
    const json_t *thread = NULL;
    (void)state;
    json_t *evidence = evidence_of("hang", "--jobs", "1");
    assert_non_null(evidence);
    assert_string_equal(text_of(evidence, "stopped_for"), "asked");
    assert_string_equal(text_of(evidence, "taken"), "in-place");
    assert_true(json_is_false(json_object_get(evidence, "debugged")));
    assert_null(json_object_get(evidence, "first"));
    json_array_foreach(json_object_get(evidence, "threads"), i, thread) {
        const char *call = json_string_value(json_object_get(thread, "system_call"));
        waits = waits || (strcmp(text_of(thread, "role"), "main") == 0 && call != NULL && strcmp(call, "futex") == 0 &&
                          strcmp(text_of(thread, "state"), "S") == 0);
    }
    assert_true(waits); /* in _cgo_wait_runtime_init_done */
    json_decref(evidence);
}

static void nobody_looks_where_nobody_asked(void **state) {
    (void)state;
    assert_null(evidence_of("c", "--evidence", "0"));
}

/* ---- core files ---- */

static bool have_gdb(void) {
    char folder[300];
    const char *at = getenv("PATH");
    while (at != NULL && *at != '\0') {
        size_t length = strcspn(at, ":");
        snprintf(folder, sizeof folder, "%.*s", (int)(length < 250 ? length : 250), at);
        if (scratch_exists(folder, "gdb")) {
            return true;
        }
        at += length + (at[length] == ':' ? 1 : 0);
    }
    return false;
}

static void gdb_opens_the_core_file(void **state) {
    char command[2 * SCRATCH_PATH_MAX + 400];
    char line[1000];
    bool names_the_signal = false;
    bool names_the_place = false;
    (void)state;
    json_t *evidence = evidence_of("c", "--core-limit", "64");
    assert_non_null(evidence);
    assert_true(json_integer_value(json_object_get(json_object_get(evidence, "core"), "bytes")) > 0);
    json_decref(evidence);
    if (!have_gdb()) {
        skip();
    }
    snprintf(command, sizeof command,
             "gdb -nx -q -batch -ex 'bt 3' -ex 'print $_siginfo.si_signo' -ex 'info threads' '%s' '%s/failures/0/evidence/core' 2>&1",
             INITRACE_LIBRARY_HOST, output);
    FILE *gdb = popen(command, "r");
    assert_non_null(gdb);
    while (fgets(line, sizeof line, gdb) != NULL) {
        names_the_signal = names_the_signal || strstr(line, "$1 = 11") != NULL;
        names_the_place = names_the_place || (strstr(line, "#0") == line && strstr(line, "faulty_write") != NULL);
    }
    pclose(gdb);
    assert_true(names_the_signal);
    assert_true(names_the_place);
}

static void old_core_files_make_room(void **state) {
    char name[128];
    (void)state;
    START("run", "--library", faulty, "--function", "InitraceProbe", "--env", "INITRACE_FAULT=c", "--count", "3",
          "--evidence", "3", "--core-limit", "64", "--core-total", "0", "--jobs", "1", "--quiet", "--output", output);
    finish(1);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "failures/%d/evidence/core", i);
        assert_true((scratch_exists(output, name) != 0) == (i == 2)); /* the newest stays, whatever the room */
    }
}

static size_t count_cores(int trials, int *newest) {
    size_t count = 0;
    for (int i = 0; i < trials; i++) {
        char name[128];
        snprintf(name, sizeof name, "failures/%d/evidence/core", i);
        if (scratch_exists(output, name)) {
            count++;
            *newest = i;
        }
    }
    return count;
}

/* As if the first run had been killed after two of its three trials. */
static void forget_the_last_trial(void) {
    char *text = scratch_read(output, "trials.jsonl");
    assert_non_null(text);
    char *end = strrchr(text, '\n');
    assert_non_null(end);
    *end = '\0';
    end = strrchr(text, '\n');
    assert_non_null(end);
    scratch_write(output, "trials.jsonl", text, (size_t)(end + 1 - text));
    free(text);
}

static void the_room_for_core_files_holds_over_a_resume(void **state) {
    int newest = -1;
    (void)state;
    START("run", "--library", faulty, "--function", "InitraceProbe", "--env", "INITRACE_FAULT=c", "--count", "3",
          "--evidence", "3", "--core-limit", "64", "--jobs", "1", "--quiet", "--output", output);
    finish(1);
    assert_int_equal(count_cores(3, &newest), 3);
    forget_the_last_trial();
    START("run", "--resume", "--evidence", "3", "--core-limit", "64", "--core-total", "0", "--jobs", "1", "--quiet", "--output", output);
    finish(1);
    assert_int_equal(count_cores(3, &newest), 1);
    assert_int_equal(newest, 2);
    assert_true(scratch_exists(output, "failures/0/evidence/core.removed"));
    assert_true(scratch_exists(output, "failures/1/evidence/core.removed"));
}

int main(void) {
    if (self_lacks_debugger()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        SELF_TEST(the_first_signal_is_told_not_the_last), SELF_TEST(a_hang_is_looked_at_before_its_end),
        SELF_TEST(nobody_looks_where_nobody_asked),       SELF_TEST(gdb_opens_the_core_file),
        SELF_TEST(old_core_files_make_room),              SELF_TEST(the_room_for_core_files_holds_over_a_resume),
    };
    return cmocka_run_group_tests_name("evidence", tests, set_up_group, self_tear_down_group);
}
