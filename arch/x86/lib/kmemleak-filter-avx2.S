/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmemleak's range filter with AVX2, four words at a time.
 *
 * Most memory has stretches without any candidate and stretches full of them.
 * The sparse loop only asks whether sixteen words hold any. The dense loop
 * packs without asking: which words are candidates cannot be predicted. It is
 * left after eight times sixteen words without a candidate.
 *
 * There is no unsigned compare: v - min < len is computed as
 * v + (2^63 - min) < len - 2^63, with signs.
 */

#include <linux/linkage.h>
#include <linux/cfi_types.h>

/* struct kmemleak_windows */
#define WIN_VIRT	0
#define WIN_PERCPU	16
#define WIN_SELF	32
#define WIN_TAG_BITS	48

#define GROUP		16		/* words of one round */
#define PATIENCE	8		/* rounds without a candidate */

/* More words than that are taken for a part of more: prefetch behind them. */
#define LONG		256
#define DISTANCE	(8 * LONG)

#define WORDS		%rdi
#define NR		%rsi
#define WIN		%rdx
#define OUT		%rcx
#define HITS		%eax
#define HITSQ		%rax
#define COUNT		%r8d
#define COUNTQ		%r8
#define PERMUTE		%r9
#define LEFT		%r10d		/* rounds until the dense loop ends */
#define PATIENT		%edx		/* WIN is not needed any more then */
#define OUT_BEFORE	%r11
#define AHEAD		%rbx		/* bytes to prefetch ahead */

#define VIRT_ADD	%ymm8
#define VIRT_LIMIT	%ymm9
#define PERCPU_ADD	%ymm10
#define PERCPU_LIMIT	%ymm11
#define SELF_ADD	%ymm12
#define SELF_LIMIT	%ymm13
#define TAG_SIGN	%ymm14
#define TAG_BITS	%xmm15

.section .rodata, "a", @progbits
.balign 64
/* Which halves of words go where, for each set of candidates. */
.Lpermute:
	.long	0, 1, 2, 3, 4, 5, 6, 7		/* none */
	.long	0, 1, 2, 3, 4, 5, 6, 7		/* 0 */
	.long	2, 3, 0, 1, 4, 5, 6, 7		/*   1 */
	.long	0, 1, 2, 3, 4, 5, 6, 7		/* 0 1 */
	.long	4, 5, 0, 1, 2, 3, 6, 7		/*     2 */
	.long	0, 1, 4, 5, 2, 3, 6, 7		/* 0   2 */
	.long	2, 3, 4, 5, 0, 1, 6, 7		/*   1 2 */
	.long	0, 1, 2, 3, 4, 5, 6, 7		/* 0 1 2 */
	.long	6, 7, 0, 1, 2, 3, 4, 5		/*       3 */
	.long	0, 1, 6, 7, 2, 3, 4, 5		/* 0     3 */
	.long	2, 3, 6, 7, 0, 1, 4, 5		/*   1   3 */
	.long	0, 1, 2, 3, 6, 7, 4, 5		/* 0 1   3 */
	.long	4, 5, 6, 7, 0, 1, 2, 3		/*     2 3 */
	.long	0, 1, 4, 5, 6, 7, 2, 3		/* 0   2 3 */
	.long	2, 3, 4, 5, 6, 7, 0, 1		/*   1 2 3 */
	.long	0, 1, 2, 3, 4, 5, 6, 7		/* 0 1 2 3 */
/* Read 8 * n bytes before the middle: the first n words. */
	.quad	-1, -1, -1, -1
.Lmiddle:
	.quad	0, 0, 0, 0

.text

/* The two constants for one range; %ymm7 has the sign bits. */
.macro load_range at, add, limit
	vpbroadcastq	\at(WIN), \add
	vpsubq		\add, %ymm7, \add
	vpbroadcastq	\at+8(WIN), \limit
	vpxor		%ymm7, \limit, \limit
.endm

/* Replace the tag of each word by the sign of the rest. */
.macro untag reg, tags
	.if \tags
	vpsllq		TAG_BITS, \reg, \reg
	vpsrlq		TAG_BITS, \reg, \reg
	vpxor		TAG_SIGN, \reg, \reg
	vpsubq		TAG_SIGN, \reg, \reg
	.endif
.endm

/* \reg: those of four words in one of the windows, self not considered */
.macro in_windows at, reg, tmp, tags
	vmovdqu		\at(WORDS), \reg
	untag		\reg, \tags
	vpaddq		PERCPU_ADD, \reg, \tmp
	vpaddq		VIRT_ADD, \reg, \reg
	vpcmpgtq	\tmp, PERCPU_LIMIT, \tmp
	vpcmpgtq	\reg, VIRT_LIMIT, \reg
	vpor		\tmp, \reg, \reg
.endm

/* %ymm1: which words of %ymm0 are candidates */
.macro candidates tags
	untag		%ymm0, \tags
	vpaddq		VIRT_ADD, %ymm0, %ymm1
	vpaddq		SELF_ADD, %ymm0, %ymm2
	vpaddq		PERCPU_ADD, %ymm0, %ymm3
	vpcmpgtq	%ymm1, VIRT_LIMIT, %ymm1
	vpcmpgtq	%ymm2, SELF_LIMIT, %ymm2
	vpcmpgtq	%ymm3, PERCPU_LIMIT, %ymm3
	vpandn		%ymm1, %ymm2, %ymm1
	vpor		%ymm3, %ymm1, %ymm1
