/* The key of built libraries: a hash of what goes into them. It reads names, sizes and times of the GOROOT's files, not their
 * content: thousands of files are looked at each time.
 *
 * Listed are GOROOT/src without src/cmd, tests and testdata, pkg/include, and the tools that make code, as (path below the
 * GOROOT, size, modification time in whole seconds). So the key is the same wherever the GOROOT lies and by whatever links it
 * is reached, under Wine too; a copy that does not keep times is another GOROOT, and costs a build, no more. File systems
 * that round times (FAT: two seconds) do so once, when the file is written there. What keeps size and time and still changes
 * is not seen. */
#include "framework/golib_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { FILES_MAX = 100000, DEPTH_MAX = 24, KEY_FORMAT = 1 };

static uint64_t hash_text(uint64_t hash, const char *text) {
    return itr_hash64(hash, text, strlen(text) + 1);
}

static uint64_t hash_number(uint64_t hash, uint64_t number) {
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)(number >> 8 * i);
    }
    return itr_hash64(hash, bytes, sizeof bytes);
}

/* ---- the GOROOT ---- */

/* The sum of the files' hashes does not depend on the order in which a system lists them. */
struct listing {
    const char *root;
    uint64_t sum;
    uint64_t files;
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
    uint64_t hash = hash_text(ITR_HASH64_START, path);
    hash = hash_number(hash, stat->st_size);
    hash = hash_number(hash, (uint64_t)stat->st_mtim.tv_sec);
    listing->sum += hash;
    return ++listing->files <= FILES_MAX
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

/* ---- all of it ---- */

static enum itr_status hash_file(const char *folder, const char *name, uint64_t *hash, struct itr_error *err) {
    char path[1500];
    char buffer[16 * 1024];
    size_t got = 0;
    uint64_t bytes = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    *hash = hash_text(*hash, name);
    while (file != NULL && (got = fread(buffer, 1, sizeof buffer, file)) > 0) {
        *hash = itr_hash64(*hash, buffer, got);
        bytes += got;
    }
    *hash = hash_number(*hash, bytes);
    bool good = file != NULL && ferror(file) == 0;
    if (file != NULL) {
        fclose(file);
    }
    return good ? ITR_OK : itr_fail(err, ITR_E_SYSTEM, 0, "%s cannot be read", path);
}

static enum itr_status hash_sources(const struct itr_golib_inputs *inputs, uint64_t *hash, struct itr_error *err) {
    enum itr_status status = ITR_OK;
    for (size_t i = 0; i < inputs->names.count; i++) {
        const struct itr_golib_sources *sources = &inputs->sources[i];
        if (!sources->for_system) {
            continue;
        }
        *hash = hash_text(*hash, inputs->names.items[i]);
        *hash = hash_text(*hash, sources->flags);
        *hash = hash_number(*hash, sources->count);
        for (size_t k = 0; k < sources->count && status == ITR_OK; k++) {
            status = hash_file(sources->folder, sources->files[k], hash, err);
        }
    }
    return status;
}

const char *itr_golib_c_compiler(const char *system) {
    const char *compiler = strcmp(system, "windows") != 0 ? getenv("CC") : NULL;
    return compiler != NULL ? compiler : "";
}

enum itr_status itr_golib_key(const struct itr_golib_inputs *inputs, uint64_t *key, struct itr_error *err) {
    struct listing listing = {.root = inputs->root};
    uint64_t hash = hash_number(ITR_HASH64_START, KEY_FORMAT);
    hash = hash_text(hash, inputs->version);
    hash = hash_text(hash, inputs->system);
    hash = hash_number(hash, inputs->arm->flags.count);
    for (size_t i = 0; i < inputs->arm->flags.count; i++) {
        hash = hash_text(hash, inputs->arm->flags.items[i]);
    }
    hash = hash_number(hash, itr_changes_hash(inputs->changes));
    if (itr_golib_c_compiler(inputs->system)[0] != '\0') {
        hash = hash_text(hash, itr_golib_c_compiler(inputs->system));
    }
    enum itr_status status = hash_sources(inputs, &hash, err);
    if (status == ITR_OK) {
        status = list_folder(&listing, "src", DEPTH_MAX, err);
    }
    if (status == ITR_OK) {
        status = list_entry(&listing, "pkg/include", DEPTH_MAX, err);
    }
    if (status == ITR_OK) {
        status = list_tools(&listing, err);
    }
    hash = hash_number(hash, listing.files);
    *key = hash_number(hash, listing.sum);
    return status;
}
