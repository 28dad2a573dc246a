/* Unit tests of trace.c. */
#include "framework/random.h"
#include "framework/trace.h"
#include "framework/tests/tiny_image.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define TRACE(array) \
    { (array), COUNT(array) }

static void points_come_in_the_order_of_their_first_execution(void **state) {
    static const uint32_t rvas[] = {0x30, 0x10, 0x30, 0x20, 0x10, 0x10};
    const struct itr_trace trace = TRACE(rvas);
    struct itr_axis axis = {0};
    (void)state;
    assert_int_equal(itr_axis_build(&axis, &trace, 1, NULL, NULL, NULL), ITR_OK);
    assert_int_equal(axis.count, 3);
    assert_int_equal(axis.steps, 6);
    assert_int_equal(axis.left_out + axis.out_of_order + axis.entry_count, 0);
    assert_int_equal(axis.points[0].rva, 0x30);
    assert_int_equal(axis.points[0].next, 0x10);
    assert_int_equal(axis.points[0].times, 2);
    assert_int_equal(axis.points[1].first, 1);
    assert_int_equal(axis.points[1].next, 0x30);
    assert_int_equal(axis.points[1].times, 3);
    assert_int_equal(axis.points[2].first, 3);
    assert_int_equal(axis.points[2].rva, 0x20);
    itr_axis_release(&axis);
    itr_axis_release(&axis);
}

static void the_last_instruction_has_no_successor(void **state) {
    static const uint32_t rvas[] = {1, 2};
    const struct itr_trace trace = TRACE(rvas);
    struct itr_axis axis = {0};
    (void)state;
    assert_int_equal(itr_axis_build(&axis, &trace, 1, NULL, NULL, NULL), ITR_OK);
    assert_int_equal(axis.points[1].next, 0);
    itr_axis_release(&axis);
}

static void only_what_all_traces_have_is_kept(void **state) {
    static const uint32_t first[] = {1, 2, 3, 4, 5}, second[] = {1, 3, 4, 5, 9},
                          third[] = {5, 1, 2, 3};
    const struct itr_trace traces[] = {TRACE(first), TRACE(second), TRACE(third)};
    struct itr_axis axis = {0};
    (void)state;
    assert_int_equal(itr_axis_build(&axis, traces, 3, NULL, NULL, NULL), ITR_OK);
    assert_int_equal(axis.count, 3);
    assert_int_equal(axis.points[0].rva, 1);
    assert_int_equal(axis.points[1].rva, 3);
    assert_int_equal(axis.points[2].rva, 5);
    assert_int_equal(axis.points[0].next, 2); /* of the trace, on the axis or not */
    assert_int_equal(axis.left_out, 2);
    assert_int_equal(axis.out_of_order, 1);
    itr_axis_release(&axis);
}

/* A point that some trace lacks says nothing about the order of the others. */
static void order_is_asked_of_common_points_only(void **state) {
    static const uint32_t first[] = {1, 2, 3, 4}, second[] = {3, 4, 1, 2}, third[] = {1, 2};
    const struct itr_trace traces[] = {TRACE(first), TRACE(second), TRACE(third)};
    struct itr_axis axis = {0};
    (void)state;
    assert_int_equal(itr_axis_build(&axis, traces, 3, NULL, NULL, NULL), ITR_OK);
    assert_int_equal(axis.count, 2);
    assert_int_equal(axis.out_of_order, 0);
    itr_axis_release(&axis);
    assert_int_equal(itr_axis_build(&axis, traces, 2, NULL, NULL, NULL), ITR_OK);
    assert_int_equal(axis.out_of_order, 2);
    itr_axis_release(&axis);
}

static void refuses_what_cannot_be(void **state) {
    static const uint32_t one[] = {1}, other[] = {2};
    const struct itr_trace traces[] = {TRACE(one), TRACE(other)};
    const struct itr_trace empty = {NULL, 0};
    const struct itr_trace longest = {one, (size_t)ITR_TRACE_STEPS_MAX + 1};
    struct itr_axis axis = {.steps = 77};
    (void)state;
    assert_int_equal(itr_axis_build(&axis, traces, 0, NULL, NULL, NULL), ITR_E_USAGE);
    assert_int_equal(itr_axis_build(&axis, traces, 9, NULL, NULL, NULL), ITR_E_USAGE);
    assert_int_equal(itr_axis_build(&axis, traces, 2, NULL, NULL, NULL), ITR_E_NOT_FOUND);
    assert_int_equal(itr_axis_build(&axis, &empty, 1, NULL, NULL, NULL), ITR_E_NOT_FOUND);
    assert_int_equal(itr_axis_build(&axis, &longest, 1, NULL, NULL, NULL), ITR_E_LIMIT);
    assert_int_equal(axis.steps, 77);
}

static void too_many_distinct_instructions_are_refused(void **state) {
    size_t count = (size_t)ITR_AXIS_POINTS_MAX + 1;
    uint32_t *rvas = malloc(count * sizeof *rvas);
    struct itr_trace trace = {rvas, count};
    struct itr_axis axis = {0};
    (void)state;
    assert_non_null(rvas);
    for (size_t i = 0; i < count; i++) {
        rvas[i] = (uint32_t)i * 4096; /* a hash that takes low bits only would crawl */
    }
    rvas[count - 1] = 7;
    assert_int_equal(itr_axis_build(&axis, &trace, 1, NULL, NULL, NULL), ITR_E_LIMIT);
    trace.count--;
    assert_int_equal(itr_axis_build(&axis, &trace, 1, NULL, NULL, NULL), ITR_OK);
    assert_int_equal(axis.count, ITR_AXIS_POINTS_MAX);
    itr_axis_release(&axis);
    free(rvas);
}

