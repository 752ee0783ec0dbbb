/* exec.c: a process goes on as another program.
 *
 * Everything that may be refused is refused while the old program still
 * stands: the file is found and checked, and all strings are in the module's
 * memory, before its memory goes. */
#include "os/linux/exec.h"

#include "lib/posix/errno.h"
#include "os/linux/kmalloc.h"
#include "os/linux/lock.h"
#include "os/linux/mm.h"
#include "os/linux/pages.h"
#include "os/linux/path.h"
#include "os/linux/syscall.h"
#include "os/linux/vfork.h"
#include "rt/module_string.h"

enum {
	SCRIPTS_MOST = 4,        /* interpreters of interpreters */
	DIED = 1,                /* process_exec: there is nothing left to go back to; */
	MOVED = 2,               /* another thread goes on */
};

#define PIE_BASE 0x155555554000ull /* where ELF_DYN goes; below MM_TOP / 2 */

/* Checks the file at `path`, or `base` itself if there is no path. */
static int find_file(struct inode *base, const char *path, struct inode **out)
{
	int result = 0;

	if (path != NULL)
		result = vfs_lookup(&current()->place, base, path, 0, out);
	else
		*out = inode_get(base);
	if (result != 0)
		return result;
	if (inode_is(*out, S_IFDIR) || !inode_is(*out, S_IFREG) || vfs_inode_access(*out, X_OK) != 0) {
		inode_put(*out);
		return -EACCES;
	}
	return 0;
}

/* The file's first page; its bytes past the end are zero. NULL: it is empty. */
static const uint8_t *first_page(struct inode *inode)
{
	void *run;

	return vfs_file_pages(inode, 0, 1, false, &run) == 1 ? run : NULL;
}

