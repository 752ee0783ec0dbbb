/* tty_test.c: what the person at a terminal and the programs behind it rely on:
 * a line is edited as shown, handed over whole, and signals reach their group. */
#include "lib/posix/env_host.h"
#include "lib/posix/errno.h"
#include "lib/tty/tty.h"
#include "lib/vfs/ramfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SCREEN = 65536, SECOND = 1000000000 };

static struct tty tty;
static struct vfs vfs;
static struct vfs_place place;
static struct file *file;
static char screen[SCREEN];
static size_t shown;
static int last_signal;
static int32_t last_group, caller_session, caller_group;
static bool ignored;

static void screen_write(void *context, const void *bytes, size_t size)
{
	(void)context;
	assert_true(shown + size < SCREEN);
	memcpy(screen + shown, bytes, size);
	shown += size;
	screen[shown] = '\0';
}

static bool record_signal(void *context, int32_t group, int signal)
{
	(void)context;
	last_group = group;
	last_signal = signal;
	return !ignored;
}

static void tell_caller(void *context, int32_t *session, int32_t *group)
{
	(void)context;
	*session = caller_session;
	*group = caller_group;
}

static const struct tty_ops ops = { screen_write, record_signal, tell_caller };

static int setup(void **state)
{
	(void)state;
	struct fs *fs;
	env_host_reset();
	shown = 0;
	screen[0] = '\0';
	last_signal = 0;
	last_group = 0;
	ignored = false;
	caller_session = caller_group = 10;
	tty_init(&tty, &ops, NULL);
	assert_int_equal(ramfs_create(0, &fs), 0);
	vfs_init(&vfs, fs);
	vfs_place_init(&vfs, &place);
	tty_register(&tty, &vfs);
	tty_set_session(&tty, 10, 10);
	assert_int_equal(vfs_mknod(&place, NULL, "/console", S_IFCHR | 0600, device_number(5, 1)), 0);
	assert_int_equal(vfs_mknod(&place, NULL, "/tty", S_IFCHR | 0600, device_number(5, 0)), 0);
	assert_int_equal(vfs_open(&place, NULL, "/console", O_RDWR, 0, &file), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	file_put(file);
	vfs_place_drop(&place);
	vfs_destroy(&vfs);
	assert_int_equal(env_host.allocations, 0);
	return 0;
}

static void type(const char *keys)
{
	tty_input(&tty, keys, strlen(keys));
	tty_check(&tty);
}

static void expect_read(size_t size, const char *expected)
{
	char buffer[8192];
	struct wait wait = { 0 };
	int64_t result = file_read(file, buffer, size, &wait);
	tty_check(&tty);
	assert_int_equal(result, strlen(expected));
	assert_memory_equal(buffer, expected, strlen(expected));
}

static void expect_wait(void)
{
	char buffer[64];
	struct wait wait = { 0 };
	assert_int_equal(file_read(file, buffer, sizeof(buffer), &wait), -EAGAIN);
	assert_ptr_equal(wait.event, &tty.readable);
}

static void expect_screen(const char *expected)
{
	assert_string_equal(screen, expected);
	shown = 0;
	screen[0] = '\0';
}

static void print(const char *text)
{
	struct wait wait = { 0 };
	assert_int_equal(file_write(file, text, strlen(text), &wait), strlen(text));
	tty_check(&tty);
}

static struct ktermios settings(void)
{
	struct ktermios termios;
	assert_int_equal(file_ioctl(file, TCGETS, (uintptr_t)&termios), 0);
	return termios;
}

static void apply(struct ktermios termios, uint32_t request)
{
	assert_int_equal(file_ioctl(file, request, (uintptr_t)&termios), 0);
	tty_check(&tty);
}

static void raw(uint8_t minimum, uint8_t time)
{
	struct ktermios termios = settings();
	termios.c_lflag &= ~(uint32_t)(ICANON | ECHO | ISIG | IEXTEN);
	termios.c_iflag &= ~(uint32_t)(ICRNL | IXON);
	termios.c_cc[VMIN] = minimum;
	termios.c_cc[VTIME] = time;
	apply(termios, TCSETS);
}

static void line_is_handed_over_whole(void **state)
{
	(void)state;
	type("he");
	expect_wait();
	uint32_t before = tty.readable.sequence;
	type("llo\r");
	assert_int_not_equal(tty.readable.sequence, before);
	expect_screen("hello\n");
	expect_read(64, "hello\n");
	expect_wait();
}

static void lines_are_read_one_by_one(void **state)
{
	(void)state;
	type("one\ntwo\n");
	expect_read(2, "on");
	expect_read(64, "e\n");
	expect_read(4, "two\n");
	expect_wait();
}

static void erasing_shows(void **state)
{
	(void)state;
	type("ab\177\177\177c\n");
	expect_screen("ab\b \b\b \bc\n");
	expect_read(64, "c\n");
	type("a\001\177b\n"); /* ^A takes two columns */
	expect_screen("a^A\b \b\b \bb\n");
	expect_read(64, "ab\n");
	print("$ ");
	type("a\t\177b\n"); /* from column 3 to 8, and back */
	expect_screen("$ a\t\b\b\b\b\bb\n");
	expect_read(64, "ab\n");
	type("\xc3\xa9\177x\n"); /* e acute is one column */
	expect_screen("\xc3\xa9\b \bx\n");
	expect_read(64, "x\n");
}

static void erasing_leaves_what_a_program_printed(void **state)
{
	(void)state;
	type("a");
	print("$ ");
	type("\177");
	expect_screen("a$ \b \b");
}

static void words_and_lines_are_erased(void **state)
{
	(void)state;
	type("echo foo-bar  \027\n");
	expect_read(64, "echo foo-\n");
	type("abc\025d\n");
	expect_read(64, "d\n");
	shown = 0;
	type("ab\025");
	expect_screen("ab\b \b\b \b");
	type("xy\022");
	expect_screen("xy^R\nxy");
	type("\n");
	expect_read(64, "xy\n");
}

static void literal_next_takes_any_character(void **state)
{
	(void)state;
	type("a\026\003\026\177b\n");
	expect_read(64, "a\003\177b\n");
	assert_int_equal(last_signal, 0);
	expect_screen("a^C^?b\n");
}

static void end_of_file(void **state)
{
	(void)state;
	type("\004");
	expect_read(64, "");
	expect_wait();
	type("ab\004");
	expect_read(64, "ab");
	expect_wait();
	type("cd\004"); /* a buffer that just fits does not see an end of file after */
	expect_read(2, "cd");
	expect_wait();
	type("x\004\004");
	expect_read(64, "x");
	expect_read(64, "");
	type("ef\004gh\n");
	expect_read(64, "ef");
	expect_read(64, "gh\n");
}

static void signals_go_to_the_foreground(void **state)
{
	(void)state;
	int32_t group = 33;
	assert_int_equal(file_ioctl(file, TIOCSPGRP, (uintptr_t)&group), 0);
	type("lost\003");
	expect_screen("lost^C");
	assert_int_equal(last_signal, SIGINT);
	assert_int_equal(last_group, 33);
	type("\034");
	assert_int_equal(last_signal, SIGQUIT);
	type("\032");
	assert_int_equal(last_signal, SIGTSTP);
	caller_group = 33;
	expect_wait();
	type("x\n");
	expect_read(64, "x\n");
	struct ktermios termios = settings();
	termios.c_lflag &= ~(uint32_t)ISIG;
	apply(termios, TCSETS);
	last_signal = 0;
	type("\003\n");
	assert_int_equal(last_signal, 0);
	expect_read(64, "\003\n");
}

static void background_processes_are_stopped(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 };
	caller_group = 11;
	assert_int_equal(file_read(file, buffer, 8, &wait), -ERESTARTSYS);
	assert_int_equal(last_signal, SIGTTIN);
	assert_int_equal(last_group, 11);
	ignored = true;
	assert_int_equal(file_read(file, buffer, 8, &wait), -EIO);
	ignored = false;
	print("allowed without TOSTOP");
	caller_group = 10;
	struct ktermios termios = settings();
	termios.c_lflag |= TOSTOP;
	apply(termios, TCSETS);
	caller_group = 11;
	assert_int_equal(file_write(file, "x", 1, &wait), -ERESTARTSYS);
	assert_int_equal(last_signal, SIGTTOU);
	assert_int_equal(file_ioctl(file, TCSETS, (uintptr_t)&termios), -ERESTARTSYS);
}

