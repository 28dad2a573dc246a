/* Recognises one line of a report of Go's race detector. */
#include "framework/triage_parts.h"

#include <string.h>

/* "Previous atomic write at 0x… by goroutine 7:", "Read at 0x… by main goroutine:", "Write by goroutine 3:" (Go 1.1 to 1.4) */
static bool read_access(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    itr_skip(&at, "Previous ");
    itr_skip(&at, "Atomic ");
    itr_skip(&at, "atomic ");
    bool read = itr_skip(&at, "Read ") || itr_skip(&at, "read ");
    bool write = !read && (itr_skip(&at, "Write ") || itr_skip(&at, "write "));
    if ((!read && !write) || at.end[-1] != ':') {
        return false;
    }
    const char *by = itr_find_in(at.p - 1, (size_t)(at.end - at.p) + 1, " by ");
    const char *place = itr_find_in(at.p, (size_t)(at.end - at.p), "at 0x");
    if (by == NULL || (place == NULL && by >= at.p)) {
        return false;
    }
    struct itr_cursor number = {place != NULL ? place + 3 : at.end, at.end};
    line->has |= itr_skip_hex(&number, &line->address) ? ITR_HAS_ADDRESS : 0;
    line->state = (struct itr_slice){read ? "read" : "write", read ? 4 : 5};
    number.p = by + 4;
    if (itr_skip(&number, "goroutine ") && itr_skip_number(&number, &line->number)) {
        line->has |= ITR_HAS_NUMBER;
    } else if (itr_skip(&number, "main goroutine")) {
        line->number = 1;
        line->has |= ITR_HAS_NUMBER;
    }
    line->kind = ITR_LINE_RACE_ACCESS;
    return true;
}

/* "Goroutine 7 (running) created at:" */
static bool read_created(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "Goroutine ") || !itr_skip_number(&at, &line->number) || !itr_skip(&at, " (") ||
        itr_find_in(at.p, (size_t)(at.end - at.p), ") created at:") == NULL) {
        return false;
    }
    line->has |= ITR_HAS_NUMBER;
    line->kind = ITR_LINE_RACE_CREATED;
    return true;
}

bool itr_read_race(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (itr_skip(&at, "WARNING: DATA RACE")) {
        line->kind = ITR_LINE_RACE;
    } else if (!read_access(line, text, count) && !read_created(line, text, count)) {
        return false;
    }
    line->dialect = ITR_DIALECT_RACE;
    return true;
}
