/* Recognises one line of what gdb, rr, Delve and coredumpctl print. */
#include "framework/triage_parts.h"

#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static struct itr_slice slice(const char *from, const char *to) {
    return (struct itr_slice){from, (size_t)(to - from)};
}

/* ---- frames ---- */

/* gdb's tail: " (args) at x.c:3", " (args) from /lib/x.so", behind the function's name. */
static void read_gdb_tail(struct itr_line *line, const char *text, size_t count) {
    const char *end = text + count;
    const char *at = NULL;
    const char *from = NULL;
    for (const char *p = text; (p = memchr(p, ' ', (size_t)(end - p))) != NULL; p++) {
        struct itr_cursor here = {p, end};
        if (itr_skip(&here, " at ")) {
            at = here.p;
        } else if (itr_skip(&here, " from ")) {
            from = here.p;
        }
    }
    if (at != NULL && (from == NULL || at > from)) {
        (void)itr_read_place(line, at, (size_t)(end - at));
    } else if (from != NULL) {
        line->module = slice(from, end);
    }
}

/* coredumpctl's "f (/lib/x.so + 0x1a)": true if it is that. */
static bool read_module(struct itr_line *line, const char *name, const char *open, const char *end) {
    const char *plus = itr_find_in(open, (size_t)(end - open), " + 0x");
    if (plus == NULL || end[-1] != ')') {
        return false;
    }
    struct itr_cursor at = {plus + 3, end};
    line->name = slice(name, open);
    line->module = slice(open + 2, plus);
    line->has |= itr_skip_hex(&at, &line->offset) ? ITR_HAS_OFFSET : 0;
    line->dialect = ITR_DIALECT_COREDUMPCTL;
    return true;
}

/* "/tmp/x.c:3", "x.c:3:14" */
static bool read_place_of_sanitizer(struct itr_line *line, const char *text, const char *end) {
    const char *colon = end;
    while (colon > text && is_digit(colon[-1])) {
        colon--;
    }
    const char *before = colon;
    while (before - 1 > text && is_digit(before[-2])) {
        before--;
    }
    bool column = colon < end && colon - 1 > text && colon[-1] == ':' && before < colon - 1;
    return (column && itr_read_place(line, text, (size_t)(colon - 1 - text))) ||
           itr_read_place(line, text, (size_t)(end - text));
}

/* The last place of `what`. */
static const char *last_in(const char *text, const char *end, const char *what) {
    const char *last = NULL;
    for (const char *p = text; (p = itr_find_in(p, (size_t)(end - p), what)) != NULL; p++) {
        last = p;
    }
    return last;
}

/* "f", eu-stack's; "f x.c:3:14", "f x.c:3 (lib+0x1a)", those of sanitizers */
static bool read_plain_frame(struct itr_line *line, const char *name, const char *end) {
    const char *plus = last_in(name, end, "+0x");
    const char *open = plus != NULL ? last_in(name, plus, " (") : NULL;
    if (open != NULL) {
        struct itr_cursor at = {plus + 1, end};
        line->module = slice(open + 2, plus);
        line->has |= itr_skip_hex(&at, &line->offset) ? ITR_HAS_OFFSET : 0;
        end = open;
    }
    const char *place = end;
    while (place > name && place[-1] != ' ') {
        place--;
    }
    if (place > name && read_place_of_sanitizer(line, place, end)) {
        end = place - 1;
    } else if (place > name && end - place == 6 && memcmp(place, "<null>", 6) == 0) {
        end = place - 1;
    }
    line->name = slice(name, end);
    bool one_word = memchr(name, ' ', (size_t)(end - name)) == NULL;
    return end > name && (open != NULL || (line->has & ITR_HAS_LINE) != 0 || (one_word && (line->has & ITR_HAS_PC) != 0));
}

