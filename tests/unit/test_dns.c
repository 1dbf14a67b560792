/* Tests of src/net/dns: names, questions and replies; and of resolv.conf and hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/dns.h"
#include "net/resolver.h"
#include "net/resolver_system.h"

static struct arena arena;
static char space[70000];

static struct dns_name name_of(const char *text)
{
    struct dns_name n;

    assert_true(dns_name_parse(&n, str_of(text)));
    return n;
}

static const char *text_of(const struct dns_name *n)
{
    static char text[4 * DNS_NAME_MAX + 1];
    struct out o = out_fixed(text, sizeof text - 1);

    dns_name_put(&o, n);
    *o.at = '\0';
    return text;
}

/* ---- names ---- */

static void test_names(void **state)
{
    static const char *const good[] = { "a", "www.example.com", "_http._tcp.example.com", "x-1.y_2" };
    static const char *const bad[] = { "", ".", "..", "a..b", ".a",
        "0123456789012345678901234567890123456789012345678901234567890123.com" };
    struct dns_name n, m;
    char longest[300] = "";

    (void)state;
    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
        n = name_of(good[i]);
        assert_string_equal(text_of(&n), good[i]);
    }
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(dns_name_parse(&n, str_of(bad[i])));
    n = name_of("WWW.Example.COM.");
    m = name_of("www.example.com");
    assert_true(dns_name_eq(&n, &m));
    for (unsigned i = 0; i < 126; i++)
        strcat(longest, i ? ".a" : "a");
    assert_true(dns_name_parse(&n, str_of(longest)));
    strcat(longest, ".abc");
    assert_false(dns_name_parse(&n, str_of(longest)));
}

static void test_reverse(void **state)
{
    struct dns_name n;
    unsigned char ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 0x1f };

    (void)state;
    dns_name_reverse(&n, (const unsigned char *)"\x7f\x00\x00\x01", false);
    assert_string_equal(text_of(&n), "1.0.0.127.in-addr.arpa");
    dns_name_reverse(&n, ip, true);
    assert_string_equal(text_of(&n), "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
                                     ".ip6.arpa");
}

/* ---- replies ---- */

enum { FLAGS_GOOD = 0x8180, ID = 0x1234 };

/* A reply with its question; the records follow. */
static struct out begin(const char *name, enum dns_type type, unsigned flags, unsigned answers)
{
    struct dns_name n = name_of(name);
    struct out o = out_fixed(space, sizeof space);

    dns_put_query(&o, ID, &n, type);
    space[2] = (char)(flags >> 8);
    space[3] = (char)flags;
    space[6] = (char)(answers >> 8);
    space[7] = (char)answers;
    return o;
}

/* owner: a pointer of compression (0: that of the question). */
static void put_record(struct out *o, unsigned owner, unsigned type, uint32_t ttl, unsigned len)
{
    out_u16(o, (uint16_t)(0xc000 | (owner ? owner : 12)));
    out_u16(o, (uint16_t)type);
    out_u16(o, 1);
    out_u32(o, ttl);
    out_u16(o, (uint16_t)len);
}

/* Gives the offset of the target. */
static unsigned put_alias(struct out *o, unsigned owner, uint32_t ttl, const char *target)
{
    struct dns_name n = name_of(target);

    put_record(o, owner, DNS_CNAME, ttl, n.len);
    unsigned at = (unsigned)out_len(o);
    out_bytes(o, n.wire, n.len);
    return at;
}

static enum dns_result read_reply(const struct out *o, const char *name, enum dns_type type,
                                  struct dns_reply *reply)
{
    struct dns_name n = name_of(name);

    return dns_read_reply(out_str_of(o), ID, &n, type, &arena, reply);
}

static void test_addresses(void **state)
{
    struct dns_reply reply;
    struct out o = begin("example.com", DNS_A, FLAGS_GOOD, 3);

    (void)state;
    put_record(&o, 0, DNS_A, 300, 4);
    out_bytes(&o, "\x7f\x00\x00\x01", 4);
    put_record(&o, 0, 16, 5, 3);               /* TXT: not ours */
    out_bytes(&o, "\x02hi", 3);
    put_record(&o, 0, DNS_A, 60, 4);
    out_bytes(&o, "\x7f\x00\x00\x02", 4);
    assert_int_equal(read_reply(&o, "example.com", DNS_A, &reply), DNS_REPLY);
    assert_int_equal(reply.code, DNS_OK);
    assert_int_equal(reply.count, 2);
    assert_int_equal(reply.records[1].ip[3], 2);
    assert_int_equal(reply.ttl, 60);
    assert_int_equal(reply.alias.len, 0);
}

