/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/mac.h"

#include "base/siphash.h"

void mac_begin(struct mac *mac, const uint8_t *key, enum mac_purpose purpose)
{
	mac->key = key;
	mac->parts[0] = purpose;
	mac->count = 1;
}

void mac_number(struct mac *mac, uint64_t field)
{
	mac->parts[mac->count++] = field;
}

void mac_slice(struct mac *mac, struct slice field)
{
	mac_number(mac, siphash_64(mac->key, field.p, field.n));
}

void mac_ip(struct mac *mac, const struct ip *ip)
{
	mac_slice(mac, (struct slice){(const char *)ip, sizeof(*ip)});
}

uint64_t mac_end(const struct mac *mac)
{
	return siphash_64(mac->key, mac->parts, mac->count * sizeof(mac->parts[0]));
}

void mac_format(uint64_t value, char text[MAC_TEXT_SIZE])
{
	hex_encode(&value, sizeof(value), text);
}

bool mac_matches(uint64_t value, struct slice text)
{
	char expected[MAC_TEXT_SIZE];
	unsigned char difference = 0;

	if (text.n != MAC_TEXT_SIZE - 1)
		return false;
	mac_format(value, expected);
	for (size_t i = 0; i < text.n; i++)
		difference |= (unsigned char)(expected[i] ^ text.p[i]);
	return difference == 0;
}