/* "#0  0x… in f (x=1) at x.c:3", "#1  f () at x.c:3", "#2  <signal handler called>", "#3  0x… f (lib + 0x…)" */
static bool read_numbered_frame(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "#") || !itr_skip_number(&at, &line->number) || at.p == at.end ||
        (*at.p != ' ' && *at.p != '\t')) {
        return false;
    }
    itr_skip_blanks(&at);
    const char *pc = at.p;
    if (itr_skip_hex(&at, &line->pc)) {
        line->has |= ITR_HAS_PC;
        itr_skip_blanks(&at);
        itr_skip(&at, "in ");
    }
    if (at.p == at.end && at.p - pc == 18) { /* eu-stack, of what has no name; shorter ones are lines cut off */
        line->dialect = ITR_DIALECT_GDB;
        line->kind = ITR_LINE_FRAME;
        line->has |= ITR_HAS_NUMBER;
        return true;
    }
    if (at.p == at.end) {
        return false;
    }
    const char *name = at.p;
    const char *open = itr_find_in(name, (size_t)(at.end - name), " (");
    if (!itr_is_name(name, (size_t)(at.end - name))) {
        return false;
    }
    line->dialect = ITR_DIALECT_GDB;
    line->kind = ITR_LINE_FRAME;
    line->has |= ITR_HAS_NUMBER;
    if (*name == '<' && (at.end - name < 2 || name[1] != 'n')) { /* "<signal handler called>" */
        line->name = slice(name, at.end);
        return at.end - name >= 8 && at.end[-1] == '>';
    }
    const char *close = open != NULL ? memchr(open, ')', (size_t)(at.end - open)) : NULL;
    const char *plus = close != NULL ? itr_find_in(open, (size_t)(at.end - open), "+0x") : NULL;
    if (close == NULL || (plus != NULL && itr_find_in(open, (size_t)(at.end - open), " + 0x") == NULL && plus < close)) {
        return read_plain_frame(line, name, at.end);
    }
    if (!read_module(line, name, open, at.end)) {
        line->name = slice(name, open);
        read_gdb_tail(line, open, (size_t)(at.end - open));
    }
    return true;
}

/* Delve's "0  0x0000000000435641 in runtime.raise", also with an arrow before it. */
static bool read_delve_frame(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip_number(&at, &line->number)) {
        return false;
    }
    itr_skip_blanks(&at);
    if (!itr_skip_hex(&at, &line->pc) || !itr_skip(&at, " in ") || at.p == at.end) {
        return false;
    }
    line->name = slice(at.p, at.end);
    line->has |= ITR_HAS_NUMBER | ITR_HAS_PC;
    line->dialect = ITR_DIALECT_DELVE;
    line->kind = ITR_LINE_FRAME;
    return itr_is_name(at.p, (size_t)(at.end - at.p));
}

/* Delve's "at /tmp/x.go:5" */
static bool read_delve_location(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "at ") || !itr_read_place(line, at.p, (size_t)(at.end - at.p))) {
        return false;
    }
    line->dialect = ITR_DIALECT_DELVE;
    line->kind = ITR_LINE_FRAME_LOCATION;
    return true;
}

/* Delve's "> [bad-access] main.f() ./x.go:5 (hits …) (PC: 0x…)" */
static bool read_stopped(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "> ") || itr_find_in(text, count, "(PC: 0x") == NULL) {
        return false;
    }
    if (itr_skip(&at, "[")) {
        const char *close = memchr(at.p, ']', (size_t)(at.end - at.p));
        if (close == NULL) {
            return false;
        }
        line->state = slice(at.p, close);
        at.p = close + 1;
        itr_skip_blanks(&at);
    }
    const char *open = itr_find_in(at.p, (size_t)(at.end - at.p), "() ");
    const char *hits = itr_find_in(at.p, (size_t)(at.end - at.p), "goroutine(");
    if (open == NULL) {
        return false;
    }
    if (hits != NULL) {
        struct itr_cursor number = {hits + 10, at.end};
        line->has |= itr_skip_number(&number, &line->number) ? ITR_HAS_NUMBER : 0;
    }
    line->name = slice(at.p, open);
    const char *place = open + 3;
    const char *stop = memchr(place, ' ', (size_t)(at.end - place));
    (void)itr_read_place(line, place, (size_t)((stop != NULL ? stop : at.end) - place));
    line->has |= itr_find_hex(text, count, "(PC: ", &line->pc) ? ITR_HAS_PC : 0;
    line->dialect = ITR_DIALECT_DELVE;
    line->kind = ITR_LINE_STOPPED;
    return true;
}

