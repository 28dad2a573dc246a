/* Sorts a campaign's cells into tables and finds what changed between neighbouring versions. */
#include "framework/matrix.h"

#include "framework/match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct making {
    struct itr_matrix *matrix;
    const struct itr_summary *summary;
    struct itr_error *err;
};

/* Room for one entry more; NULL when memory is out. The list is the caller's also then. */
static void *grow(void *list, size_t count, size_t bytes) {
    bool is_full = (count & (count - 1)) == 0; /* 0, 1, 2, 4, 8 and so on */
    return is_full ? realloc(list, (count == 0 ? 1 : 2 * count) * bytes) : list;
}

static enum itr_status no_memory(const struct making *making) {
    return itr_fail(making->err, ITR_E_NO_MEMORY, 0, "out of memory for a matrix");
}

/* ---- tables, rows, columns ---- */

static bool is_same_row(const struct itr_cell *a, const struct itr_cell *b) {
    return strcmp(a->at, b->at) == 0 && a->debugged == b->debugged && a->aim.gate == b->aim.gate && a->chaos == b->chaos &&
           strcmp(a->record, b->record) == 0 && strcmp(a->watch, b->watch) == 0 && strcmp(a->system, b->system) == 0;
}

static struct itr_matrix_table *find_table(const struct making *making, const struct itr_cell *cell) {
    for (size_t i = 0; i < making->matrix->table_count; i++) {
        struct itr_matrix_table *table = &making->matrix->tables[i];
        if (strcmp(making->summary->cells[table->like].case_name, cell->case_name) == 0) {
            return table;
        }
    }
    return NULL;
}

static size_t find_row(const struct making *making, const struct itr_matrix_table *table, const struct itr_cell *cell) {
    size_t row = 0;
    while (row < table->row_count && !is_same_row(&making->summary->cells[table->rows[row].like], cell)) {
        row++;
    }
    return row;
}

static size_t find_column(const struct making *making, const struct itr_matrix_table *table, const struct itr_cell *cell) {
    size_t column = 0;
    while (column < table->column_count &&
           strcmp(making->summary->cells[table->columns[column].like].go, cell->go) != 0) {
        column++;
    }
    return column;
}

static enum itr_status note_table(const struct making *making, size_t index) {
    struct itr_matrix *matrix = making->matrix;
    if (find_table(making, &making->summary->cells[index]) != NULL) {
        return ITR_OK;
    }
    struct itr_matrix_table *grown = grow(matrix->tables, matrix->table_count, sizeof *grown);
    if (grown == NULL) {
        return no_memory(making);
    }
    matrix->tables = grown;
    grown[matrix->table_count++] = (struct itr_matrix_table){.like = index};
    return ITR_OK;
}

static enum itr_status note_control(const struct making *making, struct itr_matrix_table *table, size_t index) {
    size_t *grown = grow(table->controls, table->control_count, sizeof *grown);
    if (grown == NULL) {
        return no_memory(making);
    }
    table->controls = grown;
    grown[table->control_count++] = index;
    return ITR_OK;
}

/* Makes sure that the cell has a row and a column. */
static enum itr_status note_cell(const struct making *making, size_t index) {
    const struct itr_cell *cell = &making->summary->cells[index];
    enum itr_status status = note_table(making, index);
    struct itr_matrix_table *table = status == ITR_OK ? find_table(making, cell) : NULL;
    if (table == NULL || cell->control[0] != '\0') {
        return table == NULL ? status : note_control(making, table, index);
    }
    if (find_row(making, table, cell) == table->row_count) {
        struct itr_matrix_row *grown = grow(table->rows, table->row_count, sizeof *grown);
        if (grown == NULL) {
            return no_memory(making);
        }
        table->rows = grown;
        table->like = table->row_count == 0 ? index : table->like; /* a control may have no Go */
        grown[table->row_count++] = (struct itr_matrix_row){.like = index};
    }
    if (find_column(making, table, cell) == table->column_count) {
        struct itr_matrix_column *grown = grow(table->columns, table->column_count, sizeof *grown);
        if (grown == NULL) {
            return no_memory(making);
        }
        table->columns = grown;
        grown[table->column_count++] = (struct itr_matrix_column){.like = index};
    }
    return ITR_OK;
}

