/* One trial: start a host, let it fire, wait, take evidence, end the whole tree. A slot runs one trial
 * after another in the thread that opened it; slots share nothing. */
#ifndef INITRACE_FRAMEWORK_RUN_H
#define INITRACE_FRAMEWORK_RUN_H

#include "framework/observe.h"
#include "framework/plan.h"
#include "platform/snapshot.h"

/* What is the same for all trials of a cell. Borrowed strings. */
struct itr_setup {
    const char *program;
    const char *const *environment; /* NULL-terminated "K=V" */
    uint64_t deadline_ns;
    uint64_t quiet_ns;
    bool own_console;
    uint64_t core_limit_bytes;
    bool recorded; /* the hosts run under a recorder, which leaves a recording of each; not with `debug` */
    /* NULL: the hosts run free. Else they run under a debugger, with this plan; the trial's own plan gives
     * point, shot and seed. */
    const struct itrp_debug_plan *debug;
    /* Hosts are stopped for evidence: those that run free once they hang, before they are ended; debugged ones (whose
     * plan then asks for evidence too) also before they are ended as lost, at their first fault, and at their exit. */
    bool evidence;
};

struct itr_slot;

/* `directory` becomes the hosts' working directory; it must exist. All calls on a slot come from the
 * thread that opened it. */
enum itr_status itr_slot_open(struct itr_slot **slot, const char *directory, struct itr_error *err) ITR_MUST_USE;

/* Runs one trial to its end, at most deadline_ns plus a few seconds for the clean-up. Whatever happens is
 * in `observation`; a failure of the tool itself is its `tool`. */
void itr_slot_run(struct itr_slot *slot, const struct itr_setup *setup, const struct itr_plan *plan,
                  uint64_t nonce, struct itr_observation *observation);

/* The same, but returns as often as the host stands still for evidence (setup.evidence), with its snapshot, good until
 * itr_slot_go_on(), which returns the next one; NULL: the trial has ended, as after itr_slot_run(). `setup` and `plan`
 * stay until then. No deadline runs while the host stands. */
const struct itrp_snapshot *itr_slot_run_to_stop(struct itr_slot *slot, const struct itr_setup *setup,
                                                 const struct itr_plan *plan, uint64_t nonce,
                                                 struct itr_observation *observation) ITR_MUST_USE;
const struct itrp_snapshot *itr_slot_go_on(struct itr_slot *slot) ITR_MUST_USE;

/* In place of itr_slot_go_on(), where the host stands since it hangs and is to be ended: leaves it to a person (see
 * itrp_process_keep()), its output going on into <folder>/kept.stdout and kept.stderr. True: the trial has ended, its host
 * goes on, and the observation has its id. False, `err` says why: the host stands as before. */
bool itr_slot_keep(struct itr_slot *slot, const char *folder, struct itr_error *err) ITR_MUST_USE;

/* A host that stands stopped at its exact point. */
struct itr_held {
    uint32_t process;
    uint32_t thread; /* that reached the point */
    enum itr_role role;
    uint64_t library_base;
};

/* For a setup whose debug plan has a `pause`: runs a trial up to the moment at which its host stands stopped at
 * the exact point, and leaves it so; no deadline runs from then on. True: it stands as `held` says, and
 * itr_slot_release() must follow; `setup`, `plan` and `observation` stay until then. False: the trial ended
 * before, as after itr_slot_run(). */
bool itr_slot_hold(struct itr_slot *slot, const struct itr_setup *setup, const struct itr_plan *plan, uint64_t nonce,
                   struct itr_observation *observation, struct itr_held *held) ITR_MUST_USE;
/* While a host is held: the loop that a person's wait can be put on; one turn of that loop, false once the host has
 * ended (a debugger let it go, or killed it). */
uv_loop_t *itr_slot_loop(struct itr_slot *slot);
bool itr_slot_turn(struct itr_slot *slot);
/* Ends the held host and all its tree. The observation tells nothing of the runtime then: a person had it. */
void itr_slot_release(struct itr_slot *slot);

void itr_slot_close(struct itr_slot *slot);

#endif
