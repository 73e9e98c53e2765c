// SPDX-License-Identifier: GPL-2.0-only
/*
 * API programs for libFuzzer: the generator takes its decisions from the input instead
 * of random numbers. The oracle checks each report. Each program frees its blocks at
 * its end, so that thousands run in one process.
 */
#include <stdio.h>
#include <stdlib.h>

#include "oracle.h"
#include "world.h"

#define FLAGS	(EXEC_ORACLE | EXEC_STRICT | EXEC_QUIET)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static void complain(const struct prog *p, const char *what)
{
	struct sink err = { .fd = 2 };

	prog_print(p, &err);
	sink_put(&err, "----\n%s\n", what);
	abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sink out = { .fd = -1 };
	struct prog p = { 0 };

	world_map();
	prog_add(&p, OP_CPUS, 3, 0, 0);
	prog_add_text(&p, OP_BOOT, "on");
	prog_add(&p, OP_INIT, 0, 0, 0);
	prog_add(&p, OP_LATE, 0, 0, 0);
	prog_exec(&p, &out, FLAGS);
	prog_free(&p);
	free(out.buf);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct sink out = { .fd = -1 };
	struct prog p = { 0 };

	prog_generate_from(&p, data, len);
	sink_write(&out, "", 0);
	prog_exec(&p, &out, FLAGS);
	if (strstr(out.buf, "ORACLE: ") || strstr(out.buf, "WARNINGS "))
		complain(&p, out.buf);
	if (!oracle_knows())
		complain(&p, "the oracle lost track");
	free(out.buf);
	prog_free(&p);
	return 0;
}