/* Few: by insertion. */
static void sort_columns(const struct making *making, struct itr_matrix_table *table) {
    const struct itr_cell *cells = making->summary->cells;
    for (size_t i = 1; i < table->column_count; i++) {
        struct itr_matrix_column moved = table->columns[i];
        size_t k = i;
        for (; k > 0 && itr_go_order(cells[table->columns[k - 1].like].go, cells[moved.like].go) > 0; k--) {
            table->columns[k] = table->columns[k - 1];
        }
        table->columns[k] = moved;
    }
}

static size_t version_length(const char *go) {
    return strcspn(go, "-");
}

static bool is_same_version(const char *a, const char *b) {
    return version_length(a) == version_length(b) && strncmp(a, b, version_length(a)) == 0;
}

/* Columns of a version are neighbours, in no order of their names. */
static bool is_alone(const struct itr_cell *cells, const struct itr_matrix_table *table, size_t column) {
    const struct itr_cell *cell = &cells[table->columns[column].like];
    for (size_t i = 0; i < table->column_count; i++) {
        const struct itr_cell *other = &cells[table->columns[i].like];
        if (i != column && is_same_version(cell->go, other->go) && strcmp(cell->go_label, other->go_label) == 0) {
            return false;
        }
    }
    return true;
}

/* A mark is told where version and name do not tell the columns apart: eight digits of it are enough for people. */
static void name_columns(const struct making *making, struct itr_matrix_table *table) {
    enum { MARK_SHOWN = 9 };
    const struct itr_cell *cells = making->summary->cells;
    for (size_t i = 0; i < table->column_count; i++) {
        struct itr_matrix_column *column = &table->columns[i];
        const char *go = cells[column->like].go;
        const char *label = cells[column->like].go_label;
        size_t length = version_length(go) + (is_alone(cells, table, i) ? 0 : MARK_SHOWN);
        snprintf(column->label, sizeof column->label, "%.*s%s%s", (int)(go[0] != '\0' ? length : 1), go[0] != '\0' ? go : "-",
                 label[0] != '\0' ? " " : "", label);
    }
}

/* ---- entries ---- */

static bool has_failed(const struct itr_verdict *verdict) {
    return verdict->judgement != ITR_JUDGEMENT_EXPECTED && verdict->judgement != ITR_JUDGEMENT_KNOWN &&
           verdict->judgement != ITR_JUDGEMENT_SKIPPED;
}

static void count_controls(const struct making *making, struct itr_matrix_table *table) {
    const struct itr_summary *summary = making->summary;
    for (size_t i = 0; i < table->control_count; i++) {
        const struct itr_cell *control = &summary->cells[table->controls[i]];
        const struct itr_verdict *verdict = &summary->verdicts[table->controls[i]];
        for (size_t c = 0; c < table->column_count && verdict->judgement != ITR_JUDGEMENT_SKIPPED; c++) {
            struct itr_matrix_column *column = &table->columns[c];
            if (control->go[0] == '\0' || strcmp(control->go, summary->cells[column->like].go) == 0) {
                column->controls++;
                column->failed += has_failed(verdict) ? 1 : 0;
            }
        }
    }
}

static void fill_entry(const struct making *making, const struct itr_matrix_column *column, size_t cell,
                       struct itr_matrix_entry *entry) {
    const struct itr_summary *summary = making->summary;
    entry->cell = cell;
    entry->state = summary->cells[cell].skip[0] != '\0'                  ? ITR_MATRIX_SKIPPED
                   : itr_tally_valid(&summary->tallies[cell]) == 0 ? ITR_MATRIX_UNTESTED
                                                                   : ITR_MATRIX_TESTED;
    entry->is_sound = entry->state == ITR_MATRIX_TESTED && column->failed == 0 &&
                      summary->verdicts[cell].judgement != ITR_JUDGEMENT_TOOL_ERROR;
}

