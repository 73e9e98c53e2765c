// SPDX-License-Identifier: GPL-2.0-only
/*
 * With KML_FAULT_INJECTION, the core calls this before it allocates. Allocations
 * during boot do not fail: without its first tables there is no kernel.
 */
#include "fail.h"
#include "prog.h"

bool kml_pool_should_fail(int type);

struct fail fail = { .seed = 1 };

bool kml_pool_should_fail(int type)
{
	bool hit = false;

	if (exec_in_init)
		return false;
	fail.sites++;
	if (fail.nth && !--fail.nth)
		hit = true;
	if (fail.permille) {
		fail.seed ^= fail.seed << 13;
		fail.seed ^= fail.seed >> 7;
		fail.seed ^= fail.seed << 17;
		hit |= fail.seed % 1000 < fail.permille;
	}
	fail.fails += hit;
	return hit;
}
