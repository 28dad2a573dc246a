/* Reads the command line and the environment by one table. It checks words one by one; what fits together
 * is for the command to say. */
#include "framework/options.h"

#include "framework/layout.h"
#include "framework/point.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ITEMS: like LIST, but a comma is part of the item. */
enum kind { FLAG, WORD, LIST, ITEMS, NUMBER, TIME, SPAN, FORMAT, SIDE, REAL };

#define RUN (1u << ITR_COMMAND_RUN)
#define LOCATE (1u << ITR_COMMAND_LOCATE)
#define LISTING (1u << ITR_COMMAND_LIST)
#define REPLAY (1u << ITR_COMMAND_REPLAY)
#define REPORT (1u << ITR_COMMAND_REPORT)
#define TRIAGE (1u << ITR_COMMAND_TRIAGE)
#define DOCTOR (1u << ITR_COMMAND_DOCTOR)
#define COMPARE (1u << ITR_COMMAND_COMPARE)
#define BUILD (1u << ITR_COMMAND_BUILD)
#define BISECT (1u << ITR_COMMAND_BISECT)
#define MATRIX (1u << ITR_COMMAND_MATRIX)
#define ARMED (RUN | LOCATE | REPLAY | MATRIX)
#define NOWHERE ((size_t)-1)

struct option {
    const char *name;
    const char *argument; /* NULL: a flag; with a [ before it: it may be left out */
    unsigned commands;
    enum kind kind;
    size_t value; /* offset of the value in struct itr_options */
    size_t given; /* offset of the flag that says it was given */
    const char *help;
};

#define AT(field) offsetof(struct itr_options, field)

