/* From a stream of bytes to lines, and to each line without what stands around it: line ends, logs' prefixes,
 * test output's indentation, JSON, garbage. What the lines mean is triage_facts.c's. */
#include "framework/triage_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    BUFFER_BYTES = 256 * 1024,
    IDLE_MAX = 256,    /* lines in a row that mean nothing, until only heads are looked for */
    PROBATION = 8,     /* of them when a head was found: it resets the count if it is one */
    LOOK_BACK = 1024,  /* how far the beginning of a head's line is looked for */
    ENDLESS_KEPT = 512, /* of a line without end, while nothing is found in it */
    PREFIX_MAX = 128,
};

struct itr_triage {
    struct itr_facts facts;
    char *buffer; /* BUFFER_BYTES + ITR_TRIAGE_LINE_MAX */
    char *scratch; /* ITR_TRIAGE_LINE_MAX: a line taken out of its quotes */
    size_t filled;
    size_t started; /* so many bytes of a mark were seen; 2: it is decided */
    bool wide;    /* UTF-16, little endian */
    bool odd;     /* `half` waits for its other byte */
    unsigned char half;
    bool idle;    /* only heads are looked for */
    uint32_t idle_lines;
    char prefix[PREFIX_MAX]; /* what stood before the last head */
    size_t prefix_length;
};

/* ---- one line ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Length of `text`'s beginning that is the prefix, numbers in it being any numbers; 0 if it has another one. */
static size_t prefixed(const struct itr_triage *triage, const char *text, size_t count) {
    size_t at = 0;
    for (size_t i = 0; i < triage->prefix_length;) {
        if (is_digit(triage->prefix[i])) {
            if (at == count || !is_digit(text[at])) {
                return 0;
            }
            while (i < triage->prefix_length && is_digit(triage->prefix[i])) {
                i++;
            }
            while (at < count && is_digit(text[at])) {
                at++;
            }
        } else if (at < count && text[at] == triage->prefix[i]) {
            i++;
            at++;
        } else {
            break;
        }
        if (i == triage->prefix_length) {
            return at;
        }
    }
    /* An empty line behind a prefix has lost its trailing blanks. */
    return at == count ? at : 0;
}

/* Takes the line without white space around it. */
static bool take(struct itr_triage *triage, const char *text, size_t count) {
    while (count > 0 && is_blank(text[0])) {
        text++;
        count--;
    }
    while (count > 0 && is_blank(text[count - 1])) {
        count--;
    }
    return itr_facts_line(&triage->facts, text, count);
}

/* Colours and the like: ESC [ … letter. */
static size_t without_escapes(char *out, const char *text, size_t count) {
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (text[i] != '\x1b') {
            out[filled++] = text[i];
            continue;
        }
        if (i + 1 < count && text[i + 1] == '[') {
            i += 2;
            while (i < count && (unsigned char)text[i] < 0x40) {
                i++;
            }
        }
    }
    return filled;
}

static int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A JSON string's contents up to its closing quote; what is not ASCII stays as it is in \u form's place: '?'. */
static size_t unquote(char *out, const char *text, size_t count) {
    size_t filled = 0;
    for (size_t i = 0; i < count && text[i] != '"'; i++) {
        char c = text[i];
        if (c != '\\' || i + 1 == count) {
            out[filled++] = c;
            continue;
        }
        c = text[++i];
        if (c == 'u' && count - i > 4) {
            int value = 0;
            for (int k = 1; k <= 4 && value >= 0; k++) {
                int digit = hex_value(text[i + (size_t)k]);
                value = digit < 0 ? -1 : value << 4 | digit;
            }
            i += 4;
            out[filled++] = value > 0 && value < 0x80 ? (char)value : '?';
        } else {
            out[filled++] = c == 'n' ? '\n' : c == 't' ? '\t' : c == 'r' ? '\r' : c;
        }
    }
    while (filled > 0 && out[filled - 1] == '\n') {
        filled--;
    }
    return filled;
}

