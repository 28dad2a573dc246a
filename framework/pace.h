/* How long the library's start takes just now: the window of random shots follows it. Pure: it keeps the last few
 * durations, and reads no clock. */
#ifndef INITRACE_FRAMEWORK_PACE_H
#define INITRACE_FRAMEWORK_PACE_H

#include <stddef.h>
#include <stdint.h>

enum {
    ITR_PACE_KEPT = 32,    /* durations that count */
    ITR_PACE_LEAST = 8,    /* with fewer the calibrated window stands */
    ITR_PACE_FACTOR = 16,  /* never further from the calibrated window than this: hosts may lie */
};

/* `{0}` has seen nothing; nothing to free. */
struct itr_pace {
    uint64_t init_ns[ITR_PACE_KEPT];
    size_t count; /* noted so far */
};

/* Notes a start's duration, from load-begin to init-done. 0, for a start that did not end, is passed over. */
void itr_pace_note(struct itr_pace *pace, uint64_t init_ns);

/* End of the window in which shots are to be spread: 95 of 100 of the last starts were done by then. `calibrated_ns` until
 * enough were seen. */
uint64_t itr_pace_window_ns(const struct itr_pace *pace, uint64_t calibrated_ns);

#endif
