/* Tests of the origin of garbage: stretches of an output that are, that nearly are, and that are not memory of an image. */
#include "framework/provenance.h"

#include "framework/random.h"
#include "framework/tests/tiny_image.h"

#include <stdlib.h>

enum { TEXT_BYTES = 1000, FLOOD_BYTES = 300000 };

static const char message[] = "runtime: signal received on thread not created by Go.\n";
static const struct tiny_symbol symbols[] = {{"runtime.first", TINY_TEXT, 100}, {"runtime.second", TINY_TEXT + 100, 900}};
static uint8_t text[TEXT_BYTES];
static uint8_t noise[FLOOD_BYTES];
static struct itr_image *image;

static int set_up(void **state) {
    struct itr_random random = itr_random_seed(11);
    (void)state;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)itr_random_next(&random);
    }
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)itr_random_next(&random);
    }
    image = tiny_image(text, sizeof text, symbols, 2);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_image_close(image);
    return 0;
}

/* What is found in the bytes that were fed; the capture is emptied. */
static struct itr_provenance find(struct itr_capture *capture) {
    const struct itr_image *images[] = {NULL, image};
    struct itr_shape shape = itr_capture_shape(capture);
    struct itr_provenance found;
    itr_provenance_find(capture, &shape, images, 2, &found);
    itr_capture_release(capture);
    return found;
}

static void memory_after_a_message_is_found_whole(void **state) {
    struct itr_capture capture = {0};
    char line[200];
    (void)state;
    itr_capture_feed(&capture, "hello\n", 6);
    itr_capture_feed(&capture, message, strlen(message));
    itr_capture_feed(&capture, noise, 777);
    itr_capture_feed(&capture, text + 120, 800);
    itr_capture_feed(&capture, noise + 5000, 5000);
    struct itr_provenance found = find(&capture);
    assert_int_equal(found.compared_bytes, strlen(message) + 777 + 800 + 5000);
    assert_int_equal(found.run_count, 1);
    assert_int_equal(found.found_bytes, 800);
    assert_int_equal(found.runs[0].offset, 6 + strlen(message) + 777);
    assert_int_equal(found.runs[0].bytes, 800);
    assert_int_equal(found.runs[0].equal_bytes, 800);
    assert_int_equal(found.runs[0].rva, TINY_TEXT + 120);
    assert_int_equal(found.runs[0].image, 1);
    itr_provenance_describe(&found, image, "li\x1b" "b", line, sizeof line);
    assert_string_equal(line, "800 of the 6631 bytes kept of it are memory of li\\x1bb .text+0x78, from runtime.second+0x14 on");
}

static void bytes_that_the_program_changed_do_not_end_a_run(void **state) {
    struct itr_capture capture = {0};
    uint8_t changed[TEXT_BYTES];
    (void)state;
    memcpy(changed, text, sizeof text);
    for (size_t i = 300; i < 500; i++) {
        changed[i] ^= 0x5a; /* variables, more than a grain of them */
    }
    for (size_t i = 600; i + 64 < sizeof changed; i += 32) {
        changed[i] ^= 1; /* words that were relocated */
    }
    itr_capture_feed(&capture, message, strlen(message));
    itr_capture_feed(&capture, changed, sizeof changed);
    itr_capture_feed(&capture, noise, 4000);
    struct itr_provenance found = find(&capture);
    assert_int_equal(found.run_count, 1);
    assert_int_equal(found.runs[0].offset, strlen(message));
    assert_int_equal(found.runs[0].bytes, TEXT_BYTES);
    assert_int_equal(found.runs[0].rva, TINY_TEXT);
    assert_in_range(found.runs[0].equal_bytes, 700, TEXT_BYTES - 201);
}

