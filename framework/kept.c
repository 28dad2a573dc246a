/* Words for a host that was left running. It neither keeps nor ends one. */
#include "framework/kept.h"

#include "platform/platform.h"

#include <inttypes.h>

void itr_kept_describe(uint32_t process, struct itr_text *out) {
    const char *word = "attach with:";
    for (const char *const *command = itrp_attach_commands(); *command != NULL; command++) {
        itr_text_printf(out, "  %-12s %s %" PRIu32 "\n", word, *command, process);
        word = "or:";
    }
    itr_text_printf(out, "  %-12s %s%" PRIu32 "\n", "end it with:", itrp_end_command(), process);
    if (itrp_attach_note() != NULL) {
        itr_text_printf(out, "  (%s)\n", itrp_attach_note());
    }
}

json_t *itr_kept_to_json(uint32_t process) {
    json_t *attach = json_array();
    for (const char *const *command = itrp_attach_commands(); *command != NULL; command++) {
        json_array_append_new(attach, json_sprintf("%s %u", *command, (unsigned)process));
    }
    return json_pack("{s:I, s:o, s:o}", "process", (json_int_t)process, "attach", attach, "end_with",
                     json_sprintf("%s%u", itrp_end_command(), (unsigned)process));
}
