/* What a comparison runs next: controls, pilot, points, guard. What came of it is compare_judge.c's. */
#include "framework/compare.h"

#include "framework/match.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONTROL_COUNT = 15,
    GUARD_COUNT = 100,
    HITS_ENOUGH = 3, /* of a signature in the pilot: its rate is known well enough to plan with; fewer need a budget of the user's */
    AHEAD_TRIALS = 8, /* under way beyond the round that is judged, for each slot */
};

/* The budget takes the rate at this interval's lower end, so that it holds in nine pilots of ten. */
static const double pilot_confidence = 0.8;

const char *itr_compare_stage_name(enum itr_compare_stage stage) {
    static const char *const names[] = {"begin", "controls", "pilot", "pilot", "pilot", "points", "guard", "end"};
    return names[stage];
}

static bool is_skipped(const struct itr_summary *summary, size_t cell) {
    return summary->cells[cell].skip[0] != '\0';
}

/* The arms that take part: the baseline, and the candidates that are sound and have the point. Returns their number less one. */
static uint32_t choose_arms(const struct itr_compare *compare, const struct itr_summary *summary,
                            struct itr_compare_group *group) {
    uint32_t count = 0;
    for (uint32_t arm = 0; arm <= compare->candidates; arm++) {
        if (arm == 0 || (!compare->broken[arm] && !is_skipped(summary, group->cells[arm]))) {
            group->arms[count++] = arm;
        }
    }
    return count - 1;
}

/* Begins a group's rounds, and makes them the next part. */
static enum itr_status add_part(struct itr_compare *compare, struct itr_compare_group *group,
                                const struct itr_rounds_design *wanted, struct itr_campaign_rounds *parts, size_t *count,
                                struct itr_error *err) {
    struct itr_rounds_design design = *wanted;
    struct itr_campaign_rounds *part = &parts[*count];
    uint32_t size = (design.test.baselines > 0 ? design.test.baselines : 1) + design.candidates;
    uint64_t ahead = 2 + (uint64_t)AHEAD_TRIALS * compare->options.jobs / size;
    design.seed = compare->options.seed;
    design.first_trial = compare->next_trial;
    design.ahead = (uint32_t)(ahead < ITR_ROUNDS_AHEAD_MAX ? ahead : ITR_ROUNDS_AHEAD_MAX);
    itr_rounds_release(&group->rounds);
    enum itr_status status = itr_rounds_begin(&group->rounds, &design, err);
    if (status != ITR_OK) {
        return status;
    }
    compare->next_trial += itr_rounds_numbers(&group->rounds);
    *part = (struct itr_campaign_rounds){.rounds = &group->rounds, .signatures = group->patterns};
    for (uint32_t i = 0; i <= design.candidates; i++) {
        part->cells[i] = group->cells[group->arms[i]];
    }
    ++*count;
    return ITR_OK;
}

/* All groups of a kind, a number of times each arm. */
static enum itr_status plan_counted(struct itr_compare *compare, const struct itr_summary *summary,
                                    enum itr_compare_kind kind, uint64_t rounds, struct itr_campaign_rounds *parts,
                                    size_t *count, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < compare->group_count && status == ITR_OK; i++) {
        struct itr_compare_group *group = &compare->groups[i];
        if (group->kind != kind) {
            continue;
        }
        if (is_skipped(summary, group->cells[0])) {
            group->state = ITR_COMPARE_SKIPPED;
            continue;
        }
        struct itr_rounds_design design = {.test = compare->options.test, .candidates = choose_arms(compare, summary, group)};
        design.test.baselines = 1;
        design.test.rounds_max = rounds;
        group->state = ITR_COMPARE_RUN;
        status = add_part(compare, group, &design, parts, count, err);
    }
    return status;
}

/* ---- controls ---- */

static void judge_controls(struct itr_compare *compare, const struct itr_summary *summary) {
    for (size_t i = 0; i < compare->group_count; i++) {
        const struct itr_compare_group *group = &compare->groups[i];
        bool ran = group->kind == ITR_COMPARE_CONTROL && group->state == ITR_COMPARE_RUN;
        for (uint32_t arm = 0; arm <= compare->candidates && ran; arm++) {
            const struct itr_cell *cell = &summary->cells[group->cells[arm]];
            struct itr_verdict verdict;
            struct itr_tally answered = summary->tallies[group->cells[arm]];
            if (cell->expect != ITR_OUTCOME_TOOL_ERROR && itr_tally_valid(&answered) > 0) { /* the others were repeated */
                answered.trials -= answered.outcomes[ITR_OUTCOME_TOOL_ERROR];
                answered.outcomes[ITR_OUTCOME_TOOL_ERROR] = 0;
            }
            itr_judge(cell, &answered, &verdict);
            bool fine = verdict.judgement == ITR_JUDGEMENT_EXPECTED || verdict.judgement == ITR_JUDGEMENT_KNOWN ||
                        verdict.judgement == ITR_JUDGEMENT_SKIPPED;
            if (!fine && !compare->broken[arm]) {
                compare->broken[arm] = true;
                snprintf(compare->why[arm], sizeof compare->why[arm], "%s, control %s: %s", cell->case_name, cell->control,
                         verdict.sentence);
            }
        }
    }
}

