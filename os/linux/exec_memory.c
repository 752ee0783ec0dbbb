/* exec_memory.c: a new program's memory: its segments, its stack, its registers.
 *
 * From here on failing ends the process. The stack is laid out as the System V
 * ABI says (AMD64 supplement, 3.4.1). */
#include "lib/posix/errno.h"
#include "os/linux/assert.h"
#include "os/linux/exec.h"
#include "os/linux/exo.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"
#include "os/linux/random.h"
#include "os/linux/signal.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum {
	RANDOM_BYTES = 16,
	STACK_AT_ONCE = 1,       /* pages below the first that come with it */
	DATA_AT_ONCE = 16,       /* pages of data that are copied before they are asked for, */
	BSS_AT_ONCE = 4,         /* and pages without content: most get written at once */
};

enum {
	AT_NULL = 0, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_BASE = 7,
	AT_FLAGS = 8, AT_ENTRY = 9, AT_UID = 11, AT_EUID = 12, AT_GID = 13, AT_EGID = 14,
	AT_PLATFORM = 15, AT_HWCAP = 16, AT_CLKTCK = 17, AT_SECURE = 23, AT_RANDOM = 25,
	AT_HWCAP2 = 26, AT_EXECFN = 31, AT_MINSIGSTKSZ = 51,
	AUX_COUNT = 21,
	PROGRAM_HEADER_SIZE = 56,
};

#define RFLAGS_START 0x202ull

static const char platform[] = "x86_64";

