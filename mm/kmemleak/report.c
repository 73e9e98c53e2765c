// SPDX-License-Identifier: GPL-2.0-only
/* Reports. */

#include "os.h"
#include "scan.h"

/* === Modules that are gone ============================================== */

/*
 * Modules that are gone. What a module has leaked is looked for after its unloading,
 * when nobody knows any more what the addresses in its stacks meant. So the symbols of
 * its text are kept: when it goes, and of its init text, which goes earlier, when its
 * init function has returned.
 *
 * Addresses are used again. An object's stack belongs to who was there when the
 * object was born: for this it is noted when modules come and go.
 *
 * It costs a walk through the module's symbols, and as much memory as these need: of
 * modules that are gone KML_MODULES_GONE are kept, and of symbols KML_MODULES_BYTES.
 * All of it is black to ourselves: neither reported nor read.
 */

#if defined(CONFIG_MODULES) && defined(CONFIG_KALLSYMS)

/* Of a text: sorted by offset, and at the same offset as the module lists them. */
struct kml_symbol {
	u32 offset;
	u32 name;			/* offset in names[] */
};

struct kml_symbols {
	struct rcu_head rcu;
	size_t bytes;			/* of this structure */
	unsigned int nr;
	char *names;			/* behind symbol[] */
	struct kml_symbol symbol[];
};

struct kml_text {
	unsigned long base;
	unsigned long size;		/* 0: there is none */
	unsigned long went;		/* jiffies, if gone */
	bool gone;			/* what comes before is valid */
	struct kml_symbols *symbols;	/* NULL: no memory, or too many */
};

enum {
	KML_TEXT_CORE,
	KML_TEXT_INIT,
	KML_NR_TEXTS,
};

/*
 * A module, loaded or not. Written under kml_modules_lock, read under RCU: texts are
 * gone only after all else of them is there.
 */
struct kml_module {
	struct list_head link;		/* the latest first */
	struct rcu_head rcu;
	const struct module *mod;	/* NULL: gone */
	unsigned long came;		/* jiffies */
	bool always;			/* or before we looked */
	struct kml_text text[KML_NR_TEXTS];
	char name[MODULE_NAME_LEN];
};

static LIST_HEAD(kml_modules);
static DEFINE_MUTEX(kml_modules_lock);
static unsigned int kml_modules_gone;	/* under the lock, as the rest */
static size_t kml_modules_bytes;
static bool kml_modules_off;

static void *kml_modules_alloc(size_t size)
{
	void *p = kvzalloc(size, GFP_KERNEL | __GFP_NOWARN);

	if (p)
		kml_object_paint(kml_space(KML_VIRT), (unsigned long)p, -1);
	return p;
}

/* Collecting the symbols of a text: once to count, once more to copy. */
struct kml_collect {
	const struct kml_text *text;
	struct kml_symbols *to;		/* NULL: count */
	unsigned int nr;
	size_t names;
};

static int kml_collect_symbol(void *data, const char *name, unsigned long addr)
{
	struct kml_collect *c = data;
	size_t len = strlen(name) + 1;

	/* what kallsyms does not show either */
	if (addr - c->text->base >= c->text->size || !*name || is_mapping_symbol(name))
		return 0;
	if (c->to) {
		c->to->symbol[c->nr] = (struct kml_symbol){
			.offset = addr - c->text->base,
			.name = c->names,
		};
		memcpy(c->to->names + c->names, name, len);
	}
	c->nr++;
	c->names += len;
	return 0;
}

static int kml_symbol_cmp(const void *a, const void *b)
{
	const struct kml_symbol *x = a, *y = b;

	if (x->offset != y->offset)
		return x->offset < y->offset ? -1 : 1;
	return x->name < y->name ? -1 : 1;
}

