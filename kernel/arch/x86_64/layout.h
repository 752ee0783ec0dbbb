/* layout.h: where everything stands in an x86-64 address space.
 *
 *   lower half            the program (ring 3)
 *   slot 256  PHYSMAP     all RAM, linear: exokernel and native spaces only
 *   slot 384  MODULE      the libOS's module (ring 1): module spaces only
 *   slot 510  WINDOW      this CPU's window: gate, tables, entry stacks
 *   slot 511  KERNEL      the exokernel's image: never in a module space
 *
 * The window has two views with the same addresses. The *native view* (also
 * the exokernel's own) shows all of it; the *module view* ends before
 * WINDOW_PRIVATE, and its IDT leads to other code. Every CPU has its own window,
 * so an entry stack is never mapped on another CPU.
 *
 * Shared by C and assembly. */
#pragma once

#define PAGE_SIZE       4096
#define PAGE_SHIFT      12

#define USER_END        0x00007ffffffff000  /* the last page is never mapped: a
                                               syscall there would return past
                                               the canonical hole */
#define PHYSMAP_BASE    0xffff800000000000
#define MODULE_BASE     0xffffc00000000000
#define MODULE_END      0xffffc08000000000
#define WINDOW_BASE     0xffffff0000000000
#define KERNEL_BASE     0xffffffff80000000  /* physical 0; linked at +1 MiB */

#define SLOT_PHYSMAP    256
#define SLOT_MODULE     384
#define SLOT_WINDOW     510
#define SLOT_KERNEL     511

/* The window, page by page. Gaps are guard pages. */
#define GATE_ENTRY      (WINDOW_BASE + 0x00000)  /* r-x: gate.S */
#define GATE_CODE       0x800                    /* bytes of it, the rest is int3 */
#define WINDOW_IDT      (WINDOW_BASE + 0x02000)  /* r--, differs by view */
#define WINDOW_TABLES   (WINDOW_BASE + 0x03000)  /* r--: GDT, then TSS */
#define WINDOW_CELLS    (WINDOW_BASE + 0x04000)  /* r--: struct gate_cells */
#define ENTRY_STACK     (WINDOW_BASE + 0x06000)  /* rw- */
#define ENTRY_STACK_TOP (WINDOW_BASE + 0x07000)
#define IST_STACK(n)    (WINDOW_BASE + 0x06000 + (n) * 0x2000)  /* rw-, n = 1..4 */
#define IST_STACK_TOP(n) (IST_STACK(n) + 0x1000)
#define WINDOW_PRIVATE  (WINDOW_BASE + 0x20000)  /* native view only from here */
#define CPU_AREA        (WINDOW_BASE + 0x20000)  /* rw-: struct cpu */
#define KERNEL_STACK    (WINDOW_BASE + 0x28000)  /* rw- */
#define KERNEL_STACK_TOP (WINDOW_BASE + 0x2c000)

/* Segment selectors. syscall loads CS from STAR and SS = CS + 8; sysret loads SS =
 * SEL_SYSRET + 8 and CS = SEL_SYSRET + 16. */
#define SEL_KERNEL_CODE 0x08
#define SEL_KERNEL_DATA 0x10
#define SEL_MODULE_CODE 0x19  /* DPL 1 */
#define SEL_MODULE_DATA 0x21
#define SEL_SYSRET      0x23
#define SEL_USER_DATA   0x2b  /* DPL 3 */
#define SEL_USER_CODE   0x33
#define SEL_TSS         0x38

/* Vectors. 0x00 to 0x1f are the processor's. */
#define VECTOR_LINUX32  0x80  /* belongs to the libOS */
#define VECTOR_EXOKERNEL 0x90 /* always reaches the exokernel */
#define VECTOR_TIMER    0xe0
#define VECTOR_UART     0xe1
#define VECTOR_KICK     0xe2  /* look at your run queue */
#define VECTOR_SHOOTDOWN 0xe3
#define VECTOR_HALT     0xe4  /* another CPU has panicked */
#define VECTOR_SPURIOUS 0xff

#define MAX_CPUS        8
