/*
 * hex: bytes as hexadecimal digits.
 */
#ifndef BASE_DIGEST_HEX_H
#define BASE_DIGEST_HEX_H

#include "base/out.h"

/* In lower case, two digits a byte. */
void hex_encode(struct out *o, struct str data);

/* Either case; false, with nothing appended, if `text` is not digits or their number is odd. */
bool hex_decode(struct out *o, struct str text);

#endif
