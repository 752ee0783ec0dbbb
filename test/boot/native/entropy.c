/* entropy.c: what Entropy promises and refuses. Run with and without a processor
 * that has random numbers: the last line tells how often it said BUSY. */
#include "test/boot/native/check.h"

#include "abi/entropy.capnp.h"
#include "abi/timer.capnp.h"
#include "rt/module_string.h"
#include "rt/ring.h"

enum { READ_MOST = 2048, BUFFER = 4096, SLEEPS_MOST = 20000 };

static struct check check;
static struct native *self;
static uint32_t entropy;
static uint64_t buffer[BUFFER / 8];

#define OK(call) CHECK_STATUS(&check, STATUS_OK, call)
#define REFUSED(status, call) CHECK_STATUS(&check, STATUS_##status, call)

static struct native_call last;

/* Into `room` bytes of the buffer; *data is what came. */
static enum status read_into(uint32_t count, uint32_t room, struct capnp_data *data)
{
	struct entropy_read_results_reader results;
	struct ring_call call = {
		.cap = entropy, .method = ENTROPY_READ, .interface = ENTROPY_ID,
		.params = self->ring->area, .results = buffer, .results_size = room,
	};
	struct capnp_builder b;
	enum status status;

	capnp_builder_start(&b, self->ring->area, NATIVE_MESSAGE_MAX);
	entropy_read_params_set_count(entropy_read_params_build(&b), count);
	call.params_size = (uint32_t)capnp_builder_size(&b);
	for (size_t i = 0; i < BUFFER / 8; i++)
		buffer[i] = 0;
	status = ring_call(self->ring, &call);
	last = (struct native_call){
		.results = buffer, .results_size = call.results_size, .status = status,
	};
	for (unsigned i = 0; i < RING_CAPS; i++)
		CHECK(&check, call.caps[i] == 0);
	if (status == STATUS_OK)
		status = entropy_read_results_read(buffer, call.results_size, &results);
	if (status == STATUS_OK)
		status = entropy_read_results_get_data(results, data);
	return status;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static void sleep(uint64_t nanoseconds)
{
	struct native_call call;
	struct timer_now_results_reader now;
	uint32_t timer = native_find(self, "timer");
	native_call(&call, self, timer, TIMER_ID, TIMER_NOW);
	OK(native_send(&call));
	OK(timer_now_results_read(call.results, call.results_size, &now));
	uint64_t until = timer_now_results_get_monotonic(now) + nanoseconds;
	native_call(&call, self, timer, TIMER_ID, TIMER_SLEEP);
	timer_sleep_params_set_until(timer_sleep_params_build(&call.params), until);
	OK(native_send(&call));
}

/* BUSY until there is enough; every BUSY says why. */
static uint32_t wait_until_ready(void)
{
	struct capnp_data data;
	uint32_t busy = 0;

	while (busy < SLEEPS_MOST && read_into(16, BUFFER, &data) == STATUS_BUSY) {
		CHECK(&check, same_text(native_reason(&last), "not enough interrupts yet, and no RDRAND"));
		busy++;
		sleep(1000000);
	}
	return busy;
}

static void it_gives_what_was_asked_for(void)
{
	static const uint32_t counts[] = { 0, 1, 7, 8, 33, 479, 480, 481, 1000, READ_MOST };

	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct capnp_data data = { NULL, 0 };
		OK(read_into(counts[i], BUFFER, &data));
		CHECK(&check, data.size == counts[i]);
	}
}

/* No 8 bytes come twice: of 256 KiB from one generator they would not in the
 * age of the universe. Only neighbours and the last answer's start are looked at. */
static void nothing_comes_twice(void)
{
	uint64_t before = 0;

	for (unsigned round = 0; round < 128; round++) {
		struct capnp_data data = { NULL, 0 };
		const uint64_t *words;
		OK(read_into(READ_MOST, BUFFER, &data));
		words = (const uint64_t *)(const void *)data.bytes;
		CHECK(&check, data.size == READ_MOST && words[0] != before);
		for (size_t i = 1; i < data.size / 8; i++)
			CHECK(&check, words[i] != words[i - 1] && words[i] != 0);
		before = words[0];
	}
}

static void it_refuses(void)
{
	struct capnp_struct_builder root;
	struct native_call call;
	struct capnp_data data;

	REFUSED(INVALID, read_into(READ_MOST + 1, BUFFER, &data));
	CHECK(&check, same_text(native_reason(&last), "more than 2048 bytes at once"));
	REFUSED(INVALID, read_into(UINT32_MAX, BUFFER, &data));
	/* No room for the words: the status comes all the same. */
	REFUSED(INVALID, read_into(READ_MOST + 1, 0, &data));
	CHECK(&check, same_text(native_reason(&last), ""));
	REFUSED(INVALID, read_into(READ_MOST + 1, 8, &data));
	CHECK(&check, same_text(native_reason(&last), "") && buffer[0] == 0);
	REFUSED(TOO_SMALL, read_into(READ_MOST, READ_MOST, &data));
	REFUSED(TOO_SMALL, read_into(8, 23, &data));
	CHECK(&check, buffer[0] == 0 && buffer[2] == 0);
	OK(read_into(8, 24, &data));

	native_call(&call, self, entropy, ENTROPY_ID, ENTROPY_READ + 1);
	REFUSED(NO_METHOD, native_send(&call));
	native_call(&call, self, entropy, TIMER_ID, ENTROPY_READ);
	REFUSED(NO_METHOD, native_send(&call));
	native_call(&call, self, entropy + 0x10000, ENTROPY_ID, ENTROPY_READ);
	REFUSED(NO_CAP, native_send(&call));
	native_call(&call, self, entropy, ENTROPY_ID, ENTROPY_READ);
	root = capnp_init_root(&call.params, 0, 1);
	capnp_set_data(&root, 0, capnp_data_from("12345678", 8));
	OK(native_send(&call)); /* another shape: `count` has its default */
	call.params.used -= 8; /* cut short: the pointer leads outside */
	REFUSED(BAD_MESSAGE, native_send(&call));
}

int native_main(struct native *given)
{
	uint32_t busy;

	self = given;
	check = (struct check){ self, "entropy", 0 };
	entropy = native_find(self, "entropy");
	busy = wait_until_ready();
	it_gives_what_was_asked_for();
	nothing_comes_twice();
	it_refuses();
	native_print(self, "entropy: BUSY %u times\n", busy);
	check_end(&check);
}
