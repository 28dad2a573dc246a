/* What verdict.c and verdict_expect.c share: one step of the tests on their lattice. No one else includes it. */
#ifndef INITRACE_FRAMEWORK_VERDICT_PARTS_H
#define INITRACE_FRAMEWORK_VERDICT_PARTS_H

#include "framework/verdict.h"

/* Tests without an answer yet. A test that was answered "the same" is not asked again. */
enum {
    ITR_OPEN_FIXED = 1,
    ITR_OPEN_WORSE = 2,
    ITR_OPEN_BOTH = 3,
};

/* The comparison's verdict at `a` failures of the baseline and `k` of the candidate; closes tests in `*open`. */
enum itr_comparison_verdict itr_lattice_look(const struct itr_comparison_lattice *lattice, double a,
                                             double k, unsigned *open);

#endif