static bool any_sound(const struct itr_compare *compare) {
    bool any = false;
    for (uint32_t arm = 1; arm <= compare->candidates; arm++) {
        any = any || !compare->broken[arm];
    }
    return any && !compare->broken[0];
}

/* ---- pilot ---- */

/* What a failure is compared as: the pattern of the case's known ones that it matches, else itself. */
static const char *pattern_of(const struct itr_cell *cell, const struct itr_tally_signature *signature) {
    for (size_t k = 0; k < cell->known_count; k++) {
        if (cell->known[k].outcome == signature->outcome && itr_matches(cell->known[k].signature, signature->text)) {
            return cell->known[k].signature;
        }
    }
    return signature->text;
}

struct seen {
    const char *pattern;
    uint64_t hits;
};

static void note_seen(struct seen *seen, size_t *count, size_t room, const char *pattern, uint64_t hits) {
    size_t i = 0;
    while (i < *count && strcmp(seen[i].pattern, pattern) != 0) {
        i++;
    }
    if (i == *count && i < room) {
        seen[(*count)++] = (struct seen){.pattern = pattern};
    }
    if (i < *count) {
        seen[i].hits += hits;
    }
}

static int by_hits(const void *a, const void *b) {
    const struct seen *left = a;
    const struct seen *right = b;
    int by_name = strcmp(left->pattern, right->pattern); /* the order must not come from which trial ended first */
    return left->hits != right->hits ? (left->hits < right->hits) - (left->hits > right->hits) : by_name;
}

/* Counts what a pilot came to. Not from the tally: that of a campaign that goes on has later trials, too. */
static void take_pilot_in(struct itr_compare_group *group) {
    for (size_t i = 0; i < ITR_ROUNDS_OTHERS_MAX && group->rounds.others[0] != NULL; i++) {
        group->pilot_seen[i] += group->rounds.others[0][i];
    }
    group->pilot_trials += itr_rounds_trials(&group->rounds, 0);
    itr_rounds_release(&group->rounds);
}

/* The signatures that a point is compared by: all that came often enough; where none did, the most frequent. */
static void choose_signatures(struct itr_compare_group *group, const struct itr_summary *summary) {
    struct seen seen[ITR_ROUNDS_OTHERS_MAX];
    size_t count = 0;
    const struct itr_cell *cell = &summary->cells[group->cells[0]];
    const struct itr_tally *tally = &summary->tallies[group->cells[0]];
    take_pilot_in(group);
    for (size_t i = 0; i + 1 < ITR_ROUNDS_OTHERS_MAX && i < tally->signature_count; i++) {
        if (group->pilot_seen[i] > 0) {
            note_seen(seen, &count, ITR_ROUNDS_OTHERS_MAX, pattern_of(cell, &tally->signatures[i]), group->pilot_seen[i]);
        }
    }
    qsort(seen, count, sizeof seen[0], by_hits);
    group->signature_count = 0;
    group->pilot_hits = 0;
    for (size_t i = 0; i < count && i < ITR_ROUNDS_SIGNATURES_MAX && (i == 0 || seen[i].hits >= HITS_ENOUGH); i++) {
        bool fits = strlen(seen[i].pattern) < sizeof group->signatures[i];
        snprintf(group->signatures[i], sizeof group->signatures[i], "%.*s%s", (int)sizeof group->signatures[i] - 2,
                 seen[i].pattern, fits ? "" : "*");
        group->patterns[i] = group->signatures[i];
        group->signature_count++;
        group->pilot_hits = seen[i].hits;
    }
}

/* Trials of each part. A failure that is rarer than the usual pilot shows is worth a longer one where the user names a budget. */
static uint64_t pilot_trials(const struct itr_compare *compare) {
    uint64_t usual = ITR_COMPARE_PILOT + ITR_COMPARE_PILOT_MORE;
    uint64_t half = compare->options.test.rounds_max / 2;
    switch (compare->stage) {
    case ITR_COMPARE_STAGE_PILOT:
        return ITR_COMPARE_PILOT;
    case ITR_COMPARE_STAGE_PILOT_MORE:
        return ITR_COMPARE_PILOT_MORE;
    default:
        return half > usual ? half - usual : 0;
    }
}

