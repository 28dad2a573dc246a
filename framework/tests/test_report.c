/* Unit tests of summary.c and of the reports made from it: well-formed XML and HTML, JSON and terminal text, in
 * which nothing that a host could have chosen is more than text. */
#include "framework/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- a small checker of markup ---- */

enum { DEPTH_MAX = 32, NAME_MAX_BYTES = 24 };

struct checker {
    const char *at;
    bool html;
    char open[DEPTH_MAX][NAME_MAX_BYTES];
    size_t depth;
    struct itr_text skeleton; /* tags and the names of their attributes, without any text */
    const char *wrong;        /* NULL so far */
};

static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

static size_t take_name(struct checker *checker, char *name) {
    size_t length = 0;
    while (is_name(*checker->at) && length + 1 < NAME_MAX_BYTES) {
        name[length++] = *checker->at++;
    }
    name[length] = '\0';
    if (length == 0) {
        checker->wrong = "a name was expected";
    }
    return length;
}

/* What XML 1.0 allows, and what our reports leave of it. */
static void take_character(struct checker *checker) {
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;",  "&quot;", "&apos;", "&#39;",
                                           "&#96;", "&#9;", "&#10;", "&#13;",  "&nbsp;"};
    uint32_t code = 0;
    size_t length = itr_utf8_length(checker->at, strlen(checker->at), &code);
    if (*checker->at == '&') {
        for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
            if (strncmp(checker->at, entities[i], strlen(entities[i])) == 0) {
                checker->at += strlen(entities[i]);
                return;
            }
        }
        checker->wrong = "a bare ampersand";
    } else if (length == 0) {
        checker->wrong = "not UTF-8";
    } else if ((code < 0x20 && code != '\t' && code != '\n') || (code >= 0x7f && code < 0xa0) ||
               code == 0xfffe) {
        checker->wrong = "a control character";
    } else {
        checker->at += length;
    }
}

static void take_attribute(struct checker *checker) {
    char name[NAME_MAX_BYTES];
    take_name(checker, name);
    itr_text_printf(&checker->skeleton, " %s", name);
    if (checker->wrong == NULL && *checker->at++ != '=') {
        checker->wrong = "an attribute without a value";
    }
    if (*checker->at != '"') {
        if (!checker->html) {
            checker->wrong = "a value without quotes";
        }
        while (is_name(*checker->at) || strchr("#./:,", *checker->at) != NULL) {
            if (*checker->at++ == '\0') {
                checker->wrong = "an unfinished tag";
                return;
            }
        }
        return;
    }
    checker->at++;
    while (checker->wrong == NULL && *checker->at != '"') {
        if (*checker->at == '<' || *checker->at == '\0') {
            checker->wrong = "a value without an end";
        } else {
            take_character(checker);
        }
    }
    checker->at++;
}

static bool is_void(const struct checker *checker, const char *name) {
    return checker->html && strcmp(name, "meta") == 0;
}

/* HTML: the end of a <th> is left out before the next one and before the end of its row. */
static void close_implied(struct checker *checker, const char *name) {
    bool ends = strcmp(name, "th") == 0 || strcmp(name, "/tr") == 0;
    if (checker->html && ends && checker->depth > 0 &&
        strcmp(checker->open[checker->depth - 1], "th") == 0) {
        checker->depth--;
    }
}

static void take_end_tag(struct checker *checker) {
    char name[NAME_MAX_BYTES];
    char with_slash[NAME_MAX_BYTES + 1];
    checker->at += 2;
    take_name(checker, name);
    snprintf(with_slash, sizeof with_slash, "/%s", name);
    close_implied(checker, with_slash);
    itr_text_printf(&checker->skeleton, "<%s>", with_slash);
    if (checker->wrong == NULL &&
        (checker->depth == 0 || strcmp(checker->open[checker->depth - 1], name) != 0 ||
         *checker->at++ != '>')) {
        checker->wrong = "an end tag that ends something else";
        return;
    }
    checker->depth -= checker->depth > 0 ? 1 : 0;
}

