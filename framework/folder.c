/* Files of a campaign, through libuv's synchronous calls. What is in the lines is record.c's, what is in a
 * cell is cell.c's. */
#include "framework/folder.h"

#include "framework/json.h"
#include "framework/layout.h"
#include "framework/record.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 1 << 20, FILE_MAX_BYTES = 1 << 28 };

static enum itr_status uv_failure(struct itr_error *err, int result, const char *what, const char *path) {
    return itr_fail(err, ITR_E_SYSTEM, result, "cannot %s %s: %s", what, path, uv_strerror(result));
}

static enum itr_status make_folders(const char *path, struct itr_error *err) {
    char part[2048];
    uv_fs_t request;
    size_t length = strlen(path);
    if (length >= sizeof part) {
        return itr_fail(err, ITR_E_LIMIT, 0, "path too long: %.100s…", path);
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\\' && path[i] != '\0') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        int result = uv_fs_mkdir(NULL, &request, part, 0777, NULL);
        uv_fs_req_cleanup(&request);
        if (result != 0 && i == length && !itr_path_exists(part)) {
            return uv_failure(err, result, "make folder", part);
        }
    }
    return ITR_OK;
}

enum itr_status itr_folder_make(const char *path, struct itr_error *err) {
    return make_folders(path, err);
}

void itr_folder_remove(const char *path) {
    itr_path_remove(path, 1);
}

static enum itr_status absolute_path(const char *path, char *out, size_t room, struct itr_error *err) {
    char folder[1024];
    size_t length = sizeof folder;
    bool absolute = path[0] == '/' || path[0] == '\\' || (path[0] != '\0' && path[1] == ':');
    int result = absolute ? 0 : uv_cwd(folder, &length);
    if (result != 0) {
        return uv_failure(err, result, "find the working directory for", path);
    }
    int written = absolute ? snprintf(out, room, "%s", path) : snprintf(out, room, "%s/%s", folder, path);
    size_t used = strlen(out);
    while (used > 1 && (out[used - 1] == '/' || out[used - 1] == '\\')) {
        out[--used] = '\0';
    }
    return written < (int)room ? ITR_OK : itr_fail(err, ITR_E_LIMIT, 0, "path too long: %.100s…", path);
}

static enum itr_status move_aside(const char *path, char *moved, struct itr_error *err) {
    char campaign[1200];
    snprintf(campaign, sizeof campaign, "%s/campaign.json", path);
    moved[0] = '\0';
    if (!itr_path_exists(campaign)) {
        return ITR_OK;
    }
    for (int i = 1; i < 10000; i++) {
        snprintf(moved, 1100, "%s.~%d~", path, i);
        if (!itr_path_exists(moved)) {
            uv_fs_t request;
            int result = uv_fs_rename(NULL, &request, path, moved, NULL);
            uv_fs_req_cleanup(&request);
            return result == 0 ? ITR_OK : uv_failure(err, result, "move aside the campaign in", path);
        }
    }
    return itr_fail(err, ITR_E_LIMIT, 0, "%s and 9,999 earlier ones are taken: give another --output", path);
}

static enum itr_status open_trials(struct itr_folder *folder, struct itr_error *err) {
    char path[1200];
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/trials.jsonl", folder->path);
    int result = uv_fs_open(NULL, &request, path, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_APPEND, 0666, NULL);
    uv_fs_req_cleanup(&request);
    if (result < 0) {
        return uv_failure(err, result, "open", path);
    }
    folder->trials = result;
    folder->open = true;
    return ITR_OK;
}

enum itr_status itr_folder_create(struct itr_folder *folder, const char *path, char *moved, struct itr_error *err) {
    *folder = (struct itr_folder){0};
    enum itr_status status = absolute_path(path, folder->path, sizeof folder->path, err);
    if (status == ITR_OK) {
        status = move_aside(folder->path, moved, err);
    }
    if (status == ITR_OK) {
        status = make_folders(folder->path, err);
    }
    return status == ITR_OK ? open_trials(folder, err) : status;
}

