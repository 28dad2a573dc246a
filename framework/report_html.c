/* The summary as one HTML page without scripts and without anything from elsewhere. */
#include "framework/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char style[] =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#1c2733}"
    "h1{font-size:1.4rem}h2{font-size:1.05rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #dde3e9;vertical-align:top}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}code,pre{font:13px ui-monospace,monospace}"
    ".as-expected{color:#1a7f37}.known,.no-shot,.skipped{color:#9a6700}.finding,.rate-changed,.tool-error{color:#cf222e}"
    ".bar{fill:#c9d1d9}.bad{fill:#cf222e}@media(prefers-color-scheme:dark){body{background:#0f1419;color:#d6dde4}"
    "th,td{border-color:#2b333b}.bar{fill:#3b444d}}";

static void escaped(struct itr_text *out, const char *text) {
    itr_text_escape(out, ITR_ESCAPE_HTML, text, strlen(text));
}

static void cell_text(struct itr_text *out, const char *tag, const char *text) {
    itr_text_printf(out, "<%s>", tag);
    escaped(out, text);
    itr_text_add(out, "</td>");
}

static void table_row(struct itr_text *out, const struct itr_summary *summary, size_t i) {
    const struct itr_cell *cell = &summary->cells[i];
    const struct itr_tally *tally = &summary->tallies[i];
    const char *verdict = itr_judgement_name(summary->verdicts[i].judgement);
    struct itr_interval ci95;
    char system[32];
    char go[sizeof cell->go + sizeof cell->arm];
    double rate = itr_tally_rate(tally, &ci95);
    itr_text_printf(out, "<tr><td><a href=\"#c%zu\">", i);
    char axes[ITR_COMBINATION_TEXT_MAX];
    itr_cell_axes(cell, axes);
    escaped(out, cell->case_name);
    itr_text_add(out, axes[0] ? " " : "");
    escaped(out, axes);
    itr_text_add(out, "</a></td>");
    cell_text(out, "td", cell->control[0] ? cell->control : "");
    cell_text(out, "td", cell->aim.event == ITR_EVENT_NONE ? "" : cell->at);
    itr_cell_go(cell, go, sizeof go);
    cell_text(out, "td", go);
    itr_cell_system(cell, system, sizeof system);
    cell_text(out, "td", system);
    itr_text_printf(out,
                    "<td class=n>%" PRIu64 "</td><td class=n>%" PRIu64 "</td><td class=n>%.3f&nbsp;%%</td>"
                    "<td class=n>%.3f – %.3f&nbsp;%%</td><td class=%s>%s</td></tr>\n",
                    itr_tally_valid(tally), itr_tally_unexpected(tally), 100 * rate, 100 * ci95.low, 100 * ci95.high,
                    verdict, verdict);
}

/* Shots by time after load-begin: how many, and how many of them failed. */
static void window_picture(struct itr_text *out, const struct itr_tally *tally) {
    uint64_t most = 1;
    if (tally->window_to_ns <= tally->window_from_ns) {
        return;
    }
    for (int i = 0; i < ITR_TALLY_BUCKETS; i++) {
        most = tally->bucket_trials[i] > most ? tally->bucket_trials[i] : most;
    }
    itr_text_add(out, "<svg viewBox=\"0 0 640 140\" width=640 height=140 role=img "
                      "aria-label=\"shots over the window, failing ones in red\">");
    for (int i = 0; i < ITR_TALLY_BUCKETS; i++) {
        double all = 110.0 * (double)tally->bucket_trials[i] / (double)most;
        double bad = 110.0 * (double)tally->bucket_failures[i] / (double)most;
        itr_text_printf(out,
                        "<rect class=bar x=%d y=%.1f width=29 height=%.1f><title>%" PRIu64 " shots, %" PRIu64
                        " failed</title></rect><rect class=bad x=%d y=%.1f width=29 height=%.1f></rect>",
                        20 + i * 30, 115 - all, all, tally->bucket_trials[i], tally->bucket_failures[i], 20 + i * 30,
                        115 - bad, bad);
    }
    itr_text_printf(out,
                    "<text x=20 y=133 font-size=12 fill=currentColor>%.3f ms</text><text x=620 y=133 font-size=12 "
                    "text-anchor=end fill=currentColor>%.3f ms after load-begin</text></svg>\n",
                    (double)tally->window_from_ns / 1e6, (double)tally->window_to_ns / 1e6);
}

static void section(struct itr_text *out, const struct itr_summary *summary, size_t i) {
    const struct itr_tally *tally = &summary->tallies[i];
    const struct itr_verdict *verdict = &summary->verdicts[i];
    char title[ITR_TITLE_MAX];
    itr_cell_title(&summary->cells[i], title, sizeof title);
    itr_text_printf(out, "<h2 id=c%zu>", i);
    escaped(out, title);
    itr_text_printf(out, "</h2>\n<p class=%s>%s: ", itr_judgement_name(verdict->judgement),
                    itr_judgement_name(verdict->judgement));
    escaped(out, verdict->sentence);
    itr_text_add(out, "</p>\n");
    window_picture(out, tally);
    if (tally->signature_count == 0) {
        return;
    }
    itr_text_add(out, "<table><tr><th>count<th>signature<th>first trial</tr>\n");
    for (size_t k = 0; k < tally->signature_count && k < 100; k++) {
        const struct itr_tally_signature *one = &tally->signatures[k];
        itr_text_printf(out, "<tr><td class=n>%" PRIu64 "</td><td><code>", one->count);
        escaped(out, one->text);
        if (one->detail != NULL) {
            itr_text_add(out, "</code><br>first: <code>");
            escaped(out, one->detail);
        }
        itr_text_printf(out, "</code></td><td><code>initrace replay DIR %" PRIu64, one->first_trial);
        if (summary->cells[i].record[0] != '\0' && one->outcome != ITR_OUTCOME_TOOL_ERROR) {
            itr_text_printf(out, "</code><br><code>%s replay DIR/failures/%" PRIu64 "/rr", summary->cells[i].record,
                            one->first_trial);
        }
        itr_text_add(out, "</code></td></tr>\n");
    }
    itr_text_add(out, "</table>\n");
}

void itr_report_html(struct itr_text *out, const struct itr_summary *summary) {
    uint64_t trials = 0;
    for (size_t i = 0; i < summary->count; i++) {
        trials += summary->tallies[i].trials;
    }
    itr_text_printf(out,
                    "<!doctype html>\n<html lang=en><meta charset=utf-8><meta name=viewport "
                    "content=\"width=device-width\"><title>initrace campaign</title><style>%s</style>\n"
                    "<h1>initrace campaign</h1>\n<p>%" PRIu64 " trials%s, seed <code>0x%" PRIx64 "</code></p>\n",
                    style, trials, summary->interrupted ? " (interrupted: not all planned trials were run)" : "",
                    summary->seed);
    itr_text_add(out, "<table><tr><th>case<th>control<th>at<th>Go<th>system<th>trials<th>failed<th>rate<th>95 % "
                      "interval<th>verdict</tr>\n");
    for (size_t i = 0; i < summary->count; i++) {
        table_row(out, summary, i);
    }
    itr_text_add(out, "</table>\n");
    for (size_t i = 0; i < summary->count; i++) {
        section(out, summary, i);
    }
    itr_text_add(out, "</html>\n");
}
