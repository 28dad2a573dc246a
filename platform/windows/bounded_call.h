/* Calls about another process, with a deadline. Private to platform/windows.
 *
 * Who may not answer. Under Wine (8) the process itself does the work of these, on one of its threads, and the caller
 * waits for that without a limit: NtCreateThreadEx, NtAllocateVirtualMemory, NtFreeVirtualMemory, NtProtectVirtualMemory,
 * NtQueryVirtualMemory, NtMapViewOfSection, NtUnmapViewOfSection, and NtDuplicateObject where it closes the source
 * (server_queue_process_apc() in dlls/ntdll/unix/server.c). That wait was seen not to end, hours after the process had been
 * killed. On both systems a thread's registers are told once it has come out of what must not
 * be interrupted, and an object's name may be answered when a read from it ends. Each of those is called through here, and so
 * is a whole debugger (debug.c), which asks for registers thousands of times a second: it is bounded as one call.
 *
 * Not through here: what the kernel, or Wine's server, does by itself. ReadProcessMemory, WriteProcessMemory (Wine's server
 * waits for a traced thread under a watchdog: server/ptrace.c), SuspendThread, ResumeThread, OpenThread, the list of
 * threads, DuplicateHandle without DUPLICATE_CLOSE_SOURCE, TerminateProcess, the jobs; nor what a process does to itself, as
 * hosts do where they fire and at their gate: Wine has nobody else do that. CreateProcess waits until the child has started
 * or ended: Wine's server wakes it in both cases (server/process.c), and a job ends the child with the runner. */
#ifndef INITRACE_PLATFORM_WINDOWS_BOUNDED_CALL_H
#define INITRACE_PLATFORM_WINDOWS_BOUNDED_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include <windows.h>

/* Threads that still wait for an answer. With so many no more is asked: each has a stack and what it was asked for. */
enum { ITRP_WINDOWS_LEFT_ALONE_MAX = 16 };

struct itrp_windows_call;

/* Begins `work(argument)` on a thread of its own, `argument` then being that thread's. NULL if it cannot be started, or too
 * many are left alone: `argument` is still the caller's. Else itrp_windows_call_end() must follow. */
struct itrp_windows_call *itrp_windows_call_begin(void (*work)(void *argument),
                                                  void (*discard)(void *argument), void *argument);
/* Its thread, until itrp_windows_call_end(). Borrowed. */
HANDLE itrp_windows_call_thread(const struct itrp_windows_call *call);
/* Waits for it at most `timeout_ms`; where `process` is not NULL and has ended, half a second more at most. True: it
 * has returned, and `argument` is the caller's again. False: it has not; `discard(argument)` is called once nobody uses it any
 * more, perhaps much later and on the other thread, or never. The call is released, or left alone, either way. */
bool itrp_windows_call_end(struct itrp_windows_call *call, HANDLE process, uint32_t timeout_ms);

/* Both in one. False also if it could not be started; `argument` is discarded then too. */
bool itrp_windows_call(void (*work)(void *argument), void (*discard)(void *argument),
                       void *argument, uint32_t timeout_ms);

/* How many are left alone now. */
uint32_t itrp_windows_left_alone(void);

/* Milliseconds from now to a time of uv_hrtime()'s, rounded up, at most `most_ms`. */
uint32_t itrp_windows_left_ms(uint64_t deadline_ns, uint32_t most_ms);

#endif
