/*
 * geo: see geo.h.  The lines are read into a list of networks, which networks.c lays out for look-ups.
 */
#include "script/geo.h"

#include "script/config_variables.h"
#include "script/forwarded.h"
#include "script/networks.h"
#include "script/table.h"

struct geo {
    const struct variable *source;     /* NULL: the client's address */
    bool ranges;
    bool has_v6;                       /* some range is of IPv6 */
    struct networks networks;
    const struct value *values;        /* [0]: the default */
    struct forwarded proxies;
};

/* A line that gave a network. */
struct geo_line {
    const struct node *node;
    bool deletes;
};

/* A block being read. */
struct geo_load {
    struct setting line;
    struct geo *geo;
    struct arena scratch;
    struct table texts;                /* text of a value: its place in `values`, +1 */
    ARRAY(struct value) values;        /* in the generation's arena */
    ARRAY(struct network) list;
    ARRAY(struct geo_line) lines;
    ARRAY(struct cidr) proxies;        /* in the generation's arena */
    bool is_volatile, has_default;
};

/* ---- at run time ------------------------------------------------------------------------------ */

/* What stands for unix sockets and for texts that are no address, as in nginx. */
static const uint32_t no_address = UINT32_MAX;

/* A port may follow, as in $upstream_last_addr. */
static bool read_address(struct str s, struct address *a)
{
    ptrdiff_t colon = str_rindex(s, ':');
    unsigned port;

    return address_parse_ip(s, 0, a) ||
           (colon >= 0 && str_to_uint(str_from(s, (size_t)colon + 1), 65535, &port) &&
            address_parse_ip(str_first(s, (size_t)colon), 0, a));
}

/* AF_UNSPEC if there is no address. */
static struct peer geo_peer(const struct geo *g, struct script *s)
{
    const struct variables_hooks *hooks = variables_hooks(s->names);
    struct peer p = { .family = AF_UNSPEC };
    struct address a;
    struct str line;

    if (g->source) {
        if (read_address(value_str(variable_value(s, g->source)), &a))
            p = peer_of(&a);
    } else if (hooks->peer) {
        hooks->peer(s, &p);
    }
    for (unsigned i = 0; g->proxies.count && hooks->forwarded(s, i, &line); i++) {
        if (!forwarded_follow(&g->proxies, line, &p))
            break;
    }
    return p;
}

static bool geo_get(struct script *s, const struct variable *var, struct value *v)
{
    const struct geo *g = (const struct geo *)var->data;
    struct peer p = geo_peer(g, s);
    struct ip ip = ip_of_v4(no_address);

    if (p.family == AF_INET || p.family == AF_INET6) {
        struct ip real = ip_of(&p);

        if (!g->ranges || g->has_v6 || ip_is_v4(real))
            ip = real;
    }
    *v = g->values[networks_find(&g->networks, ip)];
    return true;
}

/* ---- lines ------------------------------------------------------------------------------------ */

static uint32_t geo_value(struct geo_load *l, struct str text)
{
    struct arena *a = setting_arena(&l->line);
    uint32_t hash = str_hash(text);
    struct table_entry *e = table_find(&l->texts, hash, text);

    if (e)
        return (uint32_t)(uintptr_t)e->value;
    text = arena_str(a, text);
    table_add(&l->texts, hash, text, (void *)(uintptr_t)l->values.count);
    *ARRAY_PUSH(&l->values, a) = (struct value){
        .data = text.data, .len = (uint32_t)text.len, .state = VALUE_FOUND,
    };
    return l->values.count - 1;
}

static void geo_push(struct geo_load *l, struct network n, bool deletes)
{
    n.order = l->list.count;
    *ARRAY_PUSH(&l->list, &l->scratch) = n;
    *ARRAY_PUSH(&l->lines, &l->scratch) = (struct geo_line){ l->line.node, deletes };
}

static bool geo_read_cidr(struct geo_load *l, unsigned word, struct cidr *c)
{
    struct str text = setting_arg(&l->line, word);
    bool stray = false;

    if (!cidr_parse(text, c, &stray) || (c->family != AF_INET && c->family != AF_INET6))
        return setting_error(&l->line, word, "invalid network \"%.*s\"", STR_ARG(text));
    if (stray)
        setting_warn(&l->line, word, "low address bits of %.*s are meaningless", STR_ARG(text));
    return true;
}

static bool geo_read_range(struct geo_load *l, unsigned word, struct network *n)
{
    struct str text = setting_arg(&l->line, word), last = text, first = str_split(&last, '-');
    struct address a, b;

    if (!last.data || !address_parse_ip(first, 0, &a) || !address_parse_ip(last, 0, &b))
        return setting_error(&l->line, word, "invalid range \"%.*s\"", STR_ARG(text));

    struct peer from = peer_of(&a), to = peer_of(&b);

    n->first = ip_of(&from);
    n->last = ip_of(&to);
    if (from.family != to.family || ip_less(n->last, n->first))
        return setting_error(&l->line, word, "invalid range \"%.*s\"", STR_ARG(text));
    if (!ip_is_v4(n->last))
        l->geo->has_v6 = true;
    return true;
}

