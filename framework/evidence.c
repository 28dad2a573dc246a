/* Writes what is kept of a failing trial. All of it was bounded before (capture.c). */
#include "framework/evidence.h"

#include "framework/folder.h"
#include "framework/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Longest time that packing may take: it copies the host's and the library's files. */
enum { PACK_MS = 120000 };
/* Failure folders that are searched for evidence. */
enum { LOOKED_AT_MAX = 4096 };

static enum itr_status write_stream(const char *folder, const char *name, const struct itr_capture *capture,
                                    struct itr_error *err) {
    size_t head_bytes = 0;
    size_t tail_bytes = 0;
    const uint8_t *head = itr_capture_head(capture, &head_bytes);
    const uint8_t *tail = itr_capture_tail(capture, &tail_bytes);
    struct itr_text all = {.ceiling = ITR_CAPTURE_HEAD_BYTES + ITR_CAPTURE_TAIL_BYTES + 256};
    if (head_bytes == 0) {
        return ITR_OK;
    }
    itr_text_append(&all, head, head_bytes);
    if (itr_capture_cut_bytes(capture) > 0) {
        itr_text_printf(&all, "\n[initrace: %" PRIu64 " of %" PRIu64 " bytes are not kept here]\n",
                        itr_capture_cut_bytes(capture), capture->total_bytes);
    }
    itr_text_append(&all, tail, tail_bytes);
    enum itr_status status = itr_folder_write(folder, name, itr_text_string(&all), all.length, err);
    itr_text_release(&all);
    return status;
}

static enum itr_status write_replay(const char *folder, const char *name, const struct itr_record *record,
                                    struct itr_error *err) {
    char text[4096];
    const struct itr_kept_recording *kept = record->recording;
    int length = snprintf(text, sizeof text, "initrace replay \"%s\" %" PRIu64 "\n", folder, record->trial);
    if (kept != NULL) {
        bool trouble = kept->trouble[0] != '\0';
        length += snprintf(text + length, sizeof text - (size_t)length, "%s replay \"%s/%s\"%s%s\n", record->recorder,
                           folder, kept->folder, trouble ? " # " : "", kept->trouble);
    }
    return itr_folder_write(folder, name, text, (size_t)length, err);
}

void itr_evidence_keep_recording(const char *folder, const struct itr_record *record, struct itr_kept_recording *kept) {
    char path[1200];
    struct itr_error error = {0};
    uv_fs_t request;
    *kept = (struct itr_kept_recording){0};
    snprintf(kept->folder, sizeof kept->folder, "failures/%" PRIu64 "/rr", record->trial);
    snprintf(path, sizeof path, "%s/failures/%" PRIu64, folder, record->trial);
    enum itr_status status = itr_folder_make(path, &error);
    snprintf(path, sizeof path, "%s/%s", folder, kept->folder);
    if (status == ITR_OK) {
        itrp_recording_remove(path); /* of a trial that a killed runner did not record */
        int result = uv_fs_rename(NULL, &request, record->seen->recording, path, NULL);
        uv_fs_req_cleanup(&request);
        status = result == 0 ? ITR_OK : itr_fail(&error, ITR_E_SYSTEM, result, "there is no trace: %s", uv_strerror(result));
    }
    if (status == ITR_OK && !itrp_recording_is_complete(path)) {
        status = itr_fail(&error, ITR_E_FORMAT, 0, "the trace is not complete, and was not packed");
    }
    if (status == ITR_OK) {
        status = itrp_recording_pack(path, PACK_MS, &error);
    }
    kept->packed = status == ITR_OK;
    snprintf(kept->trouble, sizeof kept->trouble, "%.*s", (int)sizeof kept->trouble - 1, error.text);
}

/* Linux names it "core" or "core.PID", by core_pattern and core_uses_pid. */
static void move_core(const char *folder, const char *failure, const char *work_folder) {
    uv_fs_t request;
    uv_dirent_t entry;
    if (uv_fs_scandir(NULL, &request, work_folder, 0, NULL) > 0) {
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            char from[2048];
            char to[2048];
            uv_fs_t move;
            if (strncmp(entry.name, "core", 4) != 0) {
                continue;
            }
            snprintf(from, sizeof from, "%s/%s", work_folder, entry.name);
            snprintf(to, sizeof to, "%s/%s/core", folder, failure);
            uv_fs_rename(NULL, &move, from, to, NULL);
            uv_fs_req_cleanup(&move);
        }
    }
    uv_fs_req_cleanup(&request);
}

enum itr_status itr_evidence_write(const char *folder, const char *work_folder, const struct itr_record *record,
                                   const json_t *trial, struct itr_error *err) {
    char failure[64];
    char name[96];
    enum itr_status status = ITR_OK;
    snprintf(failure, sizeof failure, "failures/%" PRIu64, record->trial);
    snprintf(name, sizeof name, "%s/trial.json", failure);
    status = itr_folder_write_json(folder, name, trial, err);
    snprintf(name, sizeof name, "%s/replay.txt", failure);
    if (status == ITR_OK) {
        status = write_replay(folder, name, record, err);
    }
    snprintf(name, sizeof name, "%s/stdout", failure);
    if (status == ITR_OK) {
        status = write_stream(folder, name, record->seen->output, err);
    }
    snprintf(name, sizeof name, "%s/stderr", failure);
    if (status == ITR_OK) {
        status = write_stream(folder, name, record->seen->error_output, err);
    }
    if (status == ITR_OK && record->seen->exit.core_dumped) {
        move_core(folder, failure, work_folder);
    }
    return status;
}

static json_t *read_found(const char *folder, const char *trial, uint64_t cell, const char *signature) {
    char name[128];
    json_t *json = NULL;
    snprintf(name, sizeof name, "failures/%.32s/evidence/evidence.json", trial);
    if (itr_folder_read_json(folder, name, &json, NULL) != ITR_OK) {
        return NULL;
    }
    const char *failure = json_string_value(json_object_get(json, "failure"));
    if (failure == NULL || strcmp(failure, signature) != 0 ||
        (uint64_t)json_integer_value(json_object_get(json, "cell")) != cell) {
        json_decref(json);
        return NULL;
    }
    return json;
}

json_t *itr_evidence_find(const char *folder, uint64_t cell, const char *signature, uint64_t *trial) {
    char path[1200];
    uv_fs_t request;
    uv_dirent_t entry;
    json_t *found = NULL;
    snprintf(path, sizeof path, "%s/failures", folder);
    if (uv_fs_scandir(NULL, &request, path, 0, NULL) > 0) {
        /* To the end also when it is found: libuv frees the last entry with the end of the list only. */
        for (int i = 0; uv_fs_scandir_next(&request, &entry) == 0; i++) {
            if (found == NULL && i < LOOKED_AT_MAX) {
                found = read_found(folder, entry.name, cell, signature);
                *trial = found != NULL ? strtoull(entry.name, NULL, 10) : 0;
            }
        }
    }
    uv_fs_req_cleanup(&request);
    return found;
}
