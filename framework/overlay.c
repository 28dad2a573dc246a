/* Writes an overlay's folder. */
#include "framework/overlay.h"

#include "framework/folder.h"
#include "framework/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 2048 };

json_t *itr_overlay_json(const struct itr_changes *changes, const char *folder) {
    json_t *replace = json_object();
    bool good = replace != NULL && changes->root != NULL;
    for (size_t i = 0; i < changes->count && good; i++) {
        const struct itr_changed_file *file = changes->files[i];
        char from[PATH_BYTES_MAX];
        char to[PATH_BYTES_MAX] = "";
        if (!file->changed) {
            continue;
        }
        int length = snprintf(from, sizeof from, "%s/src/%s", changes->root, file->path);
        good = length > 0 && (size_t)length < sizeof from;
        if (good && file->text != NULL) {
            length = snprintf(to, sizeof to, "%s/src/%s", folder, file->path);
            good = length > 0 && (size_t)length < sizeof to;
        }
        good = good && json_object_set_new(replace, from, json_string(to)) == 0;
    }
    json_t *overlay = good ? json_object() : NULL;
    if (overlay == NULL || json_object_set(overlay, "Replace", replace) != 0) {
        json_decref(overlay);
        overlay = NULL;
    }
    json_decref(replace);
    return overlay;
}

static bool has_content(const char *folder, const char *name, const char *bytes, size_t count) {
    char path[PATH_BYTES_MAX];
    char part[4096];
    size_t at = 0;
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length > 0 && (size_t)length < sizeof path ? fopen(path, "rb") : NULL;
    bool same = file != NULL;
    while (same) {
        size_t got = fread(part, 1, sizeof part, file);
        same = got <= count - at && memcmp(part, bytes + at, got) == 0;
        at += same ? got : 0;
        if (got == 0) {
            break;
        }
    }
    same = same && at == count && ferror(file) == 0;
    if (file != NULL) {
        fclose(file);
    }
    return same;
}

static enum itr_status write_if_other(const char *folder, const char *name, const char *bytes, size_t count,
                                      struct itr_error *err) {
    return has_content(folder, name, bytes, count) ? ITR_OK : itr_folder_write(folder, name, bytes, count, err);
}

enum itr_status itr_overlay_write(const struct itr_changes *changes, const char *folder, uint64_t *hash,
                                  struct itr_error *err) {
    enum itr_status status = ITR_OK;
    if (strlen(folder) + sizeof "/src/.new" + ITR_CHANGES_PATH_MAX > PATH_BYTES_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "path too long: %.100s…", folder);
    }
    for (size_t i = 0; i < changes->count && status == ITR_OK; i++) {
        const struct itr_changed_file *file = changes->files[i];
        char name[ITR_CHANGES_PATH_MAX + 8];
        snprintf(name, sizeof name, "src/%s", file->path);
        if (file->changed && file->text != NULL) {
            status = write_if_other(folder, name, file->text, file->count, err);
        }
    }
    json_t *overlay = status == ITR_OK ? itr_overlay_json(changes, folder) : NULL;
    char *text = overlay != NULL ? itr_json_print(overlay, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL;
    json_decref(overlay);
    if (status == ITR_OK && text == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "cannot make %s/overlay.json: out of memory or not UTF-8", folder);
    }
    if (status == ITR_OK) {
        status = itr_folder_make(folder, err);
    }
    if (status == ITR_OK) {
        status = write_if_other(folder, "overlay.json", text, strlen(text), err);
    }
    free(text);
    if (status == ITR_OK && hash != NULL) {
        *hash = itr_changes_hash(changes);
    }
    return status;
}
