/* Follows calls, returns and rounds of loops by the stack pointer, and remembers which of them are worn out. */
#include "framework/walk.h"

#include "framework/instruction.h"

#include <stdlib.h>

enum { INSTRUCTION_MAX = 15, WORD = 8, DULL_ROUNDS = 1 };

/* A stack pointer that moved further than this is another stack's. */
#define SAME_STACK (UINT64_C(1) << 20)

bool itr_walk_begin(struct itr_walk *walk, uint64_t bytes) {
    *walk = (struct itr_walk){.seen = calloc(bytes / 8 + 1, 1),
                              .code = calloc(bytes + 1, 1),
                              .bytes = bytes,
                              .known = calloc((size_t)ITR_WALK_FUNCTIONS_MAX * 2, sizeof *walk->known)};
    if (walk->seen == NULL || walk->code == NULL || walk->known == NULL) {
        itr_walk_release(walk);
        return false;
    }
    return true;
}

void itr_walk_release(struct itr_walk *walk) {
    free(walk->seen);
    free(walk->code);
    free(walk->known);
    *walk = (struct itr_walk){0};
}

/* Place of an entry in the table, or the free one where it belongs. */
static uint32_t *slot_of(const struct itr_walk *walk, uint32_t entry) {
    uint32_t at = (uint32_t)(entry * UINT32_C(2654435761));
    const uint32_t mask = ITR_WALK_FUNCTIONS_MAX * 2 - 1;
    while (walk->known[at & mask] != 0 && walk->known[at & mask] != entry) {
        at++;
    }
    return &walk->known[at & mask];
}

static void know(struct itr_walk *walk, uint32_t entry) {
    uint32_t *slot = slot_of(walk, entry);
    if (*slot == 0 && walk->known_count < ITR_WALK_FUNCTIONS_MAX) {
        *slot = entry;
        walk->known_count++;
    }
}

/* Ends the calls that the thread has returned from, or has left in another way. */
static void end_calls(struct itr_walk *walk, uint64_t pc, uint64_t stack) {
    while (walk->depth > 0) {
        const struct itr_walk_call *top = &walk->calls[walk->depth - 1];
        bool returned = pc == top->return_address && stack == top->stack + WORD;
        bool unwound = stack > top->stack && stack - top->stack < SAME_STACK;
        if (returned && walk->news == top->news) {
            know(walk, top->entry);
        }
        if (!returned && !unwound) {
            return;
        }
        walk->depth--;
        if (returned) {
            return;
        }
    }
}

/* ---- loops ---- */

static bool in_loop(const struct itr_walk_loop *loop, uint32_t rva) {
    for (uint32_t i = 0; i < loop->count && i < ITR_WALK_LOOP_MAX; i++) {
        if (loop->rvas[i] == rva) {
            return true;
        }
    }
    return false;
}

/* Adds the instruction to every loop of this frame; frees the loops of frames that are no more. */
static void fill_loops(struct itr_walk *walk, uint32_t rva, uint64_t stack) {
    for (uint32_t i = 0; i < ITR_WALK_LOOPS_MAX; i++) {
        struct itr_walk_loop *loop = &walk->loops[i];
        if (loop->count > 0 && stack > loop->stack && stack - loop->stack < SAME_STACK) {
            loop->count = 0;
        } else if (loop->count > 0 && stack == loop->stack && loop->count <= ITR_WALK_LOOP_MAX && !in_loop(loop, rva)) {
            if (loop->count < ITR_WALK_LOOP_MAX) {
                loop->rvas[loop->count] = rva;
            }
            loop->count++;
        }
    }
}

/* The loop that begins here in this frame. NULL for one that is met for the first time: it is followed from now on, in
 * the place of the oldest. */
static struct itr_walk_loop *loop_at(struct itr_walk *walk, uint32_t head, uint64_t stack) {
    for (uint32_t i = 0; i < ITR_WALK_LOOPS_MAX; i++) {
        struct itr_walk_loop *loop = &walk->loops[i];
        if (loop->count > 0 && loop->head == head && loop->stack == stack) {
            return loop;
        }
    }
    walk->loops[walk->next_loop++ % ITR_WALK_LOOPS_MAX] =
        (struct itr_walk_loop){.head = head, .stack = stack, .news = walk->news, .count = 1, .rvas = {head}};
    return NULL;
}

