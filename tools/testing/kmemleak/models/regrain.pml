/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Re-grain against markers: a model of mm/kmemleak/index.c and mark.c, with store
 * buffers (memory.inc).
 *
 *	kml_insert_try(), kml_leaf_room()	proctype insert, processor 0
 *	kml_page_move(), kml_page_add()		move(), add()
 *	kml_remove_entry(), kml_pin_wait()	proctype remove, processor 1
 *	kml_shade_one(), kml_lookup_exact()	proctype marker, processors 2 ...
 *	kml_count_ref()				its cmpxchg loop
 *	kml_lookup_pinned()			proctype reader, the next processor
 *
 * One page with object A. Each marker has REFS references to it, of which WANTED in
 * all are counted. N is inserted next to A, REGRAINS times. If A is there, N needs a
 * descriptor of a finer grain, and A moves; otherwise N gets A's slot. A may be removed
 * or not. Descriptors are not reused: readers hold rcu_read_lock() all the time. The
 * other data of a slot (size, pointer to the cold entry) are one variable, OWNER.
 *
 * Properties (assertions):
 *	- all references are counted, up to WANTED, and the count is in the entry
 *	  that is valid at the end,
 *	- one marker pushes the object if it has turned grey, and none otherwise,
 *	- no reference to A is counted for N,
 *	- the reader gets data of the object that it has looked up, A or N; A is not
 *	  freed meanwhile; and A is found, unless it is removed,
 *	- no invalid end states: a frozen entry has a successor.
 */

#ifndef REFS
#define REFS		2
#endif
#ifndef WANTED
#define WANTED		3
#endif
#ifndef MARKERS
#define MARKERS		2
#endif
#ifndef REGRAINS
#define REGRAINS	1
#endif

#ifndef READERS
#define READERS		1		/* at most */
#endif

#define DESCS		(REGRAINS + 1)

#define INSERT		0
#define REMOVE		1
#define READER		2		/* markers store nothing */
#define NC		3

#define DESC		0		/* leaf->page */
#define HELD		1		/* leaf->lock */
#define PIN		2
#define BIT(d)		(3 + 3 * (d))	/* the slot is used */
#define STATE(d)	(4 + 3 * (d))	/* hot->state */
#define OWNER(d)	(5 + 3 * (d))	/* hot->size, hot->cold */
#define NV		(3 + 3 * DESCS)

#include "memory.inc"

/* The state word: */
#define COUNT		7
#define IS_N		8		/* the offset is N's */
#define ALLOCATED	16
#define FROZEN		32

#define A		1
#define N		2

byte counted, pushed;		/* ghosts */
bool freed, doomed;		/* the free of A has returned, has begun */
byte left = MARKERS + READERS + 2;

/* kml_page_add() */
inline add(d, word, who)
{
#ifdef BREAK_NO_RELEASE
	ST(INSERT, OWNER(d), who);
	ST(INSERT, STATE(d), word);
#else
	ST(INSERT, OWNER(d), who);
	REL(INSERT, STATE(d), word);
#endif
	REL(INSERT, BIT(d), 1)
}

/* atomic_fetch_or(KML_F_FROZEN) */
inline freeze(d)
{
	atomic {
		MB(INSERT);
		word = mem[STATE(d)];
		mem[STATE(d)] = word | FROZEN
	}
}

inline move(from, to)
{
#if defined(BREAK_NO_FREEZE)
	word = LD(INSERT, STATE(from));
	add(to, word, A)
#elif defined(BREAK_FREEZE_LATE)
	word = LD(INSERT, STATE(from));
	add(to, word, A);
	freeze(from)
#else
	freeze(from);
	add(to, word, A)
#endif
}

inline publish(d)
{
#ifdef BREAK_PUBLISH_PLAIN
	ST(INSERT, DESC, d)
#else
	REL(INSERT, DESC, d)
#endif
}

proctype insert()
{
	byte d, n, word;

	do
	:: n < REGRAINS ->
		n++;
		LOCK(INSERT, HELD);
		d = LD(INSERT, DESC);
		if
		:: LD(INSERT, BIT(d)) == 0 ->
			add(d, IS_N | ALLOCATED, N)
		:: else ->
			word = LD(INSERT, STATE(d));
			if
			:: word & IS_N		/* N has its slot already */
			:: else ->
#ifdef BREAK_PUBLISH_FIRST
				publish(d + 1);
				move(d, d + 1)
#else
				move(d, d + 1);
				publish(d + 1)
#endif
			fi
		fi;
		UNLOCK(INSERT, HELD)
	:: else -> break
	od;
	left--
}

