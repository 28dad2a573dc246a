/* matrix.json: a matrix as other programs read it. */
#include "framework/report_matrix.h"

#include "framework/record_parts.h"

#include <math.h>

static json_t *string_or_null(const char *text) {
    return text[0] != '\0' ? itr_record_clean(text) : json_null();
}

static json_t *signatures_to_json(const struct itr_summary *summary, const struct itr_matrix_entry *entry) {
    enum { MOST = 16 };
    const struct itr_tally_signature *signatures[MOST];
    size_t count = itr_matrix_signatures(summary, entry, signatures, MOST);
    json_t *list = json_array();
    for (size_t i = 0; i < count && i < MOST; i++) {
        itr_record_append(&list, json_pack("{s:o, s:s, s:I}", "signature", itr_record_clean(signatures[i]->text), "outcome",
                                           itr_outcome_name((uint32_t)signatures[i]->outcome), "count", (json_int_t)signatures[i]->count));
    }
    return list;
}

static json_t *test_to_json(const struct itr_matrix_test *test, const struct itr_other *counts) {
    bool falls = test->falls;
    return json_pack("{s:o, s:s, s:I, s:I, s:I, s:I, s:f, s:f}", "signature",
                     test->signature != NULL ? itr_record_clean(test->signature) : json_null(), "direction", falls ? "down" : "up",
                     "before_hits", (json_int_t)(falls ? counts->candidate_hits : counts->baseline_hits), "before_trials",
                     (json_int_t)(falls ? counts->candidate_trials : counts->baseline_trials), "hits",
                     (json_int_t)(falls ? counts->baseline_hits : counts->candidate_hits), "trials",
                     (json_int_t)(falls ? counts->baseline_trials : counts->candidate_trials), "p", counts->chance, "p_holm",
                     counts->adjusted);
}

static json_t *changes_to_json(const struct itr_matrix_entry *entry) {
    json_t *list = json_array();
    static const char *const names[] = {"up", "down", "signature", "other-signature"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if ((entry->change & (1u << i)) != 0) {
            itr_record_append(&list, json_string(names[i]));
        }
    }
    return list;
}

static json_t *counts_to_json(const struct itr_summary *summary, const struct itr_matrix_entry *entry) {
    struct itr_interval ci95;
    const struct itr_tally *tally = &summary->tallies[entry->cell];
    const struct itr_verdict *verdict = &summary->verdicts[entry->cell];
    double rate = itr_tally_rate(tally, &ci95);
    bool tested = entry->state == ITR_MATRIX_TESTED;
    return json_pack("{s:I, s:I, s:I, s:o, s:o, s:s, s:o, s:o}", "cell", (json_int_t)entry->cell, "trials",
                     (json_int_t)itr_tally_valid(tally), "failed", (json_int_t)itr_tally_unexpected(tally), "rate",
                     tested ? json_real(rate) : json_null(), "ci95", tested ? json_pack("[f, f]", ci95.low, ci95.high) : json_null(),
                     "verdict", itr_judgement_name(verdict->judgement), "sentence", itr_record_clean(verdict->sentence), "signatures",
                     signatures_to_json(summary, entry));
}

static json_t *entry_to_json(const struct itr_summary *summary, const struct itr_matrix_table *table, size_t column,
                             const struct itr_matrix_entry *entry) {
    static const char *const states[] = {"missing", "skipped", "no-shot", "tested"};
    const char *go = summary->cells[table->columns[column].like].go;
    const char *before = entry->before != ITR_MATRIX_NONE ? summary->cells[table->columns[entry->before].like].go : "";
    json_t *json = entry->cell != ITR_MATRIX_NONE ? counts_to_json(summary, entry) : json_object();
    itr_record_put(&json, "go", string_or_null(go));
    itr_record_put(&json, "state", json_string(states[entry->state]));
    itr_record_put(&json, "sound", json_boolean(entry->is_sound));
    itr_record_put(&json, "before", string_or_null(before));
    itr_record_put(&json, "change", changes_to_json(entry));
    itr_record_put(&json, "p_holm", entry->adjusted >= 0 ? json_real(entry->adjusted) : json_null());
    itr_record_put(&json, "tests", json_array());
    return json;
}

