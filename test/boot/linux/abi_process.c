/* abi_process.c: fork, exec, wait, exit and the families of processes. */
#include "test/boot/linux/abi.h"

#include <spawn.h>
#include <sys/resource.h>

static char self[] = "/proc/self/exe";

static void say_info(const char *what, pid_t child, int result, const siginfo_t *info)
{
	if (result != 0)
		SAY("%s: %s", what, error_name(errno));
	else
		SAY("%s: signal %d code %d status %d, %s", what, info->si_signo, info->si_code,
		    info->si_status, info->si_pid == child ? "the child" : info->si_pid == 0 ? "nobody" : "else");
}

static void endings(void)
{
	CHILD("exit 0") _exit(0);
	CHILD("exit 255") _exit(255);
	CHILD("exit 256") _exit(256);
	CHILD("exit -1") _exit(-1);
	CHILD("by exit") syscall(SYS_exit, 9);
	CHILD("SIGKILL") kill(getpid(), SIGKILL);
	CHILD("SIGTERM") kill(getpid(), SIGTERM);
	CHILD("abort") abort();
	CHILD("SIGUSR1") raise(SIGUSR1);
	CHILD("SIGCHLD") raise(SIGCHLD);
	CHILD("SIGWINCH") raise(SIGWINCH);
	CHILD("SIGURG") raise(SIGURG);
	CHILD("SIGCONT") raise(SIGCONT);
	CHILD("a real-time signal") kill(getpid(), 40);
	CHILD("signal 64") kill(getpid(), 64);
	CHILD("SIGPWR") kill(getpid(), SIGPWR);
	CHILD("SIGSTKFLT") kill(getpid(), SIGSTKFLT);
	CHILD("SIGSYS") kill(getpid(), SIGSYS);
	CHILD("ud2") __asm__ volatile("ud2");
	CHILD("int3") __asm__ volatile("int3");
	CHILD("int $99") __asm__ volatile("int $99");
	CHILD("hlt") __asm__ volatile("hlt");
	CHILD("division") __asm__ volatile("xor %%ecx, %%ecx; div %%ecx" : : : "eax", "ecx", "edx");
	CHILD("a bad address") *(volatile int *)8 = 1;
	CHILD("a wild jump") ((void (*)(void))0x1234)();
	CHILD("a noncanonical address") *(volatile int *)0x800000000000ffffu = 1;
	CHILD("a kernel address") *(volatile int *)0xffffffff81000000u = 1;
}

static void waiting(void)
{
	int status = 77, go[2];
	siginfo_t info;
	pid_t child;
	char c;

	pipe(go);
	VALUE(wait(NULL));
	VALUE(waitpid(-1, NULL, WNOHANG));
	VALUE(waitpid(getpid(), NULL, 0));
	VALUE(waitpid(-getpgrp(), NULL, 0));
	VALUE(waitpid(-1, NULL, 0x100));
	VALUE(waitpid(1, NULL, 0));
	child = fork();
	if (child == 0) {
		read(go[0], &c, 1);
		_exit(5);
	}
	VALUE(waitpid(child, &status, WNOHANG));
	memset(&info, 0xee, sizeof info);
	say_info("WNOHANG", child, waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG), &info);
	VALUE(waitid(P_PID, (id_t)child, &info, 0));
	VALUE(waitid(77, (id_t)child, &info, WEXITED));
	VALUE(waitid(P_ALL, 0, &info, WEXITED | 0x100));
	VALUE(waitid(P_PID, 0, &info, WEXITED | WNOHANG));
	VALUE(waitid(P_PID, (id_t)-1, &info, WEXITED | WNOHANG));
	VALUE(waitid(P_PGID, (id_t)-1, &info, WEXITED | WNOHANG));
	VALUE(waitid(P_PGID, 1, &info, WEXITED | WNOHANG)); /* not its group */
	VALUE(waitid(P_PGID, 0, &info, WEXITED | WNOHANG));
	VALUE(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED | WNOHANG));
	write(go[1], "x", 1);
	say_info("WNOWAIT", child, waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), &info);
	say_info("waitid", child, waitid(P_ALL, 0, &info, WEXITED), &info);
	say_info("waitid again", child, waitid(P_ALL, 0, &info, WEXITED), &info);
	child = fork();
	if (child == 0) {
		raise(SIGSTOP);
		read(go[0], &c, 1); /* or the parent might find the end only */
		raise(SIGTSTP);
		_exit(6);
	}
	TRUTH(waitpid(child, &status, WUNTRACED) == child);
	say_status("first", status);
	VALUE(waitpid(child, &status, WUNTRACED | WNOHANG));
	OK(kill(child, SIGCONT));
	TRUTH(waitpid(child, &status, WCONTINUED) == child);
	say_status("then", status);
	write(go[1], "x", 1);
	say_info("then", child, waitid(P_PID, (id_t)child, &info, WEXITED | WSTOPPED), &info);
	kill(child, SIGCONT);
	say_info("then", child, waitid(P_PID, (id_t)child, &info, WEXITED), &info);
	child = fork();
	if (child == 0) {
		raise(SIGSTOP);
		_exit(6);
	}
	waitpid(child, &status, WUNTRACED);
	kill(child, SIGTERM);
	VALUE(waitpid(child, &status, WNOHANG));
	kill(child, SIGKILL);
	say_info("killed while stopped", child, waitid(P_PID, (id_t)child, &info, WEXITED), &info);
	signal(SIGCHLD, SIG_IGN);
	if (fork() == 0)
		_exit(1);
	VALUE(wait(&status));
	signal(SIGCHLD, SIG_DFL);
	close(go[0]);
	close(go[1]);
}