static void sessions_own_terminals(void **state)
{
	(void)state;
	int32_t number;
	struct file *other;
	assert_int_equal(file_ioctl(file, TIOCGPGRP, (uintptr_t)&number), 0);
	assert_int_equal(number, 10);
	assert_int_equal(file_ioctl(file, TIOCGSID, (uintptr_t)&number), 0);
	assert_int_equal(number, 10);
	caller_session = 20;
	caller_group = 21;
	assert_int_equal(file_ioctl(file, TIOCGPGRP, (uintptr_t)&number), -ENOTTY);
	assert_int_equal(vfs_open(&place, NULL, "/tty", O_RDWR, 0, &other), -ENXIO);
	assert_int_equal(file_ioctl(file, TIOCSCTTY, 0), -EPERM);
	tty_set_session(&tty, 0, 0);
	assert_int_equal(file_ioctl(file, TIOCSCTTY, 0), 0);
	assert_int_equal(file_ioctl(file, TIOCGPGRP, (uintptr_t)&number), 0);
	assert_int_equal(number, 21);
	assert_int_equal(vfs_open(&place, NULL, "/tty", O_RDWR, 0, &other), 0);
	file_put(other);
	assert_int_equal(file_ioctl(file, TIOCNOTTY, 0), 0);
	assert_int_equal(tty.session, 0);
}

