// SPDX-License-Identifier: GPL-2.0-only
/* Lists of grey objects: no work or block is lost, and a push fails when full. */

#include "common.h"
#include "../mark.h"

/* Work number @n. All its fields depend on the number. */
static struct kml_work nth_work(unsigned long n)
{
	return kml_work(n % KML_NR_SPACES, ~n, n * KML_CHUNK, n);
}

static unsigned long nth(const struct kml_work *w)
{
	return ~kml_work_start(w);
}

static bool is_nth(const struct kml_work *w, unsigned long n)
{
	return kml_work_start(w) == ~n && kml_work_space(w) == n % KML_NR_SPACES &&
	       kml_work_off(w) == n * KML_CHUNK;
}

static unsigned long empty_blocks(const struct kml_worklist *list)
{
	const struct kml_block *block;
	unsigned long n = 0;

	for (block = list->empty; block; block = block->next)
		n += !block->nr;
	return n;
}

/* A shared list with @blocks empty blocks. */
static struct kml_worklist *new_list(struct kunit *test, unsigned long blocks)
{
	struct kml_worklist *list = kunit_kzalloc(test, sizeof(*list), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, list);
	kml_worklist_init(list);
	KUNIT_EXPECT_EQ(test, kml_worklist_grow(list, blocks), blocks > 0);
	KUNIT_EXPECT_EQ(test, list->nr_blocks, blocks);
	KUNIT_EXPECT_EQ(test, empty_blocks(list), blocks);
	return list;
}

static void end_list(struct kunit *test, struct kml_worklist *list)
{
	KUNIT_EXPECT_EQ(test, empty_blocks(list), list->nr_blocks);
	kml_worklist_shrink(list, 0);
	KUNIT_EXPECT_EQ(test, list->nr_blocks, 0UL);
	KUNIT_EXPECT_NULL(test, list->empty);
	KUNIT_EXPECT_NULL(test, list->full);
}

static void work_keeps_its_fields(struct kunit *test)
{
	static const size_t offs[] = { 0, KML_CHUNK, 1UL << 30, ~(KML_CHUNK - 1UL) };
	static const unsigned long starts[] = { 0, 1, 4097, ~0UL };
	unsigned int i, j, id;

	for (i = 0; i < ARRAY_SIZE(offs); i++) {
		for (j = 0; j < ARRAY_SIZE(starts); j++) {
			for (id = 0; id < KML_NR_SPACES; id++) {
				struct kml_work w = kml_work(id, starts[j], offs[i], ~0UL);

				KUNIT_EXPECT_EQ(test, kml_work_start(&w), starts[j]);
				KUNIT_EXPECT_EQ(test, kml_work_off(&w), offs[i]);
				KUNIT_EXPECT_EQ(test, (unsigned int)kml_work_space(&w), id);
			}
		}
	}
}

/* Blocks are not cleared when they are freed: they must not contain addresses. */
static void no_references_left_behind(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 1);
	const unsigned long *word, *end;
	struct kml_greylist d;
	struct kml_work w;

	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&d, list));
	kml_ok(test, kml_greylist_push(&d, kml_work(KML_VIRT, 0x12345000, 0, KML_SLICE)));
	kml_ok(test, kml_greylist_pop(&d, &w));
	KUNIT_EXPECT_EQ(test, kml_work_start(&w), 0x12345000UL);
	end = (const unsigned long *)&d.cur->work[KML_BLOCK_WORK];
	for (word = (const unsigned long *)d.cur->work; word < end; word++)
		if (!kml_ok(test, *word - 0x12345000 >= KML_SLICE))
			break;
	kml_greylist_close(&d);
	end_list(test, list);
}

static void nothing_in_an_empty_list(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 0);
	struct kml_greylist d;
	struct kml_work w;

	KUNIT_EXPECT_FALSE(test, kml_greylist_open(&d, list));
	kml_greylist_close(&d);
	kml_worklist_grow(list, 1);
	KUNIT_EXPECT_TRUE(test, kml_greylist_open(&d, list));
	KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&d, &w));
	KUNIT_EXPECT_FALSE(test, kml_worklist_has_work(list));
	kml_greylist_close(&d);
	end_list(test, list);
}

