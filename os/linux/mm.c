/* mm.c: the ranges of a program's memory: a sorted array.
 *
 * A static program has about ten ranges, so an array is the shortest way to
 * search, to copy at fork and to free; only inserting moves memory.
 *
 * Invariants (mm_check): ranges are whole pages, not empty, in ascending order
 * and disjoint; a range has a file or an object or neither. */
#include "os/linux/mm.h"

#include "lib/posix/errno.h"
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/kmalloc.h"
#include "os/linux/pages.h"
#include "os/linux/task.h"
#include "rt/module_string.h"

enum { ROOM_FIRST = 16, RANGES_MOST = 65530 /* as on Linux */ };
#define SHARE_GAP 0x40000000ull /* ranges closer than this are shared in one go */

static uint32_t files_mapped; /* ranges with MM_MAPPED, of all processes */

/* Shared anonymous memory: an object that all who map it keep alive. */
struct mm_object {
	uint32_t references;
	uint32_t cap;
	uint64_t pages;
};

struct mm_object *mm_object_create(uint64_t pages)
{
	struct mm_object *object = kmalloc(sizeof *object);

	if (object == NULL)
		return NULL;
	*object = (struct mm_object){ .references = 1, .pages = pages };
	if (exo_allocate(pages, &object->cap) != STATUS_OK) {
		kfree(object);
		return NULL;
	}
	return object;
}

static void object_put(struct mm_object *object)
{
	if (object == NULL || --object->references > 0)
		return;
	exo_queue_release(object->cap);
	(void)exo_flush();
	kfree(object);
}

int mm_object_map(struct mm *mm, const struct vma *v)
{
	enum status status = exo_map(mm->space, v->object->cap, v->offset / PAGE_SIZE, v->start,
	                             (v->end - v->start) / PAGE_SIZE, mm_exo_access(v));

	return status == STATUS_OK ? 0 : -ENOMEM;
}

void mm_hold(const struct vma *v)
{
	if (v->file != NULL)
		inode_get(v->file);
	if ((v->what & MM_MAPPED) != 0)
		files_mapped++;
	if (v->object != NULL)
		v->object->references++;
}

void mm_let_go(const struct vma *v)
{
	if ((v->what & MM_MAPPED) != 0)
		files_mapped--;
	inode_put(v->file);
	object_put(v->object);
}

struct mm *mm_create(uint32_t space)
{
	struct mm *mm = kmalloc(sizeof *mm);

	if (mm == NULL)
		return NULL;
	*mm = (struct mm){ .space = space, .room = ROOM_FIRST };
	mm->vmas = kmalloc(ROOM_FIRST * sizeof *mm->vmas);
	if (mm->vmas == NULL) {
		kfree(mm);
		return NULL;
	}
	return mm;
}

struct mm *mm_clone(const struct mm *mm, uint32_t space)
{
	struct mm *clone = kmalloc(sizeof *clone);

	if (clone == NULL)
		return NULL;
	*clone = *mm;
	clone->space = space;
	clone->vmas = kmalloc(mm->room * sizeof *mm->vmas);
	if (clone->vmas == NULL) {
		kfree(clone);
		return NULL;
	}
	if (mm->origin != NULL)
		mm->origin->references++;
	memcpy(clone->vmas, mm->vmas, mm->count * sizeof *mm->vmas);
	for (uint32_t i = 0; i < mm->count; i++)
		mm_hold(&mm->vmas[i]);
	return clone;
}

/* A file range that was never writable can be had again from the file at
 * little cost, and a child that execs touches little of it. */
static bool worth_sharing(const struct vma *v)
{
	return v->file == NULL || (v->what & (MM_WRITE | MM_WRITTEN)) != 0;
}

void mm_queue_share(const struct mm *mm, const struct mm *clone)
{
	uint32_t i = 0;

	while (i < mm->count) {
		uint64_t start = mm->vmas[i].start, end = mm->vmas[i].end;
		if (!worth_sharing(&mm->vmas[i++]))
			continue;
		while (i < mm->count && worth_sharing(&mm->vmas[i]) &&
		       mm->vmas[i].start - end < SHARE_GAP)
			end = mm->vmas[i++].end;
		exo_queue_share(clone->space, mm->space, start, (end - start) / PAGE_SIZE,
		                mm->pages);
	}
}

static void unmap(const struct mm *mm, uint64_t start, uint64_t end)
{
	if (start < end && exo_unmap(mm->space, start, (end - start) / PAGE_SIZE) != STATUS_OK)
		fatal("program memory could not be unmapped", start);
}

static void origin_put(struct mm_origin *origin)
{
	if (origin != NULL && --origin->references == 0)
		kfree(origin);
}

