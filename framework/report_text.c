/* The terminal's report: a table, and a paragraph for what is worth one. */
#include "framework/report.h"

#include "framework/evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

enum { COLUMNS = 9 };

struct row {
    char column[COLUMNS][256];
};

static void safe(char *out, size_t room, const char *text) {
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, text, strlen(text));
}

static const char *main_signature(const struct itr_cell *cell, const struct itr_tally *tally) {
    const struct itr_tally_signature *most = NULL;
    for (size_t i = 0; i < tally->signature_count; i++) {
        const struct itr_tally_signature *one = &tally->signatures[i];
        if (one->outcome != cell->expect && (most == NULL || one->count > most->count)) {
            most = one;
        }
    }
    return most != NULL ? most->text : "";
}

static void fill(struct row *row, const struct itr_cell *cell, const struct itr_tally *tally,
                 const struct itr_verdict *verdict) {
    struct itr_interval ci95;
    double rate = itr_tally_rate(tally, &ci95);
    char arm[ITR_TITLE_MAX];
    size_t room = sizeof row->column[0];
    itr_cell_name(cell, arm, sizeof arm);
    safe(row->column[0], room, arm);
    safe(row->column[1], room, cell->aim.event == ITR_EVENT_NONE ? "-" : cell->at);
    itr_cell_go(cell, arm, sizeof arm);
    safe(row->column[2], room, arm[0] ? arm : "-");
    itr_cell_system(cell, arm, sizeof arm);
    safe(row->column[3], room, arm);
    snprintf(row->column[4], room, "%" PRIu64, itr_tally_valid(tally));
    snprintf(row->column[5], room, "%" PRIu64, itr_tally_unexpected(tally));
    snprintf(row->column[6], room, "%.2f %% [%.2f, %.2f]", 100 * rate, 100 * ci95.low, 100 * ci95.high);
    snprintf(row->column[7], room, "%s", itr_judgement_name(verdict->judgement));
    safe(row->column[8], 100, main_signature(cell, tally));
}

static const char *colour_of(enum itr_judgement judgement) {
    switch (judgement) {
    case ITR_JUDGEMENT_EXPECTED:
        return GREEN;
    case ITR_JUDGEMENT_KNOWN:
    case ITR_JUDGEMENT_SKIPPED:
    case ITR_JUDGEMENT_INCONCLUSIVE:
        return YELLOW;
    case ITR_JUDGEMENT_NEW:
    case ITR_JUDGEMENT_RATE:
    case ITR_JUDGEMENT_TOOL_ERROR:
        return RED;
    }
    return "";
}

