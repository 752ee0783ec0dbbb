/* layout.h: what stands where in the module region. */
#pragma once

#include "abi/module.h"

#define LAYOUT_IMAGE   (MODULE_REGION + 0x0000200000) /* linux.ld */
#define LAYOUT_POOL    (MODULE_REGION + 0x0040000000) /* pages.c: memory objects */
#define LAYOUT_POOL_END (MODULE_REGION + 0x0800000000)
#define LAYOUT_PAGES   (MODULE_REGION + 0x0800000000) /* pages.c: struct page */
#define LAYOUT_TASKS   (MODULE_REGION + 0x1000000000) /* task.c: stacks and rings */
#define LAYOUT_INITRD  (MODULE_REGION + 0x2000000000) /* start.c, at boot only */
#define LAYOUT_START   (MODULE_REGION + 0x3000000000) /* likewise */
