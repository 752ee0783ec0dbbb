/* exo.c: requests to the exokernel (the interfaces of abi/), word by word: memory,
 * address spaces, processes, waiting. exo_entry.h says how. */
#include "os/linux/exo.h"

#include "abi/libos.capnp.h"
#include "abi/memory.capnp.h"
#include "abi/module.h"
#include "abi/process.capnp.h"
#include "abi/space.capnp.h"
#include "os/linux/exo_entry.h"
#include "os/linux/pages.h"
#include "rt/capset.h"
#include "rt/module_string.h"

enum { START_WORDS = 5 }; /* of ThreadStart; what is not sent of a struct is 0 */
_Static_assert((int)LIBOS_SPAWN_PARAMS_MESSAGE_BYTES + 8 * (int)START_WORDS <=
                   SLOT_RESULTS, "");
_Static_assert((int)LIBOS_SPAWN_RESULTS_MESSAGE_BYTES <= (int)RESULTS_SIZE, "");

struct exo_caps exo;

uint32_t exo_find(const char *name)
{
	return capset_find((const struct capset *)MODULE_CAPSET, name);
}

void exo_begin(void)
{
	static const struct { const char *name; uint32_t *cap; } wanted[] = {
		{ "console", &exo.console }, { "timer", &exo.timer }, { "memory", &exo.memory },
		{ "power", &exo.power },     { "libos", &exo.libos }, { "self", &exo.self },
		{ "space", &exo.space },     { "module", &exo.module }, { "initrd", &exo.initrd },
		{ "start", &exo.start },     { "entropy", &exo.entropy },
		{ "inspector", &exo.inspector },
	};

	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		*wanted[i].cap = exo_find(wanted[i].name);
}

enum status exo_flush(void)
{
	struct task *task = current();
	const struct ring_cqe *last;
	enum status earlier = (enum status)task->flush_status, status = run(task->ring, &last);

	task->flush_status = STATUS_OK;
	return earlier != STATUS_OK ? earlier : status;
}

/* Adds the prepared entry. A full queue is handed over; exo_flush() will tell
 * how that went. */
static void queue(struct ring *ring)
{
	ring_push(ring);
	if (ring->sq_tail - ring->sq_head == RING_SQ_ENTRIES)
		current()->flush_status = exo_flush();
}

/* Memory. */

enum status exo_allocate(uint64_t pages, uint32_t *object)
{
	struct ring *ring = current()->ring;
	const struct ring_cqe *done;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, exo.memory, MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE, 16, &words);
	enum status status;

	words[0] = SHAPE(MEMORY_POOL_ALLOCATE_PARAMS);
	words[1] = pages;
	with_results(e);
	status = call_for(ring, &done);
	if (status == STATUS_OK)
		*object = cap_of(done, results_of(e)[1]);
	return status;
}

enum status exo_available(uint64_t *pages, uint64_t *limit)
{
	struct ring *ring = current()->ring;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, exo.memory, MEMORY_POOL_ID, MEMORY_POOL_AVAILABLE, 8, &words);
	enum status status;

	words[0] = 0;
	with_results(e);
	status = call(ring);
	if (status == STATUS_OK) {
		*pages = results_of(e)[1];
		*limit = results_of(e)[2];
	}
	return status;
}

enum status exo_object_size(uint32_t object, uint64_t *pages)
{
	struct ring *ring = current()->ring;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SIZE, 8, &words);
	enum status status;

	words[0] = 0;
	with_results(e);
	status = call(ring);
	if (status == STATUS_OK)
		*pages = results_of(e)[1];
	return status;
}

/* Address spaces. */

static inline void fill_map(struct ring *ring, uint32_t space, uint32_t object, uint64_t page,
                            uint64_t address, uint64_t pages, uint32_t access)
{
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_MAP,
	                             ADDRESS_SPACE_MAP_PARAMS_MESSAGE_BYTES, &words);

	words[0] = SHAPE(ADDRESS_SPACE_MAP_PARAMS);
	words[1] = page;
	words[2] = address;
	words[3] = pages;
	words[4] = access;
	words[5] = CAPABILITY(0);
	with_cap(e, object);
}

