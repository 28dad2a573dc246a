/* What a person is told to attach with at a held host. No debugger is opened here: they have windows of their own. */
#include "platform/platform.h"

#include <stdio.h>

const char *const *itrp_attach_commands(void) {
    static const char *const commands[] = {"dlv attach", "windbg -p", "gdb -p", NULL};
    return commands;
}

bool itrp_can_attach_gdb(char *text, size_t room) {
    snprintf(text, room, "no debugger is opened on this system");
    return false;
}
