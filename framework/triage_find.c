/* Finds where a crash text begins among megabytes of anything. Every head of a report has a blank in it, so
 * blanks are all that is searched for; the words around one decide. */
#include "framework/triage_parts.h"

#include <string.h>

enum { BLOCK = 32 /* bytes that are searched at once */, PC_DIGITS = 16 };

/* The blank at `blank` has `word` before it: where the word begins, NULL if it is another word. */
static const char *behind(const char *bytes, const char *blank, const char *word, size_t length) {
    if ((size_t)(blank - bytes) < length || memcmp(blank - length, word, length) != 0) {
        return NULL;
    }
    return blank - length;
}

static bool before(const char *blank, const char *end, const char *word, size_t length) {
    return (size_t)(end - blank - 1) >= length && memcmp(blank + 1, word, length) == 0;
}

static bool digit_after(const char *blank, const char *end) {
    return blank + 1 < end && blank[1] >= '0' && blank[1] <= '9';
}

/* "SIGSEGV:": where it begins, or the bracket of "[signal SIGSEGV:". */
static const char *signal_word(const char *bytes, const char *blank) {
    const char *p = blank - 1;
    while (p > bytes && blank - p < 12 && ((p[-1] >= 'A' && p[-1] <= 'Z') || (p[-1] >= '0' && p[-1] <= '9'))) {
        p--;
    }
    if (blank - p < 6 || memcmp(p, "SIG", 3) != 0) {
        return NULL;
    }
    const char *bracket = behind(bytes, p, "[signal ", 8);
    return bracket != NULL ? bracket : p;
}

/* A word with its length, so that none is measured in the loop. */
#define WORD(text) text, sizeof(text) - 1

/* "==12640==ERROR:", "FATAL:" before the name of the sanitizer by which Go detects races. */
static const char *sanitizer(const char *bytes, const char *blank) {
    const char *number = behind(bytes, blank, WORD("==ERROR:"));
    number = number != NULL ? number : behind(bytes, blank, WORD("==FATAL:"));
    if (number == NULL) {
        return behind(bytes, blank, WORD("FATAL:"));
    }
    const char *p = number;
    while (p > bytes && p[-1] >= '0' && p[-1] <= '9' && number - p < 10) {
        p--;
    }
    return behind(bytes, p, WORD("=="));
}

/* Words that end in a colon. */
static const char *at_colon(const char *bytes, const char *blank, const char *end) {
    static const struct {
        const char *text;
        size_t length;
    } words[] = {
        {WORD("fatal error:")},  {WORD("panic:")},  {WORD("runtime:")},  {WORD("fatal:")},
        {WORD("throw:")},        {WORD("wine:")},   {WORD("free():")},   {WORD("malloc():")},
        {WORD("--- FAIL:")},     {WORD("realloc():")}, {WORD("runtime/cgo:")}, {WORD("malloc_consolidate():")},
        {WORD("Unhandled exception:")}, {WORD("pthread_create failed:")}, {WORD("Fatal glibc error:")},
        {WORD("Inconsistency detected by ld.so:")}, {WORD("Internal debugger error:")},
    };
    char last = blank - bytes >= 2 ? blank[-2] : ' ';
    if (strchr("rcelwo)LndGRp", last) != NULL && last != '\0') {
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            const char *start = behind(bytes, blank, words[i].text, words[i].length);
            if (start != NULL) {
                return start;
            }
        }
        if (before(blank, end, WORD("panic serving"))) {
            return behind(bytes, blank, WORD("http:"));
        }
        if (before(blank, end, WORD("DATA RACE"))) {
            return behind(bytes, blank, WORD("WARNING:"));
        }
        if (before(blank, end, WORD("ThreadSanitizer"))) {
            return sanitizer(bytes, blank);
        }
        if (digit_after(blank, end)) {
            const char *start = behind(bytes, blank, WORD("Signal:"));
            if (start != NULL) {
                return start;
            }
        }
    }
    return (last >= 'A' && last <= 'Z') || (last >= '0' && last <= '9') ? signal_word(bytes, blank) : NULL;
}

/* Whether any of the heads below has these two bytes around its first blank: turns away nearly all blanks. */
static bool may_surround(unsigned char last, unsigned char next) {
    bool digit = next >= '0' && next <= '9';
    switch (last) {
    case 'e': return digit || next == 's' || next == 'f';
    case 'n': return next == '0';
    case 'l': return digit || next == 'a' || next == 'n';
    case 'd': return digit || next == 'f' || next == 's' || next == 'b' || next == 't' || next == 'd';
    case 'D': return digit;
    case 'm': return next == 'r' || next == 't';
    case 'k':
    case 'g':
    case 't': return next == 't';
    case 'o': return next == 'c';
    case '*': return next == 's' || next == 'b';
    case 'c': return next == 'd';
    case '>': return next == '[';
    default: return false;
    }
}