/* The network or range at `word`; `value` 0 takes away what is there. */
static bool geo_network(struct geo_load *l, unsigned word, uint32_t value)
{
    struct network n = { .value = value };
    struct cidr c;

    if (l->geo->ranges) {
        if (!geo_read_range(l, word, &n))
            return false;
    } else {
        if (!geo_read_cidr(l, word, &c))
            return false;
        network_of_cidr(&n, &c);
    }
    geo_push(l, n, value == 0);
    return true;
}

static bool line_ranges(struct geo_load *l)
{
    if (l->list.count > 1 || l->has_default)           /* the fence is there */
        return setting_error(&l->line, 0, "the \"ranges\" directive must be the first directive "
                                          "inside \"geo\" block");
    l->geo->ranges = true;
    l->list.count = l->lines.count = 0;                /* which ranges do without */
    return true;
}

static bool line_proxy_recursive(struct geo_load *l)
{
    l->geo->proxies.recursive = true;
    return true;
}

static bool line_volatile(struct geo_load *l)
{
    l->is_volatile = true;
    return true;
}

static bool line_proxy(struct geo_load *l)
{
    struct cidr c;

    if (!geo_read_cidr(l, 1, &c))
        return false;
    *ARRAY_PUSH(&l->proxies, setting_arena(&l->line)) = c;
    return true;
}

static bool line_delete(struct geo_load *l)
{
    return geo_network(l, 1, 0);
}

static bool line_default(struct geo_load *l)
{
    struct str text = arena_str(setting_arena(&l->line), setting_arg(&l->line, 1));
    struct value *v = &l->values.items[0];

    if (l->has_default)
        setting_warn(&l->line, 0, "duplicate default geo value: \"%.*s\", old value: \"%.*s\"",
                     STR_ARG(text), STR_ARG(value_str(v)));
    l->has_default = true;
    v->data = text.data;
    v->len = (uint32_t)text.len;
    return true;
}

static const struct geo_word {
    struct str name;
    unsigned words;
    bool proxies;                      /* only where requests have X-Forwarded-For */
    bool (*read)(struct geo_load *l);
} geo_words[] = {
    { STR_INIT("ranges"), 1, false, line_ranges },
    { STR_INIT("proxy_recursive"), 1, true, line_proxy_recursive },
    { STR_INIT("volatile"), 1, false, line_volatile },
    { STR_INIT("default"), 2, false, line_default },
    { STR_INIT("delete"), 2, false, line_delete },
    { STR_INIT("proxy"), 2, true, line_proxy },
};

static bool geo_line(struct geo_load *l)
{
    const struct node *n = l->line.node;
    bool forwarded = variables_hooks(config_variables(&l->line))->forwarded;

    if (n->block || n->count > 2)
        return setting_error(&l->line, 0, "invalid number of the geo parameters");
    for (unsigned i = 0; i < sizeof geo_words / sizeof geo_words[0]; i++) {
        const struct geo_word *w = &geo_words[i];

        if (w->words == n->count && str_eq(w->name, setting_arg(&l->line, 0)) &&
            (forwarded || !w->proxies))
            return w->read(l);
    }
    if (n->count != 2)
        return setting_error(&l->line, 0, "invalid number of the geo parameters");
    return geo_network(l, 0, geo_value(l, setting_arg(&l->line, 1)));
}

/* ---- putting the networks together ------------------------------------------------------------ */

static void geo_warn_duplicate(struct geo_load *l, const struct network *n, const struct network *old)
{
    struct setting place = l->line;

    place.node = l->lines.items[n->order].node;
    setting_warn(&place, 0, "duplicate %s \"%.*s\", value: \"%.*s\", old value: \"%.*s\"",
                 l->geo->ranges ? "range" : "network", STR_ARG(place.node->words[0].text),
                 STR_ARG(value_str(&l->values.items[n->value])),
                 STR_ARG(value_str(&l->values.items[old->value])));
}

/* What is left of list[from] to list[to - 1], lines for one same network: the last counts, and a
 * deletion takes it away.  In ranges a deletion stays, as a range without a value on top of others. */
static const struct network *geo_last_of(struct geo_load *l, unsigned from, unsigned to)
{
    const struct network *list = l->list.items, *current = NULL, *fence = NULL;
    struct setting place = l->line;

    for (unsigned i = from; i < to; i++) {
        const struct geo_line *line = &l->lines.items[list[i].order];

        place.node = line->node;
        if (!line->node)
            fence = &list[i];
        if (current && current->value != 0 && !line->deletes)
            geo_warn_duplicate(l, &list[i], current);
        if (line->deletes && !l->geo->ranges && (!current || current == fence))
            setting_warn(&place, 1, "no network \"%.*s\"", STR_ARG(setting_arg(&place, 1)));
        current = line->deletes && !l->geo->ranges ? fence : &list[i];
    }
    return current;
}

