/* abi_pipes.c: pipes and FIFOs, poll and select. */
#include "test/boot/linux/abi.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>

static int in, out;

static void fresh(int flags)
{
	int ends[2];

	close(in);
	close(out);
	if (pipe2(ends, flags) != 0)
		SAY("pipe2: %s", error_name(errno));
	in = ends[0];
	out = ends[1];
}

static void say_poll(const char *what, int fd, int events)
{
	struct pollfd p = { fd, (short)events, 0x7fff };
	int found = poll(&p, 1, 0);

	SAY("%s: poll %d revents %x", what, found, p.revents);
}

static long fill(void)
{
	static char page[4096];
	long total = 0, n;

	while ((n = write(out, page, sizeof page)) > 0)
		total += n;
	return total;
}

static void plain(void)
{
	char buffer[100];
	struct stat s;
	int count = -1;

	OK(pipe2((int[2]){ 0 }, O_APPEND));
	OK(syscall(SYS_pipe2, NULL, 0));
	fresh(0);
	VALUE(write(out, "hello", 5));
	VALUE(write(out, " you", 4));
	OK(ioctl(in, FIONREAD, &count));
	SAY("waiting: %d", count);
	VALUE(read(in, buffer, 3));
	VALUE(read(in, buffer, 100));
	VALUE(write(out, "", 0));
	VALUE(read(in, buffer, 0));
	VALUE(read(out, buffer, 1));
	VALUE(write(in, buffer, 1));
	VALUE(lseek(in, 0, SEEK_SET));
	VALUE(pread(in, buffer, 1, 0));
	OK(ftruncate(out, 0));
	OK(fsync(out));
	OK(fstat(in, &s));
	SAY("mode %o size %ld flags %o %o", s.st_mode, (long)s.st_size, fcntl(in, F_GETFL),
	    fcntl(out, F_GETFL));
	close(out);
	VALUE(read(in, buffer, 1));
	say_poll("writer gone", in, POLLIN);
	fresh(O_CLOEXEC | O_NONBLOCK);
	SAY("flags %o %d", fcntl(in, F_GETFL), fcntl(out, F_GETFD));
	close(in);
	signal(SIGPIPE, SIG_IGN);
	VALUE(write(out, "x", 1));
	VALUE(write(out, "x", 0));
	say_poll("reader gone", out, POLLOUT);
	signal(SIGPIPE, SIG_DFL);
	CHILD("no reader") write(out, "x", 1);
}

static void not_waiting(void)
{
	static char large[70000];

	fresh(O_NONBLOCK);
	VALUE(read(in, large, 1));
	VALUE(fcntl(in, F_GETPIPE_SZ));
	SAY("room: %ld", fill());
	VALUE(write(out, large, 1));
	say_poll("full, out", out, POLLIN | POLLOUT);
	say_poll("full, in", in, POLLIN | POLLOUT);
	VALUE(read(in, large, 4096));
	say_poll("one page less", out, POLLOUT);
	VALUE(write(out, large, 4096));
	VALUE(write(out, large, 4096));
	VALUE(read(in, large, sizeof large));
	say_poll("empty, out", out, POLLIN | POLLOUT);
	say_poll("empty, in", in, POLLIN | POLLOUT);
	VALUE(write(out, large, sizeof large));
	VALUE(read(in, large, sizeof large));
	OK(fcntl(in, F_SETFL, 0));
	SAY("flags %o %o", fcntl(in, F_GETFL), fcntl(out, F_GETFL));
}

/* Writes up to PIPE_BUF are in one piece, whoever else writes. */
static void pieces(void)
{
	char piece[512], got[512];
	bool whole = true;
	long total = 0;

	fresh(0);
	for (int who = 0; who < 4; who++) {
		if (fork() == 0) {
			memset(piece, 'a' + who, sizeof piece);
			for (int i = 0; i < 300; i++)
				write(out, piece, sizeof piece);
			_exit(0);
		}
	}
	close(out);
	for (;;) {
		size_t have = 0;
		long n;
		while (have < sizeof got && (n = read(in, got + have, sizeof got - have)) > 0)
			have += (size_t)n;
		if (have == 0)
			break;
		total += (long)have;
		for (size_t i = 1; i < have; i++)
			whole &= got[i] == got[0];
	}
	while (wait(NULL) > 0)
		;
	SAY("pieces: %s, %ld bytes", whole ? "whole" : "torn", total);
}

