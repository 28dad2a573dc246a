/* Which files and flags make a library of share/initrace/golibs. It hashes and builds nothing. */
#include "framework/golib_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

bool itr_golib_read_line(const char *path, char *line, size_t room) {
    FILE *file = fopen(path, "r");
    bool got = file != NULL && fgets(line, (int)room, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    if (got) {
        line[strcspn(line, "\r\n")] = '\0';
    }
    return got;
}

/* ITR_E_LIMIT: a flag that is cut would be another flag, a source that is left out another library. */
static enum itr_status read_flags(const char *folder, const char *name, struct itr_golib_sources *sources, struct itr_error *err) {
    char path[1400];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!itr_golib_read_line(path, sources->flags, sizeof sources->flags)) {
        return itr_fail(err, ITR_E_FORMAT, 0, "%s: expected one line with the linker's flags", path);
    }
    return strlen(sources->flags) + 2 < sizeof sources->flags
               ? ITR_OK
               : itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %zu bytes of flags", path, sizeof sources->flags - 3);
}

static enum itr_status add_source(const char *folder, const char *name, struct itr_golib_sources *sources, struct itr_error *err) {
    if (sources->count == ITR_GOLIB_SOURCES_MAX || strlen(name) >= sizeof sources->files[0]) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d sources, or one with a name of over %zu bytes", folder,
                        ITR_GOLIB_SOURCES_MAX, sizeof sources->files[0] - 1);
    }
    memcpy(sources->files[sources->count++], name, strlen(name) + 1);
    return ITR_OK;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

/* A golib folder with files ldflags.SYSTEM is for those systems only. */
enum itr_status itr_golib_read_sources(const char *folder, const char *system, struct itr_golib_sources *sources,
                                       struct itr_error *err) {
    char mine[64];
    uv_fs_t request;
    uv_dirent_t entry;
    bool limited = false;
    bool listed = false;
    enum itr_status status = ITR_OK;
    *sources = (struct itr_golib_sources){0};
    snprintf(sources->folder, sizeof sources->folder, "%s", folder);
    snprintf(mine, sizeof mine, "ldflags.%s", system);
    int result = uv_fs_scandir(NULL, &request, folder, 0, NULL);
    if (result < 0) {
        status = itr_fail(err, result == UV_ENOMEM ? ITR_E_NO_MEMORY : ITR_E_NOT_FOUND, result, "cannot list %s: %s", folder,
                          uv_strerror(result));
    }
    /* To the end also after a failure: libuv frees the last entry with the end of the list only. */
    while (result >= 0 && uv_fs_scandir_next(&request, &entry) == 0) {
        const char *dot = strrchr(entry.name, '.');
        bool is_flags = strncmp(entry.name, "ldflags.", 8) == 0;
        limited = limited || is_flags;
        if (status == ITR_OK && dot != NULL && strcmp(dot, ".go") == 0) {
            status = add_source(folder, entry.name, sources, err);
        } else if (status == ITR_OK && is_flags && strcmp(entry.name, mine) == 0) {
            listed = true;
            status = read_flags(folder, mine, sources, err);
        }
    }
    uv_fs_req_cleanup(&request);
    qsort(sources->files, sources->count, sizeof sources->files[0], compare);
    sources->for_system = !limited || listed;
    return status;
}
