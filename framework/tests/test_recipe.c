/* Unit tests of edit recipes: what a recipe may say, what it makes of a source, and with which words it is refused. The
 * sources are invented. */
#include "framework/overlay.h"
#include "framework/recipe.h"
#include "framework/tests/scratch.h"

#define HEAD "recipe r\nsummary A sentence.\ngo >=1.19 <1.28\nraces W1\n"
#define FILE_A "runtime/a.go"

static const char source[] = "package p\n"            /* 1 */
                             "\n"                     /* 2 */
                             "func one() {\n"         /* 3 */
                             "\tcall(1)\n"            /* 4 */
                             "\tif x {\n"             /* 5 */
                             "\t\tcall(2)\n"          /* 6 */
                             "\t}\n"                  /* 7 */
                             "}\n"                    /* 8 */
                             "\n"                     /* 9 */
                             "func (t *two) one(\n"   /* 10 */
                             "\ta int,\n"             /* 11 */
                             ") {\n"                  /* 12 */
                             "\tcall(1)\n"            /* 13 */
                             "}\n"                    /* 14 */
                             "func three()\n"         /* 15 */
                             "func four() { five() }\n"; /* 16 */

/* Applies a recipe to a text as FILE_A of Go `version`; the result is for free(), NULL after a failure. */
static char *apply_text(const char *recipe_text, const char *text, const char *version, struct itr_error *err) {
    struct itr_recipe recipe;
    struct itr_changes changes = {0};
    char *result = NULL;
    if (itr_recipe_parse("r.recipe", recipe_text, strlen(recipe_text), &recipe, err) != ITR_OK) {
        return NULL;
    }
    assert_int_equal(itr_changes_give(&changes, FILE_A, text, strlen(text), err), ITR_OK);
    if (itr_recipe_apply(&recipe, version, &changes, err) == ITR_OK) {
        struct itr_changed_file *file = NULL;
        assert_int_equal(itr_changes_file(&changes, FILE_A, &file, err), ITR_OK);
        result = malloc(file->count + 1);
        assert_non_null(result);
        memcpy(result, file->text, file->count + 1);
    }
    itr_changes_release(&changes);
    itr_recipe_release(&recipe);
    return result;
}

static void gives(const char *edits, const char *text, const char *version, const char *wanted) {
    struct itr_error error = {0};
    char recipe[4096];
    snprintf(recipe, sizeof recipe, "%s%s", HEAD, edits);
    char *got = apply_text(recipe, text, version, &error);
    if (got == NULL) {
        fail_msg("%s", error.text);
    }
    assert_string_equal(got, wanted);
    free(got);
}

static void fails(const char *edits, const char *version, enum itr_status status, const char *part) {
    struct itr_error error = {0};
    char recipe[4096];
    snprintf(recipe, sizeof recipe, "%s%s", HEAD, edits);
    char *got = apply_text(recipe, source, version, &error);
    assert_null(got);
    assert_contains(error.text, part);
    assert_int_equal(error.status, status);
}

/* ---- what edits do ---- */

