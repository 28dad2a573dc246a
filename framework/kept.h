/* What a person, or a script, is told of a hanging host that was left running: how to attach to it and how to end it. */
#ifndef INITRACE_FRAMEWORK_KEPT_H
#define INITRACE_FRAMEWORK_KEPT_H

#include "framework/text.h"

#include <jansson.h>
#include <stdint.h>

/* "  attach with: gdb -p 4711", one line for each debugger, then how it is ended. */
void itr_kept_describe(uint32_t process, struct itr_text *out);

/* {"process", "attach": [command lines], "end_with": command line}; a new reference, NULL when memory is out. */
json_t *itr_kept_to_json(uint32_t process);

#endif
