/* A bounded growing string, the escaping of untrusted bytes into it, and a 64-bit hash. It prints
 * nothing and knows nothing of what the text means. */
#ifndef INITRACE_FRAMEWORK_TEXT_H
#define INITRACE_FRAMEWORK_TEXT_H

#include "framework/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ITR_TEXT_CEILING_DEFAULT = 1024 * 1024 };

/* `{0}` is an empty text with the default ceiling; `{.ceiling = N}` has its own. The owner calls
 * itr_text_release().
 *
 * What goes in is always a prefix of what was asked for: once something did not fit (`truncated`)
 * or memory was refused (`no_memory`), nothing more goes in until itr_text_reset(). */
struct itr_text {
    char *data;      /* `length` bytes and a NUL; NULL while nothing was ever put in */
    size_t length;   /* bytes, without the NUL */
    size_t capacity; /* bytes that `data` has */
    size_t ceiling;  /* most bytes `length` may reach; 0: ITR_TEXT_CEILING_DEFAULT */
    bool truncated;  /* the ceiling cut something off */
    bool no_memory;  /* an allocation failed */
    /* NULL: realloc(). For tests of the failing path. */
    void *(*reallocate)(void *pointer, size_t bytes);
};

/* For whom untrusted bytes are made harmless. In every one of them the following bytes become
 * visible as \xHH, one escape a byte: invalid UTF-8, C0 controls, DEL, C1 controls, the controls of
 * bidirectional text, line and paragraph separators, byte order marks, tags and noncharacters.
 * A backslash before an `x` is itself written \x5c, so that every \xHH in the result is an escape
 * and the bytes can be had back. Tabs stay; what else differs: */
enum itr_escape {
    ITR_ESCAPE_TERMINAL,       /* one line: newlines and carriage returns become \x0a, \x0d */
    ITR_ESCAPE_TERMINAL_LINES, /* newlines stay, carriage returns become \x0d */
    ITR_ESCAPE_XML_TEXT,       /* & < > as entities; newlines stay, carriage return is &#13; */
    ITR_ESCAPE_XML_ATTRIBUTE,  /* also quotes; tab, newline and carriage return as &#N; */
    ITR_ESCAPE_HTML, /* & < > " ' ` as entities; newlines stay; a carriage return is \x0d */
    ITR_ESCAPE_UTF8, /* for JSON: newlines and carriage returns stay; quoting is left to
                                  the JSON library */
};

/* The bytes as a C string; "" while there are none. Borrowed until the text changes. */
const char *itr_text_string(const struct itr_text *text);

/* Each appends and returns true when all of it went in; on false `truncated` or `no_memory` says
 * why. Raw bytes are cut between UTF-8 characters, escaped ones between escapes. */
bool itr_text_append(struct itr_text *text, const void *bytes, size_t count);
bool itr_text_add(struct itr_text *text, const char *string);
bool itr_text_printf(struct itr_text *text, const char *format, ...) ITR_PRINTF(2, 3);
bool itr_text_vprintf(struct itr_text *text, const char *format, va_list args) ITR_PRINTF(2, 0);
bool itr_text_escape(struct itr_text *text, enum itr_escape how, const void *bytes, size_t count);

/* Empties the text and clears both flags; keeps the memory. */
void itr_text_reset(struct itr_text *text);

/* Frees the memory; ceiling and allocator stay, the text can be used again. */
void itr_text_release(struct itr_text *text);

/* Escapes into a fixed array, cut between escapes, always NUL-terminated when `room` > 0.
 * Returns true when all of it went in. */
bool itr_escape_into(char *out, size_t room, enum itr_escape how, const void *bytes, size_t count);

/* A text that filled its array may end in the midst of a character or of a \xHH: leaves whole ones only. */
void itr_end_cleanly(char *text, size_t room);

/* Length in bytes (1 to 4) of the well-formed UTF-8 character at `bytes`, 0 when there is none:
 * overlong forms, surrogates and values above U+10FFFF are none. `count` may be 0. The code point
 * goes to `*code` when that is not NULL. */
size_t itr_utf8_length(const void *bytes, size_t count, uint32_t *code);

/* FNV-1a, 64 bits, in steps: start with ITR_HASH64_START, feed the last result on. The value is
 * part of formats: it is the same on every machine and for every way the bytes are split. */
#define ITR_HASH64_START UINT64_C(0xcbf29ce484222325)
uint64_t itr_hash64(uint64_t hash, const void *bytes, size_t count);

#endif
