/* Unit tests of capture.c: bounds, hash, independence of chunks, and what is garbage and what only
 * looks odd. */
#include "framework/capture.h"
#include "framework/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- streams ---- */

struct stream {
    uint8_t *bytes;
    size_t count;
    size_t room;
};

static void put(struct stream *stream, const void *bytes, size_t count) {
    if (stream->room - stream->count < count) {
        stream->room = 2 * (stream->room + count);
        stream->bytes = realloc(stream->bytes, stream->room);
        assert_non_null(stream->bytes);
    }
    for (size_t i = 0; i < count; i++) {
        stream->bytes[stream->count++] = ((const uint8_t *)bytes)[i];
    }
}

static void put_text(struct stream *stream, const char *text) {
    put(stream, text, strlen(text));
}

/* Bytes as a program image has them: zeros, small numbers, addresses, some strings. The same for
 * the same seed. */
static void put_image(struct stream *stream, uint64_t seed, size_t count) {
    struct itr_random random = itr_random_seed(seed);

    for (size_t i = 0; i < count; i++) {
        uint64_t number = itr_random_next(&random);
        uint8_t byte = number % 4 == 0 ? (uint8_t)(number >> 8) : (uint8_t)(number >> 8 & 3);
        if (i / 512 % 3 == 2) {
            byte = (uint8_t)('a' + number % 26);
        }
        put(stream, &byte, 1);
    }
}

static void put_random(struct stream *stream, uint64_t seed, size_t count) {
    struct itr_random random = itr_random_seed(seed);

    for (size_t i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)(itr_random_next(&random) >> 32);
        put(stream, &byte, 1);
    }
}

static struct itr_shape shape_of(const struct stream *stream) {
    struct itr_capture capture = {0};
    struct itr_shape shape;

    itr_capture_feed(&capture, stream->bytes, stream->count);
    shape = itr_capture_shape(&capture);
    itr_capture_release(&capture);
    return shape;
}

static void drop(struct stream *stream) {
    free(stream->bytes);
    *stream = (struct stream){0};
}

static const char message[] = "runtime: signal received on thread not created by Go.\n";

/* ---- bounds and memory ---- */

static void an_empty_stream_costs_nothing(void **state) {
    struct itr_capture capture = {0};
    struct itr_shape shape;
    size_t count = 1;

    (void)state;
    itr_capture_feed(&capture, NULL, 0);
    itr_capture_feed(&capture, "x", 0);
    assert_null(capture.memory);
    assert_null(itr_capture_head(&capture, &count));
    assert_int_equal(count, 0);
    count = 1;
    assert_null(itr_capture_tail(&capture, &count));
    assert_int_equal(count, 0);
    assert_int_equal(itr_capture_cut_bytes(&capture), 0);
    assert_true(itr_capture_hash(&capture) == itr_capture_hash_of(NULL, 0));
    shape = itr_capture_shape(&capture);
    assert_int_equal(shape.kind, ITR_SHAPE_EMPTY);
    assert_false(shape.garbage);
    itr_capture_reset(&capture);
    itr_capture_release(&capture);
    itr_capture_release(&capture);
}

static void both_ends_are_kept_and_the_middle_is_counted(void **state) {
    static const size_t sizes[] = {
        1,      1024,   65535,  65536,  65537,  131071,  131072,
        131073, 262143, 262144, 262145, 400000, 1000000,
    };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct itr_capture capture = {0};
        struct stream stream = {0};
        const uint8_t *head;
        const uint8_t *tail;
        size_t head_bytes;
        size_t tail_bytes;
        put_random(&stream, i, sizes[i]);
        itr_capture_feed(&capture, stream.bytes, stream.count);
        head = itr_capture_head(&capture, &head_bytes);
        tail = itr_capture_tail(&capture, &tail_bytes);
        assert_int_equal(tail == NULL, sizes[i] <= 65536);
        assert_int_equal(head_bytes, sizes[i] < 65536 ? sizes[i] : 65536);
        assert_memory_equal(head, stream.bytes, head_bytes);
        assert_int_equal(tail_bytes, sizes[i] <= 65536    ? 0
                                     : sizes[i] >= 131072 ? 65536
                                                          : sizes[i] - 65536);
        if (tail_bytes > 0) {
            assert_memory_equal(tail, stream.bytes + stream.count - tail_bytes, tail_bytes);
        }
        assert_int_equal(capture.total_bytes, sizes[i]);
        assert_int_equal(itr_capture_cut_bytes(&capture), sizes[i] - head_bytes - tail_bytes);
        itr_capture_release(&capture);
        drop(&stream);
    }
}

