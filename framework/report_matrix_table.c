/* A matrix's table: laid out for a terminal's width, or in Markdown. What stands in its places is report_matrix_entry.c's. */
#include "framework/report_matrix_parts.h"

#include "framework/markdown.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_MAX = 68 /* columns of a point's name */ };

/* ---- a table for a terminal ---- */

struct grid {
    itr_matrix_text *cells; /* rows, and the controls last; each has its label, its trials, its entries */
    int *widths;
    size_t rows;
    size_t columns;
};

static itr_matrix_text *grid_at(const struct grid *grid, size_t row, size_t column) {
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

static void write_label(const struct itr_cell *cell, itr_matrix_text out) {
    char name[LABEL_MAX + 1];
    char place[ITR_PLACE_MAX];
    itr_cell_place(cell, place, sizeof place);
    bool whole = itr_escape_into(name, sizeof name, ITR_ESCAPE_TERMINAL, place, strlen(place));
    snprintf(out, ITR_MATRIX_TEXT_ROOM, "%s%s%s", name, whole ? "" : "…", itr_matrix_way_of(cell));
}

/* False: memory was refused. */
static bool fill_grid(struct itr_matrix_printing *printing, struct grid *grid) {
    const struct itr_matrix_table *table = printing->table;
    *grid = (struct grid){.rows = table->row_count + 2, .columns = table->column_count + 2};
    grid->cells = calloc(grid->rows * grid->columns, sizeof *grid->cells);
    grid->widths = calloc(grid->columns, sizeof *grid->widths);
    if (grid->cells == NULL || grid->widths == NULL) {
        return false;
    }
    snprintf(*grid_at(grid, 0, 0), ITR_MATRIX_TEXT_ROOM, "at");
    snprintf(*grid_at(grid, 0, 1), ITR_MATRIX_TEXT_ROOM, "trials");
    snprintf(*grid_at(grid, grid->rows - 1, 0), ITR_MATRIX_TEXT_ROOM, "controls");
    for (size_t c = 0; c < table->column_count; c++) {
        itr_escape_into(*grid_at(grid, 0, c + 2), ITR_MATRIX_TEXT_ROOM, ITR_ESCAPE_TERMINAL, table->columns[c].label, strlen(table->columns[c].label));
        itr_matrix_write_controls(&table->columns[c], *grid_at(grid, grid->rows - 1, c + 2));
    }
    for (size_t r = 0; r < table->row_count; r++) {
        write_label(&printing->summary->cells[table->rows[r].like], *grid_at(grid, r + 1, 0));
        itr_matrix_write_trials(printing, &table->rows[r], *grid_at(grid, r + 1, 1));
        for (size_t c = 0; c < table->column_count; c++) {
            itr_matrix_write_entry(printing, &table->rows[r].entries[c], *grid_at(grid, r + 1, c + 2));
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
void itr_matrix_add_table(struct itr_matrix_printing *printing, int width) {
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

static void add_row_words(const struct itr_matrix_printing *printing, const char *trials) {
    itr_text_printf(printing->out, " | %s |", trials);
}

void itr_matrix_add_markdown_table(struct itr_matrix_printing *printing) {
    const struct itr_matrix_table *table = printing->table;
    struct itr_text *out = printing->out;
    itr_matrix_text text;
    itr_text_add(out, "| at | trials |");
    for (size_t c = 0; c < table->column_count; c++) {
        itr_text_add(out, " ");
        itr_matrix_add_name(printing, table->columns[c].label);
        itr_text_add(out, " |");
    }
    itr_text_add(out, "\n|---|--:|");
    for (size_t c = 0; c < table->column_count; c++) {
        itr_text_add(out, "---|");
    }
    for (size_t r = 0; r < table->row_count; r++) {
        const struct itr_cell *cell = &printing->summary->cells[table->rows[r].like];
        itr_text_add(out, "\n| ");
        char place[ITR_PLACE_MAX];
        itr_cell_place(cell, place, sizeof place);
        (void)itr_markdown_code(out, place, true);
        itr_text_add(out, itr_matrix_way_of(cell));
        itr_matrix_write_trials(printing, &table->rows[r], text);
        add_row_words(printing, text);
        for (size_t c = 0; c < table->column_count; c++) {
            itr_matrix_write_entry(printing, &table->rows[r].entries[c], text);
            itr_text_printf(out, " %s |", text); /* our own words and numbers */
        }
    }
    itr_text_add(out, "\n| controls");
    add_row_words(printing, "");
    for (size_t c = 0; c < table->column_count; c++) {
        itr_matrix_write_controls(&table->columns[c], text);
        itr_text_printf(out, " %s |", text);
    }
    itr_text_add(out, "\n");
}
