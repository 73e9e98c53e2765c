// SPDX-License-Identifier: GPL-2.0-only
/*
 * Boot option and module parameters. Their names must not change with the name
 * of this file.
 */

#include "os.h"
#include "control.h"
#include "filter.h"
#include "scan.h"
#include "state.h"

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "kmemleak."

static int kml_filter_set(const char *val, const struct kernel_param *kp)
{
	return kml_filter_want(val);
}

static int kml_filter_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE, "%s\n", kml_filter_wanted());
}

static const struct kernel_param_ops kml_filter_ops = {
	.set = kml_filter_set,
	.get = kml_filter_get,
};

module_param_cb(filter, &kml_filter_ops, NULL, 0644);
module_param_named(min_unref_scans, kml_scan_params.min_unref_scans, uint, 0644);
module_param_named(min_age_ms, kml_scan_params.min_age_ms, uint, 0644);
module_param_named(since_mark, kml_scan_params.since_mark, bool, 0644);
module_param_named(verbose, kml_scan_params.verbose, bool, 0600);
module_param_named(threads, kml_boot.threads, uint, 0444);

static const struct {
	const char *name;
	bool on, off, parallel;
} kml_boot_words[] = {
	{ .name = "on",		.on = true },
	{ .name = "off",	.off = true },
	{ .name = "parallel",	.on = true,	.parallel = true },
};

/* kmemleak=WORD[,WORD...]; nothing is done if any word is wrong. */
static int __init kml_boot_setup(char *str)
{
	bool on = false, off = false, parallel = false;
	const char *word = str;
	unsigned int i;

	if (!str)
		return -EINVAL;

	for (;;) {
		size_t len = strcspn(word, ",");

		for (i = 0; i < ARRAY_SIZE(kml_boot_words); i++)
			if (strlen(kml_boot_words[i].name) == len &&
			    !strncmp(kml_boot_words[i].name, word, len))
				break;
		if (i == ARRAY_SIZE(kml_boot_words)) {
			pr_err("Unknown word \"%.*s\" in kmemleak=%s: use on, off, parallel or a list of these\n",
			       (int)len, word, str);
			return -EINVAL;
		}
		on |= kml_boot_words[i].on;
		off |= kml_boot_words[i].off;
		parallel |= kml_boot_words[i].parallel;
		if (!word[len])
			break;
		word += len + 1;
	}

	kml_boot.parallel = parallel;
	if (off) {
		kml_state_disable();
	} else if (on) {
		kml_boot.on = true;
		stack_depot_request_early_init();
	}
	return 0;
}
early_param("kmemleak", kml_boot_setup);