static bool add_exit(const struct itr_walk_loop *loop, struct itr_walk_exits *exits, uint64_t rva) {
    for (uint32_t i = 0; i < exits->count; i++) {
        if (exits->rvas[i] == rva) {
            return true;
        }
    }
    if (rva > UINT32_MAX || exits->count == ITR_WALK_EXITS_MAX) {
        return in_loop(loop, (uint32_t)rva);
    }
    if (!in_loop(loop, (uint32_t)rva)) {
        exits->rvas[exits->count++] = (uint32_t)rva;
    }
    return true;
}

/* All ways out of the loop; false where they cannot be told. */
static bool find_exits(const struct itr_walk *walk, const struct itr_walk_loop *loop, struct itr_walk_exits *exits) {
    exits->count = 0;
    for (uint32_t i = 0; i < loop->count; i++) {
        struct itr_instruction what;
        uint32_t rva = loop->rvas[i];
        if (rva >= walk->bytes || !itr_instruction_decode(walk->code + rva, walk->bytes - rva, rva, &what) ||
            what.kind == ITR_INSTRUCTION_RETURN) {
            return false;
        }
        bool jumps = what.kind == ITR_INSTRUCTION_JUMP || what.kind == ITR_INSTRUCTION_BRANCH;
        if (jumps && (!what.direct || !add_exit(loop, exits, what.target))) {
            return false;
        }
        if (what.kind != ITR_INSTRUCTION_JUMP && !add_exit(loop, exits, (uint64_t)rva + what.length)) {
            return false;
        }
    }
    return exits->count > 0;
}

static void begin_anew(struct itr_walk_loop *loop) {
    loop->rvas[0] = loop->head;
    loop->count = 1;
    loop->rounds = 0;
}

bool itr_walk_leaves_loop(struct itr_walk *walk, struct itr_walk_exits *exits) {
    struct itr_walk_loop *loop = walk->at_head;
    if (loop == NULL || loop->count > ITR_WALK_LOOP_MAX) {
        return false;
    }
    bool changed = loop->rounds > 0 && (loop->count != loop->round_count || loop->news != walk->news);
    loop->news = walk->news;
    if (changed) {
        begin_anew(loop); /* it was left in between, or takes another way now */
        return false;
    }
    if (loop->rounds == 0) {
        loop->round_count = loop->count; /* the first whole round */
    }
    if (++loop->rounds <= DULL_ROUNDS) {
        return false;
    }
    bool left = find_exits(walk, loop, exits);
    begin_anew(loop);
    return left;
}

/* ---- steps ---- */

bool itr_walk_step(struct itr_walk *walk, uint32_t rva, uint64_t pc, uint64_t stack) {
    uint8_t bit = (uint8_t)(1u << (rva % 8));
    bool moved = rva <= walk->last || rva - walk->last > INSTRUCTION_MAX;
    bool called = moved && stack + WORD == walk->last_stack;
    end_calls(walk, pc, stack); /* before this instruction counts: it is the caller's */
    if (rva < walk->bytes && (walk->seen[rva / 8] & bit) == 0) {
        walk->seen[rva / 8] |= bit;
        walk->news++;
    }
    fill_loops(walk, rva, stack);
    walk->at_head = moved && rva <= walk->last && stack == walk->last_stack ? loop_at(walk, rva, stack) : NULL;
    walk->last = rva;
    walk->last_stack = stack;
    if (called && walk->depth < ITR_WALK_DEPTH_MAX) {
        /* What it is called from is known when the word on the stack is. */
        walk->calls[walk->depth] = (struct itr_walk_call){.entry = rva, .stack = stack, .news = walk->news};
    }
    return called && walk->depth < ITR_WALK_DEPTH_MAX;
}

bool itr_walk_skips(struct itr_walk *walk, uint64_t word) {
    struct itr_walk_call *call = &walk->calls[walk->depth];
    call->return_address = word;
    if (call->entry != 0 && *slot_of(walk, call->entry) == call->entry) {
        return true;
    }
    walk->depth++;
    return false;
}
