/*
 * userid: see userid.h.  An identifier is 16 bytes: a number of the service, the time, a number of the
 * process, and one that counts.
 */
#include "http/modules/userid.h"

#include <unistd.h>

#include "base/cursor.h"
#include "base/digest/base64.h"
#include "base/random.h"
#include "config/types.h"
#include "http/http.h"
#include "http/request.h"
#include "http/response.h"
#include "script/template.h"

enum userid_mode { USERID_OFF, USERID_LOG, USERID_V1, USERID_ON };

enum userid_flags {
    USERID_SECURE = 1,
    USERID_HTTPONLY = 2,
    USERID_SAMESITE_STRICT = 4,
    USERID_SAMESITE_LAX = 8,
    USERID_SAMESITE_NONE = 16,
};

enum { EXPIRES_MAX = -1 };

/* The first number of identifiers. */
struct service {
    uint32_t number;
    bool given;                        /* otherwise it is the server's address */
};

struct userid_conf {
    unsigned mode;                     /* enum userid_mode */
    struct str name, domain, path, p3p;
    int64_t expires;                   /* seconds; 0: none; EXPIRES_MAX */
    struct service service;
    unsigned flags;                    /* enum userid_flags bits */
    char mark;                         /* '\0': none */
};

/* ---- the directives ---- */

static const struct name_value modes[] = {
    { "off", USERID_OFF }, { "log", USERID_LOG }, { "v1", USERID_V1 }, { "on", USERID_ON },
    { NULL, 0 },
};
static const struct name_value flags[] = {
    { "off", 0 }, { "secure", USERID_SECURE }, { "httponly", USERID_HTTPONLY },
    { "samesite=strict", USERID_SAMESITE_STRICT }, { "samesite=lax", USERID_SAMESITE_LAX },
    { "samesite=none", USERID_SAMESITE_NONE }, { NULL, 0 },
};

/* A text, or none. */
static bool parse_text(struct setting *s, void *field)
{
    struct str text = setting_arg(s, 1);

    if (!template_safe(text))
        return setting_invalid(s, 1);
    *(struct str *)field = str_eq(text, STR("none")) ? STR("") : arena_str(setting_arena(s), text);
    return true;
}

static void print_text(const struct directive *row, const void *field, struct out *o)
{
    const struct str *text = field;

    (void)row;
    print_word(o, text->len ? *text : STR("none"));
}

static bool parse_expires(struct setting *s, void *field)
{
    int64_t *expires = field;
    time_t seconds = 0;

    if (str_eq(setting_arg(s, 1), STR("max"))) {
        *expires = EXPIRES_MAX;
        return true;
    }
    if (!str_eq(setting_arg(s, 1), STR("off")) && !parse_seconds(setting_arg(s, 1), &seconds))
        return setting_invalid(s, 1);
    *expires = seconds;
    return true;
}

static void print_expires(const struct directive *row, const void *field, struct out *o)
{
    int64_t expires = *(const int64_t *)field;

    (void)row;
    if (expires > 0)
        print_time(o, (uint64_t)expires * 1000);
    else
        out_str(o, expires == EXPIRES_MAX ? STR("max") : STR("off"));
}

static bool parse_service(struct setting *s, void *field)
{
    uint64_t number;

    if (!str_to_u64(setting_arg(s, 1), &number) || number > UINT32_MAX)
        return setting_invalid(s, 1);
    *(struct service *)field = (struct service){ (uint32_t)number, true };
    return true;
}

static void print_service(const struct directive *row, const void *field, struct out *o)
{
    const struct service *service = field;

    (void)row;
    if (service->given)
        out_uint(o, service->number);
}

static bool parse_mark(struct setting *s, void *field)
{
    struct str text = setting_arg(s, 1);
    char c = text.len == 1 ? text.data[0] : '\0';

    if (str_eq(text, STR("off")))
        *(char *)field = '\0';
    else if (char_is_digit(c) || (char_lower(c) >= 'a' && char_lower(c) <= 'z') || c == '=')
        *(char *)field = c;
    else
        return setting_error(s, 1, "value must be \"off\" or a single letter, digit or \"=\"");
    return true;
}

