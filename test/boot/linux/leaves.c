/* leaves.c: Linux programs that leave libOS linux behind its back, by vector 0x90:
 * they move to another libOS as a second stage, or end by `exit` of the exokernel, in
 * every state that a process can be in. Their parents must hear of it as of any end,
 * what they had must be closed, and nobody else may notice.
 *
 *     leaves                all of it (as a child of PID 1)
 *     leaves exit CODE      ends with that
 *     leaves move TARGET    moves there, or ends with 100 + the status
 *     leaves relay CODE     passes a line on, and ends without closing anything */
#define _GNU_SOURCE
#include "test/boot/linux/leaves.h"

#include "abi/libos.capnp.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/time.h>

static volatile sig_atomic_t children_heard;

static void hear(int signal)
{
	(void)signal;
	children_heard++;
}

static void open_pipe(int ends[2])
{
	if (pipe(ends) != 0)
		exit(99);
}

/* --- moving ----------------------------------------------------------------------------- */

/* The first one stays until the end, and the libOS with it. */
static void one_moves(void)
{
	int ends[2];
	pid_t child;
	char byte;

	open_pipe(ends);
	children_heard = 0;
	signal(SIGCHLD, hear);
	child = mover(0, STAGE_STAYS);
	close(ends[1]);
	CHECK(read(ends[0], &byte, 1) == 0); /* its end is closed, though it runs on */
	CHECK(exited_with(child, 0));
	CHECK(children_heard == 1);
	CHECK(has_arrived(0));
	CHECK(board().pid[0] == (uint32_t)child);
	CHECK(kill(child, 0) == -1 && errno == ESRCH);
	signal(SIGCHLD, SIG_DFL);
	close(ends[0]);
}

static unsigned long free_memory(void)
{
	struct sysinfo now;

	sysinfo(&now);
	return now.freeram;
}

static void many_move(void)
{
	unsigned long before = 0;

	for (unsigned i = 0; i < 60; i++) {
		if (i == 10)
			before = free_memory();
		CHECK(exited_with(mover(0, STAGE_ENDS), 0));
	}
	CHECK(exited_with(mover(0, STAGE_ENDS), 0));
	for (unsigned tries = 0; tries < 20000 && free_memory() + 8 * 4096 < before; tries++)
		usleep(1000); /* the last stage still runs elsewhere */
	CHECK(free_memory() + 8 * 4096 >= before);
}

static void nobody_cares(void)
{
	pid_t child;

	signal(SIGCHLD, SIG_IGN);
	child = mover(0, STAGE_ENDS);
	CHECK(waitpid(child, NULL, 0) == -1 && errno == ECHILD);
	signal(SIGCHLD, SIG_DFL);
}

/* Two entries in one batch: it moves once, and what comes after is not served there. */
static void nobody_moves_twice(void)
{
	pid_t child = fork_child();
	uint64_t params[2][BECOME_WORDS], results[2][16];

	if (child == 0) {
		struct ring_sqe first = becoming(0, STAGE_ENDS, params[0], results[0]);
		struct ring_sqe second = becoming(2, STAGE_STAYS, params[1], results[1]);
		exo_push(first);
		exo_push(second);
		(void)exo_enter(1, RING_FOREVER);
		_exit(1);
	}
	CHECK(exited_with(child, 0));
	child = mover(2, STAGE_STAYS);
	CHECK(exited_with(child, 0));
	CHECK(has_arrived(2) && board().pid[2] == (uint32_t)child); /* the first to come there */
	let_go_of(2);
}

/* What a parent has of a stage that has ended is a PID that is free elsewhere. */
static void its_pid_is_not_given_twice(void)
{
	pid_t moved = mover(0, STAGE_ENDS), child;

	for (unsigned i = 0; i < 4500; i++) {
		child = fork();
		if (child == 0)
			_exit(0);
		if (child <= 0 || child == moved || !exited_with(child, 0)) {
			CHECK(child == 0);
			break;
		}
	}
	CHECK(exited_with(moved, 0));
}

static void a_stage_attacks(void)
{
	CHECK(exited_with(mover(1, STAGE_ATTACKS), 0));
	CHECK(has_arrived(1));
	CHECK(board().found[1] == 0);
}

