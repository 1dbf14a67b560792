/*
 * ssi_parse: see ssi_parse.h.
 */
#include "http/modules/ssi/ssi_parse.h"

static const struct str opening = STR_INIT("<!--#");
static const struct str closing = STR_INIT("-->");

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
    c = char_lower(c);
    return (c >= 'a' && c <= 'z') || c == '_';
}

static void skip_spaces(struct str *s)
{
    while (s->len && is_space(s->data[0]))
        *s = str_from(*s, 1);
}

/* The first place where a command begins, or may begin once more bytes are there. */
static size_t find_opening(struct str text, bool last)
{
    size_t at = 0;

    while (at < text.len) {
        const char *p = memchr(text.data + at, '<', text.len - at);
        if (!p)
            return text.len;
        at = (size_t)(p - text.data);
        struct str rest = str_from(text, at);
        if (str_starts(rest, opening) ||
            (!last && rest.len < opening.len && str_starts(opening, rest)))
            return at;
        at++;
    }
    return text.len;
}

/* What became of reading a part of a command. */
enum part { PART_OK, PART_BAD, PART_SHORT };

static enum part take_name(struct str *s, struct str *name)
{
    size_t n = 0;

    while (n < s->len && is_letter(s->data[n]))
        n++;
    *name = str_first(*s, n);
    *s = str_from(*s, n);
    if (n > SSI_NAME_MAX)
        return PART_BAD;
    if (s->len == 0)
        return PART_SHORT;
    return n == 0 ? PART_BAD : PART_OK;
}

static enum part take_value(struct str *s, size_t max, struct str *value, const char **why)
{
    char quote = s->data[0];
    size_t n = 1;

    if (quote != '"' && quote != '\'')
        return PART_BAD;
    while (n < s->len && s->data[n] != quote)
        n += s->data[n] == '\\' ? 2 : 1;
    if (n - 1 > max) {
        *why = "the value of a parameter is too long";
        return PART_BAD;
    }
    if (n >= s->len)
        return PART_SHORT;
    *value = (struct str){ s->data + 1, n - 1 };
    *s = str_from(*s, n + 1);
    return PART_OK;
}

static enum part take_param(struct str *s, size_t max, struct ssi_command *c, const char **why)
{
    struct ssi_param param;
    enum part result = take_name(s, &param.name);

    if (result != PART_OK)
        return result;
    skip_spaces(s);
    if (s->len == 0)
        return PART_SHORT;
    if (s->data[0] != '=')
        return PART_BAD;
    *s = str_from(*s, 1);
    skip_spaces(s);
    if (s->len == 0)
        return PART_SHORT;
    result = take_value(s, max, &param.value, why);
    if (result != PART_OK)
        return result;
    if (c->count == SSI_PARAMS) {
        *why = "there are too many parameters";
        return PART_BAD;
    }
    c->params[c->count++] = param;
    return PART_OK;
}

/* The inside of a command and its end. */
static enum part take_command(struct str *s, size_t max, struct ssi_command *c, const char **why)
{
    c->count = 0;
    skip_spaces(s);
    enum part result = s->len ? take_name(s, &c->name) : PART_SHORT;
    while (result == PART_OK) {
        skip_spaces(s);
        if (str_starts(*s, closing)) {
            *s = str_from(*s, closing.len);
            return PART_OK;
        }
        if (s->len < closing.len && str_starts(closing, *s))
            return PART_SHORT;
        result = take_param(s, max, c, why);
    }
    return result;
}

enum ssi_found ssi_parse(struct str text, bool last, size_t value_max, struct ssi_command *c,
                         size_t *start, size_t *end, const char **why)
{
    *start = *end = find_opening(text, last);
    *why = "the command is malformed";
    if (*start == text.len)
        return SSI_NONE;
    struct str rest = str_from(text, *start);
    if (rest.len < opening.len)
        return SSI_MORE;
    rest = str_from(rest, opening.len);
    enum part result = take_command(&rest, value_max, c, why);
    if (result == PART_OK) {
        *end = text.len - rest.len;
        return SSI_COMMAND;
    }
    ptrdiff_t close = result == PART_BAD ? str_find(rest, closing) : -1;
    if (close < 0 && !last)
        return SSI_MORE;
    if (result == PART_SHORT)
        *why = "the command has no end";
    *end = close < 0 ? text.len : text.len - rest.len + (size_t)close + closing.len;
    return SSI_BAD;
}

const struct str *ssi_param(const struct ssi_command *c, const char *name)
{
    for (unsigned i = 0; i < c->count; i++) {
        if (str_eq(c->params[i].name, str_of(name)))
            return &c->params[i].value;
    }
    return NULL;
}

bool ssi_parse_expression(struct str text, struct ssi_expression *e)
{
    ptrdiff_t at = str_index(text, '=');

    *e = (struct ssi_expression){ .left = str_trim(text) };
    if (at < 0)
        return true;
    size_t left = (size_t)at;
    e->operator = SSI_EQUAL;
    if (left > 0 && text.data[left - 1] == '!') {
        e->operator = SSI_NOT_EQUAL;
        left--;
    }
    e->left = str_trim(str_first(text, left));
    e->right = str_trim(str_from(text, (size_t)at + 1));
    if (e->right.len == 0 || e->right.data[0] != '/')
        return true;
    e->regex = true;
    if (e->right.len < 2 || e->right.data[e->right.len - 1] != '/')
        return false;
    e->right = (struct str){ e->right.data + 1, e->right.len - 2 };
    return true;
}
