/* The yardstick of the benchmark: the least that any runner must do to a host, start it and wait for its
 * end. Not part of the product. */
#ifndef INITRACE_PLATFORM_BENCH_H
#define INITRACE_PLATFORM_BENCH_H

#include "platform/platform.h"

/* Starts `program` with `ledger` inherited and announced, standard output and error on the null device,
 * waits for its end and returns its exit code, or -1 if it could not be started. posix_spawn and waitpid on
 * unix, CreateProcess and WaitForSingleObject on Windows; may be called from several threads at once. */
int64_t itrp_bare_run(const char *program, const struct itrp_memory *ledger);

/* The same under the best that systems offer for a signal at an exact system call: strace --inject on unix (a
 * SIGUSR1 as the host makes its first thread). -1 where there is none. */
int64_t itrp_bare_inject(const char *program, const struct itrp_memory *ledger);

#endif
