/* What the files of triage share between themselves: a cursor over one line, the store of strings and stacks, and the
 * ways from one file to the next. For triage_*.c only. */
#ifndef INITRACE_FRAMEWORK_TRIAGE_PARTS_H
#define INITRACE_FRAMEWORK_TRIAGE_PARTS_H

#include "framework/triage.h"
#include "framework/triage_line.h"

/* ---- a cursor over one line: each itr_skip… moves on, or stays and returns false ---- */

struct itr_cursor {
    const char *p;
    const char *end;
};

bool itr_begins(const char *text, size_t count, const char *what);
bool itr_skip(struct itr_cursor *at, const char *literal);
bool itr_skip_number(struct itr_cursor *at, uint64_t *value); /* decimal; too large ones become UINT64_MAX */
bool itr_skip_digits(struct itr_cursor *at, uint64_t *value); /* hexadecimal, without 0x */
bool itr_skip_hex(struct itr_cursor *at, uint64_t *value);    /* with 0x */
bool itr_skip_value(struct itr_cursor *at, uint64_t *value);  /* either: gccgo of GCC 8 wrote decimal ones for those with 0x */
void itr_skip_blanks(struct itr_cursor *at);

/* First place of `what` in `text`, NULL if there is none. */
const char *itr_find_in(const char *text, size_t count, const char *what);
/* The number 0x… right behind the first `key`. */
bool itr_find_hex(const char *text, size_t count, const char *key, uint64_t *value);
/* The same, with 0x or decimal as itr_skip_value() takes it. */
bool itr_find_value(const char *text, size_t count, const char *key, uint64_t *value);
/* Whether it is text as a function's name is: UTF-8 and no controls. Garbage seldom is. */
bool itr_is_name(const char *text, size_t count);
/* "FILE:LINE" and nothing else. */
bool itr_read_place(struct itr_line *line, const char *text, size_t count);
/* The kinds that the stack of a Go runtime has. */
bool itr_read_goroutine(struct itr_line *line, const char *text, size_t count);
bool itr_read_created_by(struct itr_line *line, const char *text, size_t count);
bool itr_read_function(struct itr_line *line, const char *text, size_t count);
bool itr_read_bare(struct itr_line *line, const char *text, size_t count);
bool itr_read_location(struct itr_line *line, const char *text, size_t count);
/* "http: panic serving 127.0.0.1:5000: boom", as net/http says it when it recovers: length of what stands before the
 * value; 0 if it is none. */
size_t itr_served_panic(const char *text, size_t count);
/* The kinds that debuggers and coredumpctl write; Wine and its debugger; the race detector. */
bool itr_read_debugger(struct itr_line *line, const char *text, size_t count);
bool itr_read_wine(struct itr_line *line, const char *text, size_t count);
bool itr_read_race(struct itr_line *line, const char *text, size_t count);

/* ---- kinds of bytes ---- */

enum {
    ITR_BYTES_HARD = 1, /* that no text has, see itr_is_hard() */
    ITR_BYTES_HIGH = 2, /* not ASCII */
    ITR_BYTES_ESCAPE = 4,
};

/* All that are there. */
unsigned itr_kinds_of_bytes(const char *bytes, size_t count);
size_t itr_count_hard(const char *bytes, size_t count);
/* Index of the first hard byte; `count` if there is none. */
size_t itr_first_hard(const char *bytes, size_t count);

/* ---- the store ---- */

struct itr_block;

struct itr_string {
    uint64_t hash;
    const char *text;
    size_t length;
};

/* Owns every string and every stack of an answer. Equal strings are one string, so that two can be compared by
 * their pointers. `{0}` is an empty store. */
struct itr_store {
    struct itr_block *blocks;
    size_t bytes; /* all blocks together */
    struct itr_string *strings;
    size_t string_room; /* a power of two */
    size_t string_count;
    struct itr_stack *stacks;
    size_t stack_count;
    size_t stack_room;
    uint32_t *by_hash; /* index into `stacks` plus one; 2 * ITR_STACKS_MAX of them */
    bool cut;          /* something did not fit */
    bool no_memory;
    void *(*reallocate)(void *pointer, size_t bytes); /* NULL: realloc() */
};

/* The string; "" when there is no more room. */
const char *itr_store_string(struct itr_store *store, const char *bytes, size_t count);
/* Counts the stack with an equal one, or copies it, its frames too. Returns its index, or -1 if it did not fit. */
int itr_store_stack(struct itr_store *store, const struct itr_stack *stack);
void itr_store_release(struct itr_store *store);

/* ---- facts: what the lines say together ---- */

/* Which stacks of a crash are which, and whose it is. */
struct itr_found {
    bool any;
    int runtime_stack;
    int first_goroutine;
    int main_goroutine;
    int first_thread;
    bool has_goroutine;
    uint64_t goroutine;
    bool has_m;
    uint64_t m;
};

