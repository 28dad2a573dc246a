/* The sequential comparison itself: its design checked, its rounds counted, its verdict. What it will take is
 * verdict_expect.c's. */
#include "framework/verdict.h"

#include "framework/verdict_parts.h"

#include <math.h>

enum { DEFAULT_BASELINES = 16, LOOKS_AT_POWER = 8 };

static const double default_factor = 10;
static const double power_chance = 0.01; /* less than this is no chance worth the trials */

const char *itr_comparison_name(enum itr_comparison_verdict verdict) {
    static const char *const names[] = {
#define ITR_COMPARISON_NAME(id, name, text) [ITR_COMPARISON_##id] = (name),
        ITR_COMPARISON_MAP(ITR_COMPARISON_NAME)
#undef ITR_COMPARISON_NAME
    };
    size_t index = (size_t)verdict;

    return index < sizeof names / sizeof names[0] ? names[index] : "unknown";
}

const char *itr_comparison_text(enum itr_comparison_verdict verdict) {
    static const char *const texts[] = {
#define ITR_COMPARISON_TEXT(id, name, text) [ITR_COMPARISON_##id] = (text),
        ITR_COMPARISON_MAP(ITR_COMPARISON_TEXT)
#undef ITR_COMPARISON_TEXT
    };
    size_t index = (size_t)verdict;

    return index < sizeof texts / sizeof texts[0] ? texts[index] : "unknown";
}

static bool is_factor(double factor) {
    return factor >= ITR_FACTOR_LEAST && factor <= ITR_FACTOR_MOST;
}

/* Fills in the factors. */
static enum itr_status settle_factors(struct itr_comparison_design *design, struct itr_error *err) {
    if (design->rate_0 != 0 || design->rate_1 != 0) {
        if (!(design->rate_0 > 0) || !(design->rate_0 <= 1) || !(design->rate_1 > 0) ||
            !(design->rate_1 < design->rate_0)) {
            return itr_fail(err, ITR_E_USAGE, 0,
                            "a comparison needs 0 < p1 < p0 <= 1, not p0 %g and p1 %g",
                            design->rate_0, design->rate_1);
        }
        if (design->factor != 0) {
            return itr_fail(err, ITR_E_USAGE, 0,
                            "a comparison takes p0 and p1, or a factor, not both");
        }
        design->factor = design->rate_0 / design->rate_1;
    }
    if (design->factor == 0) {
        design->factor = default_factor;
    }
    if (design->worse_factor == 0) {
        design->worse_factor = design->factor;
    }
    if (!is_factor(design->factor) || !is_factor(design->worse_factor)) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a comparison needs factors from %g to %g, not %g (worse: %g)",
                        ITR_FACTOR_LEAST, ITR_FACTOR_MOST, design->factor, design->worse_factor);
    }
    return ITR_OK;
}

/* Of the failures, the candidate has ratio / (baselines + ratio). The logarithms of how much likelier a failure of each
 * arm is at that ratio than at 1. */
static double baseline_step(double baselines, double ratio) {
    return log1p((1 - ratio) / (baselines + ratio));
}

static double candidate_step(double baselines, double ratio) {
    return log(ratio) + baseline_step(baselines, ratio);
}

