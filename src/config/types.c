/*
 * types: see types.h.
 */
#include "config/types.h"

#include <limits.h>

#include "config/resolve.h"

/* ---- readings ---- */

/* Digits and at most one unit of "k", "m", "g": 1024 of the one before. */
static bool parse_scaled(struct str s, const char *units, uint64_t max, uint64_t *value)
{
    unsigned shift = 0;

    if (s.len && !char_is_digit(s.data[s.len - 1])) {
        ptrdiff_t unit = str_index(str_of(units), char_lower(s.data[s.len - 1]));
        if (unit < 0)
            return false;
        shift = 10u * (unsigned)(unit + 1);
        s.len--;
    }
    if (!str_to_u64(s, value) || *value > max >> shift)
        return false;
    *value <<= shift;
    return true;
}

bool parse_size(struct str s, size_t *value)
{
    uint64_t n;

    if (!parse_scaled(s, "km", SIZE_MAX / 2, &n))
        return false;
    *value = (size_t)n;
    return true;
}

bool parse_offset(struct str s, int64_t *value)
{
    uint64_t n;

    if (!parse_scaled(s, "kmg", INT64_MAX, &n))
        return false;
    *value = (int64_t)n;
    return true;
}

struct unit {
    const char *name;
    uint64_t ms;
};

/* From the largest to the smallest: the parts of a time stand in this order. */
static const struct unit time_units[] = {
    { "y", 31536000000 }, { "M", 2592000000 }, { "w", 604800000 }, { "d", 86400000 },
    { "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

enum { UNITS = sizeof time_units / sizeof time_units[0] };

static size_t digits_of(struct str s)
{
    size_t n = 0;

    while (n < s.len && char_is_digit(s.data[n]))
        n++;
    return n;
}

/* How long the name of a unit is. */
static size_t unit_of(struct str s)
{
    size_t n = 0;

    while (n < s.len && !char_is_digit(s.data[n]) && s.data[n] != ' ')
        n++;
    return n;
}

/* Takes "30m " off the front of a time.  Units go down, *next is the largest that may come now. */
static bool take_part(struct str *s, unsigned *next, uint64_t *total)
{
    size_t digits = digits_of(*s);
    uint64_t n;

    if (!str_to_u64(str_first(*s, digits), &n))
        return false;
    *s = str_from(*s, digits);
    size_t len = unit_of(*s);
    struct str unit = len ? str_first(*s, len) : STR("s");
    *s = str_trim(str_from(*s, len));
    unsigned i = *next;
    while (i < UNITS && !str_eq(unit, str_of(time_units[i].name)))
        i++;
    if (i == UNITS || n > (INT64_MAX / 2 - *total) / time_units[i].ms)
        return false;
    *total += n * time_units[i].ms;
    *next = i + 1;
    return true;
}

bool parse_time(struct str s, uint64_t *ms)
{
    unsigned next = 0;
    uint64_t total = 0;

    if (s.len == 0)
        return false;
    while (s.len) {
        if (!take_part(&s, &next, &total))
            return false;
    }
    *ms = total;
    return true;
}

bool parse_seconds(struct str s, time_t *seconds)
{
    uint64_t ms;

    if (str_ends(s, STR("ms")) || !parse_time(s, &ms))
        return false;
    *seconds = (time_t)(ms / 1000);
    return true;
}

bool parse_flag(struct str s, bool *value)
{
    *value = str_eq_nocase(s, STR("on"));
    return *value || str_eq_nocase(s, STR("off"));
}

bool parse_enum(struct str s, const struct name_value *names, unsigned *value)
{
    for (; names->name; names++) {
        if (str_eq_nocase(s, str_of(names->name))) {
            *value = names->value;
            return true;
        }
    }
    return false;
}

/* No "g": not every size may be written with it. */
void print_size(struct out *o, uint64_t value)
{
    static const char units[] = "km";
    unsigned i = 0;

    while (units[i] && value && value % 1024 == 0) {
        value /= 1024;
        i++;
    }
    out_uint(o, value);
    if (i)
        out_char(o, units[i - 1]);
}

/* In one unit, the largest that leaves no rest; years and months are none that others fit into. */
void print_time(struct out *o, uint64_t ms)
{
    enum { DAYS = 3 };
    unsigned i = DAYS;

    while (i + 1 < UNITS && ms % time_units[i].ms)
        i++;
    out_uint(o, ms / time_units[i].ms);
    if (ms)
        out_str(o, str_of(time_units[i].name));
}

void print_cache_limits(struct out *o, unsigned max, time_t inactive)
{
    if (max == 0) {
        OUT_LITERAL(o, "off");
        return;
    }
    out_printf(o, "max=%u inactive=", max);
    print_time(o, (uint64_t)inactive * 1000);
}

/* Whether a reader would take the text apart, or for something else, if it stood there as it is. */
static bool must_quote(struct str s)
{
    if (s.len == 0 || strchr("\"'#}", s.data[0]))
        return true;
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.data[i] <= ' ' || s.data[i] == ';' || s.data[i] == '{' ||
            s.data[i] == '\\')
            return true;
    }
    return false;
}

