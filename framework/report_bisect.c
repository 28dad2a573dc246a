/* Bisections in words and tables. */
#include "framework/report_bisect.h"

#include "framework/markdown.h"
#include "framework/stats.h"

#include <inttypes.h>
#include <string.h>

#define CHANCE_SHOWN 0.0005

static const double confidence = 0.95;

static void add_clean(struct itr_text *out, const char *text) {
    itr_text_escape(out, ITR_ESCAPE_TERMINAL, text, strlen(text));
}

const char *itr_bisection_change_name(enum itr_bisect_change change) {
    return change == ITR_BISECT_UP ? "rise" : change == ITR_BISECT_DOWN ? "drop" : "either";
}

/* As good as one is not one. */
static void add_chance(struct itr_text *out, double chance) {
    if (chance > 0.9999) {
        itr_text_add(out, "over 99.99 %");
    } else {
        itr_text_printf(out, "%.4g %%", 100 * chance);
    }
}

/* Where shots are fired, of what failures. */
static void add_what(struct itr_text *out, const struct itr_bisection *b, void (*add)(struct itr_text *out, const char *text)) {
    add(out, b->c.name != NULL ? b->c.name : "");
    if (b->c.base.event == ITR_EVENT_NONE) {
        itr_text_add(out, ", nothing is fired");
    } else if (b->at[0] != '\0') {
        itr_text_add(out, " at ");
        add(out, b->at);
    }
    itr_text_add(out, ", failures ");
    add(out, b->signature);
}

void itr_bisection_rate(uint64_t hits, uint64_t trials, struct itr_text *out) {
    struct itr_interval interval = itr_clopper_pearson(hits, trials, confidence);
    itr_text_printf(out, "%" PRIu64 " of %" PRIu64, hits, trials);
    if (trials > 0 && hits == 0) {
        itr_text_printf(out, ": at most %.3g %%", 100 * itr_none_upper_bound(trials, confidence));
    } else if (trials > 0) {
        itr_text_printf(out, ": %.3g %% [%.3g, %.3g]", 100 * (double)hits / (double)trials, 100 * interval.low,
                        100 * interval.high);
    }
}

/* All arms on one side of the place together. */
static void add_side(struct itr_text *out, const struct itr_bisection *b, size_t from, size_t to) {
    uint64_t hits = 0;
    uint64_t trials = 0;
    for (size_t i = from; i < to; i++) {
        bool counts = b->arms[i].state == ITR_BISECTION_READY;
        hits += counts ? b->arms[i].hits : 0;
        trials += counts ? b->arms[i].trials : 0;
    }
    itr_bisection_rate(hits, trials, out);
}

/* Those that no trial told from the place itself. */
static void add_between(struct itr_text *out, const struct itr_bisection *b) {
    for (size_t i = b->before + 1; i < b->found; i++) {
        itr_text_add(out, i == b->before + 1 ? "; or at one of those before it that cannot be tested: " : ", ");
        add_clean(out, b->arms[i].spec.label);
    }
}

static void add_place(struct itr_text *out, const struct itr_bisection *b) {
    add_clean(out, b->arms[b->found].spec.label);
    itr_text_add(out, " (chance ");
    add_chance(out, b->arms[b->found].chance);
    itr_text_add(out, ")");
    add_between(out, b);
    itr_text_add(out, "; up to ");
    add_clean(out, b->arms[b->before].spec.label);
    itr_text_add(out, " it fails in ");
    add_side(out, b, 0, b->found);
    itr_text_add(out, ", from there on in ");
    add_side(out, b, b->found, b->arm_count);
}

void itr_bisection_sentence(const struct itr_bisection *b, struct itr_text *out) {
    switch (b->state) {
    case ITR_BISECTION_FOUND:
        itr_text_printf(out, "the failure rate %s at ",
                        b->rate_after > b->rate_before ? "rises" : "drops");
        add_place(out, b);
        return;
    case ITR_BISECTION_NO_CHANGE:
        itr_text_printf(out, "no %s: all arms fail as often (chance ",
                        b->rules.change == ITR_BISECT_EITHER ? "change" : itr_bisection_change_name(b->rules.change));
        add_chance(out, b->no_change);
        itr_text_add(out, "): ");
        add_side(out, b, 0, b->arm_count);
        return;
    case ITR_BISECTION_BROKEN:
        itr_text_add(out, "no verdict: a control failed: ");
        add_clean(out, b->why);
        return;
    case ITR_BISECTION_TOO_FEW:
        itr_text_add(out, "no verdict: fewer than two arms can be tested");
        return;
    case ITR_BISECTION_UNDECIDED:
    case ITR_BISECTION_UNFINISHED:
        break;
    }
    itr_text_add(out, b->state == ITR_BISECTION_UNDECIDED ? "undecided: the trials are used up" : "cut short");
    if (b->found != ITR_BISECTION_NO_CELL) {
        itr_text_add(out, "; likeliest so far: ");
        add_place(out, b);
    } else if (b->no_change > 0) {
        itr_text_add(out, "; likeliest so far: no change (chance ");
        add_chance(out, b->no_change);
        itr_text_add(out, ")");
    }
}

