/* What a comparison will take, exactly: the chances of all ways over its lattice. It decides nothing.
 *
 * Rounds without a failure do not move the walk; the others have i failures of the baseline and j of the candidate with
 * known chances. The candidate's failures never become fewer, so the lattice is followed row by row (k), and within a row
 * by a; each test's row is the strip between its two bounds, so two rows are all that is kept. Rounds come in from their
 * number per round that moves it: the mean of a sum of geometric numbers. */
#include "framework/verdict_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAX = 1 << 20,     /* failures of the candidate that are followed */
    FAILURES_MAX = 1 << 22, /* failures at the end that are told apart */
    STEPS_MAX = 200000000,  /* from a place to another: about a second */
    GROUPS = 256,           /* of numbers of failures, for rounds_enough */
    BASELINES_TRIED = 16,
    MODES = 4, /* sets of open tests, by their bits; 0 is not used */
};

static const double forgotten = 1e-13; /* the chance of what is followed no further */
static const double enough_chance = 0.99;

/* One row of one mode: the chances of k, and of a from `base` on. */
struct strip {
    double *chance;
    double base;
    size_t width;
};

struct walk {
    const struct itr_comparison_lattice *lattice;
    uint32_t baselines;
    double steps[ITR_BASELINES_MAX + 1][2]; /* chance of i and j failures in a round that moves */
    double moves;                           /* chance of a round that does */
    size_t room;                            /* of a strip */
    struct strip rows[2][MODES];
    double *memory;
    double verdicts[ITR_COMPARISON_WORSE + 1];
    uint64_t followed; /* steps */
    double visits;     /* expected rounds that move */
    double pending;    /* chance that is in the next row */
    double *ends;      /* by failures more than at the start: chance to end there */
    size_t ends_room;
    size_t ends_used; /* those beyond have no chance */
    double start;     /* failures at the start */
    struct itr_error *err;
};

/* C(n, i) p^i (1-p)^(n-i) for n up to 64: nothing overflows. */
static double binomial_chance(uint32_t n, uint32_t i, double p) {
    double ways = 1;

    for (uint32_t j = 0; j < i; j++) {
        ways = ways * (n - j) / (j + 1);
    }
    return ways * pow(p, i) * pow(1 - p, n - i);
}

static void make_steps(struct walk *w, double baseline_rate, double candidate_rate) {
    w->moves = -expm1(w->baselines * log1p(-baseline_rate) + log1p(-candidate_rate));
    for (uint32_t i = 0; i <= w->baselines; i++) {
        double chance = binomial_chance(w->baselines, i, baseline_rate) / w->moves;
        w->steps[i][0] = i == 0 ? 0 : chance * (1 - candidate_rate);
        w->steps[i][1] = chance * candidate_rate;
    }
}

/* An empty strip for row k: what is open lies between its tests' bounds. One more on either side, for rounding. */
static void clear_strip(const struct walk *w, struct strip *strip, unsigned open, double k) {
    const struct itr_comparison_lattice *lattice = w->lattice;
    double low = 0;
    double high = INFINITY;

    if (open & ITR_OPEN_FIXED) {
        low = fmax(low, (k * lattice->fixed_down - lattice->lower) / lattice->fixed_up);
        high = fmin(high, (k * lattice->fixed_down + lattice->upper) / lattice->fixed_up);
    }
    if (open & ITR_OPEN_WORSE) {
        low = fmax(low, (k * lattice->worse_up - lattice->upper) / lattice->worse_down);
        high = fmin(high, (k * lattice->worse_up + lattice->lower) / lattice->worse_down);
    }
    strip->base = fmax(0, floor(low) - 1);
    strip->width = high + 2 > strip->base ? (size_t)(ceil(high) + 2 - strip->base) : 0;
    if (strip->width > w->room) {
        ITR_BUG("a strip of %zu in a room of %zu", strip->width, w->room);
    }
    memset(strip->chance, 0, strip->width * sizeof *strip->chance);
}

static enum itr_status make_rows(struct walk *w, double k) {
    const struct itr_comparison_lattice *lattice = w->lattice;
    double narrow = fmin(lattice->fixed_up, lattice->worse_down);

    w->room = (size_t)((lattice->upper + lattice->lower) / narrow) + 8;
    w->memory = calloc(w->room * 2 * MODES, sizeof *w->memory);
    if (w->memory == NULL) {
        return itr_fail(w->err, ITR_E_NO_MEMORY, 0, "no memory for the expected number of trials");
    }
    for (unsigned row = 0; row < 2; row++) {
        for (unsigned open = 0; open < MODES; open++) {
            w->rows[row][open].chance = w->memory + (row * MODES + open) * w->room;
            if (open > 0) {
                clear_strip(w, &w->rows[row][open], open, k + row);
            }
        }
    }
    return ITR_OK;
}

