/* libos.c: see libos.h. The table, and the interface to it. */
#include "kernel/libos.h"

#include "abi/libos.capnp.h"
#include "abi/module.h"
#include "abi/process.capnp.h"
#include "kernel/arch/x86_64/clock.h"
#include "kernel/arch/x86_64/x86.h"
#include "kernel/domain.h"
#include "kernel/arch/x86_64/cpu.h"
#include "kernel/image.h"
#include "kernel/ledger.h"
#include "kernel/log.h"
#include "kernel/messages.h"
#include "kernel/panic.h"
#include "kernel/string.h"

enum {
	LEDGER_SLACK = 64 * PAGE_SIZE, /* what "all that is left" leaves */
	PIDS_SHARE = 8,                /* one part in so many, if nobody says how many */
	ENDS_AT_ONCE = 16,             /* processes, by one call */
};

static const uint64_t timeout_max = 3600ul * 1000000000; /* ns */

static struct libos *table[LIBOS_MAX];

unsigned libos_count(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < LIBOS_MAX; i++)
		count += table[i] != NULL;
	return count;
}

static struct libos **find_slot(const char *id, size_t length)
{
	for (unsigned i = 0; i < LIBOS_MAX; i++)
		if (table[i] && strlen(table[i]->id) == length &&
		    memcmp(table[i]->id, id, length) == 0)
			return &table[i];
	return NULL;
}

struct libos *libos_find(const char *id, size_t length)
{
	struct libos **slot = find_slot(id, length);

	return slot ? *slot : NULL;
}

static struct libos **free_slot(void)
{
	for (unsigned i = 0; i < LIBOS_MAX; i++)
		if (!table[i])
			return &table[i];
	return NULL;
}

static bool id_ok(const char *id, size_t length)
{
	if (length == 0 || length >= LIBOS_NAME)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!(id[i] >= 'a' && id[i] <= 'z') && !(id[i] >= '0' && id[i] <= '9') &&
		    !(id[i] >= 'A' && id[i] <= 'Z') && id[i] != '-')
			return false;
	return true;
}

/* -- shares of the machine's tables ------------------------------------------- */

/* The first libOS has every PID (0 is none) and every place but its own. */
static void take_shares(struct libos *l, const struct libos_request *r)
{
	l->loader = r->loader;
	l->pids_left = r->loader ? r->pids : PID_COUNT - 1;
	l->loads_left = r->loader ? r->loads : LIBOS_MAX - 1;
	if (!r->loader)
		return;
	l->loader->pids_left -= r->pids;
	l->loader->loads_left -= r->loads + 1;
}

static bool shares_ok(const struct libos_request *r)
{
	return !r->loader || (r->pids <= r->loader->pids_left && r->loader->loads_left > 0 &&
	                      r->loads <= r->loader->loads_left - 1);
}

enum status libos_take_pid(struct libos *l)
{
	if (l->pids_left == 0)
		return STATUS_NO_SLOT;
	l->pids_left--;
	return STATUS_OK;
}

void libos_return_pid(struct libos *l)
{
	l->pids_left++;
}

/* All that it had is its heir's: also what it gave to others, when that comes
 * back, and the PIDs of processes that have ended and are still named. */
static void bequeath(struct libos *l)
{
	struct libos *heir = l->loader;

	KASSERT(heir);
	heir->pids_left += l->pids_left;
	heir->loads_left += l->loads_left + 1;
	l->pids_left = l->loads_left = 0;
	for (unsigned i = 0; i < LIBOS_MAX; i++)
		if (table[i] && table[i]->loader == l)
			table[i]->loader = heir;
	for (uint32_t pid = 1; pid < pids.count; pid++)
		if (pids.slots[pid] && pids.slots[pid]->pid_payer == l)
			pids.slots[pid]->pid_payer = heir;
}

void libos_inherit(struct libos *from, struct libos *to)
{
	KASSERT(!from->loader);
	from->loader = to;
	to->loader = NULL;
}

/* -- coming and going ---------------------------------------------------------- */

static enum status isolate(struct libos *l)
{
	l->own_pids.slots = page_alloc(l->domain->ledger);
	if (!l->own_pids.slots)
		return STATUS_NO_MEMORY;
	l->own_pids.count = PID_COUNT_ISOLATED;
	l->own_pids.next = 1;
	l->pids = &l->own_pids;
	l->isolated = true;
	return STATUS_OK;
}

