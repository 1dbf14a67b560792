/*
 * fuzz_http2: what a hostile client may send over HTTP/2, to a whole server: the input is a connection's
 * bytes behind the preface, cut into reads by its first byte.  Whatever comes, what the server sends are
 * whole frames that a client's settings allow, and the connection ends when the client has gone.  CONNECT
 * leads to a peer that says what it hears, and leaves when it likes.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/resolve.h"
#include "event/loop.h"
#include "http/http.h"
#include "http/v2/frame.h"
#include "http/v2/v2.h"
#include "weir_modules.h"

static const char conf[] =
    "error_log /dev/null emerg; http { http2 on; access_log off; keepalive_requests 30;"
    " http2_max_concurrent_streams 5; http2_body_preread_size 1000; max_headers 20;"
    " large_client_header_buffers 2 1k; lingering_close off;"
    " server { listen 127.0.0.1:1; location / { return 200 text; }"
    "  location = / { if ($request_method != CONNECT) { return 200 text; } tunnel_pass unix:%s; }"
    "  location /long { return 200 $request_uri$request_uri; }"
    "  location /file { root /dev; } location /late { limit_rate 1; return 200 text; }"
    "  location /none { return 444; } } }";

static struct listener listener;

/* ---- the peer of tunnels ---- */

enum { TUNNELS = 8 };

static struct sockaddr_un place = { .sun_family = AF_UNIX };
static int door, tunnels[TUNNELS];

static void leave_place(void)
{
    unlink(place.sun_path);
}

static void open_door(void)
{
    snprintf(place.sun_path, sizeof place.sun_path, "/tmp/fuzz_http2.%d", (int)getpid());
    door = socket(AF_UNIX, SOCK_STREAM, 0);
    fcntl(door, F_SETFL, O_NONBLOCK);
    bool open = bind(door, (struct sockaddr *)&place, sizeof place) == 0 && listen(door, 64) == 0;
    assert(open);
    atexit(leave_place);
    for (unsigned i = 0; i < TUNNELS; i++)
        tunnels[i] = -1;
}

static void close_tunnel(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What is heard goes back; 'E' is our end as well, and 'X' leaves at once. */
static void serve_tunnel(int *fd)
{
    char bytes[4096];
    ssize_t n = recv(*fd, bytes, sizeof bytes, 0);

    if (n > 0)
        n = send(*fd, bytes, (size_t)n, MSG_NOSIGNAL);
    if (n > 0 && bytes[0] == 'E')
        shutdown(*fd, SHUT_WR);
    if (n == 0 || (n > 0 && bytes[0] == 'X'))
        close_tunnel(fd);
}

static void serve_tunnels(void)
{
    int *vacant = NULL;

    for (unsigned i = 0; i < TUNNELS; i++) {
        if (tunnels[i] >= 0)
            serve_tunnel(&tunnels[i]);
        if (tunnels[i] < 0)
            vacant = &tunnels[i];
    }
    if (vacant && (*vacant = accept(door, NULL, NULL)) >= 0)
        fcntl(*vacant, F_SETFL, O_NONBLOCK);
}

/* ---- the server ---- */

static void prepare(void)
{
    static char text[2048];
    struct diag d;

    modules_init(weir_modules);
    diag_init(&d);
    open_door();
    snprintf(text, sizeof text, conf, place.sun_path);
    struct tree *t = tree_parse(STR("conf"), str_of(text), &d);
    struct generation *g = config_resolve(t, STR("/p/"), STR("/p/c/"), &d);
    diag_print(&d, stderr, true);
    assert(g && g->listens.count == 1);
    diag_fini(&d);
    tree_free(t);
    listener.spec = g->listens.items[0];
    listener.spec->generation = g;
    bool looping = loop_init(NULL, 64);
    assert(looping);
}

/* The server's bytes, frame by frame. */
struct heard {
    char bytes[1 << 17];
    size_t len;
    uint32_t block;                    /* the stream of a head that is not complete */
    bool goaway;
};

static void check_frame(struct heard *h, const struct frame *f)
{
    assert(f->length <= FRAME_SIZE);
    assert(f->type <= FRAME_CONTINUATION && f->type != FRAME_PUSH_PROMISE && f->type != FRAME_PRIORITY);
    assert(h->block ? f->type == FRAME_CONTINUATION && f->stream == h->block
                    : f->type != FRAME_CONTINUATION);
    if (f->type == FRAME_HEADERS || f->type == FRAME_CONTINUATION)
        h->block = f->flags & FLAG_END_HEADERS ? 0 : f->stream;
    if (f->type == FRAME_DATA || f->type == FRAME_HEADERS || f->type == FRAME_RST_STREAM)
        assert(f->stream % 2 == 1);
    if (f->type == FRAME_SETTINGS || f->type == FRAME_PING || f->type == FRAME_GOAWAY)
        assert(f->stream == 0);
    h->goaway |= f->type == FRAME_GOAWAY;
}

static void hear(int fd, struct heard *h)
{
    ssize_t n;

    while ((n = read(fd, h->bytes + h->len, sizeof h->bytes - h->len)) > 0) {
        size_t at = 0;
        h->len += (size_t)n;
        while (h->len - at >= FRAME_HEAD_SIZE) {
            struct frame f = frame_head(h->bytes + at);
            if (h->len - at < FRAME_HEAD_SIZE + f.length)
                break;
            check_frame(h, &f);
            at += FRAME_HEAD_SIZE + f.length;
        }
        h->len -= at;
        memmove(h->bytes, h->bytes + at, h->len);
    }
}

static void say(int fd, struct heard *h, struct str bytes, size_t step)
{
    while (bytes.len) {
        ssize_t n = send(fd, bytes.data, bytes.len < step ? bytes.len : step, MSG_NOSIGNAL);
        loop_turn(0);
        serve_tunnels();
        hear(fd, h);
        if (n <= 0)
            break;
        bytes = str_from(bytes, (size_t)n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct heard h;
    struct address peer;
    struct str bytes = { (const char *)data, size };
    int pair[2];

    if (!listener.spec)
        prepare();
    if (size == 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 0;
    memset(&h, 0, sizeof h);
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    fcntl(pair[1], F_SETFL, O_NONBLOCK);
    address_parse_ip(STR("127.0.0.1"), 1, &peer);
    listener.connections++;
    client_accept(&listener, pair[0], &peer);
    say(pair[1], &h, STR(V2_PREFACE), SIZE_MAX);
    say(pair[1], &h, STR("\0\0\0\4\0\0\0\0\0"), SIZE_MAX);
    say(pair[1], &h, str_from(bytes, 1), data[0] ? data[0] : SIZE_MAX);
    for (unsigned i = 0; i < 4; i++) {
        loop_turn(0);
        serve_tunnels();
        hear(pair[1], &h);
    }
    close(pair[1]);
    for (unsigned i = 0; i < 10 && connection_count(); i++)
        loop_turn(0);
    connection_abort_all();
    loop_turn(0);
    assert(connection_count() == 0);
    for (unsigned i = 0; i < TUNNELS; i++)
        close_tunnel(&tunnels[i]);
    return 0;
}
