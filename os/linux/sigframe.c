/* sigframe.c: how a handler finds its arguments on the program's stack, and how
 * the program comes back from it. The layout is Linux's, which libraries know.
 * Source: Linux arch/x86/include/uapi/asm/{ucontext,sigcontext}.h.
 *
 * What comes back is the program's word: flags are masked, selectors are
 * fixed, and the address must lie in the program's half, so that iretq cannot
 * fault; it may still be an address where the program faults, which is its own
 * affair. */
#include "os/linux/lock.h"
#include "os/linux/process.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum {
	FP_XSTATE_MAGIC1 = 0x46505853,
	FP_XSTATE_MAGIC2 = 0x46505845,
	FP_SOFTWARE = 464, /* offset of the software's words in the legacy area */
	UC_FP_XSTATE = 1,
	UC_SIGCONTEXT_SS = 2,
	UC_STRICT_RESTORE_SS = 4,
	REDZONE = 128,
};
/* CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC may be the program's. */
#define RFLAGS_PROGRAM 0x50dd5ull
#define RFLAGS_ALWAYS 0x202ull
#define RFLAGS_HANDLER_CLEARS 0x10500ull /* TF, DF, RF */

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, trap, oldmask, cr2;
	uint64_t fpstate;
	uint64_t reserved[8];
};
_Static_assert(sizeof(struct sigcontext) == 256, "Linux ABI");

struct stack_t {
	uint64_t sp;
	int32_t flags;
	uint32_t padding;
	uint64_t size;
};

struct ucontext {
	uint64_t flags, link;
	struct stack_t stack;
	struct sigcontext context;
	uint64_t mask;
};

struct siginfo {
	int32_t signal, error, code, padding;
	union {
		struct { uint32_t pid, uid; int32_t status; uint32_t padding; uint64_t utime, stime; } sender;
		uint64_t address;
		uint8_t bytes[112];
	};
};
_Static_assert(sizeof(struct siginfo) == 128, "Linux ABI");

struct sigframe {
	uint64_t restorer;
	struct ucontext context;
	struct siginfo info;
};
_Static_assert(sizeof(struct sigframe) == 440, "Linux ABI");

/* Behind the legacy area's registers: tells how much state there is. */
struct fp_software {
	uint32_t magic1, extended_size;
	uint64_t features;
	uint32_t size, padding[7];
};
_Static_assert(sizeof(struct fp_software) == 48, "Linux ABI");

static uint64_t stack_for(const struct signals *s, const struct regs *regs,
                          const struct signal_action *action)
{
	if ((action->flags & SA_ONSTACK) != 0 && s->stack_size != 0 && !signals_on_stack(s, regs->rsp))
		return s->stack + s->stack_size;
	return regs->rsp - REDZONE;
}

static struct sigcontext context_from(const struct regs *r, uint64_t blocked)
{
	const struct task *task = current();

	return (struct sigcontext){
		.r8 = r->r8, .r9 = r->r9, .r10 = r->r10, .r11 = r->r11, .r12 = r->r12, .r13 = r->r13,
		.r14 = r->r14, .r15 = r->r15, .rdi = r->rdi, .rsi = r->rsi, .rbp = r->rbp,
		.rbx = r->rbx, .rdx = r->rdx, .rax = r->rax, .rcx = r->rcx, .rsp = r->rsp,
		.rip = r->rip, .rflags = r->rflags, .cs = PROGRAM_CODE_SELECTOR,
		.ss = PROGRAM_DATA_SELECTOR, .oldmask = blocked,
		.error = task->trap_error, .trap = task->trap, .cr2 = task->trap_address,
	};
}

static void fill_info(struct siginfo *to, uint32_t signal, const struct signal_info *from)
{
	to->signal = (int32_t)signal;
	to->code = from->code;
	if (signal == SIGSEGV || signal == SIGBUS || signal == SIGILL || signal == SIGFPE ||
	    signal == SIGTRAP) {
		if (from->code > 0) {
			to->address = from->value;
			return;
		}
	}
	to->sender.pid = from->pid;
	to->sender.uid = from->uid;
	to->sender.status = from->status;
}

/* The state goes straight to the program's stack; its pages are made sure of
 * first, for xsave has no way to fail. */
