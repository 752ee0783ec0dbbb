/* manifest-check.c: judges a manifest at build time, as the IIS will at boot.
 *
 *   capnp eval -I. FILE system --output=flat | manifest-check FILE
 *
 * Says nothing and exits 0, or prints `FILE: field: reason` and exits 1. */
#include "core/manifest.h"
#include "iis/sources.h"

#include <stdio.h>

int main(int argc, char **argv)
{
	_Alignas(8) static unsigned char message[1 << 20];
	char reason[MANIFEST_REASON_MAX];
	struct manifest manifest;

	if (argc != 2) {
		fputs("usage: manifest-check FILE < MESSAGE\n", stderr);
		return 2;
	}
	size_t size = fread(message, 1, sizeof message, stdin);
	if (ferror(stdin) || size == sizeof message) {
		fprintf(stderr, "%s: message: %s\n", argv[1], ferror(stdin) ? "unreadable" : "too long");
		return 1;
	}
	if (manifest_check(message, size, iis_sources, &manifest, reason, sizeof reason) !=
	    STATUS_OK) {
		fprintf(stderr, "%s: %s\n", argv[1], reason);
		return 1;
	}
	return 0;
}
