/* Tests of src/net/resolver: engines, what they remember, who waits, against a name server of this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "event/loop.h"
#include "net/dns.h"
#include "net/resolver.h"

static int server;
static struct address server_address;
static unsigned woken;

static void note_wake(void *owner)
{
    (void)owner;
    woken++;
}

static struct resolver *engine(uint64_t valid)
{
    return resolver_get(&(struct resolver_conf){
        .servers = &server_address, .count = 1, .valid = valid, .ipv4 = true });
}

static bool was_asked(void)
{
    struct pollfd p = { .fd = server, .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

/* The next question is answered with that record (NULL: with the code); its owner is the name asked for. */
static void answer(unsigned code, enum dns_type type, uint32_t ttl, const void *data, size_t len)
{
    char space[600];
    struct address from = { .len = sizeof from.in6 };
    struct pollfd p = { .fd = server, .events = POLLIN };

    assert_int_equal(poll(&p, 1, 5000), 1);
    ssize_t n = recvfrom(server, space, 300, 0, &from.any, &from.len);
    assert_true(n > 12);
    struct out o = { space, space + n, space + sizeof space, NULL, 0, false };
    space[2] = (char)0x81;
    space[3] = (char)(0x80 | code);
    space[7] = data != NULL;
    if (data) {
        out_u16(&o, 0xc00c);
        out_u16(&o, (uint16_t)type);
        out_u16(&o, 1);
        out_u32(&o, ttl);
        out_u16(&o, (uint16_t)len);
        out_bytes(&o, data, len);
    }
    assert_true(sendto(server, space, out_len(&o), 0, &from.any, from.len) > 0);
    loop_turn(1000);
}

static void test_engines_are_shared(void **state)
{
    struct resolver *a = engine(0), *b = engine(0), *c = engine(1000);

    (void)state;
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    resolver_unref(a);
    resolver_unref(b);
    resolver_unref(c);
    assert_ptr_equal(resolver_system(), resolver_system());
}

static void test_one_question_for_all(void **state)
{
    struct resolver *r = engine(0);
    struct resolve *q[3];

    (void)state;
    woken = 0;
    for (unsigned i = 0; i < 3; i++)
        q[i] = resolve_start(r, RESOLVE_ADDRESSES, STR("A.test"), 5000, note_wake, NULL);
    assert_null(resolve_answer(q[0]));
    resolve_end(q[1]);
    answer(0, DNS_A, 60, "\x7f\x00\x00\x05", 4);
    assert_int_equal(woken, 2);
    assert_int_equal(resolve_answer(q[0])->count, 1);
    assert_int_equal(resolve_answer(q[0])->items[0].peer.ip[3], 5);
    assert_int_equal(resolve_answer(q[2])->valid, 60000);
    resolve_end(q[0]);
    resolve_end(q[2]);
    q[0] = resolve_start(r, RESOLVE_ADDRESSES, STR("a.test"), 5000, note_wake, NULL);
    assert_non_null(resolve_answer(q[0]));     /* it is remembered */
    resolve_end(q[0]);
    clock_cached.ms += 61000;
    q[0] = resolve_start(r, RESOLVE_ADDRESSES, STR("a.test"), 5000, note_wake, NULL);
    assert_null(resolve_answer(q[0]));
    resolve_end(q[0]);
    resolver_unref(r);
    assert_true(was_asked());
    recv(server, &(char){ 0 }, 1, 0);
}

static void test_names_of_addresses(void **state)
{
    struct resolver *r = engine(0);
    struct resolve *q = resolve_start(r, RESOLVE_NAME, STR("127.0.0.1"), 5000, note_wake, NULL);

    (void)state;
    answer(0, DNS_PTR, 60, "\x04Host\x04test", 11);
    assert_non_null(resolve_answer(q));
    assert_true(str_eq(resolve_answer(q)->name, STR("host.test")));
    resolve_end(q);
    q = resolve_start(r, RESOLVE_NAME, STR("no address"), 5000, note_wake, NULL);
    assert_int_equal(resolve_answer(q)->code, DNS_NOT_FOUND);
    resolve_end(q);
    resolver_unref(r);
}

