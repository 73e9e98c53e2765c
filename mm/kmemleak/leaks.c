// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaks as tools read them: the heads, and the text of the files kmemleak_leaks and
 * kmemleak_stacks.
 */

#include "os.h"
#include "scan.h"

/* === Heads ============================================================== */

/*
 * With a structure, all blocks to which only it refers are lost, and the report lists
 * each of them. The one to look at is the head: a leak that no other leak
 * references. Of leaks in a cycle that no leak outside of it references, one is the
 * head. A leak to which several heads lead belongs to one of these.
 *
 * References are aligned words in scanned leaks that point into another leak, as for
 * a mark. The table has no edges, for their number has no limit: the content of the
 * leaks is read twice instead.
 *
 * A depth-first search leaves a leak after all those to which it leads, except those
 * that lead back to it. In the reverse order, each leak that no earlier one leads to
 * is therefore a head. This is the first half of Kosaraju's algorithm (Aho, Hopcroft
 * and Ullman, "Data Structures and Algorithms", 1983, 6.7).
 *
 * The content may change between the two searches. Then a leak may become a head that
 * is none, and nothing worse.
 */

#define KML_NO_LEAK	U32_MAX

/* Words that are read at once; they stay on one or two cache lines of most leaks. */
#define KML_EDGE_WORDS	64U

struct kml_head {
	u64 bytes;			/* of all leaks of a head */
	u32 blocks;			/* number of these; 0: this is no head */
	u32 head;			/* position in the table, or KML_NO_LEAK */
};

/* The result of the search after the last scan. Protected by kml_scan_mutex. */
static struct {
	unsigned long epoch;		/* kml_report_epoch() when it was found */
	struct kml_head *head;		/* of each entry of the table; NULL: no memory */
	unsigned long *first;		/* a bit for each entry: the first of its stack */
	unsigned long nr;
} kml_leaks;

/* The leaks as a graph, during the search. Numbers are positions in the table. */
struct kml_graph {
	struct kml_head *head;
	unsigned long *todo;		/* leaks that the search has not entered */
	u32 *hash;			/* by address, open addressing */
	u32 *parent;			/* of the leaks that the search is in */
	u32 *at;			/* where the search goes on in a leak */
	u32 *order;			/* leaks in the order in which it left them */
	u32 nr_order;
	unsigned int hash_bits;
	struct kmemleak_windows win;
	unsigned long words[KML_EDGE_WORDS];
	unsigned long cand[KML_EDGE_WORDS + KMEMLEAK_FILTER_PAD];
};

/* A leak as tools read it. */
struct kml_leak {
	struct kml_info info;
	unsigned long scan;		/* that reported it first; 0: unknown */
};

/* Get the metadata of a leak. Return: false if it is not listed. */
static bool kml_leak_get(const struct kml_report_entry *e, struct kml_leak *leak)
{
	struct kml_locked l;

	if (!kml_report_lock(e, &l))
		return false;
	kml_info_fill(&leak->info, l.space, l.start, l.hot);
	kml_object_unlock(&l);
	leak->scan = e->scan;
	return true;
}

/* The CPU of that number, from 0, or -1. */
static int kml_nth_cpu(u32 n)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		if (!n--)
			return cpu;
	return -1;
}

/*
 * Copy chunk number @chunk of a leak, at most @room bytes, and set @self to its
 * addresses. Of a per-CPU object, the chunks of the first CPU come first. The copy
 * begins with the first aligned word. Return: the number of bytes; 0 at the end, and
 * if the leak is not listed or not scanned.
 */
