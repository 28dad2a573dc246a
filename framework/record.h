/* One trial as a line of trials.jsonl, and back to what reports and replays need. Format version 1. */
#ifndef INITRACE_FRAMEWORK_RECORD_H
#define INITRACE_FRAMEWORK_RECORD_H

#include "framework/classify.h"
#include "framework/tally.h"

#include <jansson.h>

#define ITR_RECORD_FORMAT 1

/* What became of the recording of a host (observe.h) that was kept. */
struct itr_kept_recording {
    char folder[64];   /* below the campaign's */
    bool packed;       /* it needs no file outside of its folder any more */
    char trouble[240]; /* why it is not packed, or not there; "": nothing */
};

struct itr_record {
    uint64_t cell; /* index in campaign.json */
    uint64_t trial;
    uint64_t seed;
    const char *case_name;
    const char *at;
    const struct itr_plan *plan;
    const struct itr_observation *seen;
    const struct itr_modules *modules;
    const struct itr_classification *classification;
    const char *recorder; /* the cell's; NULL or "": none */
    const struct itr_kept_recording *recording; /* NULL: none was kept */
    const char *evidence; /* folder below the campaign's, NULL: none was kept */
};

/* New reference; NULL when memory is out. */
json_t *itr_record_to_json(const struct itr_record *record);

/* The time of the first shot after load-begin, as in struct itr_row. */
int64_t itr_record_fired_after_load(const struct itr_observation *seen);

/* What a line says, for counting it again. `signature` and `detail` are borrowed from `json`. */
enum itr_status itr_record_read(const json_t *json, uint64_t *cell, struct itr_row *row,
                                struct itr_error *err) ITR_MUST_USE;
/* Where the shot of a recorded trial was planned: nanoseconds after its phase, and the trial's seed. */
enum itr_status itr_record_read_plan(const json_t *json, uint64_t *planned_ns, uint64_t *seed,
                                     struct itr_error *err) ITR_MUST_USE;
/* The instruction that an exact point of a recorded trial stood for, in the library; false where there was
 * none. */
bool itr_record_read_point(const json_t *json, uint64_t *rva);

#endif
