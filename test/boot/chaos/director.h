/* director.h: who starts all the others, ends them, and counts. It is the IIS, and
 * has what it gives: to each cell a purse, that it lives on with all that it makes, and
 * that is ended with it. Of the processes that the cells make it knows none. */
#pragma once

enum {
	CELLS = 5,             /* and one more for the module */
	PURSE = 12 << 20,
	CELL_BYTES = 1200 << 10,
	ROUND_STEPS = 12500,
	DEFAULT_STEPS = 50000,
	ROUND = 120 << 20,     /* all the purses of a round, and what is left of ended ones */
	CANARY_PRIORITY = 40,
	STILL = 40,            /* looks at a cell that does nothing */
	HELD_AT_ONCE = 3000,
};
#define TICK UINT64_C(2000000)
#define SETTLING UINT64_C(5000) /* ticks: until all must be back */
#define BUNDLE_AT ((const uint8_t *)0x100000000)

struct cell {
	struct native_child child;
	uint32_t purse, spender, endpoint, facet;
	uint64_t steps;      /* when last looked at */
	unsigned still, lives;
};

static struct cell cells[CELLS], module_cell;
static uint32_t module_image; /* 0: there is none */
static uint64_t module_size;
static uint32_t board_object, own_ledger, round_ledger, canary_facet, control;
static struct native_child canary_children[2];

static uint32_t info_threads(uint32_t process)
{
	struct native_call call;
	struct process_info_results_reader r;

	native_call(&call, self, process, PROCESS_ID, PROCESS_INFO);
	(void)process_info_params_build(&call.params);
	if (native_send(&call) != STATUS_OK ||
	    process_info_results_read(call.results, call.results_size, &r) != STATUS_OK)
		return 0; /* what came is no process, or none any more */
	return process_info_results_get_threads(r);
}

/* -- what they are given ------------------------------------------------------------------------- */

static uint32_t facet_of(uint32_t endpoint, uint64_t interface, uint64_t badge)
{
	struct native_call call;

	native_call(&call, self, endpoint, ENDPOINT_ID, ENDPOINT_FACET);
	struct endpoint_facet_params_builder p = endpoint_facet_params_build(&call.params);
	endpoint_facet_params_set_interface(p, interface);
	endpoint_facet_params_set_badge(p, badge);
	OK(native_send(&call));
	return call.caps[0];
}

static uint32_t make_endpoint(void)
{
	uint32_t endpoint = 0;

	OK(ledger_make(own_ledger, LEDGER_ENDPOINT, &endpoint));
	return endpoint;
}

static void make_control(void)
{
	struct native_call call;

	native_call(&call, self, native_find(self, "scheduling"), SCHEDULING_CONTROL_ID,
	            SCHEDULING_CONTROL_CHILD);
	struct scheduling_control_child_params_builder p =
		scheduling_control_child_params_build(&call.params);
	scheduling_control_child_params_set_max_priority(p, 31);
	scheduling_control_child_params_set_share(p, 3 * SCHEDULING_PROCESSOR);
	OK(native_send(&call));
	control = call.caps[0];
}

struct gift {
	const char *name;
	uint32_t cap;
};

/* All that cell `c` is given, who spends from there; how many. */
static unsigned gifts_of(unsigned c, uint32_t spender, struct gift *gifts)
{
	static const char *const names[] = { "timer", "entropy", "spawner", "libos", "modules" };
	static const char *const peers[] = { "peer-0", "peer-1", "peer-2", "peer-3", "peer-4" };
	unsigned count = 0;

	for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
		gifts[count++] = (struct gift){ names[i], native_find(self, names[i]) };
	gifts[count++] = (struct gift){ "ledger", spender };
	gifts[count++] = (struct gift){ "endpoint", cells[c].endpoint };
	gifts[count++] = (struct gift){ "canary", canary_facet };
	gifts[count++] = (struct gift){ "control", control };
	for (unsigned i = 0; i < CELLS; i++)
		gifts[count++] = (struct gift){ peers[i], cells[i].facet };
	return count;
}

static void show_board(uint32_t space)
{
	OK(native_map(self, space, board_object, 0, (void *)BOARD, BOARD_PAGES, RW));
}

/* -- a cell ------------------------------------------------------------------------------------------ */

static int (*cell_main)(struct native *);

static void fill_purse(struct cell *cell, uint64_t bytes)
{
	OK(ledger_child(round_ledger, bytes, &cell->purse));
	OK(ledger_make(cell->purse, LEDGER_SPENDER, &cell->spender));
}

