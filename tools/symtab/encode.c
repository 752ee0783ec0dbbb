/* encode.c: see encode.h. All names, each with its 0, stand in one array of codes,
 * in which the most frequent pair becomes a code of its own, until there are no
 * codes left or none pays. A pair whose first code holds a 0 reaches into the next
 * name, and never counts. */
#include "tools/symtab/encode.h"

#include <stdlib.h>
#include <string.h>

#include "core/symtab.h"

/* A pair takes two bytes and saves one each time. */
enum { PAYS = 3 };

struct encoder {
	uint8_t *codes; /* of all names */
	size_t count;
	uint8_t letters[SYMTAB_CODES], pairs[SYMTAB_CODES][2];
	unsigned letter_count, pair_count;
	bool ends[SYMTAB_CODES]; /* the code's last letter is 0 */
	uint32_t times[SYMTAB_CODES][SYMTAB_CODES]; /* of a pair */
};

static bool take_names(struct encoder *e, const struct function *functions, size_t count)
{
	size_t room = 1;

	for (size_t i = 0; i < count; i++)
		room += strlen(functions[i].name) + 1;
	e->codes = malloc(room);
	for (size_t i = 0; e->codes && i < count; i++) {
		size_t size = strlen(functions[i].name) + 1;

		memcpy(e->codes + e->count, functions[i].name, size);
		e->count += size;
	}
	return e->codes;
}

/* Numbers the letters that occur, from 0. False: they are too many for their number
 * to fit in a byte. */
static bool number_letters(struct encoder *e)
{
	uint8_t code[SYMTAB_CODES] = {0};
	bool occurs[SYMTAB_CODES] = {true};

	for (size_t i = 0; i < e->count; i++)
		occurs[e->codes[i]] = true;
	for (unsigned letter = 0; letter < SYMTAB_CODES; letter++)
		if (occurs[letter]) {
			code[letter] = (uint8_t)e->letter_count;
			e->letters[e->letter_count++] = (uint8_t)letter;
		}
	for (size_t i = 0; i < e->count; i++)
		e->codes[i] = code[e->codes[i]];
	e->ends[0] = true;
	return e->letter_count < SYMTAB_CODES;
}

/* The pair that occurs most often, and how often. */
static uint32_t most_frequent(struct encoder *e, uint8_t pair[2])
{
	uint32_t most = 0;

	memset(e->times, 0, sizeof(e->times));
	for (size_t i = 0; i + 1 < e->count; i++) {
		uint8_t first = e->codes[i], second = e->codes[i + 1];

		if (e->ends[first] || ++e->times[first][second] <= most)
			continue;
		most = e->times[first][second];
		pair[0] = first;
		pair[1] = second;
	}
	return most;
}

static void replace(struct encoder *e, const uint8_t pair[2], uint8_t code)
{
	size_t to = 0;

	for (size_t i = 0; i < e->count; i++) {
		bool is = i + 1 < e->count && e->codes[i] == pair[0] &&
		          e->codes[i + 1] == pair[1];

		e->codes[to++] = is ? code : e->codes[i];
		i += is;
	}
	e->count = to;
}

static void find_pairs(struct encoder *e)
{
	while (e->letter_count + e->pair_count < SYMTAB_CODES) {
		unsigned code = e->letter_count + e->pair_count;
		uint8_t *pair = e->pairs[e->pair_count];

		if (most_frequent(e, pair) < PAYS)
			break;
		replace(e, pair, (uint8_t)code);
		e->ends[code] = e->ends[pair[1]];
		e->pair_count++;
	}
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t size)
{
	memcpy(to, bytes, size);
	return to + size;
}

/* A function's step, and its name's codes, which start at `*at`. */
static uint8_t *put_function(uint8_t *to, const struct encoder *e, uint32_t step, size_t *at)
{
	if (step >= 128)
		*to++ = (uint8_t)(128 | step >> 8);
	*to++ = (uint8_t)step;
	do
		*to++ = e->codes[*at];
	while (!e->ends[e->codes[(*at)++]]);
	return to;
}

static uint8_t *put_table(const struct encoder *e, const struct function *functions,
                          size_t count, size_t *size)
{
	uint8_t *table = malloc(2 + e->letter_count + 2 * e->pair_count + 2 * count + e->count);
	uint8_t *to = table;
	size_t at = 0;
	uint32_t before = 0;

	if (!table)
		return NULL;
	*to++ = (uint8_t)e->letter_count;
	to = put(to, e->letters, e->letter_count);
	*to++ = (uint8_t)e->pair_count;
	to = put(to, e->pairs, 2 * e->pair_count);
	for (size_t i = 0; i < count; i++) {
		to = put_function(to, e, functions[i].offset - before, &at);
		before = functions[i].offset;
	}
	*size = (size_t)(to - table);
	return table;
}

static bool steps_fit(const struct function *functions, size_t count)
{
	uint32_t before = 0;

	for (size_t i = 0; i < count; i++) {
		if (functions[i].offset - before > SYMTAB_STEP_MAX)
			return false;
		before = functions[i].offset;
	}
	return true;
}

uint8_t *symtab_encode(const struct function *functions, size_t count, size_t *size)
{
	struct encoder *e = calloc(1, sizeof(*e));
	uint8_t *table = NULL;

	if (!e)
		return NULL;
	if (steps_fit(functions, count) && take_names(e, functions, count) &&
	    number_letters(e)) {
		find_pairs(e);
		table = put_table(e, functions, count, size);
	}
	free(e->codes);
	free(e);
	return table;
}