/* Cuts trials.jsonl after its last newline. */
static enum itr_status cut_unfinished_line(const char *path, struct itr_error *err) {
    FILE *file = fopen(path, "rb");
    int64_t at = 0;
    int64_t keep = 0;
    int byte = 0;
    uv_fs_t request;
    if (file == NULL) {
        return ITR_OK;
    }
    while ((byte = fgetc(file)) != EOF) {
        at++;
        keep = byte == '\n' ? at : keep;
    }
    bool read = ferror(file) == 0;
    fclose(file);
    if (!read) { /* what comes after the fault is not to be cut off */
        return itr_fail(err, ITR_E_SYSTEM, 0, "%s cannot be read to its end", path);
    }
    int opened = uv_fs_open(NULL, &request, path, UV_FS_O_RDWR, 0, NULL);
    uv_fs_req_cleanup(&request);
    int result = opened < 0 ? opened : uv_fs_ftruncate(NULL, &request, opened, keep, NULL);
    uv_fs_req_cleanup(&request);
    if (opened >= 0) {
        uv_fs_close(NULL, &request, opened, NULL);
        uv_fs_req_cleanup(&request);
    }
    return result >= 0 ? ITR_OK : uv_failure(err, result, "cut the unfinished line of", path);
}

enum itr_status itr_folder_continue(struct itr_folder *folder, const char *path, struct itr_error *err) {
    char trials[1200];
    *folder = (struct itr_folder){0};
    enum itr_status status = absolute_path(path, folder->path, sizeof folder->path, err);
    snprintf(trials, sizeof trials, "%s/trials.jsonl", folder->path);
    if (status == ITR_OK) {
        status = cut_unfinished_line(trials, err);
    }
    return status == ITR_OK ? open_trials(folder, err) : status;
}

void itr_folder_close(struct itr_folder *folder) {
    uv_fs_t request;
    if (folder->open) {
        uv_fs_close(NULL, &request, folder->trials, NULL);
        uv_fs_req_cleanup(&request);
    }
    folder->open = false;
}

static int write_all(uv_file file, const char *bytes, size_t count) {
    while (count > 0) {
        uv_fs_t request;
        unsigned chunk = count > (1u << 30) ? 1u << 30 : (unsigned)count;
        uv_buf_t buffer = uv_buf_init((char *)(uintptr_t)bytes, chunk);
        int written = uv_fs_write(NULL, &request, file, &buffer, 1, -1, NULL);
        uv_fs_req_cleanup(&request);
        if (written < 0) {
            return written;
        }
        bytes += written;
        count -= (size_t)written;
    }
    return 0;
}

enum itr_status itr_folder_append(struct itr_folder *folder, const json_t *trial, struct itr_error *err) {
    char small[4096];
    char *line = small;
    int result = 0;
    size_t length = trial != NULL ? json_dumpb(trial, small, sizeof small - 1, JSON_COMPACT) : 0;
    if (length == 0) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory writing a trial");
    }
    if (length >= sizeof small) {
        line = malloc(length + 1);
        if (line == NULL) {
            return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory writing a trial");
        }
        length = json_dumpb(trial, line, length, JSON_COMPACT);
    }
    line[length] = '\n';
    result = write_all(folder->trials, line, length + 1);
    if (line != small) {
        free(line);
    }
    return result == 0 ? ITR_OK : uv_failure(err, result, "write trials.jsonl in", folder->path);
}

enum itr_status itr_folder_write(const char *folder, const char *name, const void *bytes, size_t count,
                                 struct itr_error *err) {
    char path[2048];
    char temporary[2060];
    uv_fs_t request;
    enum itr_status status = ITR_OK;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    snprintf(temporary, sizeof temporary, "%s.new", path);
    if (strchr(name, '/') != NULL) {
        char above[2048];
        snprintf(above, sizeof above, "%.*s", (int)(strrchr(path, '/') - path), path);
        status = make_folders(above, err);
    }
    if (status != ITR_OK) {
        return status;
    }
    int file =
        uv_fs_open(NULL, &request, temporary, UV_FS_O_WRONLY | UV_FS_O_CREAT | UV_FS_O_TRUNC, 0666, NULL);
    uv_fs_req_cleanup(&request);
    if (file < 0) {
        return uv_failure(err, file, "write", path);
    }
    int result = write_all(file, bytes, count);
    uv_fs_close(NULL, &request, file, NULL);
    uv_fs_req_cleanup(&request);
    if (result == 0) {
        result = uv_fs_rename(NULL, &request, temporary, path, NULL);
        uv_fs_req_cleanup(&request);
    }
    return result == 0 ? ITR_OK : uv_failure(err, result, "write", path);
}

