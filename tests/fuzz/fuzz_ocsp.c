/*
 * fuzz_ocsp: what OCSP responders send, and their URLs.  The first byte chooses whether the connection has
 * ended; what follows is a response of HTTP, whose content is an answer about some certificate.  What was good
 * or bad of its beginning stays so when more comes.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

#ifdef HAVE_TLS
#include "http/modules/ssl/ssl_ocsp.h"
#include "upstream/ocsp/responder.h"

static enum fetch_state judge(struct str in, bool end, struct arena *a)
{
    struct out content = out_growing(a, FETCH_ANSWER_MAX);
    const char *why = NULL;
    enum fetch_state state = ssl_ocsp_http.judge(in, end, &content, &why);

    assert(state != FETCH_FAILED || why);
    assert(!content.overflow && out_len(&content) <= in.len);
    if (state == FETCH_DONE)
        tls_is_answer(out_str_of(&content));
    return state;
}

static void check_url(struct str url)
{
    char space[65536];
    struct out o = out_fixed(space, sizeof space);
    struct responder r;

    if (responder_parse(url, &r) || url.len > 8192)
        return;
    assert(r.host.len && r.port && r.port <= 65535);
    responder_put_request(&r, STR("question"), &o);
    assert(!o.overflow);
    struct str line = str_first(out_str_of(&o), (size_t)str_index(out_str_of(&o), '\r'));
    assert(str_ends(line, STR(" HTTP/1.0")) && str_index(line, '\n') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;

    if (size == 0)
        return 0;
    struct str in = { (const char *)data + 1, size - 1 };
    check_url(in);
    tls_is_answer(in);
    if (size > FETCH_ANSWER_MAX)
        return 0;
    arena_init(&a);
    enum fetch_state whole = judge(in, data[0] & 1, &a);
    enum fetch_state half = judge(str_first(in, in.len / 2), false, &a);
    assert(half == FETCH_WAIT || half == whole);
    arena_fini(&a);
    return 0;
}
#else
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)data;
    (void)size;
    return 0;
}
#endif