static void take_tag(struct checker *checker) {
    char name[NAME_MAX_BYTES];
    checker->at++;
    take_name(checker, name);
    close_implied(checker, name);
    itr_text_printf(&checker->skeleton, "<%s", name);
    while (checker->wrong == NULL && *checker->at == ' ') {
        checker->at++;
        take_attribute(checker);
    }
    itr_text_add(&checker->skeleton, ">");
    bool ended = *checker->at == '/';
    checker->at += ended ? 1 : 0;
    if (checker->wrong == NULL && *checker->at++ != '>') {
        checker->wrong = "a tag without an end";
    } else if (!ended && !is_void(checker, name)) {
        if (checker->depth == DEPTH_MAX) {
            checker->wrong = "too deep";
            return;
        }
        memcpy(checker->open[checker->depth++], name, sizeof name);
    }
    if (strcmp(name, "style") == 0 && checker->wrong == NULL) { /* raw text of our own */
        const char *end = strstr(checker->at, "</style>");
        checker->at = end != NULL ? end : "";
    }
}

/* Checks the whole; the caller releases `skeleton`. */
static void check(struct checker *checker, const char *text, bool html) {
    static const char xml_head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    static const char html_head[] = "<!doctype html>\n";
    const char *head = html ? html_head : xml_head;
    *checker = (struct checker){.html = html, .skeleton = {.ceiling = 64u << 20}};
    if (strncmp(text, head, strlen(head)) != 0) {
        fail_msg("no head: %.60s", text);
    }
    checker->at = text + strlen(head);
    while (checker->wrong == NULL && *checker->at != '\0') {
        if (checker->at[0] == '<' && checker->at[1] == '/') {
            take_end_tag(checker);
        } else if (checker->at[0] == '<') {
            take_tag(checker);
        } else {
            take_character(checker);
        }
    }
    if (checker->wrong == NULL && checker->depth > 0) {
        checker->wrong = "an element that does not end";
    }
    if (checker->wrong != NULL) {
        fail_msg("%s, before: %.80s", checker->wrong, checker->at);
    }
}

/* ---- summaries ---- */

enum { CELLS = 7 };

static struct itr_cell cells[CELLS];
static struct itr_tally tallies[CELLS];
static struct itr_verdict verdicts[CELLS];
static struct itr_summary summary;

static void add(size_t cell, uint64_t count, enum itr_outcome outcome, const char *signature) {
    for (uint64_t i = 0; i < count; i++) {
        struct itr_row row = {.trial = tallies[cell].trials + 100 * cell,
                              .outcome = outcome,
                              .signature = signature,
                              .fired_after_load_ns = (int64_t)(i % 20) * 100000};
        itr_tally_add(&tallies[cell], &row);
    }
}

static void begin_cell(size_t i, const char *text) {
    struct itr_cell *cell = &cells[i];
    memset(cell, 0, sizeof *cell);
    snprintf(cell->case_name, sizeof cell->case_name, "case %s", text);
    snprintf(cell->control, sizeof cell->control, "%.100s", i % 2 != 0 ? text : "");
    snprintf(cell->go, sizeof cell->go, "go1.%zu", i);
    snprintf(cell->system, sizeof cell->system, "linux");
    snprintf(cell->at, sizeof cell->at, "at %.100s", text);
    snprintf(cell->library, sizeof cell->library, "%.100s", text);
    cell->aim.event = ITR_EVENT_SIGURG;
    cell->expect = ITR_OUTCOME_DELIVERED;
    itr_tally_begin(&tallies[i], cell->expect, i == 6 ? 1000000 : 0,
                    i == 2   ? 2000000
                    : i == 6 ? 5000000
                             : 0);
}

