/*
 * fake_ktls: TLS of the kernel, for machines whose kernel has none: preloaded, it encrypts what a program
 * writes to sockets that were given keys by setsockopt(SOL_TLS, TLS_TX), as linux/tls.h has it.  What is
 * read stays the library's: the kernel may refuse TLS_RX, too.  At the end it says into $FAKE_KTLS_LOG how
 * many bytes went by write(), sendmsg() and sendfile().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

enum {
    IPPROTO_TCP_ = 6, ULP = 31, SOL_TLS_ = 282, TX = 1, SET_RECORD_TYPE = 1,
    VERSION_13 = 0x0304, AES_128 = 51, AES_256 = 52, CHACHA = 54,
    RECORD = 16384, SOCKETS = 65536, APPLICATION = 23,
};

struct sender {
    int on, version, cipher;
    unsigned char key[32], nonce[12], seq[8];
};

static struct sender senders[SOCKETS];
static unsigned long written, told, sent;

static struct sender *sender_of(int fd)
{
    return fd >= 0 && fd < SOCKETS && senders[fd].on ? &senders[fd] : NULL;
}

/* ---- keys ---- */

static int take_keys(int fd, const unsigned char *info)
{
    struct sender s = { .on = 1 };
    uint16_t version, cipher;

    memcpy(&version, info, 2);
    memcpy(&cipher, info + 2, 2);
    s.version = version;
    s.cipher = cipher;
    size_t iv = cipher == CHACHA ? 12 : 8, key = cipher == AES_128 ? 16 : 32, salt = 12 - iv;
    const unsigned char *p = info + 4;
    if (cipher != AES_128 && cipher != AES_256 && cipher != CHACHA) {
        errno = EINVAL;
        return -1;
    }
    memcpy(s.nonce + salt, p, iv);
    memcpy(s.key, p + iv, key);
    memcpy(s.nonce, p + iv + key, salt);
    memcpy(s.seq, p + iv + key + salt, 8);
    senders[fd] = s;
    return 0;
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    static int (*real)(int, int, int, const void *, socklen_t);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "setsockopt");
    if (level == IPPROTO_TCP_ && name == ULP)
        return 0;
    if (level != SOL_TLS_)
        return real(fd, level, name, value, len);
    if (name == TX && fd < SOCKETS)
        return take_keys(fd, value);
    errno = ENOPROTOOPT;
    return -1;
}

int close(int fd)
{
    static int (*real)(int);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd < SOCKETS)
        senders[fd].on = 0;
    return real(fd);
}

/* ---- records ---- */

static size_t seal(struct sender *s, int type, const unsigned char *data, size_t len,
                   unsigned char *out)
{
    const EVP_CIPHER *how = s->cipher == AES_128   ? EVP_aes_128_gcm()
                            : s->cipher == AES_256 ? EVP_aes_256_gcm()
                                                   : EVP_chacha20_poly1305();
    int new = s->version == VERSION_13, n, start = 5, inner = (int)len + new;
    unsigned char nonce[12], aad[13];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();

    memcpy(nonce, s->nonce, 12);
    if (!new && s->cipher != CHACHA) {         /* RFC 5288: eight bytes of it are sent */
        memcpy(nonce + 4, s->seq, 8);
        memcpy(out + 5, s->seq, 8);
        start += 8;
    } else {
        for (int i = 0; i < 8; i++)
            nonce[4 + i] ^= s->seq[i];
    }
    size_t total = (size_t)(start + inner + 16);
    out[0] = (unsigned char)(new ? APPLICATION : type);
    out[1] = out[2] = 3;
    out[3] = (unsigned char)((total - 5) >> 8);
    out[4] = (unsigned char)(total - 5);
    memcpy(aad, s->seq, 8);
    memcpy(aad + 8, (unsigned char[]){ (unsigned char)type, 3, 3, (unsigned char)(len >> 8),
                                       (unsigned char)len }, 5);
    EVP_EncryptInit_ex(c, how, NULL, s->key, nonce);
    EVP_EncryptUpdate(c, NULL, &n, new ? out : aad, new ? 5 : 13);
    EVP_EncryptUpdate(c, out + start, &n, data, (int)len);
    if (new) {
        unsigned char last = (unsigned char)type;
        EVP_EncryptUpdate(c, out + start + n, &n, &last, 1);
    }
    EVP_EncryptFinal_ex(c, out + start + inner, &n);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16, out + start + inner);
    EVP_CIPHER_CTX_free(c);
    for (int i = 7; i >= 0 && ++s->seq[i] == 0; i--) {}
    return total;
}

static int can_take(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLOUT };

    return poll(&p, 1, 0) == 1 && !(p.revents & POLLERR);
}

/* A record that was begun leaves whole, as the kernel would see to later. */
static ssize_t put(int fd, int type, const void *data, size_t len)
{
    unsigned char record[RECORD + 64];
    size_t size, at = 0;

    if (!can_take(fd)) {
        errno = EAGAIN;
        return -1;
    }
    if (len > RECORD)
        len = RECORD;
    size = seal(sender_of(fd), type, data, len, record);
    while (at < size) {
        ssize_t n = send(fd, record + at, size - at, MSG_NOSIGNAL);
        struct pollfd p = { .fd = fd, .events = POLLOUT };
        if (n > 0)
            at += (size_t)n;
        else if (errno != EAGAIN)
            return -1;
        else
            poll(&p, 1, 1000);
    }
    return (ssize_t)len;
}

ssize_t write(int fd, const void *data, size_t len)
{
    static ssize_t (*real)(int, const void *, size_t);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (!sender_of(fd))
        return real(fd, data, len);
    ssize_t n = put(fd, APPLICATION, data, len);
    written += n > 0 ? (unsigned long)n : 0;
    return n;
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    static ssize_t (*real)(int, const struct msghdr *, int);
    struct cmsghdr *c = m->msg_controllen ? CMSG_FIRSTHDR(m) : NULL;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
    if (!sender_of(fd) || !c || c->cmsg_level != SOL_TLS_ || c->cmsg_type != SET_RECORD_TYPE)
        return real(fd, m, flags);
    ssize_t n = put(fd, *CMSG_DATA(c), m->msg_iov[0].iov_base, m->msg_iov[0].iov_len);
    told += n > 0 ? (unsigned long)n : 0;
    return n;
}

ssize_t sendfile(int fd, int file, off_t *offset, size_t len)
{
    static ssize_t (*real)(int, int, off_t *, size_t);
    unsigned char data[RECORD];
    ssize_t sum = 0, n;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sendfile");
    if (!sender_of(fd))
        return real(fd, file, offset, len);
    while ((size_t)sum < len) {
        size_t want = len - (size_t)sum < RECORD ? len - (size_t)sum : RECORD;
        n = pread(file, data, want, *offset);
        if (n > 0)
            n = put(fd, APPLICATION, data, (size_t)n);
        if (n <= 0)
            return sum ? sum : n;
        *offset += n;
        sum += n;
        sent += (unsigned long)n;
    }
    return sum;
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("FAKE_KTLS_LOG");
    FILE *f = path ? fopen(path, "w") : NULL;

    if (f) {
        fprintf(f, "write %lu sendmsg %lu sendfile %lu\n", written, told, sent);
        fclose(f);
    }
}
