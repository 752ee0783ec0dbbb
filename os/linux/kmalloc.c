/* kmalloc.c: pieces of a page, by size class; whole pages above that.
 *
 * A slab is one page cut into pieces of one class. The free pieces of a slab
 * are chained through their first word; slabs with a free piece are on their
 * class's list. What a piece belongs to follows from its page, so there are no
 * headers. */
#include "os/linux/kmalloc.h"

#include "lib/posix/env.h"
#include "os/linux/assert.h"
#include "os/linux/pages.h"
#include "rt/module_string.h"

static const uint16_t class_size[] = {
	16, 32, 48, 64, 96, 128, 192, 256, 336, 512, 672, 1024, 1360, 2048,
};
enum { CLASSES = sizeof class_size / sizeof class_size[0], CLASS_LARGEST = 2048, STEP = 16 };

static struct page *partial[CLASSES];
static uint8_t class_for[CLASS_LARGEST / STEP + 1]; /* by steps, rounded up; made at first use */

static void make_table(void)
{
	uint8_t class = 0;

	for (unsigned step = 0; step <= CLASS_LARGEST / STEP; step++) {
		if (step * STEP > class_size[class])
			class++;
		class_for[step] = class;
	}
}

static struct page *slab_add(uint8_t class)
{
	uint8_t *memory = pages_allocate(1, false);
	struct page *slab;
	uint32_t size = class_size[class];

	if (memory == NULL)
		return NULL;
	slab = pages_at(memory);
	slab->state = PAGE_SLAB;
	slab->class = class;
	slab->count = 0;
	slab->free = NULL;
	for (uint32_t at = PAGE_SIZE / size * size; at > 0; at -= size) {
		void **piece = (void **)(memory + at - size);
		*piece = slab->free;
		slab->free = piece;
	}
	slab->prev = NULL;
	slab->next = NULL;
	partial[class] = slab;
	return slab;
}

static void slab_unlink(struct page *slab)
{
	if (slab->prev != NULL)
		slab->prev->next = slab->next;
	else
		partial[slab->class] = slab->next;
	if (slab->next != NULL)
		slab->next->prev = slab->prev;
}

static void *large(size_t bytes)
{
	size_t count = (bytes + PAGE_SIZE - 1) / PAGE_SIZE;
	void *memory = bytes > SIZE_MAX - PAGE_SIZE ? NULL : pages_allocate(count, false);

	if (memory != NULL) {
		struct page *page = pages_at(memory);
		page->state = PAGE_LARGE;
		page->count = (uint32_t)count;
	}
	return memory;
}

void *kmalloc(size_t bytes)
{
	struct page *slab;
	uint8_t class;
	void **piece;

	if (bytes > CLASS_LARGEST)
		return large(bytes);
	if (class_for[CLASS_LARGEST / STEP] == 0)
		make_table();
	class = class_for[(bytes + STEP - 1) / STEP];
	slab = partial[class];
	if (slab == NULL && (slab = slab_add(class)) == NULL)
		return NULL;
	piece = slab->free;
	slab->free = *piece;
	slab->count++;
	if (slab->free == NULL)
		slab_unlink(slab);
	return piece;
}

void kfree(void *memory)
{
	struct page *slab;
	void **piece = memory;

	if (memory == NULL)
		return;
	slab = pages_at(memory);
	if (slab->state == PAGE_LARGE) {
		slab->state = PAGE_USED;
		pages_free(memory, slab->count);
		return;
	}
	assert(slab->state == PAGE_SLAB && slab->count > 0);
	if (slab->free == NULL) { /* it was full, and on no list */
		slab->prev = NULL;
		slab->next = partial[slab->class];
		if (slab->next != NULL)
			slab->next->prev = slab;
		partial[slab->class] = slab;
	}
	*piece = slab->free;
	slab->free = piece;
	slab->count--;
	if (slab->count == 0 && (slab->next != NULL || slab->prev != NULL)) {
		slab_unlink(slab);
		slab->state = PAGE_USED;
		pages_free(pages_address(slab), 1);
	}
}

void *env_alloc(size_t bytes)
{
	void *memory = kmalloc(bytes);

	if (memory != NULL)
		memset(memory, 0, bytes);
	return memory;
}

void env_free(void *memory)
{
	kfree(memory);
}
