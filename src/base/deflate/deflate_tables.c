/*
 * deflate_tables: which code stands for a length or a distance (RFC 1951, 3.2.5), for the
 * compressor.
 */
#include "base/deflate/deflate_state.h"

#define LENGTH_1(code, extra) { (code), (extra) }
#define LENGTH_2(code, extra) LENGTH_1(code, extra), LENGTH_1(code, (extra) + 1)
#define LENGTH_4(code, extra) LENGTH_2(code, extra), LENGTH_2(code, (extra) + 2)
#define LENGTH_8(code, extra) LENGTH_4(code, extra), LENGTH_4(code, (extra) + 4)
#define LENGTH_16(code, extra) LENGTH_8(code, extra), LENGTH_8(code, (extra) + 8)
#define LENGTH_31(code)                                                                            \
    LENGTH_16(code, 0), LENGTH_8(code, 16), LENGTH_4(code, 24), LENGTH_2(code, 28),                \
        LENGTH_1(code, 30)
#define LENGTHS_OF_4(block, code)                                                                  \
    block(code, 0), block((code) + 1, 0), block((code) + 2, 0), block((code) + 3, 0)

const struct deflate_symbol deflate_lengths[MATCH_MAX + 1] = {
    { 0, 0 }, { 0, 0 }, { 0, 0 },
    LENGTHS_OF_4(LENGTH_1, 257), LENGTHS_OF_4(LENGTH_1, 261), LENGTHS_OF_4(LENGTH_2, 265),
    LENGTHS_OF_4(LENGTH_4, 269), LENGTHS_OF_4(LENGTH_8, 273), LENGTHS_OF_4(LENGTH_16, 277),
    LENGTH_16(281, 0), LENGTH_16(281, 16), LENGTH_16(282, 0), LENGTH_16(282, 16),
    LENGTH_16(283, 0), LENGTH_16(283, 16), LENGTH_31(284), LENGTH_1(285, 0),
};

#define TWO(code) code, code
#define FOUR(code) TWO(code), TWO(code)
#define EIGHT(code) FOUR(code), FOUR(code)
#define DIST_16(code) EIGHT(code), EIGHT(code)
#define DIST_32(code) DIST_16(code), DIST_16(code)
#define DIST_64(code) DIST_32(code), DIST_32(code)

/* By distance - 1 up to 255; above, by 256 + (distance - 1) / 128. */
const uint8_t deflate_dist_code[512] = {
    0, 1, 2, 3, TWO(4), TWO(5), FOUR(6), FOUR(7), EIGHT(8), EIGHT(9), DIST_16(10), DIST_16(11),
    DIST_32(12), DIST_32(13), DIST_64(14), DIST_64(15),
    0, 0, 16, 17, TWO(18), TWO(19), FOUR(20), FOUR(21), EIGHT(22), EIGHT(23), DIST_16(24),
    DIST_16(25), DIST_32(26), DIST_32(27), DIST_64(28), DIST_64(29),
};

const uint16_t deflate_dist_mask[DIST_CODES] = {
    0, 0, 0, 0, 1, 1, 3, 3, 7, 7, 15, 15, 31, 31, 63, 63, 127, 127, 255, 255,
    511, 511, 1023, 1023, 2047, 2047, 4095, 4095, 8191, 8191,
};
