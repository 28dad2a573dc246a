/* Comparisons in words and tables: each candidate, each point, each signature, and what is worse elsewhere. */
#include "framework/report_compare.h"

#include "framework/markdown.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const double confidence = 0.95;

/* Neither infinity nor "not a number". */
static bool is_number(double value) {
    return fabs(value) <= DBL_MAX;
}

/* ---- words that the text and Markdown share ---- */

static void add_clean(struct itr_text *out, const char *text) {
    itr_text_escape(out, ITR_ESCAPE_TERMINAL, text, strlen(text));
}

static void add_title(struct itr_text *out, const struct itr_compare_group *group, const struct itr_summary *summary) {
    char title[512];
    const struct itr_cell *cell = &summary->cells[group->cells[0]];
    snprintf(title, sizeof title, "%s at %s", cell->case_name, cell->aim.event == ITR_EVENT_NONE ? "no point" : cell->at);
    add_clean(out, title);
}

/* "0 of 47 (at most 6.17 % at 95 %)", "85 of 740: 11.5 % [9.28, 14]". */
static void add_arm(struct itr_text *out, const struct itr_comparison_arm *arm) {
    itr_text_printf(out, "%" PRIu64 " of %" PRIu64, arm->hits, arm->trials);
    if (arm->trials > 0 && arm->hits == 0) {
        itr_text_printf(out, " (at most %.3g %% at %.0f %%)", 100 * arm->none_bound, 100 * confidence);
    } else if (arm->trials > 0) {
        itr_text_printf(out, ": %.3g %% [%.3g, %.3g]", 100 * arm->rate, 100 * arm->interval.low, 100 * arm->interval.high);
    }
}

static void add_ratio(struct itr_text *out, const struct itr_interval *ratio) {
    if (is_number(ratio->high)) {
        itr_text_printf(out, "%.3g to %.3g", ratio->low, ratio->high);
    } else {
        itr_text_add(out, "not known");
    }
}

/* Could a candidate that always fails there be found at all? Not where the baseline fails so often itself. */
static bool has_power(const struct itr_compare *compare, uint32_t candidate, const struct itr_compare_other *other) {
    return itr_other_has_power(&other->counts, compare->results[candidate].other_count, compare->options.test.alpha);
}

static bool is_guard(const struct itr_compare *compare, const struct itr_compare_other *other) {
    return compare->groups[other->group].kind == ITR_COMPARE_GUARD && other->signature == NULL;
}

static void add_others_sentence(struct itr_text *out, const struct itr_compare *compare, uint32_t candidate) {
    const struct itr_compare_result *result = &compare->results[candidate];
    size_t guarded = 0;
    size_t powerless = 0;
    for (size_t i = 0; i < result->other_count; i++) {
        const struct itr_compare_other *other = &result->others[i];
        guarded += is_guard(compare, other) ? 1 : 0;
        powerless += is_guard(compare, other) && !has_power(compare, candidate, other) ? 1 : 0;
    }
    if (result->worse > 0) {
        itr_text_add(out, "; worse elsewhere");
    } else if (guarded > 0 && compare->stage == ITR_COMPARE_STAGE_END) {
        itr_text_printf(out, "; not worse elsewhere (other cases: %zu", guarded);
        if (powerless > 0) {
            itr_text_printf(out, ", %zu of them cannot tell", powerless);
        }
        itr_text_add(out, ")");
    } else {
        itr_text_add(out, "; other cases were not tested");
    }
}

static const char *why_undecided(const struct itr_compare *compare) {
    size_t compared = 0;
    size_t silent = 0;
    for (size_t i = 0; i < compare->group_count; i++) {
        bool point = compare->groups[i].kind == ITR_COMPARE_POINT;
        compared += point && compare->groups[i].state == ITR_COMPARE_RUN ? 1 : 0;
        silent += point && compare->groups[i].state == ITR_COMPARE_NOT_SHOWN ? 1 : 0;
    }
    return compare->stage != ITR_COMPARE_STAGE_END ? "cut short"
           : compared > 0                          ? "the trials did not suffice"
           : silent > 0                            ? "the baseline does not fail here"
                                                   : "the baseline has no such point";
}

