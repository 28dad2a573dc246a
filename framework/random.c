/* splitmix64 and xoshiro256**, written from their published descriptions (Steele, Lea and Flood,
 * OOPSLA 2014; Blackman and Vigna, 2018). It reads no clock and keeps no state of its own. */
#include "framework/random.h"

#include "framework/text.h"

#include <stddef.h>
#include <string.h>

uint64_t itr_splitmix64(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

struct itr_random itr_random_seed(uint64_t seed) {
    struct itr_random random;

    for (size_t i = 0; i < 4; i++) {
        random.state[i] = itr_splitmix64(&seed);
    }
    return random;
}

/* Each part goes through splitmix64's mixing before the next is added, so that (seed, trial) and
 * (seed + 1, trial - 1) have nothing to do with each other. */
struct itr_random itr_random_of(const char *case_name, uint64_t seed, uint64_t trial) {
    uint64_t state = itr_hash64(ITR_HASH64_START, case_name, strlen(case_name));

    state = itr_splitmix64(&state) ^ seed;
    state = itr_splitmix64(&state) ^ trial;
    return itr_random_seed(itr_splitmix64(&state));
}

static uint64_t rotate_left(uint64_t value, unsigned bits) {
    return value << bits | value >> (64 - bits);
}

uint64_t itr_random_next(struct itr_random *random) {
    uint64_t *s = random->state;
    uint64_t result;
    uint64_t shifted;

    if ((s[0] | s[1] | s[2] | s[3]) == 0) {
        *random = itr_random_seed(0); /* the all-zero state would yield zeros for ever */
    }
    result = rotate_left(s[1] * 5, 7) * 9;
    shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t itr_random_below(struct itr_random *random, uint64_t limit) {
    uint64_t number = itr_random_next(random);

    if (limit == 0) {
        return number;
    }
    /* The lowest 2^64 mod limit numbers are drawn again: the rest is a whole number of rounds. */
    for (uint64_t biased = (0 - limit) % limit; number < biased;) {
        number = itr_random_next(random);
    }
    return number % limit;
}

uint64_t itr_random_between(struct itr_random *random, uint64_t low, uint64_t high) {
    return high < low ? low : low + itr_random_below(random, high - low + 1);
}

double itr_random_unit(struct itr_random *random) {
    return (double)(itr_random_next(random) >> 11) * 0x1p-53;
}
