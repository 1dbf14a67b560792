/*
 * fuzz_ssi: commands of server side includes.  The first byte is the longest value allowed.  What is found
 * lies inside the text and goes forward; that a text comes in two pieces changes nothing of what is
 * found in it.
 */
#include <assert.h>
#include <stdint.h>

#include "http/modules/ssi/ssi_parse.h"

static void check_inside(struct str whole, struct str part)
{
    assert(part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ssi_command c, again;
    struct ssi_expression e;
    size_t start, end, start2, end2;
    const char *why;

    if (size < 1)
        return 0;
    struct str text = { (const char *)data + 1, size - 1 };
    while (text.len) {
        enum ssi_found found = ssi_parse(text, true, data[0], &c, &start, &end, &why);
        assert(start <= end && end <= text.len && found != SSI_MORE);
        if (found == SSI_NONE)
            return 0;
        assert(end > start);
        if (found == SSI_COMMAND) {
            assert(c.count <= SSI_PARAMS && c.name.len <= SSI_NAME_MAX);
            for (unsigned i = 0; i < c.count; i++) {
                check_inside(text, c.params[i].value);
                assert(c.params[i].value.len <= data[0]);
                ssi_parse_expression(c.params[i].value, &e);
            }
            /* As soon as it is all there, it is found, and not sooner. */
            assert(ssi_parse(str_first(text, end), false, data[0], &again, &start2, &end2, &why) ==
                   SSI_COMMAND);
            assert(start2 == start && end2 == end);
            assert(ssi_parse(str_first(text, end - 1), false, data[0], &again, &start2, &end2,
                             &why) == SSI_MORE);
            assert(start2 == start);
        }
        text = str_from(text, end);
    }
    return 0;
}
