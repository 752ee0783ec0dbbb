/* inspector_attack.c: the attack that the Inspector must not make possible. A
 * program under libOS linux may look at what its libOS holds: its Libos, Process
 * and AddressSpace capabilities, the console, the power. It takes every number in
 * every answer for a capability and tries to use it, to pass it on and to let go
 * of it, with every interface there is: to load a libOS, to grant it something, to
 * start a process under it, to reach memory. Nothing must come of it.
 *
 * doc/design/inspector.md has it in words. */
#include "abi/module.h"
#include "abi/ring.h"
#include "abi/status.h"

#include "abi/console.capnp.h"
#include "abi/entropy.capnp.h"
#include "abi/inspector.capnp.h"
#include "abi/ledger.capnp.h"
#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/power.capnp.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"
#include "abi/timer.capnp.h"
#include "rt/capset.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	NUMBERS_MAX = 8192, RESULTS = 4096, LINES_MAX = 20, GENERATIONS = 4,
	SLOT_BITS = 12, SLOTS = 1 << SLOT_BITS, /* of an id: core/captable.h */
};

static struct ring *ring;
static const struct capset *capset = (const struct capset *)PROGRAM_CAPSET;
static uint32_t inspector;
static uint64_t results[RESULTS / 8] __attribute__((aligned(RESULTS)));
static uint32_t results_size;
static uint32_t numbers[NUMBERS_MAX];
static unsigned number_count, failures;

static uint64_t interfaces[64] = {
	CONSOLE_ID, TIMER_ID, MEMORY_POOL_ID, MEMORY_OBJECT_ID, READ_ONLY_MEMORY_ID, POWER_ID,
	LIBOS_TABLE_ID, LIBOS_ID, PROCESS_ID, THREAD_ID, ADDRESS_SPACE_ID, LEDGER_ID, ENTROPY_ID,
	INSPECTOR_ID,
};
static unsigned interface_count = 14;

static uint32_t find(const char *name)
{
	return capset_find(capset, name);
}

/* What this program was given: the Inspector, and power over its own threads. */
static bool is_ours(uint32_t number)
{
	for (uint32_t i = 0; i < capset->count; i++)
		if (capset->entries[i].cap == number)
			return true;
	return false;
}

static void failed(const char *what, uint64_t number)
{
	if (failures++ < LINES_MAX)
		printf("not ok %s: %#lx\n", what, (unsigned long)number);
}

/* --- the ring, by the exokernel's own vector --------------------------------- */

static uint64_t enter(uint64_t least)
{
	uint64_t rax = SYS_CAP_ENTER, rdi = least, rsi = RING_FOREVER, rdx;

	__asm__ volatile("int $0x90"
	                 : "+a"(rax), "+D"(rdi), "+S"(rsi), "=d"(rdx)
	                 :
	                 : "rcx", "r8", "r9", "r10", "r11", "memory");
	ring = (struct ring *)rdx;
	return rax;
}

static struct ring_sqe *next(uint8_t op, uint32_t cap)
{
	struct ring_sqe *e = &ring->sq[ring->sq_tail % RING_SQ_ENTRIES];

	*e = (struct ring_sqe){.op = op, .cap = cap};
	return e;
}

/* Hands the one entry over; no completion may bring a capability. */
static enum status run(void)
{
	const struct ring_cqe *done;

	ring->sq_tail++;
	if (enter(1) != STATUS_OK) {
		failed("cap_enter", 0);
		return STATUS_COUNT;
	}
	done = &ring->cq[ring->cq_head++ % RING_CQ_ENTRIES];
	results_size = done->results_size;
	for (unsigned i = 0; i < RING_CAPS; i++)
		if (done->caps[i])
			failed("a capability came", done->caps[i]);
	return (enum status)done->status;
}

static enum status call(uint32_t cap, uint64_t interface, uint16_t method, const void *params,
                        uint32_t size)
{
	struct ring_sqe *e = next(RING_CALL, cap);

	*(volatile uint64_t *)results = 0; /* the exokernel does not make a page writable */
	e->interface = interface;
	e->method = method;
	e->params = (uintptr_t)params;
	e->params_size = size;
	e->results = (uintptr_t)results;
	e->results_size = RESULTS;
	return run();
}

/* --- looking ------------------------------------------------------------------ */

static void keep(uint32_t number)
{
	for (unsigned i = 0; i < number_count; i++)
		if (numbers[i] == number)
			return;
	if (number_count < NUMBERS_MAX)
		numbers[number_count++] = number;
	else
		failed("too many numbers", number);
}

/* A number, its halves, and what it would be as a slot of the first generations. */
static void keep_all_of(uint64_t word)
{
	for (unsigned shift = 0; shift < 64; shift += 16) {
		uint16_t part = (uint16_t)(word >> shift);

		keep((uint32_t)(word >> shift));
		keep(part);
		for (uint32_t generation = 0; part < SLOTS && generation <= GENERATIONS; generation++)
			keep(generation << SLOT_BITS | part);
	}
}

