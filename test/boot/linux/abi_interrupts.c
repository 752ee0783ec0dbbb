/* abi_interrupts.c: calls that signals cut short, timers, signals to groups. */
#include "test/boot/linux/abi.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

static volatile int seen[65];
static volatile int *ticks; /* of SIGALRM; children see it, too */

static void note(int signal)
{
	seen[signal]++;
	*ticks += signal == SIGALRM;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

/* SIGALRM in 20 ms, then every `ms`. */
static void tick(long ms)
{
	struct itimerval in = { { 0, ms * 1000 }, { 0, 20000 } };

	setitimer(ITIMER_REAL, &in, NULL);
}

/* No more of it; the value and errno pass through. */
static long quiet(long value)
{
	int error = errno;

	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	errno = error;
	return value;
}

/* VALUE of a call that waits until a signal comes. A slow machine may not get to
 * the call before the first one does; another follows. */
#define CUT(call) (tick(500), errno = 0, say_result(#call, quiet((long)(call)), false))

/* Each of these waits for ever, or for long, and is interrupted. */
static void cut_short(int flags)
{
	int ends[2];
	char c;
	struct pollfd p;
	struct timespec long_time = { 30, 0 }, rest;
	sigset_t none, all;
	pid_t child;
	fd_set set;

	SAY("flags %x:", flags);
	handle(SIGALRM, flags);
	pipe(ends);
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	CUT(poll(&p, 1, -1));
	CUT(poll(&p, 1, 30000));
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	CUT(select(64, &set, NULL, NULL, NULL));
	SAY("set left alone: %d", FD_ISSET(ends[0], &set) != 0);
	CUT(nanosleep(&long_time, &rest));
	TRUTH(rest.tv_sec >= 20 && rest.tv_sec < 30);
	CUT(clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, &rest));
	CUT(pause());
	sigemptyset(&none);
	CUT(sigsuspend(&none));
	sigemptyset(&all);
	sigaddset(&all, SIGUSR1);
	CUT(syscall(SYS_rt_sigtimedwait, &all, NULL, &long_time, 8)); /* musl's tries again */
	if ((flags & SA_RESTART) == 0) {
		CUT(read(ends[0], &c, 1));
		if ((child = fork()) == 0)
			for (;;)
				pause();
		CUT(wait(NULL));
		kill(child, SIGKILL);
		TRUTH(wait(NULL) > 0);
		OK(mkfifo("fifo", 0600));
		CUT(open("fifo", O_RDONLY));
		return;
	}
	seen[SIGALRM] = *ticks = 0;
	if (fork() == 0) {
		while (*ticks < 3)
			sleep_ms(5);
		write(ends[1], "x", 1);
		_exit(0);
	}
	tick(20);
	VALUE(read(ends[0], &c, 1));
	TRUTH(wait(NULL) > 0);
	quiet(0);
	TRUTH(seen[SIGALRM] >= 3);
}

/* A write that has begun says how much. */
static void half_done(void)
{
	static char large[200000];
	int ends[2];
	long n;

	pipe(ends);
	handle(SIGALRM, SA_RESTART);
	tick(500);
	n = quiet(write(ends[1], large, sizeof large));
	SAY("written: %ld", n);
	close(ends[0]);
	close(ends[1]);
}

