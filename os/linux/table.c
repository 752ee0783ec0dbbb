/* table.c: from a system call's number to its function (entry.S).
 *
 * The functions take as many arguments as they need; what stands in the table
 * takes them all, and the lock where the call wants it held. */
#include "lib/posix/errno.h"
#include "os/linux/lock.h"
#include "os/linux/syscall.h"

#define PASS_0
#define PASS_1 a
#define PASS_2 a, b
#define PASS_3 a, b, c
#define PASS_4 a, b, c, d
#define PASS_5 a, b, c, d, e
#define PASS_6 a, b, c, d, e, f

#define ALL                                                                        \
	uint64_t a __attribute__((unused)), uint64_t b __attribute__((unused)),        \
		uint64_t c __attribute__((unused)), uint64_t d __attribute__((unused)),    \
		uint64_t e __attribute__((unused)), uint64_t f __attribute__((unused))

#define PLAIN(number, name, count) \
	static int64_t enter_##name(ALL) { return sys_##name(PASS_##count); }
#define LOCKED(number, name, count)                  \
	static int64_t enter_##name(ALL)                 \
	{                                                \
		int64_t result;                              \
		lock_take();                                 \
		result = sys_##name(PASS_##count);           \
		lock_drop();                                 \
		return result;                               \
	}
#define FULL(number, name) int64_t sys_##name##_entry(ALL); /* entry.S */
#define MISSING(number, name)
#include "os/linux/syscalls.def"
#undef PLAIN
#undef LOCKED
#undef FULL
#undef MISSING

static int64_t missing(ALL)
{
	return -ENOSYS;
}

typedef int64_t syscall_entry(ALL);

#define PLAIN(number, name, count)  [number] = enter_##name,
#define LOCKED(number, name, count) [number] = enter_##name,
#define FULL(number, name)          [number] = sys_##name##_entry,
#define MISSING(number, name)       [number] = missing,
syscall_entry *const syscall_table[SYSCALL_LIMIT] = {
	[335 ... 423] = missing, /* Linux has no calls there, */
	[451 ... SYSCALL_LIMIT - 1] = missing, /* nor yet here */
#include "os/linux/syscalls.def"
};
