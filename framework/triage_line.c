/* Recognises one line of a crash text in Go's own dialects. Lines of stacks are triage_frame.c's; what debuggers, Wine
 * and the race detector say is for triage_debugger.c, triage_wine.c and triage_race.c.
 * One function a kind; the first byte of a line picks who is asked. */
#include "framework/triage_parts.h"

#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* ---- signals ---- */

/* "[signal SIGSEGV: … code=0x1 addr=0x0 pc=0x…]", "[signal 0xb code=…]", "[signal 0xc0000005 code=…]";
 * gccgo's "[signal SIGSEGV: … code=1 addr=8 pc=43850201]" */
static bool read_signal_panic(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    uint64_t number = 0;
    if (!itr_skip(&at, "[signal ")) {
        return false;
    }
    if (itr_skip_value(&at, &number)) {
        line->number = number;
        line->has |= ITR_HAS_NUMBER;
    } else {
        const char *start = at.p;
        while (at.p < at.end && *at.p != ':' && *at.p != ' ' && *at.p != ']') {
            at.p++;
        }
        line->name = (struct itr_slice){start, (size_t)(at.p - start)};
    }
    size_t rest = (size_t)(at.end - at.p);
    line->has |= itr_find_value(at.p, rest, " code=", &line->code) ? ITR_HAS_CODE : 0;
    line->has |= itr_find_value(at.p, rest, " addr=", &line->address) ? ITR_HAS_ADDRESS : 0;
    line->has |= itr_find_value(at.p, rest, " pc=", &line->pc) ? ITR_HAS_PC : 0;
    if (number > UINT8_MAX && number <= UINT32_MAX) {
        line->exception = (uint32_t)number;
        line->has |= ITR_HAS_EXCEPTION;
    }
    line->kind = ITR_LINE_SIGNAL_PANIC;
    return true;
}

/* "PC=0x46c1b1 m=0 sigcode=1 addr=0x0" */
static bool read_pc(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    const char *m = itr_find_in(text, count, " m=");
    const char *code = itr_find_in(text, count, " sigcode=");
    if (!itr_skip(&at, "PC=") || !itr_skip_value(&at, &line->pc)) {
        return false;
    }
    line->has |= ITR_HAS_PC;
    if (m != NULL) {
        struct itr_cursor number = {m + 3, text + count};
        line->has |= itr_skip_number(&number, &line->m) ? ITR_HAS_M : 0;
    }
    if (code != NULL) {
        struct itr_cursor number = {code + 9, text + count};
        bool negative = itr_skip(&number, "-");
        line->has |= itr_skip_number(&number, &line->code) ? ITR_HAS_CODE : 0;
        line->code = negative ? 0 - line->code : line->code;
    }
    line->has |= itr_find_value(text, count, " addr=", &line->address) ? ITR_HAS_ADDRESS : 0;
    line->kind = ITR_LINE_PC;
    return true;
}

/* winthrow's "Exception 0xc0000005 0x0 0x30 0x18006d2ac": code, access, address, PC */
static bool read_exception(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    uint64_t code;
    if (!itr_skip(&at, "Exception ") || !itr_skip_hex(&at, &code) || code > UINT32_MAX) {
        return false;
    }
    line->exception = (uint32_t)code;
    line->has |= ITR_HAS_EXCEPTION;
    if (itr_skip(&at, " ") && itr_skip_hex(&at, &line->code)) {
        line->has |= ITR_HAS_CODE;
    }
    if (itr_skip(&at, " ") && itr_skip_hex(&at, &line->address)) {
        line->has |= ITR_HAS_ADDRESS;
    }
    if (itr_skip(&at, " ") && itr_skip_hex(&at, &line->pc)) {
        line->has |= ITR_HAS_PC;
    }
    line->kind = ITR_LINE_EXCEPTION;
    return true;
}

/* "rip    0x46c1b1": a short word, blanks, a number. Some processors have two a line, gdb says it once more
 * ("rip            0x46c1b1            0x46c1b1 <main.f+17>"). */
