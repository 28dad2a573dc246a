/* Sorts a campaign's cells into tables. What changed between neighbours in them is matrix_changes.c's. */
#include "framework/matrix_parts.h"

#include "framework/match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *itr_matrix_grow(void *list, size_t count, size_t bytes) {
    bool is_full = (count & (count - 1)) == 0; /* 0, 1, 2, 4, 8 and so on */
    return is_full ? realloc(list, (count == 0 ? 1 : 2 * count) * bytes) : list;
}

enum itr_status itr_matrix_no_memory(const struct itr_matrix_making *making) {
    return itr_fail(making->err, ITR_E_NO_MEMORY, 0, "out of memory for a matrix");
}

/* ---- tables, rows, columns ---- */

static bool is_same_row(const struct itr_cell *a, const struct itr_cell *b) {
    return strcmp(a->at, b->at) == 0 && strcmp(a->axes, b->axes) == 0 && a->debugged == b->debugged && a->aim.gate == b->aim.gate && a->chaos == b->chaos &&
           strcmp(a->record, b->record) == 0 && strcmp(a->watch, b->watch) == 0 && strcmp(a->system, b->system) == 0;
}

static struct itr_matrix_table *find_table(const struct itr_matrix_making *making, const struct itr_cell *cell) {
    for (size_t i = 0; i < making->matrix->table_count; i++) {
        struct itr_matrix_table *table = &making->matrix->tables[i];
        if (strcmp(making->summary->cells[table->like].case_name, cell->case_name) == 0) {
            return table;
        }
    }
    return NULL;
}

static size_t find_row(const struct itr_matrix_making *making, const struct itr_matrix_table *table, const struct itr_cell *cell) {
    size_t row = 0;
    while (row < table->row_count && !is_same_row(&making->summary->cells[table->rows[row].like], cell)) {
        row++;
    }
    return row;
}

static size_t find_column(const struct itr_matrix_making *making, const struct itr_matrix_table *table, const struct itr_cell *cell) {
    size_t column = 0;
    while (column < table->column_count &&
           strcmp(making->summary->cells[table->columns[column].like].go, cell->go) != 0) {
        column++;
    }
    return column;
}

static enum itr_status note_table(const struct itr_matrix_making *making, size_t index) {
    struct itr_matrix *matrix = making->matrix;
    if (find_table(making, &making->summary->cells[index]) != NULL) {
        return ITR_OK;
    }
    struct itr_matrix_table *grown = itr_matrix_grow(matrix->tables, matrix->table_count, sizeof *grown);
    if (grown == NULL) {
        return itr_matrix_no_memory(making);
    }
    matrix->tables = grown;
    grown[matrix->table_count++] = (struct itr_matrix_table){.like = index};
    return ITR_OK;
}

static enum itr_status note_control(const struct itr_matrix_making *making, struct itr_matrix_table *table, size_t index) {
    size_t *grown = itr_matrix_grow(table->controls, table->control_count, sizeof *grown);
    if (grown == NULL) {
        return itr_matrix_no_memory(making);
    }
    table->controls = grown;
    grown[table->control_count++] = index;
    return ITR_OK;
}

/* Makes sure that the cell has a row and a column. */
static enum itr_status note_cell(const struct itr_matrix_making *making, size_t index) {
    const struct itr_cell *cell = &making->summary->cells[index];
    enum itr_status status = note_table(making, index);
    struct itr_matrix_table *table = status == ITR_OK ? find_table(making, cell) : NULL;
    if (table == NULL || cell->control[0] != '\0') {
        return table == NULL ? status : note_control(making, table, index);
    }
    if (find_row(making, table, cell) == table->row_count) {
        struct itr_matrix_row *grown = itr_matrix_grow(table->rows, table->row_count, sizeof *grown);
        if (grown == NULL) {
            return itr_matrix_no_memory(making);
        }
        table->rows = grown;
        table->like = table->row_count == 0 ? index : table->like; /* a control may have no Go */
        grown[table->row_count++] = (struct itr_matrix_row){.like = index};
    }
    if (find_column(making, table, cell) == table->column_count) {
        struct itr_matrix_column *grown = itr_matrix_grow(table->columns, table->column_count, sizeof *grown);
        if (grown == NULL) {
            return itr_matrix_no_memory(making);
        }
        table->columns = grown;
        grown[table->column_count++] = (struct itr_matrix_column){.like = index};
    }
    return ITR_OK;
}

/* Few: by insertion. */
static void sort_columns(const struct itr_matrix_making *making, struct itr_matrix_table *table) {
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
static void name_columns(const struct itr_matrix_making *making, struct itr_matrix_table *table) {
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

static void count_controls(const struct itr_matrix_making *making, struct itr_matrix_table *table) {
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

static void fill_entry(const struct itr_matrix_making *making, const struct itr_matrix_column *column, size_t cell,
                       struct itr_matrix_entry *entry) {
    const struct itr_summary *summary = making->summary;
    entry->cell = cell;
    entry->state = summary->cells[cell].skip[0] != '\0'                  ? ITR_MATRIX_SKIPPED
                   : itr_tally_valid(&summary->tallies[cell]) == 0 ? ITR_MATRIX_UNTESTED
                                                                   : ITR_MATRIX_TESTED;
    entry->is_sound = entry->state == ITR_MATRIX_TESTED && column->failed == 0 &&
                      summary->verdicts[cell].judgement != ITR_JUDGEMENT_TOOL_ERROR;
}

static enum itr_status make_entries(const struct itr_matrix_making *making, struct itr_matrix_table *table) {
    for (size_t r = 0; r < table->row_count; r++) {
        struct itr_matrix_row *row = &table->rows[r];
        row->entries = calloc(table->column_count, sizeof *row->entries);
        if (row->entries == NULL) {
            return itr_matrix_no_memory(making);
        }
        for (size_t c = 0; c < table->column_count; c++) {
            row->entries[c] = (struct itr_matrix_entry){.cell = ITR_MATRIX_NONE, .before = ITR_MATRIX_NONE, .adjusted = NAN};
        }
    }
    return ITR_OK;
}

static enum itr_status fill_tables(const struct itr_matrix_making *making) {
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

enum itr_status itr_matrix_make(struct itr_matrix *matrix, const struct itr_summary *summary, double alpha, struct itr_error *err) {
    struct itr_matrix_making making = {matrix, summary, err};
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
        status = itr_matrix_find_changes(&making);
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
