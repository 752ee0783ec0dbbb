/* sys_system.c: about the system itself; random bytes; futexes. */
#include "lib/posix/errno.h"
#include "os/linux/exo.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"
#include "os/linux/random.h"
#include "os/linux/start.h"
#include "os/linux/syscall.h"
#include "os/linux/time.h"
#include "os/linux/user.h"
#include "rt/module_string.h"

enum { UTS_FIELD = 65, RANDOM_MOST = (32 << 20) - 1 /* bytes of one call, as random(4) has it */,
       RANDOM_TURN = 0x10000, GRND_NONBLOCK = 1, GRND_RANDOM = 2, GRND_INSECURE = 4 };

struct utsname {
	char sysname[UTS_FIELD], nodename[UTS_FIELD], release[UTS_FIELD], version[UTS_FIELD],
		machine[UTS_FIELD], domainname[UTS_FIELD];
};

static struct utsname names = {
	"Linux", "tessera", "6.1.0-tessera", "#1 Tessera", "x86_64", "(none)",
};

int64_t sys_uname(uint64_t to)
{
	return user_write(to, &names, sizeof names);
}

static int64_t set_name(char *field, uint64_t from, uint64_t size)
{
	char name[UTS_FIELD] = { 0 };

	if (size >= UTS_FIELD)
		return -EINVAL;
	if (user_read(name, from, size) != 0)
		return -EFAULT;
	memcpy(field, name, UTS_FIELD);
	return 0;
}

int64_t sys_sethostname(uint64_t from, uint64_t size)
{
	return set_name(names.nodename, from, size);
}

int64_t sys_setdomainname(uint64_t from, uint64_t size)
{
	return set_name(names.domainname, from, size);
}

struct sysinfo {
	int64_t uptime;
	uint64_t loads[3], total, free, shared, buffers, total_swap, free_swap;
	uint16_t processes, padding;
	uint32_t padding2;
	uint64_t total_high, free_high;
	uint32_t unit, padding3;
};
_Static_assert(sizeof(struct sysinfo) == 112, "Linux ABI");

int64_t sys_sysinfo(uint64_t to)
{
	struct sysinfo info = { .unit = PAGE_SIZE, .total = start_memory_limit };
	uint64_t limit;

	info.uptime = (int64_t)(env_monotonic() / NS_PER_S);
	info.processes = (uint16_t)task_count();
	if (exo_available(&info.free, &limit) == STATUS_OK)
		info.free += pages_spare();
	return user_write(to, &info, sizeof info);
}

/* What is asked for comes in parts, so that a large request does not keep the
 * lock's other users waiting for memory of that size. */
int64_t sys_getrandom(uint64_t to, uint64_t size, uint64_t flags)
{
	uint8_t bytes[256];
	uint64_t done = 0;
	int result;

	if (flags > 7 || (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	result = flags & GRND_INSECURE ? 0 : random_wait(!(flags & GRND_NONBLOCK));
	if (result != 0)
		return result;
	if (size > RANDOM_MOST)
		size = RANDOM_MOST;
	while (done < size) {
		size_t part = size - done < sizeof bytes ? size - done : sizeof bytes;
		random_bytes(bytes, part);
		if (user_write(to + done, bytes, part) != 0)
			return done != 0 ? (int64_t)done : -EFAULT;
		done += part;
		if (task_interrupted(current()))
			break;
		if (done % RANDOM_TURN == 0)
			lock_yield();
	}
	return (int64_t)done;
}

int64_t sys_getcpu(uint64_t cpu, uint64_t node)
{
	uint32_t zero = 0;

	if ((cpu != 0 && user_write(cpu, &zero, sizeof zero) != 0) ||
	    (node != 0 && user_write(node, &zero, sizeof zero) != 0))
		return -EFAULT;
	return 0;
}

int64_t sys_syslog(uint64_t what, uint64_t to, uint64_t size)
{
	(void)what;
	(void)to;
	(void)size;
	return 0;
}

enum {
	REBOOT_MAGIC1 = (int32_t)0xfee1dead, REBOOT_RESTART = 0x1234567,
	REBOOT_HALT = (int32_t)0xcdef0123, REBOOT_OFF = 0x4321fedc,
};

int64_t sys_reboot(uint64_t magic1, uint64_t magic2, uint64_t command)
{
	(void)magic2;
	if ((int32_t)magic1 != REBOOT_MAGIC1)
		return -EINVAL;
	switch ((int32_t)command) {
	case REBOOT_RESTART:
	case REBOOT_HALT:
	case REBOOT_OFF:
		exo_power_off(0);
	default:
		return 0;
	}
}

/* Futexes: of one process, which has one thread, or in shared memory. A waiter
 * is known by the word's address; the wake looks only at that, so it may wake
 * somebody of another process for nothing, which futexes allow. */
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET = 10,
       FUTEX_COMMANDS = 0x7f, FUTEX_CLOCK_REALTIME = 0x100, FUTEX_BUCKETS = 64 };

static struct wait_event futexes[FUTEX_BUCKETS];

static struct wait_event *bucket_of(uint64_t address)
{
	return &futexes[(address >> 2) % FUTEX_BUCKETS];
}

static int64_t futex_wait(uint64_t address, uint32_t expected, uint64_t deadline)
{
	struct wait_event *event = bucket_of(address);
	uint32_t value;

	if (address % sizeof value != 0)
		return -EINVAL;
	if (user_read(&value, address, sizeof value) != 0)
		return -EFAULT;
	if (value != expected)
		return -EAGAIN;
	switch (lock_sleep(event, event->sequence, deadline)) {
	case -EINTR:
		return -ERESTARTSYS;
	case -ETIMEDOUT:
		return -ETIMEDOUT;
	default:
		return 0;
	}
}

int64_t sys_futex(uint64_t address, uint64_t operation, uint64_t value, uint64_t timeout)
{
	uint64_t deadline = 0;
	int64_t length;

	switch (operation & FUTEX_COMMANDS) {
	case FUTEX_WAIT:
	case FUTEX_WAIT_BITSET:
		if (timeout != 0) {
			int result = time_read_timespec(timeout, &length);
			if (result != 0)
				return result;
			if ((operation & FUTEX_COMMANDS) == FUTEX_WAIT_BITSET)
				length -= (int64_t)(operation & FUTEX_CLOCK_REALTIME ? env_realtime()
				                                                     : env_monotonic());
			deadline = time_deadline(length > 0 ? length : 0);
		}
		return futex_wait(address, (uint32_t)value, deadline);
	case FUTEX_WAKE:
	case FUTEX_WAKE_BITSET:
		if (address % sizeof(uint32_t) != 0)
			return -EINVAL;
		if (!user_range(address, sizeof(uint32_t)))
			return -EFAULT;
		env_wake(bucket_of(address));
		return 0;
	default:
		return -ENOSYS;
	}
}
