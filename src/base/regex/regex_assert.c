/*
 * regex_assert: see regex_assert.h.
 */
#include "base/regex/regex_assert.h"

#include "base/regex/regex_utf8.h"

static bool is_word(unsigned char c)
{
    unsigned char lower = c | 0x20;

    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

unsigned regex_assert_before(unsigned char byte)
{
    return byte == '\n' ? BEFORE_NEWLINE : is_word(byte) ? BEFORE_WORD : 0;
}

unsigned regex_assert_after(unsigned char byte)
{
    if (byte == '\n')
        return AFTER_NEWLINE;
    if (is_word(byte))
        return AFTER_WORD;
    return regex_utf8_is_continuation(byte) ? AFTER_CONTINUATION : 0;
}

bool regex_assert_holds(enum regex_assertion assertion, unsigned before, unsigned after)
{
    switch (assertion) {
    case ASSERT_TEXT_START:
        return before & BEFORE_START;
    case ASSERT_LINE_START:   /* not after a newline that ends the subject */
        return (before & BEFORE_START) || ((before & BEFORE_NEWLINE) && !(after & AFTER_END));
    case ASSERT_TEXT_END:
        return after & AFTER_END;
    case ASSERT_FINAL_LINE_END:
        return after & (AFTER_END | AFTER_FINAL_NEWLINE);
    case ASSERT_LINE_END:
        return after & (AFTER_END | AFTER_NEWLINE);
    case ASSERT_WORD_EDGE:
        return !(before & BEFORE_WORD) != !(after & AFTER_WORD);
    case ASSERT_NO_WORD_EDGE:
        return !(before & BEFORE_WORD) == !(after & AFTER_WORD);
    case ASSERT_CHARACTER:
        return !(after & AFTER_CONTINUATION);
    }
    return false;
}

bool regex_assert_holds_at(enum regex_assertion assertion, const unsigned char *start,
                           const unsigned char *at, const unsigned char *end)
{
    if (assertion == ASSERT_TEXT_START)   /* these two are far the most frequent */
        return at == start;
    if (assertion == ASSERT_FINAL_LINE_END)
        return at == end || (*at == '\n' && at + 1 == end);
    unsigned before = at == start ? BEFORE_START : regex_assert_before(at[-1]);
    unsigned after = at == end ? AFTER_END : regex_assert_after(*at);

    if (after == AFTER_NEWLINE && at + 1 == end)
        after |= AFTER_FINAL_NEWLINE;
    return regex_assert_holds(assertion, before, after);
}