/* A group that is stopped, and that nobody of its session can continue any more. */
static void orphans(void)
{
	int told[2], held[2];
	char c = 0;

	pipe(told);
	pipe(held);
	CHILD("the parent of a stopped group") {
		pid_t child = fork();
		if (child == 0) {
			setpgid(0, 0);
			close(told[0]);
			signal(SIGHUP, SIG_DFL);
			raise(SIGSTOP);
			write(told[1], "x", 1);
			_exit(0);
		}
		waitpid(child, NULL, WUNTRACED);
	}
	close(told[1]);
	VALUE(read(told[0], &c, 1)); /* it was hung up on, and has not written */
	CHILD("another one's") {
		pid_t child = fork();
		if (child == 0) {
			setpgid(0, 0);
			signal(SIGHUP, SIG_IGN);
			raise(SIGSTOP);
			write(held[1], "y", 1);
			_exit(0);
		}
		waitpid(child, NULL, WUNTRACED);
	}
	close(held[1]);
	VALUE(read(held[0], &c, 1)); /* it was continued */
	close(told[0]);
	close(held[0]);
}

/* A child gets a copy; vfork's and the parent have one memory. */
static void copies(void)
{
	static volatile int value = 1;
	char *arguments[] = { "x", NULL };
	volatile int local = 1;
	pid_t child;

	CHILD("a copy") {
		value = 2;
		local = 2;
		sleep_ms(5);
		_exit(value + local);
	}
	SAY("values %d %d", value, local);
	child = vfork();
	if (child == 0) {
		value = 7;
		_exit(3);
	}
	SAY("vfork: %d", value);
	say_status("vfork", collect(child));
	child = vfork();
	if (child == 0) {
		execl(self, "x", "exit", "21", (char *)NULL);
		_exit(99);
	}
	say_status("vfork and exec", collect(child));
	VALUE(posix_spawn(&child, "/none", NULL, NULL, arguments, arguments));
	child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (child == 0)
		_exit(4);
	say_status("clone", collect(child));
}

static void families(void)
{
	int ends[2], status;
	pid_t me = getpid(), answer[2] = { 0, 0 };

	pipe(ends);
	CHILD("the middle one") {
		pid_t parent = getpid();
		if (fork() == 0) {
			while (getppid() == parent)
				sleep_ms(1);
			answer[0] = getppid();
			answer[1] = getpgrp();
			write(ends[1], answer, sizeof answer);
			_exit(0);
		}
		_exit(getppid() == me);
	}
	read(ends[0], answer, sizeof answer);
	SAY("adopted by init: %d, same group: %d", answer[0] == 1, answer[1] == getpgrp());
	TRUTH(getpgrp() == me && getsid(0) == me && getpgid(0) == me);
	OK(setsid());
	OK(setpgid(0, 0));
	OK(setpgid(-1, 0));
	OK(setpgid(0, -1));
	OK(setpgid(999999, 0));
	OK(getpgid(999999));
	OK(getsid(999999));
	CHILD("groups") {
		pid_t child;
		TRUTH(getpgrp() == me);
		OK(setpgid(0, 0));
		TRUTH(getpgrp() == getpid() && getsid(0) == me);
		OK(setpgid(0, me));
		OK(setpgid(0, 12345));
		OK(setpgid(me, 0));
		child = fork();
		if (child == 0) {
			OK(setsid());
			TRUTH(getsid(0) == getpid());
			OK(setpgid(0, 0));
			_exit(0);
		}
		say_status("a session", collect(child));
		TRUTH(waitpid(child, &status, 0) == -1);
	}
	CHILD("wait by group") {
		pid_t child = fork();
		if (child == 0) {
			setpgid(0, 0);
			sleep_ms(10);
			_exit(11);
		}
		setpgid(child, child);
		VALUE(waitpid(0, &status, 0));
		TRUTH(waitpid(-child, &status, 0) == child);
	}
}

