/* manifest.c: the semantic check of a manifest; manifest.h says what passes.
 *
 * One function per struct of the schema. Each takes its fields in order and
 * stops at the first that is wrong, so that a manifest is mended from the top. */
#include "core/manifest.h"

#include "abi/manifest.capnp.h"
#include "core/name.h"

/* Names in a libOS's CapSet that are not the manifest's to choose. */
static const char *const given[] = { "initrd", "start", "libos", "self", "space", "thread",
	                                 "inspector", "module", "modules", NULL };

/* And in a program's. */
static const char *const basic[] = { "thread", "inspector", NULL };

/* Where a reason goes, and what the grants may come from. */
struct judge {
	const char *const *sources;
	char *reason;
	size_t size, used;
};

/* A field's path: "libos.grants", 3, ".name". */
struct field {
	const char *path;
	int64_t index;     /* -1: not in a list */
	const char *rest;
};

static struct field field(const char *path)
{
	return (struct field){ path, -1, "" };
}

static struct field element(const char *path, uint32_t index, const char *rest)
{
	return (struct field){ path, index, rest };
}

static void say_character(struct judge *judge, char c)
{
	if (judge->used + 1 < judge->size)
		judge->reason[judge->used++] = c;
}

static void say(struct judge *judge, const char *string)
{
	while (*string != '\0')
		say_character(judge, *string++);
}

static void say_number(struct judge *judge, uint32_t number)
{
	if (number >= 10)
		say_number(judge, number / 10);
	say_character(judge, (char)('0' + number % 10));
}

static enum status refuse(struct judge *judge, struct field at, const char *why)
{
	judge->used = 0;
	say(judge, at.path);
	if (at.index >= 0) {
		say(judge, "[");
		say_number(judge, (uint32_t)at.index);
		say(judge, "]");
	}
	say(judge, at.rest);
	say(judge, ": ");
	say(judge, why);
	if (judge->size > 0)
		judge->reason[judge->used] = '\0';
	return STATUS_BAD_MESSAGE;
}

static enum status refuse_kind(struct judge *judge, struct field at)
{
	return refuse(judge, at, "malformed");
}

static bool one_of(struct capnp_text text, const char *const *list)
{
	for (; *list != NULL; list++)
		if (text_equal(text, capnp_text_from(*list)))
			return true;
	return false;
}

static enum status check_id(struct judge *judge, struct field at, struct capnp_text text)
{
	if (text.length == 0)
		return refuse(judge, at, "missing");
	if (!name_valid(text))
		return refuse(judge, at, "not 1 to 31 characters of a-z, 0-9 and -");
	return STATUS_OK;
}

static enum status check_name(struct judge *judge, struct field at, struct capnp_text text)
{
	if (text.length == 0)
		return refuse(judge, at, "missing");
	if (text.length > MANIFEST_NAME_MAX)
		return refuse(judge, at, "longer than 63 characters");
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] < ' ' || text.bytes[i] > '~')
			return refuse(judge, at, "holds a character that is not printable ASCII");
	return STATUS_OK;
}

static enum status check_text(struct judge *judge, struct field at, struct capnp_text text)
{
	if (text.length > MANIFEST_TEXT_MAX)
		return refuse(judge, at, "longer than 16383 bytes");
	for (size_t i = 0; i < text.length; i++)
		if (text.bytes[i] == '\0')
			return refuse(judge, at, "holds a NUL");
	return STATUS_OK;
}

/* The component of `path` at `start`: where it ends. */
static size_t component_end(struct capnp_text path, size_t start)
{
	while (start < path.length && path.bytes[start] != '/')
		start++;
	return start;
}

static enum status check_path(struct judge *judge, struct field at, struct capnp_text path)
{
	enum status status = check_text(judge, at, path);
	if (status != STATUS_OK)
		return status;
	if (path.length == 0)
		return refuse(judge, at, "missing");
	if (path.length >= MANIFEST_PATH_MAX)
		return refuse(judge, at, "longer than 255 bytes");
	if (path.bytes[0] != '/')
		return refuse(judge, at, "not an absolute path");
	for (size_t start = 1, end; start <= path.length; start = end + 1) {
		end = component_end(path, start);
		const char *component = path.bytes + start;
		if (end == start)
			return refuse(judge, at, "has an empty component");
		if (component[0] == '.' &&
		    (end - start == 1 || (end - start == 2 && component[1] == '.')))
			return refuse(judge, at, "has a `.` or `..` component");
	}
	return STATUS_OK;
}

