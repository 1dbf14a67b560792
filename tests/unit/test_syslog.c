/*
 * test_syslog: the parameters, and what reaches a server over UDP and unix sockets.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "base/syslog.h"

static struct arena arena;

/* Knows one name. */
static bool find(void *who, struct str host, struct sockaddr_storage *address, socklen_t *len,
                 struct str *problem)
{
    struct sockaddr_in *in = (struct sockaddr_in *)address;

    (void)who;
    *problem = STR("no such name");
    if (!str_eq(host, STR("localhost")))
        return false;
    in->sin_family = AF_INET;
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *len = sizeof *in;
    return true;
}

static const struct syslog_names names = { find, NULL };

static struct syslog *parse(const char *text)
{
    struct str problem = STR("");
    struct syslog *s = syslog_parse(&arena, str_of(text), &names, &problem);

    assert_int_equal(problem.len == 0, s != NULL);
    return s;
}

static int setup(void **state)
{
    (void)state;
    arena_init(&arena);
    clock_update();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_fini(&arena);
    chunk_trim(0);
    return 0;
}

static void assert_str(struct str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.data, expected, s.len);
}

static void test_defaults(void **state)
{
    struct syslog *s = parse("syslog:server=127.0.0.1");
    const struct sockaddr_in *in = (const struct sockaddr_in *)&s->address;

    (void)state;
    assert_int_equal(in->sin_family, AF_INET);
    assert_int_equal(ntohs(in->sin_port), 514);
    assert_int_equal(ntohl(in->sin_addr.s_addr), INADDR_LOOPBACK);
    assert_int_equal(s->facility, 23);
    assert_int_equal(s->severity, 6);
    assert_str(s->tag, "weir");
    assert_true(s->host.len > 0);
    assert_int_equal(s->fd, -1);
}

static void test_parameters(void **state)
{
    struct syslog *s = parse(
        "server=[::1]:12345,facility=user,tag=my_Site2,severity=debug,nohostname");
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&s->address;

    (void)state;
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6->sin6_port), 12345);
    assert_int_equal(s->facility, 1);
    assert_int_equal(s->severity, 7);
    assert_str(s->tag, "my_Site2");
    assert_int_equal(s->host.len, 0);

    s = parse("syslog:tag=x,server=unix:/tmp/a:b");
    assert_int_equal(s->address.ss_family, AF_UNIX);
    assert_string_equal(((const struct sockaddr_un *)&s->address)->sun_path, "/tmp/a:b");

    s = parse("syslog:server=localhost:99");
    assert_int_equal(ntohs(((const struct sockaddr_in *)&s->address)->sin_port), 99);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *text, *part_of_problem;
    } rows[] = {
        { "syslog:", "parameter \"\"" },
        { "", "parameter \"\"" },
        { "syslog:tag=x", "needs \"server=\"" },
        { "syslog:server=", "\"\" is not the address" },
        { "syslog:server=127.0.0.1:", "is not the address" },
        { "syslog:server=127.0.0.1:0", "is not the address" },
        { "syslog:server=127.0.0.1:65536", "is not the address" },
        { "syslog:server=127.0.0.1:x", "is not the address" },
        { "syslog:server=::1", "\"::1\" is not the address" },
        { "syslog:server=[::1", "is not the address" },
        { "syslog:server=[::1]514", "is not the address" },
        { "syslog:server=[]", "is not the address" },
        { "syslog:server=name.invalid", "\"name.invalid\" was not found" },
        { "syslog:server=unix:", "empty or too long" },
        { "syslog:server=127.0.0.1,server=127.0.0.2", "\"server=\" is given twice" },
        { "syslog:server=127.0.0.1,facility=none", "no syslog facility \"none\"" },
        { "syslog:server=127.0.0.1,severity=err", "no syslog severity \"err\"" },
        { "syslog:server=127.0.0.1,tag=", "must have 1 to 32" },
        { "syslog:server=127.0.0.1,tag=123456789012345678901234567890123", "must have 1 to 32" },
        { "syslog:server=127.0.0.1,tag=a-b", "letters, digits" },
        { "syslog:server=127.0.0.1,colour=red", "no syslog parameter \"colour=red\"" },
        { "syslog:server=127.0.0.1,", "parameter \"\"" },
    };
    char path[300] = "syslog:server=unix:/";

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str problem = STR("");
        assert_null(syslog_parse(&arena, str_of(rows[i].text), &names, &problem));
        if (str_find(problem, str_of(rows[i].part_of_problem)) < 0)
            fail_msg("\"%s\": %.*s", rows[i].text, STR_ARG(problem));
    }
    memset(path + 20, 'x', 200);
    assert_null(parse(path));
}

/* What the server gets within a second; "" if nothing. */
static const char *receive(int server)
{
    static char text[70000];
    struct pollfd p = { .fd = server, .events = POLLIN };
    ssize_t len = poll(&p, 1, 1000) == 1 ? recv(server, text, sizeof text - 1, 0) : 0;

    text[len < 0 ? 0 : len] = '\0';
    return text;
}

/* A UDP server on loopback and the text of its port; -1 where there is no IPv6. */
static int udp_server(int family, char *port, size_t size)
{
    struct sockaddr_storage address = { .ss_family = (sa_family_t)family };
    socklen_t len = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = os_socket(family, SOCK_DGRAM, 0);

    if (family == AF_INET)
        ((struct sockaddr_in *)&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *)&address)->sin6_addr = in6addr_loopback;
    if (bind(fd, (struct sockaddr *)&address, len) != 0) {
        close(fd);
        return -1;
    }
    getsockname(fd, (struct sockaddr *)&address, &len);
    snprintf(port, size, "%u", ntohs(((struct sockaddr_in *)&address)->sin_port));
    return fd;
}

