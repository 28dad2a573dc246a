/* What /proc tells of a process and its threads: names, states, masks, mappings, descriptors. Nobody need be stopped
 * for it. What is in these files is the host's own doing, path names above all: it is bounded, and shown by nobody
 * unescaped. */
#include "platform/unix/snapshot_unix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool read_small(char *text, size_t room, const char *format, long process, long thread) ITR_PRINTF(3, 0);

static bool read_small(char *text, size_t room, const char *format, long process, long thread) {
    char path[96];
    snprintf(path, sizeof path, format, process, thread);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = file >= 0 ? read(file, text, room - 1) : -1;
    if (file >= 0) {
        close(file);
    }
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* ---- threads ---- */

static void copy_line(char *out, size_t room, const char *text) {
    snprintf(out, room, "%.*s", (int)strcspn(text, "\n"), text);
}

bool itrp_unix_read_thread(pid_t process, pid_t thread, struct itrp_snapshot_thread *into) {
    char text[512];
    if (!read_small(text, sizeof text, "/proc/%ld/task/%ld/stat", process, thread)) {
        return false;
    }
    const char *after_name = strrchr(text, ')');
    into->state = after_name != NULL && after_name[1] == ' ' ? after_name[2] : '\0';
    if (read_small(text, sizeof text, "/proc/%ld/task/%ld/comm", process, thread)) {
        copy_line(into->name, sizeof into->name, text);
    }
    if (read_small(text, sizeof text, "/proc/%ld/task/%ld/wchan", process, thread) && strcmp(text, "0") != 0) {
        copy_line(into->wait_channel, sizeof into->wait_channel, text);
    }
    return true;
}

static bool read_mask(const char *text, const char *name, uint64_t *mask) {
    const char *line = strstr(text, name);
    return line != NULL && sscanf(line + strlen(name), "%" SCNx64, mask) == 1;
}

bool itrp_unix_read_signals(pid_t process, pid_t thread, struct itrp_snapshot_thread *into,
                            struct itrp_snapshot *whole) {
    char text[8192];
    if (!read_small(text, sizeof text, "/proc/%ld/task/%ld/status", process, thread)) {
        return false;
    }
    if (into != NULL) {
        into->has_masks = read_mask(text, "\nSigBlk:\t", &into->blocked) && read_mask(text, "\nSigPnd:\t", &into->pending);
    }
    if (whole != NULL) {
        whole->has_signals = read_mask(text, "\nShdPnd:\t", &whole->pending) &&
                             read_mask(text, "\nSigIgn:\t", &whole->ignored) &&
                             read_mask(text, "\nSigCgt:\t", &whole->caught);
    }
    return true;
}

size_t itrp_unix_list_threads(pid_t process, pid_t *threads, size_t max) {
    char path[64];
    size_t count = 0;
    struct dirent *entry = NULL;
    snprintf(path, sizeof path, "/proc/%ld/task", (long)process);
    DIR *tasks = opendir(path);
    while (tasks != NULL && (entry = readdir(tasks)) != NULL) {
        long id = strtol(entry->d_name, NULL, 10);
        if (id > 0) {
            if (count < max) {
                threads[count] = (pid_t)id;
            }
            count++;
        }
    }
    if (tasks != NULL) {
        closedir(tasks);
    }
    return count;
}

/* ---- mappings ---- */

/* The mapping's path, which it shares with the one before where that has the same. NULL: out of memory. */
static const char *keep_path(struct itrp_unix_snapshot *snapshot, const char *path) {
    char *last = snapshot->path_count > 0 ? snapshot->paths[snapshot->path_count - 1] : NULL;
    if (path[0] == '\0') {
        return "";
    }
    if (last != NULL && strcmp(last, path) == 0) {
        return last;
    }
    if ((snapshot->path_count & (snapshot->path_count - 1)) == 0) { /* room doubles */
        size_t room = snapshot->path_count == 0 ? 1 : snapshot->path_count * 2;
        char **grown = realloc(snapshot->paths, room * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        snapshot->paths = grown;
    }
    char *copy = strdup(path);
    if (copy != NULL) {
        snapshot->paths[snapshot->path_count++] = copy;
    }
    return copy;
}

static bool parse_mapping(char *line, struct itrp_snapshot_mapping *mapping, const char **path) {
    char rights[5] = "";
    int at = 0;
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %n", &mapping->begin, &mapping->end, rights,
               &mapping->offset, &at) < 4 ||
        mapping->begin >= mapping->end || at == 0) {
        return false;
    }
    mapping->readable = rights[0] == 'r';
    mapping->writable = rights[1] == 'w';
    mapping->executable = rights[2] == 'x';
    mapping->shared = rights[3] == 's';
    line[strcspn(line, "\n")] = '\0';
    *path = line + at;
    mapping->is_file = **path == '/';
    return true;
}

