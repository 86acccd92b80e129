// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Picks the worker that a datagram's call belongs to, by the hash that the daemon goes by. Where it
 * finds no plain Call-ID it leaves the choice to the kernel: the daemon passes on what it has got
 * wrong. */
#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "maps/siphash.h"

#define UDP_HEADER 8
#define LOOKED_AT 1024 /* bytes of the message; a power of two */
#define CALL_ID_MAX 128
#define WORKERS_MAX 64

/* As in linux/bpf.h, as far as it is used. */
struct sk_reuseport_md {
	void *data, *data_end;
	__u32 len;
};
enum { SK_PASS = 1 };

const volatile __u8 key[SIPHASH_KEY_SIZE];
const volatile __u32 count = 1;
/* Not local to its function: clang 14 describes such a one wrongly. */
const volatile char field_name[8] = "call-id:";

struct {
	__uint(type, BPF_MAP_TYPE_REUSEPORT_SOCKARRAY);
	__uint(max_entries, WORKERS_MAX);
	__type(key, __u32);
	__type(value, __u64);
} workers SEC(".maps");

struct search {
	__u32 column;		    /* in the line */
	bool long_form, short_form; /* the line has begun as "Call-ID:", "i:" so far */
	__u32 start, end;	    /* of the value; 0 = not found yet */
};

/* What is found stands in a map too: of what stands on the stack the verifier of 6.1 takes for
 * certain what one round of bpf_loop leaves there, and cuts off the code for the rest. */
struct message {
	char text[LOOKED_AT];
	struct search search;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct message);
} messages SEC(".maps");

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* What the byte says about the line's name. True: the value begins behind it. */
static bool is_name(struct search *search, char c)
{
	__u32 column = search->column;

	search->long_form &= column < sizeof(field_name) && field_name[column & 7] == lower(c);
	search->short_form &= column == 0 ? lower(c) == 'i' : column == 1 && c == ':';
	return (search->long_form && column == sizeof(field_name) - 1) ||
	       (search->short_form && column == 1);
}

static long look_at(__u32 i, struct message **message)
{
	struct search *search = &(*message)->search;
	char c = (*message)->text[i & (LOOKED_AT - 1)];
	bool space = c == ' ' || c == '\t', ends = space || c == '\r' || c == '\n';

	if (search->start) {
		/* The value holds no white space: what stands around it is not part of it. */
		if (search->start == i && space)
			search->start++;
		else if (ends)
			search->end = i;
		return search->end ? 1 : 0;
	}
	if (c == '\n') {
		/* The empty line. */
		if (!search->column)
			return 1;
		search->column = 0;
		search->long_form = search->short_form = true;
		return 0;
	}
	if (c == '\r')
		return 0;
	if (is_name(search, c))
		search->start = i + 1;
	search->column++;
	return 0;
}

/* NULL: there is none that is whole, or it is too long. */
static const struct search *find_call_id(struct sk_reuseport_md *ctx)
{
	__u32 zero = 0, n = ctx->len - UDP_HEADER;
	struct message *message = bpf_map_lookup_elem(&messages, &zero);
	const struct search *found;

	if (!message || ctx->len <= UDP_HEADER)
		return NULL;
	if (n > LOOKED_AT)
		n = LOOKED_AT;
	/* clang would leave the lower bound to the test before the subtraction, and 6.1 takes none
	 * from a test for zero. */
	barrier_var(n);
	if ((__s32)n <= 0 || n > LOOKED_AT ||
	    bpf_skb_load_bytes(ctx, UDP_HEADER, message->text, n))
		return NULL;
	message->search = (struct search){.long_form = true, .short_form = true};
	bpf_loop(n, look_at, &message, 0);
	found = &message->search;
	return found->end > found->start && found->end - found->start <= CALL_ID_MAX ? found : NULL;
}

SEC("sk_reuseport")
int steer(struct sk_reuseport_md *ctx)
{
	const struct search *search = find_call_id(ctx);
	__u8 call_id[CALL_ID_MAX + 8] = {0}, secret[SIPHASH_KEY_SIZE];
	struct siphash hash;
	__u32 n, worker;

	if (!search)
		return SK_PASS;
	n = search->end - search->start;
	barrier_var(n);
	if ((__s32)n <= 0 || n > CALL_ID_MAX ||
	    bpf_skb_load_bytes(ctx, UDP_HEADER + search->start, call_id, n))
		return SK_PASS;
	for (int i = 0; i < SIPHASH_KEY_SIZE; i++)
		secret[i] = key[i];
	siphash_init(&hash, secret, SIPHASH_64);
	worker = siphash_final_64(&hash, siphash_bytes(&hash, call_id, n)) % (count ? count : 1);
	bpf_sk_select_reuseport(ctx, &workers, &worker, 0);
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
