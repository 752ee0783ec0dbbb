/* nothing_libc.c: what row fork_exec_libc starts: a program that does nothing but
 * start and end as C programs do. */
int main(void)
{
	return 0;
}
