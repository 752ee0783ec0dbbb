/* capnp.c: the Cap'n Proto wire codec; capnp.h says what it promises.
 *
 * Reading rests on one function: decode() turns the pointer word at a given
 * place into a target whose content lies inside the message, or refuses it.
 * Nothing else computes an address from message bytes. Each pointer word, and
 * each tag, is loaded exactly once, so that what was checked is what is used.
 *
 * Places are word indexes into the message, never addresses, until the end.
 * A pointer word, from bit 0:
 *   struct      2 bits 0 | 30 bits signed offset | 16 data words | 16 pointers
 *   list        2 bits 1 | 30 bits signed offset | 3 element | 29 count
 *   far         2 bits 2 | refused: there is one segment
 *   capability  2 bits 3 | 30 bits 0             | 32 index
 * Offsets count words from the end of the pointer. A composite list counts
 * words, and its content starts with a tag shaped like a struct pointer whose
 * offset is the number of elements. */
#include "core/capnp.h"

enum kind { KIND_STRUCT, KIND_LIST, KIND_FAR, KIND_CAPABILITY, KIND_NULL };

/* What a pointer leads to: `count` elements of `data_words` words and
 * `pointers` pointers each, if it is a struct (count 1), composite or
 * pointer list. A capability keeps its index in `count`. */
struct target {
	enum kind kind;
	enum capnp_element element;  /* lists only */
	uint32_t start;              /* word index of the first element */
	uint32_t words;              /* all it takes, its tag included */
	uint32_t count;
	uint16_t data_words;
	uint16_t pointers;
};

/* Bytes a builder uses at most: what a pointer's 30 bits of words can span. */
#define BUILDER_MAX ((size_t)CAPNP_LIST_MAX * CAPNP_WORD)

static const uint8_t bits_of[] = {
	[CAPNP_VOID] = 0,        [CAPNP_BIT] = 1,          [CAPNP_BYTE] = 8,
	[CAPNP_TWO_BYTES] = 16,  [CAPNP_FOUR_BYTES] = 32,  [CAPNP_EIGHT_BYTES] = 64,
	[CAPNP_POINTER] = 64,    [CAPNP_COMPOSITE] = 0,
};

static uint64_t load_word(struct capnp_message m, uint32_t at)
{
	return *(const volatile capnp_u64 *)(m.bytes + (size_t)at * CAPNP_WORD);
}

/* Fills in start and words if [start, start + words) is inside the message. */
static enum status place(struct capnp_message m, int64_t start, uint64_t words,
                         struct target *out)
{
	if (start < 0 || words > m.words || (uint64_t)start > m.words - words)
		return STATUS_BAD_MESSAGE;
	out->start = (uint32_t)start;
	out->words = (uint32_t)words;
	return STATUS_OK;
}

static int64_t target_of(uint32_t at, uint64_t word)
{
	return (int64_t)at + 1 + ((int32_t)(uint32_t)word >> 2);
}

static enum status decode_struct(struct capnp_message m, uint32_t at, uint64_t word,
                                 struct target *out)
{
	out->count = 1;
	out->data_words = (uint16_t)(word >> 32);
	out->pointers = (uint16_t)(word >> 48);
	return place(m, target_of(at, word), (uint64_t)out->data_words + out->pointers, out);
}

/* Steps over the tag of a composite list that has been placed. */
static enum status decode_tag(struct capnp_message m, struct target *out)
{
	uint64_t tag = load_word(m, out->start);
	out->count = (uint32_t)tag >> 2;
	out->data_words = (uint16_t)(tag >> 32);
	out->pointers = (uint16_t)(tag >> 48);
	out->start++;
	uint64_t words = (uint64_t)out->count * ((uint32_t)out->data_words + out->pointers);
	if ((tag & 3) != KIND_STRUCT || words > out->words - 1)
		return STATUS_BAD_MESSAGE;
	return STATUS_OK;
}

static enum status decode_list(struct capnp_message m, uint32_t at, uint64_t word,
                               struct target *out)
{
	int64_t start = target_of(at, word);
	out->element = (enum capnp_element)(word >> 32 & 7);
	out->count = (uint32_t)(word >> 35);
	if (out->element == CAPNP_COMPOSITE) {
		enum status status = place(m, start, (uint64_t)out->count + 1, out);
		return status == STATUS_OK ? decode_tag(m, out) : status;
	}
	out->pointers = out->element == CAPNP_POINTER;
	return place(m, start, ((uint64_t)out->count * bits_of[out->element] + 63) / 64, out);
}

