/* image.h: ELF images in memory objects: a libOS's module, a program. Nobody
 * vouches for them. */
#pragma once

#include "core/elf.h"
#include "kernel/memobject.h"
#include "kernel/space.h"

/* Whether the object's first `size` bytes are an image with final addresses, all
 * in [low, high). Its headers must stand in its first page. */
enum status image_check(struct memobject *m, uint64_t size, uint64_t low, uint64_t high,
                        struct elf_image *out) MUST_CHECK;

/* Copies what image_check has passed into fresh pages of the space. */
enum status image_load(struct space *space, struct memobject *m,
                       const struct elf_image *elf) MUST_CHECK;

/* All of it for a native program, with a stack below PROGRAM_STACK_TOP. */
enum status image_load_program(struct space *space, struct memobject *m, uint64_t size,
                               uint64_t *entry) MUST_CHECK;
