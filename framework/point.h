/* Fire points as text and as values: `time`, `load-returned+200us`, `pthread_create#2`,
 * `runtime.initsig+0x1c#2@init`. It knows nothing of cases (a case's own names are put in place before) and
 * of no library (whoever has one turns symbols into addresses). */
#ifndef INITRACE_FRAMEWORK_POINT_H
#define INITRACE_FRAMEWORK_POINT_H

#include "framework/error.h"
#include "framework/event.h"

#include <stdbool.h>
#include <stdint.h>

enum itr_point_kind {
    ITR_POINT_TIME,  /* uniform over the calibrated window after load-begin */
    ITR_POINT_PHASE, /* a length of time after a phase */
    ITR_POINT_CALL,  /* the library's Nth call of a hooked function */
    ITR_POINT_SYMBOL, /* an exact instruction, by a debugger: SYMBOL[+OFFSET][#N][@THREAD] */
    ITR_POINT_SWEEP,  /* one instruction after the other of a list made by tracing; not from text */
};

/* What a sweep's list has. */
enum itr_sweep_kind { ITR_SWEEP_NONE, ITR_SWEEP_FUNCTIONS, ITR_SWEEP_INSTRUCTIONS };

enum { ITR_POINT_SYMBOL_ROOM = 160 };

struct itr_point {
    enum itr_point_kind kind;
    enum itr_phase phase;
    uint64_t offset_ns;
    enum itr_call call;
    uint32_t nth;  /* which call, or which time the instruction is reached */
    char symbol[ITR_POINT_SYMBOL_ROOM]; /* `name|alternative|prefix*`; "": the library's base itself */
    uint64_t offset; /* bytes after it */
    enum itr_role role; /* the thread that must reach it */
    uint64_t rva;       /* symbol + offset, once a library was asked */
    enum itr_sweep_kind sweep;
};

/* Reads a point. ITR_E_USAGE with what was expected otherwise. */
enum itr_status itr_point_parse(const char *text, struct itr_point *point,
                                struct itr_error *err) ITR_MUST_USE;

/* Reads a length of time, a number with a unit: "200us", "1.5ms", "10s", "5m", "2h", "80ns". */
bool itr_duration_parse(const char *text, uint64_t *ns);

#endif
