/* ramfs_content.c: the bytes of a ramfs's files. See ramfs.h.
 *
 * What must always hold: every page that is present is counted once, in
 * inode.blocks and in the file system; nothing but zeroes stands between the end
 * of a file and the end of its last page, unless pages were lent. */
#include "lib/vfs/ramfs_node.h"

#include "lib/posix/errno.h"

#include <string.h>

enum { WRITE_CHUNK = 256 /* pages made at a time by one write */ };
#define RAMFS_SIZE_MAX (((uint64_t)1 << 53) - 1) /* nine levels reach that */

static void count_pages(struct node *node, uint64_t before)
{
	ramfs_of(&node->inode)->pages += node->pages.count - before;
	node->inode.blocks = node->pages.count * RAMFS_BLOCKS_PER_PAGE;
}

void ramfs_content_free(struct node *node)
{
	uint64_t before = node->pages.count;
	pagemap_cut(&node->pages, 0);
	count_pages(node, before);
}

/* Makes [first, first + count) present. */
static int fill(struct node *node, uint64_t first, size_t count)
{
	struct ramfs *ram = ramfs_of(&node->inode);
	uint64_t before = node->pages.count;
	if (ram->page_limit != 0) {
		uint64_t missing = 0;
		for (size_t i = 0; i < count; i++)
			missing += pagemap_get(&node->pages, first + i) == NULL;
		if (missing > ram->page_limit - ram->pages)
			return -ENOSPC;
	}
	int result = pagemap_fill(&node->pages, first, count);
	count_pages(node, before);
	return result;
}

/* Bytes of a file that stand together in memory, or in one hole. */
struct piece {
	uint8_t *bytes; /* NULL: a hole */
	size_t size;
};

static struct piece piece_at(const struct node *node, uint64_t offset, size_t size)
{
	uint64_t page = offset / ENV_PAGE;
	size_t within = offset % ENV_PAGE;
	size_t most = (size_t)pages_of(within + size);
	size_t span = pagemap_span(&node->pages, page, most);
	uint8_t *bytes = span > 0 ? (uint8_t *)pagemap_get(&node->pages, page) + within : NULL;
	if (span == 0)
		span = pagemap_hole(&node->pages, page, most);
	size_t room = span * ENV_PAGE - within;
	return (struct piece){ bytes, room < size ? room : size };
}

static int64_t file_pread_pages(struct file *file, void *buffer, size_t size, uint64_t offset)
{
	struct inode *inode = file->inode;
	if (offset >= inode->size)
		return 0;
	if (size > inode->size - offset)
		size = (size_t)(inode->size - offset);
	if (inode->accessed <= inode->modified) /* as Linux's relatime */
		inode->accessed = (int64_t)env_realtime();
	size_t done = 0;
	while (done < size) {
		struct piece piece = piece_at(node_of(inode), offset + done, size - done);
		uint8_t *to = (uint8_t *)buffer + done;
		int result = piece.bytes != NULL ? env_copy(to, piece.bytes, piece.size)
		                                 : env_clear(to, piece.size);
		if (result != 0)
			return done > 0 ? (int64_t)done : result;
		done += piece.size;
	}
	return (int64_t)done;
}

/* Copies into pages that are there; the bytes copied before a fault. */
static size_t copy_in(struct node *node, const void *buffer, size_t size, uint64_t offset)
{
	size_t done = 0;
	while (done < size) {
		struct piece piece = piece_at(node, offset + done, size - done);
		if (env_copy(piece.bytes, (const uint8_t *)buffer + done, piece.size) != 0)
			break;
		done += piece.size;
	}
	return done;
}

/* Zeroes the rest of the last page. */
static void clear_tail(struct node *node)
{
	uint64_t size = node->inode.size;
	uint8_t *page = size % ENV_PAGE != 0 ? pagemap_get(&node->pages, size / ENV_PAGE) : NULL;
	if (page != NULL)
		memset(page + size % ENV_PAGE, 0, ENV_PAGE - size % ENV_PAGE);
}

