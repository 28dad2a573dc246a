/* Keeps the strings and the stacks of a crash text, each different one once, within a ceiling. It knows
 * nothing of what they mean. */
#include "framework/triage_parts.h"

#include "framework/text.h"

#include <stdlib.h>
#include <string.h>

enum {
    BLOCK_BYTES = 64 * 1024,
    STORE_MAX = 24 * 1024 * 1024,
    STRINGS_MAX = 128 * 1024,
    HASH_SLOTS = 2 * ITR_STACKS_MAX,
};

struct itr_block {
    struct itr_block *next;
    size_t used;
    size_t room;
    _Alignas(max_align_t) char data[];
};

static void *grow(struct itr_store *store, void *pointer, size_t bytes) {
    void *grown = store->reallocate != NULL ? store->reallocate(pointer, bytes) : realloc(pointer, bytes);
    if (grown == NULL) {
        store->no_memory = true;
        store->cut = true;
    }
    return grown;
}

/* Aligned memory that lives as long as the store. */
static void *take(struct itr_store *store, size_t bytes) {
    struct itr_block *block = store->blocks;
    bytes = (bytes + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);
    if (block == NULL || block->room - block->used < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        if (store->bytes + room > STORE_MAX) {
            store->cut = true;
            return NULL;
        }
        block = grow(store, NULL, sizeof *block + room);
        if (block == NULL) {
            return NULL;
        }
        *block = (struct itr_block){.next = store->blocks, .room = room};
        store->blocks = block;
        store->bytes += room;
    }
    void *taken = block->data + block->used;
    block->used += bytes;
    return taken;
}

/* ---- strings ---- */

static uint64_t hash_bytes(const char *bytes, size_t count) {
    uint64_t hash = ITR_HASH64_START ^ count;
    while (count >= 8) {
        uint64_t word;
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
        bytes += 8;
        count -= 8;
    }
    hash = itr_hash64(hash, bytes, count);
    return hash ^ hash >> 32;
}

static bool grow_strings(struct itr_store *store) {
    size_t room = store->string_room > 0 ? 2 * store->string_room : 512;
    struct itr_string *strings = grow(store, NULL, room * sizeof *strings);
    if (strings == NULL) {
        return false;
    }
    memset(strings, 0, room * sizeof *strings);
    for (size_t i = 0; i < store->string_room; i++) {
        size_t slot = store->strings[i].hash & (room - 1);
        if (store->strings[i].text == NULL) {
            continue;
        }
        while (strings[slot].text != NULL) {
            slot = (slot + 1) & (room - 1);
        }
        strings[slot] = store->strings[i];
    }
    free(store->strings);
    store->strings = strings;
    store->string_room = room;
    return true;
}

const char *itr_store_string(struct itr_store *store, const char *bytes, size_t count) {
    uint64_t hash = hash_bytes(bytes, count);
    if (count == 0 || (2 * (store->string_count + 1) > store->string_room && !grow_strings(store))) {
        return "";
    }
    size_t slot = hash & (store->string_room - 1);
    while (store->strings[slot].text != NULL) {
        const struct itr_string *known = &store->strings[slot];
        if (known->hash == hash && known->length == count && memcmp(known->text, bytes, count) == 0) {
            return known->text;
        }
        slot = (slot + 1) & (store->string_room - 1);
    }
    char *text = store->string_count < STRINGS_MAX ? take(store, count + 1) : NULL;
    if (text == NULL) {
        store->cut = true;
        return "";
    }
    memcpy(text, bytes, count);
    text[count] = '\0';
    store->strings[slot] = (struct itr_string){.hash = hash, .text = text, .length = count};
    store->string_count++;
    return text;
}

/* ---- stacks ---- */

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 31;
}

static uint64_t hash_frame(uint64_t hash, const struct itr_frame *frame) {
    hash = mix(hash, (uintptr_t)frame->function);
    hash = mix(hash, (uintptr_t)frame->file);
    hash = mix(hash, (uintptr_t)frame->module);
    return mix(hash, frame->line);
}

