/*
 * proxy_variables: see proxy_variables.h.
 */
#include "http/proxy/proxy_variables.h"

#include "http/proxy/exchange.h"
#include "http/proxy/proxied.h"

enum { VALUES_MAX = 65536 };

static const struct exchange *exchange_of(const struct script *s)
{
    return ((const struct request *)s->object)->exchange;
}

static bool give(struct value *v, struct str text)
{
    v->data = text.data ? text.data : "";
    v->len = (uint32_t)text.len;
    v->state = text.data ? VALUE_FOUND : VALUE_NOT_FOUND;
    return true;
}

/* Appends what one try has of a value; false: it has none. */
typedef bool put_value(const struct attempt *a, struct out *o);

/* All tries' values: ", " between those of one exchange, " : " where an internal redirect led to
 * another. */
static bool get_values(struct script *s, const struct variable *var, struct value *v)
{
    const struct exchange *x = exchange_of(s);
    put_value *put = (put_value *)var->data;
    struct out o = out_growing(s->arena, VALUES_MAX);

    if (!x || x->attempts->list.count == 0)
        return give(v, (struct str){ NULL, 0 });
    for (unsigned i = 0; i < x->attempts->list.count; i++) {
        const struct attempt *a = &x->attempts->list.items[i];
        if (i)
            out_str(&o, a->first ? STR(" : ") : STR(", "));
        if (!put(a, &o))
            out_char(&o, '-');
    }
    return give(v, out_str_of(&o));
}

static bool put_addr(const struct attempt *a, struct out *o)
{
    out_str(o, a->peer);
    return true;
}

static bool put_status(const struct attempt *a, struct out *o)
{
    if (a->status)
        out_uint(o, a->status);
    return a->status != 0;
}

static bool put_ms(int64_t ms, struct out *o)
{
    if (ms < 0)
        return false;
    out_uint(o, (uint64_t)ms / 1000);
    out_char(o, '.');
    out_padded(o, (uint64_t)ms % 1000, 3);
    return true;
}

static bool put_queue_time(const struct attempt *a, struct out *o)
{
    return put_ms(a->queue_ms, o);
}

static bool put_connect_time(const struct attempt *a, struct out *o)
{
    return put_ms(a->connect_ms, o);
}

static bool put_header_time(const struct attempt *a, struct out *o)
{
    return put_ms(a->header_ms, o);
}

static bool put_response_time(const struct attempt *a, struct out *o)
{
    return put_ms(a->response_ms, o);
}

static bool put_length(const struct attempt *a, struct out *o)
{
    out_uint(o, a->length);
    return true;
}

static bool put_received(const struct attempt *a, struct out *o)
{
    out_uint(o, a->received);
    return true;
}

static bool put_sent(const struct attempt *a, struct out *o)
{
    out_uint(o, a->sent);
    return true;
}

static bool get_last_addr(struct script *s, const struct variable *var, struct value *v)
{
    const struct exchange *x = exchange_of(s);

    (void)var;
    return give(v, x && x->attempts->list.count ? exchange_attempt(x)->peer
                                                : (struct str){ NULL, 0 });
}

/* The name without its port: what TLS and Host ask for. */
static bool get_last_server(struct script *s, const struct variable *var, struct value *v)
{
    const struct exchange *x = exchange_of(s);
    struct str name = { NULL, 0 };

    (void)var;
    if (x && x->attempts->list.count)
        name = exchange_attempt(x)->server;
    ptrdiff_t colon = name.len ? str_rindex(name, ':') : -1;
    if (colon > str_rindex(name, ']') && !str_starts(name, STR("unix:")))
        name = str_first(name, (size_t)colon);
    return give(v, name);
}

static bool get_field(struct script *s, const struct variable *var, struct value *v)
{
    const struct exchange *x = exchange_of(s);

    return give(v, x ? headers_joined(&x->head.fields, s->arena, var->rest)
                     : (struct str){ NULL, 0 });
}

static bool get_trailer(struct script *s, const struct variable *var, struct value *v)
{
    const struct exchange *x = exchange_of(s);

    return give(v, x ? headers_joined(&x->trailers, s->arena, var->rest) : (struct str){ NULL, 0 });
}

/* "name=value; ..." of a Set-Cookie; the last of that name counts. */
static bool get_cookie(struct script *s, const struct variable *var, struct value *v)
{
    const struct exchange *x = exchange_of(s);

    give(v, (struct str){ NULL, 0 });
    for (unsigned i = 0; x && i < x->head.fields.list.count; i++) {
        const struct header *f = &x->head.fields.list.items[i];
        struct str rest = f->value, pair = str_trim(str_split(&rest, ';')), value = pair;
        if (!str_eq_nocase(f->name, STR("set-cookie")))
            continue;
        struct str name = str_split(&value, '=');
        while (name.len && name.data[name.len - 1] == ' ')
            name.len--;
        if (value.data && str_eq_nocase(name, var->rest))
            return give(v, str_trim(value));
    }
    return true;
}

static bool get_target(struct script *s, const struct variable *var, struct value *v)
{
    return give(v, proxied_target_part(s->object, var->data != 0));
}

static bool get_forwarded(struct script *s, const struct variable *var, struct value *v)
{
    const struct request *r = s->object;
    struct str before = headers_joined(&r->headers, s->arena, STR("x-forwarded-for"));
    struct out o = out_growing(s->arena, VALUES_MAX);

    (void)var;
    if (before.data) {
        out_str(&o, before);
        OUT_LITERAL(&o, ", ");
    }
    peer_put_ip(&o, &r->peer);
    return give(v, out_str_of(&o));
}

#define VALUES(name_, put_) { .name = STR_INIT(name_), .get = get_values, .data = (uintptr_t)put_, \
                              .flags = VARIABLE_VOLATILE }
#define VALUE(name_, get_, data_) { .name = STR_INIT(name_), .get = get_, .data = data_,           \
                                    .flags = VARIABLE_VOLATILE }
#define PREFIX(name_, get_) { .name = STR_INIT(name_), .get = get_,                                \
                              .flags = VARIABLE_VOLATILE | VARIABLE_PREFIX }

const struct variable proxy_variables[] = {
    VALUES("upstream_addr", put_addr),
    VALUES("upstream_status", put_status),
    VALUES("upstream_queue_time", put_queue_time),
    VALUES("upstream_connect_time", put_connect_time),
    VALUES("upstream_header_time", put_header_time),
    VALUES("upstream_response_time", put_response_time),
    VALUES("upstream_response_length", put_length),
    VALUES("upstream_bytes_received", put_received),
    VALUES("upstream_bytes_sent", put_sent),
    VALUE("upstream_last_addr", get_last_addr, 0),
    VALUE("upstream_last_server_name", get_last_server, 0),
    VALUE("proxy_host", get_target, 0),
    VALUE("proxy_port", get_target, 1),
    VALUE("proxy_add_x_forwarded_for", get_forwarded, 0),
    PREFIX("upstream_http_", get_field),
    PREFIX("upstream_trailer_", get_trailer),
    PREFIX("upstream_cookie_", get_cookie),
    { .name = { NULL, 0 } },
};