/* Whoever was lent pages may have written past the end: before the end moves out,
 * all that becomes content is zeroed. */
static void clear_past_end(struct node *node)
{
	clear_tail(node);
	if (node->surplus)
		pagemap_clear(&node->pages, pages_of(node->inode.size));
}

/* The end has moved in, or a write has failed: nothing stays past the end. Pages
 * that may be mapped are zeroed instead of freed, until nobody holds the file. */
static void trim(struct node *node)
{
	uint64_t before = node->pages.count, end = pages_of(node->inode.size);
	node->surplus = node->lent;
	if (!node->surplus)
		pagemap_cut(&node->pages, end);
	clear_past_end(node);
	count_pages(node, before);
}

void ramfs_content_returned(struct node *node)
{
	node->lent = false;
	if (node->surplus)
		trim(node);
}

static int64_t file_pwrite_pages(struct file *file, const void *buffer, size_t size,
                                 uint64_t offset)
{
	struct inode *inode = file->inode;
	struct node *node = node_of(inode);
	if (size == 0)
		return 0;
	if (offset > RAMFS_SIZE_MAX || size > RAMFS_SIZE_MAX - offset)
		return -EFBIG;
	if (offset > inode->size)
		clear_past_end(node);
	size_t done = 0;
	int result = 0;
	while (done < size && result == 0) {
		uint64_t at = offset + done;
		size_t room = (size_t)WRITE_CHUNK * ENV_PAGE - at % ENV_PAGE;
		size_t step = size - done < room ? size - done : room;
		result = fill(node, at / ENV_PAGE, pages_of(at % ENV_PAGE + step));
		if (result != 0)
			break;
		size_t copied = copy_in(node, (const uint8_t *)buffer + done, step, at);
		if (copied < step)
			result = -EFAULT;
		done += copied;
	}
	if (done > 0 && offset + done > inode->size)
		inode->size = offset + done;
	if (result != 0)
		trim(node);
	if (done == 0)
		return result;
	inode_touch_modified(inode);
	return (int64_t)done;
}

static int truncate(struct inode *inode, uint64_t size)
{
	struct node *node = node_of(inode);
	if (size > RAMFS_SIZE_MAX)
		return -EFBIG;
	if (size > inode->size)
		clear_past_end(node);
	inode->size = size;
	trim(node);
	inode_touch_modified(inode);
	return 0;
}

static int pages(struct inode *inode, uint64_t first, size_t count, bool allocate, void **run)
{
	struct node *node = node_of(inode);
	uint64_t end = pages_of(inode->size);
	if (first >= end || count == 0)
		return -ENXIO;
	if (pagemap_get(&node->pages, first) == NULL) {
		if (!allocate)
			return 0;
		int result = fill(node, first, 1);
		if (result != 0)
			return result;
	}
	node->lent = true;
	*run = pagemap_get(&node->pages, first);
	size_t most = count < end - first ? count : (size_t)(end - first);
	if (most > INT32_MAX)
		most = INT32_MAX;
	return (int)pagemap_span(&node->pages, first, most);
}

int ramfs_reserve(struct inode *file, uint64_t size, void **content)
{
	struct node *node = node_of(file);
	struct ramfs *ram = ramfs_of(file);
	uint64_t count = pages_of(size);
	if (file->size != 0 || node->pages.count != 0 || !inode_is(file, S_IFREG))
		return -EINVAL;
	if (ram->page_limit != 0 && count > ram->page_limit - ram->pages)
		return -ENOSPC;
	int result = pagemap_reserve(&node->pages, (size_t)count);
	if (result != 0)
		return result;
	count_pages(node, 0);
	file->size = size;
	*content = node->pages.run;
	return 0;
}

static const struct file_ops regular_files = {
	.pread = file_pread_pages,
	.pwrite = file_pwrite_pages,
};

static int open_regular(struct inode *inode, struct file *file)
{
	(void)inode;
	file->ops = &regular_files;
	return 0;
}

const struct inode_ops ramfs_file_ops = {
	.open = open_regular, .truncate = truncate, .pages = pages, .release = ramfs_release,
};
