/* Decides which hanging hosts are left to a person, and tells that person. How a host is let out of the runner's hands is
 * the platform's. */
#include "framework/campaign_keep.h"

#include "framework/kept.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool itr_campaign_may_keep(struct itr_campaign *campaign, size_t cell) {
    const struct itr_setup *setup = &campaign->parts[cell].work->setup;
    if (campaign->options->keep_hung == 0 || setup->debug != NULL || setup->recorded || !itrp_capabilities()->keeps) {
        return false;
    }
    uv_mutex_lock(&campaign->lock);
    bool may = campaign->kept_count < campaign->options->keep_hung;
    uv_mutex_unlock(&campaign->lock);
    return may;
}

/* A place in the list, taken before the host is let go so that there are never more; false: they are all taken. */
static bool take_place(struct itr_campaign *campaign, uint64_t trial) {
    uv_mutex_lock(&campaign->lock);
    bool taken = campaign->kept_count < campaign->options->keep_hung;
    if (taken) {
        campaign->kept[campaign->kept_count++] = (struct itr_campaign_kept){.trial = trial};
    }
    uv_mutex_unlock(&campaign->lock);
    return taken;
}

/* Fills the trial's place in; process 0 gives it back. */
static void fill_place(struct itr_campaign *campaign, uint64_t trial, uint32_t process) {
    size_t i = 0;
    uv_mutex_lock(&campaign->lock);
    while (campaign->kept[i].trial != trial || campaign->kept[i].process != 0) {
        i++;
    }
    campaign->kept[i].process = process;
    if (process == 0) {
        campaign->kept[i] = campaign->kept[--campaign->kept_count];
    }
    uv_mutex_unlock(&campaign->lock);
}

/* The folder's path as a terminal may see it. */
static void clean_path(const char *path, char *out, size_t room) {
    itr_escape_into(out, room, ITR_ESCAPE_TERMINAL, path, strlen(path));
}

static void announce(const struct itr_campaign *campaign, size_t cell, uint64_t trial, uint32_t process, const char *folder) {
    char title[ITR_TITLE_MAX];
    char path[2400];
    char name[64];
    struct itr_error error = {0};
    struct itr_text text = {.ceiling = 8192};
    clean_path(folder, path, sizeof path);
    itr_cell_title(&campaign->summary->cells[cell], title, sizeof title);
    itr_text_printf(&text, "process %" PRIu32 " hangs and is left running: trial %" PRIu64 ", %s\n", process, trial, title);
    itr_kept_describe(process, &text);
    itr_text_printf(&text, "  what it prints from now on: %s/kept.stdout, kept.stderr\n", path);
    snprintf(name, sizeof name, "failures/%" PRIu64 "/kept.txt", trial);
    /* Over the progress line, which the main thread draws anew. */
    bool drawn = campaign->progress.on && campaign->progress.terminal;
    fprintf(stderr, "%sinitrace: %s", drawn ? "\r\033[K" : "", itr_text_string(&text));
    if (itr_folder_write(campaign->folder.path, name, itr_text_string(&text), text.length, &error) != ITR_OK) {
        fprintf(stderr, "initrace: %s\n", error.text);
    }
    itr_text_release(&text);
}

bool itr_campaign_keep_host(struct itr_campaign *campaign, struct itr_slot *slot, size_t cell, uint64_t trial,
                            const struct itr_observation *seen) {
    char folder[1200];
    struct itr_error error = {0};
    if (!itr_campaign_may_keep(campaign, cell) || !take_place(campaign, trial)) {
        return false;
    }
    snprintf(folder, sizeof folder, "%s/failures/%" PRIu64, campaign->folder.path, trial);
    if (itr_folder_make(folder, &error) == ITR_OK && itr_slot_keep(slot, folder, &error)) {
        fill_place(campaign, trial, seen->kept_process);
        announce(campaign, cell, trial, seen->kept_process, folder);
        return true;
    }
    fill_place(campaign, trial, 0);
    fprintf(stderr, "initrace: the host of trial %" PRIu64 " hangs and is not kept: %s\n", trial, error.text);
    return false;
}

void itr_campaign_tell_kept(const struct itr_campaign *campaign) {
    char path[2400];
    clean_path(campaign->folder.path, path, sizeof path);
    for (size_t i = 0; i < campaign->kept_count; i++) {
        fprintf(stderr, "initrace: process %" PRIu32 " was left running (%s/failures/%" PRIu64 "/kept.txt); end it with: %s%" PRIu32 "\n",
                campaign->kept[i].process, path, campaign->kept[i].trial, itrp_end_command(), campaign->kept[i].process);
    }
}
