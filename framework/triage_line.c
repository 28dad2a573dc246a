/* Recognises one line of a crash text in Go's own dialects; what debuggers, Wine and the race detector say is for
 * triage_debugger.c, triage_wine.c and triage_race.c.
 * One function a kind; the first byte of a line picks who is asked. */
#include "framework/triage_parts.h"

#include <string.h>

/* ---- the cursor ---- */

bool itr_skip(struct itr_cursor *at, const char *literal) {
    size_t length = strlen(literal);
    if ((size_t)(at->end - at->p) < length || memcmp(at->p, literal, length) != 0) {
        return false;
    }
    at->p += length;
    return true;
}

bool itr_skip_number(struct itr_cursor *at, uint64_t *value) {
    const char *start = at->p;
    *value = 0;
    while (at->p < at->end && *at->p >= '0' && *at->p <= '9') {
        uint64_t digit = (uint64_t)(*at->p++ - '0');
        *value = *value > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *value * 10 + digit;
    }
    return at->p > start;
}

bool itr_skip_digits(struct itr_cursor *at, uint64_t *value) {
    const char *start = at->p;
    *value = 0;
    for (; at->p < at->end; at->p++) {
        char c = *at->p;
        uint64_t digit;
        if (c >= '0' && c <= '9') {
            digit = (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'f') {
            digit = (uint64_t)(c - 'a' + 10);
        } else if (c >= 'A' && c <= 'F') {
            digit = (uint64_t)(c - 'A' + 10);
        } else {
            break;
        }
        *value = *value << 4 | digit;
    }
    return at->p > start;
}

bool itr_skip_hex(struct itr_cursor *at, uint64_t *value) {
    struct itr_cursor copy = *at;
    if (!itr_skip(&copy, "0x") || !itr_skip_digits(&copy, value)) {
        return false;
    }
    *at = copy;
    return true;
}

void itr_skip_blanks(struct itr_cursor *at) {
    while (at->p < at->end && (*at->p == ' ' || *at->p == '\t')) {
        at->p++;
    }
}

const char *itr_find_in(const char *text, size_t count, const char *what) {
    size_t length = strlen(what);
    const char *end = text + count;
    for (const char *p = text; (size_t)(end - p) >= length; p++) {
        p = memchr(p, what[0], (size_t)(end - p) - length + 1);
        if (p == NULL) {
            return NULL;
        }
        if (memcmp(p, what, length) == 0) {
            return p;
        }
    }
    return NULL;
}

bool itr_find_hex(const char *text, size_t count, const char *key, uint64_t *value) {
    const char *found = itr_find_in(text, count, key);
    if (found == NULL) {
        return false;
    }
    struct itr_cursor at = {found + strlen(key), text + count};
    return itr_skip_hex(&at, value);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool starts_with(const char *text, size_t count, const char *what) {
    size_t length = strlen(what);
    return count >= length && memcmp(text, what, length) == 0;
}

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
        } else if (starts_with(text, (size_t)(stop - text), "locked to thread")) {
            line->locked = true;
        }
        first = false;
        text = comma != NULL ? comma + 2 : end;
    }
}

