/* procfs.c: see procfs.h.
 *
 * Nodes are made when they are looked up and freed with their last reference;
 * each holds the directory it was found in, so `..` needs no search.
 * Source: proc(5). */
#include "lib/vfs/procfs.h"

#include "lib/posix/errno.h"
#include "lib/vfs/dirent.h"

#include <string.h>

enum kind { KIND_TOP, KIND_PROCESS, KIND_FDS, KIND_ENTRY, KIND_SELF, KIND_FD };

enum { NUMBER_SIZE = 24, NUMBER_SHIFT = 24, /* of a PID in inode numbers */
       COOKIE_PROCESSES = 1 << 16 };

struct node {
	struct inode inode;
	struct node *above;      /* referenced; NULL for the root */
	enum kind kind;
	uint32_t pid;
	int64_t fd;
	const struct procfs_entry *entry;
	char name[NUMBER_SIZE];  /* of a directory */
};

struct procfs {
	struct fs fs;
	const struct procfs_source *source;
};

static const struct inode_ops directory_ops, file_inode_ops, link_ops;

static struct node *node_of(const struct inode *inode)
{
	return (struct node *)inode;
}

static const struct procfs_source *source_of(const struct inode *inode)
{
	return ((const struct procfs *)inode->fs)->source;
}

/* -- numbers as names -- */

/* -1 if the name is no plain number (leading zeroes are none). */
static int64_t number_from(struct name name)
{
	int64_t number = 0;
	if (name.length == 0 || name.length > 9 || (name.bytes[0] == '0' && name.length > 1))
		return -1;
	for (uint32_t i = 0; i < name.length; i++) {
		if (name.bytes[i] < '0' || name.bytes[i] > '9')
			return -1;
		number = number * 10 + (name.bytes[i] - '0');
	}
	return number;
}

static struct name name_of_number(uint64_t number, char buffer[NUMBER_SIZE])
{
	char *first = buffer + NUMBER_SIZE;
	do
		*--first = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	return name_from(first, (size_t)(buffer + NUMBER_SIZE - first));
}

/* -- nodes -- */

static int make(struct inode *dir, enum kind kind, uint32_t mode, uint32_t pid, uint64_t serial,
                struct node **out)
{
	struct node *node = env_alloc(sizeof(*node));
	if (node == NULL)
		return -ENOMEM;
	struct inode *inode = &node->inode;
	node->kind = kind;
	node->pid = pid;
	node->above = node_of(inode_get(dir));
	inode->fs = dir->fs;
	inode->references = 1;
	inode->mode = mode;
	inode->links = inode_is(inode, S_IFDIR) ? 2 : 1;
	inode->number = ((uint64_t)pid << NUMBER_SHIFT) + serial + 2;
	inode->accessed = inode->modified = inode->changed = (int64_t)env_realtime();
	inode->ops = inode_is(inode, S_IFDIR)   ? &directory_ops
	             : inode_is(inode, S_IFLNK) ? &link_ops
	                                        : &file_inode_ops;
	dir->fs->held++;
	*out = node;
	return 0;
}

static void release(struct inode *inode)
{
	struct node *node = node_of(inode);
	struct node *above = node->above;
	inode->fs->held--;
	env_free(node);
	inode_put(&above->inode);
}

/* Inode numbers within a process: entries, then fd, then each descriptor. */
enum { SERIAL_FDS = 1 << 10, SERIAL_FD = 1 << 11 };

static int lookup_entry(struct inode *dir, const struct procfs_entry *entries, struct name name,
                        struct node **out)
{
	for (const struct procfs_entry *entry = entries; entry->name != NULL; entry++) {
		if (strlen(entry->name) != name.length ||
		    memcmp(entry->name, name.bytes, name.length) != 0)
			continue;
		int result = make(dir, KIND_ENTRY, entry->mode, node_of(dir)->pid,
		                  (uint64_t)(entry - entries), out);
		if (result == 0)
			(*out)->entry = entry;
		return result;
	}
	return -ENOENT;
}

static bool is_live(const struct procfs_source *source, int64_t pid)
{
	return pid > 0 && source->next_process(source->context, (uint32_t)pid - 1) == pid;
}

