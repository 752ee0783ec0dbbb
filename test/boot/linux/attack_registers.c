/* attack_registers.c: system calls with poisoned flags, stack and segment
 * registers, and with pointers to where a program has no business: the module's
 * memory, the exokernel's, the gate. The module reaches them; for the program it
 * must not. */
#include "test/boot/modules/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CALLS = 460, WAIT_MS = 60 };

static int failures;

#define EXPECT(condition) \
	((condition) ? (void)0 : (void)(failures++, printf("not ok line %d: " #condition "\n", __LINE__)))

static const uint64_t places[] = {
	MODULE_TEXT, MODULE_BASE, MODULE_FIRST_RING, MODULE_CAPSET, MODULE_END - 8, GATE_ENTRY,
	WINDOW_IDT, WINDOW_CELLS, ENTRY_STACK, CPU_AREA, KERNEL_TEXT, PHYSMAP_BASE, NONCANONICAL,
	USER_END - 4, USER_END, PROGRAM_CAPSET, (uint64_t)-8, (uint64_t)-4096, 1ul << 63,
};
enum { PLACES = sizeof places / sizeof places[0] };

static long call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                 uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "+a"(number)
	                 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return number;
}

/* getpid with the given flags and rsp; *after: the flags on return. */
static long poisoned(uint64_t flags, uint64_t rsp, uint64_t *after)
{
	long number = SYS_getpid;

	__asm__ volatile("movq %%rsp, %%rbx\n pushq %2\n popfq\n testq %3, %3\n jz 1f\n"
	                 "movq %3, %%rsp\n"
	                 "1: syscall\n cmpq %%rsp, %%rbx\n je 2f\n cmpq %%rsp, %3\n je 2f\n"
	                 "movq $-1, %%rax\n 2: movq %%rbx, %%rsp\n pushfq\n popq %1\n"
	                 "pushq $0x202\n popfq\n"
	                 : "+a"(number), "=&r"(*after) : "r"(flags), "r"(rsp)
	                 : "rbx", "rcx", "r11", "memory", "cc");
	return number;
}

static void registers(void)
{
	static const uint64_t flags[] = { 0x202, 0x602, 0x4202, 0x40202, 0x44602, 0x3202, 0xad7 };
	uint64_t after;
	long pid = getpid();

	for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
		EXPECT(poisoned(flags[i], 0, &after) == pid);
		for (unsigned p = 0; p < PLACES; p++)
			EXPECT(poisoned(flags[i], places[p], &after) == pid);
	}
	EXPECT(!(after & 0x3000));
}

static void handler(int signal)
{
	(void)signal;
	_exit(0);
}

/* A signal, a fault, an interrupt while rsp is nowhere: the child ends by it. */
static void signal_without_stack(void)
{
	for (unsigned p = 0; p < PLACES; p++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			signal(SIGILL, handler);
			__asm__ volatile("movq %0, %%rsp\n ud2" : : "r"(places[p]) : "memory");
		}
		EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	}
}