/* Delve's "runtime.curg._panic.arg: interface {}(string) "boom"" */
static bool read_panic_value(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "runtime.curg._panic.arg: interface {}(string) \"") || at.p == at.end || at.end[-1] != '"') {
        return false;
    }
    line->name = slice(at.p, at.end - 1);
    line->dialect = ITR_DIALECT_DELVE;
    line->kind = ITR_LINE_PANIC_VALUE;
    return true;
}

/* ---- goroutines ---- */

/* "chan receive 173416238": the state, and since when, which no other dump has. */
static struct itr_slice state_of(const char *text, const char *end) {
    const char *stop = end;
    while (stop > text && is_digit(stop[-1])) {
        stop--;
    }
    return slice(text, stop > text && stop < end && stop[-1] == ' ' ? stop - 1 : end);
}

/* Delve's "* Goroutine 1 - User: ./x.go:5 main.f (0x…) (thread 7) [chan receive]" */
static bool read_listed(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    line->current = itr_skip(&at, "* ");
    if (!itr_skip(&at, "Goroutine ") || !itr_skip_number(&at, &line->number) || !itr_skip(&at, " - ")) {
        return false;
    }
    const char *place = itr_find_in(at.p, (size_t)(at.end - at.p), ": ");
    const char *open = itr_find_in(at.p, (size_t)(at.end - at.p), " (0x");
    const char *bracket = itr_find_in(at.p, (size_t)(at.end - at.p), ") [");
    if (place == NULL || open == NULL || open < place + 2) {
        return false;
    }
    place += 2;
    const char *name = open;
    while (name > place && name[-1] != ' ') {
        name--;
    }
    if (name > place) {
        (void)itr_read_place(line, place, (size_t)(name - 1 - place));
    }
    line->name = slice(name, open);
    at.p = open + 2;
    line->has |= ITR_HAS_NUMBER | (itr_skip_hex(&at, &line->pc) ? ITR_HAS_PC : 0);
    if (bracket != NULL && at.end[-1] == ']') {
        line->state = state_of(bracket + 3, at.end - 1);
    }
    line->dialect = ITR_DIALECT_DELVE;
    line->kind = ITR_LINE_LISTED;
    return itr_is_name(line->name.data, line->name.length);
}

/* ---- threads and signals ---- */

static void read_lwp(struct itr_line *line, const char *text, size_t count) {
    static const char *const keys[] = {"(LWP ", "LWP ", "(process "};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *found = itr_find_in(text, count, keys[i]);
        if (found != NULL) {
            struct itr_cursor at = {found + strlen(keys[i]), text + count};
            line->has |= itr_skip_number(&at, &line->number) ? ITR_HAS_NUMBER : 0;
            return;
        }
    }
}

/* eu-stack's "TID 5:" */
static bool read_tid(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "TID ") || !itr_skip_number(&at, &line->number) || !itr_skip(&at, ":") || at.p != at.end) {
        return false;
    }
    line->has |= ITR_HAS_NUMBER;
    line->dialect = ITR_DIALECT_GDB;
    line->kind = ITR_LINE_THREAD;
    return true;
}

