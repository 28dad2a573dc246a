/* Unit tests of matrix.c, its reports and markdown.c: how cells become tables, what is called a change, and that nothing a host
 * could have chosen is more than text. The exact chances are from Python's `fractions` and `math.comb`. */
#include "framework/report_matrix.h"

#include "framework/markdown.h"
#include "framework/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ROOM = 160 };

/* ---- campaigns made up ---- */

static struct itr_summary summary;
static struct itr_matrix matrix;

static int set_up(void **state) {
    (void)state;
    summary = (struct itr_summary){.seed = 7, .folder = "/tmp/campaign"};
    summary.cells = calloc(ROOM, sizeof *summary.cells);
    summary.tallies = calloc(ROOM, sizeof *summary.tallies);
    summary.verdicts = calloc(ROOM, sizeof *summary.verdicts);
    assert_true(summary.cells != NULL && summary.tallies != NULL && summary.verdicts != NULL);
    matrix = (struct itr_matrix){0};
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    itr_matrix_release(&matrix);
    itr_summary_release(&summary);
    return 0;
}

/* A cell at which nothing was fired yet; its index. */
static size_t add(const char *case_name, const char *at, const char *go) {
    size_t index = summary.count++;
    struct itr_cell *cell = &summary.cells[index];
    assert_true(summary.count <= ROOM);
    snprintf(cell->case_name, sizeof cell->case_name, "%s", case_name);
    snprintf(cell->at, sizeof cell->at, "%s", at);
    snprintf(cell->go, sizeof cell->go, "%s", go);
    snprintf(cell->system, sizeof cell->system, "linux");
    cell->expect = ITR_OUTCOME_DELIVERED;
    cell->aim.event = ITR_EVENT_SIGURG;
    cell->known_count = 1; /* whatever is lost is known */
    cell->known[0] = (struct itr_cell_known){.outcome = ITR_OUTCOME_LOST, .signature = "*", .rate_max = 1};
    itr_tally_begin(&summary.tallies[index], cell->expect, 0, 0);
    return index;
}

static void fire(size_t cell, enum itr_outcome outcome, const char *signature, unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        struct itr_row row = {.outcome = outcome, .signature = signature, .fired_after_load_ns = INT64_MIN, .sweep_index = -1};
        itr_tally_add(&summary.tallies[cell], &row);
    }
}

/* So many of so many shots are lost. */
static size_t lose(const char *case_name, const char *at, const char *go, unsigned lost, unsigned shots, const char *signature) {
    size_t cell = add(case_name, at, go);
    fire(cell, ITR_OUTCOME_LOST, signature, lost);
    fire(cell, ITR_OUTCOME_DELIVERED, "delivered", shots - lost);
    return cell;
}

static size_t add_control(const char *case_name, const char *name, const char *go, bool fails) {
    size_t cell = add(case_name, "init-done", go);
    snprintf(summary.cells[cell].control, sizeof summary.cells[cell].control, "%s", name);
    summary.cells[cell].known_count = 0;
    fire(cell, fails ? ITR_OUTCOME_LOST : ITR_OUTCOME_DELIVERED, fails ? "lost SIGURG" : "delivered", 15);
    return cell;
}

static void make(double alpha) {
    itr_summary_judge(&summary);
    assert_int_equal(itr_matrix_make(&matrix, &summary, alpha, NULL), ITR_OK);
}

static const struct itr_matrix_entry *entry_at(size_t row, size_t column) {
    return &matrix.tables[0].rows[row].entries[column];
}

static const char *as_text(int width);

/* ---- tables ---- */

static void versions_are_columns_by_number_and_points_rows(void **state) {
    static const char *const versions[] = {"go1.27.3", "go1.9", "go1.27rc1", "go1.22.12", "go1.19.8"};
    static const char *const sorted[] = {"go1.9", "go1.19.8", "go1.22.12", "go1.27rc1", "go1.27.3"};
    (void)state;
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < 5; i++) {
            lose("one", p == 0 ? "time" : "runtime.main", versions[i], (unsigned)i, 40, "lost SIGURG");
        }
    }
    lose("two", "time", "go1.19.8", 0, 40, "");
    make(0.01);
    assert_int_equal(matrix.table_count, 2);
    assert_int_equal(matrix.tables[0].column_count, 5);
    assert_int_equal(matrix.tables[0].row_count, 2);
    assert_int_equal(matrix.tables[1].column_count, 1);
    for (size_t i = 0; i < 5; i++) {
        const struct itr_matrix_entry *entry = entry_at(1, i);
        assert_string_equal(matrix.tables[0].columns[i].label, sorted[i]);
        assert_string_equal(summary.cells[entry->cell].go, sorted[i]);
        assert_string_equal(summary.cells[entry->cell].at, "runtime.main");
        assert_int_equal(entry->before, i == 0 ? ITR_MATRIX_NONE : i - 1);
        assert_true(entry->is_sound);
    }
}