static void add_share(struct itr_text *out, const struct itr_compare *compare, uint32_t candidate) {
    size_t fixed = 0;
    size_t points = 0;
    for (size_t i = 0; i < compare->group_count; i++) {
        bool compared = compare->groups[i].kind == ITR_COMPARE_POINT && compare->groups[i].state == ITR_COMPARE_RUN;
        points += compared ? 1 : 0;
        fixed += compared && itr_compare_at(compare, i, candidate) == ITR_COMPARE_IS_FIXED ? 1 : 0;
    }
    itr_text_printf(out, ": at %zu of %zu points", fixed, points);
}

void itr_compare_sentence(const struct itr_compare *compare, uint32_t candidate, struct itr_text *out) {
    enum itr_compare_verdict verdict = compare->results[candidate].verdict;
    uint32_t broken = compare->broken[0] ? 0 : 1 + candidate;
    itr_text_add(out, itr_compare_verdict_name(verdict));
    switch (verdict) {
    case ITR_COMPARE_IS_BROKEN:
        itr_text_printf(out, ": a control of the %s failed: ", broken == 0 ? "baseline" : "candidate");
        add_clean(out, compare->why[broken]);
        return;
    case ITR_COMPARE_IS_REPLACED:
        itr_text_add(out, ": the failure is gone, and others came in its place");
        break;
    case ITR_COMPARE_IS_NOT_REACHED:
        itr_text_add(out, ": no shot landed at the points in this candidate");
        break;
    case ITR_COMPARE_IS_PART:
        add_share(out, compare, candidate);
        break;
    case ITR_COMPARE_IS_UNDECIDED:
        itr_text_printf(out, ": %s", why_undecided(compare));
        break;
    case ITR_COMPARE_IS_FIXED:
    case ITR_COMPARE_IS_NOT_FIXED:
    case ITR_COMPARE_IS_WORSE:
        break;
    }
    add_others_sentence(out, compare, candidate);
}

static const char *other_name(const struct itr_compare_other *other) {
    return other->signature != NULL ? other->signature : "failures of any other kind";
}

/* The comparison of all failures together; NULL where it is that of the one signature once more, since nothing else failed. */
static const struct itr_comparison *worth_telling(const struct itr_compare_group *group, uint32_t candidate) {
    const struct itr_comparison *any = itr_compare_any(group, candidate);
    const struct itr_comparison *one = itr_compare_comparisons(group, candidate);
    bool same = any != NULL && group->signature_count == 1 && any->verdict == one->verdict;
    for (int arm = 0; arm < 2 && same; arm++) {
        same = any->hits[arm] == one->hits[arm] && any->trials[arm] == one->trials[arm];
    }
    return same ? NULL : any;
}

static const char *pattern_name(const char *pattern) {
    return pattern != NULL ? pattern : "all failures together";
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
        return "not compared: the baseline does not show a failure here";
    case ITR_COMPARE_WAITING:
        return "not compared: it did not come to that";
    case ITR_COMPARE_RUN:
        break;
    }
    return itr_compare_comparisons(group, candidate) == NULL ? "not compared: the candidate cannot be fired at here" : NULL;
}

/* ---- text ---- */

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
    if (open && is_number(facts->rounds_left_if_fixed) && is_number(facts->rounds_left_if_same)) {
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
        add_clean(&clean, i == 0 ? other : name);
        width[i] = clean.length;
    }
    itr_text_printf(out, "      %s%*s", itr_text_string(&clean), (int)(width[0] > width[1] ? width[0] - width[1] : 0) + 2, "");
    add_arm(out, arm);
    itr_text_add(out, "\n");
    itr_text_release(&clean);
}

