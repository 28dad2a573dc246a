/* Holds a cell's counts against what its case expects and knows. */
#include "framework/judge.h"

#include "framework/match.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *itr_judgement_name(enum itr_judgement judgement) {
    static const char *const names[] = {
#define ITR_JUDGEMENT_NAME(id, name) name,
        ITR_JUDGEMENT_MAP(ITR_JUDGEMENT_NAME)
#undef ITR_JUDGEMENT_NAME
    };
    return names[judgement];
}

static bool is_instance(const struct itr_cell_known *known, const struct itr_tally_signature *signature) {
    return known->outcome == signature->outcome && itr_matches(known->signature, signature->text);
}

static bool counts_as_failure(const struct itr_cell *cell, const struct itr_tally_signature *signature) {
    return signature->outcome != cell->expect && signature->outcome != ITR_OUTCOME_NOT_FIRED &&
           signature->outcome != ITR_OUTCOME_TOOL_ERROR;
}

static bool find_new(const struct itr_cell *cell, const struct itr_tally *tally, struct itr_verdict *verdict) {
    for (size_t i = 0; i < tally->signature_count; i++) {
        const struct itr_tally_signature *signature = &tally->signatures[i];
        bool known = !counts_as_failure(cell, signature);
        for (size_t k = 0; k < cell->known_count && !known; k++) {
            known = is_instance(&cell->known[k], signature);
        }
        if (!known) {
            verdict->judgement = ITR_JUDGEMENT_NEW;
            snprintf(verdict->sentence, sizeof verdict->sentence,
                     "%s: %" PRIu64 " of %" PRIu64 " trials, first in trial %" PRIu64 "; %s was expected",
                     signature->text, signature->count, itr_tally_valid(tally), signature->first_trial,
                     itr_outcome_name((uint32_t)cell->expect));
            return true;
        }
    }
    return false;
}

static uint64_t count_known(const struct itr_cell_known *known, const struct itr_tally *tally) {
    uint64_t count = 0;
    for (size_t i = 0; i < tally->signature_count; i++) {
        count += is_instance(known, &tally->signatures[i]) ? tally->signatures[i].count : 0;
    }
    return count;
}

static bool find_changed_rate(const struct itr_cell *cell, const struct itr_tally *tally,
                              struct itr_verdict *verdict) {
    uint64_t valid = itr_tally_valid(tally);
    for (size_t k = 0; k < cell->known_count; k++) {
        const struct itr_cell_known *known = &cell->known[k];
        uint64_t count = count_known(known, tally);
        bool too_few = itr_binomial_at_most(count, valid, known->rate_min) < ITR_JUDGE_CHANCE;
        bool too_many = itr_binomial_at_least(count, valid, known->rate_max) < ITR_JUDGE_CHANCE;
        if (too_few || too_many) {
            verdict->judgement = ITR_JUDGEMENT_RATE;
            snprintf(verdict->sentence, sizeof verdict->sentence,
                     "the known failure \"%s\" (%s) came in %" PRIu64 " of %" PRIu64 " trials, %s %.4g %%: %s",
                     known->signature, known->thread[0] ? known->thread : "no public thread", count, valid,
                     too_few ? "expected at least" : "expected at most",
                     100 * (too_few ? known->rate_min : known->rate_max),
                     too_few ? "it is fixed, or this set-up has lost its power to show it"
                             : "it has become worse, or the set-up has changed");
            return true;
        }
    }
    return false;
}

static bool find_known(const struct itr_cell *cell, const struct itr_tally *tally, struct itr_verdict *verdict) {
    for (size_t k = 0; k < cell->known_count; k++) {
        uint64_t count = count_known(&cell->known[k], tally);
        if (count > 0) {
            verdict->judgement = ITR_JUDGEMENT_KNOWN;
            snprintf(verdict->sentence, sizeof verdict->sentence, "known failure: %" PRIu64 " of %" PRIu64 " (%s)",
                     count, itr_tally_valid(tally),
                     cell->known[k].thread[0] ? cell->known[k].thread : "no public thread");
            return true;
        }
    }
    return false;
}

