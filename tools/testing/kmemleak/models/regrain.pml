/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Re-graining against markers: mm/kmemleak/index.c and mark.c as a
 * model, with store buffers (memory.inc).
 *
 *	kml_insert_try(), kml_leaf_room()	proctype birth, processor 0
 *	kml_page_move(), kml_page_add()		move(), add()
 *	kml_remove_entry(), kml_pin_wait()	proctype death, processor 1
 *	kml_shade_one(), kml_lookup_exact()	proctype marker, processors 2 ...
 *	kml_count_ref()				its cmpxchg loop
 *	kml_lookup_pinned()			proctype reader, the next processor
 *
 * One page with object A, of which markers count WANTED references at most, REFS
 * each. N is born next to it, REGRAINS times: while A is there it needs a finer
 * descriptor, and A moves; else N gets A's slot. The death may not happen.
 * Descriptors are not reused: readers hold rcu_read_lock() all the time.
 * What belongs to a slot (size, pointer to the extension) is one variable, OWNER.
 *
 * Properties (assertions):
 *	- as many references are counted as there are, up to WANTED, and all of
 *	  them are in the entry that counts at the end,
 *	- one marker pushes the object, exactly if it has turned grey,
 *	- no reference to A is counted for N,
 *	- what the reader is told about A or N is A's or N's, A is not freed
 *	  meanwhile, and A is found, unless it dies,
 *	- no invalid end states: a frozen entry's successor does come.
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

#define BIRTH		0
#define DEATH		1
#define READER		2		/* markers store nothing */
#define NC		3

#define DESC		0		/* leaf->desc */
#define HELD		1		/* leaf->lock */
#define PIN		2
#define BIT(d)		(3 + 3 * (d))	/* A's slot is used */
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
bool freed, doomed;		/* A's free has returned, begins */
byte left = MARKERS + READERS + 2;

/* kml_page_add() */
inline add(d, word, who)
{
#ifdef BREAK_NO_RELEASE
	ST(BIRTH, OWNER(d), who);
	ST(BIRTH, STATE(d), word);
#else
	ST(BIRTH, OWNER(d), who);
	REL(BIRTH, STATE(d), word);
#endif
	REL(BIRTH, BIT(d), 1)
}

/* atomic_fetch_or(KML_F_FROZEN) */
inline freeze(d)
{
	atomic {
		MB(BIRTH);
		word = mem[STATE(d)];
		mem[STATE(d)] = word | FROZEN
	}
}

inline move(from, to)
{
#if defined(BREAK_NO_FREEZE)
	word = LD(BIRTH, STATE(from));
	add(to, word, A)
#elif defined(BREAK_FREEZE_LATE)
	word = LD(BIRTH, STATE(from));
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
	ST(BIRTH, DESC, d)
#else
	REL(BIRTH, DESC, d)
#endif
}

proctype birth()
{
	byte d, n, word;

	do
	:: n < REGRAINS ->
		n++;
		LOCK(BIRTH, HELD);
		d = LD(BIRTH, DESC);
		if
		:: LD(BIRTH, BIT(d)) == 0 ->
			add(d, IS_N | ALLOCATED, N)
		:: else ->
			word = LD(BIRTH, STATE(d));
			if
			:: word & IS_N		/* has its slot by now */
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
		UNLOCK(BIRTH, HELD)
	:: else -> break
	od;
	left--
}

proctype death()
{
	byte d;

	if
	:: true
	:: doomed = true;
		LOCK(DEATH, HELD);
		d = LD(DEATH, DESC);
		atomic {
			MB(DEATH);
			mem[STATE(d)] = mem[STATE(d)] & ~ALLOCATED
		}
		ST(DEATH, BIT(d), 0);
		UNLOCK(DEATH, HELD);
		LD(DEATH, PIN) != A;
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

	/* A is on the list of work; somebody might know of N */
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

/* When all is over. */
proctype check()
{
	byte d, word;

	left == 0 && MB(BIRTH) && MB(DEATH);
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
		run birth();
		run death();
		do
		:: n < MARKERS -> run marker(); n++
		:: else -> break
		od;
#if READERS
		run reader();
#endif
		run check();
		run buffer(BIRTH);
		run buffer(DEATH);
		run buffer(READER)
	}
}