/* What it owns beside its structure. */
static enum status furnish(struct libos *l, const struct libos_request *r)
{
	l->domain = domain_create(r->ledger, r->bytes);
	if (!l->domain)
		return STATUS_NO_MEMORY;
	if (r->isolated)
		return isolate(l);
	l->pids = &pids;
	l->messages = message_buffer_create(l);
	return l->messages ? STATUS_OK : STATUS_NO_MEMORY;
}

enum status libos_register(const struct libos_request *r, struct libos **out)
{
	struct libos **slot = free_slot();
	struct libos *l;

	if (!id_ok(r->id, r->id_length))
		return STATUS_INVALID;
	if (find_slot(r->id, r->id_length))
		return STATUS_EXISTS;
	if (!slot || !shares_ok(r))
		return STATUS_NO_SLOT;
	l = block_alloc(r->ledger, sizeof(*l));
	if (!l)
		return STATUS_NO_MEMORY;
	object_init(&l->object, &libos_type);
	memcpy(l->id, r->id, r->id_length);
	l->ledger = r->ledger;
	if (furnish(l, r)) {
		if (l->domain)
			domain_drop(l->domain);
		block_free(l, sizeof(*l), r->ledger);
		return STATUS_NO_MEMORY;
	}
	take_shares(l, r);
	object_hold(&l->object); /* the table's */
	*slot = l;
	*out = l;
	return STATUS_OK;
}

/* Ended processes whose capabilities are still held have no PID from now on. */
static void forget_pids(struct libos *l)
{
	if (!l->own_pids.slots)
		return;
	for (uint32_t i = 0; i < l->own_pids.count; i++)
		if (l->own_pids.slots[i])
			l->own_pids.slots[i]->pids = NULL;
	page_free(l->own_pids.slots);
	l->own_pids.slots = NULL;
}

/* Processes that run on another CPU end a little later. */
static void kill_processes(struct libos *l)
{
	for (uint32_t i = 1; l->processes && i < l->pids->count; i++) {
		struct process *p = l->pids->slots[i];

		if (p && p->libos == l)
			process_kill(p, -1, END_REASON_KILLED);
	}
}

/* The last process is gone. A capability to it that is still somewhere finds it GONE. */
static void end(struct libos *l)
{
	struct domain *d = l->domain;
	struct space *region = l->region;

	log_line("libOS %s dropped", l->id);
	*find_slot(l->id, strlen(l->id)) = NULL;
	bequeath(l);
	l->domain = NULL;
	l->region = NULL;
	forget_pids(l);
	if (l->messages)
		message_buffer_close(l->messages);
	l->messages = NULL;
	domain_drop(d);
	if (region)
		object_drop(&region->object);
	object_drop(&l->object);
}

void libos_drop(struct libos *l)
{
	l->ending = l->failed = true; /* it takes no more */
	timeout_cancel(&l->load_timer);
	l->processes++;    /* ours, for now */
	kill_processes(l); /* that nobody has started, and now nobody can */
	if (--l->processes == 0)
		end(l);
}

void libos_enter(struct libos *l, struct process *p)
{
	p->libos = l;
	p->module_syscall = l->head_syscall;
	p->module_trap = l->head_trap;
	l->processes++;
}

void libos_leave(struct libos *l, const struct process *p)
{
	l->processes--;
	l->started -= p->started;
	if (l->ending && l->processes == 0)
		end(l);
	else if (!l->ending && l->used && (l->processes == 0 || (p->started && l->started == 0)))
		libos_drop(l);
}

void libos_started(struct libos *l)
{
	l->started++;
	timeout_cancel(&l->load_timer);
}

void libos_fail(struct libos *l)
{
	if (l->failed)
		return;
	l->failed = true;
	object_hold(&l->object);
	log_line("libOS %s has failed: all of it ends", l->id);
	kill_processes(l);
	object_drop(&l->object);
}

/* -- what lives on a ledger ------------------------------------------------------ */

static bool lives_on(const struct process *p, const struct ledger *top)
{
	return ledger_is_below(p->ledger, top) ||
	       ledger_is_below(p->libos->domain->ledger, top);
}