static json_t *row_to_json(const struct itr_summary *summary, const struct itr_matrix_table *table, const struct itr_matrix_row *row) {
    const struct itr_cell *cell = &summary->cells[row->like];
    json_t *entries = json_array();
    for (size_t c = 0; c < table->column_count; c++) {
        itr_record_append(&entries, entry_to_json(summary, table, c, &row->entries[c]));
    }
    return json_pack("{s:o, s:o, s:s, s:b, s:b, s:o}", "at", itr_record_clean(cell->at), "axes", itr_cell_axes_to_json(cell), "event",
                     itr_event_name((uint32_t)cell->aim.event), "debugged", (int)cell->debugged, "gate", (int)cell->aim.gate, "cells",
                     entries);
}

static json_t *control_to_json(const struct itr_summary *summary, size_t index) {
    const struct itr_cell *cell = &summary->cells[index];
    const struct itr_verdict *verdict = &summary->verdicts[index];
    return json_pack("{s:o, s:o, s:I, s:s, s:o}", "control", itr_record_clean(cell->control), "go", string_or_null(cell->go), "cell",
                     (json_int_t)index, "verdict", itr_judgement_name(verdict->judgement), "sentence",
                     itr_record_clean(verdict->sentence));
}

static json_t *table_to_json(const struct itr_summary *summary, const struct itr_matrix_table *table) {
    const struct itr_cell *cell = &summary->cells[table->like];
    json_t *versions = json_array();
    json_t *rows = json_array();
    json_t *controls = json_array();
    for (size_t c = 0; c < table->column_count; c++) {
        const struct itr_matrix_column *column = &table->columns[c];
        itr_record_append(&versions, json_pack("{s:o, s:o, s:I, s:I}", "go", string_or_null(summary->cells[column->like].go), "label",
                                               itr_record_clean(column->label), "controls", (json_int_t)column->controls,
                                               "controls_failed", (json_int_t)column->failed));
    }
    for (size_t i = 0; i < table->control_count; i++) {
        itr_record_append(&controls, control_to_json(summary, table->controls[i]));
    }
    for (size_t r = 0; r < table->row_count; r++) {
        itr_record_append(&rows, row_to_json(summary, table, &table->rows[r]));
    }
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:o}", "case", itr_record_clean(cell->case_name), "system", cell->system, "arm",
                     string_or_null(cell->arm), "versions", versions, "controls", controls, "rows", rows);
}

/* Each question goes to the cell that it was asked about. False: something lacks. */
static bool put_test(json_t *tables, const struct itr_matrix_test *test, const struct itr_other *counts) {
    json_t *row = json_array_get(json_object_get(json_array_get(tables, test->table), "rows"), test->row);
    json_t *cell = json_array_get(json_object_get(row, "cells"), test->column);
    return json_array_append_new(json_object_get(cell, "tests"), test_to_json(test, counts)) == 0;
}

json_t *itr_matrix_to_json(const struct itr_matrix *matrix, const struct itr_summary *summary) {
    json_t *tables = json_array();
    uint64_t trials = 0;
    bool whole = true;
    for (size_t i = 0; i < summary->count; i++) {
        trials += summary->tallies[i].trials;
    }
    for (size_t t = 0; t < matrix->table_count; t++) {
        itr_record_append(&tables, table_to_json(summary, &matrix->tables[t]));
    }
    for (size_t i = 0; i < matrix->test_count && tables != NULL && whole; i++) {
        whole = put_test(tables, &matrix->tests[i], &matrix->counts[i]);
    }
    if (!whole) {
        json_decref(tables);
        return NULL;
    }
    return json_pack("{s:i, s:o, s:o, s:b, s:i, s:f, s:I, s:I, s:I, s:f, s:o}", "format", ITR_MATRIX_FORMAT, "folder",
                     itr_record_clean(summary->folder), "seed", itr_json_hex(summary->seed), "finished", (int)!summary->interrupted,
                     "exit_code", itr_matrix_exit_code(matrix, summary), "alpha", matrix->alpha, "tests", (json_int_t)matrix->test_count,
                     "changes", (json_int_t)matrix->changed, "trials", (json_int_t)trials, "elapsed_s", summary->elapsed_s, "tables",
                     tables);
}
