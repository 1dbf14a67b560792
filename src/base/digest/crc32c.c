/*
 * crc32c: see crc32c.h.  A byte at a time: it is for small things.
 */
#include "base/digest/crc32c.h"

#include "base/digest/crc_table.h"

static const uint32_t by_byte[256] =
    CRC_TABLE(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf,
              0x105ec76f, 0x20bd8ede, 0x417b1dbc, 0x82f63b78);

uint32_t crc32c_add(uint32_t crc, struct str data)
{
    crc = ~crc;
    for (size_t i = 0; i < data.len; i++)
        crc = crc >> 8 ^ by_byte[(crc ^ (unsigned char)data.data[i]) & 255];
    return ~crc;
}

uint32_t crc32c(struct str data)
{
    return crc32c_add(0, data);
}
