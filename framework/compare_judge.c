/* What came of a comparison: each candidate at each point, all else under Holm's correction, and the whole. */
#include "framework/compare.h"

#include <stdlib.h>
#include <string.h>

const char *itr_compare_verdict_name(enum itr_compare_verdict verdict) {
    static const char *const names[] = {
#define ITR_COMPARE_VERDICT_NAME(id, name) name,
        ITR_COMPARE_VERDICT_MAP(ITR_COMPARE_VERDICT_NAME)
#undef ITR_COMPARE_VERDICT_NAME
    };
    return names[verdict];
}

static uint32_t place_of(const struct itr_compare_group *group, uint32_t candidate) {
    for (uint32_t i = 0; i < group->rounds.design.candidates; i++) {
        if (group->arms[1 + i] == candidate + 1) {
            return i;
        }
    }
    return UINT32_MAX;
}

const struct itr_comparison *itr_compare_comparisons(const struct itr_compare_group *group, uint32_t candidate) {
    uint32_t place = place_of(group, candidate);
    bool compared = group->kind == ITR_COMPARE_POINT && group->state == ITR_COMPARE_RUN;
    return compared && place != UINT32_MAX ? group->rounds.comparisons[place] : NULL;
}

const struct itr_comparison *itr_compare_any(const struct itr_compare_group *group, uint32_t candidate) {
    return itr_compare_comparisons(group, candidate) != NULL ? &group->rounds.any[place_of(group, candidate)] : NULL;
}

void itr_compare_facts(const struct itr_comparison *comparison, double confidence, struct itr_comparison_facts *facts) {
    struct itr_comparison open = *comparison;
    if (open.verdict == ITR_COMPARISON_BUDGET || open.verdict == ITR_COMPARISON_POWER) {
        open.verdict = ITR_COMPARISON_CONTINUE;
        open.design.rounds_max = 0;
    }
    itr_comparison_facts(&open, confidence, facts);
}

/* ---- all that is not compared ---- */

struct family {
    struct itr_compare_other *items;
    size_t count;
    size_t room;
};

static enum itr_status add_other(struct family *family, const struct itr_compare_other *other, struct itr_error *err) {
    if (family->count == family->room) {
        size_t room = family->room > 0 ? 2 * family->room : 64;
        struct itr_compare_other *grown = realloc(family->items, room * sizeof *grown);
        if (grown == NULL) {
            return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for the other failures");
        }
        family->items = grown;
        family->room = room;
    }
    family->items[family->count++] = *other;
    return ITR_OK;
}

/* How often an arm of the command came to one of its tally's signatures, in the rounds that were judged; SIZE_MAX: to any.
 * What was under way beyond the decision is not in it, or that could turn the verdict, and would not be the same trials in
 * a comparison that was cut short and went on. Nor is the pilot: it chose what is compared. */
static uint64_t count_others(const struct itr_compare_group *group, uint32_t place, size_t which) {
    const uint64_t *others = group->rounds.others[place];
    uint64_t count = 0;
    for (size_t i = 0; i < ITR_ROUNDS_OTHERS_MAX; i++) {
        count += which == SIZE_MAX || which == i ? others[i] : 0;
    }
    return count;
}

/* One cell for failures of any kind, and one for each signature that the candidate shows. */
static enum itr_status add_group(struct family *family, const struct itr_compare *compare, size_t index,
                                 const struct itr_summary *summary, uint32_t candidate, struct itr_error *err) {
    const struct itr_compare_group *group = &compare->groups[index];
    const struct itr_tally *baseline = &summary->tallies[group->cells[0]];
    const struct itr_tally *tally = &summary->tallies[group->cells[1 + candidate]];
    uint32_t place = place_of(group, candidate);
    if (place == UINT32_MAX || group->rounds.others[0] == NULL || itr_rounds_trials(&group->rounds, 1 + place) == 0) {
        return ITR_OK;
    }
    struct itr_compare_other other = {
        .group = index,
        .counts = {.baseline_hits = count_others(group, 0, SIZE_MAX),
                   .baseline_trials = itr_rounds_trials(&group->rounds, 0),
                   .candidate_hits = count_others(group, 1 + place, SIZE_MAX),
                   .candidate_trials = itr_rounds_trials(&group->rounds, 1 + place)}};
    enum itr_status status = add_other(family, &other, err);
    for (size_t i = 0; i < tally->signature_count && i + 1 < ITR_ROUNDS_OTHERS_MAX && status == ITR_OK; i++) {
        size_t there = itr_tally_place_of(baseline, tally->signatures[i].text);
        other.signature = tally->signatures[i].text;
        other.counts.candidate_hits = count_others(group, 1 + place, i);
        other.counts.baseline_hits = there < ITR_ROUNDS_OTHERS_MAX ? count_others(group, 0, there) : 0;
        if (other.counts.candidate_hits > 0) {
            status = add_other(family, &other, err);
        }
    }
    return status;
}