static void add_comparison(struct itr_text *out, const struct itr_compare *compare, uint32_t candidate, const char *pattern,
                           const struct itr_comparison *comparison, const struct itr_summary *summary) {
    const char *baseline = compare->labels[0];
    const char *name = compare->labels[1 + candidate];
    struct itr_comparison_facts facts;
    itr_compare_facts(comparison, confidence, &facts);
    itr_text_add(out, "    ");
    add_clean(out, pattern_name(pattern));
    itr_text_add(out, ": ");
    add_reason(out, comparison);
    itr_text_add(out, "\n");
    add_arm_line(out, baseline, name, &facts.baseline);
    add_arm_line(out, name, baseline, &facts.candidate);
    itr_text_add(out, "      the new rate divided by the old: ");
    add_ratio(out, &facts.ratio);
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
            itr_text_printf(out, " (at most %.3g %% at %.0f %%)", 100 * itr_none_upper_bound(counts->candidate_trials, confidence),
                            100 * confidence);
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
            itr_text_printf(out, " (0 of %" PRIu64 ": at most %.3g %% at %.0f %%)", group->pilot_trials,
                            100 * itr_none_upper_bound(group->pilot_trials, confidence), 100 * confidence);
        } else if (skip[0] != '\0') {
            itr_text_add(out, ": ");
            add_clean(out, skip);
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
    if (worth_telling(group, candidate) != NULL) {
        add_comparison(out, compare, candidate, NULL, worth_telling(group, candidate), summary);
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
        add_clean(out, other_name(other));
        itr_text_printf(out, ": baseline %" PRIu64 " of %" PRIu64 ", candidate %" PRIu64 " of %" PRIu64 " (p %.3g, by Holm over %zu)\n",
                        other->counts.baseline_hits, other->counts.baseline_trials, other->counts.candidate_hits,
                        other->counts.candidate_trials, other->counts.adjusted, result->other_count);
    }
    for (size_t i = 0; i < result->other_count; i++) {
        const struct itr_compare_other *other = &result->others[i];
        if (!is_guard(compare, other) || has_power(compare, candidate, other)) {
            continue;
        }
        itr_text_add(out, "  cannot tell at ");
        add_title(out, &compare->groups[other->group], summary);
        itr_text_printf(out, ": the baseline fails in %" PRIu64 " of %" PRIu64 " itself\n", other->counts.baseline_hits,
                        other->counts.baseline_trials);
    }
}

static void add_trials(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary) {
    struct itr_compare_trials trials;
    uint64_t guard = itr_compare_guard_trials(compare);
    itr_compare_count(compare, summary, &trials);
    if (compare->announced > 0) {
        itr_text_printf(out, "trials: %" PRIu64 " of at most %" PRIu64 " that were announced (%" PRIu64 " of %" PRIu64
                             " at the points, %" PRIu64 " of %" PRIu64 " of other cases)",
                        trials.points + trials.guard, compare->announced, trials.points, compare->announced - guard, trials.guard, guard);
    } else {
        itr_text_add(out, "trials: none at the points");
    }
    itr_text_printf(out, "; before, %" PRIu64 " of controls and %" PRIu64 " of the pilot", trials.controls, trials.pilot);
    if (trials.repeated > 0) {
        itr_text_printf(out, "; %" PRIu64 " had no answer and were repeated", trials.repeated);
    }
    itr_text_add(out, "\n");
}

