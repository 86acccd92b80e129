/* SPDX-License-Identifier: BSD-2-Clause */
/* Odd messages, written for this project: what is taken, what is refused, and how. The ground is
 * that of RFC 4475 and RFC 5118, and what request smuggling needs. */
#ifndef SIPWARD_ODD_MESSAGES_H
#define SIPWARD_ODD_MESSAGES_H

#include "sip/sip_msg.h"

struct odd_message {
	const char *name; /* the behaviour, as the test is called */
	struct slice raw;
	enum sip_parse_result result;
	const char *why;    /* NULL: any */
	unsigned headers;   /* of accepted ones: how many header fields */
	unsigned body_size; /* of accepted ones */
};

#define VIA_LINE "Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKodd\r\n"
#define FROM_LINE "From: <sip:alice@example.net>;tag=1\r\n"
#define TO_LINE "To: <sip:bob@example.com>\r\n"
#define CALL_ID_LINE "Call-ID: odd@192.0.2.10\r\n"
#define CSEQ_LINE(method) "CSeq: 7 " method "\r\n"
#define ADDRESSES FROM_LINE TO_LINE CALL_ID_LINE
#define FIVE(method) VIA_LINE ADDRESSES CSEQ_LINE(method)
#define REQUEST(method, uri) method " " uri " SIP/2.0\r\n"
#define INVITE_LINE REQUEST("INVITE", "sip:bob@example.com")
#define EMPTY "Content-Length: 0\r\n\r\n"

#define TAKEN(text, name_, headers_, body_)                                                        \
	{                                                                                          \
		.name = name_, .raw = {text, sizeof(text) - 1}, .result = SIP_PARSE_OK,            \
		.headers = headers_, .body_size = body_                                            \
	}
#define REFUSED(text, name_, result_, why_)                                                        \
	{                                                                                          \
		.name = name_, .raw = {text, sizeof(text) - 1}, .result = SIP_PARSE_##result_,     \
		.why = why_                                                                        \
	}

