/* sys_memory.c: mmap and its kin. Source: mmap(2), mremap(2), madvise(2). */
#include "lib/posix/errno.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"
#include "os/linux/syscall.h"
#include "os/linux/user.h"

enum {
	MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_SHARED_VALIDATE = 3, MAP_TYPE = 15,
	MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_FIXED_NOREPLACE = 0x100000,
	PROT_IGNORED = 8, /* PROT_SEM */
	MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2,
	MS_ASYNC = 1, MS_SYNC = 4, MS_FLAGS = 7,
	MADV_DONTNEED = 4, MADV_FREE = 8, MADV_LAST = 25,
};

static uint64_t page_up(uint64_t value)
{
	return (value + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

/* A range that a program may have mapped: whole pages, below the stack's top. */
static bool range_ok(uint64_t start, uint64_t size)
{
	return start % PAGE_SIZE == 0 && start >= MM_LOW && start <= MM_STACK_TOP &&
	       size <= MM_STACK_TOP - start;
}

int64_t sys_brk(uint64_t to)
{
	struct mm *mm = current()->mm;
	uint64_t from = page_up(mm->brk), end = page_up(to);
	int result = 0;

	if (to < mm->brk_start || to > MM_TOP)
		return (int64_t)mm->brk;
	if (end > from) {
		if (!mm_is_free(mm, from, end))
			return (int64_t)mm->brk;
		result = mm_insert(mm, &(struct vma){ .start = from, .end = end,
		                                      .what = MM_READ | MM_WRITE | MM_HEAP });
	} else if (end < from) {
		result = mm_remove(mm, end, from);
	}
	if (result == 0)
		mm->brk = to;
	return (int64_t)mm->brk;
}

/* Where the mapping is to stand: negative errno, or the address. */
static int64_t choose(struct mm *mm, uint64_t hint, uint64_t size, uint64_t flags)
{
	uint64_t start;

	if ((flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0) {
		if (hint % PAGE_SIZE != 0)
			return -EINVAL;
		if (!range_ok(hint, size))
			return hint < MM_LOW ? -EPERM : -ENOMEM;
		if (mm_is_free(mm, hint, hint + size))
			return (int64_t)hint;
		if ((flags & MAP_FIXED_NOREPLACE) != 0)
			return -EEXIST;
		return mm_remove(mm, hint, hint + size) == 0 ? (int64_t)hint : -ENOMEM;
	}
	hint &= ~(uint64_t)(PAGE_SIZE - 1);
	if (hint != 0 && range_ok(hint, size) && mm_is_free(mm, hint, hint + size))
		return (int64_t)hint;
	start = mm_gap(mm, size);
	return start != 0 ? (int64_t)start : -ENOMEM;
}

/* /dev/zero: memory without a file, by another name. */
static bool is_zero_device(const struct file *file)
{
	return file != NULL && inode_is(file->inode, S_IFCHR) &&
	       file->inode->device == device_number(1, 5);
}

/* What stands behind the mapping, with references taken. */
static int find_backing(struct vma *v, uint64_t flags, uint64_t fd, uint64_t offset)
{
	struct file *file = fdtable_file(current()->files, (uint32_t)fd);

	if ((flags & MAP_ANONYMOUS) != 0 || is_zero_device(file)) {
		if ((v->what & MM_SHARED) == 0)
			return 0;
		v->object = mm_object_create((v->end - v->start) / PAGE_SIZE);
		return v->object != NULL ? 0 : -ENOMEM;
	}
	if (file == NULL)
		return -EBADF;
	if (!inode_is(file->inode, S_IFREG))
		return -ENODEV;
	if ((file->flags & O_ACCMODE) == O_WRONLY)
		return -EACCES;
	if ((v->what & MM_SHARED) != 0 && (file->flags & O_ACCMODE) != O_RDWR)
		v->what |= MM_READ_ONLY;
	if ((v->what & MM_READ_ONLY) != 0 && (v->what & MM_WRITE) != 0)
		return -EACCES;
	v->file = file->inode;
	v->offset = offset;
	v->what |= MM_MAPPED;
	mm_hold(v);
	return 0;
}

int64_t sys_mmap(uint64_t hint, uint64_t size, uint64_t access, uint64_t flags, uint64_t fd,
                 uint64_t offset)
{
	struct mm *mm = current()->mm;
	uint64_t type = flags & MAP_TYPE;
	struct vma v = { .what = access & MM_ACCESS };
	int64_t start;
	int result;

	if (size == 0 || offset % PAGE_SIZE != 0 || type < MAP_SHARED || type > MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (size > MM_STACK_TOP || offset + size < offset)
		return -ENOMEM;
	size = page_up(size);
	if (type != MAP_PRIVATE)
		v.what |= MM_SHARED;
	v.end = size; /* for the object's size */
	result = find_backing(&v, flags, fd, offset);
	if (result != 0)
		return result;
	start = choose(mm, hint, size, flags);
	if (start < 0) {
		mm_let_go(&v);
		return start;
	}
	v.start = (uint64_t)start;
	v.end = v.start + size;
	if (mm_insert(mm, &v) != 0) {
		mm_let_go(&v);
		return -ENOMEM;
	}
	if (v.object != NULL && mm_object_map(mm, &v) != 0) {
		(void)mm_remove(mm, v.start, v.end);
		return -ENOMEM;
	}
	return start;
}

int64_t sys_munmap(uint64_t start, uint64_t size)
{
	size = page_up(size);
	if (size == 0 || start % PAGE_SIZE != 0 || start > MM_STACK_TOP || size > MM_STACK_TOP - start)
		return -EINVAL;
	return mm_remove(current()->mm, start, start + size);
}

int64_t sys_mprotect(uint64_t start, uint64_t size, uint64_t access)
{
	if (start % PAGE_SIZE != 0 || (access & ~(uint64_t)(MM_ACCESS | PROT_IGNORED)) != 0)
		return -EINVAL;
	if (size == 0)
		return 0;
	if (size > MM_STACK_TOP || !range_ok(start, page_up(size)))
		return -ENOMEM;
	size = page_up(size);
	return mm_protect(current()->mm, start, start + size, access & MM_ACCESS);
}

/* Private anonymous pages come back as zeroes, file pages as the file has
 * them; either way it is enough that they go. */
static int64_t discard(struct mm *mm, uint64_t start, uint64_t end)
{
	uint64_t covered = start;

	for (uint32_t i = mm_index(mm, start); i < mm->count && mm->vmas[i].start < end; i++) {
		const struct vma *v = &mm->vmas[i];
		uint64_t from = v->start > start ? v->start : start;
		uint64_t to = v->end < end ? v->end : end;
		if (covered == from)
			covered = to;
		if (v->object != NULL)
			continue;
		if (exo_unmap(mm->space, from, (to - from) / PAGE_SIZE) != STATUS_OK)
			return -EINVAL;
	}
	return covered == end ? 0 : -ENOMEM;
}

int64_t sys_madvise(uint64_t start, uint64_t size, uint64_t advice)
{
	if (start % PAGE_SIZE != 0 || advice > MADV_LAST)
		return -EINVAL;
	size = page_up(size);
	if (size == 0 || (advice != MADV_DONTNEED && advice != MADV_FREE))
		return 0;
	if (!range_ok(start, size))
		return -ENOMEM;
	return discard(current()->mm, start, start + size);
}

/* Bytes, for the exokernel cannot move pages from one address to another. What
 * cannot be read was never touched, or is past its file's end: it is the same here. */
static int copy_pages(uint64_t to, uint64_t from, uint64_t size)
{
	uint8_t byte;

	for (uint64_t at = 0; at < size; at += PAGE_SIZE)
		if (user_copy(&byte, (const void *)(from + at), 1) == 0 &&
		    user_copy((void *)(to + at), (const void *)(from + at), PAGE_SIZE) != 0)
			return -ENOMEM;
	return 0;
}

/* Brings what stands at `from` to the range at v->start, which is new. */
static int move_content(struct mm *mm, const struct vma *v, uint64_t from, uint64_t size,
                        uint32_t access)
{
	int result;

	if (v->object != NULL)
		return mm_object_map(mm, v);
	if ((v->what & MM_WRITE) == 0) /* nor was what stands there ever written */
		return 0;
	result = (v->what & MM_SHARED) == 0 ? copy_pages(v->start, from, size) : 0;
	if (result == 0 && (v->what & MM_ACCESS) != access)
		result = mm_protect(mm, v->start, v->end, access);
	return result;
}

static int64_t move(struct mm *mm, const struct vma *old, uint64_t start, uint64_t old_size,
                    uint64_t new_size, uint64_t to)
{
	struct vma v = *old;
	uint64_t keep = old_size < new_size ? old_size : new_size;
	uint32_t access = v.what & MM_ACCESS;

	v.start = to;
	v.end = to + new_size;
	v.offset = old->offset + (start - old->start);
	if ((v.what & (MM_WRITTEN | MM_SHARED)) == MM_WRITTEN) /* until its content is here */
		v.what = (v.what & ~(uint32_t)MM_ACCESS) | MM_READ | MM_WRITE;
	mm_hold(&v);
	if (mm_insert(mm, &v) != 0) {
		mm_let_go(&v);
		return -ENOMEM;
	}
	if (move_content(mm, &v, start, keep, access) != 0 ||
	    mm_remove(mm, start, start + old_size) != 0) {
		(void)mm_remove(mm, to, to + new_size);
		return -ENOMEM;
	}
	return (int64_t)to;
}

int64_t sys_mremap(uint64_t start, uint64_t old_size, uint64_t new_size, uint64_t flags,
                   uint64_t to)
{
	struct mm *mm = current()->mm;
	struct vma *v;
	int64_t result;

	old_size = page_up(old_size);
	new_size = page_up(new_size);
	if (start % PAGE_SIZE != 0 || old_size == 0 || new_size == 0 || !range_ok(start, old_size) ||
	    (flags & ~(uint64_t)(MREMAP_MAYMOVE | MREMAP_FIXED)) != 0 || flags == MREMAP_FIXED)
		return -EINVAL;
	v = mm_find(mm, start);
	if (v == NULL || v->end - start < old_size)
		return -EFAULT;
	if (v->object != NULL && new_size > old_size)
		return -EINVAL;
	if ((flags & MREMAP_FIXED) != 0) {
		if (to % PAGE_SIZE != 0 || !range_ok(to, new_size) ||
		    (to < start + old_size && start < to + new_size))
			return -EINVAL;
		if (mm_remove(mm, to, to + new_size) != 0)
			return -ENOMEM;
		v = mm_find(mm, start);
		return move(mm, v, start, old_size, new_size, to);
	}
	if (new_size <= old_size) {
		result = new_size == old_size ? 0 : mm_remove(mm, start + new_size, start + old_size);
		return result != 0 ? result : (int64_t)start;
	}
	if (v->end == start + old_size && range_ok(start, new_size) && v->file == NULL &&
	    mm_is_free(mm, v->end, start + new_size)) {
		result = mm_insert(mm, &(struct vma){ .start = v->end, .end = start + new_size,
		                                      .what = v->what });
		return result != 0 ? result : (int64_t)start;
	}
	if ((flags & MREMAP_MAYMOVE) == 0)
		return -ENOMEM;
	to = mm_gap(mm, new_size);
	return to == 0 ? -ENOMEM : move(mm, v, start, old_size, new_size, to);
}

int64_t sys_msync(uint64_t start, uint64_t size, uint64_t flags)
{
	if (start % PAGE_SIZE != 0 || (flags & ~(uint64_t)MS_FLAGS) != 0 ||
	    (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	size = page_up(size);
	return size == 0 || mm_find(current()->mm, start) != NULL ? 0 : -ENOMEM;
}

int64_t sys_mlock(uint64_t start, uint64_t size)
{
	(void)start;
	(void)size;
	return 0;
}

int64_t sys_munlock(uint64_t start, uint64_t size)
{
	(void)start;
	(void)size;
	return 0;
}
