/*
 * test_http_files: what is pure in serving files: ranges, entity tags, mapping of paths, the lists of
 * folders, the cache's bounds, symbolic links.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "config/error_log.h"
#include "http/core.h"
#include "http/escape.h"
#include "http/files.h"
#include "http/files_cache.h"
#include "http/files_open.h"
#include "http/location.h"
#include "http/modules/autoindex_page.h"
#include "http/modules/not_modified.h"
#include "http/modules/range.h"
#include "http/request.h"
#include "http/response.h"

/* ---- a request without a client ---- */

static struct core_conf core;
static struct error_log_conf error_log;
static struct log_target quiet_target;
static void *conf[2];
static struct client client;
static struct http_server server;
static struct location location;
static struct request *last;

/* Gives up the last one. */
static int forget(void **state)
{
    (void)state;
    if (last)
        arena_fini(&last->arena);
    free(last);
    last = NULL;
    return 0;
}

static struct request *fake(enum method method, const char *uri)
{
    forget(NULL);
    struct request *r = last = calloc(1, sizeof *r);
    arena_init(&r->arena);
    response_init(&r->response);
    memset(&core, 0, sizeof core);
    memset(&location, 0, sizeof location);
    core.max_ranges = UINT_MAX;
    core.if_modified_since = IMS_EXACT;
    conf[0] = &core;
    conf[1] = &error_log;
    error_log.log = (struct log){ &quiet_target, 0, LOG_LEVEL_STDERR };
    http_core_module.index = 0;
    error_log_module.index = 1;
    location.conf = conf;
    r->conf = conf;
    r->location = &location;
    r->client = &client;
    r->server = &server;
    r->main = r;
    r->method = method;
    r->version = VERSION_11;
    r->uri = str_of(uri);
    return r;
}

static void put_header(struct request *r, const char *name, const char *value)
{
    headers_add(&r->headers, &r->arena, str_of(name), str_of(value));
}

/* ---- ranges ---- */

static void test_range_parse(void **state)
{
    static const struct {
        const char *value;
        int64_t length;
        unsigned max;
        enum range_result result;
        const char *ranges;
    } cases[] = {
        { "bytes=0-4", 10, 9, RANGE_OK, "0-5 " },
        { "bytes=5-", 10, 9, RANGE_OK, "5-10 " },
        { "BYTES=5-", 10, 9, RANGE_OK, "5-10 " },
        { "bytes=-3", 10, 9, RANGE_OK, "7-10 " },
        { "bytes=-30", 10, 9, RANGE_OK, "0-10 " },
        { "bytes=0-999999", 10, 9, RANGE_OK, "0-10 " },
        { "bytes= 1 - 2 , 4 - 5", 10, 9, RANGE_OK, "1-3 4-6 " },
        { "bytes=8-9,0-1", 10, 9, RANGE_OK, "8-10 0-2 " },
        { "bytes=0-1,20-30", 10, 9, RANGE_OK, "0-2 " },
        { "bytes=20-30", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=10-", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=-0", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=5-4", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=x", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=1", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=1-2x", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=,", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=1-2,", 10, 9, RANGE_OK, "1-3 " },
        { "bytes=,1-2, ,4-5", 10, 9, RANGE_OK, "1-3 4-6 " },
        { "bytes=--1", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=-", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=9223372036854775808-", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "bytes=99999999999999999999-", 10, 9, RANGE_UNSATISFIABLE, "" },
        { "items=0-4", 10, 9, RANGE_IGNORED, "" },
        { "bytes", 10, 9, RANGE_IGNORED, "" },
        { "bytes=0-5,5-9,3-4", 10, 9, RANGE_IGNORED, "" },
        { "bytes=0-0,2-2,4-4", 10, 2, RANGE_IGNORED, "" },
        { "bytes=0-", 0, 9, RANGE_IGNORED, "" },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena a;
        struct ranges ranges;
        char text[256];
        struct out o = out_fixed(text, sizeof text);

        arena_init(&a);
        assert_int_equal(range_parse(str_of(cases[i].value), cases[i].length, cases[i].max, &a, &ranges),
                         cases[i].result);
        for (unsigned k = 0; cases[i].result == RANGE_OK && k < ranges.list.count; k++)
            out_printf(&o, "%d-%d ", (int)ranges.list.items[k].first, (int)ranges.list.items[k].end);
        out_char(&o, '\0');
        assert_string_equal(text, cases[i].ranges);
        arena_fini(&a);
    }
}

