/* Which positions of an axis to fire at next, so that windows get exact edges for few shots. It holds no
 * state of its own: the samples so far are all it knows, so a search can stop, be saved and go on. It fires
 * nothing.
 *
 * Drive it so: ask, fire every probe `shots` times, add each result to the samples (a shot that was not
 * fired, or whose trial failed for the tool's reasons, as a miss), ask again, until ITR_PROBE_DONE. Every
 * answer must be followed by samples, else the same is asked for again.
 *
 * Seeds are the positions to begin with: function entries, or all positions where a window may lie
 * between two entries. Windows that no seed falls into are not found. The first and the last position
 * are always seeds.
 *
 * Ends with every edge between two neighbours (or with nothing that can be reached between them), each
 * with at least shots_confirm trials and on its side with odds of 1 : delta against it, or with shots_max
 * trials. For a window whose rate the grid of window.h has nearly, an edge is then wrong with a chance of
 * at most 2 delta or so; positions that the noise put on the wrong side on the way are put right when
 * their edge is confirmed. */
#ifndef INITRACE_FRAMEWORK_PROBE_H
#define INITRACE_FRAMEWORK_PROBE_H

#include "framework/window.h"

/* Why positions are probed. */
enum itr_probe_stage {
    ITR_PROBE_DONE,
    ITR_PROBE_SEEDS, /* positions to begin with that have fewer than shots_first trials */
    ITR_PROBE_ODD, /* samples that do not look like their stretch: noise, or a window of their own */
    ITR_PROBE_EDGES, /* the middle of an edge's gap, or its two sides to confirm them */
};

struct itr_probe {
    uint32_t position;
    uint32_t shots; /* at least 1 */
};

struct itr_probe_plan {
    enum itr_probe_stage stage;
    size_t count; /* 0 exactly when DONE */
};

/* Fills `probes` with up to `room` (at least 1) probes of one stage, by position except in the last stage.
 * `seeds` ascend; NULL with seed_count 0: the two ends only. ITR_E_USAGE for rules that cannot be, seeds
 * or samples beyond the axis, an empty axis, no room; ITR_E_NO_MEMORY; `*plan` is untouched then. */
ITR_MUST_USE enum itr_status itr_probes_next(struct itr_probe_plan *plan, struct itr_probe *probes,
                                             size_t room, const struct itr_samples *samples,
                                             size_t axis_count, const uint32_t *seeds,
                                             size_t seed_count,
                                             const struct itr_window_rules *rules,
                                             struct itr_error *err);

#endif
