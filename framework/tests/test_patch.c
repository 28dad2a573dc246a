/* Unit tests of the reader of unified diffs: what of them is taken, where hunks go, and what is refused with which words. */
#include "framework/patch.h"
#include "framework/tests/scratch.h"
#include "framework/text.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define HEAD "--- a/src/runtime/a.go\t2026-01-01\n+++ b/src/runtime/a.go\n"
#define VERSION "go1.26.10"

static const char source[] = "one\n\ttwo\nthree\nfour\nfive\nsix\nseven\n";

static enum itr_status apply(const char *patch, const char *text, struct itr_changes *changes, struct itr_error *err) {
    assert_int_equal(itr_changes_give(changes, "runtime/a.go", text, strlen(text), err), ITR_OK);
    return itr_patch_apply("p.diff", patch, strlen(patch), VERSION, changes, err);
}

static void gives(const char *patch, const char *text, const char *wanted) {
    struct itr_changes changes = {0};
    struct itr_error error = {0};
    if (apply(patch, text, &changes, &error) != ITR_OK) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(changes.files[0]->text, wanted);
    assert_true(changes.files[0]->changed);
    itr_changes_release(&changes);
}

static void fails(const char *patch, const char *text, enum itr_status status, const char *part) {
    struct itr_changes changes = {0};
    struct itr_error error = {0};
    enum itr_status got = apply(patch, text, &changes, &error);
    if (got == ITR_OK) {
        fail_msg("taken: %s", patch);
    }
    assert_contains(error.text, part);
    assert_int_equal(got, status);
    itr_changes_release(&changes);
}

static void hunks_go_where_they_say_or_where_they_fit(void **state) {
    (void)state;
    gives(HEAD "@@ -1,3 +1,3 @@ func x\n one\n-\ttwo\n+\tTWO\n three\n@@ -6,2 +6,3 @@\n six\n+6.5\n seven\n", source,
          "one\n\tTWO\nthree\nfour\nfive\nsix\n6.5\nseven\n");
    gives(HEAD "@@ -40,2 +41,1 @@\n four\n-five\n", source, "one\n\ttwo\nthree\nfour\nsix\nseven\n");
    gives(HEAD "@@ -3 +3 @@\n-a\n+b\n", "a\na\na\n", "a\na\nb\n"); /* at its line, whatever is elsewhere */
    gives(HEAD "@@ -1,2 +1,3 @@\n a\n+b\n\n", "a\n\nc\n", "a\nb\n\nc\n"); /* a mail program cut the blank */
    gives("From: x\nSubject: y\n---\n a.go | 1 +\ndiff --git a/src/runtime/a.go b/src/runtime/a.go\nindex 1..2 100644\n"
          "--- a/src/runtime/a.go\n+++ b/src/runtime/a.go\n@@ -1 +1 @@\n-a\n+-- a/src/x\n-- \n2.39.0\n",
          "a\n", "-- a/src/x\n");
    gives("--- src/runtime/a.go\n+++ src/runtime/a.go\n@@ -1 +1 @@\n--- x\n+++ y\n", "-- x\n", "++ y\n");
    gives(HEAD "@@ -1 +1 @@\n-a\n+b\n" HEAD "@@ -1 +1 @@\n-b\n+c\n", "a\n", "c\n"); /* a series */
}

static void ends_of_lines_and_files_are_kept(void **state) {
    (void)state;
    gives(HEAD "@@ -1,2 +1,2 @@\r\n a\r\n-b\r\n+c\r\n", "a\r\nb\r\n", "a\r\nc\r\n");
    gives(HEAD "@@ -1,2 +1,2 @@\n a\n-b\n+c\n", "a\r\nb\r\n", "a\r\nc\r\n");
    gives(HEAD "@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n", "a\nb", "a\nc\n");
    gives(HEAD "@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n", "a\nb\n", "a\nc");
    gives(HEAD "@@ -1,2 +1,2 @@\n-a\n+c\n b\n\\ No newline at end of file\n", "a\nb", "c\nb");
    gives(HEAD "@@ -1,2 +1 @@\n b\n-a\n\\ No newline at end of file\n", "b\na", "b\n");
    gives(HEAD "@@ -1 +1 @@\n-a\n+c\n", "a\nb", "c\nb");
}

