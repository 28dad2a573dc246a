/* Unit tests of probe.c: a library is simulated with known windows, and searched. */
#include "framework/probe.h"
#include "framework/random.h"
#include "framework/tests/sanitized.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { AXIS = 20000, ENTRIES = 400, ROOM = AXIS };

struct planted {
    uint32_t from, to; /* [from, to) */
    uint32_t signature;
    double rate;
};

struct library {
    uint32_t axis_count;
    struct planted windows[3];
    size_t window_count;
    double noise;
    uint32_t signatures; /* that noise has: 1 … */
    uint32_t unreachable_from, unreachable_to;
    struct itr_random random;
};

struct search {
    struct itr_samples samples;
    uint32_t seeds[AXIS];
    size_t seed_count;
    uint64_t shots;
    unsigned rounds;
};

static struct itr_probe probes[ROOM];

static uint32_t shoot(struct library *library, uint32_t position) {
    double chance = itr_random_unit(&library->random);
    for (size_t i = 0; i < library->window_count; i++) {
        const struct planted *window = &library->windows[i];
        if (position >= window->from && position < window->to) {
            return chance < window->rate ? window->signature : 0;
        }
    }
    return chance < library->noise
               ? 1 + (uint32_t)itr_random_below(&library->random, library->signatures)
               : 0;
}

static void fire(struct library *library, struct search *search, const struct itr_probe *probe) {
    struct itr_error err = {0};
    assert_true(probe->position < library->axis_count);
    assert_true(probe->shots > 0);
    search->shots += probe->shots;
    if (probe->position >= library->unreachable_from && probe->position < library->unreachable_to) {
        assert_int_equal(itr_samples_miss(&search->samples, probe->position, probe->shots, &err),
                         ITR_OK);
        return;
    }
    for (uint32_t i = 0; i < probe->shots; i++) {
        assert_int_equal(itr_samples_add(&search->samples, probe->position,
                                         shoot(library, probe->position), 1, &err),
                         ITR_OK);
    }
}

/* Searches to the end; the samples stay for the caller's release. */
static void run(struct library *library, struct search *search,
                const struct itr_window_rules *rules, struct itr_windows *windows) {
    struct itr_error err = {0};
    struct itr_probe_plan plan;
    for (;;) {
        assert_int_equal(itr_probes_next(&plan, probes, ROOM, &search->samples, library->axis_count,
                                         search->seeds, search->seed_count, rules, &err),
                         ITR_OK);
        assert_int_equal(plan.count == 0, plan.stage == ITR_PROBE_DONE);
        if (plan.stage == ITR_PROBE_DONE) {
            break;
        }
        assert_true(++search->rounds < 2000);
        for (size_t i = 0; i < plan.count; i++) {
            fire(library, search, &probes[i]);
        }
    }
    assert_int_equal(itr_windows_find(windows, &search->samples, library->axis_count, rules, &err),
                     ITR_OK);
}

static struct search *new_search(uint32_t axis_count, uint32_t each) {
    struct search *search = calloc(1, sizeof *search);
    assert_non_null(search);
    for (uint32_t at = 0; at < axis_count; at += each) {
        search->seeds[search->seed_count++] = at;
    }
    return search;
}

static void end_search(struct search *search) {
    itr_samples_release(&search->samples);
    free(search);
}

static void assert_edges(const struct itr_window *window, const struct planted *planted) {
    assert_int_equal(window->signature, planted->signature);
    assert_false(window->opening.open);
    assert_int_equal(window->opening.outside, planted->from - 1);
    assert_int_equal(window->opening.inside, planted->from);
    assert_false(window->closing.open);
    assert_int_equal(window->closing.inside, planted->to - 1);
    assert_int_equal(window->closing.outside, planted->to);
    assert_true(window->opening.adjacent && window->opening.confirmed);
    assert_true(window->closing.adjacent && window->closing.confirmed);
    assert_true(window->rate > planted->rate - 0.25 && window->rate <= 1);
    assert_true(window->outside_rate < 0.2);
}

/* ---- each rule by itself, without noise ---- */

