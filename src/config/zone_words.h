/*
 * zone_words: `zone=name:size` of directives that define shared zones, and zone=name of those that use
 * them.
 */
#ifndef CONFIG_ZONE_WORDS_H
#define CONFIG_ZONE_WORDS_H

#include "config/resolve.h"

/*
 * The zone of that name, registered with the generation if it is new.  `tag` tells uses apart: a name
 * that another use has is a mistake, as are two sizes.  Size 0 is that of a zone whose definition is to
 * come; who registers one sees to it that it does.  NULL after setting_error() at word `word`.
 */
struct zone_spec *zone_words_define(struct setting *s, unsigned word, struct str name, size_t size,
                                    const void *tag);
/* name:size.  false after setting_error() at word `word`. */
bool zone_words_parse(struct setting *s, unsigned word, struct str text, struct str *name,
                      size_t *size);

#endif