enum itr_status itr_folder_write_json(const char *folder, const char *name, const json_t *json,
                                      struct itr_error *err) {
    char *text = json != NULL ? itr_json_print(json, JSON_INDENT(1)) : NULL;
    if (text == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "cannot make %s: out of memory or not UTF-8", name);
    }
    enum itr_status status = itr_folder_write(folder, name, text, strlen(text), err);
    free(text);
    return status;
}

/* ---- reading ---- */

enum itr_status itr_folder_read_campaign(const char *path, json_t **campaign, struct itr_error *err) {
    char file[1200];
    snprintf(file, sizeof file, "%s/campaign.json", path);
    if (!itr_path_exists(file)) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "%s is no campaign's folder: it has no campaign.json", path);
    }
    enum itr_status status = itr_json_read(file, FILE_MAX_BYTES, 0, campaign, err);
    if (status != ITR_OK) {
        return status;
    }
    if (json_integer_value(json_object_get(*campaign, "format")) != ITR_CAMPAIGN_FORMAT ||
        !json_is_array(json_object_get(*campaign, "cells"))) {
        json_decref(*campaign);
        *campaign = NULL;
        return itr_fail(err, ITR_E_FORMAT, 0, "%s: expected format %d with cells", file, ITR_CAMPAIGN_FORMAT);
    }
    return ITR_OK;
}

enum itr_status itr_folder_read_json(const char *path, const char *name, json_t **json, struct itr_error *err) {
    char file[1200];
    snprintf(file, sizeof file, "%s/%s", path, name);
    if (!itr_path_exists(file)) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "%s is not there", file);
    }
    return itr_json_read(file, FILE_MAX_BYTES, 0, json, err);
}

enum itr_status itr_trials_open(struct itr_trials *trials, const char *folder, struct itr_error *err) {
    char path[1200];
    snprintf(path, sizeof path, "%s/trials.jsonl", folder);
    *trials = (struct itr_trials){.line_room = LINE_MAX_BYTES};
    trials->line = malloc(LINE_MAX_BYTES);
    if (trials->line == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory reading %s", path);
    }
    trials->file = fopen(path, "rb");
    if (trials->file == NULL) {
        itr_trials_close(trials);
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "cannot open %s", path);
    }
    return ITR_OK;
}

enum itr_status itr_trials_next(struct itr_trials *trials, json_t **trial, struct itr_error *err) {
    *trial = NULL;
    if (fgets(trials->line, (int)trials->line_room, trials->file) == NULL) {
        return ITR_OK;
    }
    trials->line_number++;
    size_t length = strlen(trials->line);
    if (length == 0 || trials->line[length - 1] != '\n') {
        trials->cut = feof(trials->file) != 0;
        return trials->cut ? ITR_OK
                           : itr_fail(err, ITR_E_FORMAT, 0, "trials.jsonl:%llu: line too long or not text",
                                      (unsigned long long)trials->line_number);
    }
    return itr_json_parse("trials.jsonl", trials->line_number, trials->line, length, 0, trial, err);
}

void itr_trials_close(struct itr_trials *trials) {
    if (trials->file != NULL) {
        fclose(trials->file);
    }
    free(trials->line);
    *trials = (struct itr_trials){0};
}

enum itr_status itr_summary_allocate(struct itr_summary *summary, size_t count, struct itr_error *err) {
    summary->cells = calloc(count + 1, sizeof *summary->cells);
    summary->tallies = calloc(count + 1, sizeof *summary->tallies);
    summary->verdicts = calloc(count + 1, sizeof *summary->verdicts);
    summary->count = count;
    if (summary->cells == NULL || summary->tallies == NULL || summary->verdicts == NULL) {
        summary->count = 0;
        itr_summary_release(summary);
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for %zu cells", count);
    }
    return ITR_OK;
}