static size_t kml_leak_read(const struct kml_report_entry *e, u32 chunk, void *buf,
			    size_t room, struct kmemleak_range *self)
{
	size_t size, len = 0, off, skip;
	struct kml_locked l;
	int cpu = 0;

	/* once frees are not tracked, other memory may be there */
	if (!kml_free_enabled() || !kml_report_lock(e, &l))
		return 0;
	if (!kml_scannable(kml_hot_state(l.hot)))
		goto out;
	size = kml_hot_size(l.hot, kml_hot_state(l.hot));
	*self = (struct kmemleak_range){ l.start, e->space == KML_VIRT ? size : 0 };
	skip = -l.start % sizeof(long);
	if (size < skip + sizeof(long))
		goto out;
	size -= skip;
	if (e->space == KML_PERCPU) {
		u32 chunks = DIV_ROUND_UP(size, room);

		cpu = kml_nth_cpu(chunk / chunks);
		chunk %= chunks;
	}
	off = (size_t)chunk * room;
	if (cpu < 0 || off >= size)
		goto out;
	len = min(room, size - off);
	kasan_disable_current();
	memcpy(buf, kasan_reset_tag(kml_object_memory(l.space, l.start, cpu)) + skip + off,
	       len);
	kasan_enable_current();
out:
	kml_object_unlock(&l);
	return len;
}

static void *kml_leaks_alloc(unsigned long nr, size_t size)
{
	void *p = kvmalloc_array(nr, size, GFP_KERNEL | __GFP_ZERO |
				 __GFP_RETRY_MAYFAIL | __GFP_NOWARN);

	if (p)
		kml_object_paint(kml_space(KML_VIRT), (unsigned long)p, -1);
	return p;
}

static void kml_graph_free(struct kml_graph *g)
{
	kvfree(g->order);
	kvfree(g->at);
	kvfree(g->parent);
	kvfree(g->hash);
	kvfree(g->todo);
	/* has addresses of leaks */
	kfree_sensitive(g);
}

static struct kml_graph *kml_graph_alloc(struct kml_head *head, unsigned long nr)
{
	struct kml_graph *g = kzalloc(sizeof(*g), GFP_KERNEL | __GFP_NOWARN);

	if (!g)
		return NULL;
	g->head = head;
	/* at most half of the table is in use */
	g->hash_bits = ilog2(nr) + 2;
	g->todo = kml_leaks_alloc(BITS_TO_LONGS(nr), sizeof(long));
	g->hash = kml_leaks_alloc(1UL << g->hash_bits, sizeof(u32));
	g->parent = kml_leaks_alloc(nr, sizeof(u32));
	g->at = kml_leaks_alloc(nr, sizeof(u32));
	g->order = kml_leaks_alloc(nr, sizeof(u32));
	if (g->todo && g->hash && g->parent && g->at && g->order)
		return g;
	kml_graph_free(g);
	return NULL;
}

static bool kml_graph_is(u32 i, enum kml_space_id space, unsigned long start)
{
	const struct kml_report_entry *e = kml_report_get(i);

	return e->not_start == ~start && e->space == space;
}

/* The place of an address in the hash table: it has 0, or the leak's number plus 1. */
static u32 *kml_graph_slot(struct kml_graph *g, enum kml_space_id space,
			   unsigned long start)
{
	unsigned long mask = (1UL << g->hash_bits) - 1;
	unsigned long i = hash_long(start ^ space, g->hash_bits);

	while (g->hash[i] && !kml_graph_is(g->hash[i] - 1, space, start))
		i = (i + 1) & mask;
	return &g->hash[i];
}

/* The leak in which @addr is, or KML_NO_LEAK. */
static u32 kml_graph_find(struct kml_graph *g, enum kml_space_id space,
			  unsigned long addr)
{
	struct kml_info info;

	if (!kml_object_info(kml_space(space), addr, true, &info))
		return KML_NO_LEAK;
	/* 0 minus 1 is KML_NO_LEAK */
	return *kml_graph_slot(g, space, kml_untag(info.addr)) - 1;
}

static u32 kml_graph_target(struct kml_graph *g, unsigned long addr)
{
	u32 to = kml_graph_find(g, KML_VIRT, addr);

	return to == KML_NO_LEAK ? kml_graph_find(g, KML_PERCPU, addr) : to;
}

