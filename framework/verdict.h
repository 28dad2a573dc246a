/* Is a candidate fixed? A sequential comparison of its failure rate (of one signature) with the baseline's, both
 * measured in the same campaign. Numbers only: it runs no trials, reads no clock and prints nothing.
 *
 * A round is `baselines` trials of the baseline and one of each candidate, in random order (itr_round_order). After each
 * round two of Wald's sequential probability ratio tests look at the failures alone: does a failure come from the
 * candidate as often as when both rates are the same, or as when the candidate's is `factor` times lower ("fixed"),
 * or `worse_factor` times higher ("worse")? A trial that does not fail moves neither. So nothing need be known of the
 * baseline's rate, and its uncertainty is part of the error chances:
 *
 *   - identical arms: "fixed" and "worse" each come with a chance of at most alpha, whatever their rate, and also when it
 *     drifts from round to round;
 *   - a candidate `factor` times lower, or more, is "fixed" with a chance of at least 1 - beta, given enough rounds.
 *
 * Why these are bounds, and not about so, is in docs/design.md ("Comparing"). In between, "fixed" and "not fixed" both
 * come: itr_comparison_expect() says how often, exactly.
 *
 * Rounds are by number, not in the order in which trials end (a trial that hangs ends late). A trial without an answer
 * (the tool failed) is to be made again.
 *
 * Rates and chances are fractions. Where a caller asks for what cannot be, the answer is ITR_E_USAGE. */
#ifndef INITRACE_FRAMEWORK_VERDICT_H
#define INITRACE_FRAMEWORK_VERDICT_H

#include "framework/error.h"
#include "framework/random.h"
#include "framework/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is known so far. */
#define ITR_COMPARISON_MAP(X)                                                    \
    X(CONTINUE, "continue", "more trials are needed")                            \
    X(FIXED, "fixed", "the candidate fails so much more seldom")                 \
    X(NOT_FIXED, "not fixed", "the candidate does not fail so much more seldom") \
    X(WORSE, "worse", "the candidate fails so much more often")                  \
    X(BUDGET, "undecided", "the trials are used up")                             \
    X(POWER, "undecided", "the failure is too rare for the trials there are")    \
    X(NOT_SHOWN, "undecided", "the baseline does not show it")

enum itr_comparison_verdict {
#define ITR_COMPARISON_ENUM(id, name, text) ITR_COMPARISON_##id,
    ITR_COMPARISON_MAP(ITR_COMPARISON_ENUM)
#undef ITR_COMPARISON_ENUM
};

enum itr_arm {
    ITR_ARM_BASELINE,
    ITR_ARM_CANDIDATE,
};

enum {
    ITR_BASELINES_MAX = 64,     /* baseline trials a round */
    ITR_CANDIDATES_MAX = 64,    /* candidates in a round */
    ITR_CANDIDATE_TRIALS = 60,  /* see itr_comparison_baselines() */
    ITR_BASELINE_TRIALS = 2000, /* the same */
};

#define ITR_FACTOR_LEAST 1.25
#define ITR_FACTOR_MOST  1000.0

/* What is asked. `{0}` with alpha and beta set is valid: a drop of 10 x or more is fixed. */
struct itr_comparison_design {
    double alpha;  /* accepted chance of each false answer about identical arms */
    double beta;   /* accepted chance not to see a true drop (or rise) */
    double rate_0; /* --p0: what the baseline is held to fail at; 0 when the factor is given */
    double rate_1; /* --p1: at or below it is fixed. The factor is then rate_0 / rate_1 */
    double factor; /* how many times lower is fixed; 0: from the rates, or 10 */
    double worse_factor; /* how many times higher is worse; 0: the same factor */
    uint32_t baselines;  /* baseline trials a round; 0: 16 */
    uint64_t rounds_max; /* the budget; 0: none */
};

/* The tests as a walk on a lattice: `a` failures of the baseline, `k` of the candidate. */
struct itr_comparison_lattice {
    double fixed_up;   /* what a failure of the baseline adds to the logarithm for "fixed" */
    double fixed_down; /* what one of the candidate takes from it */
    double worse_up;   /* one of the candidate, for "worse" */
    double worse_down; /* one of the baseline */
    double upper;      /* at or above: "fixed", "worse" */
    double lower;      /* at or below -lower: not so */
};