/* A source that can't seek and gives three bytes at a time, with pauses. */
struct drip {
    struct source source;
    struct str left;
    unsigned turn;
};

static enum pull drip_pull(struct source *s, struct batch *out, size_t budget)
{
    struct drip *d = (struct drip *)s;
    size_t n = d->left.len < 3 ? d->left.len : 3;

    if (d->turn++ % 3 == 2)
        return PULL_WAIT;
    if (n > budget)
        n = budget;
    batch_memory(out, d->left.data, n);
    d->left = str_from(d->left, n);
    return d->left.len ? PULL_DATA : PULL_LAST;
}

static const struct source_ops drip_ops = { .name = "drip", .pull = drip_pull };

/* All of the body, pulled with a budget; "!" at its end for an error. */
static struct str drain(struct request *r, size_t budget)
{
    struct out o = out_growing(&r->arena, 1 << 20);

    for (unsigned turns = 0; turns < 10000; turns++) {
        struct batch b;
        batch_reset(&b);
        enum pull result = source_pull(r->response.body, &b, budget);
        assert_true(b.bytes <= budget);
        for (unsigned i = 0; i < b.count; i++)
            out_bytes(&o, b.spans[i].data, b.spans[i].len);
        if (result == PULL_ERROR)
            out_char(&o, '!');
        if (result == PULL_LAST || result == PULL_ERROR)
            return out_str_of(&o);
    }
    fail();
    return STR("");
}

static struct request *ranged(const char *range, const char *if_range, bool seek)
{
    struct request *r = fake(METHOD_GET, "/x");
    struct str text = STR("0123456789");

    r->response.status = 200;
    r->response.length = (int64_t)text.len;
    r->response.allow_ranges = true;
    r->response.content_type = STR("text/plain");
    r->response.etag = STR("\"tag\"");
    r->response.last_modified = 784111777;
    if (seek)
        r->response.body = source_memory(r, text);
    else {
        struct drip *d = ARENA_NEW(&r->arena, struct drip);
        *d = (struct drip){ .source = { &drip_ops, r }, .left = text };
        r->response.body = &d->source;
    }
    put_header(r, "Range", range);
    if (if_range)
        put_header(r, "If-Range", if_range);
    return r;
}

static void test_range_single(void **state)
{
    (void)state;
    for (unsigned seek = 0; seek < 2; seek++) {
        for (size_t budget = 1; budget < 12; budget++) {
            struct request *r = ranged("bytes=4-7", NULL, seek);
            assert_int_equal(range_filter.apply(r), 0);
            assert_int_equal(r->response.status, 206);
            assert_int_equal(r->response.length, 4);
            assert_true(str_eq(r->response.headers.list.items[0].value, STR("bytes 4-7/10")));
            assert_true(str_eq(drain(r, budget), STR("4567")));
        }
    }
}

/* The boundary is cut out of a multipart body. */
static void check_multipart(struct request *r, size_t budget, const char *expected)
{
    char text[1024];
    struct out o = out_fixed(text, sizeof text);
    struct str type = r->response.content_type, body = drain(r, budget);
    struct str boundary = str_from(type, sizeof "multipart/byteranges; boundary=" - 1);

    assert_int_equal(boundary.len, 20);
    assert_int_equal(body.len, r->response.length);
    for (ptrdiff_t at; (at = str_find(body, boundary)) >= 0;) {
        out_bytes(&o, body.data, (size_t)at);
        out_char(&o, 'B');
        body = str_from(body, (size_t)at + boundary.len);
    }
    out_str(&o, body);
    out_char(&o, '\0');
    assert_string_equal(text, expected);
}

