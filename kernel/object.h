/* object.h: what capabilities name, and how a call reaches it.
 *
 * Every kernel object contains a `struct object` (core/captable.h; most begin with
 * it) and has a type: the interface it speaks, the function that serves its methods, the one
 * that ends it when the last reference goes. */
#pragma once

#include "abi/ring.h"
#include "abi/status.h"
#include "core/capnp.h"
#include "core/captable.h"
#include "kernel/panic.h"
#include "kernel/types.h"

struct thread;
struct domain;

/* A call's answer is to come later: the method has kept a `struct pending`. */
#define CALL_PENDING ((enum status)-1)
/* A part of it is done, and it is made again for the rest (ring_pause). */
#define CALL_PAUSED ((enum status)-2)

/* One invocation, while it is being served. */
struct call {
	struct thread *thread; /* who calls */
	struct domain *domain; /* by whose authority */
	unsigned ring;         /* enum thread_ring_kind: where the answer goes */
	uint16_t method;
	uint64_t user_data;
	struct capnp_struct params;
	unsigned caps_count;
	struct object *caps[RING_CAPS]; /* what travels in; live, not held */
	struct capnp_builder results;
	unsigned out_count;
	struct object *out[RING_CAPS]; /* what travels back; one reference each */
	struct uaddr results_address;
	uint32_t results_size;
	const char *reason; /* why it is refused, for people; see call_refuse */
};

struct quick_method;

struct object_type {
	const char *name;
	uint64_t interface;
	enum status (*call)(struct object *, struct call *);
	void (*destroy)(struct object *); /* refs is 0 */
	const struct quick_method *quick; /* by method; NULL: none is */
	uint16_t quick_count;
};

/* A method whose params and results are plain data, as the words of the two structs,
 * and which is done by this CPU alone: it is served shared (lock.h) and without
 * the codec where the caller's messages have just that shape. Any status but OK
 * means that nothing was done, and that `call` is to be asked. */
struct quick_method {
	enum status (*serve)(struct object *, const uint64_t *params, uint64_t *results);
	uint8_t params, results; /* words, at most QUICK_WORDS */
};
enum { QUICK_WORDS = 4 };

static inline void object_init(struct object *o, const struct object_type *type)
{
	*o = (struct object){.type = type, .refs = 1};
}

static inline void object_hold(struct object *o)
{
	o->refs++;
}

static inline void object_drop(struct object *o)
{
	KASSERT(o->refs > 0);
	if (--o->refs == 0)
		o->type->destroy(o);
}

/* The same shared (lock.h). False: it is the last, which only goes exclusively. */
static inline bool object_drop_shared(struct object *o)
{
	uint32_t refs = __atomic_load_n(&o->refs, __ATOMIC_RELAXED);

	while (refs > 1) {
		if (__atomic_compare_exchange_n(&o->refs, &refs, refs - 1, true, __ATOMIC_RELEASE,
		                                __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static inline void object_hold_shared(struct object *o)
{
	(void)__atomic_fetch_add(&o->refs, 1, __ATOMIC_RELAXED);
}

/* Refuses: `reason` goes to the caller in an Exception. A method may also return
 * a bare status; the exception then has no words. */
static inline enum status MUST_CHECK call_refuse(struct call *call, enum status status,
                                                 const char *reason)
{
	call->reason = reason;
	return status;
}

/* The interface that a capability to it speaks. */
uint64_t object_interface(const struct object *o);

/* The object that params' pointer names, if it is of that type; else NULL. Found
 * through leases: good for this call. To keep it, keep call->caps[index]. */
struct object *call_cap(const struct call *call, uint32_t index,
                        const struct object_type *type);

/* Adds `o` to the answer, taking over the caller's reference; gives the index
 * for the results message. At most RING_CAPS: more is our own mistake. */
uint32_t call_answer_cap(struct call *call, struct object *o);
