/* abi_mmap.c: mmap and its kin. */
#include "test/boot/linux/abi.h"

enum { PAGE = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

/* OK, PAGE-wise: can the byte be read, written? By a child, for it may not. */
static void say_access(const char *what, volatile char *at)
{
	pid_t child = fork();
	int read_end, write_end;

	if (child == 0)
		_exit(*at == 1);
	read_end = collect(child);
	child = fork();
	if (child == 0) {
		*at = 1;
		_exit(0);
	}
	write_end = collect(child);
	SAY("%s: read %s, write %s", what, WIFSIGNALED(read_end) ? strsignal(WTERMSIG(read_end)) : "ok",
	    WIFSIGNALED(write_end) ? strsignal(WTERMSIG(write_end)) : "ok");
}

static char *pages(int count)
{
	return mmap(NULL, (size_t)count * PAGE, RW, ANON, -1, 0);
}

static void anonymous(void)
{
	char *a = pages(10), *b;
	bool zero = true;

	for (int i = 0; i < 10 * PAGE; i++)
		zero &= a[i] == 0;
	SAY("zero: %d, aligned: %d", zero, (uintptr_t)a % PAGE == 0);
	memset(a, 'a', 10 * PAGE);
	OK(munmap(a + 2 * PAGE, PAGE));
	OK(munmap(a + 2 * PAGE, PAGE));
	OK(munmap(a + 4 * PAGE + 1, PAGE));
	OK(munmap(a + 4 * PAGE, 0));
	OK(munmap(a + 4 * PAGE, 1));
	OK(syscall(SYS_munmap, a, -(long)PAGE));
	say_access("before", a + PAGE);
	say_access("hole", a + 2 * PAGE);
	say_access("after", a + 3 * PAGE);
	b = mmap(a + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0);
	SAY("into the hole: %d, %d", b == a + 2 * PAGE, b[5]);
	OK(mmap(a + 2 * PAGE, PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	OK(mmap(a + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	b = mmap(a, PAGE, RW, ANON | MAP_FIXED, -1, 0);
	SAY("over it: %d, %d, %c", b == a, a[0], a[PAGE]);
	OK(mmap(a + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	OK(mmap(NULL, 0, RW, ANON, -1, 0));
	OK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	OK(mmap(NULL, PAGE, RW, MAP_ANONYMOUS | 0xf, -1, 0));
	OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
	OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, 99, 0));
	OK(mmap(NULL, (size_t)1 << 47, RW, ANON | MAP_NORESERVE, -1, 0));
	OK(mmap(NULL, (size_t)-PAGE, RW, ANON, -1, 0));
	OK(mmap(NULL, (size_t)-1, RW, ANON, -1, 0));
	OK(mmap((void *)0x7ffffffff000, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	OK(mmap((void *)0x800000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	OK(syscall(SYS_mmap, 0, PAGE, RW, MAP_PRIVATE, 0, 1));
	b = mmap(a + 2 * PAGE, PAGE, RW, ANON, -1, 0);
	SAY("a taken hint: %d", b != MAP_FAILED && b != a + 2 * PAGE);
	OK(munmap(a, 10 * PAGE));
	OK(munmap(a, 10 * PAGE));
	b = mmap(a + 123, PAGE, RW, ANON, -1, 0);
	SAY("a free hint: %d", b == a);
}

static void protecting(void)
{
	char *a = pages(6);

	memset(a, 1, 6 * PAGE);
	OK(mprotect(a + PAGE, PAGE, PROT_READ));
	OK(mprotect(a + 2 * PAGE, PAGE, PROT_NONE));
	OK(mprotect(a + 3 * PAGE, PAGE, PROT_WRITE));
	OK(mprotect(a + 4 * PAGE, PAGE, PROT_EXEC));
	say_access("read and write", a);
	say_access("read", a + PAGE);
	say_access("none", a + 2 * PAGE);
	say_access("write", a + 3 * PAGE);
	OK(mprotect(a, 6 * PAGE, RW));
	say_access("again", a + 2 * PAGE);
	SAY("contents: %d %d", a[2 * PAGE], a[5 * PAGE]);
	OK(mprotect(a + 1, PAGE, RW));
	OK(mprotect(a, 0, RW));
	OK(mprotect(a, 1, PROT_READ));
	say_access("one byte", a + PAGE - 1);
	munmap(a + 3 * PAGE, PAGE);
	OK(mprotect(a, 6 * PAGE, PROT_READ));
	say_access("before the hole", a + 2 * PAGE);
	say_access("after the hole", a + 4 * PAGE);
	OK(mprotect(a, (size_t)-1, RW));
	OK(mprotect(a, (size_t)-PAGE, RW));
	OK(mprotect(a, (size_t)1 << 47, RW));
	OK(mprotect(a, PAGE, 0x100));
	OK(mprotect((void *)0, PAGE, RW));
	CHILD("code") {
		char *code = pages(1);
		memcpy(code, "\xb8\x05\0\0\0\xc3", 6);
		mprotect(code, PAGE, PROT_READ | PROT_EXEC);
		_exit(((int (*)(void))code)());
	}
	CHILD("not code") {
		char *code = pages(1);
		code[0] = '\xc3';
		((void (*)(void))code)();
	}
	OK(madvise(a, PAGE, MADV_DONTNEED));
	SAY("forgotten: %d", a[0]);
	OK(madvise(a + 1, PAGE, MADV_DONTNEED));
	OK(madvise(a, PAGE, 999));
	OK(madvise(a, 6 * PAGE, MADV_DONTNEED));
}

static void files(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), reader;
	char *shared, *private, buffer[8] = "";

	ftruncate(fd, 2 * PAGE + 100);
	pwrite(fd, "first", 5, 0);
	pwrite(fd, "third", 5, 2 * PAGE);
	shared = OK((char *)mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
	private = OK((char *)mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0));
	SAY("contents: %s %s %d", shared, private + 2 * PAGE, shared[2 * PAGE + 200]);
	memcpy(shared, "FIRST", 5);
	pread(fd, buffer, 5, 0);
	SAY("through: %s %s", buffer, private);
	memcpy(private + PAGE, "mine", 5);
	SAY("not through: %d", shared[PAGE]);
	pwrite(fd, "later", 5, PAGE);
	SAY("kept: %s %s", private + PAGE, shared + PAGE);
	say_access("past the end", shared + 3 * PAGE);
	say_access("past the end, private", private + 3 * PAGE);
	shared[2 * PAGE + 200] = 'x';
	ftruncate(fd, 4 * PAGE);
	SAY("grown: %d", shared[3 * PAGE]);
	ftruncate(fd, PAGE);
	say_access("cut off", shared + PAGE);
	say_access("cut off, private", private + PAGE);
	ftruncate(fd, 4 * PAGE);
	SAY("and back: %d", shared[PAGE]);
	OK(msync(shared, 4 * PAGE, MS_SYNC));
	OK(msync(shared + 1, PAGE, MS_SYNC));
	OK(msync(shared, PAGE, MS_SYNC | MS_ASYNC));
	CHILD("shared by fork") {
		memcpy(shared, "child", 5);
		memcpy(private, "child", 5);
	}
	SAY("after: %s %s", shared, private);
	memcpy(private + 2 * PAGE, "mine", 5);
	OK(symlink("f", "link"));
	OK(open("link", O_WRONLY | O_TRUNC | O_NOFOLLOW));
	OK(open("f", O_RDWR | O_TRUNC | O_DIRECTORY));
	SAY("not cut: %s %s", shared, private + 2 * PAGE);
	reader = open("f", O_RDONLY);
	OK(mmap(NULL, PAGE, RW, MAP_SHARED, reader, 0));
	OK(munmap(OK(mmap(NULL, PAGE, RW, MAP_PRIVATE, reader, 0)), PAGE));
	shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
	OK(mprotect(shared, PAGE, RW));
	close(reader);
	SAY("after close: %.5s", shared);
	OK(close(open("f", O_RDWR | O_TRUNC | O_EXCL)));
	say_access("cut", shared);
	say_access("cut, private", private);
	OK(truncate("f", PAGE));
	put_file("f", "first");
	OK(unlink("f"));
	SAY("after unlink: %.5s", shared);
	OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open("f2", O_WRONLY | O_CREAT, 0600), 0));
	OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, open(".", O_RDONLY), 0));
	shared = OK((char *)mmap(NULL, PAGE, RW, MAP_PRIVATE, open("/dev/zero", O_RDWR), 0));
	SAY("/dev/zero: %d", shared != MAP_FAILED && shared[9] == 0);
}

static void sharing(void)
{
	volatile int *shared = mmap(NULL, 3 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	volatile int *private = (volatile int *)pages(2);

	private[0] = 1;
	shared[1024] = 5;
	CHILD("writes") {
		private[0] = 2;
		private[1024] = 3;
		shared[0] = 7;
		shared[1024]++;
		CHILD("grandchild") shared[1024]++;
	}
	SAY("private %d %d shared %d %d", private[0], private[1024], shared[0], shared[1024]);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			for (int n = 0; n < 50000; n++)
				__atomic_add_fetch(&shared[0], 1, __ATOMIC_SEQ_CST);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	SAY("counted %d", shared[0]);
	OK(munmap((void *)(shared + 1024), PAGE));
	say_access("a part of it", (char *)(shared + 1024));
	shared[2048] = 1;
	CHILD("the rest") shared[2048] = 9;
	SAY("the rest: %d", shared[2048]);
}

static void remapping(void)
{
	char *a = pages(8), *b, *to;

	strcpy(a, "zero");
	strcpy(a + PAGE, "one");
	b = mremap(a, 2 * PAGE, PAGE, 0);
	SAY("smaller: %d", a == b);
	say_access("lost", a + PAGE);
	b = mremap(a, PAGE, 2 * PAGE, 0);
	SAY("grown again: %d %d", a == b, b == a ? b[PAGE] : -1);
	b = mremap(a, 2 * PAGE, 3 * PAGE, 0);
	SAY("no room: %s", b == MAP_FAILED ? error_name(errno) : "ok");
	b = mremap(a, 2 * PAGE, 20 * PAGE, MREMAP_MAYMOVE);
	SAY("moved: %d %s %d", b != MAP_FAILED && a != b, b, b[19 * PAGE]);
	say_access("the old place", a);
	to = pages(4);
	strcpy(to + 3 * PAGE, "behind");
	a = mremap(b, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	SAY("to a place: %d %s %d %s", a == to, a, a[PAGE], a + 3 * PAGE);
	say_access("from", b);
	say_access("not from", b + PAGE);
	OK(mremap(a, 2 * PAGE, 0, 0));
	OK(mremap(a + 1, PAGE, PAGE, 0));
	OK(mremap(a, PAGE, 2 * PAGE, 64));
	OK(mremap(a, PAGE, PAGE, MREMAP_FIXED, to));
	OK(mremap(a, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, a + PAGE));
	munmap(a + PAGE, PAGE);
	OK(mremap(a + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	OK(mremap(a, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
	b = mmap(NULL, 2 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	strcpy(b + PAGE, "shared");
	a = mremap(b, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	SAY("shared: %d %s", a == to, a + PAGE);
}

/* What may not be written, or read, any more moves as it is. */
static void remapping_protected(void)
{
	static const int accesses[] = { PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC };
	char *a, *b;

	for (int i = 0; i < 3; i++) {
		a = pages(4);
		munmap(a + 2 * PAGE, PAGE);
		strcpy(a, "kept");
		mprotect(a, 2 * PAGE, accesses[i]);
		b = mremap(a, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
		say_access("moved", b);
		OK(mprotect(b, 8 * PAGE, RW));
		SAY("it has: %s %d %d", b, b[PAGE], b[7 * PAGE]);
		say_access("from", a);
	}
}

static void breaking(void)
{
	char *start = (char *)syscall(SYS_brk, 0), *end;

	end = (char *)syscall(SYS_brk, start + 10000);
	SAY("grown: %ld %d", end - start, start[9999]);
	start[9999] = 5;
	end = (char *)syscall(SYS_brk, start + 100000);
	SAY("more: %ld %d", end - start, end[-1]);
	end = (char *)syscall(SYS_brk, start + 5000);
	SAY("less: %ld", end - start);
	end = (char *)syscall(SYS_brk, start + 10000);
	SAY("zero again: %ld %d", end - start, start[9999]);
	end = (char *)syscall(SYS_brk, 8);
	SAY("refused: %ld", end - start);
	end = (char *)syscall(SYS_brk, (1ul << 47) - 1);
	SAY("refused: %ld", end - start);
	CHILD("a child's own") syscall(SYS_brk, start);
	start[9000] = 1;
	SAY("still there: %d", start[9000]);
}

int main(void)
{
	begin();
	anonymous();
	protecting();
	files();
	sharing();
	remapping();
	remapping_protected();
	breaking();
	return 0;
}
