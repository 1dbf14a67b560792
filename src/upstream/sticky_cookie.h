/*
 * sticky_cookie: the cookie that tells which peer a client is bound to: "sticky cookie name ...".
 */
#ifndef UPSTREAM_STICKY_COOKIE_H
#define UPSTREAM_STICKY_COOKIE_H

#include "script/template.h"

struct sticky_cookie {
    struct str name;
    int64_t expires;                   /* seconds; 0: with the browser's session; STICKY_COOKIE_MAX */
    struct template domain;
    struct template samesite;
    struct str path;
    bool httponly, secure;
};

/* From word 2 on: name and parameters.  false after setting_error(). */
bool sticky_cookie_parse(struct setting *s, struct sticky_cookie *c);
/* What a Set-Cookie field (RFC 6265 section 4.1) says of a peer, in the script's arena. */
struct str sticky_cookie_value(const struct sticky_cookie *c, struct str peer, struct script *script);

#endif
