/* show.c: prints a recording, one line per event.
 *
 *     trace-show [--all] FILE
 *
 * --all shows each cap_enter too. Ends with 1 if the recording is damaged; what
 * came before is then shown. */
#include "tools/trace/print.h"
#include "tools/trace/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	bool all = argc == 3 && strcmp(argv[1], "--all") == 0;
	struct trace_event_reader event;
	struct stream stream;
	size_t size;
	void *bytes;

	if (argc != 2 + all) {
		fprintf(stderr, "usage: trace-show [--all] FILE\n");
		return 2;
	}
	bytes = stream_load(argv[1 + all], &size);
	if (!bytes) {
		fprintf(stderr, "trace: %s: %s\n", argv[1 + all], strerror(errno));
		return 2;
	}
	stream_start(&stream, bytes, size);
	while (stream_next(&stream, &event))
		print_event(stdout, event, all);
	if (stream.error[0])
		fprintf(stderr, "trace: %s: %s\n", argv[1 + all], stream.error);
	free(bytes);
	return stream.error[0] != 0;
}
