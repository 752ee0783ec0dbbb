/* pagemap.c: see pagemap.h. */
#include "lib/vfs/pagemap.h"

#include "lib/posix/errno.h"

#include <string.h>

enum { CHUNK_MAX = 64, /* pages asked for at once */
       HEIGHT_MAX = 9 };

static inline unsigned slot_of(uint64_t index, uint32_t level)
{
	return (unsigned)(index >> (level * PAGEMAP_BITS)) & (PAGEMAP_FANOUT - 1);
}

/* Does a tree of `height` levels reach `index`? */
static inline bool covers(uint32_t height, uint64_t index)
{
	return height > 0 && index >> (height * PAGEMAP_BITS) == 0;
}

void *pagemap_get(const struct pagemap *map, uint64_t index)
{
	if (index < map->run_pages)
		return map->run + index * ENV_PAGE;
	if (!covers(map->height, index))
		return NULL;
	const struct pagemap_node *node = map->root;
	for (uint32_t level = map->height - 1; level > 0 && node != NULL; level--)
		node = node->slot[slot_of(index, level)];
	return node != NULL ? node->slot[slot_of(index, 0)] : NULL;
}

size_t pagemap_span(const struct pagemap *map, uint64_t index, size_t most)
{
	uint8_t *first = pagemap_get(map, index);
	if (first == NULL)
		return 0;
	size_t span = 1;
	if (index < map->run_pages)
		span = map->run_pages - index < most ? (size_t)(map->run_pages - index) : most;
	while (span < most && pagemap_get(map, index + span) == first + span * ENV_PAGE)
		span++;
	return span;
}

size_t pagemap_hole(const struct pagemap *map, uint64_t index, size_t most)
{
	size_t span = 0;
	while (span < most && pagemap_get(map, index + span) == NULL)
		span++;
	return span;
}

/* The slot for `index` in the tree, its nodes made as needed; NULL: no memory. */
static void **make_slot(struct pagemap *map, uint64_t index)
{
	while (!covers(map->height, index)) {
		struct pagemap_node *node = env_alloc(sizeof(*node));
		if (node == NULL)
			return NULL;
		node->slot[0] = map->root;
		map->root = node;
		map->height++;
	}
	struct pagemap_node *node = map->root;
	for (uint32_t level = map->height - 1; level > 0; level--) {
		void **slot = &node->slot[slot_of(index, level)];
		if (*slot == NULL && (*slot = env_alloc(sizeof(*node))) == NULL)
			return NULL;
		node = *slot;
	}
	return &node->slot[slot_of(index, 0)];
}

/* As many contiguous pages as can be had, up to *count. */
static uint8_t *allocate(size_t *count)
{
	for (;;) {
		uint8_t *pages = env_pages(*count);
		if (pages != NULL || *count == 1)
			return pages;
		*count = (*count + 1) / 2;
	}
}

/* Puts up to *count absent pages in from `index` on; *count is how many. */
static int add(struct pagemap *map, uint64_t index, size_t *count)
{
	uint8_t *pages = allocate(count);
	if (pages == NULL)
		return -ENOMEM;
	if (index == 0 && map->run_pages == 0) {
		map->run = pages;
		map->run_pages = *count;
		map->count += *count;
		return 0;
	}
	for (size_t i = 0; i < *count; i++) {
		void **slot = make_slot(map, index + i);
		if (slot == NULL) {
			env_pages_free(pages + i * ENV_PAGE, *count - i);
			return -ENOMEM;
		}
		*slot = pages + i * ENV_PAGE;
		map->count++;
	}
	return 0;
}

int pagemap_fill(struct pagemap *map, uint64_t index, size_t count)
{
	while (count > 0) {
		size_t done = pagemap_get(map, index) != NULL;
		if (done == 0) {
			done = pagemap_hole(map, index, count < CHUNK_MAX ? count : CHUNK_MAX);
			int result = add(map, index, &done);
			if (result != 0)
				return result;
		}
		index += done;
		count -= done;
	}
	return 0;
}

