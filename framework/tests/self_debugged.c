/* What a debugger adds to a run: exact points, which must make no failure that is not there, and perturbed
 * scheduling (--chaos), which must make a race fail that never does by itself (cases/selftest/planted/race.c). */
#include "framework/tests/sanitized.h"
#include "framework/tests/self.h"

#ifndef INITRACE_PLANTED
#error "INITRACE_PLANTED is the folder of the planted libraries, INITRACE_PLANTED_SEEDS the seeds they were made from"
#endif

static const unsigned seeds[] = {INITRACE_PLANTED_SEEDS};

/* ---- exact points ---- */

/* Every shot was fired, but for a few at instructions that a start need not come to, and every one was heard. */
static void assert_all_heard(const char *what, int64_t least) {
    json_t *json = NULL;
    const json_t *cells = cells_of_output(&json);
    for (size_t i = 0; i < json_array_size(cells); i++) {
        const json_t *cell = json_array_get(cells, i);
        int64_t trials = number_of(cell, "trials");
        int64_t heard = outcomes_of(cell, "delivered");
        int64_t missed = outcomes_of(cell, "not-fired");
        const char *go = json_string_value(json_object_get(cell, "go"));
        print_message("%s%s%s: %d points, %d heard, %d not reached\n", what, go != NULL ? ", " : "", go != NULL ? go : "",
                      (int)trials, (int)heard, (int)missed);
        assert_true(json_is_true(json_object_get(cell, "debugged")));
        assert_true(trials >= least);
        assert_int_equal(heard + missed, trials);
        assert_true(missed * 10 <= trials);
    }
    json_decref(json);
}

/* Under a sanitizer to the thread that stands at the point alone: a shot at another one is self.locate's there. */
static void a_go_runtime_hears_what_is_sent_at_its_functions(void **state) {
    static const char *const targets[] = {"init", "main"};
    (void)state;
    if (!itrp_capabilities()->signals) {
        skip(); /* Go on Windows does lose events in its start */
    }
    for (int i = 0; i < TIMES(2, 1); i++) {
        START("run", "sigurg-during-init", "--event", "SIGUSR1", "--delivery", "tgkill", "--target", targets[i], "--sweep",
              "functions", "--seed", "1", "--quiet", "--output", output, "--format", "json");
        finish(0);
        assert_all_heard(i == 0 ? "Go, to init" : "Go, to main", 200);
    }
}

/* Its more than a thousand instructions, or its functions where a trial is slow. */
static void a_plain_library_hears_what_is_sent_at_its_instructions(void **state) {
    char library[2 * SCRATCH_PATH_MAX];
    bool quick = itrp_capabilities()->signals && !IS_SANITIZED;
    (void)state;
    snprintf(library, sizeof library, "%s/planted_nothing_%u%s", INITRACE_PLANTED, seeds[0], itrp_library_suffix());
    START("run", "--library", library, "--function", "InitraceProbe", "--event",
          itrp_capabilities()->signals ? "SIGUSR1" : "CTRL_BREAK", "--sweep", quick ? "instructions" : "functions", "--seed", "1",
          "--quiet", "--output", output, "--format", "json");
    finish(0);
    assert_all_heard("a plain library", quick ? 500 : 30);
}

/* ---- chaos ---- */

/* Runs the library with the race, up to its first crash with --until-fail; gives how many of its trials crashed, and says so. */
static int64_t crashes_of_race(const char *what, int64_t count, bool chaos, const char *option, const char *value) {
    char library[2 * SCRATCH_PATH_MAX];
    char number[32];
    json_t *json = NULL;
    snprintf(library, sizeof library, "%s/planted_race%s", INITRACE_PLANTED, itrp_library_suffix());
    snprintf(number, sizeof number, "%d", (int)count);
    START("run", "--library", library, "--function", "InitraceProbe", "--count", number, "--seed", "1", "--keep", "1", "--quiet",
          "--output", output, "--format", "json", option, value);
    wait_until(program_is_over, "the end of the program");
    const json_t *cell = json_array_get(cells_of_output(&json), 0);
    int64_t crashes = outcomes_of(cell, "crash");
    int64_t trials = number_of(cell, "trials");
    assert_true(trials == count || (chaos && crashes >= 1));
    assert_int_equal(crashes + outcomes_of(cell, "not-fired"), trials); /* no event is fired: all is well */
    assert_true(json_is_true(json_object_get(cell, "chaos")) == chaos);
    const json_t *ci95 = json_object_get(cell, "rate_ci95");
    print_message("the race, %s: %d of %d trials crash, %.2f %% [%.2f, %.2f]\n", what, (int)crashes, (int)trials,
                  100 * json_number_value(json_object_get(cell, "rate")), 100 * json_number_value(json_array_get(ci95, 0)),
                  100 * json_number_value(json_array_get(ci95, 1)));
    json_decref(json);
    return crashes;
}

/* With --chaos 2.7 to 5.7 % of the trials crash. Up to the first one, so that many can be allowed for little time: were it 1.4 % (the lower
 * end of the interval of 8 in 300), none of 1,000 crashes by a chance of less than one in a million. */
static void chaos_finds_a_race_that_never_shows_itself(void **state) {
    (void)state;
    if (!itrp_capabilities()->signals) {
        skip(); /* the library reads a thread's clock, which Windows keeps too coarsely */
    }
    assert_int_equal(crashes_of_race("plain", TIMES(300, 20), false, "--jobs", "2"), 0);
    if (itrp_has_debug_registers()) {
        crashes_of_race("debugged, not perturbed", TIMES(100, 10), false, "--watch", "there@any"); /* for comparison */
    }
    assert_true(crashes_of_race("with --chaos", 1000, true, "--chaos", "--until-fail") >= 1);
}

int main(void) {
    if (self_lacks_debugger()) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        SELF_TEST(a_go_runtime_hears_what_is_sent_at_its_functions),
        SELF_TEST(a_plain_library_hears_what_is_sent_at_its_instructions),
        SELF_TEST(chaos_finds_a_race_that_never_shows_itself),
    };
    return cmocka_run_group_tests_name("debugged", tests, self_set_up_group, self_tear_down_group);
}
