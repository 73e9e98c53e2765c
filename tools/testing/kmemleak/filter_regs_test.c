// SPDX-License-Identifier: GPL-2.0-only
/*
 * A range filter leaves no address of an object in vector registers. In user-mode Linux
 * registers keep their values after it, until they are saved to a stack.
 */
#include "tap.h"
#include "world.h"
#include "mark.h"

#define NR	(KML_CHUNK / sizeof(long))
#define BASE	0x123456780000UL
#define SIZE	0x100000UL

static unsigned long memory[NR], out[NR + KMEMLEAK_FILTER_PAD];

#ifdef __x86_64__
/* at least the size that CPUID gives: with AMX 11008 */
static unsigned long area[4096] __aligned(64);

/* Call @f, and save all registers before other code uses them. */
static noinline void call_and_save(const struct kmemleak_filter *f, unsigned int nr,
				   const struct kmemleak_windows *win)
{
	const void *words = memory;
	unsigned long n = nr;
	void *found = out, *function = f->filter;

	asm volatile("sub	$128, %%rsp\n\t"
		     "call	*%[function]\n\t"
		     "add	$128, %%rsp\n\t"
		     "mov	$-1, %%eax\n\t"
		     "mov	$-1, %%edx\n\t"
		     "xsave64	(%[to])"
		     : "+D" (words), "+S" (n), "+d" (win), "+c" (found), [function] "+b" (function)
		     : [to] "r" (area)
		     : "rax", "r8", "r9", "r10", "r11", "memory", "cc",
		       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
		       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

static int no_address(void *arg)
{
	const struct kmemleak_filter *f = arg;
	const struct kmemleak_windows win = {
		.virt = { BASE - 1, SIZE + 2 },
		.percpu = { 4096, 4096 },
		.self = { BASE + 0x4000, 3000 },
	};
	unsigned int nr, every, i;

	for (nr = 1; nr <= NR; nr += nr < 70 ? 1 : 61) {
		for (every = 1; every <= nr + 1; every *= 3) {
			for (i = 0; i < nr; i++)
				memory[i] = i % every ? 1 : BASE + 0x4000 + 64 * i;
			memset(area, 0, sizeof(area));
			call_and_save(f, nr, &win);
			for (i = 0; i < ARRAY_SIZE(area); i++)
				TAP_CHECK(area[i] - BASE >= SIZE,
					  "%u words, one in %u a candidate: 0x%lx is left at %zu",
					  nr, every, area[i], i * sizeof(long));
		}
	}
	return 0;
}
#endif

int main(void)
{
	unsigned int i;
	char name[64];

	for (i = 0; kml_filters[i]; i++) {
		const struct kmemleak_filter *f = kml_filters[i];

		snprintf(name, sizeof(name), "%s leaves no address behind", f->name);
		if (f->filter == kml_filter_generic)
			continue;
		if (f->usable && !f->usable())
			tap_skip(name, "not usable here");
#ifdef __x86_64__
		else
			tap_case(name, no_address, (void *)f, 60);
#else
		else
			tap_skip(name, "its registers do not outlive it on this architecture");
#endif
	}
	return tap_done();
}
