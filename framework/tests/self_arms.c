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

/* ---- several programs, and one that is killed ---- */

static char libraries[SCRATCH_PATH_MAX];
static char entry[SCRATCH_PATH_MAX]; /* FOLDER of the arm, whether it is there or not */

/* An arm that nobody has built before: a tag that no file knows, so nothing but the linking is new. */
static void be_new_arm(const char *what) {
    char tag[64];
    snprintf(tag, sizeof tag, "flag=-tags=%s_%d", what, (int)uv_os_getpid());
    (void)arm_of(tag, NULL);
}

/* Those that begin like this in the folder of libraries; `*last` (may be NULL) has one of them. */
static size_t count_folders(const char *beginning, char *last) {
    uv_fs_t request;
    uv_dirent_t found;
    size_t count = 0;
    assert_true(uv_fs_scandir(NULL, &request, libraries, 0, NULL) >= 0);
    while (uv_fs_scandir_next(&request, &found) == 0) {
        if (strncmp(found.name, beginning, strlen(beginning)) == 0) {
            count++;
            if (last != NULL) {
                snprintf(last, SCRATCH_PATH_MAX, "%s", found.name);
            }
        }
    }
    uv_fs_req_cleanup(&request);
    return count;
}

/* What `build --format json` says of its one arm. */
static bool was_built(void) {
    json_t *json = json_of_output();
    const json_t *library = json_array_get(json_object_get(json, "libraries"), 0);
    bool built = json_is_true(json_object_get(library, "built"));
    snprintf(entry, sizeof entry, "%s", json_string_value(json_object_get(library, "folder")));
    json_decref(json);
    return built;
}

static void find_libraries(void) {
    RUN(0, "build", INITRACE_GO_ROOT, "--format", "json");
    assert_false(was_built());
    snprintf(libraries, sizeof libraries, "%.*s", (int)(strrchr(entry, '/') - entry), entry);
}

static struct {
    uv_process_t process;
    bool over;
    int64_t code;
} other;

static void on_other_ended(uv_process_t *process, int64_t code, int signal) {
    other.over = true;
    other.code = signal == 0 ? code : -1;
    uv_close((uv_handle_t *)process, NULL);
}

static bool other_is_over(void) {
    return other.over;
}

static void start_other(void) {
    char build[] = "build";
    char *arguments[] = {program_path, build, arm, NULL};
    uv_process_options_t options = {.file = program_path, .args = arguments, .exit_cb = on_other_ended};
    memset(&other, 0, sizeof other);
    assert_int_equal(uv_spawn(&loop, &other.process, &options), 0);
}

static void two_programs_build_one_arm_and_both_have_it(void **state) {
    (void)state;
    if (!builds_here()) {
        return;
    }
    find_libraries();
    size_t before = count_folders(version, NULL);
    be_new_arm("planted_twice");
    START("build", arm, "--format", "json");
    start_other();
    finish(0);
    wait_until(other_is_over, "the end of the other program");
    assert_int_equal(other.code, 0);
    (void)was_built();
    assert_int_equal(count_folders(version, NULL), before + 1);
    assert_int_equal(count_folders(".building-", NULL), 0);
    assert_int_equal(count_folders(".removed-", NULL), 0);
    assert_true(scratch_exists(entry, "arm.json") && scratch_exists(entry, "minimal.so"));
    RUN(0, "build", arm, "--format", "json");
    assert_false(was_built());
    scratch_remove(entry);
}

static void a_build_that_is_killed_leaves_nothing_that_is_used(void **state) {
    char half[SCRATCH_PATH_MAX];
    (void)state;
    if (!builds_here()) {
        return;
    }
    find_libraries();
    size_t before = count_folders(version, NULL);
    be_new_arm("planted_killed");
    START("build", arm, "--format", "json");
    for (int i = 0; i < 60000 && count_folders(".building-", half) == 0; i++) {
        assert_false(program_is_over());
        let_pass(1);
    }
    assert_int_equal(uv_process_kill(&run.process, SIGKILL), 0);
    wait_until(program_is_over, "the end of a killed program");
    assert_int_equal(run.signal, SIGKILL);
    assert_int_equal(count_folders(version, NULL), before);
    assert_int_equal(count_folders(half, NULL), 1); /* or it was no build that was killed */
    RUN(0, "build", arm, "--format", "json");
    assert_true(was_built());
    assert_int_equal(count_folders(version, NULL), before + 1);
    assert_int_equal(count_folders(".building-", NULL), 0);
    assert_true(scratch_exists(entry, "arm.json") && scratch_exists(entry, "minimal.so"));
    scratch_remove(entry);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SELF_TEST(what_cannot_be_is_one_sentence),
        SELF_TEST(no_go_gives_the_command),
        SELF_TEST(a_build_that_fails_shows_the_compilers_message),
        SELF_TEST(the_builds_own_libraries_are_used_for_its_goroot),
        SELF_TEST(an_arm_is_built_once_and_changes_what_hosts_do),
        SELF_TEST(two_programs_build_one_arm_and_both_have_it),
        SELF_TEST(a_build_that_is_killed_leaves_nothing_that_is_used),
    };
    return cmocka_run_group_tests_name("arms", tests, set_up_group, self_tear_down_group);
}