static void settings_have_linux_layout(void **state)
{
	(void)state;
	uint8_t bytes[40];
	memset(bytes, 0xee, sizeof(bytes));
	assert_int_equal(file_ioctl(file, TCGETS, (uintptr_t)bytes), 0);
	assert_int_equal(bytes[36], 0xee);
	assert_int_equal(bytes[17 + VINTR], 3);
	assert_int_equal(bytes[17 + VERASE], 127);
	assert_int_equal(file_ioctl(file, 0x1234, 0), -ENOTTY);
	env_host.fault_first = bytes;
	env_host.fault_size = sizeof(bytes);
	assert_int_equal(file_ioctl(file, TCGETS, (uintptr_t)bytes), -EFAULT);
	assert_int_equal(file_ioctl(file, TCSETS, (uintptr_t)bytes), -EFAULT);
}

static void window_size_is_kept_and_told(void **state)
{
	(void)state;
	struct winsize size = { .ws_row = 50, .ws_col = 132 };
	assert_int_equal(file_ioctl(file, TIOCSWINSZ, (uintptr_t)&size), 0);
	assert_int_equal(last_signal, SIGWINCH);
	last_signal = 0;
	assert_int_equal(file_ioctl(file, TIOCSWINSZ, (uintptr_t)&size), 0);
	assert_int_equal(last_signal, 0);
	memset(&size, 0, sizeof(size));
	assert_int_equal(file_ioctl(file, TIOCGWINSZ, (uintptr_t)&size), 0);
	assert_int_equal(size.ws_col, 132);
}

