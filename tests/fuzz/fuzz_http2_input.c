/*
 * fuzz_http2_input: what a hostile peer may send over HTTP/2: three streams wait for their responses.  The
 * records that come of it must be whole, and end once.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "http/proxy/http2_input.h"
#include "http/proxy/http2_stream.h"

enum { STREAMS = 3 };

static const struct transport nowhere = { .name = "nowhere" };

static struct log_target none;
static const struct log quiet = { &none, 0, LOG_LEVEL_STDERR };

static void wake(void *owner)
{
    (void)owner;
}

static void check_records(const struct http2_stream *s)
{
    struct cursor c = cursor_of(byte_queue_str(&s->in).data, byte_queue_len(&s->in));
    bool ended = false;

    while (cursor_left(&c)) {
        assert(!ended);
        uint8_t type = cursor_u8(&c);
        cursor_take(&c, cursor_u32(&c));
        assert(!c.bad);
        assert(type == HTTP2_RECORD_HEAD || type == HTTP2_RECORD_DATA || type == HTTP2_RECORD_TRAILERS ||
               type == HTTP2_RECORD_END);
        ended = type == HTTP2_RECORD_END;
    }
    assert(!ended || s->ended);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct link link = { 0 };
    struct http2_peer p = { .link = &link, .next_id = 1 + 2 * STREAMS, .connected = true,
                            .send_window = FRAME_WINDOW, .stream_window = FRAME_WINDOW };
    struct http2_stream streams[STREAMS] = { 0 };

    log_process = &quiet;
    link_init_stream(&link, &nowhere, NULL, wake, NULL);
    list_init(&p.streams);
    list_init(&p.waiting);
    hpack_decoder_init(&p.decoder, HPACK_TABLE_SIZE);
    for (unsigned i = 0; i < STREAMS; i++) {
        struct http2_stream *s = &streams[i];
        s->peer = &p;
        s->id = 1 + 2 * i;
        s->receive_window = FRAME_WINDOW;
        list_init(&s->news);
        list_push(&p.streams, &s->place);
    }
    if (byte_queue_put(&p.in, bytes, size)) {
        while (http2_input_take(&p))
            continue;
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        check_records(&streams[i]);
        byte_queue_fini(&streams[i].in);
    }
    list_remove(&link.connection.watch.posted);
    byte_queue_fini(&p.in);
    byte_queue_fini(&p.out);
    byte_queue_fini(&p.block);
    hpack_decoder_fini(&p.decoder);
    return 0;
}