/* A cell for each judgement; `text` wherever a text of others goes. */
static void begin(const char *text) {
    char signature[240];
    snprintf(signature, sizeof signature, "crash %.200s", text);
    for (size_t i = 0; i < CELLS; i++) {
        begin_cell(i, text);
    }
    add(0, 10, ITR_OUTCOME_DELIVERED, "");
    cells[1].known_count = 1;
    cells[1].known[0] =
        (struct itr_cell_known){.outcome = ITR_OUTCOME_CRASH, .signature = "*", .rate_max = 1};
    snprintf(cells[1].known[0].thread, sizeof cells[1].known[0].thread, "%.100s", text);
    add(1, 10, ITR_OUTCOME_CRASH, signature);
    add(2, 90, ITR_OUTCOME_DELIVERED, "");
    add(2, 10, ITR_OUTCOME_CRASH, signature);
    cells[3].known_count = 1;
    cells[3].known[0] = cells[1].known[0];
    cells[3].known[0].rate_min = 0.9;
    snprintf(cells[3].known[0].signature, sizeof cells[3].known[0].signature, "%.100s", text);
    add(3, 100, ITR_OUTCOME_DELIVERED, "");
    add(4, 10, ITR_OUTCOME_NOT_FIRED, "not-fired SIGURG");
    add(5, 10, ITR_OUTCOME_TOOL_ERROR, signature);
    cells[6].aim.event = ITR_EVENT_NONE;
    if (strlen(text) < sizeof cells[6].system) {
        memcpy(cells[6].system, text, strlen(text) + 1);
    }
    summary = (struct itr_summary){.cells = cells,
                                   .tallies = tallies,
                                   .verdicts = verdicts,
                                   .count = CELLS,
                                   .seed = 0xabc,
                                   .elapsed_s = 2};
    snprintf(summary.folder, sizeof summary.folder, "/tmp/out");
    itr_summary_judge(&summary);
}

static void end(void) {
    for (size_t i = 0; i < CELLS; i++) {
        itr_tally_release(&tallies[i]);
    }
}

/* Texts that a host, a file or a path could hold. */
static const char *const hostile[] = {"<script>alert(1)</script>",
                                      "\"><b x=\"",
                                      "'/><x a='",
                                      "]]><y/>",
                                      "&lt;b&gt; & &amp",
                                      "<!--",
                                      "-->",
                                      "</td></table>",
                                      "\x1b[31mred\x1b]0;title\x07",
                                      "a\nb\r\nc\td",
                                      "\xff\xfe\xc3",
                                      "\x01\x7f\xc2\x9b",
                                      "\xe2\x80\xae\xef\xbb\xbf",
                                      "%s%n%d",
                                      "é日😀",
                                      "\xef\xbf\xbe",
                                      "`onload=x`",
                                      "javascript:x",
                                      "&#60;z&#62;"};

/* ---- reports ---- */

typedef void (*report_fn)(struct itr_text *out, const struct itr_summary *summary);

static void assert_only_text_differs(report_fn report, bool html) {
    struct itr_text text = {.ceiling = 64u << 20};
    struct checker harmless;
    begin("harmless");
    report(&text, &summary);
    check(&harmless, itr_text_string(&text), html);
    end();
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct checker checker;
        itr_text_reset(&text);
        begin(hostile[i]);
        report(&text, &summary);
        check(&checker, itr_text_string(&text), html);
        if (strcmp(itr_text_string(&checker.skeleton), itr_text_string(&harmless.skeleton)) != 0) {
            fail_msg("\"%s\" became more than text", hostile[i]);
        }
        end();
        itr_text_release(&checker.skeleton);
    }
    itr_text_release(&harmless.skeleton);
    itr_text_release(&text);
}

static void junit_is_well_formed_whatever_hosts_print(void **state) {
    (void)state;
    assert_only_text_differs(itr_report_junit, false);
}

static void html_is_well_formed_whatever_hosts_print(void **state) {
    (void)state;
    assert_only_text_differs(itr_report_html, true);
}

static size_t count_of(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text++) {
        count++;
    }
    return count;
}

static void assert_has(const struct itr_text *text, const char *part) {
    if (strstr(itr_text_string(text), part) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", part, itr_text_string(text));
    }
}