/* Put all leaks into the hash table, and set the windows. Return: false if stopped. */
static bool kml_graph_fill(struct kml_graph *g, unsigned long nr)
{
	struct kml_extent extent[KML_NR_SPACES];
	unsigned long i;
	u32 *slot;

	for (i = 0; i < KML_NR_SPACES; i++)
		extent[i] = (struct kml_extent){ .min = ULONG_MAX };
	for (i = 0; i < nr; i++) {
		struct kml_report_entry *e = kml_report_get(i);
		struct kml_extent *x = &extent[e->space];
		struct kml_leak leak;

		g->head[i] = (struct kml_head){ .head = KML_NO_LEAK };
		if (!kml_leak_get(e, &leak))
			continue;
		x->min = min(x->min, ~e->not_start);
		x->last = max(x->last, kml_last(~e->not_start, leak.info.size));
		slot = kml_graph_slot(g, e->space, ~e->not_start);
		*slot = i + 1;
		cond_resched();
		if (kml_signalled())
			return false;
	}
	g->win = (struct kmemleak_windows){
		.virt = kml_filter_range(extent[KML_VIRT].min, extent[KML_VIRT].last),
		.percpu = kml_filter_range(extent[KML_PERCPU].min, extent[KML_PERCPU].last),
		.tag_bits = KML_TAG_BITS,
	};
	return true;
}

/* Let the next search enter all leaks of the hash table. */
static void kml_graph_reset(struct kml_graph *g)
{
	unsigned long i;

	for (i = 0; i < 1UL << g->hash_bits; i++) {
		if (g->hash[i])
			__set_bit(g->hash[i] - 1, g->todo);
		if (!(i & 0xffff))
			cond_resched();
	}
}

/*
 * The next leak that leak @i references and that the search has not entered. at[@i]
 * is a number of a chunk of words times KML_EDGE_WORDS, plus the candidates of the
 * chunk that are done. Return: KML_NO_LEAK if there is none, or if there is a signal.
 */
static u32 kml_graph_next(struct kml_graph *g, u32 i)
{
	for (;;) {
		u32 chunk = g->at[i] / KML_EDGE_WORDS, to;
		unsigned int n, done = g->at[i] % KML_EDGE_WORDS;
		size_t len = kml_leak_read(kml_report_get(i), chunk, g->words,
					   sizeof(g->words), &g->win.self);

		if (!len)
			return KML_NO_LEAK;
		n = kml_filter_run(g->words, len, &g->win, g->cand);
		while (done < n) {
			to = kml_graph_target(g, g->cand[done++]);
			if (to == KML_NO_LEAK || !test_bit(to, g->todo))
				continue;
			/* after the last word, this is the next chunk */
			g->at[i] = chunk * KML_EDGE_WORDS + done;
			return to;
		}
		cond_resched();
		if (chunk >= KML_NO_LEAK / KML_EDGE_WORDS - 1 || kml_signalled())
			return KML_NO_LEAK;
		g->at[i] = (chunk + 1) * KML_EDGE_WORDS;
	}
}

static void kml_graph_enter(struct kml_graph *g, u32 i, u32 parent, u32 head)
{
	struct kml_leak leak;

	__clear_bit(i, g->todo);
	g->parent[i] = parent;
	g->at[i] = 0;
	if (head == KML_NO_LEAK || !kml_leak_get(kml_report_get(i), &leak))
		return;
	g->head[i].head = head;
	g->head[head].blocks++;
	g->head[head].bytes += leak.info.size;
}

/*
 * Search all leaks to which leak @from leads and that were not entered before. If
 * @head is KML_NO_LEAK, record the order in which they are left, else give them that
 * head. Return: false if there is a signal.
 */
