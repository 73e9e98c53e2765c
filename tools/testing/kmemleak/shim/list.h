/* SPDX-License-Identifier: GPL-2.0-only */
/* Doubly linked lists, hash lists, lockless lists and their RCU forms. */
#ifndef _SHIM_LIST_H
#define _SHIM_LIST_H

#include "atomic.h"

struct list_head {
	struct list_head *next, *prev;
};

struct hlist_node {
	struct hlist_node *next, **pprev;
};

struct hlist_head {
	struct hlist_node *first;
};

struct llist_node {
	struct llist_node *next;
};

struct llist_head {
	struct llist_node *first;
};

#define SHIM_LIST_POISON ((void *)0xdead000000000100UL)
#define LIST_HEAD_INIT(n) { &(n), &(n) }
#define LIST_HEAD(n)	struct list_head n = LIST_HEAD_INIT(n)

static inline void INIT_LIST_HEAD(struct list_head *l)
{
	WRITE_ONCE(l->next, l);
	WRITE_ONCE(l->prev, l);
}

static inline void __shim_link(struct list_head *n, struct list_head *p,
			       struct list_head *x)
{
	n->next = x;
	n->prev = p;
	x->prev = n;
	smp_store_release(&p->next, n);
}

static inline void __shim_unlink(struct list_head *p, struct list_head *x)
{
	x->prev = p;
	WRITE_ONCE(p->next, x);
}

#define list_add(n, h)		__shim_link(n, h, (h)->next)
#define list_add_tail(n, h)	__shim_link(n, (h)->prev, h)
#define list_add_rcu(n, h)	list_add(n, h)
#define list_add_tail_rcu(n, h)	list_add_tail(n, h)

static inline void list_del(struct list_head *e)
{
	__shim_unlink(e->prev, e->next);
	e->next = SHIM_LIST_POISON;
	e->prev = SHIM_LIST_POISON;
}

static inline void list_del_rcu(struct list_head *e)
{
	__shim_unlink(e->prev, e->next);
	e->prev = SHIM_LIST_POISON;
}

static inline void list_del_init(struct list_head *e)
{
	__shim_unlink(e->prev, e->next);
	INIT_LIST_HEAD(e);
}

static inline void list_replace(struct list_head *o, struct list_head *n)
{
	n->next = o->next;
	n->next->prev = n;
	n->prev = o->prev;
	smp_store_release(&n->prev->next, n);
}

static inline bool list_empty(const struct list_head *h)
{
	return READ_ONCE(h->next) == h;
}

static inline bool list_empty_careful(const struct list_head *h)
{
	struct list_head *n = smp_load_acquire(&h->next);

	return n == h && n == READ_ONCE(h->prev);
}

static inline bool list_is_singular(const struct list_head *h)
{
	return !list_empty(h) && h->next == h->prev;
}

#define list_is_last(e, h)	((e)->next == (h))
#define list_is_first(e, h)	((e)->prev == (h))
#define list_is_head(e, h)	((e) == (h))

static inline void list_move(struct list_head *e, struct list_head *h)
{
	__shim_unlink(e->prev, e->next);
	list_add(e, h);
}

static inline void list_move_tail(struct list_head *e, struct list_head *h)
{
	__shim_unlink(e->prev, e->next);
	list_add_tail(e, h);
}

static inline void __shim_splice(struct list_head *from, struct list_head *p,
				 struct list_head *x)
{
	if (list_empty(from))
		return;
	from->next->prev = p;
	from->prev->next = x;
	x->prev = from->prev;
	p->next = from->next;
}

#define list_splice(f, h)	__shim_splice(f, h, (h)->next)
#define list_splice_tail(f, h)	__shim_splice(f, (h)->prev, h)

static inline void list_splice_init(struct list_head *f, struct list_head *h)
{
	list_splice(f, h);
	INIT_LIST_HEAD(f);
}

static inline void list_splice_tail_init(struct list_head *f, struct list_head *h)
{
	list_splice_tail(f, h);
	INIT_LIST_HEAD(f);
}

#define __shim_rcu_next(n)	__atomic_load_n(&(n)->next, __ATOMIC_ACQUIRE)
#define list_next_rcu(n)	((n)->next)
#define list_entry(p, T, m)	container_of(p, T, m)
#define list_entry_rcu(p, T, m)	container_of(READ_ONCE(p), T, m)
#define list_first_entry(h, T, m) list_entry((h)->next, T, m)
#define list_last_entry(h, T, m) list_entry((h)->prev, T, m)
#define list_first_entry_or_null(h, T, m)				\
	(list_empty(h) ? NULL : list_first_entry(h, T, m))