static struct library library_of(uint32_t axis_count) {
    return (
        struct library){.axis_count = axis_count, .signatures = 1, .random = itr_random_seed(7)};
}

static void begins_with_the_seeds_and_both_ends(void **state) {
    static const uint32_t seeds[] = {10, 20};
    struct itr_samples samples = {0};
    struct itr_probe_plan plan;
    (void)state;
    assert_int_equal(itr_probes_next(&plan, probes, ROOM, &samples, 100, seeds, 2, NULL, NULL),
                     ITR_OK);
    assert_int_equal(plan.stage, ITR_PROBE_SEEDS);
    assert_int_equal(plan.count, 4);
    assert_int_equal(probes[0].position, 0);
    assert_int_equal(probes[1].position, 10);
    assert_int_equal(probes[3].position, 99);
    assert_int_equal(probes[3].shots, 3);
    assert_int_equal(itr_samples_add(&samples, 0, 0, 2, NULL), ITR_OK);
    assert_int_equal(itr_probes_next(&plan, probes, 2, &samples, 100, seeds, 2, NULL, NULL),
                     ITR_OK);
    assert_int_equal(plan.count, 2);
    assert_int_equal(probes[0].position, 0);
    assert_int_equal(probes[0].shots, 1);
    itr_samples_release(&samples);
}

static void refuses_what_cannot_be(void **state) {
    static const uint32_t falling[] = {5, 4};
    static const uint32_t beyond[] = {100};
    struct itr_samples samples = {0};
    struct itr_probe_plan plan = {.count = 77};
    struct itr_window_rules rules = {.shots_confirm = 50, .shots_max = 10};
    (void)state;
    assert_int_equal(itr_probes_next(&plan, probes, 1, &samples, 0, NULL, 0, NULL, NULL),
                     ITR_E_USAGE);
    assert_int_equal(itr_probes_next(&plan, probes, 0, &samples, 9, NULL, 0, NULL, NULL),
                     ITR_E_USAGE);
    assert_int_equal(itr_probes_next(&plan, probes, 1, &samples, 9, falling, 2, NULL, NULL),
                     ITR_E_USAGE);
    assert_int_equal(itr_probes_next(&plan, probes, 1, &samples, 100, beyond, 1, NULL, NULL),
                     ITR_E_USAGE);
    assert_int_equal(itr_probes_next(&plan, probes, 1, &samples, 9, NULL, 0, &rules, NULL),
                     ITR_E_USAGE);
    assert_int_equal(plan.count, 77);
}

static void no_failure_ends_after_the_seeds(void **state) {
    struct library library = library_of(AXIS);
    struct search *search = new_search(AXIS, 50);
    struct itr_windows windows;
    (void)state;
    run(&library, search, NULL, &windows);
    assert_int_equal(windows.count, 0);
    assert_int_equal(windows.failures, 0);
    assert_int_equal(search->rounds, 1);
    assert_int_equal(search->shots, 3 * (AXIS / 50 + 1));
    end_search(search);
}

static void failures_everywhere_are_one_window_without_edges(void **state) {
    struct library library = library_of(1000);
    struct search *search = new_search(1000, 50);
    struct itr_windows windows;
    (void)state;
    library.windows[library.window_count++] = (struct planted){0, 1000, 1, 1};
    run(&library, search, NULL, &windows);
    assert_int_equal(windows.count, 1);
    assert_true(windows.items[0].opening.open && windows.items[0].closing.open);
    assert_true(windows.items[0].opening.adjacent && windows.items[0].closing.adjacent);
    assert_true(windows.items[0].opening.confirmed && windows.items[0].closing.confirmed);
    assert_int_equal(windows.items[0].outside_trials, 0);
    assert_true(windows.items[0].outside_rate != windows.items[0].outside_rate);
    end_search(search);
}

