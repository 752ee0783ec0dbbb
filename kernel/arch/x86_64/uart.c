/* uart.c: see uart.h. Registers: the PC16550D data sheet. */
#include "kernel/arch/x86_64/uart.h"

#include "kernel/arch/x86_64/apic.h"
#include "kernel/arch/x86_64/x86.h"

enum {
	COM1 = 0x3f8, COM1_IRQ = 4,
	UART_DATA = COM1, UART_DIVISOR_LOW = COM1, UART_DIVISOR_HIGH = COM1 + 1,
	UART_IER = COM1 + 1, UART_FCR = COM1 + 2, UART_LCR = COM1 + 3,
	UART_MCR = COM1 + 4, UART_LSR = COM1 + 5, UART_SCRATCH = COM1 + 7,

	IER_RECEIVED = 1,
	FCR_ENABLE = 1, FCR_CLEAR = 6, /* receive trigger: 1 byte */
	LCR_8N1 = 3, LCR_DIVISOR = 0x80,
	MCR_DTR_RTS = 3, MCR_OUT2 = 8, /* OUT2 lets the interrupt through */
	LSR_READY = 1, LSR_EMPTY = 0x20,

	FIFO_SIZE = 16,
	POLLS = 1000000, /* about a second: an access to the bus takes 1 us */
};

/* Without one the bus reads as all ones: data without end. */
static bool present;

/* What came before there was a FIFO, which begins empty. */
static uint8_t early;
static bool has_early;

bool uart_init(void)
{
	outb(UART_SCRATCH, 0x5a);
	if (inb(UART_SCRATCH) != 0x5a)
		return false;
	outb(UART_IER, 0);
	outb(UART_LCR, LCR_DIVISOR);
	outb(UART_DIVISOR_LOW, 1); /* 115200 baud */
	outb(UART_DIVISOR_HIGH, 0);
	outb(UART_LCR, LCR_8N1);
	if (inb(UART_LSR) & LSR_READY) {
		early = inb(UART_DATA);
		has_early = true;
	}
	outb(UART_FCR, FCR_ENABLE | FCR_CLEAR);
	outb(UART_MCR, MCR_DTR_RTS | MCR_OUT2);
	present = true;
	return true;
}

static bool wait_for_room(void)
{
	for (unsigned i = 0; i < POLLS; i++) {
		if (inb(UART_LSR) & LSR_EMPTY)
			return true;
		pause();
	}
	return false;
}

size_t uart_write(const void *bytes, size_t size)
{
	const char *from = bytes;
	size_t done = 0;

	while (done < size && wait_for_room()) {
		size_t part = size - done < FIFO_SIZE ? size - done : FIFO_SIZE;

		outsb(UART_DATA, from + done, part);
		done += part;
	}
	return done;
}

size_t uart_read(void *bytes, size_t size)
{
	uint8_t *to = bytes;
	size_t n = 0;

	if (has_early && size) {
		to[n++] = early;
		has_early = false;
	}
	while (present && n < size && inb(UART_LSR) & LSR_READY)
		to[n++] = inb(UART_DATA);
	return n;
}

void uart_enable_rx_interrupt(void)
{
	ioapic_route_isa(COM1_IRQ, VECTOR_UART, 0);
	outb(UART_IER, IER_RECEIVED);
}
