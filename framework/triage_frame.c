/* Recognises the lines of a stack that a Go runtime prints: its heading, its functions and their places, who made the
 * goroutine. Whose frames those are together is triage_stacks.c's. */
#include "framework/triage_parts.h"

#include <string.h>

/* ---- goroutines ---- */

/* "chan receive, 5 minutes, locked to thread": the first part is the state. */
static void read_state(struct itr_line *line, const char *text, size_t count) {
    const char *end = text + count;
    bool first = true;
    while (text < end) {
        const char *comma = itr_find_in(text, (size_t)(end - text), ", ");
        const char *stop = comma != NULL ? comma : end;
        struct itr_cursor at = {text, stop};
        uint64_t minutes;
        if (first) {
            line->state = (struct itr_slice){text, (size_t)(stop - text)};
        } else if (itr_skip_number(&at, &minutes) && itr_skip(&at, " minute")) {
            line->minutes = minutes;
            line->has |= ITR_HAS_MINUTES;
        } else if (itr_begins(text, (size_t)(stop - text), "locked to thread")) {
            line->locked = true;
        }
        first = false;
        text = comma != NULL ? comma + 2 : end;
    }
}

/* "goroutine 1 gp=0x… m=0 mp=0x… [running, locked to thread]:" */
bool itr_read_goroutine(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    uint64_t ignored;
    if (!itr_skip(&at, "goroutine ") || !itr_skip_number(&at, &line->number)) {
        return false;
    }
    while (itr_skip(&at, " ") && at.p < at.end && *at.p != '[') {
        if (itr_skip(&at, "m=")) {
            line->has |= itr_skip_number(&at, &line->m) ? ITR_HAS_M : 0;
            itr_skip(&at, "nil");
        } else if (itr_skip(&at, "gp=") || itr_skip(&at, "mp=")) {
            itr_skip_hex(&at, &ignored);
            itr_skip(&at, "nil");
        } else {
            return false;
        }
    }
    if (!itr_skip(&at, "[")) {
        return false;
    }
    const char *close = memchr(at.p, ']', (size_t)(at.end - at.p));
    if (close == NULL) {
        return false;
    }
    read_state(line, at.p, (size_t)(close - at.p));
    line->has |= ITR_HAS_NUMBER;
    line->kind = ITR_LINE_GOROUTINE;
    return true;
}

/* "created by main.main in goroutine 1" */
bool itr_read_created_by(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "created by ")) {
        return false;
    }
    const char *in = itr_find_in(at.p, (size_t)(at.end - at.p), " in goroutine ");
    const char *stop = in != NULL ? in : at.end;
    line->name = (struct itr_slice){at.p, (size_t)(stop - at.p)};
    if (in != NULL) {
        at.p = in + strlen(" in goroutine ");
        line->has |= itr_skip_number(&at, &line->number) ? ITR_HAS_NUMBER : 0;
    }
    line->kind = ITR_LINE_CREATED_BY;
    return line->name.length > 0;
}

/* ---- frames ---- */

/* Bytes that a function's name may have: Go's, C's, and what is not ASCII. */
static bool in_name(unsigned char byte) {
    static const unsigned char no[256] = {['"'] = 1, ['\''] = 1, ['`'] = 1, [';'] = 1, ['!'] = 1,  ['?'] = 1,
                                          ['#'] = 1, ['&'] = 1,  ['^'] = 1, ['|'] = 1, ['\\'] = 1, [0x7f] = 1};
    return byte > 0x20 && no[byte] == 0;
}

