/* The whole row, driven for many trials on a few slots: the one file that knows plan, run, classify, tally
 * and the folder together. */
#ifndef INITRACE_FRAMEWORK_CAMPAIGN_H
#define INITRACE_FRAMEWORK_CAMPAIGN_H

#include "framework/layout.h"
#include "framework/summary.h"

struct itr_campaign_options {
    uint64_t seed;
    uint64_t duration_ns; /* 0: by each cell's count; else so long for every cell */
    bool until_fail;      /* a cell ends with its first trial that is not as expected */
    uint32_t jobs;        /* trials at a time */
    uint32_t keep;        /* evidence folders kept for each signature of a cell */
    uint64_t core_limit_bytes;
    bool progress;        /* show it on stderr */
    bool resume;          /* go on in the folder; the cells come from its campaign.json */
    const char *output;   /* the campaign's folder */
    int argument_count;   /* the command line, for the record */
    char **arguments;
};

/* Runs the cells (taken over: their windows and counts are filled in) and leaves the campaign in the folder
 * and in `*summary`, which the caller gives to itr_summary_release(). SIGINT or SIGTERM once: trials under
 * way are finished; twice: they are ended. Both still give a summary (interrupted). */
enum itr_status itr_campaign_run(const struct itr_campaign_options *options, const struct itr_layout *layout,
                                 struct itr_cell *cells, size_t count, struct itr_summary *summary,
                                 struct itr_error *err) ITR_MUST_USE;

/* Version of initrace. */
#define ITR_VERSION "0.1.0"

/* Writes summary.json, junit.xml and report.html of a campaign into its folder. */
enum itr_status itr_campaign_write_reports(const struct itr_summary *summary, struct itr_error *err) ITR_MUST_USE;

#endif