static void output_is_processed_as_asked(void **state)
{
	(void)state;
	print("a\nb");
	expect_screen("a\nb"); /* the host's terminal adds the CR */
	struct ktermios termios = settings();
	termios.c_oflag = OPOST | ONLCR;
	apply(termios, TCSETS);
	print("a\nb");
	expect_screen("a\r\nb");
	termios.c_oflag = ONLCR;
	apply(termios, TCSETS);
	print("a\nb");
	expect_screen("a\nb");
	static char big[5000];
	memset(big, 'z', sizeof(big) - 1);
	print(big);
	expect_screen(big);
}

static void echo_can_be_switched(void **state)
{
	(void)state;
	struct ktermios termios = settings();
	termios.c_lflag &= ~(uint32_t)ECHO;
	apply(termios, TCSETS);
	type("secret\177\n");
	expect_screen("");
	expect_read(64, "secre\n");
	termios.c_lflag |= ECHONL;
	apply(termios, TCSETS);
	type("x\n");
	expect_screen("\n");
	expect_read(64, "x\n");
	termios.c_lflag = ISIG | ICANON | ECHO; /* no ECHOE: the character itself */
	apply(termios, TCSETS);
	type("a\177\n");
	expect_screen("a\177\n");
	expect_read(64, "\n");
}

static void carriage_returns_are_translated(void **state)
{
	(void)state;
	struct ktermios termios = settings();
	termios.c_iflag = IGNCR;
	apply(termios, TCSETS);
	type("a\r\n");
	expect_read(64, "a\n");
	termios.c_iflag = INLCR;
	apply(termios, TCSETS);
	type("a\n\004");
	expect_read(64, "a\r");
}

static void raw_mode_counts_bytes(void **state)
{
	(void)state;
	raw(1, 0);
	expect_wait();
	type("\r\003\004");
	expect_read(64, "\r\003\004");
	assert_int_equal(last_signal, 0);
	expect_screen("");
	raw(3, 0);
	type("ab");
	expect_wait();
	expect_read(2, "ab"); /* no more than asked for is waited for */
	type("cde");
	expect_read(64, "cde");
	raw(0, 0);
	expect_read(64, "");
	type("x");
	expect_read(64, "x");
}

static void raw_mode_times_out(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 };
	raw(0, 5);
	assert_int_equal(file_read(file, buffer, 8, &wait), -EAGAIN);
	uint64_t deadline = wait.deadline;
	assert_true(deadline > env_host.clock && deadline <= env_host.clock + SECOND / 2);
	assert_int_equal(file_read(file, buffer, 8, &wait), -EAGAIN); /* woken for nothing */
	assert_int_equal(wait.deadline, deadline);
	env_host.clock = deadline;
	assert_int_equal(file_read(file, buffer, 8, &wait), 0);
	raw(4, 5);
	wait = (struct wait){ 0 };
	assert_int_equal(file_read(file, buffer, 8, &wait), -EAGAIN);
	assert_int_equal(wait.deadline, 0); /* the first byte may take for ever */
	type("ab");
	assert_int_equal(file_read(file, buffer, 8, &wait), -EAGAIN);
	assert_true(wait.deadline > 0);
	env_host.clock = wait.deadline;
	assert_int_equal(file_read(file, buffer, 8, &wait), 2);
}

static void switching_modes_loses_nothing(void **state)
{
	(void)state;
	type("abc");
	raw(1, 0);
	expect_read(64, "abc");
	type("de");
	struct ktermios termios = settings();
	termios.c_lflag |= ICANON;
	apply(termios, TCSETS);
	expect_read(64, "de");
	type("fg\n");
	apply(termios, TCSETSF);
	expect_wait();
}

static void unread_input_is_bounded(void **state)
{
	(void)state;
	static char line[TTY_INPUT + 100];
	char buffer[TTY_INPUT + 100];
	struct wait wait = { 0 };
	memset(line, 'x', sizeof(line) - 1);
	type(line);
	assert_non_null(strchr(screen, '\a'));
	type("\n");
	assert_int_equal(file_read(file, buffer, sizeof(buffer), &wait), TTY_INPUT);
	assert_int_equal(buffer[TTY_INPUT - 1], '\n');
	type("still alive\n");
	expect_read(64, "still alive\n");
}