static void test_range_multipart(void **state)
{
    static const char two[] =
        "\r\n--B\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Range: bytes 1-2/10\r\n\r\n12"
        "\r\n--B\r\nContent-Type: text/plain; charset=koi8-r\r\nContent-Range: bytes 7-9/10\r\n\r\n789"
        "\r\n--B--\r\n";
    static const char back[] =
        "\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-9/10\r\n\r\n789"
        "\r\n--B\r\nContent-Type: text/plain\r\nContent-Range: bytes 1-2/10\r\n\r\n12"
        "\r\n--B--\r\n";
    (void)state;

    for (unsigned seek = 0; seek < 2; seek++) {
        for (size_t budget = 1; budget < 200; budget += 7) {
            struct request *r = ranged("bytes=1-2,-3", NULL, seek);
            r->response.charset = STR("koi8-r");
            assert_int_equal(range_filter.apply(r), 0);
            assert_int_equal(r->response.status, 206);
            assert_int_equal(r->response.charset.len, 0);
            check_multipart(r, budget, two);
        }
    }

    struct request *r = ranged("bytes=-3,1-2", NULL, true);
    assert_int_equal(range_filter.apply(r), 0);
    check_multipart(r, 50, back);

    /* What can't go back gives the whole. */
    r = ranged("bytes=-3,1-2", NULL, false);
    assert_int_equal(range_filter.apply(r), 0);
    assert_int_equal(r->response.status, 200);
}

static void test_range_conditions(void **state)
{
    static const struct {
        const char *if_range;
        unsigned status;
    } cases[] = {
        { "\"tag\"", 206 }, { "\"other\"", 200 }, { "W/\"tag\"", 200 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 206 }, { "Sun, 06 Nov 1994 08:49:38 GMT", 200 },
        { "nonsense", 200 }, { "", 200 },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request *r = ranged("bytes=1-2", cases[i].if_range, true);
        assert_int_equal(range_filter.apply(r), 0);
        assert_int_equal(r->response.status, cases[i].status);
    }

    struct request *r = ranged("bytes=10-", NULL, true);
    headers_add(&r->response.headers, &r->arena, STR("Content-Range"), STR("stub"));
    assert_int_equal(range_filter.apply(r), 416);
    assert_true(r->response.headers.list.items[0].hidden);
    assert_true(str_eq(r->response.headers.list.items[1].value, STR("bytes */10")));

    r = ranged("bytes=1-2", NULL, true);
    core.max_ranges = 0;
    r->response.prepared = STR("x");
    assert_int_equal(range_filter.apply(r), 0);
    assert_int_equal(r->response.status, 200);
    assert_false(r->response.allow_ranges);
    assert_int_equal(r->response.prepared.len, 0);

    r = ranged("bytes=1-2", NULL, true);
    r->response.etag = STR("W/\"tag\"");
    put_header(r, "If-Range", "W/\"tag\"");
    assert_int_equal(range_filter.apply(r), 0);
    assert_int_equal(r->response.status, 200);

    /* A body that ends too soon is never padded. */
    r = ranged("bytes=4-7", NULL, false);
    ((struct drip *)r->response.body)->left.len = 6;
    assert_int_equal(range_filter.apply(r), 0);
    assert_true(str_eq(drain(r, 100), STR("45!")));
}

/* ---- conditions ---- */

static void test_etags(void **state)
{
    (void)state;
    assert_true(etag_list_matches(STR("\"a\""), STR("\"a\""), false));
    assert_true(etag_list_matches(STR(" * "), STR(""), false));
    assert_true(etag_list_matches(STR("\"b\" , W/\"c\",\"a\""), STR("\"a\""), false));
    assert_true(etag_list_matches(STR("W/\"a\""), STR("\"a\""), true));
    assert_true(etag_list_matches(STR("\"a\""), STR("W/\"a\""), true));
    assert_true(etag_list_matches(STR("\"x,y\",\"a\""), STR("\"a\""), true));
    assert_false(etag_list_matches(STR("W/\"a\""), STR("\"a\""), false));
    assert_false(etag_list_matches(STR("W/\"a\""), STR("W/\"a\""), false));
    assert_false(etag_list_matches(STR("\"ab\""), STR("\"a\""), true));
    assert_false(etag_list_matches(STR("a"), STR("\"a\""), true));
    assert_false(etag_list_matches(STR("\"a"), STR("\"a\""), true));
    assert_false(etag_list_matches(STR(""), STR("\"a\""), true));
    assert_false(etag_list_matches(STR("\"a\""), STR(""), true));
}