enum status exo_map(uint32_t space, uint32_t object, uint64_t page, uint64_t address,
                    uint64_t pages, uint32_t access)
{
	struct ring *ring = current()->ring;

	fill_map(ring, space, object, page, address, pages, access);
	return call(ring);
}

void exo_queue_map(uint32_t space, uint32_t object, uint64_t page, uint64_t address,
                   uint64_t pages, uint32_t access)
{
	struct ring *ring = current()->ring;

	fill_map(ring, space, object, page, address, pages, access);
	queue(ring);
}

static inline void fill_fresh(struct ring *ring, uint32_t space, uint64_t address,
                              uint64_t pages, uint32_t access)
{
	uint64_t *words;

	prepare(ring, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH,
	        ADDRESS_SPACE_FRESH_PARAMS_MESSAGE_BYTES, &words);
	words[0] = SHAPE(ADDRESS_SPACE_FRESH_PARAMS);
	words[1] = address;
	words[2] = pages;
	words[3] = access;
}

enum status exo_fresh(uint32_t space, uint64_t address, uint64_t pages, uint32_t access)
{
	struct ring *ring = current()->ring;

	fill_fresh(ring, space, address, pages, access);
	return call(ring);
}

void exo_queue_fresh(uint32_t space, uint64_t address, uint64_t pages, uint32_t access)
{
	struct ring *ring = current()->ring;

	fill_fresh(ring, space, address, pages, access);
	queue(ring);
}

/* Where a call over a range that was too long for one goes on, or 0: the answer
 * is then empty, and what stands in the buffer is an older one. */
static uint64_t next_of(const struct ring_sqe *e, const struct ring_cqe *done)
{
	return done->results_size == 0 || results_of(e)[0] == 0 ? 0 : results_of(e)[1];
}

/* Every page of the range may be there, but seldom is: the exokernel deals with
 * a range this long at once. */
enum { AT_ONCE = 65536 };

/* The rest of [*address, + *pages) from `next` on. */
static void advance(uint64_t *address, uint64_t *pages, uint64_t next)
{
	*pages -= (next - *address) / PAGE_SIZE;
	*address = next;
}

enum status exo_unmap(uint32_t space, uint64_t address, uint64_t pages)
{
	struct ring *ring = current()->ring;

	for (;;) {
		uint64_t *words;
		struct ring_sqe *e = prepare(ring, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_UNMAP,
		                             ADDRESS_SPACE_UNMAP_PARAMS_MESSAGE_BYTES, &words);
		const struct ring_cqe *done;
		enum status status;

		words[0] = SHAPE(ADDRESS_SPACE_UNMAP_PARAMS);
		words[1] = address;
		words[2] = pages;
		if (pages > AT_ONCE)
			with_results(e);
		status = call_for(ring, &done);
		if (status != STATUS_OK || pages <= AT_ONCE || next_of(e, done) == 0)
			return status;
		advance(&address, &pages, next_of(e, done));
	}
}

enum status exo_protect(uint32_t space, uint64_t address, uint64_t pages, uint32_t access)
{
	struct ring *ring = current()->ring;

	for (;;) {
		uint64_t *words;
		struct ring_sqe *e = prepare(ring, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_PROTECT,
		                             ADDRESS_SPACE_PROTECT_PARAMS_MESSAGE_BYTES, &words);
		const struct ring_cqe *done;
		enum status status;

		words[0] = SHAPE(ADDRESS_SPACE_PROTECT_PARAMS);
		words[1] = address;
		words[2] = pages;
		words[3] = access;
		if (pages > AT_ONCE)
			with_results(e);
		status = call_for(ring, &done);
		if (status != STATUS_OK || pages <= AT_ONCE || next_of(e, done) == 0)
			return status;
		advance(&address, &pages, next_of(e, done));
	}
}
_Static_assert(ADDRESS_SPACE_UNMAP_RESULTS_DATA_WORDS == 1 &&
               ADDRESS_SPACE_PROTECT_RESULTS_DATA_WORDS == 1 &&
               ADDRESS_SPACE_SHARE_RESULTS_DATA_WORDS == 1, "next_of");

