/* When to look at a host, and what a look that comes late is worth. Pure; it reads no clock. */
#ifndef INITRACE_FRAMEWORK_LOOK_H
#define INITRACE_FRAMEWORK_LOOK_H

#include <stdint.h>

enum {
    ITR_LOOK_EVERY_MS = 1,        /* at a host that waits, and at a young one */
    ITR_LOOK_UNASKED_MAX_MS = 16, /* at one that neither waits nor has heard all it is to hear */
};

/* Milliseconds until the next look at a host of this age that neither waits nor has heard all it is to hear: a part of its
 * life so far, within the bounds above, since each look wakes the runner, which under Wine is dear. */
uint64_t itr_look_after_ms(uint64_t age_ns);

/* How much of the time since the last look, in which one was due within `due_ns`, this program was stopped (SIGSTOP, a
 * suspended machine) or starved: that time is not the host's, which may have been stopped with it. 0 for an ordinary gap. */
uint64_t itr_look_missed_ns(uint64_t since_ns, uint64_t due_ns);

#endif
