/*
 * base64: bytes as text of 64 characters (RFC 4648), in the plain alphabet (4) and in the one for
 * URLs and file names (5).
 */
#ifndef BASE_DIGEST_BASE64_H
#define BASE_DIGEST_BASE64_H

#include "base/out.h"

/* Padded with '='. */
void base64_encode(struct out *o, struct str data);
/* Not padded. */
void base64_encode_url(struct out *o, struct str data);

/* With or without padding, which must be of the right length if it is there; bits that make no
 * whole byte are ignored.  False, with nothing appended, if `text` is anything else. */
bool base64_decode(struct out *o, struct str text);
bool base64_decode_url(struct out *o, struct str text);

#endif
