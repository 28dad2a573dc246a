/* A campaign's folder on disk: made without overwriting, appended to trial by trial, read back even
 * when the campaign was killed. It knows names and formats, not what a campaign does. */
#ifndef INITRACE_FRAMEWORK_FOLDER_H
#define INITRACE_FRAMEWORK_FOLDER_H

#include "framework/summary.h"

#include <jansson.h>
#include <stdio.h>
#include <uv.h>

#define ITR_CAMPAIGN_FORMAT 1

struct itr_folder {
    char path[1024]; /* absolute */
    uv_file trials;  /* trials.jsonl, open for appending; valid when `open` */
    bool open;
};

/* Makes the folder and those above it. If a campaign lies there already it is moved aside to
 * "PATH.~N~" and `*moved` (1,100 bytes) names that place, else `*moved` is "". */
enum itr_status itr_folder_create(struct itr_folder *folder, const char *path, char *moved,
                                  struct itr_error *err) ITR_MUST_USE;
/* Opens an existing campaign for appending, and cuts off a last line that was not finished. */
enum itr_status itr_folder_continue(struct itr_folder *folder, const char *path, struct itr_error *err) ITR_MUST_USE;
void itr_folder_close(struct itr_folder *folder);

/* Appends one line; one write call, so that a killed runner leaves whole lines but for the last. */
enum itr_status itr_folder_append(struct itr_folder *folder, const json_t *trial, struct itr_error *err) ITR_MUST_USE;

/* Writes FOLDER/NAME as a whole: to a temporary file first, then renamed. NAME may have one folder in it,
 * which is made ("failures/12/stderr"). */
enum itr_status itr_folder_write(const char *folder, const char *name, const void *bytes, size_t count,
                                 struct itr_error *err) ITR_MUST_USE;
enum itr_status itr_folder_write_json(const char *folder, const char *name, const json_t *json,
                                      struct itr_error *err) ITR_MUST_USE;
enum itr_status itr_folder_make(const char *path, struct itr_error *err) ITR_MUST_USE;
/* Removes a folder and what is in it, at most one level of folders deep. */
void itr_folder_remove(const char *path);

/* Reads campaign.json; new reference. */
enum itr_status itr_folder_read_campaign(const char *path, json_t **campaign, struct itr_error *err) ITR_MUST_USE;

/* Walks trials.jsonl. `{0}` before itr_trials_open(). */
struct itr_trials {
    FILE *file;
    char *line;
    size_t line_room;
    uint64_t line_number;
    bool cut; /* the last line was not finished: the campaign was killed while it wrote it */
};
enum itr_status itr_trials_open(struct itr_trials *trials, const char *folder, struct itr_error *err) ITR_MUST_USE;
/* The next trial as a new reference, NULL at the end. */
enum itr_status itr_trials_next(struct itr_trials *trials, json_t **trial, struct itr_error *err) ITR_MUST_USE;
void itr_trials_close(struct itr_trials *trials);

/* Rebuilds the summary of a campaign from its folder, whatever state that was left in. On success give it
 * to itr_summary_release(). */
enum itr_status itr_folder_load(const char *path, struct itr_summary *summary, struct itr_error *err) ITR_MUST_USE;

/* Room for `count` cells, empty. */
enum itr_status itr_summary_allocate(struct itr_summary *summary, size_t count, struct itr_error *err) ITR_MUST_USE;
/* Adds an empty cell; pointers to the others are no longer good. */
enum itr_status itr_summary_grow(struct itr_summary *summary, struct itr_error *err) ITR_MUST_USE;
/* Reads a JSON file of the campaign's folder; a new reference. ITR_E_NOT_FOUND, ITR_E_FORMAT. */
enum itr_status itr_folder_read_json(const char *path, const char *name, json_t **json,
                                     struct itr_error *err) ITR_MUST_USE;

#endif
