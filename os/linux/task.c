/* task.c: the tasks: where their stacks stand, who is whose child, which PID
 * is whose.
 *
 * A task's place is a slot of 32 KiB: pages for rings, an unmapped page, and the
 * stack block (frame.h). Slots are reused, stacks with them; the stacks of
 * slots far beyond what is in use are given back. A ring's page is not used
 * twice in a row: the exokernel may not be done with the last thread's. */
#include "os/linux/task.h"

#include "abi/module.h"
#include "os/linux/assert.h"
#include "os/linux/exo.h"
#include "os/linux/layout.h"
#include "rt/module_string.h"

enum {
	SLOT_SIZE = 0x8000,
	SLOT_RINGS = 3, /* pages where a ring may appear; after them a gap */
	SLOT_STACK = SLOT_SIZE - STACK_SIZE,
	SLOTS = 4096,
	SLOTS_KEPT = 32,   /* slots from here on give their stack back when freed */
	SLOT_NONE = UINT32_MAX,
	BUCKETS = 256,
};

enum slot_state { SLOT_BARE, SLOT_STACKED, SLOT_TAKEN };

__attribute__((section(".stack,\"aw\",@nobits#"), aligned(STACK_SIZE))) uint8_t boot_stack[STACK_SIZE];
struct task *task_init, *task_all;

static uint8_t slots[SLOTS];
static uint8_t turns[SLOTS]; /* which of its ring pages is next */
static uint32_t slot_hint; /* no slot below it is free */
static struct task *buckets[BUCKETS];
static uint32_t tasks;

void task_start(void)
{
	struct task *task = current();

	assert((uint8_t *)task == boot_stack + STACK_SIZE - TASK_SIZE);
	task->ring = (struct ring *)MODULE_FIRST_RING;
	task->slot = SLOT_NONE;
}

static uint64_t slot_address(uint32_t slot)
{
	return LAYOUT_TASKS + (uint64_t)slot * SLOT_SIZE;
}

uint64_t task_ring_address(const struct task *task)
{
	return slot_address(task->slot) + turns[task->slot] * 4096ull;
}

uint64_t task_second_ring_address(const struct task *task)
{
	return slot_address(task->slot) + (turns[task->slot] + 1) % SLOT_RINGS * 4096ull;
}

struct task *task_allocate(void)
{
	uint32_t slot = slot_hint;
	struct task *task;

	while (slot < SLOTS && slots[slot] == SLOT_TAKEN)
		slot++;
	if (slot == SLOTS)
		return NULL;
	if (slots[slot] == SLOT_BARE &&
	    exo_fresh(exo.module, slot_address(slot) + SLOT_STACK, STACK_SIZE / 4096,
	              EXO_READ | EXO_WRITE) != STATUS_OK)
		return NULL;
	slots[slot] = SLOT_TAKEN;
	slot_hint = slot + 1;
	task = (struct task *)(slot_address(slot) + SLOT_SIZE - TASK_SIZE);
	memset(task, 0, sizeof *task);
	task->slot = slot;
	turns[slot] = (uint8_t)((turns[slot] + 1) % SLOT_RINGS);
	task->ring = (struct ring *)task_ring_address(task);
	return task;
}

void task_free(struct task *task)
{
	uint32_t slot = task->slot;

	assert(slot < SLOTS && slots[slot] == SLOT_TAKEN && task != current());
	slots[slot] = SLOT_STACKED;
	if (slot >= SLOTS_KEPT && exo_unmap(exo.module, slot_address(slot) + SLOT_STACK,
	                                    STACK_SIZE / 4096) == STATUS_OK)
		slots[slot] = SLOT_BARE;
	if (slot < slot_hint)
		slot_hint = slot;
}

static struct task **bucket(uint32_t pid)
{
	return &buckets[pid % BUCKETS];
}

void task_insert(struct task *task)
{
	struct task **head = bucket(task->pid);

	assert(task_find(task->pid) == NULL);
	task->next_in_table = *head;
	*head = task;
	task->previous = NULL;
	task->next = task_all;
	if (task_all != NULL)
		task_all->previous = task;
	task_all = task;
	tasks++;
}

void task_remove(struct task *task)
{
	struct task **at = bucket(task->pid);

	while (*at != task)
		at = &(*at)->next_in_table;
	*at = task->next_in_table;
	if (task->previous != NULL)
		task->previous->next = task->next;
	else
		task_all = task->next;
	if (task->next != NULL)
		task->next->previous = task->previous;
	tasks--;
}

struct task *task_find(uint32_t pid)
{
	struct task *task = *bucket(pid);

	while (task != NULL && task->pid != pid)
		task = task->next_in_table;
	return task;
}

struct task *task_next(uint32_t after)
{
	struct task *best = NULL;

	for (struct task *task = task_all; task != NULL; task = task->next)
		if (task->pid > after && (best == NULL || task->pid < best->pid))
			best = task;
	return best;
}

uint32_t task_count(void)
{
	return tasks;
}

void task_adopt(struct task *parent, struct task *child)
{
	child->parent = parent;
	child->next_sibling = parent->first_child;
	parent->first_child = child;
}

void task_disown(struct task *child)
{
	struct task **at = &child->parent->first_child;

	while (*at != child)
		at = &(*at)->next_sibling;
	*at = child->next_sibling;
	child->parent = NULL;
	child->next_sibling = NULL;
}
