/*
 * log_format: see log_format.h.  Whatever a variable's value holds, a line stays one line: control
 * characters are escaped in every mode but `none`, where they are left out.
 */
#include "http/modules/log_format.h"

#include "http/http.h"
#include "http/request.h"
#include "script/config_variables.h"

enum escape { ESCAPE_DEFAULT, ESCAPE_JSON, ESCAPE_NONE };

struct part {
    struct str text;                   /* of a literal */
    const struct variable *var;        /* NULL for a literal */
};

struct log_format {
    struct log_format *next;
    struct str name;
    enum escape escape;
    ARRAY(struct part) parts;
};

static const struct log_format *find(const struct log_format *f, struct str name)
{
    while (f && !str_eq(f->name, name))
        f = f->next;
    return f;
}

static bool name_char(char c)
{
    char l = char_lower(c);

    return (l >= 'a' && l <= 'z') || char_is_digit(c) || c == '_';
}

static void add_literal(struct setting *s, struct log_format *f, struct str text)
{
    if (text.len)
        ARRAY_PUSH(&f->parts, setting_arena(s))->text = arena_str(setting_arena(s), text);
}

/* The variable's name at the start of `text`, which stood behind "$"; what remains is left in it. */
static bool take_name(struct str *text, struct str *name)
{
    bool braces = text->len && text->data[0] == '{';
    size_t n = 0;

    if (braces)
        *text = str_from(*text, 1);
    while (n < text->len && name_char(text->data[n]))
        n++;
    *name = str_first(*text, n);
    *text = str_from(*text, n);
    if (braces) {
        if (text->len == 0 || text->data[0] != '}')
            return false;
        *text = str_from(*text, 1);
    }
    return n > 0;
}

static bool compile(struct setting *s, unsigned word, struct log_format *f, struct str text)
{
    while (text.len) {
        ptrdiff_t dollar = str_index(text, '$');
        struct str name;

        if (dollar < 0) {
            add_literal(s, f, text);
            return true;
        }
        add_literal(s, f, str_first(text, (size_t)dollar));
        text = str_from(text, (size_t)dollar + 1);
        if (!take_name(&text, &name))
            return setting_error(s, word, "invalid parameter \"%.*s\"",
                                 STR_ARG(s->node->words[word].text));
        const struct variable *var = config_variable(s, word, name);
        if (!var)
            return false;
        ARRAY_PUSH(&f->parts, setting_arena(s))->var = var;
    }
    return true;
}

static struct log_format *add(struct setting *s, struct str name)
{
    struct http *h = s->config->generation->http;
    struct log_format *f = ARENA_NEW(setting_arena(s), struct log_format);

    f->name = arena_str(setting_arena(s), name);
    f->next = h->log_formats;
    h->log_formats = f;
    return f;
}

/* log_format name [escape=default|json|none] string... */
static bool parse_log_format(struct setting *s, void *field)
{
    struct http *h = s->config->generation->http;
    struct str name = setting_arg(s, 1);
    unsigned i = 2;

    (void)field;
    if (find(h->log_formats, name) || str_eq(name, STR("combined")))
        return setting_error(s, 1, "duplicate \"log_format\" name \"%.*s\"", STR_ARG(name));
    struct log_format *f = add(s, name);
    if (str_starts(setting_arg(s, 2), STR("escape="))) {
        struct str mode = str_from(setting_arg(s, 2), 7);
        if (str_eq(mode, STR("json")))
            f->escape = ESCAPE_JSON;
        else if (str_eq(mode, STR("none")))
            f->escape = ESCAPE_NONE;
        else if (!str_eq(mode, STR("default")))
            return setting_error(s, 2, "unknown log format escaping \"%.*s\"", STR_ARG(mode));
        i = 3;
    }
    for (; i < s->node->count; i++) {
        if (!compile(s, i, f, setting_arg(s, i)))
            return false;
    }
    return true;
}

const struct type type_log_format = {
    "name string ...", "a name, perhaps escape=..., and texts with variables", parse_log_format,
    NULL,
};

const struct log_format *log_format_find(struct setting *s, struct str name)
{
    struct http *h = s->config->generation->http;
    const struct log_format *f = find(h->log_formats, name);

    if (f || !str_eq(name, STR("combined")))
        return f;
    struct log_format *combined = add(s, name);
    return compile(s, 0, combined,
                   STR("$remote_addr - $remote_user [$time_local] \"$request\" $status "
                       "$body_bytes_sent \"$http_referer\" \"$http_user_agent\""))
               ? combined : NULL;
}

struct str log_format_name(const struct log_format *f)
{
    return f->name;
}

static void put_default(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (c >= ' ' && c < 127 && c != '"' && c != '\\') {
            out_char(o, (char)c);
            continue;
        }
        OUT_LITERAL(o, "\\x");
        out_char(o, "0123456789ABCDEF"[c >> 4]);
        out_char(o, "0123456789ABCDEF"[c & 15]);
    }
}

static void put_json(struct out *o, struct str s)
{
    static const char letters[] = "\bb\ff\nn\rr\tt\"\"\\\\";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        const char *at = letters;
        while (*at && (unsigned char)*at != c)
            at += 2;
        if (*at) {
            out_char(o, '\\');
            out_char(o, at[1]);
        } else if (c < ' ')
            out_printf(o, "\\u%04X", c);
        else
            out_char(o, (char)c);
    }
}

static void put_plain(struct out *o, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] != '\n' && s.data[i] != '\r' && s.data[i] != '\0')
            out_char(o, s.data[i]);
    }
}

static void put_value(enum escape escape, const struct value *v, struct out *o)
{
    if (escape == ESCAPE_DEFAULT && v->state != VALUE_FOUND)
        out_char(o, '-');
    else if (escape == ESCAPE_DEFAULT)
        put_default(o, value_str(v));
    else if (escape == ESCAPE_JSON)
        put_json(o, value_str(v));
    else
        put_plain(o, value_str(v));
}

void log_format_put(const struct log_format *f, struct request *r, struct out *o)
{
    struct script *script = request_script(r);

    for (unsigned i = 0; i < f->parts.count; i++) {
        const struct part *p = &f->parts.items[i];
        if (p->var)
            put_value(f->escape, variable_value(script, p->var), o);
        else
            out_str(o, p->text);
    }
}