/* For one worker the list is a stack, also across blocks. */
static void last_in_first_out(struct kunit *test)
{
	unsigned long total = 30 * KML_BLOCK_WORK - 5, n;
	struct kml_worklist *list = new_list(test, 31);
	unsigned int round;
	struct kml_greylist d;
	struct kml_work w;

	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&d, list));
	for (round = 0; round < 3; round++) {
		for (n = 0; n < total; n++)
			if (!kml_ok(test, kml_greylist_push(&d, nth_work(n))))
				goto out;
		KUNIT_EXPECT_FALSE(test, kml_worklist_has_work(list));
		while (n--)
			if (!kml_ok(test, kml_greylist_pop(&d, &w)) || !kml_ok(test, is_nth(&w, n)))
				goto out;
		KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&d, &w));
	}
out:
	kml_greylist_close(&d);
	end_list(test, list);
}

/* A push fails only if there is no room; then the list is unchanged. */
static void overflow(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 3);
	unsigned long room = 3 * KML_BLOCK_WORK, n;
	struct kml_greylist d;
	struct kml_work w;

	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&d, list));
	for (n = 0; n < room; n++)
		if (!kml_ok(test, kml_greylist_push(&d, nth_work(n))))
			goto out;
	KUNIT_EXPECT_FALSE(test, kml_greylist_push(&d, nth_work(n)));
	KUNIT_EXPECT_FALSE(test, kml_greylist_push(&d, nth_work(n)));
	/* a pop makes room for one push */
	KUNIT_EXPECT_TRUE(test, kml_greylist_pop(&d, &w) && is_nth(&w, room - 1));
	KUNIT_EXPECT_TRUE(test, kml_greylist_push(&d, nth_work(room - 1)));
	KUNIT_EXPECT_FALSE(test, kml_greylist_push(&d, nth_work(room)));
	for (n = room; n--;)
		if (!kml_ok(test, kml_greylist_pop(&d, &w)) || !kml_ok(test, is_nth(&w, n)))
			break;
	KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&d, &w));
out:
	kml_greylist_close(&d);
	end_list(test, list);
}

/* Other workers get the work that a worker shares, each piece exactly once. */
static void sharing(struct kunit *test)
{
	unsigned long each = 5 * KML_BLOCK_WORK, total = 2 * each, n, got = 0;
	struct kml_worklist *list = new_list(test, 4 * KML_WORKER_BLOCKS);
	u8 *seen = kunit_kzalloc(test, total, GFP_KERNEL);
	struct kml_greylist d[3];
	struct kml_work w;
	unsigned int i;
	u64 seed = 4;

	KUNIT_ASSERT_NOT_NULL(test, seen);
	for (i = 0; i < ARRAY_SIZE(d); i++)
		KUNIT_ASSERT_TRUE(test, kml_greylist_open(&d[i], list));

	for (n = 0; n < total; n++)
		kml_ok(test, kml_greylist_push(&d[n / each], nth_work(n)));
	KUNIT_EXPECT_FALSE(test, kml_worklist_has_work(list));
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_TRUE(test, kml_greylist_share(&d[i % 2]));
	KUNIT_EXPECT_EQ(test, list->nr_full, 4UL);
	KUNIT_EXPECT_TRUE(test, kml_worklist_has_work(list));
	/* a third worker gets the shared work only */
	while (kml_greylist_pop(&d[2], &w)) {
		kml_ok(test, nth(&w) < total && !seen[nth(&w)]++);
		got++;
	}
	KUNIT_EXPECT_EQ(test, got, 4UL * KML_BLOCK_WORK);
	KUNIT_EXPECT_FALSE(test, kml_worklist_has_work(list));

	for (n = 0; got < total && n < 100 * total; n++) {
		if (!kml_greylist_pop(&d[kml_test_below(&seed, 3)], &w))
			continue;
		got++;
		if (!kml_ok(test, nth(&w) < total && !seen[nth(&w)]++))
			break;
	}
	KUNIT_EXPECT_EQ(test, got, total);
	for (i = 0; i < ARRAY_SIZE(d); i++)
		kml_greylist_close(&d[i]);
	end_list(test, list);
}

