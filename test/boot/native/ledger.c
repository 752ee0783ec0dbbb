/* ledger.c: what Ledger promises and what it refuses. Every step leaves the
 * program's own ledger exactly as it found it, to the byte. */
#include "test/boot/native/ledger.h"

enum {
	NEVER_A_METHOD = 99,
	MEGABYTE = 1 << 20,
	DEEP = 100,                   /* more than a tree may be deep */
	CHAINS = 360, CHAIN = 25,     /* 9000 ledgers */
	CHAIN_BYTES = 4 * NATIVE_PAGE,
};

static uint32_t own;
static uint64_t price; /* bytes that a child costs beside its limit */

static void a_ledger_says_what_it_has(void)
{
	struct account before = account_of(own);
	CHECK(&check, available() == (before.limit - before.used) / NATIVE_PAGE);
	uint32_t object = allocate(256);
	struct account after = account_of(own);
	CHECK(&check, after.limit == before.limit && after.peak >= after.used);
	CHECK(&check, after.used >= before.used + 256 * NATIVE_PAGE);
	CHECK(&check, after.used <= before.used + 258 * NATIVE_PAGE); /* and its bookkeeping */
	release(object);
}

static void a_child_has_what_its_parent_gave(void)
{
	uint64_t before = left(own);
	uint32_t little = child(own, 5);
	struct account account = account_of(little);
	CHECK(&check, account.limit == 5 && account.used == 0 && account.peak == 0);
	CHECK(&check, left(own) <= before - 5 - price);
	uint32_t second = child(own, 3 * MEGABYTE);
	CHECK(&check, account_of(second).limit == 3 * MEGABYTE);
	CHECK(&check, left(own) < before - 3 * MEGABYTE - 5);
	release(second);
	release(little);
	CHECK(&check, left(own) == before);
}

static void more_than_there_is_is_refused(void)
{
	uint32_t made;
	uint64_t all = left(own);
	REFUSED(NO_MEMORY, ledger_child(own, UINT64_MAX, &made));
	REFUSED(NO_MEMORY, ledger_child(own, all + 1, &made));
	REFUSED(NO_MEMORY, ledger_child(own, all, &made)); /* nothing for the price */
	REFUSED(NO_MEMORY, ledger_child(own, UINT64_MAX - 4096, &made));
	CHECK(&check, left(own) == all);
	uint32_t small = child(own, 100);
	REFUSED(NO_MEMORY, ledger_child(small, 0, &made));
	REFUSED(NO_MEMORY, ledger_make(small, LEDGER_MEMORY, &made));
	CHECK(&check, account_of(small).used == 0);
	release(small);
	small = child(own, 0);
	release(small);
}

static void a_method_that_is_not_there(void)
{
	struct native_call call;
	native_call(&call, self, own, LEDGER_ID, NEVER_A_METHOD);
	REFUSED(NO_METHOD, native_send(&call));
}

/* A child's objects outlive it, and hold no more than they are. */
static void a_pool_spends_its_ledger(void)
{
	uint64_t before = left(own), pages = 0;
	uint32_t purse = child(own, MEGABYTE), shop, object, more;
	OK(ledger_make(purse, LEDGER_MEMORY, &shop));
	uint64_t mine = left(own);
	OK(native_available(self, shop, &pages));
	CHECK(&check, pages == left(purse) / NATIVE_PAGE);
	OK(native_allocate(self, shop, 10, &object));
	CHECK(&check, left(own) == mine);
	CHECK(&check, account_of(purse).used >= 10 * NATIVE_PAGE);
	put(object, 9, 7);
	REFUSED(NO_MEMORY, native_allocate(self, shop, MEGABYTE / NATIVE_PAGE, &more));
	release(purse);
	CHECK(&check, left(own) > before - MEGABYTE / 2);
	CHECK(&check, left(own) <= before - 10 * NATIVE_PAGE);
	REFUSED(NO_MEMORY, native_allocate(self, shop, 1, &more)); /* it is closed */
	CHECK(&check, word(object, 9) == 7);
	release(shop);
	CHECK(&check, left(own) <= before - 10 * NATIVE_PAGE);
	release(object);
	CHECK(&check, left(own) == before);
}

/* own, a under it, b under a, c beside a: whatever moves, the sum stays. */
static uint32_t a, b, c;

static void tree(void)
{
	a = child(own, 8 * MEGABYTE);
	b = child(a, 2 * MEGABYTE);
	c = child(own, MEGABYTE);
}

