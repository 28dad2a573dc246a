/* Recordings: rr is a program of Linux, so there are none here. */
#include "platform/platform.h"

#include <stdio.h>

static const char never[] = "rr runs on Linux only";

bool itrp_can_record(char *why, size_t room) {
    snprintf(why, room, "%s", never);
    return false;
}

bool itrp_recording_is_complete(const char *folder) {
    (void)folder;
    return false;
}

enum itr_status itrp_recording_pack(const char *folder, uint32_t timeout_ms, struct itr_error *err) {
    (void)folder;
    (void)timeout_ms;
    return itr_fail(err, ITR_E_UNSUPPORTED, 0, "%s", never);
}

void itrp_recording_remove(const char *folder) {
    (void)folder;
}
