/* Comparisons as Markdown for an issue or a code review: a sentence and a table a candidate. */
#include "framework/report_compare_parts.h"

#include "framework/markdown.h"

#include <inttypes.h>

/* A host may have chosen it: no name of a person or link to an issue is to come of it. NULL: words of our own. */
static void add_signature(struct itr_text *out, const char *signature, const char *name) {
    if (signature != NULL) {
        (void)itr_markdown_code(out, signature, true);
    } else {
        itr_text_add(out, name);
    }
}

static void add_place(struct itr_text *out, const struct itr_cell *cell) {
    char place[ITR_PLACE_MAX];
    itr_cell_place(cell, place, sizeof place);
    (void)itr_markdown_add(out, cell->case_name);
    itr_text_add(out, " at ");
    (void)itr_markdown_add(out, place);
}

static void add_row(struct itr_text *out, const struct itr_cell *cell, const char *pattern, const struct itr_comparison *comparison) {
    struct itr_comparison_facts facts;
    itr_compare_facts(comparison, ITR_COMPARE_CONFIDENCE, &facts);
    itr_text_add(out, "| ");
    add_place(out, cell);
    itr_text_add(out, " | ");
    add_signature(out, pattern, itr_compare_pattern_name(pattern));
    itr_text_add(out, " | ");
    itr_compare_add_arm(out, &facts.baseline);
    itr_text_add(out, " | ");
    itr_compare_add_arm(out, &facts.candidate);
    itr_text_add(out, " | ");
    itr_compare_add_ratio(out, &facts.ratio);
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
        if (comparisons != NULL && itr_compare_worth_telling(group, candidate) != NULL) {
            add_row(out, cell, NULL, itr_compare_worth_telling(group, candidate));
        }
    }
    for (size_t i = 0; i < compare->results[candidate].other_count; i++) {
        const struct itr_compare_other *other = &compare->results[candidate].others[i];
        const struct itr_cell *cell = &summary->cells[compare->groups[other->group].cells[0]];
        if (!other->counts.is_worse) {
            continue;
        }
        itr_text_add(out, "| ");
        add_place(out, cell);
        itr_text_add(out, " | ");
        add_signature(out, other->signature, itr_compare_other_name(other));
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
    itr_compare_add_trials(out, compare, summary);
    itr_text_printf(out, "\nIntervals: 95 %%, exact. A false \"fixed\" comes with a chance of at most %g, a drop that is missed %g.\n",
                    test->alpha, test->beta);
    itr_text_release(&sentence);
}
