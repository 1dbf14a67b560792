/*
 * password: whether a password is the one that an entry of a password file was made from, in the forms
 * that htpasswd and its like write: crypt(3) in all its ways, Apache's MD5, and the schemes of RFC 2307.
 */
#ifndef BASE_PASSWORD_H
#define BASE_PASSWORD_H

#include "base/str.h"

enum password_result { PASSWORD_WRONG, PASSWORD_RIGHT, PASSWORD_UNKNOWN_FORM };

/* May take its time, as it should: call it in a thread unless password_is_quick().  Safe in any thread. */
enum password_result password_check(struct str entry, struct str password);
/* The form needs no more than one pass of a digest. */
bool password_is_quick(struct str entry);

#endif
