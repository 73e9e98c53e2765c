// SPDX-License-Identifier: GPL-2.0-only
/* kmemleak: subcommands by name. */

#include <getopt.h>

#include "kmemleak.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
	const char *usage;
} commands[] = {
	{ "scan", cmd_scan, "find new leaks in the running kernel, or all in a memory image",
	  "usage: kmemleak scan [--check] [-j] [-n N] [-q] [--debugfs DIR]\n"
	  "       kmemleak scan --image FILE [options]\n"
	  "      --check             without an image: leaks of any age; exit status 1 if there\n"
	  "                          are new ones\n"
	  "      --debugfs DIR       where debugfs is (default /sys/kernel/debug)\n"
	  "With an image:\n"
	  "  -i, --image FILE        vmcore, kdump, or a dump of QEMU's\n"
	  "      --vmlinux FILE      the kernel's, for symbols and BTF that the image lacks\n"
	  "      --map FILE          System.map, for symbols\n"
	  "      --btf FILE          BTF, for example a copy of /sys/kernel/btf/vmlinux\n"
	  "  -S, --suppressions FILE what is no leak, beside the file that comes with the command\n"
	  "      --no-suppressions   report these as well\n"
	  "  -j, --json              for programs\n"
	  "  -a, --all               each leak, not only groups\n"
	  "  -n, --groups N          at most N groups (default 40)\n"
	  "      --check             exit status 1 if there are leaks\n"
	  "  -s, --slabs             allocated objects of each slab cache, no search for leaks\n"
	  "  -q, --quiet             no progress\n" },
	{ "why", cmd_why, "who refers to a block",
	  "usage: kmemleak why [options] [--image FILE] ADDRESS\n"
	  "      --debugfs DIR       of the running kernel (default /sys/kernel/debug)\n"
	  "  -i, --image FILE, --vmlinux FILE, --map FILE, --btf FILE, -q: as for scan\n"
	  "  -d, --depth N           blocks in a chain, at most (default 8)\n"
	  "  -n, --refs N            references shown of each block (default 8)\n"
	  "Without an image, the running kernel searches its memory once for each block.\n" },
	{ "report", cmd_report, "leaks of the running kernel or of a saved report, in groups",
	  "usage: kmemleak report [options]\n"
	  "  -i, --input FILE        a saved copy of /sys/kernel/debug/kmemleak, or of\n"
	  "                          kmemleak_leaks with --stacks\n"
	  "      --stacks FILE       a saved copy of kmemleak_stacks\n"
	  "      --debugfs DIR       where debugfs is (default /sys/kernel/debug)\n"
	  "  -g, --group WHAT        stack (default), function, module or cache\n"
	  "  -s, --sort BY           bytes (default), count or age\n"
	  "      --heads             only leaks that no other leak refers to, and what they retain\n"
	  "      --since MARK        only of this generation (number of marks) or later\n"
	  "  -m, --module MODULE     only stacks with a function of it; vmlinux: of none\n"
	  "      --min-size BYTES    only blocks of that size or more\n"
	  "  -f, --format FORMAT     text (default), json, folded (flame graphs) or csv\n"
	  "  -n, --groups N          at most N groups; 0: all (default 40 for text, else all)\n"
	  "      --check             exit status 1 if there are leaks\n" },
	{ "run", cmd_run, "run a command, and report what it leaked",
	  "usage: kmemleak run [options] [--] COMMAND [ARGUMENT...]\n"
	  "  -e, --exit-code N       exit status if there are leaks (0, the default: as without)\n"
	  "      --junit FILE        the result for CI, too\n"
	  "      --debugfs DIR       where debugfs is (default /sys/kernel/debug)\n"
	  "The exit status is that of the command if there are no leaks.\n" },
	{ "diff", cmd_diff, "what changed between two reports",
	  "usage: kmemleak diff [--check] OLD.json NEW.json\n"
	  "The files are of kmemleak report -f json.\n"
	  "      --check             exit status 1 if a group is new or has grown\n" },
	{ "export", cmd_export, "metrics for Prometheus",
	  "usage: kmemleak export --textfile FILE [options]\n"
	  "      --textfile FILE     replaced as a whole; for node_exporter, NAME.prom\n"
	  "  -n, --top N             functions with metrics of their own (default 20)\n"
	  "      --debugfs DIR       where debugfs is (default /sys/kernel/debug)\n" },
	{ "help", cmd_help, "tell more about a subcommand",
	  "usage: kmemleak help [SUBCOMMAND]\n" },
};

int cmd_help(int argc, char **argv)
{
	unsigned int i;

	if (argc > 1) {
		for (i = 0; i < ARRAY_SIZE(commands); i++)
			if (!strcmp(argv[1], commands[i].name)) {
				fputs(commands[i].usage, stdout);
				return EXIT_DONE;
			}
		die(EXIT_USAGE, "no subcommand %s: see kmemleak help", argv[1]);
	}
	puts("usage: kmemleak SUBCOMMAND [options]");
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-6s %s\n", commands[i].name, commands[i].help);
	puts("Exit status: 0 done, 1 leaks (with --check), 2 usage, 3 a file cannot be read,\n"
	     "4 no dump or report or a damaged one, 5 a kernel or format that is not understood,\n"
	     "6 other, 7 no rights, 8 no debugfs, 9 no kmemleak, 10 kmemleak is off,\n"
	     "11 the kernel or report lacks it, 12 closed pipe, 13 stopped, 14 no such block.");
	return EXIT_DONE;
}

bool image_option(int c, char *arg, struct image_options *options)
{
	switch (c) {
	case 'i':
		options->file = arg;
		return true;
	case 'V':
		options->vmlinux = arg;
		return true;
	case 'M':
		options->map = arg;
		return true;
	case 'B':
		options->btf = arg;
		return true;
	case 'q':
		quiet = true;
		return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	unsigned int i;

	if (argc < 2) {
		cmd_help(1, argv);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return cmd_help(1, argv);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	die(EXIT_USAGE, "no subcommand %s: see kmemleak help", argv[1]);
}
