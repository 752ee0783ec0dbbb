/* ledger.h: the Ledger capability: spends from one ledger, whoever calls. */
#pragma once

#include "kernel/kmem.h"
#include "kernel/object.h"

struct ledger_object {
	struct object object;
	struct ledger *ledger;
	struct ledger *payer; /* what this structure is charged to */
	bool owner;           /* may end the ledger, and closes it by its own end */
};

extern const struct object_type ledger_type;

/* A capability to a ledger that somebody else closes (a domain's own), charged
 * to it. NULL: it cannot pay. */
struct object *ledger_object_create(struct ledger *ledger);

/* The ledger that params' pointer names; NULL: that is no Ledger. */
struct ledger *ledger_that_came(const struct call *call, uint32_t index);
