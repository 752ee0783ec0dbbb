/* mm.h: a program's memory: which ranges are what.
 *
 * A `struct mm` belongs to the one thread of its program, and needs no lock;
 * what stands behind file mappings does. The ranges say what may be there; the
 * address space has what is there, and a fault brings the one to the other.
 * Private anonymous pages belong to the address space; file pages are mapped
 * from where the file system keeps them, copy-on-write if private. */
#pragma once

#include "lib/vfs/inode.h"

#include <stdbool.h>
#include <stdint.h>

/* The bits of PROT_*, and of the exokernel's access. */
enum mm_access { MM_READ = 1, MM_WRITE = 2, MM_EXECUTE = 4, MM_ACCESS = 7 };

enum mm_flags {
	MM_SHARED = 8,  /* writes are for all to see */
	MM_STACK = 16,
	MM_HEAP = 32,
	MM_WRITTEN = 64, /* was writable once: may differ from its file */
	MM_MAPPED = 128, /* by mmap, of a file that may be cut short */
	MM_READ_ONLY = 256, /* its file was not opened for writing */
	MM_FLAGS = 0x1f8,
};

#define MM_LOW       0x10000ull          /* nothing is mapped below */
#define MM_STACK_TOP 0x00007fffe0000000ull
#define MM_TOP       (MM_STACK_TOP - 0x1000000ull) /* mmap goes down from here */
enum { MM_STACK_SIZE = 8 << 20, MM_STACK_MOST = 16 << 20 };

struct mm_object;

struct vma {
	uint64_t start, end;    /* whole pages */
	uint32_t what;          /* enum mm_access | enum mm_flags */
	uint32_t reserved;
	struct inode *file;     /* referenced; NULL: anonymous */
	uint64_t offset;        /* in file or object, of `start` */
	struct mm_object *object; /* shared anonymous memory; referenced */
};

/* What was executed: for /proc, which must not look into other programs. */
struct mm_origin {
	uint32_t references;
	uint32_t path_size, arguments_size; /* bytes, with NULs */
	char bytes[];                       /* the path, then the arguments */
};

struct mm {
	uint32_t space;         /* capability */
	uint32_t count, room;
	uint32_t last;          /* where the last search ended */
	uint64_t next_fault;    /* where the next one is, if memory is used in order */
	uint64_t at_once;       /* how many pages the last one brought */
	struct vma *vmas;       /* sorted, disjoint */
	uint64_t brk_start, brk;
	struct mm_origin *origin; /* NULL: not known */
	uint64_t pages;         /* covered by all vmas */
};

struct mm *mm_create(uint32_t space);
/* What the mm knows, for a child whose address space shares what is mapped
 * (mm_queue_share). NULL: no memory. */
struct mm *mm_clone(const struct mm *mm, uint32_t space);
/* Adds to the batch what shows all of mm's pages in clone's space. */
void mm_queue_share(const struct mm *mm, const struct mm *clone);
/* Lets go of files and objects; the address space is its owner's to end. What others
 * may have next is unmapped before it is let go, here as everywhere: the exokernel
 * reads and writes where a program's ring says, whatever its thread does meanwhile. */
void mm_end(struct mm *mm);
/* The same of one whose program has not begun, or will not. */
void mm_destroy(struct mm *mm);

/* Remembers what was executed; if there is no memory, it does not. */
enum { MM_ORIGIN_MOST = 2048 };
void mm_set_origin(struct mm *mm, const char *path, const char *arguments, size_t size);

struct vma *mm_search(struct mm *mm, uint64_t address);

/* The range that `address` lies in, or NULL. */
static inline struct vma *mm_find(struct mm *mm, uint64_t address)
{
	struct vma *v = &mm->vmas[mm->last];

	if (mm->last < mm->count && address - v->start < v->end - v->start)
		return v;
	return mm_search(mm, address);
}
/* The index of the first range that ends above `address`. */
uint32_t mm_index(struct mm *mm, uint64_t address);

/* Adds a range where there is none. Takes over v's references, unless it fails
 * with -ENOMEM. Neighbours of the same kind become one. */
int mm_insert(struct mm *mm, const struct vma *v);
/* Takes away whatever is in [start, end), and unmaps it. -ENOMEM before
 * anything has changed. */
int mm_remove(struct mm *mm, uint64_t start, uint64_t end);
/* Everything. */
void mm_clear(struct mm *mm);

/* Gives [start, end) the access, up to the first gap: then -ENOMEM. -EACCES if
 * it may not be written. */
int mm_protect(struct mm *mm, uint64_t start, uint64_t end, uint32_t access);

/* A free range of `size` bytes, as high as can be: its start, or 0. */
uint64_t mm_gap(struct mm *mm, uint64_t size);
bool mm_is_free(struct mm *mm, uint64_t start, uint64_t end);

/* Cuts ranges so that none crosses `address`. -ENOMEM. */
int mm_split(struct mm *mm, uint64_t address);

/* Takes and drops the references of a range to its file or object. */
void mm_hold(const struct vma *v);
void mm_let_go(const struct vma *v);

/* Anonymous memory that forked processes share. NULL: no memory. */
struct mm_object *mm_object_create(uint64_t pages);
int mm_object_map(struct mm *mm, const struct vma *v);

/* The whole-structure checker. */
void mm_check(const struct mm *mm);

/* fault.c. A page fault at `address`, with the processor's error code: 0 if
 * the access may be tried again, or the signal it is. */
enum mm_fault { MM_FAULT_OK, MM_FAULT_UNMAPPED, MM_FAULT_ACCESS, MM_FAULT_BUS, MM_FAULT_MEMORY };
enum mm_fault mm_fault(struct mm *mm, uint64_t address, uint64_t error);
/* Maps the file's pages for [start, end) of one range; with `write`, private
 * ones are copied at once. */
enum mm_fault mm_fill_file(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end,
                           bool write);
/* Anonymous pages for [start, end) of one range, before they are asked for. */
void mm_fill_anonymous(struct mm *mm, const struct vma *v, uint64_t start, uint64_t end);
uint32_t mm_exo_access(const struct vma *v);
