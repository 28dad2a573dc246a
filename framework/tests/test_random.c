/* Unit tests of random.c: published vectors, determinism, absence of bias. */
#include "framework/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Published with splitmix64 for seed 1234567 (Rosetta Code, "Pseudo-random numbers/Splitmix64"). */
static void splitmix64_gives_its_published_numbers(void **state) {
    static const uint64_t expected[] = {
        UINT64_C(6457827717110365317),  UINT64_C(3203168211198807973),
        UINT64_C(9817491932198370423),  UINT64_C(4593380528125082431),
        UINT64_C(16408922859458223821),
    };
    uint64_t seed = 1234567;

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(itr_splitmix64(&seed) == expected[i]);
    }
}

/* The vector that goes with the reference code for the state {1, 2, 3, 4}; also computed by 20
 * lines of Python with its unbounded integers. */
static void xoshiro256_starstar_gives_its_published_numbers(void **state) {
    static const uint64_t expected[] = {
        UINT64_C(11520),
        UINT64_C(0),
        UINT64_C(1509978240),
        UINT64_C(1215971899390074240),
        UINT64_C(1216172134540287360),
        UINT64_C(607988272756665600),
        UINT64_C(16172922978634559625),
        UINT64_C(8476171486693032832),
        UINT64_C(10595114339597558777),
        UINT64_C(2904607092377533576),
    };
    struct itr_random random = {{1, 2, 3, 4}};

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        assert_true(itr_random_next(&random) == expected[i]);
    }
}

/* Formats depend on these: computed by the same Python, they must never change. */
static void a_seed_gives_the_same_numbers_for_ever(void **state) {
    struct itr_random random = itr_random_seed(42);
    struct itr_random trial = itr_random_of("sigurg-during-init", 7, 123);

    (void)state;
    assert_true(itr_random_next(&random) == UINT64_C(0x15780b2e0c2ec716));
    assert_true(itr_random_next(&random) == UINT64_C(0x6104d9866d113a7e));
    assert_true(itr_random_next(&random) == UINT64_C(0xae17533239e499a1));
    assert_true(itr_random_next(&trial) == UINT64_C(0xf4273929c6ead6c2));
    assert_true(itr_random_next(&trial) == UINT64_C(0x80051038ab86e4be));
    assert_true(itr_random_next(&trial) == UINT64_C(0x1208e67fbfe6b59d));
}

static void a_zeroed_state_is_seed_zero(void **state) {
    struct itr_random zeroed = {{0}};
    struct itr_random seeded = itr_random_seed(0);

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(itr_random_next(&zeroed) == itr_random_next(&seeded));
    }
}

static void case_seed_and_trial_each_change_everything(void **state) {
    const struct itr_random states[] = {
        itr_random_of("a", 1, 1), itr_random_of("b", 1, 1), itr_random_of("", 1, 1),
        itr_random_of("a", 2, 1), itr_random_of("a", 1, 2), itr_random_of("a", 2, 0),
        itr_random_of("a", 0, 2), itr_random_of("a", 0, 0),
    };

    (void)state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        for (size_t j = 0; j < i; j++) {
            for (size_t k = 0; k < 4; k++) {
                assert_true(states[i].state[k] != states[j].state[k]);
            }
        }
    }
}

static void below_stays_below_and_reaches_every_value(void **state) {
    struct itr_random random = itr_random_seed(1);
    unsigned seen[7] = {0};

    (void)state;
    for (int i = 0; i < 70000; i++) {
        uint64_t number = itr_random_below(&random, 7);
        assert_true(number < 7);
        seen[number]++;
    }
    for (int i = 0; i < 7; i++) { /* 10,000 expected, standard deviation 93 */
        assert_in_range(seen[i], 9500, 10500);
    }
    for (int i = 0; i < 100; i++) {
        assert_true(itr_random_below(&random, 1) == 0);
    }
}

/* With limit 3 * 2^62 a plain remainder would give 0 … 2^62-1 half of all draws, not a third. */
static void below_has_no_bias_for_a_huge_limit(void **state) {
    struct itr_random random = itr_random_seed(2);
    const uint64_t quarter = UINT64_C(1) << 62;
    unsigned low = 0;

    (void)state;
    for (int i = 0; i < 30000; i++) {
        uint64_t number = itr_random_below(&random, 3 * quarter);
        assert_true(number < 3 * quarter);
        low += number < quarter;
    }
    assert_in_range(low, 9500, 10500);
}

static void limit_zero_is_the_full_range(void **state) {
    struct itr_random one = itr_random_seed(3);
    struct itr_random two = itr_random_seed(3);

    (void)state;
    for (int i = 0; i < 100; i++) {
        assert_true(itr_random_below(&one, 0) == itr_random_next(&two));
        assert_true(itr_random_between(&one, 0, UINT64_MAX) == itr_random_next(&two));
    }
}

static void between_includes_both_ends(void **state) {
    struct itr_random random = itr_random_seed(4);
    unsigned seen[3] = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        uint64_t number = itr_random_between(&random, 5, 7);
        assert_in_range(number, 5, 7);
        seen[number - 5]++;
    }
    assert_true(seen[0] > 0 && seen[1] > 0 && seen[2] > 0);
    assert_true(itr_random_between(&random, 9, 9) == 9);
    assert_true(itr_random_between(&random, 9, 3) == 9);
    assert_true(itr_random_between(&random, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
}

static void unit_is_within_zero_and_one_and_even(void **state) {
    struct itr_random random = itr_random_seed(5);
    double sum = 0;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        double number = itr_random_unit(&random);
        assert_true(number >= 0 && number < 1);
        sum += number;
    }
    assert_true(sum > 49500 && sum < 50500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitmix64_gives_its_published_numbers),
        cmocka_unit_test(xoshiro256_starstar_gives_its_published_numbers),
        cmocka_unit_test(a_seed_gives_the_same_numbers_for_ever),
        cmocka_unit_test(a_zeroed_state_is_seed_zero),
        cmocka_unit_test(case_seed_and_trial_each_change_everything),
        cmocka_unit_test(below_stays_below_and_reaches_every_value),
        cmocka_unit_test(below_has_no_bias_for_a_huge_limit),
        cmocka_unit_test(limit_zero_is_the_full_range),
        cmocka_unit_test(between_includes_both_ends),
        cmocka_unit_test(unit_is_within_zero_and_one_and_even),
    };
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