static void junit_counts_what_it_holds(void **state) {
    struct itr_text text = {0};
    (void)state;
    begin("x");
    itr_report_junit(&text, &summary);
    assert_has(&text, "tests=\"7\" failures=\"2\" errors=\"3\" skipped=\"0\" time=\"2.000\"");
    assert_int_equal(count_of(itr_text_string(&text), "<testcase "), 7);
    assert_int_equal(count_of(itr_text_string(&text), "<failure "), 2);
    assert_int_equal(count_of(itr_text_string(&text), "<error "), 3); /* one of the tool, two without a shot */
    assert_int_equal(count_of(itr_text_string(&text), "<skipped "), 0);
    assert_has(&text, "name=\"case x at at x, go1.0, linux\"");
    assert_has(&text, "type=\"finding\"");
    assert_has(&text, "10 x crash x\n");
    end();
    itr_text_release(&text);
}

static void html_says_it_all(void **state) {
    struct itr_text text = {.ceiling = 64u << 20};
    (void)state;
    begin("x");
    summary.interrupted = true;
    itr_report_html(&text, &summary);
    assert_has(&text, "interrupted: not all planned trials were run");
    assert_has(&text, "seed <code>0xabc</code>");
    assert_has(&text, "initrace replay DIR 290");
    assert_int_equal(count_of(itr_text_string(&text), "<h2 "), 7);
    assert_int_equal(count_of(itr_text_string(&text), "<svg "), 2); /* two cells have a window */
    assert_int_equal(count_of(itr_text_string(&text), "<script"), 0);
    assert_int_equal(count_of(itr_text_string(&text), "http"),
                     0); /* nothing comes from elsewhere */
    end();
    itr_text_release(&text);
}

/* A terminal gets our own colours and nothing else that it could obey. */
static void assert_fit_for_a_terminal(const char *text, bool colour) {
    static const char *const ours[] = {"\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[33m"};
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        uint32_t code = 0;
        size_t step = itr_utf8_length(text + at, length - at, &code);
        for (size_t i = 0; colour && i < sizeof ours / sizeof ours[0]; i++) {
            if (strncmp(text + at, ours[i], strlen(ours[i])) == 0) {
                step = strlen(ours[i]);
                code = ' ';
            }
        }
        bool control =
            (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7f && code < 0xa0);
        if (step == 0 || control || code == 0x202e || code == 0xfeff) {
            fail_msg("byte %u is not fit for a terminal, before: %.40s", (unsigned)at, text + at);
        }
        at += step;
    }
}

static void the_terminal_gets_nothing_it_could_obey(void **state) {
    size_t lines = 0;
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct itr_text text = {0};
        struct itr_text coloured = {0};
        begin(hostile[i]);
        itr_report_text(&text, &summary, false);
        itr_report_text(&coloured, &summary, true);
        assert_fit_for_a_terminal(itr_text_string(&text), false);
        assert_fit_for_a_terminal(itr_text_string(&coloured), true);
        assert_has(&coloured, "\033[31m");
        lines = lines == 0 ? count_of(itr_text_string(&text), "\n") : lines;
        assert_int_equal(count_of(itr_text_string(&text), "\n"), lines);
        end();
        itr_text_release(&text);
        itr_text_release(&coloured);
    }
}

static void the_terminal_is_told_what_matters(void **state) {
    struct itr_text text = {0};
    (void)state;
    begin("x");
    itr_report_text(&text, &summary, false);
    assert_has(&text, "finding: crash x: 10 of 100 trials");
    assert_has(&text, "10 × crash x\n");
    assert_has(&text, "initrace replay \"/tmp/out\" 290");
    assert_has(&text, "failing shots were fired 0.000 to 0.900 ms after load-begin");
    assert_has(&text, "seed 0xabc, in /tmp/out");
    assert_has(&text, "no-shot");
    assert_has(&text, "tool-error");
    assert_has(&text, "rate-changed");
    assert_null(strstr(itr_text_string(&text), "rr replay"));
    itr_text_reset(&text);
    snprintf(cells[2].record, sizeof cells[2].record, "rr");
    itr_report_text(&text, &summary, false);
    assert_has(&text, "linux rr ");
    assert_has(&text, "look: rr replay \"/tmp/out/failures/290/rr\"");
    end();
    itr_text_release(&text);
}

