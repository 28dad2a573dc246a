/* What the Windows host side shares between its own files, and with nobody else: where the library
 * under test lies, the events' console controls, and what its files ask of each other. */
#ifndef INITRACE_PLATFORM_WINDOWS_HOST_WINDOWS_H
#define INITRACE_PLATFORM_WINDOWS_HOST_WINDOWS_H

#include "platform/host.h"

#include <windows.h>

/* ---- host.c ---- */

/* True if `address` is in the image of request.library. Known from the loader's notification on,
 * which comes before any code of the library runs; false before. */
bool itrh_windows_in_library(uintptr_t address);

/* itrh_fail() with GetLastError(); always false. */
bool itrh_windows_fail(const char *text);

/* The console control event of an enum itr_event; MAXDWORD if it has none. */
DWORD itrh_windows_control_of(uint32_t event);

/* The request's shots, never more than there is room for. */
uint32_t itrh_windows_shot_count(const struct itrh_host *host);

/* Puts the record of exceptions, if the request wants one, before all other vectored handlers: the
 * runtime puts its own first while it starts. */
void itrh_windows_record_exceptions_first(void);

/* Auto-reset event of a holding thread: the host's handler was entered. Borrowed; NULL before
 * itrh_install_handlers(). */
HANDLE itrh_windows_handled_for_hold(void);

/* ---- host_fire.c ---- */

/* Picks what itrh_sleep_ns() and the firing thread sleep with. */
void itrh_windows_choose_sleep(void);

/* Notes when each shot that goes off `offset_ns` after `phase`, reached at `now_ns`, is wanted; true
 * if there is one. The firing thread takes it once the phase is in the ledger and it was woken. */
bool itrh_windows_request_shots(struct itrh_host *host, enum itr_phase phase, uint64_t now_ns);
void itrh_windows_wake_firing(void);

/* ---- host_gate.c; for hosts without hooks, host_plain.c ---- */

/* Gets the gate of shot `index` ready; false, with what is wrong in the ledger, where this host has none. */
bool itrh_windows_gate_arm(struct itrh_host *host, uint32_t index);
/* Writes it, if one was armed, into the library that was just mapped at `begin` … `end`. */
void itrh_windows_gate_write(uintptr_t begin, uintptr_t end);

/* ---- host_hooks.c, for host_gate.c ---- */

/* jmp [rip+0] and the address: 14 bytes, no register is changed. */
void itrh_windows_write_far_jump(uint8_t *at, const uint8_t *target);
/* The id of the first thread that the library started; 0: it started none. False while that start is under way. Needs the
 * hook of CreateThread. */
bool itrh_windows_first_thread(uint32_t *thread);

#endif
