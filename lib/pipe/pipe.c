/* pipe.c: see pipe.h.
 * Source: pipe(7), fifo(7), and Linux fs/pipe.c for the corners. */
#include "lib/pipe/pipe.h"

#include "lib/posix/errno.h"
#include "lib/posix/termios.h"

enum { ROUGHLY_FULL = PIPE_CAPACITY - PIPE_BUF };

static struct pipe *pipe_of(const struct file *file)
{
	return file->data;
}

static bool blocks(const struct file *file)
{
	return !(file->flags & O_NONBLOCK);
}

/* -EAGAIN, and what to wait for if the program is willing to. */
static int wait_for(const struct file *file, struct wait_event *event, struct wait *wait)
{
	if (blocks(file)) {
		wait->event = event;
		wait->sequence = event->sequence;
		wait->deadline = 0;
	}
	return -EAGAIN;
}

/* -- reading -- */

static size_t piece_size(uint32_t position, size_t size)
{
	size_t room = ENV_PAGE - position % ENV_PAGE;
	return size < room ? size : room;
}

static uint8_t *byte_at(const struct pipe *pipe, uint32_t position)
{
	return pipe->page[position / ENV_PAGE % PIPE_PAGES] + position % ENV_PAGE;
}

/* Takes up to `size` bytes out; -EFAULT if not even one piece could be. */
static int64_t take(struct pipe *pipe, uint8_t *buffer, size_t size)
{
	size_t used = pipe_used(pipe);
	size_t done = 0;
	if (size > used)
		size = used;
	while (done < size) {
		size_t piece = piece_size(pipe->head, size - done);
		if (env_copy(buffer + done, byte_at(pipe, pipe->head), piece) != 0)
			break;
		pipe->head += (uint32_t)piece;
		done += piece;
	}
	if (pipe->head == pipe->tail)
		pipe->head = pipe->tail = 0; /* small messages stay in the first page */
	if (used > ROUGHLY_FULL && done > 0)
		env_wake(&pipe->writable);
	return done > 0 ? (int64_t)done : -EFAULT;
}

static int64_t pipe_read(struct file *file, void *buffer, size_t size, struct wait *wait)
{
	struct pipe *pipe = pipe_of(file);
	if (size == 0)
		return 0;
	if (pipe_used(pipe) > 0)
		return take(pipe, buffer, size);
	if (pipe->writers == 0)
		return 0;
	return wait_for(file, &pipe->readable, wait);
}

/* -- writing -- */

/* The piece of free ring at the tail, its page made if need be. NULL: no memory. */
static uint8_t *free_piece(struct pipe *pipe, uint32_t position)
{
	uint8_t **page = &pipe->page[position / ENV_PAGE % PIPE_PAGES];
	if (*page == NULL && (*page = env_pages(1)) == NULL)
		return NULL;
	return *page + position % ENV_PAGE;
}

/* Puts `size` bytes, for which there is room, at the tail, all or none of them. */
static int put(struct pipe *pipe, const uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		uint32_t position = pipe->tail + (uint32_t)done;
		size_t piece = piece_size(position, size - done);
		uint8_t *to = free_piece(pipe, position);
		if (to == NULL)
			return -ENOMEM;
		if (env_copy(to, bytes + done, piece) != 0)
			return -EFAULT;
		done += piece;
	}
	if (pipe->tail == pipe->head)
		env_wake(&pipe->readable);
	pipe->tail += (uint32_t)size;
	return 0;
}

/* Writes of up to PIPE_BUF go in whole; longer ones PIPE_BUF by PIPE_BUF, or
 * whatever fits, and what went in so far is remembered in wait->done. */
static int64_t pipe_write(struct file *file, const void *buffer, size_t size, struct wait *wait)
{
	struct pipe *pipe = pipe_of(file);
	const uint8_t *bytes = buffer;
	size_t needed = size <= PIPE_BUF ? size : 1;
	while (wait->done < size) {
		if (pipe->readers == 0)
			return wait->done > 0 ? (int64_t)wait->done : -EPIPE;
		size_t room = PIPE_CAPACITY - pipe_used(pipe);
		if (room < needed) {
			if (wait->done > 0 && !blocks(file))
				return (int64_t)wait->done;
			return wait_for(file, &pipe->writable, wait);
		}
		size_t step = size - wait->done < PIPE_BUF ? size - wait->done : PIPE_BUF;
		if (step > room)
			step = room;
		int result = put(pipe, bytes + wait->done, step);
		if (result != 0)
			return wait->done > 0 ? (int64_t)wait->done : result;
		wait->done += step;
	}
	return (int64_t)size;
}

/* -- both -- */

static uint32_t pipe_poll(struct file *file, struct poll_events *events)
{
	const struct pipe *pipe = pipe_of(file);
	uint32_t bits = 0;
	if ((file->flags & O_ACCMODE) != O_WRONLY) {
		events->in = &pipe_of(file)->readable;
		if (pipe_used(pipe) > 0)
			bits |= POLLIN | POLLRDNORM;
		/* A FIFO that no writer has come to yet has not hung up. */
		if (pipe->writers == 0 && pipe->writers_ever != (uint32_t)file->offset)
			bits |= POLLHUP;
	}
	if ((file->flags & O_ACCMODE) != O_RDONLY) {
		events->out = &pipe_of(file)->writable;
		if (pipe_used(pipe) <= ROUGHLY_FULL)
			bits |= POLLOUT | POLLWRNORM;
		if (pipe->readers == 0)
			bits |= POLLERR;
	}
	return bits;
}

