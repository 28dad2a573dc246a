/* Evidence of a campaign's failing trials: taken from a host that hangs while it hangs, else by firing the trial again
 * under a debugger. None of it is counted. For campaign*.c only. */
#ifndef INITRACE_FRAMEWORK_CAMPAIGN_EVIDENCE_H
#define INITRACE_FRAMEWORK_CAMPAIGN_EVIDENCE_H

#include "framework/campaign_parts.h"
#include "framework/record.h"

/* What one slot has of its trial's evidence so far. `{0}` is none. */
struct itr_trial_evidence {
    json_t *json;        /* NULL: no host was examined */
    char directory[1200]; /* where its files are */
};

/* True if a host of this cell that hangs is to be examined before its end: the setup for its trial asks for that. */
bool itr_campaign_wants_hang_evidence(struct itr_campaign *campaign, size_t cell);

/* Examines a host that stands still; its files go beside the slot's own folder. */
void itr_campaign_examine(struct itr_campaign *campaign, const char *slot_directory, const struct itrp_snapshot *snapshot,
                          struct itr_trial_evidence *evidence);

/* Keeps what was taken from the trial itself, or takes it now by firing it again with the slot, in the folder of the
 * trial's failure. `record` is the trial's, whose observation the slot then no longer has: nothing of it that is the
 * slot's own is read. A failure of this is told on standard error, and is none of the campaign's. */
void itr_campaign_keep_evidence(struct itr_campaign *campaign, struct itr_slot *slot, const char *slot_directory,
                                size_t cell, uint64_t trial, const struct itr_plan *plan, const char *signature,
                                struct itr_trial_evidence *evidence);

/* Counts the core files that a resumed campaign's folder has. */
void itr_campaign_find_cores(struct itr_campaign *campaign);
/* Under the lock: that trial's, if it has one, is counted no more: it was written anew. */
void itr_campaign_forget_core(struct itr_campaign *campaign, uint64_t trial);

/* Removes what is not kept. */
void itr_campaign_drop_evidence(struct itr_trial_evidence *evidence);

#endif