static void test_not_modified(void **state)
{
    static const char now[] = "Sun, 06 Nov 1994 08:49:37 GMT";       /* that of the response */
    static const char before[] = "Sun, 06 Nov 1994 08:49:36 GMT";
    static const char after[] = "Sun, 06 Nov 1994 08:49:38 GMT";
    const struct {
        const char *name[2], *value[2];
        enum if_modified_since mode;
        int expected;
    } cases[] = {
        { { "If-Modified-Since" }, { now }, IMS_EXACT, 304 },
        { { "If-Modified-Since" }, { after }, IMS_EXACT, 200 },
        { { "If-Modified-Since" }, { after }, IMS_BEFORE, 304 },
        { { "If-Modified-Since" }, { before }, IMS_BEFORE, 200 },
        { { "If-Modified-Since" }, { now }, IMS_OFF, 200 },
        { { "If-Modified-Since" }, { "nonsense" }, IMS_BEFORE, 200 },
        { { "If-None-Match" }, { "\"tag\"" }, IMS_EXACT, 304 },
        { { "If-None-Match" }, { "\"x\", W/\"tag\"" }, IMS_EXACT, 304 },
        { { "If-None-Match" }, { "*" }, IMS_EXACT, 304 },
        { { "If-None-Match" }, { "\"x\"" }, IMS_EXACT, 200 },
        { { "If-None-Match", "If-None-Match" }, { "\"x\"", "\"tag\"" }, IMS_EXACT, 304 },
        /* If-None-Match alone counts where both are there */
        { { "If-None-Match", "If-Modified-Since" }, { "\"x\"", now }, IMS_EXACT, 200 },
        { { "If-None-Match", "If-Modified-Since" }, { "\"tag\"", before }, IMS_EXACT, 304 },
        { { "If-Match" }, { "\"tag\"" }, IMS_EXACT, 200 },
        { { "If-Match" }, { "*" }, IMS_EXACT, 200 },
        { { "If-Match" }, { "W/\"tag\"" }, IMS_EXACT, 412 },
        { { "If-Match" }, { "\"x\"" }, IMS_EXACT, 412 },
        { { "If-Unmodified-Since" }, { now }, IMS_EXACT, 200 },
        { { "If-Unmodified-Since" }, { before }, IMS_EXACT, 412 },
        { { "If-Unmodified-Since" }, { "nonsense" }, IMS_EXACT, 200 },
        { { "If-Match", "If-Unmodified-Since" }, { "\"tag\"", before }, IMS_EXACT, 200 },
        { { "If-Match", "If-None-Match" }, { "\"tag\"", "\"tag\"" }, IMS_EXACT, 304 },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct request *r = fake(METHOD_GET, "/x");
        core.if_modified_since = cases[i].mode;
        r->response.status = 200;
        r->response.length = 3;
        r->response.etag = STR("\"tag\"");
        r->response.last_modified = 784111777;
        r->response.body = source_memory(r, STR("abc"));
        for (unsigned k = 0; k < 2 && cases[i].name[k]; k++)
            put_header(r, cases[i].name[k], cases[i].value[k]);
        int status = not_modified_filter.apply(r);
        if (status == 0)
            status = (int)r->response.status;
        if (status != cases[i].expected)
            fail_msg("case %u: %d", i, status);
        if (status == 304)
            assert_null(r->response.body);
    }
}

/* ---- paths ---- */

static const char *mapped(const char *uri, enum location_kind kind, const char *name, const char *alias)
{
    static char text[256];
    struct request *r = fake(METHOD_GET, uri);
    size_t root_len = 0;

    location.kind = kind;
    location.name = str_of(name);
    core.root.text = STR("/srv/www");
    core.is_alias = alias != NULL;
    if (alias)
        core.alias.text = str_of(alias);
    struct str path = files_map_uri(r, 10, &root_len);
    if (!path.data)
        return "none";
    assert_int_equal(path.data[path.len], '\0');
    snprintf(text, sizeof text, "%.*s|%s", (int)root_len, path.data, path.data + root_len);
    return text;
}

