/* Matrices in tables and words: a table a case, then what its letters mean, what changed, and what was not as expected. Tables are
 * report_matrix_table.c's. */
#include "framework/report_matrix_parts.h"

#include "framework/markdown.h"

#include <inttypes.h>

enum { NOTES_MAX = 30 /* lines of one kind below a table */ };

/* A host may have chosen it. */
static void add_said(const struct itr_matrix_printing *printing, const char *text) {
    if (printing->markdown) {
        (void)itr_markdown_code(printing->out, text, false);
    } else {
        itr_matrix_add_name(printing, text);
    }
}

/* ---- below a table ---- */

/* Begins a line; false: there were too many of the kind. */
static bool begin_note(const struct itr_matrix_printing *printing, size_t *count) {
    if ((*count)++ < NOTES_MAX) {
        itr_text_add(printing->out, printing->markdown ? "- " : "  ");
        return true;
    }
    return false;
}

static void end_notes(const struct itr_matrix_printing *printing, size_t count) {
    if (count > NOTES_MAX) {
        itr_text_printf(printing->out, "%s… and %zu more in matrix.json\n", printing->markdown ? "- " : "  ", count - NOTES_MAX);
    }
}

static void add_legend(const struct itr_matrix_printing *printing) {
    for (size_t i = 0; i < printing->legend.count; i++) {
        itr_text_printf(printing->out, "%s%c: ", printing->markdown ? "- " : "  ", (int)('a' + i));
        add_said(printing, printing->legend.text[i]);
        itr_text_add(printing->out, "\n");
    }
    if (printing->legend.more) {
        itr_text_printf(printing->out, "%s: others, in matrix.json\n", printing->markdown ? "- ?" : "  ?");
    }
}

static void add_where(const struct itr_matrix_printing *printing, size_t row, size_t column) {
    const struct itr_cell *cell = &printing->summary->cells[printing->table->rows[row].like];
    char place[ITR_PLACE_MAX];
    itr_cell_place(cell, place, sizeof place);
    itr_matrix_add_name(printing, printing->table->columns[column].label);
    itr_text_add(printing->out, " at ");
    add_said(printing, place);
}

static void add_change(const struct itr_matrix_printing *printing, const struct itr_matrix_test *test, const struct itr_other *counts) {
    struct itr_text *out = printing->out;
    size_t before = printing->table->rows[test->row].entries[test->column].before;
    itr_text_printf(out, "%s ", test->signature != NULL ? "≠" : test->falls ? "▼" : "▲");
    add_where(printing, test->row, test->column);
    itr_text_add(out, " against ");
    itr_matrix_add_name(printing, printing->table->columns[before].label);
    itr_text_add(out, ": ");
    if (test->signature != NULL) {
        add_said(printing, test->signature);
        itr_text_add(out, ": ");
    }
    itr_text_printf(out, "%" PRIu64 " of %" PRIu64 "%s, before %" PRIu64 " of %" PRIu64 " (p %.2g by Holm)\n",
                    test->falls ? counts->baseline_hits : counts->candidate_hits, test->falls ? counts->baseline_trials : counts->candidate_trials,
                    test->signature != NULL ? " failures" : "", test->falls ? counts->candidate_hits : counts->baseline_hits,
                    test->falls ? counts->candidate_trials : counts->baseline_trials, counts->adjusted);
}

static void add_changes(const struct itr_matrix_printing *printing) {
    size_t count = 0;
    for (size_t i = 0; i < printing->matrix->test_count; i++) {
        const struct itr_matrix_test *test = &printing->matrix->tests[i];
        if (&printing->matrix->tables[test->table] == printing->table && printing->matrix->counts[i].is_worse && begin_note(printing, &count)) {
            add_change(printing, test, &printing->matrix->counts[i]);
        }
    }
    end_notes(printing, count);
}

static void add_verdict(const struct itr_matrix_printing *printing, const struct itr_verdict *verdict) {
    itr_text_printf(printing->out, ": %s: ", itr_judgement_name(verdict->judgement));
    add_said(printing, verdict->sentence);
    itr_text_add(printing->out, "\n");
}

static void add_controls(const struct itr_matrix_printing *printing) {
    size_t count = 0;
    for (size_t i = 0; i < printing->table->control_count; i++) {
        const struct itr_cell *cell = &printing->summary->cells[printing->table->controls[i]];
        const struct itr_verdict *verdict = &printing->summary->verdicts[printing->table->controls[i]];
        char go[sizeof cell->go + sizeof cell->arm];
        if (itr_matrix_is_unexpected(verdict) && begin_note(printing, &count)) {
            itr_text_add(printing->out, "control ");
            itr_matrix_add_name(printing, cell->control);
            itr_text_add(printing->out, cell->go[0] != '\0' ? ", " : "");
            itr_cell_go(cell, go, sizeof go);
            itr_matrix_add_name(printing, go);
            add_verdict(printing, verdict);
        }
    }
    end_notes(printing, count);
}