void mm_set_origin(struct mm *mm, const char *path, const char *arguments, size_t size)
{
	size_t path_size = strlen(path) + 1;
	size_t most = path_size < MM_ORIGIN_MOST ? MM_ORIGIN_MOST - path_size : 0;
	struct mm_origin *origin;

	size = size < most ? size : most;
	origin_put(mm->origin);
	mm->origin = origin = kmalloc(sizeof *origin + path_size + size);
	if (origin == NULL)
		return;
	*origin = (struct mm_origin){ 1, (uint32_t)path_size, (uint32_t)size };
	memcpy(origin->bytes, path, path_size);
	memcpy(origin->bytes + path_size, arguments, size);
}

void mm_destroy(struct mm *mm)
{
	origin_put(mm->origin);
	for (uint32_t i = 0; i < mm->count; i++)
		mm_let_go(&mm->vmas[i]);
	kfree(mm->vmas);
	kfree(mm);
}

/* Files come first, for the thread still runs, and others may have their pages once
 * they are let go. */
void mm_end(struct mm *mm)
{
	for (uint32_t i = 0; files_mapped != 0 && i < mm->count; i++)
		if ((mm->vmas[i].what & MM_MAPPED) != 0)
			unmap(mm, mm->vmas[i].start, mm->vmas[i].end);
	mm_destroy(mm);
}