static const struct option table[] = {
    {"at", "POINT", RUN | COMPARE | BISECT | MATRIX, LIST, AT(at), NOWHERE,
     "where to fire: time, PHASE[+TIME], CALL#N, SYMBOL[+OFFSET][#N][@main|@init], or a name of the case's own; may be "
     "repeated"},
    {"sweep", "WHAT", RUN | LOCATE, WORD, AT(sweep), NOWHERE,
     "fire at every function entry (functions) or every instruction (instructions) of a thread's start, --count times each (1)"},
    {"thread", "main|init", RUN | LOCATE, WORD, AT(thread), NOWHERE, "the thread that --sweep traces (init: the library's first)"},
    {"watch", "SYMBOL[:SIZE]", RUN | LOCATE, LIST, AT(watch), NOWHERE,
     "record every write to a variable of the library, by a hardware watchpoint; may be repeated (twice)"},
    {"chaos", NULL, RUN, FLAG, AT(chaos), NOWHERE,
     "perturb the scheduling of the hosts' threads, from the seed, under the debugger"},
    {"gate", NULL, RUN, FLAG, AT(gate), NOWHERE,
     "fire at SYMBOL[+OFFSET][@THREAD] without a debugger: the host writes a jump there, for the first time it is reached (Windows)"},
    {"record", "HOW", RUN, WORD, AT(record), NOWHERE, "run each host under rr record --chaos (rr) and keep the packed trace of a trial that is not as expected; without exact points, --watch and --chaos (Linux)"},
    {"axes", "quick|all|base", RUN | MATRIX, WORD, AT(axes), NOWHERE,
     "combinations of the case's axes: the first value of each, and each other value alone (quick); the full product (all); the first "
     "of each (base) (quick)"},
    {"axis", "NAME=VALUE,…", RUN | LOCATE | COMPARE | BISECT | MATRIX, ITEMS, AT(axis), NOWHERE,
     "only these values of that axis; one value for locate, compare and bisect; may be repeated"},
    {"count", "N", RUN | LOCATE | REPLAY | MATRIX, NUMBER, AT(count), AT(has_count), "trials of each cell (1000; of each place of a sweep: 1, of locate: 2; replay: 1; matrix: 40, at random times 300)"},
    {"duration", "TIME", RUN, TIME, AT(duration_ns), NOWHERE, "instead of --count: so long for each cell"},
    {"until-fail", NULL, RUN, FLAG, AT(until_fail), NOWHERE, "end a cell with its first trial that is not as expected"},
    {"jobs", "J", RUN | LOCATE | COMPARE | BISECT | MATRIX, NUMBER, AT(jobs), NOWHERE, "trials at a time (the number of processors)"},
    {"seed", "S", RUN | LOCATE | COMPARE | BISECT | MATRIX, NUMBER, AT(seed), AT(has_seed), "seed of all random choices (random; it is printed)"},
    {"go", "VERSION|ROOT", ARMED, LIST, AT(go), NOWHERE,
     "only these Go versions (1.26, go1.26.10), or a GOROOT, built first if need be; may be repeated (all that were built)"},
    {"recipe", "NAME", ARMED, LIST, AT(recipes), NOWHERE,
     "change the runtime of each Go by this edit recipe, a name of the built-in ones or a file; may be repeated"},
    {"patch", "FILE", ARMED, ITEMS, AT(patches), NOWHERE, "change the sources of each Go by this unified diff; may be repeated"},
    {"overlay", "FILE", ARMED, WORD, AT(overlay), NOWHERE, "change them by this file of go build -overlay, before recipes and patches"},
    {"build-flag", "WORD", ARMED, ITEMS, AT(build_flags), NOWHERE,
     "give go build this flag for the libraries, in one word: -race, \"-gcflags=all=-N -l\"; may be repeated"},
    {"system", "linux|windows", BUILD, WORD, AT(system), NOWHERE, "whose libraries to build (this system's)"},
    {"into", "PREFIX", BUILD, WORD, AT(into), NOWHERE, "the build tree or installation they are for (the program's own)"},
    {"controls", NULL, RUN, FLAG, AT(all_controls), NOWHERE, "run the case's controls too"},
    {"control", "NAME", RUN, LIST, AT(controls), NOWHERE, "run this control too; may be repeated"},
    {"only-controls", NULL, RUN, FLAG, AT(only_controls), NOWHERE, "run the chosen controls, not the case itself"},
    {"control-count", "N", RUN | COMPARE | BISECT | MATRIX, NUMBER, AT(control_count), NOWHERE, "trials of each control (as --count; matrix: 15)"},
    {"event", "EVENT", RUN | LOCATE | COMPARE | BISECT, WORD, AT(event), NOWHERE, "fire this event instead of the case's: SIGUSR1, CTRL_BREAK, …"},
    {"delivery", "HOW", RUN | LOCATE | COMPARE | BISECT, WORD, AT(delivery), NOWHERE,
     "kill, tgkill, sigqueue, timer (Linux), console, ctrl-routine (Windows)"},
    {"target", "THREAD", RUN | LOCATE | COMPARE | BISECT, WORD, AT(target), NOWHERE, "process, main, caller or init"},
    {"env", "K=V", RUN | LOCATE | MATRIX, ITEMS, AT(environment), NOWHERE, "set a variable for the hosts; may be repeated"},
    {"window", "FROM..TO", RUN, SPAN, AT(window_from_ns), AT(has_window),
     "fire within this span after load-begin (0us..3ms) instead of the calibrated one"},
    {"hold", "TIME", RUN | LOCATE | COMPARE | BISECT, TIME, AT(hold_ns), AT(has_hold), "longest time a thread is held at a call or a symbol for the event's effect (the case's; 200ms at a symbol)"},
    {"deadline", "TIME", RUN | LOCATE | COMPARE | BISECT | MATRIX, TIME, AT(deadline_ns), NOWHERE, "longest life of a host"},
    {"evidence", "N", RUN, NUMBER, AT(evidence), NOWHERE,
     "of each signature's first N failing trials take evidence: of a host that hangs before its end, else by firing the trial "
     "again under a debugger, uncounted (1; 0: none)"},
    {"core-limit", "MIB", RUN, NUMBER, AT(core_limit_mib), NOWHERE, "longest core file in that evidence (32; 0: none)"},
    {"core-total", "MIB", RUN, NUMBER, AT(core_total_mib), NOWHERE, "room for all of them: the oldest are removed (512)"},
    {"keep-hung", "[=N]", RUN, NUMBER, AT(keep_hung), NOWHERE,
     "leave the first N hosts that hang running (1, if no N is given) and print how to attach to them and how to end them "
     "(0: none)"},
    {"no-exception-record", NULL, RUN | LOCATE | COMPARE | BISECT, FLAG, AT(no_exception_record), NOWHERE,
     "install no vectored exception handler in the host (Windows)"},
    {"host", "PROGRAM", RUN | LOCATE, WORD, AT(host), NOWHERE, "without a case: this host program (library_host)"},
    {"library", "FILE", RUN | LOCATE, WORD, AT(library), NOWHERE, "without a case: the library to load"},
    {"function", "NAME", RUN | LOCATE, WORD, AT(function), NOWHERE, "without a case: int NAME(void), called after the load"},
    {"output", "DIR", RUN | LOCATE | COMPARE | BISECT | MATRIX, WORD, AT(output), NOWHERE, "the campaign's folder (initrace-CASE-SEED)"},
    {"resume", NULL, RUN | COMPARE | BISECT | MATRIX, FLAG, AT(resume), NOWHERE, "go on with the campaign in --output DIR"},
    {"keep", "N", RUN | LOCATE | COMPARE | BISECT | MATRIX, NUMBER, AT(keep), NOWHERE, "failure folders kept for each signature of a cell (3)"},
    {"cores", "MIB", RUN, NUMBER, AT(core_mib), NOWHERE, "keep core files up to this size in failure folders (0: none)"},
    {"cases", "DIR", RUN | LOCATE | COMPARE | BISECT | MATRIX | LISTING | DOCTOR, WORD, AT(cases), NOWHERE, "folder of cases instead of the built-in ones"},
    {"known", NULL, LISTING, FLAG, AT(known), NOWHERE, "show the known failures that triage recognises, instead of the cases"},
    {"database", "DIR", LISTING | TRIAGE, WORD, AT(database), NOWHERE, "folder of known failures instead of the built-in one"},
    {"format", "text|json", RUN | LOCATE | COMPARE | BISECT | MATRIX | REPLAY | LISTING | REPORT | DOCTOR | TRIAGE | BUILD, FORMAT, AT(json), NOWHERE, "form of the result on stdout (text); triage: also watchflakes, compare and matrix: markdown"},
    {"quiet", NULL, RUN | LOCATE | COMPARE | BISECT | MATRIX, FLAG, AT(quiet), NOWHERE, "no progress on stderr"},
    {"debug", "[=before|after]", REPLAY, SIDE, AT(debug), NOWHERE,
     "leave the host stopped at its exact point, before or after (after) the event is sent, and open gdb on a terminal (Linux)"},
    {"no-gdb", NULL, REPLAY, FLAG, AT(no_gdb), NOWHERE,
     "with --debug: open no gdb; the host is held until Enter or the end of standard input"},
    {"baseline", "ARM", COMPARE, WORD, AT(baseline), NOWHERE,
     "the arm that fails: GO[,recipe=NAME][,patch=FILE][,overlay=FILE][,flag=WORD][,env=K=V][,library=FILE][,name=LABEL]"},
    {"candidate", "ARM", COMPARE, ITEMS, AT(candidates), NOWHERE, "an arm that may be fixed; may be repeated (up to 8)"},
    {"alpha", "CHANCE", COMPARE | BISECT | MATRIX, REAL, AT(alpha), NOWHERE,
     "accepted chance of a false \"fixed\", and of a false \"worse\"; bisect --step: of a false \"new\"; matrix: to mark anything where no version differs (0.01)"},
    {"beta", "CHANCE", COMPARE | BISECT, REAL, AT(beta), NOWHERE, "accepted chance to miss a true drop or rise; bisect --step: of a false \"old\" (0.01)"},
    {"factor", "F", COMPARE, REAL, AT(factor), NOWHERE, "a drop of F times or more is a fix (10)"},
    {"p0", "RATE", COMPARE, REAL, AT(rate_0), NOWHERE, "instead of --factor, with --p1: the baseline's rate, from 0 to 1"},
    {"p1", "RATE", COMPARE, REAL, AT(rate_1), NOWHERE, "a candidate at or below this rate is fixed"},
    {"budget", "N", COMPARE | BISECT, NUMBER, AT(budget), NOWHERE,
     "most trials of each candidate at a point (enough for 99 of 100 comparisons, by a pilot); bisect: of all arms (10000)"},
    {"baselines", "N", COMPARE, NUMBER, AT(baselines), NOWHERE,
     "trials of the baseline a round, beside one of each candidate (60 trials of a candidate suffice, or fewest in all, by a pilot)"},
    {"guard-count", "N", COMPARE, NUMBER, AT(guard_count), NOWHERE, "trials of each other case and arm (100)"},
    {"no-guard", NULL, COMPARE, FLAG, AT(no_guard), NOWHERE, "do not test the other cases"},
    {"signature", "PATTERN", BISECT, WORD, AT(signature), NOWHERE, "the failures that are followed, * for any characters (any failure)"},
    {"change", "rise|drop|either", BISECT, WORD, AT(change), NOWHERE, "which way the rate goes from the oldest arm to the newest (either)"},
    {"sure", "CHANCE", BISECT, REAL, AT(sure), NOWHERE, "end when one place has this chance (0.99)"},
    {"step", NULL, BISECT, FLAG, AT(step), NOWHERE,
     "judge one arm, for git bisect run: exit with 0 if it is as the old ones, 1 as the new ones, 125 if it cannot be told"},
    {"old-rate", "RATE", BISECT, REAL, AT(rate_old), NOWHERE, "with --step: how often the old ones fail, above 0, up to 1"},
    {"new-rate", "RATE", BISECT, REAL, AT(rate_new), NOWHERE, "with --step: how often the new ones fail"},
    {"match-lines", NULL, BISECT, FLAG, AT(match_lines), NOWHERE,
     "with --step: pass the hosts' lines with [bisect-match 0x on to stderr, each once, for Go's bisect"},
    {"help", NULL, ~0u, FLAG, AT(help), NOWHERE, "this help"},
    {"version", NULL, ~0u, FLAG, AT(version), NOWHERE, "the version"},
};

