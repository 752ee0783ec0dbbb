/* devfs.h: the devices that are no hardware, and /dev.
 *
 * devfs is a ramfs with nodes for: null, zero, full, random, urandom, tty,
 * console, and the links fd, stdin, stdout, stderr. The devices themselves are
 * registered with the vfs by number, so nodes elsewhere (from an initrd) work
 * just the same. Register a terminal with tty_register (lib/tty/tty.h). */
#pragma once

#include "lib/vfs/vfs.h"

enum { DEVFS_DEVICES = 5 };

struct devfs_devices {
	struct vfs_device device[DEVFS_DEVICES];
	/* Fills `buffer` (the core's memory) with random bytes. */
	void (*random)(void *context, void *buffer, size_t size);
	void *context;
};

/* Set random and context first; `devices` must outlive the vfs. */
void devfs_register(struct vfs *vfs, struct devfs_devices *devices);

/* The file system, to be mounted on /dev. */
int devfs_create(struct fs **out);
