/* A library whose event fails at a rate of one's own, for comparisons with a known answer. As it is loaded it throws dice, once
 * a process: nothing is drawn from a seed, two trials have nothing to do with each other.
 *
 *   PLANTED_RATES="loss=0.3 crash=0.05"   what an event comes to, and how often: loss, hang, crash
 *                 "say=0.3:TEXT"          the last word: writes TEXT as a fatal error of Go's, and dies, before any event
 *                 "die=1"                 aborts as it is loaded: no control passes
 *   PLANTED_VARIABLE=NAME                 another variable to read instead, so that two cases tell arms apart
 *
 * InitraceProbe starts a thread, so that there is a call to fire in, unless PLANTED_ALONE is set. */
#include "platform/tests/planted.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int InitraceProbe(void);

static volatile uint8_t planted_flag;

/* In [0, 1): from the processor's clock and from where the system put the stack. */
static double draw(void) {
    uint64_t mixed = __builtin_ia32_rdtsc() * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)&mixed;
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((mixed ^ (mixed >> 31)) >> 11) / 9007199254740992.0;
}

static void say(const char *text) {
    fprintf(stderr, "fatal error: %s\n", text);
    fflush(stderr);
    _Exit(2);
}

__attribute__((constructor)) static void planted_load(void) {
    const char *name = getenv("PLANTED_VARIABLE");
    const char *at = getenv(name != NULL ? name : "PLANTED_RATES");
    double dice = draw();
    enum planted_misdeed misdeed = PLANTED_NOTHING;
    for (at = at != NULL ? at : ""; *at != '\0' && dice >= 0; at += *at == ' ') {
        size_t length = strcspn(at, "=");
        char *end = NULL;
        double rate = strtod(at + length + (at[length] == '='), &end);
        bool hit = dice < rate;
        if (hit && strncmp(at, "say", length) == 0) {
            say(*end == ':' ? end + 1 : "");
        } else if (hit && strncmp(at, "die", length) == 0) {
            abort();
        } else if (hit) {
            misdeed = *at == 'l' ? PLANTED_LOSS : *at == 'h' ? PLANTED_HANG : PLANTED_CRASH;
        }
        dice -= rate;
        at = end + strcspn(end, " ");
    }
    planted_flag = misdeed != PLANTED_NOTHING;
    planted_listen(&planted_flag, misdeed);
}

static void *do_nothing(void *nothing) {
    return nothing;
}

__attribute__((visibility("default"))) int InitraceProbe(void) {
    pthread_t thread;
    if (getenv("PLANTED_ALONE") != NULL) {
        return 42;
    }
    return pthread_create(&thread, NULL, do_nothing, NULL) == 0 && pthread_join(thread, NULL) == 0 ? 42 : -1;
}
