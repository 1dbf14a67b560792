/*
 * regex_fold: which letters beyond ASCII are the same letter in another case.
 */
#ifndef BASE_REGEX_REGEX_FOLD_H
#define BASE_REGEX_REGEX_FOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Every `step`th code point from `first` to `last` has a partner at `delta` from it. */
struct regex_fold {
    uint32_t first, last;
    int32_t delta;
    uint32_t step;
};

extern const struct regex_fold regex_folds[];
extern const size_t regex_fold_count;

/* Are the two one letter, but for case? */
bool regex_fold_same(uint32_t left, uint32_t right);

#endif
