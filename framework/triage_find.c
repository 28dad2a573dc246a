/* Finds where a crash text begins among megabytes of anything. Every head of a report has a blank in it, so
 * blanks are all that is searched for; the words around one decide. */
#include "framework/triage_parts.h"

#include <string.h>

/* The blank at `blank` has `word` before it: where the word begins, NULL if it is another word. */
static const char *behind(const char *bytes, const char *blank, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(blank - bytes) < length || memcmp(blank - length, word, length) != 0) {
        return NULL;
    }
    return blank - length;
}

static bool before(const char *blank, const char *end, const char *word) {
    size_t length = strlen(word);
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
    const char *bracket = behind(bytes, p, "[signal ");
    return bracket != NULL ? bracket : p;
}

/* Words that end in a colon. */
static const char *at_colon(const char *bytes, const char *blank, const char *end) {
    static const char *const words[] = {
        "fatal error:", "panic:", "runtime:",           "fatal:",  "throw:",    "runtime/cgo:",
        "wine:",        "free():", "malloc():",         "--- FAIL:", "realloc():", "malloc_consolidate():",
        "Unhandled exception:",   "pthread_create failed:", "Fatal glibc error:", "ld.so:",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *start = behind(bytes, blank, words[i]);
        if (start != NULL) {
            const char *longer = strcmp(words[i], "ld.so:") == 0
                                     ? behind(bytes, start, "Inconsistency detected by ")
                                     : NULL;
            return longer != NULL ? longer : start;
        }
    }
    if (before(blank, end, "DATA RACE")) {
        return behind(bytes, blank, "WARNING:");
    }
    if (digit_after(blank, end)) {
        const char *start = behind(bytes, blank, "Signal:");
        if (start != NULL) {
            return start;
        }
    }
    return signal_word(bytes, blank);
}

/* Heads whose first blank stands before one of a few words or before a number. */
static const char *at_letter(const char *bytes, const char *blank, const char *end) {
    static const struct {
        const char *word;
        const char *next; /* "0": any digit */
    } heads[] = {
        {"goroutine", "0"},        {"runtime", "stack:"},      {"Exception", "0x"},       {"[signal", "0x"},
        {"signal", "0"},           {"signal", "arrived"},      {"Thread", "0"},           {"Program", "received"},
        {"Program", "terminated"}, {"unexpected", "fault"},    {"unexpected", "signal"},  {"created", "by "},
        {"attempted", "to trace"}, {"Stack", "trace of"},      {"double", "free or"},     {"corrupted", "size"},
        {"non-Go", "code "},       {"bcryptprimitives.dll", "not"}, {"***", "stack smash"},   {"***", "buffer over"},
        {"[Switching", "to "},     {"[Current", "thread"},     {"Goroutine", "0"},        {"panic", "during panic"},
    };
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        if (heads[i].word[strlen(heads[i].word) - 1] != blank[-1]) {
            continue;
        }
        bool follows = heads[i].next[0] == '0' && heads[i].next[1] == '\0' ? digit_after(blank, end)
                                                                          : before(blank, end, heads[i].next);
        const char *start = follows ? behind(bytes, blank, heads[i].word) : NULL;
        if (start != NULL) {
            return start;
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
    struct itr_cursor at = {next, end};
    uint64_t pc;
    return itr_skip_hex(&at, &pc) && itr_skip(&at, " in ") ? p : NULL;
}

size_t itr_find_report(const char *bytes, size_t count) {
    const char *end = bytes + count;
    const char *blank = bytes;
    while ((blank = memchr(blank, ' ', (size_t)(end - blank))) != NULL) {
        const char *start = NULL;
        if (blank > bytes) {
            unsigned char last = (unsigned char)blank[-1];
            if (last == ':') {
                start = at_colon(bytes, blank, end);
            } else if (last >= '0' && last <= '9') {
                start = at_digit(bytes, blank, end);
            } else if (last > ' ') {
                start = at_letter(bytes, blank, end);
            }
        }
        if (start != NULL) {
            return (size_t)(start - bytes);
        }
        blank++;
    }
    return count;
}