static void two_windows_that_touch_are_two(void **state) {
    struct library library = library_of(AXIS);
    struct search *search = new_search(AXIS, 50);
    struct itr_windows windows;
    (void)state;
    library.windows[0] = (struct planted){5017, 6203, 1, 1};
    library.windows[1] = (struct planted){6203, 9999, 2, 1};
    library.window_count = 2;
    run(&library, search, NULL, &windows);
    assert_int_equal(windows.count, 2);
    assert_edges(&windows.items[0], &library.windows[0]);
    assert_edges(&windows.items[1], &library.windows[1]);
    assert_true(search->shots < 4000);
    end_search(search);
}

static void an_open_end_is_followed_to_the_last_reachable_position(void **state) {
    struct library library = library_of(1000);
    struct search *search = new_search(1000, 50);
    struct itr_windows windows;
    (void)state;
    library.windows[library.window_count++] = (struct planted){700, 1000, 1, 1};
    library.unreachable_from = 990;
    library.unreachable_to = 1000;
    run(&library, search, NULL, &windows);
    assert_int_equal(windows.count, 1);
    assert_int_equal(windows.items[0].opening.inside, 700);
    assert_true(windows.items[0].closing.open);
    assert_true(windows.items[0].closing.adjacent);
    assert_int_equal(windows.items[0].closing.inside, 989);
    end_search(search);
}

static void unreachable_neighbours_are_passed_over(void **state) {
    struct library library = library_of(1000);
    struct search *search = new_search(1000, 50);
    struct itr_windows windows;
    (void)state;
    library.windows[library.window_count++] = (struct planted){512, 803, 1, 1};
    library.unreachable_from = 505;
    library.unreachable_to = 520;
    run(&library, search, NULL, &windows);
    assert_int_equal(windows.count, 1);
    assert_int_equal(windows.items[0].opening.outside, 504);
    assert_int_equal(windows.items[0].opening.inside, 520);
    assert_true(windows.items[0].opening.adjacent && windows.items[0].opening.confirmed);
    assert_int_equal(windows.items[0].closing.inside, 802);
    end_search(search);
}

/* Code that ran in the traced starts only: no shot reaches it. A round for each of its instructions would be beyond
 * locate's limit of 60. */
static void a_long_run_of_unreachable_ones_takes_few_rounds(void **state) {
    struct library library = library_of(1000);
    struct search *search = new_search(1000, 50);
    struct itr_windows windows;
    (void)state;
    library.windows[library.window_count++] = (struct planted){512, 803, 1, 1};
    library.unreachable_from = 430;
    library.unreachable_to = 630;
    run(&library, search, NULL, &windows);
    assert_int_equal(windows.count, 1);
    assert_int_equal(windows.items[0].opening.outside, 429);
    assert_int_equal(windows.items[0].opening.inside, 630);
    assert_true(windows.items[0].opening.adjacent && windows.items[0].opening.confirmed);
    assert_int_equal(windows.items[0].closing.inside, 802);
    assert_true(search->rounds < 25);
    end_search(search);
}

/* Between two entries: not found from the entries, found when every instruction is a seed, even with one
 * shot each and noise. */
static void a_narrow_window_needs_a_sweep_of_instructions(void **state) {
    struct library library = library_of(5000);
    struct search *entries = new_search(5000, 50);
    struct search *all = new_search(5000, 1);
    struct itr_window_rules rules = {.shots_first = 1};
    struct itr_windows windows;
    (void)state;
    library.windows[library.window_count++] = (struct planted){2021, 2023, 1, 1};
    run(&library, entries, NULL, &windows);
    assert_int_equal(windows.count, 0);
    library.noise = 0.005;
    run(&library, all, &rules, &windows);
    assert_int_equal(windows.count, 1);
    assert_edges(&windows.items[0], &library.windows[0]);
    end_search(entries);
    end_search(all);
}

/* ---- properties ---- */

struct tally {
    unsigned runs, exact;
    uint64_t shots;
    unsigned rounds;
};

