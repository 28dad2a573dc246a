/* Unit tests of the cache of built libraries, without a Go: what goes into a key and what does not, sources of a library,
 * entries that are put, marked and removed, and the sentences of a GOROOT that cannot build. The GOROOT is a few files. */
#include "framework/golib_parts.h"
#include "framework/tests/scratch.h"
#include "platform/platform.h"

#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum { NOBODY = INT32_MAX, HOUR_S = 3600, DAY_S = 24 * HOUR_S }; /* no system has a process of that id */

static char scratch[SCRATCH_PATH_MAX];
static struct itr_error error;
static struct itr_layout layout;

static int set_up(void **state) {
    (void)state;
    error = (struct itr_error){0};
    scratch_make(scratch);
    itr_layout_of(&layout, scratch);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

/* Gives FOLDER/NAME this age. */
static void set_age(const char *folder, const char *name, double age_s) {
    char path[2 * SCRATCH_PATH_MAX];
    uv_fs_t request;
    double then = (double)time(NULL) - age_s;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(uv_fs_utime(NULL, &request, path, then, then, NULL), 0);
    uv_fs_req_cleanup(&request);
}

/* With the folders before it; the file's time is always the same. */
static void write_file(const char *folder, const char *name, const char *text) {
    char path[2 * SCRATCH_PATH_MAX];
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    for (char *at = path + strlen(scratch) + 1; *at != '\0'; at++) {
        if (*at == '/') {
            *at = '\0';
            (void)uv_fs_mkdir(NULL, &request, path, 0777, NULL);
            uv_fs_req_cleanup(&request);
            *at = '/';
        }
    }
    scratch_write(folder, name, text, strlen(text));
    assert_int_equal(uv_fs_utime(NULL, &request, path, 1e9, 1e9, NULL), 0);
    uv_fs_req_cleanup(&request);
}

/* ---- the key ---- */

static char root[SCRATCH_PATH_MAX + 32];
static struct itr_golib_sources sources[2];
static char *names[] = {(char *)(uintptr_t) "minimal", (char *)(uintptr_t) "other"};
static char *flags[] = {(char *)(uintptr_t) "-race", (char *)(uintptr_t) "-x"};
static struct itr_arm_spec arm;
static struct itr_changes changes;

static void make_goroot(const char *name) {
    snprintf(root, sizeof root, "%s/%s", scratch, name);
    write_file(root, "VERSION", "go1.19.8");
    write_file(root, "src/runtime/proc.go", "package runtime\n");
    write_file(root, "src/runtime/internal/atomic/a.go", "package atomic\n");
    write_file(root, "src/runtime/asm.s", "// a\n");
    write_file(root, "pkg/include/textflag.h", "// h\n");
    write_file(root, "pkg/tool/linux_amd64/compile", "tool");
    write_file(root, "pkg/tool/linux_amd64/vet", "tool");
}

static struct itr_golib_inputs make_inputs(void) {
    write_file(scratch, "golibs/minimal/minimal.go", "package main\n");
    write_file(scratch, "golibs/other/other.go", "package main\n");
    for (size_t i = 0; i < COUNT(names); i++) {
        char folder[SCRATCH_PATH_MAX + 64];
        snprintf(folder, sizeof folder, "%s/golibs/%s", scratch, names[i]);
        assert_int_equal(itr_golib_read_sources(folder, "linux", &sources[i], &error), ITR_OK);
    }
    arm = (struct itr_arm_spec){0};
    return (struct itr_golib_inputs){.root = root, .version = "go1.19.8", .system = "linux", .arm = &arm, .changes = &changes,
                                     .sources = sources, .names = {.items = names, .count = COUNT(names)}};
}

static uint64_t key_of(const struct itr_golib_inputs *inputs) {
    uint64_t key = 0;
    if (itr_golib_key(inputs, &key, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    return key;
}

static void the_same_inputs_have_the_same_key(void **state) {
    (void)state;
    make_goroot("go");
    struct itr_golib_inputs inputs = make_inputs();
    uint64_t key = key_of(&inputs);
    assert_true(key == key_of(&inputs));
    make_goroot("elsewhere/go/of/another/name");
    assert_true(key == key_of(&inputs)); /* the same files, with their times */
    snprintf(arm.label, sizeof arm.label, "another name");
    arm.environment = (struct itr_strings){.items = flags, .count = 1}; /* the hosts', not the compiler's */
    assert_true(key == key_of(&inputs));
}

/* What no build reads. */
static void some_files_are_not_in_the_key(void **state) {
    static const char *const left_out[] = {
        "src/runtime/proc_test.go", "src/runtime/testdata/x.go", "src/cmd/go/main.go", "src/runtime/.hidden.go", "src/runtime/_x.go",
        "src/runtime/_asm/x.go",    "pkg/tool/linux_amd64/pprof", "pkg/tool/linux_amd64/vet", "bin/go", "test/x.go", "VERSION",
    };
    (void)state;
    make_goroot("go");
    struct itr_golib_inputs inputs = make_inputs();
    uint64_t key = key_of(&inputs);
    for (size_t i = 0; i < COUNT(left_out); i++) {
        write_file(root, left_out[i], "something else");
        if (key != key_of(&inputs)) {
            fail_msg("%s changes the key", left_out[i]);
        }
    }
}

static void any_change_of_the_goroot_is_another_key(void **state) {
    static const char *const changed[] = {
        "src/runtime/proc.go", "src/runtime/internal/atomic/a.go", "src/runtime/asm.s", "pkg/include/textflag.h",
        "pkg/tool/linux_amd64/compile", "pkg/tool/windows_amd64/link.exe", "src/runtime/new.go", "src/new/new.go", "src/runtime/cmd/x.go",
    };
    uint64_t seen[2 * COUNT(changed) + 1];
    size_t count = 0;
    (void)state;
    make_goroot("go");
    struct itr_golib_inputs inputs = make_inputs();
    seen[count++] = key_of(&inputs);
    for (size_t i = 0; i < COUNT(changed); i++) {
        write_file(root, changed[i], "another size");
        seen[count++] = key_of(&inputs);
        set_age(root, changed[i], 0); /* the same size at another time */
        seen[count++] = key_of(&inputs);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_true(seen[i] != seen[k]);
        }
    }
}

static void any_change_of_an_arm_is_another_key(void **state) {
    static char joined[] = "-race-x";
    static char *one[] = {joined};
    uint64_t seen[16];
    size_t count = 0;
    (void)state;
    make_goroot("go");
    struct itr_golib_inputs inputs = make_inputs();
    seen[count++] = key_of(&inputs);
    inputs.version = "go1.19.9";
    seen[count++] = key_of(&inputs);
    inputs.version = "go1.19.8";
    inputs.system = "windows";
    seen[count++] = key_of(&inputs);
    inputs.system = "linux";
    arm.flags = (struct itr_strings){.items = flags, .count = 1};
    seen[count++] = key_of(&inputs);
    arm.flags.count = 2;
    seen[count++] = key_of(&inputs);
    arm.flags = (struct itr_strings){.items = one, .count = 1};
    seen[count++] = key_of(&inputs);
    arm.flags = (struct itr_strings){0};
    struct itr_changed_file *file = NULL;
    changes = (struct itr_changes){.root = root};
    assert_int_equal(itr_changes_file(&changes, "runtime/proc.go", &file, &error), ITR_OK);
    assert_true(key_of(&inputs) == seen[0]); /* looked at, not changed */
    itr_changes_set(file, strdup("a"), 1);
    seen[count++] = key_of(&inputs);
    itr_changes_set(file, NULL, 0);
    seen[count++] = key_of(&inputs);
    itr_changes_release(&changes);
    changes = (struct itr_changes){0};
    write_file(scratch, "golibs/minimal/minimal.go", "package Main\n"); /* size and time stay */
    seen[count++] = key_of(&inputs);
    snprintf(sources[1].flags, sizeof sources[1].flags, "-s");
    seen[count++] = key_of(&inputs);
    sources[1].for_system = false;
    seen[count++] = key_of(&inputs);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (seen[i] == seen[k]) {
                fail_msg("changes %u and %u have one key", (unsigned)i, (unsigned)k);
            }
        }
    }
}

