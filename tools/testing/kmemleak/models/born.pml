/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A model of "New objects" in mm/kmemleak/kmemleak.h, with store buffers (memory.inc).
 *
 *	kml_insert_try(), kml_interval_set_has_new()	proctype insert, processors 1 ...
 *	kml_scan_open()			the beginning of proctype scan
 *	kml_source_tables()		proctype scan: has_new = false
 *	kml_walk_interval(), kml_whiten()	proctype scan: whiten
 *	kml_source_newborn()		the end of proctype scan
 *	rcu_read_lock(), synchronize_rcu_expedited()	sections[], grace_period()
 *
 * One interval with PAGES pages, at first without descriptors: the walk looks for a
 * descriptor before it takes the lock. Each of INSERTS processors inserts one object,
 * at any time during SCANS scans.
 *
 * Properties (assertions):
 *	- when the walk has whitened the pages, each object is old (whitened by this
 *	  scan) or has KML_F_NEW; other objects would be reported, since no
 *	  references to them are counted,
 *	- when kml_scan_newborn() reads has_new, it is set if the interval has an
 *	  object with KML_F_NEW whose hook has returned: a reader that sees a later
 *	  store of the object's owner (a release here) also sees the flag.
 */

#ifndef INSERTS
#define INSERTS	2
#endif
#ifndef PAGES
#define PAGES	INSERTS
#endif
#ifndef SCANS
#define SCANS	2
#endif

#define NC	(INSERTS + 1)

#define ACTIVE	0		/* kml_state.scan_active */
#define HAS_NEW	1		/* iv->has_new */
#define PAGE(i)	((i) % PAGES)	/* of object i */
#define DESC(p)	(2 + 2 * (p))	/* leaf->page: is there one? */
#define HELD(p)	(3 + 2 * (p))	/* leaf->lock */
#define USED(i)	(2 + 2 * PAGES + 3 * (i))	/* the bit of object i */
#define ISNEW(i) (3 + 2 * PAGES + 3 * (i))	/* its state: has KML_F_NEW? */
#define RETURNED(i) (4 + 2 * PAGES + 3 * (i))	/* the owner's next store */
#define NV	(2 + 2 * PAGES + 3 * INSERTS)

#include "memory.inc"

/* ghosts */
bool marking;			/* from the end of whitening to the end of the scan */
bool old[INSERTS];		/* whitened by this scan */

byte sections[NC];		/* odd: in an RCU read-side section */

/* Wait until each open section has ended and its stores are visible. */
inline grace_period()
{
	byte c, was;

	MB(0);
	c = 1;
	do
	:: c < NC ->
		was = sections[c];
		MB(c) && (!(was & 1) || sections[c] != was);
		c++
	:: else -> break
	od;
	c = 0;
	was = 0
}

proctype insert(byte i)
{
	bool scanned, is_new;

#ifdef BREAK_ACTIVE_OUTSIDE
	scanned = LD(i + 1, ACTIVE);
#endif
	sections[i + 1]++;
	LOCK(i + 1, HELD(PAGE(i)));
#ifndef BREAK_ACTIVE_OUTSIDE
	scanned = LD(i + 1, ACTIVE);
#endif
#ifndef BREAK_NOT_NEW
	is_new = scanned;
#endif
	/* kml_leaf_room(): a new descriptor */
	if
	:: LD(i + 1, DESC(PAGE(i))) == 0 ->
		REL(i + 1, DESC(PAGE(i)), 1)
	:: else
	fi;
#ifdef BREAK_FLAG_FIRST
	if
	:: scanned && LD(i + 1, HAS_NEW) == 0 -> ST(i + 1, HAS_NEW, 1)
	:: else
	fi;
	MB(i + 1);
#endif
	/* kml_page_add() */
	ST(i + 1, ISNEW(i), is_new);
	REL(i + 1, USED(i), 1);
#ifndef BREAK_FLAG_FIRST
	if
	:: scanned ->
#ifndef BREAK_NO_MB_INSERT
		MB(i + 1);
#endif
		if
		:: LD(i + 1, HAS_NEW) == 0 -> ST(i + 1, HAS_NEW, 1)
		:: else
		fi
	:: else
	fi;
#endif
	UNLOCK(i + 1, HELD(PAGE(i)));
	sections[i + 1]++;
	REL(i + 1, RETURNED(i), 1)
}

