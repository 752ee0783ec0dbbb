/* mkbundle.c: puts a boot bundle together (core/bundle.h has the format).
 *
 *   mkbundle [--unchecked] OUT IIS [NAME=FILE]...
 *
 * What it is about to write goes through the check that the guest makes;
 * --unchecked is for tests of that check. */

#include "abi/bundle.capnp.h"
#include "abi/module.h"
#include "core/bundle.h"
#include "core/elf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct blob {
	struct capnp_text name;
	size_t offset, size;
};

struct image {
	uint8_t *bytes;
	size_t size, room;
};

static _Noreturn void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("mkbundle: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	exit(1);
}

/* `size` more bytes, zeroed, at the image's end. */
static uint8_t *grow(struct image *image, size_t size)
{
	size_t room = image->room;

	while (room - image->size < size)
		room = room == 0 ? 1 << 20 : 2 * room;
	if (room != image->room) {
		image->bytes = realloc(image->bytes, room);
		image->room = room;
		if (image->bytes == NULL)
			fail("no memory");
	}
	memset(image->bytes + image->size, 0, size);
	image->size += size;
	return image->bytes + image->size - size;
}

static void pad(struct image *image, size_t multiple)
{
	grow(image, (multiple - image->size % multiple) % multiple);
}

/* Appends the file on pages of its own; returns its size. */
static size_t append_file(struct image *image, const char *path)
{
	FILE *in = fopen(path, "rb");
	long size;

	if (in == NULL || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0)
		fail("%s: cannot be read", path);
	rewind(in);
	if (fread(grow(image, (size_t)size), 1, (size_t)size, in) != (size_t)size)
		fail("%s: cannot be read", path);
	fclose(in);
	pad(image, BUNDLE_PAGE);
	return (size_t)size;
}

static void append_directory(struct image *image, const struct blob *blobs, uint32_t count)
{
	_Alignas(8) static uint8_t buffer[65536];
	struct bundle_trailer trailer = { .directory_offset = image->size, .magic = BUNDLE_MAGIC };
	struct capnp_builder b;
	struct directory_builder directory;
	struct capnp_list_builder entries;

	capnp_builder_start(&b, buffer, sizeof(buffer));
	directory = directory_build(&b);
	entries = directory_init_entries(directory, count);
	for (uint32_t i = 0; i < count; i++) {
		struct entry_builder entry = entry_list_build(entries, i);

		entry_set_name(entry, blobs[i].name);
		entry_set_offset(entry, blobs[i].offset);
		entry_set_size(entry, blobs[i].size);
	}
	trailer.directory_size = (uint32_t)capnp_builder_size(&b);
	if (trailer.directory_size == 0)
		fail("the directory does not fit");
	memcpy(grow(image, trailer.directory_size), buffer, trailer.directory_size);
	memcpy(grow(image, sizeof(trailer)), &trailer, sizeof(trailer));
}

/* What the guest will check itself, of the bundle and of the program at its beginning. */
static void check(const struct image *image, const char *iis, size_t iis_size)
{
	struct bundle bundle;
	struct elf_image elf;

	if (elf_check(image->bytes, iis_size, iis_size, ELF_PAGE, PROGRAM_STACK_TOP - PROGRAM_STACK_SIZE,
	              &elf) != STATUS_OK)
		fail("%s: no native program: %s", iis, elf.reason);
	if (elf.type != ELF_EXEC)
		fail("%s: no native program: not linked to fixed addresses", iis);
	if (bundle_open(image->bytes, image->size, &bundle) != STATUS_OK)
		fail("the bundle is not valid: %s", bundle.reason);
}

static void write_image(const struct image *image, const char *path)
{
	FILE *out = fopen(path, "wb");

	if (out == NULL || fwrite(image->bytes, 1, image->size, out) != image->size ||
	    fclose(out) != 0)
		fail("%s: cannot be written", path);
}

int main(int argc, char **argv)
{
	struct blob blobs[BUNDLE_ENTRIES_MAX];
	struct image image = { 0 };
	uint32_t count = 0;
	size_t iis_size;
	int checked = argc > 1 && strcmp(argv[1], "--unchecked") == 0 ? 0 : 1;

	argv += 2 - checked;
	argc -= 2 - checked;
	if (argc < 2 || argc - 2 > BUNDLE_ENTRIES_MAX)
		fail("usage: mkbundle [--unchecked] OUT IIS [NAME=FILE]...");
	iis_size = append_file(&image, argv[1]);
	for (int i = 2; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');
		struct blob *blob = &blobs[count++];

		if (equals == NULL)
			fail("%s: not NAME=FILE", argv[i]);
		blob->name = (struct capnp_text){ argv[i], (size_t)(equals - argv[i]) };
		blob->offset = image.size;
		blob->size = append_file(&image, equals + 1);
	}
	append_directory(&image, blobs, count);
	if (checked)
		check(&image, argv[1], iis_size);
	write_image(&image, argv[0]);
	return 0;
}
