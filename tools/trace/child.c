/* child.c: see child.h.
 *
 * The child executes an image of one page: a system call instruction and a
 * breakpoint, with which it maps what it is told to. */
#include "tools/trace/child.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_SYSEMU
#define PTRACE_SYSEMU 31
#endif

enum {
	CODE_OFFSET = 0x200, PAGE = 4096,
	RFLAGS_INITIAL = 0x202,
	NO_PTRACE = 99, /* exit status of a child that may not be traced */
};

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	uint8_t padding[CODE_OFFSET - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
	uint8_t code[8];
};

static const struct image image = {
	.header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = EV_CURRENT,
		.e_entry = CHILD_PAGE + CODE_OFFSET,
		.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 2,
	},
	.segments = {
		{ .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = CHILD_PAGE,
		  .p_filesz = sizeof(struct image), .p_memsz = sizeof(struct image), .p_align = PAGE },
		{ .p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W },
	},
	.code = { 0x0f, 0x05, 0xcc, 0xcc }, /* syscall; int3 */
};

__attribute__((format(printf, 2, 3))) static bool refuse(struct child *c, const char *format, ...)
{
	va_list arguments;

	if (c->error[0])
		return false;
	va_start(arguments, format);
	vsnprintf(c->error, sizeof c->error, format, arguments);
	va_end(arguments);
	return false;
}

static _Noreturn void become_image(int file)
{
	static char *const nothing[] = { NULL };
	static char *const name[] = { (char *)"tessera-replay", NULL };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		_exit(NO_PTRACE);
	fexecve(file, name, nothing);
	_exit(NO_PTRACE - 1);
}

/* Waits for the child to stop; its signal, or 0 if it is gone. */
static int wait_stop(struct child *c)
{
	int status;

	while (waitpid(c->pid, &status, 0) < 0)
		if (errno != EINTR)
			return 0;
	if (WIFSTOPPED(status))
		return WSTOPSIG(status);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_PTRACE)
		refuse(c, "this machine does not let one process trace another (ptrace)");
	c->pid = 0;
	return 0;
}

/* A system call of the host's, made by the child. */
static long host_call(struct child *c, long number, uint64_t a, uint64_t b, uint64_t d, uint64_t e,
                      uint64_t f, uint64_t g)
{
	struct user_regs_struct saved, regs;
	int signal;

	if (!c->pid || ptrace(PTRACE_GETREGS, c->pid, NULL, &saved) != 0)
		return -ESRCH;
	regs = saved;
	regs.rip = CHILD_PAGE + CODE_OFFSET;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)number;
	regs.rdi = a, regs.rsi = b, regs.rdx = d, regs.r10 = e, regs.r8 = f, regs.r9 = g;
	regs.eflags = RFLAGS_INITIAL;
	if (ptrace(PTRACE_SETREGS, c->pid, NULL, &regs) != 0 ||
	    ptrace(PTRACE_CONT, c->pid, NULL, NULL) != 0)
		return -ESRCH;
	signal = wait_stop(c);
	if (signal != SIGTRAP || ptrace(PTRACE_GETREGS, c->pid, NULL, &regs) != 0)
		return -ESRCH;
	saved.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, c->pid, NULL, &saved) != 0)
		return -ESRCH;
	return (long)regs.rax;
}

long child_map(struct child *c, uint64_t address, uint64_t size, int protection, int flags,
               uint64_t offset)
{
	int file = flags & MAP_ANONYMOUS ? -1 : c->store;
	long at = host_call(c, SYS_mmap, address, size, (uint64_t)protection, (uint64_t)flags,
	                    (uint64_t)(int64_t)file, offset);

	return at < 0 && at > -PAGE ? at : (uint64_t)at == address ? 0 : -EEXIST;
}

long child_unmap(struct child *c, uint64_t address, uint64_t size)
{
	return host_call(c, SYS_munmap, address, size, 0, 0, 0, 0);
}

/* What is mapped, its own page and the host kernel's half left out. */
struct region {
	uint64_t from, to;
};

static size_t regions(struct child *c, struct region **out)
{
	char path[32], line[512];
	size_t count = 0, room = 0;
	unsigned long from, to;
	FILE *maps;

	*out = NULL;
	snprintf(path, sizeof path, "/proc/%d/maps", c->pid);
	maps = fopen(path, "r");
	while (maps && fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%lx-%lx", &from, &to) != 2 || from == CHILD_PAGE || from >> 63)
			continue;
		if (count == room) {
			void *more = realloc(*out, (room = 2 * room + 16) * sizeof **out);

			if (!more)
				break;
			*out = more;
		}
		(*out)[count++] = (struct region){ from, to };
	}
	if (maps)
		fclose(maps);
	return count;
}

long child_protect(struct child *c, uint64_t address, uint64_t size, int protection)
{
	struct region *all;
	size_t count = regions(c, &all);
	long status = 0;

	for (size_t i = 0; i < count && status == 0; i++) {
		uint64_t from = all[i].from > address ? all[i].from : address;
		uint64_t to = all[i].to < address + size ? all[i].to : address + size;

		if (from < to)
			status = host_call(c, SYS_mprotect, from, to - from, (uint64_t)protection, 0, 0, 0);
	}
	free(all);
	return status;
}

