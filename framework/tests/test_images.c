/* Unit tests of images.c: each file is read once, whatever becomes of it, and what cannot be read is told each time. The library
 * is the test's own program. */
#include "framework/images.h"
#include "framework/tests/scratch.h"

static char scratch[SCRATCH_PATH_MAX];
static char program[2 * SCRATCH_PATH_MAX];
static struct itr_images images;
static struct itr_error error;

static int set_up(void **state) {
    size_t length = sizeof program;
    (void)state;
    error = (struct itr_error){0};
    images = (struct itr_images){0};
    scratch_make(scratch);
    assert_int_equal(uv_exepath(program, &length), 0);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_images_release(&images);
    assert_int_equal(images.count, 0);
    scratch_remove(scratch);
    return 0;
}

static const struct itr_kept_image *get(const char *path) {
    const struct itr_kept_image *kept = NULL;
    assert_int_equal(itr_images_get(&images, path, &kept, &error), ITR_OK);
    assert_non_null(kept);
    return kept;
}

static void a_file_is_read_once(void **state) {
    char copy[2 * SCRATCH_PATH_MAX];
    char hash[20];
    uv_fs_t request;
    (void)state;
    snprintf(copy, sizeof copy, "%s/copy", scratch);
    int result = uv_fs_copyfile(NULL, &request, program, copy, 0, NULL);
    uv_fs_req_cleanup(&request);
    assert_int_equal(result, 0);
    const struct itr_kept_image *first = get(copy);
    assert_non_null(first->image);
    assert_true(itr_image_function_count(first->image) > 0);
    itr_hash_file(copy, hash, sizeof hash);
    assert_string_equal(first->hash, hash);
    scratch_write(scratch, "copy", "another", 7); /* what it was is what counts */
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "other-%d", i);
        scratch_write(scratch, name, "x", 1);
        snprintf(copy, sizeof copy, "%s/%s", scratch, name);
        (void)get(copy);
    }
    snprintf(copy, sizeof copy, "%s/copy", scratch);
    assert_ptr_equal(get(copy), first);
    assert_string_equal(first->hash, hash);
    assert_int_equal(images.count, 21);
    const struct itr_kept_image *whole = get(program); /* the same bytes elsewhere: another file */
    assert_ptr_not_equal(whole, first);
    assert_string_equal(whole->hash, hash);
}

static void what_cannot_be_read_is_told_each_time(void **state) {
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    snprintf(path, sizeof path, "%s/text", scratch);
    scratch_write(scratch, "text", "no library", 10);
    for (int i = 0; i < 2; i++) {
        const struct itr_kept_image *text = get(path);
        assert_null(text->image);
        assert_int_equal(text->error.status, ITR_E_FORMAT);
        assert_contains(text->error.text, path);
        assert_int_equal(strlen(text->hash), 18);
    }
    snprintf(path, sizeof path, "%s/nothing", scratch);
    assert_int_equal(get(path)->error.status, ITR_E_NOT_FOUND);
    assert_string_equal(get(path)->hash, "");
    assert_int_equal(images.count, 2);
}

int main(void) {
#define IMAGES_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        IMAGES_TEST(a_file_is_read_once),
        IMAGES_TEST(what_cannot_be_read_is_told_each_time),
    };
    return cmocka_run_group_tests_name("images", tests, NULL, NULL);
}
