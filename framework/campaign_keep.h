/* Hosts that hang and are left running for a person (--keep-hung), so many of a campaign. For campaign*.c only. */
#ifndef INITRACE_FRAMEWORK_CAMPAIGN_KEEP_H
#define INITRACE_FRAMEWORK_CAMPAIGN_KEEP_H

#include "framework/campaign_parts.h"
#include "framework/run.h"

/* True if a host of this cell that hangs may be kept: the setup for its trial asks for a stop then. */
bool itr_campaign_may_keep(struct itr_campaign *campaign, size_t cell);

/* Keeps the host that stands in the slot if it hangs and there is room for one more, and says so on standard error. True:
 * the trial has ended. */
bool itr_campaign_keep_host(struct itr_campaign *campaign, struct itr_slot *slot, size_t cell, uint64_t trial,
                            const struct itr_observation *seen);

/* Says at the campaign's end which are still there to be looked at. */
void itr_campaign_tell_kept(const struct itr_campaign *campaign);

#endif
