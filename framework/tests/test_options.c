/* Unit tests of options.c: every option from the command line and from its environment twin, and what is said
 * of those that cannot be. */
#include "framework/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { WORDS_MAX = 24 };

static struct itr_options options;
static struct itr_error error;

static int set_up(void **state) {
    (void)state;
    memset(&options, 0, sizeof options);
    memset(&error, 0, sizeof error);
    return 0;
}

/* Reads "initrace" and the words after it, up to a NULL. */
static enum itr_status read_words(const char *const *words) {
    char *argv[WORDS_MAX + 2] = {(char *)(uintptr_t) "initrace"};
    int argc = 1;
    while (words[argc - 1] != NULL) {
        assert_in_range(argc, 1, WORDS_MAX);
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
        argc++;
    }
    memset(&error, 0, sizeof error);
    return itr_options_read(&options, argc, argv, &error);
}

#define READ(...) read_words((const char *const[]){__VA_ARGS__, NULL})

static void assert_read(enum itr_status status) {
    if (status != ITR_OK) {
        fail_msg("refused: %s", error.text);
    }
}

static void assert_refused(enum itr_status status, const char *part, const char *other) {
    assert_int_equal(status, ITR_E_USAGE);
    assert_int_equal(error.status, ITR_E_USAGE);
    if (strstr(error.text, part) == NULL || strstr(error.text, other) == NULL) {
        fail_msg("neither \"%s\" nor \"%s\" in: %s", part, other, error.text);
    }
}

/* ---- commands and words ---- */

static void commands_have_names(void **state) {
    static const struct {
        const char *word;
        enum itr_command command;
    } rows[] = {{"list", ITR_COMMAND_LIST},
                {"run", ITR_COMMAND_RUN},
                {"locate", ITR_COMMAND_LOCATE},
                {"bisect", ITR_COMMAND_BISECT},
                {"replay", ITR_COMMAND_REPLAY},
                {"report", ITR_COMMAND_REPORT},
                {"triage", ITR_COMMAND_TRIAGE},
                {"doctor", ITR_COMMAND_DOCTOR},
                {"compare", ITR_COMMAND_COMPARE},
                {"build", ITR_COMMAND_BUILD},
                {"matrix", ITR_COMMAND_MATRIX}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_read(READ(rows[i].word, "a", "b"));
        assert_int_equal(options.command, rows[i].command);
        assert_int_equal(options.words.count, 2);
        assert_string_equal(options.words.items[1], "b");
        itr_options_release(&options);
    }
    assert_refused(READ("march"), "march: no such command", "--help");
}

static void arms_keep_their_commas(void **state) {
    (void)state;
    assert_read(READ("compare", "x", "--baseline", "1.26", "--candidate", "1.26,recipe=a,name=b", "--candidate=1.27", "--alpha", "0.05",
                     "--beta=1e-3", "--factor", "2", "--p0", "0.1", "--p1", ".01", "--budget", "500", "--guard-count", "20", "--no-guard",
                     "--format", "markdown"));
    assert_string_equal(options.baseline, "1.26");
    assert_int_equal(options.candidates.count, 2);
    assert_string_equal(options.candidates.items[0], "1.26,recipe=a,name=b");
    assert_true(options.alpha == 0.05 && options.beta == 1e-3 && options.factor == 2);
    assert_true(options.rate_0 == 0.1 && options.rate_1 == 0.01);
    assert_int_equal(options.budget, 500);
    assert_int_equal(options.guard_count, 20);
    assert_true(options.no_guard && options.markdown && !options.json);
    itr_options_release(&options);
    static const char *const wrong[] = {"", "0", "-1", "nan", "inf", "0x1", "1,5", "1e999", "1x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused(READ("compare", "x", "--alpha", wrong[i]), "--alpha", "a number above 0");
    }
    assert_refused(READ("run", "x", "--alpha", "0.1"), "--alpha", "does not go with this command");
    assert_read(READ("matrix", "--go", "1.26", "--recipe", "a", "--alpha", "0.05", "--format", "markdown"));
    assert_true(options.markdown && options.alpha == 0.05 && options.words.count == 0);
    itr_options_release(&options);
    assert_refused(READ("run", "x", "--format", "markdown"), "markdown", "for compare, bisect and matrix");
}

