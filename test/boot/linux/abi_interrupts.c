/* abi_interrupts.c: calls that signals cut short, timers, signals to groups. */
#include "test/boot/linux/abi.h"

#include <poll.h>
#include <sys/select.h>
#include <sys/time.h>

static volatile int seen[65];

static void note(int signal)
{
	seen[signal]++;
}

static void handle(int signal, int flags)
{
	struct sigaction action = { .sa_handler = note, .sa_flags = flags };

	sigaction(signal, &action, NULL);
}

/* SIGALRM every 20 ms, and once only if `once`. */
static void tick(bool once)
{
	struct itimerval in = { { 0, once ? 0 : 20000 }, { 0, 20000 } };

	setitimer(ITIMER_REAL, &in, NULL);
}

static void quiet(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
}

/* Each of these waits for ever, or for long, and is interrupted. */
static void cut_short(int flags)
{
	int ends[2];
	char c;
	struct pollfd p;
	struct timespec long_time = { 30, 0 }, rest;
	sigset_t none, all;
	fd_set set;

	SAY("flags %x:", flags);
	handle(SIGALRM, flags);
	pipe(ends);
	p = (struct pollfd){ ends[0], POLLIN, 0 };
	tick(true);
	VALUE(poll(&p, 1, -1));
	tick(true);
	VALUE(poll(&p, 1, 30000));
	FD_ZERO(&set);
	FD_SET(ends[0], &set);
	tick(true);
	VALUE(select(64, &set, NULL, NULL, NULL));
	SAY("set left alone: %d", FD_ISSET(ends[0], &set) != 0);
	tick(true);
	VALUE(nanosleep(&long_time, &rest));
	TRUTH(rest.tv_sec == 29);
	tick(true);
	VALUE(clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, &rest));
	tick(true);
	VALUE(pause());
	sigemptyset(&none);
	tick(true);
	VALUE(sigsuspend(&none));
	sigemptyset(&all);
	sigaddset(&all, SIGUSR1);
	tick(true);
	VALUE(syscall(SYS_rt_sigtimedwait, &all, NULL, &long_time, 8)); /* musl's tries again */
	if ((flags & SA_RESTART) == 0) {
		tick(true);
		VALUE(read(ends[0], &c, 1));
		if (fork() == 0) {
			sleep_ms(200);
			_exit(0);
		}
		tick(true);
		VALUE(wait(NULL));
		TRUTH(wait(NULL) > 0);
		OK(mkfifo("fifo", 0600));
		tick(true);
		VALUE(open("fifo", O_RDONLY));
		return;
	}
	seen[SIGALRM] = 0;
	if (fork() == 0) {
		sleep_ms(110);
		write(ends[1], "x", 1);
		_exit(0);
	}
	tick(false);
	VALUE(read(ends[0], &c, 1));
	TRUTH(wait(NULL) > 0);
	quiet();
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
	tick(true);
	n = write(ends[1], large, sizeof large);
	SAY("written: %ld", n);
	close(ends[0]);
	close(ends[1]);
}

static void timers(void)
{
	struct itimerval now = { { 0, 0 }, { 100, 0 } }, old;
	sigset_t set;

	handle(SIGALRM, 0);
	VALUE(alarm(100));
	VALUE(alarm(0));
	OK(setitimer(ITIMER_REAL, &now, &old));
	SAY("old %ld %ld", (long)old.it_value.tv_sec, (long)old.it_interval.tv_sec);
	OK(getitimer(ITIMER_REAL, &old));
	TRUTH(old.it_value.tv_sec == 99 && old.it_value.tv_usec > 0);
	CHILD("timers are not inherited") {
		getitimer(ITIMER_REAL, &old);
		SAY("%ld.%06ld", (long)old.it_value.tv_sec, (long)old.it_value.tv_usec);
	}
	now.it_value.tv_usec = 1000000;
	OK(setitimer(ITIMER_REAL, &now, NULL));
	OK(setitimer(5, &now, NULL));
	OK(syscall(SYS_setitimer, ITIMER_REAL, 8, NULL));
	quiet();
	seen[SIGALRM] = 0;
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	tick(false);
	for (int i = 0; i < 3; i++)
		VALUE(sigwaitinfo(&set, NULL));
	quiet();
	sigtimedwait(&set, NULL, &(struct timespec){ 0 });
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	SAY("handled %d", seen[SIGALRM]);
	CHILD("an alarm") {
		signal(SIGALRM, SIG_DFL);
		tick(true);
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
	sleep_ms(20);
	OK(kill(children[0], SIGTERM)); /* a zombie */
	say_status("a zombie", collect(children[0]));
}

int main(void)
{
	begin();
	cut_short(0);
	cut_short(SA_RESTART);
	half_done();
	timers();
	suspending();
	groups();
	return 0;
}