static int64_t pipe_ioctl(struct file *file, uint32_t request, uintptr_t argument)
{
	if (request != FIONREAD)
		return -ENOTTY;
	int32_t used = (int32_t)pipe_used(pipe_of(file));
	return env_copy((void *)argument, &used, sizeof(used));
}

static void free_pages(struct pipe *pipe)
{
	for (unsigned i = 0; i < PIPE_PAGES; i++)
		if (pipe->page[i] != NULL)
			env_pages_free(pipe->page[i], 1);
}

/* The last user of a FIFO's pipe goes; an anonymous one goes with its inode. */
static void detach(struct pipe *pipe)
{
	if (pipe->owner == &pipe->anonymous)
		return;
	pipe->owner->pipe = NULL;
	free_pages(pipe);
	env_free(pipe);
}

static void pipe_close(struct file *file)
{
	struct pipe *pipe = pipe_of(file);
	if ((file->flags & O_ACCMODE) != O_WRONLY && --pipe->readers == 0)
		env_wake(&pipe->writable);
	if ((file->flags & O_ACCMODE) != O_RDONLY && --pipe->writers == 0)
		env_wake(&pipe->readable);
	if (pipe->readers == 0 && pipe->writers == 0)
		detach(pipe);
}

/* A FIFO opened one way waits for somebody at its other end. file->offset says
 * how many had come there before. */
static int pipe_opened(struct file *file, struct wait *wait)
{
	struct pipe *pipe = pipe_of(file);
	wait->event = NULL;
	if (!blocks(file))
		return 0;
	switch (file->flags & O_ACCMODE) {
	case O_RDONLY:
		if (pipe->writers == 0 && pipe->writers_ever == (uint32_t)file->offset)
			return wait_for(file, &pipe->readable, wait);
		return 0;
	case O_WRONLY:
		if (pipe->readers == 0 && pipe->readers_ever == (uint32_t)file->offset)
			return wait_for(file, &pipe->writable, wait);
		return 0;
	default:
		return 0;
	}
}

static const struct file_ops pipe_files = {
	.read = pipe_read, .write = pipe_write, .poll = pipe_poll, .ioctl = pipe_ioctl,
	.opened = pipe_opened, .close = pipe_close,
};

/* -- opening -- */

static void join(struct pipe *pipe, struct file *file)
{
	file->ops = &pipe_files;
	file->data = pipe;
	/* What is at the other end counts as come already, for opened and poll. */
	file->offset = (file->flags & O_ACCMODE) == O_WRONLY ? pipe->readers_ever
	                                                     : pipe->writers_ever - pipe->writers;
	if ((file->flags & O_ACCMODE) != O_WRONLY) {
		pipe->readers++;
		pipe->readers_ever++;
		env_wake(&pipe->writable);
	}
	if ((file->flags & O_ACCMODE) != O_RDONLY) {
		pipe->writers++;
		pipe->writers_ever++;
		env_wake(&pipe->readable);
	}
}

int pipe_open_fifo(struct inode *inode, struct file *file)
{
	struct pipe *pipe = inode->pipe;
	bool write_only = (file->flags & O_ACCMODE) == O_WRONLY;
	if (write_only && !blocks(file) && (pipe == NULL || pipe->readers == 0))
		return -ENXIO;
	if (pipe == NULL) {
		pipe = env_alloc(sizeof(*pipe));
		if (pipe == NULL)
			return -ENOMEM;
		pipe->owner = inode;
		inode->pipe = pipe;
	}
	join(pipe, file);
	return 0;
}

static void release_anonymous(struct inode *inode)
{
	struct pipe *pipe = inode->pipe;
	free_pages(pipe);
	env_free(pipe);
}

static const struct inode_ops anonymous_ops = { .release = release_anonymous };

static struct pipe *anonymous_create(struct vfs *vfs)
{
	struct pipe *pipe = env_alloc(sizeof(*pipe));
	if (pipe == NULL)
		return NULL;
	struct inode *inode = &pipe->anonymous;
	pipe->owner = inode;
	inode->ops = &anonymous_ops;
	inode->pipe = pipe;
	inode->references = 1;
	inode->mode = S_IFIFO | 0600;
	inode->links = 1;
	inode->number = ++vfs->next_pipe;
	inode->accessed = inode->modified = inode->changed = (int64_t)env_realtime();
	return pipe;
}

int pipe_open(struct vfs *vfs, uint32_t flags, struct file **read_end, struct file **write_end)
{
	if (flags & ~(uint32_t)(O_NONBLOCK | O_CLOEXEC))
		return -EINVAL;
	struct pipe *pipe = anonymous_create(vfs);
	if (pipe == NULL)
		return -ENOMEM;
	flags &= O_NONBLOCK;
	int result = file_open(&pipe->anonymous, O_RDONLY | flags, read_end);
	if (result == 0) {
		result = file_open(&pipe->anonymous, O_WRONLY | flags, write_end);
		if (result != 0)
			file_put(*read_end);
	}
	inode_put(&pipe->anonymous); /* the files hold it now */
	return result;
}

/* -- the checker -- */

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

void pipe_check(const struct pipe *pipe)
{
	check(pipe_used(pipe) <= PIPE_CAPACITY);
	check(pipe->owner->pipe == pipe && inode_is(pipe->owner, S_IFIFO));
	check(pipe->readers <= pipe->readers_ever && pipe->writers <= pipe->writers_ever);
	for (uint32_t position = pipe->head; position != pipe->tail;) {
		check(pipe->page[position / ENV_PAGE % PIPE_PAGES] != NULL);
		position += (uint32_t)piece_size(position, pipe->tail - position);
	}
}