static void combinations_are_rows_of_their_own(void **state) {
    static const char *const values[] = {"before", "after"};
    (void)state;
    for (size_t v = 0; v < 2; v++) {
        for (size_t i = 0; i < 2; i++) {
            size_t cell = lose("one", "time", i == 0 ? "go1.19.8" : "go1.27.3", v == 0 ? 0 : 20, 40, "lost SIGURG");
            snprintf(summary.cells[cell].axes, sizeof summary.cells[cell].axes, "handler=%s", values[v]);
        }
    }
    make(0.01);
    assert_int_equal(matrix.table_count, 1);
    assert_int_equal(matrix.tables[0].row_count, 2);
    assert_int_equal(matrix.tables[0].column_count, 2);
    assert_int_equal(matrix.changed, 0); /* a combination is not held against another one */
    assert_non_null(strstr(as_text(120), "time handler=before"));
    assert_non_null(strstr(as_text(120), "time handler=after"));
}

static void a_mark_is_shown_where_the_version_does_not_tell(void **state) {
    (void)state;
    lose("one", "time", "go1.26.10-0123456789abcdef", 0, 40, "");
    lose("one", "time", "go1.27.3-fedcba9876543210", 0, 40, "");
    lose("one", "time", "go1.26.10", 0, 40, "");
    make(0.01);
    assert_string_equal(matrix.tables[0].columns[0].label, "go1.26.10");
    assert_string_equal(matrix.tables[0].columns[1].label, "go1.26.10-01234567");
    assert_string_equal(matrix.tables[0].columns[2].label, "go1.27.3");
}

static void goroots_of_their_own_are_told_by_their_names(void **state) {
    static const char *const labels[] = {"patched", "same", "same"};
    static const char *const names[] = {"go1.26.10-0123456789abcdef", "go1.26.10-11111111aaaaaaaa", "go1.26.10-22222222aaaaaaaa"};
    (void)state;
    lose("one", "time", "go1.26.10", 0, 40, "");
    for (size_t i = 0; i < 3; i++) {
        struct itr_cell *cell = &summary.cells[lose("one", "time", names[i], 0, 40, "")];
        snprintf(cell->go_label, sizeof cell->go_label, "%s", labels[i]);
    }
    make(0.01);
    assert_string_equal(matrix.tables[0].columns[0].label, "go1.26.10");
    assert_string_equal(matrix.tables[0].columns[1].label, "go1.26.10 patched");
    assert_string_equal(matrix.tables[0].columns[2].label, "go1.26.10-11111111 same");
    assert_string_equal(matrix.tables[0].columns[3].label, "go1.26.10-22222222 same");
}

static void ways_of_running_are_rows_of_their_own(void **state) {
    (void)state;
    lose("one", "runtime.main", "go1.19.8", 0, 40, "");
    summary.cells[lose("one", "runtime.main", "go1.19.8", 40, 40, "lost SIGURG")].debugged = true;
    make(0.01);
    assert_int_equal(matrix.tables[0].row_count, 2);
    assert_int_equal(entry_at(0, 0)->cell, 0);
    assert_int_equal(entry_at(1, 0)->cell, 1);
}

/* ---- changes ---- */

static void near_to(double actual, double expected) {
    if (!(fabs(actual - expected) <= 1e-9 * expected)) {
        fail_msg("%.17g is not %.17g", actual, expected);
    }
}

