/* Finds folders and files next to the program. Only names and existence; nothing is read but a
 * GOROOT's version. */
#include "framework/layout.h"

#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static void to_slashes(char *path) {
    for (; *path != '\0'; path++) {
        *path = *path == '\\' ? '/' : *path;
    }
}

void itr_layout_of(struct itr_layout *layout, const char *prefix) {
    snprintf(layout->prefix, sizeof layout->prefix, "%s", prefix);
    snprintf(layout->cases, sizeof layout->cases, "%s/share/initrace/cases", prefix);
    snprintf(layout->known, sizeof layout->known, "%s/share/initrace/known", prefix);
    snprintf(layout->recipes, sizeof layout->recipes, "%s/share/initrace/recipes", prefix);
    snprintf(layout->hosts, sizeof layout->hosts, "%s/libexec/initrace", prefix);
    snprintf(layout->libraries, sizeof layout->libraries, "%s/lib/initrace", prefix);
}

enum itr_status itr_layout_find(struct itr_layout *layout, struct itr_error *err) {
    char program[sizeof layout->prefix];
    size_t length = sizeof program;
    int result = uv_exepath(program, &length);
    if (result != 0) {
        return itr_fail(err, ITR_E_SYSTEM, result, "cannot find the program's own path: %s", uv_strerror(result));
    }
    to_slashes(program);
    for (int up = 0; up < 2; up++) {
        char *slash = strrchr(program, '/');
        if (slash == NULL) {
            return itr_fail(err, ITR_E_NOT_FOUND, 0, "the program does not lie in a bin folder");
        }
        *slash = '\0';
    }
    itr_layout_of(layout, program);
    return ITR_OK;
}

/* Compares so that go1.9 comes before go1.19. */
static int compare_names(const void *a, const void *b) {
    const char *x = *(char *const *)a;
    const char *y = *(char *const *)b;
    while (*x != '\0' && *y != '\0') {
        bool digits = *x >= '0' && *x <= '9' && *y >= '0' && *y <= '9';
        if (digits) {
            char *x_end = NULL;
            char *y_end = NULL;
            unsigned long i = strtoul(x, &x_end, 10);
            unsigned long j = strtoul(y, &y_end, 10);
            if (i != j) {
                return i < j ? -1 : 1;
            }
            x = x_end;
            y = y_end;
        } else if (*x != *y) {
            return *x < *y ? -1 : 1;
        } else {
            x++;
            y++;
        }
    }
    return *x != '\0' ? 1 : *y != '\0' ? -1 : 0;
}

void itr_layout_release(struct itr_strings *names) {
    for (size_t i = 0; i < names->count; i++) {
        free(names->items[i]);
    }
    free(names->items);
    *names = (struct itr_strings){0};
}

static bool add_name(struct itr_strings *names, const char *name, size_t bytes) {
    char **grown = realloc(names->items, (names->count + 1) * sizeof *grown);
    char *copy = malloc(bytes + 1);
    if (grown != NULL) {
        names->items = grown;
    }
    if (grown == NULL || copy == NULL) {
        free(copy);
        return false;
    }
    memcpy(copy, name, bytes);
    copy[bytes] = '\0';
    names->items[names->count++] = copy;
    return true;
}

/* Bytes of an entry's name that are wanted, 0: none. Folders have no `suffix`; that of files is left off. */
static size_t wanted_bytes(const uv_dirent_t *entry, const char *suffix) {
    size_t bytes = strlen(entry->name);
    size_t suffix_bytes = suffix != NULL ? strlen(suffix) : 0;
    bool other_kind = entry->type == (suffix != NULL ? UV_DIRENT_DIR : UV_DIRENT_FILE);
    if (other_kind || entry->name[0] == '.' || bytes <= suffix_bytes ||
        memcmp(entry->name + bytes - suffix_bytes, suffix != NULL ? suffix : "", suffix_bytes) != 0) {
        return 0;
    }
    return bytes - suffix_bytes;
}