static enum itr_status judge_others(struct itr_compare *compare, const struct itr_summary *summary, uint32_t candidate,
                                    struct itr_error *err) {
    struct itr_compare_result *result = &compare->results[candidate];
    struct family family = {0};
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < compare->group_count && status == ITR_OK; i++) {
        const struct itr_compare_group *group = &compare->groups[i];
        if (group->kind != ITR_COMPARE_CONTROL && group->state == ITR_COMPARE_RUN) {
            status = add_group(&family, compare, i, summary, candidate, err);
        }
    }
    struct itr_other *cells = calloc(family.count + 1, sizeof *cells);
    if (status == ITR_OK && cells == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for the other failures");
    }
    for (size_t i = 0; i < family.count && status == ITR_OK; i++) {
        cells[i] = family.items[i].counts;
    }
    if (status == ITR_OK && family.count > 0) {
        status = itr_others_judge(cells, family.count, compare->options.test.alpha, &result->worse, err);
    }
    for (size_t i = 0; i < family.count && status == ITR_OK; i++) {
        family.items[i].counts = cells[i];
    }
    free(cells);
    free(result->others);
    result->others = family.items;
    result->other_count = family.count;
    return status;
}

/* ---- points ---- */

static bool is_worse_at(const struct itr_compare_result *result, size_t group) {
    for (size_t i = 0; i < result->other_count; i++) {
        if (result->others[i].group == group && result->others[i].counts.is_worse) {
            return true;
        }
    }
    return false;
}

/* All signatures that are compared are fixed: is the rest, too? */
static enum itr_compare_verdict look_at_all(const struct itr_compare_group *group, uint32_t candidate) {
    switch (itr_compare_any(group, candidate)->verdict) {
    case ITR_COMPARISON_FIXED:
        return ITR_COMPARE_IS_FIXED;
    case ITR_COMPARISON_NOT_FIXED:
    case ITR_COMPARISON_WORSE: /* where the baseline has them too, they are not new, and remain */
        return count_others(group, 0, SIZE_MAX) == 0 ? ITR_COMPARE_IS_REPLACED : ITR_COMPARE_IS_PART;
    case ITR_COMPARISON_CONTINUE:
    case ITR_COMPARISON_BUDGET:
    case ITR_COMPARISON_POWER:
    case ITR_COMPARISON_NOT_SHOWN:
        break;
    }
    return ITR_COMPARE_IS_UNDECIDED;
}