static void test_services(void **state)
{
    struct resolver *r = engine(0);
    struct resolve *q = resolve_start(r, RESOLVE_SERVICE, STR("_x._tcp.test"), 5000, note_wake, NULL);

    (void)state;
    woken = 0;
    answer(0, DNS_SRV, 60, "\x00\x02\x00\x07\x1f\x90\x03one\x04test", 16);
    assert_null(resolve_answer(q));
    answer(0, DNS_A, 20, "\x7f\x00\x00\x06", 4);
    assert_int_equal(woken, 1);
    const struct resolve_answer *a = resolve_answer(q);
    assert_int_equal(a->count, 1);
    assert_int_equal(a->items[0].priority, 2);
    assert_int_equal(a->items[0].weight, 7);
    assert_int_equal(a->items[0].peer.port, 8080);
    assert_int_equal(a->items[0].peer.ip[3], 6);
    assert_int_equal(a->valid, 20000);
    resolve_end(q);
    resolver_unref(r);
}

static void test_failures_are_not_remembered(void **state)
{
    struct resolver *r = engine(3000);

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct resolve *q = resolve_start(r, RESOLVE_ADDRESSES, STR("b.test"), 5000, note_wake, NULL);
        answer(DNS_NOT_FOUND, DNS_A, 0, NULL, 0);
        assert_int_equal(resolve_answer(q)->code, DNS_NOT_FOUND);
        assert_int_equal(resolve_answer(q)->valid, 3000);
        resolve_end(q);
    }
    assert_string_equal(resolve_code_text(DNS_NOT_FOUND), "Host not found");
    assert_string_equal(resolve_code_text(RESOLVE_TIMED_OUT), "Operation timed out");
    resolver_unref(r);
}

static struct resolve *own, *other;

/* Ends what it waited for, and what others wait for: with that the engine is gone. */
static void end_all(void *owner)
{
    (void)owner;
    woken++;
    resolve_end(own);
    resolve_end(other);
}

static void test_end_while_waking(void **state)
{
    struct resolver *r = engine(0);

    (void)state;
    woken = 0;
    own = resolve_start(r, RESOLVE_ADDRESSES, STR("c.test"), 5000, end_all, NULL);
    other = resolve_start(r, RESOLVE_ADDRESSES, STR("c.test"), 5000, end_all, NULL);
    resolver_unref(r);
    answer(0, DNS_A, 60, "\x7f\x00\x00\x07", 4);
    assert_int_equal(woken, 1);
}

/* The engine goes while questions, and a service that waits for others, are under way. */
static void test_end_with_questions_under_way(void **state)
{
    struct resolver *r = engine(0);
    struct resolve *service = resolve_start(r, RESOLVE_SERVICE, STR("_y._tcp.test"), 0, note_wake, NULL);
    struct resolve *q;

    (void)state;
    answer(0, DNS_SRV, 60, "\x00\x02\x00\x07\x1f\x90\x03two\x04test", 16);
    q = resolve_start(r, RESOLVE_ADDRESSES, STR("two.test"), 5000, note_wake, NULL);
    resolver_unref(r);
    resolve_end(q);
    resolve_end(service);
    loop_turn(0);
}

static int set_up(void **state)
{
    (void)state;
    clock_update();
    server_address.len = sizeof server_address.in;
    address_parse_ip(STR("127.0.0.1"), 0, &server_address);
    server = socket(AF_INET, SOCK_DGRAM, 0);
    return loop_init(NULL, 1024) && bind(server, &server_address.any, server_address.len) == 0 &&
                   address_local(server, &server_address)
               ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    loop_fini();
    return close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_engines_are_shared), cmocka_unit_test(test_one_question_for_all),
        cmocka_unit_test(test_names_of_addresses), cmocka_unit_test(test_services),
        cmocka_unit_test(test_failures_are_not_remembered),
        cmocka_unit_test(test_end_while_waking), cmocka_unit_test(test_end_with_questions_under_way),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