/* Is the source one that the initial init system has for the libOS, or (`from`) that
 * the libOS has for its program? */
static enum status check_source(struct judge *judge, struct field at, struct capnp_text source,
                                const struct manifest *from)
{
	enum status status = check_id(judge, at, source);
	if (status != STATUS_OK)
		return status;
	if (from == NULL && judge->sources != NULL && !one_of(source, judge->sources))
		return refuse(judge, at, "the initial init system holds nothing by that name");
	for (uint32_t i = 0; from != NULL; i++) {
		if (i == from->grants.count)
			return refuse(judge, at, "the libOS is granted nothing by that name");
		if (text_equal(source, manifest_grant(from->grants, i).name))
			break;
	}
	return STATUS_OK;
}

static enum status check_grant(struct judge *judge, const char *path, uint32_t i,
                               struct manifest_grant grant, const struct manifest *from)
{
	struct field name = element(path, i, ".name");
	enum status status = check_id(judge, name, grant.name);
	if (status != STATUS_OK)
		return status;
	if (from == NULL && one_of(grant.name, given))
		return refuse(judge, name, "a name that every libOS is given");
	if (from != NULL && one_of(grant.name, basic))
		return refuse(judge, name, "a name that every program is given");
	return check_source(judge, element(path, i, ".source"), grant.source, from);
}

static enum status read_grant(struct capnp_list list, uint32_t i, struct manifest_grant *out)
{
	struct manifest_grant_reader reader = manifest_grant_list_get(list, i);
	enum status status = manifest_grant_get_name(reader, &out->name);
	enum status second = manifest_grant_get_source(reader, &out->source);
	return status != STATUS_OK ? status : second;
}

/* `from`: whose libOS gives; NULL: the initial init system does. */
static enum status check_grants(struct judge *judge, const char *path, struct capnp_list list,
                                const struct manifest *from)
{
	struct capnp_text names[MANIFEST_GRANTS_MAX];
	if (list.count > MANIFEST_GRANTS_MAX)
		return refuse(judge, field(path), "more than 32");
	for (uint32_t i = 0; i < list.count; i++) {
		struct manifest_grant grant;
		if (read_grant(list, i, &grant) != STATUS_OK)
			return refuse_kind(judge, element(path, i, ""));
		enum status status = check_grant(judge, path, i, grant, from);
		if (status != STATUS_OK)
			return status;
		for (uint32_t j = 0; j < i; j++)
			if (text_equal(names[j], grant.name))
				return refuse(judge, element(path, i, ".name"), "granted twice");
		names[i] = grant.name;
	}
	return STATUS_OK;
}

static enum status check_libos(struct judge *judge, struct manifest_libos_reader libos,
                               struct manifest *out)
{
	enum status status;
	if (manifest_libos_get_id(libos, &out->libos_id) != STATUS_OK)
		return refuse_kind(judge, field("libos.id"));
	if ((status = check_id(judge, field("libos.id"), out->libos_id)) != STATUS_OK)
		return status;
	if (manifest_libos_get_module(libos, &out->libos_module) != STATUS_OK)
		return refuse_kind(judge, field("libos.module"));
	if ((status = check_path(judge, field("libos.module"), out->libos_module)) != STATUS_OK)
		return status;
	out->libos_memory_pages = manifest_libos_get_memory_pages(libos);
	if (manifest_libos_get_grants(libos, &out->grants) != STATUS_OK)
		return refuse_kind(judge, field("libos.grants"));
	return check_grants(judge, "libos.grants", out->grants, NULL);
}

