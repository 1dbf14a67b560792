/*
 * accept_encoding: which codings a client takes, RFC 9110 section 12.5.3.
 */
#ifndef HTTP_MODULES_ACCEPT_ENCODING_H
#define HTTP_MODULES_ACCEPT_ENCODING_H

#include "base/str.h"

/*
 * The weight of `coding` in a field's value, in thousandths: 0 where it is not named, refused (q=0) or
 * its weight is malformed.  "*" names nothing here: who does not say a coding may not know it.
 */
unsigned accept_encoding_weight(struct str field, struct str coding);

#endif
