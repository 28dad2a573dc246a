/* The summary as JUnit XML: a test case for each cell, in the form that CI servers read. */
#include "framework/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void attribute(struct itr_text *out, const char *name, const char *value) {
    itr_text_printf(out, " %s=\"", name);
    itr_text_escape(out, ITR_ESCAPE_XML_ATTRIBUTE, value, strlen(value));
    itr_text_add(out, "\"");
}

static void element(struct itr_text *out, const char *name, const struct itr_verdict *verdict,
                    const struct itr_tally *tally) {
    itr_text_printf(out, "    <%s", name);
    attribute(out, "type", itr_judgement_name(verdict->judgement));
    attribute(out, "message", verdict->sentence);
    itr_text_add(out, ">");
    for (size_t i = 0; i < tally->signature_count; i++) {
        char line[64];
        snprintf(line, sizeof line, "%" PRIu64 " x ", tally->signatures[i].count);
        itr_text_add(out, line);
        itr_text_escape(out, ITR_ESCAPE_XML_TEXT, tally->signatures[i].text, strlen(tally->signatures[i].text));
        itr_text_add(out, "\n");
    }
    itr_text_printf(out, "</%s>\n", name);
}

static void test_case(struct itr_text *out, const struct itr_summary *summary, size_t i) {
    const struct itr_verdict *verdict = &summary->verdicts[i];
    char title[ITR_TITLE_MAX];
    itr_cell_title(&summary->cells[i], title, sizeof title);
    itr_text_add(out, "  <testcase");
    attribute(out, "classname", summary->cells[i].case_name);
    attribute(out, "name", title);
    itr_text_add(out, ">\n");
    switch (verdict->judgement) {
    case ITR_JUDGEMENT_EXPECTED:
    case ITR_JUDGEMENT_KNOWN:
        itr_text_add(out, "    <system-out>");
        itr_text_escape(out, ITR_ESCAPE_XML_TEXT, verdict->sentence, strlen(verdict->sentence));
        itr_text_add(out, "</system-out>\n");
        break;
    case ITR_JUDGEMENT_SKIPPED:
        itr_text_add(out, "    <skipped");
        attribute(out, "message", verdict->sentence);
        itr_text_add(out, "/>\n");
        break;
    case ITR_JUDGEMENT_INCONCLUSIVE: /* a test that did not come to test anything: no server may show it green */
    case ITR_JUDGEMENT_TOOL_ERROR:
        element(out, "error", verdict, &summary->tallies[i]);
        break;
    case ITR_JUDGEMENT_NEW:
    case ITR_JUDGEMENT_RATE:
        element(out, "failure", verdict, &summary->tallies[i]);
        break;
    }
    itr_text_add(out, "  </testcase>\n");
}

void itr_report_junit(struct itr_text *out, const struct itr_summary *summary) {
    size_t failures = 0;
    size_t errors = 0;
    size_t skipped = 0;
    for (size_t i = 0; i < summary->count; i++) {
        enum itr_judgement judgement = summary->verdicts[i].judgement;
        failures += judgement == ITR_JUDGEMENT_NEW || judgement == ITR_JUDGEMENT_RATE ? 1 : 0;
        errors += judgement == ITR_JUDGEMENT_TOOL_ERROR || judgement == ITR_JUDGEMENT_INCONCLUSIVE ? 1 : 0;
        skipped += judgement == ITR_JUDGEMENT_SKIPPED ? 1 : 0;
    }
    itr_text_add(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    itr_text_printf(out,
                    "<testsuite name=\"initrace\" tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\" "
                    "time=\"%.3f\">\n",
                    summary->count, failures, errors, skipped, summary->elapsed_s);
    for (size_t i = 0; i < summary->count; i++) {
        test_case(out, summary, i);
    }
    itr_text_add(out, "</testsuite>\n");
}
