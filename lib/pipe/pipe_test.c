/* pipe_test.c: what the two ends of a pipe rely on: order, atomicity, being
 * woken, and being told when the other end is gone. */
#include "lib/pipe/pipe.h"
#include "lib/posix/env_host.h"
#include "lib/posix/errno.h"
#include "lib/posix/termios.h"
#include "lib/vfs/ramfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct vfs vfs;
static struct vfs_place place;
static struct file *reader, *writer;
static uint8_t content[4 * PIPE_CAPACITY];

static void begin(uint32_t flags)
{
	struct fs *fs;
	assert_int_equal(ramfs_create(0, &fs), 0);
	vfs_init(&vfs, fs);
	vfs_place_init(&vfs, &place);
	assert_int_equal(pipe_open(&vfs, flags, &reader, &writer), 0);
	for (size_t i = 0; i < sizeof(content); i++)
		content[i] = (uint8_t)(i * 31 + i / 251);
}

static void close_end(struct file **end)
{
	if (*end != NULL)
		file_put(*end);
	*end = NULL;
}

static int setup(void **state)
{
	(void)state;
	env_host_reset();
	begin(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_end(&reader);
	close_end(&writer);
	vfs_place_drop(&place);
	vfs_destroy(&vfs);
	assert_int_equal(env_host.allocations, 0);
	assert_int_equal(env_host.pages, 0);
	return 0;
}

static void check(const struct file *file)
{
	if (file != NULL)
		pipe_check(file->inode->pipe);
}

static int64_t put(struct file *file, const void *bytes, size_t size, struct wait *wait)
{
	int64_t result = file_write(file, bytes, size, wait);
	check(file);
	return result;
}

static int64_t get(struct file *file, void *bytes, size_t size, struct wait *wait)
{
	int64_t result = file_read(file, bytes, size, wait);
	check(file);
	return result;
}

static bool woken(const struct wait *wait)
{
	return wait->event->sequence != wait->sequence;
}

static uint32_t poll_bits(struct file *file)
{
	struct poll_events events;
	return file_poll(file, &events);
}

static void bytes_come_out_in_order(void **state)
{
	(void)state;
	uint8_t buffer[9000];
	size_t written = 0, taken = 0;
	srand(2);
	while (taken < sizeof(content)) {
		struct wait wait = { 0 };
		size_t size = (size_t)rand() % 9000;
		if (rand() % 2 && size <= sizeof(content) - written) {
			int64_t result = put(writer, content + written, size, &wait);
			written += result == -EAGAIN ? wait.done : (size_t)result;
		} else {
			int64_t result = get(reader, buffer, size, &wait);
			if (result == -EAGAIN) {
				assert_int_equal(taken, written);
				if (sizeof(content) - written < 9000)
					written += (size_t)put(writer, content + written,
					                       sizeof(content) - written, &wait);
				continue;
			}
			assert_memory_equal(buffer, content + taken, (size_t)result);
			taken += (size_t)result;
		}
	}
}

static void empty_pipe_blocks_until_written(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 }, other = { 0 };
	assert_int_equal(get(reader, buffer, 0, &wait), 0);
	assert_int_equal(get(reader, buffer, 8, &wait), -EAGAIN);
	assert_non_null(wait.event);
	assert_false(woken(&wait));
	assert_int_equal(put(writer, "hello", 5, &other), 5);
	assert_true(woken(&wait));
	assert_int_equal(get(reader, buffer, 8, &wait), 5);
	assert_memory_equal(buffer, "hello", 5);
}

static void closing_the_writer_is_end_of_file(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 }, other = { 0 };
	assert_int_equal(put(writer, "x", 1, &other), 1);
	close_end(&writer);
	assert_int_equal(get(reader, buffer, 8, &wait), 1);
	assert_int_equal(get(reader, buffer, 8, &wait), 0);
	assert_int_equal(poll_bits(reader), POLLHUP);
}

