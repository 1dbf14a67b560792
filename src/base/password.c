/*
 * password: see password.h.  Comparisons take the same time whatever they find.
 */
#include "base/password.h"

#include "base/digest/base64.h"
#include "base/digest/md5.h"
#include "base/digest/sha1.h"
#include "base/os.h"

enum { MAX_ENTRY = 512 };

/* Without leaving early: how long it takes says nothing about where two texts differ. */
static bool same_secret(struct str a, struct str b)
{
    unsigned char difference = a.len != b.len;

    for (size_t i = 0; i < a.len && i < b.len; i++)
        difference |= (unsigned char)(a.data[i] ^ b.data[i]);
    return difference == 0;
}

static enum password_result result(bool right)
{
    return right ? PASSWORD_RIGHT : PASSWORD_WRONG;
}

/* {SHA} and {SSHA}: base64 of SHA-1 of the password and the salt, followed by the salt. */
static enum password_result check_sha(struct str text, struct str password)
{
    char space[MAX_ENTRY];
    unsigned char digest[SHA1_SIZE];
    struct out o = out_fixed(space, sizeof space);
    struct sha1 h;

    if (!base64_decode(&o, text) || o.overflow || out_len(&o) < SHA1_SIZE)
        return PASSWORD_UNKNOWN_FORM;
    struct str stored = out_str_of(&o);
    sha1_init(&h);
    sha1_update(&h, password);
    sha1_update(&h, str_from(stored, SHA1_SIZE));
    sha1_final(&h, digest);
    return result(same_secret(str_first(stored, SHA1_SIZE),
                              (struct str){ (const char *)digest, SHA1_SIZE }));
}

/* ---- $apr1$salt$hash: a thousand rounds of MD5, as Apache's htpasswd -m makes it ---- */

static struct str digest_text(const unsigned char digest[MD5_SIZE])
{
    return (struct str){ (const char *)digest, MD5_SIZE };
}

static void apr1_first(struct str salt, struct str password, unsigned char digest[MD5_SIZE])
{
    struct md5 h;

    md5_init(&h);
    md5_update(&h, password);
    md5_update(&h, salt);
    md5_update(&h, password);
    md5_final(&h, digest);

    md5_init(&h);
    md5_update(&h, password);
    md5_update(&h, STR("$apr1$"));
    md5_update(&h, salt);
    for (size_t left = password.len; left > 0;) {
        size_t n = left < MD5_SIZE ? left : MD5_SIZE;
        md5_update(&h, str_first(digest_text(digest), n));
        left -= n;
    }
    for (size_t bits = password.len; bits; bits >>= 1)
        md5_update(&h, bits & 1 ? (struct str){ "", 1 } : str_first(password, 1));
    md5_final(&h, digest);
}

static void apr1_round(unsigned i, struct str salt, struct str password,
                       unsigned char digest[MD5_SIZE])
{
    struct md5 h;

    md5_init(&h);
    md5_update(&h, i & 1 ? password : digest_text(digest));
    if (i % 3)
        md5_update(&h, salt);
    if (i % 7)
        md5_update(&h, password);
    md5_update(&h, i & 1 ? digest_text(digest) : password);
    md5_final(&h, digest);
}

static void put_base64(struct out *o, unsigned value, unsigned digits)
{
    static const char letters[] = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    for (; digits > 0; digits--, value >>= 6)
        out_char(o, letters[value & 63]);
}

static enum password_result check_apr1(struct str text, struct str password)
{
    struct str stored = text, salt = str_split(&stored, '$');
    unsigned char d[MD5_SIZE];
    char space[32];
    struct out o = out_fixed(space, sizeof space);

    if (!stored.data)
        return PASSWORD_UNKNOWN_FORM;
    if (salt.len > 8)
        salt.len = 8;
    apr1_first(salt, password, d);
    for (unsigned i = 0; i < 1000; i++)
        apr1_round(i, salt, password, d);
    for (unsigned i = 0; i < 5; i++) {
        unsigned last = i == 4 ? 5 : 12 + i;
        put_base64(&o, (unsigned)d[i] << 16 | (unsigned)d[i + 6] << 8 | d[last], 4);
    }
    put_base64(&o, d[11], 2);
    return result(same_secret(out_str_of(&o), stored));
}

/* ---- all forms ---- */

static enum password_result check_crypt(struct str entry, struct str password)
{
    char salt[MAX_ENTRY], key[MAX_ENTRY], made[MAX_ENTRY];

    if (entry.len >= sizeof salt || password.len >= sizeof key || str_index(password, '\0') >= 0)
        return PASSWORD_WRONG;         /* crypt() would look at what stands before the NUL alone */
    memcpy(salt, entry.data, entry.len);
    salt[entry.len] = '\0';
    memcpy(key, password.data, password.len);
    key[password.len] = '\0';
    if (!os_crypt(key, salt, made, sizeof made))
        return PASSWORD_UNKNOWN_FORM;
    return result(same_secret(str_of(made), entry));
}

static enum password_result check_plain(struct str text, struct str password)
{
    return result(same_secret(text, password));
}

static const struct {
    struct str prefix;
    enum password_result (*check)(struct str rest, struct str password);
} forms[] = {
    { STR_INIT("{PLAIN}"), check_plain },
    { STR_INIT("{SHA}"), check_sha },
    { STR_INIT("{SSHA}"), check_sha },
    { STR_INIT("$apr1$"), check_apr1 },
};

enum password_result password_check(struct str entry, struct str password)
{
    for (unsigned i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (str_starts(entry, forms[i].prefix))
            return forms[i].check(str_from(entry, forms[i].prefix.len), password);
    }
    return check_crypt(entry, password);
}

bool password_is_quick(struct str entry)
{
    return entry.len > 0 && entry.data[0] == '{';
}
