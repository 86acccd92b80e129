/* SPDX-License-Identifier: BSD-2-Clause */
/* libbpf and libxdp explain their failures on standard error. Here the explanation is caught and
 * kept for the sentence that the user will read. */
#ifndef SIPWARD_FILTER_LIBBPF_LOG_H
#define SIPWARD_FILTER_LIBBPF_LOG_H

/* From now on nothing is printed; what this thread has caught so far is forgotten. */
void libbpf_log_catch(void);

/* What this thread caught since: the first complaint and, if the verifier had one, its last line;
 * one line, "" if there was none. Valid until the next libbpf_log_catch of this thread. */
const char *libbpf_log_caught(void);

#endif
