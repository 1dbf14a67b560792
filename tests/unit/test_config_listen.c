/*
 * Tests of src/config/listen_words.c: addresses, ports and parameters of `listen`.
 */
#include "test_config/load.h"

#include "config/listen_words.h"

static struct out shown;
static char shown_space[8192];
static unsigned allowed, default_port;
static const struct protocol stream = { "test", SOCK_STREAM, NULL, NULL };

static void show_number(const char *name, int value, int usual)
{
    if (value != usual)
        out_printf(&shown, " %s=%d", name, value);
}

static void show_options(const struct listen_options *o)
{
    const struct listen_options *i = &listen_options_initial;

    show_number("backlog", o->backlog, i->backlog);
    show_number("rcvbuf", o->rcvbuf, i->rcvbuf);
    show_number("sndbuf", o->sndbuf, i->sndbuf);
    show_number("fastopen", o->fastopen, i->fastopen);
    show_number("setfib", o->setfib, i->setfib);
    show_number("keepalive", o->keepalive, UNSPECIFIED);
    show_number("idle", o->keepidle, 0);
    show_number("intvl", o->keepintvl, 0);
    show_number("cnt", o->keepcnt, 0);
    show_number("ipv6only", o->ipv6only, UNSPECIFIED);
    show_number("deferred", o->deferred, 0);
    show_number("reuseport", o->reuseport, 0);
    show_number("multipath", o->multipath, 0);
    show_number("bind", o->bind, 0);
    if (o->accept_filter.len)
        out_printf(&shown, " accept_filter=%.*s", STR_ARG(o->accept_filter));
}

static bool parse_listen(struct setting *s, void *field)
{
    struct listen_words w;
    bool fresh;

    (void)field;
    if (!listen_words_parse(s, allowed, default_port, &w))
        return false;
    for (unsigned i = 0; i < w.addresses.count; i++) {
        if (out_len(&shown))
            out_char(&shown, ' ');
        address_put(&shown, &w.addresses.items[i]);
        if (!listen_words_spec(s, &w, &w.addresses.items[i], &stream, &fresh))
            return false;
        if (!fresh)
            OUT_LITERAL(&shown, "(again)");
    }
    show_number("flags", (int)w.flags, 0);
    show_options(&w.options);
    return true;
}

static void print_nothing(const struct directive *row, const void *field, struct out *o)
{
    (void)row;
    (void)field;
    (void)o;
}

static const struct type type_listen = { "address", "an address", parse_listen, print_nothing };
static const struct directive rows[] = {
    { "listen", IN_MAIN, ARGS_RANGE(1, ARGS_ANY), &type_listen, .flags = REPEATS,
      .help = "An address." },
    { 0 },
};
static struct module module = { .name = "test_module", .directives = rows };

static const char *load(struct load *l, const char *text)
{
    shown = out_fixed(shown_space, sizeof shown_space - 1);
    load_resolve(l, text);
    *shown.at = '\0';
    return load_show_messages(l);
}

static void gives(const char *words, const char *expected)
{
    char text[512];
    struct load l;

    snprintf(text, sizeof text, "listen %s;", words);
    assert_string_equal(load(&l, text), "");
    assert_string_equal(shown_space, expected);
    load_fini(&l);
}

static void refuses(const char *words, const char *message)
{
    char text[512], expected[512];
    struct load l;

    snprintf(text, sizeof text, "listen %s;", words);
    snprintf(expected, sizeof expected, "%s in f:1\n", message);
    assert_string_equal(load(&l, text), expected);
    load_fini(&l);
}

static void addresses(void **state)
{
    (void)state;
    gives("80", "0.0.0.0:80");
    gives("65535", "0.0.0.0:65535");
    gives("*:8080", "0.0.0.0:8080");
    gives("127.0.0.1:8080", "127.0.0.1:8080");
    gives("127.0.0.1", "127.0.0.1:80");
    gives("[::]:8080", "[::]:8080");
    gives("[::1]", "[::1]:80");
    gives("unix:/run/a.sock", "unix:/run/a.sock");
    gives("8000-8002", "0.0.0.0:8000 0.0.0.0:8001 0.0.0.0:8002");
    gives("[::1]:8000-8001", "[::1]:8000 [::1]:8001");
    gives("127.0.0.1:9-9", "127.0.0.1:9");
}

static void bad_addresses(void **state)
{
    (void)state;
    refuses("0", "invalid port in \"0\" of the \"listen\" directive");
    refuses("99999", "invalid port in \"99999\" of the \"listen\" directive");
    refuses("81-80", "invalid port in \"81-80\" of the \"listen\" directive");
    refuses("127.0.0.1:0", "invalid port in \"127.0.0.1:0\" of the \"listen\" directive");
    refuses("127.0.0.1:65536", "invalid port in \"127.0.0.1:65536\" of the \"listen\" directive");
    refuses("*:", "invalid port in \"*:\" of the \"listen\" directive");
    refuses("*:8002-8001", "invalid port in \"*:8002-8001\" of the \"listen\" directive");
    refuses("*:80a", "invalid port in \"*:80a\" of the \"listen\" directive");
    refuses(":80", "no host in \":80\" of the \"listen\" directive");
    refuses("\"\"", "no host in \"\" of the \"listen\" directive");
    refuses("::1", "invalid address in \"::1\" of the \"listen\" directive");
    refuses("unix:", "invalid unix socket path in \"unix:\" of the \"listen\" directive");
    default_port = 0;
    refuses("127.0.0.1", "no port in \"127.0.0.1\" of the \"listen\" directive");
    gives("127.0.0.1:25", "127.0.0.1:25");
    default_port = 80;
}

