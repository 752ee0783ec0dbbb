/* messages.h: the buffer of messages that each libOS of the real process table
 * has, charged to it when it is registered. Nothing is allocated for a message.
 *
 * A sender's first message has a place of its own, so nobody can keep another
 * from being heard; its further ones take from what all senders share, a few at
 * most. */
#pragma once

#include "kernel/object.h"

struct libos;
struct message_buffer;

extern const struct object_type message_buffer_type;

/* NULL: the libOS's domain cannot pay. */
struct message_buffer *message_buffer_create(struct libos *owner);

/* The capability to it; takes no reference. */
struct object *message_buffer_object(struct message_buffer *b);

/* Its libOS ends: the messages go, and who waits is told. Drops the owner's
 * reference. */
void message_buffer_close(struct message_buffer *b);
