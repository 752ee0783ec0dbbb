/* libos.h: library OSes and their table.
 *
 * A libOS is an id, a domain, a module region (none if its module is empty) and
 * a table of PIDs. It stays in the table until its last process has left it, or
 * until its load timer finds that it never had one. */
#pragma once

#include "kernel/process.h"

enum { LIBOS_NAME = 32, LIBOS_MAX = 32 };

struct libos {
	struct object object;
	char id[LIBOS_NAME];
	struct ledger *ledger; /* what this structure is charged to */
	struct domain *domain; /* NULL once dropped */
	struct space *region;  /* NULL: an empty module */
	struct pid_table *pids;
	struct pid_table own_pids;
	bool isolated;
	bool used; /* it has had a process */
	bool ending;
	uint32_t processes;
	uint32_t started; /* of them */
	uint64_t head_start, head_syscall, head_trap, head_stack;
	uint64_t module_bytes;
	struct timeout load_timer;
};

extern const struct object_type libos_type, libos_table_type;

/* Registers one. `ledger` pays for it and gives it `bytes`. */
enum status libos_register(const char *id, size_t length, struct ledger *ledger,
                           uint64_t bytes, struct libos **out) MUST_CHECK;

/* The capability to the table. */
struct object *libos_table_object(void);

/* A process begins to be, or ceases to be, under it. The last one to leave takes
 * the libOS with it, and so does the last one of those that have started: what
 * was never started ends. */
void libos_enter(struct libos *l, struct process *p);
void libos_leave(struct libos *l, const struct process *p);

/* One of its processes starts: the load timer has nothing to wait for. */
void libos_started(struct libos *l);

/* How many stand in the table. */
unsigned libos_count(void);
