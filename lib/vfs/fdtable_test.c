/* fdtable_test.c: what a program relies on about the numbers of its files. */
#include "lib/vfs/fdtable.h"
#include "lib/vfs/world_host.h"

static void descriptors_come_lowest_first(void **state)
{
	(void)state;
	struct fdtable *table = fdtable_create();
	struct file *file = world_open("/f", O_CREAT | O_RDWR);
	for (int fd = 0; fd < 40; fd++)
		assert_int_equal(fdtable_insert(table, file_get(file), 0, 0), fd);
	OK(fdtable_close(table, 7));
	OK(fdtable_close(table, 3));
	STEP(-EBADF, fdtable_close(table, 3));
	STEP(3, fdtable_dup(table, 0));
	STEP(7, fdtable_dup(table, 0));
	STEP(40, fdtable_dup(table, 0));
	STEP(100, fdtable_fcntl(table, 0, F_DUPFD, 100));
	STEP(101, fdtable_fcntl(table, 0, F_DUPFD_CLOEXEC, 100));
	STEP(FD_CLOEXEC, fdtable_fcntl(table, 101, F_GETFD, 0));
	STEP(-EINVAL, fdtable_fcntl(table, 0, F_DUPFD, 1024));
	STEP(41, fdtable_dup(table, 0));
	STEP(1023, fdtable_dup2(table, 0, 1023));
	STEP(-EBADF, fdtable_dup2(table, 0, 1024));
	STEP(-EBADF, fdtable_dup2(table, 0, -1));
	STEP(-EINVAL, fdtable_dup3(table, 0, 0, 0));
	STEP(0, fdtable_dup2(table, 0, 0));
	STEP(-EBADF, fdtable_dup2(table, 500, 500));
	STEP(5, fdtable_dup3(table, 0, 5, O_CLOEXEC));
	struct fdtable *clone = fdtable_clone(table);
	fdtable_exec(clone);
	assert_null(fdtable_file(clone, 5));
	assert_null(fdtable_file(clone, 101));
	assert_non_null(fdtable_file(clone, 1023));
	STEP(5, fdtable_dup(clone, 0));
	fdtable_put(clone);
	OK(fdtable_close_range(table, 10, 0xffffffff, false));
	STEP(10, fdtable_dup(table, 0));
	fdtable_put(table);
	assert_int_equal(file->references, 1);
	file_put(file);
}

static void descriptors_run_out(void **state)
{
	(void)state;
	struct fdtable *table = fdtable_create();
	struct file *file = world_open("/f", O_CREAT | O_RDWR);
	table->limit = 20;
	for (int fd = 0; fd < 20; fd++)
		assert_int_equal(fdtable_insert(table, file_get(file), 0, 0), fd);
	STEP(-EMFILE, fdtable_insert(table, file, 0, 0));
	STEP(-EMFILE, fdtable_dup(table, 0));
	OK(fdtable_close(table, 19));
	STEP(19, fdtable_dup(table, 0));
	fdtable_put(table);
	file_put(file);
}

/* select(2) shows it: Linux's is 64, 128, 256... and shrinks by fork alone. */
static void room_is_that_of_linux(void **state)
{
	(void)state;
	struct fdtable *table = fdtable_create();
	struct file *file = world_open("/f", O_CREAT | O_RDWR);
	assert_int_equal(fdtable_insert(table, file_get(file), 0, 0), 0);
	STEP(64, fdtable_room(table));
	STEP(63, fdtable_dup2(table, 0, 63));
	STEP(64, fdtable_room(table));
	STEP(64, fdtable_dup2(table, 0, 64));
	STEP(128, fdtable_room(table));
	STEP(128, fdtable_dup2(table, 0, 128));
	STEP(256, fdtable_room(table));
	OK(fdtable_close(table, 128));
	STEP(256, fdtable_room(table));
	struct fdtable *clone = fdtable_clone(table);
	STEP(128, fdtable_room(clone));
	OK(fdtable_close_range(table, 63, 64, false));
	fdtable_put(clone);
	clone = fdtable_clone(table);
	STEP(64, fdtable_room(clone));
	fdtable_put(clone);
	fdtable_put(table);
	file_put(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(descriptors_come_lowest_first),
		TEST(descriptors_run_out),
		TEST(room_is_that_of_linux),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