static uint64_t hash_stack(const struct itr_stack *stack) {
    uint64_t hash = mix((uint64_t)stack->kind, (uintptr_t)stack->state);
    hash = hash_frame(hash, &stack->created_by);
    hash = mix(hash, stack->frame_count << 2 | (stack->elided ? 2u : 0u) | (stack->unavailable ? 1u : 0u));
    for (size_t i = 0; i < stack->frame_count; i++) {
        hash = hash_frame(hash, &stack->frames[i]);
    }
    return hash;
}

static bool same_frame(const struct itr_frame *a, const struct itr_frame *b) {
    return a->function == b->function && a->file == b->file && a->line == b->line && a->module == b->module;
}

static bool same_stack(const struct itr_stack *a, const struct itr_stack *b) {
    if (a->kind != b->kind || a->state != b->state || a->elided != b->elided || a->unavailable != b->unavailable ||
        a->frame_count != b->frame_count || !same_frame(&a->created_by, &b->created_by)) {
        return false;
    }
    for (size_t i = 0; i < a->frame_count; i++) {
        if (!same_frame(&a->frames[i], &b->frames[i])) {
            return false;
        }
    }
    return true;
}

static void merge(struct itr_stack *into, const struct itr_stack *stack) {
    into->count += stack->count;
    into->locked += stack->locked;
    into->wait_min = stack->wait_min < into->wait_min ? stack->wait_min : into->wait_min;
    into->wait_max = stack->wait_max > into->wait_max ? stack->wait_max : into->wait_max;
}

static bool room_for_stack(struct itr_store *store) {
    if (store->by_hash == NULL) {
        store->by_hash = grow(store, NULL, HASH_SLOTS * sizeof *store->by_hash);
        if (store->by_hash == NULL) {
            return false;
        }
        memset(store->by_hash, 0, HASH_SLOTS * sizeof *store->by_hash);
    }
    if (store->stack_count == store->stack_room) {
        size_t room = store->stack_room > 0 ? 2 * store->stack_room : 16;
        room = room < ITR_STACKS_MAX ? room : ITR_STACKS_MAX;
        struct itr_stack *stacks =
            store->stack_count < room ? grow(store, store->stacks, room * sizeof *stacks) : NULL;
        if (stacks == NULL) {
            return false;
        }
        store->stacks = stacks;
        store->stack_room = room;
    }
    return true;
}

int itr_store_stack(struct itr_store *store, const struct itr_stack *stack) {
    size_t slot = hash_stack(stack) & (HASH_SLOTS - 1);
    if (store->by_hash != NULL) {
        for (; store->by_hash[slot] != 0; slot = (slot + 1) & (HASH_SLOTS - 1)) {
            struct itr_stack *known = &store->stacks[store->by_hash[slot] - 1];
            if (same_stack(known, stack)) {
                merge(known, stack);
                return (int)store->by_hash[slot] - 1;
            }
        }
    }
    struct itr_frame *frames =
        room_for_stack(store) ? take(store, (stack->frame_count + 1) * sizeof *frames) : NULL;
    if (frames == NULL) {
        store->cut = true;
        return -1;
    }
    if (stack->frame_count > 0) {
        memcpy(frames, stack->frames, stack->frame_count * sizeof *frames);
    }
    struct itr_stack *kept = &store->stacks[store->stack_count];
    *kept = *stack;
    kept->frames = frames;
    store->by_hash[slot] = (uint32_t)++store->stack_count;
    return (int)store->stack_count - 1;
}

void itr_store_release(struct itr_store *store) {
    while (store->blocks != NULL) {
        struct itr_block *next = store->blocks->next;
        free(store->blocks);
        store->blocks = next;
    }
    free(store->strings);
    free(store->stacks);
    free(store->by_hash);
    *store = (struct itr_store){.reallocate = store->reallocate};
}
