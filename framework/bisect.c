/* The chances of noisy bisection, brought up to date trial by trial. It runs none.
 *
 * For each arm that may be the first bad one, the trials before it and from it on are two pairs of counts. The chance of such
 * counts at each of a row of rates is known, and the two rates' pairs that are allowed (the first lower than the second,
 * or higher, or any two that differ) are summed: with running sums that takes one pass over the rates. What a trial of an
 * arm tells is the mutual information of its answer and the first bad arm. */
#include "framework/bisect.h"

#include <math.h>
#include <stdlib.h>

static const double widest_logit = 8; /* a rate of 0.034 % */
static const double default_sure = 0.99;

static enum itr_status check(size_t arms, const struct itr_bisect_rules *rules,
                             struct itr_error *err) {
    if (arms < 2) {
        return itr_fail(err, ITR_E_USAGE, 0, "a bisection needs two arms or more, not %zu", arms);
    }
    if (arms > ITR_BISECT_ARMS_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "a bisection takes at most %d arms, not %zu",
                        ITR_BISECT_ARMS_MAX, arms);
    }
    if (!(rules->sure == 0 || (rules->sure > 0.5 && rules->sure < 1)) || !(rules->no_change < 1)) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a bisection ends at a chance between 0.5 and 1, not %g, and begins with "
                        "one below 1 for no change, not %g",
                        rules->sure, rules->no_change);
    }
    if (rules->change != ITR_BISECT_UP && rules->change != ITR_BISECT_DOWN &&
        rules->change != ITR_BISECT_EITHER) {
        return itr_fail(err, ITR_E_USAGE, 0, "a bisection looks up, down or either way");
    }
    return ITR_OK;
}

/* Counts' chance at each rate, divided by the highest of them, whose logarithm is returned. */
static double likelihoods(const struct itr_bisect *b, uint64_t hits, uint64_t trials,
                          double out[ITR_BISECT_RATES]) {
    double most = -INFINITY;

    for (size_t i = 0; i < ITR_BISECT_RATES; i++) {
        out[i] = (double)hits * b->log_rates[1][i] + (double)(trials - hits) * b->log_rates[0][i];
        most = fmax(most, out[i]);
    }
    for (size_t i = 0; i < ITR_BISECT_RATES; i++) {
        out[i] = exp(out[i] - most);
    }
    return most;
}

/* Sums over the pairs of rates that are allowed. */
struct pair_sums {
    double chance;
    double before; /* chance times the rate before */
    double after;
};

/* Adds the pairs low < high. */
static void add_pairs(const struct itr_bisect *b, const double *low, const double *high,
                      struct pair_sums *sums, double *low_rate, double *high_rate) {
    double below = 0;      /* sum of low[] up to here */
    double below_rate = 0; /* the same times the rate */

    for (size_t i = 0; i < ITR_BISECT_RATES; i++) {
        double rate = exp(b->log_rates[1][i]);
        sums->chance += high[i] * below;
        *low_rate += high[i] * below_rate;
        *high_rate += high[i] * rate * below;
        below += low[i];
        below_rate += low[i] * rate;
    }
}

/* The hypothesis that arm `first` is the first bad one: its unnormalized log chance, and the rates it expects. */
static double weigh_first(struct itr_bisect *b, size_t first, const uint64_t before[2],
                          const uint64_t after[2]) {
    double good[ITR_BISECT_RATES];
    double bad[ITR_BISECT_RATES];
    struct pair_sums sums = {0};
    double pairs = ITR_BISECT_RATES * (ITR_BISECT_RATES - 1) / 2.0;
    double scale = likelihoods(b, before[1], before[0], good);

    scale += likelihoods(b, after[1], after[0], bad);
    if (b->rules.change != ITR_BISECT_DOWN) {
        add_pairs(b, good, bad, &sums, &sums.before, &sums.after);
    }
    if (b->rules.change != ITR_BISECT_UP) {
        add_pairs(b, bad, good, &sums, &sums.after, &sums.before);
    }
    if (b->rules.change == ITR_BISECT_EITHER) {
        pairs *= 2;
    }
    if (!(sums.chance > 0)) { /* far from all allowed pairs: as good as ruled out */
        b->rate_before[first] = b->rate_after[first] = 0.5;
        return -INFINITY;
    }
    b->rate_before[first] = sums.before / sums.chance;
    b->rate_after[first] = sums.after / sums.chance;
    return scale + log(sums.chance / pairs);
}