static inline void fill_resolve(struct ring *ring, uint32_t space, uint64_t address)
{
	uint64_t *words;

	prepare(ring, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_RESOLVE,
	        ADDRESS_SPACE_RESOLVE_PARAMS_MESSAGE_BYTES, &words);
	words[0] = SHAPE(ADDRESS_SPACE_RESOLVE_PARAMS);
	words[1] = address;
}

enum status exo_resolve(uint32_t space, uint64_t address)
{
	struct ring *ring = current()->ring;

	fill_resolve(ring, space, address);
	return call(ring);
}

void exo_queue_resolve(uint32_t space, uint64_t address)
{
	struct ring *ring = current()->ring;

	fill_resolve(ring, space, address);
	queue(ring);
}

static struct ring_sqe *fill_share(struct ring *ring, uint32_t space, uint32_t source,
                                   uint64_t address, uint64_t pages)
{
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, space, ADDRESS_SPACE_ID, ADDRESS_SPACE_SHARE,
	                             ADDRESS_SPACE_SHARE_PARAMS_MESSAGE_BYTES, &words);

	words[0] = SHAPE(ADDRESS_SPACE_SHARE_PARAMS);
	words[1] = address;
	words[2] = pages;
	words[3] = CAPABILITY(0);
	with_cap(e, source);
	return e;
}

void exo_queue_share(uint32_t space, uint32_t source, uint64_t address, uint64_t pages,
                     uint64_t mapped)
{
	struct ring *ring = current()->ring;
	enum status status = STATUS_OK;

	if (mapped <= AT_ONCE) {
		(void)fill_share(ring, space, source, address, pages);
		queue(ring);
		return;
	}
	status = exo_flush();
	while (status == STATUS_OK) {
		struct ring_sqe *e = fill_share(ring, space, source, address, pages);
		const struct ring_cqe *done;

		with_results(e);
		status = call_for(ring, &done);
		if (status != STATUS_OK || next_of(e, done) == 0)
			break;
		advance(&address, &pages, next_of(e, done));
	}
	if (status != STATUS_OK)
		current()->flush_status = status;
}

/* Processes and threads. */

static void fill_start(uint64_t *words, const struct exo_start *start)
{
	words[0] = start->entry;
	words[1] = start->stack;
	words[2] = start->argument;
	words[3] = start->module_stack;
	words[4] = start->ring;
}
_Static_assert((int)THREAD_START_DATA_WORDS > (int)START_WORDS && THREAD_START_POINTERS == 0, "");

/* A struct pointer at words[at] to the `data` words that begin at words[target]. */
static uint64_t struct_pointer(uint32_t at, uint32_t target, uint32_t data)
{
	return ROOT(data, 0) | (uint64_t)(target - at - 1) << 2;
}

enum status exo_spawn(const struct exo_start *start, struct exo_process *out)
{
	struct ring *ring = current()->ring;
	const struct ring_cqe *done;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, exo.libos, LIBOS_ID, LIBOS_SPAWN, 64, &words);
	const uint64_t *results;
	enum status status;

	words[0] = SHAPE(LIBOS_SPAWN_PARAMS);
	words[1] = 0; /* any PID */
	words[2] = struct_pointer(2, 3, START_WORDS);
	fill_start(&words[3], start);
	with_results(e);
	status = call_for(ring, &done);
	if (status != STATUS_OK)
		return status;
	results = results_of(e);
	out->pid = (uint32_t)results[1];
	out->process = cap_of(done, results[2]);
	out->space = cap_of(done, results[3]);
	out->thread = cap_of(done, results[4]);
	return STATUS_OK;
}
_Static_assert(LIBOS_SPAWN_PARAMS_DATA_WORDS == 1 && LIBOS_SPAWN_PARAMS_POINTERS == 1, "");
_Static_assert(LIBOS_SPAWN_RESULTS_DATA_WORDS == 1 && LIBOS_SPAWN_RESULTS_POINTERS == 3, "");

enum status exo_thread(uint32_t process, const struct exo_start *start, uint32_t *thread)
{
	struct ring *ring = current()->ring;
	const struct ring_cqe *done;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, exo.libos, LIBOS_ID, LIBOS_THREAD, 64, &words);
	enum status status;

	words[0] = SHAPE(LIBOS_THREAD_PARAMS);
	words[1] = CAPABILITY(0);
	words[2] = struct_pointer(2, 3, START_WORDS);
	fill_start(&words[3], start);
	with_cap(e, process);
	with_results(e);
	status = call_for(ring, &done);
	if (status == STATUS_OK)
		*thread = cap_of(done, results_of(e)[1]);
	return status;
}
_Static_assert(LIBOS_THREAD_PARAMS_DATA_WORDS == 0 && LIBOS_THREAD_PARAMS_POINTERS == 2, "");

