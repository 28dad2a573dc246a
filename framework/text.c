/* A bounded growing string, escaping of untrusted bytes, FNV-1a. It prints nothing. */
#include "framework/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t ceiling_of(const struct itr_text *text) {
    return text->ceiling != 0 ? text->ceiling : (size_t)ITR_TEXT_CEILING_DEFAULT;
}

const char *itr_text_string(const struct itr_text *text) {
    return text->data != NULL ? text->data : "";
}

/* Makes room for `extra` more bytes and the NUL. The caller keeps `extra` within the ceiling. */
static bool reserve(struct itr_text *text, size_t extra) {
    size_t ceiling = ceiling_of(text);
    size_t needed;
    size_t capacity;
    char *data;

    if (extra >= SIZE_MAX - text->length) {
        text->no_memory = true;
        return false;
    }
    needed = text->length + extra + 1;
    if (needed <= text->capacity) {
        return true;
    }
    capacity = text->capacity < 64 ? 64 : text->capacity;
    while (capacity < needed) {
        capacity = capacity > SIZE_MAX / 2 ? needed : capacity * 2;
    }
    if (capacity - 1 > ceiling) {
        capacity = needed - 1 > ceiling ? needed : ceiling + 1;
    }
    data = text->reallocate != NULL ? text->reallocate(text->data, capacity)
                                    : realloc(text->data, capacity);
    if (data == NULL) {
        text->no_memory = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    text->data[text->length] = '\0';
    return true;
}

/* Largest count <= `count` that does not cut a UTF-8 character of `bytes` in two. At most three
 * bytes are given up, so that bytes that are no UTF-8 are hardly touched. */
static size_t whole_characters(const char *bytes, size_t count) {
    size_t start = count;

    for (int back = 0; back < 4 && start > 0; back++) {
        unsigned char byte = (unsigned char)bytes[--start];
        if (byte < 0x80) {
            return count;
        }
        if (byte >= 0xc0) {
            size_t length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
            return start + length > count ? start : count;
        }
    }
    return count;
}

static bool closed(const struct itr_text *text) {
    return text->truncated || text->no_memory;
}

/* All of it or nothing; nothing marks the text as truncated. */
static bool append_whole(struct itr_text *text, const char *bytes, size_t count) {
    size_t room = ceiling_of(text);

    room = room > text->length ? room - text->length : 0;
    if (count > room) {
        text->truncated = true;
        return false;
    }
    if (!reserve(text, count)) {
        return false;
    }
    memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
    return true;
}

bool itr_text_append(struct itr_text *text, const void *bytes, size_t count) {
    size_t room;

    if (closed(text)) {
        return false;
    }
    if (count == 0) {
        return true;
    }
    room = ceiling_of(text);
    room = room > text->length ? room - text->length : 0;
    if (count <= room) {
        return append_whole(text, bytes, count);
    }
    count = whole_characters(bytes, room);
    if (count > 0 && !append_whole(text, bytes, count)) {
        return false;
    }
    text->truncated = true;
    return false;
}

bool itr_text_add(struct itr_text *text, const char *string) {
    return itr_text_append(text, string, strlen(string));
}

bool itr_text_vprintf(struct itr_text *text, const char *format, va_list args) {
    va_list again;
    size_t count;
    size_t fits;
    size_t room;
    int length;

    if (closed(text)) {
        return false;
    }
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0) {
        text->truncated = true;
        return false;
    }
    count = (size_t)length;
    room = ceiling_of(text);
    room = room > text->length ? room - text->length : 0;
    fits = count < room ? count : room;
    if (!reserve(text, fits)) {
        return false;
    }
    vsnprintf(text->data + text->length, fits + 1, format, args);
    if (fits < count) {
        fits = whole_characters(text->data + text->length, fits);
        text->truncated = true;
    }
    text->length += fits;
    text->data[text->length] = '\0';
    return !text->truncated;
}

bool itr_text_printf(struct itr_text *text, const char *format, ...) {
    va_list args;
    bool whole;

    va_start(args, format);
    whole = itr_text_vprintf(text, format, args);
    va_end(args);
    return whole;
}

void itr_text_reset(struct itr_text *text) {
    text->length = 0;
    text->truncated = false;
    text->no_memory = false;
    if (text->data != NULL) {
        text->data[0] = '\0';
    }
}

void itr_text_release(struct itr_text *text) {
    free(text->data);
    text->data = NULL;
    text->capacity = 0;
    itr_text_reset(text);
}

size_t itr_utf8_length(const void *bytes, size_t count, uint32_t *code) {
    const unsigned char *p = bytes;
    uint32_t value;
    uint32_t least;
    size_t length;

    if (count == 0) {
        return 0;
    }
    if (p[0] < 0x80) {
        value = p[0];
        length = 1;
        least = 0;
    } else if (p[0] >= 0xc2 && p[0] < 0xe0) {
        value = p[0] & 0x1fu;
        length = 2;
        least = 0x80;
    } else if (p[0] >= 0xe0 && p[0] < 0xf0) {
        value = p[0] & 0x0fu;
        length = 3;
        least = 0x800;
    } else if (p[0] >= 0xf0 && p[0] < 0xf5) {
        value = p[0] & 0x07u;
        length = 4;
        least = 0x10000;
    } else {
        return 0;
    }
    if (length > count) {
        return 0;
    }
    for (size_t i = 1; i < length; i++) {
        if ((p[i] & 0xc0u) != 0x80u) {
            return 0;
        }
        value = value << 6 | (p[i] & 0x3fu);
    }
    if (value < least || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) {
        return 0;
    }
    if (code != NULL) {
        *code = value;
    }
    return length;
}

