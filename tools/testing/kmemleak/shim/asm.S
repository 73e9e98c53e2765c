/* SPDX-License-Identifier: GPL-2.0-only */
/* Macros of linkage.h and cfi_types.h for the kernel's assembly files. */
#ifdef __ASSEMBLER__
#define SYM_TYPED_FUNC_START(name)					\
	.globl name;							\
	.type name, @function;						\
	.balign 16;							\
	name:								\
	endbr64
#define SYM_FUNC_END(name)	.size name, . - name
#define RET			ret

	.section .note.GNU-stack, "", @progbits
	.text
#endif
