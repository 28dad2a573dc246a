/* Unit tests of select.c and layout.c: from cases and wishes to cells, in a tree of empty files that looks like
 * an installation. */
#include "framework/layout.h"
#include "framework/select.h"
#include "framework/tests/scratch.h"
#include "platform/platform.h"

static char scratch[SCRATCH_PATH_MAX];
static struct itr_layout layout;
static struct itr_cells cells;
static struct itr_error error;
/* Events that can be sent here, and one that cannot. */
static const char *event_here;
static const char *other_event_here;
static const char *delivery_elsewhere;
static const char *other_family;

static void make_tree(void) {
    static const char *const folders[] = {"share",
                                          "share/initrace",
                                          "share/initrace/cases",
                                          "libexec",
                                          "libexec/initrace",
                                          "lib",
                                          "lib/initrace",
                                          "lib/initrace/go1.9.7",
                                          "lib/initrace/go1.26.10",
                                          "lib/initrace/go1.19.8",
                                          "lib/initrace/c",
                                          "empty",
                                          "goroot"};
    char name[128];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        scratch_folder(scratch, folders[i]);
    }
    snprintf(name, sizeof name, "lib/initrace/c/plain%s", itrp_library_suffix());
    scratch_write(scratch, name, "", 0);
    snprintf(name, sizeof name, "lib/initrace/go1.19.8/minimal%s", itrp_library_suffix());
    scratch_write(scratch, name, "", 0);
    snprintf(name, sizeof name, "libexec/initrace/library_host%s", itrp_program_suffix());
    scratch_write(scratch, name, "", 0);
    scratch_write(scratch, "goroot/VERSION", "go1.26.10 X:boring\ntime 2026\n", 28);
}

static int set_up_group(void **state) {
    (void)state;
    bool signals = itrp_capabilities()->signals;
    event_here = signals ? "SIGURG" : "CTRL_C";
    other_event_here = signals ? "SIGUSR1" : "CTRL_CLOSE";
    delivery_elsewhere = signals ? "console" : "kill";
    other_family = strcmp(itrp_system_family(), "linux") == 0 ? "windows" : "linux";
    scratch_make(scratch);
    make_tree();
    snprintf(layout.prefix, sizeof layout.prefix, "%.900s", scratch);
    snprintf(layout.cases, sizeof layout.cases, "%s/share/initrace/cases", layout.prefix);
    snprintf(layout.hosts, sizeof layout.hosts, "%s/libexec/initrace", layout.prefix);
    snprintf(layout.libraries, sizeof layout.libraries, "%s/lib/initrace", layout.prefix);
    return 0;
}

static int tear_down_group(void **state) {
    (void)state;
    scratch_remove(scratch);
    return 0;
}

static int set_up(void **state) {
    (void)state;
    memset(&error, 0, sizeof error);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(cells.items);
    cells = (struct itr_cells){0};
    return 0;
}

/* Reads a case whose file has `more` after what every case has. */
static void read_case(struct itr_case *c, const char *os, const char *more) {
    char text[4096];
    char folder[SCRATCH_PATH_MAX + 128];
    struct itr_error err = {0};
    snprintf(text, sizeof text,
             "{\"format\": 1, \"summary\": \"s\", \"os\": [\"%s\"], \"host\": \"library_host\", "
             "\"library\": \"minimal\","
             " \"function\": \"Probe\", \"event\": \"%s\"%s}",
             os, event_here, more);
    scratch_folder(layout.cases, "planted");
    scratch_write(layout.cases, "planted/case.json", text, strlen(text));
    snprintf(folder, sizeof folder, "%s/planted", layout.cases);
    if (itr_case_read(folder, c, &err) != ITR_OK) {
        fail_msg("%s", err.text);
    }
}

static enum itr_status select_from(const char *more, const struct itr_selection *selection) {
    struct itr_case c;
    read_case(&c, itrp_system_family(), more);
    memset(&error, 0, sizeof error);
    enum itr_status status = itr_select(&cells, &c, selection, &layout, &error);
    itr_case_release(&c);
    return status;
}

static void assert_selected(const char *more, const struct itr_selection *selection, size_t count) {
    if (select_from(more, selection) != ITR_OK) {
        fail_msg("refused: %s", error.text);
    }
    assert_int_equal(error.status, ITR_OK);
    assert_int_equal(cells.count, count);
}

static void assert_refused(const char *more, const struct itr_selection *selection,
                           enum itr_status status, const char *part) {
    assert_int_equal(select_from(more, selection), status);
    assert_int_equal(error.status, status);
    assert_contains(error.text, part);
}

/* A list of words on the stack. */
#define LIST(...)                                                            \
    {                                                                        \
        .items = (char **)(uintptr_t)(const char *const[]){__VA_ARGS__},     \
        .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *) \
    }

/* ---- the case itself ---- */

static void a_case_is_a_cell_for_each_go_oldest_first(void **state) {
    static const char *const versions[] = {"go1.9.7", "go1.19.8", "go1.26.10"};
    struct itr_selection selection = {.count = 100};
    (void)state;
    assert_selected(", \"env\": {\"A\": \"1\", \"B\": \"2\"}, \"deadline\": \"7s\", \"quiet\": "
                    "\"90ms\", \"hold\": \"5ms\"",
                    &selection, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct itr_cell *cell = &cells.items[i];
        assert_string_equal(cell->case_name, "planted");
        assert_string_equal(cell->control, "");
        assert_string_equal(cell->go, versions[i]);
        assert_string_equal(cell->system, itrp_system_name());
        assert_string_equal(cell->at, "time");
        assert_string_equal(cell->host, "library_host");
        assert_string_equal(cell->library, "minimal");
        assert_string_equal(cell->function, "Probe");
        assert_string_equal(cell->environment, "A=1\nB=2");
        assert_int_equal(cell->aim.event, itr_event_of(event_here));
        assert_int_equal(cell->handles, itr_event_of(event_here));
        assert_int_equal(cell->aim.delivery, itrp_default_delivery(cell->aim.event));
        assert_int_equal(cell->aim.target, ITR_TARGET_PROCESS);
        assert_int_equal(cell->aim.point.kind, ITR_POINT_TIME);
        assert_int_equal(cell->aim.hold_ns, 5000000);
        assert_int_equal(cell->aim.window_to_ns, 0); /* to be calibrated */
        assert_int_equal(cell->host_flags, ITR_HOST_RECORD_EXCEPTIONS);
        assert_int_equal(cell->handler_flags, ITR_HANDLER_ONSTACK | ITR_HANDLER_RESTART);
        assert_int_equal(cell->expect, ITR_OUTCOME_DELIVERED);
        assert_int_equal(cell->deadline_ns, UINT64_C(7000000000));
        assert_int_equal(cell->quiet_ns, 90000000);
        assert_int_equal(cell->count, 100);
        assert_int_equal(cell->first_trial, 100 * i);
        assert_false(cell->debugged);
        assert_string_equal(cell->record, "");
        assert_int_equal(cell->known_count, 0);
    }
}

