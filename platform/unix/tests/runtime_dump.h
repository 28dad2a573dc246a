/* What Go's runtime writes of all goroutines when it dies with GOTRACEBACK=system, read line by line. For tests only; it
 * makes nobody die. */
#ifndef INITRACE_PLATFORM_UNIX_TESTS_RUNTIME_DUMP_H
#define INITRACE_PLATFORM_UNIX_TESTS_RUNTIME_DUMP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DUMP_BYTES = 1 << 20, FRAMES_MAX = 128, GOROUTINES_MAX = 64, NAME_BYTES = 256 };

/* What the runtime said of one goroutine. */
struct dumped_frame {
    char name[NAME_BYTES];
    char place[NAME_BYTES]; /* file:line of the innermost function, inlined ones included */
    uint64_t sp;
    uint64_t pc;
};

struct dumped {
    uint64_t id;
    uint64_t g;
    bool has_m;
    int64_t m;
    char state[NAME_BYTES];
    bool scanned;
    bool locked;
    bool unavailable;
    char creator[NAME_BYTES];
    char creator_place[NAME_BYTES];
    uint64_t parent;
    uint32_t frame_count;
    struct dumped_frame frames[FRAMES_MAX];
    bool cut;        /* more frames than the runtime prints: */
    uint32_t head;   /* so many are before those that are left out; */
    uint32_t elided; /* so many are left out; 0: it does not say, nor what comes behind them (Go below 1.21) */
};

static struct {
    char text[DUMP_BYTES];
    struct dumped items[GOROUTINES_MAX];
    size_t count;
} dump;

static void copy(char *out, const char *from, size_t length) {
    length = length < NAME_BYTES - 1 ? length : NAME_BYTES - 1;
    memcpy(out, from, length);
    out[length] = '\0';
}

static uint64_t hex_after(const char *line, const char *word) {
    const char *at = strstr(line, word);
    return at != NULL ? strtoull(at + strlen(word), NULL, 16) : 0;
}

/* "goroutine 5 gp=0xc0 m=3 mp=0xc1 [chan receive, locked to thread]:" */
static void read_header(const char *line, struct dumped *one) {
    const char *open = strchr(line, '[');
    const char *close = strrchr(line, ']');
    const char *m = strstr(line, " m=");
    *one = (struct dumped){.id = strtoull(line + strlen("goroutine "), NULL, 10), .g = hex_after(line, " gp=")};
    assert_true(open != NULL && close != NULL && close > open);
    if (m != NULL && m < open && strncmp(m, " m=nil", 6) != 0) {
        one->has_m = true;
        one->m = strtoll(m + 3, NULL, 10);
    }
    copy(one->state, open + 1, (size_t)(close - open - 1));
    one->locked = strstr(one->state, ", locked to thread") != NULL;
    one->state[strcspn(one->state, ",")] = '\0'; /* the other thing there is for how long */
    char *scanned = strstr(one->state, " (scan)");
    if (scanned != NULL) {
        one->scanned = true;
        *scanned = '\0';
    }
}

/* "\tfile:line +0x1c fp=0x1 sp=0x2 pc=0x3"; the numbers are there for the function that others were inlined into. */
static void read_place(const char *line, struct dumped *one, bool of_creator) {
    struct dumped_frame *frame = &one->frames[one->frame_count];
    size_t length = strcspn(line + 1, " ");
    if (of_creator) {
        copy(one->creator_place, line + 1, length);
        return;
    }
    if (frame->place[0] == '\0') {
        copy(frame->place, line + 1, length);
    }
    if (strstr(line, " pc=") != NULL) {
        frame->sp = hex_after(line, " sp=");
        frame->pc = hex_after(line, " pc=");
        one->frame_count++;
        assert_true(one->frame_count < FRAMES_MAX);
    }
}

static void read_creator(const char *line, struct dumped *one) {
    const char *name = line + strlen("created by ");
    const char *parent = strstr(name, " in goroutine ");
    copy(one->creator, name, parent != NULL ? (size_t)(parent - name) : strlen(name));
    one->parent = parent != NULL ? strtoull(parent + strlen(" in goroutine "), NULL, 10) : 0;
}

/* A line of a goroutine's part; false: the part ends. */
static bool read_line(const char *line, struct dumped *one, bool *of_creator) {
    if (line[0] == '\0') {
        return false;
    }
    if (line[0] == '\t' && strstr(line, "stack unavailable") != NULL) {
        one->unavailable = true;
    } else if (line[0] == '\t') {
        read_place(line, one, *of_creator);
    } else if (strncmp(line, "created by ", 11) == 0) {
        *of_creator = true;
        read_creator(line, one);
    } else if (strncmp(line, "...", 3) == 0) {
        one->cut = true; /* "...54 frames elided..." or "...additional frames elided..." */
        one->head = one->frame_count;
        one->elided = (uint32_t)strtoul(line + 3, NULL, 10);
    } else {
        const char *end = strrchr(line, '(');
        assert_non_null(end);
        copy(one->frames[one->frame_count].name, line, (size_t)(end - line));
    }
    return true;
}

static void read_dump(void) {
    struct dumped *one = NULL;
    bool of_creator = false;
    char *rest = dump.text;
    dump.count = 0;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (strncmp(line, "goroutine ", 10) == 0) {
            assert_true(dump.count < GOROUTINES_MAX);
            one = &dump.items[dump.count++];
            of_creator = false;
            read_header(line, one);
        } else if (one != NULL && !read_line(line, one, &of_creator)) {
            one = NULL;
        }
    }
}

#endif