/* Those in a table, which may go with its last one. Gives how many more may end. */
static unsigned end_those_on(const struct ledger *top, const struct pid_table *in,
                             const struct process *but, unsigned left)
{
	struct process *const *slot = in->slots, *const *end = slot + in->count;

	for (; slot != end; slot++) {
		struct process *p = *slot;

		if (!p || !p->libos || p->end_reason || p == but || !lives_on(p, top))
			continue;
		process_kill(p, -1, END_REASON_LEDGER_ENDED);
		if (--left == 0 || !in->slots)
			break;
	}
	return left;
}

bool libos_end_on(const struct ledger *top, struct process *last)
{
	unsigned left = end_those_on(top, &pids, last, ENDS_AT_ONCE);

	for (unsigned i = 0; i < LIBOS_MAX; i++) {
		struct libos *l = table[i];

		if (!l)
			continue;
		object_hold(&l->object);
		left = left ? end_those_on(top, &l->own_pids, last, left) : 0;
		if (l->domain && ledger_is_below(l->domain->ledger, top)) {
			l->failed = true; /* nothing new begins under it, */
			if (!l->used)
				libos_drop(l); /* and nothing had begun */
		}
		object_drop(&l->object);
	}
	if (left && lives_on(last, top))
		process_kill(last, -1, END_REASON_LEDGER_ENDED);
	return left;
}

static void load_expired(struct timeout *t)
{
	struct libos *l = (struct libos *)((char *)t - offsetof(struct libos, load_timer));

	log_line("libOS %s: no process came in time", l->id);
	libos_drop(l);
}

/* -- its module ------------------------------------------------------------------ */

static enum status read_head(struct libos *l, uint64_t entry)
{
	const uint64_t *stack_top;

	if (entry % 8 || entry + MODULE_HEAD_SIZE > page_up(entry + 1))
		return STATUS_BAD_MESSAGE;
	stack_top = space_reach(l->region, entry + MODULE_HEAD_STACK, false);
	if (!stack_top)
		return STATUS_BAD_MESSAGE;
	l->head_start = entry + MODULE_HEAD_START;
	l->head_syscall = entry + MODULE_HEAD_SYSCALL;
	l->head_trap = entry + MODULE_HEAD_TRAP;
	l->head_stack = *stack_top;
	return STATUS_OK;
}

enum status libos_load_module(struct libos *l, struct memobject *image, uint64_t size)
{
	struct elf_image elf;
	enum status status = image_check(image, size, MODULE_BASE, MODULE_CAPSET, &elf);

	if (status)
		return status;
	l->region = space_create_region(l->domain->ledger);
	if (!l->region)
		return STATUS_NO_MEMORY;
	status = image_load(l->region, image, &elf);
	if (!status)
		status = read_head(l, elf.entry);
	if (!status)
		status = space_map_frame(l->region, MODULE_CAPSET,
		                         virt_to_frame(l->domain->capset),
		                         PTE_PRESENT | PTE_NX);
	l->module_bytes = elf.high - elf.low;
	return status;
}

/* -- LibosTable ------------------------------------------------------------------ */

static enum status find_image(struct call *call, struct libos_table_load_params_reader p,
                              struct memobject **image)
{
	uint32_t index;

	*image = NULL;
	if (libos_table_load_params_get_image(p, &index) == STATUS_NO_CAP &&
	    !libos_table_load_params_has_image(p))
		return STATUS_OK;
	*image = (struct memobject *)call_cap(call, index, &memobject_type);
	return *image ? STATUS_OK : STATUS_NO_CAP;
}

/* Who pays: the ledger that came along, or the caller's own. NULL: what came is
 * none. */
static struct ledger *find_payer(struct call *call, struct libos_table_load_params_reader p)
{
	uint32_t index;

	if (!libos_table_load_params_has_ledger(p))
		return call->domain->ledger;
	return libos_table_load_params_get_ledger(p, &index) ? NULL : ledger_that_came(call, index);
}

static uint64_t bytes_for(const struct ledger *payer, uint64_t pages)
{
	uint64_t room = ledger_room(payer);

	if (pages == 0)
		return room > LEDGER_SLACK ? room - LEDGER_SLACK : 0;
	return pages < UINT64_MAX >> PAGE_SHIFT ? pages << PAGE_SHIFT : UINT64_MAX;
}

static uint32_t pids_for(const struct libos *loader, uint32_t wanted, bool isolated)
{
	if (isolated)
		return 0;
	return wanted ? wanted : loader->pids_left / PIDS_SHARE;
}

