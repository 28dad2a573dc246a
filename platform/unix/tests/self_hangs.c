/* What the evidence of a hang shows of a Go library that waits in a way that is known (cases/golibs/stuck): which goroutine
 * stands in which function, why, and that the host's main thread is in it. How frames are found is self.stacks' to say. */
#include "framework/tests/sanitized.h"
#include "framework/tests/self.h"

#ifndef INITRACE_STUCK_LIBRARIES
#error "INITRACE_STUCK_LIBRARIES names the libraries that hang, separated by ':'"
#endif

enum { CROWD = 300 }; /* as in hang.go */

struct row {
    const char *way;
    const char *function;
    const char *status;
    const char *reasons; /* one of these words between '|': versions differ; "": it does not wait */
    int64_t count;       /* so many goroutines stand there */
    bool caller;         /* the host's main thread is in it */
};

static const struct row rows[] = {
    {"deadlock", "!main.leftThenRight+", "waiting", "|semacquire|sync.Mutex.Lock|", 1, false},
    {"deadlock", "!main.rightThenLeft+", "waiting", "|semacquire|sync.Mutex.Lock|", 1, false},
    {"deadlock", "!main.deadlock+", "waiting", "|semacquire|sync.WaitGroup.Wait|", 1, true},
    {"network", "!main.acceptNobody+", "waiting", "|IO wait|", 1, true},
    {"mutex", "!main.lockTwice+", "waiting", "|semacquire|sync.Mutex.Lock|", 1, true},
    {"condition", "!main.waitForCondition+", "waiting", "|sync.Cond.Wait|", 1, true},
    {"wait-group", "!main.waitForGroup+", "waiting", "|semacquire|sync.WaitGroup.Wait|", 1, true},
    {"nil-channel", "!main.receiveFromNil+", "waiting", "|chan receive (nil chan)|", 1, true},
    {"channel", "!main.receiveFromNobody+", "waiting", "|chan receive|", 1, true},
    {"empty-select", "!main.selectOfNone+", "waiting", "|select (no cases)|", 1, true},
    {"select", "!main.selectOfTwo+", "waiting", "|select|", 1, true},
    {"crowd", "!main.standInCrowd+", "waiting", "|chan receive|", CROWD, false},
    {"crowd", "!main.waitInCrowd+", "waiting", "|semacquire|sync.WaitGroup.Wait|", 1, true},
    {"busy", "!main.spin+", "running", "", 1, true},
};

static json_t *evidence_of(const char *library, const char *way) {
    char variable[64];
    char path[SCRATCH_PATH_MAX + 128];
    json_error_t why;
    snprintf(variable, sizeof variable, "INITRACE_STUCK_WAY=%s", way);
    START("run", "--library", library, "--function", "InitraceProbe", "--env", variable, "--count", "1", "--deadline", "1s", "--seed",
          "1", "--quiet", "--output", output);
    finish(1);
    snprintf(path, sizeof path, "%s/failures/0/evidence/evidence.json", output);
    json_t *evidence = json_load_file(path, 0, &why);
    assert_non_null(evidence);
    return evidence;
}

static const char *text_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

/* A stack that is whole and has the function on it, beyond doubt. */
static bool stands_in(const json_t *stack, const char *function) {
    size_t i = 0;
    const json_t *frame = NULL;
    json_array_foreach(json_object_get(stack, "frames"), i, frame) {
        if (strstr(text_of(frame, "location"), function) != NULL && json_is_true(json_object_get(frame, "certain"))) {
            return strcmp(text_of(stack, "end"), "bottom") == 0;
        }
    }
    return false;
}

static bool is_one_of(const char *reason, const char *reasons) {
    char word[96];
    snprintf(word, sizeof word, "|%s|", reason);
    return reasons[0] == '\0' ? reason[0] == '\0' : strstr(reasons, word) != NULL;
}

/* The main thread's goroutine, -1 when it is in none. */
static int64_t goroutine_of_main(const json_t *stacks) {
    size_t i = 0;
    const json_t *thread = NULL;
    json_array_foreach(json_object_get(stacks, "threads"), i, thread) {
        const json_t *id = json_object_get(thread, "goroutine");
        if (strcmp(text_of(thread, "role"), "main") == 0) {
            return json_is_integer(id) ? json_integer_value(id) : -1;
        }
    }
    return -1;
}