/* Decodes the pointer word at word index `at`, which the caller has checked to
 * be inside the message. */
static enum status decode(struct capnp_message m, uint32_t at, struct target *out)
{
	uint64_t word = load_word(m, at);
	*out = (struct target){ .kind = word == 0 ? KIND_NULL : (enum kind)(word & 3) };
	switch (out->kind) {
	case KIND_NULL:
		return STATUS_OK;
	case KIND_STRUCT:
		return decode_struct(m, at, word, out);
	case KIND_LIST:
		return decode_list(m, at, word, out);
	case KIND_CAPABILITY:
		out->count = (uint32_t)(word >> 32);
		return (uint32_t)word == KIND_CAPABILITY ? STATUS_OK : STATUS_BAD_MESSAGE;
	case KIND_FAR:
		break;
	}
	return STATUS_BAD_MESSAGE;
}

/* One object on the way from the root to the pointer being checked. */
struct level {
	uint32_t at;            /* the next pointer's word index */
	uint32_t elements;      /* elements left, this one included; 0: done */
	uint16_t left;          /* pointers left in this element */
	uint16_t pointers;      /* in each element */
	uint16_t data_words;    /* between the pointers of two elements */
};

struct walk {
	struct level level[CAPNP_DEPTH_MAX];
	uint32_t depth;   /* levels in use */
	uint64_t budget;  /* bytes that may still be reached */
};

/* Charges what t takes, and lays open its pointers if it has any. Elements
 * without size cost a byte each, for whoever loops over them. */
static enum status walk_enter(struct walk *w, const struct target *t)
{
	uint64_t cost = (uint64_t)t->words * CAPNP_WORD;
	bool sized = t->data_words != 0 || t->pointers != 0;
	if (t->kind == KIND_LIST && !sized && bits_of[t->element] == 0)
		cost += t->count;
	if (t->kind == KIND_CAPABILITY || t->kind == KIND_NULL)
		return STATUS_OK;
	if (cost > w->budget)
		return STATUS_BAD_MESSAGE;
	w->budget -= cost;
	if (t->pointers == 0 || t->count == 0)
		return STATUS_OK;
	if (w->depth == CAPNP_DEPTH_MAX)
		return STATUS_BAD_MESSAGE;
	w->level[w->depth++] = (struct level){ t->start + t->data_words, t->count, t->pointers,
	                                       t->pointers, t->data_words };
	return STATUS_OK;
}

/* Finds the next pointer at the deepest level that has one left. A level stays
 * until its last pointer's target is done with, for the depth to count it. */
static bool walk_next(struct walk *w, uint32_t *at)
{
	while (w->depth > 0 && w->level[w->depth - 1].elements == 0)
		w->depth--;
	if (w->depth == 0)
		return false;
	struct level *l = &w->level[w->depth - 1];
	*at = l->at++;
	if (--l->left == 0) {
		l->at += l->data_words;
		l->left = l->pointers;
		l->elements--;
	}
	return true;
}

/* Checks all that can be reached from the root. The budget is the message
 * itself without its root pointer, so the loop runs at most once per word. */
static enum status check(struct capnp_message m, const struct target *root)
{
	struct walk w;
	struct target t;
	uint32_t at;
	w.depth = 0;
	w.budget = (uint64_t)(m.words - 1) * CAPNP_WORD;
	enum status status = walk_enter(&w, root);
	while (status == STATUS_OK && walk_next(&w, &at)) {
		status = decode(m, at, &t);
		if (status == STATUS_OK)
			status = walk_enter(&w, &t);
	}
	return status;
}

static struct capnp_struct struct_at(struct capnp_message m, const struct target *t, uint16_t depth)
{
	return (struct capnp_struct){ m, m.bytes + (size_t)t->start * CAPNP_WORD,
	                              (uint32_t)t->data_words * CAPNP_WORD, t->pointers, depth };
}

/* The common message, told at a glance: a struct right after its pointer, whose
 * own pointers are null or capabilities. Nothing is left to walk. */
static bool is_shallow(struct capnp_message m, struct capnp_struct *out)
{
	uint64_t word = load_word(m, 0);
	uint32_t data_words = word >> 32 & 0xffff, pointers = (uint32_t)(word >> 48);

	if ((uint32_t)word != KIND_STRUCT || 1 + data_words + pointers > m.words)
		return false;
	for (uint32_t i = 0; i < pointers; i++) {
		uint64_t pointer = load_word(m, 1 + data_words + i);

		if (pointer != 0 && (uint32_t)pointer != KIND_CAPABILITY)
			return false;
	}
	*out = (struct capnp_struct){ m, m.bytes + CAPNP_WORD, data_words * CAPNP_WORD,
	                              (uint16_t)pointers, CAPNP_DEPTH_MAX };
	return true;
}

