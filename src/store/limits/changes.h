/*
 * changes.h
 *		What has to be known of the configuration of rate limits by whoever
 *		changes it, and the SQL that does.
 */
#ifndef IDEM_STORE_LIMITS_CHANGES_H
#define IDEM_STORE_LIMITS_CHANGES_H

#include "store/limits/rows.h"

/* What stands of one policy of a resource. */
typedef enum IdemLimitStanding
{
	IDEM_LIMIT_ABSENT,
	IDEM_LIMIT_DIFFERS,
	IDEM_LIMIT_STANDS			/* just the row that is to be */
} IdemLimitStanding;

/*
 * How does what is committed, or our own, stand to the row?  *open_xid is the
 * transaction that is changing it, or invalid.
 */
extern IdemLimitStanding idem_store_limits_changes_compare(const IdemLimitRow *row,
														   TransactionId *open_xid);

/* A transaction that is changing the policy of the resource, any for NULL, or invalid. */
extern TransactionId idem_store_limits_changes_find(const text *resource,
													const text *policy);

/* Has the resource more policies than that, committed or not? */
extern bool idem_store_limits_changes_has_more(const text *resource, int most);

/* Are there more patterns than that, committed or not? */
extern bool idem_store_limits_changes_has_more_patterns(int most);

/* SQL: set a limit; remove the policies of a resource, or one of them */
extern const char *const idem_store_limits_changes_set_sql;
extern const char *const idem_store_limits_changes_drop_sql;

#endif							/* IDEM_STORE_LIMITS_CHANGES_H */
