/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When is a job done? mm/kmemleak/work.c as a model.
 *
 *	kml_workers_run()	proctype initiator
 *	kml_helper_run()	proctype helper
 *	kml_do_job()		do_job()
 *	kml_wait_for_work()	wait_for_work(); the spinning is left out
 *	kml_wait_is_over()	sleep_on_wait(), with wait_event_interruptible()
 *	kml_workers_share()		feed_the_hungry()
 *	kml_workers_queue(), kml_workers_cancel()	in the initiator
 *	kml_mark_group(), kml_job.source	one item each; own[] is the deque
 *		with what is being fetched ahead, list the shared list
 *	kthread_park(), signals, kml_state_disable()	proctype world
 *
 * Worker 0 is the initiator. An item of work or of the source brings up to
 * BUDGET new ones to life. LEAVERS helpers may be parked at any time; with STOP
 * the scan may be stopped at any time. Memory is sequentially consistent: the
 * counter's atomics are fully ordered and wait queues have barriers of their
 * own. BREAK_GIVE_LATE and BREAK_LIST_FIRST are what weaker ones would allow.
 *
 * Properties:
 *	- when kml_workers_run() returns no work is left and nobody works, or the
 *	  scan was stopped (assertions),
 *	- it does return: nobody sleeps for ever (no invalid end state, which
 *	  is how a lost wake-up shows), nothing goes in circles (ltl returns,
 *	  under weak fairness).
 *
 * The initiator, once alone, does what those who left may have left to do.
 */

#ifndef HELPERS
#define HELPERS		2
#endif
#ifndef LEAVERS
#define LEAVERS		1
#endif
#ifndef JOBS
#define JOBS		1
#endif
#ifndef SOURCE
#define SOURCE		1
#endif
#ifndef BUDGET
#define BUDGET		2
#endif

#define WORKERS		(HELPERS + 1)

#define IDLE		0
#define POSTED		1
#define RUNNING		2

byte source, list, budget;
byte own[WORKERS];
byte todo;			/* ghost: work, wherever it is */
byte helping;			/* ghost: helpers in a job */
byte busy, hungry;
byte state[WORKERS];
bool queued[WORKERS];		/* on kml_job.wait */
bool left_queued;		/* the initiator, on kml_job.left */
bool park[WORKERS];
bool asked, off, stopped;	/* by the initiator's caller; kmemleak is off */
bool returned;

#ifdef BREAK_WAKE_NOBODY_WHEN_LAST
#define wake_last()	skip
#else
#define wake_last()	wake_all()
#endif

inline wake_all()
{
	d_step {
		queued[0] = false;
		queued[1] = false;
#if HELPERS > 1
		queued[2] = false;
#endif
	}
}

#define anybody_queued	(queued[0] || queued[1] || queued[WORKERS - 1])
#define should_leave(w)	((w) != 0 && park[w])

/* kml_mark_stop() */
inline mark_stop(w)
{
	if
	:: stopped -> over = true
	:: !stopped && (off || ((w) == 0 && asked)) ->
		stopped = true;
		over = true
	:: else
	fi
}

/* Sleeps unless there is a reason not to, all of which are looked at again. */
inline sleep_on_wait(w)
{
#ifndef BREAK_QUEUE_LATE
	queued[w] = true;
#endif
	seen = (list > 0);
	if
	:: !seen && busy == 0 -> seen = (list == 0)
	:: else
	fi;
	if
	:: seen || stopped || should_leave(w) || ((w) == 0 && asked) ->
		queued[w] = false
	:: else ->
#ifdef BREAK_QUEUE_LATE
		queued[w] = true;
#endif
		!queued[w]
	fi
}

inline wait_for_work(w)
{
	hungry++;
	busy--;
	if
	:: busy == 0 -> wake_last()
	:: else
	fi;
	over = false;
	do
	:: list > 0 -> break
	:: else ->
		/* kml_job_may_be_done() */
#ifdef BREAK_LIST_FIRST
		seen = (list == 0);
		seen = (seen && busy == 0);
#else
		seen = (busy == 0);
		if
		:: seen -> seen = (list == 0)
		:: else
		fi;
#endif
		if
		:: seen -> over = true
		:: else -> mark_stop(w)
		fi;
		if
		:: over || should_leave(w) -> over = true; break
		:: else -> sleep_on_wait(w)
		fi
	od;
	hungry--;
	counted = !over;
#ifndef BREAK_BUSY_LATE
	if
	:: counted -> busy++
	:: else
	fi
#endif
}