static void a_plain_library_or_none_needs_no_go(void **state) {
    struct itr_selection selection = {.count = 5, .only_controls = true, .all_controls = true};
    (void)state;
    assert_selected(
        ", \"controls\": {\"plain\": {\"library\": \"plain\"}, \"none\": {\"library\": null}}",
        &selection, 2);
    assert_string_equal(cells.items[0].go, "");
    assert_string_equal(cells.items[0].library, "plain");
    assert_string_equal(cells.items[1].go, "");
    assert_string_equal(cells.items[1].library, "");
}

static void several_cases_follow_on(void **state) {
    struct itr_selection selection = {.count = 10, .go = LIST("1.26")};
    (void)state;
    assert_selected("", &selection, 1);
    selection.count = 20;
    assert_selected("", &selection, 2);
    assert_int_equal(cells.items[0].first_trial, 0);
    assert_int_equal(cells.items[1].first_trial, 10);
    assert_int_equal(cells.items[1].count, 20);
}

/* ---- versions ---- */

static void versions_can_be_chosen(void **state) {
    const struct {
        const char *wanted;
        const char *version; /* NULL: refused */
    } rows[] = {{"1.26", "go1.26.10"},    {"go1.26", "go1.26.10"},
                {"1.26.10", "go1.26.10"}, {"go1.9.7", "go1.9.7"},
                {"1.9", "go1.9.7"},       {"1.2", NULL},
                {"1.26.1", NULL},         {"2", NULL},
                {"go1.27", NULL},         {"/no/such/goroot", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct itr_selection selection = {.count = 1, .go = LIST(rows[i].wanted)};
        if (rows[i].version != NULL) {
            assert_selected("", &selection, 1);
            assert_string_equal(cells.items[0].go, rows[i].version);
        } else {
            assert_refused("", &selection, ITR_E_NOT_FOUND, rows[i].wanted);
            assert_contains(error.text, "--go");
        }
        (void)tear_down(NULL);
    }
}

static void a_version_asked_for_twice_is_one_cell(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26", "go1.26.10", "1.19")};
    (void)state;
    assert_selected("", &selection, 2);
    assert_string_equal(cells.items[0].go, "go1.19.8");
    assert_string_equal(cells.items[1].go, "go1.26.10");
}

static void without_go_libraries_there_is_a_sentence(void **state) {
    struct itr_selection selection = {.count = 1};
    char libraries[sizeof layout.libraries];
    (void)state;
    memcpy(libraries, layout.libraries, sizeof libraries);
    snprintf(layout.libraries, sizeof layout.libraries, "%s/empty", layout.prefix);
    assert_refused("", &selection, ITR_E_NOT_FOUND, "INITRACE_GO_ROOTS");
    snprintf(layout.libraries, sizeof layout.libraries, "%s/no-such", layout.prefix);
    assert_refused("", &selection, ITR_E_NOT_FOUND, "no-such");
    memcpy(layout.libraries, libraries, sizeof libraries);
}

/* ---- points ---- */

static void points_are_resolved_by_name(void **state) {
    static const char *const delivery =
        ", \"points\": {\"P\": \"load-returned+2ms\","
        " \"Q\": {\"at\": \"init-done\", \"target\": \"main\", \"hold\": \"7ms\"}}, \"at\": \"Q\", \"hold\": \"5ms\"";
    struct itr_selection selection = {.count = 1, .go = LIST("1.26")};
    (void)state;
    assert_selected(delivery, &selection, 1);
    assert_string_equal(cells.items[0].at, "Q"); /* as it was asked for */
    assert_int_equal(cells.items[0].aim.point.phase, ITR_PHASE_INIT_DONE);
    assert_int_equal(cells.items[0].aim.target, ITR_TARGET_MAIN);
    assert_int_equal(cells.items[0].aim.hold_ns, 7000000);
    (void)tear_down(NULL);
    selection.at = (struct itr_strings)LIST("P", "time", "pthread_create#3");
    assert_selected(delivery, &selection, 3);
    assert_string_equal(cells.items[0].at, "P");
    assert_int_equal(cells.items[0].aim.point.phase, ITR_PHASE_LOAD_RETURNED);
    assert_int_equal(cells.items[0].aim.point.offset_ns, 2000000);
    assert_int_equal(cells.items[0].aim.target, ITR_TARGET_PROCESS);
    assert_int_equal(cells.items[0].aim.hold_ns, 5000000); /* the case's */
    assert_int_equal(cells.items[1].aim.point.kind, ITR_POINT_TIME);
    assert_int_equal(cells.items[2].aim.point.kind, ITR_POINT_CALL);
    assert_int_equal(cells.items[2].aim.point.nth, 3);
    assert_int_equal(cells.items[2].first_trial, 2);
}

/* Also back to the process, which is the target's first word. */
static void a_point_may_undo_what_the_case_says(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .at = LIST("time", "Q")};
    (void)state;
    assert_selected(", \"target\": \"main\", \"points\": {\"Q\": {\"at\": \"init-done\", "
                    "\"target\": \"process\"}}",
                    &selection, 2);
    assert_int_equal(cells.items[0].aim.target, ITR_TARGET_MAIN);
    assert_int_equal(cells.items[1].aim.target, ITR_TARGET_PROCESS);
}

