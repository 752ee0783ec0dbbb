/* env.h: what the POSIX core asks of whoever links it.
 *
 * linux.mod, a native program and the host tests each implement these. The
 * caller of any lib/ function holds the one lock that guards the core; none of
 * these may release it, and none may call back into the core, except that
 * env_copy and env_clear may fault and the fault handler may then call
 * vfs_file_pages: the core copies only while its structures are whole.
 * memcpy, memmove, memset, memcmp and strlen come from the linker too. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ENV_PAGE = 4096 };

/* Zeroed and 16-aligned; NULL if there is no memory. Freeing NULL does nothing. */
void *env_alloc(size_t bytes);
void env_free(void *memory);

/* `count` contiguous pages, page-aligned and zeroed; NULL if there are none. */
void *env_pages(size_t count);
/* Gives back pages of a run from env_pages: the whole run, or any part of it. */
void env_pages_free(void *first, size_t count);

/* A regular file is about to be cut to `size` bytes: whoever shows programs its pages
 * takes back those past that. */
struct inode;
void env_cut(const struct inode *inode, uint64_t size);

/* Copies between the core and memory that a program named: either pointer may
 * be an allegation. 0, or -EFAULT after copying any part of it. */
int env_copy(void *to, const void *from, size_t size);
int env_clear(void *to, size_t size);

/* Nanoseconds since 1970, and since some fixed point. */
uint64_t env_realtime(void);
uint64_t env_monotonic(void);

/* Something that may change. env_wake(e) adds one to e->sequence and lets all
 * who wait for it go on; `waiters` belongs to the implementation. */
struct wait_event {
	uint32_t sequence;
	uint32_t waiters;
};
void env_wake(struct wait_event *event);

/* One call that may block. Zero it, then call; on -EAGAIN
 *   event != NULL  release the lock, wait until event->sequence is no longer
 *                  `sequence` or env_monotonic() reaches `deadline` (if not 0),
 *                  and call again with the same arguments and this same struct;
 *   event == NULL  the program asked not to block: -EAGAIN is its answer.
 * To give up (a signal), answer `done` if it is not 0, else -EINTR. */
struct wait {
	struct wait_event *event;
	uint32_t sequence;
	uint64_t deadline;
	size_t done; /* bytes that earlier tries of this call have moved */
};
