/* fcntl.h: flags of open and of the *at calls, fcntl's commands, poll's bits
 * and the small constants that come with files, as Linux on x86-64 has them.
 * Source: Linux include/uapi/asm-generic/fcntl.h, poll.h; linux/fs.h. */
#pragma once

enum {
	O_RDONLY = 0,
	O_WRONLY = 01,
	O_RDWR = 02,
	O_ACCMODE = 03,
	O_CREAT = 0100,
	O_EXCL = 0200,
	O_NOCTTY = 0400,
	O_TRUNC = 01000,
	O_APPEND = 02000,
	O_NONBLOCK = 04000,
	O_DSYNC = 010000,
	O_ASYNC = 020000,
	O_DIRECT = 040000,
	O_LARGEFILE = 0100000,
	O_DIRECTORY = 0200000,
	O_NOFOLLOW = 0400000,
	O_NOATIME = 01000000,
	O_CLOEXEC = 02000000,
	O_SYNC = 04010000,
	O_PATH = 010000000,
};

enum {
	AT_FDCWD = -100,
	AT_SYMLINK_NOFOLLOW = 0x100,
	AT_REMOVEDIR = 0x200,
	AT_EACCESS = 0x200,
	AT_SYMLINK_FOLLOW = 0x400,
	AT_NO_AUTOMOUNT = 0x800,
	AT_EMPTY_PATH = 0x1000,
};

enum { RENAME_NOREPLACE = 1, RENAME_EXCHANGE = 2, RENAME_WHITEOUT = 4 };

enum {
	F_DUPFD = 0,
	F_GETFD = 1,
	F_SETFD = 2,
	F_GETFL = 3,
	F_SETFL = 4,
	F_GETLK = 5,
	F_SETLK = 6,
	F_SETLKW = 7,
	F_SETOWN = 8,
	F_GETOWN = 9,
	F_DUPFD_CLOEXEC = 1030,
	F_SETPIPE_SZ = 1031,
	F_GETPIPE_SZ = 1032,
	FD_CLOEXEC = 1,
};

enum { SEEK_SET = 0, SEEK_CUR = 1, SEEK_END = 2, SEEK_DATA = 3, SEEK_HOLE = 4 };

enum { F_OK = 0, X_OK = 1, W_OK = 2, R_OK = 4 };

enum {
	POLLIN = 0x001,
	POLLPRI = 0x002,
	POLLOUT = 0x004,
	POLLERR = 0x008,
	POLLHUP = 0x010,
	POLLNVAL = 0x020,
	POLLRDNORM = 0x040,
	POLLRDBAND = 0x080,
	POLLWRNORM = 0x100,
	POLLWRBAND = 0x200,
	POLLRDHUP = 0x2000,
};

/* Sizes include the NUL for PATH_MAX, exclude it for NAME_MAX. */
enum { PATH_MAX = 4096, NAME_MAX = 255, SYMLINK_MAX_FOLLOWED = 40, PIPE_BUF = 4096 };
