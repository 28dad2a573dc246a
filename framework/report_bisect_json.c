/* bisect.json: a bisection as other programs read it. */
#include "framework/report_bisect.h"

#include "framework/record_parts.h"
#include "framework/stats.h"

static json_t *cell_number(size_t cell) {
    return cell != ITR_BISECTION_NO_CELL ? json_integer((json_int_t)cell) : json_null();
}

static json_t *name_of(const struct itr_bisection *b, size_t arm) {
    return arm != ITR_BISECTION_NO_CELL ? itr_record_clean(b->arms[arm].spec.label) : json_null();
}

static json_t *arm_to_json(const struct itr_bisection_arm *arm) {
    static const char *const states[] = {"waiting", "ready", "skipped"};
    struct itr_interval interval = itr_clopper_pearson(arm->hits, arm->trials, 0.95);
    bool skipped = arm->state == ITR_BISECTION_SKIPPED;
    json_t *controls = json_array();
    for (size_t i = 0; i < arm->control_count; i++) {
        itr_record_append(&controls, json_integer((json_int_t)arm->controls[i]));
    }
    return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:I, s:I, s:o, s:[f, f], s:f}", "name", itr_record_clean(arm->spec.label),
                     "arm", itr_record_clean(arm->text), "state", states[arm->state], "why",
                     skipped ? itr_record_clean(arm->why) : json_null(), "cell", cell_number(arm->cell), "control_cells",
                     controls, "hits", (json_int_t)arm->hits, "others", (json_int_t)arm->others, "trials",
                     (json_int_t)arm->trials, "rate",
                     arm->trials > 0 ? json_real((double)arm->hits / (double)arm->trials) : json_null(), "ci95", interval.low,
                     interval.high, "chance", arm->chance);
}

json_t *itr_bisection_to_json(const struct itr_bisection *b) {
    struct itr_text sentence = {0};
    uint64_t tool_errors = 0;
    uint64_t trials = itr_bisection_trials(b, &tool_errors);
    json_t *arms = json_array();
    for (size_t i = 0; i < b->arm_count; i++) {
        itr_record_append(&arms, arm_to_json(&b->arms[i]));
    }
    itr_bisection_sentence(b, &sentence);
    json_t *json = json_pack("{s:i, s:o, s:i, s:s, s:o, s:o, s:o, s:o, s:s, s:f, s:I, s:I, s:I, s:o, s:o, s:f, s:f, s:f, s:o}",
                             "format", ITR_BISECTION_FORMAT, "seed", itr_json_hex(b->seed), "exit_code",
                             itr_bisection_exit_code(b), "state", itr_bisection_name(b->state), "sentence",
                             itr_record_clean(itr_text_string(&sentence)), "case", itr_record_clean(b->c.name), "at",
                             itr_record_clean(b->at), "signature", itr_record_clean(b->signature), "change",
                             itr_bisection_change_name(b->rules.change), "sure", b->rules.sure, "budget",
                             (json_int_t)b->rules.trials_max, "trials", (json_int_t)trials, "tool_errors",
                             (json_int_t)tool_errors, "found", name_of(b, b->found), "before", name_of(b, b->before),
                             "rate_before", b->rate_before, "rate_after", b->rate_after, "no_change_chance", b->no_change,
                             "arms", arms);
    if (sentence.no_memory) { /* no half sentence */
        json_decref(json);
        json = NULL;
    }
    itr_text_release(&sentence);
    return json;
}