static void geo_resolve_duplicates(struct geo_load *l)
{
    struct network *list = l->list.items;
    unsigned kept = 0;

    for (unsigned i = 0, next; i < l->list.count; i = next) {
        const struct network *last;

        for (next = i + 1; next < l->list.count && ip_eq(list[next].first, list[i].first) &&
                           ip_eq(list[next].last, list[i].last);)
            next++;
        last = geo_last_of(l, i, next);
        if (last)
            list[kept++] = *last;
    }
    l->list.count = kept;
}

/* A range may lie inside another; ranges that cross are a mistake. */
static bool geo_check_ranges(struct geo_load *l)
{
    const struct network **open = ARENA_NEW_ARRAY(&l->scratch, const struct network *, l->list.count);
    struct setting place = l->line;
    unsigned depth = 0;
    bool good = true;

    for (unsigned i = 0; i < l->list.count; i++) {
        const struct network *n = &l->list.items[i];

        if (n->value == 0)
            continue;
        while (depth > 0 && ip_less(open[depth - 1]->last, n->first))
            depth--;
        if (depth > 0 && ip_less(open[depth - 1]->last, n->last)) {
            place.node = l->lines.items[n->order].node;
            good = setting_error(&place, 0, "range \"%.*s\" overlaps \"%.*s\"",
                                 STR_ARG(place.node->words[0].text),
                                 STR_ARG(l->lines.items[open[depth - 1]->order].node->words[0].text));
            continue;
        }
        open[depth++] = n;
    }
    return good;
}

/* Networks of IPv6 around ::ffff:0:0/96 do not hold for IPv4: this, the first line of all, has nothing
 * for it until a line of its own says otherwise. */
static void geo_fence_v4(struct geo_load *l)
{
    static const struct cidr all_v4 = { .family = AF_INET };
    struct network n = { .value = 0 };

    network_of_cidr(&n, &all_v4);
    *ARRAY_PUSH(&l->list, &l->scratch) = n;
    *ARRAY_PUSH(&l->lines, &l->scratch) = (struct geo_line){ .node = NULL };
}

static bool geo_read_lines(struct geo_load *l, const struct node *block)
{
    bool good = true;

    for (const struct node *n = block->children; n; n = n->next) {
        l->line.node = n;
        good &= geo_line(l);
    }
    return good;
}

/* What was read becomes what is looked up. */
static bool geo_finish(struct geo_load *l)
{
    struct geo *g = l->geo;
    bool good;

    networks_sort(l->list.items, l->list.count);
    geo_resolve_duplicates(l);
    good = !g->ranges || geo_check_ranges(l);
    networks_build(&g->networks, setting_arena(&l->line), l->list.items, l->list.count);
    g->values = l->values.items;
    g->proxies.trusted = l->proxies.items;
    g->proxies.count = l->proxies.count;
    return good;
}

static bool geo_block(struct setting *s, struct geo *g, bool *is_volatile)
{
    struct geo_load l = { .line = *s, .geo = g };
    bool good;

    arena_init(&l.scratch);
    table_init(&l.texts, &l.scratch, false);
    *ARRAY_PUSH(&l.values, setting_arena(s)) = (struct value){ .data = "", .state = VALUE_FOUND };
    geo_fence_v4(&l);
    good = geo_read_lines(&l, s->node);
    good = geo_finish(&l) && good;
    *is_volatile = l.is_volatile;
    arena_fini(&l.scratch);
    return good;
}

static bool geo_parse(struct setting *s, void *field)
{
    struct geo *g = ARENA_NEW(setting_arena(s), struct geo);
    struct variable var = { .get = geo_get, .data = (uintptr_t)g, .flags = VARIABLE_CHANGEABLE };
    unsigned last = s->node->count - 1;
    bool is_volatile = false;
    struct str source;

    (void)field;
    if (last == 2) {
        if (!config_variable_name(s, 1, &source))
            return false;
        g->source = config_variable(s, 1, source);
    }
    if (!config_variables(s))
        return setting_error(s, last, "variables can not be used here");

    bool good = geo_block(s, g, &is_volatile);

    if (is_volatile)
        var.flags |= VARIABLE_VOLATILE;
    return config_define_variable(s, last, &var) && good;
}

static const struct type type_geo = {
    .name = "networks",
    .expected = "a block of networks and values",
    .parse = geo_parse,
};

#define GEO_ROWS(where)                                                                            \
    {                                                                                              \
        { "geo", where, ARGS_RANGE(1, 2), &type_geo, .flags = REPEATS | FREE_BLOCK,                \
          .syntax = "[$address] $variable { network value; ... }",                                 \
          .help = "Defines a variable whose value depends on the client's address, or on the "     \
                  "address in another variable: the value of the smallest network around it.  "    \
                  "With \"ranges\" the lines are ranges (10.0.0.1-10.0.0.9) instead of networks." }, \
        { .name = NULL },                                                                          \
    }

static const struct directive http_rows[] = GEO_ROWS(IN_HTTP);
static const struct directive stream_rows[] = GEO_ROWS(IN_STREAM);

struct module http_geo_module = { .name = "ngx_http_geo_module", .directives = http_rows };
struct module stream_geo_module = { .name = "ngx_stream_geo_module", .directives = stream_rows };
