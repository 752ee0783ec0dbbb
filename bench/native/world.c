/* world.c: see world.h. */
#include "bench/native/world.h"

#include "abi/timer.capnp.h"
#include "rt/ring.h"

struct world world;

void world_start(struct native *self)
{
	struct native_call call;
	struct timer_scale_results_reader scale;

	world.self = self;
	native_call(&call, self, native_find(self, "timer"), TIMER_ID, TIMER_SCALE);
	if (native_send(&call) != STATUS_OK ||
	    timer_scale_results_read(call.results, call.results_size, &scale) != STATUS_OK)
		native_off(self, 1);
	world.multiplier = timer_scale_results_get_multiplier(scale);
	world.shift = timer_scale_results_get_shift(scale);
}

/* -- the console ------------------------------------------------------------------------ */

void read_line(char *line, unsigned size)
{
	unsigned used = 0;

	for (;;) {
		struct native_call call;
		struct console_read_results_reader results;
		struct capnp_data data;

		native_call(&call, world.self, world.self->console, CONSOLE_ID, CONSOLE_READ);
		console_read_params_set_most(console_read_params_build(&call.params), 1);
		if (native_send(&call) != STATUS_OK ||
		    console_read_results_read(call.results, call.results_size, &results) != STATUS_OK ||
		    console_read_results_get_data(results, &data) != STATUS_OK || data.size != 1)
			break;
		if (data.bytes[0] < ' ' || used == size - 1)
			break;
		line[used++] = (char)data.bytes[0];
	}
	line[used] = '\0';
}

bool same(const char *a, const char *b)
{
	const char *rest = after(a, b);

	return rest != NULL && *rest == '\0';
}

const char *after(const char *line, const char *prefix)
{
	while (*prefix != '\0')
		if (*line++ != *prefix++)
			return NULL;
	return line;
}

void tell_ticks(const char *name, uint64_t ticks, unsigned count)
{
	uint64_t ns = (uint64_t)((unsigned __int128)ticks * world.multiplier >> world.shift);

	native_print(world.self, "row %s %lu %lu\n", name, (ticks + count / 2) / count,
	             (ns + count / 2) / count);
}

void tell_failed(const char *name, const char *why)
{
	native_print(world.self, "row %s n/a %s\n", name, why);
}

/* -- servers -------------------------------------------------------------------------------- */

uint32_t ledger_make(uint16_t method)
{
	struct native_call call;

	native_call(&call, world.self, native_find(world.self, "ledger"), LEDGER_ID, method);
	return native_send(&call) == STATUS_OK ? call.caps[0] : 0;
}

static uint32_t make_facet(uint32_t endpoint)
{
	struct native_call call;
	struct endpoint_facet_params_builder params;

	native_call(&call, world.self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	params = endpoint_facet_params_build(&call.params);
	endpoint_facet_params_set_interface(params, ECHO_INTERFACE);
	endpoint_facet_params_set_badge(params, 1);
	return native_send(&call) == STATUS_OK ? call.caps[0] : 0;
}

uint32_t server_start(struct server *s, int (*main)(struct native *))
{
	struct native *self = world.self;

	*s = (struct server){.endpoint = ledger_make(LEDGER_ENDPOINT)};
	s->facet = make_facet(s->endpoint);
	if (s->facet == 0 ||
	    native_spawn_self(self, main, 0, NATIVE_CHILD_BYTES, &s->child) != STATUS_OK ||
	    native_grant(self, s->child.process, "endpoint", s->endpoint) != STATUS_OK ||
	    native_start(self, s->child.thread) != STATUS_OK)
		return 0;
	return s->facet;
}

void server_stop(struct server *s)
{
	struct native_end end;

	(void)!ring_release(world.self->ring, s->facet);
	if (native_wait(world.self, s->child.process, &end) != STATUS_OK || end.code != 0)
		tell_failed("server", "it ended badly");
	native_forget(world.self, &s->child);
	(void)!ring_release(world.self->ring, s->endpoint);
}