/* The baseline alone, at each point; after the first time only where it showed too little. */
static enum itr_status plan_pilot(struct itr_compare *compare, const struct itr_summary *summary, struct itr_campaign_rounds *parts,
                                  size_t *count, struct itr_error *err) {
    uint64_t trials = pilot_trials(compare);
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < compare->group_count && status == ITR_OK && trials > 0; i++) {
        struct itr_compare_group *group = &compare->groups[i];
        if (group->kind != ITR_COMPARE_POINT || group->state == ITR_COMPARE_SKIPPED) {
            continue;
        }
        if (is_skipped(summary, group->cells[0])) {
            group->state = ITR_COMPARE_SKIPPED;
            continue;
        }
        if (compare->stage != ITR_COMPARE_STAGE_PILOT) {
            choose_signatures(group, summary);
            if (group->pilot_hits >= HITS_ENOUGH) {
                continue;
            }
        }
        struct itr_rounds_design design = {.test = compare->options.test};
        design.test.baselines = 1;
        design.test.rounds_max = trials;
        group->arms[0] = 0;
        status = add_part(compare, group, &design, parts, count, err);
    }
    return status;
}

/* ---- points ---- */

static enum itr_status plan_point(struct itr_compare *compare, const struct itr_summary *summary,
                                  struct itr_compare_group *group, struct itr_campaign_rounds *parts, size_t *count,
                                  struct itr_error *err) {
    struct itr_rounds_design design = {.test = compare->options.test,
                                       .candidates = choose_arms(compare, summary, group),
                                       .signatures = group->signature_count};
    struct itr_comparison comparison;
    double measured = (double)group->pilot_hits / (double)group->pilot_trials;
    double low = itr_clopper_pearson(group->pilot_hits, group->pilot_trials, pilot_confidence).low;
    enum itr_status status = ITR_OK;
    group->state = ITR_COMPARE_RUN;
    if (design.candidates == 0) { /* no candidate has the point */
        return ITR_OK;
    }
    if (design.test.baselines == 0) {
        status = itr_comparison_baselines(&design.test, low, measured, &design.test.baselines, err);
    }
    if (status == ITR_OK) {
        status = itr_comparison_begin(&comparison, &design.test, err);
    }
    if (status == ITR_OK && design.test.rounds_max == 0) {
        status = itr_comparison_budget(&comparison, low, &design.test.rounds_max, err);
        if (design.test.rounds_max < ITR_COMPARE_ROUNDS_LEAST) {
            design.test.rounds_max = ITR_COMPARE_ROUNDS_LEAST;
        }
    }
    design.rounds_least = ITR_COMPARE_ROUNDS_LEAST;
    return status == ITR_OK ? add_part(compare, group, &design, parts, count, err) : status;
}

static enum itr_status plan_points(struct itr_compare *compare, const struct itr_summary *summary,
                                   struct itr_campaign_rounds *parts, size_t *count, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < compare->group_count && status == ITR_OK; i++) {
        struct itr_compare_group *group = &compare->groups[i];
        if (group->kind != ITR_COMPARE_POINT || group->state == ITR_COMPARE_SKIPPED) {
            continue;
        }
        choose_signatures(group, summary);
        group->state = ITR_COMPARE_NOT_SHOWN;
        if (group->pilot_hits >= (compare->options.test.rounds_max > 0 ? 1 : HITS_ENOUGH)) {
            status = plan_point(compare, summary, group, parts, count, err);
        }
    }
    return status;
}

/* ---- one stage after the other ---- */

static uint64_t guard_count(const struct itr_compare *compare) {
    return compare->options.guard_count > 0 ? compare->options.guard_count : GUARD_COUNT;
}

static enum itr_status plan_stage(struct itr_compare *compare, const struct itr_summary *summary,
                                  struct itr_campaign_rounds *parts, size_t *count, struct itr_error *err) {
    const struct itr_compare_options *options = &compare->options;
    switch (compare->stage) {
    case ITR_COMPARE_STAGE_CONTROLS:
        return plan_counted(compare, summary, ITR_COMPARE_CONTROL,
                            options->control_count > 0 ? options->control_count : CONTROL_COUNT, parts, count, err);
    case ITR_COMPARE_STAGE_PILOT:
    case ITR_COMPARE_STAGE_PILOT_MORE:
    case ITR_COMPARE_STAGE_PILOT_LONG:
        return plan_pilot(compare, summary, parts, count, err);
    case ITR_COMPARE_STAGE_POINTS:
        return plan_points(compare, summary, parts, count, err);
    case ITR_COMPARE_STAGE_GUARD:
        return plan_counted(compare, summary, ITR_COMPARE_GUARD, guard_count(compare), parts, count, err);
    case ITR_COMPARE_STAGE_BEGIN:
    case ITR_COMPARE_STAGE_END:
        break;
    }
    return ITR_OK;
}

