/* The folder of a failing trial: FOLDER/failures/TRIAL with output, exceptions and the line that replays
 * it. It chooses no trials. */
#ifndef INITRACE_FRAMEWORK_EVIDENCE_H
#define INITRACE_FRAMEWORK_EVIDENCE_H

#include "framework/error.h"
#include "framework/record.h"

/* Moves the recording of the host (record->seen->recording) there and packs it, which may take a minute. A failure is no
 * failure of the campaign: `kept` says it. */
void itr_evidence_keep_recording(const char *folder, const struct itr_record *record, struct itr_kept_recording *kept);

/* The evidence (examine.h) that was taken of a failure of a cell: its evidence.json, a new reference, and the trial. NULL:
 * there is none. */
json_t *itr_evidence_find(const char *folder, uint64_t cell, const char *signature, uint64_t *trial);

/* Writes stdout, stderr (head and tail, with a line between where bytes were cut), trial.json and
 * replay.txt, which also says how a recording is looked at, and moves a core file from `work_folder`. */
enum itr_status itr_evidence_write(const char *folder, const char *work_folder, const struct itr_record *record,
                                   const json_t *trial, struct itr_error *err) ITR_MUST_USE;

#endif