bool itr_is_name(const char *text, size_t count) {
    for (size_t i = 0; i < count;) {
        size_t length = (unsigned char)text[i] < 0x80 ? 1 : itr_utf8_length(text + i, count - i, NULL);
        if (length == 0 || (unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
        i += length;
    }
    return count > 0;
}

/* "pkg.(*T).f(0x1, {0x2, 0x3})": arguments have no parentheses, so the last one opens them. Delve's own stacks have
 * the PC there: "pkg.f (0x42f181)". */
bool itr_read_function(struct itr_line *line, const char *text, size_t count) {
    size_t open = count;
    unsigned char first = (unsigned char)text[0];
    bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_' || first >= 0x80;
    if (count < 3 || text[count - 1] != ')' || !letter) {
        return false;
    }
    while (open > 0 && text[open - 1] != '(') {
        open--;
    }
    if (open < 2) {
        return false;
    }
    size_t length = open - 1;
    if (text[length - 1] == ' ') {
        struct itr_cursor pc = {text + open, text + count - 1};
        if (!itr_skip_hex(&pc, &line->pc) || pc.p != pc.end) {
            return false;
        }
        line->has |= ITR_HAS_PC;
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        if (!in_name((unsigned char)text[i])) {
            return false;
        }
    }
    line->name = (struct itr_slice){text, length};
    line->kind = ITR_LINE_FUNCTION;
    return length > 0 && itr_is_name(text, count);
}

/* A function without arguments, as C's are among Go's ("cfunc", "non-Go function") and all of gccgo's. */
bool itr_read_bare(struct itr_line *line, const char *text, size_t count) {
    static const char foreign[] = "non-Go function";
    unsigned char first = (unsigned char)text[0];
    bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_';
    bool plain = letter && count < ITR_LOCATION_MAX;
    for (size_t i = 0; plain && i < count; i++) {
        plain = in_name((unsigned char)text[i]) && text[i] != ':' && text[i] != '=' && text[i] != '@';
    }
    if (!plain && !itr_begins(text, count, foreign)) {
        return false;
    }
    line->name = (struct itr_slice){text, plain ? count : sizeof foreign - 1};
    bool has_pc = itr_find_hex(text, count, " at pc=", &line->pc);
    line->has |= has_pc ? ITR_HAS_PC : 0;
    line->kind = has_pc ? ITR_LINE_FUNCTION : ITR_LINE_BARE;
    return itr_is_name(text, count);
}

bool itr_read_place(struct itr_line *line, const char *text, size_t count) {
    size_t digits = count;
    uint64_t number;
    while (digits > 0 && text[digits - 1] >= '0' && text[digits - 1] <= '9') {
        digits--;
    }
    if (digits == count || digits < 2 || text[digits - 1] != ':') {
        return false;
    }
    struct itr_cursor at = {text + digits, text + count};
    itr_skip_number(&at, &number);
    line->file = (struct itr_slice){text, digits - 1};
    line->line = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    line->has |= ITR_HAS_LINE;
    return true;
}

/* " +331" at the end of a place, as gccgo writes an offset. */
static bool is_decimal_offset(const char *text, const char *end) {
    struct itr_cursor at = {text, end};
    uint64_t offset;
    return itr_skip(&at, " +") && itr_skip_number(&at, &offset) && at.p == end;
}

/* "/tmp/x.go:5 +0x1d fp=0x… sp=0x… pc=0x…"; "pc=0x…" of what is not Go */
bool itr_read_location(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor alone = {text, text + count};
    size_t tail = count;
    if (itr_skip(&alone, "pc=") && itr_skip_hex(&alone, &line->pc) && alone.p == alone.end) {
        line->has |= ITR_HAS_PC;
        line->kind = ITR_LINE_LOCATION;
        return true;
    }
    for (const char *p = text; (p = memchr(p, ' ', (size_t)(text + count - p))) != NULL; p++) {
        struct itr_cursor at = {p, text + count};
        if (itr_skip(&at, " +0x") || itr_skip(&at, " fp=0x") || itr_skip(&at, " pc=0x") ||
            is_decimal_offset(p, at.end)) {
            tail = (size_t)(p - text);
            break;
        }
    }
    if (memchr(text, '"', tail) != NULL || !itr_read_place(line, text, tail)) { /* in quotes: triage_unwrap.c's */
        return false;
    }
    if (itr_find_hex(text + tail, count - tail, " pc=", &line->pc)) {
        line->has |= ITR_HAS_PC;
    }
    if (itr_find_value(text + tail, count - tail, " +", &line->offset)) {
        line->has |= ITR_HAS_OFFSET;
    }
    line->kind = ITR_LINE_LOCATION;
    return true;
}