static void libraries_are_changed_by_options(void **state) {
    static const char *const taking[] = {"run", "locate", "replay"};
    static const char *const others[] = {"report", "build", "compare", "list"};
    static const char *const names[] = {"--recipe", "--patch", "--overlay", "--build-flag"};
    (void)state;
    for (size_t i = 0; i < sizeof taking / sizeof taking[0]; i++) {
        assert_read(READ(taking[i], "x", "--recipe", "a,b", "--recipe=c", "--patch", "a,b.diff", "--overlay", "o,p.json", "--build-flag",
                         "-gcflags=all=-N -l", "--build-flag=-tags=x,y"));
        assert_int_equal(options.recipes.count, 3);
        assert_string_equal(options.recipes.items[1], "b");
        assert_int_equal(options.patches.count, 1);
        assert_string_equal(options.patches.items[0], "a,b.diff");
        assert_string_equal(options.overlay, "o,p.json");
        assert_int_equal(options.build_flags.count, 2);
        assert_string_equal(options.build_flags.items[0], "-gcflags=all=-N -l");
        assert_string_equal(options.build_flags.items[1], "-tags=x,y");
        itr_options_release(&options);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
            assert_refused(READ(others[i], "x", names[k], "y"), names[k], "does not go with this command");
        }
    }
    assert_refused(READ("run", "x", "--recipe", ""), "--recipe", "expected a word");
    assert_refused(READ("run", "x", "--build-flag"), "--build-flag", "expected WORD after it");
    assert_read(READ("build", "1.26,recipe=a", "--system", "windows", "--into", "dir", "--format", "json"));
    assert_string_equal(options.words.items[0], "1.26,recipe=a");
    assert_string_equal(options.system, "windows");
    assert_string_equal(options.into, "dir");
    assert_true(options.json);
    itr_options_release(&options);
    assert_refused(READ("run", "x", "--system", "windows"), "--system", "does not go with this command");
}

static void without_options_there_are_defaults(void **state) {
    (void)state;
    assert_read(READ("run", "x"));
    assert_false(options.help || options.version || options.has_count || options.has_seed ||
                 options.has_window || options.has_hold || options.json || options.quiet ||
                 options.resume || options.until_fail || options.all_controls ||
                 options.only_controls || options.no_exception_record);
    assert_int_equal(options.keep, 3);
    assert_int_equal(options.jobs, 0);
    assert_null(options.output);
    itr_options_release(&options);
}

static void help_and_version_need_no_command(void **state) {
    (void)state;
    assert_read(READ("--help"));
    assert_true(options.help);
    assert_int_equal(options.command, ITR_COMMAND_NONE);
    itr_options_release(&options);
    assert_read(READ("-h"));
    assert_true(options.help);
    itr_options_release(&options);
    assert_read(READ("help"));
    assert_true(options.help);
    itr_options_release(&options);
    assert_read(READ("--version"));
    assert_true(options.version);
    itr_options_release(&options);
    assert_read(READ("run", "--help"));
    assert_true(options.help);
    assert_int_equal(options.command, ITR_COMMAND_RUN);
    itr_options_release(&options);
}

static void after_two_dashes_all_are_words(void **state) {
    (void)state;
    assert_read(READ("run", "--quiet", "--", "--count", "-x", "--"));
    assert_true(options.quiet);
    assert_int_equal(options.words.count, 3);
    assert_string_equal(options.words.items[0], "--count");
    assert_string_equal(options.words.items[2], "--");
    itr_options_release(&options);
    assert_read(READ("run", "-")); /* a name like any other */
    assert_int_equal(options.words.count, 1);
    itr_options_release(&options);
}

/* ---- every option ---- */

static bool is_word(const char *have, const char *wanted) {
    return have != NULL && strcmp(have, wanted) == 0;
}

static bool is_list(const struct itr_strings *have, const char *wanted) {
    char joined[256] = "";
    for (size_t i = 0; i < have->count; i++) {
        size_t used = strlen(joined);
        snprintf(joined + used, sizeof joined - used, "%s%s", i > 0 ? "|" : "", have->items[i]);
    }
    return strcmp(joined, wanted) == 0;
}

