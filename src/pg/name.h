/*
 * name.h
 *		Names, of whatever kind, are compared by their bytes, as COLLATE "C" does.
 */
#ifndef IDEM_PG_NAME_H
#define IDEM_PG_NAME_H

#include "pg/compat.h"

/* memcmp of what both have, then the shorter one first */
static inline int
idem_name_compare_bytes(const char *a, int a_size, const char *b, int b_size)
{
	int			order = memcmp(a, b, Min(a_size, b_size));

	return order != 0 ? order : a_size - b_size;
}

/* less than, equal to or greater than 0; none is toasted */
static inline int
idem_name_compare(const text *a, const text *b)
{
	return idem_name_compare_bytes(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
								   VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
}

static inline bool
idem_name_equal(const text *a, const text *b)
{
	return VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

static inline bool
idem_name_begins_with(const text *name, const text *prefix)
{
	int			size = VARSIZE_ANY_EXHDR(prefix);

	return VARSIZE_ANY_EXHDR(name) >= size &&
		memcmp(VARDATA_ANY(name), VARDATA_ANY(prefix), size) == 0;
}

#endif							/* IDEM_PG_NAME_H */
