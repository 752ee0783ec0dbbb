/* termios.h: the terminal's settings as the ioctls carry them (the kernel's
 * 36-byte struct, not libc's), and the signals a terminal sends.
 * Source: Linux include/uapi/asm-generic/termbits.h, ioctls.h, signal.h. */
#pragma once

#include <stdint.h>

enum { KTERMIOS_CC = 19 };

struct ktermios {
	uint32_t c_iflag;
	uint32_t c_oflag;
	uint32_t c_cflag;
	uint32_t c_lflag;
	uint8_t c_line;
	uint8_t c_cc[KTERMIOS_CC];
};
_Static_assert(sizeof(struct ktermios) == 36, "Linux ABI");

struct winsize {
	uint16_t ws_row, ws_col, ws_xpixel, ws_ypixel;
};
_Static_assert(sizeof(struct winsize) == 8, "Linux ABI");

enum { /* c_cc */
	VINTR = 0, VQUIT, VERASE, VKILL, VEOF, VTIME, VMIN, VSWTC, VSTART, VSTOP, VSUSP, VEOL,
	VREPRINT, VDISCARD, VWERASE, VLNEXT, VEOL2,
};

enum { /* c_iflag */
	IGNBRK = 01, BRKINT = 02, IGNPAR = 04, ISTRIP = 040, INLCR = 0100, IGNCR = 0200, ICRNL = 0400,
	IXON = 02000, IXANY = 04000, IXOFF = 010000, IMAXBEL = 020000, IUTF8 = 040000,
};

enum { /* c_oflag */
	OPOST = 01, ONLCR = 04, OCRNL = 010, ONOCR = 020, ONLRET = 040,
};

enum { /* c_cflag */
	B38400 = 017, B115200 = 010002, CS8 = 060, CREAD = 0200, HUPCL = 02000, CLOCAL = 04000,
};

enum { /* c_lflag */
	ISIG = 01, ICANON = 02, ECHO = 010, ECHOE = 020, ECHOK = 040, ECHONL = 0100, NOFLSH = 0200,
	TOSTOP = 0400, ECHOCTL = 01000, ECHOPRT = 02000, ECHOKE = 04000, IEXTEN = 0100000,
};

enum {
	TCGETS = 0x5401,
	TCSETS = 0x5402,
	TCSETSW = 0x5403,
	TCSETSF = 0x5404,
	TCSBRK = 0x5409,
	TCXONC = 0x540a,
	TCFLSH = 0x540b,
	TIOCEXCL = 0x540c,
	TIOCNXCL = 0x540d,
	TIOCSCTTY = 0x540e,
	TIOCGPGRP = 0x540f,
	TIOCSPGRP = 0x5410,
	TIOCOUTQ = 0x5411,
	TIOCSTI = 0x5412,
	TIOCGWINSZ = 0x5413,
	TIOCSWINSZ = 0x5414,
	FIONREAD = 0x541b,
	FIONBIO = 0x5421,
	TIOCNOTTY = 0x5422,
	TCSBRKP = 0x5425,
	TIOCGSID = 0x5429,
	FIONCLEX = 0x5450,
	FIOCLEX = 0x5451,
};

enum { TCIFLUSH = 0, TCOFLUSH = 1, TCIOFLUSH = 2 };

enum {
	SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGPIPE = 13, SIGCONT = 18, SIGTSTP = 20, SIGTTIN = 21,
	SIGTTOU = 22, SIGWINCH = 28,
};
