/* Noisy bisection: which of an ordered list of arms is the first on which the failure rate is another one? Both rates are
 * unknown, a single trial says little, and no answer is ever final: the chance of each arm to be the first is kept (Bayes),
 * the arm whose trial is expected to tell the most is asked for next, and the search ends when one arm is as good as sure.
 *
 * Numbers only: it runs no trials, and the same answers give the same questions.
 *
 * What is assumed: trials are independent; before the first bad arm all have one rate, from it on another; which of the two
 * is higher is given, or taken for open; each arm but arm 0 may be the first, or none ("no change"). Rates are taken
 * for equally likely by their logit, from 0.03 % to 99.97 %, in steps of about a third. */
#ifndef INITRACE_FRAMEWORK_BISECT_H
#define INITRACE_FRAMEWORK_BISECT_H

#include "framework/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_BISECT_ARMS_MAX = 4096,
    ITR_BISECT_RATES = 49, /* rates that are told apart */
};

/* Which way the rate goes at the arm that is looked for. */
enum itr_bisect_change {
    ITR_BISECT_UP,   /* the first that fails more often: a regression */
    ITR_BISECT_DOWN, /* the first that fails more seldom: a fix */
    ITR_BISECT_EITHER,
};

struct itr_bisect_rules {
    enum itr_bisect_change change;
    double sure; /* ends at this chance; 0: 0.99 */
    double
        no_change; /* chance, before any trial, that no arm differs; 0: 1 / arms. Negative: none, one differs for sure */
    uint64_t trials_max; /* the budget; 0: none */
};

enum itr_bisect_state {
    ITR_BISECT_CONTINUE,
    ITR_BISECT_FOUND,     /* `best` is the first bad arm */
    ITR_BISECT_NO_CHANGE, /* all arms have the same rate, as far as can be told */
    ITR_BISECT_BUDGET,    /* the trials are used up; `best` is the likeliest */
};

/* Made by itr_bisect_begin(); release it. `{0}` may be released. */
struct itr_bisect {
    struct itr_bisect_rules rules; /* with the defaults filled in */
    enum itr_bisect_state state;
    size_t arms;
    uint64_t trials;
    uint64_t *arm_hits;   /* per arm */
    uint64_t *arm_trials; /* per arm */
    /* Per hypothesis: [i] that arm i is the first bad one, [0] that there is none. */
    double *chance;
    double *rate_before; /* expected; for [0] both are the one rate */
    double *rate_after;
    size_t best;                           /* the likeliest; 0: no change */
    size_t next;                           /* the arm to try next; arms - 1 at most */
    double told;                           /* what that trial is expected to tell, in bits */
    double log_rates[2][ITR_BISECT_RATES]; /* logarithms of the rates, [1], and of 1 - rate, [0] */
};

/* At least 2 arms. ITR_E_USAGE for what cannot be, ITR_E_LIMIT for too many arms, ITR_E_NO_MEMORY. */
ITR_MUST_USE enum itr_status itr_bisect_begin(struct itr_bisect *bisect, size_t arms,
                                              const struct itr_bisect_rules *rules,
                                              struct itr_error *err);
void itr_bisect_release(struct itr_bisect *bisect);

/* The answer of a trial of `arm`, which need not be `next`: several may be under way. Trials after the end change nothing.
 * ITR_E_USAGE for an arm that is none. */
ITR_MUST_USE enum itr_status itr_bisect_note(struct itr_bisect *bisect, size_t arm, bool hit,
                                             struct itr_error *err);

/* All answers at once, in the place of those noted so far: of each arm the failures and the trials. The order of trials
 * tells nothing, so this is the same as noting them one by one, but for an end that came before the last of them.
 * ITR_E_USAGE, with nothing changed, for more failures than trials. */
ITR_MUST_USE enum itr_status itr_bisect_set(struct itr_bisect *bisect, const uint64_t *hits,
                                            const uint64_t *trials, struct itr_error *err);

/* For trials that are under way at a time: how many of the next `count` are best spent on each arm. The first goes to
 * `next`; each further one where it would go if those before came to what is likeliest. `trials` has room for all arms. */
ITR_MUST_USE enum itr_status itr_bisect_plan(const struct itr_bisect *bisect, uint32_t count, uint32_t *trials,
                                             struct itr_error *err);

/* How many trials to have under way before the answers are looked at, with so many slots: enough that none waits long, and
 * never much beside what is known already. */
uint32_t itr_bisect_batch(const struct itr_bisect *bisect, uint32_t slots);

#endif
