/*
 * proxy_rewrite: proxy_redirect and proxy_cookie_*: addresses and cookies in a peer's response, as
 * the client must see them.
 */
#ifndef HTTP_PROXY_PROXY_REWRITE_H
#define HTTP_PROXY_PROXY_REWRITE_H

#include "http/headers.h"
#include "script/pattern.h"
#include "script/template.h"

struct exchange;

enum rewrite_kind { REWRITE_OFF, REWRITE_DEFAULT, REWRITE_TEXT, REWRITE_PATTERN };

/* A line of one of these directives. */
struct rewrite {
    enum rewrite_kind kind;
    struct template from;              /* of REWRITE_TEXT */
    struct pattern *pattern;           /* of REWRITE_PATTERN */
    struct template to;
};

struct rewrites {
    ARRAY(struct rewrite) items;
};

struct cookie_flags {
    enum rewrite_kind kind;
    struct template cookie;            /* its name */
    struct pattern *pattern;
    ARRAY(struct template) flags;
};

struct cookie_flags_list {
    ARRAY(struct cookie_flags) items;
};

/* struct rewrites */
extern const struct type type_proxy_redirect, type_proxy_cookie_domain, type_proxy_cookie_path;
extern const struct type type_proxy_cookie_flags;                  /* struct cookie_flags_list */

/* A field's value as the client is to see it; data NULL: it stands elsewhere in the response. */
struct str proxy_rewrite_field(struct exchange *x, const struct header *f);

#endif