/* A blocked reader and a blocked writer go on. */
static void waiting(void)
{
	static char large[200000];
	long total = 0, n;
	char c = 0;

	fresh(0);
	CHILD("a long write") {
		close(in);
		_exit(fork() == 0 ? (sleep_ms(20), write(out, "z", 1) == 1) ? 3 : 4 : 5);
	}
	VALUE(read(in, &c, 1));
	if (fork() == 0) {
		memset(large, 'w', sizeof large);
		_exit(write(out, large, sizeof large) == sizeof large ? 6 : 7);
	}
	close(out);
	while ((n = read(in, large, 30000)) > 0)
		total += n;
	SAY("all of it: %ld", total);
	while (wait(&(int){ 0 }) > 0)
		;
	fresh(0);
	if (fork() == 0) {
		signal(SIGPIPE, SIG_IGN);
		close(in);
		n = write(out, large, sizeof large);
		_exit(n > 0 && n < (long)sizeof large ? 8 : n < 0 && errno == EPIPE ? 9 : 10);
	}
	sleep_ms(20);
	close(in);
	say_status("the reader went", (wait(&(int){ 0 }), 0));
}

static void polling(void)
{
	struct pollfd p[3] = { { -1, POLLIN, 7 }, { 99, POLLIN, 0 }, { 0, POLLIN | POLLOUT, 0 } };
	struct timespec short_time = { 0, 5000000 }, bad_time = { 0, 1000000000 };

	VALUE(poll(p, 3, 0));
	SAY("revents %x %x %x", p[0].revents, p[1].revents, p[2].revents);
	VALUE(poll(NULL, 0, 0));
	VALUE(poll(NULL, 0, 5));
	VALUE(syscall(SYS_poll, p, 1u << 30, 0));
	VALUE(syscall(SYS_poll, NULL, 1, 0));
	VALUE(ppoll(p, 1, &short_time, NULL));
	VALUE(syscall(SYS_ppoll, p, 1, &bad_time, NULL, 8));
	fresh(0);
	p[0] = (struct pollfd){ in, POLLIN, 0 };
	VALUE(poll(p, 1, 5));
	if (fork() == 0) {
		sleep_ms(20);
		write(out, "x", 1);
		_exit(0);
	}
	VALUE(poll(p, 1, 50000));
	SAY("revents %x", p[0].revents);
	wait(NULL);
	read(in, &(char){ 0 }, 1);
	if (fork() == 0) {
		close(in);
		sleep_ms(20);
		_exit(0);
	}
	close(out);
	VALUE(poll(p, 1, 50000));
	SAY("revents %x", p[0].revents);
	wait(NULL);
	fresh(O_NONBLOCK);
	fill();
	p[0] = (struct pollfd){ out, POLLOUT, 0 };
	VALUE(poll(p, 1, 5));
	if (fork() == 0) {
		static char all[65536];
		sleep_ms(20);
		read(in, all, sizeof all);
		_exit(0);
	}
	VALUE(poll(p, 1, 50000));
	SAY("revents %x", p[0].revents);
	wait(NULL);
	put_file("f", "abc");
	say_poll("a file", open("f", O_RDWR), POLLIN | POLLOUT | POLLPRI);
	say_poll("a directory", open(".", O_RDONLY), POLLIN | POLLOUT);
	say_poll("/dev/zero", open("/dev/zero", O_RDONLY), POLLIN | POLLOUT);
}

