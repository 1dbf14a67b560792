/*
 * files_map: from the path of a request to one in the file system, by root or alias.  Looks at no files.
 */
#include "http/files.h"
#include "http/location.h"
#include "http/request.h"

enum { PATH_TEMPLATE_MAX = 65536 };    /* bytes of a path that variables make */

/* The location whose alias it is: a nested one has it from outside. */
static const struct location *alias_owner(const struct request *r, const struct core_conf *conf)
{
    const struct location *l = r->location;

    while (l->outer && l->outer->kind != LOCATION_SERVER) {
        const struct core_conf *outer = core_conf(l->outer->conf);
        if (!outer->is_alias || outer->alias.text.data != conf->alias.text.data)
            break;
        l = l->outer;
    }
    return l;
}

size_t files_alias_length(const struct request *r)
{
    const struct core_conf *conf = core_conf(r->conf);

    if (!conf->is_alias || !r->location)
        return 0;
    const struct location *owner = alias_owner(r, conf);
    return owner->kind == LOCATION_REGEX ? ALIAS_WHOLE : owner->name.len;
}

unsigned files_count_dots(struct str path)
{
    unsigned count = 0;

    while (path.data)
        count += str_eq(str_split(&path, '/'), STR(".."));
    return count;
}

/* What the variables and the request brought may not lead upwards; what the configuration says, may. */
static bool stays_inside(struct request *r, const struct template *base, struct str path)
{
    if (memchr(path.data, '\0', path.len) == NULL &&
        files_count_dots(path) <= files_count_dots(base->text))
        return true;
    request_log(r, LOG_LEVEL_ERROR, 0, "\"%.*s\" is outside of \"%.*s\"", STR_ARG(path),
                STR_ARG(base->text));
    return false;
}

/* `base` followed by `tail`. */
static struct str join(struct request *r, const struct template *base, struct str tail,
                       size_t reserve, size_t *root_len)
{
    const struct str none = { NULL, 0 };
    struct str value = base->text;

    if (!template_is_text(base)) {
        struct script *script = request_script(r);
        value = template_value(base, script);
        if (script->failed || value.len == 0 || value.len > PATH_TEMPLATE_MAX) {
            if (!script->failed)
                request_log(r, LOG_LEVEL_ERROR, 0, "\"%.*s\" gives no usable path",
                            STR_ARG(base->text));
            return none;
        }
    }
    char *path = arena_try_alloc(&r->arena, value.len + tail.len + reserve + 1);
    if (!path)
        return none;
    struct out o = out_fixed(path, value.len + tail.len + 1);
    out_str(&o, value);
    out_str(&o, tail);
    out_char(&o, '\0');
    if (root_len)
        *root_len = value.len;
    return (struct str){ path, value.len + tail.len };
}

/* `normalised`: the tail is a path as the client's was normalised; below a plain root it needs no
 * look. */
static struct str map(struct request *r, size_t alias, struct str tail, bool normalised,
                      size_t reserve, size_t *root_len)
{
    const struct core_conf *conf = core_conf(r->conf);
    const struct template *base = alias ? &conf->alias : &conf->root;
    struct str path = join(r, base, tail, reserve, root_len);

    bool settled = normalised && !alias && template_is_text(base);
    if (path.data && !settled && !stays_inside(r, base, path))
        path.data = NULL;
    return path;
}

struct str files_map_uri(struct request *r, size_t reserve, size_t *root_len)
{
    size_t alias = files_alias_length(r);
    struct str tail = r->uri;

    if (alias == ALIAS_WHOLE) {
        if (!r->flags.add_uri_to_alias)
            tail.len = 0;
    } else if (alias) {
        struct str name = alias_owner(r, core_conf(r->conf))->name;
        if (!str_starts(r->uri, name)) {
            request_log(r, LOG_LEVEL_ALERT, 0,
                        "\"alias\" cannot be used in location \"%.*s\" where URI was rewritten",
                        STR_ARG(name));
            return (struct str){ NULL, 0 };
        }
        tail = str_from(tail, alias);
    }
    return map(r, alias, tail, !r->flags.rewritten && !r->parent, reserve, root_len);
}

struct str files_map_name(struct request *r, struct str name, size_t reserve, size_t *root_len)
{
    size_t alias = files_alias_length(r);

    if (alias && alias != ALIAS_WHOLE && name.len >= alias && r->uri.len >= alias &&
        memcmp(name.data, r->uri.data, alias) == 0)
        name = str_from(name, alias);
    return map(r, alias, name, false, reserve, root_len);
}