static void a_point_that_is_none_is_refused(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .at = LIST("P")};
    (void)state;
    assert_refused("", &selection, ITR_E_USAGE, "\"P\": expected time, PHASE");
}

static void a_thread_inside_a_call_needs_a_call(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .target = "caller"};
    (void)state;
    assert_refused("", &selection, ITR_E_USAGE,
                   "target caller needs a fire point at a call (CALL#N) or a symbol, not time");
    selection.at = (struct itr_strings)LIST("pthread_create#2");
    assert_selected("", &selection, 1);
    assert_int_equal(cells.items[0].aim.target, ITR_TARGET_CALLER);
}

/* rr holds threads back by itself, which takes time and is no end. */
static void a_recorded_cell_has_time(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .record = "rr"};
    (void)state;
    assert_selected("", &selection, 1);
    assert_string_equal(cells.items[0].record, "rr");
    assert_false(cells.items[0].debugged);
    assert_int_equal(cells.items[0].quiet_ns, UINT64_C(5000000000));
    assert_int_equal(cells.items[0].deadline_ns, UINT64_C(60000000000));
    selection.deadline_ns = UINT64_C(9000000000);
    assert_selected("", &selection, 2);
    assert_int_equal(cells.items[1].deadline_ns, UINT64_C(9000000000));
    selection.chaos = true;
    assert_refused("", &selection, ITR_E_USAGE, "--record rr goes with --at time, a phase or a call");
    selection.chaos = false;
    selection.at = (struct itr_strings)LIST("runtime.main#1");
    assert_refused("", &selection, ITR_E_USAGE, "--record rr goes with --at time, a phase or a call");
}

/* A timer's expiry cannot be placed inside a call. */
static void a_timer_does_not_fire_at_a_call(void **state) {
    struct itr_selection selection = {
        .count = 1, .go = LIST("1.26"), .delivery = "timer", .at = LIST("pthread_create#2")};
    (void)state;
    if (itrp_capabilities()->signals) {
        assert_refused("", &selection, ITR_E_USAGE,
                       "delivery timer needs a fire point in time or at a phase");
    } else {
        assert_refused("", &selection, ITR_E_UNSUPPORTED, "cannot be sent by timer");
    }
}

/* ---- gates ---- */

static const char with_gates[] =
    ", \"points\": {\"G\": {\"at\": \"runtime.main@init\", \"gate\": true}, \"S\": \"runtime.main@init\"},"
    " \"controls\": {\"late\": {\"at\": \"init-done\"}},"
    " \"known\": [{\"outcome\": \"lost\", \"gate\": true}, {\"outcome\": \"hang\", \"gate\": false},"
    " {\"outcome\": \"crash\"}]";

/* Where hosts have gates, this is what they are asked for; elsewhere it is said that the debugger does it. */
static void a_gate_is_asked_for_by_option_or_by_point(void **state) {
    struct itr_selection by_point = {.count = 1, .go = LIST("1.26"), .at = LIST("G", "S")};
    struct itr_selection by_option = {.count = 1, .go = LIST("1.26"), .at = LIST("S"), .gate = true, .all_controls = true};
    (void)state;
    if (!itrp_capabilities()->gates) {
        assert_refused(with_gates, &by_point, ITR_E_UNSUPPORTED, "hosts have no gates on");
        assert_refused(with_gates, &by_option, ITR_E_UNSUPPORTED, "without --gate the debugger fires there");
        return;
    }
    assert_selected(with_gates, &by_point, 2);
    assert_true(cells.items[0].aim.gate && !cells.items[0].debugged);
    assert_true(!cells.items[1].aim.gate && cells.items[1].debugged);
    assert_int_equal(cells.items[0].known_count, 2);
    assert_int_equal(cells.items[0].known[0].outcome, ITR_OUTCOME_LOST);
    assert_int_equal(cells.items[1].known_count, 2);
    assert_int_equal(cells.items[1].known[0].outcome, ITR_OUTCOME_HANG);
    (void)tear_down(NULL);
    assert_selected(with_gates, &by_option, 2);
    assert_true(cells.items[0].aim.gate && !cells.items[0].debugged);
    assert_true(cells.items[0].aim.hold_ns > 0); /* as at any exact point */
    assert_false(cells.items[1].aim.gate);       /* a control has its own point */
}

static void what_a_gate_cannot_do_is_refused(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .gate = true};
    (void)state;
    assert_refused("", &selection, ITR_E_USAGE, "--gate: expected --at SYMBOL[+OFFSET][@THREAD]; at time");
    selection.at = (struct itr_strings)LIST("CreateThread#2");
    assert_refused("", &selection, ITR_E_USAGE, "at CreateThread#2 no debugger is needed");
    selection.at = (struct itr_strings)LIST("runtime.main#2");
    assert_refused("", &selection, ITR_E_USAGE, "the first time only, not at #2");
    selection.at = (struct itr_strings)LIST("runtime.main");
    selection.chaos = true;
    assert_refused("", &selection, ITR_E_USAGE, "--chaos needs one");
    selection.chaos = false;
    selection.watch = (struct itr_strings)LIST("runtime.x");
    assert_refused("", &selection, ITR_E_USAGE, "--watch needs one");
    selection.at = (struct itr_strings)LIST("G");
    selection.gate = false; /* the point asks for it all the same */
    assert_refused(with_gates, &selection, ITR_E_USAGE, "--watch needs one");
    selection = (struct itr_selection){.count = 1, .go = LIST("1.26"), .gate = true, .sweep = ITR_SWEEP_FUNCTIONS};
    assert_refused("", &selection, ITR_E_USAGE, "--sweep needs one");
}

/* ---- controls ---- */