static bool at_is_read(void) {
    return is_list(&options.at, "W1|load-begin+1ms");
}
static bool sweep_is_read(void) {
    return is_word(options.sweep, "functions");
}
static bool thread_is_read(void) {
    return is_word(options.thread, "main");
}
static bool watch_is_read(void) {
    return is_list(&options.watch, "runtime.signalsOK:1|+0x40");
}
static bool chaos_is_read(void) {
    return options.chaos;
}
static bool gate_is_read(void) {
    return options.gate;
}
static bool record_is_read(void) {
    return is_word(options.record, "rr");
}
static bool count_is_read(void) {
    return options.has_count && options.count == 500;
}
static bool duration_is_read(void) {
    return options.duration_ns == UINT64_C(90000000000);
}
static bool until_fail_is_read(void) {
    return options.until_fail;
}
static bool jobs_is_read(void) {
    return options.jobs == 4;
}
static bool seed_is_read(void) {
    return options.has_seed && options.seed == UINT64_C(0xfedcba9876543210);
}
static bool go_is_read(void) {
    return is_list(&options.go, "1.26|/opt/go");
}
static bool axes_is_read(void) {
    return is_word(options.axes, "all");
}
static bool axis_is_read(void) {
    return is_list(&options.axis, "handler=after,none");
}
static bool controls_is_read(void) {
    return options.all_controls;
}
static bool control_is_read(void) {
    return is_list(&options.controls, "after-init|no-event");
}
static bool only_controls_is_read(void) {
    return options.only_controls;
}
static bool control_count_is_read(void) {
    return options.control_count == 20;
}
static bool event_is_read(void) {
    return is_word(options.event, "SIGUSR1");
}
static bool delivery_is_read(void) {
    return is_word(options.delivery, "tgkill");
}
static bool target_is_read(void) {
    return is_word(options.target, "main");
}
static bool env_is_read(void) {
    return is_list(&options.environment, "GODEBUG=a=1,b=2");
}
static bool window_is_read(void) {
    return options.has_window && options.window_from_ns == 500 && options.window_to_ns == 3000000;
}
static bool hold_is_read(void) {
    return options.has_hold && options.hold_ns == 60000000;
}
static bool deadline_is_read(void) {
    return options.deadline_ns == UINT64_C(2500000000);
}
static bool no_exception_record_is_read(void) {
    return options.no_exception_record;
}
static bool host_is_read(void) {
    return is_word(options.host, "/x/host");
}
static bool library_is_read(void) {
    return is_word(options.library, "/x/a,b.so");
}
static bool function_is_read(void) {
    return is_word(options.function, "Probe");
}
static bool output_is_read(void) {
    return is_word(options.output, "out dir");
}
static bool resume_is_read(void) {
    return options.resume;
}
static bool keep_is_read(void) {
    return options.keep == 0;
}
static bool cores_is_read(void) {
    return options.core_mib == 64;
}
static bool cases_is_read(void) {
    return is_word(options.cases, "/x/cases");
}
static bool format_is_read(void) {
    return options.json;
}
static bool quiet_is_read(void) {
    return options.quiet;
}

