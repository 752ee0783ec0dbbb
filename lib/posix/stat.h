/* stat.h: modes and what stat, statfs and getdents64 write, byte for byte as
 * Linux on x86-64 has them.
 * Source: Linux arch/x86/include/uapi/asm/stat.h, asm-generic/statfs.h,
 * include/linux/dirent.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	S_IFLNK = 0120000,
	S_IFREG = 0100000,
	S_IFBLK = 0060000,
	S_IFDIR = 0040000,
	S_IFCHR = 0020000,
	S_IFIFO = 0010000,
	S_ISUID = 04000,
	S_ISGID = 02000,
	S_ISVTX = 01000,
	S_IRWXUGO = 0777,
	S_IXUGO = 0111,
};

/* d_type is the mode's file type, shifted. */
enum { DIRENT_TYPE_SHIFT = 12 };

struct stat {
	uint64_t st_dev;
	uint64_t st_ino;
	uint64_t st_nlink;
	uint32_t st_mode;
	uint32_t st_uid;
	uint32_t st_gid;
	uint32_t st_padding;
	uint64_t st_rdev;
	int64_t st_size;
	int64_t st_blksize;
	int64_t st_blocks;
	int64_t st_atime_sec, st_atime_nsec;
	int64_t st_mtime_sec, st_mtime_nsec;
	int64_t st_ctime_sec, st_ctime_nsec;
	int64_t st_unused[3];
};
_Static_assert(sizeof(struct stat) == 144, "Linux ABI");
_Static_assert(offsetof(struct stat, st_size) == 48, "Linux ABI");

struct statfs {
	int64_t f_type;
	int64_t f_bsize;
	uint64_t f_blocks;
	uint64_t f_bfree;
	uint64_t f_bavail;
	uint64_t f_files;
	uint64_t f_ffree;
	int32_t f_fsid[2];
	int64_t f_namelen;
	int64_t f_frsize;
	int64_t f_flags;
	int64_t f_spare[4];
};
_Static_assert(sizeof(struct statfs) == 120, "Linux ABI");

enum { TMPFS_MAGIC = 0x01021994, PROC_MAGIC = 0x9fa0 };

/* A record is padded to a multiple of 8; d_name ends with a NUL. */
struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off; /* offset of the next record, for lseek */
	uint16_t d_reclen;
	uint8_t d_type;
	char d_name[];
};
enum { DIRENT_NAME_OFFSET = 19 };
_Static_assert(offsetof(struct linux_dirent64, d_name) == DIRENT_NAME_OFFSET, "Linux ABI");

/* Device numbers, as stat's st_rdev and mknod have them. */
static inline uint64_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | ((uint64_t)(major & 0xfff) << 8) |
	       ((uint64_t)(minor & ~0xffu) << 12) | ((uint64_t)(major & ~0xfffu) << 32);
}

static inline uint32_t device_major(uint64_t device)
{
	return (uint32_t)((device >> 8) & 0xfff) | (uint32_t)((device >> 32) & ~0xfffu);
}

static inline uint32_t device_minor(uint64_t device)
{
	return (uint32_t)(device & 0xff) | (uint32_t)((device >> 12) & ~0xffu);
}