.endm

/* Hardware does it within a page; ranges are mostly no longer than that. */
.macro prefetch_ahead
	prefetcht0	(WORDS, AHEAD)
	prefetcht0	64(WORDS, AHEAD)
.endm

/* Append the candidates among the words of %ymm0. */
.macro append
	vmovmskpd	%ymm1, HITS
	popcntl		HITS, COUNT
	shll		$5, HITS
	vmovdqa		(PERMUTE, HITSQ), %ymm1
	vpermd		%ymm0, %ymm1, %ymm0
	vmovdqu		%ymm0, (OUT)
	leaq		(OUT, COUNTQ, 8), OUT
.endm

.macro four_words at, tags
	vmovdqu		\at(WORDS), %ymm0
	candidates	\tags
	append
.endm

.macro filter tags
	leaq		.Lpermute(%rip), PERMUTE
	movl		$PATIENCE, PATIENT
	xorl		%r11d, %r11d
	movl		$DISTANCE, %ebx
	cmpq		$LONG, NR
	cmovbeq		%r11, AHEAD
	/* the first words decide which loop it will be */
	movl		$1, LEFT
	subq		$GROUP, NR
	jb		.Lrest\@

.Ldense\@:
	prefetch_ahead
	movq		OUT, OUT_BEFORE
	four_words	0, \tags
	four_words	32, \tags
	four_words	64, \tags
	four_words	96, \tags
	decl		LEFT
	cmpq		OUT, OUT_BEFORE
	cmovnel		PATIENT, LEFT
	addq		$8*GROUP, WORDS
	subq		$GROUP, NR
	jb		.Lrest\@
	testl		LEFT, LEFT
	jnz		.Ldense\@

	/* one round only if what is found is in self */
	movl		$1, LEFT
.Lsparse\@:
	prefetch_ahead
	in_windows	0, %ymm0, %ymm4, \tags
	in_windows	32, %ymm1, %ymm5, \tags
	in_windows	64, %ymm2, %ymm6, \tags
	in_windows	96, %ymm3, %ymm7, \tags
	vpor		%ymm1, %ymm0, %ymm0
	vpor		%ymm3, %ymm2, %ymm2
	vpor		%ymm2, %ymm0, %ymm0
	vptest		%ymm0, %ymm0
	jnz		.Ldense\@
	addq		$8*GROUP, WORDS
	subq		$GROUP, NR
	jae		.Lsparse\@

.Lrest\@:
	addq		$GROUP-4, NR
	jl		.Ltail\@
.Lfour\@:
	four_words	0, \tags
	addq		$32, WORDS
	subq		$4, NR
	jge		.Lfour\@

.Ltail\@:
	addq		$4, NR
	jz		.Ldone\@
	leaq		.Lmiddle(%rip), COUNTQ
	shll		$3, %esi
	subq		NR, COUNTQ
	vmovdqu		(COUNTQ), %ymm4
	/*
	 * Not by vpmaskmovq: qemu reads, and faults on, what is masked out, and
	 * behind the last word there may be nothing.
	 */
	cmpl		$16, %esi
	jb		.Lone\@
	vmovdqu		(WORDS), %xmm0
	je		.Lloaded\@
	vmovq		16(WORDS), %xmm1
	vinserti128	$1, %xmm1, %ymm0, %ymm0
	jmp		.Lloaded\@
.Lone\@:
	vmovq		(WORDS), %xmm0
.Lloaded\@:
	candidates	\tags
	vpand		%ymm4, %ymm1, %ymm1
	append
.Ldone\@:
.endm

/*
 * unsigned int kmemleak_filter_avx2(const unsigned long *words, unsigned int nr,
 *				     const struct kmemleak_windows *win,
 *				     unsigned long *out);
 */
SYM_TYPED_FUNC_START(kmemleak_filter_avx2)
	pushq		%rbx
	pushq		OUT
	movl		%esi, %esi
	movl		WIN_TAG_BITS(WIN), HITS
	vpcmpeqd	%ymm7, %ymm7, %ymm7
	vpsllq		$63, %ymm7, %ymm7
	load_range	WIN_VIRT, VIRT_ADD, VIRT_LIMIT
	load_range	WIN_PERCPU, PERCPU_ADD, PERCPU_LIMIT
	load_range	WIN_SELF, SELF_ADD, SELF_LIMIT
	testl		HITS, HITS
	jnz		.Ltagged
	filter		0
.Lend:
	popq		%rdx
	popq		%rbx
	movq		OUT, %rax
	subq		%rdx, %rax
	shrq		$3, %rax
	/* the last candidates: the others are sums and masks */
	vpxor		%xmm0, %xmm0, %xmm0
	vzeroupper
	RET

.Ltagged:
	vmovd		HITS, TAG_BITS
	vpsrlq		TAG_BITS, %ymm7, TAG_SIGN
	filter		1
	jmp		.Lend
SYM_FUNC_END(kmemleak_filter_avx2)