/* The second piece reaches from the head's middle far into the window. */
static void a_piece_that_fills_the_head_harms_nothing(void **state) {
    static const size_t firsts[] = {1, 70, 5000, 30000, 60000, 65535};
    struct stream stream = {0};

    (void)state;
    put_random(&stream, 5, 200000);
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
        struct itr_capture capture = {0};
        size_t count;
        itr_capture_feed(&capture, stream.bytes, firsts[i]);
        itr_capture_feed(&capture, stream.bytes + firsts[i], stream.count - firsts[i]);
        assert_memory_equal(itr_capture_head(&capture, &count), stream.bytes, 65536);
        assert_true(itr_capture_hash(&capture) == itr_capture_hash_of(stream.bytes, stream.count));
        itr_capture_release(&capture);
    }
    drop(&stream);
}

static size_t asked_bytes;
static unsigned asked_times;

static void *counting_reallocate(void *pointer, size_t bytes) {
    asked_bytes += bytes;
    asked_times++;
    return realloc(pointer, bytes);
}

static void memory_is_taken_once_however_much_comes(void **state) {
    struct itr_capture capture = {.reallocate = counting_reallocate};
    static uint8_t zeros[100000];

    (void)state;
    asked_bytes = 0;
    asked_times = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++) {
            itr_capture_feed(&capture, zeros, sizeof zeros);
        }
        itr_capture_reset(&capture);
        assert_int_equal(capture.total_bytes, 0);
    }
    assert_int_equal(asked_times, 1);
    assert_true(asked_bytes < 400 * 1024);
    itr_capture_release(&capture);
}

static void *refusing_reallocate(void *pointer, size_t bytes) {
    (void)pointer;
    (void)bytes;
    return NULL;
}

static void refused_memory_leaves_the_count(void **state) {
    struct itr_capture capture = {.reallocate = refusing_reallocate};
    struct itr_message found;
    struct itr_shape shape;
    size_t count;

    (void)state;
    itr_capture_feed(&capture, "fatal error: x\n", 15);
    itr_capture_feed(&capture, "more", 4);
    assert_true(capture.no_memory);
    assert_int_equal(capture.total_bytes, 19);
    assert_null(itr_capture_head(&capture, &count));
    assert_null(itr_capture_tail(&capture, &count));
    shape = itr_capture_shape(&capture);
    assert_false(shape.garbage);
    assert_false(itr_capture_message(&capture, &found));
    (void)itr_capture_hash(&capture);
    capture.reallocate = NULL;
    itr_capture_reset(&capture);
    itr_capture_feed(&capture, "fatal error: x\n", 15);
    assert_false(capture.no_memory);
    assert_true(itr_capture_message(&capture, &found));
    itr_capture_release(&capture);
}

static void a_reset_capture_remembers_nothing(void **state) {
    struct itr_capture capture = {0};
    struct itr_shape shape;
    struct stream stream = {0};

    (void)state;
    for (int i = 0; i < 5; i++) {
        put_text(&stream, message);
        put_image(&stream, 1, 50000);
    }
    itr_capture_feed(&capture, stream.bytes, stream.count);
    assert_true(itr_capture_shape(&capture).garbage);
    itr_capture_reset(&capture);
    itr_capture_feed(&capture, "hello\n", 6);
    shape = itr_capture_shape(&capture);
    assert_false(shape.garbage);
    assert_int_equal(shape.kind, ITR_SHAPE_TEXT);
    assert_int_equal(shape.anchors, 0);
    assert_int_equal(shape.period_bytes, 0);
    assert_true(itr_capture_hash(&capture) == itr_capture_hash_of("hello\n", 6));
    itr_capture_release(&capture);
    drop(&stream);
}

/* ---- the hash ---- */

/* Format 1, as 15 lines of Python compute it from its description; must never change. */
static void the_hash_is_format_1(void **state) {
    uint8_t bytes[100];

    (void)state;
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7);
    }
    assert_true(itr_capture_hash_of(NULL, 0) == UINT64_C(0x5c4b1686a0355a7b));
    assert_true(itr_capture_hash_of("a", 1) == UINT64_C(0xbef2c46d05171a63));
    assert_true(itr_capture_hash_of(bytes, sizeof bytes) == UINT64_C(0x3d3e296b6f827336));
}