proctype remove()
{
	byte d;

	if
	:: true
	:: doomed = true;
		LOCK(REMOVE, HELD);
		d = LD(REMOVE, DESC);
		atomic {
			MB(REMOVE);
			mem[STATE(d)] = mem[STATE(d)] & ~ALLOCATED
		}
		ST(REMOVE, BIT(d), 0);
		UNLOCK(REMOVE, HELD);
		LD(REMOVE, PIN) != A;
		freed = true
	fi;
	left--
}

proctype marker()
{
	byte d, word, n;

	do
	:: n < REFS ->
again:
		d = mem[DESC];
		/* kml_lookup_exact() */
		if
		:: mem[BIT(d)] == 0 -> goto next
		:: else
		fi;
		if
		:: mem[STATE(d)] & IS_N -> goto next
		:: else
		fi;
		/* kml_count_ref() */
		word = mem[STATE(d)];
		do
#ifndef BREAK_COUNT_FROZEN
		:: word & FROZEN -> goto again
		:: !(word & FROZEN) ->
#else
		:: true ->
#endif
			if
			:: word & IS_N -> goto again
			:: !(word & ALLOCATED) || (word & COUNT) >= WANTED -> goto next
			:: else
			fi;
#ifdef BREAK_NO_CMPXCHG
			mem[STATE(d)] = word + 1;
			break
#else
			atomic {
				if
				:: mem[STATE(d)] == word ->
					mem[STATE(d)] = word + 1;
					break
				:: else -> word = mem[STATE(d)]
				fi
			}
#endif
		od;
		atomic {
			counted++;
			if
			:: (word & COUNT) + 1 == WANTED -> pushed++
			:: else
			fi
		}
next:
		n++
	:: else -> break
	od;
	left--
}

proctype reader()
{
	byte d, word, more, owner, who;
	bool found;

	/* A is on the work list; another worker may know N */
	if
	:: who = 0
	:: who = IS_N
	fi;
	ST(READER, PIN, A + who);
	MB(READER);
again:
	d = LD(READER, DESC);
	if
	:: LD(READER, BIT(d)) == 0 -> goto out
	:: else
	fi;
	if
	:: (LD(READER, STATE(d)) & IS_N) != who -> goto out
	:: else
	fi;
	word = LD(READER, STATE(d));
	if
	:: (word & IS_N) != who -> goto out
	:: else ->
		if
		:: word & FROZEN -> goto again
		:: !(word & FROZEN) && !(word & ALLOCATED) -> goto out
		:: else
		fi
	fi;
#ifdef BREAK_NO_RMB
	more = LD(READER, STATE(d));
	owner = LD(READER, OWNER(d));
#else
	owner = LD(READER, OWNER(d));
	more = LD(READER, STATE(d));
#endif
#ifndef BREAK_LOOK_ONCE
	if
	:: ((word ^ more) & ~COUNT) != 0 -> goto again
	:: else
	fi;
#endif
	found = true;
	assert(owner == (who -> N : A));
	assert(who || !freed);
out:
	assert(found || doomed || who);
	REL(READER, PIN, 0);
	left--
}

#define ALL	MARKERS * REFS

/* When all processes have ended. */
proctype check()
{
	byte d, word;

	left == 0 && MB(INSERT) && MB(REMOVE);
	d = mem[DESC];
	word = mem[STATE(d)];
	if
	:: word & IS_N -> assert((word & COUNT) == 0)
	:: !(word & IS_N) && (word & ALLOCATED) ->
		assert(!(word & FROZEN));
		assert((word & COUNT) == counted);
		assert(counted == (ALL < WANTED -> ALL : WANTED))
	:: else
	fi;
	assert(pushed == (counted >= WANTED -> 1 : 0))
}

proctype buffer(byte c)
{
	byte left_v;

end:	do
	:: LEAVES(c, DESC)
	:: LEAVES(c, HELD)
	:: LEAVES(c, PIN)
	:: LEAVES(c, BIT(0))
	:: LEAVES(c, STATE(0))
	:: LEAVES(c, OWNER(0))
	:: LEAVES(c, BIT(1))
	:: LEAVES(c, STATE(1))
	:: LEAVES(c, OWNER(1))
#if REGRAINS > 1
	:: LEAVES(c, BIT(2))
	:: LEAVES(c, STATE(2))
	:: LEAVES(c, OWNER(2))
#endif
	od
}

init
{
	byte n;

	atomic {
		mem[BIT(0)] = 1;
		mem[STATE(0)] = ALLOCATED;
		mem[OWNER(0)] = A;
		run insert();
		run remove();
		do
		:: n < MARKERS -> run marker(); n++
		:: else -> break
		od;
#if READERS
		run reader();
#endif
		run check();
		run buffer(INSERT);
		run buffer(REMOVE);
		run buffer(READER)
	}
}
