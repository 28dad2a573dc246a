/* Finds the core files that an earlier run of a resumed campaign left, so that the room for all of them holds for both
 * together. What has no room any more is removed by the next one that is taken (campaign_evidence.c). */
#include "framework/campaign_evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct found {
    uint64_t trial;
    uint64_t bytes;
    uv_timespec_t written;
};

/* As it is on disk: it has holes. False: there is none. */
static bool look_at(const char *folder, const char *trial, struct found *one) {
    char path[1300];
    char *end = NULL;
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/failures/%.32s/evidence/%s", folder, trial, itrp_core_file_name());
    bool there = uv_fs_stat(NULL, &request, path, NULL) == 0;
    *one = (struct found){.trial = strtoull(trial, &end, 10),
                          .bytes = there ? request.statbuf.st_blocks * 512 : 0,
                          .written = request.statbuf.st_mtim};
    uv_fs_req_cleanup(&request);
    return there && *end == '\0';
}

static int oldest_first(const void *a, const void *b) {
    const struct found *x = a;
    const struct found *y = b;
    if (x->written.tv_sec != y->written.tv_sec) {
        return x->written.tv_sec < y->written.tv_sec ? -1 : 1;
    }
    if (x->written.tv_nsec != y->written.tv_nsec) {
        return x->written.tv_nsec < y->written.tv_nsec ? -1 : 1;
    }
    return x->trial < y->trial ? -1 : x->trial > y->trial ? 1 : 0;
}

/* No run leaves more than the ceiling. */
static size_t find(const char *folder, struct found list[ITR_CAMPAIGN_CORES_MAX]) {
    char path[1200];
    uv_fs_t request;
    uv_dirent_t entry;
    size_t count = 0;
    snprintf(path, sizeof path, "%s/failures", folder);
    if (uv_fs_scandir(NULL, &request, path, 0, NULL) > 0) {
        /* To the end: libuv frees the last entry with the end of the list only. */
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            if (count < ITR_CAMPAIGN_CORES_MAX && look_at(folder, entry.name, &list[count])) {
                count++;
            }
        }
    }
    uv_fs_req_cleanup(&request);
    return count;
}

void itr_campaign_find_cores(struct itr_campaign *campaign) {
    struct found list[ITR_CAMPAIGN_CORES_MAX];
    size_t count = find(campaign->folder.path, list);
    qsort(list, count, sizeof list[0], oldest_first);
    for (size_t i = 0; i < count; i++) {
        campaign->cores[i] = (struct itr_campaign_core){.trial = list[i].trial, .bytes = list[i].bytes};
        campaign->core_bytes += list[i].bytes;
    }
    campaign->core_count = count;
}

void itr_campaign_forget_core(struct itr_campaign *campaign, uint64_t trial) {
    for (size_t i = 0; i < campaign->core_count; i++) {
        if (campaign->cores[i].trial == trial) {
            campaign->core_bytes -= campaign->cores[i].bytes;
            campaign->core_count--;
            memmove(campaign->cores + i, campaign->cores + i + 1, (campaign->core_count - i) * sizeof campaign->cores[0]);
            return;
        }
    }
}
