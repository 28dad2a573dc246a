/* The bounded record of one output stream of a host: its two ends, size, hash, and the shape of the
 * whole, found as the bytes go by. It reads no descriptor and judges no trial.
 *
 * Every result depends on the bytes alone, never on how they were split into chunks. */
#ifndef INITRACE_FRAMEWORK_CAPTURE_H
#define INITRACE_FRAMEWORK_CAPTURE_H

#include "framework/error.h"
#include "framework/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_CAPTURE_HEAD_BYTES = 64 * 1024,
    ITR_CAPTURE_TAIL_BYTES = 64 * 1024,
    ITR_CAPTURE_ANCHOR_MAX = 120, /* bytes kept of the first runtime message's line */
    ITR_CAPTURE_BLOCK_BYTES = 1024,
    ITR_CAPTURE_NEEDLE_BYTES = 32,
    ITR_CAPTURE_GAPS_MAX = 64,
};

enum itr_shape_kind {
    ITR_SHAPE_EMPTY,
    ITR_SHAPE_TEXT, /* no binary block */
    ITR_SHAPE_MIXED,
    ITR_SHAPE_BINARY, /* nine blocks of ten, or more */
};

/* Why a stream counts as garbage, bits; 0: it does not. Blocks are 1 KiB. A byte is *hard* when it
 * is NUL, DEL or a control other than \a \b \t \n \v \f \r ESC. A block is *binary* when at least 8
 * bytes and at least 1/32 of it are hard, unless it looks like UTF-16 (hard bytes in every other
 * place only, and a quarter of the block). Legacy code pages (high bytes that are no UTF-8) are
 * text. */
enum {
    /* A runtime's message, and of all blocks from it on at least 1/4 (and 1) are binary. */
    ITR_GARBAGE_AFTER_MESSAGE = 1u << 0,
    /* At least 3 copies of the same stretch, and at least 1/4 of the blocks are binary, of all and of
     * those that repeat. */
    ITR_GARBAGE_REPEATS = 1u << 1,
    /* As before, and the size from the message on, of all where there is none, is a whole number of
     * periods. */
    ITR_GARBAGE_MULTIPLE = 1u << 2,
    /* At least 4 binary blocks, and at least 1/4 of all. A program that means to write binary data
     * looks like this too: judge it against what the host does without an event. */
    ITR_GARBAGE_BINARY = 1u << 3,
};

/* What a stream looks like. A plain value; nothing to free. */
struct itr_shape {
    enum itr_shape_kind kind;
    bool garbage;            /* reasons != 0 */
    uint32_t reasons;        /* ITR_GARBAGE_… */
    uint64_t period_bytes;   /* distance of the copies; 0: no repeat found */
    uint64_t repeats;        /* copies of that stretch, the first included; 0 without a period */
    uint64_t repeat_offset;  /* of a place in the first copy; of the message if that repeats */
    uint64_t garbage_offset; /* where garbage starts: after the message's line when the message
                                repeats, else the first hard byte of the first binary block */
    uint64_t anchors;        /* lines that begin a runtime's message */
    uint64_t anchor_offset;  /* of the first one */
    uint64_t anchor_copies;  /* how often the first 32 bytes from there on occur, anywhere */
    enum itr_message_kind anchor_kind;
    /* The first one's line: raw bytes up to its end or the first hard byte, NUL-terminated; "" for
     * none. Escape it before showing it. */
    char anchor[ITR_CAPTURE_ANCHOR_MAX + 1];
    uint64_t blocks;
    uint64_t binary_blocks;
    double printable_share; /* of all bytes: those of ASCII that are not hard */
    double nul_share;
    double control_share; /* hard bytes other than NUL */
    double high_share;    /* 0x80 … 0xff */
    double invalid_share; /* places where UTF-8's structure is broken (overlong forms count as
                               sound), per byte */
};

