// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports: the symbols of unloaded modules, the table of reported objects, and the
 * text of reports.
 */

#include "os.h"
#include "scan.h"

/* === Modules that are gone ============================================== */

/*
 * The leaks of a module are often looked for after it was unloaded, when kallsyms no
 * longer has symbols for the addresses in the allocation stacks. So a copy is made
 * of the symbols of each module: of its core text when the module is unloaded, and
 * of its init text, which is freed earlier, when the init function has returned.
 *
 * Addresses are reused by other modules. A frame in an object's stack belongs to the
 * module that was loaded when the object was allocated, so the times of loading and
 * unloading are recorded.
 *
 * The cost is a walk through the symbols of a module, and the memory of the copy. It
 * is limited to KML_MODULES_GONE unloaded modules, and to KML_MODULES_BYTES of
 * symbols. These blocks are black objects: they are neither reported nor scanned.
 */

#if defined(CONFIG_MODULES) && defined(CONFIG_KALLSYMS)

/*
 * A symbol of a text. Symbols are sorted by offset; symbols at the same offset are
 * in the order in which the module lists them.
 */
struct kml_symbol {
	u32 offset;			/* in the text, in bytes */
	u32 name;			/* offset in names[] */
};

struct kml_symbols {
	struct rcu_head rcu;
	size_t bytes;			/* size of this block, names included */
	unsigned int nr;
	char *names;			/* after symbol[] */
	struct kml_symbol symbol[];
};

struct kml_text {
	unsigned long base;
	unsigned long size;		/* in bytes; 0: there is no such text */
	unsigned long went;		/* when it was freed, in jiffies, if @gone */
	bool gone;			/* the other fields are final */
	struct kml_symbols *symbols;	/* NULL: none, no memory, or too many */
};

enum {
	KML_TEXT_CORE,
	KML_TEXT_INIT,
	KML_NR_TEXTS,
};

/*
 * A module, loaded or unloaded. Modules are written under kml_modules_lock, and read
 * under RCU: @gone of a text is set after all its other fields.
 */
struct kml_module {
	struct list_head link;		/* kml_modules, the last one loaded first */
	struct rcu_head rcu;
	const struct module *mod;	/* NULL: unloaded */
	unsigned long came;		/* when it was loaded, in jiffies */
	bool always;			/* @came is unknown: loading was not seen */
	struct kml_text text[KML_NR_TEXTS];
	char name[MODULE_NAME_LEN];
};

static LIST_HEAD(kml_modules);
static DEFINE_MUTEX(kml_modules_lock);

/* Protected by kml_modules_lock. */
static unsigned int kml_modules_gone;	/* unloaded modules in the list */
static size_t kml_modules_bytes;	/* of all symbols */
static bool kml_modules_off;		/* kmemleak was disabled */

static void *kml_modules_alloc(size_t size)
{
	void *p = kvzalloc(size, GFP_KERNEL | __GFP_NOWARN);

	if (p)
		kml_object_paint(kml_space(KML_VIRT), (unsigned long)p, -1);
	return p;
}

/* Two walks collect the symbols of a text: one counts them, one copies them. */
struct kml_collect {
	const struct kml_text *text;
	struct kml_symbols *to;		/* NULL: count */
	unsigned int nr;		/* symbols so far */
	size_t names;			/* bytes of their names, NUL included */
};

static int kml_collect_symbol(void *data, const char *name, unsigned long addr)
{
	struct kml_collect *c = data;
	size_t len = strlen(name) + 1;

	/* kallsyms does not show symbols without a name or mapping symbols either */
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

/*
 * Drop unloaded modules, except @keep, the oldest first, until @bytes more of
 * symbols are within the limits. Return: false if they exceed KML_MODULES_BYTES even
 * then.
 * Context: kml_modules_lock held.
 */
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

/*
 * Copy the symbols of a text that is about to be freed, unless that was done before.
 * Context: kml_modules_lock held.
 */
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
	/* not copied yet if the init function failed */
	kml_text_goes(m, KML_TEXT_INIT, &mod->mem[MOD_INIT_TEXT]);
	WRITE_ONCE(m->mod, NULL);
	kml_modules_gone++;
	kml_modules_room(0, m);
}

/* Context: process. Calls for one module are serialised; other calls may overlap. */
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
		/* loaded before kml_modules_init(), or there was no memory then */
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

