// SPDX-License-Identifier: GPL-2.0-only
/* Strings, sorting and the checksum. */
#include <ctype.h>
#include <stdlib.h>

#include "../os.h"

ssize_t shim_strscpy(char *dst, const char *src, size_t n)
{
	size_t len = strnlen(src, n);

	if (!n)
		return -E2BIG;
	if (len == n) {
		memcpy(dst, src, n - 1);
		dst[n - 1] = 0;
		return -E2BIG;
	}
	memcpy(dst, src, len + 1);
	return len;
}

char *skip_spaces(const char *s)
{
	while (isspace(*s))
		s++;
	return (char *)s;
}

char *strim(char *s)
{
	size_t n = strlen(s);

	while (n && isspace(s[n - 1]))
		s[--n] = 0;
	return skip_spaces(s);
}

void *memchr_inv(const void *p, int c, size_t n)
{
	const u8 *b = p;

	for (; n--; b++)
		if (*b != (u8)c)
			return (void *)b;
	return NULL;
}

bool sysfs_streq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b || (!*a && !strcmp(b, "\n")) || (!*b && !strcmp(a, "\n"));
}

int match_string(const char *const *tab, size_t n, const char *s)
{
	size_t i;

	for (i = 0; i < n && tab[i]; i++)
		if (!strcmp(tab[i], s))
			return i;
	return -EINVAL;
}

size_t str_has_prefix(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? 0 : n;
}

void sort(void *base, size_t n, size_t size, int (*cmp)(const void *, const void *),
	  void (*swp)(void *, void *, int))
{
	qsort(base, n, size, cmp);
}

/* Merge sort, stable as the kernel's. */
void list_sort(void *priv, struct list_head *h,
	       int (*cmp)(void *priv, const struct list_head *a, const struct list_head *b))
{
	LIST_HEAD(left);
	LIST_HEAD(right);
	bool odd = false;

	if (list_empty(h) || list_is_singular(h))
		return;
	while (!list_empty(h)) {
		list_move_tail(h->next, odd ? &right : &left);
		if (list_empty(h))
			break;
		/* Halve by walking from both ends. */
		list_move(h->prev, &right);
	}
	list_sort(priv, &left, cmp);
	list_sort(priv, &right, cmp);
	while (!list_empty(&left) && !list_empty(&right))
		list_move_tail(cmp(priv, left.next, right.next) <= 0 ? left.next : right.next, h);
	list_splice_tail_init(&left, h);
	list_splice_tail_init(&right, h);
}

/* Eight bytes a step; no inversion before or after, like the kernel. */
static u32 shim_crc[8][256];

static void __attribute__((__constructor__)) shim_crc_setup(void)
{
	u32 i, j, c;

	for (i = 0; i < 256; i++) {
		c = i;
		for (j = 0; j < 8; j++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
		shim_crc[0][i] = c;
	}
	for (i = 0; i < 256; i++)
		for (j = 1; j < 8; j++)
			shim_crc[j][i] = shim_crc[j - 1][i] >> 8 ^
					 shim_crc[0][shim_crc[j - 1][i] & 255];
}

__no_kcsan u32 crc32_le(u32 crc, const void *buf, size_t len)
{
	const u8 *p = buf;
	u32 (*t)[256] = shim_crc;

	for (; len >= 8; len -= 8, p += 8) {
		u32 a, b;

		__builtin_memcpy(&a, p, 4);
		__builtin_memcpy(&b, p + 4, 4);
		a = le32_to_cpu(a) ^ crc;
		b = le32_to_cpu(b);
		crc = t[7][a & 255] ^ t[6][a >> 8 & 255] ^ t[5][a >> 16 & 255] ^ t[4][a >> 24] ^
		      t[3][b & 255] ^ t[2][b >> 8 & 255] ^ t[1][b >> 16 & 255] ^ t[0][b >> 24];
	}
	while (len--)
		crc = crc >> 8 ^ t[0][(crc ^ *p++) & 255];
	return crc;
}
