/* What a stepped thread need not be stepped through: calls of functions whose last full execution showed no
 * instruction that was new, and loops of which the last rounds showed none. A start of Go makes some 400,000 steps,
 * nearly all of them in such. Pure: addresses in, decisions out; the debuggers do the stepping.
 *
 * What it costs: an instruction that such a function, or what a loop calls, executes only in a later call is not in
 * the trace. A loop itself loses nothing: the thread runs until it takes a way out that was not seen. */
#ifndef INITRACE_FRAMEWORK_WALK_H
#define INITRACE_FRAMEWORK_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ITR_WALK_DEPTH_MAX = 256,        /* of calls; those further in are stepped */
    ITR_WALK_FUNCTIONS_MAX = 1 << 14, /* known ones; further ones are stepped each time */
    ITR_WALK_LOOPS_MAX = 6,           /* followed at a time, one in another */
    ITR_WALK_LOOP_MAX = 256,          /* instructions of a loop; larger ones are stepped */
    ITR_WALK_EXITS_MAX = 3,           /* ways out of a loop; with more it is stepped */
};

struct itr_walk_call {
    uint32_t entry;
    uint64_t return_address;
    uint64_t stack; /* at the entry, where the return address lies */
    uint64_t news;  /* how many new instructions had been seen then */
};

/* A loop: a place that is jumped back to, and what was executed in the same frame since it was last begun anew. */
struct itr_walk_loop {
    uint32_t head;
    uint32_t count;  /* 0: free; above ITR_WALK_LOOP_MAX: too large */
    uint32_t rounds; /* since then, each like the first one */
    uint32_t round_count; /* `count` after the first one */
    uint64_t stack;
    uint64_t news;
    uint32_t rvas[ITR_WALK_LOOP_MAX];
};

/* Where the thread is to be stopped again. */
struct itr_walk_exits {
    uint32_t rvas[ITR_WALK_EXITS_MAX];
    uint32_t count;
};

/* `{0}` walks nothing; itr_walk_begin() and itr_walk_release() go together. */
struct itr_walk {
    uint8_t *seen; /* a bit for each byte of the library */
    uint8_t *code; /* the library's bytes, for the caller to fill in */
    uint64_t bytes;
    struct itr_walk_loop loops[ITR_WALK_LOOPS_MAX];
    uint32_t next_loop; /* the one that is given up for a new one */
    struct itr_walk_loop *at_head; /* the thread has just jumped to its beginning; NULL: to none */
    uint32_t *known; /* entries, hashed; 0: free */
    uint32_t known_count;
    uint64_t news;
    struct itr_walk_call calls[ITR_WALK_DEPTH_MAX];
    uint32_t depth;
    uint32_t last;
    uint64_t last_stack;
};

/* For a library of that many bytes. False: out of memory, nothing to release. */
bool itr_walk_begin(struct itr_walk *walk, uint64_t bytes);
void itr_walk_release(struct itr_walk *walk);

/* The thread is about to execute the library's instruction at `rva`, of absolute address `pc`, with that stack
 * pointer. True if it may just have been called: ask itr_walk_skips() with the word at the stack pointer. */
bool itr_walk_step(struct itr_walk *walk, uint32_t rva, uint64_t pc, uint64_t stack);

/* After a true itr_walk_step(): `word` is what lies at the stack pointer. True if it was a call and need not be
 * stepped: let the thread run until it is at `word` with a higher stack pointer. */
bool itr_walk_skips(struct itr_walk *walk, uint64_t word);

/* After itr_walk_step(): true if the thread is at the beginning of a loop's next round and can run until it reaches
 * one of the exits. */
bool itr_walk_leaves_loop(struct itr_walk *walk, struct itr_walk_exits *exits);

#endif
