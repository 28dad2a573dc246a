/* What a person is told to attach with at a held host. No debugger is opened here: they have windows of their own. */
#include "platform/platform.h"

#include <stdio.h>

const char *const *itrp_attach_commands(void) {
    static const char *const commands[] = {"dlv attach", "windbg -p", "gdb -p", NULL};
    return commands;
}

const char *itrp_end_command(void) {
    return "taskkill /T /F /PID ";
}

enum itr_status itrp_process_keep(struct itrp_process *process, const struct itrp_keep *keep, struct itr_error *err) {
    (void)process;
    (void)keep;
    return itr_fail(err, ITR_E_UNSUPPORTED, 0, "hosts cannot be left running on this system yet");
}

bool itrp_can_attach_gdb(char *text, size_t room) {
    snprintf(text, room, "no debugger is opened on this system");
    return false;
}
