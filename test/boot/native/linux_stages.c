/* linux_stages.c: the initial init system for the tests of Linux programs that leave
 * their libOS (test/boot/linux/leaves.c). It loads a few libOSes with empty modules,
 * then does all that the real one does; the manifest may grant them, as target0 and
 * on, the board, and both sides of an endpoint. Started again under one of those
 * libOSes, it is a program's second stage. */
#include "iis/sources.h"
#define iis_sources NULL /* any: ours are more than the real ones */
#define native_main iis_main
#include "iis/iis.c"
#undef native_main

#include "test/boot/linux_stages.h"
#include "test/boot/native/stages.h"

#include "abi/endpoint.capnp.h"
#include "abi/module.h"
#include "rt/native_serve.h"

static const uint64_t an_hour = 3600000000000;
static struct capset more; /* than the exokernel has given */

/* -- the initial init system ------------------------------------------------------- */

static void have(const char *name, uint32_t cap)
{
	struct capset_entry *entry = &more.entries[more.count++];

	entry->cap = cap;
	__builtin_memcpy(entry->name, name, __builtin_strlen(name) + 1);
}

static void load_target(unsigned i)
{
	char id[] = "target0";
	/* The first has room for all that move there, though none had ended yet. */
	struct load l = { .id = id, .timeout = an_hour, .pids = i == 0 ? 300 : 8,
		          .pages = i == 0 ? 12000 : 0, .count = 2, .names = { "board", "timer" },
		          .caps = { board_object, native_find(self, "timer") } };
	uint32_t libos = 0;

	id[6] = (char)('0' + i);
	OK(load_by(self, &l, &libos));
	have(id, libos);
}

static int prepare(void)
{
	uint32_t endpoint = 0, facet = 0;

	more = *self->capset;
	board_object = allocate(1);
	have("board", board_object);
	for (unsigned i = 0; i < STAGE_TARGETS; i++)
		load_target(i);
	OK(native_endpoint(self, &endpoint));
	OK(native_facet(self, endpoint, LIBOS_ID, 1, &facet));
	have("endpoint", endpoint);
	have("facet", facet);
	self->capset = &more;
	return check.failures != 0 ? 1 : iis_main(self);
}

/* -- stages --------------------------------------------------------------------------- */

static volatile struct stage_board *const board = (volatile struct stage_board *)BOARD;

/* Which numbers name something here, of those that the CapSet does not list? */
static uint32_t count_found(void)
{
	uint32_t found = 0;

	for (uint32_t id = 1; id < 1 << 14; id++) {
		bool listed = id == board_object;
		for (uint32_t i = 0; i < self->capset->count; i++)
			listed |= self->capset->entries[i].cap == id;
		if (!listed)
			found += plain_call(id, PROCESS_ID, PROCESS_INFO) != STATUS_NO_CAP;
	}
	return found;
}

static int attack(unsigned target)
{
	board->found[target] = count_found();
	board->arrived[target]++;
	*(volatile uint64_t *)(MODULE_REGION + 0x200000) = 1; /* libOS linux's module was here */
	board->found[target]++;
	return 1;
}

static int stage(unsigned kind, unsigned target)
{
	stage_start(self);
	board->pid[target] = pid_of(self);
	if (kind == STAGE_ATTACKS)
		return attack(target);
	board->arrived[target]++;
	while (kind == STAGE_STAYS && board->go[target] == 0)
		nap(1000000);
	return STAGE_CODE;
}

int native_main(struct native *me)
{
	start(me, "linux_stages");
	if (IS_STAGE(me->argument))
		return stage((unsigned)STAGE_NUMBER(me->argument) >> 4,
		             (unsigned)STAGE_NUMBER(me->argument) & 15);
	return prepare();
}