static void what_fails_more_often_or_more_seldom_is_marked(void **state) {
    (void)state;
    lose("one", "a", "go1.1", 0, 40, "lost SIGURG");
    lose("one", "a", "go1.2", 40, 40, "lost SIGURG");
    lose("one", "a", "go1.3", 40, 40, "lost SIGURG");
    lose("one", "a", "go1.4", 0, 40, "lost SIGURG");
    make(0.01);
    assert_int_equal(entry_at(0, 0)->change, 0);
    assert_int_equal(entry_at(0, 1)->change, ITR_MATRIX_UP);
    assert_int_equal(entry_at(0, 2)->change, 0);
    assert_int_equal(entry_at(0, 3)->change, ITR_MATRIX_DOWN);
    assert_int_equal(matrix.changed, 2);
    /* Two pairs with a side each way; that of 40 and 40 cannot differ, and there is one signature only. */
    assert_int_equal(matrix.test_count, 4);
    near_to(entry_at(0, 1)->adjusted, 4 * 9.301701828018132e-24); /* 1 / C(80, 40) */
    assert_false(entry_at(0, 0)->adjusted >= 0); /* NaN */
    assert_false(entry_at(0, 2)->adjusted >= 0);
}

static void chance_is_shared_by_all_questions(void **state) {
    (void)state;
    /* 1 of 40 and 10 of 40: by chance with 0.0035 on that side; alone it is a change at 0.01, beside others not. */
    lose("one", "a", "go1.1", 1, 40, "lost SIGURG");
    lose("one", "a", "go1.2", 10, 40, "lost SIGURG");
    make(0.01);
    assert_int_equal(matrix.test_count, 2);
    near_to(matrix.counts[0].chance, 0.0034567034598783964);
    assert_int_equal(entry_at(0, 1)->change, ITR_MATRIX_UP);
    itr_matrix_release(&matrix);
    for (unsigned i = 0; i < 2; i++) {
        char at[8];
        snprintf(at, sizeof at, "b%u", i);
        lose("one", at, "go1.1", 10, 40, "lost SIGURG");
        lose("one", at, "go1.2", 10, 40, "lost SIGURG");
    }
    make(0.01);
    assert_int_equal(matrix.test_count, 6);
    assert_int_equal(entry_at(0, 1)->change, 0);
    near_to(entry_at(0, 1)->adjusted, 6 * 0.0034567034598783964);
}

static void another_signature_is_a_change_of_its_own(void **state) {
    (void)state;
    lose("one", "a", "go1.1", 40, 40, "lost by INT3");
    lose("one", "a", "go1.2", 40, 40, "lost by AV");
    /* Ten times as many, in the same mixture: more often, not otherwise. */
    size_t few = lose("one", "b", "go1.1", 15, 300, "lost x");
    fire(few, ITR_OUTCOME_LOST, "lost y", 15);
    size_t many = lose("one", "b", "go1.2", 150, 300, "lost x");
    fire(many, ITR_OUTCOME_LOST, "lost y", 150);
    make(0.01);
    assert_int_equal(entry_at(0, 1)->change, ITR_MATRIX_SIGNATURE);
    assert_int_equal(entry_at(1, 1)->change, ITR_MATRIX_UP);
}

static void too_few_others_are_no_change(void **state) {
    (void)state;
    lose("one", "a", "go1.1", 2, 40, "lost x");
    lose("one", "a", "go1.2", 2, 40, "lost y");
    lose("one", "a", "go1.3", 2, 40, "lost y");
    make(0.01);
    assert_int_equal(entry_at(0, 1)->change, ITR_MATRIX_OTHER);
    assert_int_equal(entry_at(0, 2)->change, 0);
    assert_int_equal(matrix.changed, 0);
    assert_int_equal(matrix.test_count, 0); /* four failures can never be called a change at 0.01 */
}