/* The name in a JSON field, for `go test -json`. */
static void take_field(struct itr_triage *triage, const char *text, size_t count, const char *key, bool is_test) {
    const char *found = itr_find_in(text, count, key);
    if (found != NULL) {
        const char *name = found + strlen(key);
        const char *end = memchr(name, '"', (size_t)(text + count - name));
        if (end != NULL) {
            itr_facts_test(&triage->facts, is_test, name, (size_t)(end - name));
        }
    }
}

/* As it is, without the prefix, or from a head in it. */
static bool take_plain(struct itr_triage *triage, const char *text, size_t count, bool in_garbage) {
    size_t skip = triage->prefix_length > 0 ? prefixed(triage, text, count) : 0;
    if (skip > 0 && take(triage, text + skip, count - skip)) {
        return true;
    }
    if (take(triage, text, count)) {
        return true;
    }
    size_t head = itr_find_report(text, count);
    if (head == 0 || head == count) {
        return false;
    }
    unsigned char before = (unsigned char)text[head - 1];
    bool word = (before >= 'a' && before <= 'z') || (before >= 'A' && before <= 'Z') || before == '_';
    if (word && !in_garbage) {
        return false;
    }
    if (!take(triage, text + head, count - head)) {
        return false;
    }
    triage->prefix_length = head < PREFIX_MAX ? head : 0;
    memcpy(triage->prefix, text, triage->prefix_length);
    return true;
}

/* A line of `go test -json`, or of anything else that has an output in quotes, behind any prefix. */
static const char *quoted_output(const char *text, size_t count) {
    static const char key[] = "\"Output\":\"";
    const char *output = memchr(text, '{', count) != NULL ? itr_find_in(text, count, key) : NULL;
    return output != NULL ? output + sizeof key - 1 : NULL;
}

/* Text without hard bytes. */
static bool take_text(struct itr_triage *triage, const char *text, size_t count, bool in_garbage) {
    const char *output = quoted_output(text, count);
    if (output == NULL) {
        return take_plain(triage, text, count, in_garbage);
    }
    size_t length = unquote(triage->scratch, output, (size_t)(text + count - output));
    bool known = take_plain(triage, triage->scratch, length, false);
    if (known) {
        take_field(triage, text, (size_t)(output - text), "\"Package\":\"", false);
        take_field(triage, text, (size_t)(output - text), "\"Test\":\"", true);
    }
    return known;
}

static size_t first_hard(const char *bytes, size_t count) {
    size_t first = 0;
    while (first < count && !itr_is_hard((unsigned char)bytes[first])) {
        first++;
    }
    return first;
}

/* Between two hard bytes there may be a line. */
static bool take_pieces(struct itr_triage *triage, const char *bytes, size_t count) {
    bool known = false;
    size_t start = 0;
    for (size_t i = 0; i <= count; i++) {
        if (i == count || itr_is_hard((unsigned char)bytes[i])) {
            if (i - start >= 6) {
                known = take_text(triage, bytes + start, i - start, true) || known;
            }
            start = i + 1;
        }
    }
    return known;
}

/* Kinds of bytes that a line has. */
enum { HAS_HARD = 1, HAS_HIGH = 2, HAS_ESCAPE = 4 };

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte of `word` that is 0. */
static uint64_t zero_bytes(uint64_t word) {
    return ~(((word & EACH(0x7f)) + EACH(0x7f)) | word | EACH(0x7f));
}

