/* initrace bisect --step: does one arm fail as the old or as the new ones do? For the bisections of others (git bisect run,
 * Go's bisect), which ask by exit code. By Wald's sequential test, looked at after each batch of trials. */
#include "framework/commands.h"

#include "framework/bisection.h"
#include "framework/folder.h"
#include "framework/report_bisect.h"
#include "framework/run_options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTROL_COUNT = 15, BUDGET = 10000 };

enum answer { OLD, NEW, UNDECIDED, UNTESTABLE, INTERRUPTED };

struct step {
    struct itr_bisection b;
    struct itr_sprt test;
    double alpha;
    double beta;
    enum answer answer;
};

static const char *answer_name(enum answer answer) {
    static const char *const names[] = {"old", "new", "undecided", "untestable", "interrupted"};
    return names[answer];
}

static int code_of(enum answer answer) {
    static const int codes[] = {ITR_EXIT_EXPECTED, ITR_EXIT_FINDING, ITR_EXIT_STEP_SKIP, ITR_EXIT_STEP_SKIP,
                                ITR_EXIT_STEP_INTERRUPTED};
    return codes[answer];
}

int itr_step_exit_code(int code) {
    bool is_answer = code == ITR_EXIT_EXPECTED || code == ITR_EXIT_FINDING || code == ITR_EXIT_STEP_SKIP ||
                     code == ITR_EXIT_STEP_INTERRUPTED;
    return is_answer ? code : ITR_EXIT_STEP_ABORT;
}

/* ---- before the first trial ---- */

static enum itr_status choose_options(struct step *step, struct itr_error *err) {
    struct itr_bisection *b = &step->b;
    const struct itr_options *options = b->options;
    enum itr_status status = itr_run_check(options, err);
    step->alpha = options->alpha > 0 ? options->alpha : 0.01;
    step->beta = options->beta > 0 ? options->beta : 0.01;
    b->rules.change = options->rate_new > options->rate_old ? ITR_BISECT_UP : ITR_BISECT_DOWN;
    b->rules.trials_max = options->budget != 0 ? options->budget : BUDGET;
    b->signature = options->signature != NULL ? options->signature : "*";
    b->control_count = options->control_count > 0 ? options->control_count : CONTROL_COUNT;
    if (status == ITR_OK && (options->rate_old == 0 || options->rate_new == 0)) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--step needs --old-rate and --new-rate: how often the oldest and the newest fail");
    }
    if (status == ITR_OK && (options->resume || options->change != NULL || options->sure != 0)) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--resume, --change and --sure do not go with --step");
    }
    if (status == ITR_OK && options->budget > UINT32_MAX) {
        status = itr_fail(err, ITR_E_USAGE, 0, "--budget: up to 4294967295");
    }
    if (status == ITR_OK) {
        status = itr_sprt_begin(&step->test, options->rate_old, options->rate_new, step->alpha, step->beta, err);
    }
    if (status == ITR_OK) {
        itr_sprt_hold(&step->test, step->alpha, step->beta); /* it is looked at after batches */
    }
    return status;
}

/* ---- trials ---- */

/* A batch, and what is known after it. */
static enum itr_status run_batch(struct step *step, struct itr_error *err) {
    struct itr_bisection *b = &step->b;
    const struct itr_bisection_arm *arm = &b->arms[0];
    uint64_t left = b->rules.trials_max - arm->trials;
    uint64_t batch = arm->trials / 8 > 2 * (uint64_t)b->jobs ? arm->trials / 8 : 2 * (uint64_t)b->jobs;
    uint32_t trials[1] = {(uint32_t)(batch < left ? batch : left)};
    enum itr_status status = itr_bisection_run(b, trials, err);
    if (status != ITR_OK) {
        return status;
    }
    if (arm->state == ITR_BISECTION_SKIPPED) {
        step->answer = UNTESTABLE;
        return ITR_OK;
    }
    switch (itr_sprt_set(&step->test, arm->hits, arm->trials)) {
    case ITR_SPRT_RATE_0:
        step->answer = OLD;
        break;
    case ITR_SPRT_RATE_1:
        step->answer = NEW;
        break;
    case ITR_SPRT_CONTINUE:
        break;
    }
    return ITR_OK;
}

static enum itr_status judge(struct step *step, struct itr_error *err) {
    struct itr_bisection *b = &step->b;
    enum itr_status status = itr_bisection_prepare(b, 0, true, err);
    step->answer = UNDECIDED;
    if (status == ITR_OK && b->arms[0].state != ITR_BISECTION_SKIPPED) {
        status = itr_bisection_run_controls(b, 0, err);
    }
    if (b->state == ITR_BISECTION_BROKEN || b->arms[0].state == ITR_BISECTION_SKIPPED) {
        step->answer = UNTESTABLE;
    }
    while (status == ITR_OK && step->answer == UNDECIDED && b->arms[0].trials < b->rules.trials_max &&
           !itr_campaign_is_interrupted(b->campaign)) {
        status = run_batch(step, err);
    }
    if (step->answer == UNDECIDED && itr_campaign_is_interrupted(b->campaign)) {
        step->answer = INTERRUPTED;
    }
    return status;
}

/* ---- the answer ---- */