/* "Thread 2 "name" received signal SIGSEGV, …", "Program terminated with signal …", "Thread 2 (LWP 5):" */
static bool read_thread(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    bool thread = itr_skip(&at, "Thread ") && itr_skip_number(&at, &line->number);
    bool program = !thread && itr_skip(&at, "Program ");
    if (!thread && !program) {
        return false;
    }
    const char *received = itr_find_in(at.p, (size_t)(at.end - at.p), "received signal SIG");
    const char *ended = itr_find_in(at.p, (size_t)(at.end - at.p), "terminated with signal SIG");
    const char *word = received != NULL ? received + 16 : ended != NULL ? ended + 23 : NULL;
    line->dialect = ITR_DIALECT_GDB;
    line->has |= thread ? ITR_HAS_NUMBER : 0;
    if (word != NULL) {
        const char *stop = word;
        while (stop < at.end && ((*stop >= 'A' && *stop <= 'Z') || is_digit(*stop))) {
            stop++;
        }
        line->name = slice(word, stop);
        line->kind = ITR_LINE_RECEIVED;
        return true;
    }
    if (thread && itr_skip(&at, " (") && at.end[-1] == ':') {
        line->m = line->number; /* gdb's own number, the other one is the system's */
        line->has |= ITR_HAS_M;
        read_lwp(line, at.p, (size_t)(at.end - at.p));
        line->kind = ITR_LINE_THREAD;
        return true;
    }
    return false;
}

/* "[Switching to Thread 0x… (LWP 5)]", "[Current thread is 1 (Thread 0x… (LWP 5))]" */
static bool read_switching(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "[Switching to ") && !itr_skip(&at, "[Current thread is ")) {
        return false;
    }
    read_lwp(line, text, count);
    const char *dot = itr_find_in(text, count, "Thread ");
    if ((line->has & ITR_HAS_NUMBER) == 0 && dot != NULL) { /* rr: "Thread 123.125" */
        struct itr_cursor number = {dot + 7, at.end};
        uint64_t process;
        if (itr_skip_number(&number, &process) && itr_skip(&number, ".") && itr_skip_number(&number, &line->number)) {
            line->has |= ITR_HAS_NUMBER;
            line->dialect = ITR_DIALECT_RR;
        }
    }
    line->dialect |= line->dialect == 0 ? ITR_DIALECT_GDB : 0;
    line->kind = ITR_LINE_SWITCHING;
    return true;
}

/* coredumpctl's "Signal: 11 (SEGV)" and "Stack trace of thread 5:" */
static bool read_coredump(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    line->dialect = ITR_DIALECT_COREDUMPCTL;
    if (itr_skip(&at, "Stack trace of thread ") && itr_skip_number(&at, &line->number)) {
        line->has |= ITR_HAS_NUMBER;
        line->kind = ITR_LINE_THREAD;
        return true;
    }
    if (itr_skip(&at, "Signal: ") && itr_skip_number(&at, &line->number) && itr_skip(&at, " (")) {
        const char *close = memchr(at.p, ')', (size_t)(at.end - at.p));
        if (close != NULL) {
            line->name = slice(at.p, close);
            line->has |= ITR_HAS_NUMBER;
            line->kind = ITR_LINE_CORE_SIGNAL;
            return true;
        }
    }
    line->dialect = 0;
    return false;
}

bool itr_read_debugger(struct itr_line *line, const char *text, size_t count) {
    switch (text[0]) {
    case '#': return read_numbered_frame(line, text, count);
    case '>': return read_stopped(line, text, count);
    case 'a': return read_delve_location(line, text, count);
    case 'T': return read_thread(line, text, count) || read_tid(line, text, count);
    case 'P': return read_thread(line, text, count);
    case '[': return read_switching(line, text, count);
    case 'S': return read_coredump(line, text, count);
    case 'r': return read_panic_value(line, text, count);
    case '*':
    case 'G': return read_listed(line, text, count);
    default: return is_digit(text[0]) && read_delve_frame(line, text, count);
    }
}