/* The whole of a small report, so that columns are seen to stand below each other. */
static void the_terminal_s_table_is_a_table(void **state) {
    static const char expected[] = "case               at    go     system     trials  failed  "
                                   "failing [95 %]         verdict      "
                                   "most frequent signature\n"
                                   "one                time  go1.1  linux          10       0  "
                                   "0.00 % [0.00, 27.75]   as-expected  \n"
                                   "d\xc3\xa9j\xc3\xa0 / after-init  -     -      linux dbg     "
                                   "100      15  15.00 % [9.31, 23.28]  finding      lost two\n"
                                   "\n"
                                   "d\xc3\xa9j\xc3\xa0 control after-init at no point, linux, "
                                   "debugged: finding: crash one: 5 of 100 trials, first in trial "
                                   "7; delivered was expected\n"
                                   "    5 \xc3\x97 crash one\n"
                                   "    10 \xc3\x97 lost two\n"
                                   "\n"
                                   "110 trials, seed 0xabc\n"
                                   "no verdict: a control failed\n";
    struct itr_text text = {0};
    (void)state;
    begin("x");
    end();
    begin_cell(0, "");
    begin_cell(1, "");
    snprintf(cells[0].case_name, sizeof cells[0].case_name, "one");
    snprintf(cells[0].at, sizeof cells[0].at, "time");
    snprintf(cells[0].go, sizeof cells[0].go, "go1.1");
    snprintf(cells[1].case_name, sizeof cells[1].case_name, "d\xc3\xa9j\xc3\xa0");
    snprintf(cells[1].control, sizeof cells[1].control, "after-init");
    cells[1].go[0] = '\0';
    cells[1].aim.event = ITR_EVENT_NONE;
    cells[1].debugged = true;
    add(0, 10, ITR_OUTCOME_DELIVERED, "");
    struct itr_row first = {.trial = 7,
                            .outcome = ITR_OUTCOME_CRASH,
                            .signature = "crash one",
                            .fired_after_load_ns = INT64_MIN};
    for (int i = 0; i < 5; i++) {
        itr_tally_add(&tallies[1], &first);
    }
    add(1, 85, ITR_OUTCOME_DELIVERED, "");
    add(1, 10, ITR_OUTCOME_LOST, "lost two");
    summary.count = 2;
    summary.folder[0] = '\0';
    summary.elapsed_s = 0;
    itr_summary_judge(&summary);
    itr_report_text(&text, &summary, false);
    assert_string_equal(itr_text_string(&text), expected);
    itr_text_release(&text);
    end();
}

/* Exact points by debugger and by gate are told apart. */
static void a_gate_is_marked(void **state) {
    struct itr_text text = {0};
    struct itr_text html = {0};
    (void)state;
    begin("x");
    snprintf(cells[0].system, sizeof cells[0].system, "wine");
    snprintf(cells[1].system, sizeof cells[1].system, "wine");
    cells[0].aim.gate = true;
    cells[1].debugged = true;
    itr_summary_judge(&summary);
    itr_report_text(&text, &summary, false);
    itr_report_html(&html, &summary);
    assert_has(&text, "wine gate");
    assert_has(&text, "wine dbg");
    assert_has(&html, "<td>wine gate</td>");
    assert_has(&html, "<td>wine dbg</td>");
    itr_text_release(&text);
    itr_text_release(&html);
    end();
}

static void many_signatures_are_cut_short(void **state) {
    struct itr_text text = {0};
    (void)state;
    begin("x");
    for (int i = 0; i < 9; i++) {
        char signature[32];
        snprintf(signature, sizeof signature, "hang %d", i);
        add(2, 1, ITR_OUTCOME_HANG, signature);
    }
    itr_summary_judge(&summary);
    itr_report_text(&text, &summary, false);
    assert_has(&text, "1 \xc3\x97 hang 6\n");
    assert_null(strstr(itr_text_string(&text), "hang 7\n"));
    assert_has(&text, "and 2 more signatures in summary.json");
    itr_text_reset(&text);
    itr_report_junit(&text, &summary);
    assert_has(&text, "10 x crash x\n1 x hang 0\n1 x hang 1\n"); /* the XML has them all */
    assert_has(&text, "1 x hang 8\n");
    itr_text_release(&text);
    end();
}

/* ---- JSON ---- */