/* Bytes of the module must not come out, nor go in. */
static void buffers(void)
{
	char bytes[64];
	int ends[2], file = open("/attack-file", O_RDWR | O_CREAT, 0600);

	EXPECT(pipe(ends) == 0 && file >= 0);
	EXPECT(write(ends[1], "0123456789abcdef", 16) == 16);
	EXPECT(pwrite(file, "0123456789abcdef", 16, 0) == 16);
	for (unsigned p = 0; p < PLACES; p++) {
		uint64_t at = places[p];

		EXPECT(call(SYS_write, ends[1], at, 16, 0, 0, 0) == -EFAULT);
		EXPECT(call(SYS_write, file, at, 16, 0, 0, 0) == -EFAULT);
		EXPECT(call(SYS_read, ends[0], at, 16, 0, 0, 0) == -EFAULT);
		lseek(file, 0, SEEK_SET);
		EXPECT(call(SYS_read, file, at, 16, 0, 0, 0) == -EFAULT);
		EXPECT(call(SYS_write, ends[1], at, 1ul << 40, 0, 0, 0) < 0);
		EXPECT(call(SYS_uname, at, 0, 0, 0, 0, 0) == -EFAULT);
		EXPECT(call(SYS_openat, (uint64_t)AT_FDCWD, at, O_RDONLY, 0, 0, 0) < 0);
		EXPECT(call(SYS_pipe2, at, 0, 0, 0, 0, 0) < 0);
		EXPECT(call(SYS_clock_gettime, 0, at, 0, 0, 0, 0) < 0);
		EXPECT(call(SYS_getrandom, at, 16, 0, 0, 0, 0) < 0);
		EXPECT(call(SYS_rt_sigaction, SIGUSR1, at, 0, 8, 0, 0) < 0);
		EXPECT(call(SYS_rt_sigaction, SIGUSR1, 0, at, 8, 0, 0) < 0);
		EXPECT(call(SYS_execve, at, at, at, 0, 0, 0) < 0);
		EXPECT(call(SYS_mmap, at & ~4095ul, 4096, PROT_READ | PROT_WRITE,
		            MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0) < 0 ||
		       at < USER_END);
		EXPECT(call(SYS_munmap, at & ~4095ul, 4096, 0, 0, 0, 0) < 0 || at < USER_END);
		EXPECT(call(SYS_mprotect, at & ~4095ul, 4096, PROT_READ, 0, 0, 0) < 0 || at < USER_END);
	}
	/* The read that faulted ate nothing that a good one would miss: either is
	 * Linux's way, but the pipe still works. */
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	while (read(ends[0], bytes, sizeof bytes) > 0)
		;
	EXPECT(write(ends[1], "x", 1) == 1 && read(ends[0], bytes, 1) == 1 && bytes[0] == 'x');
	close(file), close(ends[0]), close(ends[1]);
}

/* Lengths and addresses that wrap round. */
static void extents(void)
{
	static const uint64_t sizes[] = { 1ul << 47, 1ul << 48, 1ul << 63, UINT64_MAX, -4096ul };

	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		EXPECT(call(SYS_mmap, 0, sizes[i], PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1ul, 0) < 0);
		EXPECT(call(SYS_mmap, 0x10000, sizes[i], PROT_READ,
		            MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1ul, 0) < 0);
		EXPECT(call(SYS_munmap, 0x7ffffff00000, sizes[i], 0, 0, 0, 0) < 0);
		EXPECT(call(SYS_mprotect, 0x7ffffff00000, sizes[i], PROT_READ, 0, 0, 0) < 0);
		EXPECT((uint64_t)call(SYS_brk, sizes[i], 0, 0, 0, 0, 0) < USER_END);
	}
}

static int may_be_tried(long number)
{
	switch (number) {
	case SYS_exit: case SYS_exit_group: case SYS_fork: case SYS_vfork: case SYS_clone:
	case SYS_clone3: case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_reboot:
	case SYS_rt_sigreturn: case SYS_pause: case SYS_setsid: case SYS_setpgid:
		return 0;
	default:
		return number < 335 || number >= 424;
	}
}

static void call_with_places(long number)
{
	uint64_t args[6];

	for (unsigned p = 0; p < PLACES; p++)
		for (unsigned mask = 1; mask < 64; mask++) {
			for (unsigned i = 0; i < 6; i++)
				args[i] = mask >> i & 1 ? places[p] : 1;
			call(number, args[0], args[1], args[2], args[3], args[4], args[5]);
		}
}

static void every_call(void)
{
	const struct timespec moment = { 0, 1000000 };

	for (long number = 0; number < CALLS; number++) {
		int status = -1, waited = 0;
		pid_t child;

		if (!may_be_tried(number))
			continue;
		fflush(stdout);
		child = fork();
		if (child == 0) {
			close(0), close(1), close(2);
			call_with_places(number);
			_exit(0);
		}
		while (waitpid(child, &status, WNOHANG) == 0)
			if (waited++ == WAIT_MS)
				kill(child, SIGKILL); /* a call that waits */
			else
				nanosleep(&moment, NULL);
	}
}

int main(void)
{
	registers();
	signal_without_stack();
	buffers();
	extents();
	every_call();
	printf("attack_registers: %d failed\n", failures);
	return failures != 0;
}