static const char with_controls[] = ", \"at\": \"load-begin\", \"controls\": {\"late\": {\"at\": "
                                    "\"init-done\", \"env\": {\"C\": \"3\"}},"
                                    " \"silent\": {\"event\": null, \"expect\": \"not-fired\"}}";

static void controls_run_at_their_own_point(void **state) {
    struct itr_selection selection = {.count = 100,
                                      .control_count = 7,
                                      .go = LIST("1.26"),
                                      .all_controls = true,
                                      .at = LIST("time", "waiting")};
    (void)state;
    assert_selected(with_controls, &selection, 4);
    assert_string_equal(cells.items[0].at, "time");
    assert_string_equal(cells.items[1].at, "waiting");
    assert_int_equal(cells.items[1].count, 100);
    assert_string_equal(cells.items[2].control, "late");
    assert_string_equal(cells.items[2].at, "init-done");
    assert_string_equal(cells.items[2].environment, "C=3");
    assert_int_equal(cells.items[2].count, 7);
    assert_int_equal(cells.items[2].first_trial, 200);
    assert_string_equal(cells.items[3].control, "silent");
    assert_string_equal(cells.items[3].at, "load-begin");
    assert_int_equal(cells.items[3].aim.event, ITR_EVENT_NONE);
    assert_int_equal(cells.items[3].handles, itr_event_of(event_here)); /* the host is the same */
    assert_int_equal(cells.items[3].expect, ITR_OUTCOME_NOT_FIRED);
}

static void controls_can_be_chosen_by_name(void **state) {
    struct itr_selection selection = {.count = 100, .go = LIST("1.26"), .controls = LIST("silent")};
    (void)state;
    assert_selected(with_controls, &selection, 2);
    assert_string_equal(cells.items[1].control, "silent");
    assert_int_equal(cells.items[1].count, 100); /* as the case itself */
    (void)tear_down(NULL);
    selection.only_controls = true;
    assert_selected(with_controls, &selection, 1);
    assert_string_equal(cells.items[0].control, "silent");
    selection.controls = (struct itr_strings)LIST("silent", "loud");
    assert_refused(with_controls, &selection, ITR_E_USAGE,
                   "--control loud: case planted has no such control");
}

/* ---- axes ---- */

static const char with_axes[] =
    ", \"axes\": {\"flags\": {\"own\": {}, \"late\": {\"flags\": [\"handlers-after-load\"], \"env\": {\"A\": \"2\"}}, "
    "\"none\": {\"flags\": [\"no-handlers\"], \"go\": \">=1.20\"}}, \"hold\": {\"short\": {}, \"long\": {\"hold\": \"9ms\"}}}, "
    "\"exclude\": [{\"flags\": \"none\", \"hold\": \"long\"}], \"expectations\": [{\"where\": {\"flags\": \"none\"}, \"expect\": \"lost\"}], "
    "\"env\": {\"A\": \"1\"}, \"points\": {\"P\": {\"at\": \"load-begin\", \"hold\": \"5ms\"}}, "
    "\"known\": [{\"outcome\": \"lost\", \"where\": {\"flags\": [\"late\"]}}, {\"outcome\": \"hang\", \"where\": {\"hold\": \"long\"}}], "
    "\"controls\": {\"late\": {\"at\": \"init-done\"}, \"silent\": {\"event\": null, \"expect\": \"not-fired\", \"axes\": true}}";

static void a_combination_is_a_cell(void **state) {
    static const char *const names[] = {"flags=own\nhold=short", "flags=late\nhold=short", "flags=none\nhold=short", "flags=own\nhold=long"};
    struct itr_selection selection = {.count = 3, .go = LIST("1.26")};
    (void)state;
    assert_selected(with_axes, &selection, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(cells.items[i].axes, names[i]);
        assert_string_equal(cells.items[i].go, "go1.26.10");
        assert_int_equal(cells.items[i].first_trial, 3 * i);
        assert_int_equal(cells.items[i].host_flags, i == 1   ? ITR_HOST_HANDLERS_AFTER_LOAD
                                                    : i == 2 ? ITR_HOST_NO_HANDLERS
                                                             : ITR_HOST_RECORD_EXCEPTIONS);
        assert_int_equal(cells.items[i].expect, i == 2 ? ITR_OUTCOME_LOST : ITR_OUTCOME_DELIVERED);
        assert_string_equal(cells.items[i].environment, i == 1 ? "A=2" : "A=1");
        assert_int_equal(cells.items[i].aim.hold_ns, i == 3 ? 9000000 : 0);
        assert_int_equal(cells.items[i].known_count, i == 1 || i == 3 ? 1 : 0);
    }
    assert_int_equal(cells.items[1].known[0].outcome, ITR_OUTCOME_LOST);
    assert_int_equal(cells.items[3].known[0].outcome, ITR_OUTCOME_HANG);
}

static void a_value_of_later_versions_is_left_out_of_earlier_ones(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.19", "1.26"), .axes = ITR_AXES_ALL};
    struct itr_selection alone = {.count = 1, .go = LIST("1.19"), .axis = LIST("flags=none")};
    (void)state;
    assert_selected(with_axes, &selection, 9); /* 5 of 1.26, 4 of 1.19 */
    for (size_t i = 0; i < cells.count; i++) {
        assert_false(strncmp(cells.items[i].axes, "flags=none", 10) == 0 && strcmp(cells.items[i].go, "go1.19.8") == 0);
    }
    (void)tear_down(NULL);
    assert_refused(with_axes, &alone, ITR_E_UNSUPPORTED, "none of the chosen Go versions");
}

static void an_axis_wins_over_a_named_point(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .at = LIST("P"), .axis = LIST("flags=own")};
    (void)state;
    assert_selected(with_axes, &selection, 2);
    assert_int_equal(cells.items[0].aim.hold_ns, 5000000);
    assert_int_equal(cells.items[1].aim.hold_ns, 9000000);
}

