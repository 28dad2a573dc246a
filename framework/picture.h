/* A located window as an SVG picture: the start of a library on one axis, as a strip of functions, the
 * outcomes of all probes above it, windows as brackets, writes to watched variables as marks. It decides
 * nothing; all words are the caller's. No scripts, no fonts, nothing from elsewhere; light and dark. */
#ifndef INITRACE_FRAMEWORK_PICTURE_H
#define INITRACE_FRAMEWORK_PICTURE_H

#include "framework/text.h"
#include "framework/window.h"

enum {
    ITR_PICTURE_COLUMNS_MAX = 1100, /* samples are binned to these */
    ITR_PICTURE_WINDOWS_MAX = 12,   /* further ones are counted in a line */
    ITR_PICTURE_WRITES_MAX = 24,    /* likewise */
    ITR_PICTURE_FUNCTIONS_MAX = 20, /* names written beside the strip; the others are tooltips */
    ITR_PICTURE_LABEL_MAX = 160,    /* bytes of any text that are shown, before escaping */
    /* No picture is larger than this: the ceiling that its text should have. */
    ITR_PICTURE_BYTES_MAX = 4 * 1024 * 1024,
};

/* Consecutive positions [from, to) in one function. */
struct itr_picture_function {
    const char *name; /* NULL: not named by any table */
    uint32_t from;
    uint32_t to;
    bool important; /* its name is written before those of longer ones */
};

struct itr_picture_window {
    uint32_t signature;
    uint32_t from; /* first and last position inside */
    uint32_t to;
    bool open_before; /* no opening, no closing edge */
    bool open_after;
    const char *label;   /* "lost SIGURG: 100 % (98.2 – 100 %) inside, 0 % outside" */
    const char *opening; /* "runtime.initsig+0x1c (signal_unix.go:120)"; NULL: none */
    const char *closing;
};

struct itr_picture_write {
    uint32_t position; /* of the instruction that wrote */
    const char *variable;
    uint64_t old_value;
    uint64_t new_value;
    uint64_t time_ns; /* after load-begin */
};

/* All is borrowed. Positions at or beyond `length` are left out. */
struct itr_picture {
    const char *title;
    const char *subtitle; /* NULL: none */
    const char *axis;     /* "instructions of the init thread, by first execution" */
    uint32_t length;      /* positions of the axis */
    const struct itr_picture_function *functions; /* by position, not overlapping */
    size_t function_count;
    const struct itr_sample *samples; /* any order */
    size_t sample_count;
    const char *const *signatures; /* names by signature, [0] "as expected" */
    size_t signature_count;        /* at most ITR_SAMPLE_SIGNATURES_MAX are read */
    const struct itr_picture_window *windows;
    size_t window_count;
    const struct itr_picture_write *writes; /* by time */
    size_t write_count;
};

/* Appends the picture, a well-formed document of its own. Once `out` is full or memory was refused, what
 * it holds is only the beginning of one: ask its flags. */
void itr_picture_svg(struct itr_text *out, const struct itr_picture *picture);

#endif