enum itr_status itr_summary_grow(struct itr_summary *summary, struct itr_error *err) {
    size_t room = summary->count + 2;
    struct itr_cell *cells = realloc(summary->cells, room * sizeof *cells);
    summary->cells = cells != NULL ? cells : summary->cells;
    struct itr_tally *tallies = realloc(summary->tallies, room * sizeof *tallies);
    summary->tallies = tallies != NULL ? tallies : summary->tallies;
    struct itr_verdict *verdicts = realloc(summary->verdicts, room * sizeof *verdicts);
    summary->verdicts = verdicts != NULL ? verdicts : summary->verdicts;
    if (cells == NULL || tallies == NULL || verdicts == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a cell more");
    }
    cells[summary->count] = (struct itr_cell){0};
    tallies[summary->count] = (struct itr_tally){0};
    verdicts[summary->count] = (struct itr_verdict){0};
    summary->count++;
    return ITR_OK;
}

static enum itr_status count_trials(struct itr_summary *summary, const char *path, struct itr_error *err) {
    struct itr_trials trials;
    json_t *trial = NULL;
    enum itr_status status = itr_trials_open(&trials, path, err);
    while (status == ITR_OK && (status = itr_trials_next(&trials, &trial, err)) == ITR_OK && trial != NULL) {
        uint64_t cell = 0;
        struct itr_row row;
        status = itr_record_read(trial, &cell, &row, err);
        if (status == ITR_OK && cell >= summary->count) {
            status = itr_fail(err, ITR_E_FORMAT, 0, "trials.jsonl names a cell that campaign.json does not have");
        }
        if (status == ITR_OK) {
            itr_tally_add(&summary->tallies[cell], &row);
            if (summary->tallies[cell].no_memory) {
                status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory counting trials");
            }
        }
        json_decref(trial);
    }
    itr_trials_close(&trials);
    return status;
}

/* Were all planned trials run? With --until-fail a cell ends with its first failure. */
static bool is_finished(const struct itr_summary *summary, bool until_fail) {
    for (size_t i = 0; i < summary->count; i++) {
        const struct itr_tally *tally = &summary->tallies[i];
        bool failed = tally->trials > tally->outcomes[tally->expect];
        if (tally->trials < summary->cells[i].count && !(until_fail && failed)) {
            return false;
        }
    }
    return true;
}

/* How long a finished campaign took, as its own summary says; 0 where there is none that can be read. */
static enum itr_status elapsed_of_finished(const char *path, double *out_s, struct itr_error *err) {
    char file[1200];
    json_t *summary = NULL;
    struct itr_error why = {0};
    snprintf(file, sizeof file, "%s/summary.json", path);
    enum itr_status status = itr_json_read(file, FILE_MAX_BYTES, 0, &summary, &why);
    *out_s = json_number_value(json_object_get(summary, "elapsed_s"));
    json_decref(summary);
    return status == ITR_E_NO_MEMORY ? itr_fail(err, status, 0, "%s", why.text) : ITR_OK;
}

enum itr_status itr_folder_load(const char *path, struct itr_summary *summary, struct itr_error *err) {
    json_t *campaign = NULL;
    *summary = (struct itr_summary){0};
    enum itr_status status = itr_folder_read_campaign(path, &campaign, err);
    if (status != ITR_OK) {
        return status;
    }
    const json_t *cells = json_object_get(campaign, "cells");
    status = itr_summary_allocate(summary, json_array_size(cells), err);
    for (size_t i = 0; i < summary->count && status == ITR_OK; i++) {
        struct itr_cell *cell = &summary->cells[i];
        status = itr_cell_from_json(json_array_get(cells, i), cell, err);
        itr_tally_begin(&summary->tallies[i], cell->expect, cell->aim.window_from_ns, cell->aim.window_to_ns);
    }
    if (!itr_json_from_hex(json_object_get(campaign, "seed"), &summary->seed)) {
        summary->seed = 0;
    }
    snprintf(summary->folder, sizeof summary->folder, "%s", path);
    if (status == ITR_OK) {
        status = count_trials(summary, path, err);
        summary->interrupted = !is_finished(summary, json_is_true(json_object_get(campaign, "until_fail")));
    }
    json_decref(campaign);
    if (status == ITR_OK && !summary->interrupted) {
        status = elapsed_of_finished(path, &summary->elapsed_s, err);
    }
    if (status != ITR_OK) {
        itr_summary_release(summary);
        return itr_fail_context(err, "%s", path);
    }
    itr_summary_judge(summary);
    return ITR_OK;
}
