/* From facts to one outcome, a signature and a detail. Pure: it reads an observation and the symbols of
 * the modules in it. It counts nothing and knows no expectations. */
#ifndef INITRACE_FRAMEWORK_CLASSIFY_H
#define INITRACE_FRAMEWORK_CLASSIFY_H

#include "framework/image.h"
#include "framework/observe.h"
#include "framework/outcome.h"
#include "framework/plan.h"
#include "framework/provenance.h"

enum {
    ITR_SIGNATURE_MAX = 240,
    ITR_DETAIL_MAX = 480,
    ITR_LOCATION_MAX = 200,
};

/* A module a PC may lie in. Borrowed. */
struct itr_module {
    const char *name;              /* file name without folder and suffix */
    const struct itr_image *image; /* NULL: no symbols could be read */
    uint64_t base;                 /* 0: as the ledger says, or not known */
};

struct itr_modules {
    struct itr_module library;
    struct itr_module host;
};

/* The signature groups the same failure across runs, machines and rebuilds: it has no raw address, no
 * count and no file offset. The detail has those. Both are one line, escaped for a terminal; both are
 * empty for `delivered`. */
struct itr_classification {
    enum itr_outcome outcome;
    char signature[ITR_SIGNATURE_MAX];
    char detail[ITR_DETAIL_MAX];
    /* Of the garbage on standard error, else on standard output: image 0 is the library, 1 the host. */
    struct itr_provenance provenance;
};

enum { ITR_PROVENANCE_LIBRARY, ITR_PROVENANCE_HOST, ITR_PROVENANCE_IMAGES };

void itr_classify(const struct itr_plan *plan, const struct itr_observation *seen,
                  const struct itr_modules *modules, struct itr_classification *result);

/* "module!symbol" of an exception's PC, with "+0xoffset" if `with_offset`; "module" or "unknown" where
 * there is no symbol. */
void itr_locate_pc(const struct itr_modules *modules, const struct itr_ledger_reply *reply,
                   const struct itr_exception *exception, bool with_offset, char *out, size_t room);

/* Name of what a debugger saw: "SIGSEGV", "ACCESS_VIOLATION"; static or thread-local storage. */
const char *itr_fault_name(const struct itrp_debug_fault *fault);

/* First recorded exception that is an error or a warning by its code (not a debugger's message), NULL if
 * there is none. */
const struct itr_exception *itr_first_exception(const struct itr_ledger_reply *reply);

/* Shape of all recorded exceptions: "AV+INT3*" is one access violation, then breakpoints without number. */
void itr_exception_shape(const struct itr_ledger_reply *reply, char *out, size_t room);

#endif
