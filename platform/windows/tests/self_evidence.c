/* What a campaign finds out about Go's races in the initialisation under Windows, with every Go whose library was built: the
 * first exception of W1 and what it set off, the wait of W2 before the host is ended; and that it finds nothing in hosts that
 * have nothing. */
#include "framework/tests/program.h"
#include "platform/platform.h"

#include <inttypes.h>

#ifndef INITRACE_GO_VERSIONS
#error "INITRACE_GO_VERSIONS lists the versions of Go that libraries were built with, with colons"
#endif

static char scratch[SCRATCH_PATH_MAX];
static char output[SCRATCH_PATH_MAX + 32];
static char version[64];

static int set_up_group(void **state) {
    (void)state;
    program_open();
    return 0;
}

static int tear_down_group(void **state) {
    (void)state;
    program_close();
    return 0;
}

static void renew_scratch(void) {
    scratch_make(scratch);
    snprintf(output, sizeof output, "%s/out", scratch);
}

/* Copies the next version of the list to `version`. */
static bool next_version(const char **list) {
    size_t length = strcspn(*list, ":");
    assert_true(length < sizeof version);
    snprintf(version, sizeof version, "%.*s", (int)length, *list);
    *list += length + ((*list)[length] == ':' ? 1 : 0);
    return length > 0;
}

/* Each test runs for every version, in a folder of its own. */
static void for_each_version(void (*test)(void)) {
    const char *list = INITRACE_GO_VERSIONS;
    unsigned count = 0;
    while (next_version(&list)) {
        renew_scratch();
        test();
        scratch_remove(scratch);
        count++;
    }
    assert_true(count > 0);
}

static bool is_below_1_21(void) {
    int minor = 0;
    return sscanf(version, "go1.%d", &minor) == 1 && minor < 21;
}

/* NULL: no evidence was taken. The caller releases it. */
static json_t *evidence_at(const char *point) {
    char path[SCRATCH_PATH_MAX + 128];
    json_error_t why;
    START("run", "ctrl-c-during-init", "--go", version, "--at", point, "--count", "3", "--evidence", "1", "--seed", "1", "--jobs",
          "1", "--quiet", "--output", output);
    finish(0); /* what is known of these points, the case expects */
    snprintf(path, sizeof path, "%s/failures/0/evidence/evidence.json", output);
    return json_load_file(path, 0, &why);
}

/* ---- looking ---- */

static const char *text_of(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    if (text == NULL) {
        fail_msg("%s: no \"%s\"", version, key);
    }
    return text;
}

static bool is_in(const char *text, const char *part) {
    return strstr(text, part) != NULL;
}

/* Index of the first frame from `from` on whose place has this in it, the number of frames if none does; `certain`: guesses
 * do not count. */
static size_t frame_of(const json_t *stack, const char *part, size_t from, bool certain) {
    const json_t *frames = json_object_get(stack, "frames");
    size_t i = from;
    while (i < json_array_size(frames)) {
        const json_t *frame = json_array_get(frames, i);
        if (is_in(text_of(frame, "location"), part) && (!certain || json_is_true(json_object_get(frame, "certain")))) {
            break;
        }
        i++;
    }
    return i;
}

static size_t frame_count(const json_t *stack) {
    return json_array_size(json_object_get(stack, "frames"));
}

static void show_stack(const json_t *stack) {
    for (size_t i = 0; i < frame_count(stack); i++) {
        const json_t *frame = json_array_get(json_object_get(stack, "frames"), i);
        print_error("  %s%s\n", json_is_true(json_object_get(frame, "certain")) ? " " : "?", text_of(frame, "location"));
    }
}

/* Fails unless the frame is there; its index. */
static size_t need_frame(const json_t *stack, const char *part, size_t from) {
    size_t at = frame_of(stack, part, from, true);
    if (at == frame_count(stack)) {
        show_stack(stack);
        fail_msg("%s: no certain frame with \"%s\" from %zu on", version, part, from);
    }
    return at;
}

