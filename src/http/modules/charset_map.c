/*
 * charset_map: see charset_map.h.
 */
#include "http/modules/charset_map.h"

#include "base/digest/hex.h"
#include "config/resolve.h"
#include "config/types.h"

enum { CODE_MAX = 0x10ffff };

/* ---- UTF-8, RFC 3629 ---- */

/* What a first byte says: how many bytes follow, which bits of it count, and the least code point that
 * is right in this length.  false: no character begins like this. */
static bool utf8_first(unsigned char byte, struct charset_recoding *c)
{
    if (byte >= 0xc2 && byte <= 0xdf) {
        c->missing = 1;
        c->code = byte & 0x1fu;
        c->least = 0x80;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        c->missing = 2;
        c->code = byte & 0xfu;
        c->least = 0x800;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        c->missing = 3;
        c->code = byte & 7u;
        c->least = 0x10000;
    } else
        return false;
    return true;
}

static bool is_code_point(uint32_t code)
{
    return code <= CODE_MAX && (code < 0xd800 || code > 0xdfff);
}

/* The only character that `s` is; false: it is anything else. */
static bool utf8_single(struct str s, uint32_t *code)
{
    struct charset_recoding c = { .missing = 0 };

    if (s.len == 1 && (unsigned char)s.data[0] < 128) {
        *code = (unsigned char)s.data[0];
        return true;
    }
    if (s.len == 0 || !utf8_first((unsigned char)s.data[0], &c) || s.len != c.missing + 1)
        return false;
    for (size_t i = 1; i < s.len; i++) {
        if (((unsigned char)s.data[i] & 0xc0) != 0x80)
            return false;
        c.code = c.code << 6 | ((unsigned char)s.data[i] & 0x3fu);
    }
    *code = c.code;
    return c.code >= c.least && is_code_point(c.code);
}

/* ---- the block ---- */

static void set_page(struct arena *a, struct charset_map *m, uint32_t code, unsigned char byte)
{
    unsigned char **page = &m->pages[code >> 8];

    if (!*page)
        *page = arena_zalloc(a, 256);
    (*page)[code & 0xff] = byte;
}

static void start_map(struct arena *a, struct charset_map *m)
{
    for (unsigned i = 0; i < 256; i++) {
        unsigned char byte = i < 128 ? (unsigned char)i : '?';
        m->forth[i] = m->back[i] = byte;
        m->chars[i] = (struct charset_char){ 1, { (char)byte } };
        if (m->utf8 && i < 128)
            set_page(a, m, i, byte);
    }
}

static bool invalid_value(struct setting *s, unsigned word)
{
    return setting_error_hint(s, word, STR("expected: a byte in hexadecimal, and what it is in the "
                                           "other charset"),
                              "invalid value \"%.*s\"", STR_ARG(s->node->words[word].text));
}

/* One or two hexadecimal digits. */
static bool parse_byte(struct setting *s, unsigned word, unsigned char *byte)
{
    struct str text = s->node->words[word].text;
    int high = text.len == 2 ? char_hex(text.data[0]) : 0;
    int low = text.len == 1 || text.len == 2 ? char_hex(text.data[text.len - 1]) : -1;

    if (high < 0 || low < 0)
        return invalid_value(s, word);
    *byte = (unsigned char)(high * 16 + low);
    return true;
}

static bool parse_char(struct setting *s, struct charset_map *m, unsigned char byte)
{
    struct charset_char *c = &m->chars[byte];
    struct out o = out_fixed(c->bytes, sizeof c->bytes);
    uint32_t code;

    if (!hex_decode(&o, s->node->words[1].text) || o.overflow ||
        !utf8_single(out_str_of(&o), &code) || code > 0xffff)
        return invalid_value(s, 1);
    c->len = (unsigned char)out_len(&o);
    set_page(setting_arena(s), m, code, byte);
    return true;
}

static bool parse_line(struct setting *s, struct charset_map *m)
{
    unsigned char from, to;

    if (s->node->block || s->node->count != 2)
        return setting_error(s, 0, "invalid parameters number");
    if (!parse_byte(s, 0, &from))
        return false;
    if (m->utf8)
        return parse_char(s, m, from);
    if (!parse_byte(s, 1, &to))
        return false;
    m->forth[from] = to;
    m->back[to] = from;
    return true;
}

static bool joins(const struct charset_map *m, struct str a, struct str b)
{
    return (str_eq_nocase(m->from, a) && str_eq_nocase(m->to, b)) ||
           (str_eq_nocase(m->from, b) && str_eq_nocase(m->to, a));
}

