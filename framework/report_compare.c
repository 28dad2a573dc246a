/* Comparisons as text for a terminal: each candidate, each point, each signature, and what is worse elsewhere. */
#include "framework/report_compare_parts.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void add_title(struct itr_text *out, const struct itr_compare_group *group, const struct itr_summary *summary) {
    char title[ITR_TITLE_MAX];
    char place[ITR_PLACE_MAX];
    const struct itr_cell *cell = &summary->cells[group->cells[0]];
    itr_cell_place(cell, place, sizeof place);
    snprintf(title, sizeof title, "%s at %s", cell->case_name, place);
    itr_compare_add_clean(out, title);
}

/* Why a point has no comparison, NULL if it has one; `skip`: what the arm's cell says itself, or "". */
static const char *no_comparison(const struct itr_compare *compare, const struct itr_summary *summary, size_t index,
                                 uint32_t candidate, const char **skip) {
    const struct itr_compare_group *group = &compare->groups[index];
    *skip = summary->cells[group->cells[group->state == ITR_COMPARE_SKIPPED ? 0 : 1 + candidate]].skip;
    switch (group->state) {
    case ITR_COMPARE_SKIPPED:
        return "skipped: the baseline cannot be fired at here";
    case ITR_COMPARE_NOT_SHOWN:
        return group->pilot_hits == 0 ? "not compared: the baseline does not show a failure here"
                                      : "not compared: the baseline fails too seldom here to plan with; --budget N compares all the same";
    case ITR_COMPARE_WAITING:
        return "not compared: it did not come to that";
    case ITR_COMPARE_RUN:
        break;
    }
    return itr_compare_comparisons(group, candidate) == NULL ? "not compared: the candidate cannot be fired at here" : NULL;
}

/* How long a trial took so far, on all slots together; 0: not known. */
static double pace_s(const struct itr_summary *summary) {
    uint64_t trials = 0;
    for (size_t i = 0; i < summary->count; i++) {
        trials += summary->tallies[i].trials;
    }
    return trials > 0 ? summary->elapsed_s / (double)trials : 0;
}

static void add_left(struct itr_text *out, const struct itr_comparison *comparison, const struct itr_comparison_facts *facts,
                     const struct itr_summary *summary) {
    double trials = comparison->design.baselines + 1;
    bool open = comparison->verdict == ITR_COMPARISON_CONTINUE || comparison->verdict == ITR_COMPARISON_BUDGET ||
                comparison->verdict == ITR_COMPARISON_POWER;
    if (open && itr_compare_is_number(facts->rounds_left_if_fixed) && itr_compare_is_number(facts->rounds_left_if_same)) {
        double fixed = ceil(trials * facts->rounds_left_if_fixed);
        double same = ceil(trials * facts->rounds_left_if_same);
        itr_text_printf(out, "      still needed: some %.0f trials if it is fixed, %.0f if it is the same (%.0f s, %.0f s)\n", fixed,
                        same, ceil(fixed * pace_s(summary)), ceil(same * pace_s(summary)));
    }
}

/* "fixed" in a sentence's words; those of verdict.h are for one that is not to be misread as more than a rate. */
static void add_reason(struct itr_text *out, const struct itr_comparison *comparison) {
    const struct itr_comparison_design *design = &comparison->design;
    switch (comparison->verdict) {
    case ITR_COMPARISON_FIXED:
        itr_text_printf(out, "fixed: that it fails as often as before is ruled out (error at most %.3g %%)", 100 * design->alpha);
        break;
    case ITR_COMPARISON_NOT_FIXED:
        itr_text_printf(out, "not fixed: that it fails %.3g times more seldom is ruled out (error at most %.3g %%)", design->factor,
                        100 * design->beta);
        break;
    case ITR_COMPARISON_WORSE:
        itr_text_printf(out, "worse: it fails more often than before (error at most %.3g %%)", 100 * design->alpha);
        break;
    case ITR_COMPARISON_CONTINUE:
    case ITR_COMPARISON_BUDGET:
    case ITR_COMPARISON_POWER:
    case ITR_COMPARISON_NOT_SHOWN:
        itr_text_printf(out, "undecided: %s", itr_comparison_text(comparison->verdict));
        break;
    }
}

