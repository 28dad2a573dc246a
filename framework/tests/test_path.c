/* Unit tests of path.c: where paths lead, and what a removal leaves alone. */
#include "framework/path.h"
#include "framework/tests/scratch.h"

static char scratch[SCRATCH_PATH_MAX];
static struct itr_error error;

static int set_up(void **state) {
    (void)state;
    error = (struct itr_error){0};
    scratch_make(scratch);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

static void the_real_path_has_neither_dots_nor_links(void **state) {
    char real[ITR_PATH_MAX];
    char path[2 * SCRATCH_PATH_MAX];
    char to[ITR_PATH_MAX + 16];
    char *copy = NULL;
    uv_fs_t request;
    (void)state;
    scratch_folder(scratch, "a");
    assert_int_equal(itr_path_real(scratch, real, sizeof real, &error), ITR_OK);
    snprintf(to, sizeof to, "%s/a", real);
    snprintf(path, sizeof path, "%s/./a/../a/", scratch);
    assert_int_equal(itr_path_real_copy(path, &copy, &error), ITR_OK);
    assert_string_equal(copy, to);
    free(copy);
    snprintf(path, sizeof path, "%s/link", scratch);
    int result = uv_fs_symlink(NULL, &request, to, path, UV_FS_SYMLINK_DIR, NULL);
    uv_fs_req_cleanup(&request);
    if (result == 0 && itr_path_exists(path)) { /* Windows lets few make one, and Wine makes some that it does not follow */
        assert_int_equal(itr_path_real(path, real, sizeof real, &error), ITR_OK);
        assert_string_equal(real, to);
    }
}

static void what_is_not_there_or_does_not_fit_is_an_error(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    char small[8] = "before";
    char *copy = small;
    (void)state;
    snprintf(path, sizeof path, "%s/nothing", scratch);
    assert_int_equal(itr_path_real_copy(path, &copy, &error), ITR_E_NOT_FOUND);
    assert_null(copy);
    assert_contains(error.text, "/nothing: ");
    assert_int_equal(itr_path_real(scratch, small, sizeof small, &error), ITR_E_LIMIT);
    assert_string_equal(small, "before");
}

static void as_deep_as_asked_is_removed(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    scratch_folder(scratch, "a");
    scratch_folder(scratch, "a/b");
    scratch_folder(scratch, "a/b/c");
    scratch_write(scratch, "a/1", "", 0);
    scratch_write(scratch, "a/b/2", "", 0);
    scratch_write(scratch, "a/b/c/3", "", 0);
    snprintf(path, sizeof path, "%s/a", scratch);
    itr_path_remove(path, 1);
    assert_false(scratch_exists(scratch, "a/1"));
    assert_false(scratch_exists(scratch, "a/b/2"));
    assert_true(scratch_exists(scratch, "a/b/c/3"));
    itr_path_remove(path, 2);
    assert_false(scratch_exists(scratch, "a"));
}

/* What a link leads to is another's. */
static void links_are_removed_and_not_followed(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    char to[SCRATCH_PATH_MAX + 16];
    uv_fs_t request;
    (void)state;
    scratch_folder(scratch, "a");
    scratch_folder(scratch, "other");
    scratch_write(scratch, "other/1", "", 0);
    snprintf(to, sizeof to, "%s/other", scratch);
    snprintf(path, sizeof path, "%s/a/link", scratch);
    int result = uv_fs_symlink(NULL, &request, to, path, UV_FS_SYMLINK_DIR, NULL);
    uv_fs_req_cleanup(&request);
    if (result != 0) {
        skip();
    }
    snprintf(path, sizeof path, "%s/a", scratch);
    itr_path_remove(path, 9);
    assert_false(scratch_exists(scratch, "a"));
    assert_true(scratch_exists(scratch, "other/1"));
}

int main(void) {
#define PATH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        PATH_TEST(the_real_path_has_neither_dots_nor_links),
        PATH_TEST(what_is_not_there_or_does_not_fit_is_an_error),
        PATH_TEST(as_deep_as_asked_is_removed),
        PATH_TEST(links_are_removed_and_not_followed),
    };
    return cmocka_run_group_tests_name("path", tests, NULL, NULL);
}
