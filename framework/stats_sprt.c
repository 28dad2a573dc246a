/* Wald's sequential test of one rate against another. */
#include "framework/stats_parts.h"

#include <math.h>

enum itr_status itr_sprt_begin(struct itr_sprt *sprt, double rate_0, double rate_1, double alpha,
                               double beta, struct itr_error *err) {
    if (!itr_is_probability(rate_0) || !itr_is_probability(rate_1) || rate_0 == rate_1) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a sequential test needs two different rates from 0 to 1, not %g and %g",
                        rate_0, rate_1);
    }
    if (!(alpha > 0) || !(beta > 0) || !(alpha + beta < 1)) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a sequential test needs error chances above 0 with a sum below 1, not %g "
                        "and %g",
                        alpha, beta);
    }
    *sprt = (struct itr_sprt){0};
    /* Infinite where one of the rates rules the outcome out: one such trial decides. */
    sprt->step_hit = log(rate_1) - log(rate_0);
    sprt->step_miss = log1p(-rate_1) - log1p(-rate_0);
    sprt->lower = log(beta) - log1p(-alpha);
    sprt->upper = log1p(-beta) - log(alpha);
    return ITR_OK;
}

enum itr_sprt_decision itr_sprt_step(struct itr_sprt *sprt, bool hit) {
    if (sprt->decision != ITR_SPRT_CONTINUE) {
        return sprt->decision;
    }
    sprt->trials++;
    sprt->hits += hit;
    sprt->ratio += hit ? sprt->step_hit : sprt->step_miss;
    if (sprt->ratio >= sprt->upper) {
        sprt->decision = ITR_SPRT_RATE_1;
    } else if (sprt->ratio <= sprt->lower) {
        sprt->decision = ITR_SPRT_RATE_0;
    }
    return sprt->decision;
}

void itr_sprt_hold(struct itr_sprt *sprt, double alpha, double beta) {
    sprt->upper = -log(alpha);
    sprt->lower = log(beta);
}

enum itr_sprt_decision itr_sprt_set(struct itr_sprt *sprt, uint64_t hits, uint64_t trials) {
    if (sprt->decision != ITR_SPRT_CONTINUE || hits > trials) {
        return sprt->decision;
    }
    sprt->hits = hits;
    sprt->trials = trials;
    sprt->ratio = (hits > 0 ? (double)hits * sprt->step_hit : 0) +
                  (trials > hits ? (double)(trials - hits) * sprt->step_miss : 0);
    if (sprt->ratio >= sprt->upper) {
        sprt->decision = ITR_SPRT_RATE_1;
    } else if (sprt->ratio <= sprt->lower) {
        sprt->decision = ITR_SPRT_RATE_0;
    }
    return sprt->decision;
}