static uint64_t page_up(uint64_t value)
{
	return (value + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

static uint64_t page_down(uint64_t value)
{
	return value & ~(uint64_t)(PAGE_SIZE - 1);
}

static uint32_t access_of(uint32_t flags)
{
	return ((flags & ELF_READ) != 0 ? MM_READ : 0) | ((flags & ELF_WRITE) != 0 ? MM_WRITE : 0) |
	       ((flags & ELF_EXECUTE) != 0 ? MM_EXECUTE : 0);
}

static int insert_file(struct mm *mm, struct inode *inode, uint64_t start, uint64_t end,
                       uint64_t offset, uint32_t what)
{
	struct vma v = {
		.start = start, .end = end, .what = what, .file = inode_get(inode), .offset = offset,
	};
	int result = mm_insert(mm, &v);

	if (result != 0)
		inode_put(inode);
	return result;
}

/* The rest of the page in which the file's bytes end is zero. It is only worth
 * a copy of the page if the file goes on behind them. */
static int clear_tail(const struct inode *inode, const struct elf_segment *segment, uint64_t base)
{
	uint64_t from = base + segment->vaddr + segment->file_size;
	uint64_t rest = page_up(from) - from;

	if (rest == 0 || segment->file_offset + segment->file_size == inode->size)
		return 0;
	return user_clear((void *)from, rest);
}

/* Almost every program writes almost all of its data when it starts. */
static int fill_data(struct mm *mm, uint64_t start, uint64_t end)
{
	const struct vma *v = mm_find(mm, start);

	if (end - start > DATA_AT_ONCE * PAGE_SIZE)
		end = start + DATA_AT_ONCE * PAGE_SIZE;
	return mm_fill_file(mm, v, start, end, true) == MM_FAULT_OK ? 0 : -ENOMEM;
}

static void fill_bss(struct mm *mm, uint64_t start, uint64_t end)
{
	if (end - start > BSS_AT_ONCE * PAGE_SIZE)
		end = start + BSS_AT_ONCE * PAGE_SIZE;
	mm_fill_anonymous(mm, mm_find(mm, start), start, end);
}

static int map_segment(struct mm *mm, struct inode *inode, const struct elf_segment *segment,
                       uint64_t base)
{
	uint64_t start = page_down(base + segment->vaddr);
	uint64_t file_end = page_up(base + segment->vaddr + segment->file_size);
	uint64_t end = page_up(base + segment->vaddr + segment->memory_size);
	uint32_t access = access_of(segment->flags);
	bool writable = (access & MM_WRITE) != 0;
	int result = 0;

	if (segment->file_size == 0)
		file_end = start;
	if (file_end > start) {
		result = insert_file(mm, inode, start, file_end, page_down(segment->file_offset), access);
		if (result == 0 && writable)
			result = fill_data(mm, start, file_end);
		if (result == 0 && writable && segment->memory_size > segment->file_size)
			result = clear_tail(inode, segment, base);
	}
	if (result == 0 && end > file_end) {
		result = mm_insert(mm, &(struct vma){ .start = file_end, .end = end, .what = access });
		if (result == 0 && writable)
			fill_bss(mm, file_end, end);
	}
	return result;
}

static int map_image(struct mm *mm, const struct program *program)
{
	const struct elf_image *image = &program->image;

	for (unsigned i = 0; i < image->segment_count; i++) {
		int result = map_segment(mm, program->inode, &image->segments[i], program->base);
		if (result != 0)
			return result;
	}
	mm->brk_start = page_up(program->base + image->high);
	mm->brk = mm->brk_start;
	return mm_insert(mm, &(struct vma){ .start = MM_STACK_TOP - MM_STACK_SIZE,
	                                    .end = MM_STACK_TOP,
	                                    .what = MM_READ | MM_WRITE | MM_STACK });
}

struct stack {
	uint64_t vector;    /* where rsp begins */
	uint64_t strings;   /* where the argument strings begin */
	uint64_t name, platform, random;
};

static struct stack plan_stack(const struct exec_strings *strings, size_t path_length)
{
	struct stack s;
	uint64_t words = 1 + strings->arguments + 1 + strings->environment + 1 + 2 * AUX_COUNT;

	s.name = MM_STACK_TOP - 8 - (path_length + 1);
	s.strings = s.name - strings->size;
	s.random = (s.strings - RANDOM_BYTES) & ~15ull;
	s.platform = s.random - sizeof platform;
	s.vector = (s.platform - words * 8) & ~15ull;
	return s;
}

static uint64_t *fill_auxiliary(uint64_t *at, const struct program *program, const struct stack *s)
{
	const struct task *task = current();
	const struct elf_image *image = &program->image;
	uint32_t eax = 1, ebx, ecx = 0, edx;

	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	const uint64_t pairs[AUX_COUNT][2] = {
		{ AT_HWCAP, edx },
		{ AT_PAGESZ, PAGE_SIZE },
		{ AT_CLKTCK, 100 },
		{ AT_PHDR, image->phdr != 0 ? program->base + image->phdr : 0 },
		{ AT_PHENT, EXEC_HEADER_SIZE },
		{ AT_PHNUM, image->phdr_count },
		{ AT_BASE, 0 },
		{ AT_FLAGS, 0 },
		{ AT_ENTRY, program->base + image->entry },
		{ AT_UID, task->uid },
		{ AT_EUID, task->euid },
		{ AT_GID, task->gid },
		{ AT_EGID, task->egid },
		{ AT_SECURE, 0 },
		{ AT_RANDOM, s->random },
		{ AT_HWCAP2, 2 }, /* FSGSBASE may be used */
		{ AT_EXECFN, s->name },
		{ AT_PLATFORM, s->platform },
		{ AT_MINSIGSTKSZ, fpu_size + 1024 },
		{ AT_NULL, 0 },
		{ AT_NULL, 0 },
	};
	memcpy(at, pairs, sizeof pairs);
	return at + 2 * AUX_COUNT;
}

/* The addresses of `count` strings that stand one after the other. */
static uint64_t *fill_addresses(uint64_t *at, const char **string, uint64_t *address,
                                uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		size_t size = strlen(*string) + 1;
		*at++ = *address;
		*address += size;
		*string += size;
	}
	*at++ = 0;
	return at;
}

static int fill_stack(struct mm *mm, const struct program *program, const char *path,
                      const struct exec_strings *strings, const struct stack *s)
{
	size_t size = (MM_STACK_TOP - s->vector + 7) & ~7ull;
	uint64_t first = page_down(s->vector) - STACK_AT_ONCE * PAGE_SIZE;
	uint64_t *vector = (uint64_t *)s->vector, *at = vector;
	const char *string = strings->bytes;
	uint64_t address = s->strings;
	uint8_t random[RANDOM_BYTES];

	if (size > MM_STACK_SIZE / 2 ||
	    exo_fresh(mm->space, first, (MM_STACK_TOP - first) / PAGE_SIZE, EXO_READ | EXO_WRITE) !=
	            STATUS_OK)
		return -ENOMEM;
	/* All of it is mapped now, and new, so it is written in place. */
	memcpy((void *)s->name, path, strlen(path) + 1);
	memcpy((void *)s->strings, strings->bytes, strings->size);
	random_bytes(random, sizeof random);
	memcpy((void *)s->random, random, sizeof random);
	memcpy((void *)s->platform, platform, sizeof platform);
	*at++ = strings->arguments;
	at = fill_addresses(at, &string, &address, strings->arguments);
	at = fill_addresses(at, &string, &address, strings->environment);
	at = fill_auxiliary(at, program, s);
	assert((uint64_t)at <= s->platform);
	return 0;
}

static void start_registers(struct regs *regs, const struct program *program,
                            const struct stack *stack)
{
	memset(regs, 0, sizeof *regs);
	regs->rip = program->base + program->image.entry;
	regs->cs = PROGRAM_CODE_SELECTOR;
	regs->rflags = RFLAGS_START;
	regs->rsp = stack->vector;
	regs->ss = PROGRAM_DATA_SELECTOR;
	regs->nr = (uint64_t)-1;
	__asm__ volatile("wrfsbase %0" : : "r"(0ull));
	__asm__ volatile("wrgsbase %0" : : "r"(0ull));
	fpu_reset();
}

int exec_replace_memory(struct task *task, const struct program *program, const char *path,
                          const struct exec_strings *strings, struct regs *regs)
{
	struct stack stack = plan_stack(strings, strlen(path));
	int result;

	mm_clear(task->mm);
	result = map_image(task->mm, program);
	if (result == 0)
		result = fill_stack(task->mm, program, path, strings, &stack);
	if (result == 0)
		start_registers(regs, program, &stack);
	return result;
}
