/*
 * plain: a back end in C, a thread for each connection: GET /N gives N bytes, anything else what
 * was sent.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* Until `size` bytes are there; false: the end. */
static int fill(int fd, char *space, size_t *used, size_t size)
{
    while (*used < size) {
        ssize_t n = read(fd, space + *used, size - *used);
        if (n <= 0)
            return 0;
        *used += (size_t)n;
    }
    return 1;
}

static void send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

static size_t read_head(int fd, char *head, size_t size)
{
    size_t used = 0;

    while (used + 1 < size && fill(fd, head, &used, used + 1)) {
        head[used] = 0;
        if (used >= 4 && memcmp(head + used - 4, "\r\n\r\n", 4) == 0)
            return used;
    }
    return 0;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n"

static void send_head(int fd, size_t length)
{
    char line[100];

    snprintf(line, sizeof line, HEAD, length);
    send_all(fd, line, strlen(line));
}

static void send_back(int fd, size_t length)
{
    char *body = malloc(length + 1);
    size_t used = 0;

    if (fill(fd, body, &used, length)) {
        send_head(fd, length);
        send_all(fd, body, length);
    }
    free(body);
}

static int answer(int fd, const char *head)
{
    const char *field = strcasestr(head, "\r\ncontent-length:");
    size_t left = strncmp(head, "GET /", 5) == 0 ? strtoul(head + 5, NULL, 10) : 0;
    char piece[65536];

    if (strncmp(head, "GET ", 4) != 0) {
        send_back(fd, field ? strtoul(field + 17, NULL, 10) : 0);
        return 1;
    }
    /* The head and the first bytes in one call: who is killed has sent both or neither. */
    memset(piece, 'x', sizeof piece);
    size_t begun = (size_t)snprintf(piece, sizeof piece, HEAD, left), total = begun + left;
    piece[begun] = 'x';
    for (size_t sent = 0; sent < total;) {
        const char *from = sent < begun ? piece + sent : piece + begun;
        size_t room = (size_t)(piece + sizeof piece - from);
        ssize_t n = write(fd, from, total - sent < room ? total - sent : room);
        if (n <= 0)
            return 0;
        sent += (size_t)n;
    }
    return 1;
}

static void *serve(void *arg)
{
    int fd = (int)(long)arg;
    char head[16384];

    while (read_head(fd, head, sizeof head) && answer(fd, head))
        ;
    close(fd);
    return NULL;
}

int main(int argc, char **argv)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    pthread_t thread;

    signal(SIGPIPE, SIG_IGN);
    a.sin_port = htons((unsigned short)atoi(argc > 1 ? argv[1] : "0"));
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(listener, 128) < 0)
        return 1;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fd >= 0 && pthread_create(&thread, NULL, serve, (void *)(long)fd) == 0)
            pthread_detach(thread);
    }
}
