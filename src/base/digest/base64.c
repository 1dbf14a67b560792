/*
 * base64: see base64.h.
 */
#include "base/digest/base64.h"

#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char plain[] = ALPHABET "+/", url[] = ALPHABET "-_";

static void encode(struct out *o, struct str data, const char *alphabet, bool pad)
{
    const unsigned char *p = (const unsigned char *)data.data;
    size_t left = data.len;

    size_t odd = left % 3;
    if (!out_need(o, left / 3 * 4 + (odd == 0 ? 0 : pad ? 4 : odd + 1)))
        return;
    for (; left >= 3; left -= 3, p += 3) {
        unsigned bits = (unsigned)p[0] << 16 | (unsigned)p[1] << 8 | p[2];
        for (unsigned shift = 24; shift > 0; shift -= 6)
            *o->at++ = alphabet[bits >> (shift - 6) & 63];
    }
    if (left > 0) {
        unsigned bits = (unsigned)p[0] << 16 | (left > 1 ? (unsigned)p[1] << 8 : 0);
        *o->at++ = alphabet[bits >> 18];
        *o->at++ = alphabet[bits >> 12 & 63];
        if (left > 1)
            *o->at++ = alphabet[bits >> 6 & 63];
        for (; pad && left < 3; left++)
            *o->at++ = '=';
    }
}

/* The value of a character, or -1; `last` are the two that alphabets differ in. */
static int value_of(char c, const char *last)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (char_is_digit(c))
        return c - '0' + 52;
    return c == last[0] ? 62 : c == last[1] ? 63 : -1;
}

static bool decode(struct out *o, struct str text, const char *last)
{
    unsigned bits = 0, count = 0;

    if (text.len % 4 == 0) {
        for (unsigned i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++)
            text.len--;
    }
    if (text.len % 4 == 1)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (value_of(text.data[i], last) < 0)
            return false;
    }
    size_t odd = text.len % 4;
    if (!out_need(o, text.len / 4 * 3 + (odd ? odd - 1 : 0)))
        return true;
    for (size_t i = 0; i < text.len; i++) {
        bits = (bits << 6 | (unsigned)value_of(text.data[i], last)) & 0xffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *o->at++ = (char)(bits >> count);
        }
    }
    return true;
}

void base64_encode(struct out *o, struct str data)
{
    encode(o, data, plain, true);
}

void base64_encode_url(struct out *o, struct str data)
{
    encode(o, data, url, false);
}

bool base64_decode(struct out *o, struct str text)
{
    return decode(o, text, plain + 62);
}

bool base64_decode_url(struct out *o, struct str text)
{
    return decode(o, text, url + 62);
}
