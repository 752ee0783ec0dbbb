/* account.c: see account.h. */
#include "kernel/account.h"

#include "kernel/ending.h"
#include "kernel/panic.h"

enum { IN_PAGE = PAGE_SIZE / sizeof(void *), PAGES = ACCOUNT_NUMBERS / IN_PAGE };

static struct account root, kernel;
struct ledger *const kmem_root = &root.ledger;
struct ledger *const kmem_kernel = &kernel.ledger;

/* By number. A free place has its lowest bit set; the others say which place is
 * the next free one. Pages come from the kernel's ledger and stay. */
static uintptr_t first_page[IN_PAGE];
static uintptr_t *pages[PAGES] = {first_page};
static uint32_t free_head = ACCOUNT_NUMBERS; /* that many: none */
static uint32_t fresh_number;                  /* never used from here on */
static unsigned count;
static uint64_t price;

static uintptr_t *place_of(uint32_t number)
{
	return &pages[number / IN_PAGE][number % IN_PAGE];
}

static bool take_number(struct account *a)
{
	uint32_t number = free_head;

	if (number != ACCOUNT_NUMBERS) {
		free_head = (uint32_t)(*place_of(number) >> 1);
	} else {
		number = fresh_number;
		if (number == ACCOUNT_NUMBERS)
			return false;
		if (!pages[number / IN_PAGE])
			pages[number / IN_PAGE] = page_alloc(kmem_kernel);
		if (!pages[number / IN_PAGE])
			return false;
		fresh_number++;
	}
	*place_of(number) = (uintptr_t)a;
	a->ledger.id = (uint16_t)number;
	count++;
	return true;
}

static void free_number(struct account *a)
{
	*place_of(a->ledger.id) = (uintptr_t)free_head << 1 | 1;
	free_head = a->ledger.id;
	count--;
}

struct account *account_at(uint16_t number)
{
	uintptr_t place = number < fresh_number ? *place_of(number) : 1;

	return place & 1 ? NULL : (struct account *)place;
}

uint64_t account_price(void)
{
	return price;
}

unsigned account_count(void)
{
	return count;
}

void accounts_init(uint64_t memory, uint64_t for_kernel)
{
	price = (memory / ACCOUNT_SHARES + BLOCKS_UNIT - 1) / BLOCKS_UNIT * BLOCKS_UNIT;
	if (!take_number(&root) || !take_number(&kernel))
		panic("no numbers for the first ledgers");
	ledger_init_root(&root.ledger, memory);
	if (ledger_charge(&root.ledger, price) ||
	    ledger_init_child(&kernel.ledger, &root.ledger, for_kernel))
		panic("no memory for the kernel's reserve");
}

uint64_t ledger_room(const struct ledger *parent)
{
	uint64_t left = ledger_left(parent);

	return left > price + PAGE_SIZE ? left - price - PAGE_SIZE : 0;
}

struct ledger *ledger_create(struct ledger *parent, uint64_t limit)
{
	struct account *a;

	if (parent->depth == ACCOUNT_DEPTH_MAX)
		return NULL;
	if (ledger_charge(parent, price))
		goto no_price;
	a = block_alloc(parent, sizeof(*a));
	if (!a)
		goto no_block;
	if (!take_number(a))
		goto no_number;
	if (ledger_init_child(&a->ledger, parent, limit))
		goto no_limit;
	return &a->ledger;

no_limit:
	free_number(a);
no_number:
	block_free(a, sizeof(*a), parent);
no_block:
	ledger_return(parent, price);
no_price:
	(void)ending_concerns(parent);
	return NULL;
}

/* The last of a ledger. Its parent is credited, but not settled. */
static void end(struct account *a)
{
	struct account *parent = account_of(a->ledger.parent);
	void *page;

	KASSERT(a->reserved == 0 && !a->blocks.head);
	free_number(a);
	ledger_credit(&parent->ledger, price);
	page = blocks_put(&parent->blocks, a, (sizeof(*a) + BLOCKS_UNIT - 1) / BLOCKS_UNIT);
	if (page)
		page_drop_unsettled(page);
}