static const struct {
    const char *name;
    enum itr_command command;
    const char *words;
    const char *help;
} commands[] = {
    {"list", ITR_COMMAND_LIST, "[CASE] | --known", "show the cases, or all about one; or the known failures"},
    {"run", ITR_COMMAND_RUN, "CASE… | --library FILE | --resume --output DIR", "run a campaign"},
    {"locate", ITR_COMMAND_LOCATE, "CASE | --library FILE --event EVENT", "find the window in which an event fails, to the instruction"},
    {"replay", ITR_COMMAND_REPLAY, "DIR TRIAL", "fire the shot of a recorded trial again"},
    {"report", ITR_COMMAND_REPORT, "DIR…", "report campaigns from their folders, also unfinished ones"},
    {"triage", ITR_COMMAND_TRIAGE, "FILE…|-", "tell what a crash text says: what died, where, signature, known failure"},
    {"compare", ITR_COMMAND_COMPARE, "CASE… --baseline ARM --candidate ARM", "tell whether a changed runtime is fixed, and not worse elsewhere"},
    {"bisect", ITR_COMMAND_BISECT, "CASE ARM ARM… | --step CASE ARM --old-rate P --new-rate P",
     "find the arm, of an ordered list, at which the failure rate changes"},
    {"matrix", ITR_COMMAND_MATRIX, "[CASE…] | --resume --output DIR",
     "run all cases of this system, or these, at all their points with all Go versions: one table a case, changes between versions marked"},
    {"build", ITR_COMMAND_BUILD, "ARM…", "build the libraries of GO[,recipe=NAME][,patch=FILE][,overlay=FILE][,flag=WORD], if they are not there"},
    {"doctor", ITR_COMMAND_DOCTOR, "", "what this machine can do, and how to mend what it cannot"},
};

