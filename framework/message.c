/* The table of what runtimes and Wine print on early failures, and the search for such lines. It
 * decides no outcome. */
#include "framework/message.h"

#include "framework/event.h"

#include <string.h>

enum {
    LINE_MAX = 4096,  /* longer lines are judged by their beginning */
    NORMAL_MAX = 512, /* bytes of a line that can matter for its normal form */
};

/* Patterns match at the beginning of a line. `%d` decimal digits, `%x` hexadecimal digits (at least
 * one each), `%S` the name of a signal, `%W` the beginning of one of Wine's debug lines; all else
 * is itself. The first entry that matches counts, so the particular stands before the general.
 * `keep`: so many numbers, from the left, are the failure's identity and stay in the normal form.
 */
static const struct entry {
    const char *pattern;
    enum itr_message_kind kind;
    int keep;
    const char *printed_by;
} entries[] = {
    /* Go: the set-up of the machine */
    {"fatal error: bcryptprimitives.dll not found", ITR_MESSAGE_SETUP, 0, "loadOptionalSyscalls"},
    {"bcryptprimitives.dll not found", ITR_MESSAGE_SETUP, 0, "loadOptionalSyscalls"},
    {"runtime: failed to create new OS thread", ITR_MESSAGE_SETUP, 0, "newosproc"},
    {"runtime: may need to increase max user processes", ITR_MESSAGE_SETUP, 0, "newosproc"},
    /* Go: the runtime gives up */
    {"fatal error: cgo callback before cgo call", ITR_MESSAGE_FATAL, 0, "needm"},
    {"fatal error: unexpected signal during runtime execution", ITR_MESSAGE_FATAL, 0, "sigpanic"},
    {"fatal error: fault", ITR_MESSAGE_FATAL, 0, "sigpanic"},
    {"fatal error: ", ITR_MESSAGE_FATAL, 0, "throw"},
    {"fatal: bad g in signal handler", ITR_MESSAGE_FATAL, 0, "badsignal"},
    {"fatal: morestack on g", ITR_MESSAGE_FATAL, 0, "badmorestack"},
    {"fatal: systemstack called from unexpected goroutine", ITR_MESSAGE_FATAL, 0, "badsystemstack"},
    {"fatal: ", ITR_MESSAGE_FATAL, 0, "the runtime"},
    {"runtime: signal received on thread not created by Go", ITR_MESSAGE_FATAL, 0, "badsignal2"},
    {"runtime: morestack on g", ITR_MESSAGE_FATAL, 0, "badmorestack"},
    {"runtime: panic before malloc heap initialized", ITR_MESSAGE_FATAL, 0, "startpanic_m"},
    {"runtime: split stack overflow", ITR_MESSAGE_FATAL, 0, "newstack"},
    {"runtime: stack split at bad time", ITR_MESSAGE_FATAL, 0, "newstack"},
    {"runtime: newstack ", ITR_MESSAGE_FATAL, 0, "newstack"},
    {"runtime: wrong goroutine in newstack", ITR_MESSAGE_FATAL, 0, "newstack"},
    {"runtime: unexpected return pc for ", ITR_MESSAGE_FATAL, 0, "traceback"},
    {"runtime: ", ITR_MESSAGE_NOTICE, 0, "the runtime"},
    {"unexpected signal during runtime execution", ITR_MESSAGE_FATAL, 0, "sigpanic"},
    {"unexpected fault address ", ITR_MESSAGE_FATAL, 0, "sigpanic"},
    {"accessed data from freed user arena ", ITR_MESSAGE_FATAL, 0, "sigpanic"},
    {"attempted to trace stack of a goroutine this thread does not own", ITR_MESSAGE_FATAL, 0,
     "traceStack"},
    {"runtime/cgo: ", ITR_MESSAGE_FATAL, 0, "cgo"},
    {"pthread_create failed: ", ITR_MESSAGE_FATAL, 0, "cgo"},
    {"panic: ", ITR_MESSAGE_PANIC, 0, "printpanics"},
    {"panic during panic", ITR_MESSAGE_PANIC, 0, "startpanic_m"},
    /* Go: signals and exceptions */
    {"signal %d received but handler not on signal stack", ITR_MESSAGE_SIGNAL, 1, "sigNotOnStack"},
    {"signal %d received on thread with no signal stack", ITR_MESSAGE_SIGNAL, 1, "noSignalStack"},
    {"signal %d received during fork", ITR_MESSAGE_SIGNAL, 1, "signalDuringFork"},
    {"non-Go code set up signal handler without SA_ONSTACK flag", ITR_MESSAGE_SIGNAL, 0,
     "sigNotOnStack"},
    {"non-Go code disabled sigaltstack", ITR_MESSAGE_SIGNAL, 0, "noSignalStack"},
    {"signal arrived during cgo execution", ITR_MESSAGE_SIGNAL, 0, "sighandler"},
    {"signal arrived during external code execution", ITR_MESSAGE_EXCEPTION, 0, "winthrow"},
    {"[signal %S: ", ITR_MESSAGE_SIGNAL, 1, "sigpanic"},
    {"[signal 0x%x ", ITR_MESSAGE_EXCEPTION, 2, "sigpanic"},
    {"Exception 0x%x ", ITR_MESSAGE_EXCEPTION, 1, "winthrow"},
    {"%S: ", ITR_MESSAGE_SIGNAL, 0, "sighandler"},
    /* the C library and sanitizers */
    {"Fatal glibc error: ", ITR_MESSAGE_FATAL, 0, "C library"},
    {"*** stack smashing detected ***", ITR_MESSAGE_FATAL, 0, "C library"},
    {"*** buffer overflow detected ***", ITR_MESSAGE_FATAL, 0, "C library"},
    {"double free or corruption", ITR_MESSAGE_FATAL, 0, "C library"},
    {"free(): ", ITR_MESSAGE_FATAL, 0, "C library"},
    {"malloc(): ", ITR_MESSAGE_FATAL, 0, "C library"},
    {"malloc_consolidate(): ", ITR_MESSAGE_FATAL, 0, "C library"},
    {"realloc(): ", ITR_MESSAGE_FATAL, 0, "C library"},
    {"corrupted size vs. prev_size", ITR_MESSAGE_FATAL, 0, "C library"},
    {"Inconsistency detected by ld.so: ", ITR_MESSAGE_FATAL, 0, "dynamic linker"},
    {"==%d==ERROR: ThreadSanitizer failed to allocate ", ITR_MESSAGE_SETUP, 0, "race detector"},
    {"==%d==FATAL: ThreadSanitizer: unexpected memory mapping ", ITR_MESSAGE_SETUP, 0, "race detector"},
    {"FATAL: ThreadSanitizer: unexpected memory mapping ", ITR_MESSAGE_SETUP, 0, "race detector"},
    {"Internal debugger error: ", ITR_MESSAGE_FATAL, 0, "Delve"},
    /* Wine */
    {"wine: Unhandled ", ITR_MESSAGE_EXCEPTION, 0, "Wine"},
    {"Unhandled exception: ", ITR_MESSAGE_EXCEPTION, 0, "Wine's debugger"},
    {"wine: Call from ", ITR_MESSAGE_FATAL, 0, "Wine"},
    {"wine: Unimplemented function ", ITR_MESSAGE_FATAL, 0, "Wine"},
    {"wine: could not ", ITR_MESSAGE_SETUP, 0, "Wine"},
    {"wine: cannot ", ITR_MESSAGE_SETUP, 0, "Wine"},
    {"wine: failed to ", ITR_MESSAGE_SETUP, 0, "Wine"},
    {"wine: chdir to ", ITR_MESSAGE_SETUP, 0, "Wine"},
    {"wine client error:", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"wineserver: ", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"wine: configuration in ", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"wine: created the configuration directory ", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"wine: Read access denied for device ", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"wine: RLIMIT_NICE is ", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"wine: Using setpriority to control niceness ", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"preloader: Warning: ", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"it looks like wine32 is missing", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"it looks like multiarch needs to be enabled", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"multiarch needs to be enabled first", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"execute \"dpkg --add-architecture i386", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"execute \"apt-get install wine32", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"apt-get install wine32", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"Application tried to create a window, but no driver", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"Make sure that your X server is running", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"The explorer process failed to start", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"The graphics driver is missing", ITR_MESSAGE_NOISE, 0, "Wine"},
    {"%W", ITR_MESSAGE_NOISE, 0, "Wine"},
};