static void check_goroutines(const struct row *row, const json_t *stacks) {
    int64_t count = 0;
    size_t i = 0;
    const json_t *one = NULL;
    const json_t *goroutines = json_object_get(stacks, "goroutines");
    int64_t of_main = goroutine_of_main(stacks);
    json_array_foreach(json_object_get(goroutines, "living"), i, one) {
        if (!stands_in(one, row->function)) {
            continue;
        }
        count++;
        assert_string_equal(text_of(one, "status"), row->status);
        if (!is_one_of(text_of(one, "wait_reason"), row->reasons)) {
            fail_msg("%s: it waits for \"%s\", not for one of %s", row->function, text_of(one, "wait_reason"), row->reasons);
        }
        assert_true((json_integer_value(json_object_get(one, "id")) == of_main) == row->caller);
    }
    assert_int_equal(count, row->count);
    assert_true(json_is_null(json_object_get(goroutines, "error")));
    assert_int_equal(json_integer_value(json_object_get(goroutines, "unread")), 0);
}

/* What people read first says it, too. */
static void check_sentence(const struct row *row, const json_t *stacks) {
    const char *hang = text_of(stacks, "hang");
    const char *after = strstr(hang, "has called into Go");
    char function[64];
    /* Of the network, the innermost function is the standard library's. */
    bool waits_in_net = strcmp(row->way, "network") == 0;
    snprintf(function, sizeof function, ") in %.*s", waits_in_net ? 4 : (int)strlen(row->function) - 2,
             waits_in_net ? "net." : row->function + 1);
    if (row->caller && row->reasons[0] != '\0' && (after == NULL || strstr(after, function) == NULL)) {
        fail_msg("%s: \"%s\" does not say that it waits%s", row->way, hang, function + 1);
    }
}

static void check_way(const char *library, const char *way) {
    json_t *evidence = evidence_of(library, way);
    const json_t *stacks = json_object_get(evidence, "stacks");
    assert_string_equal(text_of(evidence, "taken"), "in-place");
    assert_int_equal(strncmp(text_of(evidence, "failure"), "hang ", 5), 0);
    print_message("%s: %s\n", way, text_of(stacks, "hang"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].way, way) == 0) {
            check_goroutines(&rows[i], stacks);
            check_sentence(&rows[i], stacks);
        }
    }
    json_decref(evidence);
}

static void each_way_to_hang_is_shown(void **state) {
    static char libraries[] = INITRACE_STUCK_LIBRARIES;
    (void)state;
    /* A sanitizer looks at the runner: one library shows it all paths. */
    for (char *library = strtok(libraries, ":"); library != NULL; library = IS_SANITIZED ? NULL : strtok(NULL, ":")) {
        const char *last = "";
        print_message("%s\n", library);
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            if (strcmp(rows[i].way, last) != 0) {
                check_way(library, rows[i].way);
                scratch_remove(scratch);
                scratch_make(scratch);
                snprintf(output, sizeof output, "%s/out", scratch);
            }
            last = rows[i].way;
        }
    }
}

/* Else the test above would find a hang in any call. */
static void a_call_that_returns_is_no_hang(void **state) {
    static char libraries[] = INITRACE_STUCK_LIBRARIES;
    json_t *json = NULL;
    (void)state;
    START("run", "--library", strtok(libraries, ":"), "--function", "InitraceProbe", "--env", "INITRACE_STUCK_WAY=none", "--count", "1",
          "--seed", "1", "--quiet", "--output", output, "--format", "json");
    wait_until(program_is_over, "the end of the program");
    assert_int_equal(outcomes_of(json_array_get(cells_of_output(&json), 0), "not-fired"), 1);
    json_decref(json);
}

int main(void) {
    if (self_lacks_debugger()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        SELF_TEST(a_call_that_returns_is_no_hang),
        SELF_TEST(each_way_to_hang_is_shown),
    };
    return cmocka_run_group_tests_name("hangs", tests, self_set_up_group, self_tear_down_group);
}
