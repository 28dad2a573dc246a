/* Finds what changed between neighbouring versions of a matrix: asks for each pair, and for each signature of it, and judges all
 * answers together. */
#include "framework/matrix_parts.h"

#include <stdlib.h>
#include <string.h>

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
static size_t sorted_signatures(const struct itr_matrix_making *making, size_t cell, const struct itr_tally_signature **list) {
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

static enum itr_status add_test(const struct itr_matrix_making *making, const struct itr_matrix_test *test, const struct itr_other *counts) {
    struct itr_matrix *matrix = making->matrix;
    if (!can_be_answered(counts, matrix->alpha)) {
        return ITR_OK;
    }
    struct itr_matrix_test *tests = itr_matrix_grow(matrix->tests, matrix->test_count, sizeof *tests);
    matrix->tests = tests != NULL ? tests : matrix->tests;
    struct itr_other *others = itr_matrix_grow(matrix->counts, matrix->test_count, sizeof *others);
    matrix->counts = others != NULL ? others : matrix->counts;
    if (tests == NULL || others == NULL) {
        return itr_matrix_no_memory(making);
    }
    tests[matrix->test_count] = *test;
    others[matrix->test_count] = *counts;
    matrix->test_count++;
    return ITR_OK;
}

/* Both sides of a question. */
static enum itr_status ask(const struct itr_matrix_making *making, struct itr_matrix_test test, uint64_t older_hits, uint64_t older_trials,
                           uint64_t hits, uint64_t trials) {
    struct itr_other rises = {.baseline_hits = older_hits, .baseline_trials = older_trials, .candidate_hits = hits, .candidate_trials = trials};
    struct itr_other falls = {.baseline_hits = hits, .baseline_trials = trials, .candidate_hits = older_hits, .candidate_trials = older_trials};
    test.falls = false;
    enum itr_status status = add_test(making, &test, &rises);
    test.falls = true;
    return status == ITR_OK ? add_test(making, &test, &falls) : status;
}

/* Of each signature of either version: its share of the failures. `*shared`: there is one that both have. */
static enum itr_status ask_signatures(const struct itr_matrix_making *making, struct itr_matrix_test test, const struct itr_tally_signature **older,
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

static enum itr_status ask_pair(const struct itr_matrix_making *making, struct itr_matrix_test test, const struct itr_matrix_entry *older,
                                struct itr_matrix_entry *newer) {
    const struct itr_tally *a = &making->summary->tallies[older->cell];
    const struct itr_tally *b = &making->summary->tallies[newer->cell];
    enum itr_status status = ask(making, test, itr_tally_unexpected(a), itr_tally_valid(a), itr_tally_unexpected(b), itr_tally_valid(b));
    const struct itr_tally_signature **lists = calloc(a->signature_count + b->signature_count + 1, sizeof *lists);
    bool shared = false;
    if (status != ITR_OK || lists == NULL) {
        free(lists);
        return status != ITR_OK ? status : itr_matrix_no_memory(making);
    }
    const struct itr_tally_signature **second = lists + a->signature_count;
    size_t a_count = sorted_signatures(making, older->cell, lists);
    size_t b_count = sorted_signatures(making, newer->cell, second);
    status = ask_signatures(making, test, lists, a_count, second, b_count, &shared);
    newer->change |= a_count > 0 && b_count > 0 && !shared ? ITR_MATRIX_OTHER : 0;
    free(lists);
    return status;
}

static enum itr_status ask_row(const struct itr_matrix_making *making, size_t table, size_t row) {
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

enum itr_status itr_matrix_find_changes(const struct itr_matrix_making *making) {
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