static void the_end_of_a_flood_is_looked_at_too(void **state) {
    struct itr_capture capture = {0};
    (void)state;
    itr_capture_feed(&capture, noise, sizeof noise);
    itr_capture_feed(&capture, text, sizeof text);
    struct itr_provenance found = find(&capture);
    assert_int_equal(found.run_count, 1);
    assert_int_equal(found.runs[0].offset, FLOOD_BYTES);
    assert_int_equal(found.runs[0].bytes, TEXT_BYTES);
    assert_in_range(found.compared_bytes, 128 * 1024 - 1024, 128 * 1024);
}

static void noise_text_and_chance_are_nobodys_memory(void **state) {
    struct itr_capture capture = {0};
    static const struct itr_provenance nothing = {0};
    (void)state;
    itr_capture_feed(&capture, noise, sizeof noise);
    itr_capture_feed(&capture, text, ITR_PROVENANCE_BYTES_MIN - 1);
    struct itr_provenance found = find(&capture);
    assert_int_equal(found.run_count, 0);
    assert_int_equal(found.found_bytes, 0);
    assert_int_equal(found.compared_bytes > 0, 1);
    for (int i = 0; i < 1000; i++) {
        itr_capture_feed(&capture, "all is well\n", 12);
    }
    found = find(&capture);
    assert_memory_equal(&found, &nothing, sizeof found);
    found = find(&capture); /* an empty one */
    assert_memory_equal(&found, &nothing, sizeof found);
}

static void runs_are_limited(void **state) {
    struct itr_capture capture = {0};
    (void)state;
    itr_capture_feed(&capture, message, strlen(message));
    for (int i = 0; i < 3 * ITR_PROVENANCE_RUNS_MAX; i++) {
        itr_capture_feed(&capture, text + 100, 512);
        itr_capture_feed(&capture, noise + 1024 * i, 1024);
    }
    struct itr_provenance found = find(&capture);
    assert_int_equal(found.run_count, ITR_PROVENANCE_RUNS_MAX);
    for (unsigned i = 0; i < found.run_count; i++) {
        assert_int_equal(found.runs[i].rva, TINY_TEXT + 100);
        assert_int_equal(found.runs[i].offset, strlen(message) + i * (512 + 1024));
        assert_int_equal(found.runs[i].bytes, 512);
    }
}

static void memory_of_an_image_is_its_file_then_zeros(void **state) {
    uint8_t bytes[64];
    uint64_t rva = 0;
    (void)state;
    assert_int_equal(itr_image_memory(image, TINY_TEXT + 10, bytes, sizeof bytes), sizeof bytes);
    assert_memory_equal(bytes, text + 10, sizeof bytes);
    assert_int_equal(itr_image_memory(image, itr_image_bytes(image) - 3, bytes, sizeof bytes), 3);
    assert_int_equal(itr_image_memory(image, itr_image_bytes(image), bytes, sizeof bytes), 0);
    assert_int_equal(itr_image_memory(image, UINT64_MAX - 8, bytes, sizeof bytes), 0);
    assert_true(itr_image_find(image, text + 500, 32, 0, &rva));
    assert_int_equal(rva, TINY_TEXT + 500);
    assert_true(itr_image_find(image, text + 500, 32, rva, &rva));
    assert_false(itr_image_find(image, text + 500, 32, rva + 1, &rva));
    assert_false(itr_image_find(image, noise, 32, 0, &rva));
    assert_false(itr_image_find(image, noise, 32, UINT64_MAX, &rva));
    assert_false(itr_image_find(image, noise, 0, 0, &rva));
    assert_int_equal(rva, TINY_TEXT + 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_after_a_message_is_found_whole),
        cmocka_unit_test(bytes_that_the_program_changed_do_not_end_a_run),
        cmocka_unit_test(the_end_of_a_flood_is_looked_at_too),
        cmocka_unit_test(noise_text_and_chance_are_nobodys_memory),
        cmocka_unit_test(runs_are_limited),
        cmocka_unit_test(memory_of_an_image_is_its_file_then_zeros),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