static void the_hash_tells_streams_apart(void **state) {
    (void)state;
    assert_true(itr_capture_hash_of("a", 1) != itr_capture_hash_of("a ", 2));
    assert_true(itr_capture_hash_of("", 0) != itr_capture_hash_of(" ", 1));
    assert_true(itr_capture_hash_of("ab", 2) != itr_capture_hash_of("ba", 2));
    for (size_t bit = 0; bit < 64 * 8; bit++) {
        uint8_t zeros[64] = {0};
        uint8_t other[64] = {0};
        other[bit / 8] = (uint8_t)(1u << bit % 8);
        assert_true(itr_capture_hash_of(zeros, 64) != itr_capture_hash_of(other, 64));
    }
}

/* ---- chunks ---- */

static void every_answer_is_the_same_however_the_bytes_come(void **state) {
    struct itr_random random = itr_random_seed(99);
    struct stream stream = {0};
    struct itr_shape whole;
    uint64_t hash;

    (void)state;
    put_text(&stream, "starting\nsecond line \xe2\x82\xac\n");
    for (int i = 0; i < 7; i++) {
        put_text(&stream, message);
        put_image(&stream, 1, 47777);
    }
    put_text(&stream, "\nfatal error: the end");
    whole = shape_of(&stream);
    hash = itr_capture_hash_of(stream.bytes, stream.count);
    for (int round = 0; round < 60; round++) {
        struct itr_capture capture = {0};
        struct itr_shape shape;
        size_t done = 0;
        size_t largest = round < 2 ? (size_t)round + 1 : (size_t)1 << (round % 19);
        while (done < stream.count) {
            size_t take = 1 + (size_t)itr_random_below(&random, largest);
            take = take < stream.count - done ? take : stream.count - done;
            itr_capture_feed(&capture, stream.bytes + done, take);
            done += take;
            if (itr_random_below(&random, 1000) == 0) {
                (void)itr_capture_shape(&capture); /* looking must not change anything */
            }
        }
        shape = itr_capture_shape(&capture);
        assert_memory_equal(&shape, &whole, sizeof shape);
        assert_true(itr_capture_hash(&capture) == hash);
        itr_capture_release(&capture);
    }
    drop(&stream);
}

static void is_clean_text(struct stream *stream) {
    struct itr_shape shape = shape_of(stream);

    assert_int_equal(shape.kind, ITR_SHAPE_TEXT);
    assert_false(shape.garbage);
    assert_int_equal(shape.reasons, 0);
    drop(stream);
}

/* ---- what is garbage ---- */

static void the_go_1_19_flood_is_recognised(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;
    struct itr_message found;
    struct itr_capture capture = {0};
    const size_t period = 131072 + 4321;

    (void)state;
    put_text(&stream, message);
    put_text(&stream, "stringsthatthelinkerpackedbehindthemessage");
    put_image(&stream, 1, period - stream.count);
    for (int i = 0; i < 85; i++) {
        itr_capture_feed(&capture, stream.bytes, stream.count);
    }
    shape = itr_capture_shape(&capture);
    assert_true(shape.garbage);
    assert_int_equal(shape.reasons, ITR_GARBAGE_AFTER_MESSAGE | ITR_GARBAGE_REPEATS |
                                        ITR_GARBAGE_MULTIPLE | ITR_GARBAGE_BINARY);
    assert_int_equal(shape.period_bytes, period);
    assert_int_equal(shape.repeats, 85);
    assert_int_equal(shape.repeat_offset, 0);
    assert_int_equal(shape.anchor_offset, 0);
    assert_int_equal(shape.anchor_copies, 85);
    assert_int_equal(shape.anchor_kind, ITR_MESSAGE_FATAL);
    assert_string_equal(shape.anchor, "runtime: signal received on thread not created by Go.");
    assert_int_equal(shape.garbage_offset, sizeof message - 1);
    assert_true(itr_capture_message(&capture, &found));
    assert_string_equal(found.text, "runtime: signal received on thread not created by Go.");
    assert_string_equal(found.printed_by, "badsignal2");
    itr_capture_release(&capture);
    drop(&stream);
}

