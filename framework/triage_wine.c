/* Recognises one line of what Wine and its debugger print. */
#include "framework/triage_parts.h"

#include <string.h>

static struct itr_slice slice(const char *from, const char *to) {
    return (struct itr_slice){from, (size_t)(to - from)};
}

/* winedbg's "=>0 0x… f+0x1c [x.c:3] in lib (0x…)", "1 0x… in lib (+0x6d2ac) (0x…)" */
static bool read_wine_frame(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    bool arrow = itr_skip(&at, "=>");
    if (!itr_skip_number(&at, &line->number) || !itr_skip(&at, " ") || !itr_skip_hex(&at, &line->pc) ||
        !itr_skip(&at, " ")) {
        return false;
    }
    const char *in = itr_find_in(at.p - 1, (size_t)(at.end - at.p) + 1, " in ");
    if (in == NULL || (!arrow && itr_find_in(in, (size_t)(at.end - in), " (") == NULL)) {
        return false;
    }
    if (in >= at.p) {
        const char *stop = at.p;
        while (stop < in && *stop != ' ' && *stop != '(' && *stop != '+') {
            stop++;
        }
        line->name = slice(at.p, stop);
        line->has |= itr_find_hex(stop, (size_t)(in - stop), "+", &line->offset) ? ITR_HAS_OFFSET : 0;
        const char *open = memchr(stop, '[', (size_t)(in - stop));
        const char *close = open != NULL ? memchr(open, ']', (size_t)(in - open)) : NULL;
        if (close != NULL) {
            (void)itr_read_place(line, open + 1, (size_t)(close - open - 1));
        }
    }
    const char *module = in + 4;
    const char *stop = memchr(module, ' ', (size_t)(at.end - module));
    line->module = slice(module, stop != NULL ? stop : at.end);
    line->has |= ITR_HAS_NUMBER | ITR_HAS_PC;
    line->dialect = ITR_DIALECT_WINE;
    line->kind = ITR_LINE_FRAME;
    return true;
}

static bool hex_behind(const char *text, size_t count, const char *key, uint64_t *value) {
    const char *found = itr_find_in(text, count, key);
    if (found == NULL) {
        return false;
    }
    struct itr_cursor at = {found + strlen(key), text + count};
    itr_skip(&at, "0x");
    return itr_skip_digits(&at, value);
}

/* What Wine calls an exception, and its code. */
static bool wine_exception(struct itr_line *line, const char *text, size_t count) {
    static const struct {
        const char *words;
        uint32_t code;
    } known[] = {
        {"page fault", 0xC0000005},         {"division by zero", 0xC0000094},
        {"illegal instruction", 0xC000001D}, {"privileged instruction", 0xC0000096},
        {"stack overflow", 0xC00000FD},     {"breakpoint", 0x80000003},
        {"assertion failed", 0xC0000420},   {"priviledged instruction", 0xC0000096},
        {"overflow", 0xC0000095},           {"array bounds", 0xC000008C},
        {"alignment", 0x80000002},          {"trap", 0x80000004},
    };
    struct itr_cursor at = {text, text + count};
    uint64_t code;
    if (itr_skip(&at, "exception ") && itr_skip_hex(&at, &code) && code <= UINT32_MAX) {
        line->exception = (uint32_t)code;
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (itr_skip(&at, known[i].words)) {
            line->exception = known[i].code;
            return true;
        }
    }
    return false;
}

/* "wine: Unhandled page fault on read access to … at address … (thread 0124), …"; winedbg's
 * "Unhandled exception: page fault on read access to 0x… in 64-bit code (0x…)." */
static bool read_wine(struct itr_line *line, const char *text, size_t count) {
    static const struct {
        const char *words;
        uint64_t code;
    } accesses[] = {{"on read access to ", 0}, {"on write access to ", 1}, {"on execute access to ", 8}};
    struct itr_cursor at = {text, text + count};
    bool debugger = itr_skip(&at, "Unhandled exception: ");
    if (!debugger && !itr_skip(&at, "wine: Unhandled ")) {
        return false;
    }
    size_t rest = (size_t)(at.end - at.p);
    if (!wine_exception(line, at.p, rest)) {
        return false;
    }
    for (size_t i = 0; i < sizeof accesses / sizeof accesses[0]; i++) {
        if (hex_behind(at.p, rest, accesses[i].words, &line->address)) {
            line->code = accesses[i].code;
            line->has |= ITR_HAS_ADDRESS | ITR_HAS_CODE;
        }
    }
    line->has |= hex_behind(at.p, rest, debugger ? "-bit code (" : "at address ", &line->pc) ? ITR_HAS_PC : 0;
    line->has |= hex_behind(at.p, rest, "(thread ", &line->number) ? ITR_HAS_NUMBER : 0;
    line->has |= ITR_HAS_EXCEPTION;
    line->message = ITR_MESSAGE_EXCEPTION;
    line->dialect = ITR_DIALECT_WINE;
    line->kind = ITR_LINE_EXCEPTION;
    return true;
}

/* One of "rip:000000018006d2ac rsp:… eflags:00010246 (…)", "EIP:01fc9328 ESP:…", "CS:0023 SS:002b": 2 letters or more, 4
 * digits or more. What comes behind is another one, or nothing. */
static bool read_register(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    while (at.p < at.end && ((*at.p >= 'a' && *at.p <= 'z') || (*at.p >= 'A' && *at.p <= 'Z') || (*at.p >= '0' && *at.p <= '9'))) {
        at.p++;
    }
    size_t length = (size_t)(at.p - text);
    if (length < 2 || length > 6 || (text[0] >= '0' && text[0] <= '9') || !itr_skip(&at, ":")) {
        return false;
    }
    const char *digits = at.p;
    if (!itr_skip_digits(&at, &line->number) || at.p - digits < 4 || at.p - digits > 16 || (at.p < at.end && *at.p != ' ')) {
        return false;
    }
    itr_skip_blanks(&at);
    line->name = slice(text, text + length);
    line->rest = slice(at.p, at.end);
    line->has |= ITR_HAS_NUMBER;
    line->dialect = ITR_DIALECT_WINE;
    line->kind = ITR_LINE_REGISTER;
    return true;
}

/* Two at least, or the last one of such a line: a word with a number behind a colon is anybody's. */
static bool read_registers(struct itr_line *line, const char *text, size_t count) {
    struct itr_line first = {.kind = ITR_LINE_OTHER};
    struct itr_line second = {.kind = ITR_LINE_OTHER};
    if (!read_register(&first, text, count)) {
        return false;
    }
    bool last = first.rest.length == 0 || first.rest.data[0] == '(';
    if (last ? strchr("rReE", text[0]) == NULL : !read_register(&second, first.rest.data, first.rest.length)) {
        return false;
    }
    *line = first;
    line->rest.length = last ? 0 : line->rest.length;
    return true;
}

bool itr_read_wine(struct itr_line *line, const char *text, size_t count) {
    switch (text[0]) {
    case 'U':
    case 'w': return read_wine(line, text, count);
    case '=': return read_wine_frame(line, text, count);
    default: break;
    }
    return text[0] >= '0' && text[0] <= '9' ? read_wine_frame(line, text, count) : read_registers(line, text, count);
}