enum status capnp_read_root(const void *bytes, size_t size, struct capnp_struct *out)
{
	*out = (struct capnp_struct){ .data = NULL };
	if (size == 0)
		return STATUS_OK;
	if ((uintptr_t)bytes % CAPNP_WORD != 0 || size % CAPNP_WORD != 0 ||
	    size / CAPNP_WORD > UINT32_MAX)
		return STATUS_BAD_MESSAGE;
	struct capnp_message m = { bytes, (uint32_t)(size / CAPNP_WORD) };
	if (is_shallow(m, out))
		return STATUS_OK;
	struct target root;
	enum status status = decode(m, 0, &root);
	if (status != STATUS_OK || root.kind == KIND_NULL)
		return status;
	if (root.kind != KIND_STRUCT)
		return STATUS_BAD_MESSAGE;
	status = check(m, &root);
	if (status == STATUS_OK)
		*out = struct_at(m, &root, CAPNP_DEPTH_MAX);
	return status;
}

/* The target of pointer `index` of s: null if the sender's struct has no such
 * pointer, else of the kind wanted or refused. */
static enum status follow(const struct capnp_struct *s, uint32_t index, enum kind wanted,
                          struct target *out)
{
	*out = (struct target){ .kind = KIND_NULL };
	if (index >= s->pointers)
		return STATUS_OK;
	size_t at = (size_t)(s->data - s->message.bytes + s->data_bytes) / CAPNP_WORD + index;
	enum status status = decode(s->message, (uint32_t)at, out);
	if (status != STATUS_OK || out->kind == KIND_NULL)
		return status;
	return out->kind == wanted && s->depth > 0 ? STATUS_OK : STATUS_BAD_MESSAGE;
}

bool capnp_has_pointer(const struct capnp_struct *s, uint32_t index)
{
	if (index >= s->pointers)
		return false;
	return *(const volatile capnp_u64 *)(s->data + s->data_bytes + (size_t)index * CAPNP_WORD) != 0;
}

enum status capnp_get_struct(const struct capnp_struct *s, uint32_t index, struct capnp_struct *out)
{
	struct target t;
	struct capnp_struct found = { .message = s->message };
	enum status status = follow(s, index, KIND_STRUCT, &t);
	if (status == STATUS_OK && t.kind != KIND_NULL)
		found = struct_at(s->message, &t, (uint16_t)(s->depth - 1));
	*out = found;
	return status;
}

/* May a list stored like l be read as a list of `wanted`? */
static bool readable_as(const struct capnp_list *l, enum capnp_element wanted)
{
	switch (wanted) {
	case CAPNP_VOID:
		return true;
	case CAPNP_BIT:
		return l->element == CAPNP_BIT;
	case CAPNP_POINTER:
		return l->pointers > 0;
	case CAPNP_COMPOSITE:
		return l->element != CAPNP_BIT;
	default:
		return l->data_bytes * 8 >= bits_of[wanted];
	}
}

static struct capnp_list list_at(struct capnp_message m, const struct target *t, uint16_t depth)
{
	uint32_t data_bytes = (uint32_t)t->data_words * CAPNP_WORD;
	if (t->element != CAPNP_COMPOSITE && t->element != CAPNP_POINTER)
		data_bytes = bits_of[t->element] / 8;
	return (struct capnp_list){
		.message = m,
		.first = m.bytes + (size_t)t->start * CAPNP_WORD,
		.count = t->count,
		.step = data_bytes + (uint32_t)t->pointers * CAPNP_WORD,
		.data_bytes = data_bytes,
		.pointers = t->pointers,
		.depth = depth,
		.element = t->element,
	};
}

enum status capnp_get_list(const struct capnp_struct *s, uint32_t index, enum capnp_element element,
                           struct capnp_list *out)
{
	struct target t;
	*out = (struct capnp_list){ .message = s->message, .element = element };
	enum status status = follow(s, index, KIND_LIST, &t);
	if (status != STATUS_OK || t.kind == KIND_NULL)
		return status;
	struct capnp_list list = list_at(s->message, &t, (uint16_t)(s->depth - 1));
	if (!readable_as(&list, element))
		return STATUS_BAD_MESSAGE;
	if (element == CAPNP_POINTER) {
		list.first += list.data_bytes;
		list.data_bytes = 0;
	}
	*out = list;
	return STATUS_OK;
}