static void text_before_the_flood_does_not_hide_it(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;
    size_t before;

    (void)state;
    put_text(&stream, "host: ready\nhost: loading\n");
    before = stream.count;
    for (int i = 0; i < 10; i++) {
        put_text(&stream, message);
        put_image(&stream, 1, 20000);
    }
    shape = shape_of(&stream);
    assert_true(shape.garbage);
    assert_int_equal(shape.anchor_offset, before);
    assert_int_equal(shape.period_bytes, 20000 + sizeof message - 1);
    assert_int_equal(shape.repeats, 10);
    assert_true((shape.reasons & ITR_GARBAGE_MULTIPLE) != 0); /* counted from the message */
    assert_int_equal(shape.garbage_offset, before + sizeof message - 1);
    drop(&stream);
}

static void a_flood_that_was_cut_short_is_no_multiple(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    for (int i = 0; i < 5; i++) {
        put_text(&stream, message);
        put_image(&stream, 1, 20000);
    }
    stream.count -= 7;
    shape = shape_of(&stream);
    assert_true((shape.reasons & ITR_GARBAGE_REPEATS) != 0);
    assert_false((shape.reasons & ITR_GARBAGE_MULTIPLE) != 0);
    assert_int_equal(shape.repeats, 5);
    drop(&stream);
}

static void one_message_followed_by_binary_is_garbage(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    put_text(&stream, "fatal error: something\n");
    put_image(&stream, 3, 3000);
    shape = shape_of(&stream);
    assert_int_equal(shape.reasons, ITR_GARBAGE_AFTER_MESSAGE);
    assert_int_equal(shape.repeats, 0);
    assert_string_equal(shape.anchor, "fatal error: something");
    assert_in_range(shape.garbage_offset, 23, 40);
    drop(&stream);
}

static void a_repeat_without_any_message_is_found(void **state) {
    static const size_t periods[] = {700, 4096, 65536, 100003};

    (void)state;
    for (size_t i = 0; i < sizeof periods / sizeof periods[0]; i++) {
        struct stream stream = {0};
        struct itr_shape shape;
        put_text(&stream, "some text first, of another length\n");
        for (int copy = 0; copy < 40; copy++) {
            put_image(&stream, 7, periods[i]);
        }
        shape = shape_of(&stream);
        assert_true((shape.reasons & ITR_GARBAGE_REPEATS) != 0);
        assert_int_equal(shape.anchors, 0);
        assert_int_equal(shape.period_bytes, periods[i]);
        assert_in_range(shape.repeats, 20, 40);
        drop(&stream);
    }
}

/* Two pages of zeros in each copy and a string that comes several times within it. */
static void a_stretch_that_comes_often_within_the_period_does_not_confuse(void **state) {
    struct stream stream = {0};
    struct stream copy = {0};
    struct itr_shape shape;
    static const uint8_t zeros[8192];

    (void)state;
    put_text(&copy, message);
    put(&copy, zeros, sizeof zeros);
    put_text(&copy, message);
    put_image(&copy, 5, 30001);
    put_text(&copy, message);
    for (int i = 0; i < 12; i++) {
        put(&stream, copy.bytes, copy.count);
    }
    shape = shape_of(&stream);
    assert_int_equal(shape.period_bytes, copy.count);
    assert_int_equal(shape.repeats, 12);
    assert_int_equal(shape.anchor_copies, 36);
    assert_true((shape.reasons & ITR_GARBAGE_MULTIPLE) != 0);
    drop(&copy);
    drop(&stream);
}

/* A traceback of many goroutines that are equally deep: twenty like lines, then another. */
static void the_period_of_nested_repeats_is_the_outer_one(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;
    size_t period = 0;

    (void)state;
    for (int i = 0; i < 100; i++) {
        for (int j = 0; j < 20; j++) {
            put_text(&stream, "main.f(...)\n\t/home/someone/source/main.go:3 +0x2c\n");
        }
        put_text(&stream, "created by main.main\n\t/home/someone/source/main.go:4\n\n");
        period = period == 0 ? stream.count : period;
    }
    shape = shape_of(&stream);
    assert_int_equal(shape.period_bytes, period);
    assert_in_range(shape.repeats, 90, 100);
    is_clean_text(&stream);
}

static void a_copy_that_is_broken_does_not_hide_the_period(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    for (int i = 0; i < 80; i++) {
        put_text(&stream, message);
        put_image(&stream, 5, 3000);
    }
    stream.bytes[30 * (3000 + sizeof message - 1) + 5] ^= 1;
    shape = shape_of(&stream);
    assert_int_equal(shape.period_bytes, 3000 + sizeof message - 1);
    assert_in_range(shape.repeats, 70, 80);
    drop(&stream);
}

