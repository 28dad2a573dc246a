/* Unit tests of window.c and window_fit.c: samples given by hand, windows as the rule has them. */
#include "framework/random.h"
#include "framework/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { AXIS = 400 };

static void add(struct itr_samples *samples, uint32_t position, uint32_t signature,
                uint32_t trials) {
    assert_int_equal(itr_samples_add(samples, position, signature, trials, NULL), ITR_OK);
}

/* All of an axis as expected, `trials` each. */
static struct itr_samples clean(uint32_t count, uint32_t trials) {
    struct itr_samples samples = {0};
    for (uint32_t i = 0; i < count; i++) {
        add(&samples, i, 0, trials);
    }
    return samples;
}

static void put(struct itr_samples *samples, uint32_t from, uint32_t to, uint32_t signature) {
    for (uint32_t i = from; i < to; i++) {
        struct itr_sample *sample = &samples->items[i];
        sample->counts[signature] = sample->counts[0];
        sample->counts[0] = 0;
    }
}

static struct itr_windows find(const struct itr_samples *samples, size_t axis_count) {
    struct itr_windows windows = {0};
    struct itr_error err = {0};
    assert_int_equal(itr_windows_find(&windows, samples, axis_count, NULL, &err), ITR_OK);
    return windows;
}

static void samples_stay_in_order_and_add_up(void **state) {
    struct itr_samples samples = {0};
    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        add(&samples, i * 7 % 300, i % 2, 2);
        assert_int_equal(itr_samples_miss(&samples, i * 11 % 300, 1, NULL), ITR_OK);
    }
    assert_int_equal(samples.count, 300);
    for (uint32_t i = 0; i < 300; i++) {
        assert_int_equal(samples.items[i].position, i);
        assert_int_equal(itr_sample_trials(&samples.items[i]), 2);
        assert_int_equal(samples.items[i].missed, 1);
    }
    assert_null(itr_samples_at(&samples, 300));
    assert_int_equal(itr_samples_add(&samples, 1, ITR_SAMPLE_SIGNATURES_MAX, 1, NULL), ITR_E_USAGE);
    add(&samples, 0, 0, UINT32_MAX); /* no overflow */
    assert_int_equal(itr_samples_at(&samples, 0)->counts[0], UINT32_MAX);
    itr_samples_release(&samples);
}

static void nothing_and_no_failure_are_no_windows(void **state) {
    struct itr_samples none = {0};
    struct itr_samples samples = clean(AXIS, 3);
    (void)state;
    assert_int_equal(find(&none, AXIS).count, 0);
    assert_int_equal(find(&samples, AXIS).count, 0);
    assert_int_equal(find(&samples, AXIS).trials, 3 * AXIS);
    itr_samples_release(&samples);
}

static void a_window_has_edges_and_rates(void **state) {
    struct itr_samples samples = clean(AXIS, 20);
    struct itr_windows windows;
    const struct itr_window *one = &windows.items[0];
    (void)state;
    put(&samples, 100, 150, 3);
    samples.items[120].counts[0] = 5; /* 5 of 1005 do not fail */
    windows = find(&samples, AXIS);
    assert_int_equal(windows.count, 1);
    assert_int_equal(one->signature, 3);
    assert_int_equal(one->opening.outside, 99);
    assert_int_equal(one->opening.inside, 100);
    assert_int_equal(one->closing.inside, 149);
    assert_int_equal(one->closing.outside, 150);
    assert_true(one->opening.adjacent && one->opening.confirmed && !one->opening.open);
    assert_true(one->closing.adjacent && one->closing.confirmed && !one->closing.open);
    assert_int_equal(one->hits, 1000);
    assert_int_equal(one->trials, 1005);
    assert_true(one->ci95.low < one->rate && one->rate < one->ci95.high && one->ci95.low > 0.98);
    assert_int_equal(one->outside_trials, 350 * 20);
    assert_int_equal(one->outside_hits, 0);
    assert_true(one->outside_ci95.high < 0.001);
    assert_int_equal(windows.failures, 1000);
    itr_samples_release(&samples);
}

static void few_trials_do_not_confirm_an_edge(void **state) {
    struct itr_samples samples = clean(AXIS, 19);
    (void)state;
    put(&samples, 100, 150, 1);
    assert_false(find(&samples, AXIS).items[0].opening.confirmed);
    add(&samples, 99, 0, 1);
    assert_false(find(&samples, AXIS).items[0].opening.confirmed);
    add(&samples, 100, 1, 1);
    assert_true(find(&samples, AXIS).items[0].opening.confirmed);
    assert_false(find(&samples, AXIS).items[0].closing.confirmed);
    itr_samples_release(&samples);
}