enum itr_status itr_comparison_begin(struct itr_comparison *comparison,
                                     const struct itr_comparison_design *design,
                                     struct itr_error *err) {
    struct itr_comparison begun = {.design = *design, .open = ITR_OPEN_BOTH};
    struct itr_comparison_lattice *lattice = &begun.lattice;
    enum itr_status status;
    double baselines;

    if (!(design->alpha > 0) || !(design->beta > 0) || !(design->alpha <= 0.25) ||
        !(design->beta <= 0.25)) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a comparison needs error chances above 0 and at most 0.25, not %g and %g",
                        design->alpha, design->beta);
    }
    if (design->baselines > ITR_BASELINES_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a comparison takes at most %d baseline trials a round, not %u",
                        ITR_BASELINES_MAX, (unsigned)design->baselines);
    }
    status = settle_factors(&begun.design, err);
    if (status != ITR_OK) {
        return status;
    }
    if (begun.design.baselines == 0) {
        begun.design.baselines = DEFAULT_BASELINES;
    }
    baselines = begun.design.baselines;
    lattice->fixed_up = baseline_step(baselines, 1 / begun.design.factor);
    lattice->fixed_down = -candidate_step(baselines, 1 / begun.design.factor);
    lattice->worse_up = candidate_step(baselines, begun.design.worse_factor);
    lattice->worse_down = -baseline_step(baselines, begun.design.worse_factor);
    /* Not Wald's (1-beta)/alpha: with these the chances are at most alpha and beta, not about them. */
    lattice->upper = -log(design->alpha);
    lattice->lower = -log(design->beta);
    *comparison = begun;
    return ITR_OK;
}

enum itr_comparison_verdict itr_lattice_look(const struct itr_comparison_lattice *lattice, double a,
                                             double k, unsigned *open) {
    double fixed = a * lattice->fixed_up - k * lattice->fixed_down;
    double worse = k * lattice->worse_up - a * lattice->worse_down;

    if ((*open & ITR_OPEN_FIXED) && fixed >= lattice->upper) {
        return ITR_COMPARISON_FIXED;
    }
    if ((*open & ITR_OPEN_WORSE) && worse >= lattice->upper) {
        return ITR_COMPARISON_WORSE;
    }
    if (fixed <= -lattice->lower) {
        *open &= ~(unsigned)ITR_OPEN_FIXED;
    }
    if (worse <= -lattice->lower) {
        *open &= ~(unsigned)ITR_OPEN_WORSE;
    }
    return *open == 0 ? ITR_COMPARISON_NOT_FIXED : ITR_COMPARISON_CONTINUE;
}

/* The chance that `needed` more failures come in `trials` more of an arm, at the upper bound of its rate. */
static double chance_of(double needed, uint64_t trials, const struct itr_comparison *c,
                        enum itr_arm arm) {
    double rate = itr_clopper_pearson(c->hits[arm], c->trials[arm], 1 - 2 * power_chance).high;

    if (!(needed > 0)) {
        return 1;
    }
    return needed > (double)trials ? 0
                                   : itr_binomial_at_least((uint64_t)ceil(needed), trials, rate);
}

/* Has any answer a chance still, on the way to it with the fewest failures? */
static bool has_power(const struct itr_comparison *c) {
    const struct itr_comparison_lattice *lattice = &c->lattice;
    uint64_t rounds = c->design.rounds_max - c->rounds;
    uint64_t trials =
        rounds < UINT64_MAX / ITR_BASELINES_MAX ? rounds * c->design.baselines : UINT64_MAX;
    double a = (double)c->hits[ITR_ARM_BASELINE];
    double k = (double)c->hits[ITR_ARM_CANDIDATE];
    double fixed = a * lattice->fixed_up - k * lattice->fixed_down;
    double worse = k * lattice->worse_up - a * lattice->worse_down;
    double to_same = 1; /* chance to close both tests: "not fixed" */
    double best = 0;

    if (c->open & ITR_OPEN_FIXED) {
        best = chance_of((lattice->upper - fixed) / lattice->fixed_up, trials, c, ITR_ARM_BASELINE);
        to_same *=
            chance_of((lattice->lower + fixed) / lattice->fixed_down, rounds, c, ITR_ARM_CANDIDATE);
    }
    if (c->open & ITR_OPEN_WORSE) {
        best = fmax(best, chance_of((lattice->upper - worse) / lattice->worse_up, rounds, c,
                                    ITR_ARM_CANDIDATE));
        to_same *=
            chance_of((lattice->lower + worse) / lattice->worse_down, trials, c, ITR_ARM_BASELINE);
    }
    return fmax(best, to_same) >= power_chance;
}

