/* What the host's signals were set to before the library was loaded, after, and once its runtime was up, as the host
 * noted it (ITR_HOST_RECORD_ACTIONS), and who owns each handler. */
#ifndef INITRACE_FRAMEWORK_DISPOSITIONS_H
#define INITRACE_FRAMEWORK_DISPOSITIONS_H

#include "framework/classify.h"
#include "framework/text.h"

#include <jansson.h>

/* {"moments": […], "changed": [{"signal", "before-load", …}], "same": […]}; each value {"handler", "owner", "flags"}.
 * `modules_found` is evidence.json's "modules"; may be NULL. A new reference; NULL where the host noted nothing, or memory
 * is out. */
json_t *itr_dispositions_to_json(const struct itr_ledger_reply *reply, const struct itr_modules *modules,
                                 const json_t *modules_found);

/* "ntdll.dll+0xec28" for an address in a module that the standing host showed (evidence.json's "modules"), not escaped.
 * False, and nothing written, where it is in none. */
bool itr_describe_found(const json_t *modules_found, uint64_t address, char *out, size_t room);

/* A line for each signal that somebody took over: "SIGURG: library_host!on_event, then minimal!runtime.sigtramp". */
void itr_dispositions_describe(const json_t *dispositions, struct itr_text *out);

#endif