uint32_t mm_index(struct mm *mm, uint64_t address)
{
	uint32_t low = 0, high = mm->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (mm->vmas[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct vma *mm_search(struct mm *mm, uint64_t address)
{
	uint32_t i = mm_index(mm, address);

	if (i == mm->count || address < mm->vmas[i].start)
		return NULL;
	mm->last = i;
	return &mm->vmas[i];
}

static int reserve(struct mm *mm, uint32_t more)
{
	struct vma *vmas;
	uint32_t room = mm->room;

	if (mm->count + more <= room)
		return 0;
	if (mm->count + more > RANGES_MOST)
		return -ENOMEM;
	while (room < mm->count + more)
		room *= 2;
	vmas = kmalloc(room * sizeof *vmas);
	if (vmas == NULL)
		return -ENOMEM;
	memcpy(vmas, mm->vmas, mm->count * sizeof *vmas);
	kfree(mm->vmas);
	mm->vmas = vmas;
	mm->room = room;
	return 0;
}

static void array_insert(struct mm *mm, uint32_t at, const struct vma *v)
{
	assert(mm->count < mm->room);
	memmove(&mm->vmas[at + 1], &mm->vmas[at], (mm->count - at) * sizeof *v);
	mm->vmas[at] = *v;
	mm->count++;
}

static void array_remove(struct mm *mm, uint32_t at, uint32_t count)
{
	memmove(&mm->vmas[at], &mm->vmas[at + count],
	        (mm->count - at - count) * sizeof *mm->vmas);
	mm->count -= count;
}

/* Are the two one range cut in two? */
static bool joins(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->what == b->what && a->file == NULL && b->file == NULL &&
	       a->object == NULL && b->object == NULL;
}

int mm_insert(struct mm *mm, const struct vma *v)
{
	uint32_t at = mm_index(mm, v->start);

	assert(v->start < v->end && (at == mm->count || v->end <= mm->vmas[at].start));
	if (at > 0 && joins(&mm->vmas[at - 1], v)) {
		mm->vmas[at - 1].end = v->end;
		if (at < mm->count && joins(&mm->vmas[at - 1], &mm->vmas[at])) {
			mm->vmas[at - 1].end = mm->vmas[at].end;
			array_remove(mm, at, 1);
		}
	} else if (at < mm->count && joins(v, &mm->vmas[at])) {
		mm->vmas[at].start = v->start;
	} else {
		if (reserve(mm, 1) != 0)
			return -ENOMEM;
		array_insert(mm, at, v);
	}
	mm->pages += (v->end - v->start) / PAGE_SIZE;
	return 0;
}

int mm_split(struct mm *mm, uint64_t address)
{
	uint32_t at = mm_index(mm, address);
	struct vma upper;

	if (at == mm->count || mm->vmas[at].start >= address)
		return 0;
	if (reserve(mm, 1) != 0)
		return -ENOMEM;
	upper = mm->vmas[at];
	upper.offset += address - upper.start;
	upper.start = address;
	mm_hold(&upper);
	mm->vmas[at].end = address;
	array_insert(mm, at + 1, &upper);
	return 0;
}

int mm_remove(struct mm *mm, uint64_t start, uint64_t end)
{
	uint32_t from = mm_index(mm, start), to;

	if (from == mm->count || mm->vmas[from].start >= end)
		return 0;
	if (reserve(mm, 2) != 0 || mm_split(mm, start) != 0 || mm_split(mm, end) != 0)
		return -ENOMEM;
	unmap(mm, start, end);
	from = mm_index(mm, start);
	for (to = from; to < mm->count && mm->vmas[to].start < end; to++) {
		mm->pages -= (mm->vmas[to].end - mm->vmas[to].start) / PAGE_SIZE;
		mm_let_go(&mm->vmas[to]);
	}
	array_remove(mm, from, to - from);
	return 0;
}

void mm_clear(struct mm *mm)
{
	if (mm->count == 0)
		return;
	unmap(mm, 0, MM_STACK_TOP);
	for (uint32_t i = 0; i < mm->count; i++)
		mm_let_go(&mm->vmas[i]);
	mm->count = 0;
	mm->pages = 0;
	mm->last = 0;
	mm->next_fault = 0;
}

/* Makes one range of two where nothing tells them apart any more. */
static void merge_around(struct mm *mm, uint32_t from, uint32_t to)
{
	if (to >= mm->count)
		to = mm->count - 1;
	for (uint32_t i = from > 0 ? from : 1; i <= to && i < mm->count;) {
		if (joins(&mm->vmas[i - 1], &mm->vmas[i])) {
			mm->vmas[i - 1].end = mm->vmas[i].end;
			array_remove(mm, i, 1);
		} else {
			i++;
		}
	}
}

/* PROT_NONE hides what was never touched; what is there stays readable, for
 * the exokernel has no page that is kept and hidden. */
static uint32_t exo_access(uint32_t what)
{
	what &= MM_READ | MM_WRITE | MM_EXECUTE;
	return what == 0 ? 0 : EXO_READ | (what & (MM_WRITE | MM_EXECUTE));
}

uint32_t mm_exo_access(const struct vma *v)
{
	bool private_file = v->file != NULL && (v->what & MM_SHARED) == 0;

	return exo_access(v->what) | (private_file ? EXO_PRIVATE : 0);
}

int mm_protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t access)
{
	uint32_t from = mm_index(mm, start), to;
	uint64_t at = start;
	int result = 0;

	for (uint32_t i = from; at < end && i < mm->count && mm->vmas[i].start <= at; i++) {
		if ((access & MM_WRITE) != 0 && (mm->vmas[i].what & MM_READ_ONLY) != 0)
			return -EACCES;
		at = mm->vmas[i].end;
	}
	if (at < end) {
		end = at;
		result = -ENOMEM;
	}
	if (start == end)
		return result;
	if (reserve(mm, 2) != 0 || mm_split(mm, start) != 0 || mm_split(mm, end) != 0)
		return -ENOMEM;
	from = mm_index(mm, start);
	for (to = from; to < mm->count && mm->vmas[to].start < end; to++) {
		uint32_t written = (mm->vmas[to].what & MM_WRITE) != 0 ? MM_WRITTEN : 0;
		mm->vmas[to].what = (mm->vmas[to].what & MM_FLAGS) | access | written;
	}
	merge_around(mm, from, to);
	if (exo_protect(mm->space, start, (end - start) / PAGE_SIZE, exo_access(access)) != STATUS_OK)
		return -ENOMEM;
	return result;
}

/* Of the file's pages, those that lie wholly past its new end. */
static void forget(const struct mm *mm, const struct vma *v, uint64_t size)
{
	uint64_t past = (size + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
	uint64_t from = v->start + (past > v->offset ? past - v->offset : 0);

	if (from >= v->start)
		unmap(mm, from, v->end);
}

void env_cut(const struct inode *inode, uint64_t size)
{
	if (files_mapped == 0) /* what is executed cannot be cut */
		return;
	for (struct task *task = task_all; task != NULL; task = task->next)
		for (uint32_t i = 0; task->state != TASK_ZOMBIE && i < task->mm->count; i++)
			if (task->mm->vmas[i].file == inode)
				forget(task->mm, &task->mm->vmas[i], size);
}

uint64_t mm_gap(struct mm *mm, uint64_t size)
{
	uint64_t high = MM_TOP;

	for (uint32_t i = mm_index(mm, MM_TOP); i > 0; i--) {
		const struct vma *v = &mm->vmas[i - 1];
		if (v->end <= high && high - v->end >= size)
			return high - size;
		if (v->start < high)
			high = v->start;
	}
	return high >= MM_LOW && high - MM_LOW >= size ? high - size : 0;
}

bool mm_is_free(struct mm *mm, uint64_t start, uint64_t end)
{
	uint32_t at = mm_index(mm, start);

	return at == mm->count || mm->vmas[at].start >= end;
}

void mm_check(const struct mm *mm)
{
	uint64_t pages = 0, above = 0;

	assert(mm->count <= mm->room);
	for (uint32_t i = 0; i < mm->count; i++) {
		const struct vma *v = &mm->vmas[i];
		assert(v->start >= above && v->start < v->end && v->end <= MM_STACK_TOP);
		assert(v->start % PAGE_SIZE == 0 && v->end % PAGE_SIZE == 0);
		assert(v->file == NULL || v->object == NULL);
		above = v->end;
		pages += (v->end - v->start) / PAGE_SIZE;
	}
	assert(pages == mm->pages);
}