enum itr_compare_verdict itr_compare_at(const struct itr_compare *compare, size_t index, uint32_t candidate) {
    const struct itr_compare_group *group = &compare->groups[index];
    const struct itr_comparison *comparisons = itr_compare_comparisons(group, candidate);
    uint32_t fixed = 0;
    uint32_t not_fixed = 0;
    if (compare->broken[0] || compare->broken[1 + candidate]) {
        return ITR_COMPARE_IS_BROKEN;
    }
    if (group->state != ITR_COMPARE_RUN) {
        return ITR_COMPARE_IS_UNDECIDED;
    }
    if (comparisons == NULL || group->rounds.arms[0] == ITR_ROUNDS_NOT_REACHED ||
        group->rounds.arms[1 + place_of(group, candidate)] == ITR_ROUNDS_NOT_REACHED) {
        return ITR_COMPARE_IS_NOT_REACHED;
    }
    for (uint32_t s = 0; s < group->signature_count; s++) {
        if (comparisons[s].verdict == ITR_COMPARISON_WORSE) {
            return ITR_COMPARE_IS_WORSE;
        }
        fixed += comparisons[s].verdict == ITR_COMPARISON_FIXED ? 1 : 0;
        not_fixed += comparisons[s].verdict == ITR_COMPARISON_NOT_FIXED ? 1 : 0;
    }
    if (is_worse_at(&compare->results[candidate], index)) {
        return fixed > 0 ? ITR_COMPARE_IS_REPLACED : ITR_COMPARE_IS_WORSE;
    }
    if (fixed == group->signature_count) {
        return look_at_all(group, candidate);
    }
    return not_fixed == 0 ? ITR_COMPARE_IS_UNDECIDED : fixed > 0 ? ITR_COMPARE_IS_PART : ITR_COMPARE_IS_NOT_FIXED;
}

/* ---- the whole ---- */

static enum itr_compare_verdict judge_candidate(const struct itr_compare *compare, uint32_t candidate) {
    size_t counts[ITR_COMPARE_IS_BROKEN + 1] = {0};
    size_t points = 0;
    if (compare->broken[0] || compare->broken[1 + candidate]) {
        return ITR_COMPARE_IS_BROKEN;
    }
    for (size_t i = 0; i < compare->group_count; i++) {
        const struct itr_compare_group *group = &compare->groups[i];
        /* A point at which the baseline does not fail says nothing of a fix. */
        bool counts_here = group->kind == ITR_COMPARE_POINT && group->state != ITR_COMPARE_SKIPPED &&
                           group->state != ITR_COMPARE_NOT_SHOWN;
        if (counts_here) {
            counts[itr_compare_at(compare, i, candidate)]++;
            points++;
        }
    }
    size_t fixed = counts[ITR_COMPARE_IS_FIXED];
    size_t partly = counts[ITR_COMPARE_IS_PART];
    size_t replaced = counts[ITR_COMPARE_IS_REPLACED];
    size_t same = counts[ITR_COMPARE_IS_NOT_FIXED];
    if (counts[ITR_COMPARE_IS_WORSE] > 0) {
        return ITR_COMPARE_IS_WORSE;
    }
    if (partly + replaced + same > 0) {
        return fixed + partly > 0 ? ITR_COMPARE_IS_PART : same > 0 ? ITR_COMPARE_IS_NOT_FIXED : ITR_COMPARE_IS_REPLACED;
    }
    if (points > 0 && counts[ITR_COMPARE_IS_NOT_REACHED] == points) {
        return ITR_COMPARE_IS_NOT_REACHED;
    }
    return points > 0 && fixed == points ? ITR_COMPARE_IS_FIXED : ITR_COMPARE_IS_UNDECIDED;
}

enum itr_status itr_compare_judge(struct itr_compare *compare, const struct itr_summary *summary, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (uint32_t c = 0; c < compare->candidates && status == ITR_OK; c++) {
        status = judge_others(compare, summary, c, err);
        compare->results[c].verdict = judge_candidate(compare, c);
    }
    return status;
}

int itr_compare_exit_code(const struct itr_compare *compare) {
    bool undecided = compare->stage != ITR_COMPARE_STAGE_END;
    for (uint32_t c = 0; c < compare->candidates; c++) {
        switch (compare->results[c].verdict) {
        case ITR_COMPARE_IS_PART:
        case ITR_COMPARE_IS_REPLACED:
        case ITR_COMPARE_IS_NOT_FIXED:
        case ITR_COMPARE_IS_WORSE:
            return 1;
        case ITR_COMPARE_IS_FIXED:
            break;
        case ITR_COMPARE_IS_UNDECIDED:
        case ITR_COMPARE_IS_NOT_REACHED:
        case ITR_COMPARE_IS_BROKEN:
            undecided = true;
        }
        if (compare->results[c].worse > 0) {
            return 1;
        }
    }
    return undecided ? 3 : 0;
}
