/*
 * response: see response.h.
 */
#include "http/response.h"

#include "http/core.h"
#include "http/escape.h"
#include "http/http.h"
#include "http/trace.h"

void response_init(struct response *res)
{
    *res = (struct response){ .length = -1, .last_modified = -1 };
}

/* A copy with spaces in the place of CR, LF and NUL (RFC 9110 section 5.5). */
static struct str one_line(struct request *r, struct str value)
{
    struct out o = out_growing(&r->arena, TEMPLATE_MAX);

    for (size_t i = 0; i < value.len; i++) {
        char c = value.data[i];
        out_char(&o, c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
    }
    return str_trim(out_str_of(&o));
}

struct header *response_header(struct request *r, struct str name, struct str value)
{
    static struct header dropped;

    if (!template_safe(name)) {
        request_log(r, LOG_LEVEL_ERROR, 0, "a response field has a line break in its name");
        return &dropped;
    }
    return headers_add(&r->response.headers, &r->arena, name,
                       template_safe(value) ? value : one_line(r, value));
}

void response_unprepare(struct request *r)
{
    r->response.prepared = (struct str){ NULL, 0 };
}

void response_forget_length(struct request *r)
{
    response_unprepare(r);
    r->response.length = -1;
    r->response.allow_ranges = false;
}

time_t response_modified(const struct request *r)
{
    const struct response *res = &r->response;

    return res->modified_text.len ? clock_parse_http_date(res->modified_text) : res->last_modified;
}

struct str response_modified_text(const struct response *res, char space[HTTP_DATE_LEN])
{
    struct out o = out_fixed(space, HTTP_DATE_LEN);

    if (res->modified_text.len)
        return res->modified_text;
    if (res->last_modified >= 0)
        clock_put_http_date(&o, res->last_modified);
    return out_str_of(&o);
}

void response_weaken_etag(struct request *r)
{
    struct str *etag = &r->response.etag;

    response_unprepare(r);
    if (etag->len && !str_starts(*etag, STR("W/")))
        *etag = arena_concat(&r->arena, STR("W/"), *etag);
}

void response_forget_validators(struct request *r)
{
    response_unprepare(r);
    r->response.last_modified = -1;
    r->response.modified_text = (struct str){ NULL, 0 };
    r->response.etag = (struct str){ NULL, 0 };
}

void response_body_changes(struct request *r, bool keep_last_modified)
{
    response_forget_length(r);
    if (keep_last_modified)
        response_weaken_etag(r);
    else
        response_forget_validators(r);
}

int response_text(struct request *r, unsigned status, struct str type, struct str text)
{
    struct response *res = &r->response;

    res->status = status;
    res->content_type = type;
    res->length = (int64_t)text.len;
    res->body = text.len ? source_memory(r, text) : NULL;
    return STEP_RESPOND;
}

/* What an earlier attempt at a response left behind. */
static void response_clear(struct request *r)
{
    struct response *res = &r->response;
    struct headers headers = res->headers;

    source_close(res->body);
    response_init(res);
    res->headers = headers;
}

/* "http://host:port", as the directives say, before a path. */
static void put_origin(struct out *o, const struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    const struct connection *connection = &r->client->connection;
    bool secure = connection->transport != &transport_plain;
    struct str host = conf->server_name_in_redirect ? r->server->name : r->host;
    struct address local;
    bool have = (conf->port_in_redirect || !host.len) &&
                address_local(connection->watch.fd, &local);
    unsigned port = have && conf->port_in_redirect ? address_port(&local) : 0;

    out_str(o, secure ? STR("https://") : STR("http://"));
    if (host.len)
        out_str(o, host);
    else if (have)
        address_put_host(o, &local, true);
    if (port && port != (secure ? 443 : 80)) {
        out_char(o, ':');
        out_uint(o, port);
    }
}

void response_put_location(struct out *o, const struct request *r)
{
    struct str location = r->response.location;

    if (location.data[0] == '/' && core_conf(r->conf)->absolute_redirect)
        put_origin(o, r);
    out_str(o, location);
}

struct str response_server(struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);
    const size_t name = sizeof "Server: " - 1;

    if (conf->server_line.len)
        return str_first(str_from(conf->server_line, name),
                         conf->server_line.len - name - (sizeof "\r\n" - 1));
    if (template_is_text(&conf->server_tokens.text))
        return STR("");
    struct str value = template_value(&conf->server_tokens.text, request_script(r));
    return template_safe(value) ? value : STR("");
}

/* The line at the foot of a built-in page, which names the server as server_tokens allows. */
static void put_foot(struct request *r, struct out *o)
{
    struct str name = response_server(r);

    if (name.len) {
        OUT_LITERAL(o, "<hr><center>");
        escape_html(o, name);
        OUT_LITERAL(o, "</center>\r\n");
    }
}