static void the_c_compiler_is_in_the_key_where_it_is_used(void **state) {
    char before[256];
    size_t length = sizeof before;
    (void)state;
    make_goroot("go");
    struct itr_golib_inputs inputs = make_inputs();
    bool had = uv_os_getenv("CC", before, &length) == 0;
    (void)uv_os_unsetenv("CC");
    uint64_t key = key_of(&inputs);
    inputs.system = "windows";
    uint64_t windows = key_of(&inputs);
    assert_int_equal(uv_os_setenv("CC", "clang"), 0);
    assert_true(windows == key_of(&inputs)); /* one key on both systems */
    inputs.system = "linux";
    if (strcmp(itrp_system_family(), "linux") == 0) { /* getenv() of mingw has an environment of its own */
        assert_true(key != key_of(&inputs));
        assert_string_equal(itr_golib_c_compiler("linux"), "clang");
    }
    assert_string_equal(itr_golib_c_compiler("windows"), "");
    assert_int_equal(had ? uv_os_setenv("CC", before) : uv_os_unsetenv("CC"), 0);
}

static void a_goroot_that_is_none_has_no_key(void **state) {
    struct itr_golib_inputs inputs;
    char path[300];
    uint64_t key = 0;
    (void)state;
    make_goroot("go");
    inputs = make_inputs();
    snprintf(root, sizeof root, "%s/nowhere", scratch);
    assert_int_equal(itr_golib_key(&inputs, &key, &error), ITR_E_SYSTEM);
    assert_contains(error.text, "/nowhere/src: ");
    make_goroot("go");
    snprintf(path, sizeof path, "src/");
    for (int i = 0; i < 30; i++) {
        snprintf(path + strlen(path), sizeof path - strlen(path), "d/");
    }
    snprintf(path + strlen(path), sizeof path - strlen(path), "x.go");
    write_file(root, path, "");
    assert_int_equal(itr_golib_key(&inputs, &key, &error), ITR_E_LIMIT);
    assert_contains(error.text, "folders deep");
}

