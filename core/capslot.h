/* capslot.h: a slot of a domain's table, as one CPU writes it while another reads.
 *
 * Whoever writes has the table to himself; whoever reads takes no lock. A slot's
 * words are written in an order, each with release: emptied, the id goes first;
 * filled, it comes last. A reader looks whether the slot has the id that it asks for,
 * then at the object, the epoch, and the id again, each with acquire. An id does not
 * come back (not until the slot was used a million times more), so the slot had it
 * all the time, and the reader has seen one capability, as that stood at some moment
 * of its reading. On x86 none of this is an instruction. capslot.pml is the model.
 *
 * What the reader gets is not held: its memory must be good for as long as it is
 * looked at. In the exokernel, nothing is freed while a CPU is inside (lock.h). */
#pragma once

#include "core/captable.h"

#ifdef __FRAMAC__ /* proofs are about one thread (captable.c) */
#define capslot_set(slot, to) (*(slot) = (to))
#define capslot_set_epoch(slot, to) ((slot)->epoch = (to))
#else
/* Fills it, or empties it. */
static inline void capslot_set(struct capslot *slot, struct capslot to)
{
	if (to.object) {
		__atomic_store_n(&slot->object, to.object, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->epoch, to.epoch, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->id, to.id, __ATOMIC_RELEASE);
	} else {
		__atomic_store_n(&slot->id, to.id, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->epoch, to.epoch, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->object, NULL, __ATOMIC_RELEASE);
	}
}

/* It is reserved, or live again. */
static inline void capslot_set_epoch(struct capslot *slot, uint32_t epoch)
{
	__atomic_store_n(&slot->epoch, epoch, __ATOMIC_RELEASE);
}

/* Whether a word is that, with acquire. On x86 one instruction, which gcc does not see. */
static inline bool capslot_word_is(const uint32_t *word, uint32_t value)
{
#if defined(__SANITIZE_THREAD__) || defined(__clang__)
	return __atomic_load_n(word, __ATOMIC_ACQUIRE) == value;
#else
	bool is;

	__asm__ volatile("cmpl %2, %1" : "=@cce"(is) : "m"(*word), "r"(value) : "memory");
	return is;
#endif
}

/* True: `id` names what is in the slot. */
static inline bool capslot_has(const struct capslot *slot, uint32_t id)
{
	return capslot_word_is(&slot->id, id);
}

/* The live object that `id` names, or NULL, in a slot that has the id, or has had it
 * once: capslot_has() or captable_slot() told so. */
static inline __attribute__((always_inline)) struct object *
capslot_read(const struct capslot *slot, uint32_t id)
{
	struct object *o = __atomic_load_n(&slot->object, __ATOMIC_ACQUIRE);

	if (!o || !capslot_word_is(&slot->epoch, __atomic_load_n(&o->epoch, __ATOMIC_ACQUIRE)) ||
	    !capslot_has(slot, id))
		return NULL;
	return o;
}
#endif