static void executing(void)
{
	char *none[] = { NULL };
	char *arguments[] = { "name", "say", "two", "", NULL }, *environment[] = { "A=b", "C", NULL };
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), kept = open("/dev/null", O_RDONLY);

	SAY("descriptors %d %d", fd, kept);
	CHILD("exec") execve(self, arguments, environment);
	CHILD("signals over exec") {
		sigset_t set;
		sigemptyset(&set);
		sigaddset(&set, SIGUSR2);
		sigprocmask(SIG_BLOCK, &set, NULL);
		signal(SIGUSR1, SIG_IGN);
		signal(SIGHUP, (void (*)(int))self);
		raise(SIGUSR2);
		execl(self, "x", "signals", (char *)NULL);
	}
	OK(execve("none", arguments, environment));
	OK(execve("", arguments, environment));
	OK(execve(".", arguments, environment));
	OK(execve("/dev/null", arguments, environment));
	put_file("f", "hello");
	OK(execve("f", arguments, environment));
	OK(execve("f/x", arguments, environment));
	chmod("f", 0755);
	OK(execve("f", arguments, environment));
	put_file("f", "");
	OK(execve("f", arguments, environment));
	put_file("f", "\177ELF garbage");
	OK(execve("f", arguments, environment));
	put_file("f", "#!none\n");
	OK(execve("f", arguments, environment));
	put_file("f", "#!\n");
	OK(execve("f", arguments, environment));
	put_file("f", "#! /proc/self/exe  say it all \nrest");
	CHILD("a script") execve("./f", arguments, environment);
	put_file("f", "#!/proc/self/exe say");
	CHILD("a script without end of line") execve("./f", arguments, none);
	OK(symlink("f", "link"));
	CHILD("through a link") execve("./link", arguments, none);
	CHILD("no arguments") execve(self, none, none);
	OK(syscall(SYS_execve, self, 8, none));
	OK(syscall(SYS_execve, 8, arguments, none));
	arguments[1] = (char *)8;
	OK(syscall(SYS_execve, self, arguments, none));
	fd = open(self, O_RDONLY | O_CLOEXEC);
	arguments[1] = "say";
	CHILD("fexecve") syscall(SYS_execveat, fd, "", arguments, none, AT_EMPTY_PATH);
	OK(open(self, O_WRONLY));
}

/* What the programs above execute. */
static int role(int count, char **arguments, char **environment)
{
	sigset_t set, pending;

	if (strcmp(arguments[1], "exit") == 0)
		return atoi(arguments[2]);
	if (strcmp(arguments[1], "signals") == 0) {
		struct sigaction hup, usr1;
		sigprocmask(SIG_BLOCK, NULL, &set);
		sigpending(&pending);
		sigaction(SIGHUP, NULL, &hup);
		sigaction(SIGUSR1, NULL, &usr1);
		SAY("blocked %d pending %d, SIGHUP default %d, SIGUSR1 ignored %d",
		    sigismember(&set, SIGUSR2), sigismember(&pending, SIGUSR2),
		    hup.sa_handler == SIG_DFL, usr1.sa_handler == SIG_IGN);
		return 0;
	}
	SAY("%d arguments:", count);
	for (int i = 0; i < count; i++)
		SAY("  '%s'", i == 0 && arguments[i][0] == '/' ? "PATH" : arguments[i]);
	for (char **e = environment; *e != NULL; e++)
		SAY("  environment '%s'", *e);
	for (int fd = 3; fd < 20; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			SAY("  descriptor %d", fd);
	return 12;
}

int main(int count, char **arguments, char **environment)
{
	struct rusage usage;

	if (count > 1)
		return role(count, arguments, environment);
	if (count == 1 && arguments[0][0] == '\0') {
		SAY("one empty argument");
		return 0;
	}
	begin();
	endings();
	waiting();
	orphans();
	copies();
	families();
	executing();
	OK(getrusage(RUSAGE_CHILDREN, &usage));
	OK(getrusage(7, &usage));
	return 0;
}