static void test_chain(void **state)
{
    struct dns_reply reply;
    struct out o = begin("a.example", DNS_AAAA, FLAGS_GOOD, 4);

    (void)state;
    unsigned b = put_alias(&o, 0, 100, "b.example");
    unsigned c = put_alias(&o, b, 7, "c.example");
    put_record(&o, c, DNS_AAAA, 50, 16);
    out_fill(&o, '\x01', 16);
    put_record(&o, b, DNS_AAAA, 1, 16);        /* not of the chain's end */
    out_fill(&o, '\x02', 16);
    assert_int_equal(read_reply(&o, "a.example", DNS_AAAA, &reply), DNS_REPLY);
    assert_int_equal(reply.count, 1);
    assert_int_equal(reply.records[0].ip[0], 1);
    assert_int_equal(reply.ttl, 7);
    assert_string_equal(text_of(&reply.alias), "c.example");
}

/* The address stands before the alias that leads to it. */
static void test_chain_out_of_order(void **state)
{
    struct dns_reply reply;
    struct dns_name b = name_of("b.example");
    struct out o = begin("a.example", DNS_A, FLAGS_GOOD, 2);

    (void)state;
    out_bytes(&o, b.wire, b.len);
    out_u16(&o, DNS_A);
    out_u16(&o, 1);
    out_u32(&o, 9);
    out_u16(&o, 4);
    out_bytes(&o, "\x01\x02\x03\x04", 4);
    put_alias(&o, 0, 30, "b.example");
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_REPLY);
    assert_int_equal(reply.count, 1);
    assert_int_equal(reply.ttl, 9);
}

static void test_alias_loop(void **state)
{
    struct dns_reply reply;
    struct out o = begin("a.example", DNS_A, FLAGS_GOOD, 2);

    (void)state;
    unsigned b = put_alias(&o, 0, 30, "b.example");
    put_alias(&o, b, 30, "a.example");
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_REPLY);
    assert_int_equal(reply.count, 0);
}

static void test_service(void **state)
{
    struct dns_reply reply;
    struct dns_name target = name_of("one.example");
    struct out o = begin("_http._tcp.x", DNS_SRV, FLAGS_GOOD, 1);

    (void)state;
    put_record(&o, 0, DNS_SRV, 20, 6u + target.len);
    out_u16(&o, 10);
    out_u16(&o, 5);
    out_u16(&o, 8080);
    out_bytes(&o, target.wire, target.len);
    assert_int_equal(read_reply(&o, "_http._tcp.x", DNS_SRV, &reply), DNS_REPLY);
    assert_int_equal(reply.count, 1);
    assert_int_equal(reply.records[0].priority, 10);
    assert_int_equal(reply.records[0].weight, 5);
    assert_int_equal(reply.records[0].port, 8080);
    assert_string_equal(text_of(reply.records[0].target), "one.example");
}

static void test_foreign(void **state)
{
    struct dns_reply reply;
    struct dns_name n = name_of("a.example");
    struct out o = begin("a.example", DNS_A, FLAGS_GOOD, 0);
    struct str message = out_str_of(&o);

    (void)state;
    assert_int_equal(dns_read_reply(message, ID, &n, DNS_A, &arena, &reply), DNS_REPLY);
    assert_int_equal(dns_read_reply(message, ID + 1, &n, DNS_A, &arena, &reply), DNS_FOREIGN);
    assert_int_equal(dns_read_reply(message, ID, &n, DNS_AAAA, &arena, &reply), DNS_FOREIGN);
    n = name_of("b.example");
    assert_int_equal(dns_read_reply(message, ID, &n, DNS_A, &arena, &reply), DNS_FOREIGN);
    n = name_of("a.example");
    for (size_t len = 0; len < message.len; len++)
        assert_int_equal(dns_read_reply(str_first(message, len), ID, &n, DNS_A, &arena, &reply),
                         DNS_FOREIGN);
    space[2] = 1;                              /* a question, not a reply */
    assert_int_equal(dns_read_reply(message, ID, &n, DNS_A, &arena, &reply), DNS_FOREIGN);
}

