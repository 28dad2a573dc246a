/* What run.c, run_held.c and run_slot.c share: a slot, and the trial that runs on it. No one else includes it. */
#ifndef INITRACE_FRAMEWORK_RUN_PARTS_H
#define INITRACE_FRAMEWORK_RUN_PARTS_H

#include "framework/output.h"
#include "framework/run.h"
#include "framework/settle.h"

struct itr_slot {
    uv_loop_t loop;
    uv_timer_t timer;
    char *directory;
    char *recording;   /* folder of the last trial's, in `directory` */
    bool has_recorded; /* it may be there */
    struct itrp_memory ledger;
    struct itr_output streams[2]; /* standard output, standard error */
    char *read_buffer;
    /* of the trial that runs */
    const struct itr_setup *setup;
    const struct itr_plan *plan;
    struct itr_observation *observation;
    uint64_t nonce;
    struct itrp_process *process;
    struct itr_settle settle;
    uint32_t looks;
    bool exited;
    bool standing;         /* the host stands still for evidence, */
    bool ends;             /* and is to be ended after it, */
    enum itr_end end;      /* so */
    uint64_t stands_since_ns;
    uint64_t stood_ns;  /* altogether, with the time in which this program stood still */
    uint64_t looked_ns; /* when the timer was started, or last ran */
    bool held; /* the host stands stopped for a person: what it left is ended with the hold, not before */
    struct itrp_debug_plan debug_plan;
    struct itrp_debug_report debug_report;
    uint32_t *trace; /* the report's, kept beyond the process */
    size_t trace_room;
};

/* Starts a trial on a slot that runs none; the loop is not run. A start that failed is in observation->tool. */
void itr_run_begin(struct itr_slot *slot, const struct itr_setup *setup, const struct itr_plan *plan, uint64_t nonce,
                   struct itr_observation *observation);
/* True while there is something to run the loop for. */
bool itr_run_is_on(const struct itr_slot *slot);
/* Ends the tree of a host that is over, and bounds the wait for its output. */
void itr_run_end_left(struct itr_slot *slot);
/* Reads the ledger and what else the trial left, and closes its process. */
void itr_run_finish(struct itr_slot *slot);
/* The last trial's, if there may be one. */
void itr_run_remove_recording(struct itr_slot *slot);

#endif