static void check_udp(int family, const char *address)
{
    char port[8], text[128], host[256] = "", expected[512];
    int server = udp_server(family, port, sizeof port);

    if (server < 0)
        return;
    snprintf(text, sizeof text, "syslog:server=%s:%s", address, port);
    struct syslog *s = parse(text);
    gethostname(host, sizeof host - 1);
    syslog_send(s, 3, STR("a message"));
    struct str time = clock_syslog();
    snprintf(expected, sizeof expected, "<187>%.*s %s weir: a message", STR_ARG(time), host);
    assert_string_equal(receive(server), expected);
    syslog_fini(s);
    close(server);
}

static void test_udp(void **state)
{
    (void)state;
    check_udp(AF_INET, "127.0.0.1");
    check_udp(AF_INET6, "[::1]");
}

static void test_no_host(void **state)
{
    char port[8], text[128], expected[512];
    int server = udp_server(AF_INET, port, sizeof port);

    (void)state;
    snprintf(text, sizeof text, "server=127.0.0.1:%s,nohostname,facility=kern,tag=t", port);
    struct syslog *s = parse(text);
    syslog_send(s, s->severity, STR("x"));
    struct str time = clock_syslog();
    snprintf(expected, sizeof expected, "<6>%.*s t: x", STR_ARG(time));
    assert_string_equal(receive(server), expected);
    syslog_fini(s);
    close(server);
}

/* The error log's lines arrive whole, with the severity of their level. */
static void test_error_log(void **state)
{
    char port[8], text[128];
    int server = udp_server(AF_INET, port, sizeof port);

    (void)state;
    snprintf(text, sizeof text, "server=127.0.0.1:%s,facility=kern", port);
    struct syslog *s = parse(text);
    struct log_target target = { .level = LOG_LEVEL_INFO, .syslog = s };
    struct log log = { .targets = &target, .count = 1, .level = LOG_LEVEL_INFO };
    log_write(&log, LOG_LEVEL_CRIT, 0, NULL, "trouble");
    const char *got = receive(server);
    assert_memory_equal(got, "<2>", 3);
    assert_non_null(strstr(got, " weir: "));
    assert_non_null(strstr(got, " [crit] "));
    assert_string_equal(got + strlen(got) - 9, ": trouble");
    log_write(&log, LOG_LEVEL_STDERR, 0, NULL, "words");
    assert_memory_equal(receive(server), "<0>", 3);
    syslog_fini(s);
    close(server);
}

static int unix_server(const struct sockaddr_un *address)
{
    int fd = os_socket(AF_UNIX, SOCK_DGRAM, 0);

    unlink(address->sun_path);
    assert_int_equal(bind(fd, (const struct sockaddr *)address, sizeof *address), 0);
    return fd;
}

static char warnings[4096];

/* Reads a log's file back. */
static unsigned count_warnings(int fd)
{
    ssize_t len = pread(fd, warnings, sizeof warnings - 1, 0);
    unsigned count = 0;

    warnings[len < 0 ? 0 : len] = '\0';
    for (const char *at = warnings; (at = strstr(at, "can not be reached")); at++)
        count++;
    return count;
}

/* The server goes and comes again: one warning a minute, and no message sent stops service. */
static void test_server_restarts(void **state)
{
    char folder[] = "/tmp/test_syslog.XXXXXX", text[128], name[] = "/tmp/test_syslog.XXXXXX";
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct log_file file = { .fd = mkstemp(name) };
    const struct log *before = log_process;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/log", folder);
    snprintf(text, sizeof text, "syslog:server=unix:%s", address.sun_path);
    struct syslog *s = parse(text);
    /* The warning is written although this server is one of the log's own targets. */
    struct log_target targets[2] = { { .level = LOG_LEVEL_INFO, .syslog = s },
                                     { .level = LOG_LEVEL_INFO, .file = &file } };
    struct log log = { .targets = targets, .count = 2, .level = LOG_LEVEL_INFO };
    log_process = &log;

    for (int i = 0; i < 10; i++)
        syslog_send(s, 6, STR("lost"));
    assert_int_equal(count_warnings(file.fd), 1);
    int server = unix_server(&address);
    syslog_send(s, 6, STR("first"));
    assert_non_null(strstr(receive(server), "first"));

    close(server);
    clock_cached.ms += 61000;
    syslog_send(s, 6, STR("lost"));
    assert_int_equal(count_warnings(file.fd), 2);
    server = unix_server(&address);
    syslog_send(s, 6, STR("second"));
    assert_non_null(strstr(receive(server), "second"));

    /* A server that does not read. */
    for (int i = 0; i < 10000; i++)
        syslog_send(s, 6, STR("many"));
    assert_int_equal(count_warnings(file.fd), 2);
    clock_cached.ms += 61000;
    syslog_send(s, 6, STR("many"));
    assert_int_equal(count_warnings(file.fd), 3);

    log_process = before;
    syslog_fini(s);
    close(server);
    close(file.fd);
    unlink(name);
    unlink(address.sun_path);
    rmdir(folder);
}

int main(void)
{
#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_ARENA(test_defaults), WITH_ARENA(test_parameters), WITH_ARENA(test_mistakes),
        WITH_ARENA(test_udp),      WITH_ARENA(test_no_host),    WITH_ARENA(test_error_log),
        WITH_ARENA(test_server_restarts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
