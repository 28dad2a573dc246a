/* Turns (case, seed, trial) into shots. The only place where a trial's random choices are made. */
#include "framework/plan.h"

#include "framework/random.h"

#include <string.h>

static uint64_t offset_in_window(const struct itr_aim *aim, double unit) {
    uint64_t width_ns = aim->window_to_ns > aim->window_from_ns ? aim->window_to_ns - aim->window_from_ns : 0;
    return aim->window_from_ns + (uint64_t)(unit * (double)width_ns);
}

static void plan_point(struct itr_plan *plan, const struct itr_aim *aim, uint64_t trial) {
    plan->point = (struct itr_plan_point){.rva = aim->point.rva, .nth = aim->point.nth, .role = aim->point.role};
    if (aim->point.kind == ITR_POINT_SWEEP && aim->sweep_count > 0) {
        plan->sweep_index = (int64_t)(trial % aim->sweep_count);
        plan->point.rva = aim->sweep[plan->sweep_index];
    }
}

void itr_plan_make(struct itr_plan *plan, const struct itr_ledger_request *request, const struct itr_aim *aim,
                   const char *case_name, uint64_t seed, uint64_t trial) {
    struct itr_random random = itr_random_of(case_name, seed, trial);
    struct itr_random chaos = itr_random_of(case_name, ~seed, trial); /* a stream of its own */
    struct itr_shot_request *shot = &plan->request.shots[0];

    plan->request = *request;
    plan->unit = -1;
    plan->window_to_ns = 0;
    plan->sweep_index = -1;
    plan->point = (struct itr_plan_point){0};
    memset(plan->request.shots, 0, sizeof plan->request.shots);
    plan->request.shot_count = 0;
    plan->chaos_seed = itr_random_next(&chaos);
    if (aim->point.kind == ITR_POINT_SYMBOL || aim->point.kind == ITR_POINT_SWEEP) {
        plan_point(plan, aim, trial);
    }
    if (aim->event == ITR_EVENT_NONE) {
        return;
    }
    plan->request.shot_count = 1;
    shot->event = (uint32_t)aim->event;
    shot->delivery = (uint32_t)aim->delivery;
    shot->target = (uint32_t)aim->target;
    if (aim->point.kind == ITR_POINT_SYMBOL || aim->point.kind == ITR_POINT_SWEEP) {
        shot->where = aim->gate ? ITR_WHERE_GATE : ITR_WHERE_POINT;
        shot->role = aim->gate ? (uint32_t)aim->point.role : 0;
        shot->rva = aim->gate ? aim->point.rva : 0;
        shot->hold_ns = aim->hold_ns;
        return;
    }
    if (aim->point.kind == ITR_POINT_CALL) {
        shot->where = ITR_WHERE_CALL;
        shot->call = (uint32_t)aim->point.call;
        shot->nth = aim->point.nth;
        shot->hold_ns = aim->hold_ns;
        return;
    }
    shot->where = ITR_WHERE_PHASE;
    shot->phase = (uint32_t)aim->point.phase;
    shot->offset_ns = aim->point.offset_ns;
    if (aim->point.kind == ITR_POINT_TIME) {
        plan->unit = itr_random_unit(&random);
        plan->window_to_ns = aim->window_to_ns;
        shot->offset_ns = offset_in_window(aim, plan->unit);
    }
}
