/* A matrix as text for a terminal, as Markdown for a README or an issue, and as JSON. Pure: from struct itr_matrix and its summary to
 * bytes, everything that a host or a person could have chosen escaped. */
#ifndef INITRACE_FRAMEWORK_REPORT_MATRIX_H
#define INITRACE_FRAMEWORK_REPORT_MATRIX_H

#include "framework/matrix.h"
#include "framework/text.h"

#define ITR_MATRIX_FORMAT 1

/* `width`: columns of the terminal; versions that do not fit go below. 0: all side by side. */
void itr_report_matrix(struct itr_text *out, const struct itr_matrix *matrix, const struct itr_summary *summary, int width);
void itr_report_matrix_markdown(struct itr_text *out, const struct itr_matrix *matrix, const struct itr_summary *summary);
/* New reference; NULL when memory is out. */
json_t *itr_matrix_to_json(const struct itr_matrix *matrix, const struct itr_summary *summary);

#endif