static void kml_modules_forget(struct kml_module *m)
{
	unsigned int i;

	list_del_rcu(&m->link);
	if (!m->mod)
		kml_modules_gone--;
	for (i = 0; i < KML_NR_TEXTS; i++) {
		struct kml_symbols *symbols = m->text[i].symbols;

		if (!symbols)
			continue;
		kml_modules_bytes -= symbols->bytes;
		kvfree_rcu(symbols, rcu);
	}
	kvfree_rcu(m, rcu);
}

/* Make room for @bytes of symbols. Return: false if there will be none. */
static bool kml_modules_room(size_t bytes, const struct kml_module *keep)
{
	struct kml_module *m, *next;

	list_for_each_entry_safe_reverse(m, next, &kml_modules, link) {
		if (kml_modules_bytes + bytes <= KML_MODULES_BYTES &&
		    kml_modules_gone <= KML_MODULES_GONE)
			return true;
		if (!m->mod && m != keep)
			kml_modules_forget(m);
	}
	return kml_modules_bytes + bytes <= KML_MODULES_BYTES;
}

static struct kml_symbols *kml_modules_symbols(const struct kml_module *m,
					       const struct kml_text *text)
{
	struct kml_collect c = { .text = text };
	struct kml_symbols *symbols;
	size_t bytes;

	module_kallsyms_on_each_symbol(m->name, kml_collect_symbol, &c);
	bytes = struct_size(symbols, symbol, c.nr) + c.names;
	if (!c.nr || !kml_modules_room(bytes, m))
		return NULL;
	symbols = kml_modules_alloc(bytes);
	if (!symbols)
		return NULL;

	symbols->bytes = bytes;
	symbols->nr = c.nr;
	symbols->names = (char *)(symbols->symbol + c.nr);
	c = (struct kml_collect){ .text = text, .to = symbols };
	module_kallsyms_on_each_symbol(m->name, kml_collect_symbol, &c);
	sort(symbols->symbol, symbols->nr, sizeof(symbols->symbol[0]), kml_symbol_cmp, NULL);
	kml_modules_bytes += bytes;
	return symbols;
}

/* A text is about to be freed. */
static void kml_text_goes(struct kml_module *m, unsigned int i,
			  const struct module_memory *mem)
{
	struct kml_text *text = &m->text[i];

	if (text->gone || !mem->base || !mem->size)
		return;
	text->base = (unsigned long)mem->base;
	text->size = mem->size;
	text->symbols = kml_modules_symbols(m, text);
	text->went = jiffies;
	/* pairs with the acquire in kml_text_find() */
	smp_store_release(&text->gone, true);
}

static struct kml_module *kml_modules_find(const struct module *mod)
{
	struct kml_module *m;

	list_for_each_entry(m, &kml_modules, link)
		if (m->mod == mod)
			return m;
	return NULL;
}

static struct kml_module *kml_module_comes(const struct module *mod)
{
	struct kml_module *m = kml_modules_alloc(sizeof(*m));

	if (!m)
		return NULL;
	m->mod = mod;
	m->came = jiffies;
	strscpy(m->name, mod->name);
	m->text[KML_TEXT_CORE].base = (unsigned long)mod->mem[MOD_TEXT].base;
	m->text[KML_TEXT_CORE].size = mod->mem[MOD_TEXT].size;
	m->text[KML_TEXT_INIT].base = (unsigned long)mod->mem[MOD_INIT_TEXT].base;
	m->text[KML_TEXT_INIT].size = mod->mem[MOD_INIT_TEXT].size;
	list_add_rcu(&m->link, &kml_modules);
	return m;
}

static void kml_module_goes(struct kml_module *m, const struct module *mod)
{
	kml_text_goes(m, KML_TEXT_CORE, &mod->mem[MOD_TEXT]);
	/* if its init function has failed */
	kml_text_goes(m, KML_TEXT_INIT, &mod->mem[MOD_INIT_TEXT]);
	WRITE_ONCE(m->mod, NULL);
	kml_modules_gone++;
	kml_modules_room(0, m);
}

