/* Counts trials of a cell, with a ceiling on everything. */
#include "framework/tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void itr_tally_begin(struct itr_tally *tally, enum itr_outcome expect, uint64_t window_from_ns,
                     uint64_t window_to_ns) {
    *tally = (struct itr_tally){.expect = expect,
                                .window_from_ns = window_from_ns,
                                .window_to_ns = window_to_ns,
                                .first_failure_ns = UINT64_MAX};
}

void itr_tally_release(struct itr_tally *tally) {
    for (size_t i = 0; i < tally->signature_count; i++) {
        free(tally->signatures[i].text);
        free(tally->signatures[i].detail);
    }
    free(tally->signatures);
    *tally = (struct itr_tally){0};
}

static struct itr_tally_signature *find(const struct itr_tally *tally, const char *text) {
    for (size_t i = 0; i < tally->signature_count; i++) {
        if (strcmp(tally->signatures[i].text, text) == 0) {
            return &tally->signatures[i];
        }
    }
    return NULL;
}

static struct itr_tally_signature *add(struct itr_tally *tally, const struct itr_row *row) {
    const char *text = row->signature;
    char others[64];
    if (tally->signature_count >= ITR_TALLY_SIGNATURES_MAX - ITR_OUTCOME_COUNT) {
        snprintf(others, sizeof others, "(other %s signatures)", itr_outcome_name((uint32_t)row->outcome));
        text = others;
        struct itr_tally_signature *other = find(tally, text);
        if (other != NULL) {
            return other;
        }
    }
    struct itr_tally_signature *grown =
        realloc(tally->signatures, (tally->signature_count + 1) * sizeof *tally->signatures);
    char *copy = strdup(text);
    if (grown != NULL) {
        tally->signatures = grown;
    }
    if (grown == NULL || copy == NULL) {
        free(copy);
        return NULL;
    }
    struct itr_tally_signature *signature = &tally->signatures[tally->signature_count++];
    *signature =
        (struct itr_tally_signature){.text = copy, .outcome = row->outcome, .first_trial = UINT64_MAX};
    return signature;
}

static bool was_missed(const struct itr_tally *tally, enum itr_outcome outcome) {
    return (outcome == ITR_OUTCOME_NOT_FIRED || outcome == ITR_OUTCOME_TOOL_ERROR) && outcome != tally->expect;
}

static void add_place(struct itr_tally *tally, const struct itr_row *row, bool failed) {
    uint64_t to_ns = row->window_to_ns != 0 ? row->window_to_ns : tally->window_to_ns;
    uint64_t width_ns = to_ns > tally->window_from_ns ? to_ns - tally->window_from_ns : 0;
    size_t bucket = ITR_TALLY_BUCKETS;
    if (row->fired_after_load_ns == INT64_MIN) {
        return;
    }
    if (row->window_to_ns != 0) {
        tally->windows_sum_ns += (double)row->window_to_ns;
        tally->window_to_ns = (uint64_t)(tally->windows_sum_ns / (double)++tally->windows);
    }
    uint64_t at_ns = row->fired_after_load_ns > 0 ? (uint64_t)row->fired_after_load_ns : 0;
    if (width_ns > 0 && at_ns < to_ns) {
        uint64_t into_ns = at_ns > tally->window_from_ns ? at_ns - tally->window_from_ns : 0;
        bucket = (size_t)((double)into_ns / (double)width_ns * ITR_TALLY_BUCKETS);
    }
    tally->bucket_trials[bucket]++;
    if (failed) {
        tally->bucket_failures[bucket]++;
        tally->first_failure_ns = at_ns < tally->first_failure_ns ? at_ns : tally->first_failure_ns;
        tally->last_failure_ns = at_ns > tally->last_failure_ns ? at_ns : tally->last_failure_ns;
    }
}

/* The earliest trial of a signature stands for it; slots finish out of order. */
static void note_first(struct itr_tally *tally, struct itr_tally_signature *signature, const struct itr_row *row) {
    bool has_detail = row->detail != NULL && row->detail[0] != '\0';
    if (row->trial < signature->first_trial) {
        signature->first_trial = row->trial;
        free(signature->detail);
        signature->detail = has_detail ? strdup(row->detail) : NULL;
        tally->no_memory = tally->no_memory || (has_detail && signature->detail == NULL);
    }
}

void itr_tally_add(struct itr_tally *tally, const struct itr_row *row) {
    tally->trials++;
    tally->outcomes[row->outcome]++;
    tally->strays += row->strays;
    if (row->signature[0] != '\0') {
        struct itr_tally_signature *signature = find(tally, row->signature);
        if (signature == NULL) {
            signature = add(tally, row);
        }
        if (signature != NULL) {
            signature->count++;
            note_first(tally, signature, row);
        } else {
            tally->no_memory = true;
        }
    }
    add_place(tally, row, row->outcome != tally->expect && !was_missed(tally, row->outcome));
}

size_t itr_tally_place_of(const struct itr_tally *tally, const char *signature) {
    const struct itr_tally_signature *found = find(tally, signature);
    return found != NULL ? (size_t)(found - tally->signatures) : SIZE_MAX;
}

uint64_t itr_tally_count_of(const struct itr_tally *tally, const char *signature) {
    const struct itr_tally_signature *found = find(tally, signature);
    return found != NULL ? found->count : 0;
}

uint64_t itr_tally_valid(const struct itr_tally *tally) {
    uint64_t valid = tally->trials;
    for (uint32_t i = 0; i < ITR_OUTCOME_COUNT; i++) {
        valid -= was_missed(tally, (enum itr_outcome)i) ? tally->outcomes[i] : 0;
    }
    return valid;
}

uint64_t itr_tally_unexpected(const struct itr_tally *tally) {
    return itr_tally_valid(tally) - tally->outcomes[tally->expect];
}

double itr_tally_rate(const struct itr_tally *tally, struct itr_interval *ci95) {
    uint64_t valid = itr_tally_valid(tally);
    *ci95 = itr_wilson(itr_tally_unexpected(tally), valid, 0.95);
    return valid > 0 ? (double)itr_tally_unexpected(tally) / (double)valid : 0;
}
