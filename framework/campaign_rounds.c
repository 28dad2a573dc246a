/* Trials that are taken in rounds instead of cell by cell: which one a slot runs next, and what it is told to the rounds as.
 * The order itself is rounds.h's. */
#include "framework/campaign_parts.h"

#include "framework/match.h"

#include <stdlib.h>
#include <string.h>

/* ---- trials that a resumed campaign has already ---- */

/* The tally has a copy of the signature that stays. */
static const char *kept_text(const struct itr_tally *tally, const char *signature) {
    for (size_t i = 0; i < tally->signature_count; i++) {
        if (strcmp(tally->signatures[i].text, signature) == 0) {
            return tally->signatures[i].text;
        }
    }
    return "";
}

enum itr_status itr_campaign_remember(struct itr_campaign *campaign, size_t cell, const struct itr_row *row,
                                      struct itr_error *err) {
    if (campaign->past_count == campaign->past_room) {
        size_t room = campaign->past_room > 0 ? 2 * campaign->past_room : 1024;
        struct itr_campaign_past *grown = realloc(campaign->past, room * sizeof *grown);
        if (grown == NULL) {
            return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory resuming");
        }
        campaign->past = grown;
        campaign->past_room = room;
    }
    campaign->past[campaign->past_count++] =
        (struct itr_campaign_past){.trial = row->trial,
                                   .cell = cell,
                                   .outcome = row->outcome,
                                   .signature = kept_text(&campaign->summary->tallies[cell], row->signature)};
    return ITR_OK;
}

static int by_trial(const void *a, const void *b) {
    uint64_t left = ((const struct itr_campaign_past *)a)->trial;
    uint64_t right = ((const struct itr_campaign_past *)b)->trial;
    return (left > right) - (left < right);
}

void itr_campaign_remembered(struct itr_campaign *campaign) {
    if (campaign->past_count > 0) {
        qsort(campaign->past, campaign->past_count, sizeof *campaign->past, by_trial);
    }
}

uint64_t itr_campaign_next_trial(const struct itr_campaign *campaign) {
    return campaign->past_count > 0 ? campaign->past[campaign->past_count - 1].trial + 1 : 0;
}

static const struct itr_campaign_past *past_of(const struct itr_campaign *campaign, uint64_t trial, size_t cell) {
    struct itr_campaign_past wanted = {.trial = trial};
    const struct itr_campaign_past *found =
        campaign->past_count > 0
            ? bsearch(&wanted, campaign->past, campaign->past_count, sizeof *campaign->past, by_trial)
            : NULL;
    return found != NULL && found->cell == cell ? found : NULL;
}

/* ---- taking and telling; with the lock held ---- */

/* A cell in which nothing is fired, or that is to end without a shot, is as good unfired. */
static int what_of(const struct itr_campaign *campaign, const struct itr_campaign_rounds *part, size_t cell,
                   enum itr_outcome outcome, const char *signature) {
    enum itr_outcome expect = campaign->summary->cells[cell].expect;
    if (outcome == expect) {
        return ITR_ROUNDS_PASS;
    }
    if (outcome == ITR_OUTCOME_TOOL_ERROR || outcome == ITR_OUTCOME_NOT_FIRED) {
        return ITR_ROUNDS_VOID;
    }
    for (uint32_t s = 0; s < part->rounds->design.signatures; s++) {
        if (itr_matches(part->signatures[s], signature)) {
            return (int)s;
        }
    }
    size_t place = itr_tally_place_of(&campaign->summary->tallies[cell], signature);
    return (int)part->rounds->design.signatures + (int)(place < ITR_ROUNDS_OTHERS_MAX ? place : ITR_ROUNDS_OTHERS_MAX);
}

bool itr_campaign_take_round(struct itr_campaign *campaign, struct itr_campaign_job *job) {
    for (size_t i = 0; i < campaign->round_count && !campaign->stop;) {
        const struct itr_campaign_rounds *part = &campaign->rounds[i];
        if (!itr_rounds_take(part->rounds, &job->place)) {
            i++;
            continue;
        }
        job->part = i;
        job->cell = part->cells[job->place.arm];
        job->trial = job->place.trial;
        const struct itr_campaign_past *past = past_of(campaign, job->trial, job->cell);
        if (past == NULL) {
            campaign->cell = job->cell;
            return true;
        }
        itr_rounds_note(part->rounds, &job->place,
                        what_of(campaign, part, job->cell, past->outcome, past->signature));
        i = 0; /* that may have opened a round of an earlier part */
    }
    return false;
}

void itr_campaign_note_round(struct itr_campaign *campaign, const struct itr_campaign_job *job, enum itr_outcome outcome,
                             const char *signature) {
    if (campaign->round_count > 0) {
        const struct itr_campaign_rounds *part = &campaign->rounds[job->part];
        itr_rounds_note(part->rounds, &job->place, what_of(campaign, part, job->cell, outcome, signature));
        uv_cond_broadcast(&campaign->round_noted);
    }
}

/* ---- all of them ---- */

bool itr_campaign_rounds_are_over(const struct itr_campaign *campaign) {
    bool over = true;
    for (size_t i = 0; i < campaign->round_count; i++) {
        over = over && campaign->rounds[i].rounds->over;
    }
    return over;
}

enum itr_status itr_campaign_work_rounds(struct itr_campaign *campaign, const struct itr_campaign_rounds *rounds,
                                         size_t count, struct itr_error *err) {
    campaign->rounds = rounds;
    campaign->round_count = count;
    enum itr_status status = count > 0 ? itr_campaign_work(campaign, err) : ITR_OK;
    campaign->rounds = NULL;
    campaign->round_count = 0;
    for (size_t i = 0; i < campaign->summary->count; i++) {
        campaign->summary->cells[i].count = campaign->summary->tallies[i].trials;
    }
    return status;
}