static void copies_with_a_few_changed_bytes_still_count(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    for (int i = 0; i < 20; i++) {
        put_text(&stream, message);
        put_image(&stream, 5, 30001);
        stream.bytes[stream.count - 500] = (uint8_t)i;
    }
    shape = shape_of(&stream);
    assert_int_equal(shape.period_bytes, 30001 + sizeof message - 1);
    assert_int_equal(shape.repeats, 20);
    drop(&stream);
}

static void text_that_repeats_before_binary_is_not_the_repeat(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    for (int i = 0; i < 400; i++) {
        put_text(&stream, "the same line again\n");
    }
    for (int i = 0; i < 20; i++) {
        put_image(&stream, 7, 30000);
    }
    shape = shape_of(&stream);
    assert_true((shape.reasons & ITR_GARBAGE_REPEATS) != 0);
    assert_int_equal(shape.period_bytes, 30000);
    assert_in_range(shape.repeats, 15, 20);
    assert_in_range(shape.garbage_offset, 8000, 8200);
    drop(&stream);
    for (int i = 0; i < 4000; i++) {
        put_text(&stream, "the same line again\n");
    }
    put_random(&stream, 7, 50000);
    shape = shape_of(&stream);
    assert_int_equal(shape.reasons, ITR_GARBAGE_BINARY);
    assert_int_equal(shape.period_bytes, 20);
    drop(&stream);
}

static void random_bytes_are_binary_garbage_without_a_period(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    put_random(&stream, 11, 300000);
    shape = shape_of(&stream);
    assert_int_equal(shape.kind, ITR_SHAPE_BINARY);
    assert_int_equal(shape.reasons, ITR_GARBAGE_BINARY);
    assert_int_equal(shape.period_bytes, 0);
    assert_true(shape.high_share > 0.49 && shape.high_share < 0.51);
    assert_true(shape.nul_share > 0.003 && shape.nul_share < 0.005);
    assert_true(shape.invalid_share > 0.2);
    drop(&stream);
}

static void put_times(struct stream *stream, uint8_t byte, size_t count) {
    while (count-- > 0) {
        put(stream, &byte, 1);
    }
}

