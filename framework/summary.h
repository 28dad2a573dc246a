/* A finished (or cut short) campaign as one value: cells, counts, verdicts; and its JSON form. Reports are
 * made from it alone. */
#ifndef INITRACE_FRAMEWORK_SUMMARY_H
#define INITRACE_FRAMEWORK_SUMMARY_H

#include "framework/cell.h"
#include "framework/judge.h"
#include "framework/tally.h"

#define ITR_SUMMARY_FORMAT 1

struct itr_summary {
    struct itr_cell *cells;
    struct itr_tally *tallies;   /* one a cell */
    struct itr_verdict *verdicts;
    size_t count;
    char folder[1024]; /* "" : several campaigns in one */
    uint64_t seed;
    double elapsed_s; /* 0: not known (a campaign that was killed) */
    bool interrupted; /* not all planned trials were run */
};

/* Judges every cell anew. */
void itr_summary_judge(struct itr_summary *summary);
void itr_summary_release(struct itr_summary *summary);

/* Exit code of the campaign (itr_judge_exit_code()); one that was cut short is at best inconclusive. */
int itr_summary_exit_code(const struct itr_summary *summary);

/* New reference. */
json_t *itr_summary_to_json(const struct itr_summary *summary);

#endif