#define stray(i)	(mem[USED(i)] && !mem[ISNEW(i)] && !old[i])

inline whiten(i)
{
	if
	:: LD(0, USED(i)) ->
		/* a cmpxchg */
		atomic { MB(0); mem[ISNEW(i)] = 0; old[i] = true }
	:: else
	fi
}

proctype scan()
{
	bool had[INSERTS];
	byte nr;

	do
	:: nr < SCANS ->
		nr++;
		ST(0, ACTIVE, 1);
#ifndef BREAK_NO_GRACE
		grace_period();
#endif

		/* kml_prepare_all() */
#ifndef BREAK_HAS_NEW_LATE
		ST(0, HAS_NEW, 0);
#ifndef BREAK_NO_MB_SCAN
		MB(0);
#endif
#endif
		if
		:: LD(0, DESC(0)) ->
			LOCK(0, HELD(0));
			whiten(0);
#if INSERTS > 1 && PAGES == 1
			whiten(1);
#endif
			UNLOCK(0, HELD(0))
		:: else
		fi;
#if PAGES > 1
		if
		:: LD(0, DESC(1)) ->
			LOCK(0, HELD(1));
			whiten(1);
			UNLOCK(0, HELD(1))
		:: else
		fi;
#endif
#ifdef BREAK_HAS_NEW_LATE
		ST(0, HAS_NEW, 0);
		MB(0);
#endif
		marking = true;

		/* kml_scan_newborn(): objects whose hooks have returned */
		d_step {
			had[0] = mem[RETURNED(0)];
#if INSERTS > 1
			had[1] = mem[RETURNED(1)];
#endif
		}
		if
		:: LD(0, HAS_NEW) == 0 ->
			assert(!had[0] || old[0]);
#if INSERTS > 1
			assert(!had[1] || old[1]);
#endif
			skip
		:: else
		fi;

		/* kml_scan_close() */
		d_step {
			marking = false;
			old[0] = false;
			had[0] = false;
#if INSERTS > 1
			old[1] = false;
			had[1] = false;
#endif
		}
		ST(0, ACTIVE, 0)
	:: else -> break
	od
}

/* Checks the first property at any time of a mark. */
proctype watcher()
{
end:	do
	:: atomic { marking && stray(0) -> assert(false) }
#if INSERTS > 1
	:: atomic { marking && stray(1) -> assert(false) }
#endif
	od
}

proctype buffer(byte c)
{
	byte left_v;

end:	do
	:: LEAVES(c, ACTIVE)
	:: LEAVES(c, HAS_NEW)
	:: LEAVES(c, DESC(0))
	:: LEAVES(c, HELD(0))
#if PAGES > 1
	:: LEAVES(c, DESC(1))
	:: LEAVES(c, HELD(1))
#endif
	:: LEAVES(c, USED(0))
	:: LEAVES(c, ISNEW(0))
	:: LEAVES(c, RETURNED(0))
#if INSERTS > 1
	:: LEAVES(c, USED(1))
	:: LEAVES(c, ISNEW(1))
	:: LEAVES(c, RETURNED(1))
#endif
	od
}

init
{
	byte c;

	atomic {
		/* an earlier scan may have left either */
		if
		:: mem[HAS_NEW] = 0
		:: mem[HAS_NEW] = 1
		fi;
		run scan();
		run watcher();
		do
		:: c < INSERTS -> run insert(c); run buffer(c); c++
		:: else -> break
		od;
		run buffer(c)
	}
}
