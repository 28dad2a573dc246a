/* Does a cell show what its case says it must? Pure: counts against expectation and known failures. */
#ifndef INITRACE_FRAMEWORK_JUDGE_H
#define INITRACE_FRAMEWORK_JUDGE_H

#include "framework/cell.h"
#include "framework/tally.h"

#define ITR_JUDGEMENT_MAP(X)                                                                       \
    X(EXPECTED, "as-expected")   /* every shot ended as the case expects */                        \
    X(KNOWN, "known")            /* only known failures, as often as they are known to come */     \
    X(NEW, "finding")            /* a failure that is not known */                                 \
    X(RATE, "rate-changed")      /* a known failure, but too seldom, never, or too often */        \
    X(INCONCLUSIVE, "no-shot")   /* no shot landed: nothing is known */                            \
    X(TOOL_ERROR, "tool-error")  /* the tool failed in trials, or counting */                      \
    X(SKIPPED, "skipped")        /* not run: the library has no such point */

enum itr_judgement {
#define ITR_JUDGEMENT_ENUM(id, name) ITR_JUDGEMENT_##id,
    ITR_JUDGEMENT_MAP(ITR_JUDGEMENT_ENUM)
#undef ITR_JUDGEMENT_ENUM
};

struct itr_verdict {
    enum itr_judgement judgement;
    char sentence[520]; /* one plain line: what and why */
};

/* A known failure counts as gone (or as more frequent than known) when its count would come by chance
 * with less than this probability. Small, since a CI runs thousands of cells. */
#define ITR_JUDGE_CHANCE 1e-6

const char *itr_judgement_name(enum itr_judgement judgement);
void itr_judge(const struct itr_cell *cell, const struct itr_tally *tally, struct itr_verdict *verdict);

/* Exit code of a campaign: 4 the tool failed; 3 a control failed, or nothing at all was tested; 1 a finding; 3 a cell in
 * which no shot landed; else 0, a cell that was skipped beside others included. `verdicts` has one entry a cell. */
int itr_judge_exit_code(const struct itr_cell *cells, const struct itr_verdict *verdicts, size_t count);

/* True if that is 3; then one line in `why` says what for. */
bool itr_judge_no_verdict(const struct itr_cell *cells, const struct itr_verdict *verdicts, size_t count, char *why,
                          size_t room);

#endif