/* ---- sources ---- */

static void read_sources(enum itr_status status, const char *system, const char *part) {
    char folder[SCRATCH_PATH_MAX + 16];
    snprintf(folder, sizeof folder, "%s/lib", scratch);
    assert_int_equal(itr_golib_read_sources(folder, system, &sources[0], &error), status);
    if (status != ITR_OK) {
        assert_contains(error.text, part);
    }
}

static void sources_are_go_files_in_order(void **state) {
    (void)state;
    write_file(scratch, "lib/b.go", "");
    write_file(scratch, "lib/a.go", "");
    write_file(scratch, "lib/README", "");
    read_sources(ITR_OK, "linux", NULL);
    assert_int_equal(sources[0].count, 2);
    assert_string_equal(sources[0].files[0], "a.go");
    assert_string_equal(sources[0].files[1], "b.go");
    assert_true(sources[0].for_system);
    assert_string_equal(sources[0].flags, "");
}

static void linker_flags_limit_a_library_to_their_systems(void **state) {
    (void)state;
    write_file(scratch, "lib/a.go", "");
    write_file(scratch, "lib/ldflags.windows", "-extldflags \"-Wl,--x\"\r\nsecond line\n");
    read_sources(ITR_OK, "windows", NULL);
    assert_true(sources[0].for_system);
    assert_string_equal(sources[0].flags, "-extldflags \"-Wl,--x\"");
    read_sources(ITR_OK, "linux", NULL);
    assert_false(sources[0].for_system);
    write_file(scratch, "lib/ldflags.linux", "\n"); /* no flags, but for that system too */
    read_sources(ITR_OK, "linux", NULL);
    assert_true(sources[0].for_system);
}

static void sources_that_cannot_be_are_refused(void **state) {
    char text[ITR_GOLIB_FLAGS_MAX + 64];
    char name[64];
    (void)state;
    read_sources(ITR_E_NOT_FOUND, "linux", "cannot list");
    write_file(scratch, "lib/ldflags.linux", "");
    read_sources(ITR_E_FORMAT, "linux", "expected one line with the linker's flags");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    write_file(scratch, "lib/ldflags.linux", text);
    read_sources(ITR_E_LIMIT, "linux", "bytes of flags");
    for (int i = 0; i <= ITR_GOLIB_SOURCES_MAX; i++) {
        snprintf(name, sizeof name, "lib/%d.go", i);
        write_file(scratch, name, "");
    }
    read_sources(ITR_E_LIMIT, "windows", "more than 32 sources");
}