static void controls_are_of_the_base_unless_they_say_otherwise(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .axis = LIST("flags=late,own", "hold=long"), .only_controls = true,
                                      .all_controls = true};
    (void)state;
    assert_selected(with_axes, &selection, 3);
    assert_string_equal(cells.items[0].control, "late");
    assert_string_equal(cells.items[0].axes, "flags=own\nhold=long");
    assert_string_equal(cells.items[1].control, "silent");
    assert_string_equal(cells.items[2].control, "silent");
    assert_string_equal(cells.items[2].axes, "flags=late\nhold=long");
    assert_int_equal(cells.items[2].host_flags, ITR_HOST_HANDLERS_AFTER_LOAD);
    assert_int_equal(cells.items[2].handles, itr_event_of(event_here));
}

static void base_is_one_combination(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .axes = ITR_AXES_BASE, .axis = LIST("hold=long")};
    struct itr_selection several = {.count = 1, .axes = ITR_AXES_BASE, .axis = LIST("flags=own", "flags=late")};
    (void)state;
    assert_selected(with_axes, &selection, 1);
    assert_string_equal(cells.items[0].axes, "flags=own\nhold=long");
    (void)tear_down(NULL);
    assert_refused(with_axes, &several, ITR_E_USAGE, "--axis flags");
}

static void options_do_not_take_an_axis_away(void **state) {
    struct itr_selection hold = {.count = 1, .has_hold = true};
    struct itr_selection unknown = {.count = 1, .axis = LIST("colour=red")};
    struct itr_selection apart = {.count = 1, .axis = LIST("flags=none", "hold=long")};
    struct itr_selection none = {.count = 1, .axis = LIST("flags=own")};
    struct itr_selection at = {.count = 1, .at = LIST("time")};
    (void)state;
    assert_refused(with_axes, &hold, ITR_E_USAGE, "--hold: that is what the axis hold of case planted is about");
    assert_refused(with_axes, &unknown, ITR_E_USAGE, "no such axis, but flags, hold");
    assert_refused(with_axes, &apart, ITR_E_UNSUPPORTED, "does not go together");
    assert_refused("", &none, ITR_E_USAGE, "no such axis, but none");
    assert_refused(", \"axes\": {\"at\": [\"time\", \"init-done\"]}", &at, ITR_E_USAGE, "--at: that is what the axis at");
}

static void an_axis_may_say_where(void **state) {
    struct itr_selection selection = {.count = 1, .go = LIST("1.26")};
    (void)state;
    assert_selected(", \"axes\": {\"at\": [\"time\", \"init-done\"]}, \"known\": [{\"outcome\": \"lost\", \"at\": [\"init-done\"]}]", &selection, 2);
    assert_string_equal(cells.items[0].at, "time");
    assert_string_equal(cells.items[1].at, "init-done");
    assert_int_equal(cells.items[1].aim.point.phase, ITR_PHASE_INIT_DONE);
    assert_int_equal(cells.items[0].known_count, 0);
    assert_int_equal(cells.items[1].known_count, 1);
}

/* What does not fit is an error of the case in its base, and a skip in one of many combinations. */
static void a_combination_that_does_not_fit_is_skipped(void **state) {
    char more[256];
    struct itr_selection selection = {.count = 7, .go = LIST("1.26")};
    struct itr_selection alone = {.count = 7, .go = LIST("1.26"), .axis = LIST("target=caller")};
    (void)state;
    assert_selected(", \"axes\": {\"target\": [\"main\", \"caller\"]}", &selection, 2);
    assert_string_equal(cells.items[0].skip, "");
    assert_int_equal(cells.items[0].count, 7);
    assert_contains(cells.items[1].skip, "target caller needs a fire point at a call");
    assert_int_equal(cells.items[1].count, 0);
    (void)tear_down(NULL);
    assert_refused(", \"axes\": {\"target\": [\"main\", \"caller\"]}", &alone, ITR_E_USAGE, "target caller needs");
    (void)tear_down(NULL);
    snprintf(more, sizeof more, ", \"axes\": {\"way\": {\"usual\": {}, \"other\": {\"delivery\": \"%s\"}}}", delivery_elsewhere);
    assert_selected(more, &selection, 2);
    assert_contains(cells.items[1].skip, "cannot be sent by");
}

static void combinations_are_counted(void **state) {
    struct itr_case c;
    (void)state;
    read_case(&c, itrp_system_family(), with_axes);
    assert_int_equal(itr_case_combinations_here(&c, ITR_AXES_QUICK), 4);
    assert_int_equal(itr_case_combinations_here(&c, ITR_AXES_ALL), 5);
    assert_int_equal(itr_case_combinations_here(&c, ITR_AXES_BASE), 1);
    itr_case_release(&c);
}

/* ---- event, delivery, environment ---- */

static void another_event_can_be_fired(void **state) {
    struct itr_selection selection = {
        .count = 1, .go = LIST("1.26"), .event = other_event_here, .all_controls = true};
    (void)state;
    assert_selected(with_controls, &selection, 3);
    assert_int_equal(cells.items[0].aim.event, itr_event_of(other_event_here));
    assert_int_equal(cells.items[0].handles, itr_event_of(other_event_here));
    assert_int_equal(cells.items[1].aim.event, itr_event_of(other_event_here));
    assert_int_equal(cells.items[2].aim.event, ITR_EVENT_NONE); /* what fires nothing goes on so */
    (void)tear_down(NULL);
    selection.event = "SIGNAL";
    assert_refused(with_controls, &selection, ITR_E_USAGE, "--event SIGNAL");
}

static void words_that_are_none_are_refused_with_their_option(void **state) {
    struct itr_selection delivery = {.count = 1, .delivery = "pigeon"};
    struct itr_selection target = {.count = 1, .target = "nobody"};
    (void)state;
    assert_refused("", &delivery, ITR_E_USAGE, "--delivery pigeon");
    assert_refused("", &target, ITR_E_USAGE, "--target nobody");
}

static void what_cannot_be_sent_here_is_unsupported(void **state) {
    struct itr_selection selection = {.count = 1, .delivery = delivery_elsewhere};
    (void)state;
    assert_refused("", &selection, ITR_E_UNSUPPORTED, delivery_elsewhere);
}