static void test_map(void **state)
{
    (void)state;
    assert_string_equal(mapped("/a/b", LOCATION_PREFIX, "/", NULL), "/srv/www|/a/b");
    assert_string_equal(mapped("/i/a", LOCATION_PREFIX, "/i/", "/data/"), "/data/|a");
    assert_string_equal(mapped("/i/a", LOCATION_PREFIX, "/i", "/data"), "/data|/a");
    assert_string_equal(mapped("/i", LOCATION_EXACT, "/i", "/data/x"), "/data/x|");
    assert_string_equal(mapped("/i.a", LOCATION_REGEX, "i", "/data/x"), "/data/x|");
    /* A prefix without a slash and an alias with one lead upwards. */
    assert_string_equal(mapped("/i../etc", LOCATION_PREFIX, "/i", "/data/i/"), "none");
    assert_string_equal(mapped("/i..", LOCATION_PREFIX, "/i", "/data/i/"), "none");
    assert_string_equal(mapped("/i../etc", LOCATION_PREFIX, "/i", "/data/i"), "/data/i|../etc");
    assert_string_equal(mapped("/i/...", LOCATION_PREFIX, "/i/", "/data/"), "/data/|...");
    assert_string_equal(mapped("/i/x", LOCATION_PREFIX, "/i/", "/data/../y/"), "/data/../y/|x");
    /* rewritten away from the location */
    assert_string_equal(mapped("/x", LOCATION_PREFIX, "/i/", "/data/"), "none");
}

static void test_map_nested_alias(void **state)
{
    struct location outer = { .kind = LOCATION_PREFIX, .name = STR("/i/") };
    struct request *r = fake(METHOD_GET, "/i/a.html");
    (void)state;

    core.is_alias = true;
    core.alias.text = STR("/data/");
    outer.conf = conf;
    location.kind = LOCATION_REGEX;
    location.name = STR("html");
    location.outer = &outer;
    assert_int_equal(files_alias_length(r), 3);
    assert_string_equal(files_map_uri(r, 0, NULL).data, "/data/a.html");
    assert_string_equal(files_map_name(r, STR("/i/b"), 0, NULL).data, "/data/b");
    assert_string_equal(files_map_name(r, STR("b"), 0, NULL).data, "/data/b");
    assert_null(files_map_name(r, STR("/i/../b"), 0, NULL).data);
}

/* ---- lists of folders ---- */

static const char *page_of(const struct folder_format *format, const struct folder_page *page,
                           const struct folder_entry *e)
{
    static char text[16384];
    struct out o = out_fixed(text, sizeof text);

    format->entry(&o, page, e, true);
    assert_true(out_len(&o) <= FOLDER_ENTRY_MAX);
    out_char(&o, '\0');
    return text;
}

static void test_html_entries(void **state)
{
    struct folder_page page = { .exact_size = true };
    struct folder_entry e = { STR("a:<&>\"%?'"), ENTRY_FILE, 3072000, 784111777 };
    (void)state;

    assert_string_equal(page_of(&folder_html, &page, &e),
                        "<a href=\"a%3A%3C%26%3E%22%25%3F%27\">a:&lt;&amp;&gt;&quot;%?'</a>"
                        "                                          06-Nov-1994 08:49"
                        "             3072000\r\n");
    page.exact_size = false;
    e.name = STR("01234567890123456789012345678901234567890123456789x");
    assert_string_equal(page_of(&folder_html, &page, &e),
                        "<a href=\"01234567890123456789012345678901234567890123456789x\">"
                        "01234567890123456789012345678901234567890123456..&gt;</a> 06-Nov-1994 08:49"
                        "      3M\r\n");
    e.name = STR("01234567890123456789012345678901234567890123456789");
    e.kind = ENTRY_FOLDER;
    assert_string_equal(page_of(&folder_html, &page, &e),
                        "<a href=\"01234567890123456789012345678901234567890123456789/\">"
                        "01234567890123456789012345678901234567890123456789</a> 06-Nov-1994 08:49"
                        "       -\r\n");
    e.name = STR("line\nbreak");
    assert_non_null(strstr(page_of(&folder_html, &page, &e), ">line?break/</a>"));
}

/* Names are measured in characters where the page is UTF-8. */
static void test_html_utf8(void **state)
{
    struct folder_page page = { 0 };
    char name[256] = "";
    struct folder_entry e = { { name, 0 }, ENTRY_FILE, 0, 0 };
    (void)state;

    for (unsigned i = 0; i < 60; i++)
        memcpy(name + 2 * i, "\xd1\x84", 2);
    e.name.len = 120;
    const char *text = page_of(&folder_html, &page, &e);
    const char *shown = strstr(text, "\">") + 2;
    assert_int_equal(strstr(shown, "..&gt;") - shown, 2 * 47);
    page.charset = STR("koi8-r");
    text = page_of(&folder_html, &page, &e);
    shown = strstr(text, "\">") + 2;
    assert_int_equal(strstr(shown, "..&gt;") - shown, 47);

    for (unsigned i = 0; i < 255; i++)
        name[i] = '&';
    e.name.len = 255;
    page_of(&folder_html, &page, &e);
    page_of(&folder_xml, &page, &e);
    memset(name, 1, 255);
    page_of(&folder_json, &page, &e);
}