/* The letter that stands for a character behind a backslash; '\0': it needs none.  A backslash itself does
 * only where what follows would make an escape of it. */
static char escape_of(struct str s, size_t i)
{
    switch (s.data[i]) {
    case '\t':
        return 't';
    case '\r':
        return 'r';
    case '\n':
        return 'n';
    case '"':
        return '"';
    case '\\':
        return i + 1 == s.len || strchr("trn\t\r\n\"'\\", s.data[i + 1]) ? '\\' : '\0';
    default:
        return '\0';
    }
}

void print_word(struct out *o, struct str s)
{
    if (!must_quote(s)) {
        out_str(o, s);
        return;
    }
    out_char(o, '"');
    for (size_t i = 0; i < s.len; i++) {
        char letter = escape_of(s, i);
        if (letter)
            out_char(o, '\\');
        out_char(o, letter ? letter : s.data[i]);
    }
    out_char(o, '"');
}

void print_nothing(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    (void)field;
    (void)o;
}

/* ---- types ---- */

static bool type_parse_flag(struct setting *s, void *field)
{
    if (parse_flag(setting_arg(s, 1), field))
        return true;
    return setting_error(s, 1, "invalid value \"%.*s\" in \"%s\" directive, it must be \"on\" or "
                         "\"off\"", STR_ARG(setting_arg(s, 1)), s->row->name);
}

static void type_print_flag(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_str(o, *(const bool *)field ? STR("on") : STR("off"));
}

static bool type_parse_number(struct setting *s, void *field)
{
    const struct number_range *range = s->row->data;
    unsigned n;

    if (!str_to_uint(setting_arg(s, 1), UINT_MAX, &n))
        return setting_error_hint(s, 1, STR("expected: a number from 0 to 4294967295"),
                                  "\"%s\" directive invalid number", s->row->name);
    if (range && (n < range->min || n > range->max))
        return setting_error(s, 1, "value must be between %u and %u", range->min, range->max);
    *(unsigned *)field = n;
    return true;
}

static void type_print_number(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    out_uint(o, *(const unsigned *)field);
}

static bool type_parse_size(struct setting *s, void *field)
{
    return parse_size(setting_arg(s, 1), field) || setting_invalid(s, 1);
}

static void type_print_size(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_size(o, *(const size_t *)field);
}

static bool type_parse_offset(struct setting *s, void *field)
{
    return parse_offset(setting_arg(s, 1), field) || setting_invalid(s, 1);
}

static void type_print_offset(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_size(o, (uint64_t)*(const int64_t *)field);
}

static bool type_parse_time(struct setting *s, void *field)
{
    return parse_time(setting_arg(s, 1), field) || setting_invalid(s, 1);
}

static void type_print_time(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_time(o, *(const uint64_t *)field);
}

static bool type_parse_seconds(struct setting *s, void *field)
{
    return parse_seconds(setting_arg(s, 1), field) || setting_invalid(s, 1);
}

static void type_print_seconds(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_time(o, (uint64_t)*(const time_t *)field * 1000);
}

/* The names of an enum, for messages. */
static struct str names_of(struct setting *s)
{
    struct out o = out_growing(&s->config->scratch, 4096);

    OUT_LITERAL(&o, "expected: one of");
    for (const struct name_value *n = s->row->data; n->name; n++)
        out_printf(&o, " %s", n->name);
    return out_str_of(&o);
}

static bool parse_name(struct setting *s, unsigned word, unsigned *value)
{
    return parse_enum(setting_arg(s, word), s->row->data, value) ||
           setting_error_hint(s, word, names_of(s), "invalid value \"%.*s\"",
                              STR_ARG(setting_arg(s, word)));
}

static bool type_parse_enum(struct setting *s, void *field)
{
    return parse_name(s, 1, field);
}

