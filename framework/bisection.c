/* A bisection's course: the ends and their controls, then batches of trials where they tell the most, until one place is
 * as good as sure. What an arm needs is bisection_arms.c's. */
#include "framework/bisection.h"

#include "framework/folder.h"
#include "framework/judge.h"
#include "framework/match.h"
#include "framework/report_bisect.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *itr_bisection_name(enum itr_bisection_state state) {
    static const char *const names[] = {
#define ITR_BISECTION_NAME(id, name) name,
        ITR_BISECTION_MAP(ITR_BISECTION_NAME)
#undef ITR_BISECTION_NAME
    };
    return names[state];
}

int itr_bisection_exit_code(const struct itr_bisection *b) {
    return b->state == ITR_BISECTION_FOUND || b->state == ITR_BISECTION_NO_CHANGE ? 0 : 3;
}

uint64_t itr_bisection_trials(const struct itr_bisection *b, uint64_t *tool_errors) {
    uint64_t trials = 0;
    *tool_errors = 0;
    for (size_t i = 0; i < b->summary.count; i++) {
        bool wanted = b->summary.cells[i].expect == ITR_OUTCOME_TOOL_ERROR;
        trials += b->summary.tallies[i].trials;
        *tool_errors += wanted ? 0 : b->summary.tallies[i].outcomes[ITR_OUTCOME_TOOL_ERROR];
    }
    return trials;
}

/* ---- counts ---- */

static bool is_failure(const struct itr_tally *tally, enum itr_outcome outcome) {
    return outcome != tally->expect && outcome != ITR_OUTCOME_NOT_FIRED && outcome != ITR_OUTCOME_TOOL_ERROR;
}

void itr_bisection_count(struct itr_bisection *b) {
    for (size_t i = 0; i < b->arm_count; i++) {
        struct itr_bisection_arm *arm = &b->arms[i];
        if (arm->cell == ITR_BISECTION_NO_CELL) {
            continue;
        }
        const struct itr_tally *tally = &b->summary.tallies[arm->cell];
        arm->trials = itr_tally_valid(tally);
        arm->hits = arm->others = 0;
        for (size_t k = 0; k < tally->signature_count; k++) {
            const struct itr_tally_signature *one = &tally->signatures[k];
            if (is_failure(tally, one->outcome)) {
                *(itr_matches(b->signature, one->text) ? &arm->hits : &arm->others) += one->count;
            }
        }
    }
}

/* ---- trials ---- */

/* A number of trials of a cell, as rounds of one trial each. */
static enum itr_status add_part(struct itr_bisection *b, size_t cell, uint64_t trials, struct itr_rounds *rounds,
                                struct itr_campaign_rounds *part, struct itr_error *err) {
    struct itr_rounds_design design = {
        .test = {.alpha = 0.1, .beta = 0.1, .baselines = 1, .rounds_max = trials}, /* nothing is tested by it */
        .ahead = trials < ITR_ROUNDS_AHEAD_MAX ? (uint32_t)trials : ITR_ROUNDS_AHEAD_MAX,
        .seed = b->seed,
        .first_trial = b->next_trial};
    enum itr_status status = itr_rounds_begin(rounds, &design, err);
    if (status == ITR_OK) {
        b->next_trial += itr_rounds_numbers(rounds);
        *part = (struct itr_campaign_rounds){.rounds = rounds, .cells = {cell}};
    }
    return status;
}

struct batch {
    struct itr_rounds *rounds;
    struct itr_campaign_rounds *parts;
    size_t count;
};

static enum itr_status batch_begin(struct batch *batch, size_t room, struct itr_error *err) {
    *batch = (struct batch){.rounds = calloc(room + 1, sizeof *batch->rounds), .parts = calloc(room + 1, sizeof *batch->parts)};
    return batch->rounds != NULL && batch->parts != NULL ? ITR_OK : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for trials");
}

static enum itr_status batch_add(struct batch *batch, struct itr_bisection *b, size_t cell, uint64_t trials,
                                 struct itr_error *err) {
    enum itr_status status =
        add_part(b, cell, trials, &batch->rounds[batch->count], &batch->parts[batch->count], err);
    batch->count += status == ITR_OK ? 1 : 0;
    return status;
}

static void batch_release(struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++) {
        itr_rounds_release(&batch->rounds[i]);
    }
    free(batch->rounds);
    free(batch->parts);
}

