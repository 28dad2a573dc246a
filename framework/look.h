/* When to look at a host, and what a look that comes late is worth. Pure; it reads no clock. */
#ifndef INITRACE_FRAMEWORK_LOOK_H
#define INITRACE_FRAMEWORK_LOOK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    ITR_LOOK_EVERY_MS = 1,        /* at a host that waits, and at a young one */
    ITR_LOOK_UNASKED_MAX_MS = 16, /* at one that neither waits nor has heard all it is to hear */
    ITR_PATIENCE_LOOK_MS = 10,    /* a look that comes after more than twice that is late */
    ITR_PATIENCE_MAX = 10,
};

/* Milliseconds until the next look at a host of this age that neither waits nor has heard all it is to hear: a part of its
 * life so far, within the bounds above, since each look wakes the runner, which under Wine is dear. */
uint64_t itr_look_after_ms(uint64_t age_ns);

/* How much of the time since the last look, in which one was due within `due_ns`, this program was stopped (SIGSTOP, a
 * suspended machine) or starved: that time is not the host's, which may have been stopped with it. 0 for an ordinary gap. */
uint64_t itr_look_missed_ns(uint64_t since_ns, uint64_t due_ns);

/* How long something is waited for that another thread is to do. Only looks that come on time count: one that comes late
 * says that the machine has no time for that thread either, and giving up then would say nothing of it. */
struct itr_patience {
    uint64_t until_ns; /* moves on with each late look, up to */
    uint64_t last_ns;
    uint64_t looked_ns;
};

/* Time that counts, from now on; in all at most ITR_PATIENCE_MAX times as much. Also to begin anew with another time. */
void itr_patience_begin(struct itr_patience *patience, uint64_t now_ns, uint64_t wait_ns);
/* True: it is over. To be asked again at itr_patience_look_ns(). */
bool itr_patience_is_over(struct itr_patience *patience, uint64_t now_ns);
uint64_t itr_patience_look_ns(const struct itr_patience *patience);
/* All stood still for so long, the other thread too. */
void itr_patience_put_off(struct itr_patience *patience, uint64_t stood_ns);

#endif