/* Columns as seen on a terminal: bytes that do not begin a UTF-8 character take no place. */
static int shown_length(const char *text) {
    int length = 0;
    for (; *text != '\0'; text++) {
        length += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return length;
}

static void print_row(struct itr_text *out, const struct row *row, const int *widths, const char *colour) {
    for (int i = 0; i < COLUMNS; i++) {
        bool number = i >= 4 && i <= 5;
        int pad = widths[i] - shown_length(row->column[i]);
        bool tint = colour[0] != '\0' && i == 7;
        itr_text_printf(out, "%s%*s%s%s%s%*s", i > 0 ? "  " : "", number ? pad : 0, "", tint ? colour : "",
                        row->column[i], tint ? PLAIN : "", number || i == COLUMNS - 1 ? 0 : pad, "");
    }
    itr_text_add(out, "\n");
}

static void print_table(struct itr_text *out, const struct itr_summary *summary, bool colour) {
    static const char *const heads[COLUMNS] = {"case",   "at",      "go",     "system",   "trials",
                                               "failed", "failing [95 %]", "verdict", "most frequent signature"};
    int widths[COLUMNS];
    struct row row;
    for (int i = 0; i < COLUMNS; i++) {
        widths[i] = shown_length(heads[i]);
    }
    for (size_t k = 0; k < summary->count; k++) {
        fill(&row, &summary->cells[k], &summary->tallies[k], &summary->verdicts[k]);
        for (int i = 0; i < COLUMNS; i++) {
            int length = shown_length(row.column[i]);
            widths[i] = length > widths[i] ? length : widths[i];
        }
    }
    for (int i = 0; i < COLUMNS; i++) {
        snprintf(row.column[i], sizeof row.column[i], "%s", heads[i]);
    }
    itr_text_add(out, colour ? BOLD : "");
    print_row(out, &row, widths, "");
    itr_text_add(out, colour ? PLAIN : "");
    for (size_t k = 0; k < summary->count; k++) {
        fill(&row, &summary->cells[k], &summary->tallies[k], &summary->verdicts[k]);
        print_row(out, &row, widths, colour ? colour_of(summary->verdicts[k].judgement) : "");
    }
}

static void print_window(struct itr_text *out, const struct itr_tally *tally) {
    if (tally->window_to_ns > tally->window_from_ns && tally->first_failure_ns != UINT64_MAX) {
        itr_text_printf(out, "    failing shots were fired %.3f to %.3f ms after load-begin (window %.3f to %.3f ms)\n",
                        (double)tally->first_failure_ns / 1e6, (double)tally->last_failure_ns / 1e6,
                        (double)tally->window_from_ns / 1e6, (double)tally->window_to_ns / 1e6);
    }
}

/* What the evidence of a failure says first, where there is any. */
static void print_evidence(struct itr_text *out, const struct itr_summary *summary, size_t cell, const char *signature) {
    char headline[700];
    uint64_t trial = 0;
    json_t *json = summary->folder[0] != '\0' ? itr_evidence_find(summary->folder, cell, signature, &trial) : NULL;
    if (json == NULL) {
        return;
    }
    const char *text = json_string_value(json_object_get(json, "headline"));
    safe(headline, sizeof headline, text != NULL ? text : "");
    itr_text_printf(out, "      evidence: failures/%" PRIu64 "/evidence%s%s%s\n", trial, headline[0] != '\0' ? ": " : "",
                    headline, json_is_false(json_object_get(json, "same_failure")) ? " (NOT the same failure)" : "");
    json_decref(json);
}

static void print_signatures(struct itr_text *out, const struct itr_summary *summary, size_t k) {
    const struct itr_tally *tally = &summary->tallies[k];
    for (size_t i = 0; i < tally->signature_count && i < 8; i++) {
        const struct itr_tally_signature *one = &tally->signatures[i];
        char text[400];
        if (one->outcome == summary->cells[k].expect) {
            continue;
        }
        safe(text, sizeof text, one->text);
        itr_text_printf(out, "    %" PRIu64 " × %s\n", one->count, text);
        if (one->detail != NULL) {
            char detail[800];
            safe(detail, sizeof detail, one->detail);
            itr_text_printf(out, "      first: %s\n", detail);
        }
        if (summary->folder[0] != '\0') {
            itr_text_printf(out, "      replay: initrace replay \"%s\" %" PRIu64 "\n", summary->folder,
                            one->first_trial);
        }
        print_evidence(out, summary, k, one->text);
        if (summary->folder[0] != '\0' && summary->cells[k].record[0] != '\0' && one->outcome != ITR_OUTCOME_TOOL_ERROR) {
            itr_text_printf(out, "      look: %s replay \"%s/failures/%" PRIu64 "/rr\"\n", summary->cells[k].record,
                            summary->folder, one->first_trial);
        }
    }
    if (tally->signature_count > 8) {
        itr_text_printf(out, "    … and %zu more signatures in summary.json\n", tally->signature_count - 8);
    }
}

static void print_cell(struct itr_text *out, const struct itr_summary *summary, size_t k, bool colour) {
    const struct itr_verdict *verdict = &summary->verdicts[k];
    char raw[ITR_TITLE_MAX];
    char title[2 * ITR_TITLE_MAX];
    char sentence[800];
    itr_cell_title(&summary->cells[k], raw, sizeof raw);
    safe(title, sizeof title, raw);
    safe(sentence, sizeof sentence, verdict->sentence);
    itr_text_printf(out, "\n%s%s%s: %s: %s\n", colour ? colour_of(verdict->judgement) : "", title,
                    colour ? PLAIN : "", itr_judgement_name(verdict->judgement), sentence);
    print_window(out, &summary->tallies[k]);
    print_signatures(out, summary, k);
}

void itr_report_text(struct itr_text *out, const struct itr_summary *summary, bool colour) {
    uint64_t trials = 0;
    char why[128];
    print_table(out, summary, colour);
    for (size_t k = 0; k < summary->count; k++) {
        trials += summary->tallies[k].trials;
        if (summary->verdicts[k].judgement != ITR_JUDGEMENT_EXPECTED) {
            print_cell(out, summary, k, colour);
        }
    }
    itr_text_printf(out, "\n%" PRIu64 " trials", trials);
    if (summary->elapsed_s > 0) {
        itr_text_printf(out, " in %.1f s (%.0f/s)", summary->elapsed_s, (double)trials / summary->elapsed_s);
    }
    itr_text_printf(out, ", seed 0x%" PRIx64 "%s%s%s\n", summary->seed, summary->folder[0] ? ", in " : "",
                    summary->folder, summary->interrupted ? ": interrupted, not all planned trials were run" : "");
    if (itr_judge_no_verdict(summary->cells, summary->verdicts, summary->count, why, sizeof why)) {
        itr_text_printf(out, "no verdict: %s\n", why);
    }
}
