/*
 * access_rules: see access_rules.h.
 */
#include "config/access_rules.h"

#include "config/resolve.h"

const bool access_allow = false, access_deny = true;

static bool parse(struct setting *s, void *field)
{
    struct access_rules *list = field;
    struct access_rule rule = { .deny = *(const bool *)s->row->data };
    struct str word = setting_arg(s, 1);
    bool stray = false;

    if (str_eq(word, STR("all")))
        rule.network.family = AF_UNSPEC;
    else if (str_eq(word, STR("unix:")))
        rule.network.family = AF_UNIX;
    else if (!cidr_parse(word, &rule.network, &stray))
        return setting_invalid(s, 1);
    if (stray)
        setting_warn(s, 1, "low address bits of %.*s are meaningless", STR_ARG(word));
    *ARRAY_PUSH(&list->rules, setting_arena(s)) = rule;
    return true;
}

static void print(const struct directive *row, const void *field, struct out *o)
{
    const struct access_rules *list = field;
    bool deny = *(const bool *)row->data, first = true;

    for (unsigned i = 0; i < list->rules.count; i++) {
        if (list->rules.items[i].deny != deny)
            continue;
        if (!first)
            OUT_LITERAL(o, "; ");
        if (list->rules.items[i].network.family == AF_UNSPEC)
            OUT_LITERAL(o, "all");
        else
            cidr_put(o, &list->rules.items[i].network);
        first = false;
    }
}

const struct type type_access_rule = {
    "address | CIDR | unix: | all", "an address, a network, unix: or all", parse, print,
};

enum access_answer access_rules_check(const struct access_rules *list, const struct peer *p)
{
    for (unsigned i = 0; i < list->rules.count; i++) {
        const struct access_rule *rule = &list->rules.items[i];
        bool holds = rule->network.family == AF_UNSPEC ||
                     (rule->network.family == AF_UNIX ? p->family == AF_UNIX
                                                      : cidr_contains(&rule->network, p));
        if (holds)
            return rule->deny ? ACCESS_DENIED : ACCESS_ALLOWED;
    }
    return ACCESS_UNDECIDED;
}