static enum itr_status make_entries(const struct making *making, struct itr_matrix_table *table) {
    for (size_t r = 0; r < table->row_count; r++) {
        struct itr_matrix_row *row = &table->rows[r];
        row->entries = calloc(table->column_count, sizeof *row->entries);
        if (row->entries == NULL) {
            return no_memory(making);
        }
        for (size_t c = 0; c < table->column_count; c++) {
            row->entries[c] = (struct itr_matrix_entry){.cell = ITR_MATRIX_NONE, .before = ITR_MATRIX_NONE, .adjusted = NAN};
        }
    }
    return ITR_OK;
}

static enum itr_status fill_tables(const struct making *making) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < making->matrix->table_count && status == ITR_OK; i++) {
        struct itr_matrix_table *table = &making->matrix->tables[i];
        sort_columns(making, table);
        name_columns(making, table);
        count_controls(making, table);
        status = make_entries(making, table);
    }
    for (size_t i = 0; i < making->summary->count && status == ITR_OK; i++) {
        const struct itr_cell *cell = &making->summary->cells[i];
        struct itr_matrix_table *table = find_table(making, cell);
        if (cell->control[0] == '\0') {
            size_t column = find_column(making, table, cell);
            fill_entry(making, &table->columns[column], i, &table->rows[find_row(making, table, cell)].entries[column]);
        }
    }
    return status;
}

/* ---- signatures of one entry ---- */

static bool counts_as_failure(const struct itr_cell *cell, const struct itr_tally_signature *signature) {
    return signature->outcome != cell->expect && signature->outcome != ITR_OUTCOME_NOT_FIRED &&
           signature->outcome != ITR_OUTCOME_TOOL_ERROR && signature->count > 0;
}

size_t itr_matrix_signatures(const struct itr_summary *summary, const struct itr_matrix_entry *entry,
                             const struct itr_tally_signature **list, size_t most) {
    size_t count = 0;
    size_t kept = 0;
    if (entry->cell == ITR_MATRIX_NONE) {
        return 0;
    }
    const struct itr_tally *tally = &summary->tallies[entry->cell];
    for (size_t i = 0; i < tally->signature_count; i++) {
        const struct itr_tally_signature *one = &tally->signatures[i];
        size_t k = kept;
        if (!counts_as_failure(&summary->cells[entry->cell], one)) {
            continue;
        }
        count++;
        for (; k > 0 && list[k - 1]->count < one->count; k--) {
            if (k < most) {
                list[k] = list[k - 1];
            }
        }
        if (k < most) {
            list[k] = one;
            kept += kept < most ? 1 : 0;
        }
    }
    return count;
}

static int by_text(const void *a, const void *b) {
    return strcmp((*(const struct itr_tally_signature *const *)a)->text, (*(const struct itr_tally_signature *const *)b)->text);
}

/* The failures' signatures by text. */
static size_t sorted_signatures(const struct making *making, size_t cell, const struct itr_tally_signature **list) {
    const struct itr_tally *tally = &making->summary->tallies[cell];
    size_t count = 0;
    for (size_t i = 0; i < tally->signature_count; i++) {
        if (counts_as_failure(&making->summary->cells[cell], &tally->signatures[i])) {
            list[count++] = &tally->signatures[i];
        }
    }
    if (count > 1) {
        qsort(list, count, sizeof(const struct itr_tally_signature *), by_text);
    }
    return count;
}

/* ---- questions ---- */

/* Whether the numbers of trials and of hits of both together allow a yes at all. */
static bool can_be_answered(const struct itr_other *counts, double alpha) {
    uint64_t hits = counts->baseline_hits + counts->candidate_hits;
    uint64_t most = hits < counts->candidate_trials ? hits : counts->candidate_trials;
    return hits > 0 && counts->baseline_trials > 0 && counts->candidate_trials > 0 &&
           itr_fisher_exact(most, counts->candidate_trials, hits - most, counts->baseline_trials).greater <= alpha;
}

