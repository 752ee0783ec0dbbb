/* process.h: processes and the tables of their PIDs.
 *
 * A process is a PID, an address space and threads, under one libOS. It ends
 * with its last thread; its PID is free when nobody holds a capability to it
 * any more, so a PID that somebody can name is never reused.
 *
 * A process counts as started with its first thread. Until then somebody must
 * answer for it, for its own domain may hold all capabilities to it: the process
 * that made it, if it was made by a spawner, else its libOS. */
#pragma once

#include "kernel/ring.h"
#include "kernel/space.h"
#include "kernel/thread.h"

struct libos;
struct process;

enum { PID_COUNT = 4096, PID_COUNT_ISOLATED = 512 };

struct pid_table {
	struct process **slots; /* by PID; slot 0 is unused */
	uint32_t count, next;
};

extern struct pid_table pids; /* the real one */

struct process {
	struct object object;
	struct libos *libos; /* NULL once ended */
	struct ledger *ledger;         /* pays for this structure */
	struct ledger *thread_ledger;  /* pays for threads and rings */
	struct space *space; /* NULL once ended */
	struct domain *domain; /* its program's; under a module NULL until needed */
	struct pid_table *pids; /* NULL: its libOS has taken the table along */
	struct libos *pid_payer; /* whose share its PID is from; NULL: own table */
	uint32_t pid;
	uint32_t thread_count;
	uint32_t threads_made;
	uint32_t ring_hint; /* all places for rings below this one are taken */
	bool started;
	struct process *maker;     /* who answers for it; NULL: nobody, or its libOS */
	struct process *unstarted; /* those that it answers for */
	struct process *next_unstarted;
	struct thread *threads;
	uint64_t module_syscall, module_trap; /* of the libOS's module; 0: none */
	int32_t end_code;
	uint32_t end_reason;
	uint32_t fault_vector, fault_error;
	uint64_t fault_address, fault_instruction;
	struct pending_queue waiting; /* Process.wait */
};

extern const struct object_type process_type, process_handle_type;

/* A process without threads; one reference. `pid` 0: any that is free. */
enum status process_create(struct libos *libos, uint32_t pid, struct process **out) MUST_CHECK;

/* The same for a native program with a domain of its own, whose ledger pays for
 * everything. `maker` answers for it. Takes over the caller's reference on
 * `domain` if it succeeds. */
enum status process_create_native(struct process *maker, uint32_t pid, struct domain *domain,
                                  struct process **out) MUST_CHECK;

/* Each gets the other's PID, of the same table. */
void process_swap_pids(struct process *a, struct process *b);

/* Its program's domain is to be that one, which it sees. */
enum status process_use_domain(struct process *p, struct domain *d) MUST_CHECK;

/* The program gets a domain and sees its CapSet, if it had none. */
enum status process_need_domain(struct process *p) MUST_CHECK;

/* A thread of it is made and is the answer: Process.thread, Libos.thread. */
enum status process_answer_thread(struct process *p, struct thread_start_reader reader,
                                  struct call *call) MUST_CHECK;

/* Its first thread starts. */
void process_started(struct process *p);

/* Ends every thread. */
void process_kill(struct process *p, int32_t code, uint32_t reason);

/* The thread did what it may not: its process ends, and the log says why. Under a
 * module it was the module that did, and its libOS ends. */
void process_fault(struct thread *t, uint32_t vector, uint32_t error, uint64_t address);

/* thread_end's last act: the thread leaves the process, which ends with it if
 * it was the last. */
void process_remove_thread(struct process *p, struct thread *t);

/* Before a thread that Thread.interrupt has asked for goes on, or whose program has
 * left: its module is entered, if it is in ring 3. */
void process_deliver_interrupt(struct thread *t);