/* Context: process; serialised for each module, and not for several. */
static int kml_modules_notify(struct notifier_block *nb, unsigned long state, void *data)
{
	struct module *mod = data;
	struct kml_module *m;

	mutex_lock(&kml_modules_lock);
	if (kml_modules_off)
		goto out;
	m = kml_modules_find(mod);
	switch (state) {
	case MODULE_STATE_COMING:
		if (!m)
			kml_module_comes(mod);
		break;
	case MODULE_STATE_LIVE:
		if (m)
			kml_text_goes(m, KML_TEXT_INIT, &mod->mem[MOD_INIT_TEXT]);
		break;
	case MODULE_STATE_GOING:
		/* loaded before there were notifiers, or without memory */
		if (!m) {
			m = kml_module_comes(mod);
			if (m)
				m->always = true;
		}
		if (m)
			kml_module_goes(m, mod);
		break;
	}
out:
	mutex_unlock(&kml_modules_lock);
	return NOTIFY_DONE;
}

static struct notifier_block kml_modules_nb = {
	.notifier_call = kml_modules_notify,
};

/* The symbol at or before an offset, as kallsyms chooses among those at one address. */
static void kml_text_symbol(const struct kml_text *text, unsigned long offset,
			    struct kml_frame *frame)
{
	const struct kml_symbols *s = text->symbols;
	unsigned int low = 0, high, first;