static void files_come_and_go(void **state) {
    static const char patch[] = "--- /dev/null\n+++ b/src/runtime/new.go\n@@ -5,0 +1,2 @@\n+x\n+y\n"
                                "--- a/src/runtime/a.go\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n";
    struct itr_changes changes = {0};
    struct itr_changed_file *file = NULL;
    struct itr_error error = {0};
    (void)state;
    assert_int_equal(apply(patch, "a\nb\n", &changes, &error), ITR_OK);
    assert_int_equal(changes.count, 2);
    assert_int_equal(itr_changes_file(&changes, "runtime/a.go", &file, &error), ITR_OK);
    assert_true(file->changed && file->text == NULL);
    assert_int_equal(itr_changes_file(&changes, "runtime/new.go", &file, &error), ITR_OK);
    assert_true(file->changed && !file->in_goroot);
    assert_string_equal(file->text, "x\ny\n");
    itr_changes_release(&changes);
    fails("--- a/src/runtime/a.go\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "a\nb\n", ITR_E_USAGE, "not just the lines that it has");
    fails("--- /dev/null\n+++ b/src/runtime/a.go\n@@ -0,0 +1 @@\n+x\n", "a\n", ITR_E_USAGE, "runtime/a.go is there already in the sources of go1.26.10");
    fails("--- a/src/runtime/b.go\n+++ b/src/runtime/b.go\n@@ -1 +1 @@\n-x\n+y\n", "a\n", ITR_E_USAGE, "runtime/b.go is not in the sources of go1.26.10");
}

static void what_does_not_fit_is_told(void **state) {
    (void)state;
    fails(HEAD "@@ -2,2 +2,2 @@\n two\n-three\n+x\n", source, ITR_E_USAGE, /* white space counts */
          "p.diff:3: the 2 old lines of this hunk are not at line 2 of runtime/a.go of go1.26.10, and were found 0 times, expected once");
    fails(HEAD "@@ -9 +9 @@\n-a\n+x\n", "a\nb\na\n", ITR_E_USAGE, "were found 2 times (lines 1 and 3)");
    fails(HEAD "@@ -6 +6 @@\n-six\n+6\n@@ -1 +1 @@\n-one\n+1\n", source, ITR_E_USAGE,
          "p.diff:6: this hunk belongs at line 1 of runtime/a.go, before the end of the one before it");
    fails(HEAD "@@ -1,2 +1 @@\n one\n-\ttwo\n@@ -2 +2 @@\n-\ttwo\n+x\n", source, ITR_E_USAGE, "before the end of the one before it");
    fails(HEAD "@@ -3,0 +4 @@\n+x\n", source, ITR_E_USAGE, "no old line that shows where it belongs");
}

static void paths_stay_below_src(void **state) {
    static const char *const paths[] = {"/etc/passwd", "../src/a.go", "src/../../a.go", "runtime/a.go", "test/a.go",
                                        "src/", "src//a.go", "\"src/a\\303.go\"", "src/c:/a.go", "src\\a.go"};
    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        char patch[256];
        snprintf(patch, sizeof patch, "--- a/%s\n+++ b/%s\n@@ -1 +1 @@\n-a\n+b\n", paths[i], paths[i]);
        fails(patch, "a\n", ITR_E_USAGE, "p.diff:1: \"");
        fails(patch, "a\n", ITR_E_USAGE, "is no file below src/");
    }
}

