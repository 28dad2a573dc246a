/* From what was asked for (cases, points, controls, Go versions) to the list of cells to run. It starts
 * nothing and measures nothing. */
#ifndef INITRACE_FRAMEWORK_SELECT_H
#define INITRACE_FRAMEWORK_SELECT_H

#include "framework/cell.h"
#include "framework/combination.h"
#include "framework/layout.h"

enum { ITR_CELLS_MAX = 8192 };

/* Borrowed strings. `{0}` asks for the case as it is. */
struct itr_selection {
    struct itr_strings at;       /* points; none: the case's own */
    struct itr_strings go;       /* versions or beginnings of versions; none: all that the build knew */
    struct itr_strings go_labels; /* of each of `go` a name for people, "" for none; or none at all */
    const char *arm;             /* label of what changes the Gos' libraries; NULL or "": nothing does */
    struct itr_strings controls; /* names of controls to run too */
    bool all_controls;
    bool only_controls;          /* not the case itself */
    struct itr_strings environment; /* "K=V" over the case's own */
    const char *event;           /* instead of the case's */
    const char *delivery;
    const char *target;
    enum itr_axes_form axes;     /* which combinations of a case's axes; controls are run in the base one alone, but for those */
                                 /* that say otherwise */
    struct itr_strings axis;     /* "NAME=VALUE,VALUE": of these values alone; with ITR_AXES_BASE one of each */
    uint64_t count;
    uint64_t control_count;      /* 0: as count */
    bool has_window;             /* --window: instead of calibrating */
    uint64_t window_from_ns;
    uint64_t window_to_ns;
    uint64_t deadline_ns;        /* 0: the case's */
    uint64_t hold_ns;            /* used if has_hold */
    bool has_hold;
    bool no_exception_record;
    enum itr_sweep_kind sweep;        /* instead of points: one after the other of a traced thread's */
    enum itr_role sweep_thread;
    bool chaos;
    bool gate;                   /* exact points are fired at by the host's gate, not by a debugger */
    const char *record;          /* run the hosts under this recorder; NULL: under none */
    struct itr_strings watch;    /* SYMBOL[:SIZE] */
};

/* A growing list of cells. `{0}` is empty; free `items`. */
struct itr_cells {
    struct itr_cell *items;
    size_t count;
};

/* Adds the cells of a case. ITR_E_UNSUPPORTED if the case is not for this system; ITR_E_USAGE, naming the
 * option, for what does not fit; ITR_E_LIMIT beyond ITR_CELLS_MAX. A combination other than the base that cannot be fired at a
 * point here is a cell that is skipped, with the reason. Trial numbers follow on those of the cells before. */
enum itr_status itr_select(struct itr_cells *cells, const struct itr_case *c, const struct itr_selection *selection,
                           const struct itr_layout *layout, struct itr_error *err) ITR_MUST_USE;

/* True if a case can be run on this system at all; `why` (one line) says what is missing. */
bool itr_case_runs_here(const struct itr_case *c, char *why, size_t room);

/* How many combinations of the case's axes there are on this system in that form; 1 without axes, 0 where memory is refused. */
size_t itr_case_combinations_here(const struct itr_case *c, enum itr_axes_form form);

#endif
