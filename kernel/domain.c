/* domain.c: see domain.h. */
#include "kernel/domain.h"

#include "kernel/ending.h"
#include "kernel/object.h"
#include "kernel/revoker.h"
#include "kernel/string.h"

struct domain *domain_create(struct ledger *parent, uint64_t limit)
{
	struct ledger *ledger = ledger_create(parent, limit);
	struct domain *d;

	if (!ledger)
		return NULL;
	d = block_alloc(ledger, sizeof(*d));
	if (!d)
		goto no_domain;
	d->capset = page_alloc(ledger);
	if (!d->capset)
		goto no_capset;
	d->object.refs = 1;
	d->ledger = ledger;
	captable_init(&d->table);
	return d;

no_capset:
	block_free(d, sizeof(*d), ledger);
no_domain:
	ledger_close(ledger);
	return NULL;
}

void domain_hold(struct domain *d)
{
	d->object.refs++;
}

/* What a capability holds may end with it. */
enum { WORK_CAPABILITY = 8 };

static bool end(struct object *dying)
{
	struct domain *d = (struct domain *)dying;
	struct ledger *ledger = d->ledger;
	struct object *o;

	while ((o = captable_drain(&d->table, &d->drained))) {
		object_drop(o);
		ending_left -= WORK_CAPABILITY;
		if (ending_left <= 0)
			return false;
	}
	for (unsigned i = 0; i < d->table.page_count; i++)
		page_free(d->table.pages[i]);
	page_free(d->capset);
	block_free(d, sizeof(*d), ledger);
	ledger_close(ledger);
	return true;
}

void domain_drop(struct domain *d)
{
	if (--d->object.refs == 0)
		ending_add(&d->object, end);
}

static enum status grow(struct domain *d)
{
	enum status status;
	void *page = page_alloc(d->ledger);

	if (!page)
		return STATUS_NO_MEMORY;
	status = captable_grow(&d->table, page);
	if (status)
		page_free(page);
	return status;
}

enum status domain_grow(struct domain *d, unsigned count)
{
	while ((unsigned)d->table.page_count * CAPTABLE_PAGE_SLOTS - d->table.used < count) {
		enum status status = grow(d);

		if (status)
			return status;
	}
	return STATUS_OK;
}

enum status domain_insert(struct domain *d, struct object *o, uint32_t *id)
{
	enum status status = STATUS_OK;

	if (!captable_has_room(&d->table))
		status = grow(d);
	if (!status)
		status = captable_insert(&d->table, o, id);
	if (status)
		object_drop(o);
	return status;
}

static bool capset_has(const struct capset *set, const char *name, size_t length)
{
	for (uint32_t i = 0; i < set->count; i++) {
		const char *other = set->entries[i].name;

		if (strlen(other) == length && memcmp(other, name, length) == 0)
			return true;
	}
	return false;
}

enum status domain_grant(struct domain *d, const char *name, size_t length,
                         struct object *o)
{
	struct capset *set = d->capset;
	enum status status = STATUS_INVALID;
	const struct object *shown = object_resolve(o); /* a lease shows its target */
	struct capset_entry *entry;
	uint32_t id;

	if (!shown) {
		status = STATUS_GONE;
		goto refuse;
	}
	if (length == 0 || length >= CAPSET_NAME)
		goto refuse;
	status = STATUS_NO_SLOT;
	if (set->count == CAPSET_MAX)
		goto refuse;
	status = STATUS_EXISTS;
	if (capset_has(set, name, length))
		goto refuse;
	status = domain_insert(d, o, &id);
	if (status)
		return status;
	entry = &set->entries[set->count];
	*entry = (struct capset_entry){.interface = object_interface(shown), .cap = id};
	memcpy(entry->name, name, length);
	/* A program may be reading: it sees whole entries. */
	__atomic_store_n(&set->count, set->count + 1, __ATOMIC_RELEASE);
	return STATUS_OK;

refuse:
	object_drop(o);
	return status;
}