static enum itr_status add_end(struct walk *w, double failures, double chance) {
    double index = failures - w->start;

    if (index >= FAILURES_MAX) {
        return itr_fail(w->err, ITR_E_LIMIT, 0, "a comparison of more than %d failures",
                        FAILURES_MAX);
    }
    if ((size_t)index >= w->ends_room) {
        size_t room = (size_t)index * 2 + 64;
        double *ends = realloc(w->ends, room * sizeof *ends);
        if (ends == NULL) {
            return itr_fail(w->err, ITR_E_NO_MEMORY, 0,
                            "no memory for the expected number of trials");
        }
        for (size_t i = w->ends_room; i < room; i++) {
            ends[i] = 0;
        }
        w->ends = ends;
        w->ends_room = room;
    }
    w->ends[(size_t)index] += chance;
    if (chance > forgotten && (size_t)index >= w->ends_used) {
        w->ends_used = (size_t)index + 1;
    }
    return ITR_OK;
}

/* `chance` arrives at (a, k), which is in this row or the next. */
static enum itr_status arrive(struct walk *w, unsigned open, double a, double k, unsigned row,
                              double chance) {
    enum itr_comparison_verdict verdict = itr_lattice_look(w->lattice, a, k, &open);
    struct strip *strip = &w->rows[row][open];

    if (verdict != ITR_COMPARISON_CONTINUE) {
        w->verdicts[verdict] += chance;
        return add_end(w, a + k, chance);
    }
    if (!(a >= strip->base) || !(a - strip->base < (double)strip->width)) {
        ITR_BUG("an open test outside its strip");
    }
    strip->chance[(size_t)(a - strip->base)] += chance;
    return ITR_OK;
}

/* Follows all that is in row k with `open`: to higher a, or to the next row. */
static enum itr_status follow_strip(struct walk *w, unsigned row, unsigned open, double k) {
    struct strip *strip = &w->rows[row][open];

    for (size_t at = 0; at < strip->width; at++) {
        double chance = strip->chance[at];
        double a = strip->base + (double)at;
        if (chance == 0) {
            continue;
        }
        w->visits += chance;
        w->followed += 2 * ((uint64_t)w->baselines + 1);
        if (w->followed > STEPS_MAX) {
            return itr_fail(w->err, ITR_E_LIMIT, 0,
                            "a comparison of so small a factor is too long to be followed");
        }
        for (uint32_t i = 0; i <= w->baselines; i++) {
            for (unsigned j = 0; j < 2; j++) {
                double part = chance * w->steps[i][j];
                enum itr_status status =
                    part > 0 ? arrive(w, open, a + i, k + j, row ^ j, part) : ITR_OK;
                if (status != ITR_OK) {
                    return status;
                }
            }
        }
    }
    return ITR_OK;
}

static double chance_in_row(const struct walk *w, unsigned row) {
    double sum = 0;

    for (unsigned open = 1; open < MODES; open++) {
        for (size_t i = 0; i < w->rows[row][open].width; i++) {
            sum += w->rows[row][open].chance[i];
        }
    }
    return sum;
}

static enum itr_status follow(struct walk *w, double k) {
    unsigned row = 0;

    for (int i = 0; chance_in_row(w, row) > forgotten; i++) {
        if (i == ROWS_MAX) {
            return itr_fail(w->err, ITR_E_LIMIT, 0, "a comparison of more than %d failures",
                            ROWS_MAX);
        }
        for (unsigned open = ITR_OPEN_BOTH; open > 0;
             open--) { /* both open first: they lead to the others */
            enum itr_status status = follow_strip(w, row, open, k);
            if (status != ITR_OK) {
                return status;
            }
            clear_strip(w, &w->rows[row][open], open, k + 2);
        }
        row ^= 1;
        k++;
    }
    return ITR_OK;
}

/* Chance to be decided after `rounds` rounds, failures falling on all trials alike. Neighbouring numbers of failures count
 * as the highest of their group. */
static double decided_after(const struct walk *w, uint64_t rounds, double rate) {
    size_t group = w->ends_used / GROUPS + 1;
    double sum = 0;

    for (size_t i = 0; i < w->ends_used; i += group) {
        size_t end = i + group < w->ends_used ? i + group : w->ends_used;
        double chance = 0;
        for (size_t j = i; j < end; j++) {
            chance += w->ends[j];
        }
        if (chance > forgotten) {
            sum += chance * itr_binomial_at_least(end - 1, rounds * (w->baselines + 1), rate);
        }
    }
    return sum;
}