/* A stub waits for what runs under another libOS, and ends as that does. */
static int stub(void)
{
	static const uint8_t code[16] = { 0xbf, STAGE_CODE, 0, 0, 0, 0xb8, SYS_EXIT, 0, 0, 0, 0x0f, 0x05 };
	const uint64_t start[] = { EXO_ROOT(1, 1), 0, (uint64_t)2 << 32, 0x400800, 0x500000 };
	const uint64_t show[] = { EXO_ROOT(4, 1), 0, 0x400000, 1, ACCESS_READ | ACCESS_EXECUTE,
	                          EXO_CAPABILITY_0 };
	uint64_t put[] = { EXO_ROOT(1, 1), 0x800, (uint64_t)sizeof code << 35 | (uint64_t)2 << 32 | 1, 0, 0 };
	uint64_t results[16], none = 0;
	struct capset_entry process = { .interface = PROCESS_ID }, space = { .interface = ADDRESS_SPACE_ID },
	                    thread = { .interface = THREAD_ID };
	struct ring_cqe done;

	memcpy(&put[3], code, sizeof code);
	if (exo_serve(exo_call(held("board"), MEMORY_WRITE, put, 5, 0, results)).status != STATUS_OK)
		return 91;
	done = exo_serve(exo_call(target_named(5), LIBOS_SPAWN, start, 5, 0, results));
	process.cap = done.caps[0], space.cap = done.caps[1], thread.cap = done.caps[2];
	if (done.status != STATUS_OK)
		return 92;
	if (exo_serve(exo_call(&space, ADDRESS_SPACE_MAP, show, 6, held("board")->cap, results)).status !=
	            STATUS_OK ||
	    exo_serve(exo_call(&thread, THREAD_START, &none, 1, 0, results)).status != STATUS_OK ||
	    exo_serve(exo_call(&process, PROCESS_WAIT, &none, 1, 0, results)).status != STATUS_OK)
		return 93;
	return (int)(uint32_t)results[1];
}

static void a_stub_waits(void)
{
	pid_t child = fork_child();

	if (child == 0)
		_exit(stub());
	CHECK(exited_with(child, STAGE_CODE));
}

/* --- ending ----------------------------------------------------------------------------- */

static void codes(void)
{
	static const int given[] = { 0, 5, 255, 256 + 3, -1 };

	for (unsigned i = 0; i < sizeof given / sizeof given[0]; i++) {
		pid_t child = fork_child();

		if (child == 0) {
			leave_by_exit(given[i]);
			_exit(99);
		}
		CHECK(exited_with(child, given[i] & 0xff));
	}
}

/* Its children are PID 1's, whichever way it goes. */
static void orphans(bool moves)
{
	int ends[2];
	pid_t child;
	char byte = 0;

	open_pipe(ends);
	child = fork_child();
	if (child == 0) {
		if (fork_child() == 0) {
			while (getppid() != 1)
				usleep(1000);
			_exit(write(ends[1], "1", 1) != 1);
		}
		if (moves)
			_exit(REFUSED + (int)move_to(0, STAGE_ENDS));
		leave_by_exit(0);
	}
	close(ends[1]);
	CHECK(exited_with(child, 0));
	CHECK(read(ends[0], &byte, 1) == 1 && byte == '1');
	CHECK(read(ends[0], &byte, 1) == 0);
	close(ends[0]);
}

static void session_leader(void)
{
	pid_t child = fork_child();

	if (child == 0) {
		setsid();
		leave_by_exit(7);
	}
	CHECK(exited_with(child, 7));
}

/* --- in the middle of something ------------------------------------------------------------ */

/* The child runs in its parent's memory, by a thread of its parent's process. */
static void in_vfork(void)
{
	struct ring *mine = ring;
	volatile enum status status = STATUS_COUNT;
	pid_t child = vfork();

	if (child == 0) {
		leave_by_exit(6);
		_exit(99);
	}
	CHECK(exited_with(child, 6));
	child = vfork();
	if (child == 0) {
		ring = NULL;
		status = move_to(0, STAGE_ENDS); /* its parent with it: refused */
		execl("/leaves", "leaves", "exit", "4", NULL);
		_exit(99);
	}
	CHECK(status == STATUS_BUSY);
	CHECK(exited_with(child, 4));
	child = vfork();
	if (child == 0) {
		execl("/leaves", "leaves", "move", "0", NULL);
		_exit(99);
	}
	CHECK(exited_with(child, 0));
	ring = mine;
}

static void while_its_parent_waits(bool moves)
{
	pid_t child = fork_child();

	if (child == 0) {
		usleep(20000);
		if (moves)
			_exit(REFUSED + (int)move_to(0, STAGE_ENDS));
		leave_by_exit(8);
	}
	CHECK(exited_with(child, moves ? 0 : 8));
}

