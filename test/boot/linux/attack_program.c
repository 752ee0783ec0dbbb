/* attack_program.c: the code attacks of test/boot/modules/attack.h, each by a
 * child of a Linux program: the child gets the signal that Linux would send, and
 * nobody else gets anything. */
#include "test/boot/modules/attack_code.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct code_attack { const char *name; int vector; };

#define CODE_ATTACK(name, vector, address, code) { #name, vector },
static const struct code_attack attacks[] = { ATTACKS(CODE_ATTACK) };

static int signal_of(int vector)
{
	switch (vector) {
	case 0:
	case 16:
	case 19:
		return SIGFPE;
	case 1:
	case 3:
		return SIGTRAP;
	case 6:
		return SIGILL;
	default:
		return SIGSEGV;
	}
}

/* How a child ended that jumped to the code: its wait status. */
static int end_of(const uint8_t *code)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0) {
		__asm__ volatile("jmp *%0" : : "r"(code) : "memory");
		_exit(1);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	return status;
}

static int canary(void)
{
	int status = -1;
	pid_t child = fork();

	if (child == 0)
		_exit(42);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 42;
}

int main(void)
{
	int failures = 0;

	for (int i = 0; i < ATTACK_RING1_FIRST; i++) {
		int vector = attacks[i].vector;
		int status = end_of(attack_code + attack_offsets[i]);
		/* What survives makes a system call of no meaning, then meets ud2. */
		int passed = WIFSIGNALED(status) &&
		             (vector == VARIES || WTERMSIG(status) == signal_of(vector));

		if (!passed || !canary()) {
			printf("not ok %s: status 0x%x\n", attacks[i].name, (unsigned)status);
			failures++;
		}
	}
	for (int n = 0; n < 256; n++) {
		int status = end_of(attack_int + n * ATTACK_INT_SIZE);
		int open = n == 3 || n == 4 || n == 0x80 || n == 0x90;

		if (!open && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV)) {
			printf("not ok int 0x%x: status 0x%x\n", (unsigned)n, (unsigned)status);
			failures++;
		}
	}
	if (!canary())
		failures++;
	printf("attack_program: %d attacks, %d failed\n", ATTACK_RING1_FIRST + 256, failures);
	return failures != 0;
}
