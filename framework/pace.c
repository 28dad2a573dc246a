/* Follows the duration of starts. Calibration takes some starts alone, before the campaign; beside the other slots, and
 * with whatever else runs, a start takes longer or shorter, and the shots would be spread over another stretch of it. */
#include "framework/pace.h"

#include <stdlib.h>
#include <string.h>

void itr_pace_note(struct itr_pace *pace, uint64_t init_ns) {
    if (init_ns > 0) {
        pace->init_ns[pace->count++ % ITR_PACE_KEPT] = init_ns;
    }
}

static int compare_u64(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y ? 1 : 0;
}

uint64_t itr_pace_window_ns(const struct itr_pace *pace, uint64_t calibrated_ns) {
    uint64_t sorted[ITR_PACE_KEPT];
    size_t kept = pace->count < ITR_PACE_KEPT ? pace->count : (size_t)ITR_PACE_KEPT;
    if (kept < ITR_PACE_LEAST) {
        return calibrated_ns;
    }
    memcpy(sorted, pace->init_ns, kept * sizeof *sorted);
    qsort(sorted, kept, sizeof *sorted, compare_u64);
    uint64_t now_ns = sorted[kept * 95 / 100];
    uint64_t least_ns = calibrated_ns / ITR_PACE_FACTOR;
    uint64_t most_ns = calibrated_ns < UINT64_MAX / ITR_PACE_FACTOR ? calibrated_ns * ITR_PACE_FACTOR : UINT64_MAX;
    return now_ns < least_ns ? least_ns : now_ns > most_ns ? most_ns : now_ns;
}