/* "      NAME  13 of 40: 32.5 % [18.6, 49.1]", the names of a pair as wide as the longer one. */
static void add_arm_line(struct itr_text *out, const char *name, const char *other, const struct itr_comparison_arm *arm) {
    struct itr_text clean = {0};
    size_t width[2];
    for (int i = 0; i < 2; i++) {
        itr_text_reset(&clean);
        itr_compare_add_clean(&clean, i == 0 ? other : name);
        width[i] = clean.length;
    }
    itr_text_printf(out, "      %s%*s", itr_text_string(&clean), (int)(width[0] > width[1] ? width[0] - width[1] : 0) + 2, "");
    itr_compare_add_arm(out, arm);
    itr_text_add(out, "\n");
    itr_text_release(&clean);
}

static void add_comparison(struct itr_text *out, const struct itr_compare *compare, uint32_t candidate, const char *pattern,
                           const struct itr_comparison *comparison, const struct itr_summary *summary) {
    const char *baseline = compare->labels[0];
    const char *name = compare->labels[1 + candidate];
    struct itr_comparison_facts facts;
    itr_compare_facts(comparison, ITR_COMPARE_CONFIDENCE, &facts);
    itr_text_add(out, "    ");
    itr_compare_add_clean(out, itr_compare_pattern_name(pattern));
    itr_text_add(out, ": ");
    add_reason(out, comparison);
    itr_text_add(out, "\n");
    add_arm_line(out, baseline, name, &facts.baseline);
    add_arm_line(out, name, baseline, &facts.candidate);
    itr_text_add(out, "      the new rate divided by the old: ");
    itr_compare_add_ratio(out, &facts.ratio);
    itr_text_printf(out, "; Fisher's p %.3g\n", facts.fisher.two_sided);
    add_left(out, comparison, &facts, summary);
}

/* Failures at a point that are not compared: how many, and how many there could be. */
static void add_point_others(struct itr_text *out, const struct itr_compare *compare, size_t index, uint32_t candidate) {
    const struct itr_compare_result *result = &compare->results[candidate];
    for (size_t i = 0; i < result->other_count; i++) {
        const struct itr_compare_other *other = &result->others[i];
        const struct itr_other *counts = &other->counts;
        if (other->group != index || other->signature != NULL) {
            continue;
        }
        itr_text_printf(out, "    other failures: %" PRIu64 " of %" PRIu64 " before, %" PRIu64 " of %" PRIu64 " now", counts->baseline_hits,
                        counts->baseline_trials, counts->candidate_hits, counts->candidate_trials);
        if (counts->candidate_hits == 0) {
            itr_text_printf(out, " (at most %.3g %% at %.0f %%)", 100 * itr_none_upper_bound(counts->candidate_trials, ITR_COMPARE_CONFIDENCE),
                            100 * ITR_COMPARE_CONFIDENCE);
        }
        itr_text_add(out, "\n");
    }
}

static void add_rounds(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary, size_t index,
                       uint32_t candidate) {
    const struct itr_compare_group *group = &compare->groups[index];
    const struct itr_comparison *comparisons = itr_compare_comparisons(group, candidate);
    const struct itr_comparison *any = itr_compare_any(group, candidate);
    const struct itr_comparison_design *design = &group->rounds.design.test;
    uint64_t beyond = itr_compare_beyond(compare, summary, index);
    uint64_t rounds = any->rounds;
    bool ended = any->verdict != ITR_COMPARISON_CONTINUE;
    for (uint32_t s = 0; s < group->signature_count; s++) {
        rounds = comparisons[s].rounds > rounds ? comparisons[s].rounds : rounds;
        ended = ended && comparisons[s].verdict != ITR_COMPARISON_CONTINUE;
    }
    itr_text_printf(out, "    %s in round %" PRIu64 " of at most %" PRIu64 ", each of %" PRIu32 " baseline trial%s and one of each candidate",
                    ended ? "decided" : "cut short", rounds, design->rounds_max, design->baselines, design->baselines == 1 ? "" : "s");
    if (beyond > 0) {
        itr_text_printf(out, "; %" PRIu64 " more were under way, and decide nothing", beyond);
    }
    itr_text_add(out, "\n");
}

