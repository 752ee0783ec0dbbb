/* stream_fuzz.c: any bytes for a recording: read, searched for a process, and
 * printed. What is printed must be printable. */
#include "tools/trace/print.h"
#include "tools/trace/recording.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_printable(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] != '\n' && (text[i] < ' ' || text[i] > '~'))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1); /* 8-aligned */
	struct trace_event_reader event;
	struct recording recording;
	struct stream stream;
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!bytes || !out)
		abort();
	memcpy(bytes, data, size);
	stream_start(&stream, bytes, size);
	while (stream_next(&stream, &event))
		print_event(out, event, true);
	fclose(out);
	check_printable(text, length);
	(void)recording_find(&recording, bytes, size, 1);
	recording_free(&recording);
	free(text);
	free(bytes);
	return 0;
}