static void test_codes(void **state)
{
    struct dns_reply reply;
    struct out o = begin("a.example", DNS_A, FLAGS_GOOD | DNS_NOT_FOUND, 0);

    (void)state;
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_REPLY);
    assert_int_equal(reply.code, DNS_NOT_FOUND);
    o = begin("a.example", DNS_A, FLAGS_GOOD | 0x0200, 7);
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_REPLY);
    assert_true(reply.truncated);
    o = begin("a.example", DNS_A, FLAGS_GOOD | DNS_REFUSED, 0);
    o.at = o.start + 12;                       /* the question is not repeated */
    space[5] = 0;
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_REPLY);
    assert_int_equal(reply.code, DNS_REFUSED);
    assert_string_equal(dns_code_text(DNS_NOT_FOUND), "Host not found");
    assert_string_equal(dns_code_text(4000), "Unknown error");
}

static void test_malformed(void **state)
{
    struct dns_reply reply;
    struct out o = begin("a.example", DNS_A, FLAGS_GOOD, 1);
    size_t start = out_len(&o);

    (void)state;
    put_record(&o, (unsigned)start, DNS_A, 1, 4);      /* its name points at itself */
    out_bytes(&o, "\x01\x02\x03\x04", 4);
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_MALFORMED);

    o = begin("a.example", DNS_A, FLAGS_GOOD, 1);
    put_record(&o, 0, DNS_A, 1, 5);
    out_bytes(&o, "\x01\x02\x03\x04\x05", 5);
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_MALFORMED);

    o = begin("a.example", DNS_A, FLAGS_GOOD, 2);
    put_record(&o, 0, DNS_A, 1, 4);
    out_bytes(&o, "\x01\x02\x03\x04", 4);
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_MALFORMED);

    o = begin("a.example", DNS_A, FLAGS_GOOD, 1);
    put_record(&o, 0, DNS_CNAME, 1, 0);
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_MALFORMED);
}

/* A server may send more than anybody needs. */
static void test_many_records(void **state)
{
    struct dns_reply reply;
    struct out o = begin("a.example", DNS_A, FLAGS_GOOD, 4000);

    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        put_record(&o, 0, DNS_A, 1, 4);
        out_u32(&o, i);
    }
    assert_false(o.overflow);
    assert_int_equal(read_reply(&o, "a.example", DNS_A, &reply), DNS_REPLY);
    assert_int_equal(reply.count, DNS_MAX_RECORDS);
}

/* ---- the machine's files ---- */

static void test_resolv_conf(void **state)
{
    struct system_names n;
    struct address a;

    (void)state;
    system_names_parse(STR("# a comment\nnameserver 10.0.0.1 # one\r\nnameserver fe80::1%eth0\n"
                           "nameserver ::1\ndomain old.example\nsearch a.example b.example .\n"
                           "options rotate ndots:5 timeout:1\n"), &n);
    assert_int_equal(n.server_count, 2);
    assert_true(address_parse_ip(STR("10.0.0.1"), 53, &a) && address_eq(&a, &n.servers[0]));
    assert_true(address_parse_ip(STR("::1"), 53, &a) && address_eq(&a, &n.servers[1]));
    assert_int_equal(n.search_count, 2);
    assert_true(str_eq(n.search[1], STR("b.example")));
    assert_int_equal(n.ndots, 5);
    system_names_parse(STR(""), &n);
    assert_int_equal(n.server_count, 1);
    assert_int_equal(n.ndots, 1);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_hosts(void **state)
{
    char path[] = "/tmp/weir-hosts-XXXXXX";
    struct peer found[4];

    (void)state;
    clock_update();
    close(mkstemp(path));
    write_file(path, "127.0.0.1 localhost # loopback\n10.1.2.3\tdb DB.example\n::1 localhost\nnonsense\n");
    resolver_system_files("/nonexistent", path);
    assert_int_equal(system_hosts_find(STR("localhost"), found, 4), 2);
    assert_int_equal(found[1].family, AF_INET6);
    assert_int_equal(system_hosts_find(STR("localhost"), found, 1), 1);
    assert_int_equal(system_hosts_find(STR("db.EXAMPLE."), found, 4), 1);
    assert_memory_equal(found[0].ip, "\x0a\x01\x02\x03", 4);
    assert_int_equal(system_hosts_find(STR("loopback"), found, 4), 0);
    write_file(path, "10.9.9.9 other-now\n");
    clock_cached.ms += 2000;
    assert_int_equal(system_hosts_find(STR("other-now"), found, 4), 1);
    assert_int_equal(system_hosts_find(STR("localhost"), found, 4), 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_reverse),
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_chain),
        cmocka_unit_test(test_chain_out_of_order), cmocka_unit_test(test_alias_loop),
        cmocka_unit_test(test_service), cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_codes), cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_many_records), cmocka_unit_test(test_resolv_conf),
        cmocka_unit_test(test_hosts),
    };

    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