static void what_says_nothing_is_passed_over(void **state) {
    (void)state;
    lose("one", "a", "go1.1", 40, 40, "lost x");
    size_t skipped = add("one", "a", "go1.2");
    snprintf(summary.cells[skipped].skip, sizeof summary.cells[skipped].skip, "no symbol a in minimal");
    fire(add("one", "a", "go1.3"), ITR_OUTCOME_NOT_FIRED, "not-fired", 40);
    size_t broken = lose("one", "a", "go1.4", 40, 40, "lost x");
    fire(broken, ITR_OUTCOME_TOOL_ERROR, "tool-error", 1);
    lose("one", "a", "go1.5", 0, 40, "lost x"); /* its control fails */
    add_control("one", "after-init", "go1.5", true);
    add_control("one", "after-init", "go1.6", false);
    lose("one", "a", "go1.6", 40, 40, "lost x");
    add_control("one", "no-library", "", false);
    make(0.01);
    static const enum itr_matrix_state states[] = {ITR_MATRIX_TESTED, ITR_MATRIX_SKIPPED, ITR_MATRIX_UNTESTED,
                                                   ITR_MATRIX_TESTED, ITR_MATRIX_TESTED,  ITR_MATRIX_TESTED};
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(entry_at(0, i)->state, states[i]);
        assert_int_equal(entry_at(0, i)->is_sound, i == 0 || i == 5);
        assert_int_equal(entry_at(0, i)->change, 0);
    }
    assert_int_equal(entry_at(0, 5)->before, 0);
    assert_int_equal(matrix.tables[0].columns[4].failed, 1);
    assert_int_equal(matrix.tables[0].columns[4].controls, 2);
    assert_int_equal(matrix.tables[0].columns[5].failed, 0);
    assert_int_equal(matrix.tables[0].columns[0].controls, 1);
}

/* Versions that are all the same: in how many of these campaigns is anything marked? */
static void versions_that_are_the_same_are_seldom_marked(void **state) {
    enum { CAMPAIGNS = 400, POINTS = 6, VERSIONS = 4 };
    static const double rates[POINTS][2] = {{0, 0}, {0.02, 0.02}, {0.1, 0}, {0.3, 0.3}, {0.5, 0.1}, {1, 0}};
    static const double alpha = 0.05;
    unsigned marked = 0;
    tear_down(state);
    for (uint64_t seed = 0; seed < CAMPAIGNS; seed++) {
        struct itr_random random = itr_random_of("matrix", 1, seed);
        set_up(state);
        for (size_t i = 0; i < POINTS * VERSIONS; i++) {
            char at[8];
            char go[16];
            snprintf(at, sizeof at, "p%zu", i / VERSIONS);
            snprintf(go, sizeof go, "go1.%zu", i % VERSIONS);
            size_t cell = add("one", at, go);
            for (unsigned shot = 0; shot < 60; shot++) {
                double unit = itr_random_unit(&random) - rates[i / VERSIONS][0];
                bool passes = unit >= rates[i / VERSIONS][1];
                fire(cell, passes ? ITR_OUTCOME_DELIVERED : ITR_OUTCOME_LOST, passes ? "" : unit < 0 ? "lost x" : "lost y", 1);
            }
        }
        make(alpha);
        marked += matrix.changed > 0 ? 1 : 0;
        tear_down(state);
    }
    set_up(state);
    /* 20 of 400 are allowed; by chance more than 35 with less than 0.001. */
    assert_in_range(marked, 0, 35);
}

static void what_cannot_be_is_refused(void **state) {
    struct itr_error error = {0};
    (void)state;
    lose("one", "a", "go1.1", 1, 40, "lost x");
    itr_summary_judge(&summary);
    assert_int_equal(itr_matrix_make(&matrix, &summary, 1, &error), ITR_E_USAGE);
    assert_int_equal(matrix.table_count, 0);
    size_t count = summary.count;
    summary.count = ITR_MATRIX_CELLS_MAX + 1;
    assert_int_equal(itr_matrix_make(&matrix, &summary, 0.01, &error), ITR_E_LIMIT);
    summary.count = count;
}

static void signatures_come_by_frequency(void **state) {
    const struct itr_tally_signature *list[2];
    (void)state;
    size_t cell = lose("one", "a", "go1.1", 1, 40, "lost rare");
    fire(cell, ITR_OUTCOME_LOST, "lost often", 7);
    fire(cell, ITR_OUTCOME_LOST, "lost now and then", 3);
    fire(cell, ITR_OUTCOME_TOOL_ERROR, "tool-error", 9);
    make(0.01);
    assert_int_equal(itr_matrix_signatures(&summary, entry_at(0, 0), list, 2), 3);
    assert_string_equal(list[0]->text, "lost often");
    assert_string_equal(list[1]->text, "lost now and then");
}

/* ---- reports ---- */

static struct itr_text text;

static const char *as_text(int width) {
    itr_text_release(&text);
    itr_report_matrix(&text, &matrix, &summary, width);
    assert_false(text.truncated || text.no_memory);
    return itr_text_string(&text);
}

