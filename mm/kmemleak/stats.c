// SPDX-License-Identifier: GPL-2.0-only
/* Counters: storage, names, sums. */

#include "os.h"
#include "stats.h"

DEFINE_PER_CPU(struct kml_counters, kml_counters);
struct kml_counters kml_early_counters;

static const char * const kml_counter_names[] = {
	[KML_C_ALLOCS]		= "allocs",
	[KML_C_FREES]		= "frees",
	[KML_C_OVERLAPS]	= "overlaps",
	[KML_C_RESERVED]	= "reserved",
	[KML_C_LOST]		= "lost",
	[KML_C_REGRAINS]	= "regrains",
	[KML_C_PIN_WAITS]	= "pin_waits",
	[KML_C_META_BYTES]	= "metadata_bytes",
};

static_assert(ARRAY_SIZE(kml_counter_names) == KML_NR_COUNTERS);

const char *kml_counter_name(enum kml_counter c)
{
	return kml_counter_names[c];
}

/* Not a snapshot: CPUs go on counting meanwhile. */
long kml_count_sum(enum kml_counter c)
{
	long sum = kml_early_counters.v[c];
	int cpu;

	if (!kml_pool_ready())
		return sum;

	for_each_possible_cpu(cpu)
		/* each CPU writes its own, at any time */
		sum += data_race(per_cpu(kml_counters.v[c], cpu));
	return sum;
}

/* Objects tracked now. */
long kml_count_objects(void)
{
	return kml_count_sum(KML_C_ALLOCS) - kml_count_sum(KML_C_FREES);
}
