/* fast_registers.c: what a native program finds in its registers after cap_enter: by every
 * way back what abi/ring.h promises, and nothing of the exokernel's. */
#include "test/boot/native/fast.h"

enum { KEPT = 5, CLEARED = 5, TURNS = 300 };

/* As cap_enter came back; look_at() writes it. */
struct registers {
	uint64_t rax, rdx, rcx, r11;
	uint64_t kept[KEPT];       /* rbx, r12 to r15 */
	uint64_t rbp;
	uint64_t cleared[CLEARED]; /* rsi, rdi, r8 to r10 */
};

#define PATTERN 0x0123456789abcdefull

/* cap_enter for one completion, with PATTERN plus something in all other registers. */
void look_at(struct registers *out);
extern const char looked[];
__asm__("	.text\n"
        "look_at:\n"
        "	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
        "	movabs $0x0123456789abcdef, %rbx\n"
        "	lea 1(%rbx), %r12; lea 2(%rbx), %r13; lea 3(%rbx), %r14; lea 4(%rbx), %r15\n"
        "	lea 5(%rbx), %rbp; lea 6(%rbx), %r8; lea 7(%rbx), %r9; lea 8(%rbx), %r10\n"
        "	lea 9(%rbx), %rdx; lea 10(%rbx), %rcx; lea 11(%rbx), %r11\n"
        "	xor %eax, %eax; mov $1, %edi; mov $-1, %rsi\n"
        "	syscall\n"
        "looked:\n"
        "	xchg %rax, (%rsp)\n"
        "	mov %rdx, 8(%rax); mov %rcx, 16(%rax); mov %r11, 24(%rax)\n"
        "	mov %rbx, 32(%rax); mov %r12, 40(%rax); mov %r13, 48(%rax)\n"
        "	mov %r14, 56(%rax); mov %r15, 64(%rax); mov %rbp, 72(%rax)\n"
        "	mov %rsi, 80(%rax); mov %rdi, 88(%rax); mov %r8, 96(%rax)\n"
        "	mov %r9, 104(%rax); mov %r10, 112(%rax)\n"
        "	pop (%rax)\n"
        "	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "	ret\n");

/* What is wrong with them; NULL: nothing. */
static const char *wrong(const struct registers *r, const struct ring *ring)
{
	if (r->rax != STATUS_OK)
		return "rax is not OK";
	if (r->rdx != (uintptr_t)ring)
		return "rdx is not the ring";
	if (r->rcx != (uintptr_t)looked || !(r->r11 & 0x200) || r->r11 >> 22)
		return "rcx and r11 are not the program's own";
	for (unsigned i = 0; i < KEPT; i++)
		if (r->kept[i] != PATTERN + i)
			return "a register is not kept";
	if (r->rbp != PATTERN + KEPT)
		return "rbp is not kept";
	for (unsigned i = 0; i < CLEARED; i++)
		if (r->cleared[i])
			return "a register tells something";
	return NULL;
}

static void enter(const char *way, enum status expected)
{
	struct registers r;
	const char *what;

	ring_push(self->ring);
	look_at(&r);
	what = wrong(&r, self->ring);
	if (what) {
		native_print(self, "%s: %s\n", way, what);
		check_failed(&check, "registers", __LINE__);
	}
	CHECK_STATUS(&check, expected, take(self->ring));
}

/* -- entries that are done at once ------------------------------------------------------- */

static void call(uint32_t cap, uint64_t interface, uint16_t method, uint32_t params)
{
	struct ring_sqe *e = entry(self->ring, RING_CALL, cap);

	e->interface = interface;
	e->method = method;
	e->params = (uintptr_t)self->ring->area;
	e->params_size = params;
	e->results = (uintptr_t)self->ring->area + 64;
	e->results_size = params ? 0 : 24;
}

static void alone(void)
{
	uint32_t n = notification(), copy = own_thread(), last = notification();
	uint64_t *message = (uint64_t *)self->ring->area;

	(void)now(); /* nobody is the first to read the clock */
	(void)entry(self->ring, RING_NOP, 0);
	enter("the long way", STATUS_OK);
	call(timer, TIMER_ID, TIMER_NOW, 0);
	enter("a quick method", STATUS_OK);
	message[0] = 1ull << 32;
	message[1] = 4;
	call(n, NOTIFICATION_ID, NOTIFICATION_SIGNAL, 16);
	enter("a signal", STATUS_OK);
	CHECK(&check, bits_of(n, NOTIFICATION_POLL, 4) == 4);
	(void)entry(self->ring, RING_RELEASE, copy);
	enter("a release", STATUS_OK);
	(void)entry(self->ring, RING_RELEASE, copy);
	enter("a release of what is gone", STATUS_NO_CAP);
	(void)entry(self->ring, RING_RELEASE, last);
	enter("a release of the last", STATUS_OK);
	(void)entry(self->ring, RING_RELEASE, last);
	enter("a release of what is gone", STATUS_NO_CAP);
	release(n);
}

/* -- from caller to server and back -------------------------------------------------------- */

static const char *volatile server_saw;
static volatile uint32_t came;

_Noreturn static void looks(uint64_t which, struct ring *ring)
{
	struct ring_received *in = (struct ring_received *)(ring->area + 512);
	uint64_t answered = 0;

	(void)which;
	for (;;) {
		struct ring_sqe *e = entry(ring, RING_SERVE, actors[0].endpoint);
		struct registers r;
		const char *what;

		e->token = answered;
		e->results = (uintptr_t)in;
		e->results_size = 512;
		ring_push(ring);
		look_at(&r);
		what = wrong(&r, ring);
		if (take(ring) != STATUS_OK)
			what = "a receive is refused";
		if (what)
			server_saw = what;
		answered = in->token;
		came++;
	}
}

/* Messages of all sizes that matter to the direct way; the server's room is 512 bytes. */
static void sizes(uint32_t facet)
{
	static const struct {
		uint32_t bytes;
		enum status status;
	} tried[] = {
		{8, STATUS_OK}, {64, STATUS_OK}, {72, STATUS_OK}, {256, STATUS_OK}, {264, STATUS_OK},
		{480, STATUS_OK}, {488, STATUS_TOO_SMALL}, {4, STATUS_INVALID}, {12, STATUS_INVALID},
		{257, STATUS_INVALID}, {4104, STATUS_INVALID}, {0x80000008, STATUS_INVALID},
		{0xfffffff8, STATUS_INVALID},
	};

	for (unsigned i = 0; i < sizeof tried / sizeof tried[0]; i++) {
		struct ring_sqe *e = entry(self->ring, RING_CALL, facet);

		e->interface = INTERFACE;
		e->params = (uintptr_t)self->ring->area;
		e->params_size = tried[i].bytes;
		enter("a call with a message", tried[i].status);
	}
}

static void between_two(void)
{
	uint32_t endpoint = new_endpoint(), facet = made(endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct worker *s = act(0, looks);

	actors[0].endpoint = endpoint;
	came = 0;
	OK(native_start(self, s->thread));
	until_state(s, THREAD_STATE_WAITING);
	for (unsigned i = 0; i < TURNS; i++) {
		struct ring_sqe *e = entry(self->ring, RING_CALL, facet);

		e->interface = INTERFACE;
		if (i % 3 == 1) {
			e->caps_count = 1;
			e->caps[0] = facet;
		}
		enter(i % 3 == 1 ? "a call with a capability" : "a call", STATUS_OK);
	}
	sizes(facet);
	CHECK(&check, came >= TURNS);
	if (server_saw) {
		native_print(self, "the server: %s\n", server_saw);
		check_failed(&check, "registers", __LINE__);
	}
	end_worker(s);
	release(facet);
	release(endpoint);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = { alone, between_two };

	start_sched(given, "fast_registers");
	run(steps, sizeof steps / sizeof steps[0]);
}