/* Three workers push, pop and share at random; a model knows the work in them. */
static void random_workers(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 24);
	u8 *inside = kunit_kzalloc(test, 4096, GFP_KERNEL);
	unsigned long pushed = 0, popped = 0, step;
	struct kml_greylist d[3];
	struct kml_work w;
	unsigned int i;
	u64 seed = 5;

	KUNIT_ASSERT_NOT_NULL(test, inside);
	for (i = 0; i < ARRAY_SIZE(d); i++)
		KUNIT_ASSERT_TRUE(test, kml_greylist_open(&d[i], list));

	for (step = 0; step < 50000; step++) {
		struct kml_greylist *one = &d[kml_test_below(&seed, 3)];
		/* long stages with mostly pushes alternate with mostly pops */
		bool push = kml_test_below(&seed, 10) < (step / 5000 % 2 ? 2 : 8);

		if (push && !inside[pushed % 4096]) {
			if (!kml_greylist_push(one, nth_work(pushed % 4096)))
				continue;
			inside[pushed++ % 4096] = 1;
		} else if (kml_greylist_pop(one, &w)) {
			popped++;
			if (!kml_ok(test, nth(&w) < 4096 && inside[nth(&w)]) ||
			    !kml_ok(test, is_nth(&w, nth(&w))))
				break;
			inside[nth(&w)] = 0;
		}
		if (!kml_test_below(&seed, 100))
			kml_greylist_share(one);
	}
	for (i = 0; i < ARRAY_SIZE(d); i++)
		while (kml_greylist_pop(&d[i], &w))
			popped++;
	KUNIT_EXPECT_GT(test, pushed, 1000UL);
	KUNIT_EXPECT_EQ(test, pushed, popped);
	for (i = 0; i < ARRAY_SIZE(d); i++)
		kml_greylist_close(&d[i]);
	end_list(test, list);
}

/* The work that a stopped scan leaves behind is dropped, and its blocks are kept. */
static void work_left_behind(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 5);
	struct kml_greylist d;
	struct kml_work w;
	unsigned long n;

	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&d, list));
	for (n = 0; n < 3 * KML_BLOCK_WORK + 7; n++)
		kml_ok(test, kml_greylist_push(&d, nth_work(n)));
	kml_greylist_close(&d);
	KUNIT_EXPECT_TRUE(test, kml_worklist_has_work(list));
	kml_worklist_shrink(list, 4);
	KUNIT_EXPECT_FALSE(test, kml_worklist_has_work(list));
	KUNIT_EXPECT_EQ(test, list->nr_blocks, 4UL);
	KUNIT_EXPECT_EQ(test, empty_blocks(list), 4UL);

	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&d, list));
	KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&d, &w));
	kml_greylist_close(&d);
	end_list(test, list);
}

/* A worker without full blocks shares the older half of its work. */
static void half_for_others(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 4);
	struct kml_greylist a, b;
	struct kml_work w;
	unsigned long n;

	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&a, list));
	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&b, list));
	KUNIT_EXPECT_FALSE(test, kml_greylist_share(&a));
	for (n = 0; n < 7; n++)
		kml_greylist_push(&a, nth_work(n));
	KUNIT_EXPECT_FALSE(test, kml_greylist_share(&a));	/* too little */
	kml_greylist_push(&a, nth_work(n++));
	KUNIT_EXPECT_FALSE(test, kml_worklist_has_work(list));
	KUNIT_EXPECT_TRUE(test, kml_greylist_share(&a));
	KUNIT_EXPECT_TRUE(test, kml_worklist_has_work(list));

	for (n = 4; n--; )
		KUNIT_EXPECT_TRUE(test, kml_greylist_pop(&b, &w) && is_nth(&w, n));
	KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&b, &w));
	KUNIT_EXPECT_EQ(test, b.stolen, 1UL);
	for (n = 8; n-- > 4; )
		KUNIT_EXPECT_TRUE(test, kml_greylist_pop(&a, &w) && is_nth(&w, n));
	KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&a, &w));
	kml_greylist_close(&a);
	kml_greylist_close(&b);
	end_list(test, list);
}