enum itr_status itr_compare_next(struct itr_compare *compare, const struct itr_summary *summary,
                                 struct itr_campaign_rounds *parts, size_t *count, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    *count = 0;
    while (*count == 0 && status == ITR_OK && compare->stage != ITR_COMPARE_STAGE_END) {
        if (compare->stage == ITR_COMPARE_STAGE_CONTROLS) {
            judge_controls(compare, summary);
        }
        compare->stage = compare->stage > ITR_COMPARE_STAGE_BEGIN && !any_sound(compare) ? ITR_COMPARE_STAGE_END
                                                                                        : compare->stage + 1;
        status = plan_stage(compare, summary, parts, count, err);
        if (compare->stage == ITR_COMPARE_STAGE_POINTS) {
            compare->announced = itr_compare_stage_trials(parts, *count) + itr_compare_guard_trials(compare);
        }
    }
    return status;
}

/* By the tallies: rounds of a comparison that goes on are told of what they need, the folder may have more. */
static uint64_t count_group(const struct itr_compare *compare, const struct itr_summary *summary, size_t group, uint64_t *repeated) {
    uint64_t answered = 0;
    for (uint32_t arm = 0; arm <= compare->candidates; arm++) {
        const struct itr_tally *tally = &summary->tallies[compare->groups[group].cells[arm]];
        answered += itr_tally_valid(tally);
        *repeated += tally->trials - itr_tally_valid(tally);
    }
    return answered;
}

/* Of the group's trials, those of its pilot. */
static uint64_t count_pilot(const struct itr_compare_group *group, uint64_t answered) {
    return group->kind != ITR_COMPARE_POINT ? 0 : group->state == ITR_COMPARE_RUN ? group->pilot_trials : answered;
}

void itr_compare_count(const struct itr_compare *compare, const struct itr_summary *summary, struct itr_compare_trials *trials) {
    *trials = (struct itr_compare_trials){0};
    for (size_t i = 0; i < compare->group_count; i++) {
        const struct itr_compare_group *group = &compare->groups[i];
        uint64_t answered = count_group(compare, summary, i, &trials->repeated);
        trials->pilot += count_pilot(group, answered);
        trials->points += group->kind == ITR_COMPARE_POINT ? answered - count_pilot(group, answered) : 0;
        trials->controls += group->kind == ITR_COMPARE_CONTROL ? answered : 0;
        trials->guard += group->kind == ITR_COMPARE_GUARD ? answered : 0;
    }
}

uint64_t itr_compare_beyond(const struct itr_compare *compare, const struct itr_summary *summary, size_t group) {
    uint64_t repeated = 0;
    uint64_t answered = count_group(compare, summary, group, &repeated);
    const struct itr_compare_group *it = &compare->groups[group];
    return it->state == ITR_COMPARE_RUN ? answered - count_pilot(it, answered) - it->rounds.counted : 0;
}

uint64_t itr_compare_guard_trials(const struct itr_compare *compare) {
    uint64_t groups = 0;
    uint64_t arms = 1;
    for (size_t i = 0; i < compare->group_count; i++) {
        groups += compare->groups[i].kind == ITR_COMPARE_GUARD ? 1 : 0;
    }
    for (uint32_t arm = 1; arm <= compare->candidates; arm++) {
        arms += compare->broken[arm] ? 0 : 1;
    }
    return groups * arms * guard_count(compare);
}

uint64_t itr_compare_stage_trials(const struct itr_campaign_rounds *parts, size_t count) {
    uint64_t trials = 0;
    for (size_t i = 0; i < count; i++) {
        trials += parts[i].rounds->design.test.rounds_max * parts[i].rounds->size;
    }
    return trials;
}

void itr_compare_release(struct itr_compare *compare) {
    for (size_t i = 0; i < compare->group_count; i++) {
        itr_rounds_release(&compare->groups[i].rounds);
    }
    for (uint32_t c = 0; c < ITR_ROUNDS_CANDIDATES_MAX; c++) {
        free(compare->results[c].others);
    }
    free(compare->groups);
    *compare = (struct itr_compare){0};
}