static json_t *json_of_summary(void) {
    json_t *json = itr_summary_to_json(&summary);
    assert_non_null(json);
    char *text = json_dumps(json, JSON_INDENT(1));
    assert_non_null(text);
    json_decref(json);
    json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    free(text);
    return json;
}

static void the_summarys_json_is_what_others_script_against(void **state) {
    (void)state;
    begin("x");
    json_t *json = json_of_summary();
    assert_int_equal(json_integer_value(json_object_get(json, "format")), 1);
    assert_string_equal(json_string_value(json_object_get(json, "seed")), "0xabc");
    assert_int_equal(json_integer_value(json_object_get(json, "exit_code")), 4);
    assert_int_equal(json_array_size(json_object_get(json, "cells")), CELLS);
    const json_t *cell = json_array_get(json_object_get(json, "cells"), 2);
    assert_string_equal(json_string_value(json_object_get(cell, "case")), "case x");
    assert_true(json_is_null(json_object_get(cell, "control")));
    assert_string_equal(json_string_value(json_object_get(cell, "go")), "go1.2");
    assert_string_equal(json_string_value(json_object_get(cell, "system")), "linux");
    assert_string_equal(json_string_value(json_object_get(cell, "event")), "SIGURG");
    assert_string_equal(json_string_value(json_object_get(cell, "delivery")), "none");
    assert_string_equal(json_string_value(json_object_get(cell, "at")), "at x");
    assert_true(json_is_false(json_object_get(cell, "debugged")));
    assert_true(json_is_null(json_object_get(cell, "record")));
    assert_true(json_is_array(json_object_get(cell, "env")));
    assert_int_equal(json_integer_value(json_object_get(cell, "trials")), 100);
    const json_t *outcomes = json_object_get(cell, "outcomes");
    assert_int_equal(json_object_size(outcomes), 2);
    assert_int_equal(json_integer_value(json_object_get(outcomes, "crash")), 10);
    const json_t *signature = json_array_get(json_object_get(cell, "signatures"), 0);
    assert_string_equal(json_string_value(json_object_get(signature, "signature")), "crash x");
    assert_int_equal(json_integer_value(json_object_get(signature, "count")), 10);
    assert_int_equal(json_integer_value(json_object_get(signature, "first_trial")), 290);
    assert_true(json_number_value(json_object_get(cell, "rate")) == 0.1);
    const json_t *ci95 = json_object_get(cell, "rate_ci95");
    assert_int_equal(json_array_size(ci95), 2);
    assert_true(json_number_value(json_array_get(ci95, 0)) < 0.1 &&
                json_number_value(json_array_get(ci95, 1)) > 0.1);
    assert_int_equal(json_array_size(json_object_get(cell, "offsets")), ITR_TALLY_BUCKETS + 1);
    json_decref(json);
    end();
}

static int64_t number_of(const json_t *object, const char *key) {
    assert_true(json_is_integer(json_object_get(object, key)));
    return json_integer_value(json_object_get(object, key));
}

static void failures_have_their_place_in_the_json(void **state) {
    (void)state;
    begin("x");
    json_t *json = json_of_summary();
    const json_t *cell = json_array_get(json_object_get(json, "cells"), 2);
    const json_t *offsets = json_object_get(cell, "offsets");
    const json_t *second = json_array_get(offsets, 1);
    const json_t *last = json_array_get(offsets, ITR_TALLY_BUCKETS);
    assert_int_equal(number_of(second, "from_ns"), 100000);
    assert_int_equal(number_of(second, "to_ns"), 200000);
    assert_int_equal(number_of(second, "trials"), 6); /* 5 of 90, 1 of 10 */
    assert_int_equal(number_of(second, "not_as_expected"), 1);
    assert_int_equal(number_of(last, "from_ns"), 2000000);
    assert_true(json_is_null(json_object_get(last, "to_ns")));
    assert_int_equal(number_of(cell, "failures_from_ns"), 0);
    assert_int_equal(number_of(cell, "failures_to_ns"), 900000);
    assert_int_equal(number_of(cell, "valid_trials"), 100);
    cell = json_array_get(json_object_get(json, "cells"),
                          0); /* fired at a point: no window, no failure */
    assert_null(json_object_get(cell, "offsets"));
    assert_null(json_object_get(cell, "failures_from_ns"));
    cell = json_array_get(json_object_get(json, "cells"), 6); /* a window that begins later */
    assert_int_equal(number_of(json_array_get(json_object_get(cell, "offsets"), 0), "from_ns"),
                     1000000);
    assert_int_equal(number_of(json_array_get(json_object_get(cell, "offsets"), 19), "to_ns"),
                     5000000);
    cell = json_array_get(json_object_get(json, "cells"), 5);
    assert_int_equal(number_of(json_object_get(cell, "outcomes"), "tool-error"), 10);
    assert_int_equal(json_object_size(json_object_get(cell, "outcomes")), 1);
    assert_int_equal(number_of(cell, "valid_trials"), 0);
    json_decref(json);
    end();
}