/* ---- entries ---- */

static char libraries[SCRATCH_PATH_MAX + 32];

static void path_of(const char *name, char *path) {
    snprintf(libraries, sizeof libraries, "%s/lib/initrace", scratch);
    snprintf(path, 2 * (size_t)SCRATCH_PATH_MAX, "%s/%s", libraries, name);
}

/* Made and not used for so long. */
static void make_entry(const char *name, double age_s) {
    char path[2 * SCRATCH_PATH_MAX];
    path_of(name, path);
    write_file(path, "minimal.so", name);
    write_file(path, "arm.json", "{}");
    set_age(path, "arm.json", age_s);
}

static void assert_there(const char *name, bool there) {
    char path[2 * SCRATCH_PATH_MAX];
    path_of(name, path);
    if (itr_path_exists(path) != there) {
        fail_msg("%s is %s", name, there ? "gone" : "still there");
    }
}

static void assert_content(const char *name, const char *text) {
    char path[2 * SCRATCH_PATH_MAX];
    path_of(name, path);
    char *content = scratch_read(path, "minimal.so");
    assert_non_null(content);
    assert_string_equal(content, text);
    free(content);
}

#define A "go1.19.8-00000000000000aa"
#define B "go1.19.8-00000000000000bb"
#define C "go1.19.8-00000000000000cc"
#define D "go1.27-00000000000000dd"