static bool kml_graph_search(struct kml_graph *g, u32 from, u32 head)
{
	u32 i = from, to;

	kml_graph_enter(g, from, KML_NO_LEAK, head);
	while (i != KML_NO_LEAK) {
		to = kml_graph_next(g, i);
		if (to != KML_NO_LEAK) {
			kml_graph_enter(g, to, i, head);
			i = to;
		} else {
			if (head == KML_NO_LEAK)
				g->order[g->nr_order++] = i;
			i = g->parent[i];
		}
		cond_resched();
		if (kml_signalled())
			return false;
	}
	return true;
}

static bool kml_graph_heads(struct kml_graph *g, unsigned long nr)
{
	unsigned long i;

	if (!kml_graph_fill(g, nr))
		return false;
	kml_graph_reset(g);
	for (i = 0; i < nr; i++)
		if (test_bit(i, g->todo) && !kml_graph_search(g, i, KML_NO_LEAK))
			return false;
	kml_graph_reset(g);
	for (i = g->nr_order; i--;) {
		u32 from = g->order[i];

		if (test_bit(from, g->todo) && !kml_graph_search(g, from, from))
			return false;
	}
	return true;
}

/* Set the bits of entries that are the first of their stack; without memory, of all. */
static void kml_leaks_stacks(unsigned long nr)
{
	struct kml_leak leak;
	struct xarray seen;
	unsigned long i;
	void *old;

	xa_init(&seen);
	for (i = 0; i < nr; i++) {
		if (!kml_leak_get(kml_report_get(i), &leak) || !leak.info.trace)
			continue;
		old = xa_store(&seen, leak.info.trace, xa_mk_value(1), GFP_KERNEL);
		if (!old || xa_is_err(old))
			__set_bit(i, kml_leaks.first);
		cond_resched();
	}
	xa_destroy(&seen);
}

/**
 * kml_leaks_drop() - forget the heads
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_leaks_drop(void)
{
	kvfree(kml_leaks.head);
	kvfree(kml_leaks.first);
	memset(&kml_leaks, 0, sizeof(kml_leaks));
}

/*
 * Find the heads, unless this was done since the last scan. Without memory the files
 * have no heads, and kmemleak_stacks may list a stack twice. Context: process,
 * kml_scan_mutex held. Return: 0, or -ERESTARTSYS if there is a signal.
 */
static int kml_leaks_prepare(void)
{
	unsigned long nr = kml_report_nr();
	struct kml_graph *g;
	bool done = true;

	if (kml_leaks.epoch == kml_report_epoch())
		return 0;
	kml_leaks_drop();
	if (nr && nr < KML_NO_LEAK) {
		kml_leaks.head = kml_leaks_alloc(nr, sizeof(*kml_leaks.head));
		kml_leaks.first = kml_leaks_alloc(BITS_TO_LONGS(nr), sizeof(long));
	}
	g = kml_leaks.head ? kml_graph_alloc(kml_leaks.head, nr) : NULL;
	if (g) {
		done = kml_graph_heads(g, nr);
		kml_graph_free(g);
	} else {
		kvfree(kml_leaks.head);
		kml_leaks.head = NULL;
	}
	if (!done) {
		kml_leaks_drop();
		return -ERESTARTSYS;
	}
	if (kml_leaks.first)
		kml_leaks_stacks(nr);
	kml_leaks.nr = nr;
	kml_leaks.epoch = kml_report_epoch();
	return 0;
}

/* === Files ============================================================== */

/*
 * The first line of a file has its name and the version of its format. New keys may
 * be added at the end of a line; a change that a reader notices raises the version.
 * kmemleak_leaks has the entries of the table, then the objects that only untracked
 * memory references, with the flag "possible".
 */

#define KML_LEAKS_VERSION	1

static bool kml_leaks_current(void)
{
	return kml_leaks.epoch == kml_report_epoch();
}

/* Is there an entry at this position, from 1? Position 0 is the first line. */
static void *kml_leaks_at(loff_t pos)
{
	unsigned long i = pos - 1;

	if (!pos)
		return SEQ_START_TOKEN;
	return kml_report_get(i) || kml_untracked_get(i - kml_report_nr()) ?
	       (void *)(unsigned long)(pos + 1) : NULL;
}