static void environment_is_added_and_replaced(void **state) {
    struct itr_selection selection = {
        .count = 1, .go = LIST("1.26"), .environment = LIST("B=new", "AA=4", "Z=a=b,c")};
    (void)state;
    assert_selected(", \"env\": {\"A\": \"1\", \"B\": \"2\", \"BB\": \"3\"}", &selection, 1);
    assert_string_equal(cells.items[0].environment, "A=1\nBB=3\nB=new\nAA=4\nZ=a=b,c");
}

static void environment_that_cannot_be_is_refused(void **state) {
    char long_one[ITR_ENVIRONMENT_MAX + 8] = "A=";
    struct itr_selection no_value = {.count = 1, .environment = LIST("A")};
    struct itr_selection two_lines = {.count = 1, .environment = LIST("A=1\nB=2")};
    struct itr_selection too_long = {.count = 1, .environment = LIST(long_one)};
    (void)state;
    memset(long_one + 2, 'x', sizeof long_one - 3);
    assert_refused("", &no_value, ITR_E_USAGE, "--env A: expected NAME=VALUE");
    assert_refused("", &two_lines, ITR_E_USAGE, "expected NAME=VALUE on one line");
    assert_refused("", &too_long, ITR_E_LIMIT, "bytes of environment");
}

static void the_rest_of_a_selection_is_taken_over(void **state) {
    struct itr_selection selection = {.count = 1,
                                      .go = LIST("1.26"),
                                      .has_window = true,
                                      .window_from_ns = 5,
                                      .window_to_ns = 6000,
                                      .deadline_ns = 77,
                                      .has_hold = true,
                                      .hold_ns = 0,
                                      .no_exception_record = true,
                                      .at = LIST("time", "load-begin")};
    (void)state;
    assert_selected(", \"hold\": \"5ms\", \"flags\": [\"record-exceptions\", \"own-console\"]",
                    &selection, 2);
    assert_int_equal(cells.items[0].aim.window_from_ns, 5);
    assert_int_equal(cells.items[0].aim.window_to_ns, 6000);
    assert_int_equal(cells.items[0].deadline_ns, 77);
    assert_int_equal(cells.items[0].aim.hold_ns, 0);
    assert_int_equal(cells.items[0].host_flags, ITR_HOST_OWN_CONSOLE);
    assert_int_equal(cells.items[1].aim.window_to_ns, 0); /* only for points by time */
}

/* ---- known failures ---- */

static void known_failures_apply_where_they_say(void **state) {
    static const char *const template =
        ", \"controls\": {\"late\": {\"at\": \"init-done\"}}, \"known\": ["
        "{\"outcome\": \"lost\"},"
        "{\"outcome\": \"hang\", \"go\": \">=1.26\", \"signature\": \"hang *\", \"rate\": [0.25, "
        "0.75], \"thread\": \"https://x/1\"},"
        "{\"outcome\": \"crash\", \"go\": \"<1.26\"},"
        "{\"outcome\": \"fatal\", \"at\": [\"time\", \"waiting\"]},"
        "{\"outcome\": \"garbage\", \"at\": [\"waiting\"]},"
        "{\"outcome\": \"wrong-exit\", \"controls\": [\"late\"]},"
        "{\"outcome\": \"ledger-damaged\", \"system\": \"%s\"},"
        "{\"outcome\": \"not-fired\", \"system\": \"%s\"}]";
    char more[2048];
    struct itr_selection selection = {.count = 1, .go = LIST("1.26"), .all_controls = true};
    (void)state;
    snprintf(more, sizeof more, template, itrp_system_name(), other_family);
    assert_selected(more, &selection, 2);
    const struct itr_cell *cell = &cells.items[0];
    assert_int_equal(cell->known_count, 4);
    assert_int_equal(cell->known[0].outcome, ITR_OUTCOME_LOST);
    assert_string_equal(cell->known[0].signature, "*");
    assert_string_equal(cell->known[0].thread, "");
    assert_true(cell->known[0].rate_min == 0 && cell->known[0].rate_max == 1);
    assert_int_equal(cell->known[1].outcome, ITR_OUTCOME_HANG);
    assert_string_equal(cell->known[1].signature, "hang *");
    assert_string_equal(cell->known[1].thread, "https://x/1");
    assert_true(cell->known[1].rate_min == 0.25 && cell->known[1].rate_max == 0.75);
    assert_int_equal(cell->known[2].outcome, ITR_OUTCOME_FATAL);
    assert_int_equal(cell->known[3].outcome, ITR_OUTCOME_LEDGER_DAMAGED);
    assert_int_equal(cells.items[1].known_count, 1); /* in a control only what names it */
    assert_int_equal(cells.items[1].known[0].outcome, ITR_OUTCOME_WRONG_EXIT);
}

/* They were seen with the case as it is filed. */
static void known_failures_do_not_hold_for_something_else(void **state) {
    static const char *const more = ", \"known\": [{\"outcome\": \"lost\"}]";
    struct itr_selection as_filed = {.count = 1, .go = LIST("1.26")};
    struct itr_selection event = {.count = 1, .go = LIST("1.26"), .event = other_event_here};
    struct itr_selection target = {.count = 1, .go = LIST("1.26"), .target = "main"};
    struct itr_selection environment = {
        .count = 1, .go = LIST("1.26"), .environment = LIST("GODEBUG=x")};
    (void)state;
    assert_selected(more, &as_filed, 1);
    assert_selected(more, &event, 2);
    assert_selected(more, &target, 3);
    assert_selected(more, &environment, 4);
    assert_int_equal(cells.items[0].known_count, 1);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(cells.items[i].known_count, 0);
    }
}

/* Libraries of an arm are in a folder of their own, which only its whole name means; known failures are of the runtime as it
 * is released, and a plain C library has no arm. */
