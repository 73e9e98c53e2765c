/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * "Insert against scan" in mm/kmemleak/kmemleak.h as a model, with store buffers
 * (memory.inc).
 *
 *	kml_insert_try(), kml_interval_set_has_new()	proctype birth, processors 1 ...
 *	kml_scan_open()			the beginning of proctype scan
 *	kml_source_tables()		the same, fresh = false
 *	kml_walk_interval(), kml_whiten()	the same, whiten
 *	kml_source_newborn()		the same, its end
 *	rcu_read_lock(), synchronize_rcu_expedited()	sections[], grace_period()
 *
 * One interval with PAGES pages, without descriptors to begin with: who walks
 * looks for one before it takes the lock. Each of BIRTHS processors files one
 * object at any time in SCANS scans.
 *
 * Properties (assertions):
 *	- when the walk has whitened the pages, each object filed is old (whitened
 *	  now) or has KML_F_NEW: nobody looks for references to one which is
 *	  neither, and it would be reported,
 *	- when the adopt round looks whether the interval is fresh, it is if an
 *	  object with KML_F_NEW is in it whose hook had returned: whoever sees
 *	  what its owner did afterwards (a release here) sees the flag.
 */

#ifndef BIRTHS
#define BIRTHS	2
#endif
#ifndef PAGES
#define PAGES	BIRTHS
#endif
#ifndef SCANS
#define SCANS	2
#endif

#define NC	(BIRTHS + 1)

#define ACTIVE	0		/* kml_state.scan_active */
#define FRESH	1		/* iv->fresh */
#define PAGE(i)	((i) % PAGES)	/* of object i */
#define DESC(p)	(2 + 2 * (p))	/* leaf->desc: is there one? */
#define HELD(p)	(3 + 2 * (p))	/* leaf->lock */
#define USED(i)	(2 + 2 * PAGES + 3 * (i))	/* the bit of object i */
#define ISNEW(i) (3 + 2 * PAGES + 3 * (i))	/* its state: has KML_F_NEW? */
#define RETURNED(i) (4 + 2 * PAGES + 3 * (i))	/* what the owner does next */
#define NV	(2 + 2 * PAGES + 3 * BIRTHS)

#include "memory.inc"

/* ghosts */
bool marking;			/* all is whitened, the scan has not ended */
bool old[BIRTHS];		/* was whitened by this scan */

byte sections[NC];		/* odd: in an RCU read-side section */

/* Each section that is open now ends, and what was done in it can be seen. */
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

proctype birth(byte i)
{
	bool scanned, born_new;

#ifdef BREAK_ACTIVE_OUTSIDE
	scanned = LD(i + 1, ACTIVE);
#endif
	sections[i + 1]++;
	LOCK(i + 1, HELD(PAGE(i)));
#ifndef BREAK_ACTIVE_OUTSIDE
	scanned = LD(i + 1, ACTIVE);
#endif
#ifndef BREAK_NOT_NEW
	born_new = scanned;
#endif
	/* kml_leaf_room(): a new descriptor */
	if
	:: LD(i + 1, DESC(PAGE(i))) == 0 ->
		REL(i + 1, DESC(PAGE(i)), 1)
	:: else
	fi;
#ifdef BREAK_FLAG_FIRST
	if
	:: scanned && LD(i + 1, FRESH) == 0 -> ST(i + 1, FRESH, 1)
	:: else
	fi;
	MB(i + 1);
#endif
	/* kml_page_add() */
	ST(i + 1, ISNEW(i), born_new);
	REL(i + 1, USED(i), 1);
#ifndef BREAK_FLAG_FIRST
	if
	:: scanned ->
#ifndef BREAK_NO_MB_BIRTH
		MB(i + 1);
#endif
		if
		:: LD(i + 1, FRESH) == 0 -> ST(i + 1, FRESH, 1)
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
	bool had[BIRTHS];
	byte nr;

	do
	:: nr < SCANS ->
		nr++;
		ST(0, ACTIVE, 1);
#ifndef BREAK_NO_GRACE
		grace_period();
#endif

		/* kml_prepare_all() */
#ifndef BREAK_FRESH_LATE
		ST(0, FRESH, 0);
#ifndef BREAK_NO_MB_SCAN
		MB(0);
#endif
#endif
		if
		:: LD(0, DESC(0)) ->
			LOCK(0, HELD(0));
			whiten(0);
#if BIRTHS > 1 && PAGES == 1
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
#ifdef BREAK_FRESH_LATE
		ST(0, FRESH, 0);
		MB(0);
#endif
		marking = true;

		/* kml_scan_newborn(): who was there by now? */
		d_step {
			had[0] = mem[RETURNED(0)];
#if BIRTHS > 1
			had[1] = mem[RETURNED(1)];
#endif
		}
		if
		:: LD(0, FRESH) == 0 ->
			assert(!had[0] || old[0]);
#if BIRTHS > 1
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
#if BIRTHS > 1
			old[1] = false;
			had[1] = false;
#endif
		}
		ST(0, ACTIVE, 0)
	:: else -> break
	od
}

/* At any time in a mark. */
proctype witness()
{
end:	do
	:: atomic { marking && stray(0) -> assert(false) }
#if BIRTHS > 1
	:: atomic { marking && stray(1) -> assert(false) }
#endif
	od
}

proctype buffer(byte c)
{
	byte left_v;

end:	do
	:: LEAVES(c, ACTIVE)
	:: LEAVES(c, FRESH)
	:: LEAVES(c, DESC(0))
	:: LEAVES(c, HELD(0))
#if PAGES > 1
	:: LEAVES(c, DESC(1))
	:: LEAVES(c, HELD(1))
#endif
	:: LEAVES(c, USED(0))
	:: LEAVES(c, ISNEW(0))
	:: LEAVES(c, RETURNED(0))
#if BIRTHS > 1
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
		/* a scan before may have left it so */
		if
		:: mem[FRESH] = 0
		:: mem[FRESH] = 1
		fi;
		run scan();
		run witness();
		do
		:: c < BIRTHS -> run birth(c); run buffer(c); c++
		:: else -> break
		od;
		run buffer(c)
	}
}
