/* env_host.c: see env_host.h. Not part of any Tessera program. */
#include "lib/posix/env_host.h"

#include "lib/posix/errno.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__has_feature)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

enum { ARENA_PAGES = 16384 };
#define CLOCK_START ((uint64_t)1700000000 * 1000000000)

struct env_host env_host = { .clock = CLOCK_START };

static uint8_t *arena;
static uint8_t taken[ARENA_PAGES];
static size_t search_from;

void env_host_reset(void)
{
	size_t allocations = env_host.allocations, pages = env_host.pages;
	env_host = (struct env_host){ .allocations = allocations, .pages = pages,
	                              .clock = CLOCK_START };
}

static bool fails(void)
{
	return ++env_host.asked == env_host.fail_at;
}

void *env_alloc(size_t bytes)
{
	void *memory = fails() || bytes > (size_t)1 << 30 ? NULL : calloc(1, bytes);
	env_host.allocations += memory != NULL;
	return memory;
}

void env_free(void *memory)
{
	env_host.allocations -= memory != NULL;
	free(memory);
}

static void arena_create(void)
{
	arena = aligned_alloc(ENV_PAGE, (size_t)ARENA_PAGES * ENV_PAGE);
	if (arena == NULL)
		abort();
	ASAN_POISON_MEMORY_REGION(arena, (size_t)ARENA_PAGES * ENV_PAGE);
}

static bool is_free(size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (taken[first + i])
			return false;
	return true;
}

void *env_pages(size_t count)
{
	if (arena == NULL)
		arena_create();
	if (fails() || count == 0 || count > ARENA_PAGES)
		return NULL;
	for (size_t tries = 0; tries < ARENA_PAGES; tries++) {
		size_t first = (search_from + tries) % ARENA_PAGES;
		if (first + count > ARENA_PAGES || !is_free(first, count))
			continue;
		memset(taken + first, 1, count);
		search_from = first + count;
		env_host.pages += count;
		ASAN_UNPOISON_MEMORY_REGION(arena + first * ENV_PAGE, count * ENV_PAGE);
		return memset(arena + first * ENV_PAGE, 0, count * ENV_PAGE);
	}
	return NULL;
}

void env_cut(const struct inode *inode, uint64_t size)
{
	(void)inode, (void)size; /* nobody is shown any */
}

void env_pages_free(void *memory, size_t count)
{
	size_t offset = (size_t)((uint8_t *)memory - arena);
	for (size_t i = 0; i < count; i++) {
		size_t page = offset / ENV_PAGE + i;
		if (offset % ENV_PAGE != 0 || page >= ARENA_PAGES || !taken[page])
			abort();
		taken[page] = 0;
	}
	env_host.pages -= count;
	ASAN_POISON_MEMORY_REGION(memory, count * ENV_PAGE);
	search_from = offset / ENV_PAGE; /* reuse soon, so that staleness shows */
}

/* How many bytes from `address` on may be touched. */
static size_t reachable(const void *address, size_t size)
{
	const uint8_t *first = address, *fault = env_host.fault_first;
	if (env_host.fault_size == 0 || first >= fault + env_host.fault_size || first + size <= fault)
		return size;
	return first >= fault ? 0 : (size_t)(fault - first);
}

int env_copy(void *to, const void *from, size_t size)
{
	size_t good = reachable(to, reachable(from, size));
	if (good > 0)
		memcpy(to, from, good);
	return good == size ? 0 : -EFAULT;
}

int env_clear(void *to, size_t size)
{
	size_t good = reachable(to, size);
	if (good > 0)
		memset(to, 0, good);
	return good == size ? 0 : -EFAULT;
}

uint64_t env_realtime(void)
{
	return env_host.clock++;
}

uint64_t env_monotonic(void)
{
	return env_host.clock++;
}

void env_wake(struct wait_event *event)
{
	event->sequence++;
	env_host.wakes++;
}