/* Undecided: because the budget is spent, or will be in vain. */
static enum itr_comparison_verdict look_at_budget(const struct itr_comparison *c) {
    uint64_t max = c->design.rounds_max;
    bool spent = max > 0 && c->rounds >= max;
    /* A few looks only: the chance to give up wrongly adds up. */
    bool look = max >= LOOKS_AT_POWER && c->rounds % (max / LOOKS_AT_POWER) == 0;

    if (!spent && !(look && !has_power(c))) {
        return ITR_COMPARISON_CONTINUE;
    }
    if (c->hits[ITR_ARM_BASELINE] == 0) {
        return ITR_COMPARISON_NOT_SHOWN;
    }
    return spent ? ITR_COMPARISON_BUDGET : ITR_COMPARISON_POWER;
}

enum itr_comparison_verdict itr_comparison_round(struct itr_comparison *c, uint32_t baseline_hits,
                                                 bool candidate_hit) {
    if (baseline_hits > c->design.baselines) {
        ITR_BUG("%u hits in a round of %u", (unsigned)baseline_hits, (unsigned)c->design.baselines);
    }
    if (c->round_trials[ITR_ARM_BASELINE] > 0 || c->round_trials[ITR_ARM_CANDIDATE] > 0) {
        ITR_BUG("a round is under way");
    }
    if (c->verdict != ITR_COMPARISON_CONTINUE) {
        return c->verdict;
    }
    c->rounds++;
    c->trials[ITR_ARM_BASELINE] += c->design.baselines;
    c->trials[ITR_ARM_CANDIDATE]++;
    c->hits[ITR_ARM_BASELINE] += baseline_hits;
    c->hits[ITR_ARM_CANDIDATE] += candidate_hit;
    c->verdict = itr_lattice_look(&c->lattice, (double)c->hits[ITR_ARM_BASELINE],
                                  (double)c->hits[ITR_ARM_CANDIDATE], &c->open);
    if (c->verdict == ITR_COMPARISON_CONTINUE) {
        c->verdict = look_at_budget(c);
    }
    return c->verdict;
}

enum itr_comparison_verdict itr_comparison_note(struct itr_comparison *c, enum itr_arm arm,
                                                bool hit) {
    uint32_t share = arm == ITR_ARM_CANDIDATE ? 1 : c->design.baselines;

    if (c->verdict != ITR_COMPARISON_CONTINUE) {
        return c->verdict;
    }
    if (c->round_trials[arm] >= share) {
        ITR_BUG("a round has %u trials of arm %d", (unsigned)share, (int)arm);
    }
    c->round_trials[arm]++;
    c->round_hits[arm] += hit;
    if (c->round_trials[ITR_ARM_BASELINE] == c->design.baselines &&
        c->round_trials[ITR_ARM_CANDIDATE] == 1) {
        uint32_t baseline_hits = c->round_hits[ITR_ARM_BASELINE];
        bool candidate_hit = c->round_hits[ITR_ARM_CANDIDATE] > 0;
        for (int i = 0; i < 2; i++) {
            c->round_hits[i] = 0;
            c->round_trials[i] = 0;
        }
        return itr_comparison_round(c, baseline_hits, candidate_hit);
    }
    return ITR_COMPARISON_CONTINUE;
}

void itr_round_order(struct itr_random *random, uint32_t baselines, uint32_t candidates,
                     uint8_t *order) {
    uint32_t count = baselines + candidates;

    if (baselines > ITR_BASELINES_MAX || candidates > ITR_CANDIDATES_MAX) {
        ITR_BUG("a round of %u and %u trials", (unsigned)baselines, (unsigned)candidates);
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = (uint8_t)(i < baselines ? 0 : i - baselines + 1);
    }
    for (uint32_t i = count; i > 1; i--) { /* Fisher and Yates */
        uint64_t j = itr_random_below(random, i);
        uint8_t swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}
