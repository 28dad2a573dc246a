/* Matrices in tables and words: a table a case, then what its letters mean, what changed, and what was not as expected. */
#include "framework/report_matrix.h"

#include "framework/markdown.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LETTERS = 26,
    LABEL_MAX = 44,  /* columns of a point's name */
    ENTRY_ROOM = 80,
    NOTES_MAX = 30,  /* lines of one kind below a table */
};

/* What the signatures of a table are called in it, in the order in which they come. */
struct legend {
    const char *text[LETTERS];
    size_t count;
    bool more;
};

struct printing {
    struct itr_text *out;
    const struct itr_matrix *matrix;
    const struct itr_summary *summary;
    const struct itr_matrix_table *table;
    bool markdown;
    struct legend legend;
};

typedef char entry_text[ENTRY_ROOM];

/* ---- words ---- */

static void add_name(const struct printing *printing, const char *text) {
    if (printing->markdown) {
        (void)itr_markdown_add(printing->out, text);
    } else {
        (void)itr_text_escape(printing->out, ITR_ESCAPE_TERMINAL, text, strlen(text));
    }
}

/* A host may have chosen it. */
static void add_said(const struct printing *printing, const char *text) {
    if (printing->markdown) {
        (void)itr_markdown_code(printing->out, text, false);
    } else {
        add_name(printing, text);
    }
}

/* A share in percent, short, and never so that some look like none or like all. */
static const char *percent(char out[16], double share) {
    double value = 100 * share;
    if (value > 0 && value < 1) {
        snprintf(out, 16, "%.2g", value);
    } else if (value > 99 && value < 100) {
        snprintf(out, 16, "%.1f", value > 99.9 ? 99.9 : value);
    } else {
        snprintf(out, 16, value > 0 && value < 9.95 ? "%.1f" : "%.0f", value);
    }
    return out;
}

static char letter_of(struct legend *legend, const char *signature) {
    size_t i = 0;
    while (i < legend->count && strcmp(legend->text[i], signature) != 0) {
        i++;
    }
    if (i == LETTERS) {
        legend->more = true;
        return '?';
    }
    if (i == legend->count) {
        legend->text[legend->count++] = signature;
    }
    return (char)('a' + i);
}

static const char *marks_of(unsigned change) {
    static const char *const marks[] = {"", "▲", "▼", "▲", "≠", "▲≠", "▼≠", "▲≠"};
    return change == ITR_MATRIX_OTHER ? "~" : marks[change & 7];
}

static bool is_unexpected(const struct itr_verdict *verdict) {
    return verdict->judgement != ITR_JUDGEMENT_EXPECTED && verdict->judgement != ITR_JUDGEMENT_KNOWN &&
           verdict->judgement != ITR_JUDGEMENT_SKIPPED;
}

/* "▲97 [87, 100] a,b!" */
static void write_entry(struct printing *printing, const struct itr_matrix_entry *entry, entry_text out) {
    enum { SHOWN = 2 };
    static const char *const states[] = {"-", "skipped", "no shot"};
    const struct itr_tally_signature *list[SHOWN];
    char numbers[3][16];
    char names[8] = "";
    struct itr_interval ci95;
    if (entry->state != ITR_MATRIX_TESTED) {
        snprintf(out, ENTRY_ROOM, "%s", states[entry->state]);
        return;
    }
    const struct itr_verdict *verdict = &printing->summary->verdicts[entry->cell];
    double rate = itr_tally_rate(&printing->summary->tallies[entry->cell], &ci95);
    size_t count = itr_matrix_signatures(printing->summary, entry, list, SHOWN);
    size_t used = 0;
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        names[used++] = i == 0 ? ' ' : ',';
        names[used++] = letter_of(&printing->legend, list[i]->text);
    }
    names[used] = '\0';
    snprintf(out, ENTRY_ROOM, "%s%s%s [%s, %s]%s%s%s%s", entry->is_sound ? "" : "(", marks_of(entry->change), percent(numbers[0], rate),
             percent(numbers[1], ci95.low), percent(numbers[2], ci95.high), names, count > SHOWN ? "+" : "",
             is_unexpected(verdict) ? " !" : "", entry->is_sound ? "" : ")");
}

static void write_controls(const struct itr_matrix_column *column, entry_text out) {
    if (column->controls == 0) {
        snprintf(out, ENTRY_ROOM, "-");
    } else if (column->failed == 0) {
        snprintf(out, ENTRY_ROOM, "ok");
    } else {
        snprintf(out, ENTRY_ROOM, "FAILED: %zu of %zu", column->failed, column->controls);
    }
}