const char *itr_message_kind_name(enum itr_message_kind kind) {
    switch (kind) {
#define ITR_MESSAGE_CASE(id, name) \
    case ITR_MESSAGE_##id: return name;
        ITR_MESSAGE_MAP(ITR_MESSAGE_CASE)
#undef ITR_MESSAGE_CASE
    }
    return "unknown";
}

static bool is_decimal(unsigned char byte) {
    return byte >= '0' && byte <= '9';
}

static bool is_hex(unsigned char byte) {
    return is_decimal(byte) || (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
}

static bool is_word(unsigned char byte) {
    return is_decimal(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           byte == '_';
}

/* A byte that no text has. */
static bool is_hard(unsigned char byte) {
    return (byte < 0x20 && (byte < '\a' || byte > '\r') && byte != 0x1b) || byte == 0x7f;
}

/* Length of the signal's name at `line`, 0 when there is none. */
static size_t signal_name(const unsigned char *line, size_t count) {
    size_t length = 0;

    while (length < count && length < 12 && is_word(line[length])) {
        length++;
    }
    if (length < 4 || memcmp(line, "SIG", 3) != 0) {
        return 0;
    }
    for (uint32_t event = 0; event < ITR_EVENT_COUNT; event++) {
        const char *name = itr_event_name(event);
        if (strlen(name) == length && memcmp(name, line, length) == 0) {
            return length;
        }
    }
    return 0;
}

/* Length of `0024:err:` or `0020:0024:fixme:` and the like, 0 when there is none. */
static size_t wine_channel(const unsigned char *line, size_t count) {
    static const char *const classes[] = {"err:", "fixme:", "warn:", "trace:"};
    size_t length = 0;

    for (int part = 0; part < 2; part++) {
        size_t digits = 0;
        while (digits < 8 && length + digits < count && is_hex(line[length + digits])) {
            digits++;
        }
        if (digits == 0 || length + digits >= count || line[length + digits] != ':') {
            return 0;
        }
        length += digits + 1;
        for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
            size_t bytes = strlen(classes[i]);
            if (bytes <= count - length && memcmp(line + length, classes[i], bytes) == 0) {
                return length + bytes;
            }
        }
    }
    return 0;
}

static size_t placeholder_length(char which, const unsigned char *line, size_t count) {
    size_t length = 0;

    if (which == 'S') {
        return signal_name(line, count);
    }
    if (which == 'W') {
        return wine_channel(line, count);
    }
    while (length < count && length < 20 &&
           (which == 'd' ? is_decimal(line[length]) : is_hex(line[length]))) {
        length++;
    }
    return length;
}

static bool matches(const char *pattern, const unsigned char *line, size_t count) {
    size_t used = 0;

    for (const char *p = pattern; *p != '\0'; p++) {
        size_t length = 1;
        if (*p == '%') {
            p++;
            length = placeholder_length(*p, line + used, count - used);
            if (length == 0) {
                return false;
            }
        } else if (used >= count || line[used] != (unsigned char)*p) {
            return false;
        }
        used += length;
    }
    return true;
}

#define PAIR(first, second) ((unsigned)(first) << 8 | (unsigned)(second))

/* Whether any pattern begins with these two bytes: turns away nearly all lines at once. */
static bool may_begin(unsigned char first, unsigned char second) {
    /* clang-format off */
    switch (PAIR(first, second)) {
    case PAIR('*', '*'): case PAIR('A', 'p'): case PAIR('E', 'x'): case PAIR('F', 'a'):
    case PAIR('=', '='): case PAIR('F', 'A'):
    case PAIR('I', 'n'): case PAIR('M', 'a'): case PAIR('S', 'I'): case PAIR('T', 'h'):
    case PAIR('U', 'n'): case PAIR('[', 's'): case PAIR('a', 'c'): case PAIR('a', 'p'): case PAIR('a', 't'):
    case PAIR('b', 'c'): case PAIR('c', 'o'): case PAIR('d', 'o'): case PAIR('e', 'x'):
    case PAIR('f', 'a'): case PAIR('f', 'r'): case PAIR('i', 't'): case PAIR('m', 'a'):
    case PAIR('m', 'u'): case PAIR('n', 'o'): case PAIR('p', 'a'): case PAIR('p', 'r'):
    case PAIR('p', 't'): case PAIR('r', 'e'): case PAIR('r', 'u'): case PAIR('s', 'i'):
    case PAIR('u', 'n'): case PAIR('w', 'i'):
        return true;
    default:
        return false;
    }
    /* clang-format on */
}

static const struct entry *entry_of(const unsigned char *line, size_t count) {
    bool worth_it = count >= 2 && (may_begin(line[0], line[1]) ||
                                   (is_hex(line[0]) && wine_channel(line, count) > 0));

    if (!worth_it) {
        return NULL;
    }
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        const char *pattern = entries[i].pattern;
        if ((pattern[0] == '%' || (unsigned char)pattern[0] == line[0]) &&
            matches(pattern, line, count)) {
            return &entries[i];
        }
    }
    return NULL;
}