static void test_other_formats(void **state)
{
    struct folder_page page = { .callback = STR("f.x") };
    struct folder_entry e = { STR("q\"u\\<&>\x01\n"), ENTRY_FILE, 5, 784111777 };
    char text[512];
    struct out o = out_fixed(text, sizeof text);
    (void)state;

    folder_jsonp.begin(&o, &page);
    folder_jsonp.entry(&o, &page, &e, true);
    e.kind = ENTRY_OTHER;
    e.name = STR("o");
    folder_jsonp.entry(&o, &page, &e, false);
    folder_jsonp.end(&o, &page);
    out_char(&o, '\0');
    assert_string_equal(text,
                        "/* callback */\r\nf.x([\r\n"
                        "{ \"name\":\"q\\\"u\\\\<&>\\u0001\\n\", \"type\":\"file\", "
                        "\"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\", \"size\":5 },\r\n"
                        "{ \"name\":\"o\", \"type\":\"other\", "
                        "\"mtime\":\"Sun, 06 Nov 1994 08:49:37 GMT\" }\r\n]);");
    o = out_fixed(text, sizeof text);
    e = (struct folder_entry){ STR("<d>"), ENTRY_FOLDER, 5, 784111777 };
    folder_xml.begin(&o, &page);
    folder_xml.entry(&o, &page, &e, true);
    folder_xml.end(&o, &page);
    out_char(&o, '\0');
    assert_string_equal(text, "<?xml version=\"1.0\"?>\r\n<list>\r\n<directory "
                              "mtime=\"1994-11-06T08:49:37Z\">&lt;d&gt;</directory>\r\n</list>\r\n");
}

static void test_escape_path(void **state)
{
    char text[256];
    struct out o = out_fixed(text, sizeof text);
    (void)state;

    escape_path(&o, STR("/a b/%?#\"<>\\^`{|}\x7f\xd1/~-._:@!$&'()*+,;=[]"));
    out_char(&o, '\0');
    assert_string_equal(text,
                        "/a%20b/%25%3F%23%22%3C%3E%5C%5E%60%7B%7C%7D%7F%D1/~-._:@!$&'()*+,;=[]");
}

/* ---- the cache ---- */

static struct file_entry *put(struct files_cache *c, const char *path)
{
    struct file_entry *e = file_entry_new();
    const struct file_how how = { .directio = -1 };
    struct str s = str_of(path);

    files_cache_put(c, e, s, files_cache_hash(s), &how);
    return e;
}

static bool has(struct files_cache *c, const char *path)
{
    const struct file_how how = { .directio = -1 };
    struct str s = str_of(path);

    return files_cache_find(c, s, files_cache_hash(s), &how) != NULL;
}

static void test_cache_bounds(void **state)
{
    const struct open_cache_conf small = { .max = 3, .inactive = 60 };
    (void)state;

    clock_update();
    struct files_cache *c = files_cache_of(&small);
    assert_ptr_equal(files_cache_of(&small), c);
    struct file_entry *a = put(c, "a"), *b = put(c, "b"), *third = put(c, "c");
    clock_cached.ms += 5000;
    files_cache_touch(a);
    struct file_entry *d = put(c, "d");
    assert_true(has(c, "a") && has(c, "c") && has(c, "d"));
    assert_false(has(c, "b"));                 /* unused for longest */
    assert_null(b->cache);                     /* but its user still has it */
    struct file_entry *again = put(c, "a");
    assert_null(a->cache);
    assert_non_null(again->cache);
    file_entry_unref(a);
    file_entry_unref(b);
    file_entry_unref(third);
    file_entry_unref(d);
    file_entry_unref(again);

    const struct open_cache_conf large = { .max = 1000, .inactive = 60 };
    struct files_cache *other = files_cache_of(&large);
    assert_ptr_not_equal(other, c);
    for (unsigned i = 0; i < 500; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        file_entry_unref(put(other, name));
    }
    assert_true(has(other, "0") && has(other, "250") && has(other, "499"));
    assert_false(has(c, "0"));
    files_cache_fini();
}

