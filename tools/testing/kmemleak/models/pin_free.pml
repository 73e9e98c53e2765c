/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of "Pins" in mm/kmemleak/index.h, with store buffers (memory.inc).
 *
 *	kml_scan_open(), kml_scan_close()	proctype scan, on processor 0
 *	kml_mark_group(), kml_read_chunk()	proctype reader, processor 1
 *	kml_workers_queue(), kml_workers_cancel()		POST, between these two
 *	kml_object_remove(), kml_pin_wait()	release_block(); called by proctype
 *		owner on processor 2 and by an interrupt handler on processor 1
 *		(proctype interrupt), during which the reader does not run
 *	kml_object_insert()			in the owner: the same address again
 *
 * Two blocks, pinned together with one barrier, as in a group; SCANS scans. The owner
 * frees block 0, allocates it again at the same address, and frees it again. The handler
 * frees block 1.
 *
 * Properties:
 *	- the reader does not read a block after its free has returned (assertions),
 *	- no deadlock, in particular between the handler and the reader that it has
 *	  interrupted (no invalid end state).
 */

#ifndef SCANS
#define SCANS	2
#endif

#define NC	3

#define ACTIVE	0		/* kml_state.scan_active */
#define POST	1		/* 1: the helper may begin, 2: it has ended */
#define PIN(k)	(2 + (k))
#define ALLOC(k) (4 + (k))	/* KML_F_ALLOCATED */
#define NV	6

#include "memory.inc"

bool live[2];			/* ghost: the block is allocated */
bool interrupted;		/* processor 1 runs the handler */
bool irqs_off;			/* in the reader */
bool finished;

inline release_block(c, k)
{
	/* kml_remove_entry(): atomic_fetch_andnot() */
#ifdef BREAK_NO_MB_FREE
	ST(c, ALLOC(k), 0);
#else
	atomic { MB(c) -> mem[ALLOC(k)] = 0 }
#endif
#ifndef BREAK_NO_WAIT
	if
	:: LD(c, ACTIVE) ->
		/* the pins of each reader in turn */
		LD(c, PIN(0)) != (k) + 1;
		LD(c, PIN(1)) != (k) + 1
	:: else
	fi;
#endif
	/* the hook returns */
	live[k] = false
}

proctype owner()
{
	release_block(2, 0);
	/* the memory, then kmemleak_alloc(), whose unlock is a release */
	live[0] = true;
	ST(2, ALLOC(0), 1);
	MB(2);
	release_block(2, 0)
}

proctype interrupt()
{
	if
	:: atomic { !irqs_off -> interrupted = true }
		release_block(1, 1);
		interrupted = false
	:: finished		/* no interrupt */
	fi
}

proctype reader() provided (!interrupted)
{
	bool found[2];

end:	do
	:: LD(1, POST) == 1 ->
#ifndef BREAK_IRQS_ON
		irqs_off = true;
#endif
#ifdef BREAK_LOOKUP_FIRST
		found[0] = LD(1, ALLOC(0));
		found[1] = LD(1, ALLOC(1));
#endif
		ST(1, PIN(0), 0 + 1);
		ST(1, PIN(1), 1 + 1);
#ifndef BREAK_NO_MB_PIN
		MB(1);
#endif
#ifndef BREAK_LOOKUP_FIRST
		found[0] = LD(1, ALLOC(0));
		found[1] = LD(1, ALLOC(1));
#endif
#ifdef BREAK_UNPIN_EARLY
		/* an order that plain stores allow */
		ST(1, PIN(0), 0);
		ST(1, PIN(1), 0);
#endif
		/* kml_filter_run() */
		assert(!found[0] || live[0]);
		assert(!found[1] || live[1]);
		/* still allocated when the last byte was read */
		assert(!found[0] || live[0]);
		assert(!found[1] || live[1]);
		REL(1, PIN(0), 0);
		REL(1, PIN(1), 0);
		irqs_off = false;
		REL(1, POST, 2)
	od
}

proctype scan()
{
	byte nr;

	do
	:: nr < SCANS ->
		nr++;
#ifdef BREAK_ACTIVE_LATE
		REL(0, POST, 1);
		ST(0, ACTIVE, 1);
#else
		ST(0, ACTIVE, 1);
		MB(0);		/* synchronize_rcu_expedited() */
		REL(0, POST, 1);
#endif
#ifndef BREAK_ACTIVE_SHORT
		LD(0, POST) == 2;
#endif
		ST(0, ACTIVE, 0);
#ifdef BREAK_ACTIVE_SHORT
		LD(0, POST) == 2;
#endif
		skip
	:: else -> break
	od;
	finished = true
}

proctype buffer(byte c)
{
	byte left_v;

end:	do
	:: LEAVES(c, ACTIVE)
	:: LEAVES(c, POST)
	:: LEAVES(c, PIN(0))
	:: LEAVES(c, PIN(1))
	:: LEAVES(c, ALLOC(0))
	:: LEAVES(c, ALLOC(1))
	od
}

init
{
	atomic {
		live[0] = true;
		live[1] = true;
		mem[ALLOC(0)] = 1;
		mem[ALLOC(1)] = 1;
		run owner();
		run interrupt();
		run reader();
		run scan();
		run buffer(0);
		run buffer(1);
		run buffer(2)
	}
}