int pagemap_reserve(struct pagemap *map, size_t count)
{
	if (count == 0)
		return 0;
	uint8_t *run = env_pages(count);
	if (run == NULL)
		return -ENOMEM;
	map->run = run;
	map->run_pages = map->count = count;
	return 0;
}

/* Pages being freed: neighbours go together. */
struct batch {
	uint8_t *first;
	size_t count;
};

static void flush(struct batch *batch)
{
	if (batch->count > 0)
		env_pages_free(batch->first, batch->count);
	batch->count = 0;
}

static void discard(struct batch *batch, uint8_t *page)
{
	if (batch->count == 0 || page != batch->first + batch->count * ENV_PAGE) {
		flush(batch);
		batch->first = page;
	}
	batch->count++;
}

/* Frees pages at `from` and beyond below `node`, whose first is `base`; true,
 * and the node freed too, if nothing is left. Recursion is at most HEIGHT_MAX
 * deep. */
static bool cut_node(struct pagemap *map, struct pagemap_node *node, uint32_t level,
                     uint64_t base, uint64_t from, struct batch *batch)
{
	bool empty = true;
	for (unsigned i = 0; i < PAGEMAP_FANOUT; i++) {
		uint64_t first = base + ((uint64_t)i << (level * PAGEMAP_BITS));
		uint64_t last = first + ((uint64_t)1 << (level * PAGEMAP_BITS)) - 1;
		if (node->slot[i] == NULL)
			continue;
		if (last < from) {
			empty = false;
		} else if (level > 0) {
			if (cut_node(map, node->slot[i], level - 1, first, from, batch))
				node->slot[i] = NULL;
			else
				empty = false;
		} else {
			discard(batch, node->slot[i]);
			node->slot[i] = NULL;
			map->count--;
		}
	}
	if (empty)
		env_free(node);
	return empty;
}

void pagemap_cut(struct pagemap *map, uint64_t index)
{
	if (index < map->run_pages) {
		uint64_t surplus = map->run_pages - index;
		env_pages_free(map->run + index * ENV_PAGE, surplus);
		map->run_pages = index;
		map->count -= surplus;
	}
	if (map->root == NULL)
		return;
	struct batch batch = { NULL, 0 };
	if (cut_node(map, map->root, map->height - 1, 0, index, &batch)) {
		map->root = NULL;
		map->height = 0;
	}
	flush(&batch);
}

static void clear_node(struct pagemap_node *node, uint32_t level, uint64_t base, uint64_t from)
{
	for (unsigned i = 0; i < PAGEMAP_FANOUT; i++) {
		uint64_t first = base + ((uint64_t)i << (level * PAGEMAP_BITS));
		if (node->slot[i] == NULL)
			continue;
		if (level > 0)
			clear_node(node->slot[i], level - 1, first, from);
		else if (first >= from)
			memset(node->slot[i], 0, ENV_PAGE);
	}
}

void pagemap_clear(struct pagemap *map, uint64_t index)
{
	if (index < map->run_pages)
		memset(map->run + index * ENV_PAGE, 0, (map->run_pages - index) * ENV_PAGE);
	if (map->root != NULL)
		clear_node(map->root, map->height - 1, 0, index);
}

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static uint64_t check_node(const struct pagemap *map, const struct pagemap_node *node,
                           uint32_t level, uint64_t base)
{
	uint64_t pages = 0;
	for (unsigned i = 0; i < PAGEMAP_FANOUT; i++) {
		uint64_t first = base + ((uint64_t)i << (level * PAGEMAP_BITS));
		if (node->slot[i] == NULL)
			continue;
		if (level > 0) {
			pages += check_node(map, node->slot[i], level - 1, first);
		} else {
			check((uintptr_t)node->slot[i] % ENV_PAGE == 0);
			check(first >= map->run_pages); /* never hidden by the run */
			pages++;
		}
	}
	return pages;
}

void pagemap_check(const struct pagemap *map)
{
	check((map->height == 0) == (map->root == NULL));
	check(map->height <= HEIGHT_MAX);
	uint64_t pages = map->run_pages;
	if (map->root != NULL)
		pages += check_node(map, map->root, map->height - 1, 0);
	check(pages == map->count);
}
