/* abi_signals.c: handlers, masks, alternate stacks, what handlers are told. */
#include "test/boot/linux/abi.h"

#include <ucontext.h>

static volatile int seen[65], order[20], orders;
static siginfo_t last;
static char stack[65536];

static void note(int signal)
{
	seen[signal]++;
	if (orders < 20)
		order[orders++] = signal;
}

static void note_info(int signal, siginfo_t *info, void *context)
{
	(void)context;
	note(signal);
	last = *info;
}

static void handle(int signal, void (*handler)(int), int flags, int blocked)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = flags };

	sigemptyset(&action.sa_mask);
	if (blocked != 0)
		sigaddset(&action.sa_mask, blocked);
	if (sigaction(signal, &action, NULL) != 0)
		SAY("sigaction %d: %s", signal, error_name(errno));
}

static void mask(int how, int signal)
{
	sigset_t set;

	sigemptyset(&set);
	if (signal != 0)
		sigaddset(&set, signal);
	if (sigprocmask(how, &set, NULL) != 0)
		SAY("sigprocmask: %s", error_name(errno));
}

static void say_order(const char *what)
{
	char line[200] = "";

	for (int i = 0; i < orders; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), " %d", order[i]);
	SAY("%s:%s", what, line);
	orders = 0;
}

static void errors(void)
{
	struct sigaction action = { .sa_handler = SIG_IGN };
	uint64_t set = 0;

	OK(sigaction(SIGKILL, &action, NULL));
	OK(sigaction(SIGSTOP, &action, NULL));
	OK(syscall(SYS_rt_sigaction, SIGKILL, NULL, NULL, 8));
	OK(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8));
	OK(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8));
	OK(syscall(SYS_rt_sigaction, 1, NULL, NULL, 4));
	OK(syscall(SYS_rt_sigaction, 1, 8, NULL, 8));
	OK(syscall(SYS_rt_sigaction, 1, NULL, 8, 8));
	OK(syscall(SYS_rt_sigprocmask, 3, &set, NULL, 8));
	OK(syscall(SYS_rt_sigprocmask, 3, NULL, NULL, 8));
	OK(syscall(SYS_rt_sigprocmask, 0, &set, NULL, 16));
	OK(syscall(SYS_rt_sigpending, &set, 9));
	OK(syscall(SYS_rt_sigsuspend, 8, 8));
	OK(syscall(SYS_rt_sigsuspend, &set, 4));
	OK(kill(getpid(), 65));
	OK(kill(getpid(), -1));
	OK(kill(getpid(), 0));
	OK(kill(999999, 0));
	OK(kill(-999999, SIGTERM));
	OK(syscall(SYS_tkill, 0, 0));
	OK(syscall(SYS_tkill, 999999, 0));
	OK(syscall(SYS_tgkill, getpid(), getpid(), 0));
	OK(syscall(SYS_tgkill, 999999, getpid(), 0));
	OK(syscall(SYS_tgkill, -1, getpid(), 0));
	set = ~0ull;
	OK(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, 8));
	OK(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &set, 8));
	SAY("all: %llx", (unsigned long long)set);
	mask(SIG_SETMASK, 0);
}

static void masks(void)
{
	sigset_t pending;

	handle(SIGUSR1, note, 0, 0);
	handle(SIGUSR2, note, 0, 0);
	handle(SIGHUP, note, 0, 0);
	handle(SIGTERM, note, 0, 0);
	mask(SIG_BLOCK, SIGUSR1);
	mask(SIG_BLOCK, SIGUSR2);
	mask(SIG_BLOCK, SIGTERM);
	raise(SIGTERM);
	raise(SIGUSR2);
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGHUP);
	say_order("not blocked");
	sigpending(&pending);
	SAY("pending %d %d %d", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGHUP),
	    sigismember(&pending, SIGTERM));
	mask(SIG_SETMASK, 0);
	say_order("unblocked");
	mask(SIG_BLOCK, SIGUSR1);
	raise(SIGUSR1);
	signal(SIGUSR1, SIG_IGN);
	handle(SIGUSR1, note, 0, 0);
	mask(SIG_SETMASK, 0);
	say_order("ignored in between");
	CHILD("pending signals are not inherited") {
		mask(SIG_BLOCK, SIGHUP);
		raise(SIGHUP);
		CHILD("inner") {
			mask(SIG_SETMASK, 0);
			say_order("inherited");
		}
		mask(SIG_SETMASK, 0);
		say_order("kept");
	}
}