static void print_mark(const struct directive *row, const void *field, struct out *o)
{
    char mark = *(const char *)field;

    (void)row;
    if (mark)
        out_char(o, mark);
    else
        OUT_LITERAL(o, "off");
}

static const struct type type_text = { "string | none", "a text, or none", parse_text, print_text };
static const struct type type_expires = {
    "time | max | off", "a time, max or off", parse_expires, print_expires,
};
static const struct type type_service = {
    "number", "a number below 4294967296", parse_service, print_service,
};
static const struct type type_mark = {
    "letter | digit | = | off", "a letter, a digit, = or off", parse_mark, print_mark,
};

#define PLACES (IN_HTTP | IN_SERVER | IN_LOCATION)

static const struct directive rows[] = {
    { "userid", PLACES, ARGS(1), &type_enum, FIELD(struct userid_conf, mode), .initial = "off",
      .data = modes, .syntax = "on | v1 | log | off",
      .help = "Give clients that have none a cookie with an identifier; log only reads it." },
    { "userid_name", PLACES, ARGS(1), &type_str, FIELD(struct userid_conf, name), .initial = "uid",
      .syntax = "name", .help = "The name of the cookie." },
    { "userid_domain", PLACES, ARGS(1), &type_text, FIELD(struct userid_conf, domain),
      .initial = "none", .syntax = "name | none", .help = "The domain of the cookie." },
    { "userid_path", PLACES, ARGS(1), &type_str, FIELD(struct userid_conf, path), .initial = "/",
      .syntax = "path", .help = "The path of the cookie." },
    { "userid_expires", PLACES, ARGS(1), &type_expires, FIELD(struct userid_conf, expires),
      .initial = "off", .help = "How long a browser keeps the cookie; off: until it is closed." },
    { "userid_p3p", PLACES, ARGS(1), &type_text, FIELD(struct userid_conf, p3p), .initial = "none",
      .help = "The value of a P3P field that goes with the cookie." },
    { "userid_mark", PLACES, ARGS(1), &type_mark, FIELD(struct userid_conf, mark), .initial = "off",
      .help = "A sign at the end of cookies; those that lack it are sent anew, identifier kept, so that "
              "expires and P3P reach their browsers." },
    { "userid_service", PLACES, ARGS(1), &type_service, FIELD(struct userid_conf, service),
      .default_text = "IP address of the server",
      .help = "The number of this server in identifiers that it makes, where there are several." },
    { "userid_flags", PLACES, ARGS_RANGE(1, ARGS_ANY), &type_bitmask,
      FIELD(struct userid_conf, flags), .initial = "off", .data = flags, .syntax = "off | flag ...",
      .help = "Flags of the cookie: secure, httponly, samesite=strict, samesite=lax, samesite=none." },
    { 0 },
};

/* ---- identifiers ---- */

enum { ID_SIZE = 16, ENCODED = 22, COUNT_STEP = 0x100, COUNT_FIRST = 0x03030302 };

/* What is known of a request's client. */
struct userid {
    struct str cookie;                 /* as it was sent; empty: none that is good */
    unsigned char got[ID_SIZE], set[ID_SIZE];
    bool has_got, has_set;             /* set: the cookie that is sent */
    bool renewed;                      /* `set` is not what was got */
};

/* Of a process: what its identifiers have in common, and their count. */
static uint32_t process_number, count_v1 = 1, count_v2 = COUNT_FIRST;
static pid_t process_of_number;

static const struct userid_conf *conf_of(const struct request *r)
{
    return CONF(r->conf, http_userid_module);
}

static struct userid *read_cookie(struct request *r)
{
    struct userid *u = ARENA_NEW(&r->arena, struct userid);
    struct str name = arena_concat(&r->arena, STR("cookie_"), conf_of(r)->name);
    struct value v = variable_named(request_script(r), name);
    struct out o = out_fixed(u->got, ID_SIZE);
    struct str sent = value_str(&v);

