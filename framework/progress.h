/* How a campaign tells a person that it goes on: a line redrawn on a terminal, a line now and then
 * elsewhere. On standard error only. */
#ifndef INITRACE_FRAMEWORK_PROGRESS_H
#define INITRACE_FRAMEWORK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct itr_progress {
    bool on;
    bool terminal;
    bool drawn; /* a line is on the terminal that must be wiped before other text */
    uint64_t begin_ns;
    uint64_t last_ns;
};

struct itr_progress_state {
    uint64_t done;
    uint64_t total; /* 0: by time */
    uint64_t failures;
    const char *title; /* what runs now */
};

void itr_progress_begin(struct itr_progress *progress, bool on);
/* Call about five times a second. */
void itr_progress_show(struct itr_progress *progress, const struct itr_progress_state *state);
/* Wipes the line. */
void itr_progress_end(struct itr_progress *progress);

#endif
