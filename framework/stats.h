/* Statistics of counts: intervals for a rate, binomial tails, Fisher's exact test, the sequential
 * probability ratio test. Pure functions of numbers; they decide nothing about trials.
 *
 * Rates and confidences are fractions: 0.95, not 95. Where a caller asks for what cannot be (hits >
 * trials, a confidence outside (0, 1), a negative parameter) a double answer is NaN and an interval
 * is {0, 1}: nothing is known. */
#ifndef INITRACE_FRAMEWORK_STATS_H
#define INITRACE_FRAMEWORK_STATS_H

#include "framework/error.h"

#include <stdbool.h>
#include <stdint.h>

struct itr_interval {
    double low;
    double high;
};

/* Two-sided interval for the rate behind `hits` of `trials`. Wilson's score interval (without
 * continuity correction) is close on average; Clopper and Pearson's never covers less than it says.
 * No trials: {0, 1}. */
struct itr_interval itr_wilson(uint64_t hits, uint64_t trials, double confidence);
struct itr_interval itr_clopper_pearson(uint64_t hits, uint64_t trials, double confidence);

/* One-sided exact upper bound for a rate of which 0 of `trials` were seen: 1-(1-confidence)^(1/n),
 * about 3/n at 0.95 (the "rule of three"). No trials: 1. */
double itr_none_upper_bound(uint64_t trials, double confidence);

/* Least number of trials after which 0 hits put that bound at or below `rate`; UINT64_MAX when no
 * number that fits does. */
uint64_t itr_none_trials_needed(double rate, double confidence);

/* Regularized incomplete beta function I_x(a, b) and its inverse in x, a and b > 0, both with a
 * relative error below 1e-12 for a and b from 0.01 to 1e7 wherever the value is a normal double. */
double itr_incomplete_beta(double a, double b, double x);
double itr_incomplete_beta_inverse(double a, double b, double probability);

/* P(X >= hits) and P(X <= hits) of X hits in `trials` independent trials at `rate`. */
double itr_binomial_at_least(uint64_t hits, uint64_t trials, double rate);
double itr_binomial_at_most(uint64_t hits, uint64_t trials, double rate);

/* The quantile z with P(Z <= z) = probability of the standard normal distribution. */
double itr_normal_quantile(double probability);

/* Fisher's exact test: are two rates the same? With the margins held, the chance of a table at
 * least as far out as the one seen. */
struct itr_fisher {
    double less;      /* the first rate is lower, by chance */
    double greater;   /* the first rate is higher, by chance */
    double two_sided; /* all tables no likelier than the one seen (relative slack 1e-7) */
};
struct itr_fisher itr_fisher_exact(uint64_t hits_1, uint64_t trials_1, uint64_t hits_2,
                                   uint64_t trials_2);

/* Wald's sequential probability ratio test of rate_0 against rate_1. `alpha`: accepted chance of
 * taking rate_1 when rate_0 holds; `beta`: the other way round. */
enum itr_sprt_decision {
    ITR_SPRT_CONTINUE,
    ITR_SPRT_RATE_0,
    ITR_SPRT_RATE_1,
};

struct itr_sprt {
    double step_hit;  /* what one hit adds to the log-likelihood ratio */
    double step_miss; /* what one miss adds */
    double lower;     /* at or below: rate_0 */
    double upper;     /* at or above: rate_1 */
    double ratio;     /* log-likelihood ratio so far, of rate_1 to rate_0 */
    uint64_t hits;
    uint64_t trials;
    enum itr_sprt_decision decision; /* stays as it is once taken */
};

/* ITR_E_USAGE unless both rates are in [0, 1] and differ, and alpha and beta are > 0 with a sum
 * below 1. */
ITR_MUST_USE enum itr_status itr_sprt_begin(struct itr_sprt *sprt, double rate_0, double rate_1,
                                            double alpha, double beta, struct itr_error *err);

/* One more trial; returns the decision so far. Trials after a decision change nothing. */
enum itr_sprt_decision itr_sprt_step(struct itr_sprt *sprt, bool hit);

/* After itr_sprt_begin(): wider bounds in the place of Wald's, with which neither error is likelier than asked for, whenever
 * one looks. Wald's are about right for a look after each trial. */
void itr_sprt_hold(struct itr_sprt *sprt, double alpha, double beta);

/* All trials so far at once, in the place of those before, looked at when they are known: for batches. Decides nothing while
 * both rates are ruled out (rates 0 and 1, and a hit and a miss). */
enum itr_sprt_decision itr_sprt_set(struct itr_sprt *sprt, uint64_t hits, uint64_t trials);

#endif
