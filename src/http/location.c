/*
 * location: see location.h.
 */
#include "http/location.h"

#include <stdlib.h>

#include "http/body.h"
#include "http/core.h"
#include "http/escape.h"
#include "http/request.h"
#include "http/response.h"
#include "http/trace.h"
#include "script/pattern_set.h"

/* A node of the tree of names: what its label adds to those above it. */
struct radix {
    struct str label;
    struct location *prefix, *exact;           /* that end here; NULL: none */
    struct radix **children;                   /* their labels begin with different bytes, ascending */
    unsigned count;
};

/* ---- building ---- */

struct named {
    struct str rest;                           /* of the name, below the node that is being built */
    struct location *location;
};

static int by_name(const void *a, const void *b)
{
    return str_cmp(((const struct named *)a)->rest, ((const struct named *)b)->rest);
}

/* How many bytes the first and the last name of a sorted run have in common. */
static size_t common(struct str a, struct str b)
{
    size_t n = 0;

    while (n < a.len && n < b.len && a.data[n] == b.data[n])
        n++;
    return n;
}

/* Builds the node of a sorted, non-empty run of names that begin with the same byte (or all of them). */
static struct radix *build(struct arena *a, struct named *names, unsigned count)
{
    struct radix *node = ARENA_NEW(a, struct radix);
    size_t len = common(names[0].rest, names[count - 1].rest);
    ARRAY(struct radix *) children = { 0 };

    node->label = str_first(names[0].rest, len);
    for (unsigned i = 0; i < count; i++)
        names[i].rest = str_from(names[i].rest, len);
    for (unsigned i = 0; i < count;) {
        if (names[i].rest.len == 0) {
            struct location *l = names[i++].location;
            *(l->kind == LOCATION_EXACT ? &node->exact : &node->prefix) = l;
            continue;
        }
        unsigned end = i + 1;
        while (end < count && names[end].rest.data[0] == names[i].rest.data[0])
            end++;
        struct radix *child = build(a, names + i, end - i);
        *ARRAY_PUSH(&children, a) = child;
        i = end;
    }
    node->children = children.items;
    node->count = children.count;
    return node;
}

static bool is_static(const struct location *l)
{
    return l->kind == LOCATION_PREFIX || l->kind == LOCATION_PREFIX_FINAL ||
           l->kind == LOCATION_EXACT;
}

bool location_build(struct setting *s, struct location *level)
{
    ARRAY(struct named) names = { 0 };

    for (unsigned i = 0; i < level->nested.count; i++) {
        struct location *l = level->nested.items[i];
        if (is_static(l))
            *ARRAY_PUSH(&names, &s->config->scratch) = (struct named){ l->name, l };
    }
    if (names.count) {
        qsort(names.items, names.count, sizeof names.items[0], by_name);
        level->prefixes = build(setting_arena(s), names.items, names.count);
    }
    if (level->patterns)
        pattern_set_end(level->patterns, s->config->generation);
    return true;
}

bool location_add_pattern(struct setting *s, struct location *level, struct location *l,
                          bool caseless)
{
    struct pattern *p = pattern_compile(s, 2, l->name, caseless);

    if (!p)
        return false;
    if (!level->patterns)
        level->patterns = pattern_set_new(setting_arena(s));
    pattern_set_add(level->patterns, p);
    *ARRAY_PUSH(&level->regexes, setting_arena(s)) = l;
    return true;
}

/* ---- finding ---- */

