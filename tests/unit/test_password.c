/* Tests of src/base/password.c: vectors made by htpasswd, openssl passwd and slappasswd's rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/password.h"

struct vector {
    const char *entry, *password;
    enum password_result expected;
};

static const struct vector vectors[] = {
    { "$apr1$2Hg3.x/Q$tp20tATFAMB44nlCF6dBc0", "secret", PASSWORD_RIGHT },
    { "$apr1$5sXdJRAX$WdwWF7qN6nb3Qj0Bb5loo.", "", PASSWORD_RIGHT },
    { "$apr1$2Hg3.x/Q$wuivys8O35eUfILBW.cBe.",
      "a password of more than sixteen bytes, to go round twice", PASSWORD_RIGHT },
    { "$apr1$2Hg3.x/Q$/h1//Fe4naheziTK5fPtO.", "p", PASSWORD_RIGHT },
    { "$apr1$2Hg3.x/Q$VuDu5Yu86.yjX/gD..EMw/", "sixteen bytes ok", PASSWORD_RIGHT },
    { "$apr1$2Hg3.x/Q$uJmz.SfaVyXbB1F5l31CR/", "Gr\303\274\303\237e", PASSWORD_RIGHT },
    { "$apr1$ab$jiiV6N7hIIuIoJbc1hxOE/", "secret", PASSWORD_RIGHT },
    { "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", PASSWORD_RIGHT },
    { "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret", PASSWORD_RIGHT },
    { "{SSHA}tCNGqyJLk/uvKpCa4vga5GB2gWoxMjM0NTY3OA==", "secret", PASSWORD_RIGHT },
    { "{SSHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", PASSWORD_RIGHT },
    { "{PLAIN}secret", "secret", PASSWORD_RIGHT },
    { "{PLAIN}", "", PASSWORD_RIGHT },
    { "{PLAIN}secret", "Secret", PASSWORD_WRONG },
    { "OSk5u.wSeFX2A", "secret", PASSWORD_RIGHT },
    { "$1$saltsalt$9xy1btjgzLYfb7hivXtC//", "secret", PASSWORD_RIGHT },
    { "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!", PASSWORD_RIGHT },
    { "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnI"
      "FNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
      "Hello world!", PASSWORD_RIGHT },
    { "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBn"
      "IFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1",
      "Hello world!", PASSWORD_WRONG },
    { "$2y$04$I9jILW.NvolRpiA7csy6dOJQj3tfAcWwUh.gWCdaE63Ii/zAMaChe", "secret", PASSWORD_RIGHT },
    { "{SSHA}not base64", "secret", PASSWORD_UNKNOWN_FORM },
    { "{SHA}c2hvcnQ=", "secret", PASSWORD_UNKNOWN_FORM },
    { "$apr1$nosalt", "secret", PASSWORD_UNKNOWN_FORM },
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        enum password_result got = password_check(str_of(v->entry), str_of(v->password));
        if (got != v->expected)
            fail_msg("%s with \"%s\": %d, not %d", v->entry, v->password, (int)got, (int)v->expected);
    }
}

/* Each entry refuses what differs from its password by a byte. */
static void test_near_misses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        const struct vector *v = &vectors[i];
        size_t len = strlen(v->password);
        char text[256];

        if (v->expected != PASSWORD_RIGHT || len == 0)
            continue;
        memcpy(text, v->password, len + 1);
        text[0] ^= 1;
        assert_int_equal(password_check(str_of(v->entry), str_of(text)), PASSWORD_WRONG);
        assert_int_equal(password_check(str_of(v->entry), (struct str){ v->password, len - 1 }),
                         PASSWORD_WRONG);
        text[0] ^= 1;
        text[len] = '\0';                      /* and a NUL more */
        assert_int_equal(password_check(str_of(v->entry), (struct str){ text, len + 1 }),
                         PASSWORD_WRONG);
    }
}

static void test_quick(void **state)
{
    (void)state;
    assert_true(password_is_quick(STR("{PLAIN}x")));
    assert_true(password_is_quick(STR("{SSHA}x")));
    assert_false(password_is_quick(STR("$apr1$a$b")));
    assert_false(password_is_quick(STR("$2y$05$x")));
    assert_false(password_is_quick(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_near_misses),
        cmocka_unit_test(test_quick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