#define list_next_entry(p, m)	list_entry((p)->m.next, typeof(*(p)), m)
#define list_prev_entry(p, m)	list_entry((p)->m.prev, typeof(*(p)), m)
#define list_entry_is_head(p, h, m) (&(p)->m == (h))

#define list_for_each(p, h)						\
	for ((p) = (h)->next; (p) != (h); (p) = (p)->next)
#define list_for_each_safe(p, n, h)					\
	for ((p) = (h)->next, (n) = (p)->next; (p) != (h);		\
	     (p) = (n), (n) = (p)->next)
#define list_for_each_entry(p, h, m)					\
	for ((p) = list_first_entry(h, typeof(*(p)), m);		\
	     !list_entry_is_head(p, h, m); (p) = list_next_entry(p, m))
#define list_for_each_entry_from(p, h, m)				\
	for (; !list_entry_is_head(p, h, m); (p) = list_next_entry(p, m))
#define list_for_each_entry_continue(p, h, m)				\
	for ((p) = list_next_entry(p, m); !list_entry_is_head(p, h, m);	\
	     (p) = list_next_entry(p, m))
#define list_for_each_entry_reverse(p, h, m)				\
	for ((p) = list_last_entry(h, typeof(*(p)), m);			\
	     !list_entry_is_head(p, h, m); (p) = list_prev_entry(p, m))
#define list_for_each_entry_safe(p, n, h, m)				\
	for ((p) = list_first_entry(h, typeof(*(p)), m),		\
	     (n) = list_next_entry(p, m);				\
	     !list_entry_is_head(p, h, m);				\
	     (p) = (n), (n) = list_next_entry(n, m))
#define list_for_each_entry_rcu(p, h, m, cond...)			\
	for ((p) = list_entry(__shim_rcu_next(h), typeof(*(p)), m);	\
	     !list_entry_is_head(p, h, m);				\
	     (p) = list_entry(__shim_rcu_next(&(p)->m), typeof(*(p)), m))
#define list_for_each_entry_lockless(p, h, m) list_for_each_entry_rcu(p, h, m)
#define list_for_each_entry_continue_rcu(p, h, m)			\
	for ((p) = list_entry(__shim_rcu_next(&(p)->m), typeof(*(p)), m); \
	     !list_entry_is_head(p, h, m);				\
	     (p) = list_entry(__shim_rcu_next(&(p)->m), typeof(*(p)), m))
#define list_for_each_entry_from_rcu(p, h, m)				\
	for (; !list_entry_is_head(p, h, m);				\
	     (p) = list_entry(__shim_rcu_next(&(p)->m), typeof(*(p)), m))
#define list_first_or_null_rcu(h, T, m) ({				\
	struct list_head *__h = (h), *__n = __shim_rcu_next(__h);	\
	__n == __h ? NULL : list_entry(__n, T, m); })

static inline size_t list_count_nodes(struct list_head *h)
{
	struct list_head *p;
	size_t n = 0;

	list_for_each(p, h)
		n++;
	return n;
}

void list_sort(void *priv, struct list_head *h,
	       int (*cmp)(void *priv, const struct list_head *a,
			  const struct list_head *b));

#define HLIST_HEAD_INIT	{ .first = NULL }
#define HLIST_HEAD(n)	struct hlist_head n = HLIST_HEAD_INIT
#define INIT_HLIST_HEAD(h) ((h)->first = NULL)
#define INIT_HLIST_NODE(n) ((void)((n)->next = NULL, (n)->pprev = NULL))
#define hlist_unhashed(n) (!(n)->pprev)
#define hlist_empty(h)	(!READ_ONCE((h)->first))

static inline void hlist_add_head(struct hlist_node *n, struct hlist_head *h)
{
	n->next = h->first;
	if (h->first)
		h->first->pprev = &n->next;
	n->pprev = &h->first;
	smp_store_release(&h->first, n);
}

#define hlist_add_head_rcu(n, h) hlist_add_head(n, h)