/* How the hosts run there, where that is not the usual way. */
static const char *way_of(const struct itr_cell *cell) {
    return cell->debugged ? " dbg" : cell->aim.gate ? " gate" : cell->record[0] != '\0' ? " rec" : "";
}

/* Valid trials of a row's cells: "40", "38-40". */
static void write_trials(const struct printing *printing, const struct itr_matrix_row *row, entry_text out) {
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (size_t c = 0; c < printing->table->column_count; c++) {
        if (row->entries[c].state == ITR_MATRIX_TESTED) {
            uint64_t valid = itr_tally_valid(&printing->summary->tallies[row->entries[c].cell]);
            least = valid < least ? valid : least;
            most = valid > most ? valid : most;
        }
    }
    if (least == most) {
        snprintf(out, ENTRY_ROOM, "%" PRIu64, most);
    } else if (least < most) {
        snprintf(out, ENTRY_ROOM, "%" PRIu64 "-%" PRIu64, least, most);
    } else {
        snprintf(out, ENTRY_ROOM, "0");
    }
}

/* ---- a table for a terminal ---- */

struct grid {
    entry_text *cells; /* rows, and the controls last; each has its label, its trials, its entries */
    int *widths;
    size_t rows;
    size_t columns;
};

static entry_text *grid_at(const struct grid *grid, size_t row, size_t column) {
    return &grid->cells[row * grid->columns + column];
}

/* Columns as seen on a terminal: bytes that do not begin a UTF-8 character take no place. */
static int shown_length(const char *text) {
    int length = 0;
    for (; *text != '\0'; text++) {
        length += ((unsigned char)*text & 0xc0) != 0x80 ? 1 : 0;
    }
    return length;
}

static void write_label(const struct itr_cell *cell, entry_text out) {
    char name[LABEL_MAX + 1];
    const char *at = cell->aim.event == ITR_EVENT_NONE ? "no event" : cell->at;
    bool whole = itr_escape_into(name, sizeof name, ITR_ESCAPE_TERMINAL, at, strlen(at));
    snprintf(out, ENTRY_ROOM, "%s%s%s", name, whole ? "" : "…", way_of(cell));
}

/* False: memory was refused. */
static bool fill_grid(struct printing *printing, struct grid *grid) {
    const struct itr_matrix_table *table = printing->table;
    *grid = (struct grid){.rows = table->row_count + 2, .columns = table->column_count + 2};
    grid->cells = calloc(grid->rows * grid->columns, sizeof *grid->cells);
    grid->widths = calloc(grid->columns, sizeof *grid->widths);
    if (grid->cells == NULL || grid->widths == NULL) {
        return false;
    }
    snprintf(*grid_at(grid, 0, 0), ENTRY_ROOM, "at");
    snprintf(*grid_at(grid, 0, 1), ENTRY_ROOM, "trials");
    snprintf(*grid_at(grid, grid->rows - 1, 0), ENTRY_ROOM, "controls");
    for (size_t c = 0; c < table->column_count; c++) {
        itr_escape_into(*grid_at(grid, 0, c + 2), ENTRY_ROOM, ITR_ESCAPE_TERMINAL, table->columns[c].label, strlen(table->columns[c].label));
        write_controls(&table->columns[c], *grid_at(grid, grid->rows - 1, c + 2));
    }
    for (size_t r = 0; r < table->row_count; r++) {
        write_label(&printing->summary->cells[table->rows[r].like], *grid_at(grid, r + 1, 0));
        write_trials(printing, &table->rows[r], *grid_at(grid, r + 1, 1));
        for (size_t c = 0; c < table->column_count; c++) {
            write_entry(printing, &table->rows[r].entries[c], *grid_at(grid, r + 1, c + 2));
        }
    }
    for (size_t i = 0; i < grid->rows * grid->columns; i++) {
        int length = shown_length(grid->cells[i]);
        int *width = &grid->widths[i % grid->columns];
        *width = length > *width ? length : *width;
    }
    return true;
}

static void add_padded(struct itr_text *out, const char *text, int width, bool right) {
    int pad = width - shown_length(text);
    itr_text_printf(out, "  %*s%s%*s", right ? pad : 0, "", text, right ? 0 : pad, "");
}

static void add_block(struct itr_text *out, const struct grid *grid, size_t from, size_t to) {
    for (size_t r = 0; r < grid->rows; r++) {
        struct itr_text line = {0};
        add_padded(&line, *grid_at(grid, r, 0), grid->widths[0], false);
        add_padded(&line, *grid_at(grid, r, 1), grid->widths[1], true);
        for (size_t c = from; c < to; c++) {
            add_padded(&line, *grid_at(grid, r, c), grid->widths[c], false);
        }
        size_t length = line.length;
        while (length > 0 && itr_text_string(&line)[length - 1] == ' ') {
            length--;
        }
        itr_text_append(out, itr_text_string(&line), length);
        itr_text_add(out, "\n");
        itr_text_release(&line);
    }
}