static int allocations_left;

static void *limited(void *pointer, size_t bytes) {
    return allocations_left-- > 0 ? realloc(pointer, bytes) : NULL;
}

static void every_refused_allocation_is_reported(void **state) {
    uint32_t rvas[3000];
    struct itr_trace traces[2] = {TRACE(rvas), TRACE(rvas)};
    bool done = false;
    (void)state;
    for (size_t i = 0; i < COUNT(rvas); i++) {
        rvas[i] = (uint32_t)i * 3;
    }
    for (int allowed = 0; !done; allowed++) {
        struct itr_axis axis = {.steps = 77};
        enum itr_status status;
        allocations_left = allowed;
        status = itr_axis_build(&axis, traces, 2, NULL, limited, NULL);
        done = status == ITR_OK;
        assert_true(allowed < 50);
        if (!done) {
            assert_int_equal(status, ITR_E_NO_MEMORY);
            assert_int_equal(axis.steps, 77);
        } else {
            assert_int_equal(axis.count, COUNT(rvas));
            itr_axis_release(&axis);
        }
    }
}

static void names_and_function_entries_come_from_the_image(void **state) {
    static const struct tiny_symbol symbols[] = {{"first", 0x1000, 0x20},
                                                 {"second\x1b", 0x1020, 0x20}};
    static const uint32_t rvas[] = {0x1000, 0x1004, 0x1024, 0x1020, 0x1008, 0x1200};
    const struct itr_trace trace = TRACE(rvas);
    struct itr_image *image = tiny_image((const uint8_t *)"\x90", 1, symbols, 2);
    struct itr_axis axis = {0};
    const char *name = "";
    uint64_t offset = 0;
    char out[64];
    (void)state;
    assert_int_equal(itr_axis_build(&axis, &trace, 1, image, NULL, NULL), ITR_OK);
    assert_int_equal(axis.entry_count, 2);
    assert_int_equal(axis.entries[0], 0);
    assert_int_equal(axis.entries[1], 3);
    assert_true(itr_axis_symbol(&axis, image, 1, &name, &offset));
    assert_string_equal(name, "first");
    assert_int_equal(offset, 4);
    assert_false(itr_axis_symbol(&axis, image, 5, &name, &offset));
    assert_false(itr_axis_symbol(&axis, image, 6, &name, &offset));
    assert_true(itr_axis_describe(&axis, image, 2, out, sizeof out));
    assert_string_equal(out, "second\\x1b+0x4");
    assert_true(itr_axis_describe(&axis, image, 0, out, sizeof out));
    assert_string_equal(out, "first");
    assert_true(itr_axis_describe(&axis, NULL, 5, out, sizeof out));
    assert_string_equal(out, "0x1200");
    assert_false(itr_axis_describe(&axis, image, 2, out, 4));
    assert_string_equal(out, "sec");
    assert_int_equal(itr_axis_run_end(&axis, image, 0), 2);
    assert_int_equal(itr_axis_run_end(&axis, image, 2), 4);
    assert_int_equal(itr_axis_run_end(&axis, image, 5), 6);
    itr_axis_release(&axis);
    itr_image_close(image);
}

/* Against a slow but plain way. */
static void random_traces_keep_their_points(void **state) {
    struct itr_random random = itr_random_seed(5);
    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        uint32_t rvas[400];
        const struct itr_trace trace = TRACE(rvas);
        struct itr_axis axis = {0};
        size_t distinct = 0;
        for (size_t i = 0; i < COUNT(rvas); i++) {
            rvas[i] = (uint32_t)itr_random_below(&random, 150) * 0x10001;
        }
        assert_int_equal(itr_axis_build(&axis, &trace, 1, NULL, NULL, NULL), ITR_OK);
        for (size_t i = 0; i < COUNT(rvas); i++) {
            uint32_t times = 0;
            size_t first = COUNT(rvas), index = 0;
            for (size_t k = COUNT(rvas); k-- > 0;) {
                times += rvas[k] == rvas[i];
                first = rvas[k] == rvas[i] ? k : first;
            }
            while (index < axis.count && axis.points[index].rva != rvas[i]) {
                index++;
            }
            assert_true(index < axis.count);
            assert_int_equal(axis.points[index].times, times);
            assert_int_equal(axis.points[index].first, first);
            distinct += first == i;
        }
        assert_int_equal(axis.count, distinct);
        itr_axis_release(&axis);
    }
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_come_in_the_order_of_their_first_execution),
        cmocka_unit_test(the_last_instruction_has_no_successor),
        cmocka_unit_test(only_what_all_traces_have_is_kept),
        cmocka_unit_test(order_is_asked_of_common_points_only),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(too_many_distinct_instructions_are_refused),
        cmocka_unit_test(every_refused_allocation_is_reported),
        cmocka_unit_test(names_and_function_entries_come_from_the_image),
        cmocka_unit_test(random_traces_keep_their_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
