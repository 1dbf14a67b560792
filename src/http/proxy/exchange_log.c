/*
 * exchange_log: see exchange_log.h.
 */
#include "http/proxy/exchange_log.h"

static const char *doing(const struct exchange *x)
{
    bool connected = x->link && (x->link->connected || x->link->reused);

    switch (x->state) {
    case EXCHANGE_REQUEST:
    case EXCHANGE_RESOLVE:
    case EXCHANGE_QUEUE:
    case EXCHANGE_CONNECT:
        return "connecting to upstream";
    case EXCHANGE_SEND:
        return connected ? "sending request to upstream" : "connecting to upstream";
    case EXCHANGE_HEAD:
        return x->request_sent || x->deaf ? "reading response header from upstream"
                                          : "sending request to upstream";
    case EXCHANGE_TUNNEL:
        return "proxying upgraded connection";
    case EXCHANGE_BODY:
    case EXCHANGE_ENDED:
        break;
    }
    return "reading upstream";
}

void exchange_put_doing(const struct exchange *x, struct out *o)
{
    if (x->logs)
        out_printf(o, " while %s", doing(x));
}

void exchange_put_upstream(struct exchange *x, struct out *o)
{
    if (x->attempts->list.count == 0 || !x->attempted)
        return;
    out_printf(o, ", upstream: \"%s://%.*s", x->wire->name, STR_ARG(exchange_attempt(x)->peer));
    if (x->wire->put_uri)
        x->wire->put_uri(x, o);
    out_char(o, '"');
}

void exchange_log(struct exchange *x, enum log_level level, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    x->logs = true;
    request_vlog(x->request, level, error, format, args);
    x->logs = false;
    va_end(args);
}