/*
 * Find the last symbol at or before an offset. Of several symbols at one address the
 * first is taken, as kallsyms does. Context: RCU read-side section.
 */
static void kml_text_symbol(const struct kml_text *text, unsigned long offset,
			    struct kml_frame *frame)
{
	const struct kml_symbols *s = text->symbols;
	unsigned int low = 0, high, first;

	if (!s)
		return;
	/* find the first symbol after @offset */
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
 * kml_modules_frame() - find the module of a return address in an allocation stack
 * @addr: the return address
 * @born: when the object was allocated, in jiffies
 * @frame: filled for KML_FRAME_GONE; its names are valid until the RCU read-side
 *	section ends
 *
 * Context: RCU read-side section.
 * Return: KML_FRAME_LIVE if %pS can print the address, KML_FRAME_GONE if the text
 * that had the address then was freed, or KML_FRAME_OTHER if the only module that
 * has the address now was loaded later.
 */
enum kml_frame_kind kml_modules_frame(unsigned long addr, unsigned long born,
				      struct kml_frame *frame)
{
	enum kml_frame_kind kind = KML_FRAME_LIVE;
	unsigned long now = jiffies, age = now - born;
	const struct kml_module *m;
	unsigned int i;

	/* most frames are in the kernel itself: do not search the modules */
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
			/* the object is older than the module */
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

/**
 * kml_modules_drop() - free all symbols, and record no modules from now on
 *
 * Called after kmemleak was disabled, when all objects have been removed.
 *
 * Context: process; takes kml_modules_lock.
 */
void kml_modules_drop(void)
{
	struct kml_module *m, *next;

	mutex_lock(&kml_modules_lock);
	kml_modules_off = true;
	list_for_each_entry_safe(m, next, &kml_modules, link)
		kml_modules_forget(m);
	mutex_unlock(&kml_modules_lock);
}

/**
 * kml_modules_init() - begin to record modules
 *
 * Context: late_initcall.
 */
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

/* Of the running scan; protected by kml_scan_mutex. */
enum kml_scan_kind kml_scan_kind;

/* === Report ============================================================= */

/*
 * Reported objects are listed in a table, in the order of their allocation. So the
 * time to read the debugfs file depends on the number of reported objects, not on
 * the number of all objects. The table does not own objects: an entry has the
 * address of an object and the time of its allocation, and each use of the entry
 * looks the object up.
 *
 * Addresses are kept inverted: otherwise the table would reference the objects that
 * it lists. The table is never scanned, for its unused part is uninitialised and may
 * hold stale addresses (from our own work lists, for example).
 *
 * The text of a report is ABI, see Documentation/dev-tools/kmemleak.rst: tools match
 * it with regular expressions.
 */

#include <trace/events/kmemleak.h>

#define KML_HEX_ROW	16

/* All protected by kml_scan_mutex; kml_listed is read without it. */
static struct kml_report_entry *kml_table;
static unsigned long kml_table_nr;
static unsigned long kml_table_room;	/* in entries */
static unsigned long kml_table_old;	/* entries of earlier scans */
static unsigned long kml_listed;	/* leaks after the last complete scan */

/* The entries of this scan are a heap, since the table may be too small for all. */
static bool kml_table_heap;
static bool kml_table_short;		/* the table was too small */

static unsigned long kml_last_scan;	/* kml_report_scan_began(), in jiffies */
static unsigned long kml_min_age;	/* of this scan, in jiffies */
static bool kml_found;			/* new leaks since the last clear */
static unsigned long kml_epoch = 1;	/* changes with the table and the colours */

/* The times of the last marks. With since_mark, objects before the last are not listed. */
#define KML_MARKS_KEPT	64U

static struct {
	unsigned long born;
	u32 stamp;
} kml_marks[KML_MARKS_KEPT];
static unsigned int kml_nr_marks;	/* since boot */

/**
 * kml_report_scan_began() - record the time from which ages are counted
 *
 * Called when a scan begins, and again before its confirming marks. Objects that
 * were allocated after the last call are not reported.
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_report_scan_began(void)
{
	kml_last_scan = jiffies;
	kml_min_age = msecs_to_jiffies(READ_ONCE(kml_scan_params.min_age_ms));
	kml_table_short = false;
}

/**
 * kml_report_old_enough() - is an object old enough to be reported by this scan?
 * @cold: metadata of the object
 *
 * The ages are compared, not the times as in time_before(): on 32 bits, objects may
 * be older than half the range of jiffies. When the age exceeds the range of
 * jiffies, it starts again from 0, and the object is taken as young until it has the
 * minimum age.
 *
 * Context: workers of a scan; leaf->lock held.
 * Return: true if the object had the minimum age at the last
 * kml_report_scan_began(), or if the scan is the last one of a check.
 */
bool kml_report_old_enough(const struct kml_cold *cold)
{
	unsigned long now = jiffies;

	if (kml_scan_kind == KML_SCAN_LAST)
		return true;
	/* allocated after the last kml_report_scan_began() */
	if (now - cold->born < now - kml_last_scan)
		return false;
	return kml_last_scan - cold->born >= kml_min_age;
}

/**
 * kml_report_eligible() - may this scan report a white object?
 * @state: state of the object
 * @cold: its metadata
 *
 * The caller has found that the content is the same as in the previous scan.
 *
 * Context: workers of a scan; leaf->lock held.
 * Return: true if the object is old enough. In the last scan of a check: true if all
 * scans of the check have found it white. False in the other scans of a check.
 */
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

/**
 * kml_report_wanted() - get the number of scans that have to agree on a leak
 *
 * Context: initiator of a scan; leaf->lock may be held.
 * Return: the number of scans in a row that have to find an object unreferenced
 * before it is reported. 1 in the last scan of a check, which has compared all its
 * scans.
 */
unsigned int kml_report_wanted(void)
{
	return kml_scan_kind == KML_SCAN_LAST ? 1 :
		READ_ONCE(kml_scan_params.min_unref_scans);
}

/**
 * kml_report_was_short() - was the table too small for the leaks of this scan?
 *
 * Context: process, kml_scan_mutex held.
 * Return: true if leaks were left out; later scans report them.
 */
bool kml_report_was_short(void)
{
	return kml_table_short;
}

/**
 * kml_report_mark() - record the current time for kml_scan_params.since_mark
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_report_mark(void)
{
	unsigned int i = kml_nr_marks++ % KML_MARKS_KEPT;

	kml_born_now(&kml_marks[i].born, &kml_marks[i].stamp);
}

/**
 * kml_report_generation() - count the marks before the birth of an object
 * @born: when it was allocated, in jiffies
 * @stamp: its stamp
 *
 * Context: process, kml_scan_mutex held.
 * Return: the number of "mark" commands before it. Only the last 64 are known: objects
 * that are older than these are in one generation.
 */
unsigned int kml_report_generation(unsigned long born, u32 stamp)
{
	unsigned int generation = kml_nr_marks;

	while (generation && kml_nr_marks - generation < KML_MARKS_KEPT) {
		unsigned int i = (generation - 1) % KML_MARKS_KEPT;

		if (!kml_born_before(born, stamp, kml_marks[i].born, kml_marks[i].stamp))
			break;
		generation--;
	}
	return generation;
}

/**
 * kml_report_found() - was a leak reported since the last "clear"?
 *
 * Context: process, kml_scan_mutex held.
 * Return: true if so.
 */
bool kml_report_found(void)
{
	return kml_found;
}

/**
 * kml_report_listed() - count the leaks that the debugfs file lists
 *
 * Context: any.
 * Return: the number of leaks at the end of the last complete scan, or 0 after
 * "clear".
 */
unsigned long kml_report_listed(void)
{
	return READ_ONCE(kml_listed);
}

/*
 * Lock the object of an entry. Return: false if it was freed, even if another object
 * starts at the same address.
 */
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
 * A heap of entries, with the youngest at the top. If the table is full, an older
 * entry replaces the top. kml_table_sort() sorts with the same heap: unlike sort(),
 * it can reschedule.
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

/* Sort entries, the oldest first. Context: process; may reschedule. */
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