static void start_cell(unsigned c)
{
	struct gift gifts[32];
	struct cell *cell = &cells[c];
	uint64_t seed = chaos_mix(board->seed ^ chaos_mix((uint64_t)c << 32 | cell->lives++));
	unsigned count;

	fill_purse(cell, PURSE);
	count = gifts_of(c, cell->spender, gifts);
	self->payer = cell->purse;
	OK(native_spawn_self(self, cell_main, (seed & ~UINT64_C(0xffff)) | c, CELL_BYTES,
	                     &cell->child));
	self->payer = 0;
	for (unsigned i = 0; i < count; i++)
		OK(native_grant(self, cell->child.process, gifts[i].name, gifts[i].cap));
	show_board(cell->child.space);
	OK(native_start(self, cell->child.thread));
	cell->still = 0;
}

static void end_cell(struct cell *cell)
{
	OK(ledger_end_all(self, cell->purse));
	native_forget(self, &cell->child);
	release(cell->purse);
	release(cell->spender);
}

/* -- the module's cell: a libOS with one process ---------------------------------------------------- */

enum { MODULE_PAGES = 500, ID = 16 };

static uint32_t load_module(unsigned lives)
{
	struct native_call call;
	char id[ID] = "chaos-m";

	for (unsigned i = 7; i < ID - 1 && (lives || i == 7); i++, lives /= 10)
		id[i] = (char)('0' + lives % 10);
	native_call(&call, self, native_find(self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder p = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(p, capnp_text_from(id));
	libos_table_load_params_set_image(p, native_attach(&call, module_image));
	libos_table_load_params_set_size(p, module_size);
	libos_table_load_params_set_pages(p, MODULE_PAGES);
	libos_table_load_params_set_timeout_ns(p, 10000000000);
	libos_table_load_params_set_ledger(p, native_attach(&call, module_cell.purse));
	OK(native_send(&call));
	return call.caps[0];
}

static void grant_module(uint32_t libos, const char *name, uint32_t cap)
{
	struct native_call call;

	native_call(&call, self, libos, LIBOS_ID, LIBOS_GRANT);
	struct libos_grant_params_builder p = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(p, capnp_text_from(name));
	libos_grant_params_set_object(p, native_attach(&call, cap));
	OK(native_send(&call));
}

/* The modules' names are the exokernel's own. */
static bool given_to_module(const char *name)
{
	return !named(name, "modules") && !named(name, "libos");
}

static void start_module(void)
{
	struct native_call call;
	struct gift gifts[32];
	unsigned count;
	uint64_t seed = chaos_mix(board->seed ^ chaos_mix((uint64_t)CELLS << 32 |
	                                                  module_cell.lives));

	if (!module_image)
		return;
	fill_purse(&module_cell, PURSE);
	module_cell.endpoint = load_module(module_cell.lives++);
	count = gifts_of(0, module_cell.spender, gifts);
	for (unsigned i = 0; i < count; i++)
		if (given_to_module(gifts[i].name))
			grant_module(module_cell.endpoint, gifts[i].name, gifts[i].cap);
	grant_module(module_cell.endpoint, "libos-table", native_find(self, "libos"));
	grant_module(module_cell.endpoint, "board", board_object);
	native_call(&call, self, module_cell.endpoint, LIBOS_ID, LIBOS_SPAWN);
	struct libos_spawn_params_builder p = libos_spawn_params_build(&call.params);
	thread_start_set_argument(libos_spawn_params_init_start(p), (seed & ~UINT64_C(0xffff)) | CELLS);
	OK(native_send(&call));
	module_cell.child = (struct native_child){ call.caps[0], call.caps[1], call.caps[2], 0 };
	OK(native_start(self, module_cell.child.thread));
	module_cell.still = 0;
}

static void end_module(void)
{
	if (!module_image)
		return;
	end_cell(&module_cell);
	release(module_cell.endpoint);
}

static void look_at_module(void)
{
	struct cell *cell = &module_cell;
	uint64_t steps = board->cell[CELLS];

	cell->still = steps == cell->steps ? cell->still + 1 : 0;
	cell->steps = steps;
	if (!module_image || (cell->still < STILL && info_threads(cell->child.process)))
		return;
	end_module();
	start_module();
}

/* Begun again when it has ended, or does nothing any more. */
static void look_at_cell(unsigned c)
{
	struct cell *cell = &cells[c];
	uint64_t steps = board->cell[c];

	cell->still = steps == cell->steps ? cell->still + 1 : 0;
	cell->steps = steps;
	if (cell->still < STILL && info_threads(cell->child.process))
		return;
	end_cell(cell);
	start_cell(c);
}

/* -- a round ------------------------------------------------------------------------------------------ */

static void nap_ticks(uint64_t ticks)
{
	static uint32_t word;

	(void)!ring_park(self->ring, &word, 0, ticks * TICK);
}

static uint64_t used_now(void)
{
	struct account account = { 0, 0, 0 };

	OK(native_account(own_ledger, &account));
	return account.used;
}

static void begin_round(void)
{
	make_control();
	OK(ledger_child(own_ledger, ROUND, &round_ledger));
	for (unsigned c = 0; c < CELLS; c++) {
		cells[c].endpoint = make_endpoint();
		cells[c].facet = facet_of(cells[c].endpoint, CHAOS_INTERFACE, c);
	}
	for (unsigned c = 0; c < CELLS; c++)
		start_cell(c);
	start_module();
}

/* All at once. */
static void end_round(void)
{
	OK(ledger_end_all(self, round_ledger));
	end_module();
	for (unsigned c = 0; c < CELLS; c++) {
		end_cell(&cells[c]);
		release(cells[c].facet);
		release(cells[c].endpoint);
	}
	release(round_ledger);
	release(control);
}

static void tell_what_is_left(void)
{
	struct native_call call;
	struct inspector_libos_results_reader r;
	struct libos_description_reader d;

	native_call(&call, self, native_find(self, "inspector"), INSPECTOR_ID, INSPECTOR_LIBOS);
	OK(native_send(&call));
	OK(inspector_libos_results_read(call.results, call.results_size, &r));
	OK(inspector_libos_results_get_libos(r, &d));
	native_print(self, "chaos: %u processes, %u threads, %u capabilities, %u other libOSes\n",
	             libos_description_get_processes(d), libos_description_get_threads(d),
	             libos_description_get_capabilities(d), libos_description_get_others(d));
}

static void all_is_back(uint64_t before)
{
	uint64_t used = 0;

	for (uint64_t i = 0; i < SETTLING; i++) {
		used = used_now();
		if (used == before)
			break;
		nap_ticks(1);
	}
	if (used != before) {
		native_print(self, "chaos: %lu bytes were used before, and now %lu\n", before, used);
		tell_what_is_left();
	}
	CHECK(&check, used == before);
}

/* No step for so long, and it hangs. */
static void play_round(uint64_t until)
{
	uint64_t before = used_now(), last = 0;
	unsigned still = 0;

	begin_round();
	while (board->steps < until && board->failures == 0 && check.failures == 0) {
		nap_ticks(1);
		for (unsigned c = 0; c < CELLS; c++)
			look_at_cell(c);
		look_at_module();
		still = board->steps == last ? still + 1 : 0;
		last = board->steps;
		CHECK(&check, still < SETTLING * 2);
	}
	end_round();
	all_is_back(before);
}

/* -- the canary ----------------------------------------------------------------------------------------- */

/* Above all that makes chaos. */
static void raise(uint32_t thread)
{
	struct native_call call;

	native_call(&call, self, native_find(self, "scheduling"), SCHEDULING_CONTROL_ID,
	            SCHEDULING_CONTROL_CREATE);
	struct scheduling_control_create_params_builder p =
		scheduling_control_create_params_build(&call.params);
	scheduling_control_create_params_set_budget_ns(p, SCHEDULING_INFINITE);
	scheduling_control_create_params_set_priority(p, CANARY_PRIORITY);
	OK(native_send(&call));
	native_call(&call, self, call.caps[0], SCHEDULING_CONTEXT_ID, SCHEDULING_CONTEXT_BIND);
	scheduling_context_bind_params_set_thread(scheduling_context_bind_params_build(&call.params),
	                                          native_attach(&call, thread));
	OK(native_send(&call));
}

static void start_canary(void)
{
	static int (*const mains[])(struct native *) = { canary_server, canary_client };
	uint32_t endpoint = make_endpoint(), facet = facet_of(endpoint, CANARY_INTERFACE, 1);
	uint32_t purse = 0, memory = 0;

	OK(ledger_child(own_ledger, CELL_BYTES, &purse));
	OK(ledger_make(purse, LEDGER_MEMORY, &memory));
	canary_facet = facet_of(endpoint, CANARY_INTERFACE, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct native_child *c = &canary_children[i];

		OK(native_spawn_self(self, mains[i], 0, 2 * CELL_BYTES, c));
		OK(native_grant(self, c->process, "endpoint", endpoint));
		OK(native_grant(self, c->process, "facet", facet));
		OK(native_grant(self, c->process, "timer", native_find(self, "timer")));
		OK(native_grant(self, c->process, "memory", memory));
		show_board(c->space);
		raise(c->thread);
		OK(native_start(self, c->thread));
	}
}

/* -- from the beginning to the end ------------------------------------------------------------------------ */

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static struct capnp_data find_file(const char *path)
{
	struct capnp_data found = { NULL, 0 };
	struct bundle bundle;
	struct bundle_entry initrd;
	struct cpio_reader reader;
	struct cpio_entry entry;
	size_t length = __builtin_strlen(path);

	OK(bundle_open(BUNDLE_AT, self->argument, &bundle));
	OK(bundle_find(&bundle, "initrd", &initrd));
	cpio_start(&reader, BUNDLE_AT + initrd.offset, initrd.size);
	while (cpio_next(&reader, &entry) == STATUS_OK)
		if (entry.path_length == length && __builtin_memcmp(entry.path, path, length) == 0)
			found = capnp_data_from(entry.content, entry.content_size);
	return found;
}

/* The next number of a text; false: there is none. */
static bool number(struct capnp_data *text, uint64_t *value)
{
	bool any = false;

	*value = 0;
	while (text->size > 0 && (*text->bytes == ' ' || *text->bytes == '\n'))
		text->bytes++, text->size--;
	while (text->size > 0 && *text->bytes >= '0' && *text->bytes <= '9') {
		*value = *value * 10 + (*text->bytes - '0');
		text->bytes++, text->size--;
		any = true;
	}
	return any;
}

/* The module, as a memory object. */
static void find_module(void)
{
	struct capnp_data file = find_file("chaos.mod");
	uint8_t *window = (uint8_t *)ARENA;

	if (file.size == 0)
		return;
	module_size = file.size;
	module_image = allocate(native_pages(file.size));
	OK(native_map(self, here, module_image, 0, window, native_pages(file.size), RW));
	__builtin_memcpy(window, file.bytes, file.size);
	OK(native_unmap(self, here, window, native_pages(file.size)));
}

static void set_up(void)
{
	static uint32_t held[HELD_AT_ONCE];
	struct capnp_data file;
	uint64_t seed, most;
	uint32_t count = 0;

	own_ledger = native_find(self, "ledger");
	board_object = allocate(BOARD_PAGES);
	show_board(here);
	board = BOARD;
	OK(native_map(self, here, native_find(self, "bundle"), 0, (void *)BUNDLE_AT,
	              native_pages(self->argument), ACCESS_READ));
	file = find_file("chaos");
	board->seed = number(&file, &seed) ? seed : ticks();
	board->most = number(&file, &most) ? most : DEFAULT_STEPS;
	find_module();
	native_print(self, "chaos: seed %lu, %lu steps%s\n", board->seed, board->most,
	             module_image ? ", with a module" : "");
	for (uint32_t access = 0; (access & ACCESS_WRITE) == 0 && board->data_page < 1000;
	     board->data_page++)
		OK(native_query(self, here, (uintptr_t)native_image + board->data_page * 4096ul,
		                &access));
	board->data_page--;
	/* Our table of capabilities grows to its full size once. */
	while (count < HELD_AT_ONCE && native_allocate(self, pool, 1, &held[count]) == STATUS_OK)
		count++;
	while (count > 0)
		release(held[--count]);
}

static void tell(void)
{
	for (unsigned i = 0; i < OPS; i++) {
		uint32_t asked = board->op[i].asked, ok = board->op[i].ok, most = 0;

		for (uint32_t s = 1; s < STATUS_COUNT; s++)
			if (board->status[i][s] > board->status[i][most])
				most = s;
		if (asked)
			native_print(self, "%u of %u (%u%%) %s; else %s %u\n", ok, asked,
			             (uint32_t)(ok * 100ul / asked), table[i].op.name,
			             native_status((enum status)most), board->status[i][most]);
	}
	for (uint32_t i = 0; i < board->failures && i < BOARD_FAILURES; i++) {
		volatile struct failure *f = &board->failure[i];

		native_print(self, "chaos: %s (%s, status %u, %lx, generator at %lx)\n",
		             (const char *)f->what, table[f->op % OPS].op.name, f->status, f->extra,
		             f->seed);
	}
	native_print(self, "chaos: %lu steps, %lu spoiled, %lu processes by processes, %lu answers "
	             "of the canary, the slowest in %lu us\n", board->steps, board->spoiled,
	             board->crumbs, board->canary_calls, board->canary_worst / 1000);
}

static void direct(int (*main)(struct native *))
{
	cell_main = main;
	set_up();
	start_canary();
	for (uint64_t steps = 0; steps < board->most && board->failures == 0 && check.failures == 0;) {
		steps = steps + ROUND_STEPS < board->most ? steps + ROUND_STEPS : board->most;
		play_round(steps);
	}
	tell();
	CHECK(&check, board->failures == 0);
	CHECK(&check, board->canary_calls > 0);
}
