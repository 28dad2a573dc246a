/* The folder of built libraries: whole entries, marks of who uses them, the removal of old ones. It knows no Go.
 *
 * A process marks an entry by a file in-use.<system>.<process id> in it, which nobody removes while that process lives;
 * where that cannot be told (a process of Wine's seen from Linux) a mark holds for a week. Who removes an entry renames it
 * first and looks for marks once more; who marks one looks afterwards whether it is still there. */
#include "framework/golib_parts.h"

#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEPTH_MAX = 24, KEY_DIGITS = 16, HOUR_S = 3600, DAY_S = 24 * HOUR_S, WEEK_S = 7 * DAY_S };

#define MARK "in-use."
#define BUILDING ".building-" /* hidden: not listed as a Go version */
#define REMOVED ".removed-"

void itr_golib_remove(const char *folder) {
    itr_path_remove(folder, DEPTH_MAX);
}

/* Seconds since it was written; 0: it is not there, or of the future. */
static uint64_t age_s(const char *path) {
    uv_fs_t request;
    int result = uv_fs_stat(NULL, &request, path, NULL);
    uint64_t then = result == 0 ? (uint64_t)request.statbuf.st_mtim.tv_sec : UINT64_MAX;
    uv_fs_req_cleanup(&request);
    uint64_t now = (uint64_t)time(NULL);
    return now > then ? now - then : 0;
}

bool itr_golib_is_whole(const char *folder) {
    char path[ITR_GOLIB_PATH_MAX];
    return snprintf(path, sizeof path, "%s/arm.json", folder) < (int)sizeof path && itr_path_exists(path);
}

/* ---- marks ---- */

/* "wine.1234" of a mark or of a building folder's end: does that process live, as far as can be told? */
static bool owner_lives(const char *owner, const char *path) {
    const char *system = itrp_system_name();
    size_t length = strlen(system);
    if (strncmp(owner, system, length) != 0 || owner[length] != '.') {
        return age_s(path) < WEEK_S;
    }
    long id = strtol(owner + length + 1, NULL, 10);
    return id > 0 && id <= INT32_MAX && uv_kill((int)id, 0) != UV_ESRCH;
}

/* Is anybody else using it? Marks of the dead are removed. */
static bool is_in_use(const char *folder) {
    uv_fs_t request;
    uv_dirent_t entry;
    bool used = false;
    if (uv_fs_scandir(NULL, &request, folder, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            char path[ITR_GOLIB_PATH_MAX];
            uv_fs_t remove;
            if (strncmp(entry.name, MARK, sizeof MARK - 1) != 0 ||
                snprintf(path, sizeof path, "%s/%s", folder, entry.name) >= (int)sizeof path) {
                continue;
            }
            if (owner_lives(entry.name + sizeof MARK - 1, path)) {
                used = true;
            } else {
                uv_fs_unlink(NULL, &remove, path, NULL);
                uv_fs_req_cleanup(&remove);
            }
        }
    }
    uv_fs_req_cleanup(&request);
    return used;
}

bool itr_golib_mark(const char *folder) {
    char path[ITR_GOLIB_PATH_MAX];
    uv_fs_t request;
    if (!itr_golib_is_whole(folder)) {
        return false;
    }
    (void)is_in_use(folder);
    snprintf(path, sizeof path, "%s/" MARK "%s.%d", folder, itrp_system_name(), (int)uv_os_getpid());
    FILE *file = fopen(path, "wb"); /* an installation that is not the user's to write cannot be pruned by them either */
    if (file != NULL) {
        fclose(file);
    }
    double now = (double)time(NULL);
    snprintf(path, sizeof path, "%s/arm.json", folder);
    uv_fs_utime(NULL, &request, path, now, now, NULL);
    uv_fs_req_cleanup(&request);
    return itr_golib_is_whole(folder);
}

/* ---- making ---- */

void itr_golib_work_folder(const char *libraries, const char *name, char *folder, size_t room) {
    snprintf(folder, room, "%s/" BUILDING "%s.%s.%d", libraries, name, itrp_system_name(), (int)uv_os_getpid());
}

static int rename_folder(const char *from, const char *to) {
    uv_fs_t request;
    int result = uv_fs_rename(NULL, &request, from, to, NULL);
    uv_fs_req_cleanup(&request);
    return result;
}

/* Where an entry goes before its files do, so that nobody sees half of it. */
static void name_aside(const char *libraries, size_t bytes, const char *name, char *aside, size_t room) {
    snprintf(aside, room, "%.*s/" REMOVED "%s.%s.%d", (int)bytes, libraries, name, itrp_system_name(), (int)uv_os_getpid());
}

