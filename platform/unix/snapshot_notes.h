/* The notes of a core file, made from a snapshot. Private to platform/unix. */
#ifndef INITRACE_PLATFORM_UNIX_SNAPSHOT_NOTES_H
#define INITRACE_PLATFORM_UNIX_SNAPSHOT_NOTES_H

#include "platform/snapshot.h"

/* `{0}` is none. */
struct itrp_unix_notes {
    uint8_t *bytes;
    size_t count;
    size_t room;
};

/* Threads (the one at fault first), process, signal, auxiliary vector and mapped files. False when memory is out. Give
 * it to itrp_unix_notes_release() in any case. */
bool itrp_unix_notes_make(struct itrp_unix_notes *notes, const struct itrp_snapshot *snapshot);
void itrp_unix_notes_release(struct itrp_unix_notes *notes);

#endif