	/* a report should not invoke the OOM killer, nor log a failed allocation */
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
 * kml_report_room() - make room in the table for the leaks of this scan
 * @more: number of entries that may be added
 *
 * A machine that leaks may be short of memory. The table then gets as large as
 * memory permits, and keeps the oldest of the leaks.
 *
 * Context: process, kml_scan_mutex held; sleeps.
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
 * @space: address space
 * @start: untagged start of the object
 * @cold: its metadata
 *
 * Context: kml_scan_mutex and leaf->lock held.
 * Return: true if the entry will not be replaced; the caller then sets
 * KML_F_REPORTED of the object. Otherwise kml_report_added() sets the flag if the
 * entry is still in the table at the end.
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
		.scan = kml_scan_stats.seq,
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

/**
 * kml_report_added() - set KML_F_REPORTED for entries that might have been replaced
 *
 * Called when kml_report_add() was called for all leaks of the scan.
 *
 * Context: process, kml_scan_mutex held; may reschedule.
 */
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

/* Is an object reported, and not painted since? Context: leaf->lock or RCU. */
static bool kml_entry_holds(const struct kml_hot *hot)
{
	u32 state = kml_hot_state(hot);

	return (state & KML_F_REPORTED) && !kml_black(state) && kml_state_min(state);
}

/*
 * Is an object reported, not painted since, and unreferenced? The colour is the one
 * at the end of the last complete scan: a scan that was stopped leaves any colour.
 * Context: leaf->lock.
 */
static bool kml_still_reported(const struct kml_report_entry *e,
			       const struct kml_hot *hot)
{
	return e->white && kml_entry_holds(hot);
}

/**
 * kml_report_refresh() - record which reported objects are still unreferenced
 *
 * Called at the end of a complete scan. If an address was reused, the colour is that
 * of the new object, but kml_entry_lock() refuses the entry. If the new object is
 * reported, too, kml_listed counts it twice.
 *
 * Context: process, kml_scan_mutex held; may reschedule.
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
	kml_epoch++;
	WRITE_ONCE(kml_listed, listed);
}

/* Print to a seq_file, or to the log if @seq is NULL. */
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

/*
 * Print a frame of an allocation stack, also that of an unloaded module, in the
 * format of %pS. Context: any in which @seq may be used.
 */
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

/* Print a stack in one line, after " at ", the innermost function first. */
void kml_report_stack(struct seq_file *seq, depot_stack_handle_t trace)
{
	unsigned long *entries;
	unsigned int i, nr = stack_depot_fetch(trace, &entries);

	for (i = 0; i < nr; i++)
		seq_printf(seq, "%s%pS", i ? " < " : " at ", (void *)entries[i]);
}

/* Print a report, to the log if @seq is NULL. Context: process. */
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

/* The flags of an object as dump= prints them, KML_SHOW_*. Context: any. */
unsigned int kml_info_flags(const struct kml_info *info)
{
	static const struct {
		u32 from;
		unsigned int to;
	} map[] = {
		{ KML_F_ALLOCATED,	KML_SHOW_ALLOCATED },
		{ KML_F_REPORTED,	KML_SHOW_REPORTED },
		{ KML_F_NO_SCAN,	KML_SHOW_NO_SCAN },
		{ KML_F_FULL_SCAN,	KML_SHOW_FULL_SCAN },
		{ KML_F_SUSPECT,	KML_SHOW_SUSPECT },
	};
	unsigned int i, flags = 0;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (info->state & map[i].from)
			flags |= map[i].to;
	if (info->space == KML_PHYS)
		flags |= KML_SHOW_PHYS;
	if (info->space == KML_PERCPU)
		flags |= KML_SHOW_PERCPU;
	return flags;
}

/**
 * kml_report_dump() - log the metadata of an object, for dump= and for warnings
 * @info: the metadata
 *
 * Context: any but NMI. Hooks call this between kml_print_begin() and
 * kml_print_end().
 */
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

/**
 * kml_report_get() - get an entry of the table
 * @pos: its position, from 0
 *
 * Context: process, kml_scan_mutex held.
 * Return: the entry, valid until kml_scan_mutex is released, or NULL at the end.
 */
struct kml_report_entry *kml_report_get(unsigned long pos)
{
	lockdep_assert_held(&kml_scan_mutex);
	return pos < kml_table_nr ? &kml_table[pos] : NULL;
}

/**
 * kml_report_nr() - count the entries of the table
 *
 * Context: process, kml_scan_mutex held.
 * Return: the number of entries. Not all of them are listed.
 */
unsigned long kml_report_nr(void)
{
	lockdep_assert_held(&kml_scan_mutex);
	return kml_table_nr;
}

/**
 * kml_report_epoch() - find out whether the table is the same as before
 *
 * Context: process, kml_scan_mutex held.
 * Return: a number, not 0, that changes when entries move or a scan ends.
 */
unsigned long kml_report_epoch(void)
{
	return kml_epoch;
}

/**
 * kml_report_lock() - lock the object of an entry, if it is listed
 * @e: the entry
 * @l: filled; kml_object_unlock() releases it
 *
 * Context: process, kml_scan_mutex held.
 * Return: false if the object was freed, painted, or found referenced since.
 */
bool kml_report_lock(const struct kml_report_entry *e, struct kml_locked *l)
{
	if (!kml_entry_lock(e, l))
		return false;
	if (kml_still_reported(e, l->hot))
		return true;
	kml_object_unlock(l);
	return false;
}

/**
 * kml_report_show() - print the report of an entry
 * @seq: file to print to
 * @e: the entry, from kml_report_get()
 *
 * Nothing is printed if the object was freed, painted, or found referenced since, or
 * if it is older than the last "mark" and since_mark is set.
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_report_show(struct seq_file *seq, const struct kml_report_entry *e)
{
	struct kml_locked l;
	struct kml_info info;

	if (READ_ONCE(kml_scan_params.since_mark) &&
	    kml_report_generation(e->born, e->stamp) < kml_nr_marks)
		return;
	if (!kml_report_lock(e, &l))
		return;
	kml_info_fill(&info, l.space, l.start, l.hot);
	kml_object_unlock(&l);
	kml_print(seq, &info, true);
}

static void kml_log_entry(const struct kml_report_entry *e, bool hex)
{
	struct kml_locked l;
	struct kml_info info;

	/* freed since it was added: not a leak */
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

/* Log the reports of this scan, each backtrace once. */
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

