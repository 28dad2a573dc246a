/* Has a user's own Go build the libraries of share/initrace/golibs. Which Go a cell uses is select.c's. */
#include "framework/golib.h"

#include "framework/folder.h"
#include "framework/text.h"
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUILD_DEADLINE_MS = 10 * 60 * 1000, SOURCES_MAX = 32 };

struct build {
    uv_timer_t timer;
    struct itrp_process *process;
    bool ended;
    bool late;
};

static void on_build_ended(struct itrp_process *process, void *context) {
    struct build *build = context;
    (void)process;
    build->ended = true;
}

static void on_build_late(uv_timer_t *timer) {
    struct build *build = timer->data;
    build->late = true;
    itrp_process_kill(build->process);
}

/* Runs the Go tool to its end. */
static enum itr_status run_go(const struct itrp_process_spec *spec, struct itr_error *err) {
    uv_loop_t loop;
    uint32_t strays = 0;
    struct build build = {0};
    if (uv_loop_init(&loop) != 0) {
        return itr_fail(err, ITR_E_SYSTEM, 0, "cannot make a loop to wait for %s", spec->program);
    }
    uv_timer_init(&loop, &build.timer);
    build.timer.data = &build;
    enum itr_status status = itrp_process_start(&build.process, &loop, spec, on_build_ended, &build, err);
    if (status == ITR_OK) {
        uv_timer_start(&build.timer, on_build_late, BUILD_DEADLINE_MS, 0);
        while (!build.ended) {
            uv_run(&loop, UV_RUN_ONCE);
        }
        const struct itrp_exit *end = itrp_process_exit(build.process);
        if (build.late || end->signaled || end->code != 0) {
            status = itr_fail(err, ITR_E_USAGE, 0, "%s could not build %s%s", spec->program, spec->directory,
                              build.late ? " in ten minutes" : ": its messages are above");
        }
        struct itr_error left = {0};
        if (itrp_process_end_tree(build.process, 5000, &strays, &left) != ITR_OK && status == ITR_OK) {
            *err = left;
            status = left.status;
        }
        itrp_process_close(build.process);
    }
    uv_close((uv_handle_t *)&build.timer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&loop) != 0) {
        ITR_BUG("the loop of a Go build still has handles");
    }
    return status;
}

/* The one line of a small file; false if there is none. */
static bool read_line(const char *path, char *line, size_t room) {
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

static bool real_path(const char *path, char *out, size_t room) {
    uv_fs_t request;
    int result = uv_fs_realpath(NULL, &request, path, NULL);
    if (result == 0) {
        snprintf(out, room, "%s", (const char *)request.ptr);
    }
    uv_fs_req_cleanup(&request);
    return result == 0;
}

/* Did the build make its libraries of this version with that very GOROOT? */
static bool is_built_in(const struct itr_layout *layout, const char *version, const char *root) {
    char file[1400];
    char recorded[1024];
    char resolved[1024];
    snprintf(file, sizeof file, "%s/%s/GOROOT", layout->libraries, version);
    return read_line(file, recorded, sizeof recorded) && real_path(recorded, resolved, sizeof resolved) &&
           strcmp(resolved, root) == 0;
}

struct sources {
    char flags[512]; /* "-ldflags=…" or "" */
    char files[SOURCES_MAX][128];
    size_t count;
    bool for_this_system;
};

/* ITR_E_LIMIT: a flag that is cut would be another flag, a source that is left out another library. */
static enum itr_status read_flags(const char *folder, const char *name, struct sources *sources, struct itr_error *err) {
    char path[1400];
    char line[sizeof sources->flags - 16];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (!read_line(path, line, sizeof line)) {
        return itr_fail(err, ITR_E_FORMAT, 0, "%s: expected one line with the linker's flags", path);
    }
    if (strlen(line) + 2 >= sizeof line) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %zu bytes of flags", path, sizeof line - 3);
    }
    snprintf(sources->flags, sizeof sources->flags, "-ldflags=%s", line);
    return ITR_OK;
}

static enum itr_status add_source(const char *folder, const char *name, struct sources *sources, struct itr_error *err) {
    if (sources->count == SOURCES_MAX || strlen(name) >= sizeof sources->files[0]) {
        return itr_fail(err, ITR_E_LIMIT, 0, "%s: more than %d sources, or one with a name of over %zu bytes", folder, SOURCES_MAX,
                        sizeof sources->files[0] - 1);
    }
    memcpy(sources->files[sources->count++], name, strlen(name) + 1);
    return ITR_OK;
}