static const struct row {
    const char *name;
    const char *text; /* NULL: a flag */
    bool (*is_read)(void);
    const char *wrong; /* a value that is refused; NULL: none is */
    const char *expected;
} rows[] = {
    {"at", "W1,load-begin+1ms", at_is_read, "", "a word"},
    {"sweep", "functions", sweep_is_read, "", "a word"},
    {"thread", "main", thread_is_read, "", "a word"},
    {"watch", "runtime.signalsOK:1,+0x40", watch_is_read, ",", "a word"},
    {"chaos", NULL, chaos_is_read, NULL, NULL},
    {"gate", NULL, gate_is_read, NULL, NULL},
    {"record", "rr", record_is_read, "", "a word"},
    {"count", "500", count_is_read, "many", "a whole number"},
    {"duration", "1.5m", duration_is_read, "90", "a length of time"},
    {"until-fail", NULL, until_fail_is_read, NULL, NULL},
    {"jobs", "4", jobs_is_read, "-1", "a whole number"},
    {"seed", "0xfedcba9876543210", seed_is_read, "0x", "a whole number"},
    {"go", "1.26,/opt/go", go_is_read, ",", "a word"},
    {"axes", "all", axes_is_read, "", "a word"},
    {"axis", "handler=after,none", axis_is_read, "", "a word"},
    {"controls", NULL, controls_is_read, NULL, NULL},
    {"control", "after-init,no-event", control_is_read, "", "a word"},
    {"only-controls", NULL, only_controls_is_read, NULL, NULL},
    {"control-count", "20", control_count_is_read, "2 0", "a whole number"},
    {"event", "SIGUSR1", event_is_read, "", "a word"},
    {"delivery", "tgkill", delivery_is_read, "", "a word"},
    {"target", "main", target_is_read, "", "a word"},
    {"env", "GODEBUG=a=1,b=2", env_is_read, "", "a word"},
    {"window", "500ns..3ms", window_is_read, "3ms..500ns", "two lengths of time"},
    {"hold", "60ms", hold_is_read, "60", "a length of time"},
    {"deadline", "2.5s", deadline_is_read, "soon", "a length of time"},
    {"no-exception-record", NULL, no_exception_record_is_read, NULL, NULL},
    {"host", "/x/host", host_is_read, "", "a word"},
    {"library", "/x/a,b.so", library_is_read, "", "a word"},
    {"function", "Probe", function_is_read, "", "a word"},
    {"output", "out dir", output_is_read, "", "a word"},
    {"resume", NULL, resume_is_read, NULL, NULL},
    {"keep", "0", keep_is_read, "1k", "a whole number"},
    {"cores", "64", cores_is_read, "99999999999999999999", "a whole number"},
    {"cases", "/x/cases", cases_is_read, "", "a word"},
    {"format", "json", format_is_read, "xml", "text or json"},
    {"quiet", NULL, quiet_is_read, NULL, NULL},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static void every_option_is_read_from_the_command_line(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char option[64];
        char joined[128];
        snprintf(option, sizeof option, "--%s", rows[i].name);
        snprintf(joined, sizeof joined, "--%s=%s", rows[i].name,
                 rows[i].text != NULL ? rows[i].text : "");
        assert_read(rows[i].text != NULL ? READ("run", option, rows[i].text) : READ("run", option));
        if (!rows[i].is_read()) {
            fail_msg("%s was not read", option);
        }
        assert_int_equal(options.words.count, 0);
        itr_options_release(&options);
        if (rows[i].text != NULL) {
            assert_read(READ("run", joined, "case"));
            assert_true(rows[i].is_read());
            assert_int_equal(options.words.count, 1);
            itr_options_release(&options);
            assert_refused(READ("run", option), option, "expected");
            assert_refused(READ("run", "x", option), option, "after it");
        } else {
            assert_refused(READ("run", joined), option, "takes no value");
        }
    }
}

static void a_wrong_value_is_refused_with_the_option(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        char option[64];
        snprintf(option, sizeof option, "--%s \"%s\"", rows[i].name,
                 rows[i].wrong != NULL ? rows[i].wrong : "");
        if (rows[i].wrong != NULL) {
            char name[64];
            snprintf(name, sizeof name, "--%s", rows[i].name);
            assert_refused(READ("run", name, rows[i].wrong), option, rows[i].expected);
        }
    }
}

/* ---- the environment ---- */

/* Sets the twin of an option; putenv() keeps the string. NULL: takes it away. */
static void set_twin(const char *option, const char *text) {
    static char kept[ROWS][160];
    static size_t next;
    char *variable = kept[next++ % ROWS];
    size_t used = (size_t)snprintf(variable, sizeof kept[0], "INITRACE_");
    for (const char *at = option; *at != '\0'; at++) {
        variable[used++] = *at == '-' ? '_' : (char)(*at - 'a' + 'A');
    }
    snprintf(variable + used, sizeof kept[0] - used, "=%s", text != NULL ? text : "");
    assert_int_equal(putenv(variable), 0);
}

static void every_option_has_an_environment_twin(void **state) {
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        set_twin(rows[i].name, rows[i].text != NULL ? rows[i].text : "1");
        assert_read(READ("run", "case"));
        if (!rows[i].is_read()) {
            fail_msg("the twin of --%s was not read", rows[i].name);
        }
        itr_options_release(&options);
        set_twin(rows[i].name, NULL); /* empty is as good as not there */
        assert_read(READ("run", "case"));
        assert_false(rows[i].is_read());
        itr_options_release(&options);
    }
}

static void a_flags_twin_is_on_with_1_and_off_with_0(void **state) {
    (void)state;
    set_twin("until-fail", "0");
    assert_read(READ("run", "case"));
    assert_false(options.until_fail);
    itr_options_release(&options);
    set_twin("until-fail", "yes");
    assert_refused(READ("run", "case"), "INITRACE_UNTIL_FAIL=yes", "expected 0 or 1");
    set_twin("until-fail", NULL);
}

