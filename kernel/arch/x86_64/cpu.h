/* cpu.h: what each CPU has for itself, at the same address on every CPU. */
#pragma once

#define CPU_CURRENT 0
#define CPU_NEXT_TOP 8

#define CELL_KERNEL_TOP 0
#define CELL_SYSCALL 8
#define CELL_MODULE_STACK 16
#define CELL_MODULE_SYSCALL 24
#define CELL_MODULE_TRAP 32

#ifndef __ASSEMBLER__
#include "core/runqueue.h"
#include "kernel/types.h"

/* What the gate needs to know without the exokernel's tables: readable for
 * ring 1, written through the linear map. */
struct gate_cells {
	uint64_t kernel_top;     /* CR3 of the exokernel on this CPU */
	uint64_t syscall;        /* where a system call goes in this space */
	uint64_t module_stack;   /* of the current thread */
	uint64_t module_syscall; /* the module's entries */
	uint64_t module_trap;
};

struct thread;
struct space;
struct sched_context;

struct cpu {
	struct thread *current; /* NULL: idle */
	uint64_t next_top;      /* what gate_resume loads into CR3; 0: nothing */
	unsigned index;
	struct cpu *self;       /* through the linear map */
	struct gate_cells *cells;
	uint64_t kernel_top;    /* physical, with no process space */
	struct space *loaded;   /* the native space whose table is in CR3 now */
	struct space *running;  /* whose program or module runs when we leave */
	struct thread *registers; /* whose FPU, FS and GS are in the CPU */
	struct sched_context *context; /* whose time is running; NULL: nobody's */
	uint32_t lock;          /* lock.h */
	bool exclusive;         /* this CPU holds every CPU's lock */
	union {
		struct {
			bool reschedule; /* somebody else is to run */
			uint8_t long_way; /* enum long_way: why every call goes that way */
		};
		uint16_t attention;      /* 0: neither; for the fast paths */
	};
	bool idle;
	volatile bool flush;    /* another CPU waits for this one's TLB */
	uint64_t since;         /* ns; `context` is charged up to here */
	uint64_t slice_end;     /* ns; when it makes room for its equals, */
	uint64_t budget_end;    /* when its budget is used up, */
	uint64_t stop_at;       /* and which of them is to be watched for */
	uint64_t armed;         /* ns the timer is set for */
	struct runqueue queue;  /* READY threads */
	uint64_t message[512];  /* params being served */
	uint64_t answer[512];   /* results being built */
};

enum long_way {
	LONG_WAY_TRACED = 1, /* it is to be seen (trace.h) */
	LONG_WAY_WANTED = 2, /* somebody exclusive waits for `lock` */
};

#define this_cpu ((struct cpu *)CPU_AREA)

/* Every CPU's, through the linear map; NULL past cpu_count. */
extern struct cpu *cpus[MAX_CPUS];
/* CPUs that are or will be running: fixed before the first space is made. */
extern unsigned cpu_count;
#endif