static enum status ask(uint16_t method, uint64_t parameter)
{
	uint64_t params[2] = {(uint64_t)1 << 32, parameter};
	enum status status = call(inspector, INSPECTOR_ID, method, params, sizeof params);

	if (status != STATUS_OK)
		return status;
	for (uint32_t i = 0; i < results_size / 8; i++)
		keep_all_of(results[i]);
	return status;
}

/* Both lists to their ends; interfaces that we do not know yet are kept. */
static uint32_t list(uint16_t method)
{
	uint32_t count = 0, first = 0;

	do {
		struct inspector_kinds_results_reader r;
		struct capnp_list entries = {.count = 0};

		if (ask(method, first) != STATUS_OK ||
		    inspector_kinds_results_read(results, results_size, &r) != STATUS_OK ||
		    inspector_kinds_results_get_kinds(r, &entries) != STATUS_OK) {
			failed("a list", method);
			return count;
		}
		for (uint32_t i = 0; i < entries.count; i++) {
			uint64_t interface = kind_get_interface(kind_list_get(entries, i));
			bool known = false;

			for (unsigned j = 0; j < interface_count; j++)
				known |= interfaces[j] == interface;
			if (!known && interface_count < 64)
				interfaces[interface_count++] = interface;
		}
		count += entries.count;
		first = inspector_kinds_results_get_next(r);
	} while (first);
	return count;
}

struct seen { uint32_t processes, threads, capabilities, others, own; };

static struct seen look(void)
{
	struct inspector_libos_results_reader of_libos;
	struct inspector_process_results_reader of_process;
	struct libos_description_reader d;
	struct process_description_reader p;
	struct seen seen = {0};

	if (ask(INSPECTOR_LIBOS, 0) != STATUS_OK ||
	    inspector_libos_results_read(results, results_size, &of_libos) != STATUS_OK ||
	    inspector_libos_results_get_libos(of_libos, &d) != STATUS_OK) {
		failed("Inspector.libos", 0);
		return seen;
	}
	seen = (struct seen){
		libos_description_get_processes(d), libos_description_get_threads(d),
		libos_description_get_capabilities(d), libos_description_get_others(d), 0,
	};
	if (ask(INSPECTOR_PROCESS, 0) != STATUS_OK ||
	    inspector_process_results_read(results, results_size, &of_process) != STATUS_OK ||
	    inspector_process_results_get_process(of_process, &p) != STATUS_OK ||
	    process_description_get_pid(p) != (uint32_t)getpid() ||
	    process_description_get_space_holders(p) == 0)
		failed("Inspector.process", 0);
	else
		seen.own = process_description_get_capabilities(p);
	return seen;
}

static bool exclusive(const void *address)
{
	struct inspector_page_results_reader r;
	struct page_description_reader page;

	if (ask(INSPECTOR_PAGE, (uintptr_t)address) != STATUS_OK ||
	    inspector_page_results_read(results, results_size, &r) != STATUS_OK ||
	    inspector_page_results_get_page(r, &page) != STATUS_OK)
		failed("Inspector.page", (uintptr_t)address);
	return page_description_get_exclusive(page);
}

/* What the Inspector is for: who else has this page? */
static void watch_a_page(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int hold[2], status;
	pid_t child;
	char byte;

	page[0] = 1;
	if (!exclusive(page))
		failed("a page of one's own", 0);
	if (pipe(hold) != 0 || (child = fork()) < 0) {
		failed("fork", 0);
		return;
	}
	if (child == 0) {
		close(hold[1]);
		_exit((int)read(hold[0], &byte, 1));
	}
	if (exclusive(page))
		failed("a page that a child has too", 0);
	page[0] = 2; /* copied: from now on each has one */
	if (!exclusive(page))
		failed("a page that was copied", 0);
	close(hold[1]);
	waitpid(child, &status, 0);
	munmap(page, 4096);
}

static void look_everywhere(void)
{
	static char data[4096];
	struct seen seen = look();

	if (list(INSPECTOR_CAPABILITIES) == 0 || list(INSPECTOR_KINDS) == 0)
		failed("nothing is held", 0);
	for (uint32_t i = 0; i <= seen.capabilities; i++)
		(void)ask(INSPECTOR_CAPABILITIES, i);
	(void)ask(INSPECTOR_PAGE, (uintptr_t)data);
	(void)ask(INSPECTOR_PAGE, (uintptr_t)&look_everywhere);
	(void)ask(INSPECTOR_PAGE, (uintptr_t)ring);
	(void)ask(INSPECTOR_PAGE, (uintptr_t)capset);
	(void)ask(INSPECTOR_PAGE, 0);
	if (ask(INSPECTOR_PAGE, MODULE_CAPSET) != STATUS_INVALID ||
	    ask(INSPECTOR_PAGE, MODULE_REGION + 0x200000) != STATUS_INVALID)
		failed("it tells about the module region", 0);
}

