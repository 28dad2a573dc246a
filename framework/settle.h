/* Decides from outside, while a host still runs, that nothing more will come of its shots: the event is
 * lost, or the host hangs. Pure; it ends nobody. */
#ifndef INITRACE_FRAMEWORK_SETTLE_H
#define INITRACE_FRAMEWORK_SETTLE_H

#include "framework/ledger.h"
#include "platform/platform.h"

enum itr_settled {
    ITR_SETTLED_NOT_YET,
    ITR_SETTLED_LOST,  /* the host waits, nothing is under way, the event was not heard */
    ITR_SETTLED_STUCK, /* the event is under way, and nothing has moved for the quiet time */
};

/* What the last looks saw. `{0}` at the start of a trial. */
struct itr_settle {
    bool looked;
    bool unchanged; /* the last two looks saw the same processor time */
    uint64_t cpu_ns;
    uint64_t unchanged_since_ns;
    uint64_t last_look_ns;
};

/* True when a look at the host's activity is worth its cost: it waits, has finished, or has been on its way there for
 * long since its shots were sent. */
bool itr_settle_wants_look(const struct itr_ledger_request *request, const struct itr_ledger_reply *reply,
                           uint64_t now_ns);

/* True when that look should be a thorough one: no processor time was used between the last two. */
bool itr_settle_wants_thorough(const struct itr_settle *settle);

/* One look. `reply` is a copy of the ledger's reply taken before `activity` was. */
enum itr_settled itr_settle_look(struct itr_settle *settle, const struct itr_ledger_request *request,
                                 const struct itr_ledger_reply *reply, const struct itrp_activity *activity,
                                 uint64_t now_ns, uint64_t quiet_ns);

#endif
