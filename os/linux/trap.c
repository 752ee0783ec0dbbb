/* trap.c: exceptions: the program's become page fills or signals; the module's
 * own are page faults on program memory, or bugs. */
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/process.h"
#include "os/linux/syscall.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum {
	VECTOR_DIVIDE = 0, VECTOR_DEBUG = 1, VECTOR_BREAKPOINT = 3, VECTOR_OVERFLOW = 4,
	VECTOR_BOUND = 5, VECTOR_OPCODE = 6, VECTOR_PAGE = 14, VECTOR_X87 = 16,
	VECTOR_ALIGNMENT = 17, VECTOR_SIMD = 19,
	ERROR_PRESENT = 1, /* of a page fault's error code */
	POWER_STATUS_LOST = 255, /* the machine's, when the module is wrong */
};

/* Pairs of instruction and where to go on, sorted by nothing: there are few. */
struct fixup {
	uint64_t instruction, target;
};
extern const struct fixup fixup_start[] __attribute__((visibility("hidden"))),
	fixup_end[] __attribute__((visibility("hidden"))); /* linux.ld */

static void put_hex(char *at, uint64_t value)
{
	for (int i = 15; i >= 0; i--, value >>= 4)
		at[i] = "0123456789abcdef"[value & 15];
}

static size_t put_string(char *at, const char *string)
{
	size_t length = strlen(string);

	memcpy(at, string, length);
	return length;
}

static size_t put_number(char *at, uint32_t value)
{
	char digits[10];
	size_t count = 0;

	do
		digits[count++] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	for (size_t i = 0; i < count; i++)
		at[i] = digits[count - 1 - i];
	return count;
}

enum { BACKTRACE_MOST = 10 };

/* The return addresses above frame pointer `rbp`, on this thread's stack. */
static size_t put_backtrace(char *at, uint64_t rbp)
{
	uint64_t block = (uint64_t)current() & ~(uint64_t)(STACK_SIZE - 1);
	size_t n = 0;

	for (int i = 0; i < BACKTRACE_MOST; i++) {
		const uint64_t *frame = (const uint64_t *)rbp;
		if (rbp - block >= STACK_SIZE - 16 || rbp % 8 != 0 || frame[1] == 0)
			break;
		n += put_string(at + n, "\n  from ");
		put_hex(at + n, frame[1]);
		n += 16;
		rbp = frame[0];
	}
	return n;
}

/* Says what is wrong and turns the machine off: the module's memory is everyone's,
 * and whatever the lock guards may be half done. A second fault on the way says
 * no more. */
static _Noreturn void die(const char *what, uint64_t address, uint64_t rbp)
{
	char line[100 + 16 + 25 * BACKTRACE_MOST + 40];
	size_t n = put_string(line, "\nlinux: "), length = strlen(what);
	static bool dying;

	if (__atomic_exchange_n(&dying, true, __ATOMIC_RELAXED))
		exo_power_off(POWER_STATUS_LOST);
	length = length < 100 ? length : 100;
	memcpy(line + n, what, length);
	n += length;
	n += put_string(line + n, " at ");
	put_hex(line + n, address);
	n += 16;
	n += put_string(line + n, " in pid ");
	n += put_number(line + n, current()->pid);
	n += put_backtrace(line + n, rbp);
	line[n++] = '\n';
	exo_console_write(line, n);
	exo_power_off(POWER_STATUS_LOST);
}

_Noreturn void fatal(const char *what, uint64_t address)
{
	die(what, address, (uint64_t)__builtin_frame_address(0));
}

_Noreturn void assert_failed(const char *what, const char *file, int line)
{
	char text[120];
	size_t n = put_string(text, "assert ");
	size_t length = strlen(what), most = 60;

	memcpy(text + n, what, length < most ? length : most);
	n += length < most ? length : most;
	text[n++] = ' ';
	length = strlen(file);
	memcpy(text + n, file, length < 30 ? length : 30);
	n += length < 30 ? length : 30;
	text[n++] = ':';
	n += put_number(text + n, (uint32_t)line);
	text[n] = '\0';
	fatal(text, (uint64_t)__builtin_return_address(0));
}

/* What a handler is told of the trap besides its signal. */
static void note_trap(uint64_t vector, uint64_t error, uint64_t address)
{
	struct task *task = current();

	task->trap = vector;
	task->trap_error = error;
	task->trap_address = vector == VECTOR_PAGE ? address : task->trap_address;
}

