/* replay.c: runs a native program on this machine against its recorded answers.
 *
 *     trace-replay [--pid N] [--object NAME=FILE]... RECORDING PROGRAM
 *
 * PROGRAM is the ELF file that ran, RECORDING what `./tess trace` wrote of it.
 * --object gives the content of a memory object that the program was started
 * with: NAME is its name in the CapSet.
 *
 * Ends with 0 if the program did what it did then, 1 if it did something else, 2
 * if it cannot be replayed, or not to its end. */
#include "abi/memory.capnp.h"
#include "abi/module.h"
#include "tools/trace/player.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { OBJECTS_MAX = 8, SAME = 0, DIFFERENT = 1, IMPOSSIBLE = 2, PAGE = 4096 };

struct options {
	uint32_t pid;
	const char *recording, *program;
	const char *objects[OBJECTS_MAX]; /* NAME=FILE */
	unsigned object_count;
};

static int complain(const char *what, const char *why)
{
	fprintf(stderr, "trace: %s: %s\n", what, why);
	return IMPOSSIBLE;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	int at = 1;

	*o = (struct options){ .pid = 1 };
	for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
		if (strcmp(argv[at], "--pid") == 0)
			o->pid = (uint32_t)strtoul(argv[at + 1], NULL, 10);
		else if (strcmp(argv[at], "--object") == 0 && o->object_count < OBJECTS_MAX &&
		         strchr(argv[at + 1], '='))
			o->objects[o->object_count++] = argv[at + 1];
		else
			return false;
	}
	if (argc - at != 2)
		return false;
	o->recording = argv[at];
	o->program = argv[at + 1];
	return true;
}

static const struct capset_entry *find_object(const struct capset *capset, const char *name,
                                              size_t length)
{
	for (uint32_t i = 0; i < capset->count && i < CAPSET_MAX; i++) {
		const struct capset_entry *e = &capset->entries[i];

		if (strnlen(e->name, sizeof e->name) == length && memcmp(e->name, name, length) == 0 &&
		    (e->interface == MEMORY_OBJECT_ID || e->interface == READ_ONLY_MEMORY_ID))
			return e;
	}
	return NULL;
}

static bool give_object(struct memory *m, const struct capset *capset, const char *option)
{
	const char *file = strchr(option, '=') + 1;
	const struct capset_entry *e = find_object(capset, option, (size_t)(file - 1 - option));
	size_t size;
	void *bytes;
	bool given;

	if (!e) {
		complain(option, "the program was started with no memory object of that name");
		return false;
	}
	bytes = stream_load(file, &size);
	if (!bytes) {
		complain(file, strerror(errno));
		return false;
	}
	given = memory_give(m, e->cap, bytes, size);
	if (!given)
		complain(file, m->error);
	free(bytes);
	return given;
}

/* Where the exokernel puts a native program's own pages. */
static bool map_own(struct memory *m, const struct recording *r, uint64_t ring)
{
	return memory_fresh(m, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE, PROGRAM_STACK_SIZE / PAGE,
	                    PROT_READ | PROT_WRITE) &&
	       memory_fresh(m, PROGRAM_CAPSET, 1, PROT_READ) &&
	       memory_fresh(m, ring, 1, PROT_READ | PROT_WRITE) &&
	       child_write(m->child, PROGRAM_CAPSET, &r->capset, sizeof r->capset);
}

static bool same_image(struct memory *m, const struct recording *r)
{
	uint64_t checksum;

	return memory_checksum(m, trace_event_image_get_address(r->image),
	                       trace_event_image_get_pages(r->image), &checksum) &&
	       checksum == trace_event_image_get_checksum(r->image);
}