static int lookup_top(struct inode *dir, struct name name, struct node **out)
{
	const struct procfs_source *source = source_of(dir);
	int64_t pid = number_from(name);
	if (pid >= 0) {
		if (!is_live(source, pid))
			return -ENOENT;
		return make(dir, KIND_PROCESS, S_IFDIR | 0555, (uint32_t)pid, SERIAL_FDS + 1, out);
	}
	if (name.length == 4 && memcmp(name.bytes, "self", 4) == 0)
		return make(dir, KIND_SELF, S_IFLNK | 0777, 0, SERIAL_FDS, out);
	return lookup_entry(dir, source->top, name, out);
}

static int lookup_process(struct inode *dir, struct name name, struct node **out)
{
	const struct procfs_source *source = source_of(dir);
	if (!is_live(source, node_of(dir)->pid))
		return -ENOENT;
	if (source->next_fd != NULL && name.length == 2 && memcmp(name.bytes, "fd", 2) == 0)
		return make(dir, KIND_FDS, S_IFDIR | 0500, node_of(dir)->pid, SERIAL_FDS, out);
	return lookup_entry(dir, source->process, name, out);
}

static int lookup_fd(struct inode *dir, struct name name, struct node **out)
{
	const struct procfs_source *source = source_of(dir);
	uint32_t pid = node_of(dir)->pid;
	int64_t fd = number_from(name);
	if (fd < 0 || source->fd_file(source->context, pid, fd) == NULL)
		return -ENOENT;
	int result = make(dir, KIND_FD, S_IFLNK | 0700, pid, SERIAL_FD + (uint64_t)fd, out);
	if (result == 0)
		(*out)->fd = fd;
	return result;
}

static int lookup(struct inode *dir, struct name name, struct inode **out)
{
	struct node *node;
	int result;
	switch (node_of(dir)->kind) {
	case KIND_TOP:
		result = lookup_top(dir, name, &node);
		break;
	case KIND_PROCESS:
		result = lookup_process(dir, name, &node);
		break;
	default:
		result = lookup_fd(dir, name, &node);
		break;
	}
	if (result == 0)
		*out = &node->inode;
	return result;
}

static struct inode *parent(struct inode *dir)
{
	struct node *above = node_of(dir)->above;
	return above != NULL ? &above->inode : dir;
}

static int name_of(struct inode *dir, struct name *out)
{
	struct node *node = node_of(dir);
	*out = node->kind == KIND_FDS ? name_from("fd", 2) : name_of_number(node->pid, node->name);
	return 0;
}

/* -- listing -- */

struct listing {
	struct dirent_writer writer;
	uint64_t *cookie;
};

/* Writes one record, if the listing has not gone past it yet. */
static int list(struct listing *listing, uint64_t cookie, struct name name, uint64_t number,
                uint32_t mode)
{
	if (*listing->cookie > cookie)
		return 0;
	int result = dirent_put(&listing->writer, name, number, mode, cookie + 1);
	if (result == 0)
		*listing->cookie = cookie + 1;
	return result;
}

static int list_dots(struct listing *listing, struct inode *dir)
{
	int result = list(listing, 0, name_from(".", 1), dir->number, S_IFDIR);
	if (result != 0)
		return result;
	return list(listing, 1, name_from("..", 2), parent(dir)->number, S_IFDIR);
}

static int list_entries(struct listing *listing, const struct procfs_entry *entries,
                        uint64_t cookie, uint32_t pid)
{
	for (const struct procfs_entry *entry = entries; entry->name != NULL; entry++, cookie++) {
		uint64_t number = ((uint64_t)pid << NUMBER_SHIFT) + (uint64_t)(entry - entries) + 2;
		struct name name = name_from(entry->name, strlen(entry->name));
		int result = list(listing, cookie, name, number, entry->mode);
		if (result != 0)
			return result;
	}
	return 0;
}