/* "goroutine 1 gp=0x… m=0 mp=0x… [running, locked to thread]:" */
static bool read_goroutine(struct itr_line *line, const char *text, size_t count) {
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
static bool read_created_by(struct itr_line *line, const char *text, size_t count) {
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
static bool read_function(struct itr_line *line, const char *text, size_t count) {
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
static bool read_bare(struct itr_line *line, const char *text, size_t count) {
    static const char foreign[] = "non-Go function";
    unsigned char first = (unsigned char)text[0];
    bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_';
    bool plain = letter && count < ITR_LOCATION_MAX;
    for (size_t i = 0; plain && i < count; i++) {
        plain = in_name((unsigned char)text[i]) && text[i] != ':' && text[i] != '=' && text[i] != '@';
    }
    if (!plain && !starts_with(text, count, foreign)) {
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

/* "/tmp/x.go:5 +0x1d fp=0x… sp=0x… pc=0x…"; "pc=0x…" of what is not Go */
static bool read_location(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor alone = {text, text + count};
    size_t tail = count;
    if (itr_skip(&alone, "pc=") && itr_skip_hex(&alone, &line->pc) && alone.p == alone.end) {
        line->has |= ITR_HAS_PC;
        line->kind = ITR_LINE_LOCATION;
        return true;
    }
    for (const char *p = text; (p = memchr(p, ' ', (size_t)(text + count - p))) != NULL; p++) {
        struct itr_cursor at = {p, text + count};
        if (itr_skip(&at, " +0x") || itr_skip(&at, " fp=0x") || itr_skip(&at, " pc=0x")) {
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
    if (itr_find_hex(text + tail, count - tail, " +", &line->offset)) {
        line->has |= ITR_HAS_OFFSET;
    }
    line->kind = ITR_LINE_LOCATION;
    return true;
}

/* ---- signals ---- */

/* "[signal SIGSEGV: … code=0x1 addr=0x0 pc=0x…]", "[signal 0xb code=…]", "[signal 0xc0000005 code=…]" */
static bool read_signal_panic(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    uint64_t number = 0;
    if (!itr_skip(&at, "[signal ")) {
        return false;
    }
    if (itr_skip_hex(&at, &number)) {
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
    line->has |= itr_find_hex(at.p, rest, " code=", &line->code) ? ITR_HAS_CODE : 0;
    line->has |= itr_find_hex(at.p, rest, " addr=", &line->address) ? ITR_HAS_ADDRESS : 0;
    line->has |= itr_find_hex(at.p, rest, " pc=", &line->pc) ? ITR_HAS_PC : 0;
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
    if (!itr_skip(&at, "PC=") || !itr_skip_hex(&at, &line->pc)) {
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
    line->has |= itr_find_hex(text, count, " addr=", &line->address) ? ITR_HAS_ADDRESS : 0;
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
    if (!starts_with(text, count, "morebuf={") || !itr_find_hex(text, count, "pc:", &line->pc)) {
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
        {"running tests:", ITR_LINE_TESTS, ITR_DIALECT_GO},
        {"[originating from goroutine ", ITR_LINE_ANCESTOR, ITR_DIALECT_GO},
    };
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        if (text[0] == fixed[i].text[0] && starts_with(text, count, fixed[i].text)) {
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

/* "throw: …" is how Go 1.0 said "fatal error: …". */
static bool read_message(struct itr_line *line, const char *text, size_t count) {
    enum itr_message_kind kind = itr_message_kind_of(text, count, NULL);
    if (kind == ITR_MESSAGE_NONE && starts_with(text, count, "throw: ")) {
        kind = ITR_MESSAGE_FATAL;
    }
    if (kind == ITR_MESSAGE_NONE || kind == ITR_MESSAGE_NOISE) {
        return false;
    }
    line->message = kind;
    line->kind = ITR_LINE_MESSAGE;
    line->dialect = starts_with(text, count, "Internal debugger error: ") ? ITR_DIALECT_DELVE : 0;
    if (kind == ITR_MESSAGE_SIGNAL && starts_with(text, count, "SIG")) {
        const char *colon = memchr(text, ':', count);
        line->name = (struct itr_slice){text, (size_t)(colon - text)};
        line->kind = ITR_LINE_SIGNAL;
    }
    return true;
}

static bool read_line(struct itr_line *line, const char *text, size_t count) {
    switch (text[0]) {
    case 'g': return read_goroutine(line, text, count) || read_fixed(line, text, count);
    case 'c':
        if (read_created_by(line, text, count)) {
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
    if (starts_with(text, count, "[fp=0x")) {
        const char *close = itr_find_in(text, count, "] ");
        size_t skip = close != NULL ? (size_t)(close - text) + 2 : 0;
        text += skip;
        count -= skip;
    }
    if (count == 0) {
        return line->kind;
    }
    /* Most lines of a long dump are frames: they are asked for first. */
    if (text[count - 1] == ')' && read_function(line, text, count)) {
        return line->kind;
    }
    if (read_line(line, text, count) || itr_read_wine(line, text, count) || itr_read_debugger(line, text, count) ||
        read_message(line, text, count) || read_register(line, text, count) || read_location(line, text, count) ||
        read_bare(line, text, count)) {
        if (line->dialect == 0 && line->kind != ITR_LINE_TEST && line->kind != ITR_LINE_PACKAGE) {
            line->dialect = ITR_DIALECT_GO;
        }
    } else {
        *line = (struct itr_line){.kind = ITR_LINE_OTHER}; /* what half a match left */
    }
    return line->kind;
}
