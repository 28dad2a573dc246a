/* The likeliest cut of a row of samples into stretches: a grid of kinds, and Viterbi's algorithm with
 * a price for each stretch that is not "outside". window.h states the rule and its error. */
#include "framework/window_parts.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double rates[] = {0.999, 0.97, 0.9, 0.75, 0.5, 0.3, 0.15, 0.07, 0.03};

static void default_to(uint32_t *value, uint32_t otherwise) {
    *value = *value == 0 ? otherwise : *value;
}

static enum itr_status fill_rules(struct itr_window_rules *rules, struct itr_error *err) {
    rules->noise = rules->noise == 0 ? 0.01 : rules->noise;
    rules->alpha = rules->alpha == 0 ? 0.001 : rules->alpha;
    rules->delta = rules->delta == 0 ? 0.0001 : rules->delta;
    default_to(&rules->shots_first, 3);
    default_to(&rules->shots_confirm, 20);
    default_to(&rules->shots_max, 400);
    default_to(&rules->give_up, 3);
    if (!(rules->noise > 0 && rules->noise <= 0.2)) {
        return itr_fail(err, ITR_E_USAGE, 0, "noise %g: expected more than 0, at most 0.2",
                        rules->noise);
    }
    if (!(rules->alpha > 0 && rules->alpha < 1 && rules->delta > 0 && rules->delta < 1)) {
        return itr_fail(err, ITR_E_USAGE, 0, "alpha %g, delta %g: expected both between 0 and 1",
                        rules->alpha, rules->delta);
    }
    if (rules->shots_max < rules->shots_confirm || rules->shots_max < rules->shots_first) {
        return itr_fail(
            err, ITR_E_USAGE, 0, "at most %" PRIu32 " shots: expected no less than %" PRIu32,
            rules->shots_max,
            rules->shots_confirm > rules->shots_first ? rules->shots_confirm : rules->shots_first);
    }
    return ITR_OK;
}

/* One kind from shares that need not sum to 1. */
static void add_kind(struct itr_fit *fit, uint32_t signature,
                     const double share[ITR_SAMPLE_SIGNATURES_MAX], const bool *used) {
    struct itr_kind *kind = &fit->kinds[fit->kind_count++];
    double sum = 0;
    kind->signature = signature;
    for (size_t i = 0; i < ITR_SAMPLE_SIGNATURES_MAX; i++) {
        sum += used[i] ? share[i] : 0;
    }
    for (size_t i = 0; i < ITR_SAMPLE_SIGNATURES_MAX; i++) {
        kind->log_rate[i] = used[i] ? log(share[i] / sum) : 0; /* a count of 0 adds nothing */
    }
}

/* The grid over those signatures that occur. */
static void make_kinds(struct itr_fit *fit) {
    bool used[ITR_SAMPLE_SIGNATURES_MAX] = {[0] = true};
    double share[ITR_SAMPLE_SIGNATURES_MAX];
    double failing = 0;
    for (size_t i = 0; i < fit->count; i++) {
        for (size_t k = 0; k < ITR_SAMPLE_SIGNATURES_MAX; k++) {
            used[k] = used[k] || fit->samples[i]->counts[k] > 0;
        }
    }
    for (size_t k = 0; k < ITR_SAMPLE_SIGNATURES_MAX; k++) {
        failing += k > 0 && used[k];
        if (used[k]) {
            fit->used[fit->used_count++] = (uint8_t)k;
        }
    }
    share[0] = 1 - fit->rules.noise;
    for (size_t k = 1; k < ITR_SAMPLE_SIGNATURES_MAX; k++) {
        share[k] = failing > 0 ? fit->rules.noise / failing : 0;
    }
    add_kind(fit, 0, share, used);
    for (uint32_t k = 1; k < ITR_SAMPLE_SIGNATURES_MAX; k++) {
        for (size_t mixed = 0; used[k] && mixed < (failing > 1 ? 2 : 1); mixed++) {
            for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
                for (uint32_t other = 1; other < ITR_SAMPLE_SIGNATURES_MAX; other++) {
                    share[other] = failing > 1 ? fit->rules.noise / failing : 0;
                    share[other] += mixed ? 0.4 * rates[r] / (failing - 1) : 0;
                }
                share[0] = 1 - rates[r];
                share[k] = mixed ? 0.6 * rates[r] : rates[r];
                add_kind(fit, k, share, used);
            }
        }
    }
}

double itr_fit_likelihood(const struct itr_fit *fit, size_t kind, const struct itr_sample *sample) {
    const double *log_rate = fit->kinds[kind].log_rate;
    double sum = 0;
    for (size_t i = 0; i < fit->used_count; i++) {
        sum += sample->counts[fit->used[i]] * log_rate[fit->used[i]];
    }
    return sum;
}