static inline void __hlist_del(struct hlist_node *n)
{
	WRITE_ONCE(*n->pprev, n->next);
	if (n->next)
		n->next->pprev = n->pprev;
}

static inline void hlist_del(struct hlist_node *n)
{
	__hlist_del(n);
	n->next = SHIM_LIST_POISON;
	n->pprev = SHIM_LIST_POISON;
}

static inline void hlist_del_rcu(struct hlist_node *n)
{
	__hlist_del(n);
	n->pprev = SHIM_LIST_POISON;
}

static inline void hlist_del_init(struct hlist_node *n)
{
	if (!hlist_unhashed(n)) {
		__hlist_del(n);
		INIT_HLIST_NODE(n);
	}
}

#define hlist_del_init_rcu(n) do {					\
	__hlist_del(n);							\
	(n)->pprev = NULL;						\
} while (0)
#define hlist_entry(p, T, m) container_of(p, T, m)
#define hlist_entry_safe(p, T, m) ({ typeof(p) __hp = (p);		\
	__hp ? hlist_entry(__hp, T, m) : NULL; })
#define hlist_for_each(p, h) for ((p) = (h)->first; (p); (p) = (p)->next)
#define hlist_for_each_entry(p, h, m)					\
	for ((p) = hlist_entry_safe((h)->first, typeof(*(p)), m); (p);	\
	     (p) = hlist_entry_safe((p)->m.next, typeof(*(p)), m))
#define hlist_for_each_entry_safe(p, n, h, m)				\
	for ((p) = hlist_entry_safe((h)->first, typeof(*(p)), m);	\
	     (p) && ({ (n) = (p)->m.next; 1; });			\
	     (p) = hlist_entry_safe(n, typeof(*(p)), m))
#define hlist_for_each_entry_rcu(p, h, m, cond...)			\
	for ((p) = hlist_entry_safe(__atomic_load_n(&(h)->first, __ATOMIC_ACQUIRE), \
				    typeof(*(p)), m); (p);		\
	     (p) = hlist_entry_safe(__shim_rcu_next(&(p)->m), typeof(*(p)), m))

#define LLIST_HEAD_INIT(n) { NULL }
#define LLIST_HEAD(n)	struct llist_head n = LLIST_HEAD_INIT(n)
#define init_llist_head(h) ((void)((h)->first = NULL))
#define llist_empty(h)	(!READ_ONCE((h)->first))
#define llist_next(n)	((n)->next)
#define llist_entry(p, T, m) container_of(p, T, m)

static inline bool llist_add_batch(struct llist_node *first,
				   struct llist_node *last,
				   struct llist_head *h)
{
	struct llist_node *old = READ_ONCE(h->first);

	do {
		WRITE_ONCE(last->next, old);
	} while (!try_cmpxchg(&h->first, &old, first));
	return !old;
}

#define llist_add(n, h) ({ struct llist_node *__n = (n); llist_add_batch(__n, __n, h); })
#define llist_del_all(h) xchg(&(h)->first, NULL)

static inline struct llist_node *llist_del_first(struct llist_head *h)
{
	struct llist_node *e = smp_load_acquire(&h->first);

	while (e && !try_cmpxchg(&h->first, &e, READ_ONCE(e->next)))
		;
	return e;
}

static inline struct llist_node *llist_reverse_order(struct llist_node *h)
{
	struct llist_node *out = NULL;

	while (h) {
		struct llist_node *n = h;

		h = h->next;
		n->next = out;
		out = n;
	}
	return out;
}

#define llist_for_each(p, n) for ((p) = (n); (p); (p) = (p)->next)
#define llist_for_each_safe(p, t, n)					\
	for ((p) = (n); (p) && ((t) = (p)->next, true); (p) = (t))
#define __shim_lle(p, T, m) ({ struct llist_node *__lp = (p);		\
	__lp ? llist_entry(__lp, T, m) : NULL; })
#define llist_for_each_entry(p, n, m)					\
	for ((p) = __shim_lle(n, typeof(*(p)), m); (p);			\
	     (p) = __shim_lle((p)->m.next, typeof(*(p)), m))
#define llist_for_each_entry_safe(p, t, n, m)				\
	for ((p) = __shim_lle(n, typeof(*(p)), m);			\
	     (p) && ((t) = __shim_lle((p)->m.next, typeof(*(p)), m), true); \
	     (p) = (t))

#endif /* _SHIM_LIST_H */