static void cells_of_an_arm_say_so(void **state) {
    static const char entry[] = "go1.26.10-0123456789abcdef";
    const char *const more = ", \"known\": [{\"outcome\": \"lost\"}], \"controls\": {\"plain\": {\"library\": \"plain\"}}";
    struct itr_selection all = {.count = 1};
    struct itr_selection version = {.count = 1, .go = LIST("1.26")};
    struct itr_selection other = {.count = 1, .go = LIST("go1.26.10-0123456789abcdef")};
    struct itr_selection arm = {.count = 1, .go = LIST("go1.26.10-0123456789abcdef"), .arm = "needm-waits", .all_controls = true};
    struct itr_selection none = {.count = 1, .go = LIST("1.26"), .arm = ""};
    char path[2 * SCRATCH_PATH_MAX];
    (void)state;
    scratch_folder(layout.libraries, entry);
    assert_selected(more, &all, 3);
    assert_selected(more, &version, 4);
    assert_string_equal(cells.items[3].go, "go1.26.10");
    assert_selected(more, &other, 5);
    assert_string_equal(cells.items[4].go, entry);
    assert_string_equal(cells.items[4].arm, "");
    assert_int_equal(cells.items[4].known_count, 1); /* a GOROOT that nothing changes */
    assert_string_equal(cells.items[4].go_label, "");
    arm.go_labels = other.go_labels = (struct itr_strings)LIST("my-goroot");
    assert_selected(more, &arm, 7);
    assert_string_equal(cells.items[5].go_label, ""); /* the arm has a name */
    assert_string_equal(cells.items[6].go_label, "");
    assert_string_equal(cells.items[5].go, entry);
    assert_string_equal(cells.items[5].arm, "needm-waits");
    assert_int_equal(cells.items[5].known_count, 0);
    assert_string_equal(cells.items[6].control, "plain");
    assert_string_equal(cells.items[6].go, "");
    assert_string_equal(cells.items[6].arm, "");
    assert_selected(more, &none, 8);
    assert_string_equal(cells.items[7].arm, "");
    assert_int_equal(cells.items[7].known_count, 1);
    assert_selected(more, &other, 9);
    assert_string_equal(cells.items[8].go_label, "my-goroot");
    snprintf(path, sizeof path, "%s/%s", layout.libraries, entry);
    scratch_remove(path);
    other = (struct itr_selection){.count = 1, .go = LIST("go1.26.10-0123456789abcdef")};
    assert_refused(more, &other, ITR_E_NOT_FOUND, "go1.26.10-0123456789abcdef: no library was built with it");
}

/* One that was left out in silence would be a finding that is none. */
static void more_known_failures_than_fit_are_refused(void **state) {
    char more[1024] = ", \"known\": [{\"outcome\": \"lost\"}";
    struct itr_selection selection = {.count = 1, .go = LIST("1.26")};
    (void)state;
    for (int i = 1; i < ITR_CELL_KNOWN_MAX; i++) {
        strcat(more, ", {\"outcome\": \"lost\"}");
    }
    strcat(more, "]");
    assert_selected(more, &selection, 1);
    assert_int_equal(cells.items[0].known_count, ITR_CELL_KNOWN_MAX);
    more[strlen(more) - 1] = '\0';
    strcat(more, ", {\"outcome\": \"lost\"}]");
    assert_refused(more, &selection, ITR_E_LIMIT, "known failures apply at time");
}

static void a_pattern_that_is_too_long_is_refused(void **state) {
    char more[512];
    struct itr_selection selection = {.count = 1, .go = LIST("1.26")};
    (void)state;
    snprintf(more, sizeof more, ", \"known\": [{\"outcome\": \"lost\", \"signature\": \"%0*d\"}]",
             ITR_NAME_MAX, 1);
    assert_refused(more, &selection, ITR_E_LIMIT, "is too long");
}

/* ---- systems ---- */

static void a_case_for_another_system_is_unsupported(void **state) {
    struct itr_case c;
    struct itr_selection selection = {.count = 1};
    char why[160] = "";
    (void)state;
    read_case(&c, other_family, "");
    assert_false(itr_case_runs_here(&c, why, sizeof why));
    assert_contains(why, other_family);
    assert_int_equal(itr_select(&cells, &c, &selection, &layout, &error), ITR_E_UNSUPPORTED);
    assert_contains(error.text, "planted is for ");
    assert_int_equal(cells.count, 0);
    itr_case_release(&c);
}

static void a_case_whose_event_cannot_be_sent_does_not_run_here(void **state) {
    struct itr_case c;
    char why[160] = "";
    char more[64];
    (void)state;
    snprintf(more, sizeof more, ", \"delivery\": \"%s\"", delivery_elsewhere);
    read_case(&c, itrp_system_family(), more);
    assert_false(itr_case_runs_here(&c, why, sizeof why));
    assert_contains(why, "cannot be sent by");
    itr_case_release(&c);
    read_case(&c, itrp_system_family(), "");
    assert_true(itr_case_runs_here(&c, why, sizeof why));
    itr_case_release(&c);
}

/* ---- layout ---- */

static void hosts_and_libraries_are_found_beside_the_program(void **state) {
    char path[1400];
    (void)state;
    assert_int_equal(itr_layout_host(&layout, "library_host", false, path, sizeof path, &error),
                     ITR_OK);
    assert_contains(path, "libexec/initrace/library_host");
    assert_int_equal(itr_layout_host(&layout, "library_host", true, path, sizeof path, &error),
                     ITR_E_NOT_FOUND);
    assert_contains(error.text, "library_host_hooked");
    assert_int_equal(itr_layout_library(&layout, "minimal", "go1.19.8", path, sizeof path, &error),
                     ITR_OK);
    assert_contains(path, "lib/initrace/go1.19.8/minimal");
    assert_int_equal(itr_layout_library(&layout, "minimal", "go1.9.7", path, sizeof path, &error),
                     ITR_E_NOT_FOUND);
    assert_contains(error.text, "go1.9.7");
    assert_int_equal(itr_layout_library(&layout, "plain", "go1.9.7", path, sizeof path, &error),
                     ITR_OK);
    assert_contains(path, "lib/initrace/c/plain"); /* the same for every Go */
    assert_true(itr_layout_is_plain(&layout, "plain"));
    assert_false(itr_layout_is_plain(&layout, "minimal"));
}

