/* What was seen of one trial: facts only, no judgement. Filled by run.c, read by classify.c and
 * record.c. */
#ifndef INITRACE_FRAMEWORK_OBSERVE_H
#define INITRACE_FRAMEWORK_OBSERVE_H

#include "framework/capture.h"
#include "framework/ledger.h"
#include "platform/platform.h"

/* Why the runner stopped waiting for the host. */
#define ITR_END_MAP(X)                                                                             \
    X(NOT_STARTED, "not-started") /* the host could not be started */                              \
    X(EXIT, "exit")               /* it ended by itself */                                         \
    X(LOST, "lost")               /* settled: nothing more can come */                             \
    X(STUCK, "stuck")             /* settled: an event is under way and nothing moves */           \
    X(DEADLINE, "deadline")       /* its time was up */

enum itr_end {
#define ITR_END_ENUM(id, name) ITR_END_##id,
    ITR_END_MAP(ITR_END_ENUM)
#undef ITR_END_ENUM
        ITR_END_COUNT
};

const char *itr_end_name(uint32_t end);

struct itr_observation {
    enum itr_end end;
    struct itr_error tool; /* status ITR_OK unless the tool failed in this trial */
    uint64_t begin_ns;
    uint64_t end_ns;
    struct itrp_exit exit;
    bool ended_by_runner; /* the exit is our own kill */
    uint32_t kept_process; /* id of a host that hangs and was left to a person, without an exit; 0: it was not */
    bool ledger_sound;
    char ledger_damage[160];
    struct itr_ledger_reply ledger; /* to be trusted only if ledger_sound */
    bool event_pending;             /* unix: the signal was still pending when the host was ended */
    uint32_t strays;                /* processes the host left behind */
    bool output_cut_off;            /* a stream was not at its end when the runner stopped reading */
    char no_evidence[160];          /* why the host could not be stopped for evidence; "": it was, or nobody asked */
    /* Folder of the host's recording; NULL: none was made. Borrowed from the slot, which removes it with its next trial
     * unless it was moved away. A recording that is not complete is a failure of the tool. */
    const char *recording;
    /* What the debugger saw; NULL: there was none. Borrowed from the slot, until its next trial, with its trace. */
    const struct itrp_debug_report *debug;
    const struct itr_capture *output; /* borrowed from the slot, until its next trial */
    const struct itr_capture *error_output;
};

#endif