static void each_action_does_what_it_says(void **state) {
    static const char text[] = "a\n\tb\nc\n";
    static const struct {
        const char *edit;
        const char *wanted;
    } all[] = {
        {"replace | b\nwith | d\n | \te\n", "a\n\td\n\t\te\nc\n"},
        {"delete | b\n", "a\nc\n"},
        {"before | b\ninsert | d\n |\n | e\n", "a\n\td\n\n\te\n\tb\nc\n"},
        {"after | b\ninsert | d\n", "a\n\tb\n\td\nc\n"},
        {"move | a\nafter | c\n", "\tb\nc\na\n"},
        {"move | c\nbefore | b\n", "a\n\tc\n\tb\n"},
        {"move | a\nbefore | b\n", "\ta\n\tb\nc\n"},
        {"nothing\n", "a\n\tb\nc\n"},
        {"delete\n   # a remark\n  | a\n\n  |   b\n  | c\n", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        char edits[256];
        snprintf(edits, sizeof edits, "edit " FILE_A "\n%s", all[i].edit);
        gives(edits, text, "go1.22.1", all[i].wanted);
    }
}

static void functions_bound_the_search(void **state) {
    (void)state;
    gives("edit " FILE_A " in one\ndelete | call(1)\n",
          "func one() {\n\tcall(1)\n}\nfunc two() {\n\tcall(1)\n}\n", "go1.22",
          "func one() {\n}\nfunc two() {\n\tcall(1)\n}\n");
    gives("edit " FILE_A " in T.one\ndelete | call(1)\n",
          "func one() {\n\tcall(1)\n}\nfunc (t *T[P]) one() {\n\tcall(1)\n}\n", "go1.22",
          "func one() {\n\tcall(1)\n}\nfunc (t *T[P]) one() {\n}\n");
    gives("edit " FILE_A " in f\nafter | func f[T any](a int) { // {\ninsert | x()\n", "func f[T any](a int) { // {\n}\n", "go1.22",
          "func f[T any](a int) { // {\nx()\n}\n");
    gives("edit " FILE_A " in two\nmove | a\nafter in one | b\n",
          "func one() {\n\t\tb\n}\nfunc two() {\n\ta\n}\n", "go1.22", "func one() {\n\t\tb\n\t\ta\n}\nfunc two() {\n}\n");
    fails("edit " FILE_A " in two.one\ndelete | call(2)\n", "go1.22", ITR_E_USAGE, "was found 0 times in \"two.one\", expected once");
    fails("edit " FILE_A " in three\ndelete | call(1)\n", "go1.22", ITR_E_USAGE, "found 0 times in \"three\"");
    fails("edit " FILE_A " in four\ndelete | call(1)\n", "go1.22", ITR_E_USAGE, "found 0 times in \"four\"");
    fails("edit " FILE_A " in six\ndelete | call(1)\n", "go1.22", ITR_E_USAGE, "function \"six\" was found 0 times");
}

static void assembler_has_functions_too(void **state) {
    static const char text[] = "TEXT runtime\xc2\xb7one(SB),NOSPLIT,$0\n\tRET\nTEXT \xc2\xb7two<ABIInternal>(SB),0,$0\n\tRET\n"
                               "TEXT three<>(SB),0,$0\n\tRET\n";
    static const char *const names[] = {"one", "two", "three"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct itr_source lines;
        struct itr_error error = {0};
        size_t first = 0;
        size_t end = 0;
        assert_int_equal(itr_source_split(&lines, "a.s", text, sizeof text - 1, &error), ITR_OK);
        assert_int_equal(itr_source_function(&lines, (struct itr_span){names[i], strlen(names[i])}, &first, &end), 1);
        assert_int_equal(first, 2 * i);
        assert_int_equal(end, 2 * i + 2);
        itr_source_release(&lines);
    }
}

static void the_first_alternative_of_the_version_is_taken(void **state) {
    static const char edits[] = "edit " FILE_A "\nwhen <1.20\ndelete | a\nwhen >=1.20 <1.24\ndelete | b\nwhen >=1.22\nnothing\n";
    (void)state;
    gives(edits, "a\nb\n", "go1.19.8", "b\n");
    gives(edits, "a\nb\n", "go1.22.12", "a\n");
    gives(edits, "a\nb\n", "go1.24.4", "a\nb\n");
    fails("edit " FILE_A "\nwhen <1.20\ndelete | a\n", "go1.22.12", ITR_E_USAGE,
          "edit 1 (line 5): runtime/a.go of go1.22.12: none of the edit's alternatives holds");
}

static void line_ends_are_the_sources_own(void **state) {
    (void)state;
    gives("edit " FILE_A "\r\nafter | a\r\ninsert | n\r\n", "a\nb", "go1.22", "a\nn\nb");
    gives("edit " FILE_A "\nafter | b\ninsert | n\n", "a\r\n  b  \r\n", "go1.22", "a\r\n  b  \r\n  n\r\n");
    gives("edit " FILE_A "\nafter | b\ninsert | n\n", "a\nb", "go1.22", "a\nb\nn\n");
    gives("edit " FILE_A "\nmove | b\nbefore | a\n", "a\nb", "go1.22", "b\na\n");
}

static void edits_side_by_side_keep_their_order(void **state) {
    (void)state;
    gives("edit " FILE_A "\nbefore | b\ninsert | 2\n"
          "edit " FILE_A "\nafter | a\ninsert | 1\n"
          "edit " FILE_A "\nbefore | b\ninsert | 3\n"
          "edit " FILE_A "\nreplace | c\nwith | 5\n"
          "edit " FILE_A "\nafter | b\ninsert | 4\n",
          "a\nb\nc\n", "go1.22", "a\n1\n2\n3\nb\n4\n5\n");
}

/* ---- what does not fit ---- */

static void misfits_say_what_was_found_where(void **state) {
    (void)state;
    fails("edit " FILE_A "\n\ndelete | call(1)\n", "go1.26.10", ITR_E_USAGE,
          "recipe r: edit 1 (line 7): runtime/a.go of go1.26.10: the anchor \"call(1)\" was found 2 times (lines 4 and 13) "
          "in the file, expected once");
    fails("edit " FILE_A "\ndelete | call(2)\nedit " FILE_A "\ndelete | nowhere\n | really\n", "go1.19.8", ITR_E_USAGE,
          "recipe r: edit 2 (line 8): runtime/a.go of go1.19.8: the anchor \"nowhere\" and what follows it was found 0 times");
    fails("edit " FILE_A "\ndelete | call (2)\n", "go1.22", ITR_E_USAGE, "found 0 times");
    fails("edit " FILE_A "\ndelete | call\n", "go1.22", ITR_E_USAGE, "found 0 times"); /* a part of a line is none */
    fails("edit " FILE_A "\ndelete | \x1b[31m\n", "go1.22", ITR_E_USAGE, "\"\\x1b[31m\"");
    fails("edit runtime/b.go\ndelete | call(1)\n", "go1.22", ITR_E_NOT_FOUND, "there is no runtime/b.go in the sources of go1.22");
    fails("edit " FILE_A "\ndelete | call(2)\n", "go1.28", ITR_E_UNSUPPORTED, "recipe r holds for Go >=1.19 <1.28, not for go1.28");
    fails("edit " FILE_A "\ndelete | call(2)\n", "devel", ITR_E_UNSUPPORTED, "not for devel");
}

static void overlaps_are_refused(void **state) {
    static const char *const others[] = {
        "delete | call(2)\n", "before | call(2)\ninsert | x\n", "after | call(2)\ninsert | x\n", "replace | call(2)\n | }\nwith | x\n",
        "move | package p\nbefore | call(2)\n", "move | call(2)\nbefore | package p\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char edits[256];
        snprintf(edits, sizeof edits, "edit " FILE_A "\ndelete | if x {\n | call(2)\nedit " FILE_A "\n%s", others[i]);
        fails(edits, "go1.22", ITR_E_USAGE, "edit 2 (line 9): runtime/a.go of go1.22: it overlaps edit 1 (line 6), at line ");
    }
    fails("edit " FILE_A "\nmove | call(2)\nafter | call(2)\n", "go1.22", ITR_E_USAGE, "move lines to where they are");
}

/* ---- what is no recipe ---- */

static void mistakes_name_their_line(void **state) {
    static const struct {
        const char *text;
        const char *part;
    } wrong[] = {
        {"", "r.recipe: expected \"recipe NAME\""},
        {"summary x\n", "r.recipe:1: expected \"recipe NAME\" first"},
        {"recipe R\n", "r.recipe:1: expected one name"},
        {"recipe r\nrecipe r\n", "r.recipe:2: expected one name"},
        {"recipe r\nsummary\n", "r.recipe:2: expected one sentence"},
        {"recipe r\nsummary x\ngo new\n", "r.recipe:3: expected one range"},
        {"recipe r\nsystem beos\n", "r.recipe:2: expected linux or windows"},
        {"recipe r\nraces W1 _\n", "r.recipe:2: expected names of races"},
        {"recipe r\nsumary x\n", "r.recipe:2: expected one of recipe, summary"},
        {"recipe r\n| x\n", "r.recipe:2: expected no text there"},
        {"recipe r\nsummary x\ngo 1.19\nraces W1\n", "expected at least one \"edit\""},
        {"recipe r\nsummary x\nraces W1\nedit a\nnothing\n", "expected \"go\""},
        {"recipe r\nsummary x\ngo 1.19\nedit a\nnothing\n", "expected \"races\""},
        {HEAD "edit ../a\n", "r.recipe:5: expected the path"},
        {HEAD "edit /a\n", "r.recipe:5: expected the path"},
        {HEAD "edit c:/a\n", "r.recipe:5: expected the path"},
        {HEAD "edit a\\b\n", "r.recipe:5: expected the path"},
        {HEAD "edit a/./b\n", "r.recipe:5: expected the path"},
        {HEAD "edit a of f\n", "r.recipe:5: expected \"in FUNCTION\""},
        {HEAD "edit a\n", "r.recipe:5: this edit lacks an action"},
        {HEAD "edit a\ndelete\n", "r.recipe:6: this edit lacks an anchor"},
        {HEAD "edit a\nreplace | x\n", "r.recipe:6: this edit lacks \"with\""},
        {HEAD "edit a\nbefore | x\nedit b\n", "r.recipe:6: this edit lacks \"insert\""},
        {HEAD "edit a\nmove | x\n", "r.recipe:6: this edit lacks \"before\" or \"after\""},
        {HEAD "edit a\nmove | x\nbefore\n", "r.recipe:6: this edit lacks \"before\" or \"after\""},
        {HEAD "edit a\ndelete | x\ninsert | y\n", "r.recipe:7: expected one of edit, when"},
        {HEAD "edit a\ndelete | x\ndelete | y\n", "r.recipe:7: expected one action in an edit"},
        {HEAD "edit a\ndelete x\n", "r.recipe:6: expected nothing, or \"|\""},
        {HEAD "edit a\nnothing | x\n", "r.recipe:6: expected no text there"},
        {HEAD "edit a\ndelete |\n | x\n", "r.recipe:6: expected an anchor that does not begin with a blank line"},
        {HEAD "edit a\ndelete | x\nwhen <1.20\nnothing\n", "r.recipe:7: expected \"when\" before the first action"},
        {HEAD "edit a\nwhen <1.20\nwhen <1.21\n", "this edit lacks an action"},
        {HEAD "edit a\nwhen soon\n", "r.recipe:6: expected one range"},
        {HEAD "edit a\ndelete | 1\n| 2\n| 3\n| 4\n| 5\n| 6\n| 7\n| 8\n| 9\n", "r.recipe:14: more than 8 lines in an anchor"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct itr_recipe recipe;
        struct itr_error error = {0};
        if (itr_recipe_parse("r.recipe", wrong[i].text, strlen(wrong[i].text), &recipe, &error) == ITR_OK) {
            fail_msg("taken: %s", wrong[i].text);
        }
        assert_contains(error.text, wrong[i].part);
        assert_int_equal(recipe.edit_count, 0);
    }
    struct itr_recipe recipe;
    struct itr_error error = {0};
    assert_int_equal(itr_recipe_parse("r.recipe", "recipe r\n\0", 10, &recipe, &error), ITR_E_FORMAT);
    assert_contains(error.text, "r.recipe:2: expected text without NUL");
}

static void sizes_are_bounded(void **state) {
    struct itr_recipe recipe;
    struct itr_error error = {0};
    struct itr_text text = {0};
    (void)state;
    itr_text_add(&text, HEAD);
    for (int i = 0; i <= ITR_RECIPE_EDITS_MAX; i++) {
        itr_text_add(&text, "edit a\nnothing\n");
    }
    assert_int_equal(itr_recipe_parse("r", text.data, text.length, &recipe, &error), ITR_E_LIMIT);
    assert_contains(error.text, "more than 64 edits");
    itr_text_reset(&text);
    for (int i = 0; i <= ITR_RECIPE_BYTES_MAX; i++) {
        itr_text_add(&text, "#");
    }
    assert_int_equal(itr_recipe_parse("r", text.data, text.length, &recipe, &error), ITR_E_LIMIT);
    itr_text_release(&text);
}

/* ---- files, overlay ---- */

static void a_file_is_read_once_and_a_second_recipe_sees_the_first(void **state) {
    static const char first[] = HEAD "edit a.go\nreplace | a\nwith | b\nedit a.go\ndelete | z\n";
    static const char second[] = HEAD "edit a.go\nreplace | b\nwith | c\n";
    char folder[SCRATCH_PATH_MAX];
    struct itr_recipe recipe;
    struct itr_error error = {0};
    (void)state;
    scratch_make(folder);
    scratch_folder(folder, "src");
    scratch_write(folder, "src/a.go", "a\nz\n", 4);
    struct itr_changes changes = {.root = folder};
    assert_int_equal(itr_recipe_parse("r", first, sizeof first - 1, &recipe, &error), ITR_OK);
    assert_int_equal(itr_recipe_apply(&recipe, "go1.22", &changes, &error), ITR_OK);
    itr_recipe_release(&recipe);
    scratch_write(folder, "src/a.go", "other\n", 6);
    assert_int_equal(itr_recipe_parse("r", second, sizeof second - 1, &recipe, &error), ITR_OK);
    assert_int_equal(itr_recipe_apply(&recipe, "go1.22", &changes, &error), ITR_OK);
    itr_recipe_release(&recipe);
    assert_int_equal(changes.count, 1);
    assert_string_equal(changes.files[0]->text, "c\n");
    itr_changes_release(&changes);
    scratch_remove(folder);
}

static uint64_t mtime_ns(const char *folder, const char *name) {
    char path[2 * SCRATCH_PATH_MAX];
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(uv_fs_stat(NULL, &request, path, NULL), 0);
    uint64_t time = (uint64_t)request.statbuf.st_mtim.tv_sec * 1000000000u + (uint64_t)request.statbuf.st_mtim.tv_nsec;
    uv_fs_req_cleanup(&request);
    return time;
}

static void the_overlay_is_written_where_it_differs(void **state) {
    char folder[SCRATCH_PATH_MAX];
    char wanted[4 * SCRATCH_PATH_MAX];
    struct itr_changes changes = {.root = "/go"};
    struct itr_changed_file *file = NULL;
    struct itr_error error = {0};
    uint64_t hash[3];
    (void)state;
    scratch_make(folder);
    assert_int_equal(itr_changes_give(&changes, "runtime/a.go", "a", 1, &error), ITR_OK);
    assert_int_equal(itr_changes_give(&changes, "runtime/b.go", "b", 1, &error), ITR_OK);
    assert_int_equal(itr_changes_give(&changes, "runtime/same.go", "s", 1, &error), ITR_OK);
    assert_int_equal(itr_changes_file(&changes, "runtime/b.go", &file, &error), ITR_OK);
    itr_changes_set(file, NULL, 0);
    assert_int_equal(itr_changes_file(&changes, "runtime/a.go", &file, &error), ITR_OK);
    char *text = malloc(4);
    assert_non_null(text);
    memcpy(text, "new", 4);
    itr_changes_set(file, text, 3);
    assert_int_equal(itr_overlay_write(&changes, folder, &hash[0], &error), ITR_OK);
    char *json = scratch_read(folder, "overlay.json");
    snprintf(wanted, sizeof wanted, "{\n \"Replace\": {\n  \"/go/src/runtime/a.go\": \"%s/src/runtime/a.go\",\n"
             "  \"/go/src/runtime/b.go\": \"\"\n }\n}", folder);
    assert_string_equal(json, wanted);
    free(json);
    char *written = scratch_read(folder, "src/runtime/a.go");
    assert_string_equal(written, "new");
    free(written);
    assert_false(scratch_exists(folder, "src/runtime/same.go"));

    uint64_t before = mtime_ns(folder, "src/runtime/a.go");
    assert_int_equal(itr_overlay_write(&changes, folder, &hash[1], &error), ITR_OK);
    assert_true(hash[0] == hash[1]);
    assert_true(before == mtime_ns(folder, "src/runtime/a.go"));
    file->text[0] = 'N';
    changes.root = "/other"; /* the hash knows no places */
    assert_int_equal(itr_overlay_write(&changes, folder, &hash[1], &error), ITR_OK);
    assert_true(hash[0] != hash[1]);
    file->text[0] = 'n';
    assert_true(itr_changes_hash(&changes) == hash[0]);
    written = scratch_read(folder, "src/runtime/a.go");
    assert_string_equal(written, "New");
    free(written);
    itr_changes_release(&changes);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_action_does_what_it_says),
        cmocka_unit_test(functions_bound_the_search),
        cmocka_unit_test(assembler_has_functions_too),
        cmocka_unit_test(the_first_alternative_of_the_version_is_taken),
        cmocka_unit_test(line_ends_are_the_sources_own),
        cmocka_unit_test(edits_side_by_side_keep_their_order),
        cmocka_unit_test(misfits_say_what_was_found_where),
        cmocka_unit_test(overlaps_are_refused),
        cmocka_unit_test(mistakes_name_their_line),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(a_file_is_read_once_and_a_second_recipe_sees_the_first),
        cmocka_unit_test(the_overlay_is_written_where_it_differs),
    };
    return cmocka_run_group_tests_name("recipe", tests, NULL, NULL);
}
