/* memory_slice.c: what narrower memory promises: slices and shared buffers. They
 * show the object's frames, reach nothing outside their range, and copy-on-write
 * is as if the range had been asked for in the object itself. Every step runs
 * twice, and must give back every page. */
#include "test/boot/native/memory_space.h"

static enum status slice(uint32_t object, uint64_t page, uint64_t pages, uint32_t *out)
{
	struct native_call call;
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SLICE);
	struct memory_object_slice_params_builder params =
	        memory_object_slice_params_build(&call.params);
	memory_object_slice_params_set_page(params, page);
	memory_object_slice_params_set_pages(params, pages);
	enum status status = native_send(&call);
	*out = call.caps[0];
	return status;
}

static enum status share(uint32_t object, uint64_t page, uint64_t pages, uint32_t *out)
{
	struct native_call call;
	native_call(&call, self, object, MEMORY_OBJECT_ID, MEMORY_OBJECT_SHARE);
	struct memory_object_share_params_builder params =
	        memory_object_share_params_build(&call.params);
	memory_object_share_params_set_page(params, page);
	memory_object_share_params_set_pages(params, pages);
	enum status status = native_send(&call);
	*out = call.caps[0];
	return status;
}

static uint32_t slice_of(uint32_t object, uint64_t page, uint64_t pages)
{
	uint32_t out = 0;
	OK(slice(object, page, pages, &out));
	return out;
}

static uint32_t share_of(uint32_t object, uint64_t page, uint64_t pages)
{
	uint32_t out = 0;
	OK(share(object, page, pages, &out));
	return out;
}

static void a_slice_is_the_same_memory(void)
{
	uint32_t object = allocate(6);
	uint64_t before = available(), pages = 0;
	uint32_t part = slice_of(object, 2, 3), inner = slice_of(part, 1, 2);
	OK(native_size(self, part, MEMORY_OBJECT_ID, &pages));
	CHECK(&check, pages == 3);
	put(object, 2, 2), put(part, 1, 3), put(inner, 1, 4);
	CHECK(&check, word(part, 0) == 2 && word(object, 3) == 3 && word(object, 4) == 4);
	CHECK(&check, word(inner, 0) == 3 && word(object, 5) == 0 && word(object, 1) == 0);
	OK(map(inner, 0, AT, 2, RW));
	OK(map(object, 0, PAGE(8), 6, RW));
	WORD(AT) = 7;
	CHECK(&check, WORD(PAGE(8 + 3)) == 7 && word(part, 1) == 7);
	OK(unmap(AT, 14));
	CHECK(&check, before - available() <= 1); /* no memory but their own */
	release(object);
	release(part);
	CHECK(&check, word(inner, 0) == 7); /* it keeps all of the object */
	release(inner);
}

static void nothing_outside_is_reached(void)
{
	uint32_t object = allocate(6), out = 0;
	uint32_t part = slice_of(object, 2, 2);
	uint64_t value = 1;
	REFUSED(INVALID, native_put(self, part, MEMORY_OBJECT_ID, 2 * NATIVE_PAGE, &value, 1));
	REFUSED(INVALID, native_put(self, part, MEMORY_OBJECT_ID, 2 * NATIVE_PAGE - 4, &value, 8));
	REFUSED(INVALID, native_put(self, part, MEMORY_OBJECT_ID, ~0ull, &value, 1));
	REFUSED(INVALID, native_read(self, part, MEMORY_OBJECT_ID, 2 * NATIVE_PAGE, &value, 1));
	REFUSED(INVALID, map(part, 2, AT, 1, RW));
	REFUSED(INVALID, map(part, 1, AT, 2, RW));
	REFUSED(INVALID, map(part, ~0ull, AT, 2, RW));
	REFUSED(INVALID, native_child(self, part, 1, 2, &out));
	REFUSED(INVALID, slice(part, 2, 1, &out));
	REFUSED(INVALID, slice(part, 0, 3, &out));
	REFUSED(INVALID, slice(part, 0, 0, &out));
	REFUSED(INVALID, slice(part, ~0ull, 2, &out));
	REFUSED(INVALID, slice(part, 1, ~0ull, &out));
	REFUSED(INVALID, slice(object, 6, 1, &out));
	REFUSED(INVALID, share(part, 0, 3, &out));
	REFUSED(INVALID, share(part, 2, 1, &out));
	REFUSED(INVALID, share(part, 0, 0, &out));
	REFUSED(INVALID, share(object, ~0ull, 2, &out));
	for (unsigned i = 0; i < 6; i++)
		CHECK(&check, word(object, i) == 0);
	release(part), release(object);
	object = allocate(CALL_MOST + 1);
	REFUSED(INVALID, share(object, 0, CALL_MOST + 1, &out));
	REFUSED(INVALID, native_child(self, object, 0, CALL_MOST + 1, &out));
	release(object);
}

