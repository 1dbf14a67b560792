/*
 * syslog: see syslog.h.
 */
#include "base/syslog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/os.h"
#include "base/out.h"

enum {
    TAG_MAX = 32,              /* RFC 3164 section 4.1.3 */
    HOST_MAX = 255,
    SYSLOG_PORT = 514,
    SEVERITY_INFO = 6,
    FACILITY_LOCAL7 = 23,
    WARN_EVERY = 60000,        /* ms */
};

/* The number of each is its place. */
static const char *const facilities[] = {
    "kern",   "user",   "mail",   "daemon", "auth",   "intern", "lpr",    "news",
    "uucp",   "clock",  "authpriv", "ftp",  "ntp",    "audit",  "alert",  "cron",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
};
static const char *const severities[] = {
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug",
};

/* What is being read, and what has been found wrong. */
struct reading {
    struct arena *arena;
    struct syslog *syslog;
    const struct syslog_names *names;
    struct str problem;
    bool no_host;
};

static void problem(struct reading *r, const char *before, struct str what, const char *after)
{
    r->problem = arena_printf(r->arena, "%s\"%.*s\"%s", before, STR_ARG(what), after);
}

/* The place of `name` in a table, or -1. */
static int find_name(const char *const *names, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(name, str_of(names[i])))
            return (int)i;
    }
    return -1;
}

static void read_facility(struct reading *r, struct str value)
{
    int place = find_name(facilities, sizeof facilities / sizeof *facilities, value);

    if (place < 0)
        problem(r, "there is no syslog facility ", value, "");
    else
        r->syslog->facility = (unsigned)place;
}

static void read_severity(struct reading *r, struct str value)
{
    int place = find_name(severities, sizeof severities / sizeof *severities, value);

    if (place < 0)
        problem(r, "there is no syslog severity ", value, "");
    else
        r->syslog->severity = (unsigned)place;
}

static void read_tag(struct reading *r, struct str value)
{
    if (value.len == 0 || value.len > TAG_MAX)
        problem(r, "the syslog tag ", value, " must have 1 to 32 characters");
    for (size_t i = 0; i < value.len; i++) {
        char c = char_lower(value.data[i]);
        if (!(c >= 'a' && c <= 'z') && !char_is_digit(c) && c != '_')
            problem(r, "the syslog tag ", value, " may hold only letters, digits and \"_\"");
    }
    r->syslog->tag = arena_str(r->arena, value);
}

static void read_unix(struct reading *r, struct str path)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&r->syslog->address;

    if (path.len == 0 || path.len >= sizeof un->sun_path) {
        problem(r, "the path of the syslog server ", path, " is empty or too long");
        return;
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path.data, path.len);
    r->syslog->address_len = (socklen_t)sizeof *un;
}

/* Cuts "host", "host:port", "[v6]" or "[v6]:port". */
static bool split_address(struct str value, struct str *host, unsigned *port)
{
    struct str rest;

    *port = SYSLOG_PORT;
    if (str_starts(value, STR("["))) {
        ptrdiff_t end = str_index(value, ']');
        if (end < 0)
            return false;
        *host = (struct str){ value.data + 1, (size_t)end - 1 };
        rest = str_from(value, (size_t)end + 1);
    } else {
        ptrdiff_t colon = str_index(value, ':');
        *host = colon < 0 ? value : str_first(value, (size_t)colon);
        rest = str_from(value, host->len);
    }
    if (rest.len > 0 && rest.data[0] != ':')
        return false;
    if (rest.len > 0 && !str_to_uint(str_from(rest, 1), 65535, port))
        return false;
    return host->len > 0 && *port > 0;
}

static void set_port(struct sockaddr_storage *address, unsigned port)
{
    if (address->ss_family == AF_INET6)
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    else
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
}

static bool read_digits(struct str host, struct syslog *s)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&s->address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&s->address;
    char text[INET6_ADDRSTRLEN];
    struct out o = out_fixed(text, sizeof text);

    out_str(&o, host);
    out_char(&o, '\0');
    if (o.overflow)
        return false;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        s->address_len = sizeof *in;
    } else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        s->address_len = sizeof *in6;
    } else
        return false;
    return true;
}

