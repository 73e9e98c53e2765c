// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stack traces and their depot. The "stack" of a thread is a number that the harness
 * sets, and the frames depend on this number only. So all implementations get the same
 * trace.
 */
#include <pthread.h>
#include <stdlib.h>

#include "../os.h"
#include "log.h"

#define SHIM_DEPOT_BUCKETS	4096
#define SHIM_FAKE_STACKS	0x8000
#define SHIM_HANDLES		0x20000

__thread unsigned int shim_stack_id;
int shim_depot_fail;

static pthread_mutex_t shim_depot_lock = PTHREAD_MUTEX_INITIALIZER;
static struct stack_record *shim_depot[SHIM_DEPOT_BUCKETS];
static struct stack_record *shim_by_handle[SHIM_HANDLES + 1];

static unsigned int shim_frames(unsigned int id, unsigned long *store, unsigned int size)
{
	unsigned int nr = min(1 + id % 7, size), i;

	for (i = 0; i < nr; i++)
		store[i] = SHIM_TEXT + (id + i) * 0x100 + 4 * i + 1;
	return nr;
}

unsigned int stack_trace_save(unsigned long *store, unsigned int size, unsigned int skip)
{
	return shim_frames(shim_stack_id % SHIM_FAKE_STACKS, store, size);
}

unsigned int filter_irq_stacks(unsigned long *e, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (e[i] >= SHIM_IRQENTRY_TEXT)
			return i + 1;
	return n;
}

static u32 shim_hash(const unsigned long *e, unsigned int n)
{
	u64 h = n;

	while (n--)
		h = (h ^ *e++) * 0x9e3779b97f4a7c15ULL;
	return h >> 32;
}

/*
 * The handle of a simulated trace depends on its content only: the order of reports
 * that are sorted by handle must not depend on the order of saving. Other traces have
 * numbers above these.
 */
static depot_stack_handle_t shim_handle(const unsigned long *e, unsigned int n)
{
	unsigned long id = (e[0] - SHIM_TEXT) / 0x100;
	unsigned long want[SHIM_DEPOT_FRAMES];
	static unsigned int other;

	if (id < SHIM_FAKE_STACKS && n == shim_frames(id, want, SHIM_DEPOT_FRAMES) &&
	    !memcmp(e, want, n * sizeof(*e)))
		return id + 1;
	if (++other == SHIM_HANDLES - SHIM_FAKE_STACKS)
		shim_fatal("too many traces");
	return SHIM_FAKE_STACKS + other;
}

/* Saving does not use the allocator of the core, whatever the flags are. */
depot_stack_handle_t stack_depot_save(unsigned long *e, unsigned int n, gfp_t gfp)
{
	struct stack_record *t, **head;
	u32 hash;

	n = filter_irq_stacks(e, n);
	if (!n || READ_ONCE(shim_depot_fail))
		return 0;
	if (shim_strict)
		shim_no_raw_lock("stack_depot_save");
	n = min_t(unsigned int, n, SHIM_DEPOT_FRAMES);
	hash = shim_hash(e, n);
	head = &shim_depot[hash % SHIM_DEPOT_BUCKETS];
	for (t = smp_load_acquire(head); t; t = t->next)
		if (t->hash == hash && t->size == n && !memcmp(t->entries, e, n * sizeof(*e)))
			return t->handle.handle;

	pthread_mutex_lock(&shim_depot_lock);
	for (t = *head; t; t = t->next)
		if (t->hash == hash && t->size == n && !memcmp(t->entries, e, n * sizeof(*e)))
			goto out;
	t = calloc(1, sizeof(*t));
	if (!t)
		shim_fatal("out of memory for traces");
	t->hash = hash;
	t->size = n;
	/* never freed */
	refcount_set(&t->count, REFCOUNT_SATURATED);
	memcpy(t->entries, e, n * sizeof(*e));
	t->handle.handle = shim_handle(e, n);
	smp_store_release(&shim_by_handle[t->handle.handle], t);
	t->next = *head;
	smp_store_release(head, t);
out:
	pthread_mutex_unlock(&shim_depot_lock);
	return t->handle.handle;
}

depot_stack_handle_t stack_depot_save_flags(unsigned long *e, unsigned int n, gfp_t gfp,
					    depot_flags_t f)
{
	return stack_depot_save(e, n, gfp);
}

struct stack_record *__stack_depot_get_stack_record(depot_stack_handle_t h)
{
	struct stack_record *t;

	if (!h)
		return NULL;
	t = h <= SHIM_HANDLES ? smp_load_acquire(&shim_by_handle[h]) : NULL;
	if (!t)
		shim_fatal("stack handle %u was never given out", h);
	return t;
}

unsigned int stack_depot_fetch(depot_stack_handle_t h, unsigned long **e)
{
	struct stack_record *t;

	t = __stack_depot_get_stack_record(h);
	*e = t ? t->entries : NULL;
	return t ? t->size : 0;
}

void stack_trace_print(const unsigned long *e, unsigned int n, int spaces)
{
	while (n--)
		shim_printk("%*s%pS\n", 1 + spaces, "", (void *)*e++);
}

int stack_trace_snprint(char *buf, size_t size, const unsigned long *e, unsigned int n,
			int spaces)
{
	size_t done = 0;
	unsigned int i;

	for (i = 0; i < n && done < size; i++)
		done += shim_scnprintf(buf + done, size - done, "%*s%pS\n", 1 + spaces,
				       "", (void *)e[i]);
	return done;
}

void stack_depot_print(depot_stack_handle_t h)
{
	unsigned long *e;
	unsigned int n = stack_depot_fetch(h, &e);

	stack_trace_print(e, n, 0);
}

int stack_depot_snprint(depot_stack_handle_t h, char *buf, size_t n, int spaces)
{
	unsigned long *e;
	unsigned int nr = stack_depot_fetch(h, &e);

	return stack_trace_snprint(buf, n, e, nr, spaces);
}
