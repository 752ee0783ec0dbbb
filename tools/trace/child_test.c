/* child_test.c: what keeps a replayed program and its recording from the host. */
#include "tools/trace/child.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

enum { PAGE = 4096, CODE = CHILD_PAGE + 0x200, PLACE = 0x100000 };

static const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

static void start(struct child *c)
{
	if (!child_start(c))
		fail_msg("%s", c->error);
	assert_int_equal(child_map(c, PLACE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, flags, 0), 0);
}

/* What the recording calls results, and where the program wants them, is up to them. */
static void test_an_answer_does_not_become_the_hosts_code(void **state)
{
	static const uint8_t code[] = { 0xb8, 60, 0, 0, 0, 0x0f, 0x05 }; /* exit by the host */
	uint8_t before[PAGE], after[PAGE];
	struct child c;
	(void)state;

	start(&c);
	assert_true(child_read(&c, CHILD_PAGE, before, PAGE));
	assert_false(child_write(&c, CODE, code, sizeof code));
	assert_false(child_write(&c, CHILD_PAGE, code, sizeof code));
	assert_false(child_write(&c, CHILD_PAGE + PAGE - 1, code, sizeof code));
	assert_false(child_write(&c, CHILD_PAGE - 1, code, sizeof code));
	assert_false(child_write(&c, UINT64_MAX - 1, code, sizeof code));
	assert_true(child_read(&c, CHILD_PAGE, after, PAGE));
	assert_memory_equal(before, after, PAGE);
	assert_int_equal(child_map(&c, PLACE + PAGE, PAGE, PROT_READ, flags, 0), 0);
	assert_true(child_write(&c, PLACE, code, sizeof code));
	child_end(&c);
}

/* A program that knows of that page and goes there is asked for its system call all
 * the same; so is one by the old vector. */
static void test_no_system_call_reaches_the_host(void **state)
{
	static const uint8_t code[] = {
		0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, /* syscall */
		0xb8, 20, 0, 0, 0, 0xcd, 0x80,         /* int 0x80 */
		0x0f, 0x31,                            /* rdtsc */
	};
	struct child_event e;
	struct child c;
	(void)state;

	start(&c);
	assert_true(child_write(&c, PLACE, code, sizeof code));
	child_set_start(&c, PLACE, PLACE + PAGE, 0, 0, 0);
	e = child_run(&c);
	assert_true(e.stop == CHILD_SYSCALL && e.number == SYS_getpid);
	child_answer(&c, 7, 0);
	e = child_run(&c);
	assert_true(e.stop == CHILD_SYSCALL && e.number == 20);
	child_answer(&c, 7, 0);
	e = child_run(&c);
	assert_true(e.stop == CHILD_TSC && e.address == PLACE + 14);
	child_set_start(&c, CODE, PLACE + PAGE, 3, 0, 0);
	e = child_run(&c);
	assert_true(e.stop == CHILD_SYSCALL && e.first == 3);
	e = child_run(&c);
	assert_int_equal(e.stop, CHILD_FAULT); /* the breakpoint behind it */
	child_end(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_answer_does_not_become_the_hosts_code),
		cmocka_unit_test(test_no_system_call_reaches_the_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
