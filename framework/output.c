/* Reads a host's output stream from a pipe into a capture, on the loop of who asks. It looks at no byte. */
#include "framework/output.h"

static void on_room_needed(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer) {
    struct itr_output *output = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(output->read_buffer, ITR_OUTPUT_READ_BYTES);
}

static void on_output_closed(uv_handle_t *handle) {
    struct itr_output *output = handle->data;
    output->open = false;
}

void itr_output_close(struct itr_output *output) {
    if (output->open && !uv_is_closing((uv_handle_t *)&output->pipe)) {
        uv_close((uv_handle_t *)&output->pipe, on_output_closed);
    }
}

static void on_bytes(uv_stream_t *handle, ssize_t got, const uv_buf_t *buffer) {
    struct itr_output *output = handle->data;
    if (got > 0) {
        itr_capture_feed(&output->capture, buffer->base, (size_t)got);
    } else if (got < 0) {
        itr_output_close(output);
    }
}

int itr_output_open(struct itr_output *output, uv_loop_t *loop, uv_file *write_end) {
    uv_file ends[2];
    int result = uv_pipe(ends, UV_NONBLOCK_PIPE, 0);
    if (result != 0) {
        return result;
    }
    *write_end = ends[1];
    result = uv_pipe_init(loop, &output->pipe, 0);
    output->open = result == 0;
    output->pipe.data = output;
    if (result == 0) {
        result = uv_pipe_open(&output->pipe, ends[0]);
    }
    if (result != 0) {
        uv_fs_t request;
        uv_fs_close(NULL, &request, ends[0], NULL);
        uv_fs_req_cleanup(&request);
        return result;
    }
    return uv_read_start((uv_stream_t *)&output->pipe, on_room_needed, on_bytes);
}