    if (v.state != VALUE_FOUND)
        return u;
    if (sent.len < ENCODED) {
        request_log(r, LOG_LEVEL_ERROR, 0, "client sent too short userid cookie \"%.*s\"",
                    STR_ARG(sent));
        return u;
    }
    /* There may be anything behind: browsers have made a mess of it. */
    if (!base64_decode(&o, str_first(sent, ENCODED)) || out_len(&o) != ID_SIZE) {
        request_log(r, LOG_LEVEL_ERROR, 0, "client sent invalid userid cookie \"%.*s\"",
                    STR_ARG(sent));
        return u;
    }
    u->cookie = sent;
    u->has_got = true;
    return u;
}

static struct userid *userid_of(struct request *r)
{
    void **context = REQUEST_CONTEXT(r, http_userid_module);

    if (!*context)
        *context = read_cookie(r);
    return *context;
}

/* The last four bytes of the address that the client came to. */
static uint32_t server_address(const struct request *r)
{
    struct address a;
    struct cursor c = cursor_of(NULL, 0);

    if (!address_local(r->client->connection.watch.fd, &a))
        return 0;
    if (a.any.sa_family == AF_INET)
        c = cursor_of(&a.in.sin_addr, 4);
    else if (a.any.sa_family == AF_INET6)
        c = cursor_of(a.in6.sin6_addr.s6_addr + 12, 4);
    return (uint32_t)cursor_big_endian(&c, 4);
}

static uint32_t number_of_process(void)
{
    if (process_of_number != getpid()) {
        process_of_number = getpid();
        process_number = random_below(0xffff) << 16 | ((uint32_t)process_of_number & 0xffff);
    }
    return process_number;
}

/* Numbers in the order of the network; of version 1 as the processors of its day had them. */
static void put_number(struct out *o, uint32_t n, bool v1)
{
    for (unsigned i = 0; i < 4; i++)
        out_u8(o, (uint8_t)(n >> 8 * (v1 ? i : 3 - i)));
}

static void make_id(const struct request *r, const struct userid_conf *c, unsigned char *id)
{
    struct out o = out_fixed(id, ID_SIZE);
    bool v1 = c->mode == USERID_V1;
    uint32_t *count = v1 ? &count_v1 : &count_v2;
    uint32_t service = c->service.given ? c->service.number : v1 ? 0 : server_address(r);

    put_number(&o, service, v1);
    put_number(&o, (uint32_t)clock_seconds(), v1);
    put_number(&o, number_of_process(), v1);
    put_number(&o, *count, v1);
    *count += COUNT_STEP;
    if (!v1 && *count < COUNT_FIRST)
        *count = COUNT_FIRST;
}

/* "name=0100007F..." with the four numbers as a little-endian processor shows them. */
static struct str show(struct request *r, const unsigned char *id)
{
    struct out o = out_growing(&r->arena, 4096);

    out_str(&o, conf_of(r)->name);
    out_char(&o, '=');
    for (unsigned i = 0; i < ID_SIZE; i += 4)
        out_printf(&o, "%02X%02X%02X%02X", id[i + 3], id[i + 2], id[i + 1], id[i]);
    return out_str_of(&o);
}

/* Whether $uid_reset asks for a new identifier. */
static bool reset_wanted(struct request *r, const struct userid *u)
{
    struct value v = variable_named(request_script(r), STR("uid_reset"));
    struct str reset = value_str(&v);

    if (reset.len == 0 || str_eq(reset, STR("0")))
        return false;
    if (str_eq(reset, STR("log")))
        request_log(r, LOG_LEVEL_NOTICE, 0, "userid cookie \"%.*s\" was reset",
                    STR_ARG(show(r, u->got)));
    return true;
}

static bool is_marked(const struct userid *u, char mark)
{
    return u->cookie.len > ENCODED + 1 && u->cookie.data[ENCODED] == mark &&
           u->cookie.data[ENCODED + 1] == '=';
}

/* Decides on the cookie that is sent, once. */
static void decide(struct request *r, struct userid *u)
{
    const struct userid_conf *c = conf_of(r);

    if (u->has_set || c->mode < USERID_V1)
        return;
    u->renewed = !u->has_got || reset_wanted(r, u);
    if (!u->renewed && (!c->mark || is_marked(u, c->mark)))
        return;
    if (u->renewed)
        make_id(r, c, u->set);
    else
        memcpy(u->set, u->got, ID_SIZE);
    u->has_set = true;
}

