/* notification.h: 64 bits that are set by signals and taken by whoever waits. */
#pragma once

#include "kernel/object.h"
#include "kernel/pending.h"

struct notification {
	struct object object;
	struct ledger *ledger;
	uint64_t bits;
	uint32_t flag;                /* lock.h */
	bool owed;                    /* the bound ring had no place for an event */
	uint8_t bound_ring;
	struct thread *bound;         /* held; or NULL */
	uint64_t bound_data;
	struct pending_queue waiting; /* oldest first; key: the mask */
};

/* A facet that can only signal. */
struct signaller {
	struct object object;
	struct notification *notification; /* held */
	struct ledger *ledger;
};

extern const struct object_type notification_type, signaller_type;

/* One reference; NULL: no memory. */
struct object *notification_create(struct ledger *ledger);

/* The notification behind either type; NULL: it is neither. */
struct notification *notification_of(struct object *o);

/* `o` is a notification or a signaller. */
void notification_signal(struct object *o, uint64_t bits);
