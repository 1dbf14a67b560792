/*
 * crc32_clmul: see crc32_clmul.h.
 *
 * 64 bytes are kept as four polynomials of 128 bits, bits in reverse.  To go on by 64 bytes each is
 * multiplied, low and high half on their own, by the power of x that it moves up by, modulo the
 * CRC's polynomial, and the new bytes are added.
 */
#include "base/digest/crc32_clmul.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <wmmintrin.h>

/* x^(n + 32) and x^(n - 32) modulo the polynomial, in reverse, for a move by n bits. */
#define BY_512 _mm_set_epi64x(0x1c6e41596, 0x154442bd4)
#define BY_128 _mm_set_epi64x(0x0ccaa009e, 0x1751997d0)

bool crc32_clmul_here(void)
{
    unsigned a, b, c, d;

    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_PCLMUL);
}

__attribute__((target("pclmul"))) static inline __m128i fold(__m128i x, __m128i by, __m128i more)
{
    __m128i low = _mm_clmulepi64_si128(x, by, 0x00), high = _mm_clmulepi64_si128(x, by, 0x11);

    return _mm_xor_si128(_mm_xor_si128(low, high), more);
}

static inline __m128i load(const unsigned char *p)
{
    return _mm_loadu_si128((const void *)p);
}

__attribute__((target("pclmul"))) void crc32_clmul(uint32_t crc, const unsigned char *p,
                                                   size_t steps, unsigned char rest[16])
{
    __m128i by = BY_512;
    __m128i a = _mm_xor_si128(load(p), _mm_cvtsi32_si128((int)crc));
    __m128i b = load(p + 16), c = load(p + 32), d = load(p + 48);

    for (p += CLMUL_STEP; steps > 1; steps--, p += CLMUL_STEP) {
        a = fold(a, by, load(p));
        b = fold(b, by, load(p + 16));
        c = fold(c, by, load(p + 32));
        d = fold(d, by, load(p + 48));
    }
    by = BY_128;
    d = fold(fold(fold(a, by, b), by, c), by, d);
    _mm_storeu_si128((void *)rest, d);
}

#else

bool crc32_clmul_here(void)
{
    return false;
}

void crc32_clmul(uint32_t crc, const unsigned char *p, size_t steps, unsigned char rest[16])
{
    (void)crc;
    (void)p;
    (void)steps;
    (void)rest;
}

#endif