static void nested(int signal)
{
	sigset_t now;

	note(signal);
	sigprocmask(SIG_BLOCK, NULL, &now);
	SAY("in %d: blocked %d %d", signal, sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2));
	if (signal == SIGUSR1 && seen[SIGUSR1] < 3) {
		raise(SIGUSR2);
		raise(SIGUSR1);
		say_order("raised inside");
	}
}

static void flags(void)
{
	struct sigaction now;

	seen[SIGUSR1] = 0;
	handle(SIGUSR1, nested, 0, SIGUSR2);
	handle(SIGUSR2, nested, 0, 0);
	raise(SIGUSR1);
	say_order("masked");
	seen[SIGUSR1] = 0;
	handle(SIGUSR1, nested, SA_NODEFER, 0);
	raise(SIGUSR1);
	say_order("SA_NODEFER");
	handle(SIGUSR1, note, (int)SA_RESETHAND, 0);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &now);
	SAY("SA_RESETHAND: default %d flags %x", now.sa_handler == SIG_DFL,
	    (unsigned)now.sa_flags & 0xf3ffffff);
	handle(SIGUSR1, note, SA_RESTART | SA_NODEFER, SIGHUP);
	sigaction(SIGUSR1, NULL, &now);
	SAY("kept: flags %x, mask %d %d", (unsigned)now.sa_flags & 0xf3ffffff,
	    sigismember(&now.sa_mask, SIGHUP), sigismember(&now.sa_mask, SIGUSR1));
	orders = 0;
}

static void say_last(const char *what, pid_t from)
{
	SAY("%s: signal %d code %d from %s uid %d status %d", what, last.si_signo, last.si_code,
	    last.si_pid == from ? "the right one" : "somebody", last.si_uid,
	    last.si_signo == SIGCHLD ? last.si_status : 0);
	memset(&last, 0, sizeof last);
}

static void infos(void)
{
	struct sigaction action = { .sa_sigaction = note_info, .sa_flags = SA_SIGINFO };
	pid_t child, me = getpid();

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGCHLD, &action, NULL);
	kill(me, SIGUSR1);
	say_last("kill", me);
	syscall(SYS_tgkill, me, me, SIGUSR1);
	say_last("tgkill", me);
	CHILD("from a child") _exit(5);
	child = child_pid;
	SAY("seen %d", seen[SIGCHLD]);
	say_last("SIGCHLD", child);
	child = fork();
	if (child == 0) {
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(child, NULL, WUNTRACED);
	say_last("stopped", child);
	kill(child, SIGCONT);
	collect(child);
	action.sa_flags |= SA_NOCLDSTOP;
	sigaction(SIGCHLD, &action, NULL);
	seen[SIGCHLD] = 0;
	child = fork();
	if (child == 0) {
		raise(SIGSTOP);
		kill(getpid(), SIGKILL);
	}
	waitpid(child, NULL, WUNTRACED);
	SAY("SA_NOCLDSTOP: %d", seen[SIGCHLD]);
	kill(child, SIGCONT);
	collect(child);
	say_last("killed", child);
	SAY("once: %d", seen[SIGCHLD]);
	action.sa_flags |= SA_NOCLDWAIT;
	sigaction(SIGCHLD, &action, NULL);
	if (fork() == 0)
		_exit(0);
	VALUE(wait(NULL));
	signal(SIGCHLD, SIG_DFL);
	orders = 0;
}

