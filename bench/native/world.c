/* world.c: see world.h. */
#include "bench/native/world.h"

#include "abi/notification.capnp.h"
#include "abi/space.capnp.h"
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

/* The page itself is made at the first use. */
static uint32_t shared_page(void)
{
	struct native *self = world.self;
	static uint32_t object;

	if (object == 0 &&
	    (native_allocate(self, native_find(self, "memory"), 1, &object) != STATUS_OK ||
	     native_map(self, native_find(self, "space"), object, 0, (void *)SHARED, 1,
	                ACCESS_READ | ACCESS_WRITE) != STATUS_OK))
		return 0;
	return object;
}

bool spawn_sharing(int (*main)(struct native *), uint64_t argument, struct native_child *child)
{
	uint32_t page = shared_page();

	return page != 0 &&
	       native_spawn_self(world.self, main, argument, NATIVE_CHILD_BYTES, child) ==
	               STATUS_OK &&
	       native_map(world.self, child->space, page, 0, (void *)SHARED, 1,
	                  ACCESS_READ | ACCESS_WRITE) == STATUS_OK;
}

static bool notify(struct native *self, uint32_t notification, uint16_t method, uint64_t bits)
{
	struct native_call call;

	native_call(&call, self, notification, NOTIFICATION_ID, method);
	notification_wait_params_set_mask(notification_wait_params_build(&call.params), bits);
	return native_send(&call) == STATUS_OK;
}

bool notify_signal(struct native *self, uint32_t notification, uint64_t bits)
{
	return notify(self, notification, NOTIFICATION_SIGNAL, bits);
}

bool notify_wait(struct native *self, uint32_t notification, uint64_t mask)
{
	return notify(self, notification, NOTIFICATION_WAIT, mask);
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

uint32_t server_start(struct server *s, int (*main)(struct native *), uint64_t argument)
{
	struct native *self = world.self;

	*s = (struct server){.endpoint = ledger_make(LEDGER_ENDPOINT)};
	s->facet = make_facet(s->endpoint);
	if (s->facet == 0 || !spawn_sharing(main, argument, &s->child) ||
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
