/* fast_module.c: a module's thread that waits for a signal, woken by a native one's
 * on the same processor: the answer comes to its module's ring. */
#include "test/boot/native/attack.h"

#include "abi/ledger.capnp.h"
#include "abi/notification.capnp.h"

static struct judge judge;

static uint32_t notification(void)
{
	struct native_call call;

	native_call(&call, judge.self, native_find(judge.self, "ledger"), LEDGER_ID,
	            LEDGER_NOTIFICATION);
	(void)ledger_notification_params_build(&call.params);
	CHECK_STATUS(&judge.check, STATUS_OK, native_send(&call));
	return call.caps[0];
}

static void signal(uint32_t notification, uint64_t bits)
{
	struct native_call call;

	native_call(&call, judge.self, notification, NOTIFICATION_ID, NOTIFICATION_SIGNAL);
	notification_signal_params_set_bits(notification_signal_params_build(&call.params), bits);
	CHECK_STATUS(&judge.check, STATUS_OK, native_send(&call));
}

/* Not by native_send(), which has room for results: then it is not the fast way. */
static void signal_only(uint32_t notification, uint64_t bits)
{
	struct ring *ring = judge.self->ring;
	struct capnp_builder b;
	struct ring_call call = {
		.cap = notification, .method = NOTIFICATION_SIGNAL, .interface = NOTIFICATION_ID,
		.params = ring->area,
	};

	capnp_builder_start(&b, ring->area, 256);
	notification_signal_params_set_bits(notification_signal_params_build(&b), bits);
	call.params_size = (uint32_t)capnp_builder_size(&b);
	CHECK_STATUS(&judge.check, STATUS_OK, ring_call(ring, &call));
}

static void run(void (*tell)(uint32_t, uint64_t), uint32_t signalled)
{
	uint32_t libos = judge_load(&judge, "waiter");
	struct judge_start how = { .argument = ATTACK_ARGUMENT(KIND_DEED, DEED_signalled, 0) };
	struct ending end;
	struct victim v;

	CHECK_STATUS(&judge.check, STATUS_OK, judge_grant(&judge, libos, "signalled", signalled));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_spawn(&judge, libos, how, 0, &v));
	CHECK_STATUS(&judge.check, STATUS_OK, judge_thread_start(&judge, v.thread));
	for (unsigned i = 0; i < SIGNALS; i++) {
		judge_sleep(&judge, 20000000);
		tell(signalled, 1ul << i);
	}
	end = judge_wait(&judge, v.process);
	CHECK(&judge.check, judge_exited(&end, HARMLESS));
	judge_forget(&judge, &v);
	judge_release(&judge, libos);
}

int native_main(struct native *self)
{
	uint32_t signalled;

	judge_start(&judge, self, "fast_module");
	signalled = notification();
	run(signal, signalled);
	run(signal_only, signalled);
	judge_release(&judge, signalled);
	check_end(&judge.check);
}