/* --- using -------------------------------------------------------------------- */

static void must_be_nothing(const char *what, enum status status, uint32_t number)
{
	if (status != STATUS_NO_CAP)
		failed(what, number);
}

/* As an object: any interface, and with messages that would do the harm. */
static void use(uint32_t number)
{
	static uint64_t message[64];
	struct capnp_builder b;

	for (unsigned i = 0; i < interface_count; i++)
		must_be_nothing("a number can be called",
		                call(number, interfaces[i], 0, message, 0), number);
	capnp_builder_start(&b, message, sizeof message);
	struct libos_table_load_params_builder load = libos_table_load_params_build(&b);
	libos_table_load_params_set_id(load, capnp_text_from("hostile"));
	libos_table_load_params_set_pages(load, 16);
	must_be_nothing("a libOS can be loaded",
	                call(number, LIBOS_TABLE_ID, LIBOS_TABLE_LOAD, message,
	                     (uint32_t)capnp_builder_size(&b)), number);
	capnp_builder_start(&b, message, sizeof message);
	libos_spawn_params_init_start(libos_spawn_params_build(&b));
	must_be_nothing("a process can be started",
	                call(number, LIBOS_ID, LIBOS_SPAWN, message,
	                     (uint32_t)capnp_builder_size(&b)), number);
}

/* As something to pass on: beside a call on what is ours, copied or moved. */
static void pass_on(uint32_t number)
{
	for (unsigned move = 0; move < 2; move++) {
		struct ring_sqe *e = next(RING_CALL, inspector);

		e->interface = INSPECTOR_ID;
		e->method = INSPECTOR_LIBOS;
		e->caps_count = 1;
		e->caps_move = (uint8_t)(move & 1);
		e->caps[0] = number;
		must_be_nothing("a number can be passed on", run(), number);
	}
}

/* By every other operation that names something. */
static void operate(uint32_t number)
{
	static const uint8_t ops[] = {RING_RECV, RING_RETURN, RING_SERVE, RING_POST};
	static uint32_t word;

	(void)next(RING_RELEASE, number);
	must_be_nothing("a number can be let go", run(), number);
	for (size_t i = 0; i < sizeof ops; i++) {
		struct ring_sqe *e = next(ops[i], number);

		e->token = ops[i] == RING_POST ? 0 : number;
		e->results = (uintptr_t)results;
		e->results_size = RESULTS;
		if (run() == STATUS_OK)
			failed("an operation succeeds", (uint64_t)ops[i] << 32 | number);
	}
	struct ring_sqe *e = next(RING_PARK, number);
	e->word = (uintptr_t)&word;
	e->expected = 0;
	e->timeout = 0;
	if (run() == STATUS_OK)
		failed("a number parks", number);
}

/* Everything that could be an id in a table as large as a table can be. */
static void use_every_id(void)
{
	for (uint32_t generation = 0; generation <= GENERATIONS; generation++)
		for (uint32_t slot = 0; slot < SLOTS; slot++) {
			uint32_t number = generation << SLOT_BITS | slot;

			if (!is_ours(number))
				must_be_nothing("an id can be guessed",
				                call(number, LIBOS_ID, 0, NULL, 0), number);
		}
}

/* The CapSet is the exokernel's word on what is held. */
static void write_the_capset(void)
{
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		(void)mprotect((void *)capset, 4096, PROT_READ | PROT_WRITE);
		((struct capset *)(uintptr_t)capset)->entries[0].cap = 1;
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
		failed("the CapSet can be written", (uint64_t)status);
}

int main(void)
{
	struct seen before, after;

	if (enter(0) != STATUS_OK || !(inspector = find("inspector"))) {
		puts("inspector_attack: no Inspector");
		return 1;
	}
	before = look();
	if (before.own != capset->count || capset->count != 2 || before.capabilities < 8 || before.processes < 1)
		failed("the figures make no sense", before.own);
	watch_a_page();
	look_everywhere();
	for (unsigned i = 0; i < number_count; i++) {
		if (is_ours(numbers[i]) || numbers[i] == 0)
			continue;
		use(numbers[i]);
		pass_on(numbers[i]);
		operate(numbers[i]);
	}
	use_every_id();
	write_the_capset();
	after = look();
	if (memcmp(&before, &after, sizeof before) != 0)
		failed("something has changed", after.own);
	if (number_count < 100)
		failed("too little was tried", number_count);
	printf("inspector_attack: %u failed\n", failures);
	return failures != 0;
}
