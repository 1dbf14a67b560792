/*
 * split_clients: see split_clients.h.  The same hash and the same borders as nginx, so that a client
 * stays in its share when it is served by either.
 */
#include "script/split_clients.h"

#include "base/digest/murmur2.h"
#include "script/template.h"

enum { WHOLE = 10000 };    /* hundredths of a percent */

struct share {
    uint32_t end;          /* hashes below it */
    bool rest;             /* "*": all that are left */
    struct value value;
};

struct split {
    struct template source;
    const struct share *shares;
    unsigned count;
};

static bool split_get(struct script *s, const struct variable *var, struct value *v)
{
    const struct split *split = (const struct split *)var->data;
    struct str key = template_value(&split->source, s);
    uint32_t hash = murmur2(key);

    *v = (struct value){ .data = "", .state = VALUE_FOUND };
    for (unsigned i = 0; i < split->count; i++) {
        if (hash < split->shares[i].end || split->shares[i].rest) {
            *v = split->shares[i].value;
            break;
        }
    }
    return true;
}

/* "0.5%" as 50; more than two decimals are a mistake, and so is nothing at all. */
static bool parse_percent(struct str s, unsigned *value)
{
    unsigned whole, part = 0;

    if (s.len < 2 || s.data[s.len - 1] != '%')
        return false;
    s = str_first(s, s.len - 1);

    struct str digits = str_split(&s, '.');

    if (digits.len > 0 && !str_to_uint(digits, 100, &whole))
        return false;
    if (digits.len == 0)
        whole = 0;
    if (s.data && (s.len > 2 || (s.len > 0 && !str_to_uint(s, 99, &part))))
        return false;
    *value = whole * 100 + (s.data && s.len == 1 ? part * 10 : part);
    return *value > 0;
}

/* Reads a line; *sum are the hundredths given out so far, `last` where the share before ended. */
static bool split_line(struct setting *line, struct share *share, unsigned *sum, uint32_t last)
{
    struct str text;
    unsigned percent;

    if (line->node->block || line->node->count != 2)
        return setting_error(line, 0, "invalid number of the split_clients parameters");
    text = arena_str(setting_arena(line), setting_arg(line, 1));
    *share = (struct share){
        .end = last,
        .rest = str_eq(setting_arg(line, 0), STR("*")),
        .value = { .data = text.data, .len = (uint32_t)text.len, .state = VALUE_FOUND },
    };
    if (share->rest) {
        *sum = WHOLE;
        return true;
    }
    text = setting_arg(line, 0);
    if (!parse_percent(text, &percent))
        return setting_error(line, 0, "invalid percent value \"%.*s\"", STR_ARG(text));
    *sum += percent;
    if (*sum > WHOLE)
        return setting_error(line, 0, "percent total is greater than 100%%");
    share->end = last + (uint32_t)((uint64_t)percent * UINT32_MAX / WHOLE);
    return true;
}

static bool split_lines(struct setting *s, struct split *split)
{
    ARRAY(struct share) shares = { 0 };
    struct setting line = *s;
    unsigned sum = 0;
    uint32_t last = 0;

    for (const struct node *n = s->node->children; n; n = n->next) {
        struct share *share = ARRAY_PUSH(&shares, setting_arena(s));

        line.node = n;
        if (!split_line(&line, share, &sum, last))
            return false;
        last = share->end;
    }
    split->shares = shares.items;
    split->count = shares.count;
    return true;
}

static bool split_parse(struct setting *s, void *field)
{
    struct split *split = ARENA_NEW(setting_arena(s), struct split);
    struct variable var = {
        .get = split_get, .data = (uintptr_t)split, .flags = VARIABLE_CHANGEABLE,
    };

    (void)field;
    return template_compile(s, 1, config_variables(s), &split->source) &&
           config_define_variable(s, 2, &var) && split_lines(s, split);
}

static const struct type type_split = {
    .name = "shares",
    .expected = "a block of percentages and values",
    .parse = split_parse,
};

#define SPLIT_ROWS(where)                                                                          \
    {                                                                                              \
        { "split_clients", where, ARGS(2), &type_split, .flags = REPEATS | FREE_BLOCK,             \
          .syntax = "string $variable { percent% value; ... * value; }",                           \
          .help = "Defines a variable whose value is chosen by a hash of the string, each value "  \
                  "for its share of the hashes: for tests of two variants.  \"*\" takes the rest." \
        },                                                                                         \
        { .name = NULL },                                                                          \
    }

static const struct directive http_rows[] = SPLIT_ROWS(IN_HTTP);
static const struct directive stream_rows[] = SPLIT_ROWS(IN_STREAM);

struct module http_split_clients_module = {
    .name = "ngx_http_split_clients_module", .directives = http_rows,
};
struct module stream_split_clients_module = {
    .name = "ngx_stream_split_clients_module", .directives = stream_rows,
};