static const struct odd_message odd_messages[] = {
    TAKEN(INVITE_LINE FIVE("INVITE") EMPTY, "plain_request_is_taken", 6, 0),
    TAKEN("\r\n\r\n" INVITE_LINE FIVE("INVITE") EMPTY, "leading_line_ends_are_skipped", 6, 0),
    TAKEN(INVITE_LINE FIVE("INVITE") "\r\n", "content_length_may_be_absent", 5, 0),
    TAKEN(INVITE_LINE FIVE("INVITE") "\r\nhello", "body_without_length_is_the_rest", 5, 5),
    TAKEN(INVITE_LINE FIVE("INVITE") "l: 2\r\n\r\nhello", "body_is_cut_to_its_length", 6, 2),
    TAKEN(INVITE_LINE FIVE("INVITE") "l: 3\r\n\r\na\0b", "body_may_hold_zero_bytes", 6, 3),
    TAKEN("OPTIONS sip:example.com SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1\n"
	  "From: <sip:a@a.example>;tag=1\nTo: <sip:example.com>\nCall-ID: 1@a\n"
	  "CSeq: 1 OPTIONS\n\nbody",
	  "bare_line_feeds_end_lines", 5, 4),
    TAKEN(INVITE_LINE "v: SIP/2.0/UDP a.example;branch=z9hG4bK1\r\nf: sip:a@a.example;tag=1\r\n"
		      "t: sip:b@b.example\r\ni: 1\r\nCSeq: 1 INVITE\r\nm: <sip:a@a>\r\n"
		      "k: timer\r\nc: text/plain\r\nl: 0\r\n\r\n",
	  "compact_forms_count_as_long_ones", 9, 0),
    TAKEN(INVITE_LINE "vIA \t: SIP / 2.0\r\n / UDP\r\n\t a.example ; branch\r\n = z9hG4bK1 , "
		      "SIP/2.0/TCP b.example\r\n" ADDRESSES "cseq:\r\n 0007\r\n\tINVITE\r\n\r\n",
	  "folds_and_spaces_are_taken_where_allowed", 5, 0),
    TAKEN(REQUEST("Ping!%*_+`'~", "sip:bob@example.com") FIVE("Ping!%*_+`'~") EMPTY,
	  "method_may_be_any_token", 6, 0),
    TAKEN(REQUEST("invite", "sip:bob@example.com") FIVE("invite") EMPTY,
	  "method_in_small_letters_is_another_method", 6, 0),
    TAKEN(INVITE_LINE VIA_LINE
	  "From: \"a\\\0b\\\"<\" <sip:a@a.example>;tag=1\r\n" TO_LINE CALL_ID_LINE CSEQ_LINE(
	      "INVITE") EMPTY,
	  "quoted_pair_may_hold_a_zero_byte", 6, 0),
    TAKEN(INVITE_LINE VIA_LINE
	  "From: caller<sip:a@a.example>;tag=1\r\n" TO_LINE CALL_ID_LINE CSEQ_LINE("INVITE") EMPTY,
	  "display_name_may_touch_the_bracket", 6, 0),
    TAKEN(REQUEST("INVITE", "sip:a?b;c=d:pass@[2001:db8::1]:5070;lr;x=%41") FIVE("INVITE") EMPTY,
	  "user_may_hold_odd_characters_and_host_be_ipv6", 6, 0),
    TAKEN(REQUEST("INVITE", "tel:+1-212-555-0100;phone-context=x") FIVE("INVITE") EMPTY,
	  "tel_uri_is_taken", 6, 0),
    TAKEN(REQUEST("OPTIONS", "soap.beep://192.0.2.1:99") FIVE("OPTIONS") EMPTY,
	  "foreign_scheme_is_taken", 6, 0),
    TAKEN(REQUEST("REGISTER", "sip:example.com") VIA_LINE
	  "From: <sip:null-%00-null@example.com>;tag=1\r\n" TO_LINE CALL_ID_LINE CSEQ_LINE(
	      "REGISTER") EMPTY,
	  "escaped_zero_byte_does_not_end_a_header", 6, 0),
    TAKEN(INVITE_LINE
	  "Via: SIP/2.0/WEIRD [2001:db8::2]:5060;received=[2001:db8::3];rport\r\n" ADDRESSES
	      CSEQ_LINE("INVITE") EMPTY,
	  "via_may_name_ipv6_and_unknown_transports", 6, 0),
    TAKEN(INVITE_LINE FIVE("INVITE") "Date: Fri, 41 Bla 2010\r\nX: ;;,,\"\r\n\r\n",
	  "headers_of_no_concern_are_not_judged", 7, 0),
    TAKEN(INVITE_LINE FIVE("INVITE") "Subject:\r\nX-A!-.%*+_`'~:v\r\n\r\n",
	  "header_value_may_be_empty_and_name_any_token", 7, 0),
    TAKEN("SIP/2.0 200 = 2**3 * \xd0\xb4\r\n" FIVE("INVITE") EMPTY, "reason_may_be_odd", 6, 0),
    TAKEN("SIP/2.0 100 \r\n" FIVE("INVITE") EMPTY, "reason_may_be_empty", 6, 0),

    REFUSED("", "empty_datagram_is_no_sip", NOT_SIP, NULL),
    REFUSED("\r\n\r\n", "keep_alive_is_no_sip", NOT_SIP, NULL),
    REFUSED("\0\1\0\0!\x12\xa4\x42"
	    "abcdefghijkl",
	    "stun_is_no_sip", NOT_SIP, NULL),
    REFUSED("INVITE sip:bob@example.com SIP/2.0", "lone_start_line_without_end_is_no_sip", NOT_SIP,
	    NULL),
    REFUSED("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "http_is_no_sip", NOT_SIP, NULL),
    REFUSED("INVITE sip:bob@example.com\r\n" FIVE("INVITE") EMPTY,
	    "request_line_without_version_is_no_sip", NOT_SIP, NULL),
    REFUSED("INVITE sip:bob@example.com SIP/7.0\r\n" FIVE("INVITE") EMPTY, "other_version_is_told",
	    BAD_VERSION, "Version Not Supported"),
    REFUSED("INVITE sip:bob@example.com SIP/2.0x\r\n" FIVE("INVITE") EMPTY,
	    "malformed_version_is_refused", BAD_REQUEST, "Malformed SIP Version"),
    REFUSED("INVITE  sip:bob@example.com SIP/2.0\r\n" FIVE("INVITE") EMPTY,
	    "second_space_after_method_is_refused", BAD_REQUEST, "Malformed Request-URI"),
    REFUSED("INVITE sip:bob@example.com  SIP/2.0\r\n" FIVE("INVITE") EMPTY,
	    "second_space_before_version_is_refused", BAD_REQUEST, "Malformed Request-URI"),
    REFUSED("INVITE sip:bob@example.com SIP/2.0 \r\n" FIVE("INVITE") EMPTY,
	    "space_after_version_is_refused", BAD_REQUEST, "Extra Space in Request Line"),
    REFUSED(" INVITE sip:bob@example.com SIP/2.0\r\n" FIVE("INVITE") EMPTY,
	    "space_before_method_is_refused", BAD_REQUEST, "Extra Space in Request Line"),
    REFUSED("INV(ITE sip:bob@example.com SIP/2.0\r\n" FIVE("INVITE") EMPTY,
	    "method_that_is_no_token_is_refused", BAD_REQUEST, "Malformed Method"),
    REFUSED(REQUEST("INVITE", "<sip:bob@example.com>") FIVE("INVITE") EMPTY,
	    "request_uri_in_brackets_is_refused", BAD_REQUEST, "Malformed Request-URI"),
    REFUSED(REQUEST("INVITE", "sip:bob@example.com; lr") FIVE("INVITE") EMPTY,
	    "space_in_request_uri_is_refused", BAD_REQUEST, "Malformed Request-URI"),
    REFUSED(REQUEST("INVITE", "sip:bob@example.com?Route=%3Csip:x%3E") FIVE("INVITE") EMPTY,
	    "headers_in_request_uri_are_refused", BAD_REQUEST, "Headers in Request-URI"),
    REFUSED(REQUEST("INVITE", "sip:bob@example.com?x=@y") FIVE("INVITE") EMPTY,
	    "headers_in_request_uri_can_not_hide_behind_an_at", BAD_REQUEST,
	    "Headers in Request-URI"),
    REFUSED(REQUEST("INVITE", "sip:2001:db8::10") FIVE("INVITE") EMPTY,
	    "ipv6_without_brackets_is_refused", BAD_REQUEST, "Malformed Request-URI"),
    REFUSED(REQUEST("INVITE", "sip:a@b@example.com") FIVE("INVITE") EMPTY, "second_at_is_refused",
	    BAD_REQUEST, "Malformed Request-URI"),
    REFUSED(REQUEST("INVITE", "sip:bob@example.com:99999") FIVE("INVITE") EMPTY,
	    "port_above_65535_is_refused", BAD_REQUEST, "Malformed Request-URI"),
    REFUSED(REQUEST("INVITE", "example.com") FIVE("INVITE") EMPTY,
	    "request_uri_without_scheme_is_refused", BAD_REQUEST, "Malformed Request-URI"),
    REFUSED(INVITE_LINE FIVE("INVITE") "X: a\rY: b\r\n\r\n", "cr_without_lf_is_refused",
	    BAD_REQUEST, "CR Without LF"),
    REFUSED(INVITE_LINE FIVE("INVITE") "X: a\r\r\n\r\n", "two_crs_are_refused", BAD_REQUEST,
	    "CR Without LF"),
    REFUSED(INVITE_LINE FIVE("INVITE") "X: a\r\n \t\r\nY: b\r\n\r\n",
	    "blank_continuation_line_is_refused", BAD_REQUEST, "Empty Continuation Line"),
    REFUSED(INVITE_LINE " X: a\r\n" FIVE("INVITE") EMPTY,
	    "continuation_of_the_start_line_is_refused", BAD_REQUEST, "Malformed Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE") "no colon here\r\n\r\n", "line_without_colon_is_refused",
	    BAD_REQUEST, "Malformed Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE") ": nameless\r\n\r\n", "nameless_header_is_refused",
	    BAD_REQUEST, "Malformed Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Route\r\n : <sip:x;lr>\r\n\r\n",
	    "fold_before_the_colon_is_refused", BAD_REQUEST, "Malformed Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Bad name: x\r\n\r\n", "space_in_a_header_name_is_refused",
	    BAD_REQUEST, "Malformed Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE") "X: a\0b\r\n\r\n", "zero_byte_in_header_is_refused",
	    BAD_REQUEST, "Zero Byte in Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE") "X: \\\0b\r\n\r\n",
	    "zero_byte_is_no_quoted_pair_outside_quotes", BAD_REQUEST, "Zero Byte in Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE") "X: \"\\\\\0\"\r\n\r\n",
	    "zero_byte_after_an_escaped_backslash_is_refused", BAD_REQUEST,
	    "Zero Byte in Header Field"),
    REFUSED(INVITE_LINE FIVE("INVITE"), "missing_empty_line_is_refused", BAD_REQUEST,
	    "Missing Empty Line"),
    REFUSED(INVITE_LINE FIVE("INVITE") "X: cut", "line_without_end_is_refused", BAD_REQUEST,
	    "Missing Empty Line"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Content-Length: 6\r\n\r\nhello",
	    "length_beyond_the_datagram_is_refused", BAD_REQUEST, "Content-Length Beyond Datagram"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Content-Length: -5\r\n\r\nhello",
	    "negative_length_is_refused", BAD_REQUEST, "Malformed Content-Length"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Content-Length: 4294967301\r\n\r\nhello",
	    "length_above_32_bits_is_refused", BAD_REQUEST, "Malformed Content-Length"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Content-Length:\r\n\r\nhello", "empty_length_is_refused",
	    BAD_REQUEST, "Malformed Content-Length"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Content-Length: 5, 5\r\n\r\nhello",
	    "list_of_lengths_is_refused", BAD_REQUEST, "Malformed Content-Length"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Content-Length: 5\r\nl: 4\r\n\r\nhello",
	    "differing_lengths_are_refused", BAD_REQUEST, "Content-Length Stands Twice"),
    REFUSED(INVITE_LINE FIVE("INVITE") "l: 5\r\nContent-Length: 5\r\n\r\nhello",
	    "equal_lengths_are_refused", BAD_REQUEST, "Content-Length Stands Twice"),
    REFUSED(INVITE_LINE VIA_LINE ADDRESSES CSEQ_LINE("BYE") EMPTY, "cseq_method_must_match",
	    BAD_REQUEST, "CSeq Method Does Not Match"),
    REFUSED(INVITE_LINE VIA_LINE ADDRESSES "CSeq: 4294967296 INVITE\r\n" EMPTY,
	    "cseq_above_32_bits_is_refused", BAD_REQUEST, "Malformed CSeq"),
    REFUSED(INVITE_LINE VIA_LINE ADDRESSES "CSeq: 7INVITE\r\n" EMPTY,
	    "cseq_without_space_is_refused", BAD_REQUEST, "Malformed CSeq"),
    REFUSED(INVITE_LINE VIA_LINE ADDRESSES "CSeq: 7\r\n" EMPTY, "cseq_without_method_is_refused",
	    BAD_REQUEST, "Malformed CSeq"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Max-Forwards: 256\r\n\r\n",
	    "max_forwards_above_255_is_refused", BAD_REQUEST, "Malformed Max-Forwards"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Max-Forwards: ten\r\n\r\n", "max_forwards_must_be_a_number",
	    BAD_REQUEST, "Malformed Max-Forwards"),
    REFUSED(INVITE_LINE FIVE("INVITE") "Max-Forwards: 7\r\nMax-Forwards: 7\r\n\r\n",
	    "second_max_forwards_is_refused", BAD_REQUEST, "Max-Forwards Stands Twice"),
    REFUSED(INVITE_LINE FIVE("INVITE") FROM_LINE "\r\n", "second_from_is_refused", BAD_REQUEST,
	    "From Stands Twice"),
    REFUSED(INVITE_LINE FIVE("INVITE") "t: <sip:c@example.com>\r\n\r\n",
	    "second_to_in_compact_form_is_refused", BAD_REQUEST, "To Stands Twice"),
    REFUSED(INVITE_LINE FIVE("INVITE") "i: other\r\n\r\n", "second_call_id_is_refused", BAD_REQUEST,
	    "Call-ID Stands Twice"),
    REFUSED(INVITE_LINE FIVE("INVITE") CSEQ_LINE("INVITE") "\r\n", "second_cseq_is_refused",
	    BAD_REQUEST, "CSeq Stands Twice"),
    REFUSED(INVITE_LINE VIA_LINE FROM_LINE TO_LINE "Call-ID: a\r\n b\r\n" CSEQ_LINE("INVITE") EMPTY,
	    "white_space_in_call_id_is_refused", BAD_REQUEST, "Malformed Call-ID"),
    REFUSED(INVITE_LINE "Via: SIP/2.0/UDP 192.0.2.15;;,;,,\r\n" ADDRESSES CSEQ_LINE("INVITE") EMPTY,
	    "empty_parts_of_via_are_refused", BAD_REQUEST, "Malformed Via"),
    REFUSED(INVITE_LINE VIA_LINE "Via: SIP/2.0/UDP\r\n" ADDRESSES CSEQ_LINE("INVITE") EMPTY,
	    "via_without_sent_by_is_refused", BAD_REQUEST, "Malformed Via"),
    REFUSED(INVITE_LINE "Via: SIP/2.0/UDP a;branch=1;branch=2\r\n" ADDRESSES CSEQ_LINE("INVITE")
		EMPTY,
	    "via_with_two_branches_is_refused", BAD_REQUEST, "Malformed Via"),
    REFUSED(INVITE_LINE "Via: SIP/3.0/UDP a;branch=1\r\n" ADDRESSES CSEQ_LINE("INVITE") EMPTY,
	    "via_of_another_version_is_refused", BAD_REQUEST, "Malformed Via"),
    REFUSED(INVITE_LINE VIA_LINE FROM_LINE
	    "To: \"Mr. J. User <sip:j@example.com>\r\n" CALL_ID_LINE CSEQ_LINE("INVITE") EMPTY,
	    "unended_quoted_string_is_refused", BAD_REQUEST, "Malformed To"),
    REFUSED(INVITE_LINE VIA_LINE FROM_LINE
	    "To: < sip:j@example.com >\r\n" CALL_ID_LINE CSEQ_LINE("INVITE") EMPTY,
	    "spaces_inside_the_brackets_are_refused", BAD_REQUEST, "Malformed To"),
    REFUSED(INVITE_LINE VIA_LINE
	    "From: Bell, Alexander <sip:a@example.com>;tag=43\r\n" TO_LINE CALL_ID_LINE CSEQ_LINE(
		"INVITE") EMPTY,
	    "comma_in_an_unquoted_display_name_is_refused", BAD_REQUEST, "Malformed From"),
    REFUSED(INVITE_LINE VIA_LINE
	    "From: sip:a@example.com;tag=1, sip:b@example.com\r\n" TO_LINE CALL_ID_LINE CSEQ_LINE(
		"INVITE") EMPTY,
	    "two_addresses_in_from_are_refused", BAD_REQUEST, "Malformed From"),
    REFUSED(INVITE_LINE VIA_LINE
	    "From: <sip:a@example.com>;tag=1;tag=2\r\n" TO_LINE CALL_ID_LINE CSEQ_LINE("INVITE")
		EMPTY,
	    "two_tags_are_refused", BAD_REQUEST, "Malformed From"),
    REFUSED(INVITE_LINE ADDRESSES CSEQ_LINE("INVITE") EMPTY, "missing_via_can_not_be_answered",
	    UNANSWERABLE, "Missing Via"),
    REFUSED(INVITE_LINE VIA_LINE TO_LINE CALL_ID_LINE CSEQ_LINE("INVITE") EMPTY,
	    "missing_from_can_not_be_answered", UNANSWERABLE, "Missing From"),
    REFUSED(INVITE_LINE VIA_LINE FROM_LINE CALL_ID_LINE CSEQ_LINE("INVITE") EMPTY,
	    "missing_to_can_not_be_answered", UNANSWERABLE, "Missing To"),
    REFUSED(INVITE_LINE VIA_LINE FROM_LINE TO_LINE CSEQ_LINE("INVITE") EMPTY,
	    "missing_call_id_can_not_be_answered", UNANSWERABLE, "Missing Call-ID"),
    REFUSED(INVITE_LINE VIA_LINE ADDRESSES EMPTY, "missing_cseq_can_not_be_answered", UNANSWERABLE,
	    "Missing CSeq"),
    REFUSED(INVITE_LINE VIA_LINE FROM_LINE TO_LINE "Call-ID:\r\n" CSEQ_LINE("INVITE") EMPTY,
	    "empty_call_id_can_not_be_answered", UNANSWERABLE, "Missing Call-ID"),
    REFUSED("SIP/2.0 4294967301 OK\r\n" FIVE("INVITE") EMPTY, "status_above_699_is_dropped",
	    UNANSWERABLE, "Malformed Status"),
    REFUSED("SIP/2.0 700 OK\r\n" FIVE("INVITE") EMPTY, "status_700_is_dropped", UNANSWERABLE,
	    "Malformed Status"),
    REFUSED("SIP/2.0 099 OK\r\n" FIVE("INVITE") EMPTY, "status_99_is_dropped", UNANSWERABLE,
	    "Malformed Status"),
    REFUSED("SIP/2.0 20 OK\r\n" FIVE("INVITE") EMPTY, "status_of_two_digits_is_dropped",
	    UNANSWERABLE, "Malformed Status"),
    REFUSED("SIP/3.0 200 OK\r\n" FIVE("INVITE") EMPTY, "response_of_another_version_is_dropped",
	    UNANSWERABLE, "Version Not Supported"),
    REFUSED("SIP/2.0 200 OK\r\n" FIVE("INVITE") "l: 9\r\n\r\n",
	    "malformed_response_is_never_answered", UNANSWERABLE, "Content-Length Beyond Datagram"),
};

#define ODD_MESSAGES (sizeof(odd_messages) / sizeof(odd_messages[0]))

#endif