static void parameters(void **state)
{
    (void)state;
    gives("80 default_server", "0.0.0.0:80 flags=1");
    gives("80 default", "0.0.0.0:80 flags=1");
    gives("80 ssl http2 proxy_protocol", "0.0.0.0:80 flags=22");
    gives("80 backlog=128 rcvbuf=8k sndbuf=1m",
          "0.0.0.0:80 backlog=128 rcvbuf=8192 sndbuf=1048576");
    gives("80 fastopen=3 setfib=1", "0.0.0.0:80 fastopen=3 setfib=1");
    gives("80 deferred reuseport bind multipath",
          "0.0.0.0:80 deferred=1 reuseport=1 multipath=1 bind=1");
    gives("[::]:80 ipv6only=off", "[::]:80 ipv6only=2");
    gives("[::]:80 ipv6only=on", "[::]:80 ipv6only=1");
    gives("80 accept_filter=httpready", "0.0.0.0:80 accept_filter=httpready");
    gives("443 quic reuseport", "0.0.0.0:443 flags=8 reuseport=1");
    gives("53 udp", "0.0.0.0:53 flags=32");
}

static void keepalive(void **state)
{
    (void)state;
    gives("80 so_keepalive=on", "0.0.0.0:80 keepalive=1");
    gives("80 so_keepalive=off", "0.0.0.0:80 keepalive=2");
    gives("80 so_keepalive=30m::10", "0.0.0.0:80 keepalive=1 idle=1800 cnt=10");
    gives("80 so_keepalive=30m", "0.0.0.0:80 keepalive=1 idle=1800");
    gives("80 so_keepalive=:5", "0.0.0.0:80 keepalive=1 intvl=5");
    gives("80 so_keepalive=1:2:3", "0.0.0.0:80 keepalive=1 idle=1 intvl=2 cnt=3");
    refuses("80 so_keepalive=", "invalid value of the \"listen\" parameter \"so_keepalive=\"");
    refuses("80 so_keepalive=::", "invalid value of the \"listen\" parameter \"so_keepalive=::\"");
    refuses("80 so_keepalive=1:2:3:4",
            "invalid value of the \"listen\" parameter \"so_keepalive=1:2:3:4\"");
    refuses("80 so_keepalive=1d", "invalid value of the \"listen\" parameter \"so_keepalive=1d\"");
    refuses("80 so_keepalive=1:2:128",
            "invalid value of the \"listen\" parameter \"so_keepalive=1:2:128\"");
}

static void bad_parameters(void **state)
{
    (void)state;
    refuses("80 backlog=0", "invalid value of the \"listen\" parameter \"backlog=0\"");
    refuses("80 backlog=x", "invalid value of the \"listen\" parameter \"backlog=x\"");
    refuses("80 rcvbuf=-1", "invalid value of the \"listen\" parameter \"rcvbuf=-1\"");
    refuses("[::]:80 ipv6only=maybe",
            "invalid value of the \"listen\" parameter \"ipv6only=maybe\"");
    refuses("unix:/a ipv6only=on", "ipv6only is not supported on addr \"unix:/a\"");
    refuses("80 reuse_port", "invalid parameter \"reuse_port\"");
    refuses("80 deferred=1", "invalid parameter \"deferred=1\"");
    refuses("53 udp so_keepalive=on", "\"so_keepalive\" parameter is incompatible with \"udp\"");
    refuses("53 udp ssl", "\"ssl\" parameter is incompatible with \"udp\"");
    refuses("443 quic proxy_protocol",
            "\"proxy_protocol\" parameter is incompatible with \"quic\"");
    allowed = LISTEN_DEFAULT;
    refuses("80 ssl", "invalid parameter \"ssl\"");
    allowed = ~0u;
}

static void specs(void **state)
{
    struct load l;

    (void)state;
    assert_string_equal(load(&l, "listen 80;\nlisten 80 backlog=5;\nlisten 81;\nlisten 80;"), "");
    assert_string_equal(shown_space, "0.0.0.0:80 0.0.0.0:80(again) backlog=5 0.0.0.0:81 "
                                     "0.0.0.0:80(again)");
    assert_int_equal(l.generation->listens.count, 2);
    assert_int_equal(l.generation->listens.items[0]->options.backlog, 5);
    load_fini(&l);
    assert_string_equal(load(&l, "listen 80 backlog=5;\nlisten 80 bind;"),
                        "duplicate listen options for 0.0.0.0:80 (they stand in f:1, too) in "
                        "f:2\n");
    load_fini(&l);
}

static int init(void **state)
{
    static struct module *const list[] = { &module, NULL };

    (void)state;
    modules_init(list);
    allowed = ~0u;
    default_port = 80;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),
        cmocka_unit_test(bad_addresses),
        cmocka_unit_test(parameters),
        cmocka_unit_test(keepalive),
        cmocka_unit_test(bad_parameters),
        cmocka_unit_test(specs),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