static const json_t *thread_that(const json_t *evidence, const char *key, const char *role) {
    size_t i = 0;
    const json_t *thread = NULL;
    json_array_foreach(json_object_get(json_object_get(evidence, "stacks"), "threads"), i, thread) {
        if ((role != NULL && strcmp(text_of(thread, "role"), role) == 0) ||
            (key != NULL && json_is_true(json_object_get(thread, key)))) {
            return thread;
        }
    }
    fail_msg("%s: no thread that is %s", version, role != NULL ? role : key);
    return NULL;
}

static int64_t number_of(const json_t *json, const char *key) {
    if (!json_is_integer(json_object_get(json, key))) {
        fail_msg("%s: no number \"%s\"", version, key);
    }
    return json_integer_value(json_object_get(json, key));
}

/* The minidump has what the evidence says of it. */
static void check_dump(const json_t *evidence) {
    char path[SCRATCH_PATH_MAX + 128];
    char magic[4] = "";
    const json_t *core = json_object_get(evidence, "core");
    snprintf(path, sizeof path, "%s/failures/0/evidence/%s", output, text_of(core, "file"));
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(magic, 1, sizeof magic, file), sizeof magic);
    assert_memory_equal(magic, "MDMP", sizeof magic);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    assert_int_equal(ftell(file), number_of(core, "bytes"));
    fclose(file);
}

/* ---- W1 ---- */

/* From the fault to where the console's thread began. Where needm is inlined, its caller needAndBindM is there. */
static void check_fault_stack(const json_t *stack) {
    size_t at = need_frame(stack, "!runtime.stdcall", 0);
    assert_int_equal(at, 0);
    at = need_frame(stack, "!runtime.need", at);
    at = need_frame(stack, "!runtime.cgocallback", at);
    at = need_frame(stack, "!runtime.callbackasm1", at);
    need_frame(stack, "!CtrlRoutine", at);
}

static void check_cascade(const json_t *cascade) {
    const json_t *runs = json_object_get(cascade, "runs");
    const json_t *first = json_array_get(runs, 0);
    assert_string_equal(text_of(first, "name"), "ACCESS_VIOLATION");
    assert_int_equal(number_of(first, "count"), 1);
    assert_true(is_in(text_of(first, "location"), "!runtime.stdcall"));
    if (!is_below_1_21()) {
        assert_string_equal(text_of(cascade, "shape"), "ACCESS_VIOLATION");
        assert_int_equal(number_of(cascade, "count"), 1);
        return;
    }
    /* Its handler's own abort comes back to the handler until the stack is gone. */
    const json_t *again = json_array_get(runs, 1);
    assert_true(is_in(text_of(cascade, "shape"), "ACCESS_VIOLATION+BREAKPOINT*"));
    assert_true(is_in(text_of(again, "location"), "!runtime.abort"));
    assert_true(number_of(again, "count") > 500);
    assert_true(number_of(cascade, "count") > number_of(again, "count"));
    for (size_t i = 0; i < json_array_size(runs); i++) { /* also those in the system's libraries are named */
        assert_false(is_in(text_of(json_array_get(runs, i), "location"), "other-module"));
    }
}

static void w1(void) {
    json_t *evidence = evidence_at("W1");
    assert_non_null(evidence);
    const json_t *first = json_object_get(evidence, "first");
    print_message("%s: %s\n", version, text_of(evidence, "headline"));
    assert_string_equal(text_of(evidence, "stopped_for"), "fault");
    assert_string_equal(text_of(evidence, "taken"), "fired-again");
    assert_true(json_is_true(json_object_get(evidence, "debugged")));
    assert_string_equal(text_of(first, "exception"), "ACCESS_VIOLATION");
    assert_true(json_is_true(json_object_get(first, "first_chance")));
    assert_string_equal(text_of(first, "access"), "read");
    assert_string_equal(text_of(first, "address"), "0x30");
    assert_string_equal(text_of(first, "points_into"), "null-page");
    assert_string_equal(text_of(first, "thread_role"), "event thread");
    assert_true(is_in(text_of(first, "location"), "minimal.dll!runtime.stdcall"));
    assert_true(is_in(text_of(first, "file"), "runtime/"));
    assert_true(json_object_size(json_object_get(first, "registers")) >= 18);
    check_fault_stack(thread_that(evidence, "at_fault", NULL));
    check_cascade(json_object_get(evidence, "cascade"));
    check_dump(evidence);
    json_decref(evidence);
}

