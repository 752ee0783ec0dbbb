/* kmem.c: see kmem.h. */
#include "kernel/account.h"

#include "kernel/arch/x86_64/boot.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/ending.h"
#include "kernel/panic.h"
#include "kernel/string.h"

/* The kernel's own part of memory: one in so many bytes. */
enum { KERNEL_SHARE = 128 };

struct frames kmem_frames;

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

__attribute__((cold))
void kmem_init(void)
{
	uint64_t limit = page_up(boot_info.bundle.v + boot_info.bundle_size) >> PAGE_SHIFT;
	uint64_t memory;

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
	memory = (uint64_t)kmem_frames.total << PAGE_SHIFT;
	accounts_init(memory, page_down(memory / KERNEL_SHARE));
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

static uint32_t take_paid(struct ledger *ledger)
{
	uint32_t number = frames_take(&kmem_frames, ledger->id);

	KASSERT(number != FRAMES_NONE); /* ledgers never promise more than there is */
	return number;
}

enum status page_reserve(struct ledger *ledger, uint64_t pages)
{
	enum status status = STATUS_NO_MEMORY;

	if (pages <= UINT64_MAX >> PAGE_SHIFT)
		status = ledger_charge(ledger, pages << PAGE_SHIFT);
	if (!status)
		account_of(ledger)->reserved += pages << PAGE_SHIFT;
	else
		(void)ending_concerns(ledger);
	return status;
}

void page_unreserve(struct ledger *ledger, uint64_t pages)
{
	KASSERT(account_of(ledger)->reserved >= pages << PAGE_SHIFT);
	account_of(ledger)->reserved -= pages << PAGE_SHIFT;
	ledger_return(ledger, pages << PAGE_SHIFT);
}

uint32_t page_take_reserved(struct ledger *ledger)
{
	KASSERT(account_of(ledger)->reserved >= PAGE_SIZE);
	account_of(ledger)->reserved -= PAGE_SIZE;
	return take_paid(ledger);
}

/* It cannot pay, for now or at all. */
__attribute__((cold)) static uint32_t refused(const struct ledger *ledger)
{
	(void)ending_concerns(ledger);
	return FRAMES_NONE;
}

uint32_t page_take_dirty(struct ledger *ledger)
{
	if (ledger_charge(ledger, PAGE_SIZE))
		return refused(ledger);
	return take_paid(ledger);
}

uint32_t page_take(struct ledger *ledger)
{
	uint32_t number;

	if (ledger_charge(ledger, PAGE_SIZE))
		return refused(ledger);
	number = frames_take_clean(&kmem_frames, ledger->id);
	if (number != FRAMES_NONE)
		return number;
	number = take_paid(ledger);
	page_zero(frame_to_virt(number));
	return number;
}

__attribute__((cold))
void page_adopt(uint32_t number, struct ledger *ledger)
{
	for (struct ledger *l = ledger; l; l = l->parent) {
		l->limit += PAGE_SIZE;
		if (ledger_charge(l, PAGE_SIZE))
			panic("a ledger cannot pay with what it was just given");
	}
	frames_adopt(&kmem_frames, number, ledger->id);
}

void page_drop(uint32_t number)
{
	uint16_t ledger;

	KASSERT(frames_at(&kmem_frames, number)->refs > 0);
	if (frames_drop(&kmem_frames, number, &ledger))
		ledger_return(&account_at(ledger)->ledger, PAGE_SIZE);
}

void page_drop_clean(uint32_t number)
{
	uint16_t ledger;

	KASSERT(frames_at(&kmem_frames, number)->refs == 1);
	frames_drop_clean(&kmem_frames, number, &ledger);
	ledger_return(&account_at(ledger)->ledger, PAGE_SIZE);
}

__attribute__((cold))
void *page_alloc(struct ledger *ledger)
{
	uint32_t number = page_take(ledger);

	return number == FRAMES_NONE ? NULL : frame_to_virt(number);
}

void page_free(void *page)
{
	page_drop(virt_to_frame(page));
}

void page_drop_unsettled(void *page)
{
	uint16_t ledger;

	if (!frames_drop(&kmem_frames, virt_to_frame(page), &ledger))
		panic("a page of blocks is somebody else's too");
	ledger_credit(&account_at(ledger)->ledger, PAGE_SIZE);
}

static unsigned units_of(size_t size)
{
	KASSERT(size > 0 && size <= KMEM_BLOCK_MAX);
	return (unsigned)((size + BLOCKS_UNIT - 1) / BLOCKS_UNIT);
}

void *block_alloc(struct ledger *ledger, size_t size)
{
	struct account *a = account_of(ledger);
	unsigned units = units_of(size);
	uint32_t number;
	void *block;

	if (a->closed)
		return NULL;
	block = blocks_take(&a->blocks, units);
	if (!block) {
		number = page_take_dirty(ledger);
		if (number == FRAMES_NONE)
			return NULL;
		blocks_add(&a->blocks, frame_to_virt(number));
		block = blocks_take(&a->blocks, units);
	}
	memset(block, 0, (size_t)units * BLOCKS_UNIT);
	return block;
}

void block_free(void *block, size_t size, struct ledger *ledger)
{
	struct account *a = account_of(ledger);
	void *page;

	KASSERT(blocks_has(&a->blocks, block, units_of(size)));
	page = blocks_put(&a->blocks, block, units_of(size));
	if (page)
		page_free(page);
}