static void what_is_no_plain_diff_is_told(void **state) {
    static const struct {
        const char *patch;
        enum itr_status status;
        const char *part;
    } wrong[] = {
        {"", ITR_E_FORMAT, "p.diff: expected a unified diff"},
        {"1c1\n< a\n---\n> b\n", ITR_E_FORMAT, "p.diff: expected a unified diff"},
        {"@@ -1 +1 @@\n-a\n+b\n", ITR_E_FORMAT, "p.diff:1: a hunk without the lines"},
        {HEAD, ITR_E_FORMAT, "p.diff:1: expected a hunk"},
        {HEAD "@@ -1 1 @@\n", ITR_E_FORMAT, "p.diff:3: expected the head of a hunk"},
        {HEAD "@@ -1,0 +1,0 @@\n", ITR_E_FORMAT, "p.diff:3: expected the head of a hunk"},
        {HEAD "@@ -99999999999 +1 @@\n", ITR_E_FORMAT, "p.diff:3: expected the head of a hunk"},
        {HEAD "@@ -1,2 +1 @@\n-a\n+b\n", ITR_E_FORMAT, "p.diff:3: this hunk ends before"},
        {HEAD "@@ -1,2 +1,1 @@\n-a\n+b\n+c\n", ITR_E_FORMAT, "p.diff:6: this line is none of the hunk's"},
        {HEAD "@@ -1,2 +1,1 @@\n-a\nx\n", ITR_E_FORMAT, "p.diff:5: this line is none of the hunk's"},
        {"diff --git a/src/x b/src/y\nrename from src/x\nrename to src/y\n", ITR_E_UNSUPPORTED, "p.diff:2: renames"},
        {"diff --git a/src/x b/src/x\nGIT binary patch\n", ITR_E_UNSUPPORTED, "p.diff:2: renames, copies and binary"},
        {"--- a/src/x.go\n+++ b/src/y.go\n@@ -1 +1 @@\n-a\n+b\n", ITR_E_UNSUPPORTED, "p.diff:1: one file that becomes another"},
        {"--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", ITR_E_UNSUPPORTED, "p.diff:1: one file"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        fails(wrong[i].patch, "a\n", wrong[i].status, wrong[i].part);
    }
}

/* A source and a hunk that repeat themselves cost no more than others. */
static void repetition_is_cheap(void **state) {
    enum { SOURCE_LINES = 200000, HUNK_LINES = 50000 };
    struct itr_text text = {.ceiling = 1 << 22};
    struct itr_text patch = {.ceiling = 1 << 22};
    (void)state;
    itr_text_printf(&patch, HEAD "@@ -1,%d +1,%d @@\n", HUNK_LINES, HUNK_LINES - 1);
    for (int i = 0; i < SOURCE_LINES; i++) {
        itr_text_add(&text, "a\n");
    }
    for (int i = 1; i < HUNK_LINES; i++) {
        itr_text_add(&patch, " a\n");
    }
    itr_text_add(&patch, "-b\n");
    fails(itr_text_string(&patch), itr_text_string(&text), ITR_E_USAGE, "were found 0 times");
    itr_text_release(&text);
    itr_text_release(&patch);
}

static void a_patch_that_is_not_there_is_told(void **state) {
    struct itr_changes changes = {0};
    struct itr_error error = {0};
    (void)state;
    assert_int_equal(itr_patch_apply_file("no/such.diff", VERSION, &changes, &error), ITR_E_NOT_FOUND);
    assert_contains(error.text, "no/such.diff");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hunks_go_where_they_say_or_where_they_fit),
        cmocka_unit_test(ends_of_lines_and_files_are_kept),
        cmocka_unit_test(files_come_and_go),
        cmocka_unit_test(what_does_not_fit_is_told),
        cmocka_unit_test(paths_stay_below_src),
        cmocka_unit_test(what_is_no_plain_diff_is_told),
        cmocka_unit_test(repetition_is_cheap),
        cmocka_unit_test(a_patch_that_is_not_there_is_told),
    };
    return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