/* A worker with full blocks shares the oldest of them. */
static void oldest_block_for_others(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 6);
	unsigned long n, total = 3 * KML_BLOCK_WORK + 1;
	struct kml_greylist a, b;
	struct kml_work w;

	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&a, list));
	KUNIT_ASSERT_TRUE(test, kml_greylist_open(&b, list));
	for (n = 0; n < total; n++)
		kml_ok(test, kml_greylist_push(&a, nth_work(n)));
	KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&b, &w));
	KUNIT_EXPECT_TRUE(test, kml_greylist_share(&a));
	KUNIT_EXPECT_EQ(test, list->nr_full, 1UL);
	for (n = KML_BLOCK_WORK; n--; )
		kml_ok(test, kml_greylist_pop(&b, &w) && is_nth(&w, n));
	KUNIT_EXPECT_FALSE(test, kml_greylist_pop(&b, &w));

	/* a worker that closes its list moves all work to the shared list */
	kml_greylist_close(&a);
	KUNIT_EXPECT_EQ(test, list->nr_full, 3UL);
	for (n = 0; kml_greylist_pop(&b, &w); n++)
		;
	KUNIT_EXPECT_EQ(test, n, 2 * KML_BLOCK_WORK + 1);
	kml_greylist_close(&b);
	end_list(test, list);
}

/* A slice ends where the next slice begins, or where the object ends. */
static void slices(struct kunit *test)
{
	struct kml_work w = kml_work(KML_PERCPU, 64, 3 * KML_SLICE + KML_CHUNK, 100);

	KUNIT_EXPECT_EQ(test, kml_work_end(&w, 9 * KML_SLICE), 9 * KML_SLICE);
	w.off_space |= KML_WORK_SLICE;
	KUNIT_EXPECT_EQ(test, kml_work_space(&w), KML_PERCPU);
	KUNIT_EXPECT_EQ(test, kml_work_off(&w), 3 * KML_SLICE + KML_CHUNK);
	KUNIT_EXPECT_EQ(test, kml_work_end(&w, 9 * KML_SLICE), 4 * KML_SLICE);
	KUNIT_EXPECT_EQ(test, kml_work_end(&w, 4 * KML_SLICE), 4 * KML_SLICE);
	KUNIT_EXPECT_EQ(test, kml_work_end(&w, 4 * KML_SLICE - 1), 4 * KML_SLICE - 1);
}

static void grow_and_shrink(struct kunit *test)
{
	struct kml_worklist *list = new_list(test, 2);

	KUNIT_EXPECT_TRUE(test, kml_worklist_grow(list, 1));
	KUNIT_EXPECT_EQ(test, list->nr_blocks, 2UL);
	KUNIT_EXPECT_TRUE(test, kml_worklist_grow(list, 7));
	KUNIT_EXPECT_EQ(test, empty_blocks(list), 7UL);
	kml_worklist_shrink(list, 9);
	KUNIT_EXPECT_EQ(test, list->nr_blocks, 7UL);
	kml_worklist_shrink(list, 3);
	KUNIT_EXPECT_EQ(test, empty_blocks(list), 3UL);
	end_list(test, list);
}

static struct kunit_case kml_greylist_cases[] = {
	KUNIT_CASE(work_keeps_its_fields),
	KUNIT_CASE(no_references_left_behind),
	KUNIT_CASE(nothing_in_an_empty_list),
	KUNIT_CASE(last_in_first_out),
	KUNIT_CASE(overflow),
	KUNIT_CASE(sharing),
	KUNIT_CASE(random_workers),
	KUNIT_CASE(work_left_behind),
	KUNIT_CASE(half_for_others),
	KUNIT_CASE(oldest_block_for_others),
	KUNIT_CASE(slices),
	KUNIT_CASE(grow_and_shrink),
	{}
};

static struct kunit_suite kml_greylist_suite = {
	.name = "kmemleak_greylist",
	.test_cases = kml_greylist_cases,
};

kunit_test_suite(kml_greylist_suite);