	if (!s)
		return;
	/* the first one behind it */
	for (high = s->nr; low < high;) {
		unsigned int mid = (low + high) / 2;

		if (s->symbol[mid].offset <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return;
	for (first = low - 1; first && s->symbol[first - 1].offset ==
				      s->symbol[low - 1].offset;)
		first--;
	frame->symbol = s->names + s->symbol[first].name;
	frame->offset = offset - s->symbol[first].offset;
	frame->size = (low < s->nr ? s->symbol[low].offset : text->size) -
		      s->symbol[first].offset;
}

/**
 * kml_modules_frame() - what is a return address in the stack of an object?
 * @addr: the address
 * @born: when the object was, in jiffies
 * @frame: filled for KML_FRAME_GONE; its names are valid as long as RCU is held
 *
 * Context: RCU read-side section.
 * Return: who knows the address.
 */
enum kml_frame_kind kml_modules_frame(unsigned long addr, unsigned long born,
				      struct kml_frame *frame)
{
	enum kml_frame_kind kind = KML_FRAME_LIVE;
	unsigned long now = jiffies, age = now - born;
	const struct kml_module *m;
	unsigned int i;

	/* also what is in no module: the kernel's own, the most */
	if (core_kernel_text(addr))
		return KML_FRAME_LIVE;

	list_for_each_entry_rcu(m, &kml_modules, link) {
		for (i = 0; i < KML_NR_TEXTS; i++) {
			const struct kml_text *text = &m->text[i];
			/* pairs with the release in kml_text_goes() */
			bool gone = smp_load_acquire(&text->gone);
			unsigned long offset = addr - READ_ONCE(text->base);

			if (offset >= READ_ONCE(text->size))
				continue;
			/* not yet here? then that is not who is meant */
			if (!m->always && age > now - m->came) {
				kind = gone ? kind : KML_FRAME_OTHER;
				continue;
			}
			if (!gone)
				return KML_FRAME_LIVE;
			if (age < now - text->went)
				continue;
			*frame = (struct kml_frame){
				.module = m->name,
				.unloaded = !READ_ONCE(m->mod),
			};
			kml_text_symbol(text, offset, frame);
			return KML_FRAME_GONE;
		}
	}
	return kind;
}

/* There are no objects any more, and there will be none. Context: process. */
void kml_modules_drop(void)
{
	struct kml_module *m, *next;

	mutex_lock(&kml_modules_lock);
	kml_modules_off = true;
	list_for_each_entry_safe(m, next, &kml_modules, link)
		kml_modules_forget(m);
	mutex_unlock(&kml_modules_lock);
}

/* Context: late_initcall. */
void __init kml_modules_init(void)
{
	register_module_notifier(&kml_modules_nb);
}

#endif /* CONFIG_MODULES && CONFIG_KALLSYMS */

/* === Parameters of scans and reports ==================================== */

struct kml_scan_params kml_scan_params = {
	.min_unref_scans = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE) ? 2 : 1,
	.min_age_ms = KML_MIN_AGE_MSECS,
	.verbose = IS_ENABLED(CONFIG_DEBUG_KMEMLEAK_VERBOSE),
	.stacks = true,
	.trial = true,
	.trial_marks = KML_TRIAL_MARKS,
};

/* kml_scan_mutex */
enum kml_scan_kind kml_scan_kind;

/* === Report ============================================================= */

/*
 * Reports.
 *
 * Reported objects are kept in a table in the order of their allocation, so
 * that reading costs what is reported and not what exists. The table does not
 * own objects: an entry says where one was and when it was born, and whoever
 * uses it looks it up. Addresses are kept inverted; the table itself would
 * otherwise reference what it lists. For the same reason it is never scanned: what
 * its unused part was before, our own lists of grey objects for one, is not.
 *
 * The text is an interface (see Documentation/dev-tools/kmemleak.rst): tools
 * match it by regular expressions.
 */

#include <trace/events/kmemleak.h>

#define KML_HEX_ROW	16

struct kml_report_entry {
	unsigned long not_start;
	unsigned long born;
	u32 stamp;
	u32 same;			/* others with this backtrace, when logged */
	u8 space;
	bool white;			/* when a scan was last done */
};

static struct kml_report_entry *kml_table;
static unsigned long kml_table_nr;
static unsigned long kml_table_room;
static unsigned long kml_table_old;	/* entries before this scan's */
static unsigned long kml_listed;	/* of all, when a scan was last done */

static bool kml_table_heap;		/* this scan's entries are a heap: they may not all fit */
static bool kml_table_short;		/* and do not */

static unsigned long kml_last_scan;	/* jiffies */
static unsigned long kml_min_age;	/* jiffies, for this scan */
static bool kml_found;			/* new leaks since the last clear */

/* What was born before "mark" is not listed, if so wanted. */
static struct {
	unsigned long born;
	u32 stamp;
	bool set;
} kml_generation;

void kml_report_scan_began(void)
{
	kml_last_scan = jiffies;
	kml_min_age = msecs_to_jiffies(READ_ONCE(kml_scan_params.min_age_ms));
	kml_table_short = false;
}

/*
 * Ages and no points in time: on 32 bits those of two objects may be further apart
 * than time_before() can tell. An object that is as old as jiffies can count is taken
 * for a young one, until it has come of age again.
 */
bool kml_report_old_enough(const struct kml_cold *cold)
{
	unsigned long now = jiffies;

	if (kml_scan_kind == KML_SCAN_LAST)
		return true;
	/* since the scan began? */
	if (now - cold->born < now - kml_last_scan)
		return false;
	return kml_last_scan - cold->born >= kml_min_age;
}

/* May a white object with settled content be reported by this scan? */
bool kml_report_eligible(u32 state, const struct kml_cold *cold)
{
	switch (kml_scan_kind) {
	case KML_SCAN_PLAIN:
		return kml_report_old_enough(cold);
	case KML_SCAN_LAST:
		return state & KML_F_THROUGHOUT;
	default:
		return false;
	}
}

/* How many scans in a row are to find it so? A check has made them all. */
unsigned int kml_report_wanted(void)
{
	return kml_scan_kind == KML_SCAN_LAST ? 1 :
		READ_ONCE(kml_scan_params.min_unref_scans);
}

/* Was there no memory to report all that this scan has found? The next ones do. */
bool kml_report_was_short(void)
{
	return kml_table_short;
}

/* A new generation: see kml_scan_params.since_mark. */
void kml_report_mark(void)
{
	kml_born_now(&kml_generation.born, &kml_generation.stamp);
	kml_generation.set = true;
}

bool kml_report_found(void)
{
	return kml_found;
}

/* How many leaks did the last whole scan leave in the file? Context: any. */
unsigned long kml_report_listed(void)
{
	return READ_ONCE(kml_listed);
}

/* Lock the object of an entry, if it is still the same one. */
static bool kml_entry_lock(const struct kml_report_entry *e, struct kml_locked *l)
{
	if (!kml_object_lock(l, kml_space(e->space), ~e->not_start, false))
		return false;
	if (l->hot->cold->born == e->born &&
	    l->hot->cold->stamp == e->stamp)
		return true;
	kml_object_unlock(l);
	return false;
}

/*
 * A heap of entries, the youngest at its top: what is to go if the table is full,
 * and, with all of them taken out, the table in its order. (lib/sort.c sorts as
 * well, but does not let others run in between.)
 */
static bool kml_entry_younger(const struct kml_report_entry *a,
			      const struct kml_report_entry *b)
{
	if (a->born == b->born && a->stamp == b->stamp)
		return a->not_start < b->not_start;
	return kml_born_before(b->born, b->stamp, a->born, a->stamp);
}

static void kml_heap_down(struct kml_report_entry *heap, unsigned long nr,
			  unsigned long at)
{
	unsigned long child;

	while ((child = 2 * at + 1) < nr) {
		if (child + 1 < nr && kml_entry_younger(&heap[child + 1], &heap[child]))
			child++;
		if (!kml_entry_younger(&heap[child], &heap[at]))
			break;
		swap(heap[child], heap[at]);
		at = child;
	}
}

static void kml_heap_up(struct kml_report_entry *heap, unsigned long at)
{
	for (; at && kml_entry_younger(&heap[at], &heap[(at - 1) / 2]); at = (at - 1) / 2)
		swap(heap[at], heap[(at - 1) / 2]);
}

/* The oldest first. Context: process. */
static void kml_table_sort(struct kml_report_entry *table, unsigned long nr)
{
	unsigned long i;

	for (i = nr / 2; i--; cond_resched())
		kml_heap_down(table, nr, i);
	for (i = nr; i-- > 1; cond_resched()) {
		swap(table[0], table[i]);
		kml_heap_down(table, i, 0);
	}
}

static bool kml_table_grow(unsigned long room)
{
	struct kml_report_entry *table;

	/* no process is to be killed for a report, nor a stack logged */
	table = kvmalloc_array(room, sizeof(*table),
			       GFP_KERNEL | __GFP_RETRY_MAYFAIL | __GFP_NOWARN);
	if (!table)
		return false;
	kml_object_paint(kml_space(KML_VIRT), (unsigned long)table, -1);
	if (kml_table)
		memcpy(table, kml_table, kml_table_nr * sizeof(*table));
	kvfree(kml_table);
	kml_table = table;
	kml_table_room = room;
	return true;
}

#define KML_TABLE_MIN	64UL

/**
 * kml_report_room() - make room in the table
 * @more: for so many entries, or for as many as there is memory for
 *
 * A machine that leaks is short of memory. The oldest are taken first then.
 */
void kml_report_room(unsigned long more)
{
	kml_table_old = kml_table_nr;
	kml_table_heap = false;
	more = max(more, KML_TABLE_MIN);
	while (kml_table_nr + more > kml_table_room) {
		if (kml_table_grow(kml_table_nr + more))
			return;
		kml_table_heap = true;
		if (more == KML_TABLE_MIN)
			return;
		more = max(more / 2, KML_TABLE_MIN);
	}
}

/**
 * kml_report_add() - add an object to the table
 * @space: where it is
 * @start: its start
 * @cold: its metadata
 *
 * Context: leaf->lock.
 * Return: true if it is there to stay, and the caller says so in the object's flags.
 * Else kml_report_added() does so if it is.
 */
bool kml_report_add(struct kml_space *space, unsigned long start,
		    const struct kml_cold *cold)
{
	struct kml_report_entry *new = kml_table + kml_table_old;
	unsigned long nr = kml_table_nr - kml_table_old;
	struct kml_report_entry e = {
		.not_start = ~start,
		.born = cold->born,
		.stamp = cold->stamp,
		.space = space->id,
		.white = true,
	};

	if (kml_table_nr < kml_table_room) {
		new[nr] = e;
		kml_table_nr++;
		if (!kml_table_heap)
			return true;
		kml_heap_up(new, nr);
		return false;
	}
	kml_table_short = true;
	if (nr && kml_entry_younger(&new[0], &e)) {
		new[0] = e;
		kml_heap_down(new, nr, 0);
	}
	return false;
}

/* All of this scan's objects were offered to the table: flag those that it took. */
void kml_report_added(void)
{
	struct kml_locked l;
	unsigned long i;

	for (i = kml_table_old; kml_table_heap && i < kml_table_nr; i++) {
		if (kml_entry_lock(&kml_table[i], &l)) {
			kml_hot_change(l.hot, 0, KML_F_REPORTED);
			kml_object_unlock(&l);
		}
		cond_resched();
	}
	if (kml_table_short)
		pr_warn_once("No memory to report all leaks: the oldest come first, the others by later scans\n");
}

/* Reported, and not painted since? Context: leaf->lock. */
static bool kml_entry_holds(const struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	return (state & KML_F_REPORTED) && !kml_black(state) && kml_state_min(state);
}

/*
 * And not referenced? The colour is that at the end of the last whole scan: one that
 * was stopped has left any. Context: leaf->lock.
 */
static bool kml_still_reported(const struct kml_report_entry *e,
			       const struct kml_hot *hot)
{
	return e->white && kml_entry_holds(hot);
}

/*
 * A scan is done: note which of the reported objects it found unreferenced. If
 * it is another object by now the colour is wrong, and the entry never used.
 */
void kml_report_refresh(void)
{
	unsigned long i, listed = 0;

	for (i = 0; i < kml_table_nr; i++) {
		struct kml_report_entry *e = &kml_table[i];
		struct kml_hot *hot;

		rcu_read_lock();
		hot = kml_lookup_exact(kml_space(e->space), ~e->not_start);
		e->white = hot && kml_white(kml_hot_state(hot));
		listed += e->white && kml_entry_holds(hot);
		rcu_read_unlock();
		cond_resched();
	}
	WRITE_ONCE(kml_listed, listed);
}

#define kml_out(seq, ...)						\
do {									\
	struct seq_file *__seq = (seq);					\
									\
	if (__seq)							\
		seq_printf(__seq, __VA_ARGS__);				\
	else								\
		pr_warn(__VA_ARGS__);					\
} while (0)

static void kml_print_hex(struct seq_file *seq, const struct kml_info *info)
{
	u8 buf[KML_HEX_BYTES];
	size_t len;
	int cpu;

	len = kml_copy_head(info, buf, &cpu);
	if (!len)
		return;

	if (info->space == KML_PERCPU)
		kml_out(seq, "  hex dump (first %zu bytes on cpu %d):\n", len, cpu);
	else
		kml_out(seq, "  hex dump (first %zu bytes):\n", len);
	if (seq)
		seq_hex_dump(seq, "    ", DUMP_PREFIX_NONE, KML_HEX_ROW, 1, buf,
			     len, true);
	else
		print_hex_dump(KERN_WARNING, pr_fmt("    "), DUMP_PREFIX_NONE,
			       KML_HEX_ROW, 1, buf, len, true);
}

static const char *kml_space_infix(enum kml_space_id space)
{
	static const char * const infix[] = {
		[KML_VIRT]	= "",
		[KML_PHYS]	= " (phys)",
		[KML_PERCPU]	= " (percpu)",
	};
	static_assert(ARRAY_SIZE(infix) == KML_NR_SPACES);

	return infix[space];
}

/* A frame of the stack of an object: %pS, as if its module were still there. */
static void kml_print_frame(struct seq_file *seq, unsigned long addr,
			    unsigned long born)
{
	struct kml_frame f;

	rcu_read_lock();
	switch (kml_modules_frame(addr, born, &f)) {
	case KML_FRAME_LIVE:
		kml_out(seq, "    %pS\n", (void *)addr);
		break;
	case KML_FRAME_GONE:
		if (f.symbol)
			kml_out(seq, "    %s+%#lx/%#lx [%s%s]\n", f.symbol, f.offset,
				f.size, f.module, f.unloaded ? ", unloaded" : "");
		else
			kml_out(seq, "    0x%lx [%s%s]\n", addr, f.module,
				f.unloaded ? ", unloaded" : "");
		break;
	case KML_FRAME_OTHER:
		kml_out(seq, "    0x%lx\n", addr);
		break;
	}
	rcu_read_unlock();
}

/* One report. To the log with @seq NULL. Context: process. */
static void kml_print(struct seq_file *seq, const struct kml_info *info, bool hex)
{
	unsigned long *entries;
	unsigned int i, nr;

	kml_out(seq, "unreferenced object%s 0x%08lx (size %zu):\n",
		kml_space_infix(info->space), info->addr, info->size);
	kml_out(seq, "  comm \"%s\", pid %d, jiffies %lu\n",
		info->comm, info->pid, info->born);
	if (hex)
		kml_print_hex(seq, info);
	kml_out(seq, "  backtrace (crc %x):\n", info->checksum);

	nr = stack_depot_fetch(info->trace, &entries);
	for (i = 0; i < nr; i++)
		kml_print_frame(seq, entries[i], info->born);
}

/* An object's metadata to the log, for dump= and for warnings. Context: any. */
void kml_report_dump(const struct kml_info *info)
{
	pr_notice("Object%s 0x%08lx (size %zu):\n",
		  kml_space_infix(info->space), info->addr, info->size);
	pr_notice("  comm \"%s\", pid %d, jiffies %lu\n",
		  info->comm, info->pid, info->born);
	pr_notice("  min_count = %d\n", kml_state_min_count(info->state));
	pr_notice("  count = %d\n", (int)kml_state_count(info->state));
	pr_notice("  flags = 0x%x\n", kml_info_flags(info));
	pr_notice("  checksum = %u\n", info->checksum);
	pr_notice("  backtrace:\n");
	if (info->trace)
		stack_depot_print(info->trace);
}

struct kml_report_entry *kml_report_get(unsigned long pos)
{
	lockdep_assert_held(&kml_scan_mutex);
	return pos < kml_table_nr ? &kml_table[pos] : NULL;
}

void kml_report_show(struct seq_file *seq, const struct kml_report_entry *e)
{
	struct kml_locked l;
	struct kml_info info;
	bool show;

	if (READ_ONCE(kml_scan_params.since_mark) && kml_generation.set &&
	    kml_born_before(e->born, e->stamp, kml_generation.born,
			    kml_generation.stamp))
		return;
	if (!kml_entry_lock(e, &l))
		return;
	show = kml_still_reported(e, l.hot);
	if (show)
		kml_info_fill(&info, l.space, l.start, l.hot);
	kml_object_unlock(&l);

	if (show)
		kml_print(seq, &info, true);
}

static void kml_log_entry(const struct kml_report_entry *e, bool hex)
{
	struct kml_locked l;
	struct kml_info info;

	/* freed since: nothing to say any more */
	if (!kml_entry_lock(e, &l))
		return;
	kml_info_fill(&info, l.space, l.start, l.hot);
	kml_object_unlock(&l);
	kml_print(NULL, &info, hex);
}

static depot_stack_handle_t kml_entry_trace(const struct kml_report_entry *e)
{
	depot_stack_handle_t trace;
	struct kml_locked l;

	if (!kml_entry_lock(e, &l))
		return 0;
	trace = l.hot->cold->trace;
	kml_object_unlock(&l);
	return trace;
}

/* Log this scan's reports, each backtrace once. */
static void kml_log_new(void)
{
	struct xarray seen;
	unsigned long i, trace;
	void *first;

	xa_init(&seen);
	for (i = kml_table_old; i < kml_table_nr; i++) {
		trace = kml_entry_trace(&kml_table[i]);
		first = trace ? xa_load(&seen, trace) : NULL;
		if (first)
			kml_table[xa_to_value(first)].same++;
		else if (!trace ||
			 xa_is_err(xa_store(&seen, trace, xa_mk_value(i), GFP_KERNEL)))
			kml_log_entry(&kml_table[i], true);
		cond_resched();
	}
	xa_for_each(&seen, trace, first) {
		const struct kml_report_entry *e = &kml_table[xa_to_value(first)];

		/* the bytes of one of many would mislead */
		kml_log_entry(e, !e->same);
		if (e->same)
			pr_warn("  ... and %u more object(s) with the same backtrace\n",
				e->same);
	}
	xa_destroy(&seen);
}

static void kml_trace_new(void)
{
	struct kml_locked l;
	struct kml_info info;
	unsigned long i;

	for (i = kml_table_old; i < kml_table_nr; i++) {
		if (!kml_entry_lock(&kml_table[i], &l))
			continue;
		kml_info_fill(&info, l.space, l.start, l.hot);
		kml_object_unlock(&l);
		trace_kmemleak_report((void *)info.addr, info.size, info.pid);
		cond_resched();
	}
}

/**
 * kml_report_commit() - this scan's objects are all added
 * @verbose: log each of them
 *
 * Return: how many they are.
 */
unsigned long kml_report_commit(bool verbose)
{
	unsigned long new = kml_table_nr - kml_table_old;

	if (!new)
		return 0;

	kml_table_sort(kml_table + kml_table_old, new);
	if (trace_kmemleak_report_enabled())
		kml_trace_new();
	if (verbose)
		kml_log_new();
	/* reported late, they may be older than what was before */
	if (kml_table_old && kml_entry_younger(&kml_table[kml_table_old - 1],
					       &kml_table[kml_table_old]))
		kml_table_sort(kml_table, kml_table_nr);

	kml_found = true;
	pr_info("%lu new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n",
		new);
	return new;
}

/* Could its object be listed, now or after a later scan? */
static bool kml_entry_alive(const struct kml_report_entry *e)
{
	struct kml_locked l;
	bool alive;

	if (!kml_entry_lock(e, &l))
		return false;
	alive = kml_entry_holds(l.hot);
	kml_object_unlock(&l);
	return alive;
}

static void kml_table_forget(void)
{
	unsigned long i, live = 0;

	for (i = 0; i < kml_table_nr; i++) {
		if (kml_entry_alive(&kml_table[i]))
			kml_table[live++] = kml_table[i];
		cond_resched();
	}
	kml_table_nr = live;
}

/*
 * Forget entries whose object is gone, or painted. Only when they are many: positions
 * in the table are positions in the file, and a reader may be half-way.
 */
void kml_report_compact(void)
{
	unsigned long i, live = 0;

	for (i = 0; i < kml_table_nr; i++) {
		live += kml_entry_alive(&kml_table[i]);
		cond_resched();
	}
	if (kml_table_nr - live >= 64 && live <= kml_table_nr / 2)
		kml_table_forget();
}

/*
 * Paint grey what is reported: they will be scanned, not reported again. A reader who
 * is half-way finds nothing more in any case.
 */
void kml_report_clear(void)
{
	struct kml_locked l;
	unsigned long i;

	for (i = 0; i < kml_table_nr; i++) {
		if (!kml_entry_lock(&kml_table[i], &l))
			continue;
		if (kml_still_reported(&kml_table[i], l.hot))
			kml_hot_change(l.hot, KML_MIN_MASK, 0);
		kml_object_unlock(&l);
		cond_resched();
	}
	kml_table_forget();
	WRITE_ONCE(kml_listed, 0);
	kml_found = false;
}

/* All objects are gone. */
void kml_report_drop(void)
{
	kvfree(kml_table);
	kml_table = NULL;
	kml_table_nr = 0;
	kml_table_room = 0;
	WRITE_ONCE(kml_listed, 0);
	kml_found = false;
}
