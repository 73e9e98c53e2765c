/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading the stack of a task that sleeps: a model of "Stacks" in mm/kmemleak/roots.c,
 * with store buffers (memory.inc).
 *
 *	kml_roots_asleep()			proctype reader
 *	prepare_task(), the task itself, __schedule(), finish_task() of the kernel
 *						proctype cpu, once for each run of
 *						the task; on two processors in turn
 *
 * In each of RUNS runs, the task changes both words of its stack. At the end of the
 * run, both words and the stack pointer are the number of the run. The reader may
 * begin at any time, and reads all three.
 *
 * Property: if the reader finds that the task has slept all the time, all three values
 * are of the same sleep (assertions).
 */

#ifndef RUNS
#define RUNS	3
#endif

#define NC	3

#define ON_CPU	0
#define COUNT	1		/* nvcsw + nivcsw */
#define SP	2		/* and registers */
#define WORD0	3
#define WORD1	4
#define NV	5

#define MOVING	10		/* a word while the task runs */

#include "memory.inc"

byte turn;			/* ghost: runs so far */

proctype cpu(byte c)
{
	byte nr;

end:	do
	:: turn < RUNS && turn % 2 == c ->
		nr = turn + 1;
		/* try_to_wake_up(): smp_cond_load_acquire(&p->on_cpu, !VAL) */
		LD(c, ON_CPU) == 0;

		ST(c, ON_CPU, 1);
#ifndef BREAK_NO_BARRIER
		MB(c);
#endif
		ST(c, WORD0, MOVING);
		ST(c, WORD1, MOVING);
		ST(c, WORD0, nr);
		ST(c, WORD1, nr);
#ifndef BREAK_COUNT_LATE
		ST(c, COUNT, nr);
#endif
		ST(c, SP, nr);
#ifdef BREAK_NO_RELEASE
		ST(c, ON_CPU, 0);
#else
		REL(c, ON_CPU, 0);
#endif
#ifdef BREAK_COUNT_LATE
		ST(c, COUNT, nr);
#endif
		turn = nr
	od
}

proctype reader()
{
	byte count, again, sp, word0, word1;
	bool first, second;

#ifndef BREAK_LOOK_BEFORE_COUNT
	count = LD(2, COUNT);
#endif
	first = LD(2, ON_CPU);
#ifdef BREAK_NO_FIRST_LOOK
	first = false;
#endif
#ifdef BREAK_LOOK_BEFORE_COUNT
	count = LD(2, COUNT);
#endif
#ifdef BREAK_NO_RMB
	second = LD(2, ON_CPU);
#endif
	sp = LD(2, SP);
	word0 = LD(2, WORD0);
	word1 = LD(2, WORD1);
#ifdef BREAK_COUNT_BEFORE_LOOK
	again = LD(2, COUNT);
#endif
#ifndef BREAK_NO_RMB
	second = LD(2, ON_CPU);
#endif
#ifdef BREAK_NO_SECOND_LOOK
	second = false;
#endif
#ifndef BREAK_COUNT_BEFORE_LOOK
	again = LD(2, COUNT);
#endif
#ifdef BREAK_NO_COUNT
	again = count;
#endif
	assert(first || second || count != again ||
	       (sp == word0 && sp == word1))
}

proctype buffer(byte c)
{
	byte left_v;

end:	do
	:: LEAVES(c, ON_CPU)
	:: LEAVES(c, COUNT)
	:: LEAVES(c, SP)
	:: LEAVES(c, WORD0)
	:: LEAVES(c, WORD1)
	od
}

init
{
	atomic {
		run cpu(0);
		run cpu(1);
		run reader();
		run buffer(0);
		run buffer(1)
	}
}
