/* libos.h: library OSes and their table.
 *
 * A libOS is an id, a domain, a module region (none if its module is empty) and
 * a table of PIDs. It stays in the table until its last process has left it, or
 * until its load timer finds that none has started.
 *
 * The places in the machine's own tables are shared out from libOS to libOS:
 * each has so many PIDs of the real table and so many libOSes left to use or to
 * give to those that it loads. With its end they go to whoever loaded it, so
 *     PIDs left, summed, and PIDs in use are all there are
 * and likewise for libOSes. The first libOS has all; when PID 1 moves on, what
 * it leaves behind ends up where PID 1 has gone. */
#pragma once

#include "kernel/process.h"

enum { LIBOS_NAME = 32, LIBOS_MAX = 32 };

struct message_buffer;

struct libos {
	struct object object;
	char id[LIBOS_NAME];
	struct ledger *ledger; /* what this structure is charged to */
	struct domain *domain; /* NULL once dropped */
	struct space *region;  /* NULL: an empty module */
	struct libos *loader;  /* who gets back what it has left; NULL: the first */
	struct pid_table *pids;
	struct pid_table own_pids;
	bool isolated;
	bool used;   /* it has had a process */
	bool failed; /* its module has faulted: nothing new begins under it */
	bool ending;
	uint32_t processes;
	uint32_t started;   /* of them */
	uint32_t pids_left;
	uint32_t loads_left;
	uint64_t head_start, head_syscall, head_trap, head_stack;
	uint64_t module_bytes;
	struct timeout load_timer;
	struct message_buffer *messages; /* NULL: isolated */
};

extern const struct object_type libos_type, libos_table_type;

struct libos_request {
	const char *id;
	size_t id_length;
	struct ledger *ledger; /* pays for the structure, and gives `bytes` */
	uint64_t bytes;
	struct libos *loader; /* NULL: the first */
	uint32_t pids, loads;
	bool isolated;
};

/* Registers one, with one reference for the caller. */
enum status libos_register(const struct libos_request *r, struct libos **out) MUST_CHECK;

/* The one of that id, or NULL. */
struct libos *libos_find(const char *id, size_t length);

/* The capability to the table. */
struct object *libos_table_object(void);

/* A process begins to be, or ceases to be, under it. The last one to leave takes
 * the libOS with it, and so does the last one of those that have started: what
 * was never started ends. */
void libos_enter(struct libos *l, struct process *p);
void libos_leave(struct libos *l, const struct process *p);

/* One of its processes starts: the load timer has nothing to wait for. */
void libos_started(struct libos *l);

/* A PID of the real table for one of its processes. NO_SLOT: it has none left. */
enum status libos_take_pid(struct libos *l) MUST_CHECK;
void libos_return_pid(struct libos *l);

/* PID 1 moves from one to the other, and what `from` leaves is `to`'s. */
void libos_inherit(struct libos *from, struct libos *to);

/* Its module did what it may not: what it shares among its processes cannot be
 * trusted any more, so all of them end. */
void libos_fail(struct libos *l);

/* Some of what lives on that ledger or below ends: its libOSes fail, and a few processes
 * that it or they pay for are killed; `last`, which calls, if nobody else is left. False:
 * there may be more. */
bool libos_end_on(const struct ledger *top, struct process *last) MUST_CHECK;

/* Names a capability in its CapSet, or says why not. */
enum status libos_grant(struct libos *l, struct call *call, struct capnp_text name,
                        uint32_t index) MUST_CHECK;

/* Takes it out of the table. */
void libos_drop(struct libos *l);

/* Its module, from an ELF of `size` bytes. */
enum status libos_load_module(struct libos *l, struct memobject *image,
                              uint64_t size) MUST_CHECK;

/* How many stand in the table. */
unsigned libos_count(void);
