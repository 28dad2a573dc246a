/* Where printed bytes come from: stretches of an output that are the memory of a loaded module, as its file says it.
 * It reads no process and judges no trial. */
#ifndef INITRACE_FRAMEWORK_PROVENANCE_H
#define INITRACE_FRAMEWORK_PROVENANCE_H

#include "framework/capture.h"
#include "framework/image.h"

enum {
    ITR_PROVENANCE_RUNS_MAX = 4,
    ITR_PROVENANCE_BYTES_MIN = 256, /* shorter stretches may be there by chance */
    ITR_PROVENANCE_NEEDLES_MAX = 160, /* places of a piece that are looked up, so that strange bytes cost little */
};

/* A stretch of the output beside the image of a module. What a program wrote to its variables, and what the loader
 * relocated, differs from the file: so `equal_bytes` may be less than `bytes`. */
struct itr_provenance_run {
    uint64_t offset; /* in the stream */
    uint64_t bytes;
    uint64_t equal_bytes;
    uint64_t rva; /* of its first byte */
    unsigned image; /* index in the list that was given */
};

/* A plain value; nothing to free. `{0}`: nothing is known. */
struct itr_provenance {
    uint64_t compared_bytes; /* that were kept of the stream and looked at */
    uint64_t found_bytes;    /* of them in runs */
    unsigned run_count;
    struct itr_provenance_run runs[ITR_PROVENANCE_RUNS_MAX]; /* by offset */
};

/* Looks at what the capture kept, from the first message or hard byte of its garbage on, and says what of it is
 * memory of one of the `count` images (NULL entries are passed over). All zero when the stream is no garbage. */
void itr_provenance_find(const struct itr_capture *capture, const struct itr_shape *shape,
                         const struct itr_image *const *images, unsigned count, struct itr_provenance *result);

/* The symbol that a run begins at or in, of its own section: others only happen to lie before it. False leaves both
 * untouched. */
bool itr_provenance_symbol(const struct itr_provenance_run *run, const struct itr_image *image, const char **name,
                           uint64_t *offset);

/* One line, escaped for a terminal: how much of what was kept is memory of the first run's module, and from where on.
 * For a result with a run; `image` is that run's, `module` its name. */
void itr_provenance_describe(const struct itr_provenance *provenance, const struct itr_image *image, const char *module,
                             char *out, size_t room);

#endif
