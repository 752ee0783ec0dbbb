/* abi_state.c: registers, the FPU's, SSE's and AVX's state, and thread-local
 * storage, across forks, signals and switches between processes. */
#include "test/boot/linux/abi.h"

#include <sys/time.h>
#include <ucontext.h>

enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004 };

static __thread int local = 5, zero;
static volatile sig_atomic_t handled;
static bool avx;

static void fill(uint8_t *bytes, int seed)
{
	for (int i = 0; i < 512; i++)
		bytes[i] = (uint8_t)(i * 7 + seed);
}

#define EACH(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_Y(n)  "vmovdqu " #n "*32(%0), %%ymm" #n ";"
#define STORE_Y(n) "vmovdqu %%ymm" #n ", " #n "*32(%1);"
#define LOAD_X(n)  "movdqu " #n "*16(%0), %%xmm" #n ";"
#define STORE_X(n) "movdqu %%xmm" #n ", " #n "*16(%1);"
#define VECTORS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
	"xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* Loads all vector registers and four others, loops or makes a system call, and
 * tells whether all still have what they had. A call may change rcx and r11. */
static bool kept(int seed, long loops, long call)
{
	uint8_t in[512], out[512] = { 0 };
	register long r12 __asm__("r12") = seed, r10 __asm__("r10") = seed + 1;
	uint8_t *in_at = in, *out_at = out;
	long rax = call;

	fill(in, seed);
	if (avx)
		__asm__ volatile(EACH(LOAD_Y)
		                 "test %%rax, %%rax; js 1f; syscall; 1: dec %2; jnz 1b;" EACH(STORE_Y)
		                 : "+r"(in_at), "+r"(out_at), "+r"(loops), "+a"(rax), "+r"(r12), "+r"(r10)
		                 : "d"(0L)
		                 : "rcx", "r11", "memory", "cc", VECTORS);
	else
		__asm__ volatile(EACH(LOAD_X)
		                 "test %%rax, %%rax; js 1f; syscall; 1: dec %2; jnz 1b;" EACH(STORE_X)
		                 : "+r"(in_at), "+r"(out_at), "+r"(loops), "+a"(rax), "+r"(r12), "+r"(r10)
		                 : "d"(0L)
		                 : "rcx", "r11", "memory", "cc", VECTORS);
	return memcmp(in, out, avx ? 512 : 256) == 0 && r12 == seed && r10 == seed + 1;
}

static void smash(int signal)
{
	const uint32_t other = 0x3f80;
	uint8_t junk[512];

	(void)signal;
	memset(junk, 0xee, sizeof junk);
	if (avx)
		__asm__ volatile(EACH(LOAD_Y) : : "r"(junk) : VECTORS);
	else
		__asm__ volatile(EACH(LOAD_X) : : "r"(junk) : VECTORS);
	__asm__ volatile("fninit; fld1; fld1; ldmxcsr %0" : : "m"(other));
	handled++;
	local++;
}

static void over_calls(void)
{
	TRUTH(kept(1, 1, SYS_getppid));
	TRUTH(kept(2, 1, SYS_sched_yield));
	TRUTH(kept(3, 1, 9999));
	TRUTH(kept(4, 1, SYS_pause + 100000));
}

static void over_signals(void)
{
	struct itimerval often = { { 0, 2000 }, { 0, 2000 } };
	const uint16_t wanted = 0x0f7f;
	uint16_t control = 0;
	uint32_t mxcsr = 0;
	bool good = true;
	double top = 0;

	signal(SIGALRM, smash);
	__asm__ volatile("fninit; fldpi; fldcw %0" : : "m"(wanted));
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 2000 && handled < 30; i++)
		good &= kept(i, 3000000, -1);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	__asm__ volatile("fnstcw %0; fstpl %1; stmxcsr %2" : "=m"(control), "=m"(top), "=m"(mxcsr));
	SAY("kept over signals: %d, x87 %x %.6f, mxcsr %x, handled %d", good, control, top,
	    mxcsr & 0xffc0, handled >= 30);
	__asm__ volatile("fninit");
	SAY("thread-local: %d", local >= 35);
	local = 5;
}

