/* fpu.c: x87, SSE and AVX state. The module is built without vector
 * instructions, so the program's state stays in the registers, and is moved
 * only for fork, exec and signal frames. Source: Intel SDM 1, chapter 13. */
#include "os/linux/signal.h"

#include "rt/module_string.h"

enum {
	FPU_LEGACY = 512,      /* x87 and SSE */
	FPU_HEADER = 64,
	FPU_AREA = 4096,
	FPU_MXCSR = 24,        /* offsets */
	FPU_MXCSR_MASK = 28,
	FPU_XSTATE_BV = 512,
	FPU_FIRST_RESERVED = 520,
	MXCSR_DEFAULT = 0x1f80,
	MXCSR_MASK_DEFAULT = 0xffbf,
};

uint32_t fpu_size;
uint64_t fpu_mask;
static uint8_t initial[FPU_AREA] __attribute__((aligned(64)));
static uint32_t mxcsr_mask;

void fpu_save(void *area)
{
	__asm__ volatile("xsave64 (%0)"
	                 :
	                 : "r"(area), "a"((uint32_t)fpu_mask), "d"((uint32_t)(fpu_mask >> 32))
	                 : "memory");
}

void fpu_load(const void *area)
{
	__asm__ volatile("xrstor64 (%0)"
	                 :
	                 : "r"(area), "a"((uint32_t)fpu_mask), "d"((uint32_t)(fpu_mask >> 32))
	                 : "memory");
}

void fpu_start(void)
{
	const uint32_t mxcsr = MXCSR_DEFAULT;
	uint32_t eax = 0xd, ebx, ecx = 0, edx;

	__asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
	fpu_size = ebx;
	if (fpu_size > FPU_AREA)
		__builtin_trap();
	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	fpu_mask = eax | (uint64_t)edx << 32;

	fpu_save(initial);
	memcpy(&mxcsr_mask, &initial[FPU_MXCSR_MASK], sizeof mxcsr_mask);
	if (mxcsr_mask == 0)
		mxcsr_mask = MXCSR_MASK_DEFAULT;
	memset(initial, 0, sizeof initial);
	memcpy(&initial[FPU_MXCSR], &mxcsr, sizeof mxcsr);
}

/* No component in the header's mask: each takes its initial value. */
void fpu_reset(void)
{
	fpu_load(initial);
}

void fpu_sanitize(void *area)
{
	uint8_t *bytes = area;
	uint32_t mxcsr;
	uint64_t present;

	memcpy(&mxcsr, &bytes[FPU_MXCSR], sizeof mxcsr);
	memcpy(&present, &bytes[FPU_XSTATE_BV], sizeof present);
	mxcsr &= mxcsr_mask;
	present &= fpu_mask;
	memcpy(&bytes[FPU_MXCSR], &mxcsr, sizeof mxcsr);
	memcpy(&bytes[FPU_XSTATE_BV], &present, sizeof present);
	memset(&bytes[FPU_FIRST_RESERVED], 0, FPU_LEGACY + FPU_HEADER - FPU_FIRST_RESERVED);
}
