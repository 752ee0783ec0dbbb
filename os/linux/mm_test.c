/* mm_test.c: random histories of mm.c against a table of pages that does the
 * same the slow way. The exokernel is a few lines here: it only remembers which
 * pages were unmapped. Every allocation may fail; then nothing may have changed. */
#include "os/linux/mm.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PAGES = 64, STEPS = 200000, FILES = 2 };
#define BASE 0x10000000ull

/* What stands at each page: 0, or the range's bits and file, plus PRESENT. */
struct slot {
	uint32_t what;
	int file; /* -1: none */
	uint64_t offset;
	bool mapped, present;
};

static struct slot model[PAGES];
static struct fs lost_fs;
static struct inode files[FILES], lost = { .fs = &lost_fs };
static unsigned failures; /* one in so many allocations fails; 0: none */
struct task *task_all;

void *kmalloc(size_t bytes)
{
	return failures != 0 && (unsigned)rand() % failures == 0 ? NULL : malloc(bytes);
}

void kfree(void *memory)
{
	free(memory);
}

void assert_failed(const char *what, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

void fatal(const char *what, uint64_t address)
{
	fprintf(stderr, "%s at %lx\n", what, (unsigned long)address);
	abort();
}

/* Others may have the file's pages from now on. */
void inode_release(struct inode *inode)
{
	assert_ptr_equal(inode, &lost);
	for (unsigned i = 0; i < PAGES; i++)
		assert_false(model[i].present);
}

enum status exo_unmap(uint32_t space, uint64_t address, uint64_t pages)
{
	(void)space;
	for (uint64_t i = 0; i < PAGES; i++)
		if (BASE + i * PAGE_SIZE - address < pages * PAGE_SIZE)
			model[i].present = false;
	return STATUS_OK;
}

enum status exo_protect(uint32_t space, uint64_t address, uint64_t pages, uint32_t access)
{
	(void)space, (void)address, (void)pages, (void)access;
	return STATUS_OK;
}

enum status exo_allocate(uint64_t pages, uint32_t *object)
{
	(void)pages, (void)object;
	return STATUS_NO_MEMORY;
}

enum status exo_map(uint32_t space, uint32_t object, uint64_t page, uint64_t address,
                    uint64_t pages, uint32_t access)
{
	(void)space, (void)object, (void)page, (void)address, (void)pages, (void)access;
	return STATUS_OK;
}

void exo_queue_release(uint32_t cap) { (void)cap; }
enum status exo_flush(void) { return STATUS_OK; }
void exo_queue_share(uint32_t space, uint32_t source, uint64_t address, uint64_t pages,
                     uint64_t mapped)
{
	(void)space, (void)source, (void)address, (void)pages, (void)mapped;
}

/* The ranges say what the model says, page by page. */
static void compare(struct mm *mm)
{
	mm_check(mm);
	for (unsigned i = 0; i < PAGES; i++) {
		const struct vma *v = mm_find(mm, BASE + i * PAGE_SIZE + 5);
		assert_int_equal(v != NULL, model[i].mapped);
		if (v == NULL)
			continue;
		assert_int_equal(v->what & ~(uint32_t)MM_WRITTEN, model[i].what);
		assert_ptr_equal(v->file, model[i].file < 0 ? NULL : &files[model[i].file]);
		if (v->file != NULL)
			assert_int_equal(v->offset + (BASE + i * PAGE_SIZE - v->start), model[i].offset);
	}
}

static bool all_mapped(unsigned from, unsigned to)
{
	while (from < to && model[from].mapped)
		from++;
	return from == to;
}

static void insert(struct mm *mm, unsigned from, unsigned to)
{
	uint32_t what = (uint32_t)rand() & MM_ACCESS;
	int file = rand() % 4 - 2;
	struct vma v = { .start = BASE + from * PAGE_SIZE, .end = BASE + to * PAGE_SIZE, .what = what };

	if (!mm_is_free(mm, v.start, v.end)) {
		if (mm_remove(mm, v.start, v.end) != 0)
			return;
		for (unsigned i = from; i < to; i++)
			model[i] = (struct slot){ .present = model[i].present };
	}
	file = file < 0 ? -1 : file;
	v.file = file < 0 ? NULL : &files[file];
	v.offset = file < 0 ? 0 : (uint64_t)(rand() % 8) * PAGE_SIZE;
	mm_hold(&v);
	if (mm_insert(mm, &v) != 0) {
		mm_let_go(&v);
		return;
	}
	for (unsigned i = from; i < to; i++)
		model[i] = (struct slot){ what, file, v.offset + (i - from) * PAGE_SIZE, true, true };
}

static void take_away(struct mm *mm, unsigned from, unsigned to)
{
	if (mm_remove(mm, BASE + from * PAGE_SIZE, BASE + to * PAGE_SIZE) != 0)
		return;
	for (unsigned i = from; i < to; i++) {
		assert_false(model[i].mapped && model[i].present);
		model[i].mapped = false;
	}
}

static bool is_unchanged(struct mm *mm, unsigned from, unsigned to)
{
	for (; from < to && model[from].mapped; from++)
		if ((mm_find(mm, BASE + from * PAGE_SIZE)->what & MM_ACCESS) != model[from].what)
			return false;
	return true;
}

static void protect(struct mm *mm, unsigned from, unsigned to)
{
	uint32_t access = (uint32_t)rand() & MM_ACCESS;
	int result = mm_protect(mm, BASE + from * PAGE_SIZE, BASE + to * PAGE_SIZE, access);

	/* Up to a hole it is done, unless memory was short; then nothing is. */
	if (!all_mapped(from, to))
		assert_int_equal(result, -ENOMEM);
	if (result != 0 && failures != 0 && is_unchanged(mm, from, to))
		return;
	for (unsigned i = from; i < to && model[i].mapped; i++)
		model[i].what = access;
}

static void clone(struct mm *mm)
{
	struct mm *copy = mm_clone(mm, 2);

	if (copy == NULL)
		return;
	mm_queue_share(mm, copy);
	compare(copy);
	mm_destroy(copy);
}

static void history(unsigned one_fails)
{
	struct mm *mm;

	failures = 0;
	memset(model, 0, sizeof model);
	for (unsigned i = 0; i < FILES; i++)
		files[i] = (struct inode){ .references = 1 };
	mm = mm_create(1);
	failures = one_fails;
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned from = (unsigned)rand() % PAGES, to = from + 1 + (unsigned)rand() % (PAGES - from);
		switch (rand() % 8) {
		case 0: case 1: case 2: insert(mm, from, from + 1 + (to - from) / 4); break;
		case 3: case 4: take_away(mm, from, from + 1 + (to - from) / 4); break;
		case 5: case 6: protect(mm, from, from + 1 + (to - from) / 4); break;
		default: clone(mm); break;
		}
		compare(mm);
	}
	mm_destroy(mm);
	for (unsigned i = 0; i < FILES; i++)
		assert_int_equal(files[i].references, 1);
}