/* All that came with the image: stack, vdso and their like. */
static bool empty(struct child *c)
{
	struct region *all;
	size_t count = regions(c, &all);

	for (size_t i = 0; i < count; i++)
		if (child_unmap(c, all[i].from, all[i].to - all[i].from) != 0)
			refuse(c, "the child's memory cannot be emptied");
	free(all);
	return c->error[0] == 0;
}

static bool prepare(struct child *c)
{
	char path[32];

	snprintf(path, sizeof path, "/proc/%d/mem", c->pid);
	if (ptrace(PTRACE_SETOPTIONS, c->pid, NULL,
	           (void *)(uintptr_t)(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD)) != 0)
		return refuse(c, "ptrace: %s", strerror(errno));
	c->memory = open(path, O_RDWR | O_CLOEXEC);
	if (c->memory < 0)
		return refuse(c, "%s: %s", path, strerror(errno));
	if (!empty(c))
		return false;
	if (host_call(c, SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0) != 0)
		return refuse(c, "the TSC cannot be kept from the program");
	return true;
}

bool child_start(struct child *c)
{
	int file = memfd_create("tessera-replay", MFD_CLOEXEC);

	*c = (struct child){ .memory = -1, .store = memfd_create("tessera-memory", 0) };
	if (file < 0 || c->store < 0 || write(file, &image, sizeof image) != sizeof image) {
		if (file >= 0)
			close(file);
		return refuse(c, "memfd: %s", strerror(errno));
	}
	fflush(NULL);
	c->pid = fork();
	if (c->pid == 0)
		become_image(file);
	close(file);
	if (c->pid < 0) {
		c->pid = 0;
		return refuse(c, "fork: %s", strerror(errno));
	}
	if (wait_stop(c) != SIGTRAP)
		return refuse(c, "the child does not start");
	return prepare(c);
}

void child_end(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	if (c->memory >= 0)
		close(c->memory);
	if (c->store >= 0)
		close(c->store);
}

bool child_read(struct child *c, uint64_t address, void *to, size_t size)
{
	return address <= INT64_MAX &&
	       pread(c->memory, to, size, (off_t)address) == (ssize_t)size;
}

/* The code in its own page makes system calls of the host's: a recording that says where
 * an answer goes must not put another there. */
bool child_write(struct child *c, uint64_t address, const void *from, size_t size)
{
	return address >= CHILD_PAGE + PAGE && address <= INT64_MAX &&
	       pwrite(c->memory, from, size, (off_t)address) == (ssize_t)size;
}

void child_set_start(struct child *c, uint64_t entry, uint64_t stack, uint64_t rdi, uint64_t rsi,
                     uint64_t rdx)
{
	struct user_regs_struct now, regs = { 0 };

	if (ptrace(PTRACE_GETREGS, c->pid, NULL, &now) != 0)
		return;
	regs.cs = now.cs;
	regs.ss = now.ss;
	regs.orig_rax = (unsigned long long)-1;
	regs.eflags = RFLAGS_INITIAL;
	regs.rip = entry;
	regs.rsp = stack;
	regs.rdi = rdi;
	regs.rsi = rsi;
	regs.rdx = rdx;
	ptrace(PTRACE_SETREGS, c->pid, NULL, &regs);
}

static struct child_event syscall_event(const struct user_regs_struct *regs, uint64_t number)
{
	return (struct child_event){ CHILD_SYSCALL, number, regs->rdi, regs->rsi, regs->rip };
}

/* A fault may be an instruction that the exokernel's machine has and this one,
 * as we set it up, has not. */
static struct child_event fault_event(struct child *c, struct user_regs_struct *regs)
{
	uint8_t code[3] = { 0 };

	for (size_t i = 0; i < sizeof code && child_read(c, regs->rip + i, &code[i], 1); i++)
		;
	if (code[0] == 0xcd && code[1] == 0x90) { /* int 0x90 */
		regs->rip += 2;
		ptrace(PTRACE_SETREGS, c->pid, NULL, regs);
		return syscall_event(regs, regs->rax);
	}
	if (code[0] == 0x0f && (code[1] == 0x31 || (code[1] == 0x01 && code[2] == 0xf9)))
		return (struct child_event){ .stop = CHILD_TSC, .address = regs->rip };
	return (struct child_event){ .stop = CHILD_FAULT, .address = regs->rip };
}

struct child_event child_run(struct child *c)
{
	struct user_regs_struct regs;

	for (;;) {
		int signal;

		if (!c->pid || ptrace(PTRACE_SYSEMU, c->pid, NULL, NULL) != 0)
			break;
		signal = wait_stop(c);
		if (!signal || ptrace(PTRACE_GETREGS, c->pid, NULL, &regs) != 0)
			break;
		if (signal == (SIGTRAP | 0x80))
			return syscall_event(&regs, regs.orig_rax);
		if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
		    signal == SIGTRAP)
			return fault_event(c, &regs);
		/* Any other signal is the host's business, and not delivered. */
	}
	return (struct child_event){ .stop = CHILD_GONE };
}

void child_answer(struct child *c, uint64_t rax, uint64_t rdx)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, c->pid, NULL, &regs) != 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = rax;
	regs.rdx = rdx;
	ptrace(PTRACE_SETREGS, c->pid, NULL, &regs);
}