/* What is left of an entry there. Another program's may have come in its place meanwhile: that one stays. */
static void remove_half(const char *folder) {
    char aside[ITR_GOLIB_PATH_MAX];
    const char *slash = strrchr(folder, '/');
    if (slash == NULL) {
        return;
    }
    name_aside(folder, (size_t)(slash - folder), slash + 1, aside, sizeof aside);
    if (rename_folder(folder, aside) == 0 && (!itr_golib_is_whole(aside) || rename_folder(aside, folder) != 0)) {
        itr_golib_remove(aside);
    }
}

enum itr_status itr_golib_put(const char *from, const char *to, struct itr_error *err) {
    int result = itr_golib_is_whole(to) ? UV_EEXIST : rename_folder(from, to);
    if (result != 0 && !itr_golib_is_whole(to)) {
        remove_half(to);
        result = rename_folder(from, to);
    }
    if (result != 0) {
        itr_golib_remove(from);
    }
    return result == 0 || itr_golib_is_whole(to)
               ? ITR_OK
               : itr_fail(err, ITR_E_SYSTEM, result, "cannot make %s: %s", to, uv_strerror(result));
}

/* ---- removal ---- */

static bool is_entry(const char *name) {
    const char *digits = strrchr(name, '-');
    return digits != NULL && strlen(digits + 1) == KEY_DIGITS && strspn(digits + 1, "0123456789abcdef") == KEY_DIGITS;
}

/* The owner at the end of ".building-NAME.SYSTEM.ID"; NULL: no such name. */
static const char *owner_of(const char *name) {
    const char *last = strrchr(name, '.');
    if (last == NULL || last == name) {
        return NULL;
    }
    for (const char *at = last - 1; at > name; at--) {
        if (*at == '.') {
            return at + 1;
        }
    }
    return NULL;
}

static void remove_dead_builds(const char *libraries) {
    uv_fs_t request;
    uv_dirent_t entry;
    if (uv_fs_scandir(NULL, &request, libraries, 0, NULL) >= 0) {
        while (uv_fs_scandir_next(&request, &entry) == 0) {
            char path[ITR_GOLIB_PATH_MAX];
            bool temporary = strncmp(entry.name, BUILDING, sizeof BUILDING - 1) == 0 ||
                             strncmp(entry.name, REMOVED, sizeof REMOVED - 1) == 0;
            const char *owner = temporary ? owner_of(entry.name) : NULL;
            if (owner != NULL && snprintf(path, sizeof path, "%s/%s", libraries, entry.name) < (int)sizeof path &&
                !owner_lives(owner, path)) {
                itr_golib_remove(path);
            }
        }
    }
    uv_fs_req_cleanup(&request);
}

static void try_to_remove(const char *libraries, const char *name) {
    char path[ITR_GOLIB_PATH_MAX];
    char aside[ITR_GOLIB_PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", libraries, name);
    name_aside(libraries, strlen(libraries), name, aside, sizeof aside);
    if (is_in_use(path) || rename_folder(path, aside) != 0) {
        return;
    }
    if (is_in_use(aside) && rename_folder(aside, path) == 0) {
        return;
    }
    itr_golib_remove(aside);
}

struct aged {
    const char *name; /* borrowed */
    uint64_t age_s;
};

static int oldest_first(const void *a, const void *b) {
    const struct aged *x = a;
    const struct aged *y = b;
    return x->age_s != y->age_s ? (x->age_s > y->age_s ? -1 : 1) : strcmp(x->name, y->name);
}

void itr_golib_prune(const char *libraries, const char *keep, size_t most) {
    struct itr_strings names = {0};
    struct itr_error ignored = {0};
    size_t count = 0;
    remove_dead_builds(libraries);
    if (itr_layout_folders(libraries, &names, &ignored) != ITR_OK) {
        return;
    }
    struct aged *entries = calloc(names.count + 1, sizeof *entries);
    for (size_t i = 0; i < names.count && entries != NULL; i++) {
        char path[ITR_GOLIB_PATH_MAX];
        if (is_entry(names.items[i]) &&
            snprintf(path, sizeof path, "%s/%s/arm.json", libraries, names.items[i]) < (int)sizeof path) {
            entries[count++] = (struct aged){.name = names.items[i], .age_s = age_s(path)};
        }
    }
    if (count > most) {
        qsort(entries, count, sizeof *entries, oldest_first);
    }
    for (size_t i = 0; count > most && i < count - most; i++) {
        if (entries[i].age_s > HOUR_S && strcmp(entries[i].name, keep) != 0) {
            try_to_remove(libraries, entries[i].name);
        }
    }
    free(entries);
    itr_layout_release(&names);
}