/* As many as there may be at once, each with its own. */
static void over_switches(void)
{
	int status;

	for (int i = 0; i < 6; i++)
		if (fork() == 0) {
			bool good = true;
			local = i;
			for (int n = 0; n < 300; n++) {
				good &= kept(i * 31 + n, 100000, -1);
				good &= kept(i * 37 + n, 1, SYS_sched_yield);
				good &= local == i && zero == 0;
			}
			_exit(good ? 1 : 2);
		}
	for (int i = 0; i < 6; i++) {
		wait(&status);
		say_status("a switcher", status);
	}
	SAY("mine: %d", local);
}

static void over_fork(void)
{
	uint8_t in[512], out[512];
	uint32_t mxcsr = 0x9fc0;
	uint16_t control = 0x0e7f;
	uint8_t *in_at = in, *out_at = out;
	long pid, base;
	double pi;

	fill(in, 77);
	__asm__ volatile("ldmxcsr %0; fninit; fldpi; fldcw %1" : : "m"(mxcsr), "m"(control));
	if (avx)
		__asm__ volatile(EACH(LOAD_Y) "syscall;" EACH(STORE_Y) : "+r"(in_at), "+r"(out_at), "=a"(pid)
		                 : "2"((long)SYS_fork) : "rcx", "r11", "memory", VECTORS);
	else
		__asm__ volatile(EACH(LOAD_X) "syscall;" EACH(STORE_X) : "+r"(in_at), "+r"(out_at), "=a"(pid)
		                 : "2"((long)SYS_fork) : "rcx", "r11", "memory", VECTORS);
	__asm__ volatile("stmxcsr %0; fnstcw %1; fstpl %2" : "=m"(mxcsr), "=m"(control), "=m"(pi));
	if (pid == 0) {
		SAY("child: same %d, mxcsr %x, x87 %x %.6f, local %d", memcmp(in, out, avx ? 512 : 256) == 0,
		    mxcsr & 0xffc0, control, pi, local);
		local = 9;
		_exit(0);
	}
	collect((pid_t)pid);
	SAY("parent: same %d, mxcsr %x, x87 %x %.6f, local %d", memcmp(in, out, avx ? 512 : 256) == 0,
	    mxcsr & 0xffc0, control, pi, local);
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0; fninit" : : "m"(mxcsr));
	OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &base));
	TRUTH(*(long *)base == base);
	OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x123456789000));
	CHILD("GS is inherited") {
		syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
		SAY("gs %lx", base);
	}
	raise(SIGURG);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
	SAY("gs %lx", base);
	OK(syscall(SYS_arch_prctl, ARCH_SET_FS, 1ul << 47));
	OK(syscall(SYS_arch_prctl, ARCH_SET_GS, -1L));
	OK(syscall(SYS_arch_prctl, 0x9999, 0));
	OK(syscall(SYS_arch_prctl, ARCH_GET_FS, 8));
}

static void look(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	uint64_t rsp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
	uint16_t control;
	uint32_t mxcsr;

	(void)signal;
	(void)info;
	__asm__ volatile("fnstcw %0; stmxcsr %1" : "=m"(control), "=m"(mxcsr));
	SAY("in a handler: aligned %d, x87 %x, mxcsr %x, rcx %llx, r15 %llx", rsp % 16 == 0, control,
	    mxcsr & 0xffc0, u->uc_mcontext.gregs[REG_RCX], u->uc_mcontext.gregs[REG_R15]);
	SAY("saved: x87 %x, xmm3 %x", u->uc_mcontext.fpregs->cwd, u->uc_mcontext.fpregs->_xmm[3].element[1]);
	u->uc_mcontext.fpregs->_xmm[3].element[1] = 0x4321;
}

/* What a handler sees of the state, and what it may change. */
static void in_handler(void)
{
	struct sigaction action = { .sa_sigaction = look, .sa_flags = SA_SIGINFO };
	uint64_t in[2] = { 0x1234ull << 32, 0 }, out[2];
	const uint16_t wanted = 0x0e7f;

	sigaction(SIGTRAP, &action, NULL);
	__asm__ volatile("movdqu %1, %%xmm3; mov $0x77, %%ecx; mov $0x88, %%r15;"
	                 "fldcw %2; int3; fninit; movdqu %%xmm3, %0"
	                 : "=m"(out) : "m"(in), "m"(wanted) : "rcx", "r15", "memory", "xmm3");
	SAY("changed: %llx", (unsigned long long)out[0] >> 32);
}

int main(void)
{
	begin();
	avx = __builtin_cpu_supports("avx");
	SAY("thread-local: %d %d", local, zero);
	over_calls();
	over_signals();
	over_switches();
	over_fork();
	in_handler();
	return 0;
}