/* Where a program may never be, nothing is told of what is mapped. */
static __attribute__((noinline)) void bad_access(enum mm_fault fault, uint64_t address,
                                                 uint64_t error)
{
	lock_take();
	if (fault == MM_FAULT_MEMORY)
		process_exit(SIGKILL);
	note_trap(VECTOR_PAGE, address >= PROGRAM_END ? error | ERROR_PRESENT : error, address);
	signal_force(fault == MM_FAULT_BUS ? SIGBUS : SIGSEGV,
	             fault == MM_FAULT_BUS      ? BUS_ADRERR
	             : fault == MM_FAULT_ACCESS ? SEGV_ACCERR
	                                        : SEGV_MAPERR,
	             address);
	lock_drop();
}

static inline void page_fault(uint64_t address, uint64_t error)
{
	enum mm_fault fault = mm_fault(current()->mm, address, error);

	if (fault != MM_FAULT_OK)
		bad_access(fault, address, error);
}

/* si_code of a floating-point exception, from the flags that are up and not
 * masked: invalid, denormal, division, overflow, underflow, precision. */
static int32_t float_code(uint32_t raised)
{
	return (raised & 1) != 0            ? FPE_FLTINV
	       : (raised & 4) != 0          ? FPE_FLTDIV
	       : (raised & 8) != 0          ? FPE_FLTOVF
	       : (raised & (2 | 16)) != 0   ? FPE_FLTUND
	                                    : FPE_FLTRES;
}

static int32_t x87_code(void)
{
	uint16_t control, state;

	__asm__ volatile("fnstcw %0; fnstsw %1" : "=m"(control), "=m"(state));
	return float_code(state & ~control & 0x3f);
}

static int32_t simd_code(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return float_code(mxcsr & ~(mxcsr >> 7) & 0x3f);
}

/* The signal that a trap other than a page fault is. */
static void trap_signal(uint64_t vector, const struct regs *regs)
{
	switch (vector) {
	case VECTOR_DIVIDE:
		signal_force(SIGFPE, FPE_INTDIV, regs->rip);
		break;
	case VECTOR_X87:
		signal_force(SIGFPE, x87_code(), regs->rip);
		break;
	case VECTOR_SIMD:
		signal_force(SIGFPE, simd_code(), regs->rip);
		break;
	case VECTOR_DEBUG:
		signal_force(SIGTRAP, TRAP_TRACE, regs->rip);
		break;
	case VECTOR_BREAKPOINT:
		signal_force(SIGTRAP, SI_KERNEL, 0);
		break;
	case VECTOR_OPCODE:
		signal_force(SIGILL, ILL_ILLOPN, regs->rip);
		break;
	case VECTOR_ALIGNMENT:
		signal_force(SIGBUS, BUS_ADRALN, 0);
		break;
	default: /* general protection and its kin; int 0x80, which we do not serve */
		signal_force(SIGSEGV, SI_KERNEL, 0);
		break;
	}
}

/* A trap from ring 3. */
void trap_program(uint64_t vector, uint64_t address, uint64_t error, struct regs *regs)
{
	if (vector == VECTOR_PAGE) {
		page_fault(address, error);
		return;
	}
	if (vector == MODULE_VECTOR_INTERRUPT) /* only to see what task->work says */
		return;
	lock_take();
	if (vector == MODULE_VECTOR_LEFT) /* by `exit` of the exokernel, or to another libOS */
		process_exit(status_exited((int32_t)address));
	note_trap(vector, error, 0);
	trap_signal(vector, regs);
	lock_drop();
}

/* A page fault in the module: on memory that a program named, or a bug. */
void trap_module(uint64_t vector, uint64_t address, uint64_t error, struct regs *regs)
{
	struct task *task = current();

	if (vector != VECTOR_PAGE || address >= PROGRAM_END || task->mm == NULL)
		die("module fault", regs->rip, regs->rbp);
	if (mm_fault(task->mm, address, error) == MM_FAULT_OK)
		return;
	for (const struct fixup *f = fixup_start; f < fixup_end; f++) {
		if (f->instruction == regs->rip) {
			regs->rip = f->target;
			return;
		}
	}
	die("module fault", regs->rip, regs->rbp);
}
