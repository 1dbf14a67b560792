/*
 * ssl_types: see ssl_types.h.
 */
#include "http/modules/ssl/ssl_types.h"

/* ---- certificates and keys ---- */

bool ssl_parse_certificate(struct setting *s, void *field)
{
    struct template *t = field;

    if (!template_compile(s, 1, config_variables(s), t))
        return false;
    if (t->text.len && template_is_text(t) && !str_starts(t->text, STR("data:")))
        t->text = setting_conf_path(s, t->text);
    return true;
}

static bool add_certificate(struct setting *s, void *field)
{
    struct ssl_texts *list = field;

    return ssl_parse_certificate(s, ARRAY_PUSH(&list->all, setting_arena(s)));
}

static void print_certificates(const struct directive *row, const void *field, struct out *o)
{
    const struct ssl_texts *list = field;

    (void)row;
    for (unsigned i = 0; i < list->all.count; i++) {
        if (i)
            OUT_LITERAL(o, "; ");
        print_word(o, list->all.items[i].text);
    }
}

const struct type type_ssl_certificate = {
    "file | data:text", "a file, or a text behind \"data:\"; variables may stand in it",
    add_certificate, print_certificates,
};

/* An empty name takes back what was inherited. */
static bool parse_file(struct setting *s, void *field)
{
    struct str word = setting_arg(s, 1);

    *(struct str *)field = word.len ? setting_conf_path(s, word) : (struct str){ NULL, 0 };
    return true;
}

static void print_file(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    if (((const struct str *)field)->data)
        print_word(o, *(const struct str *)field);
}

const struct type type_ssl_file = { "file", "a file", parse_file, print_file };

/* off | max=N [inactive=time] [valid=time] */
static bool parse_certificate_cache(struct setting *s, void *field)
{
    struct ssl_certificate_cache *c = field;

    *c = (struct ssl_certificate_cache){ .inactive = 10, .valid = 60 };
    for (unsigned i = 1; i < s->node->count; i++) {
        struct str word = setting_arg(s, i);
        bool good;
        if (str_eq(word, STR("off")) && s->node->count == 2)
            return true;
        if (str_starts(word, STR("max=")))
            good = str_to_uint(str_from(word, 4), 1000000, &c->max) && c->max > 0;
        else if (str_starts(word, STR("inactive=")))
            good = parse_seconds(str_from(word, 9), &c->inactive);
        else if (str_starts(word, STR("valid=")))
            good = parse_seconds(str_from(word, 6), &c->valid);
        else
            good = false;
        if (!good)
            return setting_error(s, i, "invalid parameter \"%.*s\"", STR_ARG(word));
    }
    return c->max > 0 ||
           setting_error(s, 0, "\"%.*s\" must have the \"max\" parameter", STR_ARG(setting_arg(s, 0)));
}

static void print_certificate_cache(const struct directive *row, const void *field, struct out *o)
{
    const struct ssl_certificate_cache *c = field;

    (void)row;
    print_cache_limits(o, c->max, c->inactive);
    if (c->max == 0)
        return;
    OUT_LITERAL(o, " valid=");
    print_time(o, (uint64_t)c->valid * 1000);
}

const struct type type_ssl_certificate_cache = {
    "off | max=N [inactive=time] [valid=time]", "off, or max= and perhaps inactive= and valid=",
    parse_certificate_cache, print_certificate_cache,
};

/* ---- others ---- */

static bool parse_command(struct setting *s, void *field)
{
    struct ssl_commands *list = field;
    struct str name = arena_str(setting_arena(s), setting_arg(s, 1));
    struct str value = arena_str(setting_arena(s), setting_arg(s, 2));

    if (str_eq_nocase(name, STR("Certificate")) || str_eq_nocase(name, STR("PrivateKey")))
        value = setting_conf_path(s, value);
    *ARRAY_PUSH(&list->all, setting_arena(s)) = (struct tls_command){ name, value };
    return true;
}

static void print_commands(const struct directive *row, const void *field, struct out *o)
{
    const struct ssl_commands *list = field;

    (void)row;
    for (unsigned i = 0; i < list->all.count; i++) {
        if (i)
            OUT_LITERAL(o, "; ");
        print_word(o, list->all.items[i].name);
        out_char(o, ' ');
        print_word(o, list->all.items[i].value);
    }
}

const struct type type_ssl_command = {
    "name value", "a name and a value, as SSL_CONF_cmd(3) has them", parse_command, print_commands,
};

static bool parse_key_log(struct setting *s, void *field)
{
    struct str path = setting_path(s, setting_arg(s, 1));

    *(struct log_file **)field = generation_log_file(s->config->generation, path);
    return true;
}

static void print_key_log(const struct directive *row, const void *field, struct out *o)
{
    const struct log_file *const *file = field;

    (void)row;
    if (*file)
        print_word(o, (*file)->path);
}

const struct type type_ssl_key_log = { "path", "a file", parse_key_log, print_key_log };

const struct name_value ssl_protocols[] = {
    { "SSLv2", TLS_SSL2 }, { "SSLv3", TLS_SSL3 }, { "TLSv1", TLS_1_0 }, { "TLSv1.1", TLS_1_1 },
    { "TLSv1.2", TLS_1_2 }, { "TLSv1.3", TLS_1_3 }, { NULL, 0 },
};