/* A golib folder with files ldflags.SYSTEM is for those systems only. */
static enum itr_status read_sources(const char *folder, struct sources *sources, struct itr_error *err) {
    char mine[64];
    uv_fs_t request;
    uv_dirent_t entry;
    bool limited = false;
    enum itr_status status = ITR_OK;
    *sources = (struct sources){0};
    snprintf(mine, sizeof mine, "ldflags.%s", itrp_system_family());
    int result = uv_fs_scandir(NULL, &request, folder, 0, NULL);
    if (result < 0) {
        status = itr_fail(err, ITR_E_NOT_FOUND, result, "cannot list %s: %s", folder, uv_strerror(result));
    }
    /* To the end also after a failure: libuv frees the last entry with the end of the list only. */
    while (result >= 0 && uv_fs_scandir_next(&request, &entry) == 0) {
        const char *dot = strrchr(entry.name, '.');
        bool is_flags = strncmp(entry.name, "ldflags.", 8) == 0;
        limited = limited || is_flags;
        if (status == ITR_OK && dot != NULL && strcmp(dot, ".go") == 0) {
            status = add_source(folder, entry.name, sources, err);
        } else if (status == ITR_OK && is_flags && strcmp(entry.name, mine) == 0) {
            status = read_flags(folder, mine, sources, err);
        }
    }
    uv_fs_req_cleanup(&request);
    sources->for_this_system = !limited || sources->flags[0] != '\0';
    return status;
}

static enum itr_status build_one(const struct itr_layout *layout, const char *root, const char *label,
                                 const char *library, struct itr_error *err) {
    static const char *const fixed[] = {"GOENV=off", "GOTOOLCHAIN=local", "GOFLAGS=", "GO111MODULE=auto",
                                        "GOWORK=off", "CGO_ENABLED=1", "GOARCH=amd64"};
    char program[1200];
    char folder[1300];
    char output[1500];
    char goroot[1100];
    struct sources sources;
    const char *environment[16] = {0};
    const char *arguments[SOURCES_MAX + 8] = {"build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-o", output};
    size_t count = 6;
    snprintf(program, sizeof program, "%s/bin/go%s", root, itrp_program_suffix());
    snprintf(folder, sizeof folder, "%s/share/initrace/golibs/%s", layout->prefix, library);
    snprintf(output, sizeof output, "%s/%s/%s%s", layout->libraries, label, library, itrp_library_suffix());
    snprintf(goroot, sizeof goroot, "GOROOT=%s", root);
    if (!itr_path_exists(program)) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0,
                        "--go %s: %s is not there; for a cross-built Windows library add the GOROOT to "
                        "INITRACE_GO_ROOTS and build the project",
                        root, program);
    }
    enum itr_status status = read_sources(folder, &sources, err);
    if (status != ITR_OK || !sources.for_this_system) {
        return status;
    }
    if (sources.flags[0] != '\0') {
        arguments[count++] = sources.flags;
    }
    for (size_t i = 0; i < sources.count; i++) {
        arguments[count++] = sources.files[i];
    }
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        environment[i] = fixed[i];
    }
    environment[sizeof fixed / sizeof fixed[0]] = goroot;
    struct itrp_process_spec spec = {.program = program, .arguments = arguments, .environment = environment,
                                     .directory = folder, .output = 2, .error = 2};
    return run_go(&spec, err);
}

enum itr_status itr_golib_provide(const struct itr_layout *layout, const char *root, char *name, size_t room,
                                  struct itr_error *err) {
    char version[64];
    char resolved[1024];
    char folder[1300];
    struct itr_strings libraries = {0};
    enum itr_status status = itr_goroot_version(root, version, sizeof version, err);
    if (status != ITR_OK) {
        return status;
    }
    if (!real_path(root, resolved, sizeof resolved)) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "--go %s: no such folder", root);
    }
    if (is_built_in(layout, version, resolved)) {
        snprintf(name, room, "%s", version);
        return ITR_OK;
    }
    uint64_t mark = itr_hash64(ITR_HASH64_START, resolved, strlen(resolved));
    snprintf(name, room, "%s-%08" PRIx32, version, (uint32_t)(mark ^ (mark >> 32)));
    snprintf(folder, sizeof folder, "%s/%s", layout->libraries, name);
    status = itr_folder_make(folder, err);
    snprintf(folder, sizeof folder, "%s/share/initrace/golibs", layout->prefix);
    if (status == ITR_OK) {
        status = itr_layout_folders(folder, &libraries, err);
    }
    for (size_t i = 0; i < libraries.count && status == ITR_OK; i++) {
        status = build_one(layout, resolved, name, libraries.items[i], err);
    }
    itr_layout_release(&libraries);
    return status;
}
