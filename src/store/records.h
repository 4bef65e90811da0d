/*
 * records.h
 *		Records, whichever table they lie in.
 *
 * The claim engine works on an IdemRecord.  Each family of records has a table
 * of its own, whose file knows how a row becomes a record and back.
 */
#ifndef IDEM_STORE_RECORDS_H
#define IDEM_STORE_RECORDS_H

#include "datatype/timestamp.h"
#include "utils/uuid.h"

#include "store/removal.h"

/* the most columns that a table of records has */
#define IDEM_MAX_COLUMNS		18

/* the value of an instant column that is NULL */
#define IDEM_NO_INSTANT			DT_NOBEGIN

typedef enum IdemStatus
{
	IDEM_PROCESSING,
	IDEM_COMPLETE,
	IDEM_FAILED					/* for good; a retryable failure is processing
								 * without a lease */
} IdemStatus;

typedef struct IdemResponse
{
	bool		has_status;
	int32		status;
	struct varlena *headers;
	struct varlena *body;
} IdemResponse;

/*
 * A record.  A pointer that is NULL is an SQL NULL.  What was read points into
 * the table's slot until idem_store_records_detach.  What a family has no
 * column for is zero.
 */
typedef struct IdemRecord
{
	text	   *key;
	text	   *scope;
	text	   *fingerprint;
	IdemStatus	status;
	pg_uuid_t	job_id;
	int64		fence;
	int32		attempt;
	text	   *owner;
	TimestampTz lease_expires_at;	/* IDEM_NO_INSTANT: no lease is held */
	TimestampTz expires_at;
	TimestampTz created_at;
	TimestampTz completed_at;	/* IDEM_NO_INSTANT: not yet */
	IdemResponse response;
	struct varlena *error;
	struct varlena *context;
	text	   *recovery_point;
	struct varlena *checkpoint;
} IdemRecord;

typedef struct IdemFamily
{
	IdemTableInfo table;		/* first: what an open table points at leads
								 * here */
	bool		has_fence;
	void		(*read) (TupleTableSlot *slot, IdemRecord *record);
	void		(*columns) (const IdemRecord *record, Datum *values, bool *isnull);
} IdemFamily;

typedef void (*IdemRecordVisitor) (const IdemRecord *record, void *arg);

extern void idem_store_records_open(IdemTable *table, IdemFamily *family,
									LOCKMODE lockmode);

/*
 * Remove at most max_rows records that have expired at now, and whose lease is
 * over, the oldest first, but for those that others have locked.  The column is
 * that of expires_at, from 0.
 */
extern int64 idem_store_records_expire(IdemFamily *family, int column, TimestampTz now,
									   int32 max_rows);

/* Which records are to go, and who is shown each that did. */
typedef struct IdemRecordRemoval
{
	IdemRange	range;
	const text *bound;			/* of the range */
	IdemRangeVisit (*choose) (const IdemRecord *record, const text *bound);
	IdemRecordVisitor removed;
	void	   *arg;
} IdemRecordRemoval;

/* as idem_store_removal_all */
extern void idem_store_records_remove(IdemFamily *family, const IdemRecordRemoval *removal);

/* a family without scopes ignores the scope */
extern IdemKey idem_store_records_key(const text *key, const text *scope);

/* the record in one of the table's slots */
extern void idem_store_records_read(const IdemTable *table, TupleTableSlot *slot,
									IdemRecord *record);

/* as their counterparts in tuple.h */
extern bool idem_store_records_insert(IdemTable *table, const IdemRecord *record);
extern bool idem_store_records_update(IdemTable *table, const IdemRecord *record);

/*
 * The largest fence of the versions of a key, whatever has become of them.  What
 * was committed after the caller's snapshot is among them.
 */
extern int64 idem_store_records_newest_fence(IdemTable *table, const IdemKey *key);

/* copy everything, toasted values too, into the current memory context */
extern void idem_store_records_detach(IdemRecord *record);

/* a detoasted copy in the current memory context, NULL of NULL */
extern struct varlena *idem_store_records_copy(struct varlena *value);

/* an expired record is absent for every function */
extern bool idem_store_records_is_live(const IdemRecord *record, TimestampTz now);

/* both NULL, or the same bytes */
extern bool idem_store_records_equal(const struct varlena *a,
									 const struct varlena *b);

/* for the files of the families: columns to fields and back */
extern IdemStatus idem_store_records_get_status(Datum value, const char *const *names);
extern struct varlena *idem_store_records_get_varlena(const TupleTableSlot *slot,
													  int column);
extern TimestampTz idem_store_records_get_instant(const TupleTableSlot *slot,
												  int column);
extern void idem_store_records_put_varlena(Datum *values, bool *isnull, int column,
										   const struct varlena *value);
extern void idem_store_records_put_instant(Datum *values, bool *isnull, int column,
										   TimestampTz value);

#endif							/* IDEM_STORE_RECORDS_H */
