/*
 * v2_output: the frames of a connection on their way out: gathered from all its streams, and sent in
 * as few calls as can be.  Small things are copied, large ones are pointed at.
 */
#ifndef HTTP_V2_V2_OUTPUT_H
#define HTTP_V2_V2_OUTPUT_H

#include "http/v2/v2.h"

enum {
    V2_OUTPUT_SPACE = 96 * 1024,       /* of heads and bodies */
    V2_BODY_ROOM = 33 * 1024,          /* that a stream must find before it sends of its body */
    V2_CONTROL_SPACE = 16384,          /* beyond it, for frames that can't wait */
    V2_PIECES = 128,
};

/* Room for heads and bodies, in bytes; 0: pieces have run out, too. */
size_t v2_output_room(struct v2 *v);
/* Whether there is as much, perhaps after sending what is there.  false: not now. */
bool v2_output_has_room(struct v2 *v, size_t room);
/* Memory to copy `len` bytes of frames to, which v2_output_room() said to be there (or, for frames of
 * control, some of that beyond); what is written counts from v2_output_commit() on.  NULL: memory is
 * short. */
char *v2_output_space(struct v2 *v);
void v2_output_commit(struct v2 *v, size_t len);
/* Bytes that stay where they are until the stream's `pending` is back at 0. */
void v2_output_refer(struct v2 *v, struct v2_stream *s, struct str bytes);
/* Bytes of the heap, which the output frees. */
void v2_output_own(struct v2 *v, char *data, size_t len);
/* A frame of control; the connection fails where there is no room for it. */
void v2_output_control(struct v2 *v, enum frame_type type, uint8_t flags, uint32_t stream,
                       struct str payload);
/* Sends what there is, as far as the client takes it.  false: the connection is lost. */
bool v2_output_flush(struct v2 *v);
/* Whether something could not be sent. */
bool v2_output_blocked(const struct v2 *v);
/* Forgets what was not sent. */
void v2_output_drop(struct v2 *v);
/* The worker ends: frees what is kept for the next connection. */
void v2_output_fini(void);

#endif
