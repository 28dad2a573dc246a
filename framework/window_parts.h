/* What window.c, window_fit.c and probe.c share: the likeliest row of stretches. No one else includes it. */
#ifndef INITRACE_FRAMEWORK_WINDOW_PARTS_H
#define INITRACE_FRAMEWORK_WINDOW_PARTS_H

#include "framework/window.h"

enum { ITR_KINDS_MAX = 1 + (ITR_SAMPLE_SIGNATURES_MAX - 1) * 9 * 2 };

/* What is assumed of a stretch: logarithms of the rates. Kind 0 is "outside". */
struct itr_kind {
    uint32_t signature;
    double log_rate[ITR_SAMPLE_SIGNATURES_MAX];
};

/* Samples with trials, each with the kind of its stretch. `{0}` is valid; release it. */
struct itr_fit {
    struct itr_window_rules rules; /* with the defaults filled in */
    struct itr_kind kinds[ITR_KINDS_MAX];
    size_t kind_count;
    uint8_t used[ITR_SAMPLE_SIGNATURES_MAX]; /* the signatures that occur, and 0 */
    size_t used_count;
    double stretch_cost;               /* of each that is not "outside" */
    const struct itr_sample **samples; /* borrowed, by position */
    uint8_t *kind_of;                  /* per sample */
    uint32_t *label_of;                /* per sample: 0, or the signature of the window it is in */
    size_t count;
};

ITR_MUST_USE enum itr_status itr_fit_make(struct itr_fit *fit, const struct itr_samples *samples,
                                          const struct itr_window_rules *rules,
                                          struct itr_error *err);
void itr_fit_release(struct itr_fit *fit);

/* Log-likelihood of a sample under a kind. */
double itr_fit_likelihood(const struct itr_fit *fit, size_t kind, const struct itr_sample *sample);

/* The next untried position in (from, to) that may be reachable, searched outwards from the middle. */
bool itr_fit_untried(const struct itr_samples *samples, const struct itr_window_rules *rules,
                     int64_t from, int64_t to, uint32_t *position);

/* True when sample `i`, at the side of an edge whose other side is `other`, is told apart from it. */
bool itr_fit_confirmed(const struct itr_fit *fit, size_t i, size_t other);

#endif