static bool check_pair(struct setting *s, const struct charset_maps *maps, struct str from,
                       struct str to)
{
    if (str_eq_nocase(from, to))
        return setting_error(s, 2, "\"charset_map\" between the same charsets \"%.*s\" and \"%.*s\"",
                             STR_ARG(from), STR_ARG(to));
    for (unsigned i = 0; i < maps->list.count; i++) {
        if (joins(maps->list.items[i], from, to))
            return setting_error(s, 1, "duplicate \"charset_map\" between \"%.*s\" and \"%.*s\"",
                                 STR_ARG(from), STR_ARG(to));
    }
    return true;
}

static bool parse_map(struct setting *s, void *field)
{
    struct charset_maps *maps = field;
    struct arena *a = setting_arena(s);
    struct str from = arena_str(a, setting_arg(s, 1)), to = arena_str(a, setting_arg(s, 2));
    const struct node *block = s->node;
    bool good = true;

    if (!check_pair(s, maps, from, to))
        return false;
    struct charset_map *m = ARENA_NEW(a, struct charset_map);
    *m = (struct charset_map){ .from = from, .to = to, .utf8 = str_eq_nocase(to, STR("utf-8")) };
    start_map(a, m);
    for (const struct node *n = block->children; n; n = n->next) {
        s->node = n;
        good = parse_line(s, m) && good;
    }
    s->node = block;
    *ARRAY_PUSH(&maps->list, a) = m;
    return good;
}

static void print_maps(const struct directive *row, const void *field, struct out *o)
{
    const struct charset_maps *maps = field;

    (void)row;
    for (unsigned i = 0; i < maps->list.count; i++) {
        const struct charset_map *m = maps->list.items[i];
        out_printf(o, i ? "; %.*s %.*s" : "%.*s %.*s", STR_ARG(m->from), STR_ARG(m->to));
    }
}

const struct type type_charset_map = {
    "charset1 charset2", "two charsets, and lines of a byte and what it is in the other", parse_map,
    print_maps,
};

bool charset_find(const struct charset_maps *maps, struct str from, struct str to,
                  struct charset_recoding *c)
{
    for (unsigned i = 0; i < maps->list.count; i++) {
        const struct charset_map *m = maps->list.items[i];
        if (!joins(m, from, to))
            continue;
        bool forth = str_eq_nocase(m->from, from);
        *c = (struct charset_recoding){ .map = m, .bytes = forth ? m->forth : m->back };
        if (m->utf8)
            c->way = forth ? CHARSET_TO_UTF8 : CHARSET_FROM_UTF8;
        return true;
    }
    return false;
}

/* ---- conversion ---- */

static void put_code(const struct charset_map *m, uint32_t code, struct out *o)
{
    const unsigned char *page = code <= 0xffff ? m->pages[code >> 8] : NULL;

    if (page && page[code & 0xff])
        out_char(o, (char)page[code & 0xff]);
    else
        out_printf(o, "&#%u;", (unsigned)code);
}

/* One byte of UTF-8; false: it is to be looked at again, as the first of a character. */
static bool from_utf8(struct charset_recoding *c, unsigned char byte, struct out *o)
{
    if (c->missing == 0) {
        if (byte < 128)
            out_char(o, (char)byte);
        else if (!utf8_first(byte, c))
            out_char(o, '?');
        return true;
    }
    if ((byte & 0xc0) != 0x80) {
        c->missing = 0;
        out_char(o, '?');
        return false;
    }
    c->code = c->code << 6 | (byte & 0x3fu);
    if (--c->missing > 0)
        return true;
    if (c->code >= c->least && is_code_point(c->code))
        put_code(c->map, c->code, o);
    else
        out_char(o, '?');
    return true;
}

void charset_recode(struct charset_recoding *c, struct str *in, struct out *o)
{
    while (in->len > 0 && out_room(o) >= CHARSET_CHAR_MAX) {
        unsigned char byte = (unsigned char)in->data[0];
        if (c->way == CHARSET_FROM_UTF8) {
            if (!from_utf8(c, byte, o))
                continue;
        } else if (c->way == CHARSET_TO_UTF8)
            out_bytes(o, c->map->chars[byte].bytes, c->map->chars[byte].len);
        else
            out_char(o, (char)c->bytes[byte]);
        *in = str_from(*in, 1);
    }
}

void charset_end(struct charset_recoding *c, struct out *o)
{
    if (c->missing > 0)
        out_char(o, '?');
    c->missing = 0;
}
