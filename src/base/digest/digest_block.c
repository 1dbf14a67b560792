/*
 * digest_block: see digest_block.h.
 */
#include "base/digest/digest_block.h"

void digest_block_update(struct digest_block *b, const struct digest_kind *kind, void *state,
                         struct str data)
{
    const unsigned char *p = (const unsigned char *)data.data;
    size_t held = b->len % kind->size, left = data.len;

    b->len += data.len;
    if (held > 0) {
        size_t part = kind->size - held < left ? kind->size - held : left;
        if (part > 0)
            memcpy(b->data + held, p, part);
        p += part;
        left -= part;
        if (held + part < kind->size)
            return;
        kind->add(state, b->data, 1);
    }
    size_t blocks = left / kind->size;
    if (blocks > 0)
        kind->add(state, p, blocks);
    p += blocks * kind->size;
    left -= blocks * kind->size;
    if (left > 0)
        memcpy(b->data, p, left);
}

void digest_block_final(struct digest_block *b, const struct digest_kind *kind, void *state)
{
    size_t held = b->len % kind->size;

    b->data[held++] = 0x80;
    if (held > kind->size - kind->length_size) {
        memset(b->data + held, 0, kind->size - held);
        kind->add(state, b->data, 1);
        held = 0;
    }
    memset(b->data + held, 0, kind->size - held);
    for (unsigned i = 0; i < 8; i++) {
        unsigned char byte = (unsigned char)(b->len << 3 >> 8 * i);
        if (kind->big_endian)
            b->data[kind->size - 1 - i] = byte;
        else
            b->data[kind->size - 8 + i] = byte;
    }
    if (kind->length_size > 8)
        b->data[kind->size - 9] = (unsigned char)(b->len >> 61);
    kind->add(state, b->data, 1);
}
