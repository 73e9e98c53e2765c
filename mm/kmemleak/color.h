/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tri-colour rules, as pure functions of a hot entry's state word:
 *
 *   bits  0-11	offset of the object in its page
 *   bits 12-14	count: references found by this scan, at most min_count
 *   bits 15-17	min_count: references wanted; KML_BLACK for "not of interest"
 *   bit  18	free
 *   bits 19-31	flags
 *
 * White: fewer references than wanted. Grey: enough (or none wanted, or born
 * since the mark began), the content is scanned. Black: neither reported nor
 * scanned.
 * Colours after Dijkstra, Lamport et al., "On-the-fly garbage collection",
 * CACM 21(11), 1978; grey here includes objects already scanned.
 */
#ifndef _MM_KMEMLEAK_COLOR_H
#define _MM_KMEMLEAK_COLOR_H

#include "os.h"

#define KML_OFF_MASK		0x00000fffU
#define KML_COUNT_SHIFT		12
#define KML_COUNT_ONE		((u32)BIT(KML_COUNT_SHIFT))
#define KML_COUNT_MASK		(0x7U << KML_COUNT_SHIFT)
#define KML_MIN_SHIFT		15
#define KML_MIN_MASK		(0x7U << KML_MIN_SHIFT)
#define KML_MIN_MAX		0x6U	/* callers ask for 2 at most */
#define KML_BLACK		0x7U

#define KML_STATE_FREE		BIT(18)
#define KML_F_THROUGHOUT	BIT(19)	/* not referenced since a check began */
#define KML_F_LATE		BIT(20)	/* counted after the first mark: confirm.c */
#define KML_F_NEW		BIT(21)	/* born since this mark began: grey */
#define KML_F_ALLOCATED		BIT(22)
#define KML_F_FROZEN		BIT(23)	/* the entry moved: look up again */
#define KML_F_NO_SCAN		BIT(24)	/* do not read the content */
#define KML_F_FULL_SCAN		BIT(25)	/* a scan area got lost: ignore areas */
#define KML_F_REPORTED		BIT(26)
#define KML_F_SUSPECT		BIT(27)	/* white after the first mark */
#define KML_F_EXT		BIT(28)	/* cold is a struct kml_ext */
#define KML_F_BIG		BIT(29)	/* size is in the extension */
#define KML_F_UNREF		BIT(30)	/* cold counts unreferenced scans */
#define KML_F_PENDING		BIT(31)	/* grey, but the work list was full */

static inline unsigned int kml_state_count(u32 s)
{
	return (s & KML_COUNT_MASK) >> KML_COUNT_SHIFT;
}

static inline unsigned int kml_state_min(u32 s)
{
	return (s & KML_MIN_MASK) >> KML_MIN_SHIFT;
}

static inline u32 kml_state_set_min(u32 s, int min_count)
{
	u32 wanted = min_count < 0 ? KML_BLACK : min_t(u32, min_count, KML_MIN_MAX);

	return (s & ~KML_MIN_MASK) | wanted << KML_MIN_SHIFT;
}

/* min_count the way users write it: black is -1 */
static inline int kml_state_min_count(u32 s)
{
	unsigned int min = kml_state_min(s);

	return min == KML_BLACK ? -1 : (int)min;
}

static inline bool kml_black(u32 s)
{
	return kml_state_min(s) == KML_BLACK;
}

static inline bool kml_white(u32 s)
{
	return !kml_black(s) && !(s & KML_F_NEW) &&
	       kml_state_count(s) < kml_state_min(s);
}

static inline bool kml_grey(u32 s)
{
	return !kml_black(s) && !kml_white(s);
}

/* a grey object whose content has to be read */
static inline bool kml_scannable(u32 s)
{
	return (s & KML_F_ALLOCATED) && !(s & KML_F_NO_SCAN);
}

#endif /* _MM_KMEMLEAK_COLOR_H */
