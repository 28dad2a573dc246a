/* What the Linux host side shares between its own files, and with nobody else: waiting on a word of the
 * ledger, the events' signals, and what host.c asks of host_fire.c. */
#ifndef INITRACE_PLATFORM_UNIX_HOST_UNIX_H
#define INITRACE_PLATFORM_UNIX_HOST_UNIX_H

#include "platform/host.h"

#include <time.h>

/* Hosts with hooks export their symbols (-rdynamic); these stay inside. */
#pragma GCC visibility push(hidden)

/* ---- host.c ---- */

/* The futex system call on a word of this process alone. Async-signal-safe. */
long itrh_unix_futex(uint32_t *word, int operation, uint32_t value, const struct timespec *timeout);

/* The signal of an enum itr_event; 0 if it has none here. */
int itrh_unix_signal_of(uint32_t event);

/* ---- host_fire.c ---- */

/* Starts the timer of every shot that goes off `offset_ns` after `phase`, which was reached at `now_ns`. */
void itrh_unix_start_timers(struct itrh_host *host, enum itr_phase phase, uint64_t now_ns);

/* Waits until the firing thread of itrh_arm() is ready; false if it failed. */
bool itrh_unix_firing_is_ready(void);

/* A timer's own signal is sent by the kernel: the host learns of it by asking the timer. Writes into the
 * ledger those that expired; false while one is still running. */
bool itrh_unix_note_expired_timers(struct itrh_host *host);

#pragma GCC visibility pop

#endif