static const char *as_markdown(void) {
    itr_text_release(&text);
    itr_report_matrix_markdown(&text, &matrix, &summary);
    assert_false(text.truncated || text.no_memory);
    return itr_text_string(&text);
}

static int tear_down_report(void **state) {
    itr_text_release(&text);
    return tear_down(state);
}

static void assert_has(const char *whole, const char *part) {
    if (strstr(whole, part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, whole);
    }
}

static void make_small(void) {
    add_control("one", "after-init", "go1.19.8", false);
    add_control("one", "after-init", "go1.22.12", false);
    add_control("one", "after-init", "go1.27.3", true);
    lose("one", "time", "go1.19.8", 299, 300, "lost SIGURG");
    lose("one", "time", "go1.22.12", 1, 300, "lost SIGURG");
    lose("one", "time", "go1.27.3", 0, 300, "");
    size_t skipped = add("one", "runtime.main", "go1.19.8");
    snprintf(summary.cells[skipped].skip, sizeof summary.cells[skipped].skip, "no symbol runtime.main in minimal");
    summary.cells[skipped].debugged = true;
    size_t crash = add("one", "runtime.main", "go1.22.12");
    summary.cells[crash].debugged = true;
    fire(crash, ITR_OUTCOME_CRASH, "crash AV", 40);
    make(0.01);
}

static void a_table_is_readable(void **state) {
    (void)state;
    make_small();
    const char *shown = as_text(0);
    assert_has(shown, "one (linux)\n"
                      "  at                trials  go1.19.8           go1.22.12             go1.27.3\n"
                      "  time                 300  99.7 [98, 99.9] a  ▼0.33 [0.059, 1.9] a  (0 [0, 1.3])\n"
                      "  runtime.main dbg      40  skipped            100 [91, 100] b !     -\n"
                      "  controls                  ok                 ok                    FAILED: 1 of 1\n"
                      "  a: lost SIGURG\n"
                      "  b: crash AV\n"
                      "  control after-init, go1.27.3: finding: lost SIGURG: 15 of 15");
    assert_has(shown, "\n  ▼ go1.22.12 at time against go1.19.8: 1 of 300, before 299 of 300 (p ");
    assert_has(shown, "\n  go1.19.8 at runtime.main: skipped: no symbol runtime.main in minimal\n");
    assert_has(shown, "\n  ! go1.22.12 at runtime.main: finding: crash AV: 40 of 40 trials");
    assert_has(shown, "\nchanges between versions: 1; 985 trials, seed 0x7, in /tmp/campaign\nno verdict: a control failed\n");
}

static void what_changes_every_go_is_told(void **state) {
    (void)state;
    add_control("one", "no-library", "", false);
    size_t cell = lose("one", "time", "go1.19.8-0123456789abcdef", 0, 40, "");
    snprintf(summary.cells[cell].arm, sizeof summary.cells[cell].arm, "sigurg-forwarded");
    make(0.01);
    assert_has(as_text(0), "one (linux, every Go changed by sigurg-forwarded)\n  at        trials  go1.19.8\n");
    json_t *json = itr_matrix_to_json(&matrix, &summary);
    const json_t *table = json_array_get(json_object_get(json, "tables"), 0);
    assert_string_equal(json_string_value(json_object_get(table, "arm")), "sigurg-forwarded");
    json_decref(json);
}

static void versions_that_do_not_fit_go_below(void **state) {
    enum { WIDTH = 60 };
    char line[400];
    unsigned heads = 0;
    (void)state;
    for (unsigned i = 0; i < 7; i++) {
        char go[16];
        snprintf(go, sizeof go, "go1.%u.10", 19 + i);
        lose("one", "pthread_create#2", go, 40, 40, "lost SIGURG");
    }
    make(0.01);
    for (const char *at = as_text(WIDTH); *at != '\0' && strncmp(at, "  a:", 4) != 0;) {
        size_t length = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)length, at);
        assert_in_range(length, 1, WIDTH);
        heads += strncmp(line, "  at ", 5) == 0 ? 1 : 0;
        at += length + 1;
    }
    assert_int_equal(heads, 4);
    const char *wide = as_text(0);
    assert_has(wide, "go1.19.10");
    assert_null(strstr(strstr(wide, "  at ") + 1, "  at "));
}

