/* Provides the libraries of a GOROOT or an arm: finds them, or has them built. Which Go a cell uses is select.c's. */
#include "framework/golib.h"

#include "framework/arm_changes.h"
#include "framework/folder.h"
#include "framework/golib_parts.h"
#include "framework/match.h"
#include "framework/overlay.h"
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION_MAX = ITR_GOLIB_NAME_MAX - 18, ARM_FORMAT = 1 };

static const struct itr_arm_spec plain_arm;

/* ---- libraries of the project's own build ---- */

static bool recorded_root(const struct itr_layout *layout, const char *version, char *root, size_t room) {
    char file[1400];
    snprintf(file, sizeof file, "%s/%s/GOROOT", layout->libraries, version);
    return itr_golib_read_line(file, root, room);
}

/* Is the GOROOT as it was when the build made its libraries with it? A file that was edited since is in none of them. */
static bool is_unchanged(const struct itr_layout *layout, const struct itr_golib_inputs *inputs) {
    char file[1400];
    struct itr_golib_listing then;
    struct itr_golib_listing now;
    struct itr_error ignored = {0}; /* a GOROOT that cannot be listed gets no key either: that says why */
    snprintf(file, sizeof file, "%s/%s/GOROOT.files", layout->libraries, inputs->version);
    return itr_golib_read_listing(file, &then) && itr_golib_list(inputs->root, &now, &ignored) == ITR_OK && then.sum == now.sum &&
           then.files == now.files;
}

/* Did the build make its libraries of this version with that very GOROOT as it is now, and for that system? */
static bool is_built_in(const struct itr_layout *layout, const struct itr_golib_inputs *inputs) {
    char recorded[1024];
    char resolved[1024];
    struct itr_error ignored = {0};
    bool there = recorded_root(layout, inputs->version, recorded, sizeof recorded) &&
                 itr_path_real(recorded, resolved, sizeof resolved, &ignored) == ITR_OK && strcmp(resolved, inputs->root) == 0;
    for (size_t i = 0; i < inputs->names.count && there; i++) {
        char file[1500];
        snprintf(file, sizeof file, "%s/%s/%s%s", layout->libraries, inputs->version, inputs->names.items[i],
                 itr_golib_suffix(inputs->system));
        there = !inputs->sources[i].for_system || itr_path_exists(file);
    }
    return there && is_unchanged(layout, inputs);
}

enum itr_status itr_golib_roots(const struct itr_layout *layout, const char *wanted, struct itr_strings *roots,
                                struct itr_error *err) {
    struct itr_strings versions = {0};
    bool is_path = wanted != NULL && strpbrk(wanted, "/\\") != NULL;
    char root[1024];
    enum itr_status status = is_path ? ITR_OK : itr_layout_go_versions(layout, &versions, err);
    if (status == ITR_OK) {
        roots->items = calloc(versions.count + 1, sizeof *roots->items);
        status = roots->items != NULL ? ITR_OK : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < versions.count + (is_path ? 1 : 0) && status == ITR_OK; i++) {
        const char *found = is_path ? wanted : root;
        if (!is_path && (strchr(versions.items[i], '-') != NULL || (wanted != NULL && !itr_go_means(wanted, versions.items[i])))) {
            continue;
        }
        if (!is_path && (!recorded_root(layout, versions.items[i], root, sizeof root) || !itr_path_exists(root))) {
            status = itr_fail(err, ITR_E_NOT_FOUND, 0, "the GOROOT of %s is not there any more: give it as a path", versions.items[i]);
            continue;
        }
        roots->items[roots->count] = strdup(found);
        if (roots->items[roots->count] == NULL) {
            status = itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
        } else {
            roots->count++;
        }
    }
    if (status == ITR_OK && roots->count == 0) {
        status = wanted == NULL
                     ? itr_fail(err, ITR_E_NOT_FOUND, 0, "no Go library was built: give a GOROOT as a path")
                     : itr_fail(err, ITR_E_NOT_FOUND, 0, "Go %.200s: no library was built with it; give its GOROOT as a path", wanted);
    }
    itr_layout_release(&versions);
    if (status != ITR_OK) {
        itr_layout_release(roots);
    }
    return status;
}

/* ---- one entry ---- */

struct providing {
    const struct itr_layout *layout;
    struct itr_golib_inputs inputs;
    struct itr_golib_sources *sources;
    struct itr_changes changes;
    uint64_t key;
    char root[1024];
    char version[64];
};