static void fill_simple(struct ring *ring, uint32_t cap, uint64_t interface, uint16_t method)
{
	uint64_t *words;

	prepare(ring, cap, interface, method, 8, &words);
	words[0] = 0;
}

void exo_fill_start(struct ring *ring, uint32_t thread)
{
	fill_simple(ring, thread, THREAD_ID, THREAD_START);
	ring_push(ring);
}

void exo_queue_start(uint32_t thread)
{
	struct ring *ring = current()->ring;

	fill_simple(ring, thread, THREAD_ID, THREAD_START);
	queue(ring);
}

void exo_interrupt(uint32_t thread)
{
	struct ring *ring = current()->ring;

	fill_simple(ring, thread, THREAD_ID, THREAD_INTERRUPT);
	(void)call(ring);
}

void exo_queue_kill(uint32_t process)
{
	struct ring *ring = current()->ring;

	fill_simple(ring, process, PROCESS_ID, PROCESS_KILL);
	queue(ring);
}

void exo_queue_wait(uint32_t process)
{
	struct ring *ring = current()->ring;

	fill_simple(ring, process, PROCESS_ID, PROCESS_WAIT);
	queue(ring);
}

/* No name: all that the program of the process `cap` holds by name. */
static void fill_grant(struct ring *ring, uint32_t process, const char *name, uint32_t cap)
{
	uint32_t size = (uint32_t)strlen(name) + 1, text = (size + 7) / 8;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, process, PROCESS_ID, PROCESS_GRANT, 24 + 8 * text, &words);

	assert(size <= CAPSET_NAME);
	words[0] = SHAPE(PROCESS_GRANT_PARAMS);
	words[1] = (uint64_t)size << 35 | (uint64_t)2 << 32 | 1 << 2 | 1; /* bytes, a word on */
	words[2] = CAPABILITY(0);
	words[2 + text] = 0; /* what is left of the last word */
	memcpy(&words[3], name, size);
	with_cap(e, cap);
}
_Static_assert(PROCESS_GRANT_PARAMS_DATA_WORDS == 0 && PROCESS_GRANT_PARAMS_POINTERS == 2, "");
_Static_assert(PROCESS_GRANT_PARAMS_MESSAGE_BYTES + CAPSET_NAME <= (int)SLOT_RESULTS, "");

enum status exo_grant(uint32_t process, const char *name, uint32_t cap)
{
	struct ring *ring = current()->ring;

	fill_grant(ring, process, name, cap);
	return call(ring);
}

void exo_queue_inherit(uint32_t process, uint32_t from)
{
	struct ring *ring = current()->ring;

	fill_grant(ring, process, "", from);
	queue(ring);
}

void exo_queue_release(uint32_t cap)
{
	struct ring *ring = current()->ring;
	struct ring_sqe *e = ring_next(ring);

	e->op = RING_RELEASE;
	e->caps_how = 0;
	e->cap = cap;
	queue(ring);
}

_Noreturn void exo_exit(int32_t code)
{
	ring_exit(code);
}

/* Waiting. */

static struct ring_sqe *prepare_word(struct ring *ring, enum ring_op op, const uint32_t *word,
                                     uint32_t expected)
{
	struct ring_sqe *e = ring_next(ring);

	e->op = (uint8_t)op;
	e->caps_how = 0;
	e->cap = 0;
	e->word = (uintptr_t)word;
	e->expected = expected;
	return e;
}

void exo_park(const uint32_t *word, uint32_t expected, uint64_t timeout)
{
	struct ring *ring = current()->ring;

	prepare_word(ring, RING_PARK, word, expected)->timeout = timeout;
	(void)call(ring);
}

void exo_queue_wake(const uint32_t *word, uint32_t most)
{
	struct ring *ring = current()->ring;

	prepare_word(ring, RING_WAKE, word, most);
	queue(ring);
}
