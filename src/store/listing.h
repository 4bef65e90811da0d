/*
 * listing.h
 *		Reading rows in the order of their names.
 */
#ifndef IDEM_STORE_LISTING_H
#define IDEM_STORE_LISTING_H

#include "store/table.h"

/* Which names: those that begin so and are greater than after, by their bytes. */
typedef struct IdemListing
{
	const text *prefix;
	const text *after;
} IdemListing;

/* Take a row; false when that is enough. */
typedef bool (*IdemListed) (TupleTableSlot *slot, void *arg);

/*
 * Show the rows of a table whose primary key is a name, as the statement's
 * snapshot sees them.
 */
extern void idem_store_listing_read(IdemTable *table, const IdemListing *listing,
									IdemListed listed, void *arg);

#endif							/* IDEM_STORE_LISTING_H */