static const struct option *find_option(const char *name, size_t length) {
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strlen(table[i].name) == length && strncmp(table[i].name, name, length) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

/* False: memory was refused. */
static bool add_word(struct itr_strings *strings, const char *text, size_t length) {
    char **grown = realloc(strings->items, (strings->count + 1) * sizeof *grown);
    char *copy = malloc(length + 1);
    if (grown != NULL) {
        strings->items = grown;
    }
    if (grown == NULL || copy == NULL) {
        free(copy);
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    strings->items[strings->count++] = copy;
    return true;
}

/* False: there is nothing in it, or `*no_memory`. */
static bool add_item(struct itr_strings *strings, const char *text, bool *no_memory) {
    *no_memory = text[0] != '\0' && !add_word(strings, text, strlen(text));
    return text[0] != '\0' && !*no_memory;
}

/* Lists may be written in one, with commas. False: as above. */
static bool add_list(struct itr_strings *strings, const char *text, bool *no_memory) {
    bool any = false;
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        if (length > 0 && !add_word(strings, text, length)) {
            *no_memory = true;
            return false;
        }
        any = any || length > 0;
        text += length + (text[length] == ',' ? 1 : 0);
    }
    return any; /* an empty list would mean "all", which nobody who wrote it meant */
}

static bool read_number(const char *text, uint64_t *out) {
    char *end = NULL;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    *out = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
    return *end == '\0' && errno == 0;
}

/* A plain decimal number above 0. */
static bool read_real(const char *text, double *out) {
    char *end = NULL;
    if (text[0] == '\0' || text[strspn(text, "0123456789.eE-")] != '\0' || text[0] == '-') {
        return false;
    }
    *out = strtod(text, &end);
    return *end == '\0' && *out > 0 && *out <= 1e9;
}

static bool read_span(const char *text, uint64_t *from_to) {
    char from[64];
    const char *dots = strstr(text, "..");
    if (dots == NULL || (size_t)(dots - text) >= sizeof from) {
        return false;
    }
    memcpy(from, text, (size_t)(dots - text));
    from[dots - text] = '\0';
    return itr_duration_parse(from, &from_to[0]) && itr_duration_parse(dots + 2, &from_to[1]) &&
           from_to[0] < from_to[1];
}

_Static_assert(AT(window_to_ns) == AT(window_from_ns) + sizeof(uint64_t), "a span is two neighbours");

static bool may_be_left_out(const struct option *option) {
    return option->argument != NULL && option->argument[0] == '[';
}

static bool set_value(struct itr_options *options, const struct option *option, const char *text, bool *no_memory) {
    void *value = (char *)options + option->value;
    switch (option->kind) {
    case FLAG:
        *(bool *)value = true;
        return true;
    case WORD:
        *(const char **)value = text;
        return text[0] != '\0';
    case LIST:
        return add_list(value, text, no_memory);
    case ITEMS:
        return add_item(value, text, no_memory);
    case NUMBER:
        return read_number(text, value);
    case TIME:
        return itr_duration_parse(text, value);
    case SPAN:
        return read_span(text, value);
    case FORMAT:
        *(bool *)value = strcmp(text, "json") == 0;
        options->watchflakes = strcmp(text, "watchflakes") == 0;
        options->markdown = strcmp(text, "markdown") == 0;
        return options->json || options->watchflakes || options->markdown || strcmp(text, "text") == 0;
    case SIDE:
        *(const char **)value = text;
        return strcmp(text, "before") == 0 || strcmp(text, "after") == 0;
    case REAL:
        return read_real(text, value);
    }
    return false;
}

static enum itr_status set_option(struct itr_options *options, const struct option *option, const char *from,
                                  const char *text, struct itr_error *err) {
    static const char *const expected[] = {
        [FLAG] = "",
        [WORD] = "a word",
        [LIST] = "a word",
        [ITEMS] = "a word",
        [NUMBER] = "a whole number",
        [TIME] = "a length of time such as 60ms or 10s",
        [SPAN] = "two lengths of time such as 0us..3ms",
        [FORMAT] = "text or json",
        [SIDE] = "before or after",
        [REAL] = "a number above 0",
    };
    bool no_memory = false;
    if (!set_value(options, option, text, &no_memory)) {
        if (no_memory) {
            return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory reading --%s", option->name);
        }
        return itr_fail(err, ITR_E_USAGE, 0, "%s%s \"%s\": expected %s", from, option->name, text,
                        expected[option->kind]);
    }
    if (option->given != NOWHERE) {
        *(bool *)((char *)options + option->given) = true;
    }
    return ITR_OK;
}

/* INITRACE_CONTROL_COUNT for --control-count; flags are on with 1. */
static enum itr_status read_twin(struct itr_options *options, const struct option *option, struct itr_error *err) {
    char name[64] = "INITRACE_";
    size_t used = strlen(name);
    for (const char *at = option->name; *at != '\0' && used + 1 < sizeof name; at++) {
        name[used++] = *at == '-' ? '_' : (char)(*at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    }
    name[used] = '\0';
    const char *text = getenv(name);
    if (text == NULL || text[0] == '\0' || (option->kind == FLAG && strcmp(text, "0") == 0)) {
        return ITR_OK;
    }
    if (option->kind == FLAG && strcmp(text, "1") != 0) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s=%s: expected 0 or 1", name, text);
    }
    snprintf(name + strlen(name), sizeof name - strlen(name), " for --");
    return set_option(options, option, name, text, err);
}

static enum itr_status read_command(struct itr_options *options, const char *word, struct itr_error *err) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(commands[i].name, word) == 0) {
            options->command = commands[i].command;
            return ITR_OK;
        }
    }
    if (strcmp(word, "help") == 0) {
        options->help = true;
        return ITR_OK;
    }
    return itr_fail(err, ITR_E_USAGE, 0, "%s: no such command; initrace --help lists them", word);
}

