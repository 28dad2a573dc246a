/* A host that has a child process load the library and call it, which ends that child, and holds what the child printed on
 * standard error against what its runtime promises to print. What it ends by is not looked at.
 *
 *   INITRACE_WORDS_KIND      panic, throw (the runtime's own failure), or returns (the child prints nothing and exits with 0)
 *   INITRACE_WORDS_MESSAGE   how a line of it begins
 *   INITRACE_WORDS_FUNCTION  the function that fails is on the traceback of the first goroutine
 *   INITRACE_WORDS_BOTTOM    how that traceback's outermost frame that users see begins, if no frames are elided before
 *   INITRACE_WORDS_OTHER     a function that another goroutine stands in
 *   INITRACE_WORDS_SIGNAL    number of a signal that the calling thread gets all the while, for which the child has a handler
 *   GOTRACEBACK              the level; single when it is not set
 */
#include "cases/hosts/unix/life.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 4 << 20, PATIENCE_MS = 15000, CHILD_CODE = 7, CHILD_SETUP_CODE = 8 };
#define BETWEEN_SIGNALS_NS UINT64_C(20000)

enum kind { KIND_PANIC, KIND_THROW, KIND_RETURNS };
enum level { LEVEL_SINGLE, LEVEL_NONE, LEVEL_ALL, LEVEL_SYSTEM, LEVEL_CRASH };

static const char *const kind_words[] = {"panic", "throw", "returns", NULL};
static const char *const level_words[] = {"single", "none", "all", "system", "crash", NULL};

static struct {
    struct itrh_host host;
    enum kind kind;
    enum level level;
    char text[WORDS_MAX + 1];
    size_t length;
    bool hung;
    int status; /* the child's wait status */
} words;

/* ---- the child ---- */

static pthread_t calling_thread;
static int storm_signal;

static void on_signal(int signal) {
    (void)signal;
}

static void *send_for_ever(void *argument) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    while (pthread_kill(calling_thread, storm_signal) == 0) {
        itrh_sleep_ns(BETWEEN_SIGNALS_NS);
    }
    return argument;
}

static bool start_storm(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_RESTART};
    pthread_t sender;
    calling_thread = pthread_self();
    return sigaction(storm_signal, &action, NULL) == 0 && pthread_create(&sender, NULL, send_for_ever, NULL) == 0;
}

static _Noreturn void be_child(int out) {
    const struct itr_ledger_request *request = &words.host.ledger->request;
    int (*function)(void) = NULL;
    dup2(out, STDERR_FILENO);
    close(out);
    storm_signal = (int)life_number("INITRACE_WORDS_SIGNAL", 0);
    void *library = dlopen(request->library, RTLD_NOW | RTLD_LOCAL);
    void *address = library != NULL ? dlsym(library, request->function) : NULL;
    if (address == NULL || (storm_signal != 0 && !start_storm())) {
        _exit(CHILD_SETUP_CODE);
    }
    memcpy(&function, &address, sizeof address);
    function();
    _exit(CHILD_CODE);
}

/* ---- its words ---- */

/* Until the child has closed its end, or nothing came for long; what is too long is read and dropped. */
static void read_words(int in) {
    static char rest[4096];
    struct pollfd more = {.fd = in, .events = POLLIN};
    ssize_t got = 1;
    while (got > 0 && poll(&more, 1, PATIENCE_MS) == 1) {
        size_t room = WORDS_MAX - words.length;
        got = room > 0 ? read(in, words.text + words.length, room) : read(in, rest, sizeof rest);
        words.length += got > 0 && room > 0 ? (size_t)got : 0;
    }
    words.hung = got != 0;
}

