/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "cli/output.h"

#define FINDINGS_MAX 64

static const char *level_name(enum filter_finding_level level)
{
	switch (level) {
	case FILTER_FINDING_OK:
		return "ok";
	case FILTER_FINDING_WARNING:
		return "warning";
	default:
		return "problem";
	}
}

static void print_finding(const struct filter_finding *finding)
{
	printf("%-8s %-14s %s\n", level_name(finding->level), finding->check, finding->text);
	if (finding->mend[0])
		printf("%-8s %-14s mend: %s\n", "", "", finding->mend);
}

static json_t *finding_json(const struct filter_finding *finding)
{
	return json_pack("{s:s, s:s, s:o, s:o}", "level", level_name(finding->level), "check",
			 finding->check, "text", output_text(finding->text), "mend",
			 output_text(finding->mend));
}

int cmd_doctor(struct cli *cli)
{
	struct filter_finding findings[FINDINGS_MAX];
	const char *ifname = cli->arg_count ? cli->args[0] : NULL;
	size_t n = 0, problems = 0;
	int rc = filter_doctor(cli->pin_dir, ifname, findings, FINDINGS_MAX, &n);
	if (rc < 0)
		return cli_error(cli, rc, "can not look at %s: %s", ifname ? ifname : "the machine",
				 strerror(-rc));
	json_t *rows = json_array();
	for (size_t i = 0; i < n && i < FINDINGS_MAX && rc == 0; i++) {
		problems += findings[i].level == FILTER_FINDING_PROBLEM;
		if (cli->json)
			rc = output_append(rows, finding_json(&findings[i]));
		else
			print_finding(&findings[i]);
	}
	if (cli->json && rc == 0)
		rc = output_json(cli, rows);
	else
		json_decref(rows);
	if (rc == 0 && problems)
		rc = cli_error(cli, -EIO, "%zu problem%s found", problems, problems > 1 ? "s" : "");
	return rc;
}
