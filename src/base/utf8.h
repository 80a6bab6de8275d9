/* utf8.h - strict UTF-8 (RFC 3629): no overlong forms, no surrogates. */
#ifndef MXC_BASE_UTF8_H
#define MXC_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode one character: its length in bytes and its code point, or 0 when
 * the bytes at s are not a valid sequence. */
size_t utf8_decode(const char *s, size_t len, uint32_t *cp);

/* Nothing but characters? */
bool utf8_is_valid(const char *s, size_t len);

/* Write a code point (at most 4 bytes); returns its length, 0 if invalid. */
size_t utf8_encode(uint32_t cp, char out[4]);

/* Control, bidirectional-override and zero-width characters: text that does
 * something to a terminal or a reader instead of being seen. */
bool utf8_is_hidden(uint32_t cp);

/* Whole UTF-8 without any of them: what can be shown as it is. */
bool utf8_is_plain(const char *text);

#endif