/* A reason, where an option has one that is worth a word. */
static const char *why_not_here(const struct option *option) {
    return strcmp(option->name, "gate") == 0 ? ": locate needs the debugger, and replay fires a gate's trial as it was fired" : "";
}

struct reading {
    struct itr_options *options;
    bool given[sizeof table / sizeof table[0]];
    struct itr_error *err;
};

static enum itr_status read_option(struct reading *reading, int argc, char **argv, int *at) {
    const char *name = argv[*at] + 2;
    size_t length = strcspn(name, "=");
    const struct option *option = find_option(name, length);
    const char *text = "";
    if (option == NULL) {
        return itr_fail(reading->err, ITR_E_USAGE, 0, "--%.*s: no such option; initrace --help lists them", (int)length,
                        name);
    }
    if (reading->options->command != ITR_COMMAND_NONE &&
        (option->commands & (1u << reading->options->command)) == 0) {
        return itr_fail(reading->err, ITR_E_USAGE, 0, "--%s does not go with this command%s", option->name,
                        why_not_here(option));
    }
    if (option->argument == NULL && name[length] == '=') {
        return itr_fail(reading->err, ITR_E_USAGE, 0, "--%s takes no value", option->name);
    }
    if (option->argument != NULL && name[length] == '=') {
        text = name + length + 1;
    } else if (may_be_left_out(option)) {
        text = option->kind == NUMBER ? "1" : "after"; /* the next word is not its value: replay --debug DIR 0 */
    } else if (option->argument != NULL) {
        if (*at + 1 >= argc) {
            return itr_fail(reading->err, ITR_E_USAGE, 0, "--%s: expected %s after it", option->name, option->argument);
        }
        text = argv[++*at];
    }
    reading->given[option - table] = true;
    return set_option(reading->options, option, "--", text, reading->err);
}