static void put(const char *from, const char *to) {
    char from_path[2 * SCRATCH_PATH_MAX];
    char to_path[2 * SCRATCH_PATH_MAX];
    path_of(from, from_path);
    path_of(to, to_path);
    if (itr_golib_put(from_path, to_path, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
}

static void an_entry_is_put_in_its_place_once(void **state) {
    (void)state;
    make_entry("first", 0);
    put("first", A);
    assert_there("first", false);
    assert_content(A, "first");
    make_entry("second", 0);
    put("second", A); /* the first stays */
    assert_there("second", false);
    assert_content(A, "first");
}

static void half_an_entry_is_replaced(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    path_of(B, path);
    write_file(path, "minimal.so", "half");
    make_entry("whole", 0);
    assert_false(itr_golib_is_whole(path));
    put("whole", B);
    assert_true(itr_golib_is_whole(path));
    assert_content(B, "whole");
    struct itr_strings left = {0};
    assert_int_equal(itr_layout_folders(libraries, &left, &error), ITR_OK);
    assert_int_equal(left.count, 1);
    itr_layout_release(&left);
}

static void what_cannot_be_put_says_so(void **state) {
    char from[2 * SCRATCH_PATH_MAX];
    char to[2 * SCRATCH_PATH_MAX];
    (void)state;
    make_entry(A, 0);
    path_of("nothing", from);
    path_of(B, to);
    assert_int_equal(itr_golib_put(from, to, &error), ITR_E_SYSTEM);
    assert_contains(error.text, "cannot make ");
}

static void a_mark_is_left_and_makes_it_new(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    char mark[96];
    (void)state;
    path_of(A, path);
    assert_false(itr_golib_mark(path));
    write_file(path, "minimal.so", "half");
    assert_false(itr_golib_mark(path)); /* not whole */
    make_entry(A, 2 * HOUR_S);
    make_entry(B, HOUR_S + 60);
    assert_true(itr_golib_mark(path));
    snprintf(mark, sizeof mark, A "/in-use.%s.%d", itrp_system_name(), (int)uv_os_getpid());
    assert_there(mark, true);
    itr_golib_prune(libraries, "", 1);
    assert_there(A, true);
    assert_there(B, false);
}

static void the_longest_unused_are_removed(void **state) {
    (void)state;
    make_entry(A, 5 * HOUR_S);
    make_entry(B, 3 * HOUR_S);
    make_entry(C, 4 * HOUR_S);
    make_entry(D, 2 * HOUR_S);
    itr_golib_prune(libraries, "", 4);
    assert_there(A, true);
    itr_golib_prune(libraries, "", 2);
    assert_there(A, false);
    assert_there(C, false);
    assert_there(B, true);
    assert_there(D, true);
}

static void what_is_new_wanted_or_no_entry_stays(void **state) {
    static const char *const others[] = {"go1.19.8", "c", "go1.19.8-x", "go1.19.8-00000000000000AA", "go1.19.8-00000000000000aab"};
    (void)state;
    for (size_t i = 0; i < COUNT(others); i++) {
        make_entry(others[i], 9 * DAY_S);
    }
    make_entry(A, 9 * DAY_S);
    make_entry(B, HOUR_S - 60); /* used in the last hour */
    make_entry(C, 8 * DAY_S);
    itr_golib_prune(libraries, A, 0);
    assert_there(A, true);
    assert_there(B, true);
    assert_there(C, false);
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_there(others[i], true);
    }
}

static void what_is_in_use_stays(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    char name[96];
    (void)state;
    make_entry(A, 9 * DAY_S);
    path_of(A, path);
    snprintf(name, sizeof name, "in-use.%s.%d", itrp_system_name(), (int)uv_os_getpid());
    write_file(path, name, "");
    make_entry(B, 9 * DAY_S);
    path_of(B, path);
    snprintf(name, sizeof name, "in-use.%s.%d", itrp_system_name(), NOBODY);
    write_file(path, name, "");
    make_entry(C, 9 * DAY_S); /* another system's process: nobody can tell, for a week */
    path_of(C, path);
    write_file(path, "in-use.elsewhere.1", "");
    set_age(path, "in-use.elsewhere.1", 6 * DAY_S);
    make_entry(D, 9 * DAY_S);
    path_of(D, path);
    write_file(path, "in-use.elsewhere.1", "");
    set_age(path, "in-use.elsewhere.1", 8 * DAY_S);
    itr_golib_prune(libraries, "", 0);
    assert_there(A, true);
    assert_there(B, false);
    assert_there(C, true);
    assert_there(D, false);
}

static void what_builds_left_that_died_is_removed(void **state) {
    char mine[96];
    char theirs[96];
    char removed[96];
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    path_of(A, path);
    itr_golib_work_folder(libraries, A, path, sizeof path);
    snprintf(mine, sizeof mine, ".building-" A ".%s.%d", itrp_system_name(), (int)uv_os_getpid());
    assert_string_equal(path + strlen(libraries) + 1, mine);
    snprintf(theirs, sizeof theirs, ".building-" A ".%s.%d", itrp_system_name(), NOBODY);
    snprintf(removed, sizeof removed, ".removed-" B ".%s.%d", itrp_system_name(), NOBODY);
    make_entry(mine, 0);
    make_entry(theirs, 0);
    make_entry(removed, 0);
    make_entry(".building-", 0); /* nobody's */
    make_entry(".other", 0);
    itr_golib_prune(libraries, "", 64);
    assert_there(mine, true);
    assert_there(theirs, false);
    assert_there(removed, false);
    assert_there(".building-", true);
    assert_there(".other", true);
}

/* ---- from a layout ---- */

static void the_name_that_a_campaign_recorded_is_used(void **state) {
    static const char *const none[] = {C, "go1.22", "../initrace/" A, "..", "", "..\\" A};
    (void)state;
    make_entry(A, 0);
    make_entry("go1.19.8", 0);
    assert_int_equal(itr_golib_use(&layout, A, &error), ITR_OK);
    assert_int_equal(itr_golib_use(&layout, "go1.19.8", &error), ITR_OK);
    for (size_t i = 0; i < COUNT(none); i++) {
        if (itr_golib_use(&layout, none[i], &error) != ITR_E_NOT_FOUND) {
            fail_msg("\"%s\" is taken", none[i]);
        }
        assert_contains(error.text, "initrace build makes them again");
    }
}

static void assert_roots(enum itr_status status, const char *wanted, size_t count, const char *part) {
    struct itr_strings roots = {0};
    error = (struct itr_error){0};
    assert_int_equal(itr_golib_roots(&layout, wanted, &roots, &error), status);
    assert_int_equal(roots.count, count);
    if (status != ITR_OK) {
        assert_contains(error.text, part);
    } else {
        assert_string_equal(roots.items[0], part);
    }
    itr_layout_release(&roots);
}

static void roots_are_those_of_the_projects_build(void **state) {
    char gone[SCRATCH_PATH_MAX + 64];
    (void)state;
    make_goroot("go");
    path_of("", gone);
    write_file(libraries, "c/x", "");
    assert_roots(ITR_E_NOT_FOUND, NULL, 0, "no Go library was built");
    write_file(libraries, "go1.19.8/GOROOT", root);
    write_file(libraries, "go1.26.10/GOROOT", root);
    make_entry(A, 0); /* has none, and is nobody's version */
    assert_roots(ITR_OK, NULL, 2, root);
    assert_roots(ITR_OK, "1.19", 1, root);
    assert_roots(ITR_OK, "go1.26.10", 1, root);
    assert_roots(ITR_OK, "./any/path", 1, "./any/path");
    assert_roots(ITR_E_NOT_FOUND, "1.2", 0, "Go 1.2: no library was built with it");
    snprintf(gone, sizeof gone, "%s/gone", scratch);
    write_file(libraries, "go1.26.10/GOROOT", gone);
    assert_roots(ITR_E_NOT_FOUND, "1.26", 0, "the GOROOT of go1.26.10 is not there any more");
    assert_roots(ITR_OK, "1.19", 1, root);
}

static enum itr_status provide(const struct itr_arm_spec *spec, struct itr_golib *golib) {
    struct itr_golib_request request = {.root = root, .arm = spec, .system = "windows"};
    error = (struct itr_error){0};
    return itr_golib_provide(&layout, &request, golib, &error);
}

static void an_entry_that_is_there_needs_no_go(void **state) {
    static char patch[] = "x.diff";
    static char *patches[] = {patch};
    struct itr_golib golib;
    struct itr_golib_inputs inputs;
    char name[64];
    (void)state;
    make_goroot("go");
    write_file(scratch, "share/initrace/golibs/minimal/minimal.go", "package main\n");
    write_file(scratch, "lib/initrace/c/x", "");
    struct itr_arm_spec race = {.flags = {.items = flags, .count = 1}};
    assert_int_equal(provide(&race, &golib), ITR_E_NOT_FOUND);
    bool here = strcmp(itrp_system_family(), "windows") == 0;
    assert_contains(error.text, here ? "on Linux, initrace build '" : "is no GOROOT that can build: bin/go is not in it");
    if (here) {
        assert_contains(error.text, ",flag=-race' --system windows --into '");
        assert_true(error.text[strlen(error.text) - 1] == '\'');
    }
    inputs = make_inputs();
    snprintf(sources[0].folder, sizeof sources[0].folder, "%s/share/initrace/golibs/minimal", scratch);
    inputs.names.count = 1;
    inputs.system = "windows";
    inputs.arm = &race;
    snprintf(name, sizeof name, "go1.19.8-%016llx", (unsigned long long)key_of(&inputs));
    make_entry(name, 0);
    if (provide(&race, &golib) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(golib.name, name);
    snprintf(name, sizeof name, "%s/go", strrchr(scratch, '/') + 1); /* "go" alone says nothing */
    assert_string_equal(golib.label, name);
    assert_false(golib.built);
    struct itr_arm_spec misfit = {.patches = {.items = patches, .count = 1}};
    assert_int_equal(provide(&misfit, &golib), ITR_E_NOT_FOUND);
    assert_contains(error.text, "x.diff");
}

/* As cmake/list_goroot.cmake writes it; `proc` is the line of one file. */
static void list_goroot(const char *proc) {
    char text[1024];
    snprintf(text, sizeof text,
             "%s15 1000000000 src/runtime/internal/atomic/a.go\n5 1000000000 src/runtime/asm.s\n5 1000000000 pkg/include/textflag.h\n"
             "4 1000000000 pkg/tool/linux_amd64/compile\n",
             proc);
    write_file(scratch, "lib/initrace/go1.19.8/GOROOT.files", text);
}

static void the_projects_own_libraries_are_those_of_the_goroot_as_it_was(void **state) {
    static const char good[] = "16 1000000000 src/runtime/proc.go\n";
    static const char *const others[] = {"", "16 1000000001 src/runtime/proc.go\n", "17 1000000000 src/runtime/proc.go\n",
                                         "16 1000000000 src/runtime/proc1.go\n", "16 1000000000 \n", "x 1000000000 src/runtime/proc.go\n",
                                         "16 1000000000 src/runtime/proc.go\n16 1000000000 src/runtime/new.go\n"};
    struct itr_golib golib;
    (void)state;
    make_goroot("go");
    write_file(scratch, "share/initrace/golibs/minimal/minimal.go", "package main\n");
    write_file(scratch, "lib/initrace/go1.19.8/GOROOT", root);
    write_file(scratch, "lib/initrace/go1.19.8/minimal.dll", "x");
    assert_int_equal(provide(NULL, &golib), ITR_E_NOT_FOUND); /* nobody knows of which files they were made */
    list_goroot(good);
    if (provide(NULL, &golib) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(golib.name, "go1.19.8");
    for (size_t i = 0; i < COUNT(others); i++) {
        list_goroot(others[i]);
        if (provide(NULL, &golib) == ITR_OK) {
            fail_msg("listing %u is taken for that of the GOROOT", (unsigned)i);
        }
    }
    list_goroot(good);
    write_file(root, "src/runtime/proc.go", "package runtime // edited\n");
    assert_int_equal(provide(NULL, &golib), ITR_E_NOT_FOUND);
    assert_contains(error.text, "bin/go");
}

/* Each in one sentence, whatever lacks. */
static void a_goroot_that_is_none_is_told(void **state) {
    static const struct {
        const char *file;
        const char *part;
    } rows[] = {{"README", "is no GOROOT: no file VERSION"},
                {"VERSION", "is no GOROOT that can build: src/runtime is not in it"},
                {"src/runtime/proc.go", "is no GOROOT that can build: pkg/include is not in it"},
                {"pkg/include/textflag.h", "is no GOROOT that can build: pkg/tool is not in it"}};
    struct itr_golib golib;
    (void)state;
    snprintf(root, sizeof root, "%s/none", scratch);
    assert_int_equal(provide(NULL, &golib), ITR_E_NOT_FOUND);
    assert_contains(error.text, "is no GOROOT: no file VERSION");
    for (size_t i = 0; i < COUNT(rows); i++) {
        write_file(root, rows[i].file, "go1.19.8\n");
        assert_int_equal(provide(NULL, &golib), ITR_E_NOT_FOUND);
        assert_contains(error.text, rows[i].part);
    }
}

int main(void) {
#define GOLIB_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        GOLIB_TEST(the_same_inputs_have_the_same_key),
        GOLIB_TEST(some_files_are_not_in_the_key),
        GOLIB_TEST(any_change_of_the_goroot_is_another_key),
        GOLIB_TEST(any_change_of_an_arm_is_another_key),
        GOLIB_TEST(the_c_compiler_is_in_the_key_where_it_is_used),
        GOLIB_TEST(a_goroot_that_is_none_has_no_key),
        GOLIB_TEST(sources_are_go_files_in_order),
        GOLIB_TEST(linker_flags_limit_a_library_to_their_systems),
        GOLIB_TEST(sources_that_cannot_be_are_refused),
        GOLIB_TEST(an_entry_is_put_in_its_place_once),
        GOLIB_TEST(half_an_entry_is_replaced),
        GOLIB_TEST(what_cannot_be_put_says_so),
        GOLIB_TEST(a_mark_is_left_and_makes_it_new),
        GOLIB_TEST(the_longest_unused_are_removed),
        GOLIB_TEST(what_is_new_wanted_or_no_entry_stays),
        GOLIB_TEST(what_is_in_use_stays),
        GOLIB_TEST(what_builds_left_that_died_is_removed),
        GOLIB_TEST(the_name_that_a_campaign_recorded_is_used),
        GOLIB_TEST(roots_are_those_of_the_projects_build),
        GOLIB_TEST(an_entry_that_is_there_needs_no_go),
        GOLIB_TEST(the_projects_own_libraries_are_those_of_the_goroot_as_it_was),
        GOLIB_TEST(a_goroot_that_is_none_is_told),
    };
    return cmocka_run_group_tests_name("golib", tests, NULL, NULL);
}