enum itr_message_kind itr_message_kind_of(const void *line, size_t count, const char **printed_by) {
    const struct entry *entry = entry_of(line, count);

    if (entry == NULL) {
        return ITR_MESSAGE_NONE;
    }
    if (printed_by != NULL) {
        *printed_by = entry->printed_by;
    }
    return entry->kind;
}

/* Length of the message at `line` without its end: to the newline or to the first byte that is no
 * text. */
static size_t message_length(const unsigned char *line, size_t count) {
    size_t length = 0;

    while (length < count && length < LINE_MAX && line[length] != '\n' && !is_hard(line[length])) {
        length++;
    }
    if (length > 0 && line[length - 1] == '\r') {
        length--;
    }
    return length;
}

/* Length of the number at `word`, which is a whole word or the beginning of one ("10ms"); 0 for
 * other words. `length` is that of the word. */
static size_t number_length(const unsigned char *word, size_t length) {
    size_t digits = 0;
    size_t hexes = 0;

    if (length > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X')) {
        hexes = 2;
        while (hexes < length && is_hex(word[hexes])) {
            hexes++;
        }
        return hexes;
    }
    for (hexes = 0; hexes < length && is_hex(word[hexes]); hexes++) {
        digits += is_decimal(word[hexes]);
    }
    if (hexes == length && (length >= 8 || (length >= 4 && digits > 0))) {
        return length; /* an address without 0x */
    }
    for (digits = 0; digits < length && is_decimal(word[digits]); digits++) {
    }
    return digits;
}