static enum itr_status add_test(const struct making *making, const struct itr_matrix_test *test, const struct itr_other *counts) {
    struct itr_matrix *matrix = making->matrix;
    if (!can_be_answered(counts, matrix->alpha)) {
        return ITR_OK;
    }
    struct itr_matrix_test *tests = grow(matrix->tests, matrix->test_count, sizeof *tests);
    matrix->tests = tests != NULL ? tests : matrix->tests;
    struct itr_other *others = grow(matrix->counts, matrix->test_count, sizeof *others);
    matrix->counts = others != NULL ? others : matrix->counts;
    if (tests == NULL || others == NULL) {
        return no_memory(making);
    }
    tests[matrix->test_count] = *test;
    others[matrix->test_count] = *counts;
    matrix->test_count++;
    return ITR_OK;
}

/* Both sides of a question. */
static enum itr_status ask(const struct making *making, struct itr_matrix_test test, uint64_t older_hits, uint64_t older_trials,
                           uint64_t hits, uint64_t trials) {
    struct itr_other rises = {.baseline_hits = older_hits, .baseline_trials = older_trials, .candidate_hits = hits, .candidate_trials = trials};
    struct itr_other falls = {.baseline_hits = hits, .baseline_trials = trials, .candidate_hits = older_hits, .candidate_trials = older_trials};
    test.falls = false;
    enum itr_status status = add_test(making, &test, &rises);
    test.falls = true;
    return status == ITR_OK ? add_test(making, &test, &falls) : status;
}

/* Of each signature of either version: its share of the failures. `*shared`: there is one that both have. */
static enum itr_status ask_signatures(const struct making *making, struct itr_matrix_test test, const struct itr_tally_signature **older,
                                      size_t older_count, const struct itr_tally_signature **newer, size_t newer_count, bool *shared) {
    enum itr_status status = ITR_OK;
    uint64_t sums[2] = {0};
    size_t a = 0;
    size_t b = 0;
    *shared = false;
    for (size_t i = 0; i < older_count; i++) {
        sums[0] += older[i]->count;
    }
    for (size_t i = 0; i < newer_count; i++) {
        sums[1] += newer[i]->count;
    }
    while (status == ITR_OK && (a < older_count || b < newer_count)) {
        int order = a == older_count ? 1 : b == newer_count ? -1 : strcmp(older[a]->text, newer[b]->text);
        test.signature = order <= 0 ? older[a]->text : newer[b]->text;
        status = ask(making, test, order <= 0 ? older[a]->count : 0, sums[0], order >= 0 ? newer[b]->count : 0, sums[1]);
        *shared = *shared || order == 0;
        a += order <= 0 ? 1 : 0;
        b += order >= 0 ? 1 : 0;
    }
    return status;
}

static enum itr_status ask_pair(const struct making *making, struct itr_matrix_test test, const struct itr_matrix_entry *older,
                                struct itr_matrix_entry *newer) {
    const struct itr_tally *a = &making->summary->tallies[older->cell];
    const struct itr_tally *b = &making->summary->tallies[newer->cell];
    enum itr_status status = ask(making, test, itr_tally_unexpected(a), itr_tally_valid(a), itr_tally_unexpected(b), itr_tally_valid(b));
    const struct itr_tally_signature **lists = calloc(a->signature_count + b->signature_count + 1, sizeof *lists);
    bool shared = false;
    if (status != ITR_OK || lists == NULL) {
        free(lists);
        return status != ITR_OK ? status : no_memory(making);
    }
    const struct itr_tally_signature **second = lists + a->signature_count;
    size_t a_count = sorted_signatures(making, older->cell, lists);
    size_t b_count = sorted_signatures(making, newer->cell, second);
    status = ask_signatures(making, test, lists, a_count, second, b_count, &shared);
    newer->change |= a_count > 0 && b_count > 0 && !shared ? ITR_MATRIX_OTHER : 0;
    free(lists);
    return status;
}