static void touching_signatures_are_two_windows(void **state) {
    struct itr_samples samples = clean(AXIS, 20);
    struct itr_windows windows;
    (void)state;
    put(&samples, 100, 150, 1);
    put(&samples, 150, 230, 2);
    windows = find(&samples, AXIS);
    assert_int_equal(windows.count, 2);
    assert_int_equal(windows.items[0].closing.inside, 149);
    assert_int_equal(windows.items[0].closing.outside, 150);
    assert_int_equal(windows.items[1].opening.outside, 149);
    assert_int_equal(windows.items[1].opening.inside, 150);
    assert_int_equal(windows.items[0].outside_trials, 350 * 20);
    itr_samples_release(&samples);
}

/* What lies between two windows is clean although a little noise there would suit a low rate. */
static void a_gap_with_noise_belongs_to_neither_neighbour(void **state) {
    struct itr_samples samples = clean(AXIS, 20);
    struct itr_windows windows;
    (void)state;
    put(&samples, 50, 100, 1);
    put(&samples, 200, 250, 2);
    samples.items[130].counts[2] = 1;
    samples.items[160].counts[1] = 1;
    windows = find(&samples, AXIS);
    assert_int_equal(windows.count, 2);
    assert_int_equal(windows.items[0].closing.outside, 100);
    assert_int_equal(windows.items[1].opening.outside, 199);
    itr_samples_release(&samples);
}

static void open_ends_are_said(void **state) {
    struct itr_samples samples = clean(AXIS, 20);
    struct itr_windows windows;
    (void)state;
    put(&samples, 0, 30, 1);
    put(&samples, 300, AXIS, 1);
    windows = find(&samples, AXIS);
    assert_int_equal(windows.count, 2);
    assert_true(windows.items[0].opening.open && !windows.items[0].closing.open);
    assert_true(windows.items[1].closing.open && !windows.items[1].opening.open);
    assert_true(windows.items[1].closing.adjacent);
    windows = find(&samples, AXIS + 5); /* beyond the last sample there is more */
    assert_false(windows.items[1].closing.adjacent);
    itr_samples_release(&samples);
}

/* The figures of window.h. */
static void single_odd_samples_are_noise_until_they_outweigh_their_price(void **state) {
    static const struct {
        uint32_t axis, failures;
        size_t windows;
    } cases[] = {{400, 1, 0}, {400, 4, 0}, {400, 5, 1}, {20000, 6, 0}, {20000, 7, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct itr_samples samples = clean(cases[i].axis, 1);
        samples.items[77].counts[0] = 0;
        samples.items[77].counts[1] = cases[i].failures;
        assert_int_equal(find(&samples, cases[i].axis).count, cases[i].windows);
        itr_samples_release(&samples);
    }
}

static void a_clean_sample_inside_is_no_hole_until_confirmed(void **state) {
    struct itr_samples samples = clean(AXIS, 3);
    (void)state;
    put(&samples, 100, 200, 1);
    samples.items[150].counts[1] = 1;
    samples.items[150].counts[0] = 2;
    assert_int_equal(find(&samples, AXIS).count, 1);
    samples.items[150].counts[1] = 0;
    samples.items[150].counts[0] = 30;
    assert_int_equal(find(&samples, AXIS).count, 2);
    itr_samples_release(&samples);
}

static void gaps_that_cannot_be_reached_are_adjacent(void **state) {
    struct itr_samples samples = {0};
    (void)state;
    for (uint32_t i = 0; i < AXIS; i++) {
        if (i >= 95 && i < 105) {
            assert_int_equal(itr_samples_miss(&samples, i, i == 101 ? 2 : 3, NULL), ITR_OK);
        } else {
            add(&samples, i, i >= 100 && i < 200, 20);
        }
    }
    assert_int_equal(find(&samples, AXIS).items[0].opening.inside, 105);
    assert_false(find(&samples, AXIS).items[0].opening.adjacent); /* 101 may have another try */
    assert_int_equal(itr_samples_miss(&samples, 101, 1, NULL), ITR_OK);
    assert_true(find(&samples, AXIS).items[0].opening.adjacent);
    assert_int_equal(find(&samples, AXIS).items[0].opening.outside, 94);
    itr_samples_release(&samples);
}

static void a_mixed_window_has_its_most_frequent_signature(void **state) {
    struct itr_samples samples = clean(AXIS, 0);
    struct itr_windows windows;
    (void)state;
    for (uint32_t i = 0; i < AXIS; i++) {
        samples.items[i].counts[0] = i < 100 || i >= 200 ? 10 : 0;
        samples.items[i].counts[1] = i < 100 || i >= 200 ? 0 : 4;
        samples.items[i].counts[2] = i < 100 || i >= 200 ? 0 : 6;
    }
    windows = find(&samples, AXIS);
    assert_int_equal(windows.count, 1);
    assert_int_equal(windows.items[0].signature, 2);
    assert_int_equal(windows.items[0].hits, 600);
    assert_int_equal(windows.items[0].opening.inside, 100);
    itr_samples_release(&samples);
}

static void more_windows_than_there_is_room_for_are_cut(void **state) {
    struct itr_samples samples = clean(4000, 20);
    struct itr_windows windows;
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        put(&samples, i * 100 + 10, i * 100 + 50, 1);
    }
    windows = find(&samples, 4000);
    assert_int_equal(windows.count, ITR_WINDOWS_MAX);
    assert_true(windows.cut);
    assert_int_equal(windows.failures, 40 * 40 * 20);
    itr_samples_release(&samples);
}

