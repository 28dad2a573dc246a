/* Keeps samples in order and turns the likeliest cut into windows with edges and rates. */
#include "framework/window_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Index of the first sample at or after `position`. */
static size_t place(const struct itr_samples *samples, uint32_t position) {
    size_t low = 0;
    size_t high = samples->count;
    if (high > 0 && samples->items[high - 1].position < position) {
        return high;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (samples->items[middle].position < position) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct itr_sample *itr_samples_at(const struct itr_samples *samples, uint32_t position) {
    size_t at = place(samples, position);
    return at < samples->count && samples->items[at].position == position ? &samples->items[at]
                                                                          : NULL;
}

uint64_t itr_sample_trials(const struct itr_sample *sample) {
    uint64_t sum = 0;
    for (size_t i = 0; i < ITR_SAMPLE_SIGNATURES_MAX; i++) {
        sum += sample->counts[i];
    }
    return sum;
}

static enum itr_status grow(struct itr_samples *samples, struct itr_error *err) {
    size_t room = samples->room == 0 ? 64 : samples->room * 2;
    struct itr_sample *items;
    if (samples->count == ITR_SAMPLES_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "more than %d sampled positions", ITR_SAMPLES_MAX);
    }
    items = samples->reallocate != NULL ? samples->reallocate(samples->items, room * sizeof *items)
                                        : realloc(samples->items, room * sizeof *items);
    if (items == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "%zu samples: out of memory", room);
    }
    samples->items = items;
    samples->room = room;
    return ITR_OK;
}

/* The sample at `position`, made when there is none. */
static enum itr_status at_or_new(struct itr_samples *samples, uint32_t position,
                                 struct itr_sample **sample, struct itr_error *err) {
    size_t at = place(samples, position);
    if (at == samples->count || samples->items[at].position != position) {
        if (samples->count == samples->room) {
            enum itr_status status = grow(samples, err);
            if (status != ITR_OK) {
                return status;
            }
        }
        memmove(samples->items + at + 1, samples->items + at,
                (samples->count - at) * sizeof *samples->items);
        samples->items[at] = (struct itr_sample){.position = position};
        samples->count++;
    }
    *sample = &samples->items[at];
    return ITR_OK;
}

/* Counts stay where they are at their ceiling. */
static void raise(uint32_t *count, uint32_t by) {
    *count = *count > UINT32_MAX - by ? UINT32_MAX : *count + by;
}

enum itr_status itr_samples_add(struct itr_samples *samples, uint32_t position, uint32_t signature,
                                uint32_t trials, struct itr_error *err) {
    struct itr_sample *sample;
    enum itr_status status;
    if (signature >= ITR_SAMPLE_SIGNATURES_MAX) {
        return itr_fail(err, ITR_E_USAGE, 0, "signature %" PRIu32 ": expected less than %d",
                        signature, ITR_SAMPLE_SIGNATURES_MAX);
    }
    status = at_or_new(samples, position, &sample, err);
    if (status == ITR_OK) {
        raise(&sample->counts[signature], trials);
    }
    return status;
}

enum itr_status itr_samples_miss(struct itr_samples *samples, uint32_t position, uint32_t missed,
                                 struct itr_error *err) {
    struct itr_sample *sample;
    enum itr_status status = at_or_new(samples, position, &sample, err);
    if (status == ITR_OK) {
        raise(&sample->missed, missed);
    }
    return status;
}

void itr_samples_release(struct itr_samples *samples) {
    free(samples->items);
    samples->items = NULL;
    samples->count = 0;
    samples->room = 0;
}

/* ---- windows ---- */

/* Untried: no trial, and not missed so often that it counts as not reachable. */
static bool is_untried(const struct itr_samples *samples, const struct itr_window_rules *rules,
                       int64_t position) {
    const struct itr_sample *sample = itr_samples_at(samples, (uint32_t)position);
    return sample == NULL || (itr_sample_trials(sample) == 0 && sample->missed < rules->give_up);
}

