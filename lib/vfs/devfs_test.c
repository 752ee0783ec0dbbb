/* devfs_test.c: what a program relies on from devices that are no hardware. */
#include "lib/vfs/devfs.h"
#include "lib/vfs/world_host.h"

static void fill_random(void *context, void *buffer, size_t size)
{
	(void)context;
	memset(buffer, 0x5a, size);
}

static void devices_work_wherever_their_node_is(void **state)
{
	(void)state;
	static struct devfs_devices devices = { .random = fill_random };
	struct fs *dev;
	char buffer[600];
	devfs_register(&world.vfs, &devices);
	OK(devfs_create(&dev));
	OK(vfs_mkdir(PLACE, NULL, "/dev", 0755));
	OK(vfs_mount(&world.vfs, PLACE, "/dev", dev));
	OK(vfs_mknod(PLACE, NULL, "/zero", S_IFCHR | 0666, device_number(1, 5)));
	OK(vfs_mknod(PLACE, NULL, "/nothing", S_IFCHR | 0666, device_number(99, 1)));
	struct file *file = world_open("/dev/null", O_RDWR);
	STEP(10, world_write(file, buffer, 10));
	STEP(0, world_read(file, buffer, 10));
	file_put(file);
	file = world_open("/zero", O_RDWR);
	memset(buffer, 1, sizeof(buffer));
	STEP(10, world_read(file, buffer, 10));
	assert_int_equal(buffer[9], 0);
	assert_int_equal(buffer[10], 1);
	file_put(file);
	file = world_open("/dev/full", O_RDWR);
	STEP(-ENOSPC, world_write(file, buffer, 1));
	file_put(file);
	file = world_open("/dev/urandom", O_RDONLY);
	STEP(600, world_read(file, buffer, 600));
	assert_int_equal(buffer[599], 0x5a);
	file_put(file);
	STEP(-ENXIO, world_open_error("/nothing", O_RDONLY));
	STEP(-ENXIO, world_open_error("/dev/console", O_RDONLY));
	assert_int_equal(world_stat("/dev/null", 0).st_rdev, device_number(1, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(devices_work_wherever_their_node_is),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
