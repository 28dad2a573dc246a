/* What most self tests share: the program, opened once a group; a folder of each test's own, and in it the place for what a
 * campaign leaves; words to read a summary with. For tests only; what one file alone needs stands there. */
#ifndef INITRACE_FRAMEWORK_TESTS_SELF_H
#define INITRACE_FRAMEWORK_TESTS_SELF_H

#include "framework/tests/program.h"
#include "platform/platform.h"

#include <signal.h>

static char scratch[SCRATCH_PATH_MAX];
static char output[SCRATCH_PATH_MAX + 32]; /* SCRATCH/out */

SCRATCH_UNUSED static int self_set_up_group(void **state) {
    (void)state;
    program_open();
    return 0;
}

SCRATCH_UNUSED static int self_tear_down_group(void **state) {
    (void)state;
    program_close();
    return 0;
}

SCRATCH_UNUSED static int self_set_up(void **state) {
    (void)state;
    scratch_make(scratch);
    snprintf(output, sizeof output, "%s/out", scratch);
    return 0;
}

/* Only a test that failed leaves a program that runs. */
SCRATCH_UNUSED static bool program_was_left(void) {
    return run.started && !run.exited;
}

SCRATCH_UNUSED static void self_end_program(void) {
    if (program_was_left()) {
        uv_process_kill(&run.process, SIGKILL);
        wait_until(program_is_over, "the end of a killed program");
    }
}

SCRATCH_UNUSED static int self_tear_down(void **state) {
    (void)state;
    self_end_program();
    scratch_remove(scratch);
    return 0;
}

#define SELF_TEST(test) cmocka_unit_test_setup_teardown(test, self_set_up, self_tear_down)

/* Says so where nothing can be debugged: the test then ends with 77. */
SCRATCH_UNUSED static bool self_lacks_debugger(void) {
    char why[256];
    bool lacks = !itrp_can_debug(why, sizeof why);
    if (lacks) {
        print_message("skipped: no debugger here: %s\n", why);
    }
    return lacks;
}

/* ---- a summary ---- */

/* The cells of the summary that is on standard output; the caller releases `*json`. */
SCRATCH_UNUSED static const json_t *cells_of_output(json_t **json) {
    *json = json_of_output();
    const json_t *cells = json_object_get(*json, "cells");
    assert_true(json_array_size(cells) > 0);
    return cells;
}

SCRATCH_UNUSED static int64_t number_of(const json_t *json, const char *key) {
    assert_true(json_is_integer(json_object_get(json, key)));
    return json_integer_value(json_object_get(json, key));
}

SCRATCH_UNUSED static int64_t outcomes_of(const json_t *cell, const char *outcome) {
    return json_integer_value(json_object_get(json_object_get(cell, "outcomes"), outcome));
}

#endif
