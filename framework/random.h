/* Reproducible random numbers: xoshiro256** seeded by splitmix64. The state is a value the caller
 * owns; nothing here reads a clock or the system. The numbers are part of formats: the same on
 * every machine, for ever. Not for secrets. */
#ifndef INITRACE_FRAMEWORK_RANDOM_H
#define INITRACE_FRAMEWORK_RANDOM_H

#include <stdint.h>

/* `{0}` is valid and yields the numbers of seed 0. */
struct itr_random {
    uint64_t state[4];
};

/* The state of splitmix64 moves on; returns its next number. */
uint64_t itr_splitmix64(uint64_t *state);

/* State from a single number. */
struct itr_random itr_random_seed(uint64_t seed);

/* State of one trial. Every one of the three changes all of it. */
struct itr_random itr_random_of(const char *case_name, uint64_t seed, uint64_t trial);

/* Uniform over all 64-bit numbers. */
uint64_t itr_random_next(struct itr_random *random);

/* Uniform over 0 … limit-1, without bias; `limit` 0 means 2^64. */
uint64_t itr_random_below(struct itr_random *random, uint64_t limit);

/* Uniform over low … high, both included; `low` when high < low. */
uint64_t itr_random_between(struct itr_random *random, uint64_t low, uint64_t high);

/* Uniform over [0, 1): a multiple of 2^-53. */
double itr_random_unit(struct itr_random *random);

#endif