static void waiting_reader_sees_the_writer_go(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 };
	assert_int_equal(get(reader, buffer, 8, &wait), -EAGAIN);
	close_end(&writer);
	assert_true(woken(&wait));
	assert_int_equal(get(reader, buffer, 8, &wait), 0);
}

static void closing_the_reader_breaks_the_pipe(void **state)
{
	(void)state;
	struct wait wait = { 0 }, other = { 0 };
	assert_int_equal(put(writer, content, PIPE_CAPACITY + 1, &wait), -EAGAIN);
	close_end(&reader);
	assert_true(woken(&wait));
	assert_int_equal(put(writer, content, PIPE_CAPACITY + 1, &wait), PIPE_CAPACITY);
	assert_int_equal(put(writer, content, 1, &other), -EPIPE);
	assert_int_equal(put(writer, content, 0, &other), 0);
	assert_true(poll_bits(writer) & POLLERR);
}

static void small_writes_are_never_split(void **state)
{
	(void)state;
	static uint8_t buffer[PIPE_CAPACITY];
	struct wait first = { 0 }, wait = { 0 }, other = { 0 };
	assert_int_equal(put(writer, content, PIPE_CAPACITY - 100, &first), PIPE_CAPACITY - 100);
	assert_int_equal(put(writer, content, 101, &wait), -EAGAIN);
	assert_int_equal(wait.done, 0);
	assert_int_equal(pipe_used(reader->inode->pipe), PIPE_CAPACITY - 100);
	assert_int_equal(get(reader, buffer, 1, &other), 1);
	assert_true(woken(&wait));
	assert_int_equal(put(writer, content, 101, &wait), 101);
	assert_int_equal(pipe_used(reader->inode->pipe), PIPE_CAPACITY);
}

static void long_write_goes_on_where_it_stopped(void **state)
{
	(void)state;
	static uint8_t buffer[3 * PIPE_CAPACITY];
	struct wait wait = { 0 }, other = { 0 };
	size_t size = 2 * PIPE_CAPACITY + 777, taken = 0;
	int64_t result;
	while ((result = put(writer, content, size, &wait)) == -EAGAIN) {
		assert_false(woken(&wait));
		int64_t got = get(reader, buffer + taken, 5000, &other);
		assert_true(got > 0);
		assert_true(woken(&wait));
		taken += (size_t)got;
	}
	assert_int_equal(result, size);
	while (taken < size)
		taken += (size_t)get(reader, buffer + taken, size - taken, &other);
	assert_memory_equal(buffer, content, size);
}

static void nonblocking_ends_never_wait(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 }, full = { 0 }, small = { 0 };
	file_set_flags(reader, O_NONBLOCK);
	file_set_flags(writer, O_NONBLOCK);
	assert_int_equal(get(reader, buffer, 8, &wait), -EAGAIN);
	assert_null(wait.event);
	assert_int_equal(put(writer, content, PIPE_CAPACITY + 5, &full), PIPE_CAPACITY);
	assert_int_equal(put(writer, content, 1, &small), -EAGAIN);
	assert_null(small.event);
	assert_int_equal(file_flags(writer) & O_NONBLOCK, O_NONBLOCK);
}

static void poll_tells_what_would_not_block(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 };
	int32_t readable;
	assert_int_equal(poll_bits(reader), 0);
	assert_int_equal(poll_bits(writer), POLLOUT | POLLWRNORM);
	put(writer, content, PIPE_CAPACITY - PIPE_BUF + 1, &wait);
	assert_int_equal(poll_bits(reader), POLLIN | POLLRDNORM);
	assert_int_equal(poll_bits(writer), 0);
	struct poll_events events;
	file_poll(writer, &events);
	uint32_t sequence = events.out->sequence;
	get(reader, buffer, 1, &wait);
	assert_int_not_equal(events.out->sequence, sequence);
	assert_int_equal(poll_bits(writer), POLLOUT | POLLWRNORM);
	assert_int_equal(file_ioctl(reader, FIONREAD, (uintptr_t)&readable), 0);
	assert_int_equal(readable, PIPE_CAPACITY - PIPE_BUF);
}

