/*
 * crc_table: the 256 entries of a CRC's table.  A CRC is linear: what becomes of the eight powers
 * of two gives all.
 */
#ifndef BASE_DIGEST_CRC_TABLE_H
#define BASE_DIGEST_CRC_TABLE_H

#define CRC_TABLE_1(x, a) (x), (x) ^ (a)
#define CRC_TABLE_2(x, a, b) CRC_TABLE_1(x, a), CRC_TABLE_1((x) ^ (b), a)
#define CRC_TABLE_3(x, a, b, c) CRC_TABLE_2(x, a, b), CRC_TABLE_2((x) ^ (c), a, b)
#define CRC_TABLE_4(x, a, b, c, d) CRC_TABLE_3(x, a, b, c), CRC_TABLE_3((x) ^ (d), a, b, c)
#define CRC_TABLE_5(x, a, b, c, d, e) CRC_TABLE_4(x, a, b, c, d), CRC_TABLE_4((x) ^ (e), a, b, c, d)
#define CRC_TABLE_6(x, a, b, c, d, e, f)                                                           \
    CRC_TABLE_5(x, a, b, c, d, e), CRC_TABLE_5((x) ^ (f), a, b, c, d, e)
#define CRC_TABLE_7(x, a, b, c, d, e, f, g)                                                        \
    CRC_TABLE_6(x, a, b, c, d, e, f), CRC_TABLE_6((x) ^ (g), a, b, c, d, e, f)
#define CRC_TABLE(a, b, c, d, e, f, g, h)                                                          \
    { CRC_TABLE_7(0, a, b, c, d, e, f, g), CRC_TABLE_7(h, a, b, c, d, e, f, g) }

#endif