/* Heads whose first blank stands before one of a few words or before a number. */
static const char *at_letter(const char *bytes, const char *blank, const char *end) {
    static const struct {
        const char *word;
        size_t length;
        const char *next; /* "": any digit */
        size_t next_length;
    } heads[] = {
        {WORD("goroutine"), WORD("")},           {WORD("runtime"), WORD("stack:")},
        {WORD("Exception"), WORD("0x")},         {WORD("[signal"), WORD("")},
        {WORD("signal"), WORD("")},              {WORD("signal"), WORD("arrived")},
        {WORD("Thread"), WORD("")},              {WORD("Program"), WORD("received")},
        {WORD("Program"), WORD("terminated")},   {WORD("unexpected"), WORD("fault")},
        {WORD("unexpected"), WORD("signal")},    {WORD("created"), WORD("by ")},
        {WORD("attempted"), WORD("to trace")},   {WORD("Stack"), WORD("trace of")},
        {WORD("double"), WORD("free or")},       {WORD("corrupted"), WORD("size")},
        {WORD("non-Go"), WORD("code ")},         {WORD("bcryptprimitives.dll"), WORD("not")},
        {WORD("***"), WORD("stack smash")},      {WORD("***"), WORD("buffer over")},
        {WORD("[Switching"), WORD("to ")},       {WORD("[Current"), WORD("thread")},
        {WORD("Goroutine"), WORD("")},           {WORD("panic"), WORD("during panic")},
        {WORD(">"), WORD("[")},                  {WORD("accessed"), WORD("data from")},
        {WORD("TID"), WORD("")},
    };
    if (blank + 1 == end || !may_surround((unsigned char)blank[-1], (unsigned char)blank[1])) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        bool follows = heads[i].next_length == 0 ? digit_after(blank, end)
                                                 : before(blank, end, heads[i].next, heads[i].next_length);
        const char *start = follows ? behind(bytes, blank, heads[i].word, heads[i].length) : NULL;
        if (start != NULL) {
            const char *star = *start == 'G' ? behind(bytes, start, WORD("* ")) : NULL; /* the one that Delve looks at */
            return star != NULL ? star : start;
        }
    }
    return NULL;
}

/* "#0  0x… in f ()", "0  0x… in f": the number before the blank. */
static const char *at_digit(const char *bytes, const char *blank, const char *end) {
    const char *p = blank;
    const char *next = blank;
    while (p > bytes && p[-1] >= '0' && p[-1] <= '9' && blank - p < 6) {
        p--;
    }
    if (p > bytes && p[-1] == '#') {
        return p - 1;
    }
    while (next < end && *next == ' ' && next - blank < 4) {
        next++;
    }
    struct itr_cursor at = {next, end - next > PC_DIGITS + 6 ? next + PC_DIGITS + 6 : end}; /* 0x… in */
    uint64_t pc;
    return itr_skip_hex(&at, &pc) && itr_skip(&at, " in ") ? p : NULL;
}

/* The head whose first blank this is. */
static const char *at_blank(const char *bytes, const char *blank, const char *end) {
    unsigned char last = blank > bytes ? (unsigned char)blank[-1] : 0;
    if (last == ':') {
        return at_colon(bytes, blank, end);
    }
    if (last >= '0' && last <= '9') {
        return at_digit(bytes, blank, end);
    }
    return last > ' ' ? at_letter(bytes, blank, end) : NULL;
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* A high bit is set where the first of eight bytes is a blank; those behind it may be wrong. */
static uint64_t blank_in(const char *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    word ^= EACH(' ');
    return (word - EACH(1)) & ~word & EACH(0x80);
}

static bool has_blank(const char *bytes) {
    return (blank_in(bytes) | blank_in(bytes + 8) | blank_in(bytes + 16) | blank_in(bytes + 24)) != 0;
}

size_t itr_find_head(const char *bytes, size_t from, size_t to, size_t count) {
    const char *end = bytes + count;
    const char *last = bytes + to;
    const char *p = bytes + from;
    while (p < last) {
        if (last - p >= BLOCK && !has_blank(p)) {
            p += BLOCK;
            continue;
        }
        for (const char *stop = last - p >= BLOCK ? p + BLOCK : last; p < stop; p++) {
            const char *start = *p == ' ' ? at_blank(bytes, p, end) : NULL;
            if (start != NULL) {
                return (size_t)(start - bytes);
            }
        }
    }
    return count;
}

size_t itr_find_report(const char *bytes, size_t count) {
    return itr_find_head(bytes, 0, count, count);
}
