/*
 * floor: what a server costs that does nothing but receive and send, as a measure for the others.  It
 * finds where a request's head ends and answers with one response made ready at the start; it looks at
 * no method, path or field, so it is fit for tests/bench/run and for nothing else.
 *
 *   floor STATUS FILE [close]
 *
 * listens on a port of 127.0.0.1 that the kernel chooses, prints it, and runs until it is killed.  With
 * "close", each connection serves one request.  Linux only.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    IN_MEMORY = 32768,     /* bytes of a body that are sent with the head; above that by sendfile() */
    EVENTS = 256,
    RECEIVE = 8192,
};

/* A connection, by its descriptor. */
struct peer {
    size_t owed;           /* bytes of responses that it has not been sent yet */
    size_t line;           /* bytes of the current line of its request, without CR */
};

static struct {
    char *memory;          /* the head, and the body too if that is small */
    size_t in_memory, total;
    int file;
    bool close;
} response;

static struct peer *peers;
static size_t peers_max;

static void need(bool good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1);
}

static void prepare(const char *status, const char *path, bool close_after)
{
    struct stat st;
    size_t head;

    response.file = open(path, O_RDONLY | O_CLOEXEC);
    need(response.file >= 0 && fstat(response.file, &st) == 0, path);
    size_t body = (size_t)st.st_size;
    FILE *f = open_memstream(&response.memory, &head);
    need(f != NULL, "memory");
    fprintf(f, "HTTP/1.1 %s Status\r\nServer: floor\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
               "Content-Type: application/octet-stream\r\nContent-Length: %zu\r\n"
               "Last-Modified: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: %s\r\n"
               "ETag: \"65000000-400\"\r\nAccept-Ranges: bytes\r\n\r\n",
            status, body, close_after ? "close" : "keep-alive");
    need(fclose(f) == 0, "memory");
    response.close = close_after;
    response.total = head + body;
    response.in_memory = head;
    if (body > IN_MEMORY)
        return;
    response.in_memory += body;
    response.memory = realloc(response.memory, response.in_memory);
    need(response.memory != NULL, "memory");
    need(pread(response.file, response.memory + head, body, 0) == st.st_size, path);
}

/* How many heads end in these bytes. */
static size_t heads_ended(struct peer *p, const char *at, size_t len)
{
    const char *end = at + len, *newline;
    size_t ended = 0;

    while ((newline = memchr(at, '\n', (size_t)(end - at)))) {
        p->line += (size_t)(newline - at);
        if (newline > at && newline[-1] == '\r')
            p->line--;
        ended += p->line == 0;
        p->line = 0;
        at = newline + 1;
    }
    p->line += (size_t)(end - at);
    if (end > at && end[-1] == '\r')
        p->line--;
    return ended;
}

/* Sends what is owed, as far as it goes; false: the connection is done with. */
static bool pay(int fd, struct peer *p)
{
    while (p->owed > 0) {
        size_t at = (response.total - p->owed % response.total) % response.total;
        off_t offset = (off_t)(at - response.in_memory);
        ssize_t n;

        if (at < response.in_memory)
            n = send(fd, response.memory + at, response.in_memory - at,
                     MSG_NOSIGNAL | (response.in_memory < response.total ? MSG_MORE : 0));
        else
            n = sendfile(fd, response.file, &offset, response.total - at);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0)
            return false;
        p->owed -= (size_t)n;
    }
    return !response.close;
}

/* The watch is edge-triggered, but one recv() per event is enough: nobody pipelines 8 KiB of heads
 * here, and who sends more gives another edge. */
static bool serve(int fd, struct peer *p)
{
    char buffer[RECEIVE];

    if (p->owed > 0 && !pay(fd, p))
        return false;
    ssize_t n = recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    size_t ended = heads_ended(p, buffer, (size_t)n);
    p->owed += ended * response.total;
    return ended == 0 || pay(fd, p);
}

static void welcome(int epoll, int listening)
{
    for (;;) {
        int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        struct epoll_event watch = { EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, { .fd = fd } };

        if (fd < 0)
            return;
        if ((size_t)fd >= peers_max || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &watch) != 0) {
            close(fd);
            continue;
        }
        peers[fd] = (struct peer){ 0 };
    }
}

static int listen_anywhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 && listen(fd, 4096) == 0 &&
             getsockname(fd, (struct sockaddr *)&address, &len) == 0,
         "listen");
    printf("%u\n", ntohs(address.sin_port));
    need(fflush(stdout) == 0, "stdout");
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];
    struct rlimit limit;

    if (argc < 3) {
        fputs("usage: floor STATUS FILE [close]\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);                  /* sendfile() has no MSG_NOSIGNAL */
    prepare(argv[1], argv[2], argc > 3);
    need(getrlimit(RLIMIT_NOFILE, &limit) == 0, "getrlimit");
    peers_max = (size_t)limit.rlim_cur;
    peers = calloc(peers_max, sizeof *peers);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    need(peers != NULL && epoll >= 0, "epoll");
    int listening = listen_anywhere();
    struct epoll_event watch = { EPOLLIN, { .fd = listening } };
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, listening, &watch) == 0, "epoll");

    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listening)
                welcome(epoll, fd);
            else if (!serve(fd, &peers[fd]))
                close(fd);
        }
    }
}
