// SPDX-License-Identifier: GPL-2.0-only
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

#include "os.h"
#include "modules.h"

#if defined(CONFIG_MODULES) && defined(CONFIG_KALLSYMS)

#include "kmemleak.h"
#include "track.h"

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
		kml_track_paint(kml_space(KML_VIRT), (unsigned long)p, -1);
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
