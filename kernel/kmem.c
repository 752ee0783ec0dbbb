/* kmem.c: see kmem.h.
 *
 * Blocks come in size classes of powers of two; a class takes whole frames from
 * the kernel's ledger and never gives them back, while each block is charged to
 * whoever it is for. */
#include "kernel/kmem.h"

#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/panic.h"
#include "kernel/string.h"

enum { CLASS_FIRST_SHIFT = 6, CLASSES = 5 };

struct block {
	struct block *next;
};

struct frames kmem_frames;
static struct ledger ledgers[KMEM_LEDGERS];
static bool ledger_closed[KMEM_LEDGERS];
static struct block *free_blocks[CLASSES];
struct ledger *const kmem_root = &ledgers[0];
struct ledger *const kmem_kernel = &ledgers[1];

/* The frame table itself is cut from the first region that holds it. */
static struct frame *place_table(uint32_t limit)
{
	uint64_t bytes = page_up((uint64_t)limit * sizeof(struct frame));

	for (unsigned i = 0; i < boot_info.usable_count; i++) {
		struct boot_region *r = &boot_info.usable[i];

		if (r->size > bytes) {
			struct paddr at = r->start;

			r->start.v += bytes;
			r->size -= bytes;
			return phys_to_virt(at);
		}
	}
	panic("no memory for the table of %u frames", limit);
}

void kmem_init(void)
{
	uint64_t limit = page_up(boot_info.bundle.v + boot_info.bundle_size) >> PAGE_SHIFT;
	uint64_t reserve;

	for (unsigned i = 0; i < boot_info.usable_count; i++) {
		struct boot_region *r = &boot_info.usable[i];
		uint64_t end = (r->start.v + r->size) >> PAGE_SHIFT;

		limit = end > limit ? end : limit;
	}
	KASSERT(limit < UINT32_MAX);
	frames_init(&kmem_frames, place_table((uint32_t)limit), (uint32_t)limit);
	for (unsigned i = 0; i < boot_info.usable_count; i++) {
		struct boot_region *r = &boot_info.usable[i];
		enum status status = frames_add(&kmem_frames, (uint32_t)(r->start.v >> PAGE_SHIFT),
		                                (uint32_t)((r->start.v + r->size) >> PAGE_SHIFT));

		KASSERT(status == STATUS_OK);
	}
	for (unsigned i = 0; i < KMEM_LEDGERS; i++)
		ledgers[i].id = (uint16_t)i;
	ledger_init_root(kmem_root, (uint64_t)kmem_frames.total << PAGE_SHIFT);
	reserve = page_down(kmem_root->limit / 32);
	if (ledger_init_child(kmem_kernel, kmem_root, reserve))
		panic("no memory for the kernel's reserve");
}

/* By 32-byte stores where the CPU has them; the program's registers are live, so
 * the one that is used is put back. */
static inline bool has_avx(void)
{
	return boot_xcr0 & XCR0_AVX;
}

void page_zero(void *page)
{
	uint64_t count = PAGE_SIZE / 8;
	uint8_t saved[32];

	if (!has_avx()) {
		__asm__ volatile("rep stosq" : "+D"(page), "+c"(count) : "a"(0ul) : "memory");
		return;
	}
	count = PAGE_SIZE / 512;
	__asm__ volatile("vmovdqu %%ymm0, (%2)\n\t"
	                 "vpxor %%xmm0, %%xmm0, %%xmm0\n"
	                 "1: vmovdqa %%ymm0, (%0); vmovdqa %%ymm0, 32(%0)\n\t"
	                 "vmovdqa %%ymm0, 64(%0); vmovdqa %%ymm0, 96(%0)\n\t"
	                 "vmovdqa %%ymm0, 128(%0); vmovdqa %%ymm0, 160(%0)\n\t"
	                 "vmovdqa %%ymm0, 192(%0); vmovdqa %%ymm0, 224(%0)\n\t"
	                 "vmovdqa %%ymm0, 256(%0); vmovdqa %%ymm0, 288(%0)\n\t"
	                 "vmovdqa %%ymm0, 320(%0); vmovdqa %%ymm0, 352(%0)\n\t"
	                 "vmovdqa %%ymm0, 384(%0); vmovdqa %%ymm0, 416(%0)\n\t"
	                 "vmovdqa %%ymm0, 448(%0); vmovdqa %%ymm0, 480(%0)\n\t"
	                 "addq $512, %0; decl %k1; jnz 1b\n\t"
	                 "vmovdqu (%2), %%ymm0"
	                 : "+r"(page), "+r"(count)
	                 : "r"(saved)
	                 : "memory", "cc");
}