static void on_stack(int signal, siginfo_t *info, void *context)
{
	char here;
	stack_t now;

	(void)info;
	(void)context;
	sigaltstack(NULL, &now);
	SAY("in %d: on it %d, flags %d", signal, &here >= stack && &here < stack + sizeof stack,
	    now.ss_flags);
	if (signal == SIGUSR1) {
		now = (stack_t){ .ss_sp = stack, .ss_size = sizeof stack };
		OK(sigaltstack(&now, NULL));
		raise(SIGUSR2);
	}
}

static void stacks(void)
{
	stack_t new = { .ss_sp = stack, .ss_size = sizeof stack }, old;
	struct sigaction action = { .sa_sigaction = on_stack, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	OK(sigaltstack(NULL, &old));
	SAY("at first: flags %d", old.ss_flags);
	OK(sigaltstack(&new, NULL));
	OK(sigaltstack(NULL, &old));
	SAY("then: same %d size %zu flags %d", old.ss_sp == stack, old.ss_size, old.ss_flags);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR1);
	action.sa_flags = SA_SIGINFO;
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
	CHILD("inherited") {
		sigaltstack(NULL, &old);
		SAY("in a child: flags %d", old.ss_flags);
	}
	new.ss_size = 100;
	OK(sigaltstack(&new, NULL));
	new.ss_flags = 5;
	OK(sigaltstack(&new, NULL));
	OK(syscall(SYS_sigaltstack, 8, NULL));
	new.ss_flags = SS_DISABLE;
	OK(sigaltstack(&new, NULL));
	OK(sigaltstack(NULL, &old));
	SAY("disabled: flags %d", old.ss_flags);
	handle(SIGUSR1, note, 0, 0);
	CHILD("no stack at all") {
		__asm__ volatile("mov %0, %%rdi; mov %1, %%esi; mov $8, %%rsp; mov %2, %%eax; syscall"
		                 : : "r"((long)getpid()), "r"(SIGUSR1), "i"(SYS_kill) : "rdi", "rsi", "memory");
	}
}

/* A handler may change where the program goes on, and with what. */
static void change(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)signal;
	(void)info;
	u->uc_mcontext.gregs[REG_RIP] += 2; /* past ud2 */
	u->uc_mcontext.gregs[REG_RBX] = 0x123456789;
	u->uc_mcontext.gregs[REG_EFL] |= 1; /* carry */
	sigaddset(&u->uc_sigmask, SIGUSR2);
}

static void contexts(void)
{
	struct sigaction action = { .sa_sigaction = change, .sa_flags = SA_SIGINFO };
	uint64_t rbx = 1;
	uint8_t carry = 0;
	sigset_t now;

	sigaction(SIGILL, &action, NULL);
	__asm__ volatile("mov $1, %%rbx; clc; ud2; mov %%rbx, %0; setc %1"
	                 : "=&r"(rbx), "=&q"(carry) : : "rbx", "memory", "cc");
	sigprocmask(SIG_SETMASK, NULL, &now);
	SAY("changed: %llx %d, blocked %d", (unsigned long long)rbx, carry, sigismember(&now, SIGUSR2));
	mask(SIG_SETMASK, 0);
	CHILD("a blocked fault") {
		mask(SIG_BLOCK, SIGILL);
		__asm__ volatile("ud2");
	}
	CHILD("an ignored fault") {
		signal(SIGSEGV, SIG_IGN);
		*(volatile int *)8 = 1;
	}
	CHILD("an ignored fault, sent") {
		signal(SIGSEGV, SIG_IGN);
		raise(SIGSEGV);
	}
	CHILD("a sigreturn from nowhere") {
		__asm__ volatile("mov $64, %%rsp; mov %0, %%eax; syscall" : : "i"(SYS_rt_sigreturn));
	}
}

int main(void)
{
	begin();
	errors();
	masks();
	flags();
	infos();
	stacks();
	contexts();
	return 0;
}
