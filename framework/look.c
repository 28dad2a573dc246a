/* The pace of looks, and the time that none was possible. */
#include "framework/look.h"

#define LOOK_AGE_DIVISOR 8
/* A look that is late by no more than this was only slow in coming; the longest that is counted against a host. */
#define LATE_MAX_NS UINT64_C(1000000000)

uint64_t itr_look_after_ms(uint64_t age_ns) {
    uint64_t after_ms = age_ns / LOOK_AGE_DIVISOR / 1000000;
    return after_ms < ITR_LOOK_EVERY_MS         ? ITR_LOOK_EVERY_MS
           : after_ms > ITR_LOOK_UNASKED_MAX_MS ? ITR_LOOK_UNASKED_MAX_MS
                                                : after_ms;
}

uint64_t itr_look_missed_ns(uint64_t since_ns, uint64_t due_ns) {
    uint64_t late_ns = since_ns > due_ns ? since_ns - due_ns : 0;
    return late_ns > LATE_MAX_NS ? late_ns : 0;
}
