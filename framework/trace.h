/* From raw traces of a starting library to its axis: the distinct instructions that every trace has, in
 * the order of their first execution. Sweeps and `locate` count their points on it. It steps nothing and
 * fires nothing. */
#ifndef INITRACE_FRAMEWORK_TRACE_H
#define INITRACE_FRAMEWORK_TRACE_H

#include "framework/error.h"
#include "framework/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_TRACES_MAX = 8,
    ITR_TRACE_STEPS_MAX = 16 * 1024 * 1024, /* of one trace; longer ones are refused: ITR_E_LIMIT */
    ITR_AXIS_POINTS_MAX = 1 << 20, /* distinct instructions of a trace; more: ITR_E_LIMIT */
};

/* The instructions that one thread executed in the library, each as often as it was executed. Borrowed. */
struct itr_trace {
    const uint32_t *rvas;
    size_t count;
};

/* An instruction of the axis. All numbers are of the first trace. */
struct itr_axis_point {
    uint32_t rva;
    uint32_t next; /* rva that was executed right after its first execution (after a call out of the
                       library: where it came back to); 0: none, it was the last */
    uint32_t first; /* index of its first execution */
    uint32_t times; /* executions */
};

/* `{0}` is an empty axis. The owner calls itr_axis_release(). */
struct itr_axis {
    struct itr_axis_point *points; /* by first execution */
    size_t count;
    uint32_t *entries;   /* indices of points at which a function begins, ascending */
    size_t entry_count;  /* 0 when built without an image */
    size_t steps;        /* length of the first trace */
    size_t left_out;     /* distinct instructions of the first trace that another one lacks */
    size_t out_of_order; /* fewest points that must be taken out of each other trace for the rest to
                             come in this order there too, counted once a point */
};

/* Builds the axis of 1 … ITR_TRACES_MAX traces. `image` (may be NULL) tells where functions begin; it is
 * not kept. `reallocate` is for tests of the failing path, NULL: realloc(). ITR_E_USAGE for no traces or
 * too many, ITR_E_LIMIT, ITR_E_NOT_FOUND when the traces have no instruction in common,
 * ITR_E_NO_MEMORY; `*axis` is untouched then. */
ITR_MUST_USE enum itr_status itr_axis_build(struct itr_axis *axis, const struct itr_trace *traces,
                                            size_t count, const struct itr_image *image,
                                            void *(*reallocate)(void *, size_t),
                                            struct itr_error *err);

/* `{0}` and twice are fine. */
void itr_axis_release(struct itr_axis *axis);

/* Name of the function that a point is in (borrowed from the image) and its distance from there. False
 * leaves both untouched. */
bool itr_axis_symbol(const struct itr_axis *axis, const struct itr_image *image, size_t index,
                     const char **name, uint64_t *offset);

/* "runtime.initsig+0x1c (runtime/signal_unix.go:120)", "0x1234" where nothing names it; escaped for a
 * terminal, NUL-terminated when `room` > 0. False when it did not fit. */
bool itr_axis_describe(const struct itr_axis *axis, const struct itr_image *image, size_t index,
                       char *out, size_t room);

/* Index after the last of the points from `index` on that are in the same function without another one
 * between: the strips of a picture. `index` must be on the axis. */
size_t itr_axis_run_end(const struct itr_axis *axis, const struct itr_image *image, size_t index);

#endif