/* Nothing is left out because of what it holds. */
static void hostile_signatures_are_in_the_json(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        if (itr_utf8_length(hostile[i], strlen(hostile[i]), NULL) == 0) {
            continue; /* names and signatures are made UTF-8 before they come here */
        }
        begin(hostile[i]);
        json_t *json = json_of_summary();
        assert_int_equal(json_array_size(json_object_get(json, "cells")), CELLS);
        for (size_t k = 0; k < CELLS; k++) {
            const json_t *cell = json_array_get(json_object_get(json, "cells"), k);
            assert_int_equal(json_array_size(json_object_get(cell, "signatures")),
                             tallies[k].signature_count);
            assert_true(json_is_string(json_object_get(cell, "sentence")));
        }
        json_decref(json);
        end();
    }
}

static void a_campaign_that_was_cut_short_is_at_best_inconclusive(void **state) {
    (void)state;
    begin("x");
    summary.count = 1; /* as expected */
    assert_int_equal(itr_summary_exit_code(&summary), 0);
    summary.interrupted = true;
    assert_int_equal(itr_summary_exit_code(&summary), 3);
    summary.count = 3; /* a finding is one all the same */
    assert_int_equal(itr_summary_exit_code(&summary), 1);
    summary.count = CELLS;
    assert_int_equal(itr_summary_exit_code(&summary), 4);
    end();
}

/* The checker itself must find what it is there for. */
static void the_checker_finds_faults(void **state) {
    static const char *const faults[] = {
        "<a><b></a></b>", "<a>",         "</a>", "<a b=c></a>", "<a b=\"<\"></a>", "<a>&x;</a>",
        "<a>\x01</a>",    "<a>\xff</a>", "<a",   "<a b></a>",   "<a>1 < 2</a>"};
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct checker checker = {.at = faults[i]};
        while (checker.wrong == NULL && *checker.at != '\0') {
            if (checker.at[0] == '<' && checker.at[1] == '/') {
                take_end_tag(&checker);
            } else if (checker.at[0] == '<') {
                take_tag(&checker);
            } else {
                take_character(&checker);
            }
        }
        if (checker.wrong == NULL && checker.depth == 0) {
            fail_msg("taken: %s", faults[i]);
        }
        itr_text_release(&checker.skeleton);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checker_finds_faults),
        cmocka_unit_test(junit_is_well_formed_whatever_hosts_print),
        cmocka_unit_test(html_is_well_formed_whatever_hosts_print),
        cmocka_unit_test(junit_counts_what_it_holds),
        cmocka_unit_test(html_says_it_all),
        cmocka_unit_test(the_terminal_gets_nothing_it_could_obey),
        cmocka_unit_test(the_terminal_is_told_what_matters),
        cmocka_unit_test(the_terminal_s_table_is_a_table),
        cmocka_unit_test(a_gate_is_marked),
        cmocka_unit_test(many_signatures_are_cut_short),
        cmocka_unit_test(failures_have_their_place_in_the_json),
        cmocka_unit_test(the_summarys_json_is_what_others_script_against),
        cmocka_unit_test(hostile_signatures_are_in_the_json),
        cmocka_unit_test(a_campaign_that_was_cut_short_is_at_best_inconclusive),
    };
    return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
