/*
 * hex: see hex.h.
 */
#include "base/digest/hex.h"

void hex_encode(struct out *o, struct str data)
{
    static const char digits[] = "0123456789abcdef";

    if (data.len > SIZE_MAX / 2 || !out_need(o, 2 * data.len))
        return;
    for (size_t i = 0; i < data.len; i++) {
        unsigned char byte = (unsigned char)data.data[i];
        *o->at++ = digits[byte >> 4];
        *o->at++ = digits[byte & 15];
    }
}

bool hex_decode(struct out *o, struct str text)
{
    if (text.len % 2 != 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (char_hex(text.data[i]) < 0)
            return false;
    }
    for (size_t i = 0; i < text.len; i += 2)
        out_char(o, (char)(char_hex(text.data[i]) << 4 | char_hex(text.data[i + 1])));
    return true;
}
