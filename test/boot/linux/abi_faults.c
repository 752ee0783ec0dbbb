/* abi_faults.c: what a handler learns of a fault, stacks that grow, copies on
 * write. */
#include "test/boot/linux/abi.h"

#include <setjmp.h>
#include <ucontext.h>

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE };

static sigjmp_buf back;
static volatile char *wanted;
static char stack[65536];

static void caught(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	SAY("  signal %d code %d address %s, trap %d error %x", signal, info->si_code,
	    info->si_addr == (void *)wanted                                 ? "right"
	    : info->si_addr == NULL                                         ? "none"
	    : info->si_addr == (void *)u->uc_mcontext.gregs[REG_RIP]        ? "rip"
	                                                                    : "else",
	    (int)u->uc_mcontext.gregs[REG_TRAPNO], (unsigned)u->uc_mcontext.gregs[REG_ERR]);
	siglongjmp(back, 1);
}

#define TRY(address, statement)                        \
	do {                                               \
		SAY("%s", #statement);                         \
		wanted = (volatile char *)(uintptr_t)(address); \
		if (sigsetjmp(back, 1) == 0)                   \
			statement;                                 \
	} while (0)

static void faults(void)
{
	char *a = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *file;
	int fd = open("f", O_RDWR | O_CREAT, 0600);
	void (*volatile nowhere)(void) = (void (*)(void))0x5000;
	void (*volatile data)(void) = (void (*)(void))(uintptr_t)a;

	write(fd, "x", 1);
	file = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, 0);
	a[0] = 1;
	munmap(a + PAGE, PAGE);
	mprotect(a + 2 * PAGE, PAGE, PROT_READ);
	mprotect(a + 3 * PAGE, PAGE, PROT_NONE);
	TRY(8, *(volatile char *)8);
	TRY(8, *(volatile char *)8 = 1);
	TRY(a + PAGE + 77, a[PAGE + 77] = 1);
	TRY(a + 2 * PAGE + 5, a[2 * PAGE + 5] = 1);
	TRY(a + 3 * PAGE + 5, *(volatile char *)(a + 3 * PAGE + 5));
	TRY(a + 3 * PAGE + 5, a[3 * PAGE + 5] = 1);
	TRY(file + PAGE + 9, *(volatile char *)(file + PAGE + 9));
	TRY(file + PAGE + 9, file[PAGE + 9] = 1);
	TRY(0x5000, nowhere());
	TRY(a, data());
	TRY(0x8000000000001234, *(volatile char *)0x8000000000001234 = 1);
	TRY(0xffff800000000000, *(volatile char *)0xffff800000000000);
	TRY(0xffffffffff000000, *(volatile char *)0xffffffffff000000 = 1);
	TRY(0, __asm__ volatile("ud2"));
	TRY(0, __asm__ volatile("hlt"));
	TRY(0, __asm__ volatile("cli"));
	TRY(0, __asm__ volatile("mov %%cr0, %%rax" : : : "rax"));
	TRY(0, __asm__ volatile("in $0x80, %%al" : : : "rax"));
	TRY(0, __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx"));
	TRY(0, __asm__ volatile("int3"));
	TRY(0, __asm__ volatile("mov $0xffff, %%eax; mov %%eax, %%ds" : : : "rax"));
	TRY(0, __asm__ volatile("pushfq; orq $0x100, (%%rsp); popfq; nop; nop" : : : "memory", "cc"));
	SAY("mended: %d", (a[0] = 3));
	munmap(a, 4 * PAGE);
	munmap(file, 2 * PAGE);
}

static volatile int depth;

__attribute__((noinline)) static int deeper(int levels)
{
	volatile char room[1000];

	room[0] = (char)levels;
	depth++;
	room[1] = levels == 0 ? 0 : (char)deeper(levels - 1);
	return room[0] + room[1];
}

static void stacks(void)
{
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof stack };

	deeper(5000);
	SAY("5 MB deep: %d", depth);
	CHILD("a red zone and more") {
		__asm__ volatile("lea -70000(%%rsp), %%rax; movb $1, (%%rax)" : : : "rax", "memory");
	}
	CHILD("for ever") {
		signal(SIGSEGV, SIG_DFL);
		deeper(1000000);
	}
	CHILD("for ever, with a handler, without a stack") {
		deeper(1000000);
	}
	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	depth = 0;
	if (sigsetjmp(back, 1) == 0)
		deeper(1000000);
	TRUTH(depth > 7000 && depth < 9000);
	depth = 0;
	if (sigsetjmp(back, 1) == 0)
		deeper(1000000);
	TRUTH(depth > 7000 && depth < 9000);
}

static void copies(void)
{
	enum { COUNT = 200 };
	static char data[COUNT * PAGE] = { 1 };
	char *heap = malloc(COUNT * PAGE);
	long sum = 0;

	for (int i = 0; i < COUNT; i++)
		heap[i * PAGE] = data[i * PAGE] = (char)i;
	for (int round = 0; round < 3; round++) {
		CHILD("a child's writes") {
			for (int i = 0; i < COUNT; i++) {
				if (heap[i * PAGE] != (char)(i + round) || data[i * PAGE] != (char)i)
					_exit(1);
				heap[i * PAGE] = data[i * PAGE] = 99;
			}
			CHILD("a grandchild's") {
				for (int i = 0; i < COUNT; i++)
					heap[i * PAGE]++;
				_exit(heap[77 * PAGE]);
			}
			_exit(heap[77 * PAGE]);
		}
		for (int i = 0; i < COUNT; i++)
			heap[i * PAGE]++;
	}
	for (int i = 0; i < COUNT; i++)
		sum += heap[i * PAGE] == (char)(i + 3) && data[i * PAGE] == (char)i;
	SAY("untouched: %ld", sum);
	CHILD("a write while the parent writes") {
		for (int i = 0; i < COUNT; i++)
			read(open("/dev/zero", O_RDONLY), heap + i * PAGE, 10);
		_exit(heap[50 * PAGE]);
	}
	SAY("not by a call either: %d", heap[50 * PAGE]);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };

	begin();
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	faults();
	stacks();
	copies();
	return 0;
}
