/* What of a GOROOT goes into libraries: names, sizes and times of its files, not their content, as thousands are looked at
 * each time. It reads both a GOROOT and what the project's build wrote down of one (cmake/list_goroot.cmake).
 *
 * Listed are GOROOT/src without src/cmd, tests and testdata, pkg/include, and the tools that make code, as (path below the
 * GOROOT, size, modification time in whole seconds). So a listing is the same wherever the GOROOT lies and by whatever links it
 * is reached, under Wine too; a copy that does not keep times is another GOROOT, and costs a build, no more. File systems
 * that round times (FAT: two seconds) do so once, when the file is written there. What keeps size and time and still changes
 * is not seen. */
#include "framework/golib_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { FILES_MAX = 100000, DEPTH_MAX = 24 };

uint64_t itr_golib_hash_text(uint64_t hash, const char *text) {
    return itr_hash64(hash, text, strlen(text) + 1);
}

uint64_t itr_golib_hash_number(uint64_t hash, uint64_t number) {
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(number >> 8 * i);
    }
    return itr_hash64(hash, bytes, sizeof bytes);
}

/* The sum does not depend on the order in which a system lists files. */
static void add_file(struct itr_golib_listing *listing, const char *path, uint64_t size, uint64_t time_s) {
    uint64_t hash = itr_golib_hash_text(ITR_HASH64_START, path);
    hash = itr_golib_hash_number(hash, size);
    listing->sum += itr_golib_hash_number(hash, time_s);
    listing->files++;
}

/* ---- a GOROOT ---- */

struct listing {
    const char *root;
    struct itr_golib_listing found;
    uint64_t folders;
};

static bool ends_with(const char *name, const char *end) {
    size_t length = strlen(name);
    size_t end_length = strlen(end);
    return length >= end_length && strcmp(name + length - end_length, end) == 0;
}

/* Names that no build reads. */
static bool is_left_out(const char *path, const char *name) {
    return name[0] == '.' || name[0] == '_' || strcmp(name, "testdata") == 0 || ends_with(name, "_test.go") ||
           (strcmp(path, "src") == 0 && strcmp(name, "cmd") == 0);
}

static enum itr_status failed(const struct listing *listing, const char *path, int result, struct itr_error *err) {
    return itr_fail(err, result == UV_ENOMEM ? ITR_E_NO_MEMORY : ITR_E_SYSTEM, result, "%s/%s: %s", listing->root, path,
                    uv_strerror(result));
}

static enum itr_status list_file(struct listing *listing, const char *path, const uv_stat_t *stat, struct itr_error *err) {
    add_file(&listing->found, path, stat->st_size, (uint64_t)stat->st_mtim.tv_sec);
    return listing->found.files <= FILES_MAX
               ? ITR_OK
               : itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d files, which is no Go distribution", listing->root, FILES_MAX);
}

static enum itr_status list_folder(struct listing *listing, const char *path, int depth, struct itr_error *err);

/* A folder, also behind a link, or a file. What is gone again, or a link to nothing, is not there. */
static enum itr_status list_entry(struct listing *listing, const char *path, int depth, struct itr_error *err) {
    char full[ITR_GOLIB_PATH_MAX];
    uv_fs_t request;
    if (snprintf(full, sizeof full, "%s/%s", listing->root, path) >= (int)sizeof full) {
        return itr_fail(err, ITR_E_LIMIT, 0, "path too long: %.100s…", full);
    }
    int result = uv_fs_stat(NULL, &request, full, NULL);
    uv_stat_t stat = request.statbuf;
    uv_fs_req_cleanup(&request);
    if (result == UV_ENOENT || result == UV_ELOOP) {
        return ITR_OK;
    }
    if (result != 0) {
        return failed(listing, path, result, err);
    }
    return (stat.st_mode & 0170000) == 0040000 ? list_folder(listing, path, depth - 1, err) : list_file(listing, path, &stat, err);
}