void itr_report_compare(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary) {
    for (uint32_t c = 0; c < compare->candidates; c++) {
        add_clean(out, compare->labels[1 + c]);
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
    add_clean(out, compare->labels[0]);
    itr_text_add(out, "; intervals at 95 %, exact\n");
    add_trials(out, compare, summary);
}

/* ---- Markdown ---- */

/* A host may have chosen it: no name of a person or link to an issue is to come of it. NULL: words of our own. */
static void add_signature(struct itr_text *out, const char *signature, const char *name) {
    if (signature != NULL) {
        (void)itr_markdown_code(out, signature, true);
    } else {
        itr_text_add(out, name);
    }
}

static void add_row(struct itr_text *out, const struct itr_cell *cell, const char *pattern, const struct itr_comparison *comparison) {
    struct itr_comparison_facts facts;
    itr_compare_facts(comparison, confidence, &facts);
    itr_text_add(out, "| ");
    (void)itr_markdown_add(out, cell->case_name);
    itr_text_add(out, " at ");
    (void)itr_markdown_add(out, cell->at);
    itr_text_add(out, " | ");
    add_signature(out, pattern, pattern_name(pattern));
    itr_text_add(out, " | ");
    add_arm(out, &facts.baseline);
    itr_text_add(out, " | ");
    add_arm(out, &facts.candidate);
    itr_text_add(out, " | ");
    add_ratio(out, &facts.ratio);
    itr_text_printf(out, " | %.3g | %s |\n", facts.fisher.two_sided, itr_comparison_name(comparison->verdict));
}

static void add_table(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary,
                      uint32_t candidate) {
    itr_text_add(out, "\n| where | failure | baseline | candidate | ratio | Fisher's p | verdict |\n|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < compare->group_count; i++) {
        const struct itr_compare_group *group = &compare->groups[i];
        const struct itr_cell *cell = &summary->cells[group->cells[0]];
        const struct itr_comparison *comparisons = itr_compare_comparisons(group, candidate);
        for (uint32_t s = 0; s < group->signature_count && comparisons != NULL; s++) {
            add_row(out, cell, group->signatures[s], &comparisons[s]);
        }
        if (comparisons != NULL && worth_telling(group, candidate) != NULL) {
            add_row(out, cell, NULL, worth_telling(group, candidate));
        }
    }
    for (size_t i = 0; i < compare->results[candidate].other_count; i++) {
        const struct itr_compare_other *other = &compare->results[candidate].others[i];
        const struct itr_cell *cell = &summary->cells[compare->groups[other->group].cells[0]];
        if (!other->counts.is_worse) {
            continue;
        }
        itr_text_add(out, "| ");
        (void)itr_markdown_add(out, cell->case_name);
        itr_text_add(out, " at ");
        (void)itr_markdown_add(out, cell->at);
        itr_text_add(out, " | ");
        add_signature(out, other->signature, other_name(other));
        itr_text_printf(out, " | %" PRIu64 " of %" PRIu64 " | %" PRIu64 " of %" PRIu64 " | | %.3g (Holm) | worse |\n",
                        other->counts.baseline_hits, other->counts.baseline_trials, other->counts.candidate_hits,
                        other->counts.candidate_trials, other->counts.adjusted);
    }
}

void itr_report_compare_markdown(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary) {
    struct itr_text sentence = {0};
    const struct itr_comparison_design *test = &compare->options.test;
    itr_text_add(out, "Baseline: ");
    (void)itr_markdown_add(out, compare->labels[0]);
    itr_text_add(out, "\n");
    for (uint32_t c = 0; c < compare->candidates; c++) {
        itr_text_reset(&sentence);
        itr_compare_sentence(compare, c, &sentence);
        itr_text_add(out, "\n**");
        (void)itr_markdown_add(out, compare->labels[1 + c]);
        itr_text_add(out, "**: ");
        (void)itr_markdown_add(out, itr_text_string(&sentence));
        itr_text_add(out, "\n");
        if (compare->results[c].verdict != ITR_COMPARE_IS_BROKEN) {
            add_table(out, compare, summary, c);
        }
    }
    itr_text_add(out, "\n");
    add_trials(out, compare, summary);
    itr_text_printf(out, "\nIntervals: 95 %%, exact. A false \"fixed\" comes with a chance of at most %g, a drop that is missed %g.\n",
                    test->alpha, test->beta);
    itr_text_release(&sentence);
}