/* A list of bytes stored as such, which is what text and data are. */
static enum status get_bytes(const struct capnp_struct *s, uint32_t index, struct target *out)
{
	enum status status = follow(s, index, KIND_LIST, out);
	if (status == STATUS_OK && out->kind == KIND_LIST && out->element != CAPNP_BYTE)
		status = STATUS_BAD_MESSAGE;
	return status;
}

enum status capnp_get_text(const struct capnp_struct *s, uint32_t index, struct capnp_text *out)
{
	struct target t;
	*out = (struct capnp_text){ "", 0 };
	enum status status = get_bytes(s, index, &t);
	if (status != STATUS_OK || t.kind == KIND_NULL)
		return status;
	const uint8_t *bytes = s->message.bytes + (size_t)t.start * CAPNP_WORD;
	if (t.count == 0 || bytes[t.count - 1] != '\0')
		return STATUS_BAD_MESSAGE;
	*out = (struct capnp_text){ (const char *)bytes, t.count - 1 };
	return STATUS_OK;
}

enum status capnp_get_data(const struct capnp_struct *s, uint32_t index, struct capnp_data *out)
{
	struct target t;
	*out = (struct capnp_data){ s->message.bytes, 0 };
	enum status status = get_bytes(s, index, &t);
	if (status == STATUS_OK && t.kind != KIND_NULL)
		*out = (struct capnp_data){ s->message.bytes + (size_t)t.start * CAPNP_WORD, t.count };
	return status;
}

enum status capnp_get_capability(const struct capnp_struct *s, uint32_t index, uint32_t *out)
{
	struct target t;
	*out = UINT32_MAX;
	enum status status = follow(s, index, KIND_CAPABILITY, &t);
	if (status != STATUS_OK)
		return status;
	if (t.kind == KIND_NULL)
		return STATUS_NO_CAP;
	*out = t.count;
	return STATUS_OK;
}

void capnp_builder_start(struct capnp_builder *b, void *bytes, size_t size)
{
	bool aligned = (uintptr_t)bytes % CAPNP_WORD == 0;
	if (size > BUILDER_MAX)
		size = BUILDER_MAX;
	*b = (struct capnp_builder){ bytes, size, 0, aligned ? STATUS_OK : STATUS_INVALID };
}

size_t capnp_builder_size(const struct capnp_builder *b)
{
	return b->status == STATUS_OK ? b->used : 0;
}

static void store_word(uint8_t *at, uint64_t word)
{
	*(capnp_u64 *)at = word;
}

/* Zeroed room for `words`, or NULL and the builder has failed. */
static uint8_t *allocate(struct capnp_builder *b, uint64_t words)
{
	if (b->status != STATUS_OK)
		return NULL;
	if (words > (b->size - b->used) / CAPNP_WORD) {
		capnp_fail(b, STATUS_TOO_SMALL);
		return NULL;
	}
	uint8_t *room = b->bytes + b->used;
	for (uint64_t i = 0; i < words; i++)
		store_word(room + i * CAPNP_WORD, 0);
	b->used += (size_t)words * CAPNP_WORD;
	return room;
}

/* A pointer's low half: its kind and the distance from it to its target. */
static uint64_t aim(const uint8_t *from, const uint8_t *to, enum kind kind)
{
	return (uint32_t)((size_t)(to - from) / CAPNP_WORD - 1) << 2 | (uint32_t)kind;
}

static uint64_t shape(uint16_t data_words, uint16_t pointers)
{
	return (uint64_t)data_words << 32 | (uint64_t)pointers << 48;
}

/* Where pointer `index` of s stands, or NULL and the builder has failed. */
static uint8_t *slot(const struct capnp_struct_builder *s, uint32_t index)
{
	if (s->builder == NULL || s->builder->status != STATUS_OK)
		return NULL;
	if (index >= s->pointers) {
		capnp_fail(s->builder, STATUS_INVALID);
		return NULL;
	}
	return s->data + s->data_bytes + (size_t)index * CAPNP_WORD;
}

static struct capnp_struct_builder build_struct(struct capnp_builder *b, uint8_t *from,
                                                uint16_t data_words, uint16_t pointers)
{
	uint32_t words = (uint32_t)data_words + pointers;
	uint8_t *data = from != NULL ? allocate(b, words) : NULL;
	if (data == NULL)
		return (struct capnp_struct_builder){ .builder = b };
	/* A struct without size points at its own pointer, not to look null. */
	store_word(from, aim(from, words > 0 ? data : from, KIND_STRUCT) | shape(data_words, pointers));
	return (struct capnp_struct_builder){ b, data, (uint32_t)data_words * CAPNP_WORD, pointers };
}

