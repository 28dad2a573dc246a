/* Recognises one line of what gdb, rr, Delve, coredumpctl, Wine and its debugger print. */
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

/* "#0  0x… in f (x=1) at x.c:3", "#1  f () at x.c:3", "#2  <signal handler called>", "#3  0x… f (lib + 0x…)" */
static bool read_numbered_frame(struct itr_line *line, const char *text, size_t count) {
    struct itr_cursor at = {text, text + count};
    if (!itr_skip(&at, "#") || !itr_skip_number(&at, &line->number) || at.p == at.end ||
        (*at.p != ' ' && *at.p != '\t')) {
        return false;
    }
    itr_skip_blanks(&at);
    if (itr_skip_hex(&at, &line->pc)) {
        line->has |= ITR_HAS_PC;
        itr_skip_blanks(&at);
        itr_skip(&at, "in ");
    }
    if (at.p == at.end) {
        return false;
    }
    const char *name = at.p;
    const char *open = itr_find_in(name, (size_t)(at.end - name), " (");
    if (!itr_is_name(name, (size_t)(at.end - name)) || (*name != '<' && memchr(name, ')', (size_t)(at.end - name)) == NULL)) {
        return false;
    }
    line->dialect = ITR_DIALECT_GDB;
    line->kind = ITR_LINE_FRAME;
    line->has |= ITR_HAS_NUMBER;
    if (*name == '<') {
        line->name = slice(name, at.end);
    } else if (open == NULL) {
        return false;
    } else if (!read_module(line, name, open, at.end)) {
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
    if (open == NULL) {
        return false;
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

/* ---- Wine ---- */

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

bool itr_read_debugger(struct itr_line *line, const char *text, size_t count) {
    switch (text[0]) {
    case '#': return read_numbered_frame(line, text, count);
    case '=': return read_wine_frame(line, text, count);
    case '>': return read_stopped(line, text, count);
    case 'a': return read_delve_location(line, text, count);
    case 'T':
    case 'P': return read_thread(line, text, count);
    case '[': return read_switching(line, text, count);
    case 'S': return read_coredump(line, text, count);
    case 'U':
    case 'w': return read_wine(line, text, count);
    default: break;
    }
    return is_digit(text[0]) && (read_wine_frame(line, text, count) || read_delve_frame(line, text, count));
}
