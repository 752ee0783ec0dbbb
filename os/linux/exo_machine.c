/* exo_machine.c: requests to the exokernel: the console, the clock, chance, power. */
#include "abi/console.capnp.h"
#include "abi/entropy.capnp.h"
#include "abi/inspector.capnp.h"
#include "abi/power.capnp.h"
#include "abi/timer.capnp.h"
#include "os/linux/exo_entry.h"
#include "rt/module_string.h"

/* The longest message of console data, in the ring's area. */
enum { CONSOLE_MOST = RING_AREA_SIZE - 64 };

void exo_console_write(const void *bytes, size_t size)
{
	struct ring *ring = current()->ring;
	const uint8_t *from = bytes;

	(void)exo_flush();
	while (size > 0) {
		size_t part = size < CONSOLE_MOST ? size : CONSOLE_MOST;
		uint64_t words_of_data = (part + 7) / 8;
		uint64_t *words = (uint64_t *)ring->area;
		struct ring_sqe *e = ring_next(ring);
		uint64_t *unused;

		prepare(ring, exo.console, CONSOLE_ID, CONSOLE_WRITE,
		        (uint32_t)(16 + words_of_data * 8), &unused);
		e->params = (uintptr_t)words;
		words[0] = SHAPE(CONSOLE_WRITE_PARAMS);
		words[1] = (uint64_t)part << 35 | (uint64_t)2 << 32 | 1; /* list of bytes, next word on */
		words[1 + words_of_data] = 0;
		memcpy(&words[2], from, part);
		if (call(ring) != STATUS_OK)
			return;
		from += part;
		size -= part;
	}
}
_Static_assert(CONSOLE_WRITE_PARAMS_DATA_WORDS == 0 && CONSOLE_WRITE_PARAMS_POINTERS == 1, "");

enum status exo_console_read(void *bytes, size_t *size)
{
	struct ring *ring = current()->ring;
	const struct ring_cqe *done;
	uint64_t *words;
	size_t most = *size < 256 ? *size : 256;
	struct ring_sqe *e = prepare(ring, exo.console, CONSOLE_ID, CONSOLE_READ, 16, &words);
	struct console_read_results_reader reader;
	struct capnp_data data;
	enum status status;

	words[0] = SHAPE(CONSOLE_READ_PARAMS);
	words[1] = most;
	e->results = (uintptr_t)ring->area + RING_AREA_SIZE / 2;
	e->results_size = (uint32_t)(most + 32);
	status = call_for(ring, &done);
	if (status == STATUS_OK)
		status = console_read_results_read((const void *)(uintptr_t)e->results,
		                                   done->results_size, &reader);
	if (status == STATUS_OK)
		status = console_read_results_get_data(reader, &data);
	if (status != STATUS_OK)
		return status;
	*size = data.size < most ? data.size : most;
	memcpy(bytes, data.bytes, *size);
	return STATUS_OK;
}

enum status exo_clock(uint64_t *realtime_offset, uint64_t *multiplier, uint32_t *shift,
                      uint64_t *base)
{
	struct ring *ring = current()->ring;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, exo.timer, TIMER_ID, TIMER_NOW, 8, &words);
	enum status status;

	words[0] = 0;
	with_results(e);
	status = call(ring);
	if (status != STATUS_OK)
		return status;
	*realtime_offset = results_of(e)[2];

	e = prepare(ring, exo.timer, TIMER_ID, TIMER_SCALE, 8, &words);
	words[0] = 0;
	with_results(e);
	status = call(ring);
	if (status != STATUS_OK)
		return status;
	*multiplier = results_of(e)[1];
	*shift = (uint32_t)results_of(e)[2];
	*base = results_of(e)[3];
	return STATUS_OK;
}

uint32_t exo_processors(void)
{
	struct ring *ring = current()->ring;
	struct inspector_libos_results_reader results;
	struct libos_description_reader libos;
	const struct ring_cqe *done;
	uint64_t *words;
	struct ring_sqe *e = prepare(ring, exo.inspector, INSPECTOR_ID, INSPECTOR_LIBOS, 8, &words);

	words[0] = 0;
	e->results = (uintptr_t)ring->area + RING_AREA_SIZE / 2;
	e->results_size = RING_AREA_SIZE / 2;
	if (call_for(ring, &done) != STATUS_OK ||
	    inspector_libos_results_read(results_of(e), done->results_size, &results) != STATUS_OK ||
	    inspector_libos_results_get_libos(results, &libos) != STATUS_OK)
		fatal("we cannot be described", 0);
	return libos_description_get_processors(libos);
}

enum status exo_entropy(uint8_t bytes[EXO_ENTROPY_SIZE])
{
	struct task *task = current();
	struct ring *ring = task->ring;
	struct entropy_read_results_reader reader;
	const struct ring_cqe *done;
	struct capnp_data data;
	struct ring_sqe *e;
	enum status status;
	uint64_t *words;

	task->flush_status = exo_flush();
	e = prepare(ring, exo.entropy, ENTROPY_ID, ENTROPY_READ, 16, &words);
	words[0] = SHAPE(ENTROPY_READ_PARAMS);
	words[1] = EXO_ENTROPY_SIZE;
	with_results(e);
	status = call_for(ring, &done);
	if (status == STATUS_OK)
		status = entropy_read_results_read(results_of(e), done->results_size, &reader);
	if (status == STATUS_OK)
		status = entropy_read_results_get_data(reader, &data);
	if (status != STATUS_OK)
		return status;
	if (data.size != EXO_ENTROPY_SIZE)
		return STATUS_BAD_MESSAGE;
	memcpy(bytes, data.bytes, EXO_ENTROPY_SIZE);
	memset((void *)(uintptr_t)e->results, 0, RESULTS_SIZE);
	return STATUS_OK;
}
_Static_assert(ENTROPY_READ_RESULTS_MESSAGE_BYTES + 8 + EXO_ENTROPY_SIZE <= (int)RESULTS_SIZE, "");

_Noreturn void exo_power_off(uint32_t status)
{
	struct ring *ring = current()->ring;
	uint64_t *words;

	prepare(ring, exo.power, POWER_ID, POWER_OFF, 16, &words);
	words[0] = SHAPE(POWER_OFF_PARAMS);
	words[1] = status;
	(void)call(ring);
	exo_exit((int32_t)status);
}
