/* The text of a source file as lines: where a function and where some lines of it are, and the text with lines taken out
 * and put in. It opens no file and knows nothing of recipes or patches. */
#ifndef INITRACE_FRAMEWORK_SOURCE_TEXT_H
#define INITRACE_FRAMEWORK_SOURCE_TEXT_H

#include "framework/error.h"
#include "framework/text.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ITR_SOURCE_BYTES_MAX = 4 << 20, /* of one file, before and after */
    ITR_SOURCE_PLACES_MAX = 5,      /* line numbers that a sentence names */
};

/* Borrowed bytes, no NUL after them. */
struct itr_span {
    const char *bytes;
    size_t length;
};

/* `{0}` is empty. Borrows name and text; the owner calls itr_source_release(). Lines count from 0 here, from 1 in
 * sentences; ranges of lines go from `first` to before `end`. */
struct itr_source {
    const char *name;
    const char *bytes;
    size_t count;
    struct itr_span *lines; /* without their ends */
    size_t line_count;
    bool crlf; /* the first line ends so, and lines that are put in will */
};

/* Lines put in before line `first`, in place of `removed` lines (may be 0). */
struct itr_line_edit {
    size_t first;
    size_t removed;
    const struct itr_span *lines;
    size_t count;
    struct itr_span indent; /* before each line that is not blank */
    bool follows;           /* belongs to the line before it: of two at one place it comes first */
    unsigned order;         /* then the lower one */
};

/* How lines are compared. */
enum itr_line_compare {
    ITR_LINES_TRIMMED, /* white space at both ends does not count */
    ITR_LINES_EXACT,   /* all but the line's end does */
};

/* A path that can stand below a folder on every system: no "..", nothing absolute, no "\", ":" or control. */
bool itr_source_path_is_safe(const char *path, size_t length);

/* ITR_E_LIMIT, ITR_E_NO_MEMORY. */
enum itr_status itr_source_split(struct itr_source *source, const char *name, const void *bytes, size_t count,
                                 struct itr_error *err) ITR_MUST_USE;
void itr_source_release(struct itr_source *source);

/* How many functions of that name ("needm", "sigctxt.rax") the file has; of the first, the lines from its head to its
 * closing brace, as gofmt lays them out. In a file NAME.s: from its TEXT line to the next. */
size_t itr_source_function(const struct itr_source *source, struct itr_span name, size_t *first, size_t *end);

/* How often the lines are found one after the other between `first` and `end`; the first of those places go to
 * `places`. `borders` is room for `count` numbers. */
size_t itr_source_find(const struct itr_source *source, size_t first, size_t end, const struct itr_span *lines,
                       size_t count, enum itr_line_compare compare, size_t *borders,
                       size_t places[ITR_SOURCE_PLACES_MAX]);
/* Are they at just that line? */
bool itr_source_matches(const struct itr_source *source, size_t first, const struct itr_span *lines, size_t count,
                        enum itr_line_compare compare);

/* "3 times (lines 12, 40 and 77)", "0 times": what itr_source_find() gave, for a sentence. */
void itr_source_times(size_t found, const size_t places[ITR_SOURCE_PLACES_MAX], char *out, size_t room);

/* White space at the beginning of a line. */
struct itr_span itr_source_indent(struct itr_span line);
/* Without white space at both ends. */
struct itr_span itr_source_trim(struct itr_span line);

/* Sorts the edits, which do not overlap, and makes the new text. `open_end`: its last line shall have no end.
 * ITR_E_LIMIT, ITR_E_NO_MEMORY; `text` is the caller's to release, also then. */
enum itr_status itr_source_rewrite(const struct itr_source *source, struct itr_line_edit *edits, size_t count,
                                   bool open_end, struct itr_text *text, struct itr_error *err) ITR_MUST_USE;

#endif