static void ends_are_one_way(void **state)
{
	(void)state;
	char buffer[8];
	struct wait wait = { 0 };
	assert_int_equal(put(reader, "x", 1, &wait), -EBADF);
	assert_int_equal(get(writer, buffer, 1, &wait), -EBADF);
	assert_int_equal(file_seek(reader, 0, SEEK_SET), -ESPIPE);
	assert_int_equal(file_pread(reader, buffer, 1, 0), -ESPIPE);
	struct stat stat;
	file_stat(reader, &stat);
	assert_int_equal(stat.st_mode & S_IFMT, S_IFIFO);
}

static void small_messages_use_one_page(void **state)
{
	(void)state;
	char buffer[64];
	struct wait wait = { 0 };
	for (int i = 0; i < 5000; i++) {
		wait.done = 0;
		assert_int_equal(put(writer, content, 50, &wait), 50);
		assert_int_equal(get(reader, buffer, 64, &wait), 50);
	}
	assert_int_equal(env_host.pages, 1);
}

static void faults_lose_nothing(void **state)
{
	(void)state;
	static uint8_t program[3 * ENV_PAGE];
	uint8_t buffer[10];
	struct wait wait = { 0 };
	env_host.fault_first = program + ENV_PAGE;
	env_host.fault_size = ENV_PAGE;
	assert_int_equal(put(writer, program + ENV_PAGE, 10, &wait), -EFAULT);
	assert_int_equal(put(writer, program + ENV_PAGE - 5, 10, &wait), -EFAULT);
	assert_int_equal(pipe_used(reader->inode->pipe), 0);
	wait.done = 0;
	assert_int_equal(put(writer, content, 10, &wait), 10);
	assert_int_equal(get(reader, program + ENV_PAGE, 10, &wait), -EFAULT);
	assert_int_equal(get(reader, buffer, 10, &wait), 10);
	assert_memory_equal(buffer, content, 10);
}

static void every_failed_allocation_is_survived(void **state)
{
	(void)state;
	static uint8_t buffer[PIPE_CAPACITY];
	for (uint64_t n = 1; n < 40; n++) {
		struct file *in, *out;
		struct wait wait = { 0 }, other = { 0 };
		size_t allocations = env_host.allocations, pages = env_host.pages;
		env_host.fail_at = env_host.asked + n;
		int result = pipe_open(&vfs, 0, &in, &out);
		if (result == 0) {
			int64_t written = put(out, content, 30000, &wait);
			assert_true(written == 30000 || written == -ENOMEM ||
			            (written > 0 && written % PIPE_BUF == 0));
			if (written > 0) {
				assert_int_equal(get(in, buffer, sizeof(buffer), &other), written);
				assert_memory_equal(buffer, content, (size_t)written);
			}
			file_put(in);
			file_put(out);
		} else {
			assert_int_equal(result, -ENOMEM);
		}
		env_host.fail_at = 0;
		assert_int_equal(env_host.allocations, allocations);
		assert_int_equal(env_host.pages, pages);
	}
}

/* -- FIFOs -- */

static int open_fifo(uint32_t flags, struct file **out)
{
	return vfs_open(&place, NULL, "/fifo", flags, 0, out);
}