static enum status check_texts(struct judge *judge, const char *path, struct capnp_list list)
{
	if (list.count > MANIFEST_TEXTS_MAX)
		return refuse(judge, field(path), "more than 64");
	for (uint32_t i = 0; i < list.count; i++) {
		struct capnp_text text;
		if (capnp_list_text(list, i, &text) != STATUS_OK)
			return refuse_kind(judge, element(path, i, ""));
		enum status status = check_text(judge, element(path, i, ""), text);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* The NAME of NAME=value, empty if there is none. */
static struct capnp_text variable_name(struct capnp_text entry)
{
	for (size_t i = 0; i < entry.length; i++) {
		char c = entry.bytes[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
		if (c == '=')
			return (struct capnp_text){ entry.bytes, i };
		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			break;
	}
	return (struct capnp_text){ "", 0 };
}

static enum status check_environment(struct judge *judge, struct capnp_list list)
{
	static const char path[] = "program.environment";
	struct capnp_text names[MANIFEST_TEXTS_MAX];
	enum status status = check_texts(judge, path, list);
	if (status != STATUS_OK)
		return status;
	for (uint32_t i = 0; i < list.count; i++) {
		names[i] = variable_name(manifest_text(list, i));
		if (names[i].length == 0)
			return refuse(judge, element(path, i, ""), "not NAME=value");
		for (uint32_t j = 0; j < i; j++)
			if (text_equal(names[j], names[i]))
				return refuse(judge, element(path, i, ""), "set twice");
	}
	return STATUS_OK;
}

static enum status check_program(struct judge *judge, struct manifest_program_reader program,
                                 struct manifest *out)
{
	enum status status;
	out->plain_console = manifest_program_get_plain_console(program);
	if (manifest_program_get_path(program, &out->program_path) != STATUS_OK)
		return refuse_kind(judge, field("program.path"));
	if ((status = check_path(judge, field("program.path"), out->program_path)) != STATUS_OK)
		return status;
	if (manifest_program_get_arguments(program, &out->arguments) != STATUS_OK)
		return refuse_kind(judge, field("program.arguments"));
	if (out->arguments.count == 0)
		return refuse(judge, field("program.arguments"), "missing");
	status = check_texts(judge, "program.arguments", out->arguments);
	if (status != STATUS_OK)
		return status;
	if (manifest_program_get_environment(program, &out->environment) != STATUS_OK)
		return refuse_kind(judge, field("program.environment"));
	if ((status = check_environment(judge, out->environment)) != STATUS_OK)
		return status;
	if (manifest_program_get_grants(program, &out->program_grants) != STATUS_OK)
		return refuse_kind(judge, field("program.grants"));
	return check_grants(judge, "program.grants", out->program_grants, out);
}

enum status manifest_check(const void *bytes, size_t size, const char *const *sources,
                           struct manifest *out, char *reason, size_t reason_size)
{
	struct judge judge = { .sources = sources, .reason = reason, .size = reason_size };
	struct manifest_reader root;
	struct manifest_libos_reader libos;
	struct manifest_program_reader program;
	enum status status;

	*out = (struct manifest){ .libos_memory_pages = 0 };
	if (manifest_read(bytes, size, &root) != STATUS_OK)
		return refuse(&judge, field("message"), "not a well-formed Cap'n Proto message");
	if (manifest_get_name(root, &out->name) != STATUS_OK)
		return refuse_kind(&judge, field("name"));
	if ((status = check_name(&judge, field("name"), out->name)) != STATUS_OK)
		return status;
	if (manifest_get_libos(root, &libos) != STATUS_OK)
		return refuse_kind(&judge, field("libos"));
	if ((status = check_libos(&judge, libos, out)) != STATUS_OK)
		return status;
	if (manifest_get_program(root, &program) != STATUS_OK)
		return refuse_kind(&judge, field("program"));
	return check_program(&judge, program, out);
}

struct manifest_grant manifest_grant(struct capnp_list grants, uint32_t i)
{
	struct manifest_grant grant;
	if (read_grant(grants, i, &grant) != STATUS_OK)
		return (struct manifest_grant){ .name = { "", 0 }, .source = { "", 0 } };
	return grant;
}

struct capnp_text manifest_text(struct capnp_list list, uint32_t i)
{
	struct capnp_text text;
	if (capnp_list_text(list, i, &text) != STATUS_OK)
		return (struct capnp_text){ "", 0 };
	return text;
}
