/* attack_asks.h: what a program under the module asks of the exokernel itself, by
 * vector 0x90: the module prepares the entry and its message, the program carries
 * them to its ring. Part of attack.c. */
#pragma once

/* In program memory, beside its stack. */
struct asked {
	struct ring_sqe entry;
	uint64_t message[8];
};
#define ASKED ((struct asked *)PROGRAM_DATA)

/* Gets a ring, copies the entry there, and submits it. Exits with 0x5100 + the
 * completion's status. rdi, at its start: where the entry is. */
PROGRAM_CODE(program_asks,
             "movq %rdi, %r14\n"
             "xorl %eax, %eax\n xorl %edi, %edi\n xorl %esi, %esi\n int $0x90\n"
             "testl %eax, %eax\n" UNLESS("jz")
             "movq %rdx, %rbx\n leaq 64(%rbx), %rdi\n movq %r14, %rsi\n movl $8, %ecx\n"
             "rep movsq\n movl $1, 4(%rbx)\n"
             "xorl %eax, %eax\n movl $1, %edi\n movq $-1, %rsi\n int $0x90\n"
             "testl %eax, %eax\n" UNLESS("jz")
             "cmpl $1, 12(%rbx)\n" UNLESS("je") /* cq_tail */
             "movzwl 1096(%rbx), %edi\n addl $0x5100, %edi\n movl $1, %eax\n syscall\n");

/* A capability of the module's, copied to its program; its id there. */
static uint32_t give_program(const char *name, uint32_t cap)
{
	const struct capset *set = (const struct capset *)PROGRAM_CAPSET;
	struct capnp_builder b;
	struct process_grant_params_builder p;

	begin(&b);
	p = process_grant_params_build(&b);
	process_grant_params_set_name(p, capnp_text_from(name));
	process_grant_params_set_object(p, 0);
	MUST(send(&b, find("self"), PROCESS_ID, PROCESS_GRANT, cap, NULL) == STATUS_OK);
	for (uint32_t i = 0; i < set->count; i++)
		if (strcmp(set->entries[i].name, name) == 0)
			return set->entries[i].cap;
	ring_exit(REFUSED_NOT + __LINE__);
}

/* The entry, all but its message. */
static struct capnp_builder prepare(uint32_t cap, uint64_t interface, uint16_t method)
{
	struct capnp_builder b;

	map_program();
	ASKED->entry = (struct ring_sqe){
		.op = RING_CALL, .cap = cap, .interface = interface, .method = method,
		.params = (uint64_t)ASKED->message,
	};
	capnp_builder_start(&b, ASKED->message, sizeof ASKED->message);
	return b;
}

_Noreturn static void ask(const struct capnp_builder *b)
{
	ASKED->entry.params_size = (uint32_t)capnp_builder_size(b);
	go_program(program(program_asks), PROGRAM_STACK + 0xff0, 0x202, (uint64_t)&ASKED->entry);
}

/* Nobody but its program is to go: not the module, to another libOS or to its own. */
static void module_moves(void)
{
	static const char *const names[] = { "target", "libos" };

	for (unsigned i = 0; i < 2; i++) {
		struct capnp_builder b;

		begin(&b);
		libos_become_params_set_argument(libos_become_params_build(&b),
		                                 ATTACK_ARGUMENT(KIND_CANARY, 0, 0));
		MUST(send(&b, find(names[i]), LIBOS_ID, LIBOS_BECOME, 0, NULL) ==
		     (i ? STATUS_INVALID : STATUS_DENIED));
	}
}

/* The program goes over to the libOS `target`, whose module runs a canary. */
static void program_moves(void)
{
	uint32_t target = give_program("target", find("target"));
	struct capnp_builder b = prepare(target, LIBOS_ID, LIBOS_BECOME);

	left_is_busy = (uint32_t)argument == 1;
	libos_become_params_set_argument(libos_become_params_build(&b),
	                                 ATTACK_ARGUMENT(KIND_CANARY, 0, 0));
	ask(&b);
}

