/* Chooses for one cell what is fired, where and how, and whether that goes together. Which cells there are is select.c's. */
#include "framework/select_parts.h"

#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>

/* Longest time a thread is held at an exact point where neither case nor option say. An event that is not
 * taken by then is blocked in the thread it is aimed at. On a machine with a load of 20 it took more than 20 ms. */
#define EXACT_HOLD_NS UINT64_C(200000000)

static enum itr_status word(const struct itr_choice *choice, const char *option, const char *text,
                            int (*of)(const char *), int *out) {
    if (text == NULL) {
        return ITR_OK;
    }
    int value = of(text);
    if (value < 0) {
        return itr_fail(choice->err, ITR_E_USAGE, 0, "%s %s: no such word; initrace run --help lists them", option, text);
    }
    *out = value;
    return ITR_OK;
}

/* A control has its own point: it is what the case is held against, not another place to fire. */
bool itr_choice_is_sweep(const struct itr_choice *choice) {
    return choice->selection->sweep != ITR_SWEEP_NONE && choice->control == NULL;
}

/* Whether the cell fires by the host's gate, and if so, that it can. A control is asked for none, but may have one. */
static enum itr_status choose_gate(const struct itr_choice *choice, bool own, struct itr_cell *cell) {
    const struct itr_selection *s = choice->selection;
    const struct itr_point *point = &cell->aim.point;
    bool asked = s->gate && choice->control == NULL;
    if (!own && !(s->gate && (asked || point->kind == ITR_POINT_SYMBOL))) {
        return ITR_OK;
    }
    if (s->chaos || s->watch.count > 0 || itr_choice_is_sweep(choice)) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "%s at %s: a gate fires without a debugger, and %s needs one: leave one of the two out", choice->c->name,
                        choice->at, s->chaos ? "--chaos" : itr_choice_is_sweep(choice) ? "--sweep" : "--watch");
    }
    if (point->kind != ITR_POINT_SYMBOL) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "--gate: expected --at SYMBOL[+OFFSET][@THREAD]; at %s no debugger is needed anyway", choice->at);
    }
    if (point->nth != 1) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "%s: a gate fires the first time only, not at #%" PRIu32 ": leave --gate out, the debugger counts",
                        choice->at, point->nth);
    }
    if (!itrp_capabilities()->gates) {
        return itr_fail(choice->err, ITR_E_UNSUPPORTED, 0,
                        "%s at %s: hosts have no gates on %s; without --gate the debugger fires there", choice->c->name,
                        choice->at, itrp_system_name());
    }
    cell->aim.gate = cell->aim.event != ITR_EVENT_NONE;
    return ITR_OK;
}

