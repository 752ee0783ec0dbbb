/* world_host.h: a small system for host tests: a name space, a place in it, and
 * short names for what tests do all the time. Everything is checked after each
 * step. */
#pragma once

#include "lib/posix/env_host.h"
#include "lib/posix/errno.h"
#include "lib/vfs/ramfs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct world {
	struct fs *fs;
	struct vfs vfs;
	struct vfs_place place;
};
extern struct world world;
#define PLACE (&world.place)

/* Takes the environment as new; a ramfs is at "/". */
void world_begin(void);
/* Everything is given back: nothing was lost, nothing is left over. */
void world_end(void);
int world_setup(void **state);
int world_teardown(void **state);

/* The whole-structure checkers of all that is mounted. */
void world_check(void);

/* Each of these must succeed, or (the last two) tells the error. */
struct file *world_open(const char *path, uint32_t flags);
int64_t world_write(struct file *file, const void *bytes, size_t size);
int64_t world_read(struct file *file, void *bytes, size_t size);
void world_make(const char *path, const char *content);
void world_expect(const char *path, const char *content);
struct stat world_stat(const char *path, uint32_t flags);
int world_open_error(const char *path, uint32_t flags);
int world_stat_error(const char *path);

/* Checks everything, and that the step did what was expected. */
#define STEP(expected, call)                       \
	do {                                           \
		int64_t step_result = (call);              \
		world_check();                             \
		assert_int_equal(step_result, (expected)); \
	} while (0)
#define OK(call) STEP(0, call)
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
