/* Where on the axis of a starting library an event fails: from counts per probed point to windows with
 * their edges and rates. It plans no probes (probe.h does), fires nothing and knows no names.
 *
 * The rule. Every trial at a position shows one signature; 0 is "as expected". Positions form
 * stretches in which trials are independent and have the same rates. Outside windows at most `noise` of
 * the trials fail, in whatever way. Of all ways to cut the row of samples into stretches the likeliest is
 * taken, where each stretch that is not "outside" costs
 *     ln((samples + 1)^2 / 2 * kinds of stretch / alpha),
 * a penalty of BIC's form (a multiple of ln n for each stretch). The kinds are a grid: one for "outside",
 * and for each failing signature that occurs nine rates from 0.03 to 0.999, alone and mixed with others.
 * Neighbouring stretches of one signature are one window, whatever their rates.
 *
 * Its errors. By Markov's inequality on likelihood ratios, summed over all stretches and kinds, the
 * chance that noise of up to `noise` makes a window where there is none is at most `alpha` for a given set
 * of samples. So a single odd sample is no window, and no hole in one, however many clean neighbours it
 * has, until its own trials outweigh that price: with the defaults and one signature 4 failures of 4
 * trials among 400 samples are none, 5 of 5 are one; among 20,000 samples 6 and 7. */
#ifndef INITRACE_FRAMEWORK_WINDOW_H
#define INITRACE_FRAMEWORK_WINDOW_H

#include "framework/error.h"
#include "framework/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_SAMPLE_SIGNATURES_MAX = 8, /* with 0, "as expected" */
    ITR_SAMPLES_MAX = 1 << 20,
    ITR_WINDOWS_MAX = 32,
};

/* What was seen at one position of the axis. */
struct itr_sample {
    uint32_t position;
    uint32_t missed; /* shots that were not fired: the point was not reached */
    uint32_t counts[ITR_SAMPLE_SIGNATURES_MAX]; /* trials by signature */
};

/* Samples by position, one a position. `{0}` is empty; the owner calls itr_samples_release(). */
struct itr_samples {
    struct itr_sample *items;
    size_t count;
    size_t room;
    void *(*reallocate)(void *, size_t); /* NULL: realloc(). For tests of the failing path. */
};

/* `{0}` in a field: the default in brackets. */
struct itr_window_rules {
    double noise; /* share of trials that may fail outside windows [0.01] */
    double alpha; /* chance of a window where there is none [0.001] */
    double delta; /* chance that a confirmed neighbour of an edge is on the other side [0.0001] */
    uint32_t shots_first;   /* trials of a position that is probed for the first time [3] */
    uint32_t shots_confirm; /* least trials at each neighbour of an edge [20] */
    uint32_t shots_max;     /* most trials at a position [400] */
    uint32_t give_up;       /* missed shots, with no trial, after which a position counts as not
                              reachable [3] */
};

/* Between what lies before a window (or after it) and the window. */
struct itr_edge {
    bool open; /* no edge: the window goes on to the end (beginning) of what can be reached */
    uint32_t outside; /* nearest position outside with trials; nothing when `open` */
    uint32_t inside;  /* outermost position inside with trials */
    bool adjacent;    /* no position that could be probed lies between (when `open`: beyond) */
    bool confirmed;   /* both have at least shots_confirm trials, and the odds that either is on the
                         other side are below `delta` */
};

struct itr_window {
    uint32_t signature; /* the failing one that its stretches are most of */
    struct itr_edge opening;
    struct itr_edge closing;
    uint64_t hits; /* trials inside with that signature, of `trials` */
    uint64_t trials;
    double rate;
    struct itr_interval ci95; /* Clopper and Pearson's */
    /* The same signature in all trials that are in no window of it. */
    uint64_t outside_hits;
    uint64_t outside_trials;
    double outside_rate; /* NaN without trials, as `rate` */
    struct itr_interval outside_ci95;
};

struct itr_windows {
    struct itr_window items[ITR_WINDOWS_MAX]; /* by position */
    size_t count;
    bool cut; /* there are more */
    uint64_t trials;
    uint64_t failures; /* trials that were not as expected, inside windows or not */
};

/* Adds `trials` trials that ended with `signature`, or `missed` shots that were not fired. Adding in rising
 * order costs little, any order is fine. ITR_E_USAGE for a signature out of range, ITR_E_LIMIT,
 * ITR_E_NO_MEMORY; the samples are then as before. */
ITR_MUST_USE enum itr_status itr_samples_add(struct itr_samples *samples, uint32_t position,
                                             uint32_t signature, uint32_t trials,
                                             struct itr_error *err);
ITR_MUST_USE enum itr_status itr_samples_miss(struct itr_samples *samples, uint32_t position,
                                              uint32_t missed, struct itr_error *err);
void itr_samples_release(struct itr_samples *samples);

/* The sample at a position, NULL when there is none. Borrowed until the next add. */
const struct itr_sample *itr_samples_at(const struct itr_samples *samples, uint32_t position);

/* Trials of a sample, all signatures together. */
uint64_t itr_sample_trials(const struct itr_sample *sample);

/* The windows on an axis of `axis_count` positions. No trials at all, or none that failed: no windows.
 * ITR_E_USAGE for rules that cannot be or a sample beyond the axis, ITR_E_NO_MEMORY; `*windows` is
 * untouched then. O(samples · kinds of stretch). */
ITR_MUST_USE enum itr_status itr_windows_find(struct itr_windows *windows,
                                              const struct itr_samples *samples, size_t axis_count,
                                              const struct itr_window_rules *rules,
                                              struct itr_error *err);

#endif
