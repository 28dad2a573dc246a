/* Source file and line of an instruction, from an image's DWARF line tables (versions 2 to 5): for C code, whose lines
 * Go's own table does not know. It reads nothing else of DWARF, and unpacks the tables anew each time it is asked. */
#ifndef INITRACE_FRAMEWORK_DWARF_LINE_H
#define INITRACE_FRAMEWORK_DWARF_LINE_H

#include "framework/image.h"

/* For a return address ask for the byte before. False, with `file` "" and `*line` 0, where no table that holds together
 * names one. Not escaped. */
bool itr_dwarf_line_at(const struct itr_image *image, uint64_t rva, char *file, size_t room, uint32_t *line);

#endif