void itr_judge(const struct itr_cell *cell, const struct itr_tally *tally, struct itr_verdict *verdict) {
    uint64_t tool_errors = cell->expect == ITR_OUTCOME_TOOL_ERROR ? 0 : tally->outcomes[ITR_OUTCOME_TOOL_ERROR];
    *verdict = (struct itr_verdict){.judgement = ITR_JUDGEMENT_EXPECTED};
    if (cell->skip[0] != '\0') {
        verdict->judgement = ITR_JUDGEMENT_SKIPPED;
        snprintf(verdict->sentence, sizeof verdict->sentence, "%s", cell->skip);
        return;
    }
    if (tool_errors > 0) {
        verdict->judgement = ITR_JUDGEMENT_TOOL_ERROR;
        snprintf(verdict->sentence, sizeof verdict->sentence,
                 "the tool failed in %" PRIu64 " of %" PRIu64 " trials: see \"detail\" in trials.jsonl", tool_errors,
                 tally->trials);
        return;
    }
    if (tally->no_memory) {
        verdict->judgement = ITR_JUDGEMENT_TOOL_ERROR;
        snprintf(verdict->sentence, sizeof verdict->sentence,
                 "out of memory while %" PRIu64 " trials were counted: initrace report counts them again", tally->trials);
        return;
    }
    if (itr_tally_valid(tally) == 0) {
        verdict->judgement = ITR_JUDGEMENT_INCONCLUSIVE;
        if (tally->trials == 0) {
            snprintf(verdict->sentence, sizeof verdict->sentence, "no trial was run, so nothing was tested");
        } else {
            snprintf(verdict->sentence, sizeof verdict->sentence,
                     "not reached: no shot landed in %" PRIu64 " trials, so nothing was tested", tally->trials);
        }
        return;
    }
    if (find_new(cell, tally, verdict) || find_changed_rate(cell, tally, verdict) ||
        find_known(cell, tally, verdict)) {
        return;
    }
    snprintf(verdict->sentence, sizeof verdict->sentence, "%" PRIu64 " of %" PRIu64 " trials ended %s",
             tally->outcomes[cell->expect], tally->trials, itr_outcome_name((uint32_t)cell->expect));
}

/* What the cells of a campaign came to. */
struct sum {
    bool tool_error;
    bool finding;
    bool control_failed;
    size_t tested;
    size_t not_reached;
};

static struct sum sum_up(const struct itr_cell *cells, const struct itr_verdict *verdicts, size_t count) {
    struct sum sum = {0};
    for (size_t i = 0; i < count; i++) {
        enum itr_judgement judgement = verdicts[i].judgement;
        bool bad = judgement == ITR_JUDGEMENT_NEW || judgement == ITR_JUDGEMENT_RATE;
        sum.tool_error = sum.tool_error || judgement == ITR_JUDGEMENT_TOOL_ERROR;
        sum.control_failed = sum.control_failed || (bad && cells[i].control[0] != '\0');
        sum.finding = sum.finding || (bad && cells[i].control[0] == '\0');
        sum.not_reached += judgement == ITR_JUDGEMENT_INCONCLUSIVE ? 1 : 0;
        sum.tested += judgement != ITR_JUDGEMENT_INCONCLUSIVE && judgement != ITR_JUDGEMENT_SKIPPED ? 1 : 0;
    }
    return sum;
}

static int code_of(const struct sum *sum) {
    if (sum->tool_error) {
        return 4;
    }
    if (sum->control_failed || sum->tested == 0) {
        return 3;
    }
    return sum->finding ? 1 : sum->not_reached > 0 ? 3 : 0;
}

int itr_judge_exit_code(const struct itr_cell *cells, const struct itr_verdict *verdicts, size_t count) {
    struct sum sum = sum_up(cells, verdicts, count);
    return code_of(&sum);
}

bool itr_judge_no_verdict(const struct itr_cell *cells, const struct itr_verdict *verdicts, size_t count, char *why,
                          size_t room) {
    struct sum sum = sum_up(cells, verdicts, count);
    if (code_of(&sum) != 3) {
        return false;
    }
    if (sum.control_failed) {
        snprintf(why, room, "a control failed");
    } else if (sum.not_reached > 0) {
        snprintf(why, room, "nothing was tested in %zu of %zu cells: see no-shot above", sum.not_reached, count);
    } else {
        snprintf(why, room, "everything was skipped");
    }
    return true;
}