static void versions_are_sorted_as_numbers(void **state) {
    struct itr_strings versions = {0};
    (void)state;
    assert_int_equal(itr_layout_go_versions(&layout, &versions, &error), ITR_OK);
    assert_int_equal(versions.count, 3);
    assert_string_equal(versions.items[0], "go1.9.7");
    assert_string_equal(versions.items[1], "go1.19.8");
    assert_string_equal(versions.items[2], "go1.26.10");
    itr_layout_release(&versions);
}

static void the_version_of_a_goroot_is_read(void **state) {
    char path[SCRATCH_PATH_MAX + 16];
    char version[64];
    (void)state;
    snprintf(path, sizeof path, "%s/goroot", scratch);
    assert_int_equal(itr_goroot_version(path, version, sizeof version, &error), ITR_OK);
    assert_string_equal(version, "go1.26.10");
    snprintf(path, sizeof path, "%s/empty", scratch);
    assert_int_equal(itr_goroot_version(path, version, sizeof version, &error), ITR_E_NOT_FOUND);
    assert_contains(error.text, "is no GOROOT");
    static const struct {
        const char *text;
        const char *version; /* NULL: none */
    } rows[] = {{"devel go1.22-a1b2c3 Mon Nov 2\n", "go1.22-a1b2c3"}, {"go1.27-devel_0123 x", "go1.27-devel_0123"},
                {"go1.27", "go1.27"},                                 {"", NULL},
                {"\n", NULL},                                         {"go", NULL},
                {"gopher", NULL},                                     {"devel +0123", NULL},
                {"go1.27-0123456789012345678901234567890123456789012345678901234567", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) { /* of a repository */
        scratch_write(scratch, "empty/VERSION.cache", rows[i].text, strlen(rows[i].text));
        enum itr_status status = itr_goroot_version(path, version, sizeof version, &error);
        assert_int_equal(status, rows[i].version != NULL ? ITR_OK : ITR_E_NOT_FOUND);
        if (rows[i].version != NULL) {
            assert_string_equal(version, rows[i].version);
        }
    }
    scratch_write(scratch, "empty/VERSION.cache", "go1.27\n", 7);
    scratch_write(scratch, "empty/VERSION", "go1.28\n", 7); /* wins */
    assert_int_equal(itr_goroot_version(path, version, sizeof version, &error), ITR_OK);
    assert_string_equal(version, "go1.28");
}

static void the_program_finds_its_own_place(void **state) {
    struct itr_layout own;
    (void)state;
    assert_int_equal(itr_layout_find(&own, &error), ITR_OK);
    assert_null(strchr(own.prefix, '\\'));
    assert_int_equal(strncmp(own.cases, own.prefix, strlen(own.prefix)), 0);
    assert_string_equal(own.cases + strlen(own.prefix), "/share/initrace/cases");
    assert_true(itr_path_exists(own.prefix));
}

int main(void) {
#define SELECT_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SELECT_TEST(a_case_is_a_cell_for_each_go_oldest_first),
        SELECT_TEST(a_plain_library_or_none_needs_no_go),
        SELECT_TEST(several_cases_follow_on),
        SELECT_TEST(versions_can_be_chosen),
        SELECT_TEST(a_version_asked_for_twice_is_one_cell),
        SELECT_TEST(without_go_libraries_there_is_a_sentence),
        SELECT_TEST(points_are_resolved_by_name),
        SELECT_TEST(a_point_may_undo_what_the_case_says),
        SELECT_TEST(a_point_that_is_none_is_refused),
        SELECT_TEST(a_thread_inside_a_call_needs_a_call),
        SELECT_TEST(a_timer_does_not_fire_at_a_call),
        SELECT_TEST(a_gate_is_asked_for_by_option_or_by_point),
        SELECT_TEST(what_a_gate_cannot_do_is_refused),
        SELECT_TEST(a_recorded_cell_has_time),
        SELECT_TEST(controls_run_at_their_own_point),
        SELECT_TEST(controls_can_be_chosen_by_name),
        SELECT_TEST(a_combination_is_a_cell),
        SELECT_TEST(a_value_of_later_versions_is_left_out_of_earlier_ones),
        SELECT_TEST(an_axis_wins_over_a_named_point),
        SELECT_TEST(controls_are_of_the_base_unless_they_say_otherwise),
        SELECT_TEST(base_is_one_combination),
        SELECT_TEST(options_do_not_take_an_axis_away),
        SELECT_TEST(an_axis_may_say_where),
        SELECT_TEST(a_combination_that_does_not_fit_is_skipped),
        SELECT_TEST(combinations_are_counted),
        SELECT_TEST(another_event_can_be_fired),
        SELECT_TEST(words_that_are_none_are_refused_with_their_option),
        SELECT_TEST(what_cannot_be_sent_here_is_unsupported),
        SELECT_TEST(environment_is_added_and_replaced),
        SELECT_TEST(environment_that_cannot_be_is_refused),
        SELECT_TEST(the_rest_of_a_selection_is_taken_over),
        SELECT_TEST(known_failures_apply_where_they_say),
        SELECT_TEST(known_failures_do_not_hold_for_something_else),
        SELECT_TEST(cells_of_an_arm_say_so),
        SELECT_TEST(more_known_failures_than_fit_are_refused),
        SELECT_TEST(a_pattern_that_is_too_long_is_refused),
        SELECT_TEST(a_case_for_another_system_is_unsupported),
        SELECT_TEST(a_case_whose_event_cannot_be_sent_does_not_run_here),
        SELECT_TEST(hosts_and_libraries_are_found_beside_the_program),
        SELECT_TEST(versions_are_sorted_as_numbers),
        SELECT_TEST(the_version_of_a_goroot_is_read),
        SELECT_TEST(the_program_finds_its_own_place),
    };
    return cmocka_run_group_tests_name("select", tests, set_up_group, tear_down_group);
}
