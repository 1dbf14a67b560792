/*
 * types: the kinds of values that directives of all modules share.  The comment of each gives the C
 * type of its field.
 */
#ifndef CONFIG_TYPES_H
#define CONFIG_TYPES_H

#include <time.h>

#include "config/directive.h"

extern const struct type type_flag;        /* bool: on | off */
extern const struct type type_number;      /* unsigned; .data may be a struct number_range */
extern const struct type type_size;        /* size_t: 10, 8k, 1m */
extern const struct type type_offset;      /* int64_t: as size, and 1g */
extern const struct type type_time;        /* uint64_t, milliseconds: 10ms 5s 1h30m 1M; plain seconds */
extern const struct type type_seconds;     /* time_t, seconds: the same texts without "ms" */
extern const struct type type_enum;        /* unsigned; .data is a struct name_value list */
extern const struct type type_bitmask;     /* unsigned; .data is a struct name_value list; several words */
extern const struct type type_str;         /* struct str, one word */
extern const struct type type_strings;     /* struct strings, one or more words */
extern const struct type type_path;        /* struct str, made absolute against the prefix */
extern const struct type type_conf_path;   /* struct str, made absolute against the configuration's folder */
extern const struct type type_bufs;        /* struct bufs: 4 8k */
extern const struct type type_accepted;    /* no field: taken and without effect here, the help says why */

struct number_range {
    unsigned min, max;
};

struct name_value {
    const char *name;                      /* NULL ends the list */
    unsigned value;
};

struct strings {
    struct str *items;
    unsigned count;
};

struct bufs {
    unsigned count;
    size_t size;
};

/* The same readings for types of a module's own: false without a message. */
bool parse_size(struct str s, size_t *value);
bool parse_offset(struct str s, int64_t *value);
bool parse_time(struct str s, uint64_t *ms);
bool parse_seconds(struct str s, time_t *seconds);
bool parse_flag(struct str s, bool *value);
bool parse_enum(struct str s, const struct name_value *names, unsigned *value);
void print_size(struct out *o, uint64_t value);
void print_time(struct out *o, uint64_t ms);
/* What a cache may hold: "off" (max is 0), or "max=N inactive=time". */
void print_cache_limits(struct out *o, unsigned max, time_t inactive);
/* A text as one word of a configuration: quoted and escaped where it must be. */
void print_word(struct out *o, struct str s);
/* The print() of a type whose field has nothing to be written.  (Without a field a type needs none.) */
void print_nothing(const struct directive *row, const void *field, struct out *o);

#endif
