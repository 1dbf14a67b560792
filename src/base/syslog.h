/*
 * syslog: messages in the format of RFC 3164 to a syslog server, over UDP or a unix datagram
 * socket. Never waits: a message that can not be sent is lost, with one warning a minute in the
 * process's log, and the next one tries with a new socket.
 *
 * Not for use by other threads than the loop's.
 */
#ifndef BASE_SYSLOG_H
#define BASE_SYSLOG_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/arena.h"

struct syslog {
    struct sockaddr_storage address;
    socklen_t address_len;
    struct str server;         /* as it was written */
    struct str host;           /* this machine's name; empty with nohostname */
    struct str tag;
    unsigned facility, severity;   /* RFC 3164 section 4.1.1; severity: where the caller has none */
    int fd;                    /* -1: opened by the next message */
    bool sending;              /* a warning about this server is not sent to it */
    uint64_t warned_ms;        /* clock_ms() of the last warning, 0: none */
};

/* Who finds the address of a host's name; its port is not looked at.  false: *problem says why not. */
struct syslog_names {
    bool (*find)(void *who, struct str host, struct sockaddr_storage *address, socklen_t *len,
                 struct str *problem);
    void *who;
};

/* Reads "server=ADDRESS[:PORT]|unix:PATH[,facility=][,tag=][,severity=][,nohostname]", with or
 * without "syslog:" before it.  All of it lives in the arena.  NULL: *problem says what is wrong, in
 * words for a person. */
struct syslog *syslog_parse(struct arena *a, struct str text, const struct syslog_names *names,
                            struct str *problem);
/* `text` is one message without an end of line. */
void syslog_send(struct syslog *s, unsigned severity, struct str text);
/* Before its memory goes. */
void syslog_fini(struct syslog *s);

#endif
