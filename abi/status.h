/* status.h: the one set of results that every layer of Tessera speaks.
 *
 * A ring completion carries one of these; so does every C function that may
 * refuse. Codes are part of the ABI: add at the end, never renumber. */
#pragma once

enum status {
	STATUS_OK = 0,
	STATUS_INVALID,      /* an argument is out of its documented range */
	STATUS_NO_CAP,       /* no live capability stands at that id */
	STATUS_NO_METHOD,    /* the object does not speak that interface or method */
	STATUS_NO_MEMORY,    /* the ledger is exhausted, or physical memory is */
	STATUS_NO_SLOT,      /* a fixed table (capabilities, PIDs, libOSes) is full */
	STATUS_EXISTS,       /* that name, id or address range is taken */
	STATUS_NOT_FOUND,    /* nothing by that name or at that address */
	STATUS_DENIED,       /* the object refuses this caller or this use */
	STATUS_BUSY,         /* not now: the object is in use */
	STATUS_TIMEOUT,      /* the time given ran out first */
	STATUS_FAULT,        /* a buffer is not mapped with the access needed */
	STATUS_TOO_SMALL,    /* the answer does not fit the buffer offered */
	STATUS_GONE,         /* the object was revoked or destroyed meanwhile */
	STATUS_BAD_MESSAGE,  /* bytes that are no valid message, image or archive */
	STATUS_INTERRUPTED,  /* another thread asked this one to stop waiting */
	STATUS_AGAIN,        /* the awaited word had already changed (PARK) */
	STATUS_CANCELLED,    /* its maker took the entry back (CANCEL) */
	STATUS_BUDGET,       /* the scheduling context has no time left */
	STATUS_COUNT
};

/* Marks results that must be looked at. */
#define MUST_CHECK __attribute__((warn_unused_result))
