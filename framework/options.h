/* The command line: one table says every option's name, argument, help text and which commands take it.
 * It does nothing but read words. */
#ifndef INITRACE_FRAMEWORK_OPTIONS_H
#define INITRACE_FRAMEWORK_OPTIONS_H

#include "framework/casefile.h"
#include "framework/error.h"
#include "framework/text.h"

#include <stdbool.h>
#include <stdint.h>

enum itr_command {
    ITR_COMMAND_NONE,
    ITR_COMMAND_LIST,
    ITR_COMMAND_RUN,
    ITR_COMMAND_LOCATE,
    ITR_COMMAND_REPLAY,
    ITR_COMMAND_REPORT,
    ITR_COMMAND_TRIAGE,
    ITR_COMMAND_DOCTOR,
    ITR_COMMAND_COMPARE,
    ITR_COMMAND_BUILD,
    ITR_COMMAND_MATRIX,
    ITR_COMMAND_BISECT,
};

struct itr_options {
    enum itr_command command;
    bool help;
    bool version;
    struct itr_strings words; /* what is no option: cases, folders, trials */

    struct itr_strings at;
    struct itr_strings go;
    struct itr_strings go_labels; /* of each of `go`, for people; itr_run_provide_go() makes them */
    struct itr_strings controls;
    struct itr_strings environment;
    struct itr_strings recipes; /* these four: an arm, for every --go */
    struct itr_strings patches;
    struct itr_strings build_flags;
    const char *overlay;
    const char *system; /* whose libraries build builds; NULL: this one's */
    const char *into;   /* prefix of the libraries; NULL: the program's own */
    bool all_controls;
    bool only_controls;
    const char *axes;         /* which combinations: quick, all, base; NULL: quick */
    struct itr_strings axis;  /* NAME=VALUE,VALUE */
    uint64_t count;
    bool has_count;
    uint64_t control_count;
    uint64_t duration_ns;
    bool until_fail;
    uint64_t jobs;
    uint64_t seed;
    bool has_seed;
    const char *event;
    const char *delivery;
    const char *target;
    bool has_window;
    uint64_t window_from_ns;
    uint64_t window_to_ns;
    bool has_hold;
    uint64_t hold_ns;
    uint64_t deadline_ns;
    const char *output;
    bool json;
    bool watchflakes; /* the third --format, of triage alone */
    bool markdown;    /* the same, of compare, bisect and matrix */
    bool quiet;
    bool resume;
    uint64_t keep;
    uint64_t core_mib;
    uint64_t evidence;
    uint64_t core_limit_mib;
    uint64_t core_total_mib;
    uint64_t keep_hung;
    bool no_exception_record;
    const char *host;
    const char *library;
    const char *function;
    const char *cases;
    bool known;
    const char *database; /* of known failures; NULL: the built-in one */
    const char *sweep;
    const char *thread;
    struct itr_strings watch;
    bool chaos;
    bool gate;
    const char *record; /* the recorder; NULL: none */
    const char *debug;  /* "before", "after"; NULL: not asked for */
    bool no_gdb;
    const char *baseline;          /* arms (arm.h) */
    struct itr_strings candidates;
    double alpha;                  /* 0: not given; the same for the next five */
    double beta;
    double factor;
    double rate_0;
    double rate_1;
    uint64_t budget;
    uint64_t baselines;
    uint64_t guard_count;
    bool no_guard;
    const char *signature; /* pattern of the failure that bisect follows; NULL: any */
    const char *change;    /* "rise", "drop", "either"; NULL: either */
    double sure;           /* 0: not given; the same for the next two */
    double rate_old;
    double rate_new;
    bool step;
    bool match_lines;
};

/* Reads argv and, for options not given there, their environment twins (INITRACE_COUNT for --count).
 * Strings are borrowed from both. On success give it to itr_options_release(). */
enum itr_status itr_options_read(struct itr_options *options, int argc, char **argv, struct itr_error *err) ITR_MUST_USE;
void itr_options_release(struct itr_options *options);

/* Help for a command, or for the program. */
void itr_options_help(struct itr_text *out, enum itr_command command);

#endif
