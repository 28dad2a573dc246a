/* The program's commands. Each prints its result on stdout and returns the process's exit code. */
#ifndef INITRACE_FRAMEWORK_COMMANDS_H
#define INITRACE_FRAMEWORK_COMMANDS_H

#include "framework/layout.h"
#include "framework/options.h"

#include <jansson.h>

enum {
    ITR_EXIT_EXPECTED = 0,
    ITR_EXIT_FINDING = 1,
    ITR_EXIT_USAGE = 2,
    ITR_EXIT_INCONCLUSIVE = 3,
    ITR_EXIT_TOOL = 4,
    ITR_EXIT_UNSUPPORTED = 77,
    /* What git bisect run takes codes for, where 1 to 127 are answers: */
    ITR_EXIT_STEP_SKIP = 125,
    ITR_EXIT_STEP_ABORT = 128,
    ITR_EXIT_STEP_INTERRUPTED = 130,
};

int itr_command_list(const struct itr_options *options, const struct itr_layout *layout);
int itr_command_run(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv);
int itr_command_locate(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv);
int itr_command_compare(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv);
int itr_command_bisect(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv);
/* `initrace bisect --step`. */
int itr_command_bisect_step(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv);
/* Every code of a step that is no answer aborts the bisection it is a step of: a mistake must not be taken for a finding. */
int itr_step_exit_code(int code);
int itr_command_matrix(struct itr_options *options, const struct itr_layout *layout, int argc, char **argv);
int itr_command_replay(struct itr_options *options, const struct itr_layout *layout);
int itr_command_build(const struct itr_options *options, const struct itr_layout *layout);
int itr_command_report(const struct itr_options *options);
int itr_command_triage(const struct itr_options *options, const struct itr_layout *layout);
/* `initrace list --known`. */
int itr_command_list_known(const struct itr_options *options, const struct itr_layout *layout);
int itr_command_doctor(const struct itr_options *options, const struct itr_layout *layout);

/* Prints the error as one line on stderr and gives the exit code that belongs to it. */
int itr_complain(const struct itr_error *error);
/* Prints JSON on stdout, and releases it. */
int itr_print_json(json_t *json, int exit_code);
/* Reads a case by name from the cases' folder, or by the path of its folder. */
enum itr_status itr_find_case(const struct itr_options *options, const struct itr_layout *layout, const char *name,
                              struct itr_case *c, struct itr_error *err) ITR_MUST_USE;
/* True if stdout is a terminal that may be coloured (NO_COLOR is honoured). */
bool itr_use_colour(void);

#endif