static enum itr_status choose_aim(const struct itr_choice *choice, struct itr_cell *cell) {
    const struct itr_selection *s = choice->selection;
    const struct itr_variant *v = choice->variant;
    const struct itr_case_point *named = itr_case_point_named(choice->c, choice->at);
    int event = v->event;
    uint32_t by_axes = choice->combined->by_axes;
    int delivery = named != NULL && named->delivery >= 0 && (by_axes & ITR_SETS_DELIVERY) == 0 ? named->delivery : v->delivery;
    int target = named != NULL && named->target >= 0 && (by_axes & ITR_SETS_TARGET) == 0 ? named->target : v->target;
    bool sweep = itr_choice_is_sweep(choice);
    enum itr_status status = sweep ? ITR_OK
                                   : itr_point_parse(named != NULL ? named->at : choice->at, &cell->aim.point, choice->err);
    if (sweep) {
        cell->aim.point = (struct itr_point){
            .kind = ITR_POINT_SWEEP, .nth = 1, .role = s->sweep_thread, .sweep = s->sweep};
    }
    /* A control that fires nothing goes on firing nothing. */
    if (status == ITR_OK && v->event != ITR_EVENT_NONE) {
        status = word(choice, "--event", s->event, itr_event_of, &event);
    }
    if (status == ITR_OK) {
        status = word(choice, "--delivery", s->delivery, itr_delivery_of, &delivery);
    }
    if (status == ITR_OK) {
        status = word(choice, "--target", s->target, itr_target_of, &target);
    }
    if (status != ITR_OK) {
        return status;
    }
    cell->aim.event = (enum itr_event)event;
    cell->handles = cell->aim.event != ITR_EVENT_NONE ? cell->aim.event : choice->handles;
    cell->aim.delivery = delivery != ITR_DELIVERY_NONE ? (enum itr_delivery)delivery
                                                       : itrp_default_delivery((enum itr_event)event);
    cell->aim.target = (enum itr_target)target;
    bool exact = cell->aim.point.kind == ITR_POINT_SYMBOL || cell->aim.point.kind == ITR_POINT_SWEEP;
    bool own_hold = named != NULL && named->hold_ns != 0 && (by_axes & ITR_SETS_HOLD) == 0;
    uint64_t hold_ns = own_hold ? named->hold_ns : v->hold_ns;
    cell->aim.hold_ns = s->has_hold ? s->hold_ns : hold_ns != 0 ? hold_ns : exact ? EXACT_HOLD_NS : 0;
    status = choose_gate(choice, named != NULL && named->gate, cell);
    if (status != ITR_OK) {
        return status;
    }
    cell->debugged = (exact && event != ITR_EVENT_NONE && !cell->aim.gate) || s->chaos || s->watch.count > 0;
    cell->chaos = s->chaos;
    if (cell->debugged && s->record != NULL) {
        return itr_fail(choice->err, ITR_E_USAGE, 0,
                        "%s: --record %s goes with --at time, a phase or a call, not with exact points, --sweep, --watch or "
                        "--chaos: they need a debugger, and a host has one tracer at a time",
                        choice->c->name, s->record);
    }
    if (cell->debugged && !itrp_capabilities()->exact_points) {
        return itr_fail(choice->err, ITR_E_UNSUPPORTED, 0,
                        "%s: a debugger is needed at %s and there is none here: initrace doctor says why", choice->c->name,
                        choice->at);
    }
    if (s->has_window && cell->aim.point.kind == ITR_POINT_TIME) {
        cell->aim.window_from_ns = s->window_from_ns;
        cell->aim.window_to_ns = s->window_to_ns;
    }
    return ITR_OK;
}

/* Can that event be fired at that point in that way? */
static enum itr_status check_fits(const struct itr_choice *choice, const struct itr_cell *cell, struct itr_error *err) {
    const struct itr_aim *aim = &cell->aim;
    bool exact = aim->point.kind == ITR_POINT_SYMBOL || aim->point.kind == ITR_POINT_SWEEP;
    if (aim->event == ITR_EVENT_NONE) {
        return ITR_OK;
    }
    if (!itrp_can_send(aim->event, aim->delivery)) {
        return itr_fail(err, ITR_E_UNSUPPORTED, 0, "%s: %s cannot be sent by %s on this system", choice->c->name,
                        itr_event_name((uint32_t)aim->event), itr_delivery_name((uint32_t)aim->delivery));
    }
    if (aim->delivery == ITR_DELIVERY_TIMER && aim->point.kind == ITR_POINT_CALL) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s: delivery timer needs a fire point in time or at a phase, not %s",
                        choice->c->name, choice->at);
    }
    bool needs_call = aim->target == ITR_TARGET_CALLER || aim->target == ITR_TARGET_INIT;
    if (needs_call && aim->point.kind != ITR_POINT_CALL && !exact) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s: target %s needs a fire point at a call (CALL#N) or a symbol, not %s",
                        choice->c->name, itr_target_name((uint32_t)aim->target), choice->at);
    }
    return ITR_OK;
}

/* What does not fit is an error, but for one of many combinations: that one is skipped. */
static enum itr_status check_or_skip(const struct itr_choice *choice, struct itr_cell *cell) {
    struct itr_error why = {0};
    enum itr_status status = check_fits(choice, cell, &why);
    if (status != ITR_OK && choice->may_skip) {
        snprintf(cell->skip, sizeof cell->skip, "%s", why.text);
        cell->count = 0;
        return ITR_OK;
    }
    if (status != ITR_OK) {
        *choice->err = why;
    }
    return status;
}

enum itr_status itr_choice_aim(const struct itr_choice *choice, struct itr_cell *cell) {
    enum itr_status status = choose_aim(choice, cell);
    return status == ITR_OK ? check_or_skip(choice, cell) : status;
}