static enum status read_request(struct call *call, struct libos_table_load_params_reader params,
                                struct libos_request *r)
{
	struct libos *loader = call->thread->process->libos;
	struct ledger *payer = find_payer(call, params);
	struct capnp_text id;
	enum status status = libos_table_load_params_get_id(params, &id);
	bool isolated = libos_table_load_params_get_isolated(params);

	if (!status && !payer)
		status = STATUS_NO_CAP;
	if (!status && loader->isolated && !isolated)
		status = call_refuse(call, STATUS_DENIED, "what it loads is isolated, too");
	if (status)
		return status;
	*r = (struct libos_request){
		.id = id.bytes,
		.id_length = id.length,
		.ledger = payer,
		.bytes = bytes_for(payer, libos_table_load_params_get_pages(params)),
		.loader = loader,
		.pids = pids_for(loader, libos_table_load_params_get_pids(params), isolated),
		.loads = libos_table_load_params_get_liboses(params),
		.isolated = isolated,
	};
	return STATUS_OK;
}

static enum status grant_list(struct libos *l, struct call *call,
                              struct libos_table_load_params_reader params)
{
	struct capnp_list list;
	enum status status = libos_table_load_params_get_capabilities(params, &list);

	for (uint32_t i = 0; i < list.count && !status; i++) {
		struct named_capability_reader named = named_capability_list_get(list, i);
		struct capnp_text name;
		uint32_t index;

		status = named_capability_get_name(named, &name);
		if (!status && named_capability_get_object(named, &index))
			status = STATUS_NO_CAP;
		if (!status)
			status = libos_grant(l, call, name, index);
	}
	return status;
}

static void set_timer(struct libos *l, uint64_t timeout)
{
	if (timeout > timeout_max)
		timeout = timeout_max;
	timeout_set(&l->load_timer, clock_now() + timeout, load_expired);
}

static enum status call_load(struct call *call)
{
	struct libos_table_load_params_reader params = {call->params};
	struct libos_request request;
	struct memobject *image;
	struct libos *l;
	enum status status = find_image(call, params, &image);

	if (!status)
		status = read_request(call, params, &request);
	if (!status)
		status = libos_register(&request, &l);
	if (status)
		return status;
	if (image)
		status = libos_load_module(l, image, libos_table_load_params_get_size(params));
	if (!status)
		status = grant_list(l, call, params);
	if (status) {
		libos_drop(l);
		object_drop(&l->object);
		return status;
	}
	set_timer(l, libos_table_load_params_get_timeout_ns(params));
	log_line("libOS %s loaded, %lu bytes of module", l->id, l->module_bytes);
	libos_table_load_results_set_libos(libos_table_load_results_build(&call->results),
	                                   call_answer_cap(call, &l->object));
	return STATUS_OK;
}

static enum status call_list(struct call *call)
{
	struct libos_table_list_results_builder results =
		libos_table_list_results_build(&call->results);
	struct capnp_list_builder list =
		libos_table_list_results_init_entries(results, libos_count());

	for (unsigned i = 0, n = 0; i < LIBOS_MAX; i++) {
		struct libos_entry_builder entry;

		if (!table[i])
			continue;
		entry = libos_entry_list_build(list, n++);
		libos_entry_set_id(entry, capnp_text_from(table[i]->id));
		libos_entry_set_processes(entry, table[i]->processes);
		libos_entry_set_capabilities(entry, table[i]->domain->table.used);
		libos_entry_set_module_bytes(entry, table[i]->module_bytes);
		libos_entry_set_isolated(entry, table[i]->isolated);
		libos_entry_set_pids(entry, table[i]->pids_left);
		libos_entry_set_liboses(entry, table[i]->loads_left);
	}
	return STATUS_OK;
}

static enum status table_call(struct object *o, struct call *call)
{
	(void)o;
	switch (call->method) {
	case LIBOS_TABLE_LOAD:
		return call_load(call);
	case LIBOS_TABLE_LIST:
		return call_list(call);
	default:
		return STATUS_NO_METHOD;
	}
}

static void table_destroy(struct object *o)
{
	(void)o;
	panic("the libOS table lost its last reference");
}

const struct object_type libos_table_type = {
	.name = "libOS table",
	.interface = LIBOS_TABLE_ID,
	.call = table_call,
	.destroy = table_destroy,
};

struct object *libos_table_object(void)
{
	static struct object object = {.type = &libos_table_type, .refs = 1};

	object_hold(&object);
	return &object;
}
