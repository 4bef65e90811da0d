/*
 * rows.h
 *		The configuration of rate limits, a table of rows by resource and policy.
 *
 * It is read as of now and without SIREAD locks, which a scan under a snapshot
 * would leave: a limit must not fail a SERIALIZABLE caller.  Only a parallel
 * query, which may take no snapshot, reads it as of its own.
 */
#ifndef IDEM_STORE_LIMITS_ROWS_H
#define IDEM_STORE_LIMITS_ROWS_H

#include "access/sdir.h"
#include "datatype/timestamp.h"

#include "store/table.h"

/* A row of rate_limits. */
typedef struct IdemLimitRow
{
	const text *resource;		/* a name, or a prefix and an asterisk */
	const text *policy;
	const text *algorithm;
	int64		quota;
	Interval	period;
	int64		burst;			/* 0 for NULL */
	bool		is_enforced;
	const text *time_zone;		/* of a calendar_window, else NULL */
	bool		is_adaptive;	/* are the settings below there? */
	Interval	monitoring_window;
	int32		high_threshold;
	int32		moderate_threshold;
	Interval	recalculation_interval;
	Interval	sustained_inactivity;
	bool		pauses_background;
	float8		max_user_scaling;
	int32		min_user_reserved;
} IdemLimitRow;

typedef void (*IdemLimitVisitor) (const IdemLimitRow *row, void *arg);

/* Patterns end in an asterisk; all other names are exact. */
extern bool idem_store_limits_rows_is_pattern(const text *resource);

/*
 * Visit the rows of all patterns that are committed now, or our own.  From
 * then on what was made of them, and of anything below, is current until the
 * table changes.  Returns the snapshot that they were read by, in the current
 * memory context; NULL in a parallel query.
 */
extern char *idem_store_limits_rows_visit_patterns(IdemLimitVisitor visit, void *arg);
extern bool idem_store_limits_rows_is_current(void);

/*
 * Visit the rows of one name, likewise.  False when they are not those that
 * belong to the patterns of that snapshot: what was visited counts for nothing
 * then, and all has to be read anew.
 */
extern bool idem_store_limits_rows_visit_name(const text *resource, const char *snapshot,
											  IdemLimitVisitor visit, void *arg);

/*
 * Visit names from this one on, upwards with it and downwards without, in the
 * order of bytes, until the visitor says false.  Every name that has rows is
 * among them, perhaps several times, perhaps others too.  False, and none is
 * visited, when there is no index in that order.
 */
typedef bool (*IdemNameVisitor) (const char *name, int size, void *arg);
extern bool idem_store_limits_rows_walk(const text *from, ScanDirection direction,
										IdemNameVisitor visit, void *arg);

/* For whoever looks at the table in other ways. */
extern IdemTableInfo idem_store_limits_rows_table;

/* The index of the patterns' rows alone, or InvalidOid. */
extern Oid	idem_store_limits_rows_pattern_index(Relation rel);

/* false for a row that the constraints, if they were there, would not allow */
extern bool idem_store_limits_rows_describe(TupleTableSlot *slot, IdemLimitRow *row);

#endif							/* IDEM_STORE_LIMITS_ROWS_H */
