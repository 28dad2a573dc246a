/* Runs a GOROOT's Go to build one library. Where the result goes, and whether it is needed, is golib.c's. */
#include "framework/golib_parts.h"

#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUILD_DEADLINE_MS = 10 * 60 * 1000, LINKER_WORD_MAX = 4096 };

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
static enum itr_status run_go(const struct itrp_process_spec *spec, const char *library, const char *label, struct itr_error *err) {
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
        if (build.late) {
            status = itr_fail(err, ITR_E_TIMEOUT, 0, "library %s (%s): %.300s did not build it in ten minutes", library, label,
                              spec->program);
        } else if (end->signaled || end->code != 0) {
            status = itr_fail(err, ITR_E_USAGE, 0, "library %s (%s): %.300s could not build it, its messages are above", library,
                              label, spec->program);
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

const char *itr_golib_suffix(const char *system) {
    return strcmp(system, "windows") == 0 ? ".dll" : ".so";
}

/* Of several -ldflags only the last would count: the arm's are put behind the library's own. */
static enum itr_status linker_flags(const struct itr_golib_inputs *inputs, const struct itr_golib_sources *sources, char *out,
                                    size_t room, struct itr_error *err) {
    size_t used = (size_t)snprintf(out, room, "%s%s", sources->flags[0] != '\0' ? "-ldflags=" : "", sources->flags);
    for (size_t i = 0; i < inputs->arm->flags.count && used < room; i++) {
        const char *word = inputs->arm->flags.items[i];
        word += strncmp(word, "--", 2) == 0 ? 1 : 0;
        if (strncmp(word, "-ldflags=", 9) == 0) {
            used += (size_t)snprintf(out + used, room - used, "%s%s", used == 0 ? "-ldflags=" : " ", word + 9);
        }
    }
    return used < room ? ITR_OK : itr_fail(err, ITR_E_LIMIT, 0, "more than %zu bytes of -ldflags", room - 1);
}

static bool is_linker_flag(const char *word) {
    word += strncmp(word, "--", 2) == 0 ? 1 : 0;
    return strncmp(word, "-ldflags=", 9) == 0;
}

enum itr_status itr_golib_build(const struct itr_golib_inputs *inputs, size_t index, const char *folder, const char *overlay,
                                struct itr_error *err) {
    /* What would change the libraries and is not in their key is set here, whatever the user's environment says: empty is
     * Go's own default. The C compiler of this system (CC) is the user's, and in the key. */
    static const char *const fixed[] = {"GOENV=off", "GOTOOLCHAIN=local", "GOFLAGS=", "GO111MODULE=auto", "GOWORK=off",
                                        "CGO_ENABLED=1", "GOARCH=amd64", "GOAMD64=v1", "GOEXPERIMENT=", "GOFIPS140=",
                                        "GO_EXTLINK_ENABLED=", "CGO_CFLAGS=", "CGO_CPPFLAGS=", "CGO_LDFLAGS="};
    enum { FIXED = sizeof fixed / sizeof fixed[0] };
    const struct itr_golib_sources *sources = &inputs->sources[index];
    char program[1200];
    char output[ITR_GOLIB_PATH_MAX];
    char goroot[1100];
    char goos[32];
    char overlay_word[ITR_GOLIB_PATH_MAX];
    char linker[LINKER_WORD_MAX];
    const char *environment[FIXED + 4] = {0};
    const char *arguments[ITR_GOLIB_SOURCES_MAX + ITR_ARM_ITEMS_MAX + 10] = {"build", "-buildmode=c-shared", "-trimpath",
                                                                           "-buildvcs=false", "-o", output};
    size_t count = 6;
    size_t variables = FIXED;
    snprintf(program, sizeof program, "%s/bin/go%s", inputs->root, itrp_program_suffix());
    snprintf(output, sizeof output, "%s/%s%s", folder, inputs->names.items[index], itr_golib_suffix(inputs->system));
    snprintf(goroot, sizeof goroot, "GOROOT=%s", inputs->root);
    snprintf(goos, sizeof goos, "GOOS=%s", inputs->system);
    enum itr_status status = linker_flags(inputs, sources, linker, sizeof linker, err);
    if (status != ITR_OK) {
        return status;
    }
    for (size_t i = 0; i < inputs->arm->flags.count; i++) {
        if (!is_linker_flag(inputs->arm->flags.items[i])) {
            arguments[count++] = inputs->arm->flags.items[i];
        }
    }
    if (linker[0] != '\0') {
        arguments[count++] = linker;
    }
    if (overlay != NULL) {
        snprintf(overlay_word, sizeof overlay_word, "-overlay=%s", overlay);
        arguments[count++] = overlay_word;
    }
    for (size_t i = 0; i < sources->count; i++) {
        arguments[count++] = sources->files[i];
    }
    memcpy(environment, fixed, sizeof fixed);
    environment[variables++] = goroot;
    environment[variables++] = goos;
    if (strcmp(inputs->system, itrp_system_family()) != 0) {
        environment[variables++] = "CC=x86_64-w64-mingw32-gcc";
    } else if (itr_golib_c_compiler(inputs->system)[0] == '\0') {
        environment[variables++] = "CC=";
    }
    struct itrp_process_spec spec = {.program = program, .arguments = arguments, .environment = environment,
                                     .directory = sources->folder, .output = 2, .error = 2};
    const char *label = inputs->arm->label[0] != '\0' ? inputs->arm->label : inputs->version;
    status = run_go(&spec, inputs->names.items[index], label, err);
    return status != ITR_OK || itr_path_exists(output)
               ? status
               : itr_fail(err, ITR_E_USAGE, 0, "library %s (%s): %.300s ended well and made none", inputs->names.items[index], label,
                          program);
}