/* ---- the response ---- */

/* The identifier in 22 characters, the mark or "=", and "=". */
static void put_id(struct out *o, const struct userid_conf *c, const struct userid *u)
{
    char space[24];
    struct out id = out_fixed(space, sizeof space);

    base64_encode(&id, (struct str){ (const char *)u->set, ID_SIZE });
    if (c->mark)
        space[ENCODED] = c->mark;
    out_bytes(o, space, sizeof space);
}

static void put_flags(struct out *o, unsigned wanted)
{
    static const struct {
        unsigned flag;
        struct str text;
    } texts[] = {
        { USERID_SECURE, STR_INIT("; secure") },
        { USERID_HTTPONLY, STR_INIT("; httponly") },
        { USERID_SAMESITE_STRICT, STR_INIT("; samesite=strict") },
        { USERID_SAMESITE_LAX, STR_INIT("; samesite=lax") },
        { USERID_SAMESITE_NONE, STR_INIT("; samesite=none") },
    };

    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (wanted & texts[i].flag)
            out_str(o, texts[i].text);
    }
}

static int apply(struct request *r)
{
    const struct userid_conf *c = conf_of(r);
    struct userid *u = userid_of(r);
    struct out o = out_growing(&r->arena, 1 << 16);

    decide(r, u);
    if (!u->has_set)
        return 0;
    out_str(&o, c->name);
    out_char(&o, '=');
    put_id(&o, c, u);
    if (c->expires == EXPIRES_MAX)
        OUT_LITERAL(&o, "; expires=Thu, 31-Dec-37 23:55:55 GMT");
    else if (c->expires) {
        OUT_LITERAL(&o, "; expires=");
        clock_put_cookie_date(&o, clock_seconds() + (time_t)c->expires);
    }
    if (c->domain.len)
        out_printf(&o, "; domain=%.*s", STR_ARG(c->domain));
    out_printf(&o, "; path=%.*s", STR_ARG(c->path));
    put_flags(&o, c->flags);
    response_header(r, STR("Set-Cookie"), out_str_of(&o));
    if (c->p3p.len)
        response_header(r, STR("P3P"), c->p3p);
    return 0;
}

static bool enabled(void *const *conf)
{
    return ((const struct userid_conf *)CONF(conf, http_userid_module))->mode >= USERID_V1;
}

const struct http_filter userid_filter = { "userid", enabled, true, apply };

/* ---- variables ---- */

static bool get_got(struct script *s, const struct variable *var, struct value *v)
{
    struct request *r = ((struct request *)s->object)->main;
    const struct userid *u = conf_of(r)->mode != USERID_OFF ? userid_of(r) : NULL;

    (void)var;
    if (u && u->has_got)
        value_give(v, show(r, u->got));
    return true;
}

static bool get_set(struct script *s, const struct variable *var, struct value *v)
{
    struct request *r = ((struct request *)s->object)->main;

    (void)var;
    if (conf_of(r)->mode < USERID_V1)
        return true;
    struct userid *u = userid_of(r);
    decide(r, u);
    if (u->has_set)
        value_give(v, show(r, u->set));
    return true;
}

/* For `set` to fill. */
static bool get_reset(struct script *s, const struct variable *var, struct value *v)
{
    (void)s;
    (void)var;
    return value_give(v, STR(""));
}

static const struct variable variables[] = {
    { .name = STR_INIT("uid_got"), .get = get_got, .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("uid_set"), .get = get_set, .flags = VARIABLE_VOLATILE },
    { .name = STR_INIT("uid_reset"), .get = get_reset, .flags = VARIABLE_CHANGEABLE },
    { .name = { NULL, 0 } },
};

static const struct http_module http_module = { .variables = variables };

struct module http_userid_module = {
    .name = "ngx_http_userid_module",
    .directives = rows,
    .conf_size = sizeof(struct userid_conf),
    .extra = &http_module,
};
