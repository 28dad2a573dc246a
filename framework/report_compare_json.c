/* compare.json: a comparison as other programs read it. */
#include "framework/report_compare_parts.h"

#include "framework/record_parts.h"

#include <string.h>

/* JSON has neither infinity nor "not a number": null. */
static json_t *number(double value) {
    return itr_compare_is_number(value) ? json_real(value) : json_null();
}

static json_t *arm_to_json(const struct itr_comparison_arm *arm) {
    return json_pack("{s:I, s:I, s:o, s:[o, o], s:o}", "hits", (json_int_t)arm->hits, "trials", (json_int_t)arm->trials, "rate",
                     number(arm->rate), "ci95", number(arm->interval.low), number(arm->interval.high), "none_bound",
                     number(arm->none_bound));
}

static json_t *comparison_to_json(const char *pattern, const struct itr_comparison *comparison) {
    struct itr_comparison_facts facts;
    itr_compare_facts(comparison, ITR_COMPARE_CONFIDENCE, &facts);
    return json_pack("{s:o, s:s, s:s, s:I, s:o, s:o, s:[o, o], s:o, s:o, s:o, s:o}", "signature", itr_record_clean(pattern), "verdict",
                     itr_comparison_name(comparison->verdict), "reason", itr_comparison_text(comparison->verdict), "rounds",
                     (json_int_t)comparison->rounds, "baseline", arm_to_json(&facts.baseline), "candidate",
                     arm_to_json(&facts.candidate), "ratio_ci95", number(facts.ratio.low), number(facts.ratio.high),
                     "fisher_less", number(facts.fisher.less), "fisher_two_sided", number(facts.fisher.two_sided),
                     "rounds_left_if_fixed", number(facts.rounds_left_if_fixed), "rounds_left_if_same",
                     number(facts.rounds_left_if_same));
}

static json_t *point_to_json(const struct itr_compare *compare, const struct itr_summary *summary, size_t index,
                             uint32_t candidate) {
    static const char *const states[] = {"waiting", "compared", "skipped", "not-shown"};
    const struct itr_compare_group *group = &compare->groups[index];
    const struct itr_comparison *comparisons = itr_compare_comparisons(group, candidate);
    const struct itr_cell *cell = &summary->cells[group->cells[0]];
    json_t *list = json_array();
    for (uint32_t s = 0; s < group->signature_count && comparisons != NULL; s++) {
        itr_record_append(&list, comparison_to_json(group->signatures[s], &comparisons[s]));
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "case", cell->case_name, "at", cell->at, "baseline_cell",
                     (json_int_t)group->cells[0], "candidate_cell", (json_int_t)group->cells[1 + candidate], "state",
                     states[group->state], "verdict",
                     group->state == ITR_COMPARE_RUN ? itr_compare_verdict_name(itr_compare_at(compare, index, candidate))
                                                     : "undecided",
                     "pilot_trials", (json_int_t)group->pilot_trials, "pilot_hits", (json_int_t)group->pilot_hits, "baselines",
                     (json_int_t)group->rounds.design.test.baselines, "rounds_max",
                     (json_int_t)group->rounds.design.test.rounds_max, "trials_beyond",
                     (json_int_t)itr_compare_beyond(compare, summary, index), "any",
                     comparisons != NULL ? comparison_to_json("*", itr_compare_any(group, candidate)) : json_null(), "comparisons", list);
}

static json_t *other_to_json(const struct itr_compare *compare, const struct itr_summary *summary,
                             const struct itr_compare_other *other, size_t family) {
    const struct itr_compare_group *group = &compare->groups[other->group];
    const struct itr_cell *cell = &summary->cells[group->cells[0]];
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I, s:f, s:f, s:b, s:b, s:b}", "case", cell->case_name, "at", cell->at, "signature",
                     other->signature != NULL ? itr_record_clean(other->signature) : json_null(), "baseline_hits",
                     (json_int_t)other->counts.baseline_hits, "baseline_trials", (json_int_t)other->counts.baseline_trials,
                     "candidate_hits", (json_int_t)other->counts.candidate_hits, "candidate_trials",
                     (json_int_t)other->counts.candidate_trials, "p", other->counts.chance, "p_holm", other->counts.adjusted,
                     "worse", (int)other->counts.is_worse, "new", (int)other->counts.is_new, "has_power",
                     (int)itr_other_has_power(&other->counts, family, compare->options.test.alpha));
}

static json_t *candidate_to_json(const struct itr_compare *compare, const struct itr_summary *summary, uint32_t candidate) {
    const struct itr_compare_result *result = &compare->results[candidate];
    struct itr_text sentence = {0};
    json_t *points = json_array();
    json_t *others = json_array();
    for (size_t i = 0; i < compare->group_count; i++) {
        if (compare->groups[i].kind == ITR_COMPARE_POINT) {
            itr_record_append(&points, point_to_json(compare, summary, i, candidate));
        }
    }
    for (size_t i = 0; i < result->other_count; i++) {
        itr_record_append(&others, other_to_json(compare, summary, &result->others[i], result->other_count));
    }
    itr_compare_sentence(compare, candidate, &sentence);
    json_t *json = json_pack("{s:o, s:s, s:o, s:I, s:o, s:o}", "name", itr_record_clean(compare->labels[1 + candidate]), "verdict",
                             itr_compare_verdict_name(result->verdict), "sentence",
                             itr_record_clean(itr_text_string(&sentence)), "worse_elsewhere", (json_int_t)result->worse,
                             "points", points, "others", others);
    if (sentence.no_memory) { /* no half sentence */
        json_decref(json);
        json = NULL;
    }
    itr_text_release(&sentence);
    return json;
}

json_t *itr_compare_to_json(const struct itr_compare *compare, const struct itr_summary *summary) {
    json_t *candidates = json_array();
    struct itr_comparison settled;
    struct itr_compare_trials counts;
    uint64_t trials = 0;
    itr_compare_count(compare, summary, &counts);
    for (size_t i = 0; i < summary->count; i++) {
        trials += summary->tallies[i].trials;
    }
    const struct itr_comparison_design *test = &compare->options.test;
    if (itr_comparison_begin(&settled, test, NULL) == ITR_OK) {
        test = &settled.design;
    }
    for (uint32_t c = 0; c < compare->candidates; c++) {
        itr_record_append(&candidates, candidate_to_json(compare, summary, c));
    }
    return json_pack("{s:i, s:s, s:o, s:b, s:i, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "format", ITR_COMPARE_FORMAT, "folder", summary->folder,
                     "seed", itr_json_hex(summary->seed), "finished", (int)(compare->stage == ITR_COMPARE_STAGE_END), "exit_code",
                     itr_compare_exit_code(compare), "alpha", test->alpha, "beta", test->beta, "factor", test->factor,
                     "worse_factor", test->worse_factor, "announced_trials", (json_int_t)compare->announced, "used_trials",
                     (json_int_t)(counts.points + counts.guard), "control_trials", (json_int_t)counts.controls, "pilot_trials",
                     (json_int_t)counts.pilot, "repeated_trials", (json_int_t)counts.repeated, "trials", (json_int_t)trials, "baseline", itr_record_clean(compare->labels[0]), "candidates", candidates);
}
