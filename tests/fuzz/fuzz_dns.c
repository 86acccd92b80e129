/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the answer of a name server: what is read from it holds. */
#include <errno.h>
#include <stdlib.h>

#include "dns/answer.h"

static int check_record(const struct answer_record *record, void *type)
{
	const bool named = *(ns_type *)type == ns_t_srv || *(ns_type *)type == ns_t_naptr;

	if (record->ttl_s > INT32_MAX || strchr(record->target, '\\'))
		abort();
	if (named ? record->ip.family != 0 : record->ip.family != 4 && record->ip.family != 6)
		abort();
	if (record->service[0] && (*(ns_type *)type != ns_t_naptr || !record->target[0] ||
				   strlen(record->service) >= sizeof(record->service)))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const ns_type types[] = {ns_t_a, ns_t_aaaa, ns_t_srv, ns_t_naptr};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		ns_type type = types[i];
		int rc = answer_each((struct slice){(const char *)data, size}, "a.example", type,
				     check_record, &type);

		if (rc != 0 && rc != -ENODATA && rc != -EBADMSG)
			abort();
	}
	return 0;
}