struct itr_facts {
    struct itr_crash crash;
    struct itr_store store;
    bool open; /* `stack` is one that the text is in the midst of */
    struct itr_stack stack;
    struct itr_frame frames[ITR_FRAMES_MAX];
    const char *function;  /* of a frame whose place comes on the next line; NULL: none */
    unsigned function_age; /* so many lines of something else came since */
    bool function_certain; /* it stood right behind another line of the stack */
    bool has_pc;           /* it had a PC, Delve's own stacks do */
    uint64_t pc;
    const char *bare;      /* a word on the line before, that a place makes a function; NULL: none */
    bool current;          /* it is the one that the debugger looks at */
    bool listed;           /* the open stack is one of a debugger's list: its frames replace the one of the list */
    bool test_is_next;     /* "running tests:" */
    bool has_thread_number; /* the open stack is of a thread that gdb numbers so */
    uint64_t thread_number;
    bool headless; /* the failing thread's stack has no heading: the first heading is another goroutine's */
    bool heading_has_m; /* of that goroutine */
    uint64_t heading_m;
    bool at_stop;   /* the open stack was begun by a debugger's frame, without a heading */
    int stop_index; /* of the first such stack; -1: none */
    bool in_stack;         /* the last line was part of a stack */
    bool creator_is_next;
    bool place_of_creator; /* the next place belongs to created_by */
    bool ignore_frames;    /* of ancestors */
    struct itr_found before; /* what was found before the report's head: the end of something that was cut */
    bool stopped;          /* Delve named a place */
    struct itr_frame stop;
    bool weak_signal; /* a debugger stopped at a signal that kills nobody */
    uint64_t last_exception_pc;
    uint32_t last_exception;
    bool exception_repeats;
    uint32_t exceptions; /* different neighbours in the shape */
    bool race_first; /* the text begins with a report of the race detector */
};

/* Stacks of the text, for triage_facts.c. A frame is settled when no place of it can come any more. */
void itr_stack_open(struct itr_facts *facts, enum itr_stack_kind kind, uint64_t id);
void itr_stack_add(struct itr_facts *facts, const struct itr_frame *frame);
void itr_stack_settle(struct itr_facts *facts);
void itr_stack_close(struct itr_facts *facts);
/* Takes what the line says of stacks. */
void itr_stack_line(struct itr_facts *facts, const struct itr_line *line);
/* "main.main+0x34 /src/main.go:10", as Go 1.0 named a goroutine's creator; the place may have a line of its own. */
bool itr_stack_old_creator(struct itr_facts *facts, const char *text, size_t count);

/* What the text says in words, for triage_facts.c. A line that may be the head of a report: the first one's facts are kept. */
void itr_facts_report(struct itr_facts *facts);
void itr_facts_message(struct itr_facts *facts, const struct itr_line *line, const char *text, size_t count);
/* The value of a panic that Delve shows, as the program itself would have printed it. */
void itr_facts_panic_value(struct itr_facts *facts, const struct itr_line *line);
/* At the end of the text: where no stack came behind the report's head, those before it are its own. */
void itr_facts_take_back(struct itr_facts *facts);

void itr_facts_begin(struct itr_facts *facts, void *(*reallocate)(void *, size_t));
/* Takes a line without white space around it. True if it was part of a crash text; blank lines are not. */
bool itr_facts_line(struct itr_facts *facts, const char *text, size_t count);
/* The failing test, or its package; the first one counts. */
void itr_facts_test(struct itr_facts *facts, bool is_test, const char *name, size_t count);
/* Ends the text and signs the answer. */
void itr_facts_end(struct itr_facts *facts);
void itr_facts_release(struct itr_facts *facts);

/* ---- unwrapping ---- */

enum { ITR_PREFIX_MAX = 128 };

struct itr_wrapping {
    char *scratch; /* ITR_TRIAGE_LINE_MAX: a line taken out of its quotes */
    char prefix[ITR_PREFIX_MAX]; /* what stood before the last head */
    size_t prefix_length;
};

/* Takes one line of at most ITR_TRIAGE_LINE_MAX bytes, without its end. True if anything in it was part of a crash text. */
bool itr_unwrap_line(struct itr_wrapping *wrapping, struct itr_facts *facts, const char *bytes, size_t count);

/* ---- the answer ---- */

/* Messages that programs cause, not the runtime: with them the runtime hides its own frames, unless told not to,
 * so the place is the first frame that is not the runtime's. */
bool itr_is_programs_own(const struct itr_crash *crash);
/* Index of the first frame of the program's own; `otherwise` if all are the runtime's. */
size_t itr_own_frame(const struct itr_frame *frames, size_t count, size_t otherwise);
bool itr_is_sent_from_outside(const struct itr_crash *crash);
/* Whether the stack that crashed ends where a runtime or a C library gives up, and tells where that came from. */
bool itr_gives_up(const struct itr_crash *crash);
/* Fills in the crashed stack and its frames below those that report; the kind is known. */
void itr_triage_locate(struct itr_crash *crash);
/* Fills in what follows from facts and stacks: kind, place, signature, detail. */
void itr_triage_sign(struct itr_crash *crash);

#endif
