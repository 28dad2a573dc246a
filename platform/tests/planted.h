/* The handler of libraries with a planted window: hears the events that the host's handler hears, and before
 * it, hands them on, and does not while a flag is set. One a library. */
#ifndef INITRACE_PLATFORM_TESTS_PLANTED_H
#define INITRACE_PLATFORM_TESTS_PLANTED_H

#include <stdint.h>

/* What an event comes to while the flag is set. */
enum planted_misdeed {
    PLANTED_NOTHING, /* it is handed on */
    PLANTED_LOSS,    /* it is dropped */
    PLANTED_HANG,    /* its handler waits for itself, for ever */
    PLANTED_CRASH,   /* its handler jumps to where no code is */
};

#define PLANTED_NOWHERE UINT64_C(0x600d10c0)

/* Installs the handler, for SIGUSR1 (Linux) or all console control events (Windows). To be called once, when the
 * library is loaded and the host's handler is in place. */
void planted_listen(const volatile uint8_t *flag, enum planted_misdeed misdeed);

#endif
