/* start.h: the one Linux that the module is. */
#pragma once

#include "lib/tty/tty.h"
#include "lib/vfs/vfs.h"

extern struct vfs the_vfs __attribute__((visibility("hidden")));
extern struct tty the_tty __attribute__((visibility("hidden")));
/* Pages that the ledger allowed at first. */
extern uint64_t start_memory_limit __attribute__((visibility("hidden")));
/* Processors that run programs. */
extern uint32_t start_processors __attribute__((visibility("hidden")));

/* console.c: makes the terminal; then feeds it, for good. */
void console_start(void);
_Noreturn void console_run(void);

/* proc.c */
int proc_create(struct fs **out);