static bool read_register(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    while (at.p < at.end && ((*at.p >= 'a' && *at.p <= 'z') || is_digit(*at.p))) {
        at.p++;
    }
    size_t length = (size_t)(at.p - text);
    const char *blanks = at.p;
    itr_skip_blanks(&at);
    bool column = at.p - blanks > 1 || (at.p > blanks && *blanks == '\t');
    if (length < 2 || length > 7 || at.p == blanks || !itr_skip_hex(&at, &line->number)) {
        return false;
    }
    const char *end = at.p;
    itr_skip_blanks(&at);
    bool again = at.p < at.end && (is_digit(*at.p) || *at.p == '-' || *at.p == '[' || *at.p == '{' || *at.p == '(');
    if (at.p < at.end && (at.p == end || !column)) {
        return false;
    }
    line->name = (struct itr_slice){text, length};
    line->rest = again ? (struct itr_slice){text + count, 0} : (struct itr_slice){at.p, (size_t)(at.end - at.p)};
    line->has |= ITR_HAS_NUMBER;
    line->kind = ITR_LINE_REGISTER;
    return true;
}

static bool read_morebuf(struct itr_line *line, const char *text, size_t count) {
    if (!itr_begins(text, count, "morebuf={") || !itr_find_hex(text, count, "pc:", &line->pc)) {
        return false;
    }
    line->has |= ITR_HAS_PC;
    line->kind = ITR_LINE_MOREBUF;
    return true;
}

/* ---- go test ---- */

static bool read_test(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    bool package = false;
    if (!itr_skip(&at, "--- FAIL: ")) {
        package = itr_skip(&at, "FAIL\t") || itr_skip(&at, "FAIL  ");
        if (!package) {
            return false;
        }
        itr_skip_blanks(&at);
    }
    const char *start = at.p;
    while (at.p < at.end && *at.p != ' ' && *at.p != '\t') {
        at.p++;
    }
    line->name = (struct itr_slice){start, (size_t)(at.p - start)};
    line->kind = package ? ITR_LINE_PACKAGE : ITR_LINE_TEST;
    return line->name.length > 0;
}

/* ---- all of them ---- */

/* Lines that are always the same. */
static bool read_fixed(struct itr_line *line, const char *text, size_t count) {
    static const struct {
        const char *text;
        enum itr_line_kind kind;
        unsigned dialect;
    } fixed[] = {
        {"runtime stack:", ITR_LINE_RUNTIME_STACK, ITR_DIALECT_GO},
        {"[failed to restore the stack]", ITR_LINE_UNAVAILABLE, ITR_DIALECT_RACE},
        {"----- stack segment boundary", ITR_LINE_SEGMENT, ITR_DIALECT_GO},
        {"----- goroutine created by", ITR_LINE_CREATOR_NEXT, ITR_DIALECT_GO},
        {"goroutine running on other thread; stack unavailable", ITR_LINE_UNAVAILABLE, ITR_DIALECT_GO},
        {"goroutine in C code; stack unavailable", ITR_LINE_UNAVAILABLE, ITR_DIALECT_GO},
        {"running tests:", ITR_LINE_TESTS, ITR_DIALECT_GO},
        {"[originating from goroutine ", ITR_LINE_ANCESTOR, ITR_DIALECT_GO},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (text[0] == fixed[i].text[0] && itr_begins(text, count, fixed[i].text)) {
            line->kind = fixed[i].kind;
            line->dialect = fixed[i].dialect;
            return true;
        }
    }
    if (count > 6 && memcmp(text, "...", 3) == 0 && itr_find_in(text, count, "elided") != NULL) {
        line->kind = ITR_LINE_ELIDED;
        return true;
    }
    return false;
}

size_t itr_served_panic(const char *text, size_t count) {
    static const char head[] = "http: panic serving ";
    if (!itr_begins(text, count, head)) {
        return 0;
    }
    const char *value = itr_find_in(text + sizeof head - 1, count - (sizeof head - 1), ": ");
    return value != NULL ? (size_t)(value + 2 - text) : 0;
}

