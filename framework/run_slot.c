/* Opens and closes slots. What runs on one is run.c's. */
#include "framework/run_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of a recorded host, in its working directory. */
#define RECORDING_NAME "/rr"

void itr_run_remove_recording(struct itr_slot *slot) {
    if (slot->has_recorded) {
        itrp_recording_remove(slot->recording);
    }
}

enum itr_status itr_slot_open(struct itr_slot **out, const char *directory, struct itr_error *err) {
    struct itr_slot *slot = calloc(1, sizeof *slot);
    size_t recording_room = strlen(directory) + sizeof RECORDING_NAME;
    int result = UV_ENOMEM;
    if (slot != NULL) {
        slot->directory = strdup(directory);
        slot->recording = malloc(recording_room);
        slot->read_buffer = malloc(ITR_OUTPUT_READ_BYTES);
    }
    if (slot != NULL && slot->directory != NULL && slot->recording != NULL && slot->read_buffer != NULL) {
        snprintf(slot->recording, recording_room, "%s" RECORDING_NAME, directory);
        result = uv_loop_init(&slot->loop);
    }
    if (result != 0) {
        if (slot != NULL) {
            free(slot->directory);
            free(slot->recording);
            free(slot->read_buffer);
            free(slot);
        }
        return itr_fail(err, ITR_E_SYSTEM, result, "cannot open a slot: %s", uv_strerror(result));
    }
    uv_timer_init(&slot->loop, &slot->timer);
    slot->timer.data = slot;
    slot->streams[0].read_buffer = slot->streams[1].read_buffer = slot->read_buffer;
    enum itr_status status = itrp_memory_create(&slot->ledger, ITR_LEDGER_BYTES, err);
    if (status != ITR_OK) {
        itr_slot_close(slot);
        return status;
    }
    *out = slot;
    return ITR_OK;
}

void itr_slot_close(struct itr_slot *slot) {
    if (slot == NULL) {
        return;
    }
    uv_close((uv_handle_t *)&slot->timer, NULL);
    uv_run(&slot->loop, UV_RUN_DEFAULT);
    if (uv_loop_close(&slot->loop) != 0) {
        ITR_BUG("a slot's loop still has handles");
    }
    itr_run_remove_recording(slot);
    itrp_memory_close(&slot->ledger);
    itr_capture_release(&slot->streams[0].capture);
    itr_capture_release(&slot->streams[1].capture);
    free(slot->recording);
    free(slot->directory);
    free(slot->read_buffer);
    free(slot->trace);
    free(slot);
}

uv_loop_t *itr_slot_loop(struct itr_slot *slot) {
    return &slot->loop;
}