static int list_processes(struct listing *listing, const struct procfs_source *source)
{
	char buffer[NUMBER_SIZE];
	uint32_t after = 0;
	if (*listing->cookie > COOKIE_PROCESSES)
		after = (uint32_t)(*listing->cookie - COOKIE_PROCESSES - 1);
	for (;;) {
		uint32_t pid = source->next_process(source->context, after);
		if (pid == 0)
			return 0;
		uint64_t number = ((uint64_t)pid << NUMBER_SHIFT) + SERIAL_FDS + 1 + 2;
		int result = list(listing, COOKIE_PROCESSES + (uint64_t)pid,
		                  name_of_number(pid, buffer), number, S_IFDIR);
		if (result != 0)
			return result;
		after = pid;
	}
}

static int list_fds(struct listing *listing, const struct procfs_source *source, uint32_t pid)
{
	char buffer[NUMBER_SIZE];
	int64_t from = *listing->cookie > 2 ? (int64_t)*listing->cookie - 2 : 0;
	for (;;) {
		int64_t fd = source->next_fd(source->context, pid, from);
		if (fd < 0)
			return 0;
		uint64_t number = ((uint64_t)pid << NUMBER_SHIFT) + SERIAL_FD + (uint64_t)fd + 2;
		int result = list(listing, (uint64_t)fd + 2, name_of_number((uint64_t)fd, buffer),
		                  number, S_IFLNK);
		if (result != 0)
			return result;
		from = fd + 1;
	}
}

static int list_top(struct listing *listing, const struct procfs_source *source)
{
	int result = list(listing, 2, name_from("self", 4), SERIAL_FDS + 2, S_IFLNK);
	if (result == 0)
		result = list_entries(listing, source->top, 3, 0);
	return result != 0 ? result : list_processes(listing, source);
}

static int list_process(struct listing *listing, const struct procfs_source *source, uint32_t pid)
{
	int result = 0;
	if (source->next_fd != NULL)
		result = list(listing, 2, name_from("fd", 2),
		              ((uint64_t)pid << NUMBER_SHIFT) + SERIAL_FDS + 2, S_IFDIR);
	return result != 0 ? result : list_entries(listing, source->process, 3, pid);
}

static int64_t getdents(struct inode *dir, uint64_t *cookie, void *buffer, size_t size)
{
	const struct procfs_source *source = source_of(dir);
	struct listing listing = { { buffer, size, 0 }, cookie };
	struct node *node = node_of(dir);
	int result = list_dots(&listing, dir);
	if (result == 0) {
		if (node->kind == KIND_TOP)
			result = list_top(&listing, source);
		else if (node->kind == KIND_PROCESS)
			result = list_process(&listing, source, node->pid);
		else
			result = list_fds(&listing, source, node->pid);
	}
	return dirent_result(&listing.writer, result);
}

/* -- links -- */

/* Appends where the link leads. */
static int target_of(struct node *node, struct text *out)
{
	const struct procfs_source *source = source_of(&node->inode);
	switch (node->kind) {
	case KIND_SELF:
		text_unsigned(out, source->self(source->context));
		return 0;
	case KIND_FD:
		return source->fd_path(source->context, node->pid, node->fd, out);
	default:
		return node->entry->generate(source->context, node->pid, out);
	}
}

static int64_t readlink(struct inode *link, char *buffer, size_t size)
{
	struct text text = { 0 };
	int64_t result = target_of(node_of(link), &text);
	if (result == 0 && text.failed)
		result = -ENOMEM;
	if (result == 0) {
		size_t length = text.length < size ? text.length : size;
		if (length > 0)
			memcpy(buffer, text.bytes, length);
		result = (int64_t)length;
	}
	text_free(&text);
	return result;
}

/* -ENOSYS sends the walk along the target's text. */
static int follow(struct inode *link, struct inode **out)
{
	struct node *node = node_of(link);
	const struct procfs_source *source = source_of(link);
	if (node->kind == KIND_FD) {
		struct file *file = source->fd_file(source->context, node->pid, node->fd);
		if (file == NULL)
			return -ENOENT;
		*out = inode_get(file->inode);
		return 0;
	}
	if (node->kind == KIND_ENTRY && node->entry->follow != NULL)
		return node->entry->follow(source->context, node->pid, out);
	return -ENOSYS;
}

/* -- generated files -- */

