/* exec.h: what the parts of execve share. */
#pragma once

#include "core/elf.h"
#include "os/linux/process.h"

enum {
	EXEC_HEADER_SIZE = 56, /* of a program header */
	SCRIPT_LINE = 256,     /* of a script's first line, with a NUL */
};

/* What is to be run, and how it was named. */
struct program {
	struct inode *inode; /* referenced */
	struct elf_image image;
	uint64_t base;       /* to be added to the image's addresses */
	char name[TASK_NAME];
	const char *path;    /* of `inode`; the caller's, or: */
	char interpreter[SCRIPT_LINE];
	struct inode *base_directory; /* that the path starts from; NULL: cwd. Borrowed */
};

/* exec_strings.c; see process.h, too. All of them: 0, -E2BIG, -ENOMEM, -EFAULT. */

/* Adds the strings of a NULL-terminated array of the program's; *count of them. */
int exec_strings_read(struct exec_strings *strings, uint64_t array, uint32_t *count);
/* "/dev/fd/N": how a program is called that has only a descriptor. */
void exec_descriptor_path(char *to, uint32_t fd);
/* Puts `text` before the first string, in place of it if `replace`. */
int exec_strings_prepend(struct exec_strings *strings, const char *text, bool replace);

/* exec.c. The last steps of execve, which cannot be taken back: 0, or not 0 if the
 * process must end. The strings stay the caller's. */
MUST_CHECK int exec_become(const struct program *program, const char *path,
                           const struct exec_strings *strings, struct regs *regs);

/* exec_memory.c. The task's memory becomes the program's; `regs` is how it
 * begins. After a failure neither program is there. */
MUST_CHECK int exec_replace_memory(struct task *task, const struct program *program,
                                   const char *path, const struct exec_strings *strings,
                                   struct regs *regs);