static void a_wrong_twin_is_refused_by_its_name(void **state) {
    (void)state;
    set_twin("control-count", "many");
    assert_refused(READ("run", "case"), "INITRACE_CONTROL_COUNT for --control-count \"many\"",
                   "a whole number");
    assert_read(READ("run", "case", "--control-count", "3")); /* it is not looked at then */
    assert_int_equal(options.control_count, 3);
    itr_options_release(&options);
    assert_read(READ("list")); /* nor where the option does not go with the command */
    itr_options_release(&options);
    set_twin("control-count", NULL);
}

static void the_command_line_wins(void **state) {
    (void)state;
    set_twin("count", "7");
    set_twin("at", "W1,W2");
    set_twin("format", "json");
    assert_read(READ("run", "case", "--count", "8", "--at", "time", "--format=text"));
    assert_int_equal(options.count, 8);
    assert_true(is_list(&options.at, "time")); /* instead of the twin's, not beside them */
    assert_false(options.json);
    itr_options_release(&options);
    set_twin("count", NULL);
    set_twin("at", NULL);
    set_twin("format", NULL);
}

/* One says how many, the other how long: the one that was typed counts. */
static void a_count_on_the_command_line_silences_the_twin_of_a_duration(void **state) {
    (void)state;
    set_twin("duration", "5m");
    assert_read(READ("run", "case", "--count", "8"));
    assert_int_equal(options.count, 8);
    assert_int_equal(options.duration_ns, 0);
    itr_options_release(&options);
    set_twin("duration", NULL);
    set_twin("count", "7");
    assert_read(READ("run", "case", "--duration", "1m"));
    assert_false(options.has_count);
    assert_int_equal(options.duration_ns, UINT64_C(60000000000));
    itr_options_release(&options);
    set_twin("count", NULL);
}

/* ---- what else ---- */

static void lists_grow_with_every_use(void **state) {
    (void)state;
    assert_read(
        READ("run", "--at", "a,b", "--at=c", "--at", "d,,e,", "--env", "A=1", "--env", "B=2,3"));
    assert_true(is_list(&options.at, "a|b|c|d|e"));
    assert_true(is_list(&options.environment, "A=1|B=2,3"));
    itr_options_release(&options);
}

static void the_last_of_several_values_counts(void **state) {
    (void)state;
    assert_read(
        READ("run", "--count", "1", "--count", "2", "--format", "json", "--format", "text"));
    assert_int_equal(options.count, 2);
    assert_false(options.json);
    itr_options_release(&options);
}

static void numbers_are_whole_and_fit(void **state) {
    static const char *const wrong[] = {
        "", "1.5", "1e3", "+1", " 1", "1 ", "0x", "0xg", "18446744073709551616", "١"};
    (void)state;
    assert_read(READ("run", "--seed", "18446744073709551615"));
    assert_true(options.seed == UINT64_MAX);
    itr_options_release(&options);
    assert_read(READ("run", "--seed", "010")); /* never octal */
    assert_int_equal(options.seed, 10);
    itr_options_release(&options);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused(READ("run", "--seed", wrong[i]), "--seed", "a whole number");
    }
}

static void windows_have_two_ends_in_order(void **state) {
    static const char *const wrong[] = {"",         "1ms",  "1ms..",         "..1ms",
                                        "1ms..1ms", "1..2", "1ms..2ms..3ms", "1ms-2ms"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused(READ("run", "--window", wrong[i]), "--window", "two lengths of time");
    }
}

/* The word after --debug is never its value: DIR and TRIAL may stand there. */
static void the_side_of_debug_may_be_left_out(void **state) {
    (void)state;
    assert_read(READ("replay", "--debug", "before", "1"));
    assert_string_equal(options.debug, "after");
    assert_int_equal(options.words.count, 2);
    itr_options_release(&options);
    assert_read(READ("replay", "d", "1", "--debug=before", "--no-gdb"));
    assert_string_equal(options.debug, "before");
    assert_true(options.no_gdb);
    itr_options_release(&options);
    assert_read(READ("replay", "d", "1"));
    assert_null(options.debug);
    itr_options_release(&options);
    assert_refused(READ("replay", "d", "1", "--debug=during"), "--debug \"during\"", "before or after");
    assert_refused(READ("replay", "d", "1", "--debug="), "--debug \"\"", "before or after");
    assert_refused(READ("run", "case", "--debug"), "--debug", "does not go with this command");
    set_twin("debug", "before");
    assert_read(READ("replay", "d", "1"));
    assert_string_equal(options.debug, "before");
    itr_options_release(&options);
    set_twin("debug", NULL);
}

