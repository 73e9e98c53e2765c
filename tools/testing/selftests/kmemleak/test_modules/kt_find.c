// SPDX-License-Identifier: GPL-2.0
/*
 * kmemleak_torture: words that look like references to leaks
 *
 * If kmemleak has counted references to a leak, there must be such words.
 */
#include <linux/printk.h>

#include "kf.h"
#include "kt.h"

#define KT_MAX_WANTED	256
/* words that are logged for each leak */
#define KT_MAX_SAID	2

static struct kf_wanted kt_wanted[KT_MAX_WANTED];

static void kt_say(struct kf_wanted *w, unsigned long offset, unsigned long where,
		   struct page *page)
{
	if (w->found < KT_MAX_SAID)
		pr_info(KT_NAME "leak %u: a word at 0x%lx (%s %pS) looks like a reference\n",
			w->id, where, kf_page_kind(page), (void *)where);
}

/*
 * For leaks that were not reported, log words that seem to refer to them, and note which
 * leaks have such a word.
 */
void kt_find(void)
{
	unsigned int i, nr = 0, without = 0;

	for (i = 0; i < kt_leaks_planted() && nr < KT_MAX_WANTED; i++) {
		struct kf_wanted *w = &kt_wanted[nr];

		if (!kt_leak_unreported(i, &w->hidden, &w->size))
			continue;
		w->id = i;
		w->found = 0;
		nr++;
	}
	if (kf_search(kt_wanted, nr, sizeof(long), kt_say))
		return;
	for (i = 0; i < nr; i++) {
		if (kt_wanted[i].found)
			kt_leak_explained(kt_wanted[i].id);
		else
			without++;
	}
	pr_info(KT_NAME "%u leaks not reported, %u of them without a word that looks like a reference\n",
		nr, without);
}
