/* One trial: start a host, let it fire, wait, take evidence, end the whole tree. A slot runs one trial
 * after another in the thread that opened it; slots share nothing. */
#ifndef INITRACE_FRAMEWORK_RUN_H
#define INITRACE_FRAMEWORK_RUN_H

#include "framework/observe.h"
#include "framework/plan.h"

/* What is the same for all trials of a cell. Borrowed strings. */
struct itr_setup {
    const char *program;
    const char *const *environment; /* NULL-terminated "K=V" */
    uint64_t deadline_ns;
    uint64_t quiet_ns;
    bool own_console;
    uint64_t core_limit_bytes;
};

struct itr_slot;

/* `directory` becomes the hosts' working directory; it must exist. All calls on a slot come from the
 * thread that opened it. */
enum itr_status itr_slot_open(struct itr_slot **slot, const char *directory, struct itr_error *err) ITR_MUST_USE;

/* Runs one trial to its end, at most deadline_ns plus a few seconds for the clean-up. Whatever happens is
 * in `observation`; a failure of the tool itself is its `tool`. */
void itr_slot_run(struct itr_slot *slot, const struct itr_setup *setup, const struct itr_plan *plan,
                  uint64_t nonce, struct itr_observation *observation);

void itr_slot_close(struct itr_slot *slot);

#endif