/* The hypothesis that there is one rate. */
static double weigh_none(struct itr_bisect *b, const uint64_t all[2]) {
    double one[ITR_BISECT_RATES];
    double scale = likelihoods(b, all[1], all[0], one);
    double sum = 0;
    double rates = 0;

    for (size_t i = 0; i < ITR_BISECT_RATES; i++) {
        sum += one[i];
        rates += one[i] * exp(b->log_rates[1][i]);
    }
    b->rate_before[0] = b->rate_after[0] = rates / sum;
    return scale + log(sum / ITR_BISECT_RATES);
}

static void update_chances(struct itr_bisect *b) {
    double none = b->rules.no_change;
    uint64_t all[2] = {0, 0}; /* trials, hits */
    uint64_t before[2] = {0, 0};
    double most;
    double sum = 0;

    for (size_t i = 0; i < b->arms; i++) {
        all[0] += b->arm_trials[i];
        all[1] += b->arm_hits[i];
    }
    b->chance[0] = none > 0 ? log(none) + weigh_none(b, all) : -INFINITY;
    most = b->chance[0];
    for (size_t i = 1; i < b->arms; i++) {
        uint64_t after[2];
        before[0] += b->arm_trials[i - 1];
        before[1] += b->arm_hits[i - 1];
        after[0] = all[0] - before[0];
        after[1] = all[1] - before[1];
        b->chance[i] =
            log((1 - fmax(none, 0)) / (double)(b->arms - 1)) + weigh_first(b, i, before, after);
        most = fmax(most, b->chance[i]);
    }
    b->best = 0;
    for (size_t i = 0; i < b->arms; i++) {
        b->chance[i] = exp(b->chance[i] - most);
        sum += b->chance[i];
        b->best = b->chance[i] > b->chance[b->best] ? i : b->best;
    }
    for (size_t i = 0; i < b->arms; i++) {
        b->chance[i] /= sum;
    }
}

/* Bits of an answer that is "yes" with this chance. */
static double entropy(double p) {
    return p <= 0 || p >= 1 ? 0 : -(p * log2(p) + (1 - p) * log2(1 - p));
}

/* The arm whose answer tells the most about which is the first. Arm i is after the change for all firsts up to i. */
static void choose_next(struct itr_bisect *b) {
    double hit = 0;    /* chance that a trial of the arm fails */
    double unsure = 0; /* expected entropy of its answer, were the first bad arm known */
    double told_most = -1;

    for (size_t i = 0; i < b->arms; i++) {
        hit += b->chance[i] * b->rate_before[i];
        unsure += b->chance[i] * entropy(b->rate_before[i]);
    }
    for (size_t i = 0; i < b->arms; i++) {
        double told;
        if (i > 0) { /* first == i: this arm and those behind it are after the change */
            hit += b->chance[i] * (b->rate_after[i] - b->rate_before[i]);
            unsure += b->chance[i] * (entropy(b->rate_after[i]) - entropy(b->rate_before[i]));
        }
        told = entropy(hit) - unsure;
        /* Of arms that tell the same, the one with fewer trials: the rates are to be learnt as well. */
        if (told > told_most + 1e-12 ||
            (told > told_most - 1e-12 && b->arm_trials[i] < b->arm_trials[b->next])) {
            told_most = fmax(told, told_most);
            b->next = i;
        }
    }
    b->told = fmax(told_most, 0);
}

enum itr_status itr_bisect_begin(struct itr_bisect *bisect, size_t arms,
                                 const struct itr_bisect_rules *rules, struct itr_error *err) {
    struct itr_bisect b = {.rules = *rules, .arms = arms};
    enum itr_status status = check(arms, rules, err);

    if (status != ITR_OK) {
        return status;
    }
    if (b.rules.sure == 0) {
        b.rules.sure = default_sure;
    }
    if (b.rules.no_change == 0) {
        b.rules.no_change = 1 / (double)arms;
    }
    for (size_t i = 0; i < ITR_BISECT_RATES; i++) {
        double logit = widest_logit * (2 * (double)i / (ITR_BISECT_RATES - 1) - 1);
        b.log_rates[1][i] = -log1p(exp(-logit));
        b.log_rates[0][i] = -log1p(exp(logit));
    }
    b.arm_hits = calloc(arms, sizeof *b.arm_hits);
    b.arm_trials = calloc(arms, sizeof *b.arm_trials);
    b.chance = calloc(arms, sizeof *b.chance);
    b.rate_before = calloc(arms, sizeof *b.rate_before);
    b.rate_after = calloc(arms, sizeof *b.rate_after);
    if (b.arm_hits == NULL || b.arm_trials == NULL || b.chance == NULL || b.rate_before == NULL ||
        b.rate_after == NULL) {
        itr_bisect_release(&b);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "no memory for %zu arms", arms);
    }
    update_chances(&b);
    choose_next(&b);
    *bisect = b;
    return ITR_OK;
}

