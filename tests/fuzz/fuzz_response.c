/*
 * fuzz_response: the head of a peer's response and a chunked body behind it, as a hostile peer may send
 * them.  What is accepted must be fit to be sent on: no line breaks, no NUL, names that are tokens.
 */
#include <assert.h>

#include "http/proxy/http1_parse.h"
#include "http/v1/v1_parse.h"

static void check_text(struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        assert(s.data[i] != '\r' && s.data[i] != '\n' && s.data[i] != '\0');
}

static void read_chunks(struct str in)
{
    struct v1_chunks c = { 0 };

    while (in.len && c.state != CHUNK_DONE) {
        size_t used;
        struct str data;
        if (!v1_chunks_next(&c, in, &used, &data))
            return;
        assert(used + data.len <= in.len && used + data.len > 0);
        in = str_from(in, used + data.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct str in = { (const char *)bytes, size }, line, name, value;
    struct http1_status_line status;

    if (!http1_next_line(&in, &line) || !http1_parse_status(line, &status))
        return 0;
    assert(status.status >= 100 && status.status <= 999);
    check_text(status.text);
    while (http1_next_line(&in, &line)) {
        switch (http1_parse_field(line, &name, &value)) {
        case HTTP1_FIELD:
            assert(v1_is_token(name));
            check_text(value);
            break;
        case HTTP1_LAST:
            read_chunks(in);
            return 0;
        case HTTP1_BAD:
            return 0;
        }
    }
    return 0;
}