static void markdown_is_a_table(void **state) {
    (void)state;
    make_small();
    const char *shown = as_markdown();
    assert_has(shown, "### one (linux)\n\n"
                      "| at | trials | go1.19.8 | go1.22.12 | go1.27.3 |\n"
                      "|---|--:|---|---|---|\n"
                      "| `time` | 300 | 99.7 [98, 99.9] a | ▼0.33 [0.059, 1.9] a | (0 [0, 1.3]) |\n"
                      "| `runtime.main` dbg | 40 | skipped | 100 [91, 100] b ! | - |\n"
                      "| controls |  | ok | ok | FAILED: 1 of 1 |\n"
                      "\n- a: `lost SIGURG`\n- b: `crash AV`\n");
}

/* What is in the text stands in it once as it is, in code, and nowhere else. */
static void hostile_signatures_are_only_text(void **state) {
    static const char hostile[] = "lost `x` ``` | </code><script>\033[31m\r\n# head @user [a](http://b) \xff\xe2\x80\xae";
    (void)state;
    lose("o|n*e\n<b>", "a|b`c", "go1.1", 40, 40, hostile);
    size_t cell = add("o|n*e\n<b>", "a|b`c", "go1.2");
    fire(cell, ITR_OUTCOME_CRASH, hostile, 40); /* also in the verdict's sentence */
    lose("o|n*e\n<b>", "a|b`c", "go1.3", 0, 40, "");
    make(0.01);
    for (int form = 0; form < 2; form++) {
        const char *shown = form == 0 ? as_text(0) : as_markdown();
        for (const char *at = shown; *at != '\0'; at++) {
            assert_true(*at == '\n' || (unsigned char)*at >= 0x20);
        }
        assert_int_equal(itr_utf8_length(shown, strlen(shown), NULL), 1);
        assert_null(strstr(shown, "\xe2\x80\xae"));
        assert_null(strstr(shown, "\xff"));
        assert_null(strstr(shown, "\n# head"));
    }
    const char *shown = as_markdown();
    assert_has(shown, "### o\\|n\\*e\\\\x0a\\<b\\> (linux)\n");
    assert_has(shown, "| `` a\\|b`c `` |");
    assert_has(shown, "- a: ```` lost `x` ``` | </code><script>\\x1b[31m\\x0d\\x0a# head @user [a](http://b) \\xff\\xe2\\x80\\xae ````\n");
    for (const char *line = shown; line != NULL && *line != '\0'; line = strchr(line, '\n') != NULL ? strchr(line, '\n') + 1 : NULL) {
        bool in_table = *line == '|';
        assert_false(in_table && strncmp(line, "| `", 3) != 0 && memchr(line, '`', strcspn(line, "\n")) != NULL);
        assert_false(in_table && strstr(line, "script") != NULL && strstr(line, "script") < line + strcspn(line, "\n"));
    }
}

static void more_signatures_than_letters_are_not_lost(void **state) {
    (void)state;
    for (unsigned i = 0; i < 40; i++) {
        char at[8];
        char signature[32];
        snprintf(at, sizeof at, "p%u", i);
        snprintf(signature, sizeof signature, "lost %u", i);
        lose("one", at, "go1.1", 40, 40, signature);
    }
    make(0.01);
    const char *shown = as_text(0);
    assert_has(shown, "  z: lost 25\n  ?: others, in matrix.json\n");
    assert_has(shown, "100 [91, 100] ?\n");
}

static const json_t *cell_of(const json_t *json, size_t row, size_t column) {
    const json_t *table = json_array_get(json_object_get(json, "tables"), 0);
    const json_t *cells = json_object_get(json_array_get(json_object_get(table, "rows"), row), "cells");
    assert_non_null(json_array_get(cells, column));
    return json_array_get(cells, column);
}

static const char *string_of(const json_t *json, const char *key) {
    const char *string = json_string_value(json_object_get(json, key));
    assert_non_null(string);
    return string;
}

