/* A sweep: the instructions of a traced thread (the axis), those of them that are fired at, and what came of
 * the shots, place by place. It runs nothing. */
#ifndef INITRACE_FRAMEWORK_SWEEP_H
#define INITRACE_FRAMEWORK_SWEEP_H

#include "framework/outcome.h"
#include "framework/point.h"
#include "framework/trace.h"
#include "framework/window.h"

#include <jansson.h>

enum { ITR_SWEEP_SIGNATURES_MAX = ITR_SAMPLE_SIGNATURES_MAX };

/* What the trials at one place ended as. */
struct itr_sweep_place {
    uint32_t position; /* on the axis */
    uint32_t trials;   /* in which the shot was fired */
    uint32_t missed;   /* in which it was not: the instruction was not reached, or the tool failed */
    uint32_t counts[ITR_SWEEP_SIGNATURES_MAX]; /* by signature; [0]: as expected */
};

struct itr_sweep {
    struct itr_axis *axis;
    bool borrows_axis;
    struct itr_sweep_place *places; /* in the order they are fired at */
    uint32_t *rvas;                 /* theirs: what a plan takes */
    uint32_t count;
    char *signatures[ITR_SWEEP_SIGNATURES_MAX]; /* [0] is ""; further ones than there is room for count as the
                                                   last */
    uint32_t signature_count;
};

/* A sweep over all function entries, or all instructions, of `axis` (allocated with malloc()), which is taken over also
 * on failure. ITR_E_NOT_FOUND where it has none. */
enum itr_status itr_sweep_make(struct itr_sweep **sweep, struct itr_axis *axis, enum itr_sweep_kind kind,
                               struct itr_error *err) ITR_MUST_USE;
/* A sweep over some positions of the axis of `like`, which must outlive it. */
enum itr_status itr_sweep_some(struct itr_sweep **sweep, const struct itr_sweep *like, const uint32_t *positions,
                               uint32_t count, struct itr_error *err) ITR_MUST_USE;
void itr_sweep_free(struct itr_sweep *sweep);

/* Number of a signature in a list of ITR_SWEEP_SIGNATURES_MAX, to which it is added if it is new; [0] is "as expected"
 * and never the answer, the last one stands for all that there is no room for. UINT32_MAX: out of memory. */
uint32_t itr_signature_number(char **signatures, uint32_t *count, const char *signature);

/* Counts a trial at the place with that index in the list. */
void itr_sweep_count(struct itr_sweep *sweep, uint32_t index, enum itr_outcome outcome, enum itr_outcome expect,
                     const char *signature);

/* The axis (where it is the sweep's own) and the places fired at, for the campaign's folder: NULL when memory is
 * out. */
json_t *itr_sweep_to_json(const struct itr_sweep *sweep, const struct itr_image *image);
/* And back; `like` is the sweep whose axis it borrows, NULL for one with an axis of its own. ITR_E_FORMAT. */
enum itr_status itr_sweep_from_json(struct itr_sweep **sweep, const json_t *json, const struct itr_sweep *like,
                                    struct itr_error *err) ITR_MUST_USE;

#endif
