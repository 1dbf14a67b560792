/*
 * secure_link: see secure_link.h.  There are two ways: a hash that comes with the request, compared
 * with one made from an expression; and, older, /prefix/hash/link.
 */
#include "http/modules/secure_link.h"

#include "base/digest/base64.h"
#include "base/digest/hex.h"
#include "base/digest/md5.h"
#include "config/types.h"
#include "http/http.h"
#include "http/request.h"
#include "script/template.h"

struct secure_link_conf {
    struct template link;              /* "hash" or "hash,time" */
    struct template text;              /* what the hash must be of */
    struct str secret;                 /* of the older way */
};

/* ---- the directives ---- */

static const struct directive rows[] = {
    { "secure_link", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS(1), &type_template,
      FIELD(struct secure_link_conf, link), .syntax = "expression",
      .help = "Where a request has its hash (MD5, in base64 for URLs), and behind a comma the time "
              "until which it holds." },
    { "secure_link_md5", IN_HTTP | IN_SERVER | IN_LOCATION, ARGS(1), &type_template,
      FIELD(struct secure_link_conf, text), .syntax = "expression",
      .help = "What the hash is made of; there should be a secret in it." },
    { "secure_link_secret", IN_LOCATION, ARGS(1), &type_str,
      FIELD(struct secure_link_conf, secret), .syntax = "word",
      .help = "The older way: /prefix/hash/link, where the hash (MD5, in hexadecimal) is of the link "
              "with this word behind it." },
    { 0 },
};

/* One of the two ways counts in a block: the one that its own lines take. */
static bool settle(struct setting *s, void *conf)
{
    struct secure_link_conf *c = conf;
    const struct node *lines = s->block->node ? s->block->node->children : NULL;
    const struct node *secret = tree_find(lines, STR("secure_link_secret"));

    if (secret && (tree_find(lines, STR("secure_link")) || tree_find(lines, STR("secure_link_md5")))) {
        s->node = secret;
        return setting_error(s, 0, "\"secure_link_secret\" cannot be mixed with \"secure_link\" and "
                             "\"secure_link_md5\"");
    }
    if (secret)
        c->link = c->text = (struct template){ 0 };
    else if (!template_is_empty(&c->link) || !template_is_empty(&c->text))
        c->secret = STR("");
    return true;
}

/* ---- a request ---- */

static const struct secure_link_conf *conf_of(const struct script *s)
{
    const struct request *r = s->object;

    return CONF(r->conf, http_secure_link_module);
}

/* Takes as long wherever they differ. */
static bool same(const unsigned char *a, const char *b)
{
    unsigned difference = 0;

    for (unsigned i = 0; i < MD5_SIZE; i++)
        difference |= a[i] ^ (unsigned char)b[i];
    return difference == 0;
}

/* Whether `sent`, decoded by `decode`, is the hash. */
static bool is_hash(struct str sent, bool (*decode)(struct out *o, struct str text),
                    const unsigned char *hash)
{
    char space[MD5_SIZE + 8];
    struct out o = out_fixed(space, sizeof space);

    return decode(&o, sent) && !o.overflow && out_len(&o) == MD5_SIZE && same(hash, space);
}

/* The link's value, cut into hash and time (data NULL: none).  false: a time that is none. */
static bool read_link(struct script *s, struct str *hash, struct str *time, uint64_t *seconds)
{
    struct str rest = template_value(&conf_of(s)->link, s);

    *hash = str_split(&rest, ',');
    *time = rest;
    *seconds = 0;
    return !rest.data || (str_to_u64(rest, seconds) && *seconds > 0);
}

static bool get_by_text(struct script *s, const struct secure_link_conf *c, struct value *v)
{
    unsigned char hash[MD5_SIZE];
    struct str sent, time;
    uint64_t seconds;

    if (template_is_empty(&c->link) || template_is_empty(&c->text) ||
        !read_link(s, &sent, &time, &seconds))
        return true;
    md5(template_value(&c->text, s), hash);
    if (is_hash(sent, base64_decode_url, hash))
        value_give(v, seconds && seconds < (uint64_t)clock_seconds() ? STR("0") : STR("1"));
    return !s->failed;
}

/* /prefix/hash/link, as it was sent. */
static bool get_by_secret(struct script *s, const struct secure_link_conf *c, struct value *v)
{
    const struct request *r = s->object;
    struct str link = r->unparsed_uri;
    unsigned char hash[MD5_SIZE];
    struct md5 h;

    str_split(&link, '/');
    if (link.data)
        str_split(&link, '/');
    struct str sent = link.data ? str_split(&link, '/') : link;
    if (!link.data || link.len == 0)
        return true;
    md5_init(&h);
    md5_update(&h, link);
    md5_update(&h, c->secret);
    md5_final(&h, hash);
    if (is_hash(sent, hex_decode, hash))
        value_give(v, link);
    return true;
}

static bool get_secure_link(struct script *s, const struct variable *var, struct value *v)
{
    const struct secure_link_conf *c = conf_of(s);

    (void)var;
    return c->secret.len ? get_by_secret(s, c, v) : get_by_text(s, c, v);
}

static bool get_expires(struct script *s, const struct variable *var, struct value *v)
{
    struct str hash, time;
    uint64_t seconds;

    (void)var;
    if (!template_is_empty(&conf_of(s)->link) && read_link(s, &hash, &time, &seconds))
        value_give(v, time);
    return !s->failed;
}

static const struct variable variables[] = {
    { .name = STR_INIT("secure_link"), .get = get_secure_link },
    { .name = STR_INIT("secure_link_expires"), .get = get_expires },
    { .name = { NULL, 0 } },
};

static const struct http_module extra = { .variables = variables };


struct module http_secure_link_module = {
    .name = "ngx_http_secure_link_module",
    .directives = rows,
    .conf_size = sizeof(struct secure_link_conf),
    .finish = settle,
    .extra = &extra,
};
