// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak export: metrics for the textfile collector of Prometheus' node_exporter. */

#include <getopt.h>

#include "reports.h"

struct metric {
	const char *stat;	/* line of kmemleak_stats */
	const char *name;
	const char *type;
	unsigned int div;	/* the unit of the line is 1/div of that of the metric */
	const char *help;
};

static const struct metric metrics[] = {
	{ "enabled", "enabled", "gauge", 1, "1: allocations are tracked." },
	{ "objects", "objects", "gauge", 1, "Blocks that are tracked now." },
	{ "leaks", "leaks", "gauge", 1, "Leaks that are listed after the last whole scan." },
	{ "scans", "scans_total", "counter", 1, "Scans since boot." },
	{ "scans_stopped", "scans_stopped_total", "counter", 1, "Scans that were stopped." },
	{ "scan_age_ms", "scan_age_seconds", "gauge", 1000, "Time since the last scan ended." },
	{ "scan_ms", "scan_duration_seconds", "gauge", 1000, "Duration of the last scan." },
	{ "scan_leaks", "scan_new_leaks", "gauge", 1, "New reports of the last scan." },
	{ "running", "scan_running", "gauge", 1, "1: a scan runs." },
	{ "reserve_blocks", "reserve_blocks", "gauge", 1, "Blocks without metadata of their own." },
	{ "lost_pages", "lost_pages", "gauge", 1, "Pages that are roots, for a block is lost." },
	{ "reserved", "reserved_total", "counter", 1, "Blocks that were put into the reserve." },
	{ "lost", "lost_total", "counter", 1, "Blocks for which the reserve had no entry." },
	{ "overlaps", "overlaps_total", "counter", 1, "Blocks that overlap tracked ones." },
	{ "metadata_bytes", "metadata_bytes", "gauge", 1, "Memory of the metadata." },
};

static void head(FILE *f, const char *name, const char *type, const char *help)
{
	fprintf(f, "# HELP kmemleak_%s %s\n# TYPE kmemleak_%s %s\n", name, help, name, type);
}

static void stat_metrics(FILE *f, const char *stats)
{
	unsigned long value;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(metrics); i++) {
		const struct metric *m = &metrics[i];

		if (!live_stat(stats, m->stat, &value))
			continue;
		head(f, m->name, m->type, m->help);
		if (m->div == 1)
			fprintf(f, "kmemleak_%s %lu\n", m->name, value);
		else
			fprintf(f, "kmemleak_%s %lu.%03lu\n", m->name, value / m->div,
				value % m->div);
	}
}

static void label(FILE *f, const char *name, const char *value)
{
	fprintf(f, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			fputc('\\', f);
		fputc(*value, f);
	}
	fputc('"', f);
}

static void function_metric(FILE *f, const struct groups *g, unsigned long top, bool bytes)
{
	const char *name = bytes ? "function_leaked_bytes" : "function_leaks";
	unsigned long i, rest = 0;

	head(f, name, "gauge", bytes ? "Bytes of the leaks that a function allocated." :
	     "Leaks that a function allocated.");
	for (i = 0; i < g->nr; i++) {
		const struct rgroup *group = &g->groups[i];
		const struct rleak *l = &g->reports->leaks[group->sample];
		const struct rstack *s = &g->reports->stacks[l->stack];
		const struct rframe *caller = NULL;

		if (i >= top) {
			rest += bytes ? group->bytes : group->nr;
			continue;
		}
		if (s->nr)
			caller = &s->frames[s->caller < s->nr ? s->caller : 0];
		fprintf(f, "kmemleak_%s{", name);
		label(f, "function", caller ? caller->func : "");
		fputc(',', f);
		label(f, "module", caller && caller->module ? caller->module : "");
		fprintf(f, "} %lu\n", bytes ? group->bytes : group->nr);
	}
	/* a metric without the others would hide how much these are */
	fprintf(f, "kmemleak_%s{function=\"(others)\",module=\"\"} %lu\n", name, rest);
}

int cmd_export(int argc, char **argv)
{
	static const struct option options[] = {
		{ "textfile", required_argument, NULL, 't' },
		{ "top", required_argument, NULL, 'n' },
		{ "debugfs", required_argument, NULL, 'D' },
		{ }
	};
	struct group_options o = { .by = BY_FUNCTION, .since = R_UNKNOWN, .certain = true };
	struct reports_source from = { .debugfs = DEBUGFS };
	unsigned long top = 20, enabled;
	const char *path = NULL;
	struct new_file n;
	struct reports r;
	struct groups g;
	char *stats;
	bool off;
	int c;

	while ((c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
		switch (c) {
		case 't':
			path = optarg;
			break;
		case 'n':
			top = parse_number("--top", optarg, 10);
			break;
		case 'D':
			from.debugfs = optarg;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	if (!path || optind != argc)
		die(EXIT_USAGE, "export: --textfile FILE is needed: see kmemleak help export");
	stats = live_stats(from.debugfs);
	/* that kmemleak is off is a metric, and no error */
	off = stats && live_stat(stats, "enabled", &enabled) && !enabled;
	if (!off)
		reports_load(&r, &from);
	new_file_open(&n, path);
	if (stats) {
		stat_metrics(n.f, stats);
	} else {
		head(n.f, "leaks", "gauge", "Leaks that are listed.");
		fprintf(n.f, "kmemleak_leaks %lu\n", r.nr);
	}
	if (!off) {
		groups_make(&g, &r, &o);
		function_metric(n.f, &g, top, true);
		function_metric(n.f, &g, top, false);
		groups_free(&g);
	}
	new_file_done(&n);
	free(stats);
	return EXIT_DONE;
}