static const struct radix *child_of(const struct radix *node, char c)
{
    unsigned low = 0, high = node->count;

    while (low < high) {
        unsigned middle = (low + high) / 2;
        unsigned char first = (unsigned char)node->children[middle]->label.data[0];
        if (first == (unsigned char)c)
            return node->children[middle];
        if (first < (unsigned char)c)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* What one walk of a tree finds for a path. */
struct found {
    struct location *exact, *prefix;           /* prefix: the longest */
    struct location *with_slash;               /* only the path with a slash added is a name */
};

static struct found walk(const struct radix *node, struct str path)
{
    struct found found = { 0 };

    while (node && str_starts(path, node->label)) {
        path = str_from(path, node->label.len);
        if (node->prefix)
            found.prefix = node->prefix;
        if (path.len == 0) {
            const struct radix *slash = child_of(node, '/');
            found.exact = node->exact;
            if (!node->prefix && slash && slash->label.len == 1)
                found.with_slash = slash->prefix;
            return found;
        }
        node = child_of(node, path.data[0]);
    }
    if (node && node->label.len == path.len + 1 && str_starts(node->label, path) &&
        node->label.data[path.len] == '/')
        found.with_slash = node->prefix;
    return found;
}

enum outcome { NOTHING, PREFIX, SETTLED, REDIRECT, FAILED };

/* The patterns of a level, and what is nested in the first that matches. */
static enum outcome find_pattern(struct request *r, const struct location *level);

/* Looks in one level: exact names, the longest prefix with what is nested in it, then patterns. */
static enum outcome find_in(struct request *r, const struct location *level)
{
    struct found found = walk(level->prefixes, r->uri);
    enum outcome outcome = NOTHING;

    if (r->trace)
        r->trace->level(r, level, found.exact ? found.exact : found.prefix);
    if (found.exact) {
        request_set_location(r, found.exact);
        return SETTLED;
    }
    if (found.with_slash && found.with_slash->auto_redirect) {
        request_set_location(r, found.with_slash);
        return REDIRECT;
    }
    if (found.prefix) {
        request_set_location(r, found.prefix);
        outcome = found.prefix->nested.count ? find_in(r, found.prefix) : NOTHING;
        if (outcome > PREFIX)
            return outcome;
        outcome = PREFIX;
        if (found.prefix->kind == LOCATION_PREFIX_FINAL)
            return outcome;
    }
    enum outcome matched = level->patterns ? find_pattern(r, level) : NOTHING;
    return matched == NOTHING ? outcome : matched;
}

static enum outcome find_pattern(struct request *r, const struct location *level)
{
    unsigned index;
    enum pattern_result result =
        pattern_set_match(level->patterns, request_script(r), r->uri, &index);

    if (r->trace)
        r->trace->patterns(r, level, result == PATTERN_MATCH ? level->regexes.items[index] : NULL);
    switch (result) {
    case PATTERN_NO_MATCH:
        return NOTHING;
    case PATTERN_FAILED:
        return FAILED;
    case PATTERN_MATCH:
        break;
    }
    const struct location *l = level->regexes.items[index];
    request_set_location(r, l);
    enum outcome inner = l->nested.count ? find_in(r, l) : NOTHING;
    return inner == REDIRECT || inner == FAILED ? inner : SETTLED;
}

static int redirect_with_slash(struct request *r)
{
    struct out o = out_growing(&r->arena, 3 * r->location->name.len + r->args.len + 1);

    escape_path(&o, r->location->name);
    if (r->args.len) {
        out_char(&o, '?');
        out_str(&o, r->args);
    }
    return response_redirect(r, STATUS_MOVED_PERMANENTLY, out_str_of(&o));
}

int location_find(struct request *r)
{
    request_set_location(r, &r->server->root);
    switch (find_in(r, &r->server->root)) {
    case REDIRECT:
        return redirect_with_slash(r);
    case FAILED:
        return STATUS_INTERNAL_SERVER_ERROR;
    case NOTHING:
    case PREFIX:
    case SETTLED:
        break;
    }
    return body_check_length(r);
}

const struct location *location_named(const struct request *r, struct str name)
{
    const struct location *root = &r->server->root;

    for (unsigned i = 0; i < root->named.count; i++) {
        if (str_eq(root->named.items[i]->name, name))
            return root->named.items[i];
    }
    return NULL;
}