static void a_block_is_binary_from_its_limits_on(void **state) {
    static const struct {
        size_t bytes, hard;
        bool binary;
    } samples[] = {
        {100, 7, false}, {100, 8, true}, {1024, 31, false}, {1024, 32, true}, {8, 8, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        static const uint8_t hard[] = {0, 1, 6, 14, 26, 28, 31, 127};
        struct stream stream = {0};
        for (size_t j = 0; j < samples[i].hard; j++) {
            put(&stream, &hard[j % sizeof hard], 1);
        }
        put_times(&stream, 'x', samples[i].bytes - samples[i].hard);
        assert_int_equal(shape_of(&stream).binary_blocks, samples[i].binary);
        drop(&stream);
    }
}

static void binary_is_garbage_from_its_limits_on(void **state) {
    static const struct {
        size_t text, binary;
        uint32_t reasons;
    } samples[] = {
        {0, 3, 0}, {0, 4, ITR_GARBAGE_BINARY}, {12, 4, ITR_GARBAGE_BINARY}, {13, 4, 0}, {5, 2, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct stream stream = {0};
        put_times(&stream, 'x', samples[i].text * 1024);
        put_random(&stream, 3, samples[i].binary * 1024);
        assert_int_equal(shape_of(&stream).reasons, samples[i].reasons);
        drop(&stream);
    }
}

/* What counts is what follows the message, however much text came before. */
static void only_what_follows_the_message_is_weighed(void **state) {
    static const struct {
        size_t before, between, binary;
        bool garbage;
    } samples[] = {
        {100, 0, 2, true},
        {100, 5, 2, true},
        {100, 6, 2, false},
        {0, 0, 1, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct stream stream = {0};
        struct itr_shape shape;
        put_times(&stream, 'x', samples[i].before * 1024);
        put_text(&stream, "\nfatal error: x\n");
        put_times(&stream, 'x', 1024 - 16 + samples[i].between * 1024);
        put_random(&stream, 3, samples[i].binary * 1024);
        shape = shape_of(&stream);
        assert_int_equal(shape.reasons, samples[i].garbage ? ITR_GARBAGE_AFTER_MESSAGE : 0);
        drop(&stream);
    }
}

static void binary_before_a_message_is_not_held_against_it(void **state) {
    struct stream stream = {0};

    (void)state;
    put_random(&stream, 3, 3 * 1024);
    put_text(&stream, "\n");
    put_times(&stream, 'x', 1023);
    put_text(&stream, "\npanic: x\n");
    assert_int_equal(shape_of(&stream).reasons, 0);
    assert_int_equal(shape_of(&stream).kind, ITR_SHAPE_MIXED);
    drop(&stream);
}

/* ---- what is not ---- */

static void a_long_go_traceback_is_not_garbage(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;
    char line[256];

    (void)state;
    put_text(&stream, "SIGSEGV: segmentation violation\nPC=0x7f00 m=3 sigcode=1 addr=0x30\n\n");
    for (int i = 1; stream.count < 100000; i++) {
        snprintf(line, sizeof line,
                 "goroutine %d [chan receive, %d minutes]:\nruntime.gopark(0x%x, 0x%x)\n"
                 "\t/usr/lib/go/src/runtime/proc.go:%d +0xd6 fp=0xc%08x sp=0xc%08x pc=0x%x\n\n",
                 i, i % 9, i * 77, i * 3, 300 + i, i * 4096, i * 4096 + 32, 0x46c000 + i);
        put_text(&stream, line);
    }
    put_text(&stream, "rax    0x0\nrip    0x7f00\ngs     0x0\n");
    shape = shape_of(&stream);
    assert_int_equal(shape.anchors, 1);
    assert_string_equal(shape.anchor, "SIGSEGV: segmentation violation");
    is_clean_text(&stream);
}

static void logs_of_any_script_are_not_garbage(void **state) {
    static const char *const lines[] = {
        "\xd0\x97\xd0\xb0\xd0\xb3\xd1\x80\xd1\x83\xd0\xb7\xd0\xba\xd0\xb0\n", /* Russian */
        "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe3\x81\xae\xe3\x83\xad\xe3\x82\xb0\n",
        "\xd8\xaa\xd8\xad\xd9\x85\xd9\x8a\xd9\x84 \xe0\xa4\xb9\xe0\xa4\xbf\n",
        "\xf0\x9f\x9a\x80 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb done\n",
        "caf\xe9 cr\xe8me, Latin-1, no UTF-8 at all: \xe4\xf6\xfc\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct stream stream = {0};
        struct itr_shape shape;
        put_text(&stream, "panic: boom\n"); /* also behind a message */
        while (stream.count < 50000) {
            put_text(&stream, lines[i]);
        }
        shape = shape_of(&stream);
        assert_true(shape.high_share > 0);
        assert_true(i == 4 ? shape.invalid_share > 0 : shape.invalid_share == 0);
        is_clean_text(&stream);
    }
}

static void a_hex_dump_is_not_garbage(void **state) {
    struct stream stream = {0};
    char line[128];

    (void)state;
    put_text(&stream, "fatal error: bad frame\n");
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(line, sizeof line,
                 "%08x  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 %02x  |................|\n",
                 i * 16, i & 255);
        put_text(&stream, line);
    }
    is_clean_text(&stream);
}

static void a_coloured_progress_bar_is_not_garbage(void **state) {
    struct stream stream = {0};
    char line[128];

    (void)state;
    put_text(&stream, "\x1b]0;title\a");
    for (int i = 0; i < 3000; i++) {
        snprintf(line, sizeof line, "\r\x1b[2K\x1b[32m%3d%%\x1b[0m \xe2\x96\x88\xe2\x96\x88 \b\b|",
                 i / 30);
        put_text(&stream, line);
    }
    is_clean_text(&stream);
}

static void a_stray_nul_is_not_garbage(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    put_text(&stream, "fatal error: x\n");
    put(&stream, "", 1);
    put_text(&stream, "ok\n");
    shape = shape_of(&stream);
    assert_true(shape.nul_share > 0);
    is_clean_text(&stream);
    put(&stream, "", 1);
    is_clean_text(&stream);
}

static void utf16_text_is_not_garbage(void **state) {
    struct stream stream = {0};

    (void)state;
    for (int i = 0; i < 3000; i++) {
        static const char words[] = "Windows Subsystem\r\n";
        for (size_t j = 0; j < sizeof words - 1; j++) {
            uint8_t pair[2] = {(uint8_t)words[j], 0};
            put(&stream, pair, 2);
        }
    }
    is_clean_text(&stream);
}

static void a_message_printed_thousands_of_times_is_text_that_repeats(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        put_text(&stream, message);
    }
    shape = shape_of(&stream);
    assert_int_equal(shape.anchors, 5000);
    assert_int_equal(shape.anchor_copies, 5000);
    assert_int_equal(shape.period_bytes, sizeof message - 1);
    assert_int_equal(shape.repeats, 5000);
    is_clean_text(&stream);
}

static void the_shortest_period_of_a_dense_repeat_is_told(void **state) {
    static const char *const units[] = {"a", "ab", "tick\n",
                                        "0123456789012345678901234567890123456"};

    (void)state;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        struct stream stream = {0};
        struct itr_shape shape;
        for (int j = 0; j < 2000; j++) {
            put_text(&stream, units[i]);
        }
        shape = shape_of(&stream);
        assert_int_equal(shape.period_bytes, strlen(units[i]));
        assert_in_range(shape.repeats, 1950, 2000);
        is_clean_text(&stream);
    }
}