/* What no case file says, and what was not run. */
static void add_entries(const struct itr_matrix_printing *printing) {
    const struct itr_matrix_table *table = printing->table;
    size_t count = 0;
    for (size_t i = 0; i < table->row_count * table->column_count; i++) {
        size_t row = i / table->column_count;
        size_t column = i % table->column_count;
        const struct itr_matrix_entry *entry = &table->rows[row].entries[column];
        bool is_told = entry->cell != ITR_MATRIX_NONE &&
                       (entry->state == ITR_MATRIX_SKIPPED || itr_matrix_is_unexpected(&printing->summary->verdicts[entry->cell]));
        if (is_told && begin_note(printing, &count)) {
            itr_text_add(printing->out, entry->state == ITR_MATRIX_SKIPPED ? "" : "! ");
            add_where(printing, row, column);
            add_verdict(printing, &printing->summary->verdicts[entry->cell]);
        }
    }
    end_notes(printing, count);
}

/* ---- all of it ---- */

static void add_end(const struct itr_matrix_printing *printing) {
    const struct itr_matrix *matrix = printing->matrix;
    const struct itr_summary *summary = printing->summary;
    struct itr_text *out = printing->out;
    uint64_t trials = 0;
    char why[128];
    for (size_t i = 0; i < summary->count; i++) {
        trials += summary->tallies[i].trials;
    }
    const char *end = printing->markdown ? " " : "\n";
    itr_text_printf(out, "\nShots that failed, in %%, with 95 %% intervals; a letter is a signature. Against the version to the left:%s", end);
    itr_text_printf(out, "▲ more often, ▼ more seldom, ≠ otherwise; any of these by chance: at most %g (Fisher's exact test, Holm over %zu).%s", matrix->alpha,
                    matrix->test_count, end);
    itr_text_printf(out, "~ otherwise, but too few to tell. ! not what the case expects or knows. In parentheses: a control or the tool failed.\n");
    itr_text_printf(out, "%schanges between versions: %zu; %" PRIu64 " trials", printing->markdown ? "\n" : "", matrix->changed, trials);
    if (summary->elapsed_s > 0) {
        itr_text_printf(out, " in %.0f s", summary->elapsed_s);
    }
    itr_text_printf(out, ", seed 0x%" PRIx64, summary->seed);
    if (!printing->markdown) {
        itr_text_add(out, ", in ");
        itr_matrix_add_name(printing, summary->folder);
    }
    itr_text_add(out, summary->interrupted ? ": cut short, initrace matrix --resume --output DIR goes on\n" : "\n");
    if (matrix->tested == 0) {
        itr_text_printf(out, "%sno verdict: nothing was tested at any point\n", printing->markdown ? "\n" : "");
    } else if (itr_judge_no_verdict(summary->cells, summary->verdicts, summary->count, why, sizeof why)) {
        itr_text_printf(out, "%sno verdict: %s\n", printing->markdown ? "\n" : "", why);
    }
}

static void add_title(const struct itr_matrix_printing *printing) {
    const struct itr_cell *cell = &printing->summary->cells[printing->table->like];
    itr_text_add(printing->out, printing->markdown ? "### " : "");
    itr_matrix_add_name(printing, cell->case_name);
    itr_text_printf(printing->out, " (%s", cell->system);
    itr_text_add(printing->out, cell->arm[0] != '\0' ? ", every Go changed by " : "");
    itr_matrix_add_name(printing, cell->arm);
    itr_text_add(printing->out, printing->markdown ? ")\n\n" : ")\n");
}

/* In Markdown a list has an empty line before it. */
static void add_notes(struct itr_matrix_printing *printing) {
    struct itr_text *out = printing->out;
    struct itr_text notes = {.ceiling = out->ceiling};
    printing->out = &notes;
    add_legend(printing);
    add_controls(printing);
    add_changes(printing);
    add_entries(printing);
    printing->out = out;
    itr_text_add(out, printing->markdown && notes.length > 0 ? "\n" : "");
    itr_text_append(out, itr_text_string(&notes), notes.length);
    out->truncated = out->truncated || notes.truncated;
    out->no_memory = out->no_memory || notes.no_memory;
    itr_text_release(&notes);
}

static void report(struct itr_matrix_printing *printing, int width) {
    for (size_t t = 0; t < printing->matrix->table_count; t++) {
        printing->table = &printing->matrix->tables[t];
        printing->legend = (struct itr_matrix_legend){0};
        itr_text_add(printing->out, t > 0 ? "\n" : "");
        add_title(printing);
        if (printing->markdown) {
            itr_matrix_add_markdown_table(printing);
        } else {
            itr_matrix_add_table(printing, width);
        }
        add_notes(printing);
    }
    add_end(printing);
}

void itr_report_matrix(struct itr_text *out, const struct itr_matrix *matrix, const struct itr_summary *summary, int width) {
    struct itr_matrix_printing printing = {.out = out, .matrix = matrix, .summary = summary};
    report(&printing, width);
}

void itr_report_matrix_markdown(struct itr_text *out, const struct itr_matrix *matrix, const struct itr_summary *summary) {
    struct itr_matrix_printing printing = {.out = out, .matrix = matrix, .summary = summary, .markdown = true};
    report(&printing, 0);
}
