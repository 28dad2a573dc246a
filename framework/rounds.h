/* Which trial of which arm is next, and what the rounds that are whole say: the loop of a comparison at one point, as a
 * plain value that is asked and told. It fires nothing, reads no clock and holds no lock.
 *
 * A round is `baselines` trials of the baseline (arm 0) and one of each candidate that is not decided yet, in an order drawn
 * from the seed. Several rounds are under way at a time, so that no slot waits for a slow trial; they are judged one after
 * the other, by number. A trial without an answer is taken again, under another number. What was fired beyond the decision is
 * counted (itr_rounds_beyond), not hidden.
 *
 * Everything but how far ahead trials were taken comes from the design and from what the trials came to: with the same
 * answers the same trials decide, however many slots there are. So a comparison that was cut short goes on when its known
 * trials are told again. */
#ifndef INITRACE_FRAMEWORK_ROUNDS_H
#define INITRACE_FRAMEWORK_ROUNDS_H

#include "framework/verdict.h"

enum {
    ITR_ROUNDS_CANDIDATES_MAX = 8,
    ITR_ROUNDS_SIGNATURES_MAX = 8,
    ITR_ROUNDS_ATTEMPTS = 8, /* of one trial; then its arm is held not to reach the point */
    ITR_ROUNDS_AHEAD_MAX = 4096,
    ITR_ROUNDS_OTHERS_MAX = 256, /* kinds of other failures of an arm that are told apart; the last has all further ones */
};

/* What a trial came to, beside the number of a signature. From design.signatures on it is a failure that is not compared
 * here: its arm's other failure number `what - signatures`, in the caller's own numbering. */
enum {
    ITR_ROUNDS_PASS = -1, /* as expected */
    ITR_ROUNDS_VOID = -2, /* the tool failed, or no shot was fired */
};

struct itr_rounds_design {
    struct itr_comparison_design test; /* rounds_max is never 0; baselines 0: the default */
    uint32_t candidates; /* up to the maximum; 0: the baseline alone */
    uint32_t signatures; /* that are compared; 0: nothing is decided, all rounds are run */
    uint32_t rounds_least; /* of a candidate that is fixed, so that failures in place of those that are compared come to light */
    uint32_t ahead;      /* rounds that may be under way, from 1 */
    uint64_t seed;
    uint64_t first_trial; /* the first of itr_rounds_numbers() trial numbers that are this comparison's alone */
};

enum itr_rounds_arm_state {
    ITR_ROUNDS_OPEN,
    ITR_ROUNDS_DECIDED,
    ITR_ROUNDS_NOT_REACHED, /* no shot landed in ITR_ROUNDS_ATTEMPTS trials */
};

struct itr_rounds_slot; /* a round under way */

/* `{0}` may be released. */
struct itr_rounds {
    struct itr_rounds_design design;
    struct itr_comparison comparisons[ITR_ROUNDS_CANDIDATES_MAX][ITR_ROUNDS_SIGNATURES_MAX];
    /* Of failures of any kind together: one that only takes the place of another is no fix. Begun where signatures are compared;
     * a candidate is open until this is decided, too. */
    struct itr_comparison any[ITR_ROUNDS_CANDIDATES_MAX];
    enum itr_rounds_arm_state arms[1 + ITR_ROUNDS_CANDIDATES_MAX];
    uint64_t arm_rounds[1 + ITR_ROUNDS_CANDIDATES_MAX]; /* judged while it was open */
    uint64_t *others[1 + ITR_ROUNDS_CANDIDATES_MAX]; /* of these rounds, failures that are not compared: ITR_ROUNDS_OTHERS_MAX */
    uint32_t size;    /* trials a round */
    uint64_t judged;  /* rounds, from the first on */
    uint64_t taken;   /* trials handed out */
    uint64_t ended;   /* of those, told of */
    uint64_t voids;   /* of those, without an answer */
    uint64_t counted; /* of those, in rounds that were judged */
    bool over;        /* nothing more is taken */
    struct itr_rounds_slot *slots; /* `ahead` of them, by round modulo that */
    uint64_t prepared; /* rounds whose slot was filled in */
};

/* A trial to run. */
struct itr_rounds_trial {
    uint64_t round;
    uint32_t place; /* in the round */
    uint32_t arm;   /* 0: the baseline */
    uint32_t attempt;
    uint64_t trial; /* its number */
};

/* ITR_E_USAGE for a design that cannot be; ITR_E_LIMIT for more trial numbers than there are; ITR_E_NO_MEMORY. */
ITR_MUST_USE enum itr_status itr_rounds_begin(struct itr_rounds *rounds, const struct itr_rounds_design *design,
                                              struct itr_error *err);
void itr_rounds_release(struct itr_rounds *rounds);

/* How many trial numbers a begun comparison has for itself. */
uint64_t itr_rounds_numbers(const struct itr_rounds *rounds);

/* The next trial to run; false: none now. None at all any more if `over`; else as many as are under way must end first. */
bool itr_rounds_take(struct itr_rounds *rounds, struct itr_rounds_trial *trial);
/* What a trial that was taken came to: ITR_ROUNDS_… or the number of a failure. Judges every round that is whole then. */
void itr_rounds_note(struct itr_rounds *rounds, const struct itr_rounds_trial *trial, int what);

/* Trials of an arm in the rounds that were judged while it was open. */
uint64_t itr_rounds_trials(const struct itr_rounds *rounds, uint32_t arm);

/* Trials with an answer that no round took in: under way at the decision, or of a round that never became whole. */
uint64_t itr_rounds_beyond(const struct itr_rounds *rounds);

#endif