void page_copy(void *to, const void *from)
{
	uint64_t count = PAGE_SIZE / 8;
	uint8_t saved[32];

	if (!has_avx()) {
		__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count)::"memory");
		return;
	}
	count = PAGE_SIZE / 128;
	__asm__ volatile("vmovdqu %%ymm0, (%3)\n"
	                 "1: vmovdqa (%1), %%ymm0; vmovdqa %%ymm0, (%0)\n\t"
	                 "vmovdqa 32(%1), %%ymm0; vmovdqa %%ymm0, 32(%0)\n\t"
	                 "vmovdqa 64(%1), %%ymm0; vmovdqa %%ymm0, 64(%0)\n\t"
	                 "vmovdqa 96(%1), %%ymm0; vmovdqa %%ymm0, 96(%0)\n\t"
	                 "subq $-128, %0; subq $-128, %1; decl %k2; jnz 1b\n\t"
	                 "vmovdqu (%3), %%ymm0"
	                 : "+r"(to), "+r"(from), "+r"(count)
	                 : "r"(saved)
	                 : "memory", "cc");
}

uint32_t page_take_reserved(struct ledger *ledger)
{
	uint32_t number = frames_take(&kmem_frames, ledger->id);

	KASSERT(number != FRAMES_NONE); /* ledgers never promise more than there is */
	return number;
}

uint32_t page_take_dirty(struct ledger *ledger)
{
	if (ledger_charge(ledger, PAGE_SIZE))
		return FRAMES_NONE;
	return page_take_reserved(ledger);
}

uint32_t page_take(struct ledger *ledger)
{
	uint32_t number;

	if (ledger_charge(ledger, PAGE_SIZE))
		return FRAMES_NONE;
	number = frames_take_clean(&kmem_frames, ledger->id);
	if (number != FRAMES_NONE)
		return number;
	number = page_take_reserved(ledger);
	page_zero(frame_to_virt(number));
	return number;
}

void page_drop(uint32_t number)
{
	uint16_t ledger;

	KASSERT(frames_at(&kmem_frames, number)->refs > 0);
	if (frames_drop(&kmem_frames, number, &ledger))
		ledger_return(&ledgers[ledger], PAGE_SIZE);
}

void page_drop_clean(uint32_t number)
{
	uint16_t ledger;

	KASSERT(frames_at(&kmem_frames, number)->refs == 1);
	frames_drop_clean(&kmem_frames, number, &ledger);
	ledger_return(&ledgers[ledger], PAGE_SIZE);
}

void *page_alloc(struct ledger *ledger)
{
	uint32_t number = page_take(ledger);

	return number == FRAMES_NONE ? NULL : frame_to_virt(number);
}

void page_free(void *page)
{
	page_drop(virt_to_frame(page));
}

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	KASSERT(size > 0 && size <= KMEM_BLOCK_MAX);
	while (((size_t)1 << (CLASS_FIRST_SHIFT + class)) < size)
		class++;
	return class;
}

static void refill(unsigned class)
{
	size_t step = (size_t)1 << (CLASS_FIRST_SHIFT + class);
	char *page = page_alloc(kmem_kernel);

	if (!page)
		return;
	for (size_t at = 0; at < PAGE_SIZE; at += step) {
		struct block *block = (struct block *)(page + at);

		block->next = free_blocks[class];
		free_blocks[class] = block;
	}
}

void *block_alloc(struct ledger *ledger, size_t size)
{
	unsigned class = class_of(size);
	size_t bytes = (size_t)1 << (CLASS_FIRST_SHIFT + class);
	struct block *block;

	if (ledger_charge(ledger, bytes))
		return NULL;
	if (!free_blocks[class])
		refill(class);
	block = free_blocks[class];
	if (!block) {
		ledger_return(ledger, bytes);
		return NULL;
	}
	free_blocks[class] = block->next;
	memset(block, 0, bytes);
	return block;
}

void block_free(void *pointer, size_t size, struct ledger *ledger)
{
	unsigned class = class_of(size);
	struct block *block = pointer;

	block->next = free_blocks[class];
	free_blocks[class] = block;
	ledger_return(ledger, (size_t)1 << (CLASS_FIRST_SHIFT + class));
}

struct ledger *ledger_create(struct ledger *parent, uint64_t limit)
{
	for (unsigned i = 2; i < KMEM_LEDGERS; i++) {
		if (ledgers[i].refs)
			continue;
		ledger_closed[i] = false;
		return ledger_init_child(&ledgers[i], parent, limit) ? NULL : &ledgers[i];
	}
	return NULL;
}

/* A closed ledger keeps only what is still charged to it; its parent, which may
 * be closed too, has the rest back. */
static void settle(struct ledger *ledger)
{
	while (ledger_closed[ledger->id] && ledger->refs) {
		struct ledger *parent = ledger->parent;
		uint64_t left = ledger->limit - ledger->used;

		ledger->limit = ledger->used;
		if (ledger->used == 0)
			ledger->refs = 0;
		if (!parent)
			return;
		ledger_credit(parent, left);
		ledger = parent;
	}
}

void ledger_close(struct ledger *ledger)
{
	ledger_closed[ledger->id] = true;
	settle(ledger);
}

bool ledger_is_closed(const struct ledger *ledger)
{
	return ledger_closed[ledger->id];
}

void ledger_return(struct ledger *ledger, uint64_t bytes)
{
	KASSERT(ledger->used >= bytes);
	ledger_credit(ledger, bytes);
	if (__builtin_expect(ledger_closed[ledger->id], 0))
		settle(ledger);
}
