/* ledger.c: see ledger.h. */
#include "core/ledger.h"

#include <stddef.h>

void ledger_init_root(struct ledger *l, uint64_t limit)
{
	uint16_t id = l->id;

	*l = (struct ledger){.limit = limit, .id = id, .refs = 1};
}

enum status ledger_init_child(struct ledger *l, struct ledger *parent,
                              uint64_t limit)
{
	uint16_t id = l->id;
	enum status status = ledger_charge(parent, limit);

	if (status)
		return status;
	*l = (struct ledger){.limit = limit, .parent = parent, .id = id, .refs = 1};
	return STATUS_OK;
}

void ledger_end(struct ledger *l)
{
	if (l->parent)
		ledger_credit(l->parent, l->limit);
	l->parent = NULL;
	l->limit = 0;
}
