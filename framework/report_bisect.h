/* What a bisection found, as text for a terminal, as Markdown for an issue or a review, and as JSON. Pure: from struct
 * itr_bisection to bytes, everything escaped. */
#ifndef INITRACE_FRAMEWORK_REPORT_BISECT_H
#define INITRACE_FRAMEWORK_REPORT_BISECT_H

#include "framework/bisection.h"
#include "framework/text.h"

#include <jansson.h>

void itr_report_bisect(struct itr_text *out, const struct itr_bisection *bisection);
void itr_report_bisect_markdown(struct itr_text *out, const struct itr_bisection *bisection);
/* New reference; NULL when memory is out. */
json_t *itr_bisection_to_json(const struct itr_bisection *bisection);

/* "the failure rate changes at go1.24.4 (chance 99.6 %): …". */
void itr_bisection_sentence(const struct itr_bisection *bisection, struct itr_text *out);
/* "5 of 47: 10.6 % [3.55, 23.1]", "0 of 47: at most 6.17 %", at 95 %. */
void itr_bisection_rate(uint64_t hits, uint64_t trials, struct itr_text *out);
/* "change", "rise", "drop". */
const char *itr_bisection_change_name(enum itr_bisect_change change);

#endif
