/* What a comparison found, as text for a terminal, as Markdown for an issue or a review, and as JSON. Pure: from struct
 * itr_compare and the campaign's summary to bytes, everything escaped. */
#ifndef INITRACE_FRAMEWORK_REPORT_COMPARE_H
#define INITRACE_FRAMEWORK_REPORT_COMPARE_H

#include "framework/compare.h"
#include "framework/text.h"

#define ITR_COMPARE_FORMAT 1

void itr_report_compare(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary);
void itr_report_compare_markdown(struct itr_text *out, const struct itr_compare *compare,
                                 const struct itr_summary *summary);
/* New reference; NULL when memory is out. */
json_t *itr_compare_to_json(const struct itr_compare *compare, const struct itr_summary *summary);

/* "fixed", "fixed; worse elsewhere", "undecided: a control failed (…)". */
void itr_compare_sentence(const struct itr_compare *compare, uint32_t candidate, struct itr_text *out);

#endif
