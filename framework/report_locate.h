/* What a search found, as text for a terminal, as JSON, and as a picture. Pure: from struct itr_located to
 * bytes, everything escaped. */
#ifndef INITRACE_FRAMEWORK_REPORT_LOCATE_H
#define INITRACE_FRAMEWORK_REPORT_LOCATE_H

#include "framework/locate.h"
#include "framework/text.h"

/* One paragraph. `picture` is its file's path, NULL: there is none. */
void itr_report_located(struct itr_text *out, const struct itr_located *located, const struct itr_summary *summary,
                        const char *picture);
/* New reference; NULL when memory is out. */
json_t *itr_located_to_json(const struct itr_located *located, const struct itr_summary *summary, const char *picture);
/* An SVG document. */
void itr_located_picture(struct itr_text *out, const struct itr_located *located, const struct itr_summary *summary);

#endif
