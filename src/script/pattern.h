/*
 * pattern: a regular expression of a configuration.  Its named groups are variables, and after a match
 * $1 to $9 are its groups.  Knows nothing of what is matched.
 */
#ifndef SCRIPT_PATTERN_H
#define SCRIPT_PATTERN_H

#include "script/config_variables.h"

struct pattern;
struct regex;

enum pattern_result {
    PATTERN_NO_MATCH,
    PATTERN_MATCH,
    PATTERN_FAILED,        /* it gave up: logged, the script is marked as failed */
};

/* `text` stands at word `word`; NULL after setting_error().  Lives as long as the generation. */
struct pattern *pattern_compile(struct setting *s, unsigned word, struct str text, bool caseless);
/* The text it was compiled from. */
struct str pattern_text(const struct pattern *p);
/* How many groups it captures. */
unsigned pattern_groups(const struct pattern *p);

/* For pattern_set. */
struct regex *pattern_regex(const struct pattern *p);

/* On a match the script's captures become those of this match ($0 too, if it has groups at all), and
 * variables of named groups are set.  `subject` must live as long as the script's arena. */
enum pattern_result pattern_match(const struct pattern *p, struct script *s, struct str subject);

#endif
