/* symtab.c: see symtab.h. Every search goes through the whole table: it is for
 * backtraces. */
#include "core/symtab.h"

struct reader {
	const uint8_t *letters, *pairs; /* behind their number */
	const uint8_t *at, *end;
	char *name; /* of the function at hand */
	size_t size, used;
};

/* Writes what a code means; false after the last letter. Each code of a pair is
 * less than the pair's own, so this ends. */
static bool expand(struct reader *r, uint8_t code)
{
	const uint8_t *pair;
	char letter;

	if (code >= r->letters[-1]) {
		pair = r->pairs + 2 * (code - r->letters[-1]);
		return expand(r, pair[0]) && expand(r, pair[1]);
	}
	letter = (char)r->letters[code];
	if (letter != '\0' && r->used + 1 < r->size)
		r->name[r->used++] = letter;
	return letter != '\0';
}

static uint32_t next_step(struct reader *r)
{
	uint32_t step = *r->at++;

	if (step >= 128 && r->at < r->end)
		step = (step & 127) << 8 | *r->at++;
	return step;
}

bool symtab_find(const uint8_t *table, const uint8_t *end, uint32_t offset,
                 char *name, size_t size, uint32_t *start)
{
	struct reader r = {.letters = table + 1, .end = end, .name = name, .size = size};
	uint32_t address = 0;
	bool found = false;

	r.pairs = r.letters + table[0] + 1;
	r.at = r.pairs + 2 * r.pairs[-1];
	while (r.at < end) {
		address += next_step(&r);
		if (address > offset)
			break;
		r.used = 0;
		while (r.at < end && expand(&r, *r.at++))
			;
		name[r.used] = '\0';
		*start = address;
		found = true;
	}
	return found;
}
