/*
 * fuzz_charset: any bytes are converted between charsets, whole and in two pieces: both must give the
 * same, and what comes from UTF-8 must not be longer than its entities can be.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/modules/charset_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned char page_0[256] = { ['a'] = 'a', [0xe4] = 0xe4 }, page_4[256] = { [0x30] = 0xc1 };

static struct charset_map utf8 = {
    .from = STR_INIT("one"), .to = STR_INIT("utf-8"), .utf8 = true, .pages = { page_0, [4] = page_4 },
};

static size_t recode(struct charset_recoding c, struct str text, size_t cut, char *result, size_t room)
{
    struct out o = out_fixed(result, room);
    struct str pieces[2] = { str_first(text, cut), str_from(text, cut) };

    for (unsigned i = 0; i < 2; i++) {
        charset_recode(&c, &pieces[i], &o);
        if (pieces[i].len || o.overflow)
            abort();
    }
    charset_end(&c, &o);
    return out_len(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum charset_way ways[] = { CHARSET_TO_UTF8, CHARSET_FROM_UTF8 };
    struct charset_recoding c = { .map = &utf8 };

    if (size < 2)
        return 0;
    for (unsigned i = 0; i < 256; i++)
        utf8.chars[i] = (struct charset_char){ 1, { (char)(i < 128 ? i : '?') } };
    utf8.chars[0xc1] = (struct charset_char){ 2, "\xd0\xb0" };
    c.way = ways[data[0] & 1];

    struct str text = { (const char *)data + 2, size - 2 };
    size_t room = text.len * 4 + CHARSET_CHAR_MAX * 2, cut = text.len ? data[1] % text.len : 0;
    char *whole = malloc(room), *cut_result = malloc(room);

    if (!whole || !cut_result)
        abort();
    size_t n = recode(c, text, 0, whole, room);
    if (n != recode(c, text, cut, cut_result, room) || memcmp(whole, cut_result, n) != 0)
        abort();
    free(whole);
    free(cut_result);
    return 0;
}
