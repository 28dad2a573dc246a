/* All stacks of a stopped process with its goroutines, as one value, and its two forms: text for people, JSON for
 * records. Both are bounded and made harmless. */
#ifndef INITRACE_FRAMEWORK_STACKS_H
#define INITRACE_FRAMEWORK_STACKS_H

#include "framework/goroutines.h"
#include "framework/text.h"

#include <jansson.h>

enum {
    ITR_STACKS_THREADS_MAX = 512,
    ITR_STACKS_TEXT_MAX = 4 * 1024 * 1024, /* a good ceiling for the text */
    ITR_HANG_TEXT_MAX = 512,
};

/* `{0}` is valid; itr_stacks_release(). */
struct itr_stacks {
    struct itr_stack *threads; /* one for each thread of the process, in its order, up to the ceiling */
    size_t thread_count;
    size_t threads_left_out;
    struct itr_goroutines goroutines;
    struct itr_error goroutines_error; /* why some or all were not read; status ITR_OK: nothing */
    char hang[ITR_HANG_TEXT_MAX];      /* who waits for what, a sentence; "": it cannot be known */
};

/* Reads them. Fails only for want of memory; what of the process cannot be read is said in the result. The process's
 * modules must live as long as the result. */
ITR_MUST_USE enum itr_status itr_stacks_read(struct itr_stacks *stacks, const struct itr_target_process *process,
                                             struct itr_error *err);
void itr_stacks_release(struct itr_stacks *stacks);

/* The goroutine that a thread runs, or that is locked to it; NULL: none, or it cannot be told, as with two Go libraries,
 * which number their threads alike. */
const struct itr_goroutine *itr_stacks_goroutine_of(const struct itr_stacks *stacks, const struct itr_target_thread *thread);

/* Appends the threads' as text, after the sentence on who waits for what. What does not fit under the text's ceiling is
 * cut off; its `truncated` says so. */
void itr_stacks_add_text(const struct itr_stacks *stacks, const struct itr_target_process *process,
                         struct itr_text *out);
/* Appends the goroutines and why some are not there; nothing where the process has no Go library. */
void itr_stacks_add_goroutines(const struct itr_stacks *stacks, const struct itr_target_process *process,
                               struct itr_text *out);

/* {"hang", "threads": […], "goroutines": {…}}, see docs/formats.md; new reference, NULL when memory is out. */
json_t *itr_stacks_to_json(const struct itr_stacks *stacks, const struct itr_target_process *process);

/* ---- hang.c ---- */

/* Fills `out` with a sentence on who waits for what, where stacks and goroutines show it; "" where they do not. False
 * then. */
bool itr_hang_explain(const struct itr_stacks *stacks, const struct itr_target_process *process, char *out,
                      size_t room);

/* ---- a frame in words ---- */

enum { ITR_FRAME_TEXT_MAX = 512 };

/* The name of a frame's function as its image has it, "" where no table names it. Borrowed from the image, not
 * escaped. */
const char *itr_frame_function(const struct itr_target_process *process, const struct itr_frame *frame);
/* Whether that is the function of this name, its ABI0 twin included. */
bool itr_frame_is(const struct itr_target_process *process, const struct itr_frame *frame, const char *function);

#endif