static int push_fpu(uint64_t at)
{
	struct fp_software software = {
		.magic1 = FP_XSTATE_MAGIC1, .extended_size = fpu_size + 4, .features = fpu_mask,
		.size = fpu_size,
	};
	uint32_t magic2 = FP_XSTATE_MAGIC2;

	if (!user_range(at, fpu_size + 4) || user_clear((void *)at, fpu_size + 4) != 0)
		return -EFAULT;
	fpu_save((void *)at);
	if (user_write(at + FP_SOFTWARE, &software, sizeof software) != 0 ||
	    user_write(at + fpu_size, &magic2, sizeof magic2) != 0)
		return -EFAULT;
	return 0;
}

int sigframe_push(struct regs *regs, uint32_t signal, const struct signal_info *info,
                  const struct signal_action *action, uint64_t blocked)
{
	const struct signals *s = current()->signals;
	struct sigframe frame;
	uint64_t sp = stack_for(s, regs, action);
	uint64_t fpstate = (sp - fpu_size - 4) & ~63ull;
	uint64_t at = ((fpstate - sizeof frame) & ~15ull) - 8;

	if ((action->flags & SA_RESTORER) == 0 || action->handler >= PROGRAM_END ||
	    push_fpu(fpstate) != 0)
		return -EFAULT;
	memset(&frame, 0, sizeof frame);
	frame.restorer = action->restorer;
	frame.context.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	frame.context.stack.sp = s->stack;
	frame.context.stack.size = s->stack_size;
	frame.context.stack.flags = s->stack_size == 0 ? SS_DISABLE
	                            : signals_on_stack(s, regs->rsp) ? SS_ONSTACK : 0;
	frame.context.context = context_from(regs, blocked);
	frame.context.context.fpstate = fpstate;
	frame.context.mask = blocked;
	fill_info(&frame.info, signal, info);
	if (user_write(at, &frame, sizeof frame) != 0)
		return -EFAULT;
	fpu_reset(); /* a handler begins with a fresh one */

	regs->rip = action->handler;
	regs->rsp = at;
	regs->rflags &= ~RFLAGS_HANDLER_CLEARS;
	regs->rax = 0;
	regs->rdi = signal;
	regs->rsi = at + offsetof(struct sigframe, info);
	regs->rdx = at + offsetof(struct sigframe, context);
	return 0;
}

static void regs_from(struct regs *r, const struct sigcontext *c)
{
	r->r8 = c->r8; r->r9 = c->r9; r->r10 = c->r10; r->r11 = c->r11;
	r->r12 = c->r12; r->r13 = c->r13; r->r14 = c->r14; r->r15 = c->r15;
	r->rdi = c->rdi; r->rsi = c->rsi; r->rbp = c->rbp; r->rbx = c->rbx;
	r->rdx = c->rdx; r->rax = c->rax; r->rcx = c->rcx;
	r->rsp = c->rsp; r->rip = c->rip;
	r->rflags = (c->rflags & RFLAGS_PROGRAM) | RFLAGS_ALWAYS;
	r->cs = PROGRAM_CODE_SELECTOR;
	r->ss = PROGRAM_DATA_SELECTOR;
	r->nr = (uint64_t)-1;
}

static int pop_fpu(uint64_t at)
{
	uint8_t area[fpu_size + 64];
	uint8_t *aligned = (uint8_t *)(((uintptr_t)area + 63) & ~63ull);
	struct fp_software software;

	if (at == 0) {
		fpu_reset();
		return 0;
	}
	if (user_read(&software, at + FP_SOFTWARE, sizeof software) != 0)
		return -EFAULT;
	memset(aligned, 0, fpu_size);
	/* Without the magic number only the legacy part is there. */
	if (software.magic1 == FP_XSTATE_MAGIC1 && software.size == fpu_size) {
		if (user_read(aligned, at, fpu_size) != 0)
			return -EFAULT;
	} else {
		if (user_read(aligned, at, 512) != 0)
			return -EFAULT;
		aligned[512] = 3; /* x87 and SSE are there */
	}
	fpu_sanitize(aligned);
	fpu_load(aligned);
	return 0;
}

int64_t sys_rt_sigreturn(struct regs *regs)
{
	struct task *task = current();
	struct ucontext context;
	uint64_t at = regs->rsp - 8; /* the handler's return took the restorer off */

	if (user_read(&context, at + offsetof(struct sigframe, context), sizeof context) != 0 ||
	    context.context.rip >= PROGRAM_END || pop_fpu(context.context.fpstate) != 0) {
		lock_take();
		signal_force(SIGSEGV, SI_KERNEL, 0);
		lock_drop();
		regs->nr = (uint64_t)-1;
		return (int64_t)regs->rax;
	}
	regs_from(regs, &context.context);
	lock_take();
	signals_set_blocked(task, context.mask);
	lock_drop();
	return (int64_t)regs->rax;
}