static void *kml_leaks_start(struct seq_file *seq, loff_t *pos)
{
	int err = kml_scan_lock();

	if (err)
		return ERR_PTR(err);
	if (!*pos)
		err = kml_leaks_prepare();
	if (!err)
		return kml_leaks_at(*pos);
	kml_scan_unlock();
	return ERR_PTR(err);
}

static void *kml_leaks_next(struct seq_file *seq, void *v, loff_t *pos)
{
	return kml_leaks_at(++*pos);
}

static void kml_leaks_stop(struct seq_file *seq, void *v)
{
	/* start() has released the mutex if it failed */
	if (!IS_ERR(v))
		kml_scan_unlock();
}

/* The metadata of the entry at a position. Return: false if it is not listed. */
static bool kml_leaks_get(unsigned long i, struct kml_leak *leak)
{
	unsigned long nr = kml_report_nr();

	if (i < nr)
		return kml_leak_get(kml_report_get(i), leak);
	leak->scan = 0;
	return kml_untracked_info(kml_untracked_get(i - nr), &leak->info);
}

/* The slab cache of an object, or "-". The object may be freed meanwhile. */
static void kml_leaks_cache(struct seq_file *seq, const struct kml_info *info)
{
	unsigned long start = kml_untag(info->addr);
	const char *name = NULL;
	struct kml_locked l;

	seq_puts(seq, " cache=");
	/* the lock delays a free, so the page stays the slab's */
	if (info->space == KML_VIRT && virt_addr_valid((void *)start) &&
	    kml_free_enabled() && kml_object_lock(&l, kml_space(KML_VIRT), start, false)) {
		const struct slab *slab = virt_to_slab((void *)start);

		if (slab && l.hot->cold->stamp == info->stamp &&
		    l.hot->cold->born == info->born)
			name = slab->slab_cache->name;
		if (name)
			seq_escape(seq, name, " \t\n\\=\"");
		kml_object_unlock(&l);
	}
	if (!name)
		seq_putc(seq, '-');
}

static void kml_leaks_head(struct seq_file *seq, unsigned long i)
{
	const struct kml_head *h;

	if (i >= kml_leaks.nr || !kml_leaks.head || !kml_leaks_current() ||
	    kml_leaks.head[i].head == KML_NO_LEAK) {
		seq_puts(seq, " head=- retains=- retained_bytes=-");
		return;
	}
	h = &kml_leaks.head[i];
	seq_printf(seq, " head=0x%08lx retains=%u retained_bytes=%llu",
		   ~kml_report_get(h->head)->not_start, h->blocks, h->bytes);
}

static int kml_leaks_show(struct seq_file *seq, void *v)
{
	static const char * const spaces[] = {
		[KML_VIRT]	= "virt",
		[KML_PHYS]	= "phys",
		[KML_PERCPU]	= "percpu",
	};
	unsigned long i = (unsigned long)v - 2;
	struct kml_leak leak;
	bool possible;

	if (v == SEQ_START_TOKEN) {
		seq_printf(seq, "kmemleak_leaks %d\n", KML_LEAKS_VERSION);
		return 0;
	}
	if (!kml_leaks_get(i, &leak))
		return 0;
	possible = i >= kml_report_nr();
	seq_printf(seq, "addr=0x%08lx space=%s size=%zu age_ms=%u pid=%d comm=\"",
		   leak.info.addr, spaces[leak.info.space], leak.info.size,
		   jiffies_to_msecs(jiffies - leak.info.born), leak.info.pid);
	seq_escape_str(seq, leak.info.comm, ESCAPE_NAP | ESCAPE_OCTAL | ESCAPE_APPEND, "\"\\");
	seq_puts(seq, "\" cpu=-");
	if (leak.scan)
		seq_printf(seq, " scan=%lu", leak.scan);
	else
		seq_puts(seq, " scan=-");
	seq_printf(seq, " generation=%u",
		   kml_report_generation(leak.info.born, leak.info.stamp));
	kml_leaks_cache(seq, &leak.info);
	seq_printf(seq, " gfp=- stack=%u", leak.info.trace);
	kml_leaks_head(seq, possible ? ULONG_MAX : i);
	seq_puts(seq, possible ? " flags=possible\n" : " flags=-\n");
	return 0;
}

