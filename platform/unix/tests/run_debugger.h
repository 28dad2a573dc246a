/* Runs a debugger that people use, in the scratch folder, and holds what it prints against words. For tests only; what it
 * ought to say stands in them. */
#ifndef INITRACE_PLATFORM_UNIX_TESTS_RUN_DEBUGGER_H
#define INITRACE_PLATFORM_UNIX_TESTS_RUN_DEBUGGER_H

#include "framework/tests/self.h"

enum { DEBUGGER_TEXT_BYTES = 1 << 20 };

static char debugger_text[DEBUGGER_TEXT_BYTES];

/* Whether this command ends well; its output is dropped. */
static bool can_run(const char *command) {
    char line[256];
    snprintf(line, sizeof line, "%s >/dev/null 2>&1", command);
    return system(line) == 0;
}

/* Runs it with what its command file, "commands" in the scratch folder, is to hold. */
static void run_debugger(const char *words, const char *commands) {
    char line[4 * SCRATCH_PATH_MAX];
    scratch_write(scratch, "commands", commands, strlen(commands));
    int length = snprintf(line, sizeof line, "cd '%s' && timeout 60 %s 2>&1 </dev/null", scratch, words);
    assert_true(length > 0 && (size_t)length < sizeof line);
    FILE *pipe = popen(line, "r");
    assert_non_null(pipe);
    size_t count = fread(debugger_text, 1, sizeof debugger_text - 1, pipe);
    debugger_text[count] = '\0';
    (void)pclose(pipe);
}

static void assert_told(const char *part) {
    if (strstr(debugger_text, part) == NULL) {
        fail_msg("the debugger does not say \"%s\":\n%s", part, debugger_text);
    }
}

static void assert_told_times(size_t times, const char *part) {
    size_t count = 0;
    for (const char *at = debugger_text; (at = strstr(at, part)) != NULL; at += strlen(part)) {
        count++;
    }
    if (count != times) {
        fail_msg("the debugger says \"%s\" %zu times, not %zu:\n%s", part, count, times, debugger_text);
    }
}

#endif