/* ... or to one with an empty module, with a program of its own: stage 2. */
static void program_moves_natively(void)
{
	uint32_t target = give_program("target", find("target"));
	uint32_t image = give_program("program", find("program"));
	struct capnp_builder b = prepare(target, LIBOS_ID, LIBOS_BECOME);
	struct libos_become_params_builder p = libos_become_params_build(&b);

	ASKED->entry.caps_count = 1;
	ASKED->entry.caps[0] = image;
	libos_become_params_set_argument(p, ATTACK_STAGE);
	libos_become_params_set_program(p, 0);
	libos_become_params_set_size(p, (uint32_t)argument << 12); /* at least its ELF's */
	ask(&b);
}

/* What its own thread control says: OK, as to anybody. */
static void program_looks_at_itself(void)
{
	struct capnp_builder b;
	uint32_t timer = give_program("clock", find("timer")); /* so there is a CapSet */

	(void)timer;
	b = prepare(((const struct capset *)PROGRAM_CAPSET)->entries[0].cap, THREAD_CONTROL_ID,
	            THREAD_CONTROL_INFO);
	ask(&b);
}

/* A capability to the thread, which its module may run on. */
static void program_wants_its_thread(void)
{
	struct capnp_builder b;
	uint32_t timer = give_program("clock", find("timer"));

	(void)timer;
	b = prepare(((const struct capset *)PROGRAM_CAPSET)->entries[0].cap, THREAD_CONTROL_ID,
	            THREAD_CONTROL_THREAD);
	ask(&b);
}

/* An endpoint, or a facet of it. */
static uint32_t made(uint32_t cap, uint64_t interface, uint16_t method)
{
	struct capnp_builder b;
	uint32_t came;

	begin(&b);
	endpoint_facet_params_set_interface(endpoint_facet_params_build(&b), 1);
	MUST(send(&b, cap, interface, method, 0, &came) == STATUS_OK);
	return came;
}

/* What its module has received, the thread being the same and the token no secret. */
static void program_answers(void)
{
	static struct ring_received received __attribute__((aligned(8)));
	uint32_t endpoint = made(find("ledger"), LEDGER_ID, LEDGER_ENDPOINT);
	uint32_t facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);

	*ring_next(ring) = (struct ring_sqe){
		.op = RING_RECV, .cap = endpoint, .results = (uint64_t)&received,
		.results_size = sizeof received,
	};
	ring_push(ring);
	*ring_next(ring) = (struct ring_sqe){ .op = RING_CALL, .cap = facet, .interface = 1 };
	ring_push(ring);
	MUST(enter(SYS_CAP_ENTER, 1, RING_FOREVER, NULL) == STATUS_OK);
	MUST(ring_done(ring)->status == STATUS_OK && received.interface == 1);
	map_program();
	ASKED->entry = (struct ring_sqe){ .op = RING_RETURN, .token = received.token };
	go_program(program(program_asks), PROGRAM_STACK + 0xff0, 0x202, (uint64_t)&ASKED->entry);
}

/* A native process beside it, without its libOS: refused. */
static void spawner_refused(void)
{
	struct capnp_builder b;
	struct process_spawner_create_params_builder p;
	struct thread_start_builder start;

	begin(&b);
	p = process_spawner_create_params_build(&b);
	start = process_spawner_create_params_init_start(p);
	thread_start_set_entry(start, PROGRAM);
	thread_start_set_stack(start, PROGRAM_STACK);
	process_spawner_create_params_set_bytes(p, 1 << 20);
	MUST(send(&b, find("spawner"), PROCESS_SPAWNER_ID, PROCESS_SPAWNER_CREATE, 0, NULL) ==
	     STATUS_DENIED);
}

/* More threads for it, as if it were a native program: refused the module. */
static void process_thread_refused(void)
{
	struct capnp_builder b;
	struct thread_start_builder start;

	begin(&b);
	start = process_thread_params_init_start(process_thread_params_build(&b));
	thread_start_set_entry(start, PROGRAM);
	thread_start_set_stack(start, PROGRAM_STACK);
	MUST(send(&b, find("self"), PROCESS_ID, PROCESS_THREAD, 0, NULL) == STATUS_DENIED);
}
