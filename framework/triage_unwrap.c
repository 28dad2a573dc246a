/* From a line as it came to the lines of a crash text in it: without logs' prefixes, indentation, colours, the quotes of
 * JSON and of key="value" logs, syslog's escapes, and garbage. What the text means is triage_facts.c's. */
#include "framework/triage_parts.h"

#include <string.h>

enum {
    HEADS_MAX = 8,      /* of one line that are tried */
    PIECE_MIN = 6,      /* no line of a crash text is shorter */
    COLOURED_MAX = 2048, /* bytes of a line with colours that are read */
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Takes the line without white space around it. */
static bool take(struct itr_facts *facts, const char *text, size_t count) {
    while (count > 0 && is_blank(text[0])) {
        text++;
        count--;
    }
    while (count > 0 && is_blank(text[count - 1])) {
        count--;
    }
    return itr_facts_line(facts, text, count);
}

/* ---- prefixes ---- */

/* Length of `text`'s beginning that is the prefix, numbers in it being any numbers; 0 if it has another one. */
static size_t prefixed(const struct itr_wrapping *wrapping, const char *text, size_t count) {
    size_t at = 0;
    for (size_t i = 0; i < wrapping->prefix_length;) {
        if (is_digit(wrapping->prefix[i])) {
            if (at == count || !is_digit(text[at])) {
                return 0;
            }
            while (i < wrapping->prefix_length && is_digit(wrapping->prefix[i])) {
                i++;
            }
            while (at < count && is_digit(text[at])) {
                at++;
            }
        } else if (at < count && text[at] == wrapping->prefix[i]) {
            i++;
            at++;
        } else {
            break;
        }
        if (i == wrapping->prefix_length) {
            return at;
        }
    }
    /* An empty line behind a prefix has lost its trailing blanks. */
    return at == count ? at : 0;
}

/* As it is, or without the prefix. */
static bool take_whole(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *text, size_t count) {
    size_t skip = wrapping->prefix_length > 0 ? prefixed(wrapping, text, count) : 0;
    return (skip > 0 && take(facts, text + skip, count - skip)) || take(facts, text, count);
}

/* From a head in it; what stands before becomes the prefix. */
static bool take_from_head(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *text, size_t count,
                           bool in_garbage) {
    size_t head = itr_find_report(text, count);
    for (int tried = 0; tried < HEADS_MAX && head < count; tried++) {
        bool may_begin = head > 0 && (in_garbage || !is_word(text[head - 1]));
        if (may_begin && take(facts, text + head, count - head)) {
            wrapping->prefix_length = head < ITR_PREFIX_MAX ? head : 0;
            memcpy(wrapping->prefix, text, wrapping->prefix_length);
            return true;
        }
        const char *blank = memchr(text + head, ' ', count - head);
        head = blank != NULL ? itr_find_head(text, (size_t)(blank - text) + 1, count, count) : count;
    }
    return false;
}

static bool take_plain(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *text, size_t count) {
    return take_whole(wrapping, facts, text, count) || take_from_head(wrapping, facts, text, count, false);
}

/* ---- quotes ---- */

static int hex_value(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The contents of a quoted string; what is not ASCII stays as it is, in \u form's place is '?'. */
static size_t unquote(char *out, const char *text, size_t count) {
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
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
    return filled;
}

/* Where the string that begins at `text`, behind its quote, ends. */
static const char *closing_quote(const char *text, const char *end) {
    while (text < end && *text != '"') {
        text += *text == '\\' && end - text > 1 ? 2 : 1;
    }
    return text < end ? text : end;
}

static bool is_slice(struct itr_slice slice, const char *text) {
    return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

/* What logs call the field that holds a program's output. */
static bool is_output(struct itr_slice key) {
    static const char *const names[] = {"Output", "log", "msg", "message", "MESSAGE", "error", "err", "stack",
                                        "stacktrace", "stack_trace", "stackTrace", "panic", "exception", "textPayload"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (is_slice(key, names[i])) {
            return true;
        }
    }
    return false;
}

/* Behind `close` there is a colon: the string is a name, in JSON. */
static bool is_name(const char *close, const char *end) {
    for (close++; close < end && *close == ' ';) {
        close++;
    }
    return close < end && *close == ':';
}

/* The word before `="`. */
static struct itr_slice word_before(const char *text, const char *equals) {
    const char *start = equals;
    while (start > text && is_word(start[-1])) {
        start--;
    }
    return (struct itr_slice){start, (size_t)(equals - start)};
}

struct quoted {
    struct itr_slice test;
    struct itr_slice package;
    bool any; /* there was an output */
    bool known;
};

static void take_lines(struct itr_wrapping *wrapping, struct itr_facts *facts, struct quoted *quoted,
                       struct itr_slice value) {
    size_t length = unquote(wrapping->scratch, value.data, value.length);
    const char *line = wrapping->scratch;
    const char *end = line + length;
    quoted->any = true;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop != NULL ? stop : end;
        quoted->known = take_plain(wrapping, facts, line, (size_t)(stop - line)) || quoted->known;
        line = stop + 1;
    }
}

/* JSON of `go test -json`, docker, journalctl and others, and key="value", behind any prefix. False: it is neither. */
static bool take_quoted(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *text, size_t count,
                        bool *known) {
    const char *end = text + count;
    struct itr_slice key = {"", 0};
    struct quoted quoted = {.any = false};
    for (const char *open = text; open < end && (open = memchr(open, '"', (size_t)(end - open))) != NULL;) {
        const char *close = closing_quote(open + 1, end);
        struct itr_slice string = {open + 1, (size_t)(close - open - 1)};
        bool assigned = open > text && open[-1] == '=';
        if (!assigned && is_name(close, end)) {
            key = string;
        } else {
            key = assigned ? word_before(text, open - 1) : key;
            if (is_slice(key, "Test")) {
                quoted.test = string;
            } else if (is_slice(key, "Package")) {
                quoted.package = string;
            } else if (is_output(key)) {
                take_lines(wrapping, facts, &quoted, string);
            }
            key.length = 0;
        }
        open = close + 1;
    }
    if (quoted.known) {
        itr_facts_test(facts, false, quoted.package.data, quoted.package.length);
        itr_facts_test(facts, true, quoted.test.data, quoted.test.length);
    }
    *known = quoted.known;
    return quoted.any;
}

static bool may_be_quoted(const char *text, size_t count) {
    return memchr(text, '"', count) != NULL &&
           (itr_find_in(text, count, "\":") != NULL || itr_find_in(text, count, "\" :") != NULL ||
            itr_find_in(text, count, "=\"") != NULL);
}

/* ---- a line ---- */

/* rsyslog writes a newline as #012 and a tab as #011. */
static bool take_syslog(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *text, size_t count) {
    const char *end = text + count;
    bool known = false;
    while (text < end) {
        const char *next = itr_find_in(text, (size_t)(end - text), "#012");
        const char *stop = next != NULL ? next : end;
        while (stop - text >= 4 && memcmp(text, "#011", 4) == 0) {
            text += 4;
        }
        known = take_plain(wrapping, facts, text, (size_t)(stop - text)) || known;
        text = next != NULL ? next + 4 : end;
    }
    return known;
}

/* Several lines in one: a message may have one #012 of its own. */
static bool is_syslog(const char *text, size_t count) {
    const char *first = memchr(text, '#', count) != NULL ? itr_find_in(text, count, "#012") : NULL;
    return first != NULL && itr_find_in(first + 4, (size_t)(text + count - first - 4), "#012") != NULL;
}

/* Text without hard bytes. */
static bool take_text(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *text, size_t count,
                      bool in_garbage) {
    bool known = false;
    if (is_syslog(text, count)) {
        return take_syslog(wrapping, facts, text, count);
    }
    bool json = count > 0 && text[0] == '{';
    bool quoted = json && may_be_quoted(text, count);
    if (quoted && take_quoted(wrapping, facts, text, count, &known)) {
        return known;
    }
    if (take_whole(wrapping, facts, text, count)) {
        return true;
    }
    if (!quoted && may_be_quoted(text, count) && take_quoted(wrapping, facts, text, count, &known)) {
        return known;
    }
    return take_from_head(wrapping, facts, text, count, in_garbage);
}

/* Between two hard bytes there may be a line. */
static bool take_pieces(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *bytes, size_t count) {
    bool known = false;
    size_t start = 0;
    while (start < count) {
        size_t length = itr_first_hard(bytes + start, count - start);
        if (length >= PIECE_MIN) {
            known = take_text(wrapping, facts, bytes + start, length, true) || known;
        }
        start += length + 1;
    }
    return known;
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

bool itr_unwrap_line(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *bytes, size_t count) {
    char plain[COLOURED_MAX];
    count -= count > 0 && bytes[count - 1] == '\r' ? 1 : 0;
    unsigned kinds = itr_kinds_of_bytes(bytes, count);
    if ((kinds & ITR_BYTES_HARD) != 0) {
        return take_pieces(wrapping, facts, bytes, count);
    }
    if ((kinds & ITR_BYTES_ESCAPE) == 0) {
        return take_text(wrapping, facts, bytes, count, (kinds & ITR_BYTES_HIGH) != 0);
    }
    count = without_escapes(plain, bytes, count < sizeof plain ? count : sizeof plain);
    return take_text(wrapping, facts, plain, count, false);
}