inline feed_the_hungry(w)
{
	if
	:: hungry == 0
	:: else ->
		if
		:: list > 0 -> more = true
		:: else ->
			more = false;
			atomic {
				if
				:: own[w] > 1 ->
					own[w]--;
					list++;
					more = true
				:: else
				fi
			}
		fi;
		if
		:: more && anybody_queued -> wake_all()
		:: else
		fi
	fi
}

/* What was found references others. */
inline finish_item(w)
{
	atomic {
		if
		:: true
		:: budget > 0 -> budget--; todo++; own[w]++
		:: budget > 1 ->
			budget = budget - 2;
			todo = todo + 2;
			own[w] = own[w] + 2
		fi;
		todo--
	}
}

inline do_job(w)
{
	counted = true;
	busy++;
	do
	:: true ->
		over = false;
		mark_stop(w);
		if
		:: over || should_leave(w) -> break
		:: else
		fi;
		atomic {
			if
			:: own[w] > 0 -> own[w]--
			:: own[w] == 0 && list > 0 -> list--
			:: own[w] == 0 && list == 0 && source > 0 -> source--
			:: else -> goto none
			fi
		}
		finish_item(w);
		feed_the_hungry(w);
		goto next;
none:
		wait_for_work(w);
		if
		:: over -> break
		:: else
		fi;
#ifdef BREAK_BUSY_LATE
		atomic {
			if
			:: list > 0 -> list--; own[w]++
			:: else
			fi
		}
		busy++;
#endif
next:
		skip
	od;
#ifdef BREAK_GIVE_LATE
	if
	:: counted -> busy--
	:: else
	fi;
#endif
	/* kml_mark_close() */
	if
	:: (w) != 0 ->
		atomic {
#ifndef BREAK_KEEP
			list = list + own[w];
#endif
			own[w] = 0
		}
	:: else
	fi;
#ifndef BREAK_GIVE_LATE
	if
	:: counted -> busy--
	:: else
	fi;
#endif
#ifndef BREAK_LEAVE_SILENTLY
	if
	:: (counted && busy == 0) || stopped -> wake_last()
	:: else
	fi
#endif
}

proctype helper(byte me)
{
	bool counted, over, seen, more;

end:	do
	:: atomic {
			state[me] == POSTED && !park[me] ->
			state[me] = RUNNING;
			helping++
		}
		if
		:: do_job(me)
		:: true		/* no memory for work */
		fi;
		atomic { state[me] = IDLE; helping-- }
#ifndef BREAK_LEFT_SILENTLY
		left_queued = false
#endif
	od
}

proctype initiator()
{
	bool counted, over, seen, more;
	byte h, job;

	do
	:: job < JOBS ->
		atomic {
			job++;
			source = SOURCE;
			todo = SOURCE + 1;
			budget = BUDGET;
			/* what the job before has pushed */
			if
			:: own[0]++
			:: list++
			fi;
			busy = 0;
			hungry = 0
		}
		h = 1;
		do
		:: h < WORKERS -> state[h] = POSTED; h++
		:: else -> break
		od;
again:
		do_job(0);
		h = 1;
		do
		:: h < WORKERS ->
#ifdef BREAK_RECALL_STORE
			more = (state[h] == POSTED);
			if
			:: more -> state[h] = IDLE
			:: else
			fi;
#else
			atomic {
				if
				:: state[h] == POSTED -> state[h] = IDLE
				:: else
				fi
			}
#endif
#ifndef BREAK_NO_RECALL
			do
			:: state[h] == IDLE -> break
			:: else ->
				left_queued = true;
				if
				:: state[h] == IDLE -> left_queued = false
				:: else -> !left_queued
				fi
			od;
#endif
			h++
		:: else -> break
		od;
		assert(helping == 0);
#ifndef BREAK_NO_SECOND_LOOK
		if
		:: list > 0 && !stopped -> goto again
		:: else
		fi;
#endif
		if
		:: stopped -> break
		:: else
		fi;
		assert(todo == 0)
	:: else -> break
	od;
	returned = true
}

/* CPUs go away, and the scan is no longer wanted. */
proctype world()
{
	byte h = 1;

	do
	:: h <= LEAVERS ->
		if
		:: atomic { park[h] = true; queued[h] = false }
		:: true
		fi;
		h++
	:: else -> break
	od;
#ifdef STOP
	if
	:: atomic { asked = true; queued[0] = false }
	:: off = true
	:: true
	fi
#endif
}

init
{
	byte h = 1;

	atomic {
		run initiator();
		run world();
		do
		:: h < WORKERS -> run helper(h); h++
		:: else -> break
		od
	}
}

ltl returns { <> returned }