static void one_random_run(uint64_t trial, double rate, double noise, unsigned windows_most,
                           struct tally *tally) {
    struct library library = library_of(AXIS);
    struct search *search = new_search(AXIS, AXIS / ENTRIES);
    struct itr_windows windows;
    bool exact;
    uint32_t at = 1 + (uint32_t)itr_random_below(&library.random, 1);
    library.random = itr_random_of("probe", (uint64_t)(rate * 1000), trial);
    library.noise = noise;
    library.signatures = 2;
    library.window_count = 1 + (size_t)itr_random_below(&library.random, windows_most);
    for (size_t i = 0; i < library.window_count; i++) {
        bool touches = i > 0 && itr_random_below(&library.random, 2) == 0;
        uint32_t from =
            at + (touches ? 0 : 200 + (uint32_t)itr_random_below(&library.random, 2000));
        uint32_t to = from + 150 + (uint32_t)itr_random_below(&library.random, 3000);
        library.windows[i] = (struct planted){from, to, 1 + (uint32_t)i % 2, rate};
        at = to;
    }
    run(&library, search, NULL, &windows);
    exact = windows.count == library.window_count;
    for (size_t i = 0; exact && i < library.window_count; i++) {
        const struct itr_window *found = &windows.items[i];
        const struct planted *planted = &library.windows[i];
        exact =
            found->signature == planted->signature && found->opening.outside == planted->from - 1 &&
            found->opening.inside == planted->from && found->closing.inside == planted->to - 1 &&
            found->closing.outside == planted->to && found->opening.confirmed &&
            found->closing.confirmed && !found->opening.open && !found->closing.open;
    }
    tally->runs++;
    tally->exact += exact;
    tally->shots += search->shots;
    tally->rounds += search->rounds;
    end_search(search);
}

/* The seeds are always the same ones, and so is what is found. */
static void random_windows(double rate, double noise, unsigned most, unsigned runs) {
    struct tally tally = {0};
    for (unsigned i = 0; i < runs; i++) {
        one_random_run(i, rate, noise, most, &tally);
    }
    print_message("rate %.2f noise %.3f: exact in %u of %u, %.0f shots, %.1f rounds each\n", rate,
                  noise, tally.exact, tally.runs, (double)tally.shots / tally.runs,
                  (double)tally.rounds / tally.runs);
    assert_true(tally.exact * 1000.0 >= tally.runs * 999.0);
}

static void edges_are_exact_without_noise(void **state) {
    (void)state;
    random_windows(1, 0, 3, TIMES(200, 20));
}

static void edges_are_exact_at_1_percent_noise(void **state) {
    (void)state;
    random_windows(0.97, 0.01, 3, TIMES(1000, 20));
}

static void edges_are_exact_where_half_the_shots_fail(void **state) {
    (void)state;
    random_windows(0.5, 0.01, 2, TIMES(400, 20));
}

static void noise_alone_makes_no_window(void **state) {
    unsigned found = 0;
    (void)state;
    for (unsigned i = 0; i < TIMES(200, 20); i++) {
        struct library library = library_of(AXIS);
        struct search *search = new_search(AXIS, AXIS / ENTRIES);
        struct itr_windows windows;
        library.random = itr_random_of("noise", 1, i);
        library.noise = 0.01;
        run(&library, search, NULL, &windows);
        found += windows.count > 0;
        end_search(search);
    }
    assert_true(found == 0);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_the_seeds_and_both_ends),
        cmocka_unit_test(refuses_what_cannot_be),
        cmocka_unit_test(no_failure_ends_after_the_seeds),
        cmocka_unit_test(failures_everywhere_are_one_window_without_edges),
        cmocka_unit_test(two_windows_that_touch_are_two),
        cmocka_unit_test(an_open_end_is_followed_to_the_last_reachable_position),
        cmocka_unit_test(unreachable_neighbours_are_passed_over),
        cmocka_unit_test(a_long_run_of_unreachable_ones_takes_few_rounds),
        cmocka_unit_test(a_narrow_window_needs_a_sweep_of_instructions),
        cmocka_unit_test(edges_are_exact_without_noise),
        cmocka_unit_test(edges_are_exact_at_1_percent_noise),
        cmocka_unit_test(edges_are_exact_where_half_the_shots_fail),
        cmocka_unit_test(noise_alone_makes_no_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
