/* fault.c: what a page fault in the program's half means.
 *
 * How much is brought in at once is decided here, and nowhere else. */
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"

enum {
	FAULT_PRESENT = 1, /* bits of the processor's error code: SDM 3A, 4.7 */
	FAULT_WRITE = 2,
	FAULT_FETCH = 16,

	ANONYMOUS_AT_ONCE = 8, /* pages at most, while they are used in order */
	FILE_AT_ONCE = 16,     /* aligned group around the fault */
};

static enum mm_fault failure(enum status status)
{
	return status == STATUS_NO_MEMORY ? MM_FAULT_MEMORY : MM_FAULT_ACCESS;
}

/* One page, unless this fault is where the last one's pages ended: then twice
 * as many as that brought. Who uses memory here and there gets what he uses;
 * who fills it in order wastes at most as many pages as he has filled. */
static enum mm_fault anonymous(struct mm *mm, const struct vma *v, uint64_t page)
{
	uint64_t pages = 1;
	enum status status;

	if (page == mm->next_fault) {
		pages = mm->at_once < ANONYMOUS_AT_ONCE ? mm->at_once * 2 : ANONYMOUS_AT_ONCE;
		if (pages > (v->end - page) / PAGE_SIZE)
			pages = (v->end - page) / PAGE_SIZE;
	}
	mm->next_fault = page + pages * PAGE_SIZE;
	mm->at_once = pages;
	status = exo_fresh(mm->space, page, pages, EXO_READ | (v->what & (MM_WRITE | MM_EXECUTE)));
	if (status == STATUS_NO_MEMORY && pages > 1)
		status = exo_fresh(mm->space, page, 1, EXO_READ | (v->what & (MM_WRITE | MM_EXECUTE)));
	return status == STATUS_OK ? MM_FAULT_OK : failure(status);
}

void mm_fill_anonymous(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end)
{
	/* If there is no memory now, a fault will say so. */
	if (start < end)
		(void)!exo_fresh(mm->space, start, (end - start) / PAGE_SIZE, mm_exo_access(v));
}

/* Queues what maps one run of the file's pages at `at`; *pages of them. */
static enum mm_fault queue_run(struct mm *mm, const struct vma *v, uint64_t at, uint64_t end,
                               uint64_t *pages)
{
	bool shared = (v->what & MM_SHARED) != 0;
	uint64_t index = (v->offset + (at - v->start)) / PAGE_SIZE;
	uint32_t object;
	uint64_t number;
	void *run;
	int found = vfs_file_pages(v->file, index, (end - at) / PAGE_SIZE, shared, &run);

	if (found < 0)
		return MM_FAULT_BUS;
	if (run == NULL) { /* a hole, which private memory fills with zeroes */
		*pages = 1;
		exo_queue_fresh(mm->space, at, 1, mm_exo_access(v) & MM_ACCESS);
	} else {
		*pages = pages_object(run, &object, &number);
		if (*pages > (uint64_t)found)
			*pages = (uint64_t)found;
		exo_queue_map(mm->space, object, number, at, *pages, mm_exo_access(v));
	}
	return MM_FAULT_OK;
}

enum mm_fault mm_fill_file(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end,
                           bool write)
{
	bool mine = lock_is_mine(), own = write && (v->what & MM_SHARED) == 0;
	enum mm_fault result = MM_FAULT_OK;
	enum status status;

	if (!mine)
		lock_take();
	for (uint64_t pages = 1, at = start; at < end && result == MM_FAULT_OK; at += pages * PAGE_SIZE)
		result = queue_run(mm, v, at, end, &pages);
	for (uint64_t at = start; own && at < end && result == MM_FAULT_OK; at += PAGE_SIZE)
		exo_queue_resolve(mm->space, at);
	status = exo_flush();
	if (!mine)
		lock_drop();
	return result != MM_FAULT_OK || status == STATUS_OK ? result : failure(status);
}

/* Ranges that were never writable are brought in by aligned groups, whose other
 * pages are welcome but not needed. In the others a page may have been copied
 * already, so only the one that is missing is mapped, and copied at once if it
 * is to be written. */
static enum mm_fault file(struct mm *mm, const struct vma *v, uint64_t page, bool write)
{
	uint64_t group = (uint64_t)FILE_AT_ONCE * PAGE_SIZE;
	uint64_t start = page & ~(group - 1), end = start + group;

	if ((v->what & (MM_WRITE | MM_WRITTEN)) == 0) {
		start = start < v->start ? v->start : start;
		end = end > v->end ? v->end : end;
		if (mm_fill_file(mm, v, start, end, false) == MM_FAULT_OK)
			return MM_FAULT_OK;
	}
	return mm_fill_file(mm, v, page, page + PAGE_SIZE, write);
}

enum mm_fault mm_fault(struct mm *mm, uint64_t address, uint64_t error)
{
	uint64_t page = address & ~(uint64_t)(PAGE_SIZE - 1);
	struct vma *v = mm_find(mm, address);
	uint32_t needed = (error & FAULT_WRITE) != 0   ? MM_WRITE
	                  : (error & FAULT_FETCH) != 0 ? MM_EXECUTE
	                                               : MM_READ;
	enum status status;

	if (v == NULL)
		return MM_FAULT_UNMAPPED;
	if ((v->what & needed) == 0 && !(needed == MM_READ && (v->what & MM_ACCESS) != 0))
		return MM_FAULT_ACCESS;
	if ((error & FAULT_PRESENT) == 0) {
		if (v->file != NULL)
			return file(mm, v, page, needed == MM_WRITE);
		if (v->object != NULL)
			return mm_object_map(mm, v) == 0 ? MM_FAULT_OK : MM_FAULT_MEMORY;
		return anonymous(mm, v, page);
	}
	if (needed != MM_WRITE)
		return MM_FAULT_ACCESS;
	status = exo_resolve(mm->space, page);
	return status == STATUS_OK ? MM_FAULT_OK : failure(status);
}
