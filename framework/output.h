/* One output stream of a host: a pipe of which the host has the one end, and the capture that what comes out of the other
 * goes into. For run.c. */
#ifndef INITRACE_FRAMEWORK_OUTPUT_H
#define INITRACE_FRAMEWORK_OUTPUT_H

#include "framework/capture.h"

#include <stdbool.h>
#include <uv.h>

enum { ITR_OUTPUT_READ_BYTES = 64 * 1024 };

/* `{0}` is closed. It must not move while it is open. */
struct itr_output {
    uv_pipe_t pipe;
    bool open;
    struct itr_capture capture; /* stays after the close: its owner releases it */
    char *read_buffer;          /* of ITR_OUTPUT_READ_BYTES, borrowed; streams of one loop may share it */
};

/* Makes the pipe and reads on `loop` until the host's ends are all closed; `*write_end` is for the host, and for the caller
 * to close once the host has it. Else libuv's error; the output may then be open all the same. */
int itr_output_open(struct itr_output *output, uv_loop_t *loop, uv_file *write_end);

/* Stops reading: `open` is false once the loop has turned. Nothing where it is closed. */
void itr_output_close(struct itr_output *output);

#endif
