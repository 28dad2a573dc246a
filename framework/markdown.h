/* Untrusted text in Markdown as GitHub and others read it: as words, also in a table, and as code. It lays nothing out. */
#ifndef INITRACE_FRAMEWORK_MARKDOWN_H
#define INITRACE_FRAMEWORK_MARKDOWN_H

#include "framework/text.h"

/* Appends the text in one line, made harmless as for a terminal, with a backslash before every sign that could be markup or end a
 * table's cell. Names of people (@name) and numbers of issues (#1) stay what they are to who reads them so: for text that a host
 * chose use the other. Both false: not all of it went in. */
bool itr_markdown_add(struct itr_text *out, const char *text);

/* Appends it as a code span, in which nothing is markup, mention or link; `in_table`: a bar, which ends a table's cell also there, gets
 * a backslash, which the table takes away again. */
bool itr_markdown_code(struct itr_text *out, const char *text, bool in_table);

#endif
