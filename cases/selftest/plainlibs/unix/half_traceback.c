/* A library that dies with words like a Go runtime's that are flawed, for hosts that read last words: INITRACE_FLAW "cut" (a
 * traceback ends after a call's name), "mute" (no reason), "few" (no other goroutine, whatever the level); else they are
 * what level "all" asks for. No part of the tool. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int InitraceProbe(void);

static void say(const char *text) {
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t put = write(STDERR_FILENO, text, left);
        if (put <= 0) {
            abort();
        }
        text += put;
        left -= (size_t)put;
    }
}

int InitraceProbe(void) {
    const char *value = getenv("INITRACE_FLAW");
    const char *flaw = value != NULL ? value : "";
    if (strcmp(flaw, "mute") != 0) {
        say("panic: stuck: the panic\n\n");
    }
    say("goroutine 17 [running, locked to thread]:\nmain.panicNow()\n\t./die.go:27 +0x2c\nmain.InitraceProbe()\n");
    if (strcmp(flaw, "cut") == 0) {
        abort();
    }
    say("\t./stuck.go:39 +0x52\n");
    if (strcmp(flaw, "few") != 0) {
        say("\ngoroutine 19 [chan receive]:\nmain.standBy(0x0?)\n\t./die.go:21 +0x33\ncreated by main.beside\n\t./die.go:13 +0x6a\n");
    }
    abort();
}
