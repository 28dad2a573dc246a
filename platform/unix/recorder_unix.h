/* What recorder.c shares with attach.c and process.c. Private to platform/unix. */
#ifndef INITRACE_PLATFORM_UNIX_RECORDER_UNIX_H
#define INITRACE_PLATFORM_UNIX_RECORDER_UNIX_H

#include <stdbool.h>
#include <stddef.h>

/* The first program of that name in PATH. */
bool itrp_unix_find_program(const char *name, char *path, size_t room);

/* rr counts branches: it needs the processor's own counters, which most virtual machines lack. False with one line in
 * `why`. */
bool itrp_unix_can_count(char *why, size_t room);

/* The words before a host's own that have it recorded into `folder`, the recorder's path first: puts them into `words`
 * and returns how many. 0: there is no recorder. */
enum { ITRP_UNIX_RECORDER_WORDS_MAX = 8 };
size_t itrp_unix_recorder_words(const char *folder, const char **words);

#endif