		/* a hex dump of one of several objects would mislead */
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
 * kml_report_commit() - sort, trace and log the entries of this scan
 * @verbose: log each report, not only their number
 *
 * Called after kml_report_added().
 *
 * Context: process, kml_scan_mutex held; sleeps.
 * Return: the number of new leaks.
 */
unsigned long kml_report_commit(bool verbose)
{
	unsigned long new = kml_table_nr - kml_table_old;

	if (!new)
		return 0;

	kml_epoch++;
	kml_table_sort(kml_table + kml_table_old, new);
	if (trace_kmemleak_report_enabled())
		kml_trace_new();
	if (verbose)
		kml_log_new();
	/* new leaks may be older than those of earlier scans */
	if (kml_table_old && kml_entry_younger(&kml_table[kml_table_old - 1],
					       &kml_table[kml_table_old]))
		kml_table_sort(kml_table, kml_table_nr);

	kml_found = true;
	pr_info("%lu new suspected memory leaks (see /sys/kernel/debug/kmemleak)\n",
		new);
	return new;
}

/* Could the object of an entry be listed, now or after a later scan? */
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

/* Remove all entries whose object was freed or painted. */
static void kml_table_forget(void)
{
	unsigned long i, live = 0;

	for (i = 0; i < kml_table_nr; i++) {
		if (kml_entry_alive(&kml_table[i]))
			kml_table[live++] = kml_table[i];
		cond_resched();
	}
	kml_table_nr = live;
	kml_epoch++;
}

/**
 * kml_report_compact() - remove entries whose object was freed or painted
 *
 * Entries are removed only if there are at least 64 of these, and half of the table:
 * a position in the table is a position in the debugfs file, so a reader that has
 * read a part of the file would miss reports.
 *
 * Context: process, kml_scan_mutex held; may reschedule.
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

/**
 * kml_report_clear() - paint all listed leaks grey, and remove them from the table
 *
 * Grey objects are scanned, and not reported again. A reader that has read a part of
 * the debugfs file gets no more reports, so positions need not be kept.
 *
 * Context: process, kml_scan_mutex held; may reschedule.
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

/**
 * kml_report_drop() - free the table
 *
 * Called after kmemleak was disabled, when all objects have been removed.
 *
 * Context: process, kml_scan_mutex held.
 */
void kml_report_drop(void)
{
	kvfree(kml_table);
	kml_table = NULL;
	kml_table_nr = 0;
	kml_table_room = 0;
	kml_epoch++;
	WRITE_ONCE(kml_listed, 0);
	kml_found = false;
}