static enum itr_status ask_row(const struct making *making, size_t table, size_t row) {
    const struct itr_matrix_table *of = &making->matrix->tables[table];
    struct itr_matrix_entry *entries = of->rows[row].entries;
    size_t before = ITR_MATRIX_NONE;
    enum itr_status status = ITR_OK;
    for (size_t c = 0; c < of->column_count && status == ITR_OK; c++) {
        struct itr_matrix_test test = {.table = table, .row = row, .column = c};
        if (!entries[c].is_sound) {
            continue;
        }
        if (before != ITR_MATRIX_NONE) {
            entries[c].before = before;
            status = ask_pair(making, test, &entries[before], &entries[c]);
        }
        before = c;
    }
    return status;
}

/* ---- answers ---- */

static void take_answer(struct itr_matrix *matrix, size_t index) {
    const struct itr_matrix_test *test = &matrix->tests[index];
    const struct itr_other *counts = &matrix->counts[index];
    struct itr_matrix_entry *entry = &matrix->tables[test->table].rows[test->row].entries[test->column];
    entry->adjusted = entry->adjusted <= counts->adjusted ? entry->adjusted : counts->adjusted;
    if (counts->is_worse) {
        entry->change |= test->signature != NULL ? ITR_MATRIX_SIGNATURE : test->falls ? ITR_MATRIX_DOWN : ITR_MATRIX_UP;
        entry->change &= ~(unsigned)ITR_MATRIX_OTHER;
    }
}

static enum itr_status find_changes(const struct making *making) {
    struct itr_matrix *matrix = making->matrix;
    enum itr_status status = ITR_OK;
    size_t worse = 0;
    for (size_t t = 0; t < matrix->table_count && status == ITR_OK; t++) {
        for (size_t r = 0; r < matrix->tables[t].row_count && status == ITR_OK; r++) {
            status = ask_row(making, t, r);
        }
    }
    if (status == ITR_OK) {
        status = itr_others_judge(matrix->counts, matrix->test_count, matrix->alpha, &worse, making->err);
    }
    for (size_t i = 0; i < matrix->test_count && status == ITR_OK; i++) {
        take_answer(matrix, i);
    }
    for (size_t t = 0; t < matrix->table_count && status == ITR_OK; t++) {
        const struct itr_matrix_table *table = &matrix->tables[t];
        for (size_t i = 0; i < table->row_count * table->column_count; i++) {
            const struct itr_matrix_entry *entry = &table->rows[i / table->column_count].entries[i % table->column_count];
            matrix->tested += entry->state == ITR_MATRIX_TESTED ? 1 : 0;
            matrix->changed += (entry->change & ~(unsigned)ITR_MATRIX_OTHER) != 0 ? 1 : 0;
        }
    }
    return status;
}

enum itr_status itr_matrix_make(struct itr_matrix *matrix, const struct itr_summary *summary, double alpha, struct itr_error *err) {
    struct making making = {matrix, summary, err};
    enum itr_status status = ITR_OK;
    *matrix = (struct itr_matrix){.alpha = alpha};
    if (summary->count > ITR_MATRIX_CELLS_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "a matrix has at most %d cells, not %zu", (int)ITR_MATRIX_CELLS_MAX, summary->count);
    }
    for (size_t i = 0; i < summary->count && status == ITR_OK; i++) {
        status = note_cell(&making, i);
    }
    if (status == ITR_OK) {
        status = fill_tables(&making);
    }
    if (status == ITR_OK) {
        status = find_changes(&making);
    }
    if (status != ITR_OK) {
        itr_matrix_release(matrix);
    }
    return status;
}

int itr_matrix_exit_code(const struct itr_matrix *matrix, const struct itr_summary *summary) {
    int code = itr_summary_exit_code(summary);
    return code == 0 && matrix->tested == 0 ? 3 : code;
}

void itr_matrix_release(struct itr_matrix *matrix) {
    for (size_t t = 0; t < matrix->table_count; t++) {
        struct itr_matrix_table *table = &matrix->tables[t];
        for (size_t r = 0; r < table->row_count; r++) {
            free(table->rows[r].entries);
        }
        free(table->rows);
        free(table->columns);
        free(table->controls);
    }
    free(matrix->tables);
    free(matrix->tests);
    free(matrix->counts);
    *matrix = (struct itr_matrix){0};
}