static uint64_t rounds_enough(const struct walk *w, double rate) {
    uint64_t low = 0;
    uint64_t high = 1;

    while (decided_after(w, high, rate) < enough_chance) {
        low = high;
        high *= 2;
        if (high > UINT64_MAX / (4 * ITR_BASELINES_MAX)) {
            return UINT64_MAX;
        }
    }
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (decided_after(w, middle, rate) < enough_chance) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

static bool is_rate(double rate) {
    return rate >= 0 && rate <= 1;
}

enum itr_status itr_comparison_expect(const struct itr_comparison *c, double baseline_rate,
                                      double candidate_rate,
                                      struct itr_comparison_expected *expected,
                                      struct itr_error *err) {
    double a = (double)c->hits[ITR_ARM_BASELINE];
    double k = (double)c->hits[ITR_ARM_CANDIDATE];
    struct walk w = {
        .lattice = &c->lattice, .baselines = c->design.baselines, .start = a + k, .err = err};
    struct itr_comparison_expected found = {0};
    enum itr_status status;

    if (!is_rate(baseline_rate) || !is_rate(candidate_rate)) {
        return itr_fail(err, ITR_E_USAGE, 0, "a comparison needs rates from 0 to 1, not %g and %g",
                        baseline_rate, candidate_rate);
    }
    if (c->verdict != ITR_COMPARISON_CONTINUE) {
        found.fixed = c->verdict == ITR_COMPARISON_FIXED;
        found.not_fixed = c->verdict == ITR_COMPARISON_NOT_FIXED;
        found.worse = c->verdict == ITR_COMPARISON_WORSE;
        *expected = found;
        return ITR_OK;
    }
    if (baseline_rate == 0 && candidate_rate == 0) {
        found.rounds = found.baseline_trials = found.candidate_trials = INFINITY;
        found.rounds_enough = UINT64_MAX;
        *expected = found;
        return ITR_OK;
    }
    make_steps(&w, baseline_rate, candidate_rate);
    status = make_rows(&w, k);
    if (status == ITR_OK) {
        status = arrive(&w, c->open, a, k, 0, 1);
    }
    if (status == ITR_OK) {
        status = follow(&w, k);
    }
    if (status == ITR_OK) {
        found.rounds = w.visits / w.moves;
        found.baseline_trials = found.rounds * w.baselines;
        found.candidate_trials = found.rounds;
        found.fixed = w.verdicts[ITR_COMPARISON_FIXED];
        found.not_fixed = w.verdicts[ITR_COMPARISON_NOT_FIXED];
        found.worse = w.verdicts[ITR_COMPARISON_WORSE];
        found.rounds_enough =
            rounds_enough(&w, (w.baselines * baseline_rate + candidate_rate) / (w.baselines + 1.0));
        *expected = found;
    }
    free(w.memory);
    free(w.ends);
    return status;
}

enum itr_status itr_comparison_budget(const struct itr_comparison *c, double baseline_rate,
                                      uint64_t *rounds, struct itr_error *err) {
    const double rates[] = {baseline_rate, baseline_rate / c->design.factor};
    uint64_t most = 0;

    if (!(baseline_rate > 0)) {
        return itr_fail(err, ITR_E_USAGE, 0,
                        "a comparison needs a baseline that fails, not at a rate of %g",
                        baseline_rate);
    }
    for (size_t i = 0; i < 2; i++) {
        struct itr_comparison_expected expected = {0};
        enum itr_status status = itr_comparison_expect(c, baseline_rate, rates[i], &expected, err);
        if (status != ITR_OK) {
            return status;
        }
        most = expected.rounds_enough > most ? expected.rounds_enough : most;
    }
    *rounds = most;
    return ITR_OK;
}

enum itr_status itr_comparison_baselines(const struct itr_comparison_design *design, double rate_low, double rate,
                                         uint32_t *baselines, struct itr_error *err) {
    struct itr_comparison_design tried = *design;
    struct itr_comparison_expected expected = {0};
    struct itr_comparison comparison;
    enum itr_status status = ITR_OK;

    for (tried.baselines = 1; tried.baselines <= BASELINES_TRIED; tried.baselines *= 2) {
        status = itr_comparison_begin(&comparison, &tried, err);
        if (status == ITR_OK) {
            status = itr_comparison_expect(&comparison, rate_low, 0, &expected, err);
        }
        if (status != ITR_OK) {
            return status;
        }
        if (expected.rounds_enough <= ITR_CANDIDATE_TRIALS) {
            *baselines = tried.baselines;
            return ITR_OK;
        }
    }
    status = itr_comparison_expect(&comparison, rate, 0, &expected, err);
    if (status == ITR_OK) {
        *baselines = expected.baseline_trials <= ITR_BASELINE_TRIALS ? BASELINES_TRIED : 1;
    }
    return status;
}