static uint64_t eight(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static unsigned kind_of(unsigned char c) {
    return c >= 0x80 ? HAS_HIGH : c == 0x1b ? HAS_ESCAPE : itr_is_hard(c) ? HAS_HARD : 0;
}

static unsigned kinds_in(const char *bytes, size_t count) {
    unsigned kinds = 0;
    size_t i = 0;
    while (i < count && bytes[i] == '\t') {
        i++;
    }
    while (i < count) {
        size_t most = count - i < 8 ? count - i : 8;
        uint64_t word = most == 8 ? eight(bytes + i) : 0;
        /* Nearly always: eight printable characters at a time. */
        if (most < 8 || (word & EACH(0x80)) != 0 || zero_bytes(word & EACH(0xe0)) != 0 ||
            zero_bytes(word ^ EACH(0x7f)) != 0) {
            for (size_t k = 0; k < most; k++) {
                kinds |= kind_of((unsigned char)bytes[i + k]);
            }
        }
        i += most;
    }
    return kinds;
}

/* One line, without its end. */
static void take_line(struct itr_triage *triage, const char *bytes, size_t count) {
    bool known;
    triage->facts.crash.lines++;
    if (count > 0 && bytes[count - 1] == '\r') {
        count--;
    }
    unsigned kinds = kinds_in(bytes, count);
    if ((kinds & HAS_HARD) != 0) {
        known = take_pieces(triage, bytes, count);
    } else if ((kinds & HAS_ESCAPE) != 0) {
        char plain[2048];
        size_t kept = count < sizeof plain ? count : sizeof plain;
        kept = without_escapes(plain, bytes, kept);
        known = take_text(triage, plain, kept, false);
    } else {
        known = take_text(triage, bytes, count, (kinds & HAS_HIGH) != 0);
    }
    if (known) {
        triage->idle_lines = 0;
    } else {
        triage->idle = ++triage->idle_lines >= IDLE_MAX;
    }
}

/* ---- the stream ---- */

/* Looks for a head only. Returns how many bytes are done with; the head's line comes next, or nothing is there. */
static size_t search(struct itr_triage *triage, const char *bytes, size_t count, bool last) {
    size_t head = itr_find_report(bytes, count);
    if (head < count) {
        size_t start = head;
        while (start > 0 && head - start < LOOK_BACK && bytes[start - 1] != '\n') {
            start--;
        }
        triage->idle = false;
        triage->idle_lines = IDLE_MAX - PROBATION; /* garbage has heads by chance, too */
        return start;
    }
    if (last) {
        return count;
    }
    /* The last line may go on. */
    size_t kept = 0;
    while (kept < count && kept < ENDLESS_KEPT && bytes[count - kept - 1] != '\n') {
        kept++;
    }
    return count - kept;
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
        return ITR_TRIAGE_LINE_MAX - ENDLESS_KEPT;
    }
    if (last) {
        take_line(triage, bytes, count);
        return count;
    }
    return 0;
}

/* How many of eight bytes are hard. */
static size_t hard_of_eight(uint64_t word) {
    uint64_t low = zero_bytes(word & EACH(0xe0));
    uint64_t seven = word & EACH(0x7f);
    uint64_t from_7 = seven + EACH(0x80 - 7);
    uint64_t from_14 = seven + EACH(0x80 - 14);
    uint64_t hard = (low & ~(from_7 & ~from_14) & ~zero_bytes(word ^ EACH(0x1b))) | zero_bytes(word ^ EACH(0x7f));
    return (size_t)((hard >> 7) * EACH(1) >> 56);
}

static void count_hard(struct itr_triage *triage, const char *bytes, size_t count) {
    struct itr_crash *crash = &triage->facts.crash;
    size_t hard = 0;
    size_t i = 0;
    for (; count - i >= 8; i += 8) {
        hard += hard_of_eight(eight(bytes + i));
    }
    for (; i < count; i++) {
        hard += itr_is_hard((unsigned char)bytes[i]) ? 1 : 0;
    }
    if (hard > 0 && crash->hard_bytes == 0) {
        crash->hard_offset = crash->bytes + first_hard(bytes, count);
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
    triage->scratch = triage->buffer != NULL ? allocate(NULL, ITR_TRIAGE_LINE_MAX) : NULL;
    itr_facts_begin(&triage->facts, reallocate);
    if (triage->scratch == NULL) {
        itr_triage_free(triage);
        return NULL;
    }
    return triage;
}

void itr_triage_free(struct itr_triage *triage) {
    if (triage != NULL) {
        itr_facts_release(&triage->facts);
        free(triage->buffer);
        free(triage->scratch);
        free(triage);
    }
}
