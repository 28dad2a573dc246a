/* Fuzzes what is read back of a campaign: cells, trials, sweeps, and the counts and reports that are made of them.
 * Input: JSON values, one a line. */
#include "framework/fuzz/summary_checks.h"

#include "framework/folder.h"
#include "framework/json.h"
#include "framework/record.h"
#include "framework/sweep.h"

enum { LINES_MAX = 64, CELLS_MAX = 8 };

/* What was read, is written and read again, is the same. */
static void check_cell(const struct itr_cell *cell) {
    struct itr_cell again;
    json_t *json = itr_cell_to_json(cell);
    FUZZ_CHECK(json != NULL);
    FUZZ_CHECK(itr_cell_from_json(json, &again, NULL) == ITR_OK);
    json_t *twice = itr_cell_to_json(&again);
    FUZZ_CHECK(twice != NULL && json_equal(json, twice));
    json_decref(json);
    json_decref(twice);
}

static void check_sweep(const json_t *json) {
    struct itr_sweep *sweep = NULL;
    struct itr_sweep *like = NULL;
    if (itr_sweep_from_json(&sweep, json, NULL, NULL) != ITR_OK) {
        return;
    }
    for (uint32_t i = 0; i < sweep->count; i++) {
        FUZZ_CHECK(sweep->places[i].position < sweep->axis->count);
    }
    itr_sweep_count(sweep, UINT32_MAX, ITR_OUTCOME_LOST, ITR_OUTCOME_DELIVERED, "lost");
    itr_sweep_count(sweep, 0, ITR_OUTCOME_LOST, ITR_OUTCOME_DELIVERED, "lost");
    if (itr_sweep_from_json(&like, json, sweep, NULL) == ITR_OK) {
        itr_sweep_free(like);
    }
    json_t *again = itr_sweep_to_json(sweep, NULL);
    FUZZ_CHECK(again != NULL);
    json_decref(again);
    itr_sweep_free(sweep);
}

static void add_cell(struct itr_summary *summary, const json_t *json) {
    struct itr_cell cell;
    if (summary->count >= CELLS_MAX || itr_cell_from_json(json, &cell, NULL) != ITR_OK) {
        return;
    }
    check_cell(&cell);
    FUZZ_CHECK(itr_summary_grow(summary, NULL) == ITR_OK);
    summary->cells[summary->count - 1] = cell;
    itr_tally_begin(&summary->tallies[summary->count - 1], cell.expect, cell.aim.window_from_ns, cell.aim.window_to_ns);
}

static void add_trial(struct itr_summary *summary, const json_t *json) {
    struct itr_row row;
    struct itr_error err = {0};
    uint64_t cell = 0;
    uint64_t number = 0;
    uint64_t seed = 0;
    (void)itr_record_read_point(json, &number);
    if (itr_record_read_plan(json, &number, &seed, &err) != ITR_OK) {
        FUZZ_CHECK(err.status == ITR_E_FORMAT);
    }
    if (itr_record_read(json, &cell, &row, NULL) != ITR_OK) {
        return;
    }
    FUZZ_CHECK(row.outcome < ITR_OUTCOME_COUNT && row.signature != NULL && row.sweep_index >= -1);
    if (cell < summary->count) {
        itr_tally_add(&summary->tallies[cell], &row);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct itr_summary summary = {0};
    for (int i = 0; i < LINES_MAX && in.count > 0; i++) {
        const uint8_t *end = memchr(in.bytes, '\n', in.count);
        size_t count = end != NULL ? (size_t)(end - in.bytes) : in.count;
        json_t *json = NULL;
        struct itr_error err = {0};
        if (itr_json_parse("fuzz", 1, in.bytes, count, 0, &json, &err) == ITR_OK) {
            add_cell(&summary, json);
            add_trial(&summary, json);
            check_sweep(json);
        } else {
            FUZZ_CHECK(err.status == ITR_E_FORMAT && json == NULL && strncmp(err.text, "fuzz:1:", 7) == 0);
        }
        json_decref(json);
        in.bytes += end != NULL ? count + 1 : count;
        in.count -= end != NULL ? count + 1 : count;
    }
    itr_summary_judge(&summary);
    fuzz_check_reports(&summary);
    itr_summary_release(&summary);
    return 0;
}
