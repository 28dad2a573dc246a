/* initrace report: from campaign folders, finished or not, to one report. */
#include "framework/commands.h"

#include "framework/campaign.h"
#include "framework/folder.h"
#include "framework/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Moves the cells of `one` to the end of `all`. */
static enum itr_status join(struct itr_summary *all, struct itr_summary *one, struct itr_error *err) {
    struct itr_summary joined = {0};
    enum itr_status status = itr_summary_allocate(&joined, all->count + one->count, err);
    if (status != ITR_OK) {
        return status;
    }
    for (size_t i = 0; i < joined.count; i++) {
        const struct itr_summary *from = i < all->count ? all : one;
        size_t k = i < all->count ? i : i - all->count;
        joined.cells[i] = from->cells[k];
        joined.tallies[i] = from->tallies[k];
        joined.verdicts[i] = from->verdicts[k];
    }
    joined.seed = all->count > 0 ? all->seed : one->seed;
    joined.interrupted = all->interrupted || one->interrupted;
    snprintf(joined.folder, sizeof joined.folder, "%s", all->count > 0 ? "" : one->folder);
    all->count = one->count = 0; /* their tallies belong to `joined` now */
    itr_summary_release(all);
    itr_summary_release(one);
    *all = joined;
    return ITR_OK;
}

int itr_command_report(const struct itr_options *options) {
    struct itr_summary all = {0};
    struct itr_error error = {0};
    enum itr_status status = ITR_OK;
    if (options->words.count == 0) {
        itr_fail(&error, ITR_E_USAGE, 0, "initrace report DIR…: which campaign?");
        return itr_complain(&error);
    }
    for (size_t i = 0; i < options->words.count && status == ITR_OK; i++) {
        struct itr_summary one = {0};
        status = itr_folder_load(options->words.items[i], &one, &error);
        if (status == ITR_OK) {
            status = itr_campaign_write_reports(&one, &error);
        }
        if (status == ITR_OK) {
            status = join(&all, &one, &error);
        }
        itr_summary_release(&one); /* empty, where it went into `all` */
    }
    if (status != ITR_OK) {
        itr_summary_release(&all);
        return itr_complain(&error);
    }
    int code = itr_summary_exit_code(&all);
    if (options->json) {
        code = itr_print_json(itr_summary_to_json(&all), code);
    } else {
        struct itr_text text = {.ceiling = 64u << 20};
        itr_report_text(&text, &all, itr_use_colour());
        fputs(itr_text_string(&text), stdout);
        itr_text_release(&text);
    }
    itr_summary_release(&all);
    return code;
}
