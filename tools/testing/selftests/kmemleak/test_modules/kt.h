/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kmemleak_torture: load for kmemleak, and a verdict
 *
 * Threads on all CPUs allocate, free and move objects of all kinds, in all contexts, and
 * leak some. Each object begins with its class, so that a report can be judged by its
 * text. torture_test.c writes commands to kmemleak, reads reports, and tells the module
 * about reported objects. There are three classes:
 *
 * live	 There is always a reference that stays in its place for longer than a scan takes:
 *	 a new one is written long before the old one is erased. All scans can find one.
 *	 Must never be reported.
 * moved A reference is erased before, or right after, the new one is written, or the
 *	 structure that it is in changes all the time. A scan may read the new place too
 *	 early and the old one too late, twice in a row. Any kmemleak reports some of
 *	 these, stock included: they are counted.
 * leak	 There is no reference. Must be reported, unless a stale word looks like one.
 *
 * kt_main.c: parameters, commands, verdict; kt_object.c: objects; kt_place.c:
 * places for references; kt_stand.c: objects that do not move; kt_pop.c: lists of which
 * only the first member moves; kt_thread.c, kt_move.c, kt_irq.c: load; kt_leak.c.
 */
#ifndef _KT_H
#define _KT_H

#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/prandom.h>
#include <linux/types.h>
#include <linux/wait.h>

#include "kf.h"

#define KT_NAME		"kmemleak-torture: "

enum kt_class { KT_LIVE, KT_MOVED, KT_LEAK, KT_NR_CLASSES };

enum kt_kind { KT_KMALLOC, KT_PAGES, KT_VMALLOC, KT_PERCPU, KT_NR_KINDS };

/* Counters, in the order of the statistics. */
enum kt_counter {
	KT_C_OPS,
	KT_C_BIRTHS,
	KT_C_DEATHS,
	KT_C_MOVES,
	KT_C_PARKS,
	KT_C_IRQS,
	KT_C_NOMEM,
	KT_C_BAD,		/* objects with a wrong content */
	KT_NR_COUNTERS,
};

enum kt_timing { KT_T_ALLOC, KT_T_FREE, KT_T_IRQ_ALLOC, KT_T_IRQ_FREE, KT_T_LATE, KT_NR_TIMINGS };

/**
 * struct kt_object - the beginning of all objects
 * @tag: class of the object, or that it was freed; the beginning of its hex dump
 * @id: number among all objects, or among leaks, in a word that is no address
 * @size: in bytes
 * @what: kind of the object, in upper bits, so that with @size the word is no address
 * @touched: changes now and then
 * @link: link of a list
 * @rcu: for its free after a grace period
 */
struct kt_object {
	char tag[8];
	u64 id;
	u32 size;
	u32 what;
	unsigned long touched;
	struct list_head link;
	struct rcu_head rcu;
};

#define KT_MARK		0xa5a50000U
#define KT_MIN_SIZE	sizeof(struct kt_object)

/*
 * A reference, "ref", is the address of an object; for a per-CPU object, its per-CPU
 * pointer plus this bit, which makes it a pointer into the object.
 */
#define KT_REF_PERCPU	4UL

/* kt_main.c */
extern unsigned int kt_overlap_ms, kt_live, kt_moving, kt_pause_us, kt_vmalloc_max;
extern unsigned int kt_moves, kt_leak_ms, kt_max_leaks, kt_irq_us, kt_stall_s;
extern unsigned int kt_nthreads, kt_nparkers, kt_stat_interval, kt_max_moved, kt_max_hidden;
extern bool kt_stacks;
extern atomic_t kt_on_stack;
extern wait_queue_head_t kt_wait;

bool kt_stack_enter(void);
void kt_stack_leave(void);
void kt_count(enum kt_counter counter);
void kt_note_time(enum kt_timing timing, u64 ns);

/* kt_object.c */
unsigned long kt_object_new(enum kt_kind kind, size_t size, enum kt_class class,
			    u64 id, gfp_t gfp);
unsigned long kt_object_random(struct rnd_state *rnd, enum kt_class class);
struct kt_object *kt_object(unsigned long ref);
bool kt_object_check(unsigned long ref, enum kt_class class);
enum kt_kind kt_object_kind(unsigned long ref);
void kt_object_free(unsigned long ref);
void kt_object_free_rcu(unsigned long ref);
void kt_object_free_elsewhere(unsigned long ref);
void kt_objects_drain(void);
void kt_hooks(struct rnd_state *rnd, unsigned long ref);

/* kt_place.c */
int kt_words_init(unsigned int nr);
void kt_words_exit(void);
unsigned long *kt_word(unsigned int i);

/* kt_thread.c */
int kt_threads_start(void);
void kt_threads_stop(void);
void kt_threads_free(void);
bool kt_threads_stalled(void);
unsigned int kt_threads_parked(void);

/* kt_stand.c */
int kt_stand_init(void);
void kt_stand_exit(void);

/* kt_move.c */
int kt_move_init(void);
void kt_move_exit(void);
void kt_move_some(struct rnd_state *rnd, unsigned long *transit);
void kt_move_look(struct rnd_state *rnd);

/* kt_pop.c */
int kt_pop_init(void);
void kt_pop_exit(void);
void kt_pop_some(struct rnd_state *rnd, unsigned long *transit);

/* kt_irq.c */
int kt_irq_init(void);
void kt_irq_exit(void);

/* kt_leak.c */
int kt_leak_init(void);
void kt_leak_exit(void);
void kt_leak_one(struct rnd_state *rnd);
void kt_leak_found(unsigned long id);
size_t kt_leak_list(char *buf, size_t size);
unsigned int kt_leaks_planted(void);
unsigned int kt_leaks_found(void);
bool kt_leak_unreported(unsigned int id, unsigned long *hidden, unsigned long *size);
void kt_leak_explained(unsigned int id);
void kt_wipe_stack(void);

/* kt_find.c */
void kt_find(void);

#endif /* _KT_H */
