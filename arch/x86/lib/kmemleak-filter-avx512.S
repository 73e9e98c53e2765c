/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kmemleak's range filter with AVX-512, eight words at a time. The two loops
 * are those of kmemleak-filter-avx2.S.
 *
 * Candidates are compressed in a register and stored whole: compressing right
 * to memory takes over a hundred cycles on Zen 4.
 *
 * Where the object being read begins is kept negated: see kml_filter_range().
 */

#include <linux/linkage.h>
#include <linux/cfi_types.h>

/* struct kmemleak_windows */
#define WIN_VIRT	0
#define WIN_PERCPU	16
#define WIN_SELF	32
#define WIN_TAG_BITS	48

#define GROUP		32		/* words of one round */
#define PATIENCE	4		/* rounds without a candidate */

/* More words than that are taken for a part of more: prefetch behind them. */
#define LONG		256
#define DISTANCE	(8 * LONG)

#define WORDS		%rdi
#define NR		%rsi
#define WIN		%rdx
#define OUT		%rcx
#define HITS		%eax
#define COUNT		%r8d
#define COUNTQ		%r8
#define LEFT		%r10d		/* rounds until the dense loop ends */
#define PATIENT		%edx		/* WIN is not needed any more then */
#define OUT_BEFORE	%r11
#define AHEAD		%rbx		/* bytes to prefetch ahead */

#define VIRT_MIN	%zmm8
#define VIRT_LEN	%zmm9
#define PERCPU_MIN	%zmm10
#define PERCPU_LEN	%zmm11
#define SELF_ADD	%zmm12
#define SELF_LEN	%zmm13
#define TAG_BITS	%xmm15

.text

/* Replace the tag of each word by the sign of the rest. */
.macro untag reg, tags
	.if \tags
	vpsllq		TAG_BITS, \reg, \reg
	vpsraq		TAG_BITS, \reg, \reg
	.endif
.endm

/* \k1, \k2: those of eight words in the windows, self not considered */
.macro in_windows at, reg, tmp, k1, k2, tags
	vmovdqu64	\at(WORDS), \reg
	untag		\reg, \tags
	vpsubq		VIRT_MIN, \reg, \tmp
	vpsubq		PERCPU_MIN, \reg, \reg
	vpcmpltuq	VIRT_LEN, \tmp, \k1
	vpcmpltuq	PERCPU_LEN, \reg, \k2
.endm

/* %k1: which words of %zmm0 are candidates */
.macro candidates tags
	untag		%zmm0, \tags
	vpsubq		VIRT_MIN, %zmm0, %zmm1
	vpaddq		SELF_ADD, %zmm0, %zmm2
	vpsubq		PERCPU_MIN, %zmm0, %zmm3
	vpcmpltuq	VIRT_LEN, %zmm1, %k1
	vpcmpltuq	PERCPU_LEN, %zmm3, %k2
	vpcmpnltuq	SELF_LEN, %zmm2, %k1{%k1}
	korw		%k1, %k2, %k1
.endm

/* Hardware does it within a page; ranges are mostly no longer than that. */
.macro prefetch_ahead
	prefetcht0	(WORDS, AHEAD)
	prefetcht0	64(WORDS, AHEAD)
	prefetcht0	128(WORDS, AHEAD)
	prefetcht0	192(WORDS, AHEAD)
.endm

/* Append the candidates among the words of %zmm0. */
.macro append
	kmovw		%k1, HITS
	vpcompressq	%zmm0, %zmm0{%k1}{z}
	popcntl		HITS, COUNT
	vmovdqu64	%zmm0, (OUT)
	leaq		(OUT, COUNTQ, 8), OUT
.endm

.macro eight_words at, tags
	vmovdqu64	\at(WORDS), %zmm0
	candidates	\tags
	append
.endm

.macro filter tags
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
	eight_words	0, \tags
	eight_words	64, \tags
	eight_words	128, \tags
	eight_words	192, \tags
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
	in_windows	0, %zmm0, %zmm4, %k0, %k4, \tags
	in_windows	64, %zmm1, %zmm5, %k1, %k5, \tags
	in_windows	128, %zmm2, %zmm6, %k2, %k6, \tags
	in_windows	192, %zmm3, %zmm7, %k3, %k7, \tags
	korw		%k0, %k4, %k0
	korw		%k1, %k5, %k1
	korw		%k2, %k6, %k2
	korw		%k3, %k7, %k3
	korw		%k0, %k1, %k0
	korw		%k2, %k3, %k2
	kortestw	%k0, %k2
	jnz		.Ldense\@
	addq		$8*GROUP, WORDS
	subq		$GROUP, NR
	jae		.Lsparse\@

.Lrest\@:
	addq		$GROUP-8, NR
	jl		.Ltail\@
.Leight\@:
	eight_words	0, \tags
	addq		$64, WORDS
	subq		$8, NR
	jge		.Leight\@

.Ltail\@:
	addq		$8, NR
	jz		.Ldone\@
	/* NR ones; what is masked out is not read */
	movl		$0xff, HITS
	bzhil		%esi, HITS, HITS
	kmovw		HITS, %k3
	vmovdqu64	(WORDS), %zmm0{%k3}{z}
	candidates	\tags
	kandw		%k3, %k1, %k1
	append
.Ldone\@:
.endm

/*
 * unsigned int kmemleak_filter_avx512(const unsigned long *words, unsigned int nr,
 *				       const struct kmemleak_windows *win,
 *				       unsigned long *out);
 */
SYM_TYPED_FUNC_START(kmemleak_filter_avx512)
	pushq		%rbx
	pushq		OUT
	movl		%esi, %esi
	movl		WIN_TAG_BITS(WIN), HITS
	vpbroadcastq	WIN_VIRT(WIN), VIRT_MIN
	vpbroadcastq	WIN_VIRT+8(WIN), VIRT_LEN
	vpbroadcastq	WIN_PERCPU(WIN), PERCPU_MIN
	vpbroadcastq	WIN_PERCPU+8(WIN), PERCPU_LEN
	vpxor		%xmm0, %xmm0, %xmm0
	vpbroadcastq	WIN_SELF(WIN), SELF_ADD
	vpsubq		SELF_ADD, %zmm0, SELF_ADD
	vpbroadcastq	WIN_SELF+8(WIN), SELF_LEN
	testl		HITS, HITS
	jnz		.Ltagged
	filter		0
.Lend:
	popq		%rdx
	popq		%rbx
	movq		OUT, %rax
	subq		%rdx, %rax
	shrq		$3, %rax
	/* the last candidates, and differences that may look like addresses */
	.irp reg, 0, 1, 2, 3, 4, 5, 6, 7
	vpxor		%xmm\reg, %xmm\reg, %xmm\reg
	.endr
	vzeroupper
	RET

.Ltagged:
	vmovd		HITS, TAG_BITS
	filter		1
	jmp		.Lend
SYM_FUNC_END(kmemleak_filter_avx512)