static bool make_and_hear_child(void) {
    int ends[2];
    if (pipe(ends) != 0) {
        return itrh_fail(&words.host, 0, "no pipe") == 0;
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        be_child(ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        return itrh_fail(&words.host, 0, "no child") == 0;
    }
    read_words(ends[0]);
    close(ends[0]);
    if (words.hung) {
        kill(child, SIGKILL);
    }
    if (waitpid(child, &words.status, 0) != child) {
        return itrh_fail(&words.host, errno, "waitpid") == 0;
    }
    if (WIFEXITED(words.status) && WEXITSTATUS(words.status) == CHILD_SETUP_CODE) { /* no word of the library's */
        return itrh_fail(&words.host, 0, "the child cannot load the library, or send itself signals") == 0;
    }
    return true;
}

/* ---- what they say ---- */

/* The first line from `from` on that begins so; NULL: none. */
static const char *line_from(const char *from, const char *beginning) {
    size_t length = strlen(beginning);
    while (from != NULL && *from != '\0') {
        if (strncmp(from, beginning, length) == 0) {
            return from;
        }
        from = strchr(from, '\n');
        from = from != NULL ? from + 1 : NULL;
    }
    return NULL;
}

static const char *line_of(const char *beginning) {
    return line_from(words.text, beginning);
}

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

/* A call is followed by its place, a line that begins with a tab; so is a "created by". */
static bool needs_place(const char *line, size_t length) {
    return (length > 0 && line[length - 1] == ')') || strncmp(line, "created by ", 11) == 0;
}

/* The first line of a traceback, its header left out, that is not as it should be; NULL: all are. `*end` is what comes after it. */
static const char *broken_line(const char *line, const char **end) {
    bool place_is_due = false;
    while (*line != '\0' && *line != '\n') {
        const char *newline = strchr(line, '\n');
        if (newline == NULL || (*line != '\t' && place_is_due)) {
            return line;
        }
        bool is_call = *line != '\t' && needs_place(line, (size_t)(newline - line));
        bool is_remark = strncmp(line, "...", 3) == 0 || strncmp(line, "\tgoroutine running on other thread", 34) == 0;
        if (!is_call && !is_remark && !place_is_due) {
            return line;
        }
        place_is_due = is_call;
        line = newline + 1;
    }
    *end = line;
    return place_is_due ? line : NULL;
}

/* Every traceback that was begun is whole. The number of them; `*broken` is a line that is not as it should be. */
static unsigned count_tracebacks(const char **broken) {
    unsigned count = 0;
    const char *at = words.text;
    *broken = NULL;
    while ((at = line_from(at, "goroutine ")) != NULL && *broken == NULL) {
        const char *header = strchr(at, '\n');
        count++;
        *broken = header == NULL || header[-1] != ':' ? at : broken_line(header + 1, &at);
    }
    return count;
}

/* The traceback that begins at `at` has a line that begins so. */
static bool traceback_has(const char *at, const char *beginning) {
    const char *after = at != NULL ? strstr(at, "\n\n") : NULL;
    const char *line = line_from(at, beginning);
    return line != NULL && (after == NULL || line < after);
}

/* The first traceback that has such a line; NULL: none has. */
static const char *traceback_with(const char *beginning) {
    const char *at = line_of("goroutine ");
    while (at != NULL && !traceback_has(at, beginning)) {
        at = line_from(strchr(at, '\n'), "goroutine ");
    }
    return at;
}

/* The runtime's own functions are on all stacks. Of a goroutine that has no others they are shown at each level, so one is
 * looked at that has others. */
static void check_level(const char *first, bool others_due) {
    struct itrh_host *host = &words.host;
    const char *other = traceback_with(setting("INITRACE_WORDS_OTHER"));
    bool inner = traceback_has(first, "runtime.") || traceback_has(other, "runtime.");
    itrh_check(host, (other != NULL) == others_due, "others-by-level", "another goroutine is %s at level %s",
               other != NULL ? "shown" : "not shown", level_words[words.level]);
    if (words.kind == KIND_PANIC) {
        itrh_check(host, inner == (words.level >= LEVEL_SYSTEM), "runtime-by-level", "the runtime's own frames are %s at level %s",
                   inner ? "shown" : "not shown", level_words[words.level]);
    }
}

static void check_traceback(void) {
    struct itrh_host *host = &words.host;
    const char *broken = NULL;
    unsigned count = count_tracebacks(&broken);
    itrh_check(host, (count > 0) == (words.level != LEVEL_NONE), "goroutines-by-level", "%u at level %s", count, level_words[words.level]);
    itrh_check(host, broken == NULL, "whole-tracebacks", "%.80s", broken != NULL ? broken : "");
    if (count == 0) {
        return;
    }
    const char *first = line_of("goroutine ");
    itrh_check(host, traceback_has(first, setting("INITRACE_WORDS_FUNCTION")), "says-where", "the first goroutine is not in the function that failed");
    itrh_check(host, traceback_has(first, setting("INITRACE_WORDS_BOTTOM")) || traceback_has(first, "...additional frames elided..."),
               "to-the-bottom", "its traceback ends elsewhere, and does not say that it is cut");
    check_level(first, words.kind == KIND_THROW || words.level >= LEVEL_ALL);
}

static void check(void) {
    struct itrh_host *host = &words.host;
    bool returned = WIFEXITED(words.status) && WEXITSTATUS(words.status) == CHILD_CODE;
    itrh_check(host, !words.hung, "child-ends", "it went on for %d ms and printed no more", PATIENCE_MS);
    itrh_check(host, returned == (words.kind == KIND_RETURNS), "call-returns", "wait status 0x%x", (unsigned)words.status);
    itrh_check(host, words.length < WORDS_MAX, "words-end", "more than %d bytes", WORDS_MAX);
    if (words.kind == KIND_RETURNS) {
        itrh_check(host, words.length == 0, "says-nothing", "it printed %zu bytes", words.length);
        return;
    }
    itrh_check(host, line_of(setting("INITRACE_WORDS_MESSAGE")) != NULL, "says-why", "no line begins \"%s\"", setting("INITRACE_WORDS_MESSAGE"));
    check_traceback();
}

int main(int argc, char **argv) {
    struct itrh_host *host = &words.host;
    if (!itrh_open(host, argc > 1 ? argv[1] : NULL, "InitraceProbe")) {
        return ITRH_EXIT_SETUP;
    }
    int kind = life_word(host, "INITRACE_WORDS_KIND", kind_words);
    int level = life_word(host, "GOTRACEBACK", level_words);
    if (kind < 0 || level < 0) {
        return ITRH_EXIT_SETUP;
    }
    words.kind = (enum kind)kind;
    words.level = (enum level)level;
    itrh_mark(host, ITR_PHASE_HANDLERS_READY);
    if (!itrh_arm(host) || !make_and_hear_child()) {
        return ITRH_EXIT_SETUP;
    }
    itrh_mark(host, ITR_PHASE_LOAD_BEGIN);
    itrh_mark(host, ITR_PHASE_LOAD_RETURNED);
    itrh_mark(host, ITR_PHASE_CALL_BEGIN);
    itrh_mark(host, ITR_PHASE_INIT_DONE);
    check();
    itrh_wait(host);
    return itrh_finish(host);
}