static void json_has_all_of_it(void **state) {
    (void)state;
    make_small();
    json_t *json = itr_matrix_to_json(&matrix, &summary);
    assert_non_null(json);
    assert_int_equal(json_integer_value(json_object_get(json, "format")), ITR_MATRIX_FORMAT);
    assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 3);
    assert_int_equal(json_integer_value(json_object_get(json, "changes")), 1);
    const json_t *cell = cell_of(json, 0, 1);
    assert_string_equal(string_of(cell, "go"), "go1.22.12");
    assert_string_equal(string_of(cell, "before"), "go1.19.8");
    assert_string_equal(string_of(cell, "state"), "tested");
    assert_true(json_is_true(json_object_get(cell, "sound")));
    assert_int_equal(json_integer_value(json_object_get(cell, "trials")), 300);
    assert_int_equal(json_integer_value(json_object_get(cell, "failed")), 1);
    assert_string_equal(json_string_value(json_array_get(json_object_get(cell, "change"), 0)), "down");
    assert_int_equal(json_array_size(json_object_get(cell, "change")), 1);
    const json_t *test = json_array_get(json_object_get(cell, "tests"), 1);
    assert_string_equal(string_of(test, "direction"), "down");
    assert_int_equal(json_integer_value(json_object_get(test, "before_hits")), 299);
    assert_int_equal(json_integer_value(json_object_get(test, "hits")), 1);
    assert_true(json_real_value(json_object_get(test, "p_holm")) < 1e-100);
    cell = cell_of(json, 1, 0);
    assert_string_equal(string_of(cell, "state"), "skipped");
    assert_true(json_is_null(json_object_get(cell, "rate")));
    cell = cell_of(json, 1, 2);
    assert_string_equal(string_of(cell, "state"), "missing");
    assert_false(json_is_true(json_object_get(cell, "sound")));
    json_decref(json);
}

static void a_skip_is_no_pass(void **state) {
    (void)state;
    size_t skipped = add("one", "runtime.main", "go1.19.8");
    snprintf(summary.cells[skipped].skip, sizeof summary.cells[skipped].skip, "no symbol runtime.main in minimal");
    make(0.01);
    add_control("one", "after-init", "go1.19.8", false); /* that alone is no pass */
    itr_matrix_release(&matrix);
    make(0.01);
    assert_int_equal(itr_summary_exit_code(&summary), 0);
    assert_int_equal(itr_matrix_exit_code(&matrix, &summary), 3);
    assert_has(as_text(0), "  runtime.main       0  skipped\n");
    assert_has(as_text(0), "no verdict: nothing was tested at any point\n");
}

static void markdown_escapes_what_is_markup(void **state) {
    (void)state;
    assert_true(itr_markdown_add(&text, "a*b_c|d\\`<e>\n\xc3\xa4"));
    assert_string_equal(itr_text_string(&text), "a\\*b\\_c\\|d\\\\\\`\\<e\\>\\\\x0a\xc3\xa4");
    itr_text_reset(&text);
    assert_true(itr_markdown_code(&text, "a|b*", false));
    assert_string_equal(itr_text_string(&text), "`a|b*`");
    itr_text_reset(&text);
    assert_true(itr_markdown_code(&text, "``a|`", true));
    assert_string_equal(itr_text_string(&text), "``` ``a\\|` ```");
    itr_text_reset(&text);
    assert_true(itr_markdown_code(&text, "", false));
    assert_string_equal(itr_text_string(&text), "` `");
}

#define TEST(test)   cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define REPORT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down_report)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(versions_are_columns_by_number_and_points_rows),
        TEST(combinations_are_rows_of_their_own),
        TEST(a_mark_is_shown_where_the_version_does_not_tell),
        TEST(goroots_of_their_own_are_told_by_their_names),
        TEST(ways_of_running_are_rows_of_their_own),
        TEST(what_fails_more_often_or_more_seldom_is_marked),
        TEST(chance_is_shared_by_all_questions),
        TEST(another_signature_is_a_change_of_its_own),
        TEST(too_few_others_are_no_change),
        TEST(what_says_nothing_is_passed_over),
        TEST(versions_that_are_the_same_are_seldom_marked),
        TEST(what_cannot_be_is_refused),
        TEST(signatures_come_by_frequency),
        REPORT(a_table_is_readable),
        REPORT(what_changes_every_go_is_told),
        REPORT(versions_that_do_not_fit_go_below),
        REPORT(markdown_is_a_table),
        REPORT(hostile_signatures_are_only_text),
        REPORT(more_signatures_than_letters_are_not_lost),
        REPORT(json_has_all_of_it),
        REPORT(a_skip_is_no_pass),
        REPORT(markdown_escapes_what_is_markup),
    };
    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
