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

#define PATIENCE_LOOK_NS (ITR_PATIENCE_LOOK_MS * UINT64_C(1000000))

static uint64_t add(uint64_t a, uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

void itr_patience_begin(struct itr_patience *patience, uint64_t now_ns, uint64_t wait_ns) {
    uint64_t longest_ns = wait_ns > UINT64_MAX / ITR_PATIENCE_MAX ? UINT64_MAX : wait_ns * ITR_PATIENCE_MAX;
    patience->until_ns = add(now_ns, wait_ns);
    patience->last_ns = add(now_ns, longest_ns);
    patience->looked_ns = now_ns;
}

bool itr_patience_is_over(struct itr_patience *patience, uint64_t now_ns) {
    uint64_t since_ns = now_ns > patience->looked_ns ? now_ns - patience->looked_ns : 0;
    patience->looked_ns = now_ns;
    if (since_ns > 2 * PATIENCE_LOOK_NS) {
        uint64_t later_ns = add(patience->until_ns, since_ns);
        patience->until_ns = later_ns < patience->last_ns ? later_ns : patience->last_ns;
    }
    return now_ns >= patience->until_ns;
}

uint64_t itr_patience_look_ns(const struct itr_patience *patience) {
    uint64_t look_ns = add(patience->looked_ns, PATIENCE_LOOK_NS);
    return look_ns < patience->until_ns ? look_ns : patience->until_ns;
}

void itr_patience_put_off(struct itr_patience *patience, uint64_t stood_ns) {
    patience->until_ns = add(patience->until_ns, stood_ns);
    patience->last_ns = add(patience->last_ns, stood_ns);
    patience->looked_ns = add(patience->looked_ns, stood_ns);
}
