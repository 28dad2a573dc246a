/* Puts cells, counts and verdicts together as summary.json has them. */
#include "framework/summary.h"

#include "framework/record_parts.h"

#include <stdio.h>
#include <stdlib.h>

void itr_summary_judge(struct itr_summary *summary) {
    for (size_t i = 0; i < summary->count; i++) {
        itr_judge(&summary->cells[i], &summary->tallies[i], &summary->verdicts[i]);
    }
}

void itr_summary_release(struct itr_summary *summary) {
    for (size_t i = 0; i < summary->count; i++) {
        itr_tally_release(&summary->tallies[i]);
    }
    free(summary->cells);
    free(summary->tallies);
    free(summary->verdicts);
    *summary = (struct itr_summary){0};
}

static json_t *signatures_to_json(const struct itr_tally *tally) {
    json_t *list = json_array();
    for (size_t i = 0; i < tally->signature_count; i++) {
        const struct itr_tally_signature *one = &tally->signatures[i];
        itr_record_append(&list, json_pack("{s:s, s:s?, s:s, s:I, s:I}", "signature", one->text, "detail", one->detail,
                                           "outcome", itr_outcome_name((uint32_t)one->outcome), "count",
                                           (json_int_t)one->count, "first_trial", (json_int_t)one->first_trial));
    }
    return list;
}

static json_t *outcomes_to_json(const struct itr_tally *tally) {
    json_t *json = json_object();
    for (uint32_t i = 0; i < ITR_OUTCOME_COUNT; i++) {
        if (tally->outcomes[i] > 0) {
            itr_record_put(&json, itr_outcome_name(i), json_integer((json_int_t)tally->outcomes[i]));
        }
    }
    return json;
}

/* Rate against the real time of the shot: only where shots were spread over a window. */
static json_t *offsets_to_json(const struct itr_tally *tally) {
    json_t *list = json_array();
    double width = (double)(tally->window_to_ns - tally->window_from_ns) / ITR_TALLY_BUCKETS;
    for (int i = 0; i <= ITR_TALLY_BUCKETS; i++) {
        json_t *to = i < ITR_TALLY_BUCKETS
                         ? json_integer((json_int_t)((double)tally->window_from_ns + width * (i + 1)))
                         : json_null();
        itr_record_append(
            &list, json_pack("{s:I, s:o, s:I, s:I}", "from_ns",
                            (json_int_t)((double)tally->window_from_ns + width * i), "to_ns", to, "trials",
                            (json_int_t)tally->bucket_trials[i], "not_as_expected",
                            (json_int_t)tally->bucket_failures[i]));
    }
    return list;
}

static json_t *cell_to_json(const struct itr_cell *cell, const struct itr_tally *tally,
                            const struct itr_verdict *verdict) {
    struct itr_interval ci95;
    double rate = itr_tally_rate(tally, &ci95);
    json_t *json = itr_cell_to_json(cell);
    if (json == NULL) {
        return NULL;
    }
    itr_record_put(&json, "trials", json_integer((json_int_t)tally->trials));
    itr_record_put(&json, "valid_trials", json_integer((json_int_t)itr_tally_valid(tally)));
    itr_record_put(&json, "outcomes", outcomes_to_json(tally));
    itr_record_put(&json, "signatures", signatures_to_json(tally));
    itr_record_put(&json, "rate", json_real(rate));
    itr_record_put(&json, "rate_ci95", json_pack("[f, f]", ci95.low, ci95.high));
    itr_record_put(&json, "verdict", json_string(itr_judgement_name(verdict->judgement)));
    itr_record_put(&json, "sentence", itr_record_clean(verdict->sentence));
    itr_record_put(&json, "strays", json_integer((json_int_t)tally->strays));
    if (tally->window_to_ns > tally->window_from_ns) {
        itr_record_put(&json, "offsets", offsets_to_json(tally));
    }
    if (tally->first_failure_ns != UINT64_MAX) {
        itr_record_put(&json, "failures_from_ns", json_integer((json_int_t)tally->first_failure_ns));
        itr_record_put(&json, "failures_to_ns", json_integer((json_int_t)tally->last_failure_ns));
    }
    return json;
}

int itr_summary_exit_code(const struct itr_summary *summary) {
    int code = itr_judge_exit_code(summary->cells, summary->verdicts, summary->count);
    return code == 0 && summary->interrupted ? 3 : code;
}

json_t *itr_summary_to_json(const struct itr_summary *summary) {
    json_t *cells = json_array();
    for (size_t i = 0; i < summary->count; i++) {
        itr_record_append(&cells, cell_to_json(&summary->cells[i], &summary->tallies[i], &summary->verdicts[i]));
    }
    return json_pack("{s:i, s:o, s:i, s:b, s:f, s:o}", "format", ITR_SUMMARY_FORMAT, "seed",
                     itr_json_hex(summary->seed), "exit_code",
                     itr_summary_exit_code(summary), "interrupted",
                     (int)summary->interrupted, "elapsed_s", summary->elapsed_s, "cells", cells);
}
