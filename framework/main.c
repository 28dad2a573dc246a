/* The program: reads the command line, calls the command, and nothing else. */
#include "framework/commands.h"

#include "framework/campaign.h"
#include "platform/platform.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int run_command(struct itr_options *options, int argc, char **argv) {
    struct itr_layout layout;
    struct itr_error error = {0};
    bool starts_processes = options->command == ITR_COMMAND_RUN || options->command == ITR_COMMAND_LOCATE ||
                            options->command == ITR_COMMAND_REPLAY || options->command == ITR_COMMAND_DOCTOR ||
                            options->command == ITR_COMMAND_BUILD ||
                            options->command == ITR_COMMAND_COMPARE || options->command == ITR_COMMAND_MATRIX ||
                            options->command == ITR_COMMAND_BISECT;
    if (itr_layout_find(&layout, &error) != ITR_OK || (starts_processes && itrp_guard_enter(&error) != ITR_OK)) {
        return itr_complain(&error);
    }
    switch (options->command) {
    case ITR_COMMAND_LIST:
        return options->known ? itr_command_list_known(options, &layout) : itr_command_list(options, &layout);
    case ITR_COMMAND_RUN:
        return itr_command_run(options, &layout, argc, argv);
    case ITR_COMMAND_LOCATE:
        return itr_command_locate(options, &layout, argc, argv);
    case ITR_COMMAND_COMPARE:
        return itr_command_compare(options, &layout, argc, argv);
    case ITR_COMMAND_BISECT:
        return itr_command_bisect(options, &layout, argc, argv);
    case ITR_COMMAND_MATRIX:
        return itr_command_matrix(options, &layout, argc, argv);
    case ITR_COMMAND_REPLAY:
        return itr_command_replay(options, &layout);
    case ITR_COMMAND_BUILD:
        return itr_command_build(options, &layout);
    case ITR_COMMAND_REPORT:
        return itr_command_report(options);
    case ITR_COMMAND_TRIAGE:
        return itr_command_triage(options, &layout);
    case ITR_COMMAND_DOCTOR:
        return itr_command_doctor(options, &layout);
    case ITR_COMMAND_NONE:
        break;
    }
    itr_fail(&error, ITR_E_USAGE, 0, "a command is missing; initrace --help lists them");
    return itr_complain(&error);
}

/* Also where the command line cannot be read: a mistake in it is no answer either. */
static bool is_step(int argc, char **argv) {
    const char *twin = getenv("INITRACE_STEP");
    bool step = twin != NULL && strcmp(twin, "1") == 0;
    bool bisects = false;
    for (int i = 1; i < argc; i++) {
        step = step || strcmp(argv[i], "--step") == 0;
        bisects = bisects || strcmp(argv[i], "bisect") == 0;
    }
    return step && bisects;
}

int main(int argc, char **argv) {
    struct itr_options options;
    struct itr_error error = {0};
    int code = ITR_EXIT_EXPECTED;

    itrp_help_if_asked();
    if (itr_options_read(&options, argc, argv, &error) != ITR_OK) {
        code = itr_complain(&error);
        return is_step(argc, argv) ? itr_step_exit_code(code) : code;
    }
    if (options.help) {
        struct itr_text text = {0};
        itr_options_help(&text, options.command);
        fputs(itr_text_string(&text), stdout);
        itr_text_release(&text);
    } else if (options.version) {
        puts("initrace " ITR_VERSION);
    } else {
        code = run_command(&options, argc, argv);
    }
    itr_options_release(&options);
    if (fflush(stdout) != 0 && code == ITR_EXIT_EXPECTED) {
        code = ITR_EXIT_TOOL;
    }
    return is_step(argc, argv) ? itr_step_exit_code(code) : code;
}