static void an_ordinary_log_has_no_period(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;
    char line[64];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        snprintf(line, sizeof line, "%d line %d of the log\n", i * i % 977, i);
        put_text(&stream, line);
    }
    shape = shape_of(&stream);
    assert_int_equal(shape.period_bytes, 0);
    assert_int_equal(shape.repeats, 0);
    is_clean_text(&stream);
}

/* ---- messages ---- */

static void wine_noise_is_no_message_and_a_later_one_is_found(void **state) {
    struct itr_capture capture = {0};
    struct itr_message found;
    char line[80];
    uint64_t offset;

    (void)state;
    for (int i = 0; i < 20000; i++) { /* far beyond what is kept */
        snprintf(line, sizeof line, "%04x:fixme:ntdll:something runtime: %d\n", i, i);
        itr_capture_feed(&capture, line, strlen(line));
    }
    assert_false(itr_capture_message(&capture, &found));
    assert_int_equal(itr_capture_shape(&capture).anchors, 0);
    offset = capture.total_bytes;
    itr_capture_feed(&capture, "fatal error: found 17 of 0x1234\r\n", 33);
    for (int i = 0; i < 20000; i++) {
        itr_capture_feed(&capture, "and much text behind it\n", 24);
    }
    assert_true(itr_capture_message(&capture, &found));
    assert_string_equal(found.text, "fatal error: found # of #");
    assert_int_equal(found.offset, offset);
    assert_int_equal(found.kind, ITR_MESSAGE_FATAL);
    itr_capture_release(&capture);
}

static void a_kept_message_is_bounded(void **state) {
    struct stream stream = {0};
    struct itr_shape shape;

    (void)state;
    put_text(&stream, "\n\npanic: ");
    for (int i = 0; i < 100000; i++) {
        put_text(&stream, "z");
    }
    shape = shape_of(&stream);
    assert_int_equal(strlen(shape.anchor), ITR_CAPTURE_ANCHOR_MAX);
    assert_int_equal(shape.anchor_offset, 2);
    is_clean_text(&stream);
}

static void a_message_is_found_wherever_its_line_begins(void **state) {
    (void)state;
    for (size_t before = 1; before < 3000; before++) {
        struct stream stream = {0};
        struct itr_shape shape;
        for (size_t i = 1; i < before; i++) {
            put_text(&stream, "-");
        }
        put_text(&stream, "\npanic: x");
        shape = shape_of(&stream);
        assert_int_equal(shape.anchors, 1);
        assert_int_equal(shape.anchor_offset, before);
        assert_string_equal(shape.anchor, "panic: x");
        assert_int_equal(shape.anchor_copies, 1);
        drop(&stream);
    }
}

/* Every length around the sizes of stripes and blocks, in an array of exactly that size. */
static void no_length_reads_or_counts_too_much(void **state) {
    (void)state;
    for (size_t count = 1; count<2600; count += count> 40 && count < 980 ? 37 : 1) {
        uint8_t *exact = malloc(count);
        struct itr_capture capture = {0};
        struct itr_shape shape;
        assert_non_null(exact);
        memset(exact, 0, count);
        itr_capture_feed(&capture, exact, count);
        shape = itr_capture_shape(&capture);
        assert_true(shape.nul_share == 1);
        assert_true(shape.printable_share == 0);
        assert_int_equal(shape.blocks, (count + 1023) / 1024);
        assert_true(itr_capture_hash(&capture) == itr_capture_hash_of(exact, count));
        itr_capture_release(&capture);
        free(exact);
    }
}