static int prepare(const struct options *o, const struct recording *r, struct memory *m)
{
	uint64_t ring = trace_event_start_get_ring(r->start);
	size_t size;
	void *bytes = stream_load(o->program, &size);
	bool loaded;

	if (!bytes)
		return complain(o->program, strerror(errno));
	loaded = memory_load(m, bytes, size);
	free(bytes);
	if (!loaded)
		return complain(o->program, m->error);
	if (!same_image(m, r))
		return complain(o->program, "this is not the program that was recorded");
	if (m->entry != trace_event_start_get_entry(r->start))
		return complain(o->program, "it was not started at its beginning: what its maker had "
		                            "put into its memory was not recorded");
	if (!map_own(m, r, ring))
		return complain(o->recording, m->error[0] ? m->error : "the child is gone");
	for (unsigned i = 0; i < o->object_count; i++)
		if (!give_object(m, &r->capset, o->objects[i]))
			return IMPOSSIBLE;
	child_set_start(m->child, trace_event_start_get_entry(r->start),
	                trace_event_start_get_stack(r->start),
	                trace_event_start_get_argument(r->start), ring, PROGRAM_CAPSET);
	return SAME;
}

static void system_call(struct player *p, const struct child_event *e)
{
	enum status status = STATUS_INVALID;

	if (e->number == SYS_EXIT) {
		player_exit(p, (int32_t)e->first);
		return;
	}
	if (e->number == SYS_CAP_ENTER)
		status = player_enter(p, e->first, e->second);
	child_answer(p->child, status, e->number == SYS_CAP_ENTER ? p->ring : 0);
}

static void play(struct player *p)
{
	while (p->state == PLAYER_RUNS) {
		struct child_event e = child_run(p->child);

		switch (e.stop) {
		case CHILD_SYSCALL:
			system_call(p, &e);
			break;
		case CHILD_FAULT:
			player_fault(p, e.address);
			break;
		case CHILD_TSC:
			player_stop(p, "it reads the TSC at %" PRIx64 ": what it saw then was not recorded",
			            e.address);
			break;
		case CHILD_GONE:
			player_stop(p, "the child is gone");
			break;
		}
	}
}

static int report(const struct player *p)
{
	switch (p->state) {
	case PLAYER_ENDED:
		printf("replayed %" PRIu64 " calls, identical; then %s\n", p->calls, p->how);
		return SAME;
	case PLAYER_DIFFERS:
		printf("replayed %" PRIu64 " calls, then a difference: %s\n", p->calls, p->how);
		printf("    recorded: %s\n", p->recorded ? p->recorded : "nothing more");
		if (p->replayed)
			printf("    replayed: %s\n", p->replayed);
		return DIFFERENT;
	default:
		printf("replayed %" PRIu64 " calls, identical so far; not further: %s\n", p->calls, p->how);
		return IMPOSSIBLE;
	}
}

static int replay(const struct options *o, const struct recording *r)
{
	struct child child;
	struct memory memory = { .child = &child, .space = trace_event_start_get_space(r->start) };
	struct player player = {
		.child = &child, .memory = &memory, .recording = r,
		.ring = trace_event_start_get_ring(r->start),
	};
	int status;

	if (!child_start(&child)) {
		status = complain("replay", child.error);
	} else {
		status = prepare(o, r, &memory);
		if (status == SAME) {
			play(&player);
			status = report(&player);
		}
	}
	child_end(&child);
	memory_free(&memory);
	free(player.recorded);
	free(player.replayed);
	return status;
}

int main(int argc, char **argv)
{
	struct recording recording;
	struct options options;
	size_t size;
	void *bytes;
	int status;

	if (!read_options(argc, argv, &options)) {
		fprintf(stderr, "usage: trace-replay [--pid N] [--object NAME=FILE]... RECORDING PROGRAM\n");
		return IMPOSSIBLE;
	}
	bytes = stream_load(options.recording, &size);
	if (!bytes)
		return complain(options.recording, strerror(errno));
	if (recording_find(&recording, bytes, size, options.pid))
		status = replay(&options, &recording);
	else
		status = complain(options.recording, recording.error);
	recording_free(&recording);
	free(bytes);
	return status;
}