static void copy_on_write_is_the_objects(void)
{
	uint32_t object = allocate(12); /* slots in tables of their own */
	uint32_t part = slice_of(object, 8, 4), child = 0, other_child = 0, facet = 0;
	uint64_t seen = 0;
	put(object, 9, 1);
	OK(native_child(self, part, 0, 4, &child));
	OK(native_child(self, object, 8, 4, &other_child));
	OK(native_read_only(self, part, &facet));
	put(part, 1, 2);
	CHECK(&check, word(object, 9) == 2 && word(child, 1) == 1 && word(other_child, 1) == 1);
	put(child, 1, 3);
	CHECK(&check, word(object, 9) == 2 && word(other_child, 1) == 1);
	put(object, 9, 4);
	CHECK(&check, word(part, 1) == 4);
	OK(native_read(self, facet, READ_ONLY_MEMORY_ID, NATIVE_PAGE, &seen, sizeof seen));
	CHECK(&check, seen == 4);
	REFUSED(DENIED, map(facet, 1, AT, 1, RW));
	OK(map(facet, 1, AT, 1, ACCESS_READ));
	CHECK(&check, WORD(AT) == 4);
	/* Mapped writable through the one, it is copied at once through the other. */
	OK(map(part, 1, AT, 1, RW));
	release(child);
	OK(native_child(self, object, 9, 1, &child));
	WORD(AT) = 5;
	CHECK(&check, word(object, 9) == 5 && word(child, 0) == 4);
	OK(unmap(AT, 1));
	release(child), release(other_child), release(facet), release(part), release(object);
}

static void a_shared_buffer_is_read_written_and_mapped(void)
{
	uint32_t object = allocate(4), buffer = share_of(object, 1, 2);
	uint64_t pages = 0, seen = 0, value = 6;
	OK(native_size(self, buffer, SHARED_BUFFER_ID, &pages));
	CHECK(&check, pages == 2);
	OK(native_put(self, buffer, SHARED_BUFFER_ID, NATIVE_PAGE, &value, sizeof value));
	CHECK(&check, word(object, 2) == 6 && word(object, 1) == 0);
	put(object, 1, 5);
	OK(native_read(self, buffer, SHARED_BUFFER_ID, 0, &seen, sizeof seen));
	CHECK(&check, seen == 5);
	run_other();
	OK(native_map(self, other.space, buffer, 0, (void *)AT, 2, RW));
	OK(map(object, 1, AT, 2, RW));
	put_there(PAGE(1), 9);
	CHECK(&check, WORD(PAGE(1)) == 9);
	WORD(AT) = 8;
	CHECK(&check, there(AT) == 8);
	kill_other();
	OK(unmap(AT, 2));
	OK(map(buffer, 1, AT, 1, ACCESS_READ));
	CHECK(&check, WORD(AT) == 9 && access_at(AT) == ACCESS_READ);
	OK(unmap(AT, 1));
	release(object);
	OK(native_read(self, buffer, SHARED_BUFFER_ID, 0, &seen, sizeof seen));
	CHECK(&check, seen == 8);
	release(buffer);
}

static void nothing_else_is_made_of_it(void)
{
	uint32_t object = allocate(2), buffer = share_of(object, 0, 2);
	uint64_t value = 0;
	struct native_call call;
	REFUSED(DENIED, map(buffer, 0, AT, 1, RW | ACCESS_PRIVATE));
	REFUSED(DENIED, map(buffer, 0, AT, 1, ACCESS_READ | ACCESS_PRIVATE));
	REFUSED(DENIED, map(buffer, 0, AT, 1, RX));
	REFUSED(DENIED, map(buffer, 0, AT, 1, RW | ACCESS_EXECUTE));
	REFUSED(INVALID, map(buffer, 1, AT, 2, RW));
	REFUSED(INVALID, native_put(self, buffer, SHARED_BUFFER_ID, 2 * NATIVE_PAGE, &value, 1));
	REFUSED(INVALID, native_read(self, buffer, SHARED_BUFFER_ID, 2 * NATIVE_PAGE, &value, 1));
	REFUSED(NO_METHOD, native_put(self, buffer, MEMORY_OBJECT_ID, 0, &value, 1));
	REFUSED(NO_METHOD, native_put(self, object, SHARED_BUFFER_ID, 0, &value, 1));
	for (uint16_t method = SHARED_BUFFER_WRITE + 1; method < 12; method++) {
		native_call(&call, self, buffer, SHARED_BUFFER_ID, method);
		REFUSED(NO_METHOD, native_send(&call));
	}
	REFUSED(NO_CAP, load("buffer", buffer, &call.cap)); /* as a module's image */
	CHECK(&check, access_at(AT) == NOT_MAPPED);
	release(buffer), release(object);
}

/* Its frames are there: neither a child of the object nor a full ledger keeps
 * the two from meeting. */
static void a_buffers_frames_are_its_objects(void)
{
	uint32_t object = allocate(2), child = 0;
	put(object, 0, 1);
	OK(native_child(self, object, 0, 2, &child));
	uint64_t before = available();
	uint32_t buffer = share_of(object, 0, 2); /* the child keeps the old frame */
	uint64_t after = available();
	CHECK(&check, before - after <= 2);
	OK(map(buffer, 0, AT, 2, RW));
	CHECK(&check, available() == after);
	WORD(AT) = 2;
	CHECK(&check, word(object, 0) == 2 && word(child, 0) == 1);
	OK(unmap(AT, 2));
	release(child), release(buffer), release(object);
}

int native_main(struct native *given)
{
	static void (*const steps[])(void) = {
		a_slice_is_the_same_memory, nothing_outside_is_reached,
		copy_on_write_is_the_objects, a_shared_buffer_is_read_written_and_mapped,
		nothing_else_is_made_of_it, a_buffers_frames_are_its_objects,
	};
	start_with_control(given, "memory_slice");
	run(steps, sizeof steps / sizeof steps[0]);
}