static enum itr_status read_golibs(struct providing *providing, struct itr_error *err) {
    char folder[1300];
    struct itr_golib_inputs *inputs = &providing->inputs;
    snprintf(folder, sizeof folder, "%s/share/initrace/golibs", providing->layout->prefix);
    enum itr_status status = itr_layout_folders(folder, &inputs->names, err);
    if (status != ITR_OK) {
        return status;
    }
    providing->sources = calloc(inputs->names.count + 1, sizeof *providing->sources);
    inputs->sources = providing->sources;
    if (providing->sources == NULL) {
        return itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory");
    }
    for (size_t i = 0; i < inputs->names.count && status == ITR_OK; i++) {
        char path[sizeof providing->sources->folder];
        int length = snprintf(path, sizeof path, "%s/%s", folder, inputs->names.items[i]);
        if (length < 0 || (size_t)length >= sizeof path) {
            return itr_fail(err, ITR_E_LIMIT, 0, "%s/%s: the path is longer than %zu bytes", folder, inputs->names.items[i],
                            sizeof path - 1);
        }
        status = itr_golib_read_sources(path, inputs->system, &providing->sources[i], err);
    }
    return status;
}

/* Also the version, as the name of an entry has it: of "go1.27-devel_0123" that is "go1.27". */
static enum itr_status read_root(struct providing *providing, const char *root, struct itr_error *err) {
    static const char *const needed[] = {"src/runtime", "pkg/include", "pkg/tool"};
    enum itr_status status = itr_goroot_version(root, providing->version, sizeof providing->version, err);
    if (status == ITR_OK) {
        status = itr_path_real(root, providing->root, sizeof providing->root, err);
    }
    for (size_t i = 0; i < sizeof needed / sizeof needed[0] && status == ITR_OK; i++) {
        char path[1200];
        snprintf(path, sizeof path, "%s/%s", providing->root, needed[i]);
        if (!itr_path_exists(path)) {
            status = itr_fail(err, ITR_E_NOT_FOUND, 0, "%.400s is no GOROOT that can build: %s is not in it", providing->root, needed[i]);
        }
    }
    return status;
}

/* The last folder's name, and the one before it where that says nothing. */
static void set_label(const struct providing *providing, struct itr_golib *golib) {
    const char *last = strrchr(providing->root, '/');
    last = last != NULL ? last + 1 : providing->root;
    if ((strcmp(last, "go") == 0 || strcmp(last, "goroot") == 0) && last - providing->root > 1) {
        last--;
        while (last > providing->root && last[-1] != '/') {
            last--;
        }
    }
    (void)itr_escape_into(golib->label, sizeof golib->label, ITR_ESCAPE_TERMINAL, last, strlen(last)); /* or its beginning */
}

static enum itr_status set_name(const struct providing *providing, struct itr_golib *golib, struct itr_error *err) {
    size_t length = strspn(providing->version, "abcdefghijklmnopqrstuvwxyz0123456789.");
    if (length >= VERSION_MAX) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: the version %s is longer than %d bytes", providing->root, providing->version,
                        VERSION_MAX - 1);
    }
    snprintf(golib->name, sizeof golib->name, "%.*s-%016" PRIx64, (int)length, providing->version, providing->key);
    snprintf(golib->folder, sizeof golib->folder, "%s/%s", providing->layout->libraries, golib->name);
    set_label(providing, golib);
    return ITR_OK;
}

/* "C:/go" as Linux calls it where a Windows program of Wine's says so. */
static const char *without_drive(const char *path) {
    bool drive = ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z')) && path[1] == ':';
    return drive ? path + 2 : path;
}

/* Long or odd ones would not survive the sentence, or a shell. */
static enum itr_status tell_command(const struct providing *providing, struct itr_error *err) {
    struct itr_text text = {.ceiling = 200};
    const char *prefix = without_drive(providing->layout->prefix);
    itr_arm_text(providing->inputs.arm, without_drive(providing->root), &text);
    const char *arm = itr_text_string(&text);
    bool fits = !text.truncated && !text.no_memory && strchr(arm, '\'') == NULL && strchr(prefix, '\'') == NULL && strlen(prefix) <= 160;
    enum itr_status status =
        fits ? itr_fail(err, ITR_E_NOT_FOUND, 0,
                        "the libraries are not built, and that GOROOT has no bin/go%s: on Linux, initrace build '%s' --system %s --into '%s'",
                        itrp_program_suffix(), arm, providing->inputs.system, prefix)
             : itr_fail(err, ITR_E_NOT_FOUND, 0,
                        "the libraries are not built, and that GOROOT has no bin/go%s: initrace build makes them on Linux, from the same "
                        "arm, with --system %s and --into this build tree or installation",
                        itrp_program_suffix(), providing->inputs.system);
    itr_text_release(&text);
    return status;
}

