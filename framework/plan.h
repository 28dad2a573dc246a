/* The plan of a trial: a pure function of (case, seed, trial) and of what was calibrated. It starts and
 * fires nothing. */
#ifndef INITRACE_FRAMEWORK_PLAN_H
#define INITRACE_FRAMEWORK_PLAN_H

#include "framework/casefile.h"
#include "framework/ledger.h"
#include "framework/point.h"

/* What to fire and where, all names resolved. */
struct itr_aim {
    enum itr_event event; /* ITR_EVENT_NONE: a trial without a shot */
    enum itr_delivery delivery;
    enum itr_target target;
    struct itr_point point;
    bool gate; /* ITR_POINT_SYMBOL: the host fires there by itself, without a debugger */
    uint64_t hold_ns;
    uint64_t window_from_ns; /* ITR_POINT_TIME: the shot goes off in [from, to) after load-begin */
    uint64_t window_to_ns;
    const uint32_t *sweep; /* ITR_POINT_SWEEP: the rvas, borrowed; each trial takes the next one */
    uint32_t sweep_count;
};

/* The instruction at which a debugger, or the host's gate, fires. */
struct itr_plan_point {
    uint64_t rva; /* in the library */
    uint32_t nth; /* from 1: which time it is reached */
    enum itr_role role;
};

struct itr_plan {
    struct itr_ledger_request request;
    double unit;          /* ITR_POINT_TIME: place in the window, [0, 1); else -1 */
    uint64_t window_to_ns; /* ITR_POINT_TIME: that window's end; else 0 */
    int64_t sweep_index;  /* ITR_POINT_SWEEP: place in the list; else -1 */
    struct itr_plan_point point; /* for shots with ITR_WHERE_POINT and ITR_WHERE_GATE */
    uint64_t chaos_seed;  /* for trials with a perturbed scheduling */
};

/* `request` has what is the same for every trial: library, function, flags, handlers. The plan is that
 * request with the trial's shots. Of ITR_POINT_TIME only `unit` comes from (case, seed, trial): the same
 * on every machine; the window turns it into a time. */
void itr_plan_make(struct itr_plan *plan, const struct itr_ledger_request *request, const struct itr_aim *aim,
                   const char *case_name, uint64_t seed, uint64_t trial);

#endif