bool itr_fit_untried(const struct itr_samples *samples, const struct itr_window_rules *rules,
                     int64_t from, int64_t to, uint32_t *position) {
    int64_t middle = from + (to - from) / 2;
    for (int64_t away = 0; middle - away > from || middle + away < to; away++) {
        if (middle - away > from && middle - away < to &&
            is_untried(samples, rules, middle - away)) {
            *position = (uint32_t)(middle - away);
            return true;
        }
        if (middle + away > from && middle + away < to &&
            is_untried(samples, rules, middle + away)) {
            *position = (uint32_t)(middle + away);
            return true;
        }
    }
    return false;
}

/* The edge between samples `inside` and `outside`; SIZE_MAX for no sample there. */
static struct itr_edge make_edge(const struct itr_fit *fit, const struct itr_samples *samples,
                                 size_t axis_count, size_t inside, size_t outside, bool opening) {
    struct itr_edge edge = {.inside = fit->samples[inside]->position, .open = outside == SIZE_MAX};
    int64_t in = edge.inside;
    int64_t out = opening ? -1 : (int64_t)axis_count;
    uint32_t untried;
    if (!edge.open) {
        edge.outside = fit->samples[outside]->position;
        out = edge.outside;
        edge.confirmed =
            itr_fit_confirmed(fit, inside, outside) && itr_fit_confirmed(fit, outside, inside);
    } else {
        edge.confirmed = itr_sample_trials(fit->samples[inside]) >= fit->rules.shots_confirm;
    }
    edge.adjacent = opening ? !itr_fit_untried(samples, &fit->rules, out, in, &untried)
                            : !itr_fit_untried(samples, &fit->rules, in, out, &untried);
    return edge;
}

static double rate_of(uint64_t hits, uint64_t trials, struct itr_interval *ci95) {
    *ci95 = itr_clopper_pearson(hits, trials, 0.95);
    return trials > 0 ? (double)hits / (double)trials : NAN;
}

static void count_rates(const struct itr_fit *fit, size_t from, size_t to,
                        struct itr_window *window) {
    for (size_t i = 0; i < fit->count; i++) {
        uint64_t trials = itr_sample_trials(fit->samples[i]);
        uint64_t hits = fit->samples[i]->counts[window->signature];
        if (i >= from && i < to) {
            window->trials += trials;
            window->hits += hits;
        } else if (fit->label_of[i] != window->signature) {
            window->outside_trials += trials;
            window->outside_hits += hits;
        }
    }
    window->rate = rate_of(window->hits, window->trials, &window->ci95);
    window->outside_rate =
        rate_of(window->outside_hits, window->outside_trials, &window->outside_ci95);
}

static void collect(const struct itr_fit *fit, const struct itr_samples *samples, size_t axis_count,
                    struct itr_windows *windows) {
    for (size_t i = 0; i < fit->count; i++) {
        uint64_t trials = itr_sample_trials(fit->samples[i]);
        windows->trials += trials;
        windows->failures += trials - fit->samples[i]->counts[0];
    }
    for (size_t from = 0, to; from < fit->count; from = to) {
        struct itr_window *window = &windows->items[windows->count];
        for (to = from + 1; to < fit->count && fit->label_of[to] == fit->label_of[from]; to++) {
        }
        if (fit->label_of[from] == 0) {
            continue;
        }
        if (windows->count == ITR_WINDOWS_MAX) {
            windows->cut = true;
            return;
        }
        window->signature = fit->label_of[from];
        window->opening =
            make_edge(fit, samples, axis_count, from, from > 0 ? from - 1 : SIZE_MAX, true);
        window->closing =
            make_edge(fit, samples, axis_count, to - 1, to < fit->count ? to : SIZE_MAX, false);
        count_rates(fit, from, to, window);
        windows->count++;
    }
}

enum itr_status itr_windows_find(struct itr_windows *windows, const struct itr_samples *samples,
                                 size_t axis_count, const struct itr_window_rules *rules,
                                 struct itr_error *err) {
    struct itr_fit fit;
    struct itr_windows found = {0};
    enum itr_status status;
    if (samples->count > 0 && samples->items[samples->count - 1].position >= axis_count) {
        return itr_fail(err, ITR_E_USAGE, 0, "a sample at %" PRIu32 " on an axis of %zu",
                        samples->items[samples->count - 1].position, axis_count);
    }
    status = itr_fit_make(&fit, samples, rules, err);
    if (status == ITR_OK) {
        collect(&fit, samples, axis_count, &found);
        *windows = found;
        itr_fit_release(&fit);
    }
    return status;
}