/* The built-in page of a status; a status that has none gets an empty response. */
static int built_in_page(struct request *r, unsigned status)
{
    struct str title = status_title(status), heading = status_title(status_on_wire(status));
    struct out o = out_growing(&r->arena, 65536);

    r->error_status = 0;
    if (title.len == 0) {
        r->response.status = status;
        r->response.length = 0;
        return STEP_RESPOND;
    }
    out_need(&o, 512);                         /* most of them at one go */
    OUT_LITERAL(&o, "<html>\r\n<head><title>");
    out_str(&o, title);
    OUT_LITERAL(&o, "</title></head>\r\n<body>\r\n<center><h1>");
    out_str(&o, heading);
    OUT_LITERAL(&o, "</h1></center>\r\n");
    if (status != status_on_wire(status))      /* the heading says 400; this says why */
        out_printf(&o, "<center>%.*s</center>\r\n", STR_ARG(str_from(title, sizeof "400 " - 1)));
    put_foot(r, &o);
    OUT_LITERAL(&o, "</body>\r\n</html>\r\n");
    return response_text(r, status_on_wire(status), STR("text/html"), out_str_of(&o));
}

/* Statuses after which the bytes that follow on the connection can't be trusted. */
static bool ends_connection(unsigned status)
{
    switch (status) {
    case STATUS_BAD_REQUEST:
    case STATUS_CONTENT_TOO_LARGE:
    case STATUS_URI_TOO_LONG:
    case STATUS_INTERNAL_SERVER_ERROR:
    case STATUS_NOT_IMPLEMENTED:
    case STATUS_HEADER_TOO_LARGE:
    case STATUS_CERTIFICATE_ERROR:
    case STATUS_CERTIFICATE_REQUIRED:
    case STATUS_TO_HTTPS:
        return true;
    default:
        return false;
    }
}

/* Goes to the page that error_page names. */
static int error_page(struct request *r, const struct error_page *page, unsigned status)
{
    struct str uri = template_value(&page->uri, request_script(r));

    r->error_status = page->response < 0 ? status
                      : page->response ? (unsigned)page->response : 0;
    r->flags.error_page = true;
    if (uri.len && uri.data[0] == '@')
        return request_redirect_named(r, uri);
    if (uri.len && uri.data[0] == '/') {
        ptrdiff_t query = str_index(uri, '?');
        struct str args = query < 0 ? STR("") : str_from(uri, (size_t)query + 1);
        if (query >= 0)
            uri = str_first(uri, (size_t)query);
        if (r->method != METHOD_HEAD) {
            r->method = METHOD_GET;
            r->method_name = STR("GET");
        }
        return request_redirect(r, uri, args);
    }
    if (uri.len == 0) {
        request_log(r, LOG_LEVEL_ERROR, 0, "the address of the error_page for %u is empty", status);
        return built_in_page(r, status);
    }
    unsigned redirect = r->error_status;
    if (redirect != STATUS_MOVED_PERMANENTLY && redirect != STATUS_SEE_OTHER &&
        redirect != STATUS_TEMPORARY_REDIRECT && redirect != STATUS_PERMANENT_REDIRECT)
        redirect = STATUS_FOUND;
    r->error_status = 0;
    return response_redirect(r, redirect, uri);
}

static const struct error_page *find_error_page(const struct request *r, unsigned status)
{
    const struct core_conf *conf = core_conf(r->conf);

    if (r->flags.redirect_cycle || (r->flags.error_page && !conf->recursive_error_pages))
        return NULL;
    for (unsigned i = 0; i < conf->error_pages.count; i++) {
        if (conf->error_pages.items[i].status == status)
            return &conf->error_pages.items[i];
    }
    return NULL;
}

int response_status(struct request *r, unsigned status)
{
    if (status == STATUS_UNAUTHORIZED && r->method == METHOD_CONNECT)
        status = STATUS_PROXY_AUTHENTICATION_REQUIRED;
    if (r->trace)
        r->trace->status(r, status);
    response_clear(r);
    if (ends_connection(status))
        r->flags.keepalive = false;
    if (status == STATUS_CLOSE || status == STATUS_CLIENT_CLOSED ||
        status == STATUS_REQUEST_TIMEOUT) {
        r->response.status = status;
        return STEP_ABORT;
    }
    const struct error_page *page = find_error_page(r, status);
    if (page)
        return error_page(r, page, status);
    return built_in_page(r, status);
}

int response_redirect(struct request *r, unsigned status, struct str location)
{
    struct response *res = &r->response;

    response_clear(r);
    if (!template_safe(location)) {
        request_log(r, LOG_LEVEL_ERROR, 0, "the address of a redirect has a line break in it");
        return STATUS_INTERNAL_SERVER_ERROR;
    }
    const struct error_page *page = find_error_page(r, status);
    res->location = location;                  /* a page in its place keeps the address */
    return page ? error_page(r, page, status) : built_in_page(r, status);
}
