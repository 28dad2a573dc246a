/* The answer about a crash text as text for people, as JSON and as a rule for Go's watchflakes. Pure: from the
 * answer to bytes; everything that the text chose is escaped. */
#ifndef INITRACE_FRAMEWORK_REPORT_TRIAGE_H
#define INITRACE_FRAMEWORK_REPORT_TRIAGE_H

#include "framework/known.h"
#include "framework/text.h"
#include "framework/triage.h"

#include <jansson.h>

/* `known` may be NULL: none fits. */
void itr_triage_text(struct itr_text *out, const struct itr_crash *crash, const struct itr_known_failure *known,
                     bool colour);
/* All fields; NULL: out of memory. Without `reading`, those that say how the text was wrapped are left out. */
json_t *itr_triage_json(const struct itr_crash *crash, const struct itr_known_failure *known, bool reading);
/* A rule that matches the text and others of the same failure. False: there is nothing to make one of. */
bool itr_triage_watchflakes(struct itr_text *out, const struct itr_crash *crash);

/* A known failure, for lists. */
json_t *itr_known_json(const struct itr_known_failure *known);
void itr_known_text(struct itr_text *out, const struct itr_known_failure *known);

#endif