static void add_pilot(struct itr_text *out, const struct itr_compare_group *group) {
    double high = group->pilot_hits == 0 ? itr_none_upper_bound(group->pilot_trials, ITR_COMPARE_CONFIDENCE)
                                         : itr_clopper_pearson(group->pilot_hits, group->pilot_trials, ITR_COMPARE_CONFIDENCE).high;
    itr_text_printf(out, " (%" PRIu64 " of %" PRIu64 ": at most %.3g %% at %.0f %%)", group->pilot_hits, group->pilot_trials,
                    100 * high, 100 * ITR_COMPARE_CONFIDENCE);
}

static void add_point(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary, size_t index,
                      uint32_t candidate) {
    const struct itr_compare_group *group = &compare->groups[index];
    const struct itr_comparison *comparisons = itr_compare_comparisons(group, candidate);
    const char *skip = "";
    const char *none = no_comparison(compare, summary, index, candidate, &skip);
    itr_text_add(out, "  ");
    add_title(out, group, summary);
    if (none != NULL) {
        itr_text_printf(out, ": %s", none);
        if (group->state == ITR_COMPARE_NOT_SHOWN) {
            add_pilot(out, group);
        } else if (skip[0] != '\0') {
            itr_text_add(out, ": ");
            itr_compare_add_clean(out, skip);
        }
        itr_text_add(out, "\n");
        return;
    }
    enum itr_compare_verdict verdict = itr_compare_at(compare, index, candidate);
    itr_text_printf(out, ": %s%s\n", itr_compare_verdict_name(verdict),
                    verdict == ITR_COMPARE_IS_NOT_REACHED ? ": no shot landed in one of the arms"
                    : verdict == ITR_COMPARE_IS_REPLACED  ? ": that failure is gone, and others came in its place"
                                                          : "");
    for (uint32_t s = 0; s < group->signature_count; s++) {
        add_comparison(out, compare, candidate, group->signatures[s], &comparisons[s], summary);
    }
    if (itr_compare_worth_telling(group, candidate) != NULL) {
        add_comparison(out, compare, candidate, NULL, itr_compare_worth_telling(group, candidate), summary);
    }
    add_point_others(out, compare, index, candidate);
    add_rounds(out, compare, summary, index, candidate);
}

static void add_others(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary,
                       uint32_t candidate) {
    const struct itr_compare_result *result = &compare->results[candidate];
    for (size_t i = 0; i < result->other_count; i++) {
        const struct itr_compare_other *other = &result->others[i];
        const struct itr_compare_group *group = &compare->groups[other->group];
        if (!other->counts.is_worse) {
            continue;
        }
        itr_text_add(out, "  worse at ");
        add_title(out, group, summary);
        itr_text_add(out, ": ");
        itr_compare_add_clean(out, itr_compare_other_name(other));
        itr_text_printf(out, ": baseline %" PRIu64 " of %" PRIu64 ", candidate %" PRIu64 " of %" PRIu64 " (p %.3g, by Holm over %zu)\n",
                        other->counts.baseline_hits, other->counts.baseline_trials, other->counts.candidate_hits,
                        other->counts.candidate_trials, other->counts.adjusted, result->other_count);
    }
    for (size_t i = 0; i < result->other_count; i++) {
        const struct itr_compare_other *other = &result->others[i];
        if (!itr_compare_is_guard(compare, other) || itr_compare_has_power(compare, candidate, other)) {
            continue;
        }
        itr_text_add(out, "  cannot tell at ");
        add_title(out, &compare->groups[other->group], summary);
        itr_text_printf(out, ": the baseline fails in %" PRIu64 " of %" PRIu64 " itself\n", other->counts.baseline_hits,
                        other->counts.baseline_trials);
    }
}

void itr_report_compare(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary) {
    for (uint32_t c = 0; c < compare->candidates; c++) {
        itr_compare_add_clean(out, compare->labels[1 + c]);
        itr_text_add(out, ": ");
        itr_compare_sentence(compare, c, out);
        itr_text_add(out, "\n");
        for (size_t i = 0; i < compare->group_count; i++) {
            if (compare->groups[i].kind == ITR_COMPARE_POINT && compare->results[c].verdict != ITR_COMPARE_IS_BROKEN) {
                add_point(out, compare, summary, i, c);
            }
        }
        add_others(out, compare, summary, c);
    }
    itr_text_add(out, "baseline: ");
    itr_compare_add_clean(out, compare->labels[0]);
    itr_text_add(out, "; intervals at 95 %, exact\n");
    itr_compare_add_trials(out, compare, summary);
}