static const struct seq_operations kml_leaks_sops = {
	.start	= kml_leaks_start,
	.next	= kml_leaks_next,
	.stop	= kml_leaks_stop,
	.show	= kml_leaks_show,
};
DEFINE_SEQ_ATTRIBUTE(kml_leaks);

static void kml_stacks_build_id(struct seq_file *seq, unsigned long addr)
{
#if defined(CONFIG_STACKTRACE_BUILD_ID) && defined(CONFIG_MODULES)
	const struct module *mod;

	/* keeps the module loaded */
	preempt_disable();
	mod = __module_address(addr);
	if (mod)
		seq_printf(seq, " build_id=%*phN", BUILD_ID_SIZE_MAX, mod->build_id);
	preempt_enable();
#endif
}

/* Print a frame of the allocation stack of an object that was allocated at @born. */
static void kml_stacks_frame(struct seq_file *seq, unsigned long addr, unsigned long born)
{
	struct kml_frame f;

	seq_printf(seq, " 0x%08lx", addr);
	rcu_read_lock();
	switch (kml_modules_frame(addr, born, &f)) {
	case KML_FRAME_LIVE:
		seq_printf(seq, " %pS", (void *)addr);
		kml_stacks_build_id(seq, addr);
		break;
	case KML_FRAME_GONE:
		if (f.symbol)
			seq_printf(seq, " %s+%#lx/%#lx", f.symbol, f.offset, f.size);
		else
			seq_printf(seq, " 0x%lx", addr);
		seq_printf(seq, " [%s%s]", f.module, f.unloaded ? ", unloaded" : "");
		break;
	case KML_FRAME_OTHER:
		seq_printf(seq, " 0x%lx", addr);
		break;
	}
	rcu_read_unlock();
	seq_putc(seq, '\n');
}

static int kml_stacks_show(struct seq_file *seq, void *v)
{
	unsigned long i = (unsigned long)v - 2;
	unsigned long *entries;
	struct kml_leak leak;
	unsigned int j, nr;

	if (v == SEQ_START_TOKEN) {
		seq_printf(seq, "kmemleak_stacks %d\n", KML_LEAKS_VERSION);
		return 0;
	}
	if (i < kml_leaks.nr && kml_leaks.first && kml_leaks_current() &&
	    !test_bit(i, kml_leaks.first))
		return 0;
	if (!kml_leaks_get(i, &leak) || !leak.info.trace)
		return 0;
	nr = stack_depot_fetch(leak.info.trace, &entries);
	seq_printf(seq, "stack=%u frames=%u\n", leak.info.trace, nr);
	for (j = 0; j < nr; j++)
		kml_stacks_frame(seq, entries[j], leak.info.born);
	return 0;
}

static const struct seq_operations kml_stacks_sops = {
	.start	= kml_leaks_start,
	.next	= kml_leaks_next,
	.stop	= kml_leaks_stop,
	.show	= kml_stacks_show,
};
DEFINE_SEQ_ATTRIBUTE(kml_stacks);

/**
 * kml_leaks_init() - create the files
 *
 * Context: late_initcall.
 */
void __init kml_leaks_init(void)
{
	debugfs_create_file("kmemleak_leaks", 0400, NULL, NULL, &kml_leaks_fops);
	debugfs_create_file("kmemleak_stacks", 0400, NULL, NULL, &kml_stacks_fops);
}