static void polling_and_counting(void **state)
{
	(void)state;
	struct poll_events events;
	int32_t count;
	assert_int_equal(file_poll(file, &events), POLLOUT | POLLWRNORM);
	assert_ptr_equal(events.in, &tty.readable);
	type("ab");
	assert_int_equal(file_poll(file, &events), POLLOUT | POLLWRNORM);
	assert_int_equal(file_ioctl(file, FIONREAD, (uintptr_t)&count), 0);
	assert_int_equal(count, 0);
	type("\n");
	assert_true(file_poll(file, &events) & POLLIN);
	assert_int_equal(file_ioctl(file, FIONREAD, (uintptr_t)&count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(file_ioctl(file, TCFLSH, TCIFLUSH), 0);
	assert_int_equal(file_poll(file, &events), POLLOUT | POLLWRNORM);
}

static void hangup_ends_input(void **state)
{
	(void)state;
	struct wait wait = { 0 };
	struct poll_events events;
	type("rest");
	tty_hangup(&tty);
	expect_read(64, "rest");
	expect_read(64, "");
	assert_true(file_poll(file, &events) & POLLHUP);
	assert_int_equal(file_write(file, "x", 1, &wait), -EIO);
}

static void nonblocking_read_does_not_wait(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 };
	int32_t on = 1;
	assert_int_equal(file_ioctl(file, FIONBIO, (uintptr_t)&on), 0);
	assert_int_equal(file_read(file, buffer, 8, &wait), -EAGAIN);
	assert_null(wait.event);
}

/* Any bytes, in any mode, keep it sound. */
static void random_input_keeps_it_sound(void **state)
{
	(void)state;
	srand(3);
	for (int round = 0; round < 20000; round++) {
		uint8_t keys[32];
		char buffer[64];
		struct wait wait = { 0 };
		size_t size = (size_t)rand() % sizeof(keys);
		for (size_t i = 0; i < size; i++)
			keys[i] = (uint8_t)(rand() % 3 ? rand() % 32 : rand());
		tty_input(&tty, keys, size);
		tty_check(&tty);
		shown = 0;
		if (rand() % 50 == 0) {
			struct ktermios termios = settings();
			termios.c_lflag ^= (uint32_t)rand() & 0177777;
			termios.c_lflag &= ~(uint32_t)TOSTOP;
			termios.c_iflag = (uint32_t)rand() & 077777;
			termios.c_oflag = (uint32_t)rand() & 077;
			apply(termios, TCSETS);
		}
		int64_t result = file_read(file, buffer, (size_t)rand() % sizeof(buffer), &wait);
		assert_true(result >= 0 || result == -EAGAIN);
		tty_check(&tty);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(line_is_handed_over_whole),
		TEST(lines_are_read_one_by_one),
		TEST(erasing_shows),
		TEST(erasing_leaves_what_a_program_printed),
		TEST(words_and_lines_are_erased),
		TEST(literal_next_takes_any_character),
		TEST(end_of_file),
		TEST(signals_go_to_the_foreground),
		TEST(background_processes_are_stopped),
		TEST(sessions_own_terminals),
		TEST(settings_have_linux_layout),
		TEST(window_size_is_kept_and_told),
		TEST(output_is_processed_as_asked),
		TEST(echo_can_be_switched),
		TEST(carriage_returns_are_translated),
		TEST(raw_mode_counts_bytes),
		TEST(raw_mode_times_out),
		TEST(switching_modes_loses_nothing),
		TEST(unread_input_is_bounded),
		TEST(polling_and_counting),
		TEST(hangup_ends_input),
		TEST(nonblocking_read_does_not_wait),
		TEST(random_input_keeps_it_sound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
