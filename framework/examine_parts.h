/* What the parts of the examination share. For examine*.c only. */
#ifndef INITRACE_FRAMEWORK_EXAMINE_PARTS_H
#define INITRACE_FRAMEWORK_EXAMINE_PARTS_H

#include "framework/examine.h"
#include "framework/text.h"

/* A standing host with what was looked up for it. */
struct itr_examination {
    const struct itrp_snapshot *snapshot;
    const struct itr_examine_request *request;
    struct itr_target_module *modules; /* with images */
    struct itr_target_thread *threads; /* with roles from the ledger */
    struct itr_target_process target;  /* of these */
    json_t *missing;                   /* lines on what could not be had */
};

/* ---- examine_text.c: the texts ---- */

/* Writes registers.txt, maps.txt and descriptors.txt. */
void itr_examine_write_texts(struct itr_examination *work);
/* Writes `text` as a file of the folder, and releases it; a failure is noted as missing. */
void itr_examine_write(struct itr_examination *work, const char *name, struct itr_text *text);
void itr_examine_miss(struct itr_examination *work, const char *what, const char *why);

/* ---- examine_json.c: parts of evidence.json; new references, NULL when memory is out ---- */

json_t *itr_examine_first(const struct itr_examination *work);
json_t *itr_examine_threads(const struct itr_examination *work);
json_t *itr_examine_signals(const struct itr_examination *work);
json_t *itr_examine_modules(const struct itr_examination *work);

#endif
