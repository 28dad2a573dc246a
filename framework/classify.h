/* From facts to one outcome, a signature and a detail. Pure: it reads an observation and the symbols of
 * the modules in it. It counts nothing and knows no expectations. */
#ifndef INITRACE_FRAMEWORK_CLASSIFY_H
#define INITRACE_FRAMEWORK_CLASSIFY_H

#include "framework/exceptions.h"
#include "framework/image.h"
#include "framework/observe.h"
#include "framework/outcome.h"
#include "framework/plan.h"
#include "framework/provenance.h"

enum {
    ITR_SIGNATURE_MAX = 240,
    ITR_DETAIL_MAX = 480,
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

#endif
