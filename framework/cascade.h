/* The cascade of a debugged host's faults: the first ones and the last one as they were, and all of them as runs of the
 * same one, so that a recursion is one run with its count. Whoever sees a fault adds it; nothing is judged here. */
#ifndef INITRACE_FRAMEWORK_CASCADE_H
#define INITRACE_FRAMEWORK_CASCADE_H

#include "platform/debug.h"

/* Counts a fault in the report. */
void itr_cascade_add(struct itrp_debug_report *report, const struct itrp_debug_fault *fault);

/* "SIGSEGV+SIGABRT", "ACCESS_VIOLATION+BREAKPOINT*": what came after what, by name; * stands for
 * repeats, "+..." at the end for what the report has no room for. At most `room` - 1 bytes; "" where there was none. */
void itr_cascade_shape(const struct itrp_debug_report *report, char *out, size_t room);

#endif
