/* From a stream of bytes to lines: finds where something is worth reading, and where a line ends. What stands around a
 * line's text is triage_unwrap.c's, what the text means triage_facts.c's. */
#include "framework/triage_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUFFER_BYTES = 256 * 1024,
    IDLE_MAX = 256,    /* lines in a row that mean nothing, until only heads are looked for */
    PROBATION = 8,     /* of them when a head was found: it resets the count if it is one */
    LOOK_BACK = 1024,  /* how far the beginning of a head's line is looked for */
    ENDLESS_KEPT = 512, /* of a line without end, behind which it is searched only */
};

struct itr_triage {
    struct itr_facts facts;
    struct itr_wrapping wrapping;
    char *buffer; /* BUFFER_BYTES + ITR_TRIAGE_LINE_MAX */
    size_t filled;
    size_t started; /* so many bytes of a mark were seen; 2: it is decided */
    bool wide;    /* UTF-16, little endian */
    bool odd;     /* `half` waits for its other byte */
    unsigned char half;
    bool idle;    /* only heads are looked for */
    size_t searched; /* when idle: the buffer up to here has no head */
    uint32_t idle_lines;
};

/* One line, without its end. */
static void take_line(struct itr_triage *triage, const char *bytes, size_t count) {
    triage->facts.crash.lines++;
    if (itr_unwrap_line(&triage->wrapping, &triage->facts, bytes, count)) {
        triage->idle_lines = 0;
    } else {
        triage->idle = ++triage->idle_lines >= IDLE_MAX;
    }
    triage->searched = 0;
}

/* ---- the stream ---- */

/* Looks for a head only. Returns how many bytes are done with; the head's line comes next, or nothing is there. What
 * is found does not depend on where the buffer ends: heads near its end wait for more bytes, and what may belong to
 * their line is kept. */
static size_t search(struct itr_triage *triage, const char *bytes, size_t count, bool last) {
    size_t to = last ? count : count > ITR_HEAD_REACH ? count - ITR_HEAD_REACH : 0;
    size_t from = triage->searched < to ? triage->searched : to;
    size_t head = itr_find_head(bytes, from, to, count);
    size_t kept = head < count ? head : to;
    size_t most = head < count ? LOOK_BACK : LOOK_BACK + ITR_HEAD_REACH;
    size_t start = kept;
    while (start > 0 && kept - start < most && bytes[start - 1] != '\n') {
        start--;
    }
    if (head < count) {
        triage->idle = false;
        triage->idle_lines = IDLE_MAX - PROBATION; /* garbage has heads by chance, too */
        return start;
    }
    triage->searched = to - start;
    return last ? count : start;
}

/* Takes the line that begins at `bytes`. Returns its length with its end, 0 if it is not whole yet. */
static size_t step(struct itr_triage *triage, const char *bytes, size_t count, bool last) {
    size_t look = count < ITR_TRIAGE_LINE_MAX ? count : ITR_TRIAGE_LINE_MAX;
    const char *end = memchr(bytes, '\n', look);
    if (end != NULL) {
        take_line(triage, bytes, (size_t)(end - bytes));
        return (size_t)(end - bytes) + 1;
    }
    if (count >= ITR_TRIAGE_LINE_MAX) {
        triage->facts.crash.long_lines++;
        take_line(triage, bytes, ITR_TRIAGE_LINE_MAX);
        triage->idle = true; /* the rest of the line has no frames */
        triage->idle_lines = IDLE_MAX;
        triage->searched = ENDLESS_KEPT - ITR_HEAD_REACH;
        return ITR_TRIAGE_LINE_MAX - ENDLESS_KEPT;
    }
    if (last) {
        take_line(triage, bytes, count);
        return count;
    }
    return 0;
}

static void count_hard(struct itr_triage *triage, const char *bytes, size_t count) {
    struct itr_crash *crash = &triage->facts.crash;
    size_t hard = itr_count_hard(bytes, count);
    if (hard > 0 && crash->hard_bytes == 0) {
        crash->hard_offset = crash->bytes + itr_first_hard(bytes, count);
    }
    crash->hard_bytes += hard;
    crash->bytes += count;
}

