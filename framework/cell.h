/* A cell: one combination that a campaign runs, as everybody after the campaign knows it: names,
 * expectation, known failures. A plain value that goes to campaign.json and comes back from it. */
#ifndef INITRACE_FRAMEWORK_CELL_H
#define INITRACE_FRAMEWORK_CELL_H

#include "framework/arm.h"
#include "framework/casefile.h"
#include "framework/combination.h"
#include "framework/plan.h"

#include <jansson.h>

enum { ITR_NAME_MAX = 128, ITR_AT_MAX = 176, ITR_ENVIRONMENT_MAX = 512, ITR_WATCH_MAX = 384 };

/* A known failure that applies to the cell. */
struct itr_cell_known {
    enum itr_outcome outcome;
    char signature[ITR_NAME_MAX]; /* pattern */
    double rate_min;
    double rate_max;
    char thread[ITR_NAME_MAX];
};

enum { ITR_CELL_KNOWN_MAX = 8 };

struct itr_cell {
    char case_name[ITR_NAME_MAX];
    char control[ITR_NAME_MAX]; /* "" for the case itself */
    char axes[ITR_COMBINATION_TEXT_MAX]; /* "AXIS=VALUE" lines, separated by newlines; "": the case has no axes */
    char go[32];                /* "" where no Go library is loaded */
    char go_label[ITR_ARM_LABEL_MAX]; /* a GOROOT of its own that nothing changes, for people: its folder, or the arm's name; "": else */
    char arm[ITR_ARM_LABEL_MAX]; /* what changes that Go's libraries, for people; "": nothing does */
    char system[16];            /* "linux", "wine", "windows" */
    char at[ITR_AT_MAX];        /* the fire point as it was asked for: "W1", "time", "runtime.main@init" */
    bool debugged;              /* the hosts run under a debugger; at a gate (aim.gate) they do not */
    bool chaos;                 /* which perturbs their scheduling */
    char record[8];             /* the recorder that the hosts run under, "rr"; "": none */
    char watch[ITR_WATCH_MAX];  /* variables it watches, SYMBOL[:SIZE], separated by newlines */
    char skip[520];             /* why the cell is not run: the library has no such point; "": it is run */
    char environment[ITR_ENVIRONMENT_MAX]; /* "K=V" lines, separated by newlines */
    char host[ITR_NAME_MAX * 4];      /* what was run and loaded: names, or paths for ad-hoc runs */
    char library[ITR_NAME_MAX * 4];
    char function[ITR_NAME_MAX];
    char library_hash[20]; /* 64-bit FNV-1a of the file, hex; "" without a library */
    struct itr_aim aim;
    enum itr_event handles; /* the host's handler is installed for it, also where nothing is fired */
    uint32_t host_flags;
    uint32_t handler_flags;
    enum itr_outcome expect;
    struct itr_cell_known known[ITR_CELL_KNOWN_MAX];
    size_t known_count;
    uint64_t deadline_ns;
    uint64_t quiet_ns;
    uint64_t first_trial;
    uint64_t count;     /* planned trials; 0: by time */
    uint64_t init_p50_ns; /* calibrated: load-begin to init-done; 0: not calibrated */
    uint64_t init_p95_ns;
};

/* Bytes that no title is longer than. */
enum { ITR_PLACE_MAX = ITR_AT_MAX + ITR_COMBINATION_TEXT_MAX + 8 };
enum { ITR_TITLE_MAX = 2 * ITR_NAME_MAX + ITR_COMBINATION_TEXT_MAX + ITR_AT_MAX + ITR_ARM_LABEL_MAX + 128 };

/* "sigurg-during-init handler=after at pthread_create#3, go1.19.8, linux" and the like, for people. */
void itr_cell_title(const struct itr_cell *cell, char *out, size_t room);
/* The Go and what changes it, without the digits of a folder: "go1.26.10", "go1.26.10 needm-waits"; of a GOROOT of its own that
 * nothing changes what tells it from the released one, "go1.26.10 my-goroot". */
void itr_cell_go(const struct itr_cell *cell, char *out, size_t room);
/* "sigurg-during-init handler=after / plain-library": the case, the values of its axes, the control. */
void itr_cell_name(const struct itr_cell *cell, char *out, size_t room);
/* "handler=after event=SIGURG"; "" without axes. */
void itr_cell_axes(const struct itr_cell *cell, char out[ITR_COMBINATION_TEXT_MAX]);
/* Where a row of a table is fired, and with what values of its axes: "W1", "time handler=after event=SIGURG"; "no event" where none is. */
void itr_cell_place(const struct itr_cell *cell, char *out, size_t room);
/* The system and, shortly, in what way the hosts run: "linux", "linux dbg", "wine gate", "linux rr". */
void itr_cell_system(const struct itr_cell *cell, char *out, size_t room);

/* Do both say the same of what is run, where and with which Go? Not looked at: counts, measured times, known failures. */
bool itr_cell_is_same(const struct itr_cell *a, const struct itr_cell *b);

/* {"handler": "after"}. New reference; NULL when memory is out. */
json_t *itr_cell_axes_to_json(const struct itr_cell *cell);
/* New reference; NULL when memory is out. */
json_t *itr_cell_to_json(const struct itr_cell *cell);
/* Reads back what itr_cell_to_json() wrote. */
enum itr_status itr_cell_from_json(const json_t *json, struct itr_cell *cell, struct itr_error *err) ITR_MUST_USE;

/* "0x1a2b" as a new string value: how 64-bit values are written. */
json_t *itr_json_hex(uint64_t value);
/* Reads one; false for anything else. */
bool itr_json_from_hex(const json_t *json, uint64_t *value);

#endif