/* The word after --keep-hung is never its value either: a case may stand there. */
static void how_many_are_kept_may_be_left_out(void **state) {
    (void)state;
    assert_read(READ("run", "case"));
    assert_int_equal(options.keep_hung, 0);
    itr_options_release(&options);
    assert_read(READ("run", "--keep-hung", "7"));
    assert_int_equal(options.keep_hung, 1);
    assert_int_equal(options.words.count, 1);
    itr_options_release(&options);
    assert_read(READ("run", "case", "--keep-hung=7"));
    assert_int_equal(options.keep_hung, 7);
    itr_options_release(&options);
    assert_refused(READ("run", "case", "--keep-hung="), "--keep-hung \"\"", "a whole number");
    assert_refused(READ("replay", "d", "1", "--keep-hung"), "--keep-hung", "does not go with this command");
}

/* locate takes what says where and how to fire, not what says for how long. */
static void locate_takes_its_own_options(void **state) {
    (void)state;
    assert_read(READ("locate", "case", "--sweep", "instructions", "--thread", "init", "--target", "main", "--count", "4", "--watch",
                     "runtime.signalsOK", "--go", "1.26", "--seed", "1", "--jobs", "2"));
    assert_string_equal(options.sweep, "instructions");
    assert_string_equal(options.target, "main");
    itr_options_release(&options);
    assert_refused(READ("locate", "case", "--at", "time"), "--at", "does not go with this command");
    assert_refused(READ("locate", "case", "--duration", "1s"), "--duration", "does not go with this command");
    assert_refused(READ("locate", "case", "--resume"), "--resume", "does not go with this command");
}

static void triage_has_a_form_of_its_own(void **state) {
    (void)state;
    assert_read(READ("triage", "--format", "watchflakes", "--database", "d", "-"));
    assert_true(options.watchflakes);
    assert_false(options.json);
    assert_true(is_word(options.database, "d"));
    assert_string_equal(options.words.items[0], "-");
    itr_options_release(&options);
    assert_read(READ("triage", "--format", "watchflakes", "--format", "json", "x"));
    assert_true(options.json);
    assert_false(options.watchflakes);
    itr_options_release(&options);
    assert_refused(READ("--format", "watchflakes", "run", "x"), "watchflakes", "text or json");
    assert_refused(READ("triage", "--known", "x"), "--known", "does not go with this command");
    assert_read(READ("list", "--known"));
    assert_true(options.known);
    itr_options_release(&options);
}

static void a_bisection_has_options_of_its_own(void **state) {
    (void)state;
    assert_read(READ("bisect", "x", "1.24", "1.26,recipe=a,name=b", "--signature", "crash *", "--change", "drop", "--sure", "0.999",
                     "--budget", "500", "--format", "markdown", "--resume", "--output", "d"));
    assert_int_equal(options.words.count, 3);
    assert_string_equal(options.words.items[2], "1.26,recipe=a,name=b");
    assert_true(is_word(options.signature, "crash *"));
    assert_true(is_word(options.change, "drop"));
    assert_true(options.sure == 0.999);
    assert_int_equal(options.budget, 500);
    assert_true(options.markdown);
    assert_false(options.step);
    itr_options_release(&options);
    assert_read(READ("bisect", "--step", "x", "1.24", "--old-rate", "0.001", "--new-rate=1e-1", "--match-lines", "--alpha", "0.05"));
    assert_true(options.step && options.match_lines);
    assert_true(options.rate_old == 0.001 && options.rate_new == 0.1 && options.alpha == 0.05);
    itr_options_release(&options);
    assert_refused(READ("bisect", "x", "--sure", "-1"), "--sure", "a number above 0");
    assert_refused(READ("compare", "x", "--step"), "--step", "does not go with this command");
    assert_refused(READ("bisect", "x", "--baseline", "1.24"), "--baseline", "does not go with this command");
}