/* "throw: …" is how Go 1.0 said "fatal error: …". */
static bool read_message(struct itr_line *line, const char *text, size_t count) {
    enum itr_message_kind kind = itr_message_kind_of(text, count, NULL);
    if (kind == ITR_MESSAGE_NONE && itr_begins(text, count, "throw: ")) {
        kind = ITR_MESSAGE_FATAL;
    } else if (itr_served_panic(text, count) > 0) {
        kind = ITR_MESSAGE_PANIC;
    }
    if (kind == ITR_MESSAGE_NONE || kind == ITR_MESSAGE_NOISE) {
        return false;
    }
    line->message = kind;
    line->kind = ITR_LINE_MESSAGE;
    line->dialect = itr_begins(text, count, "Internal debugger error: ")                                        ? ITR_DIALECT_DELVE
                    : kind == ITR_MESSAGE_SETUP && itr_find_in(text, count, "ThreadSanitizer") != NULL ? ITR_DIALECT_RACE
                                                                                                       : 0;
    if (kind == ITR_MESSAGE_SIGNAL && itr_begins(text, count, "SIG")) {
        const char *colon = memchr(text, ':', count);
        line->name = (struct itr_slice){text, (size_t)(colon - text)};
        line->kind = ITR_LINE_SIGNAL;
    }
    return true;
}

static bool read_line(struct itr_line *line, const char *text, size_t count) {
    switch (text[0]) {
    case 'g': return itr_read_goroutine(line, text, count) || read_fixed(line, text, count);
    case 'c':
        if (itr_read_created_by(line, text, count)) {
            return true;
        }
        break;
    case '[':
        if (read_signal_panic(line, text, count) || read_fixed(line, text, count)) {
            return true;
        }
        break;
    case 'P':
        if (read_pc(line, text, count) || itr_read_race(line, text, count)) {
            return true;
        }
        break;
    case 'E': return read_exception(line, text, count);
    case 'm':
        if (read_morebuf(line, text, count)) {
            return true;
        }
        break;
    case 'R':
    case 'W':
    case 'A':
    case 'G':
        if (itr_read_race(line, text, count)) {
            return true;
        }
        break;
    case 'F':
    case '-':
        if (read_test(line, text, count) || read_fixed(line, text, count)) {
            return true;
        }
        break;
    case 'r':
    case '.':
        if (read_fixed(line, text, count)) {
            return true;
        }
        break;
    default: break;
    }
    return false;
}

enum itr_line_kind itr_line_parse(const char *text, size_t count, struct itr_line *line) {
    *line = (struct itr_line){.kind = ITR_LINE_OTHER};
    if (count == 0) {
        line->kind = ITR_LINE_BLANK;
        return line->kind;
    }
    /* Go 1.1 put a frame pointer before the function: "[fp=0x…] runtime.throw(0x1)". */
    if (itr_begins(text, count, "[fp=0x")) {
        const char *close = itr_find_in(text, count, "] ");
        size_t skip = close != NULL ? (size_t)(close - text) + 2 : 0;
        text += skip;
        count -= skip;
    }
    if (count == 0) {
        return line->kind;
    }
    /* Most lines of a long dump are frames: they are asked for first. */
    if (text[count - 1] == ')' && itr_read_function(line, text, count)) {
        return line->kind;
    }
    if (read_line(line, text, count) || itr_read_wine(line, text, count) || itr_read_debugger(line, text, count) ||
        read_message(line, text, count) || read_register(line, text, count) || itr_read_location(line, text, count) ||
        itr_read_bare(line, text, count)) {
        if (line->dialect == 0 && line->kind != ITR_LINE_TEST && line->kind != ITR_LINE_PACKAGE) {
            line->dialect = ITR_DIALECT_GO;
        }
    } else {
        *line = (struct itr_line){.kind = ITR_LINE_OTHER}; /* what half a match left */
    }
    return line->kind;
}
