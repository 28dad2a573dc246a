/* What all commands share: the way errors, JSON and colours reach a person, and how a case is found. */
#include "framework/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

int itr_complain(const struct itr_error *error) {
    char line[2 * sizeof error->text];
    itr_escape_into(line, sizeof line, ITR_ESCAPE_TERMINAL, error->text, strlen(error->text));
    fprintf(stderr, "initrace: %s\n", line);
    switch (error->status) {
    case ITR_OK:
    case ITR_E_USAGE:
    case ITR_E_FORMAT:
    case ITR_E_NOT_FOUND:
        return ITR_EXIT_USAGE;
    case ITR_E_UNSUPPORTED:
        return ITR_EXIT_UNSUPPORTED;
    case ITR_E_SYSTEM:
    case ITR_E_LIMIT:
    case ITR_E_TIMEOUT:
    case ITR_E_NO_MEMORY:
        return ITR_EXIT_TOOL;
    }
    return ITR_EXIT_TOOL;
}

int itr_print_json(json_t *json, int exit_code) {
    if (json == NULL) {
        struct itr_error error = {0};
        itr_fail(&error, ITR_E_NO_MEMORY, 0, "out of memory for the answer");
        return itr_complain(&error);
    }
    int result = json_dumpf(json, stdout, JSON_INDENT(1));
    json_decref(json);
    putchar('\n');
    return result == 0 && fflush(stdout) == 0 ? exit_code : ITR_EXIT_TOOL;
}

bool itr_use_colour(void) {
    const char *off = getenv("NO_COLOR");
    return uv_guess_handle(1) == UV_TTY && (off == NULL || off[0] == '\0');
}

enum itr_status itr_find_case(const struct itr_options *options, const struct itr_layout *layout, const char *name,
                              struct itr_case *c, struct itr_error *err) {
    char folder[2048];
    char file[2100];
    bool is_path = strpbrk(name, "/\\") != NULL;
    snprintf(folder, sizeof folder, "%s%s%s", is_path ? "" : options->cases != NULL ? options->cases : layout->cases,
             is_path ? "" : "/", name);
    snprintf(file, sizeof file, "%s/case.json", folder);
    if (!itr_path_exists(file)) {
        return itr_fail(err, ITR_E_NOT_FOUND, 0, "%s: no such case; initrace list shows them", name);
    }
    return itr_case_read(folder, c, err);
}
