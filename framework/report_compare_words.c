/* What is said of a comparison in the same words wherever it is said: counts, ratios, the sentence of a candidate. It lays
 * nothing out. */
#include "framework/report_compare_parts.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* Neither infinity nor "not a number". */
bool itr_compare_is_number(double value) {
    return fabs(value) <= DBL_MAX;
}

void itr_compare_add_clean(struct itr_text *out, const char *text) {
    itr_text_escape(out, ITR_ESCAPE_TERMINAL, text, strlen(text));
}

/* "0 of 47 (at most 6.17 % at 95 %)", "85 of 740: 11.5 % [9.28, 14]". */
void itr_compare_add_arm(struct itr_text *out, const struct itr_comparison_arm *arm) {
    itr_text_printf(out, "%" PRIu64 " of %" PRIu64, arm->hits, arm->trials);
    if (arm->trials > 0 && arm->hits == 0) {
        itr_text_printf(out, " (at most %.3g %% at %.0f %%)", 100 * arm->none_bound, 100 * ITR_COMPARE_CONFIDENCE);
    } else if (arm->trials > 0) {
        itr_text_printf(out, ": %.3g %% [%.3g, %.3g]", 100 * arm->rate, 100 * arm->interval.low, 100 * arm->interval.high);
    }
}

void itr_compare_add_ratio(struct itr_text *out, const struct itr_interval *ratio) {
    if (itr_compare_is_number(ratio->high)) {
        itr_text_printf(out, "%.3g to %.3g", ratio->low, ratio->high);
    } else {
        itr_text_add(out, "not known");
    }
}

/* Could a candidate that always fails there be found at all? Not where the baseline fails so often itself. */
bool itr_compare_has_power(const struct itr_compare *compare, uint32_t candidate, const struct itr_compare_other *other) {
    return itr_other_has_power(&other->counts, compare->results[candidate].other_count, compare->options.test.alpha);
}

bool itr_compare_is_guard(const struct itr_compare *compare, const struct itr_compare_other *other) {
    return compare->groups[other->group].kind == ITR_COMPARE_GUARD && other->signature == NULL;
}

static void add_others_sentence(struct itr_text *out, const struct itr_compare *compare, uint32_t candidate) {
    const struct itr_compare_result *result = &compare->results[candidate];
    size_t guarded = 0;
    size_t powerless = 0;
    for (size_t i = 0; i < result->other_count; i++) {
        const struct itr_compare_other *other = &result->others[i];
        guarded += itr_compare_is_guard(compare, other) ? 1 : 0;
        powerless += itr_compare_is_guard(compare, other) && !itr_compare_has_power(compare, candidate, other) ? 1 : 0;
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
    size_t seldom = 0;
    for (size_t i = 0; i < compare->group_count; i++) {
        bool point = compare->groups[i].kind == ITR_COMPARE_POINT;
        compared += point && compare->groups[i].state == ITR_COMPARE_RUN ? 1 : 0;
        silent += point && compare->groups[i].state == ITR_COMPARE_NOT_SHOWN ? 1 : 0;
        seldom += point && compare->groups[i].state == ITR_COMPARE_NOT_SHOWN && compare->groups[i].pilot_hits > 0 ? 1 : 0;
    }
    return compare->stage != ITR_COMPARE_STAGE_END ? "cut short"
           : compared > 0                          ? "the trials did not suffice"
           : seldom > 0                            ? "the baseline fails too seldom here to plan with: --budget N compares all the same"
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
        itr_compare_add_clean(out, compare->why[broken]);
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

const char *itr_compare_other_name(const struct itr_compare_other *other) {
    return other->signature != NULL ? other->signature : "failures of any other kind";
}

/* The comparison of all failures together; NULL where it is that of the one signature once more, since nothing else failed. */
const struct itr_comparison *itr_compare_worth_telling(const struct itr_compare_group *group, uint32_t candidate) {
    const struct itr_comparison *any = itr_compare_any(group, candidate);
    const struct itr_comparison *one = itr_compare_comparisons(group, candidate);
    bool same = any != NULL && group->signature_count == 1 && any->verdict == one->verdict;
    for (int arm = 0; arm < 2 && same; arm++) {
        same = any->hits[arm] == one->hits[arm] && any->trials[arm] == one->trials[arm];
    }
    return same ? NULL : any;
}

const char *itr_compare_pattern_name(const char *pattern) {
    return pattern != NULL ? pattern : "all failures together";
}

void itr_compare_add_trials(struct itr_text *out, const struct itr_compare *compare, const struct itr_summary *summary) {
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