enum itr_status itrp_unix_read_mappings(struct itrp_unix_snapshot *snapshot, struct itr_error *err) {
    char name[64];
    char *line = NULL;
    size_t line_room = 0;
    size_t room = 0;
    size_t count = 0;
    enum itr_status status = ITR_OK;
    snprintf(name, sizeof name, "/proc/%ld/maps", (long)snapshot->process);
    FILE *file = fopen(name, "re");
    if (file == NULL) {
        return itr_fail(err, ITR_E_SYSTEM, errno, "%s: %s", name, strerror(errno));
    }
    while (status == ITR_OK && getline(&line, &line_room, file) > 0) {
        struct itrp_snapshot_mapping mapping = {0};
        const char *path = NULL;
        if (!parse_mapping(line, &mapping, &path)) {
            continue;
        }
        if (count == ITRP_SNAPSHOT_MAPPINGS_MAX) {
            snapshot->shown.mappings_cut = true;
            break;
        }
        if (count == room) {
            room = room == 0 ? 128 : room * 2;
            struct itrp_snapshot_mapping *grown = realloc(snapshot->mappings, room * sizeof *grown);
            if (grown == NULL) {
                status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a host's mappings");
                break;
            }
            snapshot->mappings = grown;
        }
        mapping.path = keep_path(snapshot, path);
        if (mapping.path == NULL) {
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a host's mappings");
            break;
        }
        snapshot->mappings[count++] = mapping;
    }
    fclose(file);
    free(line);
    snapshot->shown.mappings = snapshot->mappings;
    snapshot->shown.mapping_count = count;
    return status;
}

/* ---- descriptors ---- */

static int by_number(const void *a, const void *b) {
    uint32_t x = ((const struct itrp_snapshot_descriptor *)a)->number;
    uint32_t y = ((const struct itrp_snapshot_descriptor *)b)->number;
    return x < y ? -1 : x > y ? 1 : 0;
}

enum itr_status itrp_unix_read_descriptors(struct itrp_unix_snapshot *snapshot, struct itr_error *err) {
    char path[64];
    size_t count = 0;
    struct dirent *entry = NULL;
    snapshot->descriptors = calloc(ITRP_SNAPSHOT_DESCRIPTORS_MAX, sizeof *snapshot->descriptors);
    if (snapshot->descriptors == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for a host's descriptors");
    }
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)snapshot->process);
    DIR *folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char *end = NULL;
        unsigned long number = strtoul(entry->d_name, &end, 10);
        if (end == entry->d_name || *end != '\0' || number > UINT32_MAX) {
            continue;
        }
        if (count == ITRP_SNAPSHOT_DESCRIPTORS_MAX) {
            snapshot->shown.descriptors_cut = true;
            break;
        }
        struct itrp_snapshot_descriptor *one = &snapshot->descriptors[count++];
        one->number = (uint32_t)number;
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, one->target, sizeof one->target - 1);
        one->target[length > 0 ? length : 0] = '\0';
    }
    if (folder != NULL) {
        closedir(folder);
    }
    qsort(snapshot->descriptors, count, sizeof *snapshot->descriptors, by_number);
    snapshot->shown.descriptors = snapshot->descriptors;
    snapshot->shown.descriptor_count = count;
    return ITR_OK;
}