/* The command line wins: --duration there silences the twin of --count, and the other way round. */
static void settle_twins(struct reading *reading, const struct itr_options *options) {
    if (options->command == ITR_COMMAND_RUN && (options->has_count || options->duration_ns > 0)) {
        reading->given[find_option("count", 5) - table] = true;
        reading->given[find_option("duration", 8) - table] = true;
    }
}

enum itr_status itr_options_read(struct itr_options *options, int argc, char **argv, struct itr_error *err) {
    struct reading reading = {.options = options, .err = err};
    enum itr_status status = ITR_OK;
    bool only_words = false;
    *options = (struct itr_options){.keep = 3, .evidence = 1, .core_limit_mib = 32, .core_total_mib = 512};
    for (int i = 1; i < argc && status == ITR_OK; i++) {
        if (!only_words && strcmp(argv[i], "--") == 0) {
            only_words = true;
        } else if (!only_words && strcmp(argv[i], "-h") == 0) {
            options->help = true;
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] == '-') {
            status = read_option(&reading, argc, argv, &i);
        } else if (!only_words && argv[i][0] == '-' && argv[i][1] != '\0') {
            status = itr_fail(err, ITR_E_USAGE, 0, "%s: no such option; initrace --help lists them", argv[i]);
        } else if (options->command == ITR_COMMAND_NONE && !options->help) {
            status = read_command(options, argv[i], err);
        } else if (!add_word(&options->words, argv[i], strlen(argv[i]))) {
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        }
    }
    settle_twins(&reading, options);
    for (size_t i = 0; i < sizeof table / sizeof table[0] && status == ITR_OK; i++) {
        bool goes = options->command == ITR_COMMAND_NONE || (table[i].commands & (1u << options->command)) != 0;
        if (reading.given[i] && !goes) { /* it stood before the command */
            status = itr_fail(err, ITR_E_USAGE, 0, "--%s does not go with this command%s", table[i].name,
                              why_not_here(&table[i]));
        } else if (!reading.given[i] && (table[i].commands & (1u << options->command)) != 0 && table[i].commands != ~0u) {
            status = read_twin(options, &table[i], err);
        }
    }
    if (status == ITR_OK && options->watchflakes && options->command != ITR_COMMAND_TRIAGE) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--format \"watchflakes\": expected text or json; it is triage's alone");
    }
    if (status == ITR_OK && options->markdown && options->command != ITR_COMMAND_COMPARE && options->command != ITR_COMMAND_BISECT &&
        options->command != ITR_COMMAND_MATRIX) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--format \"markdown\": expected text or json; it is for compare, bisect and matrix");
    }
    if (status != ITR_OK) {
        itr_options_release(options);
    }
    return status;
}