static void fell(void)
{
	release(a); /* before its child */
	release(c);
	release(b);
}

static uint64_t sum(void)
{
	return left(own) + left(a) + left(b) + left(c);
}

static void donate(uint32_t from, uint32_t to, uint64_t bytes)
{
	uint64_t total = sum(), gives = left(from), takes = left(to);
	OK(ledger_donate(from, to, bytes));
	CHECK(&check, sum() == total);
	CHECK(&check, from == to ? left(to) == takes
	                         : left(from) == gives - bytes && left(to) == takes + bytes);
}

static void what_is_donated_arrives(void)
{
	tree();
	uint32_t all[] = { own, a, b, c };
	for (unsigned from = 0; from < 4; from++)
		for (unsigned to = 0; to < 4; to++) {
			donate(all[from], all[to], 0);
			donate(all[from], all[to], 4097);
			donate(all[from], all[to], left(all[from]));
			if (from != to)
				donate(all[to], all[from], left(all[to]) / 2);
		}
	fell();
}

static void donations_that_cannot_be(void)
{
	tree();
	uint32_t all[] = { own, a, b, c };
	uint64_t total = sum();
	for (unsigned from = 0; from < 4; from++)
		for (unsigned to = 0; to < 4; to++) {
			REFUSED(NO_MEMORY, ledger_donate(all[from], all[to], UINT64_MAX));
			REFUSED(NO_MEMORY, ledger_donate(all[from], all[to], 1ull << 63));
			REFUSED(NO_MEMORY, ledger_donate(all[from], all[to], left(all[from]) + 1));
		}
	REFUSED(NO_CAP, ledger_donate(a, 0, 1));
	REFUSED(NO_CAP, ledger_donate(a, pool, 1));
	CHECK(&check, sum() == total);
	fell();
}

/* Closed, but not gone: a spender names it. What came to it would be nobody's. */
static void nothing_goes_to_a_closed_ledger(void)
{
	uint64_t before = left(own);
	uint32_t purse = child(own, MEGABYTE), spender;
	bool more = true;
	OK(ledger_make(purse, LEDGER_SPENDER, &spender));
	OK(ledger_donate(own, spender, 1));
	release(purse);
	uint64_t open = left(own);
	REFUSED(GONE, ledger_donate(own, spender, 0));
	REFUSED(GONE, ledger_donate(own, spender, 1));
	REFUSED(GONE, ledger_donate(own, spender, UINT64_MAX));
	REFUSED(GONE, ledger_donate(spender, spender, 0));
	CHECK(&check, left(own) == open && left(spender) == 0);
	release(spender);
	CHECK(&check, left(own) == before);
	purse = child(own, MEGABYTE);
	OK(ledger_end_some(self, purse, &more));
	REFUSED(GONE, ledger_donate(own, purse, 1));
	CHECK(&check, !more && left(purse) == 0);
	release(purse);
	CHECK(&check, left(own) == before);
}

/* Nor does what it takes back from a child: that is its parent's at once. */
static void a_closed_ledger_takes_back(void)
{
	uint64_t before = left(own), moved = 0;
	uint32_t purse = child(own, MEGABYTE), spender, inner = child(purse, MEGABYTE / 2);
	OK(ledger_make(purse, LEDGER_SPENDER, &spender));
	release(purse);
	uint64_t open = left(own);
	OK(ledger_reclaim(spender, inner, 12345, &moved));
	CHECK(&check, moved == 12345 && left(inner) == MEGABYTE / 2 - 12345);
	CHECK(&check, left(spender) == 0 && left(own) == open + 12345);
	release(spender);
	release(inner);
	CHECK(&check, left(own) == before);
}

