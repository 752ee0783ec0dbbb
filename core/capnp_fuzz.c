/* capnp_fuzz.c: libFuzzer on the reader. The input is a message, walked whole
 * through the plain getters and as the system's manifest. What is left over
 * after its last whole word are changes made to it once it passed: each byte
 * flips one bit of one word, as a sender in shared memory could. */
#include "core/capnp_invariant.h"

#include "abi/manifest.capnp.h"
#include "abi/memory.capnp.h"

#include <stdlib.h>

static unsigned touched;

static void read_text(enum status status, struct capnp_text text)
{
	if (status == STATUS_OK && text.length > 0)
		touched += (unsigned char)text.bytes[0] + (unsigned char)text.bytes[text.length - 1];
	else if (text.length > 0)
		abort();
}

static void read_texts(enum status status, struct capnp_list list)
{
	if (status != STATUS_OK && list.count > 0)
		abort();
	for (uint32_t i = 0; i < list.count && i < 64; i++) {
		struct capnp_text text;
		enum status read = capnp_list_text(list, i, &text);
		read_text(read, text);
	}
}

static void read_libos(struct manifest_libos_reader r)
{
	struct capnp_text text;
	struct capnp_list list;
	enum status status = manifest_libos_get_id(r, &text);
	read_text(status, text);
	touched += (unsigned)manifest_libos_get_memory_pages(r);
	if (manifest_libos_get_grants(r, &list) != STATUS_OK && list.count > 0)
		abort();
	for (uint32_t i = 0; i < list.count && i < 64; i++) {
		status = manifest_grant_get_name(manifest_grant_list_get(list, i), &text);
		read_text(status, text);
	}
}

/* Readers of two schemas that the system believes: whatever the message is. */
static void read_as_schemas(struct capnp_struct root)
{
	struct manifest_libos_reader libos;
	struct manifest_program_reader program;
	struct capnp_list list;
	struct capnp_data data;
	if (manifest_get_libos((struct manifest_reader){ root }, &libos) == STATUS_OK)
		read_libos(libos);
	if (manifest_get_program((struct manifest_reader){ root }, &program) == STATUS_OK) {
		enum status status = manifest_program_get_arguments(program, &list);
		read_texts(status, list);
	}
	struct memory_object_write_params_reader write = { root };
	touched += (unsigned)memory_object_write_params_get_offset(write);
	if (memory_object_write_params_get_data(write, &data) == STATUS_OK && data.size > 0)
		touched += data.bytes[data.size - 1];
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t input_size)
{
	size_t size = input_size / CAPNP_WORD * CAPNP_WORD;
	uint64_t *message = malloc(size > 0 ? size : 1);
	struct capnp_struct root;
	memcpy(message, input, size);
	if (capnp_read_root(message, size, &root) == STATUS_OK) {
		if (!capnp_holds(root, message, size))
			abort();
		read_as_schemas(root);
		for (size_t i = size; i < input_size && size > 0; i++)
			message[input[i] / 2 % (size / CAPNP_WORD)] ^= (uint64_t)1 << (input[i] * 29 % 64);
		if (!capnp_holds_changed(root, message, size, 4 * size))
			abort();
		read_as_schemas(root);
	}
	free(message);
	return 0;
}