static void type_print_enum(const struct directive *row, const void *field, struct out *o)
{
    for (const struct name_value *n = row->data; n->name; n++) {
        if (n->value == *(const unsigned *)field) {
            out_str(o, str_of(n->name));
            return;
        }
    }
}

static bool type_parse_bitmask(struct setting *s, void *field)
{
    unsigned bits = 0, bit;

    for (unsigned i = 1; i < s->node->count; i++) {
        if (!parse_name(s, i, &bit))
            return false;
        if (bits & bit)
            setting_warn(s, i, "duplicate value \"%.*s\"", STR_ARG(setting_arg(s, i)));
        bits |= bit;
    }
    *(unsigned *)field = bits;
    return true;
}

/* Values of several bits are named by their parts; 0 by the name that stands for it. */
static void type_print_bitmask(const struct directive *row, const void *field, struct out *o)
{
    unsigned bits = *(const unsigned *)field;
    bool first = true;

    for (const struct name_value *n = row->data; n->name; n++) {
        if (bits == 0 ? n->value != 0 : (n->value == 0 || (bits & n->value) != n->value))
            continue;
        out_printf(o, first ? "%s" : " %s", n->name);
        first = false;
        bits &= ~n->value;
        if (bits == 0)
            return;
    }
}

static bool type_parse_str(struct setting *s, void *field)
{
    *(struct str *)field = arena_str(setting_arena(s), setting_arg(s, 1));
    return true;
}

static void type_print_str(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    print_word(o, *(const struct str *)field);
}

static bool type_parse_strings(struct setting *s, void *field)
{
    struct strings *list = field;

    list->count = s->node->count - 1;
    list->items = ARENA_NEW_ARRAY(setting_arena(s), struct str, list->count);
    for (unsigned i = 0; i < list->count; i++)
        list->items[i] = arena_str(setting_arena(s), setting_arg(s, i + 1));
    return true;
}

static void type_print_strings(const struct directive *row, const void *field, struct out *o)
{
    const struct strings *list = field;

    (void)row;
    for (unsigned i = 0; i < list->count; i++) {
        if (i)
            out_char(o, ' ');
        print_word(o, list->items[i]);
    }
}

static bool type_parse_path(struct setting *s, void *field)
{
    *(struct str *)field = setting_path(s, setting_arg(s, 1));
    return true;
}

static bool type_parse_conf_path(struct setting *s, void *field)
{
    *(struct str *)field = setting_conf_path(s, setting_arg(s, 1));
    return true;
}

static bool type_parse_bufs(struct setting *s, void *field)
{
    struct bufs *b = field;

    if (!str_to_uint(setting_arg(s, 1), 1 << 20, &b->count) || b->count == 0 ||
        !parse_size(setting_arg(s, 2), &b->size) || b->size == 0)
        return setting_invalid(s, 1);
    return true;
}

static void type_print_bufs(const struct directive *row, const void *field, struct out *o)
{
    const struct bufs *b = field;

    (void)row;
    out_printf(o, "%u ", b->count);
    print_size(o, b->size);
}

static bool type_parse_accepted(struct setting *s, void *field)
{
    (void)s;
    (void)field;
    return true;
}

const struct type type_flag = { "on | off", "on or off", type_parse_flag, type_print_flag };
const struct type type_number = { "number", "a number", type_parse_number, type_print_number };
const struct type type_size = { "size", "a size such as 8k or 1m", type_parse_size,
                                type_print_size };
const struct type type_offset = { "size", "a size such as 8k, 1m or 1g", type_parse_offset,
                                  type_print_offset };
const struct type type_time = { "time", "a time such as 500ms, 10s, 1h30m or 1d", type_parse_time,
                                type_print_time };
const struct type type_seconds = { "time", "a time in seconds or more, such as 10s or 1h",
                                   type_parse_seconds, type_print_seconds };
const struct type type_enum = { "name", "one of some names", type_parse_enum, type_print_enum };
const struct type type_bitmask = { "name ...", "some of some names", type_parse_bitmask,
                                   type_print_bitmask };
const struct type type_str = { "string", "a text", type_parse_str, type_print_str };
const struct type type_strings = { "string ...", "texts", type_parse_strings,
                                   type_print_strings };
const struct type type_path = { "path", "a path", type_parse_path, type_print_str };
const struct type type_conf_path = { "path", "a path", type_parse_conf_path, type_print_str };
const struct type type_bufs = { "number size", "a number and a size, such as 4 8k", type_parse_bufs,
                                type_print_bufs };
const struct type type_accepted = { "", "anything", type_parse_accepted, NULL };