static void normalise(char *out, size_t room, const unsigned char *line, size_t count, int keep) {
    unsigned char normal[NORMAL_MAX];
    size_t filled = 0;
    size_t i = 0;

    count = message_length(line, count);
    while (i < count && filled < sizeof normal) {
        size_t word = 0;
        size_t number;
        while (i + word < count && is_word(line[i + word])) {
            word++;
        }
        number = number_length(line + i, word);
        if (number > 0 && keep-- <= 0) {
            normal[filled++] = '#';
            i += number;
            word -= number;
        }
        if (word == 0 && number == 0) {
            word = 1; /* not part of a word: copied as it is */
        }
        while (word > 0 && filled < sizeof normal) {
            normal[filled++] = line[i++];
            word--;
        }
    }
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, normal, filled);
}

void itr_message_normalise(char *out, size_t room, const void *line, size_t count) {
    const struct entry *entry = entry_of(line, count);

    normalise(out, room, line, count, entry != NULL ? entry->keep : 0);
}

bool itr_message_of(const void *bytes, size_t count, struct itr_message *message) {
    const unsigned char *p = bytes;
    size_t start = 0;

    memset(message, 0, sizeof *message);
    message->printed_by = "";
    while (start < count) {
        const struct entry *entry = entry_of(p + start, count - start);
        const unsigned char *end;
        if (entry != NULL && entry->kind != ITR_MESSAGE_NOISE) {
            message->kind = entry->kind;
            message->printed_by = entry->printed_by;
            message->offset = start;
            message->line_bytes = message_length(p + start, count - start);
            normalise(message->text, sizeof message->text, p + start, count - start, entry->keep);
            return true;
        }
        end = memchr(p + start, '\n', count - start);
        if (end == NULL) {
            break;
        }
        start = (size_t)(end - p) + 1;
    }
    return false;
}