static void add_sentence(struct itr_text *out, const struct step *step) {
    const struct itr_bisection *b = &step->b;
    const struct itr_bisection_arm *arm = &b->arms[0];
    itr_text_printf(out, "%s: ", answer_name(step->answer));
    if (step->answer == UNTESTABLE) {
        const char *why = b->state == ITR_BISECTION_BROKEN ? b->why : arm->why;
        itr_text_add(out, b->state == ITR_BISECTION_BROKEN ? "a control failed: " : "");
        itr_text_escape(out, ITR_ESCAPE_TERMINAL, why, strlen(why));
        return;
    }
    itr_text_escape(out, ITR_ESCAPE_TERMINAL, arm->spec.label, strlen(arm->spec.label));
    itr_text_add(out, " fails in ");
    itr_bisection_rate(arm->hits, arm->trials, out);
    itr_text_printf(out, " (old: %.3g %%, new: %.3g %%)", 100 * b->options->rate_old, 100 * b->options->rate_new);
}

static json_t *to_json(const struct step *step) {
    const struct itr_bisection *b = &step->b;
    struct itr_text sentence = {0};
    uint64_t tool_errors = 0;
    uint64_t trials = itr_bisection_trials(b, &tool_errors);
    json_t *json = itr_bisection_to_json(b);
    add_sentence(&sentence, step);
    json_t *more = json_pack("{s:s, s:s, s:i, s:f, s:f, s:f, s:f, s:I}", "state", answer_name(step->answer), "sentence",
                             itr_text_string(&sentence), "exit_code", code_of(step->answer), "old_rate", b->options->rate_old,
                             "new_rate", b->options->rate_new, "alpha", step->alpha, "beta", step->beta, "trials",
                             (json_int_t)trials);
    static const char *const not_of_one[] = {"found", "before", "sure", "rate_before", "rate_after", "no_change_chance", "change"};
    bool whole = json != NULL && more != NULL && json_object_update(json, more) == 0;
    for (size_t i = 0; whole && i < sizeof not_of_one / sizeof not_of_one[0]; i++) {
        (void)json_object_del(json, not_of_one[i]);
    }
    json_decref(more);
    itr_text_release(&sentence);
    if (!whole) {
        json_decref(json);
    }
    return whole ? json : NULL;
}

static int show(const struct step *step, struct itr_error *err) {
    struct itr_text text = {0};
    json_t *json = to_json(step);
    enum itr_status status = json == NULL ? itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for bisect.json") : ITR_OK;
    if (status == ITR_OK && step->b.summary.folder[0] != '\0') {
        status = itr_folder_write_json(step->b.summary.folder, "bisect.json", json, err);
    }
    if (status != ITR_OK) {
        json_decref(json);
        return itr_complain(err);
    }
    if (step->b.options->json) {
        return itr_print_json(json, code_of(step->answer));
    }
    json_decref(json);
    add_sentence(&text, step);
    puts(itr_text_string(&text));
    itr_text_release(&text);
    return code_of(step->answer);
}

static int run(struct step *step, const struct itr_campaign_options *campaign) {
    struct itr_bisection *b = &step->b;
    struct itr_error error = {0};
    struct itr_error why = {0};
    enum itr_status status = itr_campaign_open(&b->campaign, campaign, b->layout, NULL, 0, &b->summary, &error);
    if (status != ITR_OK) {
        return itr_complain(&error);
    }
    status = judge(step, &error);
    if (itr_campaign_close(b->campaign, &why) != ITR_OK && status == ITR_OK) {
        error = why;
        status = why.status;
    }
    int code = status == ITR_OK ? show(step, &error) : itr_complain(&error);
    itr_summary_release(&b->summary);
    return code;
}

int itr_command_bisect_step(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv) {
    struct itr_echo echo = {.marker = ITR_ECHO_BISECT_MATCH};
    struct step step = {.b = {.options = options, .layout = layout}};
    struct itr_campaign_options campaign;
    struct itr_error error = {0};
    char output[256];
    int code = ITR_EXIT_STEP_ABORT;
    itr_run_campaign_options(options, argc, argv, &campaign);
    campaign.in_rounds = true;
    campaign.echo = options->match_lines ? &echo : NULL;
    campaign.end_code = ITR_EXIT_STEP_INTERRUPTED;
    step.b.jobs = campaign.jobs;
    step.b.seed = campaign.seed;
    enum itr_status status = choose_options(&step, &error);
    if (status == ITR_OK) {
        status = itr_bisection_read(&step.b, &error);
    }
    if (status == ITR_OK && step.b.arm_count != 1) {
        status = itr_fail(&error, ITR_E_USAGE, 0, "--step judges one arm, not %zu", step.b.arm_count);
    }
    if (status == ITR_OK) {
        status = itr_bisection_provide(&step.b, 0, &error);
    }
    bool there = status == ITR_OK && step.b.arms[0].state != ITR_BISECTION_SKIPPED;
    if (there) {
        status = itr_bisection_choose_point(&step.b, 0, 0, &error);
    }
    if (status != ITR_OK) {
        code = itr_complain(&error);
    } else if (!there) {
        step.answer = UNTESTABLE;
        code = show(&step, &error);
    } else {
        snprintf(output, sizeof output, "initrace-bisect-step-%.100s-%" PRIx64, step.b.c.name, campaign.seed);
        campaign.output = options->output != NULL ? options->output : output;
        code = run(&step, &campaign);
    }
    itr_bisection_release(&step.b);
    itr_echo_release(&echo);
    return itr_step_exit_code(code);
}
