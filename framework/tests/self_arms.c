/* Tests of arms, from outside: libraries are built once, also by two programs at a time, and used by run; what does not fit
 * or cannot be built is one sentence with its exit code. Where no Go runs (Wine) only the sentences are tested. */
#include "framework/commands.h"
#include "framework/layout.h"
#include "framework/tests/self.h"

#ifndef INITRACE_GO_ROOT
#error "INITRACE_GO_ROOT names the GOROOT that the first of the build's libraries were built with"
#endif

static char arm[3 * SCRATCH_PATH_MAX];
static char version[64];

static int set_up_group(void **state) {
    struct itr_error error = {0};
    self_set_up_group(state);
    if (itr_goroot_version(INITRACE_GO_ROOT, version, sizeof version, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    return 0;
}

static bool builds_here(void) {
    return strcmp(itrp_system_family(), "linux") == 0;
}

/* GO and what changes it; ITEM may have a file of the scratch folder behind it. */
static const char *arm_of(const char *item, const char *file) {
    snprintf(arm, sizeof arm, "%s,%s%s%s%s", version, item, file != NULL ? scratch : "", file != NULL ? "/" : "",
             file != NULL ? file : "");
    return arm;
}

/* One line on stderr, with this in it; nothing on stdout. */
static void assert_one_sentence(const char *part) {
    const char *end = strchr(err_text(), '\n');
    assert_string_equal(out_text(), "");
    assert_int_equal(strncmp(err_text(), "initrace: ", 10), 0);
    assert_true(end != NULL && end[1] == '\0');
    assert_contains(err_text(), part);
}

/* ---- what is refused ---- */

static void what_cannot_be_is_one_sentence(void **state) {
    static const char misfit[] = "--- a/src/runtime/proc.go\n+++ b/src/runtime/proc.go\n@@ -1 +1 @@\n-no such line\n+x\n";
    static const char recipe[] = "recipe own\nsummary s\ngo >=1.1\nraces x\nedit runtime/proc.go\nreplace | no such line\nwith | x\n";
    static const char elsewhen[] = "recipe old\nsummary s\ngo <1.2\nraces x\nedit runtime/proc.go\nreplace | a\nwith | b\n";
    (void)state;
    scratch_write(scratch, "misfit.diff", misfit, sizeof misfit - 1);
    scratch_write(scratch, "own.recipe", recipe, sizeof recipe - 1);
    scratch_write(scratch, "old.recipe", elsewhen, sizeof elsewhen - 1);
    RUN(ITR_EXIT_USAGE, "build");
    assert_one_sentence("initrace build ARM");
    RUN(ITR_EXIT_USAGE, "build", arm_of("recpie=x", NULL));
    assert_one_sentence("recpie=x: expected");
    RUN(ITR_EXIT_USAGE, "build", arm_of("recipe=no-such-recipe", NULL));
    assert_one_sentence("recipe no-such-recipe: no recipe of that name");
    RUN(ITR_EXIT_USAGE, "build", arm_of("recipe=", "own.recipe"));
    assert_one_sentence("runtime/proc.go");
    RUN(ITR_EXIT_UNSUPPORTED, "build", arm_of("recipe=", "old.recipe"));
    assert_one_sentence(version);
    RUN(ITR_EXIT_USAGE, "build", arm_of("patch=", "misfit.diff"));
    assert_one_sentence("misfit.diff:3: ");
    RUN(ITR_EXIT_USAGE, "build", arm_of("patch=", "no.diff"));
    assert_one_sentence("no.diff");
    RUN(ITR_EXIT_USAGE, "build", scratch);
    assert_one_sentence("is no GOROOT");
    RUN(ITR_EXIT_USAGE, "build", "0.1");
    assert_one_sentence("Go 0.1: no library was built with it");
    RUN(ITR_EXIT_USAGE, "build", version, "--into", scratch);
    assert_one_sentence("no build tree or installation");
    RUN(ITR_EXIT_USAGE, "build", version, "--system", "plan9");
    assert_one_sentence("expected linux or windows");
}

static void no_go_gives_the_command(void **state) {
    (void)state;
    if (builds_here()) {
        return;
    }
    RUN(ITR_EXIT_USAGE, "build", arm_of("flag=-tags=never_built", NULL));
    assert_one_sentence("on Linux, initrace build '");
    assert_contains(err_text(), ",flag=-tags=never_built' --system windows --into '");
}

static void a_build_that_fails_shows_the_compilers_message(void **state) {
    static const char patch[] = "--- /dev/null\n+++ b/src/runtime/zz_planted.go\n@@ -0,0 +1,2 @@\n+package runtime\n+var planted undefinedType\n";
    (void)state;
    if (!builds_here()) {
        return;
    }
    scratch_write(scratch, "broken.diff", patch, sizeof patch - 1);
    RUN(ITR_EXIT_USAGE, "build", arm_of("patch=", "broken.diff"));
    assert_string_equal(out_text(), "");
    assert_contains(err_text(), "undefinedType");
    assert_contains(err_text(), "could not build it, its messages are above\n");
    RUN(ITR_EXIT_USAGE, "build", arm_of("flag=-no-such-flag", NULL));
    assert_contains(err_text(), "no-such-flag");
}

/* ---- what is built ---- */

/* By their listing the build's own libraries are that GOROOT's: what CMake wrote down is what the program finds. */
static void the_builds_own_libraries_are_used_for_its_goroot(void **state) {
    char expected[128];
    (void)state;
    RUN(0, "build", INITRACE_GO_ROOT);
    snprintf(expected, sizeof expected, "/lib/initrace/%s was there\n", version);
    assert_contains(out_text(), expected);
}

static void assert_losses(bool all, const char *const *words) {
    json_t *json = NULL;
    start_with(NOTHING, words);
    wait_until(program_is_over, "the end of the campaign");
    const json_t *cell = json_array_get(cells_of_output(&json), 0);
    assert_int_equal(outcomes_of(cell, all ? "lost" : "delivered"), 20);
    assert_true(all == json_is_null(json_object_get(cell, "arm")));
    json_decref(json);
}

static void an_arm_is_built_once_and_changes_what_hosts_do(void **state) {
    char folder[SCRATCH_PATH_MAX];
    (void)state;
    if (!builds_here()) {
        return;
    }
    RUN(0, "build", arm_of("recipe=sigurg-forwarded", NULL), "--format", "json");
    json_t *json = json_of_output();
    const json_t *first = json_array_get(json_object_get(json, "libraries"), 0);
    snprintf(folder, sizeof folder, "%s", json_string_value(json_object_get(first, "folder")));
    assert_true(scratch_exists(folder, "arm.json") && scratch_exists(folder, "overlay.json"));
    json_decref(json);
    RUN(0, "build", arm);
    assert_contains(out_text(), folder);
    assert_contains(out_text(), " was there\n");
    assert_losses(true, LIST("run", "sigurg-during-init", "--go", version, "--at", "init-done", "--count", "20", "--seed", "1", "--quiet",
                             "--format", "json", "--evidence", "0", "--output", output));
    snprintf(output, sizeof output, "%s/out2", scratch);
    assert_losses(false, LIST("run", "sigurg-during-init", "--go", version, "--recipe", "sigurg-forwarded", "--at", "init-done", "--count",
                              "20", "--seed", "1", "--quiet", "--format", "json", "--output", output));
    scratch_remove(folder); /* gone: nothing goes on with other libraries */
    RUN(ITR_EXIT_USAGE, "run", "--resume", "--output", output);
    assert_one_sentence("are not there (any more)");
    RUN(ITR_EXIT_USAGE, "replay", output, "0");
    assert_one_sentence("are not there (any more)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SELF_TEST(what_cannot_be_is_one_sentence),
        SELF_TEST(no_go_gives_the_command),
        SELF_TEST(a_build_that_fails_shows_the_compilers_message),
        SELF_TEST(the_builds_own_libraries_are_used_for_its_goroot),
        SELF_TEST(an_arm_is_built_once_and_changes_what_hosts_do),
    };
    return cmocka_run_group_tests_name("arms", tests, set_up_group, self_tear_down_group);
}