static void utf8_across_blocks_is_sound(void **state) {
    (void)state;
    for (size_t before = 0; before < 40; before++) {
        struct stream stream = {0};
        struct itr_shape shape;
        for (size_t i = 0; i < before; i++) {
            put_text(&stream, ".");
        }
        while (stream.count < 5000) {
            put_text(&stream, "\xf0\x9f\x98\x80\xe2\x82\xac");
        }
        shape = shape_of(&stream);
        assert_true(shape.invalid_share == 0);
        drop(&stream);
    }
}

static void broken_utf8_is_counted(void **state) {
    static const struct {
        const char *bytes;
        unsigned broken;
    } samples[] = {
        {"a\x80z", 1},
        {"a\xc3z", 1},
        {"a\xe2\x82z", 1},
        {"a\xf0\x9f\x98z", 1},
        {"a\xffz", 1},
        {"\xc3\xa4\xa4", 1},
        {"\xe2\x82\xac\xf0\x9f\x98\x80", 0},
        {"\xc3\xc3\xa4\xbf\xff\xfe", 4},
    };

    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        struct stream stream = {0};
        struct itr_shape shape;
        put_text(&stream, samples[i].bytes);
        put_text(&stream, "plain");
        shape = shape_of(&stream);
        assert_int_equal((unsigned)(shape.invalid_share * (double)stream.count + 0.5),
                         samples[i].broken);
        drop(&stream);
    }
}

static void kinds_have_names(void **state) {
    (void)state;
    assert_string_equal(itr_shape_kind_name(ITR_SHAPE_MIXED), "mixed");
    assert_string_equal(itr_shape_kind_name((enum itr_shape_kind)77), "unknown");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_stream_costs_nothing),
        cmocka_unit_test(both_ends_are_kept_and_the_middle_is_counted),
        cmocka_unit_test(a_piece_that_fills_the_head_harms_nothing),
        cmocka_unit_test(memory_is_taken_once_however_much_comes),
        cmocka_unit_test(refused_memory_leaves_the_count),
        cmocka_unit_test(a_reset_capture_remembers_nothing),
        cmocka_unit_test(the_hash_is_format_1),
        cmocka_unit_test(the_hash_tells_streams_apart),
        cmocka_unit_test(every_answer_is_the_same_however_the_bytes_come),
        cmocka_unit_test(the_go_1_19_flood_is_recognised),
        cmocka_unit_test(text_before_the_flood_does_not_hide_it),
        cmocka_unit_test(a_flood_that_was_cut_short_is_no_multiple),
        cmocka_unit_test(one_message_followed_by_binary_is_garbage),
        cmocka_unit_test(a_repeat_without_any_message_is_found),
        cmocka_unit_test(a_stretch_that_comes_often_within_the_period_does_not_confuse),
        cmocka_unit_test(a_copy_that_is_broken_does_not_hide_the_period),
        cmocka_unit_test(copies_with_a_few_changed_bytes_still_count),
        cmocka_unit_test(the_period_of_nested_repeats_is_the_outer_one),
        cmocka_unit_test(text_that_repeats_before_binary_is_not_the_repeat),
        cmocka_unit_test(random_bytes_are_binary_garbage_without_a_period),
        cmocka_unit_test(a_block_is_binary_from_its_limits_on),
        cmocka_unit_test(binary_is_garbage_from_its_limits_on),
        cmocka_unit_test(only_what_follows_the_message_is_weighed),
        cmocka_unit_test(binary_before_a_message_is_not_held_against_it),
        cmocka_unit_test(a_long_go_traceback_is_not_garbage),
        cmocka_unit_test(logs_of_any_script_are_not_garbage),
        cmocka_unit_test(a_hex_dump_is_not_garbage),
        cmocka_unit_test(a_coloured_progress_bar_is_not_garbage),
        cmocka_unit_test(a_stray_nul_is_not_garbage),
        cmocka_unit_test(utf16_text_is_not_garbage),
        cmocka_unit_test(a_message_printed_thousands_of_times_is_text_that_repeats),
        cmocka_unit_test(the_shortest_period_of_a_dense_repeat_is_told),
        cmocka_unit_test(an_ordinary_log_has_no_period),
        cmocka_unit_test(wine_noise_is_no_message_and_a_later_one_is_found),
        cmocka_unit_test(a_kept_message_is_bounded),
        cmocka_unit_test(a_message_is_found_wherever_its_line_begins),
        cmocka_unit_test(no_length_reads_or_counts_too_much),
        cmocka_unit_test(utf8_across_blocks_is_sound),
        cmocka_unit_test(broken_utf8_is_counted),
        cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