static void skip_unreached(struct itr_bisection *b, const struct batch *batch) {
    for (size_t i = 0; i < b->arm_count; i++) {
        struct itr_bisection_arm *arm = &b->arms[i];
        for (size_t k = 0; k < batch->count; k++) {
            if (batch->parts[k].cells[0] == arm->cell && batch->rounds[k].arms[0] == ITR_ROUNDS_NOT_REACHED) {
                bool tool = b->summary.tallies[arm->cell].outcomes[ITR_OUTCOME_TOOL_ERROR] > 0;
                arm->state = ITR_BISECTION_SKIPPED;
                snprintf(arm->why, sizeof arm->why, "%s in %d trials at %s",
                         tool ? "the tool failed, or no shot landed," : "no shot landed", (int)ITR_ROUNDS_ATTEMPTS, b->at);
                fprintf(stderr, "initrace: skipped: %s: %s\n", arm->spec.label, arm->why);
            }
        }
    }
}

enum itr_status itr_bisection_run(struct itr_bisection *b, const uint32_t *trials, struct itr_error *err) {
    struct batch batch;
    enum itr_status status = batch_begin(&batch, b->arm_count, err);
    for (size_t i = 0; i < b->arm_count && status == ITR_OK; i++) {
        status = trials[i] > 0 ? batch_add(&batch, b, b->arms[i].cell, trials[i], err) : ITR_OK;
    }
    if (status == ITR_OK) {
        status = itr_campaign_work_rounds(b->campaign, batch.parts, batch.count, err);
    }
    if (status == ITR_OK) {
        skip_unreached(b, &batch);
        itr_bisection_count(b);
    }
    batch_release(&batch);
    return status;
}

/* ---- controls ---- */

static void judge_controls(struct itr_bisection *b, const struct itr_bisection_arm *arm) {
    for (size_t i = 0; i < arm->control_count; i++) {
        const struct itr_cell *cell = &b->summary.cells[arm->controls[i]];
        struct itr_verdict verdict;
        itr_judge(cell, &b->summary.tallies[arm->controls[i]], &verdict);
        bool fine = verdict.judgement == ITR_JUDGEMENT_EXPECTED || verdict.judgement == ITR_JUDGEMENT_KNOWN ||
                    verdict.judgement == ITR_JUDGEMENT_SKIPPED;
        if (!fine && b->state != ITR_BISECTION_BROKEN) {
            b->state = ITR_BISECTION_BROKEN;
            snprintf(b->why, sizeof b->why, "%s, control %s: %s", arm->spec.label, cell->control, verdict.sentence);
        }
    }
}

enum itr_status itr_bisection_run_controls(struct itr_bisection *b, size_t index, struct itr_error *err) {
    const struct itr_bisection_arm *arm = &b->arms[index];
    struct batch batch;
    enum itr_status status = batch_begin(&batch, arm->control_count, err);
    for (size_t i = 0; i < arm->control_count && status == ITR_OK; i++) {
        size_t cell = arm->controls[i];
        uint64_t had = itr_tally_valid(&b->summary.tallies[cell]);
        if (b->summary.cells[cell].skip[0] == '\0' && had < b->control_count) {
            status = batch_add(&batch, b, cell, b->control_count - had, err);
        }
    }
    if (status == ITR_OK) {
        status = itr_campaign_work_rounds(b->campaign, batch.parts, batch.count, err);
    }
    if (status == ITR_OK && !itr_campaign_is_interrupted(b->campaign)) {
        judge_controls(b, arm);
    }
    batch_release(&batch);
    return status;
}

/* ---- the search ---- */

/* The numbers of the arms that can be tested, and which arm each of them is. */
struct search {
    struct itr_bisect numbers;
    size_t arms[ITR_BISECTION_ARMS_MAX];
    size_t count;
};

/* Anew from the counts: which arms take part changes when one turns out not to be testable. */
static enum itr_status begin_search(const struct itr_bisection *b, struct search *search, struct itr_error *err) {
    uint64_t hits[ITR_BISECTION_ARMS_MAX];
    uint64_t trials[ITR_BISECTION_ARMS_MAX];
    search->count = 0;
    for (size_t i = 0; i < b->arm_count; i++) {
        if (b->arms[i].state != ITR_BISECTION_SKIPPED) {
            hits[search->count] = b->arms[i].hits;
            trials[search->count] = b->arms[i].trials;
            search->arms[search->count++] = i;
        }
    }
    if (search->count < 2) {
        return ITR_OK;
    }
    enum itr_status status = itr_bisect_begin(&search->numbers, search->count, &b->rules, err);
    return status == ITR_OK ? itr_bisect_set(&search->numbers, hits, trials, err) : status;
}

