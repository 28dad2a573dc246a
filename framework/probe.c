/* Plans the next probes from the likeliest cut of the samples: seeds, then odd ones, then edges. */
#include "framework/probe.h"
#include "framework/window_parts.h"

#include <inttypes.h>
#include <math.h>

/* Odds at which a sample counts as belonging elsewhere, or to its own side for the time being: 1 : 20. */
#define ODDS 3.0

struct planner {
    const struct itr_samples *samples;
    const struct itr_fit *fit;
    const struct itr_window_rules *rules;
    size_t axis_count;
    struct itr_probe *probes;
    size_t room;
    size_t count;
};

/* False when there is no room for more. */
static bool ask(struct planner *planner, uint32_t position, uint64_t shots) {
    const struct itr_sample *sample = itr_samples_at(planner->samples, position);
    uint64_t trials = sample != NULL ? itr_sample_trials(sample) : 0;
    if (planner->count == planner->room) {
        return false;
    }
    if (trials + shots > planner->rules->shots_max) {
        shots = trials < planner->rules->shots_max ? planner->rules->shots_max - trials : 0;
    }
    if (shots > 0) {
        planner->probes[planner->count++] = (struct itr_probe){position, (uint32_t)shots};
    }
    return true;
}

static bool ask_seed(struct planner *planner, uint32_t position) {
    const struct itr_sample *sample = itr_samples_at(planner->samples, position);
    uint64_t trials = sample != NULL ? itr_sample_trials(sample) : 0;
    if (trials >= planner->rules->shots_first ||
        (sample != NULL && sample->missed >= planner->rules->give_up + (uint32_t)trials)) {
        return true;
    }
    return ask(planner, position, planner->rules->shots_first - trials);
}

static void ask_seeds(struct planner *planner, const uint32_t *seeds, size_t seed_count) {
    uint32_t last = (uint32_t)(planner->axis_count - 1);
    if (seed_count == 0 || seeds[0] != 0) {
        ask_seed(planner, 0);
    }
    for (size_t i = 0; i < seed_count; i++) {
        if (!ask_seed(planner, seeds[i])) {
            return;
        }
    }
    if (last != 0 && (seed_count == 0 || seeds[seed_count - 1] != last)) {
        ask_seed(planner, last);
    }
}

/* How much likelier the sample is in a stretch of another label than in its own: a logarithm. */
static double oddness(const struct itr_fit *fit, size_t i) {
    double best = -HUGE_VAL;
    for (size_t k = 0; k < fit->kind_count; k++) {
        if (fit->kinds[k].signature != fit->label_of[i]) {
            double likelihood = itr_fit_likelihood(fit, k, fit->samples[i]);
            best = likelihood > best ? likelihood : best;
        }
    }
    return best - itr_fit_likelihood(fit, fit->kind_of[i], fit->samples[i]);
}

/* As many shots as it had, at least: a position that is mixed by itself gets to the limit in few rounds. */
static void ask_odd(struct planner *planner) {
    for (size_t i = 0; i < planner->fit->count; i++) {
        const struct itr_sample *sample = planner->fit->samples[i];
        uint64_t trials = itr_sample_trials(sample);
        uint64_t least = planner->rules->shots_confirm;
        if (oddness(planner->fit, i) > ODDS && !ask(planner, sample->position, trials > least ? trials : least)) {
            return;
        }
    }
}

/* One probe a position, however many edges ask for it. */
static void ask_once(struct planner *planner, uint32_t position, uint64_t shots) {
    for (size_t i = 0; i < planner->count; i++) {
        if (planner->probes[i].position == position) {
            return;
        }
    }
    ask(planner, position, shots);
}

/* True when more shots at a side were asked for because it is not yet clear which side it is. */
static bool ask_undecided(struct planner *planner, size_t i, size_t other) {
    const struct itr_fit *fit = planner->fit;
    const struct itr_sample *sample = fit->samples[i];
    double odds = itr_fit_likelihood(fit, fit->kind_of[i], sample) -
                  itr_fit_likelihood(fit, fit->kind_of[other], sample);
    if (odds >= ODDS || itr_sample_trials(sample) >= planner->rules->shots_max) {
        return false;
    }
    ask_once(planner, sample->position, planner->rules->shots_first);
    return true;
}

static void ask_confirmation(struct planner *planner, size_t i, size_t other) {
    uint64_t trials = itr_sample_trials(planner->fit->samples[i]);
    uint32_t enough = planner->rules->shots_confirm;
    if (!itr_fit_confirmed(planner->fit, i, other)) {
        ask_once(planner, planner->fit->samples[i]->position, trials < enough ? enough - trials : (trials + 1) / 2);
    }
}

/* How many positions in (from, to) count as not reachable: all that were sampled there, as the two are neighbours among
 * the samples with trials. */
