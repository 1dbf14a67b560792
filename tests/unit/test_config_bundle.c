/*
 * Tests of src/config/bundle.c: what is packed comes back, and what is damaged does not.
 */
#include "test_config/load.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "config/bundle.h"

static const char text[] =
    "a b \"c d\" '';\nhttp {\n  server { listen 80; }\n  x;\n}\nlast \xc3\xa9;";

static int pack(struct load *l, struct arena *a)
{
    struct bundle b = { .prefix = STR("/prefix/"), .conf_prefix = STR("/conf/") };

    load_parse(l, text);
    l->tree->files.items[0].command_line = true;
    b.tree = l->tree;
    *ARRAY_PUSH(&b.files, a) = (struct bundle_file){ .path = STR("/key"),
                                                     .content = STR("secret\0and more") };
    *ARRAY_PUSH(&b.files, a) = (struct bundle_file){ .path = STR("/empty"), .content = STR("") };
    return bundle_pack(&b);
}

static void round_trip(void **state)
{
    struct arena a;
    struct load l, again;
    struct bundle b;

    (void)state;
    arena_init(&a);
    int fd = pack(&l, &a);
    assert_true(fd >= 0);
    assert_true(bundle_unpack(fd, &b));
    load_init(&again);
    again.tree = b.tree;
    assert_string_equal(load_show_tree(&again), load_show_tree(&l));
    assert_true(str_eq(b.prefix, STR("/prefix/")) && str_eq(b.conf_prefix, STR("/conf/")));
    assert_int_equal(b.files.count, 2);
    assert_true(str_eq(b.files.items[0].path, STR("/key")));
    assert_true(str_eq(b.files.items[0].content, STR("secret\0and more")));
    assert_true(str_eq(b.files.items[1].content, STR("")));
    assert_int_equal(b.tree->files.count, 1);
    assert_true(str_eq(b.tree->files.items[0].path, STR("f")));
    assert_true(b.tree->files.items[0].command_line);
    const struct node *http = tree_find(b.tree->top, STR("http"));
    assert_true(http->block && http->words[0].line == 2 && http->words[0].column == 1);
    assert_true(http->end_line == 5 && http->children->parent == http);
    assert_true(str_eq(http->children->children->words[0].text, STR("listen")));
    load_fini(&again);
    load_fini(&l);
    close(fd);
    arena_fini(&a);
}

/* What a file of these bytes gives. */
static bool unpacks(const char *bytes, size_t len)
{
    struct bundle b;
    int fd = os_memory_file("test");

    assert_true(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
    bool good = bundle_unpack(fd, &b);
    if (good)
        tree_free(b.tree);
    else
        assert_null(b.tree);
    close(fd);
    return good;
}

static void damaged(void **state)
{
    struct arena a;
    struct load l;
    struct stat st;

    (void)state;
    arena_init(&a);
    int fd = pack(&l, &a);
    assert_int_equal(fstat(fd, &st), 0);
    size_t len = (size_t)st.st_size;
    char *bytes = arena_alloc(&a, len + 1);
    assert_int_equal(pread(fd, bytes, len, 0), len);
    close(fd);
    assert_true(unpacks(bytes, len));
    for (size_t i = 0; i < len; i++)
        assert_false(unpacks(bytes, i));
    assert_false(unpacks(bytes, len + 1));
    for (size_t i = 0; i < len; i++) {         /* may be good where it is a text's byte; no more */
        bytes[i] = (char)(bytes[i] ^ 0xff);
        unpacks(bytes, len);
        bytes[i] = (char)(bytes[i] ^ 0xff);
    }
    load_fini(&l);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
