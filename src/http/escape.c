/*
 * escape: see escape.h.
 */
#include "http/escape.h"

/* Bits of the bytes, 32 in a word, that a place takes as they are. */
typedef const uint32_t plain_bytes[8];

static plain_bytes plain_component = {
    0, 0x03ff6000 /* 0-9 . - */, 0x87fffffe /* A-Z _ */, 0x47fffffe /* a-z ~ */,
};

/* Also !$&'()*+,/:;=@ and [ ] which nginx leaves alone. */
static plain_bytes plain_path = {
    0, 0x2fffffd2, 0xafffffff, 0x47fffffe,
};

/* The same without & + and ; */
static plain_bytes plain_args = {
    0, 0x27fff792, 0xafffffff, 0x47fffffe,
};

static void percent(struct out *o, struct str s, plain_bytes plain)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (plain[c >> 5] >> (c & 31) & 1) {
            out_char(o, (char)c);
            continue;
        }
        out_char(o, '%');
        out_char(o, digits[c >> 4]);
        out_char(o, digits[c & 15]);
    }
}

void escape_path(struct out *o, struct str s)
{
    percent(o, s, plain_path);
}

void escape_component(struct out *o, struct str s)
{
    percent(o, s, plain_component);
}

void escape_args(struct out *o, struct str s)
{
    percent(o, s, plain_args);
}

void escape_html(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        switch (s.data[i]) {
        case '<': OUT_LITERAL(o, "&lt;"); break;
        case '>': OUT_LITERAL(o, "&gt;"); break;
        case '&': OUT_LITERAL(o, "&amp;"); break;
        case '"': OUT_LITERAL(o, "&quot;"); break;
        default: out_char(o, s.data[i]);
        }
    }
}

void escape_json(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.data[i];
        switch (c) {
        case '"': OUT_LITERAL(o, "\\\""); break;
        case '\\': OUT_LITERAL(o, "\\\\"); break;
        case '\n': OUT_LITERAL(o, "\\n"); break;
        case '\r': OUT_LITERAL(o, "\\r"); break;
        case '\t': OUT_LITERAL(o, "\\t"); break;
        default:
            if ((unsigned char)c < 0x20) {
                OUT_LITERAL(o, "\\u");
                out_hex(o, (unsigned char)c, 4);
            } else
                out_char(o, c);
        }
    }
}
