/* Reads and prints JSON text through jansson and watches what that allocates: where it is refused memory jansson may
 * say that the text is wrong, or give a string that lacks its end. */
#include "framework/json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 4096 };

/* jansson has one allocator for the whole program; what this thread was refused is this thread's own. */
static json_malloc_t next_malloc = malloc;
static _Thread_local bool refused;

static void *watched_malloc(size_t bytes) {
    void *memory = next_malloc(bytes);
    refused = refused || memory == NULL;
    return memory;
}

/* Puts itself before whatever allocator is there; does nothing once it is. */
static void watch(void) {
    json_malloc_t now = NULL;
    json_free_t release = NULL;
    json_get_alloc_funcs(&now, &release);
    if (now != watched_malloc) {
        next_malloc = now;
        json_set_alloc_funcs(watched_malloc, release);
    }
}

static enum itr_status out_of_memory(const char *name, struct itr_error *err) {
    return itr_fail(err, ITR_E_NO_MEMORY, 0, "%s: out of memory", name);
}

enum itr_status itr_json_parse(const char *name, unsigned long long line, const void *bytes, size_t count,
                               size_t flags, json_t **json, struct itr_error *err) {
    json_error_t why = {0};
    watch();
    refused = false;
    *json = json_loadb(bytes, count, flags, &why);
    if (refused) {
        json_decref(*json);
        *json = NULL;
        return out_of_memory(name, err);
    }
    return *json != NULL ? ITR_OK
                         : itr_fail(err, ITR_E_FORMAT, 0, "%s:%llu:%d: %s", name,
                                    line + (unsigned long long)(why.line > 0 ? why.line - 1 : 0), why.column, why.text);
}

/* Reads the open file into new memory, up to one byte more than `most`. False: memory was refused. */
static bool read_all(FILE *file, size_t most, char **bytes, size_t *count) {
    size_t room = 0;
    size_t got = 0;
    *count = 0;
    do {
        if (*count == room) {
            size_t wanted = room == 0 ? (size_t)FIRST_ROOM : 2 * room;
            wanted = wanted > most + 1 ? most + 1 : wanted;
            char *grown = realloc(*bytes, wanted);
            if (grown == NULL) {
                return false;
            }
            *bytes = grown;
            room = wanted;
        }
        got = fread(*bytes + *count, 1, room - *count, file);
        *count += got;
    } while (got > 0 && *count <= most);
    return true;
}

enum itr_status itr_json_read(const char *path, size_t most, size_t flags, json_t **json, struct itr_error *err) {
    char *bytes = NULL;
    size_t count = 0;
    enum itr_status status = ITR_OK;
    *json = NULL;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        int code = errno;
        return itr_fail(err, code == ENOENT ? ITR_E_NOT_FOUND : code == ENOMEM ? ITR_E_NO_MEMORY : ITR_E_SYSTEM, code,
                        "%s: %s", path, strerror(code));
    }
    if (!read_all(file, most, &bytes, &count)) {
        status = out_of_memory(path, err);
    } else if (ferror(file)) {
        status = itr_fail(err, ITR_E_SYSTEM, 0, "%s: cannot be read", path);
    } else if (count > most) {
        status = itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %zu bytes", path, most);
    } else {
        status = itr_json_parse(path, 1, bytes, count, flags, json, err);
    }
    fclose(file);
    free(bytes);
    return status;
}

char *itr_json_print(const json_t *json, size_t flags) {
    watch();
    refused = false;
    char *text = json_dumps(json, flags);
    if (refused) {
        free(text);
        text = NULL;
    }
    return text;
}