static void the_first_exception_is_told_with_its_stack(void **state) {
    (void)state;
    for_each_version(w1);
}

/* ---- W2 ---- */

static const json_t *waiting_goroutine(const json_t *evidence) {
    size_t i = 0;
    const json_t *one = NULL;
    json_array_foreach(json_object_get(json_object_get(json_object_get(evidence, "stacks"), "goroutines"), "living"), i, one) {
        const char *reason = json_string_value(json_object_get(one, "wait_reason"));
        if (reason != NULL && strcmp(reason, "chan receive (nil chan)") == 0) {
            return one;
        }
    }
    fail_msg("%s: no goroutine that receives from a nil channel", version);
    return NULL;
}

static void w2(void) {
    json_t *evidence = evidence_at("W2");
    assert_non_null(evidence);
    const json_t *stacks = json_object_get(evidence, "stacks");
    const json_t *thread = thread_that(evidence, NULL, "event thread");
    const json_t *waits = waiting_goroutine(evidence);
    print_message("%s: %s\n", version, text_of(stacks, "hang"));
    assert_string_equal(text_of(evidence, "stopped_for"), "asked");
    assert_string_equal(text_of(evidence, "taken"), "in-place");
    assert_null(json_object_get(evidence, "first"));
    /* The goroutine: in the receive, for the callback; its thread: in the scheduler, for CtrlRoutine. */
    assert_string_equal(text_of(waits, "status"), "waiting");
    assert_true(json_is_integer(json_object_get(waits, "locked_m")));
    assert_int_equal(number_of(thread, "goroutine"), number_of(waits, "id"));
    size_t at = need_frame(waits, "!runtime.gopark", 0);
    at = need_frame(waits, "!runtime.chanrecv1", at);
    need_frame(waits, "!runtime.cgocallbackg1", at);
    at = need_frame(thread, "!runtime.stoplockedm", 0);
    at = need_frame(thread, "!runtime.callbackasm1", at);
    need_frame(thread, "!CtrlRoutine", at);
    const char *hang = text_of(stacks, "hang");
    char named[64];
    snprintf(named, sizeof named, "thread %" PRId64 " (event thread) has called into Go", number_of(thread, "id"));
    assert_true(is_in(hang, named));
    assert_true(is_in(hang, "main_init_done") || is_in(hang, "mainInitDoneChan"));
    assert_true(is_in(hang, "a receive from a nil channel never ends"));
    check_dump(evidence);
    json_decref(evidence);
}

static void a_hang_is_explained_before_its_end(void **state) {
    (void)state;
    for_each_version(w2);
}

/* ---- nothing ---- */

static void nothing(void) {
    assert_null(evidence_at("after-W2"));
}

static void a_host_that_does_well_has_no_evidence(void **state) {
    (void)state;
    for_each_version(nothing);
}

int main(void) {
    char why[256];
    if (!itrp_can_debug(why, sizeof why)) {
        print_message("skipped: no debugger here: %s\n", why);
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_exception_is_told_with_its_stack),
        cmocka_unit_test(a_hang_is_explained_before_its_end),
        cmocka_unit_test(a_host_that_does_well_has_no_evidence),
    };
    return cmocka_run_group_tests_name("evidence", tests, set_up_group, tear_down_group);
}
