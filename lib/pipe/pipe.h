/* pipe.h: pipes: 64 KiB of bytes between those who write and those who read.
 *
 * Pages of the ring come as they are needed and stay for reuse until the pipe
 * is empty of users. Writes of up to PIPE_BUF bytes are never split. A FIFO is
 * the same pipe, hung at an inode while somebody has it open. */
#pragma once

#include "lib/vfs/vfs.h"

enum { PIPE_PAGES = 16, PIPE_CAPACITY = PIPE_PAGES * ENV_PAGE };

struct pipe {
	struct inode anonymous;   /* fstat of a pipe without a name; unused by FIFOs */
	struct inode *owner;      /* the FIFO's inode, borrowed, or &anonymous */
	uint32_t readers, writers;             /* open files */
	uint32_t readers_ever, writers_ever;   /* how often one came: FIFO opens wait for it */
	uint32_t head, tail;      /* bytes ever read and written, modulo 2^32 */
	struct wait_event readable; /* bytes came, or the last writer went */
	struct wait_event writable; /* room came, or the last reader went */
	uint8_t *page[PIPE_PAGES];
};

/* pipe2: flags O_NONBLOCK, O_DIRECT refused (-EINVAL); O_CLOEXEC is the fdtable's. */
int pipe_open(struct vfs *vfs, uint32_t flags, struct file **read_end, struct file **write_end);

/* Opens the FIFO `inode` for `file`: the VFS calls this. */
int pipe_open_fifo(struct inode *inode, struct file *file);

/* Bytes in it. For FIONREAD and tests. */
static inline uint32_t pipe_used(const struct pipe *pipe)
{
	return pipe->tail - pipe->head;
}

/* The whole-structure checker: traps at the first broken invariant. */
void pipe_check(const struct pipe *pipe);
