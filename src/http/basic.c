/*
 * basic: see basic.h.
 */
#include "http/basic.h"

#include "base/digest/base64.h"

bool basic_credentials(struct request *r, struct str *user, struct str *password)
{
    bool proxy = r->method == METHOD_CONNECT;  /* RFC 9110 section 11.7.2 */
    struct str field = proxy ? headers_joined(&r->headers, &r->arena, STR("proxy-authorization"))
                             : headers_value(&r->headers, HEADER_AUTHORIZATION);
    struct out o = out_growing(&r->arena, 8192);

    if (!field.data || !str_starts_nocase(field, STR("Basic ")))
        return false;
    if (!base64_decode(&o, str_trim(str_from(field, 6))) || o.overflow)
        return false;
    struct str rest = out_str_of(&o), name = str_split(&rest, ':');
    if (!rest.data || name.len == 0)
        return false;
    *user = arena_str(&r->arena, name);
    *password = arena_str(&r->arena, rest);
    return true;
}
