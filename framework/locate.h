/* Finds the windows of a failing cell: drives a campaign from the sweep over function entries to both edges of
 * each window, by asking probe.c where to fire next. It says nothing to anybody (report_locate.c does). */
#ifndef INITRACE_FRAMEWORK_LOCATE_H
#define INITRACE_FRAMEWORK_LOCATE_H

#include "framework/campaign.h"
#include "framework/probe.h"

enum { ITR_LOCATE_WRITES_MAX = 64 };

/* A write to a watched variable, seen in a trial of its own without a shot. */
struct itr_located_write {
    uint32_t position; /* of the instruction that wrote, UINT32_MAX: not on the axis */
    uint32_t watch;
    uint64_t old_value;
    uint64_t new_value;
    uint64_t time_ns; /* after load-begin */
    uint64_t rva;     /* of that instruction, or of the next one where it is not on the axis */
    enum itr_role role;
};

/* What was found of one cell. `{0}` is valid; give it to itr_located_release(). */
struct itr_located {
    size_t cell; /* the sweep it began with, in the campaign's summary */
    const struct itr_sweep *sweep; /* borrowed from the campaign; NULL: skipped, the cell says why */
    const struct itr_work *work;
    struct itr_samples samples;
    struct itr_windows windows;
    char *signatures[ITR_SAMPLE_SIGNATURES_MAX]; /* [0] "as expected" */
    uint32_t signature_count;
    uint64_t shots;
    uint64_t missed;
    uint32_t rounds;
    bool complete; /* the search ended by itself, not by an interrupt or its limit of rounds */
    uint64_t elapsed_ns;
    struct itr_located_write writes[ITR_LOCATE_WRITES_MAX];
    uint32_t write_count;
};

/* Runs the search for a cell of an opened campaign whose first round (its sweep) has been worked off. */
enum itr_status itr_locate(struct itr_located *located, struct itr_campaign *campaign, const struct itr_summary *summary,
                           size_t cell, struct itr_error *err) ITR_MUST_USE;
void itr_located_release(struct itr_located *located);

#endif
