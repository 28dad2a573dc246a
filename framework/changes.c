/* Keeps the changed files sorted by path, reads them from GOROOT/src. */
#include "framework/changes.h"

#include "framework/source_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum itr_status out_of_memory(const char *path, struct itr_error *err) {
    return itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", path);
}

/* Index of the path, or of where it belongs. */
static size_t find(const struct itr_changes *changes, const char *path, bool *there) {
    size_t low = 0;
    size_t high = changes->count;
    *there = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(changes->files[middle]->path, path);
        if (order == 0) {
            *there = true;
            return middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return low;
}

static enum itr_status insert(struct itr_changes *changes, size_t at, const char *path, struct itr_changed_file **out,
                              struct itr_error *err) {
    if (changes->count == ITR_CHANGES_FILES_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "more than %d files would change", ITR_CHANGES_FILES_MAX);
    }
    struct itr_changed_file **grown = realloc(changes->files, (changes->count + 1) * sizeof(struct itr_changed_file *));
    if (grown == NULL) {
        return out_of_memory(path, err);
    }
    changes->files = grown;
    struct itr_changed_file *file = calloc(1, sizeof *file);
    char *copy = malloc(strlen(path) + 1);
    if (file == NULL || copy == NULL) {
        free(file);
        free(copy);
        return out_of_memory(path, err);
    }
    memcpy(copy, path, strlen(path) + 1);
    file->path = copy;
    memmove(grown + at + 1, grown + at, (changes->count - at) * sizeof(struct itr_changed_file *));
    grown[at] = file;
    changes->count++;
    *out = file;
    return ITR_OK;
}

/* One byte more than a source may have tells that it is too large. */
static enum itr_status read_all(FILE *stream, struct itr_changed_file *file, struct itr_error *err) {
    size_t room = 64 * 1024;
    size_t got = 1;
    while (got > 0 && file->count <= ITR_SOURCE_BYTES_MAX) {
        room = file->count + 1 >= room ? 2 * room : room;
        char *grown = realloc(file->text, room);
        if (grown == NULL) {
            return out_of_memory(file->path, err);
        }
        file->text = grown;
        got = fread(file->text + file->count, 1, room - 1 - file->count, stream);
        file->count += got;
        file->text[file->count] = '\0';
    }
    if (ferror(stream) != 0) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "%s: cannot be read", file->path);
    }
    return file->count <= ITR_SOURCE_BYTES_MAX
               ? ITR_OK
               : itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d bytes", file->path, ITR_SOURCE_BYTES_MAX);
}

static enum itr_status read_source(const char *root, struct itr_changed_file *file, struct itr_error *err) {
    char path[2048];
    int length = snprintf(path, sizeof path, "%s/src/%s", root, file->path);
    if (length < 0 || (size_t)length >= sizeof path) {
        return itr_fail(err, ITR_E_LIMIT, 0, "path too long: %.100s…", path);
    }
    errno = 0;
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        int code = errno;
        return code == ENOENT || code == ENOTDIR ? ITR_OK
                                                 : itr_fail(err, ITR_E_SYSTEM, code, "%s: %s", path, strerror(code));
    }
    enum itr_status status = read_all(stream, file, err);
    fclose(stream);
    file->in_goroot = true;
    return status;
}

static enum itr_status add(struct itr_changes *changes, const char *path, struct itr_changed_file **file, bool *there,
                           struct itr_error *err) {
    if (strlen(path) >= ITR_CHANGES_PATH_MAX || !itr_source_path_is_safe(path, strlen(path))) {
        char shown[ITR_CHANGES_PATH_MAX];
        (void)itr_escape_into(shown, sizeof shown, ITR_ESCAPE_TERMINAL, path, strlen(path));
        return itr_fail(err, ITR_E_USAGE, 0, "\"%s\" is no path of a file below GOROOT/src", shown);
    }
    size_t at = find(changes, path, there);
    if (*there) {
        *file = changes->files[at];
        return ITR_OK;
    }
    return insert(changes, at, path, file, err);
}

enum itr_status itr_changes_file(struct itr_changes *changes, const char *path, struct itr_changed_file **file,
                                 struct itr_error *err) {
    bool there = false;
    enum itr_status status = add(changes, path, file, &there, err);
    return status == ITR_OK && !there && changes->root != NULL ? read_source(changes->root, *file, err) : status;
}

enum itr_status itr_changes_give(struct itr_changes *changes, const char *path, const void *bytes, size_t count,
                                 struct itr_error *err) {
    struct itr_changed_file *file = NULL;
    bool there = false;
    enum itr_status status = add(changes, path, &file, &there, err);
    char *copy = status == ITR_OK ? malloc(count + 1) : NULL;
    if (status == ITR_OK && copy == NULL) {
        return out_of_memory(path, err);
    }
    if (status == ITR_OK) {
        if (count > 0) {
            memcpy(copy, bytes, count);
        }
        copy[count] = '\0';
        itr_changes_set(file, copy, count);
        file->changed = false;
        file->in_goroot = true;
    }
    return status;
}

void itr_changes_set(struct itr_changed_file *file, char *text, size_t count) {
    free(file->text);
    file->text = text;
    file->count = text != NULL ? count : 0;
    file->changed = true;
}

static uint64_t hash_number(uint64_t hash, uint64_t number) {
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(number >> 8 * i);
    }
    return itr_hash64(hash, bytes, sizeof bytes);
}

uint64_t itr_changes_hash(const struct itr_changes *changes) {
    uint64_t hash = ITR_HASH64_START;
    for (size_t i = 0; i < changes->count; i++) {
        const struct itr_changed_file *file = changes->files[i];
        if (file->changed) {
            hash = itr_hash64(hash, file->path, strlen(file->path) + 1);
            hash = hash_number(hash, file->text != NULL ? file->count + 1 : 0); /* lengths: texts cannot run together */
            hash = file->text != NULL ? itr_hash64(hash, file->text, file->count) : hash;
        }
    }
    return hash;
}

void itr_changes_release(struct itr_changes *changes) {
    for (size_t i = 0; i < changes->count; i++) {
        free(changes->files[i]->path);
        free(changes->files[i]->text);
        free(changes->files[i]);
    }
    free(changes->files);
    *changes = (struct itr_changes){.root = changes->root};
}