static void options_that_are_none_are_refused(void **state) {
    (void)state;
    assert_refused(READ("run", "--colour"), "--colour: no such option", "--help");
    assert_refused(READ("run", "--coun", "5"), "--coun: no such option",
                   "--help"); /* no guessing */
    assert_refused(READ("run", "--count5"), "--count5: no such option", "--help");
    assert_refused(READ("run", "-n", "5"), "-n: no such option", "--help");
    assert_refused(READ("run", "--=5"), "--: no such option", "--help");
}

static void options_of_other_commands_are_refused(void **state) {
    (void)state;
    assert_refused(READ("list", "--count", "5"), "--count", "does not go with this command");
    assert_refused(READ("report", "--at", "W1", "d"), "--at", "does not go with this command");
    assert_refused(READ("replay", "d", "1", "--seed", "5"), "--seed",
                   "does not go with this command");
    assert_refused(READ("--count", "5", "report", "d"), "--count", "does not go with this command");
    assert_read(READ("--count", "5", "run", "x"));
    assert_int_equal(options.count, 5);
    itr_options_release(&options);
    assert_read(READ("replay", "d", "1", "--count", "5"));
    itr_options_release(&options);
}

static void help_shows_every_option_of_the_command(void **state) {
    struct itr_text text = {0};
    (void)state;
    itr_options_help(&text, ITR_COMMAND_RUN);
    for (size_t i = 0; i < ROWS; i++) {
        char option[64];
        snprintf(option, sizeof option, "  --%s", rows[i].name);
        if (strstr(itr_text_string(&text), option) == NULL) {
            fail_msg("%s is not in the help of run", option);
        }
    }
    assert_non_null(strstr(itr_text_string(&text), "Usage: initrace run "));
    assert_null(strstr(itr_text_string(&text), "Usage: initrace list"));
    itr_text_reset(&text);
    itr_options_help(&text, ITR_COMMAND_REPORT);
    assert_non_null(strstr(itr_text_string(&text), "--format"));
    assert_null(strstr(itr_text_string(&text), "--count"));
    itr_text_reset(&text);
    itr_options_help(&text, ITR_COMMAND_REPLAY);
    assert_non_null(strstr(itr_text_string(&text), "--debug[=before|after]"));
    itr_text_reset(&text);
    itr_options_help(&text, ITR_COMMAND_NONE);
    assert_non_null(strstr(itr_text_string(&text), "initrace replay DIR TRIAL"));
    assert_non_null(strstr(itr_text_string(&text), "initrace locate CASE"));
    assert_non_null(strstr(itr_text_string(&text), "INITRACE_COUNT"));
    itr_text_release(&text);
}

int main(void) {
#define OPTIONS_TEST(test) cmocka_unit_test_setup(test, set_up)
    const struct CMUnitTest tests[] = {
        OPTIONS_TEST(commands_have_names),
        OPTIONS_TEST(arms_keep_their_commas),
        OPTIONS_TEST(libraries_are_changed_by_options),
        OPTIONS_TEST(without_options_there_are_defaults),
        OPTIONS_TEST(help_and_version_need_no_command),
        OPTIONS_TEST(after_two_dashes_all_are_words),
        OPTIONS_TEST(every_option_is_read_from_the_command_line),
        OPTIONS_TEST(a_wrong_value_is_refused_with_the_option),
        OPTIONS_TEST(every_option_has_an_environment_twin),
        OPTIONS_TEST(a_flags_twin_is_on_with_1_and_off_with_0),
        OPTIONS_TEST(a_wrong_twin_is_refused_by_its_name),
        OPTIONS_TEST(the_command_line_wins),
        OPTIONS_TEST(a_count_on_the_command_line_silences_the_twin_of_a_duration),
        OPTIONS_TEST(lists_grow_with_every_use),
        OPTIONS_TEST(the_last_of_several_values_counts),
        OPTIONS_TEST(numbers_are_whole_and_fit),
        OPTIONS_TEST(windows_have_two_ends_in_order),
        OPTIONS_TEST(the_side_of_debug_may_be_left_out),
        OPTIONS_TEST(how_many_are_kept_may_be_left_out),
        OPTIONS_TEST(locate_takes_its_own_options),
        OPTIONS_TEST(triage_has_a_form_of_its_own),
        OPTIONS_TEST(a_bisection_has_options_of_its_own),
        OPTIONS_TEST(options_that_are_none_are_refused),
        OPTIONS_TEST(options_of_other_commands_are_refused),
        OPTIONS_TEST(help_shows_every_option_of_the_command),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
