/* Fuzzes the record of an output stream: what it says depends on the bytes alone, never on the pieces they came in.
 * Input: steps that make a stream, each a byte and what belongs to it: 0…0xbf so many bytes plus one that follow;
 * 0xc0…0xef (and two bytes) the last so many bytes again and again; 0xf0…0xff (and three bytes) a run of one byte. */
#include "framework/fuzz/fuzz.h"

#include "framework/capture.h"

enum { STREAM_BYTES_MAX = 320 * 1024 };

struct stream {
    uint8_t *bytes;
    size_t count;
    struct itr_capture pieces; /* fed step by step */
};

static void put(struct stream *stream, const uint8_t *bytes, size_t count) {
    size_t room = STREAM_BYTES_MAX - stream->count;
    count = count < room ? count : room;
    memcpy(stream->bytes + stream->count, bytes, count);
    itr_capture_feed(&stream->pieces, stream->bytes + stream->count, count);
    stream->count += count;
}

static void step(struct stream *stream, struct fuzz_input *in) {
    size_t what = fuzz_number(in, 1);
    if (what < 0xc0) {
        size_t count = what + 1 < in->count ? what + 1 : in->count;
        put(stream, in->bytes, count);
        in->bytes += count;
        in->count -= count;
    } else if (what < 0xf0) {
        size_t times = fuzz_number(in, 1);
        size_t distance = (what - 0xc0) * 64 + fuzz_number(in, 1) % 64 + 1;
        distance = distance < stream->count ? distance : stream->count;
        for (size_t i = 0; i < times && distance > 0; i++) {
            put(stream, stream->bytes + stream->count - distance, distance);
        }
    } else {
        uint8_t run[256];
        size_t times = fuzz_number(in, 2) % 512;
        memset(run, (int)fuzz_number(in, 1), sizeof run);
        for (size_t i = 0; i < times; i++) {
            put(stream, run, what < 0xf8 ? 1 : sizeof run);
        }
    }
}

static void check_ends(const struct itr_capture *capture, const struct stream *stream) {
    size_t head_bytes = 0;
    size_t tail_bytes = 0;
    const uint8_t *head = itr_capture_head(capture, &head_bytes);
    const uint8_t *tail = itr_capture_tail(capture, &tail_bytes);
    FUZZ_CHECK(capture->total_bytes == stream->count && !capture->no_memory);
    FUZZ_CHECK(head_bytes + tail_bytes + itr_capture_cut_bytes(capture) == stream->count);
    FUZZ_CHECK(head_bytes <= ITR_CAPTURE_HEAD_BYTES && tail_bytes <= ITR_CAPTURE_TAIL_BYTES);
    FUZZ_CHECK(head_bytes == 0 || memcmp(head, stream->bytes, head_bytes) == 0);
    FUZZ_CHECK(tail_bytes == 0 || memcmp(tail, stream->bytes + stream->count - tail_bytes, tail_bytes) == 0);
}

static void check_shape(const struct itr_shape *shape, const struct stream *stream) {
    FUZZ_CHECK((shape->kind == ITR_SHAPE_EMPTY) == (stream->count == 0));
    FUZZ_CHECK(shape->binary_blocks <= shape->blocks && shape->garbage == (shape->reasons != 0));
    FUZZ_CHECK(shape->garbage_offset <= stream->count && shape->anchor_offset <= stream->count);
    FUZZ_CHECK((shape->period_bytes == 0) == (shape->repeats == 0));
    FUZZ_CHECK(shape->period_bytes <= stream->count && shape->repeat_offset <= stream->count);
    FUZZ_CHECK(shape->period_bytes == 0 || shape->repeats <= stream->count / shape->period_bytes + 1);
    FUZZ_CHECK(shape->printable_share >= 0 && shape->nul_share <= 1 && shape->control_share <= 1 &&
               shape->high_share <= 1 && shape->invalid_share <= 4);
    size_t length = strlen(shape->anchor);
    FUZZ_CHECK(length == 0 || memcmp(shape->anchor, stream->bytes + shape->anchor_offset, length) == 0);
    FUZZ_CHECK((shape->anchors > 0) == (length > 0));
}

static bool same_shape(const struct itr_shape *a, const struct itr_shape *b) {
    return a->kind == b->kind && a->reasons == b->reasons && a->period_bytes == b->period_bytes &&
           a->repeats == b->repeats && a->repeat_offset == b->repeat_offset && a->garbage_offset == b->garbage_offset &&
           a->anchors == b->anchors && a->anchor_offset == b->anchor_offset && a->anchor_copies == b->anchor_copies &&
           a->anchor_kind == b->anchor_kind && strcmp(a->anchor, b->anchor) == 0 && a->blocks == b->blocks &&
           a->binary_blocks == b->binary_blocks && a->printable_share == b->printable_share &&
           a->nul_share == b->nul_share && a->control_share == b->control_share && a->high_share == b->high_share &&
           a->invalid_share == b->invalid_share;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input in = {data, size};
    struct stream stream = {.bytes = malloc(STREAM_BYTES_MAX)};
    struct itr_capture whole = {0};
    struct itr_message message;
    FUZZ_CHECK(stream.bytes != NULL);
    while (in.count > 0 && stream.count < STREAM_BYTES_MAX) {
        step(&stream, &in);
    }
    itr_capture_feed(&whole, stream.bytes, stream.count);
    check_ends(&whole, &stream);
    check_ends(&stream.pieces, &stream);
    uint64_t hash = itr_capture_hash_of(stream.bytes, stream.count);
    FUZZ_CHECK(itr_capture_hash(&whole) == hash && itr_capture_hash(&stream.pieces) == hash);
    struct itr_shape shape = itr_capture_shape(&whole);
    struct itr_shape shape_of_pieces = itr_capture_shape(&stream.pieces);
    check_shape(&shape, &stream);
    FUZZ_CHECK(same_shape(&shape, &shape_of_pieces));
    FUZZ_CHECK(itr_capture_message(&whole, &message) == (shape.anchors > 0));
    FUZZ_CHECK(shape.anchors == 0 || (message.kind == shape.anchor_kind && message.offset == shape.anchor_offset));
    itr_capture_release(&whole);
    itr_capture_release(&stream.pieces);
    free(stream.bytes);
    return 0;
}