static enum itr_status check_go(const struct providing *providing, struct itr_error *err) {
    char program[1200];
    const char *system = providing->inputs.system;
    snprintf(program, sizeof program, "%s/bin/go%s", providing->root, itrp_program_suffix());
    if (itr_path_exists(program)) {
        return strcmp(system, itrp_system_family()) == 0 || strcmp(system, "windows") == 0
                   ? ITR_OK
                   : itr_fail(err, ITR_E_UNSUPPORTED, 0, "libraries for %s cannot be built on %s", system, itrp_system_family());
    }
    return strcmp(itrp_system_family(), "windows") == 0
               ? tell_command(providing, err)
               : itr_fail(err, ITR_E_NOT_FOUND, 0, "%.300s is no GOROOT that can build: bin/go is not in it", providing->root);
}

/* ---- arm.json: what the entry is made from, for people ---- */

/* A path need not be UTF-8. NULL: JSON's null. */
static json_t *printable(const char *text) {
    struct itr_text clean = {0};
    json_t *string = NULL;
    if (text == NULL) {
        return json_null();
    }
    if (itr_text_escape(&clean, ITR_ESCAPE_UTF8, text, strlen(text))) {
        string = json_string(itr_text_string(&clean));
    }
    itr_text_release(&clean);
    return string;
}

