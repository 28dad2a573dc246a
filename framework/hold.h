/* A person at a host that stands stopped at its exact point (replay --debug). */
#ifndef INITRACE_FRAMEWORK_HOLD_H
#define INITRACE_FRAMEWORK_HOLD_H

#include "framework/classify.h"
#include "framework/run.h"

#include <jansson.h>

struct itr_hold {
    struct itr_slot *slot; /* holds a host: itr_slot_hold() said so */
    const struct itr_plan *plan;
    const struct itr_held *held;
    const struct itr_modules *modules;
    const char *at; /* the point, as it was asked for */
    bool sent;      /* the event was sent before the stop */
};

/* Where it stands, and how to attach: some lines of text, or an object. */
void itr_hold_describe(const struct itr_hold *hold, struct itr_text *out);
json_t *itr_hold_to_json(const struct itr_hold *hold);

/* Gives the terminal to gdb, and returns when gdb has ended. */
enum itr_status itr_hold_open_gdb(const struct itr_hold *hold, struct itr_error *err) ITR_MUST_USE;
/* Returns at a line or the end of standard input, at an interrupt, or when the host has ended. */
enum itr_status itr_hold_wait(const struct itr_hold *hold, struct itr_error *err) ITR_MUST_USE;

#endif
