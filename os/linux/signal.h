/* signal.h: signals: who gets which, and what comes of it.
 *
 * A signal is posted to a task under the lock; the task finds it on its way
 * back to the program (task_work), where it is ignored, stops or ends the
 * process, or runs the program's handler. TASK_WORK_SIGNAL in task->work is set
 * exactly while there is something of that kind to be found. */
#pragma once

#include "os/linux/task.h"

enum {
	SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9, SIGUSR1 = 10,
	SIGSEGV = 11, SIGALRM = 14, SIGTERM = 15, SIGCHLD = 17, SIGSTOP = 19, SIGURG = 23,
	SIGSYS = 31, SIGNALS = 64,
};

enum { /* si_code */
	SI_USER = 0, SI_KERNEL = 0x80, SI_TIMER = -2, SI_TKILL = -6,
	ILL_ILLOPN = 2, FPE_INTDIV = 1, FPE_FLTDIV = 3, FPE_FLTOVF = 4, FPE_FLTUND = 5, FPE_FLTRES = 6,
	FPE_FLTINV = 7, SEGV_MAPERR = 1, SEGV_ACCERR = 2,
	BUS_ADRALN = 1, BUS_ADRERR = 2, TRAP_BRKPT = 1, TRAP_TRACE = 2,
	CLD_EXITED = 1, CLD_KILLED = 2, CLD_STOPPED = 5, CLD_CONTINUED = 6,
};

enum { /* sa_flags */
	SA_NOCLDSTOP = 1,
	SA_NOCLDWAIT = 2,
	SA_SIGINFO = 4,
	SA_RESTORER = 0x04000000,
	SA_ONSTACK = 0x08000000,
	SA_RESTART = 0x10000000,
	SA_NODEFER = 0x40000000,
};
#define SA_RESETHAND 0x80000000ull

enum { SIG_DFL = 0, SIG_IGN = 1 };
enum { SS_ONSTACK = 1, SS_DISABLE = 2, MINSIGSTKSZ = 2048 };

/* What a system call answers to say: a signal came. Never shown to programs.
 * ERESTARTSYS is lib/posix/errno.h's: again, unless a handler without
 * SA_RESTART ran. This one: again, unless any handler ran. */
enum { ERESTARTNOHAND = 514 };

/* As rt_sigaction has it. */
struct signal_action {
	uint64_t handler, flags, restorer, mask;
};
_Static_assert(sizeof(struct signal_action) == 32, "Linux ABI");

struct signal_info {
	int32_t code;
	uint32_t pid, uid;
	int32_t status;
	uint64_t value; /* or address */
};

struct signals {
	uint64_t pending, blocked;
	uint64_t saved_blocked; /* to be restored by the next handler's frame */
	bool restore_blocked;
	uint64_t stack, stack_size; /* sigaltstack; size 0: none */
	struct signal_action actions[SIGNALS];
	struct signal_info info[SIGNALS];
};

/* Is that an address on the alternative stack? */
static inline bool signals_on_stack(const struct signals *s, uint64_t rsp)
{
	return s->stack_size != 0 && rsp > s->stack && rsp - s->stack <= s->stack_size;
}

static inline uint64_t signal_bit(uint32_t signal)
{
	return 1ull << (signal - 1);
}

struct signals *signals_create(void);
/* For fork: nothing is pending. */
struct signals *signals_clone(const struct signals *signals);
/* For exec. */
void signals_reset(struct signals *signals);
void signals_free(struct signals *signals);

/* Posts it. `info` NULL: from the kernel itself. */
void signal_send(struct task *task, uint32_t signal, const struct signal_info *info);
/* A fault of the program: cannot be blocked or ignored. */
void signal_force(uint32_t signal, int32_t code, uint64_t address);
/* Does the task ignore or block it? */
bool signal_is_deaf(const struct task *task, uint32_t signal);

/* Would nobody in its session ever continue the group? Then a terminal's stop signals
 * do nothing. */
bool signal_orphaned(uint32_t group);

void signals_set_blocked(struct task *task, uint64_t blocked);
/* Sets TASK_WORK_SIGNAL to what it should be. */
void signals_update(struct task *task);
/* Discards what is pending of a signal that has come to be ignored. */
void signal_action_changed(struct task *task, uint32_t signal);
/* The lowest pending signal of the set, taken off, or 0. */
uint32_t signal_take(struct task *task, uint64_t set, struct signal_info *info);

/* Called by entry.S with the lock free: does what task->work says. */
void task_work(struct regs *regs);

/* sigframe.c: makes the program run the handler when it goes on. -EFAULT. */
int sigframe_push(struct regs *regs, uint32_t signal, const struct signal_info *info,
                  const struct signal_action *action, uint64_t blocked);

/* fpu.c: the program's vector registers, which stay in place while the module
 * runs. A save area is fpu_size bytes, 64-aligned. */
extern uint32_t fpu_size __attribute__((visibility("hidden")));
extern uint64_t fpu_mask __attribute__((visibility("hidden")));
void fpu_start(void);
void fpu_save(void *area);
void fpu_load(const void *area);
void fpu_reset(void);
/* Makes bytes that a program supplied fit to be loaded. */
void fpu_sanitize(void *area);
