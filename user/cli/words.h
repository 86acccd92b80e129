/* SPDX-License-Identifier: BSD-2-Clause */
/* The words for the enums and ports of filter and store. */
#ifndef SIPWARD_CLI_WORDS_H
#define SIPWARD_CLI_WORDS_H

#include <jansson.h>

#include "cli/cli.h"

const char *xdp_mode_name(enum filter_xdp_mode mode);
/* "link", and for people "own link". */
const char *via_name(enum filter_via via);
const char *via_text(enum filter_via via);
const char *mode_name(uint32_t mode);
const char *unlisted_name(uint32_t unlisted);
const char *unlisted_choice_name(enum store_unlisted unlisted);

#define PORTS_TEXT_SIZE (SIPWARD_PORTS_MAX * 10 + 1)
/* The SIP ports as udp/5060 tcp/5060 …; count 0 stands for the default ones. */
void ports_format(const struct sipward_port *ports, unsigned count, char text[PORTS_TEXT_SIZE]);
json_t *ports_json(const struct sipward_port *ports, unsigned count);

#endif