/* A closed ledger keeps only what is still charged to it; its parent, which may
 * be closed too, has the rest back. At most ACCOUNT_DEPTH_MAX steps. */
static void settle(struct account *a)
{
	while (a->closed && a->ledger.parent) {
		struct ledger *l = &a->ledger;
		struct ledger *parent = l->parent;
		uint64_t left = ledger_left(l);

		l->limit = l->used;
		ledger_credit(parent, left);
		if (l->used == 0 && a->left)
			end(a);
		else if (left == 0)
			return;
		a = account_of(parent);
	}
}

static void close(struct account *a)
{
	a->closed = true;
	settle(a);
}

void ledger_close(struct ledger *ledger)
{
	account_of(ledger)->left = true;
	close(account_of(ledger));
}

/* None of them ends here: it has an owner, or a charge. Where the first is closed,
 * all are. */
void ledger_shut(struct ledger *top)
{
	if (ledger_is_closed(top))
		return;
	for (uint32_t i = 0; i < fresh_number; i++) {
		struct account *a = account_at((uint16_t)i);

		if (a && ledger_is_below(&a->ledger, top))
			close(a);
	}
}

bool ledger_is_below(const struct ledger *ledger, const struct ledger *top)
{
	while (ledger->depth > top->depth)
		ledger = ledger->parent;
	return ledger == top;
}

bool ledger_is_closed(const struct ledger *ledger)
{
	return account_of(ledger)->closed;
}

void ledger_return(struct ledger *ledger, uint64_t bytes)
{
	KASSERT(ledger->used >= bytes);
	ledger_credit(ledger, bytes);
	if (__builtin_expect(account_of(ledger)->closed, 0))
		settle(account_of(ledger));
}

/* --- the check ----------------------------------------------------------- */

static void see_frame(const struct frame *frame, void *context)
{
	struct account *a = account_at(frame->ledger);

	if (a)
		a->seen += PAGE_SIZE;
	else
		*(const char **)context = "a frame is charged to a ledger that is not there";
}

static const char *see_child(struct account *a)
{
	struct ledger *parent = a->ledger.parent;

	if (a == &root)
		return NULL;
	if (!parent || account_at(parent->id) != account_of(parent))
		return "a ledger's parent is not there";
	account_of(parent)->seen += a->ledger.limit + price;
	return NULL;
}

static const char *check_one(struct account *a)
{
	const struct ledger *l = &a->ledger;

	if (l->used != a->seen + a->reserved)
		return "a ledger's use is not what is charged to it";
	if (l->used > l->limit || l->used > l->peak)
		return "a ledger has used more than its limit, or than its peak";
	if (a->closed && (l->used != l->limit || (l->used == 0 && a->left)))
		return "a closed ledger keeps what it does not use";
	return blocks_check(&a->blocks);
}

static const char *check_all(const char *(*check)(struct account *))
{
	const char *wrong = NULL;

	for (uint32_t i = 0; i < fresh_number && !wrong; i++)
		if (account_at((uint16_t)i))
			wrong = check(account_at((uint16_t)i));
	return wrong;
}

static const char *check_numbers(void)
{
	uint32_t listed = 0;

	for (uint32_t n = free_head; n != ACCOUNT_NUMBERS; n = (uint32_t)(*place_of(n) >> 1))
		if (account_at((uint16_t)n) || ++listed > fresh_number)
			return "the list of free numbers of ledgers is broken";
	return listed + count == fresh_number ? NULL : "a number of a ledger is lost";
}

static const char *forget(struct account *a)
{
	a->seen = 0;
	return NULL;
}

const char *account_check(void)
{
	const char *wrong = frames_check(&kmem_frames);

	if (!wrong)
		wrong = check_numbers();
	if (wrong)
		return wrong;
	check_all(forget);
	frames_walk(&kmem_frames, see_frame, &wrong);
	if (!wrong)
		wrong = check_all(see_child);
	if (!wrong)
		wrong = check_all(check_one);
	if (!wrong && root.ledger.limit != (uint64_t)kmem_frames.total << PAGE_SHIFT)
		wrong = "the root ledger is not all memory";
	return wrong;
}