struct capnp_struct_builder capnp_init_root(struct capnp_builder *b, uint16_t data_words,
                                            uint16_t pointers)
{
	if (b->used != 0)
		capnp_fail(b, STATUS_INVALID);
	return build_struct(b, allocate(b, 1), data_words, pointers);
}

struct capnp_struct_builder capnp_init_struct(const struct capnp_struct_builder *s, uint32_t index,
                                              uint16_t data_words, uint16_t pointers)
{
	return build_struct(s->builder, slot(s, index), data_words, pointers);
}

/* Room for a list of `count`, pointed to from `from`, with `words` of content. */
static uint8_t *build_list(struct capnp_builder *b, uint8_t *from, enum capnp_element element,
                           uint64_t count, uint64_t words)
{
	if (count > CAPNP_LIST_MAX)
		capnp_fail(b, STATUS_INVALID);
	uint8_t *first = from != NULL ? allocate(b, words) : NULL;
	if (first != NULL)
		store_word(from, aim(from, first, KIND_LIST) | (uint64_t)element << 32 | count << 35);
	return first;
}

struct capnp_list_builder capnp_init_list(const struct capnp_struct_builder *s, uint32_t index,
                                          enum capnp_element element, uint32_t count)
{
	if (element >= CAPNP_COMPOSITE)
		capnp_fail(s->builder, STATUS_INVALID);
	uint32_t bits = bits_of[element & 7];
	uint8_t *first = build_list(s->builder, slot(s, index), element, count,
	                            ((uint64_t)count * bits + 63) / 64);
	if (first == NULL)
		return (struct capnp_list_builder){ .builder = s->builder };
	bool pointer = element == CAPNP_POINTER;
	return (struct capnp_list_builder){ s->builder, first, count, bits / 8, pointer ? 0 : bits / 8,
	                                    pointer, element };
}

struct capnp_list_builder capnp_init_struct_list(const struct capnp_struct_builder *s,
                                                 uint32_t index, uint16_t data_words,
                                                 uint16_t pointers, uint32_t count)
{
	uint32_t step = (uint32_t)data_words + pointers;
	uint64_t words = (uint64_t)step * count;
	if (count > CAPNP_LIST_MAX)
		capnp_fail(s->builder, STATUS_INVALID);
	uint8_t *tag = build_list(s->builder, slot(s, index), CAPNP_COMPOSITE, words, words + 1);
	if (tag == NULL)
		return (struct capnp_list_builder){ .builder = s->builder };
	store_word(tag, (uint64_t)count << 2 | shape(data_words, pointers));
	return (struct capnp_list_builder){ s->builder, tag + CAPNP_WORD, count, step * CAPNP_WORD,
	                                    (uint32_t)data_words * CAPNP_WORD, pointers,
	                                    CAPNP_COMPOSITE };
}

/* Room for a list of `size` bytes. */
static uint8_t *build_bytes(const struct capnp_struct_builder *s, uint32_t index, size_t size)
{
	uint64_t words = ((uint64_t)size + CAPNP_WORD - 1) / CAPNP_WORD;
	return build_list(s->builder, slot(s, index), CAPNP_BYTE, size, words);
}

uint8_t *capnp_init_data(const struct capnp_struct_builder *s, uint32_t index, size_t size)
{
	return build_bytes(s, index, size);
}

void capnp_set_data(const struct capnp_struct_builder *s, uint32_t index, struct capnp_data data)
{
	uint8_t *room = build_bytes(s, index, data.size);
	if (room != NULL && data.size > 0)
		__builtin_memcpy(room, data.bytes, data.size);
}

void capnp_set_text(const struct capnp_struct_builder *s, uint32_t index, struct capnp_text text)
{
	if (text.length >= CAPNP_LIST_MAX) {
		capnp_fail(s->builder, STATUS_INVALID);
		return;
	}
	uint8_t *room = build_bytes(s, index, text.length + 1);
	if (room != NULL && text.length > 0)
		__builtin_memcpy(room, text.bytes, text.length);
}

void capnp_set_capability(const struct capnp_struct_builder *s, uint32_t index, uint32_t capability)
{
	uint8_t *at = slot(s, index);
	if (at != NULL)
		store_word(at, (uint64_t)capability << 32 | KIND_CAPABILITY);
}