/* One comparison, a plain value: copy it at will, nothing to free. Made by itr_comparison_begin(). */
struct itr_comparison {
    struct itr_comparison_design
        design; /* with the defaults filled in; rounds_max may be set later */
    struct itr_comparison_lattice lattice;
    enum itr_comparison_verdict verdict; /* stays as it is once it is not CONTINUE */
    unsigned open;                       /* tests without an answer yet; see verdict_parts.h */
    uint64_t rounds;
    uint64_t hits[2];         /* by arm, of whole rounds */
    uint64_t trials[2];       /* by arm, of whole rounds */
    uint32_t round_hits[2];   /* of the round under way */
    uint32_t round_trials[2]; /* of the round under way */
};

const char *itr_comparison_name(enum itr_comparison_verdict verdict); /* "fixed", "undecided" */
const char *itr_comparison_text(enum itr_comparison_verdict verdict); /* what it means, in words */

ITR_MUST_USE enum itr_status itr_comparison_begin(struct itr_comparison *comparison,
                                                  const struct itr_comparison_design *design,
                                                  struct itr_error *err);

/* One more trial; returns what is known then, which changes at ends of rounds only. Nothing changes after the end. A trial
 * more than the round has of that arm is a bug of the caller's. */
enum itr_comparison_verdict itr_comparison_note(struct itr_comparison *comparison, enum itr_arm arm,
                                                bool hit);

/* A whole round at once, between rounds only. `baseline_hits` is at most design.baselines. */
enum itr_comparison_verdict itr_comparison_round(struct itr_comparison *comparison,
                                                 uint32_t baseline_hits, bool candidate_hit);

/* The order of one round's trials, every one as likely as the others: 0 for the baseline, n for candidate n. `order` has
 * room for baselines + candidates; both are at most their maximum. */
void itr_round_order(struct itr_random *random, uint32_t baselines, uint32_t candidates,
                     uint8_t *order);

/* ---- What it will take ---- */

/* Exact, by propagation over the lattice, from where the comparison stands, without a budget. */
struct itr_comparison_expected {
    double rounds; /* the mean. INFINITY when neither arm ever fails */
    double baseline_trials;
    double candidate_trials;
    double fixed; /* the chance of each answer */
    double not_fixed;
    double worse;
    uint64_t
        rounds_enough; /* 99 of 100 comparisons are decided by then. Exact for small rates, too many for large ones */
};

/* ITR_E_USAGE for rates outside [0, 1], ITR_E_LIMIT when the walk is too long to follow, ITR_E_NO_MEMORY. */
ITR_MUST_USE enum itr_status itr_comparison_expect(const struct itr_comparison *comparison,
                                                   double baseline_rate, double candidate_rate,
                                                   struct itr_comparison_expected *expected,
                                                   struct itr_error *err);

/* The rounds to announce as the budget: enough in 99 of 100 comparisons for a candidate that is fixed and for one that is
 * the same, where the baseline fails at `baseline_rate` > 0. */
ITR_MUST_USE enum itr_status itr_comparison_budget(const struct itr_comparison *comparison,
                                                   double baseline_rate, uint64_t *rounds,
                                                   struct itr_error *err);

/* How many baseline trials a round should have, of 1, 2, 4, 8 and 16: the fewest with which 60 trials of a candidate that
 * never fails are enough in 99 of 100 comparisons, if the baseline fails at `rate_low`. Where none of them does that: 16 if
 * that takes at most 2,000 baseline trials on average at `rate`, else 1, which takes the fewest trials in all. */
ITR_MUST_USE enum itr_status itr_comparison_baselines(const struct itr_comparison_design *design, double rate_low,
                                                      double rate, uint32_t *baselines, struct itr_error *err);

/* ---- What is known ---- */

struct itr_comparison_arm {
    uint64_t hits;
    uint64_t trials;
    double rate; /* hits / trials; NaN without trials */
    struct itr_interval
        interval;      /* Clopper and Pearson's: exact for a number of trials fixed beforehand */
    double none_bound; /* upper bound, one-sided, when there were no hits; else NaN */
};

struct itr_comparison_facts {
    struct itr_comparison_arm baseline;
    struct itr_comparison_arm candidate;
    /* The candidate's rate divided by the baseline's: of all failures, whose are they? high is INFINITY when the baseline
     * has none. Exact for small rates, wider than need be for large ones. */
    struct itr_interval ratio;
    struct itr_fisher fisher;    /* .less: by chance the candidate fails so seldom */
    double rounds_left_if_fixed; /* expected, at the baseline's rate as measured; 0 when decided, */
    double rounds_left_if_same;  /* INFINITY when it never failed, NaN when too long to follow */
};

/* Two walks over the lattice: milliseconds, for tiny factors a second. Not for every trial. */
void itr_comparison_facts(const struct itr_comparison *comparison, double confidence,
                          struct itr_comparison_facts *facts);

#endif
