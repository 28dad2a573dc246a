/* The whole row, driven for many trials on a few slots: the one file that knows plan, run, classify, tally
 * and the folder together. */
#ifndef INITRACE_FRAMEWORK_CAMPAIGN_H
#define INITRACE_FRAMEWORK_CAMPAIGN_H

#include "framework/echo.h"
#include "framework/layout.h"
#include "framework/rounds.h"
#include "framework/summary.h"
#include "framework/sweep.h"

#include "framework/work.h"

#include <jansson.h>

/* Hanging hosts that a campaign can leave running. */
enum { ITR_KEEP_HUNG_MAX = 64 };

struct itr_campaign_options {
    uint64_t seed;
    uint64_t duration_ns; /* 0: by each cell's count; else so long for every cell */
    bool until_fail;      /* a cell ends with its first trial that is not as expected */
    uint32_t jobs;        /* trials at a time */
    uint32_t keep;        /* evidence folders kept for each signature of a cell */
    uint64_t core_limit_bytes;
    uint32_t evidence;             /* trials of each signature of a cell that evidence is taken of */
    uint64_t evidence_core_bytes;  /* longest core file in it; 0: none */
    uint64_t evidence_total_bytes; /* of all of them: the oldest are removed */
    uint32_t keep_hung;            /* hanging hosts that are left running for a person; up to ITR_KEEP_HUNG_MAX */
    bool progress;        /* show it on stderr */
    bool resume;          /* go on in the folder; the cells come from its campaign.json */
    bool in_rounds;       /* all trials are taken by itr_campaign_work_rounds(), none by a cell's count */
    struct itr_echo *echo; /* lines of hosts that are passed on to stderr; borrowed; NULL: none */
    int end_code;         /* exit code of the program when a second interrupt ends it at once; 0: 3 */
    const char *output;   /* the campaign's folder */
    const json_t *plan;   /* what decides which trials are taken, kept in campaign.json; borrowed; NULL: the cells alone */
    int argument_count;   /* the command line, for the record */
    char **arguments;
};

/* Runs the cells (taken over: their windows and counts are filled in) and leaves the campaign in the folder
 * and in `*summary`, which the caller gives to itr_summary_release(). SIGINT or SIGTERM once: trials under
 * way are finished; twice: they are ended. Both still give a summary (interrupted). */
enum itr_status itr_campaign_run(const struct itr_campaign_options *options, const struct itr_layout *layout,
                                 const struct itr_cell *cells, size_t count, struct itr_summary *summary,
                                 struct itr_error *err) ITR_MUST_USE;

/* The same in steps, for those who decide by what was seen where to fire next: open, then add and work as often
 * as wanted, then close. `options`, `layout` and `summary` are borrowed until the close; the summary is the
 * caller's from then on. */
struct itr_campaign;
enum itr_status itr_campaign_open(struct itr_campaign **campaign, const struct itr_campaign_options *options,
                                  const struct itr_layout *layout, const struct itr_cell *cells, size_t count,
                                  struct itr_summary *summary, struct itr_error *err) ITR_MUST_USE;
/* Adds a sweep over `positions` of the axis of cell `like` (a sweep itself), `shots` at each; its index in the
 * summary is the last. */
enum itr_status itr_campaign_add_sweep(struct itr_campaign *campaign, size_t like, const char *at,
                                       const uint32_t *positions, uint32_t count, uint32_t shots,
                                       struct itr_error *err) ITR_MUST_USE;
/* Runs all trials that were not run. An interrupt ends it, and all later ones at once. */
enum itr_status itr_campaign_work(struct itr_campaign *campaign, struct itr_error *err) ITR_MUST_USE;
/* Adds a cell (not a sweep) to a campaign `in_rounds`, between two works; its index in the summary is the last. What its
 * library does not have, or a host that does not even pass without a shot, is no error: the cell's `skip` says so then, and
 * it is not to be run. On failure the campaign is as it was. */
enum itr_status itr_campaign_add_cell(struct itr_campaign *campaign, const struct itr_cell *cell,
                                      struct itr_error *err) ITR_MUST_USE;
/* One more than the highest number of a trial that the folder of a resumed campaign had; 0 for a new one. */
uint64_t itr_campaign_next_trial(const struct itr_campaign *campaign);
/* A comparison, and the cells its arms are fired in. */
struct itr_campaign_rounds {
    struct itr_rounds *rounds;
    size_t cells[1 + ITR_ROUNDS_CANDIDATES_MAX]; /* by arm: [0] is the baseline's */
    const char *const *signatures;               /* patterns (itr_matches), as many as are compared */
};
/* Runs rounds until each of them is over, the earlier ones first: a later one's trials fill the slots while an earlier one
 * waits for trials under way. For campaigns `in_rounds`. In one that is resumed, trials that the folder has are told to the
 * rounds and not run again. Interrupted, the rounds stay as they are. */
enum itr_status itr_campaign_work_rounds(struct itr_campaign *campaign, const struct itr_campaign_rounds *rounds,
                                         size_t count, struct itr_error *err) ITR_MUST_USE;
bool itr_campaign_is_interrupted(const struct itr_campaign *campaign);
/* Borrowed until the close. The sweep is NULL where the cell is none. */
const char *itr_campaign_folder(const struct itr_campaign *campaign);
const struct itr_sweep *itr_campaign_sweep(const struct itr_campaign *campaign, size_t cell);
const struct itr_work *itr_campaign_cell_work(const struct itr_campaign *campaign, size_t cell);
/* Judges, writes the reports, and ends the campaign, also on failure. */
enum itr_status itr_campaign_close(struct itr_campaign *campaign, struct itr_error *err) ITR_MUST_USE;
/* Ends it without reports. */
void itr_campaign_release(struct itr_campaign *campaign);

/* Version of initrace. */
#define ITR_VERSION "0.1.0"

/* Writes summary.json, junit.xml and report.html of a campaign into its folder. */
enum itr_status itr_campaign_write_reports(const struct itr_summary *summary, struct itr_error *err) ITR_MUST_USE;

#endif