static void fifo_opens_wait_for_each_other(void **state)
{
	(void)state;
	struct file *in, *out;
	struct wait wait_in = { 0 }, wait_out = { 0 };
	char buffer[8];
	assert_int_equal(vfs_mknod(&place, NULL, "/fifo", S_IFIFO | 0644, 0), 0);
	assert_int_equal(open_fifo(O_RDONLY, &in), 0);
	assert_int_equal(file_opened(in, &wait_in), -EAGAIN);
	assert_int_equal(file_opened(in, &wait_in), -EAGAIN);
	assert_int_equal(open_fifo(O_WRONLY, &out), 0);
	assert_int_equal(file_opened(out, &wait_out), 0);
	assert_true(woken(&wait_in));
	/* The writer may be gone again before the reader is up. */
	assert_int_equal(put(out, "x", 1, &wait_out), 1);
	file_put(out);
	assert_int_equal(file_opened(in, &wait_in), 0);
	assert_int_equal(get(in, buffer, 8, &wait_in), 1);
	assert_int_equal(get(in, buffer, 8, &wait_in), 0);
	file_put(in);
	/* The next round begins anew. */
	assert_int_equal(open_fifo(O_WRONLY, &out), 0);
	assert_int_equal(file_opened(out, &wait_out), -EAGAIN);
	assert_int_equal(open_fifo(O_RDONLY, &in), 0);
	assert_true(woken(&wait_out));
	assert_int_equal(file_opened(in, &wait_in), 0);
	assert_int_equal(file_opened(out, &wait_out), 0);
	file_put(in);
	file_put(out);
}

static void fifo_opened_without_blocking(void **state)
{
	(void)state;
	struct file *in, *out, *both;
	struct wait wait = { 0 };
	char buffer[8];
	assert_int_equal(vfs_mknod(&place, NULL, "/fifo", S_IFIFO | 0644, 0), 0);
	assert_int_equal(open_fifo(O_WRONLY | O_NONBLOCK, &out), -ENXIO);
	assert_int_equal(open_fifo(O_RDONLY | O_NONBLOCK, &in), 0);
	assert_int_equal(file_opened(in, &wait), 0);
	assert_int_equal(get(in, buffer, 8, &wait), 0);
	assert_int_equal(poll_bits(in), 0); /* no writer yet is no hang-up */
	assert_int_equal(open_fifo(O_WRONLY | O_NONBLOCK, &out), 0);
	assert_int_equal(get(in, buffer, 8, &wait), -EAGAIN);
	assert_int_equal(open_fifo(O_RDONLY | O_NONBLOCK, &both), 0);
	file_put(out);
	assert_int_equal(poll_bits(in), POLLHUP);
	assert_int_equal(poll_bits(both), POLLHUP); /* came while the writer was there */
	file_put(both);
	assert_int_equal(open_fifo(O_RDWR, &both), 0);
	assert_int_equal(file_opened(both, &wait), 0);
	assert_int_equal(put(both, "y", 1, &wait), 1);
	assert_int_equal(get(both, buffer, 8, &wait), 1);
	file_put(in);
	assert_int_equal(vfs_unlink(&place, NULL, "/fifo", 0), 0);
	file_put(both);
}

static void abandoned_open_leaves_nothing(void **state)
{
	(void)state;
	struct file *in;
	struct wait wait = { 0 };
	assert_int_equal(vfs_mknod(&place, NULL, "/fifo", S_IFIFO | 0644, 0), 0);
	assert_int_equal(open_fifo(O_RDONLY, &in), 0);
	assert_int_equal(file_opened(in, &wait), -EAGAIN);
	file_put(in);
	struct inode *inode;
	assert_int_equal(vfs_lookup(&place, NULL, "/fifo", 0, &inode), 0);
	assert_null(inode->pipe);
	inode_put(inode);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(bytes_come_out_in_order),
		TEST(empty_pipe_blocks_until_written),
		TEST(closing_the_writer_is_end_of_file),
		TEST(waiting_reader_sees_the_writer_go),
		TEST(closing_the_reader_breaks_the_pipe),
		TEST(small_writes_are_never_split),
		TEST(long_write_goes_on_where_it_stopped),
		TEST(nonblocking_ends_never_wait),
		TEST(poll_tells_what_would_not_block),
		TEST(ends_are_one_way),
		TEST(small_messages_use_one_page),
		TEST(faults_lose_nothing),
		TEST(every_failed_allocation_is_survived),
		TEST(fifo_opens_wait_for_each_other),
		TEST(fifo_opened_without_blocking),
		TEST(abandoned_open_leaves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