/* Internal: a stretch of bytes that is looked for, and where it came again. */
struct itr_needle {
    uint8_t bytes[ITR_CAPTURE_NEEDLE_BYTES];
    bool armed;
    unsigned rare;                /* index of the byte that is searched first */
    uint64_t first;               /* stream offset of the needle itself */
    uint64_t last;                /* of its latest copy */
    uint64_t copies;              /* itself included; they do not overlap */
    uint64_t binary_blocks_first; /* that the scan had counted when it was armed */
    uint64_t binary_blocks_last;  /* … and at its latest copy */
    unsigned gap_count;
    uint64_t gaps[ITR_CAPTURE_GAPS_MAX]; /* between the first copies */
};

/* Internal: `copies` of a stretch of `period` bytes; the place that was watched is at `first` in
 * the first copy and at `last` in the last. */
struct itr_repeat {
    uint64_t period;
    uint64_t copies;
    uint64_t first;
    uint64_t last;
    uint64_t binary_blocks; /* between the two */
};

/* Internal: all that is known of the bytes up to `done`. */
struct itr_scan {
    bool begun;
    uint64_t done;
    uint64_t lanes[4]; /* of the hash */
    uint64_t nul;
    uint64_t hard;
    uint64_t high;
    uint64_t invalid;
    uint64_t blocks;
    uint64_t binary_blocks;
    uint64_t binary_since_anchor;
    uint64_t first_hard;
    uint64_t anchors;
    uint64_t anchor_offset;
    enum itr_message_kind anchor_kind;
    size_t anchor_bytes;
    char anchor[ITR_CAPTURE_ANCHOR_MAX + 1];
    uint64_t checkpoint;      /* offset at which `free` is armed anew */
    struct itr_needle origin; /* armed at the stream's beginning, then at the first message */
    struct itr_needle free;   /* armed at offsets that double */
    struct itr_repeat best;   /* longest repeat of needles that are given up */
};

/* `{0}` is an empty capture. Costs no memory until the first byte comes; then one block of fixed
 * size (320 KiB, its pages touched as needed), kept by itr_capture_reset() for the next stream. The
 * owner calls itr_capture_release(); a copy of the struct must not be used. */
struct itr_capture {
    uint64_t total_bytes;
    bool no_memory;      /* the block was refused: bytes are counted, nothing else is known */
    uint8_t *memory;     /* the head, then the window */
    size_t window_bytes; /* in the window: the last bytes of the stream */
    struct itr_scan scan;
    /* NULL: realloc(). For tests of the failing path. */
    void *(*reallocate)(void *pointer, size_t bytes);
};

/* Takes the next `count` bytes of the stream. Never fails: see `no_memory`. */
void itr_capture_feed(struct itr_capture *capture, const void *bytes, size_t count);

/* The first bytes of the stream, at most ITR_CAPTURE_HEAD_BYTES. Borrowed until the next feed,
 * reset or release. NULL and 0 when there is none. */
const uint8_t *itr_capture_head(const struct itr_capture *capture, size_t *count);

/* The last bytes of the stream that are not in the head, at most ITR_CAPTURE_TAIL_BYTES, in one
 * piece. Borrowed likewise. */
const uint8_t *itr_capture_tail(const struct itr_capture *capture, size_t *count);

/* Bytes between head and tail, which were not kept. */
uint64_t itr_capture_cut_bytes(const struct itr_capture *capture);

/* Hash of the whole stream, format 1 (part of records, same on every machine; see capture.c):
 * not FNV, which is too slow for floods. Of the empty stream: itr_capture_hash_of(NULL, 0). */
uint64_t itr_capture_hash(const struct itr_capture *capture);
uint64_t itr_capture_hash_of(const void *bytes, size_t count);

/* The shape of the stream so far. Does not change the capture: more may be fed. */
struct itr_shape itr_capture_shape(const struct itr_capture *capture);

const char *itr_shape_kind_name(enum itr_shape_kind kind);

/* The first runtime message anywhere in the stream, also in what was cut, as itr_message_of(); its
 * line is taken up to ITR_CAPTURE_ANCHOR_MAX bytes. */
bool itr_capture_message(const struct itr_capture *capture, struct itr_message *message);

/* Empties the capture for the next stream; keeps the memory. */
void itr_capture_reset(struct itr_capture *capture);

void itr_capture_release(struct itr_capture *capture);

#endif
