/* Finds an arm's recipes and applies them; reads an overlay of the user's own into the list of changes, so that recipes and
 * patches go on top of it and one overlay is what is built. */
#include "framework/arm_changes.h"

#include "framework/json.h"
#include "framework/patch.h"
#include "framework/recipe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_BYTES_MAX = 2048, OVERLAY_BYTES_MAX = 1 << 20 };

/* ---- an overlay of the user's own ---- */

static bool is_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/';
}

/* "runtime/proc.go" of a path that may go through links, and whose last folders may be the overlay's alone. */
static bool below_sources(const char *from, const char *root, char *path, size_t room) {
    char sources[PATH_BYTES_MAX];
    char resolved[PATH_BYTES_MAX];
    char folder[PATH_BYTES_MAX];
    char found[PATH_BYTES_MAX];
    struct itr_error ignored = {0};
    int length = snprintf(folder, sizeof folder, "%s", from);
    if (length <= 0 || (size_t)length >= sizeof folder || snprintf(sources, sizeof sources, "%s/src", root) >= (int)sizeof sources) {
        return false;
    }
    for (char *at = folder; *at != '\0'; at++) {
        *at = *at == '\\' ? '/' : *at;
    }
    if (is_below(folder, sources)) {
        return snprintf(path, room, "%s", folder + strlen(sources) + 1) < (int)room;
    }
    char *slash = strrchr(folder, '/');
    if (slash == NULL || itr_path_real(sources, resolved, sizeof resolved, &ignored) != ITR_OK) {
        return false;
    }
    *slash = '\0';
    if (itr_path_real(folder[0] != '\0' ? folder : "/", found, sizeof found, &ignored) != ITR_OK) {
        return false;
    }
    const char *below = is_below(found, resolved) ? found + strlen(resolved) + 1 : NULL;
    return below != NULL && snprintf(path, room, "%s/%s", below, slash + 1) < (int)room;
}

/* For free(), with a NUL behind. */
static enum itr_status read_file(const char *path, char **text, size_t *count, struct itr_error *err) {
    size_t room = 64 * 1024;
    char *bytes = malloc(room);
    FILE *file = fopen(path, "rb");
    int code = errno;
    size_t got = file != NULL && bytes != NULL ? 1 : 0;
    *count = 0;
    while (got > 0 && *count <= ITR_SOURCE_BYTES_MAX) {
        if (*count + 1 >= room) {
            char *grown = realloc(bytes, 2 * room);
            if (grown == NULL) {
                free(bytes);
                bytes = NULL;
                break;
            }
            bytes = grown;
            room *= 2;
        }
        got = fread(bytes + *count, 1, room - 1 - *count, file);
        *count += got;
    }
    enum itr_status status = ITR_OK;
    if (file == NULL) {
        status = itr_fail(err, ITR_E_NOT_FOUND, code, "%s, which the overlay names: %s", path, strerror(code));
    } else if (bytes == NULL) {
        status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory reading %s", path);
    } else if (ferror(file) != 0) {
        status = itr_fail(err, ITR_E_SYSTEM, 0, "%s cannot be read", path);
    } else if (*count > ITR_SOURCE_BYTES_MAX) {
        status = itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d bytes", path, ITR_SOURCE_BYTES_MAX);
    }
    if (file != NULL) {
        fclose(file);
    }
    if (status != ITR_OK) {
        free(bytes);
        return status;
    }
    bytes[*count] = '\0';
    *text = bytes;
    return ITR_OK;
}

static enum itr_status replace(const char *overlay, const char *from, const char *to, struct itr_changes *changes,
                               struct itr_error *err) {
    char path[ITR_CHANGES_PATH_MAX];
    char *text = NULL;
    size_t count = 0;
    struct itr_changed_file *file = NULL;
    if (!below_sources(from, changes->root, path, sizeof path)) {
        return itr_fail(err, ITR_E_USAGE, 0, "%s: %.200s is no file below %s/src, the only ones that an arm can change", overlay, from,
                        changes->root);
    }
    enum itr_status status = to[0] != '\0' ? read_file(to, &text, &count, err) : ITR_OK;
    if (status == ITR_OK) {
        status = itr_changes_file(changes, path, &file, err);
    }
    if (status != ITR_OK) {
        free(text);
        return status;
    }
    itr_changes_set(file, text, count);
    return ITR_OK;
}

static enum itr_status add_overlay(const char *overlay, struct itr_changes *changes, struct itr_error *err) {
    json_t *json = NULL;
    const char *from = NULL;
    json_t *to = NULL;
    enum itr_status status = itr_json_read(overlay, OVERLAY_BYTES_MAX, JSON_REJECT_DUPLICATES, &json, err);
    json_t *all = json_object_get(json, "Replace");
    if (status == ITR_OK && !json_is_object(all)) {
        status = itr_fail(err, ITR_E_FORMAT, 0, "%s: expected {\"Replace\": {…}}, what go build -overlay reads", overlay);
    }
    json_object_foreach(all, from, to) {
        if (status == ITR_OK && !json_is_string(to)) {
            status = itr_fail(err, ITR_E_FORMAT, 0, "%s: %.200s: expected the path of a file, or \"\"", overlay, from);
        } else if (status == ITR_OK) {
            status = replace(overlay, from, json_string_value(to), changes, err);
        }
    }
    json_decref(json);
    return status;
}

/* ---- recipes and patches ---- */

static enum itr_status find_recipe(const struct itr_layout *layout, const char *name, char *path, size_t room,
                                   struct itr_error *err) {
    bool is_path = strpbrk(name, "/\\") != NULL;
    int length = snprintf(path, room, "%s/%s.recipe", layout->recipes, name);
    if (!is_path && length > 0 && (size_t)length < room && itr_path_exists(path)) {
        return ITR_OK;
    }
    length = snprintf(path, room, "%s", name);
    return length > 0 && (size_t)length < room && itr_path_exists(path)
               ? ITR_OK
               : itr_fail(err, ITR_E_NOT_FOUND, 0, "recipe %.200s: no recipe of that name in %s, and no such file", name,
                          layout->recipes);
}

static enum itr_status add_recipe(const struct itr_layout *layout, const char *name, const char *version, const char *system,
                                  struct itr_changes *changes, struct itr_error *err) {
    char path[PATH_BYTES_MAX];
    struct itr_recipe recipe;
    enum itr_status status = find_recipe(layout, name, path, sizeof path, err);
    if (status == ITR_OK) {
        status = itr_recipe_read(path, &recipe, err);
    }
    if (status != ITR_OK) {
        return status;
    }
    status = recipe.system[0] == '\0' || strcmp(recipe.system, system) == 0
                 ? itr_recipe_apply(&recipe, version, changes, err)
                 : itr_fail(err, ITR_E_UNSUPPORTED, 0, "recipe %s changes libraries for %s, not for %s", recipe.name, recipe.system,
                            system);
    itr_recipe_release(&recipe);
    return status;
}

enum itr_status itr_arm_changes(const struct itr_arm_spec *arm, const struct itr_layout *layout, const char *version,
                                const char *system, struct itr_changes *changes, struct itr_error *err) {
    enum itr_status status = arm->overlay != NULL ? add_overlay(arm->overlay, changes, err) : ITR_OK;
    for (size_t i = 0; i < arm->recipes.count && status == ITR_OK; i++) {
        status = add_recipe(layout, arm->recipes.items[i], version, system, changes, err);
    }
    for (size_t i = 0; i < arm->patches.count && status == ITR_OK; i++) {
        status = itr_patch_apply_file(arm->patches.items[i], version, changes, err);
    }
    return status;
}
