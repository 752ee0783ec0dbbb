/* attack_calls.h: what the hostile module asks of the exokernel, and the time.
 * Part of attack.c. */
#pragma once

static struct ring *ring;

static uint32_t find(const char *name)
{
	return capset_find((const struct capset *)MODULE_CAPSET, name);
}

static enum status send(struct capnp_builder *b, uint32_t cap, uint64_t interface,
                        uint16_t method, uint32_t with, uint32_t *came)
{
	struct ring_call call = {
		.cap = cap, .method = method, .interface = interface, .params = ring->area,
		.params_size = (uint32_t)capnp_builder_size(b), .caps_count = with != 0,
		.caps = { with },
	};
	enum status status = ring_call(ring, &call);

	if (came)
		*came = call.caps[0];
	return status;
}

static void begin(struct capnp_builder *b)
{
	capnp_builder_start(b, ring->area, 512);
}

static enum status allocate(uint64_t pages, uint32_t *object)
{
	struct capnp_builder b;

	begin(&b);
	memory_pool_allocate_params_set_pages(memory_pool_allocate_params_build(&b), pages);
	return send(&b, find("memory"), MEMORY_POOL_ID, MEMORY_POOL_ALLOCATE, 0, object);
}

static enum status map(const char *space, uint32_t object, uint64_t address, uint64_t pages,
                       uint32_t access)
{
	struct capnp_builder b;
	struct address_space_map_params_builder p;

	begin(&b);
	p = address_space_map_params_build(&b);
	address_space_map_params_set_object(p, 0);
	address_space_map_params_set_address(p, address);
	address_space_map_params_set_pages(p, pages);
	address_space_map_params_set_access(p, access);
	return send(&b, find(space), ADDRESS_SPACE_ID, ADDRESS_SPACE_MAP, object, NULL);
}

static enum status fresh(const char *space, uint64_t address, uint64_t pages, uint32_t access)
{
	struct capnp_builder b;
	struct address_space_fresh_params_builder p;

	begin(&b);
	p = address_space_fresh_params_build(&b);
	address_space_fresh_params_set_address(p, address);
	address_space_fresh_params_set_pages(p, pages);
	address_space_fresh_params_set_access(p, access);
	return send(&b, find(space), ADDRESS_SPACE_ID, ADDRESS_SPACE_FRESH, 0, NULL);
}

static enum status unmap(const char *space, uint64_t address, uint64_t pages)
{
	struct capnp_builder b;
	struct address_space_unmap_params_builder p;

	begin(&b);
	p = address_space_unmap_params_build(&b);
	address_space_unmap_params_set_address(p, address);
	address_space_unmap_params_set_pages(p, pages);
	return send(&b, find(space), ADDRESS_SPACE_ID, ADDRESS_SPACE_UNMAP, 0, NULL);
}

static enum status protect(const char *space, uint64_t address, uint64_t pages, uint32_t access)
{
	struct capnp_builder b;
	struct address_space_protect_params_builder p;

	begin(&b);
	p = address_space_protect_params_build(&b);
	address_space_protect_params_set_address(p, address);
	address_space_protect_params_set_pages(p, pages);
	address_space_protect_params_set_access(p, access);
	return send(&b, find(space), ADDRESS_SPACE_ID, ADDRESS_SPACE_PROTECT, 0, NULL);
}

static enum status resolve(const char *space, uint64_t address)
{
	struct capnp_builder b;

	begin(&b);
	address_space_resolve_params_set_address(address_space_resolve_params_build(&b), address);
	return send(&b, find(space), ADDRESS_SPACE_ID, ADDRESS_SPACE_RESOLVE, 0, NULL);
}

/* cap_enter, whole: status in rax, and where the ring is. */
static uint64_t enter(uint64_t number, uint64_t least, uint64_t timeout, uint64_t *ring_at)
{
	uint64_t at = 0;

	__asm__ volatile("syscall" : "+a"(number), "+D"(least), "+S"(timeout), "+d"(at)
	                 : : "rcx", "r8", "r9", "r10", "r11", "memory");
	if (ring_at)
		*ring_at = at;
	return number;
}

/* Does the exokernel still answer, and rightly? */
static void check_ring(void)
{
	static uint64_t count;
	uint64_t mark = 0x1234567 + count++, at;
	struct ring_sqe *sqe = ring_next(ring);
	const struct ring_cqe *cqe;

	*sqe = (struct ring_sqe){ .op = RING_NOP, .user_data = mark };
	ring_push(ring);
	MUST(enter(SYS_CAP_ENTER, 1, RING_FOREVER, &at) == STATUS_OK);
	MUST(at == (uint64_t)ring);
	cqe = ring_done(ring);
	MUST(cqe && cqe->user_data == mark && cqe->status == STATUS_OK);
}

static uint64_t now(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static void spin(uint64_t ticks)
{
	for (uint64_t start = now(); now() - start < ticks;)
		__asm__ volatile("pause");
}
