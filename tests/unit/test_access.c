/* Tests of src/config/access_rules.c and script/trusted.c: networks in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "config/access_rules.h"
#include "script/trusted.h"

static struct peer peer(const char *text)
{
    struct address a;

    if (strcmp(text, "unix:") == 0)
        return (struct peer){ .family = AF_UNIX };
    assert_true(address_parse_ip(str_of(text), 0, &a));
    return peer_of(&a);
}

static struct cidr network(const char *text)
{
    struct cidr c = { .family = AF_UNIX };
    bool stray = false;

    if (strcmp(text, "all") == 0)
        c.family = AF_UNSPEC;
    else if (strcmp(text, "unix:") != 0)
        assert_true(cidr_parse(str_of(text), &c, &stray));
    return c;
}

/* Rules as "+network" and "-network", separated by spaces. */
static struct access_rules rules(struct arena *a, const char *text)
{
    struct access_rules list = { { 0 } };
    struct str rest = str_of(text);

    while (rest.data && rest.len) {
        struct str word = str_split(&rest, ' ');
        struct access_rule *rule = ARRAY_PUSH(&list.rules, a);
        rule->deny = word.data[0] == '-';
        rule->network = network(arena_str(a, str_from(word, 1)).data);
    }
    return list;
}

static void test_rules(void **state)
{
    static const struct {
        const char *rules, *peer;
        enum access_answer answer;
    } cases[] = {
        { "", "10.0.0.1", ACCESS_UNDECIDED },
        { "+10.0.0.0/8 -all", "10.255.0.1", ACCESS_ALLOWED },
        { "+10.0.0.0/8 -all", "11.0.0.1", ACCESS_DENIED },
        { "-10.0.0.1 +10.0.0.0/8", "10.0.0.1", ACCESS_DENIED },
        { "+10.0.0.0/8 -10.0.0.1", "10.0.0.1", ACCESS_ALLOWED },
        { "-10.0.0.1", "10.0.0.2", ACCESS_UNDECIDED },
        { "+2001:db8::/32 -all", "2001:db8::1", ACCESS_ALLOWED },
        { "+2001:db8::/32 -all", "2001:db9::1", ACCESS_DENIED },
        { "+2001:db8::/32 -all", "10.0.0.1", ACCESS_DENIED },
        { "+10.0.0.0/8 -all", "::ffff:10.0.0.1", ACCESS_ALLOWED },
        { "-::/0", "10.0.0.1", ACCESS_UNDECIDED },
        { "-0.0.0.0/0", "2001:db8::1", ACCESS_UNDECIDED },
        { "+unix: -all", "unix:", ACCESS_ALLOWED },
        { "+unix: -all", "127.0.0.1", ACCESS_DENIED },
        { "-0.0.0.0/0", "unix:", ACCESS_UNDECIDED },
        { "-all", "unix:", ACCESS_DENIED },
        { "+all", "::1", ACCESS_ALLOWED },
    };
    struct arena a;

    (void)state;
    arena_init(&a);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct access_rules list = rules(&a, cases[i].rules);
        struct peer p = peer(cases[i].peer);
        if (access_rules_check(&list, &p) != cases[i].answer)
            fail_msg("\"%s\" with %s", cases[i].rules, cases[i].peer);
    }
    arena_fini(&a);
}

static void test_trusted(void **state)
{
    struct trusted t = { { 0 } };
    struct arena a;

    (void)state;
    arena_init(&a);
    *ARRAY_PUSH(&t.networks, &a) = network("10.0.0.0/8");
    *ARRAY_PUSH(&t.networks, &a) = network("unix:");
    struct peer in = peer("10.1.1.1"), out = peer("11.1.1.1"), local = peer("unix:");
    assert_true(trusted_has(&t, &in));
    assert_false(trusted_has(&t, &out));
    assert_true(trusted_has(&t, &local));
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_trusted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