static void refuses_what_cannot_be(void **state) {
    static const struct itr_window_rules bad[] = {{.noise = 0.3},
                                                  {.noise = -1},
                                                  {.alpha = 1},
                                                  {.delta = 2},
                                                  {.shots_confirm = 30, .shots_max = 20}};
    struct itr_samples samples = clean(10, 1);
    struct itr_windows windows = {.count = 77};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(itr_windows_find(&windows, &samples, 10, &bad[i], NULL), ITR_E_USAGE);
    }
    assert_int_equal(itr_windows_find(&windows, &samples, 9, NULL, NULL), ITR_E_USAGE);
    assert_int_equal(windows.count, 77);
    itr_samples_release(&samples);
}

static int allocations_left;

static void *limited(void *pointer, size_t bytes) {
    return allocations_left-- > 0 ? realloc(pointer, bytes) : NULL;
}

static void every_refused_allocation_is_reported(void **state) {
    struct itr_samples samples = {.reallocate = limited};
    struct itr_windows windows = {.count = 77};
    (void)state;
    allocations_left = 0;
    assert_int_equal(itr_samples_add(&samples, 1, 0, 1, NULL), ITR_E_NO_MEMORY);
    assert_int_equal(samples.count, 0);
    allocations_left = 1;
    add(&samples, 1, 0, 1);
    for (int allowed = 0; allowed < 5; allowed++) {
        allocations_left = allowed;
        assert_int_equal(itr_windows_find(&windows, &samples, 9, NULL, NULL), ITR_E_NO_MEMORY);
    }
    assert_int_equal(windows.count, 77);
    allocations_left = 5;
    assert_int_equal(itr_windows_find(&windows, &samples, 9, NULL, NULL), ITR_OK);
    itr_samples_release(&samples);
}

/* 20,000 points with noise and all signatures; a second is asked of an optimised build. */
static void twenty_thousand_points_take_little_time(void **state) {
    struct itr_random random = itr_random_seed(9);
    struct itr_samples samples = {0};
    clock_t begin;
    (void)state;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t failures = (uint32_t)itr_random_below(&random, 60) == 0;
        add(&samples, i, 0, 20 - failures);
        add(&samples, i, 1 + (uint32_t)itr_random_below(&random, 7), failures);
    }
    begin = clock();
    assert_int_equal(find(&samples, 20000).count, 0);
    print_message("%.3f s\n", (double)(clock() - begin) / CLOCKS_PER_SEC);
    assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
    itr_samples_release(&samples);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_stay_in_order_and_add_up),
        cmocka_unit_test(nothing_and_no_failure_are_no_windows),
        cmocka_unit_test(a_window_has_edges_and_rates),
        cmocka_unit_test(few_trials_do_not_confirm_an_edge),
        cmocka_unit_test(touching_signatures_are_two_windows),
        cmocka_unit_test(a_gap_with_noise_belongs_to_neither_neighbour),
        cmocka_unit_test(open_ends_are_said),
        cmocka_unit_test(single_odd_samples_are_noise_until_they_outweigh_their_price),
        cmocka_unit_test(a_clean_sample_inside_is_no_hole_until_confirmed),
        cmocka_unit_test(gaps_that_cannot_be_reached_are_adjacent),
        cmocka_unit_test(a_mixed_window_has_its_most_frequent_signature),
        cmocka_unit_test(more_windows_than_there_is_room_for_are_cut),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(every_refused_allocation_is_reported),
        cmocka_unit_test(twenty_thousand_points_take_little_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
