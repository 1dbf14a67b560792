/*
 * fuzz_packet: messages between the master and a worker, without their descriptors: whatever comes,
 * a worker drops what makes no sense and lives on.
 */
#include <stddef.h>
#include <stdint.h>

#include "process/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is a row of messages: a byte for the type, one for the length (in steps of 4), bytes.
 * */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message m;
    struct incoming in;

    incoming_init(&in);
    while (size >= 2) {
        struct log_cursor at = { 0 };
        size_t len = (size_t)data[1] * 4;
        int fd;

        if (len > size - 2)
            len = size - 2;
        m.type = (enum message_type)(data[0] % (MESSAGE_OLDEST + 1));
        m.payload = (struct str){ (const char *)data + 2, len };
        m.fd_count = 0;
        packet_number(&m);
        if (m.type == MESSAGE_REOPEN)
            while (packet_take_log(&m, &at, &fd))
                ;
        else if (m.type >= MESSAGE_BUNDLE && m.type <= MESSAGE_LISTENS && !incoming_add(&in, &m))
            incoming_clear(&in);
        data += 2 + len;
        size -= 2 + len;
    }
    incoming_clear(&in);
    return 0;
}
