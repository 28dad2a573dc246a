/* initrace build: the libraries of arms, made ahead of a campaign, here or for the other system. It runs no host. */
#include "framework/commands.h"

#include "framework/arm.h"
#include "framework/golib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A prefix is known by the sources of its libraries, which are part of their key. */
static enum itr_status find_prefix(const char *into, struct itr_layout *layout, struct itr_error *err) {
    char sources[1400];
    char prefix[sizeof layout->prefix];
    enum itr_status status = itr_path_real(into, prefix, sizeof prefix, err);
    if (status != ITR_OK) {
        return itr_fail_context(err, "--into");
    }
    itr_layout_of(layout, prefix);
    snprintf(sources, sizeof sources, "%s/share/initrace/golibs", layout->prefix);
    return itr_path_exists(sources)
               ? ITR_OK
               : itr_fail(err, ITR_E_NOT_FOUND, 0, "--into %s: no build tree or installation of initrace: share/initrace/golibs is not in it", into);
}

struct building {
    const struct itr_options *options;
    struct itr_layout layout;
    json_t *list;
};

static enum itr_status build_root(struct building *building, const struct itr_arm_spec *arm, const char *root, struct itr_error *err) {
    struct itr_golib golib;
    struct itr_golib_request request = {.root = root, .arm = arm, .system = building->options->system};
    enum itr_status status = itr_golib_provide(&building->layout, &request, &golib, err);
    if (status != ITR_OK) {
        return status;
    }
    if (!building->options->json) {
        char label[2 * ITR_ARM_LABEL_MAX];
        (void)itr_escape_into(label, sizeof label, ITR_ESCAPE_TERMINAL, arm->label, strlen(arm->label));
        printf("%s: %s %s\n", label, golib.folder, golib.built ? "built" : "was there");
        return ITR_OK;
    }
    return json_array_append_new(building->list, json_pack("{s:s, s:s, s:s, s:b}", "label", arm->label, "name", golib.name, "folder",
                                                           golib.folder, "built", (int)golib.built)) == 0
               ? ITR_OK
               : itr_fail(err, ITR_E_NO_MEMORY, 0, "out of memory for the answer");
}

static enum itr_status build_arm(struct building *building, const char *word, struct itr_error *err) {
    struct itr_arm_spec arm;
    struct itr_strings roots = {0};
    enum itr_status status = itr_arm_parse("build", word, &arm, err);
    if (status != ITR_OK) {
        return status;
    }
    if (arm.library != NULL) {
        status = itr_fail(err, ITR_E_USAGE, 0, "build: library= is a file that is there already");
    }
    if (status == ITR_OK) {
        status = itr_golib_roots(&building->layout, arm.go, &roots, err);
    }
    for (size_t i = 0; i < roots.count && status == ITR_OK; i++) {
        status = build_root(building, &arm, roots.items[i], err);
    }
    itr_layout_release(&roots);
    itr_arm_release(&arm);
    return status;
}

int itr_command_build(const struct itr_options *options, const struct itr_layout *layout) {
    struct building building = {.options = options, .layout = *layout, .list = json_array()};
    struct itr_error error = {0};
    enum itr_status status = ITR_OK;
    if (options->words.count == 0) {
        status = itr_fail(&error, ITR_E_USAGE, 0, "initrace build ARM…: expected a Go version, a GOROOT, or what changes one");
    } else if (options->system != NULL && strcmp(options->system, "linux") != 0 && strcmp(options->system, "windows") != 0) {
        status = itr_fail(&error, ITR_E_USAGE, 0, "--system %s: expected linux or windows", options->system);
    } else if (options->into != NULL) {
        status = find_prefix(options->into, &building.layout, &error);
    }
    for (size_t i = 0; i < options->words.count && status == ITR_OK; i++) {
        status = build_arm(&building, options->words.items[i], &error);
    }
    if (status != ITR_OK) {
        json_decref(building.list);
        return itr_complain(&error);
    }
    if (options->json) {
        return itr_print_json(json_pack("{s:i, s:o}", "format", 1, "libraries", building.list), ITR_EXIT_EXPECTED);
    }
    json_decref(building.list);
    return ITR_EXIT_EXPECTED;
}