/* Signals that wait for it, a timer that runs, a stop and a continuation. */
static void with_signals_pending(void)
{
	const struct itimerval soon = { { 0, 1000 }, { 0, 1000 } };
	int status = 0;
	sigset_t all;
	pid_t child = fork_child();

	if (child == 0) {
		sigfillset(&all);
		sigprocmask(SIG_BLOCK, &all, NULL);
		setitimer(ITIMER_REAL, &soon, NULL);
		raise(SIGSTOP);
		_exit(REFUSED + (int)move_to(0, STAGE_ENDS));
	}
	CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
	CHECK(kill(child, SIGTERM) == 0 && kill(child, SIGUSR1) == 0);
	CHECK(kill(child, SIGCONT) == 0);
	CHECK(exited_with(child, 0));
}

/* Whichever comes first; nothing else may come of it. */
static void while_it_is_killed(void)
{
	unsigned moved = 0, killed = 0;

	for (unsigned i = 0; i < 40; i++) {
		pid_t child = mover(0, STAGE_ENDS);
		int status;

		for (volatile unsigned spin = 0; spin < i * 2000; spin++)
			;
		kill(child, SIGKILL);
		status = status_of(child);
		moved += status == 0;
		killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	}
	CHECK(moved + killed == 40);
}

static void with_shared_memory(void)
{
	volatile uint32_t *shared = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
	                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child = fork_child();

	if (child == 0) {
		shared[5] = 42;
		shared[9000] = 43;
		_exit(REFUSED + (int)move_to(0, STAGE_ENDS));
	}
	CHECK(exited_with(child, 0));
	CHECK(shared[5] == 42 && shared[9000] == 43);
	shared[10000] = 44;
	CHECK(shared[10000] == 44);
	CHECK(munmap((void *)(uintptr_t)shared, 1 << 16) == 0);
}

/* A signal finds it in the exokernel, or on its way there. */
static void killed_in_cap_enter(void)
{
	for (unsigned i = 0; i < 200; i++) {
		int ends[2], status;
		pid_t child;
		char byte;

		open_pipe(ends);
		child = fork_child();
		if (child == 0) {
			if (write(ends[1], "1", 1) != 1)
				_exit(98);
			(void)exo_enter(1, RING_FOREVER);
			_exit(97);
		}
		close(ends[1]);
		CHECK(read(ends[0], &byte, 1) == 1);
		for (volatile unsigned spin = 0; spin < i * 50; spin++)
			;
		CHECK(kill(child, SIGKILL) == 0);
		status = status_of(child);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		CHECK(read(ends[0], &byte, 1) == 0);
		close(ends[0]);
	}
}

static void leave_on_signal(int signal)
{
	(void)signal;
	leave_by_exit(9);
}

/* From a handler, which a signal has got out of cap_enter for. */
static void from_a_handler(bool moves)
{
	int ends[2], status = -1;
	pid_t child, gone;
	char byte;

	open_pipe(ends);
	child = fork_child();
	if (child == 0) {
		signal(SIGTERM, moves ? hear : leave_on_signal);
		if (write(ends[1], "1", 1) != 1)
			_exit(98);
		while (exo_enter(1, RING_FOREVER) != STATUS_INTERRUPTED)
			;
		signal(SIGTERM, SIG_IGN);
		_exit(moves ? REFUSED + (int)move_to(0, STAGE_ENDS) : 97);
	}
	close(ends[1]);
	CHECK(read(ends[0], &byte, 1) == 1);
	do { /* one that comes before it waits does not wake it */
		usleep(2000);
		(void)kill(child, SIGTERM);
		gone = waitpid(child, &status, WNOHANG);
	} while (gone == 0);
	CHECK(gone == child && WIFEXITED(status) && WEXITSTATUS(status) == (moves ? 0 : 9));
	close(ends[0]);
}

/* --- while it is in the module ------------------------------------------------------------- */

enum elsewhere { SLEEPS, WORKS, SPINS };

/* `WORKS`: is in the module nearly all the time. */
static void until_answered(uint32_t count, enum elsewhere how)
{
	static uint8_t bytes[1 << 20];

	while (__atomic_load_n(&ring->cq_tail, __ATOMIC_ACQUIRE) - ring->cq_head < count)
		if (how == WORKS && getrandom(bytes, sizeof bytes, 0) < 0)
			return;
}

/* Its ring is looked at while it is in the module, with the module's lock: to move then
 * is refused. Where it is looked at in the program, the child has gone. */
