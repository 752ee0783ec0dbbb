/* random.c: getrandom under libOS linux, with a machine that has random numbers
 * or has to wait for them. `waits` as an argument: the latter. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

static int failures;

#define EXPECT(condition) \
	((condition) ? (void)0 : (void)(failures++, printf("random.c:%d: %s\n", __LINE__, #condition)))

int main(int argc, char **argv)
{
	int waits = argc > 1 && strcmp(argv[1], "waits") == 0;
	unsigned char first[64], second[64];
	int device = open("/dev/urandom", O_RDONLY);

	EXPECT(read(device, first, 64) == 64);
	if (waits)
		EXPECT(getrandom(first, 64, GRND_NONBLOCK) == -1 && errno == EAGAIN);
	EXPECT(getrandom(first, 64, GRND_INSECURE) == 64);
	EXPECT(getrandom(first, 64, 0) == 64);
	EXPECT(getrandom(first, 64, GRND_NONBLOCK) == 64);
	EXPECT(getrandom(second, 64, GRND_RANDOM) == 64);
	EXPECT(memcmp(first, second, 64) != 0);
	EXPECT(read(device, first, 64) == 64 && memcmp(first, second, 64) != 0);
	EXPECT(getrandom(first, 64, 8) == -1 && errno == EINVAL);
	EXPECT(getrandom(first, 64, GRND_INSECURE | GRND_RANDOM) == -1 && errno == EINVAL);
	/* Past the module's reseeding. */
	for (unsigned i = 0; i < 3 * 16384; i++)
		if (getrandom(second, 64, 0) != 64 || memcmp(first, second, 64) == 0)
			failures++;
	printf("random: %d failed\n", failures);
	return failures != 0;
}
