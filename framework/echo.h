/* Lines of hosts' output that another program waits for, such as the match lines that Go's bisect reads: those with a marker
 * in them, each once, escaped. Bytes in, text out; it prints nothing. */
#ifndef INITRACE_FRAMEWORK_ECHO_H
#define INITRACE_FRAMEWORK_ECHO_H

#include "framework/capture.h"
#include "framework/text.h"

enum {
    ITR_ECHO_LINES_MAX = 16384,     /* different ones; of further ones it is said once that there were more */
    ITR_ECHO_LINE_BYTES_MAX = 2048, /* of a line; the rest is cut off */
};

/* What Go's bisect looks for. */
#define ITR_ECHO_BISECT_MATCH "[bisect-match 0x"

/* `{.marker = TEXT}` is empty; the owner calls itr_echo_release(). */
struct itr_echo {
    const char *marker;
    uint64_t *seen; /* hashes of lines, 0: free */
    size_t count;
    bool full; /* said so */
};

/* Appends the lines of the stream that are new. Where the stream's middle was not kept, neither of the lines at its edges
 * is whole, and they are left out. */
void itr_echo_take(struct itr_echo *echo, const struct itr_capture *capture, struct itr_text *out);
void itr_echo_release(struct itr_echo *echo);

#endif
