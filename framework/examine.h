/* From a host that stands still to what is told of it: evidence.json with the first signal, its place and what it points
 * into, threads and signals; registers, mappings and descriptors as texts; a core file. It decides neither when a host
 * stands nor what becomes of the trial. */
#ifndef INITRACE_FRAMEWORK_EXAMINE_H
#define INITRACE_FRAMEWORK_EXAMINE_H

#include "framework/error.h"
#include "platform/snapshot.h"

#include <jansson.h>

#define ITR_EVIDENCE_FORMAT 1

struct itr_examine_request {
    const char *folder;        /* files go there; it is there already */
    uint32_t init_thread;      /* as the host's ledger has it; 0: not known */
    uint64_t core_limit_bytes; /* 0: no core file */
};

/* Looks at the host and writes all but evidence.json, whose object it gives: the trial's end belongs into it too. What
 * could not be had is said in its "missing". A new reference; NULL when memory is out. */
json_t *itr_examine(const struct itrp_snapshot *snapshot, const struct itr_examine_request *request);

/* One line on what the evidence says first: "SIGSEGV (SEGV_MAPERR) at minimal!x+0x1c (x.go:12), init thread, address 0x0
 * (null-page)"; "" where nothing was raised. Escaped for a terminal. */
void itr_examine_headline(const json_t *evidence, char *out, size_t room);

#endif