static void a_parent_takes_back(void)
{
	uint64_t moved = 99;
	tree();
	uint64_t total = sum(), lent = left(b);
	OK(ledger_reclaim(a, b, 0, &moved));
	CHECK(&check, moved == 0 && left(b) == lent);
	OK(ledger_reclaim(a, b, 12345, &moved));
	CHECK(&check, moved == 12345 && left(b) == lent - 12345);
	uint32_t shop, object;
	OK(ledger_make(b, LEDGER_MEMORY, &shop));
	OK(native_allocate(self, shop, 3, &object));
	uint64_t used = account_of(b).used;
	OK(ledger_reclaim(a, b, UINT64_MAX, &moved));
	CHECK(&check, moved == lent - 12345 - used);
	CHECK(&check, left(b) == 0 && account_of(b).used == used);
	OK(ledger_reclaim(a, b, UINT64_MAX, &moved));
	CHECK(&check, moved == 0);
	CHECK(&check, sum() == total - used);
	release(object);
	release(shop);
	CHECK(&check, sum() == total);
	REFUSED(DENIED, ledger_reclaim(own, b, 1, &moved)); /* a child's child */
	REFUSED(DENIED, ledger_reclaim(b, a, 1, &moved));   /* its parent */
	REFUSED(DENIED, ledger_reclaim(c, a, 1, &moved));   /* one beside it */
	REFUSED(DENIED, ledger_reclaim(a, a, 1, &moved));
	REFUSED(DENIED, ledger_reclaim(own, own, UINT64_MAX, &moved));
	REFUSED(NO_CAP, ledger_reclaim(own, 0, 1, &moved));
	REFUSED(NO_CAP, ledger_reclaim(own, here, 1, &moved));
	CHECK(&check, sum() == total);
	fell();
}

/* Ledgers of ledgers, as deep as may be, and deeper. */
static void a_tree_has_a_depth(void)
{
	uint32_t made[DEEP], count = 0;
	enum status status = STATUS_OK;
	uint64_t before = left(own);
	while (count < DEEP) {
		status = ledger_child(count ? made[count - 1] : own, 64ull * MEGABYTE - count * 65536ull,
		                      &made[count]);
		if (status != STATUS_OK)
			break;
		count++;
	}
	CHECK_STATUS(&check, STATUS_NO_MEMORY, status);
	CHECK(&check, count >= 16 && count < DEEP);
	uint64_t bottom = left(made[count - 1]);
	OK(ledger_donate(made[count - 1], own, bottom)); /* through all of them */
	CHECK(&check, left(made[count - 1]) == 0);
	for (uint32_t i = 0; i < count; i++)
		release(made[i]); /* from the top */
	CHECK(&check, left(own) == before);
}

/* One page of memory, charged CHAIN ledgers down; only its capability is kept. */
static uint32_t hang_chain(void)
{
	uint32_t links[CHAIN], shop, object = 0;
	for (unsigned i = 0; i < CHAIN; i++)
		links[i] = child(i ? links[i - 1] : own,
		                 CHAIN_BYTES + (CHAIN - 1 - i) * (2ull * NATIVE_PAGE + price));
	OK(ledger_make(links[CHAIN - 1], LEDGER_MEMORY, &shop));
	OK(native_allocate(self, shop, 1, &object));
	put(object, 0, 1);
	release(shop);
	for (unsigned i = 0; i < CHAIN; i++)
		release(links[i]);
	return object;
}

static void thousands_of_ledgers(void)
{
	static uint32_t objects[CHAINS];
	for (unsigned i = 0; i < CHAINS; i++)
		objects[i] = hang_chain();
	for (unsigned i = 0; i < CHAINS; i++)
		release(objects[i]);
}

/* All that one domain can hold: then the table of capabilities is full. */
static void as_many_children_as_capabilities(void)
{
	static uint32_t made[8192];
	uint32_t count = 0;
	enum status status = STATUS_OK;
	while (count < 8192 && (status = ledger_child(own, 0, &made[count])) == STATUS_OK)
		count++;
	CHECK_STATUS(&check, STATUS_NO_SLOT, status);
	CHECK(&check, count > 4000);
	while (count > 0)
		release(made[--count]);
}

/* Not of the first child, whose record may begin a page. */
static void find_price(void)
{
	uint32_t first = child(own, 0);
	uint64_t before = left(own);
	uint32_t second = child(own, 0);
	price = before - left(own);
	release(second);
	release(first);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_ledger_says_what_it_has, a_child_has_what_its_parent_gave,
		more_than_there_is_is_refused, a_method_that_is_not_there,
		a_pool_spends_its_ledger, what_is_donated_arrives, donations_that_cannot_be,
		nothing_goes_to_a_closed_ledger, a_closed_ledger_takes_back, a_parent_takes_back, a_tree_has_a_depth, thousands_of_ledgers,
		as_many_children_as_capabilities,
	};
	start(given, "ledger");
	own = native_find(self, "ledger");
	CHECK(&check, own != 0);
	find_price();
	run(steps, sizeof steps / sizeof steps[0]);
}