/* What is known now goes to the arms. */
static void take_over(struct itr_bisection *b, const struct search *search) {
    static const enum itr_bisection_state states[] = {
        [ITR_BISECT_CONTINUE] = ITR_BISECTION_UNFINISHED,
        [ITR_BISECT_FOUND] = ITR_BISECTION_FOUND,
        [ITR_BISECT_NO_CHANGE] = ITR_BISECTION_NO_CHANGE,
        [ITR_BISECT_BUDGET] = ITR_BISECTION_UNDECIDED,
    };
    b->found = b->before = ITR_BISECTION_NO_CELL;
    if (search->count < 2) {
        b->state = ITR_BISECTION_TOO_FEW;
        return;
    }
    const struct itr_bisect *numbers = &search->numbers;
    b->state = states[numbers->state];
    b->no_change = numbers->chance[0];
    b->rate_before = numbers->rate_before[numbers->best];
    b->rate_after = numbers->rate_after[numbers->best];
    for (size_t i = 0; i < b->arm_count; i++) {
        b->arms[i].chance = 0;
    }
    for (size_t i = 1; i < search->count; i++) {
        b->arms[search->arms[i]].chance = numbers->chance[i];
    }
    if (numbers->best > 0) {
        b->found = search->arms[numbers->best];
        b->before = search->arms[numbers->best - 1];
    }
}

static enum itr_status write_state(const struct itr_bisection *b, struct itr_error *err) {
    json_t *json = itr_bisection_to_json(b);
    enum itr_status status = json != NULL ? itr_folder_write_json(itr_campaign_folder(b->campaign), "bisect.json", json, err)
                                          : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for bisect.json");
    json_decref(json);
    return status;
}

/* Prepares what a batch needs; true in `*all`: nothing of it turned out not to be testable. */
static enum itr_status prepare_batch(struct itr_bisection *b, const struct search *search, const uint32_t *plan,
                                     uint32_t *trials, bool *all, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    *all = true;
    memset(trials, 0, b->arm_count * sizeof *trials);
    for (size_t i = 0; i < search->count && status == ITR_OK; i++) {
        size_t arm = search->arms[i];
        bool is_new = plan[i] > 0 && b->arms[arm].state == ITR_BISECTION_WAITING;
        trials[arm] = plan[i];
        if (is_new) {
            status = itr_bisection_prepare(b, arm, false, err);
            *all = *all && b->arms[arm].state == ITR_BISECTION_READY;
        }
        if (is_new && status == ITR_OK) {
            status = write_state(b, err);
        }
    }
    return status;
}

static enum itr_status next_batch(struct itr_bisection *b, struct search *search, struct itr_error *err) {
    uint32_t plan[ITR_BISECTION_ARMS_MAX];
    uint32_t trials[ITR_BISECTION_ARMS_MAX];
    bool all = false;
    enum itr_status status =
        itr_bisect_plan(&search->numbers, itr_bisect_batch(&search->numbers, b->jobs), plan, err);
    if (status == ITR_OK) {
        status = prepare_batch(b, search, plan, trials, &all, err);
    }
    return status == ITR_OK && all ? itr_bisection_run(b, trials, err) : status;
}

/* An end at whose point nothing can be fired is a skip: then the next one is the end. */
static enum itr_status prepare_ends(struct itr_bisection *b, struct itr_error *err) {
    size_t ends[2];
    bool both = false;
    enum itr_status status = ITR_OK;
    while (status == ITR_OK && !both) {
        status = itr_bisection_provide_ends(b, &ends[0], &ends[1], err);
        if (status != ITR_OK || ends[0] == ends[1]) {
            return status;
        }
        both = true;
        for (size_t i = 0; i < 2 && status == ITR_OK; i++) {
            status = itr_bisection_prepare(b, ends[i], true, err);
            both = both && b->arms[ends[i]].state == ITR_BISECTION_READY;
        }
    }
    if (status == ITR_OK) {
        status = write_state(b, err);
    }
    for (size_t i = 0; i < 2 && status == ITR_OK && !itr_campaign_is_interrupted(b->campaign); i++) {
        status = itr_bisection_run_controls(b, ends[i], err);
    }
    return status;
}

enum itr_status itr_bisection_search(struct itr_bisection *b, struct itr_error *err) {
    struct itr_error why = {0};
    b->next_trial = itr_campaign_next_trial(b->campaign);
    enum itr_status status = prepare_ends(b, err);
    itr_bisection_count(b);
    bool more = status == ITR_OK && b->state == ITR_BISECTION_UNFINISHED;
    while (more) {
        struct search search = {0};
        status = begin_search(b, &search, err);
        if (status == ITR_OK) {
            take_over(b, &search);
            more = b->state == ITR_BISECTION_UNFINISHED && !itr_campaign_is_interrupted(b->campaign);
            status = more ? next_batch(b, &search, err) : ITR_OK;
        }
        itr_bisect_release(&search.numbers);
        more = more && status == ITR_OK;
    }
    if (write_state(b, &why) != ITR_OK && status == ITR_OK) {
        *err = why;
        status = why.status;
    }
    return status;
}