static void read_inet(struct reading *r, struct str value)
{
    struct syslog *s = r->syslog;
    struct str host, why;
    unsigned port;

    if (!split_address(value, &host, &port)) {
        problem(r, "", value, " is not the address of a syslog server");
        return;
    }
    if (!read_digits(host, s) &&
        !r->names->find(r->names->who, host, &s->address, &s->address_len, &why)) {
        r->problem = arena_printf(r->arena, "the syslog server \"%.*s\" was not found: %.*s",
                                  STR_ARG(host), STR_ARG(why));
        return;
    }
    set_port(&s->address, port);
}

static void read_server(struct reading *r, struct str value)
{
    r->syslog->server = arena_str(r->arena, value);
    if (str_starts(value, STR("unix:")))
        read_unix(r, str_from(value, 5));
    else
        read_inet(r, value);
}

static const struct {
    struct str name;
    void (*read)(struct reading *r, struct str value);
} parameters[] = {
    { STR_INIT("server="), read_server },
    { STR_INIT("facility="), read_facility },
    { STR_INIT("severity="), read_severity },
    { STR_INIT("tag="), read_tag },
};

static void read_parameter(struct reading *r, struct str parameter, unsigned *seen)
{
    if (str_eq(parameter, STR("nohostname"))) {
        r->no_host = true;
        return;
    }
    for (unsigned i = 0; i < sizeof parameters / sizeof *parameters; i++) {
        if (!str_starts(parameter, parameters[i].name))
            continue;
        if (*seen & 1u << i)
            problem(r, "", parameters[i].name, " is given twice");
        else
            parameters[i].read(r, str_from(parameter, parameters[i].name.len));
        *seen |= 1u << i;
        return;
    }
    problem(r, "there is no syslog parameter ", parameter, "");
}

static struct str name_of_machine(struct arena *a)
{
    char name[HOST_MAX + 1] = "";

    if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0')
        return STR("-");
    return arena_str(a, str_of(name));
}

struct syslog *syslog_parse(struct arena *a, struct str text, const struct syslog_names *names,
                            struct str *problem_found)
{
    struct syslog *s = ARENA_NEW(a, struct syslog);
    struct reading r = { .arena = a, .syslog = s, .names = names };
    unsigned seen = 0;

    *s = (struct syslog){
        .tag = STR("weir"), .facility = FACILITY_LOCAL7, .severity = SEVERITY_INFO, .fd = -1,
    };
    struct str rest = str_starts(text, STR("syslog:")) ? str_from(text, 7) : text;
    while (rest.data && !r.problem.data)
        read_parameter(&r, str_split(&rest, ','), &seen);
    if (!r.problem.data && s->server.len == 0)
        r.problem = STR("a syslog target needs \"server=\"");
    if (r.problem.data) {
        *problem_found = r.problem;
        return NULL;
    }
    s->host = r.no_host ? STR("") : name_of_machine(a);
    return s;
}

static bool open_socket(struct syslog *s)
{
    s->fd = os_socket(s->address.ss_family, SOCK_DGRAM, 0);
    if (s->fd < 0)
        return false;
    if (connect(s->fd, (struct sockaddr *)&s->address, s->address_len) == 0)
        return true;
    int saved = errno;
    syslog_fini(s);
    errno = saved;
    return false;
}

static bool send_message(struct syslog *s, struct str head, struct str text)
{
    struct iovec iov[2] = { { (void *)head.data, head.len }, { (void *)text.data, text.len } };
    struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };

    return (s->fd >= 0 || open_socket(s)) && sendmsg(s->fd, &message, MSG_NOSIGNAL) >= 0;
}

static void warn(struct syslog *s, int error)
{
    if (s->warned_ms && clock_ms() - s->warned_ms < WARN_EVERY)
        return;
    s->warned_ms = clock_ms();
    log_note(LOG_LEVEL_ERROR, error, "syslog server \"%.*s\" can not be reached, messages are lost",
             STR_ARG(s->server));
}

void syslog_send(struct syslog *s, unsigned severity, struct str text)
{
    char space[HOST_MAX + TAG_MAX + 64];
    struct out head = out_fixed(space, sizeof space);

    if (s->sending)
        return;
    if (clock_ms() == 0)
        clock_update();
    s->sending = true;
    out_printf(&head, "<%u>", s->facility * 8 + severity);
    out_str(&head, clock_syslog());
    if (s->host.len)
        out_printf(&head, " %.*s", STR_ARG(s->host));
    out_printf(&head, " %.*s: ", STR_ARG(s->tag));
    if (!send_message(s, out_str_of(&head), text)) {
        int error = errno;
        syslog_fini(s);
        warn(s, error);
    }
    s->sending = false;
}

void syslog_fini(struct syslog *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