/* As many versions side by side as fit, the others below. */
static void add_table(struct printing *printing, int width) {
    struct grid grid;
    bool filled = fill_grid(printing, &grid);
    size_t from = 2;
    while (filled && from < grid.columns) {
        int used = 4 + grid.widths[0] + grid.widths[1];
        size_t to = from;
        while (to < grid.columns && (to == from || width <= 0 || used + 2 + grid.widths[to] <= width)) {
            used += 2 + grid.widths[to++];
        }
        add_block(printing->out, &grid, from, to);
        from = to;
    }
    if (!filled) {
        printing->out->no_memory = true;
    }
    free(grid.cells);
    free(grid.widths);
}

/* ---- a table in Markdown ---- */

static void add_row_words(const struct printing *printing, const char *trials) {
    itr_text_printf(printing->out, " | %s |", trials);
}

static void add_markdown_table(struct printing *printing) {
    const struct itr_matrix_table *table = printing->table;
    struct itr_text *out = printing->out;
    entry_text text;
    itr_text_add(out, "| at | trials |");
    for (size_t c = 0; c < table->column_count; c++) {
        itr_text_add(out, " ");
        add_name(printing, table->columns[c].label);
        itr_text_add(out, " |");
    }
    itr_text_add(out, "\n|---|--:|");
    for (size_t c = 0; c < table->column_count; c++) {
        itr_text_add(out, "---|");
    }
    for (size_t r = 0; r < table->row_count; r++) {
        const struct itr_cell *cell = &printing->summary->cells[table->rows[r].like];
        itr_text_add(out, "\n| ");
        (void)itr_markdown_code(out, cell->aim.event == ITR_EVENT_NONE ? "no event" : cell->at, true);
        itr_text_add(out, way_of(cell));
        write_trials(printing, &table->rows[r], text);
        add_row_words(printing, text);
        for (size_t c = 0; c < table->column_count; c++) {
            write_entry(printing, &table->rows[r].entries[c], text);
            itr_text_printf(out, " %s |", text); /* our own words and numbers */
        }
    }
    itr_text_add(out, "\n| controls");
    add_row_words(printing, "");
    for (size_t c = 0; c < table->column_count; c++) {
        write_controls(&table->columns[c], text);
        itr_text_printf(out, " %s |", text);
    }
    itr_text_add(out, "\n");
}

/* ---- below a table ---- */

/* Begins a line; false: there were too many of the kind. */
static bool begin_note(const struct printing *printing, size_t *count) {
    if ((*count)++ < NOTES_MAX) {
        itr_text_add(printing->out, printing->markdown ? "- " : "  ");
        return true;
    }
    return false;
}

static void end_notes(const struct printing *printing, size_t count) {
    if (count > NOTES_MAX) {
        itr_text_printf(printing->out, "%s… and %zu more in matrix.json\n", printing->markdown ? "- " : "  ", count - NOTES_MAX);
    }
}

static void add_legend(const struct printing *printing) {
    for (size_t i = 0; i < printing->legend.count; i++) {
        itr_text_printf(printing->out, "%s%c: ", printing->markdown ? "- " : "  ", (int)('a' + i));
        add_said(printing, printing->legend.text[i]);
        itr_text_add(printing->out, "\n");
    }
    if (printing->legend.more) {
        itr_text_printf(printing->out, "%s: others, in matrix.json\n", printing->markdown ? "- ?" : "  ?");
    }
}

static void add_where(const struct printing *printing, size_t row, size_t column) {
    const struct itr_cell *cell = &printing->summary->cells[printing->table->rows[row].like];
    add_name(printing, printing->table->columns[column].label);
    itr_text_add(printing->out, " at ");
    add_said(printing, cell->at);
}