/* ---- opening ---- */

static struct file_entry *loaded(const char *path, struct file_how how)
{
    struct file_entry *e = file_entry_new();

    how.directio = -1;
    file_load(e, str_of(path), &how);
    return e;
}

static void check_load(const char *path, struct file_how how, enum file_kind kind, int error)
{
    struct file_entry *e = loaded(path, how);

    if (e->file.error != error || (int)e->file.kind != (int)kind)
        fail_msg("%s: kind %d error %d", path, (int)e->file.kind, e->file.error);
    file_entry_unref(e);
}

static void test_load(void **state)
{
    char folder[] = "/tmp/weir-test-XXXXXX", path[64];
    const struct file_how plain = { .symlinks = SYMLINKS_FOLLOW };
    const struct file_how refuse = { .symlinks = SYMLINKS_REFUSE };
    const struct file_how owner = { .symlinks = SYMLINKS_IF_OWNER };
    (void)state;

    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(mkdir("d", 0755), 0);
    FILE *f = fopen("d/file", "w");
    fputs("hello", f);
    fclose(f);
    assert_int_equal(symlink("d", "link"), 0);
    assert_int_equal(symlink("file", "d/to_file"), 0);
    assert_int_equal(mkfifo("fifo", 0644), 0);

    check_load("d/file", plain, FILE_REGULAR, 0);
    check_load("d", plain, FILE_DIRECTORY, 0);
    check_load("fifo", plain, FILE_OTHER, 0);
    check_load("no", plain, FILE_ABSENT, ENOENT);
    check_load("d/file/", plain, FILE_ABSENT, ENOTDIR);
    check_load("link/file", plain, FILE_REGULAR, 0);
    check_load("d/to_file", plain, FILE_REGULAR, 0);

    check_load("d/file", refuse, FILE_REGULAR, 0);
    check_load("d/", refuse, FILE_DIRECTORY, 0);
    check_load("d//file", refuse, FILE_REGULAR, 0);
    check_load("no", refuse, FILE_ABSENT, ENOENT);
    check_load("d/file/", refuse, FILE_ABSENT, ENOTDIR);
    check_load("link/file", refuse, FILE_ABSENT, ELOOP);
    check_load("link", refuse, FILE_ABSENT, ELOOP);
    check_load("d/to_file", refuse, FILE_ABSENT, ELOOP);
    check_load("link/file", owner, FILE_REGULAR, 0);
    check_load("d/to_file", owner, FILE_REGULAR, 0);
    snprintf(path, sizeof path, "%s/link/file", folder);
    check_load(path, refuse, FILE_ABSENT, ELOOP);
    struct file_how from = refuse;
    from.from = strlen(folder) + 5;
    check_load(path, from, FILE_REGULAR, 0);
    if (geteuid() == 0) {                      /* a link of another owner than its target's */
        assert_int_equal(lchown("link", 12345, 12345), 0);
        check_load("link/file", owner, FILE_ABSENT, ELOOP);
    }

    struct file_how whole = plain;
    whole.whole = FILES_WHOLE;
    struct file_entry *e = loaded("d/file", whole);
    assert_memory_equal(e->file.bytes, "hello", 5);
    assert_int_equal(e->file.fd, -1);
    assert_true(file_unchanged(e, STR("d/file")));
    f = fopen("d/file", "a");
    fputs("!", f);
    fclose(f);
    assert_false(file_unchanged(e, STR("d/file")));
    file_entry_unref(e);

    unlink("d/file");
    unlink("d/to_file");
    unlink("link");
    unlink("fifo");
    rmdir("d");
    assert_int_equal(chdir("/"), 0);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range_parse),
        cmocka_unit_test(test_range_single),
        cmocka_unit_test(test_range_multipart),
        cmocka_unit_test(test_range_conditions),
        cmocka_unit_test(test_etags),
        cmocka_unit_test(test_not_modified),
        cmocka_unit_test(test_map),
        cmocka_unit_test(test_map_nested_alias),
        cmocka_unit_test(test_html_entries),
        cmocka_unit_test(test_html_utf8),
        cmocka_unit_test(test_other_formats),
        cmocka_unit_test(test_escape_path),
        cmocka_unit_test(test_cache_bounds),
        cmocka_unit_test(test_load),
    };

    return cmocka_run_group_tests(tests, NULL, forget);
}
