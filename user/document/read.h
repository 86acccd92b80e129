/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_DOCUMENT_READ_H
#define SIPWARD_DOCUMENT_READ_H

#include "document/document.h"
#include "document/state.h"

/* What the document wants. -EINVAL: the sentence begins with the place. */
int document_read(const json_t *document, const struct document_key *key, struct state *ret_state,
		  struct error *err);

#endif
