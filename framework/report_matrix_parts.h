/* What the reports of matrices share. Not for others. */
#ifndef INITRACE_FRAMEWORK_REPORT_MATRIX_PARTS_H
#define INITRACE_FRAMEWORK_REPORT_MATRIX_PARTS_H

#include "framework/report_matrix.h"

#include <stdint.h>

enum { ITR_MATRIX_LETTERS = 26, ITR_MATRIX_TEXT_ROOM = 128 };

typedef char itr_matrix_text[ITR_MATRIX_TEXT_ROOM];

/* What the signatures of a table are called in it, in the order in which they come. */
struct itr_matrix_legend {
    const char *text[ITR_MATRIX_LETTERS];
    size_t count;
    bool more;
};

/* One report, at one of its tables. */
struct itr_matrix_printing {
    struct itr_text *out;
    const struct itr_matrix *matrix;
    const struct itr_summary *summary;
    const struct itr_matrix_table *table;
    bool markdown;
    struct itr_matrix_legend legend;
};

/* ---- report_matrix_entry.c ---- */

/* A name, made harmless; words that a host may have chosen are code in Markdown, and not for this. */
void itr_matrix_add_name(const struct itr_matrix_printing *printing, const char *text);
bool itr_matrix_is_unexpected(const struct itr_verdict *verdict);
/* "▲97 [87, 100] a,b !"; may add a letter to the legend. */
void itr_matrix_write_entry(struct itr_matrix_printing *printing, const struct itr_matrix_entry *entry, itr_matrix_text out);
void itr_matrix_write_controls(const struct itr_matrix_column *column, itr_matrix_text out);
/* Valid trials of a row's cells: "40", "38-40". */
void itr_matrix_write_trials(const struct itr_matrix_printing *printing, const struct itr_matrix_row *row, itr_matrix_text out);
/* How the hosts run there, where that is not the usual way. */
const char *itr_matrix_way_of(const struct itr_cell *cell);

/* ---- report_matrix_table.c ---- */

/* For a terminal of that width (0: any): as many versions side by side as fit, the others below. */
void itr_matrix_add_table(struct itr_matrix_printing *printing, int width);
void itr_matrix_add_markdown_table(struct itr_matrix_printing *printing);

#endif