void itr_options_release(struct itr_options *options) {
    itr_layout_release(&options->words);
    itr_layout_release(&options->at);
    itr_layout_release(&options->go);
    itr_layout_release(&options->go_labels);
    itr_layout_release(&options->controls);
    itr_layout_release(&options->environment);
    itr_layout_release(&options->recipes);
    itr_layout_release(&options->patches);
    itr_layout_release(&options->build_flags);
    itr_layout_release(&options->watch);
    itr_layout_release(&options->candidates);
    itr_layout_release(&options->axis);
}

void itr_options_help(struct itr_text *out, enum itr_command command) {
    if (command == ITR_COMMAND_NONE) {
        itr_text_add(out, "initrace reproduces races in the initialisation of a language runtime in a shared library.\n\n");
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (command == ITR_COMMAND_NONE || commands[i].command == command) {
            itr_text_printf(out, "%sinitrace %s %s\n    %s\n", command == ITR_COMMAND_NONE ? "  " : "Usage: ",
                            commands[i].name, commands[i].words, commands[i].help);
        }
    }
    if (command == ITR_COMMAND_NONE) {
        itr_text_add(out, "\ninitrace COMMAND --help shows a command's options. Each option has an environment twin: "
                          "INITRACE_COUNT for --count.\n"
                          "Exit codes: 0 as the cases expect, 1 a finding, 2 usage, 3 inconclusive, 4 the tool failed, "
                          "77 this machine cannot run it.\n");
        return;
    }
    itr_text_add(out, "\n");
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        char left[48];
        if ((table[i].commands & (1u << command)) == 0) {
            continue;
        }
        snprintf(left, sizeof left, "--%s%s%s", table[i].name, table[i].argument && !may_be_left_out(&table[i]) ? " " : "",
                 table[i].argument ? table[i].argument : "");
        itr_text_printf(out, "  %-22s %s\n", left, table[i].help);
    }
}
