/*
 * murmur2: MurmurHash2 of 32 bits with the seed 0, as split_clients in nginx's configuration counts
 * on.  Not for tables that a peer fills.
 */
#ifndef BASE_DIGEST_MURMUR2_H
#define BASE_DIGEST_MURMUR2_H

#include "base/str.h"

uint32_t murmur2(struct str data);

#endif