static void timers(void)
{
	struct itimerval now = { { 0, 0 }, { 100, 0 } }, old;
	unsigned left = 0;
	sigset_t set;

	handle(SIGALRM, 0);
	VALUE(alarm(100));
	for (int tries = 0; tries < 5 && left != 100; tries++) { /* half a second late, it is 99 */
		alarm(100);
		left = alarm(0);
	}
	SAY("left: %u", left);
	OK(setitimer(ITIMER_REAL, &now, &old));
	SAY("old %ld %ld", (long)old.it_value.tv_sec, (long)old.it_interval.tv_sec);
	OK(getitimer(ITIMER_REAL, &old));
	TRUTH(old.it_value.tv_sec >= 90 && old.it_value.tv_sec < 100);
	CHILD("timers are not inherited") {
		getitimer(ITIMER_REAL, &old);
		SAY("%ld.%06ld", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
	}
	now.it_value.tv_usec = 1000000;
	OK(setitimer(ITIMER_REAL, &now, NULL));
	OK(setitimer(5, &now, NULL));
	OK(syscall(SYS_setitimer, ITIMER_REAL, 8, NULL));
	quiet(0);
	seen[SIGALRM] = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tick(20);
	for (int i = 0; i < 3; i++)
		VALUE(sigwaitinfo(&set, NULL));
	quiet(0);
	sigtimedwait(&set, NULL, &(struct timespec){ 0 });
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	SAY("handled %d", seen[SIGALRM]);
	CHILD("an alarm") {
		signal(SIGALRM, SIG_DFL);
		tick(0);
		pause();
	}
}

static void suspending(void)
{
	sigset_t set, now;
	siginfo_t info;
	pid_t me = getpid();

	handle(SIGUSR1, 0);
	handle(SIGUSR2, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGUSR1);
	sigdelset(&set, SIGUSR1);
	VALUE(sigsuspend(&set));
	sigprocmask(SIG_BLOCK, NULL, &now);
	SAY("after: seen %d, blocked %d %d", seen[SIGUSR1], sigismember(&now, SIGUSR1),
	    sigismember(&now, SIGUSR2));
	raise(SIGUSR2);
	sigaddset(&set, SIGUSR1);
	VALUE(sigtimedwait(&set, &info, NULL));
	TRUTH(info.si_signo == SIGUSR2 && info.si_pid == me);
	VALUE(sigtimedwait(&set, &info, &(struct timespec){ 0, 1000000 }));
	VALUE(sigtimedwait(&set, &info, &(struct timespec){ 0, -1 }));
	if (fork() == 0) {
		sleep_ms(20);
		kill(me, SIGUSR1);
		_exit(0);
	}
	VALUE(sigwaitinfo(&set, &info));
	TRUTH(wait(NULL) > 0);
	SAY("handlers ran: %d %d", seen[SIGUSR1], seen[SIGUSR2]);
	raise(SIGUSR1);
	sigemptyset(&now);
	VALUE(ppoll(NULL, 0, &(struct timespec){ 5, 0 }, &now));
	raise(SIGUSR2);
	VALUE(pselect(0, NULL, NULL, NULL, &(struct timespec){ 5, 0 }, &now));
	sigprocmask(SIG_SETMASK, NULL, &now);
	SAY("handlers ran: %d %d, blocked %d", seen[SIGUSR1], seen[SIGUSR2],
	    sigismember(&now, SIGUSR1));
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void groups(void)
{
	pid_t leader = 0, children[3];
	siginfo_t info;
	int ready[2];
	char c;

	pipe(ready);
	for (int i = 0; i < 3; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			setpgid(0, leader);
			signal(SIGTERM, i == 1 ? SIG_IGN : SIG_DFL);
			write(ready[1], "x", 1);
			for (;;)
				pause();
		}
		leader = leader == 0 ? children[i] : leader;
		setpgid(children[i], leader);
		read(ready[0], &c, 1);
	}
	OK(kill(-leader, 0));
	OK(killpg(leader, SIGTERM));
	say_status("first", collect(children[0]));
	say_status("third", collect(children[2]));
	OK(kill(children[1], 0));
	OK(kill(-leader, SIGINT));
	say_status("second", collect(children[1]));
	OK(kill(-leader, 0));
	OK(kill(children[1], 0));
	signal(SIGHUP, SIG_IGN);
	OK(kill(0, SIGHUP));
	if ((children[0] = fork()) == 0)
		_exit(0);
	waitid(P_PID, (id_t)children[0], &info, WEXITED | WNOWAIT);
	OK(kill(children[0], SIGTERM)); /* a zombie */
	say_status("a zombie", collect(children[0]));
}

int main(void)
{
	begin();
	ticks = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cut_short(0);
	cut_short(SA_RESTART);
	half_done();
	timers();
	suspending();
	groups();
	return 0;
}
