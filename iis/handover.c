/* handover.c: loading a libOS and going over to it. Objects are made first,
 * while the memory is still NONE's; the libOS then gets all that is left. */
#include "iis/handover.h"

#include "abi/libos.capnp.h"
#include "abi/space.capnp.h"
#include "iis/refuse.h"

/* Where an object is shown while it is filled. */
#define WORK_AT ((uint8_t *)0x80000000)

static const uint64_t load_timeout = 5000000000; /* 5 s, in nanoseconds */

/* A fresh object of `size` bytes, shown at WORK_AT. */
static uint32_t make_object(struct native *self, const char *what, uint64_t size)
{
	uint32_t object;
	refuse_unless_ok(self, native_allocate(self, native_find(self, "memory"),
	                                       native_pages(size), &object),
	                 what, "no memory for it");
	refuse_unless_ok(self, native_map(self, native_find(self, "space"), object, 0, WORK_AT,
	                                  native_pages(size), ACCESS_READ | ACCESS_WRITE),
	                 what, "cannot be mapped");
	return object;
}

static void done_filling(struct native *self, const char *what, uint64_t size)
{
	refuse_unless_ok(self, native_unmap(self, native_find(self, "space"), WORK_AT,
	                                    native_pages(size)),
	                 what, "cannot be unmapped");
}

static uint32_t make_image(struct native *self, struct capnp_data module)
{
	uint32_t image = make_object(self, "module", module.size);
	__builtin_memcpy(WORK_AT, module.bytes, module.size);
	done_filling(self, "module", module.size);
	return image;
}

static uint32_t make_start(struct native *self, const struct handover *h)
{
	uint64_t sizes[2] = { h->initrd.size, h->message.size };
	uint64_t size = sizeof sizes + h->message.size;
	uint32_t start = make_object(self, "start", size);
	__builtin_memcpy(WORK_AT, sizes, sizeof sizes);
	__builtin_memcpy(WORK_AT + sizeof sizes, h->message.bytes, h->message.size);
	done_filling(self, "start", size);
	return start;
}

static uint32_t make_initrd(struct native *self, struct bundle_entry initrd)
{
	uint32_t child;
	refuse_unless_ok(self, native_child(self, native_find(self, "bundle"),
	                                    initrd.offset / NATIVE_PAGE, native_pages(initrd.size),
	                                    &child),
	                 "initrd", "no copy-on-write child");
	return child;
}

static uint32_t load(struct native *self, const struct handover *h, uint32_t image)
{
	const char *id = h->manifest.libos_id.bytes;
	struct native_call call;
	native_call(&call, self, native_find(self, "libos"), LIBOS_TABLE_ID, LIBOS_TABLE_LOAD);
	struct libos_table_load_params_builder params = libos_table_load_params_build(&call.params);
	libos_table_load_params_set_id(params, h->manifest.libos_id);
	libos_table_load_params_set_image(params, native_attach(&call, image));
	libos_table_load_params_set_size(params, h->module.size);
	libos_table_load_params_set_pages(params, h->manifest.libos_memory_pages);
	libos_table_load_params_set_timeout_ns(params, load_timeout);
	refuse_unless_ok(self, native_send(&call), id, "the libOS was not loaded");

	struct libos_table_load_results_reader results;
	uint32_t index;
	if (libos_table_load_results_read(call.results, call.results_size, &results) != STATUS_OK ||
	    libos_table_load_results_get_libos(results, &index) != STATUS_OK || index >= RING_CAPS)
		refuse(self, id, "the libOS was loaded, but not handed out");
	return call.caps[index];
}

static void grant(struct native *self, uint32_t libos, struct capnp_text name, uint32_t object)
{
	struct native_call call;
	native_call(&call, self, libos, LIBOS_ID, LIBOS_GRANT);
	struct libos_grant_params_builder params = libos_grant_params_build(&call.params);
	libos_grant_params_set_name(params, name);
	libos_grant_params_set_object(params, native_attach(&call, object));
	refuse_unless_ok(self, native_send(&call), name.bytes, "not granted");
}

static _Noreturn void become(struct native *self, uint32_t libos, const char *id)
{
	struct native_call call;
	native_call(&call, self, libos, LIBOS_ID, LIBOS_BECOME);
	(void)libos_become_params_build(&call.params);
	refuse_unless_ok(self, native_send(&call), id, "the libOS did not take over");
	refuse(self, id, "the libOS did not take over");
}

_Noreturn void hand_over(struct native *self, const struct handover *h)
{
	uint32_t image = make_image(self, h->module);
	uint32_t start = make_start(self, h);
	uint32_t initrd = make_initrd(self, h->initrd);
	uint32_t libos = load(self, h, image);
	for (uint32_t i = 0; i < h->manifest.grants.count; i++) {
		struct manifest_grant g = manifest_grant(h->manifest.grants, i);
		grant(self, libos, g.name, native_find(self, g.source.bytes));
	}
	grant(self, libos, capnp_text_from("initrd"), initrd);
	grant(self, libos, capnp_text_from("start"), start);
	become(self, libos, h->manifest.libos_id.bytes);
}