static enum itr_status list_folder(struct listing *listing, const char *path, int depth, struct itr_error *err) {
    char full[ITR_GOLIB_PATH_MAX];
    uv_fs_t request;
    uv_dirent_t entry;
    enum itr_status status = ITR_OK;
    if (depth == 0 || snprintf(full, sizeof full, "%s/%s", listing->root, path) >= (int)sizeof full) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%.200s/%.200s: more than %d folders deep", listing->root, path, DEPTH_MAX);
    }
    if (++listing->folders > FILES_MAX) { /* links may lead in circles */
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d folders, which is no Go distribution", listing->root, FILES_MAX);
    }
    int result = uv_fs_scandir(NULL, &request, full, 0, NULL);
    if (result < 0) {
        uv_fs_req_cleanup(&request);
        return failed(listing, path, result, err);
    }
    /* To the end also after a failure: libuv frees the last entry with the end of the list only. */
    while (uv_fs_scandir_next(&request, &entry) == 0) {
        char child[ITR_GOLIB_PATH_MAX];
        if (status != ITR_OK || is_left_out(path, entry.name)) {
            continue;
        }
        status = snprintf(child, sizeof child, "%s/%s", path, entry.name) < (int)sizeof child
                     ? list_entry(listing, child, depth, err)
                     : itr_fail(err, ITR_E_LIMIT, 0, "path too long: %.100s…", child);
    }
    uv_fs_req_cleanup(&request);
    return status;
}

/* pkg/tool/<system>_<architecture> has a folder for each system that the distribution runs on. */
static enum itr_status list_tools(struct listing *listing, struct itr_error *err) {
    static const char *const tools[] = {"asm", "cgo", "compile", "link"};
    static const char *const suffixes[] = {"", ".exe"};
    char folder[ITR_GOLIB_PATH_MAX];
    struct itr_strings systems = {0};
    snprintf(folder, sizeof folder, "%s/pkg/tool", listing->root);
    enum itr_status status = itr_layout_folders(folder, &systems, err);
    for (size_t i = 0; i < systems.count && status == ITR_OK; i++) {
        for (size_t k = 0; k < 8 && status == ITR_OK; k++) {
            char path[300];
            snprintf(path, sizeof path, "pkg/tool/%.200s/%s%s", systems.items[i], tools[k / 2], suffixes[k % 2]);
            status = list_entry(listing, path, DEPTH_MAX, err);
        }
    }
    itr_layout_release(&systems);
    return status;
}

enum itr_status itr_golib_list(const char *root, struct itr_golib_listing *found, struct itr_error *err) {
    struct listing listing = {.root = root};
    enum itr_status status = list_folder(&listing, "src", DEPTH_MAX, err);
    if (status == ITR_OK) {
        status = list_entry(&listing, "pkg/include", DEPTH_MAX, err);
    }
    if (status == ITR_OK) {
        status = list_tools(&listing, err);
    }
    *found = listing.found;
    return status;
}

/* ---- one that was written down ---- */

/* "SIZE TIME PATH" */
static bool read_line(char *line, struct itr_golib_listing *found) {
    char *at = line;
    uint64_t numbers[2] = {0};
    for (size_t i = 0; i < 2; i++) {
        char *end = at;
        numbers[i] = *at >= '0' && *at <= '9' ? strtoull(at, &end, 10) : 0;
        if (end == at || *end != ' ') {
            return false;
        }
        at = end + 1;
    }
    at[strcspn(at, "\r\n")] = '\0';
    add_file(found, at, numbers[0], numbers[1]);
    return *at != '\0';
}

bool itr_golib_read_listing(const char *path, struct itr_golib_listing *found) {
    char line[ITR_GOLIB_PATH_MAX + 64];
    FILE *file = fopen(path, "rb");
    bool good = file != NULL;
    *found = (struct itr_golib_listing){0};
    while (good && fgets(line, sizeof line, file) != NULL) {
        good = strchr(line, '\n') != NULL && found->files < FILES_MAX && read_line(line, found);
    }
    good = good && ferror(file) == 0;
    if (file != NULL) {
        fclose(file);
    }
    return good;
}
