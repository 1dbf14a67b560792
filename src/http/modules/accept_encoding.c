/*
 * accept_encoding: see accept_encoding.h.
 */
#include "http/modules/accept_encoding.h"

enum { WHOLE = 1000 };

/* A weight as of section 12.4.2: "1", "0.5", "0.123"; 0 if it is none. */
static unsigned read_weight(struct str s)
{
    unsigned value = 0, unit = WHOLE;

    if (s.len == 0 || s.len > 5 || (s.data[0] != '0' && s.data[0] != '1'))
        return 0;
    if (s.len > 1 && s.data[1] != '.')
        return 0;
    value = (unsigned)(s.data[0] - '0') * WHOLE;
    for (size_t i = 2; i < s.len; i++) {
        if (!char_is_digit(s.data[i]))
            return 0;
        unit /= 10;
        value += (unsigned)(s.data[i] - '0') * unit;
    }
    return value > WHOLE ? 0 : value;
}

/* What the parameters behind a coding make of it. */
static unsigned weight_of(struct str parameters)
{
    while (parameters.data) {
        struct str value = str_trim(str_split(&parameters, ';')), name = str_split(&value, '=');
        if (str_eq_nocase(str_trim(name), STR("q")))
            return value.data ? read_weight(str_trim(value)) : 0;
    }
    return WHOLE;
}

unsigned accept_encoding_weight(struct str field, struct str coding)
{
    while (field.data) {
        struct str parameters = str_split(&field, ','), name = str_split(&parameters, ';');
        if (str_eq_nocase(str_trim(name), coding))
            return weight_of(parameters);
    }
    return 0;
}