void itr_bisect_release(struct itr_bisect *b) {
    free(b->arm_hits);
    free(b->arm_trials);
    free(b->chance);
    free(b->rate_before);
    free(b->rate_after);
    *b = (struct itr_bisect){0};
}

static void settle(struct itr_bisect *b) {
    if (b->chance[b->best] >= b->rules.sure) {
        b->state = b->best == 0 ? ITR_BISECT_NO_CHANGE : ITR_BISECT_FOUND;
    } else if (b->rules.trials_max > 0 && b->trials >= b->rules.trials_max) {
        b->state = ITR_BISECT_BUDGET;
    }
}

static void add_answer(struct itr_bisect *b, size_t arm, bool hit) {
    b->trials++;
    b->arm_trials[arm]++;
    b->arm_hits[arm] += hit;
    update_chances(b);
    choose_next(b);
}

enum itr_status itr_bisect_note(struct itr_bisect *b, size_t arm, bool hit, struct itr_error *err) {
    if (arm >= b->arms) {
        return itr_fail(err, ITR_E_USAGE, 0, "arm %zu of a bisection of %zu", arm, b->arms);
    }
    if (b->state == ITR_BISECT_CONTINUE) {
        add_answer(b, arm, hit);
        settle(b);
    }
    return ITR_OK;
}

enum itr_status itr_bisect_set(struct itr_bisect *b, const uint64_t *hits, const uint64_t *trials,
                               struct itr_error *err) {
    for (size_t i = 0; i < b->arms; i++) {
        if (hits[i] > trials[i]) {
            return itr_fail(err, ITR_E_USAGE, 0, "arm %zu of a bisection failed in more trials than it had", i);
        }
    }
    b->trials = 0;
    for (size_t i = 0; i < b->arms; i++) {
        b->arm_hits[i] = hits[i];
        b->arm_trials[i] = trials[i];
        b->trials += trials[i];
    }
    b->state = ITR_BISECT_CONTINUE;
    update_chances(b);
    choose_next(b);
    settle(b);
    return ITR_OK;
}

/* The chance that the next trial of an arm fails. */
static double expected_hit(const struct itr_bisect *b, size_t arm) {
    double hit = 0;

    for (size_t i = 0; i < b->arms; i++) {
        hit += b->chance[i] * (i > 0 && arm >= i ? b->rate_after[i] : b->rate_before[i]);
    }
    return hit;
}

enum itr_status itr_bisect_plan(const struct itr_bisect *bisect, uint32_t count, uint32_t *trials,
                                struct itr_error *err) {
    struct itr_bisect thought = {0};
    enum itr_status status = itr_bisect_begin(&thought, bisect->arms, &bisect->rules, err);

    if (status == ITR_OK) {
        status = itr_bisect_set(&thought, bisect->arm_hits, bisect->arm_trials, err);
    }
    for (size_t i = 0; i < bisect->arms; i++) {
        trials[i] = 0;
    }
    for (uint32_t i = 0; i < count && status == ITR_OK; i++) {
        size_t arm = thought.next;
        trials[arm]++;
        if (i + 1 < count) {
            add_answer(&thought, arm, expected_hit(&thought, arm) >= 0.5);
        }
    }
    itr_bisect_release(&thought);
    return status;
}

uint32_t itr_bisect_batch(const struct itr_bisect *bisect, uint32_t slots) {
    enum { MOST = 128, PART = 8 };
    uint64_t least = 2 * (uint64_t)slots;
    uint64_t batch = bisect->trials / PART < MOST ? bisect->trials / PART : MOST;
    uint64_t left = bisect->rules.trials_max > bisect->trials ? bisect->rules.trials_max - bisect->trials : 0;

    batch = batch > least ? batch : least;
    batch = bisect->rules.trials_max > 0 && batch > left ? left : batch;
    return batch > 0 ? (uint32_t)batch : 1;
}
