/* Traces a starting thread of a cell's host: a few debugged trials without a shot, in which every instruction
 * of that thread is stepped. What the trials have in common is the axis that sweeps fire along. */
#ifndef INITRACE_FRAMEWORK_TRACER_H
#define INITRACE_FRAMEWORK_TRACER_H

#include "framework/trace.h"
#include "framework/work.h"

enum { ITR_TRACES = 2 }; /* one only where stepping is slow (itrp_capabilities) */

/* Traces `role`'s thread of the cell and makes the axis, which the caller gives to itr_axis_release() and free(). ITR_E_NOT_FOUND where no such
 * thread ran in the library. All traces run at the same time, each in a folder of its own below `directory`. The hosts run with GODEBUG's asyncpreemptoff=1 added: a thread that is stepped is
 * slow, and would be interrupted all the time for it. */
enum itr_status itr_trace_cell(struct itr_axis **axis, const struct itr_work *work, const struct itr_cell *cell,
                               enum itr_role role, const char *directory, struct itr_error *err) ITR_MUST_USE;

#endif
