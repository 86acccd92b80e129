/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Call records: SQLite (WAL) in a file of their own, STATE_DIR/calls.db, so that writing them never
 * holds up a change of the configuration. One row a call that is over, in table "call"; calls that
 * a stopping daemon leaves alive are in "live_call" until they are over.
 *
 * What was written outlives kill -9; power loss may take the last seconds. Errors are those of
 * store.h. A struct store_calls belongs to one thread at a time.
 */
#ifndef SIPWARD_STORE_CALL_H
#define SIPWARD_STORE_CALL_H

#include "store/store.h"

/* More rows than that are not kept; the oldest go. */
#define STORE_CALLS_MAX 20000000

enum call_direction { CALL_INBOUND, CALL_OUTBOUND }; /* from a customer; to a customer */
enum call_party { CALL_NOBODY, CALL_CALLER, CALL_CALLEE, CALL_GATE };
enum call_transport { CALL_UDP = 1, CALL_TCP, CALL_TLS }; /* as enum net_transport */

/* inbound, outbound */
const char *call_direction_name(enum call_direction direction);
/* nobody, caller, callee, gate */
const char *call_party_name(enum call_party party);
/* udp, tcp, tls; unknown for others */
const char *call_transport_name(enum call_transport transport);

/* Why a call ended. */
struct call_cause {
	const char *name; /* completed, busy, … */
	unsigned code;
	const char *direction; /* inbound, outbound; NULL: the call's own */
	const char *status;    /* completed, busy, no-answer, failed, timeout, cancel */
};

#define CALL_TEXT_SIZE 128 /* of each text, with its zero */

struct call_record {
	int64_t start_ms, answered_ms, ended_ms; /* Unix time; 0 = not */
	const struct call_cause *cause;		 /* NULL: it is not over */
	struct endpoint source;			 /* where its INVITE came from */
	const char *trunk, *user, *from, *to, *call_id, *upstream; /* never NULL */
	uint16_t sip_status; /* the final one of its INVITE; 0 = none */
	uint8_t transport;   /* enum call_transport, of the source */
	uint8_t auth;	     /* enum store_auth_type */
	uint8_t direction;   /* enum call_direction */
	uint8_t ended_by;    /* enum call_party */
};
/* From answer to end; 0 if it was not answered or is not over. */
int64_t call_duration_ms(const struct call_record *record);
/* The cause's, or else the call's. */
const char *call_cause_direction(const struct call_record *record);

/* A call that is not over, and what its dialog needs. */
struct store_live_call {
	uint64_t dialog;
	uint32_t cseq_extra, invite_offset;
	struct call_record record;
};

struct store_calls;

/* Opens or creates the file. */
int store_calls_open(const char *state_dir, struct store_calls **ret_calls, struct error *err);
void store_calls_close(struct store_calls *calls);
/* Whether there is one: for who only reads. */
bool store_calls_exist(const char *state_dir);

struct store_call_change {
	const struct call_record *record;
	bool live;	      /* not over: it replaces the one of its dialog */
	bool was_live;	      /* it is over now, and leaves the live ones */
	uint64_t dialog;      /* of both */
	uint32_t cseq_extra, invite_offset;
};
/* All or nothing. Waits 50 ms at most for another process (-EBUSY). */
int store_calls_write(struct store_calls *calls, const struct store_call_change *changes, size_t n,
		      struct error *err);

struct store_call_query {
	int64_t since_ms;  /* calls that began then or later */
	const char *trunk; /* NULL: any */
	uint32_t limit;	   /* the latest so many of them */
};
/* In the order they began. Texts last until the visitor returns; a result other than 0 ends the
 * walk and is returned. */
int store_calls_each(struct store_calls *calls, const struct store_call_query *query,
		     int (*visit)(const struct call_record *record, void *arg), void *arg,
		     struct error *err);
int store_calls_live_each(struct store_calls *calls,
			  int (*visit)(const struct store_live_call *call, void *arg), void *arg,
			  struct error *err);
/* Removes at most n of the calls that began before the time, or are more than are kept: how many,
 * or a negative errno. Waits as little as store_calls_write. */
int store_calls_prune(struct store_calls *calls, int64_t before_ms, size_t n, struct error *err);

#endif
