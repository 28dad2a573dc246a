/* Where the members of structures lie, from an image's DWARF (versions 2 to 5). It reads nothing else of it:
 * no lines, no variables, and only names that stand in the entries themselves, as the Go compiler writes them. */
#ifndef INITRACE_FRAMEWORK_DWARF_H
#define INITRACE_FRAMEWORK_DWARF_H

#include "framework/image.h"

/* A question and its answer. */
struct itr_dwarf_member {
    const char *structure; /* "runtime.g" */
    const char *member;
    bool found;
    uint64_t offset; /* bytes from the structure's beginning */
};

/* Answers as many of the `count` questions as the image can. ITR_E_NOT_FOUND where it has no DWARF;
 * ITR_E_FORMAT where that does not hold together, with what was found before. */
ITR_MUST_USE enum itr_status itr_dwarf_find_members(const struct itr_image *image, struct itr_dwarf_member *members,
                                                    size_t count, struct itr_error *err);

#endif
