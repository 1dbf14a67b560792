/*
 * explain_head: the head of a response, as the wire writes it: into a socket of our own.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/explain.h"
#include "http/request.h"

enum { HEAD_READ = 65536 };

static void add_lines(struct explain *e, struct str head)
{
    ptrdiff_t end = str_find(head, STR("\r\n\r\n"));
    struct str rest = end < 0 ? head : str_first(head, (size_t)end);

    str_split(&rest, '\n');                    /* the status line */
    while (rest.data) {
        struct str line = str_split(&rest, '\n');
        if (str_ends(line, STR("\r")))
            line.len--;
        *ARRAY_PUSH(&e->fields, &e->arena) = line;
    }
}

static void send_head(struct request *r, int fd)
{
    struct client *c = r->client;

    source_close(r->response.body);            /* the head is all that is wanted */
    r->response.body = NULL;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    c->connection.watch.fd = fd;
    c->connection.watch.ready = READY_WRITE;
    c->nodelay = true;
    r->wire->send(r);
    c->connection.watch.fd = -1;
}

void explain_head(struct explain *e, struct request *r)
{
    char *space = arena_alloc(&e->arena, HEAD_READ);
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return;
    send_head(r, pair[0]);
    close(pair[0]);
    ssize_t n = recv(pair[1], space, HEAD_READ, MSG_WAITALL);
    close(pair[1]);
    if (n > 0 && !r->flags.simple)
        add_lines(e, (struct str){ space, (size_t)n });
}
