/*
 * hpack_huffman: the Huffman code of RFC 7541 section 5.2 and appendix B.
 */
#ifndef HTTP_V2_HPACK_HUFFMAN_H
#define HTTP_V2_HPACK_HUFFMAN_H

#include "base/str.h"

/* Makes the tables, the first time. */
void hpack_huffman_prepare(void);

/*
 * Decodes a whole string.  *len is its full length, of which the first `room` bytes were stored.
 * False: not a string of that code, or not padded with at most seven bits of ones.
 */
bool hpack_huffman_decode(struct str coded, char *to, size_t room, size_t *len);

/* Encodes s in lower case (`lower`) or as it is; gives the length, or 0 if that is over `room`. */
size_t hpack_huffman_encode(struct str s, bool lower, char *to, size_t room);

#endif