static size_t best_of(const double *value, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = value[i] > value[best] ? i : best; /* of equals the lower kind: outside first */
    }
    return best;
}

/* Memory is linear in the samples: a kind's stretch began at since[], and came from the best kind of the
 * sample before that. To go back to "outside" is free. */
static void cut(struct itr_fit *fit, uint8_t *best_kind, size_t *best_since) {
    double value[ITR_KINDS_MAX];
    size_t since[ITR_KINDS_MAX];
    size_t kind;
    size_t from;

    for (size_t k = 0; k < fit->kind_count; k++) {
        value[k] = k == 0 ? 0 : -fit->stretch_cost;
        since[k] = 0;
    }
    for (size_t i = 0; i < fit->count; i++) {
        size_t best = best_of(value, fit->kind_count);
        double changed = value[best];
        for (size_t k = 0; k < fit->kind_count; k++) {
            changed = k == 1 ? changed - fit->stretch_cost : changed;
            if (i > 0 && changed > value[k]) {
                value[k] = changed;
                since[k] = i;
            }
            value[k] += itr_fit_likelihood(fit, k, fit->samples[i]);
        }
        best = best_of(value, fit->kind_count);
        best_kind[i] = (uint8_t)best;
        best_since[i] = since[best];
    }
    kind = best_of(value, fit->kind_count);
    from = since[kind];
    for (size_t i = fit->count; i-- > 0;) {
        fit->kind_of[i] = (uint8_t)kind;
        if (i == from && i > 0) {
            kind = best_kind[i - 1];
            from = best_since[i - 1];
        }
    }
}

/* Stretches of one signature with different rates are one window. */
static void label(struct itr_fit *fit) {
    for (size_t i = 0; i < fit->count; i++) {
        fit->label_of[i] = fit->kinds[fit->kind_of[i]].signature;
    }
}

static enum itr_status allocate(struct itr_fit *fit, const struct itr_samples *samples,
                                uint8_t **best_kind, size_t **best_since) {
    void *(*reallocate)(void *, size_t) =
        samples->reallocate != NULL ? samples->reallocate : realloc;
    size_t room = samples->count + 1;
    fit->samples = reallocate(NULL, room * sizeof *fit->samples);
    fit->kind_of = reallocate(NULL, room * sizeof *fit->kind_of);
    fit->label_of = reallocate(NULL, room * sizeof *fit->label_of);
    *best_kind = reallocate(NULL, room * sizeof **best_kind);
    *best_since = reallocate(NULL, room * sizeof **best_since);
    return fit->samples != NULL && fit->kind_of != NULL && fit->label_of != NULL &&
                   *best_kind != NULL && *best_since != NULL
               ? ITR_OK
               : ITR_E_NO_MEMORY;
}

enum itr_status itr_fit_make(struct itr_fit *fit, const struct itr_samples *samples,
                             const struct itr_window_rules *rules, struct itr_error *err) {
    uint8_t *best_kind = NULL;
    size_t *best_since = NULL;
    enum itr_status status;

    *fit = (struct itr_fit){0};
    if (rules != NULL) {
        fit->rules = *rules;
    }
    status = fill_rules(&fit->rules, err);
    if (status != ITR_OK) {
        return status;
    }
    if (allocate(fit, samples, &best_kind, &best_since) != ITR_OK) {
        free(best_kind);
        free(best_since);
        itr_fit_release(fit);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "windows of %zu samples: out of memory",
                        samples->count);
    }
    for (size_t i = 0; i < samples->count; i++) {
        if (itr_sample_trials(&samples->items[i]) > 0) {
            fit->samples[fit->count++] = &samples->items[i];
        }
    }
    make_kinds(fit);
    fit->stretch_cost = log((double)(fit->count + 1) * (double)(fit->count + 1) / 2) +
                        log((double)fit->kind_count / fit->rules.alpha);
    cut(fit, best_kind, best_since);
    label(fit);
    free(best_kind);
    free(best_since);
    return ITR_OK;
}

void itr_fit_release(struct itr_fit *fit) {
    free(fit->samples);
    free(fit->kind_of);
    free(fit->label_of);
    *fit = (struct itr_fit){0};
}

bool itr_fit_confirmed(const struct itr_fit *fit, size_t i, size_t other) {
    const struct itr_sample *sample = fit->samples[i];
    double odds = itr_fit_likelihood(fit, fit->kind_of[i], sample) -
                  itr_fit_likelihood(fit, fit->kind_of[other], sample);
    return itr_sample_trials(sample) >= fit->rules.shots_confirm && odds >= -log(fit->rules.delta);
}
