/* SPDX-License-Identifier: BSD-2-Clause */
/* Any JSON as a document: an error with a sentence and nothing changed, or success, and then the
 * store is what the document says. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "document/document.h"

static const struct document_key key = {.bytes = {1}, .present = true};
static struct store *store;
static char dir[] = "/dev/shm/sipward-fuzz-document-XXXXXX";

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void remove_dir(void)
{
	static const char *const files[] = {"sipward.db", "sipward.db-wal", "sipward.db-shm"};

	store_close(store);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[80];

		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	must(mkdtemp(dir) && store_open(dir, &store, NULL) == 0);
	atexit(remove_dir);
	return 0;
}

static char *export(void)
{
	json_t *document = NULL;
	char *text;

	must(document_export(store, &key, &document, NULL) == 0);
	text = json_dumps(document, JSON_COMPACT);
	must(text != NULL);
	json_decref(document);
	return text;
}

/* No difference is left, whatever it was. */
static void must_be_equal(const json_t *document)
{
	size_t changes = 1;

	must(document_apply(store, document, &key, true, NULL, NULL, &changes, NULL) == 0);
	must(changes == 0);
}

static void tell(char sign, const char *what, void *arg)
{
	(void)arg;
	must((sign == '+' || sign == '-' || sign == '~') && what[0]);
	for (; *what; what++)
		must((unsigned char)*what >= 0x20 && *what != 0x7f);
}

/* Whether no upstream is a name: no resolver is to be asked. */
static bool all_addresses(const json_t *document)
{
	json_t *trunks = json_object_get(document, "trunks"), *trunk;
	const char *name;

	json_object_foreach(trunks, name, trunk)
	{
		const char *uri = json_string_value(json_object_get(trunk, "upstream"));

		if (uri && strspn(uri, "sip:[]0123456789.") != strlen(uri))
			return false;
	}
	return true;
}

static void check(const json_t *document)
{
	struct error err = {0};
	size_t dry = 0, real = 0;
	char *before = export(), *after;
	int rc = document_apply(store, document, &key, true, tell, NULL, &dry, &err);

	after = export();
	must(strcmp(before, after) == 0);
	must(rc == 0 || err.text[0]);
	if (rc == 0 && all_addresses(document)) {
		must(document_apply(store, document, &key, false, tell, NULL, &real, &err) == 0);
		must(real == dry);
		must_be_equal(document);
	}
	free(before);
	free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *document = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);

	if (document)
		check(document);
	json_decref(document);
	return 0;
}