/* Why an arm has no rate; NULL: it has one. */
static const char *no_rate(const struct itr_bisection_arm *arm) {
    return arm->state == ITR_BISECTION_SKIPPED ? arm->why : arm->trials == 0 ? "not needed" : NULL;
}

/* ---- text ---- */

static size_t widest_label(const struct itr_bisection *b) {
    size_t widest = 0;
    for (size_t i = 0; i < b->arm_count; i++) {
        size_t length = strlen(b->arms[i].spec.label);
        widest = length > widest ? length : widest;
    }
    return widest;
}

static void add_arm(struct itr_text *out, const struct itr_bisection *b, size_t index, size_t width) {
    const struct itr_bisection_arm *arm = &b->arms[index];
    size_t begin = out->length;
    itr_text_add(out, b->state == ITR_BISECTION_FOUND && index == b->found ? "> " : "  ");
    add_clean(out, arm->spec.label);
    while (out->length - begin < width + 4 && itr_text_add(out, " ")) {
    }
    if (no_rate(arm) != NULL) {
        itr_text_add(out, arm->state == ITR_BISECTION_SKIPPED ? "cannot be tested: " : "");
        add_clean(out, no_rate(arm));
    } else {
        itr_bisection_rate(arm->hits, arm->trials, out);
        if (arm->others > 0) {
            itr_text_printf(out, ", %" PRIu64 " other failures", arm->others);
        }
    }
    if (arm->chance >= CHANCE_SHOWN) {
        itr_text_add(out, "; changes here: ");
        add_chance(out, arm->chance);
    }
    itr_text_add(out, "\n");
}

void itr_report_bisect(struct itr_text *out, const struct itr_bisection *b) {
    uint64_t tool_errors = 0;
    itr_bisection_sentence(b, out);
    itr_text_add(out, "\n");
    add_what(out, b, add_clean);
    itr_text_add(out, ":\n");
    size_t width = widest_label(b);
    for (size_t i = 0; i < b->arm_count; i++) {
        add_arm(out, b, i, width);
    }
    if (b->summary.folder[0] == '\0') { /* nothing was run */
        return;
    }
    itr_text_add(out, "campaign: ");
    add_clean(out, b->summary.folder);
    itr_text_printf(out, " (seed 0x%" PRIx64 "), %" PRIu64 " trials, %.1f s%s\n", b->summary.seed,
                    itr_bisection_trials(b, &tool_errors), b->summary.elapsed_s,
                    b->state == ITR_BISECTION_UNFINISHED ? ": cut short, --resume goes on" : "");
}

/* ---- Markdown ---- */

static void add_words(struct itr_text *out, const char *text) {
    (void)itr_markdown_add(out, text);
}

static void add_row(struct itr_text *out, const struct itr_bisection *b, size_t index) {
    const struct itr_bisection_arm *arm = &b->arms[index];
    struct itr_text rate = {0};
    bool here = b->state == ITR_BISECTION_FOUND && index == b->found;
    itr_text_add(out, here ? "| **" : "| ");
    add_words(out, arm->spec.label);
    itr_text_add(out, here ? "** | " : " | ");
    if (no_rate(arm) != NULL) {
        add_words(out, no_rate(arm));
    } else {
        itr_bisection_rate(arm->hits, arm->trials, &rate);
        add_words(out, itr_text_string(&rate));
    }
    itr_text_add(out, " | ");
    if (arm->chance >= CHANCE_SHOWN) {
        add_chance(out, arm->chance);
    }
    itr_text_add(out, " |\n");
    itr_text_release(&rate);
}

void itr_report_bisect_markdown(struct itr_text *out, const struct itr_bisection *b) {
    struct itr_text sentence = {0};
    itr_bisection_sentence(b, &sentence);
    itr_text_add(out, "**");
    add_words(out, itr_text_string(&sentence));
    itr_text_add(out, "**\n\n");
    add_what(out, b, add_words);
    itr_text_add(out, "\n\n| arm | fails | changes here |\n|---|---|---|\n");
    for (size_t i = 0; i < b->arm_count; i++) {
        add_row(out, b, i);
    }
    itr_text_printf(out, "\nIntervals: 95 %%, exact. The search ends when one place has a chance of %g %%.\n",
                    100 * (b->rules.sure > 0 ? b->rules.sure : 0.99));
    itr_text_release(&sentence);
}