static void selecting(void)
{
	struct timeval none = { 0, 0 }, little = { 0, 5000 }, bad = { -1, 0 }, large = { 50, 0 };
	fd_set r, w, e;

	fresh(0);
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(in, &r);
	FD_SET(out, &w);
	FD_SET(in, &e);
	VALUE(select(64, &r, &w, &e, &none));
	SAY("sets %d %d %d", FD_ISSET(in, &r), FD_ISSET(out, &w), FD_ISSET(in, &e));
	FD_SET(in, &r);
	VALUE(select(64, &r, NULL, NULL, &little));
	SAY("left %ld.%06ld", (long)little.tv_sec, (long)little.tv_usec);
	write(out, "x", 1);
	FD_SET(in, &r);
	VALUE(select(in + 1, &r, NULL, NULL, NULL));
	VALUE(select(in, &r, NULL, NULL, &none));
	SAY("beyond the limit: %d", FD_ISSET(in, &r));
	FD_ZERO(&r);
	FD_SET(99, &r);
	VALUE(select(100, &r, NULL, NULL, &none));
	SAY("beyond the table: %d", FD_ISSET(99, &r));
	VALUE(select(99, &r, NULL, NULL, &none));
	VALUE(syscall(SYS_select, -1, NULL, NULL, NULL, &none));
	VALUE(syscall(SYS_select, 1, 8, NULL, NULL, &none));
	VALUE(syscall(SYS_select, 0, NULL, NULL, NULL, &bad));
	VALUE(syscall(SYS_select, 0, NULL, NULL, NULL, 8));
	FD_ZERO(&r);
	FD_SET(in, &r);
	VALUE(select(64, &r, NULL, NULL, &large));
	SAY("some time is left: %d", large.tv_sec >= 40);
	FD_SET(in, &r);
	close(out);
	VALUE(select(64, &r, NULL, NULL, &large));
	out = -1;
}

/* A descriptor that is not open is told only where the table has room for it:
 * 64, 128, 256... of them; closing gives no room back, fork does. */
static void selecting_far(void)
{
	struct timeval none = { 0, 0 };
	union {
		fd_set set;
		uint64_t words[64];
	} r;

	for (int fd = 63; fd < 2048; fd = fd % 2 != 0 ? fd + 1 : fd * 2 - 1) {
		memset(&r, 0, sizeof r);
		r.words[fd / 64] = 1ul << fd % 64;
		SAY("%d: %d", fd, select(fd + 1, &r.set, NULL, NULL, &none));
	}
	dup2(in, 120);
	for (int last = 127; last < 129; last++) {
		memset(&r, 0, sizeof r);
		r.words[last / 64] = 1ul << last % 64;
		VALUE(select(4096, &r.set, NULL, NULL, &none));
	}
	close(120);
	memset(&r, 0, sizeof r);
	r.words[1] = 1ul << 56;
	VALUE(select(4096, &r.set, NULL, NULL, &none));
	CHILD("a child's table") VALUE(select(4096, &r.set, NULL, NULL, &none));
	VALUE(dup2(in, 1000));
	memset(&r, 0, sizeof r);
	r.words[15] = 1ul << 40;
	VALUE(select(INT32_MAX, &r.set, NULL, NULL, &none));
	r.words[15] |= 1ul << 63;
	VALUE(select(INT32_MAX, &r.set, NULL, NULL, &none));
	VALUE(select(1023, &r.set, NULL, NULL, &none));
	close(1000);
}

static void fifos(void)
{
	char buffer[10] = "";
	int fd, both;

	OK(mkfifo("fifo", 0600));
	OK(mkfifo("fifo", 0600));
	OK(open("fifo", O_WRONLY | O_NONBLOCK));
	fd = OK(open("fifo", O_RDONLY | O_NONBLOCK));
	VALUE(read(fd, buffer, 1));
	say_poll("no writer yet", fd, POLLIN);
	both = OK(open("fifo", O_WRONLY | O_NONBLOCK));
	VALUE(read(fd, buffer, 1));
	VALUE(write(both, "abc", 3));
	close(both);
	VALUE(read(fd, buffer, 10));
	VALUE(read(fd, buffer, 10));
	say_poll("the writer went", fd, POLLIN);
	close(fd);
	both = OK(open("fifo", O_RDWR));
	VALUE(write(both, "abc", 3));
	VALUE(read(both, buffer, 10));
	close(both);
	if (fork() == 0) {
		fd = open("fifo", O_WRONLY);
		write(fd, "met", 3);
		_exit(0);
	}
	fd = OK(open("fifo", O_RDONLY));
	VALUE(read(fd, buffer, 10));
	VALUE(read(fd, buffer, 10));
	wait(NULL);
	SAY("said: %.3s", buffer);
	OK(unlink("fifo"));
}

int main(void)
{
	in = out = -1;
	begin();
	plain();
	not_waiting();
	pieces();
	waiting();
	polling();
	selecting();
	selecting_far();
	fifos();
	return 0;
}