static enum itr_status list(const char *folder, const char *suffix, struct itr_strings *names, struct itr_error *err) {
    uv_fs_t request;
    uv_dirent_t entry;
    enum itr_status status = ITR_OK;
    int result = uv_fs_scandir(NULL, &request, folder, 0, NULL);
    if (result < 0) {
        uv_fs_req_cleanup(&request);
        return itr_fail(err, result == UV_ENOMEM ? ITR_E_NO_MEMORY : ITR_E_NOT_FOUND, result, "cannot list %s: %s", folder,
                        uv_strerror(result));
    }
    /* To the end also after a failure: libuv frees the last entry with the end of the list only. */
    while (uv_fs_scandir_next(&request, &entry) == 0) {
        size_t bytes = status == ITR_OK ? wanted_bytes(&entry, suffix) : 0;
        if (bytes > 0 && !add_name(names, entry.name, bytes)) {
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory listing %s", folder);
        }
    }
    uv_fs_req_cleanup(&request);
    if (status != ITR_OK) {
        itr_layout_release(names);
    } else if (names->count > 1) {
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    }
    return status;
}

enum itr_status itr_layout_folders(const char *folder, struct itr_strings *names, struct itr_error *err) {
    return list(folder, NULL, names, err);
}

enum itr_status itr_layout_files(const char *folder, const char *suffix, struct itr_strings *names, struct itr_error *err) {
    return list(folder, suffix, names, err);
}

enum itr_status itr_layout_go_versions(const struct itr_layout *layout, struct itr_strings *versions,
                                       struct itr_error *err) {
    struct itr_strings all = {0};
    enum itr_status status = itr_layout_folders(layout->libraries, &all, err);
    for (size_t i = 0; i < all.count && status == ITR_OK; i++) {
        if (strncmp(all.items[i], "go", 2) == 0 && !add_name(versions, all.items[i], strlen(all.items[i]))) {
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory listing Go versions");
        }
    }
    itr_layout_release(&all);
    return status;
}

enum itr_status itr_layout_host(const struct itr_layout *layout, const char *name, bool hooked, char *path,
                                size_t room, struct itr_error *err) {
    snprintf(path, room, "%s/%s%s%s", layout->hosts, name, hooked ? "_hooked" : "", itrp_program_suffix());
    if (!itr_path_exists(path)) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "host program %s is not there: build the project, or give --host",
                        path);
    }
    return ITR_OK;
}

bool itr_layout_is_plain(const struct itr_layout *layout, const char *name) {
    char path[1400];
    snprintf(path, sizeof path, "%s/c/%s%s", layout->libraries, name, itrp_library_suffix());
    return itr_path_exists(path);
}

enum itr_status itr_layout_library(const struct itr_layout *layout, const char *name, const char *go, char *path,
                                   size_t room, struct itr_error *err) {
    bool plain = itr_layout_is_plain(layout, name);
    snprintf(path, room, "%s/%s/%s%s", layout->libraries, plain || go == NULL ? "c" : go, name,
             itrp_library_suffix());
    if (!itr_path_exists(path)) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0,
                        "library %s is not there: add that Go to INITRACE_GO_ROOTS and build the project", path);
    }
    return ITR_OK;
}

/* The word "go1.27" or "go1.27-devel_0123" in the first line of a file; false: there is none. */
static bool read_version(const char *root, const char *name, char *version, size_t room) {
    char path[2048];
    char line[256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *file = fopen(path, "r");
    bool got = file != NULL && fgets(line, (int)sizeof line, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    const char *word = got && strncmp(line, "devel ", 6) == 0 ? line + 6 : line;
    size_t bytes = got ? strcspn(word, " \t\r\n") : 0;
    got = bytes > 2 && bytes < room && strncmp(word, "go", 2) == 0 && word[2] >= '0' && word[2] <= '9';
    if (got) {
        memcpy(version, word, bytes);
        version[bytes] = '\0';
    }
    return got;
}

enum itr_status itr_goroot_version(const char *root, char *version, size_t room, struct itr_error *err) {
    return read_version(root, "VERSION", version, room) || read_version(root, "VERSION.cache", version, room)
               ? ITR_OK
               : itr_fail(err, ITR_E_NOT_FOUND, 0, "%.350s is no GOROOT: no file VERSION (or VERSION.cache) with a Go version is in it", root);
}
