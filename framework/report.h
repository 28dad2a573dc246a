/* A summary as text for a terminal, JUnit XML and an HTML page. Pure: from the summary to bytes; everything
 * that a host could have chosen is escaped. */
#ifndef INITRACE_FRAMEWORK_REPORT_H
#define INITRACE_FRAMEWORK_REPORT_H

#include "framework/summary.h"
#include "framework/text.h"

/* One table of all cells, then a paragraph for each cell that is not as expected. */
void itr_report_text(struct itr_text *out, const struct itr_summary *summary, bool colour);
void itr_report_junit(struct itr_text *out, const struct itr_summary *summary);
void itr_report_html(struct itr_text *out, const struct itr_summary *summary);

#endif