/* Characters that can hide, reorder or command: never shown as they are. */
static bool is_hidden(uint32_t code) {
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0x61c, 0x61c},   {0x180e, 0x180e},
        {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e}, {0x2060, 0x206f},
        {0xfdd0, 0xfdef}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
    };

    if ((code & 0xfffe) == 0xfffe) {
        return true;
    }
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (code >= ranges[i].first && code <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* What one ASCII character becomes where it does not stay as it is; NULL: nothing special. */
static const char *replacement(enum itr_escape how, unsigned char byte) {
    bool markup =
        how == ITR_ESCAPE_XML_TEXT || how == ITR_ESCAPE_XML_ATTRIBUTE || how == ITR_ESCAPE_HTML;

    switch (byte) {
    case '\t': return how == ITR_ESCAPE_XML_ATTRIBUTE ? "&#9;" : "\t";
    case '\n':
        return how == ITR_ESCAPE_TERMINAL ? NULL : how == ITR_ESCAPE_XML_ATTRIBUTE ? "&#10;" : "\n";
    case '\r':
        if (how == ITR_ESCAPE_XML_TEXT || how == ITR_ESCAPE_XML_ATTRIBUTE) {
            return "&#13;";
        }
        return how == ITR_ESCAPE_UTF8 ? "\r" : NULL;
    case '&': return markup ? "&amp;" : NULL;
    case '<': return markup ? "&lt;" : NULL;
    case '>': return markup ? "&gt;" : NULL;
    case '"': return how == ITR_ESCAPE_XML_ATTRIBUTE || how == ITR_ESCAPE_HTML ? "&quot;" : NULL;
    case '\'': return how == ITR_ESCAPE_XML_ATTRIBUTE || how == ITR_ESCAPE_HTML ? "&#39;" : NULL;
    case '`': return how == ITR_ESCAPE_HTML ? "&#96;" : NULL;
    default: return NULL;
    }
}

enum { UNIT_BYTES = 16 }; /* four bytes as \xHH each */

/* Writes what the first unit (a character, or a byte that is part of none) of `bytes` becomes to
 * `out`; its length to `*written`. Returns the bytes used up. */
static size_t escape_unit(enum itr_escape how, const unsigned char *bytes, size_t count,
                          char out[UNIT_BYTES + 1], size_t *written) {
    static const char hex[] = "0123456789abcdef";
    uint32_t code = 0;
    size_t length = itr_utf8_length(bytes, count, &code);
    const char *instead = length == 1 ? replacement(how, bytes[0]) : NULL;
    bool visible = length > 0 && !is_hidden(code);

    if (instead != NULL) {
        *written = strlen(instead);
        memcpy(out, instead, *written);
        return 1;
    }
    if (visible && code == '\\' && count > 1 && bytes[1] == 'x') {
        visible = false;
    }
    if (length == 0) {
        length = 1;
    }
    if (visible) {
        memcpy(out, bytes, length);
        *written = length;
        return length;
    }
    for (size_t i = 0; i < length; i++) {
        out[4 * i] = '\\';
        out[4 * i + 1] = 'x';
        out[4 * i + 2] = hex[bytes[i] >> 4];
        out[4 * i + 3] = hex[bytes[i] & 15];
    }
    *written = 4 * length;
    return length;
}

/* Length of the run of bytes at `bytes` that stay as they are in every kind of output. */
static size_t plain_run(const unsigned char *bytes, size_t count) {
    size_t i = 0;

    while (i < count && bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '\\' &&
           bytes[i] != '&' && bytes[i] != '<' && bytes[i] != '>' && bytes[i] != '"' &&
           bytes[i] != '\'' && bytes[i] != '`') {
        i++;
    }
    return i;
}

bool itr_text_escape(struct itr_text *text, enum itr_escape how, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    char unit[UNIT_BYTES + 1];
    size_t used = 0;
    size_t length;

    if (closed(text)) {
        return false;
    }
    while (used < count) {
        size_t run = plain_run(p + used, count - used);
        if (run > 0 && !itr_text_append(text, p + used, run)) {
            return false;
        }
        used += run;
        if (used < count) {
            used += escape_unit(how, p + used, count - used, unit, &length);
            if (!append_whole(text, unit, length)) {
                return false;
            }
        }
    }
    return true;
}

bool itr_escape_into(char *out, size_t room, enum itr_escape how, const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    char unit[UNIT_BYTES + 1];
    size_t used = 0;
    size_t filled = 0;
    size_t length;

    if (room == 0) {
        return count == 0;
    }
    while (used < count) {
        size_t step = escape_unit(how, p + used, count - used, unit, &length);
        if (length > room - 1 - filled) {
            break;
        }
        memcpy(out + filled, unit, length);
        filled += length;
        used += step;
    }
    out[filled] = '\0';
    return used == count;
}

void itr_end_cleanly(char *text, size_t room) {
    size_t length = strlen(text);
    size_t at = 0;
    while (length + 1 == room && at < length) {
        size_t step = itr_utf8_length(text + at, length - at, NULL);
        if (text[at] == '\\' && (at + 1 == length || text[at + 1] == 'x')) {
            step = length - at >= 4 ? 4 : 0;
        }
        if (step == 0) {
            text[at] = '\0';
            return;
        }
        at += step;
    }
}

uint64_t itr_hash64(uint64_t hash, const void *bytes, size_t count) {
    const unsigned char *p = bytes;

    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}
