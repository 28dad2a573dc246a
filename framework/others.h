/* "Not worse elsewhere": does the candidate fail more often than the baseline in any of many cells (other signatures, other
 * cases)? Fisher's exact test in each, one-sided, with Holm's correction over all, so that the chance to call any cell worse
 * when none is stays at or below alpha, whatever the cells have to do with each other. Counts in, answers out; it runs no
 * trials and chooses no cells.
 *
 * A signature that only the candidate shows is a cell of its own, with no hits of the baseline in as many trials as that
 * had. The caller should add one cell for failures of any kind: many new signatures, each seen once, are found by that. */
#ifndef INITRACE_FRAMEWORK_OTHERS_H
#define INITRACE_FRAMEWORK_OTHERS_H

#include "framework/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ITR_OTHERS_MAX = 1 << 20 };

struct itr_other {
    /* in */
    uint64_t baseline_hits, baseline_trials;
    uint64_t candidate_hits, candidate_trials;
    /* out */
    double chance;   /* Fisher's: so many more failures of the candidate's, or more, by chance */
    double adjusted; /* Holm's: the least alpha at which this cell is worse */
    bool is_worse;
    bool is_new; /* the candidate fails here, the baseline never did */
};

/* Fills in all cells; `*worse` of them are worse at `alpha`. ITR_E_USAGE, with nothing changed, for an alpha outside (0, 1)
 * or more hits than trials; ITR_E_LIMIT for too many cells; ITR_E_NO_MEMORY. */
ITR_MUST_USE enum itr_status itr_others_judge(struct itr_other *cells, size_t count, double alpha,
                                              size_t *worse, struct itr_error *err);

/* Could this cell be worse at all, with all its trials of the candidate failing and `count` cells judged? Where not, a clean
 * answer says nothing of it. False for counts that cannot be. */
bool itr_other_has_power(const struct itr_other *cell, size_t count, double alpha);

#endif