/* The text that this open file reads: made when it is read from the start. */
static int generate(struct file *file, uint64_t offset)
{
	struct text *text = file->data;
	if (text != NULL && offset > 0)
		return 0;
	if (text == NULL && (text = env_alloc(sizeof(*text))) == NULL)
		return -ENOMEM;
	file->data = text;
	text->length = 0;
	text->failed = false;
	struct node *node = node_of(file->inode);
	const struct procfs_source *source = source_of(file->inode);
	int result = node->entry->generate(source->context, node->pid, text);
	return result == 0 && text->failed ? -ENOMEM : result;
}

static int64_t generated_pread(struct file *file, void *buffer, size_t size, uint64_t offset)
{
	int result = generate(file, offset);
	if (result != 0)
		return result;
	const struct text *text = file->data;
	if (offset >= text->length)
		return 0;
	if (size > text->length - offset)
		size = text->length - (size_t)offset;
	result = env_copy(buffer, text->bytes + offset, size);
	return result != 0 ? result : (int64_t)size;
}

static void generated_close(struct file *file)
{
	if (file->data != NULL)
		text_free(file->data);
	env_free(file->data);
}

static const struct file_ops generated_files = {
	.pread = generated_pread, .close = generated_close,
};

static int open_generated(struct inode *inode, struct file *file)
{
	(void)inode;
	if ((file->flags & O_ACCMODE) != O_RDONLY)
		return -EACCES;
	file->ops = &generated_files;
	return 0;
}

static int64_t directory_getdents(struct file *file, void *buffer, size_t size)
{
	return file->inode->ops->getdents(file->inode, &file->offset, buffer, size);
}

static const struct file_ops directory_files = { .getdents = directory_getdents };

static int open_directory(struct inode *inode, struct file *file)
{
	(void)inode;
	file->ops = &directory_files;
	return 0;
}

static const struct inode_ops directory_ops = {
	.lookup = lookup, .parent = parent, .name_of = name_of, .getdents = getdents,
	.open = open_directory, .release = release,
};
static const struct inode_ops file_inode_ops = { .open = open_generated, .release = release };
static const struct inode_ops link_ops = {
	.readlink = readlink, .follow = follow, .release = release,
};

/* -- the file system -- */

static int procfs_statfs(struct fs *fs, struct statfs *out)
{
	(void)fs;
	out->f_type = PROC_MAGIC;
	return 0;
}

static void destroy(struct fs *fs)
{
	env_free(fs->root);
	env_free(fs);
}

int procfs_create(const struct procfs_source *source, struct fs **out)
{
	struct procfs *proc = env_alloc(sizeof(*proc));
	struct node *root = env_alloc(sizeof(*root));
	if (proc == NULL || root == NULL) {
		env_free(proc);
		env_free(root);
		return -ENOMEM;
	}
	proc->source = source;
	proc->fs.type = "proc";
	proc->fs.read_only = true;
	proc->fs.statfs = procfs_statfs;
	proc->fs.destroy = destroy;
	proc->fs.root = &root->inode;
	proc->fs.held = 1;
	root->kind = KIND_TOP;
	root->inode.ops = &directory_ops;
	root->inode.fs = &proc->fs;
	root->inode.references = 1;
	root->inode.mode = S_IFDIR | 0555;
	root->inode.links = 2;
	root->inode.number = 1;
	root->inode.modified = root->inode.changed = (int64_t)env_realtime();
	*out = &proc->fs;
	return 0;
}

void procfs_mounts(const struct vfs *vfs, const struct vfs_place *place, struct text *out)
{
	char *path = env_alloc(PATH_MAX);
	if (path == NULL) {
		out->failed = true;
		return;
	}
	for (const struct fs *fs = vfs->mounts; fs != NULL; fs = fs->next) {
		if (vfs_directory_path(place, fs->root, path, PATH_MAX) < 0)
			continue;
		text_string(out, fs->type);
		text_char(out, ' ');
		text_string(out, path);
		text_char(out, ' ');
		text_string(out, fs->type);
		text_string(out, fs->read_only ? " ro 0 0\n" : " rw 0 0\n");
	}
	env_free(path);
}