static int moves_by_a_ring_that_is_looked_at(void)
{
	const struct capset_entry *thread = held("thread");
	const uint64_t often[] = { EXO_ROOT(1, 0), 20000 };
	uint64_t params[BECOME_WORDS], results[16];
	struct ring_sqe entry = becoming(0, STAGE_ENDS, params, results);

	if (exo_serve(exo_call(thread, 3, often, 2, 0, results)).status != STATUS_OK)
		return 98;
	exo_push(entry);
	until_answered(1, WORKS);
	return REFUSED + exo_take().status;
}

static void by_a_ring_that_is_looked_at(void)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < 10; i++) {
		pid_t child = fork_child();
		int status;

		if (child == 0)
			_exit(moves_by_a_ring_that_is_looked_at());
		status = status_of(child);
		refused += WIFEXITED(status) && WEXITSTATUS(status) == REFUSED + STATUS_BUSY;
		CHECK(status == 0 || WEXITSTATUS(status) == REFUSED + STATUS_BUSY);
	}
	CHECK(refused > 0);
}

/* The first entry asks us for a libOS; the second goes there once we have answered. By
 * then it sleeps or works in the module, or runs: for all that we know. */
static int moves_by_a_chained_entry(int read_end, enum elsewhere how)
{
	const struct capset_entry *facet = held("facet");
	uint64_t params[BECOME_WORDS], results[16], answer[16], none = 0;
	struct ring_sqe entry = becoming(0, STAGE_ENDS, params, results);
	char byte;

	entry.chained = 1;
	entry.cap = RING_CHAIN(1, 0);
	exo_push(exo_call(facet, 2, &none, 1, 0, answer));
	exo_push(entry);
	(void)exo_enter(0, 0);
	if (how != SLEEPS)
		until_answered(2, how);
	if (read(read_end, &byte, 1) != 1 || exo_enter(2, RING_FOREVER) != STATUS_OK)
		return 98;
	return exo_take().status == STATUS_OK ? REFUSED + exo_take().status : 97;
}

static void by_a_chained_entry(enum elsewhere how)
{
	const uint64_t answer[] = { EXO_ROOT(0, 1), EXO_CAPABILITY_0 };
	uint64_t received[64];
	int ends[2];
	pid_t child;

	open_pipe(ends);
	child = fork_child();
	if (child == 0)
		_exit(moves_by_a_chained_entry(ends[0], how));
	CHECK(exo_serve((struct ring_sqe){ .op = RING_RECV, .cap = held("endpoint")->cap,
	                                   .results = (uintptr_t)received,
	                                   .results_size = sizeof received }).status == STATUS_OK);
	usleep(20000);
	CHECK(exo_serve((struct ring_sqe){ .op = RING_RETURN, .token = received[0],
	                                   .params = (uintptr_t)answer, .params_size = sizeof answer,
	                                   .caps_count = 1,
	                                   .caps = { target_named(0)->cap } }).status == STATUS_OK);
	CHECK(write(ends[1], "1", 1) == 1);
	CHECK(exited_with(child, REFUSED + STATUS_BUSY));
	close(ends[0]);
	close(ends[1]);
}

/* ------------------------------------------------------------------------------------------- */

static int relay(int code)
{
	char line[64];
	ssize_t size = read(0, line, sizeof line);

	if (size > 0 && write(1, line, (size_t)size) != size)
		return 98;
	leave_by_exit(code);
	return 99;
}

static int all(void)
{
	setvbuf(stdout, NULL, _IONBF, 0);
	one_moves();
	many_move();
	nobody_cares();
	nobody_moves_twice();
	its_pid_is_not_given_twice();
	a_stage_attacks();
	a_stub_waits();
	codes();
	orphans(false);
	orphans(true);
	session_leader();
	in_vfork();
	while_its_parent_waits(false);
	while_its_parent_waits(true);
	with_signals_pending();
	while_it_is_killed();
	with_shared_memory();
	killed_in_cap_enter();
	from_a_handler(false);
	from_a_handler(true);
	by_a_ring_that_is_looked_at();
	by_a_chained_entry(SLEEPS);
	by_a_chained_entry(WORKS);
	by_a_chained_entry(SPINS);
	CHECK(wait(NULL) == -1 && errno == ECHILD);
	let_go_of(0);
	printf("leaves: %d wrong\n", failures);
	return failures != 0;
}

int main(int count, char **arguments)
{
	int number = count > 2 ? atoi(arguments[2]) : 0;

	if (count < 3)
		return all();
	if (strcmp(arguments[1], "exit") == 0)
		leave_by_exit(number);
	else if (strcmp(arguments[1], "move") == 0)
		return REFUSED + (int)move_to((unsigned)number, STAGE_ENDS);
	else if (strcmp(arguments[1], "relay") == 0)
		return relay(number);
	return 99;
}
