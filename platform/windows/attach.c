/* What a person is told to attach with at a held host. No debugger is opened here: they have windows of their own. */
#include "platform/platform.h"
#include "platform/windows/runner_windows.h"

#include <stdio.h>

const char *const *itrp_attach_commands(void) {
    static const char *const commands[] = {"dlv attach", "windbg -p", "gdb -p", NULL};
    static const char *const wine_commands[] = {"winedbg", "gdb -p", "dlv attach", NULL};
    return itrp_windows_is_wine() ? wine_commands : commands;
}

const char *itrp_end_command(void) {
    return "taskkill /F /PID "; /* its job ends the rest */
}

const char *itrp_attach_note(void) {
    return itrp_windows_is_wine() ? "the number is Wine's own, and these are programs in its prefix: "
                                    "wine winedbg, wine taskkill"
                                  : NULL;
}

bool itrp_can_attach_gdb(char *text, size_t room) {
    snprintf(text, room, "no debugger is opened on this system");
    return false;
}
