/* uart.h: COM1, a 16550: the guest's console. Callers serialise. */
#pragma once

#include "kernel/types.h"

/* 115200 8N1, FIFOs on, interrupts off. False: there is no UART. */
bool uart_init(void);

/* Writes all of it, waiting for room in the FIFO; if none comes for about a
 * second the rest is dropped. Returns how many bytes were taken. */
size_t uart_write(const void *bytes, size_t size);

/* Takes what has arrived, at most `size` bytes; does not wait. Drain it until
 * it returns 0 on each VECTOR_UART: the interrupt is edge-triggered. */
size_t uart_read(void *bytes, size_t size);

/* From now on arriving bytes raise VECTOR_UART on CPU 0. */
void uart_enable_rx_interrupt(void);