static void add_change(const struct printing *printing, const struct itr_matrix_test *test, const struct itr_other *counts) {
    struct itr_text *out = printing->out;
    size_t before = printing->table->rows[test->row].entries[test->column].before;
    itr_text_printf(out, "%s ", test->signature != NULL ? "≠" : test->falls ? "▼" : "▲");
    add_where(printing, test->row, test->column);
    itr_text_add(out, " against ");
    add_name(printing, printing->table->columns[before].label);
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

static void add_changes(const struct printing *printing) {
    size_t count = 0;
    for (size_t i = 0; i < printing->matrix->test_count; i++) {
        const struct itr_matrix_test *test = &printing->matrix->tests[i];
        if (&printing->matrix->tables[test->table] == printing->table && printing->matrix->counts[i].is_worse && begin_note(printing, &count)) {
            add_change(printing, test, &printing->matrix->counts[i]);
        }
    }
    end_notes(printing, count);
}

static void add_verdict(const struct printing *printing, const struct itr_verdict *verdict) {
    itr_text_printf(printing->out, ": %s: ", itr_judgement_name(verdict->judgement));
    add_said(printing, verdict->sentence);
    itr_text_add(printing->out, "\n");
}

static void add_controls(const struct printing *printing) {
    size_t count = 0;
    for (size_t i = 0; i < printing->table->control_count; i++) {
        const struct itr_cell *cell = &printing->summary->cells[printing->table->controls[i]];
        const struct itr_verdict *verdict = &printing->summary->verdicts[printing->table->controls[i]];
        char go[sizeof cell->go + sizeof cell->arm];
        if (is_unexpected(verdict) && begin_note(printing, &count)) {
            itr_text_add(printing->out, "control ");
            add_name(printing, cell->control);
            itr_text_add(printing->out, cell->go[0] != '\0' ? ", " : "");
            itr_cell_go(cell, go, sizeof go);
            add_name(printing, go);
            add_verdict(printing, verdict);
        }
    }
    end_notes(printing, count);
}

/* What no case file says, and what was not run. */
static void add_entries(const struct printing *printing) {
    const struct itr_matrix_table *table = printing->table;
    size_t count = 0;
    for (size_t i = 0; i < table->row_count * table->column_count; i++) {
        size_t row = i / table->column_count;
        size_t column = i % table->column_count;
        const struct itr_matrix_entry *entry = &table->rows[row].entries[column];
        bool is_told = entry->cell != ITR_MATRIX_NONE &&
                       (entry->state == ITR_MATRIX_SKIPPED || is_unexpected(&printing->summary->verdicts[entry->cell]));
        if (is_told && begin_note(printing, &count)) {
            itr_text_add(printing->out, entry->state == ITR_MATRIX_SKIPPED ? "" : "! ");
            add_where(printing, row, column);
            add_verdict(printing, &printing->summary->verdicts[entry->cell]);
        }
    }
    end_notes(printing, count);
}

/* ---- all of it ---- */

static void add_end(const struct printing *printing) {
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
        add_name(printing, summary->folder);
    }
    itr_text_add(out, summary->interrupted ? ": cut short, initrace matrix --resume --output DIR goes on\n" : "\n");
    if (matrix->tested == 0) {
        itr_text_printf(out, "%sno verdict: nothing was tested at any point\n", printing->markdown ? "\n" : "");
    } else if (itr_judge_no_verdict(summary->cells, summary->verdicts, summary->count, why, sizeof why)) {
        itr_text_printf(out, "%sno verdict: %s\n", printing->markdown ? "\n" : "", why);
    }
}

static void add_title(const struct printing *printing) {
    const struct itr_cell *cell = &printing->summary->cells[printing->table->like];
    itr_text_add(printing->out, printing->markdown ? "### " : "");
    add_name(printing, cell->case_name);
    itr_text_printf(printing->out, " (%s", cell->system);
    itr_text_add(printing->out, cell->arm[0] != '\0' ? ", every Go changed by " : "");
    add_name(printing, cell->arm);
    itr_text_add(printing->out, printing->markdown ? ")\n\n" : ")\n");
}

/* In Markdown a list has an empty line before it. */
static void add_notes(struct printing *printing) {
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

static void report(struct printing *printing, int width) {
    for (size_t t = 0; t < printing->matrix->table_count; t++) {
        printing->table = &printing->matrix->tables[t];
        printing->legend = (struct legend){0};
        itr_text_add(printing->out, t > 0 ? "\n" : "");
        add_title(printing);
        if (printing->markdown) {
            add_markdown_table(printing);
        } else {
            add_table(printing, width);
        }
        add_notes(printing);
    }
    add_end(printing);
}

void itr_report_matrix(struct itr_text *out, const struct itr_matrix *matrix, const struct itr_summary *summary, int width) {
    struct printing printing = {.out = out, .matrix = matrix, .summary = summary};
    report(&printing, width);
}

void itr_report_matrix_markdown(struct itr_text *out, const struct itr_matrix *matrix, const struct itr_summary *summary) {
    struct printing printing = {.out = out, .matrix = matrix, .summary = summary, .markdown = true};
    report(&printing, 0);
}