static int64_t count_unreachable(const struct planner *planner, int64_t from, int64_t to) {
    const struct itr_samples *samples = planner->samples;
    int64_t count = 0;
    for (size_t i = 0; i < samples->count; i++) {
        const struct itr_sample *sample = &samples->items[i];
        count += sample->position > from && sample->position < to && itr_sample_trials(sample) == 0 ? 1 : 0;
    }
    return count;
}

/* Asks for untried positions in (from, to): the middle one, and where such turned out not to be reachable as many more,
 * evenly spread, or a run of those would cost a round each. False when there is none. */
static bool ask_between(struct planner *planner, int64_t from, int64_t to) {
    bool asked = false;
    int64_t parts = count_unreachable(planner, from, to) + 1;
    for (int64_t i = 0; i < parts; i++) {
        int64_t begin = from + (to - from) * i / parts - (i > 0 ? 1 : 0);
        uint32_t position;
        if (itr_fit_untried(planner->samples, planner->rules, begin, from + (to - from) * (i + 1) / parts, &position)) {
            ask_once(planner, position, planner->rules->shots_first);
            asked = true;
        }
    }
    return asked;
}

/* The edge between neighbouring samples of different labels. */
static void ask_edge(struct planner *planner, size_t i) {
    const struct itr_fit *fit = planner->fit;
    bool undecided = ask_undecided(planner, i, i + 1);
    if (ask_undecided(planner, i + 1, i) || undecided) {
        return;
    }
    if (ask_between(planner, fit->samples[i]->position, fit->samples[i + 1]->position)) {
        return;
    }
    ask_confirmation(planner, i, i + 1);
    ask_confirmation(planner, i + 1, i);
}

/* The outermost sample, in a window that may end beyond it, between `from` and `to`. */
static void ask_open_end(struct planner *planner, size_t i, int64_t from, int64_t to) {
    uint64_t trials = itr_sample_trials(planner->fit->samples[i]);
    if (!ask_between(planner, from, to) && trials < planner->rules->shots_confirm) {
        ask_once(planner, planner->fit->samples[i]->position,
                 planner->rules->shots_confirm - trials);
    }
}

static void ask_edges(struct planner *planner) {
    const struct itr_fit *fit = planner->fit;
    size_t last = fit->count - 1;
    if (fit->count == 0) {
        return;
    }
    if (fit->label_of[0] != 0) {
        ask_open_end(planner, 0, -1, fit->samples[0]->position);
    }
    for (size_t i = 0; i < last; i++) {
        if (fit->label_of[i] != fit->label_of[i + 1]) {
            ask_edge(planner, i);
        }
    }
    if (fit->label_of[last] != 0) {
        ask_open_end(planner, last, fit->samples[last]->position, (int64_t)planner->axis_count);
    }
}

static enum itr_status check(const struct itr_samples *samples, size_t axis_count,
                             const uint32_t *seeds, size_t seed_count, size_t room,
                             struct itr_error *err) {
    if (axis_count == 0 || axis_count > ITR_SAMPLES_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "an axis of %zu positions: expected 1 to %d",
                        axis_count, ITR_SAMPLES_MAX);
    }
    if (room == 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "no room for probes");
    }
    if (samples->count > 0 && samples->items[samples->count - 1].position >= axis_count) {
        return itr_fail(err, ITR_E_USAGE, 0, "a sample at %" PRIu32 " on an axis of %zu",
                        samples->items[samples->count - 1].position, axis_count);
    }
    for (size_t i = 0; i < seed_count; i++) {
        if (seeds[i] >= axis_count || (i > 0 && seeds[i] <= seeds[i - 1])) {
            return itr_fail(err, ITR_E_USAGE, 0,
                            "seed %" PRIu32 ": expected rising positions below %zu", seeds[i],
                            axis_count);
        }
    }
    return ITR_OK;
}

enum itr_status itr_probes_next(struct itr_probe_plan *plan, struct itr_probe *probes, size_t room,
                                const struct itr_samples *samples, size_t axis_count,
                                const uint32_t *seeds, size_t seed_count,
                                const struct itr_window_rules *rules, struct itr_error *err) {
    struct itr_fit fit;
    struct planner planner = {
        .samples = samples, .fit = &fit, .axis_count = axis_count, .probes = probes, .room = room};
    enum itr_probe_stage stage = ITR_PROBE_SEEDS;
    enum itr_status status = check(samples, axis_count, seeds, seed_count, room, err);
    if (status == ITR_OK) {
        status = itr_fit_make(&fit, samples, rules, err);
    }
    if (status != ITR_OK) {
        return status;
    }
    planner.rules = &fit.rules;
    ask_seeds(&planner, seeds, seed_count);
    if (planner.count == 0) {
        stage = ITR_PROBE_ODD;
        ask_odd(&planner);
    }
    if (planner.count == 0) {
        stage = ITR_PROBE_EDGES;
        ask_edges(&planner);
    }
    *plan = (struct itr_probe_plan){planner.count > 0 ? stage : ITR_PROBE_DONE, planner.count};
    itr_fit_release(&fit);
    return ITR_OK;
}
