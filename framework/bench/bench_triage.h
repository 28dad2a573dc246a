/* How fast triage reads, and how much memory it takes. Prints figures and judges none. */
#ifndef INITRACE_FRAMEWORK_BENCH_TRIAGE_H
#define INITRACE_FRAMEWORK_BENCH_TRIAGE_H

#include "framework/error.h"

#include <stdint.h>

/* Reads so many MiB of each kind of text. */
enum itr_status itr_bench_triage(uint64_t mib, struct itr_error *err) ITR_MUST_USE;

#endif