static int check_image(struct program *program, const uint8_t *page)
{
	uint64_t size = program->inode->size, there = size < PAGE_SIZE ? size : PAGE_SIZE;

	if (elf_check(page, there, size, MM_LOW, MM_TOP / 2, &program->image) != STATUS_OK)
		return -ENOEXEC;
	program->base = program->image.type == ELF_DYN ? PIE_BASE : 0;
	return program->image.high <= MM_TOP / 2 - program->base ? 0 : -ENOEXEC;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Takes "#!interpreter argument" apart: both into `line`, which the caller
 * gives; *argument NULL if there is none. */
static int parse_script(const uint8_t *page, char line[SCRIPT_LINE], char **interpreter,
                        char **argument)
{
	char *at = line, *end;

	memcpy(line, page + 2, SCRIPT_LINE - 1);
	line[SCRIPT_LINE - 1] = '\0';
	for (end = line; *end != '\0' && *end != '\n'; end++)
		;
	if (end == line + SCRIPT_LINE - 1)
		return -ENOEXEC;
	while (end > line && is_blank(end[-1]))
		end--;
	*end = '\0';
	while (is_blank(*at))
		at++;
	if (*at == '\0')
		return -ENOEXEC;
	*interpreter = at;
	while (*at != '\0' && !is_blank(*at))
		at++;
	*argument = NULL;
	if (*at != '\0') {
		*at++ = '\0';
		while (is_blank(*at))
			at++;
		*argument = at;
	}
	return 0;
}

static void take_name(struct program *program, const char *path)
{
	const char *name = path;

	for (const char *p = path; *p != '\0'; p++)
		if (*p == '/')
			name = p + 1;
	memset(program->name, 0, TASK_NAME);
	for (size_t i = 0; i < TASK_NAME - 1 && name[i] != '\0'; i++)
		program->name[i] = name[i];
}

/* The file's own word on who is to run it: "#!". The path and the script's
 * argument go before the others, and out->interpreter is what to look for. */
static int follow_script(const uint8_t *page, const char *path, struct exec_strings *strings,
                         struct program *out)
{
	char line[SCRIPT_LINE], *interpreter, *argument;
	int result = parse_script(page, line, &interpreter, &argument);

	if (result == 0)
		result = exec_strings_prepend(strings, path, true);
	if (result == 0 && argument != NULL)
		result = exec_strings_prepend(strings, argument, false);
	if (result == 0)
		result = exec_strings_prepend(strings, interpreter, false);
	if (result == 0)
		memcpy(out->interpreter, interpreter, strlen(interpreter) + 1);
	return result;
}

/* From the path to a checked image, by way of any scripts. */
static int find_program(const struct exec_path *path, struct exec_strings *strings,
                        struct program *out)
{
	struct inode *base = path->base;
	const char *look = path->by_descriptor ? NULL : path->string;

	out->base_directory = base;
	out->path = path->string;
	take_name(out, path->string);
	for (unsigned scripts = 0;; scripts++) {
		const uint8_t *page;
		int result = find_file(base, look, &out->inode);
		if (result != 0)
			return result;
		page = first_page(out->inode);
		if (page == NULL || page[0] != '#' || page[1] != '!') {
			result = page == NULL ? -ENOEXEC : check_image(out, page);
			if (result == 0)
				return 0;
		} else {
			result = scripts == SCRIPTS_MOST ? -ELOOP
			                                 : follow_script(page, out->path, strings, out);
		}
		inode_put(out->inode);
		if (result != 0)
			return result;
		base = out->base_directory = NULL;
		look = out->path = out->interpreter;
	}
}

/* What /proc/PID/exe says has to begin at the root. */
static void set_origin(struct mm *mm, const struct program *program,
                       const struct exec_strings *strings, size_t arguments)
{
	const struct vfs_place *place = &current()->place;
	const char *path = program->path;
	char *buffer;
	int64_t length;

	if (*path == '/') {
		mm_set_origin(mm, path, strings->bytes, arguments);
		return;
	}
	while (path[0] == '.' && path[1] == '/')
		path += 2;
	buffer = kmalloc(2 * PATH_MAX);
	if (buffer == NULL)
		return;
	length = vfs_directory_path(place, program->base_directory != NULL ? program->base_directory
	                                                                   : place->cwd,
	                            buffer, PATH_MAX);
	if (length > 1) { /* with its NUL; the root's is "/" */
		size_t at = (size_t)length - (length == 2 ? 2 : 1);
		buffer[at++] = '/';
		memcpy(buffer + at, path, strlen(path) + 1);
		mm_set_origin(mm, buffer, strings->bytes, arguments);
	}
	kfree(buffer);
}

/* The bytes of all arguments, with their NULs. */
static size_t arguments_size(const struct exec_strings *strings)
{
	const char *end = strings->bytes;

	for (uint32_t i = 0; i < strings->arguments; i++)
		end += strlen(end) + 1;
	return (size_t)(end - strings->bytes);
}

int exec_become(const struct program *program, const char *path,
                const struct exec_strings *strings, struct regs *regs)
{
	struct task *task = current();
	int result = exec_replace_memory(task, program, path, strings, regs);

	set_origin(task->mm, program, strings, arguments_size(strings));
	process_set_program(task, program->inode);
	inode_put(program->inode);
	if (result != 0)
		return result;
	memcpy(task->name, program->name, TASK_NAME);
	fdtable_exec(task->files);
	signals_reset(task->signals);
	task->executed = true;
	process_release_vfork(task);
	return 0;
}

int process_exec(const struct exec_path *path, struct exec_strings *strings, struct regs *regs)
{
	struct program program;
	int result = find_program(path, strings, &program);

	if (result != 0)
		return result;
	if (!current()->borrows)
		return exec_become(&program, path->string, strings, regs) == 0 ? 0 : DIED;
	result = vfork_hand_over(&program, path->string, strings);
	if (result == 0)
		return MOVED;
	inode_put(program.inode);
	return result;
}

static int64_t exec_at(uint64_t fd, uint64_t path_address, uint64_t arguments,
                       uint64_t environment, uint64_t flags, struct regs *regs)
{
	struct exec_strings strings = { 0 };
	struct exec_path exec;
	struct path path;
	int64_t result = path_read(&path, fd, path_address);

	if (result != 0)
		return result;
	exec = (struct exec_path){ .base = path.base, .string = path.string };
	if ((flags & AT_EMPTY_PATH) != 0 && path.base != NULL && path.string[0] == '\0') {
		exec.by_descriptor = true;
		exec_descriptor_path(path.few, (uint32_t)fd);
	}
	result = exec_strings_read(&strings, arguments, &strings.arguments);
	if (result == 0)
		result = exec_strings_read(&strings, environment, &strings.environment);
	if (result == 0 && strings.arguments == 0)
		result = exec_strings_prepend(&strings, "", false);
	if (result == 0)
		result = process_exec(&exec, &strings, regs);
	exec_strings_free(&strings);
	path_free(&path);
	if (result == DIED)
		process_exit(SIGKILL);
	if (result == MOVED)
		vfork_leave();
	return result;
}

int64_t sys_execve(struct regs *regs)
{
	int64_t result;

	lock_take();
	result = exec_at(PATH_CWD, regs->rdi, regs->rsi, regs->rdx, 0, regs);
	lock_drop();
	return result;
}

int64_t sys_execveat(struct regs *regs)
{
	int64_t result;

	if ((regs->r8 & ~(uint64_t)AT_EMPTY_PATH) != 0)
		return -EINVAL;
	lock_take();
	result = exec_at(regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs);
	lock_drop();
	return result;
}
