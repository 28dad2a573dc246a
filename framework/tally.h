/* Counts of one cell: outcomes, signatures, and where in the window shots failed. Memory does not grow
 * with trials. It judges nothing. */
#ifndef INITRACE_FRAMEWORK_TALLY_H
#define INITRACE_FRAMEWORK_TALLY_H

#include "framework/outcome.h"
#include "framework/stats.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ITR_TALLY_SIGNATURES_MAX = 1000, /* further ones are counted under "(other crash signatures)" and so on */
    ITR_TALLY_BUCKETS = 20,
};

struct itr_tally_signature {
    char *text;
    enum itr_outcome outcome;
    uint64_t count;
    uint64_t first_trial;
    char *detail; /* what that trial adds: exact PC, addresses, counts; NULL: nothing */
};

struct itr_tally {
    enum itr_outcome expect;
    uint64_t trials;
    uint64_t outcomes[ITR_OUTCOME_COUNT];
    struct itr_tally_signature *signatures; /* in the order they came */
    size_t signature_count;
    /* Shots by their real time after load-begin, over their window and all after it. Windows that differ are laid over
     * each other; the tally's then ends where theirs do on average. */
    uint64_t window_from_ns;
    uint64_t window_to_ns;
    uint64_t windows; /* shots that brought one */
    double windows_sum_ns;
    uint64_t bucket_trials[ITR_TALLY_BUCKETS + 1];
    uint64_t bucket_failures[ITR_TALLY_BUCKETS + 1];
    uint64_t first_failure_ns; /* smallest and largest such time of a trial that was not as expected */
    uint64_t last_failure_ns;
    uint64_t strays;
    bool no_memory; /* memory was refused: a signature was not counted, or lacks its detail */
};

/* What a tally needs to know of a trial. `fired_after_load_ns` is INT64_MIN where no shot was fired. */
struct itr_row {
    uint64_t trial;
    enum itr_outcome outcome;
    const char *signature;
    const char *detail; /* NULL: none */
    int64_t fired_after_load_ns;
    uint64_t window_to_ns; /* end of the window that this shot was spread over; 0: the tally's */
    uint32_t strays;
    int64_t sweep_index; /* place in a sweep's list, -1: none */
};

void itr_tally_begin(struct itr_tally *tally, enum itr_outcome expect, uint64_t window_from_ns,
                     uint64_t window_to_ns);
void itr_tally_add(struct itr_tally *tally, const struct itr_row *row);
void itr_tally_release(struct itr_tally *tally);

/* How often a signature was counted so far; 0 for one never seen. */
uint64_t itr_tally_count_of(const struct itr_tally *tally, const char *signature);
/* Its place among the tally's signatures, which stays; SIZE_MAX for one never seen, or counted with others. */
size_t itr_tally_place_of(const struct itr_tally *tally, const char *signature);

/* Trials that say something about the runtime: all but those in which the tool failed or, where a shot
 * was to be fired, none was. */
uint64_t itr_tally_valid(const struct itr_tally *tally);
/* Those of them that did not end as expected. */
uint64_t itr_tally_unexpected(const struct itr_tally *tally);
/* Their share, with Wilson's interval at 95 %. */
double itr_tally_rate(const struct itr_tally *tally, struct itr_interval *ci95);

#endif