static void test_history(void **state)
{
	(void)state;
	history(0);
}

static void test_history_without_memory(void **state)
{
	(void)state;
	history(4);
}

/* Memory with a file that nothing else holds. */
static struct mm *map_lost(void)
{
	struct mm *mm = mm_create(1);
	struct vma v = {
		.start = BASE + PAGE_SIZE, .end = BASE + 3 * PAGE_SIZE, .file = &lost,
		.what = MM_READ | MM_WRITE | MM_SHARED | MM_MAPPED,
	};

	mm_hold(&v);
	assert_int_equal(mm_insert(mm, &v), 0);
	model[1].present = model[2].present = true;
	return mm;
}

/* However a mapping ends, its pages go from the address space before from the file. */
static void test_unmapped_first(void **state)
{
	struct mm *mm;

	(void)state;
	failures = 0;
	memset(model, 0, sizeof model);
	mm = map_lost();
	assert_int_equal(mm_remove(mm, BASE, BASE + 4 * PAGE_SIZE), 0);
	mm_destroy(mm);
	mm = map_lost();
	mm_clear(mm);
	mm_destroy(mm);
	mm_end(map_lost());
	assert_int_equal(lost.references, 0);
	assert_int_equal(files_mapped, 0);
}

/* mmap's search goes down from the top and finds the highest gap. */
static void test_gap(void **state)
{
	struct mm *mm;

	(void)state;
	failures = 0;
	mm = mm_create(1);
	assert_int_equal(mm_gap(mm, PAGE_SIZE), MM_TOP - PAGE_SIZE);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t at = mm_gap(mm, 4 * PAGE_SIZE);
		assert_int_equal(at, MM_TOP - (i + 1) * 4 * PAGE_SIZE);
		assert_int_equal(mm_insert(mm, &(struct vma){ .start = at, .end = at + 4 * PAGE_SIZE }), 0);
	}
	assert_int_equal(mm_remove(mm, MM_TOP - 8 * PAGE_SIZE, MM_TOP - 6 * PAGE_SIZE), 0);
	assert_int_equal(mm_gap(mm, 2 * PAGE_SIZE), MM_TOP - 8 * PAGE_SIZE);
	assert_int_equal(mm_gap(mm, 3 * PAGE_SIZE), MM_TOP - 15 * PAGE_SIZE);
	assert_int_equal(mm_gap(mm, MM_TOP), 0);
	mm_destroy(mm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_history_without_memory),
		cmocka_unit_test(test_unmapped_first),
		cmocka_unit_test(test_gap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