/* Works off the buffer, and moves what is left to its beginning. */
static void drain(struct itr_triage *triage, bool last) {
    size_t done = 0;
    while (done < triage->filled) {
        const char *bytes = triage->buffer + done;
        size_t left = triage->filled - done;
        size_t used = triage->idle ? search(triage, bytes, left, last) : step(triage, bytes, left, last);
        if (used == 0 && triage->idle) {
            break; /* the tail of a line, in which nothing was found */
        }
        if (used == 0 && left < ITR_TRIAGE_LINE_MAX && !last && memchr(bytes, '\n', left) == NULL) {
            break; /* a line that goes on */
        }
        done += used;
    }
    memmove(triage->buffer, triage->buffer + done, triage->filled - done);
    triage->filled -= done;
}

static void feed_bytes(struct itr_triage *triage, const char *bytes, size_t count) {
    while (count > 0) {
        size_t room = BUFFER_BYTES + ITR_TRIAGE_LINE_MAX - triage->filled;
        size_t taken = count < room ? count : room;
        memcpy(triage->buffer + triage->filled, bytes, taken);
        triage->filled += taken;
        count_hard(triage, bytes, taken);
        drain(triage, false);
        bytes += taken;
        count -= taken;
    }
}

/* UTF-16 as PowerShell writes it: what is not ASCII becomes '?'. */
static void feed_wide(struct itr_triage *triage, const unsigned char *bytes, size_t count) {
    char narrow[4096];
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (!triage->odd) {
            triage->half = bytes[i];
        } else {
            narrow[filled++] = bytes[i] == 0 && triage->half < 0x80 ? (char)triage->half : '?';
        }
        triage->odd = !triage->odd;
        if (filled == sizeof narrow) {
            feed_bytes(triage, narrow, filled);
            filled = 0;
        }
    }
    feed_bytes(triage, narrow, filled);
}

void itr_triage_feed(struct itr_triage *triage, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    if (triage->started < 2 && count > 0) { /* a mark of UTF-16, be it in two pieces */
        static const unsigned char mark[2] = {0xff, 0xfe};
        while (triage->started < 2 && count > 0 && *p == mark[triage->started]) {
            triage->started++;
            p++;
            count--;
        }
        triage->wide = triage->started == 2;
        if (!triage->wide && count > 0) {
            feed_bytes(triage, (const char *)mark, triage->started);
            triage->started = 2;
        }
    }
    if (triage->wide) {
        feed_wide(triage, p, count);
    } else {
        feed_bytes(triage, (const char *)p, count);
    }
}

enum itr_status itr_triage_answer(struct itr_triage *triage, const struct itr_crash **crash, struct itr_error *err) {
    drain(triage, true);
    itr_facts_end(&triage->facts);
    if (triage->facts.store.no_memory) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory while reading a crash text");
    }
    *crash = &triage->facts.crash;
    return ITR_OK;
}

struct itr_triage *itr_triage_new(void *(*reallocate)(void *, size_t)) {
    void *(*allocate)(void *, size_t) = reallocate != NULL ? reallocate : realloc;
    struct itr_triage *triage = allocate(NULL, sizeof *triage);
    if (triage == NULL) {
        return NULL;
    }
    memset(triage, 0, sizeof *triage);
    triage->buffer = allocate(NULL, BUFFER_BYTES + ITR_TRIAGE_LINE_MAX);
    triage->wrapping.scratch = triage->buffer != NULL ? allocate(NULL, ITR_TRIAGE_LINE_MAX) : NULL;
    itr_facts_begin(&triage->facts, reallocate);
    if (triage->wrapping.scratch == NULL) {
        itr_triage_free(triage);
        return NULL;
    }
    return triage;
}

void itr_triage_free(struct itr_triage *triage) {
    if (triage != NULL) {
        itr_facts_release(&triage->facts);
        free(triage->buffer);
        free(triage->wrapping.scratch);
        free(triage);
    }
}