static json_t *list_of(const struct itr_strings *strings) {
    json_t *list = json_array();
    for (size_t i = 0; i < strings->count; i++) {
        if (json_array_append_new(list, printable(strings->items[i])) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *changed_files(const struct itr_changes *changes) {
    json_t *list = json_array();
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->files[i]->changed && json_array_append_new(list, json_string(changes->files[i]->path)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static enum itr_status write_arm(const struct providing *providing, const char *folder, struct itr_error *err) {
    char hash[24];
    const struct itr_arm_spec *arm = providing->inputs.arm;
    snprintf(hash, sizeof hash, "0x%016" PRIx64, itr_changes_hash(&providing->changes));
    json_t *json = json_pack("{s:i, s:s, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:s}", "format", (int)ARM_FORMAT, "label", arm->label,
                             "go", providing->version, "goroot", printable(providing->root), "system", providing->inputs.system, "recipes",
                             list_of(&arm->recipes), "patches", list_of(&arm->patches), "overlay", printable(arm->overlay), "flags",
                             list_of(&arm->flags), "changed", changed_files(&providing->changes), "changes_hash", hash);
    enum itr_status status = json != NULL ? itr_folder_write_json(folder, "arm.json", json, err)
                                          : itr_fail(err, ITR_E_NO_MEMORY, 0, "cannot make %.300s/arm.json: out of memory", folder);
    json_decref(json);
    return status;
}

/* overlay.json named the folder of the build: now the one in which it will be found. */
static enum itr_status write_final_overlay(const struct providing *providing, const char *work, const char *folder,
                                           struct itr_error *err) {
    json_t *json = itr_overlay_json(&providing->changes, folder);
    enum itr_status status = json != NULL ? itr_folder_write_json(work, "overlay.json", json, err)
                                          : itr_fail(err, ITR_E_NO_MEMORY, 0, "cannot make %s/overlay.json: out of memory", folder);
    json_decref(json);
    return status;
}

static bool changes_sources(const struct itr_changes *changes) {
    for (size_t i = 0; i < changes->count; i++) {
        if (changes->files[i]->changed) {
            return true;
        }
    }
    return false;
}

/* cgo writes a header beside each library. */
static void remove_header(const char *folder, const char *library) {
    char path[ITR_GOLIB_PATH_MAX + 264];
    uv_fs_t request;
    snprintf(path, sizeof path, "%s/%s.h", folder, library);
    uv_fs_unlink(NULL, &request, path, NULL);
    uv_fs_req_cleanup(&request);
}

static enum itr_status build_in(const struct providing *providing, const char *work, const char *folder, struct itr_error *err) {
    const struct itr_golib_inputs *inputs = &providing->inputs;
    char overlay[ITR_GOLIB_PATH_MAX + 16];
    bool changed = changes_sources(&providing->changes);
    enum itr_status status = itr_folder_make(work, err);
    if (status == ITR_OK && changed) {
        status = itr_overlay_write(&providing->changes, work, NULL, err);
    }
    snprintf(overlay, sizeof overlay, "%s/overlay.json", work);
    for (size_t i = 0; i < inputs->names.count && status == ITR_OK; i++) {
        if (inputs->sources[i].for_system) {
            status = itr_golib_build(inputs, i, work, changed ? overlay : NULL, err);
            remove_header(work, inputs->names.items[i]);
        }
    }
    if (status == ITR_OK && changed) {
        status = write_final_overlay(providing, work, folder, err);
    }
    return status == ITR_OK ? write_arm(providing, work, err) : status;
}

static enum itr_status build_entry(const struct providing *providing, struct itr_golib *golib, struct itr_error *err) {
    char work[ITR_GOLIB_PATH_MAX];
    enum itr_status status = check_go(providing, err);
    if (status != ITR_OK) {
        return status;
    }
    itr_golib_work_folder(providing->layout->libraries, golib->name, work, sizeof work);
    itr_golib_remove(work);
    status = build_in(providing, work, golib->folder, err);
    if (status == ITR_OK) {
        status = itr_golib_put(work, golib->folder, err);
    } else {
        itr_golib_remove(work);
    }
    golib->built = status == ITR_OK;
    if (status == ITR_OK && !itr_golib_mark(golib->folder)) {
        status = itr_fail(err, ITR_E_SYSTEM, 0, "%s was removed while it was made", golib->folder);
    }
    if (status == ITR_OK) {
        itr_golib_prune(providing->layout->libraries, golib->name, ITR_GOLIB_ENTRIES_MAX);
    }
    return status;
}

static enum itr_status provide(struct providing *providing, const struct itr_golib_request *request, struct itr_golib *golib,
                               struct itr_error *err) {
    struct itr_golib_inputs *inputs = &providing->inputs;
    enum itr_status status = read_root(providing, request->root, err);
    if (status == ITR_OK) {
        status = read_golibs(providing, err);
    }
    if (status == ITR_OK && itr_arm_is_plain(inputs->arm) && is_built_in(providing->layout, inputs)) {
        snprintf(golib->name, sizeof golib->name, "%.*s", ITR_GOLIB_NAME_MAX - 1, providing->version);
        snprintf(golib->folder, sizeof golib->folder, "%s/%s", providing->layout->libraries, golib->name);
        return ITR_OK;
    }
    if (status == ITR_OK) {
        status = itr_arm_changes(inputs->arm, providing->layout, providing->version, inputs->system, &providing->changes, err);
    }
    if (status == ITR_OK) {
        status = itr_golib_key(inputs, &providing->key, err);
    }
    if (status == ITR_OK) {
        status = set_name(providing, golib, err);
    }
    return status != ITR_OK || itr_golib_mark(golib->folder) ? status : build_entry(providing, golib, err);
}

enum itr_status itr_golib_provide(const struct itr_layout *layout, const struct itr_golib_request *request,
                                  struct itr_golib *golib, struct itr_error *err) {
    struct providing providing = {.layout = layout};
    *golib = (struct itr_golib){0};
    providing.changes.root = providing.root;
    providing.inputs = (struct itr_golib_inputs){.root = providing.root,
                                                 .version = providing.version,
                                                 .system = request->system != NULL ? request->system : itrp_system_family(),
                                                 .arm = request->arm != NULL ? request->arm : &plain_arm,
                                                 .changes = &providing.changes};
    enum itr_status status = provide(&providing, request, golib, err);
    itr_changes_release(&providing.changes);
    itr_layout_release(&providing.inputs.names);
    free(providing.sources);
    return status;
}

enum itr_status itr_golib_use(const struct itr_layout *layout, const char *name, struct itr_error *err) {
    char folder[ITR_GOLIB_PATH_MAX];
    snprintf(folder, sizeof folder, "%s/%s", layout->libraries, name);
    bool is_name = strpbrk(name, "/\\") == NULL && name[0] != '.' && name[0] != '\0';
    bool there = is_name && (strchr(name, '-') != NULL ? itr_golib_mark(folder) : itr_path_exists(folder));
    return there ? ITR_OK
                 : itr_fail(err, ITR_E_NOT_FOUND, 0, "the libraries %.100s are not there (any more): initrace build makes them again, from the Go, recipes and the like in \"command\" of campaign.json", name);
}
