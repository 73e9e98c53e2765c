/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The end of a job: a model of "Workers" in mm/kmemleak/work.c.
 *
 *	kml_workers_run()	proctype initiator
 *	kml_helper_run()	proctype helper
 *	kml_do_job()		do_job()
 *	kml_wait_for_work()	wait_for_work(), without spinning
 *	kml_wait_is_over()	sleep_on_wait(), with wait_event_interruptible()
 *	kml_workers_share()	share_work()
 *	kml_workers_queue(), kml_workers_cancel()	in the initiator
 *	kml_mark_group(), kml_job.source	one item each; own[] is the work of
 *		a worker, with the objects being prefetched; list is the shared list
 *	kthread_park(), signals, kml_state_disable()	proctype world
 *
 * Worker 0 is the initiator. All items of work or of the source together create up
 * to BUDGET new ones. LEAVERS helpers may be parked at any time. With STOP the scan
 * may be stopped at any time. Memory is sequentially consistent, since the atomics
 * on the counter are fully ordered and wait queues have barriers.
 * BREAK_GIVE_LATE and BREAK_LIST_FIRST are reorderings that weaker ones would allow.
 *
 * Properties:
 *	- when kml_workers_run() returns, no work is left and no helper is running,
 *	  or the scan was stopped (assertions),
 *	- it returns: no worker sleeps forever (a lost wake-up is an invalid end
 *	  state), and no worker loops forever (ltl returns, under weak fairness).
 *
 * When all helpers have stopped, the initiator does the work that helpers may have
 * left on the list.
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
byte todo;			/* ghost: all work */
byte helping;			/* ghost: helpers in a job */
byte busy, idle;
byte state[WORKERS];
bool queued[WORKERS];		/* on kml_job.wait */
bool left_queued;		/* the initiator, on kml_job.left */
bool park[WORKERS];
bool asked, off, stopped;	/* a signal came; kmemleak is off; the scan is */
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

/* Sleep, unless one of the reasons to go on is found after queueing. */
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
	idle++;
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
	idle--;
	counted = !over;
#ifndef BREAK_BUSY_LATE
	if
	:: counted -> busy++
	:: else
	fi
#endif
}

inline share_work(w)
{
	if
	:: idle == 0
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

/* Reading an object may find others. */
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
		share_work(w);
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
		:: true		/* no memory for the worker */
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
			/* work that the job before has left */
			if
			:: own[0]++
			:: list++
			fi;
			busy = 0;
			idle = 0
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

/* CPUs go offline, and the scan is stopped. */
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
