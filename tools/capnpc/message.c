/* message.c: flattens what `capnp compile` sends, which is framed and has
 * several segments, so that core/capnp.c can read it.
 *
 * The segments are laid end to end; then every pointer is visited from the
 * root, and each far one is replaced by a near one to the same target. The
 * landing pads stay behind as dead words. */
#include "tools/capnpc/message.h"

#include "tools/capnpc/fail.h"

#include <stdlib.h>
#include <string.h>

enum { SEGMENTS_MAX = 4096, DEPTH_MAX = 64 };

struct segments {
	uint64_t *words;
	size_t count;              /* words in all */
	size_t number;             /* segments */
	size_t base[SEGMENTS_MAX]; /* each one's first word */
};

static void *read_all(FILE *in, size_t *size)
{
	size_t room = 1 << 16;
	char *bytes = NULL;
	*size = 0;
	for (;;) {
		bytes = realloc(bytes, room *= 2);
		if (bytes == NULL)
			fail("out of memory");
		*size += fread(bytes + *size, 1, room - *size, in);
		if (*size < room)
			return bytes;
	}
}

static uint64_t *word_at(struct segments *s, int64_t at)
{
	if (at < 0 || (uint64_t)at >= s->count)
		fail("bad request: a pointer leads outside the message");
	return &s->words[at];
}

static int64_t offset_of(uint64_t word)
{
	return (int32_t)(uint32_t)word >> 2;
}

/* The word a far pointer names: its landing pad, or a double-far's content. */
static int64_t far_target(struct segments *s, uint64_t word)
{
	size_t segment = word >> 32;
	if (segment >= s->number)
		fail("bad request: no segment %zu", segment);
	return (int64_t)(s->base[segment] + ((uint32_t)word >> 3));
}

/* Turns the far pointer at `at` into a near one. */
static void make_near(struct segments *s, int64_t at)
{
	uint64_t far = *word_at(s, at);
	int64_t pad = far_target(s, far);
	uint64_t word = *word_at(s, pad);
	int64_t target = pad + 1 + offset_of(word);
	if (far & 4) {
		target = far_target(s, word);
		word = *word_at(s, pad + 1);
	}
	if ((word & 3) > 1)
		fail("bad request: a landing pad holds no struct or list pointer");
	uint64_t offset = (uint32_t)(target - at - 1) << 2;
	*word_at(s, at) = (word & ~(uint64_t)UINT32_MAX) | (uint32_t)offset | (word & 3);
}

static void flatten(struct segments *s, int64_t at, unsigned depth);

/* Visits the pointers of `count` structs of the shape that `word` gives. */
static void flatten_structs(struct segments *s, int64_t at, uint64_t count, uint64_t word,
                            unsigned depth)
{
	uint64_t data = word >> 32 & 0xffff, pointers = word >> 48;
	if (data + pointers == 0)
		return;
	for (uint64_t i = 0; i < count; i++) {
		at += (int64_t)data;
		for (uint64_t p = 0; p < pointers; p++)
			flatten(s, at++, depth);
	}
}

static void flatten(struct segments *s, int64_t at, unsigned depth)
{
	if (depth == 0)
		fail("bad request: nested too deeply");
	if ((*word_at(s, at) & 3) == 2)
		make_near(s, at);
	uint64_t word = *word_at(s, at);
	int64_t target = at + 1 + offset_of(word);
	uint64_t element = word >> 32 & 7;
	if (word == 0)
		return;
	if ((word & 3) == 0)
		flatten_structs(s, target, 1, word, depth - 1);
	else if ((word & 3) == 1 && element == CAPNP_POINTER)
		flatten_structs(s, target, word >> 35, (uint64_t)1 << 48, depth - 1);
	else if ((word & 3) == 1 && element == CAPNP_COMPOSITE) {
		uint64_t tag = *word_at(s, target);
		flatten_structs(s, target + 1, (uint32_t)tag >> 2, tag, depth - 1);
	}
}

/* Splits the framed bytes; s->words ends up where the first segment starts. */
static void split(struct segments *s, uint64_t *framed, size_t size)
{
	const uint32_t *table = (const uint32_t *)framed;
	if (size < CAPNP_WORD || table[0] >= SEGMENTS_MAX)
		fail("bad request: no segment table");
	s->number = table[0] + 1;
	size_t header = (s->number + 2) / 2;
	if (size < header * CAPNP_WORD)
		fail("bad request: it ends within its segment table");
	s->words = framed + header;
	s->count = 0;
	for (size_t i = 0; i < s->number; i++) {
		s->base[i] = s->count;
		s->count += table[i + 1];
	}
	if (s->count == 0 || s->count > size / CAPNP_WORD - header)
		fail("bad request: it ends within a segment");
}

struct capnp_struct message_read(FILE *in)
{
	static struct segments s;
	size_t size;
	uint64_t *framed = read_all(in, &size);
	split(&s, framed, size);
	flatten(&s, 0, DEPTH_MAX);
	struct capnp_struct root;
	if (capnp_read_root(s.words, s.count * CAPNP_WORD, &root) != STATUS_OK)
		fail("bad request: malformed message");
	return root;
}
